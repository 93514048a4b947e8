// Pairs and chains that meet special code of the compiler: paddings wider than the kernel around thin images, and what 16-bit codes alone have.
#include <algorithm>
#include <string_view>

#include "generator.h"
#include "windows.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

bool append_named(Growth& g, const Value& value, std::string_view name) {
  const auto kind = std::ranges::find(kinds(), name, [](const Kind& one) { return std::string_view(one.name); });
  return kind->applicable(value) && kind->append(g, value);
}

/// An image, of one row or one column as a rule: `value`, its elements, or a new input.
Value thin_image(Growth& g, const Value& value) {
  if (value.rank() == 4 && (value.shape[1] == 1 || value.shape[2] == 1 || g.chance(3)) && !g.chance(3)) return value;
  const std::int64_t elements = count(value.shape);
  std::int32_t channels = 1;
  for (std::int32_t d = 2; d <= 16; ++d)
    if (elements % d == 0 && g.chance(2)) channels = d;
  const bool is_row = !g.chance(3);
  if (elements / channels > 40) {
    const std::int32_t length = g.between(1, 17);
    return g.input({1, is_row ? 1 : length, is_row ? length : 1, g.between(1, 17)}, value.type);
  }
  const auto length = static_cast<std::int32_t>(elements / channels);
  const Shape shape{1, is_row ? 1 : length, is_row ? length : 1, channels};
  const Value result = g.like(value, shape);
  g.add(BuiltinOperator_RESHAPE, {value.tensor, g.indices({4}, shape).tensor}, {result}, ReshapeOptionsT());
  return result;
}

Window small_window(Growth& g, const Shape& image) {
  while (true) {
    Window w{g.chance(3) ? Padding_SAME : Padding_VALID};
    if (g.chance(2)) w.kernel_h = g.between(1, 3), w.kernel_w = g.between(1, 3);
    if (g.chance(3)) w.stride_h = g.between(1, 3), w.stride_w = g.between(1, 3);
    if (w.stride_h == 1 && w.stride_w == 1 && g.chance(6)) w.dilation_h = g.between(1, 2), w.dilation_w = g.between(1, 2);
    if (w.fits(image)) return w;
  }
}

bool add_any_window(Growth& g, const Value& value) {
  Window w = small_window(g, value.shape);
  switch (g.random.below(4)) {
    case 0:
    case 1: return add_convolution(g, value, w, 1, g.between(1, 16));
    case 2: return add_depthwise(g, value, w, g.chance(4) ? 2 : 1);
    default: w.dilation_h = w.dilation_w = 1; return add_pool(g, g.chance(2) ? BuiltinOperator_MAX_POOL_2D : BuiltinOperator_AVERAGE_POOL_2D, value, w);
  }
}

/// What reads the padded image: a window as a rule, or what may not take a padding into itself.
bool add_any_reader(Growth& g, const Value& value) {
  constexpr std::string_view kOthers[] = {"CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL", "MEAN", "RESIZE_BILINEAR", "ADD", "SLICE", "PAD"};
  return g.chance(5) ? append_named(g, value, g.any_of(kOthers)) : add_any_window(g, value);
}

bool append_padded_window(Growth& g, const Value& value) {
  Value image = thin_image(g, value);
  // From an operator it may stay in the SRAM, with a border if another window wants one.
  if (g.chance(2) && add_any_window(g, image)) image = g.pool.back();
  Shape edges(8, 0), shape = image.shape;
  for (std::size_t d : {1U, 2U})
    for (std::size_t side : {0U, 1U})
      if (g.chance(2)) shape[d] += edges[2 * d + side] = g.between(1, 6);
  if (g.chance(12)) shape[0] += edges[g.random.below(2)] = 1;
  if (g.chance(12)) shape[3] += edges[6 + g.random.below(2)] = g.between(1, 3);
  if (!g.fits(shape)) return image.tensor != value.tensor;
  Value padded = g.like(image, shape);
  padded.low = std::min(padded.low, 0.0);
  padded.high = std::max(padded.high, 0.0);
  const Value list = g.indices({4, 2}, edges);
  if (g.chance(6)) {
    const Value filler = g.constant(g.like(image, {}));
    padded.low = std::min(padded.low, filler.low);
    padded.high = std::max(padded.high, filler.high);
    g.add(BuiltinOperator_PADV2, {image.tensor, list.tensor, filler.tensor}, {padded}, PadV2OptionsT());
  } else {
    g.add(BuiltinOperator_PAD, {image.tensor, list.tensor}, {padded}, PadOptionsT());
  }
  for (std::int32_t readers = g.chance(3) ? 2 : 1; readers > 0; --readers) add_any_reader(g, padded);
  if (const Value& last = g.pool.back(); g.chance(2)) {
    const Value bordered = g.chance(2) ? image : last.rank() == 4 && last.type == image.type ? last : padded;
    add_convolution(g, bordered, {Padding_SAME, 3, 3}, 1, g.between(1, 8));
  }
  return true;
}

