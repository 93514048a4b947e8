// Pins, and copies of what is wanted and not computed.
#include "compiler/pin/pin.h"

#include <algorithm>

#include <fmt/format.h>

namespace naru::sdk::compiler {

using graph::TensorId;

Result<std::vector<TensorId>> pin_tensors(Program& program, const CompileOptions& options) {
  std::vector<TensorId> kept;
  auto& graph = program.graph;
  std::vector<bool> written(graph.tensors.size());
  for (const Node& node : program.nodes) node.for_each_output([&](TensorId id) { written[static_cast<std::size_t>(id)] = true; });
  const auto pin = [&](TensorId id) { program.pinned[static_cast<std::size_t>(id)] = true; };
  for (TensorId id : graph.inputs) pin(id);
  // What no operator writes is copied, so that an output never is an input or a constant; so is one that is listed `again`.
  const auto own = [&](TensorId id, bool again) {
    if (again || !written[static_cast<std::size_t>(id)]) {
      graph::Tensor copy = graph.tensor(id);
      copy.constant = {};
      const TensorId from = id;
      id = graph.add_tensor(std::move(copy));
      program.pinned.push_back(true);
      written.push_back(true);
      program.nodes.push_back({.body = ViewNode{}, .inputs = {from}, .output = id, .op = -1});
    }
    pin(id);
    return id;
  };
  std::vector<bool> listed(graph.tensors.size());
  for (TensorId& id : graph.outputs) {
    const auto index = static_cast<std::size_t>(id);
    id = own(id, listed[index]);
    listed[index] = true;
  }
  if (options.keep_all_tensors)
    for (const auto& op : program.graph.operators)
      for (TensorId id : op.outputs)
        if (graph.tensor(id).file_index >= 0) kept.push_back(id);
  for (std::int32_t file_index : options.keep_tensors) {
    const auto found = std::ranges::find(graph.tensors, file_index, &graph::Tensor::file_index);
    if (file_index < 0 || found == graph.tensors.end())
      return fail(ErrorId::kInvalidArgument, fmt::format("The model has no tensor {} to keep", file_index));
    kept.push_back(static_cast<TensorId>(found - graph.tensors.begin()));
  }
  const auto is_input = [&](TensorId id) { return std::ranges::count(graph.inputs, id) > 0; };
  for (TensorId& id : kept) {
    if (is_input(id)) continue;
    if (graph.tensor(id).type == abi::ElementType::kNone || graph::byte_size(graph.tensor(id)) == 0)
      return fail(ErrorId::kInvalidArgument, fmt::format("Tensor {} has no elements to keep", graph.tensor(id).file_index));
    id = own(id, false);
  }
  for (const Node& node : program.nodes) {
    if (!std::holds_alternative<HostNode>(node.body)) continue;
    node.for_each_output(pin);
    for (TensorId id : node.inputs)
      if (!graph.tensor(id).is_constant()) pin(id);
  }
  return kept;
}

}  // namespace naru::sdk::compiler
