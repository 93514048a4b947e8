// Tensors with random shapes, scales and elements, with their corners more often than chance would have them.
#include "growth.h"

#include <algorithm>
#include <cmath>
#include <set>


namespace naru::generated {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

namespace {

constexpr double kIntegerInputMax = 1000;
constexpr double kFloatInputMax = 4;

std::int64_t code_min(TensorType type) { return type == TensorType_INT8 ? -128 : type == TensorType_INT16 ? -32768 : 0; }
std::int64_t code_max(TensorType type) { return type == TensorType_INT8 ? 127 : type == TensorType_INT16 ? 32767 : 255; }

void set_input_range(Value& value) {
  if ((set_of(value.type) & (kF32 | kI32)) == 0) return;
  value.high = value.type == TensorType_FLOAT32 ? kFloatInputMax : kIntegerInputMax;
  value.low = -value.high;
}

}  // namespace

unsigned set_of(TensorType type) {
  switch (type) {
    case TensorType_INT8: return kI8;
    case TensorType_UINT8: return kU8;
    case TensorType_INT16: return kI16;
    case TensorType_FLOAT32: return kF32;
    case TensorType_INT32: return kI32;
    case TensorType_BOOL: return kBool;
    default: return 0;
  }
}

std::int64_t count(const Shape& shape) {
  std::int64_t elements = 1;
  for (std::int32_t dimension : shape) elements *= dimension;
  return elements;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (const Shape* side : {&a, &b})
    for (std::size_t i = 1; i <= side->size(); ++i) result[result.size() - i] = std::max(result[result.size() - i], (*side)[side->size() - i]);
  return result;
}

Shape Growth::any_shape(std::int32_t rank) {
  while (true) {
    Shape shape;
    for (std::int32_t d = 0; d < rank; ++d) shape.push_back(chance(6) ? 1 : d == 0 && rank > 2 ? between(1, 2) : between(1, limits.max_dimension));
    if (fits(shape)) return shape;
  }
}

float Growth::any_scale(TensorType type) {
  constexpr float kScales[] = {0.0005F, 0.003F, 0.0117F, 0.02F, 0.05F, 0.1F, 0.23F, 0.9F};
  // 16-bit codes times the ratio of both would not fit 32 bits.
  if (type == TensorType_INT16 && chance(4)) return std::ldexp(1.0F, between(-12, 2));
  if (chance(16)) return type == TensorType_INT16 ? 4.0F : chance(2) ? 1.0e-5F : 20.0F;
  return any_of(kScales) * (1.0F + static_cast<float>(random.below(1000)) / 1000.0F);
}

std::int64_t Growth::any_zero(TensorType type) {
  if (type == TensorType_INT16 || type == TensorType_INT32) return 0;
  switch (random.below(4)) {
    case 0: return code_min(type);
    case 1: return code_max(type);
    default: return random.between(code_min(type), code_max(type));
  }
}

ActivationFunctionType Growth::any_activation(TensorType type) {
  constexpr ActivationFunctionType kActivations[] = {ActivationFunctionType_NONE, ActivationFunctionType_RELU, ActivationFunctionType_RELU_N1_TO_1,
                                                     ActivationFunctionType_RELU6};
  return type == TensorType_INT32 || chance(2) ? ActivationFunctionType_NONE : any_of(kActivations);
}

bool Growth::fits(const Shape& shape) const {
  return count(shape) <= limits.max_elements && std::ranges::all_of(shape, [](std::int32_t dimension) { return dimension >= 1 && dimension <= 512; });
}

float Growth::scale(const Value& value) const {
  const auto& quantization = builder.model.subgraphs[0]->tensors[static_cast<std::size_t>(value.tensor)]->quantization;
  return quantization == nullptr ? 0.0F : quantization->scale[0];
}
std::int64_t Growth::zero_point(const Value& value) const {
  const auto& quantization = builder.model.subgraphs[0]->tensors[static_cast<std::size_t>(value.tensor)]->quantization;
  return quantization == nullptr ? 0 : quantization->zero_point[0];
}
bool Growth::is_quantized(const Value& value) const { return scale(value) > 0.0F; }
bool Growth::same_quantization(const Value& a, const Value& b) const { return scale(a) == scale(b) && zero_point(a) == zero_point(b); }

Value Growth::quantized(const Shape& shape, TensorType type, float scale, std::int64_t zero_point) {
  return {builder.add_tensor("t" + std::to_string(builder.graph().tensors.size()), shape, type, {scale}, zero_point), shape, type};
}

Value Growth::tensor(const Shape& shape, TensorType type) {
  if ((set_of(type) & kCodes) != 0) {
    const float scale = any_scale(type);
    return quantized(shape, type, scale, any_zero(type));
  }
  Value value{builder.add_tensor("t" + std::to_string(builder.graph().tensors.size()), shape, type), shape, type};
  value.is_exact = type != TensorType_FLOAT32;
  return value;
}

Value Growth::like(const Value& value, const Shape& shape) {
  Value result = is_quantized(value) ? quantized(shape, value.type, scale(value), zero_point(value)) : tensor(shape, value.type);
  result.low = value.low;
  result.high = value.high;
  result.is_exact = value.is_exact;
  return result;
}

Value Growth::add_input(Value value) {
  set_input_range(value);
  value.is_exact = true;
  builder.graph().inputs.push_back(value.tensor);
  pool.push_back(value);
  return value;
}
Value Growth::input(const Shape& shape, TensorType type) { return add_input(tensor(shape, type)); }

Value Growth::constant(Value value) {
  const auto elements = static_cast<std::size_t>(count(value.shape));
  const auto fill = [&]<typename T>(T, std::int64_t low, std::int64_t high, double divisor) {
    std::vector<T> values(elements);
    for (T& element : values) element = static_cast<T>(static_cast<double>(chance(8) ? low : random.between(low, high)) / divisor);
    builder.constant(value.tensor, values);
  };
  switch (value.type) {
    case TensorType_INT8: fill(std::int8_t{}, -128, 127, 1); break;
    case TensorType_UINT8: fill(std::uint8_t{}, 0, 255, 1); break;
    case TensorType_INT16: fill(std::int16_t{}, -32768, 32767, 1); break;
    case TensorType_BOOL: fill(std::uint8_t{}, 0, 1, 1); break;
    case TensorType_INT32: fill(std::int32_t{}, -1000, 1000, 1); break;
    default: fill(float{}, -4000, 4000, 1000); break;
  }
  set_input_range(value);
  value.is_exact = true;
  return value;
}

Value Growth::indices(const Shape& shape, const std::vector<std::int32_t>& values) {
  Value value = tensor(shape, TensorType_INT32);
  builder.constant(value.tensor, values);
  return value;
}

Value Growth::shape_of(const Value& value) {
  ShapeOptionsT options;
  options.out_type = TensorType_INT32;
  Value result = tensor({value.rank()}, TensorType_INT32);
  result.low = 1;
  result.high = *std::ranges::max_element(value.shape);
  add(BuiltinOperator_SHAPE, {value.tensor}, {result}, options);
  return result;
}

int Growth::numbers(const Shape& shape) {
  const auto rank = static_cast<std::int32_t>(shape.size());
  if (const auto has_it = std::ranges::find(pool, shape, &Value::shape); rank > 0 && has_it != pool.end() && chance(2)) return shape_of(Value(*has_it)).tensor;
  if (!chance(6)) return indices({rank}, shape).tensor;
  const int wide = builder.add_tensor("t" + std::to_string(builder.graph().tensors.size()), {rank}, TensorType_INT64);
  return builder.constant(wide, std::vector<std::int64_t>(shape.begin(), shape.end()));
}

Value Growth::partner(const Value& value, const Shape& shape, bool same) {
  std::vector<Value> matching;
  for (const Value& other : pool)
    if (other.type == value.type && other.shape == shape && (!same || same_quantization(other, value))) matching.push_back(other);
  if (!matching.empty() && !chance(3)) return matching[random.below(matching.size())];
  Value made = same ? like(value, shape) : tensor(shape, value.type);
  if (builder.graph().inputs.size() >= inputs_max_ || chance(2)) return constant(made);
  return add_input(made);
}

Shape Growth::broadcastable(const Shape& shape, bool grows) {
  Shape other = shape;
  if (chance(2)) return other;
  for (std::int32_t& dimension : other) {
    if (dimension == 1 && grows && chance(2))
      dimension = between(1, 4);
    else if (chance(3))
      dimension = 1;
  }
  if (chance(3)) other.erase(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(random.below(other.size() + 1)));
  return other;
}

Value Growth::weights(const Shape& shape, TensorType type, std::int32_t axis, bool may_have_zero_point) {
  if (type == TensorType_FLOAT32) return constant(tensor(shape, type));
  const bool is_unsigned = type == TensorType_UINT8;
  const bool per_channel = !is_unsigned && chance(2);
  std::vector<float> scales(per_channel ? static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]) : 1);
  for (float& scale : scales) scale = any_scale() / 16.0F;
  const std::int64_t zero = is_unsigned ? any_zero(type) : may_have_zero_point && !per_channel && chance(6) ? between(-128, 127) : 0;
  Value value{builder.add_tensor("w" + std::to_string(builder.graph().tensors.size()), shape, is_unsigned ? type : TensorType_INT8, scales, zero, axis), shape,
              is_unsigned ? type : TensorType_INT8};
  if (is_unsigned) return constant(value);
  std::vector<std::int8_t> values(static_cast<std::size_t>(count(shape)));
  const std::uint64_t extremes = chance(4) ? 1 : 8;
  for (std::int8_t& element : values) element = static_cast<std::int8_t>(chance(extremes) ? (chance(2) ? -127 : 127) : between(-127, 127));
  builder.constant(value.tensor, values);
  return value;
}

