// Goal: scales become the integers that the rules of docs/spec/numerics.md give. Method: values worked out by hand, and agreement with the reference's
// arithmetic, which is written separately from the formulas.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "numerics/numerics.h"
#include "reference/arithmetic.h"

namespace naru::sdk {
namespace {

using abi::ElementType;
using graph::Activation;
using graph::Padding;
using numerics::Multiplier;

constexpr std::int32_t kMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kMin = std::numeric_limits<std::int32_t>::min();

TEST(QuantizeMultiplier, SplitsIntoFractionAndPowerOfTwo) {
  EXPECT_EQ(numerics::quantize_multiplier(1.0), (Multiplier{1 << 30, 1}));
  EXPECT_EQ(numerics::quantize_multiplier(0.5), (Multiplier{1 << 30, 0}));
  EXPECT_EQ(numerics::quantize_multiplier(0.75), (Multiplier{3 << 29, 0}));
  EXPECT_EQ(numerics::quantize_multiplier(0.001), (Multiplier{1099511628, -9}));
  EXPECT_EQ(numerics::quantize_multiplier(0.0), (Multiplier{0, 0}));
}

TEST(QuantizeMultiplier, CarriesWhenTheFractionRoundsToOne) {
  EXPECT_EQ(numerics::quantize_multiplier(1.0 - 1.0e-12), (Multiplier{1 << 30, 1}));
}

TEST(QuantizeMultiplier, GivesZeroForWhatNoShiftReaches) {
  EXPECT_EQ(numerics::quantize_multiplier(std::ldexp(1.0, -32)), (Multiplier{1 << 30, -31}));
  EXPECT_EQ(numerics::quantize_multiplier(std::ldexp(1.0, -33)), (Multiplier{0, 0}));
  EXPECT_EQ(numerics::quantize_multiplier(std::numeric_limits<double>::infinity()), (Multiplier{0, 0}));
  EXPECT_EQ(numerics::quantize_multiplier(std::nan("")), (Multiplier{0, 0}));
}

TEST(QuantizeMultiplier, AgreesWithTheReference) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-36.0, 20.0);
  for (int i = 0; i < 200'000; ++i) {
    const double real = std::exp2(exponent(random));
    const auto ours = numerics::quantize_multiplier(real);
    const auto theirs = reference::rescale_by(real);
    ASSERT_EQ(ours.value, theirs.multiplier) << real;
    ASSERT_EQ(ours.shift, theirs.shift) << real;
  }
}

TEST(Requantise, RoundsTwiceHalfAwayFromZero) {
  // 0.5 exactly, then a shift: 3 * 0.5 = 1.5 goes to 2, -1.5 to -1 by the first rounding (towards plus) and 2, -2 by the second.
  EXPECT_EQ(numerics::multiply_by_quantized_multiplier(3, {1 << 30, 0}), 2);
  EXPECT_EQ(numerics::multiply_by_quantized_multiplier(-3, {1 << 30, 0}), -1);
  EXPECT_EQ(numerics::multiply_by_quantized_multiplier(5, {kMax, -1}), 3);
  EXPECT_EQ(numerics::multiply_by_quantized_multiplier(-5, {kMax, -1}), -3);
  // Rounding twice differs from rounding once: 2.4999... is 2.5 after the first.
  EXPECT_EQ(numerics::multiply_by_quantized_multiplier(5, {kMax - 1, -1}), 3);
}

TEST(Requantise, AgreesWithTheReferenceAtTheExtremes) {
  const std::int32_t values[] = {kMin, kMin + 1, -65536, -3, -2, -1, 0, 1, 2, 3, 65535, kMax - 1, kMax};
  const std::int32_t multipliers[] = {0, 1 << 30, (1 << 30) + 1, 1518500250, kMax - 1, kMax};
  for (std::int32_t value : values)
    for (std::int32_t multiplier : multipliers)
      for (int shift = -31; shift <= 30; ++shift)
        ASSERT_EQ(numerics::multiply_by_quantized_multiplier(value, {multiplier, shift}), reference::apply(value, {multiplier, shift})) << value << " " << multiplier << " " << shift;
}

