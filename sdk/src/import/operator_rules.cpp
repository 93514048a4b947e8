// What each kind of operator demands of its operands, options, types, quantisation and output shape. Rules, not arithmetic:
// "numerics N" says which rule of docs/spec/numerics.md a demand protects.
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include <fmt/format.h>

#include "import/refusal.h"
#include "import/verify.h"
#include "naru/base/bytes.h"
#include "numerics/numerics.h"

namespace naru::sdk {
namespace {

using abi::ElementType;
using graph::Graph;
using graph::Operator;
using graph::OperatorKind;
using graph::Shape;
using graph::Tensor;

/// Pools and means sum in 32 bits (numerics 8 and 15): this many differences of 8-bit codes always fit.
constexpr std::uint64_t kSummedElementsMax = std::uint64_t{1} << 23;

/// One operator with its graph: the questions that several rules ask.
class Rules {
 public:
  Rules(const Graph& graph, const Operator& op) : graph_(graph), op_(op) {}

  [[nodiscard]] const Tensor& input(std::size_t index) const { return graph_.tensor(op_.inputs[index]); }
  [[nodiscard]] const Tensor& output() const { return graph_.tensor(op_.outputs[0]); }
  [[nodiscard]] bool has_input(std::size_t index) const { return op_.input(index) != graph::kAbsent; }

  template <typename T>
  Result<const T*> options() const {
    const T* options = std::get_if<T>(&op_.options);
    if (options == nullptr) return refuse(ErrorId::kModelOptions, place_of(op_, "options"), "are missing or of another operator's kind");
    return options;
  }

  /// `required` operands must be there; up to `allowed` may be; one output.
  Result<void> operands(std::size_t required, std::size_t allowed) const {
    if (op_.inputs.size() < required || op_.inputs.size() > allowed)
      return refuse(ErrorId::kModelOptions, place_of(op_, "inputs"),
                    required == allowed ? fmt::format("has {}; must have {}", op_.inputs.size(), required)
                                        : fmt::format("has {}; must have {} to {}", op_.inputs.size(), required, allowed));
    for (std::size_t i = 0; i < required; ++i)
      if (!has_input(i)) return refuse(ErrorId::kModelTensorIndex, place_of(op_, "inputs"), fmt::format("operand {} is left out, but is not optional", i));
    if (op_.outputs.size() != 1) return refuse(ErrorId::kModelOptions, place_of(op_, "outputs"), fmt::format("has {}; must have 1", op_.outputs.size()));
    return {};
  }

  Result<void> type(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
    if (std::find(allowed.begin(), allowed.end(), tensor.type) != allowed.end()) return {};
    std::string names;
    for (ElementType type : allowed) names += (names.empty() ? "" : " or ") + std::string(abi::name_of(type));
    return refuse(ErrorId::kModelTypeUnsupported, place_of(op_, tensor, "type"), fmt::format("is {}; this operator takes {}", abi::name_of(tensor.type), names));
  }

  /// An integer tensor with one scale and zero point.
  Result<void> quantized(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
    NARU_CHECK_OK(type(tensor, allowed));
    if (!tensor.quantization) return refuse(ErrorId::kModelQuantization, place_of(op_, tensor, "quantization"), "is missing");
    if (tensor.quantization->per_channel())
      return refuse(ErrorId::kModelQuantization, place_of(op_, tensor, "quantization.scale"), "has one value per channel; an activation has one");
    return {};
  }
  Result<void> int8(const Tensor& tensor) const { return quantized(tensor, {ElementType::kI8}); }

  /// For operators that do not rescale: codes must mean the same on both sides.
  Result<void> same_quantization(const Tensor& a, const Tensor& b) const {
    const float difference = std::abs(a.scale() - b.scale());
    if (a.zero_point() == b.zero_point() && difference <= 1.0e-6F * std::max(1.0F, std::max(a.scale(), b.scale()))) return {};
    return refuse(ErrorId::kModelQuantization, place_of(op_, a, "quantization"),
                  fmt::format("is scale {} zero point {}, and tensor {}'s is scale {} zero point {}; this operator does not rescale", a.scale(), a.zero_point(),
                              b.file_index, b.scale(), b.zero_point()));
  }

