// Who else may compute: the units cut a large command into parts and hand them out; they know no thread.
#pragma once

namespace naru::mockdev {

class Parallel {
 public:
  virtual ~Parallel() = default;
  /// This one and those beside it; the same for ever.
  [[nodiscard]] virtual unsigned threads() const noexcept = 0;
  using Task = void (*)(void* context, unsigned part, unsigned thread);
  /// Calls task for part 0 to `parts` - 1 (`parts` at most 65535), each once, on whichever thread is free (0: this one); returns when all are done.
  virtual void run(unsigned parts, Task task, void* context) noexcept = 0;
};

}  // namespace naru::mockdev
