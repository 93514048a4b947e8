// Goal: no unordered conflict, no wait too many, no wait that is never met; without refusing what is in order.
// Method: a double-buffered pipeline on four engines, put together by hand, from which every wait in turn is taken; small random streams
// against an oracle that lists bytes and follows waits by transitive closure; a large stream with a limit on comparisons.

#include <chrono>
#include <cstdio>
#include <set>

#include "naru/base/random.h"
#include "naru/verify/footprint.h"
#include "stream_support.h"

namespace naru::test {
namespace {

using enum ErrorId;

Fill fill_at(std::uint64_t offset, std::uint32_t bytes) {
  Fill c;
  c.target = Operand::at(kSram, offset);
  c.row_bytes = bytes;
  return c;
}
Command vector_fill(std::uint64_t offset, std::uint32_t bytes = 16) { return {Engine::kVector, 0, fill_at(offset, bytes)}; }
Command dma_fill(std::uint64_t offset, std::uint32_t bytes = 16) { return {Engine::kDma0, 0, fill_at(offset, bytes)}; }
Command vector_copy(std::uint64_t from, std::uint64_t to, std::uint32_t bytes = 16) {
  Move c;
  c.input = Operand::at(kSram, from);
  c.output = Operand::at(kSram, to);
  c.extent = {1, 1, 1, bytes};
  c.input_stride = c.output_stride = {0, 0, 0, 1};
  return {Engine::kVector, 0, c};
}
Command dma_copy(Operand from, Operand to, std::uint32_t bytes = 16, Engine engine = Engine::kDma0) {
  Dma c;
  c.source = from;
  c.target = to;
  c.row_bytes = bytes;
  return {engine, 0, c};
}

TEST(VerifierWaits, RefusesWaitsThatCannotBeMet) {
  const auto with = [](Command wait) { return stream_of({vector_fill(0), wait, dma_fill(100)}); };
  expect_refused(with(wait_for(Engine::kDma0, Engine::kDma0, 1)), kStreamWait, "the engine that waits");
  expect_refused(with(wait_for(Engine::kDma0, Engine::kDma1, 1)), kStreamWait, "no engine of this chip");
  expect_refused(with(wait_for(Engine::kDma0, Engine::kNone, 1)), kStreamWait, "on is 255");
  expect_refused(with(wait_for(Engine::kDma0, Engine::kVector, 0)), kStreamWait, "count is 0");
  expect_refused(with(wait_for(Engine::kDma0, Engine::kVector, 2)), kStreamWait, "vector retires only 1 commands");
  expect_refused(with(wait_for(Engine::kDma0, Engine::kMac, 1)), kStreamWait, "mac retires only 0");
  expect_accepted(with(wait_for(Engine::kDma0, Engine::kVector, 1)));
}

TEST(VerifierWaits, DoesNotCountWaitsMarksAndEnd) {
  expect_refused(stream_of({vector_fill(0), {Engine::kVector, 0, Mark{}}, wait_for(Engine::kDma0, Engine::kVector, 2), dma_fill(0)}), kStreamWait, "only 1 commands");
}

TEST(VerifierWaits, AcceptsWaitsForCommandsThatStandLater) {
  expect_accepted(stream_of({wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(0), vector_fill(0)}));
}

TEST(VerifierWaits, RefusesDeadlocks) {
  expect_refused(stream_of({wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(0), wait_for(Engine::kVector, Engine::kDma0, 1), vector_fill(100)}), kStreamDeadlock,
                 "Command 2 (wait on vector)");
  expect_refused(stream_of({dma_fill(0), vector_fill(64), wait_for(Engine::kDma0, Engine::kVector, 2), dma_fill(100), wait_for(Engine::kVector, Engine::kDma0, 2),
                            vector_fill(200)}),
                 kStreamDeadlock);
}

TEST(VerifierWaits, RefusesWaitsThatOthersImply) {
  // Twice the same, and the smaller of two.
  expect_refused(stream_of({vector_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(0)}),
                 kStreamWait, "Command 3 (wait on dma0): other waits already imply 1");
  expect_refused(stream_of({vector_fill(0), vector_fill(16), wait_for(Engine::kDma0, Engine::kVector, 1), wait_for(Engine::kDma0, Engine::kVector, 2), dma_fill(0)}),
                 kStreamWait, "Command 2");
  // Through a third engine: dma1 waits for dma0, which waited for the vector engine.
  const Stream chain = stream_of({vector_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(0), wait_for(Engine::kDma1, Engine::kVector, 1),
                                  wait_for(Engine::kDma1, Engine::kDma0, 1), {Engine::kDma1, 0, fill_at(0, 16)}});
  expect_refused(chain, kStreamWait, "Command 3 (wait on dma1)", edge_chip());
}

TEST(VerifierWaits, RefusesWaitsThatNothingFollows) {
  expect_refused(stream_of({vector_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1)}), kStreamWait, "no command of its engine follows");
  expect_accepted(stream_of({vector_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1), {Engine::kDma0, 0, Mark{}}}));
}

