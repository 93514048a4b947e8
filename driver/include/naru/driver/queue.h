// Queues, jobs and fences: what runs on the device, in which order, and how one learns that it ended.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "naru/abi/wire.h"
#include "naru/base/clock.h"
#include "naru/driver/buffer.h"
#include "naru/driver/operation.h"
#include "naru/driver/stream.h"

namespace naru::driver {

/// A point on a queue's timeline: reached when every job of the queue up to it has ended. `era` counts the contexts of a Device:
/// a recovery that had to open a new one starts new timelines.
struct Fence {
  std::uint16_t queue = 0;
  std::uint32_t era = 0;
  std::uint64_t value = 0;
  friend bool operator==(const Fence&, const Fence&) = default;
};

/// What one region of the stream is for one job.
struct Binding {
  const Buffer* buffer = nullptr;  // null: the SRAM scratchpad
  std::uint64_t offset = 0, bytes = 0;
  abi::Rights rights = abi::Rights::kReadWrite;
};

/// Bytes that go to a buffer right before the job, in the same transfer when they are small.
struct JobWrite {
  const Buffer* buffer = nullptr;
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
};
/// Bytes that come back from a buffer when the job is done.
struct JobRead {
  const Buffer* buffer = nullptr;
  std::uint64_t offset = 0;
  std::span<std::byte> bytes;
};

/// Everything but the memory behind writes and reads is borrowed until submit() returns; that memory until the job has ended or is destroyed.
struct JobDescription {
  const Stream* stream = nullptr;
  std::span<const Binding> bindings{};
  std::span<const JobWrite> writes{};
  std::span<const JobRead> reads{};
  std::uint64_t cycle_budget = 0;  // device cycles; 0 is the chip's longest job
  Duration deadline{0};            // from now, on the transport's clock; 0 is DeviceOptions::timeouts.job
  /// What the job leaves in, or needs to find in, the SRAM (abi::LeaseUse has the rules). A job that does not find what it needs ends with kLeaseLost
  /// before it begins; its writes are done, so the job that takes the lease may be submitted at once with the same inputs.
  abi::LeaseUse lease_use = abi::LeaseUse::kNone;
  std::uint32_t lease = 0;  // any number but 0, the caller's own; 0 exactly when there is no use
};

struct JobResult {
  std::uint64_t cycles = 0;          // dispatch to END; 0 for a job whose completion was told together with a later one's
  std::uint64_t retired = 0;         // commands; likewise
  std::uint64_t device_time_ns = 0;  // modelled time of END
};

enum class JobState : std::uint8_t { kUnfinished, kDone, kFailed, kCancelled };

/// A submitted job. Owner: the caller. It ends exactly once: done, failed (deadline and device loss included) or cancelled; its deadline makes
/// sure that it does. Destroying it cancels. Thread: the device's. Outliving the device is allowed.
class NARU_API Job : public SlotTicket {
 public:
  using SlotTicket::SlotTicket;
  [[nodiscard]] JobState state() const noexcept;
  [[nodiscard]] bool done() const noexcept { return state() != JobState::kUnfinished; }
  /// Its point on the queue's timeline.
  [[nodiscard]] Fence fence() const noexcept;
  /// Lets the device work without blocking; tells whether the job has ended.
  bool poll();
  /// Drives the device until the job has ended, or until `until` on the transport's clock; tells whether it has ended.
  bool wait_until(TimePoint until);
  /// Drives the device until the job has ended.
  [[nodiscard]] Result<JobResult> wait();
  /// How it ended. kWrongThreadOrState while it has not; kJobCancelled, kDeadline, kJobFault, kJobBudget, kLeaseLost, kDeviceLost and others.
  [[nodiscard]] Result<JobResult> result() const;
  /// Asks for an early end; the job may still turn out done.
  void cancel();
};

/// One of the device's queues. Jobs of one queue end in the order submitted. Cheap to copy.
class NARU_API Queue {
 public:
  Queue() = default;
  Queue(std::shared_ptr<Core> core, std::uint16_t index) noexcept : core_(std::move(core)), index_(index) {}

  [[nodiscard]] std::uint16_t index() const noexcept { return index_; }
  /// The queue's number: a higher one is served first.
  [[nodiscard]] std::uint16_t priority() const noexcept { return index_; }

  /// Writes, job and reads go out as one transfer when they are small. Does not block, save for a recovery that is under way (bounded).
  /// kInvalidArgument: the description does not fit the stream or its buffers.  kDeviceBusy: too many unfinished requests.  kDeviceLost.
  [[nodiscard]] Result<Job> submit(const JobDescription& description);
  /// All of them in as few transfers as they fit, or none. `jobs` has as many places as there are descriptions.
  [[nodiscard]] Result<void> submit_batch(std::span<const JobDescription> descriptions, std::span<Job> jobs);

 private:
  std::shared_ptr<Core> core_;
  std::uint16_t index_ = 0;
};

}  // namespace naru::driver
