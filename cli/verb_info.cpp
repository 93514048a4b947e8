// naru info: identity, link, firmware and sensors of one device.
#include <fmt/format.h>

#include "text.h"

namespace naru::cli {
namespace {

struct InfoOptions : Common {
  std::string device;
};

std::string_view time_of(const DeviceInfo& info) { return info.virtual_time ? "virtual" : info.real_time ? "real" : "free"; }

int show(const InfoOptions& options) {
  Result<Device> device = choose_device(options.device, false, {.control_only = true});
  if (!device) return report(device.error(), options, "info");
  const Result<SensorReadings> sensors = device->sensors();
  if (!sensors) return report(sensors.error(), options, "info", device->info().simulated);
  const DeviceInfo& info = device->info();
  if (options.json) {
    Json json = document("info", info.simulated);
    json["device"] = {{"selector", info.selector}, {"serial", info.serial}, {"profile", info.profile}, {"firmware", info.firmware}, {"link", info.link},
                      {"bus_port", info.bus_port}, {"protocol", info.protocol}, {"isa_generation", info.isa_generation}, {"clock_hz", info.clock_hz},
                      {"sram_bytes", info.sram_bytes}, {"dram_bytes", info.dram_bytes}, {"macs_per_cycle", info.macs_per_cycle}, {"virtual_time", info.virtual_time}, {"time", time_of(info)}};
    json["sensors"] = {{"temperature_celsius", sensors->temperature_celsius}, {"power_watts", sensors->power_watts}, {"clock_mhz", sensors->clock_mhz},
                       {"throttle_percent", sensors->throttle_percent}, {"ecc_corrected", sensors->ecc_corrected}, {"ecc_uncorrected", sensors->ecc_uncorrected}};
    print(json);
    return 0;
  }
  fmt::print("  device       {}{}\n", info.selector, info.simulated ? " (simulated)" : "");
  fmt::print("  serial       {}\n", info.serial);
  fmt::print("  profile      {}, {:.0f} MHz, {} MAC per cycle, SRAM {}, DRAM {}\n", info.profile, static_cast<double>(info.clock_hz) / 1e6, with_commas(info.macs_per_cycle),
             byte_size(info.sram_bytes), byte_size(info.dram_bytes));
  fmt::print("  firmware     {}, protocol {}, ISA generation {}\n", info.firmware, info.protocol, info.isa_generation);
  fmt::print("  link         {}{}\n", info.link, info.bus_port.empty() ? "" : ", port " + info.bus_port);
  fmt::print("  time         {}\n", time_of(info) == "virtual" ? "virtual: the modelled clock jumps from event to event" : time_of(info) == "free" ? "free: modelled time is accounted, not waited for" : "real");
  fmt::print("  temperature  {:.1f} C{}\n", sensors->temperature_celsius, info.simulated ? " (modelled)" : "");
  fmt::print("  power        {:.2f} W{}\n", sensors->power_watts, info.simulated ? " (modelled)" : "");
  fmt::print("  clock        {:.0f} MHz, throttled {:.0f} %\n", sensors->clock_mhz, sensors->throttle_percent);
  fmt::print("  memory       {} ECC corrected, {} uncorrected\n", sensors->ecc_corrected, sensors->ecc_uncorrected);
  return 0;
}

}  // namespace

void add_info(App& app) {
  const auto options = std::make_shared<InfoOptions>();
  CLI::App* verb = app.add_verb("info", "Who a device is and how it feels", "naru info --device mock:edge", *options, [options] { return show(*options); });
  add_device_option(verb, options->device);
}

}  // namespace naru::cli
