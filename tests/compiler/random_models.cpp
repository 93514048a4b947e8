// Makes random models: shapes, scales and options from a seed, with their corners more often than chance would have them.
#include "random_models.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "numerics/numerics.h"

namespace naru::sdk::testing {

using abi::ElementType;
using graph::OperatorKind;
using graph::Padding;
using graph::Shape;
using graph::TensorId;

TensorId ModelBuilder::add(Shape shape, ElementType type) {
  graph::Tensor tensor;
  tensor.shape = std::move(shape);
  tensor.type = type;
  tensor.file_index = static_cast<std::int32_t>(graph_.tensors.size());
  tensor.name = fmt::format("t{}", tensor.file_index);
  return graph_.add_tensor(std::move(tensor));
}

float ModelBuilder::any_scale() {
  constexpr float kScales[] = {0.0005F, 0.003F, 0.0117F, 0.02F, 0.05F, 0.1F, 0.23F, 0.9F};
  return kScales[random.below(std::size(kScales))] * (1.0F + static_cast<float>(random.below(1000)) / 1000.0F);
}

std::int32_t ModelBuilder::any_zero(ElementType type) {
  const auto range = numerics::code_range(type);
  switch (random.below(4)) {
    case 0: return range.min;
    case 1: return range.max;
    default: return between(range.min, range.max);
  }
}

TensorId ModelBuilder::quantized(Shape shape, float scale, std::int32_t zero_point, ElementType type) {
  const TensorId id = add(std::move(shape), type);
  graph_.tensor(id).quantization = graph::Quantization{{scale}, {zero_point}, 0};
  return id;
}
TensorId ModelBuilder::activation(Shape shape, ElementType type) { return quantized(std::move(shape), any_scale(), any_zero(type), type); }
TensorId ModelBuilder::like(TensorId other, Shape shape) {
  const graph::Tensor& tensor = graph_.tensor(other);
  return quantized(std::move(shape), tensor.scale(), tensor.zero_point(), tensor.type);
}
TensorId ModelBuilder::input(Shape shape, ElementType type) {
  const TensorId id = activation(std::move(shape), type);
  graph_.inputs.push_back(id);
  return id;
}
TensorId ModelBuilder::input_like(TensorId other, Shape shape) {
  const TensorId id = like(other, std::move(shape));
  add_input(id);
  return id;
}
void ModelBuilder::set_constant(TensorId id) {
  graph::Tensor& tensor = graph_.tensor(id);
  tensor.constant = graph_.keep(std::vector<std::byte>(graph::byte_size(tensor)));
}
TensorId ModelBuilder::real(Shape shape) { return add(std::move(shape), ElementType::kF32); }

TensorId ModelBuilder::weights(Shape shape, std::int32_t axis, bool per_channel) {
  const TensorId id = add(std::move(shape), ElementType::kI8);
  graph::Tensor& tensor = graph_.tensor(id);
  std::vector<std::byte> bytes(graph::element_count(tensor));
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.chance(8) ? 0x81 : random.next() == 0 ? 0 : random.below(255) + 0x81);
  graph::Quantization quantization{{}, {}, axis};
  const std::size_t scales = per_channel ? static_cast<std::size_t>(tensor.shape[static_cast<std::size_t>(axis)]) : 1;
  for (std::size_t i = 0; i < scales; ++i) {
    quantization.scales.push_back(any_scale() / 16);
    quantization.zero_points.push_back(0);
  }
  tensor.quantization = std::move(quantization);
  tensor.constant = graph_.keep(std::move(bytes));
  return id;
}

TensorId ModelBuilder::bias(std::int32_t channels) {
  const TensorId id = add({channels}, ElementType::kI32);
  std::vector<std::byte> bytes(std::size_t{4} * static_cast<std::size_t>(channels));
  for (std::int32_t c = 0; c < channels; ++c) store_le(bytes.data() + 4 * c, between(-20000, 20000));
  graph_.tensor(id).constant = graph_.keep(std::move(bytes));
  return id;
}

TensorId ModelBuilder::indices(const Shape& values) {
  const TensorId id = add({static_cast<std::int32_t>(values.size())}, ElementType::kI32);
  std::vector<std::byte> bytes(values.size() * 4);
  for (std::size_t i = 0; i < values.size(); ++i) store_le(bytes.data() + 4 * i, values[i]);
  graph_.tensor(id).constant = graph_.keep(std::move(bytes));
  return id;
}

