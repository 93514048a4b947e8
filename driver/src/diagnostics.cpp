// What diagnostics and the bench need beyond jobs: bulk pipes without messages, and the device's log.
#include <fmt/format.h>

#include <bit>

#include "core.h"
#include "naru/base/bytes.h"
#include "status.h"

namespace naru::driver {
namespace {

constexpr std::uint16_t kLogBlockBytes = 1024;
constexpr std::uint16_t kLogBlocksMax = 64;

}  // namespace

Result<void> Core::set_pipe_mode(abi::PipeMode mode) {
  if (state_ == State::kRecovering || pipe_mode_ == abi::PipeMode::kMessages) NARU_CHECK_OK(usable());
  if (!transport_) return fail(gone_error());
  if (mode == pipe_mode_) return {};
  if (pipe_mode_ == abi::PipeMode::kMessages) {
    if (unanswered_ != 0 || !waiting_.empty() || !out_.empty()) return fail(Error(ErrorId::kDeviceBusy, "Requests are unfinished").with_remedy("Wait for them to end, and repeat."));
    sending_ = receiving_ = false;
    cancel_flights();
    run_until([this] { return in_.empty(); }, clock_->after(options_.timeouts.control));
    if (transport_ && !in_.empty()) lose(Error(ErrorId::kTransferFailed, "The cable did not end a cancelled transfer"));
    if (!transport_) return fail(gone_error());
  }
  NARU_CHECK_OK(control_out(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(mode), 0, {}));
  pipe_mode_ = mode;
  if (mode == abi::PipeMode::kMessages) {
    sending_ = receiving_ = true;
    pump_in();
  }
  return {};
}

Result<void> Core::raw_write(std::span<const std::byte> bytes, bool end_with_short_packet) {
  if (!transport_) return fail(gone_error());
  if (pipe_mode_ == abi::PipeMode::kMessages) return fail(ErrorId::kWrongThreadOrState, "The bulk pipes carry messages: set_pipe_mode() first");
  raw_error_.reset();
  std::size_t sent = 0;
  bool first = true;
  while ((first || sent < bytes.size()) && !raw_error_) {
    while (first || sent < bytes.size()) {
      const std::size_t chunk = std::min<std::size_t>(bytes.size() - sent, chunk_bytes_);
      if (!has_room(out_, chunk)) break;
      // Transports only read an OUT transfer's bytes.
      const std::span<std::byte> piece(const_cast<std::byte*>(bytes.data()) + sent, chunk);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
      const Transfer transfer{.kind = TransferKind::kBulkOut, .buffer = piece, .ends_with_short_packet = end_with_short_packet && sent + chunk == bytes.size(), .timeout = options_.timeouts.request};
      auto ticket = transport_->submit(transfer);
      if (!ticket) {
        if (ticket.error().id() == ErrorId::kHostMemory && !out_.empty()) break;
        raw_error_ = std::move(ticket).error();
        break;
      }
      out_.push({.ticket = *ticket, .kind = FlightKind::kRaw, .expected = static_cast<std::uint32_t>(chunk)});
      sent += chunk;
      first = false;
    }
    if (raw_error_ || sent == bytes.size()) break;
    const std::size_t before = out_.size();
    run_until([&] { return out_.size() < before; }, kForever);
    if (!transport_) return fail(gone_error());
  }
  if (raw_error_ && transport_) cancel_flights();
  run_until([this] { return out_.empty(); }, kForever);
  if (raw_error_ && raw_error_->kind() == ErrorKind::kDeviceLost) lose(*raw_error_);
  if (!transport_) return fail(gone_error());
  if (raw_error_) return fail(*raw_error_);
  return {};
}

Result<std::size_t> Core::raw_read(std::span<std::byte> bytes) {
  if (!transport_) return fail(gone_error());
  if (pipe_mode_ == abi::PipeMode::kMessages) return fail(ErrorId::kWrongThreadOrState, "The bulk pipes carry messages: set_pipe_mode() first");
  raw_error_.reset();
  raw_bytes_ = 0;
  std::size_t asked = 0;
  bool ended = false;
  while (asked < bytes.size() && !ended && !raw_error_) {
    while (asked < bytes.size() && has_room(in_, std::min<std::size_t>(bytes.size() - asked, chunk_bytes_))) {
      const std::size_t rest = bytes.size() - asked;
      const std::size_t whole = std::min<std::size_t>(rest, chunk_bytes_) / packet_bytes_ * packet_bytes_;
      Flight flight{.kind = FlightKind::kRaw, .data = bytes.data() + asked};
      Transfer transfer{.kind = TransferKind::kBulkIn, .timeout = options_.timeouts.request};
      if (whole > 0) {
        flight.expected = static_cast<std::uint32_t>(whole);
        transfer.buffer = bytes.subspan(asked, whole);
      } else {
        flight.tail = true;
        flight.buffer = static_cast<std::uint16_t>(std::countr_zero(free_tail_buffers_));
        flight.expected = static_cast<std::uint32_t>(rest);
        transfer.buffer = std::span(tail_buffers_[flight.buffer]).first(packet_bytes_);
      }
      auto ticket = transport_->submit(transfer);
      if (!ticket) {
        if (ticket.error().id() == ErrorId::kHostMemory && !in_.empty()) break;
        raw_error_ = std::move(ticket).error();
        break;
      }
      flight.ticket = *ticket;
      if (flight.tail) free_tail_buffers_ = static_cast<std::uint16_t>(free_tail_buffers_ & ~(1u << flight.buffer));
      in_.push(flight);
      asked += flight.expected;
    }
    if (raw_error_) break;
    // A short packet ends the answer: what was asked for beyond it is taken back.
    const std::size_t before = in_.size(), raw_before = raw_bytes_;
    const std::uint32_t due = in_.front().expected;
    run_until([&] { return in_.size() < before; }, kForever);
    if (!transport_) return fail(gone_error());
    ended = before - in_.size() == 1 && raw_bytes_ - raw_before < due;
  }
  if (transport_ && (ended || raw_error_)) {
    const bool by_us = !raw_error_;
    cancel_flights();
    run_until([this] { return in_.empty(); }, kForever);
    if (by_us) raw_error_.reset();
  }
  run_until([this] { return in_.empty(); }, kForever);
  if (raw_error_ && raw_error_->kind() == ErrorKind::kDeviceLost) lose(*raw_error_);
  if (!transport_) return fail(gone_error());
  if (raw_error_) return fail(*raw_error_);
  return raw_bytes_;
}

/// In blocks from the newest backwards; a device that says more than it was asked for, or for ever, is cut off.
Result<std::string> Core::read_log() {
  std::string text;
  for (std::uint16_t block = 0; block < kLogBlocksMax; ++block) {
    NARU_TRY(const auto bytes, control_in(abi::ControlRequest::kLog, block, 0, kLogBlockBytes));
    text.insert(0, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    if (bytes.size() < kLogBlockBytes) break;
  }
  for (char& letter : text)
    if (letter == '\0') letter = '?';
  return printable(text);
}

}  // namespace naru::driver
