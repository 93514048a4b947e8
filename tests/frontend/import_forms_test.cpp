// Goal: forms of models that TFLite and TFLite Micro take are taken: valid files in memory import, and where values matter the reference, the host's
// operators and a compiled package all give what was computed by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "../compiler/package_runner.h"
#include "importing.h"
#include "two_subgraphs.h"

#include "compiler/compiler.h"
#include "host/host.h"
#include "import/tflite/import.h"
#include "naru/profile/profile.h"
#include "reference/interpreter.h"

#include <flatbuffers/flexbuffers.h>

namespace naru::sdk {
namespace {

using ::testing::HasSubstr;
using testing_models::imported;
using testing_models::ModelBuilder;
using testing_models::Sample;
using testing_models::two_subgraphs;
using namespace naru::sdk::tflite;
using Bytes = std::vector<std::byte>;

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  const auto span = std::as_bytes(std::span(values));
  return {span.begin(), span.end()};
}

std::string refusal_of(const ModelBuilder& builder) {
  const auto graph = import_tflite(builder.bytes());
  return graph ? "accepted" : graph.error().id_text() + " " + graph.error().message();
}

TEST(ImportSignatures, ChooseTheSubgraph) {
  const ModelBuilder b = two_subgraphs();
  const auto first = import_tflite(b.bytes()), named = import_tflite(b.bytes(), {}, "first"), second = import_tflite(b.bytes(), {}, "second");
  ASSERT_TRUE(first && named && second);
  EXPECT_EQ(first->operators[0].kind, graph::OperatorKind::kRelu);
  EXPECT_EQ(named->operators[0].kind, graph::OperatorKind::kRelu);
  EXPECT_EQ(second->operators[0].kind, graph::OperatorKind::kTanh);
  EXPECT_EQ(second->subgraph, 1U);
  EXPECT_EQ(second->subgraphs, 2U);
  ASSERT_EQ(first->signatures.size(), 2U);
  EXPECT_EQ(first->signatures[0].key, "second");
  EXPECT_EQ(first->signatures[0].subgraph, 1U);
  EXPECT_THAT(first->signatures[1].inputs, ::testing::ElementsAre(::testing::Pair("given", 0)));
  const auto none = import_tflite(b.bytes(), {}, "third");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().id(), ErrorId::kInvalidArgument);
  EXPECT_THAT(none.error().remedy(), HasSubstr("second, first"));
}

TEST(ImportSignatures, AndSubgraphsThatAreNotReadMustBeRightAllTheSame) {
  const auto refused = [](const std::function<void(ModelT&)>& change) {
    ModelBuilder b = two_subgraphs();
    change(b.model);
    return refusal_of(b);
  };
  EXPECT_THAT(refused([](ModelT& m) { m.signature_defs[0]->outputs[0]->tensor_index = 77; }), HasSubstr("names tensor 77"));
  EXPECT_THAT(refused([](ModelT& m) { m.subgraphs[1]->operators[0]->inputs = {99}; }), HasSubstr("is 99; subgraph 1 has 2 tensors"));
  EXPECT_THAT(refused([](ModelT& m) { m.subgraphs[1]->operators[0]->opcode_index = 9; }), HasSubstr("the model has 2 codes"));
  EXPECT_THAT(refused([](ModelT& m) { m.subgraphs[1]->outputs = {-1}; }), HasSubstr("is -1; subgraph 1"));
  EXPECT_EQ(refused([](ModelT&) {}), "accepted");
}

/// Every operator by the host's kernels, in order.
std::vector<Bytes> run_on_host(const graph::Graph& graph, const std::vector<Bytes>& inputs) {
  std::vector<Bytes> values(graph.tensors.size());
  for (std::size_t i = 0; i < values.size(); ++i) values[i].assign(graph.tensors[i].constant.begin(), graph.tensors[i].constant.end());
  for (std::size_t i = 0; i < inputs.size(); ++i) values[static_cast<std::size_t>(graph.inputs[i])] = inputs[i];
  for (const graph::State& state : graph.states) values[static_cast<std::size_t>(state.before)].assign(state.initial.begin(), state.initial.end());
  for (const graph::Operator& op : graph.operators) {
    std::vector<std::span<const std::byte>> operands;
    for (graph::TensorId id : op.inputs) operands.push_back(id == graph::kAbsent ? std::span<const std::byte>() : values[static_cast<std::size_t>(id)]);
    for (graph::TensorId id : op.outputs) values[static_cast<std::size_t>(id)].resize(graph::byte_size(graph.tensor(id)));
    std::vector<std::span<std::byte>> results;
    for (graph::TensorId id : op.outputs) results.emplace_back(values[static_cast<std::size_t>(id)]);
    const auto done = host::execute(op, graph.tensors, operands, results);
    EXPECT_TRUE(done) << done.error().to_string();
  }
  std::vector<Bytes> outputs;
  for (graph::TensorId id : graph.outputs) outputs.push_back(values[static_cast<std::size_t>(id)]);
  return outputs;
}
Result<package::Package> compiled(const graph::Graph& graph) {
  static const abi::Chip kChip = profile::load("tiny").value().chip;
  auto package = compiler::compile(graph, kChip, {.profile = "tiny", .keep_tensors = {}});
  EXPECT_TRUE(package) << package.error().to_string();
  return package;
}

std::vector<Bytes> run_compiled(const graph::Graph& graph, const std::vector<Bytes>& inputs) {
  const auto package = compiled(graph);
  if (!package) return {};
  const auto tensors = testing::run_package(*package, inputs);
  EXPECT_TRUE(tensors) << tensors.error().to_string();
  if (!tensors) return {};
  std::vector<Bytes> outputs;
  for (const auto index : package->outputs) outputs.push_back((*tensors)[index]);
  return outputs;
}

