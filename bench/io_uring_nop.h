// What the kernel's own queue costs for an operation that does nothing: the peer of the null job.
#pragma once

#include <cstddef>
#include <memory>

namespace naru::bench {

/// One ring of this thread. Throws std::runtime_error where the kernel refuses one.
class IoUringNop {
 public:
  IoUringNop();
  ~IoUringNop();
  IoUringNop(const IoUringNop&) = delete;
  IoUringNop& operator=(const IoUringNop&) = delete;

  /// Submits `count` (1 to 64) in one call, waits for all, takes their completions.
  void run(std::size_t count);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace naru::bench
