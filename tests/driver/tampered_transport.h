// A transport around another one that spoils chosen transfers, for tests: by the number of the transfer, or by what comes in.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "naru/driver/transport.h"

namespace naru::driver::test {

enum class Fault { kNone, kLostAtSubmit, kLostInFlight, kStalled, kFailed, kTimeout, kCancelled, kOverflow, kHostMemory, kHostMemoryAtSubmit, kShort, kNeverEnds };
inline constexpr Fault kAllFaults[] = {Fault::kLostAtSubmit, Fault::kLostInFlight, Fault::kStalled, Fault::kFailed,  Fault::kTimeout,   Fault::kCancelled,
                                       Fault::kOverflow,     Fault::kHostMemory,   Fault::kHostMemoryAtSubmit, Fault::kShort, Fault::kNeverEnds};
[[nodiscard]] const char* name_of(Fault fault);

/// What a test does to a device and sees of it. As over libusb, what ended well is handed over inside the wait. Outlives the transport.
struct Tampering {
  Fault fault = Fault::kNone;
  std::uint64_t at = 0;        // number of the submit() that it hits, from 0
  std::uint64_t submits = 0;   // so far
  bool hit = false;
  /// Called with every message transfer that came in; may change or drop its bytes.
  std::function<void(std::vector<std::byte>& bytes)> on_message;
  bool floods = false;         // the cable has an empty answer for each message transfer that is posted, at once and without end
  std::uint64_t flooded = 0;   // so often, so far
  bool cancels_late = false;   // a cancelled transfer has got whatever was there for it, as over a cable, where transfers go on until then
  std::uint64_t flying_payload_max = 0;  // bytes of the transfers that carry payloads, in flight at once, both directions
  std::uint64_t joining_outs = 0;        // OUT transfers that might join others
  bool throws_in_wait = false; // the next submit() that a sink makes has no memory: std::bad_alloc, once
  std::uint64_t message_bytes = 32 * 1024;  // which IN transfers carry messages: by the size that was asked for
  /// Called with what an EP0 IN request brought.
  std::function<void(const usb::SetupPacket& setup, std::span<std::byte> bytes, TransferCompletion& completion)> on_control;
};

class TamperedTransport final : public Transport {
 public:
  TamperedTransport(std::unique_ptr<Transport> inner, Tampering& tampering) : inner_(std::move(inner)), tampering_(tampering), info_(inner_->info()) {}

  [[nodiscard]] const TransportInfo& info() const noexcept override { return info_; }
  [[nodiscard]] TransportInfo& changeable_info() noexcept { return info_; }
  [[nodiscard]] const Clock& clock() const noexcept override { return inner_->clock(); }
  [[nodiscard]] Result<Ticket> submit(const Transfer& transfer) override;
  void flush() noexcept override { inner_->flush(); }
  void cancel(Ticket ticket) override;
  [[nodiscard]] std::size_t poll(std::span<TransferCompletion> completions) override;
  void wait(TimePoint until) override;
  void wait_with(TimePoint until, CompletionSink& sink) override;
  void wake() noexcept override { inner_->wake(); }
  [[nodiscard]] int pollable_descriptor() const noexcept override { return inner_->pollable_descriptor(); }

 private:
  struct Known {
    Ticket ticket;
    Transfer transfer;
  };
  struct Held {  // a transfer that only this transport knows of
    TransferCompletion completion;
    TimePoint due;
  };
  std::size_t find(std::span<TransferCompletion> completions);
  std::size_t find_inner(std::span<TransferCompletion> completions);
  void hold(TransferCompletion completion, TimePoint due) { held_.push_back({completion, due}); }

  std::unique_ptr<Transport> inner_;
  Tampering& tampering_;
  TransportInfo info_;
  std::vector<Known> known_;
  std::deque<Held> held_;
  std::deque<TransferCompletion> kept_;  // found in a wait, and not the sink's
  std::uint64_t next_own_ = std::uint64_t{1} << 62;
  bool lost_ = false;
  bool in_wait_ = false;
};

}  // namespace naru::driver::test
