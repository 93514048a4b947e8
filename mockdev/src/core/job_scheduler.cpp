// Arbitration and the running job. A job's cycles count from its dispatch and depend on nothing outside it.
#include "core/job_scheduler.h"

#include <algorithm>
#include <cstring>

namespace naru::mockdev {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

}  // namespace

void JobScheduler::add_job() {
  all_.push_back(std::make_unique<Job>());
  idle_.reserve(all_.capacity());
  idle_.push_back(all_.back().get());
}

void JobScheduler::submit(Job& job) {
  ++jobs_;
  if (job.decided != abi::Status::kOk) {
    unsettled_ = true;
    ++decided_;
  }
  contexts_.find(job.context)->queues[job.queue].submitted = job.fence;
  queues_[job.queue].push_back(job);
}

void JobScheduler::decide(Job& job, abi::Status status) noexcept {
  if (job.decided != abi::Status::kOk) return;
  job.decided = status;
  ++decided_;
}

bool JobScheduler::cancel(TimePoint now, std::uint32_t context, std::uint16_t queue, std::uint64_t fence) {
  for (Job* job = queues_[queue].first(); job != nullptr; job = job->next) {
    if (job->context != context || job->fence != fence) continue;
    if (job == running_) {
      end_running(now, abi::Status::kCancelled, 0);
    } else {
      decide(*job, abi::Status::kCancelled);
    }
    settle(now, queue);
    return true;
  }
  return false;
}

void JobScheduler::end_all(TimePoint now, std::uint32_t context, abi::Status status) {
  for (const JobList& queue : queues_)
    for (Job* job = queue.first(); job != nullptr; job = job->next)
      if (job != running_ && (context == 0 || job->context == context)) decide(*job, status);
  if (running_ != nullptr && (context == 0 || running_->context == context)) end_running(now, status, 0);
  for (unsigned queue = 0; queue < abi::kQueues; ++queue) settle(now, queue);
}

void JobScheduler::reset_engines(TimePoint now) {
  if (running_ != nullptr) end_running(now, abi::Status::kReset, 0);
  drop_lease();
}

void JobScheduler::settle_decided(TimePoint now, unsigned queue) {
  const auto is_preceded = [](const Job& job) {
    for (const Job* earlier = job.previous; earlier != nullptr; earlier = earlier->previous)
      if (earlier->context == job.context) return true;
    return false;
  };
  Job* next = nullptr;
  for (Job* job = queues_[queue].first(); job != nullptr; job = next) {
    next = job->next;
    if (job == running_ || job->decided == abi::Status::kOk || is_preceded(*job)) continue;
    complete(now, *job, job->decided, job->fault, 0, 0);
    --decided_;
    remove(*job);
  }
}

void JobScheduler::remove(Job& job) {
  queues_[job.queue].erase(job);
  job.clear();
  idle_.push_back(&job);
}

void JobScheduler::complete(TimePoint now, Job& job, abi::Status status, std::uint32_t fault_command, std::uint64_t cycles, std::uint64_t retired) {
  abi::Counters& counters = state_.counters;
  ++(status == abi::Status::kOk ? counters.jobs_completed : status == abi::Status::kCancelled ? counters.jobs_cancelled : counters.jobs_failed);
  counters.device_cycles += cycles;
  --jobs_;
  if (job.answers_request) ++answered_;
  signalled_ = true;
  if (Context* context = contexts_.find(job.context)) context->queues[job.queue].complete(job.fence, status == abi::Status::kOk);
  if (status == abi::Status::kOk && in_.extend_completion(now, job.context, job.queue, job.fence, cycles, retired)) return;
  in_.push_completion(now, job.context,
                      {.queue = job.queue, .status = status, .fault_command = fault_command, .first_fence = job.fence, .last_fence = job.fence, .cycles = cycles,
                       .retired = retired, .device_time_ns = static_cast<std::uint64_t>(now.count())});
  if (status != abi::Status::kOk)
    state_.log.add(now, "job: queue {} fence {}: {} (command or region {})", job.queue, job.fence, abi::name_of(status), fault_command);
}

Job* JobScheduler::next_job() const noexcept {
  if (jobs_ == 0) return nullptr;
  for (unsigned queue = abi::kQueues; queue-- > 0;)
    for (Job* job = queues_[queue].first(); job != nullptr; job = job->next)
      if (job->decided == abi::Status::kOk) return job;
  return nullptr;
}

bool JobScheduler::held(const Job& job) const noexcept {
  for (std::size_t i = 0; i < job.region_count; ++i) {
    const BoundRegion& region = job.regions[i];
    if (region.memory == abi::MemoryKind::kDram && abi::includes(region.rights, abi::Rights::kWrite) && in_.is_sending(region.offset, region.bytes)) return true;
  }
  return false;
}

void JobScheduler::dispatch(TimePoint now, Job& job) {
  if (sram_owner_ != job.context) scrub_sram();
  sram_owner_ = job.context;
  lease_ = job.lease_use == abi::LeaseUse::kNone ? Lease{} : Lease{job.context, job.lease};
  for (std::size_t i = 0; i < job.region_count; ++i) {
    const BoundRegion& region = job.regions[i];
    if (region.memory != abi::MemoryKind::kSram || !abi::includes(region.rights, abi::Rights::kWrite)) continue;
    sram_dirty_begin_ = sram_dirty_end_ == 0 ? region.offset : std::min(sram_dirty_begin_, region.offset);
    sram_dirty_end_ = std::max(sram_dirty_end_, region.offset + region.bytes);
  }
  const std::uint64_t clock_hz = state_.chip().clock_hz() * (100 - sensors_.throttle_percent()) / 100;
  if (clock_hz != clock_hz_) {
    clock_hz_ = clock_hz;
    cycle_ns_ = kNanosecondsPerSecond % clock_hz == 0 ? kNanosecondsPerSecond / clock_hz : 0;
  }
  dispatched_ = now;
  running_ = &job;
  issuing_ = true;
  engines_.start(*job.stream, state_.chip());
}

