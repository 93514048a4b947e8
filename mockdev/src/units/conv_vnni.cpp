// Convolution tiles by vpdpbusd: unsigned staged inputs times signed weights, sixteen output channels and four inputs per instruction.
// Intrinsics with per-function target attributes, because Highway 1.0.3 has no dot product (reference/toolchain.md).
#include <numeric>

#include "units/kernels.h"
#include "units/vnni.h"

namespace naru::mockdev::vnni {

#if defined(__x86_64__)
namespace {

template <int kPixels, int kBlocks>
NARU_TARGET_VNNI void multiply(const ConvTile& tile) noexcept {
  __m512i sums[kPixels][kBlocks];
  NARU_UNROLL
  for (int n = 0; n < kBlocks; ++n) {
    const __m512i start = tile.start == nullptr ? _mm512_setzero_si512() : _mm512_load_si512(tile.start + n * static_cast<int>(kBlock));
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) sums[m][n] = start;
  }
  const std::byte* pixel[kPixels];
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m) pixel[m] = tile.pixel[m];
  const std::byte* weights = tile.weights;
  const std::size_t block_bytes = tile.block_bytes;
  for (std::uint32_t segment = 0; segment < tile.segment_count; ++segment) {
    std::size_t at = tile.segment_offset[segment];
    const std::size_t end = at + std::size_t{tile.segment_groups} * kGroup;
    for (; at != end; at += kGroup, weights += kBlock * kGroup) {
      __m512i weight[kBlocks];
      NARU_UNROLL
      for (int n = 0; n < kBlocks; ++n) weight[n] = _mm512_loadu_si512(weights + static_cast<std::size_t>(n) * block_bytes);
      NARU_UNROLL
      for (int m = 0; m < kPixels; ++m) {
        const __m512i inputs = _mm512_set1_epi32(load<std::int32_t>(pixel[m] + at));
        NARU_UNROLL
        for (int n = 0; n < kBlocks; ++n) sums[m][n] = _mm512_dpbusd_epi32(sums[m][n], inputs, weight[n]);
      }
    }
  }
  if (tile.output != nullptr) {
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      NARU_UNROLL
      for (int n = 0; n < kBlocks; ++n) _mm512_storeu_si512(tile.output[m] + static_cast<std::size_t>(n) * kBlock * sizeof(std::int32_t), sums[m][n]);
    }
    return;
  }
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    NARU_UNROLL
    for (int n = 0; n < kBlocks; ++n) {
      std::int32_t* target = tile.sums + m * kTileChannelsMax + n * kBlock;
      if (tile.accumulate) sums[m][n] = _mm512_add_epi32(sums[m][n], _mm512_load_si512(target));
      _mm512_store_si512(target, sums[m][n]);
    }
  }
}

using Multiply = void (*)(const ConvTile&) noexcept;
constexpr Multiply kOneBlock[kTilePixelsMax] = {multiply<1, 1>, multiply<2, 1>, multiply<3, 1>, multiply<4, 1>,  multiply<5, 1>,  multiply<6, 1>,
                                                multiply<7, 1>, multiply<8, 1>, multiply<9, 1>, multiply<10, 1>, multiply<11, 1>, multiply<12, 1>};
constexpr Multiply kTwoBlocks[kTilePixelsMax] = {multiply<1, 2>, multiply<2, 2>, multiply<3, 2>, multiply<4, 2>,  multiply<5, 2>,  multiply<6, 2>,
                                                 multiply<7, 2>, multiply<8, 2>, multiply<9, 2>, multiply<10, 2>, multiply<11, 2>, multiply<12, 2>};
constexpr Multiply kThreeBlocks[8] = {multiply<1, 3>, multiply<2, 3>, multiply<3, 3>, multiply<4, 3>,
                                      multiply<5, 3>, multiply<6, 3>, multiply<7, 3>, multiply<8, 3>};
constexpr Multiply kFourBlocks[6] = {multiply<1, 4>, multiply<2, 4>, multiply<3, 4>, multiply<4, 4>, multiply<5, 4>, multiply<6, 4>};

}  // namespace

// 24 accumulators of the 32 registers; more blocks where few pixels would leave the multipliers waiting for one another.
void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept {
  if (blocks == 1) {
    tile_pixels = 12, tile_blocks = 1;
  } else if (blocks == 3) {
    tile_pixels = 8, tile_blocks = 3;
  } else if (blocks == 2 || pixels > 6) {
    tile_pixels = 12, tile_blocks = 2;
  } else {
    tile_pixels = 6, tile_blocks = 4;
  }
}

void conv(const ConvTile& tile) noexcept {
  switch (tile.blocks) {
    case 1: kOneBlock[tile.pixels - 1](tile); break;
    case 2: kTwoBlocks[tile.pixels - 1](tile); break;
    case 3: kThreeBlocks[tile.pixels - 1](tile); break;
    default: kFourBlocks[tile.pixels - 1](tile); break;
  }
}

NARU_TARGET_VNNI std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept {
  const __m512i ones = _mm512_set1_epi8(1);
  __m512i total = _mm512_setzero_si512();
  std::size_t i = 0;
  for (; i + 64 <= count; i += 64) total = _mm512_dpbusd_epi32(total, _mm512_loadu_si512(inputs + i), ones);
  if (i != count) total = _mm512_dpbusd_epi32(total, _mm512_maskz_loadu_epi8((std::uint64_t{1} << (count - i)) - 1, inputs + i), ones);
  alignas(64) std::uint32_t lanes[kBlock];
  _mm512_store_si512(lanes, total);
  return std::accumulate(std::begin(lanes), std::end(lanes), std::uint32_t{0});
}

#else  // never chosen: is_supported() says no

void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept {
  portable::conv_shape(pixels, blocks, tile_pixels, tile_blocks);
}
void conv(const ConvTile& tile) noexcept { portable::conv(tile); }
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept { return portable::sum(inputs, count); }

#endif

}  // namespace naru::mockdev::vnni
