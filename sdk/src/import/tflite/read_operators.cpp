// Operators and their options. Each kind has one row that says which option table it takes and how that is read; what the options must
// satisfy against the operands is operator_rules.cpp's.
#include <algorithm>

#include <fmt/format.h>

#include "import/refusal.h"
#include "import/tflite/read.h"
#include "import/tflite/read_options.h"
#include "import/tflite/read_state.h"

namespace naru::sdk {
namespace {

using graph::Graph;
using graph::Operator;
using graph::OperatorKind;
using graph::Shape;
using graph::Tensor;

constexpr std::int32_t kOperatorVersionMax = 32;

Result<graph::Options> read_conv(const Source& source) {
  const auto* from = source.file.builtin_options_as_Conv2DOptions();
  if (from == nullptr) return missing_options(source.op);
  graph::ConvOptions options;
  options.stride_h = from->stride_h();
  options.stride_w = from->stride_w();
  options.dilation_h = from->dilation_h_factor();
  options.dilation_w = from->dilation_w_factor();
  NARU_TRY(options.padding, read_padding(source.op, from->padding()));
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  return options;
}

Result<graph::Options> read_depthwise(const Source& source) {
  const auto* from = source.file.builtin_options_as_DepthwiseConv2DOptions();
  if (from == nullptr) return missing_options(source.op);
  graph::ConvOptions options;
  options.stride_h = from->stride_h();
  options.stride_w = from->stride_w();
  options.dilation_h = from->dilation_h_factor();
  options.dilation_w = from->dilation_w_factor();
  options.depth_multiplier = from->depth_multiplier();
  NARU_TRY(options.padding, read_padding(source.op, from->padding()));
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  // Files may leave the multiplier out, as the shapes imply it.
  const graph::TensorId input = source.op.input(0);
  const graph::TensorId filter = source.op.input(1);
  if (options.depth_multiplier == 0 && input != graph::kAbsent && filter != graph::kAbsent) {
    const Shape& in = source.graph.tensor(input).shape;
    const Shape& weights = source.graph.tensor(filter).shape;
    if (in.size() == 4 && weights.size() == 4 && in[3] > 0) options.depth_multiplier = weights[3] / in[3];
  }
  return options;
}

Result<graph::Options> read_fully_connected(const Source& source) {
  graph::FullyConnectedOptions options;
  const auto* from = source.file.builtin_options_as_FullyConnectedOptions();
  if (from == nullptr) return options;
  if (from->weights_format() != tflite::FullyConnectedOptionsWeightsFormat_DEFAULT)
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(source.op, "weights_format"), fmt::format("is {}; must be DEFAULT", static_cast<int>(from->weights_format())));
  options.keep_dims = from->keep_num_dims();
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  return options;
}

Result<graph::Options> read_pool(const Source& source) {
  const auto* from = source.file.builtin_options_as_Pool2DOptions();
  if (from == nullptr) return missing_options(source.op);
  graph::PoolOptions options;
  options.stride_h = from->stride_h();
  options.stride_w = from->stride_w();
  options.filter_h = from->filter_height();
  options.filter_w = from->filter_width();
  NARU_TRY(options.padding, read_padding(source.op, from->padding()));
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  return options;
}

template <typename FileOptions>
Result<graph::Options> read_elementwise(const Source& source) {
  graph::ElementwiseOptions options;
  if (const auto* from = source.file.template builtin_options_as<FileOptions>()) {
    NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  }
  return options;
}

Result<graph::Options> read_pad(const Source& source) {
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, 1, "paddings"));
  const Shape& shape = source.graph.tensor(source.op.inputs[1]).shape;
  if (shape.size() != 2 || shape[1] != 2)
    return refuse(ErrorId::kModelShape, place_of(source.op, source.graph.tensor(source.op.inputs[1]), "paddings"), fmt::format("are {}; must be [dimensions, 2]", graph::to_string(shape)));
  graph::PadOptions options;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    NARU_TRY(const std::int32_t before, read_size(source, values[i], "paddings"));
    NARU_TRY(const std::int32_t after, read_size(source, values[i + 1], "paddings"));
    options.before.push_back(before);
    options.after.push_back(after);
  }
  return options;
}

