// Who comes before whom: runs the engines' programs against each other's counts and keeps what each command can rely on.
#pragma once

#include <array>
#include <vector>

#include "naru/abi/stream.h"
#include "subject.h"

namespace naru::verify {

/// Per engine, how many of its counted commands are certain to have retired.
using Clock = std::array<std::uint32_t, abi::kEnginesMax>;

struct Ordered {
  std::uint32_t command = 0;  // index in the stream
  std::uint32_t number = 0;   // among its engine's counted commands, from 1
  Clock before{};             // what has retired when it starts, in every run
};

/// The counted commands in an order that keeps every engine's program and every wait.
/// kStreamWait: a wait that can never be met, or that the others imply.  kStreamDeadlock: waits in a circle.
/// `commands`: engines are known to be the chip's; END is the last.
[[nodiscard]] Result<std::vector<Ordered>> order_commands(const std::vector<abi::Command>& commands, unsigned engine_count);

}  // namespace naru::verify
