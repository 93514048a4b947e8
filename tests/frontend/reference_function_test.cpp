// Goal: functions of one operand on codes are what TFLite Micro's fixed point gives: near the real function everywhere, and exact where a float formula is
// known to be.
// Method: every code (or many 16-bit ones) against the function in double precision; LOGISTIC and TANH against the float32 formula that was measured to be
// the same for every code; single values by hand.
#include <cmath>
#include <limits>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference/fixed_point.h"
#include "reference_operator.h"

namespace naru::sdk {
namespace {

using graph::OperatorKind;
using testing::ElementsAre;

template <typename Code>
std::vector<Code> all_codes() {
  std::vector<Code> codes;
  for (int code = std::numeric_limits<Code>::min(); code <= std::numeric_limits<Code>::max(); code += sizeof(Code) == 1 ? 1 : 37)
    codes.push_back(static_cast<Code>(code));
  return codes;
}

/// Each code through `op` against real(x) within `steps` codes of the output.
template <typename Code, typename Real>
void expect_near_real(ReferenceOperator op, Codes in, Codes out, double steps, const Real& real) {
  const auto codes = all_codes<Code>();
  const auto count = static_cast<std::int32_t>(codes.size());
  const auto results = op.input<Code>({count}, codes, in).template result<Code>({count}, out).template run<Code>();
  ASSERT_EQ(results.size(), codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const double exact = real((codes[i] - in.zero) * static_cast<double>(in.scale)) / static_cast<double>(out.scale) + out.zero;
    const double expected = std::clamp(exact, static_cast<double>(std::numeric_limits<Code>::min()), static_cast<double>(std::numeric_limits<Code>::max()));
    ASSERT_NEAR(results[i], expected, steps) << "code " << int{codes[i]} << " scale " << in.scale;
  }
}

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

TEST(ReferenceGate, EqualsTheFloatFormulaForEveryCode) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> exponent(-4.0F, -0.7F);
  std::uniform_int_distribution<int> zero(-128, 127);
  for (int i = 0; i < 200; ++i) {
    const Codes in{std::pow(10.0F, exponent(random)), zero(random)};
    const auto codes = all_codes<std::int8_t>();
    const auto formula = [&](std::int8_t code, bool is_tanh) {
      const float x = in.scale * static_cast<float>(code - in.zero);
      const float y = is_tanh ? std::tanh(x) * 128.0F : 256.0F / (1.0F + std::exp(-x));
      return static_cast<int>(std::clamp(std::round(y) + (is_tanh ? 0.0F : -128.0F), -128.0F, 127.0F));
    };
    for (bool is_tanh : {false, true}) {
      const auto results = ReferenceOperator(is_tanh ? OperatorKind::kTanh : OperatorKind::kLogistic)
                               .input<std::int8_t>({256}, codes, in)
                               .result<std::int8_t>({256}, is_tanh ? Codes{1.0F / 128.0F, 0} : Codes{1.0F / 256.0F, -128})
                               .run<std::int8_t>();
      for (std::size_t k = 0; k < codes.size(); ++k) ASSERT_EQ(results[k], formula(codes[k], is_tanh)) << in.scale << " " << in.zero << " " << int{codes[k]};
    }
  }
}

TEST(ReferenceGate, GivesLegacyCodesAndFloats) {
  for (float scale : {0.01F, 0.05F, 0.3F}) {
    expect_near_real<std::uint8_t>(ReferenceOperator(OperatorKind::kLogistic), {scale, 100}, {1.0F / 256.0F, 0}, 0.51, sigmoid);
    expect_near_real<std::uint8_t>(ReferenceOperator(OperatorKind::kTanh), {scale, 100}, {1.0F / 128.0F, 128}, 0.51, [](double x) { return std::tanh(x); });
  }
  const auto floats = ReferenceOperator(OperatorKind::kLogistic).input<float>({3}, {0.0F, 20.0F, -20.0F}).result<float>({3}).run<float>();
  EXPECT_THAT(floats, ElementsAre(0.5F, 1.0F, std::exp(-20.0F)));
}

/// The table's step is 1/24, which linear interpolation follows to about 2e-5: less than one code of 2^-15.
TEST(ReferenceGate, InterpolatesIn16Bits) {
  for (float scale : {1.0F / 4096.0F, 1.0F / 2048.0F, 0.001F, 0.00001F}) {
    expect_near_real<std::int16_t>(ReferenceOperator(OperatorKind::kLogistic), {scale, 0}, {1.0F / 32768.0F, 0}, 2.0, sigmoid);
    expect_near_real<std::int16_t>(ReferenceOperator(OperatorKind::kTanh), {scale, 0}, {1.0F / 32768.0F, 0}, 4.0, [](double x) { return std::tanh(x); });
  }
}

TEST(ReferenceRelu, ClampsEveryTypeToItsRange) {
  const auto run = [](OperatorKind kind) {
    return ReferenceOperator(kind).input<std::int16_t>({4}, {-400, -50, 50, 4'000}, {0.01F, 0}).result<std::int16_t>({4}, {0.01F, 0}).run<std::int16_t>();
  };
  EXPECT_THAT(run(OperatorKind::kRelu), ElementsAre(0, 0, 50, 4'000));
  EXPECT_THAT(run(OperatorKind::kRelu6), ElementsAre(0, 0, 50, 600));
  EXPECT_THAT(run(OperatorKind::kReluN1To1), ElementsAre(-100, -50, 50, 100));
  EXPECT_THAT(run(OperatorKind::kRelu0To1), ElementsAre(0, 0, 50, 100));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kReluN1To1).input<float>({3}, {-2.0F, 0.5F, 2.0F}).result<float>({3}).run<float>(),
              ElementsAre(-1.0F, 0.5F, 1.0F));
}

TEST(ReferenceRelu, LeaksWithAnyFactor) {
  const auto run = [](float alpha) {
    return ReferenceOperator(OperatorKind::kLeakyRelu, graph::LeakyReluOptions{alpha})
        .input<std::int8_t>({3}, {-18, 2, 22}, {0.5F, 2})
        .result<std::int8_t>({3}, {0.25F, -4})
        .run<std::int8_t>();
  };
  EXPECT_THAT(run(0.25F), ElementsAre(-10 - 4, -4, 40 - 4));
  EXPECT_THAT(run(-0.25F), ElementsAre(10 - 4, -4, 40 - 4));
  // -8 steps of 0.5 times alpha (3 - 1) * 0.25
  EXPECT_THAT(ReferenceOperator(OperatorKind::kPrelu)
                  .input<std::int8_t>({2, 1}, {-8, 8}, {0.5F, 0})
                  .constant<std::int8_t>({1}, {3}, {0.25F, 1})
                  .result<std::int8_t>({2, 1}, {1.0F, 0})
                  .run<std::int8_t>(),
              ElementsAre(-2, 4));
}

TEST(ReferenceFunction, IsNearTheRealFunctionForEveryCode) {
  const auto swish = [](double x) { return x * std::clamp(x + 3.0, 0.0, 6.0) / 6.0; };
  for (float scale : {0.01F, 0.05F, 0.2F}) {
    expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kHardSwish), {scale, -5}, {scale, -100}, 1.0, swish);
    expect_near_real<std::uint8_t>(ReferenceOperator(OperatorKind::kHardSwish), {scale, 120}, {scale, 20}, 1.0, swish);
    expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kElu), {scale, 5}, {scale, -60}, 0.51, [](double x) { return x < 0.0 ? std::expm1(x) : x; });
    expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kGelu), {scale, 5}, {scale, -60}, 0.51,
                                  [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); });
    expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kGelu, graph::GeluOptions{true}), {scale, 5}, {scale, -60}, 1.0,
                                  [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); });
    expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kAbs), {scale, 5}, {scale * 0.7F, -100}, 1.0, [](double x) { return std::abs(x); });
    expect_near_real<std::int16_t>(ReferenceOperator(OperatorKind::kAbs), {scale, 0}, {scale, 0}, 0.01, [](double x) { return std::abs(x); });
    expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kExp), {scale, 5}, {0.05F, -128}, 0.51, [](double x) { return std::exp(x); });
  }
  // What is not above zero has no root; the largest result stands there.
  expect_near_real<std::int8_t>(ReferenceOperator(OperatorKind::kRsqrt), {0.1F, -128}, {0.02F, -128}, 1.0,
                                [](double x) { return x > 0.0 ? 1.0 / std::sqrt(x) : 1.0e9; });
}

