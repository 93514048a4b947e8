// How a transfer's or a device's status reads as an error.
#pragma once

#include <string>
#include <string_view>

#include "naru/abi/wire.h"
#include "naru/base/result.h"
#include "naru/driver/transport.h"

namespace naru::driver {

/// `what` is a noun phrase: "bulk out", "EP0 request 2 (chip)". Not for kOk.
[[nodiscard]] Error error_of(TransferStatus status, std::string_view what);
/// A status that the device gave. Not for kOk; an unknown number is a protocol violation.
[[nodiscard]] Error error_of(abi::Status status, std::uint32_t detail, std::string_view what);
[[nodiscard]] constexpr bool is_known(abi::Status status) noexcept { return status <= abi::Status::kLeaseLost; }

/// "write", "job", ...: for messages.
[[nodiscard]] std::string_view name_of(abi::MessageType type) noexcept;
/// "2.5 s", "40 ms", ...
[[nodiscard]] std::string text_of(Duration duration);
/// Zero-padded text of a device, with what is not printable replaced by '?'.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace naru::driver
