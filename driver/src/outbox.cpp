// Requests to the cable: packs waiting requests into message transfers, sends large payloads straight from where they lie, within the device's credits.
#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <utility>

#include "core.h"
#include "naru/base/bytes.h"
#include "naru/base/hash.h"
#include "status.h"

namespace naru::driver {
namespace {

constexpr std::uint64_t kHasteBytes = 512 * 1024;  // with so much or less still to move, what waits goes now
constexpr std::uint64_t kStreamingMax = 4 << 20;   // reads and writes that are longer wait for no company; so much unanswered makes others wait for some
constexpr std::uint64_t kCrcAheadMax = 4 << 20;    // payloads before a job, in one transfer: they are in the outer caches still when their turn comes
constexpr std::size_t kCheckedJoinMax = 2 << 20;   // longer ones go as soon as they are checksummed: they would have left the caches while another was
constexpr std::size_t kRequestsBeforeJobMax = 8;   // that are looked through for a job

std::size_t body_bytes(const Slot& slot) noexcept {
  switch (slot.type) {
    case abi::MessageType::kCreateBuffer: return abi::wire_size<abi::CreateBuffer>();
    case abi::MessageType::kFreeBuffer:
    case abi::MessageType::kFreeStream: return abi::wire_size<abi::HandleBody>();
    case abi::MessageType::kWrite:
    case abi::MessageType::kRead: return abi::wire_size<abi::Access>();
    case abi::MessageType::kCancel: return abi::wire_size<abi::Cancel>();
    default: return 0;
  }
}

std::size_t record_bytes(const Slot& job) noexcept { return abi::wire_size<abi::JobRecord>() + job.region_count * abi::wire_size<abi::RegionBinding>(); }

bool sends_payload(const Slot& slot) noexcept { return slot.type == abi::MessageType::kWrite || slot.type == abi::MessageType::kLoadStream; }
bool is_inline(const Slot& slot) noexcept { return slot.bytes <= abi::kInlinePayloadMax; }
bool payload_follows(const Slot& slot) noexcept { return sends_payload(slot) && !is_inline(slot); }

/// Its caller has taken its memory back before anything was sent.
bool is_abandoned(const Slot& slot) noexcept {
  return (sends_payload(slot) && slot.source == nullptr) || (slot.type == abi::MessageType::kRead && slot.target == nullptr);
}

/// What goes out for a payload whose caller has taken the memory back in the middle. Never written.
std::array<std::byte, kChunkBytesMin> zero_bytes{};

std::span<std::byte> sendable(const std::byte* data, std::size_t bytes) noexcept {
  // Transfer has one span for both directions; transports only read an OUT transfer's.
  return {const_cast<std::byte*>(data), bytes};  // NOLINT(cppcoreguidelines-pro-type-const-cast)
}

}  // namespace

void Core::enqueue(std::uint16_t index) {
  waiting_.push(index);
  if (slots_[index].is_job()) arm(slots_[index].watch.next);
}

bool Core::is_streaming(const Slot& slot) const noexcept {
  return (slot.type == abi::MessageType::kWrite || slot.type == abi::MessageType::kRead) && !is_inline(slot) && slot.bytes <= kStreamingMax && slot.fence == 0 && slot.parent == kNoSlot;
}

/// Messages are dear where payloads are quick, so those of a stream travel together: what is begun while others move, or after several ended together
/// (it will have company at once), has time until the next poll() or wait(). The first of a stream goes now.
void Core::enqueue_access(std::uint16_t index) {
  const Slot& slot = slots_[index];
  enqueue(index);
  if (waiting_.size() == 1) company_ = 0;
  const std::size_t direction = direction_of(slot.type);
  if (is_streaming(slot) && waiting_.size() == company_ + 1 && (company_ == 0 || company_type_ == slot.type)) {
    ++company_;
    company_type_ = slot.type;
    std::size_t& likely_to_follow = ended_together_[direction];
    if (likely_to_follow != 0) --likely_to_follow;
    if (unanswered_bytes_[direction] != 0 || (likely_to_follow != 0 && !has_outside_loop_)) return;
  }
  pump_out();
}

/// While payloads move there is no haste, nor while the answer to much is due at once: what it ends is likely to be begun again. Each ends in a completion,
/// after which this is looked at again; payloads that were announced go on meanwhile.
bool Core::waits_for_company() const noexcept {
  if (company_ == 0 || company_ != waiting_.size() || !urgent_.empty()) return false;
  const std::size_t direction = direction_of(company_type_);
  return due_[direction] > kHasteBytes || unanswered_bytes_[direction] >= kStreamingMax;
}

void Core::send_company() {
  if (company_ != 0 && !polling_) pump_out();
}

void Core::moved_over_cable(Slot& slot, std::uint64_t bytes) noexcept {
  bytes = std::min(bytes, slot.due);
  slot.due -= bytes;
  due_[direction_of(slot.type)] -= bytes;
}

bool Core::is_sending_payload(std::uint16_t index) noexcept {
  for (std::size_t i = 0; i < checksums_.size(); ++i)
    if (checksums_.at(i).sequence == slots_[index].sequence) return true;
  for (std::size_t i = 0; i < payloads_.size(); ++i)
    if (payloads_.at(i) == index) return true;
  return false;
}

std::size_t Core::message_bytes(const Slot& slot) const noexcept {
  std::size_t bytes = kHeaderBytes + body_bytes(slot);
  if (sends_payload(slot) && is_inline(slot)) bytes += align_up<std::size_t>(slot.bytes, 8);
  return bytes;
}

/// Header and body lie back to back, which is what the checksum covers (its own field being zero).
std::size_t Core::seal(std::span<std::byte> target, abi::MessageHeader header, std::size_t body_bytes) {
  header.epoch = epoch_;
  header.version = info_.protocol;
  header.body_bytes = static_cast<std::uint32_t>(body_bytes);
  abi::encode_to(target, header);
  store_le(target.data() + abi::kMessageCrcOffset, crc32c(target.first(kHeaderBytes + body_bytes)));
  ++counters_.messages_out;
  return kHeaderBytes + body_bytes;
}

bool Core::job_waits_behind(std::uint64_t bytes) noexcept {
  for (std::size_t i = 0; i < std::min(waiting_.size(), kRequestsBeforeJobMax) && bytes <= kCrcAheadMax; ++i) {
    const Slot& slot = slots_[waiting_.at(i)];
    if (slot.is_job()) return true;
    if (payload_follows(slot)) bytes += slot.bytes;
  }
  return false;
}

/// Behind what goes in several transfers, or with others: it would have left the CPU's caches between its checksum and its turn. What goes alone and whole gains nothing.
/// Not where a job is next: it could not travel in the same transfer then, and no inference after it.
bool Core::sends_crc_behind(const Slot& slot) noexcept {
  if (!info_.payload_checksums || info_.protocol < abi::kProtocolChecksumsBehind || is_inline(slot)) return false;
  if (!announced_crc_behind_ && slot.bytes <= chunk_bytes_ && job_waits_behind(announced_bytes_ + slot.bytes)) return false;
  return announced_bytes_ != 0 || slot.bytes > chunk_bytes_ || (!waiting_.empty() && payload_follows(slots_[waiting_.front()]));
}

std::size_t Core::encode_checksums(std::span<std::byte> target) {
  sum_up();
  std::size_t used = kHeaderBytes;
  while (!checksums_.empty()) {
    const SentPayload sent = checksums_.pop();
    used += abi::encode_to(target.subspan(used), abi::PayloadChecksum{.sequence = sent.sequence, .crc = sent.crc});
  }
  return seal(target, {.type = abi::MessageType::kChecksums}, used - kHeaderBytes);
}

/// As many of the jobs at the front as fit, in one message.
std::size_t Core::encode_jobs(std::span<std::byte> target, std::size_t room) {
  const std::uint32_t sequence = ++sequence_;
  std::size_t used = kHeaderBytes + abi::wire_size<abi::Submit>();
  std::uint32_t count = 0;
  while (!waiting_.empty() && unanswered_ < identity_.credits) {
    const std::uint16_t index = waiting_.front();
    Slot& job = slots_[index];
    if (!job.is_job() || used + record_bytes(job) > room) break;
    waiting_.pop();
    const abi::JobRecord record{.stream = job.handle, .fence = job.fence, .cycle_budget = job.cycle_budget, .queue = job.queue, .region_count = job.region_count,
                                .lease_use = job.lease_use, .lease = job.lease};
    used += abi::encode_to(target.subspan(used), record);
    for (std::size_t i = 0; i < job.region_count; ++i) used += abi::encode_to(target.subspan(used), job.bindings[i]);
    job.sequence = sequence;
    job.sent = true;
    timelines_[job.queue].sent_fence = job.fence;
    ++unanswered_;
    if (count++ == 0) slots_.note_sequence(sequence, index);
  }
  abi::encode_to(target.subspan(kHeaderBytes), abi::Submit{.count = count, .reserved = {}});
  return seal(target, {.type = abi::MessageType::kSubmit, .sequence = sequence, .context = context_}, used - kHeaderBytes);
}

std::size_t Core::encode_request(std::span<std::byte> target, std::uint16_t index) {
  Slot& slot = slots_[index];
  abi::MessageHeader header{.type = slot.type, .sequence = ++sequence_, .context = context_};
  if (slot.type == abi::MessageType::kCloseContext) header.context = static_cast<std::uint32_t>(slot.handle);
  const std::span<std::byte> body = target.subspan(kHeaderBytes);
  switch (slot.type) {
    case abi::MessageType::kCreateBuffer: abi::encode_to(body, abi::CreateBuffer{.bytes = slot.bytes}); break;
    case abi::MessageType::kFreeBuffer:
    case abi::MessageType::kFreeStream: abi::encode_to(body, abi::HandleBody{.handle = slot.handle}); break;
    case abi::MessageType::kWrite:
      abi::encode_to(body, abi::Access{.handle = slot.handle, .offset = slot.offset, .bytes = slot.bytes, .after_fence = 0, .after_queue = 0, .reserved = {}});
      break;
    case abi::MessageType::kRead:
      abi::encode_to(body, abi::Access{.handle = slot.handle, .offset = slot.offset, .bytes = slot.bytes, .after_fence = slot.fence, .after_queue = slot.queue, .reserved = {}});
      break;
    case abi::MessageType::kCancel: abi::encode_to(body, abi::Cancel{.fence = slot.fence, .queue = slot.queue, .reserved = {}}); break;
    default: break;
  }
  // On a read, the flag asks for a checksum of what comes back.
  if (slot.type == abi::MessageType::kRead && info_.payload_checksums) header.flags = static_cast<std::uint16_t>(abi::MessageFlag::kPayloadCrc);
  std::size_t used = kHeaderBytes + body_bytes(slot);
  if (sends_payload(slot)) {
    const std::span<const std::byte> payload(slot.source, slot.bytes);
    header.payload_bytes = slot.bytes;
    header.flags = static_cast<std::uint16_t>(is_inline(slot) ? abi::MessageFlag::kPayloadInline : abi::MessageFlag::kPayloadFollows);
    slot.crc_behind = sends_crc_behind(slot);
    if (slot.crc_behind) {
      announced_crc_behind_ = true;
      header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadCrcBehind);
    } else if (info_.payload_checksums) {
      header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadCrc);
      header.payload_crc = crc32c(payload);
    }
    if (is_inline(slot)) {
      const std::size_t padded = align_up<std::size_t>(slot.bytes, 8);
      std::memcpy(target.data() + used, payload.data(), payload.size());
      std::memset(target.data() + used + payload.size(), 0, padded - payload.size());
      used += padded;
      ++counters_.copies;
      counters_.copied_bytes += payload.size();
    } else {
      payloads_.push(index);
      announced_bytes_ += slot.bytes;
      slot.moved = 0;
    }
  }
  (void)seal(target, header, body_bytes(slot));
  if (slot.type == abi::MessageType::kCancel) {
    // Its answer matters to nobody: the job's completion tells. Remembered only so that the reply is not taken for an unasked one.
    if (cancel_sequences_.full()) cancel_sequences_.pop();
    cancel_sequences_.push(header.sequence);
    end_operation(index, std::nullopt);
    return used;
  }
  if (!is_inline(slot) && slot.fence == 0 && (slot.type == abi::MessageType::kWrite || slot.type == abi::MessageType::kRead)) {
    slot.due = slot.bytes;
    due_[direction_of(slot.type)] += slot.due;
    slot.streams = is_streaming(slot);
    if (slot.streams) unanswered_bytes_[direction_of(slot.type)] += slot.bytes;
  }
  slot.sequence = header.sequence;
  slot.sent = true;
  slot.deadline = clock_->after(slot.allowed);
  arm(slot.deadline);
  slots_.note_sequence(header.sequence, index);
  ++unanswered_;
  return used;
}

