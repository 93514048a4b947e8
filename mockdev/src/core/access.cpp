// Boxes of every command. Nothing here refuses; stream_loader and executor judge.
#include "core/access.h"

#include <algorithm>
#include <numeric>

#include "naru/abi/weights.h"

namespace naru::mockdev {
namespace {

using abi::element_bytes;
using u64 = std::uint64_t;

struct Collector {
  Accesses result;

  Box& add(abi::Operand operand, u64 row, std::uint32_t alignment, abi::Rights rights) {
    Access& access = result.list[result.count++];
    access.region = operand.region();
    access.rights = rights;
    access.alignment = alignment;
    access.box.offset = operand.offset();
    access.box.row = row;
    return access.box;
  }
  Box& read(abi::Operand operand, u64 row, std::uint32_t alignment = 1) { return add(operand, row, alignment, abi::Rights::kRead); }
  Box& write(abi::Operand operand, u64 row, std::uint32_t alignment = 1) { return add(operand, row, alignment, abi::Rights::kWrite); }
  void last_may_be_overwritten() { result.list[result.count - 1].may_be_overwritten = true; }

  template <std::size_t N>
  static void spread(Box& box, const std::array<std::uint32_t, N>& count, const std::array<std::uint32_t, N>& stride) {
    for (std::size_t i = 0; i < N; ++i) box.dimensions[i] = {count[i], stride[i]};
  }
  static void pixels(Box& box, u64 rows, u64 row_stride, u64 cols, u64 pixel_stride) {
    box.dimensions[0] = {rows, row_stride};
    box.dimensions[1] = {cols, pixel_stride};
  }
  template <typename Window>
  static void window(Box& box, const Window& c) {
    box.dimensions = {{{c.out_rows, u64{c.stride_rows} * c.input_row_stride},
                       {c.kernel_rows, u64{c.dilation_rows} * c.input_row_stride},
                       {c.out_cols, u64{c.stride_cols} * c.input_pixel_stride},
                       {c.kernel_cols, u64{c.dilation_cols} * c.input_pixel_stride}}};
  }
  void weights(abi::Operand operand, u64 blocks, std::optional<u64> block_bytes) {
    const std::optional<u64> bytes = block_bytes ? checked_mul(blocks, *block_bytes) : std::nullopt;
    if (!bytes) result.overflow = true;
    read(operand, bytes.value_or(0), abi::kWeightAlignment);
  }
  /// Below 2^57 the block's size fits whatever the formula multiplies by.
  static std::optional<u64> dense_block(u64 taps, u64 in_channels) {
    const std::optional<u64> data = checked_mul(taps, ceil_div<u64>(in_channels, abi::kWeightInputGroup));
    return data && *data < (u64{1} << 57) ? std::optional(abi::dense_block_bytes(taps, in_channels)) : std::nullopt;
  }

