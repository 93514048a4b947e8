// Text that came out of a file, for messages and listings.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace naru::sdk::graph {

inline constexpr std::size_t kNameBytesMax = 1024;

/// Made safe to print: valid UTF-8, no control characters, cut after the character that reaches `bytes_max`. What is clean and short enough stays as it is.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t bytes_max = kNameBytesMax);

}  // namespace naru::sdk::graph
