// SIGINT and SIGTERM while a verb works: the first asks it to end in order, the second ends the process as usual.
#pragma once

namespace naru::cli {

/// From construction to destruction the first signal is only remembered. One at a time.
class Interruption {
 public:
  Interruption() noexcept;
  ~Interruption();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  [[nodiscard]] bool requested() const noexcept;
};

}  // namespace naru::cli
