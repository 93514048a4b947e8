// Threads that compute parts of a command for a device whose owner asked for them.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "units/parallel.h"

namespace naru::mockdev {

/// Between one command and the next a thread spins for some ten microseconds, because waking one costs more than most commands; then it sleeps. The caller takes whatever
/// parts no other thread has taken, so that a thread that the system gives no processor delays nothing but the part it is at.
class ComputeThreads final : public Parallel {
 public:
  static constexpr unsigned kMax = 64;

  /// `count` (2 to kMax) with the caller's. std::system_error: no thread to be had.
  explicit ComputeThreads(unsigned count);
  ~ComputeThreads() override;
  ComputeThreads(const ComputeThreads&) = delete;
  ComputeThreads& operator=(const ComputeThreads&) = delete;

  [[nodiscard]] unsigned threads() const noexcept override { return static_cast<unsigned>(threads_.size()) + 1; }
  void run(unsigned parts, Task task, void* context) noexcept override;

 private:
  void work(unsigned thread) noexcept;
  /// Until no part of this round is left to take.
  void take_parts(std::uint32_t round, unsigned thread) noexcept;
  void stop() noexcept;

  // Of the round; written while no part can be taken.
  Task task_ = nullptr;
  void* context_ = nullptr;
  /// Round << 32 | parts << 16 | the next part: a thread that wakes late finds another round and takes nothing.
  std::atomic<std::uint64_t> next_{0};
  std::atomic<unsigned> unfinished_{0};
  std::atomic<std::uint32_t> round_{0};
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
};

}  // namespace naru::mockdev
