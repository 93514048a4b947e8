// Asynchronous transfers over libusb. What the numbers T1..T24 of the known traps ask for is marked where it is done.
#include "transport/libusb/transport.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "naru/base/log.h"
#include "naru/base/quiet_thread.h"

namespace naru::driver::libusb {
namespace {

// T21: usbfs' memory is one pool for the whole machine. A transfer that finds too little goes on in pieces of this size: small enough that an IN
// which waits for its device leaves room for the OUT that the device waits for.
constexpr std::size_t kPieceMin = 16 * 1024;
// One libusb transfer is never longer: half of usbfs' default pool.
constexpr std::size_t kPieceMax = 8 * 1024 * 1024;
constexpr Duration kMemoryBackOff = std::chrono::milliseconds(5);
// A transfer without a timeout gives up on memory after this.
constexpr Duration kMemoryPatienceMax = std::chrono::seconds(5);

TransferStatus to_transfer_status(const Slot& slot) noexcept {
  switch (slot.raw->status) {
    case LIBUSB_TRANSFER_COMPLETED: return TransferStatus::kOk;
    case LIBUSB_TRANSFER_TIMED_OUT: return TransferStatus::kTimeout;
    // T6: a timeout may surface as a cancellation that nobody asked for.
    case LIBUSB_TRANSFER_CANCELLED: return slot.cancel_requested ? TransferStatus::kCancelled : TransferStatus::kTimeout;
    case LIBUSB_TRANSFER_STALL: return TransferStatus::kStalled;
    case LIBUSB_TRANSFER_NO_DEVICE: return TransferStatus::kDeviceLost;
    case LIBUSB_TRANSFER_OVERFLOW: return TransferStatus::kOverflow;
    case LIBUSB_TRANSFER_ERROR: break;
  }
  return TransferStatus::kFailed;
}

bool is_bulk(TransferKind kind) noexcept { return kind == TransferKind::kBulkOut || kind == TransferKind::kBulkIn; }
bool is_blocking(TransferKind kind) noexcept { return kind == TransferKind::kClearHaltOut || kind == TransferKind::kClearHaltIn || kind == TransferKind::kReset; }

}  // namespace

// ---- life ----

Result<std::unique_ptr<Transport>> LibusbTransport::start(Opened opened) {
  std::unique_ptr<LibusbTransport> transport(new LibusbTransport(std::move(opened)));
  NARU_CHECK_OK(transport->prepare());
  return std::unique_ptr<Transport>(std::move(transport));
}

Result<void> LibusbTransport::prepare() {
  done_.resize(transport::Slots<Slot>::kSlotsMax);
  event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_.valid()) return fail(ErrorId::kHostOutOfMemory, fmt::format("No event descriptor for {}: {}", info().selector, std::strerror(errno)));
  if (!opened_.descriptor.valid() && libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG) != 0) {
    const int events = LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED | LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT;
    hotplug_registered_ = libusb_hotplug_register_callback(opened_.context.get(), events, 0, info().vendor_id, LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY,
                                                           &LibusbTransport::on_hotplug, this, &hotplug_) == LIBUSB_SUCCESS;
  }
  return {};
}

LibusbTransport::~LibusbTransport() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    changed_.notify_all();
  }
  if (blocking_thread_.joinable()) blocking_thread_.join();
  // T1, T4: every transfer's callback runs before anything that it uses goes.
  for (const auto& slot : slots_.all()) {
    if (slot->ticket != Ticket::kNone && slot->state == Slot::State::kFlying) libusb_cancel_transfer(slot->raw.get());
  }
  const TimePoint limit = clock_.after(kDrainMax);
  for (TimePoint now = clock_.now(); flying_ != 0 && now < limit && event_failures_ < kEventFailuresMax; now = clock_.now()) handle_events(limit - now);
  if (flying_ != 0) {
    // The bus holds on to transfers. With the descriptor closed and no event loop nobody writes their buffers any more; libusb's own
    // records of them cannot be freed and are left.
    log(LogLevel::kError, "usb", "{}: {} transfers did not end; their records are leaked", info().selector, flying_);
    for (const auto& slot : slots_.all())
      if (slot->ticket != Ticket::kNone && slot->state == Slot::State::kFlying) static_cast<void>(slot->raw.release());
  }
  // T8: deregistered only now that no event can run.
  if (hotplug_registered_) libusb_hotplug_deregister_callback(opened_.context.get(), hotplug_);
  if (opened_.handle && opened_.interface_number >= 0) libusb_release_interface(opened_.handle.get(), opened_.interface_number);
}

