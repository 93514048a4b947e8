// The smallest legal transport: no cable, no device. To copy from, and to run the driver's refusals against.
#pragma once

#include <memory>

#include "naru/driver/transport.h"

namespace naru::driver {

/// Swallows OUT data, answers IN with zero-length packets, stalls every control request. Its clock is virtual and moves in wait() only.
[[nodiscard]] NARU_API std::unique_ptr<Transport> make_null_transport();

}  // namespace naru::driver
