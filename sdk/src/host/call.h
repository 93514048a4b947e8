// What the host's kernels share: an operator with its tensors, its bytes, and the two steps of a kernel. A kernel first prepares: it checks kind, types,
// shapes, quantisation and options and returns what runs; what runs checks what only the data says (indices, divisors) before it writes anything.
#pragma once

#include <bit>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "graph/graph.h"
#include "naru/base/result.h"
#include "numerics/numerics.h"

namespace naru::sdk::host {

static_assert(std::endian::native == std::endian::little, "elements are taken from bytes as they lie");

using abi::ElementType;
using graph::OperatorKind;
using graph::Shape;
using graph::Tensor;

/// The elements of an operand: where they lie when they lie aligned, a copy otherwise.
template <typename T>
class Values {
 public:
  explicit Values(std::span<const std::byte> bytes) {
    if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(T) == 0) {
      view_ = {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
      return;
    }
    copy_.resize(bytes.size() / sizeof(T));
    std::memcpy(copy_.data(), bytes.data(), copy_.size() * sizeof(T));
    view_ = copy_;
  }
  Values(const Values&) = delete;
  Values& operator=(const Values&) = delete;
  Values(Values&&) = delete;
  Values& operator=(Values&&) = delete;
  ~Values() = default;

  [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
  [[nodiscard]] bool empty() const noexcept { return view_.empty(); }
  [[nodiscard]] const T* data() const noexcept { return view_.data(); }
  const T& operator[](std::size_t index) const noexcept { return view_[index]; }
  [[nodiscard]] auto begin() const noexcept { return view_.begin(); }
  [[nodiscard]] auto end() const noexcept { return view_.end(); }

 private:
  std::vector<T> copy_;
  std::span<const T> view_;
};

/// The bytes of one execution; sizes were checked against the tensors.
struct Data {
  std::span<const std::span<const std::byte>> inputs;
  std::span<const std::span<std::byte>> outputs;

  [[nodiscard]] std::span<const std::byte> bytes(std::size_t index) const { return index < inputs.size() ? inputs[index] : std::span<const std::byte>(); }
  template <typename T>
  [[nodiscard]] Values<T> in(std::size_t index) const {
    return Values<T>(bytes(index));
  }
  template <typename T>
  void store(std::size_t index, std::span<const T> values) const {
    std::memcpy(outputs[index].data(), values.data(), values.size_bytes());
  }
  template <typename T>
  void store(std::size_t index, const std::vector<T>& values) const {
    store<T>(index, std::span<const T>(values));
  }
};

using Run = std::function<Result<void>(const Data&)>;

/// An operator whose operands were found: required ones are there, elements have a size, dimensions are at least 1 and their products fit.
struct Call {
  const graph::Operator& op;
  std::vector<const Tensor*> inputs;  // nullptr where left out
  std::vector<const Tensor*> outputs;

  [[nodiscard]] const Tensor& in(std::size_t index = 0) const { return *inputs[index]; }
  [[nodiscard]] const Tensor& out(std::size_t index = 0) const { return *outputs[index]; }
  [[nodiscard]] bool has(std::size_t index) const { return index < inputs.size() && inputs[index] != nullptr; }
  /// nullptr when they are another kind's.
  template <typename T>
  [[nodiscard]] const T* options() const {
    return std::get_if<T>(&op.options);
  }

  /// A kind, type or quantisation that the host has not.
  template <typename... Args>
  [[nodiscard]] tl::unexpected<Error> unsupported(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorId::kCompileUnsupported, fmt::format("The host cannot run {}: {}", graph::describe(op), fmt::format(format, std::forward<Args>(args)...)));
  }
  /// Operands, shapes or options that do not fit the operator.
  template <typename... Args>
  [[nodiscard]] tl::unexpected<Error> misfit(fmt::format_string<Args...> format, Args&&... args) const {
    return fail(ErrorId::kInvalidArgument, fmt::format("{}: {}", graph::describe(op), fmt::format(format, std::forward<Args>(args)...)));
  }
  [[nodiscard]] tl::unexpected<Error> no_type() const {
    return unsupported("it has no kernel from {} to {}", abi::name_of(in(inputs[0] == nullptr ? 1 : 0).type), abi::name_of(out().type));
  }
  [[nodiscard]] tl::unexpected<Error> no_options() const { return misfit("its options are missing or of another operator's kind"); }

