// Random models of every operator, compiled for three chips, executed on the stream interpreter and compared to the bit with the reference interpreter
// of graphs. The third chip's SRAM is so small that every operator is cut in all directions, reductions included.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "chips.h"
#include "compiler/compiler.h"
#include "import/verify.h"
#include "naru/verify/verify.h"
#include "package/arena.h"
#include "package/codec.h"
#include "package_runner.h"
#include "random_models.h"
#include "reference/interpreter.h"

namespace naru::sdk::testing {
namespace {

constexpr std::uint64_t kSeeds = 70;

Chip cramped(std::uint64_t sram_bytes) {
  Chip chip{fmt::format("cramped{}", sram_bytes), tiny().numbers};
  chip.numbers.sram_bytes = sram_bytes;
  return chip;
}

void expect_same(const graph::Graph& graph, const Chip& chip, const compiler::CompileOptions& options, std::uint64_t seed) {
  const auto package = compiler::compile(graph, chip.numbers, options);
  ASSERT_TRUE(package) << package.error().to_string(true);
  for (const auto& step : package->steps) {
    const auto* job = std::get_if<package::NpuJob>(&step);
    if (job == nullptr) continue;
    const auto report = verify::verify_stream(job->stream, chip.numbers);
    ASSERT_TRUE(report) << report.error().to_string(true);
  }
  const auto inputs = random_inputs(graph, seed);
  const std::vector<std::span<const std::byte>> views(inputs.begin(), inputs.end());
  const auto expected = reference::run(graph, views, {.keep_intermediates = true});
  ASSERT_TRUE(expected) << expected.error().to_string(true);
  const auto tensors = run_package(*package, inputs);
  ASSERT_TRUE(tensors) << tensors.error().to_string(true);
  for (std::size_t i = 0; i < package->outputs.size(); ++i) ASSERT_TRUE((*tensors)[package->outputs[i]] == expected->outputs[i]) << "output " << i;
  for (std::uint32_t kept : package->kept) {
    const auto file_index = static_cast<std::size_t>(package->tensors[kept].file_index);
    ASSERT_TRUE((*tensors)[kept] == expected->tensors[file_index]) << "tensor " << file_index;
  }
}

class Operators : public ::testing::TestWithParam<graph::OperatorKind> {};

TEST_P(Operators, GiveTheReferencesBitsOnEveryChip) {
  // What a mean sums up must fit as a whole.
  const std::uint64_t small = GetParam() == graph::OperatorKind::kMean ? 16384 : 3072;
  for (const Chip& chip : {edge(), tiny(), cramped(small)}) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
      const graph::Graph graph = random_model(GetParam(), seed);
      const auto verified = verify_graph(graph);
      ASSERT_TRUE(verified) << "seed " << seed << ": " << verified.error().to_string(true);
      compiler::CompileOptions options;
      options.fuse = seed % 3 != 0;
      options.keep_all_tensors = seed % 5 == 0;
      expect_same(graph, chip, options, seed);
      if (HasFatalFailure()) FAIL() << graph::name_of(GetParam()) << ", seed " << seed << ", chip " << chip.name << ", fuse " << options.fuse << ", keep all "
                                    << options.keep_all_tensors;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Operators,
                         ::testing::Values(graph::OperatorKind::kConv2d, graph::OperatorKind::kDepthwiseConv2d, graph::OperatorKind::kFullyConnected,
                                           graph::OperatorKind::kAveragePool2d, graph::OperatorKind::kMaxPool2d, graph::OperatorKind::kAdd,
                                           graph::OperatorKind::kMul, graph::OperatorKind::kPad, graph::OperatorKind::kMean, graph::OperatorKind::kReshape,
                                           graph::OperatorKind::kSoftmax, graph::OperatorKind::kRelu, graph::OperatorKind::kRelu6,
                                           graph::OperatorKind::kConcatenation, graph::OperatorKind::kTranspose, graph::OperatorKind::kQuantize,
                                           graph::OperatorKind::kDequantize),
                         [](const auto& info) { return std::string(graph::name_of(info.param)); });

TEST(Tiling, SplitsAReductionThatDoesNotFit) {
  ModelBuilder b(7);
  const auto in = b.input({2, 1000});
  const auto filter = b.weights({20, 1000}, 0, true);
  const auto out = b.op(graph::OperatorKind::kFullyConnected, {in, filter, b.bias(20)}, b.activation({2, 20}), graph::FullyConnectedOptions{});
  const graph::Graph graph = b.finish({out});
  expect_same(graph, cramped(8192), {}, 1);
  const auto package = compiler::compile(graph, cramped(8192).numbers, {});
  EXPECT_GT(package->operators[0].tiles, 2U);
}

TEST(Compiler, GivesTheHostWhatDoesNotFitTheSramAndSaysWhy) {
  const graph::Graph graph = random_model(graph::OperatorKind::kConv2d, 3);
  const auto package = compiler::compile(graph, cramped(256).numbers, {});
  ASSERT_TRUE(package) << package.error().to_string();
  const auto on_host = std::ranges::find(package->operators, package::Placement::kHost, &package::OperatorReport::placement);
  ASSERT_NE(on_host, package->operators.end());
  EXPECT_THAT(on_host->reason, ::testing::HasSubstr("SRAM has 256"));
}

TEST(Compiler, RefusesAModelThatIsLargerThanTheDram) {
  Chip chip = tiny();
  chip.numbers.dram_bytes = 1024;
  const auto package = compiler::compile(random_model(graph::OperatorKind::kFullyConnected, 4), chip.numbers, {});
  ASSERT_FALSE(package);
  EXPECT_EQ(package.error().id(), ErrorId::kCompileDramTooSmall);
}

TEST(Compiler, SplitsAModelIntoJobsThatTheChipAllows) {
  ModelBuilder b(3);
  auto last = b.input({1, 12, 12, 16});
  for (int i = 0; i < 6; ++i) last = b.op(graph::OperatorKind::kRelu6, {last}, b.activation({1, 12, 12, 16}));
  const graph::Graph graph = b.finish({last});
  Chip chip = tiny();
  const auto whole = compiler::compile(graph, chip.numbers, {});
  ASSERT_TRUE(whole);
  ASSERT_EQ(whole->steps.size(), 1U);
  // Two of the operators with all their transfers fit, three do not: what passes from job to job goes through the DRAM.
  chip.numbers.job_cycles_max = 6000;
  const auto split = compiler::compile(graph, chip.numbers, {});
  ASSERT_TRUE(split) << split.error().to_string(true);
  EXPECT_EQ(split->steps.size(), 3U);
  EXPECT_GT(split->scratch_bytes, whole->scratch_bytes);
  expect_same(graph, chip, {}, 5);
  chip.numbers.job_cycles_max = 100;
  // What is longer than any job alone is the host's.
  const auto never = compiler::compile(graph, chip.numbers, {});
  ASSERT_TRUE(never) << never.error().to_string(true);
  for (const package::OperatorReport& report : never->operators) {
    EXPECT_EQ(report.placement, package::Placement::kHost);
    EXPECT_THAT(report.reason, ::testing::HasSubstr("a job of this chip may take 100"));
  }
  expect_same(graph, chip, {}, 6);
}

/// Joins `count` inputs.
graph::Graph joined_inputs(int count, std::vector<std::int32_t> shape) {
  ModelBuilder b(static_cast<std::uint64_t>(count));
  std::vector<graph::TensorId> inputs = {b.input(shape)};
  while (inputs.size() < static_cast<std::size_t>(count)) inputs.push_back(b.input_like(inputs[0], shape));
  auto joined = shape;
  joined.back() *= count;
  const auto out = b.op(graph::OperatorKind::kConcatenation, inputs, b.like(inputs[0], joined), graph::ConcatenationOptions{.axis = static_cast<std::int32_t>(shape.size()) - 1, .activation = {}});
  return b.finish({out});
}

TEST(Compiler, PutsTensorsIntoOneArenaWhereAJobHasNotEnoughRegions) {
  for (const Chip& chip : {tiny(), edge()})
    for (const int count : {2, 11, 12, 15, 40, 200}) {
      const graph::Graph graph = joined_inputs(count, {3, 5});
      expect_same(graph, chip, {}, 1);
      const auto package = compiler::compile(graph, chip.numbers, {});
      ASSERT_TRUE(package) << package.error().to_string(true);
      EXPECT_EQ(package::has_arena(*package), count + 1 > 11) << count;
      ASSERT_TRUE(package::decode(package::encode(*package))) << count;
      EXPECT_EQ(package->memory.compulsory_bytes, static_cast<std::uint64_t>(2 * 15 * count)) << count;
      EXPECT_EQ(package->steps.size(), 1U) << count;
    }
}

TEST(Compiler, ComputesFromConstantsWhatTakesAMomentAndLeavesTheRestToTheHost) {
  for (const std::int32_t rows : {10, 1001}) {
    ModelBuilder b(5);
    const auto constant = [&](const graph::Shape& shape) {
      const graph::TensorId id = b.real(shape);
      b.set_constant(id);
      return id;
    };
    const auto in = b.real({rows, 10});
    b.add_input(in);
    const auto product = b.op(graph::OperatorKind::kFullyConnected, {constant({rows, 1000}), constant({1000, 1000}), graph::kAbsent}, b.real({rows, 1000}), graph::FullyConnectedOptions{});
    const auto out = b.op(graph::OperatorKind::kConcatenation, {product, in}, b.real({rows, 1010}), graph::ConcatenationOptions{.axis = 1, .activation = {}});
    const auto package = compiler::compile(b.finish({out}), edge().numbers, {});
    ASSERT_TRUE(package) << package.error().to_string(true);
    EXPECT_EQ(package->operators[0].placement, rows == 10 ? package::Placement::kElided : package::Placement::kHost) << rows;
  }
}

TEST(Compiler, EndsWhenItMayNotGoOn) {
  const graph::Graph graph = random_model(graph::OperatorKind::kConv2d, 3);
  std::size_t asked = 0;
  compiler::CompileOptions options;
  options.may_go_on = [&]() -> Result<void> {
    ++asked;
    return {};
  };
  ASSERT_TRUE(compiler::compile(graph, tiny().numbers, options));
  const std::size_t all = asked;
  EXPECT_GT(all, 2U);
  for (std::size_t last = 1; last <= all; ++last) {
    asked = 0;
    options.may_go_on = [&]() -> Result<void> { return ++asked == last ? Result<void>(fail(ErrorId::kCompileLimit, "enough")) : Result<void>(); };
    const auto package = compiler::compile(graph, tiny().numbers, options);
    ASSERT_FALSE(package) << last;
    EXPECT_EQ(package.error().message(), "enough") << last;
    EXPECT_EQ(asked, last);
  }
}

TEST(Compiler, KeepsATensorThatFusionWouldRemove) {
  ModelBuilder b(11);
  const auto in = b.input({1, 6, 6, 8});
  const auto filter = b.weights({8, 1, 1, 8}, 0, true);
  const auto conv = b.op(graph::OperatorKind::kConv2d, {in, filter, b.bias(8)}, b.activation({1, 6, 6, 8}), graph::ConvOptions{});
  const auto relu = b.op(graph::OperatorKind::kRelu, {conv}, b.like(conv, {1, 6, 6, 8}));
  const graph::Graph graph = b.finish({relu});
  const auto fused = compiler::compile(graph, tiny().numbers, {});
  ASSERT_TRUE(fused);
  EXPECT_EQ(fused->operators[1].placement, package::Placement::kFused);
  compiler::CompileOptions options;
  options.keep_tensors = {conv};
  const auto kept = compiler::compile(graph, tiny().numbers, options);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->kept.size(), 1U);
  EXPECT_EQ(kept->tensors[kept->kept[0]].file_index, conv);
  EXPECT_EQ(kept->operators[1].placement, package::Placement::kNpu);
  expect_same(graph, tiny(), options, 2);
  options.keep_tensors = {99};
  EXPECT_FALSE(compiler::compile(graph, tiny().numbers, options));
}

}  // namespace
}  // namespace naru::sdk::testing
