// Copies without arithmetic: DMA, fill and move. Rows are moved, not copied, so that even an overlap that the checks let pass is defined.
#include "units/vector.h"

namespace naru::mockdev {
namespace {

template <typename T>
void move_row(const std::byte* input, std::uint64_t input_stride, std::byte* output, std::uint64_t output_stride, std::uint64_t count) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) store(output + i * output_stride, load<T>(input + i * input_stride));
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
  const bool contiguous = walk.row == 1 || (walk.row_stride[0] == bytes && walk.row_stride[1] == bytes);
  walk.rows([&](const std::array<std::uint64_t, 2>& offset) {
    const std::byte* input = at.input + offset[0];
    std::byte* output = at.output + offset[1];
    if (contiguous) {
      std::memmove(output, input, walk.row * bytes);
    } else {
      switch (bytes) {
        case 1: move_row<std::uint8_t>(input, walk.row_stride[0], output, walk.row_stride[1], walk.row); break;
        case 2: move_row<std::uint16_t>(input, walk.row_stride[0], output, walk.row_stride[1], walk.row); break;
        case 4: move_row<std::uint32_t>(input, walk.row_stride[0], output, walk.row_stride[1], walk.row); break;
        default: move_row<std::uint64_t>(input, walk.row_stride[0], output, walk.row_stride[1], walk.row); break;
      }
    }
  });
}

}  // namespace naru::mockdev
