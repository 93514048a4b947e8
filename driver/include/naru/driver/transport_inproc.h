// A transport straight to a usb::Function in this process: deterministic, on the device's own clock.
#pragma once

#include <memory>
#include <string>

#include "naru/driver/transport.h"
#include "naru/usb/function.h"

namespace naru::driver {

struct InprocOptions {
  std::string selector = "mock";  // what info() says opens the same device again
};

/// Owns (or borrows) a device and lets its time pass in wait() only, up to the next event. No thread, no descriptor; the same calls give the
/// same completions at the same modelled times. Allocates only when more transfers are in flight than ever before.
class NARU_API InprocTransport final : public Transport {
 public:
  explicit InprocTransport(std::unique_ptr<usb::Function> function, InprocOptions options = {});
  /// Borrows: `function` outlives the transport, and may be opened again after it.
  explicit InprocTransport(usb::Function& function, InprocOptions options = {});
  ~InprocTransport() override;

  [[nodiscard]] const TransportInfo& info() const noexcept override;
  [[nodiscard]] const Clock& clock() const noexcept override;
  [[nodiscard]] Result<Ticket> submit(const Transfer& transfer) override;
  void cancel(Ticket ticket) override;
  [[nodiscard]] std::size_t poll(std::span<TransferCompletion> completions) override;
  void wait(TimePoint until) override;
  void wake() noexcept override;
  [[nodiscard]] int pollable_descriptor() const noexcept override;

  /// Pulls the cable, for tests: what is in flight ends as kDeviceLost, and so does every later call.
  void unplug();
  [[nodiscard]] usb::Function& function() noexcept;

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace naru::driver
