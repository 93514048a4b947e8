// ADD, SUB, MUL, DIV (numerics 9, 10, 23), MINIMUM, MAXIMUM, SQUARED_DIFFERENCE, FLOOR_DIV, FLOOR_MOD and POW, all with broadcasting.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "reference/arithmetic.h"
#include "reference/fixed_point.h"
#include "reference/ops/elements.h"
#include "reference/ops/real.h"

namespace naru::sdk::reference {
namespace {

graph::Activation activation_of(const Call& call) { return call.options<graph::ElementwiseOptions>().activation; }

/// The product of 32-bit integers, which wraps.
std::int32_t product(std::int32_t a, std::int32_t b) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b)); }

/// output = clamp(combine(a - zero, b - zero) + zero) on codes.
template <typename Combine>
void on_codes(const Call& call, const Combine& combine) {
  const Bounds bounds = bounds_of(activation_of(call), call.output());
  const std::int32_t zero_a = call.input(0).zero_point();
  const std::int32_t zero_b = call.input(1).zero_point();
  const std::int32_t zero = call.output().zero_point();
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    for_pairs<Code, Code>(call, [&](Code a, Code b) { return bounds.clamp(std::int64_t{combine(a - zero_a, b - zero_b)} + zero); });
  });
}

/// Float32 and integers that are not codes: combine, then the activation.
template <typename Combine>
void on_numbers(const Call& call, const Combine& combine) {
  const RealBounds reals = real_bounds_of(activation_of(call));
  const auto activation = activation_of(call);
  // Those with a fused activation keep even without one to the finite numbers, as TFLite's kernels; the others do not clamp.
  using Kind = graph::OperatorKind;
  const bool clamps = call.op.kind == Kind::kAdd || call.op.kind == Kind::kSub || call.op.kind == Kind::kMul || call.op.kind == Kind::kDiv;
  dispatch<float, std::int32_t, std::int64_t, std::int16_t, std::int8_t, std::uint8_t>(call, call.input(0).type, [&](auto number) {
    using Number = decltype(number);
    for_pairs<Number, Number>(call, [&](Number a, Number b) -> Number {
      const Number value = combine(a, b);
      if constexpr (std::is_same_v<Number, float>)
        return clamps ? reals.clamp(value) : value;
      else if (activation == graph::Activation::kNone)
        return value;
      else
        return std::min(std::max(value, static_cast<Number>(reals.low)),
                        activation == graph::Activation::kRelu ? std::numeric_limits<Number>::max() : static_cast<Number>(reals.high));
    });
  });
}

/// How operands of two scales come to one: shifted to the left, times their scale over twice the larger one; and what the result is multiplied with.
struct CommonScale {
  std::int32_t left;
  Rescale of_a;
  Rescale of_b;
  Rescale of_result;
};

CommonScale common_scale(const Call& call) {
  const bool wide = call.input(0).type == abi::ElementType::kI16;
  const std::int32_t left = wide ? 1 << 15 : 1 << 20;
  const float a = call.input(0).scale();
  const float b = call.input(1).scale();
  const float out = call.output().scale();
  // TFLite Micro's SUB computes its factors in float32, its ADD in double; so does TFLite's for legacy 8-bit codes.
  if (call.op.kind == graph::OperatorKind::kSub && call.input(0).type != abi::ElementType::kU8) {
    const float twice_max = 2.0F * std::max(a, b);
    const auto factor = [](float value) { return rescale_by(static_cast<double>(value)); };
    return {left, factor(a / twice_max), factor(b / twice_max), factor(twice_max / (static_cast<float>(left) * out))};
  }
  const double twice_max = 2.0 * static_cast<double>(std::max(a, b));
  return {left, rescale_by(static_cast<double>(a) / twice_max), rescale_by(static_cast<double>(b) / twice_max),
          rescale_by(twice_max / (left * static_cast<double>(out)))};
}

/// DIV of codes: the fixed-point reciprocal of b, times a.
std::int32_t quotient_of_codes(std::int32_t a, std::int32_t b, const Rescale& rescale) {
  // TFLite does not define division by zero (its kernels abort). docs/operators.md: the limit on the dividend's side, and 0 by 0 is 0.
  if (b == 0 && a == 0) return 0;
  if (b == 0) return a < 0 ? std::numeric_limits<std::int32_t>::min() : std::numeric_limits<std::int32_t>::max();
  if (b < 0) {
    a = -a;
    b = -b;
  }
  const Reciprocal inverse = reciprocal_of(b, 31);
  const int headroom = a == 0 ? 31 : std::countl_zero(static_cast<std::uint32_t>(a < 0 ? ~a : a)) - 1;
  const auto shifted = static_cast<std::int32_t>(static_cast<std::uint32_t>(a) << headroom);
  const std::int32_t unscaled = doubling_high_multiply(shifted, inverse.value);
  return times_power_of_two(doubling_high_multiply(unscaled, rescale.multiplier), rescale.shift - inverse.bits_over_unit - headroom);
}

template <typename Divide>
void divide_numbers(const Call& call, const Divide& divide) {
  on_numbers(call, [&](auto a, auto b) {
    using Number = decltype(a);
    if constexpr (std::is_integral_v<Number>) {
      if (b == 0) {
        call.refuse(ErrorId::kInvalidArgument, "divides by zero");
        return Number{0};
      }
      if (b == Number(-1)) return wrapping(Number{0}, a, [](auto zero, auto x) { return zero - x; });
    }
    return divide(a, b);
  });
}

}  // namespace

