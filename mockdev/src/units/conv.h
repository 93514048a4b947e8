// Entry points of the MAC units, for units.cpp.
#pragma once

#include <utility>

#include "units/scratch.h"
#include "units/units.h"

namespace naru::mockdev {

void execute_conv(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept;
void execute_depthwise(const abi::Depthwise& record, const DepthwisePointers& at, const Context& context) noexcept;

/// On the matrix kernels; false: nothing was done, because they cannot.
[[nodiscard]] bool execute_conv_matrix(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept;

/// A column of pixels under a kernel of one column: as a row under a kernel of one row its pixels and taps adjoin. The weights' taps are in the same order either way.
template <typename Record>
[[nodiscard]] bool is_column(const Record& record) noexcept {
  return record.out_cols == 1 && record.kernel_cols == 1 && (record.out_rows != 1 || record.kernel_rows != 1);
}
template <typename Record>
[[nodiscard]] Record as_row(Record record) noexcept {
  std::swap(record.out_rows, record.out_cols);
  std::swap(record.kernel_rows, record.kernel_cols);
  std::swap(record.stride_rows, record.stride_cols);
  std::swap(record.dilation_rows, record.dilation_cols);
  std::swap(record.input_row_stride, record.input_pixel_stride);
  std::swap(record.output_row_stride, record.output_pixel_stride);
  if constexpr (requires { record.partial_row_stride; }) std::swap(record.partial_row_stride, record.partial_pixel_stride);
  return record;
}

/// What is the same for all tiles of a command.
template <typename Record>
[[nodiscard]] TileOutput begin_output(const Record& record, const std::int32_t* sums) noexcept {
  TileOutput output;
  output.sums = sums;
  output.type = record.output_type;
  output.zero = record.output_zero;
  output.lowest = record.activation_min;
  output.highest = record.activation_max;
  return output;
}
/// Of `blocks` blocks whose terms begin at block `place` of `terms`; `channels_left`: of the command, from the first of them on.
inline void set_channels(TileOutput& output, const ChannelTerms* terms, std::uint64_t channels_left, std::uint64_t place, std::uint32_t blocks) noexcept {
  output.channels = static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{blocks} * kBlock, channels_left));
  output.terms = terms + place / kTermBlocks;
  output.terms_channel = static_cast<std::uint32_t>(place % kTermBlocks * kBlock);
}

/// Blocks whose weights stay in the second-level cache while a band of pixels passes, so that an output pixel is written in long runs; whole ChannelTerms of them.
[[nodiscard]] constexpr std::uint64_t chunk_blocks(std::size_t block_bytes) noexcept {
  constexpr std::size_t kChunkBytes = 256 * 1024;
  return std::clamp<std::uint64_t>(kChunkBytes / block_bytes / kTermBlocks * kTermBlocks, kTermBlocks, kTermsMax * kTermBlocks);
}

/// Prepares `terms` for a tile of `record`, the magnitude of whose sums of products is at most `magnitude`.
template <typename Record>
void begin_terms(ChannelTerms& terms, const Record& record, std::uint64_t magnitude) noexcept {
  terms.usual = abi::element_bytes(record.output_type) == 1 && bounds_fit(record.output_type, record.activation_min, record.activation_max) && magnitude < kShortMagnitude && record.output_zero >= -255 && record.output_zero <= 255;
  terms.start_max = terms.usual ? static_cast<std::int64_t>(kShortMagnitude - magnitude) : 0;
  terms.zero = terms.usual ? record.output_zero : 0;
}

/// The terms of `count` blocks of a convolution, from the one at `first` on.
inline void load_chunk_terms(const abi::Conv& record, const std::byte* first, std::size_t block_bytes, std::uint64_t count, const Context& context) noexcept {
  const std::int64_t zero = std::abs(std::int64_t{record.weight_zero});
  const std::uint64_t magnitude = zero > kWeightZeroMax ? kShortMagnitude : (128 + static_cast<std::uint64_t>(zero)) * 255 * record.kernel_rows * record.kernel_cols * record.in_channels;
  for (std::uint64_t n = 0; n < count; ++n) {
    ChannelTerms& place = context.scratch.terms[n / kTermBlocks];
    if (n % kTermBlocks == 0) begin_terms(place, record, magnitude);
    context.kernels.load_terms(first + n * block_bytes, static_cast<std::uint32_t>(n % kTermBlocks), place, record.start == abi::Start::kRecords);
  }
}

/// Where the results of a pixel's channels begin that block `block` has, and the partial sums that they start with; null where they do not.
[[nodiscard]] inline std::byte* output_at(const abi::Conv& record, const ConvPointers& at, std::uint64_t row, std::uint64_t col, std::uint64_t block) noexcept {
  return at.output + row * record.output_row_stride + col * record.output_pixel_stride + block * kBlock * abi::element_bytes(record.output_type);
}
[[nodiscard]] inline const std::byte* partial_at(const abi::Conv& record, const ConvPointers& at, std::uint64_t row, std::uint64_t col, std::uint64_t block) noexcept {
  if (record.start != abi::Start::kPartial) return nullptr;
  return at.partial + row * record.partial_row_stride + col * record.partial_pixel_stride + block * kBlock * sizeof(std::int32_t);
}

/// What the channels of a chunk start with goes to where sums begin with it: TileOutput::is_started.
inline void move_starts(Scratch& scratch, std::uint64_t count, bool has_additions) noexcept {
  for (std::uint64_t unit = 0; unit * kTermBlocks < count; ++unit) {
    ChannelTerms& terms = scratch.terms[unit];
    const std::int32_t bias = terms.usual && !has_additions ? INT32_MIN : 0;
    std::int32_t* const starts = scratch.starts + unit * kTileChannelsMax;
    for (std::uint32_t c = 0; c < kTileChannelsMax; ++c) starts[c] = terms.start[c] ^ bias, terms.start[c] = 0;
  }
}

}  // namespace naru::mockdev
