// Convolution by vpdpbusd: unsigned staged inputs times signed weights, sixteen output channels and four inputs per instruction. Tiles, whose sums others finish; spans of pixels
// at equal steps, down to their codes; and the staging of three-channel pixels.
// Intrinsics with per-function target attributes, because Highway 1.0.3 has no dot product (reference/toolchain.md).
#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include "units/kernels.h"
#include "units/short_terms_vnni.h"
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

enum class Ending : std::uint8_t { kSums, kCodes, kCodesWithSign };  // with sign as in ShortTerms

/// Codes of a tile, four vectors of sums into one of bytes: a pixel's blocks, and as many pixels as fill it. Unsigned ones are signed ones 128 lower until they are stored.
template <int kPixels, int kBlocks, bool kWithSign>
NARU_VNNI_INLINE void store_codes(__m512i (&sums)[kPixels][kBlocks], const ConvSpan& span, std::byte* target) noexcept {
  constexpr int kAtOnce = kBlocks >= 3 ? 1 : 4 / kBlocks;
  const std::int32_t lower = span.is_signed ? 0 : 128;
  const __m512i flips = _mm512_set1_epi8(static_cast<char>(lower)), lowest = _mm512_set1_epi8(static_cast<char>(span.lowest - lower)), highest = _mm512_set1_epi8(static_cast<char>(span.highest - lower));
  NARU_UNROLL
  for (int n = 0; n < kBlocks; ++n) {
    const std::uint32_t at = span.terms_channel + static_cast<std::uint32_t>(n) * kBlock;
    const __m512i right = _mm512_load_si512(span.terms->right + at);
    const __m512i rounding = _mm512_sub_epi32(_mm512_load_si512(span.terms->rounding + at), _mm512_sllv_epi32(_mm512_set1_epi32(lower), right));
    const ShortTerms terms(_mm512_setzero_si512(), _mm512_load_si512(span.terms->multiplier + at), right, rounding, kWithSign);
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) sums[m][n] = terms.rounded<kWithSign>(sums[m][n], _mm512_srli_epi64(sums[m][n], 32));
  }
  NARU_UNROLL
  for (int m = 0; m < kPixels; m += kAtOnce) {
    const int next = m + 1 < kPixels ? m + 1 : m, third = m + 2 < kPixels ? m + 2 : m, fourth = m + 3 < kPixels ? m + 3 : m;
    if constexpr (kBlocks == 4) {
      _mm512_storeu_si512(target, _mm512_xor_si512(ordered_bytes<true>(sums[m][0], sums[m][1], sums[m][2], sums[m][3], lowest, highest), flips));
    } else if constexpr (kBlocks == 3) {
      _mm512_mask_storeu_epi32(target, 0x0FFF, _mm512_xor_si512(ordered_bytes<true>(sums[m][0], sums[m][1], sums[m][2], sums[m][2], lowest, highest), flips));
    } else if constexpr (kBlocks == 2) {
      const __m512i codes = _mm512_xor_si512(ordered_bytes<true>(sums[m][0], sums[m][1], sums[next][0], sums[next][1], lowest, highest), flips);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), _mm512_castsi512_si256(codes));
      if (next != m) _mm256_storeu_si256(reinterpret_cast<__m256i*>(target + span.output_step), _mm512_extracti64x4_epi64(codes, 1));
    } else {
      const __m512i codes = _mm512_xor_si512(ordered_bytes<true>(sums[m][0], sums[next][0], sums[third][0], sums[fourth][0], lowest, highest), flips);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(target), _mm512_castsi512_si128(codes));
      if (next != m) _mm_storeu_si128(reinterpret_cast<__m128i*>(target + span.output_step), _mm512_extracti32x4_epi32(codes, 1));
      if (third != m) _mm_storeu_si128(reinterpret_cast<__m128i*>(target + 2 * span.output_step), _mm512_extracti32x4_epi32(codes, 2));
      if (fourth != m) _mm_storeu_si128(reinterpret_cast<__m128i*>(target + 3 * span.output_step), _mm512_extracti32x4_epi32(codes, 3));
    }
    target += kAtOnce * span.output_step;
  }
}

