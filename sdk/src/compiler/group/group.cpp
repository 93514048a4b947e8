// Orders the nodes so that NPU and host take few turns, and follows views to the tensor whose place they share.
#include "compiler/group/group.h"

#include <algorithm>

namespace naru::sdk::compiler {

std::vector<Node> group_nodes(const Program& program) {
  std::vector<bool> pending_tensor(program.graph.tensors.size());
  for (const Node& node : program.nodes) node.for_each_output([&](TensorId id) { pending_tensor[static_cast<std::size_t>(id)] = true; });
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
      node.for_each_output([&](TensorId id) { pending_tensor[static_cast<std::size_t>(id)] = false; });
      ordered.push_back(node);
    }
  }
  return ordered;
}

std::vector<Alias> alias_views(const Program& program) {
  std::vector<Alias> aliases(program.graph.tensors.size());
  for (std::size_t i = 0; i < aliases.size(); ++i) aliases[i].root = static_cast<TensorId>(i);
  const auto find = [&](TensorId id) {
    Alias alias{id, 0};
    while (aliases[static_cast<std::size_t>(alias.root)].root != alias.root) {
      const Alias& next = aliases[static_cast<std::size_t>(alias.root)];
      alias = {next.root, alias.offset + next.offset};
    }
    return alias;
  };
  for (const Node& node : program.nodes) {
    const auto* view = std::get_if<ViewNode>(&node.body);
    if (view == nullptr) continue;
    const Alias from = find(node.inputs[0]);
    const auto root = static_cast<std::size_t>(from.root);
    const bool from_fixed = program.pinned[root] || program.graph.tensors[root].is_constant();
    if (!program.pinned[static_cast<std::size_t>(node.output)]) {
      aliases[static_cast<std::size_t>(node.output)] = {from.root, from.offset + view->offset};
    } else if (!from_fixed && from.offset == 0 && view->offset == 0 && graph::byte_size(program.graph.tensors[root]) == graph::byte_size(program.graph.tensor(node.output))) {
      // Whoever writes the input writes the pinned output.
      aliases[root] = {node.output, 0};
    }
  }
  for (std::size_t i = 0; i < aliases.size(); ++i) {
    aliases[i] = find(static_cast<TensorId>(i));
    aliases[i].is_whole = graph::byte_size(program.graph.tensors[i]) == graph::byte_size(program.graph.tensor(aliases[i].root));
  }
  return aliases;
}

}  // namespace naru::sdk::compiler
