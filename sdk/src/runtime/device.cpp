// Opening devices by selector, and what users may ask of an open one.
#include "naru/device.h"

#include <fmt/format.h>

#include <cstdlib>

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
    Result<std::unique_ptr<driver::Transport>> transport = driver::open_transport(chosen);
    if (!transport) return fail(std::move(transport).error().while_doing(chosen.empty() ? "looking for a device" : fmt::format("opening {}", chosen)));
    Result<std::unique_ptr<driver::Device>> device = driver::Device::open(std::move(*transport), {.payload_checksums = options.payload_checksums});
    if (!device) return fail(std::move(device).error().while_doing(chosen.empty() ? "opening the device" : fmt::format("opening {}", chosen)));
    auto handle = std::make_shared<detail::DeviceHandle>();
    handle->device = std::move(*device);
    handle->info = describe(*handle->device);
    return Device(std::move(handle));
  });
}

Result<std::vector<DeviceEntry>> list_devices() {
  return sdk::runtime::guarded([&]() -> Result<std::vector<DeviceEntry>> {
    NARU_TRY(const std::vector<driver::DeviceFound> found, driver::discover());
    std::vector<DeviceEntry> entries;
    for (const driver::DeviceFound& device : found)
      entries.push_back({.selector = device.selector,
                         .state = std::string(to_string(device.access)),
                         .serial = device.serial,
                         .bus_port = device.bus_port,
                         .link = device.simulated ? std::string() : link_name(device.speed),
                         .remedy = device.remedy,
                         .simulated = device.simulated});
    return entries;
  });
}

const DeviceInfo& Device::info() const noexcept { return handle_->info; }

Result<SensorReadings> Device::sensors() {
  NARU_TRY(const abi::Sensors from, handle_->device->sensors());
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
             {"host.copied_bytes", host.copied_bytes}, {"host.jobs_submitted", host.jobs_submitted}, {"host.jobs_done", host.jobs_done}, {"host.jobs_failed", host.jobs_failed},
             {"host.recoveries", host.recoveries}, {"host.stale_messages", host.stale_messages}, {"host.protocol_errors", host.protocol_errors},
             {"host.checksum_errors", host.checksum_errors}, {"host.memory_backoffs", host.memory_backoffs}})
      readings.push_back({name, value});
    return readings;
  });
}

Result<std::string> Device::log() { return handle_->device->log(); }

Result<void> Device::reset(ResetLevel level) {
  return sdk::runtime::guarded([&]() -> Result<void> {
    if (level == ResetLevel::kPort) return handle_->device->reset_port();
    return handle_->device->reset(level == ResetLevel::kEngine ? abi::ResetLevel::kEngine : abi::ResetLevel::kSoft);
  });
}

}  // namespace naru
