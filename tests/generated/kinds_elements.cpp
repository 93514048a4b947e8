// What works element by element: sums and products of two operands, curves, comparisons, choices, conversions.
#include <algorithm>
#include <cmath>

#include "generator.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

/// Integers stay below this, so that nothing overflows.
constexpr double kIntegerMax = 1 << 30;

bool is_float(const Value& value) { return value.type == TensorType_FLOAT32; }
bool is_codes(const Value& value) { return (set_of(value.type) & kCodes) != 0; }
/// For what jumps: float operands that host and reference have to the bit, and that are numbers.
bool is_sharp(const Value& value) { return !is_float(value) || (value.is_exact && value.is_bounded()); }

using Range = std::function<std::pair<double, double>(const Value&, const Value&)>;

std::pair<double, double> hull(std::initializer_list<double> ends) { return std::minmax(ends); }
std::pair<double, double> sum_range(const Value& a, const Value& b) { return {a.low + b.low, a.high + b.high}; }
std::pair<double, double> difference_range(const Value& a, const Value& b) { return {a.low - b.high, a.high - b.low}; }
std::pair<double, double> product_range(const Value& a, const Value& b) { return hull({a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high}); }
std::pair<double, double> square_range(const Value& a, const Value& b) {
  const auto [low, high] = difference_range(a, b);
  return {0.0, std::max(low * low, high * high)};
}
std::pair<double, double> either_range(const Value& a, const Value& b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

/// Gives `result` the range that `range` says; false when integers could overflow.
bool bound(Value& result, const Range& range, const Value& a, const Value& b) {
  result.is_exact = a.is_exact && b.is_exact;
  if (is_codes(result)) return true;
  if (!a.is_bounded() || !b.is_bounded()) return is_float(result);
  std::tie(result.low, result.high) = range(a, b);
  const bool is_small = std::max(std::abs(result.low), std::abs(result.high)) < kIntegerMax;
  if (is_float(result) && !is_small) result.low = -(result.high = kUnbounded);
  return is_float(result) || is_small;
}

struct Pair {
  Value left, right;
  Shape shape;
};

/// `value` and an operand that broadcasts with it, in either order.
Pair pair_of(Growth& g, const Value& value, bool same_quantization) {
  const Value other = g.chance(10) ? value : g.partner(value, g.broadcastable(value.shape, true), same_quantization);
  Pair pair{value, other, broadcast(value.shape, other.shape)};
  if (g.chance(2)) std::swap(pair.left, pair.right);
  return pair;
}

template <typename Options>
Kind arithmetic(const char* name, BuiltinOperator code, unsigned types, Range range) {
  return {name, 8, types, 0, 5, [code, range](Growth& g, const Value& value) {
            const Pair pair = pair_of(g, value, false);
            Value result = g.tensor(pair.shape, value.type);
            if (!g.fits(pair.shape) || !bound(result, range, pair.left, pair.right)) return false;
            Options options;
            if constexpr (requires { options.fused_activation_function; }) options.fused_activation_function = g.any_activation(value.type);
            return g.add(code, {pair.left.tensor, pair.right.tensor}, {result}, options);
          }};
}

Kind extreme(const char* name, BuiltinOperator code) {
  return {name, 5, kNumber, 0, 5, [code](Growth& g, const Value& value) {
            const Pair pair = pair_of(g, value, true);
            if (!g.fits(pair.shape)) return false;
            Value result = g.like(value, pair.shape);
            return bound(result, either_range, pair.left, pair.right) && g.add(code, {pair.left.tensor, pair.right.tensor}, {result}, MaximumMinimumOptionsT());
          }};
}

/// The divisor is never 0.
template <typename... Options>
Kind division(const char* name, BuiltinOperator code, unsigned types, bool jumps, Options... options) {
  return {name, 2, types, 0, 4, [=](Growth& g, const Value& value) {
            if (jumps && !is_sharp(value)) return false;
            Value divisor = g.tensor(g.broadcastable(value.shape, false), value.type);
            const auto elements = static_cast<std::size_t>(count(divisor.shape));
            if (is_float(value)) {
              std::vector<float> values(elements);
              for (float& element : values) element = static_cast<float>(g.between(500, 4000)) / (g.chance(2) ? 1000.0F : -1000.0F);
              g.builder.constant(divisor.tensor, values);
            } else {
              std::vector<std::int32_t> values(elements);
              for (std::int32_t& element : values) element = g.between(1, 20) * (g.chance(2) ? 1 : -1);
              g.builder.constant(divisor.tensor, values);
            }
            divisor.is_exact = true;
            Value result = g.tensor(value.shape, value.type);
            result.is_exact = value.is_exact;
            if (value.is_bounded()) result.high = 2.0 * std::max({std::abs(value.low), std::abs(value.high), 20.0}) + 1.0, result.low = -result.high;
            return g.add(code, {value.tensor, divisor.tensor}, {result}, options...);
          }};
}

bool append_pow(Growth& g, const Value& value) {
  const Pair pair = pair_of(g, value, false);
  return g.fits(pair.shape) && g.add(BuiltinOperator_POW, {pair.left.tensor, pair.right.tensor}, {g.tensor(pair.shape, value.type)}, PowOptionsT());
}

template <typename Options>
Kind comparison(const char* name, BuiltinOperator code, unsigned types, Options options) {
  return {name, 1, types, 0, 4, [=](Growth& g, const Value& value) {
            const Pair pair = pair_of(g, value, false);
            if (!g.fits(pair.shape) || !is_sharp(pair.left) || !is_sharp(pair.right)) return false;
            return g.add(code, {pair.left.tensor, pair.right.tensor}, {g.tensor(pair.shape, TensorType_BOOL)}, options);
          }};
}

bool append_select(Growth& g, const Value& value) {
  const Value other = g.partner(value, value.shape, true);
  const Value sample{-1, {}, TensorType_BOOL};
  const bool broadcasts = g.chance(2);
  const Value condition = g.partner(sample, broadcasts ? g.broadcastable(value.shape, false) : value.shape, false);
  Value result = g.like(value, value.shape);
  if (!bound(result, either_range, value, other)) return false;
  const std::vector<int> operands{condition.tensor, value.tensor, other.tensor};
  return broadcasts ? g.add(BuiltinOperator_SELECT_V2, operands, {result}, SelectV2OptionsT())
                    : g.add(BuiltinOperator_SELECT, operands, {result}, SelectOptionsT());
}

enum class Curve : std::uint8_t { kAny, kClamp, kUnit, kMagnitude, kPositiveOnly, kSquare, kJump, kNegate };

/// The range of a curve's float or int32 results, where that is known.
void curve_range(Value& result, const Value& value, Curve curve) {
  result.is_exact =
      value.is_exact && (curve == Curve::kClamp || curve == Curve::kMagnitude || curve == Curve::kNegate || curve == Curve::kJump || curve == Curve::kSquare);
  if (!value.is_bounded()) return;
  const double most = std::max(std::abs(value.low), std::abs(value.high));
  switch (curve) {
    case Curve::kUnit: result.low = -1, result.high = 1; break;
    case Curve::kSquare: result.low = 0, result.high = most * most; break;
    case Curve::kClamp:
    case Curve::kMagnitude:
    case Curve::kNegate: result.low = -most, result.high = most; break;
    case Curve::kJump: result.low = -most - 1, result.high = most + 1; break;
    case Curve::kPositiveOnly:
    case Curve::kAny: break;
  }
}

template <typename... Options>
Kind curve(const char* name, BuiltinOperator code, unsigned types, Curve curve, Options... options) {
  return {name, 3, types, 0, 5, [=](Growth& g, const Value& value) {
            if (curve == Curve::kJump && !is_sharp(value)) return false;
            if (curve == Curve::kPositiveOnly && is_codes(value) && g.zero_point(value) != (value.type == TensorType_INT8 ? -128 : 0)) return false;
            if (curve == Curve::kSquare && value.type == TensorType_INT32 && std::max(-value.low, value.high) > 30000) return false;
            // A clamp alone, without another scale, is folded into what comes before it.
            Value result = curve == Curve::kClamp && is_codes(value) && g.chance(2) ? g.like(value, value.shape) : g.tensor(value.shape, value.type);
            if (value.type == TensorType_INT32 && !value.is_bounded()) return false;
            curve_range(result, value, curve);
            return g.add(code, {value.tensor}, {result}, options...);
          }};
}

/// LOGISTIC, TANH: the result's quantisation is given.
Kind squash(const char* name, BuiltinOperator code, bool logistic) {
  return {name, 4, kReal, 0, 5, [=](Growth& g, const Value& given) {
            const Value& value = given;
            // TFLite multiplies 16-bit codes with 3 * 4096 times their scale in 32 bits.
            if (value.type == TensorType_INT16 && g.scale(value) > 5.0F) return false;
            Value result = value;
            switch (value.type) {
              case TensorType_INT8: result = g.quantized(value.shape, value.type, logistic ? 1.0F / 256 : 1.0F / 128, logistic ? -128 : 0); break;
              case TensorType_UINT8: result = g.quantized(value.shape, value.type, logistic ? 1.0F / 256 : 1.0F / 128, logistic ? 0 : 128); break;
              case TensorType_INT16: result = g.quantized(value.shape, value.type, 1.0F / 32768, 0); break;
              default: result = g.tensor(value.shape, value.type); curve_range(result, value, Curve::kUnit);
            }
            return g.add(code, {value.tensor}, {result});
          }};
}

bool append_leaky_relu(Growth& g, const Value& value) {
  LeakyReluOptionsT options;
  options.alpha = static_cast<float>(g.between(-500, 1500)) / 1000.0F;
  Value result = g.tensor(value.shape, value.type);
  curve_range(result, value, Curve::kAny);
  return g.add(BuiltinOperator_LEAKY_RELU, {value.tensor}, {result}, options);
}

bool append_prelu(Growth& g, const Value& value) {
  const Shape slopes = g.broadcastable(value.shape, false);
  const Value alpha = g.chance(4) ? g.partner(value, slopes, false) : g.constant(g.tensor(slopes, value.type));
  const Value result = g.product(value.shape, value, alpha);
  return g.add(BuiltinOperator_PRELU, {value.tensor, alpha.tensor}, {result});
}

bool append_quantize(Growth& g, const Value& value) {
  if (is_float(value) ? !is_sharp(value) : !g.is_quantized(value)) return false;
  constexpr TensorType kTypes[] = {TensorType_INT8, TensorType_INT8, TensorType_UINT8, TensorType_INT16};
  TensorType type = g.any_of(kTypes);
  if (is_codes(value) && value.type != TensorType_UINT8 && g.chance(8)) type = TensorType_INT32;
  const float scale = g.any_scale(value.type == TensorType_INT16 ? value.type : type);
  return g.add(BuiltinOperator_QUANTIZE, {value.tensor}, {g.quantized(value.shape, type, scale, g.any_zero(type))}, QuantizeOptionsT());
}

bool append_dequantize(Growth& g, const Value& value) {
  Value result = g.tensor(value.shape, TensorType_FLOAT32);
  result.is_exact = true;
  result.high = 65536.0 * static_cast<double>(g.scale(value));
  result.low = -result.high;
  return g.add(BuiltinOperator_DEQUANTIZE, {value.tensor}, {result}, DequantizeOptionsT());
}

bool append_cast(Growth& g, const Value& value) {
  constexpr TensorType kTypes[] = {TensorType_INT8, TensorType_UINT8, TensorType_INT16, TensorType_INT32, TensorType_FLOAT32, TensorType_BOOL};
  const TensorType type = g.any_of(kTypes);
  Value source = value;
  if (is_codes(value)) source.low = -32768, source.high = 65535;
  if (value.type == TensorType_BOOL) source.low = 0, source.high = 1;
  const double low = type == TensorType_INT8 ? -128 : type == TensorType_INT16 ? -32768 : type == TensorType_INT32 ? -kIntegerMax : 0;
  const double high = type == TensorType_INT8 ? 127 : type == TensorType_UINT8 ? 255 : type == TensorType_INT16 ? 32767 : kIntegerMax;
  if (is_float(value) && type != TensorType_FLOAT32 && !is_sharp(value)) return false;
  // Out of the range of an integer, C++ does not say what a float becomes.
  if (is_float(value) && type != TensorType_FLOAT32 && type != TensorType_BOOL && (source.low <= low || source.high >= high)) return false;
  Value result = g.tensor(value.shape, type);
  result.is_exact = value.is_exact;
  if (type == TensorType_INT32 || is_float(result)) result.low = source.low, result.high = source.high;
  CastOptionsT options;
  options.in_data_type = value.type;
  options.out_data_type = type;
  return g.add(BuiltinOperator_CAST, {value.tensor}, {result}, options);
}

}  // namespace

