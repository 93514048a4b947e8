// What one job costs that does nothing: driver, in-process cable and mock device in this process, everything of a real job done.
#include <stdexcept>

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

/// Microseconds of each of the `operations` that one call of `action` does, over `samples` calls, behind one that warms up.
template <typename Action>
Result<void> measure(std::size_t samples, std::size_t operations, std::vector<double>& microseconds, Action&& action) {
  Result<void> outcome;
  for (std::size_t i = 0; i <= samples; ++i) {
    const Seconds took = time_of([&] { outcome = action(); });
    NARU_CHECK_OK(outcome);
    if (i != 0) microseconds.push_back(took.count() * 1e6 / static_cast<double>(operations));
  }
  return {};
}

/// One row: `batch` jobs at once, beside as many NOPs of io_uring.
struct JobRow {
  std::string id, variant;
  std::size_t batch, calls, nop_calls;  // calls in a sample
  double limit;
  std::vector<double> jobs = {}, nops = {};

  Result<void> take_jobs(NullJob& job, std::size_t samples) {
    return measure(samples, calls * batch, jobs, [&]() -> Result<void> {
      for (std::size_t i = 0; i < calls; ++i) NARU_CHECK_OK(batch == 1 ? job.run() : job.run_batch(batch));
      return {};
    });
  }
  Result<void> take_nops(IoUringNop& ring, std::size_t samples) {
    return measure(samples, nop_calls * batch, nops, [&]() -> Result<void> {
      for (std::size_t i = 0; i < nop_calls; ++i) ring.run(batch);
      return {};
    });
  }
};

/// Null, and why in `refused`, where there is no io_uring.
std::unique_ptr<IoUringNop> open_ring(std::string& refused) try {
  return std::make_unique<IoUringNop>();
} catch (const std::runtime_error& error) {
  refused = error.what();
  return nullptr;
}

}  // namespace

Result<void> add_job_rows(const Settings& settings, std::vector<Row>& rows) try {
  std::vector<JobRow> all;
  if (settings.wants("job-null")) all.push_back({.id = "job-null", .variant = "in-process", .batch = 1, .calls = settings.count(100, 50), .nop_calls = settings.count(300, 3), .limit = 1.0});
  if (settings.wants("job-null-batch32")) {
    all.push_back({.id = "job-null-batch32", .variant = "in-process, per job", .batch = kBatch, .calls = settings.count(20, 3), .nop_calls = settings.count(30, 3), .limit = 0.15});
  }
  if (all.empty()) return {};
  NARU_TRY(const profile::Profile profile, profile::load("edge"));
  NARU_TRY(const std::unique_ptr<mockdev::Device> mock, mockdev::Device::create(profile));
  NARU_TRY(const std::unique_ptr<driver::Device> device, driver::Device::open(std::make_unique<driver::InprocTransport>(*mock)));
  NARU_TRY(NullJob job, NullJob::make(*device));
  std::string refused;
  const std::unique_ptr<IoUringNop> ring = open_ring(refused);
  const std::size_t samples = settings.count(16, 3);
  // In turns, over a second or two: what a neighbour does for a tenth of one decides nothing, and both sides see it.
  for (std::size_t turn = 0; turn < settings.count(100, 1); ++turn) {
    for (JobRow& row : all) {
      NARU_CHECK_OK(row.take_jobs(job, samples));
      if (ring) NARU_CHECK_OK(row.take_nops(*ring, samples));
    }
  }
  for (JobRow& row : all) {
    rows.push_back({.id = std::move(row.id), .variant = std::move(row.variant), .unit = "us", .value = spread_of(std::move(row.jobs)), .peer = ring ? fmt::format("io_uring NOP, {} at once", row.batch) : "",
                    .peer_value = spread_of(std::move(row.nops)), .note = "one region, checksums, deadline, fence, ticket destroyed" + (ring ? "" : "; no peer: " + refused), .skipped = {},
                    .target = Target{.limit = row.limit, .of_ratio = false}});
  }
  return {};
} catch (const std::runtime_error& error) {
  return fail(ErrorId::kInternal, error.what());
}

}  // namespace naru::bench
