// Goal: the judge of streams computes what the instruction set says. Method: small cases worked out by hand, one or more per command.

#include "reference/stream/stream_interpreter.h"

#include <cmath>

#include "naru/base/random.h"
#include "reference/stream/arithmetic.h"
#include "reference/stream/softmax.h"
#include "stream_support.h"

namespace naru::test {
namespace {

using sdk::reference::interpret_stream;

constexpr std::int32_t kHalf = 1 << 30;  // with a shift of 1: exactly one

/// The usual regions as host memory, all of them readable and writable by the test.
class Bench {
 public:
  Bench() {
    for (auto& region : memory_) region.resize(kRegionBytes);
  }

  template <typename T>
  void put(unsigned region, std::size_t offset, const std::vector<T>& values) {
    for (std::size_t i = 0; i < values.size(); ++i) store_le<T>(memory_[region].data() + offset + i * sizeof(T), values[i]);
  }
  template <typename T>
  std::vector<T> get(unsigned region, std::size_t offset, std::size_t count) const {
    std::vector<T> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(load_le<T>(memory_[region].data() + offset + i * sizeof(T)));
    return values;
  }
  std::vector<std::int8_t> codes(std::size_t offset, std::size_t count) const { return get<std::int8_t>(kSram, offset, count); }

  /// One block of channel records; every channel with the same start, multiplier and shift unless `starts` says otherwise.
  void put_records(std::size_t offset, const std::vector<std::int64_t>& starts, std::int32_t multiplier, std::int8_t shift) {
    put<std::int64_t>(kTables, offset, starts);
    put<std::int32_t>(kTables, offset + 128, std::vector<std::int32_t>(16, multiplier));
    put<std::int8_t>(kTables, offset + 256, std::vector<std::int8_t>(16, shift));
  }

  Result<void> run(const Stream& stream, std::uint64_t steps_max = 1'000'000) {
    std::vector<std::span<std::byte>> spans(memory_.begin(), memory_.end());
    return interpret_stream(stream, spans, steps_max);
  }
  /// Runs one command that the verifier accepts too.
  template <typename T>
  void run(const T& command) {
    expect_accepted(single(command));
    const auto result = run(single(command));
    ASSERT_TRUE(result.has_value()) << result.error().to_string(true);
  }
  void expect_error(const Stream& stream, ErrorId id, std::uint64_t steps_max = 1'000'000) {
    const auto result = run(stream, steps_max);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().id_text(), Error(id, "").id_text()) << result.error().message();
  }

