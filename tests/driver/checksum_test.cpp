// Goal: no payload that the cable has changed is taken for good, wherever its checksum stands.
// Method: writes and reads alone and in streams over a mock device, of either protocol, whole and with the planted link fault.
#include "bench.h"
#include "naru/abi/wire.h"

namespace naru::driver::test {
namespace {

constexpr std::size_t kPayloadBytes = 300'000, kPayloads = 6;

/// kPayloads writes or reads of kPayloadBytes, begun together; how many failed with `id`, and that none did with another.
std::size_t failures_of(Device& device, const Buffer& buffer, std::vector<Bytes>& memory, bool reading, ErrorId id) {
  std::vector<Operation> operations;
  for (std::size_t i = 0; i < kPayloads; ++i) {
    auto operation = reading ? device.begin_read(buffer, i * kPayloadBytes, memory[i]) : device.begin_write(buffer, i * kPayloadBytes, memory[i]);
    EXPECT_OK(operation);
    if (operation) operations.push_back(*std::move(operation));
  }
  std::size_t failed = 0;
  for (Operation& operation : operations) {
    const Result<void> outcome = operation.wait();
    if (outcome) continue;
    ++failed;
    EXPECT_EQ(outcome.error().id(), id) << outcome.error().to_string(true);
  }
  return failed;
}

std::vector<Bytes> random_memory() {
  std::vector<Bytes> memory;
  for (std::size_t i = 0; i < kPayloads; ++i) memory.push_back(random_bytes(kPayloadBytes, i));
  return memory;
}

/// Counts the messages of that type that come in.
void count_messages(Bench& bench, abi::MessageType type, std::size_t& count) {
  bench.tampering.on_message = [&count, type](Bytes& bytes) {
    for (std::span<const std::byte> rest = bytes; !rest.empty();) {
      abi::MessageHeader header;
      if (abi::decode(rest, header) != abi::Decoded::kOk) return;
      count += header.type == type;
      const std::size_t payload = abi::has(header.flags, abi::MessageFlag::kPayloadInline) ? (header.payload_bytes + 7) / 8 * 8 : 0;
      rest = rest.subspan(abi::wire_size<abi::MessageHeader>() + header.body_bytes + payload);
    }
  };
}

TEST(Checksums, ComeBehindThePayloadsOfAStreamAndAheadOfOneAlone) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(5u << 20);
  ASSERT_OK(buffer);
  std::size_t lists = 0;
  count_messages(bench, abi::MessageType::kChecksums, lists);
  const auto sent = [&] { return device->host_counters().messages_out; };

  std::vector<Bytes> memory = random_memory();
  auto before = sent();
  ASSERT_OK(device->write(*buffer, 0, memory[0]));
  ASSERT_OK(device->read(*buffer, 0, memory[1]));
  EXPECT_EQ(memory[1], memory[0]);
  EXPECT_EQ(sent() - before, 2u);
  EXPECT_EQ(lists, 0u);

  memory = random_memory();
  const std::vector<Bytes> written = memory;
  before = sent();
  EXPECT_EQ(failures_of(*device, *buffer, memory, false, ErrorId::kInternal), 0u);
  EXPECT_GT(sent() - before, kPayloads);
  for (Bytes& bytes : memory) bytes.assign(kPayloadBytes, std::byte{0});
  EXPECT_EQ(failures_of(*device, *buffer, memory, true, ErrorId::kInternal), 0u);
  EXPECT_EQ(memory, written);
  EXPECT_GT(lists, 0u);

