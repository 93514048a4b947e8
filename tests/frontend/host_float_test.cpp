// Goal: float models run on the host with TFLite's sums, in its order. Method: plain loops written here, compared bit by bit, and small cases by hand.
#include <cmath>
#include <random>

#include "host_run.h"

namespace naru::sdk {
namespace {

using graph::Activation;
using graph::OperatorKind;
using graph::Padding;
using testing::ElementsAre;
using testing::FloatEq;
using testing::FloatNear;

std::vector<float> noise(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(-1.0F, 1.0F);
  std::vector<float> result(count);
  for (float& x : result) x = value(random);
  return result;
}

struct Window {
  int in_h, in_w, in_c, k_h, k_w, out_c, stride, dilation;
  Padding padding;
};

/// Sizes and padding by the definition: SAME covers ceil(in / stride), the odd row goes after.
std::pair<int, int> out_and_before(int in, int k, int stride, int dilation, Padding padding) {
  const int reach = (k - 1) * dilation + 1;
  if (padding == Padding::kValid) return {(in - reach) / stride + 1, 0};
  const int out = (in + stride - 1) / stride;
  return {out, std::max((out - 1) * stride + reach - in, 0) / 2};
}

/// `depthwise`: the filter is [1][kh][kw][out], each input channel gives out_c / in_c of them. `groups` otherwise.
std::vector<float> convolve(const Window& w, const std::vector<float>& in, const std::vector<float>& filter, const std::vector<float>& bias, bool depthwise, int groups) {
  const auto [out_h, top] = out_and_before(w.in_h, w.k_h, w.stride, w.dilation, w.padding);
  const auto [out_w, left] = out_and_before(w.in_w, w.k_w, w.stride, w.dilation, w.padding);
  const int depth = depthwise ? 1 : w.in_c / groups;
  std::vector<float> out;
  for (int y = 0; y < out_h; ++y)
    for (int x = 0; x < out_w; ++x)
      for (int c = 0; c < w.out_c; ++c) {
        float total = 0.0F;
        for (int ky = 0; ky < w.k_h; ++ky)
          for (int kx = 0; kx < w.k_w; ++kx)
            for (int d = 0; d < depth; ++d) {
              const int iy = y * w.stride - top + ky * w.dilation;
              const int ix = x * w.stride - left + kx * w.dilation;
              if (iy < 0 || iy >= w.in_h || ix < 0 || ix >= w.in_w) continue;
              const int ic = depthwise ? c / (w.out_c / w.in_c) : c / (w.out_c / groups) * depth + d;
              const int f = depthwise ? (ky * w.k_w + kx) * w.out_c + c : ((c * w.k_h + ky) * w.k_w + kx) * depth + d;
              const float product = in[static_cast<std::size_t>((iy * w.in_w + ix) * w.in_c + ic)] * filter[static_cast<std::size_t>(f)];
              total = total + product;
            }
        out.push_back(std::min(std::max(total + bias[static_cast<std::size_t>(c)], 0.0F), 6.0F));
      }
  return out;
}

TEST(HostFloat, ConvolvesBitByBitAsThePlainLoop) {
  const Window windows[] = {{7, 9, 3, 3, 3, 8, 1, 1, Padding::kSame}, {8, 8, 4, 3, 2, 5, 2, 1, Padding::kSame}, {9, 9, 2, 3, 3, 4, 1, 2, Padding::kValid}, {1, 1, 16, 1, 1, 20, 1, 1, Padding::kValid}};
  for (const Window& w : windows) {
    const auto [out_h, top] = out_and_before(w.in_h, w.k_h, w.stride, w.dilation, w.padding);
    const auto [out_w, left] = out_and_before(w.in_w, w.k_w, w.stride, w.dilation, w.padding);
    const auto in = noise(static_cast<std::size_t>(w.in_h * w.in_w * w.in_c), 1);
    const auto filter = noise(static_cast<std::size_t>(w.out_c * w.k_h * w.k_w * w.in_c), 2);
    const auto bias = noise(static_cast<std::size_t>(w.out_c), 3);
    graph::ConvOptions options{w.padding, w.stride, w.stride, w.dilation, w.dilation, 1, Activation::kRelu6};
    EXPECT_EQ(HostRun(OperatorKind::kConv2d, options).in<float>({1, w.in_h, w.in_w, w.in_c}, in).in<float>({w.out_c, w.k_h, w.k_w, w.in_c}, filter).in<float>({w.out_c}, bias).out<float>({1, out_h, out_w, w.out_c}).run<float>(),
              convolve(w, in, filter, bias, false, 1));
    for (int multiplier : {1, 2}) {
      Window deep = w;
      deep.out_c = w.in_c * multiplier;
      const auto taps = noise(static_cast<std::size_t>(deep.out_c * w.k_h * w.k_w), 4);
      const auto deep_bias = noise(static_cast<std::size_t>(deep.out_c), 5);
      EXPECT_EQ(HostRun(OperatorKind::kDepthwiseConv2d, options).in<float>({1, w.in_h, w.in_w, w.in_c}, in).in<float>({1, w.k_h, w.k_w, deep.out_c}, taps).in<float>({deep.out_c}, deep_bias).out<float>({1, out_h, out_w, deep.out_c}).run<float>(),
                convolve(deep, in, taps, deep_bias, true, 1));
    }
  }
}

TEST(HostFloat, ConvolvesInGroups) {
  const Window w{5, 5, 6, 3, 3, 4, 1, 1, Padding::kSame};
  const auto in = noise(150, 1);
  const auto filter = noise(4 * 9 * 3, 2);
  const auto bias = noise(4, 3);
  EXPECT_EQ(HostRun(OperatorKind::kConv2d, graph::ConvOptions{Padding::kSame, 1, 1, 1, 1, 1, Activation::kRelu6}).in<float>({1, 5, 5, 6}, in).in<float>({4, 3, 3, 3}, filter).in<float>({4}, bias).out<float>({1, 5, 5, 4}).run<float>(),
            convolve(w, in, filter, bias, false, 2));
}

TEST(HostFloat, RefusesConvolutionsThatDoNotFit) {
  const auto id = [](graph::Shape in, graph::Shape filter, graph::Shape out, graph::ConvOptions options) {
    const auto count = [](const graph::Shape& shape) { return static_cast<std::size_t>(graph::element_count(shape)); };
    return HostRun(OperatorKind::kConv2d, options).in<float>(in, noise(count(in), 1)).in<float>(filter, noise(count(filter), 1)).out<float>(out).refused();
  };
  EXPECT_EQ(id({1, 4, 4, 2}, {1, 3, 3, 2}, {1, 2, 3, 1}, {}), ErrorId::kInvalidArgument);
  EXPECT_EQ(id({1, 4, 4, 2}, {1, 5, 5, 2}, {1, 1, 1, 1}, {}), ErrorId::kInvalidArgument);
  EXPECT_EQ(id({1, 4, 4, 2}, {1, 3, 3, 3}, {1, 2, 2, 1}, {}), ErrorId::kInvalidArgument);
  EXPECT_EQ(id({1, 4, 4, 2}, {1, 3, 3, 2}, {1, 2, 2, 1}, {Padding::kValid, 0, 1}), ErrorId::kInvalidArgument);
  EXPECT_EQ(id({4, 4, 2}, {1, 3, 3, 2}, {1, 2, 2, 1}, {}), ErrorId::kInvalidArgument);
}

TEST(HostFloat, FullyConnectsRowsInOrder) {
  for (int channels : {1, 7, 8, 19}) {
    const auto in = noise(3 * 33, 1);
    const auto filter = noise(static_cast<std::size_t>(channels) * 33, 2);
    std::vector<float> expected;
    for (std::size_t r = 0; r < 3; ++r)
      for (std::size_t c = 0; c < static_cast<std::size_t>(channels); ++c) {
        float total = 0.0F;
        for (std::size_t i = 0; i < 33; ++i) total = total + in[r * 33 + i] * filter[c * 33 + i];
        expected.push_back(total);
      }
    EXPECT_EQ(HostRun(OperatorKind::kFullyConnected, graph::FullyConnectedOptions{}).in<float>({3, 3, 11}, in).in<float>({channels, 33}, filter).out<float>({3, channels}).run<float>(), expected);
  }
}

TEST(HostFloat, PoolsOverTapsInsideTheImage) {
  const graph::PoolOptions options{Padding::kSame, 2, 2, 2, 2, Activation::kNone};
  const std::vector<float> in = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_THAT(HostRun(OperatorKind::kAveragePool2d, options).in<float>({1, 3, 3, 1}, in).out<float>({1, 2, 2, 1}).run<float>(), ElementsAre(3, 4.5F, 7.5F, 9));
  EXPECT_THAT(HostRun(OperatorKind::kMaxPool2d, options).in<float>({1, 3, 3, 1}, in).out<float>({1, 2, 2, 1}).run<float>(), ElementsAre(5, 6, 8, 9));
  const std::vector<std::uint8_t> codes = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_THAT(HostRun(OperatorKind::kAveragePool2d, options).in<std::uint8_t>({1, 3, 3, 1}, codes, 1.0F, 3).out<std::uint8_t>({1, 2, 2, 1}, 1.0F, 3).run<std::uint8_t>(), ElementsAre(3, 5, 8, 9));
  EXPECT_EQ(HostRun(OperatorKind::kMaxPool2d, options).in<std::uint8_t>({1, 3, 3, 1}, codes, 1.0F, 3).out<std::uint8_t>({1, 2, 2, 1}, 1.0F, 4).refused(), ErrorId::kCompileUnsupported);
}

TEST(HostFloat, SoftmaxAndItsKin) {
  const float e = std::exp(-1.0F);
  EXPECT_THAT(HostRun(OperatorKind::kSoftmax, graph::SoftmaxOptions{1.0F}).in<float>({2, 2}, {1, 0, 5, 5}).out<float>({2, 2}).run<float>(), ElementsAre(FloatEq(1 / (1 + e)), FloatEq(e / (1 + e)), 0.5F, 0.5F));
  EXPECT_THAT(HostRun(OperatorKind::kLogSoftmax).in<float>({1, 2}, {1, 0}).out<float>({1, 2}).run<float>(), ElementsAre(FloatEq(-std::log(1 + e)), FloatEq(-1 - std::log(1 + e))));
  EXPECT_THAT(HostRun(OperatorKind::kL2Normalization).in<float>({2, 2}, {3, 4, 0, 0}).out<float>({2, 2}).run<float>(), ElementsAre(0.6F, 0.8F, 0, 0));
}

TEST(HostFloat, TransposedConvolutionScattersWindows) {
  EXPECT_THAT(HostRun(OperatorKind::kTransposeConv, graph::TransposeConvOptions{Padding::kValid, 2, 2, Activation::kNone}).left_out().in<float>({1, 2, 2, 1}, {1, 2, 3, 4}).in<float>({1, 1, 2, 1}, {1, 10}).in<float>({1}, {0.5F}).out<float>({1, 2, 4, 1}).run<float>(),
              ElementsAre(1.5F, 2.5F, 10.5F, 20.5F, 3.5F, 4.5F, 30.5F, 40.5F));
  // SAME of 3 taps by 1: the first and last taps of the edges fall outside.
  EXPECT_THAT(HostRun(OperatorKind::kTransposeConv, graph::TransposeConvOptions{Padding::kSame, 1, 1, Activation::kNone}).left_out().in<float>({1, 1, 3, 1}, {1, 2, 3}).in<float>({1, 1, 3, 1}, {1, 10, 100}).out<float>({1, 1, 3, 1}).run<float>(),
              ElementsAre(12, 123, 230));
  EXPECT_EQ(HostRun(OperatorKind::kTransposeConv, graph::TransposeConvOptions{Padding::kSame, 1, 1, Activation::kNone}).left_out().in<float>({1, 1, 3, 1}, {1, 2, 3}).in<float>({1, 1, 3, 1}, {1, 10, 100}).out<float>({1, 1, 4, 1}).refused(),
            ErrorId::kInvalidArgument);
}

TEST(HostFloat, MultipliesMatricesInBatches) {
  const std::vector<float> x = {1, 2, 3, 4, 5, 6};
  const std::vector<float> y = {1, 0, 0, 1, 1, 1, 2, 0, 0, 2, 0, 0};
  // One left side, two right ones.
  EXPECT_THAT(HostRun(OperatorKind::kBatchMatmul, graph::BatchMatmulOptions{}).in<float>({2, 3}, x).in<float>({2, 3, 2}, y).out<float>({2, 2, 2}).run<float>(), ElementsAre(4, 5, 10, 11, 2, 4, 8, 10));
  EXPECT_THAT(HostRun(OperatorKind::kBatchMatmul, graph::BatchMatmulOptions{true, true}).in<float>({3, 2}, {1, 4, 2, 5, 3, 6}).in<float>({2, 3}, {1, 0, 1, 0, 1, 1}).out<float>({2, 2}).run<float>(), ElementsAre(4, 5, 10, 11));
  EXPECT_EQ(HostRun(OperatorKind::kBatchMatmul, graph::BatchMatmulOptions{}).in<float>({2, 3}, x).in<float>({2, 3}, x).out<float>({2, 3}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostFloat, ResizesImages) {
  EXPECT_THAT(HostRun(OperatorKind::kResizeBilinear, graph::ResizeOptions{}).in<float>({1, 1, 2, 1}, {0, 4}).out<float>({1, 1, 4, 1}).run<float>(), ElementsAre(0, 2, 4, 4));
  EXPECT_THAT(HostRun(OperatorKind::kResizeBilinear, graph::ResizeOptions{true, false}).in<float>({1, 1, 2, 1}, {0, 3}).out<float>({1, 1, 4, 1}).run<float>(), ElementsAre(0, FloatEq(1), FloatEq(2), 3));
  EXPECT_THAT(HostRun(OperatorKind::kResizeBilinear, graph::ResizeOptions{false, true}).in<float>({1, 1, 2, 1}, {0, 4}).out<float>({1, 1, 4, 1}).run<float>(), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(HostRun(OperatorKind::kResizeBilinear, graph::ResizeOptions{}).in<std::uint8_t>({1, 2, 1, 1}, {0, 3}, 1.0F, 0).out<std::uint8_t>({1, 4, 1, 1}, 1.0F, 0).run<std::uint8_t>(), ElementsAre(0, 2, 3, 3));
  EXPECT_THAT(HostRun(OperatorKind::kResizeBilinear, graph::ResizeOptions{}).in<std::int8_t>({1, 2, 1, 1}, {0, -3}, 1.0F, 0).out<std::int8_t>({1, 4, 1, 1}, 1.0F, 0).run<std::int8_t>(), ElementsAre(0, -2, -3, -3));
  EXPECT_THAT(HostRun(OperatorKind::kResizeNearestNeighbor, graph::ResizeOptions{}).in<std::int64_t>({1, 2, 1, 1}, {7, 8}).out<std::int64_t>({1, 4, 1, 1}).run<std::int64_t>(), ElementsAre(7, 7, 8, 8));
}

TEST(HostFloat, SvdfShiftsItsState) {
  HostRun run(OperatorKind::kSvdf, graph::SvdfOptions{2, Activation::kRelu});
  // Two filters of rank 2 make one unit; memory of two.
  run.in<float>({1, 2}, {1, 2}).in<float>({2, 2}, {1, 1, 0, 1}).in<float>({2, 2}, {10, 1, 100, 1}).in<float>({1}, {0.5F}).in<float>({1, 4}, {5, 6, 7, 8});
  run.out<float>({1, 1}).out<float>({1, 4});
  EXPECT_THAT(run.run<float>(), ElementsAre(0.5F + 63 + 802));
  EXPECT_THAT(run.result<float>(1), ElementsAre(6, 3, 8, 2));
}

TEST(HostFloat, LstmKeepsItsStatesOverSteps) {
  // One cell, no recurrence: gates from the input alone.
  HostRun run(OperatorKind::kUnidirectionalSequenceLstm, graph::LstmOptions{});
  run.in<float>({1, 2, 1}, {1, -1});
  for (float weight : {0.5F, 1.0F, 2.0F, -1.0F}) run.in<float>({1, 1}, {weight});
  for (int i = 0; i < 4; ++i) run.in<float>({1, 1}, {0.25F});
  for (int i = 0; i < 3; ++i) run.left_out();
  for (int i = 0; i < 4; ++i) run.in<float>({1}, {0.1F});
  run.left_out().left_out().in<float>({1, 1}, {0.0F}).in<float>({1, 1}, {0.5F});
  for (int i = 0; i < 4; ++i) run.left_out();
  run.out<float>({1, 2, 1}).out<float>({1, 1}).out<float>({1, 1});
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  double cell = 0.5;
  double hidden = 0;
  std::vector<double> outputs;
  for (double x : {1.0, -1.0}) {
    const auto gate = [&](double weight) { return weight * x + 0.1 + 0.25 * hidden; };
    cell = sigmoid(gate(1.0)) * cell + sigmoid(gate(0.5)) * std::tanh(gate(2.0));
    hidden = sigmoid(gate(-1.0)) * std::tanh(cell);
    outputs.push_back(hidden);
  }
  EXPECT_THAT(run.run<float>(), ElementsAre(FloatNear(static_cast<float>(outputs[0]), 1e-6F), FloatNear(static_cast<float>(outputs[1]), 1e-6F)));
  EXPECT_THAT(run.result<float>(1), ElementsAre(run.result<float>()[1]));
  EXPECT_THAT(run.result<float>(2), ElementsAre(FloatNear(static_cast<float>(cell), 1e-6F)));
  run.op.inputs[9] = run.op.inputs[12];
  EXPECT_EQ(host::can_execute(run.op, run.tensors).error().id(), ErrorId::kCompileUnsupported) << "peepholes";
}

}  // namespace
}  // namespace naru::sdk
