// Goal: the cycle formulas give the figures of the contract's table. Method: hand-computed values on two chips.
#include <gtest/gtest.h>

#include "naru/abi/cycles.h"

namespace naru::abi {
namespace {

constexpr Chip kEdgeLike{.dma_engines = 2, .clock_hz_thousands = 500000, .oc_lanes = 64, .dot_depth = 64, .dw_channels = 64, .dw_taps = 4, .vector_lanes = 64,
                         .start_cycles = 16, .sram_bytes_per_cycle = 64, .dram_bytes_per_cycle = 8, .dram_latency_cycles = 100, .dram_burst_bytes = 64,
                         .sram_bytes = 8 << 20, .dram_bytes = 64 << 20, .job_cycles_max = 50'000'000};

TEST(Cycles, ConvolutionFlattensTapsAndInputs) {
  Conv conv;
  conv.out_rows = 7; conv.out_cols = 7; conv.out_channels = 65; conv.in_channels = 3; conv.kernel_rows = 3; conv.kernel_cols = 3;
  // ceil(65 / 64) * ceil(9 * 4 / 64) * 49
  EXPECT_EQ(cost_of({Engine::kMac, 0, conv}, kEdgeLike), (Cost{.fixed = 16, .busy = 2 * 1 * 49, .dram_bytes = 0}));
  EXPECT_EQ(macs_of(conv), 7U * 7 * 65 * 3 * 9);
}

TEST(Cycles, DepthwiseCountsTapsPerCycle) {
  Depthwise depthwise;
  depthwise.out_rows = 2; depthwise.out_cols = 5; depthwise.channels = 64; depthwise.kernel_rows = 3; depthwise.kernel_cols = 3;
  EXPECT_EQ(cost_of({Engine::kMac, 0, depthwise}, kEdgeLike).busy, 1U * 3 * 10);
}

TEST(Cycles, DmaRoundsEachContiguousRowUpToABurst) {
  Dma dma;
  dma.row_bytes = 10; dma.count = {1, 3, 4}; dma.source_stride = {0, 40, 10}; dma.target_stride = {0, 64, 16};
  // The source's rows continue each other: 3 * 4 * 10 = 120 bytes as one row of two bursts.
  EXPECT_EQ(cost_of({Engine::kDma0, 0, dma}, kEdgeLike, MemoryKind::kDram, MemoryKind::kSram), (Cost{.fixed = 116, .busy = 0, .dram_bytes = 128}));
  // The target's do not: 12 rows of one burst each.
  EXPECT_EQ(cost_of({Engine::kDma0, 0, dma}, kEdgeLike, MemoryKind::kSram, MemoryKind::kDram).dram_bytes, 12U * 64);
  EXPECT_EQ(cost_of({Engine::kDma0, 0, dma}, kEdgeLike, MemoryKind::kSram, MemoryKind::kSram), (Cost{.fixed = 16, .busy = 2, .dram_bytes = 0}));
}

TEST(Cycles, SoftmaxPaysPerRow) {
  Softmax softmax;
  softmax.rows = 3; softmax.row_elements = 65;
  EXPECT_EQ(cost_of({Engine::kVector, 0, softmax}, kEdgeLike).busy, 3U * (4 * 2 + 32));
}

TEST(Cycles, PoolPaysPerTap) {
  Pool pool;
  pool.out_rows = 2; pool.out_cols = 2; pool.channels = 33; pool.kernel_rows = 2; pool.kernel_cols = 3;
  EXPECT_EQ(cost_of({Engine::kVector, 0, pool}, kEdgeLike).busy, 6U * 3);
}

TEST(Cycles, CurveIsAsATable) {
  Curve curve;
  curve.extent = {1, 2, 3, 65};
  EXPECT_EQ(cost_of({Engine::kVector, 0, curve}, kEdgeLike), (Cost{.fixed = 16, .busy = 7, .dram_bytes = 0}));
}

TEST(Cycles, PackPaysForTheWeightObject) {
  Pack pack;
  pack.channels = 17; pack.depth = 9;
  // Two blocks of 320 + 3 * 64 bytes.
  EXPECT_EQ(cost_of({Engine::kVector, 0, pack}, kEdgeLike).busy, 2U * 512 / 64);
}

TEST(Cycles, ResizePaysForFourTaps) {
  Resize resize;
  resize.out_rows = 3; resize.out_cols = 5; resize.channels = 9;
  EXPECT_EQ(cost_of({Engine::kVector, 0, resize}, kEdgeLike).busy, 4U * 3);
}

TEST(Cycles, WaitsAndMarksAreFree) {
  EXPECT_EQ(cost_of({Engine::kMac, 0, Wait{}}, kEdgeLike), Cost{});
  EXPECT_EQ(cost_of({Engine::kMac, 0, Mark{}}, kEdgeLike), Cost{});
}

}  // namespace
}  // namespace naru::abi
