// Names and checksums of the wire.
#include "naru/abi/wire.h"

#include <cstring>

#include "naru/base/hash.h"

namespace naru::abi {

std::string_view name_of(Status status) noexcept {
  switch (status) {
    case Status::kOk: return "ok";
    case Status::kBadMagic: return "bad magic";
    case Status::kBadVersion: return "bad version";
    case Status::kBadChecksum: return "bad checksum";
    case Status::kBadLength: return "bad length";
    case Status::kStaleEpoch: return "stale epoch";
    case Status::kUnknownType: return "unknown message type";
    case Status::kBadHandle: return "bad handle";
    case Status::kBadRange: return "bad range";
    case Status::kBadRights: return "bad rights";
    case Status::kOutOfMemory: return "out of memory";
    case Status::kBadStream: return "bad stream";
    case Status::kBadBinding: return "bad binding";
    case Status::kBadField: return "bad field";
    case Status::kBudgetExceeded: return "cycle budget exceeded";
    case Status::kCancelled: return "cancelled";
    case Status::kJobFault: return "job fault";
    case Status::kNoCredit: return "no credit";
    case Status::kBadContext: return "bad context";
    case Status::kReset: return "reset";
    case Status::kFenceFailed: return "fence failed";
    case Status::kPayloadChecksum: return "payload checksum";
    case Status::kLeaseLost: return "lease lost";
  }
  return "unknown";
}

std::uint32_t message_crc(MessageHeader header, std::span<const std::byte> body) noexcept {
  header.crc = 0;
  return crc32c(body, crc32c(encode(header)));
}

std::uint32_t message_crc(std::span<const std::byte> message) noexcept {
  std::array<std::byte, wire_size<MessageHeader>()> header;
  std::memcpy(header.data(), message.data(), header.size());
  std::memset(header.data() + kMessageCrcOffset, 0, sizeof(std::uint32_t));
  return crc32c(message.subspan(header.size()), crc32c(header));
}

}  // namespace naru::abi
