// The judge: executes a graph on whole tensors with the plain kernels of reference/ops. Slow, obvious, and independent of compiler and device.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/graph.h"
#include "naru/base/result.h"

namespace naru::sdk::reference {

/// A tensor's elements, little-endian, as the graph lays them out.
using Bytes = std::vector<std::byte>;

struct RunOptions {
  bool keep_intermediates = false;  // else every tensor is dropped after its last reader
  /// The states, as Graph::states; an empty entry (or a missing one) stands for the initial value. The run leaves here what comes after it, so that
  /// the next one can go on. Null: every run begins with the initial values, and what comes after is dropped.
  std::vector<Bytes>* states = nullptr;
};

struct RunResult {
  std::vector<Bytes> outputs;  // as Graph::outputs
  std::vector<Bytes> tensors;  // by tensor id; empty for what was not computed or not kept
};

/// Runs every operator in order. `graph` has passed verify_graph(); `inputs` are as Graph::inputs, any alignment. States change only when all is well.
/// kInputSize: an input or a state has another size than its tensor. kModelOperatorUnknown, kModelOperatorUnsupported, kModelTypeUnsupported: a kind
/// or a form of it without a kernel. kInvalidArgument: a value that the operator is not defined for (an index outside, an integer divided by 0).
[[nodiscard]] Result<RunResult> run(const graph::Graph& graph, std::span<const std::span<const std::byte>> inputs, const RunOptions& options = {});

/// Runs one operator of a verified graph on operands that somebody else computed (`operands` as Operator::inputs, empty where one is left out or
/// constant: constants come from the graph); the results are as Operator::outputs. Tells which operator of a device is the first that differs.
[[nodiscard]] Result<std::vector<Bytes>> run_operator(const graph::Graph& graph, const graph::Operator& op, std::span<const std::span<const std::byte>> operands);

}  // namespace naru::sdk::reference
