// The accesses of each command, from the loop nests of abi/isa.h. Nothing here judges: sizes saturate and the checks refuse them.

#include "naru/verify/footprint.h"

#include <algorithm>

#include "naru/abi/weights.h"
#include "saturating.h"

namespace naru::verify {
namespace {

using abi::element_bytes;
using abi::ElementType;
using abi::Operand;
using abi::Rights;

class Builder {
 public:
  StridedBox& read(std::string_view operand, Operand at, std::uint64_t row_bytes, bool in_place = false) { return add(operand, at, row_bytes, Rights::kRead, in_place); }
  StridedBox& write(std::string_view operand, Operand at, std::uint64_t row_bytes) { return add(operand, at, row_bytes, Rights::kWrite, false); }
  [[nodiscard]] const Footprint& result() const { return footprint_; }

 private:
  StridedBox& add(std::string_view operand, Operand at, std::uint64_t row_bytes, Rights rights, bool in_place) {
    Access& access = footprint_.accesses[footprint_.count++];
    access = {operand, at.region(), rights, in_place, {at.offset(), row_bytes, {}, 0}};
    return access.box;
  }
  Footprint footprint_;
};

template <std::size_t N>
void walk(StridedBox& box, const std::array<std::uint32_t, N>& counts, const std::array<std::uint32_t, N>& strides) {
  for (std::size_t i = 0; i < N; ++i) box.add(counts[i], strides[i]);
}

/// Rows and columns of an image of pixels.
void image(StridedBox& box, std::uint64_t rows, std::uint64_t row_stride, std::uint64_t cols, std::uint64_t pixel_stride) {
  box.add(rows, row_stride);
  box.add(cols, pixel_stride);
}

/// The pixels that a sliding window visits: for r, y: r * stride + y * dilation, in both directions.
template <typename Window>
void window(StridedBox& box, const Window& w) {
  box.add(w.out_rows, std::uint64_t{w.stride_rows} * w.input_row_stride);
  box.add(w.kernel_rows, std::uint64_t{w.dilation_rows} * w.input_row_stride);
  box.add(w.out_cols, std::uint64_t{w.stride_cols} * w.input_pixel_stride);
  box.add(w.kernel_cols, std::uint64_t{w.dilation_cols} * w.input_pixel_stride);
}

std::uint64_t taps_of(const auto& window) { return std::uint64_t{window.kernel_rows} * window.kernel_cols; }

std::uint64_t dense_bytes(std::uint64_t out_channels, std::uint64_t taps, std::uint64_t in_channels) {
  const std::uint64_t groups = ceil_div<std::uint64_t>(in_channels, abi::kWeightInputGroup);
  const std::uint64_t data = saturating_mul(saturating_mul(taps, groups), abi::kWeightBlockChannels * abi::kWeightInputGroup);
  return saturating_mul(abi::weight_blocks(out_channels), saturating_add(abi::kWeightDataOffset, data));
}

void accesses(Builder&, const abi::End&) {}
void accesses(Builder&, const abi::Wait&) {}
void accesses(Builder&, const abi::Mark&) {}

void accesses(Builder& b, const abi::Dma& c) {
  walk(b.read("source", c.source, c.row_bytes), c.count, c.source_stride);
  walk(b.write("target", c.target, c.row_bytes), c.count, c.target_stride);
}

void accesses(Builder& b, const abi::Fill& c) { walk(b.write("target", c.target, c.row_bytes), c.count, c.target_stride); }

void accesses(Builder& b, const abi::Move& c) {
  walk(b.read("input", c.input, element_bytes(c.type)), c.extent, c.input_stride);
  walk(b.write("output", c.output, element_bytes(c.type)), c.extent, c.output_stride);
}

void accesses(Builder& b, const abi::Conv& c) {
  window(b.read("input", c.input, std::uint64_t{c.in_channels} * element_bytes(c.input_type)), c);
  b.read("weights", c.weights, dense_bytes(c.out_channels, taps_of(c), c.in_channels));
  if (c.start == abi::Start::kPartial)
    image(b.read("partial", c.partial, std::uint64_t{c.out_channels} * element_bytes(ElementType::kI32)), c.out_rows, c.partial_row_stride, c.out_cols,
          c.partial_pixel_stride);
  image(b.write("output", c.output, std::uint64_t{c.out_channels} * element_bytes(c.output_type)), c.out_rows, c.output_row_stride, c.out_cols,
        c.output_pixel_stride);
}

void accesses(Builder& b, const abi::Depthwise& c) {
  const std::uint64_t in_channels = c.channel_multiplier == 0 ? 0 : ceil_div<std::uint64_t>(c.channels, c.channel_multiplier);
  window(b.read("input", c.input, in_channels * element_bytes(c.input_type)), c);
  // taps fit 32 bits, so a block fits 64.
  b.read("weights", c.weights, saturating_mul(abi::weight_blocks(c.channels), abi::depthwise_block_bytes(taps_of(c), abi::weight_bytes_of(c.weight_format))));
  image(b.write("output", c.output, std::uint64_t{c.channels} * element_bytes(c.output_type)), c.out_rows, c.output_row_stride, c.out_cols,
        c.output_pixel_stride);
}

void accesses(Builder& b, const abi::Elementwise& c) {
  walk(b.read("a", c.a, element_bytes(c.type), true), c.extent, c.a_stride);
  walk(b.read("b", c.b, element_bytes(c.type), true), c.extent, c.b_stride);
  walk(b.write("output", c.output, element_bytes(c.type)), c.extent, c.output_stride);
}

void accesses(Builder& b, const abi::Requantize& c) {
  walk(b.read("input", c.input, element_bytes(c.input_type), true), c.extent, c.input_stride);
  walk(b.write("output", c.output, element_bytes(c.output_type)), c.extent, c.output_stride);
}

void accesses(Builder& b, const abi::Table& c) {
  walk(b.read("input", c.input, element_bytes(c.type), true), c.extent, c.input_stride);
  b.read("table", c.table, 256);
  walk(b.write("output", c.output, element_bytes(c.type)), c.extent, c.output_stride);
}

/// How many positions there are from the image's first to the last that any window taps. With pad < kernel the first window taps position 0.
std::uint64_t tapped(std::uint64_t out, std::uint64_t kernel, std::uint64_t stride, std::uint64_t pad, std::uint64_t in) {
  const std::uint64_t past = out == 0 ? 0 : (out - 1) * stride + kernel;
  return past <= pad ? 0 : std::min(in, past - pad);
}

void accesses(Builder& b, const abi::Pool& c) {
  const std::uint64_t bytes = std::uint64_t{c.channels} * element_bytes(c.type);
  // Taps that strides jump over count as read too: the box of all rows and columns between the first and the last tap.
  image(b.read("input", c.input, bytes), tapped(c.out_rows, c.kernel_rows, c.stride_rows, c.pad_top, c.in_rows), c.input_row_stride,
        tapped(c.out_cols, c.kernel_cols, c.stride_cols, c.pad_left, c.in_cols), c.input_pixel_stride);
  image(b.write("output", c.output, bytes), c.out_rows, c.output_row_stride, c.out_cols, c.output_pixel_stride);
}

void accesses(Builder& b, const abi::Reduce& c) {
  walk(b.read("input", c.input, element_bytes(c.input_type)), c.extent, c.input_stride);
  StridedBox& output = b.write("output", c.output, element_bytes(c.output_type));
  for (unsigned i = 0; i < c.extent.size(); ++i)
    if ((c.reduced_dimensions >> i & 1) == 0) output.add(c.extent[i], c.output_stride[i]);
}

void accesses(Builder& b, const abi::Softmax& c) {
  const std::uint64_t bytes = std::uint64_t{c.row_elements} * element_bytes(c.type);
  b.read("input", c.input, bytes, true).add(c.rows, c.input_row_stride);
  b.write("output", c.output, bytes).add(c.rows, c.output_row_stride);
}

void accesses(Builder& b, const abi::Curve& c) {
  walk(b.read("input", c.input, 2, true), c.extent, c.input_stride);
  b.read("table", c.table, 512);
  walk(b.write("output", c.output, 2), c.extent, c.output_stride);
}

void accesses(Builder& b, const abi::Pack& c) {
  image(b.read("input", c.input, 1), c.channels, c.channel_stride, c.depth, c.depth_stride);
  b.write("output", c.output, dense_bytes(c.channels, 1, c.depth));
}

void accesses(Builder& b, const abi::Resize& c) {
  const std::uint64_t bytes = std::uint64_t{c.channels} * element_bytes(c.type);
  // Whatever the scales and offsets say: positions are clamped to the declared input.
  image(b.read("input", c.input, bytes), c.in_rows, c.input_row_stride, c.in_cols, c.input_pixel_stride);
  image(b.write("output", c.output, bytes), c.out_rows, c.output_row_stride, c.out_cols, c.output_pixel_stride);
}

}  // namespace

Footprint footprint_of(const abi::CommandBody& body) noexcept {
  Builder builder;
  std::visit([&](const auto& command) { accesses(builder, command); }, body);
  return builder.result();
}

}  // namespace naru::verify
