// Stage 1: operators of a model become nodes of the device's vocabulary, with every rescale as integers. Nothing here knows a chip.
#pragma once

#include "compiler/ir.h"
#include "naru/base/result.h"

namespace naru::sdk::compiler {

/// One or more nodes per operator, in the graph's order: for the NPU where it can do the operator, else for the host, with the reason in the report; what
/// has only constant operands is computed now. `on_host`: operators (by index) that the NPU must not do, because a later stage found that it cannot.
/// kModelOperatorUnsupported, kModelTypeUnsupported: neither can; the error says which operator, and why the NPU cannot.
[[nodiscard]] Result<Program> legalize(const graph::Graph& graph, const HostReasons& on_host);

}  // namespace naru::sdk::compiler
