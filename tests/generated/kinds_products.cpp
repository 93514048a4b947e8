// What multiplies and adds up: windows with weights, matrices, recurrent cells; and variables, which carry a tensor to the next inference.
#include <algorithm>

#include "generator.h"
#include "windows.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

bool append_conv(Growth& g, const Value& value) {
  const Window w = any_window(g, value.shape);
  std::int32_t groups = 1;
  for (std::int32_t divisor : {2, 3, 5})
    if (value.shape[3] % divisor == 0 && g.chance(5)) groups = divisor;
  if (groups > 1 && g.chance(4)) groups = value.shape[3];
  return add_convolution(g, value, w, groups, groups * g.between(1, groups > 1 ? 4 : 41));
}

bool append_depthwise(Growth& g, const Value& value) {
  const Window w = any_window(g, value.shape);
  return add_depthwise(g, value, w, g.chance(3) ? g.between(2, 4) : 1);
}

bool append_transpose_conv(Growth& g, const Value& value) {
  Window w{g.chance(2) ? Padding_SAME : Padding_VALID, g.between(1, 4), g.between(1, 4), g.between(1, 3), g.between(1, 3)};
  const std::int32_t channels = g.between(1, 12);
  // The sizes whose windows give the input: the least, or up to a stride less one more.
  const auto back = [&](std::int32_t extent, std::int32_t kernel, std::int32_t stride) {
    const std::int32_t more = g.between(0, stride - 1);
    return w.padding == Padding_SAME ? extent * stride - more : (extent - 1) * stride + kernel + more;
  };
  const Shape shape{value.shape[0], back(value.shape[1], w.kernel_h, w.stride_h), back(value.shape[2], w.kernel_w, w.stride_w), channels};
  if (!g.fits(shape)) return false;
  const Value filter = g.weights({channels, w.kernel_h, w.kernel_w, value.shape[3]}, value.type, 0, false);
  auto options = options_of<TransposeConvOptionsT>(w);
  options.fused_activation_function = ActivationFunctionType_NONE;
  std::vector<int> operands{g.indices({4}, shape).tensor, filter.tensor, value.tensor};
  if (const int bias = g.bias(channels, value, filter); bias >= 0) operands.push_back(bias);
  return g.add(BuiltinOperator_TRANSPOSE_CONV, operands, {g.product(shape, value, filter)}, options);
}

bool append_fully_connected(Growth& g, const Value& value) {
  const std::int32_t last = value.shape.back();
  const std::int64_t elements = count(value.shape);
  FullyConnectedOptionsT options;
  options.fused_activation_function = g.any_activation(value.type);
  options.keep_num_dims = g.chance(3);
  const std::int32_t depth = !options.keep_num_dims && value.rank() > 1 && g.chance(4) ? last * value.shape[value.shape.size() - 2] : last;
  Value filter;
  for (const Value& other : g.pool)
    if ((set_of(value.type) & (kBytes | kF32)) != 0 && other.type == value.type && other.rank() == 2 && other.shape[1] == depth &&
        other.tensor != value.tensor && g.chance(2))
      filter = other;
  const std::int32_t channels = filter.tensor >= 0 ? filter.shape[0] : g.between(1, 48);
  Shape shape{static_cast<std::int32_t>(elements / depth), channels};
  if (options.keep_num_dims) {
    shape = value.shape;
    shape.back() = channels;
  }
  if (!g.fits(shape)) return false;
  if (filter.tensor < 0) filter = g.weights({channels, depth}, value.type, 0, true);
  const int bias = g.bias(channels, value, filter);
  return g.add(BuiltinOperator_FULLY_CONNECTED, {value.tensor, filter.tensor, bias}, {g.product(shape, value, filter)}, options);
}

