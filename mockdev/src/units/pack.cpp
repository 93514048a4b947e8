// The right side of a product of two activations, made into a weight object: the weights block by block, then the records from their sums.
#include "naru/abi/weights.h"
#include "units/kernels.h"
#include "units/vector.h"

namespace naru::mockdev {
namespace {

struct PackRun {
  const abi::Pack& record;
  const std::byte* input;
  std::uint8_t flip;  // makes a stored weight of an input byte

  [[nodiscard]] std::int8_t weight(const std::byte* at) const noexcept { return static_cast<std::int8_t>(load<std::uint8_t>(at) ^ flip); }

  /// Four inputs of `lanes` channels each, from depth `k`, into one group; adds to the sums.
  void group(const std::byte* channels, std::uint64_t k, std::uint32_t lanes, std::byte* target, std::int64_t* sums) const noexcept {
    const std::uint64_t inputs = std::min<std::uint64_t>(kGroup, record.depth - k);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      const std::byte* source = channels + lane * std::uint64_t{record.channel_stride} + k * record.depth_stride;
      for (std::uint64_t i = 0; i < inputs; ++i) {
        const std::int8_t value = weight(source + i * record.depth_stride);
        store(target + lane * kGroup + i, value);
        sums[lane] += value;
      }
    }
  }

  /// Full groups of a full block whose channels lie side by side, as the columns of a row-major matrix do.
  void adjoining_group(const std::byte* channels, std::uint64_t k, std::byte* target, std::int64_t* sums) const noexcept {
    std::int8_t rows[kGroup][kBlock];
    for (std::uint32_t i = 0; i < kGroup; ++i)
      for (std::uint32_t lane = 0; lane < kBlock; ++lane) rows[i][lane] = weight(channels + (k + i) * record.depth_stride + lane);
    for (std::uint32_t lane = 0; lane < kBlock; ++lane) {
      for (std::uint32_t i = 0; i < kGroup; ++i) store(target + lane * kGroup + i, rows[i][lane]);
      sums[lane] += rows[0][lane] + rows[1][lane] + rows[2][lane] + rows[3][lane];
    }
  }

  void block(std::uint64_t first, std::byte* target, std::size_t block_bytes) const noexcept {
    const auto lanes = static_cast<std::uint32_t>(std::min<std::uint64_t>(kBlock, record.channels - first));
    const std::byte* channels = input + first * record.channel_stride;
    std::memset(target, 0, block_bytes);
    std::int64_t sums[kBlock] = {};
    std::byte* weights = target + abi::kWeightDataOffset;
    for (std::uint64_t k = 0; k < record.depth; k += kGroup, weights += kBlock * kGroup) {
      if (lanes == kBlock && record.channel_stride == 1 && record.depth - k >= kGroup) {
        adjoining_group(channels, k, weights, sums);
      } else {
        group(channels, k, lanes, weights, sums);
      }
    }
    for (std::uint32_t lane = 0; lane < lanes; ++lane) {
      const std::int64_t above_zero = sums[lane] - std::int64_t{record.depth} * record.weight_zero;
      store(target + abi::kWeightStartOffset + 8 * lane, -std::int64_t{record.input_zero} * above_zero);
      store(target + abi::kWeightMultiplierOffset + 4 * lane, record.multiplier);
      store(target + abi::kWeightSumOffset + 4 * lane, static_cast<std::int32_t>(sums[lane]));
      store(target + abi::kWeightShiftOffset + lane, record.shift);
    }
  }
};

}  // namespace

void execute_pack(const abi::Pack& record, const UnaryPointers& at) noexcept {
  const std::size_t block_bytes = abi::dense_block_bytes(1, record.depth);
  const PackRun run{record, at.input, static_cast<std::uint8_t>(record.input_type == abi::ElementType::kU8 ? 0x80 : 0)};
  for (std::uint64_t first = 0, block = 0; first < record.channels; first += kBlock, ++block) run.block(first, at.output + block * block_bytes, block_bytes);
}

}  // namespace naru::mockdev
