// What compiling may cost in memory: scripts/compile_limits.sh over the golden models. Its time limit needs a quiet machine and is left to the script by
// itself.
#include "../support/golden_models.h"
#include "support.h"

using namespace naru::testing;

TEST(CompileLimits, OfMemoryAreKeptForEveryGoldenModel) {
  const auto folder = models_folder();
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models";
  const Outcome outcome =
      run_program({"scripts/compile_limits.sh", "--memory-only"}, {"NARU_MODELS=" + folder->string(), "NARU_BINARY=" NARU_BINARY_DIR "/bin/naru"});
  EXPECT_EQ(outcome.exit, 0) << outcome.out << outcome.err;
  EXPECT_NE(outcome.out.find("compile_limits: " + std::to_string(all_models(*folder).size()) + " models, all limits kept"), std::string::npos) << outcome.out;
}

TEST(CompileLimits, SaysHowToGetTheProgram) {
  const Outcome outcome = run_program({"scripts/compile_limits.sh"}, {"NARU_BINARY=/nothing/naru"});
  EXPECT_EQ(outcome.exit, 2);
  EXPECT_NE(outcome.err.find("run scripts/demo.sh"), std::string::npos) << outcome.err;
}
