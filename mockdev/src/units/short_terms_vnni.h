// The short way through requantisation in AVX-512, for every file that finishes sums. Include only from *_vnni.cpp.
#pragma once

#include "units/kernels.h"
#include "units/vnni.h"

#if defined(__x86_64__)
namespace naru::mockdev::vnni {

/// What the short way needs of sixteen channels.
///
/// With x the sum, m the multiplier, s the right shift: SRDHM and RDivByPOT together are floor((x * m + 2^30 + 2^(30+s) - (x < 0 ? 2^31 : 0)) / 2^(31+s)), because
/// roundings to the next lower integer nest. So that the product needs no sign and its upper half no shift, it is (x + 2^31) * 2m, unsigned; `even` and `odd` are
/// constants of the even and odd channels that hold, modulo 2^64, both roundings, the zero point << s, and what the 2^31 has added.
///
/// Where the lower bound is the zero point or more (a ReLU), the term for negative x makes no difference: s is at least 1, so with or without it they come to no more than zero, and end at the bound.
struct ShortTerms {
  __m512i start, factor, odd_factor, even, odd, right;

  ShortTerms() = default;
  /// `with_sign` as in requantized().
  NARU_VNNI_INLINE ShortTerms(__m512i channel_start, __m512i multiplier, __m512i channel_right, __m512i rounding, bool with_sign) noexcept {
    const __m512i half = _mm512_set1_epi64(std::int64_t{1} << 31);
    const __m512i upper = _mm512_sub_epi32(_mm512_sub_epi32(rounding, multiplier), _mm512_set1_epi32(with_sign ? 1 : 0));
    start = _mm512_xor_si512(channel_start, _mm512_set1_epi32(INT32_MIN));
    factor = _mm512_slli_epi32(multiplier, 1);
    odd_factor = _mm512_srli_epi64(factor, 32);
    even = _mm512_or_si512(_mm512_slli_epi64(upper, 32), half);
    odd = _mm512_or_si512(_mm512_maskz_mov_epi32(0xAAAA, upper), half);
    right = channel_right;
  }
  template <bool kWithSign>
  [[nodiscard]] NARU_VNNI_INLINE __m512i requantized(__m512i sums) const noexcept {
    const __m512i x = _mm512_add_epi32(sums, start);
    return rounded<kWithSign>(x, _mm512_srli_epi64(x, 32));
  }
  /// Of sixteen sums in memory that have `start` already.
  template <bool kWithSign>
  [[nodiscard]] NARU_VNNI_INLINE __m512i requantized_started(const std::int32_t* sums) const noexcept {
    return rounded<kWithSign>(_mm512_load_si512(sums), _mm512_loadu_si512(sums + 1));
  }
  /// From the even values of `x` and the even lanes of `odd_x`.
  template <bool kWithSign>
  [[nodiscard]] NARU_VNNI_INLINE __m512i rounded(__m512i x, __m512i odd_x, __m512i sign_shift = _mm512_set1_epi32(31)) const noexcept {
    const __m512i high = high_product(x, odd_x);
    // `even` and `odd` have 2^31 subtracted for every x; here it is added for those that are not negative.
    return _mm512_srav_epi32(kWithSign ? _mm512_add_epi32(high, _mm512_srlv_epi32(x, sign_shift)) : high, right);
  }

 private:
  [[nodiscard]] NARU_VNNI_INLINE __m512i high_product(__m512i x, __m512i odd_x) const noexcept {
    const __m512i evens = _mm512_add_epi64(_mm512_mul_epu32(x, factor), even), odds = _mm512_add_epi64(_mm512_mul_epu32(odd_x, odd_factor), odd);
    return _mm512_mask_shuffle_epi32(odds, 0x5555, evens, _MM_PERM_DDBB);
  }
};

/// Four vectors of sixteen values, saturated and clamped to bytes; each 128 bits hold four of all four vectors.
template <bool kSigned>
NARU_VNNI_INLINE __m512i packed_bytes(__m512i a, __m512i b, __m512i c, __m512i d, __m512i lowest, __m512i highest) noexcept {
  const __m512i ab = _mm512_packs_epi32(a, b), cd = _mm512_packs_epi32(c, d);
  if constexpr (kSigned) return _mm512_min_epi8(_mm512_max_epi8(_mm512_packs_epi16(ab, cd), lowest), highest);
  return _mm512_min_epu8(_mm512_max_epu8(_mm512_packus_epi16(ab, cd), lowest), highest);
}

/// The same with the bytes of the first vector first, then those of the second, ...
template <bool kSigned>
NARU_VNNI_INLINE __m512i ordered_bytes(__m512i a, __m512i b, __m512i c, __m512i d, __m512i lowest, __m512i highest) noexcept {
  return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), packed_bytes<kSigned>(a, b, c, d, lowest, highest));
}

}  // namespace naru::mockdev::vnni
#endif
