// Back in step after the two sides lost it: drain the cable, clear both halts, then either probe (nothing was running), or give the context up
// and open a new one (jobs were: what became of them is not known), or soft-reset the device. One attempt per rung; after the last one the
// device is lost. Nothing that was unfinished is reported as done.
#include <fmt/format.h>

#include "core.h"
#include "naru/base/log.h"
#include "status.h"

namespace naru::driver {

void Core::begin_recovery(Error cause) {
  if (!transport_ || pending_loss_ || state_ == State::kLost || state_ == State::kClosed) return;
  if (state_ == State::kRecovering) {
    // While draining, trouble is expected; after it, this rung did not hold.
    if (recovery_.step != RecoveryStep::kDraining) next_rung(std::move(cause));
    return;
  }
  const bool in_a_storm = ++recoveries_in_a_row_ > kRecoveriesInARowMax;
  if (state_ != State::kReady || in_a_storm || pipe_mode_ != abi::PipeMode::kMessages) return lose(std::move(cause));
  if (auto moved = move_to(State::kRecovering); !moved) return lose(std::move(moved).error());
  ++counters_.recoveries;
  log(LogLevel::kWarning, "driver", "{}: recovering: {}", device_name(), cause.message());
  bool jobs_running = false;
  for (Timeline& timeline : timelines_) jobs_running = jobs_running || !timeline.unfinished.empty();
  recovery_ = {};
  recovery_.cause = std::move(cause);
  recovery_.deadline = clock_->after(options_.timeouts.recovery);
  start_rung(jobs_running ? Rung::kReopen : Rung::kResync);
}

void Core::start_rung(Rung rung) {
  recovery_.rung = rung;
  recovery_.step = RecoveryStep::kDraining;
  recovery_.failed = recovery_.control_sent = false;
  recovery_.waiting_for = kNoSlot;
  recovery_.rung_deadline = clock_->after(options_.timeouts.recovery / 3);
  arm(recovery_.rung_deadline);
  if (rung != Rung::kResync) ++era_;
  sending_ = receiving_ = false;
  cancel_flights();
}

void Core::next_rung(Error error) {
  log(LogLevel::kWarning, "driver", "{}: recovery did not hold: {}", device_name(), error.message());
  if (recovery_.waiting_for != kNoSlot) {
    Slot& slot = slots_[recovery_.waiting_for];
    slot.detached = true;
    if (!slot.answered) end_operation(recovery_.waiting_for, error);
    else free_if_over(recovery_.waiting_for);
    recovery_.waiting_for = kNoSlot;
  }
  if (recovery_.rung == Rung::kSoftReset) return lose(std::move(error));
  start_rung(Rung::kSoftReset);
}

void Core::cancel_flights() {
  for (std::size_t i = 0; i < out_.size(); ++i) transport_->cancel(out_.at(i).ticket);
  for (std::size_t i = 0; i < in_.size(); ++i) transport_->cancel(in_.at(i).ticket);
}

/// The cable holds nothing any more: everything unfinished ends here, and its memory is the caller's again.
void Core::fail_all_for_recovery() {
  waiting_.clear();
  urgent_.clear();
  follows_.clear();
  cancel_sequences_.clear();
  payloads_.clear();
  checksums_.clear();
  unsummed_ = 0;
  checksums_due_.clear();
  company_ = 0;
  staged_bytes_ = 0;
  free_out_buffers_ = (1u << kOutBuffers) - 1;
  free_tail_buffers_ = 0xFFFF;
  message_posted_ = false;
  resync_floor_ = sequence_ + 1;
  const Error& cause = *recovery_.cause;
  for (std::uint16_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.busy || slot.answered || slot.is_job()) continue;
    const bool frees = slot.type == abi::MessageType::kFreeBuffer || slot.type == abi::MessageType::kFreeStream;
    if (frees && slot.handle != 0 && slot.era == era_) orphans_.push_back({slot.type, slot.handle, slot.era});
    end_operation(i, Error(cause).while_doing(fmt::format("a {} was on its way", name_of(slot.type))));
  }
  for (std::uint16_t i = 0; i < slots_.size(); ++i) {
    Slot& job = slots_[i];
    if (!job.busy || !job.is_job() || job.answered) continue;
    if (job.sent) --unanswered_;
    job.answered = true;
    if (!job.terminal && !job.failing) {
      job.failing = true;
      job.error = Error(cause).while_doing(fmt::format("job {} of queue {} was unfinished; it was not reported as done", job.fence, job.queue));
    }
    settle_job(i);
    free_if_over(i);
  }
  unanswered_ = abandoned_jobs_ = 0;
  if (recovery_.rung == Rung::kResync) return;
  orphans_.clear();
  for (Timeline& timeline : timelines_) {
    timeline.unfinished.clear();
    timeline.last_fence = timeline.sent_fence = timeline.completed_fence = 0;
  }
}

void Core::clear_halts() {
  for (auto [kind, ticket] : {std::pair{TransferKind::kClearHaltOut, &halt_out_ticket_}, std::pair{TransferKind::kClearHaltIn, &halt_in_ticket_}}) {
    auto submitted = transport_->submit({.kind = kind, .timeout = options_.timeouts.control});
    if (submitted) {
      *ticket = *submitted;
    } else if (submitted.error().kind() == ErrorKind::kDeviceLost) {
      return lose(std::move(submitted).error());
    } else {
      recovery_.failed = true;
    }
  }
}

