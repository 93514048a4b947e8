// The faults of the catalogue that a cable can have, one per number of a transfer.
#include "tampered_transport.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace naru::driver::test {

const char* name_of(Fault fault) {
  switch (fault) {
    case Fault::kNone: return "none";
    case Fault::kLostAtSubmit: return "lost at submit";
    case Fault::kLostInFlight: return "lost in flight";
    case Fault::kStalled: return "stalled";
    case Fault::kFailed: return "failed";
    case Fault::kTimeout: return "timeout";
    case Fault::kCancelled: return "cancelled";
    case Fault::kOverflow: return "overflow";
    case Fault::kHostMemory: return "host memory";
    case Fault::kHostMemoryAtSubmit: return "host memory at submit";
    case Fault::kShort: return "short";
    case Fault::kNeverEnds: return "never ends";
  }
  return "?";
}

Result<Ticket> TamperedTransport::submit(const Transfer& transfer) {
  if (in_wait_ && std::exchange(tampering_.throws_in_wait, false)) throw std::bad_alloc();
  if (lost_) return fail(ErrorId::kDeviceLost, "The cable is out");
  const bool hit = tampering_.fault != Fault::kNone && tampering_.submits++ == tampering_.at;
  if (tampering_.fault == Fault::kNone) ++tampering_.submits;
  if (!hit) {
    auto ticket = inner_->submit(transfer);
    if (ticket) known_.push_back({*ticket, transfer});
    std::uint64_t flying = 0;
    for (const Known& known : known_) flying += known.transfer.buffer.size() > tampering_.message_bytes ? known.transfer.buffer.size() : 0;
    tampering_.joining_outs += transfer.kind == TransferKind::kBulkOut && transfer.may_join;
    tampering_.flying_payload_max = std::max(tampering_.flying_payload_max, flying);
    return ticket;
  }
  tampering_.hit = true;
  const auto own = Ticket{++next_own_};
  const auto end = [&](TransferStatus status, std::size_t bytes) {
    hold({.ticket = own, .status = status, .bytes = bytes}, clock().now());
    return own;
  };
  switch (tampering_.fault) {
    case Fault::kNone: break;
    case Fault::kLostAtSubmit:
    case Fault::kLostInFlight:
      lost_ = true;
      for (const Known& known : known_) {
        inner_->cancel(known.ticket);
        hold({.ticket = known.ticket, .status = TransferStatus::kDeviceLost, .bytes = 0}, clock().now());
      }
      for (Held& held : held_) held.due = clock().now();
      if (tampering_.fault == Fault::kLostAtSubmit) return fail(ErrorId::kDeviceLost, "The cable is out");
      return end(TransferStatus::kDeviceLost, 0);
    case Fault::kStalled: return end(TransferStatus::kStalled, 0);
    case Fault::kFailed: return end(TransferStatus::kFailed, 0);
    case Fault::kTimeout: return end(TransferStatus::kTimeout, transfer.buffer.size() / 2);
    case Fault::kCancelled: return end(TransferStatus::kCancelled, transfer.buffer.size() / 2);
    case Fault::kOverflow: return end(TransferStatus::kOverflow, 0);
    case Fault::kHostMemory: return end(TransferStatus::kHostMemory, 0);
    case Fault::kHostMemoryAtSubmit: return fail(ErrorId::kHostMemory, "This host has no memory for USB");
    case Fault::kShort: return end(TransferStatus::kOk, transfer.buffer.size() / 2);
    case Fault::kNeverEnds:
      hold({.ticket = own, .status = TransferStatus::kTimeout, .bytes = 0}, transfer.timeout > Duration::zero() ? clock().after(transfer.timeout) : kForever);
      return own;
  }
  return own;
}