 private:
  std::array<std::vector<std::byte>, 5> memory_;
};

using I8 = std::vector<std::int8_t>;

TEST(InterpreterArithmetic, RoundsAsTheDefinitionsSay) {
  using namespace sdk::reference;
  EXPECT_EQ(doubling_high_product(3, 1 << 30), 2);    // 1.5 and -1.5 go up
  EXPECT_EQ(doubling_high_product(-3, 1 << 30), -1);
  EXPECT_EQ(doubling_high_product(std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::min()), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(divide_by_power(3, 1), 2);  // half away from zero
  EXPECT_EQ(divide_by_power(-3, 1), -2);
  EXPECT_EQ(divide_by_power(-1, 2), 0);
  EXPECT_EQ(divide_by_power(std::numeric_limits<std::int32_t>::min(), 31), -1);
  EXPECT_EQ(multiply_by_power(0x4000'0001, 2), 4);
  EXPECT_EQ(requantize(100, kHalf, 1), 100);
  EXPECT_EQ(requantize(5, kHalf, -1), 2);   // 2.5 -> 3, 3 / 2 -> 2
  EXPECT_EQ(requantize(-5, kHalf, -1), -1); // -2.5 -> -2, -1
  EXPECT_EQ(requantize(100, kHalf, 127), requantize(100, kHalf, 30));
  EXPECT_EQ(requantize(100, kHalf, -128), requantize(100, kHalf, -31));
  EXPECT_EQ(requantize_wide(1000, kHalf, 1), 1000);  // (1000 * 2^14 + 2^13) >> 14
  EXPECT_EQ(requantize_wide(-3, kHalf, 0), -1);      // -1.5, half up
  EXPECT_EQ(requantize_wide(1 << 20, 0x7FFFFFFF, 0), ((std::int64_t{1} << 20) * 0x7FFF + (1 << 14)) >> 15);
}

TEST(Interpreter, CopiesRowsByDma) {
  Bench bench;
  I8 image(64);
  for (int i = 0; i < 64; ++i) image[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(i);
  bench.put<std::int8_t>(kConstants, 0, image);
  Dma dma;
  dma.source = Operand::at(kConstants, 8 + 2);  // a 2 x 3 tile of an 8-wide image
  dma.target = Operand::at(kSram, 5);
  dma.row_bytes = 3;
  dma.count = {1, 1, 2};
  dma.source_stride = {0, 0, 8};
  dma.target_stride = {0, 0, 4};
  bench.run(dma);
  EXPECT_EQ(bench.codes(4, 9), (I8{0, 10, 11, 12, 0, 18, 19, 20, 0}));
}

TEST(Interpreter, FillsElementsOfAnyWidth) {
  Bench bench;
  Fill fill = good_fill();
  fill.target = Operand::at(kSram, 4);
  fill.row_bytes = 4;
  fill.count = {1, 1, 2};
  fill.target_stride = {0, 0, 6};
  bench.run(fill);
  EXPECT_EQ((bench.get<std::int16_t>(kSram, 0, 8)), (std::vector<std::int16_t>{0, 0, -3, -3, 0, -3, -3, 0}));
}

TEST(Interpreter, MovesWithAnyPermutation) {
  Bench bench;
  bench.put<std::int32_t>(kSram, 0, {1, 2, 3, 4, 5, 6});
  Move move = good_move();
  move.extent = {1, 1, 2, 3};
  move.input_stride = {0, 0, 12, 4};
  move.output_stride = {0, 0, 4, 8};
  bench.run(move);
  EXPECT_EQ((bench.get<std::int32_t>(kSram, 4096, 6)), (std::vector<std::int32_t>{1, 4, 2, 5, 3, 6}));
}

/// 1 x 2 outputs of a 1 x 2 kernel over three pixels of 2 channels, one output channel of weights {1, 2}, {3, -4}.
Conv small_conv() {
  Conv c;
  c.input = Operand::at(kSram, 0);
  c.weights = Operand::at(kTables, 0);
  c.output = Operand::at(kSram, 100);
  c.out_cols = 2;
  c.in_channels = 2;
  c.kernel_cols = 2;
  c.input_pixel_stride = 2;
  c.output_pixel_stride = 1;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
void put_small_conv(Bench& bench) {
  bench.put<std::int8_t>(kSram, 0, {1, 2, 3, 4, 5, 6});
  bench.put_records(0, {10}, kHalf, 1);
  bench.put<std::int8_t>(kTables, 320, {1, 2});       // tap 0: group of 4 inputs of channel 0
  bench.put<std::int8_t>(kTables, 320 + 64, {3, -4});  // tap 1
}

TEST(Interpreter, ConvolvesByTheLoopNest) {
  Bench bench;
  put_small_conv(bench);
  bench.run(small_conv());
  // 10 + 1 + 4 + 9 - 16 = 8;  10 + 3 + 8 + 15 - 24 = 12
  EXPECT_EQ(bench.codes(100, 2), (I8{8, 12}));
}

TEST(Interpreter, ConvolvesWithZeroPointsClampAndStride) {
  Bench bench;
  put_small_conv(bench);
  Conv conv = small_conv();
  conv.weight_zero = 1;  // minus the sum of the window: 10, 18
  conv.output_zero = 5;
  conv.activation_max = 2;
  bench.run(conv);
  EXPECT_EQ(bench.codes(100, 2), (I8{2, -1}));
  conv = small_conv();
  conv.out_cols = 1;
  conv.dilation_cols = 2;  // taps at pixels 0 and 2: 10 + 1 + 4 + 15 - 24
  bench.run(conv);
  EXPECT_EQ(bench.codes(100, 1), I8{6});
}

TEST(Interpreter, ConvolvesUnsignedInputs) {
  Bench bench;
  put_small_conv(bench);
  bench.put<std::uint8_t>(kSram, 0, {200, 0, 0, 0});
  Conv conv = small_conv();
  conv.input_type = conv.output_type = ElementType::kU8;
  conv.activation_min = 0;
  conv.activation_max = 255;
  conv.out_cols = 1;
  bench.run(conv);
  EXPECT_EQ((bench.get<std::uint8_t>(kSram, 100, 1)), std::vector<std::uint8_t>{210});
}

TEST(Interpreter, ConvolvesFromAndToAccumulators) {
  Bench bench;
  put_small_conv(bench);
  Conv conv = small_conv();
  conv.start = Start::kPartial;
  conv.partial = Operand::at(kSram, 200);
  conv.partial_pixel_stride = conv.output_pixel_stride = 4;
  conv.output_type = ElementType::kI32;
  conv.activation_min = conv.activation_max = 0;
  bench.put<std::int32_t>(kSram, 200, {1'000'000, std::numeric_limits<std::int32_t>::max()});
  bench.run(conv);
  // Without the records' start of 10; the second one wraps.
  EXPECT_EQ((bench.get<std::int32_t>(kSram, 100, 2)), (std::vector<std::int32_t>{999'998, std::numeric_limits<std::int32_t>::min() + 1}));
}

TEST(Interpreter, ConvolvesWideInputsIn64Bits) {
  Bench bench;
  bench.put_records(0, {std::int64_t{1} << 33}, kHalf, -18);  // (2^33 + ...) / 2^19 = 16384
  bench.put<std::int8_t>(kTables, 320, {1, 0});
  bench.put<std::int16_t>(kSram, 0, {-300, 7});
  Conv conv = small_conv();
  conv.input_type = conv.output_type = ElementType::kI16;
  conv.kernel_cols = conv.out_cols = 1;
  conv.input_pixel_stride = 4;
  conv.output_pixel_stride = 2;
  conv.activation_min = -32768;
  conv.activation_max = 32767;
  bench.run(conv);
  EXPECT_EQ((bench.get<std::int16_t>(kSram, 100, 1)), std::vector<std::int16_t>{16384});
}

TEST(Interpreter, FindsTheSecondBlockOfOutputChannels) {
  Bench bench;
  bench.put<std::int8_t>(kSram, 0, {1, 2, 3, 4, 5});
  const std::size_t block = 320 + 2 * 64;
  bench.put_records(0, std::vector<std::int64_t>(16, 3), kHalf, 1);
  bench.put_records(block, std::vector<std::int64_t>(16, 4), kHalf, 1);
  bench.put<std::int8_t>(kTables, block + 320 + 64 + 3 * 4, {7});  // channel 19, input 4
  Conv conv = small_conv();
  conv.kernel_cols = conv.out_cols = 1;
  conv.in_channels = 5;
  conv.out_channels = 20;
  bench.run(conv);
  EXPECT_EQ(bench.codes(100, 20), (I8{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 39}));
}

TEST(Interpreter, ConvolvesDepthwise) {
  Bench bench;
  bench.put<std::int8_t>(kSram, 0, {1, 2, 3, 4});  // two pixels of two channels
  bench.put_records(0, {0, 0, 100, 0}, kHalf, 1);
  bench.put<std::int8_t>(kTables, 320, {1, 2, 3, 4});       // tap 0, channels 0 to 3
  bench.put<std::int8_t>(kTables, 320 + 16, {5, 6, 7, 8});  // tap 1
  Depthwise c;
  c.input = Operand::at(kSram, 0);
  c.weights = Operand::at(kTables, 0);
  c.output = Operand::at(kSram, 100);
  c.channels = 4;
  c.channel_multiplier = 2;
  c.kernel_cols = 2;
  c.input_pixel_stride = 2;
  c.output_pixel_stride = 4;
  c.activation_min = -128;
  c.activation_max = 127;
  bench.run(c);
  // inputs of channels 0, 1: pixel channel 0 = {1, 3}; of 2, 3: {2, 4}
  EXPECT_EQ(bench.codes(100, 4), (I8{16, 20, 127, 40}));
}

Elementwise small_elementwise(ElementwiseOp op) {
  Elementwise c;
  c.a = Operand::at(kSram, 0);
  c.b = Operand::at(kSram, 16);
  c.output = Operand::at(kSram, 32);
  c.op = op;
  c.extent = {1, 1, 1, 4};
  c.a_stride = c.b_stride = c.output_stride = {0, 0, 0, 1};
  c.activation_min = -128;
  c.activation_max = 127;
  if (op == ElementwiseOp::kMinimum || op == ElementwiseOp::kMaximum) return c;
  c.output_multiplier = kHalf;
  c.output_shift = 1;
  if (op == ElementwiseOp::kMul) return c;
  c.a_multiplier = c.b_multiplier = kHalf;
  c.a_shift = c.b_shift = 1;
  return c;
}

TEST(Interpreter, ComputesElementwise) {
  Bench bench;
  bench.put<std::int8_t>(kSram, 0, {1, -2, 100, -100});
  bench.put<std::int8_t>(kSram, 16, {5, 6, 100, 7});
  const auto result = [&](const Elementwise& c) {
    bench.run(c);
    return bench.codes(32, 4);
  };
  EXPECT_EQ(result(small_elementwise(ElementwiseOp::kAdd)), (I8{6, 4, 127, -93}));
  EXPECT_EQ(result(small_elementwise(ElementwiseOp::kSub)), (I8{-4, -8, 0, -107}));
  EXPECT_EQ(result(small_elementwise(ElementwiseOp::kMul)), (I8{5, -12, 127, -128}));
  EXPECT_EQ(result(small_elementwise(ElementwiseOp::kMinimum)), (I8{1, -2, 100, -100}));
  EXPECT_EQ(result(small_elementwise(ElementwiseOp::kMaximum)), (I8{5, 6, 100, 7}));
  EXPECT_EQ(result(small_elementwise(ElementwiseOp::kSquaredDifference)), (I8{16, 64, 0, 127}));
  Elementwise shifted = small_elementwise(ElementwiseOp::kAdd);
  shifted.left_shift = 20;
  shifted.output_shift = -19;  // half of 2^-19: takes the left shift back
  shifted.a_zero = 1;
  shifted.b_zero = 5;
  shifted.output_zero = -7;
  EXPECT_EQ(result(shifted), (I8{-7, -9, 127, -106}));
  Elementwise broadcast = small_elementwise(ElementwiseOp::kMul);
  broadcast.b_stride = {0, 0, 0, 0};
  broadcast.b_zero = 3;
  EXPECT_EQ(result(broadcast), (I8{2, -4, 127, -128}));
}

TEST(Interpreter, RequantizesAndLooksUp) {
  Bench bench;
  bench.put<std::int32_t>(kSram, 0, {3, -3, 1000, std::numeric_limits<std::int32_t>::min()});
  Requantize c = good_requantize();
  c.extent = {1, 1, 1, 4};
  c.output_zero = 1;
  bench.run(c);  // halves: 1.5 up to 2, -1.5 up to -1
  EXPECT_EQ(bench.codes(2048, 4), (I8{3, 0, 127, -128}));
  bench.put<std::int8_t>(kSram, 0, {-128, 0, 127, 1});
  I8 entries(256);
  for (int i = 0; i < 256; ++i) entries[static_cast<std::size_t>(i)] = static_cast<std::int8_t>(100 - i);
  bench.put<std::int8_t>(kTables, 3, entries);
  Table table = good_table();
  table.extent = {1, 1, 1, 4};
  bench.run(table);
  EXPECT_EQ(bench.codes(2048, 4), (I8{100, -28, 101, -29}));
}

TEST(Interpreter, PoolsOverTapsInsideTheImage) {
  Bench bench;
  bench.put<std::int8_t>(kSram, 0, {1, 2, -3, -4});  // 2 x 2
  Pool c = good_pool();
  c.in_rows = c.in_cols = 2;
  c.out_rows = c.out_cols = 2;
  c.kernel_rows = c.kernel_cols = 2;
  c.stride_rows = c.stride_cols = 1;
  c.pad_top = c.pad_left = 1;
  c.channels = 1;
  c.input_pixel_stride = c.output_pixel_stride = 1;
  c.input_row_stride = c.output_row_stride = 2;
  bench.run(c);
  EXPECT_EQ(bench.codes(2048, 4), (I8{1, 2, -1, -1}));  // 1, 3/2 up, -2/2, -4/4
  c.kind = PoolKind::kMaximum;
  c.activation_min = 1;
  bench.run(c);
  EXPECT_EQ(bench.codes(2048, 4), (I8{1, 2, 1, 2}));
  c.kind = PoolKind::kAverage;
  c.activation_min = -128;
  c.pad_top = c.pad_left = 0;
  c.out_rows = 1;
  c.kernel_rows = 1;
  c.out_cols = 2;
  bench.put<std::int8_t>(kSram, 0, {-1, -2});
  bench.run(c);
  EXPECT_EQ(bench.codes(2048, 2), (I8{-2, -2}));  // -3/2: half away from zero
}

TEST(Interpreter, Reduces) {
  Bench bench;
  bench.put<std::int8_t>(kSram, 0, {1, 10, 2, 20, 3, 30});  // three pixels of two channels
  Reduce c = good_reduce();
  c.extent = {1, 1, 3, 2};
  c.input_stride = {0, 0, 2, 1};
  c.reduced_dimensions = 0b0100;
  c.input_zero = 1;
  c.shift = 0;
  c.output_zero = 2;
  bench.run(c);  // (6 - 3) / 2 up, (60 - 3) / 2 up
  EXPECT_EQ(bench.codes(2048, 2), (I8{4, 31}));
  c.kind = ReduceKind::kMaximum;
  c.multiplier = c.input_zero = c.output_zero = c.activation_min = c.activation_max = 0;
  bench.run(c);
  EXPECT_EQ(bench.codes(2048, 2), (I8{3, 30}));
  c.kind = ReduceKind::kMinimum;
  c.reduced_dimensions = 0b1100;
  c.output_stride[3] = 0;
  bench.run(c);
  EXPECT_EQ(bench.codes(2048, 1), I8{1});
  c.kind = ReduceKind::kSum;
  c.output_type = ElementType::kI32;
  bench.run(c);
  EXPECT_EQ((bench.get<std::int32_t>(kSram, 2048, 1)), std::vector<std::int32_t>{66});
}

TEST(Interpreter, ComputesSoftmaxWithinOneCodeOfTheRealNumbers) {
  Random random(3);
  for (int round = 0; round < 300; ++round) {
    const double scale = 0.002 + 0.0004 * static_cast<double>(random.below(1000));
    // The rule as the compiler derives it: beta * scale * 2^26, in Q31 with a left shift.
    int exponent = 0;
    const double fraction = std::frexp(std::min(scale * (1 << 26), 2147483647.0), &exponent);
    const sdk::reference::SoftmaxRule rule{static_cast<std::int32_t>(std::min(std::llround(fraction * 2147483648.0), 2147483647LL)), exponent,
                                           -static_cast<std::int32_t>(std::floor(31.0 * std::pow(2.0, 31 - 5) / std::pow(2.0, exponent)))};
    std::vector<std::int32_t> row;
    const std::size_t length = 1 + random.below(40);
    for (std::size_t i = 0; i < length; ++i) row.push_back(static_cast<std::int32_t>(random.between(-128, 127)));
    const double highest = *std::ranges::max_element(row);
    double sum = 0;
    for (std::int32_t code : row) sum += std::exp(scale * (code - highest));
    std::vector<double> expected;
    for (std::int32_t code : row) expected.push_back(std::min(255.0, 256 * std::exp(scale * (code - highest)) / sum));
    sdk::reference::softmax_row(row, rule);
    for (std::size_t i = 0; i < length; ++i) EXPECT_NEAR(row[i], expected[i], 0.51) << "round " << round;
  }
}

TEST(Interpreter, GivesSoftmaxRowsTheirLowestCode) {
  Bench bench;
  Softmax c = good_softmax();
  c.rows = 2;
  c.row_elements = 4;
  c.input_row_stride = c.output_row_stride = 4;
  bench.put<std::int8_t>(kSram, 0, {5, 5, 5, 5, 127, -128, -128, -128});
  c.difference_min = -200;
  bench.run(c);
  EXPECT_EQ(bench.codes(2048, 8), (I8{-64, -64, -64, -64, 127, -128, -128, -128}));
}

TEST(Interpreter, KeepsWaitsWhateverTheStreamsOrder) {
  Bench bench;
  bench.put<std::int8_t>(kConstants, 0, {42});
  Dma load;
  load.source = Operand::at(kConstants, 0);
  load.target = Operand::at(kSram, 0);
  load.row_bytes = 1;
  Move copy = good_move();
  copy.type = ElementType::kI8;
  copy.extent = {1, 1, 1, 1};
  copy.output = Operand::at(kSram, 8);
  const Stream stream = stream_of({wait_for(Engine::kVector, Engine::kDma0, 1), {Engine::kVector, 0, copy}, {Engine::kDma0, 0, load}});
  expect_accepted(stream);
  ASSERT_TRUE(bench.run(stream).has_value());
  EXPECT_EQ(bench.codes(8, 1), I8{42});
}

TEST(Interpreter, RefusesWhatItCannotExecute) {
  Bench bench;
  const auto changed = [](auto command, auto change) {
    change(command);
    return single(command);
  };
  bench.expect_error(changed(good_dma(), [](Dma& c) { c.source = Operand::at(kConstants, kRegionBytes); }), ErrorId::kStreamBounds);
  bench.expect_error(changed(good_dma(), [](Dma& c) { c.count[0] = 0xFFFF'FFFF; }), ErrorId::kStreamBounds);
  bench.expect_error(changed(good_dma(), [](Dma& c) { c.target = Operand::at(kTables, 0); }), ErrorId::kStreamRights);
  bench.expect_error(changed(good_dma(), [](Dma& c) { c.target = Operand::at(9, 0); }), ErrorId::kStreamRegion);
  bench.expect_error(changed(good_move(), [](Move& c) { c.type = ElementType::kNone; }), ErrorId::kStreamField);
  bench.expect_error(changed(good_elementwise(), [](Elementwise& c) { c.op = static_cast<ElementwiseOp>(9); }), ErrorId::kStreamField);
  bench.expect_error(changed(good_pool(), [](Pool& c) { c.pad_top = 3; }), ErrorId::kStreamField);
  bench.expect_error(changed(good_pool(), [](Pool& c) { c.kind = static_cast<PoolKind>(0); }), ErrorId::kStreamField);
  bench.expect_error(changed(good_reduce(), [](Reduce& c) { c.kind = static_cast<ReduceKind>(0); }), ErrorId::kStreamField);
  bench.expect_error(changed(good_depthwise(), [](Depthwise& c) { c.channel_multiplier = 0; }), ErrorId::kStreamField);
  bench.expect_error(single(good_conv()), ErrorId::kStreamBudget, 100);
  bench.expect_error(stream_of({wait_for(Engine::kVector, Engine::kDma0, 1), {Engine::kVector, 0, good_move()}}), ErrorId::kStreamDeadlock);
  bench.expect_error(empty_stream(), ErrorId::kStreamEnd);
  bench.expect_error(with_end(stream_of({})), ErrorId::kStreamEnd);
  EXPECT_FALSE(interpret_stream(stream_of({}), {}).has_value());
}

}  // namespace
}  // namespace naru::test
