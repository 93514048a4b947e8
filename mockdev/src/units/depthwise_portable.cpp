// Depthwise tiles in plain C++.
#include "units/kernels.h"

namespace naru::mockdev::portable {

void depthwise(const DepthwiseTile& tile) noexcept {
  for (std::uint32_t m = 0; m < tile.pixels; ++m) {
    std::uint32_t sums[kDepthwiseChannels] = {};
    const std::int16_t* weights = tile.weights;
    for (std::uint32_t tap = 0; tap < 2 * tile.tap_pairs; ++tap, weights += kDepthwiseChannels) {
      std::int16_t inputs[kDepthwiseChannels];
      std::memcpy(inputs, tile.pixel[m] + tile.tap_offset[tap], sizeof(inputs));
      for (std::uint32_t c = 0; c < kDepthwiseChannels; ++c) sums[c] += static_cast<std::uint32_t>(std::int32_t{inputs[c]} * weights[c]);
    }
    std::int32_t* target = tile.sums + m * kTileChannelsMax;
    for (std::uint32_t c = 0; c < kDepthwiseChannels; ++c)
      target[c] = static_cast<std::int32_t>(sums[c] + (tile.accumulate ? static_cast<std::uint32_t>(target[c]) : 0));
  }
}

}  // namespace naru::mockdev::portable
