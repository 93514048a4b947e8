// The legaliser's inside: one operator at a time into nodes, or a reason why the NPU cannot. Themes have files of their own: window.cpp (convolutions,
// products, pools), elementwise.cpp, movement.cpp, recurrent.cpp; legalize.cpp decides between NPU, host and compile time.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "compiler/lower/lower.h"
#include "naru/base/result.h"

namespace naru::sdk::compiler {

/// A dimension, which the importer has found not negative.
[[nodiscard]] inline std::uint32_t extent(std::int32_t dimension) noexcept { return static_cast<std::uint32_t>(dimension); }

/// Used for one graph, on one thread. A method named after an operator emits its nodes, or fails with what the NPU cannot do about it.
class Legalizer {
 public:
  Legalizer(Program& program, const HostReasons& on_host) : program_(program), graph_(program.graph), on_host_(on_host) {}
  [[nodiscard]] Result<void> run();

 private:
  using Tensor = graph::Tensor;
  using ElementType = abi::ElementType;

  // legalize.cpp
  [[nodiscard]] Result<void> check_operands() const;
  [[nodiscard]] Result<bool> fold();
  [[nodiscard]] Result<void> legalize_operator(std::int32_t index);
  [[nodiscard]] Result<void> on_npu();
  [[nodiscard]] Result<void> on_host(std::string reason);
  void report(package::Placement placement, std::string reason);

  template <typename... Args>
  [[nodiscard]] Error error(ErrorId id, fmt::format_string<Args...> format, Args&&... args) const {
    std::string reason = fmt::format(format, std::forward<Args>(args)...);
    return Error(id, fmt::format("{} \"{}\": {}", graph::describe(*op_), op_->name, reason))
        .with_value("operator", fmt::format("{}", op_->file_index))
        .with_value("reason", std::move(reason));
  }
  [[nodiscard]] tl::unexpected<Error> unsupported(std::string what) const { return fail(error(ErrorId::kModelOperatorUnsupported, "{}", what)); }

  [[nodiscard]] const Tensor& in(std::size_t index) const { return graph_.tensor(op_->input(index)); }
  [[nodiscard]] bool has(std::size_t index) const { return op_->input(index) != graph::kAbsent; }
  [[nodiscard]] const Tensor& out(std::size_t index = 0) const { return graph_.tensor(op_->output(index)); }

  template <typename T>
  [[nodiscard]] Result<const T*> options() const {
    const T* options = std::get_if<T>(&op_->options);
    if (options == nullptr) return fail(error(ErrorId::kModelOptions, "its options are missing"));
    return options;
  }
  [[nodiscard]] Result<void> expect_type(const Tensor& tensor, std::initializer_list<ElementType> allowed) const;
  [[nodiscard]] Result<void> expect_quantized(const Tensor& tensor, std::initializer_list<ElementType> allowed) const;
  /// Codes of one type among `allowed`, each with a single scale.
  [[nodiscard]] Result<void> expect_codes(std::initializer_list<const Tensor*> tensors, std::initializer_list<ElementType> allowed) const;
  [[nodiscard]] Result<void> expect_multiplier(const numerics::Multiplier& multiplier) const;
  [[nodiscard]] Result<void> expect_same_quantization(const Tensor& a, const Tensor& b) const;
  [[nodiscard]] Result<void> expect_rank(const Tensor& tensor, std::size_t rank) const;
  [[nodiscard]] numerics::Range activation_range(graph::Activation activation) const;

  /// Nodes of the operator at hand, and tensors that only they see.
  void emit(NodeBody body, std::vector<TensorId> inputs, TensorId output);
  TensorId temporary(graph::Shape shape, ElementType type);
  TensorId constant(std::vector<std::byte> bytes, graph::Shape shape, ElementType type);
  /// A range of a tensor's bytes under a shape of its own.
  TensorId view(TensorId tensor, std::uint64_t offset, graph::Shape shape);

