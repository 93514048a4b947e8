// Between fusing and lowering: host steps are drawn together, so that the NPU's operators form few jobs; views find the bytes they stand for.
#pragma once

#include "compiler/ir.h"

namespace naru::sdk::compiler {

/// The nodes in an order that dependences allow, with as few changes between NPU and host as a greedy choice gives.
[[nodiscard]] std::vector<Node> group_nodes(const Program& program);

/// Where a tensor's bytes lie: `offset` bytes into `root`.
struct Alias {
  TensorId root = graph::kAbsent;
  std::uint64_t offset = 0;
  bool is_whole = true;  // covers all of the root
};
/// For each tensor the one whose place it shares; itself for most. A view is a part of what it shows unless both have places of their own.
[[nodiscard]] std::vector<Alias> alias_views(const Program& program);

}  // namespace naru::sdk::compiler
