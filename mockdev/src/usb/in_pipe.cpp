// Queue, coalescing and offers of bulk IN. Sizes on the cable and their times are decided when a message is queued; a list of checksums, which is made when
// payloads have gone, takes its time of the cable without waiting for those that were queued before.
#include "usb/in_pipe.h"

#include <cstring>
#include <utility>

#include "faults/link_fault.h"
#include "naru/base/hash.h"

namespace naru::mockdev {
namespace {

/// What is sent at once after its checksum was taken is then still in the CPU's caches.
constexpr std::uint64_t kCrcAheadMax = 1024 * 1024;

bool crc_comes_behind(const abi::MessageHeader& header) noexcept { return abi::has(header.flags, abi::MessageFlag::kPayloadCrcBehind); }

}  // namespace

InPipe::Item& InPipe::add_item(TimePoint now, abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload,
                               std::uint64_t payload_bytes) {
  constexpr std::size_t kHeader = abi::wire_size<abi::MessageHeader>();
  header.epoch = state_.epoch;
  header.version = state_.protocol;
  header.body_bytes = static_cast<std::uint32_t>(body.size());
  if (!inline_payload.empty()) {
    header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadInline);
    header.payload_bytes = inline_payload.size();
  } else if (payload_bytes != 0) {
    header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadFollows);
    header.payload_bytes = payload_bytes;
  }

  Item& item = items_.next();
  item.bytes.assign(kHeader + body.size() + align_up<std::size_t>(inline_payload.size(), 8), std::byte{0});
  items_.push_back();
  item.header = header;
  plain_replies_ += item.is_plain_reply();
  if (!body.empty()) std::memcpy(item.bytes.data() + kHeader, body.data(), body.size());
  if (!inline_payload.empty()) std::memcpy(item.bytes.data() + kHeader + body.size(), inline_payload.data(), inline_payload.size());
  item.made = now;
  item.sent_from = std::max(now, lane_.free());
  item.available = lane_.send(now, item.bytes.size());
  item.payload_available = payload_bytes != 0 ? lane_.send(now, payload_bytes) : item.available;
  for (std::size_t i = 0; i < held_; ++i) items_[i].join(item);
  if (!item.is_plain_reply()) held_ = 0;  // what comes after that keeps nobody waiting
  // What was made in the same instant travels together, so that the host sees it as one transfer.
  for (std::size_t i = items_.size() - 1; i > in_transfer_ && items_[i - 1].made == now && items_[i - 1].payload.bytes == 0; --i)
    items_[i - 1].available = item.available;

  ++state_.counters.messages_out;
  state_.counters.payload_out_bytes += header.payload_bytes;
  state_.counters.copied_bytes += inline_payload.size();
  return item;
}

void InPipe::push(TimePoint now, abi::MessageHeader header, std::span<const std::byte> body, std::span<const std::byte> inline_payload, DramPayload payload) {
  Item& item = add_item(now, header, body, inline_payload, payload.bytes);
  item.payload = std::move(payload);
}

void InPipe::push_reply(TimePoint now, std::uint32_t sequence, std::uint32_t context, const abi::Reply& reply) {
  push(now, {.type = abi::MessageType::kReply, .sequence = sequence, .context = context}, abi::encode(reply));
}

bool InPipe::extend_completion(TimePoint now, std::uint32_t context, std::uint16_t queue, std::uint64_t fence, std::uint64_t cycles, std::uint64_t retired) noexcept {
  if (items_.size() <= in_transfer_) return false;
  Item& last = items_.back();
  const bool waits = last.sent_from > now || last.available <= now;  // for the cable, or for the host
  abi::Completion& completion = last.completion;
  if (!waits || !last.is_completion || last.header.context != context || completion.queue != queue || completion.status != abi::Status::kOk || completion.last_fence + 1 != fence) return false;
  completion.last_fence = fence;
  completion.cycles = cycles;
  completion.retired = retired;
  completion.device_time_ns = static_cast<std::uint64_t>(now.count());
  return true;
}

