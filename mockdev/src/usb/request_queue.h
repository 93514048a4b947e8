// Requests between the cable and the command processor: framed, in order, each with the modelled time at which the device may see it.
#pragma once

#include <memory>
#include <vector>

#include "core/objects.h"
#include "naru/abi/wire.h"
#include "naru/base/clock.h"
#include "usb/recycling_queue.h"

namespace naru::mockdev {

/// One message transfer's bytes; requests point into it, so bodies are never copied.
struct TransferBuffer {
  std::vector<std::byte> bytes;
  std::size_t used = 0;
  std::size_t requests = 0;  // that still point here
};

/// Where a payload that follows goes.
enum class Landing : std::uint8_t { kUndecided, kDevice, kStaged, kDiscarded };

struct Request {
  abi::MessageHeader header;
  TransferBuffer* buffer = nullptr;
  std::span<const std::byte> body;
  std::span<const std::byte> inline_payload;
  TimePoint arrival{0};
  bool complete = false;                      // all of it has been on the cable
  bool crc_behind = false;                    // until which its checksum is not in `header` either
  abi::Status refused = abi::Status::kOk;     // decided before it was looked at
  std::uint32_t refused_detail = 0;

  Landing landing = Landing::kUndecided;
  Pin pin;                                    // kDevice
  std::span<std::byte> target;                // kDevice, kStaged: all of the payload
  std::vector<std::byte> staged;
  std::uint64_t landed = 0;                   // bytes so far
  std::uint32_t landed_crc = 0;               // of them, taken as they came by: they are still in the CPU's caches then

  /// All but the header, which is read into its place whole.
  void clear() noexcept {
    buffer = nullptr;
    body = inline_payload = {};
    arrival = TimePoint(0);
    complete = crc_behind = false;
    refused = abi::Status::kOk;
    refused_detail = 0;
    landing = Landing::kUndecided;
    pin.release();
    target = {};
    if (staged.capacity() != 0) staged = {};
    landed = 0;
    landed_crc = 0;
  }
};

using RequestQueue = RecyclingQueue<Request>;

}  // namespace naru::mockdev