void add(const Call& call) {
  if (!is_quantized(call.input(0))) return on_numbers(call, [](auto a, auto b) { return wrapping(a, b, [](auto x, auto y) { return x + y; }); });
  const CommonScale scale = common_scale(call);
  on_codes(call, [&](std::int32_t a, std::int32_t b) {
    return apply(saturated(std::int64_t{apply(product(a, scale.left), scale.of_a)} + apply(product(b, scale.left), scale.of_b)), scale.of_result);
  });
}

void sub(const Call& call) {
  if (!is_quantized(call.input(0))) return on_numbers(call, [](auto a, auto b) { return wrapping(a, b, [](auto x, auto y) { return x - y; }); });
  const CommonScale scale = common_scale(call);
  on_codes(call, [&](std::int32_t a, std::int32_t b) {
    return apply(saturated(std::int64_t{apply(product(a, scale.left), scale.of_a)} - apply(product(b, scale.left), scale.of_b)), scale.of_result);
  });
}

void mul(const Call& call) {
  if (!is_quantized(call.input(0))) return on_numbers(call, [](auto a, auto b) { return wrapping(a, b, [](auto x, auto y) { return x * y; }); });
  const Rescale rescale =
      rescale_by(static_cast<double>(call.input(0).scale()) * static_cast<double>(call.input(1).scale()) / static_cast<double>(call.output().scale()));
  on_codes(call, [&](std::int32_t a, std::int32_t b) { return apply(product(a, b), rescale); });
}

void div(const Call& call) {
  if (!is_quantized(call.input(0))) return divide_numbers(call, [](auto a, auto b) { return static_cast<decltype(a)>(a / b); });
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale() / (call.input(1).scale() * call.output().scale())));
  on_codes(call, [&](std::int32_t a, std::int32_t b) { return quotient_of_codes(a, b, rescale); });
}

void minimum(const Call& call) {
  on_numbers(call, [](auto a, auto b) { return a < b ? a : b; });
}
void maximum(const Call& call) {
  on_numbers(call, [](auto a, auto b) { return a > b ? a : b; });
}

void squared_difference(const Call& call) {
  if (!is_quantized(call.input(0))) {
    return on_numbers(call, [](auto a, auto b) {
      const auto difference = wrapping(a, b, [](auto x, auto y) { return x - y; });
      return wrapping(difference, difference, [](auto x, auto y) { return x * y; });
    });
  }
  const std::int32_t left = call.input(0).type == abi::ElementType::kI16 ? 1 : 1 << 7;
  const double twice_max = 2.0 * static_cast<double>(std::max(call.input(0).scale(), call.input(1).scale()));
  const Rescale of_a = rescale_by(static_cast<double>(call.input(0).scale()) / twice_max);
  const Rescale of_b = rescale_by(static_cast<double>(call.input(1).scale()) / twice_max);
  const Rescale of_square = rescale_by(twice_max * twice_max / static_cast<double>(static_cast<float>(left * left) * call.output().scale()));
  on_codes(call, [&](std::int32_t a, std::int32_t b) {
    const std::int64_t difference = std::int64_t{apply(product(a, left), of_a)} - apply(product(b, left), of_b);
    return apply(saturated(difference * difference), of_square);
  });
}

void floor_div(const Call& call) {
  divide_numbers(call, [](auto a, auto b) {
    using Number = decltype(a);
    if constexpr (std::is_floating_point_v<Number>) {
      return std::floor(a / b);
    } else {
      const auto quotient = static_cast<Number>(a / b);
      return (a % b != 0) && ((a < 0) != (b < 0)) ? static_cast<Number>(quotient - 1) : quotient;
    }
  });
}

void floor_mod(const Call& call) {
  on_numbers(call, [&](auto a, auto b) {
    using Number = decltype(a);
    Number rest{};
    if constexpr (std::is_floating_point_v<Number>) {
      rest = std::fmod(a, b);
    } else {
      if (b == 0) call.refuse(ErrorId::kInvalidArgument, "divides by zero");
      if (b == 0 || b == Number(-1)) return Number{0};
      rest = static_cast<Number>(a % b);
    }
    return rest != Number{} && ((b < Number{}) != (rest < Number{})) ? static_cast<Number>(rest + b) : rest;
  });
}

void power(const Call& call) {
  on_numbers(call, [&](auto a, auto b) {
    using Number = decltype(a);
    if constexpr (std::is_floating_point_v<Number>) {
      return std::pow(a, b);
    } else {
      if (b < 0) {
        call.refuse(ErrorId::kInvalidArgument, "raises an integer to a negative power");
        return Number{0};
      }
      const double value = std::pow(static_cast<double>(a), static_cast<double>(b));
      constexpr double kLimit = static_cast<double>(std::numeric_limits<Number>::max());
      return value >= kLimit ? std::numeric_limits<Number>::max() : value <= -kLimit ? std::numeric_limits<Number>::lowest() : static_cast<Number>(value);
    }
  });
}

}  // namespace naru::sdk::reference
