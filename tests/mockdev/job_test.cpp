// Jobs: what they compute, in which order they complete, and how they end early.
#include "naru/abi/weights.h"
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::MessageType;
using abi::Operand;
using abi::Rights;
using abi::Status;

constexpr std::uint64_t kJobSram = 64 * 1024;

/// Reads `bytes` from region 1, doubles them in SRAM, writes them to region 2.
abi::Stream doubling(std::uint32_t bytes) {
  return {.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, kJobSram), declare(MemoryKind::kDram, Rights::kRead, bytes), declare(MemoryKind::kDram, Rights::kWrite, bytes)},
          .commands = {on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), bytes)), wait(Engine::kVector, Engine::kDma0, 1),
                       on(Engine::kVector, doubled(Operand::at(0, 0), Operand::at(0, 32 * 1024), bytes)), wait(Engine::kDma0, Engine::kVector, 1),
                       on(Engine::kDma0, dma(Operand::at(0, 32 * 1024), Operand::at(2, 0), bytes)), end()}};
}
/// Keeps the vector engine busy for 16 + elements / 64 cycles.
abi::Stream busy(std::uint32_t elements) {
  abi::Elementwise work = doubled(Operand::at(0, 0), Operand::at(0, 0), elements);
  return {.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 1 << 20)}, .commands = {on(Engine::kVector, work), end()}};
}

TEST(Job, ComputesAndReadsItsResultAfterTheFenceInOneTransferEachWay) {
  Bench bench;
  bench.open();
  const abi::Handle input = bench.create(1000), output = bench.create(1000);
  const abi::Handle stream = bench.load(doubling(1000)).handle;
  Bytes data(1000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i % 127 - 63);
  Bytes transfer = bench.message(MessageType::kWrite, body_of(abi::Access{.handle = input, .bytes = data.size()}), data);
  append(transfer, bench.message(MessageType::kSubmit, Bench::job_body(stream, 1, {sram(kJobSram), bind(input, 1000), bind(output, 1000)})));
  append(transfer, bench.message(MessageType::kRead, body_of(abi::Access{.handle = output, .bytes = 1000, .after_fence = 1})));
  ASSERT_TRUE(bench.send(transfer));
  const std::size_t before = bench.transfers_in;
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  const abi::Completion completion = bench.expect().completion();
  EXPECT_EQ(completion.status, Status::kOk);
  EXPECT_EQ(completion.first_fence, 1u);
  EXPECT_EQ(completion.last_fence, 1u);
  EXPECT_EQ(completion.retired, 3u);
  const Message answer = bench.expect();
  EXPECT_EQ(bench.transfers_in - before, 1u);
  ASSERT_EQ(answer.payload.size(), 1000u);
  for (std::size_t i = 0; i < data.size(); ++i)
    ASSERT_EQ(static_cast<int>(static_cast<std::int8_t>(answer.payload[i])), std::clamp(2 * static_cast<std::int8_t>(data[i]), -128, 127)) << i;
}

TEST(Job, WaitsUntilDataHasGoneThatItWouldOverwrite) {
  constexpr std::uint32_t kBytes = 20'000;  // more than goes with a message: sent from where it lies
  Bench bench;
  bench.open();
  const abi::Handle input = bench.create(kBytes), output = bench.create(kBytes);
  const abi::Handle stream = bench.load(doubling(kBytes)).handle;
  ASSERT_EQ(bench.write(input, 0, Bytes(kBytes, std::byte{3})), Status::kOk);
  ASSERT_EQ(bench.write(output, 0, Bytes(kBytes, std::byte{50})), Status::kOk);
  // A read as it is, a job over it, and a read of what that made.
  const auto read = [&](std::uint64_t after) { return bench.message(MessageType::kRead, body_of(abi::Access{.handle = output, .bytes = kBytes, .after_fence = after})); };
  Bytes transfer = read(0);
  append(transfer, bench.message(MessageType::kSubmit, Bench::job_body(stream, 1, {sram(kJobSram), bind(input, kBytes), bind(output, kBytes)})));
  append(transfer, read(1));
  ASSERT_TRUE(bench.send(transfer));
  for (int i = 0; i < 100; ++i) static_cast<void>(bench.device->step(bench.device->clock().after(std::chrono::milliseconds(1)), 1'000'000));  // nobody takes anything
  EXPECT_TRUE(bench.expect().payload == Bytes(kBytes, std::byte{50}));
  EXPECT_EQ(bench.expect().completion().status, Status::kOk);
  EXPECT_TRUE(bench.expect().payload == Bytes(kBytes, std::byte{6}));
}

