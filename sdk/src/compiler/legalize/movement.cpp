// Operators that only move codes: views where the bytes lie together already, strided copies elsewhere.
#include <numeric>

#include "compiler/legalize/legalizer.h"
#include "naru/base/bytes.h"

namespace naru::sdk::compiler {
namespace {

using abi::ElementType;
using graph::OperatorKind;
using graph::Shape;
using graph::Tensor;

constexpr std::size_t kSlicesMax = 1024;  // copies that one operator may become

std::uint64_t count_of(std::span<const std::int32_t> shape) { return graph::element_count(shape); }
std::uint64_t size(std::int32_t value) { return static_cast<std::uint64_t>(value); }

std::int64_t integer_at(const Tensor& tensor, std::size_t index) {
  if (tensor.type == ElementType::kI64) return load_le<std::int64_t>(tensor.constant.data() + 8 * index);
  return load_le<std::int32_t>(tensor.constant.data() + 4 * index);
}

}  // namespace

Result<void> Legalizer::expect_movable() const {
  NARU_CHECK_OK(expect_type(out(), {ElementType::kI8, ElementType::kU8, ElementType::kI16}));
  const std::size_t data = op_->kind == OperatorKind::kSplit ? 1 : 0;
  if (!has(data)) return fail(error(ErrorId::kModelGraph, "operand {} is left out", data));
  return expect_same_quantization(in(data), out());
}

void Legalizer::move(std::vector<MoveNode::Loop> loops, std::uint64_t input_offset, TensorId input, TensorId output) {
  const std::uint64_t element = abi::element_bytes(graph_.tensor(output).type);
  for (MoveNode::Loop& loop : loops) {
    loop.input_stride *= element;
    loop.output_stride *= element;
  }
  emit(MoveNode{std::move(loops), input_offset * element}, {input}, output);
}

void Legalizer::take_box(TensorId input, const Box& box, TensorId output) {
  const Shape& shape = graph_.tensor(input).shape;
  const auto in_strides = dense_strides(shape, 1), out_strides = dense_strides(box.extent, 1);
  std::uint64_t offset = 0;
  bool together = true, inside = false;  // inside: a dimension of more than one element was passed
  std::vector<MoveNode::Loop> loops;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    offset += size(box.begin[d]) * in_strides[d];
    together = together && (box.stride[d] == 1 || box.extent[d] == 1) && (!inside || box.extent[d] == shape[d]);
    inside = inside || box.extent[d] > 1;
    loops.push_back({size(box.extent[d]), size(box.stride[d]) * in_strides[d], out_strides[d]});
  }
  if (together) return emit(ViewNode{offset * abi::element_bytes(graph_.tensor(output).type)}, {input}, output);
  move(std::move(loops), offset, input, output);
}

Result<void> Legalizer::identity() {
  if (graph::byte_size(in(0)) != graph::byte_size(out())) return fail(error(ErrorId::kModelShape, "its input and output have different sizes"));
  NARU_CHECK_OK(expect_movable());
  emit(ViewNode{}, {op_->input(0)}, op_->output(0));
  return {};
}

Result<void> Legalizer::pad() {
  NARU_TRY(const auto* pad, options<graph::PadOptions>());
  NARU_CHECK_OK(expect_movable());
  const std::size_t rank = in(0).shape.size();
  if (pad->before.size() != rank || pad->after.size() != rank || out().shape.size() != rank) return fail(error(ErrorId::kModelOptions, "its paddings do not fit its input"));
  for (std::size_t i = 0; i < rank; ++i)
    if (pad->before[i] < 0 || pad->after[i] < 0 || std::int64_t{in(0).shape[i]} + pad->before[i] + pad->after[i] != out().shape[i])
      return fail(error(ErrorId::kModelShape, "its output {} does not follow from its paddings", graph::to_string(out().shape)));
  std::int32_t value = out().zero_point();
  if (op_->kind == OperatorKind::kPadV2) {
    if (!has(2) || !in(2).is_constant() || in(2).type != out().type || graph::element_count(in(2)) != 1) return unsupported("its value is not a constant of its type");
    const std::byte* byte = in(2).constant.data();
    value = out().type == ElementType::kI16 ? load_le<std::int16_t>(byte) : out().type == ElementType::kU8 ? std::to_integer<std::int32_t>(*byte) : static_cast<std::int8_t>(*byte);
  }
  emit(PadNode{pad->before, pad->after, value}, {op_->input(0)}, op_->output(0));
  return {};
}

