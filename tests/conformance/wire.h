// A transport with the few words that the conformance cases need: submit, and wait for that ticket's completion.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <vector>

#include "naru/abi/wire.h"
#include "naru/base/bytes.h"
#include "naru/driver/transport.h"

namespace naru::test {

using driver::Ticket;
using driver::Transfer;
using driver::TransferCompletion;
using driver::TransferKind;
using driver::TransferStatus;

class Wire {
 public:
  explicit Wire(std::unique_ptr<driver::Transport> transport) : transport_(std::move(transport)) {}

  driver::Transport& operator*() { return *transport_; }
  driver::Transport* operator->() { return transport_.get(); }
  void close() { transport_.reset(); }

  /// kNone when submit() refused; the reason is in last_error().
  Ticket submit(const Transfer& transfer) {
    auto ticket = transport_->submit(transfer);
    if (ticket) return *ticket;
    last_error_ = ticket.error();
    return Ticket::kNone;
  }
  [[nodiscard]] const Error& last_error() const { return *last_error_; }

  Ticket out(std::span<std::byte> bytes, bool ends = true, Duration timeout = std::chrono::seconds(40)) {
    return submit({.kind = TransferKind::kBulkOut, .buffer = bytes, .ends_with_short_packet = ends, .timeout = timeout});
  }
  Ticket in(std::span<std::byte> bytes, Duration timeout = std::chrono::seconds(40)) { return submit({.kind = TransferKind::kBulkIn, .buffer = bytes, .timeout = timeout}); }
  Ticket control(std::uint8_t type, std::uint8_t request, std::uint16_t value, std::uint16_t index, std::span<std::byte> bytes) {
    return submit({.kind = TransferKind::kControl,
                   .setup = {.request_type = type, .request = request, .value = value, .index = index, .length = static_cast<std::uint16_t>(bytes.size())},
                   .buffer = bytes});
  }
  Ticket vendor(abi::ControlRequest request, std::uint16_t value, std::uint16_t index = 0, std::span<std::byte> bytes = {}, bool is_in = false) {
    return control(is_in ? 0xC0 : 0x40, static_cast<std::uint8_t>(request), value, index, bytes);
  }

  /// The completion of `ticket`; others that come meanwhile are kept. Fails the test, and says kFailed, when it does not come for 50 s.
  TransferCompletion completion(Ticket ticket) {
    if (ticket == Ticket::kNone) {
      ADD_FAILURE() << "not submitted: " << (last_error_ ? last_error_->to_string() : "");
      return {.ticket = ticket, .status = TransferStatus::kFailed};
    }
    const SteadyClock wall;
    const TimePoint end = wall.after(std::chrono::seconds(50));
    while (!found_.contains(ticket) && wall.now() < end) {
      if (poll_once() == 0) transport_->wait(transport_->clock().after(std::chrono::seconds(1)));
    }
    const auto entry = found_.find(ticket);
    if (entry == found_.end()) {
      ADD_FAILURE() << "no completion came for ticket " << static_cast<std::uint64_t>(ticket);
      return {.ticket = ticket, .status = TransferStatus::kFailed};
    }
    const TransferCompletion completion = entry->second;
    found_.erase(entry);
    return completion;
  }
  TransferStatus status(Ticket ticket) { return completion(ticket).status; }

  std::size_t poll_once() {
    std::array<TransferCompletion, 4> completions;
    const std::size_t count = transport_->poll(completions);
    for (std::size_t i = 0; i < count; ++i) keep(completions[i]);
    return count;
  }
  /// What a sink of wait_with() was handed.
  void keep(const TransferCompletion& completion) {
    EXPECT_TRUE(seen_.insert({completion.ticket, completion.status}).second) << "a ticket completed twice";
    found_[completion.ticket] = completion;
    order_.push_back(completion.ticket);
  }
  [[nodiscard]] const std::vector<Ticket>& order() const { return order_; }
  [[nodiscard]] std::size_t packet() const { return transport_->info().bulk_packet_bytes; }

 private:
  std::unique_ptr<driver::Transport> transport_;
  std::map<Ticket, TransferCompletion> found_;
  std::map<Ticket, TransferStatus> seen_;
  std::vector<Ticket> order_;
  std::optional<Error> last_error_;
};

inline std::vector<std::byte> pattern(std::size_t bytes, unsigned seed = 1) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>((i * 31 + (i >> 8) * 7 + seed) & 0xFF);
  return data;
}

}  // namespace naru::test
