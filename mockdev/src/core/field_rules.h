// The device's rules for the fields of every command: what the units need to hold before they may run.
#pragma once

#include <string_view>

#include "naru/abi/isa.h"

namespace naru::mockdev {

/// Empty: fine. Otherwise what is wrong, for the log.
[[nodiscard]] std::string_view field_fault(const abi::CommandBody& body) noexcept;

/// Inner steps of the command's loop nest, saturating: bounds its cycle formula and the host work behind it.
[[nodiscard]] std::uint64_t steps_of(const abi::CommandBody& body) noexcept;

}  // namespace naru::mockdev
