// Depthwise tiles by Highway's 16-bit multiply-add: two taps of a vector of channels are interleaved to pairs.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "units/depthwise_highway.cpp"
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

void Depthwise(const DepthwiseTile& tile) { portable::depthwise(tile); }

#else

namespace hn = hwy::HWY_NAMESPACE;

using D16 = hn::ScalableTag<std::int16_t>;
using D32 = hn::ScalableTag<std::int32_t>;
constexpr std::size_t kLanes16 = hn::MaxLanes(D16());
static_assert(kDepthwiseChannels % kLanes16 == 0 && kLanes16 <= 16, "halves are put together as AVX2 has them");

template <int kPixels>
HWY_ATTR void Multiply(const DepthwiseTile& tile, std::size_t channel) {
  const D16 d16;
  const D32 d32;
  using V32 = hn::Vec<D32>;
  V32 low[kPixels], high[kPixels], low_other[kPixels], high_other[kPixels];
  const std::byte* pixel[kPixels];
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    low[m] = high[m] = low_other[m] = high_other[m] = hn::Zero(d32);
    pixel[m] = tile.pixel[m] + 2 * channel;
  }
  const std::int16_t* weights = tile.weights + channel;
  for (std::uint32_t pair = 0; pair < tile.tap_pairs; ++pair, weights += 2 * kDepthwiseChannels) {
    const auto first = hn::Load(d16, weights), second = hn::Load(d16, weights + kDepthwiseChannels);
    const auto weights_low = hn::InterleaveLower(d16, first, second), weights_high = hn::InterleaveUpper(d16, first, second);
    const std::size_t first_offset = tile.tap_offset[2 * pair], second_offset = tile.tap_offset[2 * pair + 1];
    NARU_UNROLL
    for (int m = 0; m < kPixels; ++m) {
      const auto a = hn::LoadU(d16, reinterpret_cast<const std::int16_t*>(pixel[m] + first_offset));
      const auto b = hn::LoadU(d16, reinterpret_cast<const std::int16_t*>(pixel[m] + second_offset));
      low[m] = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveLower(d16, a, b), weights_low, low[m], low_other[m]);
      high[m] = hn::ReorderWidenMulAccumulate(d32, hn::InterleaveUpper(d16, a, b), weights_high, high[m], high_other[m]);
    }
  }
  // Interleaving works within 128 bits: each four lanes of low are followed by the same four of high.
  NARU_UNROLL
  for (int m = 0; m < kPixels; ++m) {
    const V32 front = hn::RearrangeToOddPlusEven(low[m], low_other[m]), back = hn::RearrangeToOddPlusEven(high[m], high_other[m]);
    V32 first = hn::ConcatLowerLower(d32, back, front), second = hn::ConcatUpperUpper(d32, back, front);
    std::int32_t* target = tile.sums + m * kTileChannelsMax + channel;
    if (tile.accumulate) first = hn::Add(first, hn::Load(d32, target)), second = hn::Add(second, hn::Load(d32, target + hn::MaxLanes(d32)));
    hn::Store(first, d32, target);
    hn::Store(second, d32, target + hn::MaxLanes(d32));
  }
}

void Depthwise(const DepthwiseTile& tile) {
  for (std::size_t channel = 0; channel < kDepthwiseChannels; channel += kLanes16) {
    switch (tile.pixels) {
      case 1: Multiply<1>(tile, channel); break;
      case 2: Multiply<2>(tile, channel); break;
      case 3: Multiply<3>(tile, channel); break;
      case 4: Multiply<4>(tile, channel); break;
      case 5: Multiply<5>(tile, channel); break;
      default: Multiply<6>(tile, channel); break;
    }
  }
}

#endif

}  // namespace naru::mockdev::highway::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace naru::mockdev::highway {

HWY_EXPORT(Depthwise);

void depthwise(const DepthwiseTile& tile) noexcept { HWY_DYNAMIC_DISPATCH(Depthwise)(tile); }

}  // namespace naru::mockdev::highway
#endif
