// What only moves elements: other shapes, parts, joins, chosen indices.
#include <algorithm>
#include <numeric>

#include "generator.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

/// An axis as a file may say it: from the front or from the back.
std::int32_t said(Growth& g, std::int32_t axis, std::int32_t rank) { return g.chance(3) ? axis - rank : axis; }

Value join(Value result, const Value& other) {
  result.low = std::min(result.low, other.low);
  result.high = std::max(result.high, other.high);
  result.is_exact = result.is_exact && other.is_exact;
  return result;
}

/// Another shape of as many elements.
Shape any_factors(Growth& g, std::int64_t elements) {
  Shape shape;
  while (elements > 1 && shape.size() < 3) {
    std::vector<std::int32_t> divisors;
    for (std::int32_t d = 1; d <= std::min<std::int64_t>(elements, 64); ++d)
      if (elements % d == 0) divisors.push_back(d);
    shape.push_back(divisors[g.random.below(divisors.size())]);
    elements /= shape.back();
  }
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(g.random.below(shape.size() + 1)), static_cast<std::int32_t>(elements));
  return shape;
}

bool append_reshape(Growth& g, const Value& value) {
  if (count(value.shape) == 1 && g.chance(3)) {
    std::vector<int> operands{value.tensor};
    if (g.chance(2)) operands.push_back(g.indices({0}, {}).tensor);
    return g.add(BuiltinOperator_RESHAPE, operands, {g.like(value, {})}, ReshapeOptionsT());
  }
  Shape shape = any_factors(g, count(value.shape));
  for (const Value& other : g.pool)
    if (other.rank() > 0 && count(other.shape) == count(value.shape) && g.chance(8)) shape = other.shape;
  if (!g.fits(shape)) return false;
  ReshapeOptionsT options;
  options.new_shape = shape;
  if (g.chance(4)) return g.add(BuiltinOperator_RESHAPE, {value.tensor}, {g.like(value, shape)}, options);
  if (const int numbers = g.chance(4) ? g.numbers(shape) : -1; numbers >= 0)
    return g.add(BuiltinOperator_RESHAPE, {value.tensor, numbers}, {g.like(value, shape)}, ReshapeOptionsT());
  Shape written = shape;
  if (g.chance(2)) written[g.random.below(written.size())] = -1;
  return g.add(BuiltinOperator_RESHAPE, {value.tensor, g.indices({static_cast<std::int32_t>(shape.size())}, written).tensor}, {g.like(value, shape)},
               ReshapeOptionsT());
}

bool append_expand_dims(Growth& g, const Value& value) {
  Shape shape = value.shape;
  const std::int32_t axis = g.between(0, value.rank());
  shape.insert(shape.begin() + axis, 1);
  return g.add(BuiltinOperator_EXPAND_DIMS, {value.tensor, g.index(said(g, axis, value.rank() + 1)).tensor}, {g.like(value, shape)}, ExpandDimsOptionsT());
}

bool append_squeeze(Growth& g, const Value& value) {
  SqueezeOptionsT options;
  Shape shape;
  const bool all = g.chance(3);
  for (std::int32_t d = 0; d < value.rank(); ++d) {
    const std::int32_t extent = value.shape[static_cast<std::size_t>(d)];
    const bool goes = extent == 1 && (all || g.chance(2));
    if (!goes)
      shape.push_back(extent);
    else if (!all)
      options.squeeze_dims.push_back(said(g, d, value.rank()));
  }
  if (shape.size() == value.shape.size()) return false;
  return g.add(BuiltinOperator_SQUEEZE, {value.tensor}, {g.like(value, shape)}, options);
}

