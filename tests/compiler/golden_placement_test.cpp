// Where the operators of the real models run, as `naru inspect` tells it: convolutional models on the NPU, and a reason for every operator left to the host.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include <fmt/format.h>

#include "chips.h"
#include "compiler/schedule/bound.h"
#include "import/tflite/import.h"
#include "naru/compile.h"
#include "support/golden_models.h"

namespace naru::sdk::testing {
namespace {

constexpr double kShareOnNpu = 0.995;

/// As tools/cycles marks them: most multiply-accumulates belong to convolutions of images.
bool is_convolutional(const std::filesystem::path& file, const Chip& chip) {
  const auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(naru::testing::read_all(file)));
  const auto bound = compiler::bound_of(graph.value(), chip.numbers, 0).value();
  return bound.window_macs * 2 > bound.macs;
}

class GoldenPlacement : public ::testing::TestWithParam<Chip> {};

TEST_P(GoldenPlacement, OfConvolutionalModelsIsTheNpuAndOthersSayWhyNot) {
  const Chip& chip = GetParam();
  const auto folder = naru::testing::models_folder();
  if (!folder) GTEST_SKIP() << "golden models not found: set NARU_MODELS or put them in ../shared/models";
  const auto names = naru::testing::all_models(*folder);
  EXPECT_GE(names.size(), 1U);
  std::size_t convolutional = 0, on_host = 0;
  double least = 1.0;
  for (const std::string& name : names) {
    const auto file = *folder / (name + ".tflite");
    const Result<Model> model = Model::load(file.string());
    ASSERT_TRUE(model) << name << ": " << model.error().to_string(true);
    const Result<ModelSummary> summary = summarize(*model, chip.name);
    ASSERT_TRUE(summary) << name << ": " << summary.error().to_string(true);
    for (const OperatorSummary& op : summary->operators) {
      if (op.placement != "host") continue;
      ++on_host;
      EXPECT_FALSE(op.reason.empty()) << name << ": operator " << op.index << ", " << op.kind << " " << op.name;
    }
    if (!is_convolutional(file, chip)) continue;
    ++convolutional;
    EXPECT_GE(summary->npu_mac_share, kShareOnNpu) << name;
    least = std::min(least, summary->npu_mac_share);
  }
  EXPECT_GT(convolutional, 10U);
  EXPECT_GT(on_host, 0U);
  std::cout << fmt::format("{}: {} of {} models are convolutional, at least {:.3f} % of their multiply-accumulates on the NPU; {} operators on the host\n",
                           chip.name, convolutional, names.size(), 100 * least, on_host);
}

INSTANTIATE_TEST_SUITE_P(RealModels, GoldenPlacement, ::testing::Values(edge(), tiny()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace naru::sdk::testing
