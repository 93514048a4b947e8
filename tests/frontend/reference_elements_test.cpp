// Goal: elementwise operators and reductions are right for every type, with broadcasting, at their limits, and where they are not defined.
// Method: values worked out by hand with scales that are powers of two, and a double-precision formula within one code.
#include <algorithm>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference_operator.h"

namespace naru::sdk {
namespace {

using graph::Activation;
using graph::ElementwiseOptions;
using graph::OperatorKind;
using testing::ElementsAre;

template <typename T, typename Out = T>
std::vector<Out> both(OperatorKind kind, std::vector<T> a, std::vector<T> b, Codes codes = {}, graph::Options options = {}) {
  const auto count = static_cast<std::int32_t>(std::max(a.size(), b.size()));
  const auto shape = [](const std::vector<T>& values) { return graph::Shape{static_cast<std::int32_t>(values.size())}; };
  ReferenceOperator op(kind, std::move(options));
  return op.input<T>(shape(a), a, codes)
      .template input<T>(shape(b), b, codes)
      .template result<Out>({count}, std::is_same_v<Out, Bit> ? Codes{} : codes)
      .template run<Out>();
}

TEST(ReferenceNumbers, AddSubtractMultiplyAndDivide) {
  EXPECT_THAT(both<float>(OperatorKind::kAdd, {1.5F, -9.0F}, {2.0F}, {}, ElementwiseOptions{Activation::kRelu}), ElementsAre(3.5F, 0.0F));
  EXPECT_THAT(both<float>(OperatorKind::kSub, {1.5F, 9.0F}, {2.0F}, {}, ElementwiseOptions{Activation::kRelu6}), ElementsAre(0.0F, 6.0F));
  EXPECT_THAT(both<float>(OperatorKind::kDiv, {1.0F, -3.0F}, {2.0F}), ElementsAre(0.5F, -1.5F));
  EXPECT_THAT(both<std::int32_t>(OperatorKind::kMul, {3, -4}, {5}, {}, ElementwiseOptions{Activation::kReluN1To1}), ElementsAre(1, -1));
  EXPECT_THAT(both<std::int32_t>(OperatorKind::kAdd, {std::numeric_limits<std::int32_t>::max()}, {1}), ElementsAre(std::numeric_limits<std::int32_t>::min()));
  EXPECT_THAT(both<std::int64_t>(OperatorKind::kSub, {5'000'000'000}, {1}), ElementsAre(4'999'999'999));
  EXPECT_THAT(both<std::int32_t>(OperatorKind::kDiv, {-7, std::numeric_limits<std::int32_t>::min()}, {2, -1}),
              ElementsAre(-3, std::numeric_limits<std::int32_t>::min()));
}

TEST(ReferenceNumbers, RoundQuotientsDownAndRefuseZero) {
  EXPECT_THAT(both<std::int32_t>(OperatorKind::kFloorDiv, {7, -7, 7, -7}, {2, 2, -2, -2}), ElementsAre(3, -4, -4, 3));
  EXPECT_THAT(both<std::int32_t>(OperatorKind::kFloorMod, {7, -7, 7, -7}, {3, 3, -3, -3}), ElementsAre(1, 2, -2, -1));
  EXPECT_THAT(both<float>(OperatorKind::kFloorDiv, {7.0F, -7.0F}, {2.0F}), ElementsAre(3.0F, -4.0F));
  EXPECT_THAT(both<float>(OperatorKind::kFloorMod, {-7.5F}, {2.0F}), ElementsAre(0.5F));
  for (OperatorKind kind : {OperatorKind::kDiv, OperatorKind::kFloorDiv, OperatorKind::kFloorMod}) {
    const auto refused = ReferenceOperator(kind).input<std::int32_t>({1}, {1}).input<std::int32_t>({1}, {0}).result<std::int32_t>({1}).try_run();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().id(), ErrorId::kInvalidArgument);
  }
}

TEST(ReferenceNumbers, RaiseToPowersAndTakeExtremes) {
  EXPECT_THAT(both<float>(OperatorKind::kPow, {4.0F, 2.0F}, {0.5F, -1.0F}), ElementsAre(2.0F, 0.5F));
  EXPECT_THAT(both<std::int32_t>(OperatorKind::kPow, {-3, 10}, {3, 20}), ElementsAre(-27, std::numeric_limits<std::int32_t>::max()));
  EXPECT_FALSE(ReferenceOperator(OperatorKind::kPow).input<std::int32_t>({1}, {2}).input<std::int32_t>({1}, {-1}).result<std::int32_t>({1}).try_run());
  EXPECT_THAT(both<std::int8_t>(OperatorKind::kMinimum, {-5, 5}, {0}, {0.5F, 3}), ElementsAre(-5, 0));
  EXPECT_THAT(both<std::uint8_t>(OperatorKind::kMaximum, {5, 250}, {100}, {0.5F, 3}), ElementsAre(100, 250));
}

/// Scales are powers of two and results exact, so that nothing depends on the way of rounding.
TEST(ReferenceCodes, AddSubtractAndMultiplyInEveryType) {
  const auto run = [](OperatorKind kind, auto zero, auto a, auto b, Codes out) {
    using Code = decltype(zero);
    ReferenceOperator op(kind);
    return op.input<Code>({1}, {static_cast<Code>(a)}, {0.5F, zero})
        .template input<Code>({1}, {static_cast<Code>(b)}, {0.25F, zero})
        .template result<Code>({1}, out)
        .template run<Code>()
        .front();
  };
  EXPECT_EQ(run(OperatorKind::kAdd, std::uint8_t{100}, 110, 104, {1.0F, 7}), 5 + 1 + 7);
  EXPECT_EQ(run(OperatorKind::kSub, std::uint8_t{100}, 110, 104, {1.0F, 7}), 5 - 1 + 7);
  EXPECT_EQ(run(OperatorKind::kMul, std::uint8_t{100}, 110, 104, {1.0F, 7}), 5 * 1 + 7);
  EXPECT_EQ(run(OperatorKind::kSub, std::int8_t{-100}, -90, -96, {1.0F, 7}), 5 - 1 + 7);
  EXPECT_EQ(run(OperatorKind::kAdd, std::int16_t{0}, 20'000, -4'000, {1.0F, 0}), 9'000);
  EXPECT_EQ(run(OperatorKind::kSub, std::int16_t{0}, 20'000, -4'000, {0.25F, 0}), 32'767);
  EXPECT_EQ(run(OperatorKind::kMul, std::int16_t{0}, 200, -400, {1.0F, 0}), -10'000);
  EXPECT_EQ(run(OperatorKind::kSquaredDifference, std::int8_t{0}, 10, 4, {1.0F, -3}), (5 - 1) * (5 - 1) - 3);
  EXPECT_EQ(run(OperatorKind::kSquaredDifference, std::int16_t{0}, 100, 40, {1.0F, 0}), 40 * 40);
  EXPECT_EQ(run(OperatorKind::kDiv, std::int8_t{0}, 100, 10, {1.0F, 3}), 50 / 2.5 + 3);
  EXPECT_EQ(run(OperatorKind::kDiv, std::uint8_t{100}, 0, 110, {1.0F, 120}), -50 / 2.5 + 120);
  // By a real 0: the limit on the dividend's side, and 0 by 0 is 0.
  EXPECT_EQ(run(OperatorKind::kDiv, std::int8_t{5}, 6, 5, {1.0F, 3}), 127);
  EXPECT_EQ(run(OperatorKind::kDiv, std::int8_t{5}, 4, 5, {1.0F, 3}), -128);
  EXPECT_EQ(run(OperatorKind::kDiv, std::int8_t{5}, 5, 5, {1.0F, 3}), 3);
}

TEST(ReferenceCodes, CompareTheRealValues) {
  const auto run = [](OperatorKind kind) {
    return ReferenceOperator(kind)
        .input<std::int8_t>({3}, {2, 4, 6}, {0.5F, 0})
        .input<std::int8_t>({1}, {18}, {0.25F, 10})
        .result<Bit>({3})
        .run<std::uint8_t>();
  };
  EXPECT_THAT(run(OperatorKind::kEqual), ElementsAre(0, 1, 0));
  EXPECT_THAT(run(OperatorKind::kNotEqual), ElementsAre(1, 0, 1));
  EXPECT_THAT(run(OperatorKind::kLess), ElementsAre(1, 0, 0));
  EXPECT_THAT(run(OperatorKind::kLessEqual), ElementsAre(1, 1, 0));
  EXPECT_THAT(run(OperatorKind::kGreater), ElementsAre(0, 0, 1));
  EXPECT_THAT(run(OperatorKind::kGreaterEqual), ElementsAre(0, 1, 1));
}

TEST(ReferenceLogic, ComparesCombinesAndSelects) {
  const auto bits = [](std::vector<std::uint8_t> bytes) {
    std::vector<Bit> result;
    for (std::uint8_t byte : bytes) result.push_back(static_cast<Bit>(byte));
    return result;
  };
  EXPECT_THAT((both<std::int64_t, Bit>(OperatorKind::kGreater, {1, 2, 3}, {2})), ElementsAre(Bit::kFalse, Bit::kFalse, Bit::kTrue));
  EXPECT_THAT((both<float, Bit>(OperatorKind::kEqual, {std::nanf("")}, {std::nanf("")})), ElementsAre(Bit::kFalse));
  // Any byte but 0 is true.
  EXPECT_THAT((both<Bit, Bit>(OperatorKind::kLogicalAnd, bits({0, 2, 255}), bits({1}))), ElementsAre(Bit::kFalse, Bit::kTrue, Bit::kTrue));
  EXPECT_THAT((both<Bit, Bit>(OperatorKind::kLogicalOr, bits({0, 2}), bits({0}))), ElementsAre(Bit::kFalse, Bit::kTrue));
  EXPECT_THAT((both<Bit, Bit>(OperatorKind::kEqual, bits({2}), bits({1}))), ElementsAre(Bit::kTrue));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kLogicalNot).input<Bit>({2}, bits({0, 9})).result<Bit>({2}).run<Bit>(), ElementsAre(Bit::kTrue, Bit::kFalse));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kSelect)
                  .input<Bit>({2, 1}, bits({1, 0}))
                  .input<float>({2, 2}, {1, 2, 3, 4})
                  .input<float>({2}, {5, 6})
                  .result<float>({2, 2})
                  .run<float>(),
              ElementsAre(1, 2, 5, 6));
  // The older form chooses whole rows.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kSelect)
                  .input<Bit>({2}, bits({0, 1}))
                  .input<std::int16_t>({2, 3}, {1, 2, 3, 4, 5, 6})
                  .input<std::int16_t>({2, 3}, {7, 8, 9, 10, 11, 12})
                  .result<std::int16_t>({2, 3})
                  .run<std::int16_t>(),
              ElementsAre(7, 8, 9, 4, 5, 6));
}

