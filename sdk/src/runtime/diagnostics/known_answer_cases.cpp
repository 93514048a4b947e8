// The inputs and streams of the known-answer jobs. Changing one means making known_answers.cpp again (tools/known_answers).
#include "runtime/diagnostics/case_builder.h"

namespace naru::sdk::runtime::diagnostics {
namespace {

using abi::ElementType;

KnownAnswerCase conv(std::string_view name, std::uint64_t seed, std::uint16_t kernel, std::uint16_t stride, std::uint16_t dilation, std::uint32_t in_channels, std::uint32_t out_channels,
                     std::uint32_t out_size) {
  CaseBuilder builder(name, seed);
  abi::Conv c;
  const std::uint32_t in_size = (out_size - 1) * stride + (kernel - 1U) * dilation + 1;
  c.input = builder.noise(std::size_t{in_size} * in_size * in_channels);
  c.weights = builder.dense_weights(std::uint64_t{kernel} * kernel, in_channels, out_channels);
  c.output = builder.output(std::size_t{out_size} * out_size * out_channels);
  c.out_rows = c.out_cols = out_size;
  c.out_channels = out_channels;
  c.in_channels = in_channels;
  c.kernel_rows = c.kernel_cols = kernel;
  c.stride_rows = c.stride_cols = stride;
  c.dilation_rows = c.dilation_cols = dilation;
  c.input_pixel_stride = in_channels;
  c.input_row_stride = in_size * in_channels;
  c.output_pixel_stride = out_channels;
  c.output_row_stride = out_size * out_channels;
  c.output_zero = -3;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kMac, {c});
}

KnownAnswerCase fully_connected() {
  CaseBuilder builder("operator.fully_connected", 21);
  abi::Conv c;
  c.input = builder.noise(2 * 70);
  c.weights = builder.dense_weights(1, 70, 33);
  c.output = builder.output(2 * 33);
  c.out_cols = 2;
  c.out_channels = 33;
  c.in_channels = 70;
  c.input_pixel_stride = 70;
  c.input_row_stride = 140;
  c.output_pixel_stride = 33;
  c.output_row_stride = 66;
  c.output_zero = 5;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kMac, {c});
}

KnownAnswerCase depthwise(std::uint64_t seed, std::uint16_t stride, std::uint32_t channels) {
  CaseBuilder builder("operator.depthwise_conv2d", seed);
  abi::Depthwise c;
  const std::uint32_t in_size = 2U * stride + 3;
  c.input = builder.noise(std::size_t{in_size} * in_size * channels);
  c.weights = builder.depthwise_weights(9, channels);
  c.output = builder.output(std::size_t{9} * channels);
  c.out_rows = c.out_cols = 3;
  c.channels = channels;
  c.kernel_rows = c.kernel_cols = 3;
  c.stride_rows = c.stride_cols = stride;
  c.input_pixel_stride = channels;
  c.input_row_stride = in_size * channels;
  c.output_pixel_stride = channels;
  c.output_row_stride = 3 * channels;
  c.output_zero = 1;
  c.activation_min = -100;
  c.activation_max = 110;
  return builder.finish(Engine::kMac, {c});
}

