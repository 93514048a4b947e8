// First everything is assumed to stay. Where it does not fit, operators fall back to tiles, and what saves most traffic for the memory that it
// occupies stays beside them. Then loads move forward into what is left, in the order in which they are needed.
#include "compiler/memory/staging.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "naru/base/bytes.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::uint64_t kAlignment = 64;
/// In a job with tiles, loads share their engine with the tiles' own, which must not wait long.
constexpr std::uint32_t kAheadBesideTiles = 2;
constexpr int kRoundsMax = 64;

std::uint64_t aligned(std::uint64_t bytes) { return align_up(bytes, kAlignment); }

class Planner {
 public:
  Planner(const std::vector<StagedOperator>& operators, std::span<const TensorFacts> facts, std::span<const Alias> aliases, const abi::Chip& chip)
      : operators_(operators), facts_(facts), aliases_(aliases), sram_bytes_(chip.sram_bytes) {
    // What a DMA command could move before its first byte comes. A second engine hides that time, but only behind as many bytes.
    const std::uint64_t hidden = (std::uint64_t{chip.dram_latency_cycles} + chip.start_cycles) * chip.dram_bytes_per_cycle;
    load_bytes_min_ = hidden * (chip.dma_engines > 1 ? 1 : 8);
    collect();
  }

  Staging run(bool weights_stay) {
    limit_ = load_limit_ = sram_bytes_;
    if (weights_stay && choose() && std::ranges::find(whole_, false) == whole_.end()) {
      stage(1);
      if (hold_weights() && place()) return finish();
      weights_stay_ = false;
    }
    // Gaps between buffers need some room: what does not fit is planned again for less.
    for (std::uint64_t sixteenths = 16; sixteenths >= 6; sixteenths -= 2) {
      limit_ = sram_bytes_ / 16 * sixteenths;
      if (!choose()) continue;
      for (std::uint64_t room = sixteenths; room >= 6; --room) {
        load_limit_ = sram_bytes_ / 16 * room;
        stage(std::uint32_t{1} << 30);
        if (place()) return finish();
      }
      stage(0);
      if (place()) return finish();
    }
    whole_.assign(operators_.size(), false);
    stays_.assign(all_.size(), false);
    limit_ = sram_bytes_;
    beside_ = false;
    frame();
    stage(0);
    (void)place();
    return finish();
  }

 private:
  /// Every (tensor, job) that could stay.
  void collect() {
    std::map<std::pair<std::uint32_t, TensorId>, std::size_t> known;
    std::map<TensorId, std::uint32_t> last_job;
    touched_.resize(operators_.size());
    for (std::uint32_t i = 0; i < operators_.size(); ++i) {
      const auto touch = [&](TensorId root, bool reads) {
        const auto [found, is_new] = known.try_emplace({operators_[i].job, root}, all_.size());
        if (is_new) {
          StagedTensor tensor;
          tensor.root = root;
          tensor.job = operators_[i].job;
          tensor.first = i;
          tensor.loads = reads;
          tensor.bytes = facts_[static_cast<std::size_t>(root)].bytes;
          all_.push_back(tensor);
        }
        StagedTensor& tensor = all_[found->second];
        tensor.last = i;
        tensor.readers += reads ? 1 : 0;
        if (!reads) {
          tensor.writer = i;
          tensor.stores = facts_[static_cast<std::size_t>(root)].has_home;
        }
        if (!std::ranges::count(touched_[i], found->second)) touched_[i].push_back(found->second);
        last_job[root] = operators_[i].job;
      };
      for (TensorId root : operators_[i].reads) touch(root, true);
      touch(operators_[i].writes, false);
    }
    std::map<TensorId, std::uint32_t> writing_job;
    for (std::uint32_t i = 0; i < operators_.size(); ++i)
      for (std::size_t t : touched_[i])
        if (operators_[i].writes == all_[t].root) {
          if (last_job[all_[t].root] != all_[t].job) all_[t].stores = true;
          // What two jobs write, each a part, neither may store as a whole.
          if (writing_job.try_emplace(all_[t].root, all_[t].job).first->second != all_[t].job) torn_.insert(all_[t].root);
        }
  }

  [[nodiscard]] bool has_home(const StagedTensor& tensor) const { return tensor.loads || tensor.stores; }

  // --- what stays ---

