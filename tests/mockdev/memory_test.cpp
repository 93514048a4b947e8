// Buffers: what is written is read, nobody else's, nothing left behind, and payloads land where they belong without a copy.
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::MessageType;
using abi::Status;

TEST(Memory, WhatIsWrittenIsReadForEveryLengthAroundPacketsAndInlineLimit) {
  for (const char* name : {"edge", "tiny"}) {
    Bench bench(name);
    bench.open();
    const abi::Handle buffer = bench.create(256 * 1024);
    std::uint64_t seed = 0;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{7}, std::size_t{8}, std::size_t{511}, std::size_t{512}, std::size_t{513}, std::size_t{1023}, std::size_t{1024}, std::size_t{1025},
                                    std::size_t{16383}, std::size_t{16384}, std::size_t{16385}, std::size_t{32768}, std::size_t{100'000}, std::size_t{131072}}) {
      const Bytes data = random_bytes(bytes, ++seed);
      ASSERT_EQ(bench.write(buffer, 13, data), Status::kOk) << bytes;
      const Message answer = bench.read(buffer, 13, bytes);
      EXPECT_EQ(answer.reply().status, Status::kOk) << bytes;
      EXPECT_TRUE(answer.payload == data) << bytes;
    }
  }
}

TEST(Memory, EveryMessageLengthRoundAPacketBoundaryEndsItsTransfer) {
  // Writes of w bytes make message transfers of 88 + w bytes; those that fill a packet need the zero-length one on both sides.
  Bench bench("tiny");
  bench.open();
  const abi::Handle buffer = bench.create(4096);
  for (std::size_t bytes = 400; bytes < 450; ++bytes) {
    const Bytes data = random_bytes(bytes, bytes);
    ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
    ASSERT_TRUE(bench.read(buffer, 0, bytes).payload == data) << bytes;
  }
  for (std::size_t bytes = 920; bytes < 960; ++bytes) ASSERT_EQ(bench.read(buffer, 0, bytes).payload.size(), bytes);
}

TEST(Memory, ALargePayloadLandsWithoutACopyAndASmallOneIsCountedAsCopied) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(1 << 20);
  const Bytes data = random_bytes(1 << 20, 3);
  const abi::Counters before = bench.counters();
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  const abi::Counters large = bench.counters();
  EXPECT_EQ(large.landed_bytes - before.landed_bytes, data.size());
  EXPECT_EQ(large.copied_bytes, before.copied_bytes);
  EXPECT_EQ(large.payload_in_bytes - before.payload_in_bytes, data.size());
  ASSERT_TRUE(bench.read(buffer, 0, data.size()).payload == data);
  const abi::Counters read = bench.counters();
  EXPECT_EQ(read.copied_bytes, large.copied_bytes);
  EXPECT_EQ(read.payload_out_bytes - large.payload_out_bytes, data.size());
  ASSERT_EQ(bench.write(buffer, 0, std::span(data).first(100)), Status::kOk);
  EXPECT_EQ(bench.counters().copied_bytes - read.copied_bytes, 100u);
}

TEST(Memory, APayloadMayComeInSeveralTransfers) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(10 * 1024);
  const Bytes data = random_bytes(10 * 1024, 5);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(abi::Access{.handle = buffer, .bytes = data.size()}), {}, data.size())));
  for (std::size_t at = 0; at < data.size(); at += 2048) ASSERT_TRUE(bench.send(std::span(data).subspan(at, 2048), false));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.read(buffer, 0, data.size()).payload == data);
}

TEST(Memory, SeveralPayloadsFollowOneTransferInOrder) {
  Bench bench;
  bench.open();
  const abi::Handle first = bench.create(20'000), second = bench.create(30'000);
  const Bytes a = random_bytes(20'000, 1), b = random_bytes(30'000, 2);
  Bytes transfer = bench.message(MessageType::kWrite, body_of(abi::Access{.handle = first, .bytes = a.size()}), {}, a.size());
  append(transfer, bench.message(MessageType::kRead, body_of(abi::Access{.handle = first, .bytes = 100})));
  append(transfer, bench.message(MessageType::kWrite, body_of(abi::Access{.handle = second, .bytes = b.size()}), {}, b.size()));
  ASSERT_TRUE(bench.send(transfer));
  ASSERT_TRUE(bench.send(a, false));
  ASSERT_TRUE(bench.send(b, false));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.expect().payload == Bytes(a.begin(), a.begin() + 100));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.read(first, 0, a.size()).payload == a);
  EXPECT_TRUE(bench.read(second, 0, b.size()).payload == b);
}

