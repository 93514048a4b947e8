// SOFTMAX in fixed point (numerics 11), in 16 bits and in float32.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/fixed_point.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

constexpr int kSumIntegerBits = 12;
constexpr int kDifferenceIntegerBits = 5;

/// Calls row(input, output) for each row of the innermost dimension.
template <typename In, typename Out, typename Row>
void for_rows(const Call& call, const Row& row) {
  const graph::Shape& shape = call.input(0).shape;
  const std::size_t depth = shape.empty() ? 1 : static_cast<std::size_t>(shape.back());
  const std::size_t rows = graph::element_count(shape) / depth;
  for (std::size_t r = 0; r < rows; ++r) row(call.data<In>(0) + r * depth, call.out<Out>() + r * depth, depth);
}

/// What brings differences of codes to Q5.26.
struct Scaling {
  Rescale rescale;
  std::int32_t difference_min;

  explicit Scaling(double factor)
      : rescale(rescale_by(std::min(factor * std::scalbn(1.0, 31 - kDifferenceIntegerBits), 2147483647.0))),
        difference_min(-input_radius(kDifferenceIntegerBits, rescale.shift)) {}
  [[nodiscard]] bool counts(std::int32_t difference) const { return difference >= difference_min; }
  [[nodiscard]] std::int32_t exponential(std::int32_t difference) const { return exp_of_negative(apply(difference, rescale)); }

  /// Of a row's exponentials, in Q12.19; it wraps.
  template <typename Code>
  [[nodiscard]] std::int32_t sum(const Code* row, std::size_t depth, std::int32_t highest) const {
    std::uint32_t total = 0;
    for (std::size_t i = 0; i < depth; ++i)
      if (counts(row[i] - highest)) total += static_cast<std::uint32_t>(rounding_divide_by_power_of_two(exponential(row[i] - highest), kSumIntegerBits));
    return static_cast<std::int32_t>(total);
  }
};

template <typename In, typename Out>
void softmax_codes(const Call& call) {
  const Scaling scaling(static_cast<double>(call.options<graph::SoftmaxOptions>().beta) * static_cast<double>(call.input(0).scale()));
  const Bounds bounds = codes_of(call.output().type);
  for_rows<In, Out>(call, [&](const In* input, Out* output, std::size_t depth) {
    const std::int32_t highest = *std::max_element(input, input + depth);
    const std::int32_t sum = scaling.sum(input, depth, highest);
    // The highest code counts 1, so the sum is at least that.
    const Reciprocal reciprocal = reciprocal_of(sum, kSumIntegerBits);
    const int exponent = reciprocal.bits_over_unit + 31 - 8 * static_cast<int>(sizeof(Out));
    for (std::size_t i = 0; i < depth; ++i) {
      output[i] = static_cast<Out>(bounds.low);
      if (!scaling.counts(input[i] - highest)) continue;
      const std::int32_t share = rounding_divide_by_power_of_two(doubling_high_multiply(reciprocal.value, scaling.exponential(input[i] - highest)), exponent);
      output[i] = static_cast<Out>(bounds.clamp(std::int64_t{share} + bounds.low));
    }
  });
}

/// A function over [from, to] in Q0.15 at 513 places: each entry is moved by half of what interpolation errs in the middle of its step.
class Samples {
 public:
  template <typename Function>
  Samples(const Function& function, float from, float to) {
    const float step = (to - from) / static_cast<float>(kSteps);
    const auto code = [](float value) { return std::round(value * 32768.0F); };
    const auto clamped = [](float value) { return static_cast<std::int16_t>(std::min(std::max(value, -32768.0F), 32767.0F)); };
    for (int i = 0; i < kSteps; ++i) {
      const float x = from + static_cast<float>(i) * step;
      const float value = function(x);
      const float middle = function(x + step / 2.0F);
      const float next = function(from + static_cast<float>(i + 1) * step);
      const float interpolated = std::round((next * 32768.0F + code(value)) / 2.0F);
      values_[static_cast<std::size_t>(i)] = clamped(code(value) - std::round((interpolated - code(middle)) / 2.0F));
    }
    values_[kSteps] = clamped(code(function(to)));
  }

  /// At a code of [-2^15, 2^15), which is spread over [from, to).
  [[nodiscard]] std::int32_t at(std::int32_t code) const {
    const auto index = static_cast<std::size_t>(256 + (code >> 7));
    const std::int32_t slope = static_cast<std::int16_t>(values_[index + 1] - values_[index]);
    return static_cast<std::int16_t>(values_[index] + ((slope * (code & 0x7F) + 64) >> 7));
  }

 private:
  static constexpr int kSteps = 512;
  std::array<std::int16_t, kSteps + 1> values_{};
};

void softmax_wide(const Call& call) {
  static const Samples kExponential([](float x) { return std::exp(x); }, -10.0F, 0.0F);
  static const Samples kOneOverOnePlus([](float x) { return 1.0F / (1.0F + x); }, 0.0F, 1.0F);
  // 65535 steps stand for 10.
  const Rescale rescale =
      rescale_by(static_cast<double>(call.input(0).scale()) * static_cast<double>(call.options<graph::SoftmaxOptions>().beta) / (10.0 / 65535.0));
  for_rows<std::int16_t, std::int16_t>(call, [&](const std::int16_t* input, std::int16_t* output, std::size_t depth) {
    const std::int32_t highest = *std::max_element(input, input + depth);
    std::vector<std::int32_t> exponentials(depth);
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < depth; ++i) {
      const std::int64_t centred = std::int64_t{apply(input[i] - highest, rescale)} + 32767;
      exponentials[i] = kExponential.at(static_cast<std::int32_t>(std::clamp<std::int64_t>(centred, -32768, 32767)));
      sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(exponentials[i]));
    }
    const int zeros = std::countl_zero(static_cast<std::uint32_t>(sum));
    const auto shifted = static_cast<std::int32_t>(((std::int64_t{sum} << std::max(zeros - 1, 0)) + (1 << 13)) >> 14);
    const std::int32_t reciprocal = kOneOverOnePlus.at(std::clamp(shifted - (1 << 15) - (1 << 16), -32768, 32767));
    const int right = std::max(31 - zeros, 1);
    for (std::size_t i = 0; i < depth; ++i) {
      const std::int64_t share = (std::int64_t{exponentials[i]} * reciprocal + (std::int64_t{1} << (right - 1))) >> right;
      output[i] = static_cast<std::int16_t>(std::clamp<std::int64_t>(share, 0, 32767));
    }
  });
}

