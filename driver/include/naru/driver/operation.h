// The ticket of one asynchronous read or write.
#pragma once

#include <cstdint>
#include <memory>

#include "naru/base/result.h"

namespace naru::driver {

class Core;

/// Names one slot of the driver's request table; an RAII holder of it. Internal to Operation and Job.
class SlotTicket {
 public:
  SlotTicket() = default;
  SlotTicket(std::shared_ptr<Core> core, std::uint16_t slot) noexcept : core_(std::move(core)), slot_(slot) {}
  SlotTicket(SlotTicket&& other) noexcept : core_(std::move(other.core_)), slot_(other.slot_) {}
  SlotTicket& operator=(SlotTicket&& other) noexcept {
    if (this != &other) {
      release();
      core_ = std::move(other.core_);
      slot_ = other.slot_;
    }
    return *this;
  }
  ~SlotTicket() { release(); }
  [[nodiscard]] bool valid() const noexcept { return core_ != nullptr; }

 protected:
  /// Gives the slot back; what is unfinished is cancelled, and memory of the caller's that the cable still uses is waited for (bounded).
  void release() noexcept {
    if (core_) give_back();
  }

  std::shared_ptr<Core> core_;
  std::uint16_t slot_ = 0;

 private:
  NARU_API void give_back() noexcept;
};

/// A read or write on its way. Owner: the caller. The memory given to begin_read() or begin_write() stays valid until done() or destruction.
/// Destroying it abandons the operation: what of it was carried out is not known then. Thread: the device's. Outliving the device is allowed.
class NARU_API Operation : public SlotTicket {
 public:
  using SlotTicket::SlotTicket;
  /// Whether it has ended, well or not. Does nothing else: Device::poll() or wait() drive it. True for an empty ticket.
  [[nodiscard]] bool done() const noexcept;
  /// Drives the device until the operation has ended (its deadline ends it at the latest) and tells how.
  [[nodiscard]] Result<void> wait();
  /// How it ended; kWrongThreadOrState while it has not.
  [[nodiscard]] Result<void> result() const;
};

}  // namespace naru::driver