std::vector<Bytes> run_on_reference(const graph::Graph& graph, const std::vector<Bytes>& inputs) {
  const std::vector<std::span<const std::byte>> spans(inputs.begin(), inputs.end());
  const auto judged = reference::run(graph, spans);
  EXPECT_TRUE(judged) << judged.error().to_string();
  return judged ? judged->outputs : std::vector<Bytes>();
}

/// The three agree on `values`, the outputs in order.
template <typename T>
void expect_outputs(const ModelBuilder& builder, const std::vector<Bytes>& inputs, const std::vector<std::vector<T>>& values) {
  const graph::Graph graph = imported(builder);
  std::vector<Bytes> expected;
  for (const auto& each : values) expected.push_back(bytes_of(each));
  EXPECT_EQ(run_on_reference(graph, inputs), expected) << "reference";
  EXPECT_EQ(run_on_host(graph, inputs), expected) << "host";
  EXPECT_EQ(run_compiled(graph, inputs), expected) << "package";
}

/// One input x of `shape`; what a test adds comes after it.
struct OneInput : ModelBuilder {
  explicit OneInput(std::vector<std::int32_t> shape, TensorType type = TensorType_FLOAT32, std::vector<float> scales = {}, std::int64_t zero_point = 0) {
    graph().inputs = {add_tensor("x", std::move(shape), type, std::move(scales), zero_point)};
  }
  int ends(std::vector<std::int32_t> shape, TensorType type = TensorType_FLOAT32, std::vector<float> scales = {}, std::int64_t zero_point = 0) {
    const int y = add_tensor("y", std::move(shape), type, std::move(scales), zero_point);
    graph().outputs = {y};
    return y;
  }
  int numbers(std::vector<std::int32_t> shape, const std::vector<std::int32_t>& values) {
    return constant(add_tensor("numbers", std::move(shape), TensorType_INT32), values);
  }
  int number(std::int32_t value) { return numbers({}, {value}); }
  int real(std::vector<std::int32_t> shape, const std::vector<float>& values) {
    return constant(add_tensor("reals", std::move(shape), TensorType_FLOAT32), values);
  }
  void transpose_conv(std::vector<std::int32_t> operands, std::vector<std::int32_t> shape, std::int32_t stride) {
    TransposeConvOptionsT options;
    options.padding = Padding_VALID;
    options.stride_h = options.stride_w = stride;
    add_operator(BuiltinOperator_TRANSPOSE_CONV, std::move(operands), {ends(std::move(shape))}, options);
  }
  int row(const std::vector<std::int32_t>& values) { return numbers({static_cast<std::int32_t>(values.size())}, values); }
};

TEST(ImportForms, TakeAPadValueAsAThirdOperand) {
  OneInput b({1, 3}, TensorType_INT8, {0.5F}, 1);
  const int value = b.constant<std::int8_t>(b.add_tensor("value", {1}, TensorType_INT8, {0.5F}, 1), {9});
  const int paddings = b.numbers({2, 2}, {0, 1, 1, 0});
  b.add_operator(BuiltinOperator_PADV2, {0, paddings, value}, {b.ends({2, 4}, TensorType_INT8, {0.5F}, 1)}, PadV2OptionsT());
  expect_outputs<std::int8_t>(b, {bytes_of<std::int8_t>({1, 2, 3})}, {{9, 1, 2, 3, 9, 9, 9, 9}});
  b.tensor(value).quantization->zero_point = {2};
  EXPECT_THAT(refusal_of(b), HasSubstr("NARU-0206 Operator 0 PADV2, tensor 1 \"value\", quantization"));
}

TEST(ImportForms, TakePaddingsOfWholeNumbersTruthsAndPlainBytes) {
  const auto padded = [](TensorType type) {
    OneInput b({2}, type);
    const int paddings = b.numbers({1, 2}, {1, 1});
    b.add_operator(BuiltinOperator_PAD, {0, paddings}, {b.ends({4}, type)}, PadOptionsT());
    return b;
  };
  expect_outputs<std::int32_t>(padded(TensorType_INT32), {bytes_of<std::int32_t>({-7, 8})}, {{0, -7, 8, 0}});
  expect_outputs<std::int64_t>(padded(TensorType_INT64), {bytes_of<std::int64_t>({-7, 1LL << 40})}, {{0, -7, 1LL << 40, 0}});
  expect_outputs<std::uint8_t>(padded(TensorType_BOOL), {bytes_of<std::uint8_t>({1, 0})}, {{0, 1, 0, 0}});
  expect_outputs<std::int8_t>(padded(TensorType_INT8), {bytes_of<std::int8_t>({-7, 8})}, {{0, -7, 8, 0}});
}

TEST(ImportForms, LeaveSignaturesOfOtherSubgraphsAlone) {
  ModelBuilder b = Sample::make();
  b.model.subgraphs.push_back(std::make_unique<SubGraphT>());
  // Numbered apart: the main subgraph has no tensor of this number.
  constexpr std::uint32_t kFar = 200;
  for (std::uint32_t i = 0; i <= kFar; ++i) b.model.subgraphs[1]->tensors.push_back(std::make_unique<TensorT>());
  auto signature = std::make_unique<SignatureDefT>();
  signature->signature_key = "init";
  signature->subgraph_index = 1;
  signature->inputs.push_back(std::make_unique<TensorMapT>());
  signature->inputs[0]->tensor_index = kFar;
  b.model.signature_defs.push_back(std::move(signature));
  const graph::Graph graph = imported(b);
  EXPECT_EQ(graph.signatures.size(), Sample::make().model.signature_defs.size() + 1);
  EXPECT_EQ(graph.subgraph, 0U);
}

