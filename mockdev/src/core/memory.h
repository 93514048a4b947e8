// The device's memories: DRAM with a first-fit allocator, and the SRAM scratchpad. Free DRAM is always zero, so a new buffer is too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "core/holes.h"
#include "naru/abi/chip.h"
#include "naru/base/result.h"

namespace naru::mockdev {

inline constexpr std::uint64_t kMemoryAlignment = 64;

class Memory {
 public:
  /// kHostOutOfMemory. Pages that nobody touches take no host memory.
  [[nodiscard]] static Result<Memory> create(const abi::Chip& chip);

  /// Offset of `bytes` (at least 1) zero bytes, aligned to kMemoryAlignment; nullopt: no hole is large enough.
  [[nodiscard]] std::optional<std::uint64_t> allocate(std::uint64_t bytes);
  /// Scrubs and frees what allocate(bytes) gave.
  void release(std::uint64_t offset, std::uint64_t bytes) noexcept;
  [[nodiscard]] std::uint64_t free_bytes() const noexcept { return free_bytes_; }

  [[nodiscard]] std::span<std::byte> dram() noexcept { return {dram_.get(), dram_bytes_}; }
  [[nodiscard]] std::span<std::byte> sram() noexcept { return {sram_.get(), sram_bytes_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  using Bytes = std::unique_ptr<std::byte, Free>;
  static Bytes allocate_zeroed(std::uint64_t bytes) noexcept;
  void use_large_pages() noexcept;

  Bytes dram_, sram_;
  std::uint64_t dram_bytes_ = 0, sram_bytes_ = 0, free_bytes_ = 0;
  Holes holes_;  // with places for one more than there are allocations, so that release() never allocates
  std::size_t allocations_ = 0;
  bool large_pages_ = false;
};

}  // namespace naru::mockdev
