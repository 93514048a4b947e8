// The handle table.
#include "core/objects.h"

namespace naru::mockdev {
namespace {

constexpr std::size_t kObjectsMax = 262144;
/// Streams live in an instruction memory of their own; decoded they take a multiple of it, which bounds host memory.
constexpr std::uint64_t kInstructionBytesMax = std::uint64_t{32} << 20;

}  // namespace

std::uint32_t ObjectTable::take_slot() {
  if (!free_slots_.empty()) {
    const std::uint32_t index = free_slots_.back();
    free_slots_.pop_back();
    return index;
  }
  if (slots_.size() >= kObjectsMax) return static_cast<std::uint32_t>(kObjectsMax);
  slots_.emplace_back();
  free_slots_.reserve(slots_.size());  // so that giving a slot back never allocates
  return static_cast<std::uint32_t>(slots_.size() - 1);
}

abi::Handle ObjectTable::create_buffer(std::uint32_t context, std::uint64_t bytes) {
  const std::optional<std::uint64_t> offset = memory_.allocate(bytes);
  if (!offset) return 0;
  const std::uint32_t index = take_slot();
  if (index >= kObjectsMax) {
    memory_.release(*offset, bytes);
    return 0;
  }
  Slot& slot = slots_[index];
  slot.kind = Kind::kBuffer;
  slot.context = context;
  slot.buffer = {*offset, bytes};
  return abi::make_handle(index, slot.generation);
}

abi::Handle ObjectTable::create_stream(std::uint32_t context, std::shared_ptr<const LoadedStream> stream, std::uint64_t encoded_bytes) {
  if (encoded_bytes > kInstructionBytesMax - stream_bytes_) return 0;
  const std::uint32_t index = take_slot();
  if (index >= kObjectsMax) return 0;
  Slot& slot = slots_[index];
  slot.kind = Kind::kStream;
  slot.context = context;
  slot.stream = std::move(stream);
  slot.stream_bytes = encoded_bytes;
  stream_bytes_ += encoded_bytes;
  return abi::make_handle(index, slot.generation);
}

const ObjectTable::Slot* ObjectTable::find(std::uint32_t context, abi::Handle handle, Kind kind) const noexcept {
  const std::uint32_t index = index_of(handle);
  if (index >= slots_.size()) return nullptr;
  const Slot& slot = slots_[index];
  const bool same = slot.kind == kind && slot.context == context && slot.generation == static_cast<std::uint32_t>(handle >> 32);
  return same ? &slot : nullptr;
}

const ObjectTable::Buffer* ObjectTable::find_buffer(std::uint32_t context, abi::Handle handle) const noexcept {
  const Slot* slot = find(context, handle, Kind::kBuffer);
  return slot != nullptr ? &slot->buffer : nullptr;
}

const LoadedStream* ObjectTable::find_stream(std::uint32_t context, abi::Handle handle) const noexcept {
  const Slot* slot = find(context, handle, Kind::kStream);
  return slot != nullptr ? slot->stream.get() : nullptr;
}

bool ObjectTable::free_buffer(std::uint32_t context, abi::Handle handle) noexcept {
  if (find(context, handle, Kind::kBuffer) == nullptr) return false;
  destroy(index_of(handle));
  return true;
}

bool ObjectTable::free_stream(std::uint32_t context, abi::Handle handle) noexcept {
  if (find(context, handle, Kind::kStream) == nullptr) return false;
  destroy(index_of(handle));
  return true;
}

void ObjectTable::free_all_of(std::uint32_t context) noexcept {
  for (std::uint32_t index = 0; index < slots_.size(); ++index) {
    const Slot& slot = slots_[index];
    if (slot.context == context && (slot.kind == Kind::kBuffer || slot.kind == Kind::kStream)) destroy(index);
  }
}

void ObjectTable::destroy(std::uint32_t index) noexcept {
  Slot& slot = slots_[index];
  if (slot.kind == Kind::kStream) stream_bytes_ -= std::exchange(slot.stream_bytes, 0);
  slot.kind = Kind::kDying;
  if (slot.pins == 0) recycle(index);
}

void ObjectTable::recycle(std::uint32_t index) noexcept {
  Slot& slot = slots_[index];
  if (slot.buffer.bytes != 0) memory_.release(slot.buffer.offset, slot.buffer.bytes);
  slot.buffer = {};
  slot.stream.reset();
  slot.kind = Kind::kFree;
  slot.context = 0;
  // A slot whose generations are used up rests for ever, so that no handle ever names two objects.
  if (++slot.generation != 0) free_slots_.push_back(index);
}

}  // namespace naru::mockdev