  /// False when it does not come to rest.
  bool choose() {
    whole_.assign(operators_.size(), false);
    stays_.assign(all_.size(), true);
    for (std::size_t t = 0; t < all_.size(); ++t) stays_[t] = !torn_.contains(all_[t].root);
    for (std::size_t i = 0; i < operators_.size(); ++i)
      whole_[i] = operators_[i].may_be_whole && std::ranges::all_of(touched_[i], [&](std::size_t t) { return stays_[t]; });
    for (int round = 0; round < kRoundsMax; ++round) {
      frame();
      bool changed = false;
      const auto use = occupied();
      for (std::size_t i = 0; i < operators_.size(); ++i)
        if (whole_[i] && use[i] > limit_) {
          whole_[i] = false;
          changed = true;
        }
      bool rests = !changed;
      for (std::size_t i = 0; rests && i < use.size(); ++i) rests = use[i] <= std::max(limit_, own_bytes(i));
      if (rests) return true;
      frame();
      keep_best();
      for (std::size_t i = 0; i < operators_.size(); ++i)
        if (whole_[i] && !std::ranges::all_of(touched_[i], [&](std::size_t t) { return stays_[t]; })) whole_[i] = false;
      frame();
    }
    return false;
  }

  [[nodiscard]] std::uint64_t own_bytes(std::size_t i) const {
    if (whole_[i]) return aligned(operators_[i].weights_bytes);
    std::uint64_t total = 0;
    for (std::uint64_t bytes : operators_[i].tiles) total += aligned(bytes);
    return total;
  }

  [[nodiscard]] std::vector<std::uint64_t> occupied() const {
    std::vector<std::uint64_t> use(operators_.size());
    for (std::size_t i = 0; i < use.size(); ++i) use[i] = own_bytes(i);
    for (std::size_t t = 0; t < all_.size(); ++t)
      if (stays_[t])
        for (std::uint32_t i = all_[t].first; i <= all_[t].last; ++i) use[i] += aligned(all_[t].bytes);
    return use;
  }

