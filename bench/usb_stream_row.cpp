// A session that streams inferences over a served node, beside what its stages cost one by one on the same node, each with as many in flight: their sum where all of them
// take the same core, the slowest where the device takes its time and not the core's.
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <span>

#include <fmt/format.h>

#include "frontend/model_builder.h"
#include "naru/driver/device.h"
#include "naru/driver/discovery.h"
#include "naru/naru.h"
#include "null_job.h"
#include "support/served_mock.h"
#include "usb_stream_row.h"

namespace naru::bench {
namespace {

constexpr std::uint32_t kStreamDepth = 8;
constexpr std::int32_t kStreamSide = 512, kStreamChannels = 4;
constexpr std::size_t kStreamBytes = std::size_t{kStreamSide} * kStreamSide * kStreamChannels;  // of the input, and of the output

/// Each of these gives the microseconds of one. The driver alone: kStreamDepth operations of the tensor's size in flight, on as much memory as the session has.
Result<double> moves(driver::Device& device, bool in, std::size_t count) {
  std::vector<driver::Buffer> buffers;
  for (std::size_t i = 0; i < kStreamDepth; ++i) {
    NARU_TRY(driver::Buffer buffer, device.create_buffer(kStreamBytes));
    buffers.push_back(std::move(buffer));
  }
  std::vector<std::vector<std::byte>> memory(kStreamDepth, std::vector<std::byte>(kStreamBytes, std::byte{1}));
  Result<void> outcome;
  const auto run = [&]() -> Result<void> {
    std::deque<driver::Operation> operations;
    for (std::size_t i = 0; i < count; ++i) {
      if (operations.size() == kStreamDepth) {
        NARU_CHECK_OK(operations.front().wait());
        operations.pop_front();
      }
      NARU_TRY(driver::Operation operation, in ? device.begin_read(buffers[i % kStreamDepth], 0, memory[i % kStreamDepth]) : device.begin_write(buffers[i % kStreamDepth], 0, memory[i % kStreamDepth]));
      operations.push_back(std::move(operation));
    }
    for (driver::Operation& operation : operations) NARU_CHECK_OK(operation.wait());
    return {};
  };
  const Seconds took = time_of([&] { outcome = run(); });
  NARU_CHECK_OK(outcome);
  return took.count() * 1e6 / static_cast<double>(count);
}

/// The copy of the input that submit() makes, since the caller may fill in the next one at once.
double copies(std::size_t count) {
  const std::vector<std::byte> input(kStreamBytes, std::byte{1});
  std::vector<std::vector<std::byte>> memory(kStreamDepth, input);
  const Seconds took = time_of([&] {
    for (std::size_t i = 0; i < count; ++i) std::copy(input.begin(), input.end(), memory[i % kStreamDepth].begin());
  });
  return took.count() * 1e6 / static_cast<double>(count);
}

/// The jobs alone with their data in place: one after the other, less what a job costs that does nothing, and then what that costs with kStreamDepth of them in flight, as the
/// other stages are measured. Sessions take turns, so that the jobs work on as much memory as those of the stream.
Result<double> computes(std::span<Session> one_by_one, double null_job, double null_job_in_flight, std::size_t count) {
  std::vector<double> microseconds;
  for (std::size_t i = 0; i < count; ++i) {
    NARU_TRY(const Outputs outputs, one_by_one[i % one_by_one.size()].run());
    microseconds.push_back(std::chrono::duration<double, std::micro>(outputs.timing().wall_device).count());
  }
  return std::max(0.0, spread_of(std::move(microseconds)).median - null_job) + null_job_in_flight;
}

Result<double> null_jobs(driver::Device& device, std::size_t in_flight, std::size_t count) {
  NARU_TRY(NullJob job, NullJob::make(device));
  Result<void> outcome = job.run();
  const Seconds took = time_of([&] {
    if (outcome) outcome = job.run_in_flight(in_flight, count);
  });
  NARU_CHECK_OK(outcome);
  return took.count() * 1e6 / static_cast<double>(count);
}

Result<double> streams(Session& session, std::size_t count) {
  Result<void> outcome;
  const auto run = [&]() -> Result<void> {
    std::deque<Inference> inferences;
    for (std::size_t i = 0; i < count; ++i) {
      if (inferences.size() == kStreamDepth) {
        NARU_CHECK_OK(inferences.front().wait());
        inferences.pop_front();
      }
      NARU_TRY(Inference inference, session.submit());
      inferences.push_back(std::move(inference));
    }
    for (Inference& inference : inferences) NARU_CHECK_OK(inference.wait());
    return {};
  };
  const Seconds took = time_of([&] { outcome = run(); });
  NARU_CHECK_OK(outcome);
  return took.count() * 1e6 / static_cast<double>(count);
}

Result<Session> open_stream_session(const Device& device, const Model& model, bool split) {
  NARU_TRY(Session session, Session::create(device, model, {.keep_tensors = {}, .depth = split ? 1U : kStreamDepth, .split_timing = split}));
  std::vector<std::byte> input(kStreamBytes);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::byte>(i * 37);
  NARU_CHECK_OK(session.input(0).fill_from(std::span<const std::byte>(input)));
  return session;
}

/// Microseconds of one, each stage alone.
struct Stages {
  double copy = 0, upload = 0, compute = 0, download = 0;