TEST(Job, IsReadBeforeTheNextOneWritesOverWhatItMade) {
  for (const std::uint32_t bytes : {1000u, 20'000u}) {
    Bench bench;
    bench.open();
    const abi::Handle one = bench.create(bytes), other = bench.create(bytes), output = bench.create(bytes);
    const abi::Handle stream = bench.load(doubling(bytes)).handle;
    ASSERT_EQ(bench.write(one, 0, Bytes(bytes, std::byte{3})), Status::kOk);
    ASSERT_EQ(bench.write(other, 0, Bytes(bytes, std::byte{9})), Status::kOk);
    Bytes transfer;
    std::uint64_t fence = 0;
    for (const abi::Handle input : {one, other}) {
      append(transfer, bench.message(MessageType::kSubmit, Bench::job_body(stream, ++fence, {sram(kJobSram), bind(input, bytes), bind(output, bytes)})));
      append(transfer, bench.message(MessageType::kRead, body_of(abi::Access{.handle = output, .bytes = bytes, .after_fence = fence})));
    }
    ASSERT_TRUE(bench.send(transfer));
    std::vector<Bytes> read;
    while (read.size() < 2)
      if (Message message = bench.expect(); message.header.type == MessageType::kReply) read.push_back(std::move(message.payload));
    EXPECT_TRUE(read[0] == Bytes(bytes, std::byte{6})) << bytes;
    EXPECT_TRUE(read[1] == Bytes(bytes, std::byte{18})) << bytes;
  }
}

TEST(Job, AnEmptyStreamTakesNoCycles) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load({.regions = {}, .commands = {end()}}).handle;
  for (unsigned i = 0; i < 3; ++i) {
    const abi::Completion completion = bench.run(stream, {});
    EXPECT_EQ(completion.status, Status::kOk);
    EXPECT_EQ(completion.cycles, 0u);
  }
}

TEST(Job, ChangedWeightsInSramChangeTheResultOfTheSameCommand) {
  // A 1x1 convolution of 4 to 16 channels, twice, with other weights loaded to the same place in between.
  constexpr std::uint64_t kBlock = abi::dense_block_bytes(1, 4);
  Bytes constants(2 * kBlock + 64);
  const auto make_weights = [&](std::uint64_t at, int weight) {
    for (unsigned c = 0; c < 16; ++c) {
      store_le<std::int32_t>(constants.data() + at + abi::kWeightMultiplierOffset + 4 * c, 1 << 30);
      store_le<std::int32_t>(constants.data() + at + abi::kWeightSumOffset + 4 * c, 4 * weight);
      constants[at + abi::kWeightShiftOffset + c] = std::byte{1};
      for (unsigned i = 0; i < 4; ++i) constants[at + abi::dense_weight_offset(0, i, c, 4)] = static_cast<std::byte>(weight);
    }
  };
  make_weights(0, 1);
  make_weights(kBlock, 2);
  for (unsigned i = 0; i < 4; ++i) constants[2 * kBlock + i] = static_cast<std::byte>(i + 1);

  abi::Conv conv;
  conv.input = Operand::at(0, 0);
  conv.weights = Operand::at(0, 64);
  conv.output = Operand::at(0, 1024);
  conv.in_channels = 4;
  conv.out_channels = 16;
  conv.input_row_stride = conv.input_pixel_stride = 4;
  conv.output_row_stride = conv.output_pixel_stride = 16;
  conv.activation_min = -128;
  conv.activation_max = 127;
  const abi::Stream stream{
      .regions = {declare(MemoryKind::kSram, Rights::kReadWrite, kJobSram), declare(MemoryKind::kDram, Rights::kRead, constants.size()), declare(MemoryKind::kDram, Rights::kWrite, 32)},
      .commands = {on(Engine::kDma0, dma(Operand::at(1, 2 * kBlock), Operand::at(0, 0), 4)), on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 64), kBlock)),
                   wait(Engine::kMac, Engine::kDma0, 2), on(Engine::kMac, conv), wait(Engine::kDma0, Engine::kMac, 1),
                   on(Engine::kDma0, dma(Operand::at(0, 1024), Operand::at(2, 0), 16)), on(Engine::kDma0, dma(Operand::at(1, kBlock), Operand::at(0, 64), kBlock)),
                   wait(Engine::kMac, Engine::kDma0, 4), on(Engine::kMac, conv), wait(Engine::kDma0, Engine::kMac, 2),
                   on(Engine::kDma0, dma(Operand::at(0, 1024), Operand::at(2, 16), 16)), end()}};
  Bench bench;
  bench.open();
  const abi::Handle weights = bench.create(constants.size()), output = bench.create(32);
  ASSERT_EQ(bench.write(weights, 0, constants), Status::kOk);
  const abi::Reply loaded = bench.load(stream);
  ASSERT_EQ(loaded.status, Status::kOk) << loaded.detail;
  ASSERT_EQ(bench.run(loaded.handle, {sram(kJobSram), bind(weights, constants.size()), bind(output, 32)}).status, Status::kOk);
  const Bytes result = bench.read(output, 0, 32).payload;
  EXPECT_TRUE(Bytes(result.begin(), result.begin() + 16) == Bytes(16, std::byte{10}));
  EXPECT_TRUE(Bytes(result.begin() + 16, result.end()) == Bytes(16, std::byte{20}));
  EXPECT_EQ(bench.counters().macs, 2u * 64u);
}

