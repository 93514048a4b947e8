// Rules of what works element by element: two operands that broadcast, one operand, comparisons, choices, arguments of extremes.
#include "import/rules.h"

namespace naru::sdk {
namespace {

constexpr std::initializer_list<ElementType> kAnyNumber{ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32, ElementType::kI64, ElementType::kF32};

bool has_codes(const Tensor& tensor) { return tensor.type == ElementType::kI8 || tensor.type == ElementType::kU8 || tensor.type == ElementType::kI16; }

/// Values of a constant second operand that have no result: such an operator could never run. DIV of codes is defined for every divisor (numerics 23).
Result<void> verify_second_values(const Rules& rules) {
  const Tensor& second = rules.input(1);
  if (!second.is_constant() || second.type == ElementType::kF32) return {};
  const OperatorKind kind = rules.op().kind;
  const bool whole = second.type == ElementType::kI32 || second.type == ElementType::kI64;
  const bool divides = kind == OperatorKind::kFloorDiv || kind == OperatorKind::kFloorMod || (kind == OperatorKind::kDiv && whole);
  const bool raises = kind == OperatorKind::kPow && whole;
  if (!divides && !raises) return {};
  const std::uint64_t count = graph::element_count(second);
  for (std::size_t i = 0; i < count; ++i)
    if (const std::int64_t value = element_at(second, i); divides ? value == 0 : value < 0)
      return refuse(ErrorId::kModelConstant, place_of(rules.op(), second, "buffer"),
                    fmt::format("has {} at element {}; {}", value, i,
                                divides ? "a divisor of whole numbers must not be 0" : "an exponent of whole numbers must be at least 0"));
  return {};
}

Result<void> verify_binary(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& a = rules.input(0);
  const Tensor& b = rules.input(1);
  const Tensor& output = rules.output();
  for (const Tensor* tensor : {&a, &b, &output}) NARU_CHECK_OK(rules.number(*tensor));
  NARU_CHECK_OK(rules.same_type(a, b));
  NARU_CHECK_OK(rules.same_type(a, output));
  NARU_TRY(const Shape expected, rules.broadcast({&a, &b}));
  NARU_CHECK_OK(rules.output_shape(expected));
  NARU_CHECK_OK(verify_second_values(rules));
  if (!has_codes(a)) return {};
  const double twice_max = 2.0 * static_cast<double>(std::max(a.scale(), b.scale()));
  switch (rules.op().kind) {
    case OperatorKind::kMul: return rules.rescale(numerics::product_scale(a.scale(), b.scale(), output.scale()));
    case OperatorKind::kAdd:
    case OperatorKind::kSub: return rules.rescale(twice_max / ((a.type == ElementType::kI16 ? 32768.0 : 1048576.0) * static_cast<double>(output.scale())));
    case OperatorKind::kSquaredDifference: return rules.rescale(twice_max * twice_max / (16384.0 * static_cast<double>(output.scale())));
    default: return {};
  }
}

Result<void> verify_comparison(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& a = rules.input(0);
  const bool equality = rules.op().kind == OperatorKind::kEqual || rules.op().kind == OperatorKind::kNotEqual;
  const bool logical = rules.op().kind == OperatorKind::kLogicalAnd || rules.op().kind == OperatorKind::kLogicalOr;
  if (logical) NARU_CHECK_OK(rules.type(a, {ElementType::kBool}));
  else if (!equality || a.type != ElementType::kBool) NARU_CHECK_OK(rules.number(a));
  NARU_CHECK_OK(rules.same_type(a, rules.input(1)));
  if (has_codes(a)) NARU_CHECK_OK(rules.value(rules.input(1)));
  NARU_CHECK_OK(rules.type(rules.output(), {ElementType::kBool}));
  NARU_TRY(const Shape expected, rules.broadcast({&a, &rules.input(1)}));
  return rules.output_shape(expected);
}

Result<void> verify_not(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  NARU_CHECK_OK(rules.type(rules.input(0), {ElementType::kBool}));
  NARU_CHECK_OK(rules.type(rules.output(), {ElementType::kBool}));
  return rules.output_shape(rules.input(0).shape);
}

Result<void> verify_select(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(3, 3));
  NARU_CHECK_OK(rules.type(rules.input(0), {ElementType::kBool}));
  NARU_CHECK_OK(rules.movable(rules.input(1), rules.output()));
  NARU_CHECK_OK(rules.movable(rules.input(2), rules.output()));
  // The importer has seen to it that SELECT of old, by rows, broadcasts too.
  NARU_TRY(const Shape expected, rules.broadcast({&rules.input(0), &rules.input(1), &rules.input(2)}));
  return rules.output_shape(expected);
}

Result<void> verify_unary(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  const Tensor& output = rules.output();
  NARU_CHECK_OK(rules.number(input));
  NARU_CHECK_OK(rules.number(output));
  NARU_CHECK_OK(rules.same_type(input, output));
  NARU_CHECK_OK(rules.output_shape(input.shape));
  if (!has_codes(input)) return {};
  switch (rules.op().kind) {
    case OperatorKind::kRelu:
    case OperatorKind::kRelu6:
    case OperatorKind::kReluN1To1: return rules.rescale(numerics::float_ratio_scale(input.scale(), output.scale()));
    case OperatorKind::kLogistic:
    case OperatorKind::kTanh: {
      // Numerics 12: the kernels write these scales, whatever the file says.
      const bool logistic = rules.op().kind == OperatorKind::kLogistic;
      const bool wide = input.type == ElementType::kI16;
      const float scale = wide ? 1.0F / 32768.0F : logistic ? 1.0F / 256.0F : 1.0F / 128.0F;
      const std::int32_t zero = wide ? 0 : logistic ? numerics::code_range(input.type).min : input.type == ElementType::kU8 ? 128 : 0;
      if (output.zero_point() == zero && std::abs(output.scale() - scale) <= 1.0e-3F * scale) return {};
      return refuse(ErrorId::kModelQuantization, place_of(rules.op(), output, "quantization"),
                    fmt::format("is scale {} zero point {}; must be {} and {}", output.scale(), output.zero_point(), scale, zero));
    }
    default: return {};
  }
}

Result<void> verify_leaky_relu(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::LeakyReluOptions>());
  NARU_CHECK_OK(rules.option(std::isfinite(options->alpha), "alpha", fmt::format("is {}; must be finite", options->alpha)));
  NARU_CHECK_OK(verify_unary(rules));
  if (!has_codes(rules.input(0))) return {};
  return rules.rescale(numerics::float_ratio_scale(rules.input(0).scale(), rules.output().scale()) * std::max(1.0, std::abs(static_cast<double>(options->alpha))));
}

