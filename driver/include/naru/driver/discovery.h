// Which devices there are, and how a selector becomes a transport.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "naru/driver/transport.h"

namespace naru::driver {

/// kBusy: another process has the device's node open (it may still answer diagnostics); kNoAccess: this user may not open it.
enum class DeviceAccess : std::uint8_t { kReady, kBusy, kNoAccess };
[[nodiscard]] NARU_API std::string_view to_string(DeviceAccess access) noexcept;

struct DeviceFound {
  std::string selector;  // "usb:SERIAL", or "usb:BUS-PORT" where the serial number is not known or not the only one
  std::string serial;    // empty: not readable
  std::string bus_port;  // "1-4.2"
  usb::Speed speed = usb::Speed::kHigh;
  std::uint16_t product_id = 0;
  bool rom_mode = false;  // waits for firmware
  DeviceAccess access = DeviceAccess::kReady;
  std::string held_by;  // "naru (pid 4711)"; empty: nobody, or not known
};

/// USB devices with Naru's ids, by bus and port. None, without an error, where there is no USB. Blocks for the enumeration (milliseconds).
[[nodiscard]] NARU_API Result<std::vector<DeviceFound>> discover();

struct TransportOptions {
  /// Without the interface only control transfers work: diagnostics while another process runs jobs.
  bool claim_interface = true;
};

/// Opens `usb`, `usb:SERIAL`, `usb:BUS-PORT`, `node:PATH`, `null`, or a registered scheme. Blocks until the device is open and claimed.
/// kSelector: not a selector. kDeviceNotFound, kDeviceAmbiguous (lists them), kDevicePermission, kDeviceBusy, kNodeDead, kDeviceNotNaru.
[[nodiscard]] NARU_API Result<std::unique_ptr<Transport>> open_transport(std::string_view selector, const TransportOptions& options = {});

/// Makes a transport from what follows the scheme and its colon (empty when nothing does).
using TransportFactory = std::function<Result<std::unique_ptr<Transport>>(std::string_view rest, const TransportOptions& options)>;
/// Adds or replaces a scheme of open_transport(): lower-case letters, not one of the built-in ones (kInvalidArgument). Any thread.
NARU_API Result<void> register_scheme(std::string scheme, TransportFactory factory);

}  // namespace naru::driver