KnownAnswerCase pool(std::string_view name, std::uint64_t seed, abi::PoolKind kind) {
  CaseBuilder builder(name, seed);
  abi::Pool c;
  constexpr std::uint32_t kSize = 5, kChannels = 19;
  c.input = builder.noise(kSize * kSize * kChannels);
  c.output = builder.output(3 * 3 * kChannels);
  c.kind = kind;
  c.in_rows = c.in_cols = kSize;
  c.out_rows = c.out_cols = 3;
  c.channels = kChannels;
  c.kernel_rows = c.kernel_cols = 3;
  c.stride_rows = c.stride_cols = 2;
  c.pad_top = c.pad_left = 1;
  c.input_pixel_stride = kChannels;
  c.input_row_stride = kSize * kChannels;
  c.output_pixel_stride = kChannels;
  c.output_row_stride = 3 * kChannels;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase elementwise(std::string_view name, std::uint64_t seed, abi::ElementwiseOp op) {
  CaseBuilder builder(name, seed);
  abi::Elementwise c;
  c.a = builder.noise(6 * 21);
  c.b = builder.noise(21);  // one row, repeated
  c.output = builder.output(6 * 21);
  c.op = op;
  c.extent = {1, 1, 6, 21};
  c.a_stride = {126, 126, 21, 1};
  c.b_stride = {0, 0, 0, 1};
  c.output_stride = {126, 126, 21, 1};
  c.a_zero = -4;
  c.b_zero = 11;
  c.output_zero = -2;
  c.activation_min = -128;
  c.activation_max = 127;
  c.output_multiplier = 1409286144;
  if (op == abi::ElementwiseOp::kAdd) {
    c.left_shift = 20;
    c.a_multiplier = 1073741824;
    c.b_multiplier = 1610612736;
    c.b_shift = -1;
    c.output_shift = -18;
  } else {
    c.output_shift = -6;
  }
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase requantize() {
  CaseBuilder builder("operator.quantize", 61);
  abi::Requantize c;
  c.input = builder.noise(150);
  c.output = builder.output(150);
  c.input_type = ElementType::kU8;
  c.extent = {1, 1, 1, 150};
  c.input_stride = c.output_stride = {150, 150, 150, 1};
  c.input_zero = 120;
  c.multiplier = 1288490189;
  c.shift = 1;
  c.output_zero = -7;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase table() {
  CaseBuilder builder("operator.table", 62);
  abi::Table c;
  c.input = builder.noise(150);
  c.table = builder.noise(256);
  c.output = builder.output(150);
  c.extent = {1, 1, 1, 150};
  c.input_stride = c.output_stride = {150, 150, 150, 1};
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase reduce() {
  CaseBuilder builder("operator.mean", 71);
  abi::Reduce c;
  c.input = builder.noise(7 * 7 * 18);
  c.output = builder.output(18);
  c.reduced_dimensions = 0b0110;
  c.extent = {1, 7, 7, 18};
  c.input_stride = {882, 126, 18, 1};
  c.output_stride = {18, 0, 0, 1};
  c.input_zero = 3;
  c.multiplier = 1402438301;
  c.shift = -4;
  c.output_zero = -9;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase softmax() {
  CaseBuilder builder("operator.softmax", 81);
  abi::Softmax c;
  c.input = builder.noise(3 * 40);
  c.output = builder.output(3 * 40);
  c.multiplier = 1374389535;
  c.left_shift = 21;
  c.difference_min = -248;
  c.rows = 3;
  c.row_elements = 40;
  c.input_row_stride = c.output_row_stride = 40;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase transpose() {
  CaseBuilder builder("operator.transpose", 91);
  abi::Move c;
  c.input = builder.noise(5 * 9 * 4);
  c.output = builder.output(5 * 9 * 4);
  c.extent = {1, 4, 5, 9};
  c.input_stride = {180, 1, 36, 4};
  c.output_stride = {180, 45, 9, 1};
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase relu() {
  CaseBuilder builder("operator.relu", 63);
  abi::Requantize c;
  c.input = builder.noise(150);
  c.output = builder.output(150);
  c.extent = {1, 1, 1, 150};
  c.input_stride = c.output_stride = {150, 150, 150, 1};
  c.input_zero = -20;
  c.multiplier = 1932735283;
  c.output_zero = -40;
  c.activation_min = -40;
  c.activation_max = 79;
  return builder.finish(Engine::kVector, {c});
}

/// A frame of padding around a picture: filled all over, then the picture moved into the middle.
KnownAnswerCase pad() {
  CaseBuilder builder("operator.pad", 92);
  abi::Move picture;
  picture.input = builder.noise(4 * 5 * 3);
  abi::Fill frame;
  frame.target = builder.output(6 * 8 * 3);
  frame.value = -77;
  frame.row_bytes = 6 * 8 * 3;
  picture.output = Operand::at(0, frame.target.offset() + (1 * 8 + 2) * 3);
  picture.extent = {1, 4, 5, 3};
  picture.input_stride = {60, 15, 3, 1};
  picture.output_stride = {144, 24, 3, 1};
  return builder.finish(Engine::kVector, {frame, picture});
}

/// Two tensors side by side in the innermost dimension.
KnownAnswerCase concatenation() {
  CaseBuilder builder("operator.concatenation", 93);
  abi::Move left, right;
  left.input = builder.noise(12 * 5);
  right.input = builder.noise(12 * 9);
  left.output = builder.output(12 * 14);
  right.output = Operand::at(0, left.output.offset() + 5);
  left.extent = {1, 1, 12, 5};
  left.input_stride = {60, 60, 5, 1};
  right.extent = {1, 1, 12, 9};
  right.input_stride = {108, 108, 9, 1};
  left.output_stride = right.output_stride = {168, 168, 14, 1};
  return builder.finish(Engine::kVector, {left, right});
}

/// The product of two activations: the right side packed by the vector engine, multiplied by the MAC engine.
KnownAnswerCase batch_matmul(std::uint64_t seed, ElementType type) {
  CaseBuilder builder("operator.batch_matmul", seed);
  constexpr std::uint32_t kRows = 5, kDepth = 23, kColumns = 18;
  abi::Conv product;
  abi::Pack pack;
  product.input = builder.noise(std::size_t{kRows} * kDepth);
  pack.input = builder.noise(std::size_t{kDepth} * kColumns);
  pack.output = product.weights = builder.room(abi::dense_block_bytes(1, kDepth) * abi::weight_blocks(kColumns));
  product.output = builder.output(std::size_t{kRows} * kColumns);
  const bool is_unsigned = type == ElementType::kU8;
  pack.input_type = type;
  pack.channels = kColumns;
  pack.depth = kDepth;
  pack.channel_stride = 1;
  pack.depth_stride = kColumns;
  pack.input_zero = is_unsigned ? 131 : 7;
  pack.weight_zero = product.weight_zero = -11;
  pack.multiplier = 1503238553;
  pack.shift = -9;
  product.input_type = product.output_type = type;
  product.out_cols = kRows;
  product.out_channels = kColumns;
  product.in_channels = kDepth;
  product.input_pixel_stride = kDepth;
  product.input_row_stride = kRows * kDepth;
  product.output_pixel_stride = kColumns;
  product.output_row_stride = kRows * kColumns;
  product.output_zero = is_unsigned ? 120 : -4;
  product.activation_min = is_unsigned ? 0 : -128;
  product.activation_max = is_unsigned ? 255 : 127;
  return builder.finish({{Engine::kVector, 0, pack}, {Engine::kMac, 0, product}});
}

KnownAnswerCase resize(std::uint64_t seed, ElementType type) {
  CaseBuilder builder("operator.resize_bilinear", seed);
  constexpr std::uint32_t kIn = 4, kOut = 7, kChannels = 5;
  const std::uint32_t size = abi::element_bytes(type);
  abi::Resize c;
  c.input = builder.noise(std::size_t{kIn} * kIn * kChannels * size);
  c.output = builder.output(std::size_t{kOut} * kOut * kChannels * size);
  c.type = type;
  c.in_rows = c.in_cols = kIn;
  c.out_rows = c.out_cols = kOut;
  c.channels = kChannels;
  c.input_pixel_stride = kChannels * size;
  c.input_row_stride = kIn * c.input_pixel_stride;
  c.output_pixel_stride = kChannels * size;
  c.output_row_stride = kOut * c.output_pixel_stride;
  c.row_scale = c.col_scale = (1024 * kIn + kOut / 2) / kOut;
  c.row_offset = c.row_scale / 2 - 512;  // half pixel centers in one direction
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase gate(std::uint64_t seed, abi::CurveKind kind) {
  CaseBuilder builder("operator.gates", seed);
  abi::Curve c;
  c.input = builder.noise(2 * 120);
  c.table = builder.sigmoid_table();
  c.output = builder.output(2 * 120);
  c.kind = kind;
  c.multiplier = 20171;
  c.shift = 13;
  c.extent = {1, 1, 1, 120};
  c.input_stride = c.output_stride = {240, 240, 240, 2};
  return builder.finish(Engine::kVector, {c});
}

/// The product over time of SVDF: 16-bit state and weights, one tap per step.
KnownAnswerCase svdf() {
  CaseBuilder builder("operator.svdf", 104);
  constexpr std::uint32_t kUnits = 37, kSteps = 9;
  abi::Depthwise c;
  c.input = builder.noise(2 * std::size_t{kSteps} * kUnits);
  c.weights = builder.depthwise_weights(kSteps, kUnits, 2);
  c.output = builder.output(kUnits);
  c.input_type = ElementType::kI16;
  c.weight_format = abi::WeightFormat::kDepthwiseI16;
  c.channels = kUnits;
  c.kernel_rows = kSteps;
  c.input_pixel_stride = c.input_row_stride = 2 * kUnits;
  c.output_pixel_stride = c.output_row_stride = kUnits;
  c.output_zero = 2;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kMac, {c});
}

}  // namespace

std::vector<KnownAnswerCase> known_answer_cases() {
  std::vector<KnownAnswerCase> cases;
  cases.push_back(conv("operator.conv2d", 11, 3, 1, 1, 5, 20, 4));
  cases.push_back(conv("operator.conv2d", 12, 1, 1, 1, 64, 17, 3));
  cases.push_back(conv("operator.conv2d", 13, 3, 2, 2, 7, 16, 2));
  cases.push_back(fully_connected());
  cases.push_back(depthwise(31, 1, 18));
  cases.push_back(depthwise(32, 2, 35));
  cases.push_back(pool("operator.average_pool2d", 41, abi::PoolKind::kAverage));
  cases.push_back(pool("operator.max_pool2d", 42, abi::PoolKind::kMaximum));
  cases.push_back(elementwise("operator.add", 51, abi::ElementwiseOp::kAdd));
  cases.push_back(elementwise("operator.mul", 52, abi::ElementwiseOp::kMul));
  cases.push_back(requantize());
  cases.push_back(table());
  cases.push_back(reduce());
  cases.push_back(softmax());
  cases.push_back(transpose());
  cases.push_back(relu());
  cases.push_back(pad());
  cases.push_back(concatenation());
  cases.push_back(batch_matmul(101, ElementType::kI8));
  cases.push_back(batch_matmul(102, ElementType::kU8));
  cases.push_back(resize(111, ElementType::kI8));
  cases.push_back(resize(112, ElementType::kI16));
  cases.push_back(gate(121, abi::CurveKind::kSigmoid));
  cases.push_back(gate(122, abi::CurveKind::kTanh));
  cases.push_back(svdf());
  return cases;
}

}  // namespace naru::sdk::runtime::diagnostics
