// Rules of what only moves: shapes, axes, boxes, blocks and indices that must lie inside.
#include "import/rules.h"

namespace naru::sdk {
namespace {

Result<void> verify_pad(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::PadOptions>());
  const bool has_value = rules.op().kind == OperatorKind::kPadV2;
  NARU_CHECK_OK(rules.operands(1, has_value ? 3 : 2));
  const Tensor& input = rules.input(0);
  if (has_value) {
    if (!rules.has_input(2)) return refuse(ErrorId::kModelTensorIndex, place_of(rules.op(), "inputs"), "operand 2 is left out, but is not optional");
    NARU_CHECK_OK(rules.shape(graph::element_count(rules.input(2)) == 1, rules.input(2), "must have one element"));
    NARU_CHECK_OK(rules.same_type(rules.input(2), rules.output()));
    NARU_CHECK_OK(rules.same_quantization(rules.input(2), rules.output()));
  }
  NARU_CHECK_OK(rules.option(options->before.size() == input.shape.size() && options->after.size() == input.shape.size(), "paddings",
                             fmt::format("are given for {} dimensions; the input has {}", options->before.size(), input.shape.size())));
  Shape expected;
  for (std::size_t i = 0; i < input.shape.size(); ++i) {
    NARU_CHECK_OK(rules.option(options->before[i] >= 0 && options->after[i] >= 0, "paddings", fmt::format("are negative in dimension {}", i)));
    const std::int64_t extent = std::int64_t{input.shape[i]} + options->before[i] + options->after[i];
    NARU_CHECK_OK(rules.option(extent <= std::numeric_limits<std::int32_t>::max(), "paddings", fmt::format("make dimension {} {} long", i, extent)));
    expected.push_back(static_cast<std::int32_t>(extent));
  }
  NARU_CHECK_OK(rules.output_shape(expected));
  return rules.copied(input, rules.output());
}

Result<void> verify_transpose(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::TransposeOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.copied(input, rules.output()));
  NARU_CHECK_OK(rules.option(options->permutation.size() == input.shape.size(), "permutation",
                             fmt::format("has {} entries; the input has {} dimensions", options->permutation.size(), input.shape.size())));
  std::vector<bool> seen(input.shape.size());
  Shape expected;
  for (std::int32_t from : options->permutation) {
    const bool valid = from >= 0 && static_cast<std::size_t>(from) < input.shape.size() && !seen[static_cast<std::size_t>(from)];
    NARU_CHECK_OK(rules.option(valid, "permutation", fmt::format("has {}, which is repeated or is no dimension", from)));
    seen[static_cast<std::size_t>(from)] = true;
    expected.push_back(input.shape[static_cast<std::size_t>(from)]);
  }
  return rules.output_shape(expected);
}

