// What becomes of a tile of sums, with Highway: whatever requantize_avx2.cpp does not take.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "units/requantize_highway.cpp"
#include "units/highway_targets.h"
// clang-format off: after the target list
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include "units/kernels.h"

HWY_BEFORE_NAMESPACE();
namespace naru::mockdev::highway::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR || HWY_HAVE_SCALABLE

void Finish(const TileOutput& tile) { portable::finish(tile); }
void Requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) { portable::requantize(values, count, multiplier, shift); }

#else

namespace hn = hwy::HWY_NAMESPACE;

using D32 = hn::ScalableTag<std::int32_t>;
using V32 = hn::Vec<D32>;
constexpr std::size_t kLanes32 = hn::MaxLanes(D32());
static_assert(kBlock % kLanes32 == 0);

struct Terms {
  V32 multiplier, left, right, mask;
};

/// SRDHM, but for the saturation of INT32_MIN squared.
HWY_INLINE V32 HighProduct(V32 value, V32 multiplier) {
  const D32 d32;
  const hn::Repartition<std::int64_t, D32> d64;
  const hn::RebindToUnsigned<decltype(d64)> du64;
  const auto nudge = hn::Set(d64, std::int64_t{1} << 30);
  const auto even = hn::Add(hn::MulEven(value, multiplier), nudge);
  const auto odd = hn::Add(hn::MulEven(hn::Shuffle2301(value), hn::Shuffle2301(multiplier)), nudge);
  // Bits 31 to 62 of each product: the low half of even >> 31, the high half of odd << 1.
  return hn::OddEven(hn::BitCast(d32, hn::ShiftLeft<1>(odd)), hn::BitCast(d32, hn::ShiftRight<31>(hn::BitCast(du64, even))));
}

/// Left shift, SRDHM, RDivByPOT (numerics 1 and 26), whatever the operands.
HWY_INLINE V32 Requantized(V32 value, const Terms& terms) {
  const D32 d32;
  V32 high = HighProduct(hn::Shl(value, terms.left), terms.multiplier);
  // INT32_MIN comes out only where INT32_MIN was squared, which saturates.
  high = hn::IfThenElse(hn::Eq(high, hn::Set(d32, INT32_MIN)), hn::Set(d32, INT32_MAX), high);
  const V32 remainder = hn::And(high, terms.mask);
  const V32 threshold = hn::Sub(hn::ShiftRight<1>(terms.mask), hn::ShiftRight<31>(high));
  return hn::Sub(hn::Shr(high, terms.right), hn::VecFromMask(d32, hn::Gt(remainder, threshold)));
}

HWY_ATTR void Finish(const TileOutput& tile) {
  const D32 d32;
  const hn::Rebind<std::int8_t, D32> d8;
  const hn::Rebind<std::uint8_t, D32> du8;
  const hn::Rebind<std::int16_t, D32> d16;
  const ChannelTerms& all = *tile.terms;
  const Bounds bounds = bounds_before_zero(tile);
  const V32 lowest = hn::Set(d32, bounds.lowest), highest = hn::Set(d32, bounds.highest), zero = hn::Set(d32, tile.zero);
  const std::uint32_t bytes = abi::element_bytes(tile.type);
  for (std::uint32_t channel = 0; channel < tile.channels; channel += kLanes32) {
    const std::uint32_t at = tile.terms_channel + channel;
    const std::uint32_t count = std::min<std::uint32_t>(kLanes32, tile.channels - channel);
    const V32 start = hn::Load(d32, all.start + at);
    const Terms terms = {hn::Load(d32, all.multiplier + at), hn::Load(d32, all.left + at), hn::Load(d32, all.right + at),
                         hn::Load(d32, all.mask + at)};
    for (std::uint32_t m = 0; m < tile.pixels; ++m) {
      V32 value = hn::Add(hn::Add(hn::Load(d32, tile.sums + m * kTileChannelsMax + channel), start), hn::Set(d32, tile.pixel_start[m]));
      HWY_ALIGN std::int32_t wide[kLanes32] = {};
      if (tile.partial[m] != nullptr) {
        std::memcpy(wide, tile.partial[m] + channel * 4, count * 4);
        value = hn::Add(value, hn::Load(d32, wide));
      }
      HWY_ALIGN std::byte result[4 * kLanes32];
      if (tile.type != abi::ElementType::kI32) value = hn::Add(hn::Min(hn::Max(Requantized(value, terms), lowest), highest), zero);
      switch (tile.type) {
        case abi::ElementType::kI8: hn::StoreU(hn::DemoteTo(d8, value), d8, reinterpret_cast<std::int8_t*>(result)); break;
        case abi::ElementType::kU8: hn::StoreU(hn::DemoteTo(du8, value), du8, reinterpret_cast<std::uint8_t*>(result)); break;
        case abi::ElementType::kI16: hn::StoreU(hn::DemoteTo(d16, value), d16, reinterpret_cast<std::int16_t*>(result)); break;
        default: hn::StoreU(value, d32, reinterpret_cast<std::int32_t*>(result)); break;
      }
      std::memcpy(tile.output[m] + channel * bytes, result, count * bytes);
    }
  }
}

HWY_ATTR void Requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) {
  const D32 d32;
  const Terms terms = {hn::Set(d32, multiplier), hn::Set(d32, shift.left), hn::Set(d32, shift.right),
                       hn::Set(d32, static_cast<std::int32_t>((std::uint32_t{1} << shift.right) - 1))};
  std::size_t i = 0;
  for (; i + kLanes32 <= count; i += kLanes32) hn::StoreU(Requantized(hn::LoadU(d32, values + i), terms), d32, values + i);
  for (; i < count; ++i) values[i] = mockdev::requantize(values[i], multiplier, shift);
}

#endif

}  // namespace naru::mockdev::highway::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace naru::mockdev::highway {

HWY_EXPORT(Finish);
HWY_EXPORT(Requantize);

void finish(const TileOutput& tile) noexcept { HWY_DYNAMIC_DISPATCH(Finish)(tile); }
void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  HWY_DYNAMIC_DISPATCH(Requantize)(values, count, multiplier, shift);
}

}  // namespace naru::mockdev::highway
#endif
