// Maps statuses of the cable and of the device to errors with values and remedies, and makes a device's text safe to show.
#include "status.h"

#include <fmt/format.h>

namespace naru::driver {

Error error_of(TransferStatus status, std::string_view what) {
  switch (status) {
    case TransferStatus::kOk: break;
    case TransferStatus::kStalled: return Error(ErrorId::kTransferStalled, fmt::format("The device stalled {}", what));
    case TransferStatus::kTimeout: return Error(ErrorId::kTransferTimeout, fmt::format("The device did not answer {} in time", what));
    case TransferStatus::kCancelled: return Error(ErrorId::kTransferCancelled, fmt::format("{} was cancelled", what));
    case TransferStatus::kOverflow: return Error(ErrorId::kProtocolViolation, fmt::format("The device sent more than was asked for on {}", what));
    case TransferStatus::kDeviceLost: return Error(ErrorId::kDeviceLost, fmt::format("The device went away during {}", what));
    case TransferStatus::kFailed: return Error(ErrorId::kTransferFailed, fmt::format("The cable failed during {}", what));
    case TransferStatus::kHostMemory: return Error(ErrorId::kHostMemory, fmt::format("This host has no memory left for {}", what));
  }
  return Error(ErrorId::kInternal, fmt::format("Unknown transfer status {} for {}", static_cast<unsigned>(status), what));
}

Error error_of(abi::Status status, std::uint32_t detail, std::string_view what) {
  const auto make = [&](ErrorId id) {
    return Error(id, fmt::format("The device ended a {} with \"{}\" (detail {})", what, abi::name_of(status), detail))
        .with_value("status", fmt::format("{}", static_cast<unsigned>(status)))
        .with_value("detail", fmt::format("{}", detail));
  };
  switch (status) {
    case abi::Status::kOk: break;
    case abi::Status::kBadMagic:
    case abi::Status::kBadLength:
    case abi::Status::kUnknownType: return make(ErrorId::kProtocolViolation);
    case abi::Status::kBadVersion: return make(ErrorId::kProtocolVersion);
    case abi::Status::kBadChecksum:
    case abi::Status::kPayloadChecksum: return make(ErrorId::kChecksum);
    case abi::Status::kStaleEpoch: return make(ErrorId::kStaleEpoch);
    case abi::Status::kBadHandle:
    case abi::Status::kBadContext: return make(ErrorId::kHandleInvalid);
    case abi::Status::kOutOfMemory: return make(ErrorId::kDeviceOutOfMemory);
    case abi::Status::kBadRange:
    case abi::Status::kBadRights:
    case abi::Status::kBadStream:
    case abi::Status::kBadBinding:
    case abi::Status::kBadField:
    case abi::Status::kNoCredit:
    case abi::Status::kFenceFailed: return make(ErrorId::kDeviceRefused);
    case abi::Status::kBudgetExceeded: return make(ErrorId::kJobBudget);
    case abi::Status::kCancelled: return make(ErrorId::kJobCancelled);
    case abi::Status::kJobFault: return make(ErrorId::kJobFault);
    case abi::Status::kLeaseLost: return make(ErrorId::kLeaseLost);
    case abi::Status::kReset: return make(ErrorId::kDeviceFault).with_remedy("The engines were reset while it ran: submit it again.");
  }
  return Error(ErrorId::kProtocolViolation, fmt::format("The device ended a {} with the unknown status {}", what, static_cast<unsigned>(status)));
}

std::string_view name_of(abi::MessageType type) noexcept {
  switch (type) {
    case abi::MessageType::kOpenContext: return "open of a context";
    case abi::MessageType::kCloseContext: return "close of a context";
    case abi::MessageType::kCreateBuffer: return "creation of a buffer";
    case abi::MessageType::kFreeBuffer: return "release of a buffer";
    case abi::MessageType::kWrite: return "write";
    case abi::MessageType::kRead: return "read";
    case abi::MessageType::kLoadStream: return "load of a stream";
    case abi::MessageType::kFreeStream: return "release of a stream";
    case abi::MessageType::kSubmit: return "job";
    case abi::MessageType::kCancel: return "cancel";
    case abi::MessageType::kChecksums: return "list of checksums";
    case abi::MessageType::kReply: return "reply";
    case abi::MessageType::kCompletion: return "completion";
    case abi::MessageType::kStatusReport: return "status report";
  }
  return "message";
}

std::string text_of(Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  return seconds >= 1 ? fmt::format("{:g} s", seconds) : fmt::format("{:g} ms", seconds * 1000);
}

std::string printable(std::string_view text) {
  std::string result(text.substr(0, text.find('\0')));
  for (char& letter : result)
    if ((letter < ' ' || letter > '~') && letter != '\n' && letter != '\t') letter = '?';
  return result;
}

}  // namespace naru::driver
