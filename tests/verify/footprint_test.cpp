// Goal: the arithmetic of strided boxes is exact. Method: small random boxes against the set of their bytes, written out; and the shapes that
// compilers write, with a limit on the comparisons they may cost.

#include <set>

#include "naru/base/random.h"
#include "naru/verify/footprint.h"
#include "stream_support.h"

namespace naru::test {
namespace {

using verify::StridedBox;

std::multiset<std::uint64_t> bytes_of_box(const StridedBox& box) {
  std::multiset<std::uint64_t> bytes;
  std::array<std::uint64_t, StridedBox::kRankMax> count{1, 1, 1, 1};
  for (unsigned d = 0; d < box.rank; ++d) count[d] = box.dimensions[d].count;
  for (std::uint64_t i = 0; i < count[0]; ++i)
    for (std::uint64_t j = 0; j < count[1]; ++j)
      for (std::uint64_t k = 0; k < count[2]; ++k)
        for (std::uint64_t l = 0; l < count[3]; ++l)
          for (std::uint64_t e = 0; e < box.row_bytes; ++e)
            bytes.insert(box.offset + i * box.dimensions[0].stride + j * box.dimensions[1].stride + k * box.dimensions[2].stride +
                         l * box.dimensions[3].stride + e);
  return bytes;
}

StridedBox random_box(Random& random) {
  StridedBox box{random.below(60), 1 + random.below(6), {}, 0};
  const unsigned rank = static_cast<unsigned>(random.below(5));
  for (unsigned d = 0; d < rank; ++d) box.add(1 + random.below(4), random.below(random.chance(3) ? 64 : 12));
  return box;
}

template <typename Container>
std::set<std::uint64_t> distinct(const Container& bytes) {
  return {bytes.begin(), bytes.end()};
}

TEST(StridedBox, AgreesWithItsBytesWrittenOut) {
  Random random(20);
  unsigned overlapping = 0;
  for (int round = 0; round < 20'000; ++round) {
    const StridedBox a = random_box(random);
    const StridedBox b = random_box(random);
    const auto bytes_a = bytes_of_box(a);
    const auto bytes_b = bytes_of_box(b);
    const auto set_a = distinct(bytes_a);
    EXPECT_EQ(a.end(), *set_a.rbegin() + 1);
    EXPECT_EQ(a.bytes(), bytes_a.size());
    EXPECT_EQ(distinct(bytes_of_box(verify::normalized(a))), set_a);
    if (verify::visits_once(a)) {
      EXPECT_EQ(set_a.size(), bytes_a.size());
    }
    const bool expected = std::ranges::any_of(distinct(bytes_b), [&](std::uint64_t byte) { return set_a.contains(byte); });
    std::uint64_t steps = 1'000'000;
    EXPECT_EQ(verify::overlap(a, b, steps), expected) << "round " << round;
    overlapping += expected ? 1U : 0U;
  }
  EXPECT_GT(overlapping, 4000U);
  EXPECT_LT(overlapping, 16'000U);
}

TEST(StridedBox, SaysTrueWhenItMayNotCompareEnough) {
  StridedBox a{0, 1, {}, 0};
  StridedBox b{1, 1, {}, 0};
  a.add(1000, 6);
  b.add(1000, 10);  // 6 i = 10 j + 1 has no solution, and neither have their residues modulo 2
  std::uint64_t steps = 1;
  EXPECT_FALSE(verify::overlap(a, b, steps)) << "residues need no steps";
  b.row_bytes = 1;
  a.row_bytes = 2;
  b.offset = 6000 * 2;  // apart by their ends
  EXPECT_FALSE(verify::overlap(a, b, steps));
  b.offset = 3;
  a.row_bytes = 1;
  a.add(2, 3);
  steps = 0;
  EXPECT_TRUE(verify::overlap(a, b, steps));
}

TEST(StridedBox, TellsSlicesOfOneTensorApartAtOnce) {
  // Channel slices, column tiles and interleaved rows of a 112 x 112 x 96 image.
  StridedBox left{0, 32, {}, 0};
  left.add(112, 112 * 96);
  left.add(112, 96);
  StridedBox right = left;
  right.offset = 32;
  right.row_bytes = 64;
  std::uint64_t steps = 4;
  EXPECT_FALSE(verify::overlap(left, right, steps));
  right.offset = 31;
  EXPECT_TRUE(verify::overlap(left, right, steps = 100));
  StridedBox columns{0, 56 * 96, {}, 0};
  columns.add(112, 112 * 96);
  StridedBox other_columns{56 * 96, 56 * 96, {}, 0};
  other_columns.add(112, 112 * 96);
  EXPECT_FALSE(verify::overlap(columns, other_columns, steps = 4));
  EXPECT_FALSE(verify::overlap(StridedBox{55 * 96 + 32, 16, {{{112, 112 * 96}}}, 1}, StridedBox{55 * 96 + 48, 48, {{{112, 112 * 96}}}, 1}, steps = 4));
  EXPECT_TRUE(verify::overlap(columns, left, steps = 100));
}

TEST(StridedBox, SaturatesInsteadOfWrapping) {
  StridedBox box{1, 1, {}, 0};
  box.add(0xFFFF'FFFF'FFFF'FFFFULL, 0xFFFF'FFFF'FFFF'FFFFULL);
  EXPECT_EQ(box.end(), ~std::uint64_t{0});
  box.add(3, 1);
  EXPECT_EQ(box.bytes(), ~std::uint64_t{0});
  EXPECT_FALSE(box.empty());
  box.add(0, 1);
  EXPECT_TRUE(box.empty());
}

TEST(Footprint, OfAConvolutionIsItsPaddedInputWeightsAndOutput) {
  const verify::Footprint footprint = verify::footprint_of(good_conv());
  ASSERT_EQ(footprint.count, 3U);
  EXPECT_EQ(footprint.accesses[0].operand, "input");
  const StridedBox input = verify::normalized(footprint.accesses[0].box);
  EXPECT_EQ(input.rank, 0U) << "six rows of six pixels are one piece";
  EXPECT_EQ(input.row_bytes, 6U * 6 * 5);
  EXPECT_EQ(footprint.accesses[1].box.row_bytes, 2U * dense_block_bytes(9, 5));
  EXPECT_EQ(footprint.accesses[2].rights, Rights::kWrite);
}

TEST(Footprint, OfAPoolLeavesPaddingOut) {
  Pool pool = good_pool();
  const verify::Footprint whole = verify::footprint_of(pool);
  EXPECT_EQ(whole.accesses[0].box.end(), 5U * 5 * 8);
  pool.out_rows = 2;  // rows -1 to 3: four of the five
  const verify::Footprint part = verify::footprint_of(pool);
  EXPECT_EQ(part.accesses[0].box.end(), 4U * 40);
}

TEST(Footprint, OfCommandsThatTouchNothingIsEmpty) {
  EXPECT_EQ(verify::footprint_of(End{}).count, 0U);
  EXPECT_EQ(verify::footprint_of(Wait{}).count, 0U);
  EXPECT_EQ(verify::footprint_of(Mark{}).count, 0U);
}

}  // namespace
}  // namespace naru::test
