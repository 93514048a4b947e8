// Compiling and looking inside: sources to packages, reports, disassembly, verification. Needs no device.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "naru/model.h"

namespace naru {

struct CompileSettings {
  std::string profile = "edge";            // a name or the path of a profile file
  std::vector<std::int32_t> keep_tensors;  // tensor numbers of the model file that a run should be able to give
  bool keep_all_tensors = false;
  bool fuse = true;
  /// Also a command stream for when the weights still lie in the SRAM from the inference before: a session then loads them once, and again when another job has
  /// had the SRAM in between. Changes nothing where they do not fit beside the tensors, or where it would not be faster.
  bool resident_weights = false;
  /// Of wall time, looked at between operators; 0: none. kCompileLimit when it is over. A package that the compile cache holds takes none of it.
  std::chrono::nanoseconds time_limit = std::chrono::seconds(60);
};

/// A package for the chip of `settings.profile`. A model that is compiled already is returned as it is.
[[nodiscard]] NARU_API Result<Model> compile(const Model& model, const CompileSettings& settings = {});

struct OperatorSummary {
  std::int32_t index = -1;        // operator number in the model file
  std::string kind;               // "CONV_2D"
  std::string name;
  std::string placement;          // "npu", "host", "fused", "elided"
  std::string reason;
  std::uint32_t step = 0, tiles = 0, commands = 0;
  std::uint64_t macs = 0, cycles = 0, dram_bytes = 0;
  std::int32_t output_tensor = -1;
};

struct TensorSummary {
  TensorInfo info;
  std::string kind;               // "input", "output", "constant", "state", "inner"; a package has no constants of the model, and "kept" for those of keep_tensors
};

/// A name in the model file for one of its subgraphs, with names of that subgraph's inputs and outputs.
struct SignatureSummary {
  std::string key;
  std::uint32_t subgraph = 0;
  std::vector<std::pair<std::string, std::int32_t>> inputs = {}, outputs = {};  // name, tensor of the subgraph
};

struct ModelSummary {
  std::string name, description, profile;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<TensorSummary> tensors;  // of a source: all of the model file's; of a package: those that its steps exchange
  std::vector<OperatorSummary> operators;
  std::uint64_t macs = 0;
  double npu_mac_share = 0;       // 0 to 1
  std::uint64_t commands = 0, steps = 0, host_steps = 0;
  std::uint64_t predicted_cycles = 0, worst_case_cycles = 0;
  std::optional<std::uint64_t> resident_cycles = {};  // predicted, of an inference that finds its weights in the SRAM; none: every inference loads them
  std::uint64_t sram_peak_bytes = 0, sram_live_peak_bytes = 0, scratch_bytes = 0, constants_bytes = 0, dram_traffic_bytes = 0, compulsory_bytes = 0;
  std::uint64_t clock_hz = 0;
  std::vector<SignatureSummary> signatures = {};  // of a source
  std::uint32_t subgraph = 0, subgraphs = 1;      // which one this is, of how many in the file
};
/// Of a compiled model, or of a source compiled for `profile` (empty: edge). kInvalidArgument: a package that was compiled for another one.
[[nodiscard]] NARU_API Result<ModelSummary> summarize(const Model& model, const std::string& profile = {});

/// The command streams as text, one command a line; a source is compiled for `profile` first (empty: edge).
[[nodiscard]] NARU_API Result<std::string> disassemble(const Model& model, const std::string& profile = {});

/// One command of a job as it is predicted to run, or a host step (engine "host", no time: the host's is not modelled).
struct TimelineEvent {
  std::uint32_t step = 0;
  std::string engine;            // "mac", "vector", "dma0", ...
  std::string command;           // "conv", "dma", ...
  std::int32_t operator_index = -1;  // of the model file
  std::uint64_t begin = 0, end = 0;  // cycles since the inference began; the steps follow each other without a gap
  std::uint64_t dram_bytes = 0;
};
struct Timeline {
  std::vector<TimelineEvent> events;  // in the order of the streams; waits and marks are left out
  std::uint64_t clock_hz = 0;
};
/// When each command runs, as the compiler predicts it: a device like the profile takes the same cycles. A source is compiled for `profile` first.
[[nodiscard]] NARU_API Result<Timeline> timeline(const Model& model, const std::string& profile = {});

struct StreamSummary {
  std::uint32_t step = 0;
  std::uint64_t commands = 0, waits = 0, worst_case_cycles = 0, bytes = 0;
  std::vector<std::pair<std::string, std::uint64_t>> per_command;  // name, count
  bool resident = false;  // the step's second stream, for weights that lie in the SRAM
};
struct VerifySummary {
  std::string profile;  // whose chip they were verified for
  std::vector<StreamSummary> streams;
};
/// Verifies every stream of the package for its chip (or for `profile`). The first refusal is the error (06xx, kind kCheckFailed).
[[nodiscard]] NARU_API Result<VerifySummary> verify_model(const Model& model, const std::string& profile = {});

}  // namespace naru
