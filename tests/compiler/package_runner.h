// Executes packages without a device: NPU jobs on the stream interpreter (the loop nests of abi/isa.h), host steps on the host's operators.
#pragma once

#include <cstddef>
#include <vector>

#include "naru/base/result.h"
#include "package/package.h"

namespace naru::sdk::testing {

using Bytes = std::vector<std::byte>;

/// What scratch, SRAM and tensors hold at first: noise, so that what reads before it writes is seen; or zero, as in a new device.
enum class Memory { kNoise, kZero };

/// All tensors of the package after its last step, by index in Package::tensors.
[[nodiscard]] Result<std::vector<Bytes>> run_package(const package::Package& package, const std::vector<Bytes>& inputs, Memory memory = Memory::kNoise);

}  // namespace naru::sdk::testing
