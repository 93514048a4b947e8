// Urb queues, packet rules and chapter 9 in front of a usb::Function. Time, threads and whose memory it is are the caller's.
#include "naru/usb/host_controller.h"

#include <algorithm>

#include "naru/base/bytes.h"

namespace naru::usb {
namespace {

constexpr std::size_t kControlBytesMax = 65535;
constexpr std::uint8_t kConfigurationValue = 1;

// bmRequestType without its direction bit, and bRequest.
constexpr std::uint8_t kToDevice = 0x00, kToInterface = 0x01, kToEndpoint = 0x02, kRecipientMask = 0x1F, kTypeMask = 0x60, kVendorToDevice = 0x40;
enum StandardRequest : std::uint8_t {
  kGetStatus = 0,
  kClearFeature = 1,
  kSetFeature = 3,
  kGetDescriptor = 6,
  kGetConfiguration = 8,
  kSetConfiguration = 9,
  kGetInterface = 10,
  kSetInterface = 11,
  kSetSelect = 48,
  kSetIsochronousDelay = 49,
};
constexpr std::uint16_t kFeatureEndpointHalt = 0;
constexpr std::uint16_t kMicrosoftOsDescriptorIndex = 7;

}  // namespace

HostController::HostController(Function& function) : function_(function), control_bytes_(kControlBytesMax) {
  endpoints_[0].packet_bytes = 64;
  for (const EndpointDescription& endpoint : function.description().endpoints) {
    if ((endpoint.address & 0x0F) == 0 || address_count_ == addresses_.size()) continue;
    endpoints_[index_of(endpoint.address)].packet_bytes = std::max<std::uint16_t>(endpoint.packet_bytes, 1);
    addresses_[address_count_++] = endpoint.address;
  }
  function_.set_configuration(configuration_);
}

void HostController::push(List& list, Urb& urb) noexcept {
  urb.next = nullptr;
  urb.previous = list.last;
  (list.last != nullptr ? list.last->next : list.first) = &urb;
  list.last = &urb;
}

void HostController::remove(List& list, Urb& urb) noexcept {
  (urb.previous != nullptr ? urb.previous->next : list.first) = urb.next;
  (urb.next != nullptr ? urb.next->previous : list.last) = urb.previous;
  urb.previous = urb.next = nullptr;
}

Urb* HostController::pop(List& list) noexcept {
  Urb* urb = list.first;
  if (urb != nullptr) remove(list, *urb);
  return urb;
}

HostController::Endpoint* HostController::find(std::uint8_t address) noexcept {
  Endpoint& endpoint = endpoints_[(address & 0x0F) == 0 ? 0 : index_of(address)];
  return endpoint.packet_bytes != 0 ? &endpoint : nullptr;
}

bool HostController::has_pending() const noexcept {
  return std::any_of(endpoints_.begin(), endpoints_.end(), [](const Endpoint& endpoint) { return endpoint.pending.first != nullptr; });
}

void HostController::submit(Urb& urb) noexcept {
  urb.status = UrbStatus::kPending;
  urb.actual = 0;
  Endpoint* endpoint = find(urb.endpoint);
  const bool is_control = (urb.endpoint & 0x0F) == 0;
  if (!plugged_) {
    urb.status = UrbStatus::kNoDevice;
  } else if (endpoint == nullptr || (urb.length != 0 && urb.memory == nullptr) || (is_control && urb.length != urb.setup.length)) {
    urb.status = UrbStatus::kNoEndpoint;
  } else if (urb.continuation && endpoint->refuse_continuations) {
    urb.status = UrbStatus::kCancelled;
  }
  if (urb.status != UrbStatus::kPending) {
    push(completed_, urb);
    return;
  }
  endpoint->refuse_continuations = false;
  push(endpoint->pending, urb);
}

bool HostController::cancel(Urb& urb) noexcept {
  Endpoint* endpoint = find(urb.endpoint);
  if (urb.status != UrbStatus::kPending || endpoint == nullptr) return false;
  remove(endpoint->pending, urb);
  urb.status = UrbStatus::kCancelled;
  push(completed_, urb);
  return true;
}

void HostController::finish(Endpoint& endpoint, Urb& urb, UrbStatus status) noexcept {
  remove(endpoint.pending, urb);
  urb.status = status;
  push(completed_, urb);
  if (status == UrbStatus::kOk) return;
  // What continues a failed urb must not reach the device as if it were whole.
  while (endpoint.pending.first != nullptr && endpoint.pending.first->continuation) {
    Urb* follower = pop(endpoint.pending);
    follower->status = UrbStatus::kCancelled;
    push(completed_, *follower);
  }
  endpoint.refuse_continuations = endpoint.pending.first == nullptr;
}

void HostController::end_all(UrbStatus status) noexcept {
  for (Endpoint& endpoint : endpoints_) {
    while (Urb* urb = pop(endpoint.pending)) {
      urb->status = status;
      push(completed_, *urb);
    }
    endpoint.refuse_continuations = false;
  }
}

bool HostController::pump() {
  if (!plugged_) return false;
  bool moved = pump_control();
  // Round and round, until all endpoints but the last that moved have been looked at since: that one went on for as long as it could.
  for (std::size_t i = 0, idle = 0; idle < address_count_; i = i + 1 < address_count_ ? i + 1 : 0) {
    const std::uint8_t address = addresses_[i];
    Endpoint& endpoint = endpoints_[index_of(address)];
    ++idle;
    if (endpoint.pending.first == nullptr || !((address & 0x80) != 0 ? pump_in(address, endpoint) : pump_out(address, endpoint))) continue;
    moved = true;
    idle = 1;
  }
  return moved;
}

StepResult HostController::step(TimePoint until, std::uint64_t budget) {
  if (!plugged_) return {};
  StepResult result = function_.step(until, budget);
  const bool moved = pump();
  result.progressed = result.progressed || moved;
  return result;
}

void HostController::unplug() noexcept {
  plugged_ = false;
  end_all(UrbStatus::kNoDevice);
}

void HostController::plug() {
  plugged_ = true;
  bus_reset();
}

void HostController::bus_reset() {
  end_all(UrbStatus::kCancelled);
  function_.bus_reset();
  configuration_ = kConfigurationValue;
  function_.set_configuration(configuration_);
}

bool HostController::clear_halt(std::uint8_t endpoint) {
  if (!plugged_ || (endpoint & 0x0F) == 0 || find(endpoint) == nullptr) return false;
  function_.set_halt(endpoint, false);
  return true;
}

bool HostController::set_configuration(std::uint8_t value) {
  if (!plugged_ || value > kConfigurationValue) return false;
  configuration_ = value;
  function_.set_configuration(value);
  return true;
}

// ---- data endpoints ----

bool HostController::pump_out(std::uint8_t address, Endpoint& endpoint) {
  bool moved = false;
  while (Urb* urb = endpoint.pending.first) {
    if (configuration_ == 0 || function_.halted(address)) {
      finish(endpoint, *urb, UrbStatus::kStalled);
    } else if (!send_out(address, endpoint, *urb)) {
      break;
    }
    moved = true;
  }
  return moved;
}

/// One landing span's worth. False: NAK.
bool HostController::send_out(std::uint8_t address, Endpoint& endpoint, Urb& urb) {
  const std::span<std::byte> landing = function_.out_begin(address);
  if (landing.empty()) return false;
  const std::size_t count = std::min(landing.size(), urb.length - urb.actual);
  if (count != 0 && !urb.memory->read(urb.actual, landing.first(count))) {
    function_.out_end(address, 0, false);
    finish(endpoint, urb, UrbStatus::kFault);
    return true;
  }
  const bool had_all = urb.actual == urb.length && urb.length != 0;  // only the zero-length packet is left
  urb.actual += count;
  const bool all_sent = urb.actual == urb.length;
  const bool ends_short = urb.length % endpoint.packet_bytes != 0 || urb.length == 0;
  // Only where the span has room does the device see the zero-length packet together with the data before it.
  const bool zero_packet_now = urb.zero_packet && !ends_short && (had_all || count < landing.size());
  const bool finished = all_sent && (!urb.zero_packet || ends_short || zero_packet_now);
  function_.out_end(address, count, all_sent && (ends_short || zero_packet_now));
  if (finished) finish(endpoint, urb, UrbStatus::kOk);
  return true;
}

bool HostController::pump_in(std::uint8_t address, Endpoint& endpoint) {
  bool moved = false;
  while (Urb* urb = endpoint.pending.first) {
    if (configuration_ == 0 || function_.halted(address)) {
      finish(endpoint, *urb, UrbStatus::kStalled);
    } else if (!take_in(address, endpoint, *urb)) {
      break;
    }
    moved = true;
  }
  return moved;
}

/// One offer's worth. False: NAK.
bool HostController::take_in(std::uint8_t address, Endpoint& endpoint, Urb& urb) {
  if (urb.length == 0) {
    finish(endpoint, urb, UrbStatus::kOk);
    return true;
  }
  const std::optional<InOffer> offer = function_.in_peek(address);
  if (!offer) return false;
  const std::size_t packet = endpoint.packet_bytes;
  const std::size_t room = urb.length - urb.actual;
  const std::size_t offered = offer->bytes.size();
  if (offered == 0 && !offer->ends_transfer) {
    function_.in_done(address, 0, false);  // an empty offer is nothing: a NAK
    return false;
  }
  // Whole packets arrive or none: the packet that begins in the room and ends beyond it babbles.
  const bool overflows = offered > room && urb.length % packet != 0;
  const std::size_t boundary = (urb.actual + room) / packet * packet;
  const std::size_t count = !overflows ? std::min(offered, room) : boundary > urb.actual ? boundary - urb.actual : 0;
  if (count != 0 && !urb.memory->write(urb.actual, offer->bytes.first(count))) {
    function_.in_done(address, 0, false);
    finish(endpoint, urb, UrbStatus::kFault);
    return true;
  }
  urb.actual += count;
  if (overflows) {
    const std::size_t lost = std::min(packet, offered - count);
    function_.in_done(address, count + lost, offer->ends_transfer && count + lost == offered && lost < packet);
    finish(endpoint, urb, UrbStatus::kOverflow);
    return true;
  }
  // The end shows as a short packet, or as a zero-length one, which needs an urb that is not yet full.
  const bool ended = offer->ends_transfer && count == offered && (urb.actual % packet != 0 || urb.actual < urb.length);
  function_.in_done(address, count, ended);
  if (ended) {
    finish(endpoint, urb, urb.short_not_ok && urb.actual < urb.length ? UrbStatus::kShort : UrbStatus::kOk);
  } else if (urb.actual == urb.length) {
    finish(endpoint, urb, UrbStatus::kOk);
  }
  return true;
}

// ---- endpoint 0 ----

bool HostController::pump_control() {
  bool moved = false;
  Endpoint& endpoint = endpoints_[0];
  while (Urb* urb = endpoint.pending.first) {
    finish(endpoint, *urb, control(*urb));
    endpoint.refuse_continuations = false;
    moved = true;
  }
  return moved;
}

UrbStatus HostController::control(Urb& urb) {
  const SetupPacket& setup = urb.setup;
  const std::span<std::byte> data = std::span(control_bytes_).first(setup.length);
  const bool is_in = setup.is_in() && setup.length != 0;
  if (!is_in && setup.length != 0 && !urb.memory->read(0, data)) return UrbStatus::kFault;

  std::optional<std::size_t> count;
  const std::uint8_t type = setup.request_type & 0x7F;
  if ((type & kTypeMask) == 0) {
    count = standard_request(setup);
  } else if (setup.is_in() && type == kVendorToDevice && setup.request == kMicrosoftOsVendorCode) {
    if (setup.index == kMicrosoftOsDescriptorIndex) count = answer(microsoft_os_descriptor_set(), setup);
  } else {
    if (is_in) std::fill(data.begin(), data.end(), std::byte{0});
    count = function_.setup(setup, is_in ? std::span<const std::byte>{} : data, is_in ? data : std::span<std::byte>{});
  }
  if (!count) return UrbStatus::kStalled;
  urb.actual = std::min<std::size_t>(*count, setup.length);
  if (is_in && urb.actual != 0 && !urb.memory->write(0, data.first(urb.actual))) return UrbStatus::kFault;
  return UrbStatus::kOk;
}

std::optional<std::size_t> HostController::answer(std::span<const std::uint8_t> bytes, const SetupPacket& setup) {
  const std::size_t count = std::min<std::size_t>(bytes.size(), setup.length);
  if (count != 0) std::memcpy(control_bytes_.data(), bytes.data(), count);
  return count;
}

std::optional<std::size_t> HostController::descriptor_request(const SetupPacket& setup) {
  const auto type = static_cast<std::uint8_t>(setup.value >> 8);
  const auto index = static_cast<std::uint8_t>(setup.value & 0xFF);
  std::vector<std::uint8_t> bytes;
  if (type == 1 && index == 0) bytes = device_descriptor(description());
  if (type == 2 && index == 0) bytes = configuration_descriptor(description());
  if (type == 3) bytes = string_descriptor(description(), index);
  if (type == 15 && index == 0) bytes = bos_descriptor(description());
  if (bytes.empty()) return std::nullopt;
  return answer(bytes, setup);
}

std::optional<std::size_t> HostController::standard_request(const SetupPacket& setup) {
  const std::uint8_t recipient = setup.request_type & kRecipientMask;
  const auto address = static_cast<std::uint8_t>(setup.index & 0x8F);
  const bool endpoint_exists = recipient == kToEndpoint && find(address) != nullptr;
  switch (setup.request) {
    case kGetDescriptor:
      return setup.is_in() && recipient == kToDevice ? descriptor_request(setup) : std::nullopt;
    case kGetConfiguration:
      return answer(std::array<std::uint8_t, 1>{configuration_}, setup);
    case kSetConfiguration:
      if (recipient != kToDevice || !set_configuration(static_cast<std::uint8_t>(setup.value & 0xFF))) return std::nullopt;
      return 0;
    case kGetInterface:
      if (recipient != kToInterface || setup.index != 0 || configuration_ == 0) return std::nullopt;
      return answer(std::array<std::uint8_t, 1>{0}, setup);
    case kSetInterface:
      if (recipient != kToInterface || setup.index != 0 || setup.value != 0 || configuration_ == 0) return std::nullopt;
      for (std::size_t i = 0; i < address_count_; ++i) function_.set_halt(addresses_[i], false);
      return 0;
    case kGetStatus: {
      if (recipient == kToEndpoint && !endpoint_exists) return std::nullopt;
      const bool halted = endpoint_exists && (address & 0x0F) != 0 && function_.halted(address);
      return answer(std::array<std::uint8_t, 2>{static_cast<std::uint8_t>(halted ? 1 : 0), 0}, setup);
    }
    case kClearFeature:
    case kSetFeature:
      if (!endpoint_exists || setup.value != kFeatureEndpointHalt) return std::nullopt;
      if ((address & 0x0F) != 0) function_.set_halt(address, setup.request == kSetFeature);
      return 0;
    case kSetSelect:
    case kSetIsochronousDelay:  // USB 3 hosts send both while enumerating; nothing here depends on them
      return description().speed == Speed::kSuper ? std::optional<std::size_t>(setup.length) : std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace naru::usb
