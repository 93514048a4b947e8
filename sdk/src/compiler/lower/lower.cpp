// Dimensions of size one vanish, neighbours that are walked alike become one; what remains must fit the commands' four dimensions.
#include "compiler/lower/lower.h"

#include <algorithm>

#include <fmt/format.h>

namespace naru::sdk::compiler {
namespace {

constexpr std::size_t kDimensions = 4;
/// Runs of bytes from which on DMA copies faster than the vector engine moves elements.
constexpr std::uint64_t kCopyRowBytes = 64;

/// One dimension of a nest before it is fitted into four: the strides of all operands, output last.
struct Dimension {
  std::uint64_t extent = 1;
  std::vector<std::uint64_t> strides;
  bool reduced = false;
};

/// Drops dimensions of one, and joins an outer dimension to the next where every operand goes on without a gap.
std::vector<Dimension> simplified(const std::vector<Dimension>& dimensions) {
  std::vector<Dimension> result;
  for (const Dimension& inner : dimensions) {
    if (inner.extent == 1) continue;
    if (!result.empty()) {
      Dimension& outer = result.back();
      bool continuous = outer.reduced == inner.reduced;
      for (std::size_t i = 0; i < inner.strides.size(); ++i) continuous = continuous && outer.strides[i] == inner.strides[i] * inner.extent;
      if (continuous) {
        outer.extent *= inner.extent;
        outer.strides = inner.strides;
        continue;
      }
    }
    result.push_back(inner);
  }
  return result;
}

class Lowering {
 public:
  Lowering(const graph::Graph& graph, const Node& node) : graph_(graph), node_(node), output_(graph.tensor(node.output)) {}

  Result<Nest> operator()(const WindowNode& window) const {
    WindowNest nest{window, node_.inputs[0], node_.output};
    WindowNode& w = nest.window;
    const bool is_pointwise = w.kernel_rows == 1 && w.kernel_cols == 1 && w.stride_rows == 1 && w.stride_cols == 1 && w.pad_top == 0 && w.pad_left == 0 &&
                              w.in_rows == w.out_rows && w.in_cols == w.out_cols;
    if (is_pointwise) {
      w.in_cols = w.out_cols = w.batch * w.in_rows * w.in_cols;
      w.batch = w.in_rows = w.out_rows = 1;
      w.dilation_rows = w.dilation_cols = 1;
    }
    return Nest{std::move(nest)};
  }

  Result<Nest> operator()(const RequantizeNode& node) const {
    abi::Requantize command;
    command.input_type = input(0).type;
    command.output_type = output_.type;
    command.shift = static_cast<std::int8_t>(node.multiplier.shift);
    command.multiplier = node.multiplier.value;
    command.input_zero = node.input_zero;
    command.output_zero = node.output_zero;
    command.activation_min = node.clamp.min;
    command.activation_max = node.clamp.max;
    return map(command, {{graph::element_count(output_), {bytes(input(0)), bytes(output_)}}});
  }

  Result<Nest> operator()(const BinaryNode& node) const {
    abi::Elementwise command;
    command.op = node.op;
    command.type = output_.type;
    command.left_shift = static_cast<std::uint8_t>(node.left_shift);
    command.a_shift = static_cast<std::int8_t>(node.a.shift);
    command.b_shift = static_cast<std::int8_t>(node.b.shift);
    command.output_shift = static_cast<std::int8_t>(node.output.shift);
    command.a_multiplier = node.a.value;
    command.b_multiplier = node.b.value;
    command.output_multiplier = node.output.value;
    command.a_zero = node.a_zero;
    command.b_zero = node.b_zero;
    command.output_zero = node.output_zero;
    command.activation_min = node.clamp.min;
    command.activation_max = node.clamp.max;
    const auto output_strides = dense_strides(output_.shape, bytes(output_));
    std::vector<Dimension> dimensions(output_.shape.size());
    for (std::size_t d = 0; d < dimensions.size(); ++d) dimensions[d].extent = static_cast<std::uint64_t>(output_.shape[d]);
    for (std::size_t operand = 0; operand < 2; ++operand) {
      const auto& shape = input(operand).shape;
      const auto strides = dense_strides(shape, bytes(input(operand)));
      if (shape.size() > dimensions.size()) return refuse("an operand has more dimensions than the output");
      const std::size_t skipped = dimensions.size() - shape.size();
      for (std::size_t d = 0; d < dimensions.size(); ++d) {
        const bool repeats = d < skipped || shape[d - skipped] == 1;
        if (!repeats && shape[d - skipped] != output_.shape[d]) return refuse("its operands do not broadcast to its output");
        dimensions[d].strides.push_back(repeats ? 0 : strides[d - skipped]);
      }
    }
    for (std::size_t d = 0; d < dimensions.size(); ++d) dimensions[d].strides.push_back(output_strides[d]);
    return map(command, dimensions);
  }

