// Goal: sums of products are right for legacy uint8 weights with a zero point, 16-bit activations, float32, computed right sides and TRANSPOSE_CONV.
// Method: values worked out by hand; uint8 against the same operator on int8 codes moved by 128; float32 against additions in the order of the definition.
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference/arithmetic.h"
#include "reference_operator.h"

namespace naru::sdk {
namespace {

using graph::OperatorKind;
using testing::ElementsAre;
using testing::ElementsAreArray;

TEST(ReferenceLegacy, ConvolvesAsInt8CodesMovedBy128) {
  std::mt19937 random(7);
  const auto codes = [&](std::size_t count) {
    std::vector<std::uint8_t> values(count);
    for (auto& value : values) value = static_cast<std::uint8_t>(random());
    return values;
  };
  const auto moved = [](const std::vector<std::uint8_t>& values) {
    std::vector<std::int8_t> result;
    for (std::uint8_t value : values) result.push_back(static_cast<std::int8_t>(value - 128));
    return result;
  };
  const std::vector<std::int32_t> bias{1'000, -2'000, 30};
  for (OperatorKind kind : {OperatorKind::kConv2d, OperatorKind::kDepthwiseConv2d}) {
    const auto input = codes(5 * 4 * 3);
    const auto weights = codes(kind == OperatorKind::kConv2d ? 3 * 3 * 3 * 3 : 3 * 3 * 3);
    const graph::Shape filter = kind == OperatorKind::kConv2d ? graph::Shape{3, 3, 3, 3} : graph::Shape{1, 3, 3, 3};
    const graph::ConvOptions options{.padding = graph::Padding::kSame, .stride_h = 2};
    // Scales whose product is exact in float32, so that both ways to the factor are one.
    const auto legacy = ReferenceOperator(kind, options)
                            .input<std::uint8_t>({1, 5, 4, 3}, input, {0.5F, 100})
                            .constant<std::uint8_t>(filter, weights, {0.25F, 90})
                            .constant<std::int32_t>({3}, bias)
                            .result<std::uint8_t>({1, 3, 4, 3}, {30.0F, 130})
                            .run<std::uint8_t>();
    const auto expected = ReferenceOperator(kind, options)
                              .input<std::int8_t>({1, 5, 4, 3}, moved(input), {0.5F, -28})
                              .constant<std::int8_t>(filter, moved(weights), {0.25F, -38})
                              .constant<std::int32_t>({3}, bias)
                              .result<std::int8_t>({1, 3, 4, 3}, {30.0F, 2})
                              .run<std::int8_t>();
    EXPECT_THAT(moved(legacy), ElementsAreArray(expected));
  }
}

TEST(ReferenceLegacy, PoolsRoundHalfUp) {
  const graph::PoolOptions options{.stride_w = 2, .filter_h = 1, .filter_w = 2};
  EXPECT_THAT(ReferenceOperator(OperatorKind::kAveragePool2d, options)
                  .input<std::uint8_t>({1, 1, 4, 1}, {1, 2, 255, 254}, {1.0F, 9})
                  .result<std::uint8_t>({1, 1, 2, 1}, {1.0F, 9})
                  .run<std::uint8_t>(),
              ElementsAre(2, 255));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kMaxPool2d, options)
                  .input<std::uint8_t>({1, 1, 4, 1}, {1, 2, 255, 254}, {1.0F, 9})
                  .result<std::uint8_t>({1, 1, 2, 1}, {1.0F, 9})
                  .run<std::uint8_t>(),
              ElementsAre(2, 255));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kAveragePool2d, options)
                  .input<std::int16_t>({1, 1, 4, 1}, {-1, -2, 32'767, 32'766}, {1.0F, 0})
                  .result<std::int16_t>({1, 1, 2, 1}, {1.0F, 0})
                  .run<std::int16_t>(),
              ElementsAre(-2, 32'767));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kAveragePool2d, options).input<float>({1, 1, 4, 1}, {1, 2, 4, 8}).result<float>({1, 1, 2, 1}).run<float>(),
              ElementsAre(1.5F, 6.0F));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kMaxPool2d, options).input<float>({1, 1, 4, 1}, {-1, -2, 4, 8}).result<float>({1, 1, 2, 1}).run<float>(),
              ElementsAre(-1.0F, 8.0F));
}

