// One predicate per command, in the order of abi/isa.h.
#include "core/field_rules.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "naru/base/bytes.h"

namespace naru::mockdev {
namespace {

using abi::ElementType;
using u64 = std::uint64_t;

constexpr std::initializer_list<ElementType> kActivations{ElementType::kI8, ElementType::kU8, ElementType::kI16};

bool one_of(ElementType type, std::initializer_list<ElementType> allowed) { return std::ranges::find(allowed, type) != allowed.end(); }

bool is_code(std::int64_t value, ElementType type) {
  switch (type) {
    case ElementType::kI8: return value >= -128 && value <= 127;
    case ElementType::kU8: return value >= 0 && value <= 255;
    case ElementType::kI16: return value >= -32768 && value <= 32767;
    default: return true;  // i32: every value of the field
  }
}
bool is_clamp(std::int32_t low, std::int32_t high, ElementType type) { return is_code(low, type) && is_code(high, type) && low <= high; }
bool is_shift(int shift) { return shift >= -31 && shift <= 30; }
template <typename... T>
bool positive(T... values) {
  return ((values >= 1) && ...);
}
template <std::size_t N>
bool positive(const std::array<std::uint32_t, N>& values) {
  return std::ranges::all_of(values, [](std::uint32_t value) { return value >= 1; });
}

struct Rules {
  std::string_view operator()(const abi::End&) const { return {}; }
  std::string_view operator()(const abi::Wait&) const { return {}; }  // its count is a matter of order
  std::string_view operator()(const abi::Mark&) const { return {}; }
  std::string_view operator()(const abi::Dma& c) const { return positive(c.row_bytes) && positive(c.count) ? "" : "an extent is 0"; }
  std::string_view operator()(const abi::Fill& c) const {
    if (!one_of(c.type, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32})) return "type";
    if (!is_code(c.value, c.type)) return "value is not in the type's range";
    if (!positive(c.row_bytes) || !positive(c.count)) return "an extent is 0";
    if (c.row_bytes % abi::element_bytes(c.type) != 0) return "row_bytes is no multiple of the element size";
    return {};
  }
  std::string_view operator()(const abi::Move& c) const {
    if (abi::element_bytes(c.type) == 0) return "type";
    return positive(c.extent) ? "" : "an extent is 0";
  }

