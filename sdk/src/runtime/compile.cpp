// Compiling, summaries, disassembly and verification for users: thin over compiler, package and verify.
#include "naru/compile.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/compiler.h"
#include "compiler/schedule/predict.h"
#include "naru/abi/cycles.h"
#include "naru/profile/profile.h"
#include "naru/verify/verify.h"
#include "runtime/cache.h"
#include "runtime/handles.h"

namespace naru {
namespace {

using sdk::package::JobStream;
using sdk::package::NpuJob;
using sdk::package::Package;
using sdk::package::Placement;

std::string_view name_of(Placement placement) {
  switch (placement) {
    case Placement::kNpu: return "npu";
    case Placement::kHost: return "host";
    case Placement::kFused: return "fused";
    case Placement::kElided: return "elided";
  }
  return "npu";
}

Result<abi::Stream> decode(const JobStream& job, std::size_t step) {
  abi::Stream stream;
  const abi::StreamDecoded decoded = abi::decode_stream(job.stream, stream);
  if (decoded.fault != abi::StreamFault::kNone)
    return fail(ErrorId::kStreamTruncated, fmt::format("The stream of step {} is damaged: {} at command {}", step, abi::name_of(decoded.fault), decoded.command));
  return stream;
}

std::vector<TensorSummary> tensors_of(const sdk::graph::Graph& graph) {
  const auto is_in = [](const std::vector<sdk::graph::TensorId>& ids, std::size_t id) { return std::ranges::count(ids, static_cast<sdk::graph::TensorId>(id)) > 0; };
  std::vector<TensorSummary> rows;
  for (std::size_t id = 0; id < graph.tensors.size(); ++id) {
    const sdk::graph::Tensor& tensor = graph.tensors[id];
    if (tensor.file_index < 0) continue;
    rows.push_back({sdk::runtime::to_info(tensor), is_in(graph.inputs, id)    ? "input"
                                                   : is_in(graph.outputs, id) ? "output"
                                                   : tensor.is_constant()     ? "constant"
                                                   : tensor.is_variable       ? "state"
                                                                              : "inner"});
  }
  return rows;
}

std::vector<TensorSummary> tensors_of(const Package& package) {
  const auto is_in = [](const std::vector<std::uint32_t>& indices, std::size_t index) { return std::ranges::count(indices, static_cast<std::uint32_t>(index)) > 0; };
  std::vector<TensorSummary> rows;
  for (std::size_t i = 0; i < package.tensors.size(); ++i)
    rows.push_back({sdk::runtime::to_info(package.tensors[i]), is_in(package.inputs, i)    ? "input"
                                                               : is_in(package.outputs, i) ? "output"
                                                               : is_in(package.kept, i)    ? "kept"
                                                                                           : "inner"});
  return rows;
}

/// `model` itself when it is compiled (for `profile`, if that is given), else compiled for `profile`.
Result<Model> compiled(const Model& model, const std::string& profile) {
  if (model.is_compiled()) {
    const std::string& own = model.handle()->package->advice.profile;
    if (profile.empty()) return model;
    NARU_TRY(const profile::Profile wanted, profile::load(profile));
    if (wanted.name != own)
      return fail(Error(ErrorId::kInvalidArgument, fmt::format("{} was compiled for {}, not for {}", model.name(), own, wanted.name)).with_remedy("Leave the profile out, or give the model itself."));
    return model;
  }
  return compile(model, {.profile = profile.empty() ? "edge" : profile, .keep_tensors = {}});
}

Result<StreamSummary> verify_stream(const JobStream& job, std::size_t step, const abi::Chip& chip, std::string_view model) {
  NARU_TRY(const abi::Stream stream, decode(job, step));
  Result<verify::Report> report = verify::verify_stream(stream, chip);
  if (!report) return fail(std::move(report).error().with_kind(ErrorKind::kCheckFailed).while_doing(fmt::format("verifying step {} of {}", step, model)));
  StreamSummary row{.step = static_cast<std::uint32_t>(step), .commands = stream.commands.size(), .worst_case_cycles = report->cycles_worst, .bytes = job.stream.size(), .per_command = {}};
  std::array<std::uint64_t, std::variant_size_v<abi::CommandBody>> counts{};
  std::array<std::string_view, std::variant_size_v<abi::CommandBody>> names{};
  for (const abi::Command& command : stream.commands) {
    ++counts[command.body.index()];
    names[command.body.index()] = abi::name_of(command.body);
    if (std::holds_alternative<abi::Wait>(command.body)) ++row.waits;
  }
  for (std::size_t k = 0; k < counts.size(); ++k)
    if (counts[k] != 0) row.per_command.emplace_back(std::string(names[k]), counts[k]);
  return row;
}

}  // namespace

Result<Model> compile(const Model& model, const CompileSettings& settings) {
  return sdk::runtime::guarded([&]() -> Result<Model> {
    if (model.is_compiled()) return model;
    NARU_TRY(const profile::Profile chip_profile, profile::load(settings.profile));
    Result<Package> package = sdk::runtime::compile_cached(*model.handle(), chip_profile.chip,
                                                     {.profile = chip_profile.name, .fuse = settings.fuse, .keep_tensors = settings.keep_tensors, .keep_all_tensors = settings.keep_all_tensors,
                                                      .resident_weights = settings.resident_weights}, settings.time_limit);
    if (!package) return fail(std::move(package).error().while_doing(fmt::format("compiling {} for {}", model.name(), chip_profile.name)));
    return sdk::runtime::make_model(model.name(), std::move(*package), model.handle()->content_sha256);
  });
}

Result<ModelSummary> summarize(const Model& model, const std::string& profile) {
  return sdk::runtime::guarded([&]() -> Result<ModelSummary> {
    NARU_TRY(const Model package_model, compiled(model, profile));
    const Package& package = *package_model.handle()->package;
    ModelSummary summary{.name = model.name(), .description = package.description, .profile = package.advice.profile, .inputs = model.inputs(), .outputs = model.outputs(),
                         .tensors = model.is_compiled() ? tensors_of(package) : tensors_of(*model.handle()->graph), .operators = {}};
    if (!model.is_compiled()) {
      const sdk::graph::Graph& graph = *model.handle()->graph;
      for (const sdk::graph::Signature& signature : graph.signatures)
        summary.signatures.push_back({.key = signature.key, .subgraph = signature.subgraph, .inputs = signature.inputs, .outputs = signature.outputs});
      summary.subgraph = graph.subgraph;
      summary.subgraphs = graph.subgraphs;
    }
    std::uint64_t npu_macs = 0;
    for (const sdk::package::OperatorReport& op : package.operators) {
      summary.operators.push_back({.index = op.file_index, .kind = std::string(sdk::graph::name_of(op.kind)), .name = op.name, .placement = std::string(name_of(op.placement)), .reason = op.reason,
                                   .step = op.step, .tiles = op.tiles, .commands = op.commands, .macs = op.macs, .cycles = op.cycles, .dram_bytes = op.dram_bytes,
                                   .output_tensor = op.output_file_index});
      if (op.placement == Placement::kElided) continue;  // computed from its constants already
      summary.macs += op.macs;
      if (op.placement != Placement::kHost) npu_macs += op.macs;
    }
    summary.npu_mac_share = summary.macs == 0 ? 1.0 : static_cast<double>(npu_macs) / static_cast<double>(summary.macs);
    summary.steps = package.steps.size();
    for (std::size_t i = 0; i < package.steps.size(); ++i) {
      const auto* job = std::get_if<NpuJob>(&package.steps[i]);
      if (job == nullptr) {
        ++summary.host_steps;
        continue;
      }
      NARU_TRY(const abi::Stream stream, decode(*job, i));
      summary.commands += stream.commands.size();
      summary.predicted_cycles += job->predicted_cycles;
      summary.worst_case_cycles += job->worst_case_cycles;
      if (job->has_resident()) summary.resident_cycles = job->resident.predicted_cycles;
    }
    summary.sram_peak_bytes = package.memory.sram_peak_bytes;
    summary.sram_live_peak_bytes = package.memory.sram_live_peak_bytes;
    summary.scratch_bytes = package.memory.scratch_bytes;
    summary.constants_bytes = package.memory.constants_bytes;
    summary.dram_traffic_bytes = package.memory.dram_traffic_bytes;
    summary.compulsory_bytes = package.memory.compulsory_bytes;
    summary.clock_hz = package.advice.chip.clock_hz();
    return summary;
  });
}

Result<std::string> disassemble(const Model& model, const std::string& profile) {
  return sdk::runtime::guarded([&]() -> Result<std::string> {
    NARU_TRY(const Model package_model, compiled(model, profile));
    const Package& package = *package_model.handle()->package;
    std::string text;
    for (std::size_t i = 0; i < package.steps.size(); ++i) {
      if (const auto* host = std::get_if<sdk::package::HostStep>(&package.steps[i])) {
        text += fmt::format("step {}: host {}\n", i, sdk::graph::describe(host->op));
        continue;
      }
      const NpuJob& job = std::get<NpuJob>(package.steps[i]);
      NARU_TRY(const abi::Stream stream, decode(job, i));
      text += fmt::format("step {}: job, {} bytes\n{}", i, job.stream.size(), abi::disassemble(stream));
      if (!job.has_resident()) continue;
      NARU_TRY(const abi::Stream resident, decode(job.resident, i));
      text += fmt::format("step {}: the same job with its weights in the SRAM, {} bytes\n{}", i, job.resident.stream.size(), abi::disassemble(resident));
    }
    return text;
  });
}

Result<Timeline> timeline(const Model& model, const std::string& profile) {
  return sdk::runtime::guarded([&]() -> Result<Timeline> {
    NARU_TRY(const Model package_model, compiled(model, profile));
    const Package& package = *package_model.handle()->package;
    const abi::Chip& chip = package.advice.chip;
    Timeline result;
    result.clock_hz = chip.clock_hz();
    std::uint64_t now = 0;
    for (std::size_t i = 0; i < package.steps.size(); ++i) {
      const auto step = static_cast<std::uint32_t>(i);
      const auto* job = std::get_if<NpuJob>(&package.steps[i]);
      if (job == nullptr) {
        const auto& host = std::get<sdk::package::HostStep>(package.steps[i]);
        result.events.push_back({step, "host", std::string(sdk::graph::name_of(host.op.kind)), host.op.file_index, now, now, 0});
        continue;
      }
      NARU_TRY(const abi::Stream stream, decode(*job, i));
      const auto intervals = sdk::compiler::predict_timeline(stream, chip);
      for (std::size_t c = 0; c < stream.commands.size(); ++c) {
        const abi::Command& command = stream.commands[c];
        if (!abi::is_counted(command.body)) continue;
        auto source = abi::MemoryKind::kSram, target = abi::MemoryKind::kSram;
        if (const auto* dma = std::get_if<abi::Dma>(&command.body)) {
          source = stream.regions[dma->source.region()].memory;
          target = stream.regions[dma->target.region()].memory;
        }
        result.events.push_back({step, std::string(abi::name_of(command.engine)), std::string(abi::name_of(command.body)), static_cast<std::int32_t>(command.source),
                                 now + intervals[c].begin, now + intervals[c].end, abi::cost_of(command, chip, source, target).dram_bytes});
      }
      now += job->predicted_cycles;
    }
    return result;
  });
}

Result<VerifySummary> verify_model(const Model& model, const std::string& profile) {
  return sdk::runtime::guarded([&]() -> Result<VerifySummary> {
    NARU_TRY(const Model package_model, compiled(model, model.is_compiled() ? std::string() : profile));
    const Package& package = *package_model.handle()->package;
    abi::Chip chip = package.advice.chip;
    VerifySummary summary{.profile = package.advice.profile, .streams = {}};
    if (!profile.empty()) {
      NARU_TRY(const profile::Profile chip_profile, profile::load(profile));
      chip = chip_profile.chip;
      summary.profile = chip_profile.name;
    }
    for (std::size_t i = 0; i < package.steps.size(); ++i) {
      const auto* job = std::get_if<NpuJob>(&package.steps[i]);
      if (job == nullptr) continue;
      NARU_TRY(summary.streams.emplace_back(), verify_stream(*job, i, chip, model.name()));
      if (!job->has_resident()) continue;
      NARU_TRY(summary.streams.emplace_back(), verify_stream(job->resident, i, chip, model.name()));
      summary.streams.back().resident = true;
    }
    return summary;
  });
}

}  // namespace naru