  void keep_best() {
    std::vector<std::size_t> order(all_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // Bytes not moved per byte and operator occupied; what has a home moves once in any case.
    const auto saved = [&](const StagedTensor& tensor) {
      const std::uint64_t moves = std::uint64_t{tensor.readers} + 1;
      return has_home(tensor) ? 2 * (moves - 1) - 1 + (moves == 1 ? 2 : 0) : 2 * moves;
    };
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
      const auto& x = all_[a];
      const auto& y = all_[b];
      return saved(x) * (y.last - y.first + 1) > saved(y) * (x.last - x.first + 1);
    });
    std::vector<std::uint64_t> use(operators_.size());
    for (std::size_t i = 0; i < use.size(); ++i) use[i] = own_bytes(i);
    std::vector<bool> useful(all_.size());
    for (std::size_t i = 0; i < operators_.size(); ++i)
      for (std::size_t t : touched_[i]) useful[t] = useful[t] || whole_[i] || !has_home(all_[t]);
    for (std::size_t t : order) {
      const StagedTensor& tensor = all_[t];
      bool fits = useful[t] && !torn_.contains(tensor.root);
      for (std::uint32_t i = tensor.first; fits && i <= tensor.last; ++i) fits = use[i] + aligned(tensor.bytes) <= limit_;
      stays_[t] = fits;
      if (!fits) continue;
      for (std::uint32_t i = tensor.first; i <= tensor.last; ++i) use[i] += aligned(tensor.bytes);
    }
  }

  // --- frames ---

  /// Gives frames to tensors that only whole operators touch; operators that would need one and cannot have it are not whole.
  void frame() {
    for (bool again = true; again;) {
      again = false;
      nests_.clear();
      for (const StagedOperator& op : operators_) nests_.push_back(*op.nest);
      for (StagedTensor& tensor : all_) {
        tensor.frame = {};
        tensor.bytes = facts_[static_cast<std::size_t>(tensor.root)].bytes;
      }
      std::vector<std::optional<Frame>> wanted(all_.size());
      std::vector<bool> refused(all_.size());
      for (std::size_t i = 0; i < operators_.size(); ++i) want(i, wanted, refused);
      for (std::size_t i = 0; i < operators_.size(); ++i) {
        if (!whole_[i]) continue;
        const Nest before = nests_[i];
        for (std::size_t t : touched_[i])
          if (wanted[t] && !refused[t] && !walk_in_frame(nests_[i], all_[t].root, aliases_, *wanted[t])) refused[t] = true;
      }
      // A second pass, for a refusal may come after others have changed.
      for (std::size_t i = 0; i < operators_.size(); ++i) {
        nests_[i] = *operators_[i].nest;
        if (!whole_[i]) continue;
        for (std::size_t t : touched_[i]) {
          if (!wanted[t]) continue;
          if (!refused[t] && walk_in_frame(nests_[i], all_[t].root, aliases_, *wanted[t])) continue;
          refused[t] = true;
        }
        const auto* window = std::get_if<WindowNest>(operators_[i].nest);
        if (window == nullptr) continue;
        if (!needs_border(*window)) continue;
        const std::size_t t = input_of(i);
        if (!wanted[t] || refused[t]) {
          whole_[i] = false;
          again = true;
        }
      }
      if (again) continue;
      for (std::size_t t = 0; t < all_.size(); ++t) {
        if (!wanted[t] || refused[t]) continue;
        all_[t].frame = *wanted[t];
        all_[t].bytes = wanted[t]->bytes();
      }
    }
  }

  /// Windows that read outside the image, whether a frame can serve them or not.
  static bool needs_border(const WindowNest& nest) {
    WindowNest alone = nest;
    alone.window.batch = 1;
    return wanted_frame(alone).has_value();
  }

  [[nodiscard]] std::size_t input_of(std::size_t i) const {
    return *std::ranges::find(touched_[i], operators_[i].reads.front(), [&](std::size_t t) { return all_[t].root; });
  }

  void want(std::size_t i, std::vector<std::optional<Frame>>& wanted, std::vector<bool>& refused) {
    for (std::size_t t : touched_[i])
      if (!whole_[i]) refused[t] = true;
    const auto* window = std::get_if<WindowNest>(operators_[i].nest);
    if (window == nullptr || !whole_[i]) return;
    const auto frame = wanted_frame(*window);
    if (!frame) return;
    const std::size_t t = input_of(i);
    StagedTensor& tensor = all_[t];
    if (wanted[t] && tensor.border_value != window->window.input_zero) refused[t] = true;
    tensor.border_value = window->window.input_zero;
    const auto both = wanted[t] ? joined(*wanted[t], *frame) : frame;
    if (!both || both->rows * both->row_bytes() != facts_[static_cast<std::size_t>(tensor.root)].bytes) refused[t] = true;
    else wanted[t] = both;
  }

  // --- when it gets there ---

  void stage(std::uint32_t ahead) {
    std::map<std::uint32_t, bool> has_tiles;
    for (std::size_t i = 0; i < operators_.size(); ++i) has_tiles[operators_[i].job] = has_tiles[operators_[i].job] || !whole_[i];
    auto use = occupied();
    staged_.clear();
    weights_.clear();
    users_of_weights_.clear();
    for (std::size_t t = 0; t < all_.size(); ++t) {
      if (!stays_[t]) continue;
      StagedTensor tensor = all_[t];
      tensor.issue = tensor.first;
      // The border is filled while the operator before is at work.
      if (ahead > 0 && !tensor.loads && tensor.frame.any()) advance(tensor.issue, 1, tensor.bytes, use);
      staged_.push_back(tensor);
    }
    group_weights(use);
    struct Load {
      std::uint32_t* issue;
      std::uint64_t bytes;
    };
    std::vector<Load> loads;
    for (StagedWeights& weights : weights_) loads.push_back({&weights.issue, weights.bytes});
    for (StagedTensor& tensor : staged_)
      if (tensor.loads) loads.push_back({&tensor.issue, tensor.bytes});
    std::ranges::stable_sort(loads, {}, [](const Load& load) { return *load.issue; });
    std::uint32_t before = 0;
    for (const Load& load : loads) {
      const std::uint32_t job = operators_[*load.issue].job;
      const std::uint32_t most = has_tiles[job] ? std::min(ahead, kAheadBesideTiles) : ahead;
      advance(*load.issue, std::min(most, *load.issue - std::min(*load.issue, before)), load.bytes, use);
      before = *load.issue;
    }
  }

  /// Moves the beginning of a life forward by up to `most` operators of the job while there is room.
  void advance(std::uint32_t& issue, std::uint32_t most, std::uint64_t bytes, std::vector<std::uint64_t>& use) const {
    const std::uint32_t job = operators_[issue].job;
    for (; most > 0 && issue > 0 && operators_[issue - 1].job == job && use[issue - 1] + aligned(bytes) <= load_limit_; --most) {
      --issue;
      use[issue] += aligned(bytes);
    }
  }

  /// All weights from the first operator to the last. False when that cannot be.
  bool hold_weights() {
    weights_stay_ = true;
    std::uint64_t total = 0;
    for (StagedWeights& weights : weights_) {
      total += aligned(weights.bytes);
      weights.issue = 0;
    }
    return total <= sram_bytes_;
  }

  /// What an operator of this job uses already, its weights among them: kept from its last user to this one where there is room.
  bool share_weights(std::uint32_t user, std::vector<std::uint64_t>& use) {
    const StagedOperator& op = operators_[user];
    for (auto at = weights_.rbegin(); at != weights_.rend(); ++at) {
      StagedWeights& weights = *at;
      if (operators_[weights.first].job != op.job || op.weights_begin < weights.begin || op.weights_begin + op.weights_bytes > weights.begin + weights.bytes) continue;
      for (std::uint32_t i = weights.last + 1; i < user; ++i)
        if (use[i] + aligned(weights.bytes) > limit_) return false;
      for (std::uint32_t i = weights.last + 1; i < user; ++i) use[i] += aligned(weights.bytes);
      weights.last = user;
      return true;
    }
    return false;
  }

  void group_weights(std::vector<std::uint64_t>& use) {
    std::vector<std::uint32_t> users;
    for (std::uint32_t i = 0; i < operators_.size(); ++i)
      if (whole_[i] && operators_[i].weights_bytes > 0) users.push_back(i);
    for (std::uint32_t i : users) {
      const StagedOperator& op = operators_[i];
      if (!users_of_weights_.insert(op.weights_begin).second && share_weights(i, use)) continue;
      if (!weights_.empty()) {
        StagedWeights& last = weights_.back();
        const std::uint64_t end = last.begin + last.bytes;
        const bool joins = !last.compact && !op.compact && operators_[last.first].job == op.job && last.bytes < load_bytes_min_ && op.weights_bytes < 2 * load_bytes_min_ && op.weights_begin >= end &&
                           op.weights_begin - end < kAlignment;
        if (joins) {
          last.bytes = op.weights_begin + op.weights_bytes - last.begin;
          last.last = i;
          continue;
        }
      }
      weights_.push_back({op.weights_begin, op.weights_bytes, i, i, i, 0, op.block_bytes, op.compact});
    }
  }

  // --- where ---

  bool place() {
    const auto use = occupied();
    std::vector<Buffer> buffers;
    for (std::uint32_t i = 0; i < operators_.size(); ++i) {
      if (whole_[i]) continue;
      // Neighbours' buffers lie apart where there is room, so that one operator can load while the other ends.
      const bool longer = i + 1 < operators_.size() && operators_[i + 1].job == operators_[i].job && own_bytes(i) + use[i + 1] <= limit_ && beside_;
      for (std::uint64_t bytes : operators_[i].tiles) buffers.push_back({bytes, i, longer ? i + 1 : i});
    }
    for (const StagedTensor& tensor : staged_) buffers.push_back({tensor.bytes, tensor.issue, tensor.last});
    const auto end = static_cast<std::uint32_t>(operators_.size() - 1);
    for (const StagedWeights& weights : weights_) buffers.push_back({weights.bytes, weights.issue, weights_stay_ ? end : weights.last});
    plan_ = plan_memory(buffers, kAlignment);
    return plan_.peak <= sram_bytes_;
  }

  Staging finish() {
    Staging result;
    result.whole = whole_;
    result.peak = plan_.peak;
    result.live_peak = plan_.live_peak;
    result.nests = nests_;
    result.tiles.resize(operators_.size());
    result.weights_at.resize(operators_.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < operators_.size(); ++i) {
      if (whole_[i]) continue;
      for (std::size_t k = 0; k < operators_[i].tiles.size(); ++k) result.tiles[i].push_back(plan_.offsets[next++]);
    }
    for (StagedTensor& tensor : staged_) tensor.offset = plan_.offsets[next++];
    for (StagedWeights& weights : weights_) {
      weights.offset = plan_.offsets[next++];
      for (std::uint32_t i = weights.first; i <= weights.last; ++i)
        if (whole_[i] && operators_[i].weights_bytes > 0 && operators_[i].weights_begin >= weights.begin && operators_[i].weights_begin < weights.begin + weights.bytes)
          result.weights_at[i] = weights.offset + operators_[i].weights_begin - weights.begin;
    }
    result.tensors = std::move(staged_);
    result.weights_stay = weights_stay_;
    result.weights = std::move(weights_);
    return result;
  }

  const std::vector<StagedOperator>& operators_;
  std::span<const TensorFacts> facts_;
  std::span<const Alias> aliases_;
  std::uint64_t sram_bytes_, limit_ = 0, load_limit_ = 0, load_bytes_min_ = 0;
  bool beside_ = true, weights_stay_ = false;
  std::vector<StagedTensor> all_;
  std::vector<std::vector<std::size_t>> touched_;  // by operator
  std::set<TensorId> torn_;                        // written by several jobs
  std::vector<bool> whole_, stays_;
  std::vector<Nest> nests_;
  std::vector<StagedTensor> staged_;
  std::vector<StagedWeights> weights_;
  std::set<std::uint64_t> users_of_weights_;  // where weights with a user begin
  MemoryPlan plan_;
};

}  // namespace

Staging plan_staging(const std::vector<StagedOperator>& operators, std::span<const TensorFacts> facts, std::span<const Alias> aliases, const abi::Chip& chip,
                     bool weights_stay) {
  return Planner(operators, facts, aliases, chip).run(weights_stay);
}

}  // namespace naru::sdk::compiler
