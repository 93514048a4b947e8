// Operators as networks have them together: one tensor read by several, residual blocks, joins of joins, products with other shapes between them.
#include <algorithm>
#include <optional>

#include "generator.h"
#include "windows.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

/// Goes on from `value` by one of the named kinds; its last result, or nothing when that did not come about.
std::optional<Value> grown(Growth& g, const Value& value, std::initializer_list<const char*> names) {
  const std::string name = *(names.begin() + static_cast<std::ptrdiff_t>(g.random.below(names.size())));
  const auto kind = std::ranges::find(kinds(), name, &Kind::name);
  if (!kind->applicable(value) || !kind->append(g, value)) return std::nullopt;
  return g.pool.back();
}

std::optional<Value> last_if(Growth& g, bool was_added) { return was_added ? std::optional(g.pool.back()) : std::nullopt; }

std::optional<Value> dense(Growth& g, const Value& value, std::int32_t channels) {
  Shape shape = value.shape;
  shape.back() = channels;
  if (!g.fits(shape)) return std::nullopt;
  const Value filter = g.weights({channels, value.shape.back()}, value.type, 0, true);
  FullyConnectedOptionsT options;
  options.keep_num_dims = true;
  options.fused_activation_function = g.any_activation(value.type);
  const int bias = g.bias(channels, value, filter);
  return last_if(g, g.add(BuiltinOperator_FULLY_CONNECTED, {value.tensor, filter.tensor, bias}, {g.product(shape, value, filter)}, options));
}

/// A product that keeps rows and columns.
std::optional<Value> product_along(Growth& g, const Value& value, std::int32_t channels) {
  if (value.rank() == 0) return std::nullopt;
  if (value.rank() != 4 || g.chance(6)) return dense(g, value, channels);
  const std::int32_t kernel = g.chance(2) ? 1 : 3;
  const Window w{Padding_SAME, kernel, g.chance(4) ? 1 : kernel};
  if (channels == value.shape[3] && g.chance(3)) return last_if(g, add_depthwise(g, value, w, 1));
  return last_if(g, add_convolution(g, value, w, 1, channels));
}

bool append_fan_out(Growth& g, const Value& value) {
  Value source = value;
  if (g.chance(2)) source = grown(g, value, {"RELU", "MAXIMUM", "RESHAPE", "QUANTIZE", "ADD"}).value_or(value);
  bool any = source.tensor != value.tensor;
  const std::size_t single = kinds().size() - pattern_kinds().size();
  std::vector<std::size_t> used;
  for (int attempts = 0; used.size() < 3 && attempts < 60; ++attempts) {
    const std::size_t kind = g.random.below(single);
    if (std::ranges::count(used, kind) != 0 || !kinds()[kind].applicable(source) || (g.on_device_only && !kinds()[kind].is_of_device())) continue;
    if (!kinds()[kind].append(g, source)) continue;
    used.push_back(kind);
    any = true;
  }
  return any;
}

/// Both summands are there; codes get a scale of their own.
Value sum(Growth& g, const Value& a, const Value& b) {
  Value result = g.tensor(a.shape, a.type);
  result.is_exact = a.is_exact && b.is_exact;
  const bool bounded = a.is_bounded() && b.is_bounded() && a.type == TensorType_FLOAT32;
  if (bounded) result.high = std::max(-a.low, a.high) + std::max(-b.low, b.high), result.low = -result.high;
  const std::vector<int> operands = g.chance(2) ? std::vector<int>{a.tensor, b.tensor} : std::vector<int>{b.tensor, a.tensor};
  if (g.chance(5)) {
    SubOptionsT options;
    options.fused_activation_function = g.any_activation(a.type);
    g.add(BuiltinOperator_SUB, operands, {result}, options);
  } else {
    AddOptionsT options;
    options.fused_activation_function = g.any_activation(a.type);
    g.add(BuiltinOperator_ADD, operands, {result}, options);
  }
  return result;
}

bool append_residual(Growth& g, const Value& value) {
  Value begin = value;
  bool any = false;
  for (std::int32_t blocks = g.between(1, 3); blocks > 0; --blocks) {
    const std::int32_t channels = begin.shape.back();
    Value at = begin;
    const std::int32_t links = g.between(1, 3);
    // Narrower or wider between, as in bottlenecks.
    const std::int32_t between = g.chance(2) ? channels : g.between(1, 2 * channels);
    for (std::int32_t i = 0; i < links; ++i) {
      const auto next = product_along(g, at, i + 1 == links ? channels : between);
      if (!next) return any;
      any = true;
      at = *next;
      if (g.chance(3)) at = grown(g, at, {"RELU", "RELU6", "LEAKY_RELU", "LOGISTIC", "TANH"}).value_or(at);
    }
    begin = sum(g, begin, at);
  }
  return true;
}

/// The same elements from an operator, where there is one that keeps what they mean.
Value computed(Growth& g, const Value& value) {
  if ((set_of(value.type) & kReal) == 0) return value;
  const Value result = g.like(value, value.shape);
  g.add(BuiltinOperator_RELU, {value.tensor}, {result});
  return result;
}

