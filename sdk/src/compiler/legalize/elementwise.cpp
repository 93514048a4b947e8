// Element by element: two operands, one operand by a rescale, a table or a curve; reductions, softmax, bilinear resizing.
#include "compiler/legalize/legalizer.h"
#include "naru/abi/sigmoid.h"
#include "naru/base/bytes.h"

namespace naru::sdk::compiler {
namespace {

using abi::ElementType;
using graph::OperatorKind;
using graph::Tensor;
using numerics::Multiplier;

constexpr std::initializer_list<ElementType> kActivations{ElementType::kI8, ElementType::kU8, ElementType::kI16};
constexpr std::initializer_list<ElementType> kBytes{ElementType::kI8, ElementType::kU8};
constexpr std::int32_t kSoftmaxRowMax = 4095;

}  // namespace

Result<void> Legalizer::binary() {
  if (op_->inputs.size() != 2 || !has(1)) return fail(error(ErrorId::kModelGraph, "it has {} operands; two are expected", op_->inputs.size()));
  NARU_CHECK_OK(expect_codes({&in(0), &in(1), &out()}, kActivations));
  auto activation = graph::Activation::kNone;
  BinaryNode node;
  numerics::AddParameters parameters;
  switch (op_->kind) {
    case OperatorKind::kMul:
      node.op = abi::ElementwiseOp::kMul;
      parameters = {0, {}, {}, numerics::mul_multiplier(in(0).scale(), in(1).scale(), out().scale())};
      break;
    case OperatorKind::kSquaredDifference:
      if (out().type != ElementType::kI8) return unsupported(fmt::format("its tensors are {}", abi::name_of(out().type)));
      node.op = abi::ElementwiseOp::kSquaredDifference;
      parameters = numerics::squared_difference_parameters(in(0).scale(), in(1).scale(), out().scale());
      break;
    default:
      node.op = op_->kind == OperatorKind::kSub ? abi::ElementwiseOp::kSub : abi::ElementwiseOp::kAdd;
      parameters = op_->kind == OperatorKind::kSub ? numerics::sub_parameters(in(0).scale(), in(1).scale(), out().scale(), out().type)
                                                  : numerics::add_parameters(in(0).scale(), in(1).scale(), out().scale(), out().type);
  }
  if (const auto* given = std::get_if<graph::ElementwiseOptions>(&op_->options)) activation = given->activation;
  node.left_shift = parameters.left_shift;
  node.a = parameters.a;
  node.b = parameters.b;
  node.output = parameters.output;
  for (const Multiplier& multiplier : {node.a, node.b, node.output}) NARU_CHECK_OK(expect_multiplier(multiplier));
  node.a_zero = in(0).zero_point();
  node.b_zero = in(1).zero_point();
  node.output_zero = out().zero_point();
  node.clamp = activation_range(activation);
  emit(node, op_->inputs, op_->output(0));
  return {};
}

Result<void> Legalizer::minimum_or_maximum() {
  if (op_->inputs.size() != 2 || !has(1)) return fail(error(ErrorId::kModelGraph, "it has {} operands; two are expected", op_->inputs.size()));
  NARU_CHECK_OK(expect_type(out(), kActivations));
  for (std::size_t i : {0U, 1U}) NARU_CHECK_OK(expect_same_quantization(in(i), out()));
  BinaryNode node;
  node.op = op_->kind == OperatorKind::kMinimum ? abi::ElementwiseOp::kMinimum : abi::ElementwiseOp::kMaximum;
  node.clamp = numerics::code_range(out().type);
  emit(node, op_->inputs, op_->output(0));
  return {};
}

Result<void> Legalizer::reduce() {
  NARU_TRY(const auto* reduce, options<graph::ReduceOptions>());
  if (reduce->axes.empty()) return unsupported("it reduces no dimension");
  const bool raw = op_->kind == OperatorKind::kReduceMax || op_->kind == OperatorKind::kReduceMin;
  if (raw) {
    NARU_CHECK_OK(expect_type(out(), kActivations));
    NARU_CHECK_OK(expect_same_quantization(in(0), out()));
  } else {
    NARU_CHECK_OK(expect_codes({&in(0), &out()}, kActivations));
  }
  std::uint64_t count = 1;
  for (std::int32_t axis : reduce->axes) {
    if (axis < 0 || static_cast<std::size_t>(axis) >= in(0).shape.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not in its input", axis));
    count *= static_cast<std::uint64_t>(in(0).shape[static_cast<std::size_t>(axis)]);
  }
  ReduceNode node;
  node.axes = reduce->axes;
  node.clamp = numerics::code_range(out().type);
  if (raw) {
    node.kind = op_->kind == OperatorKind::kReduceMax ? abi::ReduceKind::kMaximum : abi::ReduceKind::kMinimum;
  } else {
    node.multiplier = op_->kind == OperatorKind::kMean ? numerics::mean_multiplier(in(0).scale(), out().scale(), count) : numerics::sum_multiplier(in(0).scale(), out().scale());
    NARU_CHECK_OK(expect_multiplier(node.multiplier));
    node.input_zero = in(0).zero_point();
    node.output_zero = out().zero_point();
  }
  emit(std::move(node), {op_->input(0)}, op_->output(0));
  return {};
}

Result<void> Legalizer::softmax() {
  NARU_TRY(const auto* softmax, options<graph::SoftmaxOptions>());
  NARU_CHECK_OK(expect_codes({&in(0), &out()}, kBytes));
  const std::int32_t lowest = numerics::code_range(out().type).min;
  if (out().scale() != numerics::kSoftmaxOutputScale || out().zero_point() != lowest)
    return unsupported(fmt::format("its output has scale {} and zero point {}; they must be 1/256 and {}", out().scale(), out().zero_point(), lowest));
  // Numerics 11: the sum of a row is kept in 12 integer bits, each term at most 1; longer rows wrap as TFLite's do.
  if (in(0).shape.empty() || in(0).shape.back() > kSoftmaxRowMax)
    return unsupported(fmt::format("its rows are {} long; at most {} are summed", in(0).shape.empty() ? 0 : in(0).shape.back(), kSoftmaxRowMax));
  const auto parameters = numerics::softmax_parameters(softmax->beta, in(0).scale());
  if (!parameters || parameters->left_shift < 0 || parameters->left_shift > 30)
    return fail(error(ErrorId::kModelQuantization, "beta {} times scale {} is out of range", softmax->beta, in(0).scale()));
  emit(SoftmaxNode{*parameters}, {op_->input(0)}, op_->output(0));
  return {};
}

/// RELU and its kind: a rescale with bounds.
Result<void> Legalizer::clamp(graph::Activation activation) {
  NARU_CHECK_OK(expect_codes({&in(0), &out()}, kActivations));
  const Multiplier multiplier = numerics::quantize_multiplier(numerics::float_ratio_scale(in(0).scale(), out().scale()));
  NARU_CHECK_OK(expect_multiplier(multiplier));
  emit(RequantizeNode{multiplier, in(0).zero_point(), out().zero_point(), activation_range(activation)}, {op_->input(0)}, op_->output(0));
  return {};
}

Result<void> Legalizer::quantize() {
  NARU_CHECK_OK(expect_quantized(out(), kActivations));
  if (in(0).type == ElementType::kF32) return unsupported("its input is float");
  NARU_CHECK_OK(expect_quantized(in(0), {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32}));
  if (in(0).quantization->per_channel() || out().quantization->per_channel()) return unsupported("it has a scale per channel");
  const Multiplier multiplier = numerics::quantize_multiplier(numerics::ratio_scale(in(0).scale(), out().scale()));
  NARU_CHECK_OK(expect_multiplier(multiplier));
  emit(RequantizeNode{multiplier, in(0).zero_point(), out().zero_point(), numerics::code_range(out().type)}, {op_->input(0)}, op_->output(0));
  return {};
}

void Legalizer::table(std::span<const std::byte> entries, TensorId input, TensorId output) {
  const TensorId id = constant({entries.begin(), entries.end()}, {static_cast<std::int32_t>(entries.size())}, ElementType::kU8);
  emit(TableNode{}, {input, id}, output);
}

TensorId Legalizer::sigmoid_table() {
  if (sigmoid_table_ == graph::kAbsent) {
    std::vector<std::byte> bytes(2 * abi::kSigmoidU16.size());
    for (std::size_t i = 0; i < abi::kSigmoidU16.size(); ++i) store_le(bytes.data() + 2 * i, abi::kSigmoidU16[i]);
    sigmoid_table_ = constant(std::move(bytes), {static_cast<std::int32_t>(abi::kSigmoidU16.size())}, ElementType::kI16);
  }
  return sigmoid_table_;
}

void Legalizer::curve(abi::CurveKind kind, const numerics::CurveParameters& parameters, TensorId input, TensorId output) {
  emit(CurveNode{kind, parameters}, {input, sigmoid_table()}, output);
}

Result<void> Legalizer::unary() {
  if (const auto entries = numerics::unary_table(*op_, in(0), out())) {
    table(*entries, op_->input(0), op_->output(0));
    return {};
  }
  if (in(0).type != ElementType::kI16 || out().type != ElementType::kI16 || (op_->kind != OperatorKind::kLogistic && op_->kind != OperatorKind::kTanh))
    return unsupported(fmt::format("the NPU does not do it from {} to {}", abi::name_of(in(0).type), abi::name_of(out().type)));
  NARU_CHECK_OK(expect_codes({&in(0), &out()}, {ElementType::kI16}));
  const bool is_tanh = op_->kind == OperatorKind::kTanh;
  const auto parameters = is_tanh ? numerics::tanh_i16_parameters(in(0).scale()) : numerics::logistic_i16_parameters(in(0).scale());
  if (parameters.shift < 0 || parameters.shift > 31) return unsupported(fmt::format("its input's scale {} is out of range", in(0).scale()));
  curve(is_tanh ? abi::CurveKind::kTanh : abi::CurveKind::kSigmoid, parameters, op_->input(0), op_->output(0));
  return {};
}

/// The two sides of zero, each by its own rescale and bounded so that it is the zero point on the other side; their sum is the result.
Result<void> Legalizer::slopes(const numerics::SlopeMultipliers& multipliers, TensorId alpha) {
  NARU_CHECK_OK(expect_multiplier(multipliers.positive));
  NARU_CHECK_OK(expect_multiplier(multipliers.negative));
  const std::int32_t in_zero = in(0).zero_point(), zero = out().zero_point();
  const ElementType type = out().type;
  const numerics::Range codes = numerics::code_range(type);
  const graph::Shape shape = out().shape;
  const TensorId above = temporary(shape, type), below = temporary(shape, type);
  emit(RequantizeNode{multipliers.positive, in_zero, zero, {zero, codes.max}}, {op_->input(0)}, above);
  if (alpha == graph::kAbsent) {
    emit(RequantizeNode{multipliers.negative, in_zero, zero, {codes.min, zero}}, {op_->input(0)}, below);
  } else {
    const std::int32_t alpha_zero = graph_.tensor(alpha).zero_point();
    const TensorId negative = temporary(shape, type);
    emit(RequantizeNode{numerics::kUnchanged, in_zero, in_zero, {codes.min, in_zero}}, {op_->input(0)}, negative);
    BinaryNode times;
    times.op = abi::ElementwiseOp::kMul;
    times.output = multipliers.negative;
    times.a_zero = in_zero;
    times.b_zero = alpha_zero;
    times.output_zero = zero;
    times.clamp = codes;
    emit(times, {negative, alpha}, below);
  }
  BinaryNode sum;
  sum.op = abi::ElementwiseOp::kAdd;
  sum.a = sum.b = sum.output = numerics::kUnchanged;
  sum.a_zero = sum.b_zero = sum.output_zero = zero;
  sum.clamp = codes;
  emit(sum, {above, below}, op_->output(0));
  return {};
}

Result<void> Legalizer::leaky_relu() {
  NARU_TRY(const auto* leaky, options<graph::LeakyReluOptions>());
  NARU_CHECK_OK(expect_codes({&in(0), &out()}, kActivations));
  if (const auto entries = numerics::unary_table(*op_, in(0), out())) {
    table(*entries, op_->input(0), op_->output(0));
    return {};
  }
  if (!(leaky->alpha >= 0.0F)) return unsupported(fmt::format("its slope is {}", leaky->alpha));
  return slopes(numerics::leaky_relu_multipliers(in(0).scale(), leaky->alpha, out().scale()), graph::kAbsent);
}

Result<void> Legalizer::prelu() {
  if (!has(1)) return fail(error(ErrorId::kModelGraph, "its slopes are left out"));
  NARU_CHECK_OK(expect_codes({&in(0), &in(1), &out()}, kActivations));
  if (in(0).shape != out().shape) return unsupported("its input broadcasts");
  return slopes(numerics::prelu_multipliers(in(0).scale(), in(1).scale(), out().scale()), op_->input(1));
}

Result<void> Legalizer::resize_bilinear() {
  NARU_TRY(const auto* resize, options<graph::ResizeOptions>());
  NARU_CHECK_OK(expect_rank(in(0), 4));
  NARU_CHECK_OK(expect_rank(out(), 4));
  NARU_CHECK_OK(expect_same_quantization(in(0), out()));
  NARU_CHECK_OK(expect_type(out(), {ElementType::kI8, ElementType::kI16}));
  const auto& input = in(0).shape;
  const auto& output = out().shape;
  const auto size = [](std::int32_t value) { return static_cast<std::uint32_t>(value); };
  ResizeNode node{size(input[0]), size(input[1]), size(input[2]), size(output[1]), size(output[2]), size(input[3]), {}, {}};
  if (input[0] != output[0] || input[3] != output[3]) return fail(error(ErrorId::kModelShape, "its output is not its input in another size"));
  node.rows = numerics::resize_bilinear_parameters(*resize, input[1], output[1]);
  node.cols = numerics::resize_bilinear_parameters(*resize, input[2], output[2]);
  emit(node, {op_->input(0)}, op_->output(0));
  return {};
}

}  // namespace naru::sdk::compiler
