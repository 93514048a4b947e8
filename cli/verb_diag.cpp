// naru diag: runs the tests of a level and says what is wrong and what to do.
#include <fmt/format.h>

#include <array>

#include "text.h"

namespace naru::cli {
namespace {

struct DiagOptions : Common {
  std::string device;
  int level = 1;
  bool strict = false;
};

Json to_json(const Finding& finding) {
  return {{"test", finding.test}, {"id", finding.id}, {"verdict", to_string(finding.verdict)}, {"evidence", finding.evidence}, {"action", finding.action}, {"replace_device", finding.replace_device},
          {"seconds", static_cast<double>(finding.took.count()) / 1e9}};
}

bool wants_replacement(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.replace_device; });
}

// FAIL before a lost device before ERROR before WARN: what was found wrong outweighs what could not be looked at.
int verdict_exit_code(const std::vector<Finding>& findings, bool strict) {
  const auto any = [&](Verdict verdict) {
    return std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.verdict == verdict; });
  };
  if (strict && wants_replacement(findings)) return 8;
  if (any(Verdict::kFail)) return exit_code(ErrorKind::kCheckFailed);
  if (std::any_of(findings.begin(), findings.end(), [](const Finding& finding) { return finding.device_lost; })) return exit_code(ErrorKind::kDeviceLost);
  if (any(Verdict::kError)) return exit_code(ErrorKind::kInternal);
  if (strict && any(Verdict::kWarn)) return 6;
  return 0;
}

int run_diagnostics(const DiagOptions& options) {
  Result<Device> device = choose_device(options.device, false);
  if (!device) return report(device.error(), options, "diag");
  const DeviceInfo& info = device->info();
  if (!options.json) fmt::print("  device {}{}, {}, firmware {}\n", info.selector, info.simulated ? " (simulated)" : "", info.profile, info.firmware);
  DiagnosticsOptions diagnostics{.level = options.level, .on_finding = {}};
  if (!options.json)
    diagnostics.on_finding = [](const Finding& finding) {
      fmt::print("  {:<6}{:<28} {}{}\n", to_string(finding.verdict), finding.test, finding.evidence, finding.action.empty() ? "" : fmt::format("   -> {} [{}]", finding.action, finding.id));
    };
  const Result<std::vector<Finding>> findings = diagnose(*device, diagnostics);
  if (!findings) return report(findings.error(), options, "diag", device->info().simulated);
  std::array<std::size_t, 5> counts{};
  std::chrono::nanoseconds total{0};
  for (const Finding& finding : *findings) {
    ++counts[static_cast<std::size_t>(finding.verdict)];
    total += finding.took;
  }
  const int code = verdict_exit_code(*findings, options.strict);
  if (options.json) {
    Json json = document("diag", info.simulated);
    json["device"] = info.selector;
    json["level"] = options.level;
    json["findings"] = Json::array();
    for (const Finding& finding : *findings) json["findings"].push_back(to_json(finding));
    json["passed"] = counts[0];
    json["failed"] = counts[1];
    json["warnings"] = counts[2];
    json["skipped"] = counts[3];
    json["could_not_run"] = counts[4];
    json["replace_device"] = wants_replacement(*findings);
    json["exit_code"] = code;
    print(json);
  } else {
    if (wants_replacement(*findings)) fmt::print("  verdict: replace the device: what failed is its own, no cable and no reset mends it\n");
    fmt::print("  {} passed, {} warnings, {} failed, {} skipped, {} could not run   {:.1f} s\n", counts[0], counts[2], counts[1], counts[3], counts[4], static_cast<double>(total.count()) / 1e9);
  }
  return code;
}

}  // namespace

void add_diag(App& app) {
  const auto options = std::make_shared<DiagOptions>();
  CLI::App* verb = app.add_verb("diag", "Test a device: link, registers, memory, every operator", "naru diag --device mock:edge --level 2", *options, [options] { return run_diagnostics(*options); });
  add_device_option(verb, options->device);
  verb->add_option("--level", options->level, "1: identity, speed, registers, sensors, counters; 2: also loopback, memory, DMA and every operator (default: 1)")->check(CLI::Range(1, 2));
  verb->add_flag("--strict", options->strict, "Warnings end with exit code 6, a device to be replaced with 8 (without: 0 and 1)");
}

}  // namespace naru::cli
