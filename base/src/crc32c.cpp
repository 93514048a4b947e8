// CRC-32C: by table, by the instruction of SSE4.2, and which way is taken. Folding has a file of its own.
#include "crc32c.h"

#include <array>
#include <cstring>

#include "naru/base/hash.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace naru {
namespace {

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = crc32c_times_x(value);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

}  // namespace

std::uint32_t crc32c_by_table(const std::byte* data, std::size_t size, std::uint32_t state) noexcept {
  for (std::size_t i = 0; i < size; ++i) state = (state >> 8) ^ kCrcTable[(state ^ static_cast<std::uint32_t>(data[i])) & 0xFF];
  return state;
}

#if defined(__x86_64__)
namespace {

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

}  // namespace

__attribute__((target("sse4.2"))) std::uint32_t crc32c_by_instruction(const std::byte* data, std::size_t size, std::uint32_t state) noexcept {
  if (size >= 3 * kShortLane) {
    state = crc32c_lanes<kLongLane>(data, size, state);
    state = crc32c_lanes<kMiddleLane>(data, size, state);
    state = crc32c_lanes<kShortLane>(data, size, state);
  }
  std::uint64_t wide = state;
  for (; size >= 8; data += 8, size -= 8) wide = _mm_crc32_u64(wide, word(data));
  state = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++data, --size) state = _mm_crc32_u8(state, static_cast<std::uint8_t>(*data));
  return state;
}

bool cpu_has_crc_instruction() noexcept { return __builtin_cpu_supports("sse4.2"); }
#else
bool cpu_has_crc_instruction() noexcept { return false; }
std::uint32_t crc32c_by_instruction(const std::byte* data, std::size_t size, std::uint32_t state) noexcept { return crc32c_by_table(data, size, state); }
#endif

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed) noexcept {
  static const struct {
    bool instruction = cpu_has_crc_instruction(), folds = cpu_has_crc_folds();
  } has;
  std::uint32_t state = ~seed;
  if (has.folds && bytes.size() >= kCrcFoldBytes) {
    const std::size_t whole = bytes.size() / kCrcFoldBytes * kCrcFoldBytes;
    state = crc32c_by_folding(bytes.data(), whole, state);
    bytes = bytes.subspan(whole);
  }
  return ~(has.instruction ? crc32c_by_instruction(bytes.data(), bytes.size(), state) : crc32c_by_table(bytes.data(), bytes.size(), state));
}

}  // namespace naru
