// The field rules of every command, as abi/isa.h states them. The rules object keeps the first failure, so that a rule list reads as a list.

#include "fields.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <optional>

#include "naru/abi/weights.h"
#include "saturating.h"

namespace naru::verify {
namespace {

using abi::element_bytes;
using abi::ElementType;
using abi::Operand;

struct Range {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

/// The codes of an integer type.
Range codes_of(ElementType type) {
  switch (type) {
    case ElementType::kI8: return {-128, 127};
    case ElementType::kU8: return {0, 255};
    case ElementType::kI16: return {-32768, 32767};
    default: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  }
}

constexpr Range kShift{-31, 30};
constexpr Range kMultiplier{0, std::numeric_limits<std::int32_t>::max()};

class Rules {
 public:
  explicit Rules(const Subject& subject) : subject_(subject) {}

  void range(std::string_view field, std::int64_t value, Range allowed) {
    if (error_ || (value >= allowed.low && value <= allowed.high)) return;
    refuse(ErrorId::kStreamField, field, fmt::format("{} is {}; it must be from {} to {}", field, value, allowed.low, allowed.high));
  }

  void at_least_one(std::string_view field, std::uint64_t value) {
    if (error_ || value >= 1) return;
    refuse(ErrorId::kStreamField, field, fmt::format("{} is 0; it must be at least 1", field));
  }
  template <std::size_t N>
  void at_least_one(std::string_view field, const std::array<std::uint32_t, N>& values) {
    for (std::size_t i = 0; i < N; ++i)
      if (!error_ && values[i] == 0) refuse(ErrorId::kStreamField, field, fmt::format("{}[{}] is 0; it must be at least 1", field, i));
  }

  void unused(std::string_view field, std::int64_t value) {
    if (error_ || value == 0) return;
    refuse(ErrorId::kStreamReserved, field, fmt::format("{} is {}, but unused here: it must be 0", field, value));
  }
  void unused(std::string_view field, Operand operand) {
    if (error_ || operand.word == 0) return;
    refuse(ErrorId::kStreamReserved, field, fmt::format("{} is region {} byte {}, but unused here: it must be 0", field, operand.region(), operand.offset()));
  }

  void type(std::string_view field, ElementType value, std::initializer_list<ElementType> allowed) {
    if (error_ || std::ranges::find(allowed, value) != allowed.end()) return;
    std::string names;
    for (ElementType each : allowed) names += fmt::format("{}{}", names.empty() ? "" : ", ", abi::name_of(each));
    refuse(ErrorId::kStreamField, field, fmt::format("{} is {}; it must be one of {}", field, static_cast<unsigned>(value), names));
  }

  void aligned(std::string_view field, std::uint64_t value, std::uint64_t unit) {
    if (error_ || unit <= 1 || value % unit == 0) return;
    refuse(ErrorId::kStreamAlignment, field, fmt::format("{} is {}; it must be a multiple of {}", field, value, unit));
  }
  void aligned(std::string_view field, Operand operand, std::uint64_t unit) { aligned(field, operand.offset(), unit); }
  template <std::size_t N>
  void aligned(std::string_view field, const std::array<std::uint32_t, N>& values, std::uint64_t unit) {
    for (std::size_t i = 0; i < N; ++i)
      if (!error_ && unit > 1 && values[i] % unit != 0)
        refuse(ErrorId::kStreamAlignment, field, fmt::format("{}[{}] is {}; it must be a multiple of {}", field, i, values[i], unit));
  }

  /// activation_min and activation_max within the type's codes and in order.
  void clamp(ElementType type, std::int32_t low, std::int32_t high) {
    range("activation_min", low, codes_of(type));
    range("activation_max", high, codes_of(type));
    if (error_ || low <= high) return;
    refuse(ErrorId::kStreamField, "activation_min", fmt::format("activation_min is {}, above activation_max {}", low, high));
  }

  /// Zero point and clamp of a result that is written as `type`; accumulators have neither.
  void output(ElementType type, std::int32_t zero, std::int32_t low, std::int32_t high) {
    if (type == ElementType::kI32) {
      unused("output_zero", zero);
      unused("activation_min", low);
      unused("activation_max", high);
    } else {
      range("output_zero", zero, codes_of(type));
      clamp(type, low, high);
    }
  }