// ---- submit ----

Result<Slot*> LibusbTransport::take_slot() try {
  Slot* slot = slots_.take();
  if (slot == nullptr) return fail(ErrorId::kHostMemory, "Too many transfers are in flight");
  if (!slot->raw) {
    slot->raw.reset(libusb_alloc_transfer(0));
    slot->owner = this;
    if (!slot->raw) {
      slots_.give_back(*slot);
      return fail(ErrorId::kHostOutOfMemory, "No memory for a USB transfer");
    }
  }
  return slot;
} catch (const std::bad_alloc&) {
  return fail(ErrorId::kHostOutOfMemory, "No memory for a USB transfer");
}

Result<Ticket> LibusbTransport::submit(const Transfer& transfer) {
  NARU_CHECK_OK(transport::check(transfer, opened_.endpoints));
  if (transfer.kind != TransferKind::kControl && opened_.interface_number < 0)
    return fail(ErrorId::kInvalidArgument, "Transport was opened for control transfers only");
  if (lost_) return fail(transport::lost_error(info()));
  NARU_TRY(Slot* slot, take_slot());
  const Ticket ticket = slot->ticket;
  slot->transfer = transfer;
  slot->moved = slot->piece = 0;
  slot->cancel_requested = false;
  slot->piece_limit = kPieceMax;
  slot->deadline = transfer.timeout == Duration::zero() ? kForever : clock_.after(transfer.timeout);
  if (!is_bulk(transfer.kind)) flush();
  if (is_blocking(transfer.kind)) return submit_blocking(*slot);

  Lane& lane = lane_of(transfer.kind);
  if (!may_be_held(lane, transfer) || !adjoins(lane, transfer)) release(lane);
  if (lane.untold != 0) {
    fail_held(lane, *slot, LIBUSB_ERROR_OTHER);
    return ticket;
  }
  if (may_be_held(lane, transfer)) {
    hold(lane, *slot);
    return ticket;
  }
  int code = LIBUSB_SUCCESS;
  if (lane.queue.empty() && lane.in_pieces == nullptr && !reset_in_progress_) {
    code = launch(*slot);
    if (code == LIBUSB_SUCCESS) return ticket;
  }
  if (code == LIBUSB_SUCCESS || code == LIBUSB_ERROR_NO_MEM) {
    queue(lane, *slot);
    return ticket;
  }
  slots_.give_back(*slot);
  if (code == LIBUSB_ERROR_NO_DEVICE || is_dead()) {
    mark_lost();
    return fail(transport::lost_error(info()));
  }
  return fail(to_error(code, "submitting a transfer", info().selector));
}

void LibusbTransport::queue(Lane& lane, Slot& slot) noexcept {
  slot.state = Slot::State::kQueued;
  if (slot.deadline == kForever) slot.deadline = clock_.after(kMemoryPatienceMax);
  lane.queue.push_back(slot);
  ++queued_;
  retry_at_ = std::min(retry_at_, clock_.after(kMemoryBackOff));
}

// ---- runs ----