  template <typename Window>
  static std::string_view window(const Window& c) {
    if (!one_of(c.input_type, kActivations)) return "input_type";
    if (!one_of(c.output_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32})) return "output_type";
    const bool narrow_sums = c.weight_format == abi::WeightFormat::kDepthwiseI16;
    if (narrow_sums && c.input_type == ElementType::kU8) return "16-bit weights take no u8 input";
    if (!narrow_sums && c.input_type == ElementType::kI16 && c.output_type == ElementType::kI32) return "i32 cannot hold 64-bit accumulators";
    if (!positive(c.out_rows, c.out_cols, c.kernel_rows, c.kernel_cols, c.stride_rows, c.stride_cols, c.dilation_rows, c.dilation_cols)) return "an extent is 0";
    if (!is_code(c.weight_zero, ElementType::kI8)) return "weight_zero";
    if (!is_code(c.output_zero, c.output_type)) return "output_zero";
    if (!is_clamp(c.activation_min, c.activation_max, c.output_type)) return "activation bounds";
    return {};
  }
  std::string_view operator()(const abi::Conv& c) const {
    if (!positive(c.out_channels, c.in_channels)) return "a channel count is 0";
    if (c.start != abi::Start::kRecords && c.start != abi::Start::kPartial) return "start";
    if (c.start == abi::Start::kPartial && c.input_type == ElementType::kI16) return "i32 partial sums cannot hold 64-bit accumulators";
    if (c.start == abi::Start::kRecords && (c.partial.word != 0 || c.partial_row_stride != 0 || c.partial_pixel_stride != 0)) return "partial is not used, but not 0";
    if (c.weight_format != abi::WeightFormat::kDenseI8) return "weight_format";
    return window(c);
  }
  std::string_view operator()(const abi::Depthwise& c) const {
    if (!positive(c.channels, c.channel_multiplier)) return "a channel count is 0";
    if (c.weight_format != abi::WeightFormat::kDepthwiseI8 && c.weight_format != abi::WeightFormat::kDepthwiseI16) return "weight_format";
    return window(c);
  }
  std::string_view operator()(const abi::Elementwise& c) const {
    if (c.op < abi::ElementwiseOp::kAdd || c.op > abi::ElementwiseOp::kSquaredDifference) return "op";
    if (!one_of(c.type, kActivations)) return "type";
    if (!positive(c.extent)) return "an extent is 0";
    if (c.left_shift > 20) return "left_shift";
    if (!is_shift(c.a_shift) || !is_shift(c.b_shift) || !is_shift(c.output_shift)) return "a shift is out of range";
    if (c.a_multiplier < 0 || c.b_multiplier < 0 || c.output_multiplier < 0) return "a multiplier is negative";
    if (!is_code(c.a_zero, c.type) || !is_code(c.b_zero, c.type) || !is_code(c.output_zero, c.type)) return "a zero point is out of range";
    return is_clamp(c.activation_min, c.activation_max, c.type) ? "" : "activation bounds";
  }
  std::string_view operator()(const abi::Requantize& c) const {
    if (!one_of(c.input_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32})) return "input_type";
    if (!one_of(c.output_type, kActivations)) return "output_type";
    if (!positive(c.extent)) return "an extent is 0";
    if (!is_shift(c.shift)) return "shift";
    if (c.multiplier < 0) return "multiplier";
    if (!is_code(c.input_zero, c.input_type) || !is_code(c.output_zero, c.output_type)) return "a zero point is out of range";
    return is_clamp(c.activation_min, c.activation_max, c.output_type) ? "" : "activation bounds";
  }
  std::string_view operator()(const abi::Table& c) const {
    if (!one_of(c.type, {ElementType::kI8, ElementType::kU8})) return "type";
    return positive(c.extent) ? "" : "an extent is 0";
  }
  /// pad < kernel gives the first window a tap inside; the last one must begin before the image ends.
  static bool every_window_taps(u64 out, u64 stride, u64 kernel, u64 pad, u64 in) { return pad < kernel && (out - 1) * stride < in + pad; }
  std::string_view operator()(const abi::Pool& c) const {
    if (c.kind != abi::PoolKind::kAverage && c.kind != abi::PoolKind::kMaximum) return "kind";
    if (!one_of(c.type, kActivations)) return "type";
    if (!positive(c.in_rows, c.in_cols, c.out_rows, c.out_cols, c.channels, c.kernel_rows, c.kernel_cols, c.stride_rows, c.stride_cols)) return "an extent is 0";
    if (!every_window_taps(c.out_rows, c.stride_rows, c.kernel_rows, c.pad_top, c.in_rows) ||
        !every_window_taps(c.out_cols, c.stride_cols, c.kernel_cols, c.pad_left, c.in_cols))
      return "a window has no tap inside the image";
    return is_clamp(c.activation_min, c.activation_max, c.type) ? "" : "activation bounds";
  }
  std::string_view operator()(const abi::Reduce& c) const {
    if (c.kind < abi::ReduceKind::kSum || c.kind > abi::ReduceKind::kMinimum) return "kind";
    if (!one_of(c.input_type, kActivations)) return "input_type";
    const bool raw_sum = c.kind == abi::ReduceKind::kSum && c.output_type == ElementType::kI32;
    if (!raw_sum && c.output_type != c.input_type) return "output_type";
    if (!positive(c.extent)) return "an extent is 0";
    if (c.reduced_dimensions > 15) return "reduced_dimensions";
    for (std::size_t i = 0; i < 4; ++i)
      if ((c.reduced_dimensions >> i & 1) != 0 && c.output_stride[i] != 0) return "a reduced dimension has an output stride";
    if (!is_shift(c.shift)) return "shift";
    if (c.multiplier < 0) return "multiplier";
    if (!is_code(c.input_zero, c.input_type) || !is_code(c.output_zero, c.output_type)) return "a zero point is out of range";
    return is_clamp(c.activation_min, c.activation_max, c.output_type) ? "" : "activation bounds";
  }
  std::string_view operator()(const abi::Softmax& c) const {
    if (!one_of(c.type, {ElementType::kI8, ElementType::kU8})) return "type";
    if (!positive(c.rows, c.row_elements)) return "an extent is 0";
    if (c.left_shift < 0 || c.left_shift > 30) return "left_shift";
    if (c.multiplier < 0) return "multiplier";
    return c.difference_min <= 0 ? "" : "difference_min";
  }
  std::string_view operator()(const abi::Curve& c) const {
    if (c.kind != abi::CurveKind::kSigmoid && c.kind != abi::CurveKind::kTanh) return "kind";
    if (c.shift > 31) return "shift";
    if (c.multiplier < 0) return "multiplier";
    return positive(c.extent) ? "" : "an extent is 0";
  }
  std::string_view operator()(const abi::Pack& c) const {
    if (!one_of(c.input_type, {ElementType::kI8, ElementType::kU8})) return "input_type";
    if (!positive(c.channels, c.depth)) return "an extent is 0";
    if (!is_shift(c.shift)) return "shift";
    if (c.multiplier < 0) return "multiplier";
    if (!is_code(c.weight_zero, ElementType::kI8)) return "weight_zero";
    return is_code(c.input_zero, ElementType::kI16) ? "" : "input_zero";
  }
  std::string_view operator()(const abi::Resize& c) const {
    if (!one_of(c.type, {ElementType::kI8, ElementType::kI16})) return "type";
    return positive(c.in_rows, c.in_cols, c.out_rows, c.out_cols, c.channels) ? "" : "an extent is 0";
  }
};

