// The semantic verifier: everything that the compiler, the host steps and the reference may take for granted about a graph.
// Independent of the format that the graph came from; runs in every build.
#pragma once

#include <cstdint>

#include "graph/graph.h"
#include "naru/base/result.h"

namespace naru::sdk {

/// What keeps a small file from costing a lot of memory or time.
struct GraphLimits {
  std::uint64_t tensors_max = 65'536;
  std::uint64_t operators_max = 65'536;
  std::uint64_t rank_max = 8;
  std::uint64_t tensor_bytes_max = std::uint64_t{1} << 28;
  std::uint64_t all_tensor_bytes_max = std::uint64_t{1} << 31;
  std::uint64_t multiply_accumulates_max = 1'000'000'000'000;
};

/// After success: every index is valid; every used tensor has a known type, at least one element and a consistent quantisation; constants have
/// their full size; every tensor is written once and before it is read; operands, options and output shapes of each operator fit each other
/// and stand for something that the reference can execute. Errors 0203 to 0213, which name operator, tensor and field.
[[nodiscard]] Result<void> verify_graph(const graph::Graph& graph, const GraphLimits& limits = {});

/// The part of verify_graph that looks at one operator whose indices and tensors are already known to be right.
[[nodiscard]] Result<void> verify_operator(const graph::Graph& graph, const graph::Operator& op);

}  // namespace naru::sdk
