// Strides, the general copy, and the table of a broadcast.
#include "reference/ops/shapes.h"

#include <cstring>

namespace naru::sdk::reference {

std::vector<std::int64_t> strides_of(std::span<const std::int32_t> shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t d = shape.size(); d-- > 0;) {
    strides[d] = stride;
    stride *= shape[d];
  }
  return strides;
}

std::size_t product_of(std::span<const std::int32_t> shape, std::size_t begin, std::size_t end) {
  std::size_t product = 1;
  for (std::size_t d = begin; d < end; ++d) product *= static_cast<std::size_t>(shape[d]);
  return product;
}

void copy_view(const std::byte* source, std::span<const std::int64_t> source_strides, std::byte* target, std::span<const std::int64_t> target_strides,
               std::span<const std::int32_t> extents, std::size_t element_bytes) {
  // Dimensions that lie without a gap in both views are one run.
  std::size_t outer = extents.size();
  std::int64_t run = 1;
  while (outer > 0 && source_strides[outer - 1] == run && target_strides[outer - 1] == run) run *= extents[--outer];
  const auto bytes = static_cast<std::int64_t>(element_bytes);
  const std::size_t run_bytes = static_cast<std::size_t>(run) * element_bytes;
  for_each_index(extents.first(outer), [&](std::span<const std::int32_t> at) {
    std::memcpy(target + offset_of(at, target_strides) * bytes, source + offset_of(at, source_strides) * bytes, run_bytes);
  });
}

Broadcast::Broadcast(const graph::Shape& operand, const graph::Shape& output) {
  const std::uint64_t count = graph::element_count(operand);
  same_ = count == graph::element_count(output);
  if (same_ || count == 1) return;
  std::vector<std::int64_t> strides(output.size());
  std::int64_t stride = 1;
  for (std::size_t i = 1; i <= operand.size() && i <= output.size(); ++i) {
    const std::int32_t extent = operand[operand.size() - i];
    strides[output.size() - i] = extent == 1 ? 0 : stride;
    stride *= extent;
  }
  table_.reserve(graph::element_count(output));
  for_each_index(output, [&](std::span<const std::int32_t> at) { table_.push_back(static_cast<std::uint32_t>(offset_of(at, strides))); });
}

bool broadcasts(const graph::Shape& operand, const graph::Shape& output) {
  if (operand.size() > output.size()) return false;
  for (std::size_t i = 1; i <= operand.size(); ++i) {
    const std::int32_t extent = operand[operand.size() - i];
    if (extent != 1 && extent != output[output.size() - i]) return false;
  }
  return true;
}

}  // namespace naru::sdk::reference
