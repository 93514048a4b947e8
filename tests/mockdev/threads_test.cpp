// Goal: compute threads do every part once, and a device with threads gives the bytes of one without.
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "support.h"
#include "threads/compute_threads.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::Operand;
using abi::Rights;
using abi::Status;

TEST(ComputeThreads, DoEveryPartOnceBeforeRunReturns) {
  for (const unsigned count : {2U, 3U, 5U}) {
    ComputeThreads threads(count);
    ASSERT_EQ(threads.threads(), count);
    std::array<std::uint64_t, 7> done{};  // each written by whoever has its part
    for (std::uint64_t round = 1; round <= 2000; ++round) {
      threads.run(
          7,
          [](void* context, unsigned part, unsigned thread) {
            EXPECT_LT(thread, 5U);
            ++(*static_cast<std::array<std::uint64_t, 7>*>(context))[part];
          },
          &done);
      for (unsigned part = 0; part < 7; ++part) ASSERT_EQ(done[part], round) << part;
    }
  }
}

TEST(ComputeThreads, EndWithoutWork) {
  for (int i = 0; i < 50; ++i) ComputeThreads threads(4);
}

/// Convolution, depthwise convolution and addition, each worth several threads.
abi::Stream large_work() {
  constexpr std::uint32_t kPixels = 112, kChannels = 64;
  abi::Stream stream;
  stream.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 8 << 20), declare(MemoryKind::kDram, Rights::kRead, 2 << 20), declare(MemoryKind::kDram, Rights::kWrite, 1 << 20)};
  abi::Conv conv;
  conv.input = Operand::at(0, 1 << 20), conv.weights = Operand::at(0, 0), conv.output = Operand::at(0, 2 << 20);
  conv.in_channels = conv.out_channels = kChannels;
  conv.out_rows = conv.out_cols = kPixels;
  conv.input_pixel_stride = conv.output_pixel_stride = kChannels;
  conv.input_row_stride = conv.output_row_stride = kChannels * kPixels;
  conv.activation_min = -128, conv.activation_max = 127;
  abi::Depthwise depthwise;
  depthwise.input = Operand::at(0, 2 << 20), depthwise.weights = Operand::at(0, 1 << 16), depthwise.output = Operand::at(0, 3 << 20);
  depthwise.channels = kChannels;
  depthwise.kernel_rows = depthwise.kernel_cols = 3;
  depthwise.out_rows = depthwise.out_cols = kPixels - 2;
  depthwise.input_pixel_stride = depthwise.output_pixel_stride = kChannels;
  depthwise.input_row_stride = kChannels * kPixels;
  depthwise.output_row_stride = kChannels * (kPixels - 2);
  depthwise.activation_min = -128, depthwise.activation_max = 127;
  abi::Elementwise sum;
  constexpr std::uint32_t kElements = kChannels * (kPixels - 2) * (kPixels - 2);
  sum.a = Operand::at(0, 2 << 20), sum.b = Operand::at(0, 3 << 20), sum.output = Operand::at(0, 4 << 20);
  sum.extent = {1, 1, 1, kElements};
  sum.a_stride = sum.b_stride = sum.output_stride = {kElements, kElements, kElements, 1};
  sum.left_shift = 20, sum.a_multiplier = sum.b_multiplier = sum.output_multiplier = 1 << 30, sum.output_shift = -18;
  sum.activation_min = -128, sum.activation_max = 127;
  stream.commands = {on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), 2 << 20)), wait(Engine::kMac, Engine::kDma0, 1), on(Engine::kMac, conv), on(Engine::kMac, depthwise),
                     wait(Engine::kVector, Engine::kMac, 2), on(Engine::kVector, sum), wait(Engine::kDma0, Engine::kVector, 1),
                     on(Engine::kDma0, dma(Operand::at(0, 4 << 20), Operand::at(2, 0), kElements)), end()};
  return stream;
}

TEST(Threads, GiveTheSameBytesAndCycles) {
  std::set<Bytes> results;
  std::set<std::uint64_t> cycles;
  for (const unsigned threads : {1U, 2U, 3U}) {
    Bench bench(profile_named("edge"), {.serial = "T", .time = TimeMode::kVirtual, .kernels = {}, .threads = threads});
    bench.open();
    const abi::Handle stream = bench.load(large_work()).handle, in = bench.create(2 << 20), out = bench.create(1 << 20);
    ASSERT_EQ(bench.write(in, 0, random_bytes(2 << 20, 7)), Status::kOk);
    for (int i = 0; i < 3; ++i) {
      const auto done = bench.run(stream, {sram(8 << 20), bind(in, 2 << 20), bind(out, 1 << 20)});
      ASSERT_EQ(done.status, Status::kOk);
      cycles.insert(done.cycles);
      results.insert(bench.read(out, 0, 1 << 20).payload);
    }
  }
  EXPECT_EQ(results.size(), 1U);
  EXPECT_EQ(cycles.size(), 1U);
}

TEST(Threads, AreAtMostSixtyFour) {
  const auto refused = Device::create(profile_named("edge"), {.serial = "T", .time = TimeMode::kVirtual, .kernels = {}, .threads = 65});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::kInvalidArgument);
  for (const char* named : {"0", "65", "two", "2 ", "-1"}) {
    ::setenv("NARU_THREADS", named, 1);
    EXPECT_FALSE(Device::create(profile_named("edge"))) << named;
  }
  ::setenv("NARU_THREADS", "2", 1);
  EXPECT_TRUE(Device::create(profile_named("edge")));
  ::unsetenv("NARU_THREADS");
}

}  // namespace
}  // namespace naru::mockdev::test
