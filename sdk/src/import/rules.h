// One operator with its graph: the questions that the rules of all kinds ask. The rules themselves stand in operator_rules.cpp (windows, sums, edges),
// rules_elements.cpp, rules_movement.cpp and rules_products.cpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "import/refusal.h"
#include "import/verify.h"
#include "naru/base/bytes.h"
#include "numerics/numerics.h"

namespace naru::sdk {

using abi::ElementType;
using graph::Graph;
using graph::Operator;
using graph::OperatorKind;
using graph::Shape;
using graph::Tensor;

/// Pools and means sum in 32 bits (numerics 8 and 15): this many differences of 8-bit codes always fit.
inline constexpr std::uint64_t kSummedElementsMax = std::uint64_t{1} << 23;

/// Element `index` of a constant of whole numbers or codes.
[[nodiscard]] inline std::int64_t element_at(const Tensor& tensor, std::size_t index) {
  const std::byte* at = tensor.constant.data() + abi::element_bytes(tensor.type) * index;
  switch (tensor.type) {
    case ElementType::kI64: return load_le<std::int64_t>(at);
    case ElementType::kI32: return load_le<std::int32_t>(at);
    case ElementType::kI16: return load_le<std::int16_t>(at);
    case ElementType::kU8: return load_le<std::uint8_t>(at);
    default: return load_le<std::int8_t>(at);
  }
}

/// One operator with its graph: the questions that several rules ask.
class Rules {
 public:
  Rules(const Graph& graph, const Operator& op) : graph_(graph), op_(op) {}

  [[nodiscard]] const Tensor& input(std::size_t index) const { return graph_.tensor(op_.inputs[index]); }
  [[nodiscard]] const Tensor& output(std::size_t index = 0) const { return graph_.tensor(op_.outputs[index]); }
  [[nodiscard]] bool has_input(std::size_t index) const { return op_.input(index) != graph::kAbsent; }

  template <typename T>
  Result<const T*> options() const {
    const T* options = std::get_if<T>(&op_.options);
    if (options == nullptr) return refuse(ErrorId::kModelOptions, place_of(op_, "options"), "are missing or of another operator's kind");
    return options;
  }

  /// `required` operands must be there; up to `allowed` may be.
  Result<void> operands(std::size_t required, std::size_t allowed, std::size_t results = 1) const {
    if (op_.inputs.size() < required || op_.inputs.size() > allowed)
      return refuse(ErrorId::kModelOptions, place_of(op_, "inputs"),
                    required == allowed ? fmt::format("has {}; must have {}", op_.inputs.size(), required)
                                        : fmt::format("has {}; must have {} to {}", op_.inputs.size(), required, allowed));
    for (std::size_t i = 0; i < required; ++i)
      if (!has_input(i)) return refuse(ErrorId::kModelTensorIndex, place_of(op_, "inputs"), fmt::format("operand {} is left out, but is not optional", i));
    if (op_.outputs.size() != results) return refuse(ErrorId::kModelOptions, place_of(op_, "outputs"), fmt::format("has {}; must have {}", op_.outputs.size(), results));
    return {};
  }

  Result<void> type(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
    if (std::find(allowed.begin(), allowed.end(), tensor.type) != allowed.end()) return {};
    std::string names;
    for (ElementType type : allowed) names += (names.empty() ? "" : " or ") + std::string(abi::name_of(type));
    return refuse(ErrorId::kModelTypeUnsupported, place_of(op_, tensor, "type"), fmt::format("is {}; this operator takes {}", abi::name_of(tensor.type), names));
  }

  /// An integer tensor with one scale and zero point.
  Result<void> quantized(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
    NARU_CHECK_OK(type(tensor, allowed));
    if (!tensor.quantization) return refuse(ErrorId::kModelQuantization, place_of(op_, tensor, "quantization"), "is missing");
    if (tensor.quantization->per_channel())
      return refuse(ErrorId::kModelQuantization, place_of(op_, tensor, "quantization.scale"), "has one value per channel; an activation has one");
    return {};
  }
  /// What arithmetic is done on: codes of 8 or 16 bits with one scale, or float.
  Result<void> value(const Tensor& tensor) const {
    if (tensor.type == ElementType::kF32) return {};
    return quantized(tensor, {ElementType::kI8, ElementType::kU8, ElementType::kI16});
  }
  /// The same, or whole numbers as they are.
  Result<void> number(const Tensor& tensor) const {
    if (tensor.type == ElementType::kI32 || tensor.type == ElementType::kI64) return {};
    return value(tensor);
  }
  Result<void> same_type(const Tensor& a, const Tensor& b) const {
    if (a.type == b.type) return {};
    return refuse(ErrorId::kModelTypeUnsupported, place_of(op_, b, "type"), fmt::format("is {}; tensor {}'s is {}", abi::name_of(b.type), a.file_index, abi::name_of(a.type)));
  }
  /// Bytes that move: any type, the same on both sides, and meaning the same.
  Result<void> movable(const Tensor& from, const Tensor& to) const {
    NARU_CHECK_OK(same_type(from, to));
    return from.quantization && to.quantization ? same_quantization(from, to) : Result<void>();
  }