/// Fills one message transfer: checksums that are due, and the requests that wait; 0: nothing may go now.
std::size_t Core::build_transfer(std::span<std::byte> buffer, bool with_requests) {
  const std::size_t room = transfer_max_;
  std::size_t used = checksums_.empty() ? 0 : encode_checksums(buffer);
  if (!with_requests) return used;
  announced_bytes_ = 0;
  announced_crc_behind_ = false;
  company_ = 0;
  while (!urgent_.empty() && used + message_bytes(slots_[urgent_.front()]) <= room) used += encode_request(buffer.subspan(used), urgent_.pop());
  while (!waiting_.empty() && announced_bytes_ < abi::announced_bytes_max(packet_bytes_) && !payloads_.full()) {
    const std::uint16_t index = waiting_.front();
    Slot& slot = slots_[index];
    if (is_abandoned(slot)) {
      waiting_.pop();
      end_operation(index, Error(ErrorId::kTransferCancelled, fmt::format("A {} was given up before it was sent", name_of(slot.type))));
      continue;
    }
    if (unanswered_ >= identity_.credits && slot.type != abi::MessageType::kCancel) break;
    if (announced_crc_behind_ && !payload_follows(slot)) break;
    if (slot.is_job()) {
      if (used + kHeaderBytes + abi::wire_size<abi::Submit>() + record_bytes(slot) > room) break;
      used += encode_jobs(buffer.subspan(used), room - used);
      continue;
    }
    if (used + message_bytes(slot) > room) break;
    waiting_.pop();
    used += encode_request(buffer.subspan(used), index);
  }
  return used;
}

