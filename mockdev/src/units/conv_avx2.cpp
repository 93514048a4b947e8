// Convolution by vpmaddwd, exact for all operands. Where many pixels meet the same weights, two products cost one multiplication (S. Winograd, 1968):
//   x0*w0 + x1*w1 = (x0 + w1) * (x1 + w0) - x0*x1 - w0*w1
// The last two terms are summed once for each pixel and once for each channel, all modulo 2^32; what is left needs the multipliers half as often as the plain form, and the adders,
// of which there are more, take the rest. Weights are widened to 16 bits for it; where few pixels meet them they are widened on the way, and multiplied as they are.
// The staging of bytes to 16 bits is here, too: of every four inputs the even ones come first.
#include "units/avx2.h"

namespace naru::mockdev::avx2 {

#if defined(__x86_64__)
namespace {

/// With two vectors each they are 8 of 16 registers.
constexpr int kPixels = 4;
/// Four staged inputs: 0 and 2, then 1 and 3.
constexpr std::size_t kStagedGroupBytes = kGroup * sizeof(std::int16_t);
/// Wide weights of four inputs: the odd ones' and the even ones' of eight channels, then of the other eight. A block of them has its channels' own terms, the w0*w1, before it.
constexpr std::size_t kWideGroupBytes = kBlock * kGroup * sizeof(std::int16_t), kWideHeaderBytes = kBlock * sizeof(std::int32_t);

/// What all pixels of a tile have in common, of ConvTile and ConvSpan.
struct Reduction {
  const std::uint32_t* segment_offset;
  std::uint32_t segment_count, segment_groups;
  const std::byte* weights;  // of a block, wide
  alignas(32) std::int32_t start[kBlock];  // of the block's channels

  /// `from` null: zero, but for the channels' own terms.
  NARU_AVX2_INLINE void begin(const std::byte* block, const std::int32_t* from) noexcept {
    weights = block;
    for (std::size_t half = 0; half < kBlock; half += 8) store_vector(start + half, from == nullptr ? load_vector(block + half * 4) : _mm256_add_epi32(load_vector(block + half * 4), load_vector(from + half)));
  }
};

template <int kCount>
NARU_AVX2_INLINE void multiply_group(__m256i (&sums)[kCount][2], const std::byte* const (&pixel)[kCount], std::size_t at, const std::byte* weights) noexcept {
  const __m256i odd_low = load_vector(weights), even_low = load_vector(weights + 32), odd_high = load_vector(weights + 64), even_high = load_vector(weights + 96);
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) {
    const __m256i even = _mm256_set1_epi32(load<std::int32_t>(pixel[m] + at)), odd = _mm256_set1_epi32(load<std::int32_t>(pixel[m] + at + 4));
    accumulate(sums[m][0], _mm256_madd_epi16(_mm256_add_epi16(even, odd_low), _mm256_add_epi16(odd, even_low)));
    accumulate(sums[m][1], _mm256_madd_epi16(_mm256_add_epi16(even, odd_high), _mm256_add_epi16(odd, even_high)));
  }
}

/// sums[pixel] = start + start_of_pixel + over the groups of its window, sixteen channels.
template <int kCount>
NARU_AVX2_INLINE void multiply_add(__m256i (&sums)[kCount][2], const std::byte* const (&pixel)[kCount], const std::int32_t* pixel_start, const Reduction& over) noexcept {
  const __m256i low = load_vector(over.start), high = load_vector(over.start + 8);
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) {
    const __m256i own = _mm256_set1_epi32(pixel_start[m]);
    sums[m][0] = _mm256_add_epi32(low, own), sums[m][1] = _mm256_add_epi32(high, own);
  }
  const std::byte* weights = over.weights + kWideHeaderBytes;
  for (std::uint32_t segment = 0; segment < over.segment_count; ++segment) {
    std::size_t at = over.segment_offset[segment];
    for (const std::size_t end = at + std::size_t{over.segment_groups} * kStagedGroupBytes; at != end; at += kStagedGroupBytes, weights += kWideGroupBytes) multiply_group(sums, pixel, at, weights);
  }
}

