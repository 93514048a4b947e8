// Scales into integers: the multipliers, shifts and bounds that the compiler gives to the device and that host steps use.
// The order of float and double operations is part of the result (shared with TFLite's kernels, "numerics N" is the rule's number).
// Nothing here computes an operator; the device and reference/ own their arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "naru/abi/types.h"

namespace naru::sdk::numerics {

/// value * 2^(shift - 31), value in Q31 (2^30 to 2^31 - 1, or 0); shift > 0 is to the left, -31 to 30 or more.
struct Multiplier {
  std::int32_t value = 0;
  std::int32_t shift = 0;
  friend bool operator==(const Multiplier&, const Multiplier&) = default;
};

struct Range {
  std::int32_t min = 0;
  std::int32_t max = 0;
  friend bool operator==(const Range&, const Range&) = default;
};

/// Numerics 2. `real` is finite and not negative; 0 and what is under 2^-32 give {0, 0}.
[[nodiscard]] Multiplier quantize_multiplier(double real) noexcept;

/// Numerics 3: CONV_2D, DEPTHWISE_CONV_2D, and FULLY_CONNECTED with one scale per channel.
[[nodiscard]] double product_scale(float input, float filter, float output) noexcept;
/// Numerics 3: FULLY_CONNECTED with one scale: the product is rounded to float before the division.
[[nodiscard]] double float_product_scale(float input, float filter, float output) noexcept;
/// Numerics 3: QUANTIZE from integer to integer, and MEAN before its division.
[[nodiscard]] double ratio_scale(float input, float output) noexcept;
/// Numerics 3: RELU and RELU6 on their own: divided in float.
[[nodiscard]] double float_ratio_scale(float input, float output) noexcept;

/// One multiplier per output channel of a CONV_2D, DEPTHWISE_CONV_2D or FULLY_CONNECTED of `channels` outputs; a single filter scale is repeated.
[[nodiscard]] std::vector<Multiplier> channel_multipliers(graph::OperatorKind kind, float input_scale, std::span<const float> filter_scales,
                                                          float output_scale, std::size_t channels);

/// All codes of an integer type; {0, 0} for types without codes.
[[nodiscard]] Range code_range(abi::ElementType type) noexcept;
/// Numerics 4: codes that a fused activation lets through.
[[nodiscard]] Range activation_range(graph::Activation activation, float scale, std::int32_t zero_point, abi::ElementType type) noexcept;

/// Rows (or columns) added around an image.
struct PaddingAmounts {
  std::int32_t before = 0;
  std::int32_t after = 0;
  friend bool operator==(const PaddingAmounts&, const PaddingAmounts&) = default;
};
/// Output size of a windowed operator along one dimension; nullopt when the window does not fit or a number is not positive.
[[nodiscard]] std::optional<std::int32_t> window_output(graph::Padding padding, std::int32_t input, std::int32_t filter, std::int32_t stride,
                                                        std::int32_t dilation) noexcept;
/// Numerics 7: none for kValid. Saturates where 32 bits do not hold an amount.
[[nodiscard]] PaddingAmounts window_padding(graph::Padding padding, std::int32_t input, std::int32_t filter, std::int32_t stride, std::int32_t dilation,
                                            std::int32_t output) noexcept;

/// Numerics 9: ADD and SUB. Both operands are shifted left by left_shift, rescaled, combined, and rescaled.
struct AddParameters {
  std::int32_t left_shift = 20;
  Multiplier a, b, output;
};
[[nodiscard]] AddParameters add_parameters(float a_scale, float b_scale, float output_scale, abi::ElementType type) noexcept;

/// Numerics 10.
[[nodiscard]] Multiplier mul_multiplier(float a_scale, float b_scale, float output_scale) noexcept;

/// Numerics 15: the division by `count` (at least 1) is folded into the multiplier.
[[nodiscard]] Multiplier mean_multiplier(float input_scale, float output_scale, std::uint64_t count) noexcept;

/// Numerics 11: multiplier and left shift (0 to 30) of the differences from the row's maximum; differences below difference_min count as nothing.
struct SoftmaxParameters {
  std::int32_t multiplier = 0;
  std::int32_t left_shift = 0;
  std::int32_t difference_min = 0;
};
/// nullopt when beta * scale * 2^26 is not over 1: TFLite's kernels refuse it.
[[nodiscard]] std::optional<SoftmaxParameters> softmax_parameters(float beta, float input_scale) noexcept;
/// The output of SOFTMAX has this scale, and the type's lowest code as its zero point.
inline constexpr float kSoftmaxOutputScale = 1.0F / 256.0F;

/// Numerics 1: MBQM with double rounding, for host steps.
[[nodiscard]] std::int32_t multiply_by_quantized_multiplier(std::int32_t value, Multiplier multiplier) noexcept;
/// Numerics 16: real to code and back. NaN becomes the zero point.
[[nodiscard]] std::int32_t quantize(float real, float scale, std::int32_t zero_point, Range range) noexcept;
[[nodiscard]] float dequantize(std::int32_t code, float scale, std::int32_t zero_point) noexcept;

}  // namespace naru::sdk::numerics