Result<void> verify_concatenation(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::ConcatenationOptions>());
  NARU_CHECK_OK(rules.operands(1, std::numeric_limits<std::size_t>::max()));
  if (options->activation != graph::Activation::kNone)
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(rules.op(), "fused_activation_function"), fmt::format("is {}; must be none", graph::name_of(options->activation)));
  const Tensor& output = rules.output();
  Shape expected;
  std::int64_t extent = 0;
  for (std::size_t i = 0; i < rules.op().inputs.size(); ++i) {
    if (!rules.has_input(i)) return refuse(ErrorId::kModelTensorIndex, place_of(rules.op(), "inputs"), fmt::format("operand {} is left out, but is not optional", i));
    const Tensor& input = rules.input(i);
    if (i == 0) {
      NARU_CHECK_OK(rules.option(options->axis >= 0 && static_cast<std::size_t>(options->axis) < input.shape.size(), "axis",
                                 fmt::format("is {}; the inputs have {} dimensions", options->axis, input.shape.size())));
      expected = input.shape;
    }
    Shape others = input.shape;
    NARU_CHECK_OK(rules.shape(others.size() == expected.size(), input, fmt::format("{} has another number of dimensions than the first input", graph::to_string(input.shape))));
    const auto axis = static_cast<std::size_t>(options->axis);
    extent += others[axis];
    others[axis] = expected[axis];
    NARU_CHECK_OK(rules.shape(others == expected, input, fmt::format("{} differs from the first input outside dimension {}", graph::to_string(input.shape), axis)));
    // Numerics 18: u8 operands that are quantised differently are rescaled, codes of 16 bits are copied.
    if (input.type == ElementType::kU8 && output.type == ElementType::kU8 && input.quantization && output.quantization) {
      NARU_CHECK_OK(rules.value(input));
      NARU_CHECK_OK(rules.value(output));
    } else if (input.type == ElementType::kI16) {
      NARU_CHECK_OK(rules.copied(input, output));
    } else {
      NARU_CHECK_OK(rules.movable(input, output));
    }
  }
  NARU_CHECK_OK(rules.option(extent <= std::numeric_limits<std::int32_t>::max(), "axis", fmt::format("would become {} long", extent)));
  expected[static_cast<std::size_t>(options->axis)] = static_cast<std::int32_t>(extent);
  return rules.output_shape(expected);
}

/// RESHAPE, EXPAND_DIMS, SQUEEZE, READ_VARIABLE, ASSIGN_VARIABLE.
Result<void> verify_identity(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 2));
  NARU_CHECK_OK(rules.same_type(rules.input(0), rules.output()));
  const Tensor& input = rules.input(0);
  return rules.shape(graph::element_count(input) == graph::element_count(rules.output()), rules.output(),
                     fmt::format("{} has not as many elements as the input {}", graph::to_string(rules.output().shape), graph::to_string(input.shape)));
}

Result<void> verify_mirror_pad(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::MirrorPadOptions>());
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.option(options->before.size() == input.shape.size() && options->after.size() == input.shape.size(), "paddings", "do not fit the input's dimensions"));
  Shape expected;
  for (std::size_t i = 0; i < input.shape.size(); ++i) {
    const std::int32_t most = input.shape[i] - (options->symmetric ? 0 : 1);
    NARU_CHECK_OK(rules.option(options->before[i] >= 0 && options->after[i] >= 0 && options->before[i] <= most && options->after[i] <= most, "paddings",
                               fmt::format("of dimension {} are not in 0..{}", i, most)));
    const std::int64_t extent = std::int64_t{input.shape[i]} + options->before[i] + options->after[i];
    NARU_CHECK_OK(rules.option(extent <= std::numeric_limits<std::int32_t>::max(), "paddings", fmt::format("make dimension {} {} long", i, extent)));
    expected.push_back(static_cast<std::int32_t>(extent));
  }
  NARU_CHECK_OK(rules.output_shape(expected));
  return rules.movable(input, rules.output());
}

Result<void> verify_slice(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::SliceOptions>());
  NARU_CHECK_OK(rules.operands(1, 4));
  const Tensor& input = rules.input(0);
  const std::size_t rank = input.shape.size();
  NARU_CHECK_OK(rules.option(options->begin.size() == rank && options->stride.size() == rank && options->extent.size() == rank, "begin", "does not have the input's dimensions"));
  for (std::size_t d = 0; d < rank; ++d) {
    const std::int64_t last = options->begin[d] + std::int64_t{options->extent[d] - 1} * options->stride[d];
    NARU_CHECK_OK(rules.option(options->stride[d] != 0 && options->extent[d] >= 1 && options->begin[d] >= 0 && options->begin[d] < input.shape[d] && last >= 0 && last < input.shape[d], "begin",
                               fmt::format("reaches outside dimension {} of {}", d, graph::to_string(input.shape))));
  }
  NARU_CHECK_OK(rules.shape(graph::element_count(options->extent) == graph::element_count(rules.output()), rules.output(),
                            fmt::format("is {}; the slice is {}", graph::to_string(rules.output().shape), graph::to_string(options->extent))));
  return rules.copied(input, rules.output());
}