std::vector<Kind> element_kinds() {
  return {arithmetic<AddOptionsT>("ADD", BuiltinOperator_ADD, kNumber, sum_range),
          arithmetic<SubOptionsT>("SUB", BuiltinOperator_SUB, kNumber, difference_range),
          arithmetic<MulOptionsT>("MUL", BuiltinOperator_MUL, kNumber, product_range),
          arithmetic<SquaredDifferenceOptionsT>("SQUARED_DIFFERENCE", BuiltinOperator_SQUARED_DIFFERENCE, kI8 | kF32 | kI32, square_range),
          extreme("MINIMUM", BuiltinOperator_MINIMUM),
          extreme("MAXIMUM", BuiltinOperator_MAXIMUM),
          division("DIV", BuiltinOperator_DIV, kF32, false, DivOptionsT()),
          division("FLOOR_DIV", BuiltinOperator_FLOOR_DIV, kF32 | kI32, true, FloorDivOptionsT()),
          division("FLOOR_MOD", BuiltinOperator_FLOOR_MOD, kF32 | kI32, true, FloorModOptionsT()),
          {"POW", 4, kF32, 0, 4, append_pow},
          comparison("EQUAL", BuiltinOperator_EQUAL, kAny, EqualOptionsT()),
          comparison("NOT_EQUAL", BuiltinOperator_NOT_EQUAL, kAny, NotEqualOptionsT()),
          comparison("LESS", BuiltinOperator_LESS, kNumber, LessOptionsT()),
          comparison("LESS_EQUAL", BuiltinOperator_LESS_EQUAL, kNumber, LessEqualOptionsT()),
          comparison("GREATER", BuiltinOperator_GREATER, kNumber, GreaterOptionsT()),
          comparison("GREATER_EQUAL", BuiltinOperator_GREATER_EQUAL, kNumber, GreaterEqualOptionsT()),
          comparison("LOGICAL_AND", BuiltinOperator_LOGICAL_AND, kBool, LogicalAndOptionsT()),
          comparison("LOGICAL_OR", BuiltinOperator_LOGICAL_OR, kBool, LogicalOrOptionsT()),
          curve("LOGICAL_NOT", BuiltinOperator_LOGICAL_NOT, kBool, Curve::kClamp, LogicalNotOptionsT()),
          {"SELECT", 3, kAny, 1, 4, append_select},
          curve("RELU", BuiltinOperator_RELU, kReal, Curve::kClamp),
          curve("RELU6", BuiltinOperator_RELU6, kReal, Curve::kClamp),
          curve("RELU_N1_TO_1", BuiltinOperator_RELU_N1_TO_1, kReal, Curve::kClamp),
          curve("RELU_0_TO_1", BuiltinOperator_RELU_0_TO_1, kReal, Curve::kClamp),
          curve("ELU", BuiltinOperator_ELU, kBytes | kF32, Curve::kAny),
          curve("GELU", BuiltinOperator_GELU, kBytes | kF32, Curve::kAny, GeluOptionsT()),
          curve("HARD_SWISH", BuiltinOperator_HARD_SWISH, kBytes | kF32, Curve::kAny, HardSwishOptionsT()),
          curve("ABS", BuiltinOperator_ABS, kNumber, Curve::kMagnitude, AbsOptionsT()),
          curve("NEG", BuiltinOperator_NEG, kBytes | kF32 | kI32, Curve::kNegate, NegOptionsT()),
          curve("SQUARE", BuiltinOperator_SQUARE, kBytes | kF32 | kI32, Curve::kSquare, SquareOptionsT()),
          curve("SQRT", BuiltinOperator_SQRT, kBytes | kF32, Curve::kPositiveOnly),
          curve("RSQRT", BuiltinOperator_RSQRT, kCodes | kF32, Curve::kPositiveOnly),
          curve("EXP", BuiltinOperator_EXP, kBytes | kF32, Curve::kAny, ExpOptionsT()),
          curve("LOG", BuiltinOperator_LOG, kBytes | kF32, Curve::kPositiveOnly),
          curve("SIN", BuiltinOperator_SIN, kBytes | kF32, Curve::kUnit),
          curve("COS", BuiltinOperator_COS, kBytes | kF32, Curve::kUnit, CosOptionsT()),
          curve("FLOOR", BuiltinOperator_FLOOR, kBytes | kF32, Curve::kJump),
          curve("CEIL", BuiltinOperator_CEIL, kBytes | kF32, Curve::kJump),
          curve("ROUND", BuiltinOperator_ROUND, kBytes | kF32, Curve::kJump),
          squash("LOGISTIC", BuiltinOperator_LOGISTIC, true),
          squash("TANH", BuiltinOperator_TANH, false),
          {"LEAKY_RELU", 3, kReal, 0, 5, append_leaky_relu},
          {"PRELU", 3, kReal, 1, 4, append_prelu},
          {"QUANTIZE", 6, kReal | kI32, 0, 5, append_quantize},
          {"DEQUANTIZE", 3, kCodes, 0, 5, append_dequantize},
          {"CAST", 2, kAny, 0, 5, append_cast}};
}

}  // namespace naru::generated
