// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED (numerics 3, 5, 6): zero points are subtracted first, then everything is a sum of products.
// Differences are kept as int16, so that compilers can vectorise the plain loops.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/call.h"

namespace naru::sdk::reference {
namespace {

std::vector<std::int16_t> differences(const std::int8_t* codes, std::size_t count, std::int32_t zero_point) {
  std::vector<std::int16_t> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<std::int16_t>(codes[i] - zero_point);
  return result;
}

/// 2^15 products of differences of 8-bit codes fit 32 bits; longer rows are summed in pieces.
constexpr std::size_t kPiece = std::size_t{1} << 15;

std::int64_t dot(const std::int16_t* a, const std::int16_t* b, std::size_t count) {
  std::int64_t total = 0;
  for (std::size_t begin = 0; begin < count; begin += kPiece) {
    const std::size_t end = std::min(begin + kPiece, count);
    std::int32_t sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += a[i] * b[i];
    total += sum;
  }
  return total;
}

/// What follows the accumulator, per output channel: numerics 3 says in which precision the factor is computed.
class Finish {
 public:
  Finish(const Call& call, std::size_t channels, graph::Activation activation)
      : bias_(call.data<std::int32_t>(2)), zero_point_(call.output().zero_point()), bounds_(bounds_of(activation, call.output())) {
    const std::vector<float>& filter = call.input(1).quantization->scales;
    const float in = call.input(0).scale();
    const float out = call.output().scale();
    for (std::size_t c = 0; c < channels; ++c) {
      const float weight = filter[filter.size() == 1 ? 0 : c];
      const bool float_product = call.op.kind == graph::OperatorKind::kFullyConnected && filter.size() == 1;
      const double product = float_product ? static_cast<double>(static_cast<float>(in * weight)) : static_cast<double>(in) * static_cast<double>(weight);
      rescales_.push_back(rescale_by(product / static_cast<double>(out)));
    }
  }

  /// The accumulator has 32 bits, which wrap.
  [[nodiscard]] std::int8_t operator()(std::int64_t sum, std::size_t channel) const {
    if (bias_ != nullptr) sum += bias_[channel];
    const std::int32_t scaled = apply(static_cast<std::int32_t>(sum), rescales_[channel]);
    return static_cast<std::int8_t>(bounds_.clamp(std::int64_t{scaled} + zero_point_));
  }

 private:
  const std::int32_t* bias_;
  std::int32_t zero_point_;
  Bounds bounds_;
  std::vector<Rescale> rescales_;
};

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

}  // namespace

void conv_2d(const Call& call) {
  const auto& options = call.options<graph::ConvOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& filter = call.input(1).shape;
  const graph::Shape& out = call.output().shape;
  const auto input = differences(call.data<std::int8_t>(0), graph::element_count(in), call.input(0).zero_point());
  const auto weights = differences(call.data<std::int8_t>(1), graph::element_count(filter), 0);
  const auto channels = static_cast<std::size_t>(filter[0]);
  const auto depth = static_cast<std::size_t>(filter[3]);
  const std::size_t groups = static_cast<std::size_t>(in[3]) / depth;
  const std::size_t channels_per_group = channels / groups;
  const Finish finish(call, channels, options.activation);
  auto* output = call.out<std::int8_t>();

  std::vector<std::int64_t> sums(channels);
  for (std::int64_t n = 0; n < out[0]; ++n) {
    const std::int16_t* image = input.data() + n * in[1] * in[2] * in[3];
    for (std::int64_t row = 0; row < out[1]; ++row) {
      for (std::int64_t column = 0; column < out[2]; ++column) {
        std::fill(sums.begin(), sums.end(), 0);
        for_taps(call, options, row, column, [&](std::int64_t ky, std::int64_t kx, std::int64_t pixel) {
          for (std::size_t c = 0; c < channels; ++c) {
            const std::int16_t* taken = image + pixel * in[3] + static_cast<std::int64_t>((c / channels_per_group) * depth);
            const std::int16_t* weight = weights.data() + ((static_cast<std::int64_t>(c) * filter[1] + ky) * filter[2] + kx) * filter[3];
            sums[c] += dot(taken, weight, depth);
          }
        });
        for (std::size_t c = 0; c < channels; ++c) *output++ = finish(sums[c], c);
      }
    }
  }
}

void depthwise_conv_2d(const Call& call) {
  const auto& options = call.options<graph::ConvOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& filter = call.input(1).shape;
  const graph::Shape& out = call.output().shape;
  const auto input = differences(call.data<std::int8_t>(0), graph::element_count(in), call.input(0).zero_point());
  const auto weights = differences(call.data<std::int8_t>(1), graph::element_count(filter), 0);
  const auto channels = static_cast<std::size_t>(filter[3]);
  const std::size_t multiplier = channels / static_cast<std::size_t>(in[3]);
  const Finish finish(call, channels, options.activation);
  auto* output = call.out<std::int8_t>();

  std::vector<std::int64_t> sums(channels);
  for (std::int64_t n = 0; n < out[0]; ++n) {
    const std::int16_t* image = input.data() + n * in[1] * in[2] * in[3];
    for (std::int64_t row = 0; row < out[1]; ++row) {
      for (std::int64_t column = 0; column < out[2]; ++column) {
        std::fill(sums.begin(), sums.end(), 0);
        for_taps(call, options, row, column, [&](std::int64_t ky, std::int64_t kx, std::int64_t pixel) {
          const std::int16_t* taken = image + pixel * in[3];
          const std::int16_t* weight = weights.data() + (ky * filter[2] + kx) * filter[3];
          for (std::size_t i = 0; i < static_cast<std::size_t>(in[3]); ++i)
            for (std::size_t m = 0; m < multiplier; ++m) sums[i * multiplier + m] += taken[i] * weight[i * multiplier + m];
        });
        for (std::size_t c = 0; c < channels; ++c) *output++ = finish(sums[c], c);
      }
    }
  }
}

void fully_connected(const Call& call) {
  const graph::Shape& filter = call.input(1).shape;
  const auto channels = static_cast<std::size_t>(filter[0]);
  const auto depth = static_cast<std::size_t>(filter[1]);
  const auto input = differences(call.data<std::int8_t>(0), graph::element_count(call.input(0)), call.input(0).zero_point());
  const auto weights = differences(call.data<std::int8_t>(1), channels * depth, call.input(1).zero_point());
  const Finish finish(call, channels, call.options<graph::FullyConnectedOptions>().activation);
  auto* output = call.out<std::int8_t>();
  for (std::size_t row = 0; row < input.size() / depth; ++row)
    for (std::size_t c = 0; c < channels; ++c) *output++ = finish(dot(input.data() + row * depth, weights.data() + c * depth, depth), c);
}

}  // namespace naru::sdk::reference
