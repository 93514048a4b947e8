// Follows numbers from operator to operator while a file is read.
#include "import/tflite/known.h"

#include <algorithm>

namespace naru::sdk {
namespace {

/// What is a parameter has a few elements; longer chains are data.
constexpr std::size_t kElementsMax = 64;

std::optional<std::int64_t> value_of(graph::OperatorKind kind, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  switch (kind) {
    case graph::OperatorKind::kAdd: return __builtin_add_overflow(a, b, &result) ? std::nullopt : std::optional(result);
    case graph::OperatorKind::kSub: return __builtin_sub_overflow(a, b, &result) ? std::nullopt : std::optional(result);
    case graph::OperatorKind::kMul: return __builtin_mul_overflow(a, b, &result) ? std::nullopt : std::optional(result);
    case graph::OperatorKind::kMinimum: return std::min(a, b);
    case graph::OperatorKind::kMaximum: return std::max(a, b);
    default: break;
  }
  if (b == 0 || b == -1) return std::nullopt;
  const bool down = kind == graph::OperatorKind::kFloorDiv && a % b != 0 && (a < 0) != (b < 0);
  return a / b - (down ? 1 : 0);
}

}  // namespace

std::optional<KnownNumbers::Numbers> KnownNumbers::constant_of(const graph::Tensor& tensor) {
  const bool wide = tensor.type == abi::ElementType::kI64;
  if (!wide && tensor.type != abi::ElementType::kI32) return std::nullopt;
  const std::size_t bytes = wide ? 8 : 4;
  const auto count = graph::checked_element_count(tensor.shape);
  if (!count || *count != tensor.constant.size() / bytes || tensor.constant.size() % bytes != 0) return std::nullopt;
  Numbers values;
  if (wide)
    for (std::int64_t value : graph::constant_values<std::int64_t>(tensor)) values.push_back(value);
  else
    for (std::int32_t value : graph::constant_values<std::int32_t>(tensor)) values.push_back(value);
  return values;
}

const KnownNumbers::Numbers* KnownNumbers::computed(graph::TensorId id) const {
  const auto found = computed_.find(id);
  return found == computed_.end() ? nullptr : &found->second;
}

void KnownNumbers::follow(const graph::Graph& graph, const graph::Operator& op) {
  if (op.kind == graph::OperatorKind::kUnpack) return follow_unpack(graph, op);
  if (op.outputs.size() == 1) note(graph, op.outputs[0], result_of(graph, op));
}

std::optional<KnownNumbers::Numbers> KnownNumbers::of(const graph::Graph& graph, graph::TensorId id) const {
  if (id == graph::kAbsent) return std::nullopt;
  if (const Numbers* found = computed(id)) return *found;
  const graph::Tensor& tensor = graph.tensor(id);
  return tensor.constant.size() > 8 * kElementsMax ? std::nullopt : constant_of(tensor);
}

std::optional<KnownNumbers::Numbers> KnownNumbers::vector_of(const graph::Graph& graph, graph::TensorId id) const {
  return id != graph::kAbsent && graph.tensor(id).shape.size() <= 1 ? of(graph, id) : std::nullopt;
}

void KnownNumbers::note(const graph::Graph& graph, graph::TensorId id, std::optional<Numbers> values) {
  const graph::Tensor& tensor = graph.tensor(id);
  if (!values || values->size() > kElementsMax || graph::checked_element_count(tensor.shape) != values->size()) return;
  if (tensor.type != abi::ElementType::kI32 && tensor.type != abi::ElementType::kI64) return;
  if (tensor.type == abi::ElementType::kI32)
    for (std::int64_t value : *values)
      if (value != static_cast<std::int32_t>(value)) return;
  computed_[id] = *std::move(values);
}

void KnownNumbers::follow_unpack(const graph::Graph& graph, const graph::Operator& op) {
  const auto values = of(graph, op.input(0));
  if (!values || values->size() != op.outputs.size()) return;
  for (std::size_t i = 0; i < values->size(); ++i) note(graph, op.outputs[i], Numbers{(*values)[i]});
}

std::optional<KnownNumbers::Numbers> KnownNumbers::result_of(const graph::Graph& graph, const graph::Operator& op) const {
  using graph::OperatorKind;
  switch (op.kind) {
    case OperatorKind::kShape: return Numbers(graph.tensor(op.inputs[0]).shape.begin(), graph.tensor(op.inputs[0]).shape.end());
    case OperatorKind::kReshape:
    case OperatorKind::kExpandDims:
    case OperatorKind::kSqueeze:
    case OperatorKind::kCast: return of(graph, op.input(0));
    case OperatorKind::kSlice:
    case OperatorKind::kStridedSlice: return sliced(graph, op);
    case OperatorKind::kPack:
    case OperatorKind::kConcatenation: return joined(graph, op);
    case OperatorKind::kGather: return gathered(graph, op);
    case OperatorKind::kAdd:
    case OperatorKind::kSub:
    case OperatorKind::kMul:
    case OperatorKind::kDiv:
    case OperatorKind::kFloorDiv:
    case OperatorKind::kMinimum:
    case OperatorKind::kMaximum: return combined(graph, op);
    default: return std::nullopt;
  }
}

std::optional<KnownNumbers::Numbers> KnownNumbers::sliced(const graph::Graph& graph, const graph::Operator& op) const {
  const auto values = of(graph, op.input(0));
  const auto* slice = std::get_if<graph::SliceOptions>(&op.options);
  if (!values || slice == nullptr || slice->begin.size() != 1 || slice->stride.size() != 1 || slice->extent.size() != 1) return std::nullopt;
  Numbers result;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(slice->extent[0], kElementsMax + 1); ++i) {
    const std::int64_t at = slice->begin[0] + i * slice->stride[0];
    if (at < 0 || at >= static_cast<std::int64_t>(values->size())) return std::nullopt;
    result.push_back((*values)[static_cast<std::size_t>(at)]);
  }
  return result;
}