Result<graph::Options> read_mean(const Source& source) {
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, 1, "axis"));
  graph::ReduceOptions options;
  for (std::int64_t value : values) {
    NARU_TRY(const std::int32_t axis, read_axis(source, value, "axis"));
    options.axes.push_back(axis);
  }
  std::sort(options.axes.begin(), options.axes.end());
  options.axes.erase(std::unique(options.axes.begin(), options.axes.end()), options.axes.end());
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (values.empty() && output.shape != source.graph.tensor(source.op.inputs[0]).shape)
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(source.op, output, "axis"),
                  fmt::format("has no values, but the output {} is not the input's", graph::to_string(output.shape)));
  if (const auto* from = source.file.builtin_options_as_ReducerOptions()) options.keep_dims = from->keep_dims();
  return options;
}

Result<graph::Options> read_softmax(const Source& source) {
  const auto* from = source.file.builtin_options_as_SoftmaxOptions();
  if (from == nullptr) return missing_options(source.op);
  return graph::SoftmaxOptions{from->beta()};
}

Result<graph::Options> read_concatenation(const Source& source) {
  const auto* from = source.file.builtin_options_as_ConcatenationOptions();
  if (from == nullptr) return missing_options(source.op);
  graph::ConcatenationOptions options;
  NARU_TRY(options.axis, read_axis(source, from->axis(), "axis"));
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  return options;
}

Result<graph::Options> read_transpose(const Source& source) {
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, 1, "permutation"));
  graph::TransposeOptions options;
  for (std::int64_t value : values) {
    NARU_TRY(const std::int32_t axis, read_axis(source, value, "permutation"));
    options.permutation.push_back(axis);
  }
  return options;
}

Result<graph::Options> read_none(const Source&) { return graph::Options{}; }

Result<graph::Options> read_leaky_relu(const Source& source) {
  const auto* from = source.file.builtin_options_as_LeakyReluOptions();
  if (from == nullptr) return missing_options(source.op);
  return graph::LeakyReluOptions{from->alpha()};
}

Result<graph::Options> read_gelu(const Source& source) {
  const auto* from = source.file.builtin_options_as_GeluOptions();
  return graph::GeluOptions{from != nullptr && from->approximate()};
}

Result<graph::Options> read_l2_norm(const Source& source) {
  const auto* from = source.file.builtin_options_as_L2NormOptions();
  if (from != nullptr && from->fused_activation_function() != tflite::ActivationFunctionType_NONE)
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(source.op, "fused_activation_function"), "is set, which is not supported");
  return graph::Options{};
}

Result<graph::Options> read_batch_matmul(const Source& source) {
  const auto* from = source.file.builtin_options_as_BatchMatMulOptions();
  return from == nullptr ? graph::BatchMatmulOptions{} : graph::BatchMatmulOptions{from->adj_x(), from->adj_y()};
}

template <typename FileOptions>
Result<graph::Options> read_block(const Source& source) {
  const auto* from = source.file.template builtin_options_as<FileOptions>();
  if (from == nullptr) return missing_options(source.op);
  return graph::BlockOptions{from->block_size()};
}

struct Row {
  tflite::BuiltinOperator code;
  OperatorKind kind;
  tflite::BuiltinOptions options;  // a file's options are of this kind, or left out
  Result<graph::Options> (*read)(const Source&);
};

