// Numbers at which code that reads files tends to be wrong.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "naru/base/random.h"

namespace naru::fuzzing {

/// Mostly small, as indices, sizes and strides are; else an extreme, or a neighbour of a power of two.
inline std::int64_t edge_integer(Random& random) {
  constexpr std::array<std::int64_t, 10> kExtremes{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max(),
                                                   std::int64_t{1} << 31, std::int64_t{1} << 32, std::numeric_limits<std::int64_t>::min(),
                                                   std::numeric_limits<std::int64_t>::max(), -2, 65'535, 65'536, 46'341};
  switch (random.below(6)) {
    case 0: return kExtremes[random.below(kExtremes.size())];
    case 1: return static_cast<std::int64_t>(std::uint64_t{1} << random.below(63)) + random.between(-1, 1);
    case 2: return random.between(-140, 260);
    default: return random.between(-1, 8);
  }
}

inline float edge_float(Random& random) {
  using Limits = std::numeric_limits<float>;
  constexpr std::array<float, 16> kValues{0.0F,  -0.0F, 1.0F,   -1.0F,   Limits::quiet_NaN(), Limits::infinity(), Limits::denorm_min(), Limits::min(), Limits::max(),
                                          1e-12F, 1e12F, 1 / 256.F, 1 / 128.F, 1 / 2048.F,          0.05F,              0.5F};
  return kValues[random.below(kValues.size())];
}

}  // namespace naru::fuzzing
