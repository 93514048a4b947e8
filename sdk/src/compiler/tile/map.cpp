// Maps: boxes of up to four dimensions, each operand packed in the SRAM in its own order of dimensions, so that DMA rows are as long as they can be.
#include <algorithm>
#include <numeric>

#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {
namespace {

using Extents = std::array<std::uint32_t, 4>;

/// How a box of an operand lies in the SRAM, and how it gets there.
struct Layout {
  std::array<std::uint32_t, 4> stride{};  // bytes, 0 where the operand repeats or has one element
  std::uint64_t bytes = 0;
  std::vector<CopyBox::Loop> loops;       // source is DRAM, target SRAM; outermost first
};

Layout layout_of(const MapOperand& operand, const Extents& box) {
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return operand.stride[a] < operand.stride[b]; });
  Layout layout;
  layout.bytes = operand.element_bytes;
  for (std::size_t d : order) {
    if (operand.stride[d] == 0 || box[d] == 1) continue;
    layout.stride[d] = static_cast<std::uint32_t>(layout.bytes);
    layout.loops.insert(layout.loops.begin(), {box[d], operand.stride[d], layout.bytes});
    layout.bytes *= box[d];
  }
  return layout;
}

abi::CommandBody command_of(const MapNest& nest, const Extents& box, std::span<const Layout> layouts, std::span<const abi::Operand> places) {
  abi::CommandBody body = nest.prototype;
  const std::size_t last = layouts.size() - 1;
  if (auto* command = std::get_if<abi::Elementwise>(&body)) {
    command->extent = box;
    command->a = places[0];
    command->b = places[1];
    command->output = places[2];
    command->a_stride = layouts[0].stride;
    command->b_stride = layouts[1].stride;
    command->output_stride = layouts[2].stride;
  } else if (auto* softmax = std::get_if<abi::Softmax>(&body)) {
    softmax->input = places[0];
    softmax->output = places[last];
    softmax->rows = box[2];
    softmax->row_elements = box[3];
    softmax->input_row_stride = layouts[0].stride[2];
    softmax->output_row_stride = layouts[last].stride[2];
  } else if (auto* pack = std::get_if<abi::Pack>(&body)) {
    pack->input = places[0];
    pack->output = places[last];
  } else {
    std::visit(
        [&](auto& c) {
          if constexpr (requires { c.extent; c.input_stride; }) {
            c.extent = box;
            c.input = places[0];
            c.output = places[last];
            c.input_stride = layouts[0].stride;
            c.output_stride = layouts[last].stride;
          }
          if constexpr (requires { c.table; }) c.table = places[1];
        },
        body);
  }
  return body;
}

std::vector<const MapOperand*> operands_of(const MapNest& nest) {
  std::vector<const MapOperand*> operands;
  for (const MapOperand& input : nest.inputs) operands.push_back(&input);
  operands.push_back(&nest.output);
  return operands;
}

class MapChooser {
 public:
  MapChooser(const MapNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) : nest_(nest), chip_(chip), sram_bytes_(sram_bytes), operands_(operands_of(nest)) {}

  std::optional<Tiling> run() {
    for (bool doubled : {true, false}) {
      doubled_ = doubled;
      visit(0, 0);
      if (best_) break;
    }
    return best_;
  }

 private:
  /// At most two dimensions are cut: more never pays, and the search stays short.
  void visit(std::size_t d, unsigned cuts) {
    if (d == box_.size()) return consider();
    box_[d] = nest_.extent[d];
    visit(d + 1, cuts);
    if (!nest_.divisible[d] || cuts == 2) return;
    const std::uint32_t granule = d == 3 && nest_.extent[d] > 256 ? 64 : 1;
    for (std::uint32_t size : tile_sizes(nest_.extent[d], granule)) {
      if (size == nest_.extent[d]) continue;
      box_[d] = size;
      visit(d + 1, cuts + 1);
    }
  }

