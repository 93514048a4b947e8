// Stage 6: ordered commands into a job's stream: storage numbers become the job's regions, and waits go where they are needed.
#pragma once

#include "compiler/ir.h"
#include "naru/abi/chip.h"
#include "naru/abi/stream.h"
#include "naru/base/result.h"

namespace naru::sdk::compiler {

struct EmittedJob {
  abi::Stream stream;
  std::vector<package::Binding> bindings;
  std::uint64_t worst_case_cycles = 0;  // every command after the other
};

/// `storage_bytes[n]`: size of storage n (SRAM, constants, scratch, tensors). kCompileLimit when more than 16 regions are needed.
/// With `arena`, the one storage of tensors holds all of them.
[[nodiscard]] Result<EmittedJob> emit(const std::vector<abi::Command>& commands, std::span<const std::uint64_t> storage_bytes, bool arena, const abi::Chip& chip);

}  // namespace naru::sdk::compiler
