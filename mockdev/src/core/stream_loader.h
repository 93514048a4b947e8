// What the device checks by itself when a stream is loaded. It trusts no host: whatever passes here cannot leave its regions, hang or
// meet an undefined case when it executes. Shares no code with verify/.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "naru/abi/chip.h"
#include "naru/abi/cycles.h"
#include "naru/abi/stream.h"

namespace naru::mockdev {

/// A stream as the engines use it. Immutable.
struct LoadedStream {
  abi::Stream stream;
  std::vector<abi::Cost> costs;                                              // by command
  std::array<std::vector<std::uint32_t>, abi::kEnginesMax> engine_commands;  // indices, in stream order, WAIT and MARK included
  std::array<std::uint8_t, abi::kEnginesMax> engines{};                      // those that have any, ascending: the first engine_count
  std::uint8_t engine_count = 0;
};

struct LoadResult {
  std::shared_ptr<const LoadedStream> stream;  // null: refused
  std::uint32_t command = 0;                   // the one at fault
  std::string_view reason;                     // for the device's log
};

/// May throw std::bad_alloc.
[[nodiscard]] LoadResult load_stream(std::span<const std::byte> bytes, const abi::Chip& chip);

}  // namespace naru::mockdev
