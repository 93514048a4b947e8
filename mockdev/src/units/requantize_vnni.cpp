// What becomes of a tile of sums, in AVX-512: bias, exact double-rounding requantisation, zero point, clamp, narrowing; about eleven operations per
// sixteen outputs.
#include "units/short_terms_vnni.h"

namespace naru::mockdev::vnni {

#if defined(__x86_64__)
namespace {

struct Terms {
  __m512i multiplier, left, right, mask;
};

/// SRDHM, but for the saturation of INT32_MIN squared.
NARU_VNNI_INLINE __m512i high_product(__m512i value, __m512i multiplier) {
  const __m512i nudge = _mm512_set1_epi64(std::int64_t{1} << 30);
  const __m512i even = _mm512_add_epi64(_mm512_mul_epi32(value, multiplier), nudge);
  const __m512i odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64(value, 32), _mm512_srli_epi64(multiplier, 32)), nudge);
  // Bits 31 to 62 of each product: the low half of even >> 31, the high half of odd << 1.
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
}

/// Left shift, SRDHM, RDivByPOT (numerics 1 and 26), whatever the operands.
NARU_VNNI_INLINE __m512i requantized(__m512i value, const Terms& terms) {
  __m512i high = high_product(_mm512_sllv_epi32(value, terms.left), terms.multiplier);
  // INT32_MIN comes out only where INT32_MIN was squared, which saturates.
  high = _mm512_mask_mov_epi32(high, _mm512_cmpeq_epi32_mask(high, _mm512_set1_epi32(INT32_MIN)), _mm512_set1_epi32(INT32_MAX));
  const __m512i remainder = _mm512_and_si512(high, terms.mask);
  const __m512i threshold = _mm512_sub_epi32(_mm512_srli_epi32(terms.mask, 1), _mm512_srai_epi32(high, 31));
  const __m512i quotient = _mm512_srav_epi32(high, terms.right);
  return _mm512_mask_sub_epi32(quotient, _mm512_cmpgt_epi32_mask(remainder, threshold), quotient, _mm512_set1_epi32(-1));
}

NARU_VNNI_INLINE void store_bytes(std::byte* to, __m128i bytes, __mmask16 lanes) noexcept {
  if (lanes == 0xFFFF) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  } else {
    _mm_mask_storeu_epi8(to, lanes, bytes);
  }
}

NARU_VNNI_INLINE __mmask16 lanes_from(std::uint32_t channel, std::uint32_t channels) noexcept {
  return static_cast<__mmask16>(channels - channel >= kBlock ? 0xFFFFU : (1U << (channels - channel)) - 1);
}

/// Bytes, the short way, nothing added per pixel: nearly every tile of nearly every network.
template <bool kSigned, bool kStarted, bool kWithSign>
NARU_TARGET_VNNI void finish_block(const TileOutput& tile, std::uint32_t channel, const ShortTerms& all) noexcept {
  const __m512i lowest = _mm512_set1_epi8(static_cast<char>(tile.lowest)), highest = _mm512_set1_epi8(static_cast<char>(tile.highest));
  const __mmask16 lanes = lanes_from(channel, tile.channels);
  const ShortTerms terms = all;  // in registers
  const std::int32_t* sums = tile.sums + channel;
  const auto value = [&](std::uint32_t i) NARU_VNNI_LAMBDA {
    const std::int32_t* const at = sums + i * kTileChannelsMax;
    return kStarted ? terms.requantized_started<kWithSign>(at) : terms.requantized<kWithSign>(_mm512_load_si512(at));
  };
  std::uint32_t m = 0;
  for (; m + 4 <= tile.pixels; m += 4, sums += 4 * kTileChannelsMax) {
    const __m512i bytes = ordered_bytes<kSigned>(value(0), value(1), value(2), value(3), lowest, highest);
    store_bytes(tile.output[m] + channel, _mm512_castsi512_si128(bytes), lanes);
    store_bytes(tile.output[m + 1] + channel, _mm512_extracti32x4_epi32(bytes, 1), lanes);
    store_bytes(tile.output[m + 2] + channel, _mm512_extracti32x4_epi32(bytes, 2), lanes);
    store_bytes(tile.output[m + 3] + channel, _mm512_extracti32x4_epi32(bytes, 3), lanes);
  }
  for (; m < tile.pixels; ++m, sums += kTileChannelsMax) {
    const __m512i last = value(0);
    store_bytes(tile.output[m] + channel, _mm512_castsi512_si128(ordered_bytes<kSigned>(last, last, last, last, lowest, highest)), lanes);
  }
}

