// Windows: tiles of output rows, columns and channels. The input of a tile holds its halo, with padding filled in; a reduction that does not fit is
// split over input channels, with 32-bit partial sums between. Here the cost model chooses them.
#include "compiler/tile/window.h"

namespace naru::sdk::compiler {

abi::CommandBody command_of(const WindowNode& w) {
  const auto fill = [&](auto& c) {
    c.kernel_rows = static_cast<std::uint16_t>(w.kernel_rows);
    c.kernel_cols = static_cast<std::uint16_t>(w.kernel_cols);
    c.stride_rows = static_cast<std::uint16_t>(w.stride_rows);
    c.stride_cols = static_cast<std::uint16_t>(w.stride_cols);
    c.activation_min = w.clamp.min;
    c.activation_max = w.clamp.max;
  };
  const auto weigh = [&](auto& c) {
    c.input_type = w.input_type;
    c.output_type = w.output_type;
    c.dilation_rows = static_cast<std::uint16_t>(w.dilation_rows);
    c.dilation_cols = static_cast<std::uint16_t>(w.dilation_cols);
    c.weight_zero = w.weight_zero;
    c.output_zero = w.output_zero;
  };
  if (w.is_pool()) {
    abi::Pool pool;
    fill(pool);
    pool.kind = w.kind == WindowNode::Kind::kAveragePool ? abi::PoolKind::kAverage : abi::PoolKind::kMaximum;
    pool.type = w.input_type;
    return pool;
  }
  if (is_dense(w)) {
    abi::Conv conv;
    fill(conv);
    weigh(conv);
    return conv;
  }
  abi::Depthwise depthwise;
  fill(depthwise);
  weigh(depthwise);
  depthwise.channel_multiplier = w.channel_multiplier;
  depthwise.weight_format = w.weight_format;
  return depthwise;
}

namespace {

/// Cycles that a command over `pixels` output pixels is busy.
std::uint64_t busy_cycles(const WindowNode& w, std::uint64_t pixels, std::uint32_t channels, std::uint32_t depth, const abi::Chip& chip) {
  abi::CommandBody body = command_of(w);
  if (auto* conv = std::get_if<abi::Conv>(&body)) {
    conv->out_channels = channels;
    conv->in_channels = depth;
  } else if (auto* depthwise = std::get_if<abi::Depthwise>(&body)) {
    depthwise->channels = channels;
  } else {
    std::get<abi::Pool>(body).channels = channels;
  }
  std::visit(
      [&](auto& c) {
        if constexpr (requires { c.out_cols; }) c.out_cols = static_cast<std::uint32_t>(pixels);
      },
      body);
  return abi::cost_of({.engine = abi::Engine::kMac, .source = 0, .body = std::move(body)}, chip).busy;
}

class WindowChooser {
 public:
  WindowChooser(const WindowNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes)
      : w_(nest.window), chip_(chip), sram_bytes_(sram_bytes), rows_(rows_of(w_)), cols_(cols_of(w_)) {}

  std::optional<Tiling> run() {
    const std::uint32_t full = group_depth(w_);
    for (std::uint32_t depth : tile_sizes(full, abi::kWeightInputGroup)) {
      try_depth(std::min(depth, full));
      // A reduction is split only when it must be, and can be: 64-bit sums of 16-bit codes cannot be left and taken up again.
      if (best_ || !is_dense(w_) || w_.packed != graph::kAbsent || w_.input_type == abi::ElementType::kI16) break;
    }
    return best_;
  }

 private:
  void try_depth(std::uint32_t depth) {
    depth_ = depth;
    depth_chunks_ = is_dense(w_) ? ceil_div(group_depth(w_), depth) : 1;
    for (bool doubled : {true, false}) {
      for (std::uint32_t channels : tile_sizes(w_.out_channels / groups_of(w_), channel_granule(w_))) {
        set_channels(channels);
        for (std::uint32_t rows : tile_sizes(w_.out_rows)) {
          const std::uint64_t loaded_rows = rows_.loaded(rows);
          for (std::uint32_t cols : tile_sizes(w_.out_cols)) {
            // Columns are cut where rows are short, or where even one row is too much.
            if (cols < w_.out_cols && rows > 4 && w_.out_rows > 4) break;
            for (bool weights_outer : {true, false}) consider({rows, cols, channels, depth, doubled, weights_outer}, loaded_rows);
          }
        }
      }
      if (best_) return;
    }
  }

