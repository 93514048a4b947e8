// A host of a few lines: speaks to a mock device through usb::Function with bytes made from abi records, without a driver.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <algorithm>
#include <bit>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "naru/abi/stream.h"
#include "naru/abi/wire.h"
#include "naru/base/hash.h"
#include "naru/base/random.h"
#include "naru/mockdev/device.h"

namespace naru::mockdev::test {

using Bytes = std::vector<std::byte>;

inline constexpr std::uint8_t kOut = 0x01, kIn = 0x81, kEvents = 0x82;

inline profile::Profile profile_named(std::string_view name) {
  auto profile = profile::load(name);
  EXPECT_TRUE(profile) << (profile ? "" : profile.error().to_string());
  return profile ? *profile : profile::Profile{};
}

inline void append(Bytes& target, std::span<const std::byte> source) { target.insert(target.end(), source.begin(), source.end()); }
template <typename... Records>
Bytes body_of(const Records&... records) {
  Bytes bytes;
  (append(bytes, abi::encode(records)), ...);
  return bytes;
}
inline Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

struct Message {
  abi::MessageHeader header;
  Bytes body, payload;
  [[nodiscard]] abi::Reply reply() const {
    abi::Reply reply;
    EXPECT_EQ(abi::decode(body, reply), abi::Decoded::kOk);
    return reply;
  }
  [[nodiscard]] abi::Completion completion() const {
    abi::Completion completion;
    EXPECT_EQ(header.type, abi::MessageType::kCompletion);
    EXPECT_EQ(abi::decode(body, completion), abi::Decoded::kOk);
    return completion;
  }
};

/// A device and the host's side of its cable. Time passes only when the host has to wait.
class Bench {
 public:
  explicit Bench(const profile::Profile& profile, DeviceOptions options = {}) : profile(profile) {
    auto created = Device::create(profile, std::move(options));
    EXPECT_TRUE(created) << (created ? "" : created.error().to_string());
    if (created) device = *std::move(created);
    packet = profile.link.super_speed ? 1024 : 512;
    epoch = identity().epoch;
  }
  explicit Bench(std::string_view profile_name = "edge") : Bench(profile_named(profile_name)) {}

  // ---- EP0 ----
  template <typename Record>
  Record control(abi::ControlRequest request, std::uint16_t value = 0, std::uint16_t index = 0) {
    Bytes bytes(abi::wire_size<Record>());
    const auto count = device->setup({.request_type = 0xC0, .request = static_cast<std::uint8_t>(request), .value = value, .index = index, .length = static_cast<std::uint16_t>(bytes.size())}, {}, bytes);
    EXPECT_EQ(count, bytes.size());
    Record record;
    EXPECT_EQ(abi::decode(bytes, record), abi::Decoded::kOk);
    return record;
  }
  abi::Identity identity() { return control<abi::Identity>(abi::ControlRequest::kIdentity); }
  abi::Counters counters() { return control<abi::Counters>(abi::ControlRequest::kCounters); }
  abi::DeviceState state() { return control<abi::DeviceState>(abi::ControlRequest::kState); }
  bool command(abi::ControlRequest request, std::uint16_t value) {
    return device->setup({.request_type = 0x40, .request = static_cast<std::uint8_t>(request), .value = value, .index = 0, .length = 0}, {}, {}).has_value();
  }
  void soft_reset() {
    EXPECT_TRUE(command(abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kSoft)));
    epoch = identity().epoch;
    inbox.clear();
  }

  // ---- time ----
  /// Lets the device work until something changes; false when nothing ever will.
  bool step(TimePoint until = kForever) {
    const usb::StepResult result = device->step(until, 1'000'000);
    return result.progressed || result.next != kForever;
  }
  void pass(Duration duration) {
    const TimePoint until = device->clock().after(duration);
    while (device->clock().now() < until) device->step(until, 1'000'000);
  }

  // ---- bulk OUT ----
  /// One transfer, as the host's controller would send it. False: the endpoint stalled.
  bool send(std::span<const std::byte> bytes, bool with_zero_packet = true) {
    const bool zero_packet = with_zero_packet && bytes.size() % packet == 0;
    const bool ends_short = bytes.size() % packet != 0 || zero_packet;
    bool ended = false;
    while (!bytes.empty() || (ends_short && !ended)) {
      if (device->halted(kOut)) return false;
      const std::span<std::byte> landing = device->out_begin(kOut);
      if (landing.empty()) {
        if (!step()) {
          ADD_FAILURE() << "bulk OUT is not accepted";
          return false;
        }
        continue;
      }
      const std::size_t count = std::min(landing.size(), bytes.size());
      if (count != 0) std::memcpy(landing.data(), bytes.data(), count);
      bytes = bytes.subspan(count);
      ended = bytes.empty() && ends_short && (!zero_packet || count < landing.size());
      device->out_end(kOut, count, ended);
    }
    return !device->halted(kOut);
  }

