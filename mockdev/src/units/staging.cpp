// Band planning and the copy loops into scratch.
#include "units/staging.h"

#include <utility>

#include "units/scratch.h"

namespace naru::mockdev {

BandPlan::BandPlan(const Window& window, std::size_t pixel_bytes, std::uint64_t pixels_min) noexcept
    : window_(window),
      pixel_bytes_(pixel_bytes),
      row_step_(window.kernel_rows == 1 ? 1 : window.stride_rows),
      col_step_(window.kernel_cols == 1 ? 1 : window.stride_cols) {
  // Counts are 32 bits, steps and kernels 16, so that none of the products below leaves 64 bits once a dimension is known to fit.
  const std::uint64_t pixels_max = kStagedBytes / pixel_bytes;
  const std::uint64_t row_extent = staged_rows(1);
  if (row_extent > pixels_max) return;
  const std::uint64_t cols_max = pixels_max / row_extent;
  const std::uint64_t col_extent = staged_cols(1);
  if (col_extent > cols_max) return;
  const std::uint64_t cols = std::min(window.out_cols, col_step_ == 0 ? window.out_cols : (cols_max - col_extent) / col_step_ + 1);
  if (cols < std::min(window.out_cols, pixels_min)) return;
  const std::uint64_t used = cols * window.taps();
  if (row_extent * staged_cols(cols) / 8 > used) return;
  cols_ = cols;
  rows_ = std::min(window.out_rows, row_step_ == 0 ? window.out_rows : (pixels_max / staged_cols(cols) - row_extent) / row_step_ + 1);
}

namespace {

template <typename Source, typename Target>
inline Target staged_value(Source value) noexcept {
  if constexpr (sizeof(Target) == 2) {
    return static_cast<Target>(value);
  } else if constexpr (std::is_signed_v<Source>) {
    return static_cast<Target>(static_cast<std::uint8_t>(value) ^ 0x80U);
  } else {
    return static_cast<Target>(value);
  }
}

template <typename Source, typename Target>
void stage_as(const StageRun& run) noexcept {
  const auto zero = staged_value<Source, Target>(Source{0});
  const auto* source = reinterpret_cast<const Source*>(run.source);
  auto* target = reinterpret_cast<Target*>(run.target);
  const std::size_t source_stride = run.source_stride / sizeof(Source);
  if (run.channel_multiplier != 1) {
    for (std::size_t p = 0; p < run.pixels; ++p, source += source_stride, target += run.padded) {
      for (std::size_t c = 0; c < run.channels; ++c) target[c] = staged_value<Source, Target>(source[(run.first + c) / run.channel_multiplier]);
      for (std::size_t c = run.channels; c < run.padded; ++c) target[c] = zero;
    }
    return;
  }
  if (run.channels == run.padded && source_stride == run.channels) {
    const std::size_t count = run.pixels * run.channels;
    for (std::size_t i = 0; i < count; ++i) target[i] = staged_value<Source, Target>(source[i]);
    return;
  }
  if (run.channels == run.padded && run.channels == kDepthwiseChannels) {
    for (std::size_t p = 0; p < run.pixels; ++p, source += source_stride, target += kDepthwiseChannels)
      for (std::size_t c = 0; c < kDepthwiseChannels; ++c) target[c] = staged_value<Source, Target>(source[c]);
    return;
  }
  std::size_t done = 0;
  if constexpr (sizeof(Target) == 1) {
    const bool is_image = run.channels == 3 && run.padded == 4;  // the first layer of every image network
    if (is_image && source_stride == 3 && run.kernels.threes != nullptr) return run.kernels.threes(run.source, run.target, run.pixels, std::is_signed_v<Source>);
    constexpr std::uint32_t kFlip = std::is_signed_v<Source> ? 0x80808080U : 0;
    if (is_image && source_stride != 0) {
      // Four bytes at a time; the last pixel has no fourth one, so it goes the long way.
      for (; done + 1 < run.pixels; ++done, source += source_stride, target += 4)
        store(reinterpret_cast<std::byte*>(target), (load<std::uint32_t>(reinterpret_cast<const std::byte*>(source)) & 0xFFFFFFU) ^ kFlip);
    }
  }
  for (; done < run.pixels; ++done, source += source_stride, target += run.padded) {
    for (std::size_t c = 0; c < run.channels; ++c) target[c] = staged_value<Source, Target>(source[c]);
    for (std::size_t c = run.channels; c < run.padded; ++c) target[c] = zero;
  }
}

void stage_even_first(const StageRun& run, bool is_signed) noexcept {
  if (run.channels == 3 && run.source_stride == 3) return run.kernels.threes(run.source, run.target, run.pixels, is_signed);
  if (run.channels == run.padded && run.source_stride == run.channels) return run.kernels.bytes(run.source, run.target, run.pixels * run.channels, is_signed);
  for (std::size_t p = 0; p < run.pixels; ++p) run.kernels.bytes(run.source + p * run.source_stride, run.target + p * run.padded * sizeof(std::int16_t), run.channels, is_signed);
}

}  // namespace

void stage(const StageRun& run, abi::ElementType type, Staging staging) noexcept {
  const bool is_signed = type == abi::ElementType::kI8;
  if (staging == Staging::kI16EvenFirst) return stage_even_first(run, is_signed);
  if (type == abi::ElementType::kI16) return stage_as<std::int16_t, std::int16_t>(run);
  if (staging == Staging::kU8) {
    is_signed ? stage_as<std::int8_t, std::uint8_t>(run) : stage_as<std::uint8_t, std::uint8_t>(run);
  } else {
    is_signed ? stage_as<std::int8_t, std::int16_t>(run) : stage_as<std::uint8_t, std::int16_t>(run);
  }
}

void stage_band(const BandPlan& plan, const Band& band, const std::byte* input, std::byte* target, std::size_t channels, abi::ElementType type, Staging staging, const StageKernels& kernels) noexcept {
  const std::uint64_t cols = plan.staged_cols(band.cols);
  for (std::uint64_t i = 0; i < plan.staged_rows(band.rows); ++i)
    stage({.source = input + plan.source_offset(band.first_row, band.first_col, i),
           .target = target + i * cols * plan.pixel_bytes(),
           .pixels = cols,
           .source_stride = plan.source_stride(),
           .channels = channels,
           .padded = plan.pixel_bytes() / (staging == Staging::kU8 ? 1 : 2),
           .kernels = kernels},
          type, staging);
}

namespace {

/// row_starts[c] = the sum of pixel_terms over the columns of window c. Without dilation the difference of two running sums, whatever the kernel's size.
void sum_along_row(const BandPlan& plan, std::uint64_t cols, Scratch& scratch) noexcept {
  const Window& window = plan.window();
  const std::uint64_t step = plan.col_step();
  std::int32_t* const terms = scratch.pixel_terms;
  if (window.dilation_cols == 1 || window.kernel_cols == 1) {
    std::int32_t running = 0;
    for (std::uint64_t i = 0; i < plan.staged_cols(cols); ++i) running = wrap_add(running, std::exchange(terms[i], running));
    terms[plan.staged_cols(cols)] = running;
    for (std::uint64_t c = 0; c < cols; ++c) scratch.row_starts[c] = wrap_sub(terms[c * step + window.kernel_cols], terms[c * step]);
    return;
  }
  for (std::uint64_t c = 0; c < cols; ++c) {
    std::int32_t sum = 0;
    for (std::uint64_t x = 0; x < window.kernel_cols; ++x) sum = wrap_add(sum, terms[c * step + x * window.dilation_cols]);
    scratch.row_starts[c] = sum;
  }
}

/// What staged row `i` means for the windows that it is in; in the order of the rows.
void add_row(const BandPlan& plan, std::uint64_t rows, std::uint64_t cols, std::uint64_t i, Scratch& scratch) noexcept {
  const Window& window = plan.window();
  const std::uint64_t step = plan.row_step(), reach = (window.kernel_rows - 1) * window.dilation_rows;
  const std::int32_t* const own = scratch.row_starts;
  const auto add = [&](std::uint64_t row, const std::int32_t* values, bool negative) {
    std::int32_t* const starts = scratch.window_starts + row * cols;
    for (std::uint64_t c = 0; c < cols; ++c) starts[c] = negative ? wrap_sub(starts[c], values[c]) : wrap_add(starts[c], values[c]);
  };
  if (window.dilation_rows == 1 || window.kernel_rows == 1) {
    std::int32_t* const running = scratch.column_sums;
    if (i % step == 0 && i / step < rows) add(i / step, running, true);
    for (std::uint64_t c = 0; c < cols; ++c) running[c] = wrap_add(running[c], own[c]);
    if (i >= reach && (i - reach) % step == 0 && (i - reach) / step < rows) add((i - reach) / step, running, false);
    return;
  }
  for (std::uint64_t row = i <= reach ? 0 : ceil_div(i - reach, step); row < rows && row * step <= i; ++row)
    if ((i - row * step) % window.dilation_rows == 0) add(row, own, false);
}

}  // namespace

void stage_band_with_terms(const BandPlan& plan, const Band& band, const StagedPixels& inputs, const WideKernels& kernels, Scratch& scratch) noexcept {
  const std::uint64_t rows = band.rows, cols = band.cols, staged_cols = plan.staged_cols(cols);
  const bool is_pixel = plan.window().taps() == 1;
  if (!is_pixel) {
    std::fill_n(scratch.window_starts, rows * cols, 0);
    std::fill_n(scratch.column_sums, cols, 0);
  }
  for (std::uint64_t i = 0; i < plan.staged_rows(rows); ++i) {
    StagedPixels run = inputs;
    run.source += plan.source_offset(band.first_row, band.first_col, i);
    run.target = scratch.staged + i * staged_cols * plan.pixel_bytes();
    run.pixels = staged_cols, run.source_stride = plan.source_stride();
    run.terms = is_pixel ? scratch.window_starts + i * cols : scratch.pixel_terms;  // a pixel's stride is skipped when it is staged
    kernels.stage(run);
    if (is_pixel) continue;
    sum_along_row(plan, cols, scratch);
    add_row(plan, rows, cols, i, scratch);
  }
}

}  // namespace naru::mockdev
