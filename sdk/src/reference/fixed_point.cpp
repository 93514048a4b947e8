// The functions, one rounding at a time: their errors are part of what a model gives.
#include "reference/fixed_point.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace naru::sdk::reference {
namespace {

constexpr std::int32_t kOne = std::numeric_limits<std::int32_t>::max();  // 1 in Q0.31, as near as it goes

/// Addition and subtraction wrap, as the processor's do.
std::int32_t plus(std::int32_t a, std::int32_t b) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b)); }
std::int32_t minus(std::int32_t a, std::int32_t b) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b)); }
std::int32_t times(std::int32_t a, std::int32_t b) { return doubling_high_multiply(a, b); }
int leading_zeros(std::int32_t x) { return std::countl_zero(static_cast<std::uint32_t>(x)); }

std::int32_t half_sum(std::int32_t a, std::int32_t b) {
  const std::int64_t sum = std::int64_t{a} + b;
  return static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
}

/// e^x for x in [-1/4, 0): a Taylor series of fourth order around -1/8.
std::int32_t exp_near_minus_one_eighth(std::int32_t x) {
  constexpr std::int32_t kExpOfMinusOneEighth = 1895147668;
  constexpr std::int32_t kOneThird = 715827883;
  const std::int32_t y = plus(x, 1 << 28);
  const std::int32_t y2 = times(y, y);
  const std::int32_t y3 = times(y2, y);
  const std::int32_t y4_over_4 = times_power_of_two(times(y2, y2), -2);
  const std::int32_t higher = times_power_of_two(plus(times(plus(y4_over_4, y3), kOneThird), y2), -1);
  return plus(kExpOfMinusOneEighth, times(kExpOfMinusOneEighth, plus(y, higher)));
}

/// Newton's iteration for 1 / d, d = (1 + x) / 2, in Q2.29; x in [0, 1).
std::int32_t inverse_of_half_one_plus(std::int32_t x) {
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  const std::int32_t half_denominator = half_sum(x, kOne);
  std::int32_t estimate = plus(k48Over17, times(half_denominator, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = minus(1 << 29, times(half_denominator, estimate));
    estimate = plus(estimate, times_power_of_two(times(estimate, error), 2));
  }
  return estimate;
}

}  // namespace

std::int32_t times_power_of_two(std::int32_t value, int exponent) {
  if (exponent >= 32) return value == 0 ? 0 : value > 0 ? kOne : std::numeric_limits<std::int32_t>::min();
  if (exponent >= 0) return saturated(std::int64_t{value} * (std::int64_t{1} << exponent));
  return rounding_divide_by_power_of_two(value, -exponent);
}

std::int32_t exp_of_negative(std::int32_t x, int integer_bits) {
  if (x == 0) return kOne;
  const int fractional_bits = 31 - integer_bits;
  const std::int32_t quarter = std::int32_t{1} << (fractional_bits - 2);
  // x = -quarters / 4 - rest: the rest by the series, the quarters by one factor per bit, e^(-2^k) for k = -2 on.
  const std::int32_t rest = minus(x & (quarter - 1), quarter);
  std::int32_t result = exp_near_minus_one_eighth(times_power_of_two(rest, integer_bits));
  const std::int32_t quarters = minus(rest, x);
  constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  for (int bit = 0; bit < integer_bits + 2; ++bit)
    if ((quarters & (quarter << bit)) != 0) result = times(result, kFactors[bit]);
  return result;
}

std::int32_t exp_of_negative(std::int32_t x) { return exp_of_negative(x, 5); }

std::int32_t one_over_one_plus(std::int32_t x) { return times_power_of_two(inverse_of_half_one_plus(x), 1); }

std::int32_t logistic_of(std::int32_t x) {
  if (x == 0) return 1 << 30;
  const std::int32_t of_magnitude = one_over_one_plus(exp_of_negative(x > 0 ? -x : x, 4));
  return x > 0 ? of_magnitude : minus(kOne, of_magnitude);
}

std::int32_t tanh_of(std::int32_t x) {
  if (x == 0) return 0;
  // tanh(-|x|) = -(1 - e) / (1 + e) with e = e^(-2|x|): the same bits with one integer bit more are twice the number.
  const std::int32_t e = exp_of_negative(x > 0 ? -x : x, 5);
  const std::int32_t magnitude = times_power_of_two(minus(inverse_of_half_one_plus(e), 1 << 29), 2);
  return x > 0 ? magnitude : -magnitude;
}