TEST(ImportForms, GiveAConstantAsAnOutput) {
  OneInput b({2});
  const int y = b.ends({2});
  b.add_operator(BuiltinOperator_ABS, {0}, {y}, AbsOptionsT());
  b.graph().outputs = {y, b.real({3}, {1.0F, 2.0F, 3.0F})};
  expect_outputs<float>(b, {bytes_of<float>({-1.0F, 5.0F})}, {{1.0F, 5.0F}, {1.0F, 2.0F, 3.0F}});
}

TEST(ImportForms, ReplicateTheOnlyZeroPointOfManyScales) {
  ModelBuilder b = Sample::make();
  b.tensor(Sample::kConvFilter).quantization->zero_point = {0};
  EXPECT_EQ(imported(b).tensor(Sample::kConvFilter).quantization->zero_points, std::vector<std::int32_t>(8, 0));
  b.tensor(Sample::kConvFilter).quantization->zero_point = {0, 0};
  EXPECT_THAT(refusal_of(b), HasSubstr("ensor 2 \"conv/filter\", quantization.zero_point: has 2 values for 8 scales"));
}

TEST(ImportForms, TakeHalfAQuantisationAsNone) {
  ModelBuilder b = Sample::make();
  b.tensor(Sample::kDenseBias).quantization->zero_point.clear();
  b.tensor(Sample::kConvBias).quantization->scale.clear();
  const graph::Graph graph = imported(b);
  EXPECT_FALSE(graph.tensor(Sample::kDenseBias).quantization);
  EXPECT_FALSE(graph.tensor(Sample::kConvBias).quantization);
  b = Sample::make();
  b.tensor(Sample::kConvBias).quantization->scale.assign(8, 0.0F);
  EXPECT_FALSE(imported(b).tensor(Sample::kConvBias).quantization);
  b.tensor(Sample::kConvFilter).quantization->zero_point.clear();
  EXPECT_THAT(refusal_of(b), HasSubstr("Operator 1 CONV_2D, tensor 2 \"conv/filter\", quantization: is missing"));
}

TEST(ImportForms, DoNotMindTensorsThatNobodyUses) {
  ModelBuilder b = Sample::make();
  const int text = b.add_tensor("text", {1}, TensorType_STRING);
  const int sparse = b.add_tensor("sparse", {4}, TensorType_INT8);
  const int custom = b.add_tensor("custom", {4}, TensorType_INT8, {1.0F});
  b.tensor(sparse).sparsity = std::make_unique<SparsityParametersT>();
  b.tensor(custom).quantization->details_kind = 1;
  EXPECT_EQ(imported(b).tensors.size(), 31U);
  b.graph().outputs.push_back(text);
  EXPECT_THAT(refusal_of(b), HasSubstr("ensor 28 \"text\", type: is STRING"));
}

TEST(ImportForms, TakeAComputedBiasOfAFloatTransposeConvolution) {
  OneInput b({1, 1, 1, 1});
  const int bias = b.add_tensor("bias", {1}, TensorType_FLOAT32);
  b.graph().inputs.push_back(bias);
  b.transpose_conv({b.row({1, 2, 2, 1}), b.real({1, 2, 2, 1}, {1.0F, 2.0F, 3.0F, 4.0F}), 0, bias}, {1, 2, 2, 1}, 1);
  expect_outputs<float>(b, {bytes_of<float>({10.0F}), bytes_of<float>({0.5F})}, {{10.5F, 20.5F, 30.5F, 40.5F}});
}

/// Two anchors, one of them found; `shapes` are what the file says of the results.
OneInput detection(const std::vector<std::vector<std::int32_t>>& shapes) {
  OneInput b({1, 2, 4});
  const int scores = b.real({1, 2, 2}, {0.0F, 0.9F, 0.8F, 0.1F});
  const int anchors = b.real({2, 4}, {0.5F, 0.5F, 1.0F, 1.0F, 0.25F, 0.25F, 0.5F, 0.5F});
  std::vector<std::int32_t> results;
  for (const auto& shape : shapes) results.push_back(b.add_tensor("found", shape, TensorType_FLOAT32));
  const int op = b.add_operator(BuiltinOperator_CUSTOM, {0, scores, anchors}, results);
  b.code_of(op).custom_code = "TFLite_Detection_PostProcess";
  flexbuffers::Builder map;
  map.Map([&] {
    for (const char* number : {"max_detections", "max_classes_per_detection", "num_classes"}) map.Int(number, 1);
    for (const char* threshold : {"nms_score_threshold", "nms_iou_threshold"}) map.Float(threshold, 0.5F);
    for (const char* scale : {"y_scale", "x_scale", "h_scale", "w_scale"}) map.Float(scale, 1.0F);
  });
  map.Finish();
  b.op(op).custom_options = map.GetBuffer();
  b.graph().outputs = results;
  return b;
}

TEST(ImportForms, GiveDetectionsTheirOwnShapes) {
  OneInput b = detection({{1, 10, 4}, {}, {1, 10}, {1, 1}});
  const graph::Graph graph = imported(b);
  std::vector<graph::Shape> shapes;
  for (graph::TensorId id : graph.outputs) shapes.push_back(graph.tensor(id).shape);
  EXPECT_EQ(shapes, (std::vector<graph::Shape>{{1, 1, 4}, {1, 1}, {1, 1}, {1}}));
  b.add_operator(BuiltinOperator_ABS, {b.graph().outputs[0]}, {b.add_tensor("read", {1, 10, 4}, TensorType_FLOAT32)}, AbsOptionsT());
  EXPECT_THAT(refusal_of(b), HasSubstr("is 1x10x4; inputs and options give 1x1x4"));
}