TEST(ReferenceReduce, SumsAveragesAndFindsExtremes) {
  const graph::ReduceOptions rows{{1}, false};
  const auto run = [&](OperatorKind kind, auto value, Codes in, Codes out, std::vector<int> values) {
    using Value = decltype(value);
    ReferenceOperator op(kind, rows);
    return op.input<Value>({2, 3}, std::vector<Value>(values.begin(), values.end()), in).template result<Value>({2}, out).template run<Value>();
  };
  EXPECT_THAT(run(OperatorKind::kMean, std::uint8_t{}, {0.5F, 100}, {0.25F, 10}, {103, 106, 109, 100, 100, 100}), ElementsAre(22, 10));
  EXPECT_THAT(run(OperatorKind::kMean, std::int16_t{}, {1.0F, 0}, {1.0F, 0}, {30'000, 30'003, 30'000, -1, -1, -1}), ElementsAre(30'001, -1));
  EXPECT_THAT(run(OperatorKind::kSum, std::int8_t{}, {0.5F, 10}, {1.0F, -5}, {12, 14, 16, 10, 10, 10}), ElementsAre(1, -5));
  EXPECT_THAT(run(OperatorKind::kMean, float{}, {}, {}, {1, 2, 6, -3, -3, -3}), ElementsAre(3.0F, -3.0F));
  EXPECT_THAT(run(OperatorKind::kSum, std::int32_t{}, {}, {}, {1, 2, 6, -3, -3, -3}), ElementsAre(9, -9));
  EXPECT_THAT(run(OperatorKind::kReduceMax, std::int8_t{}, {0.5F, 10}, {0.5F, 10}, {-128, -3, -9, -128, -128, -128}), ElementsAre(-3, -128));
  EXPECT_THAT(run(OperatorKind::kReduceMin, float{}, {}, {}, {4, 2, 6, -3, 3, 3}), ElementsAre(2.0F, -3.0F));
}

TEST(ReferenceReduce, FindsTheFirstOfEqualExtremes) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kArgMax, graph::AxisOptions{1})
                  .input<std::int8_t>({2, 3}, {1, 7, 7, -1, -1, -1})
                  .result<std::int32_t>({2})
                  .run<std::int32_t>(),
              ElementsAre(1, 0));
  EXPECT_THAT(
      ReferenceOperator(OperatorKind::kArgMin, graph::AxisOptions{0}).input<float>({3, 2}, {5, 1, 4, 1, 4, 0}).result<std::int64_t>({2}).run<std::int64_t>(),
      ElementsAre(1, 2));
}

