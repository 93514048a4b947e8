// Transports over libusb: asynchronous transfers on a real cable, or on anything that answers as usbfs does.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "naru/base/unique_fd.h"
#include "naru/driver/discovery.h"

namespace naru::driver {

/// `device` is a serial number or BUS-PORT; empty takes the only one there is. Errors as of open_transport().
/// libusb's events run on the caller's thread, inside wait() and poll(). The transport owns a thread from its first clear-halt or reset on (those
/// block inside libusb).
/// Not usable in a forked child.
[[nodiscard]] NARU_API Result<std::unique_ptr<Transport>> open_usb_device(std::string_view device, const TransportOptions& options = {});

/// Opens a usbfs node that no enumeration finds, such as the one `naru mock serve --fuse PATH` makes.
/// kNodeDead: nothing serves it, with what to do.
[[nodiscard]] NARU_API Result<std::unique_ptr<Transport>> open_usb_node(const std::string& path, const TransportOptions& options = {});

/// Takes an open usbfs descriptor (from a broker, or Android's USB service) and closes it in the end. `selector` is what info() shows.
[[nodiscard]] NARU_API Result<std::unique_ptr<Transport>> open_usb_descriptor(UniqueFd descriptor, std::string selector, const TransportOptions& options = {});

/// What discover() gives, without the built-in schemes' knowledge.
[[nodiscard]] NARU_API Result<std::vector<DeviceFound>> list_usb_devices();

}  // namespace naru::driver
