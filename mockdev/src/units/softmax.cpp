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
  SoftmaxRun(const abi::Softmax& record, const UnaryPointers& at, const Context& context) noexcept
      : record_(record), at_(at), rows_(*context.kernels.rows), is_signed_(record.type == abi::ElementType::kI8), lowest_(is_signed_ ? -128 : 0) {
    for (std::int32_t below = 0; below < 256 && -below >= record.difference_min; ++below) {
      const std::int32_t shifted = wrap_shift_left(-below, std::clamp<std::int32_t>(record.left_shift, 0, 31));
      const std::int32_t exponential = exp_of_negative(doubling_high_multiply(shifted, record.multiplier));
      exponential_[static_cast<std::size_t>(255 - below)] = exponential;
      share_[static_cast<std::size_t>(255 - below)] = static_cast<std::uint32_t>(rounding_divide(exponential, kAccumulatorIntegerBits));
    }
  }

  void execute() noexcept {
    for (std::uint64_t r = 0; r < record_.rows; ++r) row(at_.input + r * record_.input_row_stride, at_.output + r * record_.output_row_stride);
  }

 private:
  void row(const std::byte* input, std::byte* output) noexcept {
    const std::uint64_t count = record_.row_elements;
    if (count == 0) return;  // the record's checks exclude it
    std::int32_t least = 0, greatest = 0;
    rows_.extremes(input, is_signed_, count, least, greatest);
    // Codes are numbered from the lowest one, so that each row's exponentials lie in their order.
    const unsigned flip = is_signed_ ? 0x80 : 0;
    const auto top = static_cast<std::size_t>(greatest - lowest_), bottom = static_cast<std::size_t>(least - lowest_);
    const std::uint32_t* const share = share_.data() + 255 - top;
    std::array<std::uint32_t, 4> sums{};
    std::uint64_t i = 0;
    for (; i + 4 <= count; i += 4)
      for (std::uint64_t j = 0; j < 4; ++j) sums[j] += share[std::to_integer<unsigned>(input[i + j]) ^ flip];
    for (; i < count; ++i) sums[0] += share[std::to_integer<unsigned>(input[i]) ^ flip];
    const std::uint32_t sum = sums[0] + sums[1] + sums[2] + sums[3];
    // A sum of zero needs 2^13 equal maxima, past what the 12 integer bits hold; shifts stay defined all the same.
    const int headroom = std::min(std::countl_zero(sum), 31);
    const auto fraction = static_cast<std::int32_t>((sum << headroom) - (std::uint32_t{1} << 31));
    const std::int32_t scale = reciprocal_of_one_plus(fraction);
    const int exponent = kAccumulatorIntegerBits - headroom + 31 - 8;
    rows_.softmax_codes(exponential_.data() + 255 - top + bottom, top - bottom + 1, scale, exponent, lowest_, codes_.data() + bottom);
    // By the raw byte.
    std::array<std::byte, 256> table;
    std::copy_n(codes_.begin() + flip, 128, table.begin());
    std::copy_n(codes_.begin() + (flip ^ 0x80), 128, table.begin() + 128);
    rows_.look_up(table.data(), input, output, count);
  }

  const abi::Softmax& record_;
  const UnaryPointers& at_;
  const RowLoops& rows_;
  bool is_signed_;
  std::int32_t lowest_;
  // Of a code that is 255 - n below its row's greatest; those too far below stay zero.
  std::array<std::int32_t, 256> exponential_{};
  std::array<std::uint32_t, 256> share_{};
  std::array<std::byte, 256> codes_{};  // of the row at hand, from the lowest one's on
};

}  // namespace

void execute_softmax(const abi::Softmax& record, const UnaryPointers& at, const Context& context) noexcept { SoftmaxRun(record, at, context).execute(); }

}  // namespace naru::mockdev
