// naru disasm: command streams as text.
#include <fmt/format.h>

#include "app.h"

namespace naru::cli {
namespace {

struct DisasmOptions : ModelCommon {
  std::string profile;  // empty: the package's own, or edge
};

int disassemble_model(const DisasmOptions& options) {
  const Result<Model> model = Model::load(options.model, options.signature);
  if (!model) return report(model.error(), options, "disasm");
  const Result<std::string> text = disassemble(*model, options.profile);
  if (!text) return report(text.error(), options, "disasm");
  if (options.json) {
    Json json = document("disasm", false);
    json["lines"] = Json::array();
    std::size_t at = 0;
    while (at < text->size()) {
      const std::size_t end = std::min(text->find('\n', at), text->size());
      json["lines"].push_back(text->substr(at, end - at));
      at = end + 1;
    }
    print(json);
  } else {
    fmt::print("{}", *text);
  }
  return 0;
}

}  // namespace

void add_disasm(App& app) {
  const auto options = std::make_shared<DisasmOptions>();
  CLI::App* verb = app.add_verb("disasm", "Show the command streams of a model or package", "naru disasm models/digits/digits.tflite", *options, [options] { return disassemble_model(*options); });
  add_model_options(verb, *options);
  verb->add_option("--profile", options->profile, "Compile a model for this chip (default: edge)");
}

}  // namespace naru::cli
