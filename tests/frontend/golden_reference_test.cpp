// Goal: the reference gives what TFLite Micro's kernels gave, to the bit, for every operator of every golden case.
// Method: import, run with all intermediates, compare the fingerprint of each operator's output with layers.json, then the outputs' bytes.
// The project's own model is in the tree, with outputs that its script computed in Python: it needs no golden models.
#include <algorithm>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden_models.h"
#include "import/tflite/import.h"
#include "reference/interpreter.h"

namespace naru::sdk {
namespace {

class GoldenModel : public testing::TestWithParam<std::string> {};

TEST_P(GoldenModel, ReferenceIsExactInEveryOperator) {
  const std::string& name = GetParam();
  if (!golden::has_model(name)) GTEST_SKIP() << "skipped the golden model " << name << ": not in " << golden::models_folder() << " (set NARU_MODELS)";
  auto bytes = read_file(golden::model_path(name).string());
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(std::move(*bytes)));
  ASSERT_TRUE(graph) << graph.error().to_string(true);

  const auto cases = golden::cases_of(name);
  ASSERT_FALSE(cases.empty());
  for (const golden::Case& golden : cases) {
    SCOPED_TRACE(golden.name);
    const auto inputs = golden::tensors_of(golden, "input");
    const std::vector<std::span<const std::byte>> views(inputs.begin(), inputs.end());
    auto result = reference::run(*graph, views, {.keep_intermediates = true});
    ASSERT_TRUE(result) << result.error().to_string(true);

    const auto layers = golden::layers_of(golden);
    ASSERT_EQ(layers.size(), graph->operators.size());
    for (const golden::Layer& layer : layers) {
      const graph::Operator& op = graph->operators.at(static_cast<std::size_t>(layer.operator_index));
      ASSERT_EQ(graph::name_of(op.kind), layer.name);
      ASSERT_EQ(golden::layer_fingerprint(result->tensors.at(static_cast<std::size_t>(op.outputs[0]))), layer.fnv1a64) << "the first that differs is " << graph::describe(op);
    }
    const auto outputs = golden::tensors_of(golden, "output");
    ASSERT_EQ(outputs.size(), result->outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) EXPECT_EQ(outputs[i], result->outputs[i]) << "output " << i;
  }
}

TEST(OwnModel, ReferenceGivesWhatItsScriptPredicted) {
  const auto folder = std::filesystem::path(NARU_SOURCE_DIR) / "models" / "digits";
  auto bytes = read_file((folder / "digits.tflite").string());
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(std::move(*bytes)));
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  std::ifstream file(folder / "expected.json");
  const auto expected = nlohmann::json::parse(file);
  ASSERT_EQ(expected["samples"].size(), 10U);
  for (const auto& sample : expected["samples"]) {
    const std::string name = sample["name"];
    SCOPED_TRACE(name);
    const auto input = read_file((folder / "samples" / (name + ".bin")).string());
    ASSERT_TRUE(input) << input.error().to_string();
    const std::span<const std::byte> inputs[] = {*input};
    const auto result = reference::run(*graph, inputs);
    ASSERT_TRUE(result) << result.error().to_string();
    std::vector<int> codes;
    for (std::byte byte : result->outputs.at(0)) codes.push_back(static_cast<std::int8_t>(byte));
    EXPECT_EQ(codes, sample["output"].get<std::vector<int>>());
    EXPECT_EQ(std::max_element(codes.begin(), codes.end()) - codes.begin(), sample["digit"].get<int>());
  }
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(First, GoldenModel, testing::ValuesIn(golden::first_models()), test_name);
INSTANTIATE_TEST_SUITE_P(Further, GoldenModel, testing::ValuesIn(golden::further_models()), test_name);

}  // namespace
}  // namespace naru::sdk
