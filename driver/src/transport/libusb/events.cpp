// How the libusb transport hears: libusb's events on the caller's thread, what blocks inside libusb on a thread of its own, and the ways to wait for either.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "transport/libusb/transport.h"

namespace naru::driver::libusb {
namespace {

// libusb's event loop wants an end to its waiting; nothing depends on it.
constexpr Duration kEventWaitMax = std::chrono::seconds(60);

timespec to_timespec(Duration duration) noexcept {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {.tv_sec = static_cast<time_t>(seconds.count()), .tv_nsec = static_cast<long>((duration - seconds).count())};
}

}  // namespace

void LibusbTransport::handle_events(Duration limit) noexcept {
  limit = std::clamp<Duration>(limit, Duration::zero(), kEventWaitMax);
  if (event_failures_ >= kEventFailuresMax) {
    // A system that fails for ever must not make its user spin; what is in flight is given up by deadline, and the device is lost anyway.
    const timespec wait = to_timespec(limit);
    pollfd descriptor{.fd = event_.get(), .events = POLLIN, .revents = 0};
    ::ppoll(&descriptor, 1, &wait, nullptr);
    return;
  }
  const std::int64_t microseconds = std::chrono::ceil<std::chrono::microseconds>(limit).count();
  timeval wait{.tv_sec = static_cast<time_t>(microseconds / 1'000'000), .tv_usec = static_cast<suseconds_t>(microseconds % 1'000'000)};
  const int code = libusb_handle_events_timeout_completed(opened_.context.get(), &wait, nullptr);
  if (code == LIBUSB_SUCCESS || code == LIBUSB_ERROR_INTERRUPTED || code == LIBUSB_ERROR_TIMEOUT) {
    event_failures_ = 0;
    return;
  }
  // A server that dies between two ioctls fails the first of them with an I/O error; only the next round sees the hang-up and ends what
  // is in flight.
  ++event_failures_;
  mark_lost();
}

void LibusbTransport::on_transfer(libusb_transfer* raw) noexcept {
  Slot& slot = *static_cast<Slot*>(raw->user_data);
  LibusbTransport& self = *slot.owner;
  if (raw->status == LIBUSB_TRANSFER_NO_DEVICE) self.lost_ = true;
  slot.next != nullptr ? self.on_run(slot) : self.deliver(slot);
  const std::lock_guard lock(self.mutex_);
  --self.flying_;
  if (self.flying_ == 0 && !self.blocking_.empty()) self.changed_.notify_all();  // a reset may wait for that
}

void LibusbTransport::deliver(Slot& slot) noexcept {
  if (hand_over(slot)) return;
  const std::lock_guard lock(mutex_);
  push_done(slot);
}

/// Those before the end are whole (of an overflow, none is); the one that was reached, and those behind it, end as the run did. A run that ended short ends the rest as cancelled.
void LibusbTransport::on_run(Slot& leader) noexcept {
  const libusb_transfer_status status = leader.raw->status;
  // T17: after an overflow the length is undefined.
  auto left = status == LIBUSB_TRANSFER_OVERFLOW ? 0 : static_cast<std::size_t>(std::max(leader.raw->actual_length, 0));
  std::array<Slot*, kRunMax> run{};
  std::size_t count = 0;
  bool cancelled = false;
  for (Slot* slot = &leader; slot != nullptr; slot = std::exchange(slot->next, nullptr)) {
    run[count++] = slot;
    cancelled = cancelled || slot->cancel_requested;
  }
  // All of them before the first is told of: whoever hears of it may cancel the others.
  bool reached = false;
  for (std::size_t i = 0; i < count; ++i) {
    Slot& slot = *run[i];
    const std::size_t size = slot.transfer.buffer.size(), bytes = std::min(left, size);
    left -= bytes;
    slot.state = Slot::State::kFlying;
    slot.piece = size;
    slot.raw->actual_length = static_cast<int>(bytes);
    slot.raw->status = status;
    if (reached && status == LIBUSB_TRANSFER_COMPLETED) {
      slot.raw->status = LIBUSB_TRANSFER_CANCELLED;
      slot.cancel_requested = true;
    } else if (!reached && bytes == size && (i + 1 != count || status == LIBUSB_TRANSFER_COMPLETED)) {
      slot.raw->status = LIBUSB_TRANSFER_COMPLETED;
    } else {
      reached = true;
      slot.cancel_requested = slot.cancel_requested || cancelled;
    }
  }
  // What each of them makes room for may join what the next one does.
  telling_run_ = true;
  for (std::size_t i = 0; i < count; ++i) deliver(*run[i]);
  telling_run_ = false;
  if (sink_ != nullptr) flush();  // nobody else can have begun anything
}

/// Only what ended well and in one piece, and has nothing before it that poll() has yet to report.
bool LibusbTransport::hand_over(Slot& slot) noexcept {
  if (sink_ == nullptr || lost_ || queued_ != 0 || !ended_.empty()) return false;
  if (slot.raw->status != LIBUSB_TRANSFER_COMPLETED || slot.transfer.kind == TransferKind::kControl || slot.piece != slot.transfer.buffer.size()) return false;
  {
    const std::lock_guard lock(mutex_);
    if (done_count_ != 0) return false;
  }
  if (!sink_->on_found({.ticket = slot.ticket, .status = TransferStatus::kOk, .bytes = static_cast<std::size_t>(std::max(slot.raw->actual_length, 0))})) return false;
  slots_.give_back(slot);
  return true;
}

int LibusbTransport::on_hotplug(libusb_context*, libusb_device* device, libusb_hotplug_event event, void* transport) noexcept {
  auto& self = *static_cast<LibusbTransport*>(transport);
  libusb_device* own = libusb_get_device(self.opened_.handle.get());
  std::array<std::uint8_t, 7> ports{}, own_ports{};
  const bool left = event == LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT && device == own;
  // Another device where ours was: its leaving was not reported.
  const bool replaced = event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED && device != own && libusb_get_bus_number(device) == libusb_get_bus_number(own) &&
                        libusb_get_port_numbers(device, ports.data(), 7) > 0 && libusb_get_port_numbers(own, own_ports.data(), 7) > 0 && ports == own_ports;
  if (left || replaced) self.mark_lost();
  return 0;
}

/// Called with mutex_ held.
void LibusbTransport::push_done(Slot& slot) noexcept { done_[(done_first_ + done_count_++) % done_.size()] = &slot; }

/// Called with mutex_ held.
void LibusbTransport::signal() noexcept {
  if (signalled_) return;
  signalled_ = true;
  ::eventfd_write(event_.get(), 1);
}

/// Called with mutex_ held: nothing is left that wait() should return for.
void LibusbTransport::unsignal() noexcept {
  if (!signalled_ || done_count_ != 0) return;
  eventfd_t ignored = 0;
  ::eventfd_read(event_.get(), &ignored);
  signalled_ = false;
}

void LibusbTransport::mark_lost() noexcept {
  lost_ = true;
  const std::lock_guard lock(mutex_);
  signal();
}

/// T12: what blocks inside libusb has a thread that neither runs events nor is the caller's.
void LibusbTransport::run_blocking() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stop_ || !blocking_.empty(); });
    if (stop_) return;
    Slot& slot = *blocking_.front();
    const TransferKind kind = slot.transfer.kind;
    // The caller cancelled what was in flight; a reset under flying transfers would end them with any status.
    if (kind == TransferKind::kReset) changed_.wait_for(lock, kDrainMax, [this] { return stop_ || flying_ == 0; });
    if (stop_) return;
    lock.unlock();
    int code = 0;
    if (lost_) {
      code = LIBUSB_ERROR_NO_DEVICE;
    } else if (kind == TransferKind::kReset) {
      code = libusb_reset_device(opened_.handle.get());
      if (code == LIBUSB_ERROR_NOT_FOUND) code = LIBUSB_ERROR_NO_DEVICE;  // T22: it came back as another device
    } else {
      code = libusb_clear_halt(opened_.handle.get(), opened_.endpoints.address_of(kind));
    }
    lock.lock();
    blocking_.erase(blocking_.begin());
    slot.blocking_code = code;
    push_done(slot);
    signal();
    lock.unlock();
    libusb_interrupt_event_handler(opened_.context.get());  // T13
    lock.lock();
  }
}

