// The golden models beside the checkout: where they are, their cases, and the rule for skipping when they are not there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace naru::testing {

/// NARU_MODELS, else ../shared/models beside the checkout; nullopt when neither is there.
inline std::optional<std::filesystem::path> models_folder() {
  const char* named = std::getenv("NARU_MODELS");
  const std::filesystem::path folder = named != nullptr && *named != '\0' ? std::filesystem::path(named) : std::filesystem::path(NARU_SOURCE_DIR) / ".." / "shared" / "models";
  if (!std::filesystem::exists(folder / "manifest.json")) return std::nullopt;
  return folder;
}

inline std::vector<std::byte> read_all(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<std::byte> bytes(chars.size());
  for (std::size_t i = 0; i < chars.size(); ++i) bytes[i] = static_cast<std::byte>(chars[i]);
  return bytes;
}

struct GoldenCase {
  std::string name;
  std::size_t steps = 1;
  std::filesystem::path folder;
};

struct GoldenModel {
  std::string name;
  std::filesystem::path file;
  std::size_t inputs = 0, outputs = 0;
  std::vector<GoldenCase> cases;
};

inline GoldenModel golden_model(const std::filesystem::path& models, const std::string& name) {
  const std::filesystem::path folder = models / "golden" / name;
  const nlohmann::json meta = nlohmann::json::parse(std::ifstream(folder / "meta.json"));
  GoldenModel model{.name = name, .file = models / (name + ".tflite"), .inputs = meta["inputs"].size(), .outputs = meta["outputs"].size(), .cases = {}};
  for (const auto& [case_name, description] : meta["cases"].items()) model.cases.push_back({case_name, description.value("steps", std::size_t{1}), folder / case_name});
  return model;
}

/// All of them, smallest file first.
inline std::vector<std::string> all_models(const std::filesystem::path& models) {
  std::vector<std::pair<std::uintmax_t, std::string>> sized;
  for (const auto& entry : nlohmann::json::parse(std::ifstream(models / "manifest.json"))) {
    const std::string name = entry["name"];
    sized.emplace_back(std::filesystem::file_size(models / (name + ".tflite")), name);
  }
  std::sort(sized.begin(), sized.end());
  std::vector<std::string> names;
  for (auto& [size, name] : sized) names.push_back(std::move(name));
  return names;
}

/// Tensors of the file that a case gives instead of outputs: those that feed an operator which the golden run did not execute.
inline std::vector<std::int32_t> given_tensors(const GoldenCase& test) {
  std::vector<std::int32_t> tensors;
  for (const auto& entry : std::filesystem::directory_iterator(test.folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("tensor") && name.ends_with(".bin")) tensors.push_back(std::stoi(name.substr(6)));
  }
  std::sort(tensors.begin(), tensors.end());
  return tensors;
}

}  // namespace naru::testing
