// Predicted time: worked examples by hand, and that overlap pays.
#include <gtest/gtest.h>

#include "chips.h"
#include "compiler/compiler.h"
#include "compiler/schedule/predict.h"
#include "naru/abi/cycles.h"
#include "random_models.h"

namespace naru::sdk::testing {
namespace {

abi::Stream two_regions(std::vector<abi::Command> commands) {
  abi::Stream stream;
  stream.regions = {{abi::MemoryKind::kSram, abi::Rights::kReadWrite, {}, 1 << 20}, {abi::MemoryKind::kDram, abi::Rights::kReadWrite, {}, 1 << 20}};
  stream.commands = std::move(commands);
  stream.commands.push_back({abi::Engine::kNone, 0, abi::End{}});
  return stream;
}

abi::Command load(abi::Engine engine, std::uint64_t offset, std::uint32_t bytes) {
  abi::Dma command;
  command.source = abi::Operand::at(1, offset);
  command.target = abi::Operand::at(0, offset);
  command.row_bytes = bytes;
  return {engine, 0, command};
}

TEST(Prediction, AddsWhatOneEngineDoesInTurn) {
  const abi::Chip chip = edge().numbers;  // 16 start + 100 latency + 6400 / 8
  EXPECT_EQ(compiler::predict_cycles(two_regions({load(abi::Engine::kDma0, 0, 6400), load(abi::Engine::kDma0, 6400, 6400)}), chip), 2U * (116 + 800));
}

TEST(Prediction, SharesTheDramAmongTheEnginesThatTransfer) {
  const abi::Chip chip = edge().numbers;
  // 800 bytes are 13 bursts, 832. Both transfer from cycle 116 on at 4 bytes per cycle: the short one ends after 208, the long one has 5568 left.
  EXPECT_EQ(compiler::predict_cycles(two_regions({load(abi::Engine::kDma0, 0, 6400), load(abi::Engine::kDma1, 6400, 800)}), chip), 116U + 208 + 696);
}

TEST(Prediction, HidesLatencyBehindAnothersTransfer) {
  const abi::Chip chip = edge().numbers;
  const auto wait = abi::Command{abi::Engine::kDma1, 0, abi::Wait{abi::Engine::kDma0, {}, 1}};
  const auto serial = compiler::predict_cycles(two_regions({load(abi::Engine::kDma0, 0, 640), wait, load(abi::Engine::kDma1, 6400, 640)}), chip);
  const auto beside = compiler::predict_cycles(two_regions({load(abi::Engine::kDma0, 0, 640), load(abi::Engine::kDma1, 6400, 640)}), chip);
  EXPECT_EQ(serial, 2U * (116 + 80));
  EXPECT_EQ(beside, 116U + 160);
}

TEST(Schedule, OverlapsTransfersWithComputation) {
  ModelBuilder b(5);
  const auto in = b.input({1, 64, 64, 32});
  const auto filter = b.weights({32, 3, 3, 32}, 0, true);
  const auto out = b.op(graph::OperatorKind::kConv2d, {in, filter, b.bias(32)}, b.activation({1, 64, 64, 32}), graph::ConvOptions{graph::Padding::kSame, 1, 1, 1, 1, 1, {}});
  const graph::Graph graph = b.finish({out});
  for (const Chip& chip : {edge(), tiny()}) {
    const auto package = compiler::compile(graph, chip.numbers, {});
    ASSERT_TRUE(package) << package.error().to_string(true);
    const auto& job = std::get<package::NpuJob>(package->steps[0]);
    EXPECT_GT(package->operators[0].tiles, 1U);
    EXPECT_LT(job.predicted_cycles, job.worst_case_cycles * 4 / 5) << chip.name;
  }
}

}  // namespace
}  // namespace naru::sdk::testing
