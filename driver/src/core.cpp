// States and their legal moves, request slots and their ends, the poll loop, and what happens when the device is gone.
#include "core.h"

#include <fmt/format.h>

#include "naru/base/check.h"
#include "naru/base/log.h"
#include "status.h"

namespace naru::driver {
namespace {

struct Move {
  State from, to;
};
constexpr Move kLegalMoves[] = {
    {State::kClosed, State::kIdentifying},   {State::kIdentifying, State::kNegotiating}, {State::kNegotiating, State::kReady}, {State::kReady, State::kRecovering},
    {State::kRecovering, State::kReady},     {State::kIdentifying, State::kLost},        {State::kNegotiating, State::kLost},  {State::kReady, State::kLost},
    {State::kRecovering, State::kLost},      {State::kIdentifying, State::kClosed},      {State::kNegotiating, State::kClosed}, {State::kReady, State::kClosed},
    {State::kRecovering, State::kClosed},    {State::kLost, State::kClosed},
};

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::kClosed: return "closed";
    case State::kIdentifying: return "identifying";
    case State::kNegotiating: return "negotiating";
    case State::kReady: return "ready";
    case State::kRecovering: return "recovering";
    case State::kLost: return "lost";
  }
  return "unknown";
}

Core::Core(std::unique_ptr<Transport> transport, DeviceOptions options) : transport_(std::move(transport)), clock_(&transport_->clock()), options_(options),
      slots_(static_cast<std::uint16_t>(std::min(options.unfinished_requests_max, kUnfinishedRequestsMax) + kSlotsForDriver)), waiting_(slots_.size()), urgent_(slots_.size()) {
  for (Timeline& timeline : timelines_) timeline.unfinished = Ring<std::uint16_t>(slots_.size());
  info_.transport = transport_->info();
  packet_bytes_ = info_.transport.bulk_packet_bytes;
  chunk_bytes_ = options_.payload_chunk_bytes;
  orphans_.reserve(slots_.size());
}

Core::~Core() { close(); }

Result<void> Core::move_to(State state) {
  for (const Move& move : kLegalMoves) {
    if (move.from != state_ || move.to != state) continue;
    log(LogLevel::kDebug, "driver", "{}: {} -> {}", device_name(), to_string(state_), to_string(state));
    state_ = state;
    return {};
  }
  return fail(ErrorId::kInternal, fmt::format("The driver may not go from {} to {}", to_string(state_), to_string(state)));
}

std::string Core::device_name() const { return info_.transport.selector.empty() ? "device" : info_.transport.selector; }

TimePoint Core::now() const noexcept {
  if (transport_) last_now_ = clock_->now();
  return last_now_;
}

bool Core::IdleGuard::moving() {
  const TimePoint time = core_.now();
  if (time != time_ || core_.events_ != events_) {
    time_ = time;
    events_ = core_.events_;
    idle_ = 0;
  } else if (++idle_ > kIdleWaitsMax) {
    core_.lose(Error(ErrorId::kInternal, "The transport lets neither time nor transfers move on"));
    return false;
  }
  return true;
}

Result<void> Core::usable() {
  // What comes next shall not share the fate of a job that hangs: its end is waited for first, which the watchdog bounds.
  if (abandoned_jobs_ != 0) run_until([this] { return abandoned_jobs_ == 0; }, kForever);
  if (state_ == State::kRecovering) run_until([this] { return state_ != State::kRecovering; }, kForever);
  if (state_ != State::kReady) return fail(gone_error());
  if (options_.control_only) return fail(ErrorId::kWrongThreadOrState, "The device was opened for control only");
  if (pipe_mode_ != abi::PipeMode::kMessages) return fail(ErrorId::kWrongThreadOrState, "The bulk pipes are in a raw mode: set_pipe_mode(kMessages) first");
  return {};
}

Error Core::gone_error() const {
  if (gone_error_) return *gone_error_;
  return Error(ErrorId::kDeviceStateInvalid, fmt::format("{} is {}", device_name(), to_string(state_)));
}