bool append_transpose(Growth& g, const Value& value) {
  Shape permutation(value.shape.size()), shape;
  std::iota(permutation.begin(), permutation.end(), 0);
  for (std::size_t i = permutation.size(); i-- > 1;) std::swap(permutation[i], permutation[g.random.below(i + 1)]);
  for (std::int32_t from : permutation) shape.push_back(value.shape[static_cast<std::size_t>(from)]);
  return g.add(BuiltinOperator_TRANSPOSE, {value.tensor, g.indices({value.rank()}, permutation).tensor}, {g.like(value, shape)}, TransposeOptionsT());
}

bool append_concatenation(Growth& g, const Value& value) {
  const std::int32_t axis = g.between(0, value.rank() - 1);
  const auto at = static_cast<std::size_t>(axis);
  std::vector<int> operands{value.tensor};
  // Only unsigned codes may differ in their meaning.
  Value result = value.type == TensorType_UINT8 && g.chance(2) ? g.tensor(value.shape, value.type) : g.like(value, value.shape);
  const bool rescales = !g.same_quantization(result, value);
  Shape shape = value.shape;
  for (std::int32_t more = g.between(0, 3); more > 0; --more) {
    Shape other = value.shape;
    if (g.chance(2)) other[at] = g.between(1, 9);
    const Value joined = g.chance(8) ? value : g.partner(value, other, !rescales);
    operands.insert(g.chance(2) ? operands.begin() : operands.end(), joined.tensor);
    shape[at] += joined.shape[at];
    result = join(result, joined);
  }
  if (!g.fits(shape)) return false;
  result.shape = shape;
  g.builder.tensor(result.tensor).shape = shape;
  ConcatenationOptionsT options;
  options.axis = said(g, axis, value.rank());
  return g.add(BuiltinOperator_CONCATENATION, operands, {result}, options);
}

bool append_slice(Growth& g, const Value& value) {
  Shape begin, size, shape;
  for (std::int32_t extent : value.shape) {
    begin.push_back(g.chance(2) ? 0 : g.between(0, extent - 1));
    shape.push_back(g.chance(2) ? extent - begin.back() : g.between(1, extent - begin.back()));
    size.push_back(shape.back() == extent - begin.back() && g.chance(2) ? -1 : shape.back());
  }
  const Value begins = g.indices({value.rank()}, begin);
  return g.add(BuiltinOperator_SLICE, {value.tensor, begins.tensor, g.indices({value.rank()}, size).tensor}, {g.like(value, shape)}, SliceOptionsT());
}

bool append_strided_slice(Growth& g, const Value& value) {
  StridedSliceOptionsT options;
  Shape begins, ends, strides, shape;
  // Fewer entries than dimensions: the last ones are whole, or those in the place of an ellipsis.
  const std::int32_t named = g.chance(4) ? g.between(1, value.rank()) : value.rank();
  const std::int32_t ellipsis = named < value.rank() && g.chance(2) ? g.between(0, named - 1) : -1;
  const std::int32_t skipped = ellipsis < 0 ? 0 : value.rank() - named + 1;
  for (std::int32_t d = 0; d < value.rank(); ++d) {
    const std::int32_t extent = value.shape[static_cast<std::size_t>(d)];
    const auto entry = static_cast<std::int32_t>(begins.size());
    const std::int32_t bit = 1 << entry;
    if (entry == ellipsis) {
      options.ellipsis_mask = bit;
      for (std::int32_t i = 0; i < skipped; ++i) shape.push_back(value.shape[static_cast<std::size_t>(d + i)]);
      begins.push_back(0);
      ends.push_back(0);
      strides.push_back(1);
      d += skipped - 1;
      continue;
    }
    if (entry >= named) {
      shape.push_back(extent);
      continue;
    }
    const bool shrinks = g.chance(5);
    const std::int32_t stride = shrinks ? 1 : g.between(1, 3) * (g.chance(4) ? -1 : 1);
    std::int32_t begin = g.between(0, extent - 1);
    if (!shrinks && g.chance(3)) {
      options.begin_mask |= bit;
      begin = stride > 0 ? 0 : extent - 1;
    }
    // Backwards, only the mask says that element 0 is the last.
    const bool masked = !shrinks && (g.chance(3) || (stride < 0 && begin == 0));
    const std::int32_t end = shrinks ? begin + 1 : stride > 0 ? (masked ? extent : g.between(begin + 1, extent)) : (masked ? -1 : g.between(0, begin - 1));
    if (masked) options.end_mask |= bit;
    if (shrinks)
      options.shrink_axis_mask |= bit;
    else
      shape.push_back((std::abs(end - begin) + std::abs(stride) - 1) / std::abs(stride));
    begins.push_back(g.chance(4) ? begin - extent : begin);
    ends.push_back(masked ? g.between(-3, 3) : end < extent && g.chance(4) ? end - extent : end);
    strides.push_back(stride);
  }
  const Value first = g.indices({named}, begins);
  const Value last = g.indices({named}, ends);
  return g.add(BuiltinOperator_STRIDED_SLICE, {value.tensor, first.tensor, last.tensor, g.indices({named}, strides).tensor}, {g.like(value, shape)}, options);
}

