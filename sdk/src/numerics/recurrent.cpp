// What SVDF, LSTM and the 16-bit curves multiply with (numerics 21, 22 and 25).
#include <algorithm>
#include <cmath>

#include "numerics/numerics.h"

namespace naru::sdk::numerics {
namespace {

constexpr int kCurveFractionBits = 12;  // the curves' input is Q3.12

/// The exponent of what is nearly a power of two; TFLite's tolerance, in its order of float operations.
std::optional<int> power_of_two(float value) noexcept {
  const float exponent = std::log(value) * (1.0F / std::log(2.0F));
  if (!std::isfinite(exponent)) return std::nullopt;
  const float rounded = std::round(exponent);
  if (!(std::abs(exponent - rounded) < 1.0e-3F)) return std::nullopt;
  return static_cast<int>(rounded);
}

/// `power_max`: the largest left shift of an input that needs no multiplier of its own.
CurveParameters curve_parameters(float input_scale, int power_max) noexcept {
  if (const auto exponent = power_of_two(input_scale)) {
    const int left = kCurveFractionBits + *exponent;
    if (left >= 0 && left <= power_max) return {3 << left, 0};
  }
  // Onto 1/(3 * 4096), with as many bits as a 16-bit multiplier has; a scale over 8/3 needs more, up to where the product of a code leaves 32 bits.
  double multiplier = static_cast<double>(input_scale) * 4096.0 * 3.0;
  CurveParameters parameters;
  while (multiplier <= 32767.0 / 2.0 && parameters.shift <= 30) {
    ++parameters.shift;
    multiplier *= 2.0;
  }
  parameters.multiplier = static_cast<std::int32_t>(std::min(multiplier, 65535.0));
  return parameters;
}

/// The tanh of an LSTM's cell: a power of two, or three times one to the right.
std::optional<CurveParameters> cell_curve(int exponent) noexcept {
  const int left = kCurveFractionBits + exponent;
  // Past 14 the product of a code would not fit 32 bits; past 31 to the right nothing is left.
  if (left > 14 || left < -30) return std::nullopt;
  return left < 0 ? CurveParameters{3, -left} : CurveParameters{3 << left, 0};
}

bool has_scale(const graph::Tensor& tensor) noexcept {
  return tensor.quantization && tensor.quantization->scales.size() == 1 && tensor.quantization->zero_points.size() == 1 && tensor.scale() > 0.0F;
}

}  // namespace

CurveParameters logistic_i16_parameters(float input_scale) noexcept { return curve_parameters(input_scale, 0); }
CurveParameters tanh_i16_parameters(float input_scale) noexcept { return curve_parameters(input_scale, 1); }

SvdfParameters svdf_parameters(float input_scale, float feature_scale, float state_scale, float time_scale, float output_scale) noexcept {
  const float feature = input_scale * feature_scale / state_scale;
  const float output = state_scale * time_scale / output_scale;
  return {quantize_multiplier(static_cast<double>(feature)), quantize_multiplier(static_cast<double>(output))};
}

std::optional<LstmParameters> lstm_parameters(const graph::Graph& graph, const graph::Operator& op) {
  constexpr std::size_t kInputWeights = 1;
  constexpr std::size_t kHiddenWeights = 5;
  constexpr std::size_t kHidden = 18;
  constexpr std::size_t kCell = 19;
  const auto* options = std::get_if<graph::LstmOptions>(&op.options);
  const auto tensor = [&](std::size_t index) -> const graph::Tensor* {
    const graph::TensorId id = op.input(index);
    if (id < 0 || static_cast<std::size_t>(id) >= graph.tensors.size() || !has_scale(graph.tensor(id))) return nullptr;
    return &graph.tensor(id);
  };
  const graph::Tensor* input = tensor(0);
  const graph::Tensor* hidden = tensor(kHidden);
  const graph::Tensor* cell = tensor(kCell);
  if (options == nullptr || input == nullptr || hidden == nullptr || cell == nullptr) return std::nullopt;
  const auto exponent = power_of_two(cell->scale());
  const auto cell_tanh = exponent ? cell_curve(*exponent) : std::nullopt;
  if (!cell_tanh) return std::nullopt;

  constexpr float kGateInputScale = 1.0F / 4096.0F;
  constexpr float kGateScale = 1.0F / 32768.0F;
  LstmParameters parameters;
  for (std::size_t gate = 0; gate < 4; ++gate) {
    const graph::Tensor* from_input = tensor(kInputWeights + gate);
    const graph::Tensor* from_hidden = tensor(kHiddenWeights + gate);
    if (from_input == nullptr || from_hidden == nullptr) return std::nullopt;
    parameters.from_input[gate] = quantize_multiplier(float_product_scale(input->scale(), from_input->scale(), kGateInputScale));
    parameters.from_hidden[gate] = quantize_multiplier(float_product_scale(hidden->scale(), from_hidden->scale(), kGateInputScale));
  }
  parameters.forget_times_cell = quantize_multiplier(product_scale(kGateScale, cell->scale(), cell->scale()));
  parameters.input_times_cell_gate = quantize_multiplier(product_scale(kGateScale, kGateScale, cell->scale()));
  parameters.output = quantize_multiplier(product_scale(kGateScale, kGateScale, hidden->scale()));
  parameters.output_zero = hidden->zero_point();
  parameters.gate_sigmoid = parameters.gate_tanh = {3, 0};
  parameters.cell_tanh = *cell_tanh;
  if (options->cell_clip > 0.0F)
    parameters.cell_clip = static_cast<std::int32_t>(std::min(static_cast<double>(options->cell_clip) / static_cast<double>(cell->scale()), 32767.0));
  return parameters;
}

}  // namespace naru::sdk::numerics
