// CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED. The sums of all output channels of a pixel grow side by side, each in the order of TFLite's
// reference (rows, columns, channels of the window), so that the innermost loop is contiguous and float results are the same.
#include "host/weights.h"

namespace naru::sdk::host {
namespace {

struct Geometry {
  std::size_t batches = 0, in_rows = 0, in_columns = 0, in_depth = 0;
  std::size_t out_rows = 0, out_columns = 0, channels = 0;
  std::size_t filter_rows = 0, filter_columns = 0, filter_depth = 0;
  std::size_t groups = 1;
  std::int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, top = 0, left = 0;
};

/// For every tap inside the image: f(pixel's first element, tap's number).
template <typename T, typename F>
void each_tap(const Geometry& g, const T* image, std::size_t y, std::size_t x, F&& f) {
  for (std::size_t fy = 0; fy < g.filter_rows; ++fy) {
    const std::int64_t row = static_cast<std::int64_t>(y) * g.stride_h - g.top + static_cast<std::int64_t>(fy) * g.dilation_h;
    if (row < 0 || row >= static_cast<std::int64_t>(g.in_rows)) continue;
    for (std::size_t fx = 0; fx < g.filter_columns; ++fx) {
      const std::int64_t column = static_cast<std::int64_t>(x) * g.stride_w - g.left + static_cast<std::int64_t>(fx) * g.dilation_w;
      if (column < 0 || column >= static_cast<std::int64_t>(g.in_columns)) continue;
      f(image + (static_cast<std::size_t>(row) * g.in_columns + static_cast<std::size_t>(column)) * g.in_depth, fy * g.filter_columns + fx);
    }
  }
}

/// [channels][taps][depth] to [taps][depth][channels], less the zero point.
template <typename Term, typename Weight>
std::vector<Term> channels_innermost(const Values<Weight>& filter, std::size_t channels, Term zero) {
  const std::size_t rest = filter.size() / channels;
  std::vector<Term> result(filter.size());
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < rest; ++i) result[i * channels + c] = static_cast<Term>(filter[c * rest + i]) - zero;
  return result;
}

template <typename In, typename Weight>
Run convolution_run(const Call& call, const Geometry& g, Finish finish, bool depthwise) {
  using Term = typename Sum<In, Weight>::Term;
  using Total = typename Sum<In, Weight>::Total;
  const ElementType bias_type = call.has(2) ? call.in(2).type : ElementType::kNone;
  return [=, finish = std::move(finish), zero_in = zero_of<Term>(call.in(0)), zero_weight = zero_of<Term>(call.in(1))](const Data& data) -> Result<void> {
    const auto values = data.in<In>(0);
    const auto filter = data.in<Weight>(1);
    const std::size_t channels = g.channels;
    const auto bias = bias_of<Total>(data, 2, bias_type, channels);
    // A depthwise filter has its channels innermost already.
    const std::vector<Term> weights = channels_innermost<Term>(filter, depthwise ? 1 : channels, zero_weight);
    const std::size_t multiplier = depthwise ? channels / g.in_depth : 1;
    const std::size_t per_group = channels / g.groups;
    std::vector<In> result(g.batches * g.out_rows * g.out_columns * channels);
    std::vector<Total> totals(channels);
    In* to = result.data();
    for (std::size_t b = 0; b < g.batches; ++b)
      for (std::size_t y = 0; y < g.out_rows; ++y)
        for (std::size_t x = 0; x < g.out_columns; ++x) {
          std::fill(totals.begin(), totals.end(), Total{0});
          Total* sum = totals.data();
          each_tap(g, values.data() + b * g.in_rows * g.in_columns * g.in_depth, y, x, [&](const In* pixel, std::size_t tap) {
            if (depthwise && multiplier == 1) {
              const Term* weight = weights.data() + tap * channels;
              for (std::size_t c = 0; c < channels; ++c) sum[c] += static_cast<Total>((static_cast<Term>(pixel[c]) - zero_in) * weight[c]);
            } else if (depthwise) {
              const Term* weight = weights.data() + tap * channels;
              for (std::size_t i = 0; i < g.in_depth; ++i)
                for (std::size_t m = 0; m < multiplier; ++m)
                  sum[i * multiplier + m] += static_cast<Total>((static_cast<Term>(pixel[i]) - zero_in) * weight[i * multiplier + m]);
            } else {
              for (std::size_t group = 0; group < g.groups; ++group) {
                const std::size_t first = group * per_group;
                for (std::size_t i = 0; i < g.filter_depth; ++i) {
                  const Term value = static_cast<Term>(pixel[group * g.filter_depth + i]) - zero_in;
                  const Term* weight = weights.data() + (tap * g.filter_depth + i) * channels;
                  for (std::size_t c = first; c < first + per_group; ++c) sum[c] += static_cast<Total>(value * weight[c]);
                }
              }
            }
          });
          for (std::size_t c = 0; c < channels; ++c) *to++ = finished<In>(finish, c, totals[c], bias[c]);
        }
    data.store(0, result);
    return {};
  };
}

/// Eight channels at a time: eight sums that do not wait for one another.
template <typename In, typename Weight>
Run fully_connected_run(const Call& call, std::size_t rows, std::size_t depth, std::size_t channels, Finish finish) {
  using Term = typename Sum<In, Weight>::Term;
  using Total = typename Sum<In, Weight>::Total;
  const ElementType bias_type = call.has(2) ? call.in(2).type : ElementType::kNone;
  return [=, finish = std::move(finish), zero_in = zero_of<Term>(call.in(0)), zero_weight = zero_of<Term>(call.in(1))](const Data& data) -> Result<void> {
    constexpr std::size_t kAbreast = 8;
    const auto values = data.in<In>(0);
    const auto weights = data.in<Weight>(1);
    const auto bias = bias_of<Total>(data, 2, bias_type, channels);
    std::vector<In> result(rows * channels);
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t first = 0; first < channels; first += kAbreast) {
        const std::size_t count = std::min(kAbreast, channels - first);
        std::array<Total, kAbreast> totals{};
        std::array<const Weight*, kAbreast> filters{};
        // The last channels fill the rest up: they are summed again and not stored.
        for (std::size_t c = 0; c < kAbreast; ++c) filters[c] = weights.data() + std::min(first + c, channels - 1) * depth;
        for (std::size_t i = 0; i < depth; ++i) {
          const Term value = static_cast<Term>(values[row * depth + i]) - zero_in;
          for (std::size_t c = 0; c < kAbreast; ++c) totals[c] += static_cast<Total>(value * (static_cast<Term>(filters[c][i]) - zero_weight));
        }
        for (std::size_t c = 0; c < count; ++c) result[row * channels + first + c] = finished<In>(finish, first + c, totals[c], bias[first + c]);
      }
    data.store(0, result);
    return {};
  };
}

}  // namespace

