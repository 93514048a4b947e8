// Who computes an operator: the compiler, where all operands are constant; the NPU, where it can; else the host, and why.
#include "compiler/legalize/legalize.h"

#include <cmath>
#include <limits>

#include "compiler/legalize/legalizer.h"
#include "host/host.h"
#include "naru/base/bytes.h"

namespace naru::sdk::compiler {
namespace {

using abi::ElementType;
using graph::OperatorKind;
using graph::Tensor;

/// What all operators on constants together may grow a model by, and may take: a fraction of a second. The rest are steps of the host.
constexpr std::uint64_t kFoldedBytesMax = std::uint64_t{64} << 20;
constexpr std::uint64_t kFoldedMacsMax = 1'000'000'000;
constexpr std::uint64_t kStateAlignment = 64;

/// Multiply-accumulates as they are counted everywhere: padding included.
std::uint64_t nominal_macs(const graph::Graph& graph, const graph::Operator& op) {
  const auto elements = [&](TensorId id) { return id == graph::kAbsent ? 0 : graph::element_count(graph.tensor(id)); };
  switch (op.kind) {
    case OperatorKind::kConv2d:
    case OperatorKind::kFullyConnected: {
      const auto& filter = graph.tensor(op.input(1)).shape;
      return filter.empty() ? 0 : elements(op.output(0)) * (elements(op.input(1)) / static_cast<std::uint64_t>(filter[0]));
    }
    case OperatorKind::kDepthwiseConv2d: {
      const auto& filter = graph.tensor(op.input(1)).shape;
      return filter.size() != 4 ? 0 : elements(op.output(0)) * static_cast<std::uint64_t>(filter[1]) * static_cast<std::uint64_t>(filter[2]);
    }
    case OperatorKind::kTransposeConv: {
      const auto& filter = graph.tensor(op.input(1)).shape;
      return filter.empty() ? 0 : elements(op.input(2)) * (elements(op.input(1)) / static_cast<std::uint64_t>(filter.back()));
    }
    case OperatorKind::kBatchMatmul: {
      const auto& left = graph.tensor(op.input(0)).shape;
      const auto* options = std::get_if<graph::BatchMatmulOptions>(&op.options);
      if (left.size() < 2 || options == nullptr) return 0;
      return elements(op.output(0)) * static_cast<std::uint64_t>(left[left.size() - (options->adj_x ? 2 : 1)]);
    }
    case OperatorKind::kSvdf: {
      const auto& input = graph.tensor(op.input(0)).shape;
      return input.empty() ? 0 : static_cast<std::uint64_t>(input[0]) * (elements(op.input(1)) + elements(op.input(2)));
    }
    case OperatorKind::kUnidirectionalSequenceLstm: {
      const auto& input = graph.tensor(op.input(0)).shape;
      if (input.size() != 3) return 0;
      std::uint64_t weights = 0;
      for (std::size_t i = 1; i <= 8; ++i) weights += elements(op.input(i));
      return weights * static_cast<std::uint64_t>(input[0]) * static_cast<std::uint64_t>(input[1]);
    }
    default: return 0;
  }
}

std::string reason_of(const Error& error) {
  for (const Error::Value& value : error.values())
    if (value.name == "reason") return value.value;
  return error.message();
}

}  // namespace

Result<void> Legalizer::run() {
  // Nodes may add tensors, so the operators are walked by index and `op_` points into a copy.
  const std::vector<graph::Operator> operators = graph_.operators;
  for (graph::State& state : graph_.states) {
    // The state's first value has a place of its own in the arena, which `before` shows.
    const TensorId place = temporary(graph_.tensor(state.before).shape, graph_.tensor(state.before).type);
    program_.nodes.push_back({.body = ViewNode{}, .inputs = {place}, .output = state.before, .op = -1});
    const std::uint64_t offset = align_up<std::uint64_t>(program_.state.size(), kStateAlignment);
    program_.state.resize(offset);
    program_.state.insert(program_.state.end(), state.initial.begin(), state.initial.end());
    program_.states.push_back({place, graph::kAbsent, offset});
  }
  program_.state.resize(align_up<std::uint64_t>(program_.state.size(), kStateAlignment));
  for (std::size_t i = 0; i < operators.size(); ++i) {
    op_ = &operators[i];
    op_index_ = static_cast<std::int32_t>(i);
    NARU_CHECK_OK(legalize_operator(op_index_));
  }
  for (std::size_t i = 0; i < graph_.states.size(); ++i) {
    const TensorId from = graph_.states[i].after;
    const TensorId place = temporary(graph_.tensor(from).shape, graph_.tensor(from).type);
    program_.nodes.push_back({.body = ViewNode{}, .inputs = {from}, .output = place, .op = -1});
    program_.states[i].after = place;
  }
  for (const StatePlace& state : program_.states)
    for (TensorId id : {state.before, state.after}) program_.pinned[static_cast<std::size_t>(id)] = true;
  return {};
}

Result<void> Legalizer::legalize_operator(std::int32_t index) {
  NARU_CHECK_OK(check_operands());
  NARU_TRY(const bool folded, fold());
  if (folded) {
    report(package::Placement::kElided, "computed by the compiler: all its operands are constant");
    return {};
  }
  if (const auto reason = on_host_.find(index); reason != on_host_.end()) return on_host(reason->second);
  const std::size_t nodes = program_.nodes.size();
  Result<void> done = on_npu();
  if (done) {
    report(package::Placement::kNpu, {});
    return {};
  }
  program_.nodes.resize(nodes);
  if (on_host(reason_of(done.error()))) return {};
  return done;
}

Result<void> Legalizer::check_operands() const {
  const auto count = static_cast<TensorId>(graph_.tensors.size());
  for (TensorId id : op_->inputs)
    if (id != graph::kAbsent && (id < 0 || id >= count)) return fail(error(ErrorId::kModelTensorIndex, "operand {} is not one of {} tensors", id, count));
  if (op_->inputs.empty()) return fail(error(ErrorId::kModelGraph, "it has no operands"));
  if (op_->outputs.empty()) return fail(error(ErrorId::kModelGraph, "it has no outputs"));
  for (TensorId id : op_->outputs)
    if (id < 0 || id >= count) return fail(error(ErrorId::kModelTensorIndex, "output {} is not one of {} tensors", id, count));
  const auto check_size = [&](TensorId id) -> Result<void> {
    if (id == graph::kAbsent) return {};
    const auto bytes = graph::byte_size(graph_.tensor(id));
    if (bytes == 0 || bytes > std::uint64_t{std::numeric_limits<std::int32_t>::max()})
      return fail(error(ErrorId::kCompileLimit, "tensor \"{}\" has {} bytes; from 1 to 2147483647 are possible", graph_.tensor(id).name, bytes));
    return {};
  };
  for (TensorId id : op_->inputs) NARU_CHECK_OK(check_size(id));
  for (TensorId id : op_->outputs) NARU_CHECK_OK(check_size(id));
  return {};
}

Result<bool> Legalizer::fold() {
  if (op_->kind == OperatorKind::kShape && op_->outputs.size() == 1) {
    // Shapes are static: what SHAPE gives is known whatever its operand holds.
    const auto& shape = in(0).shape;
    const bool wide = out().type == ElementType::kI64;
    if (graph::element_count(out()) != shape.size() || (!wide && out().type != ElementType::kI32)) return false;
    std::vector<std::byte> bytes(shape.size() * (wide ? 8 : 4));
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (wide) store_le(bytes.data() + 8 * d, std::int64_t{shape[d]});
      else store_le(bytes.data() + 4 * d, shape[d]);
    }
    graph_.tensor(op_->output(0)).constant = graph_.keep(std::move(bytes));
    return true;
  }
  std::vector<std::span<const std::byte>> inputs;
  for (TensorId id : op_->inputs) {
    if (id != graph::kAbsent && !graph_.tensor(id).is_constant()) return false;
    inputs.push_back(id == graph::kAbsent ? std::span<const std::byte>() : graph_.tensor(id).constant);
  }
  std::uint64_t bytes = 0;
  for (TensorId id : op_->outputs) bytes += graph::byte_size(graph_.tensor(id));
  const std::uint64_t macs = nominal_macs(graph_, *op_);
  if (bytes > kFoldedBytesMax - folded_bytes_ || macs > kFoldedMacsMax - folded_macs_ || !host::can_execute(*op_, graph_.tensors)) return false;
  folded_bytes_ += bytes;
  folded_macs_ += macs;
  std::vector<std::vector<std::byte>> results;
  std::vector<std::span<std::byte>> outputs;
  for (TensorId id : op_->outputs) results.emplace_back(graph::byte_size(graph_.tensor(id)));
  for (auto& result : results) outputs.emplace_back(result);
  if (auto done = host::execute(*op_, graph_.tensors, inputs, outputs); !done)
    return fail(std::move(done).error().while_doing(fmt::format("computing {} \"{}\" from its constants", graph::describe(*op_), op_->name)));
  for (std::size_t i = 0; i < results.size(); ++i) graph_.tensor(op_->outputs[i]).constant = graph_.keep(std::move(results[i]));
  return true;
}