  void set_channels(std::uint32_t channels) {
    const std::uint32_t group_channels = w_.out_channels / groups_of(w_);
    chunks_ = std::uint64_t{groups_of(w_)} * ceil_div(group_channels, channels);
    const std::uint64_t pixels = std::uint64_t{w_.batch} * w_.out_rows * w_.out_cols;
    const std::uint32_t last = group_channels % channels;
    compute_ = busy_cycles(w_, pixels, channels, depth_, chip_) * (group_channels / channels);
    if (last != 0) compute_ += busy_cycles(w_, pixels, last, depth_, chip_);
    compute_ *= std::uint64_t{groups_of(w_)} * depth_chunks_;
  }

  void consider(WindowTiling tiling, std::uint64_t loaded_rows) {
    const std::uint64_t row_tiles = rows_.tiles(tiling.rows), col_tiles = cols_.tiles(tiling.cols);
    const std::uint64_t pixel_tiles = w_.batch * row_tiles * col_tiles;
    const std::uint64_t tiles = pixel_tiles * chunks_ * depth_chunks_;
    const std::uint32_t inputs = tile_inputs(w_, tiling.channels, tiling.depth);
    const bool shares_input = is_dense(w_) && w_.groups == 1;  // all chunks read the same pixels
    const std::uint64_t input_tiles = shares_input ? pixel_tiles * depth_chunks_ : tiles;
    const std::uint64_t weight_tiles = chunks_ * depth_chunks_;
    const auto slots = [&](std::uint64_t distinct) { return tiling.doubled && distinct > 1 ? 2U : 1U; };
    tiling.input_slots = slots(input_tiles);
    tiling.weight_slots = w_.has_weights() ? slots(weight_tiles) : 0;
    tiling.output_slots = slots(tiles);
    tiling.partial_slots = depth_chunks_ > 1 ? 2 : 0;

    const std::uint64_t input_rows = tile_extent(rows_, tiling.rows), input_cols = tile_extent(cols_, tiling.cols);
    const std::uint64_t element = abi::element_bytes(w_.input_type);
    const std::uint64_t input_bytes = input_rows * input_cols * inputs * element;
    const std::uint64_t block_bytes = w_.has_weights() ? weight_block_bytes(w_, tiling.depth) : 0;
    const std::uint64_t weight_bytes = abi::weight_blocks(tiling.channels) * block_bytes;
    const std::uint64_t output_elements = std::uint64_t{tiling.rows} * tiling.cols * tiling.channels;
    const std::uint64_t output_bytes = output_elements * abi::element_bytes(w_.output_type);
    const auto aligned = [](std::uint64_t bytes) { return align_up(bytes, kSramAlignment); };
    const std::uint64_t needed = tiling.input_slots * aligned(input_bytes) + tiling.weight_slots * aligned(weight_bytes) +
                                 tiling.output_slots * aligned(output_bytes) + tiling.partial_slots * aligned(output_elements * 4);
    if (needed > sram_bytes_) return;

    // How often each stream is loaded: what a slot still holds is not loaded again.
    std::uint64_t weight_loads = weight_tiles, input_loads = input_tiles;
    if (w_.has_weights() && !tiling.weights_outer && weight_tiles > tiling.weight_slots) weight_loads *= pixel_tiles;
    if (depth_chunks_ > 1 && tiling.weights_outer && weight_tiles > tiling.weight_slots) weight_loads = tiles;
    if (shares_input && tiling.weights_outer && input_tiles > tiling.input_slots) input_loads = tiles;
    if (shares_input && depth_chunks_ > 1 && input_tiles > tiling.input_slots) input_loads = tiles;

    Estimate estimate;
    estimate.tiles = tiles;
    estimate.compute = compute_ + tiles * chip_.start_cycles;
    const std::uint64_t passes = ceil_div(input_loads, w_.batch * row_tiles * col_tiles);
    estimate.load = input_loads * fixed() + dram_cycles(passes * w_.batch *
                        input_traffic(loaded_rows, cols_.loaded(tiling.cols), row_tiles, col_tiles, inputs * element, tiling.cols == w_.out_cols));
    if (w_.has_weights()) estimate.load += weight_loads * (fixed() + dram_cycles(weight_bytes));
    estimate.store = pixel_tiles * chunks_ * fixed() +
                     dram_cycles(chunks_ * w_.batch * output_traffic(tiling, row_tiles * col_tiles, tiling.channels * abi::element_bytes(w_.output_type)));
    const std::uint64_t cycles = estimate.cycles(chip_, tiling.doubled);
    if (best_ && best_->cycles <= cycles) return;
    best_ = Tiling{tiling, {}, cycles};
    const auto add = [&](std::uint32_t count, std::uint64_t bytes) { best_->buffers.insert(best_->buffers.end(), count, bytes); };
    add(tiling.input_slots, input_bytes);
    add(tiling.weight_slots, weight_bytes);
    add(tiling.output_slots, output_bytes);
    add(tiling.partial_slots, output_elements * 4);
  }

