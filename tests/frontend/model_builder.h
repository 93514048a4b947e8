// Small TFLite models made in memory, for tests that need a valid one or one that is wrong in a single place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "import/tflite/schema.h"

namespace naru::testing_models {

namespace tflite = naru::sdk::tflite;

using SharedBytes = std::shared_ptr<const std::vector<std::byte>>;

/// Adds tensors and operators to a model of one subgraph; `model` stays open to be changed until bytes() is called.
class ModelBuilder {
 public:
  ModelBuilder() {
    model.version = 3;
    model.description = "made by a test";
    model.buffers.push_back(std::make_unique<tflite::BufferT>());
    model.subgraphs.push_back(std::make_unique<tflite::SubGraphT>());
    graph().name = "main";
  }

  tflite::ModelT model;

  tflite::SubGraphT& graph() { return *model.subgraphs[0]; }
  tflite::TensorT& tensor(int index) { return *graph().tensors[static_cast<std::size_t>(index)]; }
  tflite::OperatorT& op(int index) { return *graph().operators[static_cast<std::size_t>(index)]; }
  tflite::BufferT& buffer_of(int tensor_index) { return *model.buffers[tensor(tensor_index).buffer]; }
  tflite::OperatorCodeT& code_of(int op_index) { return *model.operator_codes[op(op_index).opcode_index]; }

  /// A tensor that is computed or given; no quantisation when `scales` is empty.
  int add_tensor(const std::string& name, std::vector<std::int32_t> shape, tflite::TensorType type, std::vector<float> scales = {},
                 std::int64_t zero_point = 0, std::int32_t axis = 0) {
    auto tensor = std::make_unique<tflite::TensorT>();
    tensor->name = name;
    tensor->shape = std::move(shape);
    tensor->type = type;
    if (!scales.empty()) {
      tensor->quantization = std::make_unique<tflite::QuantizationParametersT>();
      tensor->quantization->zero_point.assign(scales.size(), zero_point);
      tensor->quantization->scale = std::move(scales);
      tensor->quantization->quantized_dimension = axis;
    }
    graph().tensors.push_back(std::move(tensor));
    return static_cast<int>(graph().tensors.size() - 1);
  }

  /// Makes a tensor constant.
  template <typename T>
  int constant(int tensor_index, const std::vector<T>& values) {
    auto buffer = std::make_unique<tflite::BufferT>();
    buffer->data.resize(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(buffer->data.data(), values.data(), buffer->data.size());
    model.buffers.push_back(std::move(buffer));
    tensor(tensor_index).buffer = static_cast<std::uint32_t>(model.buffers.size() - 1);
    return tensor_index;
  }

  /// Values that repeat without being regular.
  int constant_i8(int tensor_index) {
    std::size_t count = 1;
    for (std::int32_t dimension : tensor(tensor_index).shape) count *= static_cast<std::size_t>(dimension);
    std::vector<std::int8_t> values(count);
    std::uint32_t state = 12345U + static_cast<std::uint32_t>(tensor_index);
    for (auto& value : values) {
      state = state * 1664525U + 1013904223U;
      value = static_cast<std::int8_t>(static_cast<std::int32_t>(state >> 24) - 128);
      if (value == -128) value = -127;
    }
    return constant(tensor_index, values);
  }

  template <typename Options>
  int add_operator(tflite::BuiltinOperator code, std::vector<std::int32_t> inputs, std::vector<std::int32_t> outputs, Options options) {
    const int index = add_operator(code, std::move(inputs), std::move(outputs));
    op(index).builtin_options.Set(std::move(options));
    return index;
  }
  int add_operator(tflite::BuiltinOperator code, std::vector<std::int32_t> inputs, std::vector<std::int32_t> outputs) {
    auto operator_code = std::make_unique<tflite::OperatorCodeT>();
    operator_code->builtin_code = code;
    operator_code->deprecated_builtin_code = static_cast<std::int8_t>(code < 127 ? code : 127);
    model.operator_codes.push_back(std::move(operator_code));
    auto added = std::make_unique<tflite::OperatorT>();
    added->opcode_index = static_cast<std::uint32_t>(model.operator_codes.size() - 1);
    added->inputs = std::move(inputs);
    added->outputs = std::move(outputs);
    graph().operators.push_back(std::move(added));
    return static_cast<int>(graph().operators.size() - 1);
  }

  [[nodiscard]] SharedBytes bytes() const {
    flatbuffers::FlatBufferBuilder builder;
    tflite::FinishModelBuffer(builder, tflite::Model::Pack(builder, &model));
    const auto span = std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize()));
    return std::make_shared<const std::vector<std::byte>>(span.begin(), span.end());
  }
};

