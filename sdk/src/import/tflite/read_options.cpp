// Options that are resolved from constant operands, and what all readers of options share.
#include "import/tflite/read_options.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "import/refusal.h"

namespace naru::sdk {

using graph::Operator;
using graph::Tensor;

namespace {

/// By an earlier operator, as opposed to a constant.
bool is_computed(const Source& source, std::size_t operand) {
  if (source.op.input(operand) == graph::kAbsent) return false;
  const Tensor& tensor = source.graph.tensor(source.op.input(operand));
  return !tensor.is_constant() && graph::element_count(tensor) > 0 && (tensor.type == abi::ElementType::kI32 || tensor.type == abi::ElementType::kI64);
}

/// Computed, and nobody can say what.
bool is_open(const Source& source, std::size_t operand) { return is_computed(source, operand) && source.known.computed(source.op.inputs[operand]) == nullptr; }

}  // namespace

tl::unexpected<Error> missing_options(const Operator& op) { return refuse(ErrorId::kModelOptions, place_of(op, "builtin_options"), "are missing"); }

Result<graph::Activation> read_activation(const Operator& op, tflite::ActivationFunctionType activation) {
  switch (activation) {
    case tflite::ActivationFunctionType_NONE: return graph::Activation::kNone;
    case tflite::ActivationFunctionType_RELU: return graph::Activation::kRelu;
    case tflite::ActivationFunctionType_RELU_N1_TO_1: return graph::Activation::kReluN1To1;
    case tflite::ActivationFunctionType_RELU6: return graph::Activation::kRelu6;
    case tflite::ActivationFunctionType_TANH:
    case tflite::ActivationFunctionType_SIGN_BIT:
      return refuse(ErrorId::kModelOperatorUnsupported, place_of(op, "fused_activation_function"),
                    fmt::format("is {}, which is not supported", tflite::EnumNameActivationFunctionType(activation)));
  }
  return refuse(ErrorId::kModelOptions, place_of(op, "fused_activation_function"), fmt::format("is {}, which does not exist", static_cast<int>(activation)));
}

Result<graph::Padding> read_padding(const Operator& op, tflite::Padding padding) {
  if (padding == tflite::Padding_SAME) return graph::Padding::kSame;
  if (padding == tflite::Padding_VALID) return graph::Padding::kValid;
  return refuse(ErrorId::kModelOptions, place_of(op, "padding"), fmt::format("is {}, which does not exist", static_cast<int>(padding)));
}

Result<std::vector<std::int64_t>> read_parameter(const Source& source, std::size_t operand, std::string_view field) {
  const graph::TensorId id = source.op.input(operand);
  if (id == graph::kAbsent) return refuse(ErrorId::kModelOptions, place_of(source.op, field), "are missing");
  const Tensor& tensor = source.graph.tensor(id);
  const Place place = place_of(source.op, tensor, field);
  const bool wide = tensor.type == abi::ElementType::kI64;
  if (!wide && tensor.type != abi::ElementType::kI32) return refuse(ErrorId::kModelTypeUnsupported, place, fmt::format("is {}; must be i32 or i64", abi::name_of(tensor.type)));
  if (!tensor.is_constant()) {
    if (graph::checked_element_count(tensor.shape) == 0) return std::vector<std::int64_t>();
    if (const auto* values = source.known.computed(id)) return *values;
    return refuse(ErrorId::kModelOperatorUnsupported, place, "is computed at run time; must be a constant, or follow from shapes and constants");
  }
  if (auto values = KnownNumbers::constant_of(tensor)) return *std::move(values);
  return refuse(ErrorId::kModelConstant, place,
                fmt::format("has {} bytes, which {} of {} does not", tensor.constant.size(), graph::to_string(tensor.shape), abi::name_of(tensor.type)));
}

void drop_empty_parameters(const graph::Graph& graph, Operator& op) {
  switch (op.kind) {
    case graph::OperatorKind::kReshape:
    case graph::OperatorKind::kMean:
    case graph::OperatorKind::kSum:
    case graph::OperatorKind::kReduceMax:
    case graph::OperatorKind::kReduceMin:
    case graph::OperatorKind::kTranspose:
    case graph::OperatorKind::kSlice:
    case graph::OperatorKind::kStridedSlice:
    case graph::OperatorKind::kPad:
    case graph::OperatorKind::kTile:
    case graph::OperatorKind::kBroadcastTo: break;
    default: return;
  }
  // They are the last operands, so that none is left out in between.
  while (op.inputs.size() > 1 && op.inputs.back() != graph::kAbsent && graph::element_count(graph.tensor(op.inputs.back())) == 0) op.inputs.pop_back();
}

Result<void> check_new_size(const Source& source) {
  if (source.op.input(1) == graph::kAbsent || source.is_constant(1)) return {};  // verify_graph looks at it
  NARU_TRY(const std::vector<std::int64_t> size, read_parameter(source, 1, "size"));
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (output.shape.size() == 4 && size == std::vector<std::int64_t>{output.shape[1], output.shape[2]}) return {};
  return refuse(ErrorId::kModelShape, place_of(source.op, output, "size"), fmt::format("is not that of the output's {}", graph::to_string(output.shape)));
}

Result<std::int32_t> read_axis(const Source& source, std::int64_t axis, std::string_view field) {
  const auto rank = static_cast<std::int64_t>(source.graph.tensor(source.op.inputs[0]).shape.size());
  if (axis < -rank || axis >= rank) return refuse(ErrorId::kModelOptions, place_of(source.op, field), fmt::format("is {}; the input has {} dimensions", axis, rank));
  return static_cast<std::int32_t>(axis < 0 ? axis + rank : axis);
}

Result<std::int32_t> read_size(const Source& source, std::int64_t value, std::string_view field) {
  if (value < 0 || value > std::numeric_limits<std::int32_t>::max())
    return refuse(ErrorId::kModelOptions, place_of(source.op, field), fmt::format("has {}; must be between 0 and 2^31 - 1", value));
  return static_cast<std::int32_t>(value);
}

Result<graph::Options> read_arg(const Source& source) {
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, 1, "axis"));
  if (values.size() != 1) return refuse(ErrorId::kModelOptions, place_of(source.op, "axis"), fmt::format("has {} values; must have 1", values.size()));
  NARU_TRY(const std::int32_t axis, read_axis(source, values[0], "axis"));
  return graph::AxisOptions{axis};
}

