// Goal: a healthy device passes every test of level 2; a planted kernel error, SRAM bit and link error each turn it to FAIL, in the test that looks for it.
#include <gtest/gtest.h>

#include <algorithm>

#include "naru/mock.h"
#include "naru/naru.h"

namespace naru {
namespace {

std::vector<Finding> findings_with(const mock::Faults& faults, const std::string& profile = "edge", int level = 2) {
  mock::Bench bench = mock::Bench::with_profile(profile).value();
  Device device = bench.open_device().value();
  bench.plant(faults);
  return diagnose(device, {.level = level, .on_finding = {}}).value();
}

const Finding& find(const std::vector<Finding>& findings, std::string_view test) {
  const auto found = std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.test == test; });
  EXPECT_NE(found, findings.end()) << test;
  return *found;
}

TEST(Diagnostics, PassEverywhereOnAHealthyDevice) {
  for (const char* profile : {"edge", "tiny"})
    for (const Finding& finding : findings_with({}, profile)) {
      EXPECT_EQ(finding.verdict, Verdict::kPass) << profile << " " << finding.test << ": " << finding.evidence;
      EXPECT_FALSE(finding.evidence.empty()) << finding.test;
      EXPECT_TRUE(finding.id.starts_with("NARU-08")) << finding.test;
    }
}

TEST(Diagnostics, LevelOneLeavesMemoryAndOperatorsAlone) {
  const std::vector<Finding> findings = findings_with({}, "edge", 1);
  EXPECT_GE(findings.size(), 5U);
  for (const Finding& finding : findings) EXPECT_FALSE(finding.test.starts_with("operator.") || finding.test.starts_with("memory.")) << finding.test;
}

TEST(Diagnostics, FailTheOperatorsOfABrokenMacEngine) {
  mock::Faults faults;
  faults.kernel_error = true;
  const std::vector<Finding> findings = findings_with(faults);
  for (const char* test : {"operator.conv2d", "operator.fully_connected", "operator.depthwise_conv2d"}) {
    const Finding& finding = find(findings, test);
    EXPECT_EQ(finding.verdict, Verdict::kFail) << finding.evidence;
    EXPECT_TRUE(finding.id.starts_with("NARU-08"));
    EXPECT_FALSE(finding.action.empty());
  }
  EXPECT_EQ(find(findings, "memory.sram.march").verdict, Verdict::kPass);
}

TEST(Diagnostics, FailTheMarchOverAStuckBitAndNameItsByte) {
  mock::Faults faults;
  faults.sram_stuck_bit = 0x12345 * 8 + 3;
  const Finding march = find(findings_with(faults, "tiny"), "memory.sram.march");
  EXPECT_EQ(march.verdict, Verdict::kFail);
  EXPECT_NE(march.evidence.find("0x12345"), std::string::npos) << march.evidence;
}

TEST(Diagnostics, FailTheLoopbackOverADamagedLinkAndNeverPassWhatCouldNotRun) {
  mock::Faults faults;
  faults.link_corruption = true;
  const std::vector<Finding> findings = findings_with(faults);
  EXPECT_EQ(find(findings, "link.loopback").verdict, Verdict::kFail);
  std::size_t skipped = 0;
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::kError) EXPECT_NE(finding.evidence.find("could not run"), std::string::npos) << finding.evidence;
    if (!finding.test.starts_with("memory.") && !finding.test.starts_with("operator.")) continue;
    EXPECT_EQ(finding.verdict, Verdict::kSkip) << finding.test;
    EXPECT_NE(finding.evidence.find("link.loopback"), std::string::npos) << finding.evidence;
    EXPECT_FALSE(finding.replace_device) << finding.test;
    ++skipped;
  }
  EXPECT_GE(skipped, 20U);
}

TEST(Diagnostics, SkipWhatComesAfterTheDeviceIsLost) {
  mock::Bench bench = mock::Bench::with_profile("edge").value();
  Device device = bench.open_device().value();
  const auto unplug_in_the_middle = [&](const Finding& finding) {
    if (finding.test == "link.loopback") bench.unplug();
  };
  const std::vector<Finding> findings = diagnose(device, {.level = 2, .on_finding = unplug_in_the_middle}).value();
  const auto lost = std::find_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.device_lost; });
  ASSERT_NE(lost, findings.end());
  EXPECT_EQ(lost->verdict, Verdict::kError);
  EXPECT_EQ((lost - 1)->test, "link.loopback");
  for (auto after = lost + 1; after != findings.end(); ++after) {
    EXPECT_EQ(after->verdict, Verdict::kSkip) << after->test;
    EXPECT_EQ(after->evidence, "the device was lost during " + lost->test);
  }
  EXPECT_NE(lost + 1, findings.end());
}

TEST(Diagnostics, RefuseALevelThatIsNotThere) {
  mock::Bench bench = mock::Bench::with_profile("edge").value();
  Device device = bench.open_device().value();
  EXPECT_EQ(diagnose(device, {.level = 9, .on_finding = {}}).error().id(), ErrorId::kInvalidArgument);
}

}  // namespace
}  // namespace naru
