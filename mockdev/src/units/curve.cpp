// Interpolation in a table of 256 entries: the 16-bit gates of numerics 25.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

/// What sets one kind apart: how finely the table's steps are divided, and what is behind its last entry.
struct CurveShape {
  int fraction_bits;
  std::int32_t beyond;      // the value from entry 255 on, with its fraction bits
  int result_shift;         // from the interpolated value to the output
  std::int64_t offset;      // added to the interpolated value for inputs of at least 0
  std::int64_t reflection;  // what the interpolated value is subtracted from for inputs below 0
};
constexpr CurveShape kSigmoidShape = {9, 0x7FFF << 10, 10, 1 << 9, (1 << 25) + (1 << 9) - 1};
constexpr CurveShape kTanhShape = {8, 0xFFFF << 8, 8, -(1 << 23) + (1 << 7), (1 << 23) + (1 << 7) - 1};

std::int16_t interpolated(const CurveShape& shape, const std::array<std::uint16_t, 256>& table, std::int64_t x) noexcept {
  const std::int64_t magnitude = x < 0 ? -x : x;
  const std::int64_t entry = magnitude >> shape.fraction_bits;
  std::int64_t value = shape.beyond;
  if (entry < 255) {
    const auto at = static_cast<std::size_t>(entry);
    const std::int64_t fraction = magnitude & ((std::int64_t{1} << shape.fraction_bits) - 1);
    value = (std::int64_t{table[at]} << shape.fraction_bits) + fraction * (std::int64_t{table[at + 1]} - table[at]);
  }
  const std::int64_t result = (x >= 0 ? value + shape.offset : shape.reflection - value) >> shape.result_shift;
  return static_cast<std::int16_t>(std::clamp<std::int64_t>(result, INT16_MIN, INT16_MAX));
}

}  // namespace

void execute_curve(const abi::Curve& record, const TablePointers& at) noexcept {
  std::array<std::uint16_t, 256> table;
  std::memcpy(table.data(), at.table, sizeof(table));
  const CurveShape& shape = record.kind == abi::CurveKind::kSigmoid ? kSigmoidShape : kTanhShape;
  const int shift = std::min<int>(record.shift, 31);
  const std::int64_t rounding = shift > 0 ? std::int64_t{1} << (shift - 1) : 0;
  const Walk<2> walk(record.extent, {record.input_stride, record.output_stride});
  walk.rows([&](const std::array<std::uint64_t, 2>& offset) {
    for (std::uint64_t i = 0; i < walk.row; ++i) {
      const std::int64_t scaled = std::int64_t{load<std::int16_t>(at.input + offset[0] + i * walk.row_stride[0])} * record.multiplier;
      store(at.output + offset[1] + i * walk.row_stride[1], interpolated(shape, table, (scaled + rounding) >> shift));
    }
  });
}

}  // namespace naru::mockdev