bool Core::has_room(const Flights& flights, std::size_t bytes) const noexcept {
  if (flights.chunks() == 0) return true;
  return flights.chunks() < options_.payload_chunks_in_flight && flights.chunk_bytes() + bytes <= kChunkBytesInFlightMax && out_.chunk_bytes() + in_.chunk_bytes() + bytes <= kBothInFlightMax;
}

bool Core::submit_flight(Flights& flights, const Transfer& transfer, Flight flight) {
  auto ticket = transport_->submit(transfer);
  if (ticket) {
    flight.ticket = *ticket;
    flights.push(flight);
    return true;
  }
  if (ticket.error().kind() == ErrorKind::kDeviceLost) {
    lose(std::move(ticket).error());
    return false;
  }
  if (ticket.error().id() == ErrorId::kHostMemory) {
    // Trap T21: this host's memory for USB is shared by everybody. Smaller pieces, and wait for what is in flight to give its part back.
    ++counters_.memory_backoffs;
    const bool smaller = flight.kind != FlightKind::kMessage && chunk_bytes_ > kChunkBytesMin;
    if (smaller) chunk_bytes_ = std::max(kChunkBytesMin, chunk_bytes_ / 2);
    if (!flights.empty()) return false;
    if (smaller) return true;
  }
  begin_recovery(std::move(ticket).error());
  return false;
}