Result<graph::Options> read_pack(const Source& source) {
  const auto* from = source.file.builtin_options_as_PackOptions();
  if (from == nullptr) return missing_options(source.op);
  if (from->values_count() < 0 || static_cast<std::size_t>(from->values_count()) != source.op.inputs.size())
    return refuse(ErrorId::kModelOptions, place_of(source.op, "values_count"), fmt::format("is {}; there are {} operands", from->values_count(), source.op.inputs.size()));
  const auto rank = static_cast<std::int64_t>(source.graph.tensor(source.op.inputs[0]).shape.size()) + 1;
  const std::int64_t axis = from->axis() < 0 ? from->axis() + rank : std::int64_t{from->axis()};
  if (axis < 0 || axis >= rank) return refuse(ErrorId::kModelOptions, place_of(source.op, "axis"), fmt::format("is {}; the output has {} dimensions", from->axis(), rank));
  return graph::AxisOptions{static_cast<std::int32_t>(axis)};
}

Result<graph::Options> read_unpack(const Source& source) {
  const auto* from = source.file.builtin_options_as_UnpackOptions();
  if (from == nullptr) return missing_options(source.op);
  if (from->num() < 0 || static_cast<std::size_t>(from->num()) != source.op.outputs.size())
    return refuse(ErrorId::kModelOptions, place_of(source.op, "num"), fmt::format("is {}; there are {} results", from->num(), source.op.outputs.size()));
  NARU_TRY(const std::int32_t axis, read_axis(source, from->axis(), "axis"));
  return graph::AxisOptions{axis};
}