bool LibusbTransport::may_be_held(const Lane& lane, const Transfer& transfer) const noexcept {
  if (!transfer.may_join || !is_bulk(transfer.kind) || transfer.ends_with_short_packet || transfer.buffer.empty()) return false;
  const usb::EndpointDescription& endpoint = transfer.kind == TransferKind::kBulkOut ? opened_.endpoints.bulk_out : opened_.endpoints.bulk_in;
  return transfer.buffer.size() % endpoint.packet_bytes == 0 && lane.queue.empty() && lane.in_pieces == nullptr && !reset_in_progress_;
}

bool LibusbTransport::adjoins(const Lane& lane, const Transfer& transfer) noexcept {
  if (lane.held == nullptr) return false;
  const Transfer& last = lane.held_last->transfer;
  return last.buffer.data() + last.buffer.size() == transfer.buffer.data() && last.timeout == transfer.timeout && lane.held_count < kRunMax &&
         lane.held->run_bytes + transfer.buffer.size() <= (lane.held_count == 1 ? kPieceMax : kRunBytesMax);
}

/// Begins a run, or joins the one that is held, which it adjoins.
void LibusbTransport::hold(Lane& lane, Slot& slot) noexcept {
  slot.next = nullptr;
  if (lane.held == nullptr) {
    slot.state = Slot::State::kHeld;
    slot.run_bytes = slot.transfer.buffer.size();
    lane.held = lane.held_last = &slot;
    lane.held_count = 1;
    return;
  }
  slot.state = Slot::State::kJoined;
  slot.leader = lane.held;
  lane.held->run_bytes += slot.transfer.buffer.size();
  lane.held_last->next = &slot;
  lane.held_last = &slot;
  ++lane.held_count;
}

/// One that cannot be launched ends all behind it, and what is submitted in its lane before that was told: on a cable that goes on, the next one would take its bytes.
void LibusbTransport::release(Lane& lane) noexcept {
  Slot* const leader = std::exchange(lane.held, nullptr);
  if (leader == nullptr) return;
  int code = LIBUSB_ERROR_NO_MEM;
  if (leader->next != nullptr && !reset_in_progress_) code = launch(*leader);
  if (code == LIBUSB_SUCCESS) return;
  // Each by itself where there is memory for less.
  for (Slot* slot = leader; slot != nullptr;) {
    Slot* const next = std::exchange(slot->next, nullptr);
    if (code == LIBUSB_ERROR_NO_MEM && lane.queue.empty() && lane.in_pieces == nullptr && !reset_in_progress_) code = launch(*slot);
    if (code == LIBUSB_ERROR_NO_MEM) {
      queue(lane, *slot);
    } else if (code == LIBUSB_SUCCESS) {
      code = LIBUSB_ERROR_NO_MEM;  // for the next one to find out
    } else {
      fail_held(lane, *slot, code);
    }
    slot = next;
  }
}

void LibusbTransport::fail_held(Lane& lane, Slot& slot, int code) noexcept {
  if (code == LIBUSB_ERROR_NO_DEVICE || is_dead()) mark_lost();
  slot.state = Slot::State::kFlying;
  slot.piece = slot.transfer.buffer.size();
  slot.raw->status = lost_ ? LIBUSB_TRANSFER_NO_DEVICE : LIBUSB_TRANSFER_ERROR;
  slot.raw->actual_length = 0;
  slot.never_flew = true;
  ++lane.untold;
  const std::lock_guard lock(mutex_);
  push_done(slot);
  signal();
}

void LibusbTransport::flush() noexcept {
  if (telling_run_) return;
  for (Lane& lane : lanes_) release(lane);
}

