// Elements that are repeated, spread or looked up: TILE, BROADCAST_TO, SPACE_TO_DEPTH, DEPTH_TO_SPACE, GATHER, GATHER_ND, SHAPE, FILL.
#include <cstdint>
#include <cstring>
#include <vector>

#include "reference/ops/shapes.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

/// Calls use(indices as 64-bit numbers) with an operand of integers.
std::vector<std::int64_t> integers_of(const Call& call, std::size_t operand) {
  std::vector<std::int64_t> values;
  dispatch<std::int32_t, std::int64_t, std::int16_t, std::int8_t, std::uint8_t>(call, call.input(operand).type, [&](auto number) {
    const auto* data = call.data<decltype(number)>(operand);
    values.assign(data, data + graph::element_count(call.input(operand)));
  });
  return values;
}

/// An index that a computed operand gave; refuses one that is outside.
bool inside(const Call& call, std::int64_t index, std::int64_t extent) {
  if (index >= 0 && index < extent) return true;
  call.refuse(ErrorId::kInvalidArgument, "looks up index " + std::to_string(index) + " of " + std::to_string(extent));
  return false;
}

/// [n][h / block][block][w / block][block][c] from or to [n][h / block][w / block][block][block][c].
void move_blocks(const Call& call, const graph::Shape& image, bool to_depth) {
  const std::int32_t block = call.options<graph::BlockOptions>().block_size;
  const graph::Shape spread{image[0], image[1] / block, image[2] / block, block, block, image[3]};
  const std::vector<std::int64_t> dense = strides_of(spread);
  const std::int64_t pixel = image[3];
  const std::int64_t row = pixel * image[2];
  const std::vector<std::int64_t> in_image{row * image[1], row * block, pixel * block, row, pixel, 1};
  const auto& from = to_depth ? in_image : dense;
  const auto& to = to_depth ? dense : in_image;
  copy_view(call.data<std::byte>(0), from, call.out<std::byte>(), to, spread, abi::element_bytes(call.output().type));
}

}  // namespace

void tile(const Call& call) {
  const graph::Shape& in = call.input(0).shape;
  const graph::Shape& out = call.output().shape;
  const auto natural = strides_of(in);
  graph::Shape extents;
  std::vector<std::int64_t> source;
  for (std::size_t d = 0; d < in.size(); ++d) {
    extents.insert(extents.end(), {out[d] / in[d], in[d]});
    source.insert(source.end(), {0, natural[d]});
  }
  copy_view(call.data<std::byte>(0), source, call.out<std::byte>(), strides_of(extents), extents, abi::element_bytes(call.output().type));
}

void broadcast_to(const Call& call) {
  const Broadcast from(call.input(0).shape, call.output().shape);
  const std::size_t bytes = abi::element_bytes(call.output().type);
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i)
    std::memcpy(call.out<std::byte>() + i * bytes, call.data<std::byte>(0) + from[i] * bytes, bytes);
}

void space_to_depth(const Call& call) { move_blocks(call, call.input(0).shape, true); }
void depth_to_space(const Call& call) { move_blocks(call, call.output().shape, false); }

void gather(const Call& call) {
  const auto& options = call.options<graph::GatherOptions>();
  const graph::Shape& in = call.input(0).shape;
  const auto axis = static_cast<std::size_t>(options.axis);
  const auto batch_dims = static_cast<std::size_t>(options.batch_dims);
  const std::size_t batches = product_of(in, 0, batch_dims);
  const std::size_t outer = product_of(in, batch_dims, axis);
  const auto extent = static_cast<std::size_t>(in[axis]);
  const std::size_t run = product_of(in, axis + 1, in.size()) * abi::element_bytes(call.input(0).type);
  const auto indices = integers_of(call, 1);
  const std::size_t per_batch = indices.size() / batches;
  auto* output = call.out<std::byte>();
  for (std::size_t b = 0; b < batches; ++b) {
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t i = 0; i < per_batch; ++i) {
        const std::int64_t index = indices[b * per_batch + i];
        if (!inside(call, index, in[axis])) return;
        std::memcpy(output, call.data<std::byte>(0) + ((b * outer + o) * extent + static_cast<std::size_t>(index)) * run, run);
        output += run;
      }
    }
  }
}

void gather_nd(const Call& call) {
  const graph::Shape& in = call.input(0).shape;
  const auto depth = static_cast<std::size_t>(call.input(1).shape.back());
  const auto strides = strides_of(in);
  const std::size_t bytes = abi::element_bytes(call.input(0).type);
  const std::size_t run = product_of(in, depth, in.size()) * bytes;
  const auto indices = integers_of(call, 1);
  auto* output = call.out<std::byte>();
  for (std::size_t i = 0; i + depth <= indices.size(); i += depth) {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < depth; ++d) {
      if (!inside(call, indices[i + d], in[d])) return;
      place += indices[i + d] * strides[d];
    }
    std::memcpy(output, call.data<std::byte>(0) + static_cast<std::size_t>(place) * bytes, run);
    output += run;
  }
}

void shape(const Call& call) {
  const graph::Shape& in = call.input(0).shape;
  dispatch<std::int32_t, std::int64_t>(call, call.output().type, [&](auto number) { std::copy(in.begin(), in.end(), call.out<decltype(number)>()); });
}

void fill(const Call& call) {
  const std::size_t bytes = abi::element_bytes(call.output().type);
  for (std::size_t i = 0; i < graph::element_count(call.output()); ++i) std::memcpy(call.out<std::byte>() + i * bytes, call.data<std::byte>(1), bytes);
}

}  // namespace naru::sdk::reference
