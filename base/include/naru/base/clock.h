// Time as an argument: core code takes a Clock and never reads one of its own.
#pragma once

#include <atomic>
#include <chrono>

namespace naru {

/// Nanoseconds since an origin of the clock's own choosing (device power-on for a virtual clock, boot for the steady one).
using TimePoint = std::chrono::nanoseconds;
using Duration = std::chrono::nanoseconds;
inline constexpr TimePoint kForever = TimePoint::max();

/// time + duration, saturating at kForever.
[[nodiscard]] constexpr TimePoint later(TimePoint time, Duration duration) noexcept { return duration >= kForever - time ? kForever : time + duration; }

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;
  /// True when time moves only by someone's decision: figures taken from it are modelled, not measured.
  [[nodiscard]] virtual bool is_virtual() const noexcept = 0;

  /// now() + duration, saturating at kForever.
  [[nodiscard]] TimePoint after(Duration duration) const noexcept { return later(now(), duration); }
};

/// The machine's monotonic clock.
class SteadyClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override {
    return std::chrono::duration_cast<TimePoint>(std::chrono::steady_clock::now().time_since_epoch());
  }
  [[nodiscard]] bool is_virtual() const noexcept override { return false; }
};

/// Moves only forward, only by advance_to(). Reading is safe from any thread; one owner advances.
class VirtualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint(now_.load(std::memory_order_relaxed)); }
  [[nodiscard]] bool is_virtual() const noexcept override { return true; }
  void advance_to(TimePoint time) noexcept {
    if (time.count() > now_.load(std::memory_order_relaxed)) now_.store(time.count(), std::memory_order_relaxed);
  }

 private:
  std::atomic<TimePoint::rep> now_{0};
};

}  // namespace naru
