// Convolution tiles in plain C++: any host, and the measure for the other paths.
#include "units/kernels.h"

namespace naru::mockdev::portable {

void conv_shape(std::uint64_t, std::uint64_t, std::uint32_t& tile_pixels, std::uint32_t& tile_blocks) noexcept { tile_pixels = 4, tile_blocks = 1; }

void conv(const ConvTile& tile) noexcept {
  for (std::uint32_t m = 0; m < tile.pixels; ++m) {
    std::int32_t sums[kBlock] = {};
    const std::byte* weights = tile.weights;
    for (std::uint32_t segment = 0; segment < tile.segment_count; ++segment) {
      const std::byte* inputs = tile.pixel[m] + tile.segment_offset[segment];
      for (std::uint32_t group = 0; group < tile.segment_groups; ++group, inputs += 2 * kGroup, weights += kBlock * kGroup) {
        std::int32_t input[kGroup];
        for (std::uint32_t i = 0; i < kGroup; ++i) input[i] = load<std::int16_t>(inputs + 2 * i);
        const auto* weight = reinterpret_cast<const std::int8_t*>(weights);
        for (std::uint32_t c = 0; c < kBlock; ++c) {
          // At most 4 * 255 * 128, so only the running sum can wrap.
          const std::int32_t four = input[0] * weight[4 * c] + input[1] * weight[4 * c + 1] + input[2] * weight[4 * c + 2] + input[3] * weight[4 * c + 3];
          sums[c] = wrap_add(sums[c], four);
        }
      }
    }
    std::int32_t* target = tile.sums + m * kTileChannelsMax;
    for (std::uint32_t c = 0; c < kBlock; ++c) target[c] = tile.accumulate ? wrap_add(target[c], sums[c]) : sums[c];
  }
}

std::uint32_t sum(const std::byte* inputs, std::size_t count) noexcept {
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < count; ++i) total += static_cast<std::uint32_t>(std::int32_t{load<std::int16_t>(inputs + 2 * i)});
  return total;
}

}  // namespace naru::mockdev::portable
