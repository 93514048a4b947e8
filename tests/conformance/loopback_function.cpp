// See loopback_function.h.
#include "loopback_function.h"

#include "naru/base/bytes.h"

namespace naru::test {
namespace {
constexpr std::size_t kLandingBytes = 64 * 1024;
}

LoopbackFunction::LoopbackFunction(usb::Speed speed, std::string serial) : landing_(kLandingBytes) {
  const std::uint16_t packet = speed == usb::Speed::kSuper ? 1024 : 512;
  description_ = {.speed = speed, .vendor_id = abi::kVendorId, .product_id = abi::kProductRun, .manufacturer = "Naru", .product = "Loopback", .serial = std::move(serial),
                  .endpoints = {{.address = 0x03, .packet_bytes = packet}, {.address = 0x85, .packet_bytes = packet},
                                {.address = 0x86, .type = usb::EndpointType::kInterrupt, .packet_bytes = 64, .interval = 4}}};
}

std::optional<std::size_t> LoopbackFunction::setup(const usb::SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in) {
  const auto request = static_cast<abi::ControlRequest>(packet.request);
  const bool scratch = packet.index >= 16 && packet.index < abi::kRegisterCount;
  if (request == abi::ControlRequest::kReadRegister && scratch && in.size() == 4) {
    store_le(in.data(), registers_[packet.index]);
    return 4;
  }
  if (request == abi::ControlRequest::kWriteRegister && scratch && out.size() == 4) {
    registers_[packet.index] = load_le<std::uint32_t>(out.data());
    return 4;
  }
  if (request == abi::ControlRequest::kPipeMode && !packet.is_in()) return 0;
  if (request == abi::ControlRequest::kReset && !packet.is_in()) {
    clear();
    std::array<std::byte, 16> event{};
    store_le(event.data(), static_cast<std::uint32_t>(abi::EventKind::kReset));
    store_le(event.data() + 4, ++epoch_);
    events_.push_back(event);
    return 0;
  }
  return std::nullopt;
}

std::span<std::byte> LoopbackFunction::out_begin(std::uint8_t) {
  return held_bytes_ >= abi::kLoopbackBytesMax ? std::span<std::byte>{} : std::span(landing_);
}

void LoopbackFunction::out_end(std::uint8_t, std::size_t bytes, bool ends_transfer) {
  if (bytes == 0 && !ends_transfer) return;
  pieces_.push_back({.bytes = std::vector(landing_.begin(), landing_.begin() + static_cast<std::ptrdiff_t>(bytes)), .ends_transfer = ends_transfer});
  held_bytes_ += bytes;
}

std::optional<usb::InOffer> LoopbackFunction::in_peek(std::uint8_t endpoint) {
  if (endpoint == 0x86) {
    if (events_.empty()) return std::nullopt;
    return usb::InOffer{.bytes = events_.front(), .ends_transfer = true};
  }
  if (pieces_.empty()) return std::nullopt;
  return usb::InOffer{.bytes = std::span(pieces_.front().bytes).subspan(taken_), .ends_transfer = pieces_.front().ends_transfer};
}

void LoopbackFunction::in_done(std::uint8_t endpoint, std::size_t bytes, bool completed) {
  if (endpoint == 0x86) {
    if (bytes == 16) events_.pop_front();
    return;
  }
  if (pieces_.empty()) return;
  taken_ += bytes;
  held_bytes_ -= bytes;
  if (taken_ == pieces_.front().bytes.size() && (completed || !pieces_.front().ends_transfer)) {
    pieces_.pop_front();
    taken_ = 0;
  }
}

void LoopbackFunction::clear() {
  pieces_.clear();
  taken_ = held_bytes_ = 0;
  halted_in_ = halted_out_ = false;
  events_.clear();
}

void LoopbackFunction::bus_reset() {
  clear();
  ++epoch_;
}

usb::StepResult LoopbackFunction::step(TimePoint until, std::uint64_t) {
  if (until != kForever) clock_.advance_to(until);
  return {};
}

}  // namespace naru::test