constexpr Row kRows[] = {
    {tflite::BuiltinOperator_CONV_2D, OperatorKind::kConv2d, tflite::BuiltinOptions_Conv2DOptions, read_conv},
    {tflite::BuiltinOperator_DEPTHWISE_CONV_2D, OperatorKind::kDepthwiseConv2d, tflite::BuiltinOptions_DepthwiseConv2DOptions, read_depthwise},
    {tflite::BuiltinOperator_FULLY_CONNECTED, OperatorKind::kFullyConnected, tflite::BuiltinOptions_FullyConnectedOptions, read_fully_connected},
    {tflite::BuiltinOperator_AVERAGE_POOL_2D, OperatorKind::kAveragePool2d, tflite::BuiltinOptions_Pool2DOptions, read_pool},
    {tflite::BuiltinOperator_MAX_POOL_2D, OperatorKind::kMaxPool2d, tflite::BuiltinOptions_Pool2DOptions, read_pool},
    {tflite::BuiltinOperator_ADD, OperatorKind::kAdd, tflite::BuiltinOptions_AddOptions, read_elementwise<tflite::AddOptions>},
    {tflite::BuiltinOperator_MUL, OperatorKind::kMul, tflite::BuiltinOptions_MulOptions, read_elementwise<tflite::MulOptions>},
    {tflite::BuiltinOperator_PAD, OperatorKind::kPad, tflite::BuiltinOptions_PadOptions, read_pad},
    {tflite::BuiltinOperator_MEAN, OperatorKind::kMean, tflite::BuiltinOptions_ReducerOptions, read_mean},
    {tflite::BuiltinOperator_RESHAPE, OperatorKind::kReshape, tflite::BuiltinOptions_ReshapeOptions, read_reshape},
    {tflite::BuiltinOperator_SOFTMAX, OperatorKind::kSoftmax, tflite::BuiltinOptions_SoftmaxOptions, read_softmax},
    {tflite::BuiltinOperator_RELU, OperatorKind::kRelu, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_RELU6, OperatorKind::kRelu6, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_CONCATENATION, OperatorKind::kConcatenation, tflite::BuiltinOptions_ConcatenationOptions, read_concatenation},
    {tflite::BuiltinOperator_TRANSPOSE, OperatorKind::kTranspose, tflite::BuiltinOptions_TransposeOptions, read_transpose},
    {tflite::BuiltinOperator_QUANTIZE, OperatorKind::kQuantize, tflite::BuiltinOptions_QuantizeOptions, read_none},
    {tflite::BuiltinOperator_DEQUANTIZE, OperatorKind::kDequantize, tflite::BuiltinOptions_DequantizeOptions, read_none},
    {tflite::BuiltinOperator_SUB, OperatorKind::kSub, tflite::BuiltinOptions_SubOptions, read_elementwise<tflite::SubOptions>},
    {tflite::BuiltinOperator_DIV, OperatorKind::kDiv, tflite::BuiltinOptions_DivOptions, read_elementwise<tflite::DivOptions>},
    {tflite::BuiltinOperator_FLOOR_DIV, OperatorKind::kFloorDiv, tflite::BuiltinOptions_FloorDivOptions, read_none},
    {tflite::BuiltinOperator_LOGISTIC, OperatorKind::kLogistic, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_TANH, OperatorKind::kTanh, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_SQRT, OperatorKind::kSqrt, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_CAST, OperatorKind::kCast, tflite::BuiltinOptions_CastOptions, read_none},
    {tflite::BuiltinOperator_RESIZE_BILINEAR, OperatorKind::kResizeBilinear, tflite::BuiltinOptions_ResizeBilinearOptions, read_resize<tflite::ResizeBilinearOptions>},
    {tflite::BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, OperatorKind::kResizeNearestNeighbor, tflite::BuiltinOptions_ResizeNearestNeighborOptions,
     read_resize<tflite::ResizeNearestNeighborOptions>},
    {tflite::BuiltinOperator_ARG_MAX, OperatorKind::kArgMax, tflite::BuiltinOptions_ArgMaxOptions, read_arg},
    {tflite::BuiltinOperator_ARG_MIN, OperatorKind::kArgMin, tflite::BuiltinOptions_ArgMinOptions, read_arg},
    {tflite::BuiltinOperator_PACK, OperatorKind::kPack, tflite::BuiltinOptions_PackOptions, read_pack},
    {tflite::BuiltinOperator_UNPACK, OperatorKind::kUnpack, tflite::BuiltinOptions_UnpackOptions, read_unpack},
    {tflite::BuiltinOperator_GATHER_ND, OperatorKind::kGatherNd, tflite::BuiltinOptions_GatherNdOptions, read_none},
    {tflite::BuiltinOperator_STRIDED_SLICE, OperatorKind::kStridedSlice, tflite::BuiltinOptions_StridedSliceOptions, read_strided_slice},
    {tflite::BuiltinOperator_SVDF, OperatorKind::kSvdf, tflite::BuiltinOptions_SVDFOptions, read_svdf},
    {tflite::BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM, OperatorKind::kUnidirectionalSequenceLstm, tflite::BuiltinOptions_UnidirectionalSequenceLSTMOptions, read_lstm},
    {tflite::BuiltinOperator_MINIMUM, OperatorKind::kMinimum, tflite::BuiltinOptions_MaximumMinimumOptions, read_none},
    {tflite::BuiltinOperator_MAXIMUM, OperatorKind::kMaximum, tflite::BuiltinOptions_MaximumMinimumOptions, read_none},
    {tflite::BuiltinOperator_SQUARED_DIFFERENCE, OperatorKind::kSquaredDifference, tflite::BuiltinOptions_SquaredDifferenceOptions, read_none},
    {tflite::BuiltinOperator_FLOOR_MOD, OperatorKind::kFloorMod, tflite::BuiltinOptions_FloorModOptions, read_none},
    {tflite::BuiltinOperator_POW, OperatorKind::kPow, tflite::BuiltinOptions_PowOptions, read_none},
    {tflite::BuiltinOperator_EQUAL, OperatorKind::kEqual, tflite::BuiltinOptions_EqualOptions, read_none},
    {tflite::BuiltinOperator_NOT_EQUAL, OperatorKind::kNotEqual, tflite::BuiltinOptions_NotEqualOptions, read_none},
    {tflite::BuiltinOperator_LESS, OperatorKind::kLess, tflite::BuiltinOptions_LessOptions, read_none},
    {tflite::BuiltinOperator_LESS_EQUAL, OperatorKind::kLessEqual, tflite::BuiltinOptions_LessEqualOptions, read_none},
    {tflite::BuiltinOperator_GREATER, OperatorKind::kGreater, tflite::BuiltinOptions_GreaterOptions, read_none},
    {tflite::BuiltinOperator_GREATER_EQUAL, OperatorKind::kGreaterEqual, tflite::BuiltinOptions_GreaterEqualOptions, read_none},
    {tflite::BuiltinOperator_LOGICAL_AND, OperatorKind::kLogicalAnd, tflite::BuiltinOptions_LogicalAndOptions, read_none},
    {tflite::BuiltinOperator_LOGICAL_OR, OperatorKind::kLogicalOr, tflite::BuiltinOptions_LogicalOrOptions, read_none},
    {tflite::BuiltinOperator_LOGICAL_NOT, OperatorKind::kLogicalNot, tflite::BuiltinOptions_LogicalNotOptions, read_none},
    {tflite::BuiltinOperator_SELECT, OperatorKind::kSelect, tflite::BuiltinOptions_SelectOptions, read_none},
    {tflite::BuiltinOperator_SELECT_V2, OperatorKind::kSelect, tflite::BuiltinOptions_SelectV2Options, read_none},
    {tflite::BuiltinOperator_RELU_N1_TO_1, OperatorKind::kReluN1To1, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_RELU_0_TO_1, OperatorKind::kRelu0To1, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_HARD_SWISH, OperatorKind::kHardSwish, tflite::BuiltinOptions_HardSwishOptions, read_none},
    {tflite::BuiltinOperator_LEAKY_RELU, OperatorKind::kLeakyRelu, tflite::BuiltinOptions_LeakyReluOptions, read_leaky_relu},
    {tflite::BuiltinOperator_PRELU, OperatorKind::kPrelu, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_ELU, OperatorKind::kElu, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_GELU, OperatorKind::kGelu, tflite::BuiltinOptions_GeluOptions, read_gelu},
    {tflite::BuiltinOperator_ABS, OperatorKind::kAbs, tflite::BuiltinOptions_AbsOptions, read_none},
    {tflite::BuiltinOperator_NEG, OperatorKind::kNeg, tflite::BuiltinOptions_NegOptions, read_none},
    {tflite::BuiltinOperator_SQUARE, OperatorKind::kSquare, tflite::BuiltinOptions_SquareOptions, read_none},
    {tflite::BuiltinOperator_RSQRT, OperatorKind::kRsqrt, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_EXP, OperatorKind::kExp, tflite::BuiltinOptions_ExpOptions, read_none},
    {tflite::BuiltinOperator_LOG, OperatorKind::kLog, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_SIN, OperatorKind::kSin, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_COS, OperatorKind::kCos, tflite::BuiltinOptions_CosOptions, read_none},
    {tflite::BuiltinOperator_FLOOR, OperatorKind::kFloor, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_CEIL, OperatorKind::kCeil, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_ROUND, OperatorKind::kRound, tflite::BuiltinOptions_NONE, read_none},
    {tflite::BuiltinOperator_LOG_SOFTMAX, OperatorKind::kLogSoftmax, tflite::BuiltinOptions_LogSoftmaxOptions, read_none},
    {tflite::BuiltinOperator_L2_NORMALIZATION, OperatorKind::kL2Normalization, tflite::BuiltinOptions_L2NormOptions, read_l2_norm},
    {tflite::BuiltinOperator_TRANSPOSE_CONV, OperatorKind::kTransposeConv, tflite::BuiltinOptions_TransposeConvOptions, read_transpose_conv},
    {tflite::BuiltinOperator_BATCH_MATMUL, OperatorKind::kBatchMatmul, tflite::BuiltinOptions_BatchMatMulOptions, read_batch_matmul},
    {tflite::BuiltinOperator_SUM, OperatorKind::kSum, tflite::BuiltinOptions_ReducerOptions, read_mean},
    {tflite::BuiltinOperator_REDUCE_MAX, OperatorKind::kReduceMax, tflite::BuiltinOptions_ReducerOptions, read_mean},
    {tflite::BuiltinOperator_REDUCE_MIN, OperatorKind::kReduceMin, tflite::BuiltinOptions_ReducerOptions, read_mean},
    {tflite::BuiltinOperator_PADV2, OperatorKind::kPadV2, tflite::BuiltinOptions_PadV2Options, read_pad},
    {tflite::BuiltinOperator_MIRROR_PAD, OperatorKind::kMirrorPad, tflite::BuiltinOptions_MirrorPadOptions, read_mirror_pad},
    {tflite::BuiltinOperator_SLICE, OperatorKind::kSlice, tflite::BuiltinOptions_SliceOptions, read_slice},
    {tflite::BuiltinOperator_SPLIT, OperatorKind::kSplit, tflite::BuiltinOptions_SplitOptions, read_split},
    {tflite::BuiltinOperator_SPLIT_V, OperatorKind::kSplitV, tflite::BuiltinOptions_SplitVOptions, read_split_v},
    {tflite::BuiltinOperator_GATHER, OperatorKind::kGather, tflite::BuiltinOptions_GatherOptions, read_gather},
    {tflite::BuiltinOperator_TILE, OperatorKind::kTile, tflite::BuiltinOptions_TileOptions, read_tile},
    {tflite::BuiltinOperator_BROADCAST_TO, OperatorKind::kBroadcastTo, tflite::BuiltinOptions_BroadcastToOptions, read_broadcast},
    {tflite::BuiltinOperator_SPACE_TO_DEPTH, OperatorKind::kSpaceToDepth, tflite::BuiltinOptions_SpaceToDepthOptions, read_block<tflite::SpaceToDepthOptions>},
    {tflite::BuiltinOperator_DEPTH_TO_SPACE, OperatorKind::kDepthToSpace, tflite::BuiltinOptions_DepthToSpaceOptions, read_block<tflite::DepthToSpaceOptions>},
    {tflite::BuiltinOperator_SPACE_TO_BATCH_ND, OperatorKind::kSpaceToBatchNd, tflite::BuiltinOptions_SpaceToBatchNDOptions, read_space_batch},
    {tflite::BuiltinOperator_BATCH_TO_SPACE_ND, OperatorKind::kBatchToSpaceNd, tflite::BuiltinOptions_BatchToSpaceNDOptions, read_space_batch},
    {tflite::BuiltinOperator_EXPAND_DIMS, OperatorKind::kExpandDims, tflite::BuiltinOptions_ExpandDimsOptions, read_expand_dims},
    {tflite::BuiltinOperator_SQUEEZE, OperatorKind::kSqueeze, tflite::BuiltinOptions_SqueezeOptions, read_squeeze},
    {tflite::BuiltinOperator_SHAPE, OperatorKind::kShape, tflite::BuiltinOptions_ShapeOptions, read_none},
    {tflite::BuiltinOperator_FILL, OperatorKind::kFill, tflite::BuiltinOptions_FillOptions, read_fill},
    {tflite::BuiltinOperator_CUSTOM, OperatorKind::kDetectionPostProcess, tflite::BuiltinOptions_NONE, read_detection},
};