TensorId ModelBuilder::op(OperatorKind kind, std::vector<TensorId> inputs, TensorId output, graph::Options options) {
  graph::Operator op;
  op.kind = kind;
  op.inputs = std::move(inputs);
  op.outputs = {output};
  op.options = std::move(options);
  op.file_index = static_cast<std::int32_t>(graph_.operators.size());
  op.name = graph_.tensor(output).name;
  graph_.operators.push_back(std::move(op));
  return output;
}

graph::Graph ModelBuilder::finish(std::vector<TensorId> outputs) {
  graph_.outputs = std::move(outputs);
  graph_.name = "random";
  return std::move(graph_);
}

namespace {

struct Window {
  Shape output;
  Padding padding;
  std::int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
};

/// A window that fits the image, with `channels` outputs.
Window any_window(ModelBuilder& b, const Shape& image, std::int32_t channels, bool dilates) {
  while (true) {
    Window w{{}, b.random.chance(2) ? Padding::kSame : Padding::kValid, b.between(1, 4), b.between(1, 4), b.between(1, 3), b.between(1, 3), 1, 1};
    if (dilates && b.random.chance(4)) {
      w.dilation_h = b.between(1, 3);
      w.dilation_w = b.between(1, 3);
      w.stride_h = w.stride_w = 1;
    }
    if (b.random.chance(4)) w.kernel_h = w.kernel_w = w.stride_h = w.stride_w = 1;
    if (b.random.chance(6) && !dilates) {
      w.kernel_h = image[1];
      w.kernel_w = image[2];
      w.padding = Padding::kValid;
    }
    const auto rows = numerics::window_output(w.padding, image[1], w.kernel_h, w.stride_h, w.dilation_h);
    const auto cols = numerics::window_output(w.padding, image[2], w.kernel_w, w.stride_w, w.dilation_w);
    if (!rows || !cols) continue;
    w.output = {image[0], *rows, *cols, channels};
    return w;
  }
}

Shape any_image(ModelBuilder& b) { return {b.between(1, 2), b.between(1, 13), b.between(1, 13), b.between(1, 37)}; }

graph::Graph convolution(ModelBuilder& b, bool depthwise) {
  Shape image = any_image(b);
  if (b.random.chance(5)) image[3] = 1;
  const std::int32_t multiplier = b.random.chance(3) ? b.between(2, 4) : 1;
  const std::int32_t groups = !depthwise && b.random.chance(5) ? 3 : 1;
  if (groups > 1) image[3] = groups * b.between(1, 9);
  const std::int32_t channels = depthwise ? image[3] * multiplier : groups * b.between(1, 41);
  TensorId in = b.input(image);
  // A padding of its own in front, at the zero point: what compilers fold.
  if (b.random.chance(4)) {
    const Shape before{0, b.between(0, 2), b.between(0, 2), 0}, after{0, b.between(0, 2), b.between(0, 2), 0};
    Shape padded = image;
    for (std::size_t d = 1; d < 3; ++d) padded[d] += before[d] + after[d];
    const TensorId amounts = b.indices({0, 0, before[1], after[1], before[2], after[2], 0, 0});
    in = b.op(OperatorKind::kPad, {in, amounts}, b.like(in, padded), graph::PadOptions{before, after});
    image = padded;
  }
  const Window w = any_window(b, image, channels, true);
  const TensorId filter = depthwise ? b.weights({1, w.kernel_h, w.kernel_w, channels}, 3, b.random.chance(2))
                                    : b.weights({channels, w.kernel_h, w.kernel_w, image[3] / groups}, 0, b.random.chance(2));
  const TensorId bias = b.random.chance(4) ? graph::kAbsent : b.bias(channels);
  const graph::ConvOptions options{w.padding, w.stride_h, w.stride_w, w.dilation_h, w.dilation_w, depthwise ? multiplier : 1, b.any_activation()};
  TensorId out = b.op(depthwise ? OperatorKind::kDepthwiseConv2d : OperatorKind::kConv2d, {in, filter, bias}, b.activation(w.output), options);
  if (b.random.chance(4)) out = b.op(OperatorKind::kRelu, {out}, b.like(out, w.output));
  return b.finish({out});
}

graph::Graph fully_connected(ModelBuilder& b) {
  const std::int32_t rows = b.between(1, 9), depth = b.between(1, 300), channels = b.between(1, 70);
  const TensorId in = b.random.chance(2) ? b.input({rows, depth}) : b.input({rows, 1, depth, 1});
  const TensorId filter = b.weights({channels, depth}, 0, b.random.chance(2));
  return b.finish({b.op(OperatorKind::kFullyConnected, {in, filter, b.random.chance(4) ? graph::kAbsent : b.bias(channels)}, b.activation({rows, channels}),
                        graph::FullyConnectedOptions{b.any_activation(), false})});
}

graph::Graph pool(ModelBuilder& b, OperatorKind kind) {
  const Shape image = any_image(b);
  const TensorId in = b.input(image);
  const Window w = any_window(b, image, image[3], false);
  return b.finish({b.op(kind, {in}, b.like(in, w.output), graph::PoolOptions{w.padding, w.stride_h, w.stride_w, w.kernel_h, w.kernel_w, b.any_activation()})});
}

graph::Graph binary(ModelBuilder& b, OperatorKind kind) {
  const Shape full = any_image(b);
  Shape sides[2] = {full, full};
  for (Shape& side : sides) {
    if (!b.random.chance(2)) continue;
    for (std::int32_t& dimension : side)
      if (b.random.chance(3)) dimension = 1;
    if (b.random.chance(3)) side.erase(side.begin());
  }
  const std::size_t rank = std::max(sides[0].size(), sides[1].size());
  Shape output(rank, 1);
  for (const Shape& side : sides)
    for (std::size_t d = 0; d < side.size(); ++d) output[rank - side.size() + d] = std::max(output[rank - side.size() + d], side[d]);
  const TensorId left = b.input(sides[0]);
  const TensorId right = b.random.chance(3) ? b.weights(sides[1], 0, false) : b.random.chance(6) ? left : b.input(sides[1]);
  if (right == left) output = sides[0];
  return b.finish({b.op(kind, {left, right}, b.activation(output), graph::ElementwiseOptions{b.any_activation()})});
}

graph::Graph pad(ModelBuilder& b) {
  const Shape image = any_image(b);
  const TensorId in = b.input(image);
  Shape before(4), after(4), output = image, flat;
  for (std::size_t d = 0; d < 4; ++d) {
    if (b.random.chance(2)) before[d] = b.between(0, 3);
    if (b.random.chance(2)) after[d] = b.between(0, 3);
    output[d] += before[d] + after[d];
    flat.insert(flat.end(), {before[d], after[d]});
  }
  return b.finish({b.op(OperatorKind::kPad, {in, b.indices(flat)}, b.like(in, output), graph::PadOptions{before, after})});
}

graph::Graph mean(ModelBuilder& b) {
  const Shape image = any_image(b);
  const bool keep = b.random.chance(2);
  Shape axes, output;
  for (std::int32_t d = 0; d < 4; ++d) {
    const bool reduced = b.random.chance(2) || (d == 3 && axes.empty());
    if (reduced) axes.push_back(d);
    if (!reduced || keep) output.push_back(reduced ? 1 : image[static_cast<std::size_t>(d)]);
  }
  const TensorId in = b.input(image);
  return b.finish({b.op(OperatorKind::kMean, {in, b.indices(axes)}, b.activation(output), graph::ReduceOptions{axes, keep})});
}

graph::Graph concatenation(ModelBuilder& b) {
  const Shape image = any_image(b);
  const std::int32_t axis = b.between(0, 3), count = b.between(2, 5);
  const TensorId first = b.input(image);
  std::vector<TensorId> inputs{first};
  Shape output = image;
  for (std::int32_t i = 1; i < count; ++i) {
    Shape other = image;
    other[static_cast<std::size_t>(axis)] = b.between(1, 9);
    output[static_cast<std::size_t>(axis)] += other[static_cast<std::size_t>(axis)];
    const TensorId raw = b.input(other);
    // The same codes under the first one's scale.
    inputs.push_back(b.op(OperatorKind::kRelu6, {raw}, b.like(first, other)));
  }
  return b.finish({b.op(OperatorKind::kConcatenation, inputs, b.like(first, output), graph::ConcatenationOptions{axis, graph::Activation::kNone})});
}

graph::Graph transpose(ModelBuilder& b) {
  const Shape image = any_image(b);
  Shape permutation{0, 1, 2, 3}, output;
  for (std::size_t i = 4; i-- > 1;) std::swap(permutation[i], permutation[b.random.below(i + 1)]);
  for (std::int32_t d : permutation) output.push_back(image[static_cast<std::size_t>(d)]);
  const TensorId in = b.input(image);
  return b.finish({b.op(OperatorKind::kTranspose, {in, b.indices(permutation)}, b.like(in, output), graph::TransposeOptions{permutation})});
}

graph::Graph reshape(ModelBuilder& b) {
  // One that stays inside, one whose result is an output beside its input, and one of an input.
  const Shape image = any_image(b);
  const std::int32_t pixels = image[0] * image[1] * image[2];
  const TensorId in = b.input(image);
  const TensorId flat = b.op(OperatorKind::kReshape, {in}, b.like(in, {pixels, image[3]}), graph::ReshapeOptions{});
  const TensorId filter = b.weights({5, image[3]}, 0, true);
  const TensorId product = b.op(OperatorKind::kFullyConnected, {flat, filter, b.bias(5)}, b.activation({pixels, 5}), graph::FullyConnectedOptions{});
  const TensorId outer = b.op(OperatorKind::kReshape, {product}, b.like(product, {1, pixels * 5}), graph::ReshapeOptions{});
  const TensorId again = b.op(OperatorKind::kReshape, {outer}, b.like(product, {pixels * 5}), graph::ReshapeOptions{});
  return b.random.chance(2) ? b.finish({again, flat}) : b.finish({outer, product, again});
}

graph::Graph softmax(ModelBuilder& b) {
  const Shape shape{b.between(1, 7), b.between(1, 5), b.between(1, 50)};
  const TensorId in = b.input(shape);
  return b.finish({b.op(OperatorKind::kSoftmax, {in}, b.quantized(shape, 1.0F / 256.0F, -128), graph::SoftmaxOptions{b.random.chance(3) ? 0.5F : 1.0F})});
}

graph::Graph quantize(ModelBuilder& b, bool dequantizes) {
  constexpr ElementType kTypes[] = {ElementType::kI8, ElementType::kU8};
  const Shape shape = any_image(b);
  const TensorId in = b.input(shape, kTypes[b.random.below(2)]);
  const TensorId middle = b.op(OperatorKind::kQuantize, {in}, b.activation(shape, kTypes[b.random.below(2)]));
  if (!dequantizes) return b.finish({middle});
  // Through float and back: the host between two jobs.
  const TensorId real = b.op(OperatorKind::kDequantize, {middle}, b.real(shape));
  const TensorId codes = b.op(OperatorKind::kQuantize, {real}, b.activation(shape));
  return b.finish({b.op(OperatorKind::kRelu, {codes}, b.activation(shape)), real});
}

}  // namespace

