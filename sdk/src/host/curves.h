// The curves of 16 bits (numerics 25) that LOGISTIC, TANH and the gates of a recurrent cell share.
#pragma once

#include <cstdint>

#include "numerics/numerics.h"

namespace naru::sdk::host {

/// Results have scale 2^-15.
[[nodiscard]] std::int16_t logistic_i16(std::int16_t code, numerics::CurveParameters parameters) noexcept;
[[nodiscard]] std::int16_t tanh_i16(std::int16_t code, numerics::CurveParameters parameters) noexcept;

}  // namespace naru::sdk::host
