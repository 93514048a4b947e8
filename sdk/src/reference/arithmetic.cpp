// The formulas. Each function names the rule that it writes out.
#include "reference/arithmetic.h"

#include <cmath>
#include <limits>

namespace naru::sdk::reference {
namespace {

constexpr std::int64_t kTwoTo30 = std::int64_t{1} << 30;
constexpr std::int64_t kTwoTo31 = std::int64_t{1} << 31;
constexpr std::int32_t kOne = std::numeric_limits<std::int32_t>::max();  // 1 in Q0.31, as near as it goes

std::int32_t saturated(std::int64_t value) {
  if (value > std::numeric_limits<std::int32_t>::max()) return std::numeric_limits<std::int32_t>::max();
  if (value < std::numeric_limits<std::int32_t>::min()) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(value);
}

/// value * 2^exponent: saturating to the left, rounding half away from zero to the right.
std::int32_t times_power_of_two(std::int32_t value, int exponent) {
  if (exponent >= 0) return saturated(std::int64_t{value} * (std::int64_t{1} << exponent));
  return rounding_divide_by_power_of_two(value, -exponent);
}

/// e^x for x in [-1/4, 0) in Q0.31: a Taylor series of fourth order around -1/8.
std::int32_t exp_near_minus_one_eighth(std::int32_t x) {
  constexpr std::int32_t kExpOfMinusOneEighth = 1895147668;
  constexpr std::int32_t kOneThird = 715827883;
  const std::int32_t y = x + (1 << 28);
  const std::int32_t y2 = doubling_high_multiply(y, y);
  const std::int32_t y3 = doubling_high_multiply(y2, y);
  const std::int32_t y4 = doubling_high_multiply(y2, y2);
  const std::int32_t y4_over_4 = times_power_of_two(y4, -2);
  const std::int32_t higher = times_power_of_two(doubling_high_multiply(y4_over_4 + y3, kOneThird) + y2, -1);
  return kExpOfMinusOneEighth + doubling_high_multiply(kExpOfMinusOneEighth, y + higher);
}

}  // namespace

Rescale rescale_by(double factor) {
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
  if (exponent == 0) return value;
  const std::int64_t mask = (std::int64_t{1} << exponent) - 1;
  const std::int64_t remainder = value & mask;
  const std::int64_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
  return static_cast<std::int32_t>((std::int64_t{value} >> exponent) + (remainder > threshold ? 1 : 0));
}

std::int32_t apply(std::int32_t value, const Rescale& rescale) {
  const int left = rescale.shift > 0 ? rescale.shift : 0;
  const int right = rescale.shift > 0 ? 0 : -rescale.shift;
  // The shift to the left wraps in 32 bits (numerics 26).
  const auto shifted = static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(static_cast<std::uint32_t>(value)) << left));
  return rounding_divide_by_power_of_two(doubling_high_multiply(shifted, rescale.multiplier), right);
}

Bounds codes_of(abi::ElementType type) {
  if (type == abi::ElementType::kU8) return {0, 255};
  if (type == abi::ElementType::kI16) return {-32768, 32767};
  return {-128, 127};
}

Bounds bounds_of(graph::Activation activation, const graph::Tensor& output) {
  Bounds bounds = codes_of(output.type);
  const auto code = [&](float real) { return static_cast<double>(output.zero_point()) + static_cast<double>(std::round(real / output.scale())); };
  const auto raise = [&](double low) {
    if (low > bounds.high) bounds.low = bounds.high;
    else if (low > bounds.low) bounds.low = static_cast<std::int32_t>(low);
  };
  const auto lower = [&](double high) {
    if (high < bounds.low) bounds.high = bounds.low;
    else if (high < bounds.high) bounds.high = static_cast<std::int32_t>(high);
  };
  if (activation == graph::Activation::kRelu || activation == graph::Activation::kRelu6) raise(code(0.0F));
  if (activation == graph::Activation::kReluN1To1) raise(code(-1.0F));
  if (activation == graph::Activation::kRelu6) lower(code(6.0F));
  if (activation == graph::Activation::kReluN1To1) lower(code(1.0F));
  return bounds;
}

std::int64_t taps_before(graph::Padding padding, std::int64_t input, std::int64_t filter, std::int64_t stride, std::int64_t dilation, std::int64_t output) {
  if (padding == graph::Padding::kValid) return 0;
  const std::int64_t total = (output - 1) * stride + (filter - 1) * dilation + 1 - input;
  return total > 0 ? total / 2 : 0;
}

std::int32_t exp_of_negative(std::int32_t x) {
  if (x == 0) return kOne;
  constexpr std::int32_t kQuarter = 1 << 24;
  // x = -quarters / 4 - rest: the rest by the series, the quarters by one factor per bit, e^(-2^k) for k = -2 to 4.
  const std::int32_t rest = (x & (kQuarter - 1)) - kQuarter;
  std::int32_t result = exp_near_minus_one_eighth(times_power_of_two(rest, 5));
  const std::int32_t quarters = rest - x;
  constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int bit = 0; bit < 7; ++bit)
    if ((quarters & (kQuarter << bit)) != 0) result = doubling_high_multiply(result, kFactors[bit]);
  return result;
}

std::int32_t one_over_one_plus(std::int32_t x) {
  // Newton's iteration for 1 / d, d = (1 + x) / 2, in Q2.29.
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  const std::int64_t sum = std::int64_t{x} + kOne;
  const auto half_denominator = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
  std::int32_t estimate = k48Over17 + doubling_high_multiply(half_denominator, kMinus32Over17);
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = (1 << 29) - doubling_high_multiply(half_denominator, estimate);
    estimate += times_power_of_two(doubling_high_multiply(estimate, error), 2);
  }
  return times_power_of_two(estimate, 1);
}

}  // namespace naru::sdk::reference
