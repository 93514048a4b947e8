// QUANTIZE, DEQUANTIZE and RESHAPE, element by element. Elements are loaded and stored as bytes, so no operand needs an alignment.
#include "host/host.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "naru/base/bytes.h"
#include "numerics/numerics.h"

namespace naru::sdk::host {
namespace {

using abi::ElementType;
using graph::OperatorKind;
using graph::Tensor;

float load_float(const std::byte* bytes) noexcept { return std::bit_cast<float>(load_le<std::uint32_t>(bytes)); }
void store_float(std::byte* bytes, float value) noexcept { store_le(bytes, std::bit_cast<std::uint32_t>(value)); }

bool is_code(ElementType type) noexcept { return type == ElementType::kI8 || type == ElementType::kU8 || type == ElementType::kI16; }

std::int32_t load_code(const std::byte* bytes, ElementType type) noexcept {
  if (type == ElementType::kI8) return load_le<std::int8_t>(bytes);
  if (type == ElementType::kU8) return load_le<std::uint8_t>(bytes);
  return load_le<std::int16_t>(bytes);
}

void store_code(std::byte* bytes, ElementType type, std::int32_t code) noexcept {
  if (type == ElementType::kI16) store_le(bytes, static_cast<std::int16_t>(code));
  else *bytes = static_cast<std::byte>(code);
}

struct Operand {
  const Tensor& tensor;
  std::span<const std::byte> bytes;
};

Result<void> require_quantization(const graph::Operator& op, const Tensor& tensor) {
  const bool sound = tensor.quantization && tensor.quantization->scales.size() == 1 && tensor.quantization->zero_points.size() == 1 &&
                     std::isfinite(tensor.scale()) && tensor.scale() > 0.0F;
  if (sound) return {};
  return fail(ErrorId::kCompileUnsupported, fmt::format("The host cannot run {}: a tensor has no single scale and zero point", graph::describe(op)));
}

Result<void> quantize(const graph::Operator& op, const Operand& in, const Tensor& out, std::span<std::byte> result) {
  const std::uint32_t in_bytes = abi::element_bytes(in.tensor.type);
  const std::uint32_t out_bytes = abi::element_bytes(out.type);
  if (!is_code(out.type) || (!is_code(in.tensor.type) && in.tensor.type != ElementType::kF32))
    return fail(ErrorId::kCompileUnsupported, fmt::format("The host cannot run {} from {} to {}", graph::describe(op), abi::name_of(in.tensor.type), abi::name_of(out.type)));
  NARU_CHECK_OK(require_quantization(op, out));
  const numerics::Range codes = numerics::code_range(out.type);
  const std::size_t count = result.size() / out_bytes;
  if (in.tensor.type == ElementType::kF32) {
    for (std::size_t i = 0; i < count; ++i)
      store_code(result.data() + i * out_bytes, out.type, numerics::quantize(load_float(in.bytes.data() + i * in_bytes), out.scale(), out.zero_point(), codes));
    return {};
  }
  NARU_CHECK_OK(require_quantization(op, in.tensor));
  const numerics::Multiplier multiplier = numerics::quantize_multiplier(numerics::ratio_scale(in.tensor.scale(), out.scale()));
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t difference = std::int64_t{load_code(in.bytes.data() + i * in_bytes, in.tensor.type)} - in.tensor.zero_point();
    const std::int64_t code = std::int64_t{numerics::multiply_by_quantized_multiplier(static_cast<std::int32_t>(difference), multiplier)} + out.zero_point();
    store_code(result.data() + i * out_bytes, out.type, static_cast<std::int32_t>(std::clamp<std::int64_t>(code, codes.min, codes.max)));
  }
  return {};
}

Result<void> dequantize(const graph::Operator& op, const Operand& in, const Tensor& out, std::span<std::byte> result) {
  if (!is_code(in.tensor.type) || out.type != ElementType::kF32)
    return fail(ErrorId::kCompileUnsupported, fmt::format("The host cannot run {} from {} to {}", graph::describe(op), abi::name_of(in.tensor.type), abi::name_of(out.type)));
  NARU_CHECK_OK(require_quantization(op, in.tensor));
  const std::uint32_t in_bytes = abi::element_bytes(in.tensor.type);
  for (std::size_t i = 0; i < result.size() / sizeof(float); ++i)
    store_float(result.data() + i * sizeof(float),
                numerics::dequantize(load_code(in.bytes.data() + i * in_bytes, in.tensor.type), in.tensor.scale(), in.tensor.zero_point()));
  return {};
}

Result<void> reshape(const graph::Operator& op, const Operand& in, const Tensor& out, std::span<std::byte> result) {
  if (in.tensor.type != out.type)
    return fail(ErrorId::kInvalidArgument, fmt::format("{} changes {} into {}", graph::describe(op), abi::name_of(in.tensor.type), abi::name_of(out.type)));
  std::copy(in.bytes.begin(), in.bytes.end(), result.begin());
  return {};
}

Result<const Tensor*> tensor_of(const graph::Operator& op, std::span<const Tensor> tensors, graph::TensorId id) {
  if (id < 0 || static_cast<std::size_t>(id) >= tensors.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("{} names tensor {} of {}", graph::describe(op), id, tensors.size()));
  return &tensors[static_cast<std::size_t>(id)];
}

}  // namespace

bool supports(OperatorKind kind) noexcept { return kind == OperatorKind::kQuantize || kind == OperatorKind::kDequantize || kind == OperatorKind::kReshape; }

Result<void> execute(const graph::Operator& op, std::span<const Tensor> tensors, std::span<const std::span<const std::byte>> inputs,
                     std::span<const std::span<std::byte>> outputs) {
  if (!supports(op.kind)) return fail(ErrorId::kCompileUnsupported, fmt::format("The host cannot run {}", graph::describe(op)));
  if (op.inputs.empty() || op.outputs.size() != 1 || inputs.size() != op.inputs.size() || outputs.size() != 1)
    return fail(ErrorId::kInvalidArgument, fmt::format("{} has {} operands and {} results, and was given {} and {}", graph::describe(op), op.inputs.size(),
                                                       op.outputs.size(), inputs.size(), outputs.size()));
  NARU_TRY(const Tensor* in, tensor_of(op, tensors, op.inputs[0]));
  NARU_TRY(const Tensor* out, tensor_of(op, tensors, op.outputs[0]));
  if (abi::element_bytes(in->type) == 0 || abi::element_bytes(out->type) == 0 || inputs[0].size() != graph::byte_size(*in) || outputs[0].size() != graph::byte_size(*out) ||
      graph::element_count(*in) != graph::element_count(*out))
    return fail(ErrorId::kInvalidArgument, fmt::format("{} takes {} and gives {}, and was given {} and {} bytes", graph::describe(op), graph::to_string(in->shape),
                                                       graph::to_string(out->shape), inputs[0].size(), outputs[0].size()));
  const Operand operand{*in, inputs[0]};
  switch (op.kind) {
    case OperatorKind::kQuantize: return quantize(op, operand, *out, outputs[0]);
    case OperatorKind::kDequantize: return dequantize(op, operand, *out, outputs[0]);
    default: return reshape(op, operand, *out, outputs[0]);
  }
}

}  // namespace naru::sdk::host
