// What the compiler's stages hand to each other: nodes (operators in the device's vocabulary, still on whole tensors), and steps (tiles: loads,
// computation, stores). Tensors are those of the compiler's own copy of the graph.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "graph/graph.h"
#include "naru/abi/isa.h"
#include "numerics/numerics.h"
#include "package/package.h"

namespace naru::sdk::compiler {

using graph::TensorId;

/// A dense or depthwise convolution, a matrix product, or a pooling: a window that slides over NHWC images. What lies outside the image is
/// padding at the input's zero point (not counted by poolings).
struct WindowNode {
  enum class Kind : std::uint8_t { kDense, kDepthwise, kAveragePool, kMaxPool };
  Kind kind = Kind::kDense;
  abi::ElementType input_type = abi::ElementType::kI8, output_type = abi::ElementType::kI8;
  bool filter_channels_last = false;  // filter [kh][kw][oc] (one input channel per output channel) instead of [oc][kh][kw][ic]
  std::uint32_t batch = 1, in_rows = 1, in_cols = 1, in_channels = 1, out_rows = 1, out_cols = 1, out_channels = 1;
  std::uint32_t kernel_rows = 1, kernel_cols = 1, stride_rows = 1, stride_cols = 1, dilation_rows = 1, dilation_cols = 1;
  std::uint32_t pad_top = 0, pad_left = 0;
  std::uint32_t groups = 1;              // dense
  std::uint32_t channel_multiplier = 1;  // depthwise
  TensorId filter = graph::kAbsent, bias = graph::kAbsent;
  std::vector<numerics::Multiplier> multipliers;  // one per output channel
  std::int32_t input_zero = 0, output_zero = 0, weight_zero = 0;
  numerics::Range clamp;

  [[nodiscard]] bool is_pool() const noexcept { return kind == Kind::kAveragePool || kind == Kind::kMaxPool; }
  [[nodiscard]] bool has_weights() const noexcept { return !is_pool(); }
};

struct RequantizeNode {
  numerics::Multiplier multiplier;
  std::int32_t input_zero = 0, output_zero = 0;
  numerics::Range clamp;
};

/// Two operands that broadcast.
struct BinaryNode {
  abi::ElementwiseOp op = abi::ElementwiseOp::kAdd;
  std::int32_t left_shift = 0;
  numerics::Multiplier a, b, output;
  std::int32_t a_zero = 0, b_zero = 0, output_zero = 0;
  numerics::Range clamp;
};

struct ReduceNode {
  abi::ReduceKind kind = abi::ReduceKind::kSum;
  graph::Shape axes;
  numerics::Multiplier multiplier;
  std::int32_t input_zero = 0, output_zero = 0;
  numerics::Range clamp;
};

struct SoftmaxNode {
  numerics::SoftmaxParameters parameters;
};

struct ConcatenationNode {
  std::int32_t axis = 0;
};

struct PadNode {
  graph::Shape before, after;
  std::int32_t value = 0;
};

struct TransposeNode {
  graph::Shape permutation;
};

/// The same bytes under another shape (RESHAPE), or a copy where the two must lie apart.
struct ViewNode {};

/// Executed by the host, as the operator it came from.
struct HostNode {};

using NodeBody = std::variant<WindowNode, RequantizeNode, BinaryNode, ReduceNode, SoftmaxNode, ConcatenationNode, PadNode, TransposeNode, ViewNode, HostNode>;

struct Node {
  NodeBody body;
  std::vector<TensorId> inputs;  // computed or constant operands that are read as tensors; filter and bias stand in the body
  TensorId output = graph::kAbsent;
  std::int32_t op = -1;          // index in the model's operators; -1 for what the compiler added
};

struct Program {
  graph::Graph graph;
  std::vector<Node> nodes;                         // in execution order
  std::vector<bool> pinned;                        // per tensor: a package tensor of its own, not to be fused away
  std::vector<package::OperatorReport> reports;    // one per operator of the model
};

/// Storage numbers: what stands in an operand's region field until jobs have regions.
inline constexpr unsigned kSramStorage = 0;
inline constexpr unsigned kConstantsStorage = 1;
inline constexpr unsigned kScratchStorage = 2;
inline constexpr unsigned kTensorStorage = 3;  // + index in Package::tensors
[[nodiscard]] constexpr abi::MemoryKind memory_of(unsigned storage) noexcept {
  return storage == kSramStorage ? abi::MemoryKind::kSram : abi::MemoryKind::kDram;
}

/// Which engine a command wants; the schedule chooses among the chip's DMA engines.
enum class Unit : std::uint8_t { kLoad, kStore, kVector, kMac };

struct Item {
  Unit unit = Unit::kLoad;
  abi::CommandBody body;
};

/// One tile. Its loads are independent of each other; computation follows them in order; stores follow it.
struct Step {
  std::vector<Item> loads;    // DMA into SRAM and fills
  std::vector<Item> compute;
  std::vector<Item> stores;   // DMA to DRAM
};

}  // namespace naru::sdk::compiler
