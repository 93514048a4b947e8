// Checks of our own mistakes (never of input: that is what errors are for). On in release builds; nothing ends the process.
#pragma once

#include <fmt/format.h>

#include "naru/base/result.h"

/// Returns ErrorId::kInternal from the surrounding Result-returning function when `condition` does not hold.
#define NARU_CHECK(condition)                                                                                          \
  do {                                                                                                                 \
    if (!(condition)) [[unlikely]]                                                                                     \
      return ::naru::fail(::naru::ErrorId::kInternal, fmt::format("Internal check failed: {} ({}:{})", #condition, __FILE_NAME__, __LINE__)); \
  } while (false)

#ifndef __FILE_NAME__
#define __FILE_NAME__ __FILE__
#endif