Result<void> Legalizer::concatenation() {
  NARU_TRY(const auto* concatenation, options<graph::ConcatenationOptions>());
  if (concatenation->activation != graph::Activation::kNone) return unsupported("it has a fused activation");
  NARU_CHECK_OK(expect_type(out(), {ElementType::kI8, ElementType::kU8, ElementType::kI16}));
  const Shape output = out().shape;
  const auto axis = static_cast<std::size_t>(concatenation->axis);
  if (concatenation->axis < 0 || axis >= output.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not in its output", concatenation->axis));
  const std::uint64_t element = abi::element_bytes(out().type);
  const std::uint64_t outer = count_of(std::span(output).first(axis)), whole = count_of(std::span(output).subspan(axis)) * element;
  CopyNode copy;
  std::vector<TensorId> inputs;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < op_->inputs.size(); ++i) {
    if (!has(i)) return fail(error(ErrorId::kModelGraph, "operand {} is left out", i));
    const Shape shape = in(i).shape;
    if (shape.size() != output.size()) return fail(error(ErrorId::kModelShape, "its operands do not have its output's dimensions"));
    for (std::size_t d = 0; d < output.size(); ++d)
      if (d != axis && shape[d] != output[d]) return fail(error(ErrorId::kModelShape, "operand {} differs from the output in dimension {}", i, d));
    TensorId id = op_->input(i);
    if (!expect_same_quantization(in(i), out())) {
      if (in(i).type != ElementType::kU8 || out().type != ElementType::kU8 || !in(i).quantization || !out().quantization) return expect_same_quantization(in(i), out());
      const auto entries = numerics::concatenation_table(in(i), out());
      id = temporary(shape, ElementType::kU8);
      table(entries, op_->input(i), id);
    }
    const std::uint64_t row = count_of(std::span(shape).subspan(axis)) * element;
    copy.copies.push_back({static_cast<std::uint32_t>(inputs.size()), 0, offset, row, {{outer, row, whole}}});
    inputs.push_back(id);
    offset += row;
  }
  if (offset != whole) return fail(error(ErrorId::kModelShape, "its operands join to {} bytes per row, not {}", offset, whole));
  emit(std::move(copy), std::move(inputs), op_->output(0));
  return {};
}

Result<void> Legalizer::transpose() {
  NARU_TRY(const auto* transpose, options<graph::TransposeOptions>());
  NARU_CHECK_OK(expect_movable());
  const auto& permutation = transpose->permutation;
  const Shape input = in(0).shape, output = out().shape;
  Shape sorted = permutation;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i)
    if (sorted[i] != static_cast<std::int32_t>(i)) return fail(error(ErrorId::kModelOptions, "its permutation is none"));
  if (permutation.size() != input.size() || permutation.size() != output.size()) return fail(error(ErrorId::kModelShape, "its permutation has {} dimensions", permutation.size()));
  const auto in_strides = dense_strides(input, 1), out_strides = dense_strides(output, 1);
  std::vector<MoveNode::Loop> loops;
  for (std::size_t d = 0; d < output.size(); ++d) {
    const auto from = static_cast<std::size_t>(permutation[d]);
    if (output[d] != input[from]) return fail(error(ErrorId::kModelShape, "its output is not its permuted input"));
    loops.push_back({size(output[d]), in_strides[from], out_strides[d]});
  }
  move(std::move(loops), 0, op_->input(0), op_->output(0));
  return {};
}