TEST(VerifierHazards, RefusesEveryKindOfUnorderedConflict) {
  const Operand inbox = Operand::at(kConstants, 0);
  const Operand outbox = Operand::at(kResult, 0);
  // Read after write, write after read, write after write; each accepted with its wait.
  const auto both_ways = [](const Command& first, const Command& second, std::string_view text) {
    expect_refused(stream_of({first, second}), kStreamHazard, text);
    expect_accepted(stream_of({first, wait_for(second.engine, first.engine, 1), second}));
  };
  both_ways(dma_copy(inbox, Operand::at(kSram, 0)), vector_copy(15, 100), "Command 1 (move on vector): input reads region 2 between bytes 15 and 16, which Command 0 (dma on dma0) writes as target");
  both_ways(vector_copy(0, 100), dma_copy(inbox, Operand::at(kSram, 15)), "target writes region 2 between bytes 15 and 16, which Command 0 (move on vector) reads as input");
  both_ways(vector_fill(0), dma_fill(15), "target writes region 2 between bytes 15 and 16, which Command 0 (fill on vector) writes as target");
  both_ways(vector_fill(0), dma_copy(Operand::at(kSram, 0), outbox), "source reads");
  expect_accepted(stream_of({vector_fill(0), dma_fill(16)}));
  expect_accepted(stream_of({vector_copy(0, 100), dma_copy(Operand::at(kSram, 0), outbox)}));  // both only read what they share
}

TEST(VerifierHazards, SeesTheDram) {
  const Operand inbox = Operand::at(kConstants, 0);
  const Operand outbox = Operand::at(kResult, 0);
  const Stream stream = stream_of({dma_copy(inbox, outbox), dma_copy(inbox, outbox, 16, Engine::kDma1)});
  expect_refused(stream, kStreamHazard, "region 1", edge_chip());
}

TEST(VerifierHazards, KnowsThatOneEngineIsInOrder) {
  expect_accepted(stream_of({vector_fill(0), vector_copy(0, 100), vector_fill(0), vector_fill(0)}));
}

TEST(VerifierHazards, FollowsWaitsThroughOtherEngines) {
  const Stream stream = stream_of({vector_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(64), wait_for(Engine::kDma1, Engine::kDma0, 1),
                                   {Engine::kDma1, 0, fill_at(0, 80)}});
  expect_accepted(stream, edge_chip());
}

TEST(VerifierHazards, LooksBackPastTheLastWrite) {
  // The conflict is with the first command, hidden behind a later write of the same engine that is elsewhere.
  expect_refused(stream_of({vector_fill(0), vector_fill(64), vector_fill(128), dma_fill(8)}), kStreamHazard, "Command 0");
}