void InPipe::push_completion(TimePoint now, std::uint32_t context, const abi::Completion& completion) {
  static constexpr std::array<std::byte, abi::wire_size<abi::Completion>()> kRoom{};  // filled by seal()
  Item& item = add_item(now, {.type = abi::MessageType::kCompletion, .context = context}, kRoom, {}, 0);
  item.is_completion = true;
  item.completion = completion;
  // Replies that have not left join it, where they are all that is before it: what is behind a completion, or data, must not wait for the next one.
  std::size_t first = items_.size() - 1;
  while (first > in_transfer_ && items_[first - 1].is_plain_reply()) --first;
  if (first != in_transfer_) return;
  for (std::size_t i = first; i + 1 < items_.size(); ++i)
    if (item.available - items_[i].available <= kReplyPatience) items_[i].join(item);
}

bool InPipe::is_sending(std::uint64_t offset, std::uint64_t bytes) const noexcept {
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const DramPayload& payload = items_[i].payload;
    if (payload.bytes != 0 && payload.offset < offset + bytes && offset < payload.offset + payload.bytes) return true;
  }
  return false;
}

TimePoint InPipe::next_ready() const noexcept {
  switch (phase_) {
    case Phase::kMessages: return TimePoint(0);
    case Phase::kPayload: return items_[payload_item_].payload_available;
    case Phase::kIdle: break;
  }
  if (!checksums_.empty()) return TimePoint(0);
  return items_.empty() ? kForever : items_.front().available;
}

void InPipe::seal(Item& item) {
  if (item.is_completion) abi::encode_to(std::span(item.bytes).subspan(abi::wire_size<abi::MessageHeader>()), item.completion);
  abi::encode_to(item.bytes, item.header);
  store_le(item.bytes.data() + abi::kMessageCrcOffset, abi::message_crc(std::span(item.bytes).first(abi::wire_size<abi::MessageHeader>() + item.header.body_bytes)));
}

bool InPipe::can_wait_for_company() const noexcept {
  constexpr std::size_t kFew = 32;
  return phase_ == Phase::kIdle && checksums_.empty() && items_.size() == plain_replies_ && items_.size() < kFew;
}

void InPipe::start_transfer(TimePoint now) {
  transfer_.clear();
  held_ = 0;
  std::uint64_t announced = 0;
  std::size_t transfer_bytes = 0;
  // Data that was ready in the same instant, or behind checksums that go now, is announced together though its turn on the cable comes later.
  const std::size_t first = !items_.empty() && items_.front().header.type == abi::MessageType::kChecksums ? 1 : 0;
  while (in_transfer_ < items_.size() && announced < abi::announced_bytes_max(state_.packet_bytes()) && transfer_bytes + items_[in_transfer_].bytes.size() <= abi::kMessageTransferMax) {
    const Item& next = items_[in_transfer_];
    const bool is_early = next.payload.bytes != 0 && in_transfer_ != 0 && next.made == items_[first].made;
    if (next.available > now && !is_early) break;
    announced += next.payload.bytes;
    transfer_bytes += next.bytes.size();
    ++in_transfer_;
  }
  if (announced != 0) place_checksums(announced);
  for (std::size_t i = 0; i < in_transfer_; ++i) {
    seal(items_[i]);
    transfer_.insert(transfer_.end(), items_[i].bytes.begin(), items_[i].bytes.end());
  }
  phase_ = Phase::kMessages;
  sent_ = 0;
}

void InPipe::place_checksums(std::uint64_t announced) {
  for (std::size_t i = 0; i < in_transfer_; ++i) {
    const DramPayload& payload = items_[i].payload;
    if (!payload.checked) continue;
    abi::MessageHeader& header = items_[i].header;
    const bool behind = header.version >= abi::kProtocolChecksumsBehind && (payload.bytes != announced || announced > kCrcAheadMax);
    header.flags = static_cast<std::uint16_t>(abi::MessageFlag::kPayloadFollows) | static_cast<std::uint16_t>(behind ? abi::MessageFlag::kPayloadCrcBehind : abi::MessageFlag::kPayloadCrc);
    header.payload_crc = behind ? 0 : crc32c(memory_.dram().subspan(payload.offset, payload.bytes));
  }
}

