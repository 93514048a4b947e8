// gemmlowp's exp and reciprocal in Q formats, as TFLite's reference softmax uses them. A number in Qm.n is an int32 with m integer bits.

#include "reference/stream/softmax.h"

#include <bit>

#include "reference/stream/arithmetic.h"

namespace naru::sdk::reference {
namespace {

constexpr int kDifferenceFraction = 26;  // Q5.26
constexpr int kSumInteger = 12;          // Q12.19
constexpr std::int32_t kOne = std::numeric_limits<std::int32_t>::max();  // Q0.31's nearest to one

/// value * 2^exponent, saturated. exponent from 0 to 31.
std::int32_t saturating_power(std::int32_t value, int exponent) {
  const std::int64_t product = std::int64_t{value} << exponent;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(product, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

std::int32_t add(std::int32_t a, std::int32_t b) { return wrap32(std::int64_t{a} + b); }
std::int32_t subtract(std::int32_t a, std::int32_t b) { return wrap32(std::int64_t{a} - b); }

/// exp(a) in Q0.31 for a in [-1/4, 0) in Q0.31: a Taylor polynomial of degree 4 around -1/8.
std::int32_t exp_near_zero(std::int32_t a) {
  constexpr std::int32_t kExpMinusEighth = 1895147668;
  constexpr std::int32_t kThird = 715827883;
  const std::int32_t x = add(a, 1 << 28);
  const std::int32_t x2 = doubling_high_product(x, x);
  const std::int32_t x3 = doubling_high_product(x2, x);
  const std::int32_t x4 = doubling_high_product(x2, x2);
  const std::int32_t x4_quarter = divide_by_power(x4, 2);
  const std::int32_t higher = divide_by_power(add(doubling_high_product(add(x4_quarter, x3), kThird), x2), 1);
  return add(kExpMinusEighth, doubling_high_product(kExpMinusEighth, add(x, higher)));
}

/// exp(a) in Q0.31 for a <= 0 in Q5.26: the quarter nearest to zero by polynomial, the rest by factors exp(-2^k).
std::int32_t exp_of_negative(std::int32_t a) {
  if (a == 0) return kOne;
  constexpr std::int32_t kQuarter = 1 << (kDifferenceFraction - 2);
  const std::int32_t in_quarter = subtract(a & (kQuarter - 1), kQuarter);
  std::int32_t result = exp_near_zero(saturating_power(in_quarter, 5));
  const std::int32_t rest = subtract(in_quarter, a);
  constexpr std::int32_t kFactors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};  // exp(-2^k), k = -2 to 4
  for (int k = -2; k <= 4; ++k)
    if ((static_cast<std::uint32_t>(rest) >> (kDifferenceFraction + k) & 1) != 0) result = doubling_high_product(result, kFactors[k + 2]);
  return result;
}

/// 1 / (1 + a) in Q0.31 for a in [0, 1) in Q0.31: three steps of Newton's iteration, in Q2.29.
std::int32_t reciprocal_of_one_plus(std::int32_t a) {
  const std::int64_t sum = std::int64_t{a} + kOne;
  const auto half_denominator = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
  constexpr std::int32_t k48Over17 = 1515870810;
  constexpr std::int32_t kMinus32Over17 = -1010580540;
  std::int32_t x = add(k48Over17, doubling_high_product(half_denominator, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = subtract(1 << 29, doubling_high_product(half_denominator, x));
    x = add(x, saturating_power(doubling_high_product(x, error), 2));
  }
  return saturating_power(x, 1);
}

std::int32_t exp_of_difference(std::int32_t difference, const SoftmaxRule& rule) {
  return exp_of_negative(doubling_high_product(multiply_by_power(difference, rule.left_shift), rule.multiplier));
}

}  // namespace

void softmax_row(std::span<std::int32_t> row, const SoftmaxRule& rule) {
  const std::int32_t highest = *std::ranges::max_element(row);
  std::int32_t sum = 0;
  for (std::int32_t code : row)
    if (code - highest >= rule.difference_min) sum = add(sum, divide_by_power(exp_of_difference(code - highest, rule), kSumInteger));
  // sum = 2^-headroom * (1 + fraction) * 2^12: its reciprocal is the fraction's, shifted.
  const auto bits = static_cast<std::uint32_t>(sum);
  const int headroom = std::countl_zero(bits);
  const std::uint32_t shifted = headroom < 32 ? bits << headroom : 0;
  const std::int32_t scale = reciprocal_of_one_plus(static_cast<std::int32_t>(shifted - (std::uint32_t{1} << 31)));
  const int exponent = kSumInteger - headroom + 31 - 8;
  for (std::int32_t& code : row) {
    const std::int32_t difference = code - highest;
    code = difference < rule.difference_min
               ? 0
               : std::clamp(divide_by_power(doubling_high_product(scale, exp_of_difference(difference, rule)), std::max(exponent, 0)), 0, 255);
  }
}

}  // namespace naru::sdk::reference
