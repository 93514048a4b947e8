// How long a stream takes on a chip: engines beside each other, waits, and the DRAM's bandwidth shared. The device simulates the same by itself; the
// two have only the cost of one command in common (abi/cycles.h).
#pragma once

#include <cstdint>
#include <vector>

#include "naru/abi/chip.h"
#include "naru/abi/stream.h"

namespace naru::sdk::compiler {

/// Cycles from the first command to END, by the regions that the stream declares. The waits must be satisfiable.
[[nodiscard]] std::uint64_t predict_cycles(const abi::Stream& stream, const abi::Chip& chip);

/// When each command of the stream runs, by its place in it; WAIT, MARK and END take no time and stand where they are reached.
struct Interval {
  std::uint64_t begin = 0, end = 0;  // cycles
};
[[nodiscard]] std::vector<Interval> predict_timeline(const abi::Stream& stream, const abi::Chip& chip);

}  // namespace naru::sdk::compiler
