// What stays in the SRAM: whole operators where all fits, tiles where not, frames around padded images, loads ahead of their readers.
#include <gtest/gtest.h>

#include <algorithm>

#include "chips.h"
#include "compiler/compiler.h"
#include "compiler/schedule/bound.h"
#include "compiler/schedule/predict.h"
#include "compiler/tile/frame.h"
#include "naru/abi/stream.h"
#include "package/codec.h"
#include "random_models.h"

namespace naru::sdk::testing {
namespace {

using graph::OperatorKind;

/// `depth` convolutions of 3x3 over 16 x 16 x 32.
graph::Graph convolutions(int depth) {
  ModelBuilder b(9);
  auto last = b.input({1, 16, 16, 32});
  for (int i = 0; i < depth; ++i)
    last = b.op(OperatorKind::kConv2d, {last, b.weights({32, 3, 3, 32}, 0, true), b.bias(32)}, b.activation({1, 16, 16, 32}),
                graph::ConvOptions{graph::Padding::kSame, 1, 1, 1, 1, 1, {}});
  return b.finish({last});
}

package::Package compiled(const graph::Graph& graph, const abi::Chip& chip, const compiler::CompileOptions& options = {}) {
  auto package = compiler::compile(graph, chip, options);
  EXPECT_TRUE(package) << package.error().to_string(true);
  return std::move(*package);
}

std::uint64_t cycles_of(const package::Package& package) { return std::get<package::NpuJob>(package.steps.at(0)).predicted_cycles; }

TEST(Staging, MovesNothingTwiceWhereAllFits) {
  const auto package = compiled(convolutions(6), edge().numbers);
  EXPECT_EQ(package.memory.dram_traffic_bytes, package.memory.compulsory_bytes);
  EXPECT_EQ(package.scratch_bytes, 0U);
}

TEST(Staging, NeverCopiesAnImageToPadIt) {
  const auto package = compiled(convolutions(6), edge().numbers);
  abi::Stream stream;
  ASSERT_EQ(abi::decode_stream(std::get<package::NpuJob>(package.steps.at(0)).stream, stream).fault, abi::StreamFault::kNone);
  for (const auto& command : stream.commands) {
    const auto* dma = std::get_if<abi::Dma>(&command.body);
    if (dma == nullptr) continue;
    EXPECT_TRUE(stream.regions[dma->source.region()].memory == abi::MemoryKind::kDram || stream.regions[dma->target.region()].memory == abi::MemoryKind::kDram);
  }
}

TEST(Staging, LoadsWeightsWhileEarlierOperatorsCompute) {
  const graph::Graph graph = convolutions(12);
  const auto package = compiled(graph, edge().numbers);
  const auto bound = compiler::bound_of(graph, edge().numbers, package.memory.compulsory_bytes);
  ASSERT_TRUE(bound);
  // DMA takes nearly all of the time; only the last convolution and part of its output come after the last weights.
  EXPECT_LT(cycles_of(package), bound->dma + bound->mac / 4);
}

TEST(Staging, FallsBackToTilesAndStaysInsideTheSram) {
  abi::Chip chip = tiny().numbers;
  chip.sram_bytes = 16384;
  const auto package = compiled(convolutions(4), chip);
  EXPECT_LE(package.memory.sram_peak_bytes, chip.sram_bytes);
  for (const auto& op : package.operators) EXPECT_GT(op.tiles, 1U);
}

TEST(Staging, MakesASecondStreamThatFindsTheWeightsInTheSram) {
  const graph::Graph graph = convolutions(6);
  const auto plain = compiled(graph, edge().numbers);
  compiler::CompileOptions options;
  options.resident_weights = true;
  const auto package = compiled(graph, edge().numbers, options);
  const auto& job = std::get<package::NpuJob>(package.steps.at(0));
  ASSERT_TRUE(job.has_resident());
  EXPECT_FALSE(std::get<package::NpuJob>(plain.steps.at(0)).has_resident());
  EXPECT_LT(job.resident.predicted_cycles, job.predicted_cycles);
  EXPECT_LE(job.predicted_cycles, cycles_of(plain) + cycles_of(plain) / 20) << "holding them costs the first inference little";
  const auto reads_constants = [](const package::JobStream& stream) { return std::ranges::count(stream.bindings, package::RegionSource::kConstants, &package::Binding::source) > 0; };
  EXPECT_TRUE(reads_constants(job));
  EXPECT_FALSE(reads_constants(job.resident));
  // Both pass the verifier, and a package with both goes through its bytes.
  const auto again = package::decode(package::encode(package));
  ASSERT_TRUE(again) << again.error().to_string(true);
  EXPECT_EQ(std::get<package::NpuJob>(again->steps.at(0)).resident.stream, job.resident.stream);
}

TEST(Staging, MakesNoSecondStreamWhereTheWeightsDoNotFit) {
  abi::Chip chip = tiny().numbers;
  chip.sram_bytes = 16384;
  compiler::CompileOptions options;
  options.resident_weights = true;
  const auto package = compiled(convolutions(4), chip, options);
  EXPECT_FALSE(std::get<package::NpuJob>(package.steps.at(0)).has_resident());
  EXPECT_EQ(cycles_of(package), cycles_of(compiled(convolutions(4), chip)));
}

TEST(Prediction, SaysWhenEveryCommandRuns) {
  const abi::Chip chip = edge().numbers;
  const auto package = compiled(convolutions(3), chip);
  const auto& job = std::get<package::NpuJob>(package.steps.at(0));
  abi::Stream stream;
  ASSERT_EQ(abi::decode_stream(job.stream, stream).fault, abi::StreamFault::kNone);
  const auto timeline = compiler::predict_timeline(stream, chip);
  ASSERT_EQ(timeline.size(), stream.commands.size());
  std::uint64_t last = 0;
  std::array<std::uint64_t, abi::kEnginesMax> ends{};
  for (std::size_t i = 0; i < timeline.size(); ++i) {
    EXPECT_LE(timeline[i].begin, timeline[i].end);
    last = std::max(last, timeline[i].end);
    const auto engine = abi::index_of(stream.commands[i].engine);
    if (engine >= ends.size()) continue;
    EXPECT_GE(timeline[i].begin, ends[engine]) << "an engine does one thing at a time";
    ends[engine] = timeline[i].end;
  }
  EXPECT_EQ(last, job.predicted_cycles);
}

TEST(Frames, SplitAFlatWalkAtTheImagesRows) {
  compiler::MapNest map;
  map.extent = {1, 1, 1, 4 * 6 * 8};
  map.inputs = {{0, 1, {0, 0, 0, 1}}};
  map.output = {1, 1, {0, 0, 0, 1}};
  map.prototype = abi::Requantize{};
  compiler::Nest nest = map;
  const std::vector<compiler::Alias> aliases{{.root = 0}, {.root = 1}};
  const compiler::Frame frame{.rows = 4, .cols = 6, .pixel_bytes = 8, .top = 1, .bottom = 1, .left = 1, .right = 2};
  ASSERT_TRUE(compiler::walk_in_frame(nest, 1, aliases, frame));
  const auto& walked = std::get<compiler::MapNest>(nest);
  EXPECT_EQ(walked.extent, (std::array<std::uint32_t, 4>{1, 1, 4, 48}));
  EXPECT_EQ(walked.inputs[0].stride, (std::array<std::uint64_t, 4>{0, 0, 48, 1}));
  EXPECT_EQ(walked.output.stride, (std::array<std::uint64_t, 4>{0, 0, 72, 1}));
}

TEST(Frames, RefuseAWalkThatCrossesRowsUnevenly) {
  compiler::MapNest map;
  map.extent = {1, 1, 8, 24};  // a row has 48 elements, and is walked by a dimension that does not end with it
  map.inputs = {{0, 1, {0, 0, 1, 8}}};
  map.output = {1, 1, {0, 0, 24, 1}};
  map.prototype = abi::Move{};
  compiler::Nest nest = map;
  const std::vector<compiler::Alias> aliases{{.root = 0}, {.root = 1}};
  const compiler::Frame frame{.rows = 3, .cols = 8, .pixel_bytes = 8, .top = 1, .bottom = 1, .left = 1, .right = 1};
  ASSERT_TRUE(compiler::walk_in_frame(nest, 0, aliases, frame));
  EXPECT_FALSE(compiler::walk_in_frame(nest, 1, aliases, {.rows = 5, .cols = 5, .pixel_bytes = 8, .top = 1, .bottom = 0, .left = 0, .right = 0}));
}

}  // namespace
}  // namespace naru::sdk::testing
