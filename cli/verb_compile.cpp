// naru compile: a model to a package.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <span>

#include "naru/base/file.h"
#include "text.h"

namespace naru::cli {
namespace {

struct CompileOptions : ModelCommon {
  std::string output;
  CompileSettings settings;
  std::string trace;
  bool explain = false;
};

/// Chrome trace format, which Perfetto and chrome://tracing open: one process per device, one thread per engine, microseconds of modelled time.
Result<void> write_trace(const std::string& path, const Timeline& timeline, const ModelSummary& summary) {
  std::map<std::string, int> threads;
  std::map<std::int32_t, const OperatorSummary*> operators;
  for (const OperatorSummary& op : summary.operators) operators[op.index] = &op;
  Json events = Json::array();
  const double us_per_cycle = timeline.clock_hz == 0 ? 0 : 1e6 / static_cast<double>(timeline.clock_hz);
  for (const TimelineEvent& event : timeline.events) {
    const int thread = threads.try_emplace(event.engine, static_cast<int>(threads.size()) + 1).first->second;
    const auto op = operators.find(event.operator_index);
    const std::string name = op == operators.end() ? event.command : fmt::format("{} {} {}", op->second->index, op->second->kind, event.command);
    events.push_back({{"name", name}, {"cat", event.command}, {"ph", "X"}, {"pid", 1}, {"tid", thread}, {"ts", static_cast<double>(event.begin) * us_per_cycle},
                      {"dur", static_cast<double>(event.end - event.begin) * us_per_cycle},
                      {"args", {{"step", event.step}, {"operator", event.operator_index}, {"tensor", op == operators.end() ? std::string() : op->second->name},
                                {"cycles", event.end - event.begin}, {"dram_bytes", event.dram_bytes}}}});
  }
  events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", fmt::format("{} on {} (predicted)", summary.name, summary.profile)}}}});
  for (const auto& [engine, thread] : threads) events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", thread}, {"args", {{"name", engine}}}});
  const std::string text = Json{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ns"}}.dump();
  return write_file(path, std::as_bytes(std::span(text)));
}

int compile_model(const CompileOptions& options) {
  const Result<Model> source = Model::load(options.model, options.signature);
  if (!source) return report(source.error(), options, "compile");
  if (source->is_compiled())
    return report(Error(ErrorId::kInvalidArgument, fmt::format("{} is a package already", options.model)).with_remedy("Give the .tflite file that it was made from."), options, "compile");
  for (const std::string* written : {&options.output, &options.trace})
    if (std::error_code ignored; !written->empty() && std::filesystem::equivalent(*written, options.model, ignored))
      return report(Error(ErrorId::kInvalidArgument, fmt::format("{} is the model itself: writing it would lose the model", *written)).with_remedy("Give another path."), options, "compile");
  const auto start = std::chrono::steady_clock::now();
  const Result<Model> package = compile(*source, options.settings);
  if (!package) return report(package.error(), options, "compile");
  const std::chrono::nanoseconds took = std::chrono::steady_clock::now() - start;
  const Result<ModelSummary> summary = summarize(*package, options.settings.profile);
  if (!summary) return report(summary.error(), options, "compile");
  if (!options.trace.empty()) {
    const Result<Timeline> predicted = timeline(*package);
    if (!predicted) return report(predicted.error(), options, "compile");
    const Result<void> written = write_trace(options.trace, *predicted, *summary);
    if (!written) return report(written.error(), options, "compile");
  }
  const Result<void> saved = package->save(options.output);
  if (!saved) return report(saved.error(), options, "compile");
  if (options.json) {
    Json json = document("compile", false);
    if (!options.trace.empty()) json["trace"] = options.trace;
    json["package"] = options.output;
    json["profile"] = summary->profile;
    json["commands"] = summary->commands;
    json["predicted_cycles"] = summary->predicted_cycles;
    json["resident_cycles"] = summary->resident_cycles ? Json(*summary->resident_cycles) : Json();
    json["seconds"] = static_cast<double>(took.count()) / 1e9;
    json["operators"] = Json::array();
    for (const OperatorSummary& op : summary->operators)
      json["operators"].push_back({{"index", op.index}, {"kind", op.kind}, {"name", op.name}, {"placement", op.placement}, {"reason", op.reason}, {"tiles", op.tiles},
                                   {"commands", op.commands}, {"cycles", op.cycles}, {"dram_bytes", op.dram_bytes}, {"macs", op.macs}});
    print(json);
    return 0;
  }
  fmt::print("  {} for {}: {} operators, {} commands, {} cycles predicted, compiled in {}\n", options.output, summary->profile, summary->operators.size(),
             with_commas(summary->commands), with_commas(summary->predicted_cycles), milliseconds(took));
  if (summary->resident_cycles)
    fmt::print("  {} cycles when the weights lie in the SRAM already\n", with_commas(*summary->resident_cycles));
  else if (options.settings.resident_weights)
    fmt::print("  every inference loads its weights: they do not all fit into the SRAM beside the tensors of one job, or it would not be faster\n");
  if (options.explain) {
    fmt::print("  {:>4} {:<18} {:<7} {:>6} {:>9} {:>12} {:>12}  {}\n", "OP", "KIND", "WHERE", "TILES", "COMMANDS", "CYCLES", "DRAM BYTES", "NOTE");
    for (const OperatorSummary& op : summary->operators)
      fmt::print("  {:>4} {:<18} {:<7} {:>6} {:>9} {:>12} {:>12}  {}\n", op.index, op.kind, op.placement, op.tiles, op.commands, with_commas(op.cycles), with_commas(op.dram_bytes), op.reason);
  }
  return 0;
}

}  // namespace

void add_compile(App& app) {
  const auto options = std::make_shared<CompileOptions>();
  CLI::App* verb = app.add_verb("compile", "Compile a model to a package", "naru compile models/digits/digits.tflite -o /tmp/digits.naru --profile tiny --explain", *options,
                                [options] { return compile_model(*options); });
  add_model_options(verb, *options, "A .tflite model");
  verb->add_option("-o,--output", options->output, "The package to write")->required();
  verb->add_option("--profile", options->settings.profile, "edge, tiny, or the path of a profile file (default: edge)");
  verb->add_option("--tensor", options->settings.keep_tensors, "Keep this tensor of the model file, so that `naru run PACKAGE --tensor` can give it; repeatable")->allow_extra_args(false);
  verb->add_flag("--resident", options->settings.resident_weights, "Also make a stream that finds the weights in the SRAM, for inferences after the first");
  verb->add_option("--trace", options->trace, "Write the predicted timeline here in Chrome trace format, for Perfetto");
  verb->add_flag("--explain", options->explain, "Show what became of each operator");
}

}  // namespace naru::cli