Result<Ticket> LibusbTransport::submit_blocking(Slot& slot) try {
  if (!blocking_thread_.joinable()) {
    blocking_.reserve(transport::Slots<Slot>::kSlotsMax);
    blocking_thread_ = start_quiet_thread([this] { run_blocking(); });  // T15
  }
  slot.state = Slot::State::kBlocking;
  if (slot.transfer.kind == TransferKind::kReset) {
    reset_in_progress_ = true;
    for (const auto& other : slots_.all())
      if (other->ticket != Ticket::kNone && other->state != Slot::State::kBlocking) cancel(other->ticket);
  }
  const std::lock_guard lock(mutex_);
  blocking_.push_back(&slot);
  changed_.notify_all();
  return slot.ticket;
} catch (const std::exception& error) {
  slots_.give_back(slot);
  return fail(ErrorId::kHostOutOfMemory, fmt::format("No thread for a blocking request to {}: {}", info().selector, error.what()));
}

void LibusbTransport::fill(Slot& slot, std::size_t piece) noexcept {
  const Transfer& transfer = slot.transfer;
  libusb_transfer* raw = slot.raw.get();
  // Rounded up; a piece gets what is left of the whole transfer's time.
  unsigned timeout_ms = 0;
  if (transfer.timeout != Duration::zero()) {
    const Duration left = std::max<Duration>(slot.deadline - clock_.now(), Duration(1));
    timeout_ms = static_cast<unsigned>(std::min<std::int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0x7FFFFFFF));
  }
  raw->flags = 0;
  if (transfer.kind == TransferKind::kControl) {
    unsigned char* bytes = slot.control_bytes.data();
    libusb_fill_control_setup(bytes, transfer.setup.request_type, transfer.setup.request, transfer.setup.value, transfer.setup.index, transfer.setup.length);
    if (!transfer.setup.is_in() && !transfer.buffer.empty()) std::memcpy(bytes + LIBUSB_CONTROL_SETUP_SIZE, transfer.buffer.data(), transfer.buffer.size());
    libusb_fill_control_transfer(raw, opened_.handle.get(), bytes, &LibusbTransport::on_transfer, &slot, timeout_ms);
    return;
  }
  auto* bytes = reinterpret_cast<unsigned char*>(transfer.buffer.data() + slot.moved);
  libusb_fill_bulk_transfer(raw, opened_.handle.get(), opened_.endpoints.address_of(transfer.kind), bytes, static_cast<int>(piece), &LibusbTransport::on_transfer, &slot, timeout_ms);
  if (transfer.kind == TransferKind::kInterruptIn) raw->type = LIBUSB_TRANSFER_TYPE_INTERRUPT;
  // T18: the packet size differs with the cable, so libusb decides whether a zero-length packet is due.
  if (transfer.ends_with_short_packet && slot.moved + piece == transfer.buffer.size()) raw->flags = LIBUSB_TRANSFER_ADD_ZERO_PACKET;
}

int LibusbTransport::launch(Slot& slot) noexcept try {
  const Transfer& transfer = slot.transfer;
  if (transfer.kind == TransferKind::kControl && slot.control_bytes.size() < LIBUSB_CONTROL_SETUP_SIZE + transfer.buffer.size())
    slot.control_bytes.resize(std::max<std::size_t>(LIBUSB_CONTROL_SETUP_SIZE + transfer.buffer.size(), 256));
  const bool is_run = slot.next != nullptr;
  const std::size_t left = is_run ? slot.run_bytes : transfer.buffer.size() - slot.moved;
  slot.piece = is_bulk(transfer.kind) ? std::min(left, slot.piece_limit) : left;
  slot.state = Slot::State::kFlying;
  for (;;) {
    fill(slot, slot.piece);
    ++flying_;  // before the callback can count down
    const int code = libusb_submit_transfer(slot.raw.get());
    if (code == LIBUSB_SUCCESS) {
      lane_of(transfer.kind).in_pieces = slot.piece < left ? &slot : nullptr;
      return code;
    }
    {
      const std::lock_guard lock(mutex_);
      --flying_;
    }
    if (code != LIBUSB_ERROR_NO_MEM || !is_bulk(transfer.kind) || slot.piece <= kPieceMin || is_run) {
      slot.state = Slot::State::kQueued;
      return code;
    }
    slot.piece = slot.piece_limit = std::max(kPieceMin, slot.piece / 2 / kPieceMin * kPieceMin);
  }
} catch (const std::bad_alloc&) {
  slot.state = Slot::State::kQueued;
  return LIBUSB_ERROR_NO_MEM;
}

