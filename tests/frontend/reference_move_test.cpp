// Goal: operators that move elements put every one where the operator's definition says, whatever the element's size.
// Method: small tensors of counted elements, places worked out by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reference_operator.h"

namespace naru::sdk {
namespace {

using graph::OperatorKind;
using testing::ElementsAre;
using testing::ElementsAreArray;

TEST(ReferenceMove, PadsEveryTypeWithItsZero) {
  const graph::PadOptions options{{0, 1}, {1, 0}};
  EXPECT_THAT(
      ReferenceOperator(OperatorKind::kPad, options).input<std::int16_t>({1, 2}, {5, 6}, {1.0F, 0}).result<std::int16_t>({2, 3}, {1.0F, 0}).run<std::int16_t>(),
      ElementsAre(0, 5, 6, 0, 0, 0));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kPad, options)
                  .input<std::uint8_t>({1, 2}, {5, 6}, {1.0F, 200})
                  .result<std::uint8_t>({2, 3}, {1.0F, 200})
                  .run<std::uint8_t>(),
              ElementsAre(200, 5, 6, 200, 200, 200));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kPad, options).input<float>({1, 2}, {5.0F, 6.0F}).result<float>({2, 3}).run<float>(),
              ElementsAre(0.0F, 5.0F, 6.0F, 0.0F, 0.0F, 0.0F));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kPadV2, options)
                  .input<std::int32_t>({1, 2}, {5, 6})
                  .absent()
                  .constant<std::int32_t>({}, {-9})
                  .result<std::int32_t>({2, 3})
                  .run<std::int32_t>(),
              ElementsAre(-9, 5, 6, -9, -9, -9));
}

TEST(ReferenceMove, MirrorsWithAndWithoutTheEdge) {
  const auto run = [](bool symmetric) {
    return ReferenceOperator(OperatorKind::kMirrorPad, graph::MirrorPadOptions{{2}, {2}, symmetric})
        .input<std::int16_t>({3}, {1, 2, 3})
        .result<std::int16_t>({7})
        .run<std::int16_t>();
  };
  EXPECT_THAT(run(false), ElementsAre(3, 2, 1, 2, 3, 2, 1));
  EXPECT_THAT(run(true), ElementsAre(2, 1, 1, 2, 3, 3, 2));
}

TEST(ReferenceMove, TransposesWideElements) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kTranspose, graph::TransposeOptions{{2, 0, 1}})
                  .input<std::int64_t>({2, 1, 3}, {1, 2, 3, 4, 5, 6})
                  .result<std::int64_t>({3, 2, 1})
                  .run<std::int64_t>(),
              ElementsAre(1, 4, 2, 5, 3, 6));
}

TEST(ReferenceMove, SlicesForwardsAndBackwards) {
  const graph::SliceOptions forwards{{0, 1}, {1, 2}, {2, 2}};
  EXPECT_THAT(ReferenceOperator(OperatorKind::kStridedSlice, forwards)
                  .input<std::int8_t>({2, 4}, counted<std::int8_t>(8))
                  .result<std::int8_t>({2, 2})
                  .run<std::int8_t>(),
              ElementsAre(1, 3, 5, 7));
  const graph::SliceOptions backwards{{1, 3}, {-1, -3}, {2, 2}};
  EXPECT_THAT(ReferenceOperator(OperatorKind::kStridedSlice, backwards).input<float>({2, 4}, counted<float>(8)).result<float>({2, 2}).run<float>(),
              ElementsAre(7, 4, 3, 0));
  // A dimension that is shrunk is one of extent 1.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kSlice, graph::SliceOptions{{1, 0}, {1, 1}, {1, 4}})
                  .input<std::int16_t>({2, 4}, counted<std::int16_t>(8))
                  .result<std::int16_t>({4})
                  .run<std::int16_t>(),
              ElementsAre(4, 5, 6, 7));
}

