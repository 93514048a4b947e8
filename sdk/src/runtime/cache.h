// The compile cache: packages in a folder, named by a hash of all that a package depends on.
#pragma once

#include <chrono>
#include <string>

#include "compiler/compiler.h"
#include "runtime/handles.h"

namespace naru::sdk::runtime {

/// Compiles `model` (a source) for `chip`, or takes the package that an equal call left in the folder that NARU_CACHE names; without NARU_CACHE it just
/// compiles. The key is the model's content, the chip's numbers, the options and the compiler itself, so there is nothing to invalidate; an entry that is
/// damaged or not what its name says is compiled again, and a folder that cannot be written only costs time (NARU_LOG=info says so). Entries are read as
/// any package is: verified before any byte is used. `time_limit`: see CompileSettings.
[[nodiscard]] Result<package::Package> compile_cached(const detail::ModelHandle& model, const abi::Chip& chip, compiler::CompileOptions options, std::chrono::nanoseconds time_limit);

}  // namespace naru::sdk::runtime
