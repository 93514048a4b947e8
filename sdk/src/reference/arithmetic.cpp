// The formulas. Each function names the rule that it writes out.
#include "reference/arithmetic.h"

#include <cmath>
#include <limits>

namespace naru::sdk::reference {
namespace {

constexpr std::int64_t kTwoTo30 = std::int64_t{1} << 30;
constexpr std::int64_t kTwoTo31 = std::int64_t{1} << 31;

}  // namespace

std::int32_t saturated(std::int64_t value) {
  if (value > std::numeric_limits<std::int32_t>::max()) return std::numeric_limits<std::int32_t>::max();
  if (value < std::numeric_limits<std::int32_t>::min()) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(value);
}

Rescale rescale_by(double factor) {
  if (factor < 0.0) {
    const Rescale positive = rescale_by(-factor);
    return {-positive.multiplier, positive.shift};
  }
  if (!(factor > 0.0) || std::isinf(factor)) return {};
  // factor = fraction * 2^shift with fraction in [1/2, 1).
  int shift = std::ilogb(factor) + 1;
  const double fraction = std::scalbn(factor, -shift);
  double q = std::round(std::scalbn(fraction, 31));
  if (q == std::scalbn(1.0, 31)) {
    q /= 2.0;
    shift += 1;
  }
  if (shift < -31) return {};
  return {static_cast<std::int32_t>(q), shift};
}

std::int32_t doubling_high_multiply(std::int32_t a, std::int32_t b) {
  if (a == b && a == std::numeric_limits<std::int32_t>::min()) return std::numeric_limits<std::int32_t>::max();
  const std::int64_t product = std::int64_t{a} * b;
  const std::int64_t nudge = product >= 0 ? kTwoTo30 : 1 - kTwoTo30;
  return static_cast<std::int32_t>((product + nudge) / kTwoTo31);
}

std::int32_t rounding_divide_by_power_of_two(std::int32_t value, int exponent) {
  if (exponent <= 0) return value;
  if (exponent > 62) return 0;
  const std::int64_t mask = (std::int64_t{1} << exponent) - 1;
  const std::int64_t remainder = value & mask;
  const std::int64_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
  return static_cast<std::int32_t>((std::int64_t{value} >> exponent) + (remainder > threshold ? 1 : 0));
}

std::int32_t apply(std::int32_t value, const Rescale& rescale) {
  const int left = rescale.shift > 0 ? rescale.shift : 0;
  const int right = rescale.shift > 0 ? 0 : -rescale.shift;
  // The shift to the left wraps in 32 bits (numerics 26).
  const auto shifted = left > 31 ? 0 : static_cast<std::int32_t>(static_cast<std::uint32_t>(value) << left);
  return rounding_divide_by_power_of_two(doubling_high_multiply(shifted, rescale.multiplier), right);
}

std::int32_t apply_wide(std::int64_t value, const Rescale& rescale) {
  const std::int64_t multiplier = rescale.multiplier >= 0x7FFF0000 ? 0x7FFF : (std::int64_t{rescale.multiplier} + (1 << 15)) >> 16;
  const int shift = 15 - rescale.shift;
  if (shift < 1 || shift > 62) return 0;  // TFLite knows factors below 2^7 only
  // Unsigned, because sums beyond the 47 bits that TFLite assumes wrap.
  const auto sum = static_cast<std::uint64_t>(value) * static_cast<std::uint64_t>(multiplier) + (std::uint64_t{1} << (shift - 1));
  return static_cast<std::int32_t>(static_cast<std::int64_t>(sum) >> shift);
}

Bounds codes_of(abi::ElementType type) {
  switch (type) {
    case abi::ElementType::kU8: return {0, 255};
    case abi::ElementType::kI16: return {-32768, 32767};
    case abi::ElementType::kI32: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    default: return {-128, 127};
  }
}

Bounds bounds_between(float low, float high, const graph::Tensor& output) {
  const Bounds codes = codes_of(output.type);
  const auto code = [&](float real) { return static_cast<double>(output.zero_point()) + static_cast<double>(std::round(real / output.scale())); };
  const auto nearest = [&](double value) { return static_cast<std::int32_t>(std::fmin(std::fmax(value, codes.low), codes.high)); };
  return {nearest(code(low)), nearest(code(high))};
}

Bounds bounds_of(graph::Activation activation, const graph::Tensor& output) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  switch (activation) {
    case graph::Activation::kRelu: return bounds_between(0.0F, kInfinity, output);
    case graph::Activation::kReluN1To1: return bounds_between(-1.0F, 1.0F, output);
    case graph::Activation::kRelu6: return bounds_between(0.0F, 6.0F, output);
    case graph::Activation::kNone: break;
  }
  return codes_of(output.type);
}

std::int64_t taps_before(graph::Padding padding, std::int64_t input, std::int64_t filter, std::int64_t stride, std::int64_t dilation, std::int64_t output) {
  if (padding == graph::Padding::kValid) return 0;
  const std::int64_t total = (output - 1) * stride + (filter - 1) * dilation + 1 - input;
  return total > 0 ? total / 2 : 0;
}

}  // namespace naru::sdk::reference