  void refuse(ErrorId id, std::string_view field, std::string_view what) {
    if (!error_) error_ = refusal(id, subject_, field, what);
  }
  [[nodiscard]] Result<void> result() && {
    if (error_) return fail(*std::move(error_));
    return {};
  }

 private:
  const Subject& subject_;
  std::optional<Error> error_;
};

void check(Rules&, const abi::End&) {}
void check(Rules&, const abi::Wait&) {}  // its engine and count are matters of order
void check(Rules&, const abi::Mark&) {}

void check(Rules& rules, const abi::Dma& c) {
  rules.at_least_one("row_bytes", c.row_bytes);
  rules.at_least_one("count", c.count);
}

void check(Rules& rules, const abi::Fill& c) {
  rules.type("type", c.type, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32});
  rules.range("value", c.value, codes_of(c.type));
  rules.at_least_one("row_bytes", c.row_bytes);
  rules.at_least_one("count", c.count);
  rules.aligned("row_bytes", c.row_bytes, element_bytes(c.type));
  rules.aligned("target", c.target, element_bytes(c.type));
  rules.aligned("target_stride", c.target_stride, element_bytes(c.type));
}

void check(Rules& rules, const abi::Move& c) {
  rules.type("type", c.type,
             {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32, ElementType::kF32, ElementType::kI64, ElementType::kBool});
  const std::uint64_t unit = element_bytes(c.type);
  rules.at_least_one("extent", c.extent);
  rules.aligned("input", c.input, unit);
  rules.aligned("input_stride", c.input_stride, unit);
  rules.aligned("output", c.output, unit);
  rules.aligned("output_stride", c.output_stride, unit);
}

/// What conv and depthwise have in common.
template <typename Window>
void check_window(Rules& rules, const Window& c) {
  rules.type("input_type", c.input_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16});
  rules.type("output_type", c.output_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32});
  const bool narrow_sums = c.weight_format == abi::WeightFormat::kDepthwiseI16;
  if (narrow_sums && c.input_type == ElementType::kU8) rules.refuse(ErrorId::kStreamField, "input_type", "input_type is u8, which weights of 16 bits do not take");
  if (!narrow_sums && c.input_type == ElementType::kI16 && c.output_type == ElementType::kI32)
    rules.refuse(ErrorId::kStreamField, "output_type", "output_type is i32, which cannot hold the 64-bit accumulators of an i16 input");
  rules.at_least_one("out_rows", c.out_rows);
  rules.at_least_one("out_cols", c.out_cols);
  rules.at_least_one("kernel_rows", c.kernel_rows);
  rules.at_least_one("kernel_cols", c.kernel_cols);
  rules.at_least_one("stride_rows", c.stride_rows);
  rules.at_least_one("stride_cols", c.stride_cols);
  rules.at_least_one("dilation_rows", c.dilation_rows);
  rules.at_least_one("dilation_cols", c.dilation_cols);
  rules.range("weight_zero", c.weight_zero, codes_of(ElementType::kI8));
  rules.output(c.output_type, c.output_zero, c.activation_min, c.activation_max);
  const std::uint64_t input_unit = element_bytes(c.input_type);
  const std::uint64_t output_unit = element_bytes(c.output_type);
  rules.aligned("input", c.input, input_unit);
  rules.aligned("input_row_stride", c.input_row_stride, input_unit);
  rules.aligned("input_pixel_stride", c.input_pixel_stride, input_unit);
  rules.aligned("weights", c.weights, abi::kWeightAlignment);
  rules.aligned("output", c.output, output_unit);
  rules.aligned("output_row_stride", c.output_row_stride, output_unit);
  rules.aligned("output_pixel_stride", c.output_pixel_stride, output_unit);
}

void check(Rules& rules, const abi::Conv& c) {
  check_window(rules, c);
  rules.range("weight_format", static_cast<std::uint8_t>(c.weight_format), {1, 1});
  rules.range("start", static_cast<std::uint8_t>(c.start), {0, 1});
  rules.at_least_one("out_channels", c.out_channels);
  rules.at_least_one("in_channels", c.in_channels);
  if (c.start == abi::Start::kPartial) {
    if (c.input_type == ElementType::kI16)
      rules.refuse(ErrorId::kStreamField, "start", "start is 1, but i32 partial sums cannot hold the 64-bit accumulators of an i16 input");
    rules.aligned("partial", c.partial, element_bytes(ElementType::kI32));
    rules.aligned("partial_row_stride", c.partial_row_stride, element_bytes(ElementType::kI32));
    rules.aligned("partial_pixel_stride", c.partial_pixel_stride, element_bytes(ElementType::kI32));
  } else {
    rules.unused("partial", c.partial);
    rules.unused("partial_row_stride", c.partial_row_stride);
    rules.unused("partial_pixel_stride", c.partial_pixel_stride);
  }
}

