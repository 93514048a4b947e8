// Each change is a row of a table; the table is drawn from evenly.
#include "model_surgery.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include "edge_values.h"

namespace naru::fuzzing {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

template <typename T>
T* any_of(const std::vector<std::unique_ptr<T>>& list, Random& random) {
  return list.empty() ? nullptr : list[random.below(list.size())].get();
}

/// Dropped, doubled or swapped.
template <typename T>
void rearrange(std::vector<std::unique_ptr<T>>& list, Random& random) {
  if (list.empty()) return;
  const auto at = list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size()));
  switch (random.below(3)) {
    case 0: list.erase(at); break;
    case 1: list.insert(at, std::make_unique<T>(**at)); break;
    default: std::swap(*at, list[random.below(list.size())]);
  }
}

template <typename T>
void rearrange_values(std::vector<T>& list, Random& random, T fresh) {
  const std::size_t at = random.below(list.size() + 1);
  if (random.chance(2) || list.empty()) list.insert(list.begin() + static_cast<std::ptrdiff_t>(at), fresh);
  else if (random.chance(2)) list.erase(list.begin() + static_cast<std::ptrdiff_t>(at % list.size()));
  else std::swap(list[at % list.size()], list[random.below(list.size())]);
}

std::int32_t index_into(std::size_t size, Random& random) {
  return random.chance(8) ? static_cast<std::int32_t>(edge_integer(random)) : static_cast<std::int32_t>(random.between(-1, static_cast<std::int64_t>(size)));
}

/// What a change looks at: one subgraph of the model, with one tensor and one operator of it; these may be missing.
struct Patient {
  ModelT& model;
  SubGraphT& graph;
  TensorT* tensor;
  OperatorT* op;
};

void change_shape(Patient& p, Random& random) {
  if (p.tensor != nullptr) rearrange_values(p.tensor->shape, random, static_cast<std::int32_t>(edge_integer(random)));
}

/// All tensors of one type get another: models of other types that still fit.
void change_types(Patient& p, Random& random) {
  if (p.tensor == nullptr) return;
  constexpr TensorType kTypes[] = {TensorType_INT8, TensorType_UINT8, TensorType_INT16, TensorType_FLOAT32, TensorType_INT32, TensorType_INT64, TensorType_BOOL};
  const TensorType from = p.tensor->type;
  const TensorType to = kTypes[random.below(std::size(kTypes))];
  for (auto& tensor : p.graph.tensors) {
    if (tensor->type != from) continue;
    tensor->type = to;
    if (tensor->quantization && to == TensorType_INT16) std::fill(tensor->quantization->zero_point.begin(), tensor->quantization->zero_point.end(), 0);
  }
}

/// Dimensions of one size get another everywhere, and buffers the size that their tensors need.
void change_dimensions(Patient& p, Random& random) {
  if (p.tensor == nullptr || p.tensor->shape.empty()) return;
  const std::int32_t from = p.tensor->shape[random.below(p.tensor->shape.size())];
  const auto to = static_cast<std::int32_t>(random.between(1, 9));
  for (auto& tensor : p.graph.tensors) {
    std::uint64_t before = 1;
    std::uint64_t after = 1;
    for (std::int32_t& dimension : tensor->shape) {
      before *= static_cast<std::uint32_t>(dimension);
      if (dimension == from) dimension = to;
      after *= static_cast<std::uint32_t>(dimension);
    }
    if (tensor->buffer >= p.model.buffers.size() || before == 0 || after > 4096) continue;
    auto& data = p.model.buffers[tensor->buffer]->data;
    data.resize(std::min<std::uint64_t>(data.size() / before * after, 4096));
  }
}

void change_quantization(Patient& p, Random& random) {
  if (p.tensor == nullptr) return;
  auto& quantization = p.tensor->quantization;
  if (!quantization) quantization = std::make_unique<QuantizationParametersT>();
  else if (random.chance(5)) return quantization.reset();
  const std::size_t axis = p.tensor->shape.empty() ? 0 : random.below(p.tensor->shape.size());
  const std::int32_t channels = p.tensor->shape.empty() || random.chance(3) ? 1 : std::clamp(p.tensor->shape[axis], 1, 64);
  quantization->scale.assign(static_cast<std::size_t>(channels), random.chance(4) ? edge_float(random) : 0.03F);
  quantization->zero_point.assign(static_cast<std::size_t>(channels), random.chance(3) ? edge_integer(random) : 0);
  quantization->quantized_dimension = static_cast<std::int32_t>(axis);
  if (random.chance(16)) quantization->details_kind = 1;
}

/// A tensor gets data of its size, or loses its data.
void change_constant(Patient& p, Random& random) {
  if (p.tensor == nullptr) return;
  if (random.chance(3)) return static_cast<void>(p.tensor->buffer = 0);
  std::uint64_t elements = 1;
  for (const std::int32_t dimension : p.tensor->shape) elements = std::min<std::uint64_t>(elements * static_cast<std::uint32_t>(dimension), 1024);
  const bool wide = p.tensor->type == TensorType_INT32 || p.tensor->type == TensorType_FLOAT32;
  auto buffer = std::make_unique<BufferT>();
  buffer->data.assign(elements * (wide ? 4 : 1), 0);
  for (std::size_t i = 0; i < buffer->data.size(); i += wide ? 4 : 1) buffer->data[i] = static_cast<std::uint8_t>(random.between(0, 3));
  p.model.buffers.push_back(std::move(buffer));
  p.tensor->buffer = static_cast<std::uint32_t>(p.model.buffers.size() - 1);
}

void change_operands(Patient& p, Random& random) {
  if (p.op != nullptr) rearrange_values(random.chance(3) ? p.op->outputs : p.op->inputs, random, index_into(p.graph.tensors.size(), random));
}