/// y is the variable as 1x4, then x of 2x2 becomes the variable.
TEST(ImportForms, SeeAVariableUnderSeveralShapesAndWithoutAName) {
  OneInput b({2, 2});
  const int handle = b.add_tensor("handle", {1}, TensorType_RESOURCE);
  const int y = b.ends({1, 4});
  b.add_operator(BuiltinOperator_VAR_HANDLE, {}, {handle});
  b.add_operator(BuiltinOperator_READ_VARIABLE, {handle}, {y}, ReadVariableOptionsT());
  b.add_operator(BuiltinOperator_ASSIGN_VARIABLE, {handle, 0}, {}, AssignVariableOptionsT());
  const graph::Graph graph = imported(b);
  ASSERT_EQ(graph.states.size(), 1U);
  std::vector<reference::Bytes> states;
  const Bytes input = bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F});
  const std::span<const std::byte> inputs[] = {input};
  for (const std::vector<float>& expected : {std::vector<float>(4, 0.0F), std::vector<float>{1.0F, 2.0F, 3.0F, 4.0F}}) {
    const auto result = reference::run(graph, inputs, {.keep_intermediates = false, .states = &states});
    ASSERT_TRUE(result) << result.error().to_string();
    EXPECT_EQ(result->outputs[0], bytes_of(expected));
  }
  EXPECT_TRUE(compiled(graph));
  b.tensor(0).shape = {2, 3};
  EXPECT_THAT(refusal_of(b), HasSubstr("ASSIGN_VARIABLE"));
}

TEST(ImportForms, SumLongRowsOfSoftmaxOnTheHost) {
  const auto row_of = [](std::int32_t length) {
    OneInput b({1, length}, TensorType_INT8, {0.5F}, 0);
    SoftmaxOptionsT options;
    options.beta = 1.0F;
    b.add_operator(BuiltinOperator_SOFTMAX, {0}, {b.ends({1, length}, TensorType_INT8, {1.0F / 256.0F}, -128)}, options);
    return b;
  };
  std::vector<std::int8_t> values(5000, -128);
  values[17] = 127;
  expect_outputs<std::int8_t>(row_of(5000), {bytes_of(values)}, {values});
  // One share in 8,192 rounds to nothing, and a sum that wraps is the same for all.
  for (std::int32_t length : {5000, 8192, 9000}) {
    const graph::Graph graph = imported(row_of(length));
    const Bytes ones(static_cast<std::size_t>(length), std::byte{1});
    EXPECT_EQ(run_on_host(graph, {ones}), run_on_reference(graph, {ones})) << length;
  }
}

TEST(ImportForms, TakeOptionsThatAreLeftOut) {
  OneInput b({2, 2});
  b.add_operator(BuiltinOperator_RESHAPE, {0}, {b.ends({4})});
  expect_outputs<float>(b, {bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F})}, {{1.0F, 2.0F, 3.0F, 4.0F}});
  OneInput gathered({2, 2});
  gathered.add_operator(BuiltinOperator_GATHER, {0, gathered.row({1, 0, 1})}, {gathered.ends({3, 2})});
  expect_outputs<float>(gathered, {bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F})}, {{3.0F, 4.0F, 1.0F, 2.0F, 3.0F, 4.0F}});
}

/// 1 2 / 3 4 where the condition holds, else 10 20 / 30 40.
OneInput selection(BuiltinOperator kind, bool constant) {
  OneInput b({2}, TensorType_BOOL);
  const int condition = constant ? b.constant<std::uint8_t>(b.add_tensor("condition", {2}, TensorType_BOOL), {1, 0}) : 0;
  b.add_operator(kind, {condition, b.real({2, 2}, {1.0F, 2.0F, 3.0F, 4.0F}), b.real({2, 2}, {10.0F, 20.0F, 30.0F, 40.0F})}, {b.ends({2, 2})});
  return b;
}

TEST(ImportForms, SelectByRowsInTheOldFormAndBroadcastInTheNew) {
  const std::vector<Bytes> input{bytes_of<std::uint8_t>({1, 0})};
  for (const bool constant : {false, true}) {
    expect_outputs<float>(selection(BuiltinOperator_SELECT, constant), input, {{1.0F, 2.0F, 30.0F, 40.0F}});
    expect_outputs<float>(selection(BuiltinOperator_SELECT_V2, constant), input, {{1.0F, 20.0F, 3.0F, 40.0F}});
  }
  OneInput b = selection(BuiltinOperator_SELECT, false);
  b.tensor(0).shape = {1};
  EXPECT_THAT(refusal_of(b), HasSubstr("Operator 0 SELECT, tensor 0 \"x\", shape: is 1; there are 2 rows"));
  b = selection(BuiltinOperator_SELECT_V2, false);
  b.tensor(0).shape = {3};
  EXPECT_THAT(refusal_of(b), HasSubstr("does not broadcast"));
}

