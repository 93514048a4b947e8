// The device's own log, read over EP0: the newest text, bounded, so that no request can make it grow.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "naru/base/clock.h"

namespace naru::mockdev {

class Log {
 public:
  template <typename... Args>
  void add(TimePoint now, fmt::format_string<Args...> format, Args&&... args) {
    append(now, fmt::format(format, std::forward<Args>(args)...));
  }
  /// Fills `target` with the newest bytes but `skip`, oldest first; returns how many.
  [[nodiscard]] std::size_t read(std::size_t skip, std::span<std::byte> target) const noexcept;

 private:
  void append(TimePoint now, std::string_view line);
  std::string text_;
};

}  // namespace naru::mockdev
