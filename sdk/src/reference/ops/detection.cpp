// TFLite_Detection_PostProcess: boxes from their encodings and anchors, then the best of each object, by one of two ways to suppress overlaps.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

struct Box {
  float top, left, bottom, right;
};

struct Detection {
  std::size_t anchor;
  std::size_t kind;
  float score;
};

/// An operand as float32: codes are (code - zero point) * scale.
std::vector<float> reals_of(const Call& call, std::size_t operand) {
  const graph::Tensor& tensor = call.input(operand);
  std::vector<float> values;
  dispatch<float, std::uint8_t, std::int8_t>(call, tensor.type, [&](auto element) {
    using Element = decltype(element);
    const auto* data = call.data<Element>(operand);
    values.assign(data, data + graph::element_count(tensor));
    if constexpr (!std::is_same_v<Element, float>)
      for (float& value : values) value = (value - static_cast<float>(tensor.zero_point())) * tensor.scale();
  });
  return values;
}

/// In double, rounded to float32 once for the centre and once for half the size.
std::vector<Box> decoded_boxes(const Call& call, const graph::DetectionOptions& options) {
  const auto encodings = reals_of(call, 0);
  const auto anchors = reals_of(call, 2);
  const auto width = static_cast<std::size_t>(call.input(0).shape.back());
  std::vector<Box> boxes;
  for (std::size_t i = 0; i + 4 <= anchors.size() && (i / 4 + 1) * width <= encodings.size(); i += 4) {
    const float* code = encodings.data() + i / 4 * width;
    const float* anchor = anchors.data() + i;
    const auto real = [](float value) { return static_cast<double>(value); };
    const auto centre_y = static_cast<float>(real(code[0]) / real(options.y_scale) * real(anchor[2]) + real(anchor[0]));
    const auto centre_x = static_cast<float>(real(code[1]) / real(options.x_scale) * real(anchor[3]) + real(anchor[1]));
    const auto half_h = static_cast<float>(0.5 * std::exp(real(code[2]) / real(options.h_scale)) * real(anchor[2]));
    const auto half_w = static_cast<float>(0.5 * std::exp(real(code[3]) / real(options.w_scale)) * real(anchor[3]));
    boxes.push_back({centre_y - half_h, centre_x - half_w, centre_y + half_h, centre_x + half_w});
  }
  return boxes;
}

float overlap(const Box& a, const Box& b) {
  const float area_a = (a.bottom - a.top) * (a.right - a.left);
  const float area_b = (b.bottom - b.top) * (b.right - b.left);
  if (area_a <= 0.0F || area_b <= 0.0F) return 0.0F;
  const float height = std::max(std::min(a.bottom, b.bottom) - std::max(a.top, b.top), 0.0F);
  const float width = std::max(std::min(a.right, b.right) - std::max(a.left, b.left), 0.0F);
  return height * width / (area_a + area_b - height * width);
}

/// Indices by falling value; equal ones in their order.
std::vector<std::size_t> by_falling(const std::vector<float>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  return order;
}

/// Anchors by falling score, without those below the threshold and those that overlap a better one too much; at most `count`.
std::vector<std::size_t> suppressed(const graph::DetectionOptions& options, const std::vector<Box>& boxes, const std::vector<float>& scores,
                                    std::size_t count) {
  std::vector<std::size_t> candidates = by_falling(scores);
  std::erase_if(candidates, [&](std::size_t anchor) { return !(scores[anchor] >= options.score_threshold); });
  std::vector<std::size_t> selected;
  std::vector<bool> dropped(candidates.size());
  for (std::size_t i = 0; i < candidates.size() && selected.size() < count; ++i) {
    if (dropped[i]) continue;
    selected.push_back(candidates[i]);
    for (std::size_t j = i + 1; j < candidates.size(); ++j)
      if (!dropped[j] && overlap(boxes[candidates[i]], boxes[candidates[j]]) > options.overlap_threshold) dropped[j] = true;
  }
  return selected;
}

/// The class scores of all anchors; the background, where there is one, comes first in each row and is left out.
struct Scores {
  std::vector<float> values;
  std::size_t row;
  std::size_t first;
  [[nodiscard]] float at(std::size_t anchor, std::size_t kind) const { return values[anchor * row + first + kind]; }
};

/// Each class by itself; the best of all are kept.
std::vector<Detection> regular(const graph::DetectionOptions& options, const std::vector<Box>& boxes, const Scores& scores) {
  std::vector<Detection> best;
  for (std::size_t kind = 0; kind < static_cast<std::size_t>(options.classes); ++kind) {
    std::vector<float> of_class;
    for (std::size_t anchor = 0; anchor < boxes.size(); ++anchor) of_class.push_back(scores.at(anchor, kind));
    for (std::size_t anchor : suppressed(options, boxes, of_class, static_cast<std::size_t>(std::max(options.detections_per_class, 0))))
      best.push_back({anchor, kind, of_class[anchor]});
    std::stable_sort(best.begin(), best.end(), [](const Detection& a, const Detection& b) { return a.score > b.score; });
    best.resize(std::min(best.size(), static_cast<std::size_t>(std::max(options.max_detections, 0))));
  }
  return best;
}

/// All classes at once, each anchor by its best; then the anchor's best classes.
std::vector<Detection> fast(const graph::DetectionOptions& options, const std::vector<Box>& boxes, const Scores& scores) {
  const auto classes = static_cast<std::size_t>(options.classes);
  std::vector<float> highest;
  for (std::size_t anchor = 0; anchor < boxes.size(); ++anchor) {
    const auto* row = scores.values.data() + anchor * scores.row + scores.first;
    highest.push_back(*std::max_element(row, row + classes));
  }
  std::vector<Detection> best;
  for (std::size_t anchor : suppressed(options, boxes, highest, static_cast<std::size_t>(std::max(options.max_detections, 0)))) {
    const auto* row = scores.values.data() + anchor * scores.row + scores.first;
    const auto order = by_falling(std::vector<float>(row, row + classes));
    for (std::size_t i = 0; i < std::min(classes, static_cast<std::size_t>(std::max(options.max_classes_per_detection, 1))); ++i)
      best.push_back({anchor, order[i], scores.at(anchor, order[i])});
  }
  return best;
}

}  // namespace

void detection_post_process(const Call& call) {
  const auto& options = call.options<graph::DetectionOptions>();
  const std::vector<Box> boxes = decoded_boxes(call, options);
  const auto row = static_cast<std::size_t>(call.input(1).shape.back());
  if (options.classes < 1 || static_cast<std::size_t>(options.classes) > row) return call.refuse(ErrorId::kModelOptions, "has more classes than scores");
  Scores scores{reals_of(call, 1), row, row - static_cast<std::size_t>(options.classes)};
  if (scores.values.size() < boxes.size() * row) return call.refuse(ErrorId::kModelShape, "has fewer scores than anchors");

  std::vector<Detection> found = options.regular_suppression ? regular(options, boxes, scores) : fast(options, boxes, scores);
  found.resize(std::min(found.size(), call.results[1].size() / sizeof(float)));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Box& box = boxes[found[i].anchor];
    const float corners[] = {box.top, box.left, box.bottom, box.right};
    std::copy_n(corners, 4, call.out<float>(0) + 4 * i);
    call.out<float>(1)[i] = static_cast<float>(found[i].kind);
    call.out<float>(2)[i] = found[i].score;
  }
  call.out<float>(3)[0] = static_cast<float>(found.size());
}

}  // namespace naru::sdk::reference
