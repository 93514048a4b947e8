// Goal: conversions, elementwise operators and reductions on the host give TFLite's values, and refuse data without one. Method: values worked out by hand.
#include <cmath>
#include <limits>

#include "host_run.h"

namespace naru::sdk {
namespace {

using abi::ElementType;
using graph::Activation;
using graph::OperatorKind;
using testing::ElementsAre;
using testing::FloatEq;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();

template <typename T>
std::vector<T> binary(OperatorKind kind, std::vector<T> a, std::vector<T> b, graph::Options options = {}) {
  const auto n = static_cast<std::int32_t>(std::max(a.size(), b.size()));
  const graph::Shape shape_a = {static_cast<std::int32_t>(a.size())};
  const graph::Shape shape_b = {static_cast<std::int32_t>(b.size())};
  return HostRun(kind, std::move(options)).in<T>(shape_a, std::move(a)).template in<T>(shape_b, std::move(b)).template out<T>({n}).template run<T>();
}

template <typename T>
std::vector<T> unary(OperatorKind kind, std::vector<T> values, graph::Options options = {}) {
  const graph::Shape shape = {static_cast<std::int32_t>(values.size())};
  return HostRun(kind, std::move(options)).in<T>(shape, std::move(values)).template out<T>(shape).template run<T>();
}

TEST(HostConversion, QuantizesToEveryType) {
  const std::vector<float> values = {-100.0F, -0.25F, 0.25F, 0.26F, 100.0F, 1.0e20F};
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<float>({6}, values).out<std::int8_t>({6}, 0.5F, 10).run<std::int8_t>(), ElementsAre(-128, 9, 11, 11, 127, 127));
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<float>({6}, values).out<std::uint8_t>({6}, 0.5F, 10).run<std::uint8_t>(), ElementsAre(0, 9, 11, 11, 210, 255));
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<float>({6}, values).out<std::int16_t>({6}, 0.5F, 0).run<std::int16_t>(), ElementsAre(-200, -1, 1, 1, 200, 32767));
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<float>({6}, values).out<std::int32_t>({6}, 0.5F, 0).run<std::int32_t>(), ElementsAre(-200, -1, 1, 1, 200, kMax));
}

TEST(HostConversion, RescalesBetweenAllTypesOfCodes) {
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<std::int16_t>({3}, {-300, 3, 30000}, 0.5F, 0).out<std::int8_t>({3}, 1.0F, 1).run<std::int8_t>(), ElementsAre(-128, 3, 127));
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<std::int8_t>({2}, {-128, 127}, 1.0F, -128).out<std::int32_t>({2}, 0.5F, 0).run<std::int32_t>(), ElementsAre(0, 510));
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<std::int32_t>({2}, {1000, -1000}, 0.01F, 0).out<std::int16_t>({2}, 0.1F, 0).run<std::int16_t>(), ElementsAre(100, -100));
  EXPECT_THAT(HostRun(OperatorKind::kQuantize).in<std::uint8_t>({2}, {0, 255}, 1.0F, 128).out<std::int8_t>({2}, 1.0F, 0).run<std::int8_t>(), ElementsAre(-128, 127));
}

TEST(HostConversion, DequantizesEveryTypeByTheFirstScale) {
  EXPECT_THAT(HostRun(OperatorKind::kDequantize).in<std::int32_t>({2}, {kMin, 3}, 0.5F, 0).out<float>({2}).run<float>(), ElementsAre(-1073741824.0F, 1.5F));
  EXPECT_THAT(HostRun(OperatorKind::kDequantize).in<std::int16_t>({1}, {-7}, 0.5F, 0).out<float>({1}).run<float>(), ElementsAre(-3.5F));
  HostRun channels(OperatorKind::kDequantize);
  channels.in<std::int8_t>({2, 2}, {1, 1, 2, 2}, 1.0F, 0).out<float>({2, 2});
  channels.tensors[0].quantization = graph::Quantization{{0.5F, 2.0F}, {0, 1}, 1};
  EXPECT_THAT(channels.run<float>(), ElementsAre(0.5F, 0.5F, 1.0F, 1.0F)) << "as TFLite Micro";
  channels.tensors[0].quantization = graph::Quantization{{}, {}, 0};
  EXPECT_EQ(channels.refused(), ErrorId::kInvalidArgument);
}

