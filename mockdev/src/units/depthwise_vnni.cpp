// Depthwise tiles in AVX-512: two taps of 32 channels are interleaved to pairs, which vpdpwssd multiplies and adds.
#include "units/kernels.h"
#include "units/vnni.h"

namespace naru::mockdev::vnni {

#if defined(__x86_64__)
namespace {

template <int kPixels>
NARU_TARGET_VNNI void multiply(const DepthwiseTile& tile) noexcept {
  __m512i low[kPixels], high[kPixels];
  const std::byte* pixel[kPixels];
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m) low[m] = high[m] = _mm512_setzero_si512(), pixel[m] = tile.pixel[m];
  const std::int16_t* weights = tile.weights;
  for (std::uint32_t pair = 0; pair < tile.tap_pairs; ++pair, weights += 2 * kDepthwiseChannels) {
    const __m512i first = _mm512_load_si512(weights), second = _mm512_load_si512(weights + kDepthwiseChannels);
    const __m512i weights_low = _mm512_unpacklo_epi16(first, second), weights_high = _mm512_unpackhi_epi16(first, second);
    const std::size_t first_offset = tile.tap_offset[2 * pair], second_offset = tile.tap_offset[2 * pair + 1];
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      const __m512i a = _mm512_loadu_si512(pixel[m] + first_offset), b = _mm512_loadu_si512(pixel[m] + second_offset);
      low[m] = _mm512_dpwssd_epi32(low[m], _mm512_unpacklo_epi16(a, b), weights_low);
      high[m] = _mm512_dpwssd_epi32(high[m], _mm512_unpackhi_epi16(a, b), weights_high);
    }
  }
  // Interleaving works within 128 bits: low has channels 0-3, 8-11, 16-19, 24-27 and high the others.
  const __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    std::int32_t* target = tile.sums + m * kTileChannelsMax;
    __m512i a = _mm512_permutex2var_epi64(low[m], front, high[m]), b = _mm512_permutex2var_epi64(low[m], back, high[m]);
    if (tile.accumulate) a = _mm512_add_epi32(a, _mm512_load_si512(target)), b = _mm512_add_epi32(b, _mm512_load_si512(target + kBlock));
    _mm512_store_si512(target, a);
    _mm512_store_si512(target + kBlock, b);
  }
}

using Multiply = void (*)(const DepthwiseTile&) noexcept;
constexpr Multiply kByPixels[kDepthwisePixelsMax] = {multiply<1>, multiply<2>, multiply<3>, multiply<4>, multiply<5>, multiply<6>};

}  // namespace

void depthwise(const DepthwiseTile& tile) noexcept { kByPixels[tile.pixels - 1](tile); }

#else

void depthwise(const DepthwiseTile& tile) noexcept { portable::depthwise(tile); }

#endif

}  // namespace naru::mockdev::vnni
