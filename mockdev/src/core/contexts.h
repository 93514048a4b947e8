// Open contexts and their queues' timelines: which fences were submitted, which are signalled, which of those failed.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "naru/abi/wire.h"

namespace naru::mockdev {

struct Timeline {
  std::uint64_t submitted = 0, completed = 0;
  std::deque<std::uint64_t> failed;  // the newest ones that failed

  void complete(std::uint64_t fence, bool ok) {
    completed = fence;
    if (ok) return;
    failed.push_back(fence);
    if (failed.size() > 1024) failed.pop_front();
  }
};

struct Context {
  std::uint32_t id = 0;  // 0: closed
  std::array<Timeline, abi::kQueues> queues;
};

class ContextTable {
 public:
  static constexpr std::size_t kContextsMax = 64;

  /// 0: all are in use.
  [[nodiscard]] std::uint32_t open() {
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
      if (contexts_[i].id != 0) continue;
      // An id is not used again before 2^26 others of its place were.
      generation_ = generation_ % 0x03FFFFFF + 1;
      contexts_[i] = Context{.id = static_cast<std::uint32_t>(generation_ * kContextsMax + i), .queues = {}};
      ++open_;
      return contexts_[i].id;
    }
    return 0;
  }
  [[nodiscard]] Context* find(std::uint32_t id) noexcept {
    Context& context = contexts_[id % kContextsMax];
    return id != 0 && context.id == id ? &context : nullptr;
  }
  void close(std::uint32_t id) noexcept {
    if (Context* context = find(id)) {
      *context = Context{};
      --open_;
    }
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return open_; }
  template <typename Use>
  void for_each(Use&& use) {
    for (Context& context : contexts_)
      if (context.id != 0) use(context);
  }

 private:
  std::array<Context, kContextsMax> contexts_;
  std::uint32_t generation_ = 0;
  std::uint32_t open_ = 0;
};

}  // namespace naru::mockdev