/// Files older than builtin_code have only the first field; newer ones fill both up to 127.
int builtin_code_of(const tflite::OperatorCode& code) noexcept {
  return std::max(static_cast<int>(code.deprecated_builtin_code()), static_cast<int>(code.builtin_code()));
}

const Row* row_of(int code) noexcept {
  for (const Row& row : kRows)
    if (row.code == code) return &row;
  return nullptr;
}

/// "LOGISTIC", "CUSTOM \"Name\"", "builtin 300".
std::string kind_of(const tflite::OperatorCode& code) {
  const int number = builtin_code_of(code);
  if (number == tflite::BuiltinOperator_CUSTOM) return fmt::format("CUSTOM \"{}\"", clean_text(code.custom_code()));
  const char* name = tflite::EnumNameBuiltinOperator(static_cast<tflite::BuiltinOperator>(number));
  return *name == '\0' ? fmt::format("builtin {}", number) : std::string(name);
}

Result<const Row*> row_for(const TfliteFile& file, std::int32_t index) {
  const tflite::Operator& op = *file.subgraph->operators()->Get(static_cast<flatbuffers::uoffset_t>(index));
  const auto* codes = file.model->operator_codes();
  const std::uint32_t count = codes == nullptr ? 0 : codes->size();
  if (op.opcode_index() >= count)
    return refuse(ErrorId::kModelStructure, {.operator_index = index, .field = "opcode_index"}, fmt::format("is {}; the model has {} operator codes", op.opcode_index(), count));
  const tflite::OperatorCode& code = *codes->Get(op.opcode_index());
  const Row* row = row_of(builtin_code_of(code));
  if (builtin_code_of(code) == tflite::BuiltinOperator_CUSTOM && clean_text(code.custom_code()) != graph::name_of(OperatorKind::kDetectionPostProcess)) row = nullptr;
  if (row == nullptr) {
    const std::string kind = kind_of(code);
    return refuse(ErrorId::kModelOperatorUnknown, {.operator_index = index, .operator_kind = kind}, fmt::format("is not supported (operator code {})", builtin_code_of(code)));
  }
  if (code.version() < 1 || code.version() > kOperatorVersionMax)
    return refuse(ErrorId::kModelOperatorUnsupported, {.operator_index = index, .operator_kind = graph::name_of(row->kind), .field = "version"},
                  fmt::format("is {}; must be 1 to {}", code.version(), kOperatorVersionMax));
  return row;
}

