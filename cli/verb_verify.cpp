// naru verify: are a package's command streams safe for the chip?
#include <fmt/format.h>

#include "text.h"

namespace naru::cli {
namespace {

struct VerifyOptions : Common {
  std::string model, profile;
};

int run_verify(const VerifyOptions& options) {
  const Result<Model> model = Model::load(options.model);
  if (!model) return report(model.error(), options, "verify");
  const Result<VerifySummary> summary = verify_model(*model, options.profile);
  if (!summary) return report(summary.error(), options, "verify");
  if (options.json) {
    Json json = document("verify", false);
    json["profile"] = summary->profile;
    json["streams"] = Json::array();
    for (const StreamSummary& stream : summary->streams) {
      Json row = {{"step", stream.step}, {"resident", stream.resident}, {"commands", stream.commands}, {"waits", stream.waits}, {"worst_case_cycles", stream.worst_case_cycles}, {"bytes", stream.bytes}};
      for (const auto& [name, count] : stream.per_command) row["per_command"][name] = count;
      json["streams"].push_back(row);
    }
    print(json);
    return 0;
  }
  fmt::print("  for {}\n", summary->profile);
  for (const StreamSummary& stream : summary->streams)
    fmt::print("  step {}{}: {} commands ({} waits), {} bytes, at most {} cycles: bounds, rights, alignment, waits and hazards are right\n", stream.step, stream.resident ? " with its weights in the SRAM" : "", with_commas(stream.commands),
               with_commas(stream.waits), with_commas(stream.bytes), with_commas(stream.worst_case_cycles));
  return 0;
}

}  // namespace

void add_verify(App& app) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* verb = app.add_verb("verify", "Verify the command streams of a model or package", "naru verify models/digits/digits.tflite --profile tiny", *options,
                                [options] { return run_verify(*options); });
  verb->add_option("MODEL", options->model, "A .tflite model or a package")->required();
  verb->add_option("--profile", options->profile, "For this chip (default: the package's own, or edge)");
}

}  // namespace naru::cli
