// TRANSPOSE_CONV (numerics 19): every input pixel adds its share to the outputs that it reaches.
#include <cstdint>
#include <vector>

#include "reference/ops/accumulate.h"

namespace naru::sdk::reference {
namespace {

constexpr Places kPlaces{.input = 2, .filter = 1, .bias = 3};

/// Taps before the output image; TFLite computes them as for a convolution from the output to the input.
std::int64_t taps_cut(graph::Padding padding, std::int64_t output, std::int64_t filter, std::int64_t stride) {
  return taps_before(padding, output, filter, stride, 1, (output + stride - 1) / stride);
}

template <typename Sum, typename Value>
std::vector<Sum> scatter(const Call& call, const std::vector<Value>& input, const std::vector<Value>& weights) {
  const auto& options = call.options<graph::TransposeConvOptions>();
  const graph::Shape& in = call.input(2).shape;
  const graph::Shape& filter = call.input(1).shape;
  const graph::Shape& out = call.output().shape;
  const std::int64_t before_h = taps_cut(options.padding, out[1], filter[1], options.stride_h);
  const std::int64_t before_w = taps_cut(options.padding, out[2], filter[2], options.stride_w);
  std::vector<Sum> sums(graph::element_count(out));
  for (std::int64_t n = 0; n < in[0]; ++n) {
    for (std::int64_t y = 0; y < in[1]; ++y) {
      for (std::int64_t x = 0; x < in[2]; ++x) {
        const Value* pixel = input.data() + ((n * in[1] + y) * in[2] + x) * in[3];
        for (std::int64_t ky = 0; ky < filter[1]; ++ky) {
          const std::int64_t row = y * options.stride_h - before_h + ky;
          if (row < 0 || row >= out[1]) continue;
          for (std::int64_t kx = 0; kx < filter[2]; ++kx) {
            const std::int64_t column = x * options.stride_w - before_w + kx;
            if (column < 0 || column >= out[2]) continue;
            Sum* target = sums.data() + ((n * out[1] + row) * out[2] + column) * out[3];
            for (std::int64_t c = 0; c < out[3]; ++c) {
              const Value* weight = weights.data() + ((c * filter[1] + ky) * filter[2] + kx) * filter[3];
              Sum sum = target[c];
              for (std::int64_t d = 0; d < in[3]; ++d) sum += pixel[d] * weight[d];
              target[c] = sum;
            }
          }
        }
      }
    }
  }
  return sums;
}

template <typename Sum, typename Out, typename Finishing>
void write(const std::vector<Sum>& sums, std::size_t channels, Out* output, const Finishing& finish) {
  for (std::size_t i = 0; i < sums.size(); ++i) output[i] = finish(sums[i], i % channels);
}

}  // namespace

void transpose_conv(const Call& call) {
  const auto activation = call.options<graph::TransposeConvOptions>().activation;
  const auto channels = static_cast<std::size_t>(call.output().shape[3]);
  const std::size_t inputs = graph::element_count(call.input(2));
  const std::size_t weights = graph::element_count(call.input(1));
  if (call.input(2).type == abi::ElementType::kF32) {
    const auto sums = scatter<float>(call, differences(call.data<float>(2), inputs, 0), differences(call.data<float>(1), weights, 0));
    return write(sums, channels, call.out<float>(), RealFinish(call, activation, kPlaces));
  }
  dispatch_codes(call, kPlaces, [&](auto in, auto weight) {
    using In = decltype(in);
    const auto sums = scatter<std::int64_t>(call, differences(call.data<In>(2), inputs, call.input(2).zero_point()),
                                            differences(call.data<decltype(weight)>(1), weights, call.input(1).zero_point()));
    write(sums, channels, call.out<In>(), Finish<In>(call, channels, activation, kPlaces));
  });
}

}  // namespace naru::sdk::reference
