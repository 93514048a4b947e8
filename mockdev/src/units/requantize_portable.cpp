// What becomes of a tile of sums, in plain C++.
#include "units/kernels.h"

namespace naru::mockdev::portable {

void finish(const TileOutput& tile) noexcept {
  const ChannelTerms& terms = *tile.terms;
  const std::uint32_t bytes = abi::element_bytes(tile.type);
  for (std::uint32_t m = 0; m < tile.pixels; ++m) {
    for (std::uint32_t c = 0; c < tile.channels; ++c) {
      const std::uint32_t at = tile.terms_channel + c;
      std::int32_t value = wrap_add(wrap_add(tile.sums[m * kTileChannelsMax + c], terms.start[at]), tile.pixel_start[m]);
      if (tile.partial[m] != nullptr) value = wrap_add(value, load<std::int32_t>(tile.partial[m] + 4 * c));
      if (tile.type != abi::ElementType::kI32)
        value = add_zero_and_clamp(mockdev::requantize(value, terms.multiplier[at], {terms.left[at], terms.right[at]}), tile.zero, tile.lowest, tile.highest);
      store_element(tile.output[m] + c * bytes, tile.type, value);
    }
  }
}

void load_terms(const std::byte* block, std::uint32_t n, ChannelTerms& terms, bool with_start) noexcept {
  for (std::uint32_t c = 0; c < kBlock; ++c) {
    const std::uint32_t at = n * kBlock + c;
    terms.start[at] = with_start ? static_cast<std::int32_t>(load<std::int64_t>(block + abi::kWeightStartOffset + 8 * c)) : 0;
    terms.multiplier[at] = load<std::int32_t>(block + abi::kWeightMultiplierOffset + 4 * c);
    const bool dead = terms.multiplier[at] == 0;
    const Shift shift = split_shift(dead ? kDeadShift : load<std::int8_t>(block + abi::kWeightShiftOffset + c));
    terms.left[at] = shift.left;
    terms.right[at] = shift.right;
    terms.mask[at] = static_cast<std::int32_t>((std::uint32_t{1} << shift.right) - 1);
    const bool short_way = dead || (shift.right >= 1 && shift.right <= kShortShiftMax && terms.multiplier[at] >= 0 &&
                                    std::abs(std::int64_t{terms.start[at]}) <= terms.start_max);
    terms.rounding[at] = short_way ? (terms.mask[at] + 1) / 2 + terms.zero * (1 << shift.right) : 0;
    terms.usual = terms.usual && short_way;
  }
}

void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  for (std::size_t i = 0; i < count; ++i) values[i] = mockdev::requantize(values[i], multiplier, shift);
}

}  // namespace naru::mockdev::portable
