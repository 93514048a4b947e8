// The bytes of standard, BOS and Microsoft OS 2.0 descriptors, made from a DeviceDescription. Field by field as USB 2.0 chapter 9,
// USB 3.2 chapter 9 and Microsoft's "OS 2.0 Descriptors Specification" table them.
#include "naru/usb/descriptors.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace naru::usb {
namespace {

enum DescriptorType : std::uint8_t {
  kDevice = 1,
  kConfiguration = 2,
  kString = 3,
  kInterface = 4,
  kEndpoint = 5,
  kBos = 15,
  kDeviceCapability = 16,
  kEndpointCompanion = 48,
};

class Bytes {
 public:
  Bytes& u8(unsigned value) {
    bytes_.push_back(static_cast<std::uint8_t>(value));
    return *this;
  }
  Bytes& u16(unsigned value) { return u8(value).u8(value >> 8); }
  Bytes& u32(std::uint32_t value) { return u16(value & 0xFFFF).u16(value >> 16); }
  Bytes& raw(const auto& values) {
    for (auto value : values) u8(static_cast<unsigned char>(value));
    return *this;
  }
  /// UTF-16LE of ASCII text.
  Bytes& wide(std::string_view text) {
    for (char c : text) u16(static_cast<unsigned char>(c));
    return *this;
  }
  void patch_u16(std::size_t at, std::size_t value) {
    bytes_[at] = static_cast<std::uint8_t>(value);
    bytes_[at + 1] = static_cast<std::uint8_t>(value >> 8);
  }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

// Windows 8.1, the first version that reads Microsoft OS 2.0 descriptors.
constexpr std::uint32_t kWindowsVersion = 0x06030000;
constexpr std::string_view kWideGuidName = "DeviceInterfaceGUIDs";
constexpr std::string_view kInterfaceGuid = "{7B1C2B1E-5D0A-4C67-9E0B-4E4152554E50}";

/// UTF-8 to UTF-16 code units; ill-formed input becomes U+FFFD, unit by unit.
std::vector<std::uint16_t> utf16(std::string_view text) {
  std::vector<std::uint16_t> units;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
    std::uint32_t code = length == 1 ? lead : length == 0 ? 0xFFFD : lead & (0xFFu >> (length + 1));
    std::size_t used = 1;
    for (; used < length; ++used) {
      if (i + used >= text.size() || (static_cast<unsigned char>(text[i + used]) & 0xC0) != 0x80) {
        code = 0xFFFD;
        break;
      }
      code = (code << 6) | (static_cast<unsigned char>(text[i + used]) & 0x3F);
    }
    i += used;
    if (code >= 0x10000 && code < 0x110000) {
      units.push_back(static_cast<std::uint16_t>(0xD800 + ((code - 0x10000) >> 10)));
      units.push_back(static_cast<std::uint16_t>(0xDC00 + ((code - 0x10000) & 0x3FF)));
    } else {
      units.push_back(static_cast<std::uint16_t>(code < 0x10000 ? code : 0xFFFD));
    }
  }
  return units;
}

}  // namespace

std::vector<std::uint8_t> device_descriptor(const DeviceDescription& description) {
  const bool super = description.speed == Speed::kSuper;
  Bytes bytes;
  // 2.10 is the first version whose hosts ask for a BOS. Endpoint 0 of USB 3 gives its packet size as a power of two: 2^9.
  bytes.u8(18).u8(kDevice).u16(super ? 0x0320 : 0x0210).u8(0).u8(0).u8(0).u8(super ? 9 : 64);
  bytes.u16(description.vendor_id).u16(description.product_id).u16(description.release);
  bytes.u8(description.manufacturer.empty() ? 0 : 1).u8(description.product.empty() ? 0 : 2).u8(description.serial.empty() ? 0 : 3).u8(1);
  return bytes.take();
}

