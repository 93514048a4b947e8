// Interpolation in a table of gates (docs/spec/numerics.md 25) and between pixels (17), one value at a time, for the interpreter.
#pragma once

#include <algorithm>
#include <cstdint>

namespace naru::sdk::reference {

/// One output of the 16-bit sigmoid (or tanh) for the scaled input x. `entry(n)` reads entry n of the table, n from 0 to 255.
template <typename Entry>
[[nodiscard]] std::int64_t interpolated_curve(bool is_tanh, std::int64_t x, Entry&& entry) {
  const std::int64_t steps = is_tanh ? 256 : 512;
  const std::int64_t distance = x < 0 ? -x : x;
  const std::int64_t place = distance / steps;
  std::int64_t r = is_tanh ? std::int64_t{0xFFFF} * 256 : std::int64_t{0x7FFF} * 1024;
  if (place < 255) {
    const std::int64_t here = entry(place);
    r = here * steps + distance % steps * (entry(place + 1) - here);
  }
  std::int64_t y = 0;
  if (is_tanh) {
    y = (x >= 0 ? r - 8388608 + 128 : 8388608 - r + 127) >> 8;
  } else {
    y = (x >= 0 ? r + 512 : 33554432 - r + 511) >> 10;
  }
  return std::clamp<std::int64_t>(y, -32768, 32767);
}

/// Where an output position lies among `count` inputs; weights in 1/1024, as 64 bits that wrap.
struct Neighbours {
  std::uint64_t low = 0, high = 0;
  std::uint64_t low_weight = 0, high_weight = 0;
};
[[nodiscard]] constexpr Neighbours neighbours_of(std::uint64_t index, std::int32_t scale, std::int32_t offset, std::uint32_t count) noexcept {
  const std::int64_t position = static_cast<std::int64_t>(index) * scale + offset;
  const std::int64_t low = std::clamp<std::int64_t>(position / 1024, 0, std::int64_t{count} - 1);
  const std::int64_t high = std::clamp<std::int64_t>((position + 1023) / 1024, 0, std::int64_t{count} - 1);
  const std::uint64_t weight = static_cast<std::uint64_t>(position) - static_cast<std::uint64_t>(low) * 1024;
  return {static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high), 1024 - weight, weight};
}

/// A sum of 2^20 times codes back to a code: half away from zero, then towards zero.
[[nodiscard]] constexpr std::int64_t resized_code(std::int64_t sum) noexcept { return (sum + (sum > 0 ? 524288 : -524288)) / 1048576; }

}  // namespace naru::sdk::reference