  void consider() {
    Extents tiles{};
    std::uint64_t total = 1;
    for (std::size_t d = 0; d < tiles.size(); ++d) total *= tiles[d] = ceil_div(nest_.extent[d], box_[d]);
    MapTiling tiling{.tile = box_, .slots = {}};
    std::vector<std::uint64_t> buffers;
    std::vector<Layout> layouts;
    Estimate estimate;
    estimate.tiles = total;
    std::uint64_t needed = 0;
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const MapOperand& operand = *operands_[i];
      layouts.push_back(layout_of(operand, box_));
      // A tile is loaded again whenever a dimension outside the innermost one that it moves along goes on.
      std::uint64_t distinct = 1, loads = 1, so_far = 1;
      for (std::size_t d = 0; d < tiles.size(); ++d) {
        so_far *= tiles[d];
        if (operand.stride[d] == 0) continue;
        distinct *= tiles[d];
        if (tiles[d] > 1) loads = so_far;
      }
      tiling.slots.push_back(doubled_ && distinct > 1 ? 2 : 1);
      buffers.insert(buffers.end(), tiling.slots.back(), layouts.back().bytes);
      needed += tiling.slots.back() * align_up(layouts.back().bytes, kSramAlignment);
      if (needed > sram_bytes_) return;
      const bool is_output = i + 1 == operands_.size();
      std::vector<Item> items;
      append_dma(items, Unit::kLoad, abi::Operand::at(kScratchStorage, 0), abi::Operand::at(kSramStorage, 0), operand.element_bytes, layouts.back().loops);
      (is_output ? estimate.store : estimate.load) += cost_of_items(items, chip_) * loads;
    }
    const std::array<abi::Operand, 3> nowhere{};
    estimate.compute = total * cost_of_items({{Unit::kVector, command_of(nest_, box_, layouts, nowhere)}}, chip_);
    const std::uint64_t cycles = estimate.cycles(chip_, doubled_);
    if (!best_ || cycles < best_->cycles) best_ = Tiling{std::move(tiling), std::move(buffers), cycles};
  }

  const MapNest& nest_;
  const abi::Chip& chip_;
  std::uint64_t sram_bytes_;
  std::vector<const MapOperand*> operands_;
  bool doubled_ = true;
  Extents box_{};
  std::optional<Tiling> best_;
};

}  // namespace

std::optional<Tiling> choose_map(const MapNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) { return MapChooser(nest, chip, sram_bytes).run(); }

abi::CommandBody whole_map(const MapNest& nest) {
  const std::vector<Layout> layouts(nest.inputs.size() + 1);
  const std::array<abi::Operand, 3> nowhere{};
  return command_of(nest, nest.extent, layouts, nowhere);
}

std::vector<Step> unroll_map(const MapNest& nest, const MapTiling& tiling, const Places& places) {
  const auto operands = operands_of(nest);
  std::vector<Slots<Extents>> slots;
  std::size_t taken = 0;
  for (std::uint32_t count : tiling.slots) {
    const auto part = places.sram.subspan(taken, count);
    slots.emplace_back(std::vector<std::uint64_t>(part.begin(), part.end()));
    taken += count;
  }
  std::vector<Step> steps;
  Extents at{};
  for (at[0] = 0; at[0] < nest.extent[0]; at[0] += tiling.tile[0])
    for (at[1] = 0; at[1] < nest.extent[1]; at[1] += tiling.tile[1])
      for (at[2] = 0; at[2] < nest.extent[2]; at[2] += tiling.tile[2])
        for (at[3] = 0; at[3] < nest.extent[3]; at[3] += tiling.tile[3]) {
          Extents box{};
          for (std::size_t d = 0; d < box.size(); ++d) box[d] = std::min(tiling.tile[d], nest.extent[d] - at[d]);
          Step step;
          std::vector<Layout> layouts;
          std::vector<abi::Operand> tile_places;
          for (std::size_t i = 0; i < operands.size(); ++i) {
            const MapOperand& operand = *operands[i];
            Extents key{};
            std::uint64_t offset = operand.offset;
            for (std::size_t d = 0; d < at.size(); ++d) {
              if (operand.stride[d] != 0) key[d] = at[d];
              offset += at[d] * operand.stride[d];
            }
            layouts.push_back(layout_of(operand, box));
            const abi::Operand whole = advance(places.tensors[static_cast<std::size_t>(operand.tensor)], offset);
            if (whole.region() == kSramStorage) {
              // The whole tensor stays in the SRAM: it is used where it is.
              for (std::size_t d = 0; d < box.size(); ++d) layouts.back().stride[d] = box[d] == 1 ? 0 : static_cast<std::uint32_t>(operand.stride[d]);
              tile_places.push_back(whole);
              continue;
            }
            const auto slot = slots[i].take(key);
            tile_places.push_back(abi::Operand::at(kSramStorage, slot.offset));
            if (i + 1 < operands.size()) {
              if (!slot.holds) append_dma(step.loads, Unit::kLoad, whole, tile_places.back(), operand.element_bytes, layouts.back().loops);
            } else {
              auto loops = layouts.back().loops;
              for (auto& loop : loops) std::swap(loop.source_stride, loop.target_stride);
              append_dma(step.stores, Unit::kStore, tile_places.back(), whole, operand.element_bytes, std::move(loops));
            }
          }
          step.compute.push_back({Unit::kVector, command_of(nest, box, layouts, tile_places)});
          steps.push_back(std::move(step));
        }
  return steps;
}

}  // namespace naru::sdk::compiler
