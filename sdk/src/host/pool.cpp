// AVERAGE_POOL_2D and MAX_POOL_2D (numerics 8): all channels of a pixel side by side, taps outside the image do not count.
#include <algorithm>
#include <cmath>

#include "host/call.h"

namespace naru::sdk::host {
namespace {

struct Window {
  std::int64_t first = 0;
  std::int64_t end = 0;
};

/// For each output index the input's indices under the window.
std::vector<Window> windows(graph::Padding padding, std::int32_t in, std::int32_t out, std::int32_t filter, std::int32_t stride) {
  const std::int64_t before = numerics::window_padding(padding, in, filter, stride, 1, out).before;
  std::vector<Window> result;
  for (std::int32_t i = 0; i < out; ++i) {
    const std::int64_t origin = std::int64_t{i} * stride - before;
    result.push_back({std::max<std::int64_t>(origin, 0), std::min<std::int64_t>(origin + filter, in)});
  }
  return result;
}

template <typename T, typename Total, typename F, typename G>
Run pool_run(const Call& call, std::vector<Window> rows, std::vector<Window> columns, Total first, F take, G give) {
  const Shape& in = call.in().shape;
  return [=, rows = std::move(rows), columns = std::move(columns), batches = static_cast<std::size_t>(in[0]), image = size_of(in, 1, 4),
          width = static_cast<std::size_t>(in[2]), depth = static_cast<std::size_t>(in[3])](const Data& data) -> Result<void> {
    const auto values = data.in<T>(0);
    std::vector<T> result(batches * rows.size() * columns.size() * depth);
    std::vector<Total> totals(depth);
    T* to = result.data();
    for (std::size_t b = 0; b < batches; ++b)
      for (const Window& row : rows)
        for (const Window& column : columns) {
          std::fill(totals.begin(), totals.end(), first);
          for (std::int64_t y = row.first; y < row.end; ++y)
            for (std::int64_t x = column.first; x < column.end; ++x) {
              const T* pixel = values.data() + b * image + (static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)) * depth;
              for (std::size_t c = 0; c < depth; ++c) totals[c] = take(totals[c], pixel[c]);
            }
          const std::int64_t taps = std::max<std::int64_t>(row.end - row.first, 0) * std::max<std::int64_t>(column.end - column.first, 0);
          for (std::size_t c = 0; c < depth; ++c) *to++ = give(totals[c], taps);
        }
    data.store(0, result);
    return {};
  };
}

}  // namespace

Result<Run> prepare_pool(const Call& call) {
  const auto* options = call.options<graph::PoolOptions>();
  if (options == nullptr) return call.no_options();
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_same_type(in, out));
  NARU_CHECK_OK(call.require(in.shape.size() == 4, "its operand has not four dimensions"));
  const auto rows = numerics::window_output(options->padding, in.shape[1], options->filter_h, options->stride_h, 1);
  const auto columns = numerics::window_output(options->padding, in.shape[2], options->filter_w, options->stride_w, 1);
  NARU_CHECK_OK(call.require(rows && columns, "its window does not fit the operand"));
  NARU_CHECK_OK(call.require_shape(out, Shape{in.shape[0], *rows, *columns, in.shape[3]}));
  const auto y = windows(options->padding, in.shape[1], *rows, options->filter_h, options->stride_h);
  const auto x = windows(options->padding, in.shape[2], *columns, options->filter_w, options->stride_w);
  const bool average = call.op.kind == OperatorKind::kAveragePool2d;
  if (in.type == ElementType::kF32) {
    const auto bounds = activation_bounds<float>(options->activation);
    if (average)
      return pool_run<float, float>(call, y, x, 0.0F, std::plus<>(), [=](float total, std::int64_t taps) { return bounded<float>(total / static_cast<float>(taps), bounds); });
    return pool_run<float, float>(call, y, x, std::numeric_limits<float>::lowest(), [](float a, float b) { return std::max(a, b); },
                                  [=](float max, std::int64_t) { return bounded<float>(max, bounds); });
  }
  if (!is_code(in.type)) return call.no_type();
  NARU_CHECK_OK(call.require_quantization({&in, &out}));
  // Nothing is rescaled, so codes have to mean the same.
  if (in.zero_point() != out.zero_point() || std::abs(in.scale() - out.scale()) > 1.0e-6F * std::max(1.0F, in.scale()))
    return call.unsupported("operand and result have different quantisations");
  const numerics::Range range = numerics::activation_range(options->activation, out.scale(), out.zero_point(), out.type);
  Run run;
  for_type<std::int8_t, std::uint8_t, std::int16_t>(in.type, [&](auto sample) {
    using T = decltype(sample);
    if (average)
      run = pool_run<T, std::int64_t>(call, y, x, std::int64_t{0}, [](std::int64_t sum, T code) { return sum + code; }, [=](std::int64_t sum, std::int64_t taps) {
        const std::int64_t n = std::max<std::int64_t>(taps, 1);
        return clamp_code<T>(sum > 0 ? (sum + n / 2) / n : (sum - n / 2) / n, range);
      });
    else
      run = pool_run<T, T>(call, y, x, std::numeric_limits<T>::lowest(), [](T a, T b) { return std::max(a, b); }, [=](T max, std::int64_t) { return clamp_code<T>(max, range); });
  });
  return run;
}

}  // namespace naru::sdk::host
