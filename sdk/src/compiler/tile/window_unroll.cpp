// Windows tile by tile: loads with halo and padding, the command, stores; or all of it where it lies in the SRAM.
#include <tuple>

#include "compiler/tile/window.h"

namespace naru::sdk::compiler {
namespace {

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
    const std::uint64_t block_bytes = w_.packed == graph::kAbsent ? places_.weights->block_bytes[k] : weight_block_bytes(w_, tiling_.depth);
    const abi::Operand object = w_.packed == graph::kAbsent
                                    ? abi::Operand::at(kConstantsStorage, places_.weights->block(chunk.group, k, chunk.first))
                                    : advance(places_.tensors[static_cast<std::size_t>(w_.packed)], chunk.first / abi::kWeightBlockChannels * block_bytes);
    if (object.region() == kSramStorage) {
      weight_at_ = object.offset();
      return;
    }
    const auto slot = weights_.take({chunk.group, k, chunk.first});
    weight_at_ = slot.offset;
    if (slot.holds) return;
    const std::uint64_t bytes = abi::weight_blocks(chunk.channels) * block_bytes;
    const bool is_last = chunk.first + chunk.channels == w_.out_channels;
    append_weights(step.loads, Unit::kLoad, object, abi::Operand::at(kSramStorage, slot.offset), bytes, block_bytes, is_last ? places_.compact : nullptr);
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

std::vector<Step> unroll_window(const WindowNest& nest, const WindowTiling& tiling, const Places& places) { return Unroller(nest, tiling, places).run(); }

}  // namespace naru::sdk::compiler
