// What is on the cable when it is wrong: every framing error is named, stalls bulk OUT, and costs nothing but the message it was in.
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::MessageType;
using abi::Status;

/// Sends `bytes`, expects a status report and a stall, clears the halt, and sees that the device goes on.
void expect_framing_error(Bench& bench, std::span<const std::byte> bytes, Status status, bool with_zero_packet = true) {
  EXPECT_FALSE(bench.send(bytes, with_zero_packet));
  EXPECT_TRUE(bench.device->halted(kOut));
  const Message report = bench.expect();
  EXPECT_EQ(report.header.type, MessageType::kStatusReport);
  EXPECT_EQ(report.header.sequence, 0u);
  EXPECT_EQ(report.reply().status, status) << abi::name_of(report.reply().status);
  EXPECT_TRUE(bench.device->out_begin(kOut).empty());
  bench.device->set_halt(kOut, false);
  bench.device->set_halt(kIn, false);
  EXPECT_NE(bench.create(64), 0u);
}

TEST(Framing, BadMagicVersionChecksumAndLengthStallAndAreMendedByClearingTheHalt) {
  Bench bench;
  bench.open();
  const Bytes body = body_of(abi::CreateBuffer{64});
  const auto header = [&] {
    return abi::MessageHeader{.type = MessageType::kCreateBuffer, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .body_bytes = 8};
  };
  abi::MessageHeader bad = header();
  bad.magic ^= 1;
  expect_framing_error(bench, Bench::seal(bad, body), Status::kBadMagic);
  for (const int version : {0, abi::kProtocolMax + 1, 65535}) {
    bad = header();
    bad.version = static_cast<std::uint16_t>(version);
    expect_framing_error(bench, Bench::seal(bad, body), Status::kBadVersion);
  }
  Bytes flipped = Bench::seal(header(), body);
  flipped[50] ^= std::byte{1};
  expect_framing_error(bench, flipped, Status::kBadChecksum);
  bad = header();
  bad.body_bytes = 16;
  expect_framing_error(bench, Bench::seal(bad, body), Status::kBadLength);
  bad.body_bytes = 0xFFFFFFF8;
  expect_framing_error(bench, Bench::seal(bad, body), Status::kBadLength);
  bad.body_bytes = 7;
  expect_framing_error(bench, Bench::seal(bad, body), Status::kBadLength);
  const Bytes whole = Bench::seal(header(), body);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{47}, std::size_t{48}, std::size_t{55}}) expect_framing_error(bench, std::span(whole).first(bytes), Status::kBadLength);
  EXPECT_EQ(bench.counters().checksum_errors, 1u);
  EXPECT_EQ(bench.counters().protocol_errors, 11u);
}

TEST(Framing, ContradictoryPayloadsAreLengthErrors) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(64);
  const Bytes body = body_of(abi::Access{.handle = buffer, .bytes = 8});
  const auto with = [&](std::uint16_t flags, std::uint64_t payload_bytes) {
    abi::MessageHeader header{.type = MessageType::kWrite, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = flags};
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    header.payload_bytes = payload_bytes;
    return Bench::seal(header, body);
  };
  expect_framing_error(bench, with(3, 8), Status::kBadLength);
  expect_framing_error(bench, with(0, 8), Status::kBadLength);
  expect_framing_error(bench, with(1, 0), Status::kBadLength);
  expect_framing_error(bench, with(2, 0), Status::kBadLength);
  expect_framing_error(bench, with(1, 8), Status::kBadLength);  // says it is there, but the transfer ends
  expect_framing_error(bench, with(1, abi::kInlinePayloadMax + 1), Status::kBadLength);
  expect_framing_error(bench, with(2, ~std::uint64_t{0}), Status::kBadLength);
}

TEST(Framing, AnOverlongMessageTransferIsRefused) {
  Bench bench;
  bench.open();
  expect_framing_error(bench, Bytes(abi::kMessageTransferMax + 8), Status::kBadLength);
}

