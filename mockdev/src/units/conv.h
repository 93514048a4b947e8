// Entry points of the MAC units, for units.cpp.
#pragma once

#include "units/scratch.h"
#include "units/units.h"

namespace naru::mockdev {

void execute_conv(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept;
void execute_depthwise(const abi::Depthwise& record, const DepthwisePointers& at, const Context& context) noexcept;

/// Prepares `terms` for a tile of `record`, the magnitude of whose sums of products is at most `magnitude`.
template <typename Record>
void begin_terms(ChannelTerms& terms, const Record& record, std::uint64_t magnitude) noexcept {
  terms.usual = abi::element_bytes(record.output_type) == 1 && magnitude < kShortMagnitude && record.output_zero >= -255 && record.output_zero <= 255;
  terms.start_max = terms.usual ? static_cast<std::int64_t>(kShortMagnitude - magnitude) : 0;
  terms.zero = terms.usual ? record.output_zero : 0;
}
/// Reads the channel records of the weight block at `block` into place n of `terms`; clears terms.usual where the short way is not exact.
void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept;

}  // namespace naru::mockdev
