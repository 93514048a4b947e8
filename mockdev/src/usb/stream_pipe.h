// The bulk endpoints in loopback, sink and source mode: the same cable and the same device memory, without messages.
#pragma once

#include <deque>
#include <optional>

#include "core/state.h"
#include "core/memory.h"
#include "naru/abi/wire.h"
#include "naru/usb/function.h"
#include "timing/link.h"

namespace naru::mockdev {

/// Byte number `position` of what the source mode sends.
[[nodiscard]] constexpr std::byte source_byte(std::uint64_t position) noexcept { return static_cast<std::byte>(position ^ (position >> 8)); }

class StreamPipe {
 public:
  StreamPipe(State& state, Memory& memory) : state_(state), memory_(memory), out_lane_(state.profile.link), in_lane_(state.profile.link) {}

  /// kMessages gives the memory back; `index` is kPipeMode's wIndex. False: no DRAM for it, or no such mode; nothing changed then.
  [[nodiscard]] bool set_mode(abi::PipeMode mode, std::uint16_t index, TimePoint now);
  [[nodiscard]] abi::PipeMode mode() const noexcept { return mode_; }
  [[nodiscard]] std::uint32_t crc() const noexcept { return crc_; }

  [[nodiscard]] std::span<std::byte> out_begin(TimePoint now) noexcept;
  void out_end(TimePoint now, std::size_t bytes, bool ends_transfer);
  [[nodiscard]] std::optional<usb::InOffer> in_peek(TimePoint now) noexcept;
  void in_done(TimePoint now, std::size_t bytes, bool completed);
  /// When out_begin() or in_peek() next gives more than now; kForever: only when the host acts.
  [[nodiscard]] TimePoint next_event(TimePoint now) const noexcept;

 private:
  /// What one OUT transfer (or span of it) brought, kept for loopback.
  struct Segment {
    std::uint64_t offset = 0, bytes = 0, taken = 0;
    TimePoint available{0};
    bool ends_transfer = false;
  };

  /// `bytes` of the area went by at `offset`.
  void add_to_crc(std::uint64_t offset, std::size_t bytes) noexcept;
  [[nodiscard]] std::span<std::byte> area() const noexcept { return memory_.dram().subspan(area_offset_, area_bytes_); }

  State& state_;
  Memory& memory_;
  LinkLane out_lane_, in_lane_;
  abi::PipeMode mode_ = abi::PipeMode::kMessages;
  std::uint64_t area_offset_ = 0, area_bytes_ = 0;
  std::uint64_t head_ = 0;  // loopback: where the next OUT bytes land
  std::uint64_t held_ = 0;  // loopback: bytes of the area in use, gaps included
  std::uint64_t position_ = 0;  // sink, source
  bool checksums_ = false;
  std::uint32_t crc_ = 0;
  std::deque<Segment> segments_;
};

}  // namespace naru::mockdev
