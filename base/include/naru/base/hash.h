// Checksums and content hashes: CRC-32C for the wire, SHA-256 for packages and cache keys, FNV-1a-64 for tensor fingerprints.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "naru/base/export.h"

namespace naru {

/// CRC-32C (Castagnoli, reflected, init and final xor 0xFFFFFFFF). `seed` is the CRC of what came before, so calls can be chained.
/// Uses VPCLMULQDQ on 512 bits, or else the SSE4.2 instruction, where the CPU has them.
[[nodiscard]] NARU_API std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t seed = 0) noexcept;

using Sha256 = std::array<std::byte, 32>;
[[nodiscard]] NARU_API Sha256 sha256(std::span<const std::byte> bytes) noexcept;

inline constexpr std::size_t kSha256PartBytes = 64 * 1024;
/// For what is long: the SHA-256 of the SHA-256s, one behind the other, of its parts of kSha256PartBytes (the last one shorter; of nothing: none). Sixteen parts
/// are worked out side by side with AVX-512, or else two with SHA instructions (docs/decisions/0010).
[[nodiscard]] NARU_API Sha256 sha256_of_parts(std::span<const std::byte> bytes) noexcept;
[[nodiscard]] NARU_API std::string hex(std::span<const std::byte> bytes);

[[nodiscard]] constexpr std::uint64_t fnv1a64(std::span<const std::byte> bytes, std::uint64_t hash = 0xcbf29ce484222325ULL) noexcept {
  for (std::byte byte : bytes) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace naru