TEST(ImportForms, TakeParametersWithoutElements) {
  OneInput b({1});
  b.add_operator(BuiltinOperator_RESHAPE, {0, b.add_tensor("shape", {0}, TensorType_INT32)}, {b.ends({})}, ReshapeOptionsT());
  expect_outputs<float>(b, {bytes_of<float>({5.0F})}, {{5.0F}});
  // One dimension of 0 is how old converters write a scalar.
  OneInput old({1});
  old.add_operator(BuiltinOperator_RESHAPE, {0, old.row({0})}, {old.ends({})}, ReshapeOptionsT());
  expect_outputs<float>(old, {bytes_of<float>({5.0F})}, {{5.0F}});
  OneInput mean({2}, TensorType_INT8, {0.5F}, 0);
  mean.add_operator(BuiltinOperator_MEAN, {0, mean.add_tensor("axes", {0}, TensorType_INT32)}, {mean.ends({2}, TensorType_INT8, {0.25F}, 1)},
                    ReducerOptionsT());
  expect_outputs<std::int8_t>(mean, {bytes_of<std::int8_t>({4, -5})}, {{9, -9}});
  mean.tensor(mean.graph().outputs[0]).shape = {};
  EXPECT_THAT(refusal_of(mean), HasSubstr("NARU-0209 Operator 0 MEAN"));
}

/// As converters write Flatten and Conv2DTranspose of an open batch: SHAPE, its first element, that with others as a new shape.
int batch_of(OneInput& b) {
  const int shape = b.add_tensor("shape", {4}, TensorType_INT32);
  const int batch = b.add_tensor("batch", {}, TensorType_INT32);
  StridedSliceOptionsT slice;
  slice.shrink_axis_mask = 1;
  b.add_operator(BuiltinOperator_SHAPE, {0}, {shape}, ShapeOptionsT());
  b.add_operator(BuiltinOperator_STRIDED_SLICE, {shape, b.row({0}), b.row({1}), b.row({1})}, {batch}, slice);
  return batch;
}
int packed(OneInput& b, std::vector<std::int32_t> parts) {
  const auto count = static_cast<std::int32_t>(parts.size());
  const int result = b.add_tensor("packed", {count}, TensorType_INT32);
  PackOptionsT options;
  options.values_count = count;
  b.add_operator(BuiltinOperator_PACK, std::move(parts), {result}, options);
  return result;
}

TEST(ImportForms, TakeShapesThatAreComputedFromTheBatch) {
  const Bytes input = bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F});
  OneInput flat({2, 1, 2, 1});
  flat.add_operator(BuiltinOperator_RESHAPE, {0, packed(flat, {batch_of(flat), flat.number(-1)})}, {flat.ends({2, 2})}, ReshapeOptionsT());
  expect_outputs<float>(flat, {input}, {{1.0F, 2.0F, 3.0F, 4.0F}});
  OneInput wide({1, 1, 2, 1});
  const int size = packed(wide, {batch_of(wide), wide.number(1), wide.number(4), wide.number(1)});
  wide.transpose_conv({size, wide.real({1, 1, 2, 1}, {1.0F, 10.0F}), 0}, {1, 1, 4, 1}, 2);
  expect_outputs<float>(wide, {bytes_of<float>({1.0F, 2.0F})}, {{1.0F, 10.0F, 2.0F, 20.0F}});
  OneInput filled({2, 1, 2, 1});
  const int dims = packed(filled, {batch_of(filled), filled.number(1)});
  filled.add_operator(BuiltinOperator_FILL, {dims, filled.real({}, {7.0F})}, {filled.ends({2, 1})}, FillOptionsT());
  expect_outputs<float>(filled, {input}, {{7.0F, 7.0F}});
}

TEST(ImportForms, FollowNumbersIntoSlicesAndSizes) {
  // UpSampling2D: the image's height and width, times two.
  OneInput up({1, 1, 2, 1});
  const int shape = up.add_tensor("shape", {4}, TensorType_INT32);
  const int middle = up.add_tensor("middle", {2}, TensorType_INT32);
  const int doubled = up.add_tensor("doubled", {2}, TensorType_INT32);
  up.add_operator(BuiltinOperator_SHAPE, {0}, {shape}, ShapeOptionsT());
  up.add_operator(BuiltinOperator_STRIDED_SLICE, {shape, up.row({1}), up.row({3}), up.row({1})}, {middle}, StridedSliceOptionsT());
  up.add_operator(BuiltinOperator_MUL, {middle, up.row({2, 2})}, {doubled}, MulOptionsT());
  up.add_operator(BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, {0, doubled}, {up.ends({1, 2, 4, 1})}, ResizeNearestNeighborOptionsT());
  expect_outputs<float>(up, {bytes_of<float>({3.0F, 4.0F})}, {{3.0F, 3.0F, 4.0F, 4.0F, 3.0F, 3.0F, 4.0F, 4.0F}});
  up.tensor(up.graph().outputs[0]).shape = {1, 2, 3, 1};
  EXPECT_THAT(refusal_of(up), HasSubstr("Operator 3 RESIZE_NEAREST_NEIGHBOR"));
  OneInput sliced({2, 1, 2, 1});
  const int batch = batch_of(sliced);
  const int begin = packed(sliced, {sliced.number(1), sliced.number(0), sliced.number(0), sliced.number(0)});
  const int minus = sliced.add_tensor("minus", {}, TensorType_INT32);
  sliced.add_operator(BuiltinOperator_SUB, {batch, sliced.number(1)}, {minus}, SubOptionsT());
  const int extent = packed(sliced, {minus, sliced.number(1), batch, sliced.number(-1)});
  sliced.add_operator(BuiltinOperator_SLICE, {0, begin, extent}, {sliced.ends({1, 1, 2, 1})}, SliceOptionsT());
  expect_outputs<float>(sliced, {bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F})}, {{3.0F, 4.0F}});
  OneInput unknown({2, 1, 2, 1});
  const int given = unknown.add_tensor("given", {4}, TensorType_INT32);
  unknown.graph().inputs.push_back(given);
  unknown.add_operator(BuiltinOperator_SLICE, {0, given, given}, {unknown.ends({1, 1, 2, 1})}, SliceOptionsT());
  EXPECT_THAT(refusal_of(unknown), HasSubstr("Operator 0 SLICE, tensor 1 \"given\", begin: is computed at run time"));
}

