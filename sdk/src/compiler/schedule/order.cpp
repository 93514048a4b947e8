// Software pipelining: a load may overtake the computation and the stores of up to kLookahead steps when it touches nothing that they write, and
// writes nothing that they touch.
#include "compiler/schedule/order.h"

#include <algorithm>

#include "naru/verify/footprint.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::size_t kLookahead = 3;

/// The range of bytes that an access spans: what lies between its rows counts too, which can only forbid a legal move.
struct Touch {
  unsigned storage = 0;
  std::uint64_t begin = 0, end = 0;
  bool writes = false;
};

using Touches = std::vector<Touch>;

void touch(const Item& item, Touches& touches) {
  const auto footprint = verify::footprint_of(item.body);
  for (const auto& access : footprint.all())
    if (access.region != kConstantsStorage) touches.push_back({access.region, access.box.offset, access.box.end(), access.rights == abi::Rights::kWrite});
}

bool conflict(const Touches& a, const Touches& b) {
  return std::ranges::any_of(a, [&](const Touch& x) {
    return std::ranges::any_of(b, [&](const Touch& y) { return (x.writes || y.writes) && x.storage == y.storage && x.begin < y.end && y.begin < x.end; });
  });
}

/// A step whose loads may have been issued already.
struct Pending {
  const Step* step = nullptr;
  std::uint32_t source = 0;
  std::vector<bool> issued;    // per load
  std::vector<Touches> loads;  // per load
  Touches rest;                // computation and stores
};

class Orderer {
 public:
  Orderer(const std::vector<const TiledOperator*>& operators, const abi::Chip& chip) : chip_(chip) {
    for (const TiledOperator* op : operators) {
      for (const Step& step : op->steps) {
        Pending pending{&step, op->source, std::vector<bool>(step.loads.size()), {}, {}};
        for (const Item& item : step.loads) touch(item, pending.loads.emplace_back());
        for (const Item& item : step.compute) touch(item, pending.rest);
        for (const Item& item : step.stores) touch(item, pending.rest);
        steps_.push_back(std::move(pending));
      }
    }
  }

  std::vector<abi::Command> run() {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      Pending& now = steps_[i];
      for (std::size_t load = 0; load < now.loads.size(); ++load) issue(now, load);
      for (std::size_t next = i + 1; next < std::min(steps_.size(), i + 1 + kLookahead); ++next) hoist(i, next);
      for (const Item& item : now.step->compute) push(item, now.source);
      for (const Item& item : now.step->stores) push(item, now.source);
    }
    return std::move(commands_);
  }

 private:
  void hoist(std::size_t now, std::size_t next) {
    Pending& candidate = steps_[next];
    for (std::size_t load = 0; load < candidate.loads.size(); ++load) {
      bool free = !candidate.issued[load];
      for (std::size_t i = now; free && i < next; ++i) {
        free = !conflict(candidate.loads[load], steps_[i].rest);
        for (std::size_t other = 0; free && other < steps_[i].loads.size(); ++other)
          free = steps_[i].issued[other] || !conflict(candidate.loads[load], steps_[i].loads[other]);
      }
      if (free) issue(candidate, load);
    }
  }

  void issue(Pending& pending, std::size_t load) {
    if (pending.issued[load]) return;
    pending.issued[load] = true;
    push(pending.step->loads[load], pending.source);
  }

  void push(const Item& item, std::uint32_t source) {
    const auto engine = [&] {
      switch (item.unit) {
        case Unit::kMac: return abi::Engine::kMac;
        case Unit::kVector: return abi::Engine::kVector;
        case Unit::kStore: return abi::dma_engine(chip_.dma_engines > 1 ? 1 : 0);
        case Unit::kLoad: break;
      }
      return abi::dma_engine(0);
    };
    commands_.push_back({engine(), source, item.body});
  }

  const abi::Chip& chip_;
  std::vector<Pending> steps_;
  std::vector<abi::Command> commands_;
};

}  // namespace

std::vector<abi::Command> order_commands(const std::vector<const TiledOperator*>& operators, const abi::Chip& chip) { return Orderer(operators, chip).run(); }

}  // namespace naru::sdk::compiler
