// Operators of one 8-bit code as tables of 256 codes. Where TFLite Micro has integer arithmetic for an operator the table is made by that arithmetic
// (RELU and its kind, LEAKY_RELU, HARD_SWISH, ABS, RSQRT, QUANTIZE); the others are curves in float, rounded to the nearest code.
#include <algorithm>
#include <cmath>
#include <limits>

#include "numerics/fixed_point.h"
#include "numerics/numerics.h"

namespace naru::sdk::numerics {
namespace {

using abi::ElementType;
using graph::OperatorKind;
using graph::Tensor;

constexpr std::int32_t kInt16Max = std::numeric_limits<std::int16_t>::max();
constexpr std::int32_t kInt16Min = std::numeric_limits<std::int16_t>::min();

bool is_byte_code(const Tensor& tensor) noexcept {
  return (tensor.type == ElementType::kI8 || tensor.type == ElementType::kU8) && tensor.quantization && tensor.quantization->scales.size() == 1 &&
         tensor.quantization->zero_points.size() == 1 && tensor.scale() > 0.0F && std::isfinite(tensor.scale());
}

std::byte clamped(std::int64_t code, Range range) noexcept {
  return static_cast<std::byte>(std::clamp<std::int64_t>(code, range.min, range.max));
}

/// `code_of` gives for the difference of a code from the input's zero point the output's code less the output's zero point.
template <typename F>
CodeTable tabulate(const Tensor& input, const Tensor& output, Range range, F&& code_of) {
  CodeTable table{};
  const std::int32_t first = code_range(input.type).min - input.zero_point();
  for (std::size_t i = 0; i < table.size(); ++i)
    table[i] = clamped(std::int64_t{code_of(first + static_cast<std::int32_t>(i))} + output.zero_point(), range);
  return table;
}

/// A curve in float. Multiplied by the inverse of the output's scale, as TFLite's tables are; NaN (the logarithm of a negative) is the zero point.
template <typename F>
CodeTable tabulate_curve(const Tensor& input, const Tensor& output, F&& curve) {
  CodeTable table{};
  const Range codes = code_range(output.type);
  const std::int32_t first = code_range(input.type).min - input.zero_point();
  const float inverse = 1.0F / output.scale();
  for (std::size_t i = 0; i < table.size(); ++i) {
    const float real = input.scale() * static_cast<float>(first + static_cast<std::int32_t>(i));
    const float code = std::round(curve(real) * inverse) + static_cast<float>(output.zero_point());
    table[i] = std::isnan(code) ? static_cast<std::byte>(output.zero_point())
                                : static_cast<std::byte>(static_cast<std::int32_t>(std::clamp(code, static_cast<float>(codes.min), static_cast<float>(codes.max))));
  }
  return table;
}

// Numerics 13, in 16 bits.

std::int32_t saturate16(std::int64_t value) noexcept { return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, kInt16Min, kInt16Max)); }
std::int32_t left16(std::int32_t value, int amount) noexcept { return saturate16(std::int64_t{value} * (std::int64_t{1} << std::min(amount, 31))); }
std::int32_t rounding_high_mul16(std::int32_t a, std::int32_t b) noexcept {
  const std::int32_t product = a * b;
  return saturate16((product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15));
}
/// A multiplier with 15 bits after the point.
std::int32_t halved(Multiplier multiplier) noexcept {
  return multiplier.value >= std::numeric_limits<std::int32_t>::max() - (1 << 15) ? kInt16Max : (multiplier.value + (1 << 15)) >> 16;
}

/// Numerics 12 with 4 integer bits; `bits` of the curve's are after the result's point.
CodeTable squash_table(const Tensor& input, const Tensor& output, int bits, std::int32_t (*curve)(std::int32_t)) {
  const Range codes = code_range(output.type);
  const Multiplier rescale = quantize_multiplier(static_cast<double>(input.scale()) * static_cast<double>(1 << 27));
  const auto radius = static_cast<std::int32_t>(std::min(std::floor(std::ldexp(15.0, 27 - rescale.shift)), 1.0e6));
  return tabulate(input, output, codes, [&](std::int32_t difference) {
    if (difference <= -radius) return codes.min - output.zero_point();
    if (difference >= radius) return codes.max - output.zero_point();
    return divide_by_power(curve(multiply_by_quantized_multiplier(difference, rescale)), 31 - bits);
  });
}