template <bool kSigned, bool kStarted>
NARU_TARGET_VNNI void finish_usual(const TileOutput& tile) noexcept {
  const bool with_sign = tile.lowest < tile.zero;
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const std::uint32_t at = tile.terms_channel + channel;
    const ShortTerms terms(_mm512_load_si512(tile.terms->start + at), _mm512_load_si512(tile.terms->multiplier + at), _mm512_load_si512(tile.terms->right + at), _mm512_load_si512(tile.terms->rounding + at), with_sign);
    with_sign ? finish_block<kSigned, kStarted, true>(tile, channel, terms) : finish_block<kSigned, kStarted, false>(tile, channel, terms);
  }
}

/// Sums as they are, nothing added per pixel.
NARU_TARGET_VNNI void finish_sums(const TileOutput& tile) noexcept {
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const __mmask16 lanes = lanes_from(channel, tile.channels);
    const __m512i start = _mm512_load_si512(tile.terms->start + tile.terms_channel + channel);
    const std::int32_t* sums = tile.sums + channel;
    for (std::uint32_t m = 0; m < tile.pixels; ++m, sums += kTileChannelsMax) _mm512_mask_storeu_epi32(tile.output[m] + 4 * channel, lanes, _mm512_add_epi32(_mm512_load_si512(sums), start));
  }
}

NARU_TARGET_VNNI void finish_any(const TileOutput& tile) noexcept {
  const Bounds bounds = bounds_before_zero(tile);
  const __m512i lowest = _mm512_set1_epi32(bounds.lowest), highest = _mm512_set1_epi32(bounds.highest), zero = _mm512_set1_epi32(tile.zero);
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kBlock) {
    const __mmask16 lanes = lanes_from(channel, tile.channels);
    const ChannelTerms& all = *tile.terms;
    const std::uint32_t at = tile.terms_channel + channel;
    const __m512i start = _mm512_load_si512(all.start + at);
    const Terms terms = {_mm512_load_si512(all.multiplier + at), _mm512_load_si512(all.left + at), _mm512_load_si512(all.right + at),
                         _mm512_load_si512(all.mask + at)};
    for (std::uint32_t m = 0; m < tile.pixels; ++m) {
      __m512i value = _mm512_add_epi32(_mm512_load_si512(tile.sums + m * kTileChannelsMax + channel), start);
      value = _mm512_add_epi32(value, _mm512_set1_epi32(tile.pixel_start[m]));
      if (tile.partial[m] != nullptr) value = _mm512_add_epi32(value, _mm512_maskz_loadu_epi32(lanes, tile.partial[m] + channel * 4));
      if (tile.type == abi::ElementType::kI32) {
        _mm512_mask_storeu_epi32(tile.output[m] + channel * 4, lanes, value);
        continue;
      }
      value = _mm512_add_epi32(_mm512_min_epi32(_mm512_max_epi32(requantized(value, terms), lowest), highest), zero);
      if (tile.type == abi::ElementType::kI16) {
        _mm256_mask_storeu_epi16(tile.output[m] + channel * 2, lanes, _mm512_cvtepi32_epi16(value));
      } else {
        _mm_mask_storeu_epi8(tile.output[m] + channel, lanes, _mm512_cvtepi32_epi8(value));
      }
    }
  }
}

}  // namespace

