// Names, sizes and relations of the intermediate representation.
#include "graph/graph.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "naru/base/bytes.h"

namespace naru::sdk::graph {

std::string_view name_of(OperatorKind kind) noexcept {
  switch (kind) {
    case OperatorKind::kConv2d: return "CONV_2D";
    case OperatorKind::kDepthwiseConv2d: return "DEPTHWISE_CONV_2D";
    case OperatorKind::kFullyConnected: return "FULLY_CONNECTED";
    case OperatorKind::kAveragePool2d: return "AVERAGE_POOL_2D";
    case OperatorKind::kMaxPool2d: return "MAX_POOL_2D";
    case OperatorKind::kAdd: return "ADD";
    case OperatorKind::kMul: return "MUL";
    case OperatorKind::kPad: return "PAD";
    case OperatorKind::kMean: return "MEAN";
    case OperatorKind::kReshape: return "RESHAPE";
    case OperatorKind::kSoftmax: return "SOFTMAX";
    case OperatorKind::kRelu: return "RELU";
    case OperatorKind::kRelu6: return "RELU6";
    case OperatorKind::kConcatenation: return "CONCATENATION";
    case OperatorKind::kTranspose: return "TRANSPOSE";
    case OperatorKind::kQuantize: return "QUANTIZE";
    case OperatorKind::kDequantize: return "DEQUANTIZE";
  }
  return "UNKNOWN";
}

std::string_view name_of(Activation activation) noexcept {
  switch (activation) {
    case Activation::kNone: return "none";
    case Activation::kRelu: return "RELU";
    case Activation::kReluN1To1: return "RELU_N1_TO_1";
    case Activation::kRelu6: return "RELU6";
  }
  return "unknown";
}

std::span<const std::byte> Graph::keep(std::vector<std::byte> bytes) {
  storage.push_back(std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
  return *storage.back();
}

TensorId Graph::add_tensor(Tensor tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<TensorId>(tensors.size() - 1);
}

std::optional<std::uint64_t> checked_element_count(std::span<const std::int32_t> shape) noexcept {
  std::uint64_t count = 1;
  for (std::int32_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    const auto product = checked_mul(count, static_cast<std::uint64_t>(dimension));
    if (!product) return std::nullopt;
    count = *product;
  }
  return count;
}

std::uint64_t element_count(std::span<const std::int32_t> shape) noexcept {
  return checked_element_count(shape).value_or(std::numeric_limits<std::uint64_t>::max());
}

std::uint64_t element_count(const Tensor& tensor) noexcept { return element_count(tensor.shape); }

std::uint64_t byte_size(const Tensor& tensor) noexcept {
  return checked_mul(element_count(tensor), abi::element_bytes(tensor.type)).value_or(std::numeric_limits<std::uint64_t>::max());
}

std::vector<std::int32_t> producers_of(const Graph& graph) {
  std::vector<std::int32_t> producers(graph.tensors.size(), -1);
  for (std::size_t i = 0; i < graph.operators.size(); ++i)
    for (TensorId id : graph.operators[i].outputs)
      if (id != kAbsent) producers[static_cast<std::size_t>(id)] = static_cast<std::int32_t>(i);
  return producers;
}

std::vector<std::vector<std::int32_t>> consumers_of(const Graph& graph) {
  std::vector<std::vector<std::int32_t>> consumers(graph.tensors.size());
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    for (TensorId id : graph.operators[i].inputs) {
      if (id == kAbsent) continue;
      auto& list = consumers[static_cast<std::size_t>(id)];
      if (list.empty() || list.back() != static_cast<std::int32_t>(i)) list.push_back(static_cast<std::int32_t>(i));
    }
  }
  return consumers;
}

std::string to_string(std::span<const std::int32_t> shape) {
  if (shape.empty()) return "scalar";
  return fmt::format("{}", fmt::join(shape, "x"));
}

std::string describe(const Operator& op) { return fmt::format("operator {} {}", op.file_index, name_of(op.kind)); }

}  // namespace naru::sdk::graph
