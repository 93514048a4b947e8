// Random commands of every kind: fields within their rules, sizes small, inputs and outputs in the regions of sample_streams.h. Most pass the verifier.
#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "naru/base/bytes.h"
#include "naru/base/random.h"
#include "sample_streams.h"

namespace naru::test {

using Memory = std::vector<std::vector<std::byte>>;  // by region

inline Memory random_memory(const Stream& stream, Random& random) {
  Memory memory;
  for (const RegionDeclaration& region : stream.regions) {
    auto& bytes = memory.emplace_back(region.bytes);
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) store_le(bytes.data() + i, random.next());
  }
  return memory;
}

inline std::uint32_t upto(Random& random, std::uint64_t highest) { return static_cast<std::uint32_t>(1 + random.below(highest)); }

inline ElementType one_of(Random& random, std::initializer_list<ElementType> types) { return *(types.begin() + random.below(types.size())); }
inline ElementType narrow_or_wide(Random& random) { return one_of(random, {ElementType::kI8, ElementType::kI8, ElementType::kU8, ElementType::kI16}); }

inline std::int32_t code(Random& random, ElementType type) {
  switch (type) {
    case ElementType::kI8: return static_cast<std::int32_t>(random.between(-128, 127));
    case ElementType::kU8: return static_cast<std::int32_t>(random.between(0, 255));
    default: return static_cast<std::int32_t>(random.between(-32768, 32767));
  }
}
template <typename T>
void clamp_to(T& c, Random& random, ElementType type) {
  c.activation_min = code(random, type);
  c.activation_max = code(random, type);
  if (c.activation_min > c.activation_max) std::swap(c.activation_min, c.activation_max);
}
inline std::int32_t multiplier(Random& random) {
  return random.chance(8) ? static_cast<std::int32_t>(random.below(2) * 0x7FFF'FFFF) : static_cast<std::int32_t>(random.next() & 0x7FFF'FFFF);
}
inline std::int8_t shift(Random& random) { return static_cast<std::int8_t>(random.chance(4) ? random.between(-31, 30) : random.between(-12, 3)); }

template <typename T>
void random_window(T& c, Random& random, std::uint32_t in_channels, std::uint32_t out_channels) {
  c.input = Operand::at(kSram, 64 * random.below(16));
  c.weights = Operand::at(kTables, 64 * random.below(8));
  c.output = Operand::at(kOutbox, 64 * random.below(4));
  c.input_type = narrow_or_wide(random);
  c.output_type = random.chance(4) && c.input_type != ElementType::kI16 ? ElementType::kI32 : narrow_or_wide(random);
  c.out_rows = upto(random, 4);
  c.out_cols = upto(random, 5);
  c.kernel_rows = static_cast<std::uint16_t>(upto(random, 3));
  c.kernel_cols = static_cast<std::uint16_t>(upto(random, 3));
  c.stride_rows = static_cast<std::uint16_t>(upto(random, 2));
  c.stride_cols = static_cast<std::uint16_t>(upto(random, 3));
  c.dilation_rows = static_cast<std::uint16_t>(upto(random, 2));
  c.dilation_cols = static_cast<std::uint16_t>(upto(random, 2));
  const std::uint32_t in_size = element_bytes(c.input_type);
  const std::uint32_t out_size = element_bytes(c.output_type);
  c.input_pixel_stride = (in_channels + static_cast<std::uint32_t>(random.below(3))) * in_size;
  c.input_row_stride = c.input_pixel_stride * (14 + static_cast<std::uint32_t>(random.below(2)));
  c.output_pixel_stride = (out_channels + static_cast<std::uint32_t>(random.below(3))) * out_size;
  c.output_row_stride = c.output_pixel_stride * (c.out_cols + static_cast<std::uint32_t>(random.below(2)));
  c.weight_zero = random.chance(2) ? 0 : code(random, ElementType::kI8);
  if (c.output_type == ElementType::kI32) return;
  c.output_zero = code(random, c.output_type);
  clamp_to(c, random, c.output_type);
}

