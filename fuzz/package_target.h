// What must hold for any bytes that are given to the package reader. Shared by fuzz_package and by the test that replays the corpus.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include <fmt/format.h>

#include "package/codec.h"

namespace naru::fuzzing {

/// Decoding must end in a package that gives its bytes back, or in a documented refusal. Returns what is broken; empty when nothing is.
inline std::string check_package(std::span<const std::byte> bytes) {
  const auto package = sdk::package::decode(bytes);
  if (!package) {
    const auto id = static_cast<unsigned>(package.error().id());
    const bool documented = (id >= 501 && id <= 506) || (id >= 601 && id <= 620);
    if (!documented) return fmt::format("an error that is not documented there: {}", package.error().to_string(true));
    if (package.error().message().empty() || package.error().remedy().empty()) return fmt::format("{} says nothing", package.error().id_text());
    return {};
  }
  if (!std::ranges::equal(sdk::package::encode(*package), bytes)) return "encoding does not give the decoded bytes back";
  return {};
}

}  // namespace naru::fuzzing