/// A matrix that a product takes as its right side, and that is an image for padded windows.
bool append_matrix_and_image(Growth& g, const Value& value) {
  Value matrix = value;
  if (g.chance(2) && append_named(g, value, "RELU")) matrix = g.pool.back();
  const std::int32_t depth = matrix.shape[matrix.shape.size() - 2], channels = matrix.shape.back();
  const Value left = g.partner(matrix, {g.between(1, 8), depth}, false);
  Shape product = matrix.shape;
  product[product.size() - 2] = left.shape[0];
  if (!g.fits(product)) return matrix.tensor != value.tensor;
  const Value result = g.tensor(product, matrix.type);
  const bool multiplies_first = g.chance(2);
  if (multiplies_first) g.add(BuiltinOperator_BATCH_MATMUL, {left.tensor, matrix.tensor}, {result}, BatchMatMulOptionsT());
  const std::int64_t elements = count(matrix.shape);
  std::int32_t columns = 1;
  for (std::int32_t d = 2; d <= 16; ++d)
    if (elements / channels % d == 0 && g.chance(2)) columns = d;
  const Shape image_shape{1, static_cast<std::int32_t>(elements / channels / columns), columns, channels};
  if (g.fits(image_shape)) {
    const Value image = g.like(matrix, image_shape);
    g.add(BuiltinOperator_RESHAPE, {matrix.tensor, g.indices({4}, image_shape).tensor}, {image}, ReshapeOptionsT());
    add_convolution(g, image, {Padding_SAME, 3, 3}, 1, g.between(1, 8));
  }
  if (!multiplies_first) g.add(BuiltinOperator_BATCH_MATMUL, {left.tensor, matrix.tensor}, {result}, BatchMatMulOptionsT());
  return true;
}

/// A sum of operands whose scales are far apart, near, or the same.
bool add_rescaled_sum(Growth& g, const Value& value) {
  constexpr float kRatios[] = {1.0F, 1.0F, 0.5F, 2.0F, 0.3F, 3.7F, 1.0F / 64, 64.0F};
  const float scale = std::clamp(g.scale(value) * g.any_of(kRatios), 0.0002F, 4.0F);
  Value other = g.quantized(g.broadcastable(value.shape, false), TensorType_INT16, scale, 0);
  if (g.chance(2)) {
    other = g.constant(other);
  } else {
    g.builder.graph().inputs.push_back(other.tensor);
    g.pool.push_back(other);
  }
  const float result_scale = std::clamp(std::max(scale, g.scale(value)) * g.any_of(kRatios), 0.0002F, 4.0F);
  const Value result = g.quantized(value.shape, TensorType_INT16, result_scale, 0);
  const std::vector<int> operands = g.chance(2) ? std::vector<int>{value.tensor, other.tensor} : std::vector<int>{other.tensor, value.tensor};
  if (g.chance(2)) {
    SubOptionsT options;
    options.pot_scale_int16 = g.chance(2);
    options.fused_activation_function = g.any_activation(value.type);
    return g.add(BuiltinOperator_SUB, operands, {result}, options);
  }
  AddOptionsT options;
  options.pot_scale_int16 = g.chance(2);
  options.fused_activation_function = g.any_activation(value.type);
  return g.add(BuiltinOperator_ADD, operands, {result}, options);
}

/// LOGISTIC or TANH; the scales that TFLite shifts by alone among those before it.
bool add_curve(Growth& g, Value value) {
  if (g.scale(value) > 4.0F) return false;
  if (g.chance(3)) {
    constexpr float kScales[] = {1.0F / 4096, 1.0F / 2048, 1.0F / 8192, 1.0F / 1024, 3.0F / 4096};
    const Value exact = g.quantized(value.shape, TensorType_INT16, g.any_of(kScales), 0);
    g.add(BuiltinOperator_QUANTIZE, {value.tensor}, {exact}, QuantizeOptionsT());
    value = exact;
  }
  return g.add(g.chance(2) ? BuiltinOperator_LOGISTIC : BuiltinOperator_TANH, {value.tensor}, {g.quantized(value.shape, TensorType_INT16, 1.0F / 32768, 0)});
}

bool add_product(Growth& g, const Value& value) {
  return append_named(g, value, value.rank() != 4 || g.chance(3) ? "FULLY_CONNECTED" : g.chance(2) ? "CONV_2D" : "DEPTHWISE_CONV_2D");
}

bool append_sixteen_bits(Growth& g, const Value& value) {
  Value at = value;
  if (at.type != TensorType_INT16) {
    at = g.quantized(value.shape, TensorType_INT16, g.any_scale(TensorType_INT16), 0);
    g.add(BuiltinOperator_QUANTIZE, {value.tensor}, {at}, QuantizeOptionsT());
  }
  for (std::int32_t links = g.between(2, 5); links > 0; --links) {
    const bool added = g.chance(3) ? add_rescaled_sum(g, at) : g.chance(2) ? add_curve(g, at) : add_product(g, at);
    if (added) at = g.pool.back();
  }
  return at.tensor != value.tensor;
}

}  // namespace

std::vector<Kind> compound_kinds() {
  return {{"PADDED_WINDOW", 6, kReal, 1, 4, append_padded_window}, {"SIXTEEN_BITS", 5, kCodes, 1, 4, append_sixteen_bits}, {"MATRIX_AND_IMAGE", 3, kBytes, 2, 4, append_matrix_and_image}};
}

}  // namespace naru::generated
