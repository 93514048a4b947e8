// Convolutions, matrix products and pools: everything that slides a window.
#include <limits>

#include "compiler/legalize/legalizer.h"
#include "naru/abi/weights.h"

namespace naru::sdk::compiler {
namespace {

using abi::ElementType;
using graph::OperatorKind;
using graph::Tensor;
using numerics::Multiplier;

constexpr std::initializer_list<ElementType> kActivations{ElementType::kI8, ElementType::kU8, ElementType::kI16};
/// Products that one BATCH_MATMUL may become.
constexpr std::uint64_t kBatchesMax = 256;


}  // namespace

/// Filter, bias and requantisation of a window whose geometry is set.
Result<void> Legalizer::weigh(WindowNode& node, TensorId filter_id, TensorId bias_id, graph::Activation activation) const {
  const Tensor& filter = graph_.tensor(filter_id);
  const Tensor& input = op_->kind == OperatorKind::kTransposeConv ? in(2) : in(0);
  NARU_CHECK_OK(expect_codes({&input, &out()}, kActivations));
  const bool legacy = input.type == ElementType::kU8;
  NARU_CHECK_OK(expect_quantized(filter, {ElementType::kI8, ElementType::kU8}));
  if (!filter.is_constant()) return unsupported("its filter is computed, not constant");
  if (filter.constant.size() != graph::byte_size(filter)) return fail(error(ErrorId::kModelConstant, "its filter has {} bytes", filter.constant.size()));
  const std::uint64_t taps = std::uint64_t{node.kernel_rows} * node.kernel_cols;
  const std::uint64_t depth = node.kind == WindowNode::Kind::kDense && !node.filter_channels_last ? node.in_channels / node.groups : 1;
  if (filter.constant.size() != taps * depth * node.out_channels)
    return fail(error(ErrorId::kModelShape, "its filter {} does not fit its input and output", graph::to_string(filter.shape)));
  node.filter = filter_id;
  if (bias_id != graph::kAbsent) {
    const Tensor& bias = graph_.tensor(bias_id);
    const bool wide = bias.type == ElementType::kI64;
    if ((!wide && bias.type != ElementType::kI32) || bias.constant.size() != std::size_t{wide ? 8U : 4U} * node.out_channels)
      return unsupported(fmt::format("its bias is not a constant of {} integers", node.out_channels));
    node.bias = bias_id;
  }
  const std::int32_t zero = filter.zero_point();
  for (std::int32_t other : filter.quantization->zero_points)
    if (other != zero) return unsupported("its filter has a zero point per channel");
  node.weight_zero = filter.type == ElementType::kU8 ? zero - 128 : zero;
  if (const auto scales = filter.quantization->scales.size(); scales != 1 && scales != node.out_channels)
    return fail(error(ErrorId::kModelQuantization, "its filter has {} scales for {} channels", scales, node.out_channels));
  node.multipliers = numerics::channel_multipliers(op_->kind, input.scale(), filter.quantization->scales, out().scale(), node.out_channels, legacy);
  for (const Multiplier& multiplier : node.multipliers) NARU_CHECK_OK(expect_multiplier(multiplier));
  node.input_type = input.type;
  node.output_type = out().type;
  node.input_zero = input.zero_point();
  node.output_zero = out().zero_point();
  node.clamp = activation_range(activation);
  return {};
}

/// Sizes of input and output, and the padding of TFLite's SAME.
Result<void> Legalizer::place(WindowNode& node, graph::Padding padding) const {
  NARU_CHECK_OK(expect_rank(in(0), 4));
  NARU_CHECK_OK(expect_rank(out(), 4));
  const auto& input = in(0).shape;
  const auto& output = out().shape;
  node.batch = extent(input[0]);
  node.in_rows = extent(input[1]);
  node.in_cols = extent(input[2]);
  node.in_channels = extent(input[3]);
  node.out_rows = extent(output[1]);
  node.out_cols = extent(output[2]);
  node.out_channels = extent(output[3]);
  for (std::uint32_t value : {node.kernel_rows, node.kernel_cols, node.stride_rows, node.stride_cols, node.dilation_rows, node.dilation_cols})
    if (value == 0 || value > std::numeric_limits<std::uint16_t>::max()) return unsupported("a kernel size, stride or dilation is not in 1..65535");
  const auto along = [&](std::uint32_t in_size, std::uint32_t kernel, std::uint32_t stride, std::uint32_t dilation, std::uint32_t out_size) {
    const auto expected = numerics::window_output(padding, static_cast<std::int32_t>(in_size), static_cast<std::int32_t>(kernel),
                                                  static_cast<std::int32_t>(stride), static_cast<std::int32_t>(dilation));
    return expected && extent(*expected) == out_size;
  };
  if (input[0] != output[0] || !along(node.in_rows, node.kernel_rows, node.stride_rows, node.dilation_rows, node.out_rows) ||
      !along(node.in_cols, node.kernel_cols, node.stride_cols, node.dilation_cols, node.out_cols))
    return fail(error(ErrorId::kModelShape, "its output {} does not follow from its input {}", graph::to_string(output), graph::to_string(input)));
  const auto before = [&](std::uint32_t in_size, std::uint32_t kernel, std::uint32_t stride, std::uint32_t dilation, std::uint32_t out_size) {
    return extent(numerics::window_padding(padding, static_cast<std::int32_t>(in_size), static_cast<std::int32_t>(kernel), static_cast<std::int32_t>(stride),
                                         static_cast<std::int32_t>(dilation), static_cast<std::int32_t>(out_size))
                    .before);
  };
  node.pad_top = before(node.in_rows, node.kernel_rows, node.stride_rows, node.dilation_rows, node.out_rows);
  node.pad_left = before(node.in_cols, node.kernel_cols, node.stride_cols, node.dilation_cols, node.out_cols);
  return {};
}

Result<void> Legalizer::convolution() {
  NARU_TRY(const auto* conv, options<graph::ConvOptions>());
  if (!has(1)) return fail(error(ErrorId::kModelGraph, "its filter is left out"));
  NARU_CHECK_OK(expect_rank(in(1), 4));
  NARU_CHECK_OK(expect_rank(in(0), 4));
  const auto& filter = in(1).shape;
  WindowNode node;
  node.kernel_rows = extent(filter[1]);
  node.kernel_cols = extent(filter[2]);
  node.stride_rows = extent(conv->stride_h);
  node.stride_cols = extent(conv->stride_w);
  node.dilation_rows = extent(conv->dilation_h);
  node.dilation_cols = extent(conv->dilation_w);
  NARU_CHECK_OK(place(node, conv->padding));
  if (op_->kind == OperatorKind::kConv2d) {
    const std::uint32_t depth = extent(filter[3]);
    if (depth == 0 || node.in_channels % depth != 0) return fail(error(ErrorId::kModelShape, "its filter has {} inputs, its input {}", depth, node.in_channels));
    node.groups = node.in_channels / depth;
    if (node.out_channels % node.groups != 0) return fail(error(ErrorId::kModelShape, "{} groups do not divide {} outputs", node.groups, node.out_channels));
  } else {
    if (node.out_channels % node.in_channels != 0)
      return fail(error(ErrorId::kModelShape, "{} inputs do not divide {} outputs", node.in_channels, node.out_channels));
    node.channel_multiplier = node.out_channels / node.in_channels;
    node.filter_channels_last = true;
    // With one input channel every output channel sees the same pixels: a dense convolution, which the array does with all its depth.
    node.kind = node.in_channels == 1 ? WindowNode::Kind::kDense : WindowNode::Kind::kDepthwise;
    if (node.kind == WindowNode::Kind::kDense) node.channel_multiplier = 1;
  }
  if (node.kind == WindowNode::Kind::kDepthwise) node.weight_format = abi::WeightFormat::kDepthwiseI8;
  NARU_CHECK_OK(weigh(node, op_->input(1), op_->input(2), conv->activation));
  emit(std::move(node), {op_->input(0)}, op_->output(0));
  return {};
}

Result<void> Legalizer::fully_connected() {
  NARU_TRY(const auto* fully_connected, options<graph::FullyConnectedOptions>());
  if (!has(1)) return fail(error(ErrorId::kModelGraph, "its filter is left out"));
  NARU_CHECK_OK(expect_rank(in(1), 2));
  WindowNode node;
  node.out_channels = extent(in(1).shape[0]);
  node.in_channels = extent(in(1).shape[1]);
  const std::uint64_t elements = graph::element_count(in(0));
  const std::uint64_t rows = node.in_channels == 0 ? 0 : elements / node.in_channels;
  if (rows == 0 || elements % node.in_channels != 0 || graph::element_count(out()) != rows * node.out_channels)
    return fail(error(ErrorId::kModelShape, "its input {}, filter {} and output {} do not fit each other", graph::to_string(in(0).shape),
                      graph::to_string(in(1).shape), graph::to_string(out().shape)));
  node.in_cols = node.out_cols = static_cast<std::uint32_t>(rows);
  if (!in(1).is_constant()) {
    if (has(2)) return unsupported("its filter is computed, and it has a bias");
    NARU_CHECK_OK(expect_codes({&in(0), &in(1), &out()}, {ElementType::kI8, ElementType::kU8}));
    const auto multipliers = numerics::channel_multipliers(op_->kind, in(0).scale(), in(1).quantization->scales, out().scale(), 1, in(0).type == ElementType::kU8);
    return product({op_->input(0), op_->input(1), op_->output(0), node.in_cols, node.in_channels, node.out_channels, true, multipliers[0],
                    activation_range(fully_connected->activation)});
  }
  NARU_CHECK_OK(weigh(node, op_->input(1), op_->input(2), fully_connected->activation));
  emit(std::move(node), {op_->input(0)}, op_->output(0));
  return {};
}

Result<void> Legalizer::product(const Product& p) {
  NARU_CHECK_OK(expect_multiplier(p.multiplier));
  const std::int32_t left_zero = in(0).zero_point();
  const std::int32_t stored_zero = in(1).type == ElementType::kU8 ? in(1).zero_point() - 128 : in(1).zero_point();
  WindowNode node;
  node.input_type = in(0).type;
  node.output_type = out().type;
  node.in_cols = node.out_cols = p.rows;
  node.in_channels = p.depth;
  node.out_channels = p.channels;
  node.input_zero = left_zero;
  node.output_zero = out().zero_point();
  node.weight_zero = stored_zero;
  node.clamp = p.clamp;
  const std::uint64_t bytes = abi::weight_blocks(p.channels) * abi::dense_block_bytes(1, p.depth);
  if (bytes > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) return unsupported("its right side is too large to be packed");
  node.packed = temporary({static_cast<std::int32_t>(bytes)}, ElementType::kI8);
  PackNode pack{p.channels, p.depth, p.right_by_rows ? p.depth : 1, p.right_by_rows ? 1 : p.channels, left_zero, stored_zero, p.multiplier};
  emit(pack, {p.right}, node.packed);
  const TensorId packed = node.packed;
  emit(std::move(node), {p.left, packed}, p.output);
  return {};
}

Result<void> Legalizer::batch_matmul() {
  NARU_TRY(const auto* options_of, options<graph::BatchMatmulOptions>());
  if (!has(1)) return fail(error(ErrorId::kModelGraph, "its second operand is left out"));
  NARU_CHECK_OK(expect_codes({&in(0), &in(1), &out()}, {ElementType::kI8, ElementType::kU8}));
  const graph::Shape x = in(0).shape, y = in(1).shape, z = out().shape;
  if (x.size() < 2 || y.size() < 2 || z.size() < 2) return unsupported("an operand has less than two dimensions");
  const std::uint32_t m = extent(z[z.size() - 2]), n = extent(z[z.size() - 1]), k = extent(x[x.size() - (options_of->adj_x ? 2 : 1)]);
  const std::uint64_t batches = graph::element_count(out()) / (std::uint64_t{m} * n);
  if (batches > kBatchesMax) return unsupported(fmt::format("it is {} products; at most {} are unrolled", batches, kBatchesMax));
  const auto multipliers = numerics::channel_multipliers(op_->kind, in(0).scale(), in(1).quantization->scales, out().scale(), 1);
  /// Which matrix of a broadcast operand belongs to product `batch`.
  const auto matrix_of = [&](const graph::Shape& shape, std::uint64_t batch) {
    std::uint64_t index = 0, stride = 1;
    for (std::size_t d = 2; d < z.size(); ++d) {
      const std::uint64_t length = extent(z[z.size() - 1 - d]);
      const std::uint64_t at = batch % length;
      batch /= length;
      if (d >= shape.size()) continue;
      const std::uint64_t own = extent(shape[shape.size() - 1 - d]);
      index += own == 1 ? 0 : at * stride;
      stride *= own;
    }
    return index;
  };
  const std::uint64_t left_bytes = std::uint64_t{m} * k, right_bytes = std::uint64_t{k} * n, out_bytes = std::uint64_t{m} * n;
  CopyNode join;
  std::vector<TensorId> parts;
  for (std::uint64_t b = 0; b < batches; ++b) {
    TensorId left = view(op_->input(0), matrix_of(x, b) * left_bytes, {static_cast<std::int32_t>(left_bytes)});
    if (options_of->adj_x) {
      const TensorId turned = temporary({static_cast<std::int32_t>(m), static_cast<std::int32_t>(k)}, in(0).type);
      emit(MoveNode{{{m, 1, k}, {k, m, 1}}, 0}, {left}, turned);
      left = turned;
    }
    const TensorId right = view(op_->input(1), matrix_of(y, b) * right_bytes, {static_cast<std::int32_t>(right_bytes)});
    const TensorId part = batches == 1 ? op_->output(0) : temporary({static_cast<std::int32_t>(out_bytes)}, out().type);
    NARU_CHECK_OK(product({left, right, part, m, k, n, options_of->adj_y, multipliers[0], numerics::code_range(out().type)}));
    join.copies.push_back({static_cast<std::uint32_t>(parts.size()), 0, b * out_bytes, out_bytes, {}});
    parts.push_back(part);
  }
  if (batches > 1) emit(std::move(join), std::move(parts), op_->output(0));
  return {};
}

/// out[y] gathers in[i] * w[y + pad - i * stride]: a convolution of the input with zeros between its pixels, and the kernel turned round.
Result<void> Legalizer::transpose_conv() {
  NARU_TRY(const auto* conv, options<graph::TransposeConvOptions>());
  if (!has(1) || !has(2)) return fail(error(ErrorId::kModelGraph, "an operand is left out"));
  const TensorId input_id = op_->input(2);
  for (const Tensor* tensor : {&in(1), &in(2), &out()}) NARU_CHECK_OK(expect_rank(*tensor, 4));
  NARU_CHECK_OK(expect_codes({&in(2), &out()}, kActivations));
  if (!in(1).is_constant()) return unsupported("its filter is computed, not constant");
  const graph::Shape input = in(2).shape, output = out().shape, filter = in(1).shape;
  const std::uint64_t element = abi::element_bytes(in(2).type);
  WindowNode node;
  node.batch = extent(input[0]);
  node.in_rows = (extent(input[1]) - 1) * extent(conv->stride_h) + 1;
  node.in_cols = (extent(input[2]) - 1) * extent(conv->stride_w) + 1;
  node.in_channels = extent(input[3]);
  node.out_rows = extent(output[1]);
  node.out_cols = extent(output[2]);
  node.out_channels = extent(output[3]);
  node.kernel_rows = extent(filter[1]);
  node.kernel_cols = extent(filter[2]);
  if (input[0] != output[0] || filter[0] != output[3] || filter[3] != input[3]) return fail(error(ErrorId::kModelShape, "its filter does not fit its input and output"));
  if (std::uint64_t{node.in_rows} * node.in_cols * node.in_channels * element * node.batch > std::uint64_t{std::numeric_limits<std::int32_t>::max()})
    return unsupported("its input with zeros between the pixels is too large");
  const auto before = [&](std::size_t d, std::int32_t stride) {
    return numerics::window_padding(conv->padding, output[d], filter[d], stride, 1, input[d]).before;
  };
  const std::int32_t top = before(1, conv->stride_h), left = before(2, conv->stride_w);
  if (top >= filter[1] || left >= filter[2]) return unsupported("its padding is larger than its kernel");
  node.pad_top = extent(filter[1] - 1 - top);
  node.pad_left = extent(filter[2] - 1 - left);

  // The kernel, turned by half a circle.
  const auto* from = reinterpret_cast<const std::byte*>(in(1).constant.data());
  const std::size_t depth = static_cast<std::size_t>(filter[3]), taps = static_cast<std::size_t>(filter[1]) * static_cast<std::size_t>(filter[2]);
  std::vector<std::byte> turned(in(1).constant.size());
  if (turned.size() != taps * depth * node.out_channels) return fail(error(ErrorId::kModelConstant, "its filter has {} bytes", turned.size()));
  for (std::size_t c = 0; c < node.out_channels; ++c)
    for (std::size_t tap = 0; tap < taps; ++tap) std::copy_n(from + (c * taps + tap) * depth, depth, turned.data() + (c * taps + taps - 1 - tap) * depth);
  const auto quantization = in(1).quantization;
  const TensorId filter_id = constant(std::move(turned), filter, in(1).type);
  graph_.tensor(filter_id).quantization = quantization;
  NARU_CHECK_OK(weigh(node, filter_id, op_->input(3), conv->activation));

  TensorId spread = input_id;
  if (conv->stride_h > 1 || conv->stride_w > 1) {
    spread = temporary({input[0], static_cast<std::int32_t>(node.in_rows), static_cast<std::int32_t>(node.in_cols), input[3]}, in(2).type);
    const std::uint64_t pixel = node.in_channels * element;
    const std::uint64_t row = extent(input[2]) * pixel, wide_row = node.in_cols * pixel;
    CopyNode copy;
    copy.fills_first = true;
    copy.fill_value = in(2).zero_point();
    copy.copies.push_back({0, 0, 0, pixel,
                           {{extent(input[0]), extent(input[1]) * row, node.in_rows * wide_row},
                            {extent(input[1]), row, extent(conv->stride_h) * wide_row},
                            {extent(input[2]), pixel, extent(conv->stride_w) * pixel}}});
    emit(std::move(copy), {input_id}, spread);
  }
  emit(std::move(node), {spread}, op_->output(0));
  return {};
}

Result<void> Legalizer::pool() {
  NARU_TRY(const auto* pool, options<graph::PoolOptions>());
  NARU_CHECK_OK(expect_quantized(in(0), kActivations));
  NARU_CHECK_OK(expect_same_quantization(in(0), out()));
  WindowNode node;
  node.kind = op_->kind == OperatorKind::kAveragePool2d ? WindowNode::Kind::kAveragePool : WindowNode::Kind::kMaxPool;
  node.input_type = node.output_type = in(0).type;
  node.kernel_rows = extent(pool->filter_h);
  node.kernel_cols = extent(pool->filter_w);
  node.stride_rows = extent(pool->stride_h);
  node.stride_cols = extent(pool->stride_w);
  NARU_CHECK_OK(place(node, pool->padding));
  if (node.in_channels != node.out_channels) return fail(error(ErrorId::kModelShape, "its input and output have different channels"));
  node.clamp = activation_range(pool->activation);
  emit(std::move(node), {op_->input(0)}, op_->output(0));
  return {};
}

}  // namespace naru::sdk::compiler
