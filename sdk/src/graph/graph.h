// The intermediate representation: a model as plain data, independent of the format it came from and of any chip.
// Importers make it, the compiler rewrites copies of it, the reference interpreter runs it. Values throughout; nothing here computes for hardware.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "naru/abi/types.h"

namespace naru::sdk::graph {

/// Index into Graph::tensors; kAbsent where an optional operand is left out.
using TensorId = std::int32_t;
inline constexpr TensorId kAbsent = -1;

/// Dimensions, outermost first; every one is at least 1 in a verified graph. A scalar has none.
using Shape = std::vector<std::int32_t>;

enum class OperatorKind : std::uint8_t {
  kConv2d,
  kDepthwiseConv2d,
  kFullyConnected,
  kAveragePool2d,
  kMaxPool2d,
  kAdd,
  kMul,
  kPad,
  kMean,
  kReshape,
  kSoftmax,
  kRelu,
  kRelu6,
  kConcatenation,
  kTranspose,
  kQuantize,
  kDequantize,
  kSub,
  kDiv,
  kMinimum,
  kMaximum,
  kSquaredDifference,
  kFloorDiv,
  kFloorMod,
  kPow,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kLogicalAnd,
  kLogicalOr,
  kLogicalNot,
  kSelect,
  kReluN1To1,
  kRelu0To1,
  kLogistic,
  kTanh,
  kHardSwish,
  kLeakyRelu,
  kPrelu,
  kElu,
  kGelu,
  kAbs,
  kNeg,
  kSquare,
  kSqrt,
  kRsqrt,
  kExp,
  kLog,
  kSin,
  kCos,
  kFloor,
  kCeil,
  kRound,
  kLogSoftmax,
  kL2Normalization,
  kTransposeConv,
  kBatchMatmul,
  kResizeBilinear,
  kResizeNearestNeighbor,
  kSum,
  kReduceMax,
  kReduceMin,
  kArgMax,
  kArgMin,
  kPadV2,
  kMirrorPad,
  kSlice,
  kStridedSlice,
  kSplit,
  kSplitV,
  kPack,
  kUnpack,
  kGather,
  kGatherNd,
  kTile,
  kBroadcastTo,
  kSpaceToDepth,
  kDepthToSpace,
  kSpaceToBatchNd,
  kBatchToSpaceNd,
  kExpandDims,
  kSqueeze,
  kShape,
  kFill,
  kCast,
  kSvdf,
  kUnidirectionalSequenceLstm,
  kReadVariable,
  kAssignVariable,
  kDetectionPostProcess,
};
/// How many kinds there are; their numbers are part of the package format: new ones go to the end.
inline constexpr std::size_t kOperatorKinds = static_cast<std::size_t>(OperatorKind::kDetectionPostProcess) + 1;
/// The format's own name, "CONV_2D"; for a custom operator its custom code.
[[nodiscard]] std::string_view name_of(OperatorKind kind) noexcept;

/// What is applied to an operator's result before it is stored.
enum class Activation : std::uint8_t { kNone, kRelu, kReluN1To1, kRelu6 };
[[nodiscard]] std::string_view name_of(Activation activation) noexcept;

enum class Padding : std::uint8_t { kSame, kValid };

/// CONV_2D (filter [out][kh][kw][in per group]) and DEPTHWISE_CONV_2D (filter [1][kh][kw][out]). Operands: input, filter, bias (may be absent).
struct ConvOptions {
  Padding padding = Padding::kValid;
  std::int32_t stride_h = 1;
  std::int32_t stride_w = 1;
  std::int32_t dilation_h = 1;
  std::int32_t dilation_w = 1;
  std::int32_t depth_multiplier = 1;  // depthwise: output channels per input channel, derived from the shapes; 1 for CONV_2D
  Activation activation = Activation::kNone;
  friend bool operator==(const ConvOptions&, const ConvOptions&) = default;
};

/// FULLY_CONNECTED. Operands: input (flattened to rows of the filter's depth), filter [out][in], bias (may be absent).
struct FullyConnectedOptions {
  Activation activation = Activation::kNone;
  bool keep_dims = false;  // the output keeps the input's outer dimensions
  friend bool operator==(const FullyConnectedOptions&, const FullyConnectedOptions&) = default;
};

/// AVERAGE_POOL_2D, MAX_POOL_2D.
struct PoolOptions {
  Padding padding = Padding::kValid;
  std::int32_t stride_h = 1;
  std::int32_t stride_w = 1;
  std::int32_t filter_h = 1;
  std::int32_t filter_w = 1;
  Activation activation = Activation::kNone;
  friend bool operator==(const PoolOptions&, const PoolOptions&) = default;
};

/// ADD, SUB, MUL, DIV: operands broadcast as in numpy. The other operators of two operands broadcast too and have no options.
struct ElementwiseOptions {
  Activation activation = Activation::kNone;
  friend bool operator==(const ElementwiseOptions&, const ElementwiseOptions&) = default;
};

/// PAD and PADV2: resolved from the constant second operand, one entry per dimension, none negative. PADV2 has the value as its constant third operand.
struct PadOptions {
  Shape before;
  Shape after;
  friend bool operator==(const PadOptions&, const PadOptions&) = default;
};

/// MEAN, SUM, REDUCE_MAX, REDUCE_MIN: resolved from the constant second operand; axes ascending, without repeats, in 0..rank-1.
struct ReduceOptions {
  Shape axes;
  bool keep_dims = false;
  friend bool operator==(const ReduceOptions&, const ReduceOptions&) = default;
};

/// RESHAPE, EXPAND_DIMS, SQUEEZE: the new shape is the output tensor's.
struct ReshapeOptions {
  friend bool operator==(const ReshapeOptions&, const ReshapeOptions&) = default;
};

/// SOFTMAX over the innermost dimension.
struct SoftmaxOptions {
  float beta = 1.0F;
  friend bool operator==(const SoftmaxOptions&, const SoftmaxOptions&) = default;
};

/// CONCATENATION: axis in 0..rank-1.
struct ConcatenationOptions {
  std::int32_t axis = 0;
  Activation activation = Activation::kNone;
  friend bool operator==(const ConcatenationOptions&, const ConcatenationOptions&) = default;
};

/// TRANSPOSE: resolved from the constant second operand; output dimension i is input dimension permutation[i].
struct TransposeOptions {
  Shape permutation;
  friend bool operator==(const TransposeOptions&, const TransposeOptions&) = default;
};

/// LEAKY_RELU.
struct LeakyReluOptions {
  float alpha = 0.0F;
  friend bool operator==(const LeakyReluOptions&, const LeakyReluOptions&) = default;
};

/// GELU.
struct GeluOptions {
  bool approximate = false;
  friend bool operator==(const GeluOptions&, const GeluOptions&) = default;
};

/// TRANSPOSE_CONV (filter [out][kh][kw][in]). Operands as in the file: output shape (constant), filter, input, bias (may be absent).
struct TransposeConvOptions {
  Padding padding = Padding::kValid;
  std::int32_t stride_h = 1;
  std::int32_t stride_w = 1;
  Activation activation = Activation::kNone;
  friend bool operator==(const TransposeConvOptions&, const TransposeConvOptions&) = default;
};

/// BATCH_MATMUL: [..., m, k] x [..., k, n]; adj_x and adj_y say that the operand's last two dimensions are swapped. Outer dimensions broadcast.
struct BatchMatmulOptions {
  bool adj_x = false;
  bool adj_y = false;
  friend bool operator==(const BatchMatmulOptions&, const BatchMatmulOptions&) = default;
};

/// RESIZE_BILINEAR, RESIZE_NEAREST_NEIGHBOR: the new size is the output tensor's.
struct ResizeOptions {
  bool align_corners = false;
  bool half_pixel_centers = false;
  friend bool operator==(const ResizeOptions&, const ResizeOptions&) = default;
};

/// ARG_MAX, ARG_MIN, SPLIT, SPLIT_V, PACK, UNPACK: axis resolved, in 0..rank-1 (PACK: of the output). SPLIT's data is its second operand, as in the
/// file; the others' is the first. The sizes of the parts are the output tensors'.
struct AxisOptions {
  std::int32_t axis = 0;
  friend bool operator==(const AxisOptions&, const AxisOptions&) = default;
};

/// MIRROR_PAD: as PadOptions; `symmetric` repeats the edge, otherwise it is left out.
struct MirrorPadOptions {
  Shape before;
  Shape after;
  bool symmetric = false;
  friend bool operator==(const MirrorPadOptions&, const MirrorPadOptions&) = default;
};

/// SLICE, STRIDED_SLICE, resolved from constants, one entry per dimension of the input: element i of dimension d is input element
/// begin[d] + i * stride[d], i < extent[d]. The output has these extents, less dimensions that are shrunk, plus new ones of size 1.
struct SliceOptions {
  Shape begin;
  Shape stride;  // not 0; negative ones go backwards
  Shape extent;
  friend bool operator==(const SliceOptions&, const SliceOptions&) = default;
};

/// GATHER: axis in 0..rank-1, batch_dims in 0..axis. Operands: data, indices (constant or computed).
struct GatherOptions {
  std::int32_t axis = 0;
  std::int32_t batch_dims = 0;
  friend bool operator==(const GatherOptions&, const GatherOptions&) = default;
};

/// SPACE_TO_DEPTH, DEPTH_TO_SPACE.
struct BlockOptions {
  std::int32_t block_size = 1;
  friend bool operator==(const BlockOptions&, const BlockOptions&) = default;
};

/// SPACE_TO_BATCH_ND (before and after are paddings), BATCH_TO_SPACE_ND (crops): resolved, one entry per spatial dimension (those after the batch).
struct SpaceBatchOptions {
  Shape block;
  Shape before;
  Shape after;
  friend bool operator==(const SpaceBatchOptions&, const SpaceBatchOptions&) = default;
};

/// SVDF. Operands: input [batch][in], weights_feature [filters][in], weights_time [filters][memory], bias (may be absent), state before
/// [batch][filters * memory]. Results: output [batch][filters / rank], state after.
struct SvdfOptions {
  std::int32_t rank = 1;
  Activation activation = Activation::kNone;
  friend bool operator==(const SvdfOptions&, const SvdfOptions&) = default;
};

/// UNIDIRECTIONAL_SEQUENCE_LSTM. Operands as in the file (24; 18 and 19 are the states before: hidden [batch][out], cell [batch][cells]).
/// Results: output, hidden state after, cell state after.
struct LstmOptions {
  Activation activation = Activation::kNone;  // always TANH in files that are accepted; kept for the record
  float cell_clip = 0.0F;
  float projection_clip = 0.0F;
  bool time_major = false;
  friend bool operator==(const LstmOptions&, const LstmOptions&) = default;
};

/// TFLite_Detection_PostProcess. Operands: box encodings [1][anchors][4 or more], class scores [1][anchors][classes + background], anchors
/// [anchors][4]. Results: boxes [1][n][4], classes [1][n], scores [1][n], count [1], all f32, n = max_detections * max_classes_per_detection.
struct DetectionOptions {
  std::int32_t max_detections = 0;
  std::int32_t max_classes_per_detection = 1;
  std::int32_t detections_per_class = 100;
  std::int32_t classes = 0;
  bool regular_suppression = false;
  float score_threshold = 0.0F;
  float overlap_threshold = 0.0F;
  float y_scale = 1.0F;
  float x_scale = 1.0F;
  float h_scale = 1.0F;
  float w_scale = 1.0F;
  friend bool operator==(const DetectionOptions&, const DetectionOptions&) = default;
};

/// Operators that are not named at any of these have none: std::monostate. The order is part of the package format.
using Options = std::variant<std::monostate, ConvOptions, FullyConnectedOptions, PoolOptions, ElementwiseOptions, PadOptions, ReduceOptions,
                             ReshapeOptions, SoftmaxOptions, ConcatenationOptions, TransposeOptions, LeakyReluOptions, GeluOptions, TransposeConvOptions,
                             BatchMatmulOptions, ResizeOptions, AxisOptions, MirrorPadOptions, SliceOptions, GatherOptions, BlockOptions, SpaceBatchOptions,
                             SvdfOptions, LstmOptions, DetectionOptions>;

/// real = scale * (code - zero_point). One scale, or one per index of dimension `axis`; as many zero points as scales.
struct Quantization {
  std::vector<float> scales;               // each finite and over 0
  std::vector<std::int32_t> zero_points;   // each a code of the tensor's type
  std::int32_t axis = 0;