bool append_joins(Growth& g, const Value& value) {
  const std::int32_t first_axis = g.between(0, value.rank() - 1);
  Value joined = g.chance(2) ? value : computed(g, value);
  bool any = joined.tensor != value.tensor;
  for (std::int32_t depth = g.between(2, 4); depth > 0; --depth) {
    const std::int32_t axis = g.chance(2) ? first_axis : g.between(0, value.rank() - 1);
    const auto at = static_cast<std::size_t>(axis);
    Shape other = joined.shape;
    other[at] = g.between(1, 5);
    Shape shape = joined.shape;
    shape[at] += other[at];
    if (!g.fits(shape)) return any;
    // Now and then the join itself once more, or a join that is used elsewhere too.
    Value operand = g.chance(8) ? joined : g.partner(joined, other, true);
    if (operand.tensor == joined.tensor) shape[at] = 2 * joined.shape[at];
    if (!g.fits(shape)) return any;
    if (operand.tensor != joined.tensor && g.chance(2)) operand = computed(g, operand);
    Value result = g.like(joined, shape);
    result.low = std::min(joined.low, operand.low);
    result.high = std::max(joined.high, operand.high);
    result.is_exact = joined.is_exact && operand.is_exact;
    ConcatenationOptionsT options;
    options.axis = axis;
    const std::vector<int> operands = g.chance(2) ? std::vector<int>{joined.tensor, operand.tensor} : std::vector<int>{operand.tensor, joined.tensor};
    any = g.add(BuiltinOperator_CONCATENATION, operands, {result}, options);
    if (g.chance(3)) static_cast<void>(grown(g, result, {"SLICE", "SPLIT_V", "RELU", "MUL", "CONV_2D", "TRANSPOSE", "MAX_POOL_2D"}));
    joined = result;
  }
  return any;
}

/// As many as a job has regions for, and more: inputs, and results of operators.
bool append_many_operands(Growth& g, const Value& value) {
  const std::int32_t operands = g.between(9, 40), axis = g.between(0, value.rank() - 1);
  const bool packs = g.chance(3);
  Shape shape = value.shape;
  if (packs) shape.insert(shape.begin() + axis, operands);
  else shape[static_cast<std::size_t>(axis)] *= operands;
  if (!g.fits(shape)) return false;
  Value result = g.like(value, shape);
  std::vector<int> ids;
  while (ids.size() < static_cast<std::size_t>(operands)) {
    Value operand = g.add_input(g.like(value, value.shape));
    if (g.chance(4)) operand = computed(g, operand);
    result.low = std::min(result.low, operand.low);
    result.high = std::max(result.high, operand.high);
    ids.push_back(operand.tensor);
  }
  if (packs) {
    PackOptionsT options;
    options.values_count = operands;
    options.axis = axis;
    return g.add(BuiltinOperator_PACK, ids, {result}, options);
  }
  ConcatenationOptionsT options;
  options.axis = axis;
  return g.add(BuiltinOperator_CONCATENATION, ids, {result}, options);
}

std::int32_t divisor(Growth& g, std::int64_t of, std::int32_t most) {
  std::vector<std::int32_t> fitting;
  for (std::int32_t d = 1; d <= most; ++d)
    if (of % d == 0) fitting.push_back(d);
  return fitting[g.random.below(fitting.size())];
}

/// Another shape with the same elements: an image, a matrix, or what TRANSPOSE and its like make of it.
Value reshaped(Growth& g, const Value& value) {
  if (g.chance(4)) return grown(g, value, {"RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "SQUEEZE", "SPACE_TO_DEPTH", "DEPTH_TO_SPACE"}).value_or(value);
  const std::int64_t elements = count(value.shape);
  const std::int32_t channels = divisor(g, elements, 32), columns = divisor(g, elements / channels, 32);
  const auto rows = static_cast<std::int32_t>(elements / channels / columns);
  const Shape shape = g.chance(3) ? Shape{rows * columns, channels} : g.chance(6) ? Shape{rows, 1, columns, channels} : Shape{1, rows, columns, channels};
  if (!g.fits(shape)) return value;
  const Value list = g.indices({static_cast<std::int32_t>(shape.size())}, shape);
  const Value result = g.like(value, shape);
  g.add(BuiltinOperator_RESHAPE, {value.tensor, list.tensor}, {result}, ReshapeOptionsT());
  return result;
}

bool append_products_with_reshapes(Growth& g, const Value& value) {
  Value at = value;
  for (std::int32_t products = g.between(2, 4); products > 0; --products) {
    const auto next = product_along(g, at, g.between(1, 24));
    if (!next) break;
    at = reshaped(g, *next);
    if (g.chance(3)) at = reshaped(g, at);
  }
  return at.tensor != value.tensor;
}

}  // namespace

std::vector<Kind> pattern_kinds() {
  return {{"FAN_OUT", 6, kAny, 1, 4, append_fan_out},
          {"RESIDUAL", 6, kReal, 1, 4, append_residual},
          {"JOINS", 4, kAny, 1, 4, append_joins},
          {"MANY_OPERANDS", 1, kAny, 1, 3, append_many_operands},
          {"PRODUCTS_WITH_RESHAPES", 5, kReal, 1, 4, append_products_with_reshapes}};
}

}  // namespace naru::generated
