// Copies of elements along several axes at once: what most operators of movement are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace naru::sdk::host {

/// `extent` steps, of so many elements in the source and in the target; a source's may be 0 or negative.
struct CopyAxis {
  std::int64_t extent = 1;
  std::int64_t in_stride = 0;
  std::int64_t out_stride = 0;
};

/// The elements that `axes` (outermost first) reach from `in` and `out` on. The caller knows that all lie inside.
struct StridedCopy {
  std::int64_t in_offset = 0;
  std::int64_t out_offset = 0;
  std::vector<CopyAxis> axes;

  void run(const std::byte* in, std::byte* out, std::size_t element_bytes) const;
};

/// Elements from one index of a dimension to the next, for a tensor that lies densely.
[[nodiscard]] std::vector<std::int64_t> strides_of(std::span<const std::int32_t> shape);

}  // namespace naru::sdk::host
