// Assembly and framing. What a message means is the command processor's business.
#include "usb/out_pipe.h"

#include <algorithm>

#include "faults/link_fault.h"
#include "naru/base/hash.h"

namespace naru::mockdev {
namespace {

constexpr std::size_t kHeaderBytes = abi::wire_size<abi::MessageHeader>();
/// Room for one packet more than a message transfer may have, so that a longer one is noticed.
constexpr std::size_t kAssemblyBytes = abi::kMessageTransferMax + 1024;
constexpr std::size_t kDiscardBytes = 64 * 1024;
constexpr std::size_t kMessagesMax = abi::kMessageTransferMax / kHeaderBytes;  // in one transfer
constexpr std::size_t kRequestsMax = 2 * kMessagesMax;

}  // namespace

OutPipe::OutPipe(State& state, InPipe& in, LandingResolver& resolver)
    : state_(state), in_(in), resolver_(resolver), lane_(state.profile.link), discarded_(kDiscardBytes) {
  unsealed_.reserve(kMessagesMax);
}

TransferBuffer& OutPipe::assembly() {
  if (assembly_ == nullptr) {
    const auto idle = std::ranges::find_if(buffers_, [](const auto& buffer) { return buffer->requests == 0; });
    if (idle != buffers_.end()) {
      assembly_ = idle->get();
    } else {
      buffers_.push_back(std::make_unique<TransferBuffer>());
      assembly_ = buffers_.back().get();
      assembly_->bytes.resize(kAssemblyBytes);
    }
    assembly_->used = 0;
  }
  return *assembly_;
}

TimePoint OutPipe::next_free() const noexcept { return lane_.room_from(); }

Request* OutPipe::awaiting_payload() noexcept {
  return incomplete_ == 0 ? nullptr : &queue_[queue_.size() - incomplete_];
}

bool OutPipe::expects_payload() {
  Request* request = halted_ ? nullptr : awaiting_payload();
  if (request == nullptr) return false;
  if (request->landing == Landing::kUndecided) resolver_.decide_landing(queue_, queue_.size() - incomplete_, *request);
  return request->landing != Landing::kUndecided;
}

bool OutPipe::has_more() {
  if (queue_.empty()) return false;
  if (queue_.front().complete) return true;
  if (incomplete_ == 0) return !unsealed_.empty();
  // A payload that takes long is not waited for.
  const Request* request = awaiting_payload();
  return request != nullptr && request->header.payload_bytes - request->landed <= abi::announced_bytes_max(state_.packet_bytes()) && expects_payload();
}

std::span<std::byte> OutPipe::begin(TimePoint now) {
  if (halted_ || next_free() > now) return {};
  Request* request = awaiting_payload();
  if (request == nullptr) {
    if (queue_.size() >= kRequestsMax) return {};
    TransferBuffer& buffer = assembly();
    return std::span(buffer.bytes).subspan(buffer.used);
  }
  if (!expects_payload()) return {};
  const std::uint64_t left = request->header.payload_bytes - request->landed;
  switch (request->landing) {
    case Landing::kDevice:
    case Landing::kStaged: return request->target.subspan(request->landed);
    case Landing::kDiscarded: return std::span(discarded_).first(std::min<std::uint64_t>(left, discarded_.size()));
    case Landing::kUndecided: break;
  }
  return {};
}

void OutPipe::end(TimePoint now, std::size_t bytes, bool ends_transfer) {
  if (halted_) return;
  const TimePoint arrival = lane_.send(now, bytes);
  Request* request = awaiting_payload();
  if (request == nullptr) {
    TransferBuffer& buffer = assembly();
    corrupt(state_, std::span(buffer.bytes).subspan(buffer.used, bytes));
    buffer.used += bytes;
    if (buffer.used > abi::kMessageTransferMax) return framing_error(arrival, abi::Status::kBadLength, abi::kMessageTransferMax);
    if (ends_transfer) end_message_transfer(arrival);
    return;
  }
  if (request->landing == Landing::kDevice || request->landing == Landing::kStaged) {
    const std::span<std::byte> landed = request->target.subspan(request->landed, bytes);
    corrupt(state_, landed);
    if (request->crc_behind || abi::has(request->header.flags, abi::MessageFlag::kPayloadCrc)) request->landed_crc = crc32c(landed, request->landed_crc);
  }
  request->landed += bytes;
  request->arrival = arrival;
  state_.counters.payload_in_bytes += bytes;
  if (request->landing == Landing::kDevice) state_.counters.landed_bytes += bytes;
  if (request->landing == Landing::kStaged) state_.counters.copied_bytes += bytes;
  if (request->landed < request->header.payload_bytes) {
    if (ends_transfer) framing_error(arrival, abi::Status::kBadLength, 0);
    return;
  }
  if (request->crc_behind) unsealed_.push_back(request);
  request->complete = !request->crc_behind;
  --incomplete_;
  // Messages behind it in its transfer that brought no payload are complete too.
  for (; incomplete_ != 0; --incomplete_) {
    Request& next = queue_[queue_.size() - incomplete_];
    if (abi::has(next.header.flags, abi::MessageFlag::kPayloadFollows)) break;
    next.complete = true;
  }
}

void OutPipe::end_message_transfer(TimePoint arrival) {
  TransferBuffer& buffer = *assembly_;
  announced_crc_behind_ = false;
  for (std::size_t offset = 0; offset < buffer.used;) {
    const std::size_t bytes = take_message(offset, arrival);
    if (bytes == 0) return;
    offset += bytes;
  }
  assembly_ = nullptr;
}

std::size_t OutPipe::take_message(std::size_t offset, TimePoint arrival) {
  using abi::MessageFlag;
  using abi::Status;
  const std::span<const std::byte> rest = std::span(assembly_->bytes).first(assembly_->used).subspan(offset);
  const auto refuse = [&](Status status) {
    framing_error(arrival, status, offset);
    return std::size_t{0};
  };
  abi::MessageHeader header;
  const abi::Decoded decoded = abi::decode(rest, header);
  if (decoded == abi::Decoded::kTooShort) return refuse(Status::kBadLength);
  if (header.magic != abi::kMessageMagic) return refuse(Status::kBadMagic);
  if (header.version < abi::kProtocolMin || header.version > abi::kProtocolMax) return refuse(Status::kBadVersion);
  if (header.body_bytes % 8 != 0 || header.body_bytes > rest.size() - kHeaderBytes) return refuse(Status::kBadLength);
  const std::span<const std::byte> body = rest.subspan(kHeaderBytes, header.body_bytes);
  if (abi::message_crc(rest.first(kHeaderBytes + body.size())) != header.crc) return refuse(Status::kBadChecksum);
  state_.protocol = header.version;
  if (header.type == abi::MessageType::kChecksums && header.version >= abi::kProtocolChecksumsBehind)
    return take_checksums(header, body, offset, arrival) ? kHeaderBytes + body.size() : 0;
  if (offset == 0 && !unsealed_.empty()) return refuse(Status::kBadField);

  const bool is_inline = abi::has(header.flags, MessageFlag::kPayloadInline), follows = abi::has(header.flags, MessageFlag::kPayloadFollows);
  const std::uint64_t payload_max = is_inline ? abi::kInlinePayloadMax : follows ? std::max<std::uint64_t>(state_.chip().dram_bytes, abi::kStreamBytesMax) : 0;
  if ((is_inline && follows) || header.payload_bytes > payload_max || ((is_inline || follows) && header.payload_bytes == 0)) return refuse(Status::kBadLength);
  if (announced_crc_behind_ && !follows) return refuse(Status::kBadField);
  std::size_t bytes = kHeaderBytes + header.body_bytes;
  std::span<const std::byte> inline_payload;
  if (is_inline) {
    const std::size_t padded = align_up<std::size_t>(header.payload_bytes, 8);
    if (padded > rest.size() - bytes) return refuse(Status::kBadLength);
    inline_payload = rest.subspan(bytes, header.payload_bytes);
    bytes += padded;
  }

  Request& request = queue_.next();
  queue_.push_back();
  request.header = header;
  request.buffer = assembly_;
  ++assembly_->requests;
  request.body = body;
  request.inline_payload = inline_payload;
  request.arrival = arrival;
  const bool behind = abi::has(header.flags, MessageFlag::kPayloadCrcBehind);
  if (decoded == abi::Decoded::kReservedNotZero || (header.flags & ~abi::known_flags(header.version)) != 0 || (behind && (!follows || abi::has(header.flags, MessageFlag::kPayloadCrc))))
    request.refused = Status::kBadField;
  request.crc_behind = behind && request.refused == Status::kOk;
  announced_crc_behind_ |= request.crc_behind;
  if (follows || incomplete_ != 0) {
    ++incomplete_;
  } else {
    request.complete = true;
  }
  ++state_.counters.messages_in;
  state_.counters.payload_in_bytes += inline_payload.size();
  return bytes;
}

bool OutPipe::take_checksums(const abi::MessageHeader& header, std::span<const std::byte> body, std::size_t offset, TimePoint arrival) {
  constexpr std::size_t kRecordBytes = abi::wire_size<abi::PayloadChecksum>();
  bool matches = offset == 0 && !unsealed_.empty() && body.size() == unsealed_.size() * kRecordBytes && header.epoch == state_.epoch && header.sequence == 0 && header.context == 0 &&
                 header.flags == 0 && header.payload_bytes == 0;
  for (std::size_t i = 0; matches && i < unsealed_.size(); ++i) {
    abi::PayloadChecksum checksum;
    static_cast<void>(abi::decode(body.subspan(i * kRecordBytes), checksum));
    Request& request = *unsealed_[i];
    matches = checksum.sequence == request.header.sequence;
    request.header.payload_crc = checksum.crc;
  }
  if (!matches) {
    framing_error(arrival, abi::Status::kBadField, offset);
    return false;
  }
  for (Request* request : unsealed_) {
    request->arrival = arrival;
    request->complete = true;
  }
  unsealed_.clear();
  ++state_.counters.messages_in;
  return true;
}

void OutPipe::framing_error(TimePoint arrival, abi::Status status, std::size_t offset) {
  ++(status == abi::Status::kBadChecksum ? state_.counters.checksum_errors : state_.counters.protocol_errors);
  state_.log.add(arrival, "bulk OUT: {} at byte {} of the transfer; stalled", abi::name_of(status), offset);
  in_.push(arrival, {.type = abi::MessageType::kStatusReport}, abi::encode(abi::Reply{.status = status, .detail = static_cast<std::uint32_t>(offset)}));
  abandon_payloads(status, arrival);
  assembly_ = nullptr;
  halted_ = true;
}

void OutPipe::abandon_payloads(abi::Status status, TimePoint arrival) {
  for (Request* request : unsealed_) {
    if (request->refused == abi::Status::kOk) request->refused = status;
    request->arrival = arrival;
    request->complete = true;
  }
  unsealed_.clear();
  for (; incomplete_ != 0; --incomplete_) {
    Request& request = queue_[queue_.size() - incomplete_];
    if (abi::has(request.header.flags, abi::MessageFlag::kPayloadFollows) && request.refused == abi::Status::kOk) request.refused = status;
    request.arrival = arrival;
    request.complete = true;
  }
}

void OutPipe::set_halted(bool halted) {
  abandon_payloads(abi::Status::kBadLength, state_.clock.now());
  assembly_ = nullptr;
  halted_ = halted;
}

void OutPipe::clear(TimePoint now) {
  while (!queue_.empty()) pop_front();
  incomplete_ = 0;
  unsealed_.clear();
  assembly_ = nullptr;
  halted_ = false;
  lane_.reset(now);
}

Request* OutPipe::front(TimePoint now) noexcept { return next_arrival() <= now ? &queue_.front() : nullptr; }

TimePoint OutPipe::next_arrival() const noexcept { return queue_.empty() || !queue_.front().complete ? kForever : queue_.front().arrival; }

void OutPipe::pop_front() {
  --queue_.front().buffer->requests;
  queue_.pop_front();
}

}  // namespace naru::mockdev
