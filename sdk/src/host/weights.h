// What operators with weights share: accumulators by type, and what makes results of them (numerics 3, 5, 6, 24).
#pragma once

#include "host/call.h"

namespace naru::sdk::host {

/// How elements of In and Weight are multiplied and summed. Whole numbers wrap: real models never come near, and hostile ones do no harm.
template <typename In, typename Weight>
struct Sum {
  static constexpr bool kReal = std::is_same_v<In, float>;
  static constexpr bool kWide = std::is_same_v<In, std::int16_t>;
  using Term = std::conditional_t<kReal, float, std::conditional_t<kWide, std::int64_t, std::int32_t>>;
  using Total = std::conditional_t<kReal, float, std::conditional_t<kWide, std::uint64_t, std::uint32_t>>;
};

/// From the totals of `channels` to results, with bias: float adds it and bounds, codes rescale too.
struct Finish {
  std::vector<numerics::Multiplier> multipliers;  // codes
  std::int32_t zero = 0;
  numerics::Range range;
  std::pair<float, float> bounds;  // float
};

/// Numerics 5: sums of 64 bits by a multiplier of 16.
[[nodiscard]] inline std::int64_t rescale_wide(std::int64_t total, numerics::Multiplier multiplier) noexcept {
  const std::int64_t reduced = multiplier.value < 0x7FFF0000 ? (multiplier.value + (1 << 15)) >> 16 : 0x7FFF;
  const int shift = std::clamp(15 - multiplier.shift, 1, 62);
  // Sums past 47 bits are no model's; their product would not fit.
  const std::int64_t bounded_total = std::clamp<std::int64_t>(total, -(std::int64_t{1} << 47), (std::int64_t{1} << 47) - 1);
  return (bounded_total * reduced + (std::int64_t{1} << (shift - 1))) >> shift;
}

/// 0 for reals, whatever a file says beside them.
template <typename Term>
[[nodiscard]] Term zero_of(const Tensor& tensor) noexcept {
  return std::is_floating_point_v<Term> ? Term{0} : static_cast<Term>(tensor.zero_point());
}

/// The bias of a channel as a total; 0 without one.
template <typename Total>
[[nodiscard]] std::vector<Total> bias_of(const Data& data, std::size_t index, ElementType type, std::size_t channels) {
  std::vector<Total> bias(channels, Total{0});
  if (data.bytes(index).empty()) return bias;
  const auto take = [&](auto sample) {
    const auto values = data.in<decltype(sample)>(index);
    for (std::size_t c = 0; c < channels; ++c) bias[c] = static_cast<Total>(values[c]);
  };
  if constexpr (std::is_same_v<Total, float>) take(float{});
  else if (type == ElementType::kI64) take(std::int64_t{});
  else take(std::int32_t{});
  return bias;
}

template <typename In, typename Total>
[[nodiscard]] In finished(const Finish& finish, std::size_t channel, Total total, Total bias) noexcept {
  if constexpr (std::is_same_v<In, float>) return bounded<float>(total + bias, finish.bounds);
  else if constexpr (sizeof(Total) == 8)
    return clamp_code<In>(rescale_wide(static_cast<std::int64_t>(total + bias), finish.multipliers[channel]) + finish.zero, finish.range);
  else
    return clamp_code<In>(std::int64_t{numerics::multiply_by_quantized_multiplier(static_cast<std::int32_t>(total + bias), finish.multipliers[channel])} + finish.zero, finish.range);
}

/// Types and quantisation of input, filter, bias (index `bias`, may be left out) and result; the filter's channels are its dimension `axis`.
Result<Finish> finish_of(const Call& call, std::size_t input, std::size_t filter, std::size_t bias, std::size_t channels, std::int32_t axis, graph::Activation activation);

/// f(In{}, Weight{}) for the pairs that have kernels.
template <typename F>
bool for_weights(const Call& call, std::size_t input, std::size_t filter, F&& f) {
  const ElementType in = call.in(input).type;
  const ElementType weight = call.in(filter).type;
  if (in == ElementType::kF32 && weight == ElementType::kF32) f(float{}, float{});
  else if (in == ElementType::kI8 && weight == ElementType::kI8) f(std::int8_t{}, std::int8_t{});
  else if (in == ElementType::kU8 && weight == ElementType::kU8) f(std::uint8_t{}, std::uint8_t{});
  else if (in == ElementType::kI16 && weight == ElementType::kI8) f(std::int16_t{}, std::int8_t{});
  else return false;
  return true;
}

}  // namespace naru::sdk::host
