// Whole files in and out, with errors that name the path and what to do.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "naru/base/result.h"

namespace naru {

/// Reads all of `path`; refuses files over `bytes_max` without reading them.
[[nodiscard]] NARU_API Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t bytes_max = std::size_t{1} << 31);
/// Replaces `path` atomically: writes beside it, then renames. What is there and is no regular file (a device, a pipe, a link) is written to.
[[nodiscard]] NARU_API Result<void> write_file(const std::string& path, std::span<const std::byte> bytes);

}  // namespace naru
