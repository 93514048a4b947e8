// Pooling: channels of one output pixel at a time, all taps of the window that lie inside the image.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

struct Range {
  std::int64_t first, last;  // taps [first, last)
};
/// The taps of a window whose position start + tap is in [0, size).
Range taps_inside(std::int64_t start, std::int64_t kernel, std::int64_t size) noexcept {
  return {std::max<std::int64_t>(0, -start), std::min(kernel, size - start)};
}

std::int32_t average(std::int32_t sum, std::int64_t count, bool is_unsigned) noexcept {
  const std::int64_t half = count / 2;
  return static_cast<std::int32_t>(sum > 0 || is_unsigned ? (sum + half) / count : (sum - half) / count);
}

template <typename T>
void pool(const abi::Pool& record, const UnaryPointers& at, Scratch& scratch) noexcept {
  constexpr bool kUnsigned = std::is_unsigned_v<T>;
  const bool maximum = record.kind == abi::PoolKind::kMaximum;
  for (std::uint64_t row = 0; row < record.out_rows; ++row) {
    const std::int64_t top = static_cast<std::int64_t>(row * record.stride_rows) - record.pad_top;
    const Range y_taps = taps_inside(top, record.kernel_rows, record.in_rows);
    for (std::uint64_t col = 0; col < record.out_cols; ++col) {
      const std::int64_t left = static_cast<std::int64_t>(col * record.stride_cols) - record.pad_left;
      const Range x_taps = taps_inside(left, record.kernel_cols, record.in_cols);
      const std::int64_t count = std::max<std::int64_t>(0, y_taps.last - y_taps.first) * std::max<std::int64_t>(0, x_taps.last - x_taps.first);
      if (count == 0) continue;  // the record's checks exclude it
      for (std::uint64_t channel = 0; channel < record.channels; channel += kRowElements) {
        const std::size_t channels = std::min<std::uint64_t>(kRowElements, record.channels - channel);
        std::int32_t* values = scratch.row_a;
        std::fill_n(values, channels, maximum ? std::numeric_limits<std::int32_t>::min() : 0);
        for (std::int64_t y = y_taps.first; y < y_taps.last; ++y) {
          for (std::int64_t x = x_taps.first; x < x_taps.last; ++x) {
            const std::byte* input = at.input + static_cast<std::uint64_t>(top + y) * record.input_row_stride +
                                     static_cast<std::uint64_t>(left + x) * record.input_pixel_stride + channel * sizeof(T);
            if (maximum) {
              for (std::size_t c = 0; c < channels; ++c) values[c] = std::max<std::int32_t>(values[c], load<T>(input + c * sizeof(T)));
            } else {
              for (std::size_t c = 0; c < channels; ++c) values[c] = wrap_add(values[c], load<T>(input + c * sizeof(T)));
            }
          }
        }
        std::byte* output = at.output + row * record.output_row_stride + col * record.output_pixel_stride + channel * sizeof(T);
        if (!maximum)
          for (std::size_t c = 0; c < channels; ++c) values[c] = average(values[c], count, kUnsigned);
        for (std::size_t c = 0; c < channels; ++c) values[c] = std::clamp(values[c], record.activation_min, record.activation_max);
        store_row(output, sizeof(T), record.type, channels, values);
      }
    }
  }
}

}  // namespace

void execute_pool(const abi::Pool& record, const UnaryPointers& at, const Context& context) noexcept {
  switch (record.type) {
    case abi::ElementType::kI8: pool<std::int8_t>(record, at, context.scratch); break;
    case abi::ElementType::kU8: pool<std::uint8_t>(record, at, context.scratch); break;
    default: pool<std::int16_t>(record, at, context.scratch); break;
  }
}

}  // namespace naru::mockdev
