// Cuts: one output only; an operator's results become inputs; and away with everything that then no output needs.
#include "shrink.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables
using testing_models::ModelBuilder;
using Tensors = std::vector<std::int32_t>;

BuiltinOperator code_of(const ModelBuilder& builder, const OperatorT& op) { return builder.model.operator_codes[op.opcode_index]->builtin_code; }
const SubGraphT& main_of(const ModelBuilder& builder) { return *builder.model.subgraphs[0]; }

/// Drops operators that nothing needs. Assignments, which have no result, are needed while their variable is read.
void drop_dead_operators(ModelBuilder& builder) {
  auto& operators = builder.graph().operators;
  std::set<int> needed(builder.graph().outputs.begin(), builder.graph().outputs.end());
  std::vector<bool> keeps(operators.size());
  std::set<int> read_handles;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = operators.size(); i-- > 0;) {
      const OperatorT& op = *operators[i];
      const BuiltinOperator code = code_of(builder, op);
      const bool is_needed = std::ranges::any_of(op.outputs, [&](int id) { return needed.contains(id); }) ||
                             (code == BuiltinOperator_ASSIGN_VARIABLE && read_handles.contains(op.inputs[0])) ||
                             (code == BuiltinOperator_CALL_ONCE && !read_handles.empty());
      if (!is_needed || keeps[i]) continue;
      keeps[i] = changed = true;
      needed.insert(op.inputs.begin(), op.inputs.end());
      if (code == BuiltinOperator_READ_VARIABLE) read_handles.insert(op.inputs[0]);
    }
  }
  std::vector<std::unique_ptr<OperatorT>> kept;
  for (std::size_t i = 0; i < operators.size(); ++i)
    if (keeps[i]) kept.push_back(std::move(operators[i]));
  operators = std::move(kept);
}

/// Renumbers tensors, buffers and operator codes to those in use.
void compact(ModelBuilder& builder) {
  auto& graph = builder.graph();
  std::set<int> used(graph.outputs.begin(), graph.outputs.end());
  for (const auto& op : graph.operators) {
    used.insert(op->inputs.begin(), op->inputs.end());
    used.insert(op->outputs.begin(), op->outputs.end());
  }
  used.erase(-1);
  std::erase_if(graph.inputs, [&](int id) { return !used.contains(id); });
  std::map<int, int> numbers{{-1, -1}};
  std::vector<std::unique_ptr<TensorT>> tensors;
  for (int id : used) {
    numbers[id] = static_cast<int>(tensors.size());
    tensors.push_back(std::move(graph.tensors[static_cast<std::size_t>(id)]));
  }
  graph.tensors = std::move(tensors);
  const auto renumber = [&](Tensors& ids) {
    for (int& id : ids) id = numbers.at(id);
  };
  renumber(graph.inputs);
  renumber(graph.outputs);
  for (const auto& op : graph.operators) renumber(op->inputs), renumber(op->outputs);

  const bool calls = std::ranges::any_of(graph.operators, [&](const auto& op) { return code_of(builder, *op) == BuiltinOperator_CALL_ONCE; });
  if (!calls) builder.model.subgraphs.resize(1);
  std::map<std::uint32_t, std::uint32_t> buffers{{0, 0}}, codes;
  std::vector<std::unique_ptr<BufferT>> kept_buffers;
  std::vector<std::unique_ptr<OperatorCodeT>> kept_codes;
  kept_buffers.push_back(std::move(builder.model.buffers[0]));
  for (const auto& subgraph : builder.model.subgraphs) {
    for (const auto& tensor : subgraph->tensors) {
      const auto [at, is_new] = buffers.try_emplace(tensor->buffer, static_cast<std::uint32_t>(kept_buffers.size()));
      if (is_new) kept_buffers.push_back(std::move(builder.model.buffers[tensor->buffer]));
      tensor->buffer = at->second;
    }
    for (const auto& op : subgraph->operators) {
      const auto [at, is_new] = codes.try_emplace(op->opcode_index, static_cast<std::uint32_t>(kept_codes.size()));
      if (is_new) kept_codes.push_back(std::move(builder.model.operator_codes[op->opcode_index]));
      op->opcode_index = at->second;
    }
  }
  builder.model.buffers = std::move(kept_buffers);
  builder.model.operator_codes = std::move(kept_codes);
}

