// Limits, tensors, and the order of execution. What each kind of operator demands is in operator_rules.cpp.
#include "import/verify.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "import/refusal.h"
#include "naru/base/bytes.h"
#include "numerics/numerics.h"

namespace naru::sdk {
namespace {

using graph::Graph;
using graph::Operator;
using graph::Tensor;
using graph::TensorId;

bool is_tensor(const Graph& graph, TensorId id) { return id >= 0 && static_cast<std::size_t>(id) < graph.tensors.size(); }

Result<void> verify_index(const Graph& graph, const Operator& op, TensorId id, std::string_view field) {
  if (is_tensor(graph, id)) return {};
  return refuse(ErrorId::kModelTensorIndex, place_of(op, field), fmt::format("names tensor {}; the model has {}", id, graph.tensors.size()));
}

Result<void> verify_indices(const Graph& graph) {
  for (const Operator& op : graph.operators) {
    for (TensorId id : op.inputs)
      if (id != graph::kAbsent) NARU_CHECK_OK(verify_index(graph, op, id, "inputs"));
    for (TensorId id : op.outputs) NARU_CHECK_OK(verify_index(graph, op, id, "outputs"));
  }
  const auto verify_list = [&](const std::vector<TensorId>& ids, std::string_view field) -> Result<void> {
    for (TensorId id : ids)
      if (!is_tensor(graph, id))
        return refuse(ErrorId::kModelTensorIndex, {.field = field}, fmt::format("names tensor {}; the model has {}", id, graph.tensors.size()));
    return {};
  };
  NARU_CHECK_OK(verify_list(graph.inputs, "inputs of the graph"));
  NARU_CHECK_OK(verify_list(graph.outputs, "outputs of the graph"));
  // Two inputs could be given different values; an output may well be wanted twice.
  std::vector<bool> seen(graph.tensors.size());
  for (TensorId id : graph.inputs) {
    if (seen[static_cast<std::size_t>(id)]) return refuse(ErrorId::kModelGraph, place_of(graph.tensor(id), "inputs of the graph"), "is listed twice");
    seen[static_cast<std::size_t>(id)] = true;
  }
  if (graph.outputs.empty()) return refuse(ErrorId::kModelGraph, {.field = "outputs of the graph"}, "there are none");
  for (const graph::Signature& signature : graph.signatures)
    for (const auto* list : {&signature.inputs, &signature.outputs})
      for (const auto& [name, id] : *list)
        if (signature.subgraph == graph.subgraph && !is_tensor(graph, id))
          return refuse(ErrorId::kModelTensorIndex, {.field = "signatures"}, fmt::format("names tensor {}; the model has {}", id, graph.tensors.size()));
  return {};
}

Result<void> verify_quantization(const Tensor& tensor) {
  const graph::Quantization& quantization = *tensor.quantization;
  const auto field = [&](std::string_view name) { return place_of(tensor, name); };
  if (quantization.scales.empty()) return refuse(ErrorId::kModelQuantization, field("quantization.scale"), "is empty");
  if (quantization.zero_points.size() != quantization.scales.size())
    return refuse(ErrorId::kModelQuantization, field("quantization.zero_point"),
                  fmt::format("has {} values for {} scales", quantization.zero_points.size(), quantization.scales.size()));
  for (float scale : quantization.scales)
    if (!std::isfinite(scale) || !(scale > 0.0F))
      return refuse(ErrorId::kModelQuantization, field("quantization.scale"), fmt::format("has {}; must be finite and over 0", scale));
  const numerics::Range codes = numerics::code_range(tensor.type);
  for (std::int32_t zero_point : quantization.zero_points)
    if (zero_point < codes.min || zero_point > codes.max)
      return refuse(ErrorId::kModelQuantization, field("quantization.zero_point"),
                    fmt::format("is {}; {} goes from {} to {}", zero_point, abi::name_of(tensor.type), codes.min, codes.max));
  if (quantization.per_channel() && tensor.type == abi::ElementType::kI32) {
    // A bias has one dimension that matters; converters note the filter's axis for it.
    if (graph::element_count(tensor) != quantization.scales.size())
      return refuse(ErrorId::kModelQuantization, field("quantization.scale"),
                    fmt::format("has {} values; the tensor has {} elements", quantization.scales.size(), graph::element_count(tensor)));
  } else if (quantization.per_channel()) {
    if (quantization.axis < 0 || static_cast<std::size_t>(quantization.axis) >= tensor.shape.size())
      return refuse(ErrorId::kModelQuantization, field("quantization.quantized_dimension"),
                    fmt::format("is {}; the tensor has {} dimensions", quantization.axis, tensor.shape.size()));
    const std::int32_t extent = tensor.shape[static_cast<std::size_t>(quantization.axis)];
    if (static_cast<std::uint64_t>(extent) != quantization.scales.size())
      return refuse(ErrorId::kModelQuantization, field("quantization.scale"),
                    fmt::format("has {} values; dimension {} has {}", quantization.scales.size(), quantization.axis, extent));
  }
  return {};
}

Result<void> verify_tensor(const Tensor& tensor, bool used, const GraphLimits& limits) {
  if (tensor.shape.size() > limits.rank_max)
    return refuse(ErrorId::kModelLimit, place_of(tensor, "shape"), fmt::format("has {} dimensions; the limit is {}", tensor.shape.size(), limits.rank_max));
  for (std::int32_t dimension : tensor.shape)
    if (dimension < (used ? 1 : 0))
      return refuse(ErrorId::kModelShape, place_of(tensor, "shape"),
                    fmt::format("is {}; every dimension must be known and at least 1", graph::to_string(tensor.shape)));
  const auto elements = graph::checked_element_count(tensor.shape);
  if (!elements) return refuse(ErrorId::kModelShape, place_of(tensor, "shape"), "has more elements than 64 bits can count");
  if (!used) return {};

  if (tensor.type == abi::ElementType::kNone) return refuse(ErrorId::kModelTypeUnsupported, place_of(tensor, "type"), "is not one that Naru knows");
  const auto bytes = checked_mul(*elements, abi::element_bytes(tensor.type));
  if (!bytes || *bytes > limits.tensor_bytes_max)
    return refuse(ErrorId::kModelLimit, place_of(tensor, "shape"),
                  fmt::format("{} takes more than the limit of {} bytes", graph::to_string(tensor.shape), limits.tensor_bytes_max));
  if (tensor.is_constant() && tensor.constant.size() != *bytes)
    return refuse(ErrorId::kModelConstant, place_of(tensor, "buffer"),
                  fmt::format("has {} bytes; {} of {} needs {}", tensor.constant.size(), graph::to_string(tensor.shape), abi::name_of(tensor.type), *bytes));
  if (tensor.is_constant() && reinterpret_cast<std::uintptr_t>(tensor.constant.data()) % abi::element_bytes(tensor.type) != 0)
    return refuse(ErrorId::kModelConstant, place_of(tensor, "buffer"), "is not aligned to its elements");
  if (tensor.quantization) NARU_CHECK_OK(verify_quantization(tensor));
  return {};
}

Result<void> verify_tensors(const Graph& graph, const GraphLimits& limits) {
  std::vector<bool> used(graph.tensors.size());
  const auto mark = [&](const std::vector<TensorId>& ids) {
    for (TensorId id : ids)
      if (id != graph::kAbsent) used[static_cast<std::size_t>(id)] = true;
  };
  for (const Operator& op : graph.operators) {
    mark(op.inputs);
    mark(op.outputs);
  }
  mark(graph.inputs);
  mark(graph.outputs);
  for (const graph::State& state : graph.states) mark({state.before, state.after});

  std::uint64_t all_bytes = 0;
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
    const Tensor& tensor = graph.tensors[i];
    NARU_CHECK_OK(verify_tensor(tensor, used[i], limits));
    if (used[i]) all_bytes += graph::byte_size(tensor);
    if (all_bytes > limits.all_tensor_bytes_max)
      return refuse(ErrorId::kModelLimit, place_of(tensor, "shape"), fmt::format("brings all tensors over the limit of {} bytes", limits.all_tensor_bytes_max));
  }
  // Every place in the list of outputs is a tensor of its own for those who run it.
  for (TensorId id : graph.outputs) {
    const Tensor& tensor = graph.tensor(id);
    all_bytes += graph::byte_size(tensor);
    if (all_bytes > limits.all_tensor_bytes_max)
      return refuse(ErrorId::kModelLimit, place_of(tensor, "outputs of the graph"), fmt::format("brings all tensors over the limit of {} bytes", limits.all_tensor_bytes_max));
  }
  return {};
}

/// Each tensor is written at most once, by nobody when it is an input or a constant, and before it is read: so there is no cycle either.
Result<void> verify_order(const Graph& graph) {
  std::vector<bool> ready(graph.tensors.size());
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) ready[i] = graph.tensors[i].is_constant();
  for (TensorId id : graph.inputs) {
    const Tensor& tensor = graph.tensor(id);
    if (tensor.is_constant()) return refuse(ErrorId::kModelGraph, place_of(tensor, "inputs of the graph"), "is a constant and an input at once");
    if (tensor.is_variable) return refuse(ErrorId::kModelGraph, place_of(tensor, "inputs of the graph"), "is a variable and an input at once");
    ready[static_cast<std::size_t>(id)] = true;
  }
  for (const graph::State& state : graph.states) {
    if (!is_tensor(graph, state.before) || !is_tensor(graph, state.after)) return refuse(ErrorId::kModelTensorIndex, {.field = "states"}, "name tensors that the model has not");
    const Tensor& before = graph.tensor(state.before);
    if (!before.is_variable || before.is_constant() || ready[static_cast<std::size_t>(state.before)])
      return refuse(ErrorId::kModelGraph, place_of(before, "states"), "is state, and an input, a constant or another state at once");
    ready[static_cast<std::size_t>(state.before)] = true;
  }
  std::vector<bool> is_state(graph.tensors.size());
  for (const graph::State& state : graph.states) is_state[static_cast<std::size_t>(state.before)] = true;
  for (const Operator& op : graph.operators) {
    for (TensorId id : op.inputs) {
      if (id == graph::kAbsent) continue;
      const Tensor& tensor = graph.tensor(id);
      if (std::find(op.outputs.begin(), op.outputs.end(), id) != op.outputs.end())
        return refuse(ErrorId::kModelGraph, place_of(op, tensor, "outputs"), "is read and written by the same operator");
      if (tensor.is_variable && !is_state[static_cast<std::size_t>(id)])
        return refuse(ErrorId::kModelOperatorUnsupported, place_of(op, tensor, "inputs"), "is a variable, which this operator cannot have");
      if (!ready[static_cast<std::size_t>(id)])
        return refuse(ErrorId::kModelGraph, place_of(op, tensor, "inputs"), "is read before anything writes it, or has no data");
    }
    for (TensorId id : op.outputs) {
      const Tensor& tensor = graph.tensor(id);
      if (tensor.is_constant()) return refuse(ErrorId::kModelGraph, place_of(op, tensor, "outputs"), "is a constant and would be overwritten");
      if (tensor.is_variable) return refuse(ErrorId::kModelOperatorUnsupported, place_of(op, tensor, "outputs"), "is a variable, which this operator cannot have");
      if (ready[static_cast<std::size_t>(id)]) return refuse(ErrorId::kModelGraph, place_of(op, tensor, "outputs"), "is written twice, or is an input of the graph");
      ready[static_cast<std::size_t>(id)] = true;
    }
  }
  for (const graph::State& state : graph.states) {
    const Tensor& before = graph.tensor(state.before);
    const Tensor& after = graph.tensor(state.after);
    if (!ready[static_cast<std::size_t>(state.after)]) return refuse(ErrorId::kModelGraph, place_of(after, "states"), "is not computed by any operator");
    if (before.type != after.type || before.shape != after.shape || state.initial.size() != graph::byte_size(before))
      return refuse(ErrorId::kModelShape, place_of(before, "states"), "is not what the next inference begins with");
  }
  for (TensorId id : graph.outputs)
    if (!ready[static_cast<std::size_t>(id)])
      return refuse(ErrorId::kModelGraph, place_of(graph.tensor(id), "outputs of the graph"), "is not computed by any operator, and is no input, state or constant");
  return {};
}