  /// Codes that are copied as they are, whatever they mean on both sides: TFLite Micro's kernels do not look at the quantisation.
  Result<void> copied(const Tensor& from, const Tensor& to) const { return same_type(from, to); }

  /// For operators that do not rescale: codes must mean the same on both sides.
  Result<void> same_quantization(const Tensor& a, const Tensor& b) const {
    const float difference = std::abs(a.scale() - b.scale());
    if (a.zero_point() == b.zero_point() && difference <= 1.0e-6F * std::max(1.0F, std::max(a.scale(), b.scale()))) return {};
    return refuse(ErrorId::kModelQuantization, place_of(op_, a, "quantization"),
                  fmt::format("is scale {} zero point {}, and tensor {}'s is scale {} zero point {}; this operator does not rescale", a.scale(), a.zero_point(),
                              b.file_index, b.scale(), b.zero_point()));
  }

  Result<void> rank(const Tensor& tensor, std::size_t rank) const {
    if (tensor.shape.size() == rank) return {};
    return refuse(ErrorId::kModelShape, place_of(op_, tensor, "shape"), fmt::format("{} has {} dimensions; must have {}", graph::to_string(tensor.shape), tensor.shape.size(), rank));
  }

  Result<void> constant(const Tensor& tensor) const {
    if (tensor.is_constant()) return {};
    return refuse(ErrorId::kModelOperatorUnsupported, place_of(op_, tensor, "buffer"), "is computed at run time; this operator needs a constant");
  }

  Result<void> positive(std::int32_t value, std::string_view field) const {
    if (value >= 1) return {};
    return refuse(ErrorId::kModelOptions, place_of(op_, field), fmt::format("is {}; must be at least 1", value));
  }

  Result<void> option(bool holds, std::string_view field, std::string_view message) const {
    if (holds) return {};
    return refuse(ErrorId::kModelOptions, place_of(op_, field), message);
  }

  Result<void> output_shape(std::span<const std::int32_t> expected, std::size_t index = 0) const {
    if (std::equal(expected.begin(), expected.end(), output(index).shape.begin(), output(index).shape.end())) return {};
    return refuse(ErrorId::kModelShape, place_of(op_, output(index), "shape"),
                  fmt::format("is {}; inputs and options give {}", graph::to_string(output(index).shape), graph::to_string(expected)));
  }

  /// What two or more operands broadcast to, as in numpy.
  Result<Shape> broadcast(std::initializer_list<const Tensor*> tensors) const {
    Shape result;
    for (const Tensor* tensor : tensors) {
      const Shape& shape = tensor->shape;
      if (shape.size() > result.size()) result.insert(result.begin(), shape.size() - result.size(), 1);
      for (std::size_t i = 1; i <= shape.size(); ++i) {
        std::int32_t& so_far = result[result.size() - i];
        const std::int32_t extent = shape[shape.size() - i];
        NARU_CHECK_OK(this->shape(extent == so_far || extent == 1 || so_far == 1, *tensor, fmt::format("{} does not broadcast with the other operands", graph::to_string(shape))));
        so_far = std::max(so_far, extent);
      }
    }
    return result;
  }

  Result<void> axis(std::int32_t axis, const Tensor& tensor) const {
    return option(axis >= 0 && static_cast<std::size_t>(axis) < tensor.shape.size(), "axis", fmt::format("is {}; the tensor has {} dimensions", axis, tensor.shape.size()));
  }

  Result<void> shape(bool holds, const Tensor& tensor, std::string_view message) const {
    if (holds) return {};
    return refuse(ErrorId::kModelShape, place_of(op_, tensor, "shape"), message);
  }

  /// A rescale that the device's shift of at most 30 to the left can express.
  Result<void> rescale(double real) const {
    if (std::isfinite(real) && real < 1073741824.0) return {};
    return refuse(ErrorId::kModelQuantization, place_of(op_, output(), "quantization.scale"), fmt::format("needs a rescale by {}; the largest is below 2^30", real));
  }

  [[nodiscard]] const Operator& op() const { return op_; }

 private:
  const Graph& graph_;
  const Operator& op_;
};

/// Each for the kinds of its theme; nullopt for others.
[[nodiscard]] std::optional<Result<void>> verify_elements(const Rules& rules);
[[nodiscard]] std::optional<Result<void>> verify_movement(const Rules& rules);
[[nodiscard]] std::optional<Result<void>> verify_products(const Rules& rules);

}  // namespace naru::sdk