  [[nodiscard]] double sum() const noexcept { return copy + upload + compute + download; }
  [[nodiscard]] double slowest() const noexcept { return std::max({copy, upload, compute, download}); }
};

Result<Stages> stages_alone(const std::string& selector, const Model& model, std::size_t count, std::size_t few) {
  Stages stages{.copy = copies(count)};
  double null_job = 0, null_job_in_flight = 0;
  {
    NARU_TRY(std::unique_ptr<driver::Transport> transport, driver::open_transport(selector));
    NARU_TRY(const std::unique_ptr<driver::Device> device, driver::Device::open(std::move(transport), {}));
    NARU_TRY(stages.upload, moves(*device, false, count));
    NARU_TRY(stages.download, moves(*device, true, count));
    NARU_TRY(null_job, null_jobs(*device, 1, few * 3));
    NARU_TRY(null_job_in_flight, null_jobs(*device, kStreamDepth, few * 3));
  }
  NARU_TRY(const Device device, open_device(selector));
  std::vector<Session> sessions;
  for (std::size_t i = 0; i < kStreamDepth; ++i) {
    NARU_TRY(Session session, open_stream_session(device, model, true));
    sessions.push_back(std::move(session));
  }
  NARU_TRY(stages.compute, computes(sessions, null_job, null_job_in_flight, few));
  return stages;
}

/// What a stream is held against. Stages that take the same core add up; those that do not are as fast as the slowest.
enum class Bound { kSum, kSlowest };

Result<void> add_stream(const std::string& selector, std::string variant, Bound bound_by, const Settings& settings, std::size_t turns, std::vector<Row>& rows) {
  const std::size_t count = settings.count(128, 8), few = settings.count(40, 2);
  // One sum: each inference moves 1 MiB either way, and computes about as long.
  NARU_TRY(const Model model, Model::from_bytes(*testing_models::sum_with_itself(kStreamSide, kStreamChannels), "stream"));
  std::vector<double> ours, bound, copy, upload, compute, download;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    NARU_TRY(const Stages stages, stages_alone(selector, model, count, few));
    copy.push_back(stages.copy), upload.push_back(stages.upload), compute.push_back(stages.compute), download.push_back(stages.download);
    bound.push_back(1e6 / (bound_by == Bound::kSum ? stages.sum() : stages.slowest()));
    NARU_TRY(const Device device, open_device(selector));
    NARU_TRY(Session session, open_stream_session(device, model, false));
    NARU_TRY(const double warming, streams(session, kStreamDepth * 2));
    (void)warming;
    NARU_TRY(const double streamed, streams(session, count));
    ours.push_back(1e6 / streamed);
  }
  const auto median = [](std::vector<double>& samples) { return spread_of(std::move(samples)).median; };
  rows.push_back({.id = "usb-stream", .variant = std::move(variant), .unit = "1/s", .better = Better::kHigher, .value = spread_of(std::move(ours)), .peer = bound_by == Bound::kSum ? "stages one by one" : "the slowest stage", .peer_value = spread_of(std::move(bound)),
                  .note = fmt::format("us alone: host's copy {:.0f}, upload {:.0f}, compute {:.0f}, download {:.0f}{}", median(copy), median(upload), median(compute), median(download),
                                      bound_by == Bound::kSum ? "; on one core, and on the served mock's one thread, they add up" : ""),
                  .skipped = {}, .target = Target{0.95}});
  return {};
}

/// "edge" with a clock at which the job takes about as long as its input or output on the cable.
std::string slow_profile() {
  std::ifstream file(std::filesystem::path(NARU_SOURCE_DIR) / "profile/profiles/edge.profile");
  std::string text;
  for (std::string line; std::getline(file, line);) text += (line.rfind("clock_khz", 0) == 0 ? "clock_khz = 115000" : line) + "\n";
  return text;
}

}  // namespace

Result<void> add_usb_stream(const std::string& selector, const Settings& settings, std::vector<Row>& rows) {
  NARU_CHECK_OK(add_stream(selector, "1 MiB in, 1 MiB out, depth 8", Bound::kSum, settings, settings.count(15, 1), rows));
  // Device and cable take their modelled time and hardly a core: all three stages can overlap.
  const std::filesystem::path profile = std::filesystem::temp_directory_path() / fmt::format("naru_bench_{}.profile", ::getpid());
  std::ofstream(profile) << slow_profile();
  const testing::ServedMock served(profile.string(), {"--time", "real"});
  std::filesystem::remove(profile);
  if (!served.ready()) return fail(ErrorId::kNodeDead, fmt::format("`naru mock serve --profile {} --time real` did not come up", profile.string()));
  return add_stream(served.selector(), "1 MiB in, 1 MiB out, depth 8, device in real time", Bound::kSlowest, settings, settings.count(3, 1), rows);
}

}  // namespace naru::bench
