// A map whose merged dimensions run over the border is split at the image's rows; a window learns the pitch from the frame when it is unrolled.
#include "compiler/tile/frame.h"

#include <algorithm>

namespace naru::sdk::compiler {
namespace {

/// Makes two of dimension d: the inner one has `inner` elements.
bool split(MapNest& nest, std::size_t d, std::uint32_t inner) {
  if (nest.extent[0] != 1 || d == 0 || std::holds_alternative<abi::Softmax>(nest.prototype)) return false;
  auto* reduce = std::get_if<abi::Reduce>(&nest.prototype);
  const auto shift = [&](auto& values, auto outer, auto last) {
    for (std::size_t k = 0; k + 1 < d; ++k) values[k] = values[k + 1];
    values[d - 1] = outer;
    values[d] = last;
  };
  const std::uint32_t outer = nest.extent[d] / inner;
  shift(nest.extent, outer, inner);
  shift(nest.divisible, nest.divisible[d], nest.divisible[d]);
  const auto walk = [&](MapOperand& operand) { shift(operand.stride, operand.stride[d] * inner, operand.stride[d]); };
  std::ranges::for_each(nest.inputs, walk);
  walk(nest.output);
  if (reduce != nullptr) {
    unsigned mask = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t from = k < d ? k + 1 : k;
      if ((reduce->reduced_dimensions >> from & 1U) != 0) mask |= 1U << k;
    }
    reduce->reduced_dimensions = static_cast<std::uint8_t>(mask);
  }
  return true;
}

/// One operand's strides, from those of the image alone to those inside the frame.
bool walk_map(MapNest& nest, std::size_t index, const Frame& frame) {
  const auto operand = [&]() -> MapOperand& { return index < nest.inputs.size() ? nest.inputs[index] : nest.output; };
  for (std::size_t d = 4; d-- > 0;) {
    const std::uint64_t stride = operand().stride[d], row = frame.row_bytes();
    if (stride == 0 || nest.extent[d] == 1 || stride % row == 0) continue;
    if (stride * nest.extent[d] <= row && row % (stride * nest.extent[d]) == 0) continue;
    if (row % stride != 0 || nest.extent[d] % (row / stride) != 0) return false;
    if (!split(nest, d, static_cast<std::uint32_t>(row / stride))) return false;
  }
  for (std::uint64_t& stride : operand().stride)
    if (stride % frame.row_bytes() == 0) stride = stride / frame.row_bytes() * frame.pitch();
  return true;
}

bool walk_window(WindowNest& nest, const auto& is_framed, const Frame& frame) {
  WindowNode& w = nest.window;
  if (w.batch != 1) return false;
  const auto fits = [&](std::uint32_t rows, std::uint32_t cols, std::uint32_t channels, abi::ElementType type) {
    return rows == frame.rows && cols == frame.cols && channels * abi::element_bytes(type) == frame.pixel_bytes;
  };
  // A pointwise window was flattened to one row of pixels: it becomes an image again.
  if (w.in_rows == 1 && w.out_rows == 1 && w.pad_top == 0 && w.pad_left == 0 && w.kernel_rows == 1 && w.kernel_cols == 1 && w.in_cols == w.out_cols && w.stride_cols == 1 && w.in_cols == frame.rows * frame.cols) {
    w.in_rows = w.out_rows = static_cast<std::uint32_t>(frame.rows);
    w.in_cols = w.out_cols = static_cast<std::uint32_t>(frame.cols);
  }
  if (is_framed(nest.input) && !fits(w.in_rows, w.in_cols, w.in_channels, w.input_type)) return false;
  return !is_framed(nest.output) || fits(w.out_rows, w.out_cols, w.out_channels, w.output_type);
}

std::uint64_t after(std::uint32_t out, std::uint32_t stride, std::uint32_t kernel, std::uint32_t dilation, std::uint32_t before, std::uint32_t in) {
  const std::int64_t last = std::int64_t{out - 1} * stride + std::int64_t{kernel - 1} * dilation + 1 - before;
  return static_cast<std::uint64_t>(std::max<std::int64_t>(last - in, 0));
}

}  // namespace

