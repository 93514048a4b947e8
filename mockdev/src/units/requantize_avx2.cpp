// What becomes of a tile of sums, in AVX2, where nothing is added per pixel: bytes the short way, or the sums as they are. The rest is requantize_highway.cpp's.
#include "units/avx2.h"

namespace naru::mockdev::avx2 {

#if defined(__x86_64__)
namespace {

NARU_AVX2_INLINE __m256i load_values(const std::int32_t* from) noexcept { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }

template <bool kWithSign>
NARU_TARGET_AVX2 void finish_usual(const TileOutput& tile) noexcept {
  const std::int32_t lower = tile.type == abi::ElementType::kI8 ? 0 : 128;
  const __m256i flips = _mm256_set1_epi8(static_cast<char>(lower)), lowest = _mm256_set1_epi8(static_cast<char>(tile.lowest - lower)), highest = _mm256_set1_epi8(static_cast<char>(tile.highest - lower));
  const __m256i bias = _mm256_set1_epi32(tile.is_started ? 0 : INT32_MIN);
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const std::uint32_t at = tile.terms_channel + channel, left = std::min(kBlock, tile.channels - channel);
    const ShortTerms low(*tile.terms, at, kWithSign, lower), high(*tile.terms, at + 8, kWithSign, lower);
    // What begins with its start has zeros here.
    const __m256i low_start = _mm256_xor_si256(load_values(tile.terms->start + at), bias), high_start = _mm256_xor_si256(load_values(tile.terms->start + at + 8), bias);
    const std::int32_t* sums = tile.sums + channel;
    for (std::uint32_t m = 0; m < tile.pixels; m += 2, sums += 2 * kTileChannelsMax) {
      const std::int32_t* const next = m + 1 < tile.pixels ? sums + kTileChannelsMax : sums;
      const __m256i codes = ordered_bytes(low.rounded<kWithSign>(_mm256_add_epi32(load_values(sums), low_start)), high.rounded<kWithSign>(_mm256_add_epi32(load_values(sums + 8), high_start)),
                                          low.rounded<kWithSign>(_mm256_add_epi32(load_values(next), low_start)), high.rounded<kWithSign>(_mm256_add_epi32(load_values(next + 8), high_start)), lowest, highest, flips);
      const __m128i both[2] = {_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1)};
      const std::uint32_t count = std::min<std::uint32_t>(2, tile.pixels - m);
      for (std::uint32_t i = 0; i < count; ++i) {
        if (left == kBlock) {
          _mm_storeu_si128(reinterpret_cast<__m128i*>(tile.output[m + i] + channel), both[i]);
        } else {
          std::memcpy(tile.output[m + i] + channel, &both[i], left);
        }
      }
    }
  }
}

NARU_TARGET_AVX2 void finish_sums(const TileOutput& tile) noexcept {
  for (std::uint32_t channel = 0; channel < tile.channels; channel += 8) {
    const std::uint32_t left = tile.channels - channel;
    const __m256i start = load_values(tile.terms->start + tile.terms_channel + channel);
    const std::int32_t* sums = tile.sums + channel;
    for (std::uint32_t m = 0; m < tile.pixels; ++m, sums += kTileChannelsMax) {
      const __m256i value = _mm256_add_epi32(load_values(sums), start);
      std::byte* const target = tile.output[m] + channel * sizeof(std::int32_t);
      if (left >= 8) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(target), value);
      } else {
        std::memcpy(target, &value, left * sizeof(std::int32_t));
      }
    }
  }
}

}  // namespace

void finish(const TileOutput& tile) noexcept {
  if (tile.has_additions) return highway::finish(tile);
  if (tile.type == abi::ElementType::kI32) return finish_sums(tile);
  if (!tile.terms->usual) return highway::finish(tile);
  tile.lowest < tile.zero ? finish_usual<true>(tile) : finish_usual<false>(tile);
}

#else

void finish(const TileOutput& tile) noexcept { portable::finish(tile); }

#endif

}  // namespace naru::mockdev::avx2
