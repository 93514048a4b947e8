// Goal: STRIDED_SLICE means what TFLite makes of its masks. Method: models of one slice are run by the reference on 0, 1, 2, ... and compared with elements
// picked by hand.
#include "importing.h"

#include <functional>
#include <numeric>

namespace naru::sdk {
namespace {

using graph::Shape;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing_models::codes;
using testing_models::expect_refusal;
using testing_models::imported;
using testing_models::ModelBuilder;
using testing_models::numbers;
using testing_models::run_of;
using namespace naru::sdk::tflite;

/// Bit n of a mask is entry n of begin, end and strides.
struct Slice {
  Shape shape;
  std::vector<std::int32_t> begin, end, strides;
  Shape result;
  std::int32_t begin_mask = 0, end_mask = 0, shrink_mask = 0, ellipsis_mask = 0, new_axis_mask = 0;
  bool offset = false;
};

ModelBuilder model_of(const Slice& slice) {
  ModelBuilder b;
  StridedSliceOptionsT options;
  options.begin_mask = slice.begin_mask;
  options.end_mask = slice.end_mask;
  options.shrink_axis_mask = slice.shrink_mask;
  options.ellipsis_mask = slice.ellipsis_mask;
  options.new_axis_mask = slice.new_axis_mask;
  options.offset = slice.offset;
  const int in = codes(b, slice.shape);
  const int begin = numbers(b, slice.begin), end = numbers(b, slice.end), strides = numbers(b, slice.strides), out = codes(b, slice.result);
  b.add_operator(BuiltinOperator_STRIDED_SLICE, {in, begin, end, strides}, {out}, options);
  b.graph().inputs = {in};
  b.graph().outputs = {out};
  return b;
}

/// The elements that it picks from 0, 1, 2, ...
std::vector<int> picked(const Slice& slice) {
  std::vector<int> counted(static_cast<std::size_t>(std::accumulate(slice.shape.begin(), slice.shape.end(), 1, std::multiplies<>())));
  std::iota(counted.begin(), counted.end(), 0);
  return run_of(imported(model_of(slice)), counted);
}

TEST(ImportStridedSlice, CountsFromEitherEnd) {
  EXPECT_THAT(picked({{4, 4}, {1, 0}, {3, 4}, {1, 2}, {2, 2}}), ElementsAre(4, 6, 8, 10));
  EXPECT_THAT(picked({{4, 4}, {-2, -3}, {-1, 4}, {1, 1}, {1, 3}}), ElementsAre(9, 10, 11));
  EXPECT_THAT(picked({{4, 4}, {0, 0}, {4, 4}, {3, 3}, {2, 2}}), ElementsAre(0, 3, 12, 15)) << "the last step may be cut short";
}

TEST(ImportStridedSlice, TakesPlacesOutsideAsTheNearestInside) {
  EXPECT_THAT(picked({{4, 4}, {-100, 2}, {2, 100}, {1, 1}, {2, 2}}), ElementsAre(2, 3, 6, 7));
  EXPECT_THAT(picked({{4, 4}, {100, 1}, {2, -100}, {-1, -1}, {1, 2}}), ElementsAre(13, 12));
}

TEST(ImportStridedSlice, GoesBackwards) {
  // The end -5 is one before the first element.
  EXPECT_THAT(picked({{4, 4}, {3, 3}, {0, -5}, {-1, -2}, {3, 2}}), ElementsAre(15, 13, 11, 9, 7, 5));
  // The end -1 is the last element and not the place before the first.
  expect_refusal(model_of({{4, 4}, {3, 3}, {-1, 0}, {-1, -1}, {4, 3}}), ErrorId::kModelShape, "leave nothing of dimension 0");
}

TEST(ImportStridedSlice, LeavesMaskedBeginsAndEndsOut) {
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {3, 1}, .end = {2, 3}, .strides = {1, 1}, .result = {2, 2}, .begin_mask = 1}), ElementsAre(1, 2, 5, 6));
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {2, 1}, .end = {3, 0}, .strides = {1, 1}, .result = {1, 3}, .end_mask = 2}), ElementsAre(9, 10, 11));
  // Backwards from the last to the first.
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {0, 0}, .end = {0, 0}, .strides = {-1, -3}, .result = {4, 2}, .begin_mask = 3, .end_mask = 3}),
              ElementsAre(15, 12, 11, 8, 7, 4, 3, 0));
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {1, 0}, .end = {0, 2}, .strides = {-1, -1}, .result = {2, 1}, .begin_mask = 2, .end_mask = 1}),
              ElementsAre(7, 3));
}

