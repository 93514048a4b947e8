// EQUAL to LESS_EQUAL, LOGICAL_AND, LOGICAL_OR, LOGICAL_NOT and SELECT.
#include <cstdint>
#include <cstring>

#include "reference/arithmetic.h"
#include "reference/ops/elements.h"

namespace naru::sdk::reference {
namespace {

template <typename T>
bool holds(graph::OperatorKind kind, T a, T b) {
  switch (kind) {
    case graph::OperatorKind::kEqual: return a == b;
    case graph::OperatorKind::kNotEqual: return a != b;
    case graph::OperatorKind::kLess: return a < b;
    case graph::OperatorKind::kLessEqual: return a <= b;
    case graph::OperatorKind::kGreater: return a > b;
    default: return a >= b;
  }
}

}  // namespace

/// Codes are compared after their scales: shifted by 8 bits and multiplied with the scale, each rounded (reference/comparisons.h).
void compare(const Call& call) {
  const graph::OperatorKind kind = call.op.kind;
  if (is_quantized(call.input(0)) && is_quantized(call.input(1))) {
    const Rescale of_a = rescale_by(static_cast<double>(call.input(0).scale()));
    const Rescale of_b = rescale_by(static_cast<double>(call.input(1).scale()));
    const std::int32_t zero_a = call.input(0).zero_point();
    const std::int32_t zero_b = call.input(1).zero_point();
    return dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
      using Code = decltype(code);
      for_pairs<Code, Truth>(call, [&](Code a, Code b) { return holds(kind, apply((a - zero_a) * 256, of_a), apply((b - zero_b) * 256, of_b)); });
    });
  }
  dispatch<float, std::int32_t, std::int64_t, std::int16_t, std::int8_t, std::uint8_t, Truth>(call, call.input(0).type, [&](auto number) {
    using Number = decltype(number);
    using Compared = std::conditional_t<std::is_same_v<Number, Truth>, bool, Number>;
    for_pairs<Number, Truth>(call, [&](Compared a, Compared b) { return holds<Compared>(kind, a, b); });
  });
}

void logical(const Call& call) {
  if (call.op.kind == graph::OperatorKind::kLogicalNot) {
    auto* output = call.out<Truth>();
    for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) output[i] = Truth(!call.data<Truth>(0)[i]);
    return;
  }
  const bool both = call.op.kind == graph::OperatorKind::kLogicalAnd;
  for_pairs<Truth, Truth>(call, [&](bool a, bool b) { return both ? a && b : a || b; });
}

void select(const Call& call) {
  const graph::Shape& out = call.output().shape;
  graph::Shape condition_shape = call.input(0).shape;
  // SELECT's older form: a vector that chooses along the first dimension.
  if (!broadcasts(condition_shape, out)) condition_shape.resize(out.size(), 1);
  const Broadcast from_condition(condition_shape, out);
  const Broadcast from_a(call.input(1).shape, out);
  const Broadcast from_b(call.input(2).shape, out);
  const std::size_t bytes = abi::element_bytes(call.output().type);
  const auto* condition = call.data<Truth>(0);
  for (std::size_t i = 0; i < graph::element_count(out); ++i) {
    const std::byte* source = condition[from_condition[i]] ? call.data<std::byte>(1) + from_a[i] * bytes : call.data<std::byte>(2) + from_b[i] * bytes;
    std::memcpy(call.out<std::byte>() + i * bytes, source, bytes);
  }
}

}  // namespace naru::sdk::reference
