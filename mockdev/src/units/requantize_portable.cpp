// What becomes of a tile of sums, in plain C++.
#include "units/kernels.h"

namespace naru::mockdev::portable {

void finish(const TileOutput& tile) noexcept {
  const ChannelTerms& terms = *tile.terms;
  const std::uint32_t bytes = abi::element_bytes(tile.type);
  for (std::uint32_t m = 0; m < tile.pixels; ++m) {
    for (std::uint32_t c = 0; c < tile.channels; ++c) {
      std::int32_t value = wrap_add(wrap_add(tile.sums[m * kTileChannelsMax + c], terms.start[c]), tile.pixel_start[m]);
      if (tile.partial[m] != nullptr) value = wrap_add(value, load<std::int32_t>(tile.partial[m] + 4 * c));
      if (tile.type != abi::ElementType::kI32)
        value = add_zero_and_clamp(mockdev::requantize(value, terms.multiplier[c], {terms.left[c], terms.right[c]}), tile.zero, tile.lowest, tile.highest);
      store_element(tile.output[m] + c * bytes, tile.type, value);
    }
  }
}

void requantize(std::int32_t* values, std::size_t count, std::int32_t multiplier, Shift shift) noexcept {
  for (std::size_t i = 0; i < count; ++i) values[i] = mockdev::requantize(values[i], multiplier, shift);
}

}  // namespace naru::mockdev::portable
