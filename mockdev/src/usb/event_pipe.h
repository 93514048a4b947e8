// Interrupt IN: events, each a transfer of its own, after the link's delay. Old ones go when the host does not listen.
#pragma once

#include <deque>
#include <optional>

#include "core/state.h"
#include "naru/usb/function.h"

namespace naru::mockdev {

class EventPipe {
 public:
  explicit EventPipe(const State& state) noexcept : state_(state) {}

  void push(TimePoint now, abi::EventKind kind, std::uint64_t value) {
    constexpr std::size_t kEventsMax = 64;
    if (events_.size() == kEventsMax) events_.pop_front();
    events_.push_back({now + std::chrono::microseconds(state_.profile.link.round_trip_us) / 2, abi::encode(abi::Event{.kind = kind, .epoch = state_.epoch, .value = value})});
  }
  [[nodiscard]] TimePoint next_ready() const noexcept { return events_.empty() ? kForever : events_.front().available; }
  [[nodiscard]] std::optional<usb::InOffer> peek(TimePoint now) const noexcept {
    if (next_ready() > now) return std::nullopt;
    return usb::InOffer{std::span(events_.front().bytes).subspan(sent_), true};
  }
  void done(std::size_t bytes, bool completed) {
    if (events_.empty()) return;
    sent_ += std::min(bytes, events_.front().bytes.size() - sent_);
    if (!completed && sent_ < events_.front().bytes.size()) return;
    events_.pop_front();
    sent_ = 0;
  }
  void clear() noexcept {
    events_.clear();
    sent_ = 0;
  }

 private:
  struct Pending {
    TimePoint available{0};
    std::array<std::byte, abi::wire_size<abi::Event>()> bytes{};
  };
  const State& state_;
  std::deque<Pending> events_;
  std::size_t sent_ = 0;
};

}  // namespace naru::mockdev
