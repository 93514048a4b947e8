// Staging: the windows of a band of output pixels are copied from device memory into scratch, in the kernels' element format, with channels padded.
// It is what lets kernels load whole groups without ever reading a byte behind an operand, and makes neighbouring taps contiguous.
#pragma once

#include <cstddef>
#include <cstdint>

#include "units/kernels.h"

namespace naru::mockdev {

/// The geometry that Conv and Depthwise share.
struct Window {
  std::uint64_t out_rows, out_cols, kernel_rows, kernel_cols, stride_rows, stride_cols, dilation_rows, dilation_cols;
  std::size_t row_stride, pixel_stride;  // bytes of the input

  template <typename Record>
  [[nodiscard]] static Window of(const Record& record) noexcept {
    return {record.out_rows,    record.out_cols,      record.kernel_rows,   record.kernel_cols,      record.stride_rows,
            record.stride_cols, record.dilation_rows, record.dilation_cols, record.input_row_stride, record.input_pixel_stride};
  }
  [[nodiscard]] std::uint64_t taps() const noexcept { return kernel_rows * kernel_cols; }
  /// Byte of the input at which output pixel (row, col) has tap number `tap`.
  [[nodiscard]] std::size_t source_offset(std::uint64_t row, std::uint64_t col, std::uint64_t tap) const noexcept {
    return (row * stride_rows + tap / kernel_cols * dilation_rows) * row_stride + (col * stride_cols + tap % kernel_cols * dilation_cols) * pixel_stride;
  }
};

/// How a band of rows x cols output pixels lies in scratch: a rectangle of input pixels, rows of `cols_of(cols)` pixels.
/// A dimension whose kernel extent is 1 is staged without the pixels that its stride skips.
class BandPlan {
 public:
  /// `pixel_bytes`: one staged pixel. The band is as large as fits kStagedBytes. When not even `pixels_min` pixels fit, or most of the rectangle
  /// would not be used, fits() is false and the windows have to be gathered tap by tap.
  BandPlan(const Window& window, std::size_t pixel_bytes, std::uint64_t pixels_min) noexcept;

  [[nodiscard]] bool fits() const noexcept { return rows_ != 0; }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::uint64_t cols() const noexcept { return cols_; }
  [[nodiscard]] std::uint64_t staged_rows(std::uint64_t rows) const noexcept { return extent(rows, row_step_, window_.kernel_rows, window_.dilation_rows); }
  [[nodiscard]] std::uint64_t staged_cols(std::uint64_t cols) const noexcept { return extent(cols, col_step_, window_.kernel_cols, window_.dilation_cols); }
  /// Byte in scratch of the first tap of the band's output pixel (row, col), in a band of `cols` columns.
  [[nodiscard]] std::size_t window_offset(std::uint64_t row, std::uint64_t col, std::uint64_t cols) const noexcept {
    return (row * row_step_ * staged_cols(cols) + col * col_step_) * pixel_bytes_;
  }
  /// Byte of a tap from the first one.
  [[nodiscard]] std::size_t tap_offset(std::uint64_t kernel_row, std::uint64_t kernel_col, std::uint64_t cols) const noexcept {
    return (kernel_row * window_.dilation_rows * staged_cols(cols) + kernel_col * window_.dilation_cols) * pixel_bytes_;
  }
  /// Byte of the input at which staged row `row` of the band of output pixel (first_row, first_col) begins.
  [[nodiscard]] std::size_t source_offset(std::uint64_t first_row, std::uint64_t first_col, std::uint64_t row) const noexcept {
    const std::uint64_t row_step = window_.kernel_rows == 1 ? window_.stride_rows : 1;
    return (first_row * window_.stride_rows + row * row_step) * window_.row_stride + first_col * window_.stride_cols * window_.pixel_stride;
  }
  /// Bytes of the input from one staged column to the next.
  [[nodiscard]] std::size_t source_stride() const noexcept { return (window_.kernel_cols == 1 ? window_.stride_cols : 1) * window_.pixel_stride; }
  [[nodiscard]] std::size_t pixel_bytes() const noexcept { return pixel_bytes_; }
  [[nodiscard]] const Window& window() const noexcept { return window_; }
  /// Staged pixels between neighbouring output pixels.
  [[nodiscard]] std::uint64_t row_step() const noexcept { return row_step_; }
  [[nodiscard]] std::uint64_t col_step() const noexcept { return col_step_; }

 private:
  [[nodiscard]] static std::uint64_t extent(std::uint64_t count, std::uint64_t step, std::uint64_t kernel, std::uint64_t dilation) noexcept {
    return (count - 1) * step + (kernel - 1) * dilation + 1;
  }

  Window window_;
  std::size_t pixel_bytes_;
  std::uint64_t row_step_, col_step_;
  std::uint64_t rows_ = 0, cols_ = 0;
};

/// Of output pixels.
struct Band {
  std::uint64_t first_row, first_col, rows, cols;
};

/// Copies `pixels` pixels of `channels` inputs each; each becomes `padded` staged elements, the missing ones zero.
/// channel_multiplier > 1 repeats every input that often (channels counts the copies; `first` is the first copy's number).
struct StageRun {
  const std::byte* source;  // channel 0 of the first pixel
  std::byte* target;
  std::size_t pixels, source_stride, channels, padded;
  std::size_t channel_multiplier = 1, first = 0;
  StageKernels kernels = {};  // of `staging`
};
void stage(const StageRun& run, abi::ElementType type, Staging staging) noexcept;
/// The rectangle of a band, to `target`; `input` is the command's.
void stage_band(const BandPlan& plan, const Band& band, const std::byte* input, std::byte* target, std::size_t channels, abi::ElementType type, Staging staging, const StageKernels& kernels) noexcept;

/// The same to Scratch::staged, and to Scratch::window_starts for every output pixel of the band the sum of its window's own terms. Of `inputs` only what is the same for all runs counts; its source is the command's.
void stage_band_with_terms(const BandPlan& plan, const Band& band, const StagedPixels& inputs, const WideKernels& kernels, Scratch& scratch) noexcept;

}  // namespace naru::mockdev
