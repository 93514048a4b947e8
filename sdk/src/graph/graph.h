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
};
/// The format's own name, "CONV_2D".
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

/// ADD, MUL: operands broadcast as in numpy.
struct ElementwiseOptions {
  Activation activation = Activation::kNone;
  friend bool operator==(const ElementwiseOptions&, const ElementwiseOptions&) = default;
};

/// PAD: resolved from the constant second operand, one entry per dimension, none negative.
struct PadOptions {
  Shape before;
  Shape after;
  friend bool operator==(const PadOptions&, const PadOptions&) = default;
};

/// MEAN: resolved from the constant second operand; axes ascending, without repeats, in 0..rank-1.
struct ReduceOptions {
  Shape axes;
  bool keep_dims = false;
  friend bool operator==(const ReduceOptions&, const ReduceOptions&) = default;
};

/// RESHAPE: the new shape is the output tensor's.
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

/// RELU, RELU6, QUANTIZE, DEQUANTIZE have none: std::monostate.
using Options = std::variant<std::monostate, ConvOptions, FullyConnectedOptions, PoolOptions, ElementwiseOptions, PadOptions, ReduceOptions,
                             ReshapeOptions, SoftmaxOptions, ConcatenationOptions, TransposeOptions>;

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

/// Names that callers may use for inputs and outputs.
struct Signature {
  std::string key;
  std::vector<std::pair<std::string, TensorId>> inputs;
  std::vector<std::pair<std::string, TensorId>> outputs;
};

/// A copy shares the constants' bytes. After import a tensor's id is its number in the file.
struct Graph {
  std::string name;
  std::string description;
  std::vector<Tensor> tensors;
  std::vector<Operator> operators;  // in execution order: every operand is an input, a constant, a variable, or an earlier result
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  std::vector<Signature> signatures;
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

/// For each tensor the index in Graph::operators of the operator that writes it; -1 for inputs, constants and variables.
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
