// Goal: every operator gives the reference's bits on the device, through session, driver and cable. Method: 220 random models per operator (odd channels, strides to 3,
// dilation, one-pixel outputs, extreme scales and zero points) on both profiles; and all-extreme operands at depths where sloppy kernels break.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "compiler/random_models.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#include "naru/session.h"
#include "reference/interpreter.h"
#include "runtime/handles.h"
#include "support/cpu.h"
#include "support/measured.h"

namespace naru {
namespace {

using sdk::graph::Graph;
using sdk::graph::OperatorKind;

/// Models per operator and profile; NARU_SEEDS asks for more (label soak).
std::uint64_t seeds() {
  const char* wanted = std::getenv("NARU_SEEDS");
  return wanted == nullptr ? 220 : std::max<std::uint64_t>(220, std::strtoull(wanted, nullptr, 10));
}

Device open_mock(const std::string& profile, const std::string& kernels = {}) {
  const profile::Profile loaded = profile::load(profile).value();
  return open_device_on(std::make_unique<driver::InprocTransport>(mockdev::Device::create(loaded, {.serial = "GRID", .kernels = kernels}).value())).value();
}

Model model_of(const Graph& graph) {
  auto handle = std::make_shared<detail::ModelHandle>();
  handle->name = "random";
  handle->graph = graph;
  for (const auto id : graph.inputs) handle->inputs.push_back(sdk::runtime::to_info(graph.tensor(id)));
  for (const auto id : graph.outputs) handle->outputs.push_back(sdk::runtime::to_info(graph.tensor(id)));
  return Model(std::move(handle));
}

void expect_reference_bits(Device& device, const Graph& graph, const std::vector<std::vector<std::byte>>& inputs) {
  const std::vector<std::span<const std::byte>> views(inputs.begin(), inputs.end());
  const auto expected = sdk::reference::run(graph, views);
  ASSERT_TRUE(expected) << expected.error().to_string(true);
  Result<Session> session = Session::create(device, model_of(graph), {.keep_tensors = {}, .depth = 1});
  ASSERT_TRUE(session) << session.error().to_string(true);
  for (std::size_t i = 0; i < inputs.size(); ++i) ASSERT_TRUE(session->input(i).fill_from(std::span<const std::byte>(inputs[i])));
  const Result<Outputs> outputs = session->run();
  ASSERT_TRUE(outputs) << outputs.error().to_string(true);
  ASSERT_EQ(outputs->size(), expected->outputs.size());
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    const auto got = outputs->at(i).bytes();
    ASSERT_TRUE(std::equal(got.begin(), got.end(), expected->outputs[i].begin(), expected->outputs[i].end())) << "output " << i << " of shape " << sdk::graph::to_string(graph.tensor(graph.outputs[i]).shape);
  }
}

/// What a model asks of the device besides its constants.
std::string kind_of(const Graph& graph) {
  std::string text;
  for (const auto& tensor : graph.tensors) {
    text += sdk::graph::to_string(tensor.shape);
    if (tensor.quantization) text += fmt::format(" {} {};", tensor.quantization->scales, tensor.quantization->zero_points);
  }
  return text;
}

class OperatorsOnTheDevice : public ::testing::TestWithParam<OperatorKind> {};

TEST_P(OperatorsOnTheDevice, GiveTheReferencesBits) {
  std::set<std::string> kinds;
  for (const char* profile : {"edge", "tiny"}) {
    // Kernels take turns, so that each meets a share of the grid.
    const std::vector<std::string> kernels = testing::executable_kernels();
    std::vector<Device> devices;
    for (const std::string& each : kernels) devices.push_back(open_mock(profile, each));
    for (std::uint64_t seed = 0; seed < seeds(); ++seed) {
      const Graph graph = sdk::testing::random_model(GetParam(), 1000 + seed);
      expect_reference_bits(devices[seed % devices.size()], graph, sdk::testing::random_inputs(graph, seed));
      if (HasFatalFailure()) FAIL() << sdk::graph::name_of(GetParam()) << ", seed " << 1000 + seed << ", profile " << profile << ", kernels " << kernels[seed % kernels.size()];
      kinds.insert(kind_of(graph));
    }
  }
  testing::record_measured(fmt::format("{} models on each profile, {} of them different in shape or quantisation", seeds(), kinds.size()));
  EXPECT_GE(kinds.size(), seeds() * 3 / 4);
}

INSTANTIATE_TEST_SUITE_P(All, OperatorsOnTheDevice,
                         ::testing::Values(OperatorKind::kConv2d, OperatorKind::kDepthwiseConv2d, OperatorKind::kFullyConnected, OperatorKind::kAveragePool2d, OperatorKind::kMaxPool2d, OperatorKind::kAdd,
                                           OperatorKind::kMul, OperatorKind::kPad, OperatorKind::kMean, OperatorKind::kReshape, OperatorKind::kSoftmax, OperatorKind::kRelu, OperatorKind::kRelu6,
                                           OperatorKind::kConcatenation, OperatorKind::kTranspose, OperatorKind::kQuantize, OperatorKind::kDequantize),
                         [](const auto& info) { return std::string(sdk::graph::name_of(info.param)); });

/// Whole rows and columns of a convolution's output lie in the padding of a PAD before it. A row of an image that is one row high was once taken for a flattened image.
TEST(PaddingBeyondTheKernel, GivesTheReferencesBits) {
  for (const char* profile : {"edge", "tiny"}) {
    Device device = open_mock(profile);
    for (const bool depthwise : {false, true})
      for (const std::int32_t rows : {1, 2})
        for (const sdk::graph::Shape& before : {sdk::graph::Shape{0, 0, 0, 0}, {0, 1, 2, 0}})
          for (const sdk::graph::Shape& after : {sdk::graph::Shape{0, 1, 0, 0}, {0, 0, 1, 0}, {0, 2, 3, 0}}) {
            sdk::testing::ModelBuilder builder(7);
            const sdk::graph::Shape image{1, rows, 11, 4}, padded{1, rows + before[1] + after[1], 11 + before[2] + after[2], 4};
            const auto input = builder.input(image);
            const auto pads = builder.indices({0, 0, before[1], after[1], before[2], after[2], 0, 0});
            const auto wide = builder.op(OperatorKind::kPad, {input, pads}, builder.like(input, padded), sdk::graph::PadOptions{before, after});
            const auto filter = builder.weights({depthwise ? 1 : 12, 1, 1, depthwise ? 12 : 4}, depthwise ? 3 : 0, true);
            const auto output = builder.op(depthwise ? OperatorKind::kDepthwiseConv2d : OperatorKind::kConv2d, {wide, filter, sdk::graph::kAbsent}, builder.activation({1, padded[1], padded[2], 12}),
                                           sdk::graph::ConvOptions{sdk::graph::Padding::kValid, 1, 1, 1, 1, depthwise ? 3 : 1, sdk::graph::Activation::kNone});
            const Graph graph = builder.finish({output});
            expect_reference_bits(device, graph, sdk::testing::random_inputs(graph, 5));
            if (HasFatalFailure()) FAIL() << profile << (depthwise ? ", depthwise, " : ", dense, ") << sdk::graph::to_string(padded) << " of " << rows << " rows";
          }
  }
}

/// A dense layer whose operands are all at one end of their range.
Graph extreme_dense(std::int32_t depth, std::int8_t weight) {
  sdk::testing::ModelBuilder builder(static_cast<std::uint64_t>(depth));
  const auto input = builder.input({1, depth});
  const auto weights = builder.weights({33, depth}, 0, false);
  const auto output = builder.quantized({1, 33}, 0.5F * static_cast<float>(depth), 3);
  builder.op(OperatorKind::kFullyConnected, {input, weights, sdk::graph::kAbsent}, output, sdk::graph::FullyConnectedOptions{});
  Graph graph = builder.finish({output});
  // An input zero point at the end of its range makes the sums as large as they can be.
  graph.tensor(input).quantization = sdk::graph::Quantization{{0.5F}, {-128}, 0};
  std::vector<std::byte> bytes(graph.tensor(weights).constant.size(), static_cast<std::byte>(weight));
  graph.tensor(weights).constant = graph.keep(std::move(bytes));
  return graph;
}

class ExtremeOperands : public ::testing::TestWithParam<std::string> {};

TEST_P(ExtremeOperands, AreExact) {
  NARU_REQUIRE_KERNELS(GetParam());
  Device device = open_mock("edge", GetParam());
  for (std::int32_t depth : {1151, 2049, 4609})
    for (int weight : {-127, 127})
      for (int code : {-128, 127}) {
        const Graph graph = extreme_dense(depth, static_cast<std::int8_t>(weight));
        expect_reference_bits(device, graph, {std::vector<std::byte>(static_cast<std::size_t>(depth), static_cast<std::byte>(code))});
        if (HasFatalFailure()) FAIL() << "depth " << depth << ", weights " << weight << ", input " << code;
      }
}

INSTANTIATE_TEST_SUITE_P(OnEveryKernelPath, ExtremeOperands, ::testing::Values("amx", "vnni", "avx2", "portable"), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace naru
