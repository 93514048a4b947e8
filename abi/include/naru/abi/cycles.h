// One cycle formula per command. Predicted (compiler) and simulated (device) time share exactly this; how commands overlap each computes by itself.
#pragma once

#include "naru/abi/chip.h"
#include "naru/abi/isa.h"

namespace naru::abi {

/// Cost of a command by itself. Non-DMA: start + busy cycles. DMA: start + latency fixed cycles, then `dram_bytes` at a share of the DRAM's
/// bytes per cycle (each of k DMA engines that are transferring gets 1/k, cycle by cycle), or `busy` cycles when no DRAM is touched.
struct Cost {
  std::uint64_t fixed = 0;       // start, and latency for DMA that touches DRAM
  std::uint64_t busy = 0;        // cycles that do not depend on others
  std::uint64_t dram_bytes = 0;  // rows rounded up to bursts, both sides if both are DRAM

  /// With nobody else on the DRAM.
  [[nodiscard]] constexpr std::uint64_t alone(const Chip& chip) const noexcept {
    return fixed + busy + (dram_bytes == 0 ? 0 : ceil_div<std::uint64_t>(dram_bytes, chip.dram_bytes_per_cycle));
  }
  friend constexpr bool operator==(const Cost&, const Cost&) = default;
};

/// `source_memory`, `target_memory`: where a DMA's operands lie (ignored for others). END, WAIT, MARK cost nothing.
[[nodiscard]] NARU_API Cost cost_of(const Command& command, const Chip& chip, MemoryKind source_memory = MemoryKind::kSram,
                           MemoryKind target_memory = MemoryKind::kSram) noexcept;

/// Multiply-accumulates that the command does for the model (padding lanes not counted); 0 for commands that are not on the MAC engine.
[[nodiscard]] NARU_API std::uint64_t macs_of(const CommandBody& body) noexcept;

}  // namespace naru::abi
