// Between types: QUANTIZE, DEQUANTIZE, CAST.
#include <cmath>

#include "host/call.h"

namespace naru::sdk::host {
namespace {

/// Real to code, or code to code (numerics 16).
template <typename In, typename Out>
Run quantize_run(const Tensor& in, const Tensor& out) {
  const numerics::Range codes = numerics::code_range(out.type);
  const float scale = out.scale();
  const std::int32_t zero = out.zero_point();
  if constexpr (std::is_same_v<In, float>) {
    return [=](const Data& data) -> Result<void> {
      const auto values = data.in<float>(0);
      std::vector<Out> result(values.size());
      for (std::size_t i = 0; i < result.size(); ++i) result[i] = static_cast<Out>(numerics::quantize(values[i], scale, zero, codes));
      data.store(0, result);
      return {};
    };
  } else {
    const numerics::Multiplier multiplier = numerics::quantize_multiplier(numerics::ratio_scale(in.scale(), scale));
    const std::int64_t in_zero = in.zero_point();
    return [=](const Data& data) -> Result<void> {
      const auto values = data.in<In>(0);
      std::vector<Out> result(values.size());
      for (std::size_t i = 0; i < result.size(); ++i)
        result[i] = clamp_code<Out>(std::int64_t{numerics::multiply_by_quantized_multiplier(static_cast<std::int32_t>(values[i] - in_zero), multiplier)} + zero, codes);
      data.store(0, result);
      return {};
    };
  }
}

template <typename In>
Run dequantize_run(const Tensor& in) {
  return [scale = in.scale(), zero = in.zero_point()](const Data& data) -> Result<void> {
    const auto values = data.in<In>(0);
    std::vector<float> result(values.size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = numerics::dequantize(values[i], scale, zero);
    data.store(0, result);
    return {};
  };
}

/// As C++ converts, but for reals without a value in an integer type: they saturate, and NaN is 0.
template <typename Out, typename In>
Out cast(In value) noexcept {
  if constexpr (std::is_floating_point_v<In> && std::is_integral_v<Out>) {
    if (std::isnan(value)) return 0;
    // Both bounds are powers of two, or one less, which float rounds up to: >= is right for either.
    if (value >= static_cast<float>(std::numeric_limits<Out>::max())) return std::numeric_limits<Out>::max();
    if (value <= static_cast<float>(std::numeric_limits<Out>::min())) return std::numeric_limits<Out>::min();
  }
  return static_cast<Out>(value);
}

template <typename In, typename Out>
Run cast_run(bool from_bool, bool to_bool) {
  return [=](const Data& data) -> Result<void> {
    const auto values = data.in<In>(0);
    std::vector<Out> result(values.size());
    for (std::size_t i = 0; i < result.size(); ++i) {
      const bool truth = values[i] != In{0};
      result[i] = from_bool || to_bool ? static_cast<Out>(truth ? 1 : 0) : cast<Out>(values[i]);
    }
    data.store(0, result);
    return {};
  };
}

}  // namespace

Result<Run> prepare_quantize(const Call& call) {
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_shape(out, in.shape));
  Run run;
  for_type<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(out.type, [&](auto to) {
    using Out = decltype(to);
    for_type<float, std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(in.type, [&](auto from) {
      // Only once both are known to be quantised is the run made: it reads scales.
      if (out.quantization && (in.type == ElementType::kF32 || in.quantization)) run = quantize_run<decltype(from), Out>(in, out);
      else run = [](const Data&) -> Result<void> { return {}; };
    });
  });
  if (!run) return call.no_type();
  NARU_CHECK_OK(call.require_quantization(out));
  if (in.type != ElementType::kF32) NARU_CHECK_OK(call.require_quantization(in));
  return run;
}

Result<Run> prepare_dequantize(const Call& call) {
  const Tensor& in = call.in();
  NARU_CHECK_OK(call.require_shape(call.out(), in.shape));
  if (call.out().type != ElementType::kF32) return call.no_type();
  // TFLite Micro's kernel takes a tensor's first scale for all of it; the golden outputs have it so.
  Tensor first = in;
  if (first.quantization && first.quantization->per_channel()) first.quantization = graph::Quantization{{in.scale()}, {in.zero_point()}, 0};
  NARU_CHECK_OK(call.require_quantization(first));
  Run run;
  for_type<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(in.type, [&](auto from) { run = dequantize_run<decltype(from)>(in); });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_cast(const Call& call) {
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_shape(out, in.shape));
  const bool from_bool = in.type == ElementType::kBool;
  const bool to_bool = out.type == ElementType::kBool;
  Run run;
  for_type<std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t, float>(to_bool ? ElementType::kU8 : out.type, [&](auto to) {
    using Out = decltype(to);
    for_type<std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t, float>(
        from_bool ? ElementType::kU8 : in.type, [&](auto from) { run = cast_run<decltype(from), Out>(from_bool, to_bool); });
  });
  if (!run) return call.no_type();
  return run;
}

}  // namespace naru::sdk::host