  [[nodiscard]] std::uint64_t tile_extent(const Axis& axis, std::uint32_t tile) const {
    const std::uint64_t size = std::uint64_t{tile - 1} * axis.stride + std::uint64_t{axis.kernel - 1} * axis.dilation + 1;
    return w_.is_pool() ? std::min<std::uint64_t>(size, axis.in) : size;
  }
  [[nodiscard]] std::uint64_t fixed() const { return std::uint64_t{chip_.start_cycles} + chip_.dram_latency_cycles; }
  [[nodiscard]] std::uint64_t dram_cycles(std::uint64_t bytes) const { return ceil_div<std::uint64_t>(bytes, chip_.dram_bytes_per_cycle); }
  [[nodiscard]] std::uint64_t rounded(std::uint64_t bytes) const { return align_up<std::uint64_t>(bytes, chip_.dram_burst_bytes); }
  /// Bytes of one pass over the image's inputs.
  [[nodiscard]] std::uint64_t input_traffic(std::uint64_t rows, std::uint64_t cols, std::uint64_t row_tiles, std::uint64_t col_tiles, std::uint64_t pixel_bytes,
                                            bool whole_rows) const {
    const std::uint64_t whole_pixel = std::uint64_t{w_.in_channels} * abi::element_bytes(w_.input_type);
    if (pixel_bytes < whole_pixel) return rows * cols * rounded(pixel_bytes);
    if (whole_rows) return row_tiles * rounded(ceil_div(rows, row_tiles) * cols * pixel_bytes);
    return rows * col_tiles * rounded(ceil_div(cols, col_tiles) * pixel_bytes);
  }
  [[nodiscard]] std::uint64_t output_traffic(const WindowTiling& tiling, std::uint64_t tiles, std::uint64_t pixel_bytes) const {
    const std::uint64_t pixels = std::uint64_t{w_.out_rows} * w_.out_cols;
    if (tiling.channels < w_.out_channels) return pixels * rounded(pixel_bytes);
    if (tiling.cols == w_.out_cols) return tiles * rounded(ceil_div(pixels, tiles) * pixel_bytes);
    return w_.out_rows * cols_.tiles(tiling.cols) * rounded(tiling.cols * pixel_bytes);
  }

  const WindowNode& w_;
  const abi::Chip& chip_;
  std::uint64_t sram_bytes_;
  Axis rows_, cols_;
  std::uint32_t depth_ = 1, depth_chunks_ = 1;
  std::uint64_t chunks_ = 1, compute_ = 0;
  std::optional<Tiling> best_;
};

}  // namespace

std::optional<Tiling> choose_window(const WindowNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) { return WindowChooser(nest, chip, sram_bytes).run(); }

Tiling whole_window_tiling(const WindowNest& nest, std::uint32_t parts) {
  const WindowNode& w = nest.window;
  WindowTiling tiling{.rows = ceil_div(w.out_rows, std::min(parts, w.out_rows)), .cols = w.out_cols, .channels = w.out_channels / groups_of(w), .depth = group_depth(w)};
  if (w.out_rows == 1) tiling.cols = ceil_div(w.out_cols, std::min(parts, w.out_cols));
  tiling.input_slots = tiling.weight_slots = tiling.output_slots = 0;
  return {tiling, {}, 0};
}

abi::CommandBody whole_window(const WindowNest& nest) {
  const WindowNode& w = nest.window;
  abi::CommandBody body = command_of(w);
  std::visit(
      [&](auto& c) {
        if constexpr (requires { c.out_rows; c.out_cols; }) {
          c.out_rows = w.out_rows;
          c.out_cols = w.out_cols;
        }
      },
      body);
  if (auto* conv = std::get_if<abi::Conv>(&body)) {
    conv->out_channels = w.out_channels / w.groups;
    conv->in_channels = group_depth(w);
  } else if (auto* depthwise = std::get_if<abi::Depthwise>(&body)) {
    depthwise->channels = w.out_channels;
  } else {
    std::get<abi::Pool>(body).channels = w.out_channels;
  }
  return body;
}

}  // namespace naru::sdk::compiler
