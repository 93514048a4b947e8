// Strided copies: axes are merged where two are one, then the innermost is a block or a loop over elements of a known size.
#include "host/strided.h"

#include <cstring>

namespace naru::sdk::host {
namespace {

template <std::size_t Bytes>
void copy_elements(const std::byte* in, std::byte* out, const CopyAxis& axis) {
  const std::int64_t in_step = axis.in_stride * static_cast<std::int64_t>(Bytes);
  const std::int64_t out_step = axis.out_stride * static_cast<std::int64_t>(Bytes);
  for (std::int64_t i = 0; i < axis.extent; ++i) std::memcpy(out + i * out_step, in + i * in_step, Bytes);
}

void copy_axis(const std::byte* in, std::byte* out, const CopyAxis& axis, std::size_t element_bytes) {
  if (axis.in_stride == 1 && axis.out_stride == 1) {
    std::memcpy(out, in, static_cast<std::size_t>(axis.extent) * element_bytes);
    return;
  }
  switch (element_bytes) {
    case 1: return copy_elements<1>(in, out, axis);
    case 2: return copy_elements<2>(in, out, axis);
    case 4: return copy_elements<4>(in, out, axis);
    default: return copy_elements<8>(in, out, axis);
  }
}

std::vector<CopyAxis> merged(const std::vector<CopyAxis>& axes) {
  std::vector<CopyAxis> result;
  for (const CopyAxis& axis : axes) {
    if (axis.extent == 1) continue;
    if (!result.empty() && result.back().in_stride == axis.extent * axis.in_stride && result.back().out_stride == axis.extent * axis.out_stride)
      result.back() = {result.back().extent * axis.extent, axis.in_stride, axis.out_stride};
    else result.push_back(axis);
  }
  if (result.empty()) result.push_back({1, 1, 1});
  return result;
}

}  // namespace

void StridedCopy::run(const std::byte* in, std::byte* out, std::size_t element_bytes) const {
  for (const CopyAxis& axis : axes)
    if (axis.extent < 1) return;
  const std::vector<CopyAxis> plan = merged(axes);
  const auto bytes = static_cast<std::int64_t>(element_bytes);
  std::vector<std::int64_t> index(plan.size() - 1);
  std::int64_t from = in_offset;
  std::int64_t to = out_offset;
  while (true) {
    copy_axis(in + from * bytes, out + to * bytes, plan.back(), element_bytes);
    std::size_t d = index.size();
    while (d > 0) {
      --d;
      from += plan[d].in_stride;
      to += plan[d].out_stride;
      if (++index[d] < plan[d].extent) break;
      from -= plan[d].extent * plan[d].in_stride;
      to -= plan[d].extent * plan[d].out_stride;
      index[d] = 0;
      if (d == 0) return;
    }
    if (index.empty()) return;
  }
}

std::vector<std::int64_t> strides_of(std::span<const std::int32_t> shape) {
  std::vector<std::int64_t> strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

}  // namespace naru::sdk::host
