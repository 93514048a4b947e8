// The compiler's front door: a verified graph and a chip in, a package out. Needs no device.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "naru/abi/chip.h"
#include "naru/base/result.h"
#include "package/package.h"

namespace naru::sdk::compiler {

struct CompileOptions {
  std::string profile;                      // noted in Advice
  bool fuse = true;                         // --check compiles without, to find the first operator that differs
  std::vector<std::int32_t> keep_tensors;   // file numbers: they become outputs of their own (Package::kept) and are kept from fusion
  bool keep_all_tensors = false;            // every operator's output, as for --check
  bool resident_weights = false;            // also a stream that finds all weights in the SRAM (NpuJob::resident), where they fit and it takes fewer cycles
  std::function<Result<void>()> may_go_on = {};  // asked between operators; an error ends the compilation and is its result
};

/// kModelOperatorUnsupported, kModelTypeUnsupported, kCompileSramTooSmall, kCompileDramTooSmall, kCompileTooLong: each names operator and sizes.
[[nodiscard]] Result<package::Package> compile(const graph::Graph& graph, const abi::Chip& chip, const CompileOptions& options);

}  // namespace naru::sdk::compiler