/// The first kPixels pixels of a span. Three each share a base, so that addresses fit the registers.
template <int kPixels, int kBlocks, Ending kEnding>
NARU_TARGET_VNNI void multiply_span(const ConvSpan& span, const std::byte* first, std::byte* target) noexcept {
  constexpr int kPerBase = 3, kBases = (kPixels + kPerBase - 1) / kPerBase;
  __m512i sums[kPixels][kBlocks];
  NARU_UNROLL
  for (int n = 0; n < kBlocks; ++n) {
    const __m512i start = _mm512_load_si512(span.start + n * static_cast<int>(kBlock));
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) sums[m][n] = start;
  }
  const std::size_t step = span.pixel_step, block_bytes = span.block_bytes;
  const std::byte* weights = span.weights;
  for (std::uint32_t segment = 0; segment < span.segment_count; ++segment) {
    const std::byte* base[kBases];
    NARU_UNROLL
    for (int b = 0; b < kBases; ++b) base[b] = first + span.segment_offset[segment] + static_cast<std::size_t>(b * kPerBase) * step;
    for (const std::byte* const end = weights + std::size_t{span.segment_groups} * kBlock * kGroup; weights != end; weights += kBlock * kGroup) {
      __m512i weight[kBlocks];
      NARU_UNROLL
      for (int n = 0; n < kBlocks; ++n) weight[n] = _mm512_loadu_si512(weights + static_cast<std::size_t>(n) * block_bytes);
      NARU_UNROLL
      for (int m = 0; m < kPixels; ++m) {
        const __m512i inputs = _mm512_set1_epi32(load<std::int32_t>(base[m / kPerBase] + static_cast<std::size_t>(m % kPerBase) * step));
        NARU_UNROLL
        for (int n = 0; n < kBlocks; ++n) sums[m][n] = _mm512_dpbusd_epi32(sums[m][n], inputs, weight[n]);
      }
      NARU_UNROLL
      for (int b = 0; b < kBases; ++b) base[b] += kGroup;
    }
  }
  if constexpr (kEnding != Ending::kSums) {
    // What follows is none of the loop's business: without a border g++ 12 keeps copies of the sums for it, which do not fit the registers.
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      NARU_UNROLL
      for (int n = 0; n < kBlocks; ++n) asm("" : "+v"(sums[m][n]));
    }
    store_codes<kPixels, kBlocks, kEnding == Ending::kCodesWithSign>(sums, span, target);
    return;
  }
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m, target += span.output_step) {
    NARU_UNROLL
    for (int n = 0; n < kBlocks; ++n) _mm512_storeu_si512(target + static_cast<std::size_t>(n) * kBlock * sizeof(std::int32_t), sums[m][n]);
  }
}

using MultiplySpan = void (*)(const ConvSpan&, const std::byte*, std::byte*) noexcept;
/// By number of pixels, less one.
template <int kBlocks, Ending kEnding, int... kPixels>
constexpr std::array<MultiplySpan, sizeof...(kPixels)> kernels_by_pixels(std::integer_sequence<int, kPixels...>) {
  return {multiply_span<kPixels + 1, kBlocks, kEnding>...};
}
/// 24 accumulators at most, as conv_shape() says.
template <int kBlocks, Ending kEnding>
constexpr auto kSpanKernels = kernels_by_pixels<kBlocks, kEnding>(std::make_integer_sequence<int, kBlocks <= 2 ? 12 : 24 / kBlocks>());

template <Ending kEnding>
std::span<const MultiplySpan> kernels_for(std::uint32_t blocks) noexcept {
  switch (blocks) {
    case 1: return kSpanKernels<1, kEnding>;
    case 2: return kSpanKernels<2, kEnding>;
    case 3: return kSpanKernels<3, kEnding>;
    default: return kSpanKernels<4, kEnding>;
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

void conv_span(const ConvSpan& span) noexcept {
  const std::span<const MultiplySpan> kernels = span.terms == nullptr     ? kernels_for<Ending::kSums>(span.blocks)
                                                : span.lowest < span.zero ? kernels_for<Ending::kCodesWithSign>(span.blocks)
                                                                          : kernels_for<Ending::kCodes>(span.blocks);
  const std::byte* pixel = span.pixel;
  std::byte* output = span.output;
  std::uint64_t left = span.pixels;
  for (std::uint64_t tiles = ceil_div<std::uint64_t>(left, kernels.size()); tiles != 0; --tiles) {
    const std::uint64_t share = ceil_div(left, tiles);
    kernels[share - 1](span, pixel, output);
    pixel += share * span.pixel_step;
    output += share * span.output_step;
    left -= share;
  }
}

/// Twelve bytes of every sixteen-byte lane.
NARU_TARGET_VNNI void stage_threes(const std::byte* source, std::byte* target, std::size_t pixels, bool is_signed) noexcept {
  const __m512i spread = _mm512_setr_epi32(0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11);
  const __m512i widen = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1)), flips = _mm512_set1_epi8(is_signed ? -128 : 0);
  for (; pixels != 0; source += 48, target += 64) {
    const std::size_t count = std::min<std::size_t>(pixels, 16);
    const __m512i threes = _mm512_maskz_loadu_epi8((std::uint64_t{1} << (3 * count)) - 1, source);
    const __m512i fours = _mm512_xor_si512(_mm512_shuffle_epi8(_mm512_permutexvar_epi32(spread, threes), widen), flips);
    _mm512_mask_storeu_epi32(target, static_cast<__mmask16>((1U << count) - 1), fours);
    pixels -= count;
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
void conv_span(const ConvSpan&) noexcept {}
void stage_threes(const std::byte*, std::byte*, std::size_t, bool) noexcept {}
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept { return portable::sum(inputs, count); }

#endif

}  // namespace naru::mockdev::vnni
