// The cycle formulas (docs/spec/cycles.md): C output channels, T taps, I input channels padded to 4, P output pixels, E elements, n row length.
#include "naru/abi/cycles.h"

#include "naru/abi/weights.h"

namespace naru::abi {
namespace {

using u64 = std::uint64_t;

u64 lanes(u64 elements, const Chip& chip) { return ceil_div<u64>(elements, chip.vector_lanes); }

template <std::size_t N>
u64 product(const std::array<std::uint32_t, N>& extent) {
  u64 total = 1;
  for (std::uint32_t n : extent) total *= n;
  return total;
}

/// Bytes that a strided access moves over the DRAM: dimensions that continue each other without a gap form one row; each row is rounded up.
u64 burst_bytes(u64 row, const std::array<std::uint32_t, 3>& count, const std::array<std::uint32_t, 3>& stride, u64 burst) {
  u64 rows = 1;
  bool contiguous = true;
  for (std::size_t i = 3; i-- > 0;) {
    if (count[i] == 1) continue;
    if (contiguous && stride[i] == row) {
      row *= count[i];
    } else {
      contiguous = false;
      rows *= count[i];
    }
  }
  return rows * align_up<u64>(row, burst);
}

struct Visitor {
  const Chip& chip;
  Engine engine;
  MemoryKind source_memory, target_memory;

  Cost busy(u64 cycles) const { return {.fixed = chip.start_cycles, .busy = cycles, .dram_bytes = 0}; }

  Cost operator()(const End&) const { return {}; }
  Cost operator()(const Wait&) const { return {}; }
  Cost operator()(const Mark&) const { return {}; }
  Cost operator()(const Dma& c) const {
    u64 dram = 0;
    if (source_memory == MemoryKind::kDram) dram += burst_bytes(c.row_bytes, c.count, c.source_stride, chip.dram_burst_bytes);
    if (target_memory == MemoryKind::kDram) dram += burst_bytes(c.row_bytes, c.count, c.target_stride, chip.dram_burst_bytes);
    if (dram == 0) return busy(ceil_div<u64>(u64{c.row_bytes} * product(c.count), chip.sram_bytes_per_cycle));
    return {.fixed = u64{chip.start_cycles} + chip.dram_latency_cycles, .busy = 0, .dram_bytes = dram};
  }
  Cost operator()(const Fill& c) const {
    const u64 bytes = u64{c.row_bytes} * product(c.count);
    if (is_dma(engine)) return busy(ceil_div<u64>(bytes, chip.sram_bytes_per_cycle));
    const u64 size = element_bytes(c.type);
    return busy(lanes(size == 0 ? bytes : bytes / size, chip));
  }
  Cost operator()(const Move& c) const { return busy(lanes(product(c.extent), chip)); }
  Cost operator()(const Conv& c) const {
    const u64 taps = u64{c.kernel_rows} * c.kernel_cols;
    return busy(ceil_div<u64>(c.out_channels, chip.oc_lanes) * ceil_div<u64>(taps * align_up<u64>(c.in_channels, 4), chip.dot_depth) * c.out_rows * c.out_cols);
  }
  Cost operator()(const Depthwise& c) const {
    const u64 taps = u64{c.kernel_rows} * c.kernel_cols;
    return busy(ceil_div<u64>(c.channels, chip.dw_channels) * ceil_div<u64>(taps, chip.dw_taps) * c.out_rows * c.out_cols);
  }
  Cost operator()(const Elementwise& c) const { return busy(lanes(product(c.extent), chip)); }
  Cost operator()(const Requantize& c) const { return busy(lanes(product(c.extent), chip)); }
  Cost operator()(const Table& c) const { return busy(lanes(product(c.extent), chip)); }
  Cost operator()(const Pool& c) const {
    return busy(u64{c.kernel_rows} * c.kernel_cols * lanes(u64{c.out_rows} * c.out_cols * c.channels, chip));
  }
  Cost operator()(const Reduce& c) const { return busy(lanes(product(c.extent), chip)); }
  Cost operator()(const Softmax& c) const { return busy(u64{c.rows} * (4 * lanes(c.row_elements, chip) + 32)); }
  Cost operator()(const Curve& c) const { return busy(lanes(product(c.extent), chip)); }
  Cost operator()(const Pack& c) const { return busy(lanes(weight_blocks(c.channels) * dense_block_bytes(1, c.depth), chip)); }
  Cost operator()(const Resize& c) const { return busy(4 * lanes(u64{c.out_rows} * c.out_cols * c.channels, chip)); }
};

}  // namespace

// Extents are bounded by the verifier and by the device before their cost is asked for; products of hostile values wrap, harmlessly.
Cost cost_of(const Command& command, const Chip& chip, MemoryKind source_memory, MemoryKind target_memory) noexcept {
  return std::visit(Visitor{chip, command.engine, source_memory, target_memory}, command.body);
}

u64 macs_of(const CommandBody& body) noexcept {
  if (const auto* conv = std::get_if<Conv>(&body))
    return u64{conv->out_rows} * conv->out_cols * conv->out_channels * conv->kernel_rows * conv->kernel_cols * conv->in_channels;
  if (const auto* depthwise = std::get_if<Depthwise>(&body))
    return u64{depthwise->out_rows} * depthwise->out_cols * depthwise->channels * depthwise->kernel_rows * depthwise->kernel_cols;
  return 0;
}

}  // namespace naru::abi
