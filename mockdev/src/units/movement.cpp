// Copies without arithmetic: DMA, fill and move. Rows are moved, not copied, so that even an overlap that the checks let pass is defined.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

template <typename T>
void move_row(const std::byte* input, std::uint64_t input_stride, std::byte* output, std::uint64_t output_stride, std::uint64_t count) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) store(output + i * output_stride, load<T>(input + i * input_stride));
}

void move_row(std::uint32_t bytes, const std::byte* input, std::uint64_t input_stride, std::byte* output, std::uint64_t output_stride, std::uint64_t count) noexcept {
  switch (bytes) {
    case 1: return move_row<std::uint8_t>(input, input_stride, output, output_stride, count);
    case 2: return move_row<std::uint16_t>(input, input_stride, output, output_stride, count);
    case 4: return move_row<std::uint32_t>(input, input_stride, output, output_stride, count);
    default: return move_row<std::uint64_t>(input, input_stride, output, output_stride, count);
  }
}

/// Whether the bytes between the first and the last element of the two are none in common, so that the order does not matter.
bool are_apart(const Walk<2>& walk, const std::byte* input, const std::byte* output, std::uint32_t bytes) noexcept {
  const auto span_of = [&](std::size_t operand) {
    std::uint64_t span = (walk.row - 1) * walk.row_stride[operand] + bytes;
    for (std::size_t i = 0; i < 3; ++i) span += (walk.extent[i] - 1) * walk.stride[operand][i];
    return span;
  };
  const auto from = reinterpret_cast<std::uintptr_t>(input), to = reinterpret_cast<std::uintptr_t>(output);
  return from + span_of(0) <= to || to + span_of(1) <= from;
}

}  // namespace

void execute_dma(const abi::Dma& record, const DmaPointers& at) noexcept {
  for (std::uint64_t i = 0; i < record.count[0]; ++i)
    for (std::uint64_t j = 0; j < record.count[1]; ++j)
      for (std::uint64_t k = 0; k < record.count[2]; ++k)
        std::memmove(at.target + i * record.target_stride[0] + j * record.target_stride[1] + k * record.target_stride[2],
                     at.source + i * record.source_stride[0] + j * record.source_stride[1] + k * record.source_stride[2], record.row_bytes);
}

void execute_fill(const abi::Fill& record, const FillPointers& at) noexcept {
  const std::uint32_t bytes = abi::element_bytes(record.type);
  for (std::uint64_t i = 0; i < record.count[0]; ++i) {
    for (std::uint64_t j = 0; j < record.count[1]; ++j) {
      for (std::uint64_t k = 0; k < record.count[2]; ++k) {
        std::byte* row = at.target + i * record.target_stride[0] + j * record.target_stride[1] + k * record.target_stride[2];
        if (bytes == 1) {
          std::memset(row, record.value & 0xFF, record.row_bytes);
        } else {
          for (std::uint64_t e = 0; e + bytes <= record.row_bytes; e += bytes) store_element(row + e, record.type, record.value);
        }
      }
    }
  }
}

void execute_move(const abi::Move& record, const UnaryPointers& at) noexcept {
  const std::uint32_t bytes = abi::element_bytes(record.type);
  const Walk<2> walk(record.extent, {record.input_stride, record.output_stride});
  // Planes to pixels: many rows of a few elements, better taken as a few long columns.
  if (walk.row < 16 && walk.extent[2] > walk.row && walk.row_stride[0] != bytes && are_apart(walk, at.input, at.output, bytes)) {
    for (std::uint64_t i = 0; i < walk.extent[0]; ++i)
      for (std::uint64_t j = 0; j < walk.extent[1]; ++j)
        for (std::uint64_t e = 0; e < walk.row; ++e)
          move_row(bytes, at.input + i * walk.stride[0][0] + j * walk.stride[0][1] + e * walk.row_stride[0], walk.stride[0][2],
                   at.output + i * walk.stride[1][0] + j * walk.stride[1][1] + e * walk.row_stride[1], walk.stride[1][2], walk.extent[2]);
    return;
  }
  const bool contiguous = walk.row == 1 || (walk.row_stride[0] == bytes && walk.row_stride[1] == bytes);
  walk.rows([&](const std::array<std::uint64_t, 2>& offset) {
    const std::byte* input = at.input + offset[0];
    std::byte* output = at.output + offset[1];
    if (contiguous) {
      std::memmove(output, input, walk.row * bytes);
    } else {
      move_row(bytes, input, walk.row_stride[0], output, walk.row_stride[1], walk.row);
    }
  });
}

}  // namespace naru::mockdev
