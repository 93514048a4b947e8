// Rules of products other than CONV_2D and its kind, of recurrent cells, and of detection.
#include "import/rules.h"

namespace naru::sdk {
namespace {

constexpr std::int32_t kDetectionsMax = 1 << 16;

Result<void> verify_transpose_conv(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::TransposeConvOptions>());
  NARU_CHECK_OK(rules.operands(3, 4));
  const Tensor& filter = rules.input(1);
  const Tensor& input = rules.input(2);
  const Tensor& output = rules.output();
  NARU_CHECK_OK(rules.value(input));
  NARU_CHECK_OK(rules.value(output));
  NARU_CHECK_OK(rules.same_type(input, output));
  const bool is_float = input.type == ElementType::kF32;
  NARU_CHECK_OK(rules.type(filter, {is_float ? ElementType::kF32 : input.type == ElementType::kU8 ? ElementType::kU8 : ElementType::kI8}));
  if (!is_float && !filter.quantization) return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization"), "is missing");
  if (!is_float) NARU_CHECK_OK(rules.constant(filter));
  for (const Tensor* tensor : {&filter, &input, &output}) NARU_CHECK_OK(rules.rank(*tensor, 4));
  NARU_CHECK_OK(rules.positive(options->stride_h, "stride_h"));
  NARU_CHECK_OK(rules.positive(options->stride_w, "stride_w"));
  NARU_CHECK_OK(rules.shape(filter.shape[0] == output.shape[3] && filter.shape[3] == input.shape[3] && input.shape[0] == output.shape[0], filter,
                            fmt::format("{} does not fit input {} and output {}", graph::to_string(filter.shape), graph::to_string(input.shape), graph::to_string(output.shape))));
  for (std::size_t d : {1U, 2U}) {
    const std::int32_t stride = d == 1 ? options->stride_h : options->stride_w;
    const auto back = numerics::window_output(options->padding, output.shape[d], filter.shape[d], stride, 1);
    NARU_CHECK_OK(rules.shape(back && *back == input.shape[d], output, fmt::format("is {}; a window over it does not give the input {}", graph::to_string(output.shape), graph::to_string(input.shape))));
  }
  if (!is_float) {
    const auto& q = *filter.quantization;
    if (q.per_channel() && (q.axis != 0 || q.scales.size() != static_cast<std::size_t>(filter.shape[0])))
      return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization.quantized_dimension"), fmt::format("is {}; output channels are dimension 0", q.axis));
    for (std::int32_t zero : q.zero_points)
      if (zero != 0 && filter.type != ElementType::kU8) return refuse(ErrorId::kModelQuantization, place_of(rules.op(), filter, "quantization.zero_point"), fmt::format("is {}; weights must have 0", zero));
    for (float scale : q.scales) NARU_CHECK_OK(rules.rescale(numerics::product_scale(input.scale(), scale, output.scale())));
  }
  if (!rules.has_input(3)) return {};
  const Tensor& bias = rules.input(3);
  if (is_float)
    NARU_CHECK_OK(rules.type(bias, {ElementType::kF32}));
  else
    NARU_CHECK_OK(rules.type(bias, {ElementType::kI32, ElementType::kI64}));
  if (!is_float) NARU_CHECK_OK(rules.constant(bias));
  return rules.shape(graph::element_count(bias) == static_cast<std::uint64_t>(output.shape[3]), bias,
                     fmt::format("is {}; there are {} output channels", graph::to_string(bias.shape), output.shape[3]));
}

Result<void> verify_batch_matmul(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::BatchMatmulOptions>());
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& x = rules.input(0);
  const Tensor& y = rules.input(1);
  for (const Tensor* tensor : {&x, &y, &rules.output()}) {
    NARU_CHECK_OK(rules.value(*tensor));
    NARU_CHECK_OK(rules.same_type(x, *tensor));
    NARU_CHECK_OK(rules.shape(tensor->shape.size() >= 2, *tensor, "has less than two dimensions"));
  }
  const auto dimension = [](const Tensor& tensor, std::size_t from_end) { return tensor.shape[tensor.shape.size() - from_end]; };
  const std::int32_t m = dimension(x, options->adj_x ? 1 : 2), k = dimension(x, options->adj_x ? 2 : 1);
  const std::int32_t n = dimension(y, options->adj_y ? 2 : 1), depth = dimension(y, options->adj_y ? 1 : 2);
  NARU_CHECK_OK(rules.shape(k == depth, y, fmt::format("{} cannot be multiplied with {}", graph::to_string(y.shape), graph::to_string(x.shape))));
  Tensor outer_x, outer_y;
  outer_x.shape.assign(x.shape.begin(), x.shape.end() - 2);
  outer_y.shape.assign(y.shape.begin(), y.shape.end() - 2);
  NARU_TRY(Shape expected, rules.broadcast({&outer_x, &outer_y}));
  expected.push_back(m);
  expected.push_back(n);
  NARU_CHECK_OK(rules.output_shape(expected));
  return x.type == ElementType::kF32 ? Result<void>() : rules.rescale(numerics::float_product_scale(x.scale(), y.scale(), rules.output().scale()));
}

