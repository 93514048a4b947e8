// Depthwise convolution on bytes in AVX-512: four neighbouring inputs of a row and channel are one lane of vpdpbusd, so that a kernel of up to three or four columns costs one
// instruction per row and sixteen channels. Inputs are transposed once, sums are finished in registers.
//
// A "unit" is where windows begin: every second pixel at stride 1 (one transposed vector serves the window that begins there and, with weights that are moved on by one, the
// next), every stride-th pixel else. 64 bytes hold one unit of 64 channels, two of 32 or four of 16. Transposing leaves channels in an order of their own: vector j of
// four has channels 4j to 4j+3 of each block of sixteen. Packing four vectors to bytes brings them back in order.
#include "units/conv.h"
#include "units/short_terms_vnni.h"
#include "units/staging.h"

namespace naru::mockdev::vnni {

#if defined(__x86_64__)
namespace {

constexpr std::uint32_t kVectors = 4;         // of one unit group and kernel column group
constexpr std::uint32_t kColumns = 4;         // of the kernel, in one lane
constexpr std::size_t kVectorBytes = 64;
constexpr std::size_t kRingBytes = 64 * 1024;  // transposed rows at hand
constexpr std::uint32_t kWeightVectorsMax = kSegmentsMax * kDepthwiseChannels * sizeof(std::int16_t) / kVectorBytes;

struct Fours {
  __m512i v[kVectors];
};

/// Lane l of v[j]: byte l' of each of four rows of 64 bytes, l' being 16 * (l / 4) + 4 * j + l % 4.
NARU_VNNI_INLINE Fours transposed(__m512i a, __m512i b, __m512i c, __m512i d) noexcept {
  const __m512i ab_low = _mm512_unpacklo_epi8(a, b), ab_high = _mm512_unpackhi_epi8(a, b), cd_low = _mm512_unpacklo_epi8(c, d), cd_high = _mm512_unpackhi_epi8(c, d);
  return {{_mm512_unpacklo_epi16(ab_low, cd_low), _mm512_unpackhi_epi16(ab_low, cd_low), _mm512_unpacklo_epi16(ab_high, cd_high), _mm512_unpackhi_epi16(ab_high, cd_high)}};
}

/// Four by four parts of 128 bits change places: part i of v[j] and part j of v[i]. From blocks of sixteen channels to the vectors' order, and back.
NARU_VNNI_INLINE Fours exchanged(const Fours& fours) noexcept {
  const __m512i *v = fours.v, ab_low = _mm512_shuffle_i32x4(v[0], v[1], 0x44), ab_high = _mm512_shuffle_i32x4(v[0], v[1], 0xEE), cd_low = _mm512_shuffle_i32x4(v[2], v[3], 0x44),
                cd_high = _mm512_shuffle_i32x4(v[2], v[3], 0xEE);
  return {{_mm512_shuffle_i32x4(ab_low, cd_low, 0x88), _mm512_shuffle_i32x4(ab_low, cd_low, 0xDD), _mm512_shuffle_i32x4(ab_high, cd_high, 0x88), _mm512_shuffle_i32x4(ab_high, cd_high, 0xDD)}};
}

/// kWidth channels at each of 64 / kWidth addresses, missing channels zero.
template <int kWidth>
NARU_VNNI_INLINE __m512i gathered(const std::byte* const* at, std::uint64_t channels) noexcept {
  if constexpr (kWidth == 64) {
    return _mm512_maskz_loadu_epi8(channels, at[0]);
  } else if constexpr (kWidth == 32) {
    const auto lanes = static_cast<__mmask32>(channels);
    return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_maskz_loadu_epi8(lanes, at[0])), _mm256_maskz_loadu_epi8(lanes, at[1]), 1);
  } else {
    const auto lanes = static_cast<__mmask16>(channels);
    __m512i all = _mm512_castsi128_si512(_mm_maskz_loadu_epi8(lanes, at[0]));
    all = _mm512_inserti32x4(all, _mm_maskz_loadu_epi8(lanes, at[1]), 1);
    all = _mm512_inserti32x4(all, _mm_maskz_loadu_epi8(lanes, at[2]), 2);
    return _mm512_inserti32x4(all, _mm_maskz_loadu_epi8(lanes, at[3]), 3);
  }
}

/// Up to kWidth channels of a command.
template <int kWidth>
class Chunk {
 public:
  static constexpr std::uint32_t kUnits = 64 / kWidth;  // side by side in a vector

