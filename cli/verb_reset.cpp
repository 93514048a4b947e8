// naru reset: puts a device back to a known state.
#include <fmt/format.h>

#include "app.h"

namespace naru::cli {
namespace {

struct ResetOptions : Common {
  std::string device;
  std::string level = "soft";
  bool force = false;
};

int reset(const ResetOptions& options) {
  Result<Device> device = choose_device(options.device, false, {.control_only = true, .exclusive = !options.force});
  if (!device && device.error().kind() == ErrorKind::kBusy)
    return report(Error(device.error()).with_remedy("End its user, or reset under it with --force: what it runs is lost."), options, "reset");
  if (!device) return report(device.error(), options, "reset");
  const Result<void> done = device->reset(options.level == "engine" ? ResetLevel::kEngine : ResetLevel::kSoft);
  if (!done) return report(done.error(), options, "reset", device->info().simulated);
  if (options.json) {
    Json json = document("reset", device->info().simulated);
    json["device"] = device->info().selector;
    json["done"] = true;
    print(json);
  } else {
    fmt::print("  {} was reset{}\n", device->info().selector, device->info().simulated ? " (simulated)" : "");
  }
  return 0;
}

}  // namespace

void add_reset(App& app) {
  const auto options = std::make_shared<ResetOptions>();
  CLI::App* verb = app.add_verb("reset", "Put a device back to a known state", "naru reset --device mock --level soft", *options, [options] { return reset(*options); });
  add_device_option(verb, options->device);
  verb->add_option("--level", options->level, "engine: the running job only; soft: all jobs and contexts (default: soft)")->check(CLI::IsMember({"engine", "soft"}));
  verb->add_flag("--force", options->force, "Also while another process uses the device: its jobs end with an error");
}

}  // namespace naru::cli
