// Rows of a dense block are [16 channels][4 inputs]: the channels that are there come first in each. Depthwise blocks are too small to be worth it.
#include "compiler/tile/compact.h"

#include <algorithm>

#include "compiler/tile/parts.h"
#include "naru/abi/weights.h"

namespace naru::sdk::compiler {

std::optional<CompactBlock> compact_last_block(const WindowNode& node, const PackedWeights& weights, const abi::Chip& chip, std::vector<std::byte>& constants) {
  if (node.kind != WindowNode::Kind::kDense || weights.objects.size() != 1) return std::nullopt;
  const std::uint64_t channels = node.out_channels % abi::kWeightBlockChannels;
  if (channels == 0) return std::nullopt;
  const std::uint64_t taps = std::uint64_t{node.kernel_rows} * node.kernel_cols;
  const CompactBlock block{taps * ceil_div<std::uint64_t>(node.in_channels, abi::kWeightInputGroup), channels * abi::kWeightInputGroup,
                           std::uint64_t{abi::kWeightBlockChannels} * abi::kWeightInputGroup};
  const std::uint64_t saved = block.rows * (block.row_bytes - block.kept);
  if (saved < (std::uint64_t{chip.start_cycles} + chip.dram_latency_cycles) * chip.dram_bytes_per_cycle) return std::nullopt;
  const std::uint64_t data = weights.end - weights.block_bytes.front() + abi::kWeightDataOffset;
  for (std::uint64_t row = 0; row < block.rows; ++row)
    std::copy_n(constants.begin() + static_cast<std::ptrdiff_t>(data + row * block.row_bytes), block.kept, constants.begin() + static_cast<std::ptrdiff_t>(data + row * block.kept));
  constants.resize(data + block.rows * block.kept);
  return block;
}

void append_weights(std::vector<Item>& items, Unit unit, abi::Operand source, abi::Operand target, std::uint64_t bytes, std::uint64_t block_bytes, const CompactBlock* compact) {
  const std::uint64_t whole = compact == nullptr ? bytes : bytes - block_bytes + abi::kWeightDataOffset;
  append_dma(items, unit, source, target, whole, {});
  if (compact != nullptr) append_dma(items, unit, advance(source, whole), advance(target, whole), compact->kept, {{compact->rows, compact->kept, compact->row_bytes}});
}

}  // namespace naru::sdk::compiler
