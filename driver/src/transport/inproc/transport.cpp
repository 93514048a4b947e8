// Transfers as urbs of a software host controller, on the device's clock. Time passes in wait() only: it steps the device to the next event,
// the next deadline or the caller's limit, whichever comes first.
#include "naru/driver/transport_inproc.h"

#include <algorithm>
#include <atomic>

#include "naru/usb/host_controller.h"
#include "transport/check.h"
#include "transport/slots.h"

namespace naru::driver {
namespace {

using usb::UrbStatus;

// Host work between two looks at wake(): roughly a millisecond.
constexpr std::uint64_t kStepBudget = 1000;
// Bound on steps at one instant of device time. A device that reports progress for ever without its clock moving is at fault; wait() then
// returns, which its contract allows.
constexpr unsigned kStepsPerInstantMax = 1u << 20;

TransferStatus to_transfer_status(UrbStatus status) noexcept {
  switch (status) {
    case UrbStatus::kOk:
    case UrbStatus::kShort: return TransferStatus::kOk;
    case UrbStatus::kStalled: return TransferStatus::kStalled;
    case UrbStatus::kCancelled: return TransferStatus::kCancelled;
    case UrbStatus::kOverflow: return TransferStatus::kOverflow;
    case UrbStatus::kNoDevice: return TransferStatus::kDeviceLost;
    case UrbStatus::kPending:
    case UrbStatus::kNoEndpoint:
    case UrbStatus::kFault: break;
  }
  return TransferStatus::kFailed;
}

struct Slot : usb::Urb {
  Ticket ticket = Ticket::kNone;
  usb::SpanMemory bytes;
  TimePoint deadline = kForever;
  bool timed_out = false;
};

}  // namespace

class InprocTransport::Core {
 public:
  Core(std::unique_ptr<usb::Function> owned, usb::Function& function, InprocOptions options) : owned_(std::move(owned)), function_(function), controller_(function) {
    const usb::DeviceDescription& description = function.description();
    endpoints_ = transport::find_endpoints(description.endpoints);
    info_.scheme = "mock";
    info_.selector = std::move(options.selector);
    info_.serial = description.serial;
    info_.speed = description.speed;
    info_.bulk_packet_bytes = endpoints_.bulk_in.packet_bytes;
    info_.vendor_id = description.vendor_id;
    info_.product_id = description.product_id;
    info_.virtual_time = function.clock().is_virtual();
  }

  Result<Ticket> submit(const Transfer& transfer) {
    NARU_CHECK_OK(transport::check(transfer, endpoints_));
    if (!controller_.plugged()) return fail(transport::lost_error(info_));
    Slot* slot = slots_.take();
    if (slot == nullptr) return fail(ErrorId::kHostMemory, "Too many transfers are in flight");
    const Ticket ticket = slot->ticket;
    slot->timed_out = false;
    slot->deadline = kForever;
    static_cast<usb::Urb&>(*slot) = usb::Urb{.endpoint = endpoints_.address_of(transfer.kind), .setup = transfer.setup, .length = transfer.buffer.size(), .memory = &slot->bytes};
    slot->bytes = usb::SpanMemory(transfer.buffer);
    switch (transfer.kind) {
      case TransferKind::kClearHaltOut:
      case TransferKind::kClearHaltIn:
        end_at_once(*slot, controller_.clear_halt(slot->endpoint) ? TransferStatus::kOk : TransferStatus::kStalled);
        return ticket;
      case TransferKind::kReset:
        controller_.bus_reset();
        end_at_once(*slot, TransferStatus::kOk);
        return ticket;
      default: break;
    }
    slot->zero_packet = transfer.kind == TransferKind::kBulkOut && transfer.ends_with_short_packet;
    if (transfer.timeout != Duration::zero()) slot->deadline = clock().after(transfer.timeout);
    earliest_deadline_ = std::min(earliest_deadline_, slot->deadline);
    controller_.submit(*slot);
    return ticket;
  }

  void cancel(Ticket ticket) {
    if (Slot* slot = slots_.find(ticket)) controller_.cancel(*slot);
  }

  std::size_t poll(std::span<TransferCompletion> completions) {
    if (!has_completions()) controller_.pump();
    std::size_t count = 0;
    while (count < completions.size()) {
      if (usb::Urb* urb = controller_.reap()) {
        completions[count++] = complete(static_cast<Slot&>(*urb));
      } else if (ended_at_once_.first != ended_at_once_.entries.size()) {
        completions[count++] = ended_at_once_.entries[ended_at_once_.first++];
      } else {
        ended_at_once_.entries.clear();
        ended_at_once_.first = 0;
        break;
      }
    }
    return count;
  }