/// Masks are bits over entries of begin, end and strides; an ellipsis entry stands for all dimensions that no other entry names.
Result<graph::Options> read_strided_slice(const Source& source) {
  const auto* from = source.file.builtin_options_as_StridedSliceOptions();
  if (from == nullptr) return missing_options(source.op);
  if (from->offset()) return refuse(ErrorId::kModelOperatorUnsupported, place_of(source.op, "offset"), "is set, which is not supported");
  NARU_TRY(const std::vector<std::int64_t> begins, read_parameter(source, 1, "begin"));
  NARU_TRY(const std::vector<std::int64_t> ends, read_parameter(source, 2, "end"));
  NARU_TRY(const std::vector<std::int64_t> strides, read_parameter(source, 3, "strides"));
  const graph::Shape& shape = source.graph.tensor(source.op.inputs[0]).shape;
  if (begins.size() != ends.size() || begins.size() != strides.size() || begins.size() > 31)
    return refuse(ErrorId::kModelOptions, place_of(source.op, "begin"), fmt::format("has {} entries, end {}, strides {}; must be equally many, at most 31", begins.size(), ends.size(), strides.size()));
  const auto masked = [](std::int32_t mask, std::size_t entry) { return ((static_cast<std::uint32_t>(mask) >> entry) & 1U) != 0; };
  std::size_t named = 0;
  std::size_t ellipses = 0;
  for (std::size_t i = 0; i < begins.size(); ++i) {
    if (masked(from->ellipsis_mask(), i)) ++ellipses;
    else if (!masked(from->new_axis_mask(), i)) ++named;
  }
  if (named > shape.size() || ellipses > 1)
    return refuse(ErrorId::kModelOptions, place_of(source.op, "begin"), fmt::format("names {} dimensions with {} ellipses; the input has {}", named, ellipses, shape.size()));

  graph::SliceOptions options;
  graph::Shape result;
  const auto whole = [&] {
    const std::int32_t extent = shape[options.begin.size()];
    options.begin.push_back(0);
    options.stride.push_back(1);
    options.extent.push_back(extent);
    result.push_back(extent);
  };
  for (std::size_t i = 0; i < begins.size(); ++i) {
    if (masked(from->ellipsis_mask(), i)) {
      for (std::size_t left = shape.size() - named; left > 0; --left) whole();
      continue;
    }
    if (masked(from->new_axis_mask(), i)) {
      result.push_back(1);
      continue;
    }
    const std::int64_t extent = shape[options.begin.size()];
    const std::int64_t stride = strides[i];
    if (stride == 0 || stride < -std::numeric_limits<std::int32_t>::max() || stride > std::numeric_limits<std::int32_t>::max())
      return refuse(ErrorId::kModelOptions, place_of(source.op, "strides"), fmt::format("has {} for dimension {}", stride, options.begin.size()));
    const std::int64_t low = stride > 0 ? 0 : -1;
    const std::int64_t high = stride > 0 ? extent : extent - 1;
    const auto place = [&](std::int64_t value) { return std::clamp(value < 0 ? value + extent : value, low, high); };
    std::int64_t begin = masked(from->begin_mask(), i) ? (stride > 0 ? low : high) : place(begins[i]);
    std::int64_t count = 1;
    if (masked(from->shrink_axis_mask(), i)) {
      if (!masked(from->begin_mask(), i)) begin = begins[i] < 0 ? begins[i] + extent : begins[i];  // TFLite heeds the mask here too
      if (begin < 0 || begin >= extent)
        return refuse(ErrorId::kModelOptions, place_of(source.op, "begin"), fmt::format("has {}; dimension {} has {}", begins[i], options.begin.size(), extent));
    } else {
      const std::int64_t end = masked(from->end_mask(), i) ? (stride > 0 ? high : low) : place(ends[i]);
      count = stride > 0 ? (end - begin + stride - 1) / stride : (begin - end - stride - 1) / -stride;
      if (count < 1) return refuse(ErrorId::kModelShape, place_of(source.op, "begin"), fmt::format("and end leave nothing of dimension {}", options.begin.size()));
      result.push_back(static_cast<std::int32_t>(count));
    }
    options.begin.push_back(static_cast<std::int32_t>(begin));
    options.stride.push_back(static_cast<std::int32_t>(masked(from->shrink_axis_mask(), i) ? 1 : stride));
    options.extent.push_back(static_cast<std::int32_t>(count));
  }
  while (options.begin.size() < shape.size()) whole();
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (output.shape != result)
    return refuse(ErrorId::kModelShape, place_of(source.op, output, "shape"), fmt::format("is {}; masks and operands give {}", graph::to_string(output.shape), graph::to_string(result)));
  return options;
}

