// Goal: what is submitted to a served device is taken at once, at the device's time of that moment. Method: a mock device behind a controller, and a wall clock that the test moves.
#include <gtest/gtest.h>

#include <algorithm>

#include "naru/abi/wire.h"
#include "naru/mockdev/device.h"
#include "naru/mockdev/pacer.h"
#include "naru/profile/profile.h"

namespace naru::mockdev {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Device> make_device(TimeMode time) {
  const auto profile = profile::load("edge");
  EXPECT_TRUE(profile);
  DeviceOptions options;
  options.time = time;
  auto device = Device::create(*profile, options);
  EXPECT_TRUE(device);
  return *std::move(device);
}

std::vector<std::byte> open_context(std::uint32_t epoch) {
  abi::MessageHeader header{.type = abi::MessageType::kOpenContext, .epoch = epoch, .sequence = 1};
  header.crc = abi::message_crc(header, {});
  const auto bytes = abi::encode(header);
  return {bytes.begin(), bytes.end()};
}

void expect_taken_at_once(Pacing pacing, TimeMode time) {
  const std::unique_ptr<Device> device = make_device(time);
  usb::HostController controller(*device);
  VirtualClock wall;
  Pacer pacer(controller, pacing, wall);
  while (pacer.run() == Duration::zero()) {
  }
  const TimePoint before = device->clock().now();
  wall.advance_to(wall.now() + 5s);

  std::vector<std::byte> message = open_context(1), answer(64 * 1024);
  usb::SpanMemory out_memory(message), in_memory(answer);
  usb::Urb out, in;
  out.endpoint = 0x01;
  out.length = message.size();
  out.memory = &out_memory;
  in.endpoint = 0x81;
  in.length = answer.size();
  in.memory = &in_memory;
  controller.submit(in);
  controller.submit(out);
  pacer.move();
  EXPECT_EQ(out.status, usb::UrbStatus::kOk) << "taken before the device has done anything";
  EXPECT_GE(device->clock().now() - before, 5s) << "idle time passed first";
  EXPECT_LT(device->clock().now() - before, 6s);
  EXPECT_EQ(in.status, usb::UrbStatus::kPending);
  for (int i = 0; i < 1000 && in.status == usb::UrbStatus::kPending; ++i) {
    const Duration sleep = pacer.run();
    wall.advance_to(wall.now() + std::clamp<Duration>(sleep, 1us, 1ms));
  }
  ASSERT_EQ(in.status, usb::UrbStatus::kOk);
  abi::MessageHeader header;
  ASSERT_EQ(abi::decode(answer, header), abi::Decoded::kOk);
  EXPECT_EQ(header.type, abi::MessageType::kReply);
}

TEST(Pacer, TakesWhatIsSubmittedAtOnceWhenTimeIsFree) { expect_taken_at_once(Pacing::kFree, TimeMode::kVirtual); }
TEST(Pacer, TakesWhatIsSubmittedAtOnceWhenTimeIsReal) { expect_taken_at_once(Pacing::kReal, TimeMode::kReal); }

}  // namespace
}  // namespace naru::mockdev
