// The host's seam: how the driver hands transfers to a cable. Implementations: null, inproc, libusb; decorators later (faulty, recording).
//
// Contract, the same for all (tests/conformance proves it for each):
// - submit() queues and returns at once. Completion is observed through poll() or wait_with(), on the caller's thread, exactly once per ticket,
//   whether the transfer finished, failed or was cancelled. Transfers of one endpoint complete in the order submitted; only what never reached
//   the cable (cancelled while it waited, or not to be launched) may be told before those that are on it.
// - The buffer belongs to the transport from submit() until the ticket's completion was observed; destroying the transport cancels what is in flight and
//   returns only when the bus has let go of every buffer.
// - Once a completion or call says kDeviceLost, every later call says the same; what was in flight completes as kDeviceLost.
// - One thread at a time for everything but wake(), which is safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "naru/base/clock.h"
#include "naru/base/result.h"
#include "naru/usb/function.h"

namespace naru::driver {

/// Names a transfer in flight; never reused within a transport. 0 is no ticket.
enum class Ticket : std::uint64_t { kNone = 0 };

enum class TransferKind : std::uint8_t { kControl, kBulkOut, kBulkIn, kInterruptIn, kClearHaltOut, kClearHaltIn, kReset };

struct Transfer {
  TransferKind kind = TransferKind::kControl;
  usb::SetupPacket setup{};                  // kControl only; setup.length == buffer.size()
  std::span<std::byte> buffer{};             // data stage or bulk data; IN sizes are multiples of the packet size (libusb trap T17)
  bool ends_with_short_packet = false;       // kBulkOut: add a zero-length packet when the length is a multiple of the packet size
  bool may_join = false;                     // bulk, whole packets: may wait for flush(), and move together with those submitted next that adjoin it in memory. One that fails
                                             // or ends short may then end those behind it, as it ended or as cancelled; one that is cancelled may end all that are not over, one that
                                             // overflows all of them. What submit() says of others (kDeviceLost, a failure) may come as their completion
  Duration timeout = std::chrono::seconds(5);  // on the transport's clock; 0 waits for ever
};

enum class TransferStatus : std::uint8_t { kOk, kStalled, kTimeout, kCancelled, kOverflow, kDeviceLost, kFailed, kHostMemory };
[[nodiscard]] NARU_API std::string_view to_string(TransferStatus status) noexcept;

struct TransferCompletion {
  Ticket ticket = Ticket::kNone;
  TransferStatus status = TransferStatus::kOk;
  std::size_t bytes = 0;  // transferred, also for kTimeout and kCancelled (partial data happens: trap T16); 0 for kOverflow
};

struct TransportInfo {
  std::string scheme;         // "mock", "usb", "node", "null"
  std::string selector;       // what opens the same device again, e.g. "usb:NR0001"
  std::string serial;
  std::string bus_port;       // "1-4.2", empty where there is no bus
  usb::Speed speed = usb::Speed::kHigh;
  std::uint16_t bulk_packet_bytes = 512;
  std::uint16_t vendor_id = 0, product_id = 0;
  bool virtual_time = false;
};

/// Hears of transfers in the middle of a wait(): what came in is still in the CPU's caches then, and what goes next goes at once.
class CompletionSink {
 public:
  /// The buffer is the caller's again. May submit(), flush() and cancel(), and nothing else of the transport; what is flushed here may go a little
  /// later, but before the wait ends. False: not now; poll() has this one, and what comes after it.
  [[nodiscard]] virtual bool on_found(const TransferCompletion& completion) noexcept = 0;

 protected:
  ~CompletionSink() = default;
};

class NARU_API Transport {
 public:
  virtual ~Transport() = default;

  [[nodiscard]] virtual const TransportInfo& info() const noexcept = 0;
  /// The clock that deadlines are kept on; virtual for inproc.
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;

  /// kInvalidArgument: no such endpoint, or an IN size that is no multiple of the packet size (nothing queued). kDeviceLost: the cable is out.
  [[nodiscard]] virtual Result<Ticket> submit(const Transfer& transfer) = 0;
  /// What may have been held back (Transfer::may_join) goes. poll(), take() and wait() do that too.
  virtual void flush() noexcept {}
  /// Asks for an early end; the completion still comes, and may say kOk (the race is lost sometimes: trap T7). Unknown tickets are ignored.
  virtual void cancel(Ticket ticket) = 0;
  /// Fills `completions` from the front; returns how many. Never blocks.
  [[nodiscard]] virtual std::size_t poll(std::span<TransferCompletion> completions) = 0;
  /// As poll(), but may leave out the look for more than wait() or poll() has found already. For callers that wait() next anyway.
  [[nodiscard]] virtual std::size_t take(std::span<TransferCompletion> completions) { return poll(completions); }
  /// Returns when poll() would find something, after wake(), at `until` on clock(), or spuriously. A virtual clock jumps to the next event.
  virtual void wait(TimePoint until) = 0;
  /// As wait(), which may hand what it finds to `sink` instead of keeping it for poll(); never what failed. Each ticket completes once, in the order of its
  /// endpoint, one way or the other. Returns when nothing more is there at once, if it has handed over anything.
  virtual void wait_with(TimePoint until, CompletionSink& sink) {
    static_cast<void>(sink);
    wait(until);
  }
  /// Makes the current or next wait() return at once. Any thread.
  virtual void wake() noexcept = 0;
  /// Readable when wait() would return at once; -1 where there is none (inproc).
  [[nodiscard]] virtual int pollable_descriptor() const noexcept = 0;
};

}  // namespace naru::driver