std::optional<Frame> wanted_frame(const WindowNest& nest) {
  const WindowNode& w = nest.window;
  if (w.is_pool() || w.batch != 1) return std::nullopt;
  Frame frame{w.in_rows, w.in_cols, std::uint64_t{w.in_channels} * abi::element_bytes(w.input_type), w.pad_top, 0, w.pad_left, 0};
  frame.bottom = after(w.out_rows, w.stride_rows, w.kernel_rows, w.dilation_rows, w.pad_top, w.in_rows);
  frame.right = after(w.out_cols, w.stride_cols, w.kernel_cols, w.dilation_cols, w.pad_left, w.in_cols);
  return frame.any() ? std::optional(frame) : std::nullopt;
}

std::optional<Frame> joined(const Frame& a, const Frame& b) {
  if (a.rows != b.rows || a.cols != b.cols || a.pixel_bytes != b.pixel_bytes) return std::nullopt;
  return Frame{a.rows, a.cols, a.pixel_bytes, std::max(a.top, b.top), std::max(a.bottom, b.bottom), std::max(a.left, b.left), std::max(a.right, b.right)};
}

bool walk_in_frame(Nest& nest, TensorId root, std::span<const Alias> aliases, const Frame& frame) {
  const auto is_framed = [&](TensorId id) { return aliases[static_cast<std::size_t>(id)].root == root; };
  // A part of the image cannot be walked as if it were the image.
  const auto is_part = [&](TensorId id) { return is_framed(id) && !aliases[static_cast<std::size_t>(id)].is_whole; };
  Nest changed = nest;
  if (auto* window = std::get_if<WindowNest>(&changed)) {
    if (is_part(window->input) || is_part(window->output) || !walk_window(*window, is_framed, frame)) return false;
  } else if (auto* map = std::get_if<MapNest>(&changed)) {
    const bool takes_a_matrix = std::holds_alternative<abi::Pack>(map->prototype);  // whole, by strides of its own
    for (std::size_t i = 0; i <= map->inputs.size(); ++i) {
      const MapOperand& operand = i < map->inputs.size() ? map->inputs[i] : map->output;
      if (is_part(operand.tensor) || (is_framed(operand.tensor) && (takes_a_matrix || operand.offset != 0))) return false;
      if (is_framed((i < map->inputs.size() ? map->inputs[i] : map->output).tensor) && !walk_map(*map, i, frame)) return false;
    }
  } else {
    return false;
  }
  nest = std::move(changed);
  return true;
}

void append_border(std::vector<Item>& items, const Frame& frame, std::uint64_t at, std::int32_t value, abi::ElementType type) {
  const auto fill = [&](std::uint64_t offset, std::uint64_t bytes, std::uint64_t rows) {
    if (bytes == 0 || rows == 0) return;
    abi::Fill command;
    command.target = abi::Operand::at(kSramStorage, at + offset);
    command.value = value;
    command.type = type;
    command.row_bytes = static_cast<std::uint32_t>(bytes);
    if (rows > 1) {
      command.count[2] = static_cast<std::uint32_t>(rows);
      command.target_stride[2] = static_cast<std::uint32_t>(frame.pitch());
    }
    items.push_back({Unit::kVector, command});
  };
  // The right edge of one row and the left edge of the next lie side by side.
  const std::uint64_t left = frame.left * frame.pixel_bytes, right = frame.right * frame.pixel_bytes;
  fill(0, frame.origin(), 1);
  fill(frame.origin() + frame.row_bytes(), left + right, frame.rows - 1);
  fill(frame.origin() + (frame.rows - 1) * frame.pitch() + frame.row_bytes(), right + frame.bottom * frame.pitch(), 1);
}

}  // namespace naru::sdk::compiler