TEST(ReferenceMove, SplitsAndPutsTogether) {
  ReferenceOperator split(OperatorKind::kSplit, graph::AxisOptions{1});
  split.constant<std::int32_t>({}, {1}).input<std::int8_t>({2, 4}, counted<std::int8_t>(8)).result<std::int8_t>({2, 2}).result<std::int8_t>({2, 2});
  EXPECT_THAT(split.run<std::int8_t>(0), ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(split.run<std::int8_t>(1), ElementsAre(2, 3, 6, 7));
  ReferenceOperator uneven(OperatorKind::kSplitV, graph::AxisOptions{0});
  uneven.input<std::int16_t>({4}, {1, 2, 3, 4}).result<std::int16_t>({1}).result<std::int16_t>({3});
  EXPECT_THAT(uneven.run<std::int16_t>(1), ElementsAre(2, 3, 4));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kPack, graph::AxisOptions{1})
                  .input<std::int32_t>({2}, {1, 2})
                  .input<std::int32_t>({2}, {3, 4})
                  .result<std::int32_t>({2, 2})
                  .run<std::int32_t>(),
              ElementsAre(1, 3, 2, 4));
  ReferenceOperator unpack(OperatorKind::kUnpack, graph::AxisOptions{1});
  unpack.input<std::int32_t>({2, 3}, counted<std::int32_t>(6)).result<std::int32_t>({2}).result<std::int32_t>({2}).result<std::int32_t>({2});
  EXPECT_THAT(unpack.run<std::int32_t>(2), ElementsAre(2, 5));
}

TEST(ReferenceMove, RescalesOnlyLegacyConcatenations) {
  // 0.5 per step into 0.25 per step: (code - 10) * 2 + 20, and the limit.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kConcatenation, graph::ConcatenationOptions{.axis = 0})
                  .input<std::uint8_t>({3}, {10, 11, 200}, {0.5F, 10})
                  .input<std::uint8_t>({2}, {7, 8}, {0.25F, 20})
                  .result<std::uint8_t>({5}, {0.25F, 20})
                  .run<std::uint8_t>(),
              ElementsAre(20, 22, 255, 7, 8));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kConcatenation, graph::ConcatenationOptions{.axis = 0})
                  .input<float>({1}, {1.5F})
                  .input<float>({1}, {2.5F})
                  .result<float>({2})
                  .run<float>(),
              ElementsAre(1.5F, 2.5F));
}

TEST(ReferenceMove, TilesAndBroadcasts) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kTile).input<std::int8_t>({2, 2}, {1, 2, 3, 4}).result<std::int8_t>({4, 4}).run<std::int8_t>(),
              ElementsAre(1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kBroadcastTo).input<float>({2, 1}, {1.0F, 2.0F}).result<float>({2, 2, 2}).run<float>(),
              ElementsAre(1, 1, 2, 2, 1, 1, 2, 2));
}

TEST(ReferenceMove, MovesBlocksBetweenSpaceAndDepth) {
  // Pixels 0 to 7 of a 2 by 4 image: two blocks of 2 by 2.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kSpaceToDepth, graph::BlockOptions{2})
                  .input<std::int8_t>({1, 2, 4, 1}, counted<std::int8_t>(8))
                  .result<std::int8_t>({1, 1, 2, 4})
                  .run<std::int8_t>(),
              ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kDepthToSpace, graph::BlockOptions{2})
                  .input<std::int8_t>({1, 1, 2, 4}, {0, 1, 4, 5, 2, 3, 6, 7})
                  .result<std::int8_t>({1, 2, 4, 1})
                  .run<std::int8_t>(),
              ElementsAreArray(counted<std::int8_t>(8)));
}

TEST(ReferenceMove, MovesBlocksBetweenSpaceAndBatch) {
  // [1][1 to 8][pad 1 before]: columns 0 9 of the padded row go to batch 0 and 1 by turns.
  const graph::SpaceBatchOptions options{{2}, {1}, {1}};
  EXPECT_THAT(ReferenceOperator(OperatorKind::kSpaceToBatchNd, options)
                  .input<std::int8_t>({1, 4, 2}, counted<std::int8_t>(8, 1), {1.0F, -5})
                  .result<std::int8_t>({2, 3, 2}, {1.0F, -5})
                  .run<std::int8_t>(),
              ElementsAre(-5, -5, 3, 4, 7, 8, 1, 2, 5, 6, -5, -5));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kBatchToSpaceNd, options)
                  .input<std::int8_t>({2, 3, 2}, {-5, -5, 3, 4, 7, 8, 1, 2, 5, 6, -5, -5})
                  .result<std::int8_t>({1, 4, 2})
                  .run<std::int8_t>(),
              ElementsAreArray(counted<std::int8_t>(8, 1)));
}