TEST(Requantise, AgreesWithTheReferenceOnRandomValues) {
  std::mt19937 random(2);
  std::uniform_int_distribution<std::int32_t> value(kMin, kMax);
  std::uniform_int_distribution<std::int32_t> multiplier(1 << 30, kMax);
  std::uniform_int_distribution<int> shift(-31, 30);
  for (int i = 0; i < 500'000; ++i) {
    const std::int32_t v = value(random) >> (i % 31);
    const Multiplier m{multiplier(random), shift(random)};
    ASSERT_EQ(numerics::multiply_by_quantized_multiplier(v, m), reference::apply(v, {m.value, m.shift})) << v << " " << m.value << " " << m.shift;
  }
}

TEST(Scales, KeepTheOrderOfFloatAndDouble) {
  const float in = 0.0039215688F;
  const float filter = 0.0123456791F;
  const float out = 0.0234567F;
  EXPECT_EQ(numerics::product_scale(in, filter, out), double{in} * double{filter} / double{out});
  EXPECT_EQ(numerics::float_product_scale(in, filter, out), double{static_cast<float>(in * filter)} / double{out});
  EXPECT_NE(numerics::product_scale(in, filter, out), numerics::float_product_scale(in, filter, out));
  EXPECT_EQ(numerics::float_ratio_scale(in, out), double{static_cast<float>(in / out)});
  EXPECT_NE(numerics::ratio_scale(in, out), numerics::float_ratio_scale(in, out));
}

TEST(Scales, DependOnTheOperatorOnlyWithOneFilterScale) {
  const float in = 0.0039215688F;
  const float out = 0.0234567F;
  const std::vector<float> one = {0.0123456791F};
  const std::vector<float> two = {0.0123456791F, 0.02F};
  using graph::OperatorKind;
  const auto conv = numerics::channel_multipliers(OperatorKind::kConv2d, in, one, out, 3);
  const auto dense = numerics::channel_multipliers(OperatorKind::kFullyConnected, in, one, out, 3);
  ASSERT_EQ(conv.size(), 3U);
  EXPECT_EQ(conv[0], conv[2]);
  EXPECT_EQ(conv[0], numerics::quantize_multiplier(numerics::product_scale(in, one[0], out)));
  EXPECT_EQ(dense[0], numerics::quantize_multiplier(numerics::float_product_scale(in, one[0], out)));
  EXPECT_EQ(numerics::channel_multipliers(OperatorKind::kConv2d, in, two, out, 2), numerics::channel_multipliers(OperatorKind::kFullyConnected, in, two, out, 2));
}

TEST(ActivationRange, ClampsInCodes) {
  using numerics::activation_range;
  EXPECT_EQ(activation_range(Activation::kNone, 0.1F, 5, ElementType::kI8), (numerics::Range{-128, 127}));
  EXPECT_EQ(activation_range(Activation::kRelu, 0.1F, 5, ElementType::kI8), (numerics::Range{5, 127}));
  EXPECT_EQ(activation_range(Activation::kRelu6, 0.1F, 5, ElementType::kI8), (numerics::Range{5, 65}));
  EXPECT_EQ(activation_range(Activation::kRelu6, 0.0235294122F, -128, ElementType::kI8), (numerics::Range{-128, 127}));
  EXPECT_EQ(activation_range(Activation::kReluN1To1, 0.1F, 5, ElementType::kI8), (numerics::Range{-5, 15}));
  EXPECT_EQ(activation_range(Activation::kRelu6, 1.0e-30F, 0, ElementType::kU8), (numerics::Range{0, 255}));
  EXPECT_EQ(activation_range(Activation::kRelu, 1.0F, 0, ElementType::kI16), (numerics::Range{0, 32767}));
}

TEST(ActivationRange, AgreesWithTheReference) {
  graph::Tensor tensor;
  tensor.type = ElementType::kI8;
  for (float scale : {1.0e-6F, 0.003F, 0.0235F, 0.1F, 0.4F, 5.0F, 13.0F, 1.0e9F})
    for (std::int32_t zero_point : {-128, -3, 0, 127})
      for (Activation activation : {Activation::kNone, Activation::kRelu, Activation::kReluN1To1, Activation::kRelu6}) {
        tensor.quantization = graph::Quantization{{scale}, {zero_point}, 0};
        const auto ours = numerics::activation_range(activation, scale, zero_point, ElementType::kI8);
        const auto theirs = reference::bounds_of(activation, tensor);
        EXPECT_EQ(ours.min, theirs.low) << scale << " " << zero_point;
        EXPECT_EQ(ours.max, theirs.high) << scale << " " << zero_point;
      }
}