/// Multiply-accumulates of one verified operator, saturating.
std::uint64_t work_of(const Graph& graph, const Operator& op) {
  switch (op.kind) {
    case graph::OperatorKind::kConv2d:
    case graph::OperatorKind::kDepthwiseConv2d:
    case graph::OperatorKind::kFullyConnected: {
      const Tensor& output = graph.tensor(op.outputs[0]);
      const Tensor& filter = graph.tensor(op.inputs[1]);
      if (filter.shape.empty()) return graph::element_count(output);
      const auto channels = static_cast<std::uint64_t>(op.kind == graph::OperatorKind::kDepthwiseConv2d ? filter.shape[3] : filter.shape[0]);
      return checked_mul(graph::element_count(output), graph::element_count(filter) / channels).value_or(~std::uint64_t{0});
    }
    case graph::OperatorKind::kTransposeConv:
    case graph::OperatorKind::kBatchMatmul: {
      std::uint64_t work = graph::element_count(graph.tensor(op.outputs[0]));
      const graph::Tensor& right = graph.tensor(op.inputs[1]);
      const auto channels = static_cast<std::uint64_t>(right.shape.empty() ? 1 : op.kind == graph::OperatorKind::kBatchMatmul ? right.shape.back() : right.shape[0]);
      return checked_mul(work, graph::element_count(right) / channels).value_or(~std::uint64_t{0});
    }
    case graph::OperatorKind::kUnidirectionalSequenceLstm:
      return checked_mul(graph::element_count(graph.tensor(op.outputs[0])), graph::element_count(graph.tensor(op.inputs[1])) + graph::element_count(graph.tensor(op.inputs[5]))).value_or(~std::uint64_t{0});
    default: return graph::element_count(graph.tensor(op.inputs[0]));
  }
}

}  // namespace

