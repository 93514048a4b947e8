// Walks a graph in its order, hands each kernel its tensors, drops what nobody reads any more, and carries the states.
#include "reference/interpreter.h"

#include <algorithm>

#include <fmt/format.h>

#include "naru/base/check.h"
#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

using graph::OperatorKind;

Kernel kernel_of(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::kConv2d: return conv_2d;
    case OperatorKind::kDepthwiseConv2d: return depthwise_conv_2d;
    case OperatorKind::kFullyConnected: return fully_connected;
    case OperatorKind::kTransposeConv: return transpose_conv;
    case OperatorKind::kBatchMatmul: return batch_matmul;
    case OperatorKind::kAveragePool2d: return average_pool_2d;
    case OperatorKind::kMaxPool2d: return max_pool_2d;
    case OperatorKind::kMean: return mean;
    case OperatorKind::kSum: return sum;
    case OperatorKind::kReduceMax: return reduce_max;
    case OperatorKind::kReduceMin: return reduce_min;
    case OperatorKind::kArgMax: return arg_max;
    case OperatorKind::kArgMin: return arg_min;
    case OperatorKind::kAdd: return add;
    case OperatorKind::kSub: return sub;
    case OperatorKind::kMul: return mul;
    case OperatorKind::kDiv: return div;
    case OperatorKind::kMinimum: return minimum;
    case OperatorKind::kMaximum: return maximum;
    case OperatorKind::kSquaredDifference: return squared_difference;
    case OperatorKind::kFloorDiv: return floor_div;
    case OperatorKind::kFloorMod: return floor_mod;
    case OperatorKind::kPow: return power;
    case OperatorKind::kEqual:
    case OperatorKind::kNotEqual:
    case OperatorKind::kLess:
    case OperatorKind::kLessEqual:
    case OperatorKind::kGreater:
    case OperatorKind::kGreaterEqual: return compare;
    case OperatorKind::kLogicalAnd:
    case OperatorKind::kLogicalOr:
    case OperatorKind::kLogicalNot: return logical;
    case OperatorKind::kSelect: return select;
    case OperatorKind::kRelu:
    case OperatorKind::kRelu6:
    case OperatorKind::kReluN1To1:
    case OperatorKind::kRelu0To1: return relu;
    case OperatorKind::kLeakyRelu: return leaky_relu;
    case OperatorKind::kPrelu: return prelu;
    case OperatorKind::kHardSwish: return hard_swish;
    case OperatorKind::kLogistic: return logistic;
    case OperatorKind::kTanh: return tanh;
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
    case OperatorKind::kRound: return unary;
    case OperatorKind::kQuantize: return quantize;
    case OperatorKind::kDequantize: return dequantize;
    case OperatorKind::kCast: return cast;
    case OperatorKind::kSoftmax: return softmax;
    case OperatorKind::kLogSoftmax: return log_softmax;
    case OperatorKind::kL2Normalization: return l2_normalization;
    case OperatorKind::kResizeBilinear: return resize_bilinear;
    case OperatorKind::kResizeNearestNeighbor: return resize_nearest_neighbor;
    case OperatorKind::kReshape:
    case OperatorKind::kExpandDims:
    case OperatorKind::kSqueeze:
    case OperatorKind::kReadVariable:
    case OperatorKind::kAssignVariable: return copy;
    case OperatorKind::kPad:
    case OperatorKind::kPadV2: return pad;
    case OperatorKind::kMirrorPad: return mirror_pad;
    case OperatorKind::kTranspose: return transpose;
    case OperatorKind::kConcatenation: return concatenation;
    case OperatorKind::kSlice:
    case OperatorKind::kStridedSlice: return slice;
    case OperatorKind::kSplit:
    case OperatorKind::kSplitV: return split;
    case OperatorKind::kPack: return pack;
    case OperatorKind::kUnpack: return unpack;
    case OperatorKind::kGather: return gather;
    case OperatorKind::kGatherNd: return gather_nd;
    case OperatorKind::kTile: return tile;
    case OperatorKind::kBroadcastTo: return broadcast_to;
    case OperatorKind::kSpaceToDepth: return space_to_depth;
    case OperatorKind::kDepthToSpace: return depth_to_space;
    case OperatorKind::kSpaceToBatchNd: return space_to_batch_nd;
    case OperatorKind::kBatchToSpaceNd: return batch_to_space_nd;
    case OperatorKind::kShape: return shape;
    case OperatorKind::kFill: return fill;
    case OperatorKind::kSvdf: return svdf;
    case OperatorKind::kUnidirectionalSequenceLstm: return unidirectional_sequence_lstm;
    case OperatorKind::kDetectionPostProcess: return detection_post_process;
  }
  return nullptr;
}

std::size_t index_of(graph::TensorId id) { return static_cast<std::size_t>(id); }