TEST(Job, SramIsScrubbedBeforeAnotherContextSeesIt) {
  Bench bench;
  const abi::Stream leave{.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 4096)}, .commands = {on(Engine::kVector, fill(Operand::at(0, 0), 4096, 0x5A)), end()}};
  const abi::Stream look{.regions = {declare(MemoryKind::kSram, Rights::kRead, 4096), declare(MemoryKind::kDram, Rights::kWrite, 4096)},
                         .commands = {on(Engine::kDma0, dma(Operand::at(0, 0), Operand::at(1, 0), 4096)), end()}};
  bench.open();
  ASSERT_EQ(bench.run(bench.load(leave).handle, {sram(4096, 8192)}).status, Status::kOk);
  abi::Handle seen = bench.create(4096);
  ASSERT_EQ(bench.run(bench.load(look).handle, {sram(4096, 8192), bind(seen, 4096)}).status, Status::kOk);
  EXPECT_TRUE(bench.read(seen, 0, 4096).payload == Bytes(4096, std::byte{0x5A}));  // its own context still sees it
  bench.open();
  bench.fence = 0;
  seen = bench.create(4096);
  ASSERT_EQ(bench.run(bench.load(look).handle, {sram(4096, 8192), bind(seen, 4096)}).status, Status::kOk);
  EXPECT_TRUE(bench.read(seen, 0, 4096).payload == Bytes(4096));
}

