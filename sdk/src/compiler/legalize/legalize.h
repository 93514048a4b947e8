// Stage 1: every operator of the model becomes a node in the device's vocabulary, or a host step, or an error that names it.
#pragma once

#include "compiler/ir.h"
#include "naru/base/result.h"

namespace naru::sdk::compiler {

/// Takes a copy of the graph. kModelOperatorUnsupported, kModelTypeUnsupported, kModelQuantization, kModelShape.
[[nodiscard]] Result<Program> legalize(const graph::Graph& graph);

}  // namespace naru::sdk::compiler