TEST(ImportStridedSlice, ShrinksAxesWhateverTheirEnds) {
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {2, 1}, .end = {3, 3}, .strides = {1, 1}, .result = {2}, .shrink_mask = 1}), ElementsAre(9, 10));
  // x[:, -1]: the end is 0 then.
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {0, -1}, .end = {4, 0}, .strides = {1, 1}, .result = {4}, .shrink_mask = 2}), ElementsAre(3, 7, 11, 15));
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {-1, -2}, .end = {0, 0}, .strides = {1, 1}, .result = {}, .end_mask = 3, .shrink_mask = 3}), ElementsAre(14));
}

TEST(ImportStridedSlice, ShrinksToTheFirstWhereTheBeginIsMasked) {
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {2, 1}, .end = {3, 3}, .strides = {1, 1}, .result = {2}, .begin_mask = 1, .shrink_mask = 1}),
              ElementsAre(1, 2));
}

TEST(ImportStridedSlice, SpreadsAnEllipsisOverWhatIsNotNamed) {
  EXPECT_THAT(picked({.shape = {2, 3, 4}, .begin = {0, 1}, .end = {0, 3}, .strides = {1, 1}, .result = {2, 3, 2}, .ellipsis_mask = 1}),
              ElementsAre(1, 2, 5, 6, 9, 10, 13, 14, 17, 18, 21, 22));
  // x[1, ..., ::2]
  EXPECT_THAT(picked({.shape = {2, 3, 4},
                      .begin = {1, 0, 0},
                      .end = {2, 0, 0},
                      .strides = {1, 1, 2},
                      .result = {3, 2},
                      .begin_mask = 4,
                      .end_mask = 4,
                      .shrink_mask = 1,
                      .ellipsis_mask = 2}),
              ElementsAre(12, 14, 16, 18, 20, 22));
  // Over none.
  EXPECT_THAT(picked({.shape = {4, 4}, .begin = {0, 1, 0}, .end = {0, 2, 2}, .strides = {1, 1, 1}, .result = {1, 2}, .ellipsis_mask = 1}), ElementsAre(4, 5));
  // Dimensions behind the last entry are whole as well.
  EXPECT_THAT(picked({{2, 2, 2}, {1}, {2}, {1}, {1, 2, 2}}), ElementsAre(4, 5, 6, 7));
}

TEST(ImportStridedSlice, AddsAxes) {
  // x[newaxis, 1, :] and x[..., newaxis, 3]
  EXPECT_THAT(picked({.shape = {4, 4},
                      .begin = {0, 1, 0},
                      .end = {0, 2, 0},
                      .strides = {1, 1, 1},
                      .result = {1, 4},
                      .begin_mask = 4,
                      .end_mask = 4,
                      .shrink_mask = 2,
                      .new_axis_mask = 1}),
              ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(picked({.shape = {4, 4},
                      .begin = {0, 0, 3},
                      .end = {0, 0, 4},
                      .strides = {1, 1, 1},
                      .result = {4, 1},
                      .shrink_mask = 4,
                      .ellipsis_mask = 1,
                      .new_axis_mask = 2}),
              ElementsAre(3, 7, 11, 15));
}

TEST(ImportStridedSlice, RefusesWhatNamesNothing) {
  expect_refusal(model_of({{4, 4}, {0, 0}, {4, 4}, {1, 0}, {4, 4}}), ErrorId::kModelOptions, "has 0 for dimension 1");
  expect_refusal(model_of({{4, 4}, {2, 0}, {2, 4}, {1, 1}, {1, 4}}), ErrorId::kModelShape, "leave nothing of dimension 0");
  expect_refusal(model_of({{4, 4}, {0, 0}, {2, 2}, {1, 1}, {2, 3}}), ErrorId::kModelShape, "masks and operands give 2x2");
  expect_refusal(model_of({{4}, {0, 0}, {2, 2}, {1, 1}, {2, 2}}), ErrorId::kModelOptions, "names 2 dimensions with 0 ellipses; the input has 1");
  expect_refusal(model_of({{4}, {0, 0}, {2}, {1}, {2}}), ErrorId::kModelOptions, "has 2 entries, end 1, strides 1");
  Slice outside{.shape = {4, 4}, .begin = {4, 0}, .end = {5, 4}, .strides = {1, 1}, .result = {4}, .shrink_mask = 1};
  expect_refusal(model_of(outside), ErrorId::kModelOptions, "has 4; dimension 0 has 4");
  outside.begin[0] = -5;
  expect_refusal(model_of(outside), ErrorId::kModelOptions, "has -5; dimension 0 has 4");
  expect_refusal(model_of({.shape = {4, 4}, .begin = {0, 0}, .end = {0, 0}, .strides = {1, 1}, .result = {4, 4}, .ellipsis_mask = 3}), ErrorId::kModelOptions,
                 "with 2 ellipses");
  expect_refusal(model_of({.shape = {4}, .begin = {1}, .end = {2}, .strides = {1}, .result = {2}, .offset = true}), ErrorId::kModelOperatorUnsupported,
                 "offset");
}

}  // namespace
}  // namespace naru::sdk
