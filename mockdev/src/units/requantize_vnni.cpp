// What becomes of a tile of sums, in AVX-512: bias, exact double-rounding requantisation, zero point, clamp, narrowing; about 17 operations per
// sixteen outputs.
#include "units/kernels.h"
#include "units/vnni.h"

namespace naru::mockdev::vnni {

#if defined(__x86_64__)
namespace {

struct Terms {
  __m512i multiplier, left, right, mask;
};

/// SRDHM, but for the saturation of INT32_MIN squared.
NARU_VNNI_INLINE __m512i high_product(__m512i value, __m512i multiplier) {
  const __m512i nudge = _mm512_set1_epi64(std::int64_t{1} << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(value, multiplier), nudge);
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(value, 32), _mm512_srli_epi64(multiplier, 32)), nudge);
  // Bits 31 to 62 of each product: the low half of even >> 31, the high half of odd << 1.
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
}

/// Left shift, SRDHM, RDivByPOT (numerics 1 and 26), whatever the operands.
NARU_VNNI_INLINE __m512i requantized(__m512i value, const Terms& terms) {
  __m512i high = high_product(_mm512_sllv_epi32(value, terms.left), terms.multiplier);
  // INT32_MIN comes out only where INT32_MIN was squared, which saturates.
  high = _mm512_mask_mov_epi32(high, _mm512_cmpeq_epi32_mask(high, _mm512_set1_epi32(INT32_MIN)), _mm512_set1_epi32(INT32_MAX));
  const __m512i remainder = _mm512_and_si512(high, terms.mask);
  const __m512i threshold = _mm512_sub_epi32(_mm512_srli_epi32(terms.mask, 1), _mm512_srai_epi32(high, 31));
  const __m512i quotient = _mm512_srav_epi32(high, terms.right);
  return _mm512_mask_sub_epi32(quotient, _mm512_cmpgt_epi32_mask(remainder, threshold), quotient, _mm512_set1_epi32(-1));
}

/// Bytes, the short way, nothing added per pixel: nearly every tile of nearly every network. kClamps: the bounds are
/// narrower than int8, whose own the narrowing keeps.
template <bool kClamps>
NARU_TARGET_VNNI void finish_usual(const TileOutput& tile) noexcept {
  const __m512i lowest = _mm512_set1_epi32(tile.lowest), highest = _mm512_set1_epi32(tile.highest);
  const std::uint32_t pixels = tile.pixels;
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const std::uint32_t count = std::min(kBlock, tile.channels - channel);
    const auto lanes = static_cast<__mmask16>((1U << count) - 1);
    const __m512i start = _mm512_load_si512(tile.terms->start + channel), multiplier = _mm512_load_si512(tile.terms->multiplier + channel);
    const __m512i right = _mm512_load_si512(tile.terms->right + channel), rounding = _mm512_load_si512(tile.terms->rounding + channel);
    const std::int32_t* sums = tile.sums + channel;
    for (std::uint32_t m = 0; m < pixels; ++m, sums += kTileChannelsMax) {
      const __m512i high = high_product(_mm512_add_epi32(_mm512_load_si512(sums), start), multiplier);
      __m512i value = _mm512_srav_epi32(_mm512_add_epi32(_mm512_add_epi32(high, rounding), _mm512_srai_epi32(high, 31)), right);
      __m128i bytes;
      if constexpr (kClamps) {
        bytes = _mm512_cvtepi32_epi8(_mm512_min_epi32(_mm512_max_epi32(value, lowest), highest));
      } else {
        bytes = _mm512_cvtsepi32_epi8(value);
      }
      if (count == kBlock) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(tile.output[m] + channel), bytes);
      } else {
        _mm_mask_storeu_epi8(tile.output[m] + channel, lanes, bytes);
      }
    }
  }
}

NARU_TARGET_VNNI void finish_any(const TileOutput& tile) noexcept {
  const Bounds bounds = bounds_before_zero(tile);
  const __m512i lowest = _mm512_set1_epi32(bounds.lowest), highest = _mm512_set1_epi32(bounds.highest), zero = _mm512_set1_epi32(tile.zero);
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const auto lanes = static_cast<__mmask16>((1U << std::min(kBlock, tile.channels - channel)) - 1);
    const ChannelTerms& all = *tile.terms;
    const __m512i start = _mm512_load_si512(all.start + channel);
    const Terms terms = {_mm512_load_si512(all.multiplier + channel), _mm512_load_si512(all.left + channel), _mm512_load_si512(all.right + channel),
                         _mm512_load_si512(all.mask + channel)};
    for (std::uint32_t m = 0; m < tile.pixels; ++m) {
      __m512i value = _mm512_add_epi32(_mm512_load_si512(tile.sums + m * kTileChannelsMax + channel), start);
      value = _mm512_add_epi32(value, _mm512_set1_epi32(tile.pixel_start[m]));
      if (tile.partial[m] != nullptr) value = _mm512_add_epi32(value, _mm512_maskz_loadu_epi32(lanes, tile.partial[m] + channel * 4));
      if (tile.type == abi::ElementType::kI32) {
        _mm512_mask_storeu_epi32(tile.output[m] + channel * 4, lanes, value);
        continue;
      }
      value = _mm512_add_epi32(_mm512_min_epi32(_mm512_max_epi32(requantized(value, terms), lowest), highest), zero);
      if (tile.type == abi::ElementType::kI16) {
        _mm256_mask_storeu_epi16(tile.output[m] + channel * 2, lanes, _mm512_cvtepi32_epi16(value));
      } else {
        _mm_mask_storeu_epi8(tile.output[m] + channel, lanes, _mm512_cvtepi32_epi8(value));
      }
    }
  }
}

}  // namespace

void finish(const TileOutput& tile) noexcept {
  if (!tile.terms->usual || tile.has_additions) {
    finish_any(tile);
  } else if (tile.type == abi::ElementType::kI8 && tile.lowest == -128 && tile.highest == 127) {
    finish_usual<false>(tile);
  } else {
    finish_usual<true>(tile);
  }
}

NARU_TARGET_VNNI void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  const Terms terms = {_mm512_set1_epi32(multiplier), _mm512_set1_epi32(shift.left), _mm512_set1_epi32(shift.right),
                       _mm512_set1_epi32(static_cast<std::int32_t>((std::uint32_t{1} << shift.right) - 1))};
  for (std::size_t i = 0; i < count; i += kBlock) {
    const auto lanes = static_cast<__mmask16>(count - i >= kBlock ? 0xFFFF : (1U << (count - i)) - 1);
    _mm512_mask_storeu_epi32(values + i, lanes, requantized(_mm512_maskz_loadu_epi32(lanes, values + i), terms));
  }
}

#else

void finish(const TileOutput& tile) noexcept { portable::finish(tile); }
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  portable::requantize(values, count, multiplier, shift);
}

#endif

}  // namespace naru::mockdev::vnni
