// Whole blocks that move: RESHAPE and other copies, the paddings, TRANSPOSE, CONCATENATION, SLICE, SPLIT, PACK, UNPACK (numerics 18). Elements keep their
// bytes; only uint8 CONCATENATION may rescale.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "reference/arithmetic.h"
#include "reference/ops/shapes.h"
#include "reference/ops/types.h"

namespace naru::sdk::reference {
namespace {

using Strides = std::vector<std::int64_t>;

/// Fills a result with one element.
void fill_with(const Call& call, const std::byte* element, std::size_t bytes) {
  auto* output = call.out<std::byte>();
  for (std::size_t i = 0; i < call.results[0].size(); i += bytes) std::memcpy(output + i, element, bytes);
}

/// What PAD and SPACE_TO_BATCH_ND fill with: the code of 0.
void fill_with_zero(const Call& call) {
  const std::int32_t zero = call.output().zero_point();
  switch (call.output().type) {
    case abi::ElementType::kI8:
    case abi::ElementType::kU8: return std::fill(call.results[0].begin(), call.results[0].end(), static_cast<std::byte>(zero));
    case abi::ElementType::kI16: std::fill_n(call.out<std::int16_t>(), call.results[0].size() / 2, static_cast<std::int16_t>(zero)); return;
    default: return;  // results are zeroed
  }
}

}  // namespace

void copy(const Call& call) {
  // READ_VARIABLE and ASSIGN_VARIABLE may keep the place of a handle that is gone.
  const auto source = std::find_if(call.inputs.begin(), call.inputs.end(), [](const auto& input) { return !input.empty(); });
  if (source != call.inputs.end()) std::copy_n(source->begin(), std::min(source->size(), call.results[0].size()), call.results[0].begin());
}

void pad(const Call& call) {
  const auto& options = call.options<graph::PadOptions>();
  const graph::Shape& in = call.input(0).shape;
  const std::size_t bytes = abi::element_bytes(call.output().type);
  if (call.op.kind == graph::OperatorKind::kPadV2 && call.has(2))
    fill_with(call, call.data<std::byte>(2), bytes);
  else
    fill_with_zero(call);
  const Strides target = strides_of(call.output().shape);
  const std::int64_t start = offset_of(options.before, target);
  copy_view(call.data<std::byte>(0), strides_of(in), call.out<std::byte>() + start * static_cast<std::int64_t>(bytes), target, in, bytes);
}

void mirror_pad(const Call& call) {
  const auto& options = call.options<graph::MirrorPadOptions>();
  const graph::Shape& in = call.input(0).shape;
  const Strides source = strides_of(in);
  const std::size_t bytes = abi::element_bytes(call.output().type);
  auto* output = call.out<std::byte>();
  const std::int32_t edge = options.symmetric ? 1 : 0;
  for_each_index(call.output().shape, [&](std::span<const std::int32_t> at) {
    std::int64_t place = 0;
    for (std::size_t d = 0; d < at.size(); ++d) {
      std::int32_t index = at[d] - options.before[d];
      if (index < 0) index = -index - edge;
      if (index >= in[d]) index = 2 * (in[d] - 1) - index + edge;
      place += std::clamp(index, 0, in[d] - 1) * source[d];
    }
    std::memcpy(output, call.data<std::byte>(0) + static_cast<std::size_t>(place) * bytes, bytes);
    output += bytes;
  });
}

void transpose(const Call& call) {
  const auto& permutation = call.options<graph::TransposeOptions>().permutation;
  const graph::Shape& out = call.output().shape;
  const Strides natural = strides_of(call.input(0).shape);
  Strides source;
  for (std::int32_t dimension : permutation) source.push_back(natural[static_cast<std::size_t>(dimension)]);
  copy_view(call.data<std::byte>(0), source, call.out<std::byte>(), strides_of(out), out, abi::element_bytes(call.output().type));
}

void concatenation(const Call& call) {
  const auto axis = static_cast<std::size_t>(call.options<graph::ConcatenationOptions>().axis);
  const graph::Tensor& output = call.output();
  const std::size_t outer = product_of(output.shape, 0, axis);
  std::byte* target = call.out<std::byte>();
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const std::size_t bytes = call.inputs[i].size() / outer;
      const std::byte* source = call.data<std::byte>(i) + o * bytes;
      const graph::Tensor& input = call.input(i);
      if (output.type == abi::ElementType::kU8 && (input.scale() != output.scale() || input.zero_point() != output.zero_point())) {
        const float scale = input.scale() * (1.0F / output.scale());
        const float bias = static_cast<float>(-input.zero_point()) * scale;
        for (std::size_t b = 0; b < bytes; ++b) {
          const float code = std::round(static_cast<float>(source[b]) * scale + bias) + static_cast<float>(output.zero_point());
          target[b] = static_cast<std::byte>(std::clamp(code, 0.0F, 255.0F));
        }
      } else {
        std::memcpy(target, source, bytes);
      }
      target += bytes;
    }
  }
}