void check(Rules& rules, const abi::Depthwise& c) {
  check_window(rules, c);
  rules.range("weight_format", static_cast<std::uint8_t>(c.weight_format), {2, 3});
  rules.at_least_one("channels", c.channels);
  rules.at_least_one("channel_multiplier", c.channel_multiplier);
}

void check(Rules& rules, const abi::Elementwise& c) {
  using Op = abi::ElementwiseOp;
  rules.range("op", static_cast<std::uint8_t>(c.op), {1, 6});
  rules.type("type", c.type, {ElementType::kI8, ElementType::kU8, ElementType::kI16});
  rules.at_least_one("extent", c.extent);
  const bool raw = c.op == Op::kMinimum || c.op == Op::kMaximum;
  if (raw || c.op == Op::kMul) {
    rules.unused("left_shift", c.left_shift);
    rules.unused("a_shift", c.a_shift);
    rules.unused("b_shift", c.b_shift);
    rules.unused("a_multiplier", c.a_multiplier);
    rules.unused("b_multiplier", c.b_multiplier);
  } else {
    rules.range("left_shift", c.left_shift, {0, 20});
    rules.range("a_shift", c.a_shift, kShift);
    rules.range("b_shift", c.b_shift, kShift);
    rules.range("a_multiplier", c.a_multiplier, kMultiplier);
    rules.range("b_multiplier", c.b_multiplier, kMultiplier);
  }
  if (raw) {
    rules.unused("output_shift", c.output_shift);
    rules.unused("output_multiplier", c.output_multiplier);
    rules.unused("a_zero", c.a_zero);
    rules.unused("b_zero", c.b_zero);
    rules.unused("output_zero", c.output_zero);
  } else {
    rules.range("output_shift", c.output_shift, kShift);
    rules.range("output_multiplier", c.output_multiplier, kMultiplier);
    rules.range("a_zero", c.a_zero, codes_of(c.type));
    rules.range("b_zero", c.b_zero, codes_of(c.type));
    rules.range("output_zero", c.output_zero, codes_of(c.type));
  }
  rules.clamp(c.type, c.activation_min, c.activation_max);
  const std::uint64_t unit = element_bytes(c.type);
  rules.aligned("a", c.a, unit);
  rules.aligned("a_stride", c.a_stride, unit);
  rules.aligned("b", c.b, unit);
  rules.aligned("b_stride", c.b_stride, unit);
  rules.aligned("output", c.output, unit);
  rules.aligned("output_stride", c.output_stride, unit);
}

void check(Rules& rules, const abi::Requantize& c) {
  rules.type("input_type", c.input_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16, ElementType::kI32});
  rules.type("output_type", c.output_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16});
  rules.at_least_one("extent", c.extent);
  rules.range("shift", c.shift, kShift);
  rules.range("multiplier", c.multiplier, kMultiplier);
  rules.range("input_zero", c.input_zero, codes_of(c.input_type));
  rules.output(c.output_type, c.output_zero, c.activation_min, c.activation_max);
  rules.aligned("input", c.input, element_bytes(c.input_type));
  rules.aligned("input_stride", c.input_stride, element_bytes(c.input_type));
  rules.aligned("output", c.output, element_bytes(c.output_type));
  rules.aligned("output_stride", c.output_stride, element_bytes(c.output_type));
}

void check(Rules& rules, const abi::Table& c) {
  rules.type("type", c.type, {ElementType::kI8, ElementType::kU8});
  rules.at_least_one("extent", c.extent);
}

/// Both the first and the last window of one direction tap the image; those between begin and end between them.
void check_pool_window(Rules& rules, std::string_view pad_field, std::uint64_t pad, std::uint64_t kernel, std::uint64_t out, std::uint64_t stride,
                       std::uint64_t in) {
  if (pad >= kernel)
    rules.refuse(ErrorId::kStreamField, pad_field, fmt::format("{} is {}: the first window of {} taps has none inside the image", pad_field, pad, kernel));
  if (out > 0 && (out - 1) * stride >= in + pad)
    rules.refuse(ErrorId::kStreamField, pad_field,
                 fmt::format("window {} begins at {} with {} {}: it has no tap inside the image of {}", out - 1, (out - 1) * stride, pad_field, pad, in));
}