TEST(Window, GivesTfliteSizesAndPaddings) {
  EXPECT_EQ(numerics::window_output(Padding::kSame, 224, 3, 2, 1), 112);
  EXPECT_EQ(numerics::window_padding(Padding::kSame, 224, 3, 2, 1, 112), (numerics::PaddingAmounts{0, 1}));
  EXPECT_EQ(numerics::window_output(Padding::kSame, 49, 10, 2, 1), 25);
  EXPECT_EQ(numerics::window_padding(Padding::kSame, 49, 10, 2, 1, 25), (numerics::PaddingAmounts{4, 5}));
  EXPECT_EQ(numerics::window_padding(Padding::kSame, 7, 3, 1, 3, 7), (numerics::PaddingAmounts{3, 3}));
  EXPECT_EQ(numerics::window_padding(Padding::kSame, 8, 1, 3, 1, 3), (numerics::PaddingAmounts{0, 0}));
  EXPECT_EQ(numerics::window_output(Padding::kValid, 8, 3, 3, 1), 2);
  EXPECT_EQ(numerics::window_output(Padding::kValid, 8, 3, 1, 4), std::nullopt);
  EXPECT_EQ(numerics::window_output(Padding::kValid, 9, 3, 1, 4), 1);
  EXPECT_EQ(numerics::window_padding(Padding::kValid, 9, 3, 1, 4, 1), numerics::PaddingAmounts{});
}

TEST(Window, RefusesNumbersThatDivideByZeroOrOverflow) {
  EXPECT_EQ(numerics::window_output(Padding::kSame, 8, 3, 0, 1), std::nullopt);
  EXPECT_EQ(numerics::window_output(Padding::kSame, 0, 3, 1, 1), std::nullopt);
  EXPECT_EQ(numerics::window_output(Padding::kSame, 8, 0, 1, 1), std::nullopt);
  EXPECT_EQ(numerics::window_output(Padding::kValid, kMax, kMax, 1, kMax), std::nullopt);
  EXPECT_EQ(numerics::window_output(Padding::kSame, kMax, kMax, 1, kMax), kMax);
  EXPECT_EQ(numerics::window_padding(Padding::kSame, 1, kMax, kMax, kMax, 1).after, kMax);
}

TEST(Add, RescalesBothOperandsToTwiceTheLargerScale) {
  const auto parameters = numerics::add_parameters(0.5F, 0.25F, 1.0F, ElementType::kI8);
  EXPECT_EQ(parameters.left_shift, 20);
  EXPECT_EQ(parameters.a, (Multiplier{1 << 30, 0}));
  EXPECT_EQ(parameters.b, (Multiplier{1 << 30, -1}));
  EXPECT_EQ(parameters.output, (Multiplier{1 << 30, -19}));
  EXPECT_EQ(numerics::add_parameters(0.5F, 0.25F, 1.0F, ElementType::kI16).left_shift, 15);
}

TEST(Sub, DividesItsScalesInFloat) {
  const float a = 0.0123F, b = 0.0477F, out = 0.031F;
  const float twice_max = 2.0F * b;
  const auto parameters = numerics::sub_parameters(a, b, out, ElementType::kI8);
  EXPECT_EQ(parameters.a, numerics::quantize_multiplier(double{static_cast<float>(a / twice_max)}));
  EXPECT_NE(parameters.a, numerics::add_parameters(a, b, out, ElementType::kI8).a);
  EXPECT_EQ(parameters.b, (Multiplier{1 << 30, 0}));
  EXPECT_EQ(parameters.output, numerics::quantize_multiplier(double{static_cast<float>(twice_max / static_cast<float>(1048576.0F * out))}));
  EXPECT_EQ(numerics::sub_parameters(a, b, out, ElementType::kU8).a, numerics::add_parameters(a, b, out, ElementType::kU8).a);
}

