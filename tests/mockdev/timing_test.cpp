// Modelled time, computed by hand for `edge`: start 16, DRAM latency 100, 8 B per cycle shared, SRAM 64 B per cycle, 64 lanes.
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::Operand;
using abi::Rights;

struct Measured {
  abi::Completion completion;
  abi::Counters counters;
};

/// Regions: 0 SRAM 1 MiB, 1 DRAM in, 2 DRAM out, 64 KiB each.
Measured measure(std::vector<abi::Command> commands, const profile::Profile& profile = profile_named("edge")) {
  Bench bench(profile);
  bench.open();
  commands.push_back(end());
  const std::uint64_t sram_bytes = std::min<std::uint64_t>(1 << 20, profile.chip.sram_bytes);
  const abi::Reply loaded = bench.load({.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, sram_bytes), declare(MemoryKind::kDram, Rights::kRead, 65536), declare(MemoryKind::kDram, Rights::kWrite, 65536)},
                                        .commands = std::move(commands)});
  EXPECT_EQ(loaded.status, abi::Status::kOk) << loaded.detail;
  const abi::Handle in = bench.create(65536), out = bench.create(65536);
  const abi::Completion completion = bench.run(loaded.handle, {sram(sram_bytes), bind(in, 65536), bind(out, 65536)});
  EXPECT_EQ(completion.status, abi::Status::kOk);
  return {completion, bench.counters()};
}
abi::Command load(Engine engine, std::uint64_t at, std::uint32_t bytes) { return on(engine, dma(Operand::at(1, at), Operand::at(0, at), bytes)); }
abi::Command fill_vector(std::uint64_t at, std::uint32_t bytes) { return on(Engine::kVector, fill(Operand::at(0, at), bytes, 1)); }
unsigned dma_index(unsigned engine) { return abi::index_of(abi::dma_engine(engine)); }

TEST(Timing, OneTransferTakesStartLatencyAndItsBytes) {
  const Measured m = measure({load(Engine::kDma0, 0, 6400)});
  EXPECT_EQ(m.completion.cycles, 16u + 100u + 800u);
  EXPECT_EQ(m.counters.engine_busy_cycles[dma_index(0)], 916u);
  EXPECT_EQ(m.counters.dram_stall_cycles, 0u);
  EXPECT_EQ(m.counters.dram_read_bytes, 6400u);
  EXPECT_EQ(m.counters.sram_write_bytes, 6400u);
  EXPECT_EQ(m.counters.device_cycles, 916u);
}

TEST(Timing, RowsAreRoundedUpToBursts) {
  abi::Dma rows = dma(Operand::at(1, 0), Operand::at(0, 0), 100);
  rows.count = {1, 1, 10};
  rows.source_stride = {0, 0, 256};
  rows.target_stride = {0, 0, 100};
  EXPECT_EQ(measure({on(Engine::kDma0, rows)}).completion.cycles, 16u + 100u + 10u * 128u / 8u);
}

TEST(Timing, TwoEqualTransfersHalveTheDram) {
  const Measured m = measure({load(Engine::kDma0, 0, 6400), load(Engine::kDma1, 8192, 6400)});
  EXPECT_EQ(m.completion.cycles, 116u + 1600u);
  EXPECT_EQ(m.counters.dram_stall_cycles, 2u * 800u);
}

TEST(Timing, TheLongerTransferHasTheDramToItselfAfterTheShorterEnds) {
  // Both share for 800 cycles (3200 bytes each at 4 B), then the longer moves its last 3200 bytes at 8 B.
  const Measured m = measure({load(Engine::kDma0, 0, 6400), load(Engine::kDma1, 8192, 3200)});
  EXPECT_EQ(m.completion.cycles, 116u + 800u + 400u);
  EXPECT_EQ(m.counters.engine_busy_cycles[dma_index(0)], 1316u);
  EXPECT_EQ(m.counters.engine_busy_cycles[dma_index(1)], 916u);
  EXPECT_EQ(m.counters.dram_stall_cycles, 400u + 400u);
}

