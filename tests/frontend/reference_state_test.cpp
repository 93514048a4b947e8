// Goal: states last from one run to the next, SVDF and the LSTM compute what their equations say, and detections come out as TFLite picks them.
// Method: values by hand where scales are powers of two; the LSTM's equations in double precision; boxes that overlap by a known share.
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference_operator.h"

namespace naru::sdk {
namespace {

using graph::OperatorKind;
using testing::ElementsAre;
using testing::ElementsAreArray;

/// Two states of one code whose values are swapped by each run.
graph::Graph swapping_graph() {
  graph::Graph graph;
  for (int i = 0; i < 3; ++i) {
    graph::Tensor tensor;
    tensor.shape = {1};
    tensor.type = abi::ElementType::kI8;
    tensor.is_variable = i < 2;
    graph.add_tensor(tensor);
  }
  graph.states = {{0, 1, graph.keep({std::byte{5}})}, {1, 0, graph.keep({std::byte{6}})}};
  graph::Operator op;
  op.kind = OperatorKind::kReadVariable;
  op.inputs = {0};
  op.outputs = {2};
  graph.operators = {op};
  graph.outputs = {2};
  return graph;
}

TEST(ReferenceState, IsReadBeforeAnyIsReplaced) {
  const graph::Graph graph = swapping_graph();
  std::vector<reference::Bytes> states;
  for (int expected : {5, 6, 5}) {
    const auto done = reference::run(graph, {}, {.states = &states});
    ASSERT_TRUE(done) << done.error().to_string();
    EXPECT_EQ(std::to_integer<int>(done->outputs[0][0]), expected);
  }
  EXPECT_THAT(states, ElementsAre(ElementsAre(std::byte{6}), ElementsAre(std::byte{5})));
}

TEST(ReferenceState, BeginsAnewWithoutAPlaceForIt) {
  const graph::Graph graph = swapping_graph();
  for (int i = 0; i < 2; ++i) {
    const auto done = reference::run(graph, {});
    ASSERT_TRUE(done);
    EXPECT_EQ(std::to_integer<int>(done->outputs[0][0]), 5);
  }
  // An empty entry is the initial value, a missing one too.
  std::vector<reference::Bytes> states{{}};
  ASSERT_TRUE(reference::run(graph, {}, {.states = &states}));
  EXPECT_THAT(states, ElementsAre(ElementsAre(std::byte{6}), ElementsAre(std::byte{5})));
}

TEST(ReferenceState, OfAnotherSizeIsRefusedAndKept) {
  const graph::Graph graph = swapping_graph();
  std::vector<reference::Bytes> states{reference::Bytes(2), {}};
  const auto refused = reference::run(graph, {}, {.states = &states});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id(), ErrorId::kInputSize);
  EXPECT_EQ(states[0].size(), 2U);
}

TEST(ReferenceState, IsAssignedAtTheEnd) {
  ReferenceOperator op(OperatorKind::kAssignVariable);
  op.absent().input<float>({2}, {1, 2}).result<float>({2});
  EXPECT_THAT(op.run<float>(), ElementsAre(1, 2));
}

/// One filter of rank 1 with two steps of memory: output = w0 * older + w1 * newer + bias.
TEST(ReferenceSvdf, RemembersItsFeatures) {
  const auto make = [](auto state, Codes state_codes, std::int8_t start) {
    using State = decltype(state);
    ReferenceOperator op(OperatorKind::kSvdf, graph::SvdfOptions{1, graph::Activation::kNone});
    op.input<std::int8_t>({1, 2}, {3, 4}, {0.5F, 1}).constant<std::int8_t>({1, 2}, {2, 4}, {0.5F, 0}).template constant<State>({1, 2}, {3, 5}, {0.25F, 0});
    op.constant<std::int32_t>({1}, {16})
        .template state<State>({1, 2}, {static_cast<State>(start), static_cast<State>(start)}, state_codes)
        .template result<std::int8_t>({1, 1}, {1.0F, -3})
        .next_state();
    return op;
  };
  // The feature is (2 * 2 + 3 * 4) / 4 = 4 in the input's and the weights' scales; a state at 0.25 per code holds it as 16.
  ReferenceOperator wide = make(std::int16_t{}, {0.25F, 0}, 0);
  EXPECT_THAT(wide.run<std::int8_t>(), ElementsAre((5 * 16 + 16) / 16 - 3));
  EXPECT_THAT(wide.state_values<std::int16_t>(0), ElementsAre(0, 16));
  wide.replace_input<std::int8_t>(0, {1, 1});
  EXPECT_THAT(wide.run<std::int8_t>(), ElementsAre((3 * 16 + 16) / 16 - 3));
  EXPECT_THAT(wide.state_values<std::int16_t>(0), ElementsAre(16, 0));

  ReferenceOperator narrow = make(std::int8_t{}, {0.25F, 10}, 10);
  EXPECT_THAT(narrow.run<std::int8_t>(), ElementsAre((5 * 16 + 16) / 16 - 3));
  EXPECT_THAT(narrow.state_values<std::int8_t>(0), ElementsAre(10, 26));
}

TEST(ReferenceSvdf, AddsRanksAndBatchesInFloat) {
  ReferenceOperator op(OperatorKind::kSvdf, graph::SvdfOptions{2, graph::Activation::kRelu});
  op.input<float>({2, 1}, {1, -1})
      .constant<float>({2, 1}, {2, 3})
      .constant<float>({2, 2}, {10, 1, 100, 1})
      .absent()
      .state<float>({2, 4}, {0, 1, 0, 2, 0, 0, 0, 0})
      .result<float>({2, 1})
      .next_state();
  // Batch 0: 10 * 1 + 2 and 100 * 2 + 3. Batch 1: -2 - 3, which the activation cuts.
  EXPECT_THAT(op.run<float>(), ElementsAre(12 + 203, 0));
  EXPECT_THAT(op.state_values<float>(0), ElementsAre(1, 2, 2, 3, 0, -2, 0, -3));
}

/// The LSTM's equations in double precision.
struct RealLstm {
  std::vector<std::vector<double>> input_weights, recurrent_weights, bias;
  std::vector<double> hidden, cell;
  std::vector<double> step(const std::vector<double>& input) {
    const auto sigmoid = [](double x) { return 1.0 / (1.0 + std::exp(-x)); };
    std::vector<double> next;
    for (std::size_t c = 0; c < cell.size(); ++c) {
      const auto sum = [&](std::size_t gate) {
        double total = bias[gate][c];
        for (std::size_t i = 0; i < input.size(); ++i) total += input_weights[gate][c * input.size() + i] * input[i];
        for (std::size_t i = 0; i < hidden.size(); ++i) total += recurrent_weights[gate][c * hidden.size() + i] * hidden[i];
        return total;
      };
      cell[c] = sigmoid(sum(1)) * cell[c] + sigmoid(sum(0)) * std::tanh(sum(2));
      next.push_back(sigmoid(sum(3)) * std::tanh(cell[c]));
    }
    return hidden = next;
  }
};

/// `Code` is the type of activations; weights are int8 codes of 1/64 (their values, for float).
template <typename Code>
void expect_lstm(bool time_major, double tolerance) {
  constexpr std::size_t kCells = 5;
  constexpr std::size_t kInputs = 3;
  constexpr std::size_t kSteps = 4;
  constexpr std::size_t kBatches = 2;
  constexpr bool kReal = std::is_same_v<Code, float>;
  std::mt19937 random(9);
  const auto codes = [&](std::size_t count, int limit) {
    std::vector<int> values(count);
    for (int& value : values) value = static_cast<int>(random() % static_cast<unsigned>(2 * limit + 1)) - limit;
    return values;
  };
  const float input_scale = kReal ? 1.0F : sizeof(Code) == 1 ? 1.0F / 64.0F : 1.0F / 16384.0F;
  const float hidden_scale = kReal ? 1.0F : sizeof(Code) == 1 ? 1.0F / 128.0F : 1.0F / 32768.0F;
  const std::int32_t zero = !kReal && sizeof(Code) == 1 ? -7 : 0;
  const float weight_scale = 1.0F / 64.0F;
  RealLstm real;
  ReferenceOperator op(OperatorKind::kUnidirectionalSequenceLstm, graph::LstmOptions{.time_major = time_major});
  const auto inputs = codes(kBatches * kSteps * kInputs, 60);
  std::vector<Code> given;
  for (int value : inputs) given.push_back(kReal ? static_cast<Code>(value / 64.0) : static_cast<Code>(value * (sizeof(Code) == 1 ? 1 : 256) + zero));
  const auto batches = static_cast<std::int32_t>(kBatches);
  const auto steps = static_cast<std::int32_t>(kSteps);
  const graph::Shape shape = time_major ? graph::Shape{steps, batches, 3} : graph::Shape{batches, steps, 3};
  op.input<Code>(shape, given, kReal ? Codes{} : Codes{input_scale, zero});
  const auto weights = [&](std::size_t columns, std::vector<std::vector<double>>& reals) {
    const auto values = codes(kCells * columns, 100);
    std::vector<double>& real_values = reals.emplace_back();
    for (int value : values) real_values.push_back(value * static_cast<double>(weight_scale));
    const graph::Shape matrix{static_cast<std::int32_t>(kCells), static_cast<std::int32_t>(columns)};
    if constexpr (kReal)
      op.constant<float>(matrix, std::vector<float>(real_values.begin(), real_values.end()));
    else
      op.constant<std::int8_t>(matrix, std::vector<std::int8_t>(values.begin(), values.end()), {weight_scale, 0});
  };
  for (int gate = 0; gate < 4; ++gate) weights(kInputs, real.input_weights);
  for (int gate = 0; gate < 4; ++gate) weights(kCells, real.recurrent_weights);
  op.absent(3);
  for (int gate = 0; gate < 4; ++gate) {
    std::vector<double>& values = real.bias.emplace_back();
    for (int code : codes(kCells, 60)) values.push_back(code / 64.0);
    const auto quantized = [&](auto number) {
      std::vector<decltype(number)> result;
      for (double value : values)
        result.push_back(
            static_cast<decltype(number)>(kReal ? value : std::round(value / (static_cast<double>(input_scale) * static_cast<double>(weight_scale)))));
      return result;
    };
    const graph::Shape vector{static_cast<std::int32_t>(kCells)};
    if constexpr (kReal)
      op.constant<float>(vector, quantized(float{}));
    else if constexpr (sizeof(Code) == 1)
      op.constant<std::int32_t>(vector, quantized(std::int32_t{}));
    else
      op.constant<std::int64_t>(vector, quantized(std::int64_t{}));
  }
  op.absent(2);
  const graph::Shape state{batches, static_cast<std::int32_t>(kCells)};
  op.state<Code>(state, std::vector<Code>(kBatches * kCells, static_cast<Code>(zero)), kReal ? Codes{} : Codes{hidden_scale, zero});
  if constexpr (kReal)
    op.state<float>(state, std::vector<float>(kBatches * kCells));
  else
    op.state<std::int16_t>(state, std::vector<std::int16_t>(kBatches * kCells), {1.0F / 2048.0F, 0});
  op.absent(4);
  graph::Shape out = shape;
  out[2] = static_cast<std::int32_t>(kCells);
  op.result<Code>(out, kReal ? Codes{} : Codes{hidden_scale, zero}).next_state().next_state();

  // Two runs: the second goes on where the first has ended.
  std::vector<RealLstm> lstms(kBatches, real);
  for (RealLstm& lstm : lstms) lstm.hidden = lstm.cell = std::vector<double>(kCells);
  for (int run = 0; run < 2; ++run) {
    const auto results = op.run<Code>();
    ASSERT_EQ(results.size(), kBatches * kSteps * kCells);
    for (std::size_t batch = 0; batch < kBatches; ++batch) {
      for (std::size_t step = 0; step < kSteps; ++step) {
        const std::size_t place = time_major ? step * kBatches + batch : batch * kSteps + step;
        std::vector<double> row;
        for (std::size_t i = 0; i < kInputs; ++i) row.push_back(inputs[place * kInputs + i] / 64.0);
        const auto expected = lstms[batch].step(row);
        for (std::size_t c = 0; c < kCells; ++c)
          ASSERT_NEAR((static_cast<double>(results[place * kCells + c]) - zero) * static_cast<double>(hidden_scale), expected[c], tolerance)
              << "run " << run << " batch " << batch << " step " << step << " cell " << c;
      }
    }
  }
}

TEST(ReferenceLstm, FollowsItsEquationsInEveryType) {
  for (bool time_major : {false, true}) {
    SCOPED_TRACE(time_major);
    expect_lstm<float>(time_major, 1.0e-5);
    expect_lstm<std::int8_t>(time_major, 0.02);
    expect_lstm<std::int16_t>(time_major, 0.004);
  }
}

TEST(ReferenceLstm, RefusesWhatItDoesNotKnow) {
  ReferenceOperator op(OperatorKind::kUnidirectionalSequenceLstm);
  op.input<float>({1, 1, 1}, {0}).absent(8).constant<float>({1}, {1}).absent(14).result<float>({1, 1, 1});
  const auto refused = op.try_run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id(), ErrorId::kModelOperatorUnsupported);
}

