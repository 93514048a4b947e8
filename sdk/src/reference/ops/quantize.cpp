// QUANTIZE and DEQUANTIZE (numerics 16), CAST.
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "reference/arithmetic.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

template <typename In, typename Out>
void requantize(const Call& call) {
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) / static_cast<double>(call.output().scale()));
  const Bounds bounds = codes_of(call.output().type);
  const In* input = call.data<In>(0);
  Out* output = call.out<Out>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) {
    const std::int32_t difference = saturated(std::int64_t{input[i]} - call.input(0).zero_point());
    output[i] = static_cast<Out>(bounds.clamp(std::int64_t{apply(difference, rescale)} + call.output().zero_point()));
  }
}

template <typename Out>
void quantize_reals(const Call& call) {
  const Bounds bounds = codes_of(call.output().type);
  const auto* input = call.data<float>(0);
  Out* output = call.out<Out>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) {
    const double rounded = static_cast<double>(std::round(input[i] / call.output().scale()));
    const double code = std::isnan(rounded) ? call.output().zero_point() : rounded + call.output().zero_point();
    output[i] = static_cast<Out>(code < bounds.low ? bounds.low : code > bounds.high ? bounds.high : static_cast<std::int32_t>(code));
  }
}

/// TFLite Micro takes a tensor's first scale and zero point for all of it, per-channel weights included: that is what a golden model gives.
template <typename In>
void dequantize_codes(const Call& call) {
  const auto scale = static_cast<double>(call.input(0).scale());
  const std::int64_t zero = call.input(0).zero_point();
  const In* input = call.data<In>(0);
  auto* output = call.out<float>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) output[i] = static_cast<float>(scale * static_cast<double>(input[i] - zero));
}

/// C++'s conversion; what it leaves undefined saturates, and a NaN is 0.
template <typename Out, typename In>
Out converted(In value) {
  if constexpr (std::is_same_v<Out, Truth>) {
    return Truth(static_cast<bool>(value != In{}));
  } else if constexpr (std::is_floating_point_v<In> && std::is_integral_v<Out>) {
    const auto real = static_cast<double>(value);
    if (std::isnan(real)) return 0;
    // 2^63 is not a number of 64 bits, but the double nearest to the largest one.
    if (real >= static_cast<double>(std::numeric_limits<Out>::max())) return std::numeric_limits<Out>::max();
    if (real <= static_cast<double>(std::numeric_limits<Out>::lowest())) return std::numeric_limits<Out>::lowest();
    return static_cast<Out>(real);
  } else {
    return static_cast<Out>(value);
  }
}

}  // namespace

void quantize(const Call& call) {
  dispatch<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(call, call.output().type, [&](auto out) {
    using Out = decltype(out);
    if (call.input(0).type == abi::ElementType::kF32) return quantize_reals<Out>(call);
    dispatch<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(call, call.input(0).type, [&](auto in) { requantize<decltype(in), Out>(call); });
  });
}

void dequantize(const Call& call) {
  dispatch<std::int8_t, std::uint8_t, std::int16_t, std::int32_t>(call, call.input(0).type, [&](auto in) { dequantize_codes<decltype(in)>(call); });
}

void cast(const Call& call) {
  dispatch<float, std::int32_t, std::int64_t, std::int16_t, std::int8_t, std::uint8_t, Truth>(call, call.input(0).type, [&](auto in) {
    using In = std::conditional_t<std::is_same_v<decltype(in), Truth>, bool, decltype(in)>;
    const auto* input = call.data<decltype(in)>(0);
    dispatch<float, std::int32_t, std::int64_t, std::int16_t, std::int8_t, std::uint8_t, Truth>(call, call.output().type, [&](auto out) {
      auto* output = call.out<decltype(out)>();
      for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) output[i] = converted<decltype(out)>(static_cast<In>(input[i]));
    });
  });
}

}  // namespace naru::sdk::reference
