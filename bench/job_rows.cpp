// What one job costs that does nothing: driver, in-process cable and mock device in this process, everything of a real job done.
#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "io_uring_nop.h"
#include "naru/driver/device.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "null_job.h"
#include "rows.h"

namespace naru::bench {
namespace {

constexpr std::size_t kBatch = 32;

/// What one call does: null jobs, or as many NOPs of io_uring.
struct Repeated {
  std::string name;
  std::size_t operations;  // of one call
  std::int64_t calls;      // of one sample
  std::function<Result<void>()> call;
  std::vector<double> microseconds = {};  // of each operation, a sample each
};

/// Takes Google Benchmark's samples instead of printing them.
class Samples final : public benchmark::BenchmarkReporter {
 public:
  explicit Samples(std::span<Repeated> all) noexcept : all_(all) {}
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.error_occurred) failure_ = run.error_message;
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      for (Repeated& repeated : all_)
        if (run.run_name.function_name == repeated.name) repeated.microseconds.push_back(run.real_accumulated_time * 1e6 / static_cast<double>(run.iterations) / static_cast<double>(repeated.operations));
    }
  }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  std::span<Repeated> all_;
  std::string failure_;
};

/// All of them in turns, in an order that is drawn anew, over a second or two: what a neighbour does for a tenth of one decides nothing, and both sides see it.
Result<void> measure(std::span<Repeated> all, std::size_t samples) {
  std::string program = "naru_bench", in_turns = "--benchmark_enable_random_interleaving=true";
  char* arguments[] = {program.data(), in_turns.data(), nullptr};
  int count = 2;
  benchmark::Initialize(&count, arguments);
  for (Repeated& repeated : all) {
    benchmark::RegisterBenchmark(repeated.name.c_str(), [&repeated](benchmark::State& state) {
      Result<void> outcome = repeated.call();  // warms up
      for (auto _ : state) {
        if (outcome) outcome = repeated.call();
      }
      if (!outcome) state.SkipWithError(outcome.error().to_string().c_str());
    })->Iterations(repeated.calls)->Repetitions(static_cast<int>(samples))->UseRealTime();
  }
  Samples taken(all);
  benchmark::RunSpecifiedBenchmarks(&taken);
  benchmark::ClearRegisteredBenchmarks();
  if (!taken.failure().empty()) return fail(ErrorId::kInternal, taken.failure());
  return {};
}

/// Null, and why in `refused`, where there is no io_uring.
std::unique_ptr<IoUringNop> open_ring(std::string& refused) try {
  return std::make_unique<IoUringNop>();
} catch (const std::runtime_error& error) {
  refused = error.what();
  return nullptr;
}

}  // namespace

Result<void> add_job_rows(const Settings& settings, std::vector<Row>& rows) {
  struct JobRow {
    std::string_view id, variant;
    std::size_t batch;
    double limit;
  };
  constexpr JobRow kRows[] = {{"job-null", "in-process", 1, 1.0}, {"job-null-batch32", "in-process, per job", kBatch, 0.15}};
  if (std::none_of(std::begin(kRows), std::end(kRows), [&](const JobRow& row) { return settings.wants(row.id); })) return {};
  NARU_TRY(const profile::Profile profile, profile::load("edge"));
  NARU_TRY(const std::unique_ptr<mockdev::Device> mock, mockdev::Device::create(profile));
  NARU_TRY(const std::unique_ptr<driver::Device> device, driver::Device::open(std::make_unique<driver::InprocTransport>(*mock)));
  NARU_TRY(NullJob job, NullJob::make(*device));
  std::string refused;
  const std::unique_ptr<IoUringNop> ring = open_ring(refused);
  std::vector<Repeated> all;
  for (const JobRow& row : kRows) {
    const auto calls = static_cast<std::int64_t>(settings.count(std::max<std::size_t>(2000 / row.batch, 200), 5));
    all.push_back({.name = fmt::format("job/{}", row.batch), .operations = row.batch, .calls = calls, .call = [&job, batch = row.batch] { return batch == 1 ? job.run() : job.run_batch(batch); }});
    if (ring) all.push_back({.name = fmt::format("nop/{}", row.batch), .operations = row.batch, .calls = calls, .call = [&ring, batch = row.batch]() -> Result<void> {
      try {
        ring->run(batch);
        return {};
      } catch (const std::runtime_error& error) {
        return fail(ErrorId::kInternal, error.what());
      }
    }});
  }
  NARU_CHECK_OK(measure(all, settings.count(301, 3)));
  const auto taken = [&](std::string_view what, std::size_t batch) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Repeated& repeated) { return repeated.name == fmt::format("{}/{}", what, batch); });
    return found == all.end() ? Spread{} : spread_of(found->microseconds);
  };
  for (const JobRow& row : kRows) {
    if (!settings.wants(row.id)) continue;
    rows.push_back({.id = std::string(row.id), .variant = std::string(row.variant), .unit = "us", .value = taken("job", row.batch), .peer = ring ? fmt::format("io_uring NOP, {} at once", row.batch) : "",
                    .peer_value = taken("nop", row.batch), .note = "one region, checksums, deadline, fence, ticket destroyed" + (ring ? "" : "; no peer: " + refused), .skipped = {},
                    .target = Target{.limit = row.limit, .of_ratio = false}});
  }
  return {};
}

}  // namespace naru::bench