void finish(const TileOutput& tile) noexcept {
  if (tile.has_additions) return finish_any(tile);
  if (tile.type == abi::ElementType::kI32) return finish_sums(tile);
  if (!tile.terms->usual) return finish_any(tile);
  if (tile.type == abi::ElementType::kI8) return tile.is_started ? finish_usual<true, true>(tile) : finish_usual<true, false>(tile);
  tile.is_started ? finish_usual<false, true>(tile) : finish_usual<false, false>(tile);
}

NARU_TARGET_VNNI void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept {
  const std::uint32_t at = n * kBlock;
  const __m512i zero = _mm512_setzero_si512(), one = _mm512_set1_epi32(1);
  const __m512i first = _mm512_loadu_si512(block + abi::kWeightStartOffset), second = _mm512_loadu_si512(block + abi::kWeightStartOffset + 64);
  const __m512i start = with_start ? _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(first)), _mm512_cvtepi64_epi32(second), 1) : zero;
  const __m512i multiplier = _mm512_loadu_si512(block + abi::kWeightMultiplierOffset);
  const __m512i stored = _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + abi::kWeightShiftOffset)));
  const __mmask16 dead = _mm512_cmpeq_epi32_mask(multiplier, zero);
  const __m512i shift = _mm512_mask_blend_epi32(dead, _mm512_min_epi32(_mm512_max_epi32(stored, _mm512_set1_epi32(-31)), _mm512_set1_epi32(30)), _mm512_set1_epi32(kDeadShift));
  const __m512i left = _mm512_max_epi32(shift, zero), right = _mm512_max_epi32(_mm512_sub_epi32(zero, shift), zero);
  const __m512i power = _mm512_sllv_epi32(one, right);
  _mm512_store_si512(terms.start + at, start);
  _mm512_store_si512(terms.multiplier + at, multiplier);
  _mm512_store_si512(terms.left + at, left);
  _mm512_store_si512(terms.right + at, right);
  _mm512_store_si512(terms.mask + at, _mm512_sub_epi32(power, one));
  // A start of INT32_MIN, whose magnitude is itself, is too large as an unsigned number.
  const __mmask16 in_range = _mm512_cmple_epu32_mask(_mm512_abs_epi32(start), _mm512_set1_epi32(static_cast<int>(terms.start_max)));
  const __mmask16 short_way = dead | (in_range & _mm512_cmpge_epi32_mask(multiplier, zero) & _mm512_cmpge_epi32_mask(right, one) & _mm512_cmple_epi32_mask(right, _mm512_set1_epi32(kShortShiftMax)));
  const __m512i rounding = _mm512_add_epi32(_mm512_srli_epi32(power, 1), _mm512_sllv_epi32(_mm512_set1_epi32(terms.zero), right));
  _mm512_store_si512(terms.rounding + at, _mm512_maskz_mov_epi32(short_way, rounding));
  terms.usual = terms.usual && short_way == 0xFFFF;
}

NARU_TARGET_VNNI void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  const Terms terms = {_mm512_set1_epi32(multiplier), _mm512_set1_epi32(shift.left), _mm512_set1_epi32(shift.right),
                       _mm512_set1_epi32(static_cast<std::int32_t>((std::uint32_t{1} << shift.right) - 1))};
  for (std::size_t i = 0; i < count; i += kBlock) {
    const auto lanes = static_cast<__mmask16>(count - i >= kBlock ? 0xFFFF : (1U << (count - i)) - 1);
    _mm512_mask_storeu_epi32(values + i, lanes, requantized(_mm512_maskz_loadu_epi32(lanes, values + i), terms));
  }
}

#else

void finish(const TileOutput& tile) noexcept { portable::finish(tile); }
void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept { portable::load_terms(block, n, terms, with_start); }
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  portable::requantize(values, count, multiplier, shift);
}

#endif

}  // namespace naru::mockdev::vnni