void Core::advance_recovery() {
  if (!transport_ || pending_loss_) return;
  const TimePoint time = now();
  if (time >= recovery_.deadline) return lose(std::move(*recovery_.cause).while_doing(fmt::format("recovering for {}", text_of(options_.timeouts.recovery))));
  if (time >= recovery_.rung_deadline) {
    // What a cable does not give back after a cancel it will not give back at all.
    if (recovery_.step == RecoveryStep::kDraining) return lose(Error(ErrorId::kTransferFailed, "The cable did not end cancelled transfers"));
    next_rung(Error(ErrorId::kTransferTimeout, "The device did not answer while recovering"));
    if (!transport_ || pending_loss_) return;
  }
  if (recovery_.step == RecoveryStep::kDraining) {
    if (!out_.empty() || !in_.empty()) return;
    fail_all_for_recovery();
    recovery_.step = RecoveryStep::kClearing;
    return clear_halts();
  }
  if (recovery_.step == RecoveryStep::kClearing) {
    if (halt_out_ticket_ != Ticket::kNone || halt_in_ticket_ != Ticket::kNone) return;
    if (recovery_.failed) return next_rung(Error(ErrorId::kTransferStalled, "The device did not let its halts be cleared"));
    if (recovery_.rung != Rung::kSoftReset) return start_reopening();
    recovery_.step = RecoveryStep::kResetting;
  }
  if (recovery_.step == RecoveryStep::kResetting || recovery_.step == RecoveryStep::kIdentifying) {
    if (recovery_.control_sent || control_.ticket != Ticket::kNone) return;
    const bool resetting = recovery_.step == RecoveryStep::kResetting;
    recovery_.control_sent = resetting ? start_control(ControlPurpose::kRecovery, false, abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kSoft), 0, 0)
                                       : start_control(ControlPurpose::kRecovery, true, abi::ControlRequest::kIdentity, 0, 0, abi::wire_size<abi::Identity>());
    if (!recovery_.control_sent && transport_ && !pending_loss_) next_rung(Error(ErrorId::kTransferFailed, "The cable did not take an EP0 request"));
    return;
  }
  if (recovery_.waiting_for == kNoSlot || !slots_[recovery_.waiting_for].terminal) return;
  Slot& slot = slots_[recovery_.waiting_for];
  // The probe is a request that every device refuses: that it was answered in order is all there is to know.
  const bool held = slot.type == abi::MessageType::kFreeBuffer || !slot.error;
  if (!held) return next_rung(*slot.error);
  slot.detached = true;
  free_if_over(recovery_.waiting_for);
  recovery_.waiting_for = kNoSlot;
  log(LogLevel::kInfo, "driver", "{}: recovered", device_name());
  recovery_ = {};
  if (auto moved = move_to(State::kReady); !moved) return lose(std::move(moved).error());
  while (!orphans_.empty() && slots_.free_count() > kSlotsForDriver) {
    const Orphan orphan = orphans_.back();
    orphans_.pop_back();
    free_object(orphan.type, orphan.handle, orphan.era);
  }
}

void Core::recovery_control_ended() {
  if (state_ != State::kRecovering || !recovery_.control_sent) return;
  recovery_.control_sent = false;
  if (control_.status != TransferStatus::kOk) return next_rung(error_of(control_.status, "an EP0 request of the recovery"));
  if (recovery_.step == RecoveryStep::kResetting) {
    recovery_.step = RecoveryStep::kIdentifying;
    return;
  }
  if (auto adopted = adopt_identity(std::span<const std::byte>(control_buffer_).first(control_.bytes)); !adopted) return next_rung(std::move(adopted).error());
  start_reopening();
}

void Core::start_reopening() {
  recovery_.step = RecoveryStep::kReopening;
  if (recovery_.rung == Rung::kReopen && context_ != 0) {
    if (const std::uint16_t closing = acquire(abi::MessageType::kCloseContext, true); closing != kNoSlot) {
      slots_[closing].handle = context_;
      enqueue(closing);
    }
  }
  const std::uint16_t index = acquire(recovery_.rung == Rung::kResync ? abi::MessageType::kFreeBuffer : abi::MessageType::kOpenContext, true);
  if (index == kNoSlot) return lose(Error(ErrorId::kInternal, "No request slot is left for the recovery"));
  if (recovery_.rung != Rung::kResync) context_ = 0;
  slots_[index].detached = false;
  recovery_.waiting_for = index;
  enqueue(index);
  sending_ = receiving_ = true;
  pump_in();
  pump_out();
}

Result<void> Core::soft_reset() {
  NARU_CHECK_OK(usable());
  if (auto moved = move_to(State::kRecovering); !moved) return moved;
  recovery_ = {};
  recovery_.cause = Error(ErrorId::kTransferCancelled, "The device was reset on request");
  recovery_.deadline = clock_->after(options_.timeouts.recovery);
  start_rung(Rung::kSoftReset);
  run_until([this] { return state_ != State::kRecovering; }, kForever);
  if (state_ != State::kReady) return fail(gone_error());
  return {};
}

}  // namespace naru::driver