TEST(Mean, FoldsTheDivisionIntoTheMultiplier) {
  // 49 elements: 2^5 is the largest power of two in them, and 2^30 * 2^5 / 49 = 701219150.4 is truncated.
  EXPECT_EQ(numerics::mean_multiplier(1.0F, 1.0F, 49), (Multiplier{701219150, -4}));
  EXPECT_EQ(numerics::mean_multiplier(1.0F, 1.0F, 1), (Multiplier{1 << 30, 1}));
  EXPECT_EQ(numerics::mean_multiplier(1.0F, 1.0F, 64), (Multiplier{1 << 30, -5}));
}

TEST(Softmax, HasFiveIntegerBits) {
  // beta * scale * 2^26 = 2^22: multiplier 1/2 in Q31, shift 23; radius 31 * 2^26 / 2^23.
  const auto parameters = numerics::softmax_parameters(1.0F, 0.0625F);
  ASSERT_TRUE(parameters);
  EXPECT_EQ(parameters->multiplier, 1 << 30);
  EXPECT_EQ(parameters->left_shift, 23);
  EXPECT_EQ(parameters->difference_min, -248);
}

TEST(Softmax, SaturatesAndRefuses) {
  const auto huge = numerics::softmax_parameters(1.0F, 1000.0F);
  ASSERT_TRUE(huge);
  EXPECT_EQ(huge->difference_min, 0);
  EXPECT_EQ(huge->left_shift, 30);
  EXPECT_FALSE(numerics::softmax_parameters(1.0F, 1.0e-8F));
  EXPECT_FALSE(numerics::softmax_parameters(0.0F, 1.0F));
}

TEST(Quantize, RoundsHalfAwayFromZeroAndSaturates) {
  const auto codes = numerics::code_range(ElementType::kI8);
  EXPECT_EQ(numerics::quantize(0.5F, 1.0F, 0, codes), 1);
  EXPECT_EQ(numerics::quantize(-0.5F, 1.0F, 0, codes), -1);
  EXPECT_EQ(numerics::quantize(-0.49999997F, 1.0F, 0, codes), 0);
  EXPECT_EQ(numerics::quantize(2.5F, 1.0F, -128, codes), -125);
  EXPECT_EQ(numerics::quantize(1.0e30F, 1.0e-30F, 3, codes), 127);
  EXPECT_EQ(numerics::quantize(-std::numeric_limits<float>::infinity(), 1.0F, 3, codes), -128);
  EXPECT_EQ(numerics::quantize(std::nanf(""), 1.0F, 3, codes), 3);
}

TEST(Dequantize, MultipliesInDouble) {
  EXPECT_EQ(numerics::dequantize(-128, 1.0F / 256.0F, -128), 0.0F);
  EXPECT_EQ(numerics::dequantize(127, 0.1F, -128), static_cast<float>(double{0.1F} * 255.0));
}

graph::Tensor codes(float scale, std::int32_t zero_point, ElementType type = ElementType::kI8) {
  graph::Tensor tensor;
  tensor.type = type;
  tensor.shape = {1};
  tensor.quantization = graph::Quantization{{scale}, {zero_point}, 0};
  return tensor;
}

graph::Operator unary(graph::OperatorKind kind, graph::Options options = {}) {
  graph::Operator op;
  op.kind = kind;
  op.options = std::move(options);
  return op;
}

std::int32_t code_at(const numerics::CodeTable& table, std::int32_t code, ElementType type = ElementType::kI8) {
  const auto byte = static_cast<std::uint8_t>(table[static_cast<std::size_t>(code - numerics::code_range(type).min)]);
  return type == ElementType::kI8 ? static_cast<std::int8_t>(byte) : byte;
}

