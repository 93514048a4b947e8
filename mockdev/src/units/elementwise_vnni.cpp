// Sums and differences of quantised bytes in AVX-512: both inputs rescaled, added, rescaled and clamped in registers.
#include "units/short_terms_vnni.h"

namespace naru::mockdev::vnni {

#if defined(__x86_64__)
namespace {

/// One multiplier for all sixteen lanes. A shift of zero, which channels never have here, has no second rounding: nothing is subtracted for negative values.
struct UniformTerms {
  ShortTerms terms;
  __m512i sign_shift;

  NARU_VNNI_INLINE UniformTerms(std::int32_t start, std::int32_t multiplier, std::int32_t right, std::int32_t zero) noexcept {
    const std::int32_t rounding = right == 0 ? zero + 1 : (1 << (right - 1)) + zero * (1 << right);
    terms = ShortTerms(_mm512_set1_epi32(start), _mm512_set1_epi32(multiplier), _mm512_set1_epi32(right), _mm512_set1_epi32(rounding), true);
    sign_shift = _mm512_set1_epi32(right == 0 ? 32 : 31);
  }
  [[nodiscard]] NARU_VNNI_INLINE __m512i requantized(__m512i values) const noexcept {
    const __m512i x = _mm512_add_epi32(values, terms.start);
    return terms.rounded<true>(x, _mm512_srli_epi64(x, 32), sign_shift);
  }
};

template <bool kSigned>
NARU_VNNI_INLINE __m512i widened(const std::byte* from, __mmask16 lanes) noexcept {
  const __m128i bytes = _mm_maskz_loadu_epi8(lanes, from);
  return kSigned ? _mm512_cvtepi8_epi32(bytes) : _mm512_cvtepu8_epi32(bytes);
}

template <bool kSigned>
NARU_TARGET_VNNI void add_as(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept {
  const auto left = static_cast<unsigned>(record.left_shift);
  const UniformTerms a_terms(-record.a_zero * (1 << left), record.a_multiplier, -record.a_shift, 0), b_terms(-record.b_zero * (1 << left), record.b_multiplier, -record.b_shift, 0);
  const UniformTerms output_terms(0, record.output_multiplier, -record.output_shift, record.output_zero);
  const bool subtracts = record.op == abi::ElementwiseOp::kSub;
  const __m512i lowest = _mm512_set1_epi8(static_cast<char>(record.activation_min)), highest = _mm512_set1_epi8(static_cast<char>(record.activation_max));
  for (std::size_t i = 0; i < count; i += 64) {
    const std::uint64_t lanes = count - i >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (count - i)) - 1;
    __m512i sums[4];
    NARU_UNROLL
    for (std::size_t j = 0; j < 4; ++j) {
      const auto part = static_cast<__mmask16>(lanes >> (16 * j));
      const __m512i x = a_terms.requantized(_mm512_slli_epi32(widened<kSigned>(a + i + 16 * j, part), left));
      const __m512i y = b_terms.requantized(_mm512_slli_epi32(widened<kSigned>(b + i + 16 * j, part), left));
      sums[j] = output_terms.requantized(subtracts ? _mm512_sub_epi32(x, y) : _mm512_add_epi32(x, y));
    }
    _mm512_mask_storeu_epi8(output + i, lanes, ordered_bytes<kSigned>(sums[0], sums[1], sums[2], sums[3], lowest, highest));
  }
}

}  // namespace

void add_bytes(const abi::Elementwise& record, const std::byte* a, const std::byte* b, std::byte* output, std::size_t count) noexcept {
  record.type == abi::ElementType::kI8 ? add_as<true>(record, a, b, output, count) : add_as<false>(record, a, b, output, count);
}

#else

void add_bytes(const abi::Elementwise&, const std::byte*, const std::byte*, std::byte*, std::size_t) noexcept {}

#endif

}  // namespace naru::mockdev::vnni
