// Goal: what the importer makes of a valid file: operands resolved into options, constants that live as long as the graph, text that is safe to print.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "importing.h"

#include "import/tflite/import.h"
#include "naru/base/bytes.h"
#include "reference/interpreter.h"

namespace naru::sdk {
namespace {

using testing_models::imported;
using testing_models::ModelBuilder;
using testing_models::Sample;
using testing_models::SharedBytes;
using namespace naru::sdk::tflite;

TEST(Import, ResolvesParametersIntoOptions) {
  const graph::Graph graph = imported(Sample::make());
  ASSERT_EQ(graph.operators.size(), 16U);
  const auto options = [&]<typename T>(int op, T) { return std::get<T>(graph.operators[static_cast<std::size_t>(op)].options); };
  EXPECT_EQ(options(Sample::kPad, graph::PadOptions()).before, (graph::Shape{0, 1, 1, 0}));
  EXPECT_EQ(options(Sample::kMean, graph::ReduceOptions()).axes, (graph::Shape{2, 3}));
  EXPECT_EQ(options(Sample::kTranspose, graph::TransposeOptions()).permutation, (graph::Shape{0, 3, 1, 2}));
  EXPECT_EQ(options(Sample::kConcat, graph::ConcatenationOptions()).axis, 3);
  EXPECT_EQ(options(Sample::kConv, graph::ConvOptions()).activation, graph::Activation::kRelu6);
  EXPECT_EQ(graph.tensor(Sample::kConvFilter).quantization->scales.size(), 8U);
  EXPECT_EQ(graph.tensor(Sample::kCodes).zero_point(), -3);
  EXPECT_EQ(graph.inputs, (std::vector<graph::TensorId>{Sample::kInput}));
  ASSERT_EQ(graph.signatures.size(), 1U);
  EXPECT_EQ(graph.signatures[0].inputs[0].first, "x");
}

TEST(Import, KeepsConstantsAliveWithoutTheCaller) {
  graph::Graph copy;
  {
    SharedBytes bytes = Sample::make().bytes();
    auto graph = import_tflite(bytes);
    ASSERT_TRUE(graph);
    copy = *graph;
  }
  EXPECT_THAT(graph::constant_values<std::int32_t>(copy.tensor(Sample::kConvBias)), testing::ElementsAre(1, -2, 3, -4, 500, -600, 7, 8));
}

TEST(Import, ReadsConstantsThatLieBehindTheFlatBuffer) {
  ModelBuilder builder = Sample::make();
  const auto values = builder.buffer_of(Sample::kConvBias).data;
  auto& buffer = builder.buffer_of(Sample::kConvBias);
  buffer.data.clear();
  buffer.offset = 2;
  buffer.size = values.size();
  // An odd place, so that it must be copied to be aligned.
  const std::size_t place = builder.bytes()->size() + 3;
  buffer.offset = place;
  auto bytes = *builder.bytes();
  ASSERT_LE(bytes.size(), place);
  bytes.resize(place);
  const auto tail = std::as_bytes(std::span(values));
  bytes.insert(bytes.end(), tail.begin(), tail.end());
  auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(bytes));
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  EXPECT_THAT(graph::constant_values<std::int32_t>(graph->tensor(Sample::kConvBias)), testing::ElementsAre(1, -2, 3, -4, 500, -600, 7, 8));
}

TEST(Import, TakesAnInputAsAnOutputAndAnOutputTwice) {
  auto sample = Sample::make();
  sample.graph().outputs = {Sample::kOutput, Sample::kInput, Sample::kOutput};
  const auto graph = import_tflite(sample.bytes());
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  EXPECT_THAT(graph->outputs, testing::ElementsAre(Sample::kOutput, Sample::kInput, Sample::kOutput));
}

/// M2: the FlatBuffers verifier lets a vector of 8-byte elements lie on a multiple of 4; a plain load would fault on some processors.
TEST(Import, ReadsZeroPointsThatAreMisaligned) {
  auto bytes = *Sample::make().bytes();
  bytes.resize((bytes.size() + 7) / 8 * 8);
  const std::size_t place = bytes.size();
  bytes.resize(place + 12);
  store_le<std::uint32_t>(bytes.data() + place, 1);
  store_le<std::int64_t>(bytes.data() + place + 4, -77);
  const auto* quantization = tflite::GetModel(bytes.data())->subgraphs()->Get(0)->tensors()->Get(Sample::kAddOut)->quantization();
  const auto* field = reinterpret_cast<const flatbuffers::Table*>(quantization)->GetAddressOf(tflite::QuantizationParameters::VT_ZERO_POINT);
  ASSERT_NE(field, nullptr);
  const auto offset = static_cast<std::size_t>(field - reinterpret_cast<const std::uint8_t*>(bytes.data()));
  store_le<std::uint32_t>(bytes.data() + offset, static_cast<std::uint32_t>(place - offset));
  // Its quantisation now differs from what the concatenation needs, which is how the test sees the value.
  const auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(bytes));
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().message(), testing::HasSubstr("zero point -77"));
}

