// Convolution and matrix product: cuts a command into bands of output pixels, groups of channel blocks and register tiles, and drives the kernels.
// Threads take parts of a command (parts.h), each with a scratch of its own.
#include "units/conv.h"

#include "units/staging.h"
#include "units/wide.h"

namespace naru::mockdev {
namespace {

class ConvRun {
 public:
  ConvRun(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept
      : record_(record),
        at_(at),
        kernels_(context.kernels),
        scratch_(context.scratch),
        window_(Window::of(record)),
        groups_(ceil_div<std::uint64_t>(record.in_channels, kGroup)),
        pixel_bytes_(groups_ * kGroup * (context.kernels.conv_staging == Staging::kU8 ? 1 : 2)),
        blocks_(abi::weight_blocks(record.out_channels)),
        block_bytes_(abi::dense_block_bytes(window_.taps(), record.in_channels)),
        offset_by_128_(context.kernels.conv_staging == Staging::kU8 && record.input_type == abi::ElementType::kI8) {}

  void execute() noexcept {
    const bool taps_adjoin = window_.kernel_cols == 1 || window_.dilation_cols == 1;
    const std::uint64_t segments = taps_adjoin ? window_.kernel_rows : window_.taps();
    const BandPlan plan(window_, pixel_bytes_, kTilePixelsMax);
    if (!plan.fits() || segments > kSegmentsMax) {
      gather();
      return;
    }
    for (std::uint64_t row = 0; row < window_.out_rows; row += plan.rows())
      for (std::uint64_t col = 0; col < window_.out_cols; col += plan.cols())
        band(plan, {row, col, std::min(plan.rows(), window_.out_rows - row), std::min(plan.cols(), window_.out_cols - col)}, taps_adjoin);
  }

 private:
  /// The usual way: the band's input is staged once as a rectangle.
  void band(const BandPlan& plan, const Band& area, bool taps_adjoin) noexcept {
    const auto [first_row, first_col, rows, cols] = area;
    ConvTile tile;
    tile.segment_offset = scratch_.offsets;
    tile.segment_count = 0;
    for (std::uint64_t y = 0; y < window_.kernel_rows; ++y)
      for (std::uint64_t x = 0; x < (taps_adjoin ? 1 : window_.kernel_cols); ++x)
        scratch_.offsets[tile.segment_count++] = static_cast<std::uint32_t>(plan.tap_offset(y, x, cols));
    tile.segment_groups = static_cast<std::uint32_t>(groups_ * (taps_adjoin ? window_.kernel_cols : 1));
    tile.sums = scratch_.sums;

    const std::uint64_t pixels = rows * cols;
    const std::size_t wide_bytes = kernels_.wide == nullptr ? 0 : kernels_.wide->bytes(window_.taps() * groups_);
    tile.is_wide = can_be_wide(plan, pixels, wide_bytes);
    tile.block_bytes = tile.is_wide ? wide_bytes : block_bytes_;
    if (tile.is_wide) {
      const StagedPixels inputs = {.source = at_.input, .channels = record_.in_channels, .is_signed = record_.input_type == abi::ElementType::kI8, .weight_zero = record_.weight_zero};
      stage_band_with_terms(plan, area, inputs, *kernels_.wide, scratch_);
    } else {
      stage_band(plan, area, at_.input, scratch_.staged, record_.in_channels, record_.input_type, kernels_.conv_staging, kernels_.stage);
    }
    const Spans spans = tile.is_wide || kernels_.wide == nullptr ? spans_of(plan, rows, cols) : Spans{};
    const std::uint64_t chunk_max = chunk_blocks(tile.block_bytes);
    for (std::uint64_t chunk = 0; chunk < blocks_; chunk += chunk_max) {
      const std::uint64_t count = std::min(chunk_max, blocks_ - chunk);
      prepare_terms(chunk, count);
      const std::byte* const weights = tile.is_wide ? widened(chunk, count, wide_bytes) : block_weights(chunk);
      TileOutput output = tile_output(tile.is_wide);
      if (spans.pixels != 0 && !output.has_additions) {
        chunk_of_spans(tile, spans, plan, area, weights, chunk, count, output);
        continue;
      }
      // The first tile tells what sums have too much; the others begin with that subtracted.
      const bool can_start = kernels_.conv_starts && !output.has_additions;
      std::uint32_t pixels_max = 0, blocks_max = 0;
      kernels_.conv_shape(pixels + excess_pixels(), count, pixels_max, blocks_max);
      const std::uint64_t step = even_share(pixels + excess_pixels(), pixels_max);
      Cursor cursor(*this, plan, first_row, first_col, cols, chunk);
      for (std::uint64_t pixel = 0; pixel < pixels; pixel += output.pixels) {
        const std::uint32_t excess = pixel == 0 ? excess_pixels() : 0;
        if (excess != 0) tile.pixel[0] = scratch_.all_128;
        if (can_start && excess == 0 && !output.is_started) {
          move_starts(scratch_, count, false);
          output.is_started = true;
        }
        output.sums = scratch_.sums + excess * kTileChannelsMax;
        output.pixels = static_cast<std::uint32_t>(std::min(step - excess, pixels - pixel));
        if (tile.is_wide) tile.pixel_start = scratch_.window_starts + pixel;
        tile.pixels = excess + output.pixels;
        for (std::uint32_t m = 0; m < output.pixels; ++m) cursor.place(tile.pixel[excess + m], output.output[m], output.partial[m]);
        if (record_.weight_zero != 0 && !tile.is_wide) {
          std::fill_n(output.pixel_start, output.pixels, 0);
          subtract_weight_zero(tile, excess, output);
        }
        for (std::uint64_t place = 0; place < count; place += tile.blocks) {
          tile.blocks = static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks_max, count - place));
          tile.weights = weights + place * tile.block_bytes;
          tile.start = output.is_started ? scratch_.starts + place * kBlock : nullptr;
          // Accumulators are the output as they are.
          const bool in_place = output.is_started && record_.output_type == abi::ElementType::kI32 && (chunk + place + tile.blocks) * kBlock <= record_.out_channels;
          tile.output = in_place ? output.output : nullptr;
          kernels_.conv(tile);
          if (!in_place) {
            if (excess != 0) subtract_excess(place, tile.blocks);
            set_channels(output, chunk + place, place, tile.blocks);
            kernels_.finish(output);
          }
          for (std::uint32_t m = 0; m < output.pixels; ++m) output.output[m] += tile.blocks * kBlock * abi::element_bytes(record_.output_type);
          if (record_.start == abi::Start::kPartial)
            for (std::uint32_t m = 0; m < output.pixels; ++m) output.partial[m] += tile.blocks * kBlock * sizeof(std::int32_t);
        }
      }
    }
  }

