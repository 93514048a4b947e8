// Operators that the host executes, as explicit steps of a package: what has float on one side, and copies. Written on sdk/src/numerics,
// independent of the reference, so that one can judge the other.
#pragma once

#include <cstddef>
#include <span>

#include "graph/graph.h"
#include "naru/base/result.h"

namespace naru::sdk::host {

/// Whether execute() has this kind.
[[nodiscard]] bool supports(graph::OperatorKind kind) noexcept;

/// Runs `op`, whose tensor ids are indices into `tensors` (a graph's, or a package step's own). inputs[i] and outputs[i] belong to op.inputs[i] and
/// op.outputs[i]; an input that is left out is an empty span. Any alignment; outputs do not overlap inputs. Blocks for the time of the work.
/// Everything is checked, as a step may come from a file: kCompileUnsupported for a kind, type or quantisation that the host has not,
/// kInvalidArgument for operands that do not fit the operator or spans that do not fit the operands; then nothing was written.
[[nodiscard]] Result<void> execute(const graph::Operator& op, std::span<const graph::Tensor> tensors, std::span<const std::span<const std::byte>> inputs,
                                   std::span<const std::span<std::byte>> outputs);

}  // namespace naru::sdk::host
