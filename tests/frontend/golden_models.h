// The golden models beside the checkout: where they are, which cases they have, what each operator must give. Files only; no judgement.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "naru/base/file.h"
#include "naru/base/hash.h"

namespace naru::golden {

/// One operator's output in layers.json.
struct Layer {
  int operator_index = 0;
  std::string name;
  int tensor = 0;
  std::uint64_t fnv1a64 = 0;
};

/// The fingerprint in layers.json: FNV-1a-64 from the basis that its generator used, which lacks the last digit of the usual one.
inline std::uint64_t layer_fingerprint(std::span<const std::byte> bytes) { return fnv1a64(bytes, 1469598103934665603ULL); }

struct Case {
  std::string name;
  std::filesystem::path folder;
};

/// NARU_MODELS, else ../shared/models beside the source tree; may not exist.
inline std::filesystem::path models_folder() {
  if (const char* folder = std::getenv("NARU_MODELS"); folder != nullptr && *folder != '\0') return folder;
  return std::filesystem::path(NARU_SOURCE_DIR) / ".." / "shared" / "models";
}

inline std::filesystem::path model_path(const std::string& model) { return models_folder() / (model + ".tflite"); }
inline bool has_model(const std::string& model) { return std::filesystem::exists(model_path(model)); }

/// Every case of a model, by name.
inline std::vector<Case> cases_of(const std::string& model) {
  std::vector<Case> cases;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(models_folder() / "golden" / model, ignored))
    if (entry.is_directory()) cases.push_back({entry.path().filename().string(), entry.path()});
  std::sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
  return cases;
}

/// input0.bin, input1.bin, ... or output0.bin, ...
inline std::vector<std::vector<std::byte>> tensors_of(const Case& golden, const std::string& prefix) {
  std::vector<std::vector<std::byte>> tensors;
  for (int i = 0;; ++i) {
    const auto path = golden.folder / (prefix + std::to_string(i) + ".bin");
    if (!std::filesystem::exists(path)) return tensors;
    tensors.push_back(read_file(path.string()).value_or(std::vector<std::byte>()));
  }
}

inline std::vector<Layer> layers_of(const Case& golden) {
  std::ifstream file(golden.folder / "layers.json");
  const auto json = nlohmann::json::parse(file, nullptr, false);
  std::vector<Layer> layers;
  if (!json.is_array()) return layers;
  for (const auto& row : json)
    layers.push_back({row.value("op", -1), row.value("name", ""), row.value("tensor", -1), std::stoull(row.value("fnv1a64", "0"), nullptr, 16)});
  return layers;
}

/// The models that issue 2 names: all must be exact.
inline const std::vector<std::string>& first_models() {
  static const std::vector<std::string> kNames = {
      "mlperf_ad01_int8", "mlperf_kws_dscnn_int8", "mlperf_resnet8_int8", "mlperf_resnet8_large_int8", "mlperf_strww_int8", "mlperf_vww96_int8",
      "mlperf_ad_toycar_fullint_f32io", "tflm_person_detect_int8", "tflm_micro_speech_int8", "tflm_hello_world_int8", "tflm_mobilenet_v2_1.0_224_pt_int8",
      "coral_tf2_mobilenet_v2_1.0_224_ptq", "emlearn_mnist_cnn_int8", "aeq_conv_fc_mnist_srq_a8w8", "mltk_rock_paper_scissors"};
  return kNames;
}

/// Models that happen to have only the same operators.
inline const std::vector<std::string>& further_models() {
  static const std::vector<std::string> kNames = {"litert_single_add_default_a8w8_recipe_quantized", "litert_single_mul_default_a8w8_recipe_quantized",
                                                  "mltk_image_example1", "mltk_kws_on_off_v3", "tinyengine_vww"};
  return kNames;
}

}  // namespace naru::golden
