// The version of the headers, and of the library that is loaded.
#pragma once

#include <string_view>

#include "naru/base/export.h"

#define NARU_VERSION_MAJOR 0
#define NARU_VERSION_MINOR 1
#define NARU_VERSION_PATCH 0

namespace naru {

/// "0.1.0" of the library in use, which may be newer than the headers.
[[nodiscard]] NARU_API std::string_view version() noexcept;

}  // namespace naru