Result<void> verify_prelu(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(2, 2));
  for (const Tensor* tensor : {&rules.input(0), &rules.input(1), &rules.output()}) {
    NARU_CHECK_OK(rules.value(*tensor));
    NARU_CHECK_OK(rules.same_type(rules.input(0), *tensor));
  }
  NARU_TRY(const Shape expected, rules.broadcast({&rules.input(0), &rules.input(1)}));
  NARU_CHECK_OK(rules.output_shape(expected));
  if (!has_codes(rules.input(0))) return {};
  NARU_CHECK_OK(rules.rescale(numerics::ratio_scale(rules.input(0).scale(), rules.output().scale())));
  return rules.rescale(numerics::product_scale(rules.input(0).scale(), rules.input(1).scale(), rules.output().scale()));
}

Result<void> verify_row_function(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  NARU_CHECK_OK(rules.value(rules.input(0)));
  NARU_CHECK_OK(rules.value(rules.output()));
  NARU_CHECK_OK(rules.same_type(rules.input(0), rules.output()));
  NARU_CHECK_OK(rules.shape(!rules.input(0).shape.empty(), rules.input(0), "is a scalar; a row is needed"));
  return rules.output_shape(rules.input(0).shape);
}

Result<void> verify_arg(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::AxisOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.type(input, kAnyNumber));
  NARU_CHECK_OK(rules.type(rules.output(), {ElementType::kI32, ElementType::kI64}));
  NARU_CHECK_OK(rules.axis(options->axis, input));
  Shape expected = input.shape;
  expected.erase(expected.begin() + options->axis);
  return rules.output_shape(expected);
}

Result<void> verify_cast(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  return rules.output_shape(rules.input(0).shape);
}

}  // namespace

std::optional<Result<void>> verify_elements(const Rules& rules) {
  switch (rules.op().kind) {
    case OperatorKind::kAdd:
    case OperatorKind::kSub:
    case OperatorKind::kMul:
    case OperatorKind::kDiv:
    case OperatorKind::kMinimum:
    case OperatorKind::kMaximum:
    case OperatorKind::kSquaredDifference:
    case OperatorKind::kFloorDiv:
    case OperatorKind::kFloorMod:
    case OperatorKind::kPow: return verify_binary(rules);
    case OperatorKind::kEqual:
    case OperatorKind::kNotEqual:
    case OperatorKind::kLess:
    case OperatorKind::kLessEqual:
    case OperatorKind::kGreater:
    case OperatorKind::kGreaterEqual:
    case OperatorKind::kLogicalAnd:
    case OperatorKind::kLogicalOr: return verify_comparison(rules);
    case OperatorKind::kLogicalNot: return verify_not(rules);
    case OperatorKind::kSelect: return verify_select(rules);
    case OperatorKind::kRelu:
    case OperatorKind::kRelu6:
    case OperatorKind::kReluN1To1:
    case OperatorKind::kRelu0To1:
    case OperatorKind::kLogistic:
    case OperatorKind::kTanh:
    case OperatorKind::kHardSwish:
    case OperatorKind::kElu:
    case OperatorKind::kGelu:
    case OperatorKind::kAbs:
    case OperatorKind::kNeg:
    case OperatorKind::kSquare:
    case OperatorKind::kSqrt:
    case OperatorKind::kRsqrt:
    case OperatorKind::kExp:
    case OperatorKind::kLog:
    case OperatorKind::kSin:
    case OperatorKind::kCos:
    case OperatorKind::kFloor:
    case OperatorKind::kCeil:
    case OperatorKind::kRound: return verify_unary(rules);
    case OperatorKind::kLeakyRelu: return verify_leaky_relu(rules);
    case OperatorKind::kPrelu: return verify_prelu(rules);
    case OperatorKind::kL2Normalization:
    case OperatorKind::kLogSoftmax: return verify_row_function(rules);
    case OperatorKind::kArgMax:
    case OperatorKind::kArgMin: return verify_arg(rules);
    case OperatorKind::kCast: return verify_cast(rules);
    default: return std::nullopt;
  }
}

}  // namespace naru::sdk
