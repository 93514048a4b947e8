// Checksums that come behind payloads: what waits for them, what they are compared with, and what a host may not send instead.
#include <functional>

#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::MessageFlag;
using abi::MessageType;
using abi::Status;

constexpr std::size_t kBytes = 20'000;
constexpr auto kBehind = static_cast<std::uint16_t>(MessageFlag::kPayloadCrcBehind), kAhead = static_cast<std::uint16_t>(MessageFlag::kPayloadCrc),
               kFollows = static_cast<std::uint16_t>(MessageFlag::kPayloadFollows);

class Checksums : public ::testing::Test {
 protected:
  void SetUp() override {
    bench.open();
    buffer = bench.create(4 * kBytes);
    for (std::size_t i = 0; i < 4; ++i) data.push_back(random_bytes(kBytes, i));
  }

  Bytes write(std::size_t i, std::uint16_t flags = kBehind | kFollows, std::uint16_t version = abi::kProtocolMax) {
    const Bytes body = body_of(abi::Access{.handle = buffer, .offset = i * kBytes, .bytes = kBytes});
    return Bench::seal({.version = version, .type = MessageType::kWrite, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = flags,
                        .body_bytes = static_cast<std::uint32_t>(body.size()), .payload_bytes = kBytes}, body);
  }
  Bytes read(std::size_t i) {
    const Bytes body = body_of(abi::Access{.handle = buffer, .offset = i * kBytes, .bytes = kBytes});
    return Bench::seal({.type = MessageType::kRead, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = kAhead, .body_bytes = static_cast<std::uint32_t>(body.size())}, body);
  }
  /// Two writes with their payloads; their checksums are due.
  void send_two() {
    Bytes transfer = write(0);
    append(transfer, write(1));
    ASSERT_TRUE(bench.send(transfer));
    ASSERT_TRUE(bench.send(data[0], false));
    ASSERT_TRUE(bench.send(data[1], false));
  }
  [[nodiscard]] abi::PayloadChecksum checksum(std::uint32_t before, std::size_t i) const { return {.sequence = bench.sequence - before, .crc = crc32c(data[i])}; }
  [[nodiscard]] Bytes list(const Bytes& records) const {
    return Bench::seal({.type = MessageType::kChecksums, .epoch = bench.epoch, .body_bytes = static_cast<std::uint32_t>(records.size())}, records);
  }
  /// A framing error: reported, the two writes refused, and mended by clearing the halt.
  void expect_refused(const Bytes& transfer) {
    EXPECT_FALSE(bench.send(transfer));
    const Message report = bench.expect();
    EXPECT_EQ(report.header.type, MessageType::kStatusReport);
    EXPECT_EQ(report.reply().status, Status::kBadField) << abi::name_of(report.reply().status);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(bench.expect().reply().status, Status::kBadField);
    bench.device->set_halt(kOut, false);
    EXPECT_EQ(bench.write(buffer, 0, data[0]), Status::kOk);
  }

  Bench bench;
  abi::Handle buffer = 0;
  std::vector<Bytes> data;
};

TEST_F(Checksums, AreWaitedForBeforeAnythingIsCarriedOut) {
  send_two();
  EXPECT_FALSE(bench.receive());
  Bytes transfer = list(body_of(checksum(1, 0), checksum(0, 1)));
  append(transfer, read(1));
  ASSERT_TRUE(bench.send(transfer));
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_TRUE(bench.expect().payload == data[1]);
}

TEST_F(Checksums, RefuseOnlyWhatTheyDoNotMatch) {
  send_two();
  abi::PayloadChecksum wrong = checksum(1, 0);
  wrong.crc ^= 1;
  ASSERT_TRUE(bench.send(list(body_of(wrong, checksum(0, 1)))));
  EXPECT_EQ(bench.expect().reply().status, Status::kPayloadChecksum);
  EXPECT_EQ(bench.expect().reply().status, Status::kOk);
  EXPECT_EQ(bench.counters().checksum_errors, 1u);
}

TEST_F(Checksums, OfSomethingElseAreFramingErrors) {
  send_two();
  expect_refused(list(body_of(checksum(1, 0))));
  send_two();
  expect_refused(list(body_of(checksum(1, 0), checksum(0, 1), checksum(0, 1))));
  send_two();
  expect_refused(list(body_of(checksum(0, 1), checksum(1, 0))));
  send_two();
  expect_refused(list({}));
  for (const auto& edit : std::vector<std::function<void(abi::MessageHeader&)>>{[](auto& header) { header.sequence = 1; }, [](auto& header) { header.context = 1; },
                                                                               [](auto& header) { --header.epoch; }, [](auto& header) { header.flags = kAhead; }}) {
    send_two();
    const Bytes records = body_of(checksum(1, 0), checksum(0, 1));
    abi::MessageHeader header{.type = MessageType::kChecksums, .epoch = bench.epoch, .body_bytes = static_cast<std::uint32_t>(records.size())};
    edit(header);
    expect_refused(Bench::seal(header, records));
  }
  send_two();
  expect_refused(bench.message(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64})));
  EXPECT_EQ(bench.counters().protocol_errors, 9u);
}

TEST_F(Checksums, ThatNobodyWaitsForAreAFramingError) {
  const auto expect_report = [&](const Bytes& transfer) {
    EXPECT_FALSE(bench.send(transfer));
    EXPECT_EQ(bench.expect().reply().status, Status::kBadField);
    bench.device->set_halt(kOut, false);
  };
  expect_report(list(body_of(checksum(0, 0))));
  Bytes second = read(0);
  append(second, list(body_of(checksum(0, 0))));
  EXPECT_FALSE(bench.send(second));
  std::set<MessageType> answers{bench.expect().header.type, bench.expect().header.type};
  EXPECT_EQ(answers, (std::set{MessageType::kStatusReport, MessageType::kReply}));
  bench.device->set_halt(kOut, false);
  EXPECT_EQ(bench.write(buffer, 0, data[0]), Status::kOk);
}