Result<void> verify_svdf(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::SvdfOptions>());
  NARU_CHECK_OK(rules.operands(3, 5, 2));
  if (!rules.has_input(4)) return refuse(ErrorId::kModelTensorIndex, place_of(rules.op(), "inputs"), "operand 4 is left out, but is not optional");
  const Tensor& input = rules.input(0);
  const Tensor& feature = rules.input(1);
  const Tensor& time = rules.input(2);
  const Tensor& state = rules.input(4);
  for (const Tensor* tensor : {&input, &feature, &time}) NARU_CHECK_OK(rules.rank(*tensor, 2));
  NARU_CHECK_OK(rules.rank(state, 2));
  NARU_CHECK_OK(rules.positive(options->rank, "rank"));
  const std::int32_t filters = feature.shape[0];
  NARU_CHECK_OK(rules.option(filters % options->rank == 0, "rank", fmt::format("is {}; there are {} filters", options->rank, filters)));
  NARU_CHECK_OK(rules.shape(feature.shape[1] == input.shape[1], feature, "does not fit the input"));
  NARU_CHECK_OK(rules.shape(time.shape[0] == filters, time, "does not have a row per filter"));
  NARU_CHECK_OK(rules.shape(state.shape[0] == input.shape[0] && std::int64_t{state.shape[1]} == std::int64_t{filters} * time.shape[1], state, "does not hold every filter's memory"));
  NARU_CHECK_OK(rules.output_shape(Shape{input.shape[0], filters / options->rank}));
  NARU_CHECK_OK(rules.output_shape(state.shape, 1));
  NARU_CHECK_OK(rules.same_type(state, rules.output(1)));
  if (rules.has_input(3))
    NARU_CHECK_OK(rules.shape(graph::element_count(rules.input(3)) == static_cast<std::uint64_t>(filters / options->rank), rules.input(3), "does not have a value per unit"));
  if (input.type == ElementType::kF32) {
    for (const Tensor* tensor : {&feature, &time, &state, &rules.output()}) NARU_CHECK_OK(rules.type(*tensor, {ElementType::kF32}));
    return rules.has_input(3) ? rules.type(rules.input(3), {ElementType::kF32}) : Result<void>();
  }
  NARU_CHECK_OK(rules.quantized(input, {ElementType::kI8}));
  NARU_CHECK_OK(rules.quantized(rules.output(), {ElementType::kI8}));
  NARU_CHECK_OK(rules.quantized(feature, {ElementType::kI8}));
  NARU_CHECK_OK(rules.quantized(time, {ElementType::kI8, ElementType::kI16}));
  NARU_CHECK_OK(rules.quantized(state, {ElementType::kI8, ElementType::kI16}));
  for (const Tensor* tensor : {&feature, &time}) {
    NARU_CHECK_OK(rules.constant(*tensor));
    if (tensor->zero_point() != 0) return refuse(ErrorId::kModelQuantization, place_of(rules.op(), *tensor, "quantization.zero_point"), fmt::format("is {}; weights must have 0", tensor->zero_point()));
  }
  if (rules.has_input(3)) {
    NARU_CHECK_OK(rules.type(rules.input(3), {ElementType::kI32}));
    NARU_CHECK_OK(rules.constant(rules.input(3)));
  }
  NARU_CHECK_OK(rules.rescale(numerics::product_scale(input.scale(), feature.scale(), state.scale())));
  return rules.rescale(numerics::product_scale(state.scale(), time.scale(), rules.output().scale()));
}

