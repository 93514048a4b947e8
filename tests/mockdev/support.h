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

profile::Profile profile_named(std::string_view name);

void append(Bytes& target, std::span<const std::byte> source);
template <typename... Records>
Bytes body_of(const Records&... records) {
  Bytes bytes;
  (append(bytes, abi::encode(records)), ...);
  return bytes;
}
Bytes random_bytes(std::size_t count, std::uint64_t seed);

struct Message {
  abi::MessageHeader header;
  Bytes body, payload;
  [[nodiscard]] abi::Reply reply() const;
  [[nodiscard]] abi::Completion completion() const;
};

/// A device and the host's side of its cable. Time passes only when the host has to wait.
class Bench {
 public:
  explicit Bench(const profile::Profile& profile, DeviceOptions options = {});
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
  bool command(abi::ControlRequest request, std::uint16_t value, std::uint16_t index = 0);
  std::uint32_t read_register(abi::Register which);
  void soft_reset();

  // ---- time ----
  /// Lets the device work until something changes; false when nothing ever will.
  bool step(TimePoint until = kForever);
  void pass(Duration duration);

  // ---- bulk OUT ----
  /// One transfer, as the host's controller would send it. False: the endpoint stalled.
  bool send(std::span<const std::byte> bytes, bool with_zero_packet = true);

  [[nodiscard]] Bytes message(abi::MessageType type, const Bytes& body, std::span<const std::byte> inline_payload = {}, std::uint64_t following_bytes = 0);
  static Bytes seal(abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload = {});

  // ---- bulk IN ----
  /// One offer's worth into a request of `room` bytes; nullopt when the device never has anything more to say.
  std::optional<Bytes> receive_transfer(std::size_t room);
  bool receive_messages();
  std::optional<Message> receive();
  Message expect();

  // ---- requests ----
  Message request(abi::MessageType type, const Bytes& body = {}, std::span<const std::byte> inline_payload = {});
  abi::Status status_of(abi::MessageType type, const Bytes& body = {}, std::span<const std::byte> inline_payload = {}) { return request(type, body, inline_payload).reply().status; }
  std::uint32_t open();
  abi::Handle create(std::uint64_t bytes);
  abi::Status write(abi::Handle handle, std::uint64_t offset, std::span<const std::byte> bytes);
  Message read(abi::Handle handle, std::uint64_t offset, std::uint64_t bytes);
  abi::Reply load(const abi::Stream& stream);
  abi::Reply load_bytes(std::span<const std::byte> bytes);
  static Bytes job_body(abi::Handle stream, std::uint64_t fence, std::initializer_list<abi::RegionBinding> bindings, std::uint16_t queue = 0, std::uint64_t budget = 0);
  /// Submits one job on queue 0 with the next fence and waits for it.
  abi::Completion run(abi::Handle stream, std::initializer_list<abi::RegionBinding> bindings, std::uint64_t budget = 0);

  profile::Profile profile;
  std::unique_ptr<Device> device;
  std::size_t packet = 512;
  std::uint32_t epoch = 0, sequence = 0, context = 0;
  std::uint64_t fence = 0;
  std::size_t transfers_in = 0;
  std::deque<Message> inbox;
};

// ---- streams ----
abi::RegionDeclaration declare(abi::MemoryKind memory, abi::Rights rights, std::uint64_t bytes);
abi::RegionBinding bind(abi::Handle handle, std::uint64_t bytes, std::uint64_t offset = 0, abi::Rights rights = abi::Rights::kReadWrite);
abi::RegionBinding sram(std::uint64_t bytes, std::uint64_t offset = 0);

abi::Command on(abi::Engine engine, abi::CommandBody body);
abi::Command wait(abi::Engine engine, abi::Engine on, std::uint32_t count);
abi::Command end();
abi::Dma dma(abi::Operand source, abi::Operand target, std::uint32_t bytes);
abi::Fill fill(abi::Operand target, std::uint32_t bytes, std::int32_t value);
/// output[i] = input[i] + input[i] in int8, saturated: an elementwise add with multipliers that cancel.
abi::Elementwise doubled(abi::Operand input, abi::Operand output, std::uint32_t elements);

}  // namespace naru::mockdev::test
