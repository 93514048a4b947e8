// SVDF (numerics 21) and UNIDIRECTIONAL_SEQUENCE_LSTM (numerics 22). The state before is an operand, the state after a result.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/gate.h"
#include "reference/ops/real.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

/// 32-bit accumulators wrap.
std::int32_t plus_product(std::int32_t sum, std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
}

struct SvdfSizes {
  std::size_t batches, inputs, filters, memory, rank;
  explicit SvdfSizes(const Call& call)
      : batches(static_cast<std::size_t>(call.input(0).shape[0])),
        inputs(static_cast<std::size_t>(call.input(0).shape[1])),
        filters(static_cast<std::size_t>(call.input(1).shape[0])),
        memory(static_cast<std::size_t>(call.input(2).shape[1])),
        rank(static_cast<std::size_t>(call.options<graph::SvdfOptions>().rank)) {}
};

/// The state, each filter's row shifted by one step to the left, with feature(batch, filter) as its newest.
template <typename State, typename Feature>
std::vector<State> next_state(const Call& call, const SvdfSizes& sizes, const Feature& feature) {
  const auto* before = call.data<State>(4);
  std::vector<State> state(sizes.batches * sizes.filters * sizes.memory);
  for (std::size_t row = 0; row < sizes.batches * sizes.filters; ++row) {
    State* target = state.data() + row * sizes.memory;
    std::copy_n(before + row * sizes.memory + 1, sizes.memory - 1, target);
    target[sizes.memory - 1] = feature(row / sizes.filters, row % sizes.filters);
  }
  if (auto* after = call.out<State>(1)) std::copy(state.begin(), state.end(), after);
  return state;
}

template <typename State>
void svdf_codes(const Call& call) {
  const SvdfSizes sizes(call);
  const auto scale = [&](std::size_t operand) { return call.input(operand).scale(); };
  const Rescale to_state = rescale_by(static_cast<double>(scale(0) * scale(1) / scale(4)));
  const Rescale to_output = rescale_by(static_cast<double>(scale(4) * scale(2) / call.output().scale()));
  const std::int32_t zero_in = call.input(0).zero_point();
  const std::int32_t zero_state = call.input(4).zero_point();
  const auto* input = call.data<std::int8_t>(0);
  const auto* feature_weights = call.data<std::int8_t>(1);
  const auto* time_weights = call.data<State>(2);
  const auto* bias = call.data<std::int32_t>(3);
  const Bounds state_codes = codes_of(call.input(4).type);

  const auto state = next_state<State>(call, sizes, [&](std::size_t batch, std::size_t filter) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < sizes.inputs; ++i)
      sum = plus_product(sum, feature_weights[filter * sizes.inputs + i], input[batch * sizes.inputs + i] - zero_in);
    // TFLite Micro adds the zero point to what is already clamped; the state's type takes what fits.
    return static_cast<State>(state_codes.clamp(apply(sum, to_state)) + zero_state);
  });

  // The activation of an integer SVDF is the output's range, as TFLite Micro has it.
  const Bounds bounds = codes_of(call.output().type);
  auto* output = call.out<std::int8_t>();
  const std::size_t units = sizes.filters / sizes.rank;
  for (std::size_t batch = 0; batch < sizes.batches; ++batch) {
    for (std::size_t unit = 0; unit < units; ++unit) {
      std::int32_t sum = bias == nullptr ? 0 : bias[unit];
      for (std::size_t i = unit * sizes.rank * sizes.memory; i < (unit + 1) * sizes.rank * sizes.memory; ++i)
        sum = plus_product(sum, time_weights[i], state[batch * sizes.filters * sizes.memory + i] - zero_state);
      *output++ = static_cast<std::int8_t>(bounds.clamp(std::int64_t{apply(sum, to_output)} + call.output().zero_point()));
    }
  }
}