TEST(Memory, PipelinedRequestsSeeEachOthersEffectsInOrder) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(40'000);
  const Bytes a = random_bytes(40'000, 1), b = random_bytes(40'000, 2);
  const abi::Access all{.handle = buffer, .bytes = a.size()};
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(all), {}, a.size())));
  ASSERT_TRUE(bench.send(a, false));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(all))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(all), {}, b.size())));
  // The second write must not land before the read before it has been sent, so its payload waits for the host to take the read.
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.expect().payload == a);
  ASSERT_TRUE(bench.send(b, false));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.read(buffer, 0, b.size()).payload == b);
}

TEST(Memory, RangesAndHandlesAreChecked) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(1000);
  const Bytes data(16);
  EXPECT_EQ(bench.write(buffer, 985, data), Status::kBadRange);
  EXPECT_EQ(bench.write(buffer, ~std::uint64_t{0} - 3, data), Status::kBadRange);
  EXPECT_EQ(bench.read(buffer, 0, 0).reply().status, Status::kBadRange);
  EXPECT_EQ(bench.read(buffer, 1, ~std::uint64_t{0}).reply().status, Status::kBadRange);
  EXPECT_EQ(bench.read(0, 0, 1).reply().status, Status::kBadHandle);
  EXPECT_EQ(bench.read(abi::kSramHandle, 0, 1).reply().status, Status::kBadHandle);
  EXPECT_EQ(bench.read(buffer + (std::uint64_t{1} << 32), 0, 1).reply().status, Status::kBadHandle);
  EXPECT_EQ(bench.write(buffer, 984, data), Status::kOk);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{0})), Status::kBadRange);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{bench.profile.chip.dram_bytes + 1})), Status::kOutOfMemory);
  EXPECT_EQ(bench.status_of(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{~std::uint64_t{0}})), Status::kOutOfMemory);
}

