// See devices.h.
#include "devices.h"

#include "loopback_function.h"
#ifdef NARU_TEST_MOCKDEV
#include "naru/mockdev/device.h"
#include "naru/profile/profile.h"
#endif

namespace naru::test {

Result<std::unique_ptr<usb::Function>> make_device(const std::string& name) {
  if (name == "loop") return std::make_unique<LoopbackFunction>();
  if (name == "loop-super") return std::make_unique<LoopbackFunction>(usb::Speed::kSuper);
#ifdef NARU_TEST_MOCKDEV
  if (name == "mock") {
    NARU_TRY(const profile::Profile profile, profile::load("edge"));
    NARU_TRY(std::unique_ptr<mockdev::Device> device, mockdev::Device::create(profile));
    return std::unique_ptr<usb::Function>(std::move(device));
  }
#endif
  return fail(ErrorId::kInvalidArgument, "No such device: " + name);
}

}  // namespace naru::test
