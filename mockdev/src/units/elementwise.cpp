// Elementwise, requantise and table: rows are widened to 32 bits in scratch, computed there, and narrowed again.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

/// values[i] = requant((values[i] - zero) << left_shift)
void rescale_row(std::int32_t* values, std::size_t count, std::int32_t zero, std::int32_t left_shift, std::int32_t multiplier, std::int32_t shift, const KernelTable& kernels) noexcept {
  kernels.rows->shift(values, count, zero, left_shift);
  kernels.requantize(values, count, multiplier, split_shift(shift));
}

void combine_row(const abi::Elementwise& record, std::int32_t* a, std::int32_t* b, std::size_t count, const KernelTable& kernels) noexcept {
  const bool compares = record.op == abi::ElementwiseOp::kMinimum || record.op == abi::ElementwiseOp::kMaximum;
  if (!compares && record.op != abi::ElementwiseOp::kMul) {
    const std::int32_t left_shift = std::min<std::int32_t>(record.left_shift, 31);
    rescale_row(a, count, record.a_zero, left_shift, record.a_multiplier, record.a_shift, kernels);
    rescale_row(b, count, record.b_zero, left_shift, record.b_multiplier, record.b_shift, kernels);
  }
  kernels.rows->combine(record, a, b, count);
  if (compares) return;
  kernels.requantize(a, count, record.output_multiplier, split_shift(record.output_shift));
  kernels.rows->add_zero_and_clamp(a, count, record.output_zero, record.activation_min, record.activation_max);
}

/// Whether a sum or difference of bytes may go the short way through requantisation (kernels.h).
bool is_short_add(const abi::Elementwise& record) noexcept {
  // 510 << 20 each, so that no value and no sum reaches 2^30.
  const auto is_short = [](std::int32_t multiplier, std::int32_t shift) { return multiplier >= 0 && shift <= 0 && shift >= -kShortShiftMax; };
  const auto is_near = [](std::int32_t zero) { return zero >= -255 && zero <= 255; };
  if ((record.op != abi::ElementwiseOp::kAdd && record.op != abi::ElementwiseOp::kSub) || abi::element_bytes(record.type) != 1 || record.left_shift > 20) return false;
  if (!is_short(record.a_multiplier, record.a_shift) || !is_short(record.b_multiplier, record.b_shift) || !is_short(record.output_multiplier, record.output_shift)) return false;
  return is_near(record.a_zero) && is_near(record.b_zero) && is_near(record.output_zero) && bounds_fit(record.type, record.activation_min, record.activation_max);
}

}  // namespace

void execute_elementwise(const abi::Elementwise& record, const ElementwisePointers& at, const Context& context) noexcept {
  const Walk<3> walk(record.extent, {record.a_stride, record.b_stride, record.output_stride});
  Scratch& scratch = context.scratch;
  const bool by_bytes = walk.row_stride[0] == 1 && walk.row_stride[1] == 1 && walk.row_stride[2] == 1 && context.kernels.add_bytes != nullptr && is_short_add(record);
  walk.rows([&](const std::array<std::uint64_t, 3>& offset) {
    if (by_bytes) return context.kernels.add_bytes(record, at.a + offset[0], at.b + offset[1], at.output + offset[2], walk.row);
    for (std::uint64_t i = 0; i < walk.row; i += kRowElements) {
      const std::size_t count = std::min<std::uint64_t>(kRowElements, walk.row - i);
      context.kernels.rows->load(at.a + offset[0] + i * walk.row_stride[0], walk.row_stride[0], record.type, count, scratch.row_a);
      context.kernels.rows->load(at.b + offset[1] + i * walk.row_stride[1], walk.row_stride[1], record.type, count, scratch.row_b);
      combine_row(record, scratch.row_a, scratch.row_b, count, context.kernels);
      context.kernels.rows->store(at.output + offset[2] + i * walk.row_stride[2], walk.row_stride[2], record.type, count, scratch.row_a);
    }
  });
}

void execute_requantize(const abi::Requantize& record, const UnaryPointers& at, const Context& context) noexcept {
  const Walk<2> walk(record.extent, {record.input_stride, record.output_stride});
  Scratch& scratch = context.scratch;
  walk.rows([&](const std::array<std::uint64_t, 2>& offset) {
    for (std::uint64_t i = 0; i < walk.row; i += kRowElements) {
      const std::size_t count = std::min<std::uint64_t>(kRowElements, walk.row - i);
      context.kernels.rows->load(at.input + offset[0] + i * walk.row_stride[0], walk.row_stride[0], record.input_type, count, scratch.row_a);
      rescale_row(scratch.row_a, count, record.input_zero, 0, record.multiplier, record.shift, context.kernels);
      context.kernels.rows->add_zero_and_clamp(scratch.row_a, count, record.output_zero, record.activation_min, record.activation_max);
      context.kernels.rows->store(at.output + offset[1] + i * walk.row_stride[1], walk.row_stride[1], record.output_type, count, scratch.row_a);
    }
  });
}

void execute_table(const abi::Table& record, const TablePointers& at, const Context& context) noexcept {
  // Indexed by the raw byte: the lowest code of i8 is 0x80.
  std::array<std::byte, 256> entry;
  const unsigned lowest = record.type == abi::ElementType::kI8 ? 0x80 : 0;
  for (unsigned code = 0; code < 256; ++code) entry[(code + lowest) & 0xFF] = at.table[code];
  const Walk<2> walk(record.extent, {record.input_stride, record.output_stride});
  walk.rows([&](const std::array<std::uint64_t, 2>& offset) {
    const std::byte* input = at.input + offset[0];
    std::byte* output = at.output + offset[1];
    if (walk.row_stride[0] == 1 && walk.row_stride[1] == 1) return context.kernels.rows->look_up(entry.data(), input, output, walk.row);
    for (std::uint64_t i = 0; i < walk.row; ++i) output[i * walk.row_stride[1]] = entry[static_cast<std::uint8_t>(input[i * walk.row_stride[0]])];
  });
}

}  // namespace naru::mockdev
