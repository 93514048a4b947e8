// Goal: a model that is wrong in one place is refused with the right error id, which names the place; nothing crashes on it.
// Method: one valid model, one change per case, sorted by the classes M1 to M24 of model-parsing defects.
#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model_builder.h"

#include "import/tflite/import.h"

namespace naru::sdk {
namespace {

using testing_models::ModelBuilder;
using testing_models::Sample;
using testing_models::SharedBytes;
using namespace naru::sdk::tflite;
using S = Sample;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int32_t kIntMin = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t kIntMax = std::numeric_limits<std::int32_t>::max();

struct BadModel {
  const char* name;
  std::function<void(ModelBuilder&)> change;
  ErrorId expected;
  const char* says;  // part of the message: the place
};
void PrintTo(const BadModel& bad, std::ostream* stream) { *stream << bad.name; }

template <typename Options>
Options& options(ModelBuilder& b, int op) {
  return *static_cast<Options*>(b.op(op).builtin_options.value);
}

void set_parameter(ModelBuilder& b, int tensor, std::size_t index, std::int32_t value) {
  std::memcpy(b.buffer_of(tensor).data.data() + index * sizeof(value), &value, sizeof(value));
}

/// The activation becomes a CALL_ONCE of that subgraph.
void call_once(ModelBuilder& b, std::int32_t subgraph) {
  auto& code = b.code_of(S::kRelu);
  code.builtin_code = BuiltinOperator_CALL_ONCE;
  code.deprecated_builtin_code = 127;
  b.op(S::kRelu).inputs.clear();
  b.op(S::kRelu).outputs.clear();
  CallOnceOptionsT options;
  options.init_subgraph_index = subgraph;
  b.op(S::kRelu).builtin_options.Set(options);
}

void read_only_copy_as_output(ModelBuilder& b) {
  // The add writes the constant factor's tensor.
  b.op(S::kAdd).outputs = {S::kFactor};
}

const std::vector<BadModel>& bad_models() {
  static const std::vector<BadModel> kModels = {
      // M3: tensor indices
      {"M03InputIndexPastEnd", [](auto& b) { b.op(S::kConv).inputs[0] = 999; }, ErrorId::kModelTensorIndex, "Operator 1 CONV_2D, inputs"},
      {"M03InputIndexMinusTwo", [](auto& b) { b.op(S::kConv).inputs[2] = -2; }, ErrorId::kModelTensorIndex, "Operator 1 CONV_2D, inputs"},
      {"M03OptionalWhereNotAllowed", [](auto& b) { b.op(S::kMaxPool).inputs[0] = -1; }, ErrorId::kModelTensorIndex, "Operator 4 MAX_POOL_2D, inputs"},
      {"M03OptionalFilter", [](auto& b) { b.op(S::kConv).inputs[1] = -1; }, ErrorId::kModelTensorIndex, "Operator 1 CONV_2D, inputs"},
      {"M03OptionalSecondAddend", [](auto& b) { b.op(S::kAdd).inputs[1] = -1; }, ErrorId::kModelTensorIndex, "Operator 7 ADD, inputs"},
      {"M03OptionalPieceOfConcatenation", [](auto& b) { b.op(S::kConcat).inputs[1] = -1; }, ErrorId::kModelTensorIndex, "Operator 8 CONCATENATION"},
      {"M03OutputIndexMinusOne", [](auto& b) { b.op(S::kAdd).outputs[0] = -1; }, ErrorId::kModelTensorIndex, "Operator 7 ADD, outputs"},
      {"M03GraphInputPastEnd", [](auto& b) { b.graph().inputs[0] = 28; }, ErrorId::kModelTensorIndex, "Inputs of the graph"},
      {"M03GraphOutputNegative", [](auto& b) { b.graph().outputs[0] = -1; }, ErrorId::kModelTensorIndex, "Outputs of the graph"},
      {"M03SignatureTensorPastEnd", [](auto& b) { b.model.signature_defs[0]->inputs[0]->tensor_index = 4000000000U; }, ErrorId::kModelTensorIndex, "Signature_defs"},
      // M4 to M7: buffers
      {"M04BufferIndexPastEnd", [](auto& b) { b.tensor(S::kConvFilter).buffer = 9999; }, ErrorId::kModelBufferIndex, "tensor 2 \"conv/filter\", buffer"},
      {"M04BufferIndexJustPastEnd", [](auto& b) { b.tensor(S::kDenseOut).buffer = static_cast<std::uint32_t>(b.model.buffers.size()); }, ErrorId::kModelBufferIndex, "dense/out"},
      {"M05MetadataBufferPastEnd", [](auto& b) { b.model.metadata[0]->buffer = 77; }, ErrorId::kModelBufferIndex, "Metadata.buffer"},
      {"M05OldMetadataBufferNegative", [](auto& b) { b.model.metadata_buffer = {-1}; }, ErrorId::kModelBufferIndex, "Metadata_buffer"},
      {"M06BufferOffsetWraps", [](auto& b) { auto& buffer = b.buffer_of(S::kConvFilter); buffer.data.clear(); buffer.offset = ~0ULL - 7; buffer.size = 16; },
       ErrorId::kModelBufferIndex, "buffer.offset"},
      {"M06BufferOffsetPastEnd", [](auto& b) { auto& buffer = b.buffer_of(S::kConvFilter); buffer.data.clear(); buffer.offset = 1 << 20; buffer.size = 288; },
       ErrorId::kModelBufferIndex, "buffer.offset"},
      {"M07FilterWithoutData", [](auto& b) { b.tensor(S::kConvFilter).buffer = 0; }, ErrorId::kModelGraph, "tensor 2 \"conv/filter\""},
      {"M07FilterTooShort", [](auto& b) { b.buffer_of(S::kConvFilter).data.resize(100); }, ErrorId::kModelConstant, "tensor 2 \"conv/filter\", buffer"},
      {"M07BiasTooLong", [](auto& b) { b.buffer_of(S::kDenseBias).data.resize(400); }, ErrorId::kModelConstant, "tensor 24 \"dense/bias\", buffer"},
      {"M07ConstantIsWritten", read_only_copy_as_output, ErrorId::kModelGraph, "tensor 12 \"factor\""},
      // M8: the same tensor in and out
      {"M08AddInPlace", [](auto& b) { b.op(S::kAdd).outputs = {S::kMulOut}; }, ErrorId::kModelGraph, "read and written by the same operator"},
      {"M08ReluInPlace", [](auto& b) { b.op(S::kRelu).outputs = {S::kMeanOut}; }, ErrorId::kModelGraph, "read and written by the same operator"},
      // M9 to M12: shapes
      {"M09ElementCountOverflows64Bits", [](auto& b) { b.tensor(S::kConvOut).shape = {65536, 65536, 65536, 65536}; }, ErrorId::kModelShape, "conv/out"},
      {"M09ElementCountOverflows32Bits", [](auto& b) { b.tensor(S::kConvOut).shape = {65536, 65536, 1, 8}; }, ErrorId::kModelLimit, "conv/out"},
      {"M10PaddedSizeOverflows", [](auto& b) { set_parameter(b, S::kPaddings, 2, kIntMax); }, ErrorId::kModelOptions, "Operator 3 PAD, paddings"},
      {"M10PaddedSizeOverflowsAfter", [](auto& b) { set_parameter(b, S::kPaddings, 7, kIntMax); }, ErrorId::kModelOptions, "Operator 3 PAD, paddings"},
      {"M11HugeInput", [](auto& b) { b.tensor(S::kInput).shape = {1, kIntMax, 1, 1}; }, ErrorId::kModelLimit, "input"},
      {"M11ManyDimensions", [](auto& b) { b.tensor(S::kMeanOut).shape.assign(4000, 1); }, ErrorId::kModelLimit, "dimensions"},
      {"M12ZeroDimension", [](auto& b) { b.tensor(S::kCodes).shape[1] = 0; }, ErrorId::kModelShape, "tensor 1 \"codes\", shape"},
      {"M12NegativeDimension", [](auto& b) { b.tensor(S::kInput).shape[0] = -1; }, ErrorId::kModelShape, "tensor 0 \"input\", shape"},
      {"M12EmptyAxes", [](auto& b) { b.tensor(S::kAxes).shape = {0}; b.buffer_of(S::kAxes).data.clear(); }, ErrorId::kModelOperatorUnsupported, "Operator 10 MEAN"},
      // M13 to M15: divisors
      {"M13StrideZero", [](auto& b) { options<Conv2DOptionsT>(b, S::kConv).stride_h = 0; }, ErrorId::kModelOptions, "Operator 1 CONV_2D, stride_h"},
      {"M13DepthwiseStrideZero", [](auto& b) { options<DepthwiseConv2DOptionsT>(b, S::kDepthwise).stride_w = 0; }, ErrorId::kModelOptions, "stride_w"},
      {"M13DilationZero", [](auto& b) { options<Conv2DOptionsT>(b, S::kConv).dilation_w_factor = 0; }, ErrorId::kModelOptions, "dilation_w_factor"},
      {"M13PoolFilterZero", [](auto& b) { options<Pool2DOptionsT>(b, S::kAveragePool).filter_height = 0; }, ErrorId::kModelOptions, "Operator 5 AVERAGE_POOL_2D, filter_height"},
      {"M13PoolStrideZero", [](auto& b) { options<Pool2DOptionsT>(b, S::kMaxPool).stride_h = 0; }, ErrorId::kModelOptions, "Operator 4 MAX_POOL_2D, stride_h"},
      {"M14GroupsDoNotDivide", [](auto& b) { b.tensor(S::kConvFilter).shape = {8, 3, 4, 3}; }, ErrorId::kModelShape, "conv/filter"},
      {"M14DepthMultiplierDisagrees", [](auto& b) { options<DepthwiseConv2DOptionsT>(b, S::kDepthwise).depth_multiplier = 2; }, ErrorId::kModelOptions, "depth_multiplier"},
      {"M15StrideSmallest", [](auto& b) { options<Conv2DOptionsT>(b, S::kConv).stride_w = kIntMin; }, ErrorId::kModelOptions, "stride_w"},
      {"M15PoolStrideSmallest", [](auto& b) { options<Pool2DOptionsT>(b, S::kMaxPool).stride_w = kIntMin; }, ErrorId::kModelOptions, "stride_w"},
      {"M15AxisSmallest", [](auto& b) { options<ConcatenationOptionsT>(b, S::kConcat).axis = kIntMin; }, ErrorId::kModelOptions, "Operator 8 CONCATENATION, axis"},
      // M16: axes
      {"M16ConcatenationAxisTooLarge", [](auto& b) { options<ConcatenationOptionsT>(b, S::kConcat).axis = 4; }, ErrorId::kModelOptions, "axis"},
      {"M16ConcatenationAxisTooNegative", [](auto& b) { options<ConcatenationOptionsT>(b, S::kConcat).axis = -5; }, ErrorId::kModelOptions, "axis"},
      {"M16MeanAxisTooLarge", [](auto& b) { set_parameter(b, S::kAxes, 0, 4); }, ErrorId::kModelOptions, "Operator 10 MEAN, axis"},
      // M17: operands that disagree
      {"M17AddendsDoNotBroadcast", [](auto& b) { b.op(S::kAdd).inputs[1] = S::kPadOut; }, ErrorId::kModelShape, "Operator 7 ADD"},
      {"M17DenseDepthDisagrees", [](auto& b) { b.tensor(S::kDenseFilter).shape = {32, 5}; }, ErrorId::kModelShape, "Operator 13 FULLY_CONNECTED"},
      {"M17BiasCountDisagrees", [](auto& b) { b.op(S::kDense).inputs[2] = S::kDepthBias; }, ErrorId::kModelShape, "depth/bias"},
      {"M17ConcatenationDisagrees", [](auto& b) { b.op(S::kConcat).inputs[1] = S::kPadOut; }, ErrorId::kModelShape, "pad/out"},
      {"M17ConvOutputDisagrees", [](auto& b) { b.tensor(S::kConvOut).shape = {2, 8, 7, 8}; }, ErrorId::kModelShape, "conv/out"},
      {"M17ReshapeChangesCount", [](auto& b) { b.tensor(S::kReshapeOut).shape = {2, 4, 5}; }, ErrorId::kModelShape, "reshape/out"},
      {"M17DepthwiseFilterDisagrees", [](auto& b) { b.tensor(S::kDepthFilter).shape = {1, 4, 3, 6}; b.tensor(S::kDepthFilter).quantization->scale = {0.1F}; b.tensor(S::kDepthFilter).quantization->zero_point = {0}; }, ErrorId::kModelShape, "depth/filter"},
      {"M17FilterRankDisagrees", [](auto& b) { b.tensor(S::kConvFilter).shape = {8, 36}; }, ErrorId::kModelShape, "conv/filter"},
      {"M17WindowLargerThanImage", [](auto& b) { options<Pool2DOptionsT>(b, S::kMaxPool).filter_width = 7; }, ErrorId::kModelOptions, "Operator 4 MAX_POOL_2D"},
      // M18: indices from data
      {"M18PermutationPastEnd", [](auto& b) { set_parameter(b, S::kPermutation, 1, 4); }, ErrorId::kModelOptions, "Operator 9 TRANSPOSE, permutation"},
      {"M18PermutationRepeats", [](auto& b) { set_parameter(b, S::kPermutation, 1, 1); }, ErrorId::kModelOptions, "Operator 9 TRANSPOSE, permutation"},
      {"M18PaddingNegative", [](auto& b) { set_parameter(b, S::kPaddings, 2, -1); }, ErrorId::kModelOptions, "Operator 3 PAD, paddings"},
      {"M18PaddingsOfAnotherShape", [](auto& b) { b.tensor(S::kPaddings).shape = {8}; }, ErrorId::kModelShape, "paddings"},
      {"M18TwoUnknownDimensions", [](auto& b) { set_parameter(b, S::kNewShape, 1, -1); }, ErrorId::kModelShape, "Operator 12 RESHAPE"},
      {"M18NewShapeDisagrees", [](auto& b) { set_parameter(b, S::kNewShape, 1, 8); }, ErrorId::kModelShape, "new_shape"},
      // M20: order
      {"M20Cycle", [](auto& b) { b.op(S::kMul).inputs[0] = S::kAddOut; }, ErrorId::kModelGraph, "Operator 6 MUL, tensor 14 \"add/out\""},
      {"M20WrongOrder", [](auto& b) { std::swap(b.graph().operators[S::kRelu], b.graph().operators[S::kReshape]); }, ErrorId::kModelGraph, "relu/out"},
      {"M20WrittenTwice", [](auto& b) { b.op(S::kAveragePool).outputs = {S::kMaxOut}; }, ErrorId::kModelGraph, "max/out"},
      {"M20InputIsWritten", [](auto& b) { b.op(S::kDequantize).outputs = {S::kInput}; }, ErrorId::kModelGraph, "input"},
      {"M20CallsItself", [](auto& b) { b.code_of(S::kRelu).builtin_code = BuiltinOperator_CALL_ONCE; b.code_of(S::kRelu).deprecated_builtin_code = 127; },
       ErrorId::kModelOptions, "Operator 11 CALL_ONCE"},
      {"M20InitialisesByItself", [](auto& b) { call_once(b, 0); }, ErrorId::kModelGraph, "Operator 11 CALL_ONCE, init_subgraph_index"},
      {"M20SubgraphPastEnd", [](auto& b) { call_once(b, 1); }, ErrorId::kModelGraph, "init_subgraph_index"},
      {"M20SubgraphNegative", [](auto& b) { call_once(b, -1); }, ErrorId::kModelGraph, "init_subgraph_index"},
      // M21: quantisation
      {"M21ScaleZero", [](auto& b) { b.tensor(S::kConvOut).quantization->scale = {0.0F}; }, ErrorId::kModelQuantization, "tensor 4 \"conv/out\", quantization.scale"},
      {"M21ScaleNan", [](auto& b) { b.tensor(S::kCodes).quantization->scale = {kNan}; }, ErrorId::kModelQuantization, "codes"},
      {"M21ScaleInfinite", [](auto& b) { b.tensor(S::kCodes).quantization->scale = {kInfinity}; }, ErrorId::kModelQuantization, "codes"},
      {"M21ScaleNegative", [](auto& b) { b.tensor(S::kDenseFilter).quantization->scale = {-0.01F}; }, ErrorId::kModelQuantization, "dense/filter"},
      {"M21ZeroPointPastCode", [](auto& b) { b.tensor(S::kCodes).quantization->zero_point = {128}; }, ErrorId::kModelQuantization, "zero_point"},
      {"M21ZeroPointPast32Bits", [](auto& b) { b.tensor(S::kCodes).quantization->zero_point = {1LL << 40}; }, ErrorId::kModelQuantization, "zero_point"},
      {"M21WeightZeroPoint", [](auto& b) { b.tensor(S::kConvFilter).quantization->zero_point[3] = 1; }, ErrorId::kModelQuantization, "conv/filter"},
      {"M21BiasZeroPoint", [](auto& b) { b.tensor(S::kDenseBias).quantization->zero_point = {5}; }, ErrorId::kModelQuantization, "dense/bias"},
      {"M21BiasScaleDisagrees", [](auto& b) { b.tensor(S::kDenseBias).quantization->scale = {1.0F}; }, ErrorId::kModelQuantization, "dense/bias"},
      {"M21ChannelCount", [](auto& b) { b.tensor(S::kConvFilter).quantization->scale.pop_back(); b.tensor(S::kConvFilter).quantization->zero_point.pop_back(); },
       ErrorId::kModelQuantization, "conv/filter"},
      {"M21ZeroPointCount", [](auto& b) { b.tensor(S::kConvFilter).quantization->zero_point.pop_back(); }, ErrorId::kModelQuantization, "zero_point"},
      {"M21ChannelAxisPastEnd", [](auto& b) { b.tensor(S::kConvFilter).quantization->quantized_dimension = 4; }, ErrorId::kModelQuantization, "quantized_dimension"},
      {"M21ChannelAxisNegative", [](auto& b) { b.tensor(S::kConvFilter).quantization->quantized_dimension = -1; }, ErrorId::kModelQuantization, "quantized_dimension"},
      {"M21Missing", [](auto& b) { b.tensor(S::kMulOut).quantization.reset(); }, ErrorId::kModelQuantization, "mul/out"},
      {"M21ScalesMissing", [](auto& b) { b.tensor(S::kMulOut).quantization->scale.clear(); }, ErrorId::kModelQuantization, "mul/out"},
      {"M21ActivationPerChannel", [](auto& b) { auto& q = *b.tensor(S::kMulOut).quantization; q.scale.assign(8, 0.1F); q.zero_point.assign(8, 0); q.quantized_dimension = 3; },
       ErrorId::kModelQuantization, "mul/out"},
      {"M21PoolRescales", [](auto& b) { b.tensor(S::kMaxOut).quantization->scale = {0.5F}; }, ErrorId::kModelQuantization, "does not rescale"},
      {"M21SoftmaxOutput", [](auto& b) { b.tensor(S::kSoftmaxOut).quantization->zero_point = {0}; }, ErrorId::kModelQuantization, "softmax/out"},
      {"M21RescaleTooLarge", [](auto& b) { b.tensor(S::kMulOut).quantization->scale = {1.0e-12F}; }, ErrorId::kModelQuantization, "rescale"},
      {"M21CustomDetails", [](auto& b) { b.tensor(S::kCodes).quantization->details_kind = 1; }, ErrorId::kModelQuantization, "quantization.details"},
      // M22: sparsity
      {"M22SparseFilter", [](auto& b) { b.tensor(S::kConvFilter).sparsity = std::make_unique<SparsityParametersT>(); }, ErrorId::kModelTypeUnsupported, "sparsity"},
      {"M22SparseActivation", [](auto& b) { b.tensor(S::kAddOut).sparsity = std::make_unique<SparsityParametersT>(); b.tensor(S::kAddOut).sparsity->traversal_order = {9}; },
       ErrorId::kModelTypeUnsupported, "sparsity"},
      // M23: state
      {"M23VariableIsRead", [](auto& b) { b.tensor(S::kConvOut).is_variable = true; }, ErrorId::kModelOperatorUnsupported, "conv/out"},
      {"M23VariableWithData", [](auto& b) { b.tensor(S::kFactor).is_variable = true; }, ErrorId::kModelConstant, "factor"},
      {"M23VariableIsInput", [](auto& b) { b.tensor(S::kInput).is_variable = true; }, ErrorId::kModelGraph, "input"},
      {"M23MutatesItsInput", [](auto& b) { b.op(S::kDense).mutating_variable_inputs = {true, false, false}; }, ErrorId::kModelOperatorUnsupported, "mutating_variable_inputs"},
      // M24: kinds, versions, options, text
      {"M24StringTensor", [](auto& b) { b.tensor(S::kAddOut).type = TensorType_STRING; }, ErrorId::kModelTypeUnsupported, "STRING"},
      {"M24TypeThatDoesNotExist", [](auto& b) { b.tensor(S::kAddOut).type = static_cast<TensorType>(99); }, ErrorId::kModelTypeUnsupported, "add/out"},
      {"M24FloatConvolution", [](auto& b) { b.op(S::kConv).inputs[0] = S::kInput; }, ErrorId::kModelTypeUnsupported, "Operator 1 CONV_2D, tensor 4 \"conv/out\", type"},
      {"M24CustomOperator", [](auto& b) { auto& code = b.code_of(S::kAdd); code.builtin_code = BuiltinOperator_CUSTOM; code.deprecated_builtin_code = 32; code.custom_code = "My\x1bOp"; },
       ErrorId::kModelOperatorUnknown, "CUSTOM \"My\xEF\xBF\xBDOp\""},
      {"M24UnknownCode", [](auto& b) { b.code_of(S::kAdd).builtin_code = static_cast<BuiltinOperator>(5000); }, ErrorId::kModelOperatorUnknown, "builtin 5000"},
      {"M24NegativeCode", [](auto& b) { b.code_of(S::kAdd).builtin_code = static_cast<BuiltinOperator>(-7); b.code_of(S::kAdd).deprecated_builtin_code = -7; },
       ErrorId::kModelOperatorUnknown, "builtin -7"},
      {"M24KnownToOthers", [](auto& b) { b.code_of(S::kRelu).builtin_code = BuiltinOperator_CUMSUM; }, ErrorId::kModelOperatorUnknown, "Operator 11 CUMSUM"},
      {"M24CodeIndexPastEnd", [](auto& b) { b.op(S::kAdd).opcode_index = 500; }, ErrorId::kModelStructure, "Operator 7, opcode_index"},
      {"M24VersionZero", [](auto& b) { b.code_of(S::kAdd).version = 0; }, ErrorId::kModelOperatorUnsupported, "version"},
      {"M24VersionOfTheFuture", [](auto& b) { b.code_of(S::kAdd).version = 1000; }, ErrorId::kModelOperatorUnsupported, "version"},
      {"M24OptionsOfAnotherKind", [](auto& b) { b.op(S::kConv).builtin_options.Set(Pool2DOptionsT()); }, ErrorId::kModelOptions, "Operator 1 CONV_2D, builtin_options"},
      {"M24OptionsMissing", [](auto& b) { b.op(S::kConv).builtin_options.Reset(); }, ErrorId::kModelOptions, "Operator 1 CONV_2D, builtin_options"},
      {"M24SoftmaxOptionsMissing", [](auto& b) { b.op(S::kSoftmax).builtin_options.Reset(); }, ErrorId::kModelOptions, "Operator 14 SOFTMAX"},
      {"M24SoftmaxBetaNan", [](auto& b) { options<SoftmaxOptionsT>(b, S::kSoftmax).beta = kNan; }, ErrorId::kModelOptions, "beta"},
      {"M24PaddingThatDoesNotExist", [](auto& b) { options<Conv2DOptionsT>(b, S::kConv).padding = static_cast<Padding>(7); }, ErrorId::kModelOptions, "padding"},
      {"M24ActivationThatDoesNotExist", [](auto& b) { options<Conv2DOptionsT>(b, S::kConv).fused_activation_function = static_cast<ActivationFunctionType>(77); },
       ErrorId::kModelOptions, "fused_activation_function"},
      {"M24ActivationNotSupported", [](auto& b) { options<Conv2DOptionsT>(b, S::kConv).fused_activation_function = ActivationFunctionType_TANH; },
       ErrorId::kModelOperatorUnsupported, "TANH"},
      {"M24ShuffledWeights", [](auto& b) { options<FullyConnectedOptionsT>(b, S::kDense).weights_format = FullyConnectedOptionsWeightsFormat_SHUFFLED4x16INT8; },
       ErrorId::kModelOperatorUnsupported, "weights_format"},
      {"M24TooManyOperands", [](auto& b) { b.op(S::kRelu).inputs.push_back(S::kMeanOut); }, ErrorId::kModelOptions, "Operator 11 RELU, inputs"},
      {"M24NoOperands", [](auto& b) { b.op(S::kRelu).inputs.clear(); }, ErrorId::kModelTensorIndex, "Operator 11 RELU"},
      {"M24NoResults", [](auto& b) { b.op(S::kRelu).outputs.clear(); }, ErrorId::kModelOptions, "Operator 11 RELU, outputs"},
      {"M24NoSubgraphs", [](auto& b) { b.model.subgraphs.clear(); }, ErrorId::kModelGraph, "Subgraphs"},
      {"M24NoOutputs", [](auto& b) { b.graph().outputs.clear(); }, ErrorId::kModelGraph, "Outputs of the graph"},
      {"M24OutputThatNothingComputes", [](auto& b) { b.graph().outputs = {S::kConvOut}; b.graph().operators.erase(b.graph().operators.begin() + 1, b.graph().operators.end()); }, ErrorId::kModelGraph, "is not computed"},
      {"M24InputListedTwice", [](auto& b) { b.graph().inputs = {S::kInput, S::kInput}; }, ErrorId::kModelGraph, "listed twice"},
      {"M24SchemaVersion", [](auto& b) { b.model.version = 4; }, ErrorId::kModelStructure, "Version"},
      {"M24SignatureOfAnotherSubgraph", [](auto& b) { b.model.signature_defs[0]->subgraph_index = 3; }, ErrorId::kModelGraph, "subgraph_index"},
  };
  return kModels;
}

std::string capitalised(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

class BadModels : public testing::TestWithParam<BadModel> {};

TEST_P(BadModels, AreRefusedNamingThePlace) {
  ModelBuilder builder = Sample::make();
  GetParam().change(builder);
  const auto graph = import_tflite(builder.bytes());
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().id_text(), Error(GetParam().expected, "").id_text()) << graph.error().message();
  // The place opens the sentence, so its first letter may be a capital.
  EXPECT_THAT(graph.error().message(), testing::AnyOf(testing::HasSubstr(GetParam().says), testing::StartsWith(capitalised(GetParam().says))));
  EXPECT_FALSE(graph.error().remedy().empty());
}

INSTANTIATE_TEST_SUITE_P(Import, BadModels, testing::ValuesIn(bad_models()), [](const auto& info) { return std::string(info.param.name); });

ErrorId import_error(SharedBytes bytes, const ImportLimits& limits = {}) {
  const auto graph = import_tflite(std::move(bytes), limits);
  return graph ? ErrorId::kInternal : graph.error().id();
}

SharedBytes raw(std::vector<std::uint8_t> bytes) {
  const auto span = std::as_bytes(std::span(bytes));
  return std::make_shared<const std::vector<std::byte>>(span.begin(), span.end());
}

TEST(BadFiles, AreRefusedWhenTheRootIsPastTheEnd) {
  EXPECT_EQ(import_error(raw({0, 0, 0, 0, 'T', 'F', 'L', '3'})), ErrorId::kModelStructure);
  EXPECT_EQ(import_error(raw({0xFF, 0xFF, 0xFF, 0x7F, 'T', 'F', 'L', '3'})), ErrorId::kModelStructure);
  EXPECT_EQ(import_error(raw({8, 0, 0, 0, 'T', 'F', 'L', '3', 0xF0, 0xFF, 0xFF, 0x7F})), ErrorId::kModelStructure);
}

TEST(BadFiles, AreRefusedWhenTheyAreNotTflite) {
  EXPECT_EQ(import_error(raw({})), ErrorId::kModelNotTflite);
  EXPECT_EQ(import_error(raw({'T', 'F', 'L', '3'})), ErrorId::kModelNotTflite);
  EXPECT_EQ(import_error(raw(std::vector<std::uint8_t>(4096, 'x'))), ErrorId::kModelNotTflite);
  EXPECT_EQ(import_error(nullptr), ErrorId::kInvalidArgument);
}

TEST(BadFiles, AreRefusedWhenTheRootIsMisaligned) {
  auto bytes = *Sample::make().bytes();
  bytes[0] = static_cast<std::byte>(static_cast<unsigned>(bytes[0]) + 1U);
  EXPECT_EQ(import_error(std::make_shared<const std::vector<std::byte>>(bytes)), ErrorId::kModelStructure);
  bytes[0] = static_cast<std::byte>(static_cast<unsigned>(bytes[0]) + 1U);
  EXPECT_EQ(import_error(std::make_shared<const std::vector<std::byte>>(bytes)), ErrorId::kModelStructure);
}

TEST(BadFiles, AreRefusedAtEveryTruncation) {
  const auto whole = Sample::make().bytes();
  for (std::size_t size = 0; size < whole->size(); size += 13) {
    auto bytes = std::make_shared<const std::vector<std::byte>>(whole->begin(), whole->begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_NE(import_error(bytes), ErrorId::kInternal) << size;
  }
}

/// The object API cannot write a union member that the schema does not declare, so its tag is patched in place.
TEST(BadFiles, AreRefusedWhenTheOptionsAreOfAnUndeclaredKind) {
  for (const std::uint8_t kind : {std::uint8_t{3}, std::uint8_t{126}, std::uint8_t{255}}) {
    auto bytes = *Sample::make().bytes();
    auto* op = const_cast<tflite::Operator*>(tflite::GetModel(bytes.data())->subgraphs()->Get(0)->operators()->Get(Sample::kConv));
    ASSERT_TRUE(reinterpret_cast<flatbuffers::Table*>(op)->SetField<std::uint8_t>(tflite::Operator::VT_BUILTIN_OPTIONS_TYPE, kind, 0));
    const auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(bytes));
    ASSERT_FALSE(graph);
    EXPECT_EQ(graph.error().id(), ErrorId::kModelOptions) << graph.error().message();
  }
}

TEST(BadFiles, NeverCrashWhenBytesAreFlipped) {
  const auto whole = Sample::make().bytes();
  std::uint32_t state = 2463534242U;
  const auto next = [&] {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
  };
  std::size_t accepted = 0;
  std::size_t past_structure = 0;
  constexpr std::size_t kRounds = 20'000;
  for (std::size_t round = 0; round < kRounds; ++round) {
    auto bytes = *whole;
    for (std::uint32_t flips = next() % 3 + 1; flips > 0; --flips) bytes[8 + next() % (bytes.size() - 8)] = static_cast<std::byte>(next());
    const auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
    if (graph) ++accepted;
    if (graph || graph.error().id() != ErrorId::kModelStructure) ++past_structure;
  }
  // Most of the bytes are weights and names: a flip there leaves a valid model. What matters is that many reach the semantic verifier.
  EXPECT_GT(accepted, 0U);
  EXPECT_LT(accepted, kRounds);
  EXPECT_GT(past_structure, kRounds / 4);
}

TEST(Limits, AreKept) {
  const auto bytes = Sample::make().bytes();
  ASSERT_TRUE(import_tflite(bytes));
  ImportLimits limits;
  limits.file_bytes_max = bytes->size() - 1;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
  limits = {};
  limits.graph.tensors_max = 27;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
  limits = {};
  limits.graph.operators_max = 15;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
  limits = {};
  limits.graph.rank_max = 3;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
  limits = {};
  limits.graph.tensor_bytes_max = 2047;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
  limits = {};
  limits.graph.all_tensor_bytes_max = 4096;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
  limits = {};
  limits.graph.multiply_accumulates_max = 1000;
  EXPECT_EQ(import_error(bytes, limits), ErrorId::kModelLimit);
}

/// M19: reachable only when the limit on bytes is lifted.
TEST(Limits, ConcatenationCannotOverflowItsAxis) {
  ModelBuilder b;
  b.add_tensor("a", {1, kIntMax}, TensorType_INT8, {1.0F});
  b.add_tensor("out", {1, kIntMax}, TensorType_INT8, {1.0F});
  ConcatenationOptionsT concat;
  concat.axis = 1;
  b.add_operator(BuiltinOperator_CONCATENATION, {0, 0}, {1}, concat);
  b.graph().inputs = {0};
  b.graph().outputs = {1};
  EXPECT_EQ(import_error(b.bytes()), ErrorId::kModelLimit);
  ImportLimits limits;
  limits.graph.tensor_bytes_max = limits.graph.all_tensor_bytes_max = std::uint64_t{1} << 40;
  EXPECT_EQ(import_error(b.bytes(), limits), ErrorId::kModelOptions);
  options<ConcatenationOptionsT>(b, 0).axis = 0;
  EXPECT_EQ(import_error(b.bytes(), limits), ErrorId::kModelShape);
}

}  // namespace
}  // namespace naru::sdk