TEST(ReferenceFunction, IsCsOwnOnFloats) {
  const auto run = [](OperatorKind kind, float x) { return ReferenceOperator(kind).input<float>({1}, {x}).result<float>({1}).run<float>().front(); };
  EXPECT_EQ(run(OperatorKind::kNeg, 2.0F), -2.0F);
  EXPECT_EQ(run(OperatorKind::kSquare, -3.0F), 9.0F);
  EXPECT_EQ(run(OperatorKind::kSqrt, 2.0F), std::sqrt(2.0F));
  EXPECT_EQ(run(OperatorKind::kRsqrt, 4.0F), 0.5F);
  EXPECT_EQ(run(OperatorKind::kLog, 3.0F), std::log(3.0F));
  EXPECT_EQ(run(OperatorKind::kSin, 1.0F), std::sin(1.0F));
  EXPECT_EQ(run(OperatorKind::kCos, 1.0F), std::cos(1.0F));
  EXPECT_EQ(run(OperatorKind::kFloor, -1.5F), -2.0F);
  EXPECT_EQ(run(OperatorKind::kCeil, -1.5F), -1.0F);
  for (float half : {-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.5F}) EXPECT_EQ(run(OperatorKind::kRound, half), std::nearbyint(half)) << half;
  EXPECT_EQ(run(OperatorKind::kElu, -1.0F), std::expm1(-1.0F));
  EXPECT_EQ(run(OperatorKind::kHardSwish, 1.0F), 4.0F / 6.0F);
  EXPECT_THAT(ReferenceOperator(OperatorKind::kNeg)
                  .input<std::int32_t>({2}, {5, std::numeric_limits<std::int32_t>::min()})
                  .result<std::int32_t>({2})
                  .run<std::int32_t>(),
              ElementsAre(-5, std::numeric_limits<std::int32_t>::min()));
}

