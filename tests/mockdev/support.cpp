// The host of support.h. Kept out of the tests' own translation units, which build faster without it.
#include "support.h"

namespace naru::mockdev::test {

profile::Profile profile_named(std::string_view name) {
  auto profile = profile::load(name);
  EXPECT_TRUE(profile) << (profile ? "" : profile.error().to_string());
  return profile ? *profile : profile::Profile{};
}

void append(Bytes& target, std::span<const std::byte> source) { target.insert(target.end(), source.begin(), source.end()); }

Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

abi::Reply Message::reply() const {
  abi::Reply reply;
  EXPECT_EQ(abi::decode(body, reply), abi::Decoded::kOk);
  return reply;
}

abi::Completion Message::completion() const {
  abi::Completion completion;
  EXPECT_EQ(header.type, abi::MessageType::kCompletion);
  EXPECT_EQ(abi::decode(body, completion), abi::Decoded::kOk);
  return completion;
}

abi::RegionDeclaration declare(abi::MemoryKind memory, abi::Rights rights, std::uint64_t bytes) {
  abi::RegionDeclaration region;
  region.memory = memory;
  region.rights = rights;
  region.bytes = bytes;
  return region;
}

abi::RegionBinding bind(abi::Handle handle, std::uint64_t bytes, std::uint64_t offset, abi::Rights rights) {
  return {.handle = handle, .offset = offset, .bytes = bytes, .rights = rights};
}

abi::RegionBinding sram(std::uint64_t bytes, std::uint64_t offset) { return bind(abi::kSramHandle, bytes, offset); }

abi::Command on(abi::Engine engine, abi::CommandBody body) { return {.engine = engine, .source = 0, .body = std::move(body)}; }

abi::Command wait(abi::Engine engine, abi::Engine on, std::uint32_t count) {
  abi::Wait body;
  body.on = on;
  body.count = count;
  return {.engine = engine, .source = 0, .body = body};
}

abi::Command end() { return {.engine = abi::Engine::kNone, .source = 0, .body = abi::End{}}; }

abi::Dma dma(abi::Operand source, abi::Operand target, std::uint32_t bytes) {
  abi::Dma body;
  body.source = source;
  body.target = target;
  body.row_bytes = bytes;
  return body;
}

abi::Fill fill(abi::Operand target, std::uint32_t bytes, std::int32_t value) {
  abi::Fill body;
  body.target = target;
  body.row_bytes = bytes;
  body.value = value;
  return body;
}

abi::Elementwise doubled(abi::Operand input, abi::Operand output, std::uint32_t elements) {
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

bool Bench::command(abi::ControlRequest request, std::uint16_t value, std::uint16_t index) {
  return device->setup({.request_type = 0x40, .request = static_cast<std::uint8_t>(request), .value = value, .index = index, .length = 0}, {}, {}).has_value();
}

std::uint32_t Bench::read_register(abi::Register which) {
  std::array<std::byte, 4> value{};
  const usb::SetupPacket packet{.request_type = 0xC0, .request = static_cast<std::uint8_t>(abi::ControlRequest::kReadRegister), .value = 0, .index = static_cast<std::uint16_t>(which), .length = 4};
  EXPECT_EQ(device->setup(packet, {}, value), 4u);
  return load_le<std::uint32_t>(value.data());
}

bool Bench::step(TimePoint until) {
  const usb::StepResult result = device->step(until, 1'000'000);
  return result.progressed || result.next != kForever;
}

void Bench::pass(Duration duration) {
  const TimePoint until = device->clock().after(duration);
  while (device->clock().now() < until) device->step(until, 1'000'000);
}

void Bench::soft_reset() {
  EXPECT_TRUE(command(abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kSoft)));
  epoch = identity().epoch;
  inbox.clear();
}

bool Bench::send(std::span<const std::byte> bytes, bool with_zero_packet) {
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

Bytes Bench::message(abi::MessageType type, const Bytes& body, std::span<const std::byte> inline_payload, std::uint64_t following_bytes) {
  abi::MessageHeader header{.type = type, .epoch = epoch, .sequence = ++sequence, .context = context};
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  if (!inline_payload.empty()) header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadInline);
  if (following_bytes != 0) header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadFollows);
  header.payload_bytes = inline_payload.size() + following_bytes;
  return seal(header, body, inline_payload);
}