bool append_split(Growth& g, const Value& value) {
  const std::int32_t axis = g.between(0, value.rank() - 1);
  const std::int32_t extent = value.shape[static_cast<std::size_t>(axis)];
  const std::int32_t parts = g.between(1, 5);
  if (extent % parts != 0 || (parts == 1 && !g.chance(4))) return false;
  SplitOptionsT options;
  options.num_splits = parts;
  Shape shape = value.shape;
  shape[static_cast<std::size_t>(axis)] = extent / parts;
  std::vector<Value> results;
  for (std::int32_t i = 0; i < parts; ++i) results.push_back(g.like(value, shape));
  return g.add(BuiltinOperator_SPLIT, {g.index(said(g, axis, value.rank())).tensor, value.tensor}, results, options);
}

bool append_split_v(Growth& g, const Value& value) {
  const std::int32_t axis = g.between(0, value.rank() - 1);
  std::int32_t left = value.shape[static_cast<std::size_t>(axis)];
  std::vector<std::int32_t> sizes;
  while (left > 0) {
    sizes.push_back(sizes.size() == 3 ? left : g.between(1, left));
    left -= sizes.back();
  }
  std::vector<Value> results;
  for (std::int32_t size : sizes) {
    Shape shape = value.shape;
    shape[static_cast<std::size_t>(axis)] = size;
    results.push_back(g.like(value, shape));
  }
  SplitVOptionsT options;
  const auto parts = static_cast<std::int32_t>(sizes.size());
  options.num_splits = parts;
  if (g.chance(3)) sizes[g.random.below(sizes.size())] = -1;
  const Value list = g.indices({parts}, sizes);
  return g.add(BuiltinOperator_SPLIT_V, {value.tensor, list.tensor, g.index(said(g, axis, value.rank())).tensor}, results, options);
}

bool append_pack(Growth& g, const Value& value) {
  PackOptionsT options;
  const std::int32_t axis = g.between(0, value.rank());
  const std::int32_t operands = g.between(1, 4);
  Shape shape = value.shape;
  shape.insert(shape.begin() + axis, operands);
  if (!g.fits(shape)) return false;
  Value result = g.like(value, shape);
  std::vector<int> packed{value.tensor};
  while (packed.size() < static_cast<std::size_t>(operands)) {
    const Value other = g.chance(4) ? value : g.partner(value, value.shape, true);
    packed.insert(g.chance(2) ? packed.begin() : packed.end(), other.tensor);
    result = join(result, other);
  }
  options.values_count = operands;
  options.axis = said(g, axis, value.rank() + 1);
  return g.add(BuiltinOperator_PACK, packed, {result}, options);
}

