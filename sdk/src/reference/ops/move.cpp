// PAD, RESHAPE, CONCATENATION, TRANSPOSE: bytes move, codes stay (numerics 18).
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

/// Strides in elements, innermost 1.
std::vector<std::size_t> strides_of(const graph::Shape& shape) {
  std::vector<std::size_t> strides(shape.size());
  std::size_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= static_cast<std::size_t>(shape[d]);
  }
  return strides;
}

}  // namespace

void reshape(const Call& call) { std::copy(call.inputs[0].begin(), call.inputs[0].end(), call.result.begin()); }

void pad(const Call& call) {
  const auto& options = call.options<graph::PadOptions>();
  const graph::Shape& in = call.input(0).shape;
  const auto strides = strides_of(call.output().shape);
  const auto* input = call.data<std::int8_t>(0);
  auto* output = call.out<std::int8_t>();
  std::fill_n(output, call.result.size(), static_cast<std::int8_t>(call.output().zero_point()));
  std::vector<std::int32_t> at(in.size());
  for (std::size_t i = 0; i < call.inputs[0].size(); ++i) {
    std::size_t place = 0;
    for (std::size_t d = 0; d < in.size(); ++d) place += static_cast<std::size_t>(at[d] + options.before[d]) * strides[d];
    output[place] = input[i];
    for (std::size_t d = in.size(); d-- > 0 && ++at[d] == in[d];) at[d] = 0;
  }
}

void transpose(const Call& call) {
  const auto& permutation = call.options<graph::TransposeOptions>().permutation;
  const graph::Shape& out = call.output().shape;
  const auto strides = strides_of(call.input(0).shape);
  std::vector<std::int32_t> at(out.size());
  for (std::byte& target : call.result) {
    std::size_t place = 0;
    for (std::size_t d = 0; d < out.size(); ++d) place += static_cast<std::size_t>(at[d]) * strides[static_cast<std::size_t>(permutation[d])];
    target = call.inputs[0][place];
    for (std::size_t d = out.size(); d-- > 0 && ++at[d] == out[d];) at[d] = 0;
  }
}

void concatenation(const Call& call) {
  const auto axis = static_cast<std::size_t>(call.options<graph::ConcatenationOptions>().axis);
  const graph::Shape& out = call.output().shape;
  std::size_t outer = 1;
  for (std::size_t d = 0; d < axis; ++d) outer *= static_cast<std::size_t>(out[d]);
  std::byte* target = call.result.data();
  for (std::size_t o = 0; o < outer; ++o) {
    for (const auto& input : call.inputs) {
      const std::size_t bytes = input.size() / outer;
      std::memcpy(target, input.data() + o * bytes, bytes);
      target += bytes;
    }
  }
}

}  // namespace naru::sdk::reference