Bytes Bench::seal(abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload) {
  header.crc = abi::message_crc(header, body);
  Bytes bytes;
  append(bytes, abi::encode(header));
  append(bytes, body);
  append(bytes, inline_payload);
  bytes.resize(align_up<std::size_t>(bytes.size(), 8));
  return bytes;
}

std::optional<Bytes> Bench::receive_transfer(std::size_t room) {
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

bool Bench::receive_messages() {
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

std::optional<Message> Bench::receive() {
  while (inbox.empty())
    if (!receive_messages()) return std::nullopt;
  Message message = std::move(inbox.front());
  inbox.pop_front();
  return message;
}

Message Bench::expect() {
  auto message = receive();
  EXPECT_TRUE(message) << "the device says nothing";
  return message.value_or(Message{});
}

Message Bench::request(abi::MessageType type, const Bytes& body, std::span<const std::byte> inline_payload) {
  EXPECT_TRUE(send(message(type, body, inline_payload)));
  Message answer = expect();
  EXPECT_EQ(answer.header.sequence, sequence);
  return answer;
}

std::uint32_t Bench::open() {
  context = 0;
  const abi::Reply reply = request(abi::MessageType::kOpenContext).reply();
  EXPECT_EQ(reply.status, abi::Status::kOk);
  return context = static_cast<std::uint32_t>(reply.handle);
}

abi::Handle Bench::create(std::uint64_t bytes) {
  const abi::Reply reply = request(abi::MessageType::kCreateBuffer, body_of(abi::CreateBuffer{bytes})).reply();
  EXPECT_EQ(reply.status, abi::Status::kOk);
  return reply.handle;
}

abi::Status Bench::write(abi::Handle handle, std::uint64_t offset, std::span<const std::byte> bytes) {
  const Bytes body = body_of(abi::Access{.handle = handle, .offset = offset, .bytes = bytes.size()});
  if (bytes.size() <= abi::kInlinePayloadMax) return status_of(abi::MessageType::kWrite, body, bytes);
  EXPECT_TRUE(send(message(abi::MessageType::kWrite, body, {}, bytes.size())));
  EXPECT_TRUE(send(bytes, false));
  return expect().reply().status;
}

Message Bench::read(abi::Handle handle, std::uint64_t offset, std::uint64_t bytes) {
  return request(abi::MessageType::kRead, body_of(abi::Access{.handle = handle, .offset = offset, .bytes = bytes}));
}

abi::Reply Bench::load(const abi::Stream& stream) { return load_bytes(abi::encode_stream(stream)); }

abi::Reply Bench::load_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() <= abi::kInlinePayloadMax) return request(abi::MessageType::kLoadStream, {}, bytes).reply();
  EXPECT_TRUE(send(message(abi::MessageType::kLoadStream, {}, {}, bytes.size())));
  EXPECT_TRUE(send(bytes, false));
  return expect().reply();
}

Bytes Bench::job_body(abi::Handle stream, std::uint64_t fence, std::initializer_list<abi::RegionBinding> bindings, std::uint16_t queue, std::uint64_t budget) {
  Bytes body = body_of(abi::Submit{.count = 1}, abi::JobRecord{.stream = stream, .fence = fence, .cycle_budget = budget, .queue = queue, .region_count = static_cast<std::uint8_t>(bindings.size())});
  for (const abi::RegionBinding& binding : bindings) append(body, abi::encode(binding));
  return body;
}

abi::Completion Bench::run(abi::Handle stream, std::initializer_list<abi::RegionBinding> bindings, std::uint64_t budget) {
  EXPECT_TRUE(send(message(abi::MessageType::kSubmit, job_body(stream, ++fence, bindings, 0, budget))));
  return expect().completion();
}

Bench::Bench(const profile::Profile& profile_, DeviceOptions options) : profile(profile_) {
  auto created = Device::create(profile, std::move(options));
  EXPECT_TRUE(created) << (created ? "" : created.error().to_string());
  if (created) device = *std::move(created);
  packet = profile.link.super_speed ? 1024 : 512;
  epoch = identity().epoch;
}

}  // namespace naru::mockdev::test
