// Between the driver and the plan of the SRAM: operators on their way through the stages, and what the plan makes of them.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "compiler/memory/staging.h"
#include "compiler/schedule/order.h"

namespace naru::sdk::compiler {

/// A node on its way through the stages.
struct Planned {
  const Node* node = nullptr;
  Nest nest;
  Tiling tiling;
  PackedWeights weights;
  std::optional<CompactBlock> compact;
  std::vector<std::uint64_t> sram;
  TiledOperator tiled;
  std::uint64_t cycles = 0;                  // all commands one after the other
  std::uint64_t dram_bytes = 0;
  std::uint32_t commands = 0;
  std::vector<std::uint32_t> tensors;        // storages of the package tensors that it touches
  std::uint32_t job = 0;
  std::optional<std::uint64_t> weights_at;   // in the SRAM, when they stay there
  std::vector<TiledOperator> before, after;  // transfers and borders that are issued around it
};

/// What the commands of a node carry: its operator's number in the model file.
[[nodiscard]] std::uint32_t source_of(const Program& program, const Node& node);

/// Plans the SRAM and puts the plan into `planned`: nests, tilings, buffers. `places`: where everything lies in the DRAM.
[[nodiscard]] Staging plan_operators(std::vector<Planned>& planned, const Program& program, std::span<const Alias> aliases, std::span<const abi::Operand> places,
                                     const abi::Chip& chip, bool weights_stay);

/// The transfers and borders that the plan asks for, into Planned::before and after. `places` may have changed where tensors no longer have one.
void stage_transfers(std::vector<Planned>& planned, const Staging& staging, const Program& program, std::span<const Alias> aliases, std::span<const abi::Operand> places,
                     const abi::Chip& chip);

/// What commands cost one after the other, each alone.
struct Work {
  std::uint64_t cycles = 0;
  std::uint64_t dram_bytes = 0;
  std::uint32_t commands = 0;
};
[[nodiscard]] Work work_of(const TiledOperator& op, const abi::Chip& chip);

/// Sums up cycles, bytes, commands and package tensors of all that the operator does.
void account(Planned& planned, const abi::Chip& chip);

}  // namespace naru::sdk::compiler
