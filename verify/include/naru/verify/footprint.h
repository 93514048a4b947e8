// Where a command touches memory: every access as a strided box of bytes, read off the loop nests of abi/isa.h. Used by the
// verifier's bounds, overlap and hazard checks, and by whoever shows a stream to people.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "naru/abi/isa.h"

namespace naru::verify {

/// Steps of one loop around a row.
struct Dimension {
  std::uint64_t count = 1;
  std::uint64_t stride = 0;  // bytes
  friend constexpr bool operator==(const Dimension&, const Dimension&) = default;
};

/// The bytes offset + sum(i[d] * stride[d]) + e for all i[d] < count[d] and e < row_bytes. Any numbers are safe: sizes saturate at 2^64 - 1.
struct StridedBox {
  static constexpr unsigned kRankMax = 4;

  std::uint64_t offset = 0;     // from the region's start
  std::uint64_t row_bytes = 0;  // contiguous
  std::array<Dimension, kRankMax> dimensions{};
  unsigned rank = 0;  // dimensions in use; those of one step are left out

  /// Leaves out a dimension of one step. At most kRankMax others fit.
  void add(std::uint64_t count, std::uint64_t stride) noexcept;
  [[nodiscard]] std::span<const Dimension> loops() const noexcept { return {dimensions.data(), rank}; }
  /// True when it has no byte at all.
  [[nodiscard]] bool empty() const noexcept;
  /// One past the highest byte; 2^64 - 1 when that does not fit.
  [[nodiscard]] std::uint64_t end() const noexcept;
  /// Bytes moved by walking it; a byte that is visited twice counts twice. Saturates.
  [[nodiscard]] std::uint64_t bytes() const noexcept;
  friend constexpr bool operator==(const StridedBox&, const StridedBox&) = default;
};

/// The same set of bytes with the fewest dimensions, outermost (largest stride) first. `box.end()` must not be saturated.
[[nodiscard]] StridedBox normalized(const StridedBox& box) noexcept;

/// Whether two boxes share a byte; exact unless it takes more than `steps` comparisons, which are counted down: then true.
/// Neither box's end() may be saturated.
[[nodiscard]] bool overlap(const StridedBox& a, const StridedBox& b, std::uint64_t& steps) noexcept;

/// Whether walking the box visits no byte twice. Conservative: loops must nest (each stride at least the span of all smaller ones).
[[nodiscard]] bool visits_once(const StridedBox& box) noexcept;

struct Access {
  std::string_view operand;  // the field's name in abi/isa.h
  unsigned region = 0;
  abi::Rights rights = abi::Rights::kNone;  // kRead or kWrite
  bool in_place = false;                    // an input that the output may replace exactly
  StridedBox box;
};

/// All accesses of one command, inputs first and the one output last.
struct Footprint {
  static constexpr unsigned kAccessesMax = 4;
  std::array<Access, kAccessesMax> accesses{};
  unsigned count = 0;

  /// Borrows: not from a temporary.
  [[nodiscard]] std::span<const Access> all() const& noexcept { return {accesses.data(), count}; }
  std::span<const Access> all() && = delete;
};

/// What the command reads and writes; empty for END, WAIT and MARK. Safe for any field values; unknown element types have no bytes.
[[nodiscard]] Footprint footprint_of(const abi::CommandBody& body) noexcept;

}  // namespace naru::verify
