// A session that streams inferences over a served node, beside what its stages cost one by one on the same node, each with as many in flight.
#include <algorithm>
#include <deque>
#include <span>

#include <fmt/format.h>

#include "frontend/model_builder.h"
#include "naru/driver/device.h"
#include "naru/driver/discovery.h"
#include "naru/naru.h"
#include "null_job.h"
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

}  // namespace

Result<void> add_usb_stream(const std::string& selector, const Settings& settings, std::vector<Row>& rows) {
  const std::size_t count = settings.count(128, 8), few = settings.count(40, 2);
  // One sum: each inference moves 1 MiB either way, and computes about as long.
  NARU_TRY(const Model model, Model::from_bytes(*testing_models::sum_with_itself(kStreamSide, kStreamChannels), "stream"));
  std::vector<double> ours, bound, host, up, down, compute;
  for (std::size_t turn = 0; turn < settings.count(15, 1); ++turn) {
    double null_job = 0, null_job_in_flight = 0;
    host.push_back(copies(count));
    {
      NARU_TRY(std::unique_ptr<driver::Transport> transport, driver::open_transport(selector));
      NARU_TRY(const std::unique_ptr<driver::Device> device, driver::Device::open(std::move(transport), {}));
      NARU_TRY(const double written, moves(*device, false, count));
      NARU_TRY(const double read, moves(*device, true, count));
      NARU_TRY(null_job, null_jobs(*device, 1, few * 3));
      NARU_TRY(null_job_in_flight, null_jobs(*device, kStreamDepth, few * 3));
      up.push_back(written);
      down.push_back(read);
    }
    NARU_TRY(const Device device, open_device(selector));
    {
      std::vector<Session> sessions;
      for (std::size_t i = 0; i < kStreamDepth; ++i) {
        NARU_TRY(Session session, open_stream_session(device, model, true));
        sessions.push_back(std::move(session));
      }
      NARU_TRY(const double computed, computes(sessions, null_job, null_job_in_flight, few));
      compute.push_back(computed);
    }
    bound.push_back(1e6 / (host.back() + up.back() + compute.back() + down.back()));
    NARU_TRY(Session session, open_stream_session(device, model, false));
    NARU_TRY(const double warming, streams(session, kStreamDepth * 2));
    (void)warming;
    NARU_TRY(const double streamed, streams(session, count));
    ours.push_back(1e6 / streamed);
  }
  const auto median = [](std::vector<double>& samples) { return spread_of(std::move(samples)).median; };
  rows.push_back({.id = "usb-stream", .variant = "1 MiB in, 1 MiB out, depth 8", .unit = "1/s", .better = Better::kHigher, .value = spread_of(std::move(ours)), .peer = "stages one by one", .peer_value = spread_of(std::move(bound)),
                  .note = fmt::format("us alone: host's copy {:.0f}, upload {:.0f}, compute {:.0f}, download {:.0f}; on one core, and on the served mock's one thread, they add up", median(host), median(up), median(compute), median(down)),
                  .skipped = {}, .target = Target{0.95}});
  return {};
}

}  // namespace naru::bench
