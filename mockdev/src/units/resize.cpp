// Bilinear resizing of raw codes. Positions are found once per row and column; the channels of a pixel are one plain loop.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

/// The two input elements of one dimension that an output position lies between.
struct Between {
  std::uint64_t low, high;
  std::int32_t low_weight, high_weight;  // in 1/1024; sum to 1024
};

Between between(std::uint64_t index, std::int32_t scale, std::int32_t offset, std::uint32_t count) noexcept {
  // Fits: |scale| and |offset| are at most 2^31, and index is below 2^32 - 1.
  const std::int64_t position = static_cast<std::int64_t>(index) * scale + offset;
  const std::int64_t last = std::int64_t{count} - 1;
  const std::int64_t low = std::clamp<std::int64_t>(position / 1024, 0, last), high = std::clamp<std::int64_t>((position + 1023) / 1024, 0, last);
  // Outside the input both are the same element, and only the sum of the weights matters.
  const std::int32_t weight = low == high ? 0 : static_cast<std::int32_t>(position - 1024 * low);
  return {static_cast<std::uint64_t>(low), static_cast<std::uint64_t>(high), 1024 - weight, weight};
}

/// kSum holds 2^20 times any code.
template <typename T, typename Sum>
void resize_pixel(const std::byte* const (&taps)[4], const std::int32_t (&weight)[4], std::byte* output, std::size_t channels) noexcept {
  for (std::size_t c = 0; c < channels; ++c) {
    Sum v = 0;
    for (int t = 0; t < 4; ++t) v += static_cast<Sum>(weight[t]) * load<T>(taps[t] + c * sizeof(T));
    v += v > 0 ? Sum{1} << 19 : -(Sum{1} << 19);
    store(output + c * sizeof(T), static_cast<T>(v / (Sum{1} << 20)));
  }
}

template <typename T, typename Sum>
void resize(const abi::Resize& record, const UnaryPointers& at) noexcept {
  for (std::uint64_t row = 0; row < record.out_rows; ++row) {
    const Between y = between(row, record.row_scale, record.row_offset, record.in_rows);
    const std::byte* const low_row = at.input + y.low * record.input_row_stride;
    const std::byte* const high_row = at.input + y.high * record.input_row_stride;
    for (std::uint64_t col = 0; col < record.out_cols; ++col) {
      const Between x = between(col, record.col_scale, record.col_offset, record.in_cols);
      const std::uint64_t left = x.low * record.input_pixel_stride, right = x.high * record.input_pixel_stride;
      const std::byte* const taps[4] = {low_row + left, low_row + right, high_row + left, high_row + right};
      const std::int32_t weights[4] = {y.low_weight * x.low_weight, y.low_weight * x.high_weight, y.high_weight * x.low_weight, y.high_weight * x.high_weight};
      resize_pixel<T, Sum>(taps, weights, at.output + row * record.output_row_stride + col * record.output_pixel_stride, record.channels);
    }
  }
}

}  // namespace

void execute_resize(const abi::Resize& record, const UnaryPointers& at) noexcept {
  if (record.type == abi::ElementType::kI16) {
    resize<std::int16_t, std::int64_t>(record, at);
  } else {
    resize<std::int8_t, std::int32_t>(record, at);
  }
}

}  // namespace naru::mockdev
