// The golden models beside the checkout: where they are, their cases, and the rule for skipping when they are not there.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
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

/// The models that this version runs, smallest work first.
inline const std::vector<std::string>& supported_models() {
  static const std::vector<std::string> names = {
      "tflm_hello_world_int8",  "tflm_micro_speech_int8",    "emlearn_mnist_cnn_int8",   "aeq_conv_fc_mnist_srq_a8w8",          "mlperf_ad01_int8",
      "mlperf_ad_toycar_fullint_f32io", "mlperf_strww_int8", "mlperf_kws_dscnn_int8",    "mltk_rock_paper_scissors",            "mlperf_vww96_int8",
      "tflm_person_detect_int8", "mlperf_resnet8_int8",      "mlperf_resnet8_large_int8", "tflm_mobilenet_v2_1.0_224_pt_int8", "coral_tf2_mobilenet_v2_1.0_224_ptq"};
  return names;
}

}  // namespace naru::testing
