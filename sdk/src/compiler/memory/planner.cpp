// First fit, again and again. Quadratic in the buffers, of which there are few; where there are many, only in those that live together.
#include "compiler/memory/planner.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "naru/base/bytes.h"
#include "naru/base/random.h"

namespace naru::sdk::compiler {

namespace {

struct Placed {
  std::uint64_t begin, end;
  std::uint32_t first, last;
};

/// Comparisons that the climb may make: milliseconds.
constexpr std::uint64_t kClimbSteps = 2'000'000;
/// With more buffers than this the order of their lives must do.
constexpr std::size_t kOrderedBuffersMax = 4096;

class FirstFit {
 public:
  FirstFit(const std::vector<Buffer>& buffers, std::uint64_t alignment) : buffers_(buffers), alignment_(alignment) {}

  /// Places in this order and keeps the result when it is lower than the best.
  void place(const std::vector<std::size_t>& order, MemoryPlan& best) {
    placed_.clear();
    offsets_.resize(buffers_.size());
    std::uint64_t peak = 0;
    for (std::size_t index : order) {
      const Buffer& buffer = buffers_[index];
      const std::uint64_t bytes = align_up(buffer.bytes, alignment_);
      std::uint64_t at = 0;
      for (const Placed& other : placed_) {
        if (other.last < buffer.first || other.first > buffer.last) continue;
        if (at + bytes <= other.begin) break;
        at = std::max(at, other.end);
      }
      steps_ += placed_.size();
      const Placed entry{at, at + bytes, buffer.first, buffer.last};
      placed_.insert(std::ranges::upper_bound(placed_, entry.begin, {}, &Placed::begin), entry);
      offsets_[index] = at;
      peak = std::max(peak, at + bytes);
    }
    if (!best.offsets.empty() && peak >= best.peak) return;
    best.offsets = offsets_;
    best.peak = peak;
    order_ = order;
  }

  /// As place(), in the order in which lives begin: then only what still lives can be in the way.
  void place_by_time(MemoryPlan& best) {
    std::vector<std::size_t> order(buffers_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return buffers_[i].first; });
    best.offsets.assign(buffers_.size(), 0);
    best.peak = 0;
    placed_.clear();
    std::uint32_t now = 0;
    for (std::size_t index : order) {
      const Buffer& buffer = buffers_[index];
      if (buffer.first != now) std::erase_if(placed_, [&](const Placed& other) { return other.last < buffer.first; });
      now = buffer.first;
      const std::uint64_t bytes = align_up(buffer.bytes, alignment_);
      std::uint64_t at = 0;
      auto next = placed_.begin();
      for (; next != placed_.end() && at + bytes > next->begin; ++next) at = std::max(at, next->end);
      placed_.insert(next, {at, at + bytes, buffer.first, buffer.last});
      best.offsets[index] = at;
      best.peak = std::max(best.peak, at + bytes);
    }
  }

  /// What ends at the peak trades places with something before it in the order; what does no harm is kept, so that the climb crosses plains.
  void climb(MemoryPlan& best) {
    std::vector<std::size_t> order = order_;
    MemoryPlan current = best;
    Random random(order.size());
    while (best.peak > best.live_peak && steps_ < kClimbSteps) {
      const auto on_top = std::ranges::find_if(order, [&](std::size_t i) { return current.offsets[i] + align_up(buffers_[i].bytes, alignment_) == current.peak; });
      const auto at = static_cast<std::size_t>(on_top - order.begin());
      std::vector<std::size_t> changed = order;
      if (at > 0 && random.below(4) != 0) {
        const std::size_t to = random.below(at);
        std::rotate(changed.begin() + static_cast<std::ptrdiff_t>(to), changed.begin() + static_cast<std::ptrdiff_t>(at), changed.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      } else {
        std::swap(changed[random.below(changed.size())], changed[random.below(changed.size())]);
      }
      MemoryPlan next{{}, 0, best.live_peak};
      place(changed, next);
      steps_ += changed.size();
      if (next.peak > current.peak) continue;
      order = std::move(changed);
      current = std::move(next);
      if (current.peak < best.peak) best = current;
    }
  }

 private:
  const std::vector<Buffer>& buffers_;
  std::uint64_t alignment_;
  std::vector<Placed> placed_;  // by begin
  std::vector<std::uint64_t> offsets_;
  std::vector<std::size_t> order_;
  std::uint64_t steps_ = 0;
};

/// The largest sum of what lives at one moment. It grows only where a buffer begins.
std::uint64_t live_peak_of(const std::vector<Buffer>& buffers, std::uint64_t alignment) {
  std::vector<std::pair<std::uint64_t, std::int64_t>> events;  // moment * 2 (+ 1 at an end), bytes
  for (const Buffer& buffer : buffers) {
    const auto bytes = static_cast<std::int64_t>(align_up(buffer.bytes, alignment));
    events.emplace_back(std::uint64_t{buffer.first} * 2, bytes);
    events.emplace_back(std::uint64_t{buffer.last} * 2 + 1, -bytes);
  }
  std::ranges::sort(events);
  std::int64_t live = 0, peak = 0;
  for (const auto& event : events) peak = std::max(peak, live += event.second);
  return static_cast<std::uint64_t>(peak);
}

}  // namespace

MemoryPlan plan_memory(const std::vector<Buffer>& buffers, std::uint64_t alignment) {
  MemoryPlan plan;
  plan.live_peak = live_peak_of(buffers, alignment);
  FirstFit first_fit(buffers, alignment);
  if (buffers.size() > kOrderedBuffersMax) {
    first_fit.place_by_time(plan);
    return plan;
  }
  std::vector<std::size_t> order(buffers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto life = [&](std::size_t i) { return std::uint64_t{buffers[i].last} - buffers[i].first + 1; };
  const auto by = [&](const auto& is_before) {
    if (!plan.offsets.empty() && plan.peak == plan.live_peak) return;
    std::vector<std::size_t> sorted = order;
    std::ranges::stable_sort(sorted, is_before);
    first_fit.place(sorted, plan);
  };
  by([&](std::size_t a, std::size_t b) { return buffers[a].bytes != buffers[b].bytes ? buffers[a].bytes > buffers[b].bytes : life(a) > life(b); });
  by([&](std::size_t a, std::size_t b) { return life(a) != life(b) ? life(a) > life(b) : buffers[a].bytes > buffers[b].bytes; });
  by([&](std::size_t a, std::size_t b) { return static_cast<double>(buffers[a].bytes) * static_cast<double>(life(a)) > static_cast<double>(buffers[b].bytes) * static_cast<double>(life(b)); });
  by([&](std::size_t a, std::size_t b) { return buffers[a].first < buffers[b].first; });
  by([&](std::size_t a, std::size_t b) { return buffers[a].last > buffers[b].last; });
  first_fit.climb(plan);
  return plan;
}

}  // namespace naru::sdk::compiler
