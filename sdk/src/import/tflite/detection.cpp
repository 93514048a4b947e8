// TFLite_Detection_PostProcess: its custom options, a FlexBuffers map that is verified before it is read, and its results' shapes.
#include "import/tflite/read_options.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <flatbuffers/flexbuffers.h>
#include <fmt/format.h>

#include "import/refusal.h"
#include "import/tflite/read.h"

namespace naru::sdk {
namespace {

bool reads(const tflite::Operator& op, graph::TensorId id) {
  return op.inputs() != nullptr && std::find(op.inputs()->begin(), op.inputs()->end(), id) != op.inputs()->end();
}

}  // namespace

Result<graph::Options> read_detection(const Source& source) {
  const auto* bytes = source.file.custom_options();
  if (bytes == nullptr || bytes->size() == 0) return refuse(ErrorId::kModelOptions, place_of(source.op, "custom_options"), "are missing");
  if (!flexbuffers::VerifyBuffer(bytes->data(), bytes->size())) return refuse(ErrorId::kModelStructure, place_of(source.op, "custom_options"), "are damaged");
  const flexbuffers::Reference root = flexbuffers::GetRoot(bytes->data(), bytes->size());
  if (!root.IsMap()) return refuse(ErrorId::kModelOptions, place_of(source.op, "custom_options"), "are not a map");
  const flexbuffers::Map map = root.AsMap();
  graph::DetectionOptions options;
  // Through double and a range: FlexBuffers' own conversions overflow for numbers that a file may have.
  const auto number_of = [&](const char* key, double limit) -> std::optional<double> {
    const auto value = map[key];
    if (!value.IsNumeric() || std::isnan(value.AsDouble())) return std::nullopt;
    return std::clamp(value.AsDouble(), -limit, limit);
  };
  const auto number = [&](const char* key, std::int32_t& target) {
    if (const auto value = number_of(key, 1 << 30)) target = std::max(static_cast<std::int32_t>(*value), -1);
  };
  const auto real = [&](const char* key, float& target) {
    if (const auto value = number_of(key, std::numeric_limits<float>::max())) target = static_cast<float>(*value);
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
  options.regular_suppression = regular.IsBool() ? regular.AsBool() : number_of("use_regular_nms", 1).value_or(0) != 0;
  return options;
}

void give_detections_shapes(const TfliteFile& file, graph::Graph& graph, const graph::Operator& op) {
  const auto& options = std::get<graph::DetectionOptions>(op.options);
  const std::int64_t n = std::int64_t{options.max_detections} * options.max_classes_per_detection;
  if (op.outputs.size() != 4 || n < 1 || n > (1 << 16)) return;
  const auto count = static_cast<std::int32_t>(n);
  const std::initializer_list<graph::Shape> shapes{{1, count, 4}, {1, count}, {1, count}, {1}};
  const auto& operators = *file.subgraph->operators();
  for (std::size_t i = 0; i < 4; ++i) {
    graph::Tensor& tensor = graph.tensor(op.outputs[i]);
    const bool is_read = std::any_of(operators.begin(), operators.end(), [&](const tflite::Operator* other) { return reads(*other, op.outputs[i]); });
    if (tensor.shape.empty() || !is_read) tensor.shape = shapes.begin()[i];
  }
}

}  // namespace naru::sdk