// ---- slots ----

std::uint16_t Core::acquire(abi::MessageType type, bool internal, TimePoint time, Duration allowed) {
  if (!internal && slots_.free_count() <= kSlotsForDriver) return kNoSlot;
  const std::uint16_t index = slots_.acquire(type);
  if (index == kNoSlot) return kNoSlot;
  Slot& slot = slots_[index];
  slot.internal = internal;
  slot.detached = internal;
  slot.era = era_;
  slot.started = time;
  slot.allowed = allowed;
  slot.deadline = later(time, allowed);
  return index;
}

void Core::end_operation(std::uint16_t index, std::optional<Error> error) {
  Slot& slot = slots_[index];
  if (slot.sent && !slot.answered) --unanswered_;
  slot.answered = true;
  moved_over_cable(slot, slot.due);
  if (slot.streams) {
    slot.streams = false;
    ++ended_together_[direction_of(slot.type)];
    unanswered_bytes_[direction_of(slot.type)] -= slot.bytes;
  }
  if (slot.transfers != 0) {
    slot.ending = true;
    slot.error = std::move(error);
    return;
  }
  slot.ending = false;
  slot.target = nullptr;
  slot.source = nullptr;
  if (slot.parent != kNoSlot) return end_child(index, std::move(error));
  if (!slot.terminal) {
    slot.terminal = true;
    if (error) slot.error = std::move(error);
  }
  const bool made_object = !slot.error && (slot.type == abi::MessageType::kCreateBuffer || slot.type == abi::MessageType::kLoadStream);
  // Nobody waits for what was made: give it back.
  if (slot.detached && !slot.internal && made_object)
    free_object(slot.type == abi::MessageType::kCreateBuffer ? abi::MessageType::kFreeBuffer : abi::MessageType::kFreeStream, slot.handle, slot.era);
  free_if_over(index);
}

void Core::free_slot(std::uint16_t index) {
  slots_.release(index);
  if (!orphans_.empty() && state_ == State::kReady) {
    const Orphan orphan = orphans_.back();
    orphans_.pop_back();
    free_object(orphan.type, orphan.handle, orphan.era);
  }
}

void Core::let_go(std::uint16_t index) {
  Slot& slot = slots_[index];
  const std::uint32_t generation = slot.generation;
  const auto free_of_transfers = [&] { return !slot.busy || slot.generation != generation || slot.transfers == 0; };
  if (!free_of_transfers()) run_until(free_of_transfers, clock_ && transport_ ? clock_->after(options_.timeouts.release) : kForever);
  if (!free_of_transfers() && transport_) {
    begin_recovery(Error(ErrorId::kTransferCancelled, fmt::format("A {} was given up while its bytes were on the cable", name_of(slot.type))));
    run_until(free_of_transfers, clock_->after(options_.timeouts.close));
  }
  // The last resort: a transport that is destroyed has let go of every buffer.
  if (!free_of_transfers() && transport_) lose(Error(ErrorId::kTransferFailed, "The cable did not let go of a buffer"));
  if (!slot.busy || slot.generation != generation) return;
  slot.target = nullptr;
  slot.source = nullptr;
}

void SlotTicket::give_back() noexcept {
  core_->release_ticket(slot_);
  core_.reset();
}

void Core::release_ticket(std::uint16_t index) noexcept {
  try {
    Slot& slot = slots_[index];
    // How nearly every ticket ends.
    if (slot.terminal && slot.answered && slot.transfers == 0) return free_slot(index);
    if (!slot.terminal) {
      if (slot.is_job()) cancel_job(index);
      while (slot.first_child != kNoSlot) {
        const std::uint16_t child = slot.first_child;
        let_go(child);
        if (slot.first_child == child) drop_child(child);
      }
      if (!slot.is_job()) let_go(index);
      settle_job(index);
    }
    slot.detached = true;
    free_if_over(index);
  } catch (...) {
    // Only memory can be short here; the slot is lost, the device is not.
  }
}