bool append_batch_matmul(Growth& g, const Value& value) {
  BatchMatMulOptionsT options;
  options.adj_x = g.chance(3);
  options.adj_y = g.chance(3);
  const std::size_t rank = value.shape.size();
  const std::int32_t rows = value.shape[rank - (options.adj_x ? 1 : 2)], depth = value.shape[rank - (options.adj_x ? 2 : 1)];
  const std::int32_t columns = g.between(1, 20);
  const Shape outer(value.shape.begin(), value.shape.end() - 2);
  Shape other = outer;
  for (std::int32_t& extent : other)
    if (g.chance(3)) extent = extent == 1 ? g.between(1, 3) : 1;
  if (g.chance(4)) other.clear();
  Shape shape = broadcast(outer, other);
  other.insert(other.end(), {options.adj_y ? columns : depth, options.adj_y ? depth : columns});
  shape.insert(shape.end(), {rows, columns});
  if (!g.fits(shape) || !g.fits(other)) return false;
  const Value right = g.partner(value, other, false);
  return g.add(BuiltinOperator_BATCH_MATMUL, {value.tensor, right.tensor}, {g.tensor(shape, value.type)}, options);
}

Value variable(Growth& g, Value value) {
  g.builder.tensor(value.tensor).is_variable = true;
  return value;
}

Value small_weights(Growth& g, const Shape& shape, TensorType type, float scale_max = 100.0F) {
  if (type == TensorType_FLOAT32) return g.constant(g.tensor(shape, type));
  return g.constant(g.quantized(shape, type, std::min(g.any_scale() / 16.0F, scale_max), 0));
}

Value plain_bias(Growth& g, std::int32_t length, bool is_float) { return g.constant(g.tensor({length}, is_float ? TensorType_FLOAT32 : TensorType_INT32)); }

int wide_bias(Growth& g, std::int32_t length) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(length));
  for (std::int64_t& value : values) value = g.between(-1000, 1000);
  return g.builder.constant(g.builder.add_tensor("b" + std::to_string(g.builder.graph().tensors.size()), {length}, TensorType_INT64), values);
}

bool append_svdf(Growth& g, const Value& value) {
  SVDFOptionsT options;
  options.rank = g.between(1, 3);
  const std::int32_t units = g.between(1, 12), memory = g.between(1, 8), filters = units * options.rank;
  const bool is_float = value.type == TensorType_FLOAT32;
  // TFLite Micro's kernel for codes has no other activation.
  options.fused_activation_function = is_float ? (g.chance(2) ? ActivationFunctionType_RELU : ActivationFunctionType_NONE) : ActivationFunctionType_RELU;
  const TensorType state_type = is_float ? TensorType_FLOAT32 : g.chance(2) ? TensorType_INT16 : TensorType_INT8;
  const Value feature = small_weights(g, {filters, value.shape[1]}, value.type);
  const Value time = small_weights(g, {filters, memory}, state_type);
  const int bias = g.chance(4) ? -1 : plain_bias(g, units, is_float).tensor;
  const Shape state_shape{value.shape[0], filters * memory};
  const float state_scale = g.any_scale(state_type);
  const Value state = variable(g, is_float ? g.tensor(state_shape, state_type) : g.quantized(state_shape, state_type, state_scale, 0));
  return g.add(BuiltinOperator_SVDF, {value.tensor, feature.tensor, time.tensor, bias, state.tensor}, {g.tensor({value.shape[0], units}, value.type)}, options);
}

bool append_lstm(Growth& g, const Value& value) {
  UnidirectionalSequenceLSTMOptionsT options;
  options.fused_activation_function = ActivationFunctionType_TANH;
  options.time_major = g.chance(2);
  options.cell_clip = g.chance(3) ? 1.5F : 0.0F;
  const bool is_float = value.type == TensorType_FLOAT32;
  const std::int32_t batch = value.shape[options.time_major ? 1 : 0], cells = g.between(1, 12), features = value.shape[2];
  const Shape shape{value.shape[0], value.shape[1], cells};
  if (!g.fits(shape) || value.shape[0] * value.shape[1] > 32) return false;
  std::vector<int> operands{value.tensor};
  // 16-bit activations have weights of 8 bits and, as a rule, biases of 64.
  const TensorType weight_type = is_float ? value.type : TensorType_INT8;
  for (int i = 0; i < 8; ++i) {
    // Rescaled to the gates' 1/4096, sums of 16-bit products fit 32 bits, as TFLite assumes. The hidden state's scale is below 1/100.
    const float most = value.type == TensorType_INT16 ? 0.0018F / (i < 4 ? g.scale(value) : 0.01F) : 100.0F;
    operands.push_back(small_weights(g, {cells, i < 4 ? features : cells}, weight_type, most).tensor);
  }
  operands.insert(operands.end(), 3, -1);
  const bool is_wide = value.type == TensorType_INT16 && !g.chance(4);
  for (int i = 0; i < 4; ++i) operands.push_back(is_wide ? wide_bias(g, cells) : plain_bias(g, cells, is_float).tensor);
  operands.insert(operands.end(), 2, -1);
  Value result = g.tensor(shape, value.type);
  if (!is_float) {
    const float scale = static_cast<float>(g.between(30, 90)) / 10000.0F;
    result = g.quantized(shape, value.type, scale, g.any_zero(value.type));
  }
  operands.push_back(variable(g, g.like(result, {batch, cells})).tensor);
  const float cell_scale = 1.0F / static_cast<float>(1 << g.between(9, 15));
  operands.push_back(variable(g, is_float ? g.tensor({batch, cells}, value.type) : g.quantized({batch, cells}, TensorType_INT16, cell_scale, 0)).tensor);
  operands.insert(operands.end(), 4, -1);
  return g.add(BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM, operands, {result}, options);
}