  Result<void> rank(const Tensor& tensor, std::size_t rank) const {
    if (tensor.shape.size() == rank) return {};
    return refuse(ErrorId::kModelShape, place_of(op_, tensor, "shape"), fmt::format("{} has {} dimensions; must have {}", graph::to_string(tensor.shape), tensor.shape.size(), rank));
  }

  Result<void> constant(const Tensor& tensor) const {
    if (tensor.is_constant()) return {};
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(op_, tensor, "buffer"), "is computed at run time; this operator needs a constant");
  }

  Result<void> positive(std::int32_t value, std::string_view field) const {
    if (value >= 1) return {};
    return refuse(ErrorId::kModelOptions, place_of(op_, field), fmt::format("is {}; must be at least 1", value));
  }

  Result<void> option(bool holds, std::string_view field, std::string_view message) const {
    if (holds) return {};
    return refuse(ErrorId::kModelOptions, place_of(op_, field), message);
  }

  Result<void> output_shape(std::span<const std::int32_t> expected) const {
    if (std::equal(expected.begin(), expected.end(), output().shape.begin(), output().shape.end())) return {};
    return refuse(ErrorId::kModelShape, place_of(op_, output(), "shape"),
                  fmt::format("is {}; inputs and options give {}", graph::to_string(output().shape), graph::to_string(expected)));
  }

  Result<void> shape(bool holds, const Tensor& tensor, std::string_view message) const {
    if (holds) return {};
    return refuse(ErrorId::kModelShape, place_of(op_, tensor, "shape"), message);
  }

  /// A rescale that the device's shift of at most 30 to the left can express.
  Result<void> rescale(double real) const {
    if (std::isfinite(real) && real < 1073741824.0) return {};
    return refuse(ErrorId::kModelQuantization, place_of(op_, output(), "quantization.scale"), fmt::format("needs a rescale by {}; the largest is below 2^30", real));
  }

  [[nodiscard]] const Operator& op() const { return op_; }

 private:
  const Graph& graph_;
  const Operator& op_;
};

/// Filter and bias of the three operators with weights; `channels` outputs, quantised along `axis` of the filter.
Result<void> verify_weights(const Rules& rules, std::int32_t channels, std::int32_t axis) {
  const Tensor& filter = rules.input(1);
  const auto& scales = filter.quantization->scales;
  if (filter.quantization->per_channel() && filter.quantization->axis != axis)
    return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization.quantized_dimension"),
                  fmt::format("is {}; output channels are dimension {}", filter.quantization->axis, axis));
  // Numerics 5 and 6: only a matrix product with one scale may have weights with a zero point.
  const bool zero_allowed = rules.op().kind == OperatorKind::kFullyConnected && !filter.quantization->per_channel();
  for (std::int32_t zero_point : filter.quantization->zero_points)
    if (zero_point != 0 && !zero_allowed)
      return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization.zero_point"), fmt::format("is {}; weights must have 0", zero_point));
  for (float scale : scales)
    NARU_CHECK_OK(rules.rescale(rules.op().kind == OperatorKind::kFullyConnected && scales.size() == 1
                                    ? numerics::float_product_scale(rules.input(0).scale(), scale, rules.output().scale())
                                    : numerics::product_scale(rules.input(0).scale(), scale, rules.output().scale())));

