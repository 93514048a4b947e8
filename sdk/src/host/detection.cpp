// TFLite_Detection_PostProcess: boxes are decoded from their anchors, then the best ones that do not overlap are kept, either over all classes at once
// (fast) or class by class (regular). Ties go to the lower index, as TFLite's sorts give them.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/call.h"

namespace naru::sdk::host {
namespace {

struct Box {
  float top = 0, left = 0, bottom = 0, right = 0;
};
struct Detection {
  Box box;
  float category = 0;
  float score = 0;
};
struct Sizes {
  std::size_t anchors = 0, stride = 0, columns = 0, classes = 0, background = 0, capacity = 0;
};

/// Reals of an operand: codes less their zero point times the scale. `in_double`: the product in double, as DEQUANTIZE has it.
std::vector<float> reals(const Data& data, std::size_t index, const Tensor& tensor, bool in_double) {
  std::vector<float> result;
  if (tensor.type == ElementType::kF32) {
    const auto values = data.in<float>(index);
    result.assign(values.begin(), values.end());
    return result;
  }
  const auto take = [&](auto sample) {
    for (auto code : data.in<decltype(sample)>(index))
      result.push_back(in_double ? numerics::dequantize(code, tensor.scale(), tensor.zero_point())
                                 : (static_cast<float>(code) - static_cast<float>(tensor.zero_point())) * tensor.scale());
  };
  for_type<std::int8_t, std::uint8_t>(tensor.type, take);
  return result;
}

std::vector<Box> decode(const graph::DetectionOptions& options, const Sizes& sizes, const std::vector<float>& encodings, const std::vector<float>& anchors) {
  std::vector<Box> boxes;
  const auto centre = [](float value, float scale, float extent, float middle) {
    return static_cast<float>(static_cast<double>(value) / static_cast<double>(scale) * static_cast<double>(extent) + static_cast<double>(middle));
  };
  const auto half = [](float value, float scale, float extent) {
    return static_cast<float>(0.5 * std::exp(static_cast<double>(value) / static_cast<double>(scale)) * static_cast<double>(extent));
  };
  for (std::size_t i = 0; i < sizes.anchors; ++i) {
    const float* code = encodings.data() + i * sizes.stride;
    const float* anchor = anchors.data() + i * 4;
    const float y = centre(code[0], options.y_scale, anchor[2], anchor[0]);
    const float x = centre(code[1], options.x_scale, anchor[3], anchor[1]);
    const float h = half(code[2], options.h_scale, anchor[2]);
    const float w = half(code[3], options.w_scale, anchor[3]);
    boxes.push_back({y - h, x - w, y + h, x + w});
  }
  return boxes;
}

float overlap(const Box& a, const Box& b) noexcept {
  const float area_a = (a.bottom - a.top) * (a.right - a.left);
  const float area_b = (b.bottom - b.top) * (b.right - b.left);
  if (area_a <= 0.0F || area_b <= 0.0F) return 0.0F;
  const float height = std::max(std::min(a.bottom, b.bottom) - std::max(a.top, b.top), 0.0F);
  const float width = std::max(std::min(a.right, b.right) - std::max(a.left, b.left), 0.0F);
  const float common = height * width;
  return common / (area_a + area_b - common);
}

/// Scores without an order (NaN) would break a sort: they come last.
float ordered(float score) noexcept { return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score; }

/// The `keep` best of `count` scores, best first.
template <typename F>
std::vector<std::size_t> best_of(std::size_t count, std::size_t keep, F&& score_of) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto better = [&](std::size_t a, std::size_t b) {
    const float score_a = ordered(score_of(a));
    const float score_b = ordered(score_of(b));
    return score_a > score_b || (score_a == score_b && a < b);
  };
  keep = std::min(keep, count);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(), better);
  order.resize(keep);
  return order;
}

/// Of the boxes at or over the threshold, best first, those that no better one overlaps too much.
std::vector<std::size_t> suppress(const graph::DetectionOptions& options, const std::vector<Box>& boxes, const std::vector<float>& scores, std::size_t limit) {
  std::vector<std::size_t> candidates;
  for (std::size_t i = 0; i < scores.size(); ++i)
    if (scores[i] >= options.score_threshold) candidates.push_back(i);
  const auto order = best_of(candidates.size(), candidates.size(), [&](std::size_t i) { return scores[candidates[i]]; });
  std::vector<bool> dropped(order.size());
  std::vector<std::size_t> selected;
  for (std::size_t i = 0; i < order.size() && selected.size() < limit; ++i) {
    if (dropped[i]) continue;
    const std::size_t box = candidates[order[i]];
    selected.push_back(box);
    for (std::size_t j = i + 1; j < order.size(); ++j)
      if (!dropped[j] && overlap(boxes[box], boxes[candidates[order[j]]]) > options.overlap_threshold) dropped[j] = true;
  }
  return selected;
}

std::vector<Detection> fast(const graph::DetectionOptions& options, const Sizes& sizes, const std::vector<Box>& boxes, const std::vector<float>& scores) {
  const auto per_box = static_cast<std::size_t>(std::min<std::int64_t>(options.max_classes_per_detection, static_cast<std::int64_t>(sizes.classes)));
  const auto score = [&](std::size_t box, std::size_t category) { return scores[box * sizes.columns + sizes.background + category]; };
  std::vector<std::vector<std::size_t>> categories;
  std::vector<float> best;
  for (std::size_t box = 0; box < sizes.anchors; ++box) {
    categories.push_back(best_of(sizes.classes, per_box, [&](std::size_t category) { return score(box, category); }));
    best.push_back(score(box, categories.back().front()));
  }
  std::vector<Detection> found;
  for (std::size_t box : suppress(options, boxes, best, static_cast<std::size_t>(options.max_detections)))
    for (std::size_t category : categories[box]) found.push_back({boxes[box], static_cast<float>(category), score(box, category)});
  return found;
}

