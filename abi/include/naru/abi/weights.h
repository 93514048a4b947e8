// The one weight layout: how packed weights lie in SRAM. The compiler packs it, the device computes from it as it lies.
//
// A weight object is ceil(out_channels / 16) blocks, each 64-byte aligned and of the same size:
//   offset   0  i64 start[16]        bias[c] - input_zero * sum(w[c]): what the accumulator of output channel c begins with
//   offset 128  i32 multiplier[16]   requantisation, Q31 (numerics 1); 0 for padded channels
//   offset 192  i32 sum[16]          sum over all taps and inputs of the stored weights of channel c
//   offset 256  i8  shift[16]        requantisation, positive is left (numerics 1)
//   offset 272  48 bytes of zero
//   offset 320  weights
//     dense_i8:      [kernel_rows][kernel_cols][ceil(in_channels / 4)][16 output channels][4 input channels] i8, zero-padded
//     depthwise_i8:  [kernel_rows][kernel_cols][16 channels] i8, zero-padded; the block is rounded up to 64 bytes
//     depthwise_i16: [kernel_rows][kernel_cols][16 channels] i16, zero-padded; the block is rounded up to 64 bytes
// Arrays instead of records, so that sixteen channels load as vectors (docs/decisions/0003-weight-layout.md).
#pragma once

#include "naru/abi/types.h"

namespace naru::abi {

inline constexpr std::uint32_t kWeightBlockChannels = 16;
inline constexpr std::uint32_t kWeightInputGroup = 4;
inline constexpr std::uint32_t kWeightAlignment = 64;
inline constexpr std::uint32_t kWeightStartOffset = 0;
inline constexpr std::uint32_t kWeightMultiplierOffset = 128;
inline constexpr std::uint32_t kWeightSumOffset = 192;
inline constexpr std::uint32_t kWeightShiftOffset = 256;
inline constexpr std::uint32_t kWeightDataOffset = 320;

[[nodiscard]] constexpr std::uint64_t dense_block_bytes(std::uint64_t taps, std::uint64_t in_channels) noexcept {
  return kWeightDataOffset + taps * ceil_div<std::uint64_t>(in_channels, kWeightInputGroup) * (kWeightBlockChannels * kWeightInputGroup);
}
[[nodiscard]] constexpr std::uint64_t depthwise_block_bytes(std::uint64_t taps, std::uint64_t weight_bytes = 1) noexcept {
  return align_up<std::uint64_t>(kWeightDataOffset + taps * kWeightBlockChannels * weight_bytes, kWeightAlignment);
}
[[nodiscard]] constexpr std::uint64_t weight_blocks(std::uint64_t out_channels) noexcept {
  return ceil_div<std::uint64_t>(out_channels, kWeightBlockChannels);
}
/// Byte of weight (tap, input channel, output channel) from the start of its block, output channel being c % 16.
[[nodiscard]] constexpr std::uint64_t dense_weight_offset(std::uint64_t tap, std::uint64_t in_channel, std::uint64_t channel_in_block,
                                                          std::uint64_t in_channels) noexcept {
  const std::uint64_t groups = ceil_div<std::uint64_t>(in_channels, kWeightInputGroup);
  return kWeightDataOffset + ((tap * groups + in_channel / kWeightInputGroup) * kWeightBlockChannels + channel_in_block) * kWeightInputGroup +
         in_channel % kWeightInputGroup;
}
[[nodiscard]] constexpr std::uint64_t depthwise_weight_offset(std::uint64_t tap, std::uint64_t channel_in_block, std::uint64_t weight_bytes = 1) noexcept {
  return kWeightDataOffset + (tap * kWeightBlockChannels + channel_in_block) * weight_bytes;
}
/// Bytes of one weight: 0 for a format that is not defined.
[[nodiscard]] constexpr std::uint64_t weight_bytes_of(WeightFormat format) noexcept {
  switch (format) {
    case WeightFormat::kDenseI8:
    case WeightFormat::kDepthwiseI8: return 1;
    case WeightFormat::kDepthwiseI16: return 2;
    case WeightFormat::kNone: break;
  }
  return 0;
}

}  // namespace naru::abi
