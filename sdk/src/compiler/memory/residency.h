// Which intermediate tensors stay in the SRAM from the operator that writes them to the last one that reads them, beside the buffers of all tiles.
#pragma once

#include <optional>

#include "compiler/memory/planner.h"

namespace naru::sdk::compiler {

/// A tensor that may stay.
struct ResidentCandidate {
  std::uint64_t bytes = 0;
  std::uint32_t first = 0, last = 0;  // operators, included
  std::uint32_t readers = 1;
};

struct SramPlan {
  std::vector<std::vector<std::uint64_t>> tiles;         // per operator, offset of each of its buffers
  std::vector<std::optional<std::uint64_t>> residents;   // per candidate; nullopt: it goes through the DRAM
  std::uint64_t peak = 0, live_peak = 0;
};

/// `tile_buffers[i]`: bytes of each buffer of operator i; together they fit `sram_bytes`. Neighbours' buffers lie apart where there is room, so that one
/// operator can load while the other ends.
[[nodiscard]] SramPlan plan_sram(const std::vector<std::vector<std::uint64_t>>& tile_buffers, const std::vector<ResidentCandidate>& candidates, std::uint64_t sram_bytes);

}  // namespace naru::sdk::compiler
