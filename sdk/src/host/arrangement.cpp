// Operators that repeat, pick or rearrange elements: GATHER, TILE, BROADCAST_TO, the four between space, depth and batch, SHAPE and FILL.
#include <algorithm>

#include "host/call.h"
#include "host/strided.h"

namespace naru::sdk::host {
namespace {

std::size_t element_of(const Tensor& tensor) { return abi::element_bytes(tensor.type); }

Run copy_run(StridedCopy copy, std::size_t element_bytes) {
  return [=, copy = std::move(copy)](const Data& data) -> Result<void> {
    copy.run(data.inputs[0].data(), data.outputs[0].data(), element_bytes);
    return {};
  };
}

/// An operand of indices, widened.
std::vector<std::int64_t> indices_of(const Data& data, std::size_t index, ElementType type) {
  std::vector<std::int64_t> result;
  for_type<std::int32_t, std::int64_t, std::int16_t>(type, [&](auto sample) {
    const auto values = data.in<decltype(sample)>(index);
    result.assign(values.begin(), values.end());
  });
  return result;
}
bool is_index(ElementType type) { return type == ElementType::kI32 || type == ElementType::kI64 || type == ElementType::kI16; }

}  // namespace

Result<Run> prepare_gather(const Call& call) {
  const auto* options = call.options<graph::GatherOptions>();
  if (options == nullptr) return call.no_options();
  const Tensor& in = call.in();
  const Tensor& indices = call.in(1);
  NARU_CHECK_OK(call.require_same_type(in, call.out()));
  if (!is_index(indices.type)) return call.unsupported("its indices are {}", abi::name_of(indices.type));
  const std::int32_t axis = options->axis;
  const std::int32_t batch = options->batch_dims;
  NARU_CHECK_OK(call.require(axis >= 0 && static_cast<std::size_t>(axis) < in.shape.size() && batch >= 0 && batch <= axis &&
                                 static_cast<std::size_t>(batch) <= indices.shape.size() &&
                                 std::equal(in.shape.begin(), in.shape.begin() + batch, indices.shape.begin()),
                             "its axis or its batches do not fit its operands"));
  Shape expected(in.shape.begin(), in.shape.begin() + axis);
  expected.insert(expected.end(), indices.shape.begin() + batch, indices.shape.end());
  expected.insert(expected.end(), in.shape.begin() + axis + 1, in.shape.end());
  NARU_CHECK_OK(call.require_shape(call.out(), expected));

  const auto at = static_cast<std::size_t>(axis);
  const std::size_t batches = size_of(in.shape, 0, static_cast<std::size_t>(batch));
  const std::size_t outer = size_of(in.shape, static_cast<std::size_t>(batch), at);
  const auto extent = static_cast<std::size_t>(in.shape[at]);
  const std::size_t block = size_of(in.shape, at + 1, in.shape.size()) * element_of(in);
  const std::size_t picks = size_of(indices.shape, static_cast<std::size_t>(batch), indices.shape.size());
  return Run([=, type = indices.type, name = graph::describe(call.op)](const Data& data) -> Result<void> {
    const std::vector<std::int64_t> picked = indices_of(data, 1, type);
    for (std::size_t i = 0; i < picked.size(); ++i)
      if (picked[i] < 0 || picked[i] >= static_cast<std::int64_t>(extent))
        return fail(ErrorId::kInputValue, fmt::format("{}: operand 1 has index {} at element {}; the dimension has {}", name, picked[i], i, extent));
    std::byte* target = data.outputs[0].data();
    for (std::size_t b = 0; b < batches; ++b)
      for (std::size_t o = 0; o < outer; ++o)
        for (std::size_t i = 0; i < picks; ++i, target += block)
          std::memcpy(target, data.inputs[0].data() + ((b * outer + o) * extent + static_cast<std::size_t>(picked[b * picks + i])) * block, block);
    return {};
  });
}

Result<Run> prepare_gather_nd(const Call& call) {
  const Tensor& in = call.in();
  const Tensor& indices = call.in(1);
  NARU_CHECK_OK(call.require_same_type(in, call.out()));
  if (!is_index(indices.type)) return call.unsupported("its indices are {}", abi::name_of(indices.type));
  NARU_CHECK_OK(call.require(!indices.shape.empty() && static_cast<std::size_t>(indices.shape.back()) <= in.shape.size(), "its indices are deeper than the operand"));
  const auto depth = static_cast<std::size_t>(indices.shape.back());
  Shape expected(indices.shape.begin(), indices.shape.end() - 1);
  expected.insert(expected.end(), in.shape.begin() + static_cast<std::ptrdiff_t>(depth), in.shape.end());
  NARU_CHECK_OK(call.require_shape(call.out(), expected));
  const std::size_t block = size_of(in.shape, depth, in.shape.size()) * element_of(in);
  Shape leading(in.shape.begin(), in.shape.begin() + static_cast<std::ptrdiff_t>(depth));
  return Run([=, type = indices.type, name = graph::describe(call.op), leading = std::move(leading)](const Data& data) -> Result<void> {
    const std::vector<std::int64_t> picked = indices_of(data, 1, type);
    std::vector<std::size_t> offsets;
    for (std::size_t i = 0; i < picked.size(); i += depth) {
      std::size_t offset = 0;
      for (std::size_t d = 0; d < depth; ++d) {
        if (picked[i + d] < 0 || picked[i + d] >= leading[d])
          return fail(ErrorId::kInputValue,
                      fmt::format("{}: operand 1 has index {} at element {}; the dimension has {}", name, picked[i + d], i + d, leading[d]));
        offset = offset * static_cast<std::size_t>(leading[d]) + static_cast<std::size_t>(picked[i + d]);
      }
      offsets.push_back(offset * block);
    }
    std::byte* target = data.outputs[0].data();
    for (std::size_t offset : offsets) {
      std::memcpy(target, data.inputs[0].data() + offset, block);
      target += block;
    }
    return {};
  });
}

Result<Run> prepare_tile(const Call& call) {
  const Shape& in = call.in().shape;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  NARU_CHECK_OK(call.require(in.size() == out.size(), "it changes the number of dimensions"));
  const auto from = strides_of(in);
  const auto to = strides_of(out);
  StridedCopy copy;
  for (std::size_t d = 0; d < in.size(); ++d) {
    NARU_CHECK_OK(call.require(out[d] % in[d] == 0, "its result is no multiple of the operand"));
    copy.axes.push_back({out[d] / in[d], 0, in[d] * to[d]});
    copy.axes.push_back({in[d], from[d], to[d]});
  }
  return copy_run(std::move(copy), element_of(call.in()));
}

Result<Run> prepare_broadcast_to(const Call& call) {
  const Shape& in = call.in().shape;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  NARU_CHECK_OK(call.require(in.size() <= out.size(), "it loses dimensions"));
  const std::size_t added = out.size() - in.size();
  const auto from = strides_of(in);
  const auto to = strides_of(out);
  StridedCopy copy;
  for (std::size_t d = 0; d < out.size(); ++d) {
    const bool repeats = d < added || in[d - added] == 1;
    NARU_CHECK_OK(call.require(repeats || in[d - added] == out[d], "its operand does not broadcast to the result"));
    copy.axes.push_back({out[d], repeats ? 0 : from[d - added], to[d]});
  }
  return copy_run(std::move(copy), element_of(call.in()));
}

Result<Run> prepare_depth_space(const Call& call) {
  const auto* options = call.options<graph::BlockOptions>();
  if (options == nullptr) return call.no_options();
  const bool to_depth = call.op.kind == OperatorKind::kSpaceToDepth;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  const Tensor& space = to_depth ? call.in() : call.out();
  const Tensor& depth = to_depth ? call.out() : call.in();
  NARU_CHECK_OK(call.require(space.shape.size() == 4 && depth.shape.size() == 4, "its tensors have not four dimensions"));
  const std::int64_t block = options->block_size;
  NARU_CHECK_OK(call.require(block >= 1 && depth.shape[0] == space.shape[0] && depth.shape[1] * block == space.shape[1] && depth.shape[2] * block == space.shape[2] &&
                                 space.shape[3] * block * block == depth.shape[3],
                             "its block does not fit operand and result"));
  const auto wide = strides_of(space.shape);
  const auto deep = strides_of(depth.shape);
  const std::int64_t channels = space.shape[3];
  StridedCopy copy;
  copy.axes = {{space.shape[0], wide[0], deep[0]}, {depth.shape[1], block * wide[1], deep[1]}, {block, wide[1], block * channels},
               {depth.shape[2], block * wide[2], deep[2]}, {block, wide[2], channels}, {channels, 1, 1}};
  if (!to_depth)
    for (CopyAxis& axis : copy.axes) std::swap(axis.in_stride, axis.out_stride);
  return copy_run(std::move(copy), element_of(call.in()));
}

Result<Run> prepare_space_batch(const Call& call) {
  const auto* options = call.options<graph::SpaceBatchOptions>();
  if (options == nullptr) return call.no_options();
  const bool to_batch = call.op.kind == OperatorKind::kSpaceToBatchNd;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  const Tensor& space = to_batch ? call.in() : call.out();
  const Tensor& batch = to_batch ? call.out() : call.in();
  const std::size_t spatial = options->block.size();
  NARU_CHECK_OK(call.require(space.shape.size() == batch.shape.size() && space.shape.size() > spatial && options->before.size() == spatial && options->after.size() == spatial,
                             "its blocks are not one per dimension of space"));
  std::int64_t blocks = 1;
  for (std::size_t d = 0; d < spatial; ++d) {
    const std::int64_t block = options->block[d];
    NARU_CHECK_OK(call.require(block >= 1 && options->before[d] >= 0 && options->after[d] >= 0 &&
                                   std::int64_t{space.shape[d + 1]} + options->before[d] + options->after[d] == batch.shape[d + 1] * block,
                               "its blocks do not fit operand and result"));
    blocks *= block;
    NARU_CHECK_OK(call.require(blocks <= batch.shape[0], "its blocks do not fit the batches"));
  }
  NARU_CHECK_OK(call.require(std::int64_t{space.shape[0]} * blocks == batch.shape[0] &&
                                 std::equal(space.shape.begin() + 1 + static_cast<std::ptrdiff_t>(spatial), space.shape.end(), batch.shape.begin() + 1 + static_cast<std::ptrdiff_t>(spatial)),
                             "its batches do not fit operand and result"));
  const auto wide = strides_of(space.shape);
  const auto many = strides_of(batch.shape);
  // One copy per position in the block: of the indices whose source is inside the space.
  std::vector<StridedCopy> copies;
  for (std::int64_t b = 0; b < blocks; ++b) {
    StridedCopy copy;
    copy.out_offset = b * space.shape[0] * many[0];
    copy.axes.push_back({space.shape[0], wide[0], many[0]});
    std::vector<CopyAxis> inner;
    std::int64_t rest = b;
    for (std::size_t d = spatial; d-- > 0;) {
      const std::int64_t block = options->block[d];
      const std::int64_t shift = rest % block - options->before[d];
      rest /= block;
      // Index i of the batch's dimension is i * block + shift of the space's.
      const std::int64_t first = shift >= 0 ? 0 : (-shift + block - 1) / block;
      const std::int64_t end = std::min<std::int64_t>(batch.shape[d + 1], space.shape[d + 1] - shift <= 0 ? 0 : (space.shape[d + 1] - shift + block - 1) / block);
      copy.in_offset += (first * block + shift) * wide[d + 1];
      copy.out_offset += first * many[d + 1];
      inner.push_back({end - first, block * wide[d + 1], many[d + 1]});
    }
    copy.axes.insert(copy.axes.end(), inner.rbegin(), inner.rend());
    for (std::size_t d = spatial + 1; d < space.shape.size(); ++d) copy.axes.push_back({space.shape[d], wide[d], many[d]});
    if (!to_batch) {
      std::swap(copy.in_offset, copy.out_offset);
      for (CopyAxis& axis : copy.axes) std::swap(axis.in_stride, axis.out_stride);
    }
    copies.push_back(std::move(copy));
  }
  const Tensor& out = call.out();
  std::vector<std::byte> zero(element_of(out));
  if (is_code(out.type) && out.quantization) {
    NARU_CHECK_OK(call.require_quantization(out));
    const std::int32_t code = out.zero_point();
    std::memcpy(zero.data(), &code, zero.size());
  }
  return Run([copies = std::move(copies), zero = std::move(zero)](const Data& data) -> Result<void> {
    for (std::size_t i = 0; i < data.outputs[0].size(); i += zero.size()) std::memcpy(data.outputs[0].data() + i, zero.data(), zero.size());
    for (const StridedCopy& copy : copies) copy.run(data.inputs[0].data(), data.outputs[0].data(), zero.size());
    return {};
  });
}

Result<Run> prepare_shape(const Call& call) {
  const Shape& shape = call.in().shape;
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_shape(out, Shape{static_cast<std::int32_t>(shape.size())}));
  Run run;
  for_type<std::int32_t, std::int64_t>(out.type, [&](auto sample) {
    run = [values = std::vector<decltype(sample)>(shape.begin(), shape.end())](const Data& data) -> Result<void> {
      data.store(0, values);
      return {};
    };
  });
  if (!run) return call.no_type();
  return run;
}

Result<Run> prepare_fill(const Call& call) {
  const Tensor& value = call.in(1);
  NARU_CHECK_OK(call.require_same_type(value, call.out()));
  NARU_CHECK_OK(call.require(count_of(value) == 1, "its value is more than one element"));
  StridedCopy copy;
  copy.axes = {{static_cast<std::int64_t>(count_of(call.out())), 0, 1}};
  return Run([copy = std::move(copy), bytes = element_of(value)](const Data& data) -> Result<void> {
    copy.run(data.inputs[1].data(), data.outputs[0].data(), bytes);
    return {};
  });
}

}  // namespace naru::sdk::host