std::int32_t log_of_at_least_one(std::int32_t x) {
  constexpr int kInputIntegerBits = 12;
  constexpr int kSumIntegerBits = 6;
  constexpr std::int32_t kLog2 = 1488522236;
  constexpr std::int32_t kFourthRootOfHalf = 1805811301;
  constexpr std::int32_t kRootOfHalf = 1518500250;
  constexpr std::int32_t kQuarter = 536870912 >> kSumIntegerBits;
  constexpr std::int32_t kAlphaN = 117049297;   // 11/240 * 2^(1/4)
  constexpr std::int32_t kAlphaD = 127690142;   // 1/20 * 2^(1/4)
  constexpr std::int32_t kAlphaI = 1057819769;  // 2 / 2^(1/4) - 2^(1/4)
  constexpr std::int32_t kAlphaF = 638450708;   // 1/4 * 2^(1/4)

  // Two ways to write x as r * 2^power with r near the fourth root of 1/2; the smaller r is the better.
  const int zeros_a = leading_zeros(x);
  const std::int32_t r_a = times_power_of_two(times(times_power_of_two(x, zeros_a - 1), kRootOfHalf), 1);
  const std::int32_t power_a = saturated(std::int64_t{times_power_of_two(kInputIntegerBits - zeros_a, 31 - kSumIntegerBits)} + kQuarter);
  const int headroom_b = leading_zeros(times(x, kRootOfHalf)) - 1;
  const std::int32_t r_b = times_power_of_two(x, headroom_b);
  const std::int32_t power_b = saturated(std::int64_t{times_power_of_two(kInputIntegerBits - headroom_b, 31 - kSumIntegerBits)} - kQuarter);
  const std::int32_t r = std::min(r_a, r_b);
  const std::int32_t power = std::max(power_a, power_b);

  // A rational approximation of log(r).
  const std::int32_t p = half_sum(r, kFourthRootOfHalf);
  const std::int32_t half_q = minus(r, kFourthRootOfHalf);
  const std::int32_t q = plus(half_q, half_q);
  const std::int32_t q2 = times(q, q);
  const std::int32_t numerator = plus(times(q, r), times(times(q, q2), kAlphaN));
  const std::int32_t denominator_minus_one = plus(times(p, plus(plus(kAlphaI, q), times(kAlphaD, q2))), times(kAlphaF, q));
  const std::int32_t inverse = one_over_one_plus(denominator_minus_one);
  const std::int32_t sum = plus(times(power, kLog2), times(times_power_of_two(numerator, -kSumIntegerBits), inverse));
  return times_power_of_two(sum, 1);
}

Reciprocal reciprocal_of(std::int32_t x, int integer_digits) {
  // x = (1 + y) * 2^k with y in [0, 1).
  const int zeros = leading_zeros(x);
  if (zeros > 31) return {kOne, 0};
  const auto y = static_cast<std::int32_t>((static_cast<std::uint32_t>(x) << zeros) - (std::uint32_t{1} << 31));
  return {one_over_one_plus(y), integer_digits - zeros};
}

Rescale inverse_square_root_of(std::int32_t x) {
  if (x <= 1) return {kOne, 0};
  int right = 11;
  while (x >= (1 << 29)) {
    x /= 4;
    ++right;
  }
  const int pairs = (leading_zeros(x) - 1) / 2 - 1;
  right -= pairs;
  x <<= 2 * pairs;
  // Newton's iteration in Q3.28 from the guess 1, five times: y = 3/2 y - x/2 y^3.
  const std::int32_t half = times_power_of_two(x >> 1, -1);
  constexpr std::int32_t kThreeHalves = (1 << 28) + (1 << 27);
  std::int32_t y = 1 << 28;
  for (int i = 0; i < 5; ++i) {
    const std::int32_t cube = times_power_of_two(times(times(y, y), y), 6);
    y = times_power_of_two(minus(times(kThreeHalves, y), times(half, cube)), 3);
  }
  constexpr std::int32_t kRootOfHalf = 1518500250;
  y = times(y, kRootOfHalf);
  if (right < 0) {
    y = static_cast<std::int32_t>(static_cast<std::uint32_t>(y) << -right);
    right = 0;
  }
  return {y, -right};
}

std::int32_t input_radius(int integer_bits, int shift) {
  const double radius = std::floor(((1 << integer_bits) - 1) * std::scalbn(1.0, 31 - integer_bits - shift));
  return static_cast<std::int32_t>(std::min(radius, static_cast<double>(kOne)));
}

}  // namespace naru::sdk::reference
