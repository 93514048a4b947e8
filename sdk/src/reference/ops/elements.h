// Elementwise operators of two operands that broadcast.
#pragma once

#include <cstdint>
#include <type_traits>

#include "reference/ops/shapes.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {

/// output[i] = combine(a, b) of the operands' elements that broadcast to i.
template <typename In, typename Out, typename Combine>
void for_pairs(const Call& call, const Combine& combine) {
  const graph::Shape& shape = call.output().shape;
  const Broadcast from_a(call.input(0).shape, shape);
  const Broadcast from_b(call.input(1).shape, shape);
  const auto* a = call.data<In>(0);
  const auto* b = call.data<In>(1);
  auto* output = call.out<Out>();
  const std::size_t count = graph::element_count(shape);
  for (std::size_t i = 0; i < count; ++i) output[i] = static_cast<Out>(combine(a[from_a[i]], b[from_b[i]]));
}

/// Whether integers of this tensor stand for reals.
[[nodiscard]] inline bool is_quantized(const graph::Tensor& tensor) {
  return tensor.quantization.has_value() &&
         (tensor.type == abi::ElementType::kI8 || tensor.type == abi::ElementType::kU8 || tensor.type == abi::ElementType::kI16);
}

/// The sum, difference or product of integers, which wraps.
template <typename T, typename Operation>
T wrapping(T a, T b, const Operation& operation) {
  if constexpr (std::is_floating_point_v<T>)
    return operation(a, b);
  else
    return static_cast<T>(operation(static_cast<std::uint64_t>(std::int64_t{a}), static_cast<std::uint64_t>(std::int64_t{b})));
}

}  // namespace naru::sdk::reference
