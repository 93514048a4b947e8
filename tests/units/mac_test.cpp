// Goal: convolution and depthwise give the bytes of their loop nests on every path. Method: grids of shapes against naive.h, operands ending at unmapped
// memory, bytes between the outputs checked for being left alone; and all-extreme operands at the reductions where other libraries are wrong.
#include <cmath>
#include <gtest/gtest.h>

#include "../support/cpu.h"
#include "naive.h"

namespace naru::mockdev::test {
namespace {

/// The others take the paths that there are: this says which there are not.
class EveryPath : public ::testing::TestWithParam<KernelPath> {};
TEST_P(EveryPath, IsTriedHere) {
  NARU_REQUIRE_KERNELS(name_of(GetParam()));
  EXPECT_TRUE(is_supported(GetParam()));
}
INSTANTIATE_TEST_SUITE_P(Kernels, EveryPath, ::testing::Values(KernelPath::kAmx, KernelPath::kVnni, KernelPath::kAvx2, KernelPath::kPortable), [](const auto& info) { return std::string(name_of(info.param)); });

struct Shape {
  std::uint32_t out_rows, out_cols, in_channels, out_channels;
  std::uint16_t kernel_rows, kernel_cols, stride_rows, stride_cols, dilation_rows, dilation_cols;
};
std::ostream& operator<<(std::ostream& out, const Shape& s) {
  return out << s.out_rows << "x" << s.out_cols << " in " << s.in_channels << " out " << s.out_channels << " kernel " << s.kernel_rows << "x" << s.kernel_cols
             << " stride " << s.stride_rows << "x" << s.stride_cols << " dilation " << s.dilation_rows << "x" << s.dilation_cols;
}

Weights random_weights(Random& random, std::uint32_t channels, std::uint32_t taps, std::uint32_t inputs, bool wide) {
  Weights w{channels, taps, inputs, {}, {}, {}, {}};
  for (std::uint64_t i = 0; i < std::uint64_t{channels} * taps * inputs; ++i) w.values.push_back(static_cast<std::int8_t>(random()));
  const int bits = 10 + std::bit_width(taps * inputs);
  const bool usual = random() % 2 != 0;  // only right shifts, as most networks have
  for (std::uint32_t c = 0; c < channels; ++c) {
    w.start.push_back(between(random, -100000, 100000));
    w.multiplier.push_back(between(random, 1 << 30, INT32_MAX));
    w.shift.push_back(static_cast<std::int8_t>(wide ? between(random, -bits, 0) : between(random, -bits, usual ? -1 : 2)));
    if (random() % 16 == 0) w.multiplier.back() = 0, w.shift.back() = 0;  // a dead channel, as QuantizeMultiplier writes it
  }
  return w;
}

/// Fields that Conv and Depthwise share; strides a little larger than dense when `gaps`.
template <typename Record>
void set_window(Record& r, const Shape& s, std::uint32_t in_channels, std::uint32_t out_channels, bool gaps) {
  const std::uint32_t in_cols = (s.out_cols - 1) * s.stride_cols + (s.kernel_cols - 1) * s.dilation_cols + 1;
  const std::uint32_t in_bytes = abi::element_bytes(r.input_type), out_bytes = abi::element_bytes(r.output_type);
  r.out_rows = s.out_rows, r.out_cols = s.out_cols;
  r.kernel_rows = s.kernel_rows, r.kernel_cols = s.kernel_cols;
  r.stride_rows = s.stride_rows, r.stride_cols = s.stride_cols;
  r.dilation_rows = s.dilation_rows, r.dilation_cols = s.dilation_cols;
  r.input_pixel_stride = (in_channels + (gaps ? 3 : 0)) * in_bytes;
  r.input_row_stride = in_cols * r.input_pixel_stride + (gaps ? 5 * in_bytes : 0);
  r.output_pixel_stride = (out_channels + (gaps ? 2 : 0)) * out_bytes;
  r.output_row_stride = s.out_cols * r.output_pixel_stride + (gaps ? 7 * out_bytes : 0);
  if (r.output_type != ElementType::kI32) {
    const Range range = range_of(r.output_type);
    r.output_zero = range.lowest + (gaps ? 0 : 3);  // below the lower bound and above it
    r.activation_min = range.lowest + 1;
    r.activation_max = range.highest - 2;
  }
}
template <typename Record>
std::size_t input_bytes(const Record& r, std::uint32_t in_channels) {
  return std::size_t{(r.out_rows - 1) * r.stride_rows + (r.kernel_rows - 1U) * r.dilation_rows} * r.input_row_stride +
         std::size_t{(r.out_cols - 1) * r.stride_cols + (r.kernel_cols - 1U) * r.dilation_cols} * r.input_pixel_stride +
         in_channels * abi::element_bytes(r.input_type);
}
template <typename Record>
std::size_t output_bytes(const Record& r, std::uint32_t out_channels) {
  return std::size_t{r.out_rows - 1} * r.output_row_stride + std::size_t{r.out_cols - 1} * r.output_pixel_stride +
         out_channels * abi::element_bytes(r.output_type);
}

struct ConvCase {
  abi::Conv record;
  Weights weights;
  std::unique_ptr<Guarded> input, packed, partial;
};

ConvCase make_conv(Random& random, const Shape& s, ElementType input, ElementType output, std::int32_t weight_zero, bool partial, bool gaps) {
  ConvCase c;
  abi::Conv& r = c.record;
  r.input_type = input, r.output_type = output, r.weight_zero = weight_zero;
  r.in_channels = s.in_channels, r.out_channels = s.out_channels;
  set_window(r, s, s.in_channels, s.out_channels, gaps);
  c.weights = random_weights(random, s.out_channels, std::uint32_t{s.kernel_rows} * s.kernel_cols, s.in_channels, input == ElementType::kI16);
  c.input = std::make_unique<Guarded>(input_bytes(r, s.in_channels), abi::element_bytes(input));
  c.input->randomize(random);
  c.packed = std::make_unique<Guarded>(abi::dense_block_bytes(c.weights.taps, s.in_channels) * abi::weight_blocks(s.out_channels));
  c.weights.pack_dense(c.packed->data());
  if (partial) {
    r.start = abi::Start::kPartial;
    r.partial_pixel_stride = 4 * s.out_channels + (gaps ? 4 : 0);
    r.partial_row_stride = r.partial_pixel_stride * s.out_cols + (gaps ? 8 : 0);
    c.partial = std::make_unique<Guarded>((s.out_rows - 1) * std::size_t{r.partial_row_stride} + (s.out_cols - 1) * std::size_t{r.partial_pixel_stride} +
                                          4 * s.out_channels);
    c.partial->randomize(random);
  }
  return c;
}

void expect_exact(const ConvCase& c, const std::string& what) {
  const std::size_t size = output_bytes(c.record, c.record.out_channels);
  std::vector<std::byte> expected(size, std::byte{0xA5});
  const std::byte* partial = c.partial ? c.partial->data() : nullptr;
  naive(c.record, c.input->data(), c.weights, expected.data(), partial);
  for (const KernelPath path : supported_paths()) {
    Units units(path);
    const Guarded output(size);
    output.fill(std::byte{0xA5});
    const ConvPointers at{c.input->data(), c.packed->data(), output.data(), partial};
    units.execute(c.record, at);
    EXPECT_TRUE(output.copy() == expected) << name_of(path) << " " << what;
    expect_parts(units, c.record, at, output, expected, what);
  }
}

std::string described(const Shape& shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

const std::vector<Shape> kConvShapes = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},   {1, 1, 3, 17, 1, 1, 1, 1, 1, 1},   {1, 1, 1024, 40, 1, 1, 1, 1, 1, 1}, {1, 7, 64, 64, 1, 1, 1, 1, 1, 1},
    {3, 5, 5, 9, 1, 1, 2, 3, 1, 1},   {5, 4, 3, 8, 3, 3, 1, 1, 1, 1},    {6, 7, 4, 33, 3, 3, 2, 2, 1, 1},    {2, 3, 7, 48, 3, 2, 3, 1, 1, 1},
    {4, 9, 16, 15, 1, 5, 1, 2, 1, 1}, {5, 5, 6, 31, 3, 3, 1, 1, 2, 2},   {3, 13, 13, 49, 5, 1, 1, 1, 2, 1},  {1, 1, 10, 16, 7, 7, 1, 1, 1, 1},
    {7, 7, 33, 65, 1, 1, 1, 1, 1, 1}, {1, 29, 12, 80, 1, 1, 1, 1, 1, 1}, {2, 2, 3, 64, 7, 7, 2, 2, 1, 1},    {13, 1, 2, 20, 2, 1, 3, 3, 3, 2},
    {1, 6, 8, 96, 2, 2, 1, 1, 1, 2},  {10, 11, 1, 5, 3, 3, 3, 3, 1, 1},  {1, 5, 20, 112, 1, 1, 1, 1, 1, 1},  {3, 3, 9, 7, 2, 4, 2, 1, 4, 3},
    {1, 30, 1, 16, 1, 100, 1, 40, 1, 1}, {30, 1, 1, 16, 100, 1, 40, 1, 1, 1}, {2, 7, 16, 16, 3, 2, 1, 11, 1, 1},  {2, 7, 32, 16, 3, 4, 1, 11, 1, 1},
    {3, 8, 16, 16, 3, 1, 1, 21, 1, 1},   {3, 8, 16, 16, 5, 4, 2, 12, 1, 1},
};

TEST(Conv, GivesTheLoopNestsBytesOnEveryPathAndType) {
  Random random(1);
  for (const Shape& shape : kConvShapes) {
    for (const ElementType input : {ElementType::kI8, ElementType::kU8, ElementType::kI16}) {
      for (const ElementType output : {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32}) {
        const bool gaps = random() % 2 != 0, partial = random() % 3 == 0;
        const std::int32_t weight_zero = random() % 3 == 0 ? between(random, -128, 127) : 0;
        const ConvCase c = make_conv(random, shape, input, output, weight_zero, partial, gaps);
        expect_exact(c, described(shape) + " input " + std::string(abi::name_of(input)) + " output " + std::string(abi::name_of(output)) + " weight_zero " +
                            std::to_string(weight_zero) + (partial ? " partial" : "") + (gaps ? " gaps" : ""));
      }
    }
  }
}

TEST(Conv, SurvivesRandomShapes) {
  Random random(2);
  for (int i = 0; i < 150; ++i) {
    const auto pick = [&](int low, int high) { return static_cast<std::uint16_t>(between(random, low, high)); };
    const Shape shape = {pick(1, 9), pick(1, 15), pick(1, 40), pick(1, 90), pick(1, 4), pick(1, 4), pick(1, 3), pick(1, 3), pick(1, 2), pick(1, 2)};
    const ElementType types[] = {ElementType::kI8, ElementType::kU8};
    const ElementType outputs[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32};
    const ConvCase c = make_conv(random, shape, types[random() % 2], outputs[random() % 4], random() % 2 != 0 ? between(random, -128, 127) : 0,
                                 random() % 2 != 0, random() % 2 != 0);
    expect_exact(c, described(shape));
  }
}

// Pixels at equal steps go through kernels of their own, one for each number of pixels and of blocks and for each way to end.
TEST(Conv, TakesPixelsAtEqualStepsInTilesOfEverySize) {
  Random random(31);
  const ElementType inputs[] = {ElementType::kI8, ElementType::kU8};
  for (std::uint32_t pixels = 12; pixels <= 37; ++pixels) {
    for (const std::uint32_t channels : {16U, 32U, 48U, 64U, 80U, 144U}) {
      for (const ElementType output : {ElementType::kI8, ElementType::kU8, ElementType::kI32}) {
        for (const bool from_zero : {false, true}) {
          if (from_zero && output == ElementType::kI32) continue;
          const Shape shape = pixels % 2 != 0 ? Shape{1, pixels, pixels % 9 + 1, channels, 1, 1, 1, 1, 1, 1} : Shape{2, pixels, pixels % 5 == 0 ? 3U : 4U, channels, 2, 3, 1, 1, 1, 1};
          ConvCase c = make_conv(random, shape, inputs[random() % 2], output, 0, false, random() % 2 != 0);
          for (std::int8_t& shift : c.weights.shift) shift = static_cast<std::int8_t>(between(random, from_zero ? -12 : -18, -1));
          c.weights.pack_dense(c.packed->data());
          if (from_zero) c.record.output_zero = c.record.activation_min;  // a ReLU
          expect_exact(c, described(shape) + " output " + std::string(abi::name_of(output)) + (from_zero ? " from zero" : ""));
        }
      }
    }
  }
}

TEST(Conv, StagesThreeChannelsWithoutReadingAFourthOfTheLast) {
  Random random(32);
  for (std::uint32_t cols = 12; cols <= 60; cols += 3) {
    for (const ElementType input : {ElementType::kI8, ElementType::kU8}) {
      const Shape shape = {3, cols, 3, 32, 3, 3, static_cast<std::uint16_t>(1 + cols % 2), static_cast<std::uint16_t>(1 + cols % 2), 1, 1};
      expect_exact(make_conv(random, shape, input, ElementType::kI8, cols % 4 == 0 ? 5 : 0, false, false), described(shape));
    }
  }
}

TEST(Conv, CutsBandsWhereScratchIsFull) {
  Random random(3);
  for (const Shape& shape : {Shape{40, 50, 96, 20, 3, 3, 1, 1, 1, 1}, Shape{2, 3000, 64, 8, 1, 1, 1, 1, 1, 1}, Shape{3, 400, 160, 5, 3, 3, 2, 2, 1, 1}})
    expect_exact(make_conv(random, shape, ElementType::kI8, ElementType::kI8, 0, false, false), described(shape));
}

TEST(Conv, GathersWindowsTooLargeOrTooSparseToStage) {
  Random random(4);
  for (const Shape& shape : {Shape{2, 2, 7, 3, 5, 5, 1, 1, 60, 50}, Shape{1, 3, 50000, 2, 1, 1, 1, 1, 1, 1}, Shape{3, 2, 5, 18, 40, 40, 3, 2, 1, 7},
                             Shape{2, 3, 3, 20, 2, 2, 90, 70, 1, 1}, Shape{1, 2, 6000, 17, 2, 3, 1, 1, 1, 1}}) {
    for (const ElementType input : {ElementType::kI8, ElementType::kU8})
      expect_exact(make_conv(random, shape, input, ElementType::kI8, shape.in_channels < 10 ? -7 : 0, false, false), described(shape));
  }
}

TEST(Conv, ReadsOneByteAgainWithStridesOfZero) {
  Random random(5);
  const Shape shape = {3, 4, 8, 19, 3, 3, 1, 1, 1, 1};
  ConvCase c = make_conv(random, shape, ElementType::kI8, ElementType::kI8, 0, false, false);
  c.record.input_row_stride = c.record.input_pixel_stride = 0;
  c.input = std::make_unique<Guarded>(8);
  c.input->randomize(random);
  expect_exact(c, "strides of zero");
}

// oneDNN is wrong here once sums pass 2^24, and every 16-bit saturating path is wrong at once (reference/toolchain.md).
TEST(Conv, IsExactOnAllExtremeOperands) {
  Random random(6);
  for (const std::uint32_t length : {1151U, 2049U, 4609U}) {
    for (const ElementType input : {ElementType::kI8, ElementType::kU8}) {
      const Range range = range_of(input);
      for (int pattern = 0; pattern < 5; ++pattern) {
        ConvCase c = make_conv(random, {1, 13, length, 35, 1, 1, 1, 1, 1, 1}, input, ElementType::kI32, 0, false, false);
        for (std::size_t i = 0; i < c.input->size(); ++i) {
          const bool high = pattern == 0 || pattern == 2 || (pattern == 4 && random() % 2 != 0);
          c.input->data()[i] = static_cast<std::byte>(high ? range.highest : range.lowest);
        }
        for (std::int16_t& weight : c.weights.values) weight = pattern == 0 || pattern == 1 || (pattern == 4 && random() % 2 != 0) ? 127 : -128;
        c.weights.pack_dense(c.packed->data());
        expect_exact(c, "K " + std::to_string(length) + " pattern " + std::to_string(pattern) + " " + std::string(abi::name_of(input)));
        c.record.output_type = ElementType::kI8;
        c.record.output_row_stride = c.record.output_pixel_stride = 0;
        c.record.output_pixel_stride = c.record.out_channels;
        c.record.activation_min = -128, c.record.activation_max = 127;
        expect_exact(c, "requantised, K " + std::to_string(length) + " pattern " + std::to_string(pattern));
      }
    }
  }
}

TEST(Conv, WrapsItsSumsInThirtyTwoBits) {
  Random random(7);
  ConvCase c = make_conv(random, {1, 5, 100, 20, 1, 1, 1, 1, 1, 1}, ElementType::kU8, ElementType::kI32, 0, false, false);
  for (std::int64_t& start : c.weights.start) start = random() % 2 != 0 ? INT64_MAX - 5 : INT32_MAX;
  c.weights.pack_dense(c.packed->data());
  expect_exact(c, "start values at the end of the range");
  c.record.weight_zero = INT32_MIN + 1;
  expect_exact(c, "a weight zero point at the end of the range");
}

TEST(Conv, RequantisesWithExtremeMultipliersShiftsAndZeroPoints) {
  Random random(8);
  const std::int32_t multipliers[] = {0, 1, -1, INT32_MAX, INT32_MIN, INT32_MIN + 1, 1 << 30, -(1 << 30)};
  const std::int8_t shifts[] = {-128, -32, -31, -30, -1, 0, 1, 7, 15, 30, 31, 127};
  for (const ElementType output : {ElementType::kI8, ElementType::kU8, ElementType::kI16}) {
    const Range range = range_of(output);
    for (const std::int32_t zero : {range.lowest, range.highest}) {
      ConvCase c = make_conv(random, {1, zero == range.lowest ? 3U : 13U, 4, 96, 1, 1, 1, 1, 1, 1}, ElementType::kI8, output, 0, false, false);
      c.record.output_zero = zero, c.record.activation_min = range.lowest, c.record.activation_max = range.highest;
      for (std::uint32_t i = 0; i < 96; ++i) {
        c.weights.multiplier[i] = multipliers[i % 8];
        c.weights.shift[i] = shifts[i / 8];
        c.weights.start[i] = random() % 2 != 0 ? INT32_MIN : static_cast<std::int32_t>(random());
        if (c.weights.start[i] == INT32_MIN)
          for (int k = 0; k < 4; ++k) c.weights.values[i * 4 + k] = 0;
      }
      c.weights.pack_dense(c.packed->data());
      expect_exact(c, "extremes to " + std::string(abi::name_of(output)));
    }
  }
}

// Tiles of ordinary magnitudes are requantised by a shorter formula: ties of both signs, and the magnitudes at which it must not be used.
TEST(Conv, RequantisesTiesAndMagnitudesAroundTheShortWay) {
  Random random(15);
  std::vector<std::int64_t> starts;
  for (int bit = 0; bit < 31; ++bit)
    for (const std::int64_t factor : {1, 3, 5})
      for (const std::int64_t delta : {-1, 0, 1})
        for (const std::int64_t sign : {-1, 1}) starts.push_back(clamp(sign * ((factor << bit) + delta), INT32_MIN, INT32_MAX));
  std::sort(starts.begin(), starts.end());
  const auto channels = static_cast<std::uint32_t>(starts.size());
  for (int shift = -23; shift <= 0; ++shift) {
    for (const ElementType output : {ElementType::kI8, ElementType::kU8}) {
      const Range range = range_of(output);
      // One pixel, and enough for the kernels of equal steps.
      ConvCase c = make_conv(random, {1, shift % 5 == 0 ? 1U : 12U, 1, channels, 1, 1, 1, 1, 1, 1}, ElementType::kI8, output, 0, false, false);
      c.record.output_zero = shift % 3 == 0 ? range.lowest : shift % 3 == -1 ? range.highest : 5;
      c.record.activation_min = range.lowest, c.record.activation_max = range.highest - (shift % 2 == 0 ? 0 : 9);
      c.weights.start = starts;
      for (std::uint32_t i = 0; i < channels; ++i) {
        c.weights.multiplier[i] = shift % 4 == 0 ? INT32_MAX : 1 << 30;
        c.weights.shift[i] = static_cast<std::int8_t>(shift);
        c.weights.values[i] = static_cast<std::int8_t>(i % 3 == 0 ? 1 : 0);
      }
      c.input->fill(std::byte{1});
      c.weights.pack_dense(c.packed->data());
      expect_exact(c, "shift " + std::to_string(shift) + " to " + std::string(abi::name_of(output)));
    }
  }
}

// The gates of an LSTM: 8-bit products whose 16-bit results are rounded twice, in 32 bits, not as 16-bit inputs' are.
TEST(Conv, RoundsSixteenBitOutputsOfEightBitInputsTwice) {
  Random random(22);
  for (const ElementType input : {ElementType::kI8, ElementType::kU8}) {
    unsigned told_apart = 0;
    for (int round = 0; round < 20; ++round) {
      ConvCase c = make_conv(random, {1, 9, 64, 48, 1, 1, 1, 1, 1, 1}, input, ElementType::kI16, 0, false, false);
      for (std::uint32_t i = 0; i < 48; ++i) c.weights.shift[i] = static_cast<std::int8_t>(between(random, -6, -1));
      c.weights.pack_dense(c.packed->data());
      expect_exact(c, std::string(abi::name_of(input)));
      for (int i = 0; i < 200; ++i) {
        const std::int32_t sum = between(random, -300000, 300000), shift = between(random, -6, -1), multiplier = between(random, 1 << 30, INT32_MAX);
        told_apart += requant(sum, multiplier, shift) != requant_wide(sum, multiplier, shift) ? 1U : 0U;
      }
    }
    EXPECT_GT(told_apart, 100U);  // the other rule would have been noticed
  }
}

TEST(Conv, IsExactOnSixteenBitInputsAtTheirEnds) {
  Random random(23);
  for (const std::uint32_t length : {3U, 70U, 4609U}) {
    for (int pattern = 0; pattern < 6; ++pattern) {
      ConvCase c = make_conv(random, {1, 5, length, 35, 1, 1, 1, 1, 1, 1}, ElementType::kI16, ElementType::kI16, pattern == 5 ? -128 : 0, false, false);
      for (std::size_t i = 0; i < c.input->size(); i += 2)
        put(c.input->data() + i, ElementType::kI16, pattern == 0 || pattern == 2 || (pattern >= 4 && random() % 2 != 0) ? INT16_MAX : INT16_MIN);
      for (std::int16_t& weight : c.weights.values) weight = pattern == 0 || pattern == 1 || (pattern >= 4 && random() % 2 != 0) ? 127 : -128;
      for (std::uint32_t i = 0; i < 35; ++i) c.weights.shift[i] = static_cast<std::int8_t>(between(random, -31, 0));
      c.weights.pack_dense(c.packed->data());
      expect_exact(c, "K " + std::to_string(length) + " pattern " + std::to_string(pattern));
    }
  }
}

TEST(Conv, DoesNotTrustTheStoredSumOfWeightsNorThePadding) {
  Random random(9);
  ConvCase c = make_conv(random, {2, 3, 5, 9, 3, 3, 1, 1, 1, 1}, ElementType::kI8, ElementType::kI8, 0, false, false);
  const std::size_t groups = 2, taps = 9;
  for (std::uint32_t lane = 0; lane < 16; ++lane) put(c.packed->data() + 192 + 4 * lane, ElementType::kI32, static_cast<std::int32_t>(random()));
  for (std::size_t tap = 0; tap < taps; ++tap)
    for (std::uint32_t lane = 0; lane < 16; ++lane)
      for (std::uint32_t i = 5; i < 8; ++i) c.packed->data()[320 + ((tap * groups + 1) * 16 + lane) * 4 + i % 4] = static_cast<std::byte>(random());
  expect_exact(c, "made-up sums and padding");
}

TEST(Conv, SeesWeightsChangeBetweenTwoIdenticalCommands) {
  Random random(10);
  ConvCase c = make_conv(random, {1, 4, 16, 16, 1, 1, 1, 1, 1, 1}, ElementType::kI8, ElementType::kI32, 0, false, false);
  for (const KernelPath path : supported_paths()) {
    Units units(path);
    const Guarded before(4 * 16 * 4), after(4 * 16 * 4);
    units.execute(c.record, ConvPointers{c.input->data(), c.packed->data(), before.data(), nullptr});
    const std::byte kept = c.packed->data()[320 + 5];
    c.packed->data()[320 + 5] ^= std::byte{0x11};  // input 1 of channel 1
    units.execute(c.record, ConvPointers{c.input->data(), c.packed->data(), after.data(), nullptr});
    const std::int64_t change = static_cast<std::int8_t>(kept ^ std::byte{0x11}) - static_cast<std::int8_t>(kept);
    for (int pixel = 0; pixel < 4; ++pixel) {
      const std::int64_t x = get(c.input->data() + pixel * 16 + 1, ElementType::kI8);
      for (int channel = 0; channel < 16; ++channel) {
        const std::size_t at = (pixel * 16 + channel) * 4;
        EXPECT_EQ(get(after.data() + at, ElementType::kI32) - get(before.data() + at, ElementType::kI32), channel == 1 ? x * change : 0) << name_of(path);
      }
    }
    c.packed->data()[320 + 5] = kept;
  }
}

struct DepthwiseCase {
  abi::Depthwise record;
  Weights weights;
  std::unique_ptr<Guarded> input, packed;
};

DepthwiseCase make_depthwise(Random& random, const Shape& s, std::uint32_t multiplier, ElementType input, ElementType output, std::int32_t weight_zero,
                             bool gaps) {
  DepthwiseCase c;
  abi::Depthwise& r = c.record;
  r.input_type = input, r.output_type = output, r.weight_zero = weight_zero;
  r.channels = s.in_channels * multiplier, r.channel_multiplier = multiplier;
  set_window(r, s, s.in_channels, r.channels, gaps);
  c.weights = random_weights(random, r.channels, std::uint32_t{s.kernel_rows} * s.kernel_cols, 1, input == ElementType::kI16);
  c.input = std::make_unique<Guarded>(input_bytes(r, s.in_channels), abi::element_bytes(input));
  c.input->randomize(random);
  c.packed = std::make_unique<Guarded>(abi::depthwise_block_bytes(c.weights.taps) * abi::weight_blocks(r.channels));
  c.weights.pack_depthwise(c.packed->data());
  return c;
}

void expect_exact(const DepthwiseCase& c, const std::string& what) {
  const std::size_t size = output_bytes(c.record, c.record.channels);
  std::vector<std::byte> expected(size, std::byte{0xA5});
  naive(c.record, c.input->data(), c.weights, expected.data());
  for (const KernelPath path : supported_paths()) {
    Units units(path);
    const Guarded output(size);
    output.fill(std::byte{0xA5});
    const DepthwisePointers at{c.input->data(), c.packed->data(), output.data()};
    units.execute(c.record, at);
    EXPECT_TRUE(output.copy() == expected) << name_of(path) << " " << what;
    expect_parts(units, c.record, at, output, expected, what);
  }
}

/// Channels whose sums lie around values at which the rounding of requantisation turns, for every right shift: with weights of 1, a channel's sums are its start plus each code.
void set_ties(Random& random, Weights& w) {
  std::fill(w.values.begin(), w.values.end(), std::int16_t{1});
  for (std::uint32_t c = 0; c < w.channels; ++c) {
    const std::int32_t right = between(random, 1, 21);
    const std::int32_t multipliers[] = {1 << 30, INT32_MAX, between(random, 1 << 30, INT32_MAX), between(random, 1, 1 << 30), 0};
    w.multiplier[c] = multipliers[random() % 5];
    w.shift[c] = static_cast<std::int8_t>(-right);
    const double turn = (between(random, -300, 300) + (random() % 4 == 0 ? 0.0 : 0.5)) * std::exp2(31 + right) / std::max(1, w.multiplier[c]);
    w.start[c] = static_cast<std::int64_t>(std::clamp(turn, -1073000000.0, 1073000000.0)) + between(random, -100, 100);
  }
}

template <typename Case>
void try_ties(Random& random, Case& c, void (Weights::*pack)(std::byte*) const) {
  for (std::size_t i = 0; i < c.input->size(); ++i) c.input->data()[i] = static_cast<std::byte>(i);
  set_ties(random, c.weights);
  (c.weights.*pack)(c.packed->data());
  const Range range = range_of(c.record.output_type);
  for (const bool relu : {false, true}) {
    c.record.activation_min = range.lowest, c.record.activation_max = range.highest;
    c.record.output_zero = relu ? range.lowest : between(random, range.lowest, range.highest);
    expect_exact(c, relu ? "ties, bounded by the zero point" : "ties");
  }
}

TEST(Mac, RoundsAsTheFormulaWhereItTurns) {
  Random random(31);
  for (int round = 0; round < 12; ++round)
    for (const ElementType input : {ElementType::kI8, ElementType::kU8})
      for (const ElementType output : {ElementType::kI8, ElementType::kU8}) {
        ConvCase conv = make_conv(random, {1, 256, 1, 160, 1, 1, 1, 1, 1, 1}, input, output, 0, false, false);
        try_ties(random, conv, &Weights::pack_dense);
        DepthwiseCase depthwise = make_depthwise(random, {1, 64, 112, 0, 1, 1, 1, 1, 1, 1}, 1, input, output, 0, false);
        try_ties(random, depthwise, &Weights::pack_depthwise_i8);
      }
}

TEST(Depthwise, GivesTheLoopNestsBytesOnEveryPathAndType) {
  Random random(11);
  const std::vector<Shape> shapes = {
      {1, 1, 1, 0, 1, 1, 1, 1, 1, 1},  {1, 1, 33, 0, 3, 3, 1, 1, 1, 1}, {7, 9, 32, 0, 3, 3, 1, 1, 1, 1},  {5, 6, 17, 0, 3, 3, 2, 2, 1, 1},
      {3, 4, 65, 0, 5, 5, 1, 1, 1, 1}, {4, 3, 8, 0, 2, 3, 3, 2, 2, 1},  {2, 13, 48, 0, 1, 4, 1, 1, 1, 3}, {6, 1, 100, 0, 4, 1, 1, 3, 2, 2},
      {1, 8, 3, 0, 10, 8, 1, 1, 1, 1}, {1, 1, 64, 0, 7, 7, 1, 1, 1, 1}, {1, 25, 5, 0, 1, 1, 2, 2, 1, 1},  {2, 7, 16, 0, 3, 2, 1, 11, 1, 1},
      {2, 7, 32, 0, 3, 4, 1, 11, 1, 1}, {3, 8, 48, 0, 3, 1, 1, 21, 1, 1}, {3, 8, 16, 0, 5, 4, 2, 12, 1, 1}, {4, 13, 80, 0, 4, 5, 2, 2, 2, 1},
  };
  for (const Shape& shape : shapes) {
    for (const std::uint32_t multiplier : {1U, 2U, 3U, 8U}) {
      for (const ElementType input : {ElementType::kI8, ElementType::kU8, ElementType::kI16}) {
        const ElementType outputs[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32};
        const ElementType output = outputs[random() % 4];
        const std::int32_t weight_zero = random() % 2 != 0 ? between(random, -128, 127) : 0;
        expect_exact(make_depthwise(random, shape, multiplier, input, output, weight_zero, random() % 2 != 0),
                     described(shape) + " multiplier " + std::to_string(multiplier) + " input " + std::string(abi::name_of(input)) + " output " +
                         std::string(abi::name_of(output)) + " weight_zero " + std::to_string(weight_zero));
      }
    }
  }
}

/// The same with weights of 16 bits (a quarter of them at the ends of the range), whose sums are of 32 bits whatever the input is.
DepthwiseCase make_wide_weights(Random& random, const Shape& s, std::uint32_t multiplier, ElementType input, ElementType output, std::int32_t weight_zero, bool gaps) {
  DepthwiseCase c = make_depthwise(random, s, multiplier, input, output, weight_zero, gaps);
  c.record.weight_format = abi::WeightFormat::kDepthwiseI16;
  for (std::int16_t& weight : c.weights.values) weight = static_cast<std::int16_t>(random() % 4 == 0 ? (random() % 2 == 0 ? INT16_MIN : INT16_MAX) : random());
  for (std::uint32_t i = 0; i < c.record.channels; ++i) c.weights.shift[i] = static_cast<std::int8_t>(between(random, -24, 3));
  if (random() % 4 == 0) {
    for (std::size_t i = 0; i + 1 < c.input->size(); i += 2) put(c.input->data() + i, ElementType::kI16, random() % 2 == 0 ? INT16_MIN : INT16_MAX);
  }
  c.packed = std::make_unique<Guarded>(abi::depthwise_block_bytes(c.weights.taps, 2) * abi::weight_blocks(c.record.channels));
  c.weights.pack_depthwise(c.packed->data(), ElementType::kI16);
  return c;
}

TEST(Depthwise, TakesWeightsOfSixteenBitsWithEveryOutputType) {
  Random random(21);
  const std::vector<Shape> shapes = {{1, 1, 1, 0, 1, 1, 1, 1, 1, 1}, {7, 9, 32, 0, 3, 3, 1, 1, 1, 1}, {3, 5, 35, 0, 10, 1, 1, 1, 1, 1}, {1, 1, 100, 0, 8, 1, 1, 1, 1, 1},
                                     {2, 13, 48, 0, 1, 4, 1, 1, 1, 3}, {5, 6, 17, 0, 3, 3, 2, 2, 1, 1},  {2, 2, 3, 0, 5, 5, 1, 1, 70, 60}, {2, 3, 2, 0, 45, 45, 1, 1, 1, 1}};
  for (const Shape& shape : shapes)
    for (const std::uint32_t multiplier : {1U, 3U})
      for (const ElementType input : {ElementType::kI8, ElementType::kI16})
        for (const ElementType output : {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32})
          for (const std::int32_t weight_zero : {0, -128, 127})
            expect_exact(make_wide_weights(random, shape, multiplier, input, output, weight_zero, random() % 2 != 0),
                         described(shape) + " multiplier " + std::to_string(multiplier) + " input " + std::string(abi::name_of(input)) + " output " +
                             std::string(abi::name_of(output)) + " weight_zero " + std::to_string(weight_zero));
}

TEST(Depthwise, CutsBandsAndGathersWhereScratchIsFull) {
  Random random(12);
  for (const Shape& shape : {Shape{30, 120, 33, 0, 3, 3, 1, 1, 1, 1}, Shape{2, 2, 3, 0, 5, 5, 1, 1, 70, 60}, Shape{2, 3, 2, 0, 45, 45, 1, 1, 1, 1},
                             Shape{1, 5000, 5, 0, 1, 3, 1, 1, 1, 1}, Shape{2, 7, 35, 0, 33, 32, 1, 1, 1, 1}})
    expect_exact(make_depthwise(random, shape, 1, ElementType::kI8, ElementType::kI8, 0, false), described(shape));
}

TEST(Depthwise, IsExactOnExtremeOperandsAndZeroPoints) {
  Random random(13);
  for (const ElementType input : {ElementType::kI8, ElementType::kU8}) {
    const Range range = range_of(input);
    for (const std::int32_t weight_zero : {0, -128, 127, 128, -129, 70000, INT32_MIN}) {
      for (int pattern = 0; pattern < 4; ++pattern) {
        DepthwiseCase c = make_depthwise(random, {2, 7, 40, 0, 9, 9, 1, 1, 1, 1}, 1, input, ElementType::kI32, weight_zero, false);
        c.input->fill(static_cast<std::byte>(pattern % 2 != 0 ? range.highest : range.lowest));
        for (std::int16_t& weight : c.weights.values) weight = pattern / 2 != 0 ? 127 : -128;
        c.weights.pack_depthwise(c.packed->data());
        expect_exact(c, "extremes, weight_zero " + std::to_string(weight_zero) + " pattern " + std::to_string(pattern));
      }
    }
  }
}

TEST(Mac, ConvAndDepthwiseAreExactWithGapsAndAZeroPoint) {
  Random random(14);
  for (const Shape& shape : kConvShapes) {
    for (const ElementType input : {ElementType::kI8, ElementType::kU8}) {
      const ElementType outputs[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32};
      const ElementType output = outputs[random() % 4];
      const ConvCase c = make_conv(random, shape, input, output, random() % 2 != 0 ? 5 : 0, random() % 2 != 0, true);
      expect_exact(c, described(shape));
      expect_exact(make_depthwise(random, shape, 1 + random() % 2, input, output, 0, false), described(shape));
    }
  }
}

}  // namespace
}  // namespace naru::mockdev::test