/// x of [2, 3] with one more dimension along `axis`, a tensor.
OneInput expanded(std::int32_t axis, std::vector<std::int32_t> shape) {
  OneInput b({2, 3});
  const int number = b.number(axis);
  b.add_operator(BuiltinOperator_EXPAND_DIMS, {0, number}, {b.ends(std::move(shape))}, ExpandDimsOptionsT());
  return b;
}

TEST(ImportForms, ExpandAlongEveryAxisThatExists) {
  const Bytes input = bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F});
  const std::vector<std::vector<std::int32_t>> shapes{{1, 2, 3}, {2, 1, 3}, {2, 3, 1}};
  for (std::int32_t axis : {-3, -2, -1, 0, 1, 2}) {
    const std::int32_t place = axis < 0 ? axis + 3 : axis;
    for (std::int32_t other : {0, 1, 2}) {
      const OneInput b = expanded(axis, shapes[static_cast<std::size_t>(other)]);
      if (other == place) expect_outputs<float>(b, {input}, {{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}});
      else EXPECT_THAT(refusal_of(b), HasSubstr("NARU-0205 Operator 0 EXPAND_DIMS, tensor 2 \"y\", shape: is ")) << axis << " as " << other;
    }
  }
  for (std::int32_t axis : {-4, 3})
    EXPECT_THAT(refusal_of(expanded(axis, {2, 3, 1})), HasSubstr("NARU-0207 Operator 0 EXPAND_DIMS, tensor 1 \"numbers\", axis: is ")) << axis;
  OneInput of_a_scalar({});
  of_a_scalar.add_operator(BuiltinOperator_EXPAND_DIMS, {0, of_a_scalar.number(-1)}, {of_a_scalar.ends({1})}, ExpandDimsOptionsT());
  expect_outputs<float>(of_a_scalar, {bytes_of<float>({5.0F})}, {{5.0F}});
}

TEST(ImportForms, ExpandAlongAnAxisThatIsComputed) {
  // The batch is 1, which follows from the input's shape.
  OneInput followed({1, 2, 1, 1});
  followed.add_operator(BuiltinOperator_EXPAND_DIMS, {0, batch_of(followed)}, {followed.ends({1, 1, 2, 1, 1})}, ExpandDimsOptionsT());
  expect_outputs<float>(followed, {bytes_of<float>({1.0F, 2.0F})}, {{1.0F, 2.0F}});
  followed.tensor(followed.graph().outputs[0]).shape = {1, 2, 1, 1, 1};
  EXPECT_THAT(refusal_of(followed), HasSubstr("NARU-0205"));
  OneInput open({2});
  open.graph().inputs.push_back(open.add_tensor("axis", {1}, TensorType_INT32));
  open.add_operator(BuiltinOperator_EXPAND_DIMS, {0, 1}, {open.ends({2, 1})}, ExpandDimsOptionsT());
  expect_outputs<float>(open, {bytes_of<float>({1.0F, 2.0F}), bytes_of<std::int32_t>({1})}, {{1.0F, 2.0F}});
}

TEST(ImportForms, SqueezeWhatIsNamedOrEveryDimensionOfOne) {
  const auto squeezed = [](std::vector<std::int32_t> dimensions, std::vector<std::int32_t> shape) {
    OneInput b({1, 2, 1});
    SqueezeOptionsT options;
    options.squeeze_dims = std::move(dimensions);
    b.add_operator(BuiltinOperator_SQUEEZE, {0}, {b.ends(std::move(shape))}, options);
    return b;
  };
  const std::vector<Bytes> input{bytes_of<float>({1.0F, 2.0F})};
  expect_outputs<float>(squeezed({}, {2}), input, {{1.0F, 2.0F}});
  expect_outputs<float>(squeezed({0}, {2, 1}), input, {{1.0F, 2.0F}});
  expect_outputs<float>(squeezed({-1}, {1, 2}), input, {{1.0F, 2.0F}});
  expect_outputs<float>(squeezed({0, -3, 2}, {2}), input, {{1.0F, 2.0F}});
  OneInput without_options({1, 2, 1});
  without_options.add_operator(BuiltinOperator_SQUEEZE, {0}, {without_options.ends({2})});
  expect_outputs<float>(without_options, input, {{1.0F, 2.0F}});
  EXPECT_THAT(refusal_of(squeezed({}, {1, 2})), HasSubstr("NARU-0205 Operator 0 SQUEEZE, tensor 1 \"y\", shape: is 1x2"));
  EXPECT_THAT(refusal_of(squeezed({0}, {1, 2})), HasSubstr("NARU-0205"));
  EXPECT_THAT(refusal_of(squeezed({1}, {1, 1})), HasSubstr("NARU-0205 Operator 0 SQUEEZE, tensor 0 \"x\", squeeze_dims: has 1; the dimension has 2"));
  for (std::int32_t dimension : {-4, 3})
    EXPECT_THAT(refusal_of(squeezed({dimension}, {2})), HasSubstr("NARU-0207 Operator 0 SQUEEZE, squeeze_dims: is ")) << dimension;
}

/// x of six in two parts.
OneInput in_parts(const std::vector<std::int32_t>& sizes, std::int32_t first, std::int32_t second) {
  OneInput b({6});
  SplitVOptionsT options;
  options.num_splits = 2;
  const int a = b.add_tensor("a", {first}, TensorType_FLOAT32);
  b.graph().outputs = {a, b.add_tensor("b", {second}, TensorType_FLOAT32)};
  b.add_operator(BuiltinOperator_SPLIT_V, {0, b.row(sizes), b.number(0)}, b.graph().outputs, options);
  return b;
}