bool Core::send_staged() {
  const Flight flight{.kind = FlightKind::kMessage, .buffer = staged_buffer_, .expected = static_cast<std::uint32_t>(staged_bytes_)};
  const Transfer transfer{.kind = TransferKind::kBulkOut,
                          .buffer = std::span(out_buffers_[staged_buffer_]).first(staged_bytes_),
                          .ends_with_short_packet = true,
                          .timeout = options_.timeouts.request};
  if (!submit_flight(out_, transfer, flight)) return false;
  staged_bytes_ = 0;
  return true;
}

bool Core::send_payload_chunk() {
  const std::uint16_t index = payloads_.front();
  Slot& slot = slots_[index];
  const std::uint64_t rest = slot.bytes - slot.moved;
  const bool mine = slot.source != nullptr;
  const std::size_t bytes = std::min<std::uint64_t>(rest, mine ? chunk_bytes_ : zero_bytes.size());
  if (!has_room(out_, bytes)) return false;
  const Transfer transfer{.kind = TransferKind::kBulkOut,
                          .buffer = mine ? sendable(slot.source + slot.moved, bytes) : std::span(zero_bytes).first(bytes),
                          .may_join = mine && bytes % packet_bytes_ == 0 && !(slot.crc_behind && bytes > kCheckedJoinMax),
                          .timeout = options_.timeouts.request};
  may_be_held_ = may_be_held_ || transfer.may_join;
  const bool sum_later = slot.crc_behind && transfer.may_join && bytes == slot.bytes;
  const std::uint32_t crc = slot.crc_behind && !sum_later ? crc32c(transfer.buffer, slot.crc) : 0;
  const std::size_t before = out_.size();
  const Flight flight{.kind = mine ? FlightKind::kPayload : FlightKind::kDiscard, .slot = index, .expected = static_cast<std::uint32_t>(bytes), .generation = slot.generation};
  if (!submit_flight(out_, transfer, flight)) return false;
  if (out_.size() == before) return true;  // with smaller pieces
  if (mine) ++slot.transfers;
  slot.moved += bytes;
  slot.crc = crc;
  if (slot.moved < slot.bytes) return true;
  payloads_.pop();
  // What was given up in the middle must not count as written.
  if (!slot.crc_behind) return true;
  unsummed_ += sum_later;
  checksums_.push({.sequence = slot.sequence, .crc = mine ? crc : ~crc, .unsummed = sum_later ? transfer.buffer : std::span<const std::byte>()});
  return true;
}

