// What repeats elements: tiles, broadcasts, fills, to shapes that the file says or that are computed; and a tensor's shape as numbers.
#include <algorithm>

#include "generator.h"
#include "open_findings.h"

namespace naru::generated {
namespace {

using namespace naru::sdk::tflite;  // NOLINT: the file is about these tables

bool append_shape(Growth& g, const Value& value) {
  g.shape_of(value);
  return true;
}

bool append_tile(Growth& g, const Value& value) {
  Shape repeats, shape = value.shape;
  for (std::int32_t& extent : shape) {
    repeats.push_back(g.chance(2) ? 1 : g.between(1, 3));
    extent *= repeats.back();
  }
  return g.fits(shape) && g.add(BuiltinOperator_TILE, {value.tensor, g.indices({value.rank()}, repeats).tensor}, {g.like(value, shape)}, TileOptionsT());
}

/// Whether `from` broadcasts to `to` as it is.
bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  const auto fits = [](std::int32_t a, std::int32_t b) { return a == 1 || a == b; };
  return std::equal(from.rbegin(), from.rend(), to.rbegin(), fits);
}

bool append_broadcast_to(Growth& g, const Value& value) {
  Shape shape = value.shape;
  for (const Value& other : g.pool)
    if (broadcasts_to(value.shape, other.shape) && other.rank() <= 5 && g.chance(3)) shape = other.shape;
  if (shape == value.shape) {
    for (std::int32_t& extent : shape)
      if (extent == 1 && g.chance(2)) extent = g.between(1, 5);
    while ((shape.empty() && !kMakesScalarsByList) || (shape.size() < 5 && g.chance(2))) shape.insert(shape.begin(), g.between(1, 4));
  }
  if (!g.fits(shape)) return false;
  const int numbers = g.numbers(shape);
  return g.add(BuiltinOperator_BROADCAST_TO, {value.tensor, numbers}, {g.like(value, shape)}, BroadcastToOptionsT());
}

bool append_fill(Growth& g, const Value& value) {
  const bool is_one = count(value.shape) == 1 && value.rank() <= 1;
  const Value filler = is_one ? value : g.partner(value, g.chance(3) ? Shape{1} : Shape{}, true);
  Shape shape = g.any_shape(g.between(kMakesScalarsByList ? 0 : 1, 4));
  if (const Value& other = g.pool[g.random.below(g.pool.size())]; other.rank() > 0 && g.chance(3)) shape = other.shape;
  const int numbers = g.numbers(shape);
  return g.add(BuiltinOperator_FILL, {numbers, filler.tensor}, {g.like(filler, shape)}, FillOptionsT());
}

}  // namespace

std::vector<Kind> repeat_kinds() {
  return {{"TILE", 3, kAny, 1, 5, append_tile},
          {"BROADCAST_TO", 4, kAny, 0, 5, append_broadcast_to},
          {"SHAPE", 1, kAny, 1, 5, append_shape},
          {"FILL", 3, kAny, 0, 5, append_fill}};
}

}  // namespace naru::generated