TEST(ImportForms, SplitBySizesOfWhichOneMayBeTheRest) {
  const std::vector<Bytes> input{bytes_of<float>({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F})};
  for (const auto& sizes : {std::vector<std::int32_t>{2, 4}, std::vector<std::int32_t>{-1, 4}, std::vector<std::int32_t>{2, -1}})
    expect_outputs<float>(in_parts(sizes, 2, 4), input, {{1.0F, 2.0F}, {3.0F, 4.0F, 5.0F, 6.0F}});
  EXPECT_THAT(refusal_of(in_parts({-1, -1}, 2, 4)), HasSubstr("NARU-0207 Operator 0 SPLIT_V, tensor 3 \"numbers\", size_splits: has 2 values, 2 of them -1"));
  EXPECT_THAT(refusal_of(in_parts({4, 2}, 2, 4)), HasSubstr("NARU-0205 Operator 0 SPLIT_V, tensor 1 \"a\", size_splits: has 4 for it"));
  EXPECT_THAT(refusal_of(in_parts({2, -1}, 2, 3)), HasSubstr("NARU-0207 Operator 0 SPLIT_V, axis: is split into 5 of 6"));
}

/// A constant divided by a constant, and x added to what comes out.
template <typename T>
OneInput constants_divided(BuiltinOperator kind, TensorType type, T dividend, T divisor) {
  OneInput b({1}, type);
  const int a = b.constant<T>(b.add_tensor("a", {1}, type), {dividend});
  const int c = b.constant<T>(b.add_tensor("c", {1}, type), {divisor});
  const int quotient = b.add_tensor("quotient", {1}, type);
  b.add_operator(kind, {a, c}, {quotient});
  b.add_operator(BuiltinOperator_ADD, {quotient, 0}, {b.ends({1}, type)});
  return b;
}

TEST(ImportForms, WrapWhereTheSmallestNumberIsDividedByMinusOne) {
  constexpr auto kMin = std::numeric_limits<std::int32_t>::min();
  constexpr auto kMinOf64 = std::numeric_limits<std::int64_t>::min();
  for (BuiltinOperator kind : {BuiltinOperator_DIV, BuiltinOperator_FLOOR_DIV}) {
    expect_outputs<std::int32_t>(constants_divided<std::int32_t>(kind, TensorType_INT32, kMin, -1), {bytes_of<std::int32_t>({5})}, {{kMin + 5}});
    expect_outputs<std::int64_t>(constants_divided<std::int64_t>(kind, TensorType_INT64, kMinOf64, -1), {bytes_of<std::int64_t>({5})},
                                 {{kMinOf64 + 5}});
  }
  const auto mod = BuiltinOperator_FLOOR_MOD;
  expect_outputs<std::int32_t>(constants_divided<std::int32_t>(mod, TensorType_INT32, kMin, -1), {bytes_of<std::int32_t>({5})}, {{5}});
  expect_outputs<std::int64_t>(constants_divided<std::int64_t>(mod, TensorType_INT64, kMinOf64, -1), {bytes_of<std::int64_t>({5})}, {{5}});
}

/// What no rule can see: the divisor is constant, but an operator makes a 0 of it. The error is the data's, not the command line's.
TEST(ImportForms, AreRefusedWhenCompiledWhereTheDivisorFoldsToNothing) {
  OneInput b({1}, TensorType_INT32);
  const int zero = b.add_tensor("zero", {1}, TensorType_INT32);
  b.add_operator(BuiltinOperator_SUB, {b.row({3}), b.row({3})}, {zero});
  b.add_operator(BuiltinOperator_DIV, {b.row({7}), zero}, {b.ends({1}, TensorType_INT32)});
  const auto package = compiler::compile(imported(b), profile::load("tiny").value().chip, {.profile = "tiny", .keep_tensors = {}});
  ASSERT_FALSE(package);
  EXPECT_EQ(package.error().id(), ErrorId::kInputValue) << package.error().to_string();
  EXPECT_EQ(package.error().kind(), ErrorKind::kInvalidFile);
  EXPECT_THAT(package.error().message(), HasSubstr("operator 1 DIV: division by zero"));
}

