// Between fusing and lowering: host steps are drawn together, so that the NPU's operators form few jobs; views find the bytes they stand for.
#pragma once

#include "compiler/ir.h"

namespace naru::sdk::compiler {

/// The nodes in an order that dependences allow, with as few changes between NPU and host as a greedy choice gives.
[[nodiscard]] std::vector<Node> group_nodes(const Program& program);

/// For each tensor the one whose place it shares: itself, unless a view joins them. Views that cannot stay in place join nothing.
[[nodiscard]] std::vector<TensorId> alias_views(const Program& program);

}  // namespace naru::sdk::compiler