Result<void> Legalizer::on_host(std::string reason) {
  NARU_CHECK_OK(host::can_execute(*op_, graph_.tensors));
  Node node{.body = HostNode{}, .inputs = {}, .output = op_->output(0), .op = op_index_};
  for (TensorId id : op_->inputs)
    if (id != graph::kAbsent) node.inputs.push_back(id);
  node.more_outputs.assign(op_->outputs.begin() + 1, op_->outputs.end());
  program_.nodes.push_back(std::move(node));
  report(package::Placement::kHost, std::move(reason));
  return {};
}

void Legalizer::report(package::Placement placement, std::string reason) {
  package::OperatorReport report;
  report.file_index = op_->file_index;
  report.kind = op_->kind;
  report.name = op_->name;
  report.output_file_index = out().file_index;
  report.placement = placement;
  report.reason = std::move(reason);
  report.macs = nominal_macs(graph_, *op_);
  program_.reports.push_back(std::move(report));
}

Result<void> Legalizer::on_npu() {
  for (TensorId id : op_->outputs) {
    const ElementType type = graph_.tensor(id).type;
    if (type == ElementType::kF32) return unsupported("it computes in float");
    if (type != ElementType::kI8 && type != ElementType::kU8 && type != ElementType::kI16) return unsupported(fmt::format("its result is {}", abi::name_of(type)));
  }
  switch (op_->kind) {
    case OperatorKind::kConv2d:
    case OperatorKind::kDepthwiseConv2d: return convolution();
    case OperatorKind::kFullyConnected: return fully_connected();
    case OperatorKind::kTransposeConv: return transpose_conv();
    case OperatorKind::kBatchMatmul: return batch_matmul();
    case OperatorKind::kAveragePool2d:
    case OperatorKind::kMaxPool2d: return pool();
    case OperatorKind::kAdd:
    case OperatorKind::kSub:
    case OperatorKind::kMul:
    case OperatorKind::kSquaredDifference: return binary();
    case OperatorKind::kMinimum:
    case OperatorKind::kMaximum: return minimum_or_maximum();
    case OperatorKind::kMean:
    case OperatorKind::kSum:
    case OperatorKind::kReduceMax:
    case OperatorKind::kReduceMin: return reduce();
    case OperatorKind::kSoftmax: return softmax();
    case OperatorKind::kRelu: return clamp(graph::Activation::kRelu);
    case OperatorKind::kRelu6: return clamp(graph::Activation::kRelu6);
    case OperatorKind::kReluN1To1: return clamp(graph::Activation::kReluN1To1);
    case OperatorKind::kQuantize: return quantize();
    case OperatorKind::kLeakyRelu: return leaky_relu();
    case OperatorKind::kPrelu: return prelu();
    case OperatorKind::kRelu0To1:
    case OperatorKind::kLogistic:
    case OperatorKind::kTanh:
    case OperatorKind::kHardSwish:
    case OperatorKind::kElu:
    case OperatorKind::kGelu:
    case OperatorKind::kAbs:
    case OperatorKind::kNeg:
    case OperatorKind::kSquare:
    case OperatorKind::kSqrt:
    case OperatorKind::kRsqrt:
    case OperatorKind::kExp:
    case OperatorKind::kLog:
    case OperatorKind::kSin:
    case OperatorKind::kCos:
    case OperatorKind::kFloor:
    case OperatorKind::kCeil:
    case OperatorKind::kRound: return unary();
    case OperatorKind::kResizeBilinear: return resize_bilinear();
    case OperatorKind::kResizeNearestNeighbor: return resize_nearest();
    case OperatorKind::kReshape:
    case OperatorKind::kExpandDims:
    case OperatorKind::kSqueeze:
    case OperatorKind::kReadVariable:
    case OperatorKind::kAssignVariable: return identity();
    case OperatorKind::kPad:
    case OperatorKind::kPadV2: return pad();
    case OperatorKind::kConcatenation: return concatenation();
    case OperatorKind::kTranspose: return transpose();
    case OperatorKind::kSlice:
    case OperatorKind::kStridedSlice: return slice();
    case OperatorKind::kSplit:
    case OperatorKind::kSplitV: return split();
    case OperatorKind::kPack: return pack();
    case OperatorKind::kUnpack: return unpack();
    case OperatorKind::kGather: return gather();
    case OperatorKind::kTile:
    case OperatorKind::kBroadcastTo: return tile();
    case OperatorKind::kSpaceToDepth:
    case OperatorKind::kDepthToSpace: return depth_space();
    case OperatorKind::kSpaceToBatchNd: return space_to_batch();
    case OperatorKind::kBatchToSpaceNd: return batch_to_space();
    case OperatorKind::kSvdf: return svdf();
    case OperatorKind::kUnidirectionalSequenceLstm: return lstm();
    default: return unsupported("the NPU has no commands for it");
  }
}