void clean(ModelBuilder& builder) {
  drop_dead_operators(builder);
  compact(builder);
}

/// Every way to make the model smaller by one step, the boldest first.
std::vector<ModelBuilder> cuts(const ModelBuilder& model) {
  std::vector<ModelBuilder> smaller;
  const SubGraphT& graph = main_of(model);
  const auto with_outputs = [&](Tensors outputs) {
    smaller.push_back(model);
    smaller.back().graph().outputs = std::move(outputs);
  };
  const auto is_plain = [&](int id) { return graph.tensors[static_cast<std::size_t>(id)]->type != TensorType_RESOURCE; };
  if (graph.outputs.size() > 1)
    for (int id : graph.outputs) with_outputs({id});
  // A result of an earlier operator in place of the outputs.
  for (const auto& op : graph.operators)
    for (int id : op->outputs)
      if (is_plain(id) && (graph.outputs.size() > 1 || graph.outputs[0] != id)) with_outputs({id});
  // The results of an operator are given; those of late ones first.
  for (std::size_t i = graph.operators.size(); i-- > 0;) {
    const OperatorT& op = *graph.operators[i];
    if (op.outputs.empty() || !is_plain(op.outputs[0]) || std::ranges::any_of(op.outputs, [&](int id) { return std::ranges::count(graph.outputs, id) != 0; }))
      continue;
    smaller.push_back(model);
    auto& cut = smaller.back().graph();
    cut.inputs.insert(cut.inputs.end(), op.outputs.begin(), op.outputs.end());
    cut.operators.erase(cut.operators.begin() + static_cast<std::ptrdiff_t>(i));
  }
  // Without an assignment or a first value.
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    if (!graph.operators[i]->outputs.empty()) continue;
    smaller.push_back(model);
    auto& cut = smaller.back().graph();
    cut.operators.erase(cut.operators.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (graph.outputs.size() > 2)
    for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
      Tensors outputs = graph.outputs;
      outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(i));
      with_outputs(std::move(outputs));
    }
  return smaller;
}

std::size_t size_of(const ModelBuilder& builder) {
  return 1000 * main_of(builder).operators.size() + 10 * main_of(builder).tensors.size() + main_of(builder).outputs.size();
}

}  // namespace

ModelBuilder shrink(const ModelBuilder& failing, const std::function<bool(const ModelBuilder&)>& fails) {
  ModelBuilder smallest = failing;
  if (ModelBuilder cleaned = failing; clean(cleaned), fails(cleaned)) smallest = std::move(cleaned);
  for (bool changed = true; changed;) {
    changed = false;
    for (ModelBuilder& candidate : cuts(smallest)) {
      clean(candidate);
      if (size_of(candidate) >= size_of(smallest) || !fails(candidate)) continue;
      smallest = std::move(candidate);
      changed = true;
      break;
    }
  }
  return smallest;
}

std::string describe(const ModelBuilder& builder) {
  const SubGraphT& graph = main_of(builder);
  const auto shapes = [&](const Tensors& ids) {
    std::string text;
    for (int id : ids) {
      if (!text.empty()) text += ", ";
      if (id < 0) {
        text += "-";
        continue;
      }
      const TensorT& tensor = *graph.tensors[static_cast<std::size_t>(id)];
      text += fmt::format("{}[{}]", EnumNameTensorType(tensor.type), fmt::join(tensor.shape, "x"));
      if (tensor.quantization != nullptr && !tensor.quantization->scale.empty()) text += fmt::format("*{:g}", tensor.quantization->scale[0]);
      if (tensor.quantization != nullptr && !tensor.quantization->zero_point.empty()) text += fmt::format("@{}", tensor.quantization->zero_point[0]);
    }
    return text;
  };
  std::string text;
  for (const auto& op : graph.operators)
    text += fmt::format("  {} ({}) -> {}\n", EnumNameBuiltinOperator(code_of(builder, *op)), shapes(op->inputs), shapes(op->outputs));
  return text;
}

std::string operator_names(const ModelBuilder& builder) {
  std::vector<std::string> names;
  for (const auto& op : main_of(builder).operators) names.emplace_back(EnumNameBuiltinOperator(code_of(builder, *op)));
  return fmt::format("{}", fmt::join(names, " "));
}

std::size_t operator_count(const ModelBuilder& builder) { return main_of(builder).operators.size(); }

}  // namespace naru::generated