NARU_AVX2_INLINE void store_pixel(const ConvTile& tile, std::uint32_t m, __m256i low, __m256i high) noexcept {
  if (tile.output != nullptr) {
    store_vector(tile.output[m], low);
    store_vector(tile.output[m] + sizeof(__m256i), high);
    return;
  }
  std::int32_t* const target = tile.sums + m * kTileChannelsMax;
  if (tile.accumulate) low = _mm256_add_epi32(low, load_vector(target)), high = _mm256_add_epi32(high, load_vector(target + 8));
  store_vector(target, low);
  store_vector(target + 8, high);
}

template <int kCount>
NARU_TARGET_AVX2 void multiply(const ConvTile& tile) noexcept {
  __m256i sums[kCount][2];
  const std::byte* pixel[kCount];
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) pixel[m] = tile.pixel[m];
  Reduction over = {.segment_offset = tile.segment_offset, .segment_count = tile.segment_count, .segment_groups = tile.segment_groups, .weights = nullptr, .start = {}};
  over.begin(tile.weights, tile.start);
  multiply_add(sums, pixel, tile.pixel_start, over);
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) store_pixel(tile, static_cast<std::uint32_t>(m), sums[m][0], sums[m][1]);
}

/// Pixels from number `first` on, weights as they lie: four inputs of four channels per vector, every channel's sum in two neighbouring lanes until the end.
template <int kCount>
NARU_TARGET_AVX2 void multiply_narrow(const ConvTile& tile, std::uint32_t first) noexcept {
  constexpr int kVectors = 4;
  __m256i sums[kCount][kVectors];
  const std::byte* pixel[kCount];
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) {
    pixel[m] = tile.pixel[first + static_cast<std::uint32_t>(m)];
    NARU_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[m][v] = _mm256_setzero_si256();
  }
  const std::byte* weights = tile.weights;
  const __m256i in_order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  for (std::uint32_t segment = 0; segment < tile.segment_count; ++segment) {
    std::size_t at = tile.segment_offset[segment];
    for (const std::size_t end = at + std::size_t{tile.segment_groups} * kStagedGroupBytes; at != end; at += kStagedGroupBytes, weights += kBlock * kGroup) {
      __m256i inputs[kCount];
      NARU_UNROLL
      for (int m = 0; m < kCount; ++m) inputs[m] = _mm256_shuffle_epi8(_mm256_set1_epi64x(load<std::int64_t>(pixel[m] + at)), in_order);
      NARU_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const __m256i weight = _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(weights) + v));
        NARU_UNROLL
        for (int m = 0; m < kCount; ++m) sums[m][v] = _mm256_add_epi32(sums[m][v], _mm256_madd_epi16(inputs[m], weight));
      }
    }
  }
  const __m256i none = _mm256_setzero_si256(), low_start = tile.start == nullptr ? none : load_vector(tile.start), high_start = tile.start == nullptr ? none : load_vector(tile.start + 8);
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) {
    const __m256i low = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[m][0], sums[m][1]), 0xD8), high = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[m][2], sums[m][3]), 0xD8);
    store_pixel(tile, first + static_cast<std::uint32_t>(m), _mm256_add_epi32(low, low_start), _mm256_add_epi32(high, high_start));
  }
}

enum class Ending : std::uint8_t { kSums, kCodes, kCodesWithSign };  // with sign as in ShortTerms

/// Where a run of a span's pixels begins.
struct Place {
  const std::byte* pixel;
  const std::int32_t* pixel_start;
  std::byte* output;
};

/// `tiles` times kCount pixels, one block of channels.
template <int kCount, Ending kEnding>
NARU_TARGET_AVX2 void multiply_span(const ConvSpan& span, const Reduction& over, const CodeTerms& terms, Place& place, std::uint64_t tiles) noexcept {
  for (; tiles != 0; --tiles) {
    __m256i sums[kCount][2];
    const std::byte* pixel[kCount];
    NARU_UNROLL
    for (int m = 0; m < kCount; ++m) pixel[m] = place.pixel + static_cast<std::size_t>(m) * span.pixel_step;
    multiply_add(sums, pixel, place.pixel_start, over);
    if constexpr (kEnding == Ending::kSums) {
      store_sums(sums, place.output, span.output_step);
    } else {
      store_codes<kEnding == Ending::kCodesWithSign>(sums, terms, place.output, span.output_step);
    }
    place.pixel += kCount * span.pixel_step, place.pixel_start += kCount, place.output += kCount * span.output_step;
  }
}

