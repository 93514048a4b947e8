// What choosing and unrolling the tiles of windows share.
#pragma once

#include <algorithm>
#include <numeric>

#include "compiler/tile/parts.h"
#include "naru/abi/weights.h"

namespace naru::sdk::compiler {

/// One direction of the image.
struct Axis {
  std::uint32_t out, in, kernel, stride, dilation, pad;

  struct Span {
    std::int64_t first, last;                    // positions that the windows touch, before and past the image included
    std::uint32_t begin, end;                    // those inside the image
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(last - first); }
    [[nodiscard]] std::uint32_t inside() const { return end - begin; }
    [[nodiscard]] std::uint32_t before() const { return static_cast<std::uint32_t>(begin - first); }
    [[nodiscard]] std::uint32_t after() const { return size() - before() - inside(); }
  };
  [[nodiscard]] Span span(std::uint32_t from, std::uint32_t count) const {
    const std::int64_t first = std::int64_t{from} * stride - pad;
    const std::int64_t last = first + std::int64_t{count - 1} * stride + std::int64_t{kernel - 1} * dilation + 1;
    const std::int64_t begin = std::clamp<std::int64_t>(first, 0, in);
    const std::int64_t end = std::clamp<std::int64_t>(last, begin, in);
    // A window wholly in the padding has nothing inside: where it lies does not matter then.
    if (begin == end) return {0, last - first, 0, 0};
    return {first, last, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
  [[nodiscard]] std::uint64_t tiles(std::uint32_t tile) const { return ceil_div(out, tile); }
  /// Positions inside the image that all tiles load together.
  [[nodiscard]] std::uint64_t loaded(std::uint32_t tile) const {
    std::uint64_t total = 0;
    for (std::uint32_t from = 0; from < out; from += tile) total += span(from, std::min(tile, out - from)).inside();
    return total;
  }
};

[[nodiscard]] inline Axis rows_of(const WindowNode& w) { return {w.out_rows, w.in_rows, w.kernel_rows, w.stride_rows, w.dilation_rows, w.pad_top}; }
[[nodiscard]] inline Axis cols_of(const WindowNode& w) { return {w.out_cols, w.in_cols, w.kernel_cols, w.stride_cols, w.dilation_cols, w.pad_left}; }

[[nodiscard]] inline bool is_dense(const WindowNode& w) { return w.kind == WindowNode::Kind::kDense; }
[[nodiscard]] inline std::uint32_t groups_of(const WindowNode& w) { return is_dense(w) ? w.groups : 1; }
/// Input channels that one output channel's command reads.
[[nodiscard]] inline std::uint32_t group_depth(const WindowNode& w) { return is_dense(w) ? w.in_channels / w.groups : 1; }

/// Input channels of a tile of `channels` output channels.
[[nodiscard]] inline std::uint32_t tile_inputs(const WindowNode& w, std::uint32_t channels, std::uint32_t depth) {
  return is_dense(w) ? depth : ceil_div(channels, w.channel_multiplier);
}

/// Output channels per tile must be whole weight blocks, and whole input channels.
[[nodiscard]] inline std::uint32_t channel_granule(const WindowNode& w) {
  if (w.kind == WindowNode::Kind::kDepthwise) return std::lcm(abi::kWeightBlockChannels, w.channel_multiplier);
  return abi::kWeightBlockChannels;
}

/// The command without operands, extents and strides.
[[nodiscard]] abi::CommandBody command_of(const WindowNode& w);

}  // namespace naru::sdk::compiler
