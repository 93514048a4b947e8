// SOFTMAX, LOG_SOFTMAX and L2_NORMALIZATION over the innermost dimension (numerics 11 and 23).
#include <algorithm>
#include <array>
#include <cmath>

#include "host/call.h"
#include "numerics/fixed_point.h"

namespace naru::sdk::host {
namespace {

using numerics::divide_by_power;
using numerics::exp_of_negative;

/// Rows of `depth` elements: f(row's first element, row's place in the result).
template <typename In, typename Out, typename F>
Run rows_run(const Call& call, F f) {
  return [=, depth = static_cast<std::size_t>(call.in().shape.back())](const Data& data) -> Result<void> {
    const auto values = data.in<In>(0);
    std::vector<Out> result(values.size());
    for (std::size_t row = 0; row < result.size(); row += depth) f(values.data() + row, result.data() + row, depth);
    data.store(0, result);
    return {};
  };
}

float largest(const float* row, std::size_t depth) {
  float max = std::numeric_limits<float>::lowest();
  for (std::size_t c = 0; c < depth; ++c) max = std::max(max, row[c]);
  return max;
}

/// The sum of exponentials of differences from the row's maximum, 12 integer bits; wraps past 4096 as TFLite's.
template <typename In>
std::int32_t sum_of_exponentials(const In* row, std::size_t depth, std::int32_t max, const numerics::SoftmaxParameters& p) {
  std::uint32_t sum = 0;
  for (std::size_t c = 0; c < depth; ++c) {
    const std::int32_t difference = row[c] - max;
    if (difference < p.difference_min) continue;
    sum += static_cast<std::uint32_t>(divide_by_power(exp_of_negative(numerics::multiply_by_quantized_multiplier(difference, {p.multiplier, p.left_shift})), 12));
  }
  return static_cast<std::int32_t>(sum);
}

template <typename In, typename Out>
Run softmax_codes(const Call& call, const numerics::SoftmaxParameters& p) {
  return rows_run<In, Out>(call, [p](const In* row, Out* result, std::size_t depth) {
    constexpr std::int32_t kMin = std::numeric_limits<Out>::min();
    constexpr std::int32_t kMax = std::numeric_limits<Out>::max();
    const std::int32_t max = *std::max_element(row, row + depth);
    // 8,192 equal codes wrap to 0, which has no reciprocal; TFLite does not define it, the reference takes one.
    const std::int32_t sum = sum_of_exponentials(row, depth, max, p);
    const numerics::Reciprocal scale = sum == 0 ? numerics::Reciprocal{std::numeric_limits<std::int32_t>::max(), 0} : numerics::reciprocal(sum, 12);
    const int exponent = scale.bits_over_unit + 31 - static_cast<int>(8 * sizeof(Out));
    for (std::size_t c = 0; c < depth; ++c) {
      const std::int32_t difference = row[c] - max;
      result[c] = static_cast<Out>(kMin);
      if (difference < p.difference_min) continue;
      const std::int32_t exponential = exp_of_negative(numerics::multiply_by_quantized_multiplier(difference, {p.multiplier, p.left_shift}));
      const std::int64_t code = std::int64_t{divide_by_power(numerics::rounding_high_mul(scale.scale, exponential), exponent)} + kMin;
      result[c] = static_cast<Out>(std::clamp<std::int64_t>(code, kMin, kMax));
    }
  });
}

/// 513 samples of a curve over [low, high] for values of 16 bits, each moved by half the error in the middle of its step; results of scale 2^-15.
std::array<std::int16_t, 513> sampled(float (*curve)(float), float low, float high) {
  std::array<std::int16_t, 513> table{};
  constexpr int kSteps = 512;
  constexpr float kInverse = 32768.0F;
  const float step = (high - low) / static_cast<float>(kSteps);
  const float half = step / 2.0F;
  for (int i = 0; i < kSteps; ++i) {
    const float value = curve(low + static_cast<float>(i) * step);
    const float middle = curve(low + static_cast<float>(i) * step + half);
    const float next = curve(low + static_cast<float>(i + 1) * step);
    const float sample = std::round(value * kInverse);
    const float interpolated = std::round((next * kInverse + std::round(value * kInverse)) / 2.0F);
    const float bias = std::round((interpolated - std::round(middle * kInverse)) / 2.0F);
    table[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(std::clamp(sample - bias, -32768.0F, 32767.0F));
  }
  table[kSteps] = static_cast<std::int16_t>(std::clamp(std::round(curve(high) * kInverse), -32768.0F, 32767.0F));
  return table;
}

std::int32_t looked_up(std::int64_t value, const std::array<std::int16_t, 513>& table) {
  const auto at = static_cast<std::int32_t>(std::clamp<std::int64_t>(value, -32768, 32767));
  const auto index = static_cast<std::size_t>(256 + (at >> 7));
  const std::int32_t slope = table[index + 1] - table[index];
  return static_cast<std::int16_t>(table[index] + ((slope * (at & 0x7F) + 64) >> 7));
}

Run softmax_i16(const Call& call, float beta) {
  const double rescale = static_cast<double>(call.in().scale()) * static_cast<double>(beta) / (10.0 / 65535.0);
  return rows_run<std::int16_t, std::int16_t>(
      call, [multiplier = numerics::quantize_multiplier(rescale), exponentials = sampled([](float x) { return std::exp(x); }, -10.0F, 0.0F),
             inverses = sampled([](float x) { return 1.0F / (1.0F + x); }, 0.0F, 1.0F)](const std::int16_t* row, std::int16_t* result, std::size_t depth) {
        const std::int32_t max = *std::max_element(row, row + depth);
        std::uint32_t sum = 0;  // 15 bits after the point
        for (std::size_t c = 0; c < depth; ++c) {
          const std::int32_t scaled = numerics::multiply_by_quantized_multiplier(row[c] - max, multiplier);
          result[c] = static_cast<std::int16_t>(looked_up(std::int64_t{scaled} + 32767, exponentials));
          sum += static_cast<std::uint32_t>(result[c]);
        }
        // At least 1, and below 2^31 for rows that fit (others wrap): the reciprocal of the sum as a number from 1 to 2.
        const int zeros = std::countl_zero(sum);
        const std::int64_t shifted = ((std::int64_t{static_cast<std::int32_t>(sum)} << std::max(zeros - 1, 0)) + (1 << 13)) >> 14;
        const std::int32_t inverse = looked_up(shifted - ((1 << 15) + (1 << 16)), inverses);
        const int right = std::max(31 - zeros, 1);
        for (std::size_t c = 0; c < depth; ++c) {
          const std::int64_t product = (std::int64_t{result[c]} * inverse + (std::int64_t{1} << (right - 1))) >> right;
          result[c] = static_cast<std::int16_t>(std::clamp<std::int64_t>(product, 0, 32767));
        }
      });
}

Result<void> require_result(const Call& call, float scale, std::int32_t zero_point) {
  NARU_CHECK_OK(call.require_quantization({&call.in(), &call.out()}));
  if (std::abs(call.out().scale() - scale) <= 1.0e-3F * scale && call.out().zero_point() == zero_point) return {};
  return call.unsupported("its result has scale {} and zero point {}; it must be {} and {}", call.out().scale(), call.out().zero_point(), scale, zero_point);
}

Result<void> require_rows(const Call& call) {
  NARU_CHECK_OK(call.require(!call.in().shape.empty(), "its operand has no dimension"));
  return call.require_shape(call.out(), call.in().shape);
}

}  // namespace

Result<Run> prepare_softmax(const Call& call) {
  const auto* options = call.options<graph::SoftmaxOptions>();
  if (options == nullptr) return call.no_options();
  NARU_CHECK_OK(require_rows(call));
  const ElementType in = call.in().type;
  const ElementType out = call.out().type;
  if (in == ElementType::kF32 && out == in)
    return rows_run<float, float>(call, [beta = options->beta](const float* row, float* result, std::size_t depth) {
      const float max = largest(row, depth);
      float sum = 0.0F;
      for (std::size_t c = 0; c < depth; ++c) {
        result[c] = std::exp((row[c] - max) * beta);
        sum += result[c];
      }
      for (std::size_t c = 0; c < depth; ++c) result[c] = result[c] / sum;
    });
  if (in == ElementType::kI16 && out == in) {
    NARU_CHECK_OK(require_result(call, 1.0F / 32768.0F, 0));
    if (!(options->beta > 0.0F) || !std::isfinite(options->beta)) return call.misfit("its beta is {}", options->beta);
    return softmax_i16(call, options->beta);
  }
  if (!is_code8(in) || (out != in && out != ElementType::kI16)) return call.no_type();
  const std::int32_t lowest = numerics::code_range(out).min;
  NARU_CHECK_OK(require_result(call, out == ElementType::kI16 ? 1.0F / 65536.0F : numerics::kSoftmaxOutputScale, lowest));
  const auto parameters = numerics::softmax_parameters(options->beta, call.in().scale());
  if (!parameters) return call.unsupported("beta times scale is too small");
  const bool wide = out == ElementType::kI16;
  if (in == ElementType::kI8) return wide ? softmax_codes<std::int8_t, std::int16_t>(call, *parameters) : softmax_codes<std::int8_t, std::int8_t>(call, *parameters);
  return wide ? softmax_codes<std::uint8_t, std::int16_t>(call, *parameters) : softmax_codes<std::uint8_t, std::uint8_t>(call, *parameters);
}

Result<Run> prepare_log_softmax(const Call& call) {
  NARU_CHECK_OK(require_rows(call));
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  if (call.in().type == ElementType::kF32)
    return rows_run<float, float>(call, [](const float* row, float* result, std::size_t depth) {
      const float max = largest(row, depth);
      float sum = 0.0F;
      for (std::size_t c = 0; c < depth; ++c) sum += std::exp(row[c] - max);
      const float log_sum = std::log(sum);
      for (std::size_t c = 0; c < depth; ++c) result[c] = row[c] - max - log_sum;
    });
  if (!is_code8(call.in().type)) return call.no_type();
  NARU_CHECK_OK(require_result(call, 16.0F / 256.0F, numerics::code_range(call.in().type).max));
  const auto p = numerics::softmax_parameters(1.0F, call.in().scale());
  if (!p) return call.unsupported("its scale is too small");
  // From 5 integer bits back to differences of codes.
  const numerics::Multiplier back = numerics::quantize_multiplier(std::ldexp(1.0, 31 - p->left_shift) / static_cast<double>(p->multiplier));
  Run run;
  for_type<std::int8_t, std::uint8_t>(call.in().type, [&](auto sample) {
    using T = decltype(sample);
    run = rows_run<T, T>(call, [p = *p, back](const T* row, T* result, std::size_t depth) {
      constexpr std::int32_t kMin = std::numeric_limits<T>::min();
      constexpr std::int32_t kMax = std::numeric_limits<T>::max();
      constexpr int kOutputShift = 31 - 5 - 4;
      const std::int32_t max = *std::max_element(row, row + depth);
      const std::int32_t log_sum = numerics::logarithm(sum_of_exponentials(row, depth, max, p));
      // The lowest number of 5 integer bits with the sum's logarithm still to be taken off.
      const auto lowest = static_cast<std::int32_t>(std::clamp<std::int64_t>(std::int64_t{log_sum} + std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::min(), 0));
      const std::int32_t bound = std::max(p.difference_min - 1, numerics::multiply_by_quantized_multiplier(lowest, back));
      for (std::size_t c = 0; c < depth; ++c) {
        const std::int32_t difference = row[c] - max;
        result[c] = static_cast<T>(kMin);
        if (difference <= bound) continue;
        const std::int32_t fine = numerics::multiply_by_quantized_multiplier(difference, {p.multiplier, p.left_shift});
        const auto rest = static_cast<std::int32_t>(static_cast<std::uint32_t>(fine) - static_cast<std::uint32_t>(log_sum));
        result[c] = static_cast<T>(std::clamp(divide_by_power(rest, kOutputShift) + kMax, kMin, kMax));
      }
    });
  });
  return run;
}

Result<Run> prepare_l2_normalization(const Call& call) {
  NARU_CHECK_OK(require_rows(call));
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  if (call.in().type == ElementType::kF32)
    return rows_run<float, float>(call, [](const float* row, float* result, std::size_t depth) {
      float squares = 0.0F;
      for (std::size_t c = 0; c < depth; ++c) squares += row[c] * row[c];
      const float norm = std::max(std::sqrt(squares), 1.0e-6F);
      for (std::size_t c = 0; c < depth; ++c) result[c] = row[c] / norm;
    });
  if (!is_code8(call.in().type)) return call.no_type();
  const bool is_unsigned = call.in().type == ElementType::kU8;
  NARU_CHECK_OK(require_result(call, 1.0F / 128.0F, is_unsigned ? 128 : 0));
  Run run;
  for_type<std::int8_t, std::uint8_t>(call.in().type, [&](auto sample) {
    using T = decltype(sample);
    run = rows_run<T, T>(call, [zero = call.in().zero_point(), is_unsigned](const T* row, T* result, std::size_t depth) {
      std::int64_t squares = 0;
      for (std::size_t c = 0; c < depth; ++c) squares += std::int64_t{row[c] - zero} * (row[c] - zero);
      numerics::Multiplier inverse = numerics::inverse_square_root(static_cast<std::int32_t>(std::min<std::int64_t>(squares, std::numeric_limits<std::int32_t>::max())));
      // Signed codes take the result's 1/128 into the shift, unsigned ones multiply by it.
      if (!is_unsigned) inverse.shift += 7;
      for (std::size_t c = 0; c < depth; ++c) {
        const std::int32_t difference = (row[c] - zero) * (is_unsigned ? 128 : 1);
        result[c] = clamp_code<T>(std::int64_t{numerics::multiply_by_quantized_multiplier(difference, inverse)} + (is_unsigned ? 128 : 0),
                                  {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()});
      }
    });
  });
  return run;
}

}  // namespace naru::sdk::host