/// As many constants of `count` i32 as places, in bytes behind the FlatBuffer that begin at an odd address.
SharedBytes constants_at(const std::vector<std::size_t>& places, std::int32_t count = 16) {
  const std::size_t size = static_cast<std::size_t>(count) * sizeof(std::int32_t);
  ModelBuilder b;
  b.graph().inputs = {b.add_tensor("x", {1}, TensorType_INT8, {1.0F})};
  b.graph().outputs = b.graph().inputs;
  for (std::size_t i = 0; i < places.size(); ++i) {
    b.constant<std::int32_t>(b.add_tensor("c", {count}, TensorType_INT32), {});
    b.graph().outputs.push_back(static_cast<std::int32_t>(i + 1));
  }
  const auto placed = [&](std::size_t begin) {
    for (std::size_t i = 0; i < places.size(); ++i) {
      auto& buffer = b.buffer_of(static_cast<int>(i + 1));
      buffer.offset = begin + places[i];
      buffer.size = size;
    }
    return *b.bytes();
  };
  const std::size_t begin = placed(1001).size() | 1U;
  auto bytes = placed(begin);
  bytes.resize(begin);
  for (std::size_t i = 0; i < 2 * size; ++i) bytes.push_back(static_cast<std::byte>(i));
  return std::make_shared<const std::vector<std::byte>>(std::move(bytes));
}

TEST(Import, CopiesAMisalignedConstantOnceHoweverManyTensorsNameIt) {
  const auto graph = import_tflite(constants_at(std::vector<std::size_t>(200, 4)));
  ASSERT_TRUE(graph) << graph.error().to_string(true);
  for (std::size_t i = 1; i < graph->tensors.size(); ++i) {
    const auto& constant = graph->tensors[i].constant;
    EXPECT_EQ(constant.data(), graph->tensors[1].constant.data());
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(constant.data()) % sizeof(std::int32_t), 0U);
  }
  EXPECT_EQ(graph::constant_values<std::int32_t>(graph->tensors[200])[0], 0x07060504);
  // Others that overlap have copies of their own, as long as the file could hold them all.
  const auto few = import_tflite(constants_at({0, 4, 8}));
  ASSERT_TRUE(few) << few.error().to_string(true);
  EXPECT_EQ(graph::constant_values<std::int32_t>(few->tensors[3])[0], 0x0B0A0908);
}

TEST(Import, RefusesMisalignedConstantsThatOverlapManyTimes) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < 40; ++i) places.push_back(4 * i);
  const auto graph = import_tflite(constants_at(places, 10'000));
  ASSERT_FALSE(graph);
  EXPECT_EQ(graph.error().id(), ErrorId::kModelLimit);
  EXPECT_THAT(graph.error().message(), testing::HasSubstr("\"c\", buffer: is misaligned and overlaps others"));
}

TEST(Import, ReplacesTextThatIsNotUtf8AndControlCharacters) {
  ModelBuilder builder = Sample::make();
  builder.tensor(Sample::kAddOut).name = std::string("ok\xff\xc3\x28 \xe2\x82\xac\x1b[31m\x00z", 16);
  builder.graph().name = std::string(5000, 'n');
  const graph::Graph graph = imported(builder);
  EXPECT_EQ(graph.tensor(Sample::kAddOut).name, "ok\xEF\xBF\xBD\xEF\xBF\xBD( \xe2\x82\xac\xEF\xBF\xBD[31m\xEF\xBF\xBDz");
  EXPECT_EQ(graph.name.size(), 1024U);
}

TEST(Import, TakesTheOldOperatorCodeField) {
  ModelBuilder builder = Sample::make();
  for (auto& code : builder.model.operator_codes) {
    if (code->builtin_code < 127) code->builtin_code = BuiltinOperator_ADD;
  }
  EXPECT_EQ(imported(builder).operators[Sample::kConv].kind, graph::OperatorKind::kConv2d);
}

TEST(Import, TakesABiasThatIsLeftOutEitherWay) {
  ModelBuilder builder = Sample::make();
  builder.op(Sample::kConv).inputs[2] = -1;
  builder.op(Sample::kDense).inputs.pop_back();
  const graph::Graph graph = imported(builder);
  EXPECT_EQ(graph.operators[Sample::kConv].input(2), graph::kAbsent);
  EXPECT_EQ(graph.operators[Sample::kDense].input(2), graph::kAbsent);
}

TEST(Import, GivesAGraphThatTheReferenceRunsForEachBatchAlike) {
  const graph::Graph graph = imported(Sample::make());
  std::vector<float> input(2 * 8 * 8 * 4);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<float>(static_cast<int>(i * 7919 % 256) - 128) / 25.0F;
  std::copy_n(input.begin(), 256, input.begin() + 256);
  const auto bytes = std::as_bytes(std::span(input));
  const std::span<const std::byte> inputs[] = {bytes};
  const auto result = reference::run(graph, inputs);
  ASSERT_TRUE(result) << result.error().to_string();
  ASSERT_EQ(result->outputs.size(), 1U);
  ASSERT_EQ(result->outputs[0].size(), 80U);
  const reference::Bytes& output = result->outputs[0];
  EXPECT_TRUE(std::equal(output.begin(), output.begin() + 40, output.begin() + 40));
  float sum = 0.0F;
  for (std::size_t i = 0; i < 10; ++i) sum += reinterpret_cast<const float*>(output.data())[i];
  EXPECT_NEAR(sum, 1.0F, 0.05F);
}

TEST(Import, RefusesInputsOfAnotherSize) {
  const graph::Graph graph = imported(Sample::make());
  const std::vector<std::byte> bytes(100);
  const std::span<const std::byte> inputs[] = {bytes};
  const auto result = reference::run(graph, inputs);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().id(), ErrorId::kInputSize);
  EXPECT_EQ(reference::run(graph, {}).error().id(), ErrorId::kInvalidArgument);
}

}  // namespace
}  // namespace naru::sdk
