// What every host that pretends to be Linux' usbfs shares: urbs and their statuses in its terms.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <linux/usbdevice_fs.h>

#include "naru/usb/host_controller.h"

namespace naru::mockdev::usbfs {

/// What a real usbfs on a modern controller reports: a transfer of any size is one urb.
inline constexpr std::uint32_t kCapabilities = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_NO_PACKET_SIZE_LIM | USBDEVFS_CAP_BULK_SCATTER_GATHER | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;
/// An old controller: libusb then splits transfers into 16 KiB urbs that continue each other.
inline constexpr std::uint32_t kCapabilitiesNoScatterGather = USBDEVFS_CAP_ZERO_PACKET | USBDEVFS_CAP_BULK_CONTINUATION | USBDEVFS_CAP_REAP_AFTER_DISCONNECT;

inline constexpr std::size_t kSetupBytes = 8;

/// Fills endpoint, setup, length and flags of `urb` from the client's record; `setup_bytes` are the first eight of a control urb's buffer.
/// Returns how many bytes of the buffer come before the data (the setup packet's), or -1 when the record is not one that usbfs would take.
[[nodiscard]] int translate(const usbdevfs_urb& record, const std::uint8_t (&setup_bytes)[kSetupBytes], usb::Urb& urb) noexcept;
/// The memory of all urbs that are not reaped yet, which usbfs limits (usbfs_memory_mb, 16 by default; trap T21).
class UrbMemory {
 public:
  static constexpr std::uint64_t kDefaultBytes = std::uint64_t{16} << 20;

  /// 0: no limit.
  explicit UrbMemory(std::uint64_t bytes_max) noexcept : bytes_max_(bytes_max) {}
  /// For an urb that translate() took: what it is charged, its records included, until give_back(). Nothing: ENOMEM.
  [[nodiscard]] std::optional<std::uint64_t> take(const usbdevfs_urb& record) noexcept;
  void give_back(std::uint64_t charged) noexcept { bytes_ -= charged; }

 private:
  std::uint64_t bytes_max_, bytes_ = 0;
};

/// usbdevfs_urb::status: 0 or a negative errno.
[[nodiscard]] int status_of(usb::UrbStatus status) noexcept;
/// What reading the node gives: device descriptor, then the configuration.
[[nodiscard]] std::vector<std::uint8_t> node_bytes(const usb::DeviceDescription& description);
/// USBDEVFS_GET_SPEED's answer: enum usb_device_speed.
[[nodiscard]] int speed_of(const usb::DeviceDescription& description) noexcept;

}  // namespace naru::mockdev::usbfs
