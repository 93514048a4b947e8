// Depthwise convolution: cuts a command into chunks of 32 channels, bands of output pixels and register tiles, and drives the kernels.
#include "units/conv.h"
#include "units/staging.h"
#include "units/wide.h"

namespace naru::mockdev {
namespace {

class DepthwiseRun {
 public:
  DepthwiseRun(const abi::Depthwise& record, const DepthwisePointers& at, const Context& context) noexcept
      : record_(record),
        at_(at),
        kernels_(context.kernels),
        scratch_(context.scratch),
        window_(Window::of(record)),
        weight_bytes_(abi::weight_bytes_of(record.weight_format)),
        block_bytes_(abi::depthwise_block_bytes(window_.taps(), weight_bytes_)) {}

  void execute() noexcept {
    const BandPlan plan(window_, kPixelBytes, kDepthwisePixelsMax);
    const bool gathered = !plan.fits() || window_.taps() >= kSegmentsMax;
    first_ = kernels_.depthwise_bytes == nullptr ? 0 : kernels_.depthwise_bytes(record_, at_, scratch_);
    for (; first_ < record_.channels; first_ += kDepthwiseChannels) {
      channels_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(kDepthwiseChannels, record_.channels - first_));
      prepare_terms();
      if (gathered) {
        gather();
        continue;
      }
      load_weights(0, window_.taps());
      for (std::uint64_t row = 0; row < window_.out_rows; row += plan.rows())
        for (std::uint64_t col = 0; col < window_.out_cols; col += plan.cols())
          band(plan, row, col, std::min(plan.rows(), window_.out_rows - row), std::min(plan.cols(), window_.out_cols - col));
    }
  }

 private:
  static constexpr std::size_t kPixelBytes = 2 * kDepthwiseChannels;

  void band(const BandPlan& plan, std::uint64_t first_row, std::uint64_t first_col, std::uint64_t rows, std::uint64_t cols) noexcept {
    const std::uint64_t staged_cols = plan.staged_cols(cols);
    for (std::uint64_t i = 0; i < plan.staged_rows(rows); ++i) {
      stage_pixels(plan.source_offset(first_row, first_col, i), scratch_.staged + i * staged_cols * kPixelBytes, staged_cols, plan.source_stride());
    }
    DepthwiseTile tile = empty_tile(window_.taps());
    for (std::uint64_t y = 0, tap = 0; y < window_.kernel_rows; ++y)
      for (std::uint64_t x = 0; x < window_.kernel_cols; ++x) scratch_.offsets[tap++] = static_cast<std::uint32_t>(plan.tap_offset(y, x, cols));
    pad_offsets(window_.taps());

    TileOutput output = tile_output();
    const std::uint64_t step = ceil_div(cols, ceil_div<std::uint64_t>(cols, kDepthwisePixelsMax));
    const std::size_t window_step = plan.window_offset(0, 1, cols);
    for (std::uint64_t row = 0; row < rows; ++row) {
      const std::byte* window = scratch_.staged + plan.window_offset(row, 0, cols);
      std::byte* result = output_at(first_row + row, first_col);
      for (std::uint64_t col = 0; col < cols; col += step) {
        tile.pixels = output.pixels = static_cast<std::uint32_t>(std::min(step, cols - col));
        for (std::uint32_t m = 0; m < tile.pixels; ++m, window += window_step, result += record_.output_pixel_stride) {
          tile.pixel[m] = window;
          output.output[m] = result;
        }
        kernels_.depthwise(tile);
        kernels_.finish(output);
      }
    }
  }

  /// For windows too large or too sparse for a rectangle: a few pixels at a time, tap by tap.
  void gather() noexcept {
    constexpr std::uint64_t kTapsMax = kStagedBytes / kPixelBytes / kDepthwisePixelsMax / 2 * 2;
    const std::uint64_t pixels = window_.out_rows * window_.out_cols;
    for (std::uint64_t pixel = 0; pixel < pixels; pixel += kDepthwisePixelsMax) {
      const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(kDepthwisePixelsMax, pixels - pixel));
      TileOutput output = tile_output();
      output.pixels = count;
      for (std::uint32_t m = 0; m < count; ++m) output.output[m] = output_at((pixel + m) / window_.out_cols, (pixel + m) % window_.out_cols);
      for (std::uint64_t tap = 0; tap < window_.taps(); tap += kTapsMax) {
        const std::uint64_t taps = std::min(kTapsMax, window_.taps() - tap);
        load_weights(tap, taps);
        DepthwiseTile tile = empty_tile(taps);
        tile.pixels = count;
        tile.accumulate = tap != 0;
        for (std::uint64_t t = 0; t < taps; ++t) scratch_.offsets[t] = static_cast<std::uint32_t>(t * kPixelBytes);
        pad_offsets(taps);
        for (std::uint32_t m = 0; m < count; ++m) {
          std::byte* target = scratch_.staged + m * taps * kPixelBytes;
          tile.pixel[m] = target;
          for (std::uint64_t t = 0; t < taps; ++t)
            stage_pixels(window_.source_offset((pixel + m) / window_.out_cols, (pixel + m) % window_.out_cols, tap + t), target + t * kPixelBytes, 1, 0);
        }
        kernels_.depthwise(tile);
      }
      kernels_.finish(output);
    }
  }

