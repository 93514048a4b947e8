// The peer of the USB rows: the least that a libusb program can do on the same node. No Naru code below it but the checksum, which is the driver's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace naru::bench {

/// The device's pipe modes, as its EP0 request takes them.
enum class BareMode : std::uint16_t { kMessages = 0, kLoopback = 1, kSink = 2, kSource = 3 };

/// An open node. Errors are exceptions (std::runtime_error): this is a bench, and the peer has no reliability to offer. One thread.
class BareLibusb {
 public:
  explicit BareLibusb(const std::string& path);
  BareLibusb(const BareLibusb&) = delete;
  BareLibusb& operator=(const BareLibusb&) = delete;
  ~BareLibusb();

  /// Sink and source: in so many MiB of device memory, checksummed there or not.
  void set_mode(BareMode mode, std::uint16_t device_mebibytes = 0, bool checksums = false);
  /// Moves `total` bytes in asynchronous transfers of `transfer_bytes`, `in_flight` at once, each on the next part of `memory`, which is a ring of whole ones.
  /// `total` is a multiple of `transfer_bytes`. With `checksums`, each transfer's bytes are checksummed once: before they go, or when they are there.
  void stream(bool in, std::size_t total, std::size_t transfer_bytes, std::span<std::byte> memory, std::size_t in_flight, bool checksums);
  /// One OUT and one IN of 64 bytes in loopback, the IN waiting before the OUT goes.
  void ping();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace naru::bench
