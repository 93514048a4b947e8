// Operators into nodes. Scales become integers here (numerics), so that later stages move only whole numbers.
#include "compiler/legalize/legalize.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace naru::sdk::compiler {
namespace {

using abi::ElementType;
using graph::Activation;
using graph::Graph;
using graph::Operator;
using graph::OperatorKind;
using graph::Tensor;
using numerics::Multiplier;

class Legalizer {
 public:
  explicit Legalizer(Program& program) : program_(program), graph_(program.graph) {}

  Result<void> run() {
    for (std::size_t i = 0; i < graph_.operators.size(); ++i) {
      op_ = &graph_.operators[i];
      NARU_CHECK_OK(check_operands());
      NARU_TRY(NodeBody body, body_of());
      Node node{.body = std::move(body), .inputs = {}, .output = op_->output(0), .op = static_cast<std::int32_t>(i)};
      node.inputs = read_operands(node.body);
      report(node);
      program_.nodes.push_back(std::move(node));
    }
    return {};
  }

 private:
  template <typename... Args>
  [[nodiscard]] Error error(ErrorId id, fmt::format_string<Args...> format, Args&&... args) const {
    return Error(id, fmt::format("{} \"{}\": {}", graph::describe(*op_), op_->name, fmt::format(format, std::forward<Args>(args)...)))
        .with_value("operator", fmt::format("{}", op_->file_index));
  }
  [[nodiscard]] tl::unexpected<Error> unsupported(std::string what) const { return fail(error(ErrorId::kModelOperatorUnsupported, "{}", what)); }

  [[nodiscard]] const Tensor& in(std::size_t index) const { return graph_.tensor(op_->input(index)); }
  [[nodiscard]] const Tensor& out() const { return graph_.tensor(op_->output(0)); }

  [[nodiscard]] Result<void> check_operands() const {
    const auto count = static_cast<TensorId>(graph_.tensors.size());
    for (TensorId id : op_->inputs)
      if (id != graph::kAbsent && (id < 0 || id >= count)) return fail(error(ErrorId::kModelTensorIndex, "operand {} is not one of {} tensors", id, count));
    if (op_->inputs.empty() || op_->input(0) == graph::kAbsent) return fail(error(ErrorId::kModelGraph, "its first operand is left out"));
    if (op_->outputs.size() != 1 || op_->output(0) < 0 || op_->output(0) >= count)
      return fail(error(ErrorId::kModelGraph, "it has {} outputs; one is expected", op_->outputs.size()));
    for (const Tensor* tensor : {&in(0), &out()}) {
      const auto bytes = graph::byte_size(*tensor);
      if (bytes == 0 || bytes > std::uint64_t{std::numeric_limits<std::int32_t>::max()})
        return fail(error(ErrorId::kCompileLimit, "tensor \"{}\" has {} bytes; from 1 to 2147483647 are possible", tensor->name, bytes));
    }
    return {};
  }

  /// Operands that the node reads as tensors: not filters, biases, or what the importer resolved into options.
  [[nodiscard]] std::vector<TensorId> read_operands(const NodeBody& body) const {
    if (std::holds_alternative<ConcatenationNode>(body) || std::holds_alternative<BinaryNode>(body)) return op_->inputs;
    return {op_->input(0)};
  }

  void report(const Node& node) {
    package::OperatorReport report;
    report.file_index = op_->file_index;
    report.kind = op_->kind;
    report.name = op_->name;
    report.output_file_index = out().file_index;
    if (std::holds_alternative<HostNode>(node.body)) {
      report.placement = package::Placement::kHost;
      report.reason = "its other side is float";
    }
    if (const auto* window = std::get_if<WindowNode>(&node.body); window != nullptr && window->has_weights())
      report.macs = std::uint64_t{window->batch} * window->out_rows * window->out_cols * window->out_channels * window->kernel_rows * window->kernel_cols *
                    (window->kind == WindowNode::Kind::kDense ? window->in_channels / window->groups : 1);
    program_.reports.push_back(std::move(report));
  }