/// A subgraph that gives the variable of `handle` its first value.
void initialise(Growth& g, int handle, int assigning, const Value& first, int handle_operator) {
  CallOnceOptionsT once;
  once.init_subgraph_index = static_cast<std::int32_t>(g.builder.model.subgraphs.size());
  g.builder.add_operator(BuiltinOperator_CALL_ONCE, {}, {}, once);
  auto initial = std::make_unique<SubGraphT>();
  initial->name = "initial";
  for (const int id : {handle, first.tensor}) initial->tensors.push_back(std::make_unique<TensorT>(g.builder.tensor(id)));
  const auto copy = [&](int from, std::vector<std::int32_t> inputs, std::vector<std::int32_t> outputs) {
    initial->operators.push_back(std::make_unique<OperatorT>(g.builder.op(from)));
    initial->operators.back()->inputs = std::move(inputs);
    initial->operators.back()->outputs = std::move(outputs);
  };
  copy(handle_operator, {}, {0});
  copy(assigning, {0, 1}, {});
  g.builder.model.subgraphs.push_back(std::move(initial));
}

/// Reads what the last inference left, and leaves `value` or the sum of both.
bool append_variable(Growth& g, const Value& value) {
  const auto number = g.builder.graph().operators.size();
  const int handle = g.builder.add_tensor("handle", {}, TensorType_RESOURCE);
  VarHandleOptionsT options;
  options.shared_name = "v" + std::to_string(number);
  const int handle_operator = g.builder.add_operator(BuiltinOperator_VAR_HANDLE, {}, {handle}, options);
  Value before = g.like(value, value.shape);
  before.low = std::min(before.low, -1000.0);
  before.high = std::max(before.high, 1000.0);
  g.add(BuiltinOperator_READ_VARIABLE, {handle}, {before}, ReadVariableOptionsT());
  int left = value.tensor;
  if ((set_of(value.type) & kCodes) != 0 && g.chance(2)) {
    const Value sum = g.like(value, value.shape);
    g.add(BuiltinOperator_ADD, {value.tensor, before.tensor}, {sum}, AddOptionsT());
    left = sum.tensor;
  }
  const int assigning = g.builder.add_operator(BuiltinOperator_ASSIGN_VARIABLE, {handle, left}, {}, AssignVariableOptionsT());
  if (g.chance(2)) initialise(g, handle, assigning, g.constant(g.like(value, value.shape)), handle_operator);
  return true;
}

}  // namespace

std::vector<Kind> product_kinds() {
  return {{"CONV_2D", 16, kReal, 4, 4, append_conv},
          {"DEPTHWISE_CONV_2D", 12, kReal, 4, 4, append_depthwise},
          {"FULLY_CONNECTED", 12, kReal, 1, 5, append_fully_connected},
          {"TRANSPOSE_CONV", 6, kReal, 4, 4, append_transpose_conv},
          {"BATCH_MATMUL", 8, kBytes | kF32, 2, 5, append_batch_matmul},
          {"SVDF", 6, kI8 | kF32, 2, 2, append_svdf},
          {"UNIDIRECTIONAL_SEQUENCE_LSTM", 6, kI8 | kI16 | kF32, 3, 3, append_lstm},
          {"VARIABLE", 3, kAny, 1, 4, append_variable}};
}

}  // namespace naru::generated