void LibusbTransport::cancel(Ticket ticket) {
  Slot* slot = slots_.find(ticket);
  if (slot == nullptr || slot->state == Slot::State::kBlocking) return;
  slot->cancel_requested = true;
  if (slot->state == Slot::State::kHeld || (slot->state == Slot::State::kJoined && slot->leader->state == Slot::State::kHeld)) release(lane_of(slot->transfer.kind));
  if (slot->state == Slot::State::kJoined) slot = slot->leader;
  // T5, T7: nothing resubmits, and the completion that comes is believed, whatever it says.
  if (slot->state == Slot::State::kFlying) {
    libusb_cancel_transfer(slot->raw.get());
    return;
  }
  retry_at_ = TimePoint::min();
}

// ---- completions ----

std::size_t LibusbTransport::poll(std::span<TransferCompletion> completions) {
  flush();
  // A look costs system calls, and on a served node a turn of its server: what wait() has just found is taken without.
  bool look = !std::exchange(looked_, false);
  if (look) {
    const std::lock_guard lock(mutex_);
    look = done_count_ == 0;
  }
  if (look) handle_events(Duration::zero());
  return take(completions);
}

std::size_t LibusbTransport::take(std::span<TransferCompletion> completions) {
  flush();
  if (lost_ && !lost_cancelled_) drain_lost();
  std::size_t count = 0;
  while (count < completions.size()) {
    Slot* slot = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (done_count_ != 0) {
        slot = done_[done_first_];
        done_first_ = (done_first_ + 1) % done_.size();
        --done_count_;
      }
    }
    if (slot == nullptr) break;
    if (finish_piece(*slot, completions[count])) ++count;
  }
  if (queued_ != 0) run_queues();
  while (count < completions.size() && !ended_.empty()) {
    Slot& slot = ended_.pop_front();
    completions[count++] = complete(slot, slot.end_status, slot.moved);
  }
  const std::lock_guard lock(mutex_);
  if (!ended_.empty() || done_count_ != 0) {
    signal();
  } else if (!woken_) {
    unsignal();
  }
  return count;
}

/// False: the transfer goes on with its next piece.
bool LibusbTransport::finish_piece(Slot& slot, TransferCompletion& completion) noexcept {
  if (slot.state == Slot::State::kBlocking) {
    const int code = slot.blocking_code;
    if (code == LIBUSB_ERROR_NO_DEVICE || (code == LIBUSB_ERROR_IO && is_dead())) mark_lost();
    if (slot.transfer.kind == TransferKind::kReset) reset_in_progress_ = false;
    const TransferStatus status = lost_ ? TransferStatus::kDeviceLost : code == LIBUSB_SUCCESS ? TransferStatus::kOk : code == LIBUSB_ERROR_NOT_FOUND ? TransferStatus::kStalled : TransferStatus::kFailed;
    completion = complete(slot, status, 0);
    return true;
  }
  Lane& lane = lane_of(slot.transfer.kind);
  if (lane.in_pieces == &slot) lane.in_pieces = nullptr;
  if (std::exchange(slot.never_flew, false)) --lane.untold;
  TransferStatus status = to_transfer_status(slot);
  const auto actual = static_cast<std::size_t>(std::max(slot.raw->actual_length, 0));
  if (status == TransferStatus::kFailed && is_dead()) status = TransferStatus::kDeviceLost;
  if (status == TransferStatus::kDeviceLost) mark_lost();
  if (status != TransferStatus::kOk && lost_) status = TransferStatus::kDeviceLost;
  // T17: after an overflow the length is undefined.
  slot.moved = status == TransferStatus::kOverflow ? 0 : slot.moved + std::min(actual, slot.piece);

  if (status == TransferStatus::kOk && actual == slot.piece && slot.moved < slot.transfer.buffer.size()) {
    int code = LIBUSB_SUCCESS;
    if (slot.cancel_requested) {
      status = TransferStatus::kCancelled;
    } else if (out_of_time(slot)) {
      status = TransferStatus::kTimeout;
    } else {
      code = launch(slot);
      if (code == LIBUSB_SUCCESS) return false;
      if (code == LIBUSB_ERROR_NO_MEM) {
        if (slot.deadline == kForever) slot.deadline = clock_.after(kMemoryPatienceMax);
        lane.queue.push_front(slot);
        ++queued_;
        retry_at_ = std::min(retry_at_, clock_.after(kMemoryBackOff));
        return false;
      }
      if (code == LIBUSB_ERROR_NO_DEVICE || is_dead()) mark_lost();
      status = lost_ ? TransferStatus::kDeviceLost : TransferStatus::kFailed;
    }
  }
  if (slot.transfer.kind == TransferKind::kControl && slot.transfer.setup.is_in() && slot.moved != 0)
    std::memcpy(slot.transfer.buffer.data(), slot.control_bytes.data() + LIBUSB_CONTROL_SETUP_SIZE, slot.moved);
  completion = complete(slot, status, slot.moved);
  return true;
}

