// Diagnostics: small tests of link, registers, memory and operators, each with a stable name, evidence and an action.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "naru/device.h"

namespace naru {

/// kError: the test could not run. It never counts as a pass.
enum class Verdict : std::uint8_t { kPass, kFail, kWarn, kSkip, kError };
[[nodiscard]] NARU_API std::string_view to_string(Verdict verdict) noexcept;  // "PASS"

struct Finding {
  std::string test;      // "memory.sram.march": never renamed
  std::string id;        // "NARU-0812", empty for a pass
  Verdict verdict = Verdict::kError;
  std::string evidence;  // what was measured, with numbers
  std::string action;    // what to do; empty for a pass
  bool replace_device = false;  // a failure that neither another cable nor a reset mends
  std::chrono::nanoseconds took{0};
  bool device_lost = false;     // unplugged or dead during this test: those after it are skipped
};

struct DiagnosticsOptions {
  int level = 1;  // 1: identity, link, registers, counters, sensors (about a second); 2: the data path and every operator
  std::function<void(const Finding&)> on_finding;  // called after each test, in order
};

/// Runs every test of the level, whatever fails on the way, as long as there is a device. The error is for when nothing could be tested at all (bad level).
/// Level 2 takes the device's SRAM and some DRAM for itself; nothing else may run on it meanwhile.
[[nodiscard]] NARU_API Result<std::vector<Finding>> diagnose(Device& device, const DiagnosticsOptions& options = {});

}  // namespace naru