Result<graph::Options> read_svdf(const Source& source) {
  const auto* from = source.file.builtin_options_as_SVDFOptions();
  if (from == nullptr) return missing_options(source.op);
  graph::SvdfOptions options;
  options.rank = from->rank();
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  return options;
}

Result<graph::Options> read_lstm(const Source& source) {
  const auto* from = source.file.builtin_options_as_UnidirectionalSequenceLSTMOptions();
  if (from == nullptr) return missing_options(source.op);
  if (from->fused_activation_function() != tflite::ActivationFunctionType_TANH)
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(source.op, "fused_activation_function"), "must be TANH");
  if (from->diagonal_recurrent_tensors()) return refuse(ErrorId::kModelOperatorUnsupported, place_of(source.op, "diagonal_recurrent_tensors"), "is set, which is not supported");
  graph::LstmOptions options;
  options.cell_clip = from->cell_clip();
  options.projection_clip = from->proj_clip();
  options.time_major = from->time_major();
  return options;
}

/// A size of -1 is all that is left.
Result<graph::Options> read_slice(const Source& source) {
  NARU_TRY(const std::vector<std::int64_t> begins, read_parameter(source, 1, "begin"));
  NARU_TRY(const std::vector<std::int64_t> sizes, read_parameter(source, 2, "size"));
  const graph::Shape& shape = source.graph.tensor(source.op.inputs[0]).shape;
  if (begins.size() != shape.size() || sizes.size() != shape.size())
    return refuse(ErrorId::kModelOptions, place_of(source.op, "begin"), fmt::format("has {} entries, size {}; the input has {} dimensions", begins.size(), sizes.size(), shape.size()));
  graph::SliceOptions options;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const std::int64_t size = sizes[d] == -1 ? shape[d] - begins[d] : sizes[d];
    if (begins[d] < 0 || size < 1 || begins[d] > shape[d] || size > shape[d] - begins[d])
      return refuse(ErrorId::kModelOptions, place_of(source.op, "begin"), fmt::format("is {} with size {}; dimension {} has {}", begins[d], sizes[d], d, shape[d]));
    options.begin.push_back(static_cast<std::int32_t>(begins[d]));
    options.stride.push_back(1);
    options.extent.push_back(static_cast<std::int32_t>(size));
  }
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (output.shape != options.extent)
    return refuse(ErrorId::kModelShape, place_of(source.op, output, "shape"), fmt::format("is {}; begin and size give {}", graph::to_string(output.shape), graph::to_string(options.extent)));
  return options;
}

namespace {

/// A constant axis that counts along the dimensions of another operand.
Result<graph::Options> read_axis_of(const Source& source, std::size_t axis_operand, std::size_t data_operand) {
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, axis_operand, "axis"));
  const graph::TensorId data = source.op.input(data_operand);
  if (values.size() != 1 || data == graph::kAbsent) return refuse(ErrorId::kModelOptions, place_of(source.op, "axis"), fmt::format("has {} values; must have 1", values.size()));
  const auto rank = static_cast<std::int64_t>(source.graph.tensor(data).shape.size());
  if (values[0] < -rank || values[0] >= rank) return refuse(ErrorId::kModelOptions, place_of(source.op, "axis"), fmt::format("is {}; the input has {} dimensions", values[0], rank));
  return graph::AxisOptions{static_cast<std::int32_t>(values[0] < 0 ? values[0] + rank : values[0])};
}

