// Goal: operators of movement put every element where TFLite puts it, for elements of any size, and refuse what does not fit. Method: small tensors whose
// results are written out by hand.
#include <numeric>

#include "host_run.h"

namespace naru::sdk {
namespace {

using graph::OperatorKind;
using testing::ElementsAre;
using testing::ElementsAreArray;
using Ints = std::vector<std::int32_t>;

template <typename T = std::int32_t>
std::vector<T> counted(std::size_t count, int first = 0) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), static_cast<T>(first));
  return values;
}

TEST(HostMovement, TransposesElementsOfEverySize) {
  const auto transposed = [](auto sample) {
    using T = decltype(sample);
    return HostRun(OperatorKind::kTranspose, graph::TransposeOptions{{2, 0, 1}}).in<T>({2, 3, 2}, counted<T>(12)).template out<T>({2, 2, 3}).template run<T>();
  };
  EXPECT_THAT(transposed(std::int32_t{}), ElementsAre(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
  EXPECT_THAT(transposed(std::int64_t{}), ElementsAre(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
  EXPECT_THAT(transposed(std::int16_t{}), ElementsAre(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
  EXPECT_THAT(transposed(std::int8_t{}), ElementsAre(0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11));
  EXPECT_EQ(HostRun(OperatorKind::kTranspose, graph::TransposeOptions{{0, 0}}).in<float>({2, 2}, {1, 2, 3, 4}).out<float>({2, 2}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, ReshapesAndReadsAndAssigns) {
  for (OperatorKind kind : {OperatorKind::kReshape, OperatorKind::kExpandDims, OperatorKind::kSqueeze, OperatorKind::kReadVariable, OperatorKind::kAssignVariable})
    EXPECT_THAT(HostRun(kind).in<std::int64_t>({1, 3}, {7, 8, 9}).out<std::int64_t>({3}).run<std::int64_t>(), ElementsAre(7, 8, 9));
  EXPECT_EQ(HostRun(OperatorKind::kReshape).in<float>({3}, {1, 2, 3}).out<float>({4}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kReshape).in<float>({3}, {1, 2, 3}).out<std::int32_t>({3}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, ConcatenatesAlongAnyAxis) {
  EXPECT_THAT(HostRun(OperatorKind::kConcatenation, graph::ConcatenationOptions{1}).in<std::int32_t>({2, 1}, {1, 2}).in<std::int32_t>({2, 2}, {3, 4, 5, 6}).out<std::int32_t>({2, 3}).run<std::int32_t>(),
              ElementsAre(1, 3, 4, 2, 5, 6));
  EXPECT_THAT(HostRun(OperatorKind::kConcatenation, graph::ConcatenationOptions{0}).in<float>({1}, {1.5F}).in<float>({2}, {2, 3}).out<float>({3}).run<float>(), ElementsAre(1.5F, 2.0F, 3.0F));
  EXPECT_EQ(HostRun(OperatorKind::kConcatenation, graph::ConcatenationOptions{0}).in<float>({1}, {1}).in<float>({1}, {2}).out<float>({3}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kConcatenation, graph::ConcatenationOptions{1}).in<float>({1}, {1}).out<float>({1}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, RescalesUnsignedPartsOfAConcatenation) {
  EXPECT_THAT(HostRun(OperatorKind::kConcatenation, graph::ConcatenationOptions{0}).in<std::uint8_t>({2}, {20, 21}, 0.1F, 20).in<std::uint8_t>({2}, {3, 200}, 0.2F, 10).out<std::uint8_t>({4}, 0.2F, 10).run<std::uint8_t>(),
              ElementsAre(10, 11, 3, 200));
}

TEST(HostMovement, PadsWithTheZeroPointOrTheGivenValue) {
  const graph::PadOptions options{{1, 0}, {0, 2}};
  EXPECT_THAT(HostRun(OperatorKind::kPad, options).in<std::int8_t>({1, 2}, {5, 6}, 1.0F, -7).out<std::int8_t>({2, 4}, 1.0F, -7).run<std::int8_t>(), ElementsAre(-7, -7, -7, -7, 5, 6, -7, -7));
  EXPECT_THAT(HostRun(OperatorKind::kPad, options).in<float>({1, 2}, {5, 6}).out<float>({2, 4}).run<float>(), ElementsAre(0, 0, 0, 0, 5, 6, 0, 0));
  EXPECT_THAT(HostRun(OperatorKind::kPadV2, options).in<std::int32_t>({1, 2}, {5, 6}).left_out().in<std::int32_t>({1}, {9}).out<std::int32_t>({2, 4}).run<std::int32_t>(),
              ElementsAre(9, 9, 9, 9, 5, 6, 9, 9));
  EXPECT_EQ(HostRun(OperatorKind::kPad, graph::PadOptions{{1}, {-1}}).in<float>({2}, {5, 6}).out<float>({2}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, MirrorsWithAndWithoutTheEdge) {
  const auto mirrored = [](bool symmetric) {
    return HostRun(OperatorKind::kMirrorPad, graph::MirrorPadOptions{{1, 2}, {1, 1}, symmetric}).in<std::int32_t>({2, 3}, counted(6, 1)).out<std::int32_t>({4, 6}).run<std::int32_t>();
  };
  EXPECT_THAT(mirrored(false), ElementsAre(6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2));
  EXPECT_THAT(mirrored(true), ElementsAre(2, 1, 1, 2, 3, 3, 2, 1, 1, 2, 3, 3, 5, 4, 4, 5, 6, 6, 5, 4, 4, 5, 6, 6));
  EXPECT_EQ(HostRun(OperatorKind::kMirrorPad, graph::MirrorPadOptions{{2}, {0}, false}).in<float>({2}, {1, 2}).out<float>({4}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, SlicesForwardsAndBackwards) {
  const graph::SliceOptions options{{1, 3}, {1, -2}, {2, 2}};
  EXPECT_THAT(HostRun(OperatorKind::kStridedSlice, options).in<std::int32_t>({3, 4}, counted(12)).out<std::int32_t>({2, 2}).run<std::int32_t>(), ElementsAre(7, 5, 11, 9));
  // A dimension of one is shrunk, another is new.
  EXPECT_THAT(HostRun(OperatorKind::kStridedSlice, graph::SliceOptions{{2, 0}, {1, 1}, {1, 4}}).in<std::int8_t>({3, 4}, counted<std::int8_t>(12)).out<std::int8_t>({4, 1}).run<std::int8_t>(), ElementsAre(8, 9, 10, 11));
  for (const auto& bad : {graph::SliceOptions{{1, 0}, {1, 1}, {3, 4}}, graph::SliceOptions{{0, 0}, {0, 1}, {3, 4}}, graph::SliceOptions{{-1, 0}, {1, 1}, {3, 4}},
                          graph::SliceOptions{{0, 0}, {-1, 1}, {3, 4}}, graph::SliceOptions{{0}, {1}, {3}}})
    EXPECT_EQ(HostRun(OperatorKind::kSlice, bad).in<std::int32_t>({3, 4}, counted(12)).out<std::int32_t>({3, 4}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, SplitsPacksAndUnpacks) {
  HostRun split(OperatorKind::kSplit, graph::AxisOptions{1});
  split.in<std::int32_t>({}, {1}).in<std::int32_t>({2, 4}, counted(8)).out<std::int32_t>({2, 2}).out<std::int32_t>({2, 2});
  EXPECT_THAT(split.run<std::int32_t>(), ElementsAre(0, 1, 4, 5));
  EXPECT_THAT(split.result<std::int32_t>(1), ElementsAre(2, 3, 6, 7));

  HostRun uneven(OperatorKind::kSplitV, graph::AxisOptions{0});
  uneven.in<float>({3}, {1, 2, 3}).out<float>({1}).out<float>({2});
  EXPECT_THAT(uneven.run<float>(), ElementsAre(1));
  EXPECT_THAT(uneven.result<float>(1), ElementsAre(2, 3));

  EXPECT_THAT(HostRun(OperatorKind::kPack, graph::AxisOptions{1}).in<std::int32_t>({2}, {1, 2}).in<std::int32_t>({2}, {3, 4}).out<std::int32_t>({2, 2}).run<std::int32_t>(), ElementsAre(1, 3, 2, 4));
  HostRun unpack(OperatorKind::kUnpack, graph::AxisOptions{1});
  unpack.in<std::int64_t>({2, 2}, {1, 3, 2, 4}).out<std::int64_t>({2}).out<std::int64_t>({2});
  EXPECT_THAT(unpack.run<std::int64_t>(), ElementsAre(1, 2));
  EXPECT_THAT(unpack.result<std::int64_t>(1), ElementsAre(3, 4));
  EXPECT_EQ(HostRun(OperatorKind::kPack, graph::AxisOptions{0}).in<std::int32_t>({}, {1}).left_out().out<std::int32_t>({2}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, GathersWithComputedIndices) {
  EXPECT_THAT(HostRun(OperatorKind::kGather, graph::GatherOptions{1, 0}).in<std::int32_t>({2, 3}, counted(6)).in<std::int32_t>({2}, {2, 0}).out<std::int32_t>({2, 2}).run<std::int32_t>(), ElementsAre(2, 0, 5, 3));
  EXPECT_THAT(HostRun(OperatorKind::kGather, graph::GatherOptions{1, 1}).in<std::int32_t>({2, 3}, counted(6)).in<std::int64_t>({2, 1}, {2, 0}).out<std::int32_t>({2, 1}).run<std::int32_t>(), ElementsAre(2, 3));
  EXPECT_THAT(HostRun(OperatorKind::kGatherNd).in<float>({2, 3}, counted<float>(6)).in<std::int32_t>({2, 2}, {1, 2, 0, 1}).out<float>({2}).run<float>(), ElementsAre(5, 1));
  EXPECT_THAT(HostRun(OperatorKind::kGatherNd).in<float>({2, 3}, counted<float>(6)).in<std::int32_t>({1, 1}, {1}).out<float>({1, 3}).run<float>(), ElementsAre(3, 4, 5));
}

TEST(HostMovement, RefusesIndicesPastTheirDimension) {
  for (std::int32_t index : {-1, 3, std::numeric_limits<std::int32_t>::min()}) {
    EXPECT_EQ(HostRun(OperatorKind::kGather, graph::GatherOptions{1, 0}).in<std::int32_t>({2, 3}, counted(6)).in<std::int32_t>({2}, {0, index}).out<std::int32_t>({2, 2}).refused_for_its_data(), ErrorId::kInputValue);
    EXPECT_EQ(HostRun(OperatorKind::kGatherNd).in<std::int32_t>({2, 3}, counted(6)).in<std::int32_t>({1, 2}, {0, index}).out<std::int32_t>({1}).refused_for_its_data(), ErrorId::kInputValue);
  }
}

TEST(HostMovement, RepeatsAndBroadcasts) {
  EXPECT_THAT(HostRun(OperatorKind::kTile).in<std::int32_t>({2, 2}, {1, 2, 3, 4}).out<std::int32_t>({4, 6}).run<std::int32_t>(),
              ElementsAre(1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4));
  EXPECT_THAT(HostRun(OperatorKind::kBroadcastTo).in<std::int16_t>({2, 1}, {1, 2}).out<std::int16_t>({2, 2, 3}).run<std::int16_t>(), ElementsAre(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2));
  EXPECT_THAT(HostRun(OperatorKind::kFill).in<std::int32_t>({2}, {1, 3}).in<float>({}, {2.5F}).out<float>({1, 3}).run<float>(), ElementsAre(2.5F, 2.5F, 2.5F));
  EXPECT_THAT(HostRun(OperatorKind::kShape).in<float>({1, 3}, {1, 2, 3}).out<std::int32_t>({2}).run<std::int32_t>(), ElementsAre(1, 3));
  EXPECT_EQ(HostRun(OperatorKind::kTile).in<std::int32_t>({2}, {1, 2}).out<std::int32_t>({3}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kBroadcastTo).in<std::int32_t>({2}, {1, 2}).out<std::int32_t>({2, 3}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, MovesBetweenSpaceAndDepth) {
  // Two rows of two pixels become one pixel: row by row.
  EXPECT_THAT(HostRun(OperatorKind::kSpaceToDepth, graph::BlockOptions{2}).in<std::int8_t>({1, 2, 4, 1}, counted<std::int8_t>(8)).out<std::int8_t>({1, 1, 2, 4}).run<std::int8_t>(), ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_THAT(HostRun(OperatorKind::kDepthToSpace, graph::BlockOptions{2}).in<std::int8_t>({1, 1, 2, 4}, {0, 1, 4, 5, 2, 3, 6, 7}).out<std::int8_t>({1, 2, 4, 1}).run<std::int8_t>(), ElementsAreArray(counted<std::int8_t>(8)));
  EXPECT_EQ(HostRun(OperatorKind::kSpaceToDepth, graph::BlockOptions{0}).in<float>({1, 1, 1, 1}, {1}).out<float>({1, 1, 1, 1}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kSpaceToDepth, graph::BlockOptions{1 << 30}).in<float>({1, 1, 1, 1}, {1}).out<float>({1, 1, 1, 1}).refused(), ErrorId::kInvalidArgument);
}

TEST(HostMovement, MovesBetweenSpaceAndBatchWithPaddingsAndCrops) {
  // Width 3 with one pad before, in blocks of 2: batch 0 takes positions 0 and 2 of "pad 1 2 3", batch 1 the others.
  EXPECT_THAT(HostRun(OperatorKind::kSpaceToBatchNd, graph::SpaceBatchOptions{{1, 2}, {0, 1}, {0, 0}}).in<std::int8_t>({1, 1, 3, 1}, {1, 2, 3}, 1.0F, 9).out<std::int8_t>({2, 1, 2, 1}, 1.0F, 9).run<std::int8_t>(),
              ElementsAre(9, 2, 1, 3));
  EXPECT_THAT(HostRun(OperatorKind::kBatchToSpaceNd, graph::SpaceBatchOptions{{1, 2}, {0, 1}, {0, 0}}).in<std::int8_t>({2, 1, 2, 1}, {9, 2, 1, 3}, 1.0F, 9).out<std::int8_t>({1, 1, 3, 1}, 1.0F, 9).run<std::int8_t>(),
              ElementsAre(1, 2, 3));
  // Two batches, two dimensions: there and back.
  const auto values = counted(2 * 4 * 6 * 3);
  const graph::SpaceBatchOptions options{{2, 3}, {1, 2}, {1, 1}};
  const auto split = HostRun(OperatorKind::kSpaceToBatchNd, options).in<std::int32_t>({2, 4, 6, 3}, values).out<std::int32_t>({12, 3, 3, 3}).run<std::int32_t>();
  EXPECT_THAT(HostRun(OperatorKind::kBatchToSpaceNd, options).in<std::int32_t>({12, 3, 3, 3}, split).out<std::int32_t>({2, 4, 6, 3}).run<std::int32_t>(), ElementsAreArray(values));
}

TEST(HostMovement, RefusesTensorsWithoutElementsAndMissingOptions) {
  EXPECT_EQ(HostRun(OperatorKind::kReshape).in<float>({0}, {}).out<float>({0}).refused(), ErrorId::kInvalidArgument);
  EXPECT_EQ(HostRun(OperatorKind::kReshape).in<float>({-1, -1}, {1}).out<float>({1}).refused(), ErrorId::kInvalidArgument);
  for (OperatorKind kind : {OperatorKind::kTranspose, OperatorKind::kPad, OperatorKind::kSlice, OperatorKind::kPack, OperatorKind::kSpaceToDepth, OperatorKind::kSpaceToBatchNd,
                            OperatorKind::kConcatenation, OperatorKind::kMirrorPad})
    EXPECT_EQ(HostRun(kind).in<float>({1, 1, 1, 1}, {1}).out<float>({1, 1, 1, 1}).refused(), ErrorId::kInvalidArgument) << graph::name_of(kind);
}

}  // namespace
}  // namespace naru::sdk
