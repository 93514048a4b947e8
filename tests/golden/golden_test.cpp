// Goal: every case of every golden model comes back bit by bit, on both profiles, on every kernel path, in-process and over libusb from another process;
// with the same cycles every time. Method: the public API against files that the TFLite Micro reference kernels made.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>

#include "naru/mock.h"
#include "naru/naru.h"
#include "support/cpu.h"
#include "support/golden_models.h"
#include "support/measured.h"
#include "support/served_mock.h"

namespace naru {
namespace {

using testing::GoldenCase;
using testing::GoldenModel;

#define NARU_REQUIRE_MODELS(folder)                                                                          \
  const auto folder = testing::models_folder();                                                              \
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models"

constexpr std::size_t kSmallBytes = 300'000;

/// Models that compute in float: whoever does it may sum up in another order.
const std::set<std::string> kFloatModels = {"aeq_mnist_quantized"};

/// Bit for bit; results of float arithmetic within 1e-5.
bool agrees(const std::string& model, const TensorInfo& info, std::span<const std::byte> got, std::span<const std::byte> expected) {
  if (got.size() != expected.size()) return false;
  if (std::equal(got.begin(), got.end(), expected.begin())) return true;
  if (info.type != DataType::kFloat32 || !kFloatModels.contains(model)) return false;
  for (std::size_t i = 0; i + sizeof(float) <= got.size(); i += sizeof(float)) {
    float a = 0, b = 0;
    std::memcpy(&a, got.data() + i, sizeof(a));
    std::memcpy(&b, expected.data() + i, sizeof(b));
    if (!(std::abs(a - b) <= 1.0e-5F * std::max(1.0F, std::abs(b)))) return false;
  }
  return true;
}

/// Part `step` of a file that holds `steps` tensors one after the other.
std::span<const std::byte> slice(const std::vector<std::byte>& bytes, std::size_t step, std::size_t steps) {
  const std::size_t size = bytes.size() / steps;
  return std::span(bytes).subspan(step * size, size);
}

/// One inference after the other, as the case gives them, from the state that a new session has. `expected_cycles` is asked after each, told what it took.
void expect_case_exact(Session& session, const GoldenModel& golden, const GoldenCase& test, const std::vector<std::int32_t>& tensors, const std::string& where,
                       const std::function<std::uint64_t(std::uint64_t)>& expected_cycles) {
  ASSERT_TRUE(session.reset_state());
  std::vector<std::vector<std::byte>> inputs, expected;
  for (std::size_t i = 0; i < golden.inputs; ++i) inputs.push_back(testing::read_all(test.folder / ("input" + std::to_string(i) + ".bin")));
  if (tensors.empty())
    for (std::size_t i = 0; i < golden.outputs; ++i) expected.push_back(testing::read_all(test.folder / ("output" + std::to_string(i) + ".bin")));
  for (std::int32_t tensor : tensors) expected.push_back(testing::read_all(test.folder / ("tensor" + std::to_string(tensor) + ".bin")));
  for (std::size_t step = 0; step < test.steps; ++step) {
    for (std::size_t i = 0; i < golden.inputs; ++i) {
      const auto filled = session.input(i).fill_from(slice(inputs[i], step, test.steps));
      ASSERT_TRUE(filled) << filled.error().to_string(true);
    }
    const Result<Outputs> outputs = session.run({.deadline = std::chrono::seconds(60)});
    ASSERT_TRUE(outputs) << golden.name << " " << test.name << ": " << outputs.error().to_string(true);
    ASSERT_EQ(outputs->size(), golden.outputs);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const Result<TensorView> got = tensors.empty() ? Result<TensorView>(outputs->at(i)) : outputs->tensor(tensors[i]);
      ASSERT_TRUE(got) << got.error().to_string(true);
      EXPECT_TRUE(agrees(golden.name, got->info(), got->bytes(), slice(expected[i], step, test.steps))) << golden.name << " " << test.name << " step " << step << " result " << i << " on " << where;
    }
    const std::uint64_t took = outputs->timing().device_cycles;
    EXPECT_EQ(took, expected_cycles(took)) << golden.name << " " << test.name << ": cycles depend on the data or on the run";
  }
}

/// Runs all cases of a model in one session; counts them, and holds their cycles to `cycles` (the first run fills it).
void expect_exact(Device& device, const GoldenModel& golden, std::size_t& cases, std::map<std::string, std::uint64_t>& cycles) {
  const Result<Model> model = Model::load(golden.file.string());
  ASSERT_TRUE(model) << model.error().to_string(true);
  const std::vector<std::int32_t> tensors = testing::given_tensors(golden.cases.front());
  Result<Session> session = Session::create(device, *model, {.keep_tensors = tensors});
  ASSERT_TRUE(session) << session.error().to_string(true);
  for (const GoldenCase& test : golden.cases) {
    expect_case_exact(*session, golden, test, tensors, device.info().selector, [&](std::uint64_t took) {
      std::uint64_t& first = cycles[golden.name];
      if (first == 0) first = took;
      return first;
    });
    if (::testing::Test::HasFatalFailure()) return;
    ++cases;
  }
}

enum class Size { kAll, kSmall, kLarge };

void expect_all_exact(const std::string& selector, Size size, std::map<std::string, std::uint64_t>& cycles) {
  NARU_REQUIRE_MODELS(folder);
  mock::enable();
  std::size_t cases = 0, models = 0;
  for (const std::string& name : testing::all_models(*folder)) {
    const GoldenModel golden = testing::golden_model(*folder, name);
    const bool is_small = std::filesystem::file_size(golden.file) < kSmallBytes;
    if (size != Size::kAll && is_small != (size == Size::kSmall)) continue;
    Result<Device> device = open_device(selector);
    ASSERT_TRUE(device) << device.error().to_string(true);
    expect_exact(*device, golden, cases, cycles);
    if (::testing::Test::HasFatalFailure()) return;
    ++models;
  }
  testing::record_measured(fmt::format("{} cases of {} models exact on {}", cases, models, selector));
}

/// One map per profile for the whole process: cycles must agree between kernels and cables too.
std::map<std::string, std::uint64_t>& cycles_of(const std::string& profile) {
  static std::map<std::string, std::map<std::string, std::uint64_t>> all;
  return all[profile];
}

class GoldenModels : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    NARU_REQUIRE_KERNELS(std::get<1>(GetParam()));
    ::setenv("NARU_KERNELS", std::get<1>(GetParam()).c_str(), 1);
  }
  void TearDown() override { ::unsetenv("NARU_KERNELS"); }
  std::string profile() const { return std::get<0>(GetParam()); }
};