graph::Graph random_model(OperatorKind kind, std::uint64_t seed) {
  ModelBuilder b(seed * 1000 + static_cast<std::uint64_t>(kind));
  switch (kind) {
    case OperatorKind::kConv2d: return convolution(b, false);
    case OperatorKind::kDepthwiseConv2d: return convolution(b, true);
    case OperatorKind::kFullyConnected: return fully_connected(b);
    case OperatorKind::kAveragePool2d:
    case OperatorKind::kMaxPool2d: return pool(b, kind);
    case OperatorKind::kAdd:
    case OperatorKind::kMul: return binary(b, kind);
    case OperatorKind::kPad: return pad(b);
    case OperatorKind::kMean: return mean(b);
    case OperatorKind::kReshape: return reshape(b);
    case OperatorKind::kSoftmax: return softmax(b);
    case OperatorKind::kConcatenation: return concatenation(b);
    case OperatorKind::kTranspose: return transpose(b);
    case OperatorKind::kQuantize: return quantize(b, false);
    case OperatorKind::kDequantize: return quantize(b, true);
    default: break;
  }
  const Shape shape = any_image(b);
  return b.finish({b.op(kind, {b.input(shape)}, b.activation(shape))});
}

std::vector<std::vector<std::byte>> random_inputs(const graph::Graph& graph, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::vector<std::byte>> inputs;
  for (TensorId id : graph.inputs) {
    const graph::Tensor& tensor = graph.tensor(id);
    std::vector<std::byte> bytes(graph::byte_size(tensor));
    if (tensor.type == ElementType::kF32) {
      for (std::size_t i = 0; i < bytes.size(); i += 4) store_le(bytes.data() + i, std::bit_cast<std::uint32_t>(static_cast<float>(random.between(-4000, 4000)) / 1000.0F));
    } else {
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next() >> 24);
    }
    inputs.push_back(std::move(bytes));
  }
  return inputs;
}

}  // namespace naru::sdk::testing
