// Goal: requantisation is numerics 1 to the bit on every path. Method: the requantize command on i32 and i16 inputs, boundary values and random ones,
// every shift, against the 128-bit definition in naive.h.
#include <gtest/gtest.h>

#include "naive.h"

namespace naru::mockdev::test {
namespace {

std::vector<std::int32_t> boundary_values(std::mt19937& random) {
  std::vector<std::int32_t> values = {0, 1, -1, 2, -2, 3, -3, INT32_MAX, INT32_MIN, INT32_MAX - 1, INT32_MIN + 1};
  for (int bit = 1; bit < 31; ++bit)
    for (const int delta : {-1, 0, 1}) values.push_back((1 << bit) + delta), values.push_back(-(1 << bit) + delta);
  for (int i = 0; i < 300; ++i) values.push_back(static_cast<std::int32_t>(random()));
  for (int i = 0; i < 300; ++i) values.push_back(static_cast<std::int32_t>(random() & 0x3FFFF) - (1 << 17));
  return values;
}

void expect_exact(std::int32_t multiplier, int shift, ElementType type, std::int32_t zero, const std::vector<std::int32_t>& values, std::int32_t input_zero) {
  const auto count = static_cast<std::uint32_t>(values.size());
  const std::uint32_t bytes = abi::element_bytes(type);
  abi::Requantize r;
  r.input_type = ElementType::kI32, r.output_type = type;
  r.multiplier = multiplier, r.shift = static_cast<std::int8_t>(shift), r.input_zero = input_zero, r.output_zero = zero;
  r.activation_min = type == ElementType::kI8 ? -128 : type == ElementType::kU8 ? 0 : -32768;
  r.activation_max = type == ElementType::kI8 ? 127 : type == ElementType::kU8 ? 255 : 32767;
  r.extent = {1, 1, 1, count}, r.input_stride = {0, 0, 0, 4}, r.output_stride = {0, 0, 0, bytes};
  const Guarded input(std::size_t{count} * 4), output(std::size_t{count} * bytes);
  for (std::uint32_t i = 0; i < count; ++i) put(input.data() + 4 * i, ElementType::kI32, values[i]);
  for (const KernelPath path : supported_paths()) {
    output.fill(std::byte{0});
    Units(path).execute(r, UnaryPointers{input.data(), output.data()});
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::int64_t expected = clamp(requant(wrap32(std::int64_t{values[i]} - input_zero), multiplier, shift) + zero, r.activation_min, r.activation_max);
      ASSERT_EQ(get(output.data() + std::size_t{i} * bytes, type), expected)
          << name_of(path) << " value " << values[i] << " multiplier " << multiplier << " shift " << shift << " zero " << zero;
    }
  }
}

TEST(Requantize, IsExactForEveryShiftAndForBoundaryValues) {
  std::mt19937 random(20);
  const std::vector<std::int32_t> values = boundary_values(random);
  for (const std::int32_t multiplier : {INT32_MAX, 1 << 30, (1 << 30) + 1, 0, 1, -1, INT32_MIN, INT32_MIN + 1, 1518500250})
    for (int shift = -31; shift <= 30; ++shift) expect_exact(multiplier, shift, ElementType::kI16, 0, values, 0);
}

TEST(Requantize, IsExactForRandomMultipliersZeroPointsAndTypes) {
  std::mt19937 random(21);
  for (int i = 0; i < 150; ++i) {
    const std::vector<std::int32_t> values = boundary_values(random);
    const ElementType types[] = {ElementType::kI8, ElementType::kU8, ElementType::kI16};
    const ElementType type = types[random() % 3];
    const std::int32_t zero = type == ElementType::kU8 ? static_cast<std::int32_t>(random() % 256) : static_cast<std::int8_t>(random());
    expect_exact(static_cast<std::int32_t>(random()), static_cast<int>(random() % 62) - 31, type, zero, values,
                 random() % 2 != 0 ? 0 : static_cast<std::int32_t>(random()));
  }
}

TEST(Requantize, IsExactForEveryShift) {
  std::mt19937 random(22);
  const std::vector<std::int32_t> values = boundary_values(random);
  for (const std::int32_t multiplier : {INT32_MAX, 1 << 30, INT32_MIN, 1518500250})
    for (int shift = -31; shift <= 30; ++shift) expect_exact(multiplier, shift, ElementType::kI16, 7, values, 0);
}

}  // namespace
}  // namespace naru::mockdev::test
