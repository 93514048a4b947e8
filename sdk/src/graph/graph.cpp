// Names, sizes and relations of the intermediate representation.
#include "graph/graph.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "naru/base/bytes.h"

namespace naru::sdk::graph {

std::string_view name_of(OperatorKind kind) noexcept {
  switch (kind) {
    case OperatorKind::kConv2d: return "CONV_2D";
    case OperatorKind::kDepthwiseConv2d: return "DEPTHWISE_CONV_2D";
    case OperatorKind::kFullyConnected: return "FULLY_CONNECTED";
    case OperatorKind::kAveragePool2d: return "AVERAGE_POOL_2D";
    case OperatorKind::kMaxPool2d: return "MAX_POOL_2D";
    case OperatorKind::kAdd: return "ADD";
    case OperatorKind::kMul: return "MUL";
    case OperatorKind::kPad: return "PAD";
    case OperatorKind::kMean: return "MEAN";
    case OperatorKind::kReshape: return "RESHAPE";
    case OperatorKind::kSoftmax: return "SOFTMAX";
    case OperatorKind::kRelu: return "RELU";
    case OperatorKind::kRelu6: return "RELU6";
    case OperatorKind::kConcatenation: return "CONCATENATION";
    case OperatorKind::kTranspose: return "TRANSPOSE";
    case OperatorKind::kQuantize: return "QUANTIZE";
    case OperatorKind::kDequantize: return "DEQUANTIZE";
    case OperatorKind::kSub: return "SUB";
    case OperatorKind::kDiv: return "DIV";
    case OperatorKind::kMinimum: return "MINIMUM";
    case OperatorKind::kMaximum: return "MAXIMUM";
    case OperatorKind::kSquaredDifference: return "SQUARED_DIFFERENCE";
    case OperatorKind::kFloorDiv: return "FLOOR_DIV";
    case OperatorKind::kFloorMod: return "FLOOR_MOD";
    case OperatorKind::kPow: return "POW";
    case OperatorKind::kEqual: return "EQUAL";
    case OperatorKind::kNotEqual: return "NOT_EQUAL";
    case OperatorKind::kLess: return "LESS";
    case OperatorKind::kLessEqual: return "LESS_EQUAL";
    case OperatorKind::kGreater: return "GREATER";
    case OperatorKind::kGreaterEqual: return "GREATER_EQUAL";
    case OperatorKind::kLogicalAnd: return "LOGICAL_AND";
    case OperatorKind::kLogicalOr: return "LOGICAL_OR";
    case OperatorKind::kLogicalNot: return "LOGICAL_NOT";
    case OperatorKind::kSelect: return "SELECT";
    case OperatorKind::kReluN1To1: return "RELU_N1_TO_1";
    case OperatorKind::kRelu0To1: return "RELU_0_TO_1";
    case OperatorKind::kLogistic: return "LOGISTIC";
    case OperatorKind::kTanh: return "TANH";
    case OperatorKind::kHardSwish: return "HARD_SWISH";
    case OperatorKind::kLeakyRelu: return "LEAKY_RELU";
    case OperatorKind::kPrelu: return "PRELU";
    case OperatorKind::kElu: return "ELU";
    case OperatorKind::kGelu: return "GELU";
    case OperatorKind::kAbs: return "ABS";
    case OperatorKind::kNeg: return "NEG";
    case OperatorKind::kSquare: return "SQUARE";
    case OperatorKind::kSqrt: return "SQRT";
    case OperatorKind::kRsqrt: return "RSQRT";
    case OperatorKind::kExp: return "EXP";
    case OperatorKind::kLog: return "LOG";
    case OperatorKind::kSin: return "SIN";
    case OperatorKind::kCos: return "COS";
    case OperatorKind::kFloor: return "FLOOR";
    case OperatorKind::kCeil: return "CEIL";
    case OperatorKind::kRound: return "ROUND";
    case OperatorKind::kLogSoftmax: return "LOG_SOFTMAX";
    case OperatorKind::kL2Normalization: return "L2_NORMALIZATION";
    case OperatorKind::kTransposeConv: return "TRANSPOSE_CONV";
    case OperatorKind::kBatchMatmul: return "BATCH_MATMUL";
    case OperatorKind::kResizeBilinear: return "RESIZE_BILINEAR";
    case OperatorKind::kResizeNearestNeighbor: return "RESIZE_NEAREST_NEIGHBOR";
    case OperatorKind::kSum: return "SUM";
    case OperatorKind::kReduceMax: return "REDUCE_MAX";
    case OperatorKind::kReduceMin: return "REDUCE_MIN";
    case OperatorKind::kArgMax: return "ARG_MAX";
    case OperatorKind::kArgMin: return "ARG_MIN";
    case OperatorKind::kPadV2: return "PADV2";
    case OperatorKind::kMirrorPad: return "MIRROR_PAD";
    case OperatorKind::kSlice: return "SLICE";
    case OperatorKind::kStridedSlice: return "STRIDED_SLICE";
    case OperatorKind::kSplit: return "SPLIT";
    case OperatorKind::kSplitV: return "SPLIT_V";
    case OperatorKind::kPack: return "PACK";
    case OperatorKind::kUnpack: return "UNPACK";
    case OperatorKind::kGather: return "GATHER";
    case OperatorKind::kGatherNd: return "GATHER_ND";
    case OperatorKind::kTile: return "TILE";
    case OperatorKind::kBroadcastTo: return "BROADCAST_TO";
    case OperatorKind::kSpaceToDepth: return "SPACE_TO_DEPTH";
    case OperatorKind::kDepthToSpace: return "DEPTH_TO_SPACE";
    case OperatorKind::kSpaceToBatchNd: return "SPACE_TO_BATCH_ND";
    case OperatorKind::kBatchToSpaceNd: return "BATCH_TO_SPACE_ND";
    case OperatorKind::kExpandDims: return "EXPAND_DIMS";
    case OperatorKind::kSqueeze: return "SQUEEZE";
    case OperatorKind::kShape: return "SHAPE";
    case OperatorKind::kFill: return "FILL";
    case OperatorKind::kCast: return "CAST";
    case OperatorKind::kSvdf: return "SVDF";
    case OperatorKind::kUnidirectionalSequenceLstm: return "UNIDIRECTIONAL_SEQUENCE_LSTM";
    case OperatorKind::kReadVariable: return "READ_VARIABLE";
    case OperatorKind::kAssignVariable: return "ASSIGN_VARIABLE";
    case OperatorKind::kDetectionPostProcess: return "TFLite_Detection_PostProcess";
  }
  return "UNKNOWN";
}

std::string_view name_of(Activation activation) noexcept {
  switch (activation) {
    case Activation::kNone: return "none";
    case Activation::kRelu: return "RELU";
    case Activation::kReluN1To1: return "RELU_N1_TO_1";
    case Activation::kRelu6: return "RELU6";
  }
  return "unknown";
}

std::span<const std::byte> Graph::keep(std::vector<std::byte> bytes) {
  storage.push_back(std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
  return *storage.back();
}

TensorId Graph::add_tensor(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size() - 1);
}

std::optional<std::uint64_t> checked_element_count(std::span<const std::int32_t> shape) noexcept {
  std::uint64_t count = 1;
  for (std::int32_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    const auto product = checked_mul(count, static_cast<std::uint64_t>(dimension));
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

std::uint64_t element_count(std::span<const std::int32_t> shape) noexcept {
  return checked_element_count(shape).value_or(std::numeric_limits<std::uint64_t>::max());
}

std::uint64_t element_count(const Tensor& tensor) noexcept { return element_count(tensor.shape); }

std::uint64_t byte_size(const Tensor& tensor) noexcept {
  return checked_mul(element_count(tensor), abi::element_bytes(tensor.type)).value_or(std::numeric_limits<std::uint64_t>::max());
}

std::vector<std::int32_t> producers_of(const Graph& graph) {
  std::vector<std::int32_t> producers(graph.tensors.size(), -1);
  for (std::size_t i = 0; i < graph.operators.size(); ++i)
    for (TensorId id : graph.operators[i].outputs)
      if (id != kAbsent) producers[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(i);
  return producers;
}

std::vector<std::vector<std::int32_t>> consumers_of(const Graph& graph) {
  std::vector<std::vector<std::int32_t>> consumers(graph.tensors.size());
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    for (TensorId id : graph.operators[i].inputs) {
      if (id == kAbsent) continue;
      auto& list = consumers[static_cast<std::size_t>(id)];
      if (list.empty() || list.back() != static_cast<std::int32_t>(i)) list.push_back(static_cast<std::int32_t>(i));
    }
  }
  return consumers;
}

std::string to_string(std::span<const std::int32_t> shape) {
  if (shape.empty()) return "scalar";
  return fmt::format("{}", fmt::join(shape, "x"));
}

std::string describe(const Operator& op) { return fmt::format("operator {} {}", op.file_index, name_of(op.kind)); }

}  // namespace naru::sdk::graph
