// What every host that pretends to be Linux' usbfs shares: urbs and their statuses in its terms.
#pragma once

#include <cstddef>
#include <cstdint>
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
/// usbdevfs_urb::status: 0 or a negative errno.
[[nodiscard]] int status_of(usb::UrbStatus status) noexcept;
/// What reading the node gives: device descriptor, then the configuration.
[[nodiscard]] std::vector<std::uint8_t> node_bytes(const usb::DeviceDescription& description);
/// USBDEVFS_GET_SPEED's answer: enum usb_device_speed.
[[nodiscard]] int speed_of(const usb::DeviceDescription& description) noexcept;

}  // namespace naru::mockdev::usbfs
