// Softmax over rows in TFLite's fixed point (numerics 11). Exponentials depend only on the difference to the row's maximum, of which there are 256.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

constexpr int kAccumulatorIntegerBits = 12;

/// value * 2^count, saturated.
std::int32_t saturating_shift_left(std::int32_t value, int count) noexcept {
  const std::int64_t wide = std::int64_t{value} * (std::int64_t{1} << count);
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(wide, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

/// exp(a) for a in [-1/4, 0), Q0.31: a Taylor polynomial of degree four around -1/8.
std::int32_t exp_on_last_quarter(std::int32_t a) noexcept {
  constexpr std::int32_t kExpOfMinusEighth = 1895147668, kThird = 715827883;
  const std::int32_t x = wrap_add(a, 1 << 28);
  const std::int32_t x2 = doubling_high_multiply(x, x);
  const std::int32_t x3 = doubling_high_multiply(x2, x);
  const std::int32_t x4_over_4 = rounding_divide(doubling_high_multiply(x2, x2), 2);
  const std::int32_t higher = rounding_divide(wrap_add(doubling_high_multiply(wrap_add(x4_over_4, x3), kThird), x2), 1);
  return wrap_add(kExpOfMinusEighth, doubling_high_multiply(kExpOfMinusEighth, wrap_add(x, higher)));
}

/// exp(a) for a <= 0 in Q5.26; the result in Q0.31.
std::int32_t exp_of_negative(std::int32_t a) noexcept {
  constexpr int kFractionBits = 26;
  constexpr std::int32_t kQuarter = 1 << (kFractionBits - 2);
  constexpr std::int32_t kExpOfMinusPower[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};  // of 2^-2 to 2^4
  if (a == 0) return std::numeric_limits<std::int32_t>::max();
  const std::int32_t in_quarter = (a & (kQuarter - 1)) - kQuarter;
  std::int32_t result = exp_on_last_quarter(saturating_shift_left(in_quarter, 5));
  const std::int32_t remainder = wrap_sub(in_quarter, a);
  for (int i = 0; i < 7; ++i)
    if ((remainder & (1 << (kFractionBits - 2 + i))) != 0) result = doubling_high_multiply(result, kExpOfMinusPower[i]);
  return result;
}

/// 1 / (1 + a) for a in [0, 1), Q0.31 both: three steps of Newton on half the denominator, in Q2.29.
std::int32_t reciprocal_of_one_plus(std::int32_t a) noexcept {
  constexpr std::int32_t k48Over17 = 1515870810, kMinus32Over17 = -1010580540, kOne = 1 << 29;
  const std::int64_t sum = std::int64_t{a} + std::numeric_limits<std::int32_t>::max();
  const auto half_denominator = static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2);
  std::int32_t x = wrap_add(k48Over17, doubling_high_multiply(half_denominator, kMinus32Over17));
  for (int i = 0; i < 3; ++i) {
    const std::int32_t error = wrap_sub(kOne, doubling_high_multiply(half_denominator, x));
    x = wrap_add(x, saturating_shift_left(doubling_high_multiply(x, error), 2));
  }
  return saturating_shift_left(x, 1);
}

class SoftmaxRun {
 public:
  SoftmaxRun(const abi::Softmax& record, const UnaryPointers& at) noexcept
      : record_(record), at_(at), lowest_(record.type == abi::ElementType::kI8 ? -128 : 0) {
    for (std::int32_t below = 0; below < 256; ++below) {
      counted_[below] = -below >= record.difference_min;
      if (!counted_[below]) break;
      const std::int32_t shifted = wrap_shift_left(-below, std::clamp<std::int32_t>(record.left_shift, 0, 31));
      exponential_[below] = exp_of_negative(doubling_high_multiply(shifted, record.multiplier));
    }
  }

  void execute() noexcept {
    for (std::uint64_t r = 0; r < record_.rows; ++r) row(at_.input + r * record_.input_row_stride, at_.output + r * record_.output_row_stride);
  }

 private:
  void row(const std::byte* input, std::byte* output) const noexcept {
    std::int32_t highest = std::numeric_limits<std::int32_t>::min();
    for (std::uint64_t i = 0; i < record_.row_elements; ++i) highest = std::max(highest, load_element(input + i, record_.type));
    std::uint32_t sum = 0;
    for (std::uint64_t i = 0; i < record_.row_elements; ++i) {
      const std::int32_t below = highest - load_element(input + i, record_.type);
      if (counted_[below]) sum += static_cast<std::uint32_t>(rounding_divide(exponential_[below], kAccumulatorIntegerBits));
    }
    // A sum of zero needs 2^13 equal maxima, past what the 12 integer bits hold; shifts stay defined all the same.
    const int headroom = std::min(std::countl_zero(sum), 31);
    const auto fraction = static_cast<std::int32_t>((sum << headroom) - (std::uint32_t{1} << 31));
    const std::int32_t scale = reciprocal_of_one_plus(fraction);
    const int exponent = kAccumulatorIntegerBits - headroom + 31 - 8;
    std::array<std::uint8_t, 256> code;
    for (std::size_t below = 0; below < 256; ++below) {
      const std::int64_t value = counted_[below] ? rounded(doubling_high_multiply(scale, exponential_[below]), exponent) : 0;
      code[below] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(value, 0, 255) + lowest_);
    }
    for (std::uint64_t i = 0; i < record_.row_elements; ++i) store(output + i, code[static_cast<std::size_t>(highest - load_element(input + i, record_.type))]);
  }

  /// Half away from zero, in 64 bits: long rows of equal values divide by more than 2^31, where TFLite's 32-bit form is undefined.
  [[nodiscard]] static std::int64_t rounded(std::int64_t value, int exponent) noexcept {
    const std::int64_t half = std::int64_t{1} << (exponent - 1);
    return value >= 0 ? (value + half) >> exponent : -((-value + half) >> exponent);
  }

  const abi::Softmax& record_;
  const UnaryPointers& at_;
  std::int32_t lowest_;
  // By how far below the row's maximum.
  std::array<bool, 256> counted_{};
  std::array<std::int32_t, 256> exponential_{};
};

}  // namespace

void execute_softmax(const abi::Softmax& record, const UnaryPointers& at) noexcept { SoftmaxRun(record, at).execute(); }

}  // namespace naru::mockdev
