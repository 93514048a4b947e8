// Operators that the host executes, as explicit steps of a package: what the NPU has no command for. Integers to the bit as TFLite Micro's reference
// kernels, float in their order of operations. Written on sdk/src/numerics, independent of the reference, so that one can judge the other.
#pragma once

#include <cstddef>
#include <span>

#include "graph/graph.h"
#include "naru/base/result.h"

namespace naru::sdk::host {

/// Whether execute() has this kind.
[[nodiscard]] bool supports(graph::OperatorKind kind) noexcept;

/// Whether execute() has `op` with these types, shapes, quantisation and options: its checks and its errors, without data.
[[nodiscard]] Result<void> can_execute(const graph::Operator& op, std::span<const graph::Tensor> tensors);

/// Runs `op`, whose tensor ids are indices into `tensors` (a graph's, or a package step's own). inputs[i] and outputs[i] belong to op.inputs[i] and
/// op.outputs[i]; an input that is left out is an empty span. Any alignment; outputs do not overlap inputs. Blocks for the time of the work.
/// Everything is checked, as a step may come from a file: kCompileUnsupported for a kind, type or quantisation that the host has not,
/// kInvalidArgument for operands that do not fit the operator or spans that do not fit the operands, kInputValue for data without a result (an index
/// past its dimension, an integer divided by zero); then nothing was written.
[[nodiscard]] Result<void> execute(const graph::Operator& op, std::span<const graph::Tensor> tensors, std::span<const std::span<const std::byte>> inputs,
                                   std::span<const std::span<std::byte>> outputs);

}  // namespace naru::sdk::host
