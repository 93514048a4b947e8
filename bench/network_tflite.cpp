// A network as a TFLite model: int8 activations, int8 weights with a scale per channel, int32 biases.
#include <array>

#include "frontend/model_builder.h"
#include "networks.h"

namespace naru::bench {
namespace {

namespace tflite = naru::sdk::tflite;

class TfliteWriter {
 public:
  explicit TfliteWriter(const Network& network) : network_(network) {}

  std::vector<std::byte> write() {
    const auto size = static_cast<std::int32_t>(network_.size);
    numbers_.push_back(result("input", {1, size, size, 3}, network_.input));
    for (const NetworkLayer& layer : network_.layers) numbers_.push_back(add(layer));
    builder_.graph().inputs = {numbers_.front()};
    builder_.graph().outputs = {numbers_.back()};
    return *builder_.bytes();
  }

 private:
  int result(const std::string& name, std::vector<std::int32_t> shape, const Codes& codes) {
    return builder_.add_tensor(name, std::move(shape), tflite::TensorType_INT8, {codes.scale}, std::int64_t{codes.zero_point} - 128);
  }

  int add(const NetworkLayer& layer) {
    const Shape& shape = layer.shape;
    const auto kernel = static_cast<std::int32_t>(shape.kernel), in = static_cast<std::int32_t>(shape.in_channels), out = static_cast<std::int32_t>(shape.out_channels);
    const std::string name = "layer" + std::to_string(numbers_.size() - 1);
    const int source = numbers_[layer.source];
    const std::vector<std::int32_t> image = {1, static_cast<std::int32_t>(shape.out_rows()), static_cast<std::int32_t>(shape.out_cols()), out};
    switch (layer.kind) {
      case LayerKind::kAdd: {
        const int sum = result(name, image, layer.codes);
        builder_.add_operator(tflite::BuiltinOperator_ADD, {source, numbers_[layer.addend]}, {sum}, tflite::AddOptionsT());
        return sum;
      }
      case LayerKind::kAverage: {
        const int axes = builder_.constant<std::int32_t>(builder_.add_tensor(name + "/axes", {2}, tflite::TensorType_INT32), {1, 2});
        const int mean = result(name, {1, out}, layer.codes);
        builder_.add_operator(tflite::BuiltinOperator_MEAN, {source, axes}, {mean}, tflite::ReducerOptionsT());
        return mean;
      }
      case LayerKind::kDense: {
        const auto [filter, bias] = constants(name, layer, {out, in}, 0, layer.weights);
        const int product = result(name, {1, out}, layer.codes);
        builder_.add_operator(tflite::BuiltinOperator_FULLY_CONNECTED, {source, filter, bias}, {product}, tflite::FullyConnectedOptionsT());
        return product;
      }
      case LayerKind::kConvolution: break;
    }
    const tflite::ActivationFunctionType activation = layer.clamped ? tflite::ActivationFunctionType_RELU6 : tflite::ActivationFunctionType_NONE;
    const auto stride = static_cast<std::int32_t>(shape.stride);
    if (shape.depthwise) {
      const auto [filter, bias] = constants(name, layer, {1, kernel, kernel, out}, 3, channels_last(layer));
      const int product = result(name, image, layer.codes);
      tflite::DepthwiseConv2DOptionsT options;
      options.stride_h = options.stride_w = stride;
      options.depth_multiplier = 1;
      options.fused_activation_function = activation;
      builder_.add_operator(tflite::BuiltinOperator_DEPTHWISE_CONV_2D, {source, filter, bias}, {product}, options);
      return product;
    }
    const auto [filter, bias] = constants(name, layer, {out, kernel, kernel, in}, 0, layer.weights);
    const int product = result(name, image, layer.codes);
    tflite::Conv2DOptionsT options;
    options.stride_h = options.stride_w = stride;
    options.fused_activation_function = activation;
    builder_.add_operator(tflite::BuiltinOperator_CONV_2D, {source, filter, bias}, {product}, options);
    return product;
  }

  /// Filter and bias.
  std::array<int, 2> constants(const std::string& name, const NetworkLayer& layer, std::vector<std::int32_t> shape, std::int32_t axis, const std::vector<std::int8_t>& weights) {
    const int filter = builder_.constant(builder_.add_tensor(name + "/filter", std::move(shape), tflite::TensorType_INT8, layer.weight_scales, 0, axis), weights);
    std::vector<float> scales = layer.weight_scales;
    for (float& scale : scales) scale *= network_.codes(layer.source).scale;
    const int bias = builder_.constant(builder_.add_tensor(name + "/bias", {static_cast<std::int32_t>(layer.bias.size())}, tflite::TensorType_INT32, std::move(scales)), layer.bias);
    return {filter, bias};
  }

  static std::vector<std::int8_t> channels_last(const NetworkLayer& layer) {
    const std::size_t taps = layer.shape.depth(), channels = layer.shape.out_channels;
    std::vector<std::int8_t> weights(taps * channels);
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t tap = 0; tap < taps; ++tap) weights[tap * channels + c] = layer.weights[c * taps + tap];
    return weights;
  }

  const Network& network_;
  testing_models::ModelBuilder builder_;
  std::vector<int> numbers_;  // the tensor of every NetworkLayer::source
};

}  // namespace

std::vector<std::byte> to_tflite(const Network& network) { return TfliteWriter(network).write(); }

}  // namespace naru::bench