TEST(Framing, AMessageTransferOfTheGreatestLengthIsTaken) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(64 * 1024);
  Bytes transfer;
  const std::size_t fixed = abi::wire_size<abi::MessageHeader>() + abi::wire_size<abi::Access>();
  const Bytes first = random_bytes(16 * 1024, 1), second = random_bytes(abi::kMessageTransferMax - 2 * fixed - first.size(), 2);
  append(transfer, bench.message(MessageType::kWrite, body_of(abi::Access{.handle = buffer, .bytes = first.size()}), first));
  append(transfer, bench.message(MessageType::kWrite, body_of(abi::Access{.handle = buffer, .offset = 20'000, .bytes = second.size()}), second));
  ASSERT_EQ(transfer.size(), abi::kMessageTransferMax);
  ASSERT_TRUE(bench.send(transfer));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.read(buffer, 20'000, second.size()).payload == second);
}

TEST(Framing, MessagesBeforeTheBrokenOneAreCarriedOut) {
  Bench bench;
  bench.open();
  Bytes transfer = bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{128}));
  const std::uint32_t good = bench.sequence;
  append(transfer, Bytes(48, std::byte{0xFF}));
  EXPECT_FALSE(bench.send(transfer));
  bool answered = false, reported = false;
  for (unsigned i = 0; i < 2; ++i) {
    const Message message = bench.expect();
    if (message.header.type == MessageType::kStatusReport) {
      reported = true;
      EXPECT_EQ(message.reply().detail, 56u);  // where the broken one begins
    } else {
      answered = message.header.sequence == good && message.reply().status == Status::kOk;
    }
  }
  EXPECT_TRUE(answered && reported);
}

TEST(Framing, APayloadThatIsCutShortAnswersItsRequestAndStalls) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(20'000);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(abi::Access{.handle = buffer, .bytes = 20'000}), {}, 20'000)));
  const std::uint32_t cut = bench.sequence;
  EXPECT_FALSE(bench.send(Bytes(1500), false));
  EXPECT_EQ(bench.expect().header.type, MessageType::kStatusReport);
  const Message answer = bench.expect();
  EXPECT_EQ(answer.header.sequence, cut);
  EXPECT_EQ(answer.reply().status, Status::kBadLength);
  bench.device->set_halt(kOut, false);
  EXPECT_EQ(bench.write(buffer, 0, Bytes(20'000)), Status::kOk);
}

TEST(Framing, ClearingTheHaltInTheMiddleOfAPayloadResynchronises) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(100'000);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kWrite, body_of(abi::Access{.handle = buffer, .bytes = 100'000}), {}, 100'000)));
  ASSERT_TRUE(bench.send(Bytes(2048), false));
  bench.device->set_halt(kOut, false);  // as a host does that came to the device after another one died
  EXPECT_EQ(bench.expect().reply().status, Status::kBadLength);
  EXPECT_EQ(bench.write(buffer, 0, Bytes(100'000)), Status::kOk);
}

TEST(Framing, ClearingTheHaltOfBulkInOffersWhatWasNotTakenAgain) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(100'000);
  const Bytes data = random_bytes(100'000, 4);
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = data.size()}))));
  ASSERT_TRUE(bench.receive_transfer(abi::kMessageTransferMax));  // the header
  ASSERT_TRUE(bench.receive_transfer(4096));                      // and a part of the payload
  bench.device->set_halt(kIn, false);
  const Message answer = bench.expect();
  EXPECT_EQ(answer.header.sequence, bench.sequence);
  EXPECT_TRUE(answer.payload == data);
}

TEST(Framing, EmptyTransfersAreNothing) {
  Bench bench;
  bench.open();
  for (unsigned i = 0; i < 10; ++i) EXPECT_TRUE(bench.send({}));
  EXPECT_NE(bench.create(64), 0u);
}