/// Rows of every form of SOFTMAX and LOG_SOFTMAX within one code. In 16 bits what is below e^-10 counts as that, 1.5 codes for each element of the row.
TEST(ReferenceSoftmax, IsNearTheRealOneInEveryForm) {
  std::mt19937 random(6);
  const auto check = [&](auto code, auto result, OperatorKind kind, Codes in, Codes out, double steps) {
    using Code = decltype(code);
    using Out = decltype(result);
    for (std::int32_t depth : {1, 2, 10, 300}) {
      std::vector<Code> codes(static_cast<std::size_t>(depth));
      for (Code& c : codes) c = static_cast<Code>(random());
      ReferenceOperator op(kind);
      const auto results = op.input<Code>({1, depth}, codes, in).template result<Out>({1, depth}, out).template run<Out>();
      const double allowed = sizeof(Code) == 2 ? steps + 1.6 * depth : steps;
      double sum = 0.0;
      for (Code c : codes) sum += std::exp(static_cast<double>(c) * static_cast<double>(in.scale));
      for (std::size_t i = 0; i < codes.size(); ++i) {
        const double x = static_cast<double>(codes[i]) * static_cast<double>(in.scale);
        const double real = kind == OperatorKind::kSoftmax ? std::exp(x) / sum : x - std::log(sum);
        const double expected = std::clamp(real / static_cast<double>(out.scale) + out.zero, static_cast<double>(std::numeric_limits<Out>::lowest()),
                                           static_cast<double>(std::numeric_limits<Out>::max()));
        ASSERT_NEAR(static_cast<double>(results[i]), expected, allowed) << "scale " << in.scale << " depth " << depth << " place " << i;
      }
    }
  };
  for (float scale : {0.01F, 0.05F, 0.2F}) {
    check(std::uint8_t{}, std::uint8_t{}, OperatorKind::kSoftmax, {scale, 0}, {1.0F / 256.0F, 0}, 1.0);
    check(std::int8_t{}, std::int16_t{}, OperatorKind::kSoftmax, {scale, 0}, {1.0F / 65536.0F, -32768}, 4.0);
    check(std::int16_t{}, std::int16_t{}, OperatorKind::kSoftmax, {scale / 100.0F, 0}, {1.0F / 32768.0F, 0}, 6.0);
    check(std::int8_t{}, std::int8_t{}, OperatorKind::kLogSoftmax, {scale, 0}, {16.0F / 256.0F, 127}, 1.0);
  }
}