/// 1,000 products of 32,767 * 127 do not fit 32 bits. A factor of 2^-20 is exact in 16 bits; halves round up.
TEST(ReferenceWide, AccumulatesIn64Bits) {
  constexpr std::int32_t kDepth = 1'000;
  const std::int64_t sum = std::int64_t{32'767} * 127 * kDepth;
  for (bool wide_bias : {true, false}) {
    ReferenceOperator op(OperatorKind::kFullyConnected);
    op.input<std::int16_t>({1, kDepth}, std::vector<std::int16_t>(kDepth, 32'767), {1.0F, 0})
        .constant<std::int8_t>({1, kDepth}, std::vector<std::int8_t>(kDepth, 127), {1.0F, 0});
    if (wide_bias)
      op.constant<std::int64_t>({1}, {std::int64_t{1} << 33});
    else
      op.constant<std::int32_t>({1}, {1 << 30});
    const std::int64_t total = sum + (wide_bias ? std::int64_t{1} << 33 : 1 << 30);
    EXPECT_THAT(op.result<std::int16_t>({1, 1}, {1048576.0F, 0}).run<std::int16_t>(), ElementsAre((total + (1 << 19)) >> 20));
  }
}

TEST(ReferenceWide, ConvolvesPerChannelAndRoundsHalfUp) {
  // -1.5 and 1.5 round up to -1 and 2.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kConv2d, graph::ConvOptions{})
                  .input<std::int16_t>({1, 1, 2, 1}, {-3, 3}, {0.5F, 0})
                  .constant<std::int8_t>({1, 1, 1, 1}, {1}, {1.0F, 0})
                  .absent()
                  .result<std::int16_t>({1, 1, 2, 1}, {1.0F, 0})
                  .run<std::int16_t>(),
              ElementsAre(-1, 2));
  EXPECT_EQ(reference::apply_wide(-(std::int64_t{1} << 40), reference::rescale_by(0x1p-30)), -1024);
  EXPECT_EQ(reference::apply_wide(1'000'000, reference::rescale_by(1.0 - 0x1p-17)), 999'969);  // the multiplier of 16 bits is at most 0x7FFF
}

TEST(ReferenceReal, ConvolvesInTheOrderOfTheDefinition) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  const auto values = [&](std::size_t count) {
    std::vector<float> result(count);
    for (float& value : result) value = normal(random);
    return result;
  };
  const auto input = values(4 * 5 * 6);
  const auto weights = values(4 * 3 * 2 * 3);
  const auto bias = values(4);
  // Two groups of three channels, SAME: a row before and after, a column after.
  std::vector<float> expected;
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 5; ++x) {
      for (int c = 0; c < 4; ++c) {
        float sum = 0.0F;
        for (int ky = 0; ky < 3; ++ky) {
          for (int kx = 0; kx < 2; ++kx) {
            if (y + ky < 1 || y + ky > 4 || x + kx > 4) continue;
            for (int d = 0; d < 3; ++d) {
              // A volatile product cannot be fused with the addition.
              const volatile float product = input[static_cast<std::size_t>(((y + ky - 1) * 5 + x + kx) * 6 + c / 2 * 3 + d)] *
                                             weights[static_cast<std::size_t>(((c * 3 + ky) * 2 + kx) * 3 + d)];
              sum += product;
            }
          }
        }
        expected.push_back(std::max(sum + bias[static_cast<std::size_t>(c)], 0.0F));
      }
    }
  }
  const graph::ConvOptions options{.padding = graph::Padding::kSame, .activation = graph::Activation::kRelu};
  EXPECT_THAT(ReferenceOperator(OperatorKind::kConv2d, options)
                  .input<float>({1, 4, 5, 6}, input)
                  .constant<float>({4, 3, 2, 3}, weights)
                  .constant<float>({4}, bias)
                  .result<float>({1, 4, 5, 4})
                  .run<float>(),
              ElementsAreArray(expected));
}

TEST(ReferenceReal, MultipliesDepthwiseAndFully) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kDepthwiseConv2d, graph::ConvOptions{.depth_multiplier = 2})
                  .input<float>({1, 1, 2, 2}, {1, 2, 3, 4})
                  .constant<float>({1, 1, 2, 4}, {1, 2, 3, 4, 10, 20, 1, 2})
                  .absent()
                  .result<float>({1, 1, 1, 4})
                  .run<float>(),
              ElementsAre(31, 62, 10, 16));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kFullyConnected)
                  .input<float>({2, 2}, {1, 2, 3, 4})
                  .constant<float>({3, 2}, {1, 0, 0, 1, 1, 1})
                  .constant<float>({3}, {0.5F, 0, 0})
                  .result<float>({2, 3})
                  .run<float>(),
              ElementsAre(1.5F, 2, 3, 3.5F, 4, 7));
}