TEST_P(GoldenModels, SmallOnesAreExact) { expect_all_exact("mock:" + profile(), Size::kSmall, cycles_of(profile())); }
TEST_P(GoldenModels, LargeOnesAreExact) { expect_all_exact("mock:" + profile(), Size::kLarge, cycles_of(profile())); }

INSTANTIATE_TEST_SUITE_P(InProcess, GoldenModels, ::testing::Combine(::testing::Values("edge", "tiny"), ::testing::Values("amx", "vnni", "avx2", "portable")),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

class ServedGoldenModels : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(ServedGoldenModels, AreExactOverLibusbFromAnotherProcess) {
  NARU_REQUIRE_MODELS(folder);
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse is not usable";
  const auto& [profile, kernels] = GetParam();
  NARU_REQUIRE_KERNELS(kernels);
  const testing::ServedMock served(profile, {}, {"NARU_KERNELS=" + kernels});
  ASSERT_TRUE(served.ready());
  expect_all_exact(served.selector(), Size::kAll, cycles_of(profile));
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

INSTANTIATE_TEST_SUITE_P(OverFuse, ServedGoldenModels, ::testing::Combine(::testing::Values("edge", "tiny"), ::testing::Values("amx", "vnni", "avx2", "portable")),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

TEST(GoldenCompile, TinyTilesALargeShareOfTheOperators) {
  NARU_REQUIRE_MODELS(folder);
  std::size_t tiled = 0, on_npu = 0;
  for (const std::string& name : testing::all_models(*folder)) {
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
  const double share = static_cast<double>(tiled) / static_cast<double>(on_npu);
  testing::record_measured(fmt::format("on tiny {} of {} operators ({:.0f} %) have more than one tile", tiled, on_npu, 100 * share));
  EXPECT_GT(share, 0.4);
}

TEST(GoldenCompile, PredictsTheCyclesThatTheDeviceTakes) {
  NARU_REQUIRE_MODELS(folder);
  mock::enable();
  for (const char* profile : {"edge", "tiny"})
    for (const std::string& name : testing::all_models(*folder)) {
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

TEST(ResidentWeights, GiveTheSameBitsInThePredictedCycles) {
  NARU_REQUIRE_MODELS(folder);
  mock::enable();
  for (const char* profile : {"edge", "tiny"}) {
    std::size_t resident = 0, all = 0, cases = 0;
    for (const std::string& name : testing::all_models(*folder)) {
      const GoldenModel golden = testing::golden_model(*folder, name);
      ++all;
      const Result<Model> model = Model::load(golden.file.string());
      ASSERT_TRUE(model) << model.error().to_string(true);
      const std::vector<std::int32_t> tensors = testing::given_tensors(golden.cases.front());
      const Result<Model> package = compile(*model, {.profile = profile, .keep_tensors = tensors, .resident_weights = true});
      ASSERT_TRUE(package) << package.error().to_string(true);
      const Result<ModelSummary> summary = summarize(*package);
      ASSERT_TRUE(summary) << summary.error().to_string(true);
      if (!summary->resident_cycles) continue;
      ++resident;
      Result<Device> device = open_device(std::string("mock:") + profile);
      ASSERT_TRUE(device) << device.error().to_string(true);
      Result<Session> session = Session::create(*device, *package);
      ASSERT_TRUE(session) << session.error().to_string(true);
      bool first = true;
      for (const GoldenCase& test : golden.cases) {
        expect_case_exact(*session, golden, test, tensors, device->info().selector,
                          [&](std::uint64_t) { return std::exchange(first, false) ? summary->predicted_cycles : *summary->resident_cycles; });
        if (HasFatalFailure()) return;
        ++cases;
      }
    }
    testing::record_measured(fmt::format("{} of {} models keep their weights in the SRAM on {}: {} cases exact", resident, all, profile, cases));
    EXPECT_GT(resident, all / 3) << profile;
  }
}

}  // namespace
}  // namespace naru