Result<void> verify_split(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::AxisOptions>());
  const bool sized = rules.op().kind == OperatorKind::kSplitV;
  NARU_CHECK_OK(rules.operands(2, 3, std::max<std::size_t>(rules.op().outputs.size(), 1)));
  const Tensor& input = rules.input(sized ? 0 : 1);
  NARU_CHECK_OK(rules.axis(options->axis, input));
  const auto axis = static_cast<std::size_t>(options->axis);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < rules.op().outputs.size(); ++i) {
    const Tensor& output = rules.output(i);
    Shape others = output.shape;
    NARU_CHECK_OK(rules.shape(others.size() == input.shape.size(), output, fmt::format("has {} dimensions; the input has {}", others.size(), input.shape.size())));
    total += others[axis];
    if (!sized) NARU_CHECK_OK(rules.shape(others[axis] == rules.output().shape[axis], output, "is not as large as the first part"));
    others[axis] = input.shape[axis];
    NARU_CHECK_OK(rules.shape(others == input.shape, output, fmt::format("{} differs from the input outside dimension {}", graph::to_string(output.shape), axis)));
    NARU_CHECK_OK(rules.copied(input, output));
  }
  return rules.option(total == input.shape[axis], "axis", fmt::format("is split into {} of {}", total, input.shape[axis]));
}

Result<void> verify_pack(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::AxisOptions>());
  NARU_CHECK_OK(rules.operands(1, std::numeric_limits<std::size_t>::max()));
  Shape expected = rules.input(0).shape;
  for (std::size_t i = 0; i < rules.op().inputs.size(); ++i) {
    if (!rules.has_input(i)) return refuse(ErrorId::kModelTensorIndex, place_of(rules.op(), "inputs"), fmt::format("operand {} is left out, but is not optional", i));
    NARU_CHECK_OK(rules.shape(rules.input(i).shape == expected, rules.input(i), "differs from the first operand's"));
    NARU_CHECK_OK(rules.movable(rules.input(i), rules.output()));
  }
  NARU_CHECK_OK(rules.option(options->axis >= 0 && static_cast<std::size_t>(options->axis) <= expected.size(), "axis", fmt::format("is {}", options->axis)));
  expected.insert(expected.begin() + options->axis, static_cast<std::int32_t>(std::min<std::size_t>(rules.op().inputs.size(), 1U << 30)));
  return rules.output_shape(expected);
}

Result<void> verify_unpack(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::AxisOptions>());
  NARU_CHECK_OK(rules.operands(1, 1, std::max<std::size_t>(rules.op().outputs.size(), 1)));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.axis(options->axis, input));
  Shape expected = input.shape;
  NARU_CHECK_OK(rules.option(static_cast<std::size_t>(expected[static_cast<std::size_t>(options->axis)]) == rules.op().outputs.size(), "num",
                             fmt::format("is {}; dimension {} has {}", rules.op().outputs.size(), options->axis, expected[static_cast<std::size_t>(options->axis)])));
  expected.erase(expected.begin() + options->axis);
  for (std::size_t i = 0; i < rules.op().outputs.size(); ++i) {
    NARU_CHECK_OK(rules.output_shape(expected, i));
    NARU_CHECK_OK(rules.movable(input, rules.output(i)));
  }
  return {};
}