// ---- the poll loop ----

int Core::pollable_descriptor() noexcept {
  has_outside_loop_ = true;
  return transport_ ? transport_->pollable_descriptor() : -1;
}

void Core::transport_wait(TimePoint until) {
  send_company();
  send_gathered();
  if (!transport_) return;
  polling_ = true;
  found_ = 0;
  transport_->wait_with(std::min(until, next_timer_), *this);
  polling_ = false;
  if (pending_loss_) finish_loss();
  if (found_failure_) std::rethrow_exception(std::exchange(found_failure_, nullptr));
}

/// As poll() does with one; what has failed and what a recovery waits for is left to it.
bool Core::on_found(const TransferCompletion& completion) noexcept {
  if (state_ != State::kReady || pending_loss_ || found_failure_ || found_ == kFoundMax) return false;
  try {
    if (found_++ == 0) ended_together_ = {};
    ++events_;
    on_completion(completion);
    pump_after_completions();
  } catch (...) {
    found_failure_ = std::current_exception();
  }
  return true;
}

void Core::pump_after_completions() {
  if (pending_loss_) return;
  pump_in();
  // What waits for company has it soon: the caller is about to hear of what just ended. What is under way goes on.
  pump_out(company_ == 0 || has_outside_loop_);
}

void Core::wait(TimePoint until) {
  if (!transport_) return;
  transport_wait(until);
  poll();
}

void Core::poll(bool look) {
  if (!transport_ || polling_) return;
  const bool found = std::exchange(found_, 0) != 0;
  if (!found) send_company();
  send_gathered();
  if (!transport_) return;  // lost by that
  polling_ = true;
  std::span<TransferCompletion> batch = poll_batch_;
  for (unsigned round = 0; round < kPollRoundsMax && !pending_loss_; ++round) {
    const std::size_t count = std::min(look ? transport_->poll(batch) : transport_->take(batch), batch.size());
    if (count > 0 && round == 0 && !found) ended_together_ = {};
    for (std::size_t i = 0; i < count; ++i) {
      ++events_;
      on_completion(batch[i]);
    }
    if (state_ == State::kRecovering) advance_recovery();
    if (count > 0) pump_after_completions();
    if (count < batch.size()) break;
  }
  if (!pending_loss_ && next_timer_ != kForever) {
    const TimePoint time = now();
    if (time >= next_timer_) on_timer(time);
  }
  polling_ = false;
  if (pending_loss_) finish_loss();
}

void Core::on_completion(const TransferCompletion& completion) {
  if (completion.ticket == Ticket::kNone) return;
  if (completion.ticket == control_.ticket) return on_control(completion);
  if (completion.ticket == event_ticket_) return on_event(completion);
  for (Ticket* halt : {&halt_out_ticket_, &halt_in_ticket_}) {
    if (completion.ticket != *halt) continue;
    *halt = Ticket::kNone;
    if (completion.status == TransferStatus::kDeviceLost) return lose(error_of(completion.status, "clearing a halt"));
    if (completion.status != TransferStatus::kOk) recovery_.failed = true;
    return;
  }
  for (auto* ring : {&in_, &out_}) {
    for (std::size_t i = 0; i < ring->size(); ++i) {
      if (ring->at(i).ticket != completion.ticket) continue;
      const Flight flight = ring->remove(i);
      if (flight.kind == FlightKind::kPayload) --slots_[flight.slot].transfers;
      if (ring == &in_) {
        on_in(flight, completion);
      } else {
        on_out(flight, completion);
      }
      if (flight.kind == FlightKind::kPayload && slots_[flight.slot].ending && slots_[flight.slot].transfers == 0) {
        std::optional<Error> error = std::move(slots_[flight.slot].error);
        slots_[flight.slot].error.reset();
        end_operation(flight.slot, std::move(error));
      }
      return;
    }
  }
}

// ---- loss and the end ----