TEST(ReferenceConvert, QuantizesBetweenAllCodes) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kQuantize)
                  .input<float>({4}, {0.25F, -0.75F, 1.0e9F, std::nanf("")})
                  .result<std::int16_t>({4}, {0.5F, 0})
                  .run<std::int16_t>(),
              ElementsAre(1, -2, 32'767, 0));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kQuantize)
                  .input<std::int16_t>({3}, {1'000, -1'000, 32'767}, {0.5F, 0})
                  .result<std::int32_t>({3}, {0.25F, 0})
                  .run<std::int32_t>(),
              ElementsAre(2'000, -2'000, 65'534));
  EXPECT_THAT(
      ReferenceOperator(OperatorKind::kQuantize).input<std::int32_t>({2}, {100'000, -100}, {0.5F, 0}).result<std::int8_t>({2}, {2.0F, 5}).run<std::int8_t>(),
      ElementsAre(127, -20));
  EXPECT_THAT(
      ReferenceOperator(OperatorKind::kQuantize).input<std::int8_t>({2}, {-128, 127}, {0.5F, -128}).result<std::int16_t>({2}, {0.25F, 0}).run<std::int16_t>(),
      ElementsAre(0, 510));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kDequantize).input<std::int16_t>({2}, {-3, 5}, {0.25F, 1}).result<float>({2}).run<float>(),
              ElementsAre(-1.0F, 1.0F));
}

TEST(ReferenceConvert, CastsAndSaturatesWhatCDoesNotDefine) {
  EXPECT_THAT(
      ReferenceOperator(OperatorKind::kCast).input<float>({5}, {1.9F, -1.9F, 1.0e20F, -1.0e20F, std::nanf("")}).result<std::int32_t>({5}).run<std::int32_t>(),
      ElementsAre(1, -1, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min(), 0));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kCast).input<float>({1}, {1.0e19F}).result<std::int64_t>({1}).run<std::int64_t>(),
              ElementsAre(std::numeric_limits<std::int64_t>::max()));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kCast).input<std::int32_t>({2}, {300, -1}).result<std::uint8_t>({2}).run<std::uint8_t>(), ElementsAre(44, 255));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kCast).input<std::uint8_t>({1}, {200}).result<float>({1}).run<float>(), ElementsAre(200.0F));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kCast).input<float>({2}, {0.0F, 0.5F}).result<Bit>({2}).run<Bit>(), ElementsAre(Bit::kFalse, Bit::kTrue));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kCast).input<Bit>({2}, {Bit::kFalse, Bit::kTrue}).result<std::int64_t>({2}).run<std::int64_t>(),
              ElementsAre(0, 1));
}

TEST(ReferenceRefusal, NamesTheOperatorAndTheType) {
  const auto refused = ReferenceOperator(OperatorKind::kAdd).input<Bit>({1}, {Bit::kTrue}).input<Bit>({1}, {Bit::kTrue}).result<Bit>({1}).try_run();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id(), ErrorId::kModelTypeUnsupported);
  EXPECT_THAT(refused.error().to_string(), testing::HasSubstr("ADD"));
}

}  // namespace
}  // namespace naru::sdk