  [[nodiscard]] bool per_channel() const noexcept { return scales.size() > 1; }
  friend bool operator==(const Quantization&, const Quantization&) = default;
};

struct Tensor {
  std::string name;  // valid UTF-8, may be empty
  Shape shape;
  abi::ElementType type = abi::ElementType::kNone;
  std::optional<Quantization> quantization;
  /// Little-endian elements, aligned to the element; empty for a tensor that is computed. Lives as long as any copy of the Graph.
  std::span<const std::byte> constant;
  bool is_variable = false;       // state that lasts from one inference to the next
  std::int32_t file_index = -1;   // tensor number in the model file; -1 for one that the compiler made

  [[nodiscard]] bool is_constant() const noexcept { return !constant.empty(); }
  /// Of a per-tensor quantised tensor; 0 and 0 when it has no quantisation.
  [[nodiscard]] float scale() const noexcept { return quantization ? quantization->scales.front() : 0.0F; }
  [[nodiscard]] std::int32_t zero_point() const noexcept { return quantization ? quantization->zero_points.front() : 0; }
};

struct Operator {
  OperatorKind kind = OperatorKind::kReshape;
  /// As in the file, operands that were resolved into `options` (paddings, axes, permutation) included.
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Options options;
  std::int32_t file_index = -1;  // operator number in the model file; -1 for one that the compiler made
  std::string name;              // of its first output; for messages

