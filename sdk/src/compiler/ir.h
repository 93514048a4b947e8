// What the compiler's stages hand to each other: nodes (operators in the device's vocabulary, still on whole tensors), and steps (tiles: loads,
// computation, stores). Tensors are those of the compiler's own copy of the graph.
#pragma once

#include <cstdint>
#include <map>
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
  abi::WeightFormat weight_format = abi::WeightFormat::kDenseI8;
  TensorId filter = graph::kAbsent, bias = graph::kAbsent;
  TensorId packed = graph::kAbsent;      // instead of a filter: the weight object that a PackNode computes, the node's second input
  std::vector<numerics::Multiplier> multipliers;  // one per output channel
  std::int32_t input_zero = 0, output_zero = 0;
  std::int32_t weight_zero = 0;          // of the weights as they are stored: u8 filters are stored less 128
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

/// One code to one code, by the 256 entries of the second input.
struct TableNode {};

/// 16-bit LOGISTIC or TANH, by the sigmoid table, which is the second input.
struct CurveNode {
  abi::CurveKind kind = abi::CurveKind::kSigmoid;
  numerics::CurveParameters parameters;
};

/// Bilinear, on NHWC images of the same batch and channels.
struct ResizeNode {
  std::uint32_t batch = 1, in_rows = 1, in_cols = 1, out_rows = 1, out_cols = 1, channels = 1;
  numerics::ResizeParameters rows, cols;
};

/// A matrix [depth][channels], by its strides in bytes, into a dense weight object: the output is that object's bytes.
struct PackNode {
  std::uint32_t channels = 1, depth = 1, channel_stride = 1, depth_stride = 1;
  std::int32_t input_zero = 0;   // of the other side of the product
  std::int32_t weight_zero = 0;  // as stored
  numerics::Multiplier multiplier;
};

/// One strided copy: output element i is an input element. Byte strides; as many loops as it takes, outermost first.
struct MoveNode {
  struct Loop {
    std::uint64_t extent = 1, input_stride = 0, output_stride = 0;
  };
  std::vector<Loop> loops;
  std::uint64_t input_offset = 0;
};

/// Rows of bytes from several inputs, and constant boxes around them; together they write every byte of the output.
struct CopyNode {
  struct Loop {
    std::uint64_t count = 1, source_stride = 0, target_stride = 0;
  };
  struct Box {
    std::uint32_t input = 0;  // index in Node::inputs
    std::uint64_t source_offset = 0, target_offset = 0, row_bytes = 0;
    std::vector<Loop> loops;  // outermost first
  };
  std::vector<Box> copies;
  bool fills_first = false;   // the whole output gets `fill_value` before the copies
  std::int32_t fill_value = 0;
};

struct PadNode {
  graph::Shape before, after;
  std::int32_t value = 0;
};

/// The same bytes, from `offset` on, under another shape; or a copy where the two must lie apart.
struct ViewNode {
  std::uint64_t offset = 0;
};

/// Executed by the host, as the operator it came from.
struct HostNode {};

using NodeBody = std::variant<WindowNode, RequantizeNode, BinaryNode, ReduceNode, SoftmaxNode, TableNode, CurveNode, ResizeNode, PackNode, MoveNode, CopyNode, PadNode,
                              ViewNode, HostNode>;

struct Node {
  NodeBody body;
  std::vector<TensorId> inputs;  // computed or constant operands that are read as tensors; filter and bias stand in the body
  TensorId output = graph::kAbsent;
  std::int32_t op = -1;          // index in the model's operators; -1 for what the compiler added
  std::vector<TensorId> more_outputs = {};  // of a host node with several results

  template <typename Visit>
  void for_each_output(Visit visit) const {
    visit(output);
    for (TensorId id : more_outputs) visit(id);
  }
};

/// What must not be computed on the NPU: by the model's operator, why.
using HostReasons = std::map<std::int32_t, std::string>;

/// State of the model, each tensor with a place in the arena that the session swaps.
struct StatePlace {
  TensorId before = graph::kAbsent, after = graph::kAbsent;
  std::uint64_t offset = 0;
};

struct Program {
  graph::Graph graph;
  std::vector<Node> nodes;                         // in execution order
  std::vector<bool> pinned;                        // per tensor: a place of its own, not to be fused away
  std::vector<StatePlace> states;
  std::vector<std::byte> state;                    // first contents of the state arena
  std::vector<package::OperatorReport> reports;    // one per operator of the model
};

/// Storage numbers: what stands in an operand's region field until jobs have regions.
inline constexpr unsigned kSramStorage = 0;
inline constexpr unsigned kConstantsStorage = 1;
inline constexpr unsigned kScratchStorage = 2;
inline constexpr unsigned kStateReadStorage = 3;
inline constexpr unsigned kStateWriteStorage = 4;
inline constexpr unsigned kTensorStorage = 5;  // + index in Package::tensors
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