  [[nodiscard]] Bytes message(abi::MessageType type, const Bytes& body, std::span<const std::byte> inline_payload = {}, std::uint64_t following_bytes = 0) {
    abi::MessageHeader header{.type = type, .epoch = epoch, .sequence = ++sequence, .context = context};
    header.body_bytes = static_cast<std::uint32_t>(body.size());
    if (!inline_payload.empty()) header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadInline);
    if (following_bytes != 0) header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadFollows);
    header.payload_bytes = inline_payload.size() + following_bytes;
    return seal(header, body, inline_payload);
  }
  static Bytes seal(abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload = {}) {
    header.crc = abi::message_crc(header, body);
    Bytes bytes;
    append(bytes, abi::encode(header));
    append(bytes, body);
    append(bytes, inline_payload);
    bytes.resize(align_up<std::size_t>(bytes.size(), 8));
    return bytes;
  }

  // ---- bulk IN ----
  /// One offer's worth into a request of `room` bytes; nullopt when the device never has anything more to say.
  std::optional<Bytes> receive_transfer(std::size_t room) {
    Bytes bytes;
    for (;;) {
      const auto offer = device->in_peek(kIn);
      if (!offer) {
        if (!step()) return std::nullopt;
        continue;
      }
      const std::size_t count = std::min(offer->bytes.size(), room - bytes.size());
      append(bytes, offer->bytes.first(count));
      const bool ended = offer->ends_transfer && count == offer->bytes.size() && (bytes.size() % packet != 0 || bytes.size() < room);
      device->in_done(kIn, count, ended);
      if (ended || bytes.size() == room) return bytes;
    }
  }
  bool receive_messages() {
    const std::optional<Bytes> bytes = receive_transfer(std::size_t{abi::kMessageTransferMax} + packet);
    if (!bytes) return false;
    ++transfers_in;
    std::span<const std::byte> rest = *bytes;
    std::vector<Message> messages;
    while (!rest.empty()) {
      Message message;
      EXPECT_EQ(abi::decode(rest, message.header), abi::Decoded::kOk);
      EXPECT_EQ(message.header.magic, abi::kMessageMagic);
      rest = rest.subspan(abi::wire_size<abi::MessageHeader>());
      message.body.assign(rest.begin(), rest.begin() + message.header.body_bytes);
      EXPECT_EQ(abi::message_crc(message.header, message.body), message.header.crc);
      rest = rest.subspan(message.header.body_bytes);
      if (abi::has(message.header.flags, abi::MessageFlag::kPayloadInline)) {
        message.payload.assign(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(message.header.payload_bytes));
        rest = rest.subspan(align_up<std::size_t>(message.header.payload_bytes, 8));
      }
      messages.push_back(std::move(message));
    }
    for (Message& message : messages) {
      if (abi::has(message.header.flags, abi::MessageFlag::kPayloadFollows)) {
        while (message.payload.size() < message.header.payload_bytes) {
          const auto part = receive_transfer(align_up<std::size_t>(message.header.payload_bytes - message.payload.size(), packet));
          if (!part) return false;
          append(message.payload, *part);
          if (message.payload.size() == message.header.payload_bytes) break;
        }
      }
      inbox.push_back(std::move(message));
    }
    return true;
  }
  std::optional<Message> receive() {
    while (inbox.empty())
      if (!receive_messages()) return std::nullopt;
    Message message = std::move(inbox.front());
    inbox.pop_front();
    return message;
  }
  Message expect() {
    auto message = receive();
    EXPECT_TRUE(message) << "the device says nothing";
    return message.value_or(Message{});
  }

  // ---- requests ----
  Message request(abi::MessageType type, const Bytes& body = {}, std::span<const std::byte> inline_payload = {}) {
    EXPECT_TRUE(send(message(type, body, inline_payload)));
    Message answer = expect();
    EXPECT_EQ(answer.header.sequence, sequence);
    return answer;
  }
  abi::Status status_of(abi::MessageType type, const Bytes& body = {}, std::span<const std::byte> inline_payload = {}) { return request(type, body, inline_payload).reply().status; }
  std::uint32_t open() {
    context = 0;
    const abi::Reply reply = request(abi::MessageType::kOpenContext).reply();
    EXPECT_EQ(reply.status, abi::Status::kOk);
    return context = static_cast<std::uint32_t>(reply.handle);
  }
  abi::Handle create(std::uint64_t bytes) {
    const abi::Reply reply = request(abi::MessageType::kCreateBuffer, body_of(abi::CreateBuffer{bytes})).reply();
    EXPECT_EQ(reply.status, abi::Status::kOk);
    return reply.handle;
  }
  abi::Status write(abi::Handle handle, std::uint64_t offset, std::span<const std::byte> bytes) {
    const Bytes body = body_of(abi::Access{.handle = handle, .offset = offset, .bytes = bytes.size()});
    if (bytes.size() <= abi::kInlinePayloadMax) return status_of(abi::MessageType::kWrite, body, bytes);
    EXPECT_TRUE(send(message(abi::MessageType::kWrite, body, {}, bytes.size())));
    EXPECT_TRUE(send(bytes, false));
    return expect().reply().status;
  }
  Message read(abi::Handle handle, std::uint64_t offset, std::uint64_t bytes) {
    return request(abi::MessageType::kRead, body_of(abi::Access{.handle = handle, .offset = offset, .bytes = bytes}));
  }
  abi::Reply load(const abi::Stream& stream) { return load_bytes(abi::encode_stream(stream)); }
  abi::Reply load_bytes(std::span<const std::byte> bytes) {
    if (bytes.size() <= abi::kInlinePayloadMax) return request(abi::MessageType::kLoadStream, {}, bytes).reply();
    EXPECT_TRUE(send(message(abi::MessageType::kLoadStream, {}, {}, bytes.size())));
    EXPECT_TRUE(send(bytes, false));
    return expect().reply();
  }
  static Bytes job_body(abi::Handle stream, std::uint64_t fence, std::initializer_list<abi::RegionBinding> bindings, std::uint16_t queue = 0, std::uint64_t budget = 0) {
    Bytes body = body_of(abi::Submit{.count = 1}, abi::JobRecord{.stream = stream, .fence = fence, .cycle_budget = budget, .queue = queue, .region_count = static_cast<std::uint8_t>(bindings.size())});
    for (const abi::RegionBinding& binding : bindings) append(body, abi::encode(binding));
    return body;
  }
  /// Submits one job on queue 0 with the next fence and waits for it.
  abi::Completion run(abi::Handle stream, std::initializer_list<abi::RegionBinding> bindings, std::uint64_t budget = 0) {
    EXPECT_TRUE(send(message(abi::MessageType::kSubmit, job_body(stream, ++fence, bindings, 0, budget))));
    return expect().completion();
  }

  profile::Profile profile;
  std::unique_ptr<Device> device;
  std::size_t packet = 512;
  std::uint32_t epoch = 0, sequence = 0, context = 0;
  std::uint64_t fence = 0;
  std::size_t transfers_in = 0;
  std::deque<Message> inbox;
};