Result<Run> prepare_convolution(const Call& call) {
  const auto* options = call.options<graph::ConvOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& in = call.in(0).shape;
  const Shape& filter = call.in(1).shape;
  const bool depthwise = call.op.kind == OperatorKind::kDepthwiseConv2d;
  NARU_CHECK_OK(call.require(in.size() == 4 && filter.size() == 4, "operand and filter have not four dimensions"));
  const std::int32_t channels = depthwise ? filter[3] : filter[0];
  NARU_CHECK_OK(call.require(depthwise ? filter[0] == 1 && channels % in[3] == 0 : in[3] % filter[3] == 0 && channels % (in[3] / filter[3]) == 0, "its channels do not fit the operand's"));
  const auto rows = numerics::window_output(options->padding, in[1], filter[1], options->stride_h, options->dilation_h);
  const auto columns = numerics::window_output(options->padding, in[2], filter[2], options->stride_w, options->dilation_w);
  NARU_CHECK_OK(call.require(rows && columns, "its window does not fit the operand"));
  NARU_CHECK_OK(call.require_shape(call.out(), Shape{in[0], *rows, *columns, channels}));
  NARU_TRY(Finish finish, finish_of(call, 0, 1, 2, static_cast<std::size_t>(channels), depthwise ? 3 : 0, options->activation));
  const auto size = [](std::int32_t value) { return static_cast<std::size_t>(value); };
  Geometry g{size(in[0]), size(in[1]), size(in[2]), size(in[3]), size(*rows), size(*columns), size(channels), size(filter[1]), size(filter[2]), size(filter[3])};
  g.groups = depthwise ? 1 : g.in_depth / g.filter_depth;
  g.stride_h = options->stride_h;
  g.stride_w = options->stride_w;
  g.dilation_h = options->dilation_h;
  g.dilation_w = options->dilation_w;
  g.top = numerics::window_padding(options->padding, in[1], filter[1], options->stride_h, options->dilation_h, *rows).before;
  g.left = numerics::window_padding(options->padding, in[2], filter[2], options->stride_w, options->dilation_w, *columns).before;
  Run run;
  for_weights(call, 0, 1, [&](auto input, auto weight) { run = convolution_run<decltype(input), decltype(weight)>(call, g, finish, depthwise); });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_fully_connected(const Call& call) {
  const auto* options = call.options<graph::FullyConnectedOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& filter = call.in(1).shape;
  NARU_CHECK_OK(call.require(filter.size() == 2, "its filter has not two dimensions"));
  const auto channels = static_cast<std::size_t>(filter[0]);
  const auto depth = static_cast<std::size_t>(filter[1]);
  NARU_CHECK_OK(call.require(count_of(call.in(0)) % depth == 0, "its operand has no rows of the filter's depth"));
  const std::size_t rows = count_of(call.in(0)) / depth;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require(!out.empty() && static_cast<std::size_t>(out.back()) == channels && count_of(call.out()) == rows * channels, "its result has not the filter's channels"));
  NARU_TRY(Finish finish, finish_of(call, 0, 1, 2, channels, 0, options->activation));
  Run run;
  for_weights(call, 0, 1, [&](auto input, auto weight) { run = fully_connected_run<decltype(input), decltype(weight)>(call, rows, depth, channels, finish); });
  if (!run) return call.no_type();
  return run;
}

}  // namespace naru::sdk::host
