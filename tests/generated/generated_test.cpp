// Goal: every valid model is accepted everywhere and gives the reference's results on both profiles. Method: models from a seed (the commit, so that every
// commit tests others); one that fails is shrunk to a small file. By hand: NARU_GENERATED models from NARU_GENERATED_SEED, NARU_SEEDS models per operator.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <fmt/format.h>

#include "../support/measured.h"
#include "generator.h"
#include "judge.h"
#include "shrink.h"

namespace naru::generated {
namespace {

/// Cutting may take away the state that made a model run more than once, and the elements that made it fail.
constexpr std::size_t kRunsOfSmaller = 4;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise, int base) {
  const char* text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, base);
}

/// The first digits of the commit, so that each tests other models; a fixed number outside a checkout.
std::uint64_t commit_seed() {
  std::array<char, 32> text{};
  if (std::FILE* pipe = popen("git -C \"" NARU_SOURCE_DIR "\" rev-parse --short=8 HEAD 2>/dev/null", "r"); pipe != nullptr) {
    if (std::fgets(text.data(), static_cast<int>(text.size()), pipe) == nullptr) text[0] = '\0';
    pclose(pipe);
  }
  const std::uint64_t seed = std::strtoull(text.data(), nullptr, 16);
  return seed == 0 ? 0x4E415255 : seed;
}

std::string write(const testing_models::ModelBuilder& builder, const std::string& name) {
  const std::filesystem::path folder = std::filesystem::path(NARU_BINARY_DIR) / "results";
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  const auto bytes = builder.bytes();
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
  return path;
}

testing_models::ModelBuilder shrunk(Judge& judge, const Generated& generated, const Verdict& verdict) {
  return shrink(generated.builder, [&](const testing_models::ModelBuilder& smaller) {
    return judge.judge(smaller.bytes(), generated.seed, kRunsOfSmaller).same_failure(verdict);
  });
}

/// What failed: each way to fail is shown once and counted.
class Failures {
 public:
  explicit Failures(Judge& judge) : judge_(judge) {}

  void add(const Generated& generated, const Verdict& verdict) {
    ++count_;
    refusals_ += verdict.outcome == Outcome::kRejected ? 1 : 0;
    const testing_models::ModelBuilder small = shrunk(judge_, generated, verdict);
    const std::string way = (verdict.outcome == Outcome::kRejected ? "rejected by " : "differs on ") + verdict.where +
                            (verdict.error.empty() ? "" : " with " + verdict.error) + ", " + operator_names(small);
    if (++ways_[way] > 1 || ways_.size() > kWaysShown) return;
    const Verdict again = judge_.judge(small.bytes(), generated.seed, kRunsOfSmaller);
    const std::string path = write(small, fmt::format("generated_{:x}.tflite", generated.seed));
    ADD_FAILURE() << way << ": " << again.text << "\nseed " << std::hex << generated.seed << std::dec << ", shrunk from " << operator_count(generated.builder)
                  << " operators to " << operator_count(small) << ": " << path << "\n"
                  << describe(small);
  }
  /// Says how often each way was seen.
  [[nodiscard]] std::size_t count() const {
    for (const auto& [way, times] : ways_) std::printf("    %zu times: %s\n", times, way.c_str());
    return count_;
  }
  [[nodiscard]] std::size_t refusals() const { return refusals_; }

 private:
  static constexpr std::size_t kWaysShown = 40;
  Judge& judge_;
  std::size_t count_ = 0, refusals_ = 0;
  std::map<std::string, std::size_t> ways_;
};

/// Seeds of single models, all apart from each other.
std::uint64_t seed_of(std::uint64_t seed, std::uint64_t index) { return Random(seed * 0x100000001B3ULL + index).next() >> 16; }

