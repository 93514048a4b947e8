// Walks a graph in its order, hands each kernel its tensors, and drops what nobody reads any more.
#include "reference/interpreter.h"

#include <algorithm>

#include <fmt/format.h>

#include "naru/base/check.h"
#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

using graph::OperatorKind;

using Kernel = void (*)(const Call&);

Kernel kernel_of(OperatorKind kind) {
  switch (kind) {
    case OperatorKind::kConv2d: return conv_2d;
    case OperatorKind::kDepthwiseConv2d: return depthwise_conv_2d;
    case OperatorKind::kFullyConnected: return fully_connected;
    case OperatorKind::kAveragePool2d: return average_pool_2d;
    case OperatorKind::kMaxPool2d: return max_pool_2d;
    case OperatorKind::kAdd: return add;
    case OperatorKind::kMul: return mul;
    case OperatorKind::kPad: return pad;
    case OperatorKind::kMean: return mean;
    case OperatorKind::kReshape: return reshape;
    case OperatorKind::kSoftmax: return softmax;
    case OperatorKind::kRelu:
    case OperatorKind::kRelu6: return relu;
    case OperatorKind::kConcatenation: return concatenation;
    case OperatorKind::kTranspose: return transpose;
    case OperatorKind::kQuantize: return quantize;
    case OperatorKind::kDequantize: return dequantize;
  }
  return nullptr;
}

}  // namespace

Result<Bytes> run_operator(const graph::Graph& graph, const graph::Operator& op, std::span<const std::span<const std::byte>> operands) {
  const Kernel kernel = kernel_of(op.kind);
  if (kernel == nullptr) return fail(ErrorId::kModelOperatorUnknown, fmt::format("The reference has no kernel for {}", graph::describe(op)));
  NARU_CHECK(operands.size() == op.inputs.size() && op.outputs.size() == 1);

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
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % abi::element_bytes(tensor.type) != 0) bytes = aligned.emplace_back(bytes.begin(), bytes.end());
    inputs.push_back(bytes);
  }
  Bytes result(graph::byte_size(graph.tensor(op.outputs[0])));
  kernel(Call{graph, op, inputs, result});
  return result;
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
    result.tensors[static_cast<std::size_t>(graph.inputs[i])].assign(inputs[i].begin(), inputs[i].end());
  }

  const auto consumers = graph::consumers_of(graph);
  const auto is_output = [&](graph::TensorId id) { return std::find(graph.outputs.begin(), graph.outputs.end(), id) != graph.outputs.end(); };
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const graph::Operator& op = graph.operators[i];
    std::vector<std::span<const std::byte>> operands;
    for (graph::TensorId id : op.inputs) {
      if (id == graph::kAbsent) operands.emplace_back();
      else operands.emplace_back(result.tensors[static_cast<std::size_t>(id)]);
    }
    NARU_TRY(Bytes bytes, run_operator(graph, op, operands));
    result.tensors[static_cast<std::size_t>(op.outputs[0])] = std::move(bytes);
    if (options.keep_intermediates) continue;
    for (graph::TensorId id : op.inputs)
      if (id != graph::kAbsent && !is_output(id) && consumers[static_cast<std::size_t>(id)].back() == static_cast<std::int32_t>(i))
        Bytes().swap(result.tensors[static_cast<std::size_t>(id)]);
  }
  for (graph::TensorId id : graph.outputs) result.outputs.push_back(result.tensors[static_cast<std::size_t>(id)]);
  if (!options.keep_intermediates) result.tensors.clear();
  return result;
}

}  // namespace naru::sdk::reference