std::vector<Detection> regular(const graph::DetectionOptions& options, const Sizes& sizes, const std::vector<Box>& boxes, const std::vector<float>& scores) {
  std::vector<Detection> found;
  std::vector<float> of_class(sizes.anchors);
  for (std::size_t category = 0; category < sizes.classes; ++category) {
    for (std::size_t box = 0; box < sizes.anchors; ++box) of_class[box] = scores[box * sizes.columns + sizes.background + category];
    for (std::size_t box : suppress(options, boxes, of_class, static_cast<std::size_t>(options.detections_per_class)))
      found.push_back({boxes[box], static_cast<float>(category), of_class[box]});
    // Only the best of all classes so far go on.
    std::vector<Detection> kept;
    for (std::size_t i : best_of(found.size(), static_cast<std::size_t>(options.max_detections), [&](std::size_t i) { return found[i].score; })) kept.push_back(found[i]);
    found = std::move(kept);
  }
  return found;
}

}  // namespace

Result<Run> prepare_detection(const Call& call) {
  const auto* given = call.options<graph::DetectionOptions>();
  if (given == nullptr) return call.no_options();
  const graph::DetectionOptions& options = *given;
  const Tensor& encodings = call.in(0);
  const Tensor& scores = call.in(1);
  const Tensor& anchors = call.in(2);
  NARU_CHECK_OK(call.require(encodings.shape.size() == 3 && encodings.shape[0] == 1 && encodings.shape[2] >= 4 && scores.shape.size() == 3 && scores.shape[0] == 1 &&
                                 scores.shape[1] == encodings.shape[1] && anchors.shape == Shape{encodings.shape[1], 4},
                             "its boxes, scores and anchors do not fit"));
  const std::int64_t background = std::int64_t{scores.shape[2]} - options.classes;
  NARU_CHECK_OK(call.require(options.classes >= 1 && (background == 0 || background == 1), "its scores are not one per class, or one more"));
  NARU_CHECK_OK(call.require(options.max_detections >= 1 && options.max_classes_per_detection >= 1 && options.detections_per_class >= 1, "it keeps less than one detection"));
  NARU_CHECK_OK(call.require(options.overlap_threshold > 0.0F && options.overlap_threshold <= 1.0F, "its overlap threshold is not over 0 and up to 1"));
  for (float scale : {options.y_scale, options.x_scale, options.h_scale, options.w_scale})
    NARU_CHECK_OK(call.require(std::isfinite(scale) && scale != 0.0F, "a scale of its boxes is 0 or no number"));
  for (const Tensor* tensor : call.inputs) {
    if (tensor->type == ElementType::kF32) continue;
    if (!is_code8(tensor->type)) return call.unsupported("it has an operand of {}", abi::name_of(tensor->type));
    NARU_CHECK_OK(call.require_quantization(*tensor));
  }
  for (const Tensor* tensor : call.outputs)
    if (tensor->type != ElementType::kF32) return call.unsupported("it has a result of {}", abi::name_of(tensor->type));
  const std::int64_t capacity = std::int64_t{options.max_detections} * options.max_classes_per_detection;
  NARU_CHECK_OK(call.require(count_of(call.out(1)) == static_cast<std::uint64_t>(capacity) && count_of(call.out(0)) == 4 * static_cast<std::uint64_t>(capacity) &&
                                 count_of(call.out(2)) == static_cast<std::uint64_t>(capacity) && count_of(call.out(3)) == 1,
                             "its results have not room for the detections"));
  const Sizes sizes{static_cast<std::size_t>(encodings.shape[1]), static_cast<std::size_t>(encodings.shape[2]), static_cast<std::size_t>(scores.shape[2]),
                    static_cast<std::size_t>(options.classes),    static_cast<std::size_t>(background),         static_cast<std::size_t>(capacity)};
  // Copies: what runs outlives the operator's tensors. Only type and quantisation are read.
  const auto described = [](const Tensor& tensor) {
    Tensor copy;
    copy.type = tensor.type;
    copy.quantization = tensor.quantization;
    return copy;
  };
  return Run([options, sizes, encoded = described(encodings), scored = described(scores), anchored = described(anchors), name = graph::describe(call.op)](const Data& data) -> Result<void> {
    const auto boxes = decode(options, sizes, reals(data, 0, encoded, false), reals(data, 2, anchored, false));
    for (const Box& box : boxes)
      if (box.top >= box.bottom || box.left >= box.right) return fail(ErrorId::kInputValue, fmt::format("{}: a decoded box is empty", name));
    const auto values = reals(data, 1, scored, true);
    const auto found = options.regular_suppression ? regular(options, sizes, boxes, values) : fast(options, sizes, boxes, values);
    std::vector<float> corners(4 * sizes.capacity);
    std::vector<float> categories(sizes.capacity);
    std::vector<float> scores_found(sizes.capacity);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Box& box = found[i].box;
      std::ranges::copy(std::array{box.top, box.left, box.bottom, box.right}, corners.begin() + static_cast<std::ptrdiff_t>(4 * i));
      categories[i] = found[i].category;
      scores_found[i] = found[i].score;
    }
    data.store(0, corners);
    data.store(1, categories);
    data.store(2, scores_found);
    data.store(3, std::vector<float>{static_cast<float>(found.size())});
    return {};
  });
}

}  // namespace naru::sdk::host