Result<void> verify_graph(const Graph& graph, const GraphLimits& limits) {
  if (graph.tensors.size() > limits.tensors_max)
    return refuse(ErrorId::kModelLimit, {.field = "tensors"}, fmt::format("has {}; the limit is {}", graph.tensors.size(), limits.tensors_max));
  if (graph.operators.size() > limits.operators_max)
    return refuse(ErrorId::kModelLimit, {.field = "operators"}, fmt::format("has {}; the limit is {}", graph.operators.size(), limits.operators_max));
  if (graph.outputs.size() > limits.tensors_max)
    return refuse(ErrorId::kModelLimit, {.field = "outputs of the graph"}, fmt::format("lists {}; the limit is {}", graph.outputs.size(), limits.tensors_max));
  NARU_CHECK_OK(verify_indices(graph));
  NARU_CHECK_OK(verify_tensors(graph, limits));
  NARU_CHECK_OK(verify_order(graph));
  std::uint64_t work = 0;
  for (const Operator& op : graph.operators) {
    NARU_CHECK_OK(verify_operator(graph, op));
    work = checked_add(work, work_of(graph, op)).value_or(~std::uint64_t{0});
    if (work > limits.multiply_accumulates_max)
      return refuse(ErrorId::kModelLimit, place_of(op), fmt::format("brings the model over {} multiply-accumulates", limits.multiply_accumulates_max));
  }
  return {};
}

}  // namespace naru::sdk