/// An operator takes another's options and code, or both change kind.
void change_kind(Patient& p, Random& random) {
  OperatorT* other = any_of(p.graph.operators, random);
  if (p.op == nullptr || other == nullptr) return;
  if (random.chance(2)) p.op->builtin_options = other->builtin_options;
  if (random.chance(2)) p.op->opcode_index = other->opcode_index;
  if (random.chance(8)) p.op->builtin_options.Reset();
}

/// A copy of an operator behind it, which works on the result of the first.
void chain_operator(Patient& p, Random& random) {
  if (p.op == nullptr || p.op->outputs.empty() || p.op->inputs.empty()) return;
  const auto output = static_cast<std::size_t>(p.op->outputs[0]);
  if (output >= p.graph.tensors.size()) return;
  auto copy = std::make_unique<OperatorT>(*p.op);
  p.graph.tensors.push_back(std::make_unique<TensorT>(*p.graph.tensors[output]));
  const auto added = static_cast<std::int32_t>(p.graph.tensors.size() - 1);
  std::replace(p.graph.outputs.begin(), p.graph.outputs.end(), copy->outputs[0], added);
  copy->inputs[random.chance(4) ? random.below(copy->inputs.size()) : 0] = copy->outputs[0];
  copy->outputs[0] = added;
  p.graph.operators.push_back(std::move(copy));
}

void change_custom(Patient& p, Random& random) {
  if (p.op == nullptr) return;
  rearrange_values(p.op->custom_options, random, static_cast<std::uint8_t>(random.next()));
  if (random.chance(4)) p.op->large_custom_options_offset = static_cast<std::uint64_t>(edge_integer(random));
  if (random.chance(4)) p.op->large_custom_options_size = static_cast<std::uint64_t>(edge_integer(random));
  if (random.chance(4)) p.op->mutating_variable_inputs.assign(random.below(4), true);
  if (random.chance(4)) p.op->intermediates.assign(random.below(4), index_into(p.graph.tensors.size(), random));
}

void change_state(Patient& p, Random& random) {
  if (p.tensor == nullptr) return;
  p.tensor->is_variable = !p.tensor->is_variable;
  if (random.chance(2)) p.tensor->buffer = 0;
}

void change_subgraphs(Patient& p, Random& random) {
  if (p.model.subgraphs.size() < 4) rearrange(p.model.subgraphs, random);
  else p.model.subgraphs.pop_back();
}

void change_buffers(Patient& p, Random& random) {
  BufferT* buffer = any_of(p.model.buffers, random);
  if (buffer == nullptr || random.chance(3)) return rearrange(p.model.buffers, random);
  if (random.chance(3)) {
    buffer->offset = static_cast<std::uint64_t>(edge_integer(random));
    buffer->size = static_cast<std::uint64_t>(edge_integer(random));
  } else {
    buffer->data.resize(random.below(2 * buffer->data.size() + 5) % 2048);
  }
}

void change_signatures(Patient& p, Random& random) {
  if (p.model.signature_defs.empty()) p.model.signature_defs.push_back(std::make_unique<SignatureDefT>());
  SignatureDefT& signature = *p.model.signature_defs[0];
  signature.subgraph_index = static_cast<std::uint32_t>(random.below(p.model.subgraphs.size() + 1));
  auto map = std::make_unique<TensorMapT>();
  map->name = "n";
  map->tensor_index = static_cast<std::uint32_t>(index_into(p.graph.tensors.size(), random));
  (random.chance(2) ? signature.inputs : signature.outputs).push_back(std::move(map));
  if (random.chance(3)) rearrange(p.model.signature_defs, random);
}

void change_sparsity(Patient& p, Random& random) {
  if (p.tensor == nullptr) return;
  p.tensor->sparsity = random.chance(2) ? nullptr : std::make_unique<SparsityParametersT>();
  p.tensor->has_rank = random.chance(2);
  rearrange_values(p.tensor->shape_signature, random, std::int32_t{-1});
}

void change_ends(Patient& p, Random& random) {
  rearrange_values(random.chance(2) ? p.graph.inputs : p.graph.outputs, random, index_into(p.graph.tensors.size(), random));
}

void change_names(Patient& p, Random& random) {
  std::string text(random.below(12), 'n');
  for (char& letter : text) letter = static_cast<char>(random.next());
  if (p.tensor != nullptr && random.chance(2)) p.tensor->name = text;
  else if (auto* code = any_of(p.model.operator_codes, random)) code->custom_code = text;
}

constexpr void (*kChanges[])(Patient&, Random&) = {
    change_shape, change_types, change_dimensions, change_dimensions, change_quantization, change_constant, change_operands, change_operands, change_kind, chain_operator,
    change_custom, change_state, change_subgraphs, change_buffers, change_signatures, change_sparsity, change_ends, change_names,
    [](Patient& p, Random& random) { rearrange(p.graph.operators, random); },
    [](Patient& p, Random& random) { rearrange(p.graph.tensors, random); },
    [](Patient& p, Random& random) { rearrange(p.model.operator_codes, random); },
    [](Patient& p, Random& random) { rearrange(p.model.metadata, random); },
};

}  // namespace

void operate_on(ModelT& model, Random& random) {
  if (model.subgraphs.empty()) model.subgraphs.push_back(std::make_unique<SubGraphT>());
  // The first subgraph is the one that runs.
  SubGraphT& graph = random.chance(4) ? *any_of(model.subgraphs, random) : *model.subgraphs[0];
  Patient patient{model, graph, any_of(graph.tensors, random), any_of(graph.operators, random)};
  kChanges[random.below(std::size(kChanges))](patient, random);
}

}  // namespace naru::fuzzing
