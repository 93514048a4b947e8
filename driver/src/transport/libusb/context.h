// Owners for libusb's objects, and its error codes as ours.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <libusb-1.0/libusb.h>

#include "naru/base/result.h"
#include "naru/driver/discovery.h"

namespace naru::driver::libusb {

struct ExitContext {
  void operator()(libusb_context* context) const noexcept { libusb_exit(context); }
};
using Context = std::unique_ptr<libusb_context, ExitContext>;
/// A silent context of its own.
[[nodiscard]] Result<Context> make_context();

struct CloseHandle {
  void operator()(libusb_device_handle* handle) const noexcept { libusb_close(handle); }
};
using Handle = std::unique_ptr<libusb_device_handle, CloseHandle>;

struct ReleaseDevice {
  void operator()(libusb_device* device) const noexcept { libusb_unref_device(device); }
};
using DeviceReference = std::unique_ptr<libusb_device, ReleaseDevice>;

struct FreeConfiguration {
  void operator()(libusb_config_descriptor* configuration) const noexcept { libusb_free_config_descriptor(configuration); }
};
using Configuration = std::unique_ptr<libusb_config_descriptor, FreeConfiguration>;

struct ListedDevice {
  DeviceReference device;
  DeviceFound found;
};
/// Naru devices on the bus, sorted by bus and port. The references must go before the context.
[[nodiscard]] std::vector<ListedDevice> list(libusb_context* context);

/// "1-4.2"; empty where the device has no place on a bus.
[[nodiscard]] std::string bus_port_of(libusb_device* device);
/// Who has `node` open besides this process, as far as /proc shows: "naru (pid 4711)". Empty: nobody that can be seen.
[[nodiscard]] std::string holder_of(const std::string& node);
[[nodiscard]] std::string node_of(libusb_device* device);

/// What a failed call on `device` means to the user.
[[nodiscard]] Error to_error(int code, const std::string& doing, const std::string& device);

}  // namespace naru::driver::libusb