TEST(HostConversion, CastsSaturateAndTruncate) {
  EXPECT_THAT(HostRun(OperatorKind::kCast).in<float>({5}, {1.9F, -1.9F, 1.0e20F, -kInfinity, std::nanf("")}).out<std::int32_t>({5}).run<std::int32_t>(), ElementsAre(1, -1, kMax, kMin, 0));
  EXPECT_THAT(HostRun(OperatorKind::kCast).in<float>({3}, {254.9F, 300.0F, -1.0F}).out<std::uint8_t>({3}).run<std::uint8_t>(), ElementsAre(254, 255, 0));
  EXPECT_THAT(HostRun(OperatorKind::kCast).in<std::int32_t>({2}, {300, -1}).out<std::int8_t>({2}).run<std::int8_t>(), ElementsAre(44, -1));
  EXPECT_THAT(HostRun(OperatorKind::kCast).in<std::int64_t>({1}, {std::int64_t{1} << 40}).out<float>({1}).run<float>(), ElementsAre(1099511627776.0F));
  EXPECT_THAT(HostRun(OperatorKind::kCast).in<float>({3}, {0.0F, 0.5F, -2.0F}).truth_out({3}).run<std::uint8_t>(), ElementsAre(0, 1, 1));
  EXPECT_THAT(HostRun(OperatorKind::kCast).truth({2}, {0, 7}).out<std::int64_t>({2}).run<std::int64_t>(), ElementsAre(0, 1));
}

TEST(HostElementwise, BroadcastsAndBounds) {
  EXPECT_THAT(HostRun(OperatorKind::kAdd, graph::ElementwiseOptions{}).in<float>({2, 1, 2}, {1, 2, 3, 4}).in<float>({3, 1}, {10, 20, 30}).out<float>({2, 3, 2}).run<float>(),
              ElementsAre(11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34));
  EXPECT_THAT(binary<float>(OperatorKind::kSub, {1, 5, 9}, {1.5F}, graph::ElementwiseOptions{Activation::kRelu6}), ElementsAre(0, 3.5F, 6));
  EXPECT_THAT(binary<float>(OperatorKind::kMul, {1.0e30F, -1.0e30F}, {1.0e30F}, graph::ElementwiseOptions{}),
              ElementsAre(std::numeric_limits<float>::max(), std::numeric_limits<float>::lowest())) << "TFLite bounds by the finite numbers";
  EXPECT_EQ(HostRun(OperatorKind::kAdd, graph::ElementwiseOptions{}).in<float>({2}, {1, 2}).in<float>({3}, {1, 2, 3}).out<float>({3}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kAdd, graph::ElementwiseOptions{}).in<float>({1}, {1}).in<float>({1}, {1}).out<float>({2, 2}).run<float>().size(), 4U);
}

TEST(HostElementwise, WholeNumbersWrapAndDivideTowardsZero) {
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kAdd, {kMax, 1}, {1, 1}, graph::ElementwiseOptions{}), ElementsAre(kMin, 2));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kSub, {kMin, 1}, {1, 1}, graph::ElementwiseOptions{}), ElementsAre(kMax, 0));
  EXPECT_THAT(binary<std::int64_t>(OperatorKind::kMul, {std::int64_t{1} << 40, -3}, {2, 5}, graph::ElementwiseOptions{}), ElementsAre(std::int64_t{1} << 41, -15));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kDiv, {7, -7, kMin}, {2, 2, -1}, graph::ElementwiseOptions{}), ElementsAre(3, -3, kMin));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kFloorDiv, {7, -7, 7, -7, kMin}, {2, 2, -2, -2, -1}), ElementsAre(3, -4, -4, 3, kMin));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kFloorMod, {7, -7, 7, -7, kMin}, {3, 3, -3, -3, -1}), ElementsAre(1, 2, -2, -1, 0));
  EXPECT_THAT(binary<float>(OperatorKind::kFloorDiv, {7, -7}, {2, 2}), ElementsAre(3, -4));
  EXPECT_THAT(binary<float>(OperatorKind::kFloorMod, {7, -7}, {3, 3}), ElementsAre(1, 2));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kPow, {3, -2, 7, 10}, {4, 3, 0, 20}), ElementsAre(81, -8, 1, kMax));
  EXPECT_THAT(binary<float>(OperatorKind::kPow, {4, 2}, {0.5F, -1}), ElementsAre(2, 0.5F));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kMinimum, {1, -5}, {0, 0}), ElementsAre(0, -5));
  EXPECT_THAT(binary<std::int64_t>(OperatorKind::kMaximum, {1, -5}, {0, 0}), ElementsAre(1, 0));
  EXPECT_THAT(binary<std::int32_t>(OperatorKind::kSquaredDifference, {1, -5}, {3, 0}), ElementsAre(4, 25));
}