CodeTable hard_swish_table(const Tensor& input, const Tensor& output) {
  const float fine_scale = (1.0F / 128.0F) * input.scale();
  const float ratio = fine_scale / output.scale();
  const float gate_ratio = fine_scale / (3.0F / 32768.0F);
  const Multiplier to_output = quantize_multiplier(static_cast<double>(ratio));
  const Multiplier to_gate = quantize_multiplier(static_cast<double>(gate_ratio));
  return tabulate(input, output, code_range(output.type), [&](std::int32_t difference) {
    const std::int32_t fine = difference * (1 << 7);
    const std::int32_t on_output = rounding_high_mul16(fine, halved(to_output));
    std::int32_t gate = to_gate.shift > 0 ? left16(fine, to_gate.shift - 1) : fine;
    gate = rounding_high_mul16(gate, halved(to_gate));
    if (to_gate.shift > 0) gate = left16(gate, 1);
    if (to_gate.shift < 0) gate = divide_by_power(gate, -to_gate.shift);
    gate = (gate + (1 << 15)) >> 1;
    const std::int32_t product = gate * on_output / (1 << 15);
    // TFLite refuses a left shift here; saturating is what its other shifts of this operator do.
    return to_output.shift > 0 ? left16(product, to_output.shift) : divide_by_power(product, -to_output.shift);
  });
}

CodeTable rsqrt_table(const Tensor& input, const Tensor& output) {
  constexpr int kFineBits = 20;
  const Range codes = code_range(output.type);
  Multiplier rescale = quantize_multiplier(1.0 / (std::sqrt(static_cast<double>(input.scale())) * static_cast<double>(output.scale())));
  rescale.shift -= kFineBits;
  return tabulate(input, output, codes, [&](std::int32_t difference) {
    // TFLite's kernels stop at a negative; a table has to say something, and says what it does for 0.
    if (difference <= 0) return codes.max - output.zero_point();
    Multiplier root = inverse_square_root(difference);
    root.shift += kFineBits;
    return multiply_by_quantized_multiplier(multiply_by_quantized_multiplier(1, root), rescale);
  });
}

std::optional<CodeTable> relu_table(OperatorKind kind, const Tensor& input, const Tensor& output) {
  const auto bounds = [&]() -> Range {
    const auto range = [&](graph::Activation activation) { return activation_range(activation, output.scale(), output.zero_point(), output.type); };
    switch (kind) {
      case OperatorKind::kRelu: return range(graph::Activation::kRelu);
      case OperatorKind::kRelu6: return range(graph::Activation::kRelu6);
      case OperatorKind::kReluN1To1: return range(graph::Activation::kReluN1To1);
      default: return {range(graph::Activation::kRelu).min, range(graph::Activation::kReluN1To1).max};
    }
  }();
  const Multiplier multiplier = quantize_multiplier(float_ratio_scale(input.scale(), output.scale()));
  return tabulate(input, output, bounds, [&](std::int32_t difference) { return multiply_by_quantized_multiplier(difference, multiplier); });
}

float gelu(float x, bool approximate) noexcept {
  if (!approximate) return 0.5F * x * std::erfc(x * static_cast<float>(-0.70710678118654752440));
  constexpr auto kRootOfTwoByPi = static_cast<float>(0.79788456080286535588);
  return 0.5F * x * (1.0F + std::tanh(kRootOfTwoByPi * (x + 0.044715F * x * x * x)));
}

/// Half to even, as TFLite's ROUND.
float round_to_even(float x) noexcept {
  const float floor = std::floor(x);
  const float rest = x - floor;
  if (rest < 0.5F) return floor;
  if (rest > 0.5F) return std::ceil(x);
  return std::fmod(floor, 2.0F) == 0.0F ? floor : floor + 1.0F;
}

}  // namespace