std::vector<std::uint8_t> configuration_descriptor(const DeviceDescription& description) {
  const bool super = description.speed == Speed::kSuper;
  const unsigned power_unit_milliamperes = super ? 8 : 2;
  Bytes bytes;
  bytes.u8(9).u8(kConfiguration).u16(0).u8(1).u8(1).u8(0).u8(0x80).u8(std::min(255u, description.power_milliamperes / power_unit_milliamperes));
  bytes.u8(9).u8(kInterface).u8(0).u8(0).u8(static_cast<unsigned>(description.endpoints.size())).u8(0xFF).u8(0).u8(0).u8(0);
  for (const EndpointDescription& endpoint : description.endpoints) {
    bytes.u8(7).u8(kEndpoint).u8(endpoint.address).u8(static_cast<unsigned>(endpoint.type)).u16(endpoint.packet_bytes).u8(endpoint.interval);
    if (super) bytes.u8(6).u8(kEndpointCompanion).u8(endpoint.burst).u8(0).u16(endpoint.type == EndpointType::kInterrupt ? endpoint.packet_bytes : 0u);
  }
  bytes.patch_u16(2, bytes.size());
  return bytes.take();
}

std::vector<std::uint8_t> bos_descriptor(const DeviceDescription& description) {
  const bool super = description.speed == Speed::kSuper;
  Bytes bytes;
  bytes.u8(5).u8(kBos).u16(0).u8(super ? 3 : 2);
  bytes.u8(7).u8(kDeviceCapability).u8(2).u32(super ? 0x2 : 0x0);  // USB 2 extension: link power management, which USB 3 devices must have
  if (super) bytes.u8(10).u8(kDeviceCapability).u8(3).u8(0).u16(0x000C).u8(2).u8(10).u16(0x07FF);  // SuperSpeed: also high speed, where all works
  constexpr std::array<std::uint8_t, 16> kMicrosoftOsUuid = {0xDF, 0x60, 0xDD, 0xD8, 0x89, 0x45, 0xC7, 0x4C, 0x9C, 0xD2, 0x65, 0x9D, 0x9E, 0x64, 0x8A, 0x9F};
  bytes.u8(28).u8(kDeviceCapability).u8(5).u8(0).raw(kMicrosoftOsUuid).u32(kWindowsVersion);
  bytes.u16(static_cast<unsigned>(microsoft_os_descriptor_set().size())).u8(kMicrosoftOsVendorCode).u8(0);
  bytes.patch_u16(2, bytes.size());
  return bytes.take();
}

std::vector<std::uint8_t> microsoft_os_descriptor_set() {
  constexpr unsigned kSetHeader = 0, kCompatibleId = 3, kRegistryProperty = 4, kMultiString = 7;
  Bytes bytes;
  bytes.u16(10).u16(kSetHeader).u32(kWindowsVersion).u16(0);
  bytes.u16(20).u16(kCompatibleId).raw(std::string_view("WINUSB\0\0", 8)).u32(0).u32(0);
  const auto name_bytes = static_cast<unsigned>(2 * (kWideGuidName.size() + 1));
  const auto guid_bytes = static_cast<unsigned>(2 * (kInterfaceGuid.size() + 2));  // one string's end and the list's
  bytes.u16(10 + name_bytes + guid_bytes).u16(kRegistryProperty).u16(kMultiString);
  bytes.u16(name_bytes).wide(kWideGuidName).u16(0).u16(guid_bytes).wide(kInterfaceGuid).u16(0).u16(0);
  bytes.patch_u16(8, bytes.size());
  return bytes.take();
}

std::vector<std::uint8_t> string_descriptor(const DeviceDescription& description, std::uint8_t index) {
  Bytes bytes;
  if (index == 0) return bytes.u8(4).u8(kString).u16(0x0409).take();
  const std::array<const std::string*, 3> texts = {&description.manufacturer, &description.product, &description.serial};
  if (index > texts.size() || texts[index - 1]->empty()) return {};
  const std::vector<std::uint16_t> units = utf16(*texts[index - 1]);
  const std::size_t count = std::min<std::size_t>(units.size(), 126);  // the length is one byte
  bytes.u8(static_cast<unsigned>(2 + 2 * count)).u8(kString);
  for (std::size_t i = 0; i < count; ++i) bytes.u16(units[i]);
  return bytes.take();
}

}  // namespace naru::usb
