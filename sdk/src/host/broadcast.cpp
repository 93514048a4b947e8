// Strides of broadcasting; neighbouring dimensions that every operand walks alike become one.
#include "host/broadcast.h"

#include "host/strided.h"

namespace naru::sdk::host {

std::optional<Broadcast> Broadcast::of(std::span<const graph::Shape* const> operands, const graph::Shape& out) {
  Broadcast result;
  std::vector<Axis> axes(out.size());
  for (std::size_t d = 0; d < out.size(); ++d) {
    axes[d].extent = out[d];
    result.count_ *= static_cast<std::size_t>(out[d]);
  }
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const graph::Shape& shape = *operands[k];
    if (shape.size() > out.size()) return std::nullopt;
    const auto strides = strides_of(shape);
    const std::size_t added = out.size() - shape.size();
    for (std::size_t d = 0; d < shape.size(); ++d) {
      if (shape[d] != 1 && shape[d] != out[added + d]) return std::nullopt;
      axes[added + d].strides[k] = shape[d] == 1 ? 0 : strides[d];
    }
  }
  for (const Axis& axis : axes) {
    if (axis.extent == 1) continue;
    const auto continues = [&](const Axis& outer) {
      for (std::size_t k = 0; k < axis.strides.size(); ++k)
        if (outer.strides[k] != axis.extent * axis.strides[k]) return false;
      return true;
    };
    if (!result.axes_.empty() && continues(result.axes_.back())) result.axes_.back() = {result.axes_.back().extent * axis.extent, axis.strides};
    else result.axes_.push_back(axis);
  }
  if (result.axes_.empty()) result.axes_.emplace_back();
  return result;
}

void Broadcast::walk_rows(Row row, void* function) const {
  std::array<std::int64_t, 3> at{};
  std::vector<std::int64_t> index(axes_.size() - 1);
  for (std::size_t out = 0; out < count_; out += static_cast<std::size_t>(axes_.back().extent)) {
    row(function, at, axes_.back(), out);
    for (std::size_t d = index.size(); d-- > 0;) {
      const bool wraps = ++index[d] == axes_[d].extent;
      for (std::size_t k = 0; k < at.size(); ++k) at[k] += axes_[d].strides[k] * (wraps ? 1 - axes_[d].extent : 1);
      if (!wraps) break;
      index[d] = 0;
    }
  }
}

}  // namespace naru::sdk::host
