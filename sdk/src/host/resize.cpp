// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR (numerics 17): images [batch][rows][columns][channels].
#include <algorithm>
#include <cmath>

#include "host/call.h"

namespace naru::sdk::host {
namespace {

/// Between which two indices one of the result lies, and how far from the first.
template <typename Weight>
struct Between {
  std::size_t low = 0;
  std::size_t high = 0;
  Weight from_low{};
};

std::vector<Between<float>> real_positions(const graph::ResizeOptions& options, std::int32_t in, std::int32_t out) {
  float scale = static_cast<float>(in) / static_cast<float>(out);
  if (options.align_corners && out > 1) scale = static_cast<float>(in - 1) / static_cast<float>(out - 1);
  std::vector<Between<float>> result;
  for (std::int32_t i = 0; i < out; ++i) {
    const float position = options.half_pixel_centers ? (static_cast<float>(i) + 0.5F) * scale - 0.5F : static_cast<float>(i) * scale;
    const float last = static_cast<float>(in - 1);
    const float low = std::clamp(std::floor(position), 0.0F, last);
    const float high = std::clamp(std::ceil(position), 0.0F, last);
    const auto low_index = std::min<std::int64_t>(static_cast<std::int64_t>(low), in - 1);
    result.push_back({static_cast<std::size_t>(low_index), static_cast<std::size_t>(std::min<std::int64_t>(static_cast<std::int64_t>(high), in - 1)),
                      position - static_cast<float>(low_index)});
  }
  return result;
}

std::vector<Between<std::int64_t>> fixed_positions(const graph::ResizeOptions& options, std::int32_t in, std::int32_t out) {
  const auto p = numerics::resize_bilinear_parameters(options, in, out);
  std::vector<Between<std::int64_t>> result;
  for (std::int32_t i = 0; i < out; ++i) {
    const std::int64_t position = std::int64_t{i} * p.scale + p.offset;
    const std::int64_t low = std::clamp<std::int64_t>(position / 1024, 0, in - 1);
    const std::int64_t high = std::clamp<std::int64_t>((position + 1023) / 1024, 0, in - 1);
    result.push_back({static_cast<std::size_t>(low), static_cast<std::size_t>(high), position - 1024 * low});
  }
  return result;
}

/// `mix` takes the four neighbours and the two distances.
template <typename T, typename Weight, typename F>
Run bilinear_run(const Call& call, std::vector<Between<Weight>> rows, std::vector<Between<Weight>> columns, F mix) {
  const Shape& in = call.in().shape;
  return [=, rows = std::move(rows), columns = std::move(columns), batches = static_cast<std::size_t>(in[0]), depth = static_cast<std::size_t>(in[3]),
          in_row = static_cast<std::size_t>(in[2]) * static_cast<std::size_t>(in[3]), in_image = size_of(in, 1, 4)](const Data& data) -> Result<void> {
    const auto values = data.in<T>(0);
    std::vector<T> result(batches * rows.size() * columns.size() * depth);
    T* to = result.data();
    for (std::size_t b = 0; b < batches; ++b)
      for (const auto& row : rows) {
        const T* low_row = values.data() + b * in_image + row.low * in_row;
        const T* high_row = values.data() + b * in_image + row.high * in_row;
        for (const auto& column : columns)
          for (std::size_t c = 0; c < depth; ++c)
            *to++ = mix(low_row[column.low * depth + c], high_row[column.low * depth + c], low_row[column.high * depth + c], high_row[column.high * depth + c], row.from_low,
                        column.from_low);
      }
    data.store(0, result);
    return {};
  };
}

template <typename T>
T mix_real(T a, T b, T c, T d, float y, float x) {
  const float rounding = std::is_integral_v<T> ? 0.5F : 0.0F;
  const float sum = static_cast<float>(a) * (1.0F - y) * (1.0F - x) + static_cast<float>(b) * y * (1.0F - x) + static_cast<float>(c) * (1.0F - y) * x +
                    static_cast<float>(d) * y * x + rounding;
  if constexpr (std::is_integral_v<T>) return static_cast<T>(std::clamp(sum, static_cast<float>(std::numeric_limits<T>::min()), static_cast<float>(std::numeric_limits<T>::max())));
  else return sum;
}

template <typename T>
T mix_fixed(T a, T b, T c, T d, std::int64_t y, std::int64_t x) {
  const std::int64_t sum = a * (1024 - y) * (1024 - x) + b * y * (1024 - x) + c * (1024 - y) * x + d * y * x;
  return static_cast<T>((sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20));
}

Result<const graph::ResizeOptions*> resize_of(const Call& call) {
  const auto* options = call.options<graph::ResizeOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& in = call.in().shape;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  NARU_CHECK_OK(call.require(in.size() == 4 && out.size() == 4 && in[0] == out[0] && in[3] == out[3], "operand and result are no images of as many channels"));
  NARU_CHECK_OK(call.require(!(options->align_corners && options->half_pixel_centers && call.op.kind == OperatorKind::kResizeBilinear), "it aligns corners and centres"));
  return options;
}

}  // namespace

Result<Run> prepare_resize_bilinear(const Call& call) {
  NARU_TRY(const graph::ResizeOptions* options, resize_of(call));
  const Shape& in = call.in().shape;
  const Shape& out = call.out().shape;
  const auto real = [&](std::size_t d) { return real_positions(*options, in[d], out[d]); };
  const auto fixed = [&](std::size_t d) { return fixed_positions(*options, in[d], out[d]); };
  switch (call.in().type) {
    case ElementType::kF32: return bilinear_run<float>(call, real(1), real(2), mix_real<float>);
    case ElementType::kU8: return bilinear_run<std::uint8_t>(call, real(1), real(2), mix_real<std::uint8_t>);
    case ElementType::kI8: return bilinear_run<std::int8_t>(call, fixed(1), fixed(2), mix_fixed<std::int8_t>);
    case ElementType::kI16: return bilinear_run<std::int16_t>(call, fixed(1), fixed(2), mix_fixed<std::int16_t>);
    default: return call.no_type();
  }
}

Result<Run> prepare_resize_nearest(const Call& call) {
  NARU_TRY(const graph::ResizeOptions* options, resize_of(call));
  const Shape& in = call.in().shape;
  const Shape& out = call.out().shape;
  const std::size_t pixel = static_cast<std::size_t>(in[3]) * abi::element_bytes(call.in().type);
  return Run([=, rows = numerics::resize_nearest_indices(*options, in[1], out[1]), columns = numerics::resize_nearest_indices(*options, in[2], out[2]),
              batches = static_cast<std::size_t>(in[0]), height = static_cast<std::size_t>(in[1]), width = static_cast<std::size_t>(in[2])](const Data& data) -> Result<void> {
    std::byte* to = data.outputs[0].data();
    for (std::size_t b = 0; b < batches; ++b)
      for (std::int32_t row : rows)
        for (std::int32_t column : columns) {
          std::memcpy(to, data.inputs[0].data() + ((b * height + static_cast<std::size_t>(row)) * width + static_cast<std::size_t>(column)) * pixel, pixel);
          to += pixel;
        }
    return {};
  });
}

}  // namespace naru::sdk::host
