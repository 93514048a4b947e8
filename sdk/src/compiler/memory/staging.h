// What stays in the SRAM and when it gets there. An operator whose tensors and weights all stay runs whole, on no buffers of its own; its weights and
// the model's inputs load as many operators ahead as there is room for. All others run in tiles. Every life is counted in operators.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compiler/group/group.h"
#include "compiler/memory/planner.h"
#include "compiler/tile/tile.h"

namespace naru::sdk::compiler {

/// One operator, as the plan needs it. Tensors are roots (group.h).
struct StagedOperator {
  const Nest* nest = nullptr;
  std::vector<TensorId> reads;
  TensorId writes = graph::kAbsent;
  std::uint64_t weights_begin = 0, weights_bytes = 0;  // in the constants; bytes in the SRAM
  std::uint64_t block_bytes = 0;
  std::optional<CompactBlock> compact;
  bool may_be_whole = true;
  std::vector<std::uint64_t> tiles;                    // bytes of each buffer when it runs in tiles
  std::uint32_t job = 0;
};

/// What is known of a root before the plan.
struct TensorFacts {
  std::uint64_t bytes = 0;
  bool has_home = false;  // lies in a region of its own in the DRAM, whatever the plan says
};

/// A tensor that stays during part of one job.
struct StagedTensor {
  TensorId root = graph::kAbsent;
  std::uint32_t job = 0;
  std::uint32_t issue = 0;           // operator before which its load, or its border, is issued
  std::uint32_t first = 0, last = 0; // operators that touch it
  std::uint32_t writer = 0;
  std::uint32_t readers = 0;
  bool loads = false, stores = false;  // before its first reader, after its writer
  Frame frame;
  std::int32_t border_value = 0;
  std::uint64_t bytes = 0;
  std::uint64_t offset = 0;          // in the SRAM, of the frame's first byte
  [[nodiscard]] std::uint64_t image() const noexcept { return offset + frame.origin(); }
};

/// Weights of neighbours that load together.
struct StagedWeights {
  std::uint64_t begin = 0, bytes = 0;  // in the constants; bytes in the SRAM
  std::uint32_t issue = 0, first = 0, last = 0;
  std::uint64_t offset = 0;            // in the SRAM
  std::uint64_t block_bytes = 0;
  std::optional<CompactBlock> compact; // of the last block; then there are no neighbours
};

struct Staging {
  std::vector<bool> whole;                          // by operator
  std::vector<Nest> nests;                          // by operator: changed where tensors have frames
  std::vector<std::vector<std::uint64_t>> tiles;    // by operator: offsets of its buffers
  std::vector<StagedTensor> tensors;
  std::vector<StagedWeights> weights;
  std::vector<std::optional<std::uint64_t>> weights_at;  // by operator, in the SRAM
  bool weights_stay = false;                        // every weight has a place of its own from the first operator to the last
  std::uint64_t peak = 0, live_peak = 0;
};

/// `facts` by tensor, `aliases` as in group.h. Every operator's tiles fit the chip's SRAM. `weights_stay` asks for a plan in which all weights stay from
/// inference to inference, where there is one.
[[nodiscard]] Staging plan_staging(const std::vector<StagedOperator>& operators, std::span<const TensorFacts> facts, std::span<const Alias> aliases, const abi::Chip& chip,
                                   bool weights_stay);

}  // namespace naru::sdk::compiler
