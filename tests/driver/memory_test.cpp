// Goal: bytes arrive as they were sent, whatever their number, and memory is the caller's again when a ticket says so.
// Method: the mock device in this process; what is written is read back, whole and in parts.
#include "bench.h"

namespace naru::driver::test {
namespace {

TEST(Buffers, ReadBackWhatWasWritten) {
  for (const char* profile : {"edge", "tiny"}) {
    Bench bench(profile);
    auto device = bench.open();
    for (std::size_t size : {1, 7, 8, 511, 512, 513, 1023, 1024, 1025, 16383, 16384, 16385, 17000, 100001, 1 << 20, (1 << 20) + 1, 3000003}) {
      auto buffer = device->create_buffer(size + 13);
      ASSERT_OK(buffer);
      const Bytes sent = random_bytes(size, size);
      ASSERT_OK(device->write(*buffer, 13, sent));
      Bytes received(size);
      ASSERT_OK(device->read(*buffer, 13, received));
      EXPECT_EQ(received, sent) << size;
    }
    // Everything was given back; the last release may still be on its way.
    for (int i = 0; i < 3; ++i) device->wait(device->now() + 1ms);
    const auto state = device->device_state();
    ASSERT_OK(state);
    EXPECT_EQ(state->dram_free_bytes, device->chip().dram_bytes);
  }
}

TEST(Buffers, AreZeroWhenMade) {
  Bench bench;
  auto device = bench.open();
  { ASSERT_OK(device->write(*device->create_buffer(50000), 0, random_bytes(50000, 1))); }
  auto buffer = device->create_buffer(50000);
  ASSERT_OK(buffer);
  Bytes received(50000, std::byte{1});
  ASSERT_OK(device->read(*buffer, 0, received));
  EXPECT_EQ(received, Bytes(50000));
}

TEST(Buffers, SmallOnesCopyOnceAndLargeOnesNotAtAll) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(8 << 20);
  ASSERT_OK(buffer);
  const Bytes large = random_bytes(8 << 20, 2);
  Bytes back(8 << 20);
  const auto copied = [&] { return device->host_counters().copied_bytes; };
  ASSERT_OK(device->write(*buffer, 0, std::span(large).first(1000)));
  EXPECT_EQ(copied(), 1000u);
  ASSERT_OK(device->read(*buffer, 0, std::span(back).first(1000)));
  EXPECT_EQ(copied(), 2000u);
  ASSERT_OK(device->write(*buffer, 0, large));
  ASSERT_OK(device->read(*buffer, 0, back));
  EXPECT_EQ(copied(), 2000u);
  EXPECT_EQ(back, large);
}

TEST(Buffers, ManyOperationsAtOnceKeepTheirOrder) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(4 << 20);
  ASSERT_OK(buffer);
  Bytes model(4 << 20);
  Random random(7);
  std::vector<Operation> operations;
  std::vector<Bytes> sent, received, expected;
  sent.reserve(100), received.reserve(100);
  for (int i = 0; i < 100; ++i) {
    const std::size_t offset = random.below(3 << 20), size = 1 + random.below(i % 3 == 0 ? 500000 : 20000);
    if (i % 2 == 0) {
      sent.push_back(random_bytes(size, static_cast<std::uint64_t>(i)));
      std::copy(sent.back().begin(), sent.back().end(), model.begin() + static_cast<std::ptrdiff_t>(offset));
      auto operation = device->begin_write(*buffer, offset, sent.back());
      ASSERT_OK(operation);
      operations.push_back(*std::move(operation));
    } else {
      received.emplace_back(size);
      expected.emplace_back(model.begin() + static_cast<std::ptrdiff_t>(offset), model.begin() + static_cast<std::ptrdiff_t>(offset + size));
      auto operation = device->begin_read(*buffer, offset, received.back());
      ASSERT_OK(operation);
      operations.push_back(*std::move(operation));
    }
  }
  for (Operation& operation : operations) EXPECT_OK(operation.wait());
  EXPECT_EQ(received, expected);
}

