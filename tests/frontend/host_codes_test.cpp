// Goal: quantised operators on the host are exact. Method: random codes against the reference interpreter, which is written separately; softmaxes and
// logarithms against the real curve, and rows worked out by hand.
#include <cmath>
#include <random>

#include "host_run.h"
#include "reference/interpreter.h"

namespace naru::sdk {
namespace {

using abi::ElementType;
using graph::Activation;
using graph::OperatorKind;
using graph::Padding;
using testing::ElementsAre;
using testing::Each;

std::mt19937& random_source() {
  static std::mt19937 random(11);
  return random;
}

template <typename T>
std::vector<T> noise(const graph::Shape& shape, std::int32_t low = std::numeric_limits<T>::min(), std::int32_t high = std::numeric_limits<T>::max()) {
  std::uniform_int_distribution<std::int32_t> value(low, high);
  std::vector<T> values(graph::element_count(shape));
  for (T& x : values) x = static_cast<T>(value(random_source()));
  return values;
}

/// The reference's result for the operator of `run`, with the same bytes.
struct Both {
  explicit Both(HostRun& run) : run_(run) {}
  template <typename T>
  Both& in(const graph::Shape& shape, const std::vector<T>& values, float scale = 0.0F, std::int32_t zero = 0) {
    run_.in<T>(shape, values, scale, zero);
    const auto bytes = std::as_bytes(std::span(values));
    bytes_.emplace_back(bytes.begin(), bytes.end());
    return *this;
  }
  void agree() {
    const auto ours = run_.run<std::int8_t>();
    graph::Graph graph;
    graph.tensors = run_.tensors;
    graph.operators = {run_.op};
    graph.inputs = run_.op.inputs;
    graph.outputs = run_.op.outputs;
    const std::vector<std::span<const std::byte>> views(bytes_.begin(), bytes_.end());
    const auto theirs = reference::run(graph, views);
    ASSERT_TRUE(theirs) << theirs.error().to_string();
    ASSERT_EQ(theirs->outputs[0].size(), ours.size());
    EXPECT_EQ(std::memcmp(theirs->outputs[0].data(), ours.data(), ours.size()), 0) << graph::name_of(run_.op.kind);
  }