Result<void> Legalizer::expect_type(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
  if (std::ranges::find(allowed, tensor.type) == allowed.end())
    return fail(error(ErrorId::kModelTypeUnsupported, "its tensor \"{}\" is {}", tensor.name, abi::name_of(tensor.type)));
  return {};
}

Result<void> Legalizer::expect_quantized(const Tensor& tensor, std::initializer_list<ElementType> allowed) const {
  NARU_CHECK_OK(expect_type(tensor, allowed));
  if (!tensor.quantization || tensor.quantization->scales.empty() || tensor.quantization->zero_points.size() != tensor.quantization->scales.size())
    return fail(error(ErrorId::kModelQuantization, "its tensor \"{}\" has no quantisation", tensor.name));
  return {};
}

Result<void> Legalizer::expect_codes(std::initializer_list<const Tensor*> tensors, std::initializer_list<ElementType> allowed) const {
  const Tensor& first = **tensors.begin();
  for (const Tensor* tensor : tensors) {
    NARU_CHECK_OK(expect_quantized(*tensor, allowed));
    if (tensor->type != first.type) return unsupported(fmt::format("its tensors are {} and {}", abi::name_of(first.type), abi::name_of(tensor->type)));
    if (tensor->quantization->per_channel()) return unsupported("an activation has a scale per channel");
  }
  return {};
}

