// 32-bit fixed point: exponential by a polynomial and eight factors, reciprocals and roots by Newton's iteration, the logarithm by a rational function.
#include "numerics/fixed_point.h"

#include <algorithm>
#include <array>
#include <bit>
#include <limits>

namespace naru::sdk::numerics {
namespace {

constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();

std::int32_t wrapped_sum(std::int32_t a, std::int32_t b) noexcept { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b)); }
std::int32_t wrapped_difference(std::int32_t a, std::int32_t b) noexcept { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) - static_cast<std::uint32_t>(b)); }
std::int32_t half_sum(std::int32_t a, std::int32_t b) noexcept {
  const std::int64_t sum = std::int64_t{a} + b;
  return static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
}

/// e^a for a in -1/4 to 0, no integer bits: four terms around -1/8.
std::int32_t exp_of_small_negative(std::int32_t a) noexcept {
  constexpr std::int32_t kExpOfMinusEighth = 1895147668;
  constexpr std::int32_t kThird = 715827883;
  const std::int32_t x = wrapped_sum(a, 1 << 28);
  const std::int32_t x2 = rounding_high_mul(x, x);
  const std::int32_t x3 = rounding_high_mul(x2, x);
  const std::int32_t x4 = rounding_high_mul(x2, x2);
  const std::int32_t third = rounding_high_mul(wrapped_sum(divide_by_power(x4, 2), x3), kThird);
  const std::int32_t tail = divide_by_power(wrapped_sum(third, x2), 1);
  return wrapped_sum(kExpOfMinusEighth, rounding_high_mul(kExpOfMinusEighth, wrapped_sum(x, tail)));
}

}  // namespace

std::int32_t saturate(std::int64_t value) noexcept { return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, kMin, kMax)); }

std::int32_t rounding_high_mul(std::int32_t a, std::int32_t b) noexcept {
  if (a == kMin && b == kMin) return kMax;
  return static_cast<std::int32_t>((std::int64_t{a} * b + (std::int64_t{1} << 30)) >> 31);
}

std::int32_t divide_by_power(std::int32_t value, int exponent) noexcept {
  if (exponent <= 0) return value;
  if (exponent > 31) return 0;
  const auto mask = static_cast<std::int32_t>((std::int64_t{1} << exponent) - 1);
  return (value >> exponent) + ((value & mask) > (mask >> 1) + (value < 0 ? 1 : 0) ? 1 : 0);
}

std::int32_t saturating_left(std::int64_t value, int exponent) noexcept { return saturate(value * (std::int64_t{1} << exponent)); }

std::int32_t exp_of_negative(std::int32_t value, int integer_bits) noexcept {
  const int fraction_bits = 31 - integer_bits;
  const std::int32_t quarter = 1 << (fraction_bits - 2);
  // e^-(2^k) for k = -2 to 4, without integer bits.
  constexpr std::array<std::int32_t, 7> kFactors = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  if (value == 0) return kMax;
  const std::int32_t small = (value & (quarter - 1)) - quarter;
  std::int32_t result = exp_of_small_negative(saturating_left(small, integer_bits));
  const std::int32_t rest = wrapped_difference(small, value);
  for (std::size_t i = 0; i < static_cast<std::size_t>(integer_bits) + 2; ++i)
    if ((rest & (1 << (fraction_bits - 2 + static_cast<int>(i)))) != 0) result = rounding_high_mul(result, kFactors[i]);
  return result;
}