void Core::pump_out(bool may_build) {
  fill_out(may_build && gathering_ == 0);
  flush();
}

void Core::send_gathered() {
  if (gathering_ == 0 || polling_) return;
  fill_out(true);
  flush();
}

/// From the end: what the cable takes first was read last then, and is still in the caches. Before anybody can be told that a write has ended, and take its memory back.
void Core::sum_up() noexcept {
  for (std::size_t i = checksums_.size(); unsummed_ != 0; --i) {
    SentPayload& sent = checksums_.at(i - 1);
    if (sent.unsummed.empty()) continue;
    sent.crc = crc32c(sent.unsummed);
    sent.unsummed = {};
    --unsummed_;
  }
}

void Core::flush() {
  sum_up();
  if (std::exchange(may_be_held_, false) && transport_) transport_->flush();
}

void Core::fill_out(bool may_build) {
  while (sending_ && transport_ && !pending_loss_ && !out_.full()) {
    if (staged_bytes_ != 0) {
      if (!send_staged()) return;
      continue;
    }
    if (!payloads_.empty()) {
      if (!send_payload_chunk()) return;
      continue;
    }
    const bool with_requests = may_build && !(waiting_.empty() && urgent_.empty()) && !waits_for_company();
    if (free_out_buffers_ == 0 || (!with_requests && checksums_.empty())) return;
    const auto buffer = static_cast<std::uint16_t>(std::countr_zero(free_out_buffers_));
    const std::size_t bytes = build_transfer(out_buffers_[buffer], with_requests);
    if (bytes == 0) return;
    free_out_buffers_ = static_cast<std::uint16_t>(free_out_buffers_ & ~(1u << buffer));
    staged_buffer_ = buffer;
    staged_bytes_ = bytes;
  }
}

void Core::on_out(const Flight& flight, const TransferCompletion& completion) {
  ++counters_.out_transfers;
  counters_.out_bytes += completion.bytes;
  if (flight.kind == FlightKind::kMessage) free_out_buffers_ = static_cast<std::uint16_t>(free_out_buffers_ | (1u << flight.buffer));
  if (completion.status == TransferStatus::kDeviceLost) return lose(error_of(completion.status, "bulk out").with_value("bytes", fmt::format("{} of {}", completion.bytes, flight.expected)));
  const bool whole = completion.status == TransferStatus::kOk && completion.bytes == flight.expected;
  if (flight.kind == FlightKind::kRaw) {
    raw_bytes_ += completion.bytes;
    if (!whole && !raw_error_) raw_error_ = error_of(completion.status == TransferStatus::kOk ? TransferStatus::kFailed : completion.status, "raw bulk out");
    return;
  }
  if (whole) {
    if (flight.slot != kNoSlot && slots_[flight.slot].busy && slots_[flight.slot].generation == flight.generation) {
      Slot& slot = slots_[flight.slot];
      slot.deadline = clock_->after(slot.allowed);
      last_out_progress_ = clock_->now();
      moved_over_cable(slot, flight.expected);
    }
    return;
  }
  if (state_ == State::kRecovering && recovery_.step == RecoveryStep::kDraining) return;
  if (completion.status == TransferStatus::kHostMemory) {
    ++counters_.memory_backoffs;
    chunk_bytes_ = std::max(kChunkBytesMin, chunk_bytes_ / 2);
  }
  Error error = completion.status == TransferStatus::kOk ? Error(ErrorId::kTransferFailed, fmt::format("The cable took {} of {} bytes", completion.bytes, flight.expected))
                                                          : error_of(completion.status, "bulk out");
  begin_recovery(std::move(error).with_value("bytes", fmt::format("{} of {}", completion.bytes, flight.expected)));
}

}  // namespace naru::driver