Result<void> verify_gather(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::GatherOptions>());
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& input = rules.input(0);
  const Tensor& indices = rules.input(1);
  NARU_CHECK_OK(rules.type(indices, {ElementType::kI32, ElementType::kI64}));
  NARU_CHECK_OK(rules.axis(options->axis, input));
  const auto axis = static_cast<std::size_t>(options->axis);
  const auto batches = static_cast<std::size_t>(std::max(options->batch_dims, 0));
  NARU_CHECK_OK(rules.option(options->batch_dims >= 0 && batches <= axis && batches <= indices.shape.size(), "batch_dims", fmt::format("is {}; axis is {}", options->batch_dims, axis)));
  for (std::size_t d = 0; d < batches; ++d) NARU_CHECK_OK(rules.shape(indices.shape[d] == input.shape[d], indices, "does not have the input's batches"));
  Shape expected(input.shape.begin(), input.shape.begin() + options->axis);
  expected.insert(expected.end(), indices.shape.begin() + static_cast<std::ptrdiff_t>(batches), indices.shape.end());
  expected.insert(expected.end(), input.shape.begin() + options->axis + 1, input.shape.end());
  NARU_CHECK_OK(rules.output_shape(expected));
  if (indices.is_constant())
    for (std::size_t i = 0; i < graph::element_count(indices); ++i)
      if (const std::int64_t at = element_at(indices, i); at < 0 || at >= input.shape[axis])
        return refuse(ErrorId::kModelConstant, place_of(rules.op(), indices, "buffer"), fmt::format("has index {}; dimension {} has {}", at, axis, input.shape[axis]));
  return rules.copied(input, rules.output());
}

Result<void> verify_gather_nd(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& input = rules.input(0);
  const Tensor& indices = rules.input(1);
  NARU_CHECK_OK(rules.type(indices, {ElementType::kI32, ElementType::kI64}));
  NARU_CHECK_OK(rules.shape(!indices.shape.empty() && static_cast<std::size_t>(indices.shape.back()) <= input.shape.size(), indices,
                            fmt::format("{} names more dimensions than the input has", graph::to_string(indices.shape))));
  const auto depth = static_cast<std::size_t>(indices.shape.back());
  Shape expected(indices.shape.begin(), indices.shape.end() - 1);
  expected.insert(expected.end(), input.shape.begin() + static_cast<std::ptrdiff_t>(depth), input.shape.end());
  NARU_CHECK_OK(rules.output_shape(expected));
  if (indices.is_constant())
    for (std::size_t i = 0; i < graph::element_count(indices); ++i)
      if (const std::int64_t at = element_at(indices, i); at < 0 || at >= input.shape[i % depth])
        return refuse(ErrorId::kModelConstant, place_of(rules.op(), indices, "buffer"), fmt::format("has index {}; dimension {} has {}", at, i % depth, input.shape[i % depth]));
  return rules.copied(input, rules.output());
}

/// TILE and BROADCAST_TO: the numbers were resolved into the output's shape; each dimension is a multiple, or was one.
Result<void> verify_tile(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 2));
  const Tensor& input = rules.input(0);
  const Tensor& output = rules.output();
  const bool broadcast = rules.op().kind == OperatorKind::kBroadcastTo;
  NARU_CHECK_OK(rules.shape(broadcast ? input.shape.size() <= output.shape.size() : input.shape.size() == output.shape.size(), output, "does not have the input's dimensions"));
  const std::size_t skipped = output.shape.size() - input.shape.size();
  for (std::size_t d = 0; d < input.shape.size(); ++d) {
    const std::int32_t in = input.shape[d], out = output.shape[d + skipped];
    NARU_CHECK_OK(rules.shape(broadcast ? in == out || in == 1 : out % in == 0, output, fmt::format("is {}; the input is {}", graph::to_string(output.shape), graph::to_string(input.shape))));
  }
  return broadcast ? rules.movable(input, output) : rules.copied(input, output);
}

