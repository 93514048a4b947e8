// Sizes from hostile numbers: what does not fit 64 bits stays at the top, where every bounds check refuses it.
#pragma once

#include <cstdint>
#include <limits>

#include "naru/base/bytes.h"

namespace naru::verify {

inline constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();

[[nodiscard]] constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) noexcept { return checked_add(a, b).value_or(kUnbounded); }
[[nodiscard]] constexpr std::uint64_t saturating_mul(std::uint64_t a, std::uint64_t b) noexcept { return checked_mul(a, b).value_or(kUnbounded); }

}  // namespace naru::verify