Value Growth::product(const Shape& shape, const Value& operand, const Value& factor) {
  if ((set_of(operand.type) & kCodes) == 0) return tensor(shape, operand.type);
  float largest = 0;
  for (float scale : builder.tensor(factor.tensor).quantization->scale) largest = std::max(largest, scale);
  // TFLite compares the bias's scale, a rounded product, with the exact one, in units of the result's.
  const float least = largest * scale(operand) * (operand.type == TensorType_INT16 ? 10.0F : 1.0e-5F);
  const float scale = std::max(any_scale(operand.type), least);
  return quantized(shape, operand.type, scale, any_zero(operand.type));
}

int Growth::bias(std::int32_t channels, const Value& operand, const Value& filter) {
  if (chance(4)) return -1;
  if (operand.type == TensorType_FLOAT32) return constant(tensor({channels}, TensorType_FLOAT32)).tensor;
  std::vector<float> scales;
  for (float scale : builder.tensor(filter.tensor).quantization->scale) scales.push_back(scale * this->scale(operand));
  const bool is_wide = operand.type == TensorType_INT16 && !chance(4);
  const int id = builder.add_tensor("b" + std::to_string(builder.graph().tensors.size()), {channels}, is_wide ? TensorType_INT64 : TensorType_INT32, scales);
  std::vector<std::int64_t> values(static_cast<std::size_t>(channels));
  // Results stay within 32 bits, as TFLite assumes: product() has seen to a factor of at most a tenth.
  const std::int64_t most = is_wide && chance(3) ? std::int64_t{1} << 33 : 20000;
  for (std::int64_t& value : values) value = random.between(-most, most);
  if (is_wide) return builder.constant(id, values);
  return builder.constant(id, std::vector<std::int32_t>(values.begin(), values.end()));
}