TimePoint JobScheduler::time_of(std::uint64_t cycle) const noexcept {
  constexpr std::uint64_t kFewCycles = std::uint64_t{1} << 33;  // in 64 bits, which is quicker; a clock has fewer Hz, too
  if (cycle < kFewCycles && cycle_ns_ != 0) return dispatched_ + Duration(static_cast<Duration::rep>(cycle * cycle_ns_));
  if (cycle < kFewCycles && clock_hz_ < kFewCycles) return dispatched_ + Duration(static_cast<Duration::rep>((cycle * kNanosecondsPerSecond + clock_hz_ - 1) / clock_hz_));
  return dispatched_ + Duration(static_cast<Duration::rep>((static_cast<unsigned __int128>(cycle) * kNanosecondsPerSecond + clock_hz_ - 1) / clock_hz_));
}

bool JobScheduler::run(TimePoint now, std::int64_t& budget, bool one_fence) {
  const std::uint32_t before = jobs_;
  if (std::exchange(unsettled_, false))
    for (unsigned queue = 0; queue < abi::kQueues; ++queue) settle(now, queue);
  while (budget > 0) {
    if (running_ == nullptr) {
      if (signalled_ && one_fence) break;
      Job* job = next_job();
      if (job == nullptr || held(*job)) break;
      if (lost(*job)) {
        decide(*job, abi::Status::kLeaseLost);
        settle(now, job->queue);
        continue;
      }
      dispatch(now, *job);
    }
    while (issuing_ && budget > 0) {
      const std::uint32_t index = engines_.issue();
      if (index == Engines::kNoCommand) {
        issuing_ = false;
        break;
      }
      const abi::Command& command = running_->stream->stream.commands[index];
      sensors_.add_work(command, running_->stream->costs[index]);
      budget -= static_cast<std::int64_t>(executor_.host_nanoseconds(command.body));
      if (const abi::Status status = executor_.execute(*running_, index); status != abi::Status::kOk) {
        end_running(now, status, index);
        break;
      }
    }
    if (running_ == nullptr) continue;
    if (issuing_) break;  // out of budget
    if (engines_.finished()) {
      end_running(time_of(engines_.cycle()), abi::Status::kOk, 0);
      continue;
    }
    const std::uint64_t next = engines_.next_event();
    const std::uint64_t cycle = std::min(next, running_->cycle_budget);
    if (time_of(cycle) > now) break;
    const std::uint64_t retired = engines_.retired();
    engines_.advance(cycle);
    state_.heartbeat += engines_.retired() - retired;
    if (next > running_->cycle_budget) {
      std::uint32_t oldest = std::numeric_limits<std::uint32_t>::max();
      for (const unsigned engine : engines_.used()) oldest = std::min(oldest, engines_.running(engine).value_or(oldest));
      end_running(now, abi::Status::kBudgetExceeded, oldest);
      continue;
    }
    issuing_ = true;
  }
  return jobs_ != before;
}

bool JobScheduler::completes_by(TimePoint until) const noexcept {
  constexpr std::uint64_t kCyclesMax = std::uint64_t{1} << 32;  // of a budget that says something, and whose time is no overflow
  return running_ != nullptr && running_->cycle_budget < kCyclesMax && time_of(running_->cycle_budget) <= until;
}

TimePoint JobScheduler::next_event(TimePoint now) const noexcept {
  if (running_ != nullptr) return issuing_ ? now : time_of(std::min(engines_.next_event(), running_->cycle_budget));
  if (unsettled_) return now;
  const Job* job = next_job();
  return job == nullptr || held(*job) ? kForever : now;
}

void JobScheduler::end_running(TimePoint now, abi::Status status, std::uint32_t fault_command) {
  Job& job = *running_;
  running_ = nullptr;
  issuing_ = false;
  if (status != abi::Status::kOk) drop_lease();
  const EngineCounts& counts = engines_.counts();
  abi::Counters& counters = state_.counters;
  for (const unsigned engine : engines_.used()) {
    counters.engine_busy_cycles[engine] += counts.busy_cycles[engine];
    counters.engine_wait_cycles[engine] += counts.wait_cycles[engine];
    counters.engine_commands[engine] += counts.retired[engine];
  }
  counters.dram_stall_cycles += counts.dram_stall_cycles;
  sensors_.update(now);
  complete(now, job, status, fault_command, engines_.cycle(), engines_.retired());
  const unsigned queue = job.queue;
  remove(job);
  settle(now, queue);
}

void JobScheduler::scrub_sram() noexcept {
  if (sram_dirty_end_ > sram_dirty_begin_) std::memset(memory_.sram().data() + sram_dirty_begin_, 0, sram_dirty_end_ - sram_dirty_begin_);
  sram_dirty_begin_ = sram_dirty_end_ = 0;
  sram_owner_ = 0;
  drop_lease();
  executor_.apply_stuck_bit();
}

}  // namespace naru::mockdev
