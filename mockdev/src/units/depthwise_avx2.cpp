// Depthwise convolution on bytes in AVX2: two rows of the kernel are one pair for vpmaddwd, made from the inputs where they lie, sixteen channels at a time. Every pair of inputs serves all
// windows of a tile that it is in; sums are finished in registers. For kernels of three or five columns at a stride of one or two; the rest goes by way of depthwise.cpp's tiles.
#include <array>
#include <utility>

#include "units/avx2.h"
#include "units/conv.h"
#include "units/staging.h"

namespace naru::mockdev::avx2 {

#if defined(__x86_64__)
namespace {

/// With two vectors each they are 12 of 16 registers.
constexpr int kRowPixels = 6;
/// Weights of two rows at a column: sixteen channels' pairs.
constexpr std::size_t kRowPairBytes = kBlock * 2 * sizeof(std::int16_t);
constexpr std::size_t kRowPairsMax = sizeof(Scratch::tap_weights) / kRowPairBytes;
constexpr std::uint64_t kChunkBlocksMax = std::uint64_t{kTermsMax} * kTermBlocks;

struct Row {
  const std::uint32_t* offsets;   // of the kernel's rows, two for each pair
  std::uint32_t pairs;
  std::size_t pixel_stride;
  const std::byte* weights;       // [pair][column][channel]
  const std::int32_t* start;
  const CodeTerms* terms;         // null: sums
  bool with_sign;
  std::size_t output_step;
};

template <bool kSigned>
NARU_AVX2_INLINE __m256i widened(__m128i bytes) noexcept {
  return kSigned ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}

/// With weights in memory, where they belong: g++ 12 takes registers for them, and puts sums away instead.
NARU_AVX2_INLINE __m256i product(__m256i pairs, const std::byte* weights) noexcept {
  __m256i value;
  asm("vpmaddwd %2, %1, %0" : "=x"(value) : "x"(pairs), "m"(*reinterpret_cast<const std::byte(*)[sizeof(__m256i)]>(weights)));
  return value;
}

template <int kCount, int kStride, int kCols, bool kSigned>
NARU_TARGET_AVX2 void multiply_row(const Row& row, const std::byte* first, std::byte* target) noexcept {
  __m256i sums[kCount][2];
  const __m256i low_start = load_vector(row.start), high_start = load_vector(row.start + 8);
  NARU_UNROLL
  for (int m = 0; m < kCount; ++m) sums[m][0] = low_start, sums[m][1] = high_start;
  const std::byte* weights = row.weights;
  for (std::uint32_t pair = 0; pair < row.pairs; ++pair, weights += kCols * kRowPairBytes) {
    const std::byte *upper = first + row.offsets[2 * pair], *lower = first + row.offsets[2 * pair + 1];
    NARU_UNROLL
    for (int col = 0; col < (kCount - 1) * kStride + kCols; ++col, upper += row.pixel_stride, lower += row.pixel_stride) {
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(upper)), b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(lower));
      const __m256i low = widened<kSigned>(_mm_unpacklo_epi8(a, b)), high = widened<kSigned>(_mm_unpackhi_epi8(a, b));
      NARU_UNROLL
      for (int x = 0; x < kCols; ++x) {
        const int m = (col - x) / kStride;
        if (col < x || (col - x) % kStride != 0 || m >= kCount) continue;
        const std::byte* const weight = weights + static_cast<std::size_t>(x) * kRowPairBytes;
        accumulate(sums[m][0], product(low, weight));
        accumulate(sums[m][1], product(high, weight + sizeof(__m256i)));
      }
    }
  }
  if (row.terms != nullptr) return row.with_sign ? store_codes<true>(sums, *row.terms, target, row.output_step) : store_codes<false>(sums, *row.terms, target, row.output_step);
  store_sums(sums, target, row.output_step);
}