bool is_state_operator(const TfliteFile& file, std::int32_t index) {
  const auto* codes = file.model->operator_codes();
  const std::uint32_t code = file.subgraph->operators()->Get(static_cast<flatbuffers::uoffset_t>(index))->opcode_index();
  return codes != nullptr && code < codes->size() && StateReader::is_state_operator(builtin_code_of(*codes->Get(code)));
}

/// SELECT of old takes a vector of conditions by rows, where SELECT_V2 broadcasts it along the last dimension: seen as [n, 1, ...] both are one.
Result<void> stand_conditions_up(Graph& graph, Operator& op, const GraphLimits& limits) {
  if (op.input(1) == graph::kAbsent) return {};
  const Shape& rows = graph.tensor(op.inputs[1]).shape;
  if (rows.size() > limits.rank_max) return {};  // verify_graph says so
  Tensor condition = graph.tensor(op.inputs[0]);
  if (condition.type != abi::ElementType::kBool || condition.shape.size() != 1 || rows.size() < 2) return {};
  if (condition.shape[0] != rows[0])
    return refuse(ErrorId::kModelShape, place_of(op, condition, "shape"), fmt::format("is {}; there are {} rows", graph::to_string(condition.shape), rows[0]));
  condition.shape.resize(rows.size(), 1);
  condition.is_variable = false;
  condition.file_index = -1;
  const bool is_constant = condition.is_constant();
  const graph::TensorId seen = graph.add_tensor(std::move(condition));
  if (!is_constant) {
    Operator reshape;
    reshape.kind = OperatorKind::kReshape;
    reshape.inputs = {op.inputs[0]};
    reshape.outputs = {seen};
    reshape.options = graph::ReshapeOptions{};
    reshape.name = op.name;
    graph.operators.push_back(std::move(reshape));
  }
  op.inputs[0] = seen;
  return {};
}

