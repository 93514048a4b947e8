// What must hold for any bytes that are given to the package reader. Shared by fuzz_package and by the test that replays the corpus.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "package/codec.h"

namespace naru::fuzzing {

/// Of U+FFFD, which stands where text was replaced.
inline std::size_t replacements(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size()), replacement = "\xEF\xBF\xBD";
  std::size_t count = 0;
  for (std::size_t at = text.find(replacement); at != std::string_view::npos; at = text.find(replacement, at + replacement.size())) ++count;
  return count;
}

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
  const std::vector<std::byte> again = sdk::package::encode(*package);
  if (std::ranges::equal(again, bytes)) return {};
  // Text that cannot be printed is replaced by the reader; what it makes of the package gives its bytes back.
  if (replacements(again) <= replacements(bytes)) return "encoding does not give the decoded bytes back";
  const auto second = sdk::package::decode(again);
  if (!second) return fmt::format("what was read is refused when it is written: {}", second.error().to_string(true));
  if (sdk::package::encode(*second) != again) return "encoding does not give the decoded bytes back, although its text is clean";
  return {};
}

}  // namespace naru::fuzzing
