// Stage 7: jobs, host steps, tensors and constants into a package.
#pragma once

#include "compiler/compiler.h"
#include "compiler/ir.h"

namespace naru::sdk::compiler {

/// The tensors that steps exchange, numbered.
struct PackageTensors {
  std::vector<package::Tensor> tensors;
  std::vector<std::int32_t> index;  // by TensorId; -1 for one that stays inside
};

/// Every pinned tensor, those of `program.graph`'s inputs and outputs first.
[[nodiscard]] PackageTensors number_tensors(const Program& program);

[[nodiscard]] package::HostStep host_step(const Program& program, const Node& node, const PackageTensors& tensors);

}  // namespace naru::sdk::compiler
