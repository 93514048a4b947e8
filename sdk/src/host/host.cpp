// The table of kinds, and what is checked of every operator before its kernel looks at it.
#include "host/host.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "host/call.h"

namespace naru::sdk::host {
namespace {

constexpr std::size_t kAny = 1U << 16;
/// No operand of a real model is near; products of offsets fit 64 bits with room to spare.
constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 40;

struct Kernel {
  OperatorKind kind;
  Prepare prepare;
  std::uint32_t required;  // bit i: operand i must be there
  std::size_t inputs_max;  // operands that were resolved into options may be there too
  std::size_t outputs_min;
  std::size_t outputs_max;
};

constexpr std::uint32_t kFirst = 1;
constexpr std::uint32_t kTwo = 3;
constexpr std::uint32_t kThree = 7;

constexpr Kernel one(OperatorKind kind, Prepare prepare, std::size_t inputs_max = 1) { return {kind, prepare, kFirst, inputs_max, 1, 1}; }
constexpr Kernel two(OperatorKind kind, Prepare prepare, std::size_t inputs_max = 2) { return {kind, prepare, kTwo, inputs_max, 1, 1}; }

constexpr Kernel kKernels[] = {
    two(OperatorKind::kConv2d, prepare_convolution, 3),
    two(OperatorKind::kDepthwiseConv2d, prepare_convolution, 3),
    two(OperatorKind::kFullyConnected, prepare_fully_connected, 3),
    one(OperatorKind::kAveragePool2d, prepare_pool),
    one(OperatorKind::kMaxPool2d, prepare_pool),
    two(OperatorKind::kAdd, prepare_binary),
    two(OperatorKind::kMul, prepare_binary),
    one(OperatorKind::kPad, prepare_pad, 2),
    one(OperatorKind::kMean, prepare_reduction, 2),
    one(OperatorKind::kReshape, prepare_copy, 2),
    one(OperatorKind::kSoftmax, prepare_softmax),
    one(OperatorKind::kRelu, prepare_unary),
    one(OperatorKind::kRelu6, prepare_unary),
    one(OperatorKind::kConcatenation, prepare_concatenation, kAny),
    one(OperatorKind::kTranspose, prepare_transpose, 2),
    one(OperatorKind::kQuantize, prepare_quantize),
    one(OperatorKind::kDequantize, prepare_dequantize),
    two(OperatorKind::kSub, prepare_binary),
    two(OperatorKind::kDiv, prepare_binary),
    two(OperatorKind::kMinimum, prepare_binary),
    two(OperatorKind::kMaximum, prepare_binary),
    two(OperatorKind::kSquaredDifference, prepare_binary),
    two(OperatorKind::kFloorDiv, prepare_binary),
    two(OperatorKind::kFloorMod, prepare_binary),
    two(OperatorKind::kPow, prepare_binary),
    two(OperatorKind::kEqual, prepare_comparison),
    two(OperatorKind::kNotEqual, prepare_comparison),
    two(OperatorKind::kLess, prepare_comparison),
    two(OperatorKind::kLessEqual, prepare_comparison),
    two(OperatorKind::kGreater, prepare_comparison),
    two(OperatorKind::kGreaterEqual, prepare_comparison),
    two(OperatorKind::kLogicalAnd, prepare_logical),
    two(OperatorKind::kLogicalOr, prepare_logical),
    one(OperatorKind::kLogicalNot, prepare_logical),
    {OperatorKind::kSelect, prepare_select, kThree, 3, 1, 1},
    one(OperatorKind::kReluN1To1, prepare_unary),
    one(OperatorKind::kRelu0To1, prepare_unary),
    one(OperatorKind::kLogistic, prepare_unary),
    one(OperatorKind::kTanh, prepare_unary),
    one(OperatorKind::kHardSwish, prepare_unary),
    one(OperatorKind::kLeakyRelu, prepare_unary),
    two(OperatorKind::kPrelu, prepare_prelu),
    one(OperatorKind::kElu, prepare_unary),
    one(OperatorKind::kGelu, prepare_unary),
    one(OperatorKind::kAbs, prepare_unary),
    one(OperatorKind::kNeg, prepare_unary),
    one(OperatorKind::kSquare, prepare_unary),
    one(OperatorKind::kSqrt, prepare_unary),
    one(OperatorKind::kRsqrt, prepare_unary),
    one(OperatorKind::kExp, prepare_unary),
    one(OperatorKind::kLog, prepare_unary),
    one(OperatorKind::kSin, prepare_unary),
    one(OperatorKind::kCos, prepare_unary),
    one(OperatorKind::kFloor, prepare_unary),
    one(OperatorKind::kCeil, prepare_unary),
    one(OperatorKind::kRound, prepare_unary),
    one(OperatorKind::kLogSoftmax, prepare_log_softmax),
    one(OperatorKind::kL2Normalization, prepare_l2_normalization),
    {OperatorKind::kTransposeConv, prepare_transpose_conv, kThree - kFirst, 4, 1, 1},
    two(OperatorKind::kBatchMatmul, prepare_batch_matmul),
    one(OperatorKind::kResizeBilinear, prepare_resize_bilinear, 2),
    one(OperatorKind::kResizeNearestNeighbor, prepare_resize_nearest, 2),
    one(OperatorKind::kSum, prepare_reduction, 2),
    one(OperatorKind::kReduceMax, prepare_reduction, 2),
    one(OperatorKind::kReduceMin, prepare_reduction, 2),
    one(OperatorKind::kArgMax, prepare_arg, 2),
    one(OperatorKind::kArgMin, prepare_arg, 2),
    {OperatorKind::kPadV2, prepare_pad, kFirst + 4, 3, 1, 1},
    one(OperatorKind::kMirrorPad, prepare_mirror_pad, 2),
    one(OperatorKind::kSlice, prepare_slice, 3),
    one(OperatorKind::kStridedSlice, prepare_slice, 5),
    {OperatorKind::kSplit, prepare_split, 2, 2, 1, kAny},
    {OperatorKind::kSplitV, prepare_split, kFirst, 3, 1, kAny},
    one(OperatorKind::kPack, prepare_pack, kAny),
    {OperatorKind::kUnpack, prepare_unpack, kFirst, 1, 1, kAny},
    two(OperatorKind::kGather, prepare_gather),
    two(OperatorKind::kGatherNd, prepare_gather_nd),
    one(OperatorKind::kTile, prepare_tile, 2),
    one(OperatorKind::kBroadcastTo, prepare_broadcast_to, 2),
    one(OperatorKind::kSpaceToDepth, prepare_depth_space),
    one(OperatorKind::kDepthToSpace, prepare_depth_space),
    one(OperatorKind::kSpaceToBatchNd, prepare_space_batch, 3),
    one(OperatorKind::kBatchToSpaceNd, prepare_space_batch, 3),
    one(OperatorKind::kExpandDims, prepare_copy, 2),
    one(OperatorKind::kSqueeze, prepare_copy),
    one(OperatorKind::kShape, prepare_shape),
    {OperatorKind::kFill, prepare_fill, 2, 2, 1, 1},
    one(OperatorKind::kCast, prepare_cast),
    {OperatorKind::kSvdf, prepare_svdf, 0x17, 5, 2, 2},
    {OperatorKind::kUnidirectionalSequenceLstm, prepare_lstm, kFirst, 24, 3, 3},
    one(OperatorKind::kReadVariable, prepare_copy),
    // A variable's handle may be the first operand, as in the file.
    {OperatorKind::kAssignVariable, prepare_copy, 0, 2, 1, 1},
    {OperatorKind::kDetectionPostProcess, prepare_detection, kThree, 3, 4, 4},
};

const Kernel* kernel_of(OperatorKind kind) noexcept {
  const auto* found = std::ranges::find(kKernels, kind, &Kernel::kind);
  return found == std::end(kKernels) ? nullptr : found;
}

Result<const Tensor*> tensor_of(const graph::Operator& op, std::span<const Tensor> tensors, graph::TensorId id) {
  if (id < 0 || static_cast<std::size_t>(id) >= tensors.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("{} names tensor {} of {}", graph::describe(op), id, tensors.size()));
  const Tensor& tensor = tensors[static_cast<std::size_t>(id)];
  const auto elements = graph::checked_element_count(tensor.shape);
  if (abi::element_bytes(tensor.type) == 0 || !elements || *elements == 0 || *elements > kElementsMax)
    return fail(ErrorId::kInvalidArgument, fmt::format("{} has a tensor of {} and {}", graph::describe(op), abi::name_of(tensor.type), graph::to_string(tensor.shape)));
  if (tensor.quantization && (tensor.quantization->scales.empty() || tensor.quantization->zero_points.size() != tensor.quantization->scales.size()))
    return fail(ErrorId::kInvalidArgument, fmt::format("{} has a tensor with {} scales and {} zero points", graph::describe(op), tensor.quantization->scales.size(),
                                                       tensor.quantization->zero_points.size()));
  return &tensor;
}

Result<Call> call_of(const Kernel& kernel, const graph::Operator& op, std::span<const Tensor> tensors) {
  if (op.inputs.size() > kernel.inputs_max || op.outputs.size() < kernel.outputs_min || op.outputs.size() > kernel.outputs_max)
    return fail(ErrorId::kInvalidArgument, fmt::format("{} has {} operands and {} results", graph::describe(op), op.inputs.size(), op.outputs.size()));
  Call call{op, {}, {}};
  for (graph::TensorId id : op.inputs) {
    if (id == graph::kAbsent) {
      call.inputs.push_back(nullptr);
      continue;
    }
    NARU_TRY(const Tensor* tensor, tensor_of(op, tensors, id));
    call.inputs.push_back(tensor);
  }
  for (graph::TensorId id : op.outputs) {
    NARU_TRY(const Tensor* tensor, tensor_of(op, tensors, id));
    call.outputs.push_back(tensor);
  }
  for (std::size_t i = 0; i < 32; ++i)
    if ((kernel.required >> i & 1U) != 0 && !call.has(i)) return call.misfit("operand {} is left out", i);
  return call;
}

Result<Run> prepare(const graph::Operator& op, std::span<const Tensor> tensors) {
  const Kernel* kernel = kernel_of(op.kind);
  if (kernel == nullptr) return fail(ErrorId::kCompileUnsupported, fmt::format("The host cannot run {}", graph::describe(op)));
  NARU_TRY(const Call call, call_of(*kernel, op, tensors));
  return kernel->prepare(call);
}

}  // namespace

Result<void> Call::require_quantization(const Tensor& tensor) const {
  const bool sound = tensor.quantization && tensor.quantization->scales.size() == 1 && tensor.quantization->zero_points.size() == 1 &&
                     std::isfinite(tensor.scale()) && tensor.scale() > 0.0F;
  if (!sound) return unsupported("a tensor has no single scale and zero point");
  const numerics::Range codes = numerics::code_range(tensor.type);
  if (tensor.zero_point() < codes.min || tensor.zero_point() > codes.max) return misfit("zero point {} is no code of {}", tensor.zero_point(), abi::name_of(tensor.type));
  return {};
}

bool supports(OperatorKind kind) noexcept { return kernel_of(kind) != nullptr; }

Result<void> can_execute(const graph::Operator& op, std::span<const Tensor> tensors) {
  NARU_TRY(const Run run, prepare(op, tensors));
  return {};
}

Result<void> execute(const graph::Operator& op, std::span<const Tensor> tensors, std::span<const std::span<const std::byte>> inputs,
                     std::span<const std::span<std::byte>> outputs) {
  NARU_TRY(const Run run, prepare(op, tensors));
  if (inputs.size() != op.inputs.size() || outputs.size() != op.outputs.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("{} has {} operands and {} results, and was given {} and {}", graph::describe(op), op.inputs.size(),
                                                       op.outputs.size(), inputs.size(), outputs.size()));
  const auto check = [&](graph::TensorId id, std::uint64_t bytes) -> Result<void> {
    if (id == graph::kAbsent) return {};
    const Tensor& tensor = tensors[static_cast<std::size_t>(id)];
    if (bytes == graph::byte_size(tensor)) return {};
    return fail(ErrorId::kInvalidArgument, fmt::format("{} has an operand of {} and {} bytes, and was given {}", graph::describe(op), graph::to_string(tensor.shape),
                                                       graph::byte_size(tensor), bytes));
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) NARU_CHECK_OK(check(op.inputs[i], inputs[i].size()));
  for (std::size_t i = 0; i < outputs.size(); ++i) NARU_CHECK_OK(check(op.outputs[i], outputs[i].size()));
  return run({inputs, outputs});
}

}  // namespace naru::sdk::host
