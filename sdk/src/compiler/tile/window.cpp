// Windows: tiles of output rows, columns and channels. The input of a tile holds its halo, with padding filled in; a reduction that does not fit is
// split over input channels, with 32-bit partial sums between.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "compiler/tile/parts.h"
#include "naru/abi/weights.h"

namespace naru::sdk::compiler {
namespace {

/// One direction of the image.
struct Axis {
  std::uint32_t out, in, kernel, stride, dilation, pad;

  struct Span {
    std::int64_t first, last;                    // positions that the windows touch, before and past the image included
    std::uint32_t begin, end;                    // those inside the image
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(last - first); }
    [[nodiscard]] std::uint32_t inside() const { return end - begin; }
    [[nodiscard]] std::uint32_t before() const { return static_cast<std::uint32_t>(begin - first); }
    [[nodiscard]] std::uint32_t after() const { return size() - before() - inside(); }
  };
  [[nodiscard]] Span span(std::uint32_t from, std::uint32_t count) const {
    const std::int64_t first = std::int64_t{from} * stride - pad;
    const std::int64_t last = first + std::int64_t{count - 1} * stride + std::int64_t{kernel - 1} * dilation + 1;
    const std::int64_t begin = std::clamp<std::int64_t>(first, 0, in);
    const std::int64_t end = std::clamp<std::int64_t>(last, begin, in);
    // A window wholly in the padding has nothing inside: where it lies does not matter then.
    if (begin == end) return {0, last - first, 0, 0};
    return {first, last, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
  }
  [[nodiscard]] std::uint64_t tiles(std::uint32_t tile) const { return ceil_div(out, tile); }
  /// Positions inside the image that all tiles load together.
  [[nodiscard]] std::uint64_t loaded(std::uint32_t tile) const {
    std::uint64_t total = 0;
    for (std::uint32_t from = 0; from < out; from += tile) total += span(from, std::min(tile, out - from)).inside();
    return total;
  }
};

Axis rows_of(const WindowNode& w) { return {w.out_rows, w.in_rows, w.kernel_rows, w.stride_rows, w.dilation_rows, w.pad_top}; }
Axis cols_of(const WindowNode& w) { return {w.out_cols, w.in_cols, w.kernel_cols, w.stride_cols, w.dilation_cols, w.pad_left}; }

bool is_dense(const WindowNode& w) { return w.kind == WindowNode::Kind::kDense; }
std::uint32_t groups_of(const WindowNode& w) { return is_dense(w) ? w.groups : 1; }
/// Input channels that one output channel's command reads.
std::uint32_t group_depth(const WindowNode& w) { return is_dense(w) ? w.in_channels / w.groups : 1; }

/// Input channels of a tile of `channels` output channels.
std::uint32_t tile_inputs(const WindowNode& w, std::uint32_t channels, std::uint32_t depth) {
  return is_dense(w) ? depth : ceil_div(channels, w.channel_multiplier);
}

/// Output channels per tile must be whole weight blocks, and whole input channels.
std::uint32_t channel_granule(const WindowNode& w) {
  if (w.kind == WindowNode::Kind::kDepthwise) return std::lcm(abi::kWeightBlockChannels, w.channel_multiplier);
  return abi::kWeightBlockChannels;
}

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
  return depthwise;
}

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

class Chooser {
 public:
  Chooser(const WindowNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes)
      : w_(nest.window), chip_(chip), sram_bytes_(sram_bytes), rows_(rows_of(w_)), cols_(cols_of(w_)) {}

