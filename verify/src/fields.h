// Checks of one command's fields by themselves: enumerators, ranges, alignment, and that what is unused is zero.
#pragma once

#include "subject.h"

namespace naru::verify {

/// kStreamField, kStreamReserved (unused fields) or kStreamAlignment; looks at no memory and no other command.
[[nodiscard]] Result<void> check_fields(const Subject& subject);

/// Steps of the command's innermost loop, from its extents; 2^64 - 1 when that does not fit. Bounds what cycle formulas may be asked for.
[[nodiscard]] std::uint64_t steps_of(const abi::CommandBody& body) noexcept;

}  // namespace naru::verify
