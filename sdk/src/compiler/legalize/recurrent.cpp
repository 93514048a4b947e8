// SVDF and LSTM out of windows, curves and products. State goes in as one tensor and comes out as another (graph::State).
#include <array>

#include "compiler/legalize/legalizer.h"
#include "naru/base/bytes.h"

namespace naru::sdk::compiler {
namespace {

using abi::ElementType;
using graph::Shape;
using graph::Tensor;
using numerics::Multiplier;

/// Steps of all sequences of a batch that one operator may be unrolled into.
constexpr std::uint64_t kStepsMax = 512;


/// [rows][depth] times [channels][depth] weights, without a fused activation.
WindowNode matrix_product(std::uint32_t rows, std::uint32_t depth, std::uint32_t channels) {
  WindowNode node;
  node.in_cols = node.out_cols = rows;
  node.in_channels = depth;
  node.out_channels = channels;
  return node;
}

/// a + b of values that are scaled alike, saturated to `clamp`.
BinaryNode plain_sum(numerics::Range clamp) {
  BinaryNode sum;
  sum.op = abi::ElementwiseOp::kAdd;
  sum.a = sum.b = sum.output = numerics::kUnchanged;
  sum.clamp = clamp;
  return sum;
}

BinaryNode product_of(Multiplier multiplier, std::int32_t zero, numerics::Range clamp) {
  BinaryNode product;
  product.op = abi::ElementwiseOp::kMul;
  product.output = multiplier;
  product.output_zero = zero;
  product.clamp = clamp;
  return product;
}

}  // namespace

/// Each filter keeps what the feature product gave in the last `memory` steps; the time product weighs that memory, and ranks are summed.
Result<void> Legalizer::svdf() {
  NARU_TRY(const auto* svdf, options<graph::SvdfOptions>());
  for (std::size_t i : {0U, 1U, 2U, 4U})
    if (!has(i)) return fail(error(ErrorId::kModelGraph, "operand {} is left out", i));
  if (op_->outputs.size() != 2) return fail(error(ErrorId::kModelGraph, "its state has no result"));
  NARU_CHECK_OK(expect_quantized(in(0), {ElementType::kI8}));
  NARU_CHECK_OK(expect_quantized(out(), {ElementType::kI8}));
  NARU_CHECK_OK(expect_quantized(in(1), {ElementType::kI8}));
  NARU_CHECK_OK(expect_quantized(in(2), {ElementType::kI8, ElementType::kI16}));
  NARU_CHECK_OK(expect_quantized(in(4), {ElementType::kI8, ElementType::kI16}));
  NARU_CHECK_OK(expect_rank(in(1), 2));
  NARU_CHECK_OK(expect_rank(in(2), 2));
  if (!in(1).is_constant() || !in(2).is_constant()) return unsupported("its weights are computed, not constant");
  if (in(1).zero_point() != 0 || in(2).zero_point() != 0 || in(1).quantization->per_channel() || in(2).quantization->per_channel()) return unsupported("its weights are not symmetric");
  const std::uint32_t batch = extent(in(0).shape[0]), depth = extent(in(1).shape[1]), filters = extent(in(1).shape[0]), memory = extent(in(2).shape[1]), rank = extent(svdf->rank);
  if (rank == 0 || filters % rank != 0 || extent(in(2).shape[0]) != filters || graph::element_count(in(0)) != std::uint64_t{batch} * depth ||
      graph::element_count(in(4)) != std::uint64_t{batch} * filters * memory || graph::element_count(out()) != std::uint64_t{batch} * (filters / rank))
    return fail(error(ErrorId::kModelShape, "its operands do not fit each other"));
  const std::uint32_t units = filters / rank;
  if (has(3) && (in(3).type != ElementType::kI32 || in(3).constant.size() != std::size_t{4} * units)) return unsupported("its bias is not a constant of int32");
  const auto parameters = numerics::svdf_parameters(in(0).scale(), in(1).scale(), in(4).scale(), in(2).scale(), out().scale());
  NARU_CHECK_OK(expect_multiplier(parameters.feature));
  NARU_CHECK_OK(expect_multiplier(parameters.output));
  const ElementType state_type = in(4).type;
  const std::int32_t state_zero = in(4).zero_point();
  const std::uint64_t element = abi::element_bytes(state_type);
  const bool wide_weights = state_type == ElementType::kI16 || in(2).type == ElementType::kI16;

  // The newest feature of every filter. The state's zero point is added as the reference does, after the clamp and in the state's type.
  WindowNode feature = matrix_product(batch, depth, filters);
  feature.output_type = state_type;
  feature.filter = op_->input(1);
  feature.multipliers.assign(filters, parameters.feature);
  feature.input_zero = in(0).zero_point();
  feature.clamp = numerics::code_range(state_type);
  TensorId newest = temporary({static_cast<std::int32_t>(batch), static_cast<std::int32_t>(filters)}, state_type);
  emit(std::move(feature), {op_->input(0)}, newest);
  if (state_zero != 0) {
    if (state_type != ElementType::kI8) return unsupported("its 16-bit state has a zero point");
    numerics::CodeTable shifted{};
    for (int code = -128; code < 128; ++code) shifted[static_cast<std::size_t>(code + 128)] = static_cast<std::byte>(code + state_zero);
    const TensorId moved = temporary({static_cast<std::int32_t>(batch), static_cast<std::int32_t>(filters)}, state_type);
    table(shifted, newest, moved);
    newest = moved;
  }

  // The state as [batch][memory][filters], so that a step is a row: the oldest goes, the newest comes.
  const std::uint64_t all = std::uint64_t{filters} * memory;
  const Shape by_time{static_cast<std::int32_t>(batch), static_cast<std::int32_t>(memory), static_cast<std::int32_t>(filters)};
  const TensorId before = temporary(by_time, state_type), after = temporary(by_time, state_type);
  move({{batch, all, all}, {memory, 1, filters}, {filters, memory, 1}}, 0, op_->input(4), before);
  CopyNode shift;
  const std::uint64_t row = filters * element, rest = row * (memory - 1);
  if (memory > 1) shift.copies.push_back({0, row, 0, rest, {{batch, row * memory, row * memory}}});
  shift.copies.push_back({1, 0, rest, row, {{batch, row, row * memory}}});
  emit(std::move(shift), {before, newest}, after);
  move({{batch, all, all}, {filters, 1, memory}, {memory, filters, 1}}, 0, after, op_->output(1));

  // Over time and rank: units are the channels of a depthwise window of memory x rank taps.
  TensorId taps = after;
  if (rank > 1) {
    taps = temporary({static_cast<std::int32_t>(batch), static_cast<std::int32_t>(memory), static_cast<std::int32_t>(rank), static_cast<std::int32_t>(units)}, state_type);
    move({{std::uint64_t{batch} * memory, filters, filters}, {rank, 1, units}, {units, rank, 1}}, 0, after, taps);
  }
  std::vector<std::byte> weights(all * (wide_weights ? 2 : 1));
  for (std::uint32_t f = 0; f < filters; ++f) {
    for (std::uint32_t m = 0; m < memory; ++m) {
      const std::size_t from = std::size_t{f} * memory + m, to = (std::size_t{m} * rank + f % rank) * units + f / rank;
      const std::int32_t weight = in(2).type == ElementType::kI16 ? graph::constant_values<std::int16_t>(in(2))[from] : graph::constant_values<std::int8_t>(in(2))[from];
      if (wide_weights) store_le(weights.data() + 2 * to, static_cast<std::int16_t>(weight));
      else weights[to] = static_cast<std::byte>(static_cast<std::int8_t>(weight));
    }
  }
  WindowNode time;
  time.kind = WindowNode::Kind::kDepthwise;
  time.weight_format = wide_weights ? abi::WeightFormat::kDepthwiseI16 : abi::WeightFormat::kDepthwiseI8;
  time.filter_channels_last = true;
  time.input_type = state_type;
  time.output_type = out().type;
  time.batch = batch;
  time.in_rows = time.kernel_rows = memory;
  time.in_cols = time.kernel_cols = rank;
  time.in_channels = time.out_channels = units;
  time.bias = op_->input(3);
  time.multipliers.assign(units, parameters.output);
  time.input_zero = state_zero;
  time.output_zero = out().zero_point();
  time.clamp = numerics::code_range(out().type);
  time.filter = constant(std::move(weights), {static_cast<std::int32_t>(memory), static_cast<std::int32_t>(rank), static_cast<std::int32_t>(units)},
                         wide_weights ? ElementType::kI16 : ElementType::kI8);
  emit(std::move(time), {taps}, op_->output(0));
  return {};
}

/// All steps' products with the input at once; then step by step the products with the hidden state, gates, cell and hidden state.
Result<void> Legalizer::lstm() {
  NARU_TRY(const auto* lstm, options<graph::LstmOptions>());
  for (std::size_t i = 0; i < 20; ++i) {
    const bool optional = (i >= 9 && i <= 11) || i == 16 || i == 17;
    if (!optional && !has(i)) return unsupported(fmt::format("operand {} is left out", i));
    if (optional && has(i)) return unsupported(i < 12 ? "it has peephole connections" : "it has a projection");
  }
  for (std::size_t i = 20; i < 24; ++i)
    if (has(i)) return unsupported("it has layer normalisation");
  if (op_->outputs.size() != 3) return fail(error(ErrorId::kModelGraph, "its states have no results"));
  NARU_CHECK_OK(expect_codes({&in(0), &in(18), &out()}, {ElementType::kI8}));
  NARU_CHECK_OK(expect_quantized(in(19), {ElementType::kI16}));
  NARU_CHECK_OK(expect_rank(in(0), 3));
  for (std::size_t i = 1; i <= 8; ++i) {
    NARU_CHECK_OK(expect_quantized(in(i), {ElementType::kI8}));
    NARU_CHECK_OK(expect_rank(in(i), 2));
    if (!in(i).is_constant() || in(i).zero_point() != 0 || in(i).quantization->per_channel()) return unsupported("its weights are not symmetric constants");
  }
  const auto parameters = numerics::lstm_parameters(graph_, *op_);
  if (!parameters) return unsupported("its quantisation is not that of 8-bit activations with a 16-bit cell");
  const std::uint32_t steps = extent(in(0).shape[lstm->time_major ? 0 : 1]), batch = extent(in(0).shape[lstm->time_major ? 1 : 0]), depth = extent(in(0).shape[2]);
  const std::uint32_t cells = extent(in(1).shape[0]);
  if (std::uint64_t{steps} * batch > kStepsMax) return unsupported(fmt::format("it is {} steps; at most {} are unrolled", std::uint64_t{steps} * batch, kStepsMax));
  for (std::size_t i = 1; i <= 8; ++i)
    if (extent(in(i).shape[0]) != cells || extent(in(i).shape[1]) != (i <= 4 ? depth : cells)) return fail(error(ErrorId::kModelShape, "its weights do not fit each other"));
  for (std::size_t i = 12; i <= 15; ++i)
    if (in(i).type != ElementType::kI32 || in(i).constant.size() != std::size_t{4} * cells) return unsupported("its biases are not constants of int32");
  for (std::size_t i : {18U, 19U})
    if (graph::element_count(in(i)) != std::uint64_t{batch} * cells) return fail(error(ErrorId::kModelShape, "its states do not fit its weights"));
  if (graph::element_count(out()) != std::uint64_t{batch} * steps * cells) return fail(error(ErrorId::kModelShape, "its output does not fit its weights"));

  // The four gates side by side, those with a sigmoid first: input, forget, output; then the cell's gate.
  constexpr std::array<std::size_t, 4> kGates{0, 1, 3, 2};  // in the file's order
  const auto cells_i = static_cast<std::int32_t>(cells);
  const auto side_by_side = [&](std::size_t first, std::uint32_t columns) {
    std::vector<std::byte> weights;
    for (std::size_t gate : kGates) {
      const auto bytes = in(first + gate).constant;
      weights.insert(weights.end(), bytes.begin(), bytes.end());
    }
    return constant(std::move(weights), {4 * cells_i, static_cast<std::int32_t>(columns)}, ElementType::kI8);
  };
  const auto multipliers_of = [&](const std::array<Multiplier, 4>& by_gate) {
    std::vector<Multiplier> multipliers;
    for (std::size_t gate : kGates) multipliers.insert(multipliers.end(), cells, by_gate[gate]);
    return multipliers;
  };
  for (const auto* list : {&parameters->from_input, &parameters->from_hidden})
    for (const Multiplier& multiplier : *list) NARU_CHECK_OK(expect_multiplier(multiplier));
  std::vector<std::byte> biases;
  for (std::size_t gate : kGates) {
    const auto bytes = in(12 + gate).constant;
    biases.insert(biases.end(), bytes.begin(), bytes.end());
  }
  const numerics::Range wide = numerics::code_range(ElementType::kI16);
  WindowNode from_input = matrix_product(steps * batch, depth, 4 * cells);
  from_input.output_type = ElementType::kI16;
  from_input.filter = side_by_side(1, depth);
  from_input.bias = constant(std::move(biases), {4 * cells_i}, ElementType::kI32);
  from_input.multipliers = multipliers_of(parameters->from_input);
  from_input.input_zero = in(0).zero_point();
  from_input.clamp = wide;
  const TensorId inputs = temporary({static_cast<std::int32_t>(steps * batch), 4 * cells_i}, ElementType::kI16);
  emit(std::move(from_input), {op_->input(0)}, inputs);

  WindowNode from_hidden = matrix_product(1, cells, 4 * cells);
  from_hidden.output_type = ElementType::kI16;
  from_hidden.filter = side_by_side(5, cells);
  from_hidden.multipliers = multipliers_of(parameters->from_hidden);
  from_hidden.input_zero = in(18).zero_point();
  from_hidden.clamp = wide;

  const numerics::Range cell_range = parameters->cell_clip > 0 ? numerics::Range{-parameters->cell_clip, parameters->cell_clip} : wide;
  const numerics::Range narrow = numerics::code_range(ElementType::kI8);
  const std::uint64_t cell_bytes = std::uint64_t{2} * cells;
  std::vector<TensorId> hidden, cell;
  for (std::uint32_t b = 0; b < batch; ++b) {
    hidden.push_back(view(op_->input(18), std::uint64_t{b} * cells, {cells_i}));
    cell.push_back(view(op_->input(19), b * cell_bytes, {cells_i}));
  }
  CopyNode join;
  std::vector<TensorId> rows;
  const auto wide_row = [&](std::int32_t elements) { return temporary({elements}, ElementType::kI16); };
  for (std::uint32_t t = 0; t < steps; ++t) {
    for (std::uint32_t b = 0; b < batch; ++b) {
      const std::uint64_t at = lstm->time_major ? std::uint64_t{t} * batch + b : std::uint64_t{b} * steps + t;
      const TensorId recurrent = wide_row(4 * cells_i), sum = wide_row(4 * cells_i);
      emit(from_hidden, {hidden[b]}, recurrent);
      emit(plain_sum(wide), {view(inputs, at * 4 * cell_bytes, {4 * cells_i}), recurrent}, sum);
      const TensorId gates = wide_row(3 * cells_i), candidate = wide_row(cells_i);
      curve(abi::CurveKind::kSigmoid, parameters->gate_sigmoid, view(sum, 0, {3 * cells_i}), gates);
      curve(abi::CurveKind::kTanh, parameters->gate_tanh, view(sum, 3 * cell_bytes, {cells_i}), candidate);
      const TensorId kept = wide_row(cells_i), added = wide_row(cells_i), next = wide_row(cells_i);
      emit(product_of(parameters->forget_times_cell, 0, wide), {view(gates, cell_bytes, {cells_i}), cell[b]}, kept);
      emit(product_of(parameters->input_times_cell_gate, 0, wide), {view(gates, 0, {cells_i}), candidate}, added);
      emit(plain_sum(cell_range), {kept, added}, next);
      const TensorId shown = wide_row(cells_i), result = wide_row(cells_i), codes = temporary({cells_i}, ElementType::kI8);
      curve(abi::CurveKind::kTanh, parameters->cell_tanh, next, shown);
      emit(product_of(parameters->output, parameters->output_zero, narrow), {view(gates, 2 * cell_bytes, {cells_i}), shown}, result);
      emit(RequantizeNode{numerics::kUnchanged, 0, 0, narrow}, {result}, codes);
      cell[b] = next;
      hidden[b] = codes;
      join.copies.push_back({static_cast<std::uint32_t>(rows.size()), 0, at * cells, cells, {}});
      rows.push_back(codes);
    }
  }
  emit(std::move(join), std::move(rows), op_->output(0));
  const auto give_back = [&](const std::vector<TensorId>& parts, std::uint64_t bytes, TensorId state) {
    CopyNode copy;
    for (std::uint32_t b = 0; b < batch; ++b) copy.copies.push_back({b, 0, b * bytes, bytes, {}});
    emit(std::move(copy), parts, state);
  };
  give_back(hidden, cells, op_->output(1));
  give_back(cell, cell_bytes, op_->output(2));
  return {};
}

}  // namespace naru::sdk::compiler