  Result<Nest> operator()(const ReduceNode& node) const {
    abi::Reduce command;
    command.kind = node.kind;
    command.input_type = input(0).type;
    command.output_type = output_.type;
    command.shift = static_cast<std::int8_t>(node.multiplier.shift);
    command.multiplier = node.multiplier.value;
    command.input_zero = node.input_zero;
    command.output_zero = node.output_zero;
    // What is not rescaled is not clamped: the fields are unused then.
    if (node.kind == abi::ReduceKind::kSum && output_.type != abi::ElementType::kI32) {
      command.activation_min = node.clamp.min;
      command.activation_max = node.clamp.max;
    }
    const auto& shape = input(0).shape;
    const auto strides = dense_strides(shape, bytes(input(0)));
    std::vector<Dimension> dimensions(shape.size());
    std::uint64_t output_stride = bytes(output_);
    for (std::size_t d = shape.size(); d-- > 0;) {
      dimensions[d].extent = static_cast<std::uint64_t>(shape[d]);
      dimensions[d].reduced = std::ranges::count(node.axes, static_cast<std::int32_t>(d)) > 0;
      dimensions[d].strides = {strides[d], dimensions[d].reduced ? 0 : output_stride};
      if (!dimensions[d].reduced) output_stride *= dimensions[d].extent;
    }
    return map(command, dimensions);
  }

  Result<Nest> operator()(const SoftmaxNode& node) const {
    abi::Softmax command;
    command.type = output_.type;
    command.left_shift = static_cast<std::int8_t>(node.parameters.left_shift);
    command.multiplier = node.parameters.multiplier;
    command.difference_min = node.parameters.difference_min;
    const auto row = static_cast<std::uint64_t>(output_.shape.empty() ? 1 : output_.shape.back());
    const std::uint64_t rows = graph::element_count(output_) / row;
    MapNest nest;
    nest.extent = {1, 1, static_cast<std::uint32_t>(rows), static_cast<std::uint32_t>(row)};
    nest.divisible = {true, true, true, false};
    nest.inputs = {{node_.inputs[0], 1, {0, 0, row, 1}}};
    nest.output = {node_.output, 1, {0, 0, row, 1}};
    nest.prototype = command;
    return Nest{std::move(nest)};
  }

  Result<Nest> operator()(const TableNode&) const {
    abi::Table command;
    command.type = input(0).type;
    return by_table(command);
  }

  Result<Nest> operator()(const CurveNode& node) const {
    abi::Curve command;
    command.kind = node.kind;
    command.multiplier = node.parameters.multiplier;
    command.shift = static_cast<std::uint8_t>(node.parameters.shift);
    return by_table(command);
  }

  Result<Nest> operator()(const ResizeNode& node) const { return Nest{ResizeNest{node, node_.inputs[0], node_.output, output_.type}}; }

  Result<Nest> operator()(const PackNode& node) const {
    abi::Pack command;
    command.input_type = input(0).type;
    command.channels = node.channels;
    command.depth = node.depth;
    command.channel_stride = node.channel_stride;
    command.depth_stride = node.depth_stride;
    command.input_zero = node.input_zero;
    command.weight_zero = node.weight_zero;
    command.multiplier = node.multiplier.value;
    command.shift = static_cast<std::int8_t>(node.multiplier.shift);
    MapNest nest;
    nest.divisible = {false, false, false, false};
    nest.inputs = {{node_.inputs[0], node.channels * node.depth, {}}};
    nest.output = {node_.output, static_cast<std::uint32_t>(graph::byte_size(output_)), {}};
    nest.prototype = command;
    return Nest{std::move(nest)};
  }

