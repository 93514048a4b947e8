// What the AVX2 files share: the target attribute of their functions, and requantisation the short way. Include only from *_avx2.cpp.
#pragma once

#include "units/kernels.h"
#include "units/unroll.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NARU_TARGET_AVX2 __attribute__((target("avx2")))
/// After a lambda's parameters.
#define NARU_AVX2_LAMBDA NARU_TARGET_AVX2 __attribute__((always_inline))
#define NARU_AVX2_INLINE NARU_AVX2_LAMBDA inline

namespace naru::mockdev::avx2 {

NARU_AVX2_INLINE __m256i load_vector(const void* from) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
NARU_AVX2_INLINE void store_vector(void* to, __m256i value) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(to), value); }

/// sum += value, where it stands: g++ 12 moves additions about, and then sums from register to register, for which there is neither room nor time.
NARU_AVX2_INLINE void accumulate(__m256i& sum, __m256i value) noexcept { asm("vpaddd %1, %0, %0" : "+x"(sum) : "x"(value)); }

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
    const __m256i own_right = load_vector(terms.right + at);
    *this = ShortTerms(load_vector(terms.multiplier + at), own_right, _mm256_sub_epi32(load_vector(terms.rounding + at), _mm256_sllv_epi32(_mm256_set1_epi32(lower), own_right)), with_sign);
  }
  /// `x`: sums that have their start and 2^31.
  template <bool kWithSign>
  [[nodiscard]] NARU_AVX2_INLINE __m256i rounded(__m256i x) const noexcept {
    const __m256i high = high_product(x);
    return _mm256_srav_epi32(kWithSign ? _mm256_add_epi32(high, _mm256_srli_epi32(x, 31)) : high, right);
  }
  [[nodiscard]] NARU_AVX2_INLINE __m256i high_product(__m256i x) const noexcept {
    const __m256i evens = _mm256_add_epi64(_mm256_mul_epu32(x, factor), even), odds = _mm256_add_epi64(_mm256_mul_epu32(_mm256_srli_epi64(x, 32), odd_factor), odd);
    return _mm256_blend_epi32(_mm256_srli_epi64(evens, 32), odds, 0xAA);
  }
};

/// Sixteen values each of two pixels, saturated to signed bytes, clamped, and flipped: the first pixel's sixteen bytes, then the second's.
NARU_AVX2_INLINE __m256i ordered_bytes(__m256i first_low, __m256i first_high, __m256i second_low, __m256i second_high, __m256i lowest, __m256i highest, __m256i flips) noexcept {
  const __m256i mixed = _mm256_packs_epi16(_mm256_packs_epi32(first_low, first_high), _mm256_packs_epi32(second_low, second_high));
  const __m256i clamped = _mm256_xor_si256(_mm256_min_epi8(_mm256_max_epi8(mixed, lowest), highest), flips);
  return _mm256_permutevar8x32_epi32(clamped, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/// What becomes of the sums of one block of channels, where they become codes. Unsigned ones are signed ones 128 lower until they are stored.
struct CodeTerms {
  ShortTerms low, high;
  __m256i lowest, highest, flips;
  std::int32_t lower;

  NARU_AVX2_INLINE CodeTerms(bool is_signed, std::int32_t lowest_code, std::int32_t highest_code) noexcept : lower(is_signed ? 0 : 128) {
    flips = _mm256_set1_epi8(static_cast<char>(lower));
    lowest = _mm256_set1_epi8(static_cast<char>(wrap_sub(lowest_code, lower))), highest = _mm256_set1_epi8(static_cast<char>(wrap_sub(highest_code, lower)));
  }
  NARU_AVX2_INLINE void load(const ChannelTerms& terms, std::uint32_t at, bool with_sign) noexcept { low = ShortTerms(terms, at, with_sign, lower), high = ShortTerms(terms, at + 8, with_sign, lower); }
};

/// Sixteen sums each to target, target + step, ...
template <int kCount>
NARU_AVX2_INLINE void store_sums(const __m256i (&sums)[kCount][2], std::byte* target, std::size_t step) noexcept {
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m, target += step) {
    store_vector(target, sums[m][0]);
    store_vector(target + sizeof(__m256i), sums[m][1]);
  }
}

/// Of sums that have their start and 2^31; sixteen bytes each to target, target + step, ...
template <bool kWithSign, int kCount>
NARU_AVX2_INLINE void store_codes(const __m256i (&sums)[kCount][2], const CodeTerms& terms, std::byte* target, std::size_t step) noexcept {
  NARU_UNROLL
  for (int m = 0; m < kCount; m += 2) {
    const int next = m + 1 < kCount ? m + 1 : m;
    const __m256i low = terms.low.rounded<kWithSign>(sums[m][0]), high = terms.high.rounded<kWithSign>(sums[m][1]);
    const bool both = next != m;
    const __m256i codes = ordered_bytes(low, high, both ? terms.low.rounded<kWithSign>(sums[next][0]) : low, both ? terms.high.rounded<kWithSign>(sums[next][1]) : high, terms.lowest, terms.highest, terms.flips);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(target), _mm256_castsi256_si128(codes));
    if (both) _mm_storeu_si128(reinterpret_cast<__m128i*>(target + step), _mm256_extracti128_si256(codes, 1));
    target += 2 * step;
  }
}

}  // namespace naru::mockdev::avx2
#endif