TEST(Memory, AFreedHandleIsDeadAndItsPlaceComesBackZeroUnderANewGeneration) {
  Bench bench;
  bench.open();
  const std::uint64_t free_before = bench.state().dram_free_bytes;
  const abi::Handle old = bench.create(50'000);
  ASSERT_EQ(bench.write(old, 0, Bytes(50'000, std::byte{0xAA})), Status::kOk);
  EXPECT_EQ(bench.status_of(MessageType::kFreeBuffer, body_of(abi::HandleBody{old})), Status::kOk);
  EXPECT_EQ(bench.state().dram_free_bytes, free_before);
  EXPECT_EQ(bench.read(old, 0, 1).reply().status, Status::kBadHandle);
  EXPECT_EQ(bench.status_of(MessageType::kFreeBuffer, body_of(abi::HandleBody{old})), Status::kBadHandle);
  const abi::Handle fresh = bench.create(50'000);
  EXPECT_EQ(fresh & 0xFFFFFFFF, old & 0xFFFFFFFF);
  EXPECT_NE(fresh, old);
  EXPECT_EQ(bench.read(old, 0, 1).reply().status, Status::kBadHandle);
  EXPECT_TRUE(bench.read(fresh, 0, 50'000).payload == Bytes(50'000));
}

TEST(Memory, HandlesOfAnotherContextAreRefusedAndItsMemoryIsScrubbedWhenItCloses) {
  Bench bench;
  const std::uint32_t first = bench.open();
  const abi::Handle secret = bench.create(30'000);
  ASSERT_EQ(bench.write(secret, 0, Bytes(30'000, std::byte{0x5E})), Status::kOk);
  const std::uint32_t second = bench.open();
  EXPECT_NE(first, second);
  EXPECT_EQ(bench.read(secret, 0, 16).reply().status, Status::kBadHandle);
  EXPECT_EQ(bench.write(secret, 0, Bytes(16)), Status::kBadHandle);
  EXPECT_EQ(bench.status_of(MessageType::kFreeBuffer, body_of(abi::HandleBody{secret})), Status::kBadHandle);
  bench.context = first;
  EXPECT_EQ(bench.status_of(MessageType::kCloseContext), Status::kOk);
  EXPECT_EQ(bench.read(secret, 0, 16).reply().status, Status::kBadContext);
  bench.context = second;
  const abi::Handle mine = bench.create(bench.state().dram_free_bytes);  // everything there is
  for (std::uint64_t at = 0; at < 4; ++at) {
    const Message part = bench.read(mine, at * (8 << 20), 8 << 20);
    EXPECT_EQ(part.reply().status, Status::kOk);
    EXPECT_TRUE(std::ranges::all_of(part.payload, [](std::byte byte) { return byte == std::byte{0}; }));
  }
}

TEST(Memory, FreeingABufferWhileItsReadIsOnTheWayDoesNotDisturbTheData) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(200'000);
  const Bytes data = random_bytes(200'000, 8);
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = data.size()}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kFreeBuffer, body_of(abi::HandleBody{buffer}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{200'000}))));
  EXPECT_TRUE(bench.expect().payload == data);
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  const abi::Handle fresh = bench.expect().reply().handle;
  EXPECT_TRUE(bench.read(fresh, 0, 200'000).payload == Bytes(200'000));
}

TEST(Memory, TheAllocatorGivesBackEverythingInWhateverOrder) {
  Bench bench("tiny");
  bench.open();
  Random random(11);
  std::vector<abi::Handle> handles;
  for (unsigned i = 0; i < 400; ++i) {
    if (handles.empty() || random.below(3) != 0) {
      const abi::Reply reply = bench.request(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{1 + random.below(200'000)})).reply();
      if (reply.status == Status::kOk) handles.push_back(reply.handle);
    } else {
      const std::size_t at = random.below(handles.size());
      EXPECT_EQ(bench.status_of(MessageType::kFreeBuffer, body_of(abi::HandleBody{handles[at]})), Status::kOk);
      handles.erase(handles.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  for (const abi::Handle handle : handles) EXPECT_EQ(bench.status_of(MessageType::kFreeBuffer, body_of(abi::HandleBody{handle})), Status::kOk);
  EXPECT_EQ(bench.state().dram_free_bytes, bench.profile.chip.dram_bytes);
  EXPECT_NE(bench.create(bench.profile.chip.dram_bytes), 0u);  // one hole again
}

TEST(Memory, AReadThatAsksForItGetsAChecksumOfItsPayload) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(100'000);
  const Bytes data = random_bytes(100'000, 12);
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  for (const std::uint64_t bytes : {std::uint64_t{100}, std::uint64_t{100'000}}) {
    const Bytes body = body_of(abi::Access{.handle = buffer, .bytes = bytes});
    abi::MessageHeader header{.type = MessageType::kRead, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = 4};
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    ASSERT_TRUE(bench.send(Bench::seal(header, body)));
    const Message answer = bench.expect();
    EXPECT_TRUE(abi::has(answer.header.flags, abi::MessageFlag::kPayloadCrc));
    EXPECT_EQ(answer.header.payload_crc, crc32c(std::span(data).first(bytes)));
    EXPECT_EQ(answer.payload.size(), bytes);
  }
}

TEST(Memory, TimePassesAsTheLinkIsModelled) {
  // A 1 MB write at 440 MB/s takes 2273 us on the cable; with its answer, a round trip more.
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(1'000'000);
  const TimePoint before = bench.device->clock().now();
  ASSERT_EQ(bench.write(buffer, 0, Bytes(1'000'000)), Status::kOk);
  const auto took = std::chrono::duration<double, std::micro>(bench.device->clock().now() - before).count();
  EXPECT_NEAR(took, 1'000'000 / 440.0 + 270, 3);
}

}  // namespace
}  // namespace naru::mockdev::test
