// What comes in from the device: takes messages apart, checks every byte of them before it is believed, and gives requests and jobs their ends.
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <utility>

#include "core.h"
#include "naru/base/bytes.h"
#include "naru/base/hash.h"
#include "naru/base/log.h"
#include "status.h"

namespace naru::driver {
namespace {

tl::unexpected<Error> violation(std::string what) { return fail(ErrorId::kProtocolViolation, "The device broke the protocol: " + std::move(what)); }

}  // namespace

// ---- posting ----

void Core::pump_in() {
  fill_in();
  flush();
}

void Core::fill_in() {
  while (receiving_ && transport_ && !pending_loss_ && !in_.full()) {
    if (!follows_.empty()) {
      if (!post_follow()) return;
      continue;
    }
    if (message_posted_) return;
    const Transfer transfer{.kind = TransferKind::kBulkIn, .buffer = in_buffer_, .timeout = Duration::zero()};
    if (!submit_flight(in_, transfer, {.kind = FlightKind::kMessage})) return;
    message_posted_ = true;
  }
}

/// One more transfer of the payload that comes next. Whole packets land where they belong; an odd tail lands in a packet's buffer of ours,
/// because an IN transfer of another size than whole packets could overflow (libusb trap T17).
bool Core::post_follow() {
  Follow& follow = follows_.front();
  std::byte* target = follow.slot == kNoSlot ? nullptr : slots_[follow.slot].target;
  const std::uint64_t rest = follow.bytes - follow.posted;
  Flight flight{.slot = follow.slot, .generation = follow.slot == kNoSlot ? 0 : slots_[follow.slot].generation};
  Transfer transfer{.kind = TransferKind::kBulkIn, .timeout = options_.timeouts.request};
  if (target == nullptr) {
    flight.kind = FlightKind::kDiscard;
    flight.expected = static_cast<std::uint32_t>(std::min<std::uint64_t>(rest, discard_buffer_.size()));
    transfer.buffer = std::span(discard_buffer_).first(align_up(flight.expected, packet_bytes_));
  } else {
    flight.kind = FlightKind::kPayload;
    flight.data = target + follow.posted;
    const std::uint64_t whole = std::min<std::uint64_t>(rest, chunk_bytes_) / packet_bytes_ * packet_bytes_;
    if (whole > 0) {
      flight.expected = static_cast<std::uint32_t>(whole);
      transfer.buffer = {flight.data, static_cast<std::size_t>(whole)};
      transfer.may_join = may_be_held_ = true;
    } else {
      if (free_tail_buffers_ == 0) return false;
      flight.tail = true;
      flight.buffer = static_cast<std::uint16_t>(std::countr_zero(free_tail_buffers_));
      flight.expected = static_cast<std::uint32_t>(rest);
      transfer.buffer = std::span(tail_buffers_[flight.buffer]).first(packet_bytes_);
    }
  }
  if (!has_room(in_, flight.expected)) return false;
  const std::size_t before = in_.size();
  if (!submit_flight(in_, transfer, flight)) return false;
  if (in_.size() == before) return true;  // with smaller pieces
  if (flight.tail) free_tail_buffers_ = static_cast<std::uint16_t>(free_tail_buffers_ & ~(1u << flight.buffer));
  if (flight.kind == FlightKind::kPayload) ++slots_[flight.slot].transfers;
  follow.posted += flight.expected;
  if (follow.posted == follow.bytes) follows_.pop();
  return true;
}

// ---- transfers that ended ----

void Core::on_in(const Flight& flight, const TransferCompletion& completion) {
  ++counters_.in_transfers;
  counters_.in_bytes += completion.bytes;
  if (flight.kind == FlightKind::kMessage) message_posted_ = false;
  if (flight.tail) free_tail_buffers_ = static_cast<std::uint16_t>(free_tail_buffers_ | (1u << flight.buffer));
  const bool draining = state_ == State::kRecovering && recovery_.step == RecoveryStep::kDraining;

  if (completion.status == TransferStatus::kDeviceLost) return lose(error_of(completion.status, "bulk in").with_value("bytes", fmt::format("{}", completion.bytes)));
  if (flight.kind == FlightKind::kRaw) {
    raw_bytes_ += completion.bytes;
    if (flight.tail) std::memcpy(flight.data, tail_buffers_[flight.buffer].data(), std::min<std::size_t>(completion.bytes, flight.expected));
    if ((completion.status != TransferStatus::kOk || completion.bytes > flight.expected) && !raw_error_)
      raw_error_ = error_of(completion.status == TransferStatus::kOk ? TransferStatus::kOverflow : completion.status, "raw bulk in");
    return;
  }
  if (completion.status != TransferStatus::kOk) {
    if (draining || (completion.status == TransferStatus::kCancelled && !receiving_)) return;
    if (completion.status == TransferStatus::kHostMemory) {
      ++counters_.memory_backoffs;
      chunk_bytes_ = std::max(kChunkBytesMin, chunk_bytes_ / 2);
    }
    return begin_recovery(error_of(completion.status, "bulk in"));
  }
  if (flight.kind == FlightKind::kMessage) {
    auto taken = on_message_transfer(std::span<const std::byte>(in_buffer_).first(std::min(completion.bytes, in_buffer_.size())));
    if (taken) return;
    ++counters_.protocol_errors;
    if (!draining) begin_recovery(std::move(taken).error());
    return;
  }
  if (completion.bytes != flight.expected) {
    if (draining) return;
    ++counters_.protocol_errors;
    return begin_recovery(Error(ErrorId::kProtocolViolation, fmt::format("The device broke the protocol: {} bytes of payload where {} follow", completion.bytes, flight.expected)));
  }
  if (draining) return;  // where a transfer before it failed, these may be that one's bytes
  if (flight.slot == kNoSlot || slots_[flight.slot].generation != flight.generation) return;
  Slot& slot = slots_[flight.slot];
  if (flight.kind == FlightKind::kPayload && slot.target != nullptr) {
    if (flight.tail) {
      std::memcpy(flight.data, tail_buffers_[flight.buffer].data(), flight.expected);
      ++counters_.copies;
      counters_.copied_bytes += flight.expected;
    }
    if (slot.check_crc) slot.crc = crc32c({flight.data, flight.expected}, slot.crc);
  }
  slot.moved += flight.expected;
  moved_over_cable(slot, flight.expected);
  slot.deadline = clock_->after(slot.allowed);
  if (slot.moved == slot.bytes && !slot.crc_behind) finish_payload(flight.slot);
}

void Core::finish_payload(std::uint16_t index) {
  Slot& slot = slots_[index];
  if (slot.target != nullptr && slot.check_crc && slot.crc != slot.expected_crc) {
    ++counters_.checksum_errors;
    return end_operation(index, Error(ErrorId::kChecksum, fmt::format("{} bytes that were read have checksum {:08x}; the device sent {:08x}", slot.bytes, slot.crc, slot.expected_crc)));
  }
  end_operation(index, std::nullopt);
}

// ---- messages ----

Result<void> Core::on_message_transfer(std::span<const std::byte> rest) {
  bool checksums_next = !checksums_due_.empty();
  while (!rest.empty()) {
    abi::MessageHeader header;
    const abi::Decoded decoded = abi::decode(rest, header);
    if (decoded == abi::Decoded::kTooShort) return violation(fmt::format("{} bytes where a message header of {} is due", rest.size(), kHeaderBytes));
    if (header.magic != abi::kMessageMagic) return violation(fmt::format("magic {:08x}", header.magic));
    if (header.body_bytes % 8 != 0 || header.body_bytes > rest.size() - kHeaderBytes)
      return violation(fmt::format("a message with a body of {} bytes in {}", header.body_bytes, rest.size() - kHeaderBytes));
    const std::span<const std::byte> body = rest.subspan(kHeaderBytes, header.body_bytes);
    if (abi::message_crc(rest.first(kHeaderBytes + body.size())) != header.crc) {
      ++counters_.checksum_errors;
      return fail(ErrorId::kChecksum, fmt::format("A message of the device has a wrong checksum ({:08x})", header.crc));
    }
    if (decoded == abi::Decoded::kReservedNotZero || (header.flags & ~abi::known_flags(info_.protocol)) != 0) return violation("reserved bits of a message are set");
    // Before it has understood a message of ours, a device can only report in the lowest.
    const bool may_be_lower = header.type == abi::MessageType::kStatusReport && header.version >= abi::kProtocolMin && header.version < info_.protocol;
    if (header.version != info_.protocol && !may_be_lower) return violation(fmt::format("protocol version {} after {} was agreed on", header.version, info_.protocol));
    const bool is_inline = abi::has(header.flags, abi::MessageFlag::kPayloadInline), follows = abi::has(header.flags, abi::MessageFlag::kPayloadFollows);
    if ((is_inline && follows) || (!is_inline && !follows && header.payload_bytes != 0) || (follows && header.payload_bytes == 0))
      return violation(fmt::format("flags {} with a payload of {} bytes", header.flags, header.payload_bytes));
    if (abi::has(header.flags, abi::MessageFlag::kPayloadCrcBehind) && (!follows || abi::has(header.flags, abi::MessageFlag::kPayloadCrc)))
      return violation(fmt::format("flags {}: a checksum behind a payload that does not follow, or two of them", header.flags));
    if (header.payload_bytes > std::max<std::uint64_t>(chip_.dram_bytes, abi::kInlinePayloadMax)) return violation(fmt::format("a payload of {} bytes", header.payload_bytes));
    rest = rest.subspan(kHeaderBytes + body.size());
    std::span<const std::byte> inline_payload;
    if (is_inline) {
      const std::uint64_t padded = align_up<std::uint64_t>(header.payload_bytes, 8);
      if (header.payload_bytes > abi::kInlinePayloadMax || padded > rest.size()) return violation(fmt::format("an inline payload of {} bytes in {}", header.payload_bytes, rest.size()));
      inline_payload = rest.first(header.payload_bytes);
      rest = rest.subspan(padded);
    }
    ++counters_.messages_in;
    const bool is_list = header.type == abi::MessageType::kChecksums;
    const bool of_newer_epoch = static_cast<std::int32_t>(header.epoch - epoch_) > 0;  // on_message() knows what that means
    if (!of_newer_epoch && is_list != std::exchange(checksums_next, false)) {
      // What was due is forgotten when a recovery begins; what the device had sent before still comes.
      if (state_ != State::kRecovering) return violation(fmt::format("a {} where {} of payloads {} due", name_of(header.type), is_list ? "no checksums" : "checksums", is_list ? "are" : "were"));
      checksums_due_.clear();
      if (is_list) continue;
    }
    if (is_list && !of_newer_epoch) {
      if (header.epoch != epoch_ || header.sequence != 0 || header.context != 0 || header.flags != 0) return violation("checksums that say whose they are");
      NARU_CHECK_OK(on_checksums(body));
    } else {
      NARU_CHECK_OK(on_message(header, body, inline_payload));
    }
    if (pending_loss_) return {};
  }
  return {};
}

Result<void> Core::discard_payload(const abi::MessageHeader& header) {
  if (!abi::has(header.flags, abi::MessageFlag::kPayloadFollows)) return {};
  return expect_payload(header, kNoSlot);
}

/// Payloads that were announced before have all come, or been asked for, when the next transfer of messages is looked at; their checksums are its first message.
Result<void> Core::expect_payload(const abi::MessageHeader& header, std::uint16_t index) {
  const bool behind = abi::has(header.flags, abi::MessageFlag::kPayloadCrcBehind);
  if (follows_.full() || (behind && checksums_due_.full())) return violation("too many payloads in one transfer");
  follows_.push({.slot = index, .posted = 0, .bytes = header.payload_bytes});
  if (behind) checksums_due_.push({.sequence = header.sequence, .slot = index});
  return {};
}

Result<void> Core::on_message(const abi::MessageHeader& header, std::span<const std::byte> body, std::span<const std::byte> inline_payload) {
  if (header.epoch != epoch_) {
    ++counters_.stale_messages;
    if (static_cast<std::int32_t>(header.epoch - epoch_) > 0 && state_ != State::kRecovering) {
      lose(Error(ErrorId::kStaleEpoch, fmt::format("The device is in epoch {}; it was in {}", header.epoch, epoch_)));
      return {};
    }
    return discard_payload(header);
  }
  if (header.context != 0 && header.context != context_ && context_ != 0) {
    // Of a context that is over, ours or another process's: its answers may still be on their way.
    ++counters_.stale_messages;
    return discard_payload(header);
  }
  const auto decode_body = [&]<typename Record>(Record& record) -> Result<void> {
    if (body.size() != abi::wire_size<Record>() || abi::decode(body, record) != abi::Decoded::kOk) return violation(fmt::format("a {} with a body of {} bytes", name_of(header.type), body.size()));
    if (!is_known(record.status)) return violation(fmt::format("the unknown status {}", static_cast<unsigned>(record.status)));
    return {};
  };
  switch (header.type) {
    case abi::MessageType::kReply: {
      abi::Reply reply;
      NARU_CHECK_OK(decode_body(reply));
      return on_reply(header, reply, inline_payload);
    }
    case abi::MessageType::kCompletion: {
      abi::Completion completion;
      NARU_CHECK_OK(decode_body(completion));
      if (header.payload_bytes != 0) return violation("a completion with a payload");
      if (context_ == 0) {
        ++counters_.stale_messages;
        return {};
      }
      return on_completion_message(completion);
    }
    case abi::MessageType::kStatusReport: {
      abi::Reply report;
      NARU_CHECK_OK(decode_body(report));
      if (header.payload_bytes != 0) return violation("a status report with a payload");
      if (report.status == abi::Status::kOk) return violation("a status report of no error");
      Error error = error_of(report.status, report.detail, "message transfer");
      log(LogLevel::kInfo, "driver", "{}: {}", device_name(), error.message());
      if (report.status == abi::Status::kStaleEpoch) {
        lose(std::move(error));
      } else if (state_ != State::kRecovering) {
        begin_recovery(std::move(error));
      } else if (recovery_.step == RecoveryStep::kDraining) {
        recovery_.cause = std::move(error);  // says more than the stall that was seen first
      }
      return {};
    }
    default: return violation(fmt::format("a message of type {}", static_cast<unsigned>(header.type)));
  }
}

Result<void> Core::on_reply(const abi::MessageHeader& header, const abi::Reply& reply, std::span<const std::byte> inline_payload) {
  const std::uint16_t index = slots_.find_sequence(header.sequence);
  if (index == kNoSlot) {
    for (std::size_t i = 0; i < cancel_sequences_.size(); ++i) {
      if (cancel_sequences_.at(i) != header.sequence) continue;
      cancel_sequences_.remove(i);
      return discard_payload(header);
    }
    if (context_ != 0 && static_cast<std::int32_t>(header.sequence - resync_floor_) >= 0)
      return violation(fmt::format("a reply to request {}, which waits for none", header.sequence));
    ++counters_.stale_messages;
    return discard_payload(header);
  }
  Slot& slot = slots_[index];
  if (reply.status == abi::Status::kStaleEpoch) {
    lose(error_of(reply.status, reply.detail, name_of(slot.type)));
    return {};
  }
  if (slot.is_job()) {
    if (reply.status == abi::Status::kOk) return violation("a reply to a job, which is answered by its completion");
    if (header.payload_bytes != 0) return violation("a reply to a job with a payload");
    // The message was refused as a whole, so the queue's timeline did not move: nothing of it can be trusted any more.
    return fail(error_of(reply.status, reply.detail, name_of(slot.type)));
  }
  if (slot.announced) return violation("two replies to one read");
  if (is_sending_payload(index)) return violation(fmt::format("a reply to a {} before all of it was sent", name_of(slot.type)));
  if (reply.status != abi::Status::kOk) {
    if (header.payload_bytes != 0) return violation("a failed reply with a payload");
    end_operation(index, error_of(reply.status, reply.detail, name_of(slot.type)));
    return {};
  }
  if (slot.type == abi::MessageType::kRead) return take_payload(index, header, inline_payload);
  if (header.payload_bytes != 0) return violation(fmt::format("a payload with the reply to a {}", name_of(slot.type)));
  switch (slot.type) {
    case abi::MessageType::kCreateBuffer:
    case abi::MessageType::kLoadStream:
      if (reply.handle == 0 || reply.handle == abi::kSramHandle) return violation(fmt::format("handle {:x} for a new object", reply.handle));
      slot.handle = reply.handle;
      break;
    case abi::MessageType::kOpenContext:
      if (reply.handle == 0 || reply.handle > 0xFFFFFFFFu) return violation(fmt::format("context number {:x}", reply.handle));
      context_ = static_cast<std::uint32_t>(reply.handle);
      break;
    default: break;
  }
  recoveries_in_a_row_ = 0;
  last_answered_ = header.sequence;
  end_operation(index, std::nullopt);
  return {};
}

Result<void> Core::take_payload(std::uint16_t index, const abi::MessageHeader& header, std::span<const std::byte> inline_payload) {
  Slot& slot = slots_[index];
  if (header.payload_bytes != slot.bytes) return violation(fmt::format("{} bytes for a read of {}", header.payload_bytes, slot.bytes));
  const bool behind = abi::has(header.flags, abi::MessageFlag::kPayloadCrcBehind);
  const bool has_crc = abi::has(header.flags, abi::MessageFlag::kPayloadCrc) && options_.payload_checksums;
  if (abi::has(header.flags, abi::MessageFlag::kPayloadFollows)) {
    slot.announced = true;
    slot.check_crc = has_crc || behind;
    slot.crc_behind = behind;
    slot.expected_crc = header.payload_crc;
    return expect_payload(header, index);
  }
  if (slot.target != nullptr) {
    if (has_crc && crc32c(inline_payload) != header.payload_crc) {
      ++counters_.checksum_errors;
      end_operation(index, Error(ErrorId::kChecksum, fmt::format("{} bytes that were read do not have the checksum {:08x} that came with them", slot.bytes, header.payload_crc)));
      return {};
    }
    std::memcpy(slot.target, inline_payload.data(), inline_payload.size());
    ++counters_.copies;
    counters_.copied_bytes += inline_payload.size();
  }
  end_operation(index, std::nullopt);
  return {};
}

Result<void> Core::on_checksums(std::span<const std::byte> body) {
  constexpr std::size_t kRecordBytes = abi::wire_size<abi::PayloadChecksum>();
  if (body.size() != checksums_due_.size() * kRecordBytes)
    return violation(fmt::format("{} bytes of checksums where {} payloads came", body.size(), checksums_due_.size()));
  for (; !body.empty(); body = body.subspan(kRecordBytes)) {
    abi::PayloadChecksum checksum;
    static_cast<void>(abi::decode(body, checksum));
    const ChecksumDue due = checksums_due_.pop();
    if (checksum.sequence != due.sequence) return violation(fmt::format("a checksum of payload {} where that of {} is due", checksum.sequence, due.sequence));
    if (due.slot == kNoSlot) continue;
    Slot& slot = slots_[due.slot];
    if (!slot.announced || !slot.crc_behind || slot.sequence != due.sequence || slot.moved != slot.bytes) return violation(fmt::format("a checksum before all of payload {} came", checksum.sequence));
    slot.expected_crc = checksum.crc;
    finish_payload(due.slot);
  }
  return {};
}

Result<void> Core::on_completion_message(const abi::Completion& completion) {
  if (completion.queue >= abi::kQueues) return violation(fmt::format("a completion for queue {}", completion.queue));
  Timeline& timeline = timelines_[completion.queue];
  if (completion.first_fence != timeline.completed_fence + 1 || completion.last_fence < completion.first_fence || completion.last_fence > timeline.sent_fence)
    return violation(fmt::format("completion of fences {} to {} of queue {}; {} to {} are due", completion.first_fence, completion.last_fence, completion.queue,
                                 timeline.completed_fence + 1, timeline.sent_fence));
  if (completion.status != abi::Status::kOk && completion.first_fence != completion.last_fence) return violation("failed jobs in a range of completions");
  if (completion.status == abi::Status::kStaleEpoch) {
    lose(error_of(completion.status, completion.fault_command, "job"));
    return {};
  }
  while (timeline.completed_fence < completion.last_fence) {
    ++timeline.completed_fence;
    end_job(timeline.unfinished.pop(), completion, timeline.completed_fence == completion.last_fence);
  }
  return {};
}

// ---- events ----

void Core::post_event() {
  const Transfer transfer{.kind = TransferKind::kInterruptIn, .buffer = event_buffer_, .timeout = Duration::zero()};
  // Events only tell earlier what the messages tell as well: a cable without that endpoint does without.
  if (auto ticket = transport_->submit(transfer)) event_ticket_ = *ticket;
}

void Core::on_event(const TransferCompletion& completion) {
  event_ticket_ = Ticket::kNone;
  if (completion.status == TransferStatus::kDeviceLost) return lose(error_of(completion.status, "interrupt in"));
  if (completion.status != TransferStatus::kOk) return;
  abi::Event event;
  if (completion.bytes == abi::wire_size<abi::Event>() && abi::decode(event_buffer_, event) == abi::Decoded::kOk) {
    log(LogLevel::kInfo, "driver", "{}: event {} in epoch {}, value {}", device_name(), static_cast<unsigned>(event.kind), event.epoch, event.value);
    const bool newer = static_cast<std::int32_t>(event.epoch - epoch_) > 0;
    if (event.kind == abi::EventKind::kReset && newer && state_ == State::kReady)
      return lose(Error(ErrorId::kStaleEpoch, fmt::format("The device is in epoch {}; it was in {}", event.epoch, epoch_)));
  }
  post_event();
}

}  // namespace naru::driver