/// Options are read with the help of operands, so operands must be tensors first; verify_graph asks more.
Result<void> check_operands(const TfliteFile& file, const Operator& op) {
  // The file's tensors: the graph may have more by now.
  const std::int64_t count = file.subgraph->tensors() == nullptr ? 0 : file.subgraph->tensors()->size();
  for (graph::TensorId id : op.inputs)
    if (id < graph::kAbsent || id >= count) return refuse(ErrorId::kModelTensorIndex, place_of(op, "inputs"), fmt::format("names tensor {}; the model has {}", id, count));
  for (graph::TensorId id : op.outputs)
    if (id < 0 || id >= count) return refuse(ErrorId::kModelTensorIndex, place_of(op, "outputs"), fmt::format("names tensor {}; the model has {}", id, count));
  if (op.input(0) == graph::kAbsent) return refuse(ErrorId::kModelTensorIndex, place_of(op, "inputs"), "operand 0 is left out, but is not optional");
  if (op.outputs.empty()) return refuse(ErrorId::kModelOptions, place_of(op, "outputs"), "has 0; must have 1");
  return {};
}

Result<void> check_option_kind(const tflite::Operator& file, const Operator& op, const Row& row) {
  const tflite::BuiltinOptions type = file.builtin_options_type();
  if (type == tflite::BuiltinOptions_NONE) return {};
  const char* name = tflite::EnumNameBuiltinOptions(type);
  if (type != row.options)
    return refuse(ErrorId::kModelOptions, place_of(op, "builtin_options"),
                  fmt::format("are {} (kind {}); this operator takes {}", *name == '\0' ? "unknown" : name, static_cast<int>(type), tflite::EnumNameBuiltinOptions(row.options)));
  if (file.builtin_options() == nullptr) return refuse(ErrorId::kModelOptions, place_of(op, "builtin_options"), fmt::format("say that they are {}, but are not there", name));
  return {};
}

}  // namespace