/// Eight operations of 64 KiB on a buffer of their own bytes each, and what the driver did for them.
struct Stream8 {
  static constexpr std::size_t kCount = 8, kBytes = 64 * 1024;
  explicit Stream8(Device& opened) : device(opened), bytes(kCount, Bytes(kBytes)) {
    auto made = device.create_buffer(kCount * kBytes);
    EXPECT_OK(made);
    buffer = *std::move(made);
    for (std::size_t i = 0; i < kCount; ++i) bytes[i] = random_bytes(kBytes, i);
  }
  void begin(std::size_t i, bool reading) {
    auto operation = reading ? device.begin_read(buffer, i * kBytes, bytes[i]) : device.begin_write(buffer, i * kBytes, bytes[i]);
    ASSERT_OK(operation);
    operations.push_back(*std::move(operation));
  }
  void begin_all(bool reading) {
    for (std::size_t i = 0; i < kCount; ++i) begin(i, reading);
  }
  void finish() {
    for (Operation& operation : operations) EXPECT_OK(operation.wait());
    operations.clear();
  }

  Device& device;
  Buffer buffer;
  std::vector<Bytes> bytes;
  std::vector<Operation> operations;
};

TEST(Streams, OfLargeOperationsShareTheirMessages) {
  Bench bench;
  auto device = bench.open();
  Stream8 stream(*device);
  const std::vector<Bytes> sent = stream.bytes;
  const auto transfers = [&] { return std::pair(device->host_counters().out_transfers, device->host_counters().in_transfers); };
  for (int round = 0; round < 3; ++round) {
    auto before = transfers();
    stream.begin_all(false);
    stream.finish();
    auto after = transfers();
    EXPECT_LE(after.first - before.first, 8u + 3u) << "payloads, the first message, that of all others, and their checksums";
    EXPECT_LE(after.second - before.second, 2u);
    for (Bytes& bytes : stream.bytes) bytes.assign(bytes.size(), std::byte{0});
    before = transfers();
    stream.begin_all(true);
    stream.finish();
    after = transfers();
    EXPECT_LE(after.first - before.first, 2u);
    EXPECT_LE(after.second - before.second, 8u + 3u);
    EXPECT_EQ(stream.bytes, sent);
  }
}

TEST(Streams, HoldNothingBackThatIsAlone) {
  Bench bench;
  auto device = bench.open();
  Stream8 stream(*device);
  const auto sent_by = [&](auto&& action) {
    const std::uint64_t before = bench.tampering.submits;
    action();
    return bench.tampering.submits - before;
  };
  EXPECT_EQ(sent_by([&] { stream.begin(0, false); }), 2u) << "message and payload";
  EXPECT_EQ(sent_by([&] { stream.begin(1, false); }), 0u) << "its turn comes with the next poll()";
  EXPECT_GE(sent_by([&] { device->poll(); }), 2u);
  stream.finish();
  EXPECT_EQ(sent_by([&] { stream.begin(0, true); }), 1u) << "a read after writes is alone";
  stream.finish();
  // Right after several, the first may wait for the others; poll() is the end of that.
  stream.begin_all(false);
  stream.finish();
  EXPECT_EQ(sent_by([&] { stream.begin(0, false); }), 0u);
  EXPECT_EQ(sent_by([&] { device->poll(); }), 2u);
  stream.finish();
  // Who waits by the descriptor may call nothing before it is readable.
  (void)device->pollable_descriptor();
  stream.begin_all(false);
  stream.finish();
  EXPECT_EQ(sent_by([&] { stream.begin(0, false); }), 2u);
  stream.finish();
}

