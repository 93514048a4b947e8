// The working memory of one Units object (of each of its compute threads): everything is of fixed size, so that no command allocates.
#pragma once

#include "units/kernels.h"

namespace naru::mockdev {

/// Staged inputs of one band; fits the second-level cache with room for the weights.
inline constexpr std::size_t kStagedBytes = 224 * 1024;
/// A staged pixel of 16-bit inputs has at least one group.
inline constexpr std::size_t kStagedPixelsMax = kStagedBytes / (kGroup * sizeof(std::int16_t));
/// Of a chunk of blocks, for kernels that want weights of two bytes: 4 blocks of some 5100 inputs, or what chunk_blocks() says.
inline constexpr std::size_t kWideWeightBytes = 640 * 1024;
/// Vector kernels may load past the last staged pixel's last element, inside this.
inline constexpr std::size_t kStagedSlack = 256;
/// Channel terms at hand, of kTileChannelsMax channels each.
inline constexpr std::uint32_t kTermsMax = 8;
inline constexpr std::uint32_t kTermBlocks = kTileChannelsMax / kBlock;

struct Scratch {
  Scratch() noexcept { std::memset(all_128, 0x80, sizeof(all_128)); }

  alignas(64) std::int32_t sums[kFinishPixelsMax * kTileChannelsMax + kBlock];  // finishing may load past the last one
  alignas(64) ChannelTerms terms[kTermsMax];
  alignas(64) std::int32_t starts[kTermsMax * kTileChannelsMax];  // of the sums of tiles that begin with them
  alignas(64) std::uint32_t offsets[kSegmentsMax];
  alignas(64) std::int16_t tap_weights[kSegmentsMax * kDepthwiseChannels];
  alignas(64) std::byte wide_weights[kWideWeightBytes];
  alignas(64) std::int32_t window_starts[kStagedPixelsMax];
  alignas(64) std::int32_t pixel_terms[kStagedPixelsMax + 1];  // of a row of staged pixels, then their running sums
  alignas(64) std::int32_t row_starts[kStagedPixelsMax];       // of that row alone, of the windows that it is in
  alignas(64) std::int32_t column_sums[kStagedPixelsMax];      // of all rows so far
  alignas(64) std::byte staged[kStagedBytes + kStagedSlack];
  alignas(64) std::byte all_128[kStagedBytes + kStagedSlack];  // a window of it is the pixel that conv.cpp's excess is computed with
  alignas(64) std::int32_t row_a[kRowElements];
  alignas(64) std::int32_t row_b[kRowElements];
};

// One function per command that needs kernels or scratch; units.cpp dispatches.
struct Context {
  const KernelTable& kernels;
  Scratch& scratch;
};

}  // namespace naru::mockdev