  std::optional<Tiling> run() {
    const std::uint32_t full = group_depth(w_);
    for (std::uint32_t depth : tile_sizes(full, abi::kWeightInputGroup)) {
      try_depth(std::min(depth, full));
      if (best_ || !is_dense(w_)) break;  // a reduction is split only when it must be
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

class Unroller {
 public:
  Unroller(const WindowNest& nest, const WindowTiling& tiling, const Places& places)
      : w_(nest.window),
        tiling_(tiling),
        places_(places),
        input_(places.tensors[static_cast<std::size_t>(nest.input)]),
        output_(places.tensors[static_cast<std::size_t>(nest.output)]),
        rows_(rows_of(w_)),
        cols_(cols_of(w_)),
        inputs_(take(tiling.input_slots)),
        weights_(take(tiling.weight_slots)),
        outputs_(take(tiling.output_slots)),
        partials_(take(tiling.partial_slots)),
        borders_(tiling.input_slots),
        prototype_(command_of(w_)) {
    input_frame_ = frame_of(nest.input, w_.in_rows, w_.in_cols, w_.in_channels * abi::element_bytes(w_.input_type));
    output_frame_ = frame_of(nest.output, w_.out_rows, w_.out_cols, w_.out_channels * abi::element_bytes(w_.output_type));
  }

  std::vector<Step> run() {
    const auto pixels = pixel_tiles();
    const auto chunks = channel_chunks();
    if (tiling_.weights_outer) {
      for (const Chunk& chunk : chunks)
        for (const Pixels& pixel : pixels) tile(pixel, chunk);
    } else {
      for (const Pixels& pixel : pixels)
        for (const Chunk& chunk : chunks) tile(pixel, chunk);
    }
    return std::move(steps_);
  }

 private:
  struct Pixels {
    std::uint32_t image, row, rows, col, cols;
    friend bool operator==(const Pixels&, const Pixels&) = default;
  };
  struct Chunk {
    std::uint32_t group, first, channels;  // `first` within the group
  };
  using InputKey = std::tuple<Pixels, std::uint32_t, std::uint32_t>;   // first input channel, channels
  using WeightKey = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // group, depth chunk, first channel
  /// Where padding lies in a slot: while it stays the same it need not be filled again, for loads never touch it.
  struct Border {
    std::uint32_t rows = 0, cols = 0, channels = 0, top = 0, bottom = 0, left = 0, right = 0;
    friend bool operator==(const Border&, const Border&) = default;
  };

  [[nodiscard]] Frame frame_of(TensorId tensor, std::uint64_t rows, std::uint64_t cols, std::uint64_t pixel_bytes) const {
    const auto id = static_cast<std::size_t>(tensor);
    if (id < places_.frames.size() && places_.frames[id].any()) return places_.frames[id];
    return {.rows = rows, .cols = cols, .pixel_bytes = pixel_bytes};
  }

  std::vector<std::uint64_t> take(std::uint32_t count) {
    const auto part = places_.sram.subspan(taken_, count);
    taken_ += count;
    return {part.begin(), part.end()};
  }

  [[nodiscard]] std::vector<Pixels> pixel_tiles() const {
    std::vector<Pixels> tiles;
    for (std::uint32_t image = 0; image < w_.batch; ++image)
      for (std::uint32_t row = 0; row < w_.out_rows; row += tiling_.rows)
        for (std::uint32_t col = 0; col < w_.out_cols; col += tiling_.cols)
          tiles.push_back({image, row, std::min(tiling_.rows, w_.out_rows - row), col, std::min(tiling_.cols, w_.out_cols - col)});
    return tiles;
  }
  [[nodiscard]] std::vector<Chunk> channel_chunks() const {
    std::vector<Chunk> chunks;
    const std::uint32_t group_channels = w_.out_channels / groups_of(w_);
    for (std::uint32_t group = 0; group < groups_of(w_); ++group)
      for (std::uint32_t first = 0; first < group_channels; first += tiling_.channels)
        chunks.push_back({group, first, std::min(tiling_.channels, group_channels - first)});
    return chunks;
  }

  void tile(const Pixels& pixels, const Chunk& chunk) {
    const std::uint32_t depth_chunks = is_dense(w_) ? ceil_div(group_depth(w_), tiling_.depth) : 1;
    for (std::uint32_t k = 0; k < depth_chunks; ++k) {
      Step step;
      std::uint32_t first = chunk.group * group_depth(w_) + k * tiling_.depth;
      std::uint32_t inputs = std::min(tiling_.depth, group_depth(w_) - k * tiling_.depth);
      if (!is_dense(w_)) {
        first = chunk.first / w_.channel_multiplier;
        inputs = ceil_div(chunk.channels, w_.channel_multiplier);
      }
      if (w_.has_weights()) load_weights(step, chunk, k);
      load_input(step, pixels, first, inputs);
      const bool is_last = k + 1 == depth_chunks;
      const bool stays = is_last && output_.region() == kSramStorage;
      if (is_last) output_at_ = stays ? output_.offset() + output_offset(pixels, chunk) : outputs_.take(next_output_++).offset;
      compute(step, pixels, chunk, inputs, k, is_last, stays);
      if (is_last && !stays) store(step, pixels, chunk);
      steps_.push_back(std::move(step));
    }
  }

  void load_weights(Step& step, const Chunk& chunk, std::uint32_t k) {
    if (places_.weights_at) {
      weight_at_ = *places_.weights_at + places_.weights->block(chunk.group, k, chunk.first) - places_.weights->objects.front();
      return;
    }
    const auto slot = weights_.take({chunk.group, k, chunk.first});
    weight_at_ = slot.offset;
    if (slot.holds) return;
    const std::uint64_t bytes = abi::weight_blocks(chunk.channels) * places_.weights->block_bytes[k];
    const bool is_last = chunk.first + chunk.channels == w_.out_channels;
    append_weights(step.loads, Unit::kLoad, abi::Operand::at(kConstantsStorage, places_.weights->block(chunk.group, k, chunk.first)),
                   abi::Operand::at(kSramStorage, slot.offset), bytes, places_.weights->block_bytes[k], is_last ? places_.compact : nullptr);
  }

  void load_input(Step& step, const Pixels& pixels, std::uint32_t first, std::uint32_t channels) {
    row_span_ = rows_.span(pixels.row, pixels.rows);
    col_span_ = cols_.span(pixels.col, pixels.cols);
    const std::uint64_t element = abi::element_bytes(w_.input_type);
    const std::uint64_t image_pixel = w_.in_channels * element;
    const std::uint64_t image_row = input_frame_.pitch();
    if (input_frame_.any() && !w_.is_pool()) {
      // Padding and all: the border lies around the image. Positions before the image are negative offsets from its first byte.
      const std::int64_t row = std::int64_t{pixels.row} * rows_.stride - rows_.pad, col = std::int64_t{pixels.col} * cols_.stride - cols_.pad;
      input_at_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(input_.offset() + first * element) + row * static_cast<std::int64_t>(image_row) +
                                             col * static_cast<std::int64_t>(image_pixel));
      pixel_bytes_ = image_pixel;
      row_bytes_ = image_row;
      return;
    }
    const std::uint64_t source = pixels.image * w_.in_rows * image_row + row_span_.begin * image_row + col_span_.begin * image_pixel + first * element;
    const bool is_padded = !w_.is_pool() && (row_span_.inside() < row_span_.size() || col_span_.inside() < col_span_.size());
    if (input_.region() == kSramStorage && !is_padded) {
      // The whole tensor stays in the SRAM: read it where it is.
      input_at_ = input_.offset() + source;
      pixel_bytes_ = image_pixel;
      row_bytes_ = image_row;
      return;
    }
    const auto slot = inputs_.take({pixels, first, channels});
    input_at_ = slot.offset;
    pixel_bytes_ = channels * element;
    row_bytes_ = (w_.is_pool() ? col_span_.inside() : col_span_.size()) * pixel_bytes_;
    if (slot.holds) return;
    std::uint64_t target = slot.offset;
    if (!w_.is_pool()) {
      const Border border{row_span_.size(), col_span_.size(), channels, row_span_.before(), row_span_.after(), col_span_.before(), col_span_.after()};
      if (borders_[slot.slot] != border) fill_border(step, border, slot.offset);
      borders_[slot.slot] = border;
      target += border.top * row_bytes_ + border.left * pixel_bytes_;
    }
    if (row_span_.inside() == 0 || col_span_.inside() == 0) return;
    append_dma(step.loads, Unit::kLoad, advance(input_, source), abi::Operand::at(kSramStorage, target), pixel_bytes_,
               {{row_span_.inside(), image_row, row_bytes_}, {col_span_.inside(), image_pixel, pixel_bytes_}});
  }

  void fill_border(Step& step, const Border& border, std::uint64_t slot) const {
    const auto fill = [&](std::uint64_t offset, std::uint64_t bytes, std::uint64_t rows) {
      if (bytes == 0 || rows == 0) return;
      abi::Fill command;
      command.target = abi::Operand::at(kSramStorage, slot + offset);
      command.value = w_.input_zero;
      command.type = w_.input_type;
      command.row_bytes = static_cast<std::uint32_t>(bytes);
      if (rows > 1) {
        command.count[2] = static_cast<std::uint32_t>(rows);
        command.target_stride[2] = static_cast<std::uint32_t>(row_bytes_);
      }
      step.loads.push_back({Unit::kVector, command});
    };
    const std::uint32_t inside = border.rows - border.top - border.bottom;
    if (inside == 0 || border.left + border.right == border.cols) {
      fill(0, border.rows * row_bytes_, 1);
      return;
    }
    const std::uint64_t left = border.left * pixel_bytes_, right = border.right * pixel_bytes_;
    // The right edge of one row and the left edge of the next lie side by side.
    fill(0, border.top * row_bytes_ + left, 1);
    fill(border.top * row_bytes_ + row_bytes_ - right, left + right, inside - 1);
    fill((border.top + inside) * row_bytes_ - right, right + border.bottom * row_bytes_, 1);
  }

  void compute(Step& step, const Pixels& pixels, const Chunk& chunk, std::uint32_t inputs, std::uint32_t k, bool is_last, bool stays) {
    abi::CommandBody body = prototype_;
    const std::uint64_t element = is_last ? abi::element_bytes(w_.output_type) : 4;
    const std::uint64_t target = is_last ? output_at_ : partials_[k % 2];
    std::visit(
        [&](auto& c) {
          if constexpr (requires { c.out_rows; }) {
            c.input = abi::Operand::at(kSramStorage, input_at_);
            c.output = abi::Operand::at(kSramStorage, target);
            c.out_rows = pixels.rows;
            c.out_cols = pixels.cols;
            c.input_row_stride = static_cast<std::uint32_t>(row_bytes_);
            c.input_pixel_stride = static_cast<std::uint32_t>(pixel_bytes_);
            c.output_pixel_stride = static_cast<std::uint32_t>((stays ? w_.out_channels : chunk.channels) * element);
            c.output_row_stride = stays && is_last ? static_cast<std::uint32_t>(output_frame_.pitch()) : pixels.cols * c.output_pixel_stride;
          }
          if constexpr (requires { c.weights; }) c.weights = abi::Operand::at(kSramStorage, weight_at_);
        },
        body);
    Unit unit = Unit::kMac;
    if (auto* conv = std::get_if<abi::Conv>(&body)) {
      conv->out_channels = chunk.channels;
      conv->in_channels = inputs;
      if (!is_last) {
        conv->output_type = abi::ElementType::kI32;
        conv->output_zero = conv->activation_min = conv->activation_max = 0;
      }
      if (k > 0) {
        conv->start = abi::Start::kPartial;
        conv->partial = abi::Operand::at(kSramStorage, partials_[(k - 1) % 2]);
        conv->partial_pixel_stride = chunk.channels * 4;
        conv->partial_row_stride = pixels.cols * conv->partial_pixel_stride;
      }
    } else if (auto* depthwise = std::get_if<abi::Depthwise>(&body)) {
      depthwise->channels = chunk.channels;
    } else {
      auto& pool = std::get<abi::Pool>(body);
      unit = Unit::kVector;
      pool.channels = chunk.channels;
      pool.in_rows = row_span_.inside();
      pool.in_cols = col_span_.inside();
      pool.pad_top = static_cast<std::uint16_t>(row_span_.before());
      pool.pad_left = static_cast<std::uint16_t>(col_span_.before());
    }
    step.compute.push_back({unit, std::move(body)});
  }

  /// Byte of the tile's first element in the whole output.
  [[nodiscard]] std::uint64_t output_offset(const Pixels& pixels, const Chunk& chunk) const {
    const std::uint64_t channel = std::uint64_t{chunk.group} * (w_.out_channels / groups_of(w_)) + chunk.first;
    const std::uint64_t row = std::uint64_t{pixels.image} * w_.out_rows + pixels.row;
    return row * output_frame_.pitch() + pixels.col * output_frame_.pixel_bytes + channel * abi::element_bytes(w_.output_type);
  }

  void store(Step& step, const Pixels& pixels, const Chunk& chunk) const {
    const std::uint64_t element = abi::element_bytes(w_.output_type);
    const std::uint64_t image_pixel = w_.out_channels * element, image_row = w_.out_cols * image_pixel;
    const std::uint64_t pixel = chunk.channels * element;
    append_dma(step.stores, Unit::kStore, abi::Operand::at(kSramStorage, output_at_), advance(output_, output_offset(pixels, chunk)), pixel,
               {{pixels.rows, pixels.cols * pixel, image_row}, {pixels.cols, pixel, image_pixel}});
  }

  const WindowNode& w_;
  const WindowTiling& tiling_;
  const Places& places_;
  abi::Operand input_, output_;
  Axis rows_, cols_;
  Frame input_frame_, output_frame_;
  std::size_t taken_ = 0;
  Slots<InputKey> inputs_;
  Slots<WeightKey> weights_;
  Slots<std::uint64_t> outputs_;
  std::vector<std::uint64_t> partials_;
  std::vector<Border> borders_;
  abi::CommandBody prototype_;
  std::vector<Step> steps_;
  // Of the tile at hand.
  std::uint64_t input_at_ = 0, weight_at_ = 0, output_at_ = 0, next_output_ = 0;
  std::uint64_t pixel_bytes_ = 0, row_bytes_ = 0;
  Axis::Span row_span_{}, col_span_{};
};

}  // namespace

std::optional<Tiling> choose_window(const WindowNest& nest, const abi::Chip& chip, std::uint64_t sram_bytes) { return Chooser(nest, chip, sram_bytes).run(); }

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

std::vector<Step> unroll_window(const WindowNest& nest, const WindowTiling& tiling, const Places& places) { return Unroller(nest, tiling, places).run(); }

}  // namespace naru::sdk::compiler
