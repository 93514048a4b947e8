// Buffers, streams, and the reads and writes of their bytes.
#include <fmt/format.h>

#include <utility>

#include "core.h"
#include "naru/base/bytes.h"
#include "naru/base/check.h"
#include "naru/verify/verify.h"
#include "status.h"

namespace naru::driver {
namespace {

tl::unexpected<Error> no_slot(std::uint32_t requests_max) {
  return fail(Error(ErrorId::kDeviceBusy, fmt::format("More than {} requests are unfinished", requests_max)).with_remedy("Wait for some of them to end, and repeat."));
}

}  // namespace

// ---- requests that are waited for ----

/// Waits for the request's end, gives its slot back and tells what was made.
Result<abi::Handle> Core::finish_waiting(std::uint16_t index) {
  Slot& slot = slots_[index];
  pump_out();
  run_until([&] { return slot.terminal; }, kForever);
  NARU_CHECK(slot.terminal);
  Result<abi::Handle> result = slot.handle;
  if (slot.error) result = fail(*slot.error);
  slot.detached = true;
  free_if_over(index);
  return result;
}

void Core::make_room() {
  // What frees objects ends without anybody's doing; a ticket's slot is its holder's to give back.
  if (slots_.free_count() <= kSlotsForDriver) run_until([this] { return slots_.free_count() > kSlotsForDriver || !slots_.any_detached(); }, kForever);
}

Result<Buffer> Core::create_buffer(std::uint64_t bytes) {
  make_room();
  NARU_CHECK_OK(usable());
  if (bytes == 0) return fail(ErrorId::kInvalidArgument, "A buffer has at least 1 byte");
  if (bytes > chip_.dram_bytes) return fail(ErrorId::kDeviceOutOfMemory, fmt::format("Buffer needs {} bytes; the device has {}", bytes, chip_.dram_bytes));
  const std::uint16_t index = acquire(abi::MessageType::kCreateBuffer, false);
  if (index == kNoSlot) return no_slot(options_.unfinished_requests_max);
  Slot& slot = slots_[index];
  slot.bytes = bytes;
  enqueue(index);
  const std::uint32_t era = era_;
  auto handle = finish_waiting(index);
  if (!handle) return fail(std::move(handle).error().while_doing(fmt::format("creating a buffer of {} bytes", bytes)));
  return Buffer(shared_from_this(), *handle, bytes, era);
}

Result<Stream> Core::load_stream(std::span<const std::byte> bytes, const abi::Chip* verified_for) {
  make_room();
  NARU_CHECK_OK(usable());
  Stream stream;
  if (!options_.streams_verified && (verified_for == nullptr || *verified_for != chip_)) {
    NARU_TRY(const verify::Report report, verify::verify_stream(bytes, chip_));
    stream.cycles_worst_ = report.cycles_worst;
  }
  abi::StreamHeader header;
  std::span<const std::byte> rest = bytes;
  if (bytes.size() > abi::kStreamBytesMax || abi::decode(rest, header) != abi::Decoded::kOk || header.magic != abi::kStreamMagic || header.region_count > abi::kRegionsMax)
    return fail(ErrorId::kStreamTruncated, fmt::format("{} bytes are no command stream", bytes.size()));
  rest = rest.subspan(abi::wire_size<abi::StreamHeader>());
  for (std::uint32_t i = 0; i < header.region_count; ++i) {
    abi::RegionDeclaration region;
    if (abi::decode(rest, region) != abi::Decoded::kOk) return fail(ErrorId::kStreamTruncated, fmt::format("Command stream ends in the declaration of region {}", i));
    rest = rest.subspan(abi::wire_size<abi::RegionDeclaration>());
    stream.regions_.push_back(region);
  }
  const std::uint16_t index = acquire(abi::MessageType::kLoadStream, false);
  if (index == kNoSlot) return no_slot(options_.unfinished_requests_max);
  Slot& slot = slots_[index];
  slot.bytes = bytes.size();
  slot.source = bytes.data();
  stream.era_ = era_;
  enqueue(index);
  auto handle = finish_waiting(index);
  if (!handle) return fail(std::move(handle).error().while_doing(fmt::format("loading a command stream of {} bytes", bytes.size())));
  stream.handle_ = *handle;
  stream.core_ = shared_from_this();
  return stream;
}

void Core::free_object(abi::MessageType type, abi::Handle handle, std::uint32_t era) noexcept {
  if (handle == 0 || !is_alive(era) || !transport_) return;
  try {
    const std::uint16_t index = acquire(type, true);
    if (index == kNoSlot) {
      orphans_.push_back({type, handle, era});
      return;
    }
    slots_[index].handle = handle;
    enqueue(index);
    if (!polling_) pump_out();
  } catch (...) {
    // No memory to remember it by: the device frees it with the context.
  }
}

// ---- reads and writes ----

/// What check_range() found.
Error Core::range_error(const Buffer* buffer, std::uint64_t offset, std::uint64_t bytes, std::string_view what) const {
  if (buffer == nullptr || !buffer->valid()) return Error(ErrorId::kInvalidArgument, fmt::format("The {} names no buffer", what));
  if (buffer->core_.get() != this) return Error(ErrorId::kHandleInvalid, fmt::format("The {} names a buffer of another device", what));
  if (buffer->era_ != era_) return Error(ErrorId::kHandleInvalid, fmt::format("The {} names a buffer whose context was given up by a recovery or reset", what));
  if (bytes == 0) return Error(ErrorId::kInvalidArgument, fmt::format("The {} has no bytes", what));
  return Error(ErrorId::kInvalidArgument, fmt::format("The {} covers bytes {} to {} of a buffer of {}", what, offset, offset + bytes, buffer->bytes_));
}

Result<std::uint16_t> Core::start_access(abi::MessageType type, const Buffer& buffer, std::uint64_t offset, const std::byte* source, std::byte* target, std::uint64_t bytes,
                                         Fence after) {
  NARU_CHECK_OK(usable());
  NARU_CHECK_OK(check_range(&buffer, offset, bytes, name_of(type)));
  if (after.value != 0) {
    if (after.queue >= abi::kQueues || after.era != era_ || after.value > timelines_[after.queue].last_fence)
      return fail(ErrorId::kInvalidArgument, fmt::format("There is no fence {} on queue {}", after.value, after.queue));
  }
  const std::uint16_t index = acquire(type, false);
  if (index == kNoSlot) return no_slot(options_.unfinished_requests_max);
  Slot& slot = slots_[index];
  slot.handle = buffer.handle_;
  slot.offset = offset;
  slot.bytes = bytes;
  slot.source = source;
  slot.target = target;
  slot.fence = after.value;
  slot.queue = after.queue;
  enqueue_access(index);
  return index;
}

bool Operation::done() const noexcept { return !core_ || core_->slot(slot_).terminal; }

Result<void> Operation::wait() {
  return guarded([&]() -> Result<void> {
    if (!core_) return fail(ErrorId::kWrongThreadOrState, "This ticket is empty");
    core_->run_until([this] { return done(); }, kForever);
    return result();
  });
}

Result<void> Operation::result() const {
  if (!core_) return fail(ErrorId::kWrongThreadOrState, "This ticket is empty");
  const Slot& slot = core_->slot(slot_);
  if (!slot.terminal) return fail(ErrorId::kWrongThreadOrState, "The operation has not ended");
  if (slot.error) return fail(*slot.error);
  return {};
}

// ---- handles ----

Buffer::Buffer(std::shared_ptr<Core> core, abi::Handle handle, std::uint64_t bytes, std::uint32_t era) noexcept
    : core_(std::move(core)), handle_(handle), bytes_(bytes), era_(era) {}
Buffer::Buffer(Buffer&& other) noexcept : core_(std::move(other.core_)), handle_(std::exchange(other.handle_, 0)), bytes_(std::exchange(other.bytes_, 0)), era_(other.era_) {}
Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    release();
    core_ = std::move(other.core_);
    handle_ = std::exchange(other.handle_, 0);
    bytes_ = std::exchange(other.bytes_, 0);
    era_ = other.era_;
  }
  return *this;
}
Buffer::~Buffer() { release(); }
void Buffer::release() noexcept {
  if (core_) core_->free_object(abi::MessageType::kFreeBuffer, handle_, era_);
  core_.reset();
  handle_ = 0;
}
bool Buffer::alive() const noexcept { return core_ && core_->is_alive(era_); }

Stream::Stream(Stream&& other) noexcept
    : core_(std::move(other.core_)), handle_(std::exchange(other.handle_, 0)), era_(other.era_), cycles_worst_(other.cycles_worst_), regions_(std::move(other.regions_)) {}
Stream& Stream::operator=(Stream&& other) noexcept {
  if (this != &other) {
    release();
    core_ = std::move(other.core_);
    handle_ = std::exchange(other.handle_, 0);
    era_ = other.era_;
    cycles_worst_ = other.cycles_worst_;
    regions_ = std::move(other.regions_);
  }
  return *this;
}
Stream::~Stream() { release(); }
void Stream::release() noexcept {
  if (core_) core_->free_object(abi::MessageType::kFreeStream, handle_, era_);
  core_.reset();
  handle_ = 0;
}
bool Stream::alive() const noexcept { return core_ && core_->is_alive(era_); }

}  // namespace naru::driver
