// The modelled cable: each direction carries one byte after the other at the link's rate, and everything arrives half a round trip later.
#pragma once

#include <algorithm>

#include "naru/base/bytes.h"
#include "naru/base/clock.h"
#include "naru/profile/profile.h"

namespace naru::mockdev {

/// What an endpoint buffers: the host may run so far ahead of the cable.
inline constexpr std::uint64_t kEndpointFifoBytes = 16 * 1024;

/// One direction.
class LinkLane {
 public:
  explicit LinkLane(const profile::Link& link) noexcept
      : megabytes_per_second_(link.megabytes_per_second), half_round_trip_(std::chrono::microseconds(link.round_trip_us) / 2), fifo_time_(transmission(kEndpointFifoBytes)) {}

  /// Queues `bytes` at `now`; returns when the last of them is at the other end.
  TimePoint send(TimePoint now, std::uint64_t bytes) noexcept {
    free_ = std::max(free_, now) + transmission(bytes);
    return free_ + half_round_trip_;
  }
  /// When what was queued has left the sender.
  [[nodiscard]] TimePoint free() const noexcept { return free_; }
  [[nodiscard]] Duration transmission(std::uint64_t bytes) const noexcept {
    return Duration(static_cast<Duration::rep>(ceil_div<std::uint64_t>(bytes * 1000, megabytes_per_second_)));  // MB/s are bytes per microsecond
  }
  /// From when on the sender's FIFO has room.
  [[nodiscard]] TimePoint room_from() const noexcept { return free_ - fifo_time_; }
  [[nodiscard]] Duration half_round_trip() const noexcept { return half_round_trip_; }
  /// Drops what was queued and not yet sent.
  void reset(TimePoint now) noexcept { free_ = std::min(free_, now); }

 private:
  std::uint64_t megabytes_per_second_;
  Duration half_round_trip_, fifo_time_;
  TimePoint free_{0};
};

}  // namespace naru::mockdev