using MultiplyRow = void (*)(const Row&, const std::byte*, std::byte*) noexcept;
using RowKernels = std::array<MultiplyRow, kRowPixels>;  // by number of pixels, less one
template <int kStride, int kCols, bool kSigned, int... kCounts>
constexpr RowKernels row_kernels(std::integer_sequence<int, kCounts...>) {
  return {multiply_row<kCounts + 1, kStride, kCols, kSigned>...};
}
template <int kStride, int kCols, bool kSigned>
constexpr RowKernels kRowKernels = row_kernels<kStride, kCols, kSigned>(std::make_integer_sequence<int, kRowPixels>());

template <int kStride, int kCols>
constexpr const RowKernels* kernels_for(bool is_signed) noexcept {
  return is_signed ? &kRowKernels<kStride, kCols, true> : &kRowKernels<kStride, kCols, false>;
}
/// Null: none for this shape.
const RowKernels* kernels_for(const abi::Depthwise& record) noexcept {
  const bool is_signed = record.input_type == abi::ElementType::kI8;
  if (record.dilation_cols != 1 || record.stride_cols > 2) return nullptr;
  switch (record.kernel_cols) {
    case 3: return record.stride_cols == 1 ? kernels_for<1, 3>(is_signed) : kernels_for<2, 3>(is_signed);
    case 5: return record.stride_cols == 1 ? kernels_for<1, 5>(is_signed) : kernels_for<2, 5>(is_signed);
    default: return nullptr;
  }
}

/// Whole blocks of channels, as many as the scratch has terms and weights for.
class Chunk {
 public:
  Chunk(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch, std::uint64_t first, std::uint64_t count) noexcept
      : record_(record), at_(at), scratch_(scratch), window_(Window::of(record)), first_(first), count_(count), pairs_(pairs_of(record)), block_pairs_(std::size_t{pairs_} * record.kernel_cols) {}

  [[nodiscard]] static std::uint32_t pairs_of(const abi::Depthwise& record) noexcept { return ceil_div<std::uint32_t>(record.kernel_rows, 2); }

  /// False: the short way is not exact here; nothing was done.
  NARU_TARGET_AVX2 bool execute(const RowKernels& kernels) noexcept {
    const bool sums = record_.output_type == abi::ElementType::kI32, with_sign = record_.activation_min < record_.output_zero;
    for (std::uint64_t n = 0; n < count_; ++n) {
      ChannelTerms& place = scratch_.terms[n / kTermBlocks];
      if (n % kTermBlocks == 0) begin_terms(place, record_, std::uint64_t{255} * 255 * window_.taps());
      load_terms(block(n), static_cast<std::uint32_t>(n % kTermBlocks), place, true);
      if (!sums && !place.usual) return false;
    }
    for (std::uint64_t n = 0; n < count_; ++n) pair_weights(n);
    move_starts(scratch_, count_, sums);
    for (std::uint32_t y = 0; y < 2 * pairs_; ++y) scratch_.offsets[y] = static_cast<std::uint32_t>(std::min<std::uint32_t>(y, record_.kernel_rows - 1) * window_.dilation_rows * window_.row_stride);
    CodeTerms terms(record_.output_type == abi::ElementType::kI8, record_.activation_min, record_.activation_max);
    const std::size_t element_bytes = abi::element_bytes(record_.output_type);
    const std::uint64_t tiles = ceil_div<std::uint64_t>(window_.out_cols, kRowPixels);
    for (std::uint64_t r = 0; r < window_.out_rows; ++r)
      for (std::uint64_t n = 0; n < count_; ++n) {
        if (!sums) terms.load(scratch_.terms[n / kTermBlocks], static_cast<std::uint32_t>(n % kTermBlocks * kBlock), with_sign);
        const Row row = {.offsets = scratch_.offsets,
                         .pairs = pairs_,
                         .pixel_stride = window_.pixel_stride,
                         .weights = weights(n),
                         .start = scratch_.starts + n * kBlock,
                         .terms = sums ? nullptr : &terms,
                         .with_sign = with_sign,
                         .output_step = record_.output_pixel_stride};
        const std::uint64_t channel = (first_ + n) * kBlock;
        const std::byte* input = at_.input + r * window_.stride_rows * window_.row_stride + channel;
        std::byte* output = at_.output + r * record_.output_row_stride + channel * element_bytes;
        std::uint64_t left = window_.out_cols;
        for (std::uint64_t tile = tiles; tile != 0; --tile) {
          const std::uint64_t share = ceil_div(left, tile);
          kernels[share - 1](row, input, output);
          input += share * window_.stride_cols * window_.pixel_stride;
          output += share * record_.output_pixel_stride;
          left -= share;
        }
      }
    return true;
  }