 private:
  HostRun& run_;
  std::vector<std::vector<std::byte>> bytes_;
};

TEST(HostCodes, AgreeWithTheReferenceOnWeights) {
  for (int round = 0; round < 20; ++round) {
    const auto padding = round % 2 == 0 ? Padding::kSame : Padding::kValid;
    const graph::ConvOptions options{padding, 1 + round % 3, 1, 1, 1 + round % 2, 1, round % 4 == 0 ? Activation::kRelu6 : Activation::kNone};
    const std::int32_t zero = round * 7 - 60;
    for (const bool depthwise : {false, true}) {
      HostRun run(depthwise ? OperatorKind::kDepthwiseConv2d : OperatorKind::kConv2d, options);
      const graph::Shape filter = depthwise ? graph::Shape{1, 3, 3, 6} : graph::Shape{6, 3, 3, 6};
      Both both(run);
      both.in<std::int8_t>({2, 9, 8, 6}, noise<std::int8_t>({2, 9, 8, 6}), 0.02F, zero).in<std::int8_t>(filter, noise<std::int8_t>(filter, -127), 0.01F).in<std::int32_t>({6}, noise<std::int32_t>({6}, -5000, 5000));
      run.tensors[1].quantization = graph::Quantization{{0.01F, 0.02F, 0.003F, 0.01F, 0.007F, 0.1F}, std::vector<std::int32_t>(6), depthwise ? 3 : 0};
      const auto size = [&](std::int32_t in, std::int32_t stride, std::int32_t dilation) { return padding == Padding::kSame ? (in + stride - 1) / stride : (in - 2 * dilation - 1) / stride + 1; };
      run.out<std::int8_t>({2, size(9, options.stride_h, 1), size(8, 1, options.dilation_w), 6}, 0.09F, -zero);
      both.agree();
    }
    HostRun dense(OperatorKind::kFullyConnected, graph::FullyConnectedOptions{Activation::kRelu});
    Both both(dense);
    both.in<std::int8_t>({3, 40}, noise<std::int8_t>({3, 40}), 0.02F, zero).in<std::int8_t>({11, 40}, noise<std::int8_t>({11, 40}), 0.013F, round - 5).in<std::int32_t>({11}, noise<std::int32_t>({11}, -5000, 5000));
    dense.out<std::int8_t>({3, 11}, 0.11F, -zero);
    both.agree();
  }
}

TEST(HostCodes, AgreeWithTheReferenceOnElements) {
  for (float scale : {0.003F, 0.05F, 0.4F, 2.0F})
    for (std::int32_t zero : {-128, -3, 100}) {
      for (OperatorKind kind : {OperatorKind::kAdd, OperatorKind::kMul}) {
        HostRun run(kind, graph::ElementwiseOptions{zero == -3 ? Activation::kRelu : Activation::kNone});
        Both both(run);
        both.in<std::int8_t>({3, 5, 7}, noise<std::int8_t>({3, 5, 7}), scale, zero).in<std::int8_t>({5, 1}, noise<std::int8_t>({5, 1}), 0.07F, 9);
        run.out<std::int8_t>({3, 5, 7}, 0.09F, -20);
        both.agree();
      }
      for (OperatorKind kind : {OperatorKind::kRelu, OperatorKind::kRelu6}) {
        HostRun run(kind);
        Both both(run);
        both.in<std::int8_t>({256}, noise<std::int8_t>({256}), scale, zero);
        run.out<std::int8_t>({256}, 0.06F, -100);
        both.agree();
      }
      HostRun mean(OperatorKind::kMean, graph::ReduceOptions{{1, 2}, true});
      Both both(mean);
      both.in<std::int8_t>({2, 7, 5, 3}, noise<std::int8_t>({2, 7, 5, 3}), scale, zero);
      mean.out<std::int8_t>({2, 1, 1, 3}, 0.03F, 11);
      both.agree();
      for (OperatorKind kind : {OperatorKind::kAveragePool2d, OperatorKind::kMaxPool2d}) {
        HostRun pool(kind, graph::PoolOptions{Padding::kSame, 2, 1, 3, 3, Activation::kRelu6});
        Both windows(pool);
        windows.in<std::int8_t>({1, 7, 6, 4}, noise<std::int8_t>({1, 7, 6, 4}), scale, zero);
        pool.out<std::int8_t>({1, 4, 6, 4}, scale, zero);
        windows.agree();
      }
      HostRun softmax(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F});
      Both rows(softmax);
      rows.in<std::int8_t>({20, 10}, noise<std::int8_t>({20, 10}), scale, zero);
      softmax.out<std::int8_t>({20, 10}, 1.0F / 256, -128);
      rows.agree();
    }
}

TEST(HostCodes, SixteenBitsFollowTheReals) {
  // Real arithmetic in double; a code may be off by the two roundings.
  const auto near = [](HostRun& run, auto real, double tolerance = 1.01) {
    const auto codes = run.run<std::int16_t>();
    for (std::size_t i = 0; i < codes.size(); ++i) EXPECT_NEAR(codes[i], real(i), tolerance) << graph::name_of(run.op.kind) << " " << i;
  };
  const auto a = noise<std::int16_t>({64}, -20000, 20000);
  const auto b = noise<std::int16_t>({64}, -20000, 20000);
  HostRun add(OperatorKind::kAdd, graph::ElementwiseOptions{});
  add.in<std::int16_t>({64}, a, 0.001F).in<std::int16_t>({64}, b, 0.0005F).out<std::int16_t>({64}, 0.002F);
  near(add, [&](std::size_t i) { return (a[i] * 0.001 + b[i] * 0.0005) / 0.002; });
  HostRun mul(OperatorKind::kMul, graph::ElementwiseOptions{});
  mul.in<std::int16_t>({64}, a, 0.001F).in<std::int16_t>({64}, b, 0.0005F).out<std::int16_t>({64}, 0.01F);
  near(mul, [&](std::size_t i) { return a[i] * 0.001 * (b[i] * 0.0005) / 0.01; });
  HostRun squared(OperatorKind::kSquaredDifference);
  squared.in<std::int16_t>({64}, a, 0.001F).in<std::int16_t>({64}, b, 0.001F).out<std::int16_t>({64}, 0.05F);
  near(squared, [&](std::size_t i) { return std::pow((a[i] - b[i]) * 0.001, 2) / 0.05; }, 2.0);  // no bits below the halved operands
}

TEST(HostCodes, SixteenBitConvolutionsSumIn64Bits) {
  const auto in = noise<std::int16_t>({1, 3, 3, 4});
  const auto filter = noise<std::int8_t>({2, 3, 3, 4}, -127);
  HostRun run(OperatorKind::kConv2d, graph::ConvOptions{});
  run.in<std::int16_t>({1, 3, 3, 4}, in, 0.001F).in<std::int8_t>({2, 3, 3, 4}, filter, 0.01F).in<std::int64_t>({2}, {1000, -1000}).out<std::int16_t>({1, 1, 1, 2}, 0.02F);
  const auto codes = run.run<std::int16_t>();
  for (std::size_t c = 0; c < 2; ++c) {
    double total = c == 0 ? 1000 : -1000;
    for (std::size_t i = 0; i < 36; ++i) total += static_cast<double>(in[i]) * filter[c * 36 + i];
    // The multiplier has 16 bits.
    EXPECT_NEAR(codes[c], std::clamp(total * 0.001 * 0.01 / 0.02, -32768.0, 32767.0), 1.0 + std::abs(total * 0.0005) / 32768);
  }
}

TEST(HostCodes, SoftmaxesFollowTheCurve) {
  const auto row = noise<std::int8_t>({1, 12});
  const float scale = 0.05F;
  std::vector<double> expected;
  double sum = 0;
  for (std::int8_t code : row) sum += std::exp(scale * code);
  for (std::int8_t code : row) expected.push_back(std::exp(scale * code) / sum);
  const auto wide = HostRun(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).in<std::int8_t>({1, 12}, row, scale).out<std::int16_t>({1, 12}, 1.0F / 65536, -32768).run<std::int16_t>();
  for (std::size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(wide[i], std::min(expected[i] * 65536 - 32768, 32767.0), 1.5);
  std::vector<std::int16_t> fine;
  for (std::int8_t code : row) fine.push_back(static_cast<std::int16_t>(code * 256));
  const auto sixteen = HostRun(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).in<std::int16_t>({1, 12}, fine, scale / 256).out<std::int16_t>({1, 12}, 1.0F / 32768).run<std::int16_t>();
  for (std::size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(sixteen[i], expected[i] * 32768, 6);
  const auto log = HostRun(OperatorKind::kLogSoftmax).in<std::int8_t>({1, 12}, row, scale).out<std::int8_t>({1, 12}, 1.0F / 16, 127).run<std::int8_t>();
  for (std::size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(log[i], std::max(std::log(expected[i]) * 16 + 127, -128.0), 0.51);
  EXPECT_EQ(HostRun(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).in<std::int8_t>({1, 12}, row, scale).out<std::int8_t>({1, 12}, 0.1F, 0).refused(), ErrorId::kCompileUnsupported);
}

TEST(HostCodes, LongRowsOfEqualsDoNotOverflow) {
  const std::vector<std::int8_t> row(5000, 3);
  const auto codes = HostRun(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).in<std::int8_t>({1, 5000}, row, 0.1F).out<std::int8_t>({1, 5000}, 1.0F / 256, -128).run<std::int8_t>();
  EXPECT_EQ(codes.size(), 5000U);
  EXPECT_THAT(HostRun(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).in<std::int8_t>({1, 1000}, std::vector<std::int8_t>(1000, 3), 0.1F).out<std::int8_t>({1, 1000}, 1.0F / 256, -128).run<std::int8_t>(), Each(-128));
}

TEST(HostCodes, NormalisesToUnitLength) {
  EXPECT_THAT(HostRun(OperatorKind::kL2Normalization).in<std::int8_t>({2, 2}, {33, 43, 3, 3}, 0.1F, 3).out<std::int8_t>({2, 2}, 1.0F / 128, 0).run<std::int8_t>(), ElementsAre(77, 102, 0, 0));
  EXPECT_THAT(HostRun(OperatorKind::kL2Normalization).in<std::uint8_t>({1, 2}, {33, 43}, 0.1F, 3).out<std::uint8_t>({1, 2}, 1.0F / 128, 128).run<std::uint8_t>(), ElementsAre(205, 230));
  // Legacy codes are multiplied by 128 and rounded once: the reference has the same rows.
  const auto legacy = [](const std::vector<std::uint8_t>& row, std::int32_t zero_point) {
    return HostRun(OperatorKind::kL2Normalization).in<std::uint8_t>({1, 4}, row, 0.1F, zero_point).out<std::uint8_t>({1, 4}, 1.0F / 128, 128).run<std::uint8_t>();
  };
  EXPECT_THAT(legacy({111, 235, 87, 19}, 0), ElementsAre(180, 238, 169, 137));
  EXPECT_THAT(legacy({144, 9, 80, 102}, 128), ElementsAre(144, 12, 81, 103));
}

TEST(HostCodes, RefuseOptionsAndTypesOfOthers) {
  for (std::size_t kind = 0; kind < graph::kOperatorKinds; ++kind) {
    // Neither a wrong number of operands nor foreign options may do harm.
    HostRun run(static_cast<OperatorKind>(kind), graph::LstmOptions{});
    run.in<std::int16_t>({1}, {1}).out<float>({1});
    const auto able = host::can_execute(run.op, run.tensors);
    EXPECT_EQ(static_cast<bool>(able), static_cast<bool>(run.execute())) << graph::name_of(run.op.kind);
    EXPECT_TRUE(host::supports(run.op.kind)) << graph::name_of(run.op.kind);
  }
}

}  // namespace
}  // namespace naru::sdk