  [[nodiscard]] Result<NodeBody> body_of() {
    switch (op_->kind) {
      case OperatorKind::kConv2d:
      case OperatorKind::kDepthwiseConv2d: return convolution();
      case OperatorKind::kFullyConnected: return fully_connected();
      case OperatorKind::kAveragePool2d:
      case OperatorKind::kMaxPool2d: return pool();
      case OperatorKind::kAdd:
      case OperatorKind::kMul: return binary();
      case OperatorKind::kPad: return pad();
      case OperatorKind::kMean: return mean();
      case OperatorKind::kReshape: return view();
      case OperatorKind::kSoftmax: return softmax();
      case OperatorKind::kRelu: return clamp(Activation::kRelu);
      case OperatorKind::kRelu6: return clamp(Activation::kRelu6);
      case OperatorKind::kConcatenation: return concatenation();
      case OperatorKind::kTranspose: return transpose();
      case OperatorKind::kQuantize: return quantize();
      case OperatorKind::kDequantize: return NodeBody{HostNode{}};
      default: break;
    }
    return unsupported("this version cannot compile it");
  }

  [[nodiscard]] Result<void> expect_type(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
    if (std::ranges::find(allowed, tensor.type) == allowed.end())
      return fail(error(ErrorId::kModelTypeUnsupported, "tensor \"{}\" is {}; the NPU does this operator in int8", tensor.name, abi::name_of(tensor.type)));
    return {};
  }
  [[nodiscard]] Result<void> expect_quantized(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
    NARU_CHECK_OK(expect_type(tensor, allowed));
    if (!tensor.quantization || tensor.quantization->scales.empty() || tensor.quantization->zero_points.size() != tensor.quantization->scales.size())
      return fail(error(ErrorId::kModelQuantization, "tensor \"{}\" has no quantisation", tensor.name));
    return {};
  }
  [[nodiscard]] Result<void> expect_multiplier(const Multiplier& multiplier) const {
    if (multiplier.shift > 30) return fail(error(ErrorId::kModelQuantization, "its scales multiply to 2^{} or more", multiplier.shift));
    return {};
  }
  /// Byte movement and pooling cannot rescale.
  [[nodiscard]] Result<void> expect_same_quantization(const Tensor& a, const Tensor& b) const {
    if (a.type != b.type) return unsupported(fmt::format("its input is {} and its output {}", abi::name_of(a.type), abi::name_of(b.type)));
    if (a.quantization && b.quantization && (a.scale() != b.scale() || a.zero_point() != b.zero_point()))
      return unsupported("its input and output are quantised differently");
    return {};
  }
  [[nodiscard]] Result<void> expect_rank(const Tensor& tensor, std::size_t rank) const {
    if (tensor.shape.size() != rank) return unsupported(fmt::format("tensor \"{}\" has {} dimensions; {} are expected", tensor.name, tensor.shape.size(), rank));
    return {};
  }

  template <typename T>
  [[nodiscard]] Result<const T*> options() const {
    const T* options = std::get_if<T>(&op_->options);
    if (options == nullptr) return fail(error(ErrorId::kModelOptions, "its options are missing"));
    return options;
  }

  [[nodiscard]] numerics::Range activation_range(Activation activation) const {
    return numerics::activation_range(activation, out().scale(), out().zero_point(), out().type);
  }

  /// Filter, bias and requantisation of a window whose geometry is set.
  [[nodiscard]] Result<void> weigh(WindowNode& node, Activation activation) const {
    const Tensor& filter = in(1);
    NARU_CHECK_OK(expect_quantized(in(0), {ElementType::kI8}));
    NARU_CHECK_OK(expect_quantized(out(), {ElementType::kI8}));
    NARU_CHECK_OK(expect_quantized(filter, {ElementType::kI8}));
    if (!filter.is_constant()) return unsupported("its filter is computed, not constant");
    if (filter.constant.size() != graph::byte_size(filter)) return fail(error(ErrorId::kModelConstant, "its filter has {} bytes", filter.constant.size()));
    const std::uint64_t taps = std::uint64_t{node.kernel_rows} * node.kernel_cols;
    const std::uint64_t depth = node.kind == WindowNode::Kind::kDense && !node.filter_channels_last ? node.in_channels / node.groups : 1;
    if (filter.constant.size() != taps * depth * node.out_channels)
      return fail(error(ErrorId::kModelShape, "its filter {} does not fit its input and output", graph::to_string(filter.shape)));
    node.filter = op_->input(1);
    if (op_->input(2) != graph::kAbsent) {
      const Tensor& bias = in(2);
      if (bias.type != ElementType::kI32 || bias.constant.size() != std::size_t{4} * node.out_channels)
        return unsupported(fmt::format("its bias is not a constant of {} int32 values", node.out_channels));
      node.bias = op_->input(2);
    }
    node.weight_zero = filter.zero_point();
    for (std::int32_t zero : filter.quantization->zero_points)
      if (zero != node.weight_zero) return unsupported("its filter has a zero point per channel");
    if (const auto scales = filter.quantization->scales.size(); scales != 1 && scales != node.out_channels)
      return fail(error(ErrorId::kModelQuantization, "its filter has {} scales for {} channels", scales, node.out_channels));
    node.multipliers = numerics::channel_multipliers(op_->kind, in(0).scale(), filter.quantization->scales, out().scale(), node.out_channels);
    for (const Multiplier& multiplier : node.multipliers) NARU_CHECK_OK(expect_multiplier(multiplier));
    node.input_zero = in(0).zero_point();
    node.output_zero = out().zero_point();
    node.clamp = activation_range(activation);
    return {};
  }

