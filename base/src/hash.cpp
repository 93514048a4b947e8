// SHA-256 (FIPS 180-4), with the CPU's instructions where there are any.
#include "naru/base/hash.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "naru/base/bytes.h"
#include "sha256.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace naru {
namespace {

void sha256_block(Sha256State& state, const std::byte* block) noexcept {
  std::uint32_t w[64];
  for (int i = 0; i < 16; ++i) {
    std::uint32_t word;
    std::memcpy(&word, block + 4 * i, 4);
    w[i] = __builtin_bswap32(word);
    if constexpr (std::endian::native == std::endian::big) w[i] = word;
  }
  for (int i = 16; i < 64; ++i) {
    const std::uint32_t s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
    const std::uint32_t s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + s0 + w[i - 7] + s1;
  }
  auto [a, b, c, d, e, f, g, h] = state;
  for (int i = 0; i < 64; ++i) {
    const std::uint32_t t1 = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + kShaK[i] + w[i];
    const std::uint32_t t2 = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g; g = f; f = e; e = d + t1; d = c; c = b; b = a; a = t1 + t2;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

#if defined(__x86_64__)
/// SHA-NI together with the shuffles that it is fed by; __builtin_cpu_supports() does not know "sha" under every compiler.
bool cpu_has_sha() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kSsse3 = 1u << 9, kSse41 = 1u << 19, kSha = 1u << 29;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kSsse3) == 0 || (c & kSse41) == 0) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kSha) != 0;
}

/// The instructions hold the state as {a b e f} and {c d g h}, and do two rounds at a time. Each waits for the one before it: two messages side by side take
/// less time than one after the other.
template <std::size_t kMessages>
__attribute__((target("sha,ssse3,sse4.1"))) void sha256_blocks_ni(std::array<Sha256State*, kMessages> states, std::array<const std::byte*, kMessages> data, std::size_t blocks) noexcept {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  __m128i abef[kMessages], cdgh[kMessages];
  for (std::size_t m = 0; m < kMessages; ++m) {
    const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(states[m]->data())), 0xB1);       // c d a b
    const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(states[m]->data() + 4)), 0x1B);  // e f g h
    abef[m] = _mm_alignr_epi8(low, high, 8);
    cdgh[m] = _mm_blend_epi16(high, low, 0xF0);
  }
  for (; blocks > 0; --blocks) {
    __m128i abef_before[kMessages], cdgh_before[kMessages], w[kMessages][4];
    for (std::size_t m = 0; m < kMessages; ++m) {
      abef_before[m] = abef[m];
      cdgh_before[m] = cdgh[m];
      for (int i = 0; i < 4; ++i) w[m][i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(data[m] + 16 * i)), swap);
      data[m] += kShaBlock;
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
#pragma GCC unroll 2
      for (std::size_t m = 0; m < kMessages; ++m) {
        const __m128i words = w[m][i % 4];
        const __m128i sum = _mm_add_epi32(words, _mm_loadu_si128(reinterpret_cast<const __m128i*>(kShaK + 4 * i)));
        cdgh[m] = _mm_sha256rnds2_epu32(cdgh[m], abef[m], sum);
        abef[m] = _mm_sha256rnds2_epu32(abef[m], cdgh[m], _mm_shuffle_epi32(sum, 0x0E));
        if (i >= 12) continue;
        const __m128i partly = _mm_add_epi32(_mm_sha256msg1_epu32(words, w[m][(i + 1) % 4]), _mm_alignr_epi8(w[m][(i + 3) % 4], w[m][(i + 2) % 4], 4));
        w[m][i % 4] = _mm_sha256msg2_epu32(partly, w[m][(i + 3) % 4]);
      }
    }
    for (std::size_t m = 0; m < kMessages; ++m) {
      abef[m] = _mm_add_epi32(abef[m], abef_before[m]);
      cdgh[m] = _mm_add_epi32(cdgh[m], cdgh_before[m]);
    }
  }
  for (std::size_t m = 0; m < kMessages; ++m) {
    const __m128i feba = _mm_shuffle_epi32(abef[m], 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(cdgh[m], 0xB1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(states[m]->data()), _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(states[m]->data() + 4), _mm_alignr_epi8(dchg, feba, 8));
  }
}
#endif

