// Into how many parts a whole operator goes, so that it and its neighbours on other engines run beside each other.
#pragma once

#include <vector>

#include "compiler/memory/staging.h"
#include "naru/abi/chip.h"

namespace naru::sdk::compiler {

/// By operator; 1 for those that run in tiles. The operators' nests are those of the plan.
[[nodiscard]] std::vector<std::uint32_t> parts_of_operators(const std::vector<StagedOperator>& operators, const Staging& staging, const abi::Chip& chip);

}  // namespace naru::sdk::compiler
