// Sums and differences of quantised bytes in AVX2: both inputs rescaled, added, rescaled and clamped in registers.
#include "units/avx2.h"

namespace naru::mockdev::avx2 {

#if defined(__x86_64__)
namespace {

/// One multiplier for all lanes. A shift of zero, which channels never have here, has no second rounding: nothing is subtracted for negative values.
struct UniformTerms {
  ShortTerms terms;
  __m256i start, sign_shift;

  NARU_AVX2_INLINE UniformTerms(std::int32_t start_value, std::int32_t multiplier, std::int32_t right, std::int32_t zero) noexcept {
    const std::int32_t rounding = right == 0 ? zero + 1 : (1 << (right - 1)) + zero * (1 << right);
    terms = ShortTerms(_mm256_set1_epi32(multiplier), _mm256_set1_epi32(right), _mm256_set1_epi32(rounding), true);
    start = _mm256_set1_epi32(start_value ^ INT32_MIN);
    sign_shift = _mm256_set1_epi32(right == 0 ? 32 : 31);
  }
  [[nodiscard]] NARU_AVX2_INLINE __m256i requantized(__m256i values) const noexcept {
    const __m256i x = _mm256_add_epi32(values, start);
    return _mm256_srav_epi32(_mm256_add_epi32(terms.high_product(x), _mm256_srlv_epi32(x, sign_shift)), terms.right);
  }
};

template <bool kSigned>
NARU_AVX2_INLINE __m256i widened_eight(const std::byte* from) noexcept {
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return kSigned ? _mm256_cvtepi8_epi32(bytes) : _mm256_cvtepu8_epi32(bytes);
}

template <bool kSigned>
NARU_TARGET_AVX2 void add_as(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept {
  const auto left = static_cast<int>(record.left_shift);
  const std::int32_t lower = kSigned ? 0 : 128;
  const UniformTerms a_terms(-record.a_zero * (1 << left), record.a_multiplier, -record.a_shift, 0), b_terms(-record.b_zero * (1 << left), record.b_multiplier, -record.b_shift, 0);
  const UniformTerms output_terms(0, record.output_multiplier, -record.output_shift, record.output_zero - lower);
  const bool subtracts = record.op == abi::ElementwiseOp::kSub;
  const CodeTerms bounds(kSigned, record.activation_min, record.activation_max);
  constexpr std::size_t kAtOnce = 32;
  std::byte last[3][kAtOnce] = {};
  for (std::size_t i = 0; i < count; i += kAtOnce) {
    const std::size_t left_over = count - i;
    const std::byte *x = a + i, *y = b + i;
    std::byte* target = output + i;
    if (left_over < kAtOnce) {
      std::memcpy(last[0], x, left_over);
      std::memcpy(last[1], y, left_over);
      x = last[0], y = last[1], target = last[2];
    }
    __m256i sums[4];
    NARU_UNROLL
    for (std::size_t j = 0; j < 4; ++j) {
      const __m256i of_a = a_terms.requantized(_mm256_slli_epi32(widened_eight<kSigned>(x + 8 * j), left)), of_b = b_terms.requantized(_mm256_slli_epi32(widened_eight<kSigned>(y + 8 * j), left));
      sums[j] = output_terms.requantized(subtracts ? _mm256_sub_epi32(of_a, of_b) : _mm256_add_epi32(of_a, of_b));
    }
    store_vector(target, ordered_bytes(sums[0], sums[1], sums[2], sums[3], bounds.lowest, bounds.highest, bounds.flips));
    if (left_over < kAtOnce) std::memcpy(output + i, last[2], left_over);
  }
}

}  // namespace

void add_bytes(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept {
  record.type == abi::ElementType::kI8 ? add_as<true>(record, a, b, output, count) : add_as<false>(record, a, b, output, count);
}

#else

void add_bytes(const abi::Elementwise&, const std::byte*, const std::byte*, std::byte*, std::size_t) noexcept {}

#endif

}  // namespace naru::mockdev::avx2
