// What no schedule can beat: the largest over the engines of the sum of every operator's ideal time, by the formulas of abi/cycles.h over whole
// operators, without start costs. Schedules are judged by it (docs/performance.md).
#pragma once

#include <cstdint>

#include "graph/graph.h"
#include "naru/abi/chip.h"
#include "naru/base/result.h"

namespace naru::sdk::compiler {

struct Bound {
  std::uint64_t mac = 0, vector = 0, dma = 0;  // cycles
  std::uint64_t macs = 0, window_macs = 0;     // multiply-accumulates of all operators on the NPU, and of those that are convolutions of images
  [[nodiscard]] std::uint64_t cycles() const noexcept { return mac > vector ? (mac > dma ? mac : dma) : (vector > dma ? vector : dma); }
};

/// `compulsory_bytes`: weights, inputs and outputs once; what every DMA engine together must move over the DRAM.
[[nodiscard]] Result<Bound> bound_of(const graph::Graph& graph, const abi::Chip& chip, std::uint64_t compulsory_bytes);

}  // namespace naru::sdk::compiler