/// Three anchors of size 10 at 0, 1 and 100: the first two overlap by 9 * 10 / 110 = 0.82.
class ReferenceDetection : public testing::Test {
 protected:
  static ReferenceOperator detection(bool regular, std::int32_t max_detections, float overlap, std::int32_t per_class = 100) {
    const graph::DetectionOptions options{.max_detections = max_detections,
                                          .detections_per_class = per_class,
                                          .classes = 2,
                                          .regular_suppression = regular,
                                          .score_threshold = 0.3F,
                                          .overlap_threshold = overlap,
                                          .y_scale = 10,
                                          .x_scale = 10,
                                          .h_scale = 5,
                                          .w_scale = 5};
    ReferenceOperator op(OperatorKind::kDetectionPostProcess, options);
    op.input<float>({1, 3, 4}, std::vector<float>(12)).input<float>({1, 3, 3}, {0, 0.9F, 0.4F, 0, 0.8F, 0.7F, 0, 0.1F, 0.6F});
    op.constant<float>({3, 4}, {5, 5, 10, 10, 5, 6, 10, 10, 5, 105, 10, 10});
    return op.result<float>({1, max_detections, 4}).result<float>({1, max_detections}).result<float>({1, max_detections}).result<float>({1});
  }
};

TEST_F(ReferenceDetection, FastSuppressionTakesEachAnchorsBestClass) {
  ReferenceOperator op = detection(false, 4, 0.5F);
  EXPECT_THAT(op.run<float>(0), ElementsAre(0, 0, 10, 10, 0, 100, 10, 110, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(op.run<float>(1), ElementsAre(0, 1, 0, 0));
  EXPECT_THAT(op.run<float>(2), ElementsAre(0.9F, 0.6F, 0, 0));
  EXPECT_THAT(op.run<float>(3), ElementsAre(2));
  EXPECT_THAT(detection(false, 4, 0.9F).run<float>(2), ElementsAre(0.9F, 0.8F, 0.6F, 0));
  EXPECT_THAT(detection(false, 1, 0.9F).run<float>(2), ElementsAre(0.9F));
}

TEST_F(ReferenceDetection, RegularSuppressionTakesEachClassByItself) {
  ReferenceOperator op = detection(true, 4, 0.5F);
  // Class 1: 0.7 suppresses 0.4; 0.6 is elsewhere.
  EXPECT_THAT(op.run<float>(1), ElementsAre(0, 1, 1, 0));
  EXPECT_THAT(op.run<float>(2), ElementsAre(0.9F, 0.7F, 0.6F, 0));
  EXPECT_THAT(op.run<float>(3), ElementsAre(3));
  EXPECT_THAT(detection(true, 4, 0.5F, 1).run<float>(2), ElementsAre(0.9F, 0.7F, 0, 0));
  EXPECT_THAT(detection(true, 2, 0.5F).run<float>(2), ElementsAre(0.9F, 0.7F));
}

TEST_F(ReferenceDetection, DequantizesCodesAndDecodesBoxes) {
  ReferenceOperator op(
      OperatorKind::kDetectionPostProcess,
      graph::DetectionOptions{
          .max_detections = 1, .classes = 1, .score_threshold = 0.1F, .overlap_threshold = 0.5F, .y_scale = 10, .x_scale = 10, .h_scale = 5, .w_scale = 5});
  // Encodings 5, -5, 0, 5 of an anchor at 10, 20 of size 4, 8: centre 10 + 2, 20 - 4; size 4, 8 e.
  op.input<std::uint8_t>({1, 1, 4}, {20, 0, 10, 20}, {0.5F, 10})
      .input<std::uint8_t>({1, 1, 1}, {128}, {1.0F / 256.0F, 0})
      .constant<std::uint8_t>({1, 4}, {20, 40, 8, 16}, {0.5F, 0});
  op.result<float>({1, 1, 4}).result<float>({1, 1}).result<float>({1, 1}).result<float>({1});
  const auto half = static_cast<float>(0.5 * std::exp(1.0) * 8.0);
  EXPECT_THAT(op.run<float>(0), ElementsAre(10.0F, 16.0F - half, 14.0F, 16.0F + half));
  EXPECT_THAT(op.run<float>(2), ElementsAre(0.5F));
}

}  // namespace
}  // namespace naru::sdk
