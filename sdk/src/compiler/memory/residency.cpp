// Greedy: what saves most traffic for the time that it occupies memory comes first. If the planner's gaps make the choice too large, the last ones
// leave again.
#include "compiler/memory/residency.h"

#include <algorithm>
#include <numeric>

#include "naru/base/bytes.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::uint64_t kAlignment = 64;

class Planner {
 public:
  Planner(const std::vector<std::vector<std::uint64_t>>& tile_buffers, const std::vector<ResidentCandidate>& candidates, std::uint64_t sram_bytes)
      : tile_buffers_(tile_buffers), candidates_(candidates), sram_bytes_(sram_bytes), used_(tile_buffers.size()) {
    for (std::size_t i = 0; i < tile_buffers.size(); ++i)
      for (std::uint64_t bytes : tile_buffers[i]) used_[i] += align_up(bytes, kAlignment);
    tiles_ = used_;
  }

  SramPlan run() {
    choose();
    while (true) {
      for (bool beside_next : {true, false}) {
        const MemoryPlan plan = plan_memory(buffers(beside_next), kAlignment);
        if (plan.peak <= sram_bytes_ || (chosen_.empty() && !beside_next)) return result(plan);
      }
      const ResidentCandidate& last = candidates_[chosen_.back()];
      for (std::uint32_t i = last.first; i <= last.last; ++i) used_[i] -= align_up(last.bytes, kAlignment);
      chosen_.pop_back();
    }
  }

 private:
  void choose() {
    std::vector<std::size_t> order(candidates_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // Bytes not moved (once out, once in per reader) per byte and operator occupied; compared without division.
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      const auto& x = candidates_[a];
      const auto& y = candidates_[b];
      return std::uint64_t{x.readers + 1} * (y.last - y.first + 1) > std::uint64_t{y.readers + 1} * (x.last - x.first + 1);
    });
    for (std::size_t index : order) {
      const ResidentCandidate& candidate = candidates_[index];
      const std::uint64_t bytes = align_up(candidate.bytes, kAlignment);
      bool fits = true;
      for (std::uint32_t i = candidate.first; fits && i <= candidate.last; ++i) fits = used_[i] + bytes <= sram_bytes_;
      if (!fits) continue;
      for (std::uint32_t i = candidate.first; i <= candidate.last; ++i) used_[i] += bytes;
      chosen_.push_back(index);
    }
  }

  [[nodiscard]] std::vector<Buffer> buffers(bool beside_next) const {
    std::vector<Buffer> buffers;
    for (std::uint32_t i = 0; i < tile_buffers_.size(); ++i) {
      const bool longer = beside_next && i + 1 < tile_buffers_.size() && tiles_[i] + used_[i + 1] <= sram_bytes_;
      for (std::uint64_t bytes : tile_buffers_[i]) buffers.push_back({bytes, i, longer ? i + 1 : i});
    }
    for (std::size_t index : chosen_) buffers.push_back({candidates_[index].bytes, candidates_[index].first, candidates_[index].last});
    return buffers;
  }

  [[nodiscard]] SramPlan result(const MemoryPlan& plan) const {
    SramPlan result;
    result.residents.resize(candidates_.size());
    result.peak = plan.peak;
    result.live_peak = plan.live_peak;
    std::size_t next = 0;
    for (const auto& buffers : tile_buffers_) {
      auto& offsets = result.tiles.emplace_back();
      for (std::size_t i = 0; i < buffers.size(); ++i) offsets.push_back(plan.offsets[next++]);
    }
    for (std::size_t index : chosen_) result.residents[index] = plan.offsets[next++];
    return result;
  }

  const std::vector<std::vector<std::uint64_t>>& tile_buffers_;
  const std::vector<ResidentCandidate>& candidates_;
  std::uint64_t sram_bytes_;
  std::vector<std::uint64_t> used_, tiles_;  // per operator: with residents, and of tiles alone
  std::vector<std::size_t> chosen_;
};

}  // namespace

SramPlan plan_sram(const std::vector<std::vector<std::uint64_t>>& tile_buffers, const std::vector<ResidentCandidate>& candidates, std::uint64_t sram_bytes) {
  return Planner(tile_buffers, candidates, sram_bytes).run();
}

}  // namespace naru::sdk::compiler
