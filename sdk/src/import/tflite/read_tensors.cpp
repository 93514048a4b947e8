// Tensors and the buffers behind them. The FlatBuffers verifier has seen every table; indices and sizes inside them are checked here.
#include <bit>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "import/refusal.h"
#include "import/tflite/read.h"
#include "naru/base/bytes.h"

namespace naru::sdk {
namespace {

using abi::ElementType;

ElementType element_type_of(tflite::TensorType type) noexcept {
  switch (type) {
    case tflite::TensorType_INT8: return ElementType::kI8;
    case tflite::TensorType_UINT8: return ElementType::kU8;
    case tflite::TensorType_INT16: return ElementType::kI16;
    case tflite::TensorType_INT32: return ElementType::kI32;
    case tflite::TensorType_FLOAT32: return ElementType::kF32;
    case tflite::TensorType_INT64: return ElementType::kI64;
    case tflite::TensorType_BOOL: return ElementType::kBool;
    default: return ElementType::kNone;
  }
}

bool has_codes(ElementType type) noexcept {
  return type == ElementType::kI8 || type == ElementType::kU8 || type == ElementType::kI16 || type == ElementType::kI32;
}

/// The bytes of a buffer: inside the FlatBuffer, or in the file behind it when `offset` is over 1. Empty for a tensor that is computed.
Result<std::span<const std::byte>> buffer_bytes(const TfliteFile& file, const graph::Tensor& tensor, std::uint32_t index) {
  const auto* buffers = file.model->buffers();
  const std::uint32_t count = buffers == nullptr ? 0 : buffers->size();
  if (index >= count) {
    // Buffer 0 stands for "no data" even where a file has no buffers.
    if (index == 0) return std::span<const std::byte>();
    return refuse(ErrorId::kModelBufferIndex, place_of(tensor, "buffer"), fmt::format("is {}; the model has {} buffers", index, count));
  }
  const tflite::Buffer& buffer = *buffers->Get(index);
  if (buffer.offset() > 1) {
    const auto end = checked_add(buffer.offset(), buffer.size());
    if (!end || *end > file.bytes->size())
      return refuse(ErrorId::kModelBufferIndex, place_of(tensor, "buffer.offset"),
                    fmt::format("is {} with {} bytes; the file has {}", buffer.offset(), buffer.size(), file.bytes->size()));
    return std::span(*file.bytes).subspan(buffer.offset(), buffer.size());
  }
  if (buffer.data() == nullptr) return std::span<const std::byte>();
  return std::as_bytes(std::span(buffer.data()->data(), buffer.data()->size()));
}

/// Converters write scale 0 for a 32-bit tensor that they did not quantise.
bool is_all_zero(const flatbuffers::Vector<float>& scales) {
  for (float scale : scales)
    if (scale != 0.0F) return false;
  return true;
}

Result<std::optional<graph::Quantization>> read_quantization(const tflite::Tensor& source, const graph::Tensor& tensor, bool used) {
  const tflite::QuantizationParameters* parameters = source.quantization();
  if (parameters == nullptr) return std::nullopt;
  if (parameters->details_kind() != 0 && used)
    return refuse(ErrorId::kModelQuantization, place_of(tensor, "quantization.details"), "is of a custom kind; only scale and zero point are known");
  const std::size_t scales = parameters->scale() == nullptr ? 0 : parameters->scale()->size();
  const std::size_t zero_points = parameters->zero_point() == nullptr ? 0 : parameters->zero_point()->size();
  // Converters note observed ranges, one list without the other, and scales of tensors without codes: none of them is a quantisation.
  if (scales == 0 || zero_points == 0 || !has_codes(tensor.type)) return std::nullopt;
  if (tensor.type == ElementType::kI32 && is_all_zero(*parameters->scale())) return std::nullopt;

  graph::Quantization quantization;
  quantization.axis = parameters->quantized_dimension();
  for (std::size_t i = 0; i < scales; ++i) quantization.scales.push_back(parameters->scale()->Get(static_cast<flatbuffers::uoffset_t>(i)));
  for (std::size_t i = 0; i < zero_points; ++i) {
    // Not by the accessor: the FlatBuffers verifier aligns a vector's length, not elements of 8 bytes.
    const auto zero_point = load_le<std::int64_t>(reinterpret_cast<const std::byte*>(parameters->zero_point()->Data()) + i * sizeof(std::int64_t));
    if (zero_point < std::numeric_limits<std::int32_t>::min() || zero_point > std::numeric_limits<std::int32_t>::max())
      return refuse(ErrorId::kModelQuantization, place_of(tensor, "quantization.zero_point"), fmt::format("is {}", zero_point));
    quantization.zero_points.push_back(static_cast<std::int32_t>(zero_point));
  }
  // One zero point stands for all channels; any other number is verify_graph's to refuse.
  if (zero_points == 1) quantization.zero_points.resize(scales, quantization.zero_points.front());
  return quantization;
}

/// `used`: an operator or the graph's lists name it; what nobody reads may be of any kind.
Result<graph::Tensor> read_tensor(const TfliteFile& file, graph::Graph& graph, std::int32_t index, bool used, const GraphLimits& limits) {
  const tflite::Tensor& source = *file.subgraph->tensors()->Get(static_cast<flatbuffers::uoffset_t>(index));
  graph::Tensor tensor;
  tensor.file_index = index;
  tensor.name = clean_text(source.name());
  tensor.type = element_type_of(source.type());
  tensor.is_variable = source.is_variable();
  // verify_graph would say so too, but what reads operators copies shapes, once for each operator.
  if (source.shape() != nullptr && source.shape()->size() > limits.rank_max)
    return refuse(ErrorId::kModelLimit, place_of(tensor, "shape"), fmt::format("has {} dimensions; the limit is {}", source.shape()->size(), limits.rank_max));
  if (source.shape() != nullptr) tensor.shape.assign(source.shape()->begin(), source.shape()->end());
  if (source.sparsity() != nullptr && used)
    return refuse(ErrorId::kModelTypeUnsupported, place_of(tensor, "sparsity"), "is set; sparse tensors are not supported");
  if (source.type() == tflite::TensorType_STRING && used)
    return refuse(ErrorId::kModelTypeUnsupported, place_of(tensor, "type"), "is STRING, which is not supported");
  NARU_TRY(tensor.quantization, read_quantization(source, tensor, used));
  NARU_TRY(tensor.constant, buffer_bytes(file, tensor, source.buffer()));
  if (tensor.is_variable && tensor.is_constant()) return refuse(ErrorId::kModelConstant, place_of(tensor, "buffer"), "has data, but the tensor is a variable");

  const std::uint32_t alignment = abi::element_bytes(tensor.type);
  if (alignment > 1 && reinterpret_cast<std::uintptr_t>(tensor.constant.data()) % alignment != 0) {
    auto& copy = file.copies->made[{tensor.constant.data(), tensor.constant.size()}];
    if (copy == nullptr) {
      file.copies->bytes += tensor.constant.size();
      if (file.copies->bytes > file.bytes->size())
        return refuse(ErrorId::kModelLimit, place_of(tensor, "buffer"), "is misaligned and overlaps others: aligned copies would take more than the file");
      copy = std::make_shared<const std::vector<std::byte>>(tensor.constant.begin(), tensor.constant.end());
    }
    graph.storage.push_back(copy);
    tensor.constant = *copy;
  }
  return tensor;
}

/// By tensor of the subgraph; indices that are none are refused where they are read.
std::vector<bool> used_tensors(const tflite::SubGraph& subgraph, std::size_t count) {
  std::vector<bool> used(count);
  const auto mark = [&](const flatbuffers::Vector<std::int32_t>* ids) {
    if (ids == nullptr) return;
    for (std::int32_t id : *ids)
      if (id >= 0 && static_cast<std::size_t>(id) < count) used[static_cast<std::size_t>(id)] = true;
  };
  mark(subgraph.inputs());
  mark(subgraph.outputs());
  if (subgraph.operators() != nullptr)
    for (const tflite::Operator* op : *subgraph.operators()) {
      mark(op->inputs());
      mark(op->outputs());
    }
  return used;
}

float widened(std::uint16_t half) {
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
  if (exponent == 0) return std::copysign(std::ldexp(static_cast<float>(mantissa), -24), std::bit_cast<float>(sign | 0x3F800000U));
  // Infinities and NaN keep their exponent of ones.
  const std::uint32_t wide = exponent == 0x1F ? 0xFFU : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

bool is_half(const TfliteFile& file, graph::TensorId id) {
  return id != graph::kAbsent && file.subgraph->tensors()->Get(static_cast<flatbuffers::uoffset_t>(id))->type() == tflite::TensorType_FLOAT16;
}

}  // namespace

Result<std::uint64_t> widen_halves(const TfliteFile& file, graph::Graph& graph, const graph::Operator& op, const GraphLimits& limits) {
  graph::TensorId half = graph::kAbsent;
  for (const auto* list : {&op.inputs, &op.outputs})
    for (graph::TensorId id : *list)
      if (is_half(file, id)) half = id;
  if (half == graph::kAbsent) return 0;
  const graph::Tensor& source = graph.tensor(half);
  if (op.kind != graph::OperatorKind::kDequantize || op.inputs != std::vector<graph::TensorId>{half} || op.outputs.size() != 1 || !source.is_constant())
    return refuse(ErrorId::kModelTypeUnsupported, place_of(op, source, "type"), "is FLOAT16; only constants that DEQUANTIZE widens may be");
  graph::Tensor& target = graph.tensor(op.outputs[0]);
  const auto count = graph::checked_element_count(source.shape);
  if (!count || *count != source.constant.size() / 2 || source.constant.size() % 2 != 0)
    return refuse(ErrorId::kModelConstant, place_of(op, source, "buffer"),
                  fmt::format("has {} bytes, which {} of FLOAT16 does not", source.constant.size(), graph::to_string(source.shape)));
  if (target.type != ElementType::kF32)
    return refuse(ErrorId::kModelTypeUnsupported, place_of(op, target, "type"), fmt::format("is {}; this operator gives f32", abi::name_of(target.type)));
  if (target.shape != source.shape)
    return refuse(ErrorId::kModelShape, place_of(op, target, "shape"),
                  fmt::format("is {}; the operand is {}", graph::to_string(target.shape), graph::to_string(source.shape)));
  if (target.is_constant() || target.is_variable)
    return refuse(ErrorId::kModelGraph, place_of(op, target, "outputs"), "is a constant or a variable and would be overwritten");
  if (*count > limits.tensor_bytes_max / sizeof(float))
    return refuse(ErrorId::kModelLimit, place_of(op, target, "shape"),
                  fmt::format("{} takes more than the limit of {} bytes", graph::to_string(target.shape), limits.tensor_bytes_max));
  std::vector<std::byte> bytes(*count * sizeof(float));
  for (std::size_t i = 0; i < *count; ++i)
    store_le(bytes.data() + sizeof(float) * i, std::bit_cast<std::uint32_t>(widened(load_le<std::uint16_t>(source.constant.data() + 2 * i))));
  target.constant = graph.keep(std::move(bytes));
  return *count * sizeof(float);
}

Result<void> read_tensors(const TfliteFile& file, graph::Graph& graph, const GraphLimits& limits) {
  const auto* tensors = file.subgraph->tensors();
  const std::size_t count = tensors == nullptr ? 0 : tensors->size();
  if (count > limits.tensors_max) return refuse(ErrorId::kModelLimit, {.field = "tensors"}, fmt::format("has {}; the limit is {}", count, limits.tensors_max));
  graph.tensors.reserve(count);
  const std::vector<bool> used = used_tensors(*file.subgraph, count);
  for (std::size_t i = 0; i < count; ++i) {
    NARU_TRY(graph::Tensor tensor, read_tensor(file, graph, static_cast<std::int32_t>(i), used[i], limits));
    graph.tensors.push_back(std::move(tensor));
  }
  return {};
}

}  // namespace naru::sdk