  void stage_pixels(std::size_t source, std::byte* target, std::uint64_t pixels, std::size_t source_stride) const noexcept {
    const bool single = record_.channel_multiplier == 1;
    stage({.source = at_.input + source + (single ? first_ * abi::element_bytes(record_.input_type) : 0),
           .target = target,
           .pixels = pixels,
           .source_stride = source_stride,
           .channels = channels_,
           .padded = kDepthwiseChannels,
           .channel_multiplier = record_.channel_multiplier,
           .first = single ? 0 : first_},
          record_.input_type, Staging::kI16);
  }

  void prepare_terms() noexcept {
    const std::uint64_t input = record_.input_type == abi::ElementType::kI16 ? 32768 : 255, weight = weight_bytes_ == 2 ? 32768 : 255;
    begin_terms(scratch_.terms[0], record_, input * weight * window_.taps());
    for (std::uint32_t n = 0; n * kBlock < channels_; ++n) kernels_.load_terms(block_at(n), n, scratch_.terms[0], true);
  }

  /// w - weight_zero of taps [first, first + count), as [tap][32 channels]; a missing last tap and missing channels are zero.
  void load_weights(std::uint64_t first, std::uint64_t count) noexcept {
    std::memset(scratch_.tap_weights, 0, (count + count % 2) * kDepthwiseChannels * sizeof(std::int16_t));
    for (std::uint32_t n = 0; n * kBlock < channels_; ++n) {
      for (std::uint64_t tap = 0; tap < count; ++tap) {
        const std::byte* source = block_at(n) + abi::depthwise_weight_offset(first + tap, 0, weight_bytes_);
        std::int16_t* target = scratch_.tap_weights + tap * kDepthwiseChannels + n * kBlock;
        if (weight_bytes_ == 2) {
          std::memcpy(target, source, kBlock * sizeof(std::int16_t));
          continue;
        }
        for (std::uint32_t c = 0; c < kBlock; ++c) target[c] = static_cast<std::int16_t>(load<std::int8_t>(source + c) - record_.weight_zero);
      }
    }
  }

  [[nodiscard]] DepthwiseTile empty_tile(std::uint64_t taps) const noexcept {
    DepthwiseTile tile;
    tile.tap_offset = scratch_.offsets;
    tile.tap_pairs = static_cast<std::uint32_t>(ceil_div<std::uint64_t>(taps, 2));
    tile.weights = scratch_.tap_weights;
    tile.sums = scratch_.sums;
    return tile;
  }
  /// The tap that pairs with an odd last one has zero weights; any staged pixel will do for it.
  void pad_offsets(std::uint64_t taps) noexcept {
    if (taps % 2 != 0) scratch_.offsets[taps] = scratch_.offsets[taps - 1];
  }

  [[nodiscard]] TileOutput tile_output() const noexcept {
    TileOutput output = begin_output(record_, scratch_.sums);
    set_channels(output, scratch_.terms, channels_, 0, kDepthwiseChannels / kBlock);
    return output;
  }
  [[nodiscard]] std::byte* output_at(std::uint64_t row, std::uint64_t col) const noexcept {
    return at_.output + row * record_.output_row_stride + col * record_.output_pixel_stride + first_ * abi::element_bytes(record_.output_type);
  }
  [[nodiscard]] const std::byte* block_at(std::uint32_t n) const noexcept { return at_.weights + (first_ / kBlock + n) * block_bytes_; }

  const abi::Depthwise& record_;
  const DepthwisePointers& at_;
  const KernelTable& kernels_;
  Scratch& scratch_;
  Window window_;
  std::uint64_t weight_bytes_;
  std::size_t block_bytes_;
  std::uint64_t first_ = 0;     // channel of the chunk
  std::uint32_t channels_ = 0;  // of the chunk
};

}  // namespace

void execute_depthwise(const abi::Depthwise& record, const DepthwisePointers& at, const Context& context) noexcept {
  if (is_column(record)) return execute_depthwise(as_row(record), at, context);
  const bool wide_weights = record.weight_format == abi::WeightFormat::kDepthwiseI16;
  // Beyond these, w - weight_zero would not fit the kernels' 16 bits.
  const bool narrow = wide_weights ? record.weight_zero == 0 : record.weight_zero >= -128 && record.weight_zero <= 127;
  if (accumulates_wide(record) || !narrow) {
    execute_depthwise_wide(record, at);
    return;
  }
  DepthwiseRun(record, at, context).execute();
}

}  // namespace naru::mockdev
