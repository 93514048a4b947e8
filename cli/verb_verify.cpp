// naru verify: are a package's command streams safe for the chip?
#include <fmt/format.h>

#include "text.h"

namespace naru::cli {
namespace {

struct VerifyOptions : ModelCommon {
  std::string profile;
};

/// What the verifier itself refuses is this verb's verdict: a check that failed, not a file that could not be read.
int refuse(const Error& error, const VerifyOptions& options) {
  const bool is_verdict = error.id() >= ErrorId::kStreamTruncated && error.id() <= ErrorId::kStreamBinding;
  return report(error, options, "verify", false, is_verdict ? 1 : exit_code(error.kind()));
}

int run_verify(const VerifyOptions& options) {
  const Result<Model> model = Model::load(options.model, options.signature);
  if (!model) return refuse(model.error(), options);
  const Result<VerifySummary> summary = verify_model(*model, options.profile);
  if (!summary) return refuse(summary.error(), options);
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
  add_model_options(verb, *options);
  verb->add_option("--profile", options->profile, "For this chip (default: the package's own, or edge)");
}

}  // namespace naru::cli