/// Gives every state's `before` its value.
Result<void> load_states(const graph::Graph& graph, const RunOptions& options, std::vector<Bytes>& tensors) {
  for (std::size_t i = 0; i < graph.states.size(); ++i) {
    const graph::State& state = graph.states[i];
    Bytes& target = tensors[index_of(state.before)];
    if (options.states != nullptr && i < options.states->size() && !(*options.states)[i].empty()) target = (*options.states)[i];
    else target.assign(state.initial.begin(), state.initial.end());
    const std::uint64_t needed = graph::byte_size(graph.tensor(state.before));
    if (target.size() != needed) return fail(ErrorId::kInputSize, fmt::format("State {} has {} bytes; its tensor has {}", i, target.size(), needed));
  }
  return {};
}

/// Tensors that somebody takes after the run.
std::vector<bool> lasting_of(const graph::Graph& graph) {
  std::vector<bool> lasting(graph.tensors.size());
  for (graph::TensorId id : graph.outputs) lasting[index_of(id)] = true;
  for (const graph::State& state : graph.states) lasting[index_of(state.after)] = true;
  return lasting;
}

}  // namespace

Result<std::vector<Bytes>> run_operator(const graph::Graph& graph, const graph::Operator& op, std::span<const std::span<const std::byte>> operands) {
  const Kernel kernel = kernel_of(op.kind);
  if (kernel == nullptr) return fail(ErrorId::kModelOperatorUnknown, fmt::format("The reference has no kernel for {}", graph::describe(op)));
  NARU_CHECK(operands.size() == op.inputs.size() && !op.outputs.empty());

  std::vector<std::span<const std::byte>> inputs;
  std::vector<Bytes> aligned;
  aligned.reserve(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (op.inputs[i] == graph::kAbsent) {
      inputs.emplace_back();
      continue;
    }
    const graph::Tensor& tensor = graph.tensor(op.inputs[i]);
    std::span<const std::byte> bytes = tensor.is_constant() ? tensor.constant : operands[i];
    if (bytes.size() != graph::byte_size(tensor))
      return fail(ErrorId::kInputSize, fmt::format("{} needs {} bytes for tensor {}; it was given {}", graph::describe(op), graph::byte_size(tensor), tensor.file_index, bytes.size()));
    if (!bytes.empty() && reinterpret_cast<std::uintptr_t>(bytes.data()) % abi::element_bytes(tensor.type) != 0) bytes = aligned.emplace_back(bytes.begin(), bytes.end());
    inputs.push_back(bytes);
  }
  std::vector<Bytes> results;
  for (graph::TensorId id : op.outputs) results.emplace_back(id == graph::kAbsent ? 0 : graph::byte_size(graph.tensor(id)));
  std::optional<Refusal> refusal;
  kernel(Call{graph, op, inputs, results, refusal});
  if (refusal) return fail(refusal->id, fmt::format("{} {}", graph::describe(op), refusal->text));
  return results;
}

Result<RunResult> run(const graph::Graph& graph, std::span<const std::span<const std::byte>> inputs, const RunOptions& options) {
  if (inputs.size() != graph.inputs.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("The model takes {} inputs; {} were given", graph.inputs.size(), inputs.size()));
  RunResult result;
  result.tensors.resize(graph.tensors.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const graph::Tensor& tensor = graph.tensor(graph.inputs[i]);
    if (inputs[i].size() != graph::byte_size(tensor))
      return fail(ErrorId::kInputSize, fmt::format("Input {} has {} bytes; {} of {} needs {}", i, inputs[i].size(), graph::to_string(tensor.shape),
                                                   abi::name_of(tensor.type), graph::byte_size(tensor)));
    result.tensors[index_of(graph.inputs[i])].assign(inputs[i].begin(), inputs[i].end());
  }
  NARU_CHECK_OK(load_states(graph, options, result.tensors));

  const auto consumers = graph::consumers_of(graph);
  const std::vector<bool> lasting = lasting_of(graph);
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    std::vector<std::span<const std::byte>> operands;
    for (graph::TensorId id : op.inputs) {
      if (id == graph::kAbsent) operands.emplace_back();
      else operands.emplace_back(result.tensors[index_of(id)]);
    }
    NARU_TRY(std::vector<Bytes> computed, run_operator(graph, op, operands));
    for (std::size_t r = 0; r < computed.size(); ++r)
      if (op.outputs[r] != graph::kAbsent) result.tensors[index_of(op.outputs[r])] = std::move(computed[r]);
    if (options.keep_intermediates) continue;
    for (graph::TensorId id : op.inputs)
      if (id != graph::kAbsent && !lasting[index_of(id)] && consumers[index_of(id)].back() == static_cast<std::int32_t>(i)) Bytes().swap(result.tensors[index_of(id)]);
  }

  const auto value_of = [&](graph::TensorId id) {
    const graph::Tensor& tensor = graph.tensor(id);
    return tensor.is_constant() ? Bytes(tensor.constant.begin(), tensor.constant.end()) : result.tensors[index_of(id)];
  };
  for (graph::TensorId id : graph.outputs) result.outputs.push_back(value_of(id));
  if (options.states != nullptr) {
    // All are read before any is replaced: states may take each other's values.
    std::vector<Bytes> after;
    for (const graph::State& state : graph.states) after.push_back(value_of(state.after));
    *options.states = std::move(after);
  }
  if (!options.keep_intermediates) result.tensors.clear();
  return result;
}

}  // namespace naru::sdk::reference
