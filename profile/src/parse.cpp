// Text to Profile. Strict on purpose: a misspelt, missing or repeated key would silently give a device that nobody asked for.
#include <charconv>
#include <map>
#include <optional>

#include "keys.h"

namespace naru::profile {
namespace {

constexpr std::size_t kTextBytesMax = 64 * 1024;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

struct Entry {
  std::string_view value;
  unsigned line = 0;
  bool used = false;
};
using Entries = std::map<std::string, Entry, std::less<>>;

Result<Entries> read_entries(std::string_view text, std::string_view origin) {
  Entries entries;
  std::string section;
  unsigned number = 0;
  while (!text.empty()) {
    ++number;
    const auto refuse = [&](std::string what) { return fail(ErrorId::kProfileInvalid, fmt::format("{}, line {}: {}", origin, number, what)); };
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (line.front() == '[') {
      if (line.back() != ']') return refuse(fmt::format("section \"{}\" has no closing bracket", line));
      section = trimmed(line.substr(1, line.size() - 2));
      continue;
    }
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return refuse(fmt::format("\"{}\" is neither a section nor key = value", line));
    const std::string_view key = trimmed(line.substr(0, equals));
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (key.empty() || value.empty()) return refuse("key or value is empty");
    // A dotted key stands by itself, wherever it is.
    std::string full = section.empty() || key.find('.') != std::string_view::npos ? std::string(key) : fmt::format("{}.{}", section, key);
    const auto [at, added] = entries.try_emplace(std::move(full), Entry{value, number});
    if (!added) return refuse(fmt::format("key {} was given before, in line {}", at->first, at->second.line));
  }
  return entries;
}

std::optional<std::int64_t> parse_number(std::string_view text, bool in_bytes) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view unit = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  if (unit.empty()) return value;
  const int shift = !in_bytes ? -1 : unit == "KiB" ? 10 : unit == "MiB" ? 20 : unit == "GiB" ? 30 : -1;
  if (shift < 0 || value < 0 || value > (std::numeric_limits<std::int64_t>::max() >> shift)) return std::nullopt;
  return value << shift;
}

}  // namespace

Result<Profile> parse(std::string_view text, std::string_view origin) {
  if (text.size() > kTextBytesMax) return fail(ErrorId::kProfileInvalid, fmt::format("{} has {} bytes; a profile has at most {}", origin, text.size(), kTextBytesMax));
  NARU_TRY(Entries entries, read_entries(text, origin));
  Profile profile;
  std::optional<Error> error;
  const auto refuse = [&](std::string what) {
    if (!error) error = Error(ErrorId::kProfileInvalid, fmt::format("{}{}", origin, what));
  };
  const auto take = [&](const std::string& key) -> Entry* {
    const auto at = entries.find(key);
    if (at == entries.end()) {
      refuse(fmt::format(": key {} is missing", key));
      return nullptr;
    }
    at->second.used = true;
    return &at->second;
  };
  if (const Entry* entry = take("name")) {
    profile.name = entry->value;
    if (profile.name.size() > 23) refuse(fmt::format(", line {}: name has {} characters; at most 23 fit", entry->line, profile.name.size()));
  }
  for_each_key(profile, [&](std::string_view section, std::string_view key, auto& value, Range range) {
    const std::string full = fmt::format("{}.{}", section, key);
    const Entry* entry = take(full);
    if (entry == nullptr) return;
    const std::optional<std::int64_t> number = parse_number(entry->value, key.ends_with("_bytes"));
    if (!number) return refuse(fmt::format(", line {}: {} is \"{}\", which is not a whole number", entry->line, full, entry->value));
    if (*number < range.low || *number > range.high)
      return refuse(fmt::format(", line {}: {} is {}; it must be from {} to {}", entry->line, full, *number, range.low, range.high));
    value = static_cast<std::remove_reference_t<decltype(value)>>(*number);
  });
  // An unknown key is the likelier cause of a missing one, so it is named first.
  for (const auto& [key, entry] : entries)
    if (!entry.used) return fail(ErrorId::kProfileInvalid, fmt::format("{}, line {}: key {} is not known", origin, entry.line, key));
  if (error) return fail(*std::move(error));
  if (auto checked = check(profile); !checked) return fail(std::move(checked).error().while_doing(fmt::format("reading profile {}", origin)));
  return profile;
}

}  // namespace naru::profile