  /// Runs of a band's pixels at equal steps.
  struct Spans {
    std::uint64_t count = 0, pixels = 0;  // of each; 0: there are none worth it
  };

  /// The whole band where its rows adjoin, in scratch and in the output; else every row, unless the last of its tiles would be small.
  [[nodiscard]] Spans spans_of(const BandPlan& plan, std::uint64_t rows, std::uint64_t cols) const noexcept {
    if (kernels_.conv_span == nullptr) return {};
    const bool adjoin = rows == 1 || (plan.window_offset(1, 0, cols) == plan.window_offset(0, cols, cols) && record_.output_row_stride == cols * record_.output_pixel_stride);
    if (adjoin && rows * cols >= kernels_.span_pixels) return {.count = 1, .pixels = rows * cols};
    if (cols * 4 < align_up<std::uint64_t>(cols, kernels_.span_pixels) * 3) return {};
    return {.count = rows, .pixels = cols};
  }

  /// All pixels of a band, for the blocks of a chunk.
  void chunk_of_spans(ConvTile& tile, const Spans& spans, const BandPlan& plan, const Band& band, const std::byte* weights, std::uint64_t chunk, std::uint64_t count, TileOutput& output) noexcept {
    constexpr std::uint64_t kWindowBytes = 16 * 1024;  // of pixels that all blocks pass over while they are in the first-level cache
    if (offset_by_128_) {
      tile.pixel[0] = scratch_.all_128;
      tile.pixels = 1;
      for (std::uint64_t place = 0; place < count; place += tile.blocks) {
        tile.blocks = static_cast<std::uint32_t>(std::min<std::uint64_t>(kTermBlocks, count - place));
        tile.weights = weights + place * tile.block_bytes;
        kernels_.conv(tile);
        subtract_excess(place, tile.blocks);
      }
    }
    move_starts(scratch_, count, false);
    output.is_started = true;
    ConvSpan span;
    span.output_step = record_.output_pixel_stride;
    span.pixel_step = plan.window_offset(0, 1, band.cols);
    span.segment_offset = tile.segment_offset, span.segment_count = tile.segment_count, span.segment_groups = tile.segment_groups;
    span.block_bytes = tile.block_bytes;
    std::uint32_t pixels_max = 0, blocks_max = 0;
    kernels_.conv_shape(spans.pixels, count, pixels_max, blocks_max);
    if (count % kTermBlocks == 0) blocks_max = kTermBlocks;  // codes of whole cache lines; sums lose nothing
    const bool sums_wanted = record_.output_type == abi::ElementType::kI32;
    span.is_signed = record_.output_type == abi::ElementType::kI8;
    span.zero = output.zero, span.lowest = output.lowest, span.highest = output.highest;
    const std::uint64_t share = even_share(spans.pixels, std::clamp<std::uint64_t>(kWindowBytes / std::max<std::size_t>(span.pixel_step, 1), 2 * kTilePixelsMax, 8 * kTilePixelsMax));
    const std::uint64_t at_once = align_up<std::uint64_t>(share, kernels_.span_pixels);
    for (std::uint64_t row = 0; row < spans.count; ++row) {
      const std::byte* const windows = scratch_.staged + plan.window_offset(row, 0, band.cols);
      std::byte* const outputs = output_at(band.first_row + row, band.first_col, chunk);
      for (std::uint64_t first = 0; first < spans.pixels; first += at_once) {
        span.pixels = std::min(at_once, spans.pixels - first);
        span.pixel = windows + first * span.pixel_step;
        if (tile.is_wide) span.pixel_start = scratch_.window_starts + row * spans.pixels + first;
        for (std::uint64_t place = 0; place < count; place += span.blocks) {
          span.blocks = static_cast<std::uint32_t>(std::min<std::uint64_t>(blocks_max, count - place));
          span.weights = weights + place * span.block_bytes;
          span.start = scratch_.starts + place * kBlock;
          span.output = outputs + first * span.output_step + place * kBlock * abi::element_bytes(record_.output_type);
          const ChannelTerms& terms = scratch_.terms[place / kTermBlocks];
          const bool whole = (chunk + place + span.blocks) * kBlock <= record_.out_channels;
          if (whole && (sums_wanted || terms.usual)) {
            span.terms = sums_wanted ? nullptr : &terms;
            span.terms_channel = static_cast<std::uint32_t>(place % kTermBlocks * kBlock);
            kernels_.conv_span(span);
          } else {
            finish_span(span, chunk + place, place, output);
          }
        }
      }
    }
  }

