// What a USB device looks like from its own side: setup packets, endpoint data, halt, reset, and time. The device's seam.
// A Function knows no host: umockdev, FUSE, an in-process transport or a real device controller drive it through usb::HostController.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "naru/base/clock.h"
#include "naru/usb/descriptors.h"

namespace naru::usb {

/// Chapter 9 setup packet, host byte order.
struct SetupPacket {
  std::uint8_t request_type = 0;
  std::uint8_t request = 0;
  std::uint16_t value = 0;
  std::uint16_t index = 0;
  std::uint16_t length = 0;

  [[nodiscard]] constexpr bool is_in() const noexcept { return (request_type & 0x80) != 0; }
  friend constexpr bool operator==(const SetupPacket&, const SetupPacket&) = default;
};

/// Bytes that the device offers to send, as one transfer's worth.
struct InOffer {
  std::span<const std::byte> bytes;
  /// The transfer ends after these bytes: short packet, or a zero-length one when they end on a packet boundary. Without it the host's
  /// request ends only when it is full.
  bool ends_transfer = false;
};

/// What step() found. `next` is when the device has something to do of its own accord (kForever: only when the host acts).
struct StepResult {
  bool progressed = false;  // endpoint readiness may have changed: look at out_begin / in_peek again
  TimePoint next = kForever;
};

/// One USB function with one configuration and one interface. Thread: all calls from one thread at a time. No call blocks.
/// Endpoint addresses carry the direction bit (0x80 is IN), as in the descriptors.
class Function {
 public:
  virtual ~Function() = default;

  [[nodiscard]] virtual const DeviceDescription& description() const noexcept = 0;

  /// A vendor or class request (standard ones are answered by HostController from description()). Returns bytes written to `in`, or bytes
  /// accepted of `out`; nullopt stalls EP0 for this request. `in` has setup.length bytes, as has `out`.
  virtual std::optional<std::size_t> setup(const SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in) = 0;

  /// Where the next OUT bytes of this endpoint may land: device memory itself, when the device knows what comes. Empty: NAK.
  /// The span stays valid until out_end(), reset or set_configuration.
  virtual std::span<std::byte> out_begin(std::uint8_t endpoint) = 0;
  /// `bytes` of the span were written. `ends_transfer`: a short or zero-length packet ended the host's transfer here; without it, the span
  /// was filled on a packet boundary, or the transfer ended without one.
  virtual void out_end(std::uint8_t endpoint, std::size_t bytes, bool ends_transfer) = 0;

  /// What the endpoint would send next; nullopt: NAK. Valid until in_done(). An offer of zero bytes with ends_transfer is a zero-length packet.
  virtual std::optional<InOffer> in_peek(std::uint8_t endpoint) = 0;
  /// The first `bytes` of the offer were taken; `completed`: also its end of transfer was. After a partial take, in_peek() gives the rest.
  virtual void in_done(std::uint8_t endpoint, std::size_t bytes, bool completed) = 0;

  [[nodiscard]] virtual bool halted(std::uint8_t endpoint) const noexcept = 0;
  virtual void set_halt(std::uint8_t endpoint, bool halt) = 0;
  virtual void set_configuration(std::uint8_t value) = 0;
  /// Bus reset: endpoints to their first state, unsent data dropped; a new epoch.
  virtual void bus_reset() = 0;

  /// The device's own clock, moved by step() only.
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;
  /// Lets the device work until `until` on its clock, or until `budget` units of host work (roughly microseconds) are spent, or until
  /// endpoint readiness changes, whichever comes first.
  virtual StepResult step(TimePoint until, std::uint64_t budget) = 0;
};

}  // namespace naru::usb