TEST_F(Checksums, LetNoRequestWithoutPayloadBehindThemThatAPayloadCouldWaitFor) {
  Bytes transfer = write(0);
  append(transfer, read(1));
  append(transfer, write(1));
  EXPECT_FALSE(bench.send(transfer));
  EXPECT_EQ(bench.expect().reply().detail, 48u + 40u);
  EXPECT_EQ(bench.expect().reply().status, Status::kBadField);
  bench.device->set_halt(kOut, false);
  EXPECT_EQ(bench.write(buffer, 0, data[0]), Status::kOk);
}

TEST_F(Checksums, AreForgottenWhenTheHaltIsCleared) {
  send_two();
  bench.device->set_halt(kOut, false);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(bench.expect().reply().status, Status::kBadLength);
  EXPECT_EQ(bench.write(buffer, 0, data[0]), Status::kOk);
}

TEST_F(Checksums, ContradictoryFlagsAreRefused) {
  for (const std::uint16_t flags : {kBehind | kAhead | kFollows, 16 | kFollows}) {
    ASSERT_TRUE(bench.send(write(0, flags)));
    ASSERT_TRUE(bench.send(data[0], false));
    EXPECT_EQ(bench.expect().reply().status, Status::kBadField) << flags;
  }
  // The first protocol knows neither flag nor message.
  ASSERT_TRUE(bench.send(write(0, kBehind | kFollows, 1)));
  ASSERT_TRUE(bench.send(data[0], false));
  EXPECT_EQ(bench.expect().reply().status, Status::kBadField);
  ASSERT_TRUE(bench.send(Bench::seal({.version = 1, .type = MessageType::kChecksums, .epoch = bench.epoch, .context = bench.context}, {})));
  EXPECT_EQ(bench.expect().reply().status, Status::kUnknownType);
}

TEST_F(Checksums, OfDataThatIsReadComeBehindItWhenThereIsMore) {
  for (std::size_t i = 0; i < 3; ++i) ASSERT_EQ(bench.write(buffer, i * kBytes, data[i]), Status::kOk);
  ASSERT_TRUE(bench.send(read(0)));
  const Message alone = bench.expect();
  EXPECT_EQ(alone.header.flags, kFollows | kAhead);
  EXPECT_EQ(alone.header.payload_crc, crc32c(data[0]));

  Bytes transfer = read(0);
  append(transfer, read(1));
  append(transfer, read(2));
  ASSERT_TRUE(bench.send(transfer));
  for (std::size_t i = 0; i < 3; ++i) {
    const Message answer = bench.expect();
    EXPECT_EQ(answer.header.flags, kFollows | kBehind);
    EXPECT_EQ(answer.header.payload_crc, 0u);
    EXPECT_TRUE(answer.payload == data[i]);
  }
  const Message checksums = bench.expect();
  EXPECT_EQ(checksums.header.type, MessageType::kChecksums);
  EXPECT_EQ(checksums.header.sequence, 0u);
  EXPECT_EQ(checksums.body, body_of(checksum(2, 0), checksum(1, 1), checksum(0, 2)));

  ASSERT_TRUE(bench.send(transfer));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(bench.expect().header.type, MessageType::kReply);
  bench.device->set_halt(kIn, false);
  EXPECT_EQ(bench.request(MessageType::kCreateBuffer, body_of(abi::CreateBuffer{64})).reply().status, Status::kOk) << "they are forgotten";
}

TEST_F(Checksums, KeepNoDataApartThatWasReadyTogether) {
  constexpr std::size_t kReads = 6;
  constexpr std::uint64_t kLarge = abi::kAnnouncedBytesMax / 2;
  const abi::Handle large = bench.create(kLarge);
  Bytes transfer;
  for (std::size_t i = 0; i < kReads; ++i) {
    const Bytes body = body_of(abi::Access{.handle = large, .bytes = kLarge});
    append(transfer, Bench::seal({.type = MessageType::kRead, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = kAhead, .body_bytes = static_cast<std::uint32_t>(body.size())}, body));
  }
  ASSERT_TRUE(bench.send(transfer));
  const std::size_t before = bench.transfers_in;
  std::size_t lists = 0;
  for (std::size_t data = 0; data < kReads || lists < kReads / 2;) (bench.expect().header.type == MessageType::kChecksums ? lists : data) += 1;
  EXPECT_EQ(bench.transfers_in - before, kReads / 2 + 1) << "two in each, behind the checksums of the two before, and the last checksums";
}

TEST_F(Checksums, AreAheadForAHostOfTheFirstProtocol) {
  Bytes transfer;
  for (std::size_t i = 0; i < 2; ++i) {
    const Bytes body = body_of(abi::Access{.handle = buffer, .offset = i * kBytes, .bytes = kBytes});
    append(transfer, Bench::seal({.version = 1, .type = MessageType::kRead, .epoch = bench.epoch, .sequence = ++bench.sequence, .context = bench.context, .flags = kAhead,
                                  .body_bytes = static_cast<std::uint32_t>(body.size())}, body));
  }
  ASSERT_TRUE(bench.send(transfer));
  for (std::size_t i = 0; i < 2; ++i) {
    const Message answer = bench.expect();
    EXPECT_EQ(answer.header.version, 1u);
    EXPECT_EQ(answer.header.flags, kFollows | kAhead);
    EXPECT_EQ(answer.header.payload_crc, crc32c(Bytes(kBytes)));
  }
}

}  // namespace
}  // namespace naru::mockdev::test