TEST(Streams, GoOutBeforeWhateverElseIsAskedFor) {
  for (const bool small : {true, false}) {
    Bench bench;
    auto device = bench.open();
    Stream8 stream(*device);
    stream.begin(0, false);
    stream.begin(1, false);
    const std::uint64_t before = bench.tampering.submits;
    Bytes bytes = random_bytes(small ? 100 : Stream8::kBytes, 77);
    auto other = small ? device->begin_write(stream.buffer, 2 * Stream8::kBytes, bytes) : device->begin_read(stream.buffer, 2 * Stream8::kBytes, bytes);
    ASSERT_OK(other);
    EXPECT_EQ(bench.tampering.submits - before, 2u) << "both messages in one transfer, and the payload";
    stream.finish();
    EXPECT_OK(other->wait());
  }
}

TEST(Streams, MayBeAbandonedBeforeTheyGoOut) {
  Bench bench;
  auto device = bench.open();
  Stream8 stream(*device);
  for (const bool reading : {false, true}) {
    stream.begin_all(reading);
    stream.operations.resize(1);
    for (std::size_t i = 1; i < Stream8::kCount; ++i) stream.bytes[i] = Bytes();  // the address sanitizer sees who still uses it
    stream.finish();
    for (std::size_t i = 1; i < Stream8::kCount; ++i) stream.bytes[i] = random_bytes(Stream8::kBytes, i);
  }
  const std::vector<Bytes> sent = stream.bytes;
  stream.begin_all(false);
  stream.finish();
  stream.begin_all(true);
  stream.finish();
  EXPECT_EQ(stream.bytes, sent);
  EXPECT_EQ(device->host_counters().recoveries, 0u);
}

TEST(Buffers, WhatIsAnnouncedGoesOnWhileOthersWaitForCompany) {
  for (const std::uint32_t in_flight : {1U, 2U, 8U})
    for (const std::vector<std::size_t>& sizes : {std::vector<std::size_t>{20, 1}, {1, 1}, {3, 3, 3, 4, 2}, {20, 1, 1, 1}, {14, 14, 14, 14}}) {
      SCOPED_TRACE(in_flight);
      constexpr std::size_t kUnit = 256 << 10;
      Bench bench;
      auto device = bench.open({.payload_chunk_bytes = 64 << 10, .payload_chunks_in_flight = in_flight});
      std::vector<Buffer> buffers;
      std::vector<Bytes> sent, received;
      for (const std::size_t size : sizes) {
        buffers.push_back(*device->create_buffer(size * kUnit));
        sent.push_back(random_bytes(size * kUnit, static_cast<std::uint32_t>(size)));
        received.emplace_back(size * kUnit);
      }
      const TimePoint begun = device->now();
      std::vector<Operation> operations;
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        auto write = device->begin_write(buffers[i], 0, sent[i]);
        ASSERT_OK(write);
        operations.push_back(std::move(*write));
      }
      for (Operation& operation : operations) ASSERT_OK(operation.wait());
      operations.clear();
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        auto read = device->begin_read(buffers[i], 0, received[i]);
        ASSERT_OK(read);
        operations.push_back(std::move(*read));
      }
      for (Operation& operation : operations) ASSERT_OK(operation.wait());
      EXPECT_LT(device->now() - begun, 1s);
      for (std::size_t i = 0; i < sizes.size(); ++i) EXPECT_EQ(received[i], sent[i]) << i;
    }
}

// usbfs has 16 MiB for everybody, its own records included.
TEST(Streams, BothWaysAtOnceLeaveHostMemoryForOthers) {
  constexpr std::size_t kBytes = 4 << 20, kCount = 6;
  for (const bool checksums : {false, true}) {
    Bench bench;
    auto device = bench.open({.payload_checksums = checksums});
    const auto out = device->create_buffer(kBytes), in = device->create_buffer(kBytes);
    ASSERT_OK(out);
    ASSERT_OK(in);
    const Bytes sent = random_bytes(kBytes, 3);
    std::vector<Bytes> received(kCount, Bytes(kBytes));
    std::vector<Operation> operations;
    for (std::size_t i = 0; i < kCount; ++i) {
      operations.push_back(device->begin_write(*out, 0, sent).value());
      operations.push_back(device->begin_read(*in, 0, received[i]).value());
    }
    for (Operation& operation : operations) EXPECT_OK(operation.wait());
    EXPECT_GT(bench.tampering.flying_payload_max, 8u << 20) << "both directions were busy";
    EXPECT_LE(bench.tampering.flying_payload_max, 12u << 20);
    bench.tampering.joining_outs = 0;
    operations.clear();
    for (std::size_t i = 0; i < kCount; ++i) operations.push_back(device->begin_write(*out, 0, sent).value());
    for (Operation& operation : operations) EXPECT_OK(operation.wait());
    EXPECT_EQ(bench.tampering.joining_outs, checksums ? 2u : kCount) << "first and last go alone, their checksums ahead; what was just checksummed waits for no other";
  }
}

