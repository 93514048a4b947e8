// The request table: one preallocated slot per request that is waiting, sent, or whose ticket is still held.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "naru/abi/wire.h"
#include "naru/base/clock.h"
#include "naru/driver/queue.h"

namespace naru::driver {

inline constexpr std::uint16_t kSlotsForDriver = 16;  // of them kept for cancels, frees and recovery
inline constexpr std::uint16_t kNoSlot = 0xFFFF;

/// How far the watchdog has gone with a job.
enum class WatchPhase : std::uint8_t { kRunning, kSampled, kExpired, kCancelling, kAbandoned };

struct Watch {
  WatchPhase phase = WatchPhase::kRunning;
  bool has_first = false, has_last = false;
  std::uint64_t first_heartbeat = 0, last_heartbeat = 0;
  TimePoint next = kForever;  // when the watchdog looks at it again
};

struct Slot {
  abi::MessageType type = abi::MessageType::kReply;
  bool busy = false;      // in use at all
  bool internal = false;  // the driver's own: not failed by a recovery that it serves
  bool sent = false;      // the device may know of it
  bool answered = false;  // the device owes nothing for it any more
  bool terminal = false;  // its outcome is decided and told
  bool detached = false;  // nobody holds its ticket
  bool failing = false;   // the outcome is `error` as soon as no transfer touches the caller's memory
  bool cancel_asked = false;
  bool announced = false;   // a read: its payload follows, so that no other reply may come
  bool check_crc = false;   // of the bytes that come
  bool crc_behind = false;  // the checksum comes behind the payload
  bool ending = false;    // answered, but transfers of it are still in flight
  bool streams = false;   // sent, and counted in Core::unanswered_bytes_
  bool fence_seen = false;  // a read after a fence: the watchdog has seen that the fence is reached
  std::uint8_t region_count = 0;
  abi::LeaseUse lease_use = abi::LeaseUse::kNone;
  std::uint16_t queue = 0;
  std::uint16_t parent = kNoSlot, first_child = kNoSlot, next_sibling = kNoSlot;
  std::uint16_t children = 0;   // unfinished writes and reads of a job
  std::uint16_t transfers = 0;  // in flight, on the caller's memory
  std::uint32_t generation = 0;  // counts the requests that this slot has served
  std::uint32_t sequence = 0;
  std::uint32_t era = 0;
  std::uint32_t lease = 0;
  std::uint32_t crc = 0, expected_crc = 0;
  abi::Handle handle = 0;       // asked about; for what was made, the answer
  std::uint64_t offset = 0, bytes = 0, moved = 0;
  std::uint64_t due = 0;        // of its payload, still to come over the cable: its part of Core::due_
  std::uint64_t fence = 0;      // of the job; of a read: after which; of a cancel: which
  std::uint64_t cycle_budget = 0;
  const std::byte* source = nullptr;
  std::byte* target = nullptr;  // null: what comes is thrown away
  TimePoint started{0}, deadline = kForever;
  Duration allowed{0};
  Watch watch;
  JobResult result;
  std::optional<Error> error;
  std::array<abi::RegionBinding, abi::kRegionsMax> bindings;

  [[nodiscard]] bool is_job() const noexcept { return type == abi::MessageType::kSubmit; }
};

class SlotTable {
 public:
  explicit SlotTable(std::uint16_t slots) : slots_(slots), free_(slots), free_count_(slots) {
    for (std::uint16_t i = 0; i < slots; ++i) free_[i] = static_cast<std::uint16_t>(slots - 1 - i);
    by_sequence_.fill(kNoSlot);
  }
  [[nodiscard]] std::uint16_t size() const noexcept { return static_cast<std::uint16_t>(slots_.size()); }
  [[nodiscard]] Slot& operator[](std::uint16_t index) noexcept { return slots_[index]; }
  [[nodiscard]] const Slot& operator[](std::uint16_t index) const noexcept { return slots_[index]; }
  [[nodiscard]] std::uint16_t free_count() const noexcept { return free_count_; }

  /// A cleared slot, or kNoSlot. Bindings keep old bytes: only the first region_count ones count.
  [[nodiscard]] std::uint16_t acquire(abi::MessageType type) noexcept {
    if (free_count_ == 0) return kNoSlot;
    const std::uint16_t index = free_[--free_count_];
    Slot& slot = slots_[index];
    slot.type = type;
    slot.busy = true;
    slot.internal = slot.sent = slot.answered = slot.terminal = slot.detached = slot.failing = slot.cancel_asked = slot.announced = slot.check_crc = slot.crc_behind = slot.ending = slot.streams =
        slot.fence_seen = false;
    ++slot.generation;
    slot.region_count = 0;
    slot.lease_use = abi::LeaseUse::kNone;
    slot.lease = 0;
    slot.parent = slot.first_child = slot.next_sibling = kNoSlot;
    slot.children = slot.transfers = 0;
    slot.sequence = slot.crc = slot.expected_crc = 0;
    slot.handle = 0;
    slot.offset = slot.bytes = slot.moved = slot.due = slot.fence = slot.cycle_budget = 0;
    slot.source = nullptr;
    slot.target = nullptr;
    slot.watch = {};
    slot.result = {};
    slot.error.reset();
    return index;
  }
  void release(std::uint16_t index) noexcept {
    slots_[index].busy = false;
    slots_[index].error.reset();
    free_[free_count_++] = index;
  }

  [[nodiscard]] bool any_detached() const noexcept {
    return std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.busy && slot.detached; });
  }

  void note_sequence(std::uint32_t sequence, std::uint16_t index) noexcept { by_sequence_[sequence % kSequences] = index; }
  /// The sent, unanswered slot of that sequence number (the first of a batch), or kNoSlot.
  [[nodiscard]] std::uint16_t find_sequence(std::uint32_t sequence) const noexcept {
    const auto matches = [&](std::uint16_t index) {
      return slots_[index].busy && slots_[index].sent && !slots_[index].answered && slots_[index].sequence == sequence;
    };
    const std::uint16_t likely = by_sequence_[sequence % kSequences];
    if (likely == kNoSlot) return kNoSlot;
    if (matches(likely)) return likely;
    // A request that waits for long outlives its entry in the index.
    for (std::uint16_t i = 0; i < size(); ++i)
      if (matches(i)) return i;
    return kNoSlot;
  }

 private:
  static constexpr std::size_t kSequences = 1024;
  std::vector<Slot> slots_;
  std::vector<std::uint16_t> free_;
  std::array<std::uint16_t, kSequences> by_sequence_{};
  std::uint16_t free_count_ = 0;
};

}  // namespace naru::driver
