// The served mock dies, or is unplugged, in the middle of `naru run`: a documented exit code and a remedy within a second, and the next run works.
#include <gtest/gtest.h>

#include <chrono>

#include "../support/program.h"
#include "../support/served_mock.h"

using namespace naru::testing;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

/// A run that would go on for hours, already past its first job.
struct EndlessRun {
  explicit EndlessRun(const ServedMock& mock) : program(naru_command({"run", kDigits, "--device", mock.selector(), "--repeat", "1000000"})) {
    while (program.running() && !busy) busy = jobs_done(mock) > 2;
  }
  /// As another process sees it while the run holds the device.
  static long jobs_done(const ServedMock& mock) {
    const std::string counters = run_naru({"counters", "--device", mock.selector(), "--json"}).out, name = "jobs_completed\": ";
    const std::size_t at = counters.find(name);
    return at == std::string::npos ? 0 : std::strtol(counters.c_str() + at + name.size(), nullptr, 10);
  }
  Program program;
  bool busy = false;
};

void expect_ends_within_a_second(Program& program, steady_clock::time_point since) {
  const Outcome outcome = program.wait(std::chrono::seconds(20));
  EXPECT_LT(steady_clock::now() - since, milliseconds(1000));
  EXPECT_EQ(outcome.exit, 3) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("[NARU-03"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("\n  "), std::string::npos) << "no remedy: " << outcome.err;
}

}  // namespace

TEST(Loss, OfAKilledServerEndsTheRunWithARemedy) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  EndlessRun run(mock);
  ASSERT_TRUE(run.busy) << run.program.wait().err;
  const auto killed = steady_clock::now();
  mock.signal(SIGKILL);
  expect_ends_within_a_second(run.program, killed);
  mock.wait();
  // What will not come back is not waited for.
  Program too_late(naru_command({"run", kDigits, "--device", mock.selector()}));
  expect_ends_within_a_second(too_late, steady_clock::now());
  // A new server takes the stale mount over.
  Program again(naru_command({"mock", "serve", "--fuse", mock.path()}));
  while (again.running() && run_naru({"mock", "status", mock.path()}).exit != 0) continue;
  EXPECT_EQ(run_naru({"run", kDigits, "--device", mock.selector()}).exit, 0);
  again.signal(SIGTERM);
  EXPECT_EQ(again.wait(std::chrono::seconds(20)).exit, 0);
}

TEST(Loss, OfAnUnpluggedDeviceEndsTheRunAndPluggingItInAgainMendsIt) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  for (int round = 0; round < 2; ++round) {
    EndlessRun run(mock);
    ASSERT_TRUE(run.busy) << run.program.wait().err;
    const auto unplugged = steady_clock::now();
    ASSERT_EQ(run_naru({"mock", "unplug", mock.path()}).exit, 0);
    expect_ends_within_a_second(run.program, unplugged);
    EXPECT_EQ(run_naru({"run", kDigits, "--device", mock.selector()}).exit, 3);
    ASSERT_EQ(run_naru({"mock", "plug", mock.path()}).exit, 0);
    const Outcome next = run_naru({"run", kDigits, "--device", mock.selector()});
    EXPECT_EQ(next.exit, 0) << next.err;
  }
}

TEST(Device, AnswersInfoAndCountersWhileAnotherProcessRuns) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  EndlessRun run(mock);
  ASSERT_TRUE(run.busy) << run.program.wait().err;
  const long before = EndlessRun::jobs_done(mock);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(run_naru({"info", "--device", mock.selector()}).exit, 0);
  EXPECT_GT(EndlessRun::jobs_done(mock), before);
  EXPECT_TRUE(run.program.running());
}
