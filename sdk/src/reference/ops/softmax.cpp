// SOFTMAX in fixed point (numerics 11).
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "reference/arithmetic.h"
#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

constexpr int kSumIntegerBits = 12;

/// One row of `count` codes.
void softmax_row(const std::int8_t* input, std::int8_t* output, std::size_t count, const Rescale& rescale, std::int32_t difference_min) {
  const std::int32_t highest = *std::max_element(input, input + count);
  const auto counts = [&](std::size_t i) { return input[i] - highest >= difference_min; };
  const auto exponential = [&](std::size_t i) {
    const std::int64_t shifted = std::int64_t{input[i] - highest} * (std::int64_t{1} << rescale.shift);
    return exp_of_negative(doubling_high_multiply(static_cast<std::int32_t>(shifted), rescale.multiplier));
  };

  std::int32_t sum = 0;
  for (std::size_t i = 0; i < count; ++i)
    if (counts(i)) sum += rounding_divide_by_power_of_two(exponential(i), kSumIntegerBits);

  // sum = (1 + x) * 2^bits with x in [0, 1); the highest code counts 1, so sum is at least that.
  const int leading_zeros = std::countl_zero(static_cast<std::uint32_t>(sum));
  const int bits_over_unit = kSumIntegerBits - leading_zeros;
  const auto x = static_cast<std::int32_t>((static_cast<std::uint32_t>(sum) << leading_zeros) - (std::uint32_t{1} << 31));
  const std::int32_t reciprocal = one_over_one_plus(x);

  const Bounds bounds = codes_of(abi::ElementType::kI8);
  for (std::size_t i = 0; i < count; ++i) {
    output[i] = -128;
    if (!counts(i)) continue;
    const std::int32_t share = rounding_divide_by_power_of_two(doubling_high_multiply(reciprocal, exponential(i)), bits_over_unit + 31 - 8);
    output[i] = static_cast<std::int8_t>(bounds.clamp(std::int64_t{share} - 128));
  }
}

}  // namespace

void softmax(const Call& call) {
  const double scaled = static_cast<double>(call.options<graph::SoftmaxOptions>().beta) * static_cast<double>(call.input(0).scale()) * std::scalbn(1.0, 26);
  const Rescale rescale = rescale_by(std::min(scaled, 2147483647.0));
  const auto difference_min = static_cast<std::int32_t>(-std::floor(31.0 * std::scalbn(1.0, 26) / std::scalbn(1.0, rescale.shift)));
  const auto count = static_cast<std::size_t>(call.input(0).shape.back());
  const auto* input = call.data<std::int8_t>(0);
  auto* output = call.out<std::int8_t>();
  for (std::size_t row = 0; row < graph::element_count(call.input(0)) / count; ++row)
    softmax_row(input + row * count, output + row * count, count, rescale, difference_min);
}

}  // namespace naru::sdk::reference
