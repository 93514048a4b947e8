// The commands that bring to the SRAM what stays there, and take from it what must leave: in pieces, on whichever DMA engine is free first, so that
// the latency of one piece hides behind another.
#pragma once

#include <array>
#include <vector>

#include "compiler/memory/staging.h"
#include "naru/abi/chip.h"

namespace naru::sdk::compiler {

/// Loads of one job, in the order in which they are asked for.
class Transfers {
 public:
  explicit Transfers(const abi::Chip& chip) : chip_(chip) {}

  /// Tiles of the same job load and store too: the engine of their stores is left to them.
  void share() noexcept { shared_ = true; }

  [[nodiscard]] std::vector<Item> load(const StagedWeights& weights);
  /// `home`: where the tensor lies in the DRAM.
  [[nodiscard]] std::vector<Item> load(const StagedTensor& tensor, abi::Operand home);
  [[nodiscard]] std::vector<Item> store(const StagedTensor& tensor, abi::Operand home);

 private:
  [[nodiscard]] Unit next(std::uint64_t bytes);

  const abi::Chip& chip_;
  bool shared_ = false;
  std::array<std::uint64_t, 2> asked_{};  // cycles, by unit
};

}  // namespace naru::sdk::compiler
