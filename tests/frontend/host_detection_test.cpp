// Goal: detections come out decoded, suppressed and ordered as TFLite's kernel has them. Method: anchors of unit size whose boxes and overlaps are known.
#include <cmath>

#include "host_run.h"

namespace naru::sdk {
namespace {

using graph::OperatorKind;
using testing::ElementsAre;
using testing::FloatNear;

graph::DetectionOptions options(bool regular) {
  graph::DetectionOptions result;
  result.max_detections = 3;
  result.max_classes_per_detection = 1;
  result.detections_per_class = 3;
  result.classes = 2;
  result.regular_suppression = regular;
  result.score_threshold = 0.0F;
  result.overlap_threshold = 0.5F;
  result.y_scale = result.x_scale = 10.0F;
  result.h_scale = result.w_scale = 5.0F;
  return result;
}

/// Six anchors on a line: the first three nearly the same box, then two, then one far away. TFLite's own example.
HostRun six(bool regular) {
  HostRun run(OperatorKind::kDetectionPostProcess, options(regular));
  run.in<float>({1, 6, 4}, {0, 0, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})
      .in<float>({1, 6, 3}, {0, .9F, .8F, 0, .75F, .72F, 0, .6F, .5F, 0, .93F, .95F, 0, .5F, .4F, 0, .3F, .2F})
      .in<float>({6, 4}, {.5F, .5F, 1, 1, .5F, .5F, 1, 1, .5F, .5F, 1, 1, .5F, 10.5F, 1, 1, .5F, 10.5F, 1, 1, .5F, 100.5F, 1, 1});
  run.out<float>({1, 3, 4}).out<float>({1, 3}).out<float>({1, 3}).out<float>({1});
  return run;
}

TEST(HostDetection, FastSuppressionTakesTheBestClassOfEachBox) {
  HostRun run = six(false);
  EXPECT_THAT(run.run<float>(), ElementsAre(0, 10, 1, 11, 0, 0, 1, 1, 0, 100, 1, 101));
  EXPECT_THAT(run.result<float>(1), ElementsAre(1, 0, 0));
  EXPECT_THAT(run.result<float>(2), ElementsAre(.95F, .9F, .3F));
  EXPECT_THAT(run.result<float>(3), ElementsAre(3));
}

TEST(HostDetection, RegularSuppressionGoesClassByClass) {
  HostRun run = six(true);
  EXPECT_THAT(run.run<float>(), ElementsAre(0, 10, 1, 11, 0, 10, 1, 11, 0, 0, 1, 1));
  EXPECT_THAT(run.result<float>(1), ElementsAre(1, 0, 0));
  EXPECT_THAT(run.result<float>(2), ElementsAre(.95F, .93F, .9F));
  EXPECT_THAT(run.result<float>(3), ElementsAre(3));
}

TEST(HostDetection, DecodesSizesAndCodes) {
  auto given = options(false);
  given.max_detections = 1;
  HostRun run(OperatorKind::kDetectionPostProcess, given);
  // Codes of scale 0.5 and zero point 10: y 1, x -2, h 5, w 0; a box e times as high.
  run.in<std::uint8_t>({1, 1, 4}, {12, 6, 20, 10}, 0.5F, 10).in<std::uint8_t>({1, 1, 2}, {64, 128}, 1.0F / 256, 0).in<float>({1, 4}, {2, 3, 4, 6});
  run.out<float>({1, 1, 4}).out<float>({1, 1}).out<float>({1, 1}).out<float>({1});
  const float half = 2.0F * std::exp(1.0F);
  EXPECT_THAT(run.run<float>(), ElementsAre(FloatNear(2.4F - half, 1e-5F), FloatNear(1.8F - 3, 1e-5F), FloatNear(2.4F + half, 1e-5F), FloatNear(1.8F + 3, 1e-5F)));
  EXPECT_THAT(run.result<float>(1), ElementsAre(1));
  EXPECT_THAT(run.result<float>(2), ElementsAre(0.5F));
}

TEST(HostDetection, FillsWhatIsNotFoundWithZeros) {
  auto given = options(false);
  given.score_threshold = 0.92F;
  HostRun run = six(false);
  run.op.options = given;
  EXPECT_THAT(run.run<float>(), ElementsAre(0, 10, 1, 11, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(run.result<float>(3), ElementsAre(1));
}

TEST(HostDetection, RefusesWhatDoesNotFit) {
  const auto id = [](auto change) {
    HostRun run = six(false);
    auto given = options(false);
    change(given, run);
    run.op.options = given;
    return run.refused();
  };
  EXPECT_EQ(id([](auto& given, auto&) { given.classes = 5; }), ErrorId::kInvalidArgument);
  EXPECT_EQ(id([](auto& given, auto&) { given.max_detections = 4; }), ErrorId::kInvalidArgument);
  EXPECT_EQ(id([](auto& given, auto&) { given.max_detections = 0; }), ErrorId::kInvalidArgument);
  EXPECT_EQ(id([](auto& given, auto&) { given.overlap_threshold = 0.0F; }), ErrorId::kInvalidArgument);
  EXPECT_EQ(id([](auto& given, auto&) { given.h_scale = 0.0F; }), ErrorId::kInvalidArgument);
  EXPECT_EQ(id([](auto&, auto& run) { run.tensors[2].shape = {3, 8}; }), ErrorId::kInvalidArgument);
}

TEST(HostDetection, RefusesEmptyBoxesAndSurvivesNan) {
  const float bad = std::nanf("");
  HostRun scores(OperatorKind::kDetectionPostProcess, options(true));
  scores.in<float>({1, 2, 4}, std::vector<float>(8)).in<float>({1, 2, 2}, {bad, bad, bad, 0.5F}).in<float>({2, 4}, {0, 0, 1, 1, 5, 5, 1, 1});
  scores.out<float>({1, 3, 4}).out<float>({1, 3}).out<float>({1, 3}).out<float>({1});
  scores.run<float>();
  EXPECT_THAT(scores.result<float>(3), ElementsAre(1));
  HostRun flat(OperatorKind::kDetectionPostProcess, options(false));
  flat.in<float>({1, 1, 4}, {0, 0, 0, 0}).in<float>({1, 1, 2}, {1, 1}).in<float>({1, 4}, {0, 0, 0, 1});
  flat.out<float>({1, 3, 4}).out<float>({1, 3}).out<float>({1, 3}).out<float>({1});
  EXPECT_EQ(flat.refused_for_its_data(), ErrorId::kInputValue);
}

}  // namespace
}  // namespace naru::sdk
