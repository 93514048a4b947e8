// Copies go from DRAM to DRAM; constant borders are written from a small buffer in the SRAM, read again and again.
#include <algorithm>

#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::uint64_t kFillBytesMax = 16384;

/// All in the SRAM: the vector engine moves and fills, and leaves the DMA engines to the DRAM.
std::vector<Step> move_inside(const CopyNest& nest, const Places& places, abi::Operand output) {
  std::vector<Step> steps(1);
  std::vector<Item> copies, fills;
  for (const CopyBox& box : nest.copies)
    append_dma(copies, Unit::kVector, advance(places.tensors[static_cast<std::size_t>(box.source)], box.source_offset), advance(output, box.target_offset), box.row_bytes,
               box.loops);
  for (const FillBox& box : nest.fills) {
    auto loops = box.loops;
    for (auto& loop : loops) loop.source_stride = loop.target_stride;
    append_dma(fills, Unit::kVector, advance(output, box.offset), advance(output, box.offset), box.row_bytes, std::move(loops));
  }
  for (const Item& item : fills) {
    const auto& dma = std::get<abi::Dma>(item.body);
    abi::Fill fill;
    fill.target = dma.target;
    fill.value = nest.fill_value;
    fill.type = nest.fill_type;
    fill.row_bytes = dma.row_bytes;
    fill.count = dma.count;
    fill.target_stride = dma.target_stride;
    steps.front().compute.push_back({Unit::kVector, fill});
  }
  for (const Item& item : copies) {
    const auto& dma = std::get<abi::Dma>(item.body);
    abi::Move move;
    move.input = dma.source;
    move.output = dma.target;
    for (std::size_t d = 0; d < dma.count.size(); ++d) {
      move.extent[d] = dma.count[d];
      move.input_stride[d] = dma.source_stride[d];
      move.output_stride[d] = dma.target_stride[d];
    }
    move.extent[3] = dma.row_bytes;
    move.input_stride[3] = move.output_stride[3] = dma.row_bytes == 1 ? 0 : 1;
    steps.front().compute.push_back({Unit::kVector, move});
  }
  return steps;
}

}  // namespace

std::optional<Tiling> choose_copy(const CopyNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) {
  Tiling tiling;
  CopyTiling choice;
  for (const FillBox& box : nest.fills) choice.fill_bytes = std::max(choice.fill_bytes, box.row_bytes);
  choice.fill_bytes = std::min({choice.fill_bytes, kFillBytesMax, sram_bytes / kSramAlignment * kSramAlignment});
  if (!nest.fills.empty()) {
    if (choice.fill_bytes == 0) return std::nullopt;
    tiling.buffers = {choice.fill_bytes};
  }
  tiling.choice = choice;
  const std::vector<std::uint64_t> sram(tiling.buffers.size());
  const std::vector<abi::Operand> tensors(
      1 + static_cast<std::size_t>(std::max(nest.output, nest.copies.empty() ? nest.output : std::ranges::max(nest.copies, {}, &CopyBox::source).source)),
      abi::Operand::at(kScratchStorage, 0));
  for (const Step& step : unroll_copy(nest, choice, {tensors, sram, nullptr})) tiling.cycles += cost_of_items(step.compute, chip) + cost_of_items(step.stores, chip);
  return tiling;
}

std::vector<Step> unroll_copy(const CopyNest& nest, const CopyTiling& tiling, const Places& places) {
  const abi::Operand output = places.tensors[static_cast<std::size_t>(nest.output)];
  const auto stays = [&](TensorId id) { return places.tensors[static_cast<std::size_t>(id)].region() == kSramStorage; };
  if (stays(nest.output) && std::ranges::all_of(nest.copies, stays, &CopyBox::source)) return move_inside(nest, places, output);
  std::vector<Step> steps(1);
  Step& step = steps.front();
  const auto copy = [&] {
    for (const CopyBox& box : nest.copies)
      append_dma(step.stores, Unit::kStore, advance(places.tensors[static_cast<std::size_t>(box.source)], box.source_offset), advance(output, box.target_offset),
                 box.row_bytes, box.loops);
  };
  if (nest.fills.empty()) {
    copy();
    return steps;
  }
  const abi::Operand buffer = abi::Operand::at(kSramStorage, places.sram[0]);
  abi::Fill fill;
  fill.target = buffer;
  fill.value = nest.fill_value;
  fill.type = nest.fill_type;
  fill.row_bytes = static_cast<std::uint32_t>(tiling.fill_bytes);
  step.compute.push_back({Unit::kVector, fill});
  for (const FillBox& box : nest.fills) {
    const std::uint64_t pieces = box.row_bytes / tiling.fill_bytes, rest = box.row_bytes % tiling.fill_bytes;
    auto loops = box.loops;
    loops.push_back({pieces, 0, tiling.fill_bytes});
    if (pieces > 0) append_dma(step.stores, Unit::kStore, buffer, advance(output, box.offset), tiling.fill_bytes, std::move(loops));
    if (rest > 0) append_dma(step.stores, Unit::kStore, buffer, advance(output, box.offset + pieces * tiling.fill_bytes), rest, box.loops);
  }
  copy();  // after the fills: they may cover the whole output
  return steps;
}

}  // namespace naru::sdk::compiler
