// Loops over rows of elements that the vector engine's commands are made of: widened to 32 bits, combined, narrowed. Each kernel path has them, compiled for it
// from the same text (row_loops_inl.h); all of them give the same values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "naru/abi/isa.h"

namespace naru::mockdev {

struct RowLoops {
  /// values[i] = element i of a strided row.
  void (*load)(const std::byte* from, std::uint64_t stride, abi::ElementType type, std::size_t count, std::int32_t* values) noexcept;
  /// The other way; values are in the type's range.
  void (*store)(std::byte* to, std::uint64_t stride, abi::ElementType type, std::size_t count, const std::int32_t* values) noexcept;
  /// values[i] = (values[i] - zero) << left_shift
  void (*shift)(std::int32_t* values, std::size_t count, std::int32_t zero, std::int32_t left_shift) noexcept;
  /// What of an elementwise command lies between rescaling its operands, where it does, and its result: into a.
  void (*combine)(const abi::Elementwise& record, std::int32_t* a, const std::int32_t* b, std::size_t count) noexcept;
  /// values[i] = clamp(values[i] + zero), as if the sum had no end.
  void (*add_zero_and_clamp)(std::int32_t* values, std::size_t count, std::int32_t zero, std::int32_t lowest, std::int32_t highest) noexcept;
  /// into[i] = into[i] and row[i], folded.
  void (*fold)(abi::ReduceKind kind, std::int32_t* into, const std::int32_t* row, std::size_t count) noexcept;
  /// The same, of a row of elements that adjoin, and are widened on the way.
  void (*fold_elements)(abi::ReduceKind kind, std::int32_t* into, const std::byte* row, abi::ElementType type, std::size_t count) noexcept;
  /// into[i] = the greater of into[i] and row[i], as bytes.
  void (*maximum_of_bytes)(std::byte* into, const std::byte* row, bool is_signed, std::size_t count) noexcept;
  /// bytes[i] = clamp(bytes[i]); the bounds are in the type's range.
  void (*clamp_bytes)(std::byte* bytes, bool is_signed, std::size_t count, std::int32_t lowest, std::int32_t highest) noexcept;
  /// values[i] = (values[i] + or - half) / taps towards zero, away from zero at half: as pooling rounds.
  void (*average)(std::int32_t* values, std::size_t count, std::int64_t taps, bool is_unsigned) noexcept;
  /// values[i] = clamp(values[i])
  void (*clamp)(std::int32_t* values, std::size_t count, std::int32_t lowest, std::int32_t highest) noexcept;
  /// The least and the greatest of at least one byte.
  void (*extremes)(const std::byte* row, bool is_signed, std::size_t count, std::int32_t& least, std::int32_t& greatest) noexcept;
  /// codes[i] = lowest + clamp(scale * exponentials[i], 0, 255): the product as SRDHM gives it, Q0.31 both, then half up by `exponent` bits (1 to 62).
  void (*softmax_codes)(const std::int32_t* exponentials, std::size_t count, std::int32_t scale, int exponent, std::int32_t lowest, std::byte* codes) noexcept;
  /// output[i] = table[input[i]], by the raw byte; output may be input.
  void (*look_up)(const std::byte* table, const std::byte* input, std::byte* output, std::size_t count) noexcept;
};

namespace portable {
extern const RowLoops kRowLoops;
}
namespace avx2 {
extern const RowLoops kRowLoops;
}
namespace vnni {
extern const RowLoops kRowLoops;
/// With a table look-up of its own (AVX512-VBMI).
extern const RowLoops kVbmiRowLoops;
[[nodiscard]] bool has_vbmi() noexcept;
}  // namespace vnni

}  // namespace naru::mockdev
