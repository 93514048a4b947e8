// Convolution and matrix product on whole tiles of equally spaced pixels, for the kernels that multiply matrices. Inputs are read where they lie in the SRAM when
// their channels are whole groups; else they are staged as they are.
#include "units/conv.h"
#include "units/staging.h"

namespace naru::mockdev {
namespace {

/// Input of one band that stays in the second-level cache while all weights pass.
constexpr std::size_t kBandBytes = 512 * 1024;

class MatrixRun {
 public:
  MatrixRun(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept
      : record_(record),
        at_(at),
        kernels_(context.kernels),
        matrix_(*context.kernels.matrix),
        scratch_(context.scratch),
        window_(Window::of(record)),
        pixel_bytes_(align_up<std::uint64_t>(record.in_channels, kGroup)),
        blocks_(abi::weight_blocks(record.out_channels)),
        block_bytes_(abi::dense_block_bytes(window_.taps(), record.in_channels)),
        output_(begin_output(record, context.scratch.sums)) {
    output_.has_additions = record.start == abi::Start::kPartial;
    output_.is_started = true;
  }

  /// False: not a case for this file; nothing was done.
  [[nodiscard]] bool execute() noexcept {
    if (record_.weight_zero != 0) return false;
    return pixel_bytes_ == record_.in_channels ? execute_in_place() : execute_staged();
  }

 private:
  /// Bytes from one output pixel's window to the next column's and row's, and to the taps.
  struct Strides {
    std::size_t col, row, tap_col, tap_row;
    bool taps_adjoin;
  };

  bool execute_in_place() noexcept {
    const Strides strides = {.col = window_.stride_cols * window_.pixel_stride,
                             .row = window_.stride_rows * window_.row_stride,
                             .tap_col = window_.dilation_cols * window_.pixel_stride,
                             .tap_row = window_.dilation_rows * window_.row_stride,
                             .taps_adjoin = window_.kernel_cols == 1 || window_.dilation_cols * window_.pixel_stride == record_.in_channels};
    if (!set_segments(strides)) return false;
    const std::uint64_t rows_max = std::max<std::uint64_t>(1, strides.row == 0 ? window_.out_rows : kBandBytes / strides.row);
    for (std::uint64_t row = 0; row < window_.out_rows; row += rows_max)
      band(at_.input + row * strides.row, strides, row, 0, std::min(rows_max, window_.out_rows - row), window_.out_cols);
    return true;
  }

  bool execute_staged() noexcept {
    const BandPlan plan(window_, pixel_bytes_, kMatrixPixels);
    if (!plan.fits()) return false;
    for (std::uint64_t row = 0; row < window_.out_rows; row += plan.rows())
      for (std::uint64_t col = 0; col < window_.out_cols; col += plan.cols()) {
        const std::uint64_t rows = std::min(plan.rows(), window_.out_rows - row), cols = std::min(plan.cols(), window_.out_cols - col);
        const Strides strides = {.col = plan.window_offset(0, 1, cols),
                                 .row = plan.window_offset(1, 0, cols),
                                 .tap_col = plan.tap_offset(0, 1, cols),
                                 .tap_row = plan.tap_offset(1, 0, cols),
                                 .taps_adjoin = window_.kernel_cols == 1 || window_.dilation_cols == 1};
        if (!set_segments(strides)) return false;  // of the first band, or of none
        stage_band(plan, {row, col, rows, cols}, at_.input, scratch_.staged, record_.in_channels, abi::ElementType::kU8, Staging::kU8, kernels_.stage);  // bytes as they are
        band(scratch_.staged, strides, row, col, rows, cols);
      }
    return true;
  }

  bool set_segments(const Strides& strides) noexcept {
    const std::uint64_t cols = strides.taps_adjoin ? 1 : window_.kernel_cols;
    if (window_.kernel_rows * cols > kSegmentsMax) return false;
    const std::uint64_t bytes = pixel_bytes_ * (strides.taps_adjoin ? window_.kernel_cols : 1);
    if (bytes > UINT32_MAX) return false;
    segment_bytes_ = static_cast<std::uint32_t>(bytes);
    segment_count_ = 0;
    for (std::uint64_t y = 0; y < window_.kernel_rows; ++y)
      for (std::uint64_t x = 0; x < cols; ++x) {
        const std::uint64_t offset = y * strides.tap_row + x * strides.tap_col;
        if (offset > UINT32_MAX) return false;
        scratch_.offsets[segment_count_++] = static_cast<std::uint32_t>(offset);
      }
    return true;
  }

  /// A tile's pixels have to be equally spaced. Whole rows of the band are, and so is the band from one row's first pixel to the next one's where that is a
  /// multiple of the spacing; then some positions between the rows are no pixels, and their sums are dropped.
  void band(const std::byte* input, const Strides& strides, std::uint64_t first_row, std::uint64_t first_col, std::uint64_t rows, std::uint64_t cols) noexcept {
    std::size_t step = strides.col;
    std::uint64_t period = cols;  // positions from row to row
    bool one_line = rows == 1;
    if (cols == 1) {
      step = strides.row, one_line = true;
    } else if (rows > 1 && step != 0 && strides.row % step == 0 && strides.row / step >= cols) {
      const std::uint64_t tiles = ceil_div<std::uint64_t>((rows - 1) * (strides.row / step) + cols, kMatrixPixels);
      if (tiles <= rows * ceil_div<std::uint64_t>(cols, kMatrixPixels)) one_line = true, period = strides.row / step;
    }
    const std::uint64_t positions = one_line ? (rows - 1) * period + cols : cols, lines = one_line ? 1 : rows;
    const auto tile_pixels = static_cast<std::uint32_t>(std::min<std::uint64_t>(positions, kMatrixPixels));
    matrix_.begin(tile_pixels, segment_bytes_);
    MatrixTile tile;
    tile.pixel_step = step;
    tile.segment_offset = scratch_.offsets;
    tile.segment_count = segment_count_;
    tile.segment_bytes = segment_bytes_;
    tile.block_bytes = block_bytes_;
    tile.is_signed = record_.input_type == abi::ElementType::kI8;
    // Accumulators of equally spaced pixels are the output as they are.
    const bool equal_steps = !one_line || (period == cols && (rows == 1 || record_.output_row_stride == cols * record_.output_pixel_stride)) || cols == 1;
    const bool sums_are_output = record_.output_type == abi::ElementType::kI32 && !output_.has_additions && equal_steps;
    const std::size_t output_step = one_line && cols == 1 ? record_.output_row_stride : record_.output_pixel_stride;
    const std::uint64_t chunk_max = chunk_blocks(block_bytes_);
    for (std::uint64_t chunk = 0; chunk < blocks_; chunk += chunk_max) {
      const std::uint64_t count = std::min(chunk_max, blocks_ - chunk);
      load_chunk_terms(record_, at_.weights + chunk * block_bytes_, block_bytes_, count, {kernels_, scratch_});
      move_starts(scratch_, count, output_.has_additions);
      for (std::uint64_t line = 0; line < lines; ++line) {
        const std::byte* const window = input + line * strides.row;
        for (std::uint64_t position = 0; position < positions;) {
          // The last tile begins early enough to be whole; what it computes again is not stored again.
          std::uint64_t first[2], end = position;
          tile.tiles = positions - position > kMatrixPixels ? 2 : 1;
          for (std::uint32_t t = 0; t < tile.tiles; ++t) {
            first[t] = std::min<std::uint64_t>(position + t * kMatrixPixels, positions - tile_pixels);
            tile.pixel[t] = window + first[t] * step;
            end = first[t] + tile_pixels;
          }
          if (tile.tiles == 1) tile.pixel[1] = tile.pixel[0];
          for (std::uint64_t block = 0; block < count; block += tile.blocks) {
            tile.blocks = static_cast<std::uint32_t>(std::min<std::uint64_t>(tile.tiles == 2 ? 2 : kTermBlocks, count - block));
            tile.weights = at_.weights + (chunk + block) * block_bytes_ + abi::kWeightDataOffset;
            tile.start = scratch_.starts + block * kBlock;
            const bool in_place = sums_are_output && (chunk + block + tile.blocks) * kBlock <= record_.out_channels;
            for (std::uint32_t t = 0; t < 2; ++t)
              tile.sums[t] = in_place ? output_at(record_, at_, first_row + line, first_col, chunk + block) + (t < tile.tiles ? first[t] : first[0]) * output_step
                                      : reinterpret_cast<std::byte*>(scratch_.sums + t * kMatrixPixels * kTileChannelsMax);
            tile.sums_step = in_place ? output_step : kTileChannelsMax * sizeof(std::int32_t);
            matrix_.multiply(tile);
            if (in_place) continue;
            set_channels(output_, scratch_.terms, record_.out_channels - (chunk + block) * kBlock, block, tile.blocks);
            std::uint64_t fresh = position;
            for (std::uint32_t t = 0; t < tile.tiles; ++t) {
              const std::int32_t* const sums = scratch_.sums + (t * kMatrixPixels + fresh - first[t]) * kTileChannelsMax;
              store_pixels(first_row + line, first_col, chunk + block, cols, period, fresh, first[t] + tile_pixels, sums);
              fresh = first[t] + tile_pixels;
            }
          }
          position = end;
        }
      }
    }
    matrix_.end();
  }

  /// Positions [from, to) of a line, whose sums begin at `sums`.
  void store_pixels(std::uint64_t line_row, std::uint64_t first_col, std::uint64_t block, std::uint64_t cols, std::uint64_t period, std::uint64_t from, std::uint64_t to,
                    const std::int32_t* sums) noexcept {
    std::uint64_t row = from / period, col = from % period;
    output_.pixels = 0;
    output_.sums = sums;
    for (std::uint64_t position = from; position < to;) {
      if (col >= cols) {
        if (output_.pixels != 0) kernels_.finish(output_);
        const std::uint64_t skipped = std::min(period - col, to - position);
        sums += (output_.pixels + skipped) * kTileChannelsMax;
        output_.sums = sums, output_.pixels = 0;
        position += skipped;
        ++row, col = 0;
        continue;
      }
      const std::uint64_t count = std::min(cols - col, to - position);
      std::byte* target = output_at(record_, at_, line_row + row, first_col + col, block);
      for (std::uint64_t i = 0; i < count; ++i, target += record_.output_pixel_stride) output_.output[output_.pixels + i] = target;
      if (record_.start == abi::Start::kPartial)
        for (std::uint64_t i = 0; i < count; ++i)
          output_.partial[output_.pixels + i] = partial_at(record_, at_, line_row + row, first_col + col + i, block);
      output_.pixels += static_cast<std::uint32_t>(count);
      position += count, col += count;
      if (col == period) ++row, col = 0;
    }
    if (output_.pixels != 0) kernels_.finish(output_);
  }

  const abi::Conv& record_;
  const ConvPointers& at_;
  const KernelTable& kernels_;
  const MatrixKernels& matrix_;
  Scratch& scratch_;
  Window window_;
  std::uint64_t pixel_bytes_;  // of one input pixel as the tiles see it
  std::uint64_t blocks_;
  std::size_t block_bytes_;
  std::uint32_t segment_bytes_ = 0, segment_count_ = 0;
  TileOutput output_;  // of the tile that is being stored
};

}  // namespace

bool execute_conv_matrix(const abi::Conv& record, const ConvPointers& at, const Context& context) noexcept { return MatrixRun(record, at, context).execute(); }

}  // namespace naru::mockdev
