// Goal: scales become the integers that the rules of docs/spec/numerics.md give. Method: values worked out by hand, and agreement with the reference's
// arithmetic, which is written separately from the formulas.
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

}  // namespace
}  // namespace naru::sdk