// More than half a code where integers are rounded twice (numerics 1) or bounds are codes.
TEST(UnaryTable, FollowsTheRealCurveWithinHalfACode) {
  using graph::OperatorKind;
  struct Row {
    OperatorKind kind;
    double (*curve)(double);
    double tolerance;
    graph::Options options = {};
  };
  const Row rows[] = {
      {OperatorKind::kLogistic, [](double x) { return 1 / (1 + std::exp(-x)); }, 0.5},
      {OperatorKind::kTanh, [](double x) { return std::tanh(x); }, 0.5},
      {OperatorKind::kElu, [](double x) { return x < 0 ? std::expm1(x) : x; }, 0.5},
      {OperatorKind::kGelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, 0.5, graph::GeluOptions{false}},
      {OperatorKind::kGelu, [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }, 0.6, graph::GeluOptions{true}},
      {OperatorKind::kHardSwish, [](double x) { return x * std::clamp(x + 3, 0.0, 6.0) / 6; }, 1.0},
      {OperatorKind::kAbs, [](double x) { return std::abs(x); }, 0.5},
      {OperatorKind::kNeg, [](double x) { return -x; }, 0.5},
      {OperatorKind::kSquare, [](double x) { return x * x; }, 0.5},
      {OperatorKind::kExp, [](double x) { return std::exp(x); }, 0.5},
      {OperatorKind::kSin, [](double x) { return std::sin(x); }, 0.5},
      {OperatorKind::kCos, [](double x) { return std::cos(x); }, 0.5},
      {OperatorKind::kRelu, [](double x) { return std::max(x, 0.0); }, 0.5},
      {OperatorKind::kRelu6, [](double x) { return std::clamp(x, 0.0, 6.0); }, 1.0},
      {OperatorKind::kReluN1To1, [](double x) { return std::clamp(x, -1.0, 1.0); }, 1.0},
      {OperatorKind::kRelu0To1, [](double x) { return std::clamp(x, 0.0, 1.0); }, 1.0},
      {OperatorKind::kLeakyRelu, [](double x) { return x < 0 ? 0.2 * x : x; }, 0.75, graph::LeakyReluOptions{0.2F}},
      {OperatorKind::kLeakyRelu, [](double x) { return x < 0 ? -0.2 * x : x; }, 0.75, graph::LeakyReluOptions{-0.2F}},
  };
  for (const Row& row : rows)
    for (ElementType type : {ElementType::kI8, ElementType::kU8}) {
      const auto range = numerics::code_range(type);
      const auto in = codes(0.0371F, range.min + 120, type);
      // Two have results of a fixed meaning.
      const auto out = row.kind == OperatorKind::kLogistic ? codes(1.0F / 256, range.min, type)
                       : row.kind == OperatorKind::kTanh   ? codes(1.0F / 128, range.min + 128, type)
                                                           : codes(0.0293F, range.min + 40, type);
      const auto table = numerics::unary_table(unary(row.kind, row.options), in, out);
      ASSERT_TRUE(table) << name_of(row.kind);
      for (std::int32_t code = range.min; code <= range.max; ++code) {
        const double exact = row.curve(double{in.scale()} * (code - in.zero_point())) / double{out.scale()} + out.zero_point();
        const double bounded = std::clamp(exact, double(range.min), double(range.max));
        EXPECT_LE(std::abs(code_at(*table, code, type) - bounded), row.tolerance + 1.0e-3) << name_of(row.kind) << " " << code;
      }
    }
}

TEST(UnaryTable, HardSwishIsTheIntegerPathAndNotTheNearestCode) {
  int differing = 0;
  for (int step = 0; step < 50; ++step) {
    const auto in = codes(0.01F + 0.003F * static_cast<float>(step), -8);
    const auto out = codes(0.008F + 0.002F * static_cast<float>(step), -88);
    const auto table = *numerics::unary_table(unary(graph::OperatorKind::kHardSwish), in, out);
    for (std::int32_t code = -128; code <= 127; ++code) {
      const double x = double{in.scale()} * (code + 8);
      const auto nearest = static_cast<std::int32_t>(std::clamp(std::round(x * std::clamp(x + 3, 0.0, 6.0) / 6 / double{out.scale()}) - 88, -128.0, 127.0));
      EXPECT_LE(std::abs(code_at(table, code) - nearest), 1);
      differing += code_at(table, code) != nearest;
    }
  }
  EXPECT_GT(differing, 0);
  EXPECT_LT(differing, 50 * 256 / 20);
  // By hand: scale 3/128 makes 3.0 the code 128, and the gate (x + 3) / 6; x = 1.5 is 64 codes, 1.5 * 0.75 = 1.125 is 48 of them.
  const auto plain = codes(3.0F / 128.0F, 0);
  EXPECT_EQ(code_at(*numerics::unary_table(unary(graph::OperatorKind::kHardSwish), plain, plain), 64), 48);
  EXPECT_EQ(code_at(*numerics::unary_table(unary(graph::OperatorKind::kHardSwish), plain, plain), -128), 0);
}