/// The parts are as long as SPLIT_V's sizes say, -1 standing for the rest; that they make up the whole is verify_graph's.
Result<void> check_split_sizes(const Source& source, std::size_t axis) {
  if (is_open(source, 1)) return {};
  NARU_TRY(const std::vector<std::int64_t> sizes, read_parameter(source, 1, "size_splits"));
  const auto& results = source.op.outputs;
  const auto rests = std::count(sizes.begin(), sizes.end(), -1);
  if (sizes.size() != results.size() || rests > 1)
    return refuse(ErrorId::kModelOptions, place_of(source.op, source.graph.tensor(source.op.inputs[1]), "size_splits"),
                  fmt::format("has {} values, {} of them -1; must have {}, and one -1 at most", sizes.size(), rests, results.size()));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Tensor& part = source.graph.tensor(results[i]);
    if (sizes[i] != -1 && axis < part.shape.size() && part.shape[axis] != sizes[i])
      return refuse(ErrorId::kModelShape, place_of(source.op, part, "size_splits"),
                    fmt::format("has {} for it; dimension {} has {}", sizes[i], axis, part.shape[axis]));
  }
  return {};
}

}  // namespace

Result<graph::Options> read_split(const Source& source) {
  const auto* from = source.file.builtin_options_as_SplitOptions();
  if (from == nullptr) return missing_options(source.op);
  if (from->num_splits() < 1 || static_cast<std::size_t>(from->num_splits()) != source.op.outputs.size())
    return refuse(ErrorId::kModelOptions, place_of(source.op, "num_splits"), fmt::format("is {}; there are {} results", from->num_splits(), source.op.outputs.size()));
  return read_axis_of(source, 0, 1);
}

Result<graph::Options> read_split_v(const Source& source) {
  const auto* from = source.file.builtin_options_as_SplitVOptions();
  if (from == nullptr) return missing_options(source.op);
  if (from->num_splits() < 1 || static_cast<std::size_t>(from->num_splits()) != source.op.outputs.size())
    return refuse(ErrorId::kModelOptions, place_of(source.op, "num_splits"), fmt::format("is {}; there are {} results", from->num_splits(), source.op.outputs.size()));
  NARU_TRY(const graph::Options options, read_axis_of(source, 2, 0));
  NARU_CHECK_OK(check_split_sizes(source, static_cast<std::size_t>(std::get<graph::AxisOptions>(options).axis)));
  return options;
}

Result<graph::Options> read_gather(const Source& source) {
  graph::GatherOptions options;
  const auto* from = source.file.builtin_options_as_GatherOptions();
  NARU_TRY(options.axis, read_axis(source, from == nullptr ? 0 : from->axis(), "axis"));
  const graph::TensorId indices = source.op.input(1);
  if (indices == graph::kAbsent) return refuse(ErrorId::kModelTensorIndex, place_of(source.op, "inputs"), "operand 1 is left out, but is not optional");
  const auto rank = static_cast<std::int64_t>(source.graph.tensor(indices).shape.size());
  const std::int64_t wanted = from == nullptr ? 0 : from->batch_dims();
  const std::int64_t batches = wanted < 0 ? wanted + rank : wanted;
  if (batches < 0 || batches > options.axis)
    return refuse(ErrorId::kModelOptions, place_of(source.op, "batch_dims"), fmt::format("is {}; axis is {}", wanted, options.axis));
  options.batch_dims = static_cast<std::int32_t>(batches);
  return options;
}