struct Steps {
  template <typename... T>
  static u64 product(T... factors) {
    u64 total = 1;
    for (const u64 factor : {static_cast<u64>(factors)...}) total = checked_mul(total, factor).value_or(std::numeric_limits<u64>::max());
    return total;
  }
  template <std::size_t N>
  static u64 product_of(const std::array<std::uint32_t, N>& factors, u64 first = 1) {
    for (const u64 factor : factors) first = checked_mul(first, factor).value_or(std::numeric_limits<u64>::max());
    return first;
  }
  u64 operator()(const abi::End&) const { return 0; }
  u64 operator()(const abi::Wait&) const { return 0; }
  u64 operator()(const abi::Mark&) const { return 0; }
  u64 operator()(const abi::Dma& c) const { return product_of(c.count, c.row_bytes); }
  u64 operator()(const abi::Fill& c) const { return product_of(c.count, c.row_bytes); }
  u64 operator()(const abi::Conv& c) const { return product(c.out_rows, c.out_cols, c.out_channels, c.kernel_rows, c.kernel_cols, u64{c.in_channels} + 3); }
  u64 operator()(const abi::Depthwise& c) const { return product(c.out_rows, c.out_cols, c.channels, c.kernel_rows, c.kernel_cols); }
  u64 operator()(const abi::Pool& c) const { return product(c.out_rows, c.out_cols, c.channels, c.kernel_rows, c.kernel_cols); }
  u64 operator()(const abi::Softmax& c) const { return product(c.rows, c.row_elements); }
  u64 operator()(const abi::Pack& c) const { return product(u64{c.channels} + 15, u64{c.depth} + 3); }
  u64 operator()(const abi::Resize& c) const { return product(c.out_rows, c.out_cols, c.channels, 4); }
  template <typename T>
  u64 operator()(const T& c) const {
    return product_of(c.extent);
  }
};

}  // namespace

std::string_view field_fault(const abi::CommandBody& body) noexcept { return std::visit(Rules{}, body); }

u64 steps_of(const abi::CommandBody& body) noexcept { return std::visit(Steps{}, body); }

}  // namespace naru::mockdev
