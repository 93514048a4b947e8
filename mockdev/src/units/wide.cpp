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
    value = record.input_type == abi::ElementType::kI16 ? requantize_wide(static_cast<std::int64_t>(sum), terms.multiplier, terms.shift)
                                                        : requantize(value, terms.multiplier, split_shift(terms.shift));
    value = add_zero_and_clamp(value, record.output_zero, record.activation_min, record.activation_max);
  }
  store_element(output + channel * abi::element_bytes(record.output_type), record.output_type, value);
}

}  // namespace

void execute_conv_wide(const abi::Conv& record, const ConvPointers& at) noexcept {
  const Window window = Window::of(record);
  const std::size_t block_bytes = abi::dense_block_bytes(window.taps(), record.in_channels);
  const std::size_t element = abi::element_bytes(record.input_type);
  for (std::uint64_t row = 0; row < window.out_rows; ++row) {
    for (std::uint64_t col = 0; col < window.out_cols; ++col) {
      std::byte* output = at.output + row * record.output_row_stride + col * record.output_pixel_stride;
      for (std::uint64_t channel = 0; channel < record.out_channels; ++channel) {
        const std::byte* block = at.weights + channel / kBlock * block_bytes;
        const ChannelRecord terms = record_of(block, channel % kBlock);
        std::uint64_t sum = static_cast<std::uint64_t>(terms.start);
        if (record.start == abi::Start::kPartial) {
          sum = static_cast<std::uint64_t>(
              std::int64_t{load<std::int32_t>(at.partial + row * record.partial_row_stride + col * record.partial_pixel_stride + 4 * channel)});
        }
        for (std::uint64_t tap = 0; tap < window.taps(); ++tap) {
          const std::byte* input = at.input + window.source_offset(row, col, tap);
          const std::byte* weights = block + abi::dense_weight_offset(tap, 0, channel % kBlock, record.in_channels);
          for (std::uint64_t i = 0; i < record.in_channels; ++i) {
            const std::int64_t weight = load<std::int8_t>(weights + i / kGroup * (kBlock * kGroup) + i % kGroup);
            sum += static_cast<std::uint64_t>(load_element(input + i * element, record.input_type) * (weight - record.weight_zero));
          }
        }
        write(record, output, channel, sum, terms);
      }
    }
  }
}

void execute_depthwise_wide(const abi::Depthwise& record, const DepthwisePointers& at) noexcept {
  const Window window = Window::of(record);
  const std::size_t block_bytes = abi::depthwise_block_bytes(window.taps());
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
          const std::int64_t weight = load<std::int8_t>(block + abi::depthwise_weight_offset(tap, channel % kBlock));
          sum += static_cast<std::uint64_t>(load_element(input, record.input_type) * (weight - record.weight_zero));
        }
        write(record, output, channel, sum, terms);
      }
    }
  }
}

}  // namespace naru::mockdev
