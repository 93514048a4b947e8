// Event loops of programs that have one of their own: a descriptor to wait for, and one call that does what is due.
#include "runtime/events.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "naru/base/log.h"
#include "runtime/session_state.h"

namespace naru {
namespace detail {

Result<std::unique_ptr<Events>> Events::open(int transport_descriptor) {
  auto events = std::make_unique<Events>();
  events->poller_.reset(::epoll_create1(EPOLL_CLOEXEC));
  events->ready_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  events->timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  bool complete = events->poller_.valid() && events->ready_.valid() && events->timer_.valid();
  for (const int source : {transport_descriptor, events->ready_.get(), events->timer_.get()}) {
    if (!complete) break;
    epoll_event event{.events = EPOLLIN, .data = {.fd = source}};
    complete = source < 0 || ::epoll_ctl(events->poller_.get(), EPOLL_CTL_ADD, source, &event) == 0;
  }
  if (!complete) return fail(ErrorId::kHostOutOfMemory, fmt::format("No event descriptor for the device: {}", std::strerror(errno)));
  return events;
}

void Events::set_ready(bool ready) noexcept {
  if (ready == is_ready_) return;
  is_ready_ = ready;
  eventfd_t ignored = 0;
  ready ? ::eventfd_write(ready_.get(), 1) : ::eventfd_read(ready_.get(), &ignored);
}

void Events::set_timer(Duration left) noexcept {
  if (left == kForever && !has_timer_) return;
  has_timer_ = left != kForever;
  itimerspec setting{};
  if (has_timer_) {
    const Duration wanted = std::max(left, Duration(1));  // 0 would turn it off
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wanted);
    setting.it_value = {.tv_sec = static_cast<time_t>(seconds.count()), .tv_nsec = static_cast<long>((wanted - seconds).count())};
  }
  ::timerfd_settime(timer_.get(), 0, &setting, nullptr);
}

}  // namespace detail

namespace sdk::runtime {
namespace {

using detail::InferenceState;
using detail::Phase;

/// While something is unfinished the descriptor is readable at least so often: transports have retries of their own that no descriptor tells of.
constexpr Duration kTick = std::chrono::milliseconds(100);

/// Whether drive() would move it without anything else happening first.
bool can_move(const InferenceState& inference) {
  switch (inference.phase) {
    case Phase::kEnded: return inference.callback != nullptr && !inference.result_taken;
    case Phase::kQueued: return !waits_for_place(inference) || inference.session->free_place() != nullptr || inference.cancel_requested;
    case Phase::kRunning:
      if (inference.job) return inference.job->done() || may_leave_place(inference);
      break;
    case Phase::kUploading:
    case Phase::kDownloading:
      if (!inference.operations.empty()) return inference.cancel_requested || std::ranges::all_of(inference.operations, &driver::Operation::done);
      break;
  }
  return inference.cancel_requested;
}

/// When it must be looked at for its deadline's sake; a job's deadline is the driver's.
TimePoint deadline_of(const InferenceState& inference) { return inference.job ? kForever : inference.deadline; }

struct Outlook {
  bool unfinished = false, movable = false, held_up = false;
  TimePoint deadline = kForever;
};

Outlook outlook_of(detail::DeviceHandle& device) {
  Outlook outlook;
  for (const auto& entry : device.sessions) {
    const auto session = entry.lock();
    if (!session) continue;
    for (const auto& inference : session->active) {
      outlook.movable = outlook.movable || can_move(*inference);
      if (inference->phase == Phase::kEnded) continue;
      outlook.unfinished = true;
      outlook.held_up = outlook.held_up || waits_for_room(*inference);
      outlook.deadline = std::min(outlook.deadline, deadline_of(*inference));
    }
  }
  return outlook;
}

}  // namespace

std::vector<std::shared_ptr<detail::SessionState>> sessions_of(detail::DeviceHandle& device) {
  std::vector<std::shared_ptr<detail::SessionState>> sessions;
  std::erase_if(device.sessions, [&](const std::weak_ptr<detail::SessionState>& entry) {
    auto session = entry.lock();
    if (session) sessions.push_back(std::move(session));
    return entry.expired();
  });
  return sessions;
}

void update_events(detail::DeviceHandle& device) noexcept {
  if (!device.events) return;
  const Outlook outlook = outlook_of(device);
  // Where the transport has no descriptor, nothing but polling finds out; on a virtual clock, nothing happens but by it.
  const bool only_polling = outlook.unfinished && (device.info.virtual_time || device.device->pollable_descriptor() < 0);
  device.events->set_ready(outlook.movable || only_polling);
  if (!outlook.unfinished || only_polling) return device.events->set_timer(kForever);
  const TimePoint due = std::min(outlook.deadline, device.device->next_deadline());
  const Duration until_due = due == kForever ? kForever : due - device.device->now();
  device.events->set_timer(std::min(until_due, outlook.held_up ? kBusyTick : kTick));
}

}  // namespace sdk::runtime

Result<int> Device::event_descriptor() {
  return sdk::runtime::guarded([&]() -> Result<int> {
    if (!handle_->events) {
      NARU_TRY(handle_->events, detail::Events::open(handle_->info.virtual_time ? -1 : handle_->device->pollable_descriptor()));
      sdk::runtime::update_events(*handle_);
    }
    return handle_->events->descriptor();
  });
}

void Device::poll() {
  const std::shared_ptr<detail::DeviceHandle> handle = handle_;  // a callback may let go of this object
  const Result<void> polled = sdk::runtime::guarded([&]() -> Result<void> {
    driver::Device& device = *handle->device;
    const sdk::runtime::Outlook outlook = sdk::runtime::outlook_of(*handle);
    // Waiting is what lets a virtual clock's time pass, and it does so at once; on any other clock this only looks.
    if (handle->info.virtual_time && outlook.unfinished && !outlook.movable) {
      device.wait(outlook.deadline);
    } else {
      device.wait(device.now());
    }
    for (const auto& session : sdk::runtime::sessions_of(*handle)) sdk::runtime::drive(*session);
    return {};
  });
  if (!polled) naru::log(LogLevel::kError, "sdk", "{}", polled.error().message());
  sdk::runtime::update_events(*handle);
}

}  // namespace naru
