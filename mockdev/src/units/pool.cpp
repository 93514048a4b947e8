// Pooling: channels of one output pixel at a time, all taps of the window that lie inside the image.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

struct TapRange {
  std::int64_t first, last;  // taps [first, last)
};
/// The taps of a window whose position start + tap is in [0, size).
TapRange taps_inside(std::int64_t start, std::int64_t kernel, std::int64_t size) noexcept {
  return {std::max<std::int64_t>(0, -start), std::min(kernel, size - start)};
}

class PoolRun {
 public:
  PoolRun(const abi::Pool& record, const UnaryPointers& at, const Context& context) noexcept
      : record_(record), at_(at), rows_(*context.kernels.rows), scratch_(context.scratch), bytes_(abi::element_bytes(record.type)), maximum_(record.kind == abi::PoolKind::kMaximum) {}

  void execute() noexcept {
    // Bytes are compared as they are, unless the bounds are none of theirs.
    const bool as_bytes = maximum_ && bytes_ == 1 && bounds_fit(record_.type, record_.activation_min, record_.activation_max);
    const std::uint64_t channels_max = as_bytes ? kStagedBytes : kRowElements;
    for (std::uint64_t row = 0; row < record_.out_rows; ++row) {
      const std::int64_t top = static_cast<std::int64_t>(row * record_.stride_rows) - record_.pad_top;
      const TapRange y_taps = taps_inside(top, record_.kernel_rows, record_.in_rows);
      for (std::uint64_t col = 0; col < record_.out_cols; ++col) {
        const std::int64_t left = static_cast<std::int64_t>(col * record_.stride_cols) - record_.pad_left;
        const TapRange x_taps = taps_inside(left, record_.kernel_cols, record_.in_cols);
        const std::int64_t count = std::max<std::int64_t>(0, y_taps.last - y_taps.first) * std::max<std::int64_t>(0, x_taps.last - x_taps.first);
        if (count == 0) continue;  // the record's checks exclude it
        for (std::uint64_t channel = 0; channel < record_.channels; channel += channels_max) {
          const std::size_t channels = std::min<std::uint64_t>(channels_max, record_.channels - channel);
          std::byte* const output = at_.output + row * record_.output_row_stride + col * record_.output_pixel_stride + channel * bytes_;
          const auto each_tap = [&](auto&& take) {
            for (std::int64_t y = y_taps.first; y < y_taps.last; ++y)
              for (std::int64_t x = x_taps.first; x < x_taps.last; ++x)
                take(at_.input + static_cast<std::uint64_t>(top + y) * record_.input_row_stride + static_cast<std::uint64_t>(left + x) * record_.input_pixel_stride + channel * bytes_);
          };
          as_bytes ? greatest_bytes(each_tap, channels, output) : folded(each_tap, channels, count, output);
        }
      }
    }
  }

 private:
  void greatest_bytes(auto&& each_tap, std::size_t channels, std::byte* output) noexcept {
    const bool is_signed = record_.type == abi::ElementType::kI8;
    std::byte* const values = scratch_.staged;
    bool first = true;
    each_tap([&](const std::byte* input) {
      first ? void(std::memcpy(values, input, channels)) : rows_.maximum_of_bytes(values, input, is_signed, channels);
      first = false;
    });
    rows_.clamp_bytes(values, is_signed, channels, record_.activation_min, record_.activation_max);
    std::memcpy(output, values, channels);
  }

  void folded(auto&& each_tap, std::size_t channels, std::int64_t count, std::byte* output) noexcept {
    std::int32_t* const values = scratch_.row_a;
    std::fill_n(values, channels, maximum_ ? std::numeric_limits<std::int32_t>::min() : 0);
    each_tap([&](const std::byte* input) { rows_.fold_elements(maximum_ ? abi::ReduceKind::kMaximum : abi::ReduceKind::kSum, values, input, record_.type, channels); });
    if (!maximum_) rows_.average(values, channels, count, record_.type == abi::ElementType::kU8);
    rows_.clamp(values, channels, record_.activation_min, record_.activation_max);
    rows_.store(output, bytes_, record_.type, channels, values);
  }

  const abi::Pool& record_;
  const UnaryPointers& at_;
  const RowLoops& rows_;
  Scratch& scratch_;
  std::size_t bytes_;
  bool maximum_;
};

}  // namespace

void execute_pool(const abi::Pool& record, const UnaryPointers& at, const Context& context) noexcept { PoolRun(record, at, context).execute(); }

}  // namespace naru::mockdev