TEST(VerifierHazards, AcceptsDisjointSlicesOfOneBuffer) {
  // Two engines write the two channel halves of one concatenated tensor; two others its columns.
  Move left = good_move();
  left.type = ElementType::kI8;
  left.extent = {1, 8, 8, 8};
  left.input = Operand::at(kTables, 0);
  left.input_stride = {0, 64, 8, 1};
  left.output = Operand::at(kSram, 0);
  left.output_stride = {0, 128, 16, 1};
  Dma right;
  right.source = Operand::at(kConstants, 0);
  right.target = Operand::at(kSram, 8);
  right.row_bytes = 8;
  right.count = {1, 8, 8};
  right.source_stride = {0, 64, 8};
  right.target_stride = {0, 128, 16};
  expect_accepted(stream_of({{Engine::kVector, 0, left}, {Engine::kDma0, 0, right}}));
  right.target = Operand::at(kSram, 7);
  expect_refused(stream_of({{Engine::kVector, 0, left}, {Engine::kDma0, 0, right}}), kStreamHazard);
}

TEST(VerifierHazards, GivesUpWithARefusalWhenTheLimitIsReached) {
  std::vector<Command> commands;
  for (unsigned i = 0; i < 200; ++i) commands.push_back(i % 2 == 0 ? vector_fill(i * 16) : dma_fill(i * 16));
  expect_accepted(stream_of(commands));
  expect_refused(verify::verify_stream(stream_of(commands), tiny_chip(), {.hazard_steps_max = 100}), kStreamHazard, "within the limit");
}

TEST(VerifierHazards, ForgetsNothingBetweenStreams) {
  // V4, V10: the answer to a stream does not depend on the streams before it.
  const Stream good = stream_of({vector_fill(0), wait_for(Engine::kDma0, Engine::kVector, 1), dma_fill(0)});
  const Stream bad = stream_of({vector_fill(0), dma_fill(0)});
  for (int i = 0; i < 3; ++i) {
    expect_accepted(good);
    expect_refused(bad, kStreamHazard);
  }
}

/// Tiles go DRAM -> inbox -> conv -> outbox -> DRAM, with two inboxes and two outboxes: dma0 loads, mac computes, dma1 stores.
Stream pipeline(std::uint32_t tiles) {
  constexpr std::uint32_t kTileBytes = 6 * 6 * 4;
  constexpr std::uint32_t kOutBytes = 4 * 4 * 16;
  constexpr std::uint64_t kWeightBytes = dense_block_bytes(9, 4);
  const auto inbox = [](std::uint32_t tile) { return Operand::at(kSram, 4096 + (tile % 2) * kTileBytes); };
  const auto outbox = [](std::uint32_t tile) { return Operand::at(kSram, 8192 + (tile % 2) * kOutBytes); };
  Stream stream = empty_stream();
  stream.regions[kConstants].bytes = kWeightBytes + std::uint64_t{tiles} * kTileBytes;
  stream.regions[kResult].bytes = std::uint64_t{tiles} * kOutBytes;
  auto& commands = stream.commands;
  commands.push_back(dma_copy(Operand::at(kConstants, 0), Operand::at(kSram, 0), kWeightBytes));
  for (std::uint32_t tile = 0; tile < tiles; ++tile) {
    if (tile >= 2) commands.push_back(wait_for(Engine::kDma0, Engine::kMac, tile - 1));
    commands.push_back(dma_copy(Operand::at(kConstants, kWeightBytes + std::uint64_t{tile} * kTileBytes), inbox(tile), kTileBytes));
    commands.push_back(wait_for(Engine::kMac, Engine::kDma0, tile + 2));
    if (tile >= 2) commands.push_back(wait_for(Engine::kMac, Engine::kDma1, tile - 1));
    Conv conv = good_conv();
    conv.input = inbox(tile);
    conv.weights = Operand::at(kSram, 0);
    conv.output = outbox(tile);
    conv.in_channels = 4;
    conv.out_channels = 16;
    conv.input_pixel_stride = 4;
    conv.input_row_stride = 24;
    conv.output_pixel_stride = 16;
    conv.output_row_stride = 64;
    commands.push_back({Engine::kMac, 0, conv});
    commands.push_back(wait_for(Engine::kDma1, Engine::kMac, tile + 1));
    commands.push_back(dma_copy(outbox(tile), Operand::at(kResult, std::uint64_t{tile} * kOutBytes), kOutBytes, Engine::kDma1));
  }
  return with_end(std::move(stream));
}