TEST(HostElementwise, RefusesDivisionByZeroAndNegativeExponents) {
  for (OperatorKind kind : {OperatorKind::kDiv, OperatorKind::kFloorDiv, OperatorKind::kFloorMod}) {
    graph::Options options;
    if (kind == OperatorKind::kDiv) options = graph::ElementwiseOptions{};
    EXPECT_EQ(HostRun(kind, options).in<std::int32_t>({2}, {1, 2}).in<std::int32_t>({2}, {1, 0}).out<std::int32_t>({2}).refused_for_its_data(), ErrorId::kInputValue);
  }
  EXPECT_EQ(HostRun(OperatorKind::kPow).in<std::int32_t>({1}, {2}).in<std::int32_t>({1}, {-1}).out<std::int32_t>({1}).refused_for_its_data(), ErrorId::kInputValue);
  EXPECT_THAT(binary<float>(OperatorKind::kDiv, {1}, {0}, graph::ElementwiseOptions{}), ElementsAre(std::numeric_limits<float>::max()));
}

TEST(HostElementwise, ComparesAndSelects) {
  const auto compare = [](OperatorKind kind) { return HostRun(kind).in<std::int32_t>({3}, {1, 2, 3}).in<std::int32_t>({}, {2}).truth_out({3}).run<std::uint8_t>(); };
  EXPECT_THAT(compare(OperatorKind::kEqual), ElementsAre(0, 1, 0));
  EXPECT_THAT(compare(OperatorKind::kNotEqual), ElementsAre(1, 0, 1));
  EXPECT_THAT(compare(OperatorKind::kLess), ElementsAre(1, 0, 0));
  EXPECT_THAT(compare(OperatorKind::kLessEqual), ElementsAre(1, 1, 0));
  EXPECT_THAT(compare(OperatorKind::kGreater), ElementsAre(0, 0, 1));
  EXPECT_THAT(compare(OperatorKind::kGreaterEqual), ElementsAre(0, 1, 1));
  // Codes of different scales are compared as reals: 4 * 0.5 against 2 * 1.
  EXPECT_THAT(HostRun(OperatorKind::kLess).in<std::int8_t>({3}, {3, 4, 5}, 0.5F, 0).in<std::int8_t>({1}, {12}, 0.999F, 10).truth_out({3}).run<std::uint8_t>(), ElementsAre(1, 0, 0));
  EXPECT_THAT(HostRun(OperatorKind::kLogicalAnd).truth({2}, {1, 2}).truth({2}, {0, 1}).truth_out({2}).run<std::uint8_t>(), ElementsAre(0, 1));
  EXPECT_THAT(HostRun(OperatorKind::kLogicalOr).truth({2}, {0, 2}).truth({1}, {0}).truth_out({2}).run<std::uint8_t>(), ElementsAre(0, 1));
  EXPECT_THAT(HostRun(OperatorKind::kLogicalNot).truth({2}, {0, 2}).truth_out({2}).run<std::uint8_t>(), ElementsAre(1, 0));
  EXPECT_THAT(HostRun(OperatorKind::kSelect).truth({2}, {1, 0}).in<std::int64_t>({2}, {1, 2}).in<std::int64_t>({}, {9}).out<std::int64_t>({2}).run<std::int64_t>(), ElementsAre(1, 9));
  EXPECT_THAT(HostRun(OperatorKind::kSelect).truth({2}, {1, 0}).in<float>({2, 3}, {1, 2, 3, 4, 5, 6}).in<float>({2, 3}, {7, 7, 7, 8, 8, 8}).out<float>({2, 3}).run<float>(), ElementsAre(1, 2, 3, 8, 8, 8));
}

