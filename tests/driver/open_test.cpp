// Goal: a device is opened only when the two sides understand each other, and every way in which they do not has its own error.
// Method: the mock device in this process; what it says over EP0 is changed on its way.
#include "bench.h"

#include "naru/abi/wire.h"

namespace naru::driver::test {
namespace {

/// Changes a record that the device answers on EP0.
TEST(Open, IdentifiesTheMock) {
  Bench bench;
  auto device = bench.open();
  ASSERT_TRUE(device);
  EXPECT_EQ(device->state(), State::kReady);
  EXPECT_EQ(device->info().serial, "MOCK0001");
  EXPECT_EQ(device->info().profile, "edge");
  EXPECT_TRUE(device->info().simulated);
  EXPECT_EQ(device->chip(), profile::load("edge")->chip);
  device->close();
  EXPECT_EQ(device->state(), State::kClosed);
  device->close();
}

TEST(Open, WorksAThousandTimesOver) {
  Bench bench("tiny");
  for (int i = 0; i < 1000; ++i) {
    auto device = bench.try_open();
    ASSERT_OK(device);
    ASSERT_OK((*device)->create_buffer(1000));
  }
  auto device = bench.open();
  const auto state = device->device_state();
  ASSERT_OK(state);
  EXPECT_EQ(state->contexts, 1u);
  EXPECT_EQ(state->dram_free_bytes, device->chip().dram_bytes);
}

TEST(Open, NamesRomMode) {
  Bench bench;
  auto transport = bench.transport();
  transport->changeable_info().product_id = abi::kProductRom;
  EXPECT_FAILS(Device::open(std::move(transport)), ErrorId::kRomMode);
}

TEST(Open, RefusesADeviceWithoutNarusMark) {
  Bench bench;
  bench.tampering.on_control = change<abi::Identity>(abi::ControlRequest::kIdentity, [](abi::Identity& identity) { identity.magic ^= 1; });
  EXPECT_FAILS(bench.try_open(), ErrorId::kDeviceNotNaru);
  bench.tampering.on_control = [](const usb::SetupPacket&, std::span<std::byte>, TransferCompletion& completion) { completion.status = TransferStatus::kStalled; };
  EXPECT_FAILS(bench.try_open(), ErrorId::kDeviceNotNaru);
  bench.tampering.on_control = [](const usb::SetupPacket&, std::span<std::byte>, TransferCompletion& completion) { completion.bytes /= 2; };
  EXPECT_FAILS(bench.try_open(), ErrorId::kDeviceNotNaru);
}

TEST(Open, SaysWhichSideToUpgrade) {
  Bench bench;
  bench.tampering.on_control = change<abi::Identity>(abi::ControlRequest::kIdentity, [](abi::Identity& identity) { identity.protocol_min = identity.protocol_max = 9; });
  auto newer = bench.try_open();
  EXPECT_FAILS(newer, ErrorId::kProtocolVersion);
  EXPECT_NE(newer.error().remedy().find("Upgrade this software"), std::string::npos) << newer.error().remedy();
  bench.tampering.on_control = change<abi::Identity>(abi::ControlRequest::kIdentity, [](abi::Identity& identity) { identity.protocol_min = identity.protocol_max = 0; });
  auto older = bench.try_open();
  EXPECT_FAILS(older, ErrorId::kProtocolVersion);
  EXPECT_NE(older.error().remedy().find("firmware"), std::string::npos) << older.error().remedy();
}

TEST(Open, RefusesAChipThatCannotBe) {
  Bench bench;
  bench.tampering.on_control = change<abi::Chip>(abi::ControlRequest::kChip, [](abi::Chip& chip) { chip.dram_bytes_per_cycle = 0; });
  EXPECT_FAILS(bench.try_open(), ErrorId::kProtocolViolation);
  bench.tampering.on_control = change<abi::Chip>(abi::ControlRequest::kChip, [](abi::Chip& chip) { chip.isa_generation = 7; });
  EXPECT_FAILS(bench.try_open(), ErrorId::kProtocolVersion);
  bench.tampering.on_control = change<abi::Identity>(abi::ControlRequest::kIdentity, [](abi::Identity& identity) { identity.credits = 0; });
  EXPECT_FAILS(bench.try_open(), ErrorId::kProtocolViolation);
}

TEST(Open, RefusesOptionsOutOfRange) {
  Bench bench;
  EXPECT_FAILS(bench.try_open({.payload_chunk_bytes = 1000}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(bench.try_open({.payload_chunks_in_flight = 9}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(bench.try_open({.unfinished_requests_max = 0}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(bench.try_open({.unfinished_requests_max = 40'000}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(bench.try_open({.timeouts = {.job = 0s}}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(Device::open(nullptr), ErrorId::kInvalidArgument);
}

TEST(Open, WithControlOnlyReadsButRunsNothing) {
  Bench bench;
  auto device = bench.open({.control_only = true});
  ASSERT_TRUE(device);
  EXPECT_OK(device->sensors());
  EXPECT_FAILS(device->create_buffer(16), ErrorId::kWrongThreadOrState);
}

TEST(Control, ReadsAndWritesRegisters) {
  Bench bench;
  auto device = bench.open();
  const auto magic = device->read_register(abi::Register::kMagic);
  ASSERT_OK(magic);
  EXPECT_EQ(*magic, abi::kMessageMagic);
  EXPECT_OK(device->write_register(abi::Register::kScratch2, 0xCAFE1234));
  EXPECT_EQ(*device->read_register(abi::Register::kScratch2), 0xCAFE1234u);
  EXPECT_FAILS(device->write_register(abi::Register::kMagic, 1), ErrorId::kTransferStalled);
  EXPECT_OK(device->counters());
  const auto state = device->device_state();
  ASSERT_OK(state);
  EXPECT_EQ(state->condition, abi::DeviceCondition::kReady);
  EXPECT_OK(device->log());
  EXPECT_EQ(device->state(), State::kReady);
}

TEST(Control, SoftResetStartsANewEpochAndEndsWhatWasBefore) {
  Bench bench;
  auto device = bench.open();
  const std::uint32_t epoch = device->identity().epoch;
  auto buffer = device->create_buffer(64);
  ASSERT_OK(buffer);
  ASSERT_OK(device->reset(abi::ResetLevel::kSoft));
  EXPECT_EQ(device->state(), State::kReady);
  EXPECT_GT(device->identity().epoch, epoch);
  EXPECT_FALSE(buffer->alive());
  const Bytes bytes(8);
  EXPECT_FAILS(device->write(*buffer, 0, bytes), ErrorId::kHandleInvalid);
  auto fresh = device->create_buffer(64);
  ASSERT_OK(fresh);
  EXPECT_OK(device->write(*fresh, 0, bytes));
}

TEST(Control, AResetBySomebodyElseEndsTheDevice) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(64);
  ASSERT_OK(buffer);
  // Another process's request on EP0.
  ASSERT_TRUE(bench.mock->setup({.request_type = 0x40, .request = static_cast<std::uint8_t>(abi::ControlRequest::kReset), .value = static_cast<std::uint16_t>(abi::ResetLevel::kSoft), .index = 0, .length = 0}, {}, {}));
  const Bytes bytes(8);
  EXPECT_FAILS(device->write(*buffer, 0, bytes), ErrorId::kStaleEpoch);
  EXPECT_EQ(device->state(), State::kLost);
  EXPECT_FAILS(device->sensors(), ErrorId::kStaleEpoch);
}

TEST(Pipes, LoopbackReturnsEverySize) {
  Bench bench;
  auto device = bench.open();
  ASSERT_OK(device->set_pipe_mode(abi::PipeMode::kLoopback));
  EXPECT_FAILS(device->create_buffer(16), ErrorId::kWrongThreadOrState);
  for (std::size_t size : {std::size_t{1}, std::size_t{511}, std::size_t{512}, std::size_t{1023}, std::size_t{1024}, std::size_t{1025}, std::size_t{16383}, std::size_t{16384}, std::size_t{16385},
                           std::size_t{1} << 20, (std::size_t{2} << 20) + 17}) {
    const Bytes sent = random_bytes(size, size);
    Bytes received(size);
    ASSERT_OK(device->raw_write(sent, false)) << size;
    const auto count = device->raw_read(received);
    ASSERT_OK(count);
    EXPECT_EQ(*count, size);
    EXPECT_EQ(received, sent) << size;
  }
  ASSERT_OK(device->set_pipe_mode(abi::PipeMode::kSink));
  EXPECT_OK(device->raw_write(random_bytes(100000, 1), false));
  ASSERT_OK(device->set_pipe_mode(abi::PipeMode::kSource));
  Bytes source(1 << 20);
  EXPECT_OK(device->raw_read(source));
  ASSERT_OK(device->set_pipe_mode(abi::PipeMode::kMessages));
  EXPECT_OK(device->create_buffer(16));
}

}  // namespace
}  // namespace naru::driver::test
