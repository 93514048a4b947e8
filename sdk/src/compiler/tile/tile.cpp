// The front of the tilers, and what they share.
#include "compiler/tile/tile.h"

#include <algorithm>

#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {

std::uint64_t Tiling::sram_bytes() const {
  std::uint64_t total = 0;
  for (std::uint64_t bytes : buffers) total += align_up(bytes, kSramAlignment);
  return total;
}

std::optional<Tiling> choose_tiling(const Nest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) {
  if (const auto* window = std::get_if<WindowNest>(&nest)) return choose_window(*window, chip, sram_bytes);
  if (const auto* map = std::get_if<MapNest>(&nest)) return choose_map(*map, chip, sram_bytes);
  if (const auto* resize = std::get_if<ResizeNest>(&nest)) return choose_resize(*resize, chip, sram_bytes);
  return choose_copy(std::get<CopyNest>(nest), chip, sram_bytes);
}

Tiling whole_tiling(const Nest& nest, std::uint32_t parts) {
  if (const auto* window = std::get_if<WindowNest>(&nest)) return whole_window_tiling(*window, parts);
  if (const auto* map = std::get_if<MapNest>(&nest)) {
    MapTiling tiling{.tile = map->extent, .slots = std::vector<std::uint32_t>(map->inputs.size() + 1)};
    for (std::size_t d = 0; d < tiling.tile.size(); ++d) {
      if (map->extent[d] == 1) continue;
      if (map->divisible[d]) tiling.tile[d] = ceil_div(map->extent[d], parts);
      break;
    }
    return {std::move(tiling), {}, 0};
  }
  if (const auto* resize = std::get_if<ResizeNest>(&nest)) return {ResizeTiling{ceil_div(resize->resize.out_rows, parts), resize->resize.channels, 1}, {}, 0};
  return {CopyTiling{}, {}, 0};
}

std::uint64_t smallest_tiling_bytes(const Nest& nest, const abi::Chip& chip) {
  // The least of SRAM in which a tiling is found, to the next power of two and then by halving.
  std::uint64_t enough = 1024;
  while (enough < std::uint64_t{1} << 40 && !choose_tiling(nest, chip, enough)) enough *= 2;
  std::uint64_t low = enough / 2;
  while (enough - low > 64) {
    const std::uint64_t middle = (low + enough) / 2;
    (choose_tiling(nest, chip, middle) ? enough : low) = middle;
  }
  return enough;
}

std::vector<Step> unroll(const Nest& nest, const Tiling& tiling, const Places& places) {
  if (const auto* window = std::get_if<WindowNest>(&nest)) return unroll_window(*window, std::get<WindowTiling>(tiling.choice), places);
  if (const auto* map = std::get_if<MapNest>(&nest)) return unroll_map(*map, std::get<MapTiling>(tiling.choice), places);
  if (const auto* resize = std::get_if<ResizeNest>(&nest)) return unroll_resize(*resize, std::get<ResizeTiling>(tiling.choice), places);
  return unroll_copy(std::get<CopyNest>(nest), std::get<CopyTiling>(tiling.choice), places);
}

abi::CommandBody whole_command(const Nest& nest) {
  if (const auto* window = std::get_if<WindowNest>(&nest)) return whole_window(*window);
  if (const auto* map = std::get_if<MapNest>(&nest)) return whole_map(*map);
  if (const auto* resize = std::get_if<ResizeNest>(&nest)) return whole_resize(*resize);
  return abi::End{};
}

std::uint64_t repeats_of(const Nest& nest) {
  const auto* window = std::get_if<WindowNest>(&nest);
  if (window == nullptr) return 1;
  return std::uint64_t{window->window.batch} * (window->window.kind == WindowNode::Kind::kDense ? window->window.groups : 1);
}

std::vector<std::uint32_t> tile_sizes(std::uint32_t extent, std::uint32_t granule) {
  std::vector<std::uint32_t> sizes{extent};
  for (std::uint64_t parts = 2; parts / 2 < extent; parts = (parts & (parts - 1)) == 0 ? parts / 2 * 3 : parts / 3 * 4) {
    const std::uint64_t size = align_up<std::uint64_t>(ceil_div<std::uint64_t>(extent, parts), granule);
    if (size < sizes.back()) sizes.push_back(static_cast<std::uint32_t>(size));
  }
  return sizes;
}

void append_dma(std::vector<Item>& items, Unit unit, abi::Operand source, abi::Operand target, std::uint64_t row_bytes, std::vector<CopyBox::Loop> loops) {
  std::erase_if(loops, [](const auto& loop) { return loop.count == 1; });
  while (!loops.empty() && loops.back().source_stride == row_bytes && loops.back().target_stride == row_bytes) {
    row_bytes *= loops.back().count;
    loops.pop_back();
  }
  for (std::size_t i = loops.size(); i-- > 1;) {
    auto& outer = loops[i - 1];
    const auto& inner = loops[i];
    if (outer.source_stride != inner.source_stride * inner.count || outer.target_stride != inner.target_stride * inner.count) continue;
    outer = {outer.count * inner.count, inner.source_stride, inner.target_stride};
    loops.erase(loops.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (loops.size() > 3) {
    const auto outer = loops.front();
    loops.erase(loops.begin());
    for (std::uint64_t i = 0; i < outer.count; ++i)
      append_dma(items, unit, advance(source, i * outer.source_stride), advance(target, i * outer.target_stride), row_bytes, loops);
    return;
  }
  abi::Dma dma{.source = source, .target = target, .row_bytes = static_cast<std::uint32_t>(row_bytes)};
  for (std::size_t i = 0; i < loops.size(); ++i) {
    const std::size_t d = 3 - loops.size() + i;
    dma.count[d] = static_cast<std::uint32_t>(loops[i].count);
    dma.source_stride[d] = static_cast<std::uint32_t>(loops[i].source_stride);
    dma.target_stride[d] = static_cast<std::uint32_t>(loops[i].target_stride);
  }
  items.push_back({unit, dma});
}

std::uint64_t cost_of_items(const std::vector<Item>& items, const abi::Chip& chip) {
  std::uint64_t total = 0;
  for (const Item& item : items) {
    const auto* dma = std::get_if<abi::Dma>(&item.body);
    const auto source = dma == nullptr ? abi::MemoryKind::kSram : memory_of(dma->source.region());
    const auto target = dma == nullptr ? abi::MemoryKind::kSram : memory_of(dma->target.region());
    total += abi::cost_of({.engine = abi::Engine::kVector, .source = 0, .body = item.body}, chip, source, target).alone(chip);
  }
  return total;
}

std::uint64_t Estimate::cycles(const abi::Chip& chip, bool doubled) const {
  const std::uint64_t first = load / tiles, last = store / tiles + compute / tiles;
  if (!doubled) return load + store + compute;
  if (tiles == 1) return load + compute + store;
  // Two DMA engines hide each other's latency; bytes share the DRAM all the same.
  const std::uint64_t fixed = std::uint64_t{chip.start_cycles} + chip.dram_latency_cycles;
  const std::uint64_t hidden = chip.dma_engines > 1 ? std::min(load, std::min(store, fixed * tiles)) : 0;
  return std::max(compute, load + store - hidden) + first + last;
}

}  // namespace naru::sdk::compiler
