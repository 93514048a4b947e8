// What the AVX2 files share: the target attribute of their functions, and requantisation the short way. Include only from *_avx2.cpp.
#pragma once

#include "units/kernels.h"
#include "units/unroll.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NARU_TARGET_AVX2 __attribute__((target("avx2")))
#define NARU_AVX2_INLINE NARU_TARGET_AVX2 __attribute__((always_inline)) inline

namespace naru::mockdev::avx2 {

/// What the short way needs of eight channels, by the formula in short_terms_vnni.h.
struct ShortTerms {
  __m256i factor, odd_factor, even, odd, right;

  ShortTerms() = default;
  NARU_AVX2_INLINE ShortTerms(__m256i multiplier, __m256i channel_right, __m256i rounding, bool with_sign) noexcept {
    const __m256i half = _mm256_set1_epi64x(std::int64_t{1} << 31);
    const __m256i upper = _mm256_sub_epi32(_mm256_sub_epi32(rounding, multiplier), _mm256_set1_epi32(with_sign ? 1 : 0));
    factor = _mm256_slli_epi32(multiplier, 1);
    odd_factor = _mm256_srli_epi64(factor, 32);
    even = _mm256_or_si256(_mm256_slli_epi64(upper, 32), half);
    odd = _mm256_or_si256(_mm256_blend_epi32(_mm256_setzero_si256(), upper, 0xAA), half);
    right = channel_right;
  }
  /// Of the channels from `at` on; codes `lower` below theirs.
  NARU_AVX2_INLINE ShortTerms(const ChannelTerms& terms, std::uint32_t at, bool with_sign, std::int32_t lower) noexcept {
    const auto loaded = [at](const std::int32_t* values) __attribute__((target("avx2"), always_inline)) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(values + at)); };
    const __m256i own_right = loaded(terms.right);
    *this = ShortTerms(loaded(terms.multiplier), own_right, _mm256_sub_epi32(loaded(terms.rounding), _mm256_sllv_epi32(_mm256_set1_epi32(lower), own_right)), with_sign);
  }
  /// `x`: sums that have their start and 2^31.
  template <bool kWithSign>
  [[nodiscard]] NARU_AVX2_INLINE __m256i rounded(__m256i x) const noexcept {
    const __m256i evens = _mm256_add_epi64(_mm256_mul_epu32(x, factor), even), odds = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), odd_factor), odd);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(evens, 32), odds, 0xAA);
    return _mm256_srav_epi32(kWithSign ? _mm256_add_epi32(high, _mm256_srli_epi32(x, 31)) : high, right);
  }
};

/// Sixteen values each of two pixels, saturated to signed bytes, clamped, and flipped: the first pixel's sixteen bytes, then the second's.
NARU_AVX2_INLINE __m256i ordered_bytes(__m256i first_low, __m256i first_high, __m256i second_low, __m256i second_high, __m256i lowest, __m256i highest, __m256i flips) noexcept {
  const __m256i mixed = _mm256_packs_epi16(_mm256_packs_epi32(first_low, first_high), _mm256_packs_epi32(second_low, second_high));
  const __m256i clamped = _mm256_xor_si256(_mm256_min_epi8(_mm256_max_epi8(mixed, lowest), highest), flips);
  return _mm256_permutevar8x32_epi32(clamped, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

}  // namespace naru::mockdev::avx2
#endif
