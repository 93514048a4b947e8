// Opening devices by selector, and what users may ask of an open one.
#include "naru/device.h"

#include <fmt/format.h>

#include <cstdlib>
#include <mutex>

#include "naru/base/log.h"
#include "naru/driver/discovery.h"
#include "runtime/handles.h"

namespace naru {
namespace {

std::string link_name(usb::Speed speed) { return speed == usb::Speed::kSuper ? "USB 3" : "USB 2"; }

DeviceInfo describe(const driver::Device& device) {
  const driver::DeviceInfo& from = device.info();
  const abi::Chip& chip = device.chip();
  return {.selector = from.transport.selector,
          .serial = from.serial,
          .profile = from.profile,
          .firmware = from.firmware,
          .link = link_name(from.transport.speed),
          .bus_port = from.transport.bus_port,
          .simulated = from.simulated,
          .virtual_time = from.transport.virtual_time,
          .real_time = !from.simulated || (device.identity().features & static_cast<std::uint32_t>(abi::Feature::kRealTime)) != 0,
          .protocol = from.protocol,
          .isa_generation = chip.isa_generation,
          .sram_bytes = chip.sram_bytes,
          .dram_bytes = chip.dram_bytes,
          .clock_hz = chip.clock_hz(),
          .macs_per_cycle = chip.oc_lanes * chip.dot_depth};
}

template <typename T>
void append_counter(std::vector<CounterReading>& readings, const std::string& name, const T& value) {
  if constexpr (abi::is_std_array<T>::value) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      const std::string_view part = value.size() == abi::kEnginesMax ? abi::name_of(static_cast<abi::Engine>(i)) : value.size() == abi::kKernelPaths.size() ? abi::kKernelPaths[i] : "";
      append_counter(readings, fmt::format("{}.{}", name, part), value[i]);
    }
  } else {
    readings.push_back({name, static_cast<std::uint64_t>(value)});
  }
}

}  // namespace

Result<Device> open_device(const std::string& selector, const OpenOptions& options) {
  return sdk::runtime::guarded([&]() -> Result<Device> {
    std::string chosen = selector;
    if (const char* environment = std::getenv("NARU_DEVICE"); chosen.empty() && environment != nullptr) chosen = environment;
    if (chosen.empty()) chosen = "usb";
    Result<std::unique_ptr<driver::Transport>> transport = driver::open_transport(chosen, {.claim_interface = !options.control_only || options.exclusive});
    if (!transport) return fail(std::move(transport).error().while_doing(fmt::format("opening {}", chosen)));
    Result<Device> device = open_device_on(std::move(*transport), options);
    if (!device) return fail(std::move(device).error().while_doing(fmt::format("opening {}", chosen)));
    return device;
  });
}

Result<Device> open_device_on(std::unique_ptr<driver::Transport> transport, const OpenOptions& options) {
  return sdk::runtime::guarded([&]() -> Result<Device> {
    auto handle = std::make_shared<detail::DeviceHandle>();
    NARU_TRY(handle->device, driver::Device::open(std::move(transport), {.payload_checksums = options.payload_checksums, .control_only = options.control_only}));
    handle->info = describe(*handle->device);
    log(LogLevel::kInfo, "sdk", "opened {}: profile {}, firmware {}, {}{}", handle->info.selector, handle->info.profile, handle->info.firmware, handle->info.link,
        handle->info.simulated ? ", simulated" : "");
    return Device(std::move(handle));
  });
}

namespace {

struct ListedDevices {
  std::mutex mutex;
  std::vector<DeviceEntry> entries;
};
ListedDevices& listed_devices() {
  static ListedDevices devices;
  return devices;
}

}  // namespace

void add_listed_device(DeviceEntry entry) {
  ListedDevices& devices = listed_devices();
  const std::scoped_lock lock(devices.mutex);
  for (const DeviceEntry& other : devices.entries)
    if (other.selector == entry.selector) return;
  devices.entries.push_back(std::move(entry));
}

Result<std::vector<DeviceEntry>> list_devices() {
  return sdk::runtime::guarded([&]() -> Result<std::vector<DeviceEntry>> {
    NARU_TRY(const std::vector<driver::DeviceFound> found, driver::discover());
    std::vector<DeviceEntry> entries;
    for (const driver::DeviceFound& device : found) {
      DeviceEntry entry{.selector = device.selector,
                        .state = device.rom_mode ? "rom" : std::string(to_string(device.access)),
                        .serial = device.serial,
                        .bus_port = device.bus_port,
                        .link = link_name(device.speed),
                        .remedy = {}};
      if (device.access == driver::DeviceAccess::kNoAccess) entry.remedy = error_row(ErrorId::kDevicePermission).remedy;
      if (device.access == driver::DeviceAccess::kBusy && !device.held_by.empty()) entry.remedy = fmt::format("held by {}", device.held_by);
      entries.push_back(std::move(entry));
    }
    ListedDevices& listed = listed_devices();
    const std::scoped_lock lock(listed.mutex);
    entries.insert(entries.end(), listed.entries.begin(), listed.entries.end());
    return entries;
  });
}

const DeviceInfo& Device::info() const noexcept { return handle_->info; }

Result<SensorReadings> Device::sensors() {
  NARU_TRY(const abi::Sensors from, sdk::runtime::guarded([&] { return handle_->device->sensors(); }));
  return SensorReadings{.temperature_celsius = from.temperature_millicelsius / 1000.0,
                        .power_watts = from.power_milliwatts / 1000.0,
                        .clock_mhz = from.clock_khz / 1000.0,
                        .throttle_percent = static_cast<double>(from.throttle_percent),
                        .ecc_corrected = from.ecc_corrected,
                        .ecc_uncorrected = from.ecc_uncorrected};
}

Result<std::vector<CounterReading>> Device::counters() {
  return sdk::runtime::guarded([&]() -> Result<std::vector<CounterReading>> {
    NARU_TRY(const abi::Counters from, handle_->device->counters());
    std::vector<CounterReading> readings;
    std::apply([&](const auto&... field) { (append_counter(readings, std::string(field.name), from.*field.member), ...); }, abi::Counters::fields());
    const driver::HostCounters& host = handle_->device->host_counters();
    for (const auto& [name, value] : std::initializer_list<std::pair<const char*, std::uint64_t>>{
             {"host.control_transfers", host.control_transfers}, {"host.out_transfers", host.out_transfers}, {"host.in_transfers", host.in_transfers}, {"host.out_bytes", host.out_bytes},
             {"host.in_bytes", host.in_bytes}, {"host.messages_out", host.messages_out}, {"host.messages_in", host.messages_in}, {"host.copies", host.copies},
             {"host.copied_bytes", host.copied_bytes}, {"host.session_copied_bytes", handle_->session_copied_bytes}, {"host.jobs_submitted", host.jobs_submitted}, {"host.jobs_done", host.jobs_done}, {"host.jobs_failed", host.jobs_failed},
             {"host.recoveries", host.recoveries}, {"host.stale_messages", host.stale_messages}, {"host.protocol_errors", host.protocol_errors},
             {"host.checksum_errors", host.checksum_errors}, {"host.memory_backoffs", host.memory_backoffs}})
      readings.push_back({name, value});
    return readings;
  });
}

Result<std::string> Device::log() {
  return sdk::runtime::guarded([&] { return handle_->device->log(); });
}

Result<void> Device::reset(ResetLevel level) {
  return sdk::runtime::guarded([&]() -> Result<void> {
    return handle_->device->reset(level == ResetLevel::kEngine ? abi::ResetLevel::kEngine : abi::ResetLevel::kSoft);
  });
}

}  // namespace naru
