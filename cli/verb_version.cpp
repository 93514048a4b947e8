// naru version: which one this is.
#include <fmt/format.h>

#include "app.h"

namespace naru::cli {

void add_version(App& app) {
  const auto common = std::make_shared<Common>();
  app.add_verb("version", "The version of Naru", "naru version", *common, [common] {
    if (common->json) {
      Json json = document("version", false);
      json["version"] = version();
      print(json);
    } else {
      fmt::print("naru {}\n", version());
    }
    return 0;
  });
}

}  // namespace naru::cli
