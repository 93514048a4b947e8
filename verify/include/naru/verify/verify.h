// The stream verifier: a stream that it accepts touches only what its regions allow, in an order that its waits make certain, within
// the chip's longest job. Host side only; the device has checks of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "naru/abi/chip.h"
#include "naru/abi/stream.h"
#include "naru/base/result.h"

namespace naru::verify {

struct Options {
  /// Longest job allowed, cycles; 0 stands for the chip's own.
  std::uint64_t cycles_max = 0;
  /// Comparisons that the hazard check may make before it gives up and refuses: bounds the time that a hostile stream can take.
  std::uint64_t hazard_steps_max = 100'000'000;
};

/// What an accepted stream does.
struct Report {
  struct RegionUse {
    std::uint64_t bytes_read = 0;     // sum over all commands
    std::uint64_t bytes_written = 0;  // likewise
    std::uint64_t extent = 0;         // one past the highest byte that any command touches
  };
  std::vector<RegionUse> regions;                                                           // by region number
  std::array<std::uint32_t, abi::kEnginesMax> commands_by_engine{};                         // counted ones: no WAIT, MARK, END
  std::array<std::uint32_t, std::variant_size_v<abi::CommandBody>> commands_by_kind{};      // by index in abi::CommandBody
  std::uint64_t cycles_worst = 0;  // no run takes longer
  std::uint64_t macs = 0;
  std::uint64_t sram_bytes = 0;  // of all SRAM regions
  std::uint64_t dram_bytes = 0;  // of all DRAM regions
};

/// Checks the stream's framing, then all that the other overload checks.
[[nodiscard]] NARU_API Result<Report> verify_stream(std::span<const std::byte> bytes, const abi::Chip& chip, const Options& options = {});

/// Refuses with the first fault found: its id tells the check, its message the command's index and name, the field and the values.
/// Pure: same stream and chip, same answer. Does not block; takes milliseconds for ten thousands of commands.
/// kStreamEnd, kStreamRegion, kStreamEngine, kStreamField, kStreamReserved, kStreamAlignment, kStreamMemoryKind, kStreamRights, kStreamBounds, kStreamOverlap:
/// a command by itself.  kStreamWait, kStreamDeadlock, kStreamHazard: their order.  kStreamBudget: too much work.  kStreamVersion: another
/// instruction set.  kInvalidArgument: the chip's numbers.
[[nodiscard]] NARU_API Result<Report> verify_stream(const abi::Stream& stream, const abi::Chip& chip, const Options& options = {});

/// What a job binds to one of the stream's regions.
struct BoundRegion {
  abi::MemoryKind memory = abi::MemoryKind::kDram;
  abi::Rights rights = abi::Rights::kNone;
  std::uint64_t buffer = 0;  // whose bytes; equal numbers are the same buffer. Not looked at for SRAM, where each region is a place of its own
  std::uint64_t offset = 0;  // in the buffer, bytes
  std::uint64_t length = 0;  // bytes
};

/// Checks that `regions` satisfy the stream's declarations (count, memory kind, rights, length) and that no region that is declared writable shares
/// a byte with another one. kStreamBinding names the region.
[[nodiscard]] NARU_API Result<void> verify_binding(const abi::Stream& stream, std::span<const BoundRegion> regions);

}  // namespace naru::verify