void Growth::finish() {
  std::set<int> read;
  std::vector<int> last, others;
  auto& graph = builder.graph();
  for (const auto& op : graph.operators) read.insert(op->inputs.begin(), op->inputs.end());
  for (const auto& op : graph.operators)
    for (int id : op->outputs)
      if (builder.tensor(id).type != TensorType_RESOURCE) (read.contains(id) ? others : last).push_back(id);
  while (last.size() > 4) last.erase(last.begin() + static_cast<std::ptrdiff_t>(random.below(last.size())));
  if (last.empty() || (!others.empty() && chance(3))) last.push_back(others[random.below(others.size())]);
  graph.outputs = last;
  std::vector<int> inputs;
  for (int id : graph.inputs)
    if (read.contains(id) || chance(8)) inputs.push_back(id);
  if (!inputs.empty()) graph.inputs = inputs;
  // Handed through: now and then each of them, or so that nothing is left to compute.
  if (!graph.inputs.empty() && chance(8)) {
    const bool each = chance(4);
    if (chance(6)) graph.outputs.clear();
    for (int id : graph.inputs)
      if (each || chance(graph.inputs.size())) graph.outputs.push_back(id);
    if (graph.outputs.empty()) graph.outputs.push_back(graph.inputs[0]);
  }
  // Wanted twice, whatever it is.
  if (chance(8)) {
    const int again = graph.outputs[random.below(graph.outputs.size())];
    graph.outputs.insert(graph.outputs.begin() + static_cast<std::ptrdiff_t>(random.below(graph.outputs.size() + 1)), again);
  }
}

}  // namespace naru::generated
