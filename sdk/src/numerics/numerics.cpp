// Scales into integers. Numbers in comments are those of the numerics rules (docs/spec/numerics.md).
#include "numerics/numerics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "numerics/fixed_point.h"

namespace naru::sdk::numerics {
namespace {

constexpr std::int32_t kInt32Max = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kInt32Min = std::numeric_limits<std::int32_t>::min();
constexpr int kSoftmaxIntegerBits = 5;

/// zero_point + round_half_away(real / scale), the quotient in float.
std::int64_t code_of(float real, float scale, std::int32_t zero_point) noexcept {
  const float quotient = std::round(real / scale);
  if (std::isnan(quotient)) return zero_point;
  // Past any code of any type, so that the caller's clamp decides; the cast would be undefined.
  constexpr float kFar = 1.0e10F;
  return std::int64_t{zero_point} + static_cast<std::int64_t>(std::clamp(quotient, -kFar, kFar));
}

}  // namespace

Multiplier quantize_multiplier(double real) noexcept {
  if (!(real > 0.0) || !std::isfinite(real)) return {};
  int exponent = 0;
  const double fraction = std::frexp(real, &exponent);
  auto value = static_cast<std::int64_t>(std::round(fraction * 2147483648.0));
  if (value == std::int64_t{1} << 31) {
    value /= 2;
    ++exponent;
  }
  if (exponent < -31) return {};
  return {static_cast<std::int32_t>(value), exponent};
}

double product_scale(float input, float filter, float output) noexcept {
  return static_cast<double>(input) * static_cast<double>(filter) / static_cast<double>(output);
}

double float_product_scale(float input, float filter, float output) noexcept {
  const float product = input * filter;
  return static_cast<double>(product) / static_cast<double>(output);
}

double ratio_scale(float input, float output) noexcept { return static_cast<double>(input) / static_cast<double>(output); }

double float_ratio_scale(float input, float output) noexcept {
  const float ratio = input / output;
  return static_cast<double>(ratio);
}

std::vector<Multiplier> channel_multipliers(graph::OperatorKind kind, float input_scale, std::span<const float> filter_scales, float output_scale,
                                            std::size_t channels, bool legacy_u8) {
  std::vector<Multiplier> multipliers(channels);
  if (filter_scales.size() == 1) {
    const bool in_float = legacy_u8 || kind == graph::OperatorKind::kFullyConnected || kind == graph::OperatorKind::kBatchMatmul;
    const double real =
        in_float ? float_product_scale(input_scale, filter_scales[0], output_scale) : product_scale(input_scale, filter_scales[0], output_scale);
    std::fill(multipliers.begin(), multipliers.end(), quantize_multiplier(real));
    return multipliers;
  }
  for (std::size_t c = 0; c < std::min(channels, filter_scales.size()); ++c)
    multipliers[c] = quantize_multiplier(product_scale(input_scale, filter_scales[c], output_scale));
  return multipliers;
}

Range code_range(abi::ElementType type) noexcept {
  switch (type) {
    case abi::ElementType::kI8: return {-128, 127};
    case abi::ElementType::kU8: return {0, 255};
    case abi::ElementType::kI16: return {-32768, 32767};
    case abi::ElementType::kI32: return {kInt32Min, kInt32Max};
    default: return {};
  }
}

Range activation_range(graph::Activation activation, float scale, std::int32_t zero_point, abi::ElementType type) noexcept {
  const Range codes = code_range(type);
  const auto bounded = [&](float low, std::optional<float> high) {
    Range range = codes;
    range.min = saturate(std::clamp<std::int64_t>(code_of(low, scale, zero_point), codes.min, codes.max));
    if (high) range.max = saturate(std::clamp<std::int64_t>(code_of(*high, scale, zero_point), codes.min, codes.max));
    return range;
  };
  switch (activation) {
    case graph::Activation::kNone: return codes;
    case graph::Activation::kRelu: return bounded(0.0F, std::nullopt);
    case graph::Activation::kReluN1To1: return bounded(-1.0F, 1.0F);
    case graph::Activation::kRelu6: return bounded(0.0F, 6.0F);
  }
  return codes;
}

std::optional<std::int32_t> window_output(graph::Padding padding, std::int32_t input, std::int32_t filter, std::int32_t stride,
                                          std::int32_t dilation) noexcept {
  if (input < 1 || filter < 1 || stride < 1 || dilation < 1) return std::nullopt;
  const std::int64_t reach = (std::int64_t{filter} - 1) * dilation + 1;
  const std::int64_t room = padding == graph::Padding::kSame ? std::int64_t{input} - 1 : std::int64_t{input} - reach;
  if (room < 0) return std::nullopt;
  return static_cast<std::int32_t>(room / stride + 1);
}

PaddingAmounts window_padding(graph::Padding padding, std::int32_t input, std::int32_t filter, std::int32_t stride, std::int32_t dilation,
                              std::int32_t output) noexcept {
  if (padding == graph::Padding::kValid) return {};
  const std::int64_t reach = (std::int64_t{filter} - 1) * dilation + 1;
  const std::int64_t total = std::max<std::int64_t>((std::int64_t{output} - 1) * stride + reach - input, 0);
  return {saturate(total / 2), saturate(total - total / 2)};
}

AddParameters add_parameters(float a_scale, float b_scale, float output_scale, abi::ElementType type) noexcept {
  AddParameters parameters;
  parameters.left_shift = type == abi::ElementType::kI16 ? 15 : 20;
  const double twice_max = 2.0 * static_cast<double>(std::max(a_scale, b_scale));
  parameters.a = quantize_multiplier(static_cast<double>(a_scale) / twice_max);
  parameters.b = quantize_multiplier(static_cast<double>(b_scale) / twice_max);
  parameters.output = quantize_multiplier(twice_max / (static_cast<double>(1 << parameters.left_shift) * static_cast<double>(output_scale)));
  return parameters;
}

AddParameters sub_parameters(float a_scale, float b_scale, float output_scale, abi::ElementType type) noexcept {
  if (type == abi::ElementType::kU8) return add_parameters(a_scale, b_scale, output_scale, type);
  AddParameters parameters;
  parameters.left_shift = type == abi::ElementType::kI16 ? 15 : 20;
  const float twice_max = 2.0F * std::max(a_scale, b_scale);
  const float a = a_scale / twice_max;
  const float b = b_scale / twice_max;
  const float output = twice_max / (static_cast<float>(1 << parameters.left_shift) * output_scale);
  parameters.a = quantize_multiplier(static_cast<double>(a));
  parameters.b = quantize_multiplier(static_cast<double>(b));
  parameters.output = quantize_multiplier(static_cast<double>(output));
  return parameters;
}

Multiplier mul_multiplier(float a_scale, float b_scale, float output_scale) noexcept {
  return quantize_multiplier(product_scale(a_scale, b_scale, output_scale));
}

Multiplier mean_multiplier(float input_scale, float output_scale, std::uint64_t count) noexcept {
  Multiplier multiplier = quantize_multiplier(ratio_scale(input_scale, output_scale));
  if (count == 0) return multiplier;
  int shift = 63 - std::countl_zero(count);
  shift = std::min(shift, 32);
  shift = std::min(shift, 31 + multiplier.shift);
  multiplier.value = static_cast<std::int32_t>((std::int64_t{multiplier.value} << shift) / static_cast<std::int64_t>(count));
  multiplier.shift -= shift;
  return multiplier;
}

Multiplier sum_multiplier(float input_scale, float output_scale) noexcept { return quantize_multiplier(ratio_scale(input_scale, output_scale)); }

AddParameters squared_difference_parameters(float a_scale, float b_scale, float output_scale) noexcept {
  AddParameters parameters;
  parameters.left_shift = 7;
  const double twice_max = 2.0 * static_cast<double>(std::max(a_scale, b_scale));
  parameters.a = quantize_multiplier(static_cast<double>(a_scale) / twice_max);
  parameters.b = quantize_multiplier(static_cast<double>(b_scale) / twice_max);
  parameters.output = quantize_multiplier(twice_max * twice_max / (static_cast<double>(1 << (2 * parameters.left_shift)) * static_cast<double>(output_scale)));
  return parameters;
}

SlopeMultipliers leaky_relu_multipliers(float input_scale, float alpha, float output_scale) noexcept {
  const float negative = input_scale * alpha / output_scale;
  Multiplier multiplier = quantize_multiplier(static_cast<double>(std::abs(negative)));
  // A negative alpha gives a negative multiplier: what it multiplies is rounded by the same steps.
  if (negative < 0.0F) multiplier.value = -multiplier.value;
  return {quantize_multiplier(float_ratio_scale(input_scale, output_scale)), multiplier};
}

SlopeMultipliers prelu_multipliers(float input_scale, float alpha_scale, float output_scale) noexcept {
  return {quantize_multiplier(ratio_scale(input_scale, output_scale)), quantize_multiplier(product_scale(input_scale, alpha_scale, output_scale))};
}

ResizeParameters resize_bilinear_parameters(const graph::ResizeOptions& options, std::int32_t input, std::int32_t output) noexcept {
  const std::int64_t corner = options.align_corners && output > 1 ? 1 : 0;
  const std::int64_t from = std::int64_t{input} - corner;
  const std::int64_t to = std::max<std::int64_t>(std::int64_t{output} - corner, 1);
  ResizeParameters parameters;
  parameters.scale = saturate(((from << 10) + to / 2) / to);
  if (options.half_pixel_centers) parameters.offset = parameters.scale / 2 - (1 << 9);
  return parameters;
}

std::vector<std::int32_t> resize_nearest_indices(const graph::ResizeOptions& options, std::int32_t input, std::int32_t output) {
  std::vector<std::int32_t> indices(static_cast<std::size_t>(std::max(output, 0)));
  const bool aligned = options.align_corners && output > 1;
  const float scale = aligned ? static_cast<float>(input - 1) / static_cast<float>(output - 1) : static_cast<float>(input) / static_cast<float>(output);
  const float offset = options.half_pixel_centers ? 0.5F : 0.0F;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const float position = (static_cast<float>(i) + offset) * scale;
    const float index = options.align_corners ? std::round(position) : std::floor(position);
    // Compared in float first: past 2^31 the cast is undefined.
    indices[i] = index >= static_cast<float>(input) ? input - 1 : std::clamp(static_cast<std::int32_t>(index), 0, input - 1);
  }
  return indices;
}

