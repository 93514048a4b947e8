// Runs the tests of a level in order and turns their outcomes into findings.
#include "naru/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/diagnostics/battery.h"
#include "runtime/handles.h"

namespace naru {

std::string_view to_string(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kPass: return "PASS";
    case Verdict::kFail: return "FAIL";
    case Verdict::kWarn: return "WARN";
    case Verdict::kSkip: return "SKIP";
    case Verdict::kError: return "ERROR";
  }
  return "ERROR";
}

namespace sdk::runtime::diagnostics {

Result<driver::JobResult> run_job(driver::Device& device, const abi::Stream& stream, std::span<const driver::Buffer* const> buffers) {
  NARU_TRY(const driver::Stream loaded, device.load_stream(abi::encode_stream(stream)));
  std::vector<driver::Binding> bindings;
  std::size_t next = 0;
  for (const abi::RegionDeclaration& region : stream.regions) {
    const driver::Buffer* buffer = region.memory == abi::MemoryKind::kSram ? nullptr : buffers[next++];
    bindings.push_back({.buffer = buffer, .offset = 0, .bytes = region.bytes, .rights = region.rights});
  }
  NARU_TRY(driver::Queue queue, device.queue(0));
  NARU_TRY(driver::Job job, queue.submit({.stream = &loaded, .bindings = bindings}));
  return job.wait();
}

namespace {

Finding run_test(const Test& test, driver::Device& device) {
  const auto start = std::chrono::steady_clock::now();
  Finding finding{.test = std::string(test.name), .id = fmt::format("NARU-{:04}", test.id), .verdict = Verdict::kError, .evidence = {}, .action = {}, .replace_device = false, .took = {}};
  const Result<Outcome> outcome = guarded([&] { return test.run(device); });
  if (outcome) {
    finding.verdict = outcome->verdict;
    finding.evidence = outcome->evidence;
    finding.action = outcome->verdict == Verdict::kFail || outcome->verdict == Verdict::kWarn ? test.action : std::string_view();
  } else {
    finding.evidence = fmt::format("could not run: {} [{}]", outcome.error().message(), outcome.error().id_text());
    finding.action = outcome.error().remedy();
  }
  finding.replace_device = finding.verdict == Verdict::kFail && test.needs_replacement;
  finding.took = std::chrono::steady_clock::now() - start;
  finding.device_lost = finding.verdict == Verdict::kError && device.state() == driver::State::kLost;
  return finding;
}

Finding skip_test(const Test& test, std::string why) {
  return {.test = std::string(test.name), .id = fmt::format("NARU-{:04}", test.id), .verdict = Verdict::kSkip, .evidence = std::move(why), .action = {}, .replace_device = false, .took = {}};
}

}  // namespace
}  // namespace sdk::runtime::diagnostics

Result<std::vector<Finding>> diagnose(Device& device, const DiagnosticsOptions& options) {
  return sdk::runtime::guarded([&]() -> Result<std::vector<Finding>> {
    namespace battery = sdk::runtime::diagnostics;
    if (options.level < 1 || options.level > 2) return fail(ErrorId::kInvalidArgument, fmt::format("Diagnostics have levels 1 and 2, not {}", options.level));
    std::vector<Finding> findings;
    for (const auto tests : {battery::link_tests(), battery::memory_tests(), battery::operator_tests()})
      for (const battery::Test& test : tests) {
        if (test.level > options.level) continue;
        const auto needed = std::ranges::find(findings, test.needs, &Finding::test);
        if (const auto lost = std::ranges::find(findings, true, &Finding::device_lost); lost != findings.end())
          findings.push_back(battery::skip_test(test, fmt::format("the device was lost during {}", lost->test)));
        else if (needed != findings.end() && needed->verdict != Verdict::kPass)
          findings.push_back(battery::skip_test(test, fmt::format("{} did not pass: this would find the same again", needed->test)));
        else
          findings.push_back(battery::run_test(test, *device.handle()->device));
        if (options.on_finding) options.on_finding(findings.back());
      }
    return findings;
  });
}

}  // namespace naru