namespace {

/// 2/(1 + value), with two integer bits.
std::int32_t two_over_one_plus(std::int32_t value) noexcept {
  // Two integer bits: 48/17 - 32/17 * half the denominator, and three iterations.
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  constexpr std::int32_t kOne = 1 << 29;
  const std::int32_t half = half_sum(value, kMax);
  std::int32_t x = wrapped_sum(k48Over17, rounding_high_mul(half, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = wrapped_difference(kOne, rounding_high_mul(half, x));
    x = wrapped_sum(x, saturating_left(rounding_high_mul(x, error), 2));
  }
  return x;
}

}  // namespace

std::int32_t one_over_one_plus(std::int32_t value) noexcept { return saturating_left(two_over_one_plus(value), 1); }

std::int32_t logistic(std::int32_t value) noexcept {
  if (value == 0) return 1 << 30;
  const std::int32_t of_magnitude = one_over_one_plus(exp_of_negative(value > 0 ? -value : value, 4));
  return value > 0 ? of_magnitude : kMax - of_magnitude;
}

std::int32_t tanh(std::int32_t value) noexcept {
  if (value == 0) return 0;
  // (1 - e) / (1 + e) of e^(-2 value): the same bits with one integer bit more are twice the value.
  const std::int32_t magnitude = saturating_left(wrapped_difference(two_over_one_plus(exp_of_negative(value > 0 ? -value : value)), 1 << 29), 2);
  return value > 0 ? magnitude : -magnitude;
}

std::int32_t logarithm(std::int32_t value) noexcept {
  constexpr int kInputBits = 12;
  constexpr int kSumBits = 6;  // one more than the result
  constexpr std::int32_t kLogOf2 = 1488522236;
  constexpr std::int32_t kFourthRootOfHalf = 1805811301;
  constexpr std::int32_t kRootOfHalf = 1518500250;
  constexpr std::int32_t kAlphaN = 117049297;
  constexpr std::int32_t kAlphaD = 127690142;
  constexpr std::int32_t kAlphaI = 1057819769;
  constexpr std::int32_t kAlphaF = 638450708;
  const std::int32_t quarter = divide_by_power(1 << 29, kSumBits);

  // The value as r * 2^power with r near 1, in two ways; the better one.
  const int zeros_a = std::countl_zero(static_cast<std::uint32_t>(value));
  const std::int32_t shifted_a = saturating_left(value, std::clamp(zeros_a - 1, 0, 31));
  const std::int32_t r_a = saturating_left(rounding_high_mul(shifted_a, kRootOfHalf), 1);
  const std::int32_t power_a = saturate(std::int64_t{saturating_left(kInputBits - zeros_a, 31 - kSumBits)} + quarter);
  const int headroom_b = std::countl_zero(static_cast<std::uint32_t>(rounding_high_mul(value, kRootOfHalf))) - 1;
  const std::int32_t r_b = saturating_left(value, std::clamp(headroom_b, 0, 31));
  const std::int32_t power_b = saturate(std::int64_t{saturating_left(kInputBits - headroom_b, 31 - kSumBits)} - quarter);
  const std::int32_t r = std::min(r_a, r_b);
  const std::int32_t power = std::max(power_a, power_b);

  const std::int32_t p = half_sum(r, kFourthRootOfHalf);
  std::int32_t q = wrapped_difference(r, kFourthRootOfHalf);
  q = wrapped_sum(q, q);
  const std::int32_t square = rounding_high_mul(q, q);
  const std::int32_t numerator = wrapped_sum(rounding_high_mul(q, r), rounding_high_mul(rounding_high_mul(q, square), kAlphaN));
  const std::int32_t inner = wrapped_sum(wrapped_sum(kAlphaI, q), rounding_high_mul(kAlphaD, square));
  const std::int32_t denominator = wrapped_sum(rounding_high_mul(p, inner), rounding_high_mul(kAlphaF, q));
  const std::int32_t fraction = rounding_high_mul(divide_by_power(numerator, kSumBits), one_over_one_plus(denominator));
  return saturating_left(wrapped_sum(rounding_high_mul(power, kLogOf2), fraction), 1);
}

Reciprocal reciprocal(std::int32_t value, int integer_bits) noexcept {
  const int zeros = std::min(std::countl_zero(static_cast<std::uint32_t>(value)), 31);
  const std::uint32_t above_one = (static_cast<std::uint32_t>(value) << zeros) - (1U << 31);
  return {one_over_one_plus(static_cast<std::int32_t>(above_one)), integer_bits - zeros};
}

Multiplier inverse_square_root(std::int32_t value) noexcept {
  if (value <= 1) return {kMax, 0};
  int right = 11;
  while (value >= 1 << 29) {
    value /= 4;
    ++right;
  }
  const int pairs = (std::countl_zero(static_cast<std::uint32_t>(value)) - 1) / 2 - 1;
  right -= pairs;
  value <<= 2 * pairs;
  // Three integer bits; five iterations from 1.
  const std::int32_t half = divide_by_power(value >> 1, 1);
  constexpr std::int32_t kThreeHalves = (1 << 28) + (1 << 27);
  constexpr std::int32_t kRootOfHalf = 1518500250;
  std::int32_t x = 1 << 28;
  for (int i = 0; i < 5; ++i) {
    const std::int32_t cube = saturating_left(rounding_high_mul(rounding_high_mul(x, x), x), 6);
    x = saturating_left(wrapped_difference(rounding_high_mul(kThreeHalves, x), rounding_high_mul(half, cube)), 3);
  }
  x = rounding_high_mul(x, kRootOfHalf);
  if (right < 0) {
    x = static_cast<std::int32_t>(static_cast<std::uint32_t>(x) << -right);
    right = 0;
  }
  return {x, -right};
}

}  // namespace naru::sdk::numerics
