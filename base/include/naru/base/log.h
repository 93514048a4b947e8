// Logging: silent unless asked, by a callback or by NARU_LOG (error|warning|info|debug|trace, to stderr).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "naru/base/export.h"

namespace naru {

enum class LogLevel { kError, kWarning, kInfo, kDebug, kTrace, kSilent };

/// Called from whichever thread logs, one call at a time; must not call back into Naru.
using LogCallback = std::function<void(LogLevel level, std::string_view area, std::string_view message)>;

/// Replaces the sink; an empty callback gives the default back (stderr when NARU_LOG is set, else nothing). Thread: any.
NARU_API void set_log_callback(LogCallback callback, LogLevel level = LogLevel::kInfo);

[[nodiscard]] NARU_API bool log_enabled(LogLevel level) noexcept;
NARU_API void log_write(LogLevel level, std::string_view area, std::string_view message) noexcept;

/// `log(LogLevel::kInfo, "driver", "opened {}", serial);` costs one load when nobody listens.
template <typename... Args>
void log(LogLevel level, std::string_view area, fmt::format_string<Args...> format, Args&&... args) noexcept {
  if (!log_enabled(level)) return;
  try {
    log_write(level, area, fmt::format(format, std::forward<Args>(args)...));
  } catch (...) {
    // A log line that cannot be made must not break what it describes.
  }
}

}  // namespace naru
