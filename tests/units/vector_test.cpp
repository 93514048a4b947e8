// Goal: the vector units and copies do what their records' loops say. Method: each loop nest again, element by element in 64 bits, on random extents,
// strides (dense, with gaps, broadcast), types and parameters.
#include <gtest/gtest.h>

#include <functional>

#include "naive.h"

namespace naru::mockdev::test {
namespace {

using Extents = std::array<std::uint32_t, 4>;

Extents random_extents(Random& random) {
  Extents e{};
  for (std::uint32_t& v : e) v = static_cast<std::uint32_t>(random() % 4 == 0 ? 1 : between(random, 1, 9));
  if (random() % 5 == 0) e[3] = static_cast<std::uint32_t>(between(random, 1000, 2500)), e[1] = 1;
  return e;
}
/// Dense, or with gaps in some dimensions.
Extents strides_for(Random& random, const Extents& extent, std::uint32_t bytes) {
  Extents s{};
  const bool gaps = random() % 2 != 0;
  std::uint32_t size = bytes;
  for (std::size_t i = 4; i-- > 0;) {
    if (gaps && random() % 2 != 0) size += bytes * static_cast<std::uint32_t>(between(random, 1, 3));
    s[i] = size;
    size *= extent[i];
  }
  return s;
}
std::size_t span_of(const Extents& extent, const Extents& stride, std::uint32_t bytes) {
  std::size_t size = bytes;
  for (std::size_t i = 0; i < 4; ++i) size += std::size_t{extent[i] - 1} * stride[i];
  return size;
}
std::size_t offset_of(const Extents& index, const Extents& stride) {
  std::size_t offset = 0;
  for (std::size_t i = 0; i < 4; ++i) offset += std::size_t{index[i]} * stride[i];
  return offset;
}
void for_each(const Extents& extent, const std::function<void(const Extents&)>& body) {
  Extents i{};
  for (i[0] = 0; i[0] < extent[0]; ++i[0])
    for (i[1] = 0; i[1] < extent[1]; ++i[1])
      for (i[2] = 0; i[2] < extent[2]; ++i[2])
        for (i[3] = 0; i[3] < extent[3]; ++i[3]) body(i);
}

template <typename Record, typename Pointers>
void expect_bytes(const Record& record, Pointers pointers, std::byte* Pointers::*target, const std::vector<std::byte>& expected, const std::string& what) {
  for (const KernelPath path : supported_paths()) {
    const Guarded output(expected.size());
    output.fill(std::byte{0xA5});
    pointers.*target = output.data();
    Units(path).execute(record, pointers);
    ASSERT_TRUE(output.copy() == expected) << name_of(path) << " " << what;
  }
}

TEST(Elementwise, GivesTheLoopNestsBytes) {
  Random random(40);
  for (int round = 0; round < 400; ++round) {
    abi::Elementwise r;
    r.op = static_cast<abi::ElementwiseOp>(1 + round % 6);
    const ElementType types[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16};
    r.type = types[random() % 3];
    const std::uint32_t bytes = abi::element_bytes(r.type);
    const Range range = range_of(r.type);
    r.extent = random_extents(random);
    r.a_stride = strides_for(random, r.extent, bytes);
    r.b_stride = strides_for(random, r.extent, bytes);
    r.output_stride = strides_for(random, r.extent, bytes);
    for (std::size_t i = 0; i < 4; ++i) {
      if (random() % 4 == 0) r.a_stride[i] = 0;
      if (random() % 4 == 0) r.b_stride[i] = 0;
    }
    const bool extreme = round % 5 == 0;
    r.left_shift = static_cast<std::uint8_t>(random() % 21);
    r.a_shift = static_cast<std::int8_t>(extreme ? between(random, -31, 30) : between(random, -4, 0));
    r.b_shift = static_cast<std::int8_t>(extreme ? between(random, -31, 30) : between(random, -4, 0));
    r.output_shift = static_cast<std::int8_t>(extreme ? between(random, -31, 30) : between(random, -20, -4));
    r.a_zero = between(random, range.lowest, range.highest), r.b_zero = between(random, range.lowest, range.highest);
    r.output_zero = between(random, range.lowest, range.highest);
    r.a_multiplier = static_cast<std::int32_t>(random()), r.b_multiplier = static_cast<std::int32_t>(random());
    r.output_multiplier = static_cast<std::int32_t>(random());
    r.activation_min = between(random, range.lowest, range.lowest + 30), r.activation_max = between(random, range.highest - 30, range.highest);
    const Guarded a(span_of(r.extent, r.a_stride, bytes)), b(span_of(r.extent, r.b_stride, bytes));
    a.randomize(random), b.randomize(random);
    std::vector<std::byte> expected(span_of(r.extent, r.output_stride, bytes), std::byte{0xA5});
    for_each(r.extent, [&](const Extents& i) {
      const std::int64_t a_code = get(a.data() + offset_of(i, r.a_stride), r.type), b_code = get(b.data() + offset_of(i, r.b_stride), r.type);
      std::int64_t x = a_code - r.a_zero, y = b_code - r.b_zero, v = 0;
      if (r.op == abi::ElementwiseOp::kAdd || r.op == abi::ElementwiseOp::kSub || r.op == abi::ElementwiseOp::kSquaredDifference) {
        x = requant(wrap32(x * (std::int64_t{1} << r.left_shift)), r.a_multiplier, r.a_shift);
        y = requant(wrap32(y * (std::int64_t{1} << r.left_shift)), r.b_multiplier, r.b_shift);
      }
      switch (r.op) {
        case abi::ElementwiseOp::kAdd: v = wrap32(x + y); break;
        case abi::ElementwiseOp::kSub: v = wrap32(x - y); break;
        case abi::ElementwiseOp::kSquaredDifference: v = wrap32(std::int64_t{wrap32(x - y)} * wrap32(x - y)); break;
        case abi::ElementwiseOp::kMul: v = wrap32(x * y); break;
        case abi::ElementwiseOp::kMinimum: v = std::min(a_code, b_code); break;
        case abi::ElementwiseOp::kMaximum: v = std::max(a_code, b_code); break;
      }
      if (r.op != abi::ElementwiseOp::kMinimum && r.op != abi::ElementwiseOp::kMaximum) v = requant(v, r.output_multiplier, r.output_shift) + r.output_zero;
      put(expected.data() + offset_of(i, r.output_stride), r.type, clamp(v, r.activation_min, r.activation_max));
    });
    expect_bytes(r, ElementwisePointers{a.data(), b.data(), nullptr}, &ElementwisePointers::output, expected, "round " + std::to_string(round));
  }
}

TEST(Elementwise, GivesTheSameBytesInParts) {
  Random random(43);
  for (const std::array<std::uint32_t, 4>& extent : {std::array<std::uint32_t, 4>{1, 1, 1, 5000}, {9, 3, 7, 40}, {1, 40, 2, 3}, {1, 1, 1, 1}}) {
    abi::Elementwise r;
    r.extent = extent;
    const std::array<std::uint32_t, 4> strides = {extent[1] * extent[2] * extent[3], extent[2] * extent[3], extent[3], 1};
    r.a_stride = r.b_stride = r.output_stride = strides;
    r.b_stride[3] = 0;
    r.left_shift = 20, r.a_multiplier = r.b_multiplier = 1 << 30, r.output_multiplier = 1 << 30, r.output_shift = -18;
    r.activation_min = -128, r.activation_max = 127;
    const std::size_t size = std::size_t{extent[0]} * strides[0];
    const Guarded a(size), b(size), output(size);
    a.randomize(random), b.randomize(random);
    for (const KernelPath path : supported_paths()) {
      Units units(path);
      const ElementwisePointers at{a.data(), b.data(), output.data()};
      units.execute(r, at);
      const std::vector<std::byte> whole = output.copy();
      expect_parts(units, r, at, output, whole, std::to_string(size) + " elements");
    }
  }
}

TEST(Elementwise, WritesOverEitherInput) {
  Random random(41);
  abi::Elementwise r;
  r.extent = {2, 3, 7, 40};
  r.a_stride = r.b_stride = r.output_stride = {840, 280, 40, 1};
  r.left_shift = 20, r.a_multiplier = r.b_multiplier = 1 << 30, r.output_multiplier = 1 << 30, r.output_shift = -18;
  r.activation_min = -128, r.activation_max = 127;
  const Guarded a(1680), b(1680), output(1680);
  a.randomize(random), b.randomize(random);
  const std::vector<std::byte> a_before = a.copy();
  for (const KernelPath path : supported_paths()) {
    Units units(path);
    std::memcpy(a.data(), a_before.data(), a_before.size());
    units.execute(r, ElementwisePointers{a.data(), b.data(), output.data()});
    units.execute(r, ElementwisePointers{a.data(), b.data(), a.data()});
    EXPECT_TRUE(a.copy() == output.copy()) << name_of(path);
  }
}

TEST(RequantizeCommand, ConvertsBetweenAllItsTypes) {
  Random random(42);
  for (int round = 0; round < 300; ++round) {
    const ElementType inputs[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32};
    abi::Requantize r;
    r.input_type = inputs[random() % 4], r.output_type = inputs[random() % 3];
    const Range range = range_of(r.output_type);
    r.extent = random_extents(random);
    r.input_stride = strides_for(random, r.extent, abi::element_bytes(r.input_type));
    r.output_stride = strides_for(random, r.extent, abi::element_bytes(r.output_type));
    r.multiplier = static_cast<std::int32_t>(random()), r.shift = static_cast<std::int8_t>(between(random, -12, 4));
    r.input_zero = between(random, -128, 255), r.output_zero = between(random, range.lowest, range.highest);
    r.activation_min = range.lowest, r.activation_max = range.highest;
    const Guarded input(span_of(r.extent, r.input_stride, abi::element_bytes(r.input_type)));
    input.randomize(random);
    std::vector<std::byte> expected(span_of(r.extent, r.output_stride, abi::element_bytes(r.output_type)), std::byte{0xA5});
    for_each(r.extent, [&](const Extents& i) {
      const std::int64_t value = wrap32(get(input.data() + offset_of(i, r.input_stride), r.input_type) - r.input_zero);
      put(expected.data() + offset_of(i, r.output_stride), r.output_type,
          clamp(requant(value, r.multiplier, r.shift) + r.output_zero, r.activation_min, r.activation_max));
    });
    expect_bytes(r, UnaryPointers{input.data(), nullptr}, &UnaryPointers::output, expected, "round " + std::to_string(round));
  }
}

TEST(Table, LooksEveryCodeUp) {
  Random random(43);
  for (int round = 0; round < 100; ++round) {
    abi::Table r;
    r.type = random() % 2 != 0 ? ElementType::kI8 : ElementType::kU8;
    r.extent = random_extents(random);
    r.input_stride = strides_for(random, r.extent, 1), r.output_stride = strides_for(random, r.extent, 1);
    const Guarded input(span_of(r.extent, r.input_stride, 1)), table(256);
    input.randomize(random), table.randomize(random);
    std::vector<std::byte> expected(span_of(r.extent, r.output_stride, 1), std::byte{0xA5});
    for_each(r.extent, [&](const Extents& i) {
      const std::int64_t code = get(input.data() + offset_of(i, r.input_stride), r.type);
      expected[offset_of(i, r.output_stride)] = table.data()[code + (r.type == ElementType::kI8 ? 128 : 0)];
    });
    expect_bytes(r, TablePointers{input.data(), table.data(), nullptr}, &TablePointers::output, expected, "round " + std::to_string(round));
  }
}

TEST(Pool, GivesTheLoopNestsBytes) {
  Random random(44);
  for (int round = 0; round < 300; ++round) {
    const auto pick = [&](int low, int high) { return static_cast<std::uint16_t>(between(random, low, high)); };
    abi::Pool r;
    r.kind = round % 2 != 0 ? abi::PoolKind::kAverage : abi::PoolKind::kMaximum;
    const ElementType types[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16};
    r.type = types[random() % 3];
    const std::uint32_t bytes = abi::element_bytes(r.type);
    const Range range = range_of(r.type);
    r.kernel_rows = pick(1, 5), r.kernel_cols = pick(1, 5), r.stride_rows = pick(1, 3), r.stride_cols = pick(1, 3);
    r.in_rows = pick(1, 9), r.in_cols = pick(1, 9), r.channels = round % 10 == 0 ? 1500 : pick(1, 40);
    r.pad_top = pick(0, r.kernel_rows - 1), r.pad_left = pick(0, r.kernel_cols - 1);
    // As many outputs as have a tap inside.
    r.out_rows = (r.in_rows - 1 + r.pad_top) / r.stride_rows + 1, r.out_cols = (r.in_cols - 1 + r.pad_left) / r.stride_cols + 1;
    r.input_pixel_stride = (r.channels + random() % 3) * bytes, r.input_row_stride = r.in_cols * r.input_pixel_stride + bytes * (random() % 4);
    r.output_pixel_stride = (r.channels + random() % 3) * bytes, r.output_row_stride = r.out_cols * r.output_pixel_stride + bytes * (random() % 4);
    r.activation_min = range.lowest + between(random, 0, 20), r.activation_max = range.highest - between(random, 0, 20);
    const Guarded input((r.in_rows - 1) * r.input_row_stride + (r.in_cols - 1) * r.input_pixel_stride + r.channels * bytes);
    input.randomize(random);
    if (round % 7 == 0) input.fill(std::byte{0x80});
    std::vector<std::byte> expected((r.out_rows - 1) * r.output_row_stride + (r.out_cols - 1) * r.output_pixel_stride + r.channels * bytes, std::byte{0xA5});
    for (std::uint32_t row = 0; row < r.out_rows; ++row)
      for (std::uint32_t col = 0; col < r.out_cols; ++col)
        for (std::uint32_t c = 0; c < r.channels; ++c) {
          std::int64_t n = 0, sum = 0, highest = INT64_MIN;
          for (int y = 0; y < r.kernel_rows; ++y)
            for (int x = 0; x < r.kernel_cols; ++x) {
              const std::int64_t in_row = std::int64_t{row} * r.stride_rows + y - r.pad_top, in_col = std::int64_t{col} * r.stride_cols + x - r.pad_left;
              if (in_row < 0 || in_row >= r.in_rows || in_col < 0 || in_col >= r.in_cols) continue;
              const std::int64_t v = get(input.data() + in_row * r.input_row_stride + in_col * r.input_pixel_stride + c * bytes, r.type);
              ++n, sum += v, highest = std::max(highest, v);
            }
          ASSERT_GT(n, 0);
          std::int64_t v = highest;
          if (r.kind == abi::PoolKind::kAverage) v = sum > 0 || r.type == ElementType::kU8 ? (sum + n / 2) / n : (sum - n / 2) / n;
          put(expected.data() + row * r.output_row_stride + col * r.output_pixel_stride + c * bytes, r.type, clamp(v, r.activation_min, r.activation_max));
        }
    expect_bytes(r, UnaryPointers{input.data(), nullptr}, &UnaryPointers::output, expected, "round " + std::to_string(round));
  }
}

TEST(Reduce, GivesTheLoopNestsBytesOverAnyDimensions) {
  Random random(45);
  for (int round = 0; round < 480; ++round) {
    abi::Reduce r;
    r.kind = static_cast<abi::ReduceKind>(1 + round % 3);
    r.reduced_dimensions = static_cast<std::uint8_t>(round / 3 % 16);
    const ElementType types[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16};
    r.input_type = types[random() % 3];
    r.output_type = r.kind == abi::ReduceKind::kSum && random() % 3 == 0 ? ElementType::kI32 : r.input_type;
    const Range range = range_of(r.input_type);
    const std::uint32_t in_bytes = abi::element_bytes(r.input_type), out_bytes = abi::element_bytes(r.output_type);
    r.extent = random_extents(random);
    r.input_stride = strides_for(random, r.extent, in_bytes);
    Extents kept = r.extent;
    for (std::size_t i = 0; i < 4; ++i)
      if ((r.reduced_dimensions >> i & 1) != 0) kept[i] = 1;
    r.output_stride = strides_for(random, kept, out_bytes);
    for (std::size_t i = 0; i < 4; ++i)
      if ((r.reduced_dimensions >> i & 1) != 0) r.output_stride[i] = 0;
    if (r.kind == abi::ReduceKind::kSum) {
      r.input_zero = between(random, range.lowest, range.highest);
      if (r.output_type != ElementType::kI32) {
        r.multiplier = static_cast<std::int32_t>(random()), r.shift = static_cast<std::int8_t>(between(random, -12, 2));
        r.output_zero = between(random, range.lowest, range.highest), r.activation_min = range.lowest + 2, r.activation_max = range.highest - 3;
      }
    }
    const Guarded input(span_of(r.extent, r.input_stride, in_bytes));
    input.randomize(random);
    std::vector<std::byte> expected(span_of(kept, r.output_stride, out_bytes), std::byte{0xA5});
    for_each(kept, [&](const Extents& k) {
      std::int64_t sum = 0, highest = INT64_MIN, lowest = INT64_MAX;
      Extents folded = r.extent;
      for (std::size_t i = 0; i < 4; ++i)
        if ((r.reduced_dimensions >> i & 1) == 0) folded[i] = 1;
      for_each(folded, [&](const Extents& f) {
        Extents i{};
        for (std::size_t d = 0; d < 4; ++d) i[d] = k[d] + f[d];
        const std::int64_t v = get(input.data() + offset_of(i, r.input_stride), r.input_type);
        sum += v - r.input_zero, highest = std::max(highest, v), lowest = std::min(lowest, v);
      });
      std::int64_t v = sum;
      if (r.kind == abi::ReduceKind::kMaximum) v = highest;
      if (r.kind == abi::ReduceKind::kMinimum) v = lowest;
      if (r.kind == abi::ReduceKind::kSum && r.output_type != ElementType::kI32)
        v = clamp(requant(wrap32(sum), r.multiplier, r.shift) + r.output_zero, r.activation_min, r.activation_max);
      put(expected.data() + offset_of(k, r.output_stride), r.output_type, v);
    });
    expect_bytes(r, UnaryPointers{input.data(), nullptr}, &UnaryPointers::output, expected,
                 "round " + std::to_string(round) + " dimensions " + std::to_string(r.reduced_dimensions));
  }
}

TEST(Move, CopiesStridedElementsOfEverySize) {
  Random random(46);
  for (int round = 0; round < 200; ++round) {
    abi::Move r;
    const ElementType types[] = {ElementType::kI8, ElementType::kI16, ElementType::kI32, ElementType::kI64};
    r.type = types[random() % 4];
    const std::uint32_t bytes = abi::element_bytes(r.type);
    r.extent = random_extents(random);
    r.input_stride = strides_for(random, r.extent, bytes), r.output_stride = strides_for(random, r.extent, bytes);
    if (round % 2 != 0) {  // a transpose of a dense tensor
      const std::size_t a = random() % 4, b = random() % 4;
      Extents turned = r.extent;
      std::swap(turned[a], turned[b]);
      r.output_stride = strides_for(random, turned, bytes);
      std::swap(r.output_stride[a], r.output_stride[b]);
    }
    const Guarded input(span_of(r.extent, r.input_stride, bytes));
    input.randomize(random);
    std::vector<std::byte> expected(span_of(r.extent, r.output_stride, bytes), std::byte{0xA5});
    for_each(r.extent,
             [&](const Extents& i) { std::memcpy(expected.data() + offset_of(i, r.output_stride), input.data() + offset_of(i, r.input_stride), bytes); });
    expect_bytes(r, UnaryPointers{input.data(), nullptr}, &UnaryPointers::output, expected, "round " + std::to_string(round));
  }
}

TEST(Dma, CopiesRowsAndLeavesTheGapsAlone) {
  Random random(47);
  for (int round = 0; round < 100; ++round) {
    abi::Dma r;
    r.row_bytes = static_cast<std::uint32_t>(between(random, 1, 70));
    for (std::uint32_t& count : r.count) count = static_cast<std::uint32_t>(between(random, 1, 5));
    const Extents extent = {r.count[0], r.count[1], r.count[2], 1};
    std::uint32_t source = r.row_bytes, target = r.row_bytes;
    for (std::size_t i = 3; i-- > 0;) {
      source += random() % 4, target += random() % 4;
      r.source_stride[i] = source, r.target_stride[i] = target;
      source *= r.count[i], target *= r.count[i];
    }
    const Extents source_stride = {r.source_stride[0], r.source_stride[1], r.source_stride[2], 0};
    const Extents target_stride = {r.target_stride[0], r.target_stride[1], r.target_stride[2], 0};
    const Guarded input(span_of(extent, source_stride, r.row_bytes));
    input.randomize(random);
    std::vector<std::byte> expected(span_of(extent, target_stride, r.row_bytes), std::byte{0xA5});
    for_each(extent,
             [&](const Extents& i) { std::memcpy(expected.data() + offset_of(i, target_stride), input.data() + offset_of(i, source_stride), r.row_bytes); });
    expect_bytes(r, DmaPointers{input.data(), nullptr}, &DmaPointers::target, expected, "round " + std::to_string(round));
  }
}

TEST(Fill, WritesItsValueInTheTypesSize) {
  Random random(48);
  const std::pair<ElementType, std::int32_t> values[] = {{ElementType::kI8, -128}, {ElementType::kI8, 127},     {ElementType::kU8, 255},
                                                         {ElementType::kI16, -2},  {ElementType::kI16, 0x1234}, {ElementType::kI32, -559038737}};
  for (const auto& one : values) {
    const ElementType type = one.first;
    const std::int32_t value = one.second;
    abi::Fill r;
    r.type = type, r.value = value;
    const std::uint32_t bytes = abi::element_bytes(type);
    r.row_bytes = 5 * bytes, r.count = {2, 3, 4}, r.target_stride = {200 * bytes, 50 * bytes, 7 * bytes};
    const Extents extent = {2, 3, 4, 5}, stride = {200 * bytes, 50 * bytes, 7 * bytes, bytes};
    std::vector<std::byte> expected(span_of(extent, stride, bytes), std::byte{0xA5});
    for_each(extent, [&](const Extents& i) { put(expected.data() + offset_of(i, stride), type, value); });
    expect_bytes(r, FillPointers{nullptr}, &FillPointers::target, expected, std::string(abi::name_of(type)));
  }
}

}  // namespace
}  // namespace naru::mockdev::test