  /// Sizes of input and output, and the padding of TFLite's SAME.
  [[nodiscard]] Result<void> place(WindowNode& node, graph::Padding padding) const {
    NARU_CHECK_OK(expect_rank(in(0), 4));
    NARU_CHECK_OK(expect_rank(out(), 4));
    const auto size = [](std::int32_t value) { return static_cast<std::uint32_t>(value); };
    const auto& input = in(0).shape;
    const auto& output = out().shape;
    node.batch = size(input[0]);
    node.in_rows = size(input[1]);
    node.in_cols = size(input[2]);
    node.in_channels = size(input[3]);
    node.out_rows = size(output[1]);
    node.out_cols = size(output[2]);
    node.out_channels = size(output[3]);
    for (std::uint32_t value : {node.kernel_rows, node.kernel_cols, node.stride_rows, node.stride_cols, node.dilation_rows, node.dilation_cols})
      if (value == 0 || value > std::numeric_limits<std::uint16_t>::max()) return unsupported("a kernel size, stride or dilation is not in 1..65535");
    const auto along = [&](std::uint32_t in_size, std::uint32_t kernel, std::uint32_t stride, std::uint32_t dilation, std::uint32_t out_size) {
      const auto expected = numerics::window_output(padding, static_cast<std::int32_t>(in_size), static_cast<std::int32_t>(kernel),
                                                    static_cast<std::int32_t>(stride), static_cast<std::int32_t>(dilation));
      return expected && static_cast<std::uint32_t>(*expected) == out_size;
    };
    if (input[0] != output[0] || !along(node.in_rows, node.kernel_rows, node.stride_rows, node.dilation_rows, node.out_rows) ||
        !along(node.in_cols, node.kernel_cols, node.stride_cols, node.dilation_cols, node.out_cols))
      return fail(error(ErrorId::kModelShape, "its output {} does not follow from its input {}", graph::to_string(output), graph::to_string(input)));
    const auto before = [&](std::uint32_t in_size, std::uint32_t kernel, std::uint32_t stride, std::uint32_t dilation, std::uint32_t out_size) {
      return size(numerics::window_padding(padding, static_cast<std::int32_t>(in_size), static_cast<std::int32_t>(kernel), static_cast<std::int32_t>(stride),
                                           static_cast<std::int32_t>(dilation), static_cast<std::int32_t>(out_size))
                      .before);
    };
    node.pad_top = before(node.in_rows, node.kernel_rows, node.stride_rows, node.dilation_rows, node.out_rows);
    node.pad_left = before(node.in_cols, node.kernel_cols, node.stride_cols, node.dilation_cols, node.out_cols);
    return {};
  }

