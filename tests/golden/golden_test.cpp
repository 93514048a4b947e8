// Goal: every case of every golden model comes back bit by bit, on both profiles, on every kernel path, in-process and over libusb from another process;
// with the same cycles every time. Method: the public API against files that the TFLite Micro reference kernels made.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "naru/mock.h"
#include "naru/naru.h"
#include "support/golden_models.h"
#include "support/served_mock.h"

namespace naru {
namespace {

using testing::GoldenCase;
using testing::GoldenModel;

#define NARU_REQUIRE_MODELS(folder)                                                                          \
  const auto folder = testing::models_folder();                                                              \
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models"

std::size_t small_models() { return 9; }

/// Runs all cases of a model in one session; counts them, and holds their cycles to `cycles` (the first run fills it).
void expect_exact(Device& device, const GoldenModel& golden, std::size_t& cases, std::map<std::string, std::uint64_t>& cycles) {
  const Result<Model> model = Model::load(golden.file.string());
  ASSERT_TRUE(model) << model.error().to_string(true);
  Result<Session> session = Session::create(device, *model);
  ASSERT_TRUE(session) << session.error().to_string(true);
  for (const GoldenCase& test : golden.cases) {
    ASSERT_EQ(test.steps, 1U);
    for (std::size_t i = 0; i < golden.inputs; ++i) {
      const auto filled = session->input(i).fill_from(std::span<const std::byte>(testing::read_all(test.folder / ("input" + std::to_string(i) + ".bin"))));
      ASSERT_TRUE(filled) << filled.error().to_string(true);
    }
    const Result<Outputs> outputs = session->run({.deadline = std::chrono::seconds(60)});
    ASSERT_TRUE(outputs) << golden.name << " " << test.name << ": " << outputs.error().to_string(true);
    ASSERT_EQ(outputs->size(), golden.outputs);
    for (std::size_t i = 0; i < golden.outputs; ++i) {
      const std::vector<std::byte> expected = testing::read_all(test.folder / ("output" + std::to_string(i) + ".bin"));
      const std::span<const std::byte> got = outputs->at(i).bytes();
      ASSERT_EQ(got.size(), expected.size());
      EXPECT_TRUE(std::equal(got.begin(), got.end(), expected.begin())) << golden.name << " " << test.name << " output " << i << " on " << device.info().selector;
    }
    const auto [known, first] = cycles.emplace(golden.name, outputs->timing().device_cycles);
    EXPECT_EQ(outputs->timing().device_cycles, known->second) << golden.name << " " << test.name << ": cycles depend on the data or on the run";
    EXPECT_GT(outputs->timing().device_cycles, 0U);
    ++cases;
  }
}

void expect_all_exact(const std::string& selector, std::size_t first, std::size_t last, std::map<std::string, std::uint64_t>& cycles) {
  NARU_REQUIRE_MODELS(folder);
  mock::enable();
  std::size_t cases = 0;
  for (std::size_t i = first; i < last; ++i) {
    Result<Device> device = open_device(selector);
    ASSERT_TRUE(device) << device.error().to_string(true);
    expect_exact(*device, testing::golden_model(*folder, testing::supported_models()[i]), cases, cycles);
    if (::testing::Test::HasFatalFailure()) return;
  }
  std::printf("    %zu cases of %zu models exact on %s\n", cases, last - first, selector.c_str());
}

/// One map per profile for the whole process: cycles must agree between kernels and cables too.
std::map<std::string, std::uint64_t>& cycles_of(const std::string& profile) {
  static std::map<std::string, std::map<std::string, std::uint64_t>> all;
  return all[profile];
}

class GoldenModels : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override { ::setenv("NARU_KERNELS", std::get<1>(GetParam()).c_str(), 1); }
  void TearDown() override { ::unsetenv("NARU_KERNELS"); }
  std::string profile() const { return std::get<0>(GetParam()); }
};

TEST_P(GoldenModels, SmallOnesAreExact) { expect_all_exact("mock:" + profile(), 0, small_models(), cycles_of(profile())); }
TEST_P(GoldenModels, LargeOnesAreExact) { expect_all_exact("mock:" + profile(), small_models(), testing::supported_models().size(), cycles_of(profile())); }

INSTANTIATE_TEST_SUITE_P(InProcess, GoldenModels, ::testing::Combine(::testing::Values("edge", "tiny"), ::testing::Values("vnni", "avx2", "portable")),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

class ServedGoldenModels : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(ServedGoldenModels, AreExactOverLibusbFromAnotherProcess) {
  NARU_REQUIRE_MODELS(folder);
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse is not usable";
  const auto& [profile, kernels] = GetParam();
  const testing::ServedMock served(profile, {}, {"NARU_KERNELS=" + kernels});
  ASSERT_TRUE(served.ready());
  expect_all_exact(served.selector(), 0, testing::supported_models().size(), cycles_of(profile));
  if (HasFatalFailure()) return;
  // The served process says by itself which kernels ran.
  Result<Device> device = open_device(served.selector());
  ASSERT_TRUE(device) << device.error().to_string(true);
  const Result<std::vector<CounterReading>> counters = device->counters();
  ASSERT_TRUE(counters);
  for (const CounterReading& counter : *counters) {
    if (!counter.name.starts_with("kernel_commands.")) continue;
    if (counter.name == "kernel_commands." + kernels) EXPECT_GT(counter.value, 0U) << counter.name;
    else EXPECT_EQ(counter.value, 0U) << counter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(OverFuse, ServedGoldenModels, ::testing::Combine(::testing::Values("edge", "tiny"), ::testing::Values("vnni", "avx2", "portable")),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

TEST(GoldenCompile, TinyTilesMostOperators) {
  NARU_REQUIRE_MODELS(folder);
  std::size_t tiled = 0, on_npu = 0;
  for (const std::string& name : testing::supported_models()) {
    const Result<Model> model = Model::load((*folder / (name + ".tflite")).string());
    ASSERT_TRUE(model) << model.error().to_string(true);
    const Result<ModelSummary> summary = summarize(*model, "tiny");
    ASSERT_TRUE(summary) << name << ": " << summary.error().to_string(true);
    std::size_t model_tiled = 0, model_npu = 0;
    for (const OperatorSummary& op : summary->operators) {
      if (op.placement != "npu") continue;
      ++model_npu;
      if (op.tiles > 1) ++model_tiled;
    }
    std::printf("    %-40s %3zu of %3zu operators have more than one tile on tiny\n", name.c_str(), model_tiled, model_npu);
    tiled += model_tiled;
    on_npu += model_npu;
  }
  std::printf("    %-40s %3zu of %3zu (%.0f %%)\n", "all", tiled, on_npu, 100.0 * static_cast<double>(tiled) / static_cast<double>(on_npu));
  EXPECT_GT(tiled, 0U);
}

TEST(GoldenCompile, PredictsTheCyclesThatTheDeviceTakes) {
  NARU_REQUIRE_MODELS(folder);
  mock::enable();
  for (const char* profile : {"edge", "tiny"})
    for (const std::string& name : testing::supported_models()) {
      const Result<Model> model = Model::load((*folder / (name + ".tflite")).string());
      ASSERT_TRUE(model);
      const Result<ModelSummary> summary = summarize(*model, profile);
      ASSERT_TRUE(summary) << name << ": " << summary.error().to_string(true);
      Result<Device> device = open_device(std::string("mock:") + profile);
      ASSERT_TRUE(device);
      Result<Session> session = Session::create(*device, *model);
      ASSERT_TRUE(session) << session.error().to_string(true);
      const Result<Outputs> outputs = session->run({.deadline = std::chrono::seconds(60)});
      ASSERT_TRUE(outputs) << outputs.error().to_string(true);
      EXPECT_EQ(outputs->timing().device_cycles, summary->predicted_cycles) << name << " on " << profile;
    }
}

}  // namespace
}  // namespace naru
