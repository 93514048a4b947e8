// Nothing is computed here: parts are numbered and put together.
#include "compiler/package/assemble.h"

namespace naru::sdk::compiler {

PackageTensors number_tensors(const Program& program) {
  PackageTensors result;
  result.index.assign(program.graph.tensors.size(), -1);
  const auto add = [&](TensorId id) {
    auto& index = result.index[static_cast<std::size_t>(id)];
    if (index >= 0) return;
    index = static_cast<std::int32_t>(result.tensors.size());
    const graph::Tensor& tensor = program.graph.tensor(id);
    result.tensors.push_back({tensor.name, tensor.shape, tensor.type, tensor.quantization, tensor.file_index, graph::byte_size(tensor)});
  };
  for (TensorId id : program.graph.inputs) add(id);
  for (TensorId id : program.graph.outputs) add(id);
  std::vector<bool> is_state(program.pinned.size());
  for (const StatePlace& state : program.states)
    for (TensorId id : {state.before, state.after}) is_state[static_cast<std::size_t>(id)] = true;
  for (std::size_t i = 0; i < program.pinned.size(); ++i)
    if (program.pinned[i] && !is_state[i]) add(static_cast<TensorId>(i));
  return result;
}

package::HostStep host_step(const Program& program, const Node& node, const PackageTensors& tensors) {
  package::HostStep step;
  step.op = program.graph.operators[static_cast<std::size_t>(node.op)];
  const auto take = [&](TensorId& id) {
    if (id == graph::kAbsent) return;
    const auto from = static_cast<std::size_t>(id);
    id = static_cast<TensorId>(step.tensors.size());
    graph::Tensor tensor = program.graph.tensors[from];
    step.tensors.push_back(tensor.is_constant() ? -1 : tensors.index[from]);
    if (tensor.is_constant()) {
      // The package outlives the graph: it keeps bytes of its own.
      step.storage.push_back(std::make_shared<const std::vector<std::byte>>(tensor.constant.begin(), tensor.constant.end()));
      tensor.constant = *step.storage.back();
    }
    step.constants.push_back(std::move(tensor));
  };
  for (TensorId& id : step.op.inputs) take(id);
  for (TensorId& id : step.op.outputs) take(id);
  return step;
}

}  // namespace naru::sdk::compiler