  [[nodiscard]] Result<NodeBody> convolution() const {
    NARU_TRY(const auto* conv, options<graph::ConvOptions>());
    if (op_->input(1) == graph::kAbsent) return fail(error(ErrorId::kModelGraph, "its filter is left out"));
    NARU_CHECK_OK(expect_rank(in(1), 4));
    NARU_CHECK_OK(expect_rank(in(0), 4));
    const auto& filter = in(1).shape;
    WindowNode node;
    node.kernel_rows = static_cast<std::uint32_t>(filter[1]);
    node.kernel_cols = static_cast<std::uint32_t>(filter[2]);
    node.stride_rows = static_cast<std::uint32_t>(conv->stride_h);
    node.stride_cols = static_cast<std::uint32_t>(conv->stride_w);
    node.dilation_rows = static_cast<std::uint32_t>(conv->dilation_h);
    node.dilation_cols = static_cast<std::uint32_t>(conv->dilation_w);
    NARU_CHECK_OK(place(node, conv->padding));
    if (op_->kind == OperatorKind::kConv2d) {
      const auto depth = static_cast<std::uint32_t>(filter[3]);
      if (depth == 0 || node.in_channels % depth != 0) return fail(error(ErrorId::kModelShape, "its filter has {} inputs, its input {}", depth, node.in_channels));
      node.groups = node.in_channels / depth;
      if (node.out_channels % node.groups != 0) return fail(error(ErrorId::kModelShape, "{} groups do not divide {} outputs", node.groups, node.out_channels));
    } else {
      if (node.out_channels % node.in_channels != 0)
        return fail(error(ErrorId::kModelShape, "{} inputs do not divide {} outputs", node.in_channels, node.out_channels));
      node.channel_multiplier = node.out_channels / node.in_channels;
      node.filter_channels_last = true;
      // With one input channel every output channel sees the same pixels: a dense convolution, which the array does with all its depth.
      node.kind = node.in_channels == 1 ? WindowNode::Kind::kDense : WindowNode::Kind::kDepthwise;
      if (node.kind == WindowNode::Kind::kDense) node.channel_multiplier = 1;
    }
    NARU_CHECK_OK(weigh(node, conv->activation));
    return NodeBody{std::move(node)};
  }

  [[nodiscard]] Result<NodeBody> fully_connected() const {
    NARU_TRY(const auto* fully_connected, options<graph::FullyConnectedOptions>());
    if (op_->input(1) == graph::kAbsent) return fail(error(ErrorId::kModelGraph, "its filter is left out"));
    NARU_CHECK_OK(expect_rank(in(1), 2));
    WindowNode node;
    node.out_channels = static_cast<std::uint32_t>(in(1).shape[0]);
    node.in_channels = static_cast<std::uint32_t>(in(1).shape[1]);
    const std::uint64_t elements = graph::element_count(in(0));
    const std::uint64_t rows = node.in_channels == 0 ? 0 : elements / node.in_channels;
    if (rows == 0 || elements % node.in_channels != 0 || graph::element_count(out()) != rows * node.out_channels)
      return fail(error(ErrorId::kModelShape, "its input {}, filter {} and output {} do not fit each other", graph::to_string(in(0).shape),
                        graph::to_string(in(1).shape), graph::to_string(out().shape)));
    node.in_cols = node.out_cols = static_cast<std::uint32_t>(rows);
    NARU_CHECK_OK(weigh(node, fully_connected->activation));
    return NodeBody{std::move(node)};
  }

  [[nodiscard]] Result<NodeBody> pool() const {
    NARU_TRY(const auto* pool, options<graph::PoolOptions>());
    NARU_CHECK_OK(expect_quantized(in(0), {ElementType::kI8, ElementType::kU8}));
    NARU_CHECK_OK(expect_same_quantization(in(0), out()));
    WindowNode node;
    node.kind = op_->kind == OperatorKind::kAveragePool2d ? WindowNode::Kind::kAveragePool : WindowNode::Kind::kMaxPool;
    node.input_type = node.output_type = in(0).type;
    node.kernel_rows = static_cast<std::uint32_t>(pool->filter_h);
    node.kernel_cols = static_cast<std::uint32_t>(pool->filter_w);
    node.stride_rows = static_cast<std::uint32_t>(pool->stride_h);
    node.stride_cols = static_cast<std::uint32_t>(pool->stride_w);
    NARU_CHECK_OK(place(node, pool->padding));
    if (node.in_channels != node.out_channels) return fail(error(ErrorId::kModelShape, "its input and output have different channels"));
    node.clamp = activation_range(pool->activation);
    return NodeBody{std::move(node)};
  }

