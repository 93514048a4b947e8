// The judge of command streams: executes one by the loop nests of abi/isa.h and the rules of docs/spec/numerics.md, one element at a time, with
// bounds checks of its own. It shares no computation with the mock device or the verifier, and is as slow as that makes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "naru/abi/stream.h"
#include "naru/base/result.h"

namespace naru::sdk::reference {

/// Runs the whole stream on `regions`, one span per declared region (DRAM and SRAM alike), in an order that keeps every engine's program and
/// every wait: the one outcome of a stream without hazards. Commands before a fault have taken effect.
/// kInvalidArgument: not one span per region.  kStreamBounds, kStreamRights, kStreamRegion: an access outside a region's declaration or its span.
/// kStreamField: a code without a meaning.  kStreamDeadlock: waits that no order meets.  kStreamEnd: not exactly one END, last.
/// kStreamBudget: more than `steps_max` element steps.
[[nodiscard]] Result<void> interpret_stream(const abi::Stream& stream, std::span<const std::span<std::byte>> regions,
                                            std::uint64_t steps_max = std::numeric_limits<std::uint64_t>::max());

}  // namespace naru::sdk::reference