void svdf_reals(const Call& call) {
  const SvdfSizes sizes(call);
  const auto* input = call.data<float>(0);
  const auto* feature_weights = call.data<float>(1);
  const auto* time_weights = call.data<float>(2);
  const auto* bias = call.data<float>(3);
  const auto state = next_state<float>(call, sizes, [&](std::size_t batch, std::size_t filter) {
    float sum = 0.0F;
    for (std::size_t i = 0; i < sizes.inputs; ++i) sum += feature_weights[filter * sizes.inputs + i] * input[batch * sizes.inputs + i];
    return sum;
  });
  const graph::Activation activation = call.options<graph::SvdfOptions>().activation;
  // TFLite's activation of recurrent operators leaves infinities alone, and turns what is no number into the lower bound.
  RealBounds bounds = real_bounds_of(activation);
  if (activation == graph::Activation::kRelu) bounds.high = std::numeric_limits<float>::infinity();
  auto* output = call.out<float>();
  const std::size_t units = sizes.filters / sizes.rank;
  for (std::size_t batch = 0; batch < sizes.batches; ++batch) {
    for (std::size_t unit = 0; unit < units; ++unit) {
      float total = bias == nullptr ? 0.0F : bias[unit];
      for (std::size_t filter = unit * sizes.rank; filter < (unit + 1) * sizes.rank; ++filter) {
        float sum = 0.0F;
        for (std::size_t m = 0; m < sizes.memory; ++m)
          sum += time_weights[filter * sizes.memory + m] * state[(batch * sizes.filters + filter) * sizes.memory + m];
        total += sum;
      }
      *output++ = activation == graph::Activation::kNone ? total : std::max(bounds.low, std::min(total, bounds.high));
    }
  }
}

// The LSTM. Its gates are in the order of the file's operands.
enum Gate : std::size_t { kInput, kForget, kCell, kOutput, kGates };
constexpr std::size_t kInputWeights = 1;
constexpr std::size_t kRecurrentWeights = 5;
constexpr std::size_t kBias = 12;
constexpr std::size_t kHidden = 18;
constexpr std::size_t kCellState = 19;

/// Scale of what goes into a gate's function, Q3.12, and of what comes out, Q0.15.
constexpr float kGateInputScale = 1.0F / 4096.0F;
constexpr double kGateOutputScale = 1.0 / 32768.0;

std::int16_t clamped_16(std::int64_t value) { return static_cast<std::int16_t>(std::clamp<std::int64_t>(value, -32768, 32767)); }

/// One gate on codes: two fully connected layers to Q3.12, added with saturation, then sigmoid or tanh. Activations of 8 bits have 32-bit sums,
/// those of 16 bits 64-bit ones (numerics 5).
template <typename Code>
class CodeGate {
 public:
  CodeGate(const Call& call, Gate gate)
      : tanh_(gate == kCell),
        input_weights_(call.data<std::int8_t>(kInputWeights + gate)),
        recurrent_weights_(call.data<std::int8_t>(kRecurrentWeights + gate)),
        bias_(call, kBias + gate),
        input_rescale_(factor(call.input(0), call.input(kInputWeights + gate))),
        recurrent_rescale_(factor(call.input(kHidden), call.input(kRecurrentWeights + gate))),
        input_zero_(call.input(0).zero_point()),
        hidden_zero_(call.input(kHidden).zero_point()) {}

  [[nodiscard]] std::int16_t operator()(const Code* input, std::size_t inputs, const Code* hidden, std::size_t cells, std::size_t cell) const {
    const std::int32_t from_input = scaled(bias_.at(cell), input_weights_ + cell * inputs, input, inputs, input_zero_, input_rescale_);
    const std::int32_t from_hidden = scaled(0, recurrent_weights_ + cell * cells, hidden, cells, hidden_zero_, recurrent_rescale_);
    const std::int16_t sum = clamped_16(std::int64_t{clamped_16(from_input)} + clamped_16(from_hidden));
    return tanh_ ? tanh_16(sum, {}) : sigmoid_16(sum, {});
  }

 private:
  struct Bias {
    std::vector<std::int64_t> values;
    Bias(const Call& call, std::size_t operand) {
      if (!call.has(operand)) return;
      const std::size_t count = graph::element_count(call.input(operand));
      if (call.input(operand).type == abi::ElementType::kI64)
        values.assign(call.data<std::int64_t>(operand), call.data<std::int64_t>(operand) + count);
      else
        values.assign(call.data<std::int32_t>(operand), call.data<std::int32_t>(operand) + count);
    }
    [[nodiscard]] std::int64_t at(std::size_t cell) const { return values.empty() ? 0 : values[cell]; }
  };

