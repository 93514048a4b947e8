// Convolutions, depthwise convolutions and pools with a chosen window.
#include "windows.h"

namespace naru::generated {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

namespace {

std::int32_t places(Padding padding, std::int32_t extent, std::int32_t kernel, std::int32_t stride, std::int32_t dilation) {
  if (padding == Padding_SAME) return (extent + stride - 1) / stride;
  const std::int32_t reach = (kernel - 1) * dilation + 1;
  return reach > extent ? 0 : (extent - reach) / stride + 1;
}

}  // namespace

std::int32_t Window::rows(const Shape& image) const { return places(padding, image[1], kernel_h, stride_h, dilation_h); }
std::int32_t Window::columns(const Shape& image) const { return places(padding, image[2], kernel_w, stride_w, dilation_w); }

Window any_window(Growth& g, const Shape& image) {
  while (true) {
    Window w{g.chance(2) ? Padding_SAME : Padding_VALID, g.between(1, 4), g.between(1, 4), g.between(1, 3), g.between(1, 3)};
    if (g.chance(4)) {
      w.dilation_h = g.between(1, 3);
      w.dilation_w = g.between(1, 3);
      w.stride_h = w.stride_w = 1;
    }
    if (g.chance(4)) w.kernel_h = w.kernel_w = w.stride_h = w.stride_w = 1;
    if (g.chance(8)) w = {Padding_VALID, image[1], image[2]};
    if (w.fits(image)) return w;
  }
}

bool add_convolution(Growth& g, const Value& value, const Window& w, std::int32_t groups, std::int32_t channels) {
  const Shape shape{value.shape[0], w.rows(value.shape), w.columns(value.shape), channels};
  if (!g.fits(shape)) return false;
  const Value filter = g.weights({channels, w.kernel_h, w.kernel_w, value.shape[3] / groups}, value.type, 0, false);
  auto options = options_of<Conv2DOptionsT>(w);
  options.fused_activation_function = g.any_activation(value.type);
  const int bias = g.bias(channels, value, filter);
  return g.add(BuiltinOperator_CONV_2D, {value.tensor, filter.tensor, bias}, {g.product(shape, value, filter)}, options);
}

bool add_depthwise(Growth& g, const Value& value, const Window& w, std::int32_t multiplier) {
  const std::int32_t channels = value.shape[3] * multiplier;
  const Shape shape{value.shape[0], w.rows(value.shape), w.columns(value.shape), channels};
  if (!g.fits(shape)) return false;
  const Value filter = g.weights({1, w.kernel_h, w.kernel_w, channels}, value.type, 3, false);
  auto options = options_of<DepthwiseConv2DOptionsT>(w);
  options.depth_multiplier = multiplier;
  options.fused_activation_function = g.any_activation(value.type);
  const int bias = g.bias(channels, value, filter);
  return g.add(BuiltinOperator_DEPTHWISE_CONV_2D, {value.tensor, filter.tensor, bias}, {g.product(shape, value, filter)}, options);
}

bool add_pool(Growth& g, BuiltinOperator code, const Value& value, const Window& w) {
  const Shape shape{value.shape[0], w.rows(value.shape), w.columns(value.shape), value.shape[3]};
  if (!g.fits(shape)) return false;
  auto options = options_of<Pool2DOptionsT>(w);
  options.filter_height = w.kernel_h;
  options.filter_width = w.kernel_w;
  options.fused_activation_function = g.any_activation(value.type);
  Value result = g.like(value, shape);
  result.is_exact = value.is_exact && (code == BuiltinOperator_MAX_POOL_2D || value.type != TensorType_FLOAT32);
  return g.add(code, {value.tensor}, {result}, options);
}

}  // namespace naru::generated