  Result<Nest> operator()(const MoveNode& node) const {
    std::vector<Dimension> dimensions;
    for (const MoveNode::Loop& loop : node.loops) dimensions.push_back({loop.extent, {loop.input_stride, loop.output_stride}});
    dimensions = simplified(dimensions);
    const std::uint64_t element = bytes(output_);
    std::uint64_t row = element;
    if (!dimensions.empty() && dimensions.back().strides[0] == element && dimensions.back().strides[1] == element) row *= dimensions.back().extent;
    if (row >= kCopyRowBytes || dimensions.size() > kDimensions) {
      CopyBox box{node_.inputs[0], node.input_offset, 0, row, {}};
      if (row > element) dimensions.pop_back();
      for (const Dimension& dimension : dimensions) box.loops.push_back({dimension.extent, dimension.strides[0], dimension.strides[1]});
      CopyNest nest;
      nest.output = node_.output;
      nest.copies.push_back(std::move(box));
      return Nest{std::move(nest)};
    }
    abi::Move command;
    command.type = output_.type;
    NARU_TRY(Nest nest, map(command, dimensions));
    std::get<MapNest>(nest).inputs[0].offset = node.input_offset;
    return nest;
  }

  Result<Nest> operator()(const CopyNode& node) const {
    CopyNest nest;
    nest.output = node_.output;
    if (node.fills_first) {
      nest.fills.push_back({0, graph::byte_size(output_), {}});
      nest.fill_value = node.fill_value;
      nest.fill_type = output_.type;
    }
    for (const CopyNode::Box& box : node.copies) nest.copies.push_back({node_.inputs[box.input], box.source_offset, box.target_offset, box.row_bytes, box.loops});
    return Nest{std::move(nest)};
  }

  Result<Nest> operator()(const PadNode& node) const {
    // Only dimensions that are padded, and runs of those that are not, count.
    std::vector<Padded> dimensions;
    for (std::size_t d = 0; d < output_.shape.size(); ++d) {
      const Padded next{static_cast<std::uint64_t>(node.before[d]), static_cast<std::uint64_t>(input(0).shape[d]), static_cast<std::uint64_t>(node.after[d])};
      if (!dimensions.empty() && next.plain() && (dimensions.back().plain() || next.extent == 1)) {
        dimensions.back().extent *= next.extent;
      } else if (!dimensions.empty() && dimensions.back().plain() && dimensions.back().extent == 1) {
        dimensions.back() = next;
      } else {
        dimensions.push_back(next);
      }
    }
    if (dimensions.size() > kDimensions) return refuse("it pads more dimensions than a command has");
    return pad(dimensions, node.value);
  }

  Result<Nest> operator()(const ViewNode& node) const {
    const std::uint64_t size = graph::byte_size(output_);
    return Nest{CopyNest{.output = node_.output, .copies = {{node_.inputs[0], node.offset, 0, size, {}}}, .fills = {}}};
  }

  Result<Nest> operator()(const HostNode&) const { return fail(ErrorId::kInternal, "A host step was sent to the NPU"); }

 private:
  struct Padded {
    std::uint64_t before = 0, extent = 1, after = 0;
    [[nodiscard]] bool plain() const { return before == 0 && after == 0; }
    [[nodiscard]] std::uint64_t total() const { return before + extent + after; }
  };

  [[nodiscard]] const graph::Tensor& input(std::size_t index) const { return graph_.tensor(node_.inputs[index]); }
  static std::uint64_t bytes(const graph::Tensor& tensor) { return abi::element_bytes(tensor.type); }

  [[nodiscard]] tl::unexpected<Error> refuse(std::string_view what) const {
    return fail(ErrorId::kCompileUnsupported, fmt::format("Operator that writes \"{}\" ({}): {}", output_.name, graph::to_string(output_.shape), what));
  }

