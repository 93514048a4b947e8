// Bulk transfers in flight, one direction's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "fixed_ring.h"
#include "naru/driver/transport.h"
#include "slots.h"

namespace naru::driver {

enum class FlightKind : std::uint8_t { kMessage, kPayload, kDiscard, kRaw };

/// One bulk transfer in flight.
struct Flight {
  Ticket ticket = Ticket::kNone;
  FlightKind kind = FlightKind::kMessage;
  bool tail = false;              // IN: landed in a tail buffer, `data` is where it belongs
  std::uint16_t slot = kNoSlot;   // payload: whose
  std::uint16_t buffer = 0;       // out message buffer, or tail buffer
  std::uint32_t expected = 0;     // bytes of a full success
  std::uint32_t generation = 0;   // of the slot, which may serve another request by now
  std::byte* data = nullptr;
};

/// In the order in which they were submitted. What is not a message is counted as it comes and goes.
class Flights {
 public:
  static constexpr std::size_t kPlaces = 16;

  [[nodiscard]] bool empty() const noexcept { return ring_.empty(); }
  [[nodiscard]] bool full() const noexcept { return ring_.full(); }
  [[nodiscard]] std::size_t size() const noexcept { return ring_.size(); }
  [[nodiscard]] Flight& front() noexcept { return ring_.front(); }
  [[nodiscard]] Flight& at(std::size_t index) noexcept { return ring_.at(index); }
  /// Of payloads, and of raw transfers.
  [[nodiscard]] std::uint32_t chunks() const noexcept { return chunks_; }
  [[nodiscard]] std::uint64_t chunk_bytes() const noexcept { return chunk_bytes_; }

  void push(const Flight& flight) noexcept {
    ring_.push(flight);
    count(flight, 1);
  }
  Flight remove(std::size_t index) noexcept {
    const Flight flight = ring_.remove(index);
    count(flight, -1);
    return flight;
  }
  void clear() noexcept {
    ring_.clear();
    chunks_ = 0;
    chunk_bytes_ = 0;
  }

 private:
  void count(const Flight& flight, int sign) noexcept {
    if (flight.kind == FlightKind::kMessage) return;
    chunks_ += static_cast<std::uint32_t>(sign);
    chunk_bytes_ += static_cast<std::uint64_t>(sign) * flight.expected;
  }

  FixedRing<Flight, kPlaces> ring_;
  std::uint32_t chunks_ = 0;
  std::uint64_t chunk_bytes_ = 0;
};

}  // namespace naru::driver