TEST(VerifierHazards, AcceptsADoubleBufferedPipeline) { expect_accepted(pipeline(10), edge_chip()); }

TEST(VerifierHazards, RefusesThePipelineWithoutAnyOneOfItsWaits) {
  const Stream whole = pipeline(7);
  unsigned waits = 0;
  for (std::size_t i = 0; i < whole.commands.size(); ++i) {
    if (!std::holds_alternative<Wait>(whole.commands[i].body)) continue;
    SCOPED_TRACE(testing::Message() << "without command " << i);
    Stream without = whole;
    without.commands.erase(without.commands.begin() + static_cast<std::ptrdiff_t>(i));
    expect_refused(without, kStreamHazard, "", edge_chip());
    ++waits;
  }
  EXPECT_EQ(waits, 5U + 7 + 5 + 7);
}

TEST(VerifierHazards, RefusesThePipelineWithAnyWaitOneTooShort) {
  const Stream whole = pipeline(7);
  for (std::size_t i = 0; i < whole.commands.size(); ++i) {
    const auto* wait = std::get_if<Wait>(&whole.commands[i].body);
    if (wait == nullptr) continue;
    Stream shorter = whole;
    --std::get<Wait>(shorter.commands[i].body).count;
    EXPECT_FALSE(verify::verify_stream(shorter, edge_chip()).has_value()) << "command " << i;
  }
}

