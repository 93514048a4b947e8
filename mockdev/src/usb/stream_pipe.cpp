// Loopback keeps transfers apart by segments, each from a packet boundary on; sink and source go round in their area, the source's holding one pattern.
#include "usb/stream_pipe.h"

#include <algorithm>

#include "faults/link_fault.h"
#include "naru/base/hash.h"

namespace naru::mockdev {
namespace {

constexpr std::uint64_t kMebibyte = 1u << 20;  // a multiple of the pattern's period of 65536, and of every packet

std::uint64_t area_bytes_of(abi::PipeMode mode, std::uint16_t mebibytes) {
  switch (mode) {
    case abi::PipeMode::kLoopback: return abi::kLoopbackBytesMax;
    case abi::PipeMode::kSink:
    case abi::PipeMode::kSource: return std::max<std::uint64_t>(mebibytes, 1) * kMebibyte;
    case abi::PipeMode::kMessages: break;
  }
  return 0;
}

}  // namespace

bool StreamPipe::set_mode(abi::PipeMode mode, std::uint16_t index, TimePoint now) {
  if (mode > abi::PipeMode::kSource) return false;
  const auto mebibytes = static_cast<std::uint16_t>(index & ~abi::kPipeChecksums);
  if (mebibytes > abi::kPipeMebibytesMax || (index != 0 && mode < abi::PipeMode::kSink)) return false;
  const std::uint64_t bytes = area_bytes_of(mode, mebibytes);
  // The old area goes only when the new one is there, so that a refusal changes nothing.
  const std::optional<std::uint64_t> offset = bytes != 0 ? memory_.allocate(bytes) : std::optional<std::uint64_t>(0);
  if (!offset) return false;
  if (area_bytes_ != 0) memory_.release(area_offset_, area_bytes_);
  mode_ = mode;
  area_offset_ = *offset;
  area_bytes_ = bytes;
  head_ = held_ = position_ = 0;
  checksums_ = (index & abi::kPipeChecksums) != 0;
  crc_ = 0;
  segments_.clear();
  out_lane_.reset(now);
  in_lane_.reset(now);
  if (mode == abi::PipeMode::kSource)
    for (std::uint64_t i = 0; i < bytes; ++i) area()[i] = source_byte(i);
  return true;
}

void StreamPipe::add_to_crc(std::uint64_t offset, std::size_t bytes) noexcept {
  if (checksums_) crc_ = crc32c(area().subspan(offset, bytes), crc_);
}

std::span<std::byte> StreamPipe::out_begin(TimePoint now) noexcept {
  if (out_lane_.room_from() > now) return {};
  if (mode_ == abi::PipeMode::kSink) return area().subspan(position_ % area_bytes_);
  if (mode_ != abi::PipeMode::kLoopback || held_ == area_bytes_) return {};
  return area().subspan(head_, std::min(area_bytes_ - head_, area_bytes_ - held_));
}

void StreamPipe::out_end(TimePoint now, std::size_t bytes, bool ends_transfer) {
  if (bytes == 0 && !ends_transfer) return;
  const TimePoint arrival = out_lane_.send(now, bytes);
  const std::uint64_t at = mode_ == abi::PipeMode::kLoopback ? head_ : position_ % area_bytes_;
  corrupt(state_, area().subspan(at, bytes));
  state_.counters.payload_in_bytes += bytes;
  state_.counters.landed_bytes += bytes;
  if (mode_ != abi::PipeMode::kLoopback) {
    add_to_crc(at, bytes);
    position_ += bytes;
    return;
  }
  segments_.push_back({.offset = head_, .bytes = bytes, .available = in_lane_.send(arrival, bytes), .ends_transfer = ends_transfer});
  const std::uint64_t used = align_up<std::uint64_t>(bytes, state_.packet_bytes());
  head_ = (head_ + used) % area_bytes_;
  held_ += used;
}

std::optional<usb::InOffer> StreamPipe::in_peek(TimePoint now) noexcept {
  if (mode_ == abi::PipeMode::kSource) {
    if (in_lane_.room_from() > now) return std::nullopt;
    const std::uint64_t at = position_ % area_bytes_;
    return usb::InOffer{area().subspan(at), false};
  }
  if (segments_.empty() || segments_.front().available > now) return std::nullopt;
  const Segment& segment = segments_.front();
  return usb::InOffer{area().subspan(segment.offset + segment.taken, segment.bytes - segment.taken), segment.ends_transfer};
}

void StreamPipe::in_done(TimePoint now, std::size_t bytes, bool completed) {
  state_.counters.payload_out_bytes += bytes;
  if (mode_ == abi::PipeMode::kSource) {
    add_to_crc(position_ % area_bytes_, bytes);
    position_ += bytes;
    in_lane_.send(now, bytes);
    return;
  }
  if (segments_.empty()) return;
  Segment& segment = segments_.front();
  segment.taken += std::min<std::uint64_t>(bytes, segment.bytes - segment.taken);
  if (segment.taken < segment.bytes || (segment.ends_transfer && !completed)) return;
  held_ -= align_up<std::uint64_t>(segment.bytes, state_.packet_bytes());
  segments_.pop_front();
}

TimePoint StreamPipe::next_event(TimePoint now) const noexcept {
  TimePoint next = kForever;
  const auto consider = [&](TimePoint time) {
    if (time > now) next = std::min(next, time);
  };
  if (mode_ != abi::PipeMode::kMessages) consider(out_lane_.room_from());
  if (mode_ == abi::PipeMode::kSource) consider(in_lane_.room_from());
  if (!segments_.empty()) consider(segments_.front().available);
  return next;
}

}  // namespace naru::mockdev
