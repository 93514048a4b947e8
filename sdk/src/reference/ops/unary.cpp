// Functions of one number: ABS to ROUND, ELU, GELU. On codes ABS and RSQRT are integer arithmetic (TFLite Micro's elementwise.cc); the others are the
// float function of the real value, rounded to a code.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

#include "reference/arithmetic.h"
#include "reference/fixed_point.h"
#include "reference/ops/elements.h"

namespace naru::sdk::reference {
namespace {

using graph::OperatorKind;

/// Half to even.
float round_real(float x) {
  const float floor = std::floor(x);
  const float rest = x - floor;
  return rest < 0.5F || (rest == 0.5F && std::fmod(floor, 2.0F) == 0.0F) ? floor : floor + 1.0F;
}

float gelu_real(float x, bool approximate) {
  if (!approximate) return 0.5F * x * std::erfc(x * static_cast<float>(-std::numbers::sqrt2 / 2.0));
  constexpr double kRootOf2OverPi = 2.0 * std::numbers::inv_sqrtpi * (std::numbers::sqrt2 / 2.0);
  return 0.5F * x * (1.0F + std::tanh(static_cast<float>(kRootOf2OverPi) * (x + 0.044715F * x * x * x)));
}

float real_of(OperatorKind kind, float x, bool on_codes, bool approximate) {
  switch (kind) {
    case OperatorKind::kAbs: return std::abs(x);
    case OperatorKind::kNeg: return -x;
    case OperatorKind::kSquare: return x * x;
    case OperatorKind::kSqrt: return std::sqrt(x);
    case OperatorKind::kRsqrt: return 1.0F / std::sqrt(x);
    case OperatorKind::kExp: return std::exp(x);
    case OperatorKind::kLog: return std::log(x);
    case OperatorKind::kSin: return std::sin(x);
    case OperatorKind::kCos: return std::cos(x);
    case OperatorKind::kFloor: return std::floor(x);
    case OperatorKind::kCeil: return std::ceil(x);
    case OperatorKind::kRound: return round_real(x);
    case OperatorKind::kElu: return !(x < 0.0F) ? x : on_codes ? std::exp(x) - 1.0F : std::expm1(x);
    default: return gelu_real(x, approximate);
  }
}

template <typename T, typename Function>
void for_each(const Call& call, const Function& function) {
  const auto* input = call.data<T>(0);
  auto* output = call.out<T>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) output[i] = static_cast<T>(function(input[i]));
}

template <typename Code>
void abs_of_codes(const Call& call) {
  const Bounds bounds = codes_of(call.output().type);
  const bool same = call.input(0).scale() == call.output().scale();
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) / static_cast<double>(call.output().scale()));
  for_each<Code>(call, [&](std::int32_t code) {
    const std::int32_t magnitude = std::abs(code - call.input(0).zero_point());
    return bounds.clamp(std::int64_t{same ? magnitude : apply(magnitude, rescale)} + call.output().zero_point());
  });
}

template <typename Code>
void rsqrt_of_codes(const Call& call) {
  constexpr int kShift = 20;
  const Bounds bounds = codes_of(call.output().type);
  const Rescale rescale = rescale_by(1.0 / (std::sqrt(static_cast<double>(call.input(0).scale())) * static_cast<double>(call.output().scale())));
  for_each<Code>(call, [&](std::int32_t code) {
    const std::int32_t x = code - call.input(0).zero_point();
    // TFLite Micro takes 0 for the largest result, and does not define what is below.
    if (x <= 0) return bounds.high;
    const Rescale inverse = inverse_square_root_of(x);
    const std::int32_t fine = apply(1, {inverse.multiplier, inverse.shift + kShift});
    return bounds.clamp(std::int64_t{apply(fine, {rescale.multiplier, rescale.shift - kShift})} + call.output().zero_point());
  });
}

template <typename Code>
void rounded_reals(const Call& call) {
  const bool approximate = call.options<graph::GeluOptions>().approximate;
  const Bounds bounds = codes_of(call.output().type);
  const float inverse_scale = 1.0F / call.output().scale();
  for_each<Code>(call, [&](std::int32_t code) {
    const float real = call.input(0).scale() * static_cast<float>(code - call.input(0).zero_point());
    const float rounded = std::round(real_of(call.op.kind, real, true, approximate) * inverse_scale) + static_cast<float>(call.output().zero_point());
    if (std::isnan(rounded)) return call.output().zero_point();
    return static_cast<std::int32_t>(std::clamp(rounded, static_cast<float>(bounds.low), static_cast<float>(bounds.high)));
  });
}

}  // namespace

void unary(const Call& call) {
  const OperatorKind kind = call.op.kind;
  if (call.input(0).type == abi::ElementType::kF32) {
    const bool approximate = call.options<graph::GeluOptions>().approximate;
    return for_each<float>(call, [&](float x) { return real_of(kind, x, false, approximate); });
  }
  if (!is_quantized(call.input(0))) {
    return dispatch<std::int32_t, std::int64_t, std::int16_t, std::int8_t, std::uint8_t>(call, call.input(0).type, [&](auto number) {
      using Number = decltype(number);
      const auto negative = [](Number x) { return wrapping(Number{0}, x, [](auto a, auto b) { return a - b; }); };
      switch (kind) {
        case OperatorKind::kNeg: return for_each<Number>(call, negative);
        case OperatorKind::kAbs: return for_each<Number>(call, [&](Number x) { return x < 0 ? negative(x) : x; });
        case OperatorKind::kSquare: return for_each<Number>(call, [](Number x) { return wrapping(x, x, [](auto a, auto b) { return a * b; }); });
        default: return call.refuse(ErrorId::kModelTypeUnsupported, "has no reference kernel for " + std::string(abi::name_of(call.input(0).type)));
      }
    });
  }
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    if (kind == OperatorKind::kAbs)
      abs_of_codes<Code>(call);
    else if (kind == OperatorKind::kRsqrt)
      rsqrt_of_codes<Code>(call);
    else
      rounded_reals<Code>(call);
  });
}

}  // namespace naru::sdk::reference
