// What one job costs that does nothing: driver, in-process cable and mock device in this process, everything of a real job done.
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "naru/driver/device.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "null_job.h"
#include "rows.h"

namespace naru::bench {
namespace {

constexpr std::size_t kBatch = 32;

/// The floor: entering the kernel and coming back.
Spread measure_system_call(std::size_t samples, std::size_t calls) {
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < samples; ++i) {
    const Seconds took = time_of([&] {
      for (std::size_t j = 0; j < calls; ++j) ::syscall(SYS_getppid);
    });
    microseconds.push_back(took.count() * 1e6 / static_cast<double>(calls));
  }
  return spread_of(std::move(microseconds));
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
  const Spread floor = measure_system_call(samples, settings.count(1000, 100));
  const std::string peer = "getppid system call";
  const std::string what = "one region, checksums, deadline, fence, ticket destroyed";
  if (settings.wants("job-null")) {
    NARU_TRY(const Spread value, measure_single(job, samples, settings.count(100, 50)));
    rows.push_back({.id = "job-null", .variant = "in-process", .unit = "us", .value = value, .peer = peer, .peer_value = floor, .note = what, .skipped = {}});
  }
  if (settings.wants("job-null-batch32")) {
    NARU_TRY(const Spread value, measure_batch(job, samples, settings.count(5, 3)));
    rows.push_back({.id = "job-null-batch32", .variant = "in-process, per job", .unit = "us", .value = value, .peer = peer, .peer_value = floor, .note = what, .skipped = {}});
  }
  return {};
}

}  // namespace naru::bench