void slice(const Call& call) {
  const auto& options = call.options<graph::SliceOptions>();
  Strides source = strides_of(call.input(0).shape);
  const std::size_t bytes = abi::element_bytes(call.output().type);
  const std::int64_t start = offset_of(options.begin, source);
  for (std::size_t d = 0; d < source.size(); ++d) source[d] *= options.stride[d];
  copy_view(call.data<std::byte>(0) + start * static_cast<std::int64_t>(bytes), source, call.out<std::byte>(), strides_of(options.extent), options.extent,
            bytes);
}

void split(const Call& call) {
  const std::size_t operand = call.op.kind == graph::OperatorKind::kSplit ? 1 : 0;
  const auto axis = static_cast<std::size_t>(call.options<graph::AxisOptions>().axis);
  const Strides source = strides_of(call.input(operand).shape);
  const std::size_t bytes = abi::element_bytes(call.input(operand).type);
  std::int64_t start = 0;
  for (std::size_t part = 0; part < call.results.size(); ++part) {
    if (call.out<std::byte>(part) == nullptr) continue;
    const graph::Shape& extents = call.output(part).shape;
    copy_view(call.data<std::byte>(operand) + start * source[axis] * static_cast<std::int64_t>(bytes), source, call.out<std::byte>(part), strides_of(extents),
              extents, bytes);
    start += extents[axis];
  }
}

void pack(const Call& call) {
  const auto axis = static_cast<std::size_t>(call.options<graph::AxisOptions>().axis);
  const std::size_t outer = product_of(call.output().shape, 0, axis);
  std::byte* target = call.out<std::byte>();
  for (std::size_t o = 0; o < outer; ++o) {
    for (const auto& input : call.inputs) {
      const std::size_t bytes = input.size() / outer;
      std::memcpy(target, input.data() + o * bytes, bytes);
      target += bytes;
    }
  }
}

void unpack(const Call& call) {
  const auto axis = static_cast<std::size_t>(call.options<graph::AxisOptions>().axis);
  const graph::Shape& in = call.input(0).shape;
  const std::size_t outer = product_of(in, 0, axis);
  const std::size_t run = product_of(in, axis + 1, in.size()) * abi::element_bytes(call.input(0).type);
  for (std::size_t o = 0; o < outer; ++o)
    for (std::size_t part = 0; part < call.results.size(); ++part)
      if (auto* output = call.out<std::byte>(part)) std::memcpy(output + o * run, call.data<std::byte>(0) + (o * call.results.size() + part) * run, run);
}

void space_to_batch_nd(const Call& call) {
  const auto& options = call.options<graph::SpaceBatchOptions>();
  const graph::Shape& in = call.input(0).shape;
  const std::size_t spatial = options.block.size();
  const Strides target = strides_of(call.output().shape);
  fill_with_zero(call);
  const std::size_t run = product_of(in, 1 + spatial, in.size()) * abi::element_bytes(call.input(0).type);
  const std::byte* source = call.data<std::byte>(0);
  const std::int64_t unit = target[spatial];  // elements of a run
  for_each_index(std::span(in).first(1 + spatial), [&](std::span<const std::int32_t> at) {
    std::int64_t batch = 0;
    std::int64_t place = 0;
    for (std::size_t d = 0; d < spatial; ++d) {
      const std::int32_t padded = at[d + 1] + options.before[d];
      batch = batch * options.block[d] + padded % options.block[d];
      place += padded / options.block[d] * target[d + 1];
    }
    place += (batch * in[0] + at[0]) * target[0];
    std::memcpy(call.out<std::byte>() + static_cast<std::size_t>(place / unit) * run, source, run);
    source += run;
  });
}

void batch_to_space_nd(const Call& call) {
  const auto& options = call.options<graph::SpaceBatchOptions>();
  const graph::Shape& out = call.output().shape;
  const std::size_t spatial = options.block.size();
  const Strides source = strides_of(call.input(0).shape);
  const std::size_t run = product_of(out, 1 + spatial, out.size()) * abi::element_bytes(call.output().type);
  std::byte* target = call.out<std::byte>();
  const std::int64_t unit = source[spatial];
  for_each_index(std::span(out).first(1 + spatial), [&](std::span<const std::int32_t> at) {
    std::int64_t batch = 0;
    std::int64_t place = 0;
    for (std::size_t d = 0; d < spatial; ++d) {
      const std::int32_t cropped = at[d + 1] + options.before[d];
      batch = batch * options.block[d] + cropped % options.block[d];
      place += cropped / options.block[d] * source[d + 1];
    }
    place += (batch * out[0] + at[0]) * source[0];
    std::memcpy(target, call.data<std::byte>(0) + static_cast<std::size_t>(place / unit) * run, run);
    target += run;
  });
}

}  // namespace naru::sdk::reference
