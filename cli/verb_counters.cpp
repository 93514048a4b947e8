// naru counters: what the device counted since power-on, and what this process's driver counted.
#include <fmt/format.h>

#include "text.h"

namespace naru::cli {
namespace {

struct CountersOptions : Common {
  std::string device;
  bool all = false;
};

int show(const CountersOptions& options) {
  Result<Device> device = choose_device(options.device, false, {.control_only = true});
  if (!device) return report(device.error(), options, "counters");
  const Result<std::vector<CounterReading>> counters = device->counters();
  if (!counters) return report(counters.error(), options, "counters", device->info().simulated);
  if (options.json) {
    Json json = document("counters", device->info().simulated);
    json["device"] = device->info().selector;
    json["counters"] = Json::object();
    for (const CounterReading& counter : *counters) json["counters"][counter.name] = counter.value;
    print(json);
    return 0;
  }
  fmt::print("  device {}{}\n", device->info().selector, device->info().simulated ? " (simulated)" : "");
  for (const CounterReading& counter : *counters)
    if (options.all || counter.value != 0) fmt::print("  {:<34} {:>20}\n", counter.name, with_commas(counter.value));
  return 0;
}

}  // namespace

void add_counters(App& app) {
  const auto options = std::make_shared<CountersOptions>();
  CLI::App* verb = app.add_verb("counters", "What a device has counted since power-on", "naru counters --device mock", *options, [options] { return show(*options); });
  add_device_option(verb, options->device);
  verb->add_flag("--all", options->all, "Also those that are zero");
}

}  // namespace naru::cli