TEST(Timing, ATransferThatBeginsLaterSharesOnlyFromThen) {
  // dma1 first fills SRAM: 16 + 1600 / 64 = 41 cycles. Then 116 fixed; it transfers from cycle 157 on. dma0 has moved 41 * 8 = 328 bytes by then,
  // 6072 are left; dma1 moves 3200 in 800 cycles, in which dma0 moves 3200 too; 2872 are left at 8: 359 cycles.
  const Measured m = measure({load(Engine::kDma0, 0, 6400), on(Engine::kDma1, fill(Operand::at(0, 100'000), 1600, 0)), load(Engine::kDma1, 8192, 3200)});
  EXPECT_EQ(m.completion.cycles, 157u + 800u + 359u);
}

TEST(Timing, ThreeEnginesShareInThirdsExactly) {
  profile::Profile profile = profile_named("edge");
  profile.chip.dma_engines = 3;
  const Measured m = measure({load(Engine::kDma0, 0, 832), load(Engine::kDma1, 8192, 832), load(Engine::kDma2, 16384, 832)}, profile);
  EXPECT_EQ(m.completion.cycles, 116u + 3u * 832u / 8u);
}

TEST(Timing, DramToDramCountsBothSides) {
  EXPECT_EQ(measure({on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(2, 0), 6400))}).completion.cycles, 116u + 2u * 800u);
}

TEST(Timing, EnginesOverlapWhatNoWaitOrders) {
  const Measured m = measure({on(Engine::kDma0, dma(Operand::at(0, 0), Operand::at(0, 65536), 6400)), fill_vector(131072, 6400)});
  EXPECT_EQ(m.completion.cycles, 116u);  // 16 + 6400 / 64, both at once
  const Measured ordered = measure({on(Engine::kDma0, dma(Operand::at(0, 0), Operand::at(0, 65536), 6400)), wait(Engine::kVector, Engine::kDma0, 1), fill_vector(131072, 6400)});
  EXPECT_EQ(ordered.completion.cycles, 232u);
  EXPECT_EQ(ordered.counters.engine_wait_cycles[abi::index_of(Engine::kVector)], 116u);
  EXPECT_EQ(ordered.counters.engine_commands[abi::index_of(Engine::kVector)], 1u);
}

TEST(Timing, AWaitThatIsAlreadySatisfiedAndAMarkCostNothing) {
  const Measured m = measure({fill_vector(0, 64), on(Engine::kDma0, dma(Operand::at(0, 0), Operand::at(0, 65536), 64'000)), wait(Engine::kDma0, Engine::kVector, 1),
                              on(Engine::kDma0, abi::Mark{}), on(Engine::kDma0, fill(Operand::at(0, 200'000), 64, 1))});
  EXPECT_EQ(m.completion.cycles, 16u + 1000u + 17u);
  EXPECT_EQ(m.counters.engine_wait_cycles[dma_index(0)], 0u);
  EXPECT_EQ(m.completion.retired, 3u);
}

TEST(Timing, AgreesWithSteppingCycleByCycle) {
  // The same sharing rule, stepped one cycle at a time with exact fractions, on random transfers.
  Random random(42);
  for (unsigned round = 0; round < 30; ++round) {
    profile::Profile profile = profile_named("edge");
    profile.chip.dma_engines = static_cast<std::uint16_t>(1 + random.below(4));
    profile.chip.dram_bytes_per_cycle = static_cast<std::uint32_t>(1 + random.below(9));
    profile.chip.dram_latency_cycles = static_cast<std::uint32_t>(random.below(50));
    struct Engine4 {
      std::vector<std::uint64_t> bytes;
      std::size_t at = 0;
      std::uint64_t fixed = 0, left = 0;
      bool transfers = false;
    };
    std::array<Engine4, 4> engines;
    std::vector<abi::Command> commands;
    for (unsigned i = 0; i < 12; ++i) {
      const auto engine = static_cast<unsigned>(random.below(profile.chip.dma_engines));
      const auto bytes = static_cast<std::uint32_t>(64 * (1 + random.below(20)));
      engines[engine].bytes.push_back(bytes);
      commands.push_back(load(abi::dma_engine(engine), i * 2048, bytes));
    }
    const std::uint64_t fixed = 16 + profile.chip.dram_latency_cycles;
    for (Engine4& engine : engines) engine.fixed = fixed;
    std::uint64_t cycle = 0;
    for (bool any = true; any;) {
      any = false;
      std::uint64_t transferring = 0;
      for (Engine4& engine : engines) {
        if (engine.at == engine.bytes.size()) continue;
        if (!engine.transfers && engine.fixed == 0) {
          engine.transfers = true;
          engine.left = engine.bytes[engine.at] * 12;
        }
        transferring += engine.transfers;
      }
      for (Engine4& engine : engines) {
        if (engine.at == engine.bytes.size()) continue;
        any = true;
        if (!engine.transfers) {
          --engine.fixed;
          continue;
        }
        engine.left -= std::min<std::uint64_t>(engine.left, 12 * profile.chip.dram_bytes_per_cycle / transferring);
        if (engine.left == 0) {
          engine.transfers = false;
          engine.fixed = fixed;
          ++engine.at;
        }
      }
      cycle += any;
    }
    EXPECT_EQ(measure(commands, profile).completion.cycles, cycle) << round;
  }
}

TEST(Timing, DeviceTimeIsCyclesOfTheProfilesClock) {
  // 50,016 cycles at 500 MHz are 100.032 us; half a round trip each way is 270 us.
  Bench bench;
  bench.open();
  abi::Elementwise work = doubled(Operand::at(0, 0), Operand::at(0, 0), 100'000);
  work.extent = {1, 1, 32, 100'000};
  work.a_stride = work.b_stride = work.output_stride = {0, 0, 100'000, 1};
  const abi::Handle stream = bench.load({.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 4 << 20)}, .commands = {on(Engine::kVector, work), end()}}).handle;
  const TimePoint before = bench.device->clock().now();
  const abi::Completion completion = bench.run(stream, {sram(4 << 20)});
  EXPECT_EQ(completion.cycles, 50'016u);
  const auto end_us = static_cast<double>(completion.device_time_ns - static_cast<std::uint64_t>(before.count())) / 1e3;
  EXPECT_NEAR(end_us, 135 + 100.032, 1);
  const std::chrono::duration<double, std::micro> took = bench.device->clock().now() - before;
  EXPECT_NEAR(took.count(), 270 + 100.032, 1);
}

}  // namespace
}  // namespace naru::mockdev::test
