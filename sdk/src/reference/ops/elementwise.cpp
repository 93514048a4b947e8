// ADD, MUL with broadcasting (numerics 9, 10), RELU and RELU6 (14), QUANTIZE and DEQUANTIZE (16).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

/// For each element of the output the element of an operand that broadcasts to it.
std::vector<std::size_t> broadcast_indices(const graph::Shape& operand, const graph::Shape& output) {
  std::vector<std::size_t> strides(output.size());
  std::size_t stride = 1;
  for (std::size_t i = 1; i <= operand.size(); ++i) {
    const std::int32_t extent = operand[operand.size() - i];
    strides[output.size() - i] = extent == 1 ? 0 : stride;
    stride *= static_cast<std::size_t>(extent);
  }
  std::vector<std::size_t> indices(graph::element_count(output));
  std::vector<std::int32_t> at(output.size());
  for (std::size_t& index : indices) {
    for (std::size_t d = 0; d < output.size(); ++d) index += static_cast<std::size_t>(at[d]) * strides[d];
    for (std::size_t d = output.size(); d-- > 0 && ++at[d] == output[d];) at[d] = 0;
  }
  return indices;
}

/// output = clamp(combine(a - zero, b - zero) + zero)
template <typename Combine>
void binary(const Call& call, const Combine& combine) {
  const auto from_a = broadcast_indices(call.input(0).shape, call.output().shape);
  const auto from_b = broadcast_indices(call.input(1).shape, call.output().shape);
  const auto* a = call.data<std::int8_t>(0);
  const auto* b = call.data<std::int8_t>(1);
  const Bounds bounds = bounds_of(call.options<graph::ElementwiseOptions>().activation, call.output());
  auto* output = call.out<std::int8_t>();
  for (std::size_t i = 0; i < from_a.size(); ++i) {
    const std::int32_t value = combine(a[from_a[i]] - call.input(0).zero_point(), b[from_b[i]] - call.input(1).zero_point());
    output[i] = static_cast<std::int8_t>(bounds.clamp(std::int64_t{value} + call.output().zero_point()));
  }
}

template <typename In, typename Out>
void requantize(const Call& call) {
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) / static_cast<double>(call.output().scale()));
  const Bounds bounds = codes_of(call.output().type);
  const In* input = call.data<In>(0);
  Out* output = call.out<Out>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i)
    output[i] = static_cast<Out>(bounds.clamp(std::int64_t{apply(input[i] - call.input(0).zero_point(), rescale)} + call.output().zero_point()));
}

template <typename Out>
void quantize_float(const Call& call) {
  const Bounds bounds = codes_of(call.output().type);
  const auto* input = call.data<float>(0);
  Out* output = call.out<Out>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) {
    const double rounded = static_cast<double>(std::round(input[i] / call.output().scale()));
    const double code = std::isnan(rounded) ? call.output().zero_point() : rounded + call.output().zero_point();
    output[i] = static_cast<Out>(code < bounds.low ? bounds.low : code > bounds.high ? bounds.high : static_cast<std::int32_t>(code));
  }
}

template <typename In>
void dequantize_codes(const Call& call) {
  const double scale = static_cast<double>(call.input(0).scale());
  const In* input = call.data<In>(0);
  auto* output = call.out<float>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) output[i] = static_cast<float>(scale * (input[i] - call.input(0).zero_point()));
}

}  // namespace

void add(const Call& call) {
  const double a_scale = static_cast<double>(call.input(0).scale());
  const double b_scale = static_cast<double>(call.input(1).scale());
  const double twice_max = 2.0 * std::max(a_scale, b_scale);
  const Rescale of_a = rescale_by(a_scale / twice_max);
  const Rescale of_b = rescale_by(b_scale / twice_max);
  const Rescale of_sum = rescale_by(twice_max / (1048576.0 * static_cast<double>(call.output().scale())));
  binary(call, [&](std::int32_t a, std::int32_t b) { return apply(apply(a * 1048576, of_a) + apply(b * 1048576, of_b), of_sum); });
}

void mul(const Call& call) {
  const Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) * static_cast<double>(call.input(1).scale()) / static_cast<double>(call.output().scale()));
  binary(call, [&](std::int32_t a, std::int32_t b) { return apply(a * b, rescale); });
}

void relu(const Call& call) {
  const bool six = call.op.kind == graph::OperatorKind::kRelu6;
  const Bounds bounds = bounds_of(six ? graph::Activation::kRelu6 : graph::Activation::kRelu, call.output());
  const Rescale rescale = rescale_by(static_cast<double>(static_cast<float>(call.input(0).scale() / call.output().scale())));
  const auto* input = call.data<std::int8_t>(0);
  auto* output = call.out<std::int8_t>();
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i)
    output[i] = static_cast<std::int8_t>(bounds.clamp(std::int64_t{apply(input[i] - call.input(0).zero_point(), rescale)} + call.output().zero_point()));
}

void quantize(const Call& call) {
  const bool to_u8 = call.output().type == abi::ElementType::kU8;
  switch (call.input(0).type) {
    case abi::ElementType::kF32: to_u8 ? quantize_float<std::uint8_t>(call) : quantize_float<std::int8_t>(call); break;
    case abi::ElementType::kU8: to_u8 ? requantize<std::uint8_t, std::uint8_t>(call) : requantize<std::uint8_t, std::int8_t>(call); break;
    default: to_u8 ? requantize<std::int8_t, std::uint8_t>(call) : requantize<std::int8_t, std::int8_t>(call); break;
  }
}

void dequantize(const Call& call) {
  if (call.input(0).type == abi::ElementType::kU8) dequantize_codes<std::uint8_t>(call);
  else dequantize_codes<std::int8_t>(call);
}

}  // namespace naru::sdk::reference
