// Race detection over vector clocks. A command need only be compared with those of other engines that are not certain to have retired when it
// starts: they are the tail of each engine's log, a few dozen in a stream that shares its SRAM. Summaries over blocks of the log skip most of
// a long tail.

#include "hazards.h"

#include <algorithm>

#include "naru/verify/footprint.h"

namespace naru::verify {
namespace {

constexpr std::size_t kBlock = 32;

struct Entry {
  std::uint64_t low = 0;  // first byte, and one past the last
  std::uint64_t high = 0;
  std::uint32_t command = 0;
  std::uint32_t number = 0;
  std::uint8_t access = 0;  // in the command's footprint
  bool writes = false;
};

struct Summary {
  std::uint64_t low = ~std::uint64_t{0};
  std::uint64_t high = 0;
  bool writes = false;
};

/// What one engine did to one region, in its program order.
struct Log {
  std::vector<Entry> entries;
  std::vector<Summary> blocks;

  void add(const Entry& entry) {
    if (entries.size() % kBlock == 0) blocks.emplace_back();
    Summary& block = blocks.back();
    block.low = std::min(block.low, entry.low);
    block.high = std::max(block.high, entry.high);
    block.writes = block.writes || entry.writes;
    entries.push_back(entry);
  }
};

class HazardCheck {
 public:
  HazardCheck(const abi::Stream& stream, std::uint64_t steps_max) : stream_(stream), logs_(stream.regions.size() * abi::kEnginesMax), steps_(steps_max) {
    for (const abi::RegionDeclaration& region : stream.regions) shared_.push_back(abi::includes(region.rights, abi::Rights::kWrite));
  }

  Result<void> add(const Ordered& ordered) {
    const Footprint footprint = footprint_of(stream_.commands[ordered.command].body);
    const unsigned own = abi::index_of(stream_.commands[ordered.command].engine);
    for (std::uint8_t i = 0; i < footprint.count; ++i) {
      const Access& access = footprint.accesses[i];
      if (!shared_[access.region] || access.box.empty()) continue;  // nobody writes a region that is only readable
      const Entry entry{access.box.offset, access.box.end(), ordered.command, ordered.number, i, access.rights == abi::Rights::kWrite};
      for (unsigned engine = 0; engine < abi::kEnginesMax; ++engine) {
        if (engine == own) continue;
        NARU_CHECK_OK(compare(entry, access, log(access.region, engine), ordered.before[engine]));
      }
    }
    // Only now: a command does not race with itself, and several accesses of one command carry one number.
    for (std::uint8_t i = 0; i < footprint.count; ++i) {
      const Access& access = footprint.accesses[i];
      if (!shared_[access.region] || access.box.empty()) continue;
      log(access.region, own).add({access.box.offset, access.box.end(), ordered.command, ordered.number, i, access.rights == abi::Rights::kWrite});
    }
    return {};
  }

 private:
  Log& log(unsigned region, unsigned engine) { return logs_[region * abi::kEnginesMax + engine]; }

  static bool near(const Entry& entry, const auto& other) {
    return (entry.writes || other.writes) && entry.low < other.high && other.low < entry.high;
  }

  Result<void> compare(const Entry& entry, const Access& access, const Log& log, std::uint32_t retired) {
    const auto first_running = std::ranges::upper_bound(log.entries, retired, {}, &Entry::number);
    std::size_t i = static_cast<std::size_t>(first_running - log.entries.begin());
    while (i < log.entries.size()) {
      NARU_CHECK_OK(count_step(entry));
      if (i % kBlock == 0 && !near(entry, log.blocks[i / kBlock])) {
        i += kBlock;
        continue;
      }
      const Entry& other = log.entries[i++];
      if (near(entry, other)) NARU_CHECK_OK(compare(entry, access, other));
    }
    return {};
  }

  Result<void> compare(const Entry& entry, const Access& access, const Entry& other) {
    const Footprint footprint = footprint_of(stream_.commands[other.command].body);
    const Access& other_access = footprint.accesses[other.access];
    if (!overlap(access.box, other_access.box, steps_)) return {};
    NARU_CHECK_OK(count_step(entry));
    const Subject subject{entry.command, &stream_.commands[entry.command]};
    const Subject earlier{other.command, &stream_.commands[other.command]};
    const std::uint64_t low = std::max(entry.low, other.low);
    const std::uint64_t high = std::min(entry.high, other.high);
    return fail(refusal(ErrorId::kStreamHazard, subject, access.operand,
                        fmt::format("{} {} region {} between bytes {} and {}, which {} {} as {}; no wait puts one before the other",
                                    access.operand, entry.writes ? "writes" : "reads", access.region, low, high, earlier.text(),
                                    other.writes ? "writes" : "reads", other_access.operand))
                    .with_value("other command", fmt::format("{}", other.command))
                    .with_value("region", fmt::format("{}", access.region))
                    .with_value("bytes", fmt::format("{} to {}", low, high)));
  }

  Result<void> count_step(const Entry& entry) {
    if (steps_ == 0)
      return fail(refusal(ErrorId::kStreamHazard, {entry.command, &stream_.commands[entry.command]}, "",
                          "too many commands run at once to prove within the limit that none of them conflict"));
    --steps_;
    return {};
  }

  const abi::Stream& stream_;
  std::vector<bool> shared_;
  std::vector<Log> logs_;
  std::uint64_t steps_;
};

}  // namespace

Result<void> check_hazards(const abi::Stream& stream, const std::vector<Ordered>& order, std::uint64_t steps_max) {
  HazardCheck check(stream, steps_max);
  for (const Ordered& ordered : order) NARU_CHECK_OK(check.add(ordered));
  return {};
}

}  // namespace naru::verify
