// The EP0 requests of abi/wire.h. What is not one of them stalls.
#include "usb/control.h"

#include <algorithm>
#include <cstring>

namespace naru::mockdev {
namespace {

using abi::ControlRequest;

constexpr std::uint8_t kVendorIn = 0xC0;
constexpr std::uint8_t kVendorOut = 0x40;
constexpr std::uint16_t kMicrosoftOsDescriptorIndex = 7;
constexpr std::uint16_t kScratchFirst = static_cast<std::uint16_t>(abi::Register::kScratch0);

std::size_t answer(std::span<const std::byte> bytes, std::span<std::byte> in) noexcept {
  const std::size_t count = std::min(bytes.size(), in.size());
  if (count != 0) std::memcpy(in.data(), bytes.data(), count);
  return count;
}

template <std::size_t N>
void put_text(std::array<char, N>& target, std::string_view text) noexcept {
  std::memcpy(target.data(), text.data(), std::min(text.size(), N - 1));
}

}  // namespace

std::optional<std::size_t> Control::setup(const usb::SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in) {
  if (packet.request_type == kVendorIn) return read(packet, in);
  if (packet.request_type == kVendorOut) return write(packet, out);
  return std::nullopt;
}

abi::Identity Control::identity() const {
  abi::Identity identity;
  identity.features = static_cast<std::uint32_t>(abi::Feature::kPayloadCrc) | static_cast<std::uint32_t>(abi::Feature::kSimulated) |
                      static_cast<std::uint32_t>(abi::Feature::kLeases);
  if (state_.options.time == TimeMode::kReal) identity.features |= static_cast<std::uint32_t>(abi::Feature::kRealTime);
  identity.epoch = state_.epoch;
  identity.firmware = {0, 1, 0};
  put_text(identity.profile, state_.profile.name);
  put_text(identity.serial, state_.options.serial);
  return identity;
}

std::optional<std::uint32_t> Control::read_register(std::uint16_t index) const {
  switch (static_cast<abi::Register>(index)) {
    case abi::Register::kMagic: return abi::kMessageMagic;
    case abi::Register::kVersion: return abi::kProtocolMax;
    case abi::Register::kStatus: return static_cast<std::uint32_t>(target_.device_state().condition);
    case abi::Register::kEpoch: return state_.epoch;
    case abi::Register::kHeartbeat: return static_cast<std::uint32_t>(state_.heartbeat);
    case abi::Register::kScratch0:
    case abi::Register::kScratch1:
    case abi::Register::kScratch2:
    case abi::Register::kScratch3: return scratch_[index - kScratchFirst];
    case abi::Register::kPipeCrc: return target_.pipe_crc();
  }
  return std::nullopt;
}

std::optional<std::size_t> Control::read(const usb::SetupPacket& packet, std::span<std::byte> in) const {
  if (packet.request == usb::kMicrosoftOsVendorCode) {
    if (packet.index != kMicrosoftOsDescriptorIndex) return std::nullopt;
    const std::vector<std::uint8_t> set = usb::microsoft_os_descriptor_set();
    return answer(std::as_bytes(std::span(set)), in);
  }
  switch (static_cast<ControlRequest>(packet.request)) {
    case ControlRequest::kIdentity: return answer(abi::encode(identity()), in);
    case ControlRequest::kChip: return answer(abi::encode(state_.chip()), in);
    case ControlRequest::kState: return answer(abi::encode(target_.device_state()), in);
    case ControlRequest::kCounters: return answer(abi::encode(state_.counters), in);
    case ControlRequest::kSensors: return answer(abi::encode(target_.sensor_values()), in);
    case ControlRequest::kLog: return state_.log.read(std::size_t{packet.value} * 1024, in);
    case ControlRequest::kReadRegister: {
      const std::optional<std::uint32_t> value = read_register(packet.index);
      if (!value) return std::nullopt;
      std::array<std::byte, 4> bytes;
      store_le(bytes.data(), *value);
      return answer(bytes, in);
    }
    case ControlRequest::kWriteRegister:
    case ControlRequest::kReset:
    case ControlRequest::kPipeMode: break;
  }
  return std::nullopt;
}

std::optional<std::size_t> Control::write(const usb::SetupPacket& packet, std::span<const std::byte> out) {
  switch (static_cast<ControlRequest>(packet.request)) {
    case ControlRequest::kWriteRegister:
      if (packet.index < kScratchFirst || packet.index >= kScratchFirst + scratch_.size() || out.size() != 4) return std::nullopt;
      scratch_[packet.index - kScratchFirst] = load_le<std::uint32_t>(out.data());
      return 4;
    case ControlRequest::kReset:
      if (!out.empty()) return std::nullopt;
      if (packet.value == static_cast<std::uint16_t>(abi::ResetLevel::kEngine)) {
        target_.engine_reset();
      } else if (packet.value == static_cast<std::uint16_t>(abi::ResetLevel::kSoft)) {
        target_.soft_reset();
      } else {
        return std::nullopt;
      }
      return 0;
    case ControlRequest::kPipeMode:
      if (!out.empty() || !target_.set_pipe_mode(static_cast<abi::PipeMode>(packet.value), packet.index)) return std::nullopt;
      return 0;
    default: return std::nullopt;
  }
}

}  // namespace naru::mockdev
