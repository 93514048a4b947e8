// SVDF in float and UNIDIRECTIONAL_SEQUENCE_LSTM (float, and integers of numerics 22): the state comes in as an operand and goes out as a result.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>

#include "host/call.h"
#include "host/curves.h"
#include "host/weights.h"

namespace naru::sdk::host {
namespace {

/// TFLite's activation of recurrent operators, which leaves infinities alone.
float activated(float x, graph::Activation activation) noexcept {
  switch (activation) {
    case graph::Activation::kNone: return x;
    case graph::Activation::kRelu: return std::max(0.0F, x);
    case graph::Activation::kReluN1To1: return std::max(-1.0F, std::min(x, 1.0F));
    case graph::Activation::kRelu6: return std::max(0.0F, std::min(x, 6.0F));
  }
  return x;
}

float logistic(float x) noexcept {
  if (x > 16.619047164916992188F) return 1.0F;
  if (x < -9.0F) return std::exp(x);
  return 1.0F / (1.0F + std::exp(-x));
}

/// Sum of products in order, from 0.
float dot(const float* a, const float* b, std::size_t count) noexcept {
  float sum = 0.0F;
  for (std::size_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

Result<void> require_float(const Call& call) {
  for (const auto* list : {&call.inputs, &call.outputs})
    for (const Tensor* tensor : *list)
      if (tensor != nullptr && tensor->type != ElementType::kF32) return call.unsupported("it has an operand of {}", abi::name_of(tensor->type));
  return {};
}

constexpr std::size_t kGates = 4;  // input, forget, cell, output: the file's order
constexpr std::size_t kWeights = 1;
constexpr std::size_t kRecurrent = 5;
constexpr std::size_t kBias = 12;
constexpr std::size_t kHidden = 18;
constexpr std::size_t kCell = 19;

struct Lstm {
  std::size_t batches = 0, steps = 0, inputs = 0, cells = 0;
  std::size_t batch_stride = 0, step_stride = 0;  // rows of the sequence
  float clip = 0.0F;
};

/// One step of one batch: `hidden` and `cell` are replaced.
void lstm_step(const Lstm& lstm, const float* input, const std::array<const float*, kGates>& weights, const std::array<const float*, kGates>& recurrent,
               const std::array<const float*, kGates>& bias, std::vector<std::array<float, kGates>>& gates, float* hidden, float* cell) {
  for (std::size_t gate = 0; gate < kGates; ++gate)
    for (std::size_t c = 0; c < lstm.cells; ++c) {
      const float from_input = dot(input, weights[gate] + c * lstm.inputs, lstm.inputs) + (bias[gate] == nullptr ? 0.0F : bias[gate][c]);
      const float sum = from_input + dot(hidden, recurrent[gate] + c * lstm.cells, lstm.cells);
      gates[c][gate] = gate == 2 ? std::tanh(sum) : logistic(sum);
    }
  for (std::size_t c = 0; c < lstm.cells; ++c) {
    const float kept = gates[c][1] * cell[c];
    const float added = gates[c][0] * gates[c][2];
    cell[c] = kept + added;
    if (lstm.clip > 0.0F) cell[c] = std::max(std::min(lstm.clip, cell[c]), -lstm.clip);
    hidden[c] = gates[c][3] * std::tanh(cell[c]);
  }
}

/// What a cell of codes computes with.
struct CodeCell {
  numerics::LstmParameters parameters;
  numerics::Range codes;
  std::int32_t input_zero = 0, hidden_zero = 0;
  std::int32_t clip = 32768;  // past every code: none
};

std::int16_t clamped(std::int64_t value) noexcept { return static_cast<std::int16_t>(std::clamp<std::int64_t>(value, -32768, 32767)); }

/// A row of a gate: activations of 8 bits have sums of 32, those of 16 bits sums of 64 (numerics 5).
template <typename Code>
std::int16_t gate_row(std::int64_t sum, const std::int8_t* weights, const Code* values, std::size_t count, std::int32_t zero,
                      numerics::Multiplier multiplier) noexcept {
  for (std::size_t i = 0; i < count; ++i) sum += weights[i] * (values[i] - zero);
  if constexpr (sizeof(Code) == 1)
    return clamped(numerics::multiply_by_quantized_multiplier(static_cast<std::int32_t>(sum), multiplier));
  else
    return clamped(rescale_wide(sum, multiplier));
}

/// The new cell of four gates and the one before, and what it shows.
std::int16_t next_cell(const CodeCell& c, const std::array<std::int16_t, kGates>& gates, std::int16_t before) noexcept {
  const std::int16_t kept = clamped(numerics::multiply_by_quantized_multiplier(gates[1] * before, c.parameters.forget_times_cell));
  const std::int16_t added = clamped(numerics::multiply_by_quantized_multiplier(gates[0] * gates[2], c.parameters.input_times_cell_gate));
  const std::int16_t sum = clamped(std::int64_t{kept} + added);
  return c.clip > 32767 ? sum : static_cast<std::int16_t>(std::clamp<std::int32_t>(sum, -c.clip, c.clip));
}
template <typename Code>
Code shown(const CodeCell& c, std::int16_t cell, std::int16_t gate) noexcept {
  const std::int32_t product = tanh_i16(cell, c.parameters.cell_tanh) * gate;
  return clamp_code<Code>(std::int64_t{numerics::multiply_by_quantized_multiplier(product, c.parameters.output)} + c.hidden_zero, c.codes);
}

/// The parameters are asked for with a graph of the operator alone.
std::optional<numerics::LstmParameters> parameters_of(const Call& call) {
  graph::Graph graph;
  graph::Operator op = call.op;
  for (std::size_t i = 0; i < call.inputs.size(); ++i) op.inputs[i] = call.has(i) ? graph.add_tensor(call.in(i)) : graph::kAbsent;
  return numerics::lstm_parameters(graph, op);
}

template <typename Code>
Result<Run> prepare_code_lstm(const Call& call, const Lstm& lstm) {
  constexpr bool kWide = sizeof(Code) == 2;
  std::array<ElementType, kGates> bias_types{};
  for (std::size_t gate = 0; gate < kGates; ++gate) {
    for (std::size_t i : {kWeights + gate, kRecurrent + gate}) {
      if (call.in(i).type != ElementType::kI8) return call.unsupported("its weights are {}", abi::name_of(call.in(i).type));
      NARU_CHECK_OK(call.require_quantization(call.in(i)));
      if (call.in(i).zero_point() != 0) return call.unsupported("its weights have a zero point");
    }
    bias_types[gate] = call.has(kBias + gate) ? call.in(kBias + gate).type : ElementType::kI32;
    if (bias_types[gate] != ElementType::kI32 && !(kWide && bias_types[gate] == ElementType::kI64))
      return call.unsupported("its bias is {}", abi::name_of(bias_types[gate]));
  }
  for (const Tensor* tensor : {&call.in(kHidden), &call.out(0), &call.out(1)}) NARU_CHECK_OK(call.require_same_type(call.in(0), *tensor));
  for (const Tensor* tensor : {&call.in(kCell), &call.out(2)})
    if (tensor->type != ElementType::kI16) return call.unsupported("its cell is {}", abi::name_of(tensor->type));
  NARU_CHECK_OK(call.require_quantization({&call.in(0), &call.in(kHidden), &call.in(kCell)}));
  const auto parameters = parameters_of(call);
  if (!parameters) return call.unsupported("its cell's scale {} is no power of two", call.in(kCell).scale());
  // TFLite's sums of 64 bits know factors below 2^14.
  for (const auto* list : {&parameters->from_input, &parameters->from_hidden})
    for (const numerics::Multiplier& multiplier : *list)
      if (multiplier.shift > (kWide ? 14 : 30)) return call.unsupported("its scales multiply to 2^{} or more", multiplier.shift);
  CodeCell cell{*parameters, numerics::code_range(call.in(0).type), call.in(0).zero_point(), call.in(kHidden).zero_point()};
  if (lstm.clip > 0.0F) cell.clip = parameters->cell_clip;
  return Run([=](const Data& data) -> Result<void> {
    const auto input = data.in<Code>(0);
    const auto hidden_before = data.in<Code>(kHidden);
    const auto states_before = data.in<std::int16_t>(kCell);
    std::vector<Code> hidden(hidden_before.begin(), hidden_before.end());
    std::vector<std::int16_t> states(states_before.begin(), states_before.end());
    std::array<std::vector<std::int64_t>, kGates> bias;
    for (std::size_t gate = 0; gate < kGates; ++gate) bias[gate] = bias_of<std::int64_t>(data, kBias + gate, bias_types[gate], lstm.cells);
    const auto weights_of = [&](std::size_t operand) { return reinterpret_cast<const std::int8_t*>(data.bytes(operand).data()); };
    std::vector<Code> next(lstm.cells);
    std::vector<Code> result(lstm.batches * lstm.steps * lstm.cells);
    for (std::size_t step = 0; step < lstm.steps; ++step)
      for (std::size_t b = 0; b < lstm.batches; ++b) {
        const std::size_t row = b * lstm.batch_stride + step * lstm.step_stride;
        for (std::size_t c = 0; c < lstm.cells; ++c) {
          std::array<std::int16_t, kGates> gates{};
          for (std::size_t gate = 0; gate < kGates; ++gate) {
            const std::int16_t from_input = gate_row(bias[gate][c], weights_of(kWeights + gate) + c * lstm.inputs, input.data() + row * lstm.inputs,
                                                     lstm.inputs, cell.input_zero, cell.parameters.from_input[gate]);
            const std::int16_t from_hidden = gate_row(std::int64_t{0}, weights_of(kRecurrent + gate) + c * lstm.cells, hidden.data() + b * lstm.cells,
                                                      lstm.cells, cell.hidden_zero, cell.parameters.from_hidden[gate]);
            const std::int16_t sum = clamped(std::int64_t{from_input} + from_hidden);
            gates[gate] = gate == 2 ? tanh_i16(sum, cell.parameters.gate_tanh) : logistic_i16(sum, cell.parameters.gate_sigmoid);
          }
          std::int16_t& state = states[b * lstm.cells + c];
          state = next_cell(cell, gates, state);
          next[c] = shown<Code>(cell, state, gates[3]);
        }
        std::ranges::copy(next, hidden.begin() + static_cast<std::ptrdiff_t>(b * lstm.cells));
        std::ranges::copy(next, result.begin() + static_cast<std::ptrdiff_t>(row * lstm.cells));
      }
    data.store(0, result);
    data.store(1, hidden);
    data.store(2, states);
    return {};
  });
}

}  // namespace

Result<Run> prepare_svdf(const Call& call) {
  const auto* options = call.options<graph::SvdfOptions>();
  if (options == nullptr) return call.no_options();
  NARU_CHECK_OK(require_float(call));
  const Shape& in = call.in(0).shape;
  const Shape& feature = call.in(1).shape;
  const Shape& time = call.in(2).shape;
  NARU_CHECK_OK(call.require(in.size() == 2 && feature.size() == 2 && time.size() == 2 && feature[1] == in[1] && time[0] == feature[0] && options->rank >= 1 &&
                                 feature[0] % options->rank == 0,
                             "its weights or its rank do not fit the operand"));
  const auto batches = static_cast<std::size_t>(in[0]);
  const auto depth = static_cast<std::size_t>(in[1]);
  const auto filters = static_cast<std::size_t>(feature[0]);
  const auto memory = static_cast<std::size_t>(time[1]);
  const auto rank = static_cast<std::size_t>(options->rank);
  const std::size_t units = filters / rank;
  const bool has_bias = call.has(3);
  NARU_CHECK_OK(call.require((!has_bias || count_of(call.in(3)) == units) && count_of(call.in(4)) == batches * filters * memory && count_of(call.out(0)) == batches * units &&
                                 count_of(call.out(1)) == batches * filters * memory,
                             "its bias, state or result do not fit its weights"));
  return Run([=, activation = options->activation](const Data& data) -> Result<void> {
    const auto input = data.in<float>(0);
    const auto features = data.in<float>(1);
    const auto times = data.in<float>(2);
    const auto bias = data.in<float>(3);
    const auto before = data.in<float>(4);
    std::vector<float> state(before.begin(), before.end());
    std::vector<float> result(batches * units);
    for (std::size_t b = 0; b < batches; ++b) {
      for (std::size_t f = 0; f < filters; ++f) {
        float* row = state.data() + (b * filters + f) * memory;
        std::copy(row + 1, row + memory, row);
        row[memory - 1] = dot(features.data() + f * depth, input.data() + b * depth, depth);
      }
      for (std::size_t u = 0; u < units; ++u) {
        float sum = has_bias ? bias[u] : 0.0F;
        for (std::size_t r = 0; r < rank; ++r) sum += dot(times.data() + (u * rank + r) * memory, state.data() + (b * filters + u * rank + r) * memory, memory);
        result[b * units + u] = activated(sum, activation);
      }
    }
    data.store(0, result);
    data.store(1, state);
    return {};
  });
}

Result<Run> prepare_lstm(const Call& call) {
  const auto* options = call.options<graph::LstmOptions>();
  if (options == nullptr) return call.no_options();
  if (call.in(0).type == ElementType::kF32) NARU_CHECK_OK(require_float(call));
  const auto is_plain = [](std::size_t i) { return i <= 8 || (i >= kBias && i < kBias + kGates) || i == kHidden || i == kCell; };
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    if (call.has(i) && !is_plain(i)) return call.unsupported("it has operand {}: peepholes, projections and normalised layers have no kernel", i);
  for (std::size_t i : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 18U, 19U})
    if (!call.has(i)) return call.unsupported("operand {} is left out", i);
  const Shape& in = call.in(0).shape;
  NARU_CHECK_OK(call.require(in.size() == 3, "its operand has not three dimensions"));
  Lstm lstm;
  lstm.batches = static_cast<std::size_t>(in[options->time_major ? 1 : 0]);
  lstm.steps = static_cast<std::size_t>(in[options->time_major ? 0 : 1]);
  lstm.inputs = static_cast<std::size_t>(in[2]);
  lstm.cells = static_cast<std::size_t>(call.in(kHidden).shape.empty() ? 1 : call.in(kHidden).shape.back());
  lstm.batch_stride = options->time_major ? 1 : lstm.steps;
  lstm.step_stride = options->time_major ? lstm.batches : 1;
  lstm.clip = options->cell_clip;
  const std::size_t states = lstm.batches * lstm.cells;
  bool fits = count_of(call.in(kHidden)) == states && count_of(call.in(kCell)) == states && count_of(call.out(0)) == states * lstm.steps &&
              count_of(call.out(1)) == states && count_of(call.out(2)) == states;
  for (std::size_t gate = 0; gate < kGates; ++gate)
    fits = fits && count_of(call.in(kWeights + gate)) == lstm.cells * lstm.inputs && count_of(call.in(kRecurrent + gate)) == lstm.cells * lstm.cells &&
           (!call.has(kBias + gate) || count_of(call.in(kBias + gate)) == lstm.cells);
  NARU_CHECK_OK(call.require(fits, "its weights, states or results do not fit the operand"));
  if (call.in(0).type == ElementType::kI8) return prepare_code_lstm<std::int8_t>(call, lstm);
  if (call.in(0).type == ElementType::kI16) return prepare_code_lstm<std::int16_t>(call, lstm);
  if (call.in(0).type != ElementType::kF32) return call.no_type();
  return Run([lstm, states](const Data& data) -> Result<void> {
    const auto input = data.in<float>(0);
    std::vector<std::unique_ptr<Values<float>>> owned;
    const auto pointers = [&](std::size_t first) {
      std::array<const float*, kGates> result{};
      for (std::size_t gate = 0; gate < kGates; ++gate) {
        owned.push_back(std::make_unique<Values<float>>(data.bytes(first + gate)));
        result[gate] = owned.back()->empty() ? nullptr : owned.back()->data();
      }
      return result;
    };
    const auto weights = pointers(kWeights);
    const auto recurrent = pointers(kRecurrent);
    const auto bias = pointers(kBias);
    const auto hidden_before = data.in<float>(kHidden);
    const auto cell_before = data.in<float>(kCell);
    std::vector<float> hidden(hidden_before.begin(), hidden_before.end());
    std::vector<float> cell(cell_before.begin(), cell_before.end());
    std::vector<float> result(states * lstm.steps);
    std::vector<std::array<float, kGates>> gates(lstm.cells);
    for (std::size_t step = 0; step < lstm.steps; ++step)
      for (std::size_t b = 0; b < lstm.batches; ++b) {
        const std::size_t row = b * lstm.batch_stride + step * lstm.step_stride;
        float* state = hidden.data() + b * lstm.cells;
        lstm_step(lstm, input.data() + row * lstm.inputs, weights, recurrent, bias, gates, state, cell.data() + b * lstm.cells);
        std::copy(state, state + lstm.cells, result.begin() + static_cast<std::ptrdiff_t>(row * lstm.cells));
      }
    data.store(0, result);
    data.store(1, hidden);
    data.store(2, cell);
    return {};
  });
}

}  // namespace naru::sdk::host