  NARU_TARGET_VNNI Chunk(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch, std::uint64_t first) noexcept
      : record_(record),
        at_(at),
        scratch_(scratch),
        window_(Window::of(record)),
        first_(first),
        channels_(static_cast<std::uint32_t>(std::min<std::uint64_t>(kWidth, record.channels - first))),
        lanes_(channels_ == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << channels_) - 1),
        outputs_(record.stride_cols == 1 ? 2 : 1),
        unit_pixels_(record.stride_cols == 1 ? 2 : record.stride_cols),
        groups_of_columns_(static_cast<std::uint32_t>(ceil_div<std::uint64_t>(record.kernel_cols + outputs_ - 1, kColumns))),
        flip_(record.input_type == abi::ElementType::kI8) {}

  /// False: the short way is not exact here; nothing was done.
  NARU_TARGET_VNNI bool execute() noexcept {
    begin_terms(scratch_.terms[0], record_, std::uint64_t{128} * 255 * window_.taps());
    const std::uint32_t last_block = (channels_ - 1) / kBlock;  // stands in where there is none: every lane has terms
    for (std::uint32_t n = 0; n < kWidth / kBlock; ++n) load_terms(block(std::min(n, last_block)), n, scratch_.terms[0], true);
    const bool sums = record_.output_type == abi::ElementType::kI32;
    if (!sums && !scratch_.terms[0].usual) return false;
    prepare_weights();
    prepare_terms();
    const std::uint64_t ring_rows = (window_.kernel_rows - 1) * window_.dilation_rows + 1;
    const std::uint64_t groups_max = std::max<std::uint64_t>(1, kRingBytes / (ring_rows * groups_of_columns_ * kVectors * kVectorBytes));
    const std::uint64_t cols_max = groups_max * kUnits * outputs_;
    for (std::uint64_t col = 0; col < window_.out_cols; col += cols_max) {
      const std::uint64_t cols = std::min(cols_max, window_.out_cols - col);
      if (sums) {
        columns<Output::kSums>(col, cols, ring_rows);
      } else if (record_.output_type == abi::ElementType::kI8) {
        columns<Output::kSigned>(col, cols, ring_rows);
      } else {
        columns<Output::kUnsigned>(col, cols, ring_rows);
      }
    }
    return true;
  }

  /// Whether the transposed rows of one group of units and all weights have room.
  [[nodiscard]] bool fits() const noexcept {
    const std::uint64_t ring_rows = (window_.kernel_rows - 1) * window_.dilation_rows + 1;
    return ring_rows * groups_of_columns_ * kVectors * kVectorBytes <= kRingBytes && window_.kernel_rows * groups_of_columns_ * kVectors * outputs_ <= kWeightVectorsMax;
  }

 private:
  enum class Output { kSums, kSigned, kUnsigned };

  [[nodiscard]] const std::byte* block(std::uint32_t n) const noexcept { return at_.weights + (first_ / kBlock + n) * abi::depthwise_block_bytes(window_.taps()); }

  /// As [kernel row][group of columns][output of a unit][vector].
  [[nodiscard]] __m512i* weights() const noexcept { return reinterpret_cast<__m512i*>(scratch_.tap_weights); }

  NARU_TARGET_VNNI void prepare_weights() noexcept {
    const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
    Fours excess = {{_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()}};
    __m512i* target = weights();
    for (std::uint64_t y = 0; y < window_.kernel_rows; ++y)
      for (std::uint32_t g = 0; g < groups_of_columns_; ++g)
        for (std::uint32_t o = 0; o < outputs_; ++o) {
          __m512i row[kColumns];
          for (std::uint32_t i = 0; i < kColumns; ++i) {
            const std::int64_t x = std::int64_t{g} * kColumns + i - o;
            row[i] = x < 0 || x >= static_cast<std::int64_t>(window_.kernel_cols) ? _mm512_setzero_si512() : tap_weights(y * window_.kernel_cols + static_cast<std::uint64_t>(x));
          }
          const Fours fours = transposed(row[0], row[1], row[2], row[3]);
          for (std::uint32_t j = 0; j < kVectors; ++j) {
            _mm512_store_si512(target++, fours.v[j]);
            if (o == 0) excess.v[j] = _mm512_dpbusd_epi32(excess.v[j], offset, fours.v[j]);
          }
        }
    // Only the window that begins at the unit: its weights are those of the other one, too.
    for (std::uint32_t j = 0; j < kVectors; ++j) excess_.v[j] = flip_ ? excess.v[j] : _mm512_setzero_si512();
  }
  NARU_TARGET_VNNI __m512i tap_weights(std::uint64_t tap) const noexcept {
    const std::size_t offset = abi::depthwise_weight_offset(tap, 0);
    const auto of_block = [&](std::uint32_t n) NARU_VNNI_LAMBDA {
      return n * kBlock < channels_ ? _mm_loadu_si128(reinterpret_cast<const __m128i*>(block(n) + offset)) : _mm_setzero_si128();
    };
    const __m512i first = _mm512_castsi128_si512(of_block(0));
    if constexpr (kWidth == 16) return _mm512_shuffle_i32x4(first, first, 0);
    const __m512i both = _mm512_inserti32x4(first, of_block(1), 1);
    if constexpr (kWidth == 32) return _mm512_shuffle_i32x4(both, both, 0x44);
    return _mm512_inserti32x4(_mm512_inserti32x4(both, of_block(2), 2), of_block(3), 3);
  }

  /// In the order of the vectors.
  NARU_TARGET_VNNI void prepare_terms() noexcept {
    const ChannelTerms& all = scratch_.terms[0];
    starts_ = by_vector(all.start);
    const Fours multiplier = by_vector(all.multiplier), right = by_vector(all.right), rounding = by_vector(all.rounding);
    with_sign_ = record_.activation_min < record_.output_zero;
    NARU_UNROLL
    for (std::uint32_t j = 0; j < kVectors; ++j) {
      starts_.v[j] = _mm512_sub_epi32(starts_.v[j], excess_.v[j]);
      terms_[j] = ShortTerms(starts_.v[j], multiplier.v[j], right.v[j], rounding.v[j], with_sign_);
    }
  }
  static NARU_VNNI_INLINE Fours by_vector(const std::int32_t* values) noexcept {
    constexpr std::uint32_t kBlocks = kWidth / kBlock;
    return exchanged({{_mm512_load_si512(values), _mm512_load_si512(values + 1 % kBlocks * kBlock), _mm512_load_si512(values + 2 % kBlocks * kBlock), _mm512_load_si512(values + 3 % kBlocks * kBlock)}});
  }

  /// Output columns [first_col, first_col + cols), all rows. Transposed rows lie in a ring.
  template <Output kOutput>
  NARU_TARGET_VNNI void columns(std::uint64_t first_col, std::uint64_t cols, std::uint64_t ring_rows) noexcept {
    const std::uint64_t groups = ceil_div<std::uint64_t>(ceil_div<std::uint64_t>(cols, outputs_), kUnits);
    const std::size_t group_bytes = groups_of_columns_ * kVectors * kVectorBytes, row_bytes = groups * group_bytes;
    std::uint64_t next = 0;
    for (std::uint64_t row = 0; row < window_.out_rows; ++row) {
      const std::uint64_t top = row * window_.stride_rows;
      for (next = std::max(next, top); next < top + ring_rows; ++next) {
        if ((next - top) % window_.dilation_rows != 0 && window_.stride_rows % window_.dilation_rows == 0) continue;  // no window has it
        transpose_row(at_.input + next * window_.row_stride + first_col * window_.stride_cols * window_.pixel_stride + first_, cols, groups, scratch_.staged + next % ring_rows * row_bytes);
      }
      for (std::uint64_t y = 0; y < window_.kernel_rows; ++y) scratch_.offsets[y] = static_cast<std::uint32_t>((top + y * window_.dilation_rows) % ring_rows * row_bytes);
      std::byte* const result = at_.output + row * record_.output_row_stride + first_col * record_.output_pixel_stride + first_ * abi::element_bytes(record_.output_type);
      const auto run = [&]<int kOutputs>() NARU_VNNI_LAMBDA {
        const std::uint64_t step = kUnits * kOutputs;
        std::uint64_t g = 0;
        for (; g + 2 <= groups; g += 2) multiply<kOutput, kOutputs, 2>(scratch_.staged + g * group_bytes, group_bytes, result + g * step * record_.output_pixel_stride, cols - g * step);
        if (g != groups) multiply<kOutput, kOutputs, 1>(scratch_.staged + g * group_bytes, group_bytes, result + g * step * record_.output_pixel_stride, cols - g * step);
      };
      outputs_ == 2 ? run.template operator()<2>() : run.template operator()<1>();
    }
  }

  NARU_TARGET_VNNI void transpose_row(const std::byte* source, std::uint64_t cols, std::uint64_t groups, std::byte* target) const noexcept {
    const std::uint64_t last_pixel = (cols - 1) * window_.stride_cols + window_.kernel_cols - 1;
    const __m512i flip = flip_ ? _mm512_set1_epi8(static_cast<char>(0x80)) : _mm512_setzero_si512();
    for (std::uint64_t g = 0; g < groups; ++g)
      for (std::uint32_t v = 0; v < groups_of_columns_; ++v, target += kVectors * kVectorBytes) {
        const std::uint64_t pixel = g * kUnits * unit_pixels_ + std::uint64_t{v} * kColumns;
        __m512i rows[kColumns];
        const bool inside = pixel + (kUnits - 1) * unit_pixels_ + kColumns - 1 <= last_pixel;
        NARU_UNROLL
        for (std::uint32_t i = 0; i < kColumns; ++i) {
          const std::byte* from[kUnits];
          for (std::uint32_t u = 0; u < kUnits; ++u) {
            const std::uint64_t p = pixel + u * unit_pixels_ + i;
            // Behind the last window's last pixel: any will do, its weights are zero or its sums are dropped.
            from[u] = source + (inside ? p : std::min(p, last_pixel)) * window_.pixel_stride;
          }
          rows[i] = _mm512_xor_si512(gathered<kWidth>(from, lanes_), flip);
        }
        const Fours fours = transposed(rows[0], rows[1], rows[2], rows[3]);
        NARU_UNROLL
        for (std::uint32_t j = 0; j < kVectors; ++j) _mm512_store_si512(target + j * kVectorBytes, fours.v[j]);
      }
  }

  /// kGroups groups of units, `group_bytes` apart: each weight is loaded once for all of them.
  template <Output kOutput, int kOutputs, int kGroups>
  NARU_VNNI_INLINE void multiply(const std::byte* group, std::size_t group_bytes, std::byte* result, std::uint64_t cols) const noexcept {
    __m512i sums[kGroups][kOutputs][kVectors];
    NARU_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      NARU_UNROLL
      for (int o = 0; o < kOutputs; ++o) {
        NARU_UNROLL
        for (std::uint32_t j = 0; j < kVectors; ++j) sums[g][o][j] = _mm512_setzero_si512();
      }
    }
    const __m512i* weight = weights();
    for (std::uint64_t y = 0; y < window_.kernel_rows; ++y) {
      const std::byte* inputs = group + scratch_.offsets[y];
      for (std::uint32_t v = 0; v < groups_of_columns_; ++v, inputs += kVectors * kVectorBytes, weight += kOutputs * kVectors) {
        NARU_UNROLL
        for (std::uint32_t j = 0; j < kVectors; ++j) {
          __m512i input[kGroups];
          NARU_UNROLL
          for (int g = 0; g < kGroups; ++g) input[g] = _mm512_load_si512(inputs + static_cast<std::size_t>(g) * group_bytes + j * kVectorBytes);
          NARU_UNROLL
          for (int o = 0; o < kOutputs; ++o) {
            const __m512i w = weight[o * static_cast<int>(kVectors) + static_cast<int>(j)];
            NARU_UNROLL
            for (int g = 0; g < kGroups; ++g) sums[g][o][j] = _mm512_dpbusd_epi32(sums[g][o][j], input[g], w);
          }
        }
      }
    }
    constexpr std::uint64_t kStep = kUnits * kOutputs;  // output columns of a group
    if constexpr (kOutput == Output::kSums) {
      NARU_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        NARU_UNROLL
        for (int o = 0; o < kOutputs; ++o) store_sums(sums[g][o], result, static_cast<std::uint64_t>(g) * kStep + static_cast<std::uint64_t>(o), kOutputs, cols);
      }
    } else {
      const __m512i lowest = _mm512_set1_epi8(static_cast<char>(record_.activation_min)), highest = _mm512_set1_epi8(static_cast<char>(record_.activation_max));
      with_sign_ ? requantize_all<true>(sums) : requantize_all<false>(sums);
      NARU_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        NARU_UNROLL
        for (int o = 0; o < kOutputs; ++o) {
          const __m512i(&v)[kVectors] = sums[g][o];
          store_bytes(packed_bytes<kOutput == Output::kSigned>(v[0], v[1], v[2], v[3], lowest, highest), result, static_cast<std::uint64_t>(g) * kStep + static_cast<std::uint64_t>(o), kOutputs, cols);
        }
      }
    }
  }

  template <bool kWithSign, int kGroups, int kOutputs>
  NARU_VNNI_INLINE void requantize_all(__m512i (&sums)[kGroups][kOutputs][kVectors]) const noexcept {
    NARU_UNROLL
    for (std::uint32_t j = 0; j < kVectors; ++j) {
      const ShortTerms terms = terms_[j];
      NARU_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        NARU_UNROLL
        for (int o = 0; o < kOutputs; ++o) sums[g][o][j] = terms.requantized<kWithSign>(sums[g][o][j]);
      }
    }
  }

  /// Unit u's result is output column u * step + first.
  NARU_VNNI_INLINE void store_bytes(__m512i bytes, std::byte* result, std::uint64_t first, std::uint64_t step, std::uint64_t cols) const noexcept {
    const std::size_t stride = record_.output_pixel_stride;
    if constexpr (kWidth == 64) {
      if (first < cols) _mm512_mask_storeu_epi8(result + first * stride, lanes_, bytes);
    } else if constexpr (kWidth == 32) {
      const auto lanes = static_cast<__mmask32>(lanes_);
      if (first < cols) _mm256_mask_storeu_epi8(result + first * stride, lanes, _mm512_castsi512_si256(bytes));
      if (first + step < cols) _mm256_mask_storeu_epi8(result + (first + step) * stride, lanes, _mm512_extracti64x4_epi64(bytes, 1));
    } else {
      const auto lanes = static_cast<__mmask16>(lanes_);
      if (first < cols) _mm_mask_storeu_epi8(result + first * stride, lanes, _mm512_castsi512_si128(bytes));
      if (first + step < cols) _mm_mask_storeu_epi8(result + (first + step) * stride, lanes, _mm512_extracti32x4_epi32(bytes, 1));
      if (first + 2 * step < cols) _mm_mask_storeu_epi8(result + (first + 2 * step) * stride, lanes, _mm512_extracti32x4_epi32(bytes, 2));
      if (first + 3 * step < cols) _mm_mask_storeu_epi8(result + (first + 3 * step) * stride, lanes, _mm512_extracti32x4_epi32(bytes, 3));
    }
  }

  NARU_VNNI_INLINE void store_sums(const __m512i (&sums)[kVectors], std::byte* result, std::uint64_t first, std::uint64_t step, std::uint64_t cols) const noexcept {
    const Fours blocks = exchanged({{_mm512_add_epi32(sums[0], starts_.v[0]), _mm512_add_epi32(sums[1], starts_.v[1]), _mm512_add_epi32(sums[2], starts_.v[2]), _mm512_add_epi32(sums[3], starts_.v[3])}});
    NARU_UNROLL
    for (std::uint32_t i = 0; i < 4; ++i) {
      constexpr std::uint32_t kBlocks = kWidth / kBlock;
      const std::uint64_t col = first + i / kBlocks * step;
      if (col < cols) _mm512_mask_storeu_epi32(result + col * record_.output_pixel_stride + i % kBlocks * kBlock * 4, static_cast<__mmask16>(lanes_ >> (i % kBlocks * kBlock)), blocks.v[i]);
    }
  }

  const abi::Depthwise& record_;
  const DepthwisePointers& at_;
  Scratch& scratch_;
  Window window_;
  std::uint64_t first_;
  std::uint32_t channels_;
  std::uint64_t lanes_;
  std::uint32_t outputs_, unit_pixels_, groups_of_columns_;
  bool flip_, with_sign_ = true;
  Fours excess_, starts_;
  ShortTerms terms_[kVectors];
};

