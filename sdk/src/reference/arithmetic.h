// The judge's arithmetic, written from the formulas of docs/spec/numerics.md and from nothing else of ours: it does not use sdk/src/numerics,
// nor any table of codes, so that an error there cannot hide here. Clarity before speed.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace naru::sdk::reference {

/// A real factor as a Q31 integer and a power of two (numerics 2). Negative factors (LEAKY_RELU's) have a negative multiplier.
struct Rescale {
  std::int32_t multiplier = 0;
  int shift = 0;
};
[[nodiscard]] Rescale rescale_by(double factor);

/// Numerics 1: SRDHM, RDivByPOT (in the form of numerics 26), and MBQM with double rounding.
[[nodiscard]] std::int32_t doubling_high_multiply(std::int32_t a, std::int32_t b);
[[nodiscard]] std::int32_t rounding_divide_by_power_of_two(std::int32_t value, int exponent);
[[nodiscard]] std::int32_t apply(std::int32_t value, const Rescale& rescale);

/// The form for 64-bit accumulators of 16-bit operators (numerics 5): a multiplier of 16 bits, one rounding, half up.
[[nodiscard]] std::int32_t apply_wide(std::int64_t value, const Rescale& rescale);

/// What does not fit saturates.
[[nodiscard]] std::int32_t saturated(std::int64_t value);

/// Numerics 4.
struct Bounds {
  std::int32_t low = 0;
  std::int32_t high = 0;
  [[nodiscard]] std::int32_t clamp(std::int64_t value) const { return static_cast<std::int32_t>(value < low ? low : value > high ? high : value); }
};
[[nodiscard]] Bounds codes_of(abi::ElementType type);
[[nodiscard]] Bounds bounds_of(graph::Activation activation, const graph::Tensor& output);
/// The codes of the real range [low, high], within the type's.
[[nodiscard]] Bounds bounds_between(float low, float high, const graph::Tensor& output);

/// Where the first window of a SAME-padded operator begins: so many taps before the image (numerics 7); 0 for VALID.
[[nodiscard]] std::int64_t taps_before(graph::Padding padding, std::int64_t input, std::int64_t filter, std::int64_t stride, std::int64_t dilation, std::int64_t output);

/// Numerics 11's fixed point. e^x for x <= 0 in Q5.26, result in Q0.31; and 1 / (1 + x) for x in [0, 1) in Q0.31.
[[nodiscard]] std::int32_t exp_of_negative(std::int32_t x);
[[nodiscard]] std::int32_t one_over_one_plus(std::int32_t x);

}  // namespace naru::sdk::reference