  static Rescale factor(const graph::Tensor& input, const graph::Tensor& weights) {
    return rescale_by(static_cast<double>(static_cast<float>(input.scale() * weights.scale())) / static_cast<double>(kGateInputScale));
  }
  static std::int32_t scaled(std::int64_t sum, const std::int8_t* weights, const Code* values, std::size_t count, std::int32_t zero, const Rescale& rescale) {
    for (std::size_t i = 0; i < count; ++i) sum += weights[i] * (values[i] - zero);
    return sizeof(Code) == 1 ? apply(static_cast<std::int32_t>(sum), rescale) : apply_wide(sum, rescale);
  }

  bool tanh_;
  const std::int8_t* input_weights_;
  const std::int8_t* recurrent_weights_;
  Bias bias_;
  Rescale input_rescale_;
  Rescale recurrent_rescale_;
  std::int32_t input_zero_;
  std::int32_t hidden_zero_;
};

/// The cell's arithmetic on codes.
template <typename Code>
struct CodeCell {
  using Value = std::int16_t;
  using State = Code;
  std::array<CodeGate<Code>, kGates> gates;
  Rescale forget_rescale, input_rescale, output_rescale;
  std::int32_t zero, clip;
  GateScale cell_scale;
  Bounds codes;

  explicit CodeCell(const Call& call)
      : gates{CodeGate<Code>(call, kInput), CodeGate<Code>(call, kForget), CodeGate<Code>(call, kCell), CodeGate<Code>(call, kOutput)},
        zero(call.input(kHidden).zero_point()),
        codes(codes_of(call.input(kHidden).type)) {
    const double cell = static_cast<double>(call.input(kCellState).scale());
    forget_rescale = rescale_by(kGateOutputScale * cell / cell);
    input_rescale = rescale_by(kGateOutputScale * kGateOutputScale / cell);
    output_rescale = rescale_by(kGateOutputScale * kGateOutputScale / static_cast<double>(call.input(kHidden).scale()));
    const double clip_real = static_cast<double>(call.options<graph::LstmOptions>().cell_clip);
    clip = clip_real > 0.0 ? static_cast<std::int32_t>(std::min(clip_real / cell, 32767.0)) : 32768;
    const int shift = 12 + log2_of(call.input(kCellState).scale()).value;
    cell_scale = shift < 0 ? GateScale{3, -shift} : GateScale{0, shift};
  }
  [[nodiscard]] Value next_cell(Value forget, Value before, Value input, Value candidate) const {
    const std::int16_t kept = clamped_16(apply(forget * before, forget_rescale));
    const std::int16_t added = clamped_16(apply(input * candidate, input_rescale));
    const std::int16_t sum = clamped_16(std::int64_t{kept} + added);
    return clip > 32767 ? sum : static_cast<Value>(std::clamp<std::int32_t>(sum, -clip, clip));
  }
  [[nodiscard]] State hidden(Value cell, Value output) const {
    return static_cast<State>(codes.clamp(std::int64_t{apply(tanh_16(cell, cell_scale) * output, output_rescale)} + zero));
  }
};

struct RealGate {
  bool is_tanh;
  const float* input_weights;
  const float* recurrent_weights;
  const float* bias;
  RealGate(const Call& call, Gate gate)
      : is_tanh(gate == kCell),
        input_weights(call.data<float>(kInputWeights + gate)),
        recurrent_weights(call.data<float>(kRecurrentWeights + gate)),
        bias(call.data<float>(kBias + gate)) {}
  [[nodiscard]] float operator()(const float* input, std::size_t inputs, const float* hidden, std::size_t cells, std::size_t cell) const {
    float from_input = 0.0F;
    for (std::size_t i = 0; i < inputs; ++i) from_input += input[i] * input_weights[cell * inputs + i];
    if (bias != nullptr) from_input += bias[cell];
    float from_hidden = 0.0F;
    for (std::size_t i = 0; i < cells; ++i) from_hidden += hidden[i] * recurrent_weights[cell * cells + i];
    const float sum = from_input + from_hidden;
    return is_tanh ? std::tanh(sum) : sigmoid_real(sum);
  }
};

