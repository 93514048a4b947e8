// AVERAGE_POOL_2D, MAX_POOL_2D (numerics 8) and MEAN (numerics 15).
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

/// For each output element: fold(codes inside the window, how many) and clamp.
template <typename Start, typename Fold, typename Finish>
void pool(const Call& call, const Start& start, const Fold& fold, const Finish& finish) {
  const auto& options = call.options<graph::PoolOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  const Bounds bounds = bounds_of(options.activation, call.output());
  const auto* input = call.data<std::int8_t>(0);
  auto* output = call.out<std::int8_t>();
  const std::int64_t before_h = taps_before(options.padding, in[1], options.filter_h, options.stride_h, 1, out[1]);
  const std::int64_t before_w = taps_before(options.padding, in[2], options.filter_w, options.stride_w, 1, out[2]);
  for (std::int64_t n = 0; n < out[0]; ++n) {
    for (std::int64_t row = 0; row < out[1]; ++row) {
      for (std::int64_t column = 0; column < out[2]; ++column) {
        const std::int64_t top = std::max<std::int64_t>(row * options.stride_h - before_h, 0);
        const std::int64_t bottom = std::min<std::int64_t>(row * options.stride_h - before_h + options.filter_h, in[1]);
        const std::int64_t left = std::max<std::int64_t>(column * options.stride_w - before_w, 0);
        const std::int64_t right = std::min<std::int64_t>(column * options.stride_w - before_w + options.filter_w, in[2]);
        const std::int64_t count = (bottom - top) * (right - left);
        for (std::int64_t c = 0; c < in[3]; ++c) {
          std::int32_t value = start;
          for (std::int64_t y = top; y < bottom; ++y)
            for (std::int64_t x = left; x < right; ++x) value = fold(value, std::int32_t{input[((n * in[1] + y) * in[2] + x) * in[3] + c]});
          *output++ = static_cast<std::int8_t>(bounds.clamp(finish(value, static_cast<std::int32_t>(count))));
        }
      }
    }
  }
}

}  // namespace

void average_pool_2d(const Call& call) {
  pool(
      call, 0, [](std::int32_t sum, std::int32_t code) { return sum + code; },
      [](std::int32_t sum, std::int32_t count) { return sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count; });
}

void max_pool_2d(const Call& call) {
  pool(
      call, -128, [](std::int32_t best, std::int32_t code) { return std::max(best, code); }, [](std::int32_t best, std::int32_t) { return best; });
}

void mean(const Call& call) {
  const auto& options = call.options<graph::ReduceOptions>();
  const graph::Shape& in = call.input(0).shape;
  // The kept dimensions' strides in the output; 0 along the reduced ones.
  std::vector<std::size_t> strides(in.size());
  std::size_t outputs = 1;
  std::int64_t count = 1;
  for (std::size_t d = in.size(); d-- > 0;) {
    if (std::find(options.axes.begin(), options.axes.end(), static_cast<std::int32_t>(d)) != options.axes.end()) {
      count *= in[d];
    } else {
      strides[d] = outputs;
      outputs *= static_cast<std::size_t>(in[d]);
    }
  }
  std::vector<std::int32_t> sums(outputs);
  const auto* input = call.data<std::int8_t>(0);
  std::vector<std::int32_t> index(in.size());
  for (std::size_t i = 0; i < graph::element_count(in); ++i) {
    std::size_t place = 0;
    for (std::size_t d = 0; d < in.size(); ++d) place += static_cast<std::size_t>(index[d]) * strides[d];
    sums[place] += input[i];
    for (std::size_t d = in.size(); d-- > 0 && ++index[d] == in[d];) index[d] = 0;
  }

  // The division by count goes into the multiplier.
  Rescale rescale = rescale_by(static_cast<double>(call.input(0).scale()) / static_cast<double>(call.output().scale()));
  const int shift = std::min({63 - std::countl_zero(static_cast<std::uint64_t>(count)), 32, 31 + rescale.shift});
  rescale.multiplier = static_cast<std::int32_t>((std::int64_t{rescale.multiplier} << shift) / count);
  rescale.shift -= shift;
  const Bounds bounds = codes_of(call.output().type);
  const std::int64_t zero_sum = count * call.input(0).zero_point();
  auto* output = call.out<std::int8_t>();
  for (std::size_t i = 0; i < outputs; ++i)
    output[i] = static_cast<std::int8_t>(bounds.clamp(std::int64_t{apply(static_cast<std::int32_t>(sums[i] - zero_sum), rescale)} + call.output().zero_point()));
}

}  // namespace naru::sdk::reference
