// Goal: tensor views check type and size, and turn codes into real values and back as the quantisation says.
#include <gtest/gtest.h>

#include "naru/naru.h"

namespace naru {
namespace {

TensorInfo int8_info() { return {.name = "t", .shape = {1, 4}, .type = DataType::kInt8, .quantization = {{0.5F}, {-1}, 0}, .file_index = 0, .bytes = 4}; }

TEST(Tensor, QuantisesHalfAwayFromZeroAndClamps) {
  const TensorInfo info = int8_info();
  std::vector<std::byte> bytes(4);
  MutableTensorView view(info, bytes);
  const std::vector<float> values = {0.25F, -0.25F, 1000.0F, -1000.0F};
  ASSERT_TRUE(view.fill_from_float(values));
  const auto codes = TensorView(info, bytes).as<std::int8_t>();
  ASSERT_TRUE(codes);
  EXPECT_EQ((*codes)[0], 0);
  EXPECT_EQ((*codes)[1], -2);
  EXPECT_EQ((*codes)[2], 127);
  EXPECT_EQ((*codes)[3], -128);
}

TEST(Tensor, GivesRealValuesPerChannel) {
  const TensorInfo info{.name = "t", .shape = {2, 2}, .type = DataType::kInt8, .quantization = {{1.0F, 10.0F}, {0, 1}, 1}, .file_index = 0, .bytes = 4};
  const std::vector<std::byte> bytes = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  EXPECT_EQ(TensorView(info, bytes).to_float(), (std::vector<float>{1, 10, 3, 30}));
}

TEST(Tensor, RefusesTheWrongTypeAndSize) {
  const TensorInfo info = int8_info();
  std::vector<std::byte> bytes(4);
  EXPECT_EQ(TensorView(info, bytes).as<float>().error().id(), ErrorId::kTensorType);
  MutableTensorView view(info, bytes);
  EXPECT_EQ(view.fill_from(std::span<const std::byte>(bytes).first(3)).error().id(), ErrorId::kInputSize);
  EXPECT_EQ(view.fill_from(std::span<const float>()).error().id(), ErrorId::kTensorType);
  EXPECT_EQ(view.fill_from_float(std::vector<float>(5)).error().id(), ErrorId::kInputSize);
}

TEST(Tensor, RanksClassesWithTiesByIndex) {
  const TensorInfo info = int8_info();
  const std::vector<std::byte> bytes = {std::byte{3}, std::byte{9}, std::byte{9}, std::byte{1}};
  const std::vector<Class> classes = top(TensorView(info, bytes), 3);
  ASSERT_EQ(classes.size(), 3U);
  EXPECT_EQ(classes[0].index, 1U);
  EXPECT_EQ(classes[1].index, 2U);
  EXPECT_EQ(classes[2].index, 0U);
  EXPECT_FLOAT_EQ(classes[0].score, 5.0F);
}

}  // namespace
}  // namespace naru