void softmax_reals(const Call& call) {
  const float beta = call.options<graph::SoftmaxOptions>().beta;
  for_rows<float, float>(call, [&](const float* input, float* output, std::size_t depth) {
    const float highest = *std::max_element(input, input + depth);
    float sum = 0.0F;
    for (std::size_t i = 0; i < depth; ++i) sum += output[i] = std::exp((input[i] - highest) * beta);
    for (std::size_t i = 0; i < depth; ++i) output[i] /= sum;
  });
}

template <typename Code>
void log_softmax_codes(const Call& call) {
  constexpr int kOutputIntegerBits = 4;
  const Scaling scaling(static_cast<double>(call.input(0).scale()));
  const Rescale back = rescale_by(std::scalbn(1.0, 31 - scaling.rescale.shift) / static_cast<double>(scaling.rescale.multiplier));
  const Bounds bounds = codes_of(call.output().type);
  for_rows<Code, Code>(call, [&](const Code* input, Code* output, std::size_t depth) {
    const std::int32_t highest = *std::max_element(input, input + depth);
    const std::int32_t sum = scaling.sum(input, depth, highest);
    const std::int32_t log = log_of_at_least_one(sum);
    // What lies so low that its difference to the logarithm has no Q5.26.
    const std::int32_t lowest = std::max(scaling.difference_min - 1, apply(log + std::numeric_limits<std::int32_t>::min(), back));
    for (std::size_t i = 0; i < depth; ++i) {
      output[i] = static_cast<Code>(bounds.low);
      const std::int32_t difference = input[i] - highest;
      if (difference <= lowest) continue;
      const std::int32_t value = saturated(std::int64_t{apply(difference, scaling.rescale)} - log);
      output[i] =
          static_cast<Code>(bounds.clamp(std::int64_t{rounding_divide_by_power_of_two(value, 31 - kDifferenceIntegerBits - kOutputIntegerBits)} + bounds.high));
    }
  });
}

}  // namespace

void softmax(const Call& call) {
  const abi::ElementType out = call.output().type;
  switch (call.input(0).type) {
    case abi::ElementType::kF32: return softmax_reals(call);
    case abi::ElementType::kI16: return softmax_wide(call);
    case abi::ElementType::kU8: return softmax_codes<std::uint8_t, std::uint8_t>(call);
    default: return out == abi::ElementType::kI16 ? softmax_codes<std::int8_t, std::int16_t>(call) : softmax_codes<std::int8_t, std::int8_t>(call);
  }
}

void log_softmax(const Call& call) {
  if (call.input(0).type != abi::ElementType::kF32)
    return dispatch<std::int8_t, std::uint8_t>(call, call.input(0).type, [&](auto code) { log_softmax_codes<decltype(code)>(call); });
  for_rows<float, float>(call, [](const float* input, float* output, std::size_t depth) {
    const float highest = *std::max_element(input, input + depth);
    float sum = 0.0F;
    for (std::size_t i = 0; i < depth; ++i) sum += std::exp(input[i] - highest);
    const float log_sum = std::log(sum);
    for (std::size_t i = 0; i < depth; ++i) output[i] = input[i] - highest - log_sum;
  });
}

/// TFLite Micro's L2_NORMALIZATION: codes of scale 1/128 around 0 (128 for uint8). In float32 the norm is at least 1e-6.
void l2_normalization(const Call& call) {
  if (call.input(0).type == abi::ElementType::kF32) {
    return for_rows<float, float>(call, [](const float* input, float* output, std::size_t depth) {
      float squares = 0.0F;
      for (std::size_t i = 0; i < depth; ++i) squares += input[i] * input[i];
      const float norm = std::max(std::sqrt(squares), 1.0e-6F);
      for (std::size_t i = 0; i < depth; ++i) output[i] = input[i] / norm;
    });
  }
  dispatch<std::int8_t, std::uint8_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    constexpr int kOutputBits = 7;
    const Bounds bounds = codes_of(call.output().type);
    const std::int32_t zero = call.input(0).zero_point();
    for_rows<Code, Code>(call, [&](const Code* input, Code* output, std::size_t depth) {
      std::int64_t squares = 0;
      for (std::size_t i = 0; i < depth; ++i) squares += (input[i] - zero) * (input[i] - zero);
      // Signed codes take the result's 1/128 into the shift; unsigned ones are multiplied by 128 before, which rounds at another place.
      Rescale inverse = inverse_square_root_of(saturated(squares));
      const bool is_signed = std::is_signed_v<Code>;
      if (is_signed) inverse.shift += kOutputBits;
      for (std::size_t i = 0; i < depth; ++i)
        output[i] = static_cast<Code>(bounds.clamp(std::int64_t{apply((input[i] - zero) * (is_signed ? 1 : 1 << kOutputBits), inverse)} + (bounds.low + 128)));
    });
  });
}

}  // namespace naru::sdk::reference
