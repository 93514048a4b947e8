// Devices of the conformance suite, by name.
#pragma once

#include <memory>
#include <string>

#include "naru/base/result.h"
#include "naru/usb/function.h"

namespace naru::test {

/// "loop", "loop-super" (the suite's own), "mock" (the mock device, where it is built; its pipes are put in loopback by the cases).
[[nodiscard]] Result<std::unique_ptr<usb::Function>> make_device(const std::string& name);

}  // namespace naru::test
