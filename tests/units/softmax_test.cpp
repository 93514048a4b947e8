// Goal: softmax is TFLite's fixed-point one to the bit (numerics 11). Method: gemmlowp's functions transcribed here in their own form (typed fixed-point
// values), over random rows, scales and lengths; and known rows.
#include <gtest/gtest.h>

#include <cmath>

#include "naive.h"

namespace naru::mockdev::test {
namespace {

std::int32_t srdhm(std::int32_t a, std::int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  const std::int64_t ab = std::int64_t{a} * b;
  return static_cast<std::int32_t>((ab + (ab >= 0 ? (1 << 30) : 1 - (1 << 30))) / (std::int64_t{1} << 31));
}
std::int32_t divide_by_pot(std::int32_t x, int exponent) {
  const std::int32_t mask = static_cast<std::int32_t>((std::int64_t{1} << exponent) - 1);
  const std::int32_t remainder = x & mask;
  return (x >> exponent) + (remainder > (mask >> 1) + (x < 0 ? 1 : 0) ? 1 : 0);
}
std::int32_t saturating_multiply_by_pot(std::int32_t x, int exponent) {
  if (x > (INT32_MAX >> exponent)) return INT32_MAX;
  if (x < (INT32_MIN >> exponent)) return INT32_MIN;
  return x * (1 << exponent);
}

/// gemmlowp::FixedPoint<int32, kIntegerBits>, as far as softmax needs it.
template <int kIntegerBits>
struct Fixed {
  std::int32_t raw = 0;
  static Fixed one() { return {kIntegerBits == 0 ? INT32_MAX : 1 << (31 - kIntegerBits)}; }
};
template <int A, int B>
Fixed<A + B> operator*(Fixed<A> a, Fixed<B> b) {
  return {srdhm(a.raw, b.raw)};
}
template <int A>
Fixed<A> operator+(Fixed<A> a, Fixed<A> b) {
  return {a.raw + b.raw};
}
template <int A>
Fixed<A> operator-(Fixed<A> a, Fixed<A> b) {
  return {a.raw - b.raw};
}
template <int To, int From>
Fixed<To> rescale(Fixed<From> a) {
  if constexpr (From >= To) return {saturating_multiply_by_pot(a.raw, From - To)};
  return {divide_by_pot(a.raw, To - From)};
}

Fixed<0> exp_on_negative_quarter(Fixed<0> a) {
  const Fixed<0> constant_term{1895147668}, constant_1_over_3{715827883};
  const Fixed<0> x = a + Fixed<0>{1 << 28};
  const Fixed<0> x2 = x * x, x3 = x2 * x, x4 = x2 * x2;
  const Fixed<0> x4_over_4{divide_by_pot(x4.raw, 2)};
  const Fixed<0> inner = ((x4_over_4 + x3) * constant_1_over_3) + x2;
  return constant_term + constant_term * (x + Fixed<0>{divide_by_pot(inner.raw, 1)});
}

Fixed<0> exp_on_negative_values(Fixed<5> a) {
  const Fixed<5> quarter{1 << 24};
  const Fixed<5> modulo{(a.raw & (quarter.raw - 1)) - quarter.raw};
  Fixed<0> result = exp_on_negative_quarter(rescale<0>(modulo));
  const std::int32_t remainder = modulo.raw - a.raw;
  const struct {
    int exponent;
    std::int32_t multiplier;
  } steps[] = {{-2, 1672461947}, {-1, 1302514674}, {0, 790015084}, {1, 290630308}, {2, 39332535}, {3, 720401}, {4, 242}};
  for (const auto& step : steps)
    if ((remainder & (1 << (26 + step.exponent))) != 0) result = result * Fixed<0>{step.multiplier};
  return a.raw == 0 ? Fixed<0>::one() : result;
}

Fixed<0> one_over_one_plus_x(Fixed<0> a) {
  const std::int64_t sum = std::int64_t{a.raw} + INT32_MAX;
  const Fixed<0> half_denominator{static_cast<std::int32_t>((sum + (sum >= 0 ? 1 : -1)) / 2)};
  Fixed<2> x = Fixed<2>{1515870810} + half_denominator * Fixed<2>{-1010580540};
  for (int i = 0; i < 3; ++i) {
    const Fixed<2> product = half_denominator * x;
    x = x + rescale<2>(x * (Fixed<2>::one() - product));
  }
  return rescale<0>(Fixed<1>{x.raw});
}

struct Parameters {
  std::int32_t multiplier, left_shift, difference_min;
};
/// softmax_common.cc: the difference's scale with five integer bits.
Parameters parameters_of(double beta_times_scale) {
  const double real = std::min(beta_times_scale * (1 << 26), 2147483647.0);
  int exponent = 0;
  const double fraction = std::frexp(real, &exponent);
  std::int64_t q = static_cast<std::int64_t>(std::round(fraction * 2147483648.0));
  if (q == std::int64_t{1} << 31) q /= 2, ++exponent;
  const double radius = 1.0 * ((1 << 5) - 1) * (1LL << 26) / static_cast<double>(1LL << exponent);
  return {static_cast<std::int32_t>(q), exponent, -static_cast<std::int32_t>(std::floor(radius))};
}

std::vector<std::int64_t> reference(const std::vector<std::int64_t>& input, const Parameters& p, std::int64_t lowest) {
  std::int64_t highest = input[0];
  for (const std::int64_t v : input) highest = std::max(highest, v);
  const auto exponential = [&](std::int64_t v) {
    return exp_on_negative_values(Fixed<5>{srdhm(wrap32((v - highest) * (std::int64_t{1} << p.left_shift)), p.multiplier)});
  };
  Fixed<12> sum;
  for (const std::int64_t v : input)
    if (v - highest >= p.difference_min) sum = sum + rescale<12>(exponential(v));
  const int headroom_plus_one = __builtin_clz(static_cast<std::uint32_t>(sum.raw));
  const int num_bits_over_unit = 12 - headroom_plus_one;
  const auto shifted = static_cast<std::int32_t>((static_cast<std::uint32_t>(sum.raw) << headroom_plus_one) - (std::uint32_t{1} << 31));
  const Fixed<0> scale = one_over_one_plus_x(Fixed<0>{shifted});
  std::vector<std::int64_t> output;
  for (const std::int64_t v : input)
    output.push_back(v - highest < p.difference_min
                         ? lowest
                         : clamp(divide_by_pot((scale * exponential(v)).raw, num_bits_over_unit + 31 - 8) + lowest, lowest, lowest + 255));
  return output;
}

void expect_exact(const std::vector<std::int64_t>& values, std::uint32_t rows, const Parameters& p, ElementType type, std::uint32_t gap) {
  const auto length = static_cast<std::uint32_t>(values.size() / rows);
  const std::int64_t lowest = type == ElementType::kI8 ? -128 : 0;
  abi::Softmax r;
  r.type = type, r.rows = rows, r.row_elements = length;
  r.input_row_stride = length + gap, r.output_row_stride = length + 2 * gap;
  r.multiplier = p.multiplier, r.left_shift = static_cast<std::int8_t>(p.left_shift), r.difference_min = p.difference_min;
  const Guarded input((rows - 1) * std::size_t{r.input_row_stride} + length), output((rows - 1) * std::size_t{r.output_row_stride} + length);
  for (std::uint32_t row = 0; row < rows; ++row)
    for (std::uint32_t i = 0; i < length; ++i) put(input.data() + row * r.input_row_stride + i, type, values[row * length + i]);
  std::vector<std::vector<std::int64_t>> expected;
  for (std::uint32_t row = 0; row < rows; ++row) expected.push_back(reference({values.begin() + row * length, values.begin() + (row + 1) * length}, p, lowest));
  for (const KernelPath path : supported_paths()) {
    output.fill(std::byte{0xA5});
    Units(path).execute(r, UnaryPointers{input.data(), output.data()});
    for (std::uint32_t row = 0; row < rows; ++row)
      for (std::uint32_t i = 0; i < length; ++i)
        ASSERT_EQ(get(output.data() + row * r.output_row_stride + i, type), expected[row][i]) << name_of(path) << " row " << row << " element " << i << " of " << length;
  }
}

TEST(Softmax, IsTfliteFixedPointToTheBit) {
  std::mt19937 random(30);
  for (const double scale : {1e-4, 0.003, 0.01, 0.0625, 0.09, 0.1784, 0.5, 1.0, 3.7}) {
    const Parameters p = parameters_of(scale);
    ASSERT_GE(p.left_shift, 0);
    for (const std::uint32_t length : {1U, 2U, 3U, 10U, 12U, 100U, 200U}) {
      for (const ElementType type : {ElementType::kI8, ElementType::kU8}) {
        std::vector<std::int64_t> values;
        for (std::uint32_t i = 0; i < 5 * length; ++i)
          values.push_back(type == ElementType::kI8 ? static_cast<std::int8_t>(random()) : static_cast<std::int64_t>(random() & 0xFF));
        expect_exact(values, 5, p, type, length % 3);
      }
    }
  }
}

TEST(Softmax, IsExactForEveryDifferenceOfTwoValues) {
  for (const double scale : {0.01, 0.07, 0.25}) {
    std::vector<std::int64_t> values;
    for (int below = 0; below < 256; ++below) values.push_back(127), values.push_back(127 - below);
    expect_exact(values, 256, parameters_of(scale), ElementType::kI8, 0);
  }
}

TEST(Softmax, SharesLongRowsOfEqualValuesOut) {
  abi::Softmax r;
  const Parameters p = parameters_of(0.1);
  r.multiplier = p.multiplier, r.left_shift = static_cast<std::int8_t>(p.left_shift), r.difference_min = p.difference_min;
  for (const std::uint32_t length : {4U, 256U, 1000U, 4000U}) {
    r.row_elements = r.input_row_stride = r.output_row_stride = length;
    const Guarded input(length), output(length);
    input.fill(std::byte{5});
    for (const KernelPath path : supported_paths()) {
      output.fill(std::byte{0xA5});
      Units(path).execute(r, UnaryPointers{input.data(), output.data()});
      for (std::uint32_t i = 0; i < length; ++i) ASSERT_EQ(get(output.data() + i, ElementType::kI8), std::lround(256.0 / length) - 128) << name_of(path) << " " << length;
    }
  }
}

TEST(Softmax, WritesOverItsInput) {
  std::mt19937 random(31);
  abi::Softmax r;
  const Parameters p = parameters_of(0.05);
  r.multiplier = p.multiplier, r.left_shift = static_cast<std::int8_t>(p.left_shift), r.difference_min = p.difference_min;
  r.rows = 3, r.row_elements = r.input_row_stride = r.output_row_stride = 21;
  const Guarded input(63), output(63);
  for (const KernelPath path : supported_paths()) {
    input.randomize(random);
    Units units(path);
    units.execute(r, UnaryPointers{input.data(), output.data()});
    units.execute(r, UnaryPointers{input.data(), input.data()});
    EXPECT_TRUE(input.copy() == output.copy()) << name_of(path);
  }
}

TEST(Softmax, StandsArbitraryFields) {
  std::mt19937 random(32);
  const Guarded input(9000), output(9000);
  for (int i = 0; i < 200; ++i) {
    input.randomize(random);
    if (i % 4 == 0) input.fill(std::byte{1});
    abi::Softmax r;
    r.multiplier = static_cast<std::int32_t>(random());
    r.left_shift = static_cast<std::int8_t>(random() % 31);
    r.difference_min = -static_cast<std::int32_t>(random() % 300);
    r.row_elements = i % 4 == 0 ? 8192 : 1 + random() % 9000;
    const std::vector<KernelPath> paths = supported_paths();
    Units(paths[static_cast<std::size_t>(i) % paths.size()]).execute(r, UnaryPointers{input.data(), output.data()});
    std::vector<int> code_of(256, -1);
    for (std::uint32_t e = 0; e < r.row_elements; ++e) {
      int& code = code_of[static_cast<std::size_t>(input.data()[e])];
      if (code < 0) code = static_cast<int>(output.data()[e]);
      ASSERT_EQ(code, static_cast<int>(output.data()[e])) << "equal inputs, different outputs";
    }
  }
}

}  // namespace
}  // namespace naru::mockdev::test
