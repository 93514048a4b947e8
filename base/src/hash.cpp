// CRC-32C and SHA-256 (FIPS 180-4), with the CPU's instructions where there are any.
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

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t crc32c_table(const std::byte* data, std::size_t size, std::uint32_t crc) noexcept {
  for (std::size_t i = 0; i < size; ++i) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<std::uint32_t>(data[i])) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
/// The instruction takes three cycles, and another may begin in each of them: three stretches of so many bytes go side by side. Long ones for payloads, the others for messages.
constexpr std::size_t kLongLane = 1024, kMiddleLane = 512, kShortLane = 128;
constexpr std::size_t kCacheLine = 64;

/// What kLane zero bytes make of a CRC, by the CRC's four bytes: it is linear, so the parts are added.
template <std::size_t kLane>
constexpr std::array<std::array<std::uint32_t, 256>, 4> make_crc_shift() {
  std::array<std::array<std::uint32_t, 256>, 4> table{};
  for (std::size_t bit = 0; bit < 32; ++bit) {
    std::uint32_t value = std::uint32_t{1} << bit;
    for (std::size_t i = 0; i < kLane; ++i) value = (value >> 8) ^ kCrcTable[value & 0xFF];
    for (std::size_t byte = 0; byte < 256; ++byte)
      if (((byte >> (bit % 8)) & 1) != 0) table[bit / 8][byte] ^= value;
  }
  return table;
}
template <std::size_t kLane>
constexpr auto kCrcShift = make_crc_shift<kLane>();

std::uint64_t word(const std::byte* at) noexcept {
  std::uint64_t value;
  std::memcpy(&value, at, 8);
  return value;
}

/// Takes whole triples of lanes from the front.
template <std::size_t kLane>
__attribute__((target("sse4.2"))) std::uint32_t crc32c_lanes(const std::byte*& data, std::size_t& size, std::uint32_t crc) noexcept {
  const auto after_lane = [](std::uint32_t value) {
    return kCrcShift<kLane>[0][value & 0xFF] ^ kCrcShift<kLane>[1][(value >> 8) & 0xFF] ^ kCrcShift<kLane>[2][(value >> 16) & 0xFF] ^ kCrcShift<kLane>[3][value >> 24];
  };
  for (; size >= 3 * kLane; data += 3 * kLane, size -= 3 * kLane) {
    std::uint64_t first = crc, second = 0, third = 0;
    for (std::size_t i = 0; i < kLane; i += kCacheLine) {
      // Three streams that jump at each turn are more than the CPU foresees: what comes from outside its second cache took half as long again.
      if constexpr (kLane == kLongLane)
        for (std::size_t lane = 0; lane < 3; ++lane) __builtin_prefetch(data + (3 + lane) * kLane + i);
#pragma GCC unroll 8
      for (std::size_t j = i; j < i + kCacheLine; j += 8) {
        first = _mm_crc32_u64(first, word(data + j));
        second = _mm_crc32_u64(second, word(data + kLane + j));
        third = _mm_crc32_u64(third, word(data + 2 * kLane + j));
      }
    }
    crc = after_lane(after_lane(static_cast<std::uint32_t>(first)) ^ static_cast<std::uint32_t>(second)) ^ static_cast<std::uint32_t>(third);
  }
  return crc;
}

__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(const std::byte* data, std::size_t size, std::uint32_t crc) noexcept {
  crc = crc32c_lanes<kLongLane>(data, size, crc);
  crc = crc32c_lanes<kMiddleLane>(data, size, crc);
  crc = crc32c_lanes<kShortLane>(data, size, crc);
  std::uint64_t wide = crc;
  for (; size >= 8; data += 8, size -= 8) wide = _mm_crc32_u64(wide, word(data));
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++data, --size) crc = _mm_crc32_u8(crc, static_cast<std::uint8_t>(*data));
  return crc;
}
#endif

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

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
  const std::uint32_t start = ~seed;
#if defined(__x86_64__)
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
  if (has_sse42) return ~crc32c_sse42(bytes.data(), bytes.size(), start);
#endif
  return ~crc32c_table(bytes.data(), bytes.size(), start);
}

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