  void operator()(const abi::End&) {}
  void operator()(const abi::Wait&) {}
  void operator()(const abi::Mark&) {}
  void operator()(const abi::Dma& c) {
    spread(read(c.source, c.row_bytes), c.count, c.source_stride);
    spread(write(c.target, c.row_bytes), c.count, c.target_stride);
  }
  void operator()(const abi::Fill& c) { spread(write(c.target, c.row_bytes, element_bytes(c.type)), c.count, c.target_stride); }
  void operator()(const abi::Move& c) {
    const std::uint32_t size = element_bytes(c.type);
    spread(read(c.input, size, size), c.extent, c.input_stride);
    spread(write(c.output, size, size), c.extent, c.output_stride);
  }
  void operator()(const abi::Conv& c) {
    const std::uint32_t in_size = element_bytes(c.input_type), out_size = element_bytes(c.output_type);
    window(read(c.input, u64{c.in_channels} * in_size, in_size), c);
    weights(c.weights, abi::weight_blocks(c.out_channels), dense_block(u64{c.kernel_rows} * c.kernel_cols, c.in_channels));
    if (c.start == abi::Start::kPartial) pixels(read(c.partial, u64{c.out_channels} * 4, 4), c.out_rows, c.partial_row_stride, c.out_cols, c.partial_pixel_stride);
    pixels(write(c.output, u64{c.out_channels} * out_size, out_size), c.out_rows, c.output_row_stride, c.out_cols, c.output_pixel_stride);
  }
  void operator()(const abi::Depthwise& c) {
    const std::uint32_t in_size = element_bytes(c.input_type), out_size = element_bytes(c.output_type);
    const u64 in_channels = c.channel_multiplier == 0 ? 0 : ceil_div<u64>(c.channels, c.channel_multiplier);
    window(read(c.input, in_channels * in_size, in_size), c);
    weights(c.weights, abi::weight_blocks(c.channels), abi::depthwise_block_bytes(u64{c.kernel_rows} * c.kernel_cols, abi::weight_bytes_of(c.weight_format)));
    pixels(write(c.output, u64{c.channels} * out_size, out_size), c.out_rows, c.output_row_stride, c.out_cols, c.output_pixel_stride);
  }
  void operator()(const abi::Elementwise& c) {
    const std::uint32_t size = element_bytes(c.type);
    spread(read(c.a, size, size), c.extent, c.a_stride);
    last_may_be_overwritten();
    spread(read(c.b, size, size), c.extent, c.b_stride);
    last_may_be_overwritten();
    spread(write(c.output, size, size), c.extent, c.output_stride);
  }
  void operator()(const abi::Requantize& c) {
    const std::uint32_t in_size = element_bytes(c.input_type), out_size = element_bytes(c.output_type);
    spread(read(c.input, in_size, in_size), c.extent, c.input_stride);
    last_may_be_overwritten();
    spread(write(c.output, out_size, out_size), c.extent, c.output_stride);
  }
  void operator()(const abi::Table& c) {
    spread(read(c.input, 1), c.extent, c.input_stride);
    last_may_be_overwritten();
    read(c.table, 256);
    spread(write(c.output, 1), c.extent, c.output_stride);
  }
  /// Rows (or columns) between the first and the last that a window taps; taps outside the image are not read.
  static u64 tapped(u64 out, u64 stride, u64 kernel, u64 pad, u64 in) {
    const u64 past_last = (out - std::min<u64>(out, 1)) * stride + kernel;
    return std::min(in, past_last - std::min(past_last, pad));
  }
  void operator()(const abi::Pool& c) {
    const std::uint32_t size = element_bytes(c.type);
    const u64 row = u64{c.channels} * size;
    pixels(read(c.input, row, size), tapped(c.out_rows, c.stride_rows, c.kernel_rows, c.pad_top, c.in_rows), c.input_row_stride,
           tapped(c.out_cols, c.stride_cols, c.kernel_cols, c.pad_left, c.in_cols), c.input_pixel_stride);
    pixels(write(c.output, row, size), c.out_rows, c.output_row_stride, c.out_cols, c.output_pixel_stride);
  }
  void operator()(const abi::Reduce& c) {
    const std::uint32_t in_size = element_bytes(c.input_type), out_size = element_bytes(c.output_type);
    spread(read(c.input, in_size, in_size), c.extent, c.input_stride);
    Box& output = write(c.output, out_size, out_size);
    for (std::size_t i = 0; i < 4; ++i)
      if ((c.reduced_dimensions >> i & 1) == 0) output.dimensions[i] = {c.extent[i], c.output_stride[i]};
  }
  void operator()(const abi::Softmax& c) {
    const u64 row = u64{c.row_elements} * element_bytes(c.type);
    read(c.input, row).dimensions[0] = {c.rows, c.input_row_stride};
    last_may_be_overwritten();
    write(c.output, row).dimensions[0] = {c.rows, c.output_row_stride};
  }
  void operator()(const abi::Curve& c) {
    spread(read(c.input, 2, 2), c.extent, c.input_stride);
    last_may_be_overwritten();
    read(c.table, 512, 2);
    spread(write(c.output, 2, 2), c.extent, c.output_stride);
  }
  void operator()(const abi::Pack& c) {
    Box& input = read(c.input, 1);
    pixels(input, c.channels, c.channel_stride, c.depth, c.depth_stride);
    const std::optional<u64> block = dense_block(1, c.depth);
    const std::optional<u64> bytes = block ? checked_mul(abi::weight_blocks(c.channels), *block) : std::nullopt;
    if (!bytes) result.overflow = true;
    write(c.output, bytes.value_or(0), abi::kWeightAlignment);
  }
  void operator()(const abi::Resize& c) {
    const std::uint32_t size = element_bytes(c.type);
    const u64 row = u64{c.channels} * size;
    pixels(read(c.input, row, size), c.in_rows, c.input_row_stride, c.in_cols, c.input_pixel_stride);
    pixels(write(c.output, row, size), c.out_rows, c.output_row_stride, c.out_cols, c.output_pixel_stride);
  }
};

/// The same bytes with dimensions of one step dropped, innermost (smallest stride) first, and those that continue the row folded into it.
/// Only for boxes that have an end().
Box folded(const Box& box) noexcept {
  Box result{.offset = box.offset, .row = box.row, .dimensions = {}};
  std::array<Box::Dimension, 4> sorted = box.dimensions;
  std::ranges::sort(sorted, {}, &Box::Dimension::stride);
  std::size_t kept = 0;
  for (const Box::Dimension& dimension : sorted) {
    if (dimension.count == 1) continue;
    if (kept == 0 && dimension.stride == result.row) {
      result.row *= dimension.count;
    } else {
      result.dimensions[kept++] = dimension;
    }
  }
  return result;
}

}  // namespace

Accesses accesses_of(const abi::CommandBody& body) noexcept {
  Collector collector;
  std::visit(collector, body);
  return collector.result;
}

std::optional<u64> Box::end() const noexcept {
  std::optional<u64> end = checked_add(offset, row);
  for (const Dimension& dimension : dimensions) {
    if (dimension.count == 0) return std::nullopt;
    const std::optional<u64> reach = checked_mul(dimension.count - 1, dimension.stride);
    if (!end || !reach) return std::nullopt;
    end = checked_add(*end, *reach);
  }
  return end;
}

bool may_overlap(const Box& a, const Box& b) noexcept {
  const std::optional<u64> a_end = a.end(), b_end = b.end();
  if (!a_end || !b_end) return true;
  if (*a_end <= b.offset || *b_end <= a.offset) return false;
  const Box x = folded(a), y = folded(b);
  u64 period = 0;
  for (const Box* box : {&x, &y})
    for (const Box::Dimension& dimension : box->dimensions)
      if (dimension.count > 1) period = std::gcd(period, dimension.stride);
  if (period == 0) return true;
  // All rows of a box begin at the same place within the period: disjoint when neither row reaches the other's place, going round.
  const u64 forward = (y.offset % period + period - x.offset % period) % period;
  const u64 backward = (period - forward) % period;
  return x.row > forward || y.row > (backward == 0 ? 0 : backward);
}

bool visits_once(const Box& box) noexcept {
  const Box inner_first = folded(box);
  u64 reach = inner_first.row;
  for (const Box::Dimension& dimension : inner_first.dimensions) {
    if (dimension.count <= 1) continue;
    if (dimension.stride < reach) return false;
    const std::optional<u64> steps = checked_mul(dimension.count - 1, dimension.stride);
    const std::optional<u64> sum = steps ? checked_add(reach, *steps) : std::nullopt;
    if (!sum) return false;
    reach = *sum;
  }
  return true;
}

}  // namespace naru::mockdev