/// By number of pixels, less one.
template <Ending kEnding>
constexpr void (*kSpanKernels[kPixels])(const ConvSpan&, const Reduction&, const CodeTerms&, Place&, std::uint64_t) noexcept = {multiply_span<1, kEnding>, multiply_span<2, kEnding>, multiply_span<3, kEnding>, multiply_span<4, kEnding>};

constexpr void (*kTileKernels[kPixels])(const ConvTile&) noexcept = {multiply<1>, multiply<2>, multiply<3>, multiply<4>};

/// 16 bytes to 16 values, of every four the even ones first.
NARU_AVX2_INLINE __m256i staged(__m128i bytes, bool is_signed) noexcept {
  const __m128i crossed = _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
  return is_signed ? _mm256_cvtepi8_epi16(crossed) : _mm256_cvtepu8_epi16(crossed);
}

/// Two neighbouring lanes together have x0*x1 + x2*x3 + zero * (x0 + x1 + x2 + x3) of a group.
NARU_AVX2_INLINE __m256i own_products(__m256i groups, __m256i zeros) noexcept {
  const __m256i factors = _mm256_blend_epi32(_mm256_shuffle_epi32(groups, 0xB1), _mm256_setzero_si256(), 0xAA);
  return _mm256_madd_epi16(groups, _mm256_add_epi16(factors, zeros));
}

/// The other way round: a pixel's sums begin with what is subtracted.
NARU_AVX2_INLINE std::int32_t negative_sum(__m256i lanes) noexcept {
  const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1)), two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return wrap_sub(0, _mm_cvtsi128_si32(_mm_hadd_epi32(two, two)));
}

NARU_TARGET_AVX2 void terms_of_single_groups(const std::byte* inputs, std::size_t pixels, std::int32_t weight_zero, std::int32_t* terms) noexcept {
  const __m256i zeros = _mm256_set1_epi16(static_cast<std::int16_t>(weight_zero));
  std::size_t p = 0;
  for (; p + 8 <= pixels; p += 8, inputs += 8 * kStagedGroupBytes) {
    const __m256i eight = _mm256_permute4x64_epi64(_mm256_hadd_epi32(own_products(load_vector(inputs), zeros), own_products(load_vector(inputs + sizeof(__m256i)), zeros)), 0xD8);
    store_vector(terms + p, _mm256_sub_epi32(_mm256_setzero_si256(), eight));
  }
  for (; p < pixels; ++p, inputs += kStagedGroupBytes) terms[p] = negative_sum(own_products(_mm256_zextsi128_si256(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(inputs))), zeros));
}

/// Images and sounds of one channel, pixels adjoining: each becomes a group of its own. Returns how many, eight at a time.
template <bool kSigned>
NARU_TARGET_AVX2 std::size_t stage_singles(const StagedPixels& run) noexcept {
  const __m256i factor = _mm256_set1_epi32(-run.weight_zero);
  std::size_t p = 0;
  for (; p + 8 <= run.pixels; p += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(run.source + p)), values = kSigned ? _mm_cvtepi8_epi16(bytes) : _mm_cvtepu8_epi16(bytes);
    std::byte* const target = run.target + p * kStagedGroupBytes;
    store_vector(target, _mm256_cvtepu16_epi64(values));
    store_vector(target + sizeof(__m256i), _mm256_cvtepu16_epi64(_mm_unpackhi_epi64(values, values)));
    store_vector(run.terms + p, _mm256_mullo_epi32(_mm256_cvtepi16_epi32(values), factor));
  }
  return p;
}