Result<void> verify_lstm(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::LstmOptions>());
  NARU_CHECK_OK(rules.operands(1, 24, 3));
  for (std::size_t i : {2U, 3U, 4U, 6U, 7U, 8U, 13U, 14U, 15U, 18U, 19U})
    if (!rules.has_input(i)) return refuse(ErrorId::kModelTensorIndex, place_of(rules.op(), "inputs"), fmt::format("operand {} is left out, but is not optional", i));
  for (std::size_t i : {1U, 5U, 12U})
    if (!rules.has_input(i)) return refuse(ErrorId::kModelOperatorUnsupported, place_of(rules.op(), "inputs"), "couples the input gate with the forget gate, which is not supported");
  for (std::size_t i : {9U, 10U, 11U, 16U, 17U, 20U, 21U, 22U, 23U})
    if (rules.has_input(i))
      return refuse(ErrorId::kModelOperatorUnsupported, place_of(rules.op(), rules.input(i), "inputs"), "is a peephole, a projection or a normalisation, which is not supported");
  NARU_CHECK_OK(rules.option(std::isfinite(options->cell_clip) && options->cell_clip >= 0.0F, "cell_clip", fmt::format("is {}", options->cell_clip)));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.rank(input, 3));
  const std::int32_t batch = input.shape[options->time_major ? 1 : 0];
  NARU_CHECK_OK(rules.rank(rules.input(1), 2));
  const std::int32_t cells = rules.input(1).shape[0];
  const bool is_float = input.type == ElementType::kF32;
  for (std::size_t i = 1; i <= 8; ++i) {
    const Tensor& weights = rules.input(i);
    NARU_CHECK_OK(rules.shape(weights.shape == Shape({cells, i <= 4 ? input.shape[2] : cells}), weights, fmt::format("is {}; there are {} cells", graph::to_string(weights.shape), cells)));
    if (is_float) {
      NARU_CHECK_OK(rules.type(weights, {ElementType::kF32}));
      continue;
    }
    NARU_CHECK_OK(rules.quantized(weights, {ElementType::kI8}));
    NARU_CHECK_OK(rules.constant(weights));
    if (weights.zero_point() != 0) return refuse(ErrorId::kModelQuantization, place_of(rules.op(), weights, "quantization.zero_point"), fmt::format("is {}; weights must have 0", weights.zero_point()));
  }
  for (std::size_t i = 12; i <= 15; ++i) {
    if (input.type == ElementType::kI16)
      NARU_CHECK_OK(rules.type(rules.input(i), {ElementType::kI32, ElementType::kI64}));
    else
      NARU_CHECK_OK(rules.type(rules.input(i), {is_float ? ElementType::kF32 : ElementType::kI32}));
    NARU_CHECK_OK(rules.shape(graph::element_count(rules.input(i)) == static_cast<std::uint64_t>(cells), rules.input(i), fmt::format("does not have {} values", cells)));
    if (!is_float) NARU_CHECK_OK(rules.constant(rules.input(i)));
  }
  for (std::size_t i : {18U, 19U}) {
    NARU_CHECK_OK(rules.shape(rules.input(i).shape == Shape({batch, cells}), rules.input(i), fmt::format("is {}; must be {}x{}", graph::to_string(rules.input(i).shape), batch, cells)));
    NARU_CHECK_OK(rules.output_shape(rules.input(i).shape, i - 17));
    NARU_CHECK_OK(rules.same_type(rules.input(i), rules.output(i - 17)));
  }
  NARU_CHECK_OK(rules.output_shape(Shape{input.shape[0], input.shape[1], cells}));
  NARU_CHECK_OK(rules.same_type(input, rules.output()));
  NARU_CHECK_OK(rules.same_type(input, rules.input(18)));
  if (is_float) return rules.type(rules.input(19), {ElementType::kF32});
  NARU_CHECK_OK(rules.quantized(input, {ElementType::kI8, ElementType::kI16}));
  NARU_CHECK_OK(rules.quantized(rules.output(), {ElementType::kI8, ElementType::kI16}));
  NARU_CHECK_OK(rules.quantized(rules.input(18), {ElementType::kI8, ElementType::kI16}));
  return rules.quantized(rules.input(19), {ElementType::kI16});
}

