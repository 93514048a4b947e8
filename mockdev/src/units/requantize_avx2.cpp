// What becomes of a tile of sums, in AVX2, where nothing is added per pixel: bytes the short way, or the sums as they are. The rest is requantize_highway.cpp's.
#include "units/avx2.h"

namespace naru::mockdev::avx2 {

#if defined(__x86_64__)
namespace {

template <bool kWithSign>
NARU_AVX2_INLINE __m256i code(const ShortTerms& terms, const std::int32_t* sums, __m256i start) noexcept {
  return terms.rounded<kWithSign>(_mm256_add_epi32(load_vector(sums), start));
}

template <bool kWithSign>
NARU_TARGET_AVX2 void finish_usual(const TileOutput& tile) noexcept {
  CodeTerms terms(tile.type == abi::ElementType::kI8, tile.lowest, tile.highest);
  const __m256i bias = _mm256_set1_epi32(tile.is_started ? 0 : INT32_MIN);
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const std::uint32_t at = tile.terms_channel + channel, left = std::min(kBlock, tile.channels - channel);
    terms.load(*tile.terms, at, kWithSign);
    // What begins with its start has zeros here.
    const __m256i low_start = _mm256_xor_si256(load_vector(tile.terms->start + at), bias), high_start = _mm256_xor_si256(load_vector(tile.terms->start + at + 8), bias);
    const std::int32_t* sums = tile.sums + channel;
    for (std::uint32_t m = 0; m < tile.pixels; m += 2, sums += 2 * kTileChannelsMax) {
      const std::int32_t* const next = m + 1 < tile.pixels ? sums + kTileChannelsMax : sums;
      const __m256i codes = ordered_bytes(code<kWithSign>(terms.low, sums, low_start), code<kWithSign>(terms.high, sums + 8, high_start), code<kWithSign>(terms.low, next, low_start), code<kWithSign>(terms.high, next + 8, high_start),
                                          terms.lowest, terms.highest, terms.flips);
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
    const __m256i start = load_vector(tile.terms->start + tile.terms_channel + channel);
    const std::int32_t* sums = tile.sums + channel;
    for (std::uint32_t m = 0; m < tile.pixels; ++m, sums += kTileChannelsMax) {
      const __m256i value = _mm256_add_epi32(load_vector(sums), start);
      std::byte* const target = tile.output[m] + channel * sizeof(std::int32_t);
      if (left >= 8) {
        store_vector(target, value);
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

NARU_TARGET_AVX2 void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept {
  const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi32(1), start_max = _mm256_set1_epi32(static_cast<std::int32_t>(terms.start_max));
  bool usual = terms.usual;
  NARU_UNROLL
  for (std::uint32_t half = 0; half < 2; ++half) {
    const std::uint32_t at = n * kBlock + 8 * half;
    const std::byte* const starts = block + abi::kWeightStartOffset + 64 * half;
    const __m256 first = _mm256_castsi256_ps(load_vector(starts)), second = _mm256_castsi256_ps(load_vector(starts + 32));
    const __m256i start = with_start ? _mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps(first, second, 0x88)), 0xD8) : zero;  // the lower halves
    const __m256i multiplier = load_vector(block + abi::kWeightMultiplierOffset + 32 * half);
    const __m256i stored = _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(block + abi::kWeightShiftOffset + 8 * half)));
    const __m256i dead = _mm256_cmpeq_epi32(multiplier, zero);
    const __m256i shift = _mm256_blendv_epi8(_mm256_min_epi32(_mm256_max_epi32(stored, _mm256_set1_epi32(-31)), _mm256_set1_epi32(30)), _mm256_set1_epi32(kDeadShift), dead);
    const __m256i right = _mm256_max_epi32(_mm256_sub_epi32(zero, shift), zero), power = _mm256_sllv_epi32(one, right);
    store_vector(terms.start + at, start);
    store_vector(terms.multiplier + at, multiplier);
    store_vector(terms.left + at, _mm256_max_epi32(shift, zero));
    store_vector(terms.right + at, right);
    store_vector(terms.mask + at, _mm256_sub_epi32(power, one));
    // A start of INT32_MIN, whose magnitude is itself, is too large as an unsigned number.
    const __m256i magnitude = _mm256_abs_epi32(start), in_range = _mm256_cmpeq_epi32(_mm256_min_epu32(magnitude, start_max), magnitude);
    const __m256i too_long = _mm256_or_si256(_mm256_cmpgt_epi32(zero, multiplier), _mm256_or_si256(_mm256_cmpgt_epi32(one, right), _mm256_cmpgt_epi32(right, _mm256_set1_epi32(kShortShiftMax))));
    const __m256i short_way = _mm256_or_si256(dead, _mm256_andnot_si256(too_long, in_range));
    const __m256i rounding = _mm256_add_epi32(_mm256_srli_epi32(power, 1), _mm256_sllv_epi32(_mm256_set1_epi32(terms.zero), right));
    store_vector(terms.rounding + at, _mm256_and_si256(short_way, rounding));
    usual = usual && _mm256_movemask_epi8(short_way) == -1;
  }
  terms.usual = usual;
}

#else

void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept { portable::load_terms(block, n, terms, with_start); }
void finish(const TileOutput& tile) noexcept { portable::finish(tile); }

#endif

}  // namespace naru::mockdev::avx2