TEST(Framing, AnswersOfOneInstantComeInOneTransfer) {
  Bench bench;
  bench.open();
  Bytes transfer;
  for (unsigned i = 0; i < 20; ++i) append(transfer, bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64})));
  ASSERT_TRUE(bench.send(transfer));
  const std::size_t before = bench.transfers_in;
  for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(bench.expect().header.sequence, bench.sequence - 19 + i);
  EXPECT_EQ(bench.transfers_in - before, 1u);
}

/// A message transfer of writes of `bytes` each, whose payloads follow.
Bytes announce_writes(Bench& bench, abi::Handle buffer, unsigned count, std::uint64_t bytes) {
  Bytes transfer;
  for (unsigned i = 0; i < count; ++i) append(transfer, bench.message(MessageType::kWrite, body_of(abi::Access{.handle = buffer, .offset = i * bytes, .bytes = bytes}), {}, bytes));
  return transfer;
}

TEST(Framing, PayloadsOfSeveralMessagesFollowInTheirOrderAndAreAnsweredTogether) {
  constexpr std::size_t kBytes = 20'001;
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(5 * kBytes);
  ASSERT_TRUE(bench.send(announce_writes(bench, buffer, 5, kBytes)));
  const Bytes data = random_bytes(5 * kBytes, 3);
  for (unsigned i = 0; i < 5; ++i) ASSERT_TRUE(bench.send(std::span(data).subspan(i * kBytes, kBytes), false));
  const std::size_t before = bench.transfers_in;
  for (unsigned i = 0; i < 5; ++i) {
    const Message answer = bench.expect();
    EXPECT_EQ(answer.header.sequence, bench.sequence - 4 + i);
    EXPECT_EQ(answer.reply().status, Status::kOk);
  }
  EXPECT_EQ(bench.transfers_in - before, 1u);
  EXPECT_TRUE(bench.read(buffer, 0, 5 * kBytes).payload == data);
}