void LibusbTransport::wait(TimePoint until) {
  flush();
  {
    const std::lock_guard lock(mutex_);
    if (woken_) {
      woken_ = false;
      unsignal();
      return;
    }
    if (done_count_ != 0) return;
  }
  if (!ended_.empty() || (lost_ && (!lost_cancelled_ || queued_ != 0))) return;
  if (queued_ != 0) until = std::min(until, retry_at_);
  const TimePoint now = clock_.now();
  if (until <= now) return;  // before anything is subtracted: it may be the beginning of time
  handle_events(until == kForever ? kEventWaitMax : until - now);
  looked_ = true;
  const std::lock_guard lock(mutex_);
  woken_ = false;
  unsignal();
}

void LibusbTransport::wait_with(TimePoint until, CompletionSink& sink) {
  sink_ = &sink;
  wait(until);
  sink_ = nullptr;
}

void LibusbTransport::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
    signal();
  }
  libusb_interrupt_event_handler(opened_.context.get());  // T13
}

/// Made when somebody asks: a set that watches the node makes each of its wake-ups dearer.
int LibusbTransport::pollable_descriptor() const noexcept {
  if (pollable_.valid()) return pollable_.get();
  UniqueFd both(::epoll_create1(EPOLL_CLOEXEC));
  const auto add = [&](int descriptor, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = descriptor}};
    return ::epoll_ctl(both.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
  };
  bool complete = both.valid() && add(event_.get(), EPOLLIN);
  const libusb_pollfd** descriptors = libusb_get_pollfds(opened_.context.get());
  for (std::size_t i = 0; descriptors != nullptr && descriptors[i] != nullptr; ++i) complete = complete && add(descriptors[i]->fd, static_cast<std::uint32_t>(descriptors[i]->events));
  complete = complete && descriptors != nullptr;
  libusb_free_pollfds(descriptors);
  if (complete) pollable_ = std::move(both);
  return pollable_.get();
}

}  // namespace naru::driver::libusb
