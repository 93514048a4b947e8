// Copies go from DRAM to DRAM; constant borders are written from a small buffer in the SRAM, read again and again.
#include <algorithm>

#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::uint64_t kFillBytesMax = 16384;

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