  /// By way of the scratch, as many pixels at once as fit there.
  void finish_span(ConvSpan span, std::uint64_t block, std::uint64_t place, TileOutput& output) noexcept {
    std::byte* target = span.output;
    span.terms = nullptr;
    span.output = reinterpret_cast<std::byte*>(scratch_.sums), span.output_step = kTileChannelsMax * sizeof(std::int32_t);
    set_channels(output, block, place, span.blocks);
    for (std::uint64_t left = span.pixels; left != 0; left -= span.pixels) {
      span.pixels = std::min<std::uint64_t>(left, 2 * kTilePixelsMax);
      kernels_.conv_span(span);
      output.pixels = static_cast<std::uint32_t>(span.pixels);
      for (std::uint32_t m = 0; m < output.pixels; ++m, target += record_.output_pixel_stride) output.output[m] = target;
      kernels_.finish(output);
      span.pixel += span.pixels * span.pixel_step;
      if (span.pixel_start != nullptr) span.pixel_start += span.pixels;
    }
  }

  /// Whether a band of so many pixels meets wide weights: there are kernels and room for them, and enough pixels to pay for them.
  [[nodiscard]] bool can_be_wide(const BandPlan& plan, std::uint64_t pixels, std::size_t wide_bytes) const noexcept {
    constexpr std::uint64_t kPixelsMin = 4;
    if (kernels_.wide == nullptr || pixels < kPixelsMin || plan.row_step() == 0 || plan.col_step() == 0) return false;
    return std::abs(std::int64_t{record_.weight_zero}) <= kWeightZeroMax && std::min<std::uint64_t>(blocks_, kTermBlocks) * wide_bytes <= kWideWeightBytes;
  }
  /// The weights of `count` blocks from number `first` on, as wide ones.
  [[nodiscard]] const std::byte* widened(std::uint64_t first, std::uint64_t count, std::size_t wide_bytes) const noexcept {
    for (std::uint64_t n = 0; n < count; ++n) kernels_.wide->weights(block_weights(first + n), window_.taps() * groups_, scratch_.wide_weights + n * wide_bytes);
    return scratch_.wide_weights;
  }

