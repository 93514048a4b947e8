// The custom options of TFLite_Detection_PostProcess: a FlexBuffers map, verified before it is read.
#include "import/tflite/read_options.h"

#include <algorithm>

#include <flatbuffers/flexbuffers.h>
#include <fmt/format.h>

#include "import/refusal.h"

namespace naru::sdk {

Result<graph::Options> read_detection(const Source& source) {
  const auto* bytes = source.file.custom_options();
  if (bytes == nullptr || bytes->size() == 0) return refuse(ErrorId::kModelOptions, place_of(source.op, "custom_options"), "are missing");
  if (!flexbuffers::VerifyBuffer(bytes->data(), bytes->size())) return refuse(ErrorId::kModelStructure, place_of(source.op, "custom_options"), "are damaged");
  const flexbuffers::Reference root = flexbuffers::GetRoot(bytes->data(), bytes->size());
  if (!root.IsMap()) return refuse(ErrorId::kModelOptions, place_of(source.op, "custom_options"), "are not a map");
  const flexbuffers::Map map = root.AsMap();
  graph::DetectionOptions options;
  const auto number = [&](const char* key, std::int32_t& target) {
    const auto value = map[key];
    if (value.IsNumeric()) target = static_cast<std::int32_t>(std::clamp<std::int64_t>(value.AsInt64(), -1, 1 << 30));
  };
  const auto real = [&](const char* key, float& target) {
    const auto value = map[key];
    if (value.IsNumeric()) target = value.AsFloat();
  };
  number("max_detections", options.max_detections);
  number("max_classes_per_detection", options.max_classes_per_detection);
  number("detections_per_class", options.detections_per_class);
  number("num_classes", options.classes);
  real("nms_score_threshold", options.score_threshold);
  real("nms_iou_threshold", options.overlap_threshold);
  real("y_scale", options.y_scale);
  real("x_scale", options.x_scale);
  real("h_scale", options.h_scale);
  real("w_scale", options.w_scale);
  const auto regular = map["use_regular_nms"];
  options.regular_suppression = (regular.IsBool() || regular.IsNumeric()) && regular.AsBool();
  return options;
}

}  // namespace naru::sdk