std::optional<CodeTable> unary_table(const graph::Operator& op, const Tensor& input, const Tensor& output) {
  if (!is_byte_code(input) || !is_byte_code(output)) return std::nullopt;
  if (input.type != output.type && op.kind != OperatorKind::kQuantize) return std::nullopt;
  const Range codes = code_range(output.type);
  const auto rescaled = [&](auto&& difference_of) {
    const Multiplier multiplier = quantize_multiplier(ratio_scale(input.scale(), output.scale()));
    return tabulate(input, output, codes, [&](std::int32_t difference) { return multiply_by_quantized_multiplier(difference_of(difference), multiplier); });
  };
  const auto curve = [&](auto&& f) { return tabulate_curve(input, output, f); };
  switch (op.kind) {
    case OperatorKind::kRelu:
    case OperatorKind::kRelu6:
    case OperatorKind::kReluN1To1:
    case OperatorKind::kRelu0To1: return relu_table(op.kind, input, output);
    case OperatorKind::kLeakyRelu: {
      const auto* options = std::get_if<graph::LeakyReluOptions>(&op.options);
      if (options == nullptr || !std::isfinite(options->alpha)) return std::nullopt;
      const SlopeMultipliers slopes = leaky_relu_multipliers(input.scale(), options->alpha, output.scale());
      return tabulate(input, output, codes, [&](std::int32_t difference) {
        return multiply_by_quantized_multiplier(difference, difference >= 0 ? slopes.positive : slopes.negative);
      });
    }
    case OperatorKind::kHardSwish: return hard_swish_table(input, output);
    case OperatorKind::kRsqrt: return rsqrt_table(input, output);
    case OperatorKind::kAbs: return rescaled([](std::int32_t difference) { return std::abs(difference); });
    case OperatorKind::kQuantize: return rescaled([](std::int32_t difference) { return difference; });
    case OperatorKind::kLogistic: return squash_table(input, output, 8, logistic);
    case OperatorKind::kTanh: return squash_table(input, output, 7, tanh);
    case OperatorKind::kElu: return curve([](float x) { return x < 0.0F ? std::exp(x) - 1.0F : x; });
    case OperatorKind::kGelu: {
      const auto* options = std::get_if<graph::GeluOptions>(&op.options);
      if (options == nullptr) return std::nullopt;
      return curve([&](float x) { return gelu(x, options->approximate); });
    }
    case OperatorKind::kNeg: return curve([](float x) { return -x; });
    case OperatorKind::kSquare: return curve([](float x) { return x * x; });
    case OperatorKind::kSqrt: return curve([](float x) { return std::sqrt(x); });
    case OperatorKind::kExp: return curve([](float x) { return std::exp(x); });
    case OperatorKind::kLog: return curve([](float x) { return std::log(x); });
    case OperatorKind::kSin: return curve([](float x) { return std::sin(x); });
    case OperatorKind::kCos: return curve([](float x) { return std::cos(x); });
    case OperatorKind::kFloor: return curve([](float x) { return std::floor(x); });
    case OperatorKind::kCeil: return curve([](float x) { return std::ceil(x); });
    case OperatorKind::kRound: return curve(round_to_even);
    default: return std::nullopt;
  }
}

CodeTable concatenation_table(const Tensor& input, const Tensor& output) {
  CodeTable table{};
  const Range codes = code_range(output.type);
  const std::int32_t first = code_range(input.type).min;
  const bool same = input.zero_point() == output.zero_point() && input.scale() == output.scale();
  const float inverse = 1.0F / output.scale();
  const float scale = input.scale() * inverse;
  const float bias = static_cast<float>(-input.zero_point()) * scale;
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::int32_t code = first + static_cast<std::int32_t>(i);
    // Past every code of 8 bits the clamp decides; the cast of more would be undefined. NaN cannot be: see Quantization.
    const float rounded = std::clamp(std::round(static_cast<float>(code) * scale + bias), -1.0e6F, 1.0e6F);
    table[i] = clamped(same ? std::int64_t{code} : std::int64_t{static_cast<std::int32_t>(std::isnan(rounded) ? 0.0F : rounded)} + output.zero_point(), codes);
  }
  return table;
}

}  // namespace naru::sdk::numerics
