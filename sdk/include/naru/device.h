// An open device: who it is, how it feels, and how to open one by its selector.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "naru/base/result.h"

namespace naru {

/// One line of `naru list`.
struct DeviceEntry {
  std::string selector;   // what open_device() takes: "usb:NR0001", "mock:edge"
  std::string state;      // "ready", "no-access", "busy", "rom", "always" (mock)
  std::string serial;
  std::string bus_port;
  std::string link;       // "USB 3", "USB 2", empty
  std::string remedy;     // what to do when it cannot be opened, else empty
  bool simulated = false;
};

struct DeviceInfo {
  std::string selector;
  std::string serial;
  std::string profile;
  std::string firmware;            // "1.0.0"
  std::string link;                // "USB 3", "USB 2"
  std::string bus_port;
  bool simulated = false;
  bool virtual_time = false;       // modelled time only: nothing is waited for
  bool real_time = false;          // nothing is ready before its time: a chip, or a mock served with --time real
  std::uint16_t protocol = 0;
  std::uint16_t isa_generation = 0;
  std::uint64_t sram_bytes = 0, dram_bytes = 0, clock_hz = 0;
  std::uint32_t macs_per_cycle = 0;
};

struct SensorReadings {
  double temperature_celsius = 0;
  double power_watts = 0;
  double clock_mhz = 0;
  double throttle_percent = 0;
  std::uint64_t ecc_corrected = 0, ecc_uncorrected = 0;
};

/// A counter of the device or of the host's driver, by its documented name (docs/spec/wire.md).
struct CounterReading {
  std::string name;
  std::uint64_t value = 0;
};

enum class ResetLevel : std::uint8_t { kEngine, kSoft };

namespace detail {
struct DeviceHandle;
}

/// A shared handle on one open device. Copies refer to the same one; the last copy or session closes it.
/// Thread: one at a time, together with all its sessions. Blocking calls are bounded by their timeouts.
class NARU_API Device {
 public:
  [[nodiscard]] const DeviceInfo& info() const noexcept;
  [[nodiscard]] Result<SensorReadings> sensors();
  /// Device counters, then the driver's own ("host.*").
  [[nodiscard]] Result<std::vector<CounterReading>> counters();
  /// The device's log, oldest first.
  [[nodiscard]] Result<std::string> log();
  /// kEngine ends the job that runs; kSoft ends all jobs and contexts, whosoever they are: sessions must be created again.
  [[nodiscard]] Result<void> reset(ResetLevel level);

  /// Lets the inferences of all sessions on this device go on and calls the callbacks (then(), future()) of those that ended. Never waits. On a virtual clock this lets
  /// time pass up to the next event, and does the simulated device's work up to there. Not from inside a callback.
  void poll();
  /// For poll(), epoll and the like: readable (level-triggered) when poll() has something to do, be it an event on the cable, a deadline, or a callback to
  /// call; at least every 100 ms while an inference is unfinished, and never for long when none is. On a virtual clock: as long as one is unfinished.
  /// Do nothing with it but wait; it is the device's, and is closed with the last of its copies and sessions. Every call gives the same one. kHostOutOfMemory: no descriptors.
  [[nodiscard]] Result<int> event_descriptor();

  /// For Naru's own layers.
  explicit Device(std::shared_ptr<detail::DeviceHandle> handle) noexcept : handle_(std::move(handle)) {}
  [[nodiscard]] const std::shared_ptr<detail::DeviceHandle>& handle() const noexcept { return handle_; }

 private:
  std::shared_ptr<detail::DeviceHandle> handle_;
};

struct OpenOptions {
  bool payload_checksums = true;  // CRC-32C of payloads on the wire, besides that of headers
  /// Identity, sensors, counters, log and reset only: works while another process runs jobs. Sessions and diagnostics of level 2 refuse it.
  bool control_only = false;
  /// With control_only: takes the interface all the same, so that what another process runs is not disturbed; kDeviceBusy while one has it.
  bool exclusive = false;
};

/// `selector`: mock[:PROFILE] (after naru::mock::enable()), usb[:SERIAL|BUS-PORT], node:PATH. Empty: $NARU_DEVICE, else the one device
/// that is plugged in. Errors: kDeviceNotFound, kDeviceAmbiguous (lists them), kDevicePermission, kDeviceBusy, kNodeDead, kProtocolVersion, kSelector.
[[nodiscard]] NARU_API Result<Device> open_device(const std::string& selector = {}, const OpenOptions& options = {});

namespace driver {
class Transport;
}
/// The same over a transport that the caller made (see naru/driver/transport.h): a cable of one's own, or a decorated one.
[[nodiscard]] NARU_API Result<Device> open_device_on(std::unique_ptr<driver::Transport> transport, const OpenOptions& options = {});

/// Everything that could be opened, with what stands in the way. Mock profiles are listed when naru::mock::enable() was called.
[[nodiscard]] NARU_API Result<std::vector<DeviceEntry>> list_devices();

/// For layers that bring devices of their own (naru::mock): `entry` is listed after what is plugged in. Once per selector. Thread: any.
NARU_API void add_listed_device(DeviceEntry entry);

}  // namespace naru
