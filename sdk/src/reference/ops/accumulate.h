// What sums of products share (CONV_2D, DEPTHWISE_CONV_2D, TRANSPOSE_CONV, FULLY_CONNECTED, BATCH_MATMUL): codes without their zero points, and what
// follows the accumulator.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/call.h"
#include "reference/ops/real.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {

/// Codes minus their zero point. As int16, so that compilers can vectorise plain loops; 16-bit codes have zero point 0.
template <typename Code>
std::vector<std::int16_t> differences(const Code* codes, std::size_t count, std::int32_t zero_point) {
  std::vector<std::int16_t> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<std::int16_t>(codes[i] - zero_point);
  return result;
}
inline std::vector<float> differences(const float* values, std::size_t count, std::int32_t /*zero_point*/) { return {values, values + count}; }

/// How many products of differences 32 bits hold: of 8-bit codes 2^15, of a 16-bit and an 8-bit one 2^8, of 16-bit ones 1.
template <typename A, typename B>
inline constexpr std::size_t kProductsPerPiece = sizeof(A) == 1 && sizeof(B) == 1 ? std::size_t{1} << 15
                                                 : sizeof(A) + sizeof(B) == 3     ? 255
                                                                                  : 1;

/// Sum of products; longer rows are summed in pieces of 32 bits.
template <std::size_t Piece>
std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::size_t count) {
  std::int64_t total = 0;
  if constexpr (Piece == 1) {
    for (std::size_t i = 0; i < count; ++i) total += std::int64_t{a[i]} * b[i];
  } else {
    for (std::size_t begin = 0; begin < count; begin += Piece) {
      const std::size_t end = std::min(begin + Piece, count);
      std::int32_t sum = 0;
      for (std::size_t i = begin; i < end; ++i) sum += a[i] * b[i];
      total += sum;
    }
  }
  return total;
}

/// Which operands an operator of this family has where.
struct Places {
  std::size_t input = 0;
  std::size_t filter = 1;
  std::size_t bias = 2;
};

/// What follows the accumulator, per output channel: numerics 3 and 24 say in which precision the factor is computed, 5 that 16-bit operators
/// accumulate in 64 bits.
template <typename Out>
class Finish {
 public:
  Finish(const Call& call, std::size_t channels, graph::Activation activation, const Places& places = {})
      : zero_point_(call.output().zero_point()), bounds_(bounds_of(activation, call.output())), bias_(channels) {
    const graph::Tensor& input = call.input(places.input);
    const graph::Tensor& filter = call.input(places.filter);
    const std::vector<float> scales = filter.quantization ? filter.quantization->scales : std::vector<float>{1.0F};
    const graph::OperatorKind kind = call.op.kind;
    const bool per_tensor = kind == graph::OperatorKind::kFullyConnected || kind == graph::OperatorKind::kBatchMatmul || input.type == abi::ElementType::kU8;
    for (std::size_t c = 0; c < channels; ++c) {
      const float weight = scales[scales.size() == 1 ? 0 : c];
      const double product = per_tensor && scales.size() == 1 ? static_cast<double>(static_cast<float>(input.scale() * weight))
                                                              : static_cast<double>(input.scale()) * static_cast<double>(weight);
      rescales_.push_back(rescale_by(product / static_cast<double>(call.output().scale())));
    }
    if (!call.has(places.bias)) return;
    const bool wide = call.input(places.bias).type == abi::ElementType::kI64;
    for (std::size_t c = 0; c < channels; ++c)
      bias_[c] = wide ? call.data<std::int64_t>(places.bias)[c] : std::int64_t{call.data<std::int32_t>(places.bias)[c]};
  }

  [[nodiscard]] Out operator()(std::int64_t sum, std::size_t channel) const {
    sum = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) + static_cast<std::uint64_t>(bias_[channel]));
    // An 8-bit operator's accumulator has 32 bits, which wrap.
    const std::int32_t scaled = sizeof(Out) == 1 ? apply(static_cast<std::int32_t>(sum), rescales_[channel]) : apply_wide(sum, rescales_[channel]);
    return static_cast<Out>(bounds_.clamp(std::int64_t{scaled} + zero_point_));
  }

 private:
  std::int32_t zero_point_;
  Bounds bounds_;
  std::vector<std::int64_t> bias_;
  std::vector<Rescale> rescales_;
};

/// The same for float.
class RealFinish {
 public:
  RealFinish(const Call& call, graph::Activation activation, const Places& places = {})
      : bias_(call.data<float>(places.bias)), bounds_(real_bounds_of(activation)) {}
  [[nodiscard]] float operator()(float sum, std::size_t channel) const { return bounds_.clamp(bias_ == nullptr ? sum : sum + bias_[channel]); }

 private:
  const float* bias_;
  RealBounds bounds_;
};

/// Calls run(input code, filter code) with the element types of a quantised operator of this family.
template <typename Run>
void dispatch_codes(const Call& call, const Places& places, const Run& run) {
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(places.input).type, [&](auto in) {
    dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(places.filter).type, [&](auto weight) { run(in, weight); });
  });
}

}  // namespace naru::sdk::reference