TEST(ImportForms, CopyCodesWhateverTheirQuantisation) {
  const Bytes input = bytes_of<std::int8_t>({1, -2, 3, -4});
  const auto gives = [&](BuiltinOperator kind, std::vector<std::int32_t> shape, const std::vector<std::int32_t>& parameter, auto options,
                         std::vector<std::int8_t> expected) {
    OneInput b({1, 2, 2, 1}, TensorType_INT8, {0.5F}, 1);
    std::vector<std::int32_t> operands{0};
    if (kind == BuiltinOperator_MAXIMUM) operands.push_back(0);
    if (!parameter.empty()) operands.push_back(kind == BuiltinOperator_PAD ? b.numbers({4, 2}, parameter) : b.row(parameter));
    if (kind == BuiltinOperator_SLICE) operands.push_back(b.row({-1, -1, -1, -1}));
    b.add_operator(kind, operands, {b.ends(std::move(shape), TensorType_INT8, {0.25F}, -7)}, options);
    expect_outputs<std::int8_t>(b, {input}, {std::move(expected)});
  };
  gives(BuiltinOperator_PAD, {1, 2, 3, 1}, {0, 0, 0, 0, 1, 0, 0, 0}, PadOptionsT(), {-7, 1, -2, -7, 3, -4});
  gives(BuiltinOperator_TRANSPOSE, {1, 2, 2, 1}, {0, 2, 1, 3}, TransposeOptionsT(), {1, 3, -2, -4});
  gives(BuiltinOperator_SLICE, {1, 1, 2, 1}, {0, 1, 0, 0}, SliceOptionsT(), {3, -4});
  gives(BuiltinOperator_GATHER, {1, 2, 2, 1}, {0}, GatherOptionsT(), {1, -2, 3, -4});
  gives(BuiltinOperator_TILE, {1, 2, 2, 2}, {1, 1, 1, 2}, TileOptionsT(), {1, 1, -2, -2, 3, 3, -4, -4});
  gives(BuiltinOperator_RESIZE_BILINEAR, {1, 1, 2, 1}, {1, 2}, ResizeBilinearOptionsT(), {1, -2});
  gives(BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, {1, 1, 2, 1}, {1, 2}, ResizeNearestNeighborOptionsT(), {1, -2});
  gives(BuiltinOperator_MAXIMUM, {1, 2, 2, 1}, {}, MaximumMinimumOptionsT(), {1, -2, 3, -4});
  SpaceToDepthOptionsT blocks;
  blocks.block_size = 2;
  gives(BuiltinOperator_SPACE_TO_DEPTH, {1, 1, 1, 4}, {}, blocks, {1, -2, 3, -4});
  OneInput joined({2}, TensorType_INT16, {0.5F});
  joined.add_operator(BuiltinOperator_CONCATENATION, {0, 0}, {joined.ends({4}, TensorType_INT16, {0.25F})}, ConcatenationOptionsT());
  expect_outputs<std::int16_t>(joined, {bytes_of<std::int16_t>({5, 6})}, {{5, 6, 5, 6}});
  OneInput reduced({2}, TensorType_INT8, {0.5F});
  reduced.add_operator(BuiltinOperator_REDUCE_MAX, {0, reduced.row({0})}, {reduced.ends({}, TensorType_INT8, {0.25F})}, ReducerOptionsT());
  EXPECT_THAT(refusal_of(reduced), HasSubstr("does not rescale"));
}

TEST(ImportForms, WidenHalvesBehindDequantize) {
  OneInput b({6});
  const int half = b.constant<std::uint16_t>(b.add_tensor("half", {6}, TensorType_FLOAT16), {0x3C00, 0xC000, 0x3555, 0x0001, 0x7C00, 0x8000});
  const int wide = b.add_tensor("wide", {6}, TensorType_FLOAT32);
  b.add_operator(BuiltinOperator_DEQUANTIZE, {half}, {wide}, DequantizeOptionsT());
  b.add_operator(BuiltinOperator_ADD, {0, wide}, {b.ends({6})}, AddOptionsT());
  expect_outputs<float>(b, {bytes_of<float>(std::vector<float>(6, 0.0F))}, {{1.0F, -2.0F, 0.333251953125F, 0x1p-24F, std::numeric_limits<float>::max(), 0.0F}});
  b.op(1).inputs = {0, half};
  EXPECT_THAT(refusal_of(b), HasSubstr("NARU-0212 Operator 1 ADD, tensor 1 \"half\", type: is FLOAT16"));
}

/// Two cells over two values a step, 8- or 16-bit activations, with a 16-bit cell.
OneInput recurrent(TensorType type, std::int32_t steps) {
  const bool wide = type == TensorType_INT16;
  OneInput b({1, steps, 2}, type, {0x1p-6F}, wide ? 0 : 3);
  std::vector<std::int32_t> operands(24, -1);
  operands[0] = 0;
  for (std::size_t i = 1; i <= 8; ++i) operands[i] = b.constant_i8(b.add_tensor("weights", {2, 2}, TensorType_INT8, {0x1p-6F}));
  for (std::size_t i = 12; i <= 15; ++i)
    operands[i] = wide ? b.constant<std::int64_t>(b.add_tensor("bias", {2}, TensorType_INT64), {900, -70000})
                       : b.constant<std::int32_t>(b.add_tensor("bias", {2}, TensorType_INT32), {900, -700});
  operands[18] = b.add_tensor("hidden", {1, 2}, type, {wide ? 0x1p-15F : 0x1p-7F}, wide ? 0 : -5);
  operands[19] = b.add_tensor("cell", {1, 2}, TensorType_INT16, {0x1p-11F});
  for (std::size_t i : {18U, 19U}) b.tensor(operands[i]).is_variable = true;
  UnidirectionalSequenceLSTMOptionsT options;
  options.fused_activation_function = ActivationFunctionType_TANH;
  options.cell_clip = 4.0F;
  b.add_operator(BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM, operands, {b.ends({1, steps, 2}, type, {wide ? 0x1p-15F : 0x1p-7F}, wide ? 0 : -5)}, options);
  return b;
}

TEST(ImportForms, RunRecurrentCellsOfCodesOnTheHost) {
  for (const TensorType type : {TensorType_INT8, TensorType_INT16}) {
    const graph::Graph graph = imported(recurrent(type, 600));
    Bytes input(graph::byte_size(graph.tensor(0)));
    for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::byte>(i * 7919 % 251);
    const auto outputs = run_on_host(graph, {input});
    EXPECT_EQ(outputs, run_on_reference(graph, {input}));
    EXPECT_NE(outputs[0].front(), outputs[0].back());
    const auto package = compiled(graph);
    ASSERT_TRUE(package);
    EXPECT_EQ(package->operators[0].placement, package::Placement::kHost) << package->operators[0].reason;
  }
}

}  // namespace
}  // namespace naru::sdk
