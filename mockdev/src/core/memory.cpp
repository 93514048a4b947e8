// Host memory behind the device's memories, and the allocator of DRAM.
#include "core/memory.h"

#include <sys/mman.h>

#include <cstring>

#include <fmt/format.h>

#include "naru/base/bytes.h"

namespace naru::mockdev {

namespace {

constexpr std::uint64_t kSmallPage = 4096, kLargePage = std::uint64_t{2} << 20;
constexpr std::uint64_t kLargeBuffer = std::uint64_t{1} << 20;

}  // namespace

Memory::Bytes Memory::allocate_zeroed(std::uint64_t bytes) noexcept {
  const std::uint64_t page = bytes >= 2 * kLargePage ? kLargePage : kSmallPage;
  const std::uint64_t size = align_up<std::uint64_t>(bytes, page);
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(page, size));
  if (memory == nullptr) return nullptr;
  // Whole pages that are ours alone: dropping them makes them zero without touching them.
  if (::madvise(memory, size, MADV_DONTNEED) != 0) std::memset(memory, 0, size);
  return Bytes(memory);
}

Result<Memory> Memory::create(const abi::Chip& chip) {
  Memory memory;
  memory.dram_ = allocate_zeroed(chip.dram_bytes);
  memory.sram_ = allocate_zeroed(chip.sram_bytes);
  if (!memory.dram_ || !memory.sram_)
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory for a device with {} bytes of DRAM and {} of SRAM", chip.dram_bytes, chip.sram_bytes));
  memory.dram_bytes_ = chip.dram_bytes;
  memory.sram_bytes_ = chip.sram_bytes;
  memory.free_bytes_ = chip.dram_bytes / kMemoryAlignment * kMemoryAlignment;
  memory.holes_.reserve(1);
  memory.holes_.give(0, memory.free_bytes_);
  return memory;
}

/// Thousands of first touches become a few, and what a network touches does not depend on where 4 KiB pages happened to lie. Not before somebody makes a large
/// buffer: many devices in one process, whose models are small, take what they touch.
void Memory::use_large_pages() noexcept {
  large_pages_ = true;
  for (const std::span<std::byte> memory : {dram(), sram()})
    if (memory.size() >= 2 * kLargePage) static_cast<void>(::madvise(memory.data(), memory.size(), MADV_HUGEPAGE));  // a wish: without such pages it works as well
}

std::optional<std::uint64_t> Memory::allocate(std::uint64_t bytes) {
  if (bytes == 0 || bytes > free_bytes_) return std::nullopt;
  const std::uint64_t size = align_up<std::uint64_t>(bytes, kMemoryAlignment);
  holes_.reserve(allocations_ + 2);
  const std::optional<std::uint64_t> offset = holes_.take(size);
  if (!offset) return std::nullopt;
  ++allocations_;
  if (bytes >= kLargeBuffer && !large_pages_) use_large_pages();
  free_bytes_ -= size;
  return offset;
}

void Memory::release(std::uint64_t offset, std::uint64_t bytes) noexcept {
  const std::uint64_t size = align_up<std::uint64_t>(bytes, kMemoryAlignment);
  std::memset(dram_.get() + offset, 0, bytes);
  free_bytes_ += size;
  --allocations_;
  holes_.give(offset, size);
}

}  // namespace naru::mockdev