  if (!rules.has_input(2)) return {};
  const Tensor& bias = rules.input(2);
  NARU_CHECK_OK(rules.type(bias, {ElementType::kI32}));
  NARU_CHECK_OK(rules.constant(bias));
  NARU_CHECK_OK(rules.shape(graph::element_count(bias) == static_cast<std::uint64_t>(channels), bias,
                            fmt::format("is {}; there are {} output channels", graph::to_string(bias.shape), channels)));
  if (!bias.quantization) return {};
  for (std::int32_t zero_point : bias.quantization->zero_points)
    if (zero_point != 0)
      return refuse(ErrorId::kModelQuantization, place_of(rules.op(), bias, "quantization.zero_point"), fmt::format("is {}; a bias must have 0", zero_point));
  // The accumulator has the scale of the product; a bias of another scale would be added as if it had that one. TFLite's tolerance.
  if (rules.op().kind == OperatorKind::kFullyConnected && scales.size() == 1 && !bias.quantization->per_channel()) {
    const double product = static_cast<double>(rules.input(0).scale()) * static_cast<double>(scales[0]);
    if (std::abs(product - static_cast<double>(bias.scale())) / static_cast<double>(rules.output().scale()) > 0.02)
      return refuse(ErrorId::kModelQuantization, place_of(rules.op(), bias, "quantization.scale"),
                    fmt::format("is {}; input and weights give {}", bias.scale(), product));
  }
  return {};
}

/// Types and ranks that CONV_2D and DEPTHWISE_CONV_2D share, and their window.
Result<Shape> verify_window_with_filter(const Rules& rules, const graph::ConvOptions& options, std::int32_t channels) {
  const Tensor& input = rules.input(0);
  const Tensor& filter = rules.input(1);
  NARU_CHECK_OK(rules.positive(options.stride_h, "stride_h"));
  NARU_CHECK_OK(rules.positive(options.stride_w, "stride_w"));
  NARU_CHECK_OK(rules.positive(options.dilation_h, "dilation_h_factor"));
  NARU_CHECK_OK(rules.positive(options.dilation_w, "dilation_w_factor"));
  const auto rows = numerics::window_output(options.padding, input.shape[1], filter.shape[1], options.stride_h, options.dilation_h);
  const auto columns = numerics::window_output(options.padding, input.shape[2], filter.shape[2], options.stride_w, options.dilation_w);
  if (!rows || !columns) return refuse(ErrorId::kModelShape, place_of(rules.op(), filter, "shape"), fmt::format("{} does not fit into the input {}", graph::to_string(filter.shape), graph::to_string(input.shape)));
  return Shape{input.shape[0], *rows, *columns, channels};
}

Result<void> verify_operands_with_weights(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(2, 3));
  NARU_CHECK_OK(rules.int8(rules.input(0)));
  NARU_CHECK_OK(rules.int8(rules.output()));
  NARU_CHECK_OK(rules.type(rules.input(1), {ElementType::kI8}));
  NARU_CHECK_OK(rules.constant(rules.input(1)));
  if (!rules.input(1).quantization) return refuse(ErrorId::kModelQuantization, place_of(rules.op(), rules.input(1), "quantization"), "is missing");
  return {};
}

Result<void> verify_conv(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::ConvOptions>());
  NARU_CHECK_OK(verify_operands_with_weights(rules));
  const Tensor& input = rules.input(0);
  const Tensor& filter = rules.input(1);
  NARU_CHECK_OK(rules.rank(input, 4));
  NARU_CHECK_OK(rules.rank(filter, 4));
  const bool depthwise = rules.op().kind == OperatorKind::kDepthwiseConv2d;
  const std::int32_t channels = depthwise ? filter.shape[3] : filter.shape[0];
  if (depthwise) {
    NARU_CHECK_OK(rules.shape(filter.shape[0] == 1, filter, fmt::format("is {}; its first dimension must be 1", graph::to_string(filter.shape))));
    NARU_CHECK_OK(rules.shape(channels % input.shape[3] == 0, filter, fmt::format("gives {} channels, not a multiple of the input's {}", channels, input.shape[3])));
    NARU_CHECK_OK(rules.option(options->depth_multiplier == channels / input.shape[3], "depth_multiplier",
                               fmt::format("is {}; filter and input give {}", options->depth_multiplier, channels / input.shape[3])));
  } else {
    NARU_CHECK_OK(rules.shape(input.shape[3] % filter.shape[3] == 0, filter,
                              fmt::format("reads {} channels; the input's {} are not a multiple of that", filter.shape[3], input.shape[3])));
    const std::int32_t groups = input.shape[3] / filter.shape[3];
    NARU_CHECK_OK(rules.shape(channels % groups == 0, filter, fmt::format("gives {} channels, which {} groups cannot share", channels, groups)));
  }
  NARU_TRY(const Shape expected, verify_window_with_filter(rules, *options, channels));
  NARU_CHECK_OK(rules.output_shape(expected));
  return verify_weights(rules, channels, depthwise ? 3 : 0);
}