  void wait(TimePoint until) {
    TimePoint instant = clock().now();
    controller_.pump();
    for (unsigned steps = 0; steps < kStepsPerInstantMax; ++steps) {
      if (woken_.load(std::memory_order_relaxed) && woken_.exchange(false, std::memory_order_acquire)) return;
      if (has_completions() || !controller_.plugged()) return;
      const TimePoint now = clock().now();
      if (now >= earliest_deadline_ && expire(now)) return;
      if (now >= until) return;
      if (now != instant) {
        instant = now;
        steps = 0;
      }
      const TimePoint target = std::min(until, earliest_deadline_);
      const usb::StepResult result = controller_.step(target, kStepBudget);
      if (result.progressed || clock().now() != now || result.next < target) continue;
      // The device has nothing to do before the target, and its clock stands still. A deadline still comes; for ever does not.
      if (target != kForever) expire(target);
      return;
    }
  }

  void unplug() { controller_.unplug(); }

  const TransportInfo& info() const noexcept { return info_; }
  const Clock& clock() const noexcept { return function_.clock(); }
  usb::Function& function() noexcept { return function_; }
  void wake() noexcept { woken_.store(true, std::memory_order_release); }

 private:
  bool has_completions() const noexcept { return controller_.has_completed() || ended_at_once_.first != ended_at_once_.entries.size(); }

  void end_at_once(Slot& slot, TransferStatus status) {
    ended_at_once_.entries.push_back({.ticket = slot.ticket, .status = status, .bytes = 0});
    slots_.give_back(slot);
  }

  TransferCompletion complete(Slot& slot) noexcept {
    TransferCompletion completion{.ticket = slot.ticket, .status = to_transfer_status(slot.status), .bytes = slot.actual};
    if (completion.status == TransferStatus::kCancelled && slot.timed_out) completion.status = TransferStatus::kTimeout;
    if (completion.status == TransferStatus::kOverflow) completion.bytes = 0;
    slots_.give_back(slot);
    return completion;
  }

  /// Ends what is due at `now`; true when something was.
  bool expire(TimePoint now) {
    bool expired = false;
    earliest_deadline_ = kForever;
    for (const auto& slot : slots_.all()) {
      if (slot->ticket == Ticket::kNone || slot->status != UrbStatus::kPending) continue;
      if (slot->deadline <= now) {
        slot->timed_out = true;
        expired = controller_.cancel(*slot) || expired;
      } else {
        earliest_deadline_ = std::min(earliest_deadline_, slot->deadline);
      }
    }
    return expired;
  }

  std::unique_ptr<usb::Function> owned_;
  usb::Function& function_;
  usb::HostController controller_;
  TransportInfo info_;
  transport::Endpoints endpoints_;
  transport::Slots<Slot> slots_;
  struct {
    std::vector<TransferCompletion> entries;
    std::size_t first = 0;
  } ended_at_once_;
  TimePoint earliest_deadline_ = kForever;  // a lower bound: what completes leaves it
  std::atomic<bool> woken_{false};
};

InprocTransport::InprocTransport(std::unique_ptr<usb::Function> function, InprocOptions options) {
  usb::Function& borrowed = *function;
  core_ = std::make_unique<Core>(std::move(function), borrowed, std::move(options));
}
InprocTransport::InprocTransport(usb::Function& function, InprocOptions options) : core_(std::make_unique<Core>(nullptr, function, std::move(options))) {}
InprocTransport::~InprocTransport() = default;

const TransportInfo& InprocTransport::info() const noexcept { return core_->info(); }
const Clock& InprocTransport::clock() const noexcept { return core_->clock(); }
Result<Ticket> InprocTransport::submit(const Transfer& transfer) { return core_->submit(transfer); }
void InprocTransport::cancel(Ticket ticket) { core_->cancel(ticket); }
std::size_t InprocTransport::poll(std::span<TransferCompletion> completions) { return core_->poll(completions); }
void InprocTransport::wait(TimePoint until) { core_->wait(until); }
void InprocTransport::wake() noexcept { core_->wake(); }
int InprocTransport::pollable_descriptor() const noexcept { return -1; }
void InprocTransport::unplug() { core_->unplug(); }
usb::Function& InprocTransport::function() noexcept { return core_->function(); }

}  // namespace naru::driver
