// A network as an ONNX model in the form that ONNX Runtime runs fastest on x86: QLinear operators with unsigned activations and signed weights.
// Protocol Buffers are written by hand: ONNX needs two kinds of fields, and Debian's onnx would come with a Python of its own.
#include <algorithm>
#include <bit>
#include <span>
#include <string_view>

#include "networks.h"

namespace naru::bench {
namespace {

/// A message as it lies in a file, field by field (protobuf.dev, "Encoding").
class Message {
 public:
  Message& integer(std::uint32_t field, std::uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& bytes(std::uint32_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    text_ += value;
    return *this;
  }
  Message& message(std::uint32_t field, const Message& value) { return bytes(field, value.text_); }

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 128; value >>= 7) text_ += static_cast<char>(value % 128 + 128);
    text_ += static_cast<char>(value);
  }
  std::string text_;
};

// Of onnx.proto.
enum class DataType : std::uint8_t { kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6 };
enum class AttributeType : std::uint8_t { kInt = 2, kInts = 7 };
constexpr std::uint64_t kIrVersion = 8, kOperatorSet = 17;
constexpr std::string_view kContributed = "com.microsoft";

using Dims = std::vector<std::uint64_t>;

template <typename T>
std::string_view raw(std::span<const T> values) {
  static_assert(std::endian::native == std::endian::little);
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

struct Attribute {
  std::string_view name;
  Dims values;
  bool list = false;

  [[nodiscard]] Message to_message() const {
    Message message;
    message.bytes(1, name);
    for (const std::uint64_t value : values) message.integer(list ? 8 : 3, value);
    message.integer(20, static_cast<std::uint64_t>(list ? AttributeType::kInts : AttributeType::kInt));
    return message;
  }
};

class OnnxWriter {
 public:
  OnnxWriter(const Network& network, OnnxForm form) : network_(network), form_(form) {}

  std::vector<std::byte> write() {
    const Dims image = form_.pixels_first ? Dims{1, network_.size, network_.size, 3} : Dims{1, 3, network_.size, network_.size};
    if (form_.pixels_first) node("Transpose", {"x"}, "t0", {{.name = "perm", .values = {0, 3, 1, 2}, .list = true}});
    codes("t0", network_.input);
    for (std::size_t i = 0; i < network_.layers.size(); ++i) add(network_.layers[i], i + 1);
    const std::uint64_t classes = network_.layers.back().shape.out_channels;
    graph_.bytes(2, network_.name).message(11, value("x", image)).message(12, value("y", form_.dense_as_gemm ? Dims{1, classes} : Dims{1, classes, 1, 1}));
    Message model;
    model.integer(1, kIrVersion).bytes(2, "naru_bench").message(7, graph_);
    model.message(8, Message().bytes(1, "").integer(2, kOperatorSet)).message(8, Message().bytes(1, kContributed).integer(2, 1));
    std::vector<std::byte> file(model.text().size());
    std::ranges::transform(model.text(), file.begin(), [](char c) { return static_cast<std::byte>(c); });
    return file;
  }

 private:
  [[nodiscard]] std::string name_of(std::size_t number) const {
    if (number == 0 && !form_.pixels_first) return "x";
    return number == network_.layers.size() ? "y" : "t" + std::to_string(number);
  }
  /// Its scale and zero point are constants named after the number, whatever the value is called.
  static std::string scale_of(std::size_t number) { return "t" + std::to_string(number) + ".scale"; }
  static std::string zero_of(std::size_t number) { return "t" + std::to_string(number) + ".zero"; }

  static Message value(std::string_view name, const Dims& dims) {
    Message shape;
    for (const std::uint64_t dim : dims) shape.message(1, Message().integer(1, dim));
    const Message tensor = Message().integer(1, static_cast<std::uint64_t>(DataType::kUint8)).message(2, shape);
    return Message().bytes(1, name).message(2, Message().message(1, tensor));
  }
  void constant(std::string_view name, DataType type, const Dims& dims, std::string_view bytes) {
    Message tensor;
    for (const std::uint64_t dim : dims) tensor.integer(1, dim);
    graph_.message(5, tensor.integer(2, static_cast<std::uint64_t>(type)).bytes(8, name).bytes(9, bytes));
  }
  void codes(const std::string& name, const Codes& codes) {
    constant(name + ".scale", DataType::kFloat, {}, raw(std::span(&codes.scale, 1)));
    constant(name + ".zero", DataType::kUint8, {}, raw(std::span(&codes.zero_point, 1)));
  }
  void node(std::string_view kind, const std::vector<std::string>& inputs, const std::string& output, const std::vector<Attribute>& attributes, std::string_view domain = {}) {
    Message message;
    for (const std::string& input : inputs) message.bytes(1, input);
    message.bytes(2, output).bytes(3, output).bytes(4, kind);
    for (const Attribute& attribute : attributes) message.message(5, attribute.to_message());
    graph_.message(1, message.bytes(7, domain));
  }

  void add(const NetworkLayer& layer, std::size_t number) {
    const std::string own = "t" + std::to_string(number), source = name_of(layer.source), source_scale = scale_of(layer.source), source_zero = zero_of(layer.source);
    codes(own, layer.codes);
    switch (layer.kind) {
      case LayerKind::kAdd:
        node("QLinearAdd", {source, source_scale, source_zero, name_of(layer.addend), scale_of(layer.addend), zero_of(layer.addend), own + ".scale", own + ".zero"}, name_of(number), {}, kContributed);
        return;
      case LayerKind::kAverage:
        node("QLinearGlobalAveragePool", {source, source_scale, source_zero, own + ".scale", own + ".zero"}, name_of(number), {{.name = "channels_last", .values = {0}}}, kContributed);
        return;
      case LayerKind::kConvolution:
      case LayerKind::kDense: break;
    }
    const Shape& shape = layer.shape;
    const std::uint64_t out = shape.out_channels, in = shape.depthwise ? 1 : shape.in_channels, kernel = shape.kernel;
    const bool gemm = layer.kind == LayerKind::kDense && form_.dense_as_gemm;
    const std::vector<std::int8_t> weights = channels_first(layer), zeros(out, 0);
    constant(own + ".filter", DataType::kInt8, gemm ? Dims{out, in} : Dims{out, in, kernel, kernel}, raw(std::span(weights)));
    constant(own + ".filter_scale", DataType::kFloat, {out}, raw(std::span(layer.weight_scales)));
    constant(own + ".filter_zero", DataType::kInt8, {out}, raw(std::span(zeros)));
    constant(own + ".bias", DataType::kInt32, {out}, raw(std::span(layer.bias)));
    if (gemm) {
      node("Flatten", {source}, own + ".flat", {{.name = "axis", .values = {1}}});
      node("QGemm", {own + ".flat", source_scale, source_zero, own + ".filter", own + ".filter_scale", own + ".filter_zero", own + ".bias", own + ".scale", own + ".zero"}, name_of(number),
           {{.name = "transB", .values = {1}}}, kContributed);
      return;
    }
    const std::uint64_t before = shape.pad, after = layer.kind == LayerKind::kDense ? 0 : shape.padded_rows() - shape.pad - shape.size_rows;
    node("QLinearConv", {source, source_scale, source_zero, own + ".filter", own + ".filter_scale", own + ".filter_zero", own + ".scale", own + ".zero", own + ".bias"}, name_of(number),
         {{.name = "kernel_shape", .values = {kernel, kernel}, .list = true},
          {.name = "strides", .values = {shape.stride, shape.stride}, .list = true},
          {.name = "pads", .values = {before, before, after, after}, .list = true},
          {.name = "group", .values = {shape.depthwise ? out : 1}}});
  }

  static std::vector<std::int8_t> channels_first(const NetworkLayer& layer) {
    const std::size_t taps = std::size_t{layer.shape.kernel} * layer.shape.kernel, in = layer.shape.depth() / taps;
    std::vector<std::int8_t> weights(layer.weights.size());
    for (std::size_t out = 0; out < layer.shape.out_channels; ++out)
      for (std::size_t tap = 0; tap < taps; ++tap)
        for (std::size_t c = 0; c < in; ++c) weights[(out * in + c) * taps + tap] = layer.weights[(out * taps + tap) * in + c];
    return weights;
  }

  const Network& network_;
  OnnxForm form_;
  Message graph_;
};

}  // namespace

std::vector<std::byte> to_onnx(const Network& network, OnnxForm form) { return OnnxWriter(network, form).write(); }

}  // namespace naru::bench
