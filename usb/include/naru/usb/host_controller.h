// A host controller in software: queues of urbs in front of one usb::Function. Every host (in-process transport, FUSE, umockdev) uses it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "naru/usb/function.h"

namespace naru::usb {

enum class UrbStatus : std::uint8_t {
  kPending,    // queued, or not yet submitted
  kOk,         // as long as asked, or ended by a short packet
  kStalled,    // the endpoint is halted, or the device refused the request
  kCancelled,  // cancel(), a bus reset, or a failed urb that this one continues
  kOverflow,   // the device sent a packet larger than the room that was left
  kShort,      // ended by a short packet, which the urb forbids
  kNoDevice,   // the cable is out
  kNoEndpoint, // no such endpoint
  kFault,      // the urb's memory could not be read or written
};

/// Where an urb's bytes are, on the host's side: this process, or a client's. Calls come from the controller's thread only.
class UrbMemory {
 public:
  /// Copies bytes [offset, offset + target.size()) of the urb's buffer to `target`. False: not readable.
  [[nodiscard]] virtual bool read(std::size_t offset, std::span<std::byte> target) noexcept = 0;
  [[nodiscard]] virtual bool write(std::size_t offset, std::span<const std::byte> source) noexcept = 0;

 protected:
  ~UrbMemory() = default;
};

/// An urb's bytes in this process.
class SpanMemory final : public UrbMemory {
 public:
  SpanMemory() = default;
  explicit SpanMemory(std::span<std::byte> bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] bool read(std::size_t offset, std::span<std::byte> target) noexcept override {
    if (!target.empty()) std::memcpy(target.data(), bytes_.data() + offset, target.size());
    return true;
  }
  [[nodiscard]] bool write(std::size_t offset, std::span<const std::byte> source) noexcept override {
    if (!source.empty()) std::memcpy(bytes_.data() + offset, source.data(), source.size());
    return true;
  }

 private:
  std::span<std::byte> bytes_;
};

/// One request to the controller. Owned by whoever submits it; it must stay where it is, with its memory, until it was reaped.
struct Urb {
  std::uint8_t endpoint = 0;     // with direction bit; 0 is control
  SetupPacket setup{};           // control only; the data stage has setup.length bytes, which is also `length`
  std::size_t length = 0;        // bytes of `memory`
  UrbMemory* memory = nullptr;   // may be null when length is 0
  bool zero_packet = false;      // OUT: end with a zero-length packet when the length is a multiple of the packet size
  bool short_not_ok = false;     // IN: a short packet ends it with kShort
  bool continuation = false;     // belongs to the urb before it on this endpoint: cancelled when that one fails (usbfs' BULK_CONTINUATION)

  UrbStatus status = UrbStatus::kPending;
  std::size_t actual = 0;        // bytes moved, whatever the status

  Urb* previous = nullptr;       // the controller's
  Urb* next = nullptr;
};

/// Moves data between queued urbs and one Function. Thread: one at a time for all calls; nothing blocks; the Function outlives the controller.
/// Allocates at construction only.
class HostController {
 public:
  explicit HostController(Function& function);
  HostController(const HostController&) = delete;
  HostController& operator=(const HostController&) = delete;

  [[nodiscard]] Function& function() noexcept { return function_; }
  [[nodiscard]] const DeviceDescription& description() const noexcept { return function_.description(); }

  /// Queues `urb`; it comes back through reap() exactly once. Control urbs are answered by the next pump().
  void submit(Urb& urb) noexcept;
  /// Ends a pending urb with kCancelled; `actual` keeps what had moved. False: it is not pending (any more).
  bool cancel(Urb& urb) noexcept;
  /// The oldest urb that is done, or null.
  [[nodiscard]] Urb* reap() noexcept { return pop(completed_); }
  [[nodiscard]] bool has_completed() const noexcept { return completed_.first != nullptr; }
  [[nodiscard]] bool has_pending() const noexcept;

  /// Moves what can be moved now, without letting device time pass. True: something moved.
  bool pump();
  /// Lets the device work (see Function::step), with pump() after it; what was submitted since the last one needs another before. An unplugged device does not step.
  StepResult step(TimePoint until, std::uint64_t budget);

  /// Takes the device off the bus: what is pending ends with kNoDevice, as does whatever is submitted later.
  void unplug() noexcept;
  /// Puts it back, as after power-on of the bus (bus reset, no configuration change needed).
  void plug();
  [[nodiscard]] bool plugged() const noexcept { return plugged_; }

  /// What is pending is cancelled, then the function sees a bus reset and its configuration again.
  void bus_reset();
  /// CLEAR_FEATURE(ENDPOINT_HALT) as hosts do it. False: no such endpoint.
  bool clear_halt(std::uint8_t endpoint);
  /// False: no such configuration.
  bool set_configuration(std::uint8_t value);

 private:
  struct List {
    Urb* first = nullptr;
    Urb* last = nullptr;
  };
  struct Endpoint {
    List pending;
    std::uint16_t packet_bytes = 0;  // 0: not in the description
    bool refuse_continuations = false;
  };

  static void push(List& list, Urb& urb) noexcept;
  static void remove(List& list, Urb& urb) noexcept;
  static Urb* pop(List& list) noexcept;
  static std::size_t index_of(std::uint8_t endpoint) noexcept { return (endpoint & 0x0Fu) + ((endpoint & 0x80u) != 0 ? 16u : 0u); }

  Endpoint* find(std::uint8_t address) noexcept;
  void end_all(UrbStatus status) noexcept;
  void finish(Endpoint& endpoint, Urb& urb, UrbStatus status) noexcept;
  bool pump_control();
  bool pump_out(std::uint8_t address, Endpoint& endpoint);
  bool pump_in(std::uint8_t address, Endpoint& endpoint);
  bool send_out(std::uint8_t address, Endpoint& endpoint, Urb& urb);
  bool take_in(std::uint8_t address, Endpoint& endpoint, Urb& urb);
  UrbStatus control(Urb& urb);
  /// Bytes of the answer in control_bytes_, or the bytes accepted; nullopt: stall.
  std::optional<std::size_t> standard_request(const SetupPacket& setup);
  std::optional<std::size_t> descriptor_request(const SetupPacket& setup);
  std::optional<std::size_t> answer(std::span<const std::uint8_t> bytes, const SetupPacket& setup);

  Function& function_;
  bool plugged_ = true;
  std::uint8_t configuration_ = 1;
  std::array<Endpoint, 32> endpoints_{};
  std::array<std::uint8_t, 32> addresses_{};  // of the description's endpoints
  std::size_t address_count_ = 0;
  List completed_;
  std::vector<std::byte> control_bytes_;
};

}  // namespace naru::usb
