// AVERAGE_POOL_2D and MAX_POOL_2D (numerics 8).
#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/real.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

/// For each output element: finish(fold over the values inside the window, how many).
template <typename Value, typename Sum, typename Fold, typename Finish>
void pool(const Call& call, Sum start, const Fold& fold, const Finish& finish) {
  const auto& options = call.options<graph::PoolOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  const auto* input = call.data<Value>(0);
  auto* output = call.out<Value>();
  const std::int64_t before_h = taps_before(options.padding, in[1], options.filter_h, options.stride_h, 1, out[1]);
  const std::int64_t before_w = taps_before(options.padding, in[2], options.filter_w, options.stride_w, 1, out[2]);
  std::vector<Sum> sums(static_cast<std::size_t>(in[3]));
  for (std::int64_t n = 0; n < out[0]; ++n) {
    for (std::int64_t row = 0; row < out[1]; ++row) {
      for (std::int64_t column = 0; column < out[2]; ++column) {
        const std::int64_t top = std::max<std::int64_t>(row * options.stride_h - before_h, 0);
        const std::int64_t bottom = std::min<std::int64_t>(row * options.stride_h - before_h + options.filter_h, in[1]);
        const std::int64_t left = std::max<std::int64_t>(column * options.stride_w - before_w, 0);
        const std::int64_t right = std::min<std::int64_t>(column * options.stride_w - before_w + options.filter_w, in[2]);
        const auto count = static_cast<std::int32_t>((bottom - top) * (right - left));
        std::fill(sums.begin(), sums.end(), start);
        for (std::int64_t y = top; y < bottom; ++y) {
          for (std::int64_t x = left; x < right; ++x) {
            const Value* pixel = input + ((n * in[1] + y) * in[2] + x) * in[3];
            for (std::size_t c = 0; c < sums.size(); ++c) sums[c] = fold(sums[c], static_cast<Sum>(pixel[c]));
          }
        }
        for (Sum sum : sums) *output++ = finish(sum, count);
      }
    }
  }
}

}  // namespace

void average_pool_2d(const Call& call) {
  const auto activation = call.options<graph::PoolOptions>().activation;
  if (call.input(0).type == abi::ElementType::kF32) {
    const RealBounds bounds = real_bounds_of(activation);
    const auto add = [](float sum, float value) { return sum + value; };
    return pool<float>(call, 0.0F, add, [&](float sum, std::int32_t count) { return bounds.clamp(sum / static_cast<float>(count)); });
  }
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    const Bounds bounds = bounds_of(activation, call.output());
    const auto add = [](std::int32_t sum, std::int32_t value) { return sum + value; };
    pool<Code>(call, std::int32_t{0}, add, [&](std::int32_t sum, std::int32_t count) {
      const std::int32_t half = std::is_unsigned_v<Code> || sum > 0 ? count / 2 : -(count / 2);
      return static_cast<Code>(bounds.clamp((std::int64_t{sum} + half) / count));
    });
  });
}

void max_pool_2d(const Call& call) {
  const auto activation = call.options<graph::PoolOptions>().activation;
  if (call.input(0).type == abi::ElementType::kF32) {
    const RealBounds bounds = real_bounds_of(activation);
    const auto larger = [](float best, float value) { return std::max(best, value); };
    return pool<float>(call, std::numeric_limits<float>::lowest(), larger, [&](float best, std::int32_t) { return bounds.clamp(best); });
  }
  dispatch<std::int8_t, std::uint8_t, std::int16_t>(call, call.input(0).type, [&](auto code) {
    using Code = decltype(code);
    const Bounds bounds = bounds_of(activation, call.output());
    const auto larger = [](std::int32_t best, std::int32_t value) { return std::max(best, value); };
    pool<Code>(call, std::int32_t{std::numeric_limits<Code>::min()}, larger,
               [&](std::int32_t best, std::int32_t) { return static_cast<Code>(bounds.clamp(best)); });
  });
}

}  // namespace naru::sdk::reference
