// The integer arithmetic of TFLite's reference kernels, written from its definitions (docs/spec/numerics.md 1, 5, 26), for the interpreter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

namespace naru::sdk::reference {

/// The low 32 bits, as two's complement: sums and products of 32 bits wrap.
[[nodiscard]] constexpr std::int32_t wrap32(std::int64_t value) noexcept { return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value))); }

/// SRDHM of a and b: trunc((ab + (ab >= 0 ? 2^30 : 1 - 2^30)) / 2^31), saturated.
[[nodiscard]] constexpr std::int32_t doubling_high_product(std::int32_t a, std::int32_t b) noexcept {
  constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();
  if (a == kLowest && b == kLowest) return std::numeric_limits<std::int32_t>::max();
  const std::int64_t product = std::int64_t{a} * b;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  return static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31));
}

/// value / 2^exponent, rounded half away from zero. exponent from 0 to 62.
[[nodiscard]] constexpr std::int32_t divide_by_power(std::int32_t value, int exponent) noexcept {
  if (exponent == 0) return value;
  const std::int64_t half = std::int64_t{1} << (exponent - 1);
  const std::int64_t magnitude = value < 0 ? -std::int64_t{value} : std::int64_t{value};
  const std::int64_t quotient = (magnitude + half) >> exponent;
  return static_cast<std::int32_t>(value < 0 ? -quotient : quotient);
}

/// value * 2^exponent in 32 bits, which wrap. exponent from 0 to 31.
[[nodiscard]] constexpr std::int32_t multiply_by_power(std::int32_t value, int exponent) noexcept { return wrap32(std::int64_t{value} << exponent); }

/// numerics 1. A shift outside -31 to 30 (weight records may hold any byte) counts as the nearest of them.
[[nodiscard]] constexpr std::int32_t requantize(std::int32_t value, std::int32_t multiplier, int shift) noexcept {
  const int bounded = std::clamp(shift, -31, 30);
  return divide_by_power(doubling_high_product(multiply_by_power(value, std::max(bounded, 0)), multiplier), std::max(-bounded, 0));
}

/// numerics 5, for 64-bit accumulators: multiplier reduced to 16 bits, one rounding, half up. Shifts outside -31 to 14 count as the nearest.
[[nodiscard]] constexpr std::int32_t requantize_wide(std::int64_t value, std::int32_t multiplier, int shift) noexcept {
  const std::int64_t reduced = multiplier >= 0x7FFF0000 ? 0x7FFF : (std::int64_t{multiplier} + 0x8000) >> 16;
  const int right = 15 - std::clamp(shift, -31, 14);
  const std::uint64_t rounded = static_cast<std::uint64_t>(value) * static_cast<std::uint64_t>(reduced) + (std::uint64_t{1} << (right - 1));
  return wrap32(static_cast<std::int64_t>(rounded) >> right);
}

}  // namespace naru::sdk::reference
