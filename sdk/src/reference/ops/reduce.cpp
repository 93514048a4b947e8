// MEAN and SUM (numerics 15), REDUCE_MAX and REDUCE_MIN, ARG_MAX and ARG_MIN (numerics 23).
#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/shapes.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

/// Folds the input into one value per output element, in the input's order; count is how many each output has.
template <typename Value, typename Sum>
struct Folded {
  std::vector<Sum> values;
  std::int64_t count = 1;

  template <typename Fold>
  Folded(const Call& call, Sum start, const Fold& fold) {
    const auto& axes = call.options<graph::ReduceOptions>().axes;
    const graph::Shape& in = call.input(0).shape;
    // The kept dimensions' strides in the output; 0 along the reduced ones.
    std::vector<std::int64_t> strides(in.size());
    std::int64_t outputs = 1;
    for (std::size_t d = in.size(); d-- > 0;) {
      if (std::find(axes.begin(), axes.end(), static_cast<std::int32_t>(d)) != axes.end()) {
        count *= in[d];
      } else {
        strides[d] = outputs;
        outputs *= in[d];
      }
    }
    values.assign(static_cast<std::size_t>(outputs), start);
    const auto* input = call.data<Value>(0);
    for_each_index(in, [&](std::span<const std::int32_t> at) {
      Sum& value = values[static_cast<std::size_t>(offset_of(at, strides))];
      value = fold(value, static_cast<Sum>(*input++));
    });
  }
};

template <typename T>
T wrapping_sum(T a, T b) {
  if constexpr (std::is_floating_point_v<T>)
    return a + b;
  else
    return static_cast<T>(static_cast<std::make_unsigned_t<T>>(a) + static_cast<std::make_unsigned_t<T>>(b));
}

template <typename Code>
void sum_codes(const Call& call, bool mean) {
  const Folded<Code, std::int32_t> folded(call, 0, wrapping_sum<std::int32_t>);
  Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) / static_cast<double>(call.output().scale()));
  if (mean) {
    // The division by count goes into the multiplier.
    const int shift = std::min({63 - std::countl_zero(static_cast<std::uint64_t>(folded.count)), 32, 31 + rescale.shift});
    rescale.multiplier = static_cast<std::int32_t>(std::int64_t{rescale.multiplier} * (std::int64_t{1} << shift) / folded.count);
    rescale.shift -= shift;
  }
  const Bounds bounds = codes_of(call.output().type);
  const std::int64_t zero_sum = folded.count * call.input(0).zero_point();
  auto* output = call.out<Code>();
  for (std::int32_t sum : folded.values)
    *output++ = static_cast<Code>(bounds.clamp(std::int64_t{apply(static_cast<std::int32_t>(sum - zero_sum), rescale)} + call.output().zero_point()));
}

/// Of numbers that are not codes.
template <typename Value, typename Sum>
void sum_numbers(const Call& call, bool mean) {
  const Folded<Value, Sum> folded(call, Sum{}, wrapping_sum<Sum>);
  auto* output = call.out<Value>();
  for (Sum sum : folded.values) *output++ = static_cast<Value>(mean ? sum / static_cast<Sum>(folded.count) : sum);
}

void sum_or_mean(const Call& call, bool is_mean) {
  if (call.input(0).quantization && call.input(0).type != abi::ElementType::kI32)
    return dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) { sum_codes<decltype(code)>(call, is_mean); });
  dispatch<float, std::int32_t, std::int64_t, std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto value) {
    using Value = decltype(value);
    sum_numbers<Value, std::conditional_t<std::is_floating_point_v<Value>, float, std::int64_t>>(call, is_mean);
  });
}

template <typename Better>
void extreme(const Call& call, bool largest, const Better& better) {
  dispatch<std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t, float>(call, call.input(0).type, [&](auto value) {
    using Value = decltype(value);
    const Value start = largest ? std::numeric_limits<Value>::lowest() : std::numeric_limits<Value>::max();
    const Folded<Value, Value> folded(call, start, [&](Value best, Value next) { return better(next, best) ? next : best; });
    std::copy(folded.values.begin(), folded.values.end(), call.out<Value>());
  });
}

template <typename Better>
void arg_extreme(const Call& call, const Better& better) {
  const auto axis = static_cast<std::size_t>(call.options<graph::AxisOptions>().axis);
  const graph::Shape& in = call.input(0).shape;
  const std::size_t outer = product_of(in, 0, axis);
  const auto extent = static_cast<std::size_t>(in[axis]);
  const std::size_t inner = product_of(in, axis + 1, in.size());
  dispatch<std::int8_t, std::uint8_t, std::int16_t, std::int32_t, std::int64_t, float, Truth>(call, call.input(0).type, [&](auto value) {
    const auto* input = call.data<decltype(value)>(0);
    dispatch<std::int32_t, std::int64_t>(call, call.output().type, [&](auto index) {
      auto* output = call.out<decltype(index)>();
      for (std::size_t o = 0; o < outer; ++o) {
        for (std::size_t i = 0; i < inner; ++i) {
          const auto* row = input + o * extent * inner + i;
          std::size_t best = 0;
          for (std::size_t k = 1; k < extent; ++k)
            if (better(row[k * inner], row[best * inner])) best = k;
          *output++ = static_cast<decltype(index)>(best);
        }
      }
    });
  });
}

}  // namespace

void mean(const Call& call) { sum_or_mean(call, true); }
void sum(const Call& call) { sum_or_mean(call, false); }
void reduce_max(const Call& call) {
  extreme(call, true, [](auto a, auto b) { return a > b; });
}
void reduce_min(const Call& call) {
  extreme(call, false, [](auto a, auto b) { return a < b; });
}
void arg_max(const Call& call) {
  arg_extreme(call, [](auto a, auto b) { return a > b; });
}
void arg_min(const Call& call) {
  arg_extreme(call, [](auto a, auto b) { return a < b; });
}

}  // namespace naru::sdk::reference
