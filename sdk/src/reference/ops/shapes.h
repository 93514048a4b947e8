// Walking over shapes: strides, broadcasting, and the one copy that all byte movement is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/graph.h"

namespace naru::sdk::reference {

/// Strides in elements, innermost 1.
[[nodiscard]] std::vector<std::int64_t> strides_of(std::span<const std::int32_t> shape);

/// Product of shape[begin, end).
[[nodiscard]] std::size_t product_of(std::span<const std::int32_t> shape, std::size_t begin, std::size_t end);

/// Calls visit(at) for every index vector below `extents`, innermost fastest; once for no dimensions.
template <typename Visit>
void for_each_index(std::span<const std::int32_t> extents, const Visit& visit) {
  for (std::int32_t extent : extents)
    if (extent <= 0) return;
  std::vector<std::int32_t> at(extents.size());
  for (;;) {
    visit(std::span<const std::int32_t>(at));
    std::size_t d = extents.size();
    while (d > 0 && ++at[d - 1] == extents[d - 1]) at[--d] = 0;
    if (d == 0) return;
  }
}

/// Sum of at[d] * strides[d].
[[nodiscard]] inline std::int64_t offset_of(std::span<const std::int32_t> at, std::span<const std::int64_t> strides) {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < at.size(); ++d) offset += at[d] * strides[d];
  return offset;
}

/// Copies elements of `element_bytes` between two views of the same extents; strides in elements, negative and 0 ones included.
void copy_view(const std::byte* source, std::span<const std::int64_t> source_strides, std::byte* target, std::span<const std::int64_t> target_strides,
               std::span<const std::int32_t> extents, std::size_t element_bytes);

/// For each element of an output the element of an operand that broadcasts to it, as in numpy.
class Broadcast {
 public:
  Broadcast(const graph::Shape& operand, const graph::Shape& output);
  [[nodiscard]] std::size_t operator[](std::size_t index) const { return same_ ? index : table_.empty() ? 0 : table_[index]; }

 private:
  bool same_ = false;
  std::vector<std::uint32_t> table_;  // empty also for a single element; tensors have at most 2^28 bytes
};

/// Whether `operand` broadcasts to `output`.
[[nodiscard]] bool broadcasts(const graph::Shape& operand, const graph::Shape& output);

}  // namespace naru::sdk::reference