Result<void> Legalizer::slice() {
  NARU_TRY(const auto* slice, options<graph::SliceOptions>());
  NARU_CHECK_OK(expect_movable());
  const Shape& input = in(0).shape;
  if (slice->begin.size() != input.size() || slice->stride.size() != input.size() || slice->extent.size() != input.size())
    return fail(error(ErrorId::kModelOptions, "its box does not have its input's dimensions"));
  for (std::size_t d = 0; d < input.size(); ++d) {
    if (slice->stride[d] < 0) return unsupported("it goes backwards");
    const std::int64_t last = std::int64_t{slice->begin[d]} + std::int64_t{slice->extent[d] - 1} * slice->stride[d];
    if (slice->begin[d] < 0 || slice->extent[d] < 1 || last >= input[d]) return fail(error(ErrorId::kModelOptions, "its box is not inside its input"));
  }
  if (count_of(slice->extent) != graph::element_count(out())) return fail(error(ErrorId::kModelShape, "its output has not the size of its box"));
  take_box(op_->input(0), {slice->begin, slice->extent, slice->stride}, op_->output(0));
  return {};
}

Result<void> Legalizer::split() {
  NARU_TRY(const auto* split, options<graph::AxisOptions>());
  NARU_CHECK_OK(expect_movable());
  const TensorId input = op_->input(op_->kind == OperatorKind::kSplit ? 1 : 0);
  const Shape shape = graph_.tensor(input).shape;
  const auto axis = static_cast<std::size_t>(split->axis);
  if (split->axis < 0 || axis >= shape.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not in its input", split->axis));
  Box box{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
  for (TensorId output : op_->outputs) {
    if (graph_.tensor(output).shape.size() != shape.size()) return fail(error(ErrorId::kModelShape, "its outputs do not have its input's dimensions"));
    box.extent = graph_.tensor(output).shape;
    if (box.begin[axis] + box.extent[axis] > shape[axis]) return fail(error(ErrorId::kModelShape, "its parts are more than its input"));
    take_box(input, box, output);
    box.begin[axis] += box.extent[axis];
  }
  return {};
}

Result<void> Legalizer::pack() {
  NARU_TRY(const auto* pack, options<graph::AxisOptions>());
  NARU_CHECK_OK(expect_movable());
  const Shape output = out().shape;
  const auto axis = static_cast<std::size_t>(pack->axis);
  if (pack->axis < 0 || axis >= output.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not in its output", pack->axis));
  const std::uint64_t row = count_of(std::span(output).subspan(axis + 1)) * abi::element_bytes(out().type);
  const std::uint64_t outer = count_of(std::span(output).first(axis)), count = op_->inputs.size();
  if (count != size(output[axis])) return fail(error(ErrorId::kModelShape, "it packs {} operands into {}", count, output[axis]));
  CopyNode copy;
  for (std::size_t i = 0; i < count; ++i) {
    if (!has(i) || graph::byte_size(in(i)) != outer * row) return fail(error(ErrorId::kModelShape, "operand {} does not fit its output", i));
    NARU_CHECK_OK(expect_same_quantization(in(i), out()));
    copy.copies.push_back({static_cast<std::uint32_t>(i), 0, i * row, row, {{outer, row, count * row}}});
  }
  emit(std::move(copy), op_->inputs, op_->output(0));
  return {};
}

Result<void> Legalizer::unpack() {
  NARU_TRY(const auto* unpack, options<graph::AxisOptions>());
  NARU_CHECK_OK(expect_movable());
  const Shape shape = in(0).shape;
  const auto axis = static_cast<std::size_t>(unpack->axis);
  if (unpack->axis < 0 || axis >= shape.size() || size(shape[axis]) != op_->outputs.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not its outputs' number", unpack->axis));
  Box box{Shape(shape.size(), 0), shape, Shape(shape.size(), 1)};
  box.extent[axis] = 1;
  for (TensorId output : op_->outputs) {
    take_box(op_->input(0), box, output);
    ++box.begin[axis];
  }
  return {};
}

Result<void> Legalizer::take_slices(TensorId input, std::uint64_t outer, std::uint64_t extent, std::uint64_t slice_bytes, std::span<const std::int64_t> indices, TensorId output) {
  CopyNode copy;
  const std::uint64_t in_row = extent * slice_bytes, out_row = indices.size() * slice_bytes;
  for (std::size_t i = 0; i < indices.size();) {
    // A run of equal steps is one copy.
    std::size_t end = i + 1;
    const std::int64_t step = end < indices.size() ? indices[end] - indices[i] : 0;
    while (step >= 0 && end < indices.size() && indices[end] - indices[end - 1] == step) ++end;
    for (std::size_t at = i; at < end; ++at)
      if (indices[at] < 0 || static_cast<std::uint64_t>(indices[at]) >= extent) return fail(error(ErrorId::kModelConstant, "index {} is not below {}", indices[at], extent));
    copy.copies.push_back({0, static_cast<std::uint64_t>(indices[i]) * slice_bytes, i * slice_bytes, slice_bytes,
                           {{outer, in_row, out_row}, {end - i, static_cast<std::uint64_t>(std::max<std::int64_t>(step, 0)) * slice_bytes, slice_bytes}}});
    i = end;
  }
  if (copy.copies.size() > kSlicesMax) return unsupported(fmt::format("it would be {} copies", copy.copies.size()));
  emit(std::move(copy), {input}, output);
  return {};
}

Result<void> Legalizer::gather() {
  NARU_TRY(const auto* gather, options<graph::GatherOptions>());
  NARU_CHECK_OK(expect_movable());
  if (!has(1) || !in(1).is_constant() || (in(1).type != ElementType::kI32 && in(1).type != ElementType::kI64)) return unsupported("its indices are computed");
  if (gather->batch_dims != 0) return unsupported("it gathers per batch");
  const Shape shape = in(0).shape;
  const auto axis = static_cast<std::size_t>(gather->axis);
  if (gather->axis < 0 || axis >= shape.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not in its input", gather->axis));
  std::vector<std::int64_t> indices(graph::element_count(in(1)));
  for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = integer_at(in(1), i);
  const std::uint64_t outer = count_of(std::span(shape).first(axis)), slice = count_of(std::span(shape).subspan(axis + 1)) * abi::element_bytes(out().type);
  if (outer * indices.size() * slice != graph::byte_size(out())) return fail(error(ErrorId::kModelShape, "its output does not follow from its indices"));
  return take_slices(op_->input(0), outer, size(shape[axis]), slice, indices, op_->output(0));
}

/// TILE and BROADCAST_TO: each dimension is walked as often as the output is larger.
Result<void> Legalizer::tile() {
  NARU_CHECK_OK(expect_movable());
  const Shape output = out().shape;
  Shape input = in(0).shape;
  if (input.size() > output.size()) return fail(error(ErrorId::kModelShape, "its output has fewer dimensions than its input"));
  input.insert(input.begin(), output.size() - input.size(), 1);
  const auto in_strides = dense_strides(input, 1), out_strides = dense_strides(output, 1);
  std::vector<MoveNode::Loop> loops;
  for (std::size_t d = 0; d < output.size(); ++d) {
    if (output[d] % input[d] != 0) return fail(error(ErrorId::kModelShape, "its output is no multiple of its input"));
    loops.push_back({size(output[d] / input[d]), 0, size(input[d]) * out_strides[d]});
    loops.push_back({size(input[d]), in_strides[d], out_strides[d]});
  }
  move(std::move(loops), 0, op_->input(0), op_->output(0));
  return {};
}

Result<void> Legalizer::depth_space() {
  NARU_TRY(const auto* options_of, options<graph::BlockOptions>());
  NARU_CHECK_OK(expect_movable());
  NARU_CHECK_OK(expect_rank(in(0), 4));
  NARU_CHECK_OK(expect_rank(out(), 4));
  const bool to_space = op_->kind == OperatorKind::kDepthToSpace;
  const Shape& wide = to_space ? out().shape : in(0).shape;    // [batch, rows * block, cols * block, channels]
  const Shape& deep = to_space ? in(0).shape : out().shape;    // [batch, rows, cols, block * block * channels]
  const std::uint64_t block = size(options_of->block_size);
  if (options_of->block_size < 1 || wide[0] != deep[0] || size(wide[1]) != size(deep[1]) * block || size(wide[2]) != size(deep[2]) * block || size(deep[3]) != size(wide[3]) * block * block)
    return fail(error(ErrorId::kModelShape, "its output does not follow from its block size"));
  const std::uint64_t channels = size(wide[3]), wide_row = size(wide[2]) * channels, deep_pixel = size(deep[3]);
  struct Walk {
    std::uint64_t extent, wide, deep;
  };
  std::vector<MoveNode::Loop> loops;
  for (const Walk& walk : {Walk{size(deep[0]) * size(deep[1]), block * wide_row, size(deep[2]) * deep_pixel}, Walk{block, wide_row, block * channels},
                           Walk{size(deep[2]), block * channels, deep_pixel}, Walk{block * channels, 1, 1}})
    loops.push_back(to_space ? MoveNode::Loop{walk.extent, walk.deep, walk.wide} : MoveNode::Loop{walk.extent, walk.wide, walk.deep});
  move(std::move(loops), 0, op_->input(0), op_->output(0));
  return {};
}

namespace {

/// Batches [block..., batch] of small images against one batch of large ones [batch, (size, block)...]: for each loop the strides on both sides.
struct BlockWalk {
  std::uint64_t extent, small, large;
};
std::vector<BlockWalk> walk_blocks(const Shape& large, const Shape& small, const Shape& block) {
  const auto large_strides = dense_strides(large, 1), small_strides = dense_strides(small, 1);
  std::vector<BlockWalk> walks;
  std::uint64_t small_batch = size(large[0]) * small_strides[0];
  for (std::size_t i = block.size(); i-- > 0;) {
    walks.insert(walks.begin(), {size(block[i]), small_batch, large_strides[i + 1]});
    small_batch *= size(block[i]);
  }
  walks.push_back({size(large[0]), small_strides[0], large_strides[0]});
  for (std::size_t i = 0; i < block.size(); ++i) walks.push_back({size(small[i + 1]), small_strides[i + 1], large_strides[i + 1] * size(block[i])});
  std::uint64_t rest = 1;
  for (std::size_t d = block.size() + 1; d < large.size(); ++d) rest *= size(large[d]);
  walks.push_back({rest, 1, 1});
  return walks;
}

}  // namespace

Result<void> Legalizer::space_to_batch() {
  NARU_TRY(const auto* options_of, options<graph::SpaceBatchOptions>());
  NARU_CHECK_OK(expect_movable());
  const Shape output = out().shape;
  const std::size_t spatial = options_of->block.size();
  Shape large = in(0).shape;
  if (spatial == 0 || spatial + 1 > large.size() || options_of->before.size() != spatial || options_of->after.size() != spatial || output.size() != large.size())
    return fail(error(ErrorId::kModelOptions, "its blocks do not fit its input"));
  PadNode pad{Shape(large.size(), 0), Shape(large.size(), 0), out().zero_point()};
  bool padded = false;
  for (std::size_t i = 0; i < spatial; ++i) {
    pad.before[i + 1] = options_of->before[i];
    pad.after[i + 1] = options_of->after[i];
    large[i + 1] += options_of->before[i] + options_of->after[i];
    padded = padded || options_of->before[i] != 0 || options_of->after[i] != 0;
    if (options_of->block[i] < 1 || large[i + 1] != output[i + 1] * options_of->block[i]) return fail(error(ErrorId::kModelShape, "its output does not follow from its blocks"));
  }
  TensorId source = op_->input(0);
  if (padded) {
    source = temporary(large, out().type);
    emit(std::move(pad), {op_->input(0)}, source);
  }
  std::vector<MoveNode::Loop> loops;
  for (const BlockWalk& walk : walk_blocks(large, output, options_of->block)) loops.push_back({walk.extent, walk.large, walk.small});
  move(std::move(loops), 0, source, op_->output(0));
  return {};
}

Result<void> Legalizer::batch_to_space() {
  NARU_TRY(const auto* options_of, options<graph::SpaceBatchOptions>());
  NARU_CHECK_OK(expect_movable());
  const Shape input = in(0).shape, output = out().shape;
  const std::size_t spatial = options_of->block.size();
  if (spatial == 0 || spatial + 1 > input.size() || options_of->before.size() != spatial || options_of->after.size() != spatial || output.size() != input.size())
    return fail(error(ErrorId::kModelOptions, "its blocks do not fit its input"));
  Shape large = output;
  Box box{Shape(output.size(), 0), output, Shape(output.size(), 1)};
  bool cropped = false;
  for (std::size_t i = 0; i < spatial; ++i) {
    large[i + 1] += options_of->before[i] + options_of->after[i];
    box.begin[i + 1] = options_of->before[i];
    cropped = cropped || options_of->before[i] != 0 || options_of->after[i] != 0;
    if (options_of->block[i] < 1 || large[i + 1] != input[i + 1] * options_of->block[i]) return fail(error(ErrorId::kModelShape, "its output does not follow from its blocks"));
  }
  std::vector<MoveNode::Loop> loops;
  for (const BlockWalk& walk : walk_blocks(large, input, options_of->block)) loops.push_back({walk.extent, walk.small, walk.large});
  const TensorId whole = cropped ? temporary(large, out().type) : op_->output(0);
  move(std::move(loops), 0, op_->input(0), whole);
  if (cropped) take_box(whole, box, op_->output(0));
  return {};
}

/// Columns first, then rows: each is a gather along one dimension.
Result<void> Legalizer::resize_nearest() {
  NARU_TRY(const auto* resize, options<graph::ResizeOptions>());
  NARU_CHECK_OK(expect_movable());
  NARU_CHECK_OK(expect_rank(in(0), 4));
  NARU_CHECK_OK(expect_rank(out(), 4));
  const Shape input = in(0).shape, output = out().shape;
  if (input[0] != output[0] || input[3] != output[3]) return fail(error(ErrorId::kModelShape, "its output is not its input in another size"));
  const std::uint64_t element = abi::element_bytes(out().type);
  const auto along = [&](TensorId from, std::uint64_t outer, std::int32_t in_extent, std::int32_t out_extent, std::uint64_t slice, TensorId to) -> Result<void> {
    const auto nearest = numerics::resize_nearest_indices(*resize, in_extent, out_extent);
    const std::vector<std::int64_t> indices(nearest.begin(), nearest.end());
    bool repeats = out_extent % in_extent == 0;
    const std::int64_t times = out_extent / in_extent;
    for (std::size_t i = 0; repeats && i < indices.size(); ++i) repeats = indices[i] == static_cast<std::int64_t>(i) / times;
    if (!repeats) return take_slices(from, outer, size(in_extent), slice * element, indices, to);
    move({{outer, size(in_extent) * slice, size(out_extent) * slice},
          {size(in_extent), slice, static_cast<std::uint64_t>(times) * slice},
          {static_cast<std::uint64_t>(times), 0, slice},
          {slice, 1, 1}},
         0, from, to);
    return {};
  };
  const std::uint64_t channels = size(input[3]);
  TensorId wide = op_->input(0);
  if (input[2] != output[2]) {
    wide = input[1] == output[1] ? op_->output(0) : temporary({input[0], input[1], output[2], input[3]}, out().type);
    NARU_CHECK_OK(along(op_->input(0), size(input[0]) * size(input[1]), input[2], output[2], channels, wide));
  }
  if (input[1] != output[1]) return along(wide, size(input[0]), input[1], output[1], size(output[2]) * channels, op_->output(0));
  if (wide == op_->input(0)) emit(ViewNode{}, {wide}, op_->output(0));
  return {};
}

}  // namespace naru::sdk::compiler