Result<void> verify_blocks(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::BlockOptions>());
  NARU_CHECK_OK(rules.operands(1, 1));
  const Tensor& input = rules.input(0);
  NARU_CHECK_OK(rules.rank(input, 4));
  NARU_CHECK_OK(rules.positive(options->block_size, "block_size"));
  const std::int64_t block = options->block_size;
  const auto fits = [](std::int64_t value) { return value <= std::numeric_limits<std::int32_t>::max(); };
  NARU_CHECK_OK(rules.option(block <= 65536, "block_size", fmt::format("is {}", block)));
  Shape expected;
  if (rules.op().kind == OperatorKind::kDepthToSpace) {
    NARU_CHECK_OK(rules.shape(input.shape[3] % (block * block) == 0, input, fmt::format("has {} channels, not a multiple of {}", input.shape[3], block * block)));
    NARU_CHECK_OK(rules.option(fits(input.shape[1] * block) && fits(input.shape[2] * block), "block_size", "makes a dimension too long"));
    expected = {input.shape[0], static_cast<std::int32_t>(input.shape[1] * block), static_cast<std::int32_t>(input.shape[2] * block), static_cast<std::int32_t>(input.shape[3] / (block * block))};
  } else {
    NARU_CHECK_OK(rules.shape(input.shape[1] % block == 0 && input.shape[2] % block == 0, input, fmt::format("{} does not divide into blocks of {}", graph::to_string(input.shape), block)));
    NARU_CHECK_OK(rules.option(fits(input.shape[3] * block * block), "block_size", "makes a dimension too long"));
    expected = {input.shape[0], static_cast<std::int32_t>(input.shape[1] / block), static_cast<std::int32_t>(input.shape[2] / block), static_cast<std::int32_t>(input.shape[3] * block * block)};
  }
  NARU_CHECK_OK(rules.output_shape(expected));
  return rules.copied(input, rules.output());
}

Result<void> verify_space_batch(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::SpaceBatchOptions>());
  NARU_CHECK_OK(rules.operands(3, 3));
  const Tensor& input = rules.input(0);
  const std::size_t spatial = options->block.size();
  const bool to_batch = rules.op().kind == OperatorKind::kSpaceToBatchNd;
  NARU_CHECK_OK(rules.option(spatial >= 1 && spatial < input.shape.size() && options->before.size() == spatial && options->after.size() == spatial, "block_shape", "does not fit the input's dimensions"));
  Shape expected = input.shape;
  std::int64_t blocks = 1;
  for (std::size_t i = 0; i < spatial; ++i) {
    NARU_CHECK_OK(rules.positive(options->block[i], "block_shape"));
    NARU_CHECK_OK(rules.option(options->before[i] >= 0 && options->after[i] >= 0, "paddings", "are negative"));
    blocks *= options->block[i];
    NARU_CHECK_OK(rules.option(blocks <= std::numeric_limits<std::int32_t>::max(), "block_shape", "is too large"));
    const std::int64_t edges = std::int64_t{options->before[i]} + options->after[i];
    const std::int64_t extent = input.shape[i + 1];
    const std::int64_t next = to_batch ? (extent + edges) / options->block[i] : extent * options->block[i] - edges;
    NARU_CHECK_OK(rules.option(!to_batch || (extent + edges) % options->block[i] == 0, "block_shape", fmt::format("does not divide dimension {}", i + 1)));
    NARU_CHECK_OK(rules.option(next >= 1 && next <= std::numeric_limits<std::int32_t>::max(), "paddings", fmt::format("leave dimension {} with {}", i + 1, next)));
    expected[i + 1] = static_cast<std::int32_t>(next);
  }
  const std::int64_t batch = to_batch ? input.shape[0] * blocks : input.shape[0] / blocks;
  NARU_CHECK_OK(rules.option((to_batch || input.shape[0] % blocks == 0) && batch >= 1 && batch <= std::numeric_limits<std::int32_t>::max(), "block_shape",
                             fmt::format("does not fit {} batches", input.shape[0])));
  expected[0] = static_cast<std::int32_t>(batch);
  NARU_CHECK_OK(rules.output_shape(expected));
  return rules.copied(input, rules.output());
}

