// CONV_2D and DEPTHWISE_CONV_2D (numerics 3, 5, 24): zero points are subtracted first, then everything is a sum of products.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "reference/ops/accumulate.h"
#include "reference/ops/shapes.h"

namespace naru::sdk::reference {
namespace {

/// Calls tap(kernel row, kernel column, pixel index in the image) for each tap of the window of output (row, column) that is inside the image.
template <typename Tap>
void for_taps(const Call& call, const graph::ConvOptions& options, std::int64_t row, std::int64_t column, const Tap& tap) {
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& filter = call.input(1).shape;
  const graph::Shape& out = call.output().shape;
  const std::int64_t top = row * options.stride_h - taps_before(options.padding, in[1], filter[1], options.stride_h, options.dilation_h, out[1]);
  const std::int64_t left = column * options.stride_w - taps_before(options.padding, in[2], filter[2], options.stride_w, options.dilation_w, out[2]);
  for (std::int64_t ky = 0; ky < filter[1]; ++ky) {
    const std::int64_t y = top + ky * options.dilation_h;
    if (y < 0 || y >= in[1]) continue;
    for (std::int64_t kx = 0; kx < filter[2]; ++kx) {
      const std::int64_t x = left + kx * options.dilation_w;
      if (x < 0 || x >= in[2]) continue;
      tap(ky, kx, y * in[2] + x);
    }
  }
}

/// Calls accumulate(sums, taken pixel, kernel row, kernel column) for every tap of every output pixel, then writes finish(sum, channel).
template <typename Sum, typename Value, typename Out, typename Accumulate, typename Finishing>
void convolve(const Call& call, const std::vector<Value>& input, std::size_t channels, Out* output, const Accumulate& accumulate, const Finishing& finish) {
  const auto& options = call.options<graph::ConvOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  std::vector<Sum> sums(channels);
  for (std::int64_t n = 0; n < out[0]; ++n) {
    const Value* image = input.data() + n * in[1] * in[2] * in[3];
    for (std::int64_t row = 0; row < out[1]; ++row) {
      for (std::int64_t column = 0; column < out[2]; ++column) {
        std::fill(sums.begin(), sums.end(), Sum{});
        for_taps(call, options, row, column,
                 [&](std::int64_t ky, std::int64_t kx, std::int64_t pixel) { accumulate(sums.data(), image + pixel * in[3], ky, kx); });
        for (std::size_t c = 0; c < channels; ++c) *output++ = finish(sums[c], c);
      }
    }
  }
}

template <typename In, typename Weight>
void conv_codes(const Call& call) {
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& filter = call.input(1).shape;
  const auto input = differences(call.data<In>(0), graph::element_count(in), call.input(0).zero_point());
  const auto weights = differences(call.data<Weight>(1), graph::element_count(filter), call.input(1).zero_point());
  const auto channels = static_cast<std::size_t>(filter[0]);
  const auto depth = static_cast<std::size_t>(filter[3]);
  const std::size_t channels_per_group = channels / (static_cast<std::size_t>(in[3]) / depth);
  const Finish<In> finish(call, channels, call.options<graph::ConvOptions>().activation);
  const std::size_t row_size = product_of(filter, 1, 4);
  convolve<std::int64_t>(
      call, input, channels, call.out<In>(),
      [&](std::int64_t* sums, const std::int16_t* pixel, std::int64_t ky, std::int64_t kx) {
        const std::int16_t* weight = weights.data() + (ky * filter[2] + kx) * filter[3];
        for (std::size_t c = 0; c < channels; ++c)
          sums[c] += dot<kProductsPerPiece<In, Weight>>(pixel + (c / channels_per_group) * depth, weight + c * row_size, depth);
      },
      finish);
}

/// Each channel's sum is one chain of float additions over rows, columns and depth; channels beside each other vectorise.
void conv_reals(const Call& call) {
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& filter = call.input(1).shape;
  const auto input = differences(call.data<float>(0), graph::element_count(in), 0);
  const auto channels = static_cast<std::size_t>(filter[0]);
  const auto depth = static_cast<std::size_t>(filter[3]);
  const std::size_t groups = static_cast<std::size_t>(in[3]) / depth;
  const std::size_t channels_per_group = channels / groups;
  // Weights as [row][column][depth][channel].
  const std::size_t taps = product_of(filter, 1, 4);
  std::vector<float> weights(channels * taps);
  const auto* filter_data = call.data<float>(1);
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t t = 0; t < taps; ++t) weights[t * channels + c] = filter_data[c * taps + t];
  const RealFinish finish(call, call.options<graph::ConvOptions>().activation);
  convolve<float>(
      call, input, channels, call.out<float>(),
      [&](float* sums, const float* pixel, std::int64_t ky, std::int64_t kx) {
        const float* tap = weights.data() + static_cast<std::size_t>((ky * filter[2] + kx) * filter[3]) * channels;
        for (std::size_t g = 0; g < groups; ++g) {
          for (std::size_t d = 0; d < depth; ++d) {
            const float value = pixel[g * depth + d];
            const float* weight = tap + d * channels;
            for (std::size_t c = g * channels_per_group; c < (g + 1) * channels_per_group; ++c) sums[c] += value * weight[c];
          }
        }
      },
      finish);
}

template <typename Sum, typename Value, typename Out, typename Finishing>
void depthwise(const Call& call, const std::vector<Value>& input, const std::vector<Value>& weights, Out* output, const Finishing& finish) {
  const graph::Shape& filter = call.input(1).shape;
  const auto depth = static_cast<std::size_t>(call.input(0).shape[3]);
  const auto channels = static_cast<std::size_t>(filter[3]);
  const std::size_t multiplier = channels / depth;
  convolve<Sum>(
      call, input, channels, output,
      [&](Sum* sums, const Value* pixel, std::int64_t ky, std::int64_t kx) {
        const Value* weight = weights.data() + (ky * filter[2] + kx) * filter[3];
        if (multiplier == 1) {
          for (std::size_t i = 0; i < depth; ++i) sums[i] += pixel[i] * weight[i];
          return;
        }
        for (std::size_t i = 0; i < depth; ++i)
          for (std::size_t m = 0; m < multiplier; ++m) sums[i * multiplier + m] += pixel[i] * weight[i * multiplier + m];
      },
      finish);
}

}  // namespace

void conv_2d(const Call& call) {
  if (call.input(0).type == abi::ElementType::kF32) return conv_reals(call);
  dispatch_codes(call, {}, [&](auto in, auto weight) { conv_codes<decltype(in), decltype(weight)>(call); });
}

void depthwise_conv_2d(const Call& call) {
  const auto activation = call.options<graph::ConvOptions>().activation;
  const std::size_t inputs = graph::element_count(call.input(0));
  const std::size_t weights = graph::element_count(call.input(1));
  if (call.input(0).type == abi::ElementType::kF32) {
    depthwise<float>(call, differences(call.data<float>(0), inputs, 0), differences(call.data<float>(1), weights, 0), call.out<float>(),
                     RealFinish(call, activation));
    return;
  }
  dispatch_codes(call, {}, [&](auto in, auto weight) {
    using In = decltype(in);
    depthwise<std::int64_t>(call, differences(call.data<In>(0), inputs, call.input(0).zero_point()),
                            differences(call.data<decltype(weight)>(1), weights, call.input(1).zero_point()), call.out<In>(),
                            Finish<In>(call, static_cast<std::size_t>(call.input(1).shape[3]), activation));
  });
}

}  // namespace naru::sdk::reference