TransferCompletion LibusbTransport::complete(Slot& slot, TransferStatus status, std::size_t bytes) noexcept {
  const TransferCompletion completion{.ticket = slot.ticket, .status = status, .bytes = bytes};
  slots_.give_back(slot);
  return completion;
}

/// Launches what waited for memory, for the pieces before it, or for a reset, and ends what waited too long.
void LibusbTransport::run_queues() noexcept {
  retry_at_ = kForever;
  for (Lane& lane : lanes_) {
    while (!lane.queue.empty()) {
      Slot& slot = lane.queue.front();
      TransferStatus status = TransferStatus::kOk;
      if (lost_) {
        status = TransferStatus::kDeviceLost;
      } else if (slot.cancel_requested) {
        status = TransferStatus::kCancelled;
      } else if (reset_in_progress_ || lane.in_pieces != nullptr) {
        if (!out_of_time(slot)) break;
        status = TransferStatus::kTimeout;
      } else {
        const int code = launch(slot);
        if (code == LIBUSB_SUCCESS) {
          lane.queue.pop_front();
          --queued_;
          continue;
        }
        if (code == LIBUSB_ERROR_NO_MEM && !out_of_time(slot)) {
          retry_at_ = clock_.after(kMemoryBackOff);
          break;
        }
        if (code == LIBUSB_ERROR_NO_DEVICE || (code != LIBUSB_ERROR_NO_MEM && is_dead())) mark_lost();
        status = lost_ ? TransferStatus::kDeviceLost : code == LIBUSB_ERROR_NO_MEM ? TransferStatus::kHostMemory : TransferStatus::kFailed;
      }
      slot.end_status = status;
      ended_.push_back(lane.queue.pop_front());
      --queued_;
    }
  }
}

/// What is in flight on a device that is gone normally ends by itself; asking makes sure.
void LibusbTransport::drain_lost() {
  lost_cancelled_ = true;
  for (const auto& slot : slots_.all())
    if (slot->ticket != Ticket::kNone && slot->state == Slot::State::kFlying) libusb_cancel_transfer(slot->raw.get());
}

/// After an I/O error: a node whose server died says so through poll() only.
bool LibusbTransport::is_dead() const noexcept {
  if (lost_) return true;
  if (!opened_.descriptor.valid()) return false;
  pollfd descriptor{.fd = opened_.descriptor.get(), .events = POLLOUT, .revents = 0};
  return ::poll(&descriptor, 1, 0) > 0 && (descriptor.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

}  // namespace naru::driver::libusb
