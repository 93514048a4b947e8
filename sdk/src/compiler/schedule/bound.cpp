// Whole operators as single commands: nothing is tiled, nothing is placed, only counted.
#include "compiler/schedule/bound.h"

#include "compiler/fuse/fuse.h"
#include "compiler/legalize/legalize.h"
#include "compiler/lower/lower.h"
#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {

Result<Bound> bound_of(const graph::Graph& graph, const abi::Chip& chip, std::uint64_t compulsory_bytes) {
  NARU_TRY(Program program, legalize(graph, {}));
  for (TensorId id : program.graph.outputs) program.pinned[static_cast<std::size_t>(id)] = true;
  fuse(program);
  Bound bound;
  bound.dma = ceil_div<std::uint64_t>(compulsory_bytes, chip.dram_bytes_per_cycle);
  for (const Node& node : program.nodes) {
    if (std::holds_alternative<HostNode>(node.body)) continue;
    NARU_TRY(const Nest nest, lower(program.graph, node));
    const abi::CommandBody body = whole_command(nest);
    const std::uint64_t busy = abi::cost_of({abi::Engine::kVector, 0, body}, chip).busy;
    const std::uint64_t macs = abi::macs_of(body);
    (macs > 0 ? bound.mac : bound.vector) += busy * repeats_of(nest);
    bound.macs += macs * repeats_of(nest);
    if (const auto* window = std::get_if<WindowNode>(&node.body)) {
      const auto kind = node.op < 0 ? graph::OperatorKind::kReshape : program.graph.operators[static_cast<std::size_t>(node.op)].kind;
      if (window->has_weights() && (kind == graph::OperatorKind::kConv2d || kind == graph::OperatorKind::kDepthwiseConv2d)) bound.window_macs += macs * repeats_of(nest);
    }
  }
  return bound;
}

}  // namespace naru::sdk::compiler