void InPipe::queue_checksums(TimePoint now) {
  constexpr std::size_t kHeader = abi::wire_size<abi::MessageHeader>(), kRecord = abi::wire_size<abi::PayloadChecksum>();
  Item& item = items_.next();
  item.header = {.version = state_.protocol, .type = abi::MessageType::kChecksums, .epoch = state_.epoch, .body_bytes = static_cast<std::uint32_t>(checksums_.size() * kRecord)};
  item.bytes.resize(kHeader + item.header.body_bytes);
  for (std::size_t i = 0; i < checksums_.size(); ++i) abi::encode_to(std::span(item.bytes).subspan(kHeader + i * kRecord), checksums_[i]);
  item.made = item.sent_from = item.available = item.payload_available = now;
  static_cast<void>(lane_.send(now, item.bytes.size()));
  items_.push_front();
  checksums_.clear();
  ++state_.counters.messages_out;
}

std::span<const std::byte> InPipe::unit() noexcept {
  if (phase_ == Phase::kMessages) return transfer_;
  const DramPayload& payload = items_[payload_item_].payload;
  return memory_.dram().subspan(payload.offset, payload.bytes);
}

std::optional<usb::InOffer> InPipe::peek(TimePoint now) {
  if (next_ready() > now) return std::nullopt;
  if (phase_ == Phase::kIdle) {
    if (!checksums_.empty()) queue_checksums(now);
    start_transfer(now);
  }
  std::span<const std::byte> bytes = unit();
  // A payload that fills its last packet ends without a zero-length one; a message transfer always ends with a short packet.
  const bool ends = phase_ == Phase::kMessages || bytes.size() % state_.packet_bytes() != 0;
  if (corrupts(state_, bytes.size())) {
    if (corrupted_.empty()) {
      corrupted_.assign(bytes.begin(), bytes.end());
      corrupt(state_, corrupted_);
    }
    bytes = corrupted_;
  }
  return usb::InOffer{bytes.subspan(sent_), ends};
}

void InPipe::done(std::size_t bytes, bool completed) {
  if (phase_ == Phase::kIdle) return;
  const std::span<const std::byte> unit_bytes = unit();
  const std::size_t size = unit_bytes.size();
  bytes = std::min(bytes, size - sent_);
  if (phase_ == Phase::kPayload && crc_comes_behind(items_[payload_item_].header)) sent_crc_ = crc32c(unit_bytes.subspan(sent_, bytes), sent_crc_);
  sent_ += bytes;
  // A message transfer whose last packet is full is over only when its zero-length packet was taken.
  const bool over = phase_ == Phase::kMessages ? completed : sent_ == size;
  if (sent_ == size && over) next_unit();
}

void InPipe::next_unit() {
  if (phase_ == Phase::kPayload && crc_comes_behind(items_[payload_item_].header)) checksums_.push_back({.sequence = items_[payload_item_].header.sequence, .crc = std::exchange(sent_crc_, 0)});
  payload_item_ = phase_ == Phase::kMessages ? 0 : payload_item_ + 1;
  sent_ = 0;
  corrupted_.clear();
  phase_ = Phase::kPayload;
  while (payload_item_ < in_transfer_ && items_[payload_item_].payload.bytes == 0) ++payload_item_;
  if (payload_item_ < in_transfer_) return;
  drop_front(in_transfer_);
  phase_ = Phase::kIdle;
}

void InPipe::drop(std::size_t index) noexcept {
  plain_replies_ -= items_[index].is_plain_reply();
  items_.erase(index);
}

void InPipe::drop_front(std::size_t count) noexcept {
  in_transfer_ -= count;
  for (; count != 0; --count) drop(0);
}

void InPipe::restart() {
  const bool arrived = phase_ == Phase::kPayload || (phase_ == Phase::kMessages && sent_ == transfer_.size());
  if (phase_ == Phase::kPayload) drop_front(payload_item_);
  if (arrived) {
    // These messages have arrived; only those whose payload has not must be sent again.
    for (std::size_t i = in_transfer_; i-- > 0;)
      if (items_[i].payload.bytes == 0) drop(i);
  } else if (!items_.empty() && items_.front().header.type == abi::MessageType::kChecksums) {
    drop(0);
  }
  in_transfer_ = 0;
  phase_ = Phase::kIdle;
  sent_ = 0;
  sent_crc_ = 0;
  checksums_.clear();
  corrupted_.clear();
}

void InPipe::clear(TimePoint now) {
  items_.clear();
  plain_replies_ = 0;
  checksums_.clear();
  sent_crc_ = 0;
  in_transfer_ = held_ = 0;
  phase_ = Phase::kIdle;
  sent_ = 0;
  corrupted_.clear();
  lane_.reset(now);
}

}  // namespace naru::mockdev
