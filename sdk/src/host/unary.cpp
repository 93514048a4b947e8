// Operators of one element: float by the C library's functions as TFLite's reference calls them, bytes by table, 16 bits by the curves of numerics 25.
#include <algorithm>
#include <array>
#include <cmath>

#include "host/call.h"
#include "host/curves.h"
#include "naru/abi/sigmoid.h"
#include "numerics/fixed_point.h"

namespace naru::sdk::host {
namespace {

using Real = std::function<float(float)>;

/// Half to even, as TFLite's ROUND writes it.
float round_to_even(float x) noexcept {
  const float below = std::floor(x);
  const float rest = x - below;
  if (rest < 0.5F || (rest == 0.5F && std::fmod(below, 2.0F) == 0.0F)) return below;
  return below + 1.0F;
}

/// Beyond these float's sigmoid is 1 or an exponential: TFLite's reference cuts there.
float logistic(float x) noexcept {
  if (x > 16.619047164916992188F) return 1.0F;
  if (x < -9.0F) return std::exp(x);
  return 1.0F / (1.0F + std::exp(-x));
}

float gelu(float x, bool approximate) noexcept {
  if (!approximate) return 0.5F * x * std::erfc(x * static_cast<float>(-0.70710678118654752440));
  constexpr auto kRootOfTwoByPi = static_cast<float>(0.79788456080286535588);
  return 0.5F * x * (1.0F + std::tanh(kRootOfTwoByPi * (x + 0.044715F * x * x * x)));
}

float within(float x, float low, float high) noexcept { return x > high ? high : (x < low ? low : x); }

Real real_function(const Call& call) {
  switch (call.op.kind) {
    case OperatorKind::kRelu: return [](float x) { return x < 0.0F ? 0.0F : x; };
    case OperatorKind::kRelu6: return [](float x) { return within(x, 0.0F, 6.0F); };
    case OperatorKind::kReluN1To1: return [](float x) { return within(x, -1.0F, 1.0F); };
    case OperatorKind::kRelu0To1: return [](float x) { return within(x, 0.0F, 1.0F); };
    case OperatorKind::kLogistic: return logistic;
    case OperatorKind::kTanh: return [](float x) { return std::tanh(x); };
    case OperatorKind::kHardSwish: return [](float x) { return x * std::min(6.0F, std::max(0.0F, x + 3.0F)) / 6.0F; };
    case OperatorKind::kLeakyRelu: {
      const auto* options = call.options<graph::LeakyReluOptions>();
      if (options == nullptr) return {};
      return [alpha = options->alpha](float x) { return x > 0.0F ? x : x * alpha; };
    }
    case OperatorKind::kElu:
      // TFLite's tables of codes take the plain difference.
      if (call.in().type != ElementType::kF32) return [](float x) { return x < 0.0F ? std::exp(x) - 1.0F : x; };
      return [](float x) { return x < 0.0F ? std::expm1(x) : x; };
    case OperatorKind::kGelu: {
      const auto* options = call.options<graph::GeluOptions>();
      if (options == nullptr) return {};
      return [approximate = options->approximate](float x) { return gelu(x, approximate); };
    }
    case OperatorKind::kAbs: return [](float x) { return std::abs(x); };
    case OperatorKind::kNeg: return [](float x) { return -x; };
    case OperatorKind::kSquare: return [](float x) { return x * x; };
    case OperatorKind::kSqrt: return [](float x) { return std::sqrt(x); };
    case OperatorKind::kRsqrt: return [](float x) { return 1.0F / std::sqrt(x); };
    case OperatorKind::kExp: return [](float x) { return std::exp(x); };
    case OperatorKind::kLog: return [](float x) { return std::log(x); };
    case OperatorKind::kSin: return [](float x) { return std::sin(x); };
    case OperatorKind::kCos: return [](float x) { return std::cos(x); };
    case OperatorKind::kFloor: return [](float x) { return std::floor(x); };
    case OperatorKind::kCeil: return [](float x) { return std::ceil(x); };
    case OperatorKind::kRound: return round_to_even;
    default: return {};
  }
}

template <typename T, typename F>
Run map_run(F f) {
  return [=](const Data& data) -> Result<void> {
    const auto values = data.in<T>(0);
    std::vector<T> result(values.size());
    std::ranges::transform(values, result.begin(), f);
    data.store(0, result);
    return {};
  };
}

/// Numerics 25. `bits` of the magnitude are the fraction between two entries of the table.
std::int32_t on_sigmoid(std::int32_t magnitude, int bits) noexcept {
  const std::int32_t index = magnitude >> bits;
  const std::int32_t fraction = magnitude & ((1 << bits) - 1);
  const std::int32_t low = abi::kSigmoidU16[static_cast<std::size_t>(index)];
  return (low << bits) + fraction * (abi::kSigmoidU16[static_cast<std::size_t>(index) + 1] - low);
}

std::int32_t curve_input(std::int16_t code, numerics::CurveParameters parameters) noexcept {
  const std::int64_t product = std::int64_t{code} * parameters.multiplier;
  return static_cast<std::int32_t>((product + (parameters.shift > 0 ? std::int64_t{1} << (parameters.shift - 1) : 0)) >> parameters.shift);
}

}  // namespace

std::int16_t logistic_i16(std::int16_t code, numerics::CurveParameters parameters) noexcept {
  const std::int32_t x = curve_input(code, parameters);
  const std::int32_t magnitude = std::abs(x);
  const std::int32_t result = magnitude >> 9 >= 255 ? 0x7FFF << 10 : on_sigmoid(magnitude, 9);
  return static_cast<std::int16_t>(x >= 0 ? (result + (1 << 9)) >> 10 : ((1 << 25) - result + (1 << 9) - 1) >> 10);
}

std::int16_t tanh_i16(std::int16_t code, numerics::CurveParameters parameters) noexcept {
  const std::int32_t x = curve_input(code, parameters);
  const std::int32_t magnitude = std::abs(x);
  const std::int32_t result = magnitude >> 8 >= 255 ? 0xFFFF << 8 : on_sigmoid(magnitude, 8);
  return static_cast<std::int16_t>(x >= 0 ? (result - (1 << 23) + (1 << 7)) >> 8 : (-result + (1 << 23) + (1 << 7) - 1) >> 8);
}

namespace {

/// Codes of 16 bits by integers: f(difference from the input's zero point) is the result's.
template <typename F>
Run codes16_run(const Tensor& in, const Tensor& out, numerics::Range range, F f) {
  return map_run<std::int16_t>([=, zero_in = in.zero_point(), zero_out = out.zero_point()](std::int16_t code) {
    return clamp_code<std::int16_t>(std::int64_t{f(code - zero_in)} + zero_out, range);
  });
}

/// Numerics 23, as the table of 8 bits has it.
Run rsqrt_run(const Tensor& in, const Tensor& out) {
  constexpr int kFineBits = 20;
  const numerics::Range codes = numerics::code_range(out.type);
  numerics::Multiplier rescale = numerics::quantize_multiplier(1.0 / (std::sqrt(static_cast<double>(in.scale())) * static_cast<double>(out.scale())));
  rescale.shift -= kFineBits;
  return codes16_run(in, out, codes, [=, zero = out.zero_point()](std::int32_t difference) {
    if (difference <= 0) return codes.max - zero;
    numerics::Multiplier root = numerics::inverse_square_root(difference);
    root.shift += kFineBits;
    return numerics::multiply_by_quantized_multiplier(numerics::multiply_by_quantized_multiplier(1, root), rescale);
  });
}

Result<Run> prepare_codes16(const Call& call) {
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_quantization({&in, &out}));
  const numerics::Range codes = numerics::code_range(out.type);
  const auto rescaled = [&](double ratio, auto f, numerics::Range range) {
    return codes16_run(in, out, range, [=, multiplier = numerics::quantize_multiplier(ratio)](std::int32_t difference) {
      return numerics::multiply_by_quantized_multiplier(f(difference), multiplier);
    });
  };
  const auto same = [](std::int32_t difference) { return difference; };
  const auto relu = [&](graph::Activation activation) {
    return rescaled(numerics::float_ratio_scale(in.scale(), out.scale()), same, numerics::activation_range(activation, out.scale(), out.zero_point(), out.type));
  };
  switch (call.op.kind) {
    case OperatorKind::kLogistic:
    case OperatorKind::kTanh: {
      NARU_CHECK_OK(call.require(in.zero_point() == 0 && out.zero_point() == 0, "a curve of 16 bits has zero points 0"));
      if (std::abs(out.scale() * 32768.0F - 1.0F) > 1.0e-3F) return call.unsupported("a curve of 16 bits has a result of scale 1/32768");
      if (call.op.kind == OperatorKind::kLogistic)
        return map_run<std::int16_t>([p = numerics::logistic_i16_parameters(in.scale())](std::int16_t code) { return logistic_i16(code, p); });
      return map_run<std::int16_t>([p = numerics::tanh_i16_parameters(in.scale())](std::int16_t code) { return tanh_i16(code, p); });
    }
    case OperatorKind::kLeakyRelu: {
      const auto* options = call.options<graph::LeakyReluOptions>();
      if (options == nullptr) return call.no_options();
      if (!std::isfinite(options->alpha)) return call.misfit("its alpha is no number");
      const auto slopes = numerics::leaky_relu_multipliers(in.scale(), options->alpha, out.scale());
      return codes16_run(in, out, codes, [=](std::int32_t difference) {
        return numerics::multiply_by_quantized_multiplier(difference, difference >= 0 ? slopes.positive : slopes.negative);
      });
    }
    case OperatorKind::kRelu: return relu(graph::Activation::kRelu);
    case OperatorKind::kRelu6: return relu(graph::Activation::kRelu6);
    case OperatorKind::kReluN1To1: return relu(graph::Activation::kReluN1To1);
    case OperatorKind::kAbs: return rescaled(numerics::ratio_scale(in.scale(), out.scale()), [](std::int32_t d) { return std::abs(d); }, codes);
    case OperatorKind::kRsqrt: return rsqrt_run(in, out);
    case OperatorKind::kRelu0To1:
      return rescaled(numerics::float_ratio_scale(in.scale(), out.scale()), same,
                      {numerics::activation_range(graph::Activation::kRelu, out.scale(), out.zero_point(), out.type).min,
                       numerics::activation_range(graph::Activation::kReluN1To1, out.scale(), out.zero_point(), out.type).max});
    case OperatorKind::kHardSwish: return call.no_type();
    default: {
      // No integer path in TFLite Micro: the curve in float, to the nearest code; what is no number is the zero point.
      Real function = real_function(call);
      if (!function) return call.no_options();
      return map_run<std::int16_t>([function = std::move(function), scale = in.scale(), zero_in = in.zero_point(), inverse = 1.0F / out.scale(), zero = out.zero_point()](std::int16_t code) {
        const float rounded = std::round(function(scale * static_cast<float>(code - zero_in)) * inverse) + static_cast<float>(zero);
        return static_cast<std::int16_t>(std::isnan(rounded) ? zero : static_cast<std::int32_t>(std::clamp(rounded, -32768.0F, 32767.0F)));
      });
    }
  }
}

template <typename T>
Run whole_run(OperatorKind kind) {
  using U = std::make_unsigned_t<T>;
  switch (kind) {
    case OperatorKind::kAbs: return map_run<T>([](T x) { return x < 0 ? static_cast<T>(U{0} - static_cast<U>(x)) : x; });
    case OperatorKind::kNeg: return map_run<T>([](T x) { return static_cast<T>(U{0} - static_cast<U>(x)); });
    case OperatorKind::kSquare: return map_run<T>([](T x) { return static_cast<T>(static_cast<U>(x) * static_cast<U>(x)); });
    case OperatorKind::kRelu: return map_run<T>([](T x) { return std::max<T>(x, 0); });
    default: return {};
  }
}

}  // namespace

Result<Run> prepare_unary(const Call& call) {
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_same_type(in, out));
  NARU_CHECK_OK(call.require_shape(out, in.shape));
  if (in.type == ElementType::kF32) {
    Real function = real_function(call);
    if (!function) return call.no_options();
    return map_run<float>(std::move(function));
  }
  if (is_code8(in.type)) {
    NARU_CHECK_OK(call.require_quantization({&in, &out}));
    const auto table = numerics::unary_table(call.op, in, out);
    if (!table) return call.no_type();
    const std::uint8_t first = in.type == ElementType::kI8 ? 128 : 0;
    return Run([table = *table, first](const Data& data) -> Result<void> {
      std::ranges::transform(data.inputs[0], data.outputs[0].begin(), [&](std::byte code) { return table[static_cast<std::uint8_t>(static_cast<std::uint8_t>(code) + first)]; });
      return {};
    });
  }
  if (in.type == ElementType::kI16) return prepare_codes16(call);
  Run run;
  for_type<std::int32_t, std::int64_t>(in.type, [&](auto sample) { run = whole_run<decltype(sample)>(call.op.kind); });
  if (!run) return call.no_type();
  return run;
}

}  // namespace naru::sdk::host
