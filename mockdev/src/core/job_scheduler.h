// Jobs from submission to completion: four queues by priority, one job at a time on the engines, completions in order per queue and context;
// and what they leave in the SRAM for the next: whose it is, and whether it is leased.
#pragma once

#include <memory>
#include <vector>

#include "core/contexts.h"
#include "core/executor.h"
#include "core/job.h"
#include "core/sensors.h"
#include "timing/engines.h"
#include "usb/in_pipe.h"

namespace naru::mockdev {

class JobScheduler {
 public:
  JobScheduler(State& state, Memory& memory, ContextTable& contexts, InPipe& in, SensorModel& sensors, Executor& executor)
      : state_(state), memory_(memory), contexts_(contexts), in_(in), sensors_(sensors), executor_(executor) {}

  /// An empty job, to fill and submit(). The scheduler's.
  [[nodiscard]] Job& take_job() {
    if (idle_.empty()) add_job();
    Job& job = *idle_.back();
    idle_.pop_back();
    return job;
  }
  /// The job's context is open and its fence is the next of its queue.
  void submit(Job& job);

  /// True: the fence belongs to a job that is not complete; it will be cancelled.
  bool cancel(TimePoint now, std::uint32_t context, std::uint16_t queue, std::uint64_t fence);
  /// Ends all jobs of a context, or (0) of all, with `status`.
  void end_all(TimePoint now, std::uint32_t context, abi::Status status);
  /// Ends the running job only, with kReset, and the lease.
  void reset_engines(TimePoint now);

  /// Dispatches and executes what has begun by `now`; stops early when `budget` (host nanoseconds) is spent, and with `one_fence` between jobs when a fence was signalled, until
  /// take_signalled(). True: jobs ended.
  bool run(TimePoint now, std::int64_t& budget, bool one_fence);
  /// When run() has something to do; kForever: nothing queued, or what is queued waits for the host to take data.
  [[nodiscard]] TimePoint next_event(TimePoint now) const noexcept;

  /// A job runs that ends by then, one way or another.
  [[nodiscard]] bool completes_by(TimePoint until) const noexcept;

  [[nodiscard]] std::uint32_t jobs_queued() const noexcept { return jobs_; }
  /// Messages whose jobs have all completed since the last call: their credits are free again.
  [[nodiscard]] std::uint32_t take_answered() noexcept { return std::exchange(answered_, 0); }
  /// Fences were signalled since the last call.
  [[nodiscard]] bool take_signalled() noexcept { return std::exchange(signalled_, false); }
  /// Before another context's job, and when a context closes. Ends the lease.
  void scrub_sram() noexcept;
  /// What lies in the SRAM, or will when the running job has ended, is not what the lease stands for any more.
  void drop_lease() noexcept { lease_ = {}; }
  [[nodiscard]] std::uint32_t sram_owner() const noexcept { return sram_owner_; }

 private:
  /// A number that a context gave to what one of its jobs left in the SRAM. Number 0: none.
  struct Lease {
    std::uint32_t context = 0, number = 0;
    friend bool operator==(const Lease&, const Lease&) = default;
  };

  [[nodiscard]] Job* next_job() const noexcept;
  [[nodiscard]] bool held(const Job& job) const noexcept;
  /// It needs a lease that is not held. Asked between jobs.
  [[nodiscard]] bool lost(const Job& job) const noexcept { return job.lease_use == abi::LeaseUse::kNeed && lease_ != Lease{job.context, job.lease}; }
  /// How a job ends that has not: not by running.
  void decide(Job& job, abi::Status status) noexcept;
  void dispatch(TimePoint now, Job& job);
  [[nodiscard]] TimePoint time_of(std::uint64_t cycle) const noexcept;
  void end_running(TimePoint now, abi::Status status, std::uint32_t fault_command);
  /// Completes decided jobs of a queue that no earlier job of their context precedes.
  void settle(TimePoint now, unsigned queue) {
    if (decided_ != 0) settle_decided(now, queue);
  }
  void settle_decided(TimePoint now, unsigned queue);
  void complete(TimePoint now, Job& job, abi::Status status, std::uint32_t fault_command, std::uint64_t cycles, std::uint64_t retired);
  void remove(Job& job);
  void add_job();

  State& state_;
  Memory& memory_;
  ContextTable& contexts_;
  InPipe& in_;
  SensorModel& sensors_;
  Executor& executor_;
  Engines engines_;
  std::vector<std::unique_ptr<Job>> all_;
  std::vector<Job*> idle_;  // has room for all of them
  std::array<JobList, abi::kQueues> queues_;
  Job* running_ = nullptr;
  TimePoint dispatched_{0};
  std::uint64_t clock_hz_ = 1;  // of the running job
  std::uint64_t cycle_ns_ = 0;  // what a cycle of it takes, where that is whole; else 0
  bool issuing_ = false;        // commands of the current cycle are still to be issued
  std::uint32_t jobs_ = 0, answered_ = 0;
  bool signalled_ = false;
  bool unsettled_ = false;  // jobs arrived that were refused
  std::uint32_t decided_ = 0;  // jobs that wait for their completion only
  std::uint32_t sram_owner_ = 0;
  Lease lease_;  // held; while a job runs: that will be held when it ends with kOk. Its context is the SRAM's owner.
  std::uint64_t sram_dirty_begin_ = 0, sram_dirty_end_ = 0;
};

}  // namespace naru::mockdev