Result<void> verify_resize(const Rules& rules) {
  NARU_TRY(const auto* options, rules.options<graph::ResizeOptions>());
  NARU_CHECK_OK(rules.operands(2, 2));
  const Tensor& input = rules.input(0);
  const Tensor& output = rules.output();
  const Tensor& wanted = rules.input(1);
  NARU_CHECK_OK(rules.rank(input, 4));
  NARU_CHECK_OK(rules.rank(output, 4));
  NARU_CHECK_OK(rules.type(wanted, {ElementType::kI32}));
  NARU_CHECK_OK(rules.shape(graph::element_count(wanted) == 2, wanted, "must have two elements"));
  NARU_CHECK_OK(rules.option(!(options->align_corners && options->half_pixel_centers), "half_pixel_centers", "and align_corners exclude each other"));
  // A size that is computed is the output's, as the importer found when it followed the numbers.
  const Shape size = wanted.is_constant() ? Shape{load_le<std::int32_t>(wanted.constant.data()), load_le<std::int32_t>(wanted.constant.data() + 4)}
                                          : Shape{output.shape[1], output.shape[2]};
  NARU_CHECK_OK(rules.output_shape(Shape{input.shape[0], size[0], size[1], input.shape[3]}));
  // Positions are kept in 1/1024 of an element, in 32 bits.
  for (const Tensor* tensor : {&input, &output})
    for (std::size_t d : {1U, 2U}) NARU_CHECK_OK(rules.shape(tensor->shape[d] <= 1 << 20, *tensor, "is larger than images can be resized"));
  return rules.copied(input, output);
}

Result<void> verify_shape(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(1, 1));
  NARU_CHECK_OK(rules.type(rules.output(), {ElementType::kI32, ElementType::kI64}));
  return rules.output_shape(Shape{static_cast<std::int32_t>(rules.input(0).shape.size())});
}

Result<void> verify_fill(const Rules& rules) {
  NARU_CHECK_OK(rules.operands(2, 2));
  NARU_CHECK_OK(rules.shape(graph::element_count(rules.input(1)) == 1, rules.input(1), "must have one element"));
  return rules.movable(rules.input(1), rules.output());
}

}  // namespace

std::optional<Result<void>> verify_movement(const Rules& rules) {
  switch (rules.op().kind) {
    case OperatorKind::kReshape:
    case OperatorKind::kExpandDims:
    case OperatorKind::kSqueeze:
    case OperatorKind::kReadVariable:
    case OperatorKind::kAssignVariable: return verify_identity(rules);
    case OperatorKind::kPad:
    case OperatorKind::kPadV2: return verify_pad(rules);
    case OperatorKind::kMirrorPad: return verify_mirror_pad(rules);
    case OperatorKind::kTranspose: return verify_transpose(rules);
    case OperatorKind::kConcatenation: return verify_concatenation(rules);
    case OperatorKind::kSlice:
    case OperatorKind::kStridedSlice: return verify_slice(rules);
    case OperatorKind::kSplit:
    case OperatorKind::kSplitV: return verify_split(rules);
    case OperatorKind::kPack: return verify_pack(rules);
    case OperatorKind::kUnpack: return verify_unpack(rules);
    case OperatorKind::kGather: return verify_gather(rules);
    case OperatorKind::kGatherNd: return verify_gather_nd(rules);
    case OperatorKind::kTile:
    case OperatorKind::kBroadcastTo: return verify_tile(rules);
    case OperatorKind::kSpaceToDepth:
    case OperatorKind::kDepthToSpace: return verify_blocks(rules);
    case OperatorKind::kSpaceToBatchNd:
    case OperatorKind::kBatchToSpaceNd: return verify_space_batch(rules);
    case OperatorKind::kResizeBilinear:
    case OperatorKind::kResizeNearestNeighbor: return verify_resize(rules);
    case OperatorKind::kShape: return verify_shape(rules);
    case OperatorKind::kFill: return verify_fill(rules);
    default: return std::nullopt;
  }
}

}  // namespace naru::sdk