TEST(ReferenceMove, GathersAndRefusesIndicesOutside) {
  const auto gather = [](std::vector<std::int32_t> indices) {
    ReferenceOperator op(OperatorKind::kGather, graph::GatherOptions{1, 0});
    op.input<std::int16_t>({2, 3}, counted<std::int16_t>(6)).input<std::int32_t>({2}, std::move(indices)).result<std::int16_t>({2, 2});
    return op;
  };
  EXPECT_THAT(gather({2, 0}).run<std::int16_t>(), ElementsAre(2, 0, 5, 3));
  for (std::int32_t outside : {-1, 3}) {
    const auto refused = gather({0, outside}).try_run();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().id(), ErrorId::kInvalidArgument);
  }
  EXPECT_THAT(ReferenceOperator(OperatorKind::kGather, graph::GatherOptions{1, 1})
                  .input<float>({2, 3}, counted<float>(6))
                  .input<std::int64_t>({2, 1}, {2, 1})
                  .result<float>({2, 1})
                  .run<float>(),
              ElementsAre(2, 4));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kGatherNd)
                  .input<float>({2, 2, 2}, counted<float>(8))
                  .input<std::int32_t>({2, 2}, {1, 0, 0, 1})
                  .result<float>({2, 2})
                  .run<float>(),
              ElementsAre(4, 5, 2, 3));
  EXPECT_FALSE(ReferenceOperator(OperatorKind::kGatherNd).input<float>({2}, {1, 2}).input<std::int32_t>({1, 1}, {2}).result<float>({1}).try_run());
}

TEST(ReferenceMove, TellsShapesAndFills) {
  EXPECT_THAT(ReferenceOperator(OperatorKind::kShape).input<std::int8_t>({2, 3}, std::vector<std::int8_t>(6)).result<std::int32_t>({2}).run<std::int32_t>(),
              ElementsAre(2, 3));
  EXPECT_THAT(
      ReferenceOperator(OperatorKind::kFill).constant<std::int32_t>({1}, {3}).input<std::int64_t>({}, {77}).result<std::int64_t>({3}).run<std::int64_t>(),
      ElementsAre(77, 77, 77));
}

TEST(ReferenceMove, ResizesToTheNearest) {
  const auto run = [](graph::ResizeOptions options, std::int32_t size) {
    return ReferenceOperator(OperatorKind::kResizeNearestNeighbor, options)
        .input<std::int16_t>({1, 1, 4, 1}, {0, 1, 2, 3})
        .result<std::int16_t>({1, 1, size, 1})
        .run<std::int16_t>();
  };
  EXPECT_THAT(run({}, 8), ElementsAre(0, 0, 1, 1, 2, 2, 3, 3));
  EXPECT_THAT(run({}, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(run({.half_pixel_centers = true}, 2), ElementsAre(1, 3));
  EXPECT_THAT(run({.align_corners = true}, 2), ElementsAre(0, 3));
}

TEST(ReferenceMove, InterpolatesBetweenPixels) {
  // Codes half way round away from zero in integers; legacy codes are rounded up by a half in float.
  EXPECT_THAT(ReferenceOperator(OperatorKind::kResizeBilinear).input<std::int8_t>({1, 1, 2, 1}, {-3, 0}).result<std::int8_t>({1, 1, 4, 1}).run<std::int8_t>(),
              ElementsAre(-3, -2, 0, 0));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kResizeBilinear).input<std::uint8_t>({1, 1, 2, 1}, {2, 5}).result<std::uint8_t>({1, 1, 4, 1}).run<std::uint8_t>(),
              ElementsAre(2, 4, 5, 5));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kResizeBilinear, graph::ResizeOptions{.align_corners = true})
                  .input<float>({1, 2, 1, 1}, {1.0F, 3.0F})
                  .result<float>({1, 3, 1, 1})
                  .run<float>(),
              ElementsAre(1, 2, 3));
  EXPECT_THAT(ReferenceOperator(OperatorKind::kResizeBilinear, graph::ResizeOptions{.half_pixel_centers = true})
                  .input<std::int16_t>({1, 1, 2, 1}, {0, 1000})
                  .result<std::int16_t>({1, 1, 4, 1})
                  .run<std::int16_t>(),
              ElementsAre(0, 250, 750, 1000));
}

}  // namespace
}  // namespace naru::sdk