Result<graph::Options> read_space_batch(const Source& source) {
  NARU_TRY(const std::vector<std::int64_t> blocks, read_parameter(source, 1, "block_shape"));
  NARU_TRY(const std::vector<std::int64_t> edges, read_parameter(source, 2, "paddings"));
  if (edges.size() != 2 * blocks.size()) return refuse(ErrorId::kModelOptions, place_of(source.op, "paddings"), fmt::format("have {} values for {} dimensions", edges.size(), blocks.size()));
  graph::SpaceBatchOptions options;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    NARU_TRY(const std::int32_t block, read_size(source, blocks[i], "block_shape"));
    NARU_TRY(const std::int32_t before, read_size(source, edges[2 * i], "paddings"));
    NARU_TRY(const std::int32_t after, read_size(source, edges[2 * i + 1], "paddings"));
    options.block.push_back(block);
    options.before.push_back(before);
    options.after.push_back(after);
  }
  return options;
}

Result<graph::Options> read_mirror_pad(const Source& source) {
  const auto* from = source.file.builtin_options_as_MirrorPadOptions();
  if (from == nullptr) return missing_options(source.op);
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, 1, "paddings"));
  graph::MirrorPadOptions options;
  options.symmetric = from->mode() == tflite::MirrorPadMode_SYMMETRIC;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    NARU_TRY(const std::int32_t before, read_size(source, values[i], "paddings"));
    NARU_TRY(const std::int32_t after, read_size(source, values[i + 1], "paddings"));
    options.before.push_back(before);
    options.after.push_back(after);
  }
  return options;
}

/// The shape may be an operand, an option, or only the output's; where it is constant, it must be the output's, -1 standing for one dimension. What is
/// computed gives the shape that the file says, as everything else is planned for that.
Result<graph::Options> read_reshape(const Source& source) {
  std::vector<std::int64_t> wanted;
  const auto* from = source.file.builtin_options_as_ReshapeOptions();
  if (source.op.input(1) != graph::kAbsent) {
    if (is_computed(source, 1)) return graph::ReshapeOptions{};
    NARU_TRY(wanted, read_parameter(source, 1, "new_shape"));
  } else if (from != nullptr && from->new_shape() != nullptr) {
    wanted.assign(from->new_shape()->begin(), from->new_shape()->end());
  } else {
    return graph::ReshapeOptions{};
  }
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (wanted == std::vector<std::int64_t>{0}) wanted.clear();  // how old converters write a scalar
  bool fits = wanted.size() == output.shape.size() && std::count(wanted.begin(), wanted.end(), -1) <= 1;
  for (std::size_t i = 0; fits && i < wanted.size(); ++i) fits = wanted[i] == -1 || wanted[i] == output.shape[i];
  if (!fits)
    return refuse(ErrorId::kModelShape, place_of(source.op, output, "new_shape"),
                  fmt::format("does not stand for the output's {}", graph::to_string(output.shape)));
  return graph::ReshapeOptions{};
}

namespace {

Result<void> expect_result(const Source& source, const graph::Shape& expected, std::string_view field) {
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (output.shape == expected) return {};
  return refuse(ErrorId::kModelShape, place_of(source.op, output, "shape"),
                fmt::format("is {}; input and {} give {}", graph::to_string(output.shape), field, graph::to_string(expected)));
}

}  // namespace

/// An axis that is computed may be any: the result has the shape that the file says, as with RESHAPE.
Result<graph::Options> read_expand_dims(const Source& source) {
  if (is_open(source, 1)) return graph::ReshapeOptions{};
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, 1, "axis"));
  const Place place = place_of(source.op, source.graph.tensor(source.op.inputs[1]), "axis");
  if (values.size() != 1) return refuse(ErrorId::kModelOptions, place, fmt::format("has {} values; must have 1", values.size()));
  graph::Shape shape = source.graph.tensor(source.op.inputs[0]).shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::int64_t axis = values[0];
  if (axis < -(rank + 1) || axis > rank) return refuse(ErrorId::kModelOptions, place, fmt::format("is {}; must be {} to {}", axis, -(rank + 1), rank));
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis < 0 ? axis + rank + 1 : axis), 1);
  NARU_CHECK_OK(expect_result(source, shape, "axis"));
  return graph::ReshapeOptions{};
}