TEST(Job, TakesTheSameCyclesEveryTimeWhateverElseHappens) {
  std::set<std::uint64_t> cycles;
  for (const char* link : {"fast", "slow"}) {
    profile::Profile profile = profile_named("edge");
    if (std::string_view(link) == "slow") profile.link = {.super_speed = false, .megabytes_per_second = 1, .round_trip_us = 5000};
    Bench bench(profile);
    bench.open();
    const abi::Handle input = bench.create(30'000), output = bench.create(30'000);
    const abi::Handle stream = bench.load(doubling(30'000)).handle;
    for (unsigned i = 0; i < 4; ++i) {
      if (i == 2) {
        ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(abi::Access{.handle = input, .bytes = 30'000}))));
        EXPECT_TRUE(bench.receive());
      }
      cycles.insert(bench.run(stream, {sram(kJobSram), bind(input, 30'000), bind(output, 30'000)}).cycles);
    }
  }
  EXPECT_EQ(cycles.size(), 1u);
}

TEST(Job, OverItsBudgetEndsAtTheBudgetAndNamesACommand) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load(busy(64'000)).handle;  // 1016 cycles
  const abi::Completion over = bench.run(stream, {sram(1 << 20)}, 1015);
  EXPECT_EQ(over.status, Status::kBudgetExceeded);
  EXPECT_EQ(over.cycles, 1015u);
  EXPECT_EQ(over.fault_command, 0u);
  const abi::Completion exact = bench.run(stream, {sram(1 << 20)}, 1016);
  EXPECT_EQ(exact.status, Status::kOk);
  EXPECT_EQ(exact.cycles, 1016u);
}

TEST(Job, ReadsAfterAFailedFenceSaySo) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(64);
  const abi::Handle stream = bench.load(busy(64'000)).handle;
  EXPECT_EQ(bench.run(stream, {sram(1 << 20)}, 10).status, Status::kBudgetExceeded);
  EXPECT_EQ(bench.run(stream, {sram(1 << 20)}).status, Status::kOk);
  const auto status_after = [&](std::uint64_t fence) { return bench.status_of(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = 64, .after_fence = fence})); };
  EXPECT_EQ(status_after(1), Status::kFenceFailed);
  EXPECT_EQ(status_after(2), Status::kOk);
}

TEST(Job, QueuedAndRunningJobsCanBeCancelledAndCompleteInOrder) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load(busy(640'000)).handle;  // 10016 cycles: 20 us
  for (std::uint64_t fence = 1; fence <= 4; ++fence) ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(stream, fence, {sram(1 << 20)}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kCancel, body_of(abi::Cancel{.fence = 3}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kCancel, body_of(abi::Cancel{.fence = 1}))));
  std::vector<std::pair<std::uint64_t, Status>> ends;
  unsigned replies = 0;
  while (ends.size() < 4 || replies < 2) {
    const Message message = bench.expect();
    if (message.header.type == MessageType::kReply) {
      ++replies;
      EXPECT_EQ(message.reply().status, Status::kOk);
      continue;
    }
    const abi::Completion completion = message.completion();
    for (std::uint64_t fence = completion.first_fence; fence <= completion.last_fence; ++fence) ends.emplace_back(fence, completion.status);
    ASSERT_LE(ends.size(), 4u);
  }
  const std::vector<std::pair<std::uint64_t, Status>> expected{{1, Status::kCancelled}, {2, Status::kOk}, {3, Status::kCancelled}, {4, Status::kOk}};
  EXPECT_EQ(ends, expected);
  EXPECT_EQ(bench.counters().jobs_cancelled, 2u);
  EXPECT_EQ(bench.status_of(MessageType::kCancel, body_of(abi::Cancel{.fence = 2})), Status::kOk);  // too late: it is done
}

TEST(Job, TheMostUrgentQueueGoesFirst) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load(busy(64'000)).handle;
  // One message: all are queued before the first is dispatched.
  Bytes body = body_of(abi::Submit{.count = 5});
  for (const auto& [queue, fence] : {std::pair{0, 1}, std::pair{0, 2}, std::pair{3, 1}, std::pair{1, 1}, std::pair{3, 2}}) {
    append(body, abi::encode(abi::JobRecord{.stream = stream, .fence = static_cast<std::uint64_t>(fence), .queue = static_cast<std::uint16_t>(queue), .region_count = 1}));
    append(body, abi::encode(sram(1 << 20)));
  }
  ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, body)));
  std::vector<std::pair<int, int>> order;
  while (order.size() < 5) {
    const abi::Completion completion = bench.expect().completion();
    EXPECT_EQ(completion.status, Status::kOk);
    for (std::uint64_t fence = completion.first_fence; fence <= completion.last_fence; ++fence) order.emplace_back(completion.queue, static_cast<int>(fence));
  }
  const std::vector<std::pair<int, int>> expected{{3, 1}, {3, 2}, {1, 1}, {0, 1}, {0, 2}};
  EXPECT_EQ(order, expected);
}

TEST(Job, CompletionsThatWaitForTheHostBecomeOneRange) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load({.regions = {}, .commands = {end()}}).handle;
  Bytes body = body_of(abi::Submit{.count = 200});
  for (std::uint64_t fence = 1; fence <= 200; ++fence) append(body, abi::encode(abi::JobRecord{.stream = stream, .fence = fence}));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, body)));
  std::uint64_t done = 0;
  unsigned messages = 0;
  while (done < 200) {
    const abi::Completion completion = bench.expect().completion();
    EXPECT_EQ(completion.status, Status::kOk);
    EXPECT_EQ(completion.first_fence, done + 1);
    done = completion.last_fence;
    ++messages;
  }
  EXPECT_LT(messages, 20u);
  EXPECT_EQ(bench.counters().jobs_completed, 200u);
}

TEST(Job, ClosingTheContextCompletesItsJobsFirst) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load(busy(640'000)).handle;
  ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(stream, 1, {sram(1 << 20)}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(stream, 2, {sram(1 << 20)}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kCloseContext, {})));
  EXPECT_EQ(bench.expect().completion().status, Status::kCancelled);
  EXPECT_EQ(bench.expect().completion().status, Status::kCancelled);
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_EQ(bench.state().contexts, 0u);
  EXPECT_EQ(bench.state().jobs_queued, 0u);
}