std::optional<SoftmaxParameters> softmax_parameters(float beta, float input_scale) noexcept {
  const double real = std::min(static_cast<double>(beta) * static_cast<double>(input_scale) * static_cast<double>(1 << (31 - kSoftmaxIntegerBits)),
                               static_cast<double>(kInt32Max));
  if (!(real > 1.0)) return std::nullopt;
  const Multiplier multiplier = quantize_multiplier(real);
  SoftmaxParameters parameters;
  parameters.multiplier = multiplier.value;
  // At 31 the radius is 0: only the difference 0 counts, whatever its shift.
  parameters.left_shift = std::min(multiplier.shift, 30);
  const double radius =
      static_cast<double>((1 << kSoftmaxIntegerBits) - 1) * static_cast<double>(1LL << (31 - kSoftmaxIntegerBits)) / static_cast<double>(1LL << multiplier.shift);
  parameters.difference_min = -static_cast<std::int32_t>(std::floor(radius));
  return parameters;
}

std::int32_t multiply_by_quantized_multiplier(std::int32_t value, Multiplier multiplier) noexcept {
  const int left = std::max(multiplier.shift, 0);
  const int right = std::max(-multiplier.shift, 0);
  // 26: the left shift wraps in 32 bits.
  const auto shifted = static_cast<std::int32_t>(left > 31 ? 0U : static_cast<std::uint32_t>(value) << left);
  const std::int64_t product = std::int64_t{shifted} * multiplier.value;
  std::int64_t high = (product + (std::int64_t{1} << 30)) >> 31;
  if (shifted == kInt32Min && multiplier.value == kInt32Min) high = kInt32Max;
  if (right == 0) return static_cast<std::int32_t>(high);
  if (right > 31) return 0;
  return static_cast<std::int32_t>((high + (std::int64_t{1} << (right - 1)) + (high < 0 ? -1 : 0)) >> right);
}

std::int32_t quantize(float real, float scale, std::int32_t zero_point, Range range) noexcept {
  return saturate(std::clamp<std::int64_t>(code_of(real, scale, zero_point), range.min, range.max));
}

float dequantize(std::int32_t code, float scale, std::int32_t zero_point) noexcept {
  return static_cast<float>(static_cast<double>(scale) * (std::int64_t{code} - zero_point));
}

}  // namespace naru::sdk::numerics
