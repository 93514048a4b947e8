// naru list: every device that could be opened, and what stands in the way.
#include <fmt/format.h>

#include "app.h"

namespace naru::cli {

void add_list(App& app) {
  const auto common = std::make_shared<Common>();
  app.add_verb("list", "List the devices, and the mocks", "naru list", *common, [common] {
    const Result<std::vector<DeviceEntry>> devices = list_devices();
    if (!devices) return report(devices.error(), *common, "list");
    if (common->json) {
      Json json = document("list", false);
      json["devices"] = Json::array();
      for (const DeviceEntry& entry : *devices) {
        json["simulated"] = json["simulated"].get<bool>() || entry.simulated;
        json["devices"].push_back({{"device", entry.selector}, {"state", entry.state}, {"serial", entry.serial}, {"bus_port", entry.bus_port},
                                   {"link", entry.link}, {"simulated", entry.simulated}, {"remedy", entry.remedy}});
      }
      print(json);
      return 0;
    }
    fmt::print("  {:<26} {:<10} {:<12} {:<8} {}\n", "DEVICE", "STATE", "SERIAL", "LINK", "NOTE");
    for (const DeviceEntry& entry : *devices) {
      const std::string where = entry.bus_port.empty() ? entry.selector : fmt::format("{} ({})", entry.selector, entry.bus_port);
      const std::string note = !entry.remedy.empty() ? "-> " + entry.remedy : entry.simulated ? "simulated" : "";
      fmt::print("  {:<26} {:<10} {:<12} {:<8} {}\n", where, entry.state, entry.serial.empty() ? "-" : entry.serial, entry.link.empty() ? "-" : entry.link, note);
    }
    return 0;
  });
}

}  // namespace naru::cli
