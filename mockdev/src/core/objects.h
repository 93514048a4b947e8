// Handles: buffers and streams of all contexts, by index and generation. A freed object's handle is dead at once; its memory lives until
// the last pin (a job, a transfer) is gone.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "core/memory.h"
#include "core/stream_loader.h"
#include "naru/abi/wire.h"

namespace naru::mockdev {

class ObjectTable;

/// Keeps one buffer's memory, or one stream. Move only; must die before its table.
class Pin {
 public:
  Pin() = default;
  Pin(ObjectTable& table, std::uint32_t index) noexcept : table_(&table), index_(index) {}
  Pin(Pin&& other) noexcept : table_(std::exchange(other.table_, nullptr)), index_(other.index_) {}
  Pin& operator=(Pin&& other) noexcept {
    if (this != &other) {
      release();
      table_ = std::exchange(other.table_, nullptr);
      index_ = other.index_;
    }
    return *this;
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() { release(); }

  void release() noexcept;
  [[nodiscard]] bool holds() const noexcept { return table_ != nullptr; }

 private:
  ObjectTable* table_ = nullptr;
  std::uint32_t index_ = 0;
};

class ObjectTable {
 public:
  struct Buffer {
    std::uint64_t offset = 0, bytes = 0;  // in DRAM
  };

  explicit ObjectTable(Memory& memory) noexcept : memory_(memory) {}

  /// 0: DRAM or table are full.
  [[nodiscard]] abi::Handle create_buffer(std::uint32_t context, std::uint64_t bytes);
  /// 0: instruction memory or table are full. `encoded_bytes` is what it takes of the instruction memory.
  [[nodiscard]] abi::Handle create_stream(std::uint32_t context, std::shared_ptr<const LoadedStream> stream, std::uint64_t encoded_bytes);

  /// nullptr: never made, freed, another generation's, another kind, or another context's: a client cannot tell which.
  [[nodiscard]] const Buffer* find_buffer(std::uint32_t context, abi::Handle handle) const noexcept;
  [[nodiscard]] const LoadedStream* find_stream(std::uint32_t context, abi::Handle handle) const noexcept;
  /// For a handle that find_buffer() or find_stream() just found.
  [[nodiscard]] Pin pin(abi::Handle handle) noexcept {
    const std::uint32_t index = index_of(handle);
    ++slots_[index].pins;
    return {*this, index};
  }

  [[nodiscard]] bool free_buffer(std::uint32_t context, abi::Handle handle) noexcept;
  [[nodiscard]] bool free_stream(std::uint32_t context, abi::Handle handle) noexcept;
  void free_all_of(std::uint32_t context) noexcept;

 private:
  friend class Pin;
  enum class Kind : std::uint8_t { kFree, kBuffer, kStream, kDying };
  struct alignas(64) Slot {  // so that one is found by a shift
    Kind kind = Kind::kFree;
    std::uint32_t generation = 1;
    std::uint32_t context = 0;
    std::uint32_t pins = 0;
    Buffer buffer;
    std::shared_ptr<const LoadedStream> stream;
    std::uint64_t stream_bytes = 0;
  };

  [[nodiscard]] const Slot* find(std::uint32_t context, abi::Handle handle, Kind kind) const noexcept;
  [[nodiscard]] static constexpr std::uint32_t index_of(abi::Handle handle) noexcept { return static_cast<std::uint32_t>(handle & 0xFFFFFFFF) - 1; }
  /// Index of a free slot, or slots_.size() when none can be had.
  [[nodiscard]] std::uint32_t take_slot();
  void destroy(std::uint32_t index) noexcept;
  void recycle(std::uint32_t index) noexcept;
  void unpin(std::uint32_t index) noexcept {
    Slot& slot = slots_[index];
    if (--slot.pins == 0 && slot.kind == Kind::kDying) recycle(index);
  }

  Memory& memory_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::uint64_t stream_bytes_ = 0;
};

inline void Pin::release() noexcept {
  if (ObjectTable* table = std::exchange(table_, nullptr)) table->unpin(index_);
}

}  // namespace naru::mockdev