Result<void> verify_fully_connected(const Rules& rules) {
  NARU_TRY([[maybe_unused]] const auto* options, rules.options<graph::FullyConnectedOptions>());
  NARU_CHECK_OK(verify_operands_with_weights(rules));
  const Tensor& input = rules.input(0);
  const Tensor& filter = rules.input(1);
  const Tensor& output = rules.output();
  NARU_CHECK_OK(rules.rank(filter, 2));
  const auto depth = static_cast<std::uint64_t>(filter.shape[1]);
  const auto channels = static_cast<std::uint64_t>(filter.shape[0]);
  NARU_CHECK_OK(rules.shape(graph::element_count(input) % depth == 0, input,
                            fmt::format("{} does not divide into rows of the filter's {}", graph::to_string(input.shape), depth)));
  // Outer dimensions may be kept or flattened (keep_num_dims); the rows are the same either way.
  const std::uint64_t rows = graph::element_count(input) / depth;
  const bool fits = !output.shape.empty() && static_cast<std::uint64_t>(output.shape.back()) == channels && graph::element_count(output) == rows * channels;
  NARU_CHECK_OK(rules.shape(fits, output, fmt::format("is {}; inputs and filter give {} rows of {}", graph::to_string(output.shape), rows, channels)));
  return verify_weights(rules, filter.shape[0], 0);
}

Result<void> verify_pool(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::PoolOptions>());
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.int8(input));
  NARU_CHECK_OK(rules.int8(rules.output()));
  NARU_CHECK_OK(rules.rank(input, 4));
  NARU_CHECK_OK(rules.positive(options->stride_h, "stride_h"));
  NARU_CHECK_OK(rules.positive(options->stride_w, "stride_w"));
  NARU_CHECK_OK(rules.positive(options->filter_h, "filter_height"));
  NARU_CHECK_OK(rules.positive(options->filter_w, "filter_width"));
  const std::uint64_t taps = static_cast<std::uint64_t>(std::min(options->filter_h, input.shape[1])) * static_cast<std::uint64_t>(std::min(options->filter_w, input.shape[2]));
  if (taps > kSummedElementsMax)
    return refuse(ErrorId::kModelLimit, place_of(rules.op(), "filter_height"), fmt::format("a window covers {} elements; the limit is {}", taps, kSummedElementsMax));
  const auto rows = numerics::window_output(options->padding, input.shape[1], options->filter_h, options->stride_h, 1);
  const auto columns = numerics::window_output(options->padding, input.shape[2], options->filter_w, options->stride_w, 1);
  NARU_CHECK_OK(rules.option(rows && columns, "filter_height", fmt::format("a window of {}x{} does not fit into the input {}", options->filter_h, options->filter_w,
                                                                           graph::to_string(input.shape))));
  NARU_CHECK_OK(rules.output_shape(Shape{input.shape[0], *rows, *columns, input.shape[3]}));
  return rules.same_quantization(input, rules.output());
}

