// One planner of memory, for scratch in DRAM and for buffers in SRAM: what lives at the same time lies apart.
#pragma once

#include <cstdint>
#include <vector>

namespace naru::sdk::compiler {

struct Buffer {
  std::uint64_t bytes = 0;
  std::uint32_t first = 0;  // step at which it begins to live
  std::uint32_t last = 0;   // last step of its life, included
};

struct MemoryPlan {
  std::vector<std::uint64_t> offsets;  // of each buffer, multiples of the alignment
  std::uint64_t peak = 0;              // bytes from 0 that hold all
  std::uint64_t live_peak = 0;         // largest sum of sizes that live at once: no plan can have a lower peak
};

/// First fit in several orders (largest first, most bytes times life first, first come first ...), then a bounded climb
/// that puts forward what lies on top; ends as soon as the peak is the live sum. Of thousands of buffers, first come first only. Deterministic.
[[nodiscard]] MemoryPlan plan_memory(const std::vector<Buffer>& buffers, std::uint64_t alignment = 64);

}  // namespace naru::sdk::compiler
