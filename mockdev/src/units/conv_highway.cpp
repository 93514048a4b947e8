// Convolution tiles by Highway's exact 16-bit multiply-add, compiled for AVX2 and AVX-512BW. Staged inputs are 16 bits; four of them meet sixteen
// output channels' weights as they lie, widened on the way, so every channel's sum stands in two neighbouring lanes until the end.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "units/conv_highway.cpp"
#include "units/highway_targets.h"
// clang-format off: after the target list
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "units/kernels.h"
#include "units/unroll.h"

HWY_BEFORE_NAMESPACE();
namespace naru::mockdev::highway::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE

// No 16-bit multiply-add here, and nobody asks: the path needs AVX2.
void ConvShape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) {
  portable::conv_shape(pixels, blocks, tile_pixels, tile_blocks);
}
void Conv(const ConvTile& tile) { portable::conv(tile); }
std::uint32_t Sum(const std::byte* inputs, std::size_t count) { return portable::sum(inputs, count); }

#else

namespace hn = hwy::HWY_NAMESPACE;

using D16 = hn::ScalableTag<std::int16_t>;
using D32 = hn::ScalableTag<std::int32_t>;
using D64 = hn::ScalableTag<std::int64_t>;
constexpr std::size_t kLanes16 = hn::MaxLanes(D16());
/// Vectors of 16-bit weights in one group of a block: 64 weights.
constexpr int kVectors = static_cast<int>(kBlock * kGroup / kLanes16);
static_assert(kVectors % 2 == 0);
/// Accumulators: 3 x 4 of AVX2's 16 registers, 12 x 2 of AVX-512's 32.
constexpr int kPixels = kVectors <= 2 ? 12 : 3;

template <int kTilePixels>
HWY_ATTR void Multiply(const ConvTile& tile) {
  const D16 d16;
  const D32 d32;
  const D64 d64;
  const hn::Rebind<std::int8_t, D16> d8;
  using V32 = hn::Vec<D32>;
  // The second half of each accumulator is for targets whose multiply-add works on halves; on x86 it stays zero and costs nothing.
  V32 sums[kTilePixels][kVectors], others[kTilePixels][kVectors];
  NARU_UNROLL
  for (int m = 0; m < kTilePixels; ++m) {
    NARU_UNROLL
    for (int v = 0; v < kVectors; ++v) sums[m][v] = others[m][v] = hn::Zero(d32);
  }
  const std::byte* pixel[kTilePixels];
  for (int m = 0; m < kTilePixels; ++m) pixel[m] = tile.pixel[m];
  const auto* weights = reinterpret_cast<const std::int8_t*>(tile.weights);
  for (std::uint32_t segment = 0; segment < tile.segment_count; ++segment) {
    std::size_t at = tile.segment_offset[segment];
    const std::size_t end = at + std::size_t{tile.segment_groups} * kGroup * 2;
    for (; at != end; at += kGroup * 2, weights += kBlock * kGroup) {
      hn::Vec<D16> weight[kVectors];
      NARU_UNROLL
      for (int v = 0; v < kVectors; ++v) weight[v] = hn::PromoteTo(d16, hn::LoadU(d8, weights + static_cast<std::size_t>(v) * kLanes16));
      NARU_UNROLL
      for (int m = 0; m < kTilePixels; ++m) {
        const hn::Vec<D16> inputs = hn::BitCast(d16, hn::Set(d64, load<std::int64_t>(pixel[m] + at)));
        NARU_UNROLL
        for (int v = 0; v < kVectors; ++v) sums[m][v] = hn::ReorderWidenMulAccumulate(d32, inputs, weight[v], sums[m][v], others[m][v]);
      }
    }
  }
  NARU_UNROLL
  for (int m = 0; m < kTilePixels; ++m) {
    std::int32_t* target = tile.sums + m * kTileChannelsMax;
    NARU_UNROLL
    for (int v = 0; v < kVectors; v += 2, target += hn::MaxLanes(d32)) {
      const V32 front = hn::RearrangeToOddPlusEven(sums[m][v], others[m][v]), back = hn::RearrangeToOddPlusEven(sums[m][v + 1], others[m][v + 1]);
      V32 sum = hn::Add(hn::ConcatEven(d32, back, front), hn::ConcatOdd(d32, back, front));
      if (tile.accumulate) sum = hn::Add(sum, hn::Load(d32, target));
      hn::Store(sum, d32, target);
    }
  }
}

void ConvShape(std::uint64_t, std::uint64_t, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) { tile_pixels = kPixels, tile_blocks = 1; }

void Conv(const ConvTile& tile) {
  if constexpr (kPixels == 3) {
    switch (tile.pixels) {
      case 1: return Multiply<1>(tile);
      case 2: return Multiply<2>(tile);
      default: return Multiply<3>(tile);
    }
  } else {
    switch (tile.pixels) {
      case 1: return Multiply<1>(tile);
      case 2: return Multiply<2>(tile);
      case 3: return Multiply<3>(tile);
      case 4: return Multiply<4>(tile);
      case 5: return Multiply<5>(tile);
      case 6: return Multiply<6>(tile);
      case 7: return Multiply<7>(tile);
      case 8: return Multiply<8>(tile);
      case 9: return Multiply<9>(tile);
      case 10: return Multiply<10>(tile);
      case 11: return Multiply<11>(tile);
      default: return Multiply<12>(tile);
    }
  }
}

std::uint32_t Sum(const std::byte* inputs, std::size_t count) {
  const D16 d16;
  const D32 d32;
  const auto ones = hn::Set(d16, 1);
  auto total = hn::Zero(d32), other = hn::Zero(d32);
  std::size_t i = 0;
  for (; i + kLanes16 <= count; i += kLanes16)
    total = hn::ReorderWidenMulAccumulate(d32, hn::LoadU(d16, reinterpret_cast<const std::int16_t*>(inputs + 2 * i)), ones, total, other);
  const auto whole = static_cast<std::uint32_t>(hn::GetLane(hn::SumOfLanes(d32, hn::Add(total, other))));
  return whole + (i == count ? 0 : portable::sum(inputs + 2 * i, count - i));
}

#endif

}  // namespace naru::mockdev::highway::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace naru::mockdev::highway {

HWY_EXPORT(ConvShape);
HWY_EXPORT(Conv);
HWY_EXPORT(Sum);

void conv_shape(std::uint64_t pixels, std::uint64_t blocks, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept {
  HWY_DYNAMIC_DISPATCH(ConvShape)(pixels, blocks, tile_pixels, tile_blocks);
}
void conv(const ConvTile& tile) noexcept { HWY_DYNAMIC_DISPATCH(Conv)(tile); }
std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept { return HWY_DYNAMIC_DISPATCH(Sum)(inputs, count); }

}  // namespace naru::mockdev::highway
#endif