  lists = 0;
  Bytes large = random_bytes(5u << 20, 9), back(5u << 20);
  before = sent();
  ASSERT_OK(device->write(*buffer, 0, large));
  EXPECT_EQ(sent() - before, 2u) << "in more than one piece: its checksum goes behind it";
  ASSERT_OK(device->read(*buffer, 0, back));
  EXPECT_EQ(back, large);
  EXPECT_EQ(lists, 1u);
  EXPECT_EQ(device->host_counters().recoveries, 0u);
  EXPECT_EQ(bench.mock->counters().protocol_errors, 0u);
}

TEST(Checksums, StandInTheMessagesWhereADeviceKnowsNothingElse) {
  Bench bench;
  bench.tampering.on_control = change<abi::Identity>(abi::ControlRequest::kIdentity, [](abi::Identity& identity) { identity.protocol_max = 1; });
  auto device = bench.open();
  ASSERT_EQ(device->info().protocol, 1u);
  auto buffer = device->create_buffer(kPayloads * kPayloadBytes);
  ASSERT_OK(buffer);
  std::size_t lists = 0;
  count_messages(bench, abi::MessageType::kChecksums, lists);
  std::vector<Bytes> memory = random_memory();
  const std::vector<Bytes> written = memory;
  const auto before = device->host_counters().messages_out;
  EXPECT_EQ(failures_of(*device, *buffer, memory, false, ErrorId::kInternal), 0u);
  EXPECT_EQ(device->host_counters().messages_out - before, kPayloads);
  EXPECT_EQ(failures_of(*device, *buffer, memory, true, ErrorId::kInternal), 0u);
  EXPECT_EQ(memory, written);
  EXPECT_EQ(lists, 0u);
  bench.mock->plant({.link_corruption = true});
  EXPECT_EQ(failures_of(*device, *buffer, memory, false, ErrorId::kChecksum), kPayloads);
  EXPECT_EQ(failures_of(*device, *buffer, memory, true, ErrorId::kChecksum), kPayloads);
}

TEST(Checksums, TellOfEveryFlippedBit) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(kPayloads * kPayloadBytes);
  ASSERT_OK(buffer);
  for (int round = 0; round < 3; ++round) {
    std::vector<Bytes> memory = random_memory();
    const std::vector<Bytes> written = memory;
    EXPECT_EQ(failures_of(*device, *buffer, memory, false, ErrorId::kInternal), 0u);
    bench.mock->plant({.link_corruption = true});
    EXPECT_EQ(failures_of(*device, *buffer, memory, true, ErrorId::kChecksum), kPayloads);
    EXPECT_EQ(failures_of(*device, *buffer, memory, false, ErrorId::kChecksum), kPayloads);
    bench.mock->plant({});
    memory = written;
    EXPECT_EQ(failures_of(*device, *buffer, memory, false, ErrorId::kInternal), 0u);
    EXPECT_EQ(failures_of(*device, *buffer, memory, true, ErrorId::kInternal), 0u);
    EXPECT_EQ(memory, written);
  }
  EXPECT_EQ(device->host_counters().recoveries, 0u);
}

TEST(Checksums, OfWhatWasGivenUpOnItsWayAreWrong) {
  Bench bench;
  auto device = bench.open({.payload_chunk_bytes = 64 * 1024, .payload_chunks_in_flight = 1});
  auto buffer = device->create_buffer(kPayloads * kPayloadBytes);
  ASSERT_OK(buffer);
  std::vector<Bytes> memory = random_memory();
  std::vector<Operation> operations;
  const auto before = device->host_counters().messages_out;
  for (std::size_t i = 0; i < kPayloads; ++i) {
    auto operation = device->begin_write(*buffer, i * kPayloadBytes, memory[i]);
    ASSERT_OK(operation);
    operations.push_back(*std::move(operation));
  }
  for (int i = 0; i < 1000 && device->host_counters().messages_out - before < kPayloads + 1; ++i) device->wait(device->now() + 10us);
  ASSERT_EQ(device->host_counters().messages_out - before, kPayloads + 1) << "all are announced, and the first one's checksum is sent";
  operations.pop_back();
  memory.pop_back();  // the address sanitizer sees who still uses it
  for (Operation& operation : operations) EXPECT_OK(operation.wait());
  Bytes back(kPayloadBytes);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    ASSERT_OK(device->read(*buffer, i * kPayloadBytes, back));
    EXPECT_EQ(back, memory[i]);
  }
  EXPECT_EQ(bench.mock->counters().checksum_errors, 1u);
  EXPECT_EQ(device->host_counters().recoveries, 0u);
}

}  // namespace
}  // namespace naru::driver::test
