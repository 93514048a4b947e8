// The process-wide log sink: a user's callback, or stderr through spdlog when NARU_LOG asks for it.
#include "naru/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <mutex>

namespace naru {
namespace {

LogLevel level_from_environment() {
  const char* text = std::getenv("NARU_LOG");
  if (text == nullptr) return LogLevel::kSilent;
  const std::string_view name = text;
  if (name == "error") return LogLevel::kError;
  if (name == "warning") return LogLevel::kWarning;
  if (name == "debug") return LogLevel::kDebug;
  if (name == "trace") return LogLevel::kTrace;
  if (name == "off" || name.empty()) return LogLevel::kSilent;
  return LogLevel::kInfo;
}

struct Sink {
  std::mutex mutex;
  LogCallback callback;
  std::shared_ptr<spdlog::logger> standard_error;
  std::atomic<int> level{-1};  // -1: silent; otherwise the highest LogLevel that is written

  Sink() { set_level(level_from_environment()); }
  void set_level(LogLevel value) { level.store(value == LogLevel::kSilent ? -1 : static_cast<int>(value), std::memory_order_relaxed); }
};

Sink& sink() {
  static Sink instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError: return spdlog::level::err;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kTrace: return spdlog::level::trace;
    case LogLevel::kSilent: break;
  }
  return spdlog::level::off;
}

}  // namespace

void set_log_callback(LogCallback callback, LogLevel level) {
  Sink& out = sink();
  const std::scoped_lock lock(out.mutex);
  out.set_level(callback ? level : level_from_environment());
  out.callback = std::move(callback);
}

bool log_enabled(LogLevel level) noexcept { return static_cast<int>(level) <= sink().level.load(std::memory_order_relaxed); }

void log_write(LogLevel level, std::string_view area, std::string_view message) noexcept {
  try {
    Sink& out = sink();
    const std::scoped_lock lock(out.mutex);
    if (out.callback) {
      out.callback(level, area, message);
      return;
    }
    if (!out.standard_error) {
      out.standard_error = std::make_shared<spdlog::logger>("naru", std::make_shared<spdlog::sinks::stderr_sink_mt>());
      out.standard_error->set_level(spdlog::level::trace);
      out.standard_error->set_pattern("%H:%M:%S.%f naru %l %v");
    }
    out.standard_error->log(to_spdlog(level), "{}: {}", area, message);
  } catch (...) {
    // Logging never becomes the failure.
  }
}

}  // namespace naru
