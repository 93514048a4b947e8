// Puts a driver and a mock device together in one process: the `mock:` scheme, and the bench for users' own tests.
#include "naru/mock.h"

#include <fmt/format.h>

#include "naru/base/guard.h"
#include "naru/driver/discovery.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"

namespace naru::mock {
namespace {

constexpr std::string_view kDefaultProfile = "edge";

Result<std::unique_ptr<driver::Transport>> open_mock(std::string_view rest) {
  NARU_TRY(const profile::Profile chosen, profile::load(rest.empty() ? kDefaultProfile : rest));
  NARU_TRY(std::unique_ptr<mockdev::Device> device, mockdev::Device::create(chosen));
  return std::make_unique<driver::InprocTransport>(std::move(device), driver::InprocOptions{.selector = fmt::format("mock:{}", rest.empty() ? kDefaultProfile : rest)});
}

}  // namespace

/// The cable between a bench and the one device opened from it; tells the bench when it is let go.
class BenchTransport;

struct Bench::State {
  profile::Profile profile;
  std::unique_ptr<mockdev::Device> device;
  mockdev::PlantedFaults faults;
  bool plugged = true;
  BenchTransport* open = nullptr;
};

class BenchTransport final : public driver::Transport {
 public:
  BenchTransport(std::shared_ptr<Bench::State> state, std::string selector) : state_(std::move(state)), cable_(*state_->device, driver::InprocOptions{.selector = std::move(selector)}) {
    state_->open = this;
  }
  ~BenchTransport() override { state_->open = nullptr; }

  const driver::TransportInfo& info() const noexcept override { return cable_.info(); }
  const Clock& clock() const noexcept override { return cable_.clock(); }
  Result<driver::Ticket> submit(const driver::Transfer& transfer) override { return cable_.submit(transfer); }
  void flush() noexcept override { cable_.flush(); }
  void cancel(driver::Ticket ticket) override { cable_.cancel(ticket); }
  std::size_t poll(std::span<driver::TransferCompletion> completions) override { return cable_.poll(completions); }
  void wait(TimePoint until) override { cable_.wait(until); }
  void wake() noexcept override { cable_.wake(); }
  int pollable_descriptor() const noexcept override { return cable_.pollable_descriptor(); }
  void unplug() { cable_.unplug(); }

 private:
  std::shared_ptr<Bench::State> state_;
  driver::InprocTransport cable_;
};

void enable() {
  // The name is legal and none of the built-in ones, so this cannot fail.
  (void)driver::register_scheme("mock", [](std::string_view rest, const driver::TransportOptions&) { return open_mock(rest); });
  for (const std::string& name : profiles())
    add_listed_device({.selector = "mock:" + name, .state = "always", .serial = {}, .bus_port = {}, .link = {}, .remedy = {}, .simulated = true});
}

std::vector<std::string> profiles() { return profile::names(); }

Bench::Bench(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
Bench::Bench(Bench&&) noexcept = default;
Bench& Bench::operator=(Bench&&) noexcept = default;
Bench::~Bench() = default;

Result<Bench> Bench::with_profile(const std::string& profile_name) {
  return guarded([&]() -> Result<Bench> {
    auto state = std::make_shared<State>();
    NARU_TRY(state->profile, profile::load(profile_name));
    NARU_TRY(state->device, mockdev::Device::create(state->profile));
    return Bench(std::move(state));
  });
}

Result<Device> Bench::open_device(const OpenOptions& options) {
  if (!state_->plugged) return fail(Error(ErrorId::kDeviceNotFound, "The bench's device is not plugged in").with_remedy("Call plug() first."));
  if (state_->open != nullptr) return fail(Error(ErrorId::kDeviceBusy, "The bench's device is open already").with_remedy("Let go of the earlier naru::Device and its sessions."));
  return guarded([&] { return open_device_on(std::make_unique<BenchTransport>(state_, fmt::format("mock:{}", state_->profile.name)), options); });
}

void Bench::unplug() {
  state_->plugged = false;
  if (state_->open != nullptr) state_->open->unplug();
}

Result<void> Bench::plug() {
  if (state_->plugged) return {};
  if (state_->open != nullptr) return fail(Error(ErrorId::kDeviceBusy, "A lost device of the bench is still held").with_remedy("Let go of the earlier naru::Device and its sessions."));
  NARU_TRY(state_->device, mockdev::Device::create(state_->profile));
  state_->device->plant(state_->faults);
  state_->plugged = true;
  return {};
}

void Bench::plant(const Faults& faults) {
  state_->faults = {.kernel_error = faults.kernel_error, .sram_stuck_bit = faults.sram_stuck_bit, .link_corruption = faults.link_corruption};
  state_->device->plant(state_->faults);
}

}  // namespace naru::mock
