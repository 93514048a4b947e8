// Arithmetic of strided boxes: extents that saturate instead of wrapping, and the test whether two of them share a byte.

#include <algorithm>
#include <limits>
#include <numeric>

#include "naru/verify/footprint.h"
#include "saturating.h"

namespace naru::verify {

void StridedBox::add(std::uint64_t count, std::uint64_t stride) noexcept {
  if (count == 1 || rank == kRankMax) return;
  dimensions[rank++] = {count, stride};
}

bool StridedBox::empty() const noexcept {
  return row_bytes == 0 || std::ranges::any_of(loops(), [](const Dimension& loop) { return loop.count == 0; });
}

std::uint64_t StridedBox::end() const noexcept {
  if (empty()) return offset;
  std::uint64_t end = saturating_add(offset, row_bytes);
  for (const Dimension& loop : loops()) end = saturating_add(end, saturating_mul(loop.count - 1, loop.stride));
  return end;
}

std::uint64_t StridedBox::bytes() const noexcept {
  std::uint64_t bytes = row_bytes;
  for (const Dimension& loop : loops()) bytes = saturating_mul(bytes, loop.count);
  return bytes;
}

namespace {

/// Ascending; at most four of them, so by insertion.
void sort_by_stride(std::span<Dimension> loops) noexcept {
  for (std::size_t i = 1; i < loops.size(); ++i)
    for (std::size_t j = i; j > 0 && loops[j].stride < loops[j - 1].stride; --j) std::swap(loops[j], loops[j - 1]);
}

void erase(StridedBox& box, unsigned at) noexcept {
  for (unsigned i = at; i + 1 < box.rank; ++i) box.dimensions[i] = box.dimensions[i + 1];
  box.dimensions[--box.rank] = {};
}

/// One simplification that keeps the set of bytes; dimensions are sorted by ascending stride.
bool simplify(StridedBox& box) noexcept {
  if (box.rank == 0) return false;
  const Dimension first = box.dimensions[0];
  if (first.stride <= box.row_bytes) {
    box.row_bytes += (first.count - 1) * first.stride;
    erase(box, 0);
    return true;
  }
  for (unsigned i = 0; i + 1 < box.rank; ++i) {
    Dimension& inner = box.dimensions[i];
    const Dimension outer = box.dimensions[i + 1];
    if (outer.stride % inner.stride != 0 || outer.stride / inner.stride > inner.count) continue;
    inner.count += (outer.count - 1) * (outer.stride / inner.stride);
    erase(box, i + 1);
    return true;
  }
  return false;
}

/// A box without its outermost `skipped` loops.
struct View {
  std::uint64_t offset = 0;
  const StridedBox* box = nullptr;
  unsigned skipped = 0;

  [[nodiscard]] bool is_row() const noexcept { return skipped == box->rank; }
  [[nodiscard]] const Dimension& outer() const noexcept { return box->dimensions[skipped]; }
  [[nodiscard]] std::uint64_t span() const noexcept {
    std::uint64_t span = box->row_bytes;
    for (unsigned i = skipped; i < box->rank; ++i) span += (box->dimensions[i].count - 1) * box->dimensions[i].stride;
    return span;
  }
};

/// Proves that two boxes are apart because they are apart modulo the common divisor of their outer strides: channel slices of one tensor,
/// column tiles of one image. Says nothing when it cannot.
bool apart_by_residue(const StridedBox& a, const StridedBox& b) noexcept {
  std::uint64_t divisor_a = 0;
  for (unsigned i = 0; i <= a.rank; ++i) {
    if (i > 0) divisor_a = std::gcd(divisor_a, a.dimensions[i - 1].stride);
    const std::uint64_t span_a = View{0, &a, i}.span();
    std::uint64_t divisor = divisor_a;
    for (unsigned j = 0; j <= b.rank; ++j) {
      if (j > 0) divisor = std::gcd(divisor, b.dimensions[j - 1].stride);
      if (divisor == 0) continue;
      const std::uint64_t span_b = View{0, &b, j}.span();
      const std::uint64_t residue_a = a.offset % divisor;
      const std::uint64_t residue_b = b.offset % divisor;
      const std::uint64_t distance = residue_a >= residue_b ? residue_a - residue_b : residue_a + divisor - residue_b;
      if (distance >= span_b && span_a <= divisor - distance) return true;
    }
  }
  return false;
}

bool meet(View a, View b, std::uint64_t& steps) noexcept {
  if (steps == 0) return true;
  --steps;
  std::uint64_t span_a = a.span();
  std::uint64_t span_b = b.span();
  if (a.offset + span_a <= b.offset || b.offset + span_b <= a.offset) return false;
  if (a.is_row() && b.is_row()) return true;
  if (a.is_row() || (!b.is_row() && span_b > span_a)) {
    std::swap(a, b);
    std::swap(span_a, span_b);
  }
  const Dimension loop = a.outer();
  const View inner{a.offset, a.box, a.skipped + 1};
  const std::uint64_t inner_span = inner.span();
  // Only these steps can touch b: those that end after it begins, up to the last that begins before it ends.
  const std::uint64_t first = a.offset + inner_span > b.offset ? 0 : (b.offset - a.offset - inner_span) / loop.stride + 1;
  const std::uint64_t last = std::min(loop.count - 1, (b.offset + span_b - a.offset - 1) / loop.stride);
  for (std::uint64_t i = first; i <= last; ++i)
    if (meet({a.offset + i * loop.stride, a.box, a.skipped + 1}, b, steps)) return true;
  return false;
}

}  // namespace

StridedBox normalized(const StridedBox& box) noexcept {
  StridedBox result{box.offset, box.row_bytes, {}, 0};
  for (const Dimension& loop : box.loops())
    if (loop.stride != 0 || loop.count == 0) result.add(loop.count, loop.stride);
  if (result.empty()) return {box.offset, 0, {}, 0};
  sort_by_stride(std::span(result.dimensions).first(result.rank));
  while (simplify(result)) {
  }
  std::reverse(result.dimensions.begin(), result.dimensions.begin() + result.rank);
  return result;
}

bool overlap(const StridedBox& a, const StridedBox& b, std::uint64_t& steps) noexcept {
  if (a.empty() || b.empty() || a.end() <= b.offset || b.end() <= a.offset) return false;
  const StridedBox x = normalized(a);
  const StridedBox y = normalized(b);
  if (apart_by_residue(x, y)) return false;
  return meet({x.offset, &x, 0}, {y.offset, &y, 0}, steps);
}

bool visits_once(const StridedBox& box) noexcept {
  std::array<Dimension, StridedBox::kRankMax> loops = box.dimensions;
  sort_by_stride(std::span(loops).first(box.rank));
  std::uint64_t span = box.row_bytes;
  for (unsigned i = 0; i < box.rank; ++i) {
    if (loops[i].stride < span) return false;
    span = saturating_add(span, saturating_mul(loops[i].count - 1, loops[i].stride));
  }
  return true;
}

}  // namespace naru::verify
