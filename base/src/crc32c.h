// The ways through CRC-32C, for crc32c.cpp, crc32c_avx512.cpp and their test. A state is the CRC not yet inverted: ~0 before the first byte.
#pragma once

#include <cstddef>
#include <cstdint>

namespace naru {

/// A CRC's polynomial multiplied by x: one bit further. Its lowest power is the highest bit.
[[nodiscard]] constexpr std::uint32_t crc32c_times_x(std::uint32_t value) noexcept {
  constexpr std::uint32_t kPolynomial = 0x82F63B78U;
  return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0U);
}

[[nodiscard]] std::uint32_t crc32c_by_table(const std::byte* data, std::size_t size, std::uint32_t state) noexcept;

[[nodiscard]] bool cpu_has_crc_instruction() noexcept;
/// Only where cpu_has_crc_instruction().
[[nodiscard]] std::uint32_t crc32c_by_instruction(const std::byte* data, std::size_t size, std::uint32_t state) noexcept;

inline constexpr std::size_t kCrcFoldBytes = 256;
[[nodiscard]] bool cpu_has_crc_folds() noexcept;
/// Only where cpu_has_crc_folds(), and of a multiple of kCrcFoldBytes, not of nothing.
[[nodiscard]] std::uint32_t crc32c_by_folding(const std::byte* data, std::size_t size, std::uint32_t state) noexcept;

}  // namespace naru