inline Conv random_conv(Random& random) {
  Conv c;
  c.in_channels = upto(random, 20);
  c.out_channels = upto(random, 36);
  random_window(c, random, c.in_channels, c.out_channels);
  if (c.input_type != ElementType::kI16 && random.chance(4)) {
    c.start = Start::kPartial;
    c.partial = Operand::at(kTables, 16 << 10);
    c.partial_pixel_stride = 4 * c.out_channels;
    c.partial_row_stride = c.partial_pixel_stride * c.out_cols;
  }
  return c;
}
inline Depthwise random_depthwise(Random& random) {
  Depthwise c;
  c.channel_multiplier = random.chance(2) ? 1 : upto(random, 3);
  c.channels = upto(random, 40);
  random_window(c, random, (c.channels + c.channel_multiplier - 1) / c.channel_multiplier, c.channels);
  return c;
}
/// With weights of 16 bits, whose sums fit every output type.
inline Depthwise random_depthwise_of_wide_weights(Random& random) {
  Depthwise c = random_depthwise(random);
  c.weight_format = WeightFormat::kDepthwiseI16;
  if (c.input_type == ElementType::kU8) c.input_type = ElementType::kI8;
  if (c.input_type == ElementType::kI16 && random.chance(3)) {
    c.output_type = ElementType::kI32;
    c.output_zero = c.activation_min = c.activation_max = 0;
    c.output_pixel_stride = 4 * c.channels;
    c.output_row_stride = c.output_pixel_stride * c.out_cols;
  }
  return c;
}

/// Dense strides for an extent, in a random order of dimensions, with some slack.
inline std::array<std::uint32_t, 4> strides_of(const std::array<std::uint32_t, 4>& extent, std::uint32_t size, Random& random) {
  std::array<unsigned, 4> order{3, 2, 1, 0};
  if (random.chance(3)) std::swap(order[random.below(4)], order[random.below(4)]);
  std::array<std::uint32_t, 4> strides{};
  std::uint32_t span = size;
  for (unsigned d : order) {
    strides[d] = span + (random.chance(4) ? size : 0);
    span = strides[d] * extent[d];
  }
  return strides;
}
inline std::array<std::uint32_t, 4> random_extent(Random& random) { return {upto(random, 2), upto(random, 3), upto(random, 5), upto(random, 40)}; }

/// Input in the SRAM region, output in the outbox.
template <typename T>
void random_walk(T& c, Random& random, ElementType input, ElementType output) {
  c.input = Operand::at(kSram, 8 * random.below(64));
  c.output = Operand::at(kOutbox, 8 * random.below(64));
  c.extent = random_extent(random);
  c.input_stride = strides_of(c.extent, element_bytes(input), random);
  c.output_stride = strides_of(c.extent, element_bytes(output), random);
}