Result<void> Legalizer::expect_multiplier(const numerics::Multiplier& multiplier) const {
  if (multiplier.shift > 30) return fail(error(ErrorId::kModelQuantization, "its scales multiply to 2^{} or more", multiplier.shift));
  return {};
}

Result<void> Legalizer::expect_same_quantization(const Tensor& a, const Tensor& b) const {
  if (a.type != b.type) return unsupported(fmt::format("its input is {} and its output {}", abi::name_of(a.type), abi::name_of(b.type)));
  // The importer lets scales differ by what converters write differently: what only moves codes takes them as the same.
  constexpr float kTolerance = 1.0e-6F;
  if (a.quantization && b.quantization && (std::abs(a.scale() - b.scale()) > kTolerance * std::max(1.0F, std::max(a.scale(), b.scale())) || a.zero_point() != b.zero_point()))
    return unsupported("its input and output are quantised differently");
  return {};
}

Result<void> Legalizer::expect_rank(const Tensor& tensor, std::size_t rank) const {
  if (tensor.shape.size() != rank) return unsupported(fmt::format("its tensor \"{}\" has {} dimensions; {} are expected", tensor.name, tensor.shape.size(), rank));
  return {};
}

numerics::Range Legalizer::activation_range(graph::Activation activation) const {
  return numerics::activation_range(activation, out().scale(), out().zero_point(), out().type);
}

void Legalizer::emit(NodeBody body, std::vector<TensorId> inputs, TensorId output) {
  program_.nodes.push_back({.body = std::move(body), .inputs = std::move(inputs), .output = output, .op = op_index_});
}

TensorId Legalizer::temporary(graph::Shape shape, ElementType type) {
  Tensor tensor;
  if (op_ != nullptr) tensor.name = op_->name;
  tensor.shape = std::move(shape);
  tensor.type = type;
  program_.pinned.push_back(false);
  return graph_.add_tensor(std::move(tensor));
}

TensorId Legalizer::constant(std::vector<std::byte> bytes, graph::Shape shape, ElementType type) {
  const TensorId id = temporary(std::move(shape), type);
  graph_.tensor(id).constant = graph_.keep(std::move(bytes));
  return id;
}

TensorId Legalizer::view(TensorId tensor, std::uint64_t offset, graph::Shape shape) {
  const TensorId id = temporary(std::move(shape), graph_.tensor(tensor).type);
  emit(ViewNode{offset}, {tensor}, id);
  return id;
}

Result<Program> legalize(const graph::Graph& graph, const HostReasons& on_host) {
  Program program;
  program.graph = graph;
  program.pinned.resize(graph.tensors.size());
  NARU_CHECK_OK(Legalizer(program, on_host).run());
  return program;
}

}  // namespace naru::sdk::compiler