TEST(UnaryTable, RsqrtSaturatesAtZeroAndIsNearElsewhere) {
  const auto in = codes(0.05F, -128);
  const auto out = codes(0.02F, -100);
  const auto table = *numerics::unary_table(unary(graph::OperatorKind::kRsqrt), in, out);
  EXPECT_EQ(code_at(table, -128), 127);
  for (std::int32_t code = -127; code <= 127; ++code) {
    const double exact = 1 / std::sqrt(double{in.scale()} * (code + 128)) / double{out.scale()} - 100;
    EXPECT_LE(std::abs(code_at(table, code) - std::min(exact, 127.0)), 0.502) << code;
  }
  const auto above = codes(0.05F, 0);
  EXPECT_EQ(code_at(*numerics::unary_table(unary(graph::OperatorKind::kRsqrt), above, out), -5), 127);
}

TEST(UnaryTable, QuantizeBetweenSignsIsAnExclusiveOr) {
  const auto table = *numerics::unary_table(unary(graph::OperatorKind::kQuantize), codes(0.3F, -3), codes(0.3F, 125, ElementType::kU8));
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(static_cast<std::size_t>(table[i]), i);
}

TEST(UnaryTable, RoundsHalvesToEvenAndGivesLogarithmsOfNegativesTheZeroPoint) {
  const auto halves = codes(0.5F, 0);
  const auto round = *numerics::unary_table(unary(graph::OperatorKind::kRound), halves, codes(1.0F, 0));
  EXPECT_EQ(code_at(round, 1), 0);
  EXPECT_EQ(code_at(round, 3), 2);
  EXPECT_EQ(code_at(round, -3), -2);
  const auto log = *numerics::unary_table(unary(graph::OperatorKind::kLog), halves, halves);
  EXPECT_EQ(code_at(log, -1), 0);
  EXPECT_EQ(code_at(log, 0), -128);
  EXPECT_EQ(code_at(log, 2), 0);
}

TEST(UnaryTable, RefusesWhatIsNoByteCode) {
  const auto i8 = codes(0.1F, 0);
  auto plain = i8;
  plain.quantization.reset();
  EXPECT_FALSE(numerics::unary_table(unary(graph::OperatorKind::kTanh), plain, i8));
  EXPECT_FALSE(numerics::unary_table(unary(graph::OperatorKind::kTanh), codes(0.1F, 0, ElementType::kI16), i8));
  EXPECT_FALSE(numerics::unary_table(unary(graph::OperatorKind::kTanh), i8, codes(0.1F, 0, ElementType::kU8)));
  EXPECT_FALSE(numerics::unary_table(unary(graph::OperatorKind::kAdd), i8, i8));
  EXPECT_FALSE(numerics::unary_table(unary(graph::OperatorKind::kLeakyRelu), i8, i8)) << "its options are missing";
}

TEST(ConcatenationTable, RescalesInFloatOrNotAtAll) {
  const auto out = codes(0.2F, 10, ElementType::kU8);
  const auto same = numerics::concatenation_table(out, out);
  for (std::size_t i = 0; i < 256; ++i) EXPECT_EQ(static_cast<std::size_t>(same[i]), i);
  // 0.1 * (code - 20) in steps of 0.2 from 10: code 21 is half a step and goes away from zero.
  const auto table = numerics::concatenation_table(codes(0.1F, 20, ElementType::kU8), out);
  EXPECT_EQ(code_at(table, 20, ElementType::kU8), 10);
  EXPECT_EQ(code_at(table, 21, ElementType::kU8), 11);
  EXPECT_EQ(code_at(table, 0, ElementType::kU8), 0);
  EXPECT_EQ(code_at(table, 255, ElementType::kU8), 128);
}

