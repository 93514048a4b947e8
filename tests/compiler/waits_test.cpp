// The emitter's waits: enough (the verifier finds no hazard) and none too many (without any one of them it finds one).
#include <gtest/gtest.h>

#include "chips.h"
#include "compiler/compiler.h"
#include "compiler/emit/dependences.h"
#include "naru/abi/stream.h"
#include "naru/verify/verify.h"
#include "random_models.h"

namespace naru::sdk::testing {
namespace {

using compiler::Dependences;

abi::Command fill(abi::Engine engine, std::uint64_t offset, std::uint32_t bytes) {
  abi::Fill command;
  command.target = abi::Operand::at(0, offset);
  command.row_bytes = bytes;
  return {engine, 0, command};
}

abi::Command copy(abi::Engine engine, std::uint64_t from, std::uint64_t to, std::uint32_t bytes) {
  abi::Dma command;
  command.source = abi::Operand::at(0, from);
  command.target = abi::Operand::at(0, to);
  command.row_bytes = bytes;
  return {engine, 0, command};
}

TEST(Dependences, AskForNothingWhereBytesAreApart) {
  Dependences dependences;
  EXPECT_TRUE(dependences.add(fill(abi::Engine::kVector, 0, 64)).empty());
  EXPECT_TRUE(dependences.add(fill(abi::Engine::kDma0, 64, 64)).empty());
}

TEST(Dependences, PutAReaderAfterTheWriterAndAWriterAfterTheReader) {
  Dependences dependences;
  EXPECT_TRUE(dependences.add(fill(abi::Engine::kVector, 0, 64)).empty());
  const auto read = dependences.add(copy(abi::Engine::kDma0, 32, 256, 8));
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].on, abi::Engine::kVector);
  EXPECT_EQ(read[0].count, 1U);
  const auto overwritten = dependences.add(fill(abi::Engine::kVector, 36, 4));
  ASSERT_EQ(overwritten.size(), 1U);
  EXPECT_EQ(overwritten[0].on, abi::Engine::kDma0);
}

TEST(Dependences, LetOneWaitStandForAllThatItImplies) {
  Dependences dependences;
  EXPECT_TRUE(dependences.add(fill(abi::Engine::kVector, 0, 64)).empty());
  EXPECT_EQ(dependences.add(copy(abi::Engine::kDma0, 0, 64, 64)).size(), 1U);
  // Reads what both wrote: DMA 0 knew that the vector engine was done.
  const auto waits = dependences.add(copy(abi::Engine::kDma1, 0, 256, 128));
  ASSERT_EQ(waits.size(), 1U);
  EXPECT_EQ(waits[0].on, abi::Engine::kDma0);
}

/// How often the verifier accepts `stream` without one of its waits.
void expect_every_wait_needed(const abi::Stream& stream, const abi::Chip& chip, std::uint64_t& removed) {
  ASSERT_TRUE(verify::verify_stream(stream, chip));
  for (std::size_t i = 0; i < stream.commands.size(); ++i) {
    if (!std::holds_alternative<abi::Wait>(stream.commands[i].body)) continue;
    abi::Stream without = stream;
    without.commands.erase(without.commands.begin() + static_cast<std::ptrdiff_t>(i));
    const auto report = verify::verify_stream(without, chip);
    ++removed;
    ASSERT_FALSE(report) << "the wait at command " << i << " is not needed";
    ASSERT_EQ(report.error().id(), ErrorId::kStreamHazard) << report.error().to_string(true);
  }
}

TEST(Waits, AreAllNeeded) {
  std::uint64_t removed = 0;
  for (Chip chip : {edge(), tiny()}) {
    chip.numbers.sram_bytes = 4096;
    for (const auto kind : {graph::OperatorKind::kConv2d, graph::OperatorKind::kDepthwiseConv2d, graph::OperatorKind::kAdd, graph::OperatorKind::kAveragePool2d,
                            graph::OperatorKind::kConcatenation, graph::OperatorKind::kPad, graph::OperatorKind::kReshape}) {
      for (std::uint64_t seed = 0; seed < 12; ++seed) {
        const auto package = compiler::compile(random_model(kind, seed), chip.numbers, {});
        ASSERT_TRUE(package) << package.error().to_string(true);
        for (const auto& step : package->steps) {
          const auto* job = std::get_if<package::NpuJob>(&step);
          abi::Stream stream;
          if (job == nullptr || abi::decode_stream(job->stream, stream).fault != abi::StreamFault::kNone) continue;
          if (stream.commands.size() > 400) continue;
          expect_every_wait_needed(stream, chip.numbers, removed);
          if (HasFatalFailure()) FAIL() << graph::name_of(kind) << " seed " << seed << " on " << chip.name;
        }
      }
    }
  }
  EXPECT_GT(removed, 1000U);
}

}  // namespace
}  // namespace naru::sdk::testing
