// What a diagnostic test is, and what it may use.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "naru/diagnostics.h"
#include "naru/driver/device.h"

namespace naru::sdk::runtime::diagnostics {

struct Outcome {
  Verdict verdict = Verdict::kPass;
  std::string evidence;
};
[[nodiscard]] inline Outcome pass(std::string evidence) { return {Verdict::kPass, std::move(evidence)}; }
[[nodiscard]] inline Outcome failed(std::string evidence) { return {Verdict::kFail, std::move(evidence)}; }
[[nodiscard]] inline Outcome warn(std::string evidence) { return {Verdict::kWarn, std::move(evidence)}; }
[[nodiscard]] inline Outcome skip(std::string evidence) { return {Verdict::kSkip, std::move(evidence)}; }

/// One test. An error it returns becomes the verdict ERROR: it could not run.
struct Test {
  std::string_view name;    // stable
  unsigned id = 0;          // NARU-nnnn of a finding that is no pass
  int level = 1;
  std::string_view action;  // what to do when it fails or warns
  Result<Outcome> (*run)(driver::Device& device);
  std::string_view needs = {};     // an earlier test of the same run; unless that passed, this one is skipped: it would only find the same again
  bool needs_replacement = false;  // a failure is the device's own: neither cable nor reset mends it
};

/// The test of the cable: what moves bulk data needs it.
inline constexpr std::string_view kCable = "link.loopback";

[[nodiscard]] std::span<const Test> link_tests();
[[nodiscard]] std::span<const Test> memory_tests();
[[nodiscard]] std::span<const Test> operator_tests();

/// Runs a job of `stream` with regions bound to SRAM (declared so) and to `buffers` in order for the others, and waits for it.
[[nodiscard]] Result<driver::JobResult> run_job(driver::Device& device, const abi::Stream& stream, std::span<const driver::Buffer* const> buffers);

}  // namespace naru::sdk::runtime::diagnostics
