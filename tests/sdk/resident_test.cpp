// Goal: weights that stay in the SRAM are loaded once, and again exactly when another job has had the SRAM; results never differ. Method: sessions of the
// project's own model, alone, several at once, and between jobs that overwrite what the others left.
#include <gtest/gtest.h>

#include "digits.h"
#include "naru/mock.h"
#include "naru/naru.h"

namespace naru {
namespace {

struct Ran {
  int best = -1;
  std::uint64_t cycles = 0;
};
Ran result_of(const Result<Outputs>& outputs) {
  EXPECT_TRUE(outputs) << outputs.error().to_string(true);
  return outputs ? Ran{static_cast<int>(best(*outputs)), outputs->timing().device_cycles} : Ran{};
}
Ran run(Session& session, int number) {
  fill(session, number);
  return result_of(session.run());
}

class Resident : public ::testing::Test {
 protected:
  [[nodiscard]] Session session(bool resident = true, bool split = false) {
    return Session::create(device, digits_model(), {.keep_tensors = {}, .depth = 4, .split_timing = split, .resident_weights = resident}).value();
  }

  mock::Bench bench = mock::Bench::with_profile("edge").value();
  Device device = bench.open_device().value();
  ModelSummary summary = summarize(compile(digits_model(), {.profile = "edge", .keep_tensors = {}, .resident_weights = true}).value()).value();
  std::uint64_t cold = summary.predicted_cycles, warm = summary.resident_cycles.value_or(0);
};

TEST_F(Resident, WeightsAreLoadedByTheFirstInferenceOnly) {
  ASSERT_GT(warm, 0U);
  ASSERT_LT(warm, cold);
  for (bool split : {false, true}) {
    Session kept = session(true, split);
    for (int number = 0; number < 10; ++number) {
      const Ran ran = run(kept, number);
      EXPECT_EQ(ran.best, number);
      EXPECT_EQ(ran.cycles, number == 0 ? cold : warm) << "inference " << number;
    }
  }
}

TEST_F(Resident, WeightsAreLoadedByEveryInferenceWhenNobodyAsked) {
  Session plain = session(false);
  const std::uint64_t first = run(plain, 1).cycles;
  EXPECT_EQ(run(plain, 2).cycles, first);
  EXPECT_FALSE(summarize(plain.package())->resident_cycles);
}

TEST_F(Resident, WeightsAreLoadedAgainAfterAnotherJobHadTheSram) {
  Session one = session(), other = session(), plain = session(false);
  EXPECT_EQ(run(one, 3).cycles, cold);
  EXPECT_EQ(run(one, 4).cycles, warm);
  for (Session* between : {&other, &plain}) {
    const Ran theirs = run(*between, 5);
    EXPECT_EQ(theirs.best, 5);
    const Ran again = run(one, 6);
    EXPECT_EQ(again.best, 6);
    EXPECT_EQ(again.cycles, cold);
    EXPECT_EQ(run(one, 7).cycles, warm);
  }
  // A session's number is its own: the other one does not take these weights for those that it left.
  const Ran theirs = run(other, 8);
  EXPECT_EQ(theirs.best, 8);
  EXPECT_EQ(theirs.cycles, cold);
}

TEST_F(Resident, InferencesInFlightAreRightWhenTheLeaseIsLostBetweenThem) {
  Session one = session(), other = session();
  for (int round = 0; round < 3; ++round) {
    std::vector<Inference> flying;
    for (int number = 0; number < 8; ++number) {
      Session& session = number % 3 == 2 ? other : one;
      fill(session, number);
      Result<Inference> inference = session.submit();
      ASSERT_TRUE(inference) << inference.error().to_string(true);
      flying.push_back(std::move(*inference));
    }
    for (int number = 0; number < static_cast<int>(flying.size()); ++number) {
      const Ran ran = result_of(flying[static_cast<std::size_t>(number)].wait());
      EXPECT_EQ(ran.best, number);
      EXPECT_TRUE(ran.cycles == cold || ran.cycles == warm) << ran.cycles;
    }
  }
}

TEST_F(Resident, AJobThatWasCancelledLeavesNothingToCountOn) {
  Session kept = session();
  fill(kept, 1);
  Inference first = kept.submit().value();
  first.cancel();
  static_cast<void>(first.wait());
  const Ran ran = run(kept, 2);
  EXPECT_EQ(ran.best, 2);
  EXPECT_TRUE(ran.cycles == cold || ran.cycles == warm);
}

}  // namespace
}  // namespace naru