  // window.cpp
  [[nodiscard]] Result<void> place(WindowNode& node, graph::Padding padding) const;
  [[nodiscard]] Result<void> weigh(WindowNode& node, TensorId filter, TensorId bias, graph::Activation activation) const;
  [[nodiscard]] Result<void> convolution();
  [[nodiscard]] Result<void> fully_connected();
  [[nodiscard]] Result<void> transpose_conv();
  [[nodiscard]] Result<void> batch_matmul();
  [[nodiscard]] Result<void> pool();
  struct Product {
    TensorId left = graph::kAbsent, right = graph::kAbsent, output = graph::kAbsent;
    std::uint32_t rows = 1, depth = 1, channels = 1;
    bool right_by_rows = false;  // right is [channels][depth], else [depth][channels]
    numerics::Multiplier multiplier;
    numerics::Range clamp;
  };
  /// The product of two activations: the right side is packed, then it is a window like any other.
  [[nodiscard]] Result<void> product(const Product& product);

  // elementwise.cpp
  [[nodiscard]] Result<void> binary();
  [[nodiscard]] Result<void> minimum_or_maximum();
  [[nodiscard]] Result<void> reduce();
  [[nodiscard]] Result<void> softmax();
  [[nodiscard]] Result<void> clamp(graph::Activation activation);
  [[nodiscard]] Result<void> quantize();
  [[nodiscard]] Result<void> unary();
  [[nodiscard]] Result<void> slopes(const numerics::SlopeMultipliers& multipliers, TensorId alpha);
  [[nodiscard]] Result<void> leaky_relu();
  [[nodiscard]] Result<void> prelu();
  [[nodiscard]] Result<void> resize_bilinear();
  void table(std::span<const std::byte> entries, TensorId input, TensorId output);
  void curve(abi::CurveKind kind, const numerics::CurveParameters& parameters, TensorId input, TensorId output);
  TensorId sigmoid_table();

  // movement.cpp
  [[nodiscard]] Result<void> identity();
  [[nodiscard]] Result<void> pad();
  [[nodiscard]] Result<void> concatenation();
  [[nodiscard]] Result<void> transpose();
  [[nodiscard]] Result<void> slice();
  [[nodiscard]] Result<void> split();
  [[nodiscard]] Result<void> pack();
  [[nodiscard]] Result<void> unpack();
  [[nodiscard]] Result<void> gather();
  [[nodiscard]] Result<void> tile();
  [[nodiscard]] Result<void> depth_space();
  [[nodiscard]] Result<void> space_to_batch();
  [[nodiscard]] Result<void> batch_to_space();
  [[nodiscard]] Result<void> resize_nearest();
  [[nodiscard]] Result<void> expect_movable() const;
  /// A box of a tensor: as a view where its bytes lie together, else as a copy.
  struct Box {
    graph::Shape begin, extent, stride;
  };
  void take_box(TensorId input, const Box& box, TensorId output);
  /// Output dimension by dimension: strides in elements of the input and of the output.
  void move(std::vector<MoveNode::Loop> loops, std::uint64_t input_offset, TensorId input, TensorId output);
  /// For each index of `indices` the slice of `input` at it, along a dimension of `extent` slices of `slice_bytes`, `outer` times.
  [[nodiscard]] Result<void> take_slices(TensorId input, std::uint64_t outer, std::uint64_t extent, std::uint64_t slice_bytes, std::span<const std::int64_t> indices, TensorId output);

  // recurrent.cpp
  [[nodiscard]] Result<void> svdf();
  [[nodiscard]] Result<void> lstm();

  Program& program_;
  graph::Graph& graph_;
  const HostReasons& on_host_;
  const graph::Operator* op_ = nullptr;
  std::int32_t op_index_ = -1;
  std::uint64_t folded_bytes_ = 0, folded_macs_ = 0;
  TensorId sigmoid_table_ = graph::kAbsent;
};

}  // namespace naru::sdk::compiler
