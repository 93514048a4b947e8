// What one operation costs while more and more of the same is there: jobs in flight, buffers alive, sessions on a device, devices in a process. Each row is
// the most that the cost grows from any size to a larger one; the note has all of them. That many at once are cheaper (jobs that wait share transfers) is no fault.
// All sizes are gone through several times, so that what a neighbour does for a second decides nothing.
#include <algorithm>
#include <deque>
#include <filesystem>

#include <fmt/format.h>

#include "frontend/model_builder.h"
#include "naru/abi/stream.h"
#include "naru/driver/device.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mock.h"
#include "naru/mockdev/device.h"
#include "naru/naru.h"
#include "naru/profile/profile.h"
#include "rows.h"
#include "support/golden_models.h"

namespace naru::bench {
namespace {

constexpr double kFlatWithin = 2.0;

/// Microseconds of one operation while `size` of it are there.
struct Cost {
  std::size_t size = 0;
  std::vector<double> microseconds;
};

void add_scale(std::string id, std::string variant, std::string_view operation, const std::vector<Cost>& costs, const Settings& settings, std::vector<Row>& rows) {
  std::string note = fmt::format("us of {}:", operation);
  double least = 0, growth = 0;
  for (const Cost& cost : costs) {
    const double median = spread_of(cost.microseconds).median;
    note += fmt::format("{} {} at {}", cost.size == costs.front().size ? "" : ",", median < 10 ? fmt::format("{:.2f}", median) : fmt::format("{:.1f}", median), cost.size);
    least = growth == 0 ? median : std::min(least, median);
    growth = std::max(growth, median / least);
  }
  // A tiny run has a few samples of a few sizes, which say nothing about flatness.
  const std::optional<Target> target = settings.tiny ? std::nullopt : std::optional(Target{.limit = kFlatWithin, .of_ratio = false});
  rows.push_back({.id = std::move(id), .variant = std::move(variant), .unit = "x", .value = spread_of({growth}), .peer = {}, .peer_value = {}, .note = note, .skipped = {}, .target = target});
}

/// To be measured: the sizes up to `largest`.
std::vector<Cost> costs_up_to(std::size_t largest, std::initializer_list<std::size_t> sizes) {
  std::vector<Cost> costs;
  for (const std::size_t size : sizes)
    if (size <= largest) costs.push_back({.size = size, .microseconds = {}});
  return costs;
}

std::size_t rounds(const Settings& settings) { return settings.count(5, 1); }

/// A driver on a mock in this process.
struct Bench {
  std::unique_ptr<mockdev::Device> mock;
  std::unique_ptr<driver::Device> device;

