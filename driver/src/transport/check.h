// What all transports share: which endpoint a kind of transfer uses, and what submit() refuses.
#pragma once

#include <span>

#include "naru/driver/transport.h"

namespace naru::driver::transport {

/// Linux takes at most 4096 bytes of setup packet and data together (trap T20); the other transports keep to it so that all are alike.
inline constexpr std::size_t kControlBytesMax = 4096 - 8;

/// By type and direction, never by number: device controllers renumber. Address 0: not there.
struct Endpoints {
  usb::EndpointDescription bulk_out, bulk_in, interrupt_in;
  [[nodiscard]] std::uint8_t address_of(TransferKind kind) const noexcept;
};
[[nodiscard]] Endpoints find_endpoints(std::span<const usb::EndpointDescription> descriptions) noexcept;

/// kInvalidArgument, or nothing.
[[nodiscard]] Result<void> check(const Transfer& transfer, const Endpoints& endpoints);

/// kDeviceLost, naming the device.
[[nodiscard]] Error lost_error(const TransportInfo& info);

}  // namespace naru::driver::transport
