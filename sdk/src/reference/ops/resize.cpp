// RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR (numerics 17).
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

/// Between which two input rows (or columns) an output row lies, and how far it is behind the first.
template <typename Share>
struct Between {
  std::int64_t first;
  std::int64_t second;
  Share behind_first;
};

/// In 2^-10, in integers.
std::vector<Between<std::int64_t>> integer_places(const graph::ResizeOptions& options, std::int64_t in, std::int64_t out) {
  const bool corners = options.align_corners && out > 1;
  const std::int64_t scale = corners ? (1024 * (in - 1) + (out - 1) / 2) / (out - 1) : (1024 * in + out / 2) / out;
  std::vector<Between<std::int64_t>> places;
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t place = i * scale + (options.half_pixel_centers ? scale / 2 - 512 : 0);
    const std::int64_t first = std::min(std::max<std::int64_t>(place / 1024, 0), in - 1);
    places.push_back({first, std::min((place + 1023) / 1024, in - 1), place - 1024 * first});
  }
  return places;
}

std::vector<Between<float>> real_places(const graph::ResizeOptions& options, std::int32_t in, std::int32_t out) {
  const bool corners = options.align_corners && out > 1;
  const float scale = corners ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : static_cast<float>(in) / static_cast<float>(out);
  std::vector<Between<float>> places;
  for (std::int32_t i = 0; i < out; ++i) {
    const auto index = static_cast<float>(i);
    const float place = options.half_pixel_centers ? (index + 0.5F) * scale - 0.5F : index * scale;
    const auto first = std::min(std::max(static_cast<std::int32_t>(std::floor(place)), 0), in - 1);
    const auto second = std::min(static_cast<std::int32_t>(std::ceil(place)), in - 1);
    places.push_back({first, second, place - static_cast<float>(first)});
  }
  return places;
}

/// blend(four neighbours, how far below the upper ones, how far right of the left ones) for each element.
template <typename Value, typename Share, typename Blend>
void interpolate(const Call& call, const std::vector<Between<Share>>& rows, const std::vector<Between<Share>>& columns, const Blend& blend) {
  const graph::Shape& in = call.input(0).shape;
  auto* output = call.out<Value>();
  for (std::int64_t n = 0; n < in[0]; ++n) {
    const Value* image = call.data<Value>(0) + n * in[1] * in[2] * in[3];
    const auto pixel = [&](std::int64_t y, std::int64_t x) { return image + (y * in[2] + x) * in[3]; };
    for (const auto& row : rows) {
      for (const auto& column : columns) {
        const Value* a = pixel(row.first, column.first);
        const Value* b = pixel(row.second, column.first);
        const Value* c = pixel(row.first, column.second);
        const Value* d = pixel(row.second, column.second);
        for (std::int64_t i = 0; i < in[3]; ++i) *output++ = static_cast<Value>(blend(a[i], b[i], c[i], d[i], row.behind_first, column.behind_first));
      }
    }
  }
}

template <typename Value>
void bilinear_codes(const Call& call) {
  const auto& options = call.options<graph::ResizeOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  interpolate<Value, std::int64_t>(call, integer_places(options, in[1], out[1]), integer_places(options, in[2], out[2]),
                                   [](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d, std::int64_t y, std::int64_t x) {
                                     const std::int64_t sum = a * (1024 - y) * (1024 - x) + b * y * (1024 - x) + c * (1024 - y) * x + d * y * x;
                                     return (sum + (sum > 0 ? 1 << 19 : -(1 << 19))) / (1 << 20);
                                   });
}

template <typename Value>
void bilinear_reals(const Call& call, float nudge) {
  const auto& options = call.options<graph::ResizeOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  interpolate<Value, float>(
      call, real_places(options, in[1], out[1]), real_places(options, in[2], out[2]),
      [&](float a, float b, float c, float d, float y, float x) { return a * (1 - y) * (1 - x) + b * y * (1 - x) + c * (1 - y) * x + d * y * x + nudge; });
}

std::vector<std::int64_t> nearest_places(const graph::ResizeOptions& options, std::int32_t in, std::int32_t out) {
  const bool corners = options.align_corners && out > 1;
  const float scale = corners ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : static_cast<float>(in) / static_cast<float>(out);
  const float offset = options.half_pixel_centers ? 0.5F : 0.0F;
  std::vector<std::int64_t> places;
  for (std::int32_t i = 0; i < out; ++i) {
    const float place = (static_cast<float>(i) + offset) * scale;
    places.push_back(std::clamp(static_cast<std::int32_t>(options.align_corners ? std::round(place) : std::floor(place)), 0, in - 1));
  }
  return places;
}

}  // namespace

void resize_bilinear(const Call& call) {
  switch (call.input(0).type) {
    case abi::ElementType::kF32: return bilinear_reals<float>(call, 0.0F);
    case abi::ElementType::kU8: return bilinear_reals<std::uint8_t>(call, 0.5F);
    default: return dispatch<std::int8_t, std::int16_t>(call, call.input(0).type, [&](auto code) { bilinear_codes<decltype(code)>(call); });
  }
}

void resize_nearest_neighbor(const Call& call) {
  const auto& options = call.options<graph::ResizeOptions>();
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  const std::size_t pixel = static_cast<std::size_t>(in[3]) * abi::element_bytes(call.input(0).type);
  const auto rows = nearest_places(options, in[1], out[1]);
  const auto columns = nearest_places(options, in[2], out[2]);
  auto* output = call.out<std::byte>();
  for (std::int64_t n = 0; n < in[0]; ++n) {
    for (std::int64_t y : rows) {
      for (std::int64_t x : columns) {
        std::memcpy(output, call.data<std::byte>(0) + static_cast<std::size_t>((n * in[1] + y) * in[2] + x) * pixel, pixel);
        output += pixel;
      }
    }
  }
}

}  // namespace naru::sdk::reference
