// What works on images, [batch, rows, columns, channels]: pools, blocks, sizes; and what grows any tensor at its edges.
#include <algorithm>

#include "generator.h"
#include "windows.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

Kind pool(const char* name, BuiltinOperator code) {
  return {name, 6, kReal, 4, 4, [=](Growth& g, const Value& value) {
            Window w{g.chance(2) ? Padding_SAME : Padding_VALID, g.between(1, 4), g.between(1, 4)};
            if (g.chance(6)) w.kernel_h = value.shape[1], w.kernel_w = value.shape[2];
            w.stride_h = g.between(1, 3);
            w.stride_w = g.between(1, 3);
            return w.fits(value.shape) && add_pool(g, code, value, w);
          }};
}

bool append_resize_bilinear(Growth& g, const Value& value) {
  ResizeBilinearOptionsT options;
  options.align_corners = g.chance(3);
  options.half_pixel_centers = !options.align_corners && g.chance(2);
  const Shape shape{value.shape[0], g.between(1, 12), g.between(1, 12), value.shape[3]};
  if (!g.fits(shape)) return false;
  Value result = g.like(value, shape);
  result.is_exact = value.type != TensorType_FLOAT32;
  return g.add(BuiltinOperator_RESIZE_BILINEAR, {value.tensor, g.indices({2}, {shape[1], shape[2]}).tensor}, {result}, options);
}

bool append_resize_nearest(Growth& g, const Value& value) {
  ResizeNearestNeighborOptionsT options;
  options.align_corners = g.chance(3);
  options.half_pixel_centers = !options.align_corners && g.chance(2);
  const Shape shape{value.shape[0], g.between(1, 12), g.between(1, 12), value.shape[3]};
  return g.fits(shape) &&
         g.add(BuiltinOperator_RESIZE_NEAREST_NEIGHBOR, {value.tensor, g.indices({2}, {shape[1], shape[2]}).tensor}, {g.like(value, shape)}, options);
}

/// A divisor of both, above 1 unless there is none.
std::int32_t common_block(Growth& g, std::int32_t a, std::int32_t b) {
  std::vector<std::int32_t> fitting;
  for (std::int32_t block = 2; block <= 6; ++block)
    if (a % block == 0 && b % block == 0) fitting.push_back(block);
  return fitting.empty() ? 1 : fitting[g.random.below(fitting.size())];
}

bool append_space_to_depth(Growth& g, const Value& value) {
  SpaceToDepthOptionsT options;
  const std::int32_t block = common_block(g, value.shape[1], value.shape[2]);
  if (block == 1 && !g.chance(8)) return false;
  options.block_size = block;
  return g.add(BuiltinOperator_SPACE_TO_DEPTH, {value.tensor},
               {g.like(value, {value.shape[0], value.shape[1] / block, value.shape[2] / block, value.shape[3] * block * block})}, options);
}

bool append_depth_to_space(Growth& g, const Value& value) {
  DepthToSpaceOptionsT options;
  const std::int32_t block = value.shape[3] % 9 == 0 ? 3 : value.shape[3] % 4 == 0 ? 2 : 1;
  if (block == 1 && !g.chance(8)) return false;
  options.block_size = block;
  return g.add(BuiltinOperator_DEPTH_TO_SPACE, {value.tensor},
               {g.like(value, {value.shape[0], value.shape[1] * block, value.shape[2] * block, value.shape[3] / (block * block)})}, options);
}

bool append_space_to_batch(Growth& g, const Value& value) {
  const std::int32_t spatial = value.rank() - 2;
  Shape shape = value.shape;
  std::vector<std::int32_t> blocks, edges;
  for (std::int32_t d = 1; d <= spatial; ++d) {
    std::int32_t& extent = shape[static_cast<std::size_t>(d)];
    blocks.push_back(g.between(1, 3));
    edges.push_back(g.between(0, 2));
    extent += edges.back();
    edges.push_back((blocks.back() - extent % blocks.back()) % blocks.back());
    extent = (extent + edges.back()) / blocks.back();
    shape[0] *= blocks.back();
  }
  if (!g.fits(shape)) return false;
  const Value block_list = g.indices({spatial}, blocks);
  const Value edge_list = g.indices({spatial, 2}, edges);
  // What is put at the edges is 0, or the zero point.
  Value result = g.like(value, shape);
  result.low = std::min(result.low, 0.0);
  result.high = std::max(result.high, 0.0);
  return g.add(BuiltinOperator_SPACE_TO_BATCH_ND, {value.tensor, block_list.tensor, edge_list.tensor}, {result}, SpaceToBatchNDOptionsT());
}

