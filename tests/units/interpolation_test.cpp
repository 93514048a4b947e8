// Goal: curve, resize and pack do what their records' loops say. Method: each loop nest again, from numerics 17 and 25 and weights.h, on random
// parameters and at the ends of their ranges; operands end at unmapped memory.
#include <gtest/gtest.h>

#include <cmath>

#include "naive.h"
#include "naru/abi/sigmoid.h"

namespace naru::mockdev::test {
namespace {

/// Numerics 25 in 128 bits. `table` as it lies in memory.
std::int64_t curve(abi::CurveKind kind, const std::byte* table, std::int64_t input, std::int32_t multiplier, int shift) {
  const auto entry = [&](std::int64_t n) { return get(table + 2 * n, ElementType::kI16) & 0xFFFF; };
  const std::int64_t x = (input * multiplier + (shift > 0 ? std::int64_t{1} << (shift - 1) : 0)) >> shift;
  const __int128 a = x < 0 ? -static_cast<__int128>(x) : x;
  const bool sigmoid = kind == abi::CurveKind::kSigmoid;
  const int bits = sigmoid ? 9 : 8;
  __int128 r = sigmoid ? 0x7FFF << 10 : 0xFFFF << 8;
  if (a >> bits < 255) {
    const auto n = static_cast<std::int64_t>(a >> bits);
    r = entry(n) * (1 << bits) + static_cast<std::int64_t>(a % (1 << bits)) * (entry(n + 1) - entry(n));
  }
  const __int128 y = sigmoid ? (x >= 0 ? r + (1 << 9) : (1 << 25) - r + (1 << 9) - 1) >> 10 : (x >= 0 ? r - (1 << 23) + (1 << 7) : -r + (1 << 23) + (1 << 7) - 1) >> 8;
  return clamp(static_cast<std::int64_t>(y), INT16_MIN, INT16_MAX);
}

std::vector<std::int64_t> run_curve(const abi::Curve& record, const std::vector<std::int64_t>& inputs, const Guarded& table) {
  const Guarded input(2 * inputs.size(), 2), output(2 * inputs.size(), 2);
  for (std::size_t i = 0; i < inputs.size(); ++i) put(input.data() + 2 * i, ElementType::kI16, inputs[i]);
  Units(KernelPath::kPortable).execute(record, TablePointers{input.data(), table.data(), output.data()});
  std::vector<std::int64_t> results;
  for (std::size_t i = 0; i < inputs.size(); ++i) results.push_back(get(output.data() + 2 * i, ElementType::kI16));
  return results;
}

abi::Curve curve_record(abi::CurveKind kind, std::int32_t multiplier, int shift, std::size_t count) {
  abi::Curve c;
  c.kind = kind;
  c.multiplier = multiplier;
  c.shift = static_cast<std::uint8_t>(shift);
  c.extent = {1, 1, 1, static_cast<std::uint32_t>(count)};
  c.input_stride = c.output_stride = {0, 0, 0, 2};
  return c;
}

TEST(Curve, GivesTheLoopNestsValuesForEveryInputAndAnyTable) {
  Random random(50);
  std::vector<std::int64_t> inputs;
  for (std::int64_t x = INT16_MIN; x <= INT16_MAX; ++x) inputs.push_back(x);
  const Guarded real(512, 2), any(512, 2);
  for (std::size_t n = 0; n < 256; ++n) put(real.data() + 2 * n, ElementType::kI16, abi::kSigmoidU16[n]);
  for (const abi::CurveKind kind : {abi::CurveKind::kSigmoid, abi::CurveKind::kTanh}) {
    for (int round = 0; round < 24; ++round) {
      const int shift = round % 3 == 0 ? static_cast<int>(between(random, 0, 31)) : static_cast<int>(between(random, 8, 16));
      const auto multiplier = static_cast<std::int32_t>(round == 0 ? INT32_MAX : round == 1 ? 0 : round == 2 ? 3 : between(random, 0, round % 2 == 0 ? INT32_MAX : 70000));
      any.randomize(random);
      for (const Guarded* table : {&real, &any}) {
        const std::vector<std::int64_t> results = run_curve(curve_record(kind, multiplier, round < 3 ? 0 : shift, inputs.size()), inputs, *table);
        for (std::size_t i = 0; i < inputs.size(); ++i)
          ASSERT_EQ(results[i], curve(kind, table->data(), inputs[i], multiplier, round < 3 ? 0 : shift)) << "input " << inputs[i] << " multiplier " << multiplier << " shift " << shift;
      }
    }
  }
}

TEST(Curve, IsTheRealSigmoidAndTanhWithinAFewSteps) {
  const Guarded table(512, 2);
  for (std::size_t n = 0; n < 256; ++n) put(table.data() + 2 * n, ElementType::kI16, abi::kSigmoidU16[n]);
  std::vector<std::int64_t> inputs;
  for (std::int64_t x = INT16_MIN; x <= INT16_MAX; x += 7) inputs.push_back(x);
  // Inputs in 1/4096, as an LSTM's gates have them: three times that is 1/12288.
  const auto sigmoid = run_curve(curve_record(abi::CurveKind::kSigmoid, 3, 0, inputs.size()), inputs, table);
  const auto tanh = run_curve(curve_record(abi::CurveKind::kTanh, 3, 0, inputs.size()), inputs, table);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double x = static_cast<double>(inputs[i]) / 4096;
    EXPECT_NEAR(static_cast<double>(sigmoid[i]), 32768 / (1 + std::exp(-x)), 8) << x;
    EXPECT_NEAR(static_cast<double>(tanh[i]), 32768 * std::tanh(x), 16) << x;
  }
}

/// Numerics 17 in 128 bits, as TFLite's loop writes it.
std::int64_t resized(const abi::Resize& c, const std::byte* input, std::uint64_t row, std::uint64_t col, std::uint64_t channel) {
  struct Side {
    std::int64_t low, high;
    __int128 weight;
  };
  const auto side = [](std::uint64_t i, std::int32_t scale, std::int32_t offset, std::uint32_t count) {
    const __int128 position = static_cast<__int128>(i) * scale + offset;
    const auto bounded = [&](__int128 at) { return static_cast<std::int64_t>(at < 0 ? 0 : at > count - 1 ? count - 1 : at); };
    const std::int64_t low = bounded(position / 1024);
    return Side{low, bounded((position + 1023) / 1024), position - 1024 * static_cast<__int128>(low)};
  };
  const Side y = side(row, c.row_scale, c.row_offset, c.in_rows), x = side(col, c.col_scale, c.col_offset, c.in_cols);
  const auto at = [&](std::int64_t r, std::int64_t q) {
    return get(input + static_cast<std::uint64_t>(r) * c.input_row_stride + static_cast<std::uint64_t>(q) * c.input_pixel_stride + channel * abi::element_bytes(c.type), c.type);
  };
  // 256 bits would be needed for hostile scales; where a side's two elements are one, its weights count for 1024.
  const __int128 y_high = y.low == y.high ? 0 : y.weight, x_high = x.low == x.high ? 0 : x.weight;
  __int128 v = (1024 - y_high) * ((1024 - x_high) * at(y.low, x.low) + x_high * at(y.low, x.high)) + y_high * ((1024 - x_high) * at(y.high, x.low) + x_high * at(y.high, x.high));
  v += v > 0 ? 1 << 19 : -(1 << 19);
  return static_cast<std::int64_t>(v / (1 << 20));
}

TEST(Resize, GivesTheLoopNestsCodesAndReadsNothingOutsideTheDeclaredInput) {
  Random random(51);
  for (int round = 0; round < 400; ++round) {
    abi::Resize c;
    c.type = round % 2 == 0 ? ElementType::kI8 : ElementType::kI16;
    const std::uint32_t size = abi::element_bytes(c.type);
    const auto count = [&](std::int64_t high) { return static_cast<std::uint32_t>(between(random, 1, high)); };
    c.in_rows = count(7), c.in_cols = count(7), c.out_rows = count(12), c.out_cols = count(12), c.channels = count(round % 5 == 0 ? 70 : 9);
    c.input_pixel_stride = (c.channels + static_cast<std::uint32_t>(random() % 2)) * size;
    c.input_row_stride = c.in_cols * c.input_pixel_stride + size * static_cast<std::uint32_t>(random() % 3);
    c.output_pixel_stride = (c.channels + static_cast<std::uint32_t>(random() % 2)) * size;
    c.output_row_stride = c.out_cols * c.output_pixel_stride;
    const auto scale = [&](std::uint32_t in, std::uint32_t out) {
      return static_cast<std::int32_t>(round % 7 == 0 ? between(random, INT32_MIN, INT32_MAX) : round % 7 == 1 ? between(random, -2000, 2000) : (1024 * in + out / 2) / out);
    };
    c.row_scale = scale(c.in_rows, c.out_rows), c.col_scale = scale(c.in_cols, c.out_cols);
    c.row_offset = static_cast<std::int32_t>(round % 7 == 0 ? between(random, INT32_MIN, INT32_MAX) : round % 3 == 0 ? c.row_scale / 2 - 512 : between(random, -3000, 9000));
    c.col_offset = static_cast<std::int32_t>(round % 7 == 0 ? between(random, INT32_MIN, INT32_MAX) : round % 3 == 0 ? c.col_scale / 2 - 512 : between(random, -3000, 9000));
    if (round == 7) c.row_scale = c.row_offset = INT32_MIN, c.col_scale = c.col_offset = INT32_MAX;
    const Guarded input((c.in_rows - 1) * std::size_t{c.input_row_stride} + (c.in_cols - 1) * std::size_t{c.input_pixel_stride} + c.channels * size, size);
    input.randomize(random);
    if (round % 11 == 0)
      for (std::size_t i = 0; i + size <= input.size(); i += size) put(input.data() + i, c.type, random() % 2 == 0 ? (size == 1 ? -128 : INT16_MIN) : (size == 1 ? 127 : INT16_MAX));
    std::vector<std::byte> expected((c.out_rows - 1) * std::size_t{c.output_row_stride} + (c.out_cols - 1) * std::size_t{c.output_pixel_stride} + c.channels * size, std::byte{0xA5});
    for (std::uint64_t row = 0; row < c.out_rows; ++row)
      for (std::uint64_t col = 0; col < c.out_cols; ++col)
        for (std::uint64_t channel = 0; channel < c.channels; ++channel)
          put(expected.data() + row * c.output_row_stride + col * c.output_pixel_stride + channel * size, c.type, resized(c, input.data(), row, col, channel));
    const Guarded output(expected.size(), size);
    output.fill(std::byte{0xA5});
    Units(KernelPath::kPortable).execute(c, UnaryPointers{input.data(), output.data()});
    ASSERT_TRUE(output.copy() == expected) << "round " << round;
  }
}

TEST(Resize, RoundsHalfAwayFromZero) {
  abi::Resize c;
  c.in_cols = 2;
  c.channels = 4;
  c.input_row_stride = 8, c.input_pixel_stride = c.output_row_stride = c.output_pixel_stride = 4;
  c.col_offset = 512;  // the mean of both pixels
  const std::int8_t pixels[8] = {1, -1, 2, 127, 2, -2, 2, 126};
  std::int8_t mean[4] = {};
  Units(KernelPath::kPortable).execute(c, UnaryPointers{reinterpret_cast<const std::byte*>(pixels), reinterpret_cast<std::byte*>(mean)});
  EXPECT_EQ(mean[0], 2);
  EXPECT_EQ(mean[1], -2);
  EXPECT_EQ(mean[2], 2);
  EXPECT_EQ(mean[3], 127);
}

TEST(Pack, WritesEveryByteOfTheWeightObjectAsTheLayoutSaysIt) {
  Random random(52);
  for (int round = 0; round < 300; ++round) {
    abi::Pack c;
    c.input_type = random() % 2 == 0 ? ElementType::kI8 : ElementType::kU8;
    c.channels = static_cast<std::uint32_t>(between(random, 1, 50));
    c.depth = static_cast<std::uint32_t>(between(random, 1, 40));
    const int layout = round % 4;  // [channel][depth], [depth][channel], gaps, one byte over and over
    c.channel_stride = layout == 0 ? c.depth : layout == 1 ? 1 : layout == 2 ? 2 : 0;
    c.depth_stride = layout == 0 ? 1 : layout == 1 ? c.channels + static_cast<std::uint32_t>(random() % 2) : layout == 2 ? 2 * c.channels + 1 : 0;
    c.input_zero = static_cast<std::int32_t>(round % 5 == 0 ? (random() % 2 == 0 ? INT16_MIN : INT16_MAX) : between(random, -128, 255));
    c.weight_zero = static_cast<std::int32_t>(between(random, -128, 127));
    c.multiplier = static_cast<std::int32_t>(random() & 0x7FFFFFFF);
    c.shift = static_cast<std::int8_t>(between(random, -31, 30));
    const Guarded input(std::size_t{c.channels - 1} * c.channel_stride + std::size_t{c.depth - 1} * c.depth_stride + 1);
    input.randomize(random);
    Weights weights{c.channels, 1, c.depth, {}, {}, {}, {}};
    for (std::uint32_t n = 0; n < c.channels; ++n) {
      std::int64_t sum = 0;
      for (std::uint32_t k = 0; k < c.depth; ++k) {
        const std::int64_t x = get(input.data() + std::size_t{n} * c.channel_stride + std::size_t{k} * c.depth_stride, c.input_type);
        weights.values.push_back(static_cast<std::int16_t>(c.input_type == ElementType::kU8 ? x - 128 : x));
        sum += weights.values.back() - c.weight_zero;
      }
      weights.start.push_back(-c.input_zero * sum);
      weights.multiplier.push_back(c.multiplier);
      weights.shift.push_back(c.shift);
    }
    std::vector<std::byte> expected(abi::dense_block_bytes(1, c.depth) * abi::weight_blocks(c.channels));
    weights.pack_dense(expected.data());
    const Guarded output(expected.size(), 64);
    output.fill(std::byte{0xA5});
    Units(KernelPath::kPortable).execute(c, UnaryPointers{input.data(), output.data()});
    ASSERT_TRUE(output.copy() == expected) << "round " << round;
  }
}

/// What it is for: the product of two activations with zero points of their own, by pack and convolution.
TEST(Pack, MakesConvolutionsMultiplyTwoActivations) {
  Random random(53);
  for (const ElementType type : {ElementType::kI8, ElementType::kU8}) {
    for (int round = 0; round < 20; ++round) {
      const auto rows = static_cast<std::uint32_t>(between(random, 1, 20)), columns = static_cast<std::uint32_t>(between(random, 1, 40));
      const auto depth = static_cast<std::uint32_t>(between(random, 1, 70));
      const std::int32_t low = type == ElementType::kI8 ? -128 : 0;
      const auto left_zero = static_cast<std::int32_t>(between(random, low, low + 255)), right_zero = static_cast<std::int32_t>(between(random, low, low + 255));
      const Guarded left(std::size_t{rows} * depth), right(std::size_t{depth} * columns), packed(abi::dense_block_bytes(1, depth) * abi::weight_blocks(columns), 64);
      left.randomize(random), right.randomize(random);
      abi::Pack pack;
      pack.input_type = type;
      pack.channels = columns, pack.depth = depth, pack.channel_stride = 1, pack.depth_stride = columns;
      pack.input_zero = left_zero, pack.weight_zero = type == ElementType::kU8 ? right_zero - 128 : right_zero;
      abi::Conv conv;
      conv.input_type = type, conv.output_type = ElementType::kI32;
      conv.out_cols = rows, conv.out_channels = columns, conv.in_channels = depth;
      conv.input_pixel_stride = depth, conv.output_pixel_stride = 4 * columns;
      conv.weight_zero = pack.weight_zero;
      for (const KernelPath path : supported_paths()) {
        Units units(path);
        const Guarded product(std::size_t{4} * rows * columns, 4);
        units.execute(pack, UnaryPointers{right.data(), packed.data()});
        units.execute(conv, ConvPointers{left.data(), packed.data(), product.data(), nullptr});
        for (std::uint32_t r = 0; r < rows; ++r)
          for (std::uint32_t q = 0; q < columns; ++q) {
            std::int64_t sum = 0;
            for (std::uint32_t k = 0; k < depth; ++k)
              sum += (get(left.data() + std::size_t{r} * depth + k, type) - left_zero) * (get(right.data() + std::size_t{k} * columns + q, type) - right_zero);
            ASSERT_EQ(get(product.data() + 4 * (std::size_t{r} * columns + q), ElementType::kI32), sum) << name_of(path) << " " << abi::name_of(type);
          }
      }
    }
  }
}

}  // namespace
}  // namespace naru::mockdev::test