TEST(VerifierHazards, TakesFewComparisonsForALargeStream) {
  const Stream large = pipeline(3000);
  ASSERT_GT(large.commands.size(), 19'000U);
  const auto start = std::chrono::steady_clock::now();
  const auto report = verify::verify_stream(large, edge_chip(), {.hazard_steps_max = 20 * large.commands.size()});
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(report.has_value()) << report.error().to_string(true);
  std::printf("%zu commands verified in %.1f ms\n", large.commands.size(), taken.count());
}

// --- The oracle ---

struct Oracle {
  const Stream& stream;
  std::vector<std::size_t> counted;             // indices in the stream
  std::vector<std::vector<bool>> before;        // before[a][b]: counted a retires before counted b starts

  explicit Oracle(const Stream& s) : stream(s) {
    std::array<std::vector<std::size_t>, kEnginesMax> by_engine;
    for (std::size_t i = 0; i < s.commands.size(); ++i) {
      if (!is_counted(s.commands[i].body)) continue;
      by_engine[index_of(s.commands[i].engine)].push_back(counted.size());
      counted.push_back(i);
    }
    before.assign(counted.size(), std::vector<bool>(counted.size(), false));
    for (std::size_t b = 0; b < counted.size(); ++b) {
      const Engine engine = s.commands[counted[b]].engine;
      for (std::size_t a = 0; a < b; ++a)
        if (s.commands[counted[a]].engine == engine) before[a][b] = true;
      for (std::size_t i = 0; i < counted[b]; ++i) {
        const auto* wait = std::get_if<Wait>(&s.commands[i].body);
        if (wait != nullptr && s.commands[i].engine == engine)
          for (std::uint32_t n = 0; n < wait->count; ++n) before[by_engine[index_of(wait->on)][n]][b] = true;
      }
    }
    for (std::size_t k = 0; k < counted.size(); ++k)
      for (std::size_t a = 0; a < counted.size(); ++a)
        for (std::size_t b = 0; b < counted.size(); ++b)
          if (before[a][k] && before[k][b]) before[a][b] = true;
  }

  static bool conflict(const CommandBody& a, const CommandBody& b) {
    const verify::Footprint footprint_a = verify::footprint_of(a);
    const verify::Footprint footprint_b = verify::footprint_of(b);
    for (const verify::Access& x : footprint_a.all())
      for (const verify::Access& y : footprint_b.all()) {
        if (x.region != y.region || (x.rights != Rights::kWrite && y.rights != Rights::kWrite)) continue;
        std::set<std::uint64_t> bytes;
        const auto visit = [](const verify::StridedBox& box, auto&& use) {
          for (std::uint64_t i = 0; i < (box.rank > 0 ? box.dimensions[0].count : 1); ++i)
            for (std::uint64_t e = 0; e < box.row_bytes; ++e) use(box.offset + i * box.dimensions[0].stride + e);
        };
        visit(x.box, [&](std::uint64_t byte) { bytes.insert(byte); });
        bool shared = false;
        visit(y.box, [&](std::uint64_t byte) { shared = shared || bytes.contains(byte); });
        if (shared) return true;
      }
    return false;
  }
  [[nodiscard]] bool has_hazard() const {
    for (std::size_t a = 0; a < counted.size(); ++a)
      for (std::size_t b = a + 1; b < counted.size(); ++b) {
        const Command& x = stream.commands[counted[a]];
        const Command& y = stream.commands[counted[b]];
        if (x.engine != y.engine && !before[a][b] && !before[b][a] && conflict(x.body, y.body)) return true;
      }
    return false;
  }
  /// Whether the wait at `index` changes any "before" at all.
  [[nodiscard]] bool matters(std::size_t index) const {
    Stream without = stream;
    without.commands.erase(without.commands.begin() + static_cast<std::ptrdiff_t>(index));
    return Oracle(without).before != before;
  }
};

/// A few commands on three engines over little memory, waits only for commands that stand earlier.
Stream random_stream(Random& random) {
  Stream stream = empty_stream();
  std::array<std::uint32_t, kEnginesMax> counted{};
  const std::array<Engine, 3> engines{Engine::kVector, Engine::kDma0, Engine::kDma1};
  const std::size_t length = 4 + random.below(8);
  for (std::size_t i = 0; i < length; ++i) {
    const Engine engine = engines[random.below(3)];
    for (Engine on : engines)
      if (on != engine && counted[index_of(on)] > 0 && random.chance(2))
        stream.commands.push_back(wait_for(engine, on, static_cast<std::uint32_t>(1 + random.below(counted[index_of(on)]))));
    Fill fill = fill_at(random.below(64), static_cast<std::uint32_t>(1 + random.below(4)));
    fill.count[2] = static_cast<std::uint32_t>(1 + random.below(6));
    fill.target_stride[2] = static_cast<std::uint32_t>(fill.row_bytes + random.below(12));
    if (random.chance(2) && engine != Engine::kVector) {
      Dma dma;
      dma.source = fill.target;
      dma.row_bytes = fill.row_bytes;
      dma.count = fill.count;
      dma.source_stride = dma.target_stride = fill.target_stride;
      dma.target = Operand::at(kOutbox, i * 200);
      stream.commands.push_back({engine, 0, dma});
    } else {
      stream.commands.push_back({engine, 0, fill});
    }
    ++counted[index_of(engine)];
  }
  return with_end(std::move(stream));
}

TEST(VerifierHazards, AgreesWithAnOracleOnRandomStreams) {
  Random random(11);
  unsigned accepted = 0;
  unsigned hazards = 0;
  unsigned spare_waits = 0;
  for (int round = 0; round < 6000; ++round) {
    const Stream stream = random_stream(random);
    const Oracle oracle(stream);
    const auto report = verify::verify_stream(stream, edge_chip());
    bool spare = false;
    for (std::size_t i = 0; i < stream.commands.size(); ++i) spare = spare || (std::holds_alternative<Wait>(stream.commands[i].body) && !oracle.matters(i));
    SCOPED_TRACE(testing::Message() << "round " << round << "\n" << disassemble(stream));
    if (spare) {
      expect_refused(report, kStreamWait);
      ++spare_waits;
    } else if (oracle.has_hazard()) {
      expect_refused(report, kStreamHazard);
      ++hazards;
    } else {
      EXPECT_TRUE(report.has_value()) << report.error().to_string(true);
      ++accepted;
    }
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(accepted, 300U);
  EXPECT_GT(hazards, 300U);
  EXPECT_GT(spare_waits, 300U);
}

}  // namespace
}  // namespace naru::test