/// Fewer than sixteen: whole groups, with zeros. Also returns them.
NARU_AVX2_INLINE __m256i stage_rest(const std::byte* source, std::byte* target, std::size_t count, bool is_signed) noexcept {
  alignas(16) std::byte last[16] = {};
  std::memcpy(last, source, count);
  const __m256i values = staged(_mm_load_si128(reinterpret_cast<const __m128i*>(last)), is_signed);
  alignas(32) std::byte bytes[32];
  store_vector(bytes, values);
  std::memcpy(target, bytes, align_up<std::size_t>(count, kGroup) * sizeof(std::int16_t));
  return values;
}

template <bool kSigned>
NARU_TARGET_AVX2 void stage_with_terms(const StagedPixels& run) noexcept {
  const __m256i zeros = _mm256_set1_epi16(static_cast<std::int16_t>(run.weight_zero));
  const std::size_t sixteens = run.channels / 16 * 16, whole = run.channels / 8 * 8, rest = run.channels - whole;
  const std::size_t pixel_bytes = align_up<std::size_t>(run.channels, kGroup) * sizeof(std::int16_t);
  const std::size_t done = run.channels == 1 && run.source_stride == 1 ? stage_singles<kSigned>(run) : 0;
  const std::byte* source = run.source + done * run.source_stride;
  std::byte* target = run.target + done * pixel_bytes;
  for (std::size_t p = done; p < run.pixels; ++p, source += run.source_stride, target += pixel_bytes) {
    __m256i total = _mm256_setzero_si256();
    for (std::size_t c = 0; c < sixteens; c += 16) {
      const __m256i values = staged(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source + c)), kSigned);
      store_vector(target + c * sizeof(std::int16_t), values);
      total = _mm256_add_epi32(total, own_products(values, zeros));
    }
    if (whole != sixteens) {
      const __m256i values = staged(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(source + sixteens)), kSigned);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(target + sixteens * sizeof(std::int16_t)), _mm256_castsi256_si128(values));
      total = _mm256_add_epi32(total, own_products(values, zeros));  // the rest of them are zeros
    }
    if (rest != 0) {
      const __m256i of_rest = stage_rest(source + whole, target + whole * sizeof(std::int16_t), rest, kSigned);
      total = _mm256_add_epi32(total, own_products(of_rest, zeros));
    }
    run.terms[p] = negative_sum(total);
  }
}

}  // namespace

void conv_shape(std::uint64_t, std::uint64_t, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept { tile_pixels = kPixels, tile_blocks = 1; }

void conv(const ConvTile& tile) noexcept {
  if (tile.is_wide) return kTileKernels[tile.pixels - 1](tile);
  std::uint32_t m = 0;
  for (; m + 2 <= tile.pixels; m += 2) multiply_narrow<2>(tile, m);
  if (m != tile.pixels) multiply_narrow<1>(tile, m);
}

NARU_TARGET_AVX2 void conv_span(const ConvSpan& span) noexcept {
  const bool with_sign = span.lowest < span.zero;
  const auto& kernels = span.terms == nullptr ? kSpanKernels<Ending::kSums> : with_sign ? kSpanKernels<Ending::kCodesWithSign> : kSpanKernels<Ending::kCodes>;
  CodeTerms terms(span.is_signed, span.lowest, span.highest);
  Reduction over = {.segment_offset = span.segment_offset, .segment_count = span.segment_count, .segment_groups = span.segment_groups, .weights = nullptr, .start = {}};
  for (std::uint32_t block = 0; block < span.blocks; ++block) {
    over.begin(span.weights + block * span.block_bytes, span.start + block * kBlock);
    if (span.terms != nullptr) terms.load(*span.terms, span.terms_channel + block * kBlock, with_sign);
    Place place = {.pixel = span.pixel, .pixel_start = span.pixel_start, .output = span.output + block * kBlock * (span.terms == nullptr ? sizeof(std::int32_t) : 1)};
    kernels[kPixels - 1](span, over, terms, place, span.pixels / kPixels);
    if (const std::uint64_t rest = span.pixels % kPixels; rest != 0) kernels[rest - 1](span, over, terms, place, 1);
  }
}

std::size_t wide_bytes(std::size_t groups) noexcept { return kWideHeaderBytes + groups * kWideGroupBytes; }

NARU_TARGET_AVX2 void widen_weights(const std::byte* weights, std::size_t groups, std::byte* target) noexcept {
  // Of four channels: the odd inputs' weights, then the even ones'.
  const __m256i halves = _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 3, 5, 7, 9, 11, 13, 15, 0, 2, 4, 6, 8, 10, 12, 14));
  __m256i own[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
  std::byte* wide = target + kWideHeaderBytes;
  for (std::size_t group = 0; group < groups; ++group, weights += kBlock * kGroup, wide += kWideGroupBytes) {
    NARU_UNROLL
    for (std::size_t half = 0; half < 2; ++half) {
      const __m256i pairs = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(load_vector(weights + half * sizeof(__m256i)), halves), 0xD8);
      const __m256i odd = _mm256_cvtepi8_epi16(_mm256_castsi256_si128(pairs)), even = _mm256_cvtepi8_epi16(_mm256_extracti128_si256(pairs, 1));
      own[half] = _mm256_sub_epi32(own[half], _mm256_madd_epi16(odd, even));
      store_vector(wide + half * 2 * sizeof(__m256i), odd);
      store_vector(wide + (half * 2 + 1) * sizeof(__m256i), even);
    }
  }
  store_vector(target, own[0]);
  store_vector(target + sizeof(__m256i), own[1]);
}

