// SHA-256 of sixteen messages side by side, one in each lane of AVX-512: it rotates, and takes any function of three words in one operation. Where a CPU has SHA
// instructions too, these are as busy with two messages as they can be, and take longer (docs/decisions/0010).
#include "sha256.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace naru {

#if defined(__x86_64__)
#define NARU_TARGET_LANES __attribute__((target("avx512f,avx512bw")))
#define NARU_LANES_INLINE NARU_TARGET_LANES __attribute__((always_inline)) inline

namespace {

/// Truth tables of three inputs for the one operation that does them all.
constexpr int kParity = 0x96, kChoose = 0xCA, kMajority = 0xE8;

using Words = __m512i[16];

/// The same 64 bytes of each message, as sixteen words of all messages.
NARU_LANES_INLINE void load_words(Words& words, const std::byte* data, std::size_t stride) noexcept {
  const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  Words rows, pairs, quads;
#pragma GCC unroll 16
  for (std::size_t i = 0; i < 16; ++i) rows[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data + i * stride), swap);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  // quads[4 n + w]: of messages 4 n to 4 n + 3, words w, w + 4, w + 8, w + 12, one in each 128 bits.
#pragma GCC unroll 4
  for (std::size_t i = 0; i < 16; i += 4) {
    quads[i] = _mm512_unpacklo_epi64(pairs[i], pairs[i + 2]);
    quads[i + 1] = _mm512_unpackhi_epi64(pairs[i], pairs[i + 2]);
    quads[i + 2] = _mm512_unpacklo_epi64(pairs[i + 1], pairs[i + 3]);
    quads[i + 3] = _mm512_unpackhi_epi64(pairs[i + 1], pairs[i + 3]);
  }
#pragma GCC unroll 4
  for (std::size_t w = 0; w < 4; ++w) {
    const __m512i even_low = _mm512_shuffle_i32x4(quads[w], quads[4 + w], 0x88), even_high = _mm512_shuffle_i32x4(quads[8 + w], quads[12 + w], 0x88);
    const __m512i odd_low = _mm512_shuffle_i32x4(quads[w], quads[4 + w], 0xDD), odd_high = _mm512_shuffle_i32x4(quads[8 + w], quads[12 + w], 0xDD);
    words[w] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
    words[w + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xDD);
    words[w + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
    words[w + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xDD);
  }
}

/// Sums in the order that is written: what the next round waits for is added last.
NARU_LANES_INLINE __m512i kept(__m512i value) noexcept {
  asm("" : "+v"(value));
  return value;
}

/// Sixteen rounds; with kMore, the words of the next sixteen take the place of theirs.
template <bool kMore>
NARU_LANES_INLINE void rounds(__m512i (&state)[8], Words& words, const std::uint32_t* constants) noexcept {
#pragma GCC unroll 16
  for (unsigned i = 0; i < 16; ++i) {
    // Instead of the values, their names move on.
    __m512i &a = state[(0 - i) & 7], &b = state[(1 - i) & 7], &c = state[(2 - i) & 7], &d = state[(3 - i) & 7];
    __m512i &e = state[(4 - i) & 7], &f = state[(5 - i) & 7], &g = state[(6 - i) & 7], &h = state[(7 - i) & 7];
    const __m512i upper = _mm512_ternarylogic_epi32(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25), kParity);
    const __m512i lower = _mm512_ternarylogic_epi32(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22), kParity);
    const __m512i given = kept(_mm512_add_epi32(kept(_mm512_add_epi32(words[i], _mm512_set1_epi32(static_cast<int>(constants[i])))), h));
    const __m512i moved = kept(_mm512_add_epi32(d, given));
    const __m512i given_too = kept(_mm512_add_epi32(given, _mm512_ternarylogic_epi32(a, b, c, kMajority)));
    const __m512i first = kept(_mm512_add_epi32(upper, _mm512_ternarylogic_epi32(e, f, g, kChoose)));
    d = _mm512_add_epi32(moved, first);
    h = _mm512_add_epi32(kept(_mm512_add_epi32(given_too, lower)), first);
    if constexpr (kMore) {
      const __m512i early = words[(i + 1) & 15], late = words[(i + 14) & 15];
      const __m512i from_early = _mm512_ternarylogic_epi32(_mm512_ror_epi32(early, 7), _mm512_ror_epi32(early, 18), _mm512_srli_epi32(early, 3), kParity);
      const __m512i from_late = _mm512_ternarylogic_epi32(_mm512_ror_epi32(late, 17), _mm512_ror_epi32(late, 19), _mm512_srli_epi32(late, 10), kParity);
      words[i] = _mm512_add_epi32(_mm512_add_epi32(words[i], words[(i + 9) & 15]), _mm512_add_epi32(from_early, from_late));
    }
  }
}

}  // namespace

bool cpu_has_sha_lanes() noexcept { return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0; }

NARU_TARGET_LANES std::array<Sha256State, kShaLanes> sha256_lanes(const std::byte* data, std::size_t stride, std::size_t blocks) noexcept {
  __m512i state[8];
  for (std::size_t i = 0; i < 8; ++i) state[i] = _mm512_set1_epi32(static_cast<int>(kShaStart[i]));
  for (; blocks > 0; --blocks, data += kShaBlock) {
    __m512i before[8];
    Words words;
    for (std::size_t i = 0; i < 8; ++i) before[i] = state[i];
    load_words(words, data, stride);
    for (unsigned i = 0; i < 48; i += 16) rounds<true>(state, words, kShaK + i);
    rounds<false>(state, words, kShaK + 48);
    for (std::size_t i = 0; i < 8; ++i) state[i] = _mm512_add_epi32(state[i], before[i]);
  }
  std::array<Sha256State, kShaLanes> states;
  for (std::size_t i = 0; i < 8; ++i) {
    alignas(64) std::array<std::uint32_t, kShaLanes> lanes;
    _mm512_store_si512(lanes.data(), state[i]);
    for (std::size_t lane = 0; lane < kShaLanes; ++lane) states[lane][i] = lanes[lane];
  }
  return states;
}

#else

bool cpu_has_sha_lanes() noexcept { return false; }
std::array<Sha256State, kShaLanes> sha256_lanes(const std::byte*, std::size_t, std::size_t) noexcept { return {}; }

#endif

}  // namespace naru
