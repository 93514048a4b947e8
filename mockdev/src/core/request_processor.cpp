// The message types, one function each. A request is looked at again in full when its turn comes, whatever was decided while its payload landed.
#include "core/request_processor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "naru/base/hash.h"

namespace naru::mockdev {
namespace {

using abi::MessageType;
using abi::Status;

constexpr std::uint32_t kCredits = abi::Identity{}.credits;

std::span<const std::byte> payload_of(const Request& request) noexcept {
  return request.landing == Landing::kUndecided ? request.inline_payload : std::span<const std::byte>(request.target);
}

std::uint32_t payload_crc_of(const Request& request) noexcept { return request.landing == Landing::kUndecided ? crc32c(request.inline_payload) : request.landed_crc; }

bool names_its_lease(const abi::JobRecord& record) noexcept {
  switch (record.lease_use) {
    case abi::LeaseUse::kNone: return record.lease == 0;
    case abi::LeaseUse::kTake:
    case abi::LeaseUse::kNeed: return record.lease != 0;
  }
  return false;
}

}  // namespace

// ---- payloads that follow ----

Status RequestProcessor::check_access(std::uint32_t context, const abi::Access& access, const ObjectTable::Buffer*& buffer) const noexcept {
  buffer = objects_.find_buffer(context, access.handle);
  if (buffer == nullptr) return Status::kBadHandle;
  const std::optional<std::uint64_t> end = checked_add(access.offset, access.bytes);
  if (access.bytes == 0 || !end || *end > buffer->bytes) return Status::kBadRange;
  if (access.after_queue >= abi::kQueues) return Status::kBadField;
  return Status::kOk;
}

void RequestProcessor::decide_landing(const RequestQueue& queue, std::size_t index, Request& request) {
  const auto discard = [&](Status status) {
    request.landing = Landing::kDiscarded;
    if (request.refused == Status::kOk) request.refused = status;
  };
  if (request.refused != Status::kOk) return discard(request.refused);
  if (request.header.epoch != state_.epoch) return discard(Status::kStaleEpoch);
  if (request.header.type == MessageType::kLoadStream) {
    if (request.header.payload_bytes > abi::kStreamBytesMax) return discard(Status::kBadStream);
    try {
      request.staged.resize(request.header.payload_bytes);
    } catch (const std::bad_alloc&) {
      return discard(Status::kOutOfMemory);
    }
    request.target = request.staged;
    request.landing = Landing::kStaged;
    return;
  }
  abi::Access access;
  if (request.header.type != MessageType::kWrite) return discard(Status::kBadField);
  if (request.body.size() != abi::wire_size<abi::Access>()) return discard(Status::kBadLength);
  if (abi::decode(request.body, access) != abi::Decoded::kOk) return discard(Status::kBadField);
  const ObjectTable::Buffer* buffer = nullptr;
  if (const Status status = check_access(request.header.context, access, buffer); status != Status::kOk) return discard(status);
  if (access.bytes != request.header.payload_bytes) return discard(Status::kBadLength);
  // Requests before this one are carried out first: those that still read or write the buffer must not see these bytes.
  if (in_.is_sending(buffer->offset + access.offset, access.bytes)) return;
  for (std::size_t i = 0; i < index; ++i) {
    const Request& earlier = queue[i];
    if (earlier.header.type != MessageType::kRead && earlier.header.type != MessageType::kWrite) continue;
    abi::Access other;
    if (earlier.landing == Landing::kUndecided && abi::decode(earlier.body, other) == abi::Decoded::kOk && other.handle == access.handle) return;
  }
  request.pin = objects_.pin(access.handle);
  request.target = memory_.dram().subspan(buffer->offset + access.offset, access.bytes);
  request.landing = Landing::kDevice;
}

// ---- dispatch ----

bool RequestProcessor::can_process(const Request& request) const noexcept {
  if (!in_.has_room()) return false;
  if (request.header.type != MessageType::kWrite || request.landing == Landing::kDevice || request.refused != Status::kOk) return true;
  abi::Access access;
  const ObjectTable::Buffer* buffer = nullptr;
  if (abi::decode(request.body, access) != abi::Decoded::kOk || check_access(request.header.context, access, buffer) != Status::kOk) return true;
  return !in_.is_sending(buffer->offset + access.offset, access.bytes);
}

void RequestProcessor::reply(TimePoint now, const abi::MessageHeader& header, const abi::Reply& reply) {
  in_.push_reply(now, header.sequence, header.context, reply);
}

void RequestProcessor::refuse(TimePoint now, const Request& request, Status status, std::uint32_t detail) {
  state_.log.add(now, "request {} (type {:#x}): {} ({})", request.header.sequence, static_cast<unsigned>(request.header.type), abi::name_of(status), detail);
  reply(now, request.header, {.status = status, .detail = detail});
}

void RequestProcessor::process(TimePoint now, Request& request) {
  submits_unanswered_ -= std::min(submits_unanswered_, scheduler_.take_answered());
  const abi::MessageHeader& header = request.header;
  if (request.refused != Status::kOk) return refuse(now, request, request.refused, request.refused_detail);
  if (header.epoch != state_.epoch) return refuse(now, request, Status::kStaleEpoch, state_.epoch);
  if (waiting_.size() + submits_unanswered_ >= kCredits) return refuse(now, request, Status::kNoCredit);
  if ((request.crc_behind || abi::has(header.flags, abi::MessageFlag::kPayloadCrc)) && payload_crc_of(request) != header.payload_crc) {
    ++state_.counters.checksum_errors;
    return refuse(now, request, Status::kPayloadChecksum);
  }
  const bool has_payload = header.payload_bytes != 0;
  const bool takes_payload = header.type == MessageType::kWrite || header.type == MessageType::kLoadStream;
  if (header.type != MessageType::kOpenContext && contexts_.find(header.context) == nullptr) {
    const bool known = header.type >= MessageType::kCloseContext && header.type <= MessageType::kCancel;
    return refuse(now, request, known ? Status::kBadContext : Status::kUnknownType);
  }
  if (has_payload && !takes_payload) return refuse(now, request, Status::kBadField);
  switch (header.type) {
    case MessageType::kOpenContext: return open_context(now, request);
    case MessageType::kCloseContext: return close_context(now, request);
    case MessageType::kCreateBuffer: return create_buffer(now, request);
    case MessageType::kFreeBuffer: return free_object(now, request, false);
    case MessageType::kWrite: return write(now, request);
    case MessageType::kRead: return read(now, request);
    case MessageType::kLoadStream: return load(now, request);
    case MessageType::kFreeStream: return free_object(now, request, true);
    case MessageType::kSubmit: return submit(now, request);
    case MessageType::kCancel: return cancel(now, request);
    case MessageType::kChecksums:
    case MessageType::kReply:
    case MessageType::kCompletion:
    case MessageType::kStatusReport: break;
  }
  refuse(now, request, Status::kUnknownType);
}

template <typename Record>
bool RequestProcessor::take_body(TimePoint now, const Request& request, Record& record) {
  constexpr std::size_t kBytes = abi::wire_size<Record>();
  Status status = Status::kOk;
  if (request.body.size() != kBytes) {
    status = Status::kBadLength;
  } else if (abi::decode(request.body, record) != abi::Decoded::kOk) {
    status = Status::kBadField;
  }
  if (status != Status::kOk) refuse(now, request, status, kBytes);
  return status == Status::kOk;
}

// ---- contexts and objects ----

void RequestProcessor::open_context(TimePoint now, const Request& request) {
  if (!request.body.empty()) return refuse(now, request, Status::kBadLength);
  if (request.header.context != 0) return refuse(now, request, Status::kBadContext);
  const std::uint32_t id = contexts_.open();
  if (id == 0) return refuse(now, request, Status::kOutOfMemory);
  reply(now, request.header, {.handle = id});
}

void RequestProcessor::close_context(TimePoint now, const Request& request) {
  if (!request.body.empty()) return refuse(now, request, Status::kBadLength);
  const std::uint32_t context = request.header.context;
  scheduler_.end_all(now, context, Status::kCancelled);
  answer_waiting_reads(now);
  for (WaitingRead& read : waiting_)
    if (read.header.context == context) reply(now, read.header, {.status = Status::kFenceFailed});  // of fences never submitted
  std::erase_if(waiting_, [&](const WaitingRead& read) { return read.header.context == context; });
  objects_.free_all_of(context);
  if (scheduler_.sram_owner() == context) scheduler_.scrub_sram();
  contexts_.close(context);
  reply(now, request.header, {});
}

void RequestProcessor::create_buffer(TimePoint now, const Request& request) {
  abi::CreateBuffer body;
  if (!take_body(now, request, body)) return;
  if (body.bytes == 0) return refuse(now, request, Status::kBadRange);
  const abi::Handle handle = objects_.create_buffer(request.header.context, body.bytes);
  if (handle == 0) return refuse(now, request, Status::kOutOfMemory);
  reply(now, request.header, {.handle = handle});
}

void RequestProcessor::free_object(TimePoint now, const Request& request, bool is_stream) {
  abi::HandleBody body;
  if (!take_body(now, request, body)) return;
  const std::uint32_t context = request.header.context;
  const bool freed = is_stream ? objects_.free_stream(context, body.handle) : objects_.free_buffer(context, body.handle);
  if (!freed) return refuse(now, request, Status::kBadHandle);
  reply(now, request.header, {.handle = body.handle});
}

// ---- data ----

void RequestProcessor::write(TimePoint now, Request& request) {
  abi::Access access;
  if (!take_body(now, request, access)) return;
  const ObjectTable::Buffer* buffer = nullptr;
  if (const Status status = check_access(request.header.context, access, buffer); status != Status::kOk) return refuse(now, request, status);
  if (access.after_fence != 0) return refuse(now, request, Status::kBadField);  // for reads only
  if (access.bytes != request.header.payload_bytes) return refuse(now, request, Status::kBadLength);
  if (request.landing != Landing::kDevice) {
    std::memcpy(memory_.dram().data() + buffer->offset + access.offset, request.inline_payload.data(), access.bytes);
    state_.counters.copied_bytes += access.bytes;
  }
  request.pin.release();
  reply(now, request.header, {});
}

void RequestProcessor::read(TimePoint now, const Request& request) {
  abi::Access access;
  if (!take_body(now, request, access)) return;
  const ObjectTable::Buffer* buffer = nullptr;
  if (const Status status = check_access(request.header.context, access, buffer); status != Status::kOk) return refuse(now, request, status);
  WaitingRead read{.header = request.header, .access = access, .pin = objects_.pin(access.handle), .dram_offset = buffer->offset + access.offset};
  const Timeline& timeline = contexts_.find(request.header.context)->queues[access.after_queue];
  if (access.after_fence > timeline.completed) {
    waiting_.push_back(std::move(read));
    return;
  }
  send_data(now, read);
}

void RequestProcessor::send_data(TimePoint now, WaitingRead& read) {
  const Timeline& timeline = contexts_.find(read.header.context)->queues[read.access.after_queue];
  if (read.access.after_fence != 0 && std::ranges::find(timeline.failed, read.access.after_fence) != timeline.failed.end())
    return reply(now, read.header, {.status = Status::kFenceFailed});
  abi::MessageHeader header{.type = MessageType::kReply, .sequence = read.header.sequence, .context = read.header.context};
  const auto body = abi::encode(abi::Reply{.handle = read.access.handle});
  // On a read, which brings no payload, the flag asks for a checksum of what goes back.
  const bool checked = abi::has(read.header.flags, abi::MessageFlag::kPayloadCrc);
  if (read.access.bytes > abi::kInlinePayloadMax)
    return in_.push(now, header, body, {}, {.offset = read.dram_offset, .bytes = read.access.bytes, .checked = checked, .pin = std::move(read.pin)});
  const std::span<const std::byte> data = memory_.dram().subspan(read.dram_offset, read.access.bytes);
  if (checked) {
    header.flags = static_cast<std::uint16_t>(abi::MessageFlag::kPayloadCrc);
    header.payload_crc = crc32c(data);
  }
  in_.push(now, header, body, data);
}

void RequestProcessor::answer_waiting_reads(TimePoint now) {
  std::erase_if(waiting_, [&](WaitingRead& read) {
    const Context* context = contexts_.find(read.header.context);
    if (context == nullptr || read.access.after_fence > context->queues[read.access.after_queue].completed) return false;
    send_data(now, read);
    return true;
  });
}

// ---- streams and jobs ----

void RequestProcessor::load(TimePoint now, const Request& request) {
  if (!request.body.empty()) return refuse(now, request, Status::kBadLength);
  const std::span<const std::byte> bytes = payload_of(request);
  try {
    LoadResult loaded = load_stream(bytes, state_.chip());
    if (loaded.stream == nullptr) {
      state_.log.add(now, "stream refused: command {}: {}", loaded.command, loaded.reason);
      return reply(now, request.header, {.status = Status::kBadStream, .detail = loaded.command});
    }
    const abi::Handle handle = objects_.create_stream(request.header.context, std::move(loaded.stream), bytes.size());
    if (handle == 0) return refuse(now, request, Status::kOutOfMemory);
    reply(now, request.header, {.handle = handle});
  } catch (const std::bad_alloc&) {
    refuse(now, request, Status::kOutOfMemory);
  }
}

Status RequestProcessor::bind_region(Job& job, std::size_t index, const abi::RegionBinding& binding) {
  const abi::RegionDeclaration& declared = job.stream->stream.regions[index];
  const bool is_sram = binding.handle == abi::kSramHandle;
  if (is_sram != (declared.memory == abi::MemoryKind::kSram)) return Status::kBadBinding;
  if (binding.rights == abi::Rights::kNone || !abi::includes(abi::Rights::kReadWrite, binding.rights) || !abi::includes(binding.rights, declared.rights))
    return Status::kBadRights;
  const ObjectTable::Buffer* buffer = nullptr;
  if (!is_sram) {
    buffer = objects_.find_buffer(job.context, binding.handle);
    if (buffer == nullptr) return Status::kBadHandle;
  }
  const std::uint64_t available = is_sram ? memory_.sram().size() : buffer->bytes;
  const std::optional<std::uint64_t> end = checked_add(binding.offset, binding.bytes);
  if (!end || *end > available) return Status::kBadRange;
  if (binding.bytes < declared.bytes) return Status::kBadBinding;

  BoundRegion& region = job.regions[index];
  region.memory = declared.memory;
  region.rights = declared.rights;
  region.bytes = binding.bytes;
  region.offset = (is_sram ? 0 : buffer->offset) + binding.offset;
  region.base = (is_sram ? memory_.sram() : memory_.dram()).data() + region.offset;
  // Nothing that a job writes may also be reached through another of its regions.
  for (std::size_t i = 0; i < index; ++i) {
    const BoundRegion& other = job.regions[i];
    const bool meets = other.memory == region.memory && other.offset < region.offset + region.bytes && region.offset < other.offset + other.bytes;
    if (meets && (abi::includes(region.rights, abi::Rights::kWrite) || abi::includes(other.rights, abi::Rights::kWrite))) return Status::kBadBinding;
  }
  if (!is_sram) region.pin = objects_.pin(binding.handle);
  return Status::kOk;
}

Status RequestProcessor::bind(Job& job, const abi::JobRecord& record, std::span<const std::byte> bindings) {
  job.stream = objects_.find_stream(job.context, record.stream);
  if (job.stream == nullptr) return Status::kBadHandle;
  job.stream_pin = objects_.pin(record.stream);
  if (record.region_count != job.stream->stream.regions.size()) return Status::kBadBinding;
  for (std::size_t i = 0; i < record.region_count; ++i) {
    job.fault = static_cast<std::uint32_t>(i);
    abi::RegionBinding binding;
    if (abi::decode(bindings.subspan(i * abi::wire_size<abi::RegionBinding>()), binding) != abi::Decoded::kOk) return Status::kBadField;
    if (const Status status = bind_region(job, i, binding); status != Status::kOk) return status;
    job.region_count = static_cast<std::uint8_t>(i + 1);
  }
  job.fault = 0;
  return Status::kOk;
}

void RequestProcessor::submit(TimePoint now, const Request& request) {
  constexpr std::size_t kBinding = abi::wire_size<abi::RegionBinding>();
  std::span<const std::byte> rest = request.body;
  abi::Submit body;
  const abi::Decoded decoded = abi::decode(rest, body);
  if (decoded == abi::Decoded::kTooShort) return refuse(now, request, Status::kBadLength);
  if (decoded == abi::Decoded::kReservedNotZero || body.count == 0) return refuse(now, request, Status::kBadField);
  rest = rest.subspan(abi::wire_size<abi::Submit>());
  // First pass: what makes the whole message unusable, so that either every job of it gets a completion or none is taken.
  Context& context = *contexts_.find(request.header.context);
  std::array<std::uint64_t, abi::kQueues> last{};
  for (std::size_t i = 0; i < abi::kQueues; ++i) last[i] = context.queues[i].submitted;
  std::span<const std::byte> check = rest;
  for (std::uint32_t i = 0; i < body.count; ++i) {
    abi::JobRecord record;
    const abi::Decoded job_decoded = abi::decode(check, record);
    if (job_decoded == abi::Decoded::kTooShort) return refuse(now, request, Status::kBadLength, i);
    check = check.subspan(abi::wire_size<abi::JobRecord>());
    if (job_decoded == abi::Decoded::kReservedNotZero || record.queue >= abi::kQueues || record.region_count > abi::kRegionsMax || record.fence != last[record.queue] + 1 ||
        !names_its_lease(record))
      return refuse(now, request, Status::kBadField, i);
    last[record.queue] = record.fence;
    if (check.size() < record.region_count * kBinding) return refuse(now, request, Status::kBadLength, i);
    check = check.subspan(record.region_count * kBinding);
  }
  if (!check.empty()) return refuse(now, request, Status::kBadLength, body.count);

  ++submits_unanswered_;
  for (std::uint32_t i = 0; i < body.count; ++i) {
    abi::JobRecord record;
    static_cast<void>(abi::decode(rest, record));
    rest = rest.subspan(abi::wire_size<abi::JobRecord>());
    Job& job = scheduler_.take_job();
    job.context = request.header.context;
    job.queue = record.queue;
    job.fence = record.fence;
    const std::uint64_t cycles_max = state_.chip().job_cycles_max;
    job.cycle_budget = record.cycle_budget == 0 ? cycles_max : std::min(record.cycle_budget, cycles_max);
    job.lease_use = record.lease_use;
    job.lease = record.lease;
    job.answers_request = i + 1 == body.count;
    job.decided = bind(job, record, rest);
    rest = rest.subspan(record.region_count * kBinding);
    scheduler_.submit(job);
  }
}

void RequestProcessor::cancel(TimePoint now, const Request& request) {
  abi::Cancel body;
  if (!take_body(now, request, body)) return;
  if (body.queue >= abi::kQueues) return refuse(now, request, Status::kBadField);
  const Timeline& timeline = contexts_.find(request.header.context)->queues[body.queue];
  if (body.fence == 0 || body.fence > timeline.submitted) return refuse(now, request, Status::kBadRange);
  scheduler_.cancel(now, request.header.context, body.queue, body.fence);
  reply(now, request.header, {});
}

void RequestProcessor::reset(TimePoint now) {
  for (WaitingRead& read : waiting_) reply(now, read.header, {.status = Status::kReset});
  waiting_.clear();
  contexts_.for_each([&](Context& context) {
    objects_.free_all_of(context.id);
    contexts_.close(context.id);
  });
  scheduler_.scrub_sram();
  static_cast<void>(scheduler_.take_answered());
  submits_unanswered_ = 0;
}

}  // namespace naru::mockdev
