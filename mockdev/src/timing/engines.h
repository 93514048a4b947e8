// The engines of one job in modelled time: each executes its own commands in stream order, WAITs stall on counts of retired commands, and
// the DMA engines that are transferring share the DRAM. Exact and integer: events only, but the result is that of stepping cycle by cycle.
//
// Sharing: in every cycle each of k transferring engines moves dram_bytes_per_cycle / k bytes (exactly: in twelfths of a byte, for k <= 4). An
// engine retires at the end of the cycle in which its last byte moves; what its share leaves over in that cycle is not passed on.
#pragma once

#include <array>
#include <limits>
#include <optional>
#include <span>

#include "core/stream_loader.h"

namespace naru::mockdev {

/// What a job cost its engines; added to the device's counters when the job ends.
struct EngineCounts {
  std::array<std::uint64_t, abi::kEnginesMax> busy_cycles{}, wait_cycles{}, retired{};
  std::uint64_t dram_stall_cycles = 0;
};

class Engines {
 public:
  static constexpr std::uint32_t kNoCommand = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  /// `stream` and `chip` must outlive the job. Cycle 0 is dispatch.
  void start(const LoadedStream& stream, const abi::Chip& chip) noexcept;
  /// The next command that begins in the current cycle; its engine is busy from now on. Call until kNoCommand, then advance. No optional: g++ 12 puts
  /// one that is returned in a register together in memory, and the load waits for both stores.
  [[nodiscard]] std::uint32_t issue() noexcept;
  /// When the next command retires, or changes from waiting for DRAM to transferring; kNever when nothing runs.
  [[nodiscard]] std::uint64_t next_event() const noexcept;
  /// Goes to `cycle`, at most next_event(), and retires what ends there.
  void advance(std::uint64_t cycle) noexcept;

  [[nodiscard]] bool finished() const noexcept;  // everything retired: END
  [[nodiscard]] std::uint64_t cycle() const noexcept { return cycle_; }
  [[nodiscard]] std::uint64_t retired() const noexcept { return retired_; }
  [[nodiscard]] const EngineCounts& counts() const noexcept { return counts_; }
  /// Those that the job has commands for; nothing is counted for the others.
  [[nodiscard]] std::span<const std::uint8_t> used() const noexcept { return std::span(used_).first(used_count_); }
  /// Commands now in execution on `engine`: index, if any.
  [[nodiscard]] std::optional<std::uint32_t> running(unsigned engine) const noexcept;

 private:
  enum class Phase : std::uint8_t { kReady, kWaiting, kFixed, kTransferring };
  struct EngineState {
    Phase phase = Phase::kReady;
    std::size_t position = 0;        // in its list of commands
    std::uint64_t since = 0;         // cycle at which the phase or the wait began
    std::uint64_t begun = 0;         // cycle at which the command began
    std::uint64_t until = 0;         // kFixed: its end
    std::uint64_t remaining = 0;     // kTransferring: twelfths of a byte
    std::uint64_t dram_bytes = 0;    // of the command; 0: it does not transfer after kFixed
  };

  void retire(unsigned engine) noexcept;
  [[nodiscard]] std::uint64_t share() const noexcept;  // twelfths of a byte per cycle and transferring engine

  const LoadedStream* stream_ = nullptr;
  const abi::Chip* chip_ = nullptr;
  std::uint64_t cycle_ = 0, retired_ = 0;
  unsigned transferring_ = 0;
  std::array<std::uint8_t, abi::kEnginesMax> used_{};
  std::size_t used_count_ = 0;
  std::array<EngineState, abi::kEnginesMax> engines_{};
  EngineCounts counts_;
};

}  // namespace naru::mockdev
