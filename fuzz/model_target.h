// What must hold for any bytes that are given to the importer. Shared by fuzz_model and by the test that replays the corpus.
#pragma once

#include <cmath>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "compiler/compiler.h"
#include "import/tflite/import.h"
#include "naru/base/hash.h"
#include "naru/profile/profile.h"

namespace naru::fuzzing {

namespace graph = sdk::graph;

/// Small, so that one input stays short: what is over them must be refused, and is.
inline const sdk::ImportLimits& model_limits() {
  static const sdk::ImportLimits kLimits{.file_bytes_max = 1 << 16,
                                         .graph = {.tensors_max = 256,
                                                   .operators_max = 64,
                                                   .rank_max = 8,
                                                   .tensor_bytes_max = 1 << 14,
                                                   .all_tensor_bytes_max = 1 << 16,
                                                   .multiply_accumulates_max = 1 << 18}};
  return kLimits;
}

/// An error must be one that the callee documents, say something, and say what to do. Empty when it is.
inline std::string broken_error(const Error& error, unsigned first, unsigned last) {
  const auto id = static_cast<unsigned>(error.id());
  if (id < first || id > last) return fmt::format("an error that is not documented there: {}", error.to_string(true));
  if (error.message().empty() || error.remedy().empty()) return fmt::format("{} says nothing", error.id_text());
  // What is wrong with tables or the file as a whole has no place; the rest names operator, tensor or field.
  const bool whole_file = error.id() == ErrorId::kModelNotTflite || error.id() == ErrorId::kModelStructure;
  if (id < 300 && !whole_file && error.values().empty()) return fmt::format("names no place: {}", error.to_string(true));
  return {};
}

/// Quantisation of an accepted tensor that a step may compute with.
inline bool quantization_holds(const graph::Tensor& tensor) {
  const graph::Quantization& quantization = *tensor.quantization;
  if (quantization.scales.empty() || quantization.zero_points.size() != quantization.scales.size()) return false;
  for (const float scale : quantization.scales)
    if (!std::isfinite(scale) || !(scale > 0)) return false;
  return true;
}

/// The promises of verify_graph(), looked at once more from outside. Empty when they hold.
inline std::string broken_promise(const graph::Graph& graph, const sdk::GraphLimits& limits) {
  const auto valid = [&](graph::TensorId id) { return id >= 0 && static_cast<std::size_t>(id) < graph.tensors.size(); };
  std::vector<bool> ready(graph.tensors.size());
  for (std::size_t i = 0; i < graph.tensors.size(); ++i) ready[i] = graph.tensors[i].is_constant();
  for (const graph::TensorId id : graph.inputs) {
    if (!valid(id)) return "an input that is no tensor";
    ready[static_cast<std::size_t>(id)] = true;
  }
  for (const graph::State& state : graph.states) {
    if (!valid(state.before) || !valid(state.after)) return "a state that is no tensor";
    if (state.initial.size() != graph::byte_size(graph.tensor(state.before))) return "a state whose initial value has another size";
    if (graph::byte_size(graph.tensor(state.after)) != state.initial.size()) return "a state that changes its size";
    ready[static_cast<std::size_t>(state.before)] = true;
  }
  const auto check_value = [&](const graph::Operator& op, graph::TensorId id) -> std::string {
    const graph::Tensor& tensor = graph.tensor(id);
    const auto elements = graph::checked_element_count(tensor.shape);
    if (!elements || *elements == 0) return fmt::format("{} has an empty tensor {}", graph::describe(op), id);
    if (tensor.type == abi::ElementType::kNone) return fmt::format("{} has tensor {} without a type", graph::describe(op), id);
    if (graph::byte_size(tensor) > limits.tensor_bytes_max) return fmt::format("{} has tensor {} over the limit", graph::describe(op), id);
    if (tensor.is_constant() && tensor.constant.size() != graph::byte_size(tensor)) return fmt::format("{} has constant {} of another size", graph::describe(op), id);
    if (tensor.quantization && !quantization_holds(tensor)) return fmt::format("{} has tensor {} with a bad quantisation", graph::describe(op), id);
    return {};
  };
  for (const graph::Operator& op : graph.operators) {
    for (const graph::TensorId id : op.inputs) {
      if (id == graph::kAbsent) continue;
      if (!valid(id)) return fmt::format("{} reads no tensor", graph::describe(op));
      if (!ready[static_cast<std::size_t>(id)]) return fmt::format("{} reads tensor {} before it is written", graph::describe(op), id);
      if (auto broken = check_value(op, id); !broken.empty()) return broken;
    }
    for (const graph::TensorId id : op.outputs) {
      if (id == graph::kAbsent) continue;
      if (!valid(id)) return fmt::format("{} writes no tensor", graph::describe(op));
      if (ready[static_cast<std::size_t>(id)]) return fmt::format("{} writes tensor {} again", graph::describe(op), id);
      if (auto broken = check_value(op, id); !broken.empty()) return broken;
      ready[static_cast<std::size_t>(id)] = true;
    }
  }
  for (const graph::TensorId id : graph.outputs)
    if (!valid(id) || !ready[static_cast<std::size_t>(id)]) return "an output that nothing computes";
  for (const graph::State& state : graph.states)
    if (!ready[static_cast<std::size_t>(state.after)]) return "a state that nothing computes";
  return {};
}

/// Importing must end in a graph that keeps the promises, or in a documented refusal; so must compiling that graph for `tiny`. One of
/// `compile_one_in` accepted graphs is compiled, chosen by its bytes. Returns what is broken; empty when nothing is.
inline std::string check_model(std::span<const std::byte> bytes, std::uint64_t compile_one_in = 1) {
  const auto graph = sdk::import_tflite(std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()), model_limits());
  if (!graph) return broken_error(graph.error(), 201, 213);
  if (auto broken = broken_promise(*graph, model_limits().graph); !broken.empty()) return broken;
  if (compile_one_in != 1 && fnv1a64(bytes) % compile_one_in != 0) return {};
  static const abi::Chip kTiny = profile::load("tiny").value().chip;
  const auto package = sdk::compiler::compile(*graph, kTiny, {.profile = "tiny", .keep_tensors = {}});
  if (package) return {};
  const ErrorId id = package.error().id();
  const bool unsupported = id == ErrorId::kModelOperatorUnsupported || id == ErrorId::kModelTypeUnsupported;
  return unsupported ? std::string() : broken_error(package.error(), 401, 405);
}

}  // namespace naru::fuzzing
