// Goal: importer rows whose rules are intricate: resource variables, FlexBuffers options, states of recurrent cells. Method: models of one
// operator or one variable.
#include "importing.h"

#include <flatbuffers/flexbuffers.h>

#include <algorithm>
#include <set>

namespace naru::sdk {
namespace {

using graph::Shape;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing_models::codes;
using testing_models::expect_refusal;
using testing_models::imported;
using testing_models::ModelBuilder;
using testing_models::numbers;
using testing_models::run_of;
using testing_models::values_of_codes;
using namespace naru::sdk::tflite;

/// A model of variables: codes of four elements, zero point 3.
class Variables {
 public:
  ModelBuilder b;
  int in = value();

  Variables() { b.graph().inputs = {in}; }

  int value(const Shape& shape = {4}) { return codes(b, shape, 3); }
  int handle(const std::string& name, const std::string& container = {}) {
    const int id = b.add_tensor("handle", {}, TensorType_RESOURCE);
    VarHandleOptionsT options;
    options.shared_name = name;
    options.container = container;
    b.add_operator(BuiltinOperator_VAR_HANDLE, {}, {id}, options);
    return id;
  }
  int read(int handle, const Shape& shape = {4}) {
    const int id = value(shape);
    b.add_operator(BuiltinOperator_READ_VARIABLE, {handle}, {id}, ReadVariableOptionsT());
    return id;
  }
  void assign(int handle, int id) { b.add_operator(BuiltinOperator_ASSIGN_VARIABLE, {handle, id}, {}, AssignVariableOptionsT()); }
  void output(int id) { b.graph().outputs.push_back(id); }

