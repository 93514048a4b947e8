// The layers of MobileNetV1 and V2 with their random numbers. Quantisation is chosen by how sums of random numbers spread, without running anything.
#include "networks.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "naru/base/random.h"

namespace naru::bench {
namespace {

constexpr std::uint32_t kImageChannels = 3;
constexpr std::uint32_t kClasses = 1000;
constexpr double kWeightDeviation = 36.95;  // of a uniform weight from -64 to 63

/// How the codes of a tensor lie around its zero point, as long as nothing is degenerate.
struct Expected {
  double mean, deviation;
};
constexpr Expected kImage{0, 73.9};         // uniform
constexpr Expected kBeforeClamp{64, 64};    // of 0 to 255: one in six below, few above
constexpr Expected kClamped{69, 53};        // the same, clamped
constexpr Expected kAveraged{69, 20};       // of pixels that are alike (measured)
constexpr Expected kLinear{0, 32};          // of -128 to 127

struct Stage {
  std::size_t number = 0;  // as NetworkLayer::source
  std::uint32_t channels = 0, size = 0;
  Expected expected{};
};

class Builder {
 public:
  Builder(std::string name, NetworkSize size, std::uint64_t seed) : size_(size), random_(seed) {
    network_.name = std::move(name);
    network_.size = size.pixels;
    network_.input = {.scale = 1.0F / 128, .zero_point = 128};
  }

  [[nodiscard]] Stage image() const { return {.number = 0, .channels = kImageChannels, .size = size_.pixels, .expected = kImage}; }

  /// Of the published number of channels: a multiple of 8.
  [[nodiscard]] std::uint32_t channels(std::uint32_t published) const { return std::max(8U, (published * size_.eighths / 8 + 4) / 8 * 8); }

  Stage convolution(const Stage& from, std::uint32_t kernel, std::uint32_t stride, std::uint32_t out_channels, bool clamped = true) {
    return product(LayerKind::kConvolution, from, {.name = {}, .kernel = kernel, .stride = stride, .in_channels = from.channels, .out_channels = out_channels}, clamped);
  }
  Stage depthwise(const Stage& from, std::uint32_t stride) {
    return product(LayerKind::kConvolution, from, {.name = {}, .depthwise = true, .kernel = 3, .stride = stride, .in_channels = from.channels, .out_channels = from.channels}, true);
  }
  Stage add(const Stage& left, const Stage& right) {
    // So that the sum of independent numbers spreads as they do.
    const float scale = std::hypot(network_.codes(left.number).scale, network_.codes(right.number).scale);
    return finish({.kind = LayerKind::kAdd, .source = left.number, .addend = right.number, .shape = flat(left), .codes = {.scale = scale, .zero_point = 128}}, left);
  }
  Stage average(const Stage& from) {
    return finish({.kind = LayerKind::kAverage, .source = from.number, .shape = flat(from), .codes = network_.codes(from.number)}, {.number = 0, .channels = from.channels, .size = 1, .expected = kAveraged});
  }
  Stage dense(const Stage& from) {
    return product(LayerKind::kDense, from, {.name = {}, .in_channels = from.channels, .out_channels = channels(kClasses), .gemm = true}, false);
  }

  Network take() { return std::move(network_); }

 private:
  static Shape flat(const Stage& from) { return {.name = {}, .in_channels = from.channels, .out_channels = from.channels, .size_rows = from.size, .size_cols = from.size}; }

  /// TFLite's SAME: what is odd goes after.
  static std::uint32_t pad_before(const Shape& shape) { return shape.padded_rows() > shape.size_rows ? (shape.padded_rows() - shape.size_rows) / 2 : 0; }

