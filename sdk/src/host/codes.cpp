// Operators of two quantised operands, in the integers of numerics 9, 10, 14 and 23.
#include "host/codes.h"

#include <cmath>

#include "numerics/fixed_point.h"

namespace naru::sdk::host {
namespace {

using numerics::Multiplier;
using numerics::multiply_by_quantized_multiplier;

std::int32_t wrapped(std::int64_t value) noexcept { return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value))); }

/// f(difference of a from its zero point, of b) gives the result's difference from its own.
template <typename T, typename F>
Run codes_run(const Call& call, Broadcast plan, numerics::Range range, F f) {
  return [=, plan = std::move(plan), zero_a = call.in(0).zero_point(), zero_b = call.in(1).zero_point(), zero = call.out().zero_point()](const Data& data) -> Result<void> {
    const auto a = data.in<T>(0);
    const auto b = data.in<T>(1);
    std::vector<T> result(plan.count());
    plan.each([&](std::size_t i, std::size_t j, std::size_t k) {
      result[k] = clamp_code<T>(std::int64_t{f(static_cast<std::int32_t>(a[i]) - zero_a, static_cast<std::int32_t>(b[j]) - zero_b)} + zero, range);
    });
    data.store(0, result);
    return {};
  };
}

/// Numerics 23. A divisor of 0 gives what lies beyond every code on the dividend's side, and 0 for 0 by 0.
std::int32_t divided(std::int32_t a, std::int32_t b, Multiplier output) noexcept {
  if (b == 0) return a == 0 ? 0 : (a < 0 ? -1 : 1) * (1 << 20);
  if (b < 0) {
    a = -a;
    b = -b;
  }
  const numerics::Reciprocal inverse = numerics::reciprocal(b, 31);
  // Differences of codes are small: all the room of 32 bits is to the left of them.
  const int headroom = a == 0 ? 31 : std::countl_zero(static_cast<std::uint32_t>(a < 0 ? ~a : a)) - 1;
  const std::int32_t quotient = numerics::rounding_high_mul(static_cast<std::int32_t>(static_cast<std::uint32_t>(a) << headroom), inverse.scale);
  return multiply_by_quantized_multiplier(quotient, {output.value, output.shift - inverse.bits_over_unit - headroom});
}

}  // namespace

Result<Run> prepare_binary_codes(const Call& call, Broadcast plan, graph::Activation activation) {
  const Tensor& a = call.in(0);
  const Tensor& b = call.in(1);
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_quantization({&a, &b, &out}));
  const numerics::Range range = numerics::activation_range(activation, out.scale(), out.zero_point(), out.type);
  Run run;
  for_type<std::int8_t, std::uint8_t, std::int16_t>(out.type, [&](auto sample) {
    using T = decltype(sample);
    switch (call.op.kind) {
      case OperatorKind::kAdd:
      case OperatorKind::kSub: {
        const bool adds = call.op.kind == OperatorKind::kAdd;
        const auto p = adds ? numerics::add_parameters(a.scale(), b.scale(), out.scale(), out.type) : numerics::sub_parameters(a.scale(), b.scale(), out.scale(), out.type);
        const std::int32_t sign = adds ? 1 : -1;
        run = codes_run<T>(call, std::move(plan), range, [=](std::int32_t x, std::int32_t y) {
          const std::int32_t fine_x = multiply_by_quantized_multiplier(wrapped(std::int64_t{x} * (1 << p.left_shift)), p.a);
          const std::int32_t fine_y = multiply_by_quantized_multiplier(wrapped(std::int64_t{y} * (1 << p.left_shift)), p.b);
          return multiply_by_quantized_multiplier(wrapped(std::int64_t{fine_x} + std::int64_t{sign} * fine_y), p.output);
        });
        break;
      }
      case OperatorKind::kMul: {
        const Multiplier multiplier = numerics::mul_multiplier(a.scale(), b.scale(), out.scale());
        run = codes_run<T>(call, std::move(plan), range,
                           [=](std::int32_t x, std::int32_t y) { return multiply_by_quantized_multiplier(wrapped(std::int64_t{x} * y), multiplier); });
        break;
      }
      case OperatorKind::kSquaredDifference: {
        auto p = numerics::squared_difference_parameters(a.scale(), b.scale(), out.scale());
        if (out.type == ElementType::kI16) {
          // No bits below a code of 16 bits: the square would not fit 32.
          p.output.shift += 2 * p.left_shift;
          p.left_shift = 0;
        }
        run = codes_run<T>(call, std::move(plan), range, [=](std::int32_t x, std::int32_t y) {
          const std::int32_t fine_x = multiply_by_quantized_multiplier(x * (1 << p.left_shift), p.a);
          const std::int32_t fine_y = multiply_by_quantized_multiplier(y * (1 << p.left_shift), p.b);
          const std::int64_t difference = std::int64_t{fine_x} - fine_y;
          return multiply_by_quantized_multiplier(wrapped(difference * difference), p.output);
        });
        break;
      }
      case OperatorKind::kDiv: {
        if (out.type == ElementType::kI16) break;
        const float ratio = a.scale() / (b.scale() * out.scale());
        const Multiplier multiplier = numerics::quantize_multiplier(static_cast<double>(ratio));
        run = codes_run<T>(call, std::move(plan), range, [=](std::int32_t x, std::int32_t y) { return divided(x, y, multiplier); });
        break;
      }
      default: break;
    }
  });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_prelu(const Call& call) {
  const Tensor& in = call.in(0);
  const Tensor& alpha = call.in(1);
  const Tensor& out = call.out();
  auto plan = Broadcast::of(in.shape, alpha.shape, out.shape);
  if (!plan) return call.misfit("{} and {} do not broadcast to {}", graph::to_string(in.shape), graph::to_string(alpha.shape), graph::to_string(out.shape));
  NARU_CHECK_OK(call.require_same_type(in, alpha));
  NARU_CHECK_OK(call.require_same_type(in, out));
  if (in.type == ElementType::kF32)
    return Run([plan = std::move(*plan)](const Data& data) -> Result<void> {
      const auto x = data.in<float>(0);
      const auto slope = data.in<float>(1);
      std::vector<float> result(plan.count());
      plan.each([&](std::size_t i, std::size_t j, std::size_t k) { result[k] = x[i] >= 0.0F ? x[i] : x[i] * slope[j]; });
      data.store(0, result);
      return {};
    });
  if (!is_code8(in.type)) return call.no_type();
  NARU_CHECK_OK(call.require_quantization({&in, &alpha, &out}));
  const auto slopes = numerics::prelu_multipliers(in.scale(), alpha.scale(), out.scale());
  Run run;
  for_type<std::int8_t, std::uint8_t>(in.type, [&](auto sample) {
    run = codes_run<decltype(sample)>(call, std::move(*plan), numerics::code_range(out.type), [=](std::int32_t x, std::int32_t slope) {
      return x >= 0 ? multiply_by_quantized_multiplier(x, slopes.positive) : multiply_by_quantized_multiplier(x * slope, slopes.negative);
    });
  });
  return run;
}

}  // namespace naru::sdk::host