NARU_TARGET_AVX2 void stage_bytes(const std::byte* source, std::byte* target, std::size_t count, bool is_signed) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) store_vector(target + 2 * i, staged(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source + i)), is_signed));
  if (i == count) return;
  stage_rest(source + i, target + 2 * i, count - i, is_signed);
}

/// Twelve bytes of sixteen; the last pixels, where sixteen are not there, one by one.
NARU_TARGET_AVX2 void stage_threes(const std::byte* source, std::byte* target, std::size_t pixels, bool is_signed) noexcept {
  const __m128i spread = _mm_setr_epi8(0, 2, 1, -1, 3, 5, 4, -1, 6, 8, 7, -1, 9, 11, 10, -1);
  for (; pixels >= 6; pixels -= 4, source += 12, target += 4 * kStagedGroupBytes) {
    const __m128i fours = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(source)), spread);
    store_vector(target, is_signed ? _mm256_cvtepi8_epi16(fours) : _mm256_cvtepu8_epi16(fours));
  }
  for (; pixels != 0; --pixels, source += 3, target += kStagedGroupBytes) stage_bytes(source, target, 3, is_signed);
}

void stage_pixels(const StagedPixels& run) noexcept {
  if (run.channels == 3 && run.source_stride == 3) {
    stage_threes(run.source, run.target, run.pixels, run.is_signed);
    terms_of_single_groups(run.target, run.pixels, run.weight_zero, run.terms);
  } else if (run.is_signed) {
    stage_with_terms<true>(run);
  } else {
    stage_with_terms<false>(run);
  }
}

NARU_TARGET_AVX2 std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i total = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) total = _mm256_add_epi32(total, _mm256_madd_epi16(load_vector(inputs + 2 * i), ones));
  alignas(32) std::uint32_t lanes[8];
  store_vector(lanes, total);
  std::uint32_t whole = portable::sum(inputs + 2 * i, count - i);
  for (const std::uint32_t lane : lanes) whole += lane;
  return whole;
}

#else  // never chosen: is_supported() says no

void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept { portable::conv_shape(pixels, blocks, tile_pixels, tile_blocks); }
void conv(const ConvTile& tile) noexcept { portable::conv(tile); }
void conv_span(const ConvSpan&) noexcept {}
std::size_t wide_bytes(std::size_t) noexcept { return 0; }
void widen_weights(const std::byte*, std::size_t, std::byte*) noexcept {}
void stage_pixels(const StagedPixels&) noexcept {}
void stage_bytes(const std::byte*, std::byte*, std::size_t, bool) noexcept {}
void stage_threes(const std::byte*, std::byte*, std::size_t, bool) noexcept {}
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept { return portable::sum(inputs, count); }

#endif

}  // namespace naru::mockdev::avx2