inline Elementwise random_elementwise(Random& random) {
  Elementwise c;
  c.a = Operand::at(kSram, 8 * random.below(64));
  c.b = Operand::at(kSram, 8 * random.below(64));
  c.output = Operand::at(kOutbox, 8 * random.below(64));
  c.op = static_cast<ElementwiseOp>(1 + random.below(6));
  c.type = narrow_or_wide(random);
  c.extent = random_extent(random);
  c.a_stride = strides_of(c.extent, element_bytes(c.type), random);
  c.b_stride = strides_of(c.extent, element_bytes(c.type), random);
  for (std::uint32_t& stride : c.b_stride)
    if (random.chance(3)) stride = 0;
  c.output_stride = strides_of(c.extent, element_bytes(c.type), random);
  clamp_to(c, random, c.type);
  if (c.op == ElementwiseOp::kMinimum || c.op == ElementwiseOp::kMaximum) return c;
  c.a_zero = code(random, c.type);
  c.b_zero = code(random, c.type);
  c.output_zero = code(random, c.type);
  c.output_multiplier = multiplier(random);
  c.output_shift = shift(random);
  if (c.op == ElementwiseOp::kMul) return c;
  c.left_shift = static_cast<std::uint8_t>(random.below(21));
  c.a_multiplier = multiplier(random);
  c.b_multiplier = multiplier(random);
  c.a_shift = shift(random);
  c.b_shift = shift(random);
  return c;
}
inline Requantize random_requantize(Random& random) {
  Requantize c;
  c.input_type = one_of(random, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32});
  c.output_type = narrow_or_wide(random);
  random_walk(c, random, c.input_type, c.output_type);
  c.multiplier = multiplier(random);
  c.shift = shift(random);
  c.input_zero = c.input_type == ElementType::kI32 ? static_cast<std::int32_t>(random.next()) : code(random, c.input_type);
  c.output_zero = code(random, c.output_type);
  clamp_to(c, random, c.output_type);
  return c;
}
inline Table random_table(Random& random) {
  Table c;
  c.type = one_of(random, {ElementType::kI8, ElementType::kU8});
  random_walk(c, random, c.type, c.type);
  c.table = Operand::at(kTables, random.below(1000));
  return c;
}
inline Move random_move(Random& random) {
  Move c;
  c.type = one_of(random, {ElementType::kI8, ElementType::kI16, ElementType::kI32, ElementType::kI64, ElementType::kBool});
  random_walk(c, random, c.type, c.type);
  return c;
}
inline Pool random_pool(Random& random) {
  Pool c;
  c.input = Operand::at(kSram, 8 * random.below(64));
  c.output = Operand::at(kOutbox, 8 * random.below(64));
  c.kind = random.chance(2) ? PoolKind::kAverage : PoolKind::kMaximum;
  c.type = narrow_or_wide(random);
  c.in_rows = upto(random, 15);
  c.in_cols = upto(random, 15);
  c.out_rows = upto(random, 5);
  c.out_cols = upto(random, 5);
  c.channels = upto(random, 40);
  c.kernel_rows = static_cast<std::uint16_t>(upto(random, 9));
  c.kernel_cols = static_cast<std::uint16_t>(upto(random, 4));
  c.stride_rows = static_cast<std::uint16_t>(upto(random, 3));
  c.stride_cols = static_cast<std::uint16_t>(upto(random, 3));
  c.pad_top = static_cast<std::uint16_t>(random.below(c.kernel_rows));
  c.pad_left = static_cast<std::uint16_t>(random.below(c.kernel_cols));
  const std::uint32_t size = element_bytes(c.type);
  c.input_pixel_stride = (c.channels + static_cast<std::uint32_t>(random.below(3))) * size;
  c.input_row_stride = c.input_pixel_stride * c.in_cols;
  c.output_pixel_stride = (c.channels + static_cast<std::uint32_t>(random.below(3))) * size;
  c.output_row_stride = c.output_pixel_stride * c.out_cols;
  clamp_to(c, random, c.type);
  return c;
}
inline Reduce random_reduce(Random& random) {
  Reduce c;
  c.kind = static_cast<ReduceKind>(1 + random.below(3));
  c.input_type = c.output_type = narrow_or_wide(random);
  const bool is_sum = c.kind == ReduceKind::kSum;
  if (is_sum && random.chance(3)) c.output_type = ElementType::kI32;
  random_walk(c, random, c.input_type, c.output_type);
  c.reduced_dimensions = static_cast<std::uint8_t>(random.below(16));
  for (unsigned d = 0; d < 4; ++d)
    if ((c.reduced_dimensions >> d & 1) != 0) c.output_stride[d] = 0;
  if (is_sum) c.input_zero = code(random, c.input_type);
  if (!is_sum || c.output_type == ElementType::kI32) return c;
  c.multiplier = multiplier(random);
  c.shift = shift(random);
  c.output_zero = code(random, c.output_type);
  clamp_to(c, random, c.output_type);
  return c;
}
inline Softmax random_softmax(Random& random) {
  Softmax c;
  c.type = one_of(random, {ElementType::kI8, ElementType::kU8});
  c.input = Operand::at(kSram, random.below(64));
  c.output = Operand::at(kOutbox, random.below(64));
  c.rows = upto(random, 4);
  c.row_elements = upto(random, random.chance(8) ? 2000 : 60);
  c.input_row_stride = c.row_elements + static_cast<std::uint32_t>(random.below(3));
  c.output_row_stride = c.row_elements + static_cast<std::uint32_t>(random.below(3));
  c.left_shift = static_cast<std::int8_t>(random.chance(3) ? random.below(31) : random.between(18, 24));
  c.multiplier = multiplier(random);
  c.difference_min = -static_cast<std::int32_t>(random.below(600));
  return c;
}
inline Curve random_curve(Random& random) {
  Curve c;
  c.kind = random.chance(2) ? CurveKind::kSigmoid : CurveKind::kTanh;
  random_walk(c, random, ElementType::kI16, ElementType::kI16);
  c.table = Operand::at(kTables, 2 * random.below(500));
  c.multiplier = random.chance(3) ? 3 : multiplier(random);
  c.shift = static_cast<std::uint8_t>(random.chance(3) ? 0 : random.below(32));
  return c;
}
inline Pack random_pack(Random& random) {
  Pack c;
  c.input = Operand::at(kSram, random.below(64));
  c.output = Operand::at(kOutbox, 64 * random.below(8));
  c.input_type = one_of(random, {ElementType::kI8, ElementType::kU8});
  c.channels = upto(random, 50);
  c.depth = upto(random, 60);
  const bool by_channel = random.chance(2);
  c.depth_stride = by_channel ? 1 + static_cast<std::uint32_t>(random.below(2)) : c.channels + static_cast<std::uint32_t>(random.below(3));
  c.channel_stride = by_channel ? c.depth * c.depth_stride : static_cast<std::uint32_t>(random.chance(4) ? random.below(4) : 1);
  c.input_zero = code(random, narrow_or_wide(random));
  c.weight_zero = code(random, ElementType::kI8);
  c.multiplier = multiplier(random);
  c.shift = shift(random);
  return c;
}
/// Usual scales most of the time, any at all sometimes.
inline Resize random_resize(Random& random) {
  Resize c;
  c.type = one_of(random, {ElementType::kI8, ElementType::kI16});
  c.input = Operand::at(kSram, 8 * random.below(64));
  c.output = Operand::at(kOutbox, 8 * random.below(64));
  c.in_rows = upto(random, 8);
  c.in_cols = upto(random, 8);
  c.out_rows = upto(random, 9);
  c.out_cols = upto(random, 9);
  c.channels = upto(random, 30);
  const std::uint32_t size = element_bytes(c.type);
  c.input_pixel_stride = (c.channels + static_cast<std::uint32_t>(random.below(3))) * size;
  c.input_row_stride = c.input_pixel_stride * c.in_cols;
  c.output_pixel_stride = (c.channels + static_cast<std::uint32_t>(random.below(3))) * size;
  c.output_row_stride = c.output_pixel_stride * c.out_cols;
  const bool usual = !random.chance(4);
  const auto any = [&] { return static_cast<std::int32_t>(random.next()); };
  c.row_scale = usual ? static_cast<std::int32_t>(1024 * c.in_rows / c.out_rows) : any();
  c.col_scale = usual ? static_cast<std::int32_t>(1024 * c.in_cols / c.out_cols) : any();
  c.row_offset = usual ? static_cast<std::int32_t>(random.between(-4000, 4000)) : any();
  c.col_offset = usual ? c.col_scale / 2 - 512 : any();
  return c;
}
inline Dma random_dma(Random& random) {
  Dma c;
  c.source = Operand::at(random.chance(2) ? kConstants : kSram, random.below(500));
  c.target = Operand::at(random.chance(2) ? kResult : kOutbox, random.below(500));
  c.row_bytes = upto(random, 70);
  c.count = {upto(random, 3), upto(random, 4), upto(random, 5)};
  c.target_stride[2] = c.row_bytes + static_cast<std::uint32_t>(random.below(9));
  c.target_stride[1] = c.target_stride[2] * c.count[2] + static_cast<std::uint32_t>(random.below(9));
  c.target_stride[0] = c.target_stride[1] * c.count[1];
  for (std::uint32_t& stride : c.source_stride) stride = static_cast<std::uint32_t>(random.below(300));
  return c;
}
inline Fill random_fill(Random& random) {
  Fill c;
  c.type = one_of(random, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32});
  const std::uint32_t size = element_bytes(c.type);
  c.value = c.type == ElementType::kI32 ? static_cast<std::int32_t>(random.next()) : code(random, c.type);
  c.target = Operand::at(kOutbox, 8 * random.below(64));
  c.row_bytes = size * upto(random, 30);
  c.count = {upto(random, 3), upto(random, 4), upto(random, 5)};
  c.target_stride[2] = c.row_bytes + size * static_cast<std::uint32_t>(random.below(3));
  c.target_stride[1] = c.target_stride[2] * c.count[2];
  c.target_stride[0] = c.target_stride[1] * c.count[1];
  return c;
}

/// Calls `use` with the maker of every kind of command.
template <typename Use>
void for_each_maker(Use&& use) {
  use(random_conv);
  use(random_depthwise);
  use(random_depthwise_of_wide_weights);
  use(random_elementwise);
  use(random_requantize);
  use(random_table);
  use(random_move);
  use(random_pool);
  use(random_reduce);
  use(random_softmax);
  use(random_curve);
  use(random_pack);
  use(random_resize);
  use(random_dma);
  use(random_fill);
}

}  // namespace naru::test
