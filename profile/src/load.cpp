// Where profiles are found: embedded, then the directories of NARU_PROFILE_PATH, then the install's share folder, then a path.
#include <cstdlib>
#include <optional>

#include <fmt/format.h>

#include "embedded.h"
#include "naru/base/file.h"
#include "naru/profile/profile.h"

namespace naru::profile {
namespace {

constexpr std::size_t kFileBytesMax = 64 * 1024;

Result<Profile> read_profile(const std::string& path) {
  NARU_TRY(const std::vector<std::byte> bytes, read_file(path, kFileBytesMax));
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

/// nullopt when the directory has no such profile; a profile that is there but bad is an error, not the next directory's turn.
std::optional<Result<Profile>> find_in(std::string_view directory, std::string_view name) {
  if (directory.empty()) return std::nullopt;
  Result<Profile> found = read_profile(fmt::format("{}/{}.profile", directory, name));
  if (!found && found.error().id() == ErrorId::kFileNotFound) return std::nullopt;
  return found;
}

}  // namespace

Result<Profile> load(std::string_view name_or_path) {
  for (const EmbeddedProfile& embedded : embedded_profiles())
    if (embedded.name == name_or_path) return parse(embedded.text, fmt::format("{}.profile", embedded.name));
  if (!name_or_path.empty() && name_or_path.find('/') == std::string_view::npos) {
    const char* variable = std::getenv("NARU_PROFILE_PATH");
    std::string_view directories = variable == nullptr ? "" : variable;
    while (!directories.empty()) {
      const std::size_t end = directories.find(':');
      if (auto found = find_in(directories.substr(0, end), name_or_path)) return *std::move(found);
      directories.remove_prefix(end == std::string_view::npos ? directories.size() : end + 1);
    }
    if (auto found = find_in(NARU_PROFILE_SHARE, name_or_path)) return *std::move(found);
  }
  Result<Profile> from_path = read_profile(std::string(name_or_path));
  if (from_path || from_path.error().id() != ErrorId::kFileNotFound) return from_path;
  std::string known;
  for (const std::string& name : names()) known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
  return fail(ErrorId::kProfileNotFound, fmt::format("Profile \"{}\" is neither known ({}) nor a file", name_or_path, known));
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const EmbeddedProfile& embedded : embedded_profiles()) all.emplace_back(embedded.name);
  return all;
}

}  // namespace naru::profile