 private:
  [[nodiscard]] const std::byte* block(std::uint64_t n) const noexcept { return at_.weights + (first_ + n) * abi::depthwise_block_bytes(window_.taps()); }
  [[nodiscard]] std::byte* weights(std::uint64_t n) const noexcept { return reinterpret_cast<std::byte*>(scratch_.tap_weights) + n * block_pairs_ * kRowPairBytes; }

  /// w - weight_zero of the block; the missing second row of an odd number is zero.
  NARU_TARGET_AVX2 void pair_weights(std::uint64_t n) const noexcept {
    const __m256i zero = _mm256_set1_epi16(static_cast<std::int16_t>(record_.weight_zero));
    std::byte* target = weights(n);
    for (std::uint32_t pair = 0; pair < pairs_; ++pair)
      for (std::uint32_t x = 0; x < record_.kernel_cols; ++x, target += kRowPairBytes) {
        const auto of_row = [&](std::uint32_t y) NARU_AVX2_LAMBDA {
          if (y >= record_.kernel_rows) return _mm256_setzero_si256();
          const std::byte* const from = block(n) + abi::depthwise_weight_offset(std::uint64_t{y} * record_.kernel_cols + x, 0);
          return _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))), zero);
        };
        const __m256i upper = of_row(2 * pair), lower = of_row(2 * pair + 1);
        const __m256i outer = _mm256_unpacklo_epi16(upper, lower), inner = _mm256_unpackhi_epi16(upper, lower);  // channels 0 to 3 and 8 to 11, 4 to 7 and 12 to 15
        store_vector(target, _mm256_permute2x128_si256(outer, inner, 0x20));
        store_vector(target + sizeof(__m256i), _mm256_permute2x128_si256(outer, inner, 0x31));
      }
  }

  const abi::Depthwise& record_;
  const DepthwisePointers& at_;
  Scratch& scratch_;
  Window window_;
  std::uint64_t first_, count_;  // blocks
  std::uint32_t pairs_;
  std::size_t block_pairs_;
};

}  // namespace

std::uint64_t depthwise_bytes(const abi::Depthwise& record, const DepthwisePointers& at, Scratch& scratch) noexcept {
  const bool bytes = abi::element_bytes(record.input_type) == 1 && record.weight_format == abi::WeightFormat::kDepthwiseI8 && record.output_type != abi::ElementType::kI16;
  const RowKernels* const kernels = kernels_for(record);
  if (!bytes || record.channel_multiplier != 1 || kernels == nullptr) return 0;
  const std::size_t block_pairs = std::size_t{Chunk::pairs_of(record)} * record.kernel_cols;
  const std::uint64_t extent = std::uint64_t{record.kernel_rows} * record.dilation_rows * record.input_row_stride;
  if (block_pairs > kRowPairsMax || extent > UINT32_MAX) return 0;
  const std::uint64_t blocks = record.channels / kBlock, count_max = std::min<std::uint64_t>(kChunkBlocksMax, kRowPairsMax / block_pairs);
  std::uint64_t first = 0;
  while (first < blocks) {
    const std::uint64_t count = std::min(count_max, blocks - first);
    if (!Chunk(record, at, scratch, first, count).execute(*kernels)) break;
    first += count;
  }
  return first * kBlock;
}

#else

std::uint64_t depthwise_bytes(const abi::Depthwise&, const DepthwisePointers&, Scratch&) noexcept { return 0; }

#endif

}  // namespace naru::mockdev::avx2
