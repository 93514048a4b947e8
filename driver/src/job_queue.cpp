// Jobs: checked against their stream and buffers, given a fence, sent with their writes and reads, and ended exactly once.
#include <fmt/format.h>

#include "core.h"
#include "naru/base/bytes.h"
#include "status.h"

namespace naru::driver {

/// What is wrong with a binding that check_job() refuses.
Error Core::binding_error(std::size_t index, const Binding& binding, const abi::RegionDeclaration& region) const {
  if (!abi::includes(binding.rights, region.rights) || binding.rights > abi::Rights::kReadWrite)
    return Error(ErrorId::kInvalidArgument, fmt::format("Region {} needs rights {}; the job binds it with {}", index, static_cast<unsigned>(region.rights), static_cast<unsigned>(binding.rights)));
  if (binding.bytes < region.bytes) return Error(ErrorId::kInvalidArgument, fmt::format("Region {} needs {} bytes; the job binds {}", index, region.bytes, binding.bytes));
  if ((region.memory == abi::MemoryKind::kSram) != (binding.buffer == nullptr))
    return Error(ErrorId::kInvalidArgument, fmt::format("Region {} is in {}; the job binds the other memory", index, region.memory == abi::MemoryKind::kSram ? "SRAM" : "DRAM"));
  if (binding.buffer == nullptr)
    return Error(ErrorId::kInvalidArgument, fmt::format("Region {} takes {} bytes of SRAM from {}; the device has {}", index, binding.bytes, binding.offset, chip_.sram_bytes));
  return range_error(binding.buffer, binding.offset, binding.bytes, "binding").while_doing(fmt::format("binding region {}", index));
}

Result<void> Core::check_job(const JobDescription& description) const {
  const Stream* stream = description.stream;
  if (stream == nullptr || !stream->valid()) return fail(ErrorId::kInvalidArgument, "The job names no stream");
  if (stream->core_.get() != this) return fail(ErrorId::kHandleInvalid, "The job names a stream of another device");
  if (stream->era_ != era_) return fail(ErrorId::kHandleInvalid, "The job names a stream whose context was given up by a recovery or reset");
  if (description.bindings.size() != stream->regions_.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("The job binds {} regions; its stream declares {}", description.bindings.size(), stream->regions_.size()));
  if (description.lease_use > abi::LeaseUse::kNeed || (description.lease_use == abi::LeaseUse::kNone) != (description.lease == 0))
    return fail(ErrorId::kInvalidArgument, fmt::format("The job gives {} as its use of lease {}: 0 (none) goes with lease 0, 1 (take) and 2 (need) with any other",
                                                       static_cast<unsigned>(description.lease_use), description.lease));
  if (description.lease_use != abi::LeaseUse::kNone && !info_.leases)
    return fail(Error(ErrorId::kInvalidArgument, "The job uses a lease; the device knows none").with_remedy("Submit it without one: DeviceInfo::leases says whether a device knows them."));
  for (std::size_t i = 0; i < description.bindings.size(); ++i) {
    const Binding& binding = description.bindings[i];
    const abi::RegionDeclaration& region = stream->regions_[i];
    const bool good = abi::includes(binding.rights, region.rights) && binding.rights <= abi::Rights::kReadWrite && binding.bytes >= region.bytes &&
                      (region.memory == abi::MemoryKind::kSram ? binding.buffer == nullptr && binding.offset <= chip_.sram_bytes && binding.bytes <= chip_.sram_bytes - binding.offset
                                                               : covers(binding.buffer, binding.offset, binding.bytes));
    if (!good) return fail(binding_error(i, binding, region));
  }
  for (const JobWrite& write : description.writes) NARU_CHECK_OK(check_range(write.buffer, write.offset, write.bytes.size(), "job's write"));
  for (const JobRead& read : description.reads) NARU_CHECK_OK(check_range(read.buffer, read.offset, read.bytes.size(), "job's read"));
  return {};
}

std::uint16_t Core::add_child(std::uint16_t job, abi::MessageType type, const Buffer& buffer, std::uint64_t offset, std::uint64_t bytes, TimePoint time) {
  const std::uint16_t index = acquire(type, false, time, options_.timeouts.request);
  Slot& child = slots_[index];
  child.detached = true;
  child.parent = job;
  child.handle = buffer.handle_;
  child.offset = offset;
  child.bytes = bytes;
  child.next_sibling = slots_[job].first_child;
  slots_[job].first_child = index;
  ++slots_[job].children;
  return index;
}

/// One description that was checked and that there are slots for.
std::uint16_t Core::enqueue_job(std::uint16_t queue, const JobDescription& description, TimePoint time) {
  const std::uint16_t index = acquire(abi::MessageType::kSubmit, false, time, description.deadline > Duration::zero() ? description.deadline : options_.timeouts.job);
  Slot& job = slots_[index];
  for (const JobWrite& write : description.writes) {
    const std::uint16_t child = add_child(index, abi::MessageType::kWrite, *write.buffer, write.offset, write.bytes.size(), time);
    slots_[child].source = write.bytes.data();
    enqueue(child);
  }
  Timeline& timeline = timelines_[queue];
  job.queue = queue;
  job.fence = ++timeline.last_fence;
  timeline.unfinished.push(index);
  job.handle = description.stream->handle_;
  job.cycle_budget = description.cycle_budget;
  job.lease_use = description.lease_use;
  job.lease = description.lease;
  job.region_count = static_cast<std::uint8_t>(description.bindings.size());
  for (std::size_t i = 0; i < description.bindings.size(); ++i) {
    const Binding& binding = description.bindings[i];
    abi::RegionBinding& target = job.bindings[i];
    target.handle = binding.buffer == nullptr ? abi::kSramHandle : binding.buffer->handle_;
    target.offset = binding.offset;
    target.bytes = binding.bytes;
    target.rights = binding.rights;
  }
  job.watch.next = job.deadline == kForever ? kForever : time + job.allowed / 2;
  enqueue(index);
  for (const JobRead& read : description.reads) {
    const std::uint16_t child = add_child(index, abi::MessageType::kRead, *read.buffer, read.offset, read.bytes.size(), time);
    slots_[child].target = read.bytes.data();
    slots_[child].fence = job.fence;
    slots_[child].queue = queue;
    enqueue(child);
  }
  ++counters_.jobs_submitted;
  return index;
}

Result<void> Core::submit(std::uint16_t queue, std::span<const JobDescription> descriptions, std::span<Job> jobs, const std::shared_ptr<Core>& self) {
  NARU_CHECK_OK(usable());
  if (jobs.size() != descriptions.size()) return fail(ErrorId::kInvalidArgument, fmt::format("{} jobs, but {} places for their tickets", descriptions.size(), jobs.size()));
  std::size_t slots = 0;
  for (const JobDescription& description : descriptions) {
    NARU_CHECK_OK(check_job(description));
    slots += 1 + description.writes.size() + description.reads.size();
  }
  if (slots + kSlotsForDriver > slots_.free_count())
    return fail(Error(ErrorId::kDeviceBusy, fmt::format("{} more requests than the {} that may be unfinished", slots, options_.unfinished_requests_max)).with_remedy("Wait for jobs to end, and repeat."));
  const TimePoint time = now();
  for (std::size_t i = 0; i < descriptions.size(); ++i) jobs[i] = Job(self, enqueue_job(queue, descriptions[i], time));
  pump_out();
  return {};
}

// ---- ends ----

void Core::unlink_child(std::uint16_t index) {
  Slot& child = slots_[index];
  Slot& job = slots_[child.parent];
  for (std::uint16_t* link = &job.first_child; *link != kNoSlot; link = &slots_[*link].next_sibling) {
    if (*link != index) continue;
    *link = child.next_sibling;
    break;
  }
  --job.children;
  child.parent = child.next_sibling = kNoSlot;
}

void Core::drop_child(std::uint16_t index) {
  unlink_child(index);
  slots_[index].source = nullptr;
  slots_[index].target = nullptr;
}

void Core::end_child(std::uint16_t index, std::optional<Error> error) {
  Slot& child = slots_[index];
  const std::uint16_t parent = child.parent;
  Slot& job = slots_[parent];
  unlink_child(index);
  // That a read waits for a fence that failed follows from the job's own end.
  if (error && !job.error) job.error = std::move(*error).while_doing(fmt::format("{} of job {} of queue {}", child.type == abi::MessageType::kWrite ? "writing an input" : "reading an output", job.fence, job.queue));
  child.terminal = true;
  free_if_over(index);
  settle_job(parent);
}

void Core::end_job(std::uint16_t index, const abi::Completion& completion, bool last) {
  Slot& job = slots_[index];
  job.answered = true;
  --unanswered_;
  if (job.watch.phase == WatchPhase::kAbandoned && abandoned_jobs_ > 0) --abandoned_jobs_;
  if (!job.terminal) {
    job.result = {.cycles = last ? completion.cycles : 0, .retired = last ? completion.retired : 0, .device_time_ns = completion.device_time_ns};
    if (completion.status == abi::Status::kOk) {
      recoveries_in_a_row_ = 0;
    } else if (!job.failing) {
      const bool late = job.watch.phase >= WatchPhase::kExpired && completion.status == abi::Status::kCancelled;
      job.error = late ? deadline_error(job) : error_of(completion.status, completion.fault_command, "job");
      job.error->while_doing(fmt::format("running job {} of queue {}", job.fence, job.queue));
    }
  }
  settle_job(index);
  free_if_over(index);
}

/// The job's outcome is this error, whatever the device may still say. Its memory is given back as soon as no transfer touches it.
void Core::fail_job(std::uint16_t index, Error error) {
  Slot& job = slots_[index];
  if (job.terminal || job.failing) return;
  job.failing = true;
  job.error = std::move(error);
  for (std::uint16_t child = job.first_child; child != kNoSlot;) {
    const std::uint16_t next = slots_[child].next_sibling;
    if (slots_[child].transfers == 0) drop_child(child);
    child = next;
  }
  settle_job(index);
}

void Core::settle_job(std::uint16_t index) {
  Slot& job = slots_[index];
  if (!job.busy || !job.is_job() || job.terminal || job.children != 0 || !(job.answered || job.failing)) return;
  job.terminal = true;
  ++(job.error ? counters_.jobs_failed : counters_.jobs_done);
  free_if_over(index);
}

void Core::cancel_job(std::uint16_t index) {
  Slot& job = slots_[index];
  if (!job.busy || job.terminal || job.answered || job.cancel_asked) return;
  send_cancel(job);
  if (!polling_) pump_out();
}

Result<bool> Core::fence_reached(Fence fence) const {
  if (fence.queue >= abi::kQueues || fence.era != era_ || fence.value > timelines_[fence.queue].last_fence) {
    if (state_ != State::kReady && state_ != State::kRecovering) return fail(gone_error());
    return fail(ErrorId::kInvalidArgument, fmt::format("There is no fence {} on queue {} in this context", fence.value, fence.queue));
  }
  if (fence.value <= timelines_[fence.queue].completed_fence) return true;
  if (state_ != State::kReady && state_ != State::kRecovering) return fail(gone_error());
  return false;
}

// ---- the public objects ----

JobState Job::state() const noexcept {
  if (!core_) return JobState::kCancelled;
  const Slot& slot = core_->slot(slot_);
  if (!slot.terminal) return JobState::kUnfinished;
  if (!slot.error) return JobState::kDone;
  return slot.error->id() == ErrorId::kJobCancelled ? JobState::kCancelled : JobState::kFailed;
}

Fence Job::fence() const noexcept {
  if (!core_) return {};
  const Slot& slot = core_->slot(slot_);
  return {.queue = slot.queue, .era = slot.era, .value = slot.fence};
}

bool Job::poll() {
  if (core_ && !done()) core_->poll();
  return done();
}

bool Job::wait_until(TimePoint until) {
  if (core_ && !done()) core_->run_until([this] { return done(); }, until);
  return done();
}

Result<JobResult> Job::wait() {
  return guarded([&]() -> Result<JobResult> {
    if (core_ && !core_->slot(slot_).terminal) wait_until(kForever);
    return result();
  });
}

Result<JobResult> Job::result() const {
  if (!core_) return fail(ErrorId::kWrongThreadOrState, "This ticket is empty");
  const Slot& slot = core_->slot(slot_);
  if (!slot.terminal) return fail(ErrorId::kWrongThreadOrState, "The job has not ended");
  if (slot.error) return fail(*slot.error);
  return slot.result;
}

void Job::cancel() {
  if (core_ && !done()) core_->cancel_job(slot_);
}

Result<Job> Queue::submit(const JobDescription& description) {
  return guarded([&]() -> Result<Job> {
    Job job;
    NARU_CHECK_OK(submit_batch({&description, 1}, {&job, 1}));
    return job;
  });
}

Result<void> Queue::submit_batch(std::span<const JobDescription> descriptions, std::span<Job> jobs) {
  return guarded([&]() -> Result<void> {
    if (!core_) return fail(ErrorId::kWrongThreadOrState, "This queue is empty: take one from Device::queue()");
    return core_->submit(index_, descriptions, jobs, core_);
  });
}

}  // namespace naru::driver
