// Preallocated homes for transfers in flight, found by ticket in constant time.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "naru/driver/transport.h"

namespace naru::driver::transport {

/// Slots keep their address for life. T has a member `Ticket ticket`, kNone while free. Grows (and allocates) only when more are in flight
/// than ever before. Thread: the transport's caller.
template <typename T>
class Slots {
 public:
  static constexpr std::size_t kSlotsMax = 4096;  // the low 12 bits of a ticket are the slot

  /// Null when kSlotsMax are in flight.
  T* take() {
    if (free_.empty()) {
      if (slots_.size() == kSlotsMax) return nullptr;
      free_.reserve(slots_.size() + 1);
      slots_.push_back(std::make_unique<T>());
      free_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    T* slot = slots_[index].get();
    slot->ticket = static_cast<Ticket>((++serial_ << 12) | index);
    ++in_flight_;
    return slot;
  }
  void give_back(T& slot) noexcept {
    free_.push_back(static_cast<std::uint32_t>(static_cast<std::uint64_t>(slot.ticket) & (kSlotsMax - 1)));  // capacity was reserved by take()
    slot.ticket = Ticket::kNone;
    --in_flight_;
  }
  /// Null: not in flight (any more).
  [[nodiscard]] T* find(Ticket ticket) const noexcept {
    const std::uint64_t index = static_cast<std::uint64_t>(ticket) & (kSlotsMax - 1);
    return ticket != Ticket::kNone && index < slots_.size() && slots_[index]->ticket == ticket ? slots_[index].get() : nullptr;
  }
  [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] const std::vector<std::unique_ptr<T>>& all() const noexcept { return slots_; }

 private:
  std::vector<std::unique_ptr<T>> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t serial_ = 0;
  std::size_t in_flight_ = 0;
};

}  // namespace naru::driver::transport
