// usbfs' records and numbers, as <linux/usbdevice_fs.h> and drivers/usb/core/devio.c define them.
#include "naru/mockdev/usbfs.h"

#include <cerrno>
#include <cstddef>

namespace naru::mockdev::usbfs {

int translate(const usbdevfs_urb& record, const std::uint8_t (&setup_bytes)[kSetupBytes], usb::Urb& urb) noexcept {
  if (record.buffer_length < 0) return -1;
  const auto length = static_cast<std::size_t>(record.buffer_length);
  urb.zero_packet = (record.flags & USBDEVFS_URB_ZERO_PACKET) != 0;
  urb.short_not_ok = (record.flags & USBDEVFS_URB_SHORT_NOT_OK) != 0;
  urb.continuation = (record.flags & USBDEVFS_URB_BULK_CONTINUATION) != 0;
  switch (record.type) {
    case USBDEVFS_URB_TYPE_CONTROL: {
      if (length < kSetupBytes) return -1;
      const auto half = [&](std::size_t at) { return static_cast<std::uint16_t>(setup_bytes[at] | (setup_bytes[at + 1] << 8)); };
      urb.endpoint = 0;
      urb.setup = {.request_type = setup_bytes[0], .request = setup_bytes[1], .value = half(2), .index = half(4), .length = half(6)};
      if (length < kSetupBytes + urb.setup.length) return -1;
      urb.length = urb.setup.length;
      return kSetupBytes;
    }
    case USBDEVFS_URB_TYPE_BULK:
    case USBDEVFS_URB_TYPE_INTERRUPT:
      if ((record.endpoint & 0x0F) == 0) return -1;
      urb.endpoint = record.endpoint;
      urb.length = length;
      return 0;
    default: return -1;  // isochronous: the function has none
  }
}

std::optional<std::uint64_t> UrbMemory::take(const usbdevfs_urb& record) noexcept {
  // About what Linux 6.1 takes for its own records, and for the list of a long buffer's parts.
  constexpr std::uint64_t kRecords = 512, kPartBytes = 16 * 1024, kPartRecord = 32;
  const auto bytes = static_cast<std::uint64_t>(record.buffer_length);
  const std::uint64_t charged = kRecords + bytes + bytes / kPartBytes * kPartRecord;
  if (bytes_max_ != 0 && bytes_ + charged > bytes_max_) return std::nullopt;
  bytes_ += charged;
  return charged;
}

int status_of(usb::UrbStatus status) noexcept {
  switch (status) {
    case usb::UrbStatus::kOk: return 0;
    case usb::UrbStatus::kPending: return -EINPROGRESS;
    case usb::UrbStatus::kStalled: return -EPIPE;
    case usb::UrbStatus::kCancelled: return -ENOENT;
    case usb::UrbStatus::kOverflow: return -EOVERFLOW;
    case usb::UrbStatus::kShort: return -EREMOTEIO;
    case usb::UrbStatus::kNoDevice: return -ESHUTDOWN;
    case usb::UrbStatus::kNoEndpoint: return -ENOENT;
    case usb::UrbStatus::kFault: return -EFAULT;
  }
  return -EPROTO;
}

std::vector<std::uint8_t> node_bytes(const usb::DeviceDescription& description) {
  std::vector<std::uint8_t> bytes = usb::device_descriptor(description);
  const std::vector<std::uint8_t> configuration = usb::configuration_descriptor(description);
  bytes.insert(bytes.end(), configuration.begin(), configuration.end());
  return bytes;
}

int speed_of(const usb::DeviceDescription& description) noexcept { return description.speed == usb::Speed::kSuper ? 5 : 3; }

}  // namespace naru::mockdev::usbfs
