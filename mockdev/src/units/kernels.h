// What differs from one instruction set to another: a table of tile kernels per path. conv.cpp and depthwise.cpp cut commands into tiles, stage
// their input, and call these. Only depthwise_bytes and add_bytes, which go their own way through a command, know a record.
#pragma once

#include <cstddef>
#include <cstdint>

#include "naru/abi/types.h"
#include "naru/abi/weights.h"
#include "units/fixed_point.h"
#include "units/row_loops.h"
#include "units/units.h"

namespace naru::mockdev {

struct Scratch;

inline constexpr std::uint32_t kBlock = abi::kWeightBlockChannels;
inline constexpr std::uint32_t kGroup = abi::kWeightInputGroup;
inline constexpr std::uint32_t kTilePixelsMax = 12;
inline constexpr std::uint32_t kTileChannelsMax = 4 * kBlock;
inline constexpr std::uint32_t kDepthwisePixelsMax = 6;
inline constexpr std::uint32_t kDepthwiseChannels = 2 * kBlock;
/// Pixels of a matrix tile, and the inputs of one step of its reduction.
inline constexpr std::uint32_t kMatrixPixels = 16;
inline constexpr std::uint32_t kMatrixDepth = 64;
/// Pixels whose sums are finished in one call.
inline constexpr std::uint32_t kFinishPixelsMax = 2 * kMatrixPixels;
/// Taps (or segments of contiguous taps) that one call of a kernel takes; commands with more are cut.
inline constexpr std::uint32_t kSegmentsMax = 1024;
/// Elements of the vector units' 32-bit working rows.
inline constexpr std::uint32_t kRowElements = 1024;

/// One register tile of a convolution. The window of every pixel is `segment_count` runs of `segment_groups` groups of four staged inputs;
/// the weights of the runs follow one another.
/// sums[pixel][channel] = (+= when accumulate) sum over groups of staged input * weight.
struct ConvTile {
  const std::byte* pixel[kTilePixelsMax] = {};  // first staged byte of the pixel's window
  const std::uint32_t* segment_offset = nullptr;  // bytes from pixel[]
  std::uint32_t segment_count = 0;
  std::uint32_t segment_groups = 0;
  const std::byte* weights = nullptr;  // of the first block, at the first segment
  std::size_t block_bytes = 0;         // from one block's weights to the next block's
  bool is_wide = false;                // the weights are WideKernels'
  const std::int32_t* pixel_start = nullptr;  // where they are wide: of each pixel, the sum of its window's own terms
  std::uint32_t pixels = 0;            // at most the kernel's
  std::uint32_t blocks = 0;            // at most the kernel's for this number of pixels
  bool accumulate = false;
  const std::int32_t* start = nullptr;  // of a kernel that starts: what the sums of each block's channels begin with; null: zero
  std::int32_t* sums = nullptr;  // 64-byte aligned, rows of kTileChannelsMax
  std::byte* const* output = nullptr;  // of a kernel that starts: where each pixel's sums go instead, channel after channel; null: to `sums`
};

struct ChannelTerms;

/// Any number of equally spaced pixels, in as many register tiles as they need; otherwise as above:
/// output[pixel][channel] = start[channel] + sum over groups of staged input * weight, or the code that becomes of it.
struct ConvSpan {
  const std::byte* pixel = nullptr;  // first staged byte of the first pixel's window
  std::size_t pixel_step = 0;
  std::uint64_t pixels = 0;
  const std::uint32_t* segment_offset = nullptr;
  std::uint32_t segment_count = 0;
  std::uint32_t segment_groups = 0;
  const std::byte* weights = nullptr;   // wide where there are WideKernels
  const std::int32_t* pixel_start = nullptr;  // there: of each pixel, the sum of its window's own terms
  std::size_t block_bytes = 0;
  std::uint32_t blocks = 0;             // 1 to kTermBlocks
  const std::int32_t* start = nullptr;  // 64-byte aligned, what the sums of each block's channels begin with
  std::byte* output = nullptr;          // of the first pixel, channel after channel
  std::size_t output_step = 0;          // bytes from pixel to pixel
  const ChannelTerms* terms = nullptr;  // null: sums, of 32 bits each. Else codes of a byte each, the short way: terms->usual, and `start` has 2^31 besides
  std::uint32_t terms_channel = 0;      // the first channel's place in them
  bool is_signed = false;               // the codes
  std::int32_t zero = 0, lowest = 0, highest = 0;
};

/// One or two tiles of kMatrixPixels equally spaced pixels (or as many as begin() was told), as above otherwise: bytes as they are, signed or not.
/// sums[tile][pixel][channel] = start[channel] + sum over inputs of input * weight.
struct MatrixTile {
  const std::byte* pixel[2] = {};  // first byte of the window of each tile's first pixel; both valid
  std::uint32_t tiles = 1;
  std::size_t pixel_step = 0;
  const std::uint32_t* segment_offset = nullptr;
  std::uint32_t segment_count = 0;
  std::uint32_t segment_bytes = 0;  // a multiple of kGroup
  const std::byte* weights = nullptr;
  std::size_t block_bytes = 0;
  std::uint32_t blocks = 1;  // at most two beside two tiles, else four
  bool is_signed = false;
  const std::int32_t* start = nullptr;  // what the sums of each block's channels begin with
  std::byte* sums[2] = {};              // of each tile's first pixel, 32 bits each, channel after channel
  std::size_t sums_step = 0;            // bytes from pixel to pixel
};

/// Of a CPU with a matrix unit. begin() and end() enclose calls of multiply() for one number of pixels (1 to kMatrixPixels) and one segment_bytes.
struct MatrixKernels {
  void (*begin)(std::uint32_t pixels, std::uint32_t segment_bytes) noexcept;
  void (*multiply)(const MatrixTile& tile) noexcept;
  void (*end)() noexcept;
};

/// One register tile of a depthwise convolution: 32 channels of some pixels. Inputs and weights are staged as 16-bit values; an odd last tap is
/// paired with a tap of zero weights. sums[pixel][channel] = (+= when accumulate) sum over taps.
struct DepthwiseTile {
  const std::byte* pixel[kDepthwisePixelsMax] = {};
  const std::uint32_t* tap_offset = nullptr;  // bytes from pixel[]; 2 * tap_pairs of them
  std::uint32_t tap_pairs = 0;
  const std::int16_t* weights = nullptr;  // [2 * tap_pairs][kDepthwiseChannels], 64-byte aligned
  std::uint32_t pixels = 0;
  bool accumulate = false;
  std::int32_t* sums = nullptr;  // 64-byte aligned, rows of kTileChannelsMax
};

/// The short way through requantisation: where no left shift, no shift of zero, no negative multiplier and no value of 2^30 or more occurs, RDivByPOT is
/// (y + 2^(s-1) + (y >> 31)) >> s without overflow, and zero << s can be added before the shift.
inline constexpr std::uint64_t kShortMagnitude = std::uint64_t{1} << 30;
inline constexpr std::int32_t kShortShiftMax = 21;
/// A multiplier of zero (a dead channel, or padding) gives zero whatever the shift; this one lets it go the short way.
inline constexpr std::int32_t kDeadShift = -2;

/// What becomes of the sums of up to kTileChannelsMax channels; whole blocks are filled.
struct alignas(64) ChannelTerms {
  std::int32_t start[kTileChannelsMax];  // added to every sum of the channel
  std::int32_t multiplier[kTileChannelsMax];
  std::int32_t left[kTileChannelsMax];
  std::int32_t right[kTileChannelsMax];
  std::int32_t mask[kTileChannelsMax];      // 2^right - 1
  std::int32_t rounding[kTileChannelsMax];  // of the short way: 2^(right-1) + (zero << right)
  bool usual = false;                       // the short way is exact for all channels, and outputs are bytes
  std::int64_t start_max = 0;               // magnitude of start up to which it is
  std::int32_t zero = 0;
};

/// output[pixel][channel] = i32 ? a : clamp(requant(a) + zero),  a = sums + start + pixel_start (+ partial)
struct TileOutput {
  std::uint32_t pixels = 0, channels = 0;
  const std::int32_t* sums = nullptr;  // rows of kTileChannelsMax
  const ChannelTerms* terms = nullptr;
  std::uint32_t terms_channel = 0;  // the first channel's place in them, whole blocks
  bool is_started = false;     // the sums have `start` already, and 2^31 where terms->usual; start is 0 then
  bool has_additions = false;  // pixel_start or partial are used; when not, they hold zeros
  std::int32_t pixel_start[kFinishPixelsMax] = {};
  const std::byte* partial[kFinishPixelsMax] = {};  // all null when not used
  std::byte* output[kFinishPixelsMax] = {};
  abi::ElementType type = abi::ElementType::kI8;
  std::int32_t zero = 0, lowest = 0, highest = 0;
};

/// The bounds that stand before the zero point is added, so that the sum cannot wrap.
struct Bounds {
  std::int32_t lowest, highest;
};
[[nodiscard]] inline Bounds bounds_before_zero(const TileOutput& tile) noexcept {
  const auto saturate = [](std::int64_t value) { return static_cast<std::int32_t>(std::clamp<std::int64_t>(value, INT32_MIN, INT32_MAX)); };
  return {saturate(std::int64_t{tile.lowest} - tile.zero), saturate(std::int64_t{tile.highest} - tile.zero)};
}

/// Whether saturating to a type of one byte and clamping then is the same as clamping.
[[nodiscard]] constexpr bool bounds_fit(abi::ElementType type, std::int32_t lowest, std::int32_t highest) noexcept {
  const bool is_signed = type == abi::ElementType::kI8;
  return lowest >= (is_signed ? -128 : 0) && highest <= (is_signed ? 127 : 255) && lowest <= highest;
}

enum class Staging : std::uint8_t {
  kU8,   // one byte per input; signed inputs as x ^ 0x80, so that every product has 128 * weight too much
  kI16,  // two bytes per input, as it is
  kI16EvenFirst,  // the same, of every kGroup inputs 0 and 2 first, then 1 and 3; kernels of the table do it
};

/// Loops of staging.h, in the table's conv_staging; null: there is none. Both are there for kI16EvenFirst.
struct StageKernels {
  /// For images: adjoining pixels of three bytes become four elements each, the fourth zero. Reads no byte more.
  void (*threes)(const std::byte* source, std::byte* target, std::size_t pixels, bool is_signed) noexcept = nullptr;
  /// Bytes to 16 bits each; whole groups are written.
  void (*bytes)(const std::byte* source, std::byte* target, std::size_t count, bool is_signed) noexcept = nullptr;
};

/// Pixels of bytes on their way to whole groups of the table's conv_staging; of each, its own terms, with -weight_zero * (the sum of its inputs) in them.
struct StagedPixels {
  const std::byte* source = nullptr;
  std::byte* target = nullptr;
  std::size_t pixels = 0, source_stride = 0, channels = 0;
  bool is_signed = false;
  std::int32_t weight_zero = 0;
  std::int32_t* terms = nullptr;
};

/// Up to this magnitude a weight zero point and an input fit 16 bits together; devices know no larger one.
inline constexpr std::int64_t kWeightZeroMax = 255;

/// Of kernels that multiply weights of two bytes in an order of their own, and inputs that have terms of their own, which a pixel's sums begin with.
struct WideKernels {
  /// Of a block with so many groups of weights.
  std::size_t (*bytes)(std::size_t groups) noexcept;
  void (*weights)(const std::byte* weights, std::size_t groups, std::byte* target) noexcept;
  void (*stage)(const StagedPixels& run) noexcept;
};

struct KernelTable {
  Staging conv_staging;
  bool conv_starts = false;  // ConvTile::start and ConvTile::output count
  /// Widest tile for a row of `pixels` output pixels and `blocks` blocks of channels.
  void (*conv_shape)(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept;
  void (*conv)(const ConvTile& tile) noexcept;
  /// Of `count` staged inputs (a multiple of kGroup), modulo 2^32.
  std::uint32_t (*sum)(const std::byte* inputs, std::size_t count) noexcept;
  void (*depthwise)(const DepthwiseTile& tile) noexcept;
  /// Reads the channel records of the weight block at `block` into place n of `terms`; clears terms.usual where the short way is not exact.
  void (*load_terms)(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept;
  void (*finish)(const TileOutput& tile) noexcept;
  /// values[i] = requant(values[i]); in place.
  void (*requantize)(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept;
  const RowLoops* rows;
  /// Computes the first channels of a command and tells how many; may be 0.
  std::uint64_t (*depthwise_bytes)(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch) noexcept = nullptr;
  /// `count` neighbouring elements of a sum or difference of bytes, the short way, where that is exact.
  void (*add_bytes)(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept = nullptr;
  /// Equally spaced pixels; null: tile by tile. Only where conv_starts.
  void (*conv_span)(const ConvSpan& span) noexcept = nullptr;
  std::uint32_t span_pixels = kTilePixelsMax;  // of its tiles
  StageKernels stage = {};
  const WideKernels* wide = nullptr;  // null: weights are taken as they lie
  const MatrixKernels* matrix = nullptr;  // takes convolutions when there is one
};

// One function per path and file; the tables are put together in units.cpp.
namespace portable {
void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept;
void conv(const ConvTile& tile) noexcept;
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept;
void depthwise(const DepthwiseTile& tile) noexcept;
void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept;
void finish(const TileOutput& tile) noexcept;
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept;
}  // namespace portable
namespace avx2 {
void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept;
void conv(const ConvTile& tile) noexcept;
void conv_span(const ConvSpan& span) noexcept;
std::size_t wide_bytes(std::size_t groups) noexcept;
void widen_weights(const std::byte* weights, std::size_t groups, std::byte* target) noexcept;
void stage_pixels(const StagedPixels& run) noexcept;
void stage_bytes(const std::byte* source, std::byte* target, std::size_t count, bool is_signed) noexcept;
void stage_threes(const std::byte* source, std::byte* target, std::size_t pixels, bool is_signed) noexcept;
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept;
std::uint64_t depthwise_bytes(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch) noexcept;
void add_bytes(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept;
void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept;
void finish(const TileOutput& tile) noexcept;
}  // namespace avx2
namespace highway {
void depthwise(const DepthwiseTile& tile) noexcept;
void finish(const TileOutput& tile) noexcept;
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept;
}  // namespace highway
namespace vnni {
void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept;
void conv(const ConvTile& tile) noexcept;
void conv_span(const ConvSpan& span) noexcept;
void stage_threes(const std::byte* source, std::byte* target, std::size_t pixels, bool is_signed) noexcept;
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept;
void depthwise(const DepthwiseTile& tile) noexcept;
std::uint64_t depthwise_bytes(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch) noexcept;
void add_bytes(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept;
void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept;
void finish(const TileOutput& tile) noexcept;
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept;
}  // namespace vnni
namespace amx {
extern const MatrixKernels kKernels;
/// Also asks the system for the right to use the tiles.
[[nodiscard]] bool is_supported() noexcept;
}  // namespace amx

}  // namespace naru::mockdev