template <int kWidth>
NARU_TARGET_VNNI bool execute_chunk(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch, std::uint64_t first) noexcept {
  Chunk<kWidth> chunk(record, at, scratch, first);
  return chunk.fits() && chunk.execute();
}

}  // namespace

NARU_TARGET_VNNI std::uint64_t depthwise_bytes(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch) noexcept {
  const bool bytes = abi::element_bytes(record.input_type) == 1 && record.weight_format == abi::WeightFormat::kDepthwiseI8 && record.weight_zero == 0 && record.output_type != abi::ElementType::kI16;
  if (!bytes || record.channel_multiplier != 1 || (record.dilation_cols != 1 && record.kernel_cols != 1)) return 0;
  std::uint64_t first = 0;
  while (first < record.channels) {
    const std::uint64_t left = record.channels - first;
    const std::uint32_t width = left > 32 ? 64 : left > 16 ? 32 : 16;
    const bool done = width == 64 ? execute_chunk<64>(record, at, scratch, first) : width == 32 ? execute_chunk<32>(record, at, scratch, first) : execute_chunk<16>(record, at, scratch, first);
    if (!done) break;
    first += width;
  }
  return std::min<std::uint64_t>(first, record.channels);
}

#else

std::uint64_t depthwise_bytes(const abi::Depthwise&, const DepthwisePointers&, Scratch&) noexcept { return 0; }

#endif

}  // namespace naru::mockdev::vnni