bool append_unpack(Growth& g, const Value& value) {
  UnpackOptionsT options;
  const std::int32_t axis = g.between(0, value.rank() - 1);
  options.num = value.shape[static_cast<std::size_t>(axis)];
  if (options.num > 5) return false;
  options.axis = said(g, axis, value.rank());
  Shape shape = value.shape;
  shape.erase(shape.begin() + axis);
  std::vector<Value> results;
  for (std::int32_t i = 0; i < options.num; ++i) results.push_back(g.like(value, shape));
  return g.add(BuiltinOperator_UNPACK, {value.tensor}, results, options);
}

bool append_gather(Growth& g, const Value& value) {
  GatherOptionsT options;
  const std::int32_t axis = g.between(0, value.rank() - 1);
  const std::int32_t extent = value.shape[static_cast<std::size_t>(axis)];
  Value indices;
  for (const Value& other : g.pool)
    if (other.type == TensorType_INT32 && other.low >= 0 && other.high < extent && other.rank() <= 3 && g.chance(2)) indices = other;
  const std::int32_t batches = indices.tensor < 0 && axis >= 1 && g.chance(4) ? 1 : 0;
  if (indices.tensor < 0) {
    Shape chosen = batches == 1  ? Shape{value.shape[0], g.between(1, 4)}
                   : g.chance(4) ? Shape{}
                   : g.chance(3) ? Shape{g.between(1, 3), g.between(1, 3)}
                                 : Shape{g.between(1, 9)};
    std::vector<std::int32_t> at(static_cast<std::size_t>(count(chosen)));
    for (std::int32_t& index : at) index = g.between(0, extent - 1);
    indices = g.indices(chosen, at);
  }
  options.axis = said(g, axis, value.rank());
  options.batch_dims = batches;
  Shape shape(value.shape.begin(), value.shape.begin() + axis);
  shape.insert(shape.end(), indices.shape.begin() + batches, indices.shape.end());
  shape.insert(shape.end(), value.shape.begin() + axis + 1, value.shape.end());
  return g.fits(shape) && shape.size() <= 6 && g.add(BuiltinOperator_GATHER, {value.tensor, indices.tensor}, {g.like(value, shape)}, options);
}

bool append_gather_nd(Growth& g, const Value& value) {
  const std::int32_t depth = g.between(1, value.rank());
  const std::int32_t rows = g.between(1, 6);
  std::vector<std::int32_t> at;
  for (std::int32_t row = 0; row < rows; ++row)
    for (std::int32_t d = 0; d < depth; ++d) at.push_back(g.between(0, value.shape[static_cast<std::size_t>(d)] - 1));
  Shape shape{rows};
  shape.insert(shape.end(), value.shape.begin() + depth, value.shape.end());
  return g.fits(shape) && g.add(BuiltinOperator_GATHER_ND, {value.tensor, g.indices({rows, depth}, at).tensor}, {g.like(value, shape)}, GatherNdOptionsT());
}

}  // namespace

std::vector<Kind> movement_kinds() {
  return {{"RESHAPE", 6, kAny, 0, 6, append_reshape},
          {"EXPAND_DIMS", 3, kAny, 0, 4, append_expand_dims},
          {"SQUEEZE", 3, kAny, 1, 6, append_squeeze},
          {"TRANSPOSE", 6, kAny, 1, 5, append_transpose},
          {"CONCATENATION", 6, kAny, 1, 5, append_concatenation},
          {"SLICE", 4, kAny, 1, 5, append_slice},
          {"STRIDED_SLICE", 4, kAny, 1, 5, append_strided_slice},
          {"SPLIT", 4, kAny, 1, 5, append_split},
          {"SPLIT_V", 4, kAny, 1, 5, append_split_v},
          {"PACK", 4, kAny, 1, 4, append_pack},
          {"UNPACK", 4, kAny, 1, 5, append_unpack},
          {"GATHER", 4, kAny, 1, 4, append_gather},
          {"GATHER_ND", 3, kAny, 1, 5, append_gather_nd}};
}

}  // namespace naru::generated
