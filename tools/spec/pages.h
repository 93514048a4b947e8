// The pages of docs/spec that are more than tables of records.
#pragma once

#include <string>

namespace naru::spec {

/// The cycle formulas, with examples that abi::cost_of() worked out for the pinned profiles.
[[nodiscard]] std::string cycles_page();
/// The weight layout, with the sizes and places that naru/abi/weights.h gives.
[[nodiscard]] std::string weights_page();

}  // namespace naru::spec
