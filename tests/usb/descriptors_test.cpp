// Goal: descriptors are what the specifications say, byte by byte where a host reads them. Method: walk and compare.
#include <gtest/gtest.h>

#include <algorithm>

#include "naru/usb/descriptors.h"

namespace naru::usb {
namespace {

DeviceDescription example(Speed speed) {
  const std::uint16_t packet = speed == Speed::kSuper ? 1024 : 512;
  return {.speed = speed, .vendor_id = 0x1209, .product_id = 2, .release = 0x0123, .manufacturer = "Naru", .product = "NPU", .serial = "NR0001", .power_milliamperes = 400,
          .endpoints = {{.address = 1, .packet_bytes = packet, .burst = 15}, {.address = 0x81, .packet_bytes = packet, .burst = 15},
                        {.address = 0x82, .type = EndpointType::kInterrupt, .packet_bytes = 16, .interval = 4}}};
}

using Bytes = std::vector<std::uint8_t>;
unsigned half(const Bytes& bytes, std::size_t at) { return bytes[at] | (bytes[at + 1] << 8); }

TEST(DeviceDescriptor, HasTheIdsAndTheVersionOfItsSpeed) {
  const Bytes high = device_descriptor(example(Speed::kHigh));
  EXPECT_EQ(high, (Bytes{18, 1, 0x10, 0x02, 0, 0, 0, 64, 0x09, 0x12, 0x02, 0x00, 0x23, 0x01, 1, 2, 3, 1}));
  const Bytes super = device_descriptor(example(Speed::kSuper));
  EXPECT_EQ(half(super, 2), 0x0320u);
  EXPECT_EQ(super[7], 9);  // 2^9 bytes
}

TEST(DeviceDescriptor, NamesNoStringThatIsNotThere) {
  DeviceDescription description = example(Speed::kHigh);
  description.serial.clear();
  EXPECT_EQ(device_descriptor(description)[16], 0);
  EXPECT_TRUE(string_descriptor(description, 3).empty());
}

TEST(ConfigurationDescriptor, WalksToItsEndWithEveryEndpoint) {
  for (const Speed speed : {Speed::kHigh, Speed::kSuper}) {
    const Bytes bytes = configuration_descriptor(example(speed));
    ASSERT_EQ(half(bytes, 2), bytes.size());
    EXPECT_EQ(bytes[8], speed == Speed::kSuper ? 400 / 8 : 400 / 2);
    std::vector<unsigned> addresses, companions;
    std::size_t at = 0;
    for (; at < bytes.size(); at += bytes[at]) {
      ASSERT_NE(bytes[at], 0);
      if (bytes[at + 1] == 5) addresses.push_back(bytes[at + 2]);
      if (bytes[at + 1] == 48) companions.push_back(bytes[at + 2]);
    }
    EXPECT_EQ(at, bytes.size());
    EXPECT_EQ(addresses, (std::vector<unsigned>{0x01, 0x81, 0x82}));
    EXPECT_EQ(companions, speed == Speed::kSuper ? (std::vector<unsigned>{15, 15, 0}) : std::vector<unsigned>{});
  }
}

TEST(BosDescriptor, NamesTheMicrosoftSetWithItsRealLength) {
  for (const Speed speed : {Speed::kHigh, Speed::kSuper}) {
    const Bytes bytes = bos_descriptor(example(speed));
    ASSERT_EQ(half(bytes, 2), bytes.size());
    unsigned capabilities = 0;
    std::size_t at = bytes[0];
    std::vector<unsigned> kinds;
    for (; at < bytes.size(); at += bytes[at], ++capabilities) {
      EXPECT_EQ(bytes[at + 1], 16);
      kinds.push_back(bytes[at + 2]);
      if (bytes[at + 2] == 5) {
        EXPECT_EQ(half(bytes, at + 24), microsoft_os_descriptor_set().size());
        EXPECT_EQ(bytes[at + 26], kMicrosoftOsVendorCode);
      }
    }
    EXPECT_EQ(at, bytes.size());
    EXPECT_EQ(capabilities, bytes[4]);
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), 3u), speed == Speed::kSuper ? 1 : 0);
  }
}

TEST(MicrosoftOsDescriptorSet, BindsWinUsbAndWalksToItsEnd) {
  const Bytes bytes = microsoft_os_descriptor_set();
  ASSERT_EQ(half(bytes, 8), bytes.size());
  std::size_t at = 0;
  std::vector<unsigned> types;
  for (; at + 4 <= bytes.size(); at += half(bytes, at)) {
    types.push_back(half(bytes, at + 2));
    if (types.back() != 3) continue;
    EXPECT_EQ(std::string(bytes.begin() + static_cast<long>(at) + 4, bytes.begin() + static_cast<long>(at) + 10), "WINUSB");
  }
  EXPECT_EQ(at, bytes.size());
  EXPECT_EQ(types, (std::vector<unsigned>{0, 3, 4}));
}

TEST(StringDescriptor, IsUtf16AndAtMostOneByteLong) {
  DeviceDescription description = example(Speed::kHigh);
  EXPECT_EQ(string_descriptor(description, 0), (Bytes{4, 3, 0x09, 0x04}));
  EXPECT_EQ(string_descriptor(description, 2), (Bytes{8, 3, 'N', 0, 'P', 0, 'U', 0}));
  EXPECT_TRUE(string_descriptor(description, 4).empty());
  description.product = "\xC3\xA9\xF0\x9F\x98\x80\xFF";  // e with acute, a smile, and a byte that is no UTF-8
  EXPECT_EQ(string_descriptor(description, 2), (Bytes{10, 3, 0xE9, 0x00, 0x3D, 0xD8, 0x00, 0xDE, 0xFD, 0xFF}));
  description.product = std::string(500, 'x');
  EXPECT_EQ(string_descriptor(description, 2).size(), 254u);
}

}  // namespace
}  // namespace naru::usb