void TamperedTransport::cancel(Ticket ticket) {
  for (Held& held : held_) {
    if (held.completion.ticket != ticket) continue;
    if (held.due > clock().now()) held.completion.status = TransferStatus::kCancelled;
    held.due = clock().now();
    return;
  }
  if (tampering_.cancels_late && !lost_) {
    // The device was quicker: what it had sent before it heard of this counts.
    const TimePoint until = clock().after(std::chrono::milliseconds(1));
    std::array<TransferCompletion, 16> completions;
    do {
      inner_->wait(until);
      const std::size_t count = find_inner(completions);
      if (count == 0) break;
      kept_.insert(kept_.end(), completions.begin(), completions.begin() + static_cast<std::ptrdiff_t>(count));
    } while (clock().now() < until);
  }
  inner_->cancel(ticket);
}

std::size_t TamperedTransport::poll(std::span<TransferCompletion> completions) {
  std::size_t count = 0;
  for (; count < completions.size() && !kept_.empty(); kept_.pop_front()) completions[count++] = kept_.front();
  return count == completions.size() ? count : count + find(completions.subspan(count));
}

std::size_t TamperedTransport::find(std::span<TransferCompletion> completions) {
  std::size_t count = 0;
  for (auto held = held_.begin(); held != held_.end() && count < completions.size();) {
    if (held->due > clock().now()) {
      ++held;
      continue;
    }
    completions[count++] = held->completion;
    held = held_.erase(held);
  }
  return count + (lost_ ? 0 : find_inner(completions.subspan(count)));
}

std::size_t TamperedTransport::find_inner(std::span<TransferCompletion> completions) {
  const std::size_t count = inner_->poll(completions);
  for (std::size_t i = 0; i < count; ++i) {
    TransferCompletion& completion = completions[i];
    const auto known = std::ranges::find_if(known_, [&](const Known& item) { return item.ticket == completion.ticket; });
    if (known == known_.end()) continue;
    const Transfer transfer = known->transfer;
    known_.erase(known);
    if (completion.status != TransferStatus::kOk) continue;
    if (transfer.kind == TransferKind::kControl && transfer.setup.is_in() && tampering_.on_control)
      tampering_.on_control(transfer.setup, transfer.buffer.first(completion.bytes), completion);
    if (transfer.kind == TransferKind::kBulkIn && transfer.buffer.size() == tampering_.message_bytes && tampering_.on_message) {
      std::vector<std::byte> bytes(transfer.buffer.begin(), transfer.buffer.begin() + static_cast<std::ptrdiff_t>(completion.bytes));
      tampering_.on_message(bytes);
      bytes.resize(std::min(bytes.size(), transfer.buffer.size()));
      if (!bytes.empty()) std::memcpy(transfer.buffer.data(), bytes.data(), bytes.size());
      completion.bytes = bytes.size();
    }
  }
  return count;
}

void TamperedTransport::wait(TimePoint until) {
  for (const Held& held : held_) until = std::min(until, held.due);
  if (kept_.empty() && until > clock().now()) inner_->wait(until);
}

void TamperedTransport::wait_with(TimePoint until, CompletionSink& sink) {
  wait(until);
  in_wait_ = true;
  std::array<TransferCompletion, 4> completions;
  const std::size_t count = find(completions);
  for (const TransferCompletion& completion : std::span(completions).first(count))
    if (!kept_.empty() || completion.status != TransferStatus::kOk || !sink.on_found(completion)) kept_.push_back(completion);
  while (tampering_.floods && kept_.empty()) {
    const auto posted = std::ranges::find_if(known_, [&](const Known& item) { return item.transfer.kind == TransferKind::kBulkIn && item.transfer.buffer.size() == tampering_.message_bytes; });
    if (posted == known_.end()) break;
    const TransferCompletion empty{.ticket = posted->ticket, .status = TransferStatus::kOk, .bytes = 0};
    inner_->cancel(posted->ticket);
    known_.erase(posted);
    ++tampering_.flooded;
    if (!sink.on_found(empty)) kept_.push_back(empty);
  }
  in_wait_ = false;
}

}  // namespace naru::driver::test