TEST(Framing, AReplyIsKeptBackForAnnouncedPayloadsOnlyWhileTheyMayCome) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(40'000);
  ASSERT_TRUE(bench.send(announce_writes(bench, buffer, 2, 20'000)));
  ASSERT_TRUE(bench.send(Bytes(20'000), false));
  EXPECT_FALSE(bench.receive()) << "the second payload is still to come";
  bench.device->set_halt(kOut, false);  // it will not: the host starts anew
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_EQ(bench.expect().reply().status, Status::kBadLength);
}

TEST(Framing, WhatWasKeptBackGoesAsSoonAsWhatItWaitedForIsDone) {
  using namespace std::chrono_literals;
  for (Duration apart{}; apart < 300us; apart += 10us) {
    Bench bench;
    bench.open();
    const abi::Handle buffer = bench.create(64);
    const abi::Reply stream = bench.load({.regions = {}, .commands = {end()}});
    ASSERT_EQ(stream.status, Status::kOk);
    ASSERT_TRUE(bench.send(bench.message(MessageType::kFreeBuffer, body_of(abi::HandleBody{buffer}))));
    bench.pass(apart);
    ASSERT_TRUE(bench.send(bench.message(MessageType::kSubmit, Bench::job_body(stream.handle, ++bench.fence, {}))));
    // A host that looks only when the device has moved, or at its timer.
    const Clock& clock = bench.device->clock();
    const TimePoint timer = clock.after(5s);
    while (!bench.device->in_peek(kIn) && clock.now() < timer) static_cast<void>(bench.device->step(timer, 1'000'000));
    EXPECT_LT(clock.now(), timer) << apart.count() << " ns apart";
  }
}

TEST(Framing, DataAndCompletionsAreNeverKeptBack) {
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(40'000);
  const auto behind = [&](Bytes first) {
    append(first, announce_writes(bench, buffer, 1, 40'000));
    ASSERT_TRUE(bench.send(first));
  };
  const auto finish_write = [&] {
    ASSERT_TRUE(bench.send(Bytes(40'000, std::byte{7}), false));
    EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  };
  behind(bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = 100})));
  EXPECT_EQ(bench.expect().payload.size(), 100u);
  finish_write();
  // The write must not land before the data has gone that it overwrites: waiting for it would be for ever.
  Bytes both = bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64}));
  append(both, bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = 40'000})));
  behind(both);
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.expect().payload == Bytes(40'000, std::byte{7}));
  finish_write();
  const abi::Reply stream = bench.load({.regions = {}, .commands = {end()}});
  ASSERT_EQ(stream.status, Status::kOk);
  behind(bench.message(MessageType::kSubmit, Bench::job_body(stream.handle, ++bench.fence, {})));
  EXPECT_EQ(bench.expect().completion().last_fence, bench.fence);
  finish_write();
}

/// Jobs that copy 64 KiB into the SRAM, 17 us each time.
struct Copying {
  static constexpr std::uint32_t kBytes = 64 * 1024;

  Copying(Bench& of, unsigned copies) : bench(of), buffer(bench.create(kBytes)) {
    abi::Stream stream{.regions = {declare(abi::MemoryKind::kDram, abi::Rights::kRead, kBytes), declare(abi::MemoryKind::kSram, abi::Rights::kReadWrite, kBytes)}, .commands = {}};
    stream.commands.assign(copies, {abi::Engine::kDma0, 0, abi::Dma{.source = abi::Operand::at(0, 0), .target = abi::Operand::at(1, 0), .row_bytes = kBytes}});
    stream.commands.push_back(end());
    const abi::Reply reply = bench.load(stream);
    EXPECT_EQ(reply.status, Status::kOk);
    handle = reply.handle;
  }
  Bytes job(std::uint64_t budget = 0) {
    return bench.message(MessageType::kSubmit, Bench::job_body(handle, ++bench.fence, {bind(buffer, kBytes), sram(kBytes)}, 0, budget));
  }

  Bench& bench;
  abi::Handle buffer = 0, handle = 0;
};

TEST(Framing, RepliesWaitForTheCompletionOfAJobThatEndsSoon) {
  struct Case {
    unsigned copies;
    std::uint64_t budget;  // cycles of 2 ns
    bool together;
  };
  // Within the way of a reply; within a millisecond, as its budget promises; as it happens only; not.
  for (const Case& one : {Case{1, 0, true}, Case{24, 250'000, true}, Case{24, 0, false}, Case{100, 0, false}}) {
    Bench bench;
    bench.open();
    Copying copying(bench, one.copies);
    Bytes both = bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64}));
    append(both, copying.job(one.budget));
    ASSERT_TRUE(bench.send(both));
    const std::size_t before = bench.transfers_in;
    EXPECT_EQ(bench.expect().reply().status, Status::kOk);
    EXPECT_EQ(bench.expect().completion().status, Status::kOk);
    EXPECT_EQ(bench.transfers_in - before, one.together ? 1u : 2u) << one.copies << " copies, budget " << one.budget;
  }
}

TEST(Framing, RepliesThatWaitKeepNothingElseWaiting) {
  // Jobs of 100 us end one after the other. The reply before them, or data behind it, comes no later than it would without the others.
  for (const bool reads : {false, true}) {
    Duration alone{0};
    for (const unsigned jobs : {1u, 40u}) {
      Bench bench;
      bench.open();
      Copying copying(bench, 6);
      Bytes transfer = bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64}));
      if (reads) append(transfer, bench.message(MessageType::kRead, body_of(abi::Access{.handle = copying.buffer, .bytes = 100})));
      for (unsigned i = 0; i < jobs; ++i) append(transfer, copying.job());
      ASSERT_TRUE(bench.send(transfer));
      const TimePoint start = bench.device->clock().now();
      EXPECT_EQ(bench.expect().reply().status, Status::kOk);
      const Message next = bench.expect();
      EXPECT_EQ(next.header.type, reads ? MessageType::kReply : MessageType::kCompletion);
      const Duration took = bench.device->clock().now() - start;
      if (jobs == 1) alone = took;
      EXPECT_LE(took, alone + std::chrono::microseconds(50)) << (reads ? "data" : "completion") << " of " << jobs;
    }
  }
}

TEST(Framing, DataTakesWithItWhatWasKeptBackAndNothingWaitsForMore) {
  Duration alone{0};
  for (const unsigned jobs : {1u, 40u}) {
    Bench bench;
    bench.open();
    Copying copying(bench, 6);
    Bytes transfer = bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64}));
    append(transfer, announce_writes(bench, copying.buffer, 1, 20'000));
    ASSERT_TRUE(bench.send(transfer));
    bench.pass(std::chrono::milliseconds(1));
    EXPECT_FALSE(bench.device->in_peek(kIn)) << "kept back for the payload";
    ASSERT_TRUE(bench.send(Bytes(20'000), false));
    transfer = bench.message(MessageType::kRead, body_of(abi::Access{.handle = copying.buffer, .bytes = 100}));
    for (unsigned i = 0; i < jobs; ++i) append(transfer, copying.job());
    ASSERT_TRUE(bench.send(transfer));
    const TimePoint start = bench.device->clock().now();
    EXPECT_EQ(bench.expect().reply().status, Status::kOk);
    const Duration took = bench.device->clock().now() - start;
    if (jobs == 1) alone = took;
    EXPECT_LE(took, alone + std::chrono::microseconds(50)) << jobs;
  }
}

TEST(Framing, AFewRepliesAreKeptBackAtMost) {
  constexpr unsigned kRequests = 60;
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(20'000);
  Bytes transfer;
  for (unsigned i = 0; i < kRequests; ++i) append(transfer, bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64})));
  append(transfer, announce_writes(bench, buffer, 1, 20'000));
  ASSERT_TRUE(bench.send(transfer));
  for (unsigned i = 0; i < kRequests; ++i) EXPECT_EQ(bench.expect().header.sequence, bench.sequence - kRequests + i);
  ASSERT_TRUE(bench.send(Bytes(20'000), false));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
}

TEST(Framing, DataThatWasReadyTogetherIsAnnouncedTogetherUpToABound) {
  constexpr std::uint64_t kBytes = abi::kAnnouncedBytesMax / 4;
  Bench bench;
  bench.open();
  const abi::Handle buffer = bench.create(6 * kBytes);
  const Bytes data = random_bytes(6 * kBytes, 5);
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  Bytes transfer;
  for (unsigned i = 0; i < 6; ++i) append(transfer, bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .offset = i * kBytes, .bytes = kBytes})));
  ASSERT_TRUE(bench.send(transfer));
  const std::size_t before = bench.transfers_in;
  for (unsigned i = 0; i < 6; ++i) {
    const Message answer = bench.expect();
    EXPECT_EQ(answer.header.sequence, bench.sequence - 5 + i);
    EXPECT_TRUE(std::equal(answer.payload.begin(), answer.payload.end(), data.begin() + static_cast<std::ptrdiff_t>(i * kBytes)));
  }
  EXPECT_EQ(bench.transfers_in - before, 2u) << abi::kAnnouncedBytesMax / kBytes << " of them, then the others";
}

TEST(Framing, APartlyTakenTransferGoesOnWhereItWas) {
  Bench bench("tiny");
  bench.open();
  const abi::Handle buffer = bench.create(16'384);
  const Bytes data = random_bytes(16'000, 9);
  ASSERT_EQ(bench.write(buffer, 0, data), Status::kOk);
  ASSERT_TRUE(bench.send(bench.message(MessageType::kRead, body_of(abi::Access{.handle = buffer, .bytes = data.size()}))));
  Bytes transfer;
  for (;;) {  // one packet at a time
    const auto part = bench.receive_transfer(512);
    ASSERT_TRUE(part);
    append(transfer, *part);
    if (part->size() < 512) break;
  }
  ASSERT_EQ(transfer.size(), 48u + 16u + 16'000u);
  EXPECT_TRUE(Bytes(transfer.begin() + 64, transfer.end()) == data);
}

}  // namespace
}  // namespace naru::mockdev::test
