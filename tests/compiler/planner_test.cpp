// The memory planner: buffers that live together lie apart, and space is used again.
#include <gtest/gtest.h>

#include "compiler/memory/planner.h"
#include "naru/base/random.h"

namespace naru::sdk::compiler {
namespace {

TEST(Planner, UsesSpaceAgainWhenALifeHasEnded) {
  const auto plan = plan_memory({{100, 0, 1}, {100, 2, 3}, {64, 1, 2}});
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_EQ(plan.peak, 128U + 64U);
  EXPECT_EQ(plan.live_peak, 128U + 64U);
}

TEST(Planner, KeepsRandomBuffersApart) {
  for (std::uint64_t seed = 0; seed < 51; ++seed) {
    Random random(seed);
    // The last of them has more than are placed in several orders.
    const bool many = seed == 50;
    std::vector<Buffer> buffers(many ? 5000 : 1 + random.below(60));
    for (Buffer& buffer : buffers) {
      buffer.first = static_cast<std::uint32_t>(random.below(many ? 3000 : 30));
      buffer.last = buffer.first + static_cast<std::uint32_t>(random.below(6));
      buffer.bytes = 1 + random.below(5000);
    }
    const auto plan = plan_memory(buffers);
    EXPECT_GE(plan.peak, plan.live_peak);
    EXPECT_LE(plan.peak, 2 * plan.live_peak);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % 64, 0U);
      EXPECT_LE(plan.offsets[i] + buffers[i].bytes, plan.peak);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
        const bool apart = plan.offsets[i] + buffers[i].bytes <= plan.offsets[j] || plan.offsets[j] + buffers[j].bytes <= plan.offsets[i];
        EXPECT_TRUE(!together || apart) << "seed " << seed << ": buffers " << i << " and " << j;
      }
    }
  }
}

TEST(Planner, StaysNearTheLiveSetWhereLivesAreLongAndShort) {
  // As in a network: large tensors that live for two or three operators, beside weights that load early and leave one after the other.
  double worst = 1;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    std::vector<Buffer> buffers;
    for (std::uint32_t i = 0; i < 40; ++i) {
      buffers.push_back({1 + random.below(40000), i, i + 1 + static_cast<std::uint32_t>(random.below(2))});
      buffers.push_back({1 + random.below(20000), i - static_cast<std::uint32_t>(random.below(std::min(i, 8U) + 1)), i});
    }
    const auto plan = plan_memory(buffers);
    worst = std::max(worst, static_cast<double>(plan.peak) / static_cast<double>(plan.live_peak));
  }
  EXPECT_LT(worst, 1.10);
}

}  // namespace
}  // namespace naru::sdk::compiler
