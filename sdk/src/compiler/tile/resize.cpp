// Bilinear resizing in tiles of output rows and channels: a tile loads the input rows that its output rows lie between.
#include <algorithm>

#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::int32_t kOne = 1024;  // of an input element (numerics 17)

struct InputRows {
  std::uint32_t first = 0, count = 1;
};

/// Input rows that output rows [row, row + rows) are made of.
InputRows input_rows(const ResizeNode& r, std::uint32_t row, std::uint32_t rows) {
  const auto position = [&](std::uint32_t at) { return std::int64_t{at} * r.rows.scale + r.rows.offset; };
  const std::int64_t last = std::int64_t{r.in_rows} - 1;
  const std::int64_t low = std::clamp<std::int64_t>(position(row) / kOne, 0, last);
  const std::int64_t high = std::clamp<std::int64_t>((position(row + rows - 1) + kOne - 1) / kOne, low, last);
  return {static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(high - low + 1)};
}

std::uint32_t input_rows_max(const ResizeNode& r, std::uint32_t rows) {
  std::uint32_t most = 0;
  for (std::uint32_t row = 0; row < r.out_rows; row += rows) most = std::max(most, input_rows(r, row, std::min(rows, r.out_rows - row)).count);
  return most;
}

abi::Resize command_of(const ResizeNest& nest, std::uint32_t rows, std::uint32_t channels) {
  const ResizeNode& r = nest.resize;
  abi::Resize command;
  command.type = nest.type;
  command.in_cols = r.in_cols;
  command.out_rows = rows;
  command.out_cols = r.out_cols;
  command.channels = channels;
  command.row_scale = r.rows.scale;
  command.row_offset = r.rows.offset;
  command.col_scale = r.cols.scale;
  command.col_offset = r.cols.offset;
  return command;
}

}  // namespace

std::optional<Tiling> choose_resize(const ResizeNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) {
  const ResizeNode& r = nest.resize;
  const std::uint64_t element = abi::element_bytes(nest.type);
  std::optional<Tiling> best;
  for (std::uint32_t slots : {2U, 1U}) {
    for (std::uint32_t channels : tile_sizes(r.channels, 16)) {
      for (std::uint32_t rows : tile_sizes(r.out_rows)) {
        const std::uint64_t input_bytes = std::uint64_t{input_rows_max(r, rows)} * r.in_cols * channels * element;
        const std::uint64_t output_bytes = std::uint64_t{rows} * r.out_cols * channels * element;
        const std::uint64_t tiles = std::uint64_t{r.batch} * ceil_div(r.out_rows, rows) * ceil_div(r.channels, channels);
        const std::uint32_t used = tiles > 1 ? slots : 1;
        if (used * (align_up(input_bytes, kSramAlignment) + align_up(output_bytes, kSramAlignment)) > sram_bytes) continue;
        Estimate estimate;
        estimate.tiles = tiles;
        estimate.compute = tiles * cost_of_items({{Unit::kVector, command_of(nest, rows, channels)}}, chip);
        const std::uint64_t fixed = std::uint64_t{chip.start_cycles} + chip.dram_latency_cycles;
        estimate.load = tiles * (fixed + ceil_div<std::uint64_t>(input_bytes, chip.dram_bytes_per_cycle));
        estimate.store = tiles * (fixed + ceil_div<std::uint64_t>(output_bytes, chip.dram_bytes_per_cycle));
        const std::uint64_t cycles = estimate.cycles(chip, used > 1);
        if (best && best->cycles <= cycles) continue;
        best = Tiling{ResizeTiling{rows, channels, used}, {}, cycles};
        best->buffers.assign(used, input_bytes);
        best->buffers.insert(best->buffers.end(), used, output_bytes);
      }
    }
    if (best) break;
  }
  return best;
}

abi::CommandBody whole_resize(const ResizeNest& nest) {
  abi::Resize command = command_of(nest, nest.resize.out_rows * nest.resize.batch, nest.resize.channels);
  command.in_rows = nest.resize.in_rows;
  return command;
}

std::vector<Step> unroll_resize(const ResizeNest& nest, const ResizeTiling& tiling, const Places& places) {
  const ResizeNode& r = nest.resize;
  const std::uint64_t element = abi::element_bytes(nest.type);
  const std::uint64_t pixel = r.channels * element, in_row = r.in_cols * pixel, out_row = r.out_cols * pixel;
  const abi::Operand input = places.tensors[static_cast<std::size_t>(nest.input)], output = places.tensors[static_cast<std::size_t>(nest.output)];
  std::vector<Step> steps;
  std::size_t next = 0;
  for (std::uint32_t image = 0; image < r.batch; ++image)
    for (std::uint32_t channel = 0; channel < r.channels; channel += tiling.channels)
      for (std::uint32_t row = 0; row < r.out_rows; row += tiling.rows, ++next) {
        const std::uint32_t rows = std::min(tiling.rows, r.out_rows - row), channels = std::min(tiling.channels, r.channels - channel);
        const InputRows from = input_rows(r, row, rows);
        const std::uint64_t tile_pixel = channels * element;
        abi::Resize command = command_of(nest, rows, channels);
        command.in_rows = from.count;
        command.row_offset = static_cast<std::int32_t>(std::int64_t{row} * r.rows.scale + r.rows.offset - std::int64_t{from.first} * kOne);
        Step step;
        const auto place = [&](abi::Operand whole, std::uint64_t offset, std::size_t buffer, std::uint32_t& row_stride, std::uint32_t& pixel_stride, std::uint64_t cols) {
          const bool stays = whole.region() == kSramStorage;
          pixel_stride = static_cast<std::uint32_t>(stays ? pixel : tile_pixel);
          row_stride = static_cast<std::uint32_t>(cols * pixel_stride);
          return stays ? advance(whole, offset) : abi::Operand::at(kSramStorage, places.sram[buffer + next % tiling.slots]);
        };
        const std::uint64_t source = (std::uint64_t{image} * r.in_rows + from.first) * in_row + channel * element;
        const std::uint64_t target = (std::uint64_t{image} * r.out_rows + row) * out_row + channel * element;
        command.input = place(input, source, 0, command.input_row_stride, command.input_pixel_stride, r.in_cols);
        command.output = place(output, target, tiling.slots, command.output_row_stride, command.output_pixel_stride, r.out_cols);
        if (input.region() != kSramStorage)
          append_dma(step.loads, Unit::kLoad, advance(input, source), command.input, tile_pixel,
                     {{from.count, in_row, r.in_cols * tile_pixel}, {r.in_cols, pixel, tile_pixel}});
        if (output.region() != kSramStorage)
          append_dma(step.stores, Unit::kStore, command.output, advance(output, target), tile_pixel,
                     {{rows, r.out_cols * tile_pixel, out_row}, {r.out_cols, tile_pixel, pixel}});
        step.compute.push_back({Unit::kVector, command});
        steps.push_back(std::move(step));
      }
  return steps;
}

}  // namespace naru::sdk::compiler