  /// For windows too large or too sparse for a rectangle: a few pixels at a time, tap by tap, the reduction cut to what scratch holds.
  void gather() noexcept {
    const std::uint64_t pixels = window_.out_rows * window_.out_cols;
    const std::uint64_t all_groups = window_.taps() * groups_;
    const std::size_t group_bytes = pixel_bytes_ / groups_;
    scratch_.offsets[0] = 0;
    ConvTile tile;
    tile.segment_offset = scratch_.offsets;
    tile.segment_count = 1;
    tile.block_bytes = block_bytes_;
    tile.sums = scratch_.sums;
    for (std::uint64_t block = 0; block < blocks_;) {
      std::uint32_t pixels_max = 0;
      kernels_.conv_shape(pixels + excess_pixels(), blocks_ - block, pixels_max, tile.blocks);
      prepare_terms(block, tile.blocks);
      const std::uint64_t groups_max = kStagedBytes / group_bytes / pixels_max;
      for (std::uint64_t pixel = 0; pixel < pixels;) {
        const std::uint32_t excess = pixel == 0 ? excess_pixels() : 0;
        if (excess != 0) tile.pixel[0] = scratch_.all_128;
        TileOutput output = tile_output(false);
        set_channels(output, block, 0, tile.blocks);
        output.pixels = static_cast<std::uint32_t>(std::min<std::uint64_t>(pixels_max - excess, pixels - pixel));
        output.sums = scratch_.sums + excess * kTileChannelsMax;
        tile.pixels = excess + output.pixels;
        for (std::uint32_t m = 0; m < output.pixels; ++m) {
          const std::uint64_t row = (pixel + m) / window_.out_cols, col = (pixel + m) % window_.out_cols;
          output.output[m] = output_at(row, col, block);
          output.partial[m] = partial_at(row, col, block);
        }
        for (std::uint64_t group = 0; group < all_groups; group += groups_max) {
          tile.segment_groups = static_cast<std::uint32_t>(std::min(groups_max, all_groups - group));
          for (std::uint32_t m = 0; m < output.pixels; ++m) {
            std::byte* target = scratch_.staged + m * tile.segment_groups * group_bytes;
            tile.pixel[excess + m] = target;
            gather_window(pixel + m, group, tile.segment_groups, group_bytes, target);
          }
          tile.weights = block_weights(block) + group * kBlock * kGroup;
          tile.accumulate = group != 0;
          kernels_.conv(tile);
          if (record_.weight_zero != 0) subtract_weight_zero(tile, excess, output);
        }
        if (excess != 0) subtract_excess(0, tile.blocks);
        kernels_.finish(output);
        pixel += output.pixels;
      }
      block += tile.blocks;
    }
  }

  void gather_window(std::uint64_t pixel, std::uint64_t first_group, std::uint64_t count, std::size_t group_bytes, std::byte* target) const noexcept {
    for (std::uint64_t group = first_group; group < first_group + count;) {
      const std::uint64_t tap = group / groups_, in_tap = group % groups_;
      const std::uint64_t run = std::min(groups_ - in_tap, first_group + count - group);
      const std::uint64_t channel = in_tap * kGroup;
      stage({.source = at_.input + window_.source_offset(pixel / window_.out_cols, pixel % window_.out_cols, tap) + channel,
             .target = target,
             .pixels = 1,
             .source_stride = 0,
             .channels = std::min<std::uint64_t>(record_.in_channels - channel, run * kGroup),
             .padded = run * kGroup,
             .kernels = kernels_.stage},
            record_.input_type, kernels_.conv_staging);
      target += run * group_bytes;
      group += run;
    }
  }

  [[nodiscard]] static std::uint64_t even_share(std::uint64_t count, std::uint64_t share_max) noexcept {
    return ceil_div(count, ceil_div(count, share_max));
  }

  [[nodiscard]] const std::byte* block_at(std::uint64_t block) const noexcept { return at_.weights + block * block_bytes_; }
  [[nodiscard]] const std::byte* block_weights(std::uint64_t block) const noexcept { return block_at(block) + abi::kWeightDataOffset; }

  void prepare_terms(std::uint64_t first_block, std::uint64_t count) noexcept { load_chunk_terms(record_, block_at(first_block), block_bytes_, count, {kernels_, scratch_}); }

  /// Inputs staged as x ^ 0x80 give sums with 128 * (the sum of the channel's weights) too much. A pixel of nothing but 128 in each chunk's first tile tells how much that is, from
  /// the weights as they lie now. `place`: of the first block in the chunk's terms.
  [[nodiscard]] std::uint32_t excess_pixels() const noexcept { return offset_by_128_ ? 1 : 0; }
  void subtract_excess(std::uint64_t place, std::uint32_t blocks) noexcept {
    std::int32_t* const start = scratch_.terms[place / kTermBlocks].start + place % kTermBlocks * kBlock;
    for (std::uint32_t c = 0; c < blocks * kBlock; ++c) start[c] = wrap_sub(start[c], scratch_.sums[c]);
  }