Result<void> verify_elementwise(const Rules& rules) {
  NARU_TRY([[maybe_unused]] const auto* options, rules.options<graph::ElementwiseOptions>());
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& a = rules.input(0);
  const Tensor& b = rules.input(1);
  NARU_CHECK_OK(rules.int8(a));
  NARU_CHECK_OK(rules.int8(b));
  NARU_CHECK_OK(rules.int8(rules.output()));
  Shape expected(std::max(a.shape.size(), b.shape.size()));
  for (std::size_t i = 1; i <= expected.size(); ++i) {
    const std::int32_t from_a = i <= a.shape.size() ? a.shape[a.shape.size() - i] : 1;
    const std::int32_t from_b = i <= b.shape.size() ? b.shape[b.shape.size() - i] : 1;
    NARU_CHECK_OK(rules.shape(from_a == from_b || from_a == 1 || from_b == 1, b,
                              fmt::format("{} and {} do not broadcast", graph::to_string(a.shape), graph::to_string(b.shape))));
    expected[expected.size() - i] = std::max(from_a, from_b);
  }
  NARU_CHECK_OK(rules.output_shape(expected));
  if (rules.op().kind == OperatorKind::kMul) return rules.rescale(numerics::product_scale(a.scale(), b.scale(), rules.output().scale()));
  const double twice_max = 2.0 * static_cast<double>(std::max(a.scale(), b.scale()));
  return rules.rescale(twice_max / (1048576.0 * static_cast<double>(rules.output().scale())));
}

Result<void> verify_pad(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::PadOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.int8(input));
  NARU_CHECK_OK(rules.int8(rules.output()));
  NARU_CHECK_OK(rules.option(options->before.size() == input.shape.size() && options->after.size() == input.shape.size(), "paddings",
                             fmt::format("are given for {} dimensions; the input has {}", options->before.size(), input.shape.size())));
  Shape expected;
  for (std::size_t i = 0; i < input.shape.size(); ++i) {
    NARU_CHECK_OK(rules.option(options->before[i] >= 0 && options->after[i] >= 0, "paddings", fmt::format("are negative in dimension {}", i)));
    const std::int64_t extent = std::int64_t{input.shape[i]} + options->before[i] + options->after[i];
    NARU_CHECK_OK(rules.option(extent <= std::numeric_limits<std::int32_t>::max(), "paddings", fmt::format("make dimension {} {} long", i, extent)));
    expected.push_back(static_cast<std::int32_t>(extent));
  }
  NARU_CHECK_OK(rules.output_shape(expected));
  return rules.same_quantization(input, rules.output());
}

Result<void> verify_mean(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::ReduceOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.int8(input));
  NARU_CHECK_OK(rules.int8(rules.output()));
  NARU_CHECK_OK(rules.option(!options->axes.empty(), "axes", "are none"));
  std::int32_t previous = -1;
  std::uint64_t reduced = 1;
  for (std::int32_t axis : options->axes) {
    NARU_CHECK_OK(rules.option(axis > previous && static_cast<std::size_t>(axis) < input.shape.size(), "axes",
                               fmt::format("have {}; the input has {} dimensions", axis, input.shape.size())));
    reduced *= static_cast<std::uint64_t>(input.shape[static_cast<std::size_t>(axis)]);
    previous = axis;
  }
  if (reduced > kSummedElementsMax)
    return refuse(ErrorId::kModelLimit, place_of(rules.op(), "axes"), fmt::format("reduce {} elements to one; the limit is {}", reduced, kSummedElementsMax));
  Shape expected;
  for (std::size_t i = 0; i < input.shape.size(); ++i) {
    const bool is_reduced = std::find(options->axes.begin(), options->axes.end(), static_cast<std::int32_t>(i)) != options->axes.end();
    if (!is_reduced) expected.push_back(input.shape[i]);
    else if (options->keep_dims) expected.push_back(1);
  }
  NARU_CHECK_OK(rules.output_shape(expected));
  return rules.rescale(numerics::ratio_scale(input.scale(), rules.output().scale()));
}

