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

/// Left shift, SRDHM, RDivByPOT (numerics 1 and 26).
template <bool kPlain>
NARU_VNNI_INLINE __m512i requantized(__m512i value, const Terms& terms) {
  if constexpr (!kPlain) value = _mm512_sllv_epi32(value, terms.left);
  const __m512i nudge = _mm512_set1_epi64(std::int64_t{1} << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(value, terms.multiplier), nudge);
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(value, 32), _mm512_srli_epi64(terms.multiplier, 32)), nudge);
  // Bits 31 to 62 of each product: the low half of even >> 31, the high half of odd << 1.
  __m512i high = _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
  if constexpr (!kPlain) {
    // INT32_MIN comes out only where INT32_MIN was squared, which saturates.
    const __m512i lowest = _mm512_set1_epi32(INT32_MIN);
    high = _mm512_mask_mov_epi32(high, _mm512_cmpeq_epi32_mask(high, lowest), _mm512_set1_epi32(INT32_MAX));
  }
  const __m512i remainder = _mm512_and_si512(high, terms.mask);
  const __m512i threshold = _mm512_sub_epi32(_mm512_srli_epi32(terms.mask, 1), _mm512_srai_epi32(high, 31));
  const __m512i quotient = _mm512_srav_epi32(high, terms.right);
  return _mm512_mask_sub_epi32(quotient, _mm512_cmpgt_epi32_mask(remainder, threshold), quotient, _mm512_set1_epi32(-1));
}

template <bool kPlain>
NARU_TARGET_VNNI void finish_as(const TileOutput& tile) noexcept {
  const Bounds bounds = bounds_before_zero(tile);
  const __m512i lowest = _mm512_set1_epi32(bounds.lowest), highest = _mm512_set1_epi32(bounds.highest), zero = _mm512_set1_epi32(tile.zero);
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const std::uint32_t count = std::min(kBlock, tile.channels - channel);
    const auto lanes = static_cast<__mmask16>((1U << count) - 1);
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
      value = requantized<kPlain>(value, terms);
      value = _mm512_add_epi32(_mm512_min_epi32(_mm512_max_epi32(value, lowest), highest), zero);
      if (tile.type == abi::ElementType::kI16) {
        _mm256_mask_storeu_epi16(tile.output[m] + channel * 2, lanes, _mm512_cvtepi32_epi16(value));
      } else if (count == kBlock) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(tile.output[m] + channel), _mm512_cvtepi32_epi8(value));
      } else {
        _mm_mask_storeu_epi8(tile.output[m] + channel, lanes, _mm512_cvtepi32_epi8(value));
      }
    }
  }
}

}  // namespace

void finish(const TileOutput& tile) noexcept { tile.terms->plain ? finish_as<true>(tile) : finish_as<false>(tile); }

NARU_TARGET_VNNI void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  const Terms terms = {_mm512_set1_epi32(multiplier), _mm512_set1_epi32(shift.left), _mm512_set1_epi32(shift.right),
                       _mm512_set1_epi32(static_cast<std::int32_t>((std::uint32_t{1} << shift.right) - 1))};
  for (std::size_t i = 0; i < count; i += kBlock) {
    const auto lanes = static_cast<__mmask16>(count - i >= kBlock ? 0xFFFF : (1U << (count - i)) - 1);
    _mm512_mask_storeu_epi32(values + i, lanes, requantized<false>(_mm512_maskz_loadu_epi32(lanes, values + i), terms));
  }
}

#else

void finish(const TileOutput& tile) noexcept { portable::finish(tile); }
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept { portable::requantize(values, count, multiplier, shift); }

#endif

}  // namespace naru::mockdev::vnni