  [[nodiscard]] Result<void> require(bool holds, std::string_view what) const {
    if (holds) return {};
    return misfit("{}", what);
  }
  [[nodiscard]] Result<void> require_shape(const Tensor& tensor, std::span<const std::int32_t> expected) const {
    if (std::ranges::equal(tensor.shape, expected)) return {};
    return misfit("a tensor is {}; operands and options give {}", graph::to_string(tensor.shape), graph::to_string(expected));
  }
  [[nodiscard]] Result<void> require_same_type(const Tensor& a, const Tensor& b) const {
    if (a.type == b.type) return {};
    return misfit("it changes {} into {}", abi::name_of(a.type), abi::name_of(b.type));
  }
  /// One scale and zero point, the zero point a code of the type.
  [[nodiscard]] Result<void> require_quantization(const Tensor& tensor) const;
  [[nodiscard]] Result<void> require_quantization(std::initializer_list<const Tensor*> tensors) const {
    for (const Tensor* tensor : tensors) NARU_CHECK_OK(require_quantization(*tensor));
    return {};
  }
};

[[nodiscard]] inline bool is_code8(ElementType type) noexcept { return type == ElementType::kI8 || type == ElementType::kU8; }
[[nodiscard]] inline bool is_code(ElementType type) noexcept { return is_code8(type) || type == ElementType::kI16; }
[[nodiscard]] inline std::size_t count_of(const Tensor& tensor) noexcept { return static_cast<std::size_t>(graph::element_count(tensor)); }
[[nodiscard]] inline std::size_t size_of(const Shape& shape, std::size_t from, std::size_t to) {
  return static_cast<std::size_t>(graph::element_count(std::span(shape).subspan(from, to - from)));
}

/// A code of the type, from one of the others'; types of codes only.
template <typename T>
[[nodiscard]] T clamp_code(std::int64_t code, numerics::Range range) noexcept {
  return static_cast<T>(std::clamp<std::int64_t>(code, range.min, range.max));
}

/// Bounds of a fused activation for unquantised elements, as TFLite has them: without one the finite numbers.
template <typename T>
[[nodiscard]] std::pair<T, T> activation_bounds(graph::Activation activation) noexcept {
  switch (activation) {
    case graph::Activation::kNone: break;
    case graph::Activation::kRelu: return {T{0}, std::numeric_limits<T>::max()};
    case graph::Activation::kReluN1To1: return {static_cast<T>(-1), T{1}};
    case graph::Activation::kRelu6: return {T{0}, T{6}};
  }
  return {std::numeric_limits<T>::lowest(), std::numeric_limits<T>::max()};
}
/// In this order, so that a NaN goes through.
template <typename T>
[[nodiscard]] T bounded(T value, std::pair<T, T> bounds) noexcept {
  return std::min(std::max(value, bounds.first), bounds.second);
}

/// f(T{}) with the element's C++ type (bool as a byte); nullopt-like false when the type is none of `Types`.
template <typename... Types, typename F>
bool for_type(ElementType type, F&& f);

template <typename T>
[[nodiscard]] constexpr ElementType type_of() noexcept {
  if constexpr (std::is_same_v<T, std::int8_t>) return ElementType::kI8;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return ElementType::kU8;
  else if constexpr (std::is_same_v<T, std::int16_t>) return ElementType::kI16;
  else if constexpr (std::is_same_v<T, std::int32_t>) return ElementType::kI32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return ElementType::kI64;
  else return ElementType::kF32;
}

template <typename... Types, typename F>
bool for_type(ElementType type, F&& f) {
  return ((type == type_of<Types>() && (f(Types{}), true)) || ...);
}

/// Kernels by theme; each prepares the kinds that host.cpp's table names for it.
using Prepare = Result<Run> (*)(const Call& call);
Result<Run> prepare_quantize(const Call& call);
Result<Run> prepare_dequantize(const Call& call);
Result<Run> prepare_cast(const Call& call);
Result<Run> prepare_convolution(const Call& call);
Result<Run> prepare_fully_connected(const Call& call);
Result<Run> prepare_transpose_conv(const Call& call);
Result<Run> prepare_batch_matmul(const Call& call);
Result<Run> prepare_pool(const Call& call);
Result<Run> prepare_binary(const Call& call);
Result<Run> prepare_comparison(const Call& call);
Result<Run> prepare_logical(const Call& call);
Result<Run> prepare_select(const Call& call);
Result<Run> prepare_prelu(const Call& call);
Result<Run> prepare_unary(const Call& call);
Result<Run> prepare_softmax(const Call& call);
Result<Run> prepare_log_softmax(const Call& call);
Result<Run> prepare_l2_normalization(const Call& call);
Result<Run> prepare_reduction(const Call& call);
Result<Run> prepare_arg(const Call& call);
Result<Run> prepare_resize_bilinear(const Call& call);
Result<Run> prepare_resize_nearest(const Call& call);
Result<Run> prepare_copy(const Call& call);
Result<Run> prepare_transpose(const Call& call);
Result<Run> prepare_concatenation(const Call& call);
Result<Run> prepare_pad(const Call& call);
Result<Run> prepare_mirror_pad(const Call& call);
Result<Run> prepare_slice(const Call& call);
Result<Run> prepare_split(const Call& call);
Result<Run> prepare_pack(const Call& call);
Result<Run> prepare_unpack(const Call& call);
Result<Run> prepare_gather(const Call& call);
Result<Run> prepare_gather_nd(const Call& call);
Result<Run> prepare_tile(const Call& call);
Result<Run> prepare_broadcast_to(const Call& call);
Result<Run> prepare_depth_space(const Call& call);
Result<Run> prepare_space_batch(const Call& call);
Result<Run> prepare_shape(const Call& call);
Result<Run> prepare_fill(const Call& call);
Result<Run> prepare_svdf(const Call& call);
Result<Run> prepare_lstm(const Call& call);
Result<Run> prepare_detection(const Call& call);

}  // namespace naru::sdk::host
