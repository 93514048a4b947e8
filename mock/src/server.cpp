// Serves a mock device through FUSE, and talks to the control socket of one that is served.
#include "naru/mock_server.h"

#include <charconv>

#include <fmt/format.h>

#include "naru/base/guard.h"
#include "naru/mockdev/device.h"
#include "naru/mockdev/host_fuse.h"
#include "naru/profile/profile.h"

namespace naru::mock {
namespace {

/// `arguments` is what follows "plant": kernel_error, "sram_bit N" of a chip with `sram_bytes`, link, clear.
Result<mockdev::PlantedFaults> parse_faults(std::string_view arguments, std::uint64_t sram_bytes) {
  mockdev::PlantedFaults faults;
  if (arguments == "clear") return faults;
  if (arguments == "kernel_error") {
    faults.kernel_error = true;
    return faults;
  }
  if (arguments == "link") {
    faults.link_corruption = true;
    return faults;
  }
  if (arguments == "sram_bit") return fail(Error(ErrorId::kInvalidArgument, "sram_bit needs the number of a bit").with_remedy("Use \"sram_bit N\"."));
  constexpr std::string_view kBit = "sram_bit ";
  if (arguments.starts_with(kBit)) {
    const std::string_view number = arguments.substr(kBit.size());
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), faults.sram_stuck_bit);
    if (error == std::errc() && end == number.data() + number.size() && faults.sram_stuck_bit >= 0 && static_cast<std::uint64_t>(faults.sram_stuck_bit) / 8 < sram_bytes) return faults;
    return fail(Error(ErrorId::kInvalidArgument, fmt::format("The SRAM has no bit \"{}\"", number)).with_remedy(fmt::format("Give a number from 0 to {}.", sram_bytes * 8 - 1)));
  }
  return fail(Error(ErrorId::kInvalidArgument, fmt::format("No fault is called \"{}\"", arguments)).with_remedy("Use kernel_error, \"sram_bit N\", link, or clear."));
}

}  // namespace

namespace {

Result<void> serve_until_signal(const ServeOptions& options) {
  NARU_TRY(const profile::Profile profile, profile::load(options.profile));
  mockdev::MockServerOptions server_options{.path = options.path, .make_function = {}, .pacing = options.real_time ? mockdev::Pacing::kReal : mockdev::Pacing::kFree, .memory_bytes_max = std::uint64_t{options.usb_memory_mib} << 20, .plant = {}};
  const mockdev::DeviceOptions device_options{.serial = options.serial, .time = options.real_time ? mockdev::TimeMode::kReal : mockdev::TimeMode::kVirtual, .kernels = {}, .threads = options.threads};
  server_options.make_function = [profile, device_options]() -> Result<std::unique_ptr<usb::Function>> {
    NARU_TRY(std::unique_ptr<mockdev::Device> device, mockdev::Device::create(profile, device_options));
    return device;
  };
  // The server hands back what make_function made.
  server_options.plant = [sram_bytes = profile.chip.sram_bytes](usb::Function& function, std::string_view arguments) -> Result<void> {
    NARU_TRY(const mockdev::PlantedFaults faults, parse_faults(arguments, sram_bytes));
    static_cast<mockdev::Device&>(function).plant(faults);
    return {};
  };
  const mockdev::BlockedSignals blocked;  // destroyed last: a second signal does not keep the server from unmounting
  NARU_TRY(const std::unique_ptr<mockdev::MockServer> server, mockdev::MockServer::start(std::move(server_options)));
  return server->run_until_signal(options.on_ready);
}

}  // namespace

Result<void> serve(const ServeOptions& options) {
  return guarded([&] { return serve_until_signal(options); });
}

Result<std::string> control(const std::string& path, const std::string& command) {
  return guarded([&] { return mockdev::control_mock(path, command); });
}

}  // namespace naru::mock