bool append_batch_to_space(Growth& g, const Value& value) {
  const std::int32_t spatial = value.rank() - 2;
  Shape shape = value.shape;
  std::vector<std::int32_t> blocks, crops;
  for (std::int32_t d = 1; d <= spatial; ++d) {
    std::int32_t& extent = shape[static_cast<std::size_t>(d)];
    blocks.push_back(shape[0] % 2 == 0 ? 2 : shape[0] % 3 == 0 ? 3 : 1);
    shape[0] /= blocks.back();
    extent *= blocks.back();
    for (int side = 0; side < 2; ++side) {
      crops.push_back(g.between(0, std::min(2, extent - 1)));
      extent -= crops.back();
    }
  }
  if (shape[0] == value.shape[0] && !g.chance(8)) return false;
  const Value block_list = g.indices({spatial}, blocks);
  const Value crop_list = g.indices({spatial, 2}, crops);
  return g.add(BuiltinOperator_BATCH_TO_SPACE_ND, {value.tensor, block_list.tensor, crop_list.tensor}, {g.like(value, shape)}, BatchToSpaceNDOptionsT());
}

Shape any_edges(Growth& g, Shape& shape, bool mirrors, bool symmetric) {
  Shape edges;
  for (std::int32_t& extent : shape) {
    const std::int32_t most = !mirrors ? 3 : std::min(3, symmetric ? extent : extent - 1);
    const std::int32_t before = g.chance(2) ? g.between(0, most) : 0;
    const std::int32_t after = g.chance(2) ? g.between(0, most) : 0;
    extent += before + after;
    edges.insert(edges.end(), {before, after});
  }
  return edges;
}

bool append_pad(Growth& g, const Value& value) {
  Shape shape = value.shape;
  const Shape edges = any_edges(g, shape, false, false);
  if (!g.fits(shape)) return false;
  Value result = g.like(value, shape);
  result.low = std::min(result.low, 0.0);
  result.high = std::max(result.high, 0.0);
  return g.add(BuiltinOperator_PAD, {value.tensor, g.indices({value.rank(), 2}, edges).tensor}, {result}, PadOptionsT());
}

bool append_pad_v2(Growth& g, const Value& value) {
  Shape shape = value.shape;
  const Shape edges = any_edges(g, shape, false, false);
  if (!g.fits(shape)) return false;
  const Value filler = g.constant(g.like(value, g.chance(2) ? Shape{1} : Shape{}));
  Value result = g.like(value, shape);
  result.low = std::min(result.low, filler.low);
  result.high = std::max(result.high, filler.high);
  return g.add(BuiltinOperator_PADV2, {value.tensor, g.indices({value.rank(), 2}, edges).tensor, filler.tensor}, {result}, PadV2OptionsT());
}

bool append_mirror_pad(Growth& g, const Value& value) {
  MirrorPadOptionsT options;
  options.mode = g.chance(2) ? MirrorPadMode_REFLECT : MirrorPadMode_SYMMETRIC;
  Shape shape = value.shape;
  const Shape edges = any_edges(g, shape, true, options.mode == MirrorPadMode_SYMMETRIC);
  return g.fits(shape) && g.add(BuiltinOperator_MIRROR_PAD, {value.tensor, g.indices({value.rank(), 2}, edges).tensor}, {g.like(value, shape)}, options);
}

}  // namespace

std::vector<Kind> image_kinds() {
  return {pool("AVERAGE_POOL_2D", BuiltinOperator_AVERAGE_POOL_2D),
          pool("MAX_POOL_2D", BuiltinOperator_MAX_POOL_2D),
          {"RESIZE_BILINEAR", 3, kReal, 4, 4, append_resize_bilinear},
          {"RESIZE_NEAREST_NEIGHBOR", 3, kAny, 4, 4, append_resize_nearest},
          {"SPACE_TO_DEPTH", 3, kAny, 4, 4, append_space_to_depth},
          {"DEPTH_TO_SPACE", 3, kAny, 4, 4, append_depth_to_space},
          {"SPACE_TO_BATCH_ND", 3, kAny, 3, 4, append_space_to_batch},
          {"BATCH_TO_SPACE_ND", 3, kAny, 3, 4, append_batch_to_space},
          {"PAD", 5, kReal, 1, 5, append_pad},
          {"PADV2", 3, kReal, 1, 5, append_pad_v2},
          {"MIRROR_PAD", 2, kAny, 1, 5, append_mirror_pad}};
}

}  // namespace naru::generated