// ---- streams ----
inline abi::RegionDeclaration declare(abi::MemoryKind memory, abi::Rights rights, std::uint64_t bytes) {
  abi::RegionDeclaration region;
  region.memory = memory;
  region.rights = rights;
  region.bytes = bytes;
  return region;
}
inline abi::RegionBinding bind(abi::Handle handle, std::uint64_t bytes, std::uint64_t offset = 0, abi::Rights rights = abi::Rights::kReadWrite) {
  return {.handle = handle, .offset = offset, .bytes = bytes, .rights = rights};
}
inline abi::RegionBinding sram(std::uint64_t bytes, std::uint64_t offset = 0) { return bind(abi::kSramHandle, bytes, offset); }

inline abi::Command on(abi::Engine engine, abi::CommandBody body) { return {.engine = engine, .source = 0, .body = std::move(body)}; }
inline abi::Command wait(abi::Engine engine, abi::Engine on, std::uint32_t count) {
  abi::Wait body;
  body.on = on;
  body.count = count;
  return {.engine = engine, .source = 0, .body = body};
}
inline abi::Command end() { return {.engine = abi::Engine::kNone, .source = 0, .body = abi::End{}}; }
inline abi::Dma dma(abi::Operand source, abi::Operand target, std::uint32_t bytes) {
  abi::Dma body;
  body.source = source;
  body.target = target;
  body.row_bytes = bytes;
  return body;
}
inline abi::Fill fill(abi::Operand target, std::uint32_t bytes, std::int32_t value) {
  abi::Fill body;
  body.target = target;
  body.row_bytes = bytes;
  body.value = value;
  return body;
}
/// output[i] = input[i] + input[i] in int8, saturated: an elementwise add with multipliers that cancel.
inline abi::Elementwise doubled(abi::Operand input, abi::Operand output, std::uint32_t elements) {
  abi::Elementwise body;
  body.a = body.b = input;
  body.output = output;
  body.left_shift = 20;
  body.a_multiplier = body.b_multiplier = 1 << 30;
  body.output_multiplier = 1 << 30;
  body.output_shift = -18;
  body.extent = {1, 1, 1, elements};
  body.a_stride = body.b_stride = body.output_stride = {0, 0, 0, 1};
  body.activation_min = -128;
  body.activation_max = 127;
  return body;
}

}  // namespace naru::mockdev::test