  Stage product(LayerKind kind, const Stage& from, Shape shape, bool clamped) {
    shape.size_rows = shape.size_cols = from.size;
    if (!shape.gemm) shape.pad = pad_before(shape);
    NetworkLayer layer{.kind = kind, .source = from.number, .shape = shape, .clamped = clamped, .codes = clamped ? Codes{.scale = 6.0F / 255, .zero_point = 0} : Codes{.scale = 0.05F, .zero_point = 128}};
    const Expected wanted = clamped ? kBeforeClamp : kLinear;
    const auto depth = static_cast<std::ptrdiff_t>(shape.depth());
    layer.weights.resize(shape.out_channels * shape.depth());
    for (std::int8_t& weight : layer.weights) weight = static_cast<std::int8_t>(random_.between(-64, 63));
    const double ratio = static_cast<double>(layer.codes.scale) / static_cast<double>(network_.codes(from.number).scale);
    for (std::uint32_t c = 0; c < shape.out_channels; ++c) {
      const double variety = static_cast<double>(random_.between(75, 125)) / 100;
      const double codes_per_sum = wanted.deviation * variety / (kWeightDeviation * std::sqrt(static_cast<double>(shape.depth())) * from.expected.deviation);
      layer.weight_scales.push_back(static_cast<float>(codes_per_sum * ratio));
      const auto first = layer.weights.begin() + c * depth;
      layer.bias.push_back(static_cast<std::int32_t>(std::lround(wanted.mean / codes_per_sum - from.expected.mean * std::accumulate(first, first + depth, 0.0))));
    }
    return finish(std::move(layer), {.number = 0, .channels = shape.out_channels, .size = shape.out_rows(), .expected = clamped ? kClamped : kLinear});
  }

  Stage finish(NetworkLayer layer, Stage stage) {
    network_.layers.push_back(std::move(layer));
    stage.number = network_.layers.size();
    return stage;
  }

  NetworkSize size_;
  Random random_;
  Network network_;
};

}  // namespace

std::uint64_t Network::macs() const noexcept {
  std::uint64_t sum = 0;
  for (const NetworkLayer& layer : layers)
    if (layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kDense) sum += layer.shape.macs();
  return sum;
}

Network mobilenet_v1(NetworkSize size) {
  struct Block {
    std::uint32_t stride, channels;
  };
  constexpr Block kBlocks[] = {{1, 64}, {2, 128}, {1, 128}, {2, 256}, {1, 256}, {2, 512}, {1, 512}, {1, 512}, {1, 512}, {1, 512}, {1, 512}, {2, 1024}, {1, 1024}};
  Builder builder("mobilenetv1", size, 1);
  Stage stage = builder.convolution(builder.image(), 3, 2, builder.channels(32));
  for (const Block& block : kBlocks) stage = builder.convolution(builder.depthwise(stage, block.stride), 1, 1, builder.channels(block.channels));
  builder.dense(builder.average(stage));
  return builder.take();
}

Network mobilenet_v2(NetworkSize size) {
  struct Group {
    std::uint32_t expansion, channels, repeats, stride;
  };
  constexpr Group kGroups[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  Builder builder("mobilenetv2", size, 2);
  Stage stage = builder.convolution(builder.image(), 3, 2, builder.channels(32));
  for (const Group& group : kGroups) {
    for (std::uint32_t repeat = 0; repeat < group.repeats; ++repeat) {
      const Stage wide = group.expansion == 1 ? stage : builder.convolution(stage, 1, 1, stage.channels * group.expansion);
      const Stage narrow = builder.convolution(builder.depthwise(wide, repeat == 0 ? group.stride : 1), 1, 1, builder.channels(group.channels), false);
      stage = repeat == 0 ? narrow : builder.add(stage, narrow);
    }
  }
  builder.dense(builder.average(builder.convolution(stage, 1, 1, builder.channels(1280))));
  return builder.take();
}

std::vector<std::uint8_t> random_image(const Network& network, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::uint8_t> image(std::size_t{network.size} * network.size * kImageChannels);
  for (std::uint8_t& code : image) code = static_cast<std::uint8_t>(random.below(256));
  return image;
}

std::vector<LayerData> layers_of(const Network& network) {
  std::vector<LayerData> all;
  for (const NetworkLayer& layer : network.layers) {
    if (layer.kind != LayerKind::kConvolution && layer.kind != LayerKind::kDense) continue;
    LayerData data = LayerData::random(layer.shape, all.size());
    data.weights = layer.weights;
    for (std::size_t c = 0; c < data.scale.size(); ++c)
      data.scale[c] = static_cast<double>(network.codes(layer.source).scale) * static_cast<double>(layer.weight_scales[c]) / static_cast<double>(layer.codes.scale);
    all.push_back(std::move(data));
  }
  return all;
}

}  // namespace naru::bench
