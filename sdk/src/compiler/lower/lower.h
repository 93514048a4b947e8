// Stage 3: nodes into nests, loops over bytes that can be cut into tiles. Shapes lose their meaning here: what is left are extents and strides.
#pragma once

#include "compiler/ir.h"
#include "naru/base/result.h"

namespace naru::sdk::compiler {

/// A window over images. 1x1 windows are flattened to one row of pixels.
struct WindowNest {
  WindowNode window;
  TensorId input = graph::kAbsent, output = graph::kAbsent;
};

/// How a tensor is walked along a map's four dimensions; 0 where it repeats. What a command takes as a whole (a table, a matrix to pack) is one element.
struct MapOperand {
  TensorId tensor = graph::kAbsent;
  std::uint32_t element_bytes = 1;
  std::array<std::uint64_t, 4> stride{};  // bytes
  std::uint64_t offset = 0;               // bytes from the tensor's first
};

/// Element by element, or rows of elements: everything the vector engine does except pooling.
struct MapNest {
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1};
  std::array<bool, 4> divisible{true, true, true, true};  // tiles may cut along it
  std::vector<MapOperand> inputs;
  MapOperand output;
  abi::CommandBody prototype;  // everything but operands, extents and strides
};

/// Bilinear resizing: tiles of output rows and channels.
struct ResizeNest {
  ResizeNode resize;
  TensorId input = graph::kAbsent, output = graph::kAbsent;
  abi::ElementType type = abi::ElementType::kI8;
};

/// Bytes from tensor to tensor by DMA, without passing through the vector engine.
struct CopyBox {
  using Loop = CopyNode::Loop;
  TensorId source = graph::kAbsent;
  std::uint64_t source_offset = 0, target_offset = 0;
  std::uint64_t row_bytes = 0;
  std::vector<Loop> loops;  // outermost first
};
/// A constant value written to a box of the output.
struct FillBox {
  std::uint64_t offset = 0;
  std::uint64_t row_bytes = 0;
  std::vector<CopyBox::Loop> loops;  // source strides are 0
};
struct CopyNest {
  TensorId output = graph::kAbsent;
  std::vector<CopyBox> copies;
  std::vector<FillBox> fills;
  std::int32_t fill_value = 0;
  abi::ElementType fill_type = abi::ElementType::kI8;
};

using Nest = std::variant<WindowNest, MapNest, CopyNest, ResizeNest>;

/// Byte strides of a dense tensor, outermost first.
[[nodiscard]] std::vector<std::uint64_t> dense_strides(const graph::Shape& shape, std::uint64_t element_bytes);

/// Not for host nodes, nor for views that need no copy. kCompileUnsupported when more than four dimensions remain.
[[nodiscard]] Result<Nest> lower(const graph::Graph& graph, const Node& node);

}  // namespace naru::sdk::compiler
