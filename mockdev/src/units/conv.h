// Entry points of the MAC units, for units.cpp.
#pragma once

#include "units/scratch.h"
#include "units/units.h"

namespace naru::mockdev {

[[nodiscard]] inline std::uint64_t weight_channels(const abi::Conv& record) noexcept { return record.out_channels; }
[[nodiscard]] inline std::uint64_t weight_channels(const abi::Depthwise& record) noexcept { return record.channels; }

void execute_conv(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept;
void execute_depthwise(const abi::Depthwise& record, const DepthwisePointers& at, const Context& context) noexcept;

/// On the matrix kernels; false: nothing was done, because they cannot.
[[nodiscard]] bool execute_conv_matrix(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept;

/// What is the same for all pixels of `channels` channels (fewer where there are fewer) from `first` on.
template <typename Record>
[[nodiscard]] TileOutput begin_output(const Record& record, const ChannelTerms& terms, std::uint64_t first, std::uint64_t channels) noexcept {
  TileOutput output;
  output.channels = static_cast<std::uint32_t>(std::min<std::uint64_t>(channels, weight_channels(record) - first));
  output.terms = &terms;
  output.type = record.output_type;
  output.zero = record.output_zero;
  output.lowest = record.activation_min;
  output.highest = record.activation_max;
  return output;
}

/// Prepares `terms` for a tile of `record`, the magnitude of whose sums of products is at most `magnitude`.
template <typename Record>
void begin_terms(ChannelTerms& terms, const Record& record, std::uint64_t magnitude) noexcept {
  terms.usual = abi::element_bytes(record.output_type) == 1 && bounds_fit(record.output_type, record.activation_min, record.activation_max) && magnitude < kShortMagnitude && record.output_zero >= -255 && record.output_zero <= 255;
  terms.start_max = terms.usual ? static_cast<std::int64_t>(kShortMagnitude - magnitude) : 0;
  terms.zero = terms.usual ? record.output_zero : 0;
}

}  // namespace naru::mockdev
