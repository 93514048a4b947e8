// The null job of the bench.
#include "null_job.h"

#include <deque>

#include "naru/abi/stream.h"

namespace naru::bench {
namespace {

constexpr std::uint32_t kRegionBytes = 64;
constexpr Duration kDeadline = std::chrono::seconds(5);

}  // namespace

Result<NullJob> NullJob::make(driver::Device& device) {
  abi::Stream stream;
  stream.regions = {{.memory = abi::MemoryKind::kDram, .rights = abi::Rights::kRead, .reserved = {}, .bytes = kRegionBytes}};
  stream.commands = {{abi::Engine::kNone, 0, abi::End{}}};
  NullJob job;
  job.device_ = &device;
  NARU_TRY(job.queue_, device.queue(0));
  NARU_TRY(job.buffer_, device.create_buffer(kRegionBytes));
  NARU_TRY(job.stream_, device.load_stream(abi::encode_stream(stream)));
  return job;
}

Result<driver::Job> NullJob::submit() {
  const driver::Binding binding{.buffer = &buffer_, .offset = 0, .bytes = kRegionBytes, .rights = abi::Rights::kRead};
  return queue_.submit({.stream = &stream_, .bindings = {&binding, 1}, .deadline = kDeadline});
}

Result<void> NullJob::finish(driver::Job& job) {
  NARU_CHECK_OK(job.wait());
  NARU_TRY(const bool reached, device_->fence_reached(job.fence()));
  if (!reached) return fail(ErrorId::kInternal, "A job ended before its fence");
  return {};
}

Result<void> NullJob::run() {
  NARU_TRY(driver::Job job, submit());
  return finish(job);
}

Result<void> NullJob::run_in_flight(std::size_t in_flight, std::size_t count) {
  std::deque<driver::Job> jobs;
  for (std::size_t i = 0; i < count; ++i) {
    if (jobs.size() == in_flight) {
      NARU_CHECK_OK(finish(jobs.front()));
      jobs.pop_front();
    }
    NARU_TRY(driver::Job job, submit());
    jobs.push_back(std::move(job));
  }
  for (driver::Job& job : jobs) NARU_CHECK_OK(finish(job));
  return {};
}

Result<void> NullJob::run_batch(std::size_t count) {
  const driver::Binding binding{.buffer = &buffer_, .offset = 0, .bytes = kRegionBytes, .rights = abi::Rights::kRead};
  if (count == 0) return fail(ErrorId::kInvalidArgument, "A batch has at least 1 job");
  descriptions_.assign(count, {.stream = &stream_, .bindings = {&binding, 1}, .deadline = kDeadline});
  jobs_.resize(count);
  NARU_CHECK_OK(queue_.submit_batch(descriptions_, jobs_));
  for (driver::Job& job : jobs_) NARU_CHECK_OK(job.wait());
  NARU_TRY(const bool reached, device_->fence_reached(jobs_.back().fence()));
  if (!reached) return fail(ErrorId::kInternal, "A batch ended before its fence");
  jobs_.clear();
  return {};
}

}  // namespace naru::bench