/// RESHAPE and TRANSPOSE move bytes: any type, the same on both sides.
Result<void> verify_same_type(const Rules& rules) {
  if (rules.input(0).type == rules.output().type) return {};
  return refuse(ErrorId::kModelTypeUnsupported, place_of(rules.op(), rules.output(), "type"),
                fmt::format("is {}; the input's is {}", abi::name_of(rules.output().type), abi::name_of(rules.input(0).type)));
}

Result<void> verify_reshape(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 2));
  NARU_CHECK_OK(verify_same_type(rules));
  const Tensor& input = rules.input(0);
  return rules.shape(graph::element_count(input) == graph::element_count(rules.output()), rules.output(),
                     fmt::format("{} has not as many elements as the input {}", graph::to_string(rules.output().shape), graph::to_string(input.shape)));
}

Result<void> verify_transpose(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::TransposeOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.type(input, {ElementType::kI8, ElementType::kU8}));
  NARU_CHECK_OK(verify_same_type(rules));
  NARU_CHECK_OK(rules.option(options->permutation.size() == input.shape.size(), "permutation",
                             fmt::format("has {} entries; the input has {} dimensions", options->permutation.size(), input.shape.size())));
  std::vector<bool> seen(input.shape.size());
  Shape expected;
  for (std::int32_t from : options->permutation) {
    const bool valid = from >= 0 && static_cast<std::size_t>(from) < input.shape.size() && !seen[static_cast<std::size_t>(from)];
    NARU_CHECK_OK(rules.option(valid, "permutation", fmt::format("has {}, which is repeated or is no dimension", from)));
    seen[static_cast<std::size_t>(from)] = true;
    expected.push_back(input.shape[static_cast<std::size_t>(from)]);
  }
  return rules.output_shape(expected);
}

Result<void> verify_softmax(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::SoftmaxOptions>());
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  const Tensor& output = rules.output();
  NARU_CHECK_OK(rules.int8(input));
  NARU_CHECK_OK(rules.int8(output));
  NARU_CHECK_OK(rules.shape(!input.shape.empty(), input, "is a scalar; a row is needed"));
  NARU_CHECK_OK(rules.output_shape(input.shape));
  NARU_CHECK_OK(rules.option(std::isfinite(options->beta) && options->beta > 0.0F, "beta", fmt::format("is {}; must be finite and over 0", options->beta)));
  if (!numerics::softmax_parameters(options->beta, input.scale()))
    return refuse(ErrorId::kModelQuantization, place_of(rules.op(), input, "quantization.scale"), fmt::format("is {}; beta * scale must be over 2^-26", input.scale()));
  // Numerics 11: the sum of a row is kept in 12 integer bits, each term at most 1.
  NARU_CHECK_OK(rules.shape(input.shape.back() <= 4095, input, fmt::format("has rows of {}; at most 4095 can be summed", input.shape.back())));
  if (output.zero_point() != -128 || std::abs(output.scale() - numerics::kSoftmaxOutputScale) > 1.0e-3F * numerics::kSoftmaxOutputScale)
    return refuse(ErrorId::kModelQuantization, place_of(rules.op(), output, "quantization"),
                  fmt::format("is scale {} zero point {}; must be 1/256 and -128", output.scale(), output.zero_point()));
  return {};
}

Result<void> verify_relu(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  NARU_CHECK_OK(rules.int8(rules.input(0)));
  NARU_CHECK_OK(rules.int8(rules.output()));
  NARU_CHECK_OK(rules.output_shape(rules.input(0).shape));
  return rules.rescale(numerics::float_ratio_scale(rules.input(0).scale(), rules.output().scale()));
}

