// naru inspect: operators, tensors, memory of a model or package, and where each operator runs.
#include <fmt/format.h>

#include "text.h"

namespace naru::cli {
namespace {

struct InspectOptions : ModelCommon {
  std::string profile;  // empty: the package's own, or edge
};

Json to_json(const ModelSummary& summary) {
  Json json = document("inspect", false);
  json["name"] = summary.name;
  json["description"] = summary.description;
  json["profile"] = summary.profile;
  json["inputs"] = Json::array();
  json["outputs"] = Json::array();
  for (const TensorInfo& info : summary.inputs) json["inputs"].push_back(cli::to_json(info));
  for (const TensorInfo& info : summary.outputs) json["outputs"].push_back(cli::to_json(info));
  json["subgraph"] = summary.subgraph;
  json["subgraphs"] = summary.subgraphs;
  json["signatures"] = Json::array();
  for (const SignatureSummary& signature : summary.signatures) {
    const auto named = [](const auto& tensors) {
      Json rows = Json::array();
      for (const auto& [name, tensor] : tensors) rows.push_back({{"name", name}, {"tensor", tensor}});
      return rows;
    };
    json["signatures"].push_back({{"key", signature.key}, {"subgraph", signature.subgraph}, {"inputs", named(signature.inputs)}, {"outputs", named(signature.outputs)}});
  }
  json["operators"] = Json::array();
  for (const OperatorSummary& op : summary.operators)
    json["operators"].push_back({{"index", op.index}, {"kind", op.kind}, {"name", op.name}, {"placement", op.placement}, {"reason", op.reason}, {"step", op.step}, {"tiles", op.tiles},
                                 {"commands", op.commands}, {"macs", op.macs}, {"cycles", op.cycles}, {"dram_bytes", op.dram_bytes}, {"output_tensor", op.output_tensor}});
  json["tensors"] = Json::array();
  for (const TensorSummary& tensor : summary.tensors) {
    Json row = cli::to_json(tensor.info);
    row["kind"] = tensor.kind;
    json["tensors"].push_back(std::move(row));
  }
  json["macs"] = summary.macs;
  json["npu_mac_share"] = summary.npu_mac_share;
  json["steps"] = summary.steps;
  json["host_steps"] = summary.host_steps;
  json["commands"] = summary.commands;
  json["predicted_cycles"] = summary.predicted_cycles;
  json["resident_cycles"] = summary.resident_cycles ? Json(*summary.resident_cycles) : Json();
  json["worst_case_cycles"] = summary.worst_case_cycles;
  json["memory"] = {{"sram_peak_bytes", summary.sram_peak_bytes}, {"sram_live_peak_bytes", summary.sram_live_peak_bytes}, {"scratch_bytes", summary.scratch_bytes},
                    {"constants_bytes", summary.constants_bytes}, {"dram_traffic_bytes", summary.dram_traffic_bytes}, {"compulsory_bytes", summary.compulsory_bytes}};
  return json;
}

int inspect(const InspectOptions& options) {
  const Result<Model> model = Model::load(options.model, options.signature);
  if (!model) return report(model.error(), options, "inspect");
  const Result<ModelSummary> summary = summarize(*model, options.profile);
  if (!summary) return report(summary.error(), options, "inspect");
  if (options.json) {
    print(to_json(*summary));
    return 0;
  }
  fmt::print("  model      {}{}\n", summary->name, model->is_compiled() ? " (package)" : "");
  if (!summary->description.empty()) fmt::print("  from       {}\n", summary->description);
  for (std::size_t i = 0; i < summary->inputs.size(); ++i) fmt::print("  input {}    {}  {}\n", i, summary->inputs[i].name, shape_text(summary->inputs[i]));
  for (std::size_t i = 0; i < summary->outputs.size(); ++i) fmt::print("  output {}   {}  {}\n", i, summary->outputs[i].name, shape_text(summary->outputs[i]));
  for (const SignatureSummary& signature : summary->signatures) {
    const auto list = [](const auto& tensors) {
      std::string text;
      for (const auto& [name, tensor] : tensors) text += fmt::format("{}{}", text.empty() ? "" : ", ", name);
      return text;
    };
    fmt::print("  signature  \"{}\": {} -> {}; {}\n", signature.key, list(signature.inputs), list(signature.outputs),
               signature.subgraph == summary->subgraph ? std::string("the subgraph shown here") : fmt::format("subgraph {}, see --signature", signature.subgraph));
  }
  if (summary->subgraphs > 1) fmt::print("  subgraph   {} of {} in the file\n", summary->subgraph, summary->subgraphs);
  fmt::print("  work       {} MAC, {:.2f} % of them on the NPU; steps: {}, {} of them on the host\n", with_commas(summary->macs), 100 * summary->npu_mac_share, summary->steps, summary->host_steps);
  fmt::print("  on {:<8}{} cycles predicted ({} at {:.0f} MHz), {} commands\n", summary->profile, with_commas(summary->predicted_cycles),
             milliseconds(std::chrono::nanoseconds(summary->clock_hz == 0 ? 0 : summary->predicted_cycles * 1'000'000'000 / summary->clock_hz)), static_cast<double>(summary->clock_hz) / 1e6,
             with_commas(summary->commands));
  if (summary->resident_cycles) fmt::print("  resident   {} cycles when the weights lie in the SRAM already\n", with_commas(*summary->resident_cycles));
  const double fragmentation = summary->sram_live_peak_bytes == 0 ? 1 : static_cast<double>(summary->sram_peak_bytes) / static_cast<double>(summary->sram_live_peak_bytes);
  fmt::print("  memory     SRAM peak {} ({:.2f} of the largest live set), DRAM scratch {}, constants {}, traffic {} ({:.2f} of what must move)\n", byte_size(summary->sram_peak_bytes), fragmentation,
             byte_size(summary->scratch_bytes), byte_size(summary->constants_bytes), byte_size(summary->dram_traffic_bytes),
             summary->compulsory_bytes == 0 ? 1.0 : static_cast<double>(summary->dram_traffic_bytes) / static_cast<double>(summary->compulsory_bytes));
  fmt::print("\n  {:>4} {:<18} {:<7} {:>6} {:>6} {:>13} {:>11}  {}\n", "OP", "KIND", "WHERE", "TENSOR", "TILES", "MAC", "CYCLES", "NOTE");
  for (const OperatorSummary& op : summary->operators)
    fmt::print("  {:>4} {:<18} {:<7} {:>6} {:>6} {:>13} {:>11}  {}\n", op.index, op.kind, op.placement, op.output_tensor, op.tiles, with_commas(op.macs), with_commas(op.cycles), op.reason);
  fmt::print("\n  {:>6} {:<8} {:>11}  {}\n", "TENSOR", "KIND", "BYTES", "SHAPE AND NAME");
  for (const TensorSummary& tensor : summary->tensors)
    fmt::print("  {:>6} {:<8} {:>11}  {}  {}\n", tensor.info.file_index, tensor.kind, with_commas(tensor.info.bytes), shape_text(tensor.info), tensor.info.name);
  return 0;
}

}  // namespace

void add_inspect(App& app) {
  const auto options = std::make_shared<InspectOptions>();
  CLI::App* verb = app.add_verb("inspect", "Look into a model or package: operators, where each runs, memory, tensors", "naru inspect models/digits/digits.tflite --profile tiny", *options, [options] { return inspect(*options); });
  add_model_options(verb, *options);
  verb->add_option("--profile", options->profile, "Compile a model for this chip: edge, tiny, or a profile file (default: edge)");
}

}  // namespace naru::cli