Result<void> check_operators_known(const TfliteFile& file) {
  const auto* operators = file.subgraph->operators();
  const std::size_t count = operators == nullptr ? 0 : operators->size();
  for (std::size_t i = 0; i < count; ++i) {
    if (is_state_operator(file, static_cast<std::int32_t>(i))) continue;
    NARU_TRY([[maybe_unused]] const Row* row, row_for(file, static_cast<std::int32_t>(i)));
  }
  return {};
}

Result<void> read_operators(const TfliteFile& file, Graph& graph, const GraphLimits& limits) {
  StateReader states(file, graph, limits);
  KnownNumbers known;
  std::uint64_t widened_bytes = 0;
  const auto* operators = file.subgraph->operators();
  const std::size_t count = operators == nullptr ? 0 : operators->size();
  graph.operators.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const tflite::Operator& source = *operators->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (is_state_operator(file, static_cast<std::int32_t>(i))) {
      NARU_CHECK_OK(states.read(source, builtin_code_of(*file.model->operator_codes()->Get(source.opcode_index())), static_cast<std::int32_t>(i)));
      continue;
    }
    NARU_TRY(const Row* row, row_for(file, static_cast<std::int32_t>(i)));
    Operator op;
    op.kind = row->kind;
    op.file_index = static_cast<std::int32_t>(i);
    op.inputs = ids_of(source.inputs());
    op.outputs = ids_of(source.outputs());
    NARU_CHECK_OK(check_operands(file, op));
    op.name = graph.tensor(op.outputs[0]).name;
    NARU_CHECK_OK(check_option_kind(source, op, *row));
    NARU_TRY(const std::uint64_t widened, widen_halves(file, graph, op, limits));
    widened_bytes += widened;
    if (widened_bytes > limits.all_tensor_bytes_max)
      return refuse(ErrorId::kModelLimit, place_of(op, "outputs"), fmt::format("bring all tensors over the limit of {} bytes", limits.all_tensor_bytes_max));
    if (widened > 0) continue;
    const bool has_state = op.kind == OperatorKind::kSvdf || op.kind == OperatorKind::kUnidirectionalSequenceLstm;
    if (source.mutating_variable_inputs() != nullptr && !has_state)
      for (std::uint8_t mutating : *source.mutating_variable_inputs())
        if (mutating != 0) return refuse(ErrorId::kModelOperatorUnsupported, place_of(op, "mutating_variable_inputs"), "are set; this operator has no state");
    NARU_TRY(op.options, row->read(Source{source, op, graph, known}));
    drop_empty_parameters(graph, op);
    if (row->code == tflite::BuiltinOperator_SELECT) NARU_CHECK_OK(stand_conditions_up(graph, op, limits));
    if (op.kind == OperatorKind::kDetectionPostProcess) give_detections_shapes(file, graph, op);
    if (op.kind == OperatorKind::kSvdf) NARU_CHECK_OK(states.add_cell_state(op, 4));
    if (op.kind == OperatorKind::kUnidirectionalSequenceLstm)
      for (std::size_t operand : {18U, 19U}) NARU_CHECK_OK(states.add_cell_state(op, operand));
    known.follow(graph, op);
    graph.operators.push_back(std::move(op));
  }
  return states.finish();
}

}  // namespace naru::sdk
