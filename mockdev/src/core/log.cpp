// A line is stamped with device time; the oldest half goes when the log is full.
#include "core/log.h"

#include <algorithm>
#include <cstring>

namespace naru::mockdev {
namespace {
constexpr std::size_t kLogBytesMax = 64 * 1024;
}

void Log::append(TimePoint now, std::string_view line) {
  if (text_.size() + line.size() + 32 > kLogBytesMax) {
    const std::size_t cut = text_.find('\n', text_.size() / 2);
    text_.erase(0, cut == std::string::npos ? text_.size() : cut + 1);
  }
  text_ += fmt::format("[{:>12}.{:03}] {}\n", now.count() / 1'000'000, now.count() / 1000 % 1000, line.substr(0, 256));
}

std::size_t Log::read(std::size_t skip, std::span<std::byte> target) const noexcept {
  if (skip >= text_.size()) return 0;
  const std::size_t end = text_.size() - skip;
  const std::size_t count = std::min(end, target.size());
  if (count != 0) std::memcpy(target.data(), text_.data() + end - count, count);
  return count;
}

}  // namespace naru::mockdev
