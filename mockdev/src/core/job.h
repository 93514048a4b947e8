// One submitted job: its stream, what its regions are bound to, its place on a queue's timeline, and how it ended.
#pragma once

#include <array>

#include "core/objects.h"
#include "naru/abi/wire.h"

namespace naru::mockdev {

/// A region as a job may reach it: `bytes` from `base`, inside one buffer or the SRAM.
struct BoundRegion {
  std::byte* base = nullptr;
  std::uint64_t bytes = 0;
  abi::MemoryKind memory = abi::MemoryKind::kDram;
  abi::Rights rights = abi::Rights::kNone;
  std::uint64_t offset = 0;  // in its memory
  Pin pin;                   // of its buffer
};

struct Job {
  Job* previous = nullptr;  // in its JobList
  Job* next = nullptr;
  std::uint32_t context = 0;
  std::uint16_t queue = 0;
  std::uint64_t fence = 0;
  std::uint64_t cycle_budget = 0;
  const LoadedStream* stream = nullptr;
  Pin stream_pin;
  std::array<BoundRegion, abi::kRegionsMax> regions;
  std::uint8_t region_count = 0;
  abi::LeaseUse lease_use = abi::LeaseUse::kNone;
  std::uint32_t lease = 0;
  bool answers_request = false;               // its completion gives back the credit of its message
  abi::Status decided = abi::Status::kOk;     // not kOk: refused or cancelled before it ran
  std::uint32_t fault = 0;                    // command, or region of a refused binding

  /// Gives back what it holds, for reuse.
  void clear() noexcept {
    stream = nullptr;
    stream_pin.release();
    // What else a region says is written when it is bound.
    for (std::size_t i = 0; i < region_count; ++i) regions[i].pin.release();
    region_count = 0;
    lease_use = abi::LeaseUse::kNone;
    lease = 0;
    answers_request = false;
    decided = abi::Status::kOk;
    fault = 0;
  }
};

/// Jobs in order, linked through themselves.
class JobList {
 public:
  [[nodiscard]] Job* first() const noexcept { return first_; }
  void push_back(Job& job) noexcept {
    job.previous = last_;
    job.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &job;
    last_ = &job;
  }
  void erase(Job& job) noexcept {
    (job.previous == nullptr ? first_ : job.previous->next) = job.next;
    (job.next == nullptr ? last_ : job.next->previous) = job.previous;
  }

 private:
  Job* first_ = nullptr;
  Job* last_ = nullptr;
};

}  // namespace naru::mockdev