void check(Rules& rules, const abi::Pool& c) {
  rules.range("kind", static_cast<std::uint8_t>(c.kind), {1, 2});
  rules.type("type", c.type, {ElementType::kI8, ElementType::kU8, ElementType::kI16});
  rules.at_least_one("in_rows", c.in_rows);
  rules.at_least_one("in_cols", c.in_cols);
  rules.at_least_one("out_rows", c.out_rows);
  rules.at_least_one("out_cols", c.out_cols);
  rules.at_least_one("channels", c.channels);
  rules.at_least_one("kernel_rows", c.kernel_rows);
  rules.at_least_one("kernel_cols", c.kernel_cols);
  rules.at_least_one("stride_rows", c.stride_rows);
  rules.at_least_one("stride_cols", c.stride_cols);
  check_pool_window(rules, "pad_top", c.pad_top, c.kernel_rows, c.out_rows, c.stride_rows, c.in_rows);
  check_pool_window(rules, "pad_left", c.pad_left, c.kernel_cols, c.out_cols, c.stride_cols, c.in_cols);
  rules.clamp(c.type, c.activation_min, c.activation_max);
  const std::uint64_t unit = element_bytes(c.type);
  rules.aligned("input", c.input, unit);
  rules.aligned("input_row_stride", c.input_row_stride, unit);
  rules.aligned("input_pixel_stride", c.input_pixel_stride, unit);
  rules.aligned("output", c.output, unit);
  rules.aligned("output_row_stride", c.output_row_stride, unit);
  rules.aligned("output_pixel_stride", c.output_pixel_stride, unit);
}

void check(Rules& rules, const abi::Reduce& c) {
  rules.range("kind", static_cast<std::uint8_t>(c.kind), {1, 3});
  rules.type("input_type", c.input_type, {ElementType::kI8, ElementType::kU8, ElementType::kI16});
  const bool is_sum = c.kind == abi::ReduceKind::kSum;
  if (is_sum) {
    rules.type("output_type", c.output_type, {c.input_type, ElementType::kI32});
    rules.range("input_zero", c.input_zero, codes_of(c.input_type));
  } else {
    rules.type("output_type", c.output_type, {c.input_type});
    rules.unused("input_zero", c.input_zero);
  }
  if (is_sum && c.output_type != ElementType::kI32) {
    rules.range("shift", c.shift, kShift);
    rules.range("multiplier", c.multiplier, kMultiplier);
    rules.output(c.output_type, c.output_zero, c.activation_min, c.activation_max);
  } else {
    rules.unused("shift", c.shift);
    rules.unused("multiplier", c.multiplier);
    rules.unused("output_zero", c.output_zero);
    rules.unused("activation_min", c.activation_min);
    rules.unused("activation_max", c.activation_max);
  }
  rules.at_least_one("extent", c.extent);
  rules.range("reduced_dimensions", c.reduced_dimensions, {0, 15});
  for (std::size_t i = 0; i < c.extent.size(); ++i)
    if ((c.reduced_dimensions >> i & 1) != 0 && c.output_stride[i] != 0)
      rules.refuse(ErrorId::kStreamField, "output_stride", fmt::format("output_stride[{}] is {}; it must be 0 for a reduced dimension", i, c.output_stride[i]));
  rules.aligned("input", c.input, element_bytes(c.input_type));
  rules.aligned("input_stride", c.input_stride, element_bytes(c.input_type));
  rules.aligned("output", c.output, element_bytes(c.output_type));
  rules.aligned("output_stride", c.output_stride, element_bytes(c.output_type));
}

void check(Rules& rules, const abi::Softmax& c) {
  rules.type("type", c.type, {ElementType::kI8, ElementType::kU8});
  rules.range("left_shift", c.left_shift, {0, 30});
  rules.range("multiplier", c.multiplier, kMultiplier);
  rules.range("difference_min", c.difference_min, {std::numeric_limits<std::int32_t>::min(), 0});
  rules.at_least_one("rows", c.rows);
  rules.at_least_one("row_elements", c.row_elements);
}

