// A device's identity on the bus, as values; the bytes of its descriptors are made from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace naru::usb {

enum class Speed : std::uint8_t { kHigh, kSuper };  // USB 2 (480 Mbit/s), USB 3 (5 Gbit/s)

enum class EndpointType : std::uint8_t { kControl = 0, kIsochronous = 1, kBulk = 2, kInterrupt = 3 };

struct EndpointDescription {
  std::uint8_t address = 0;  // 0x80 set: IN
  EndpointType type = EndpointType::kBulk;
  std::uint16_t packet_bytes = 512;
  std::uint8_t interval = 0;
  std::uint8_t burst = 0;  // USB 3 only: packets per burst minus 1
};

struct DeviceDescription {
  Speed speed = Speed::kHigh;
  std::uint16_t vendor_id = 0, product_id = 0, release = 0x0100;
  std::string manufacturer, product, serial;
  std::uint16_t power_milliamperes = 500;
  std::vector<EndpointDescription> endpoints;
};

/// Standard descriptors for a vendor-class function: device (18 bytes), configuration with interface, endpoints and (USB 3) companions.
[[nodiscard]] std::vector<std::uint8_t> device_descriptor(const DeviceDescription& description);
[[nodiscard]] std::vector<std::uint8_t> configuration_descriptor(const DeviceDescription& description);
/// BOS: USB 2 extension, SuperSpeed capability (USB 3), and the Microsoft OS 2.0 platform capability, so that Windows binds without a driver.
[[nodiscard]] std::vector<std::uint8_t> bos_descriptor(const DeviceDescription& description);
/// Microsoft OS 2.0 descriptor set, answered to the vendor request that the BOS names.
[[nodiscard]] std::vector<std::uint8_t> microsoft_os_descriptor_set();
inline constexpr std::uint8_t kMicrosoftOsVendorCode = 0x20;
/// String descriptor `index` (0: languages, 1 manufacturer, 2 product, 3 serial), empty when there is none.
[[nodiscard]] std::vector<std::uint8_t> string_descriptor(const DeviceDescription& description, std::uint8_t index);

}  // namespace naru::usb
