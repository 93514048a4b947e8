// Goal: the reference gives what TFLite Micro's kernels gave, to the bit, for every operator of every golden case.
// Method: import, run each step with all intermediates and the state carried, compare the fingerprint of each operator's output in the first step with
// layers.json, then the outputs' bytes, which are one step behind the other. Detection models are compared where their post-processing begins.
// The project's own model is in the tree, with outputs that its script computed in Python: it needs no golden models.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "golden_models.h"
#include "import/tflite/import.h"
#include "reference/interpreter.h"

namespace naru::sdk {
namespace {

/// The models that need operators beyond the first seventeen.
const std::vector<std::string>& later_models() {
  static const std::vector<std::string> kNames = {
      "tflm_keyword_scrambled_int8", "tflm_mnist_lstm_int8", "tflm_dtln_int8", "coral_mobilenet_v1_0.25_128_quant", "coral_mobilenet_v2_1.0_224_quant",
      "coco_ssd_mobilenet_v1_quant", "coral_movenet_single_pose_lightning_ptq", "mww_hey_jarvis", "mww_v2_vad", "tinyengine_detection", "litert_mul_quant",
      "litert_simple_quantized_ops", "aeq_mnist_quantized"};
  return kNames;
}

/// Float arithmetic: exact on the machine that made the golden outputs, near elsewhere.
bool is_near_only(const std::string& model) { return model == "aeq_mnist_quantized"; }

void expect_near(std::span<const std::byte> values, std::span<const std::byte> expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); i += sizeof(float)) {
    float value = 0.0F;
    float golden = 0.0F;
    std::memcpy(&value, values.data() + i, sizeof(float));
    std::memcpy(&golden, expected.data() + i, sizeof(float));
    ASSERT_NEAR(value, golden, 1.0e-5F) << "element " << i / sizeof(float);
  }
}

/// Compares each operator's result with layers.json. What an importer resolves has no operator, or none that is compared.
void expect_layers(const graph::Graph& graph, const golden::Case& golden, const std::vector<reference::Bytes>& tensors) {
  static const std::set<std::string> kResolved = {"CALL_ONCE", "VAR_HANDLE", "ASSIGN_VARIABLE", "CUSTOM:TFLite_Detection_PostProcess"};
  const auto layers = golden::layers_of(golden);
  ASSERT_FALSE(layers.empty());
  for (const golden::Layer& layer : layers) {
    if (kResolved.contains(layer.name)) continue;
    const auto op = std::find_if(graph.operators.begin(), graph.operators.end(), [&](const graph::Operator& o) { return o.file_index == layer.operator_index; });
    ASSERT_NE(op, graph.operators.end()) << "operator " << layer.operator_index << " " << layer.name;
    ASSERT_EQ(graph::name_of(op->kind), layer.name);
    ASSERT_NE(std::find(op->outputs.begin(), op->outputs.end(), layer.tensor), op->outputs.end()) << graph::describe(*op) << " does not write tensor " << layer.tensor;
    ASSERT_EQ(golden::layer_fingerprint(tensors.at(static_cast<std::size_t>(layer.tensor))), layer.fnv1a64) << "the first that differs is " << graph::describe(*op);
  }
}

class GoldenModel : public testing::TestWithParam<std::string> {};

TEST_P(GoldenModel, ReferenceIsExactInEveryOperator) {
  const std::string& name = GetParam();
  if (!golden::has_model(name)) GTEST_SKIP() << "skipped the golden model " << name << ": not in " << golden::models_folder() << " (set NARU_MODELS)";
  auto bytes = read_file(golden::model_path(name).string());
  ASSERT_TRUE(bytes) << bytes.error().to_string();
  auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(std::move(*bytes)));
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  const auto detection = std::find_if(graph->operators.begin(), graph->operators.end(), [](const auto& op) { return op.kind == graph::OperatorKind::kDetectionPostProcess; });
  // What is compared with which file.
  std::vector<std::pair<graph::TensorId, std::string>> compared;
  for (std::size_t i = 0; i < graph->outputs.size(); ++i) compared.emplace_back(graph->outputs[i], "output" + std::to_string(i) + ".bin");
  if (detection != graph->operators.end()) {
    compared.clear();
    for (graph::TensorId id : {detection->inputs[0], detection->inputs[1]}) compared.emplace_back(id, "tensor" + std::to_string(id) + ".bin");
  }

  const auto cases = golden::cases_of(name);
  ASSERT_FALSE(cases.empty());
  for (const golden::Case& golden : cases) {
    SCOPED_TRACE(golden.name);
    const auto inputs = golden::tensors_of(golden, "input");
    ASSERT_EQ(inputs.size(), graph->inputs.size());
    const std::size_t steps = inputs[0].size() / graph::byte_size(graph->tensor(graph->inputs[0]));
    ASSERT_GE(steps, 1U);
    std::vector<reference::Bytes> states;
    std::vector<reference::Bytes> outputs(compared.size());
    for (std::size_t step = 0; step < steps; ++step) {
      std::vector<std::span<const std::byte>> views;
      for (const auto& input : inputs) views.push_back(std::span(input).subspan(step * (input.size() / steps), input.size() / steps));
      auto result = reference::run(*graph, views, {.keep_intermediates = true, .states = &states});
      ASSERT_TRUE(result) << result.error().to_string(true);
      if (step == 0 && !is_near_only(name)) expect_layers(*graph, golden, result->tensors);
      if (HasFatalFailure()) return;
      for (std::size_t i = 0; i < compared.size(); ++i) {
        const auto& tensor = result->tensors.at(static_cast<std::size_t>(compared[i].first));
        outputs[i].insert(outputs[i].end(), tensor.begin(), tensor.end());
      }
    }
    for (std::size_t i = 0; i < compared.size(); ++i) {
      const auto expected = read_file((golden.folder / compared[i].second).string());
      ASSERT_TRUE(expected) << expected.error().to_string();
      if (is_near_only(name)) expect_near(outputs[i], *expected);
      else EXPECT_EQ(*expected, outputs[i]) << compared[i].second;
    }
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
INSTANTIATE_TEST_SUITE_P(Later, GoldenModel, testing::ValuesIn(later_models()), test_name);

}  // namespace
}  // namespace naru::sdk
