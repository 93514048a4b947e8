// Goal: the reference's kernels give what the rules say where golden models do not look: batches, groups, dilation, odd paddings, broadcasting, ties.
// Method: operators small enough to work out by hand, with scales that are powers of two.
#include <cmath>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/host.h"
#include "import/verify.h"
#include "reference/arithmetic.h"
#include "reference/interpreter.h"

namespace naru::sdk {
namespace {

using abi::ElementType;
using graph::Graph;
using graph::Operator;
using graph::OperatorKind;
using graph::Shape;
using graph::TensorId;
using testing::ElementsAre;
using testing::ElementsAreArray;

/// A graph of one operator: operands, options, result.
class OneOperator {
 public:
  explicit OneOperator(OperatorKind kind, graph::Options options = {}) {
    op_.kind = kind;
    op_.options = std::move(options);
    op_.file_index = 0;
  }

  OneOperator& input(Shape shape, std::vector<std::int8_t> values, float scale, std::int32_t zero_point) {
    op_.inputs.push_back(add(std::move(shape), ElementType::kI8, scale, zero_point));
    graph_.inputs.push_back(op_.inputs.back());
    const auto bytes = std::as_bytes(std::span(values));
    inputs_.emplace_back(bytes.begin(), bytes.end());
    return *this;
  }
  OneOperator& weights(Shape shape, std::vector<std::int8_t> values, std::vector<float> scales, std::int32_t axis = 0) {
    const TensorId id = add(std::move(shape), ElementType::kI8, 1.0F, 0);
    graph_.tensor(id).quantization = graph::Quantization{scales, std::vector<std::int32_t>(scales.size()), axis};
    const auto bytes = std::as_bytes(std::span(values));
    graph_.tensor(id).constant = graph_.keep({bytes.begin(), bytes.end()});
    op_.inputs.push_back(id);
    return *this;
  }
  OneOperator& bias(std::vector<std::int32_t> values) {
    const TensorId id = add({static_cast<std::int32_t>(values.size())}, ElementType::kI32, 1.0F, 0);
    graph_.tensor(id).quantization.reset();
    const auto bytes = std::as_bytes(std::span(values));
    graph_.tensor(id).constant = graph_.keep({bytes.begin(), bytes.end()});
    op_.inputs.push_back(id);
    return *this;
  }

  /// Verifies the graph, so that a test cannot rest on one that the importer would refuse, and runs it.
  std::vector<std::int8_t> run(Shape shape, float scale, std::int32_t zero_point) {
    op_.outputs = {add(std::move(shape), ElementType::kI8, scale, zero_point)};
    graph_.outputs = op_.outputs;
    graph_.operators = {op_};
    const auto verified = verify_graph(graph_);
    EXPECT_TRUE(verified) << (verified ? "" : verified.error().to_string());
    const std::vector<std::span<const std::byte>> views(inputs_.begin(), inputs_.end());
    const auto result = reference::run(graph_, views);
    EXPECT_TRUE(result) << (result ? "" : result.error().to_string());
    if (!verified || !result) return {};
    std::vector<std::int8_t> values(result->outputs[0].size());
    std::memcpy(values.data(), result->outputs[0].data(), values.size());
    return values;
  }

 private:
  TensorId add(Shape shape, ElementType type, float scale, std::int32_t zero_point) {
    graph::Tensor tensor;
    tensor.shape = std::move(shape);
    tensor.type = type;
    tensor.quantization = graph::Quantization{{scale}, {zero_point}, 0};
    tensor.file_index = static_cast<std::int32_t>(graph_.tensors.size());
    return graph_.add_tensor(std::move(tensor));
  }

