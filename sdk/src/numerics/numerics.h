// Scales into integers: the multipliers, shifts and bounds that the compiler gives to the device and that host steps use.
// The order of float and double operations is part of the result (shared with TFLite's kernels, "numerics N" is the rule's number).
// Nothing here computes an operator; the device and reference/ own their arithmetic.
#pragma once

#include <array>
#include <cstddef>
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
/// With it a rescaled value is the value itself.
inline constexpr Multiplier kUnchanged{1 << 30, 1};

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

/// One multiplier per output channel of a CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, BATCH_MATMUL (filter: the right side) or FULLY_CONNECTED of
/// `channels` outputs; a single filter scale is repeated. `legacy_u8`: activations are u8, and the product of the scales is rounded to float (numerics 24).
[[nodiscard]] std::vector<Multiplier> channel_multipliers(graph::OperatorKind kind, float input_scale, std::span<const float> filter_scales,
                                                          float output_scale, std::size_t channels, bool legacy_u8 = false);

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

/// Numerics 9: ADD. Both operands are shifted left by left_shift, rescaled, combined, and rescaled.
struct AddParameters {
  std::int32_t left_shift = 20;
  Multiplier a, b, output;
};
[[nodiscard]] AddParameters add_parameters(float a_scale, float b_scale, float output_scale, abi::ElementType type) noexcept;

/// SUB: TFLite Micro's kernel divides the scales in float (i8, i16); u8 is as ADD.
[[nodiscard]] AddParameters sub_parameters(float a_scale, float b_scale, float output_scale, abi::ElementType type) noexcept;

/// Numerics 10.
[[nodiscard]] Multiplier mul_multiplier(float a_scale, float b_scale, float output_scale) noexcept;

/// Numerics 15: the division by `count` (at least 1) is folded into the multiplier.
[[nodiscard]] Multiplier mean_multiplier(float input_scale, float output_scale, std::uint64_t count) noexcept;

/// SUM (numerics 15 without the division).
[[nodiscard]] Multiplier sum_multiplier(float input_scale, float output_scale) noexcept;

/// Numerics 23: SQUARED_DIFFERENCE of 8-bit codes: left_shift 7.
[[nodiscard]] AddParameters squared_difference_parameters(float a_scale, float b_scale, float output_scale) noexcept;

/// Numerics 14: what multiplies differences from the input zero point that are at least 0, and those below (PRELU: their product with alpha's).
struct SlopeMultipliers {
  Multiplier positive, negative;
};
[[nodiscard]] SlopeMultipliers leaky_relu_multipliers(float input_scale, float alpha, float output_scale) noexcept;
[[nodiscard]] SlopeMultipliers prelu_multipliers(float input_scale, float alpha_scale, float output_scale) noexcept;

/// Entry i is the output's code for the i-th code of the input, lowest first; codes as bytes.
using CodeTable = std::array<std::byte, 256>;
/// Every operator that maps one 8-bit code (i8, u8) to one 8-bit code, as the reference kernels would compute it (numerics 12 to 16, 23): RELU and its
/// kind, LOGISTIC, TANH, HARD_SWISH, LEAKY_RELU, ELU, GELU, ABS, NEG, SQUARE, SQRT, RSQRT, EXP, LOG, SIN, COS, FLOOR, CEIL, ROUND, QUANTIZE from code to
/// code. nullopt for other kinds and types, and where a tensor has no single scale.
[[nodiscard]] std::optional<CodeTable> unary_table(const graph::Operator& op, const graph::Tensor& input, const graph::Tensor& output);
/// Numerics 18: what CONCATENATION of u8 does, in float, to an operand whose quantisation is not the output's.
[[nodiscard]] CodeTable concatenation_table(const graph::Tensor& input, const graph::Tensor& output);

/// Numerics 25: what scales an i16 input of LOGISTIC or TANH (and of the LSTM's gates and cell) onto the sigmoid table.
struct CurveParameters {
  std::int32_t multiplier = 0;
  std::int32_t shift = 0;  // right
};
[[nodiscard]] CurveParameters logistic_i16_parameters(float input_scale) noexcept;
[[nodiscard]] CurveParameters tanh_i16_parameters(float input_scale) noexcept;

/// Numerics 17: position of output index i along one dimension, in 1/1024 of an input element: i * scale + offset.
struct ResizeParameters {
  std::int32_t scale = 1024;
  std::int32_t offset = 0;
};
[[nodiscard]] ResizeParameters resize_bilinear_parameters(const graph::ResizeOptions& options, std::int32_t input, std::int32_t output) noexcept;
/// Numerics 17: for each output index the input index that RESIZE_NEAREST_NEIGHBOR takes.
[[nodiscard]] std::vector<std::int32_t> resize_nearest_indices(const graph::ResizeOptions& options, std::int32_t input, std::int32_t output);

/// Numerics 21: SVDF.
struct SvdfParameters {
  Multiplier feature, output;
};
[[nodiscard]] SvdfParameters svdf_parameters(float input_scale, float feature_scale, float state_scale, float time_scale, float output_scale) noexcept;

/// Numerics 22: UNIDIRECTIONAL_SEQUENCE_LSTM, 8-bit activations and weights, 16-bit cell. Gates in the file's order: input, forget, cell, output.
struct LstmParameters {
  std::array<Multiplier, 4> from_input, from_hidden;  // FULLY_CONNECTED to i16 at scale 2^-12
  Multiplier forget_times_cell, input_times_cell_gate;
  CurveParameters gate_sigmoid, gate_tanh, cell_tanh;
  Multiplier output;                                  // output gate times tanh(cell), to the hidden state's 8 bits
  std::int32_t output_zero = 0;
  std::int32_t cell_clip = 0;                         // in codes; 0: none
};
/// From the operator's tensors (graph.h, LstmOptions). nullopt when the cell's scale is no power of two or a tensor lacks its quantisation.
[[nodiscard]] std::optional<LstmParameters> lstm_parameters(const graph::Graph& graph, const graph::Operator& op);

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
