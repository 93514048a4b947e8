// TRANSPOSE_CONV and BATCH_MATMUL (numerics 19 and 20).
#include "host/broadcast.h"
#include "host/strided.h"
#include "host/weights.h"

namespace naru::sdk::host {
namespace {

struct Scatter {
  std::size_t batches = 0, in_rows = 0, in_columns = 0, in_depth = 0;
  std::size_t out_rows = 0, out_columns = 0, channels = 0;
  std::size_t filter_rows = 0, filter_columns = 0;
  std::int64_t stride_h = 1, stride_w = 1, top = 0, left = 0;
};

/// Every element of the operand adds to a window of the result; in TFLite's order, output channels side by side.
template <typename In, typename Weight>
Run transpose_conv_run(const Call& call, const Scatter& s, Finish finish) {
  using Term = typename Sum<In, Weight>::Term;
  using Total = typename Sum<In, Weight>::Total;
  const ElementType bias_type = call.has(3) ? call.in(3).type : ElementType::kNone;
  return [=, finish = std::move(finish), zero_in = zero_of<Term>(call.in(2)), zero_weight = zero_of<Term>(call.in(1))](const Data& data) -> Result<void> {
    const auto values = data.in<In>(2);
    const auto filter = data.in<Weight>(1);
    const auto bias = bias_of<Total>(data, 3, bias_type, s.channels);
    const std::size_t taps = s.filter_rows * s.filter_columns;
    // [channel][tap][depth] to [depth][tap][channel].
    std::vector<Term> weights(filter.size());
    for (std::size_t c = 0; c < s.channels; ++c)
      for (std::size_t t = 0; t < taps; ++t)
        for (std::size_t i = 0; i < s.in_depth; ++i) weights[(i * taps + t) * s.channels + c] = static_cast<Term>(filter[(c * taps + t) * s.in_depth + i]) - zero_weight;
    std::vector<Total> totals(s.batches * s.out_rows * s.out_columns * s.channels);
    const In* value = values.data();
    for (std::size_t b = 0; b < s.batches; ++b)
      for (std::size_t y = 0; y < s.in_rows; ++y)
        for (std::size_t x = 0; x < s.in_columns; ++x)
          for (std::size_t i = 0; i < s.in_depth; ++i, ++value)
            for (std::size_t t = 0; t < taps; ++t) {
              const std::int64_t row = static_cast<std::int64_t>(y) * s.stride_h - s.top + static_cast<std::int64_t>(t / s.filter_columns);
              const std::int64_t column = static_cast<std::int64_t>(x) * s.stride_w - s.left + static_cast<std::int64_t>(t % s.filter_columns);
              if (row < 0 || row >= static_cast<std::int64_t>(s.out_rows) || column < 0 || column >= static_cast<std::int64_t>(s.out_columns)) continue;
              Total* sum = totals.data() + ((b * s.out_rows + static_cast<std::size_t>(row)) * s.out_columns + static_cast<std::size_t>(column)) * s.channels;
              const Term* weight = weights.data() + (i * taps + t) * s.channels;
              const Term term = static_cast<Term>(*value) - zero_in;
              for (std::size_t c = 0; c < s.channels; ++c) sum[c] += static_cast<Total>(term * weight[c]);
            }
    std::vector<In> result(totals.size());
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = finished<In>(finish, i % s.channels, totals[i], bias[i % s.channels]);
    data.store(0, result);
    return {};
  };
}

struct Matrices {
  Broadcast batches;
  std::size_t rows = 0, depth = 0, columns = 0;
  bool adj_x = false, adj_y = false;
};

template <typename T>
Run matmul_run(const Call& call, Matrices m, Finish finish) {
  using Term = typename Sum<T, T>::Term;
  using Total = typename Sum<T, T>::Total;
  return [=, m = std::move(m), finish = std::move(finish), zero_x = zero_of<Term>(call.in(0)), zero_y = zero_of<Term>(call.in(1))](const Data& data) -> Result<void> {
    const auto left = data.in<T>(0);
    const auto right = data.in<T>(1);
    std::vector<T> result(m.batches.count() * m.rows * m.columns);
    std::vector<Total> totals(m.columns);
    m.batches.each([&](std::size_t i, std::size_t j, std::size_t k) {
      const T* x = left.data() + i * m.rows * m.depth;
      const T* y = right.data() + j * m.depth * m.columns;
      T* to = result.data() + k * m.rows * m.columns;
      for (std::size_t row = 0; row < m.rows; ++row) {
        std::fill(totals.begin(), totals.end(), Total{0});
        for (std::size_t d = 0; d < m.depth; ++d) {
          const Term value = static_cast<Term>(m.adj_x ? x[d * m.rows + row] : x[row * m.depth + d]) - zero_x;
          for (std::size_t c = 0; c < m.columns; ++c) totals[c] += static_cast<Total>(value * (static_cast<Term>(m.adj_y ? y[c * m.depth + d] : y[d * m.columns + c]) - zero_y));
        }
        // A float sum is the result as it is, infinite or not.
        for (std::size_t c = 0; c < m.columns; ++c) {
          if constexpr (std::is_same_v<T, float>) to[row * m.columns + c] = totals[c];
          else to[row * m.columns + c] = finished<T, Total>(finish, 0, totals[c], Total{0});
        }
      }
    });
    data.store(0, result);
    return {};
  };
}

}  // namespace

Result<Run> prepare_transpose_conv(const Call& call) {
  const auto* options = call.options<graph::TransposeConvOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& filter = call.in(1).shape;
  const Shape& in = call.in(2).shape;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require(in.size() == 4 && filter.size() == 4 && out.size() == 4, "its tensors have not four dimensions"));
  NARU_CHECK_OK(call.require(filter[3] == in[3] && filter[0] == out[3] && in[0] == out[0], "its channels or batches do not fit"));
  const auto rows = numerics::window_output(options->padding, out[1], filter[1], options->stride_h, 1);
  const auto columns = numerics::window_output(options->padding, out[2], filter[2], options->stride_w, 1);
  NARU_CHECK_OK(call.require(rows && columns && *rows == in[1] && *columns == in[2], "its window does not make the result of the operand"));
  NARU_TRY(Finish finish, finish_of(call, 2, 1, 3, static_cast<std::size_t>(out[3]), 0, options->activation));
  const auto size = [](std::int32_t value) { return static_cast<std::size_t>(value); };
  Scatter s{size(in[0]), size(in[1]), size(in[2]), size(in[3]), size(out[1]), size(out[2]), size(out[3]), size(filter[1]), size(filter[2])};
  s.stride_h = options->stride_h;
  s.stride_w = options->stride_w;
  s.top = numerics::window_padding(options->padding, out[1], filter[1], options->stride_h, 1, *rows).before;
  s.left = numerics::window_padding(options->padding, out[2], filter[2], options->stride_w, 1, *columns).before;
  Run run;
  for_weights(call, 2, 1, [&](auto input, auto weight) { run = transpose_conv_run<decltype(input), decltype(weight)>(call, s, finish); });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_batch_matmul(const Call& call) {
  const auto* options = call.options<graph::BatchMatmulOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& x = call.in(0).shape;
  const Shape& y = call.in(1).shape;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(0), call.in(1)));
  NARU_CHECK_OK(call.require(x.size() >= 2 && y.size() >= 2 && out.size() >= 2, "its tensors are no matrices"));
  const auto pair = [](const Shape& shape, bool swapped) {
    const auto last = static_cast<std::size_t>(shape.back());
    const auto before = static_cast<std::size_t>(shape[shape.size() - 2]);
    return swapped ? std::pair(last, before) : std::pair(before, last);
  };
  const auto [rows, depth] = pair(x, options->adj_x);
  const auto [depth_y, columns] = pair(y, options->adj_y);
  NARU_CHECK_OK(call.require(depth == depth_y && pair(out, false) == std::pair(rows, columns), "its matrices do not fit"));
  const auto outer = [](const Shape& shape) { return Shape(shape.begin(), shape.end() - 2); };
  auto batches = Broadcast::of(outer(x), outer(y), outer(out));
  NARU_CHECK_OK(call.require(batches.has_value(), "its batches do not broadcast"));
  // One scale: the right side is no filter with channels.
  if (call.in(1).quantization && call.in(1).quantization->per_channel()) return call.unsupported("its right side has one scale per channel");
  NARU_TRY(Finish finish, finish_of(call, 0, 1, 2, 1, 0, graph::Activation::kNone));
  const Matrices matrices{std::move(*batches), rows, depth, columns, options->adj_x, options->adj_y};
  Run run;
  for_type<float, std::int8_t, std::uint8_t, std::int16_t>(call.in(0).type, [&](auto sample) { run = matmul_run<decltype(sample)>(call, matrices, finish); });
  if (!run) return call.no_type();
  return run;
}

}  // namespace naru::sdk::host
