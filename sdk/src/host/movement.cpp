// Operators that move elements without looking at them: copies, transpositions, pads, slices, splits and joins. Any element type.
#include <algorithm>
#include <numeric>

#include "host/call.h"
#include "host/strided.h"

namespace naru::sdk::host {
namespace {

std::size_t element_of(const Tensor& tensor) { return abi::element_bytes(tensor.type); }

/// A run of one copy from operand `from` to the result.
Run copy_run(StridedCopy copy, std::size_t element_bytes, std::size_t from = 0) {
  return [=, copy = std::move(copy)](const Data& data) -> Result<void> {
    copy.run(data.inputs[from].data(), data.outputs[0].data(), element_bytes);
    return {};
  };
}

/// Every element of `part`, as it lies, to or from `whole` where `part` begins at `begin`.
StridedCopy into(const Shape& whole, const Shape& part, std::span<const std::int32_t> begin) {
  const auto strides = strides_of(whole);
  const auto dense = strides_of(part);
  StridedCopy copy;
  for (std::size_t d = 0; d < part.size(); ++d) {
    copy.axes.push_back({part[d], dense[d], strides[d]});
    copy.out_offset += begin[d] * strides[d];
  }
  return copy;
}
StridedCopy reversed(StridedCopy copy) {
  std::swap(copy.in_offset, copy.out_offset);
  for (CopyAxis& axis : copy.axes) std::swap(axis.in_stride, axis.out_stride);
  return copy;
}

void fill(std::span<std::byte> target, std::span<const std::byte> element) {
  for (std::size_t i = 0; i < target.size(); i += element.size()) std::ranges::copy(element, target.begin() + static_cast<std::ptrdiff_t>(i));
}

/// Operators that do not rescale: codes mean the same on both sides, so types are the same.
Result<void> check_parts(const Call& call, std::int32_t axis, std::size_t rank) {
  return call.require(axis >= 0 && static_cast<std::size_t>(axis) < rank, "its axis is no dimension");
}

}  // namespace

Result<Run> prepare_copy(const Call& call) {
  // ASSIGN_VARIABLE's value is its last operand.
  const std::size_t from = call.op.kind == OperatorKind::kAssignVariable ? call.inputs.size() - 1 : 0;
  if (call.inputs.empty() || !call.has(from)) return call.misfit("its operand is left out");
  NARU_CHECK_OK(call.require_same_type(call.in(from), call.out()));
  if (count_of(call.in(from)) != count_of(call.out())) return call.misfit("{} elements become {}", count_of(call.in(from)), count_of(call.out()));
  return Run([from](const Data& data) -> Result<void> {
    std::ranges::copy(data.inputs[from], data.outputs[0].begin());
    return {};
  });
}

Result<Run> prepare_transpose(const Call& call) {
  const auto* options = call.options<graph::TransposeOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& in = call.in().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  Shape sorted = options->permutation;
  std::ranges::sort(sorted);
  Shape expected(in.size());
  std::iota(expected.begin(), expected.end(), 0);
  NARU_CHECK_OK(call.require(sorted == expected, "it has no permutation of the dimensions"));
  for (std::size_t d = 0; d < in.size(); ++d) expected[d] = in[static_cast<std::size_t>(options->permutation[d])];
  NARU_CHECK_OK(call.require_shape(call.out(), expected));
  const auto from = strides_of(in);
  const auto to = strides_of(expected);
  StridedCopy copy;
  for (std::size_t d = 0; d < in.size(); ++d) copy.axes.push_back({expected[d], from[static_cast<std::size_t>(options->permutation[d])], to[d]});
  return copy_run(std::move(copy), element_of(call.in()));
}

Result<Run> prepare_concatenation(const Call& call) {
  const auto* options = call.options<graph::ConcatenationOptions>();
  if (options == nullptr) return call.no_options();
  const Tensor& out = call.out();
  NARU_CHECK_OK(check_parts(call, options->axis, out.shape.size()));
  NARU_CHECK_OK(call.require(options->activation == graph::Activation::kNone, "it has an activation"));
  const auto axis = static_cast<std::size_t>(options->axis);
  std::vector<StridedCopy> copies;
  std::vector<std::optional<numerics::CodeTable>> tables;
  Shape begin(out.shape.size(), 0);
  for (std::size_t i = 0; i < call.inputs.size(); ++i) {
    if (!call.has(i)) return call.misfit("operand {} is left out", i);
    const Tensor& in = call.in(i);
    NARU_CHECK_OK(call.require_same_type(in, out));
    Shape expected = out.shape;
    if (in.shape.size() == expected.size()) expected[axis] = in.shape[axis];
    NARU_CHECK_OK(call.require_shape(in, expected));
    NARU_CHECK_OK(call.require(in.shape[axis] <= out.shape[axis] - begin[axis], "its parts are larger than the whole"));
    copies.push_back(into(out.shape, in.shape, begin));
    begin[axis] += in.shape[axis];
    tables.emplace_back();
    if (out.type != ElementType::kU8 || in.quantization == out.quantization) continue;
    NARU_CHECK_OK(call.require_quantization({&in, &out}));
    tables.back() = numerics::concatenation_table(in, out);
  }
  NARU_CHECK_OK(call.require(begin[axis] == out.shape[axis], "its parts are smaller than the whole"));
  return Run([copies = std::move(copies), tables = std::move(tables), bytes = element_of(out)](const Data& data) -> Result<void> {
    for (std::size_t i = 0; i < copies.size(); ++i) {
      std::span<const std::byte> part = data.inputs[i];
      std::vector<std::byte> rescaled;
      if (tables[i]) {
        rescaled.resize(part.size());
        std::ranges::transform(part, rescaled.begin(), [&](std::byte code) { return (*tables[i])[static_cast<std::size_t>(code)]; });
        part = rescaled;
      }
      copies[i].run(part.data(), data.outputs[0].data(), bytes);
    }
    return {};
  });
}

Result<Run> prepare_pad(const Call& call) {
  const auto* options = call.options<graph::PadOptions>();
  if (options == nullptr) return call.no_options();
  const Tensor& in = call.in();
  const Tensor& out = call.out();
  NARU_CHECK_OK(call.require_same_type(in, out));
  const std::size_t rank = in.shape.size();
  NARU_CHECK_OK(call.require(options->before.size() == rank && options->after.size() == rank && out.shape.size() == rank, "its paddings are not one per dimension"));
  for (std::size_t d = 0; d < rank; ++d)
    NARU_CHECK_OK(call.require(options->before[d] >= 0 && options->after[d] >= 0 &&
                                   std::int64_t{in.shape[d]} + options->before[d] + options->after[d] == out.shape[d],
                               "its result is not as large as operand and paddings"));
  std::vector<std::byte> value(element_of(out));
  const bool given = call.op.kind == OperatorKind::kPadV2;
  if (given) {
    NARU_CHECK_OK(call.require_same_type(call.in(2), out));
    NARU_CHECK_OK(call.require(count_of(call.in(2)) == 1, "its value is more than one element"));
  } else if (is_code(out.type) && out.quantization) {
    NARU_CHECK_OK(call.require_quantization(out));
    const std::int32_t zero = out.zero_point();
    std::memcpy(value.data(), &zero, value.size());
  }
  return Run([=, copy = into(out.shape, in.shape, options->before), value = std::move(value)](const Data& data) -> Result<void> {
    fill(data.outputs[0], given ? data.inputs[2] : std::span<const std::byte>(value));
    copy.run(data.inputs[0].data(), data.outputs[0].data(), value.size());
    return {};
  });
}

Result<Run> prepare_mirror_pad(const Call& call) {
  const auto* options = call.options<graph::MirrorPadOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& in = call.in().shape;
  const Shape& out = call.out().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  NARU_CHECK_OK(call.require(options->before.size() == in.size() && options->after.size() == in.size() && out.size() == in.size(), "its paddings are not one per dimension"));
  const std::int32_t edge = options->symmetric ? 0 : 1;
  // For each dimension the source index of every target index: elements are then taken by tables.
  std::vector<std::vector<std::int64_t>> sources(in.size());
  const auto strides = strides_of(in);
  for (std::size_t d = 0; d < in.size(); ++d) {
    const std::int64_t room = std::int64_t{in[d]} - edge;
    NARU_CHECK_OK(call.require(options->before[d] >= 0 && options->after[d] >= 0 && options->before[d] <= room && options->after[d] <= room &&
                                   std::int64_t{in[d]} + options->before[d] + options->after[d] == out[d],
                               "its paddings do not fit operand and result"));
    for (std::int32_t i = 0; i < out[d]; ++i) {
      std::int64_t source = std::int64_t{i} - options->before[d];
      if (source < 0) source = -source - 1 + edge;
      else if (source >= in[d]) source = 2 * std::int64_t{in[d]} - 1 - source - edge;
      sources[d].push_back(source * strides[d]);
    }
  }
  return Run([sources = std::move(sources), bytes = element_of(call.in()), count = count_of(call.out())](const Data& data) -> Result<void> {
    std::vector<std::size_t> index(sources.size());
    std::byte* target = data.outputs[0].data();
    for (std::size_t i = 0; i < count; ++i, target += bytes) {
      std::int64_t source = 0;
      for (std::size_t d = 0; d < index.size(); ++d) source += sources[d][index[d]];
      std::memcpy(target, data.inputs[0].data() + static_cast<std::size_t>(source) * bytes, bytes);
      for (std::size_t d = index.size(); d-- > 0;) {
        if (++index[d] < sources[d].size()) break;
        index[d] = 0;
      }
    }
    return {};
  });
}

Result<Run> prepare_slice(const Call& call) {
  const auto* options = call.options<graph::SliceOptions>();
  if (options == nullptr) return call.no_options();
  const Shape& in = call.in().shape;
  NARU_CHECK_OK(call.require_same_type(call.in(), call.out()));
  NARU_CHECK_OK(call.require(options->begin.size() == in.size() && options->stride.size() == in.size() && options->extent.size() == in.size(), "its slice is not one per dimension"));
  const auto strides = strides_of(in);
  StridedCopy copy;
  for (std::size_t d = 0; d < in.size(); ++d) {
    const std::int64_t last = options->begin[d] + std::int64_t{options->extent[d] - std::int64_t{1}} * options->stride[d];
    NARU_CHECK_OK(call.require(options->extent[d] >= 1 && options->stride[d] != 0 && options->begin[d] >= 0 && options->begin[d] < in[d] && last >= 0 && last < in[d],
                               "its slice reaches past the operand"));
    copy.in_offset += options->begin[d] * strides[d];
    copy.axes.push_back({options->extent[d], options->stride[d] * strides[d], 0});
  }
  const auto dense = strides_of(options->extent);
  for (std::size_t d = 0; d < in.size(); ++d) copy.axes[d].out_stride = dense[d];
  NARU_CHECK_OK(call.require(graph::element_count(options->extent) == graph::element_count(call.out()), "its result is not as large as the slice"));
  return copy_run(std::move(copy), element_of(call.in()));
}

Result<Run> prepare_split(const Call& call) {
  const auto* options = call.options<graph::AxisOptions>();
  if (options == nullptr) return call.no_options();
  const std::size_t from = call.op.kind == OperatorKind::kSplit ? 1 : 0;
  const Tensor& in = call.in(from);
  NARU_CHECK_OK(check_parts(call, options->axis, in.shape.size()));
  const auto axis = static_cast<std::size_t>(options->axis);
  std::vector<StridedCopy> copies;
  Shape begin(in.shape.size(), 0);
  for (const Tensor* part : call.outputs) {
    NARU_CHECK_OK(call.require_same_type(in, *part));
    Shape expected = in.shape;
    if (part->shape.size() == expected.size()) expected[axis] = part->shape[axis];
    NARU_CHECK_OK(call.require_shape(*part, expected));
    NARU_CHECK_OK(call.require(part->shape[axis] <= in.shape[axis] - begin[axis], "its parts are larger than the whole"));
    copies.push_back(reversed(into(in.shape, part->shape, begin)));
    begin[axis] += part->shape[axis];
  }
  NARU_CHECK_OK(call.require(begin[axis] == in.shape[axis], "its parts are smaller than the whole"));
  return Run([copies = std::move(copies), from, bytes = element_of(in)](const Data& data) -> Result<void> {
    for (std::size_t i = 0; i < copies.size(); ++i) copies[i].run(data.inputs[from].data(), data.outputs[i].data(), bytes);
    return {};
  });
}

namespace {

/// PACK and UNPACK: `whole` has the axis, `parts` have not.
Result<std::vector<StridedCopy>> slices_along(const Call& call, const Tensor& whole, std::span<const Tensor* const> parts) {
  const auto* options = call.options<graph::AxisOptions>();
  if (options == nullptr) return call.no_options();
  NARU_CHECK_OK(check_parts(call, options->axis, whole.shape.size()));
  const auto axis = static_cast<std::size_t>(options->axis);
  NARU_CHECK_OK(call.require(parts.size() == static_cast<std::size_t>(whole.shape[axis]), "it has not as many parts as its axis"));
  Shape expected = whole.shape;
  expected.erase(expected.begin() + options->axis);
  Shape part = whole.shape;
  part[axis] = 1;
  std::vector<StridedCopy> copies;
  Shape begin(whole.shape.size(), 0);
  for (const Tensor* tensor : parts) {
    NARU_CHECK_OK(call.require(tensor != nullptr, "a part is left out"));
    NARU_CHECK_OK(call.require_same_type(*tensor, whole));
    NARU_CHECK_OK(call.require_shape(*tensor, expected));
    copies.push_back(into(whole.shape, part, begin));
    ++begin[axis];
  }
  return copies;
}

}  // namespace

Result<Run> prepare_pack(const Call& call) {
  NARU_TRY(std::vector<StridedCopy> copies, slices_along(call, call.out(), call.inputs));
  return Run([copies = std::move(copies), bytes = element_of(call.out())](const Data& data) -> Result<void> {
    for (std::size_t i = 0; i < copies.size(); ++i) copies[i].run(data.inputs[i].data(), data.outputs[0].data(), bytes);
    return {};
  });
}

Result<Run> prepare_unpack(const Call& call) {
  NARU_TRY(std::vector<StridedCopy> copies, slices_along(call, call.in(), call.outputs));
  for (StridedCopy& copy : copies) copy = reversed(std::move(copy));
  return Run([copies = std::move(copies), bytes = element_of(call.in())](const Data& data) -> Result<void> {
    for (std::size_t i = 0; i < copies.size(); ++i) copies[i].run(data.inputs[0].data(), data.outputs[i].data(), bytes);
    return {};
  });
}

}  // namespace naru::sdk::host
