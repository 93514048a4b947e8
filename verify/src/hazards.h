// Conflicting accesses that the waits leave unordered.
#pragma once

#include "order.h"

namespace naru::verify {

/// kStreamHazard: two commands on different engines touch a common byte, at least one writes it, and neither is certain to retire before the
/// other starts; the error names both, the region and the bytes. The same when proving it would take more than `steps_max` comparisons.
/// Every access is within its region.
[[nodiscard]] Result<void> check_hazards(const abi::Stream& stream, const std::vector<Ordered>& order, std::uint64_t steps_max);

}  // namespace naru::verify
