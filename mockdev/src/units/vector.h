// Entry points of the vector units and the DMA engine's copy loops, for units.cpp, and the walk over strided dimensions that they share.
#pragma once

#include <array>
#include <cstdint>

#include "units/scratch.h"
#include "units/units.h"

namespace naru::mockdev {

void execute_elementwise(const abi::Elementwise& record, const ElementwisePointers& at, const Context& context) noexcept;
void execute_requantize(const abi::Requantize& record, const UnaryPointers& at, const Context& context) noexcept;
void execute_table(const abi::Table& record, const TablePointers& at, const Context& context) noexcept;
void execute_pool(const abi::Pool& record, const UnaryPointers& at, const Context& context) noexcept;
void execute_reduce(const abi::Reduce& record, const UnaryPointers& at, const Context& context) noexcept;
void execute_softmax(const abi::Softmax& record, const UnaryPointers& at, const Context& context) noexcept;
void execute_curve(const abi::Curve& record, const TablePointers& at) noexcept;
void execute_pack(const abi::Pack& record, const UnaryPointers& at) noexcept;
void execute_resize(const abi::Resize& record, const UnaryPointers& at) noexcept;
void execute_move(const abi::Move& record, const UnaryPointers& at) noexcept;
void execute_fill(const abi::Fill& record, const FillPointers& at) noexcept;
void execute_dma(const abi::Dma& record, const DmaPointers& at) noexcept;

using Extents = std::array<std::uint32_t, 4>;

/// Rows of a strided walk over up to kOperands operands: the innermost dimensions are merged into one while every operand lies contiguously there
/// (stride = extent * inner stride), so that a dense tensor is one long row.
template <std::size_t kOperands>
struct Walk {
  std::array<std::uint64_t, 3> extent{1, 1, 1};                 // outer dimensions
  std::array<std::array<std::uint64_t, 3>, kOperands> stride{};  // of each operand, bytes
  std::uint64_t row = 1;                                        // elements of the innermost dimension
  std::array<std::uint64_t, kOperands> row_stride{};            // bytes between them

  Walk(const Extents& extents, const std::array<Extents, kOperands>& strides) noexcept {
    std::array<std::uint64_t, 4> e{};
    std::array<std::array<std::uint64_t, 4>, kOperands> s{};
    std::size_t kept = 0;  // dimensions, innermost first
    for (std::size_t i = 4; i-- > 0;) {
      if (extents[i] == 1) continue;
      bool merges = kept != 0;
      for (std::size_t o = 0; o < kOperands && merges; ++o) merges = strides[o][i] == e[kept - 1] * s[o][kept - 1];
      if (merges) {
        e[kept - 1] *= extents[i];
        continue;
      }
      e[kept] = extents[i];
      for (std::size_t o = 0; o < kOperands; ++o) s[o][kept] = strides[o][i];
      ++kept;
    }
    if (kept == 0) return;
    row = e[0];
    for (std::size_t o = 0; o < kOperands; ++o) row_stride[o] = s[o][0];
    for (std::size_t i = 1; i < kept; ++i) {
      extent[3 - i] = e[i];
      for (std::size_t o = 0; o < kOperands; ++o) stride[o][3 - i] = s[o][i];
    }
  }

  /// Calls body(offset of each operand) for every row, outermost dimension first.
  template <typename Body>
  void rows(Body&& body) const noexcept {
    for (std::uint64_t i = 0; i < extent[0]; ++i)
      for (std::uint64_t j = 0; j < extent[1]; ++j)
        for (std::uint64_t k = 0; k < extent[2]; ++k) {
          std::array<std::uint64_t, kOperands> offset;
          for (std::size_t o = 0; o < kOperands; ++o) offset[o] = i * stride[o][0] + j * stride[o][1] + k * stride[o][2];
          body(offset);
        }
  }
};

}  // namespace naru::mockdev
