// Orders the nodes so that NPU and host take few turns, and follows views to the tensor whose place they share.
#include "compiler/group/group.h"

#include <algorithm>
#include <numeric>

namespace naru::sdk::compiler {

std::vector<Node> group_nodes(const Program& program) {
  std::vector<bool> pending_tensor(program.graph.tensors.size());
  for (const Node& node : program.nodes) pending_tensor[static_cast<std::size_t>(node.output)] = true;
  std::vector<bool> done(program.nodes.size());
  std::vector<Node> ordered;
  bool host = true;
  bool progressed = true;
  // Alternately all host nodes that can run, then all others: a pass that finds nothing ends its turn; two in a row would be a cycle.
  for (int idle = 0; idle < 2; idle = progressed ? 0 : idle + 1, host = !host) {
    progressed = false;
    for (std::size_t i = 0; i < program.nodes.size(); ++i) {
      const Node& node = program.nodes[i];
      if (done[i] || std::holds_alternative<HostNode>(node.body) != host) continue;
      if (std::ranges::any_of(node.inputs, [&](TensorId id) { return pending_tensor[static_cast<std::size_t>(id)]; })) continue;
      done[i] = progressed = true;
      pending_tensor[static_cast<std::size_t>(node.output)] = false;
      ordered.push_back(node);
    }
  }
  return ordered;
}

std::vector<TensorId> alias_views(const Program& program) {
  std::vector<TensorId> root(program.graph.tensors.size());
  std::iota(root.begin(), root.end(), 0);
  const auto find = [&](TensorId id) {
    while (root[static_cast<std::size_t>(id)] != id) id = root[static_cast<std::size_t>(id)];
    return id;
  };
  for (const Node& node : program.nodes) {
    if (!std::holds_alternative<ViewNode>(node.body)) continue;
    const TensorId from = find(node.inputs[0]);
    const bool from_fixed = program.pinned[static_cast<std::size_t>(from)] || program.graph.tensor(from).is_constant();
    if (!program.pinned[static_cast<std::size_t>(node.output)]) {
      root[static_cast<std::size_t>(node.output)] = from;
    } else if (!from_fixed) {
      // Whoever writes the input writes the pinned output.
      root[static_cast<std::size_t>(from)] = node.output;
    }
  }
  for (std::size_t i = 0; i < root.size(); ++i) root[i] = find(static_cast<TensorId>(i));
  return root;
}

}  // namespace naru::sdk::compiler
