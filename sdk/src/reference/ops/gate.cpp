// LOGISTIC and TANH (numerics 12, 25).
#include "reference/ops/gate.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "naru/abi/sigmoid.h"
#include "reference/fixed_point.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

std::int64_t argument_of(std::int16_t x, const GateScale& scale) {
  const int shift = scale.multiplier == 0 ? 0 : scale.shift;
  const std::int64_t multiplier = scale.multiplier == 0 ? std::int64_t{3} << std::clamp(scale.shift, 0, 40) : scale.multiplier;
  return (x * multiplier + (shift > 0 ? std::int64_t{1} << (shift - 1) : 0)) >> shift;
}

/// The table at |argument| with `bits` bits of fraction, in the table's unit times 2^bits; `end` from index 255 on.
std::int64_t interpolated(std::int64_t argument, int bits, std::int64_t end) {
  const std::int64_t magnitude = std::abs(argument);
  const std::int64_t index = magnitude >> bits;
  if (index >= 255) return end << bits;
  const std::int64_t fraction = magnitude & ((std::int64_t{1} << bits) - 1);
  const std::int64_t from = abi::kSigmoidU16[static_cast<std::size_t>(index)];
  const std::int64_t to = abi::kSigmoidU16[static_cast<std::size_t>(index) + 1];
  return (from << bits) + fraction * (to - from);
}

/// An 8-bit LOGISTIC or TANH: codes become Q4.27, the function gives Q0.31, of which `fraction_bits` bits are the result's code.
template <typename Code, typename Function>
void on_codes(const Call& call, int fraction_bits, std::int32_t zero_point, const Function& function) {
  constexpr int kIntegerBits = 4;
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) * std::scalbn(1.0, 31 - kIntegerBits));
  const std::int32_t radius = input_radius(kIntegerBits, rescale.shift);
  const Bounds bounds = codes_of(call.output().type);
  const auto* input = call.data<Code>(0);
  auto* output = call.out<Code>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) {
    const std::int32_t x = input[i] - call.input(0).zero_point();
    if (x <= -radius)
      output[i] = static_cast<Code>(bounds.low);
    else if (x >= radius)
      output[i] = static_cast<Code>(bounds.high);
    else
      output[i] = static_cast<Code>(bounds.clamp(std::int64_t{rounding_divide_by_power_of_two(function(apply(x, rescale)), 31 - fraction_bits)} + zero_point));
  }
}

template <typename Function>
void on_wide_codes(const Call& call, int shift_max, const Function& function) {
  const GateScale scale = gate_scale_of(call.input(0).scale(), shift_max);
  const auto* input = call.data<std::int16_t>(0);
  auto* output = call.out<std::int16_t>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) output[i] = function(input[i], scale);
}

template <typename Function>
void on_reals(const Call& call, const Function& function) {
  const auto* input = call.data<float>(0);
  std::transform(input, input + graph::element_count(call.output()), call.out<float>(), function);
}

}  // namespace

Log2 log2_of(float x) {
  const float log2 = std::log(x) * (1.0F / std::log(2.0F));
  const float rounded = std::round(log2);
  return {static_cast<int>(rounded), std::abs(log2 - rounded) < 1.0e-3F};
}

GateScale gate_scale_of(float scale, int shift_max) {
  constexpr int kFractionalBits = 12;
  const Log2 log2 = log2_of(scale);
  const int shift = kFractionalBits + log2.value;
  if (log2.exact && shift >= 0 && shift <= shift_max) return {0, shift};
  // The table's step is 1/24; its argument has 9 bits below it, so that it is 3 * 4096 to the unit.
  GateScale result;
  double multiplier = static_cast<double>(scale) * 4096.0 * 3.0;
  for (; multiplier <= 32767.0 / 2.0 && result.shift <= 30; ++result.shift) multiplier *= 2.0;
  result.multiplier = static_cast<std::int32_t>(std::min(multiplier, 2147483647.0));
  return result;
}

std::int16_t sigmoid_16(std::int16_t x, const GateScale& scale) {
  const std::int64_t argument = argument_of(x, scale);
  const std::int64_t result = interpolated(argument, 9, 0x7FFF << 1);
  return static_cast<std::int16_t>(argument >= 0 ? (result + (1 << 9)) >> 10 : ((std::int64_t{1} << 25) - result + (1 << 9) - 1) >> 10);
}

std::int16_t tanh_16(std::int16_t x, const GateScale& scale) {
  const std::int64_t argument = argument_of(x, scale);
  const std::int64_t result = interpolated(argument, 8, 0xFFFF);
  return static_cast<std::int16_t>(argument >= 0 ? (result - (1 << 23) + (1 << 7)) >> 8 : (-result + (1 << 23) + (1 << 7) - 1) >> 8);
}

float sigmoid_real(float x) {
  constexpr float kUpper = 16.619047164916992188F;
  constexpr float kLower = -9.0F;
  if (x > kUpper) return 1.0F;
  if (x < kLower) return std::exp(x);
  return 1.0F / (1.0F + std::exp(-x));
}

void logistic(const Call& call) {
  switch (call.input(0).type) {
    case abi::ElementType::kF32: return on_reals(call, sigmoid_real);
    case abi::ElementType::kI16: return on_wide_codes(call, 0, sigmoid_16);
    case abi::ElementType::kU8: return on_codes<std::uint8_t>(call, 8, 0, logistic_of);
    default: return on_codes<std::int8_t>(call, 8, -128, logistic_of);
  }
}

void tanh(const Call& call) {
  switch (call.input(0).type) {
    case abi::ElementType::kF32: return on_reals(call, [](float x) { return std::tanh(x); });
    case abi::ElementType::kI16: return on_wide_codes(call, 1, tanh_16);
    case abi::ElementType::kU8: return on_codes<std::uint8_t>(call, 7, 128, tanh_of);
    default: return on_codes<std::int8_t>(call, 7, 0, tanh_of);
  }
}

}  // namespace naru::sdk::reference