TEST(Buffers, AreFreedWhileALongWriteComes) {
  Bench bench;
  auto device = bench.open({.timeouts = {.request = 50ms}});
  auto large = device->create_buffer(48 << 20);
  ASSERT_OK(large);
  const Bytes bytes(48 << 20, std::byte{3});
  for (int round = 0; round < 3; ++round) {
    ASSERT_OK(device->create_buffer(64));  // freed at once
    const TimePoint begun = device->now();
    ASSERT_OK(device->write(*large, 0, bytes));
    EXPECT_GT(device->now() - begun, 100ms);
  }
  EXPECT_EQ(device->host_counters().recoveries, 0U);
}

TEST(Buffers, RefuseWhatIsOutsideThem) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  Bytes bytes(101);
  EXPECT_FAILS(device->write(*buffer, 0, bytes), ErrorId::kInvalidArgument);
  EXPECT_FAILS(device->read(*buffer, 1, std::span(bytes).first(100)), ErrorId::kInvalidArgument);
  EXPECT_FAILS(device->read(*buffer, ~std::uint64_t{0}, std::span(bytes).first(2)), ErrorId::kInvalidArgument);
  EXPECT_OK(device->read(*buffer, 100, std::span(bytes).first(0)));
  EXPECT_FAILS(device->begin_read(*buffer, 100, std::span(bytes).first(0)), ErrorId::kInvalidArgument);
  EXPECT_FAILS(device->create_buffer(0), ErrorId::kInvalidArgument);
  EXPECT_FAILS(device->create_buffer(std::uint64_t{1} << 40), ErrorId::kDeviceOutOfMemory);
  Bench other_bench;
  auto other = other_bench.open();
  EXPECT_FAILS(other->write(*buffer, 0, std::span(bytes).first(1)), ErrorId::kHandleInvalid);
  EXPECT_FAILS(other->write(Buffer(), 0, std::span(bytes).first(1)), ErrorId::kInvalidArgument);
}

TEST(Buffers, DeviceMemoryRunsOutWithAnErrorAndComesBack) {
  Bench bench("tiny");
  auto device = bench.open();
  std::vector<Buffer> buffers;
  for (;;) {
    auto buffer = device->create_buffer(3 << 20);
    if (!buffer) {
      EXPECT_EQ(buffer.error().id(), ErrorId::kDeviceOutOfMemory);
      break;
    }
    buffers.push_back(*std::move(buffer));
    ASSERT_LT(buffers.size(), 10u);
  }
  buffers.clear();
  EXPECT_OK(device->create_buffer(15 << 20));
}

TEST(Buffers, AreMadeRightAfterMoreWereFreedThanRequestsFitAtOnce) {
  Bench bench;
  auto device = bench.open();
  for (int round = 0; round < 2; ++round) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < 1000; ++i) {
      auto buffer = device->create_buffer(64);
      ASSERT_OK(buffer);
      buffers.push_back(std::move(*buffer));
    }
    buffers.resize(1);
    ASSERT_OK(device->write(buffers[0], 0, random_bytes(64, 1)));
  }
}

