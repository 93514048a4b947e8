// Vector clocks. An engine that waits for another's n-th command learns all that engine knew when it retired it, so most dependences are certain
// already; only the latest access of each engine that is not certain, and really shares a byte, asks for a wait.
#include "compiler/emit/dependences.h"

#include <algorithm>

namespace naru::sdk::compiler {
namespace {

/// Comparisons after which two accesses count as overlapping.
constexpr std::uint64_t kOverlapSteps = 1U << 16;

void join(auto& clock, const auto& other) {
  for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

}  // namespace

Dependences::Log& Dependences::log_of(unsigned region) {
  if (region >= logs_.size()) logs_.resize(region + 1);
  return logs_[region];
}

void Dependences::find_last(const std::vector<Entry>& entries, const Entry& access, std::uint32_t& needed) {
  for (std::size_t i = entries.size(); i-- > 0 && entries[i].number > needed;) {
    const Entry& entry = entries[i];
    if (entry.box.offset >= access.end || access.box.offset >= entry.end) continue;
    std::uint64_t steps = kOverlapSteps;
    if (verify::overlap(entry.box, access.box, steps)) needed = entry.number;
  }
}

std::vector<abi::Wait> Dependences::add(const abi::Command& command) {
  const unsigned own = abi::index_of(command.engine);
  const verify::Footprint footprint = verify::footprint_of(command.body);
  Clock needed = known_[own];
  const auto number = static_cast<std::uint32_t>(retired_[own].size() + 1);
  for (const verify::Access& access : footprint.all()) {
    const bool writes = access.rights == abi::Rights::kWrite;
    Log& log = log_of(access.region);
    const Entry entry{number, access.box, access.box.end()};
    for (unsigned engine = 0; engine < abi::kEnginesMax; ++engine) {
      if (engine == own) continue;
      find_last(log.writes[engine], entry, needed[engine]);
      if (writes) find_last(log.reads[engine], entry, needed[engine]);
    }
    (writes ? log.writes : log.reads)[own].push_back(entry);
  }
  std::vector<abi::Wait> waits;
  for (unsigned engine = 0; engine < abi::kEnginesMax; ++engine) {
    if (needed[engine] <= known_[own][engine]) continue;
    bool implied = false;
    for (unsigned other = 0; other < abi::kEnginesMax; ++other)
      implied = implied || (other != engine && needed[other] > known_[own][other] && retired_[other][needed[other] - 1][engine] >= needed[engine]);
    if (!implied) waits.push_back({.on = static_cast<abi::Engine>(engine), .reserved = {}, .count = needed[engine]});
  }
  for (const abi::Wait& wait : waits) join(known_[own], retired_[abi::index_of(wait.on)][wait.count - 1]);
  known_[own][own] = number;
  retired_[own].push_back(known_[own]);
  return waits;
}

}  // namespace naru::sdk::compiler