void check(Rules& rules, const abi::Curve& c) {
  constexpr std::uint64_t kUnit = 2;
  rules.range("kind", static_cast<std::uint8_t>(c.kind), {1, 2});
  rules.range("shift", c.shift, {0, 31});
  rules.range("multiplier", c.multiplier, kMultiplier);
  rules.at_least_one("extent", c.extent);
  rules.aligned("input", c.input, kUnit);
  rules.aligned("input_stride", c.input_stride, kUnit);
  rules.aligned("table", c.table, kUnit);
  rules.aligned("output", c.output, kUnit);
  rules.aligned("output_stride", c.output_stride, kUnit);
}

void check(Rules& rules, const abi::Pack& c) {
  rules.type("input_type", c.input_type, {ElementType::kI8, ElementType::kU8});
  rules.at_least_one("channels", c.channels);
  rules.at_least_one("depth", c.depth);
  rules.range("shift", c.shift, kShift);
  rules.range("multiplier", c.multiplier, kMultiplier);
  rules.range("input_zero", c.input_zero, codes_of(ElementType::kI16));
  rules.range("weight_zero", c.weight_zero, codes_of(ElementType::kI8));
  rules.aligned("output", c.output, abi::kWeightAlignment);
}

void check(Rules& rules, const abi::Resize& c) {
  rules.type("type", c.type, {ElementType::kI8, ElementType::kI16});
  rules.at_least_one("in_rows", c.in_rows);
  rules.at_least_one("in_cols", c.in_cols);
  rules.at_least_one("out_rows", c.out_rows);
  rules.at_least_one("out_cols", c.out_cols);
  rules.at_least_one("channels", c.channels);
  const std::uint64_t unit = element_bytes(c.type);
  rules.aligned("input", c.input, unit);
  rules.aligned("input_row_stride", c.input_row_stride, unit);
  rules.aligned("input_pixel_stride", c.input_pixel_stride, unit);
  rules.aligned("output", c.output, unit);
  rules.aligned("output_row_stride", c.output_row_stride, unit);
  rules.aligned("output_pixel_stride", c.output_pixel_stride, unit);
}

template <typename... Counts>
std::uint64_t product(Counts... counts) {
  std::uint64_t total = 1;
  ((total = saturating_mul(total, counts)), ...);
  return total;
}
template <std::size_t N>
std::uint64_t product(const std::array<std::uint32_t, N>& counts) {
  return std::apply([](auto... each) { return product(each...); }, counts);
}

std::uint64_t steps(const abi::End&) { return 0; }
std::uint64_t steps(const abi::Wait&) { return 0; }
std::uint64_t steps(const abi::Mark&) { return 0; }
std::uint64_t steps(const abi::Dma& c) { return product(c.row_bytes, c.count[0], c.count[1], c.count[2]); }
std::uint64_t steps(const abi::Fill& c) { return product(c.row_bytes, c.count[0], c.count[1], c.count[2]); }
std::uint64_t steps(const abi::Conv& c) { return product(c.out_rows, c.out_cols, c.out_channels, c.kernel_rows, c.kernel_cols, c.in_channels); }
std::uint64_t steps(const abi::Depthwise& c) { return product(c.out_rows, c.out_cols, c.channels, c.kernel_rows, c.kernel_cols); }
std::uint64_t steps(const abi::Pool& c) { return product(c.out_rows, c.out_cols, c.channels, c.kernel_rows, c.kernel_cols); }
std::uint64_t steps(const abi::Softmax& c) { return product(c.rows, c.row_elements); }
std::uint64_t steps(const abi::Pack& c) { return product(std::uint64_t{c.channels} + 15, std::uint64_t{c.depth} + 3); }
std::uint64_t steps(const abi::Resize& c) { return product(c.out_rows, c.out_cols, c.channels, 4U); }
template <typename T>
std::uint64_t steps(const T& c) {
  return product(c.extent);
}

}  // namespace

Result<void> check_fields(const Subject& subject) {
  Rules rules(subject);
  std::visit([&](const auto& command) { check(rules, command); }, subject.command->body);
  return std::move(rules).result();
}

std::uint64_t steps_of(const abi::CommandBody& body) noexcept {
  return std::visit([](const auto& command) { return steps(command); }, body);
}

}  // namespace naru::verify