TEST(Buffers, MayOutliveTheirDevice) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  auto stream = device->load_stream(empty_stream());
  ASSERT_OK(buffer);
  ASSERT_OK(stream);
  const Bytes bytes = random_bytes(2 << 20, 1);
  auto large = device->create_buffer(2 << 20);
  auto operation = device->begin_write(*large, 0, bytes);
  ASSERT_OK(operation);
  device.reset();
  EXPECT_TRUE(operation->done());
  EXPECT_FALSE(buffer->alive());
}

TEST(Operations, AbandonedHalfWayLeaveTheDeviceUsable) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(16 << 20);
  ASSERT_OK(buffer);
  for (int polls : {0, 1, 2, 3, 5, 8}) {
    for (bool reading : {false, true}) {
      auto bytes = std::make_unique<Bytes>(16 << 20);
      {
        auto operation = reading ? device->begin_read(*buffer, 0, *bytes) : device->begin_write(*buffer, 0, *bytes);
        ASSERT_OK(operation);
        for (int i = 0; i < polls; ++i) device->wait(device->now() + 1ms);
      }
      bytes.reset();  // the address sanitizer sees who still uses it
      Bytes small = random_bytes(1000, static_cast<std::uint64_t>(polls)), back(1000);
      ASSERT_OK(device->write(*buffer, 5, small));
      ASSERT_OK(device->read(*buffer, 5, back));
      EXPECT_EQ(back, small);
    }
  }
  EXPECT_EQ(device->state(), State::kReady);
}

TEST(Streams, AreVerifiedBeforeTheyAreLoaded) {
  Bench bench;
  auto device = bench.open();
  Bytes stream = copy_stream(4096);
  EXPECT_OK(device->load_stream(stream));
  stream.resize(stream.size() - 8);
  EXPECT_FALSE(device->load_stream(stream));
  abi::Stream outside;
  outside.regions = {{.memory = abi::MemoryKind::kSram, .rights = abi::Rights::kReadWrite, .reserved = {}, .bytes = 64}};
  outside.commands = {{abi::Engine::kVector, 0, abi::Fill{.target = abi::Operand::at(0, 0), .reserved = {}, .row_bytes = 65, .reserved2 = {}}}, {abi::Engine::kNone, 0, abi::End{}}};
  EXPECT_FAILS(device->load_stream(abi::encode_stream(outside)), ErrorId::kStreamBounds);
  // The device has checks of its own for whoever skips this one.
  Bench careless_bench;
  auto careless = careless_bench.open({.streams_verified = true});
  EXPECT_FAILS(careless->load_stream(abi::encode_stream(outside)), ErrorId::kDeviceRefused);
  // Verified for this very chip, or for another one.
  abi::Chip chip = device->chip();
  EXPECT_FAILS(device->load_stream(abi::encode_stream(outside), &chip), ErrorId::kDeviceRefused);
  chip.sram_bytes += 1;
  EXPECT_FAILS(device->load_stream(abi::encode_stream(outside), &chip), ErrorId::kStreamBounds);
}

TEST(Streams, LargeOnesLoad) {
  Bench bench;
  auto device = bench.open();
  const Bytes stream = copy_stream(64, 2000);
  ASSERT_GT(stream.size(), 100000u);
  auto loaded = device->load_stream(stream);
  ASSERT_OK(loaded);
  EXPECT_GT(loaded->cycles_worst(), 0u);
  EXPECT_EQ(loaded->regions().size(), 3u);
}

TEST(HostMemory, ThatRunsOutInTheMiddleOfAWaitIsAnErrorAndTheDeviceGoesOn) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  const Bytes sent = random_bytes(100, 1);
  bench.tampering.throws_in_wait = true;
  EXPECT_FAILS(device->write(*buffer, 0, sent), ErrorId::kHostOutOfMemory);
  ASSERT_FALSE(bench.tampering.throws_in_wait) << "nothing was submitted there";
  Bytes back(100);
  ASSERT_OK(device->write(*buffer, 0, sent));
  ASSERT_OK(device->read(*buffer, 0, back));
  EXPECT_EQ(back, sent);
  EXPECT_EQ(device->host_counters().recoveries, 0u);
}

}  // namespace
}  // namespace naru::driver::test