TEST(HostElementwise, UnaryOperatorsOfReals) {
  EXPECT_THAT(unary<float>(OperatorKind::kRelu, {-1, 2}), ElementsAre(0, 2));
  EXPECT_THAT(unary<float>(OperatorKind::kRelu6, {-1, 9}), ElementsAre(0, 6));
  EXPECT_THAT(unary<float>(OperatorKind::kReluN1To1, {-3, 0.5F, 9}), ElementsAre(-1, 0.5F, 1));
  EXPECT_THAT(unary<float>(OperatorKind::kRelu0To1, {-3, 0.5F, 9}), ElementsAre(0, 0.5F, 1));
  EXPECT_THAT(unary<float>(OperatorKind::kLogistic, {0, 20, -10}), ElementsAre(0.5F, 1, FloatEq(std::exp(-10.0F))));
  EXPECT_THAT(unary<float>(OperatorKind::kTanh, {0, 1}), ElementsAre(0, FloatEq(0.7615942F)));
  EXPECT_THAT(unary<float>(OperatorKind::kHardSwish, {-3, 1, 4}), ElementsAre(0, FloatEq(4.0F / 6), 4));
  EXPECT_THAT(unary<float>(OperatorKind::kLeakyRelu, {-4, 4}, graph::LeakyReluOptions{0.25F}), ElementsAre(-1, 4));
  EXPECT_THAT(unary<float>(OperatorKind::kElu, {-1, 4}), ElementsAre(FloatEq(-0.63212055F), 4));
  EXPECT_THAT(unary<float>(OperatorKind::kGelu, {1}, graph::GeluOptions{false}), ElementsAre(FloatEq(0.8413447F)));
  EXPECT_THAT(unary<float>(OperatorKind::kGelu, {1}, graph::GeluOptions{true}), ElementsAre(FloatEq(0.841192F)));
  EXPECT_THAT(unary<float>(OperatorKind::kRound, {0.5F, 1.5F, -0.5F, -1.5F, 2.6F}), ElementsAre(0, 2, 0, -2, 3));
  EXPECT_THAT(unary<float>(OperatorKind::kSqrt, {9}), ElementsAre(3));
  EXPECT_THAT(unary<float>(OperatorKind::kRsqrt, {4, 0}), ElementsAre(0.5F, kInfinity));
  EXPECT_THAT(unary<float>(OperatorKind::kSquare, {-3}), ElementsAre(9));
  EXPECT_THAT(unary<float>(OperatorKind::kExp, {1}), ElementsAre(FloatEq(2.7182817F)));
  EXPECT_THAT(unary<float>(OperatorKind::kLog, {1}), ElementsAre(0));
  EXPECT_THAT(unary<float>(OperatorKind::kSin, {0}), ElementsAre(0));
  EXPECT_THAT(unary<float>(OperatorKind::kCos, {0}), ElementsAre(1));
  EXPECT_THAT(unary<float>(OperatorKind::kFloor, {-1.5F}), ElementsAre(-2));
  EXPECT_THAT(unary<float>(OperatorKind::kCeil, {-1.5F}), ElementsAre(-1));
  EXPECT_THAT(unary<float>(OperatorKind::kNeg, {2}), ElementsAre(-2));
  EXPECT_THAT(unary<std::int32_t>(OperatorKind::kAbs, {-2, kMin}), ElementsAre(2, kMin));
  EXPECT_THAT(unary<std::int64_t>(OperatorKind::kNeg, {-2}), ElementsAre(2));
  EXPECT_EQ(HostRun(OperatorKind::kSin).in<std::int32_t>({1}, {1}).out<std::int32_t>({1}).refused(), ErrorId::kCompileUnsupported);
  EXPECT_THAT(HostRun(OperatorKind::kPrelu).in<float>({2, 2}, {-2, -2, 3, 3}).in<float>({2}, {0.5F, 2}).out<float>({2, 2}).run<float>(), ElementsAre(-1, -4, 3, 3));
}

TEST(HostElementwise, UnaryOperatorsOfCodes) {
  // Signed and unsigned: the table begins at the lowest code.
  EXPECT_THAT(HostRun(OperatorKind::kAbs).in<std::int8_t>({3}, {-128, 0, 127}, 1.0F, 0).out<std::int8_t>({3}, 2.0F, 0).run<std::int8_t>(), ElementsAre(64, 0, 64));
  EXPECT_THAT(HostRun(OperatorKind::kAbs).in<std::uint8_t>({3}, {0, 128, 255}, 1.0F, 128).out<std::uint8_t>({3}, 2.0F, 0).run<std::uint8_t>(), ElementsAre(64, 0, 64));
  // 16 bits: 0, beyond the table on both sides, and 1.0: entry 24 of the table, half of 47911 rounded up.
  EXPECT_THAT(HostRun(OperatorKind::kLogistic).in<std::int16_t>({4}, {0, 32767, -32768, 4096}, 1.0F / 4096, 0).out<std::int16_t>({4}, 1.0F / 32768, 0).run<std::int16_t>(),
              ElementsAre(16384, 32757, 11, 23956));
  EXPECT_THAT(HostRun(OperatorKind::kTanh).in<std::int16_t>({3}, {0, 32767, 4096}, 1.0F / 4096, 0).out<std::int16_t>({3}, 1.0F / 32768, 0).run<std::int16_t>(), ElementsAre(0, 32767, 24956));
  EXPECT_THAT(HostRun(OperatorKind::kLeakyRelu, graph::LeakyReluOptions{0.5F}).in<std::int16_t>({2}, {-1000, 1000}, 1.0F, 0).out<std::int16_t>({2}, 2.0F, 0).run<std::int16_t>(), ElementsAre(-250, 500));
}

