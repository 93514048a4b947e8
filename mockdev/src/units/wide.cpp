// The plain loops of wide.h. Sums are kept modulo 2^64; 8-bit inputs use their low half, which is the sum modulo 2^32.
#include "units/wide.h"

#include "naru/abi/weights.h"
#include "units/fixed_point.h"
#include "units/staging.h"

namespace naru::mockdev {
namespace {

/// A weight block's channel records, read where they lie.
struct ChannelRecord {
  std::int64_t start;
  std::int32_t multiplier, shift;
};
ChannelRecord record_of(const std::byte* block, std::uint64_t channel) noexcept {
  return {load<std::int64_t>(block + abi::kWeightStartOffset + 8 * channel), load<std::int32_t>(block + abi::kWeightMultiplierOffset + 4 * channel),
          load<std::int8_t>(block + abi::kWeightShiftOffset + channel)};
}

template <typename Record>
void write(const Record& record, std::byte* output, std::uint64_t channel, std::uint64_t sum, const ChannelRecord& terms) noexcept {
  std::int32_t value = static_cast<std::int32_t>(sum);
  if (record.output_type != abi::ElementType::kI32) {
    value = accumulates_wide(record) ? requantize_wide(static_cast<std::int64_t>(sum), terms.multiplier, terms.shift)
                                     : requantize(value, terms.multiplier, split_shift(terms.shift));
    value = add_zero_and_clamp(value, record.output_zero, record.activation_min, record.activation_max);
  }
  store_element(output + channel * abi::element_bytes(record.output_type), record.output_type, value);
}

/// One tap of sixteen channels: sums[c] += the products with its int16 inputs, and `total` += the inputs. Four products, of at most 2^22 each, are
/// added in 32 bits before they are widened; no extent that memory holds brings the 64-bit sums to wrap.
void add_tap(const std::byte* input, const std::byte* weights, std::uint64_t in_channels, std::int64_t (&sums)[kBlock], std::int64_t& total) noexcept {
  for (std::uint64_t i = 0; i < in_channels; i += kGroup, weights += kBlock * kGroup) {
    std::int32_t x[kGroup] = {};
    for (std::uint64_t k = 0; k < std::min<std::uint64_t>(kGroup, in_channels - i); ++k) x[k] = load<std::int16_t>(input + 2 * (i + k));
    const auto* weight = reinterpret_cast<const std::int8_t*>(weights);
    for (std::uint32_t c = 0; c < kBlock; ++c)
      sums[c] += x[0] * weight[4 * c] + x[1] * weight[4 * c + 1] + x[2] * weight[4 * c + 2] + x[3] * weight[4 * c + 3];
    total += x[0] + x[1] + x[2] + x[3];
  }
}

}  // namespace

void execute_conv_wide(const abi::Conv& record, const ConvPointers& at) noexcept {
  const Window window = Window::of(record);
  const std::size_t block_bytes = abi::dense_block_bytes(window.taps(), record.in_channels);
  for (std::uint64_t row = 0; row < window.out_rows; ++row) {
    for (std::uint64_t col = 0; col < window.out_cols; ++col) {
      std::byte* output = at.output + row * record.output_row_stride + col * record.output_pixel_stride;
      for (std::uint64_t first = 0; first < record.out_channels; first += kBlock) {
        const std::byte* block = at.weights + first / kBlock * block_bytes;
        std::int64_t sums[kBlock] = {};
        std::int64_t inputs = 0;
        for (std::uint64_t tap = 0; tap < window.taps(); ++tap)
          add_tap(at.input + window.source_offset(row, col, tap), block + abi::dense_weight_offset(tap, 0, 0, record.in_channels), record.in_channels, sums, inputs);
        const auto above_zero = static_cast<std::uint64_t>(std::int64_t{record.weight_zero}) * static_cast<std::uint64_t>(inputs);
        const auto channels = static_cast<std::uint32_t>(std::min<std::uint64_t>(kBlock, record.out_channels - first));
        for (std::uint32_t lane = 0; lane < channels; ++lane) {
          const ChannelRecord terms = record_of(block, lane);
          auto start = static_cast<std::uint64_t>(terms.start);
          if (record.start == abi::Start::kPartial) {
            const std::byte* partial = at.partial + row * record.partial_row_stride + col * record.partial_pixel_stride;
            start = static_cast<std::uint64_t>(std::int64_t{load<std::int32_t>(partial + 4 * (first + lane))});
          }
          write(record, output, first + lane, start + static_cast<std::uint64_t>(sums[lane]) - above_zero, terms);
        }
      }
    }
  }
}

void execute_depthwise_wide(const abi::Depthwise& record, const DepthwisePointers& at) noexcept {
  const Window window = Window::of(record);
  const std::size_t block_bytes = abi::depthwise_block_bytes(window.taps(), abi::weight_bytes_of(record.weight_format));
  const std::uint64_t weight_bytes = abi::weight_bytes_of(record.weight_format);
  const std::size_t element = abi::element_bytes(record.input_type);
  for (std::uint64_t row = 0; row < window.out_rows; ++row) {
    for (std::uint64_t col = 0; col < window.out_cols; ++col) {
      std::byte* output = at.output + row * record.output_row_stride + col * record.output_pixel_stride;
      for (std::uint64_t channel = 0; channel < record.channels; ++channel) {
        const std::byte* block = at.weights + channel / kBlock * block_bytes;
        const ChannelRecord terms = record_of(block, channel % kBlock);
        std::uint64_t sum = static_cast<std::uint64_t>(terms.start);
        for (std::uint64_t tap = 0; tap < window.taps(); ++tap) {
          const std::byte* input = at.input + window.source_offset(row, col, tap) + channel / record.channel_multiplier * element;
          const std::byte* stored = block + abi::depthwise_weight_offset(tap, channel % kBlock, weight_bytes);
          const std::int64_t weight = weight_bytes == 2 ? load<std::int16_t>(stored) : load<std::int8_t>(stored);
          sum += static_cast<std::uint64_t>(load_element(input, record.input_type) * (weight - record.weight_zero));
        }
        write(record, output, channel, sum, terms);
      }
    }
  }
}

}  // namespace naru::mockdev