TEST(ReferenceSoftmax, DividesFloatsByTheirSum) {
  const float e = std::exp(-1.0F);
  const float sum = 1.0F + e;
  EXPECT_THAT(ReferenceOperator(OperatorKind::kSoftmax, graph::SoftmaxOptions{0.5F}).input<float>({1, 2}, {5.0F, 3.0F}).result<float>({1, 2}).run<float>(),
              ElementsAre(1.0F / sum, e / sum));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kLogSoftmax).input<float>({1, 2}, {5.0F, 4.0F}).result<float>({1, 2}).run<float>(),
              ElementsAre(-std::log(sum), -1.0F - std::log(sum)));
}

TEST(ReferenceSoftmax, NormalisesLengths) {
  // 3, 4 has length 5; at 1/128 per code.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kL2Normalization)
                  .input<std::int8_t>({2, 2}, {13, 14, 10, 10}, {0.1F, 10})
                  .result<std::int8_t>({2, 2}, {1.0F / 128.0F, 0})
                  .run<std::int8_t>(),
              ElementsAre(77, 102, 0, 0));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kL2Normalization)
                  .input<std::uint8_t>({1, 2}, {13, 6}, {0.1F, 10})
                  .result<std::uint8_t>({1, 2}, {1.0F / 128.0F, 128})
                  .run<std::uint8_t>(),
              ElementsAre(205, 26));
  // Legacy codes are multiplied by 128 and rounded once; by shifting as signed codes are, 237 and 13 would stand here.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kL2Normalization)
                  .input<std::uint8_t>({1, 4}, {111, 235, 87, 19}, {0.1F, 0})
                  .result<std::uint8_t>({1, 4}, {1.0F / 128.0F, 128})
                  .run<std::uint8_t>(),
              ElementsAre(180, 238, 169, 137));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kL2Normalization)
                  .input<std::uint8_t>({1, 4}, {144, 9, 80, 102}, {0.1F, 128})
                  .result<std::uint8_t>({1, 4}, {1.0F / 128.0F, 128})
                  .run<std::uint8_t>(),
              ElementsAre(144, 12, 81, 103));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kL2Normalization).input<float>({1, 2}, {3.0F, 4.0F}).result<float>({1, 2}).run<float>(), ElementsAre(0.6F, 0.8F));
}

TEST(ReferenceFixedPoint, IsNearTheRealFunctions) {
  for (std::int64_t x = 1 << 19; x < (std::int64_t{1} << 31); x += x / 1'000 + 1)
    ASSERT_NEAR(reference::log_of_at_least_one(static_cast<std::int32_t>(x)) * 0x1p-26, std::log(static_cast<double>(x) * 0x1p-19), 2.0e-6) << x;
  for (std::int64_t x = 1; x < (std::int64_t{1} << 31); x += x / 100 + 1) {
    const reference::Rescale root = reference::inverse_square_root_of(static_cast<std::int32_t>(x));
    const double exact = 1.0 / std::sqrt(static_cast<double>(x));
    ASSERT_NEAR(std::ldexp(root.multiplier, root.shift - 31), exact, 2.0e-6 * exact) << x;
    const reference::Reciprocal reciprocal = reference::reciprocal_of(static_cast<std::int32_t>(x), 31);
    ASSERT_NEAR(std::ldexp(reciprocal.value, -31 - reciprocal.bits_over_unit) * static_cast<double>(x), 1.0, 1.0e-7) << x;
  }
}

}  // namespace
}  // namespace naru::sdk
