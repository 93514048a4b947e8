// RELU and its kin (numerics 14), LEAKY_RELU, PRELU, HARD_SWISH (numerics 13).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "reference/arithmetic.h"
#include "reference/fixed_point.h"
#include "reference/ops/elements.h"

namespace naru::sdk::reference {
namespace {

/// output = clamp(function(code - zero) + zero) for one operand of codes.
template <typename Function>
void on_codes(const Call& call, const Bounds& bounds, const Function& function) {
  const std::int32_t zero_in = call.input(0).zero_point();
  const std::int32_t zero_out = call.output().zero_point();
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    const auto* input = call.data<Code>(0);
    auto* output = call.out<Code>();
    for (std::size_t i = 0; i < graph::element_count(call.output()); ++i)
      output[i] = static_cast<Code>(bounds.clamp(std::int64_t{function(input[i] - zero_in)} + zero_out));
  });
}

template <typename Function>
void on_reals(const Call& call, const Function& function) {
  const auto* input = call.data<float>(0);
  std::transform(input, input + graph::element_count(call.output()), call.out<float>(), function);
}

bool is_real(const Call& call) { return call.input(0).type == abi::ElementType::kF32; }

/// The product of two 16-bit numbers in Q0.15.
std::int16_t high_product(std::int16_t a, std::int16_t b, bool rounding) {
  if (a == b && a == std::numeric_limits<std::int16_t>::min()) return std::numeric_limits<std::int16_t>::max();
  const std::int32_t product = std::int32_t{a} * b;
  const std::int32_t nudge = !rounding ? 0 : product >= 0 ? 1 << 14 : 1 - (1 << 14);
  return static_cast<std::int16_t>((product + nudge) / (1 << 15));
}

std::int16_t saturating_shift(std::int16_t value, int amount) {
  return static_cast<std::int16_t>(std::clamp(std::int64_t{value} * (std::int64_t{1} << std::min(amount, 32)), std::int64_t{-32768}, std::int64_t{32767}));
}

/// A factor as a 16-bit multiplier and an exponent.
struct ShortRescale {
  std::int16_t multiplier;
  int exponent;
  explicit ShortRescale(float factor) {
    const Rescale rescale = rescale_by(static_cast<double>(factor));
    constexpr std::int32_t kHalf = 1 << 15;
    multiplier = rescale.multiplier >= std::numeric_limits<std::int32_t>::max() - kHalf ? std::numeric_limits<std::int16_t>::max()
                                                                                        : static_cast<std::int16_t>((rescale.multiplier + kHalf) >> 16);
    exponent = rescale.shift;
  }
};

}  // namespace

void relu(const Call& call) {
  float low = 0.0F;
  float high = std::numeric_limits<float>::infinity();
  if (call.op.kind == graph::OperatorKind::kRelu6) high = 6.0F;
  if (call.op.kind == graph::OperatorKind::kRelu0To1) high = 1.0F;
  if (call.op.kind == graph::OperatorKind::kReluN1To1) {
    low = -1.0F;
    high = 1.0F;
  }
  if (is_real(call)) return on_reals(call, [&](float x) { return x > high ? high : x < low ? low : x; });
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale() / call.output().scale()));
  on_codes(call, bounds_between(low, high, call.output()), [&](std::int32_t x) { return apply(x, rescale); });
}

void leaky_relu(const Call& call) {
  const float alpha = call.options<graph::LeakyReluOptions>().alpha;
  if (is_real(call)) return on_reals(call, [&](float x) { return x > 0.0F ? x : x * alpha; });
  const Rescale above = rescale_by(static_cast<double>(call.input(0).scale() / call.output().scale()));
  const Rescale below = rescale_by(static_cast<double>(call.input(0).scale() * alpha / call.output().scale()));
  on_codes(call, codes_of(call.output().type), [&](std::int32_t x) { return apply(x, x >= 0 ? above : below); });
}

void prelu(const Call& call) {
  if (is_real(call)) return for_pairs<float, float>(call, [](float x, float alpha) { return x >= 0.0F ? x : x * alpha; });
  const double in = static_cast<double>(call.input(0).scale());
  const double out = static_cast<double>(call.output().scale());
  const Rescale above = rescale_by(in / out);
  const Rescale below = rescale_by(in * static_cast<double>(call.input(1).scale()) / out);
  const Bounds bounds = codes_of(call.output().type);
  const std::int32_t zero_x = call.input(0).zero_point();
  const std::int32_t zero_alpha = call.input(1).zero_point();
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    for_pairs<Code, Code>(call, [&](Code a, Code b) {
      const std::int32_t x = a - zero_x;
      return bounds.clamp(std::int64_t{x >= 0 ? apply(x, above) : apply(x * (b - zero_alpha), below)} + call.output().zero_point());
    });
  });
}

void hard_swish(const Call& call) {
  if (is_real(call)) return on_reals(call, [](float x) { return x * std::min(6.0F, std::max(0.0F, x + 3.0F)) / 6.0F; });
  if (call.input(0).type == abi::ElementType::kI16) return call.refuse(ErrorId::kModelTypeUnsupported, "has no reference kernel for i16");
  // 16-bit fixed point: codes are shifted by 7 bits, and the gate's -3 to 3 is -1 to 1.
  const float fine_scale = (1.0F / 128.0F) * call.input(0).scale();
  const ShortRescale to_output(fine_scale / call.output().scale());
  const ShortRescale to_gate(fine_scale / (3.0F / 32768.0F));
  on_codes(call, codes_of(call.output().type), [&](std::int32_t code) -> std::int32_t {
    const auto fine = static_cast<std::int16_t>(code * 128);
    const std::int16_t value = high_product(fine, to_output.multiplier, true);
    std::int16_t gate = fine;
    if (to_gate.exponent > 0) gate = saturating_shift(gate, to_gate.exponent - 1);
    gate = high_product(gate, to_gate.multiplier, true);
    if (to_gate.exponent > 0) gate = saturating_shift(gate, 1);
    if (to_gate.exponent < 0) gate = static_cast<std::int16_t>(rounding_divide_by_power_of_two(gate, -to_gate.exponent));
    gate = static_cast<std::int16_t>((gate + (1 << 15)) >> 1);
    return times_power_of_two(high_product(gate, value, false), to_output.exponent);
  });
}

}  // namespace naru::sdk::reference