TEST(HostElementwise, DividesCodesByAReciprocal) {
  EXPECT_THAT(HostRun(OperatorKind::kDiv, graph::ElementwiseOptions{}).in<std::int8_t>({6}, {100, -100, 7, 0, 5, -5}, 0.5F, 0).in<std::int8_t>({6}, {10, 10, -2, 3, 0, 0}, 0.25F, 0).out<std::int8_t>({6}, 0.5F, 3).run<std::int8_t>(),
              ElementsAre(43, -37, -11, 3, 127, -128));
}

TEST(HostReduction, SumsAveragesAndPicks) {
  const graph::ReduceOptions rows{{1}, false};
  EXPECT_THAT(HostRun(OperatorKind::kMean, rows).in<float>({2, 2}, {1, 2, 3, 5}).out<float>({2}).run<float>(), ElementsAre(1.5F, 4));
  EXPECT_THAT(HostRun(OperatorKind::kSum, graph::ReduceOptions{{0}, true}).in<std::int32_t>({2, 2}, {1, 2, 3, 5}).out<std::int32_t>({1, 2}).run<std::int32_t>(), ElementsAre(4, 7));
  EXPECT_THAT(HostRun(OperatorKind::kMean, rows).in<std::int32_t>({1, 2}, {-3, 0}).out<std::int32_t>({1}).run<std::int32_t>(), ElementsAre(-1));
  EXPECT_THAT(HostRun(OperatorKind::kReduceMax, graph::ReduceOptions{{0, 1}, false}).in<std::int8_t>({2, 2}, {-3, -9, -2, -7}).out<std::int8_t>({}).run<std::int8_t>(), ElementsAre(-2));
  EXPECT_THAT(HostRun(OperatorKind::kReduceMin, rows).in<float>({1, 2}, {1, -1}).out<float>({1}).run<float>(), ElementsAre(-1));
  // (10 - 2 + 20 - 2) * 0.5 = 13 in steps of 0.25, and the mean.
  EXPECT_THAT(HostRun(OperatorKind::kSum, rows).in<std::int8_t>({1, 2}, {10, 20}, 0.5F, 2).out<std::int8_t>({1}, 0.25F, -1).run<std::int8_t>(), ElementsAre(51));
  EXPECT_THAT(HostRun(OperatorKind::kMean, rows).in<std::uint8_t>({1, 2}, {10, 20}, 0.5F, 2).out<std::uint8_t>({1}, 0.25F, 1).run<std::uint8_t>(), ElementsAre(27));
  EXPECT_THAT(HostRun(OperatorKind::kMean, rows).in<std::int16_t>({1, 2}, {1000, 2000}, 0.5F, 0).out<std::int16_t>({1}, 0.5F, 0).run<std::int16_t>(), ElementsAre(1500));
  for (const auto& axes : {graph::Shape{2}, graph::Shape{1, 1}, graph::Shape{1, 0}, graph::Shape{-1}})
    EXPECT_EQ(HostRun(OperatorKind::kSum, graph::ReduceOptions{axes, false}).in<float>({2, 2}, {1, 2, 3, 5}).out<float>({2}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostReduction, ArgMaxTakesTheFirstOfEquals) {
  EXPECT_THAT(HostRun(OperatorKind::kArgMax, graph::AxisOptions{1}).in<float>({2, 3}, {1, 3, 3, 9, 2, 1}).out<std::int32_t>({2}).run<std::int32_t>(), ElementsAre(1, 0));
  EXPECT_THAT(HostRun(OperatorKind::kArgMin, graph::AxisOptions{0}).in<std::int8_t>({2, 3}, {1, 3, 3, 0, 3, 4}).out<std::int64_t>({3}).run<std::int64_t>(), ElementsAre(1, 0, 0));
  EXPECT_EQ(HostRun(OperatorKind::kArgMax, graph::AxisOptions{2}).in<float>({2, 3}, {1, 3, 3, 9, 2, 1}).out<std::int32_t>({2}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kArgMax, graph::AxisOptions{1}).in<float>({2, 3}, {1, 3, 3, 9, 2, 1}).out<float>({2}).refused(), ErrorId::kCompileUnsupported);
}

}  // namespace
}  // namespace naru::sdk