Result<void> verify_concatenation(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::ConcatenationOptions>());
  NARU_CHECK_OK(rules.operands(1, std::numeric_limits<std::size_t>::max()));
  if (options->activation != graph::Activation::kNone)
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(rules.op(), "fused_activation_function"), fmt::format("is {}; must be none", graph::name_of(options->activation)));
  const Tensor& output = rules.output();
  NARU_CHECK_OK(rules.int8(output));
  Shape expected;
  std::int64_t extent = 0;
  for (std::size_t i = 0; i < rules.op().inputs.size(); ++i) {
    if (!rules.has_input(i)) return refuse(ErrorId::kModelTensorIndex, place_of(rules.op(), "inputs"), fmt::format("operand {} is left out, but is not optional", i));
    const Tensor& input = rules.input(i);
    NARU_CHECK_OK(rules.int8(input));
    if (i == 0) {
      NARU_CHECK_OK(rules.option(options->axis >= 0 && static_cast<std::size_t>(options->axis) < input.shape.size(), "axis",
                                 fmt::format("is {}; the inputs have {} dimensions", options->axis, input.shape.size())));
      expected = input.shape;
    }
    Shape others = input.shape;
    NARU_CHECK_OK(rules.shape(others.size() == expected.size(), input, fmt::format("{} has another number of dimensions than the first input", graph::to_string(input.shape))));
    const auto axis = static_cast<std::size_t>(options->axis);
    extent += others[axis];
    others[axis] = expected[axis];
    NARU_CHECK_OK(rules.shape(others == expected, input, fmt::format("{} differs from the first input outside dimension {}", graph::to_string(input.shape), axis)));
    NARU_CHECK_OK(rules.same_quantization(input, output));
  }
  NARU_CHECK_OK(rules.option(extent <= std::numeric_limits<std::int32_t>::max(), "axis", fmt::format("would become {} long", extent)));
  expected[static_cast<std::size_t>(options->axis)] = static_cast<std::int32_t>(extent);
  return rules.output_shape(expected);
}

Result<void> verify_quantize(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.quantized(rules.output(), {ElementType::kI8, ElementType::kU8}));
  NARU_CHECK_OK(rules.type(input, {ElementType::kF32, ElementType::kI8, ElementType::kU8}));
  NARU_CHECK_OK(rules.output_shape(input.shape));
  if (input.type == ElementType::kF32) return {};
  NARU_CHECK_OK(rules.quantized(input, {ElementType::kI8, ElementType::kU8}));
  return rules.rescale(numerics::ratio_scale(input.scale(), rules.output().scale()));
}

Result<void> verify_dequantize(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  NARU_CHECK_OK(rules.quantized(rules.input(0), {ElementType::kI8, ElementType::kU8}));
  NARU_CHECK_OK(rules.type(rules.output(), {ElementType::kF32}));
  return rules.output_shape(rules.input(0).shape);
}

}  // namespace

Result<void> verify_operator(const Graph& graph, const Operator& op) {
  const Rules rules(graph, op);
  switch (op.kind) {
    case OperatorKind::kConv2d:
    case OperatorKind::kDepthwiseConv2d: return verify_conv(rules);
    case OperatorKind::kFullyConnected: return verify_fully_connected(rules);
    case OperatorKind::kAveragePool2d:
    case OperatorKind::kMaxPool2d: return verify_pool(rules);
    case OperatorKind::kAdd:
    case OperatorKind::kMul: return verify_elementwise(rules);
    case OperatorKind::kPad: return verify_pad(rules);
    case OperatorKind::kMean: return verify_mean(rules);
    case OperatorKind::kReshape: return verify_reshape(rules);
    case OperatorKind::kSoftmax: return verify_softmax(rules);
    case OperatorKind::kRelu:
    case OperatorKind::kRelu6: return verify_relu(rules);
    case OperatorKind::kConcatenation: return verify_concatenation(rules);
    case OperatorKind::kTranspose: return verify_transpose(rules);
    case OperatorKind::kQuantize: return verify_quantize(rules);
    case OperatorKind::kDequantize: return verify_dequantize(rules);
  }
  return refuse(ErrorId::kModelOperatorUnknown, place_of(op), "is of a kind that Naru does not know");
}

}  // namespace naru::sdk
