// Stage 5: one order for all commands, and an engine for each. Loads of the next tiles come before the computation of this one wherever that changes
// no result, so that DMA and computation overlap.
#pragma once

#include <vector>

#include "compiler/ir.h"
#include "naru/abi/chip.h"

namespace naru::sdk::compiler {

/// The steps of one operator.
struct TiledOperator {
  std::uint32_t source = 0;  // what the commands carry: the operator's number in the model file
  std::int32_t op = -1;      // whose work it is: index into the graph's operators; -1: nobody's
  std::vector<Step> steps;
  bool loads_weights = false;  // weights that stay: not needed while they are there
};

/// Operands keep their storage numbers. Executed one after the other, the commands do what the steps did.
[[nodiscard]] std::vector<abi::Command> order_commands(const std::vector<const TiledOperator*>& operators, const abi::Chip& chip);

}  // namespace naru::sdk::compiler
