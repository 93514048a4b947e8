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

/// Per operation; empty, and why in `refused`, where there is no io_uring.
Spread measure_io_uring(std::size_t samples, std::size_t calls, std::size_t batch, std::string& refused) try {
  IoUringNop ring;
  ring.run(batch);
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < samples; ++i) {
    const Seconds took = time_of([&] {
      for (std::size_t j = 0; j < calls; ++j) ring.run(batch);
    });
    microseconds.push_back(took.count() * 1e6 / static_cast<double>(calls * batch));
  }
  return spread_of(std::move(microseconds));
} catch (const std::runtime_error& error) {
  refused = error.what();
  return {};
}

Result<Spread> measure_single(NullJob& job, std::size_t samples, std::size_t jobs) {
  std::vector<double> microseconds;
  Result<void> outcome;
  for (std::size_t i = 0; i <= samples; ++i) {
    const Seconds took = time_of([&] {
      for (std::size_t j = 0; j < jobs && outcome; ++j) outcome = job.run();
    });
    NARU_CHECK_OK(outcome);
    if (i != 0) microseconds.push_back(took.count() * 1e6 / static_cast<double>(jobs));  // the first warms up
  }
  return spread_of(std::move(microseconds));
}

Result<Spread> measure_batch(NullJob& job, std::size_t samples, std::size_t batches) {
  std::vector<double> microseconds;
  Result<void> outcome;
  for (std::size_t i = 0; i <= samples; ++i) {
    const Seconds took = time_of([&] {
      for (std::size_t j = 0; j < batches && outcome; ++j) outcome = job.run_batch(kBatch);
    });
    NARU_CHECK_OK(outcome);
    if (i != 0) microseconds.push_back(took.count() * 1e6 / static_cast<double>(batches * kBatch));
  }
  return spread_of(std::move(microseconds));
}

}  // namespace

Result<void> add_job_rows(const Settings& settings, std::vector<Row>& rows) {
  if (!settings.wants("job-null") && !settings.wants("job-null-batch32")) return {};
  NARU_TRY(const profile::Profile profile, profile::load("edge"));
  NARU_TRY(const std::unique_ptr<mockdev::Device> mock, mockdev::Device::create(profile));
  NARU_TRY(const std::unique_ptr<driver::Device> device, driver::Device::open(std::make_unique<driver::InprocTransport>(*mock)));
  NARU_TRY(NullJob job, NullJob::make(*device));
  const std::size_t samples = settings.count(401, 3);
  const auto add = [&](std::string id, std::string variant, const Spread& value, std::size_t batch, double limit) {
    std::string refused;
    const Spread peer = measure_io_uring(samples, settings.count(1000 / batch, 3), batch, refused);
    rows.push_back({.id = std::move(id), .variant = std::move(variant), .unit = "us", .value = value, .peer = refused.empty() ? fmt::format("io_uring NOP, {} at once", batch) : "", .peer_value = peer,
                    .note = "one region, checksums, deadline, fence, ticket destroyed" + (refused.empty() ? "" : "; no peer: " + refused), .skipped = {}, .target = Target{.limit = limit, .of_ratio = false}});
  };
  if (settings.wants("job-null")) {
    NARU_TRY(const Spread value, measure_single(job, samples, settings.count(100, 50)));
    add("job-null", "in-process", value, 1, 1.0);
  }
  if (settings.wants("job-null-batch32")) {
    NARU_TRY(const Spread value, measure_batch(job, samples, settings.count(5, 3)));
    add("job-null-batch32", "in-process, per job", value, kBatch, 0.15);
  }
  return {};
}

}  // namespace naru::bench
