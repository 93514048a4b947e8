// The last block of weights when it has fewer channels than a block holds: only their bytes lie in the DRAM, and the DMA spreads them in the SRAM.
// Other channels' records are zero as ever; what lies at their weights does not matter, for nothing they give is written.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "compiler/weights/weights.h"
#include "naru/abi/chip.h"

namespace naru::sdk::compiler {

struct CompactBlock {
  std::uint64_t rows = 0;       // of the block's weights
  std::uint64_t kept = 0;       // bytes of each row in the DRAM
  std::uint64_t row_bytes = 0;  // in the SRAM
};

/// Compacts what pack_weights appended last, where that saves more than another DMA command costs.
[[nodiscard]] std::optional<CompactBlock> compact_last_block(const WindowNode& node, const PackedWeights& weights, const abi::Chip& chip, std::vector<std::byte>& constants);

/// Loads `bytes` of blocks from `source` to `target`; `compact` when the last of them is.
void append_weights(std::vector<Item>& items, Unit unit, abi::Operand source, abi::Operand target, std::uint64_t bytes, std::uint64_t block_bytes, const CompactBlock* compact);

}  // namespace naru::sdk::compiler
