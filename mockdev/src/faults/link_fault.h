// The planted link fault: flips one bit of what is on the cable, after checksums were made and before they are looked at.
#pragma once

#include "core/state.h"

namespace naru::mockdev {

/// Whether a transfer of so many bytes is hit.
[[nodiscard]] inline bool corrupts(const State& state, std::size_t bytes) noexcept {
  constexpr std::size_t kBytesMin = 512;  // small transfers, and with them all headers, stay whole
  return state.faults.link_corruption && bytes >= kBytesMin;
}

/// Flips the bit, if the fault is planted and `bytes` are enough.
inline void corrupt(State& state, std::span<std::byte> bytes) noexcept {
  if (!corrupts(state, bytes.size())) return;
  const std::uint64_t bit = state.fault_random.below(bytes.size() * 8);
  bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
}

}  // namespace naru::mockdev
