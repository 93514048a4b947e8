// Requests on EP0: one at a time, waited for when a caller asks, started and forgotten when the watchdog or a recovery does.
#include <fmt/format.h>

#include <cstring>

#include "core.h"
#include "status.h"

namespace naru::driver {

bool Core::start_control(ControlPurpose purpose, bool in, abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::size_t bytes) {
  if (!transport_ || control_.ticket != Ticket::kNone || bytes > control_buffer_.size()) return false;
  const Transfer transfer{.kind = TransferKind::kControl,
                          .setup = {.request_type = static_cast<std::uint8_t>(in ? 0xC0 : 0x40),
                                    .request = static_cast<std::uint8_t>(request),
                                    .value = value,
                                    .index = index,
                                    .length = static_cast<std::uint16_t>(bytes)},
                          .buffer = std::span(control_buffer_).first(bytes),
                          .timeout = options_.timeouts.control};
  auto ticket = transport_->submit(transfer);
  if (!ticket) {
    if (ticket.error().kind() == ErrorKind::kDeviceLost) lose(std::move(ticket).error());
    return false;
  }
  ++counters_.control_transfers;
  control_ = {.ticket = *ticket, .purpose = purpose, .status = TransferStatus::kOk, .bytes = 0};
  return true;
}

void Core::on_control(const TransferCompletion& completion) {
  control_.ticket = Ticket::kNone;
  control_.status = completion.status;
  control_.bytes = std::min(completion.bytes, control_buffer_.size());
  if (completion.status == TransferStatus::kDeviceLost) return lose(error_of(completion.status, "an EP0 request"));
  switch (control_.purpose) {
    case ControlPurpose::kHeartbeat: return on_heartbeat(std::span<const std::byte>(control_buffer_).first(completion.status == TransferStatus::kOk ? control_.bytes : 0));
    case ControlPurpose::kRecovery: return recovery_control_ended();
    case ControlPurpose::kNone:
    case ControlPurpose::kCaller:
    case ControlPurpose::kEngineReset: return;
  }
}

namespace {

std::string control_name(abi::ControlRequest request) {
  switch (request) {
    case abi::ControlRequest::kIdentity: return "the identity request";
    case abi::ControlRequest::kChip: return "the chip request";
    case abi::ControlRequest::kState: return "the state request";
    case abi::ControlRequest::kCounters: return "the counters request";
    case abi::ControlRequest::kSensors: return "the sensors request";
    case abi::ControlRequest::kLog: return "the log request";
    case abi::ControlRequest::kReadRegister: return "a register read";
    case abi::ControlRequest::kWriteRegister: return "a register write";
    case abi::ControlRequest::kReset: return "the reset request";
    case abi::ControlRequest::kPipeMode: return "the pipe mode request";
  }
  return "an EP0 request";
}

}  // namespace

Result<std::size_t> Core::run_control(bool in, abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::span<const std::byte> out, std::size_t bytes) {
  if (state_ == State::kRecovering) run_until([this] { return state_ != State::kRecovering; }, kForever);
  run_until([this] { return control_.ticket == Ticket::kNone; }, kForever);
  if (!transport_) return fail(gone_error());
  if (!out.empty()) std::memcpy(control_buffer_.data(), out.data(), out.size());
  if (!start_control(ControlPurpose::kCaller, in, request, value, index, bytes)) {
    if (!transport_) return fail(gone_error());
    return fail(ErrorId::kTransferFailed, fmt::format("The cable did not take {}", control_name(request)));
  }
  run_until([this] { return control_.ticket == Ticket::kNone; }, kForever);
  if (!transport_) return fail(gone_error());
  if (control_.status != TransferStatus::kOk) return fail(error_of(control_.status, control_name(request)));
  return control_.bytes;
}

Result<std::span<const std::byte>> Core::control_in(abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::size_t bytes) {
  NARU_TRY(const std::size_t received, run_control(true, request, value, index, {}, bytes));
  return std::span<const std::byte>(control_buffer_).first(received);
}

Result<void> Core::control_out(abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::span<const std::byte> bytes) {
  NARU_TRY(const std::size_t taken, run_control(false, request, value, index, bytes, bytes.size()));
  if (taken != bytes.size())
    return fail(ErrorId::kProtocolViolation, fmt::format("The device took {} of {} bytes of {}", taken, bytes.size(), control_name(request)));
  return {};
}

}  // namespace naru::driver
