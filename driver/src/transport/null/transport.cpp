// The smallest legal transport: every transfer is done when it is submitted. Copy this file to begin a new one.
#include "naru/driver/transport_null.h"

#include <algorithm>
#include <atomic>
#include <deque>

#include "transport/check.h"

namespace naru::driver {
namespace {

class NullTransport final : public Transport {
 public:
  NullTransport() {
    info_.scheme = info_.selector = "null";
    info_.virtual_time = true;
    const usb::EndpointDescription endpoints[] = {{.address = 0x01}, {.address = 0x81}, {.address = 0x82, .type = usb::EndpointType::kInterrupt, .packet_bytes = 16}};
    endpoints_ = transport::find_endpoints(endpoints);
  }

  const TransportInfo& info() const noexcept override { return info_; }
  const Clock& clock() const noexcept override { return clock_; }

  Result<Ticket> submit(const Transfer& transfer) override {
    NARU_CHECK_OK(transport::check(transfer, endpoints_));
    TransferCompletion completion{.ticket = static_cast<Ticket>(++last_ticket_)};
    if (transfer.kind == TransferKind::kControl) completion.status = TransferStatus::kStalled;
    if (transfer.kind == TransferKind::kBulkOut) completion.bytes = transfer.buffer.size();
    done_.push_back(completion);
    return completion.ticket;
  }
  void cancel(Ticket) override {}  // nothing is ever in flight
  std::size_t poll(std::span<TransferCompletion> completions) override {
    const std::size_t count = std::min(completions.size(), done_.size());
    std::copy_n(done_.begin(), count, completions.begin());
    done_.erase(done_.begin(), done_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  void wait(TimePoint until) override {
    if (woken_.exchange(false) || !done_.empty() || until == kForever) return;
    clock_.advance_to(until);
  }
  void wake() noexcept override { woken_ = true; }
  int pollable_descriptor() const noexcept override { return -1; }

 private:
  TransportInfo info_;
  VirtualClock clock_;
  transport::Endpoints endpoints_;
  std::deque<TransferCompletion> done_;
  std::uint64_t last_ticket_ = 0;
  std::atomic<bool> woken_{false};
};

}  // namespace

std::unique_ptr<Transport> make_null_transport() { return std::make_unique<NullTransport>(); }

}  // namespace naru::driver