struct RealCell {
  using Value = float;
  using State = float;
  std::array<RealGate, kGates> gates;
  float clip;
  explicit RealCell(const Call& call)
      : gates{RealGate(call, kInput), RealGate(call, kForget), RealGate(call, kCell), RealGate(call, kOutput)},
        clip(call.options<graph::LstmOptions>().cell_clip) {}
  [[nodiscard]] float next_cell(float forget, float before, float input, float candidate) const {
    const float kept = forget * before;
    const float sum = kept + input * candidate;
    return clip > 0.0F ? std::max(std::min(clip, sum), -clip) : sum;
  }
  [[nodiscard]] float hidden(float cell, float output) const { return std::tanh(cell) * output; }
};

template <typename Cell>
void lstm(const Call& call) {
  using Value = typename Cell::Value;
  using State = typename Cell::State;
  const graph::Shape& in = call.input(0).shape;
  const bool time_major = call.options<graph::LstmOptions>().time_major;
  const auto batches = static_cast<std::size_t>(in[time_major ? 1 : 0]);
  const auto steps = static_cast<std::size_t>(in[time_major ? 0 : 1]);
  const auto inputs = static_cast<std::size_t>(in[2]);
  const std::size_t cells = graph::element_count(call.input(kHidden)) / batches;
  const Cell arithmetic(call);
  std::vector<State> hidden(call.data<State>(kHidden), call.data<State>(kHidden) + batches * cells);
  std::vector<Value> state(call.data<Value>(kCellState), call.data<Value>(kCellState) + batches * cells);
  std::vector<State> next(cells);
  auto* output = call.out<State>();
  for (std::size_t batch = 0; batch < batches; ++batch) {
    for (std::size_t step = 0; step < steps; ++step) {
      const std::size_t place = time_major ? step * batches + batch : batch * steps + step;
      const State* row = call.data<State>(0) + place * inputs;
      const State* before = hidden.data() + batch * cells;
      for (std::size_t cell = 0; cell < cells; ++cell) {
        const auto gate = [&](Gate which) { return arithmetic.gates[which](row, inputs, before, cells, cell); };
        Value& value = state[batch * cells + cell];
        value = arithmetic.next_cell(gate(kForget), value, gate(kInput), gate(kCell));
        next[cell] = arithmetic.hidden(value, gate(kOutput));
      }
      std::copy(next.begin(), next.end(), hidden.begin() + static_cast<std::ptrdiff_t>(batch * cells));
      std::copy(next.begin(), next.end(), output + place * cells);
    }
  }
  if (auto* after = call.out<State>(1)) std::copy(hidden.begin(), hidden.end(), after);
  if (auto* after = call.out<Value>(2)) std::copy(state.begin(), state.end(), after);
}

}  // namespace

void svdf(const Call& call) {
  if (call.input(0).type == abi::ElementType::kF32) return svdf_reals(call);
  dispatch<std::int8_t, std::int16_t>(call, call.input(4).type, [&](auto state) { svdf_codes<decltype(state)>(call); });
}

void unidirectional_sequence_lstm(const Call& call) {
  // Peepholes, a projection and layer normalisation; and the input gate that a coupled cell lacks.
  for (std::size_t operand : {9U, 10U, 11U, 16U, 17U, 20U, 21U, 22U, 23U})
    if (call.has(operand))
      return call.refuse(ErrorId::kModelOperatorUnsupported, "has operand " + std::to_string(operand) + ", which the reference does not know");
  for (std::size_t operand = kInputWeights; operand < kInputWeights + 2 * kGates; ++operand)
    if (!call.has(operand)) return call.refuse(ErrorId::kModelOperatorUnsupported, "lacks operand " + std::to_string(operand));
  switch (call.input(0).type) {
    case abi::ElementType::kF32: return lstm<RealCell>(call);
    case abi::ElementType::kI16: return lstm<CodeCell<std::int16_t>>(call);
    default: return lstm<CodeCell<std::int8_t>>(call);
  }
}

}  // namespace naru::sdk::reference
