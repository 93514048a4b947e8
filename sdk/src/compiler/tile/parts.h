// What the tilers of all nests share: sizes to try, slots that remember what they hold, strided copies as few DMA commands.
#pragma once

#include <vector>

#include "compiler/tile/tile.h"

#include "naru/abi/cycles.h"

namespace naru::sdk::compiler {

inline constexpr std::uint64_t kSramAlignment = 64;

/// Tile sizes along an extent, largest first: the extent in 1, 2, 3, 4, 6, 8, 12 ... parts, each a multiple of `granule` (or the whole extent).
[[nodiscard]] std::vector<std::uint32_t> tile_sizes(std::uint32_t extent, std::uint32_t granule = 1);

/// Appends DMA commands that copy row_bytes for every index of `loops` (outermost first); loops that continue each other become one.
void append_dma(std::vector<Item>& items, Unit unit, abi::Operand source, abi::Operand target, std::uint64_t row_bytes, std::vector<CopyBox::Loop> loops);

/// Cycles of the items by themselves.
[[nodiscard]] std::uint64_t cost_of_items(const std::vector<Item>& items, const abi::Chip& chip);

[[nodiscard]] constexpr abi::Operand advance(abi::Operand at, std::uint64_t bytes) noexcept { return abi::Operand::at(at.region(), at.offset() + bytes); }

/// SRAM buffers of one stream of tiles. A tile that a slot still holds is not loaded again.
template <typename Key>
class Slots {
 public:
  explicit Slots(std::vector<std::uint64_t> offsets) : offsets_(std::move(offsets)), keys_(offsets_.size()), used_(offsets_.size()) {}

  struct Place {
    std::size_t slot = 0;
    std::uint64_t offset = 0;
    bool holds = false;
  };
  /// The slot that holds `key`, else the one that was used longest ago.
  Place take(const Key& key) {
    std::size_t oldest = 0;
    for (std::size_t i = 0; i < offsets_.size(); ++i) {
      if (keys_[i] && *keys_[i] == key) return touch(i, true);
      if (used_[i] < used_[oldest]) oldest = i;
    }
    keys_[oldest] = key;
    return touch(oldest, false);
  }

 private:
  Place touch(std::size_t slot, bool holds) {
    used_[slot] = ++clock_;
    return {slot, offsets_[slot], holds};
  }
  std::vector<std::uint64_t> offsets_;
  std::vector<std::optional<Key>> keys_;
  std::vector<std::uint64_t> used_;
  std::uint64_t clock_ = 0;
};

/// What a stage of DMA and computation takes when each runs beside the other, or one after the other when `doubled` is false.
struct Estimate {
  std::uint64_t load = 0, store = 0, compute = 0;  // cycles, sums over all tiles
  std::uint64_t tiles = 1;
  [[nodiscard]] std::uint64_t cycles(const abi::Chip& chip, bool doubled) const;
};

/// One command for the whole nest, as if it fitted: what it costs, not what it does. END for copies, which are no engine's ideal work.
[[nodiscard]] abi::CommandBody whole_command(const Nest& nest);
[[nodiscard]] abi::CommandBody whole_resize(const ResizeNest& nest);
/// How often the whole nest needs it: images, and groups.
[[nodiscard]] std::uint64_t repeats_of(const Nest& nest);
[[nodiscard]] abi::CommandBody whole_window(const WindowNest& nest);
[[nodiscard]] abi::CommandBody whole_map(const MapNest& nest);

[[nodiscard]] std::optional<Tiling> choose_window(const WindowNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes);
[[nodiscard]] std::optional<Tiling> choose_map(const MapNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes);
[[nodiscard]] std::optional<Tiling> choose_resize(const ResizeNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes);
[[nodiscard]] std::optional<Tiling> choose_copy(const CopyNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes);
[[nodiscard]] Tiling whole_window_tiling(const WindowNest& nest, std::uint32_t parts);
[[nodiscard]] std::vector<Step> unroll_window(const WindowNest& nest, const WindowTiling& tiling, const Places& places);
[[nodiscard]] std::vector<Step> unroll_map(const MapNest& nest, const MapTiling& tiling, const Places& places);
[[nodiscard]] std::vector<Step> unroll_resize(const ResizeNest& nest, const ResizeTiling& tiling, const Places& places);
[[nodiscard]] std::vector<Step> unroll_copy(const CopyNest& nest, const CopyTiling& tiling, const Places& places);

}  // namespace naru::sdk::compiler
