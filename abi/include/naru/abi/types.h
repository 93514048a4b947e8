// The vocabulary of values: element types, weight formats, memory kinds, rights, engines, operands.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

#include "naru/abi/record.h"
#include "naru/base/export.h"

namespace naru::abi {

inline constexpr std::uint16_t kIsaGeneration = 1;
inline constexpr unsigned kRegionsMax = 16;
inline constexpr unsigned kDmaEnginesMax = 4;

/// How one element lies in memory. Codes not listed are reserved (FP16, packed and binary forms come later).
enum class ElementType : std::uint8_t { kNone = 0, kI8 = 1, kU8 = 2, kI16 = 3, kI32 = 4, kF32 = 5, kI64 = 6, kBool = 7 };

/// 0 for a code that is not defined.
[[nodiscard]] constexpr std::uint32_t element_bytes(ElementType type) noexcept {
  switch (type) {
    case ElementType::kI8:
    case ElementType::kU8:
    case ElementType::kBool: return 1;
    case ElementType::kI16: return 2;
    case ElementType::kI32:
    case ElementType::kF32: return 4;
    case ElementType::kI64: return 8;
    case ElementType::kNone: break;
  }
  return 0;
}

enum class WeightFormat : std::uint8_t { kNone = 0, kDenseI8 = 1, kDepthwiseI8 = 2, kDepthwiseI16 = 3 };

enum class MemoryKind : std::uint8_t { kDram = 1, kSram = 2 };

/// What a job may do with a region. Bits.
enum class Rights : std::uint8_t { kNone = 0, kRead = 1, kWrite = 2, kReadWrite = 3 };
[[nodiscard]] constexpr bool includes(Rights have, Rights need) noexcept {
  return (static_cast<unsigned>(need) & ~static_cast<unsigned>(have)) == 0;
}
[[nodiscard]] constexpr Rights operator|(Rights a, Rights b) noexcept {
  return static_cast<Rights>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}

/// Engines run concurrently inside a job; each executes its own commands in stream order. A chip has `dma_engines` of kDma0...
enum class Engine : std::uint8_t { kMac = 0, kVector = 1, kDma0 = 2, kDma1 = 3, kDma2 = 4, kDma3 = 5, kNone = 255 };
inline constexpr unsigned kEnginesMax = 2 + kDmaEnginesMax;
[[nodiscard]] constexpr unsigned index_of(Engine engine) noexcept { return static_cast<unsigned>(engine); }
[[nodiscard]] constexpr Engine dma_engine(unsigned index) noexcept { return static_cast<Engine>(2 + index); }
[[nodiscard]] constexpr bool is_dma(Engine engine) noexcept { return index_of(engine) >= 2 && index_of(engine) < kEnginesMax; }
[[nodiscard]] NARU_API std::string_view name_of(Engine engine) noexcept;
[[nodiscard]] NARU_API std::string_view name_of(ElementType type) noexcept;

/// A place: byte `offset` of the job's region number `region`. Eight bytes on the wire: offset in the low 48 bits, region in the high 16.
struct Operand {
  std::uint64_t word = 0;

  [[nodiscard]] static constexpr Operand at(unsigned region, std::uint64_t offset) noexcept {
    return {(static_cast<std::uint64_t>(region) << 48) | (offset & ((std::uint64_t{1} << 48) - 1))};
  }
  [[nodiscard]] constexpr unsigned region() const noexcept { return static_cast<unsigned>(word >> 48); }
  [[nodiscard]] constexpr std::uint64_t offset() const noexcept { return word & ((std::uint64_t{1} << 48) - 1); }
  friend constexpr bool operator==(const Operand&, const Operand&) = default;

  static constexpr auto fields() { return std::tuple{Field{"word", &Operand::word, "Byte offset (48 bits) and region number (16 bits)."}}; }
};

}  // namespace naru::abi
