// Loopback, sink and source: what diag and the bench measure the cable with.
#include "naru/base/hash.h"
#include "support.h"

namespace naru::mockdev::test {
namespace {

bool set_mode(Bench& bench, abi::PipeMode mode) { return bench.command(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(mode)); }

TEST(Pipe, LoopbackGivesEveryLengthBackWithItsTransferEnds) {
  for (const char* name : {"edge", "tiny"}) {
    Bench bench(name);
    ASSERT_TRUE(set_mode(bench, abi::PipeMode::kLoopback));
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{511}, std::size_t{512}, std::size_t{513}, std::size_t{1024}, std::size_t{16383}, std::size_t{16384}, std::size_t{16385}, std::size_t{1 << 20}}) {
      const Bytes data = random_bytes(bytes, bytes);
      ASSERT_TRUE(bench.send(data));
      const auto back = bench.receive_transfer(align_up<std::size_t>(bytes + 1, bench.packet));
      ASSERT_TRUE(back);
      EXPECT_TRUE(*back == data) << bytes;
    }
    EXPECT_EQ(bench.counters().copied_bytes, 0u);
    ASSERT_TRUE(set_mode(bench, abi::PipeMode::kMessages));
    bench.open();
    EXPECT_EQ(bench.state().dram_free_bytes, bench.profile.chip.dram_bytes);
  }
}

TEST(Pipe, LoopbackHoldsFourMebibytesThenWaitsForTheHost) {
  Bench bench;
  ASSERT_TRUE(set_mode(bench, abi::PipeMode::kLoopback));
  const Bytes chunk = random_bytes(1 << 20, 1);
  for (unsigned i = 0; i < 4; ++i) ASSERT_TRUE(bench.send(chunk, false));
  bench.pass(std::chrono::seconds(1));
  EXPECT_TRUE(bench.device->out_begin(kOut).empty());
  for (unsigned i = 0; i < 4; ++i) {
    const auto back = bench.receive_transfer(1 << 20);
    ASSERT_TRUE(back);
    EXPECT_TRUE(*back == chunk);
    EXPECT_FALSE(bench.device->out_begin(kOut).empty());
  }
}

TEST(Pipe, SinkAndSourceRunAtTheLinksRate) {
  Bench bench;
  ASSERT_TRUE(set_mode(bench, abi::PipeMode::kSink));
  TimePoint before = bench.device->clock().now();
  for (unsigned i = 0; i < 44; ++i) ASSERT_TRUE(bench.send(Bytes(1 << 20), false));
  bench.pass(Duration(0));
  auto seconds = std::chrono::duration<double>(bench.device->clock().now() - before).count();
  EXPECT_NEAR(44.0 * (1 << 20) / seconds, 440e6, 20e6);
  ASSERT_TRUE(set_mode(bench, abi::PipeMode::kSource));
  before = bench.device->clock().now();
  std::uint64_t position = 0;
  for (unsigned i = 0; i < 44; ++i) {
    const auto part = bench.receive_transfer(1 << 20);
    ASSERT_TRUE(part);
    ASSERT_EQ(part->size(), std::size_t{1} << 20);
    for (std::size_t at = 0; at < part->size(); at += 4099) {
      const std::uint64_t p = position + at;
      ASSERT_EQ((*part)[at], static_cast<std::byte>(p ^ (p >> 8)));
    }
    position += part->size();
  }
  seconds = std::chrono::duration<double>(bench.device->clock().now() - before).count();
  EXPECT_NEAR(static_cast<double>(position) / seconds, 440e6, 20e6);
}

TEST(Pipe, SinkAndSourceGoRoundInTheMemoryAskedForAndChecksumWhatGoesBy) {
  Bench bench;
  const std::uint64_t free_bytes = bench.state().dram_free_bytes;
  const auto mode = [&](abi::PipeMode pipe_mode, std::uint16_t index) { return bench.command(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(pipe_mode), index); };
  ASSERT_TRUE(mode(abi::PipeMode::kSink, 3 | abi::kPipeChecksums));
  EXPECT_EQ(bench.state().dram_free_bytes, free_bytes - (3u << 20));
  std::uint32_t crc = 0;
  for (unsigned i = 0; i < 7; ++i) {  // 700 KiB each: across the area's end, too
    const Bytes data = random_bytes(700 * 1024, i);
    ASSERT_TRUE(bench.send(data, false));
    crc = crc32c(data, crc);
    EXPECT_EQ(bench.read_register(abi::Register::kPipeCrc), crc);
  }
  ASSERT_TRUE(mode(abi::PipeMode::kSource, 2 | abi::kPipeChecksums));
  EXPECT_EQ(bench.state().dram_free_bytes, free_bytes - (2u << 20));
  EXPECT_EQ(bench.read_register(abi::Register::kPipeCrc), 0u);
  crc = 0;
  for (unsigned i = 0; i < 5; ++i) {
    const auto part = bench.receive_transfer(700 * 1024);
    ASSERT_TRUE(part);
    crc = crc32c(*part, crc);
    EXPECT_EQ(bench.read_register(abi::Register::kPipeCrc), crc);
  }
  ASSERT_TRUE(mode(abi::PipeMode::kSink, 4));
  ASSERT_TRUE(bench.send(Bytes(1000)));
  EXPECT_EQ(bench.read_register(abi::Register::kPipeCrc), 0u) << "nobody asked for it";
  EXPECT_FALSE(mode(abi::PipeMode::kSink, abi::kPipeMebibytesMax + 1));
  EXPECT_FALSE(mode(abi::PipeMode::kLoopback, 1));
  EXPECT_FALSE(mode(abi::PipeMode::kMessages, abi::kPipeChecksums));
  ASSERT_TRUE(mode(abi::PipeMode::kMessages, 0));
  EXPECT_EQ(bench.state().dram_free_bytes, free_bytes);
}

TEST(Pipe, UnknownModesStall) {
  Bench bench;
  EXPECT_FALSE(bench.command(abi::ControlRequest::kPipeMode, 4));
  EXPECT_FALSE(bench.command(abi::ControlRequest::kPipeMode, 65535));
  EXPECT_TRUE(bench.command(abi::ControlRequest::kPipeMode, 0));
}

}  // namespace
}  // namespace naru::mockdev::test
