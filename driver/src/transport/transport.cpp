// What all transports share: names, and the checks on a transfer that do not depend on the cable.
#include "naru/driver/transport.h"

#include <fmt/format.h>

#include "transport/check.h"

namespace naru::driver {

std::string_view to_string(TransferStatus status) noexcept {
  switch (status) {
    case TransferStatus::kOk: return "ok";
    case TransferStatus::kStalled: return "stalled";
    case TransferStatus::kTimeout: return "timeout";
    case TransferStatus::kCancelled: return "cancelled";
    case TransferStatus::kOverflow: return "overflow";
    case TransferStatus::kDeviceLost: return "device lost";
    case TransferStatus::kFailed: return "failed";
    case TransferStatus::kHostMemory: return "host memory";
  }
  return "unknown";
}

namespace transport {

Endpoints find_endpoints(std::span<const usb::EndpointDescription> descriptions) noexcept {
  Endpoints found;
  const auto take = [](usb::EndpointDescription& target, const usb::EndpointDescription& source) {
    if (target.address == 0) target = source;
  };
  for (const usb::EndpointDescription& endpoint : descriptions) {
    const bool is_in = (endpoint.address & 0x80) != 0;
    if (endpoint.type == usb::EndpointType::kBulk) take(is_in ? found.bulk_in : found.bulk_out, endpoint);
    if (endpoint.type == usb::EndpointType::kInterrupt && is_in) take(found.interrupt_in, endpoint);
  }
  return found;
}

std::uint8_t Endpoints::address_of(TransferKind kind) const noexcept {
  switch (kind) {
    case TransferKind::kBulkOut:
    case TransferKind::kClearHaltOut: return bulk_out.address;
    case TransferKind::kBulkIn:
    case TransferKind::kClearHaltIn: return bulk_in.address;
    case TransferKind::kInterruptIn: return interrupt_in.address;
    case TransferKind::kControl:
    case TransferKind::kReset: break;
  }
  return 0;
}

Result<void> check(const Transfer& transfer, const Endpoints& endpoints) {
  const std::size_t bytes = transfer.buffer.size();
  if (transfer.timeout < Duration::zero()) return fail(ErrorId::kInvalidArgument, "Transfer's timeout is negative");
  switch (transfer.kind) {
    case TransferKind::kControl:
      if (bytes != transfer.setup.length) return fail(ErrorId::kInvalidArgument, fmt::format("Control transfer's buffer has {} bytes; its setup packet says {}", bytes, transfer.setup.length));
      if (bytes > kControlBytesMax) return fail(ErrorId::kInvalidArgument, fmt::format("Control transfer of {} bytes is longer than {}", bytes, kControlBytesMax));
      return {};
    case TransferKind::kReset: return {};
    default: break;
  }
  if (endpoints.address_of(transfer.kind) == 0) return fail(ErrorId::kInvalidArgument, fmt::format("Device has no endpoint for transfers of kind {}", static_cast<int>(transfer.kind)));
  if (transfer.kind == TransferKind::kBulkIn || transfer.kind == TransferKind::kInterruptIn) {
    const std::size_t packet = transfer.kind == TransferKind::kBulkIn ? endpoints.bulk_in.packet_bytes : endpoints.interrupt_in.packet_bytes;
    if (bytes == 0 || bytes % packet != 0) return fail(ErrorId::kInvalidArgument, fmt::format("IN transfer of {} bytes is no positive multiple of the packet size {}", bytes, packet));
  }
  return {};
}

Error lost_error(const TransportInfo& info) { return Error(ErrorId::kDeviceLost, fmt::format("Device {} is gone", info.selector)); }

}  // namespace transport
}  // namespace naru::driver