Result<void> verify_detection(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::DetectionOptions>());
  NARU_CHECK_OK(rules.operands(3, 3, 4));
  const Tensor& boxes = rules.input(0);
  const Tensor& scores = rules.input(1);
  const Tensor& anchors = rules.input(2);
  for (const Tensor* tensor : {&boxes, &scores, &anchors}) NARU_CHECK_OK(rules.value(*tensor));
  NARU_CHECK_OK(rules.rank(boxes, 3));
  NARU_CHECK_OK(rules.rank(scores, 3));
  NARU_CHECK_OK(rules.rank(anchors, 2));
  NARU_CHECK_OK(rules.positive(options->max_detections, "max_detections"));
  NARU_CHECK_OK(rules.positive(options->max_classes_per_detection, "max_classes_per_detection"));
  NARU_CHECK_OK(rules.positive(options->detections_per_class, "detections_per_class"));
  NARU_CHECK_OK(rules.positive(options->classes, "num_classes"));
  NARU_CHECK_OK(rules.option(std::int64_t{options->max_detections} * options->max_classes_per_detection <= kDetectionsMax, "max_detections", "is over the limit"));
  for (float scale : {options->y_scale, options->x_scale, options->h_scale, options->w_scale})
    NARU_CHECK_OK(rules.option(std::isfinite(scale) && scale > 0.0F, "y_scale", fmt::format("or another scale is {}; must be finite and over 0", scale)));
  NARU_CHECK_OK(rules.option(options->overlap_threshold > 0.0F && options->overlap_threshold <= 1.0F, "nms_iou_threshold", fmt::format("is {}; must be over 0, at most 1", options->overlap_threshold)));
  NARU_CHECK_OK(rules.option(!std::isnan(options->score_threshold), "nms_score_threshold", "is not a number"));
  NARU_CHECK_OK(rules.shape(boxes.shape[0] == 1 && boxes.shape[2] >= 4, boxes, fmt::format("is {}; must be 1, anchors, 4 or more", graph::to_string(boxes.shape))));
  NARU_CHECK_OK(rules.shape(scores.shape[0] == 1 && scores.shape[1] == boxes.shape[1], scores, fmt::format("is {}; there are {} boxes", graph::to_string(scores.shape), boxes.shape[1])));
  NARU_CHECK_OK(rules.shape(scores.shape[2] == options->classes || scores.shape[2] == options->classes + 1, scores, fmt::format("has {} scores; there are {} classes", scores.shape[2], options->classes)));
  NARU_CHECK_OK(rules.option(options->max_classes_per_detection <= options->classes, "max_classes_per_detection", "is more than there are classes"));
  NARU_CHECK_OK(rules.shape(anchors.shape == Shape({boxes.shape[1], 4}), anchors, fmt::format("is {}; must be {}x4", graph::to_string(anchors.shape), boxes.shape[1])));
  const std::int32_t n = options->max_detections * options->max_classes_per_detection;
  const std::initializer_list<Shape> expected{{1, n, 4}, {1, n}, {1, n}, {1}};
  for (std::size_t i = 0; i < 4; ++i) {
    NARU_CHECK_OK(rules.type(rules.output(i), {ElementType::kF32}));
    NARU_CHECK_OK(rules.output_shape(expected.begin()[i], i));
  }
  return {};
}

}  // namespace

std::optional<Result<void>> verify_products(const Rules& rules) {
  switch (rules.op().kind) {
    case OperatorKind::kTransposeConv: return verify_transpose_conv(rules);
    case OperatorKind::kBatchMatmul: return verify_batch_matmul(rules);
    case OperatorKind::kSvdf: return verify_svdf(rules);
    case OperatorKind::kUnidirectionalSequenceLstm: return verify_lstm(rules);
    case OperatorKind::kDetectionPostProcess: return verify_detection(rules);
    default: return std::nullopt;
  }
}

}  // namespace naru::sdk