TEST(ReferenceMatmul, TakesAComputedRightSideWithAZeroPoint) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kFullyConnected)
                  .input<std::int8_t>({1, 2}, {3, 4}, {1.0F, 1})
                  .input<std::int8_t>({2, 2}, {5, 6, 7, 8}, {1.0F, 5})
                  .absent()
                  .result<std::int8_t>({1, 2}, {1.0F, -1})
                  .run<std::int8_t>(),
              ElementsAre(3 - 1, 13 - 1));
}

TEST(ReferenceMatmul, SwapsDimensionsAndBroadcasts) {
  // [2][1][2] times [2][2], with both orders of the right side.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kBatchMatmul, graph::BatchMatmulOptions{})
                  .input<float>({2, 1, 2}, {1, 2, 3, 4})
                  .input<float>({2, 2}, {1, 2, 3, 4})
                  .result<float>({2, 1, 2})
                  .run<float>(),
              ElementsAre(7, 10, 15, 22));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kBatchMatmul, graph::BatchMatmulOptions{.adj_y = true})
                  .input<std::int8_t>({2, 1, 2}, {1, 2, 3, 4}, {1.0F, 0})
                  .input<std::int8_t>({2, 2}, {1, 3, 2, 4}, {1.0F, 0})
                  .result<std::int8_t>({2, 1, 2}, {1.0F, 5})
                  .run<std::int8_t>(),
              ElementsAre(12, 15, 20, 27));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kBatchMatmul, graph::BatchMatmulOptions{.adj_x = true})
                  .input<std::int8_t>({2, 3}, {1, 2, 3, 4, 5, 6}, {1.0F, 1})
                  .input<std::int8_t>({2, 1}, {12, 11}, {1.0F, 10})
                  .result<std::int8_t>({3, 1}, {1.0F, 0})
                  .run<std::int8_t>(),
              ElementsAre(0 + 3, 2 + 4, 4 + 5));
  // 16 bits on both sides: 2 * 32,767 * 32,767 over 2^17.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kBatchMatmul)
                  .input<std::int16_t>({1, 2}, {32'767, 32'767}, {1.0F, 0})
                  .input<std::int16_t>({2, 1}, {32'767, 32'767}, {1.0F, 0})
                  .result<std::int16_t>({1, 1}, {131072.0F, 0})
                  .run<std::int16_t>(),
              ElementsAre(16'383));
}

TEST(ReferenceTransposeConv, SpreadsEachPixel) {
  // Stride 2, filter 1 2 3: SAME makes the output 4 wide and cuts nothing before; VALID makes it 5.
  const auto run = [](auto code, graph::Padding padding, std::int32_t width, Codes out) {
    using Code = decltype(code);
    ReferenceOperator op(OperatorKind::kTransposeConv, graph::TransposeConvOptions{padding, 1, 2, graph::Activation::kNone});
    op.constant<std::int32_t>({4}, {1, 1, width, 1});
    if constexpr (std::is_same_v<Code, float>)
      op.constant<float>({1, 1, 3, 1}, {1, 2, 3}).input<float>({1, 1, 2, 1}, {10, 20}).constant<float>({1}, {0.5F});
    else if constexpr (std::is_same_v<Code, std::uint8_t>)
      op.constant<std::uint8_t>({1, 1, 3, 1}, {101, 102, 103}, {1.0F, 100}).input<std::uint8_t>({1, 1, 2, 1}, {15, 25}, {1.0F, 5}).absent();
    else
      op.constant<std::int8_t>({1, 1, 3, 1}, {1, 2, 3}, {1.0F, 0}).template input<Code>({1, 1, 2, 1}, {10, 20}, {1.0F, 0}).absent();
    return op.template result<Code>({1, 1, width, 1}, out).template run<Code>();
  };
  EXPECT_THAT(run(std::int8_t{}, graph::Padding::kValid, 5, {1.0F, 1}), ElementsAre(11, 21, 51, 41, 61));
  EXPECT_THAT(run(std::int8_t{}, graph::Padding::kSame, 4, {1.0F, 1}), ElementsAre(11, 21, 51, 41));
  EXPECT_THAT(run(std::int16_t{}, graph::Padding::kValid, 5, {1.0F, 0}), ElementsAre(10, 20, 50, 40, 60));
  EXPECT_THAT(run(std::uint8_t{}, graph::Padding::kValid, 5, {1.0F, 1}), ElementsAre(11, 21, 51, 41, 61));
  EXPECT_THAT(run(float{}, graph::Padding::kValid, 5, {}), ElementsAre(10.5F, 20.5F, 50.5F, 40.5F, 60.5F));
}

}  // namespace
}  // namespace naru::sdk
