// The device's integer arithmetic, one value at a time: wrapping sums, typed loads and stores, and requantisation by reference/numerics 1, 5 and 26.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "naru/abi/types.h"

namespace naru::mockdev {

static_assert(std::endian::native == std::endian::little, "device memory is little-endian and the kernels read it in place");

template <typename T>
[[nodiscard]] inline T load(const std::byte* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}
template <typename T>
inline void store(std::byte* at, T value) noexcept {
  std::memcpy(at, &value, sizeof(T));
}

// Two's complement results modulo 2^32, as the device's 32-bit accumulators have them.
[[nodiscard]] constexpr std::int32_t wrap_add(std::int32_t a, std::int32_t b) noexcept {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
[[nodiscard]] constexpr std::int32_t wrap_sub(std::int32_t a, std::int32_t b) noexcept {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b));
}
[[nodiscard]] constexpr std::int32_t wrap_mul(std::int32_t a, std::int32_t b) noexcept {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
}
[[nodiscard]] constexpr std::int32_t wrap_shift_left(std::int32_t value, std::int32_t count) noexcept {
  return count >= 32 ? 0 : static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << count);
}

/// A shift of a requantisation in its two parts, clamped to what the instruction set defines.
struct Shift {
  std::int32_t left = 0, right = 0;
};
[[nodiscard]] constexpr Shift split_shift(std::int32_t shift) noexcept {
  shift = std::clamp(shift, -31, 30);
  return {std::max(shift, 0), std::max(-shift, 0)};
}

/// SRDHM: (a * b + 2^30) >> 31, saturated for a = b = INT32_MIN.
[[nodiscard]] constexpr std::int32_t doubling_high_multiply(std::int32_t a, std::int32_t b) noexcept {
  constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();
  if (a == kMin && b == kMin) return std::numeric_limits<std::int32_t>::max();
  return static_cast<std::int32_t>((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
}

/// RDivByPOT: half away from zero. 0 <= exponent <= 31.
[[nodiscard]] constexpr std::int32_t rounding_divide(std::int32_t value, std::int32_t exponent) noexcept {
  const auto mask = static_cast<std::int32_t>((std::uint32_t{1} << exponent) - 1);
  const std::int32_t remainder = value & mask;
  const std::int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
  return (value >> exponent) + (remainder > threshold ? 1 : 0);
}

[[nodiscard]] constexpr std::int32_t requantize(std::int32_t value, std::int32_t multiplier, Shift shift) noexcept {
  return rounding_divide(doubling_high_multiply(wrap_shift_left(value, shift.left), multiplier), shift.right);
}

/// The rule for 64-bit accumulators (numerics 5): multiplier reduced to 16 bits, one rounding, half up. Wraps where TFLite's would overflow;
/// a shift is taken as clamped to [-31, 14].
[[nodiscard]] constexpr std::int32_t requantize_wide(std::int64_t value, std::int32_t multiplier, std::int32_t shift) noexcept {
  const std::int32_t reduced = multiplier >= 0x7FFF0000 ? 0x7FFF : (multiplier + (1 << 15)) >> 16;
  const std::int32_t right = 15 - std::clamp(shift, -31, 14);
  const auto product = static_cast<std::uint64_t>(value) * static_cast<std::uint64_t>(std::int64_t{reduced});
  return static_cast<std::int32_t>(static_cast<std::int64_t>(product + (std::uint64_t{1} << (right - 1))) >> right);
}

/// clamp(value + zero) to [lowest, highest], the sum not wrapping.
[[nodiscard]] constexpr std::int32_t add_zero_and_clamp(std::int32_t value, std::int32_t zero, std::int32_t lowest, std::int32_t highest) noexcept {
  const std::int64_t sum = std::int64_t{value} + zero;
  return static_cast<std::int32_t>(sum < lowest ? lowest : sum > highest ? highest : sum);
}

[[nodiscard]] inline std::int32_t load_element(const std::byte* at, abi::ElementType type) noexcept {
  switch (type) {
    case abi::ElementType::kI8: return load<std::int8_t>(at);
    case abi::ElementType::kU8: return load<std::uint8_t>(at);
    case abi::ElementType::kI16: return load<std::int16_t>(at);
    default: return load<std::int32_t>(at);
  }
}
/// Keeps the low bits of `value` that the type has.
inline void store_element(std::byte* at, abi::ElementType type, std::int32_t value) noexcept {
  switch (abi::element_bytes(type)) {
    case 1: store(at, static_cast<std::uint8_t>(value)); break;
    case 2: store(at, static_cast<std::uint16_t>(value)); break;
    default: store(at, value); break;
  }
}

}  // namespace naru::mockdev
