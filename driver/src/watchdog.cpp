// Deadlines on the transport's clock. A job past its deadline is cancelled, then the engines are reset, then the recovery takes over; the
// device's heartbeat, sampled half-way and at the end, tells a slow device from one that hangs. Other requests go straight to the recovery.
#include <fmt/format.h>

#include "core.h"
#include "status.h"

namespace naru::driver {

void Core::send_cancel(Slot& job) {
  const std::uint16_t index = acquire(abi::MessageType::kCancel, true);
  if (index == kNoSlot) return;  // the watchdog asks again
  job.cancel_asked = true;
  slots_[index].fence = job.fence;
  slots_[index].queue = job.queue;
  (job.sent ? urgent_ : waiting_).push(index);
}

void Core::on_timer(TimePoint time) {
  next_timer_ = kForever;
  if (state_ == State::kRecovering) {
    arm(std::min(recovery_.deadline, recovery_.rung_deadline));
    if (time >= next_timer_) advance_recovery();
    return;
  }
  for (std::uint16_t i = 0; i < slots_.size() && transport_ && !pending_loss_ && state_ != State::kRecovering; ++i) {
    Slot& slot = slots_[i];
    if (!slot.busy || slot.answered) continue;
    if (slot.is_job()) {
      if (time >= slot.watch.next) watch_job(i, time);
      if (slot.busy && !slot.answered) arm(slot.watch.next);
      continue;
    }
    if (!slot.sent) continue;
    // A reply without payload may wait for the payloads behind it to land: while those move, the device is at work. Such replies come in order, so one that
    // was passed by will not come any more.
    const bool passed_by = last_answered_ && static_cast<std::int32_t>(*last_answered_ - slot.sequence) > 0;
    if (time >= slot.deadline && slot.type != abi::MessageType::kRead && !passed_by && last_out_progress_ > time - slot.allowed) slot.deadline = last_out_progress_ + slot.allowed;
    if (time >= slot.deadline) {
      // A read after a fence has its time from when the watchdog first saw that fence reached.
      const bool waits_for_fence = slot.type == abi::MessageType::kRead && slot.fence != 0 && !slot.fence_seen;
      if (!waits_for_fence) {
        begin_recovery(Error(ErrorId::kTransferTimeout, fmt::format("The device did not answer a {} within {}", name_of(slot.type), text_of(slot.allowed))));
        return;
      }
      slot.fence_seen = timelines_[slot.queue].completed_fence >= slot.fence;
      slot.deadline = time + slot.allowed;
    }
    arm(slot.deadline);
  }
  pump_out();
}

void Core::watch_job(std::uint16_t index, TimePoint time) {
  Slot& job = slots_[index];
  Watch& watch = job.watch;
  const Duration grace = options_.timeouts.cancel;
  switch (watch.phase) {
    case WatchPhase::kRunning:
      watch.phase = WatchPhase::kSampled;
      watch.next = job.deadline;
      (void)start_control(ControlPurpose::kHeartbeat, true, abi::ControlRequest::kState, 0, 0, abi::wire_size<abi::DeviceState>());
      return;
    case WatchPhase::kSampled:
      watch.phase = WatchPhase::kExpired;
      // The cancel waits for the second sample, so that the cancel's own effect is not taken for progress.
      if (start_control(ControlPurpose::kHeartbeat, true, abi::ControlRequest::kState, 0, 0, abi::wire_size<abi::DeviceState>())) {
        watch.next = time + options_.timeouts.control + grace;
        return;
      }
      [[fallthrough]];
    case WatchPhase::kExpired:
      watch.phase = WatchPhase::kCancelling;
      watch.next = time + grace;
      if (!job.cancel_asked) send_cancel(job);
      return;
    case WatchPhase::kCancelling:
      watch.phase = WatchPhase::kAbandoned;
      watch.next = time + grace;
      ++abandoned_jobs_;
      fail_job(index, deadline_error(job).while_doing(fmt::format("running job {} of queue {}", job.fence, job.queue)));
      (void)start_control(ControlPurpose::kEngineReset, false, abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kEngine), 0, 0);
      return;
    case WatchPhase::kAbandoned:
      watch.next = kForever;
      begin_recovery(Error(ErrorId::kDeviceFault, fmt::format("Job {} of queue {} ended neither by a cancel nor by a reset of the engines", job.fence, job.queue)));
      return;
  }
}

void Core::on_heartbeat(std::span<const std::byte> bytes) {
  abi::DeviceState state;
  const bool known = bytes.size() == abi::wire_size<abi::DeviceState>() && abi::decode(bytes, state) == abi::Decoded::kOk;
  const TimePoint time = now();
  for (std::uint16_t i = 0; i < slots_.size(); ++i) {
    Slot& job = slots_[i];
    if (!job.busy || !job.is_job() || job.answered) continue;
    if (known && job.watch.phase == WatchPhase::kSampled && !job.watch.has_first) {
      job.watch.has_first = true;
      job.watch.first_heartbeat = state.heartbeat;
    }
    if (job.watch.phase != WatchPhase::kExpired) continue;
    if (known) {
      job.watch.has_last = true;
      job.watch.last_heartbeat = state.heartbeat;
    }
    watch_job(i, time);
    arm(job.watch.next);
  }
}

Error Core::deadline_error(const Slot& job) const {
  const Watch& watch = job.watch;
  std::string verdict = "its heartbeat could not be read";
  if (watch.has_first && watch.has_last) {
    const std::uint64_t retired = watch.last_heartbeat - watch.first_heartbeat;
    verdict = retired != 0 ? fmt::format("its heartbeat moved by {} commands in the second half of that time: it is slow, it does not hang", retired)
                           : "its heartbeat stood still in the second half of that time: it hangs";
  }
  return Error(ErrorId::kDeadline, fmt::format("The device did not finish the job within {}; {}", text_of(job.allowed), verdict))
      .with_value("deadline", text_of(job.allowed))
      .with_value("heartbeat", verdict);
}

}  // namespace naru::driver
