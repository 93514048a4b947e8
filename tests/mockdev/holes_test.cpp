// Goal: the allocator's map of holes gives the first that fits, joins neighbours, and loses nothing. Method: the same calls on a plain list.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "core/holes.h"
#include "naru/base/random.h"

namespace naru::mockdev::test {
namespace {

/// First fit over a map from offset to bytes.
class PlainHoles {
 public:
  std::optional<std::uint64_t> take(std::uint64_t bytes) {
    const auto hole = std::ranges::find_if(holes_, [&](const auto& each) { return each.second >= bytes; });
    if (hole == holes_.end()) return std::nullopt;
    const auto [offset, size] = *hole;
    holes_.erase(hole);
    if (size > bytes) holes_[offset + bytes] = size - bytes;
    return offset;
  }
  void give(std::uint64_t offset, std::uint64_t bytes) {
    auto hole = holes_.emplace(offset, bytes).first;
    if (const auto next = std::next(hole); next != holes_.end() && offset + bytes == next->first) {
      hole->second += next->second;
      holes_.erase(next);
    }
    if (hole == holes_.begin()) return;
    if (const auto previous = std::prev(hole); previous->first + previous->second == offset) {
      previous->second += hole->second;
      holes_.erase(hole);
    }
  }
  [[nodiscard]] std::size_t count() const { return holes_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> holes_;
};

TEST(Holes, AreThoseOfAPlainListWhateverIsTakenAndGivenBack) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Random random(seed);
    constexpr std::uint64_t kBytes = 20'000;
    Holes holes;
    PlainHoles plain;
    holes.reserve(1);
    holes.give(0, kBytes);
    plain.give(0, kBytes);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> taken;
    for (int step = 0; step < 20'000; ++step) {
      // Fills up for a while, then empties for a while.
      const bool gives = !taken.empty() && random.next() % 8 < ((step / 2000) % 2 == 0 ? 3U : 5U);
      if (gives) {
        std::swap(taken[random.next() % taken.size()], taken.back());
        const auto [offset, bytes] = taken.back();
        taken.pop_back();
        holes.give(offset, bytes);
        plain.give(offset, bytes);
      } else {
        const std::uint64_t bytes = 1 + random.next() % (random.next() % 4 == 0 ? 200 : 20);
        holes.reserve(taken.size() + 2);
        const auto offset = holes.take(bytes);
        ASSERT_EQ(offset, plain.take(bytes)) << "seed " << seed << ", step " << step;
        if (offset) taken.emplace_back(*offset, bytes);
      }
      ASSERT_EQ(holes.count(), plain.count()) << "seed " << seed << ", step " << step;
    }
    for (const auto& [offset, bytes] : taken) holes.give(offset, bytes);
    EXPECT_EQ(holes.count(), 1U);
    EXPECT_EQ(holes.take(kBytes), std::uint64_t{0}) << "all of it is one hole again";
    EXPECT_EQ(holes.count(), 0U);
  }
}

}  // namespace
}  // namespace naru::mockdev::test
