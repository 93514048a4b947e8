// Between legalising and fusing: which tensors need a place of their own, so that no stage fuses them away or lets them share one.
#pragma once

#include <vector>

#include "compiler/compiler.h"
#include "compiler/ir.h"

namespace naru::sdk::compiler {

/// Marks every input, output and kept tensor, and what passes between NPU and host; what is wanted and no operator writes gets a copy that one does.
/// Returns the tensors that `options` asks to keep. kInvalidArgument: one of them is not there, or has no elements.
[[nodiscard]] Result<std::vector<graph::TensorId>> pin_tensors(Program& program, const CompileOptions& options);

}  // namespace naru::sdk::compiler