  [[nodiscard]] Result<NodeBody> binary() const {
    NARU_TRY(const auto* options_of, options<graph::ElementwiseOptions>());
    if (op_->inputs.size() != 2 || op_->input(1) == graph::kAbsent) return fail(error(ErrorId::kModelGraph, "it has {} operands; two are expected", op_->inputs.size()));
    for (const Tensor* tensor : {&in(0), &in(1), &out()}) NARU_CHECK_OK(expect_quantized(*tensor, {ElementType::kI8}));
    BinaryNode node;
    if (op_->kind == OperatorKind::kAdd) {
      const auto parameters = numerics::add_parameters(in(0).scale(), in(1).scale(), out().scale(), out().type);
      node.op = abi::ElementwiseOp::kAdd;
      node.left_shift = parameters.left_shift;
      node.a = parameters.a;
      node.b = parameters.b;
      node.output = parameters.output;
    } else {
      node.op = abi::ElementwiseOp::kMul;
      node.output = numerics::mul_multiplier(in(0).scale(), in(1).scale(), out().scale());
    }
    for (const Multiplier& multiplier : {node.a, node.b, node.output}) NARU_CHECK_OK(expect_multiplier(multiplier));
    node.a_zero = in(0).zero_point();
    node.b_zero = in(1).zero_point();
    node.output_zero = out().zero_point();
    node.clamp = activation_range(options_of->activation);
    return NodeBody{node};
  }

  [[nodiscard]] Result<NodeBody> pad() const {
    NARU_TRY(const auto* pad, options<graph::PadOptions>());
    NARU_CHECK_OK(expect_same_quantization(in(0), out()));
    NARU_CHECK_OK(expect_type(out(), {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32}));
    const std::size_t rank = in(0).shape.size();
    if (pad->before.size() != rank || pad->after.size() != rank || out().shape.size() != rank) return fail(error(ErrorId::kModelOptions, "its paddings do not fit its input"));
    for (std::size_t i = 0; i < rank; ++i)
      if (pad->before[i] < 0 || pad->after[i] < 0 || std::int64_t{in(0).shape[i]} + pad->before[i] + pad->after[i] != out().shape[i])
        return fail(error(ErrorId::kModelShape, "its output {} does not follow from its paddings", graph::to_string(out().shape)));
    return NodeBody{PadNode{pad->before, pad->after, out().zero_point()}};
  }

  [[nodiscard]] Result<NodeBody> mean() const {
    NARU_TRY(const auto* reduce, options<graph::ReduceOptions>());
    for (const Tensor* tensor : {&in(0), &out()}) NARU_CHECK_OK(expect_quantized(*tensor, {ElementType::kI8}));
    std::uint64_t count = 1;
    for (std::int32_t axis : reduce->axes) {
      if (axis < 0 || static_cast<std::size_t>(axis) >= in(0).shape.size()) return fail(error(ErrorId::kModelOptions, "axis {} is not in its input", axis));
      count *= static_cast<std::uint64_t>(in(0).shape[static_cast<std::size_t>(axis)]);
    }
    ReduceNode node;
    node.axes = reduce->axes;
    node.multiplier = numerics::mean_multiplier(in(0).scale(), out().scale(), count);
    NARU_CHECK_OK(expect_multiplier(node.multiplier));
    node.input_zero = in(0).zero_point();
    node.output_zero = out().zero_point();
    node.clamp = numerics::code_range(out().type);
    return NodeBody{std::move(node)};
  }

  [[nodiscard]] Result<NodeBody> view() const {
    if (graph::byte_size(in(0)) != graph::byte_size(out())) return fail(error(ErrorId::kModelShape, "its input and output have different sizes"));
    NARU_CHECK_OK(expect_same_quantization(in(0), out()));
    return NodeBody{ViewNode{}};
  }

  [[nodiscard]] Result<NodeBody> softmax() const {
    NARU_TRY(const auto* softmax, options<graph::SoftmaxOptions>());
    for (const Tensor* tensor : {&in(0), &out()}) NARU_CHECK_OK(expect_quantized(*tensor, {ElementType::kI8}));
    if (out().scale() != numerics::kSoftmaxOutputScale || out().zero_point() != -128)
      return unsupported(fmt::format("its output has scale {} and zero point {}; they must be 1/256 and -128", out().scale(), out().zero_point()));
    const auto parameters = numerics::softmax_parameters(softmax->beta, in(0).scale());
    if (!parameters || parameters->left_shift < 0 || parameters->left_shift > 30) return fail(error(ErrorId::kModelQuantization, "beta {} times scale {} is out of range", softmax->beta, in(0).scale()));
    return NodeBody{SoftmaxNode{*parameters}};
  }