/// Without squeeze_dims every dimension of 1 goes.
Result<graph::Options> read_squeeze(const Source& source) {
  const auto* from = source.file.builtin_options_as_SqueezeOptions();
  const graph::Shape& shape = source.graph.tensor(source.op.inputs[0]).shape;
  std::vector<bool> goes(shape.size());
  if (from == nullptr || from->squeeze_dims() == nullptr || from->squeeze_dims()->size() == 0) {
    std::transform(shape.begin(), shape.end(), goes.begin(), [](std::int32_t extent) { return extent == 1; });
  } else {
    for (std::int32_t dimension : *from->squeeze_dims()) {
      NARU_TRY(const std::int32_t axis, read_axis(source, dimension, "squeeze_dims"));
      const auto d = static_cast<std::size_t>(axis);
      if (shape[d] != 1)
        return refuse(ErrorId::kModelShape, place_of(source.op, source.graph.tensor(source.op.inputs[0]), "squeeze_dims"),
                      fmt::format("has {}; the dimension has {}, and only one of 1 can go", dimension, shape[d]));
      goes[d] = true;
    }
  }
  graph::Shape expected;
  for (std::size_t d = 0; d < shape.size(); ++d)
    if (!goes[d]) expected.push_back(shape[d]);
  NARU_CHECK_OK(expect_result(source, expected, "squeeze_dims"));
  return graph::ReshapeOptions{};
}

namespace {

/// Numbers that the output's shape must be, dimension by dimension, where they are constant.
Result<void> expect_shape(const Source& source, std::size_t operand, std::string_view field, std::span<const std::int32_t> factors) {
  if (is_computed(source, operand)) return {};
  NARU_TRY(const std::vector<std::int64_t> values, read_parameter(source, operand, field));
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  bool fits = values.size() == output.shape.size() && (factors.empty() || factors.size() == values.size());
  for (std::size_t d = 0; fits && d < values.size(); ++d)
    fits = values[d] >= 1 && values[d] <= std::numeric_limits<std::int32_t>::max() &&
           values[d] * (factors.empty() ? 1 : std::int64_t{factors[d]}) == output.shape[d];
  if (fits) return {};
  return refuse(ErrorId::kModelShape, place_of(source.op, output, field), fmt::format("does not give the output's {}", graph::to_string(output.shape)));
}

}  // namespace

Result<graph::Options> read_tile(const Source& source) {
  NARU_CHECK_OK(expect_shape(source, 1, "multiples", source.graph.tensor(source.op.inputs[0]).shape));
  return graph::Options{};
}

Result<graph::Options> read_broadcast(const Source& source) {
  NARU_CHECK_OK(expect_shape(source, 1, "shape", {}));
  return graph::Options{};
}

Result<graph::Options> read_fill(const Source& source) {
  NARU_CHECK_OK(expect_shape(source, 0, "dims", {}));
  return graph::Options{};
}

Result<graph::Options> read_transpose_conv(const Source& source) {
  const auto* from = source.file.builtin_options_as_TransposeConvOptions();
  if (from == nullptr) return missing_options(source.op);
  std::vector<std::int64_t> wanted;
  if (!is_computed(source, 0)) {
    NARU_TRY(wanted, read_parameter(source, 0, "output_shape"));
  }
  const Tensor& output = source.graph.tensor(source.op.outputs[0]);
  if (!is_computed(source, 0) && !std::equal(wanted.begin(), wanted.end(), output.shape.begin(), output.shape.end()))
    return refuse(ErrorId::kModelShape, place_of(source.op, output, "output_shape"), fmt::format("is not the output's {}", graph::to_string(output.shape)));
  graph::TransposeConvOptions options;
  options.stride_h = from->stride_h();
  options.stride_w = from->stride_w();
  NARU_TRY(options.padding, read_padding(source.op, from->padding()));
  NARU_TRY(options.activation, read_activation(source.op, from->fused_activation_function()));
  return options;
}

}  // namespace naru::sdk
