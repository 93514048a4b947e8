// Goal: what fuzzing found once stays mended, and what it reached stays reachable, in every build. Method: each file of fuzz/corpus goes through
// the function that its fuzz target runs; a file never makes it say that something is broken.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model_target.h"
#include "naru/base/file.h"
#include "package_target.h"
#include "stream_target.h"

namespace naru::fuzzing {
namespace {

struct Target {
  const char* name;
  std::function<std::string(std::span<const std::byte>)> check;
};
void PrintTo(const Target& target, std::ostream* stream) { *stream << target.name; }

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, BreaksNothing) {
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(NARU_SOURCE_DIR "/fuzz/corpus") / GetParam().name)) {
    const auto bytes = read_file(entry.path().string());
    ASSERT_TRUE(bytes) << entry.path();
    EXPECT_EQ(GetParam().check(*bytes), "") << entry.path();
    ++files;
  }
  EXPECT_GT(files, 0U);
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus,
                         testing::Values(Target{"fuzz_model", [](auto bytes) { return check_model(bytes); }}, Target{"fuzz_package", check_package},
                                         Target{"fuzz_stream", check_stream}),
                         [](const auto& info) { return std::string(info.param.name); });

/// A seed that is refused is where fuzzing ends, not where it begins: made by an earlier format, or wrong.
TEST(FuzzCorpus, HasSeedsThatAreAccepted) {
  std::size_t models = 0, packages = 0;
  const auto for_each_seed = [](const char* target, auto visit) {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(NARU_SOURCE_DIR "/fuzz/corpus") / target)) {
      if (!entry.path().filename().string().starts_with("seed_")) continue;
      const auto bytes = read_file(entry.path().string());
      ASSERT_TRUE(bytes) << entry.path();
      visit(*bytes, entry.path());
    }
  };
  for_each_seed("fuzz_model", [&](const auto& bytes, const auto& path) {
    const auto graph = sdk::import_tflite(std::make_shared<const std::vector<std::byte>>(bytes));
    EXPECT_TRUE(graph) << path << ": " << graph.error().to_string(true);
    ++models;
  });
  for_each_seed("fuzz_package", [&](const auto& bytes, const auto& path) {
    const auto package = sdk::package::decode(bytes);
    EXPECT_TRUE(package) << path << ": " << package.error().to_string(true);
    ++packages;
  });
  EXPECT_GT(models, 80U);
  EXPECT_GT(packages, 80U);
}

/// The largest of our own models is too long for the corpus, not for the checks.
TEST(FuzzTargets, AcceptTheDigitModel) {
  const auto bytes = read_file(NARU_SOURCE_DIR "/models/digits/digits.tflite");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(check_model(*bytes), "");
}

/// The checks can fail: a graph that breaks a promise is noticed.
TEST(FuzzTargets, NoticeAGraphThatBreaksItsPromises) {
  graph::Graph graph;
  graph.tensors.resize(2);
  for (graph::Tensor& tensor : graph.tensors) {
    tensor.shape = {4};
    tensor.type = abi::ElementType::kI8;
  }
  graph.inputs = {0};
  graph.outputs = {1};
  graph::Operator relu;
  relu.kind = graph::OperatorKind::kRelu;
  relu.inputs = {0};
  relu.outputs = {1};
  graph.operators = {relu};
  ASSERT_EQ(broken_promise(graph, {}), "");
  graph.operators[0].inputs = {1};
  EXPECT_NE(broken_promise(graph, {}), "");
  graph.operators[0] = relu;
  graph.operators.push_back(relu);
  EXPECT_NE(broken_promise(graph, {}), "");
  graph.operators = {relu};
  graph.tensors[1].shape = {4, 0};
  EXPECT_NE(broken_promise(graph, {}), "");
  graph.tensors[1].shape = {4};
  graph.tensors[0].quantization.emplace();
  EXPECT_NE(broken_promise(graph, {}), "");
  graph.tensors[0].quantization.reset();
  graph.outputs = {2};
  EXPECT_NE(broken_promise(graph, {}), "");
}

}  // namespace
}  // namespace naru::fuzzing