TEST(GeneratedModels, GiveTheReferencesResultsOnBothProfiles) {
  const std::uint64_t models = number_from("NARU_GENERATED", 1000, 10);
  const std::uint64_t seed = number_from("NARU_GENERATED_SEED", commit_seed(), 16);
  const auto begin = std::chrono::steady_clock::now();
  Judge judge;
  std::map<std::string, std::size_t> appearances;
  Failures failures(judge);
  std::size_t operators = 0;
  for (std::uint64_t i = 0; i < models; ++i) {
    const Generated generated = generate(seed_of(seed, i));
    for (std::size_t kind : generated.kinds) ++appearances[kinds()[kind].name];
    operators += operator_count(generated.builder);
    const Verdict verdict = judge.judge(generated.builder.bytes(), generated.seed);
    if (!verdict.ok()) failures.add(generated, verdict);
  }
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  testing::record_measured(
      fmt::format("seed {:x}: {} models, {} of them with state, {} operators; over both profiles {} on the NPU, {} on the host; {} sessions keep weights, {} "
                  "can, {} inferences did; {} mismatches, {} refusals; {:.1f} s",
                  seed, models, judge.models_with_state, operators, judge.on_npu, judge.on_host, judge.asked_to_keep, judge.can_keep, judge.kept,
                  failures.count() - failures.refusals(), failures.refusals(), seconds));
  std::printf("   ");
  for (const auto& [name, times] : appearances) std::printf(" %s %zu", name.c_str(), times);
  std::printf("\n");
  EXPECT_EQ(failures.count(), 0U) << "of " << models << " models, seed " << std::hex << seed;
  EXPECT_GT(judge.on_npu, 0U);
  EXPECT_GT(judge.on_host, 0U);
  EXPECT_GT(judge.kept, 0U);
}

TEST(GeneratedModels, AreTheSameForTheSameSeed) {
  for (std::uint64_t seed : {1, 2, 3}) EXPECT_EQ(*generate(seed).builder.bytes(), *generate(seed).builder.bytes());
}

TEST(GeneratedModels, HaveEveryKindAmongTheFirstSixHundred) {
  std::vector<bool> seen(kinds().size());
  for (std::uint64_t i = 0; i < 600; ++i)
    for (std::size_t kind : generate(seed_of(1, i)).kinds) seen[kind] = true;
  for (std::size_t kind = 0; kind < seen.size(); ++kind) EXPECT_TRUE(seen[kind]) << kinds()[kind].name;
}

TEST(APlantedKernelError, IsFoundAndShrinksToTwoOperatorsAtMost) {
  Judge judge;
  std::size_t found = 0;
  for (std::uint64_t i = 0; found < 3 && i < 200; ++i) {
    const Generated generated = generate(seed_of(7, i));
    if (operator_count(generated.builder) < 6 || !judge.judge(generated.builder.bytes(), generated.seed).ok()) continue;
    judge.plant_kernel_error(true);
    const Verdict verdict = judge.judge(generated.builder.bytes(), generated.seed);
    if (verdict.outcome == Outcome::kDiffers) {
      ++found;
      const testing_models::ModelBuilder small = shrunk(judge, generated, verdict);
      EXPECT_LE(operator_count(small), 2U) << describe(small);
      EXPECT_TRUE(judge.judge(small.bytes(), generated.seed, kRunsOfSmaller).same_failure(verdict));
      judge.plant_kernel_error(false);
      EXPECT_TRUE(judge.judge(small.bytes(), generated.seed, kRunsOfSmaller).ok());
    }
    judge.plant_kernel_error(false);
  }
  EXPECT_EQ(found, 3U);
}

class OneOperator : public ::testing::TestWithParam<std::size_t> {};

TEST_P(OneOperator, GivesTheReferencesResultsOnBothProfiles) {
  const std::uint64_t models = number_from("NARU_SEEDS", 50, 10);
  Judge judge;
  Failures failures(judge);
  for (std::uint64_t i = 0; i < models; ++i) {
    const Generated generated = generate_one(GetParam(), seed_of(11, i));
    const Verdict verdict = judge.judge(generated.builder.bytes(), generated.seed);
    if (!verdict.ok()) failures.add(generated, verdict);
  }
  EXPECT_EQ(failures.count(), 0U) << "of " << models << " models of " << kinds()[GetParam()].name;
}

INSTANTIATE_TEST_SUITE_P(Every, OneOperator, ::testing::Range<std::size_t>(0, kinds().size()),
                         [](const auto& info) { return std::string(kinds()[info.param].name); });

}  // namespace
}  // namespace naru::generated