TEST(Slopes, KeepTheOrderOfFloatAndDouble) {
  const float in = 0.0123F, alpha = 0.3F, out = 0.017F;
  const auto leaky = numerics::leaky_relu_multipliers(in, alpha, out);
  EXPECT_EQ(leaky.positive, numerics::quantize_multiplier(double{static_cast<float>(in / out)}));
  EXPECT_EQ(leaky.negative, numerics::quantize_multiplier(double{static_cast<float>(static_cast<float>(in * alpha) / out)}));
  const auto prelu = numerics::prelu_multipliers(in, alpha, out);
  EXPECT_EQ(prelu.positive, numerics::quantize_multiplier(double{in} / double{out}));
  EXPECT_EQ(prelu.negative, numerics::quantize_multiplier(double{in} * double{alpha} / double{out}));
}

TEST(SquaredDifference, LeavesSevenBitsBelowEachCode) {
  // Equal scales: each operand at 1/2 of twice the scale; the square of 2 * 0.5 over 2^14 and 0.25.
  const auto parameters = numerics::squared_difference_parameters(0.5F, 0.5F, 0.25F);
  EXPECT_EQ(parameters.left_shift, 7);
  EXPECT_EQ(parameters.a, (Multiplier{1 << 30, 0}));
  EXPECT_EQ(parameters.b, parameters.a);
  EXPECT_EQ(parameters.output, (Multiplier{1 << 30, -11}));
  EXPECT_EQ(numerics::sum_multiplier(0.5F, 0.25F), (Multiplier{1 << 30, 2}));
}

TEST(Curves, NeedNoShiftAtTheTablesOwnScales) {
  EXPECT_EQ(numerics::logistic_i16_parameters(1.0F / 4096.0F).multiplier, 3);
  EXPECT_EQ(numerics::logistic_i16_parameters(1.0F / 4096.0F).shift, 0);
  EXPECT_EQ(numerics::tanh_i16_parameters(1.0F / 2048.0F).multiplier, 6);
  EXPECT_EQ(numerics::tanh_i16_parameters(1.0F / 2048.0F).shift, 0);
  // 2^-11 is no case of its own for the sigmoid: 3 * 2^12 * 2^-11 = 6, doubled until it is over 16383.5: 6 * 2^12.
  EXPECT_EQ(numerics::logistic_i16_parameters(1.0F / 2048.0F).multiplier, 24576);
  EXPECT_EQ(numerics::logistic_i16_parameters(1.0F / 2048.0F).shift, 12);
  EXPECT_EQ(numerics::logistic_i16_parameters(1000.0F).multiplier, 65535);
  EXPECT_EQ(numerics::logistic_i16_parameters(1.0e-20F).shift, 31);
}

TEST(Resize, PutsPositionsOnA1024th) {
  const auto plain = numerics::resize_bilinear_parameters({}, 3, 6);
  EXPECT_EQ(plain.scale, 512);
  EXPECT_EQ(plain.offset, 0);
  EXPECT_EQ(numerics::resize_bilinear_parameters({true, false}, 3, 6).scale, (2 * 1024 + 2) / 5);
  EXPECT_EQ(numerics::resize_bilinear_parameters({true, false}, 3, 1).scale, 3072);
  const auto centred = numerics::resize_bilinear_parameters({false, true}, 3, 6);
  EXPECT_EQ(centred.scale, 512);
  EXPECT_EQ(centred.offset, -256);
  EXPECT_EQ(numerics::resize_bilinear_parameters({}, kMax, 1).scale, kMax);
  using Indices = std::vector<std::int32_t>;
  EXPECT_EQ(numerics::resize_nearest_indices({}, 2, 5), (Indices{0, 0, 0, 1, 1}));
  EXPECT_EQ(numerics::resize_nearest_indices({true, false}, 2, 5), (Indices{0, 0, 1, 1, 1}));
  EXPECT_EQ(numerics::resize_nearest_indices({false, true}, 2, 5), (Indices{0, 0, 1, 1, 1}));
  EXPECT_EQ(numerics::resize_nearest_indices({false, false}, 5, 2), (Indices{0, 2}));
  EXPECT_EQ(numerics::resize_nearest_indices({false, true}, 5, 2), (Indices{1, 3}));
}