template <std::size_t kMessages>
void sha256_blocks(std::array<Sha256State*, kMessages> states, std::array<const std::byte*, kMessages> data, std::size_t blocks) noexcept {
#if defined(__x86_64__)
  static const bool has_sha = cpu_has_sha();
  if (has_sha) return sha256_blocks_ni<kMessages>(states, data, blocks);
#endif
  for (std::size_t m = 0; m < kMessages; ++m)
    for (std::size_t i = 0; i < blocks; ++i) sha256_block(*states[m], data[m] + i * kShaBlock);
}

/// `rest` is what is left of `total` bytes, less than a block; the others are in the state.
Sha256 finish(Sha256State state, std::span<const std::byte> rest, std::uint64_t total) noexcept {
  std::byte tail[2 * kShaBlock] = {};
  if (!rest.empty()) std::memcpy(tail, rest.data(), rest.size());
  tail[rest.size()] = std::byte{0x80};
  const std::size_t padded = rest.size() < kShaBlock - 8 ? kShaBlock : 2 * kShaBlock;
  const std::uint64_t bits = total * 8;
  for (int i = 0; i < 8; ++i) tail[padded - 1 - static_cast<std::size_t>(i)] = static_cast<std::byte>(bits >> (8 * i));
  sha256_blocks<1>({&state}, {tail}, padded / kShaBlock);
  Sha256 digest;
  for (std::size_t i = 0; i < 32; ++i) digest[i] = static_cast<std::byte>(state[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

}  // namespace

Sha256 sha256(std::span<const std::byte> bytes) noexcept {
  Sha256State state = kShaStart;
  const std::size_t blocks = bytes.size() / kShaBlock;
  sha256_blocks<1>({&state}, {bytes.data()}, blocks);
  return finish(state, bytes.subspan(blocks * kShaBlock), bytes.size());
}

Sha256 sha256_of_parts(std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kBlocks = kSha256PartBytes / kShaBlock;
  static_assert(kSha256PartBytes % kShaBlock == 0 && 2 * sizeof(Sha256) == kShaBlock);
  Sha256State list = kShaStart;
  std::uint64_t listed = 0;
  // `states` are those of the next parts.
  const auto enlist = [&]<std::size_t kParts>(const std::array<Sha256State, kParts>& states) {
    std::array<Sha256, kParts> digests;
    for (std::size_t i = 0; i < kParts; ++i) digests[i] = finish(states[i], {}, kSha256PartBytes);
    sha256_blocks<1>({&list}, {digests[0].data()}, sizeof digests / kShaBlock);
    listed += sizeof digests;
    bytes = bytes.subspan(kParts * kSha256PartBytes);
  };
  static const bool has_lanes = cpu_has_sha_lanes();
  while (has_lanes && bytes.size() >= kShaLanes * kSha256PartBytes) enlist(sha256_lanes(bytes.data(), kSha256PartBytes, kBlocks));
  while (bytes.size() >= 2 * kSha256PartBytes) {
    std::array<Sha256State, 2> states = {kShaStart, kShaStart};
    sha256_blocks<2>({&states[0], &states[1]}, {bytes.data(), bytes.data() + kSha256PartBytes}, kBlocks);
    enlist(states);
  }
  // At most two are left, of which the second is no whole one.
  std::array<Sha256, 2> last{};
  std::size_t count = 0;
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), kSha256PartBytes);
    last[count++] = sha256(bytes.first(part));
    bytes = bytes.subspan(part);
  }
  listed += count * sizeof(Sha256);
  if (count == 2) sha256_blocks<1>({&list}, {last[0].data()}, 1);
  return finish(list, std::span<const std::byte>(last[0].data(), count == 1 ? sizeof(Sha256) : 0), listed);
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (std::byte byte : bytes) {
    text += kDigits[static_cast<unsigned>(byte) >> 4];
    text += kDigits[static_cast<unsigned>(byte) & 15];
  }
  return text;
}

}  // namespace naru