  /// kAbsent also when there are fewer operands.
  [[nodiscard]] TensorId input(std::size_t index) const noexcept { return index < inputs.size() ? inputs[index] : kAbsent; }
  [[nodiscard]] TensorId output(std::size_t index) const noexcept { return index < outputs.size() ? outputs[index] : kAbsent; }
};

/// A name for a subgraph of the file, and names that callers may use for its inputs and outputs. Tensors are numbers in that subgraph.
struct Signature {
  std::string key;
  std::uint32_t subgraph = 0;
  std::vector<std::pair<std::string, TensorId>> inputs;
  std::vector<std::pair<std::string, TensorId>> outputs;
};

/// What lasts from one inference to the next. A graph is a pure function all the same: it reads `before` and computes `after`, and whoever runs it
/// gives the value of `after` to `before` when an inference has ended. Importers make one of every resource variable and of every variable tensor.
struct State {
  TensorId before = kAbsent;            // is_variable; nothing writes it
  TensorId after = kAbsent;             // written by an operator (an added result, or ASSIGN_VARIABLE's), or `before` where nothing changes it
  std::span<const std::byte> initial;   // as many bytes as the tensors have; in the Graph's storage
};

/// A copy shares the constants' bytes. After import the id of a tensor of the main subgraph is its number in the file; those that the importer adds
/// come after them and have file_index -1. VAR_HANDLE and CALL_ONCE leave no operator behind; READ_VARIABLE copies its operand (a state's `before`,
/// or what was assigned), ASSIGN_VARIABLE copies its operand to its result.
struct Graph {
  std::string name;
  std::string description;
  std::vector<Tensor> tensors;
  std::vector<Operator> operators;  // in execution order: every operand is an input, a constant, a state's `before`, or an earlier result
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<State> states;
  std::vector<Signature> signatures;  // of the whole file
  std::uint32_t subgraph = 0;         // of the file, that this graph is
  std::uint32_t subgraphs = 1;        // that the file has
  std::vector<std::shared_ptr<const std::vector<std::byte>>> storage;  // what Tensor::constant points into