TEST(Svdf, DividesInFloat) {
  const float a = 0.0123F, b = 0.0077F, state = 0.031F, time = 0.0043F, out = 0.091F;
  const auto parameters = numerics::svdf_parameters(a, b, state, time, out);
  EXPECT_EQ(parameters.feature, numerics::quantize_multiplier(double{static_cast<float>(static_cast<float>(a * b) / state)}));
  EXPECT_EQ(parameters.output, numerics::quantize_multiplier(double{static_cast<float>(static_cast<float>(state * time) / out)}));
}

struct LstmModel {
  graph::Graph graph;
  graph::Operator op;
  explicit LstmModel(float cell_scale) {
    op = unary(graph::OperatorKind::kUnidirectionalSequenceLstm, graph::LstmOptions{});
    op.inputs.assign(24, graph::kAbsent);
    const auto put = [&](std::size_t index, const graph::Tensor& tensor) { op.inputs[index] = graph.add_tensor(tensor); };
    put(0, codes(0.5F, 3));
    for (std::size_t i = 1; i < 9; ++i) put(i, codes(0.25F * static_cast<float>(i), 0));
    put(18, codes(1.0F / 128.0F, -7));
    put(19, codes(cell_scale, 0, ElementType::kI16));
  }
};

TEST(Lstm, ScalesGatesCellAndOutput) {
  LstmModel model(1.0F / 2048.0F);
  std::get<graph::LstmOptions>(model.op.options).cell_clip = 10.0F;
  const auto parameters = numerics::lstm_parameters(model.graph, model.op);
  ASSERT_TRUE(parameters);
  // Gate 0: 0.5 * 0.25 * 2^12 = 2^9; from the hidden state: 1/128 * 1.25 * 2^12 = 40.
  EXPECT_EQ(parameters->from_input[0], (Multiplier{1 << 30, 10}));
  EXPECT_EQ(parameters->from_hidden[0], (Multiplier{5 << 28, 6}));
  EXPECT_EQ(parameters->forget_times_cell, (Multiplier{1 << 30, -14}));
  EXPECT_EQ(parameters->input_times_cell_gate, (Multiplier{1 << 30, -18}));
  EXPECT_EQ(parameters->output, (Multiplier{1 << 30, -22}));
  EXPECT_EQ(parameters->output_zero, -7);
  EXPECT_EQ(parameters->gate_sigmoid.multiplier, 3);
  EXPECT_EQ(parameters->cell_tanh.multiplier, 6);
  EXPECT_EQ(parameters->cell_tanh.shift, 0);
  EXPECT_EQ(parameters->cell_clip, 20480);
  const auto fine = numerics::lstm_parameters(LstmModel(1.0F / 32768.0F).graph, LstmModel(1.0F / 32768.0F).op);
  ASSERT_TRUE(fine);
  EXPECT_EQ(fine->cell_tanh.multiplier, 3);
  EXPECT_EQ(fine->cell_tanh.shift, 3);
}

TEST(Lstm, RefusesCellsWithoutAPowerOfTwoAndMissingTensors) {
  LstmModel odd(0.0007F);
  EXPECT_FALSE(numerics::lstm_parameters(odd.graph, odd.op));
  LstmModel huge(1024.0F);
  EXPECT_FALSE(numerics::lstm_parameters(huge.graph, huge.op));
  LstmModel missing(1.0F / 2048.0F);
  missing.op.inputs[6] = graph::kAbsent;
  EXPECT_FALSE(numerics::lstm_parameters(missing.graph, missing.op));
  LstmModel far(1.0F / 2048.0F);
  far.op.inputs[6] = 1000;
  EXPECT_FALSE(numerics::lstm_parameters(far.graph, far.op));
}

TEST(Scales, OfLegacyU8AreRoundedToFloat) {
  const std::vector<float> one = {0.0123456791F};
  const auto legacy = numerics::channel_multipliers(graph::OperatorKind::kConv2d, 0.0039215688F, one, 0.0234567F, 2, true);
  EXPECT_EQ(legacy[1], numerics::quantize_multiplier(numerics::float_product_scale(0.0039215688F, one[0], 0.0234567F)));
}

}  // namespace
}  // namespace naru::sdk
