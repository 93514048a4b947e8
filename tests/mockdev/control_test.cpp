// EP0 and what enumeration shows: it must answer in every state, because diagnostics stand on it.
#include "support.h"

namespace naru::mockdev::test {
namespace {

TEST(Control, IdentityTellsProfileSerialAndThatItIsSimulated) {
  Bench bench("tiny");
  const abi::Identity identity = bench.identity();
  EXPECT_EQ(identity.magic, abi::kMessageMagic);
  EXPECT_STREQ(identity.profile.data(), "tiny");
  EXPECT_STREQ(identity.serial.data(), "MOCK0001");
  EXPECT_TRUE(identity.features & static_cast<std::uint32_t>(abi::Feature::kSimulated));
  EXPECT_FALSE(identity.features & static_cast<std::uint32_t>(abi::Feature::kRealTime));
  EXPECT_TRUE(identity.features & static_cast<std::uint32_t>(abi::Feature::kLeases));
  EXPECT_EQ(bench.control<abi::Chip>(abi::ControlRequest::kChip), bench.profile.chip);
  EXPECT_EQ(bench.device->description().serial, "MOCK0001");
  EXPECT_EQ(bench.device->description().product_id, abi::kProductRun);
}

TEST(Control, SpeedAndPacketSizesFollowTheProfile) {
  for (const auto& [name, packet] : {std::pair{"edge", 1024}, std::pair{"tiny", 512}}) {
    Bench bench(name);
    for (const usb::EndpointDescription& endpoint : bench.device->description().endpoints) {
      if (endpoint.type == usb::EndpointType::kBulk) {
        EXPECT_EQ(endpoint.packet_bytes, packet);
      }
    }
  }
}

TEST(Control, RegistersKeepWhatIsWrittenAndReadOnlyOnesStall) {
  Bench bench;
  const auto access = [&](std::uint8_t type, abi::ControlRequest request, std::uint16_t index, std::array<std::byte, 4>& value) {
    const usb::SetupPacket packet{.request_type = type, .request = static_cast<std::uint8_t>(request), .value = 0, .index = index, .length = 4};
    return type == 0xC0 ? bench.device->setup(packet, {}, value) : bench.device->setup(packet, value, {});
  };
  for (std::uint16_t index = 16; index < 20; ++index) {
    std::array<std::byte, 4> written{};
    store_le<std::uint32_t>(written.data(), 0xA5A50000u + index);
    EXPECT_TRUE(access(0x40, abi::ControlRequest::kWriteRegister, index, written));
  }
  for (std::uint16_t index = 16; index < 20; ++index) {
    std::array<std::byte, 4> value{};
    EXPECT_EQ(access(0xC0, abi::ControlRequest::kReadRegister, index, value), 4u);
    EXPECT_EQ(load_le<std::uint32_t>(value.data()), 0xA5A50000u + index);
  }
  std::array<std::byte, 4> value{};
  EXPECT_EQ(access(0xC0, abi::ControlRequest::kReadRegister, 0, value), 4u);
  EXPECT_EQ(load_le<std::uint32_t>(value.data()), abi::kMessageMagic);
  EXPECT_FALSE(access(0x40, abi::ControlRequest::kWriteRegister, 0, value));
  EXPECT_FALSE(access(0xC0, abi::ControlRequest::kReadRegister, 5, value));
  EXPECT_FALSE(access(0x40, abi::ControlRequest::kWriteRegister, 20, value));
  EXPECT_FALSE(access(0xC0, abi::ControlRequest::kReadRegister, 21, value));
}

TEST(Control, EverySetupPacketIsAnsweredOrStalled) {
  Bench bench;
  Bytes data(65535);
  Random random(7);
  unsigned answered = 0;
  for (unsigned type = 0; type < 256; ++type)
    for (unsigned request = 0; request < 64; ++request) {
      const usb::SetupPacket packet{.request_type = static_cast<std::uint8_t>(type), .request = static_cast<std::uint8_t>(request), .value = static_cast<std::uint16_t>(random.below(6)),
                                    .index = static_cast<std::uint16_t>(random.below(24)), .length = static_cast<std::uint16_t>(random.below(3) == 0 ? 0 : random.below(65536))};
      const std::span<std::byte> stage = std::span(data).first(packet.length);
      const auto count = bench.device->setup(packet, packet.is_in() ? std::span<const std::byte>() : stage, packet.is_in() ? stage : std::span<std::byte>());
      if (!count) continue;
      ++answered;
      EXPECT_LE(*count, packet.length);
    }
  EXPECT_GT(answered, 5u);
  EXPECT_EQ(bench.identity().magic, abi::kMessageMagic);
}

TEST(Control, TheLogIsReadNewestLastAndCanBeSkipped) {
  Bench bench;
  Bytes text(512);
  const usb::SetupPacket packet{.request_type = 0xC0, .request = static_cast<std::uint8_t>(abi::ControlRequest::kLog), .value = 0, .index = 0, .length = 512};
  const auto count = bench.device->setup(packet, {}, text);
  ASSERT_TRUE(count);
  const std::string line(reinterpret_cast<const char*>(text.data()), *count);
  EXPECT_NE(line.find("power-on: profile edge"), std::string::npos) << line;
  usb::SetupPacket skipped = packet;
  skipped.value = 1;
  EXPECT_EQ(bench.device->setup(skipped, {}, text), 0u);
}

TEST(Control, MicrosoftDescriptorsAreAnsweredByTheFunctionToo) {
  Bench bench;
  Bytes bytes(1024);
  const auto count = bench.device->setup({.request_type = 0xC0, .request = usb::kMicrosoftOsVendorCode, .value = 0, .index = 7, .length = 1024}, {}, bytes);
  EXPECT_EQ(count, usb::microsoft_os_descriptor_set().size());
}

TEST(Control, SoftResetStartsANewEpochAndTellsOnInterruptIn) {
  Bench bench;
  bench.open();
  const std::uint32_t before = bench.epoch;
  bench.soft_reset();
  EXPECT_EQ(bench.epoch, before + 1);
  EXPECT_EQ(bench.state().contexts, 0u);
  EXPECT_FALSE(bench.device->in_peek(kEvents));  // half a round trip away
  bench.pass(std::chrono::milliseconds(1));
  const auto offer = bench.device->in_peek(kEvents);
  ASSERT_TRUE(offer);
  abi::Event event;
  ASSERT_EQ(abi::decode(offer->bytes, event), abi::Decoded::kOk);
  EXPECT_EQ(event.kind, abi::EventKind::kReset);
  EXPECT_EQ(event.epoch, bench.epoch);
  bench.device->in_done(kEvents, offer->bytes.size(), true);
  EXPECT_FALSE(bench.device->in_peek(kEvents));
}

TEST(Control, CreateRefusesBadOptionsAndProfiles) {
  profile::Profile profile = profile_named("edge");
  EXPECT_EQ(Device::create(profile, {.serial = "X", .time = TimeMode::kVirtual, .kernels = "abacus"}).error().id(), ErrorId::kInvalidArgument);
  EXPECT_EQ(Device::create(profile, {.serial = "", .time = TimeMode::kVirtual, .kernels = ""}).error().id(), ErrorId::kInvalidArgument);
  profile.chip.vector_lanes = 0;
  EXPECT_EQ(Device::create(profile).error().id(), ErrorId::kProfileInvalid);
}

}  // namespace
}  // namespace naru::mockdev::test
