// Entry points of the MAC units, for units.cpp.
#pragma once

#include "units/scratch.h"
#include "units/units.h"

namespace naru::mockdev {

void execute_conv(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept;
void execute_depthwise(const abi::Depthwise& record, const DepthwisePointers& at, const Context& context) noexcept;

/// Reads the channel records of the weight block at `block` into place n of `terms`; clears terms.plain where the short way is not exact.
void load_terms(const std::byte* block, bool with_start, std::uint32_t n, ChannelTerms& terms) noexcept;

}  // namespace naru::mockdev