std::optional<KnownNumbers::Numbers> KnownNumbers::joined(const graph::Graph& graph, const graph::Operator& op) const {
  Numbers result;
  for (graph::TensorId id : op.inputs) {
    const auto part = vector_of(graph, id);
    // Parts of PACK are scalars, so that they lie one behind the other.
    if (!part || (op.kind == graph::OperatorKind::kPack && part->size() != 1) || result.size() > kElementsMax) return std::nullopt;
    result.insert(result.end(), part->begin(), part->end());
  }
  return result;
}

std::optional<KnownNumbers::Numbers> KnownNumbers::gathered(const graph::Graph& graph, const graph::Operator& op) const {
  const auto values = vector_of(graph, op.input(0));
  const auto indices = of(graph, op.input(1));
  const auto* gather = std::get_if<graph::GatherOptions>(&op.options);
  if (!values || !indices || gather == nullptr || gather->batch_dims != 0) return std::nullopt;
  Numbers result;
  for (std::int64_t index : *indices) {
    if (index < 0 || index >= static_cast<std::int64_t>(values->size())) return std::nullopt;
    result.push_back((*values)[static_cast<std::size_t>(index)]);
  }
  return result;
}

std::optional<KnownNumbers::Numbers> KnownNumbers::combined(const graph::Graph& graph, const graph::Operator& op) const {
  const auto* options = std::get_if<graph::ElementwiseOptions>(&op.options);
  if (options != nullptr && options->activation != graph::Activation::kNone) return std::nullopt;
  const auto a = vector_of(graph, op.input(0));
  const auto b = vector_of(graph, op.input(1));
  if (!a || !b || a->empty() || b->empty() || (a->size() != b->size() && a->size() != 1 && b->size() != 1)) return std::nullopt;
  Numbers result;
  for (std::size_t i = 0; i < std::max(a->size(), b->size()); ++i) {
    const auto value = value_of(op.kind, (*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
    if (!value) return std::nullopt;
    result.push_back(*value);
  }
  return result;
}

}  // namespace naru::sdk