/// A valid model with every operator of the first list but ADD's neighbours; names of its tensors and operators, by index.
struct Sample {
  enum Tensor : int {
    kInput, kCodes, kConvFilter, kConvBias, kConvOut, kDepthFilter, kDepthBias, kDepthOut, kPaddings, kPadOut, kMaxOut, kAverageOut, kFactor, kMulOut, kAddOut,
    kConcatOut, kPermutation, kTransposeOut, kAxes, kMeanOut, kReluOut, kNewShape, kReshapeOut, kDenseFilter, kDenseBias, kDenseOut, kSoftmaxOut, kOutput
  };
  enum Operator : int {
    kQuantize, kConv, kDepthwise, kPad, kMaxPool, kAveragePool, kMul, kAdd, kConcat, kTranspose, kMean, kRelu, kReshape, kDense, kSoftmax, kDequantize
  };

  static ModelBuilder make() {
    using namespace naru::sdk::tflite;
    ModelBuilder b;
    b.add_tensor("input", {2, 8, 8, 4}, TensorType_FLOAT32);
    b.add_tensor("codes", {2, 8, 8, 4}, TensorType_INT8, {0.05F}, -3);
    b.constant_i8(b.add_tensor("conv/filter", {8, 3, 3, 4}, TensorType_INT8, {.01F, .02F, .03F, .04F, .05F, .06F, .07F, .08F}, 0, 0));
    b.constant<std::int32_t>(b.add_tensor("conv/bias", {8}, TensorType_INT32, {.0005F, .001F, .0015F, .002F, .0025F, .003F, .0035F, .004F}), {1, -2, 3, -4, 500, -600, 7, 8});
    b.add_tensor("conv/out", {2, 8, 8, 8}, TensorType_INT8, {0.5F}, 5);
    b.constant_i8(b.add_tensor("depth/filter", {1, 3, 3, 8}, TensorType_INT8, {.01F, .02F, .01F, .02F, .01F, .02F, .01F, .02F}, 0, 3));
    b.constant<std::int32_t>(b.add_tensor("depth/bias", {8}, TensorType_INT32), {8, 7, 6, 5, 4, 3, 2, 1});
    b.add_tensor("depth/out", {2, 4, 4, 8}, TensorType_INT8, {0.25F}, -20);
    b.constant<std::int32_t>(b.add_tensor("paddings", {4, 2}, TensorType_INT32), {0, 0, 1, 1, 1, 1, 0, 0});
    b.add_tensor("pad/out", {2, 6, 6, 8}, TensorType_INT8, {0.25F}, -20);
    b.add_tensor("max/out", {2, 3, 3, 8}, TensorType_INT8, {0.25F}, -20);
    b.add_tensor("average/out", {2, 3, 3, 8}, TensorType_INT8, {0.25F}, -20);
    b.constant_i8(b.add_tensor("factor", {8}, TensorType_INT8, {0.02F}, 1));
    b.add_tensor("mul/out", {2, 3, 3, 8}, TensorType_INT8, {0.125F}, 2);
    b.add_tensor("add/out", {2, 3, 3, 8}, TensorType_INT8, {0.25F}, -20);
    b.add_tensor("concat/out", {2, 3, 3, 16}, TensorType_INT8, {0.25F}, -20);
    b.constant<std::int32_t>(b.add_tensor("permutation", {4}, TensorType_INT32), {0, 3, 1, 2});
    b.add_tensor("transpose/out", {2, 16, 3, 3}, TensorType_INT8, {0.25F}, -20);
    b.constant<std::int32_t>(b.add_tensor("axes", {2}, TensorType_INT32), {2, -1});
    b.add_tensor("mean/out", {2, 16}, TensorType_INT8, {0.2F}, -10);
    b.add_tensor("relu/out", {2, 16}, TensorType_INT8, {0.1F}, -128);
    b.constant<std::int32_t>(b.add_tensor("new_shape", {3}, TensorType_INT32), {2, 4, -1});
    b.add_tensor("reshape/out", {2, 4, 4}, TensorType_INT8, {0.1F}, -128);
    b.constant_i8(b.add_tensor("dense/filter", {10, 16}, TensorType_INT8, {0.01F}));
    b.constant<std::int32_t>(b.add_tensor("dense/bias", {10}, TensorType_INT32, {0.001F}), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    b.add_tensor("dense/out", {2, 10}, TensorType_INT8, {0.1F}, 4);
    b.add_tensor("softmax/out", {2, 10}, TensorType_INT8, {1.0F / 256.0F}, -128);
    b.add_tensor("output", {2, 10}, TensorType_FLOAT32);

    b.add_operator(BuiltinOperator_QUANTIZE, {kInput}, {kCodes});
    Conv2DOptionsT conv;
    conv.stride_w = conv.stride_h = 1;
    conv.fused_activation_function = ActivationFunctionType_RELU6;
    b.add_operator(BuiltinOperator_CONV_2D, {kCodes, kConvFilter, kConvBias}, {kConvOut}, conv);
    DepthwiseConv2DOptionsT depthwise;
    depthwise.stride_w = depthwise.stride_h = 2;
    depthwise.depth_multiplier = 1;
    b.add_operator(BuiltinOperator_DEPTHWISE_CONV_2D, {kConvOut, kDepthFilter, kDepthBias}, {kDepthOut}, depthwise);
    b.add_operator(BuiltinOperator_PAD, {kDepthOut, kPaddings}, {kPadOut}, PadOptionsT());
    Pool2DOptionsT pool;
    pool.stride_w = pool.stride_h = pool.filter_width = pool.filter_height = 2;
    pool.padding = Padding_VALID;
    b.add_operator(BuiltinOperator_MAX_POOL_2D, {kPadOut}, {kMaxOut}, pool);
    b.add_operator(BuiltinOperator_AVERAGE_POOL_2D, {kPadOut}, {kAverageOut}, pool);
    b.add_operator(BuiltinOperator_MUL, {kMaxOut, kFactor}, {kMulOut}, MulOptionsT());
    b.add_operator(BuiltinOperator_ADD, {kMulOut, kAverageOut}, {kAddOut}, AddOptionsT());
    ConcatenationOptionsT concat;
    concat.axis = -1;
    b.add_operator(BuiltinOperator_CONCATENATION, {kAddOut, kMaxOut}, {kConcatOut}, concat);
    b.add_operator(BuiltinOperator_TRANSPOSE, {kConcatOut, kPermutation}, {kTransposeOut}, TransposeOptionsT());
    b.add_operator(BuiltinOperator_MEAN, {kTransposeOut, kAxes}, {kMeanOut}, ReducerOptionsT());
    b.add_operator(BuiltinOperator_RELU, {kMeanOut}, {kReluOut});
    b.add_operator(BuiltinOperator_RESHAPE, {kReluOut, kNewShape}, {kReshapeOut}, ReshapeOptionsT());
    b.add_operator(BuiltinOperator_FULLY_CONNECTED, {kReshapeOut, kDenseFilter, kDenseBias}, {kDenseOut}, FullyConnectedOptionsT());
    SoftmaxOptionsT softmax;
    softmax.beta = 1.0F;
    b.add_operator(BuiltinOperator_SOFTMAX, {kDenseOut}, {kSoftmaxOut}, softmax);
    b.add_operator(BuiltinOperator_DEQUANTIZE, {kSoftmaxOut}, {kOutput}, DequantizeOptionsT());
    b.graph().inputs = {kInput};
    b.graph().outputs = {kOutput};

    auto metadata = std::make_unique<MetadataT>();
    metadata->name = "note";
    b.model.metadata.push_back(std::move(metadata));
    auto signature = std::make_unique<SignatureDefT>();
    signature->signature_key = "serving_default";
    signature->inputs.push_back(std::make_unique<TensorMapT>());
    signature->inputs[0]->name = "x";
    signature->inputs[0]->tensor_index = kInput;
    b.model.signature_defs.push_back(std::move(signature));
    return b;
  }
};

/// One image, int8, added to itself: 0.05 (q - 3) twice is 0.1 (q - 3), which is q - 2 in the output's terms.
inline SharedBytes sum_with_itself(std::int32_t side, std::int32_t channels) {
  ModelBuilder builder;
  const std::vector<std::int32_t> shape = {1, side, side, channels};
  const int input = builder.add_tensor("input", shape, tflite::TensorType_INT8, {0.05F}, 3);
  const int sum = builder.add_tensor("sum", shape, tflite::TensorType_INT8, {0.1F}, 1);
  builder.add_operator(tflite::BuiltinOperator_ADD, {input, input}, {sum}, tflite::AddOptionsT());
  builder.graph().inputs = {input};
  builder.graph().outputs = {sum};
  return builder.bytes();
}

}  // namespace naru::testing_models
