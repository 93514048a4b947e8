// Cutting a command into parts that know nothing of one another: by rows, by columns, or by channels, whatever there is enough of.
#pragma once

#include <cstdint>

#include "units/units.h"

namespace naru::mockdev {

/// Whether it computes for so long that handing parts to other threads pays.
[[nodiscard]] bool is_worth_parts(const abi::Conv& record) noexcept;
[[nodiscard]] bool is_worth_parts(const abi::Depthwise& record) noexcept;
[[nodiscard]] bool is_worth_parts(const abi::Elementwise& record) noexcept;

/// Narrows record and pointers to part `part` of `parts`; false: this part has nothing to do.
[[nodiscard]] bool take_part(abi::Conv& record, ConvPointers& at, unsigned part, unsigned parts) noexcept;
[[nodiscard]] bool take_part(abi::Depthwise& record, DepthwisePointers& at, unsigned part, unsigned parts) noexcept;
[[nodiscard]] bool take_part(abi::Elementwise& record, ElementwisePointers& at, unsigned part, unsigned parts) noexcept;

}  // namespace naru::mockdev