  [[nodiscard]] Result<NodeBody> requantize(const Multiplier& multiplier, Activation activation) const {
    NARU_CHECK_OK(expect_multiplier(multiplier));
    return NodeBody{RequantizeNode{multiplier, in(0).zero_point(), out().zero_point(), activation_range(activation)}};
  }

  [[nodiscard]] Result<NodeBody> clamp(Activation activation) const {
    for (const Tensor* tensor : {&in(0), &out()}) NARU_CHECK_OK(expect_quantized(*tensor, {ElementType::kI8}));
    return requantize(numerics::quantize_multiplier(numerics::float_ratio_scale(in(0).scale(), out().scale())), activation);
  }

  [[nodiscard]] Result<NodeBody> quantize() const {
    NARU_CHECK_OK(expect_quantized(out(), {ElementType::kI8, ElementType::kU8, ElementType::kI16}));
    if (in(0).type == ElementType::kF32) return NodeBody{HostNode{}};
    NARU_CHECK_OK(expect_quantized(in(0), {ElementType::kI8, ElementType::kU8, ElementType::kI16}));
    return requantize(numerics::quantize_multiplier(numerics::ratio_scale(in(0).scale(), out().scale())), Activation::kNone);
  }

  [[nodiscard]] Result<NodeBody> concatenation() const {
    NARU_TRY(const auto* concatenation, options<graph::ConcatenationOptions>());
    if (concatenation->activation != Activation::kNone) return unsupported("it has a fused activation");
    const auto axis = static_cast<std::size_t>(concatenation->axis);
    std::uint64_t joined = 0;
    for (std::size_t i = 0; i < op_->inputs.size(); ++i) {
      if (op_->input(i) == graph::kAbsent) return fail(error(ErrorId::kModelGraph, "operand {} is left out", i));
      NARU_CHECK_OK(expect_same_quantization(in(i), out()));
      if (concatenation->axis < 0 || in(i).shape.size() != out().shape.size() || axis >= out().shape.size())
        return fail(error(ErrorId::kModelShape, "its operands do not have its output's dimensions"));
      for (std::size_t d = 0; d < out().shape.size(); ++d)
        if (d != axis && in(i).shape[d] != out().shape[d]) return fail(error(ErrorId::kModelShape, "operand {} differs from the output in dimension {}", i, d));
      joined += static_cast<std::uint64_t>(in(i).shape[axis]);
    }
    if (joined != static_cast<std::uint64_t>(out().shape[axis])) return fail(error(ErrorId::kModelShape, "its operands join to {}, not {}", joined, out().shape[axis]));
    return NodeBody{ConcatenationNode{concatenation->axis}};
  }

  [[nodiscard]] Result<NodeBody> transpose() const {
    NARU_TRY(const auto* transpose, options<graph::TransposeOptions>());
    NARU_CHECK_OK(expect_same_quantization(in(0), out()));
    const auto& permutation = transpose->permutation;
    graph::Shape sorted = permutation;
    std::ranges::sort(sorted);
    for (std::size_t i = 0; i < sorted.size(); ++i)
      if (sorted[i] != static_cast<std::int32_t>(i)) return fail(error(ErrorId::kModelOptions, "its permutation is none"));
    if (permutation.size() != in(0).shape.size() || permutation.size() != out().shape.size())
      return fail(error(ErrorId::kModelShape, "its permutation has {} dimensions", permutation.size()));
    for (std::size_t i = 0; i < permutation.size(); ++i)
      if (out().shape[i] != in(0).shape[static_cast<std::size_t>(permutation[i])]) return fail(error(ErrorId::kModelShape, "its output is not its permuted input"));
    return NodeBody{TransposeNode{permutation}};
  }

  Program& program_;
  const Graph& graph_;
  const Operator* op_ = nullptr;
};

}  // namespace

Result<Program> legalize(const Graph& graph) {
  Program program;
  program.graph = graph;
  program.pinned.resize(graph.tensors.size());
  NARU_CHECK_OK(Legalizer(program).run());
  return program;
}

}  // namespace naru::sdk::compiler