  /// Where weights are wide, pixels' own terms have the weight zero point.
  [[nodiscard]] TileOutput tile_output(bool is_wide) const noexcept {
    TileOutput output = begin_output(record_, scratch_.sums);
    output.has_additions = record_.start == abi::Start::kPartial || (record_.weight_zero != 0 && !is_wide);
    return output;
  }
  /// `place`: of the first block in the chunk's terms.
  void set_channels(TileOutput& output, std::uint64_t block, std::uint64_t place, std::uint32_t blocks) const noexcept {
    mockdev::set_channels(output, scratch_.terms, record_.out_channels - block * kBlock, place, blocks);
  }

  [[nodiscard]] std::byte* output_at(std::uint64_t row, std::uint64_t col, std::uint64_t block) const noexcept { return mockdev::output_at(record_, at_, row, col, block); }
  [[nodiscard]] const std::byte* partial_at(std::uint64_t row, std::uint64_t col, std::uint64_t block) const noexcept { return mockdev::partial_at(record_, at_, row, col, block); }

  /// Walks over a band's output pixels and says where each one's window and results are.
  class Cursor {
   public:
    Cursor(const ConvRun& run, const BandPlan& plan, std::uint64_t first_row, std::uint64_t first_col, std::uint64_t cols, std::uint64_t block) noexcept
        : run_(run), plan_(plan), first_row_(first_row), first_col_(first_col), cols_(cols), block_(block), window_step_(plan.window_offset(0, 1, cols)) {
      start_row();
    }
    void place(const std::byte*& window, std::byte*& output, const std::byte*& partial) noexcept {
      if (left_ == 0) ++row_, start_row();
      --left_;
      window = window_, output = output_, partial = partial_;
      window_ += window_step_;
      output_ += run_.record_.output_pixel_stride;
      if (partial_ != nullptr) partial_ += run_.record_.partial_pixel_stride;
    }

   private:
    void start_row() noexcept {
      left_ = cols_;
      window_ = run_.scratch_.staged + plan_.window_offset(row_, 0, cols_);
      output_ = run_.output_at(first_row_ + row_, first_col_, block_);
      partial_ = run_.partial_at(first_row_ + row_, first_col_, block_);
    }
    const ConvRun& run_;
    const BandPlan& plan_;
    std::uint64_t first_row_, first_col_, cols_, block_;
    std::size_t window_step_;
    std::uint64_t row_ = 0, left_ = 0;
    const std::byte* window_ = nullptr;
    std::byte* output_ = nullptr;
    const std::byte* partial_ = nullptr;
  };

  /// Adds -weight_zero * (sum of the window's inputs) to each pixel of the tile.
  void subtract_weight_zero(const ConvTile& tile, std::uint32_t excess, TileOutput& output) const noexcept {
    const std::size_t count = std::size_t{tile.segment_groups} * kGroup;
    for (std::uint32_t m = 0; m < output.pixels; ++m) {
      std::uint32_t sum = 0;
      for (std::uint32_t s = 0; s < tile.segment_count; ++s) {
        sum += kernels_.sum(tile.pixel[excess + m] + tile.segment_offset[s], count);
      }
      if (offset_by_128_) sum -= static_cast<std::uint32_t>(128 * count * tile.segment_count);
      output.pixel_start[m] = wrap_sub(output.pixel_start[m], wrap_mul(record_.weight_zero, static_cast<std::int32_t>(sum)));
    }
  }

  const abi::Conv& record_;
  const ConvPointers& at_;
  const KernelTable& kernels_;
  Scratch& scratch_;
  Window window_;
  std::uint64_t groups_;     // of four input channels, per tap
  std::size_t pixel_bytes_;  // of one staged pixel
  std::uint64_t blocks_;
  std::size_t block_bytes_;
  bool offset_by_128_;
};

}  // namespace

void execute_conv(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept {
  if (is_column(record)) return execute_conv(as_row(record), at, context);
  if (record.input_type == abi::ElementType::kI16) {
    execute_conv_wide(record, at);
    return;
  }
  if (context.kernels.matrix != nullptr && execute_conv_matrix(record, at, context)) return;
  ConvRun(record, at, context).execute();
}

}  // namespace naru::mockdev
