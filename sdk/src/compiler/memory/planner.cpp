// First fit by decreasing size. Quadratic in buffers that live together, which are few.
#include "compiler/memory/planner.h"

#include <algorithm>
#include <numeric>

#include "naru/base/bytes.h"

namespace naru::sdk::compiler {

MemoryPlan plan_memory(const std::vector<Buffer>& buffers, std::uint64_t alignment) {
  MemoryPlan plan;
  plan.offsets.resize(buffers.size());
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto life = [&](std::size_t i) { return buffers[i].last - buffers[i].first; };
    return buffers[a].bytes != buffers[b].bytes ? buffers[a].bytes > buffers[b].bytes : life(a) > life(b);
  });
  struct Placed {
    std::uint64_t begin, end;
    std::uint32_t first, last;
  };
  std::vector<Placed> placed;  // by begin
  for (std::size_t index : order) {
    const Buffer& buffer = buffers[index];
    const std::uint64_t bytes = align_up(buffer.bytes, alignment);
    std::uint64_t at = 0;
    for (const Placed& other : placed) {
      if (other.last < buffer.first || other.first > buffer.last) continue;
      if (at + bytes <= other.begin) break;
      at = std::max(at, other.end);
    }
    const Placed entry{at, at + bytes, buffer.first, buffer.last};
    placed.insert(std::ranges::upper_bound(placed, entry.begin, {}, &Placed::begin), entry);
    plan.offsets[index] = at;
    plan.peak = std::max(plan.peak, at + bytes);
  }
  // The live sum changes only where a buffer begins.
  for (const Buffer& moment : buffers) {
    std::uint64_t live = 0;
    for (const Buffer& buffer : buffers)
      if (buffer.first <= moment.first && moment.first <= buffer.last) live += align_up(buffer.bytes, alignment);
    plan.live_peak = std::max(plan.live_peak, live);
  }
  return plan;
}

}  // namespace naru::sdk::compiler