  /// Every element alike, by the second operand as a whole.
  Result<Nest> by_table(abi::CommandBody prototype) const {
    NARU_TRY(Nest nest, map(std::move(prototype), {{graph::element_count(output_), {bytes(input(0)), 0, bytes(output_)}}}));
    std::get<MapNest>(nest).inputs[1].element_bytes = static_cast<std::uint32_t>(graph::byte_size(input(1)));
    return nest;
  }

  Result<Nest> map(abi::CommandBody prototype, const std::vector<Dimension>& all) const {
    const auto dimensions = simplified(all);
    if (dimensions.size() > kDimensions) return refuse(fmt::format("{} dimensions remain that are walked differently; a command has four", dimensions.size()));
    MapNest nest;
    for (TensorId id : node_.inputs) nest.inputs.push_back({id, static_cast<std::uint32_t>(bytes(graph_.tensor(id))), {}});
    nest.output = {node_.output, static_cast<std::uint32_t>(bytes(output_)), {}};
    std::uint8_t reduced = 0;
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      const std::size_t d = kDimensions - dimensions.size() + i;
      nest.extent[d] = static_cast<std::uint32_t>(dimensions[i].extent);
      nest.divisible[d] = !dimensions[i].reduced;
      for (std::size_t operand = 0; operand < nest.inputs.size(); ++operand) nest.inputs[operand].stride[d] = dimensions[i].strides[operand];
      nest.output.stride[d] = dimensions[i].strides.back();
      if (dimensions[i].reduced) reduced = static_cast<std::uint8_t>(reduced | 1U << d);
    }
    if (auto* reduce = std::get_if<abi::Reduce>(&prototype)) reduce->reduced_dimensions = reduced;
    nest.prototype = std::move(prototype);
    return Nest{std::move(nest)};
  }

  Result<Nest> pad(const std::vector<Padded>& dimensions, std::int32_t value) const {
    const std::size_t rank = dimensions.size();
    std::vector<std::uint64_t> in_stride(rank), out_stride(rank);
    std::uint64_t in_size = bytes(output_), out_size = bytes(output_);
    for (std::size_t d = rank; d-- > 0;) {
      in_stride[d] = in_size;
      out_stride[d] = out_size;
      in_size *= dimensions[d].extent;
      out_size *= dimensions[d].total();
    }
    CopyNest nest{.output = node_.output, .copies = {}, .fills = {}, .fill_value = value, .fill_type = output_.type};
    std::vector<CopyBox::Loop> outer;  // the interior of the dimensions that were passed
    std::uint64_t offset = 0;          // of the interior's first byte
    for (std::size_t d = 0; d < rank; ++d) {
      const auto slab = [&](std::uint64_t at, std::uint64_t count) {
        if (count == 0) return;
        FillBox box{offset + at * out_stride[d], count * out_stride[d], outer};
        for (auto& loop : box.loops) loop.source_stride = 0;
        nest.fills.push_back(std::move(box));
      };
      slab(0, dimensions[d].before);
      slab(dimensions[d].before + dimensions[d].extent, dimensions[d].after);
      offset += dimensions[d].before * out_stride[d];
      outer.push_back({dimensions[d].extent, in_stride[d], out_stride[d]});
    }
    std::uint64_t row = bytes(output_);
    if (!outer.empty()) {
      row *= outer.back().count;
      outer.pop_back();
    }
    nest.copies.push_back({node_.inputs[0], 0, offset, row, outer});
    return Nest{std::move(nest)};
  }

  const graph::Graph& graph_;
  const Node& node_;
  const graph::Tensor& output_;
};

}  // namespace

std::vector<std::uint64_t> dense_strides(const graph::Shape& shape, std::uint64_t element_bytes) {
  std::vector<std::uint64_t> strides(shape.size());
  std::uint64_t stride = element_bytes;
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= static_cast<std::uint64_t>(shape[i]);
  }
  return strides;
}

Result<Nest> lower(const graph::Graph& graph, const Node& node) { return std::visit(Lowering(graph, node), node.body); }

}  // namespace naru::sdk::compiler
