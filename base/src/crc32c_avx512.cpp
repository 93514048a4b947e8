// CRC-32C by folding (V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009), 256 bytes a step with VPCLMULQDQ: what has come so
// far is a polynomial, and to move it past the next 256 bytes is to multiply it by x^2048, which modulo the CRC's is two carry-less products for each 128 bits.
#include "crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace naru {

#if defined(__x86_64__)
#define NARU_TARGET_FOLDS __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.2")))
#define NARU_FOLDS_INLINE NARU_TARGET_FOLDS __attribute__((always_inline)) inline

namespace {

/// x^power modulo the CRC's polynomial as a factor of a product of 64 bits: bit 63 is x^0, as the CRC counts from the first bit of a byte.
constexpr std::uint64_t power_of_x(std::size_t power) {
  std::uint32_t value = 0x80000000U;
  for (std::size_t i = 0; i < power; ++i) value = crc32c_times_x(value);
  return std::uint64_t{value} << 32;
}

/// Factors that move 128 bits past `bits` more: of their first 64, which have the higher powers, and of the others. A product comes out one power too high.
struct Factors {
  std::uint64_t first, second;
};
constexpr Factors past(std::size_t bits) { return {power_of_x(bits + 63), power_of_x(bits - 1)}; }

constexpr std::size_t kRegister = 64, kRegisters = kCrcFoldBytes / kRegister;
constexpr Factors kPastStep = past(8 * kCrcFoldBytes);
constexpr std::array<Factors, kRegisters - 1> kPastRegisters = {past(8 * kRegister * 3), past(8 * kRegister * 2), past(8 * kRegister)};
/// Of the four parts of one register to its last one, which stays.
constexpr std::array<Factors, 4> kPastParts = {past(128 * 3), past(128 * 2), past(128), Factors{0, 0}};

NARU_FOLDS_INLINE __m512i everywhere(const Factors& factors) noexcept {
  return _mm512_broadcast_i32x4(_mm_set_epi64x(static_cast<long long>(factors.second), static_cast<long long>(factors.first)));
}

NARU_FOLDS_INLINE __m512i fold(__m512i value, __m512i factors, __m512i next) noexcept {
  constexpr int kSumOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(value, factors, 0x00), _mm512_clmulepi64_epi128(value, factors, 0x11), next, kSumOfThree);
}

}  // namespace

NARU_TARGET_FOLDS std::uint32_t crc32c_by_folding(const std::byte* data, std::size_t size, std::uint32_t state) noexcept {
  __m512i sums[kRegisters];
  for (std::size_t i = 0; i < kRegisters; ++i) sums[i] = _mm512_loadu_si512(data + i * kRegister);
  sums[0] = _mm512_xor_si512(sums[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
  const __m512i step = everywhere(kPastStep);
  for (data += kCrcFoldBytes, size -= kCrcFoldBytes; size != 0; data += kCrcFoldBytes, size -= kCrcFoldBytes) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kRegisters; ++i) sums[i] = fold(sums[i], step, _mm512_loadu_si512(data + i * kRegister));
  }
  __m512i sum = sums[kRegisters - 1];
  for (std::size_t i = 0; i < kRegisters - 1; ++i) sum = fold(sums[i], everywhere(kPastRegisters[i]), sum);
  const __m512i moved = fold(sum, _mm512_loadu_si512(kPastParts.data()), _mm512_setzero_si512());
  const __m128i rest = _mm_xor_si128(_mm_xor_si128(_mm512_castsi512_si128(moved), _mm512_extracti32x4_epi32(moved, 1)),
                                     _mm_xor_si128(_mm512_extracti32x4_epi32(moved, 2), _mm512_extracti32x4_epi32(sum, 3)));
  const std::uint64_t first = _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(rest)));
  return static_cast<std::uint32_t>(_mm_crc32_u64(first, static_cast<std::uint64_t>(_mm_extract_epi64(rest, 1))));
}

bool cpu_has_crc_folds() noexcept { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq") && __builtin_cpu_supports("sse4.2"); }
#else
bool cpu_has_crc_folds() noexcept { return false; }
std::uint32_t crc32c_by_folding(const std::byte*, std::size_t, std::uint32_t state) noexcept { return state; }
#endif

}  // namespace naru