  Graph graph_;
  Operator op_;
  std::vector<std::vector<std::byte>> inputs_;
};

TEST(ReferenceConv, SubtractsTheZeroPointAndSkipsTapsOutsideTheImage) {
  // All weights 1: the output is the sum of real values under the window.
  const auto out = OneOperator(OperatorKind::kConv2d, graph::ConvOptions{.padding = graph::Padding::kSame})
                       .input({1, 2, 3, 1}, {11, 12, 13, 14, 15, 16}, 1.0F, 10)
                       .weights({1, 3, 3, 1}, std::vector<std::int8_t>(9, 1), {1.0F})
                       .bias({100})
                       .run({1, 2, 3, 1}, 1.0F, -1);
  EXPECT_THAT(out, ElementsAre(111, 120, 115, 111, 120, 115));
}

TEST(ReferenceConv, StridesAndDilatesInEachBatch) {
  std::vector<std::int8_t> input(2 * 5 * 5);
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<std::int8_t>(i);
  const auto out = OneOperator(OperatorKind::kConv2d, graph::ConvOptions{.stride_h = 2, .stride_w = 1, .dilation_h = 2, .dilation_w = 3})
                       .input({2, 5, 5, 1}, input, 1.0F, 0)
                       .weights({1, 2, 2, 1}, {1, 0, 0, 1}, {1.0F})
                       .run({2, 2, 2, 1}, 1.0F, 0);
  // (r, c) + (r + 2, c + 3)
  EXPECT_THAT(out, ElementsAre(0 + 13, 1 + 14, 10 + 23, 11 + 24, 25 + 38, 26 + 39, 35 + 48, 36 + 49));
}

TEST(ReferenceConv, SharesChannelsOutToGroups) {
  const auto out = OneOperator(OperatorKind::kConv2d, graph::ConvOptions{})
                       .input({1, 1, 1, 4}, {1, 2, 3, 4}, 1.0F, 0)
                       .weights({4, 1, 1, 2}, {1, 1, 1, -1, 1, 1, 1, -1}, {1.0F})
                       .run({1, 1, 1, 4}, 1.0F, 0);
  EXPECT_THAT(out, ElementsAre(3, -1, 7, -1));
}

TEST(ReferenceConv, HasAScalePerChannelAndClampsToTheActivation) {
  const auto out = OneOperator(OperatorKind::kConv2d, graph::ConvOptions{.activation = graph::Activation::kRelu6})
                       .input({1, 1, 1, 1}, {8}, 1.0F, 0)
                       .weights({4, 1, 1, 1}, {1, 1, 1, -1}, {0.25F, 0.5F, 2.0F, 1.0F})
                       .run({1, 1, 1, 4}, 0.5F, 3);
  EXPECT_THAT(out, ElementsAre(7, 11, 15, 3));
}

TEST(ReferenceConv, AccumulatesLongRowsExactly) {
  constexpr std::int32_t kDepth = 70'000;
  const auto out = OneOperator(OperatorKind::kFullyConnected, graph::FullyConnectedOptions{})
                       .input({1, kDepth}, std::vector<std::int8_t>(kDepth, 127), 1.0F, 0)
                       .weights({1, kDepth}, std::vector<std::int8_t>(kDepth, 127), {1.0F})
                       .run({1, 1}, 16777216.0F, 0);
  // 70,000 * 127 * 127 = 1,129,030,000; over 2^24 that is 67.3.
  EXPECT_THAT(out, ElementsAre(67));
}

TEST(ReferenceDepthwise, MultipliesChannels) {
  const auto out = OneOperator(OperatorKind::kDepthwiseConv2d, graph::ConvOptions{.depth_multiplier = 2})
                       .input({1, 1, 2, 2}, {1, 2, 3, 4}, 1.0F, 0)
                       .weights({1, 1, 2, 4}, {1, 2, 3, 4, 10, 20, 1, 2}, {1.0F})
                       .run({1, 1, 1, 4}, 1.0F, 0);
  EXPECT_THAT(out, ElementsAre(1 + 30, 2 + 60, 6 + 4, 8 + 8));
}

TEST(ReferencePool, AveragesHalfAwayFromZeroOverTapsInside) {
  const auto out = OneOperator(OperatorKind::kAveragePool2d, graph::PoolOptions{.padding = graph::Padding::kSame, .filter_h = 1, .filter_w = 2})
                       .input({1, 1, 4, 1}, {1, 2, -3, -4}, 1.0F, 0)
                       .run({1, 1, 4, 1}, 1.0F, 0);
  // 1.5, -0.5, -3.5 and the last alone
  EXPECT_THAT(out, ElementsAre(2, -1, -4, -4));
}

TEST(ReferencePool, TakesTheMaximumAndClamps) {
  const auto out = OneOperator(OperatorKind::kMaxPool2d, graph::PoolOptions{.stride_h = 2, .stride_w = 2, .filter_h = 2, .filter_w = 2, .activation = graph::Activation::kRelu})
                       .input({1, 2, 4, 1}, {-9, -8, 5, 6, -7, -6, 7, 8}, 1.0F, 0)
                       .run({1, 1, 2, 1}, 1.0F, 0);
  EXPECT_THAT(out, ElementsAre(0, 8));
}

TEST(ReferenceElementwise, BroadcastsAsNumpyDoes) {
  const auto sum = OneOperator(OperatorKind::kAdd, graph::ElementwiseOptions{})
                       .input({2, 1, 2}, {1, 2, 3, 4}, 1.0F, 0)
                       .input({3, 1}, {10, 20, 30}, 1.0F, 0)
                       .run({2, 3, 2}, 1.0F, 0);
  EXPECT_THAT(sum, ElementsAre(11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34));
  const auto product = OneOperator(OperatorKind::kMul, graph::ElementwiseOptions{}).input({2, 2}, {1, 2, 3, 4}, 0.5F, 1).input({2}, {5, 7}, 0.5F, 5).run({2, 2}, 0.25F, -2);
  EXPECT_THAT(product, ElementsAre(-2, 0, -2, 4));
}

TEST(ReferenceElementwise, AddRoundsOperandsSeparately) {
  const auto out = OneOperator(OperatorKind::kAdd, graph::ElementwiseOptions{}).input({3}, {1, -1, 127}, 0.5F, 0).input({3}, {0, 0, 127}, 0.5F, 0).run({3}, 1.0F, 0);
  EXPECT_THAT(out, ElementsAre(1, -1, 127));
}

TEST(ReferenceRelu, RescalesAndClamps) {
  EXPECT_THAT(OneOperator(OperatorKind::kRelu).input({4}, {-10, 0, 10, 100}, 0.5F, 0).run({4}, 0.25F, -100), ElementsAre(-100, -100, -80, 100));
  EXPECT_THAT(OneOperator(OperatorKind::kRelu6).input({4}, {-10, 0, 10, 100}, 0.5F, 0).run({4}, 0.25F, -100), ElementsAre(-100, -100, -80, -76));
}

TEST(ReferenceMean, ReducesAnyAxes) {
  const auto inner = OneOperator(OperatorKind::kMean, graph::ReduceOptions{{1}, false}).input({2, 3}, {1, 2, 3, 4, 5, 7}, 1.0F, 0).run({2}, 1.0F, 10);
  EXPECT_THAT(inner, ElementsAre(12, 15));
  const auto outer = OneOperator(OperatorKind::kMean, graph::ReduceOptions{{0, 2}, true}).input({2, 2, 2}, {0, 2, 4, 6, 8, 10, 12, 14}, 1.0F, 0).run({1, 2, 1}, 0.5F, 0);
  EXPECT_THAT(outer, ElementsAre(10, 18));
}

TEST(ReferenceMove, PadsWithTheZeroPointTransposesAndConcatenates) {
  EXPECT_THAT(OneOperator(OperatorKind::kPad, graph::PadOptions{{0, 1}, {1, 0}}).input({2, 2}, {1, 2, 3, 4}, 1.0F, -7).run({3, 3}, 1.0F, -7),
              ElementsAre(-7, 1, 2, -7, 3, 4, -7, -7, -7));
  EXPECT_THAT(OneOperator(OperatorKind::kTranspose, graph::TransposeOptions{{2, 0, 1}}).input({2, 1, 3}, {1, 2, 3, 4, 5, 6}, 1.0F, 0).run({3, 2, 1}, 1.0F, 0),
              ElementsAre(1, 4, 2, 5, 3, 6));
  EXPECT_THAT(OneOperator(OperatorKind::kConcatenation, graph::ConcatenationOptions{.axis = 1}).input({2, 1}, {1, 2}, 1.0F, 0).input({2, 2}, {3, 4, 5, 6}, 1.0F, 0).run({2, 3}, 1.0F, 0),
              ElementsAre(1, 3, 4, 2, 5, 6));
  EXPECT_THAT(OneOperator(OperatorKind::kReshape, graph::ReshapeOptions{}).input({2, 2}, {1, 2, 3, 4}, 1.0F, 0).run({4}, 1.0F, 0), ElementsAre(1, 2, 3, 4));
}

TEST(ReferenceSoftmax, IsNearTheRealSoftmax) {
  std::mt19937 random(3);
  std::uniform_int_distribution<int> code(-128, 127);
  for (float scale : {0.001F, 0.0625F, 0.2F, 1.0F, 40.0F}) {
    for (std::int32_t count : {1, 2, 10, 1001, 4095}) {
      std::vector<std::int8_t> input(static_cast<std::size_t>(count));
      for (auto& value : input) value = static_cast<std::int8_t>(code(random));
      const auto out = OneOperator(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).input({1, count}, input, scale, 0).run({1, count}, 1.0F / 256.0F, -128);
      double sum = 0.0;
      const int highest = *std::max_element(input.begin(), input.end());
      for (std::int8_t value : input) sum += std::exp((value - highest) * static_cast<double>(scale));
      for (std::size_t i = 0; i < input.size(); ++i)
        ASSERT_NEAR(out[i] + 128, std::min(255.0, 256.0 * std::exp((input[i] - highest) * static_cast<double>(scale)) / sum), 1.0) << scale << " " << count;
    }
  }
}

/// The series of fourth order around -1/8 is off by (1/8)^5 / 5! = 2.5e-7 at its ends.
TEST(ReferenceArithmetic, ExponentialAndReciprocalAreNearTheRealOnes) {
  for (std::int64_t x = 0; x > -(std::int64_t{1} << 31); x -= 999'983)
    ASSERT_NEAR(reference::exp_of_negative(static_cast<std::int32_t>(x)) * 0x1p-31, std::exp(static_cast<double>(x) * 0x1p-26), 3.0e-7) << x;
  for (std::int64_t x = 0; x < (std::int64_t{1} << 31); x += 999'983)
    ASSERT_NEAR(reference::one_over_one_plus(static_cast<std::int32_t>(x)) * 0x1p-31, 1.0 / (1.0 + static_cast<double>(x) * 0x1p-31), 1.0e-7) << x;
}

TEST(Interpreter, KeepsIntermediatesOnRequestOnly) {
  Graph graph;
  for (int i = 0; i < 3; ++i) {
    graph::Tensor tensor;
    tensor.shape = {4};
    tensor.type = ElementType::kI8;
    tensor.quantization = graph::Quantization{{1.0F}, {0}, 0};
    graph.add_tensor(tensor);
  }
  for (int i = 0; i < 2; ++i) {
    Operator op;
    op.kind = OperatorKind::kRelu;
    op.inputs = {i};
    op.outputs = {i + 1};
    graph.operators.push_back(op);
  }
  graph.inputs = {0};
  graph.outputs = {2};
  const std::vector<std::byte> input = {std::byte{1}, std::byte{0xFF}, std::byte{3}, std::byte{0x80}};
  const std::span<const std::byte> inputs[] = {input};
  const auto kept = reference::run(graph, inputs, {.keep_intermediates = true});
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->tensors.at(0), input);
  EXPECT_EQ(kept->tensors.at(1).size(), 4U);
  const auto dropped = reference::run(graph, inputs);
  ASSERT_TRUE(dropped);
  EXPECT_TRUE(dropped->tensors.empty());
  EXPECT_EQ(dropped->outputs, kept->outputs);
}

/// Host steps are written on sdk/src/numerics, the reference is not: each judges the other.
TEST(Host, AgreesWithTheReference) {
  std::mt19937 random(4);
  const auto run_both = [&](OperatorKind kind, ElementType from, ElementType to, float in_scale, std::int32_t in_zero, float out_scale, std::int32_t out_zero) {
    Graph graph;
    const auto add = [&](ElementType type, float scale, std::int32_t zero) {
      graph::Tensor tensor;
      tensor.shape = {4, 251};
      tensor.type = type;
      if (type != ElementType::kF32) tensor.quantization = graph::Quantization{{scale}, {zero}, 0};
      graph.add_tensor(tensor);
    };
    add(from, in_scale, in_zero);
    add(to, out_scale, out_zero);
    Operator op;
    op.kind = kind;
    op.inputs = {0};
    op.outputs = {1};
    graph.operators = {op};
    graph.inputs = {0};
    graph.outputs = {1};
    ASSERT_TRUE(verify_graph(graph));
    // One byte further, so that floats are misaligned.
    std::vector<std::byte> storage(graph::byte_size(graph.tensor(0)) + 1);
    for (auto& byte : storage) byte = static_cast<std::byte>(random());
    const std::span<const std::byte> input = std::span(storage).subspan(1);
    std::vector<std::byte> output(graph::byte_size(graph.tensor(1)));
    const std::span<const std::byte> inputs[] = {input};
    const std::span<std::byte> outputs[] = {output};
    const auto done = host::execute(op, graph.tensors, inputs, outputs);
    ASSERT_TRUE(done) << done.error().to_string();
    const auto expected = reference::run(graph, inputs);
    ASSERT_TRUE(expected);
    EXPECT_EQ(output, expected->outputs[0]);
  };
  for (float scale : {0.0039F, 0.1F, 3.0F, 1.0e30F}) {
    for (std::int32_t zero : {-128, 0, 77}) {
      run_both(OperatorKind::kQuantize, ElementType::kF32, ElementType::kI8, 0.0F, 0, scale, zero);
      run_both(OperatorKind::kQuantize, ElementType::kF32, ElementType::kU8, 0.0F, 0, scale, zero + 128);
      run_both(OperatorKind::kQuantize, ElementType::kI8, ElementType::kI8, 0.2F, 5, scale, zero);
      run_both(OperatorKind::kQuantize, ElementType::kU8, ElementType::kI8, scale, zero + 128, scale, zero);
      run_both(OperatorKind::kQuantize, ElementType::kI8, ElementType::kU8, 1.7F, -9, scale, zero + 128);
      run_both(OperatorKind::kDequantize, ElementType::kI8, ElementType::kF32, scale, zero, 0.0F, 0);
      run_both(OperatorKind::kDequantize, ElementType::kU8, ElementType::kF32, scale, zero + 128, 0.0F, 0);
    }
  }
  run_both(OperatorKind::kReshape, ElementType::kF32, ElementType::kF32, 0.0F, 0, 0.0F, 0);
  run_both(OperatorKind::kReshape, ElementType::kI8, ElementType::kI8, 1.0F, 0, 1.0F, 0);
}

TEST(Host, RefusesWhatDoesNotFit) {
  std::vector<graph::Tensor> tensors(2);
  tensors[0].shape = tensors[1].shape = {4};
  tensors[0].type = ElementType::kF32;
  tensors[1].type = ElementType::kI8;
  tensors[1].quantization = graph::Quantization{{1.0F}, {0}, 0};
  Operator op;
  op.kind = OperatorKind::kQuantize;
  op.inputs = {0};
  op.outputs = {1};
  std::vector<std::byte> in(16);
  std::vector<std::byte> out(4);
  std::vector<std::span<const std::byte>> inputs = {in};
  std::vector<std::span<std::byte>> outputs = {out};
  ASSERT_TRUE(host::execute(op, tensors, inputs, outputs));

  const auto id = [&] {
    const auto done = host::execute(op, tensors, inputs, outputs);
    return done ? ErrorId::kInternal : done.error().id();
  };
  inputs[0] = std::span(in).first(15);
  EXPECT_EQ(id(), ErrorId::kInvalidArgument);
  inputs[0] = in;
  outputs[0] = std::span(out).first(3);
  EXPECT_EQ(id(), ErrorId::kInvalidArgument);
  outputs[0] = out;
  op.inputs = {2};
  EXPECT_EQ(id(), ErrorId::kInvalidArgument);
  op.inputs = {-1};
  EXPECT_EQ(id(), ErrorId::kInvalidArgument);
  op.inputs = {0};
  tensors[1].quantization->scales = {0.0F};
  EXPECT_EQ(id(), ErrorId::kCompileUnsupported);
  tensors[1].quantization.reset();
  EXPECT_EQ(id(), ErrorId::kCompileUnsupported);
  op.kind = OperatorKind::kConv2d;
  EXPECT_EQ(id(), ErrorId::kInvalidArgument);
  op.kind = static_cast<OperatorKind>(graph::kOperatorKinds);
  EXPECT_EQ(id(), ErrorId::kCompileUnsupported);
}

}  // namespace
}  // namespace naru::sdk