  [[nodiscard]] const Tensor& tensor(TensorId id) const noexcept { return tensors[static_cast<std::size_t>(id)]; }
  [[nodiscard]] Tensor& tensor(TensorId id) noexcept { return tensors[static_cast<std::size_t>(id)]; }

  /// Takes `bytes` into storage and returns where they are now, for a constant that the compiler makes.
  [[nodiscard]] std::span<const std::byte> keep(std::vector<std::byte> bytes);
  TensorId add_tensor(Tensor tensor);
};

/// Product of the dimensions; nullopt when one is negative or 64 bits do not hold the product.
[[nodiscard]] std::optional<std::uint64_t> checked_element_count(std::span<const std::int32_t> shape) noexcept;
/// Of a verified tensor, where it cannot overflow; saturates at the largest value otherwise.
[[nodiscard]] std::uint64_t element_count(std::span<const std::int32_t> shape) noexcept;
[[nodiscard]] std::uint64_t element_count(const Tensor& tensor) noexcept;
[[nodiscard]] std::uint64_t byte_size(const Tensor& tensor) noexcept;

/// For each tensor the index in Graph::operators of the operator that writes it; -1 for inputs, constants and states' `before`.
[[nodiscard]] std::vector<std::int32_t> producers_of(const Graph& graph);
/// For each tensor the operators that read it, ascending, each once.
[[nodiscard]] std::vector<std::vector<std::int32_t>> consumers_of(const Graph& graph);

/// "1x96x96x1"; "scalar" for no dimensions.
[[nodiscard]] std::string to_string(std::span<const std::int32_t> shape);
/// `operator 12 CONV_2D`, for messages; the number is the file's.
[[nodiscard]] std::string describe(const Operator& op);

/// The constant's elements. T must have the size of the tensor's element.
template <typename T>
[[nodiscard]] std::span<const T> constant_values(const Tensor& tensor) noexcept {
  return {reinterpret_cast<const T*>(tensor.constant.data()), tensor.constant.size() / sizeof(T)};
}

}  // namespace naru::sdk::graph