  /// CALL_ONCE of a new subgraph which assigns `initial` to the variable `name`.
  void initialise(const std::string& name, const std::vector<std::int8_t>& initial) {
    CallOnceOptionsT once;
    once.init_subgraph_index = static_cast<std::int32_t>(b.model.subgraphs.size());
    // Operators are made in the main graph, whose builder adds their codes, and moved from there.
    const int operators = static_cast<int>(b.graph().operators.size());
    const int id = handle(name);
    const int constant = b.constant(value({static_cast<std::int32_t>(initial.size())}), initial);
    assign(id, constant);
    auto subgraph = std::make_unique<SubGraphT>();
    for (const int tensor : {id, constant}) subgraph->tensors.push_back(std::make_unique<TensorT>(b.tensor(tensor)));
    for (int i = operators; i < operators + 2; ++i) subgraph->operators.push_back(std::make_unique<OperatorT>(b.op(i)));
    b.graph().operators.resize(static_cast<std::size_t>(operators));
    subgraph->operators[0]->outputs = {0};
    subgraph->operators[1]->inputs = {0, 1};
    b.model.subgraphs.push_back(std::move(subgraph));
    b.add_operator(BuiltinOperator_CALL_ONCE, {}, {}, once);
  }
};

TEST(ImportVariable, BeginsWithWhatCallOnceAssignsAndKeepsWhatIsAssigned) {
  Variables v;
  v.initialise("v", {10, 20, 30, 40});
  const int handle = v.handle("v");
  v.output(v.read(handle));
  v.assign(handle, v.in);
  const graph::Graph graph = imported(v.b);
  ASSERT_EQ(graph.operators.size(), 2U) << "CALL_ONCE and VAR_HANDLE leave no operator behind";
  ASSERT_EQ(graph.states.size(), 1U);
  const graph::State& state = graph.states[0];
  EXPECT_TRUE(graph.tensor(state.before).is_variable);
  EXPECT_EQ(graph.tensor(state.before).file_index, -1);
  EXPECT_EQ(graph.operators[0].kind, graph::OperatorKind::kReadVariable);
  EXPECT_EQ(graph.operators[0].inputs[0], state.before);
  EXPECT_EQ(graph.operators[1].kind, graph::OperatorKind::kAssignVariable);
  EXPECT_EQ(graph.operators[1].outputs[0], state.after);
  EXPECT_THAT(values_of_codes(state.initial), ElementsAre(10, 20, 30, 40));
  std::vector<reference::Bytes> states;
  EXPECT_THAT(run_of(graph, {1, 2, 3, 4}, &states), ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(run_of(graph, {5, 6, 7, 8}, &states), ElementsAre(1, 2, 3, 4));
}

TEST(ImportVariable, BeginsWithRealZeroWhenNobodyInitialisesIt) {
  Variables v;
  v.output(v.read(v.handle("v")));
  const graph::Graph graph = imported(v.b);
  ASSERT_EQ(graph.states.size(), 1U);
  EXPECT_EQ(graph.states[0].after, graph.states[0].before) << "nothing changes it";
  EXPECT_THAT(values_of_codes(graph.states[0].initial), ElementsAre(3, 3, 3, 3));
}

TEST(ImportVariable, SharesItsZerosWithOthersOfTheSameCode) {
  Variables v;
  for (const Shape& shape : {Shape{4}, Shape{64}, Shape{8, 8}, Shape{2}}) v.output(v.read(v.handle(std::to_string(v.b.graph().tensors.size())), shape));
  const int other = v.b.add_tensor("other", {64}, TensorType_INT8, {0.5F}, -7);
  v.b.add_operator(BuiltinOperator_READ_VARIABLE, {v.handle("other")}, {other}, ReadVariableOptionsT());
  v.output(other);
  const graph::Graph graph = imported(v.b);
  ASSERT_EQ(graph.states.size(), 5U);
  std::set<const std::byte*> rows;
  for (const graph::State& state : graph.states) {
    const graph::Tensor& before = graph.tensor(state.before);
    EXPECT_THAT(state.initial, ElementsAreArray(std::vector<std::byte>(graph::byte_size(before), static_cast<std::byte>(before.zero_point()))));
    rows.insert(state.initial.data());
  }
  EXPECT_LE(rows.size(), 3U) << "one of each code, and the short one that came before";
}

TEST(ImportVariable, IsInitialisedOnceByASubgraphThatIsCalledOften) {
  Variables v;
  v.initialise("v", {10, 20, 30, 40});
  CallOnceOptionsT again;
  again.init_subgraph_index = 1;
  for (int i = 0; i < 3; ++i) v.b.add_operator(BuiltinOperator_CALL_ONCE, {}, {}, again);
  v.output(v.read(v.handle("v")));
  const graph::Graph graph = imported(v.b);
  ASSERT_EQ(graph.states.size(), 1U);
  EXPECT_THAT(values_of_codes(graph.states[0].initial), ElementsAre(10, 20, 30, 40));
}

TEST(ImportVariable, ReadsWhatWasAssignedLastInTheSameRun) {
  Variables v;
  const int handle = v.handle("v");
  const int before = v.read(handle);
  v.assign(handle, v.in);
  const int between = v.read(handle);
  v.assign(handle, before);
  for (const int id : {between, v.read(handle)}) v.output(id);
  const graph::Graph graph = imported(v.b);
  ASSERT_EQ(graph.operators.size(), 5U);
  EXPECT_EQ(graph.operators[2].inputs[0], graph.operators[1].outputs[0]);
  EXPECT_EQ(graph.operators[4].inputs[0], graph.operators[3].outputs[0]);
  ASSERT_EQ(graph.states.size(), 1U);
  EXPECT_EQ(graph.states[0].after, graph.operators[3].outputs[0]);
  EXPECT_THAT(run_of(graph, {1, 2, 3, 4}), ElementsAre(1, 2, 3, 4));
}

TEST(ImportVariable, IsKnownByItsNameAndContainer) {
  Variables v;
  v.assign(v.handle("v"), v.in);
  v.output(v.read(v.handle("v")));
  EXPECT_EQ(imported(v.b).states.size(), 1U);
  v.output(v.read(v.handle("v", "another container")));
  v.output(v.read(v.handle("w")));
  EXPECT_EQ(imported(v.b).states.size(), 3U);
}

TEST(ImportVariable, IsRefusedWhenItsValuesDoNotFit) {
  {
    Variables v;
    v.output(v.read(v.in));
    expect_refusal(v.b, ErrorId::kModelGraph, "is no variable's handle");
  }
  {
    Variables v;
    const int handle = v.handle("v");
    v.assign(handle, v.in);
    v.output(v.read(handle, {5}));
    expect_refusal(v.b, ErrorId::kModelShape, "the variable has 4");
  }
  {
    Variables v;
    v.initialise("v", {1, 2, 3});
    v.output(v.read(v.handle("v")));
    expect_refusal(v.b, ErrorId::kModelConstant, "of variable \"v\" has 3 bytes; it needs 4");
  }
}

TEST(ImportVariable, IsInitialisedByConstantsAlone) {
  {
    Variables v;
    v.initialise("v", {1, 2, 3, 4});
    v.b.model.subgraphs[1]->tensors[1]->buffer = 0;
    v.output(v.read(v.handle("v")));
    expect_refusal(v.b, ErrorId::kModelOperatorUnsupported, "does not give a variable a constant");
  }
  {
    Variables v;
    v.initialise("v", {1, 2, 3, 4});
    const int read = v.read(v.handle("v"));
    v.output(read);
    v.b.model.subgraphs[1]->operators[1]->opcode_index = v.b.op(2).opcode_index;
    expect_refusal(v.b, ErrorId::kModelOperatorUnsupported, "neither VAR_HANDLE nor ASSIGN_VARIABLE");
  }
}

/// Four anchors, two classes; `fill` writes the custom options.
template <typename Fill>
ModelBuilder detection(Fill fill, const std::vector<Shape>& shapes = {{}, {}, {}, {}}) {
  ModelBuilder b;
  const auto real = [&](const Shape& shape) { return b.add_tensor("real", shape, TensorType_FLOAT32); };
  const int boxes = real({1, 4, 4}), scores = real({1, 4, 3});
  const int anchors = b.constant<float>(real({4, 4}), std::vector<float>(16, 0.5F));
  std::vector<std::int32_t> outputs;
  for (const Shape& shape : shapes) outputs.push_back(real(shape));
  const int op = b.add_operator(BuiltinOperator_CUSTOM, {boxes, scores, anchors}, outputs);
  b.code_of(op).custom_code = "TFLite_Detection_PostProcess";
  flexbuffers::Builder options;
  fill(options);
  options.Finish();
  b.op(op).custom_options = options.GetBuffer();
  b.graph().inputs = {boxes, scores};
  b.graph().outputs = outputs;
  return b;
}

graph::DetectionOptions detection_options(const graph::Graph& graph) { return std::get<graph::DetectionOptions>(graph.operators.at(0).options); }

TEST(ImportDetection, ReadsEveryOption) {
  const graph::Graph graph = imported(detection([](flexbuffers::Builder& options) {
    options.Map([&] {
      options.Int("max_detections", 3);
      options.Int("max_classes_per_detection", 2);
      options.Int("detections_per_class", 7);
      options.Int("num_classes", 2);
      options.Bool("use_regular_nms", true);
      options.Float("nms_score_threshold", 0.25F);
      options.Float("nms_iou_threshold", 0.5F);
      options.Float("y_scale", 10.0F);
      options.Float("x_scale", 11.0F);
      options.Float("h_scale", 5.0F);
      options.Float("w_scale", 6.0F);
      options.String("_unknown", "and ignored");
    });
  }));
  const graph::DetectionOptions expected{.max_detections = 3,
                                         .max_classes_per_detection = 2,
                                         .detections_per_class = 7,
                                         .classes = 2,
                                         .regular_suppression = true,
                                         .score_threshold = 0.25F,
                                         .overlap_threshold = 0.5F,
                                         .y_scale = 10.0F,
                                         .x_scale = 11.0F,
                                         .h_scale = 5.0F,
                                         .w_scale = 6.0F};
  EXPECT_EQ(detection_options(graph), expected);
  // Files may leave the shapes to the operator: three detections of two classes each.
  const std::vector<Shape> shapes{{1, 6, 4}, {1, 6}, {1, 6}, {1}};
  for (std::size_t i = 0; i < shapes.size(); ++i) EXPECT_EQ(graph.tensor(graph.outputs[i]).shape, shapes[i]) << i;
}

TEST(ImportDetection, TakesNumbersOfOtherKindsAndDefaults) {
  const graph::DetectionOptions options = detection_options(imported(detection([](flexbuffers::Builder& map) {
    map.Map([&] {
      map.Double("max_detections", 3.0);
      map.UInt("num_classes", 2);
      map.Int("use_regular_nms", 1);
      map.Double("nms_iou_threshold", 0.5);
      map.Int("y_scale", 10);
      map.String("x_scale", "10");
    });
  })));
  EXPECT_EQ(options.max_detections, 3);
  EXPECT_EQ(options.classes, 2);
  EXPECT_TRUE(options.regular_suppression);
  EXPECT_EQ(options.overlap_threshold, 0.5F);
  EXPECT_EQ(options.y_scale, 10.0F);
  EXPECT_EQ(options.x_scale, 1.0F) << "text is no number";
  EXPECT_EQ(options.max_classes_per_detection, 1);
  EXPECT_EQ(options.detections_per_class, 100);
  EXPECT_EQ(options.score_threshold, 0.0F);
}

TEST(ImportDetection, RefusesOptionsThatCannotBeMeant) {
  const auto with = [](std::int64_t detections, std::int64_t classes, float overlap, float scale) {
    return detection([=](flexbuffers::Builder& map) {
      map.Map([&] {
        map.Int("max_detections", detections);
        map.Int("num_classes", classes);
        map.Float("nms_iou_threshold", overlap);
        map.Float("h_scale", scale);
      });
    });
  };
  imported(with(3, 2, 0.5F, 5.0F));
  expect_refusal(with(0, 2, 0.5F, 5.0F), ErrorId::kModelOptions, "max_detections");
  expect_refusal(with(std::int64_t{1} << 40, 2, 0.5F, 5.0F), ErrorId::kModelOptions, "max_detections");
  expect_refusal(with(-(std::int64_t{1} << 40), 2, 0.5F, 5.0F), ErrorId::kModelOptions, "max_detections");
  expect_refusal(with(3, 0, 0.5F, 5.0F), ErrorId::kModelOptions, "num_classes");
  expect_refusal(with(3, 2, 0.0F, 5.0F), ErrorId::kModelOptions, "nms_iou_threshold");
  expect_refusal(with(3, 2, 0.5F, 0.0F), ErrorId::kModelOptions, "must be finite and over 0");
}

TEST(ImportDetection, RefusesOptionsThatAreNoMap) {
  expect_refusal(detection([](flexbuffers::Builder& options) { options.Int(7); }), ErrorId::kModelOptions, "custom_options: are not a map");
  ModelBuilder b = detection([](flexbuffers::Builder& options) { options.Map([&] { options.Int("max_detections", 3); }); });
  ModelBuilder damaged = detection([](flexbuffers::Builder& options) { options.Map([&] { options.Int("max_detections", 3); }); });
  b.op(0).custom_options.clear();
  expect_refusal(b, ErrorId::kModelOptions, "custom_options: are missing");
  std::fill(damaged.op(0).custom_options.begin(), damaged.op(0).custom_options.end() - 2, std::uint8_t{0xFF});
  expect_refusal(damaged, ErrorId::kModelStructure, "custom_options: are damaged");
}

/// Two filters of rank 1 with a memory of three.
ModelBuilder svdf() {
  ModelBuilder b;
  const int in = codes(b, {1, 4});
  const int feature = b.constant_i8(b.add_tensor("feature", {2, 4}, TensorType_INT8, {0.02F}));
  const int time = b.constant<std::int16_t>(b.add_tensor("time", {2, 3}, TensorType_INT16, {0.01F}), {1, 2, 3, 4, 5, 6});
  const int bias = numbers(b, {7, 7});
  const int state = b.add_tensor("state", {1, 6}, TensorType_INT16, {0.02F});
  b.tensor(state).is_variable = true;
  const int out = codes(b, {1, 2});
  SVDFOptionsT options;
  options.rank = 1;
  options.fused_activation_function = ActivationFunctionType_RELU;
  b.add_operator(BuiltinOperator_SVDF, {in, feature, time, bias, state}, {out}, options);
  b.op(0).mutating_variable_inputs = {false, false, false, false, true};
  b.graph().inputs = {in};
  b.graph().outputs = {out};
  return b;
}

TEST(ImportSvdf, MakesAStateOfItsMemory) {
  const ModelBuilder b = svdf();
  const graph::Graph graph = imported(b);
  ASSERT_EQ(graph.operators.size(), 1U);
  const graph::Operator& op = graph.operators[0];
  EXPECT_EQ(std::get<graph::SvdfOptions>(op.options), (graph::SvdfOptions{1, graph::Activation::kRelu}));
  ASSERT_EQ(op.outputs.size(), 2U);
  ASSERT_EQ(graph.states.size(), 1U);
  EXPECT_EQ(graph.states[0].before, op.inputs[4]);
  EXPECT_EQ(graph.states[0].after, op.outputs[1]);
  EXPECT_TRUE(graph.tensor(op.inputs[4]).is_variable);
  const graph::Tensor& after = graph.tensor(op.outputs[1]);
  EXPECT_EQ(after.shape, (Shape{1, 6}));
  EXPECT_EQ(after.type, abi::ElementType::kI16);
  EXPECT_FALSE(after.is_variable);
  EXPECT_EQ(after.file_index, -1);
  EXPECT_THAT(graph.states[0].initial, ElementsAreArray(std::vector<std::byte>(12)));
}

TEST(ImportSvdf, RefusesAMemoryThatIsNone) {
  {
    ModelBuilder b = svdf();
    b.tensor(4).is_variable = false;
    expect_refusal(b, ErrorId::kModelGraph, "is_variable");
  }
  {
    ModelBuilder b = svdf();
    b.op(0).inputs[4] = -1;
    expect_refusal(b, ErrorId::kModelTensorIndex, "operand 4 is left out, but is not optional");
  }
  {
    ModelBuilder b = svdf();
    const int second = codes(b, {1, 2});
    b.graph().operators.push_back(std::make_unique<OperatorT>(b.op(0)));
    b.op(1).outputs = {second};
    expect_refusal(b, ErrorId::kModelGraph, "is the state of two operators");
  }
}

/// One batch, two steps, two inputs, two cells; the hidden state has zero point 5.
ModelBuilder lstm() {
  ModelBuilder b;
  const auto weights = [&] { return b.constant_i8(b.add_tensor("weights", {2, 2}, TensorType_INT8, {0.02F})); };
  std::vector<std::int32_t> inputs{codes(b, {1, 2, 2})};
  for (int i = 0; i < 8; ++i) inputs.push_back(weights());
  inputs.insert(inputs.end(), 3, -1);
  for (int i = 0; i < 4; ++i) inputs.push_back(numbers(b, {7, 7}));
  inputs.insert(inputs.end(), 2, -1);
  inputs.push_back(b.add_tensor("hidden", {1, 2}, TensorType_INT8, {1.0F / 128.0F}, 5));
  inputs.push_back(b.add_tensor("cell", {1, 2}, TensorType_INT16, {1.0F / 2048.0F}));
  for (const std::size_t state : {18U, 19U}) b.tensor(inputs[state]).is_variable = true;
  inputs.insert(inputs.end(), 4, -1);
  UnidirectionalSequenceLSTMOptionsT options;
  options.fused_activation_function = ActivationFunctionType_TANH;
  options.cell_clip = 10.0F;
  const int out = b.add_tensor("out", {1, 2, 2}, TensorType_INT8, {1.0F / 128.0F}, 5);
  b.add_operator(BuiltinOperator_UNIDIRECTIONAL_SEQUENCE_LSTM, inputs, {out}, options);
  b.graph().inputs = {inputs[0]};
  b.graph().outputs = {out};
  return b;
}

TEST(ImportLstm, MakesStatesOfHiddenAndCell) {
  const graph::Graph graph = imported(lstm());
  ASSERT_EQ(graph.operators.size(), 1U);
  const graph::Operator& op = graph.operators[0];
  EXPECT_EQ(std::get<graph::LstmOptions>(op.options).cell_clip, 10.0F);
  ASSERT_EQ(op.outputs.size(), 3U);
  ASSERT_EQ(graph.states.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(graph.states[i].before, op.inputs[18 + i]);
    EXPECT_EQ(graph.states[i].after, op.outputs[1 + i]);
    EXPECT_EQ(graph.tensor(op.outputs[1 + i]).type, graph.tensor(op.inputs[18 + i]).type);
    EXPECT_EQ(graph.tensor(op.outputs[1 + i]).shape, (Shape{1, 2}));
  }
  EXPECT_THAT(values_of_codes(graph.states[0].initial), ElementsAre(5, 5)) << "codes of zero";
  EXPECT_THAT(values_of_codes(graph.states[1].initial), ElementsAre(0, 0, 0, 0)) << "16 bits have no zero point";
}

TEST(ImportLstm, RefusesStatesThatAreNoneAndFormsOfOthers) {
  const auto operand = [](ModelBuilder& b, std::size_t place) -> std::int32_t& { return b.op(0).inputs[place]; };
  const auto options = [](ModelBuilder& b) -> UnidirectionalSequenceLSTMOptionsT& { return *b.op(0).builtin_options.AsUnidirectionalSequenceLSTMOptions(); };
  {
    ModelBuilder b = lstm();
    b.tensor(operand(b, 19)).is_variable = false;
    expect_refusal(b, ErrorId::kModelGraph, "is_variable");
  }
  {
    ModelBuilder b = lstm();
    operand(b, 18) = -1;
    expect_refusal(b, ErrorId::kModelTensorIndex, "operand 18 is left out, but is not optional");
  }
  {
    ModelBuilder b = lstm();
    operand(b, 19) = operand(b, 18);
    expect_refusal(b, ErrorId::kModelGraph, "is the state of two operators");
  }
  {
    ModelBuilder b = lstm();
    options(b).fused_activation_function = ActivationFunctionType_RELU;
    expect_refusal(b, ErrorId::kModelOperatorUnsupported, "must be TANH");
  }
  {
    ModelBuilder b = lstm();
    options(b).diagonal_recurrent_tensors = true;
    expect_refusal(b, ErrorId::kModelOperatorUnsupported, "diagonal_recurrent_tensors");
  }
}

}  // namespace
}  // namespace naru::sdk