TEST(Job, ASoftResetFailsAllJobsAndAnEngineResetOnlyTheRunningOne) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load(busy(640'000)).handle;
  const auto submit_two = [&] {
    for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(stream, ++bench.fence, {sram(1 << 20)}))));
    bench.pass(std::chrono::microseconds(150));  // half a round trip and some of the job
    EXPECT_EQ(bench.state().condition, abi::DeviceCondition::kBusy);
  };
  submit_two();
  ASSERT_TRUE(bench.command(abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kEngine)));
  EXPECT_EQ(bench.expect().completion().status, Status::kReset);
  EXPECT_EQ(bench.expect().completion().status, Status::kOk);
  submit_two();
  bench.soft_reset();
  EXPECT_EQ(bench.state().condition, abi::DeviceCondition::kReady);
  EXPECT_EQ(bench.expect().completion().status, Status::kReset);
  EXPECT_EQ(bench.expect().completion().status, Status::kReset);
  EXPECT_EQ(bench.counters().resets, 2u);
  bench.open();
  bench.fence = 0;
  EXPECT_EQ(bench.run(bench.load(busy(64)).handle, {sram(1 << 20)}).status, Status::kOk);
}

TEST(Job, AStreamThatIsFreedWhileItRunsRunsToItsEnd) {
  Bench bench;
  bench.open();
  const abi::Handle stream = bench.load(busy(640'000)).handle;
  ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(stream, 1, {sram(1 << 20)}))));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kFreeStream, body_of(abi::HandleBody{stream}))));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_EQ(bench.expect().completion().status, Status::kOk);
  bench.fence = 1;
  EXPECT_EQ(bench.run(stream, {sram(1 << 20)}).status, Status::kBadHandle);
}

TEST(Job, ControlAnswersWhileAJobRunsInSlices) {
  Bench bench;
  bench.open();
  abi::Stream stream = busy(640'000);
  stream.commands.pop_back();
  for (unsigned i = 0; i < 50; ++i) stream.commands.push_back(stream.commands.front());
  stream.commands.push_back(end());
  const abi::Handle handle = bench.load(stream).handle;
  ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(handle, 1, {sram(1 << 20)}))));
  unsigned slices = 0;
  std::set<std::uint64_t> heartbeats;
  while (!bench.device->in_peek(kIn) && slices < 10'000) {
    bench.device->step(kForever, 100);  // a tenth of a millisecond of host work
    heartbeats.insert(bench.state().heartbeat);
    ++slices;
  }
  EXPECT_GT(slices, 20u);
  EXPECT_GT(heartbeats.size(), 20u);
  EXPECT_EQ(bench.expect().completion().status, Status::kOk);
}

TEST(Job, AJobDoesNotOverwriteDataThatIsStillBeingSent) {
  Bench bench;
  bench.open();
  constexpr std::uint32_t kBytes = 30'000;
  const abi::Handle input = bench.create(kBytes), output = bench.create(kBytes);
  const abi::Handle stream = bench.load(doubling(kBytes)).handle;
  const auto job = [&](std::uint64_t fence) { return bench.message(MessageType::kSubmit, Bench::job_body(stream, fence, {sram(kJobSram), bind(input, kBytes), bind(output, kBytes)})); };
  ASSERT_EQ(bench.write(input, 0, Bytes(kBytes, std::byte{3})), Status::kOk);
  ASSERT_TRUE(bench.send(job(1)));
  ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(abi::Access{.handle = output, .bytes = kBytes, .after_fence = 1}))));
  EXPECT_EQ(bench.expect().completion().status, Status::kOk);
  ASSERT_EQ(bench.device->in_peek(kIn).has_value(), false);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(abi::Access{.handle = input, .bytes = 1024}), Bytes(1024, std::byte{5}))));
  ASSERT_TRUE(bench.send(job(2)));
  bench.pass(std::chrono::milliseconds(2));  // the host is late
  bool saw_data = false;
  for (unsigned i = 0; i < 3; ++i) {
    const Message message = bench.expect();
    if (message.payload.size() != kBytes) continue;
    saw_data = true;
    EXPECT_TRUE(message.payload == Bytes(kBytes, std::byte{6}));
  }
  EXPECT_TRUE(saw_data);
}

}  // namespace
}  // namespace naru::mockdev::test
