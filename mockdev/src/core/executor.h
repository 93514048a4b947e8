// Executes one command of a job on device memory: checks every access against what the job bound, resolves addresses, runs the units, counts.
#pragma once

#include "core/job.h"
#include "core/state.h"
#include "units/units.h"

namespace naru::mockdev {

class Executor {
 public:
  Executor(State& state, Memory& memory, KernelPath path, std::unique_ptr<Parallel> parallel) : state_(state), memory_(memory), units_(path, std::move(parallel)) {}

  /// kOk, or kJobFault: an access that the binding does not allow. Nothing is touched then.
  [[nodiscard]] abi::Status execute(const Job& job, std::uint32_t index) noexcept;
  /// Planted stuck bit: makes it read 1 from now on. Called whenever SRAM may have changed.
  void apply_stuck_bit() noexcept;

  [[nodiscard]] KernelPath path() const noexcept { return units_.path(); }
  /// Rough host time of a command, nanoseconds: what step()'s budget is spent by.
  [[nodiscard]] std::uint64_t host_nanoseconds(const abi::CommandBody& body) const noexcept;

 private:
  State& state_;
  Memory& memory_;
  Units units_;
};

}  // namespace naru::mockdev