std::size_t Core::unfinished_jobs() const noexcept {
  std::size_t count = 0;
  for (std::uint16_t i = 0; i < slots_.size(); ++i) count += slots_[i].busy && slots_[i].is_job() && !slots_[i].terminal;
  return count;
}

void Core::lose(Error cause) {
  if (state_ == State::kLost || state_ == State::kClosed || pending_loss_) return;
  sending_ = receiving_ = false;
  pending_loss_ = std::move(cause);
  if (!polling_) finish_loss();
}

void Core::finish_loss() {
  Error cause = std::move(*pending_loss_);
  pending_loss_.reset();
  const bool opening = state_ == State::kIdentifying || state_ == State::kNegotiating;
  if (opening) {
    gone_error_ = cause;
  } else {
    const std::size_t jobs = unfinished_jobs();
    const ErrorId id = cause.id() == ErrorId::kStaleEpoch ? ErrorId::kStaleEpoch : ErrorId::kDeviceLost;
    std::string text = id == ErrorId::kStaleEpoch ? fmt::format("{} was reset by somebody else", device_name()) : fmt::format("{} went away: {}", device_name(), cause.message());
    if (jobs > 0) text += fmt::format("; {} job{} not finished, none was reported as done", jobs, jobs == 1 ? " was" : "s were");
    Error error = Error(id, std::move(text)).with_value("unfinished_jobs", fmt::format("{}", jobs));
    for (const std::string& line : cause.context()) error.while_doing(line);
    log(LogLevel::kWarning, "driver", "{}", error.message());
    gone_error_ = std::move(error);
  }
  if (auto moved = move_to(State::kLost); !moved) state_ = State::kLost;
  end_everything(*gone_error_);
}

/// Destroys the transport, which then holds no buffer any more, and gives everything unfinished its end.
void Core::end_everything(const Error& error) {
  last_now_ = now();
  transport_.reset();
  out_.clear();
  in_.clear();
  follows_.clear();
  waiting_.clear();
  urgent_.clear();
  orphans_.clear();
  payloads_.clear();
  checksums_.clear();
  unsummed_ = 0;
  checksums_due_.clear();
  due_ = unanswered_bytes_ = {};
  company_ = 0;
  staged_bytes_ = 0;
  next_timer_ = kForever;
  control_ = {};
  for (Timeline& timeline : timelines_) timeline.unfinished.clear();
  for (std::uint16_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.busy) continue;
    slot.transfers = 0;
    slot.due = 0;
    slot.streams = false;
    slot.answered = true;
    slot.parent = slot.first_child = kNoSlot;
    slot.children = 0;
    slot.target = nullptr;
    slot.source = nullptr;
    if (!slot.terminal) {
      slot.terminal = true;
      if (!slot.error) slot.error = error;
      if (slot.is_job()) ++counters_.jobs_failed;
    }
    free_if_over(i);
  }
  unanswered_ = abandoned_jobs_ = 0;
}

void Core::close() noexcept {
  if (state_ == State::kClosed && !transport_) return;
  try {
    if (state_ == State::kReady && !options_.control_only && transport_ && pipe_mode_ == abi::PipeMode::kMessages) {
      if (const std::uint16_t index = acquire(abi::MessageType::kCloseContext, true); index != kNoSlot) {
        // A ticket of our own, so that the slot does not vanish under the wait.
        slots_[index].detached = false;
        slots_[index].handle = context_;
        enqueue(index);
        pump_out();
        run_until([&] { return slots_[index].terminal; }, clock_->after(options_.timeouts.close));
        slots_[index].detached = true;
      }
    }
    if (state_ != State::kClosed) {
      if (!gone_error_) gone_error_ = Error(ErrorId::kDeviceStateInvalid, fmt::format("{} was closed", device_name()));
      if (auto moved = move_to(State::kClosed); !moved) state_ = State::kClosed;
    }
    end_everything(*gone_error_);
  } catch (...) {
    state_ = State::kClosed;
    transport_.reset();
  }
}

}  // namespace naru::driver
