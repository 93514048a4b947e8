// What windows, pools, sums, softmax and conversions demand of their operands, options, types, quantisation and output shape. Rules, not arithmetic:
// "numerics N" says which rule of docs/spec/numerics.md a demand protects.
#include "import/rules.h"

namespace naru::sdk {
namespace {

Result<void> verify_float_bias(const Rules& rules, std::int32_t channels) {
  if (!rules.has_input(2)) return {};
  const Tensor& bias = rules.input(2);
  NARU_CHECK_OK(rules.type(bias, {ElementType::kF32}));
  return rules.shape(graph::element_count(bias) == static_cast<std::uint64_t>(channels), bias, fmt::format("is {}; there are {} output channels", graph::to_string(bias.shape), channels));
}

/// Filter and bias of the three operators with weights; `channels` outputs, quantised along `axis` of the filter.
Result<void> verify_weights(const Rules& rules, std::int32_t channels, std::int32_t axis) {
  const Tensor& filter = rules.input(1);
  if (filter.type == ElementType::kF32) return verify_float_bias(rules, channels);
  const auto& scales = filter.quantization->scales;
  if (filter.quantization->per_channel() && filter.quantization->axis != axis)
    return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization.quantized_dimension"),
                  fmt::format("is {}; output channels are dimension {}", filter.quantization->axis, axis));
  // Numerics 5, 6 and 24: only a matrix product with one scale, and u8 weights, may have a zero point.
  const bool zero_allowed = (rules.op().kind == OperatorKind::kFullyConnected || filter.type == ElementType::kU8) && !filter.quantization->per_channel();
  for (std::int32_t zero_point : filter.quantization->zero_points)
    if (zero_point != 0 && !zero_allowed)
      return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization.zero_point"), fmt::format("is {}; weights must have 0", zero_point));
  for (float scale : scales)
    NARU_CHECK_OK(rules.rescale(rules.op().kind == OperatorKind::kFullyConnected && scales.size() == 1
                                    ? numerics::float_product_scale(rules.input(0).scale(), scale, rules.output().scale())
                                    : numerics::product_scale(rules.input(0).scale(), scale, rules.output().scale())));

  if (!rules.has_input(2)) return {};
  const Tensor& bias = rules.input(2);
  NARU_CHECK_OK(rules.type(bias, rules.input(0).type == ElementType::kI16 ? std::initializer_list<ElementType>{ElementType::kI32, ElementType::kI64} : std::initializer_list<ElementType>{ElementType::kI32}));
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
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.value(input));
  NARU_CHECK_OK(rules.value(rules.output()));
  NARU_CHECK_OK(rules.same_type(input, rules.output()));
  if (input.type == ElementType::kF32) return rules.type(rules.input(1), {ElementType::kF32});
  NARU_CHECK_OK(rules.type(rules.input(1), {input.type == ElementType::kU8 ? ElementType::kU8 : ElementType::kI8}));
  if (rules.op().kind != OperatorKind::kFullyConnected) NARU_CHECK_OK(rules.constant(rules.input(1)));
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
  NARU_CHECK_OK(rules.value(input));
  NARU_CHECK_OK(rules.value(rules.output()));
  NARU_CHECK_OK(rules.same_type(input, rules.output()));
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
  return rules.movable(input, rules.output());
}

Result<void> verify_mean(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::ReduceOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.number(input));
  NARU_CHECK_OK(rules.number(rules.output()));
  NARU_CHECK_OK(rules.same_type(input, rules.output()));
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
  const bool raw = rules.op().kind == OperatorKind::kReduceMax || rules.op().kind == OperatorKind::kReduceMin;
  if (raw) return rules.movable(input, rules.output());
  // Whole numbers are summed as they are, whatever they stand for.
  const bool whole = input.type == ElementType::kI32 || input.type == ElementType::kI64;
  return input.quantization && input.type != ElementType::kF32 && !whole ? rules.rescale(numerics::ratio_scale(input.scale(), rules.output().scale())) : Result<void>();
}

Result<void> verify_softmax(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::SoftmaxOptions>());
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  const Tensor& output = rules.output();
  NARU_CHECK_OK(rules.value(input));
  NARU_CHECK_OK(rules.value(output));
  NARU_CHECK_OK(rules.shape(!input.shape.empty(), input, "is a scalar; a row is needed"));
  NARU_CHECK_OK(rules.output_shape(input.shape));
  NARU_CHECK_OK(rules.option(std::isfinite(options->beta) && options->beta > 0.0F, "beta", fmt::format("is {}; must be finite and over 0", options->beta)));
  if (input.type == ElementType::kF32 || output.type == ElementType::kF32) return rules.same_type(input, output);
  if (input.type == ElementType::kI16) return rules.same_type(input, output);
  if (!numerics::softmax_parameters(options->beta, input.scale()))
    return refuse(ErrorId::kModelQuantization, place_of(rules.op(), input, "quantization.scale"),
                  fmt::format("is {}; beta * scale must be over 2^-26", input.scale()));
  if (output.type == ElementType::kI16) return {};  // the row's sum in 15 bits, whatever the file says of it
  NARU_CHECK_OK(rules.same_type(input, output));
  if (output.zero_point() != numerics::code_range(output.type).min || std::abs(output.scale() - numerics::kSoftmaxOutputScale) > 1.0e-3F * numerics::kSoftmaxOutputScale)
    return refuse(ErrorId::kModelQuantization, place_of(rules.op(), output, "quantization"),
                  fmt::format("is scale {} zero point {}; must be 1/256 and the lowest code", output.scale(), output.zero_point()));
  return {};
}

Result<void> verify_quantize(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  const std::initializer_list<ElementType> kCodes{ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32};
  NARU_CHECK_OK(rules.quantized(rules.output(), kCodes));
  NARU_CHECK_OK(rules.type(input, {ElementType::kF32, ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32}));
  NARU_CHECK_OK(rules.output_shape(input.shape));
  if (input.type == ElementType::kF32) return {};
  NARU_CHECK_OK(rules.quantized(input, kCodes));
  return rules.rescale(numerics::ratio_scale(input.scale(), rules.output().scale()));
}

Result<void> verify_dequantize(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  // One scale per channel is let through: the kernels take the first, as TFLite Micro does.
  NARU_CHECK_OK(rules.type(rules.input(0), {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32}));
  if (!rules.input(0).quantization) return refuse(ErrorId::kModelQuantization, place_of(rules.op(), rules.input(0), "quantization"), "is missing");
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
    case OperatorKind::kMean:
    case OperatorKind::kSum:
    case OperatorKind::kReduceMax:
    case OperatorKind::kReduceMin: return verify_mean(rules);
    case OperatorKind::kSoftmax: return verify_softmax(rules);
    case OperatorKind::kQuantize: return verify_quantize(rules);
    case OperatorKind::kDequantize: return verify_dequantize(rules);
    default: break;
  }
  for (const auto verify : {verify_elements, verify_movement, verify_products})
    if (auto verified = verify(rules)) return std::move(*verified);
  return refuse(ErrorId::kModelOperatorUnknown, place_of(op), "is of a kind that Naru does not know");
}

}  // namespace naru::sdk