  static Result<Bench> open(driver::DeviceOptions options = {}) {
    Bench bench;
    NARU_TRY(const profile::Profile profile, profile::load("edge"));
    NARU_TRY(bench.mock, mockdev::Device::create(profile));
    NARU_TRY(bench.device, driver::Device::open(std::make_unique<driver::InprocTransport>(*bench.mock), options));
    return bench;
  }
};

// ---- jobs in flight ----

/// As many as `size` jobs of END only are unfinished all the time: the oldest is waited for, and one more is submitted in its place.
Result<void> measure_jobs(driver::Device& device, Cost& cost, std::size_t samples, std::size_t jobs_per_sample) {
  NARU_TRY(driver::Queue queue, device.queue(0));
  NARU_TRY(const driver::Stream stream, device.load_stream(abi::encode_stream({.regions = {}, .commands = {{abi::Engine::kNone, 0, abi::End{}}}})));
  const driver::JobDescription description{.stream = &stream, .deadline = std::chrono::seconds(60)};
  std::deque<driver::Job> jobs;
  Result<void> outcome;
  const auto submit = [&] {
    Result<driver::Job> job = queue.submit(description);
    job ? jobs.push_back(std::move(*job)) : void(outcome = fail(std::move(job).error()));
  };
  for (std::size_t i = 0; i < cost.size && outcome; ++i) submit();
  for (std::size_t sample = 0; sample <= samples; ++sample) {
    const Seconds took = time_of([&] {
      for (std::size_t i = 0; i < jobs_per_sample && outcome; ++i) {
        if (const auto ended = jobs.front().wait(); !ended) outcome = fail(ended.error());
        jobs.pop_front();
        submit();
      }
    });
    NARU_CHECK_OK(outcome);
    if (sample != 0) cost.microseconds.push_back(took.count() * 1e6 / static_cast<double>(jobs_per_sample));
  }
  for (driver::Job& job : jobs) NARU_CHECK_OK(job.wait());
  return {};
}

Result<void> add_jobs(const Settings& settings, std::vector<Row>& rows) {
  std::vector<Cost> costs = costs_up_to(settings.count(10'000, 100), {1, 10, 100, 1'000, 10'000});
  NARU_TRY(const Bench bench, Bench::open({.unfinished_requests_max = 10'240}));
  for (std::size_t round = 0; round < rounds(settings); ++round) {
    // No fewer than there are in flight: each sample goes once through all of them.
    for (Cost& cost : costs) NARU_CHECK_OK(measure_jobs(*bench.device, cost, settings.count(11, 3), std::max<std::size_t>(cost.size, settings.count(2'000, 100))));
  }
  add_scale("scale-jobs", "in flight on one queue", "one null job", costs, settings, rows);
  return {};
}

// ---- buffers ----

/// With holes, every other buffer that was made is freed again, and what is made beside them fits into none of the holes.
Result<void> measure_buffers(bool holes, std::span<Cost> costs, std::size_t samples) {
  constexpr std::size_t kBytes = 64;
  NARU_TRY(const Bench bench, Bench::open());
  const std::vector<std::byte> bytes(holes ? 2 * kBytes : kBytes, std::byte{1});
  std::vector<driver::Buffer> alive;
  for (Cost& cost : costs) {
    if (holes) alive.clear();
    std::vector<driver::Buffer> between;
    while (alive.size() < cost.size) {
      NARU_TRY(driver::Buffer buffer, bench.device->create_buffer(kBytes));
      alive.push_back(std::move(buffer));
      if (!holes) continue;
      NARU_TRY(driver::Buffer freed, bench.device->create_buffer(kBytes));
      between.push_back(std::move(freed));
    }
    between.clear();
    for (std::size_t sample = 0; sample <= samples; ++sample) {
      constexpr std::size_t kCycles = 100;
      Result<void> outcome;
      const Seconds took = time_of([&] {
        for (std::size_t i = 0; i < kCycles && outcome; ++i) {
          const Result<driver::Buffer> buffer = bench.device->create_buffer(bytes.size());
          outcome = buffer ? bench.device->write(*buffer, 0, bytes) : fail(buffer.error());
        }
      });
      NARU_CHECK_OK(outcome);
      if (sample != 0) cost.microseconds.push_back(took.count() * 1e6 / static_cast<double>(kCycles));
    }
  }
  return {};
}

Result<void> add_buffers(bool holes, const Settings& settings, std::vector<Row>& rows) {
  std::vector<Cost> costs = costs_up_to(settings.count(100'000, 100), {1, 10, 100, 1'000, 10'000, 100'000});
  for (std::size_t round = 0; round < rounds(settings); ++round) NARU_CHECK_OK(measure_buffers(holes, costs, settings.count(11, 3)));
  add_scale("scale-buffers", holes ? "alive, a hole beside every other" : "alive, 64 bytes each", "making, writing and freeing one more", costs, settings, rows);
  return {};
}

// ---- sessions and devices ----

/// One inference after the other, each by another session, until all had `samples` of them.
Result<void> measure_sessions(std::span<Session> sessions, Cost& cost, std::size_t samples) {
  for (std::size_t sample = 0; sample <= samples; ++sample) {
    Result<void> outcome;
    const Seconds took = time_of([&] {
      for (std::size_t i = 0; i < sessions.size() && outcome; ++i)
        if (Result<Outputs> outputs = sessions[i].run(); !outputs) outcome = fail(std::move(outputs).error());
    });
    NARU_CHECK_OK(outcome);
    if (sample != 0) cost.microseconds.push_back(took.count() * 1e6 / static_cast<double>(sessions.size()));
  }
  return {};
}

/// The digit model with another byte in its largest constant: a package of its own.
Result<Model> variant_of(const std::vector<std::byte>& file, std::size_t number) {
  testing_models::ModelBuilder builder;
  sdk::tflite::GetModel(file.data())->UnPackTo(&builder.model);
  const auto largest = std::max_element(builder.model.buffers.begin(), builder.model.buffers.end(), [](const auto& a, const auto& b) { return a->data.size() < b->data.size(); });
  (*largest)->data.at(number) ^= 1;
  NARU_TRY(const Model source, Model::from_bytes(*builder.bytes(), fmt::format("digits-{}", number)));
  return compile(source);
}

Result<void> add_models(const std::string& file, const Settings& settings, std::vector<Row>& rows) {
  const std::vector<std::byte> bytes = testing::read_all(file);
  std::vector<Cost> costs = costs_up_to(settings.count(100, 10), {1, 10, 100});
  std::vector<Model> models;
  while (models.size() < costs.back().size) {
    NARU_TRY(Model model, variant_of(bytes, models.size()));
    models.push_back(std::move(model));
  }
  for (std::size_t round = 0; round < rounds(settings); ++round) {
    NARU_TRY(const Device device, open_device("mock:edge"));
    std::vector<Session> sessions;
    for (Cost& cost : costs) {
      while (sessions.size() < cost.size) {
        NARU_TRY(Session session, Session::create(device, models[sessions.size()]));
        sessions.push_back(std::move(session));
      }
      NARU_CHECK_OK(measure_sessions(sessions, cost, settings.count(1'000, 30) / cost.size));
    }
  }
  add_scale("scale-models", "different packages on one device, a session each", "one inference, by turns", costs, settings, rows);
  return {};
}

Result<void> add_devices(const Model& digits, const Settings& settings, std::vector<Row>& rows) {
  std::vector<Cost> costs = costs_up_to(settings.count(64, 4), {1, 4, 16, 64});
  for (std::size_t round = 0; round < rounds(settings); ++round) {
    std::vector<Session> sessions;  // of a device each
    for (Cost& cost : costs) {
      while (sessions.size() < cost.size) {
        NARU_TRY(const Device device, open_device("mock:edge"));
        NARU_TRY(Session session, Session::create(device, digits));
        sessions.push_back(std::move(session));
      }
      NARU_CHECK_OK(measure_sessions(sessions, cost, settings.count(1'000, 30) / cost.size));
    }
  }
  add_scale("scale-devices", "mocks in one process, a session of digits each", "one inference, by turns", costs, settings, rows);
  return {};
}

}  // namespace

Result<void> add_scale_rows(const Settings& settings, std::vector<Row>& rows) {
  if (settings.wants("scale-jobs")) NARU_CHECK_OK(add_jobs(settings, rows));
  for (const bool holes : {false, true})
    if (settings.wants("scale-buffers")) NARU_CHECK_OK(add_buffers(holes, settings, rows));
  if (!settings.wants("scale-models") && !settings.wants("scale-devices")) return {};
  mock::enable();
  const std::string file = (std::filesystem::path(NARU_SOURCE_DIR) / "models" / "digits" / "digits.tflite").string();
  NARU_TRY(const Model source, Model::load(file));
  NARU_TRY(const Model digits, compile(source));
  if (settings.wants("scale-models")) NARU_CHECK_OK(add_models(file, settings, rows));
  if (settings.wants("scale-devices")) NARU_CHECK_OK(add_devices(digits, settings, rows));
  return {};
}

}  // namespace naru::bench
