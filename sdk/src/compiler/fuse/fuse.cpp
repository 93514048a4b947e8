// Two rewrites, each exact: the fused node gives the bytes that the two nodes gave.
#include "compiler/fuse/fuse.h"

#include <algorithm>

#include <fmt/format.h>

namespace naru::sdk::compiler {
namespace {


std::vector<std::size_t> readers_of(const Program& program, TensorId tensor) {
  std::vector<std::size_t> readers;
  for (std::size_t i = 0; i < program.nodes.size(); ++i)
    if (std::ranges::count(program.nodes[i].inputs, tensor) > 0) readers.push_back(i);
  return readers;
}

void mark_fused(Program& program, const Node& node, const Node& into) {
  if (node.op < 0) return;
  auto& report = program.reports[static_cast<std::size_t>(node.op)];
  report.placement = package::Placement::kFused;
  const std::int32_t file_index = into.op < 0 ? -1 : program.reports[static_cast<std::size_t>(into.op)].file_index;
  report.reason = fmt::format("into operator {}", file_index);
}

bool takes_padding(const Program& program, const Node& reader, const PadNode& pad, const Node& node) {
  const auto* window = std::get_if<WindowNode>(&reader.body);
  const auto& shape = program.graph.tensor(node.output).shape;
  // A matrix product has no image around which padding could lie.
  return window != nullptr && !window->is_pool() && shape.size() == 4 && window->input_zero == pad.value &&
         window->in_rows == static_cast<std::uint32_t>(shape[1]) && window->in_cols == static_cast<std::uint32_t>(shape[2]) &&
         window->in_channels == static_cast<std::uint32_t>(shape[3]);
}

bool fold_padding(Program& program, std::size_t index) {
  const Node& node = program.nodes[index];
  const auto* pad = std::get_if<PadNode>(&node.body);
  if (pad == nullptr || program.pinned[static_cast<std::size_t>(node.output)] || pad->before.size() != 4) return false;
  for (std::size_t d : {0U, 3U})
    if (pad->before[d] != 0 || pad->after[d] != 0) return false;
  const auto readers = readers_of(program, node.output);
  if (readers.empty()) return false;
  for (std::size_t reader : readers)
    if (!takes_padding(program, program.nodes[reader], *pad, node)) return false;
  const auto& inner = program.graph.tensor(node.inputs[0]).shape;
  for (std::size_t reader : readers) {
    Node& target = program.nodes[reader];
    auto& window = std::get<WindowNode>(target.body);
    window.pad_top += static_cast<std::uint32_t>(pad->before[1]);
    window.pad_left += static_cast<std::uint32_t>(pad->before[2]);
    window.in_rows = static_cast<std::uint32_t>(inner[1]);
    window.in_cols = static_cast<std::uint32_t>(inner[2]);
    target.inputs[0] = node.inputs[0];
  }
  mark_fused(program, node, program.nodes[readers.front()]);
  return true;
}

numerics::Range* clamp_of(NodeBody& body) {
  if (auto* window = std::get_if<WindowNode>(&body)) return &window->clamp;
  if (auto* requantize = std::get_if<RequantizeNode>(&body)) return &requantize->clamp;
  if (auto* binary = std::get_if<BinaryNode>(&body)) return &binary->clamp;
  // Extremes are raw codes, which the command does not clamp.
  if (auto* reduce = std::get_if<ReduceNode>(&body); reduce != nullptr && reduce->kind == abi::ReduceKind::kSum) return &reduce->clamp;
  return nullptr;
}

bool fold_clamp(Program& program, std::size_t index) {
  const Node& node = program.nodes[index];
  const auto* outer = std::get_if<RequantizeNode>(&node.body);
  if (outer == nullptr || outer->multiplier != numerics::kUnchanged || outer->input_zero != outer->output_zero) return false;
  const TensorId between = node.inputs[0];
  if (program.pinned[static_cast<std::size_t>(between)] || program.graph.tensor(between).type != program.graph.tensor(node.output).type) return false;
  if (readers_of(program, between).size() != 1) return false;
  const auto producer = std::ranges::find(program.nodes, between, &Node::output);
  if (producer == program.nodes.end()) return false;
  numerics::Range* inner = clamp_of(producer->body);
  if (inner == nullptr) return false;
  // clamp(clamp(v, a, b), c, d) is one clamp to the images of a and b.
  inner->min = std::clamp(inner->min, outer->clamp.min, outer->clamp.max);
  inner->max = std::clamp(inner->max, outer->clamp.min, outer->clamp.max);
  producer->output = node.output;
  mark_fused(program, node, *producer);
  return true;
}

}  // namespace

void fuse(Program& program) {
  for (std::size_t i = 0; i < program.nodes.size();) {
    if (fold_padding(program, i) || fold_clamp(program, i))
      program.nodes.erase(program.nodes.begin() + static_cast<std::ptrdiff_t>(i));
    else
      ++i;
  }
}

}  // namespace naru::sdk::compiler
