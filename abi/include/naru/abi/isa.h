// The instruction set: every command as a described record, with its meaning as a loop nest. Cycle formulas stand in cycles.h.
//
// Rules that hold for all commands
// - Only DMA engines reach DRAM. Every other operand is in a region of kind SRAM.
// - Extents are counts (at least 1 unless said otherwise); strides and offsets are bytes, never negative.
// - requant(v, m, s) is numerics 1: MBQM with double rounding, s > 0 shifts left first. clamp to [activation_min, activation_max].
// - Operands and strides of multi-byte elements are multiples of the element size. Weight operands are 64-byte aligned.
// - A command's output must not overlap its inputs, except that elementwise, requantise, table, curve and softmax may write exactly
//   over an input of the same shape, strides and element size.
// - An unused operand (partial when not used) and unused fields are zero.
#pragma once

#include <array>
#include <variant>
#include <vector>

#include "naru/abi/types.h"

namespace naru::abi {

enum class Opcode : std::uint8_t {
  kEnd = 0x01, kWait = 0x02, kMark = 0x03,
  kDma = 0x10, kFill = 0x11, kMove = 0x12,
  kConv = 0x20, kDepthwise = 0x21,
  kElementwise = 0x30, kRequantize = 0x31, kTable = 0x32, kCurve = 0x33, kPack = 0x34,
  kPool = 0x38, kReduce = 0x39, kSoftmax = 0x3A, kResize = 0x3B,
};

/// Opens every command. Eight bytes.
struct CommandHeader {
  Opcode opcode = Opcode::kEnd;
  Engine engine = Engine::kNone;
  std::uint16_t size_words = 0;
  std::uint32_t source = 0;
  friend constexpr bool operator==(const CommandHeader&, const CommandHeader&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"opcode", &CommandHeader::opcode, "Which command."}, Field{"engine", &CommandHeader::engine, "Which engine executes it; 255 for END."},
                      Field{"size_words", &CommandHeader::size_words, "Size of the whole command in 8-byte words."},
                      Field{"source", &CommandHeader::source, "Operator of the model it comes from; for profiles only."}};
  }
};

/// Closes the stream, exactly once, as its last command. The job is done when every engine has retired all that came before.
struct End {
  static constexpr Opcode kOpcode = Opcode::kEnd;
  static constexpr std::string_view kName = "end";
  friend constexpr bool operator==(const End&, const End&) = default;
  static constexpr auto fields() { return std::tuple{}; }
};

/// Stalls the engine that executes it until engine `on` has retired `count` commands since the job's start. WAIT and MARK
/// are not counted as retired, cost no cycles, and `on` differs from the executing engine.
struct Wait {
  static constexpr Opcode kOpcode = Opcode::kWait;
  static constexpr std::string_view kName = "wait";
  Engine on = Engine::kNone;
  Reserved<3> reserved;
  std::uint32_t count = 0;
  friend constexpr bool operator==(const Wait&, const Wait&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"on", &Wait::on, "Whose count is waited for."}, Field{"reserved", &Wait::reserved, ""},
                      Field{"count", &Wait::count, "Retired commands, at least 1."}};
  }
};

/// Notes the time at which the executing engine reaches it. No effect on data; no cycles.
struct Mark {
  static constexpr Opcode kOpcode = Opcode::kMark;
  static constexpr std::string_view kName = "mark";
  std::uint32_t id = 0;
  Reserved<4> reserved;
  friend constexpr bool operator==(const Mark&, const Mark&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"id", &Mark::id, "Free for the compiler."}, Field{"reserved", &Mark::reserved, ""}};
  }
};

/// for i, j, k: target[i, j, k][0 .. row_bytes) = source[i, j, k][0 .. row_bytes)      any memory to any memory; on a DMA engine
struct Dma {
  static constexpr Opcode kOpcode = Opcode::kDma;
  static constexpr std::string_view kName = "dma";
  Operand source, target;
  std::uint32_t row_bytes = 0;
  std::array<std::uint32_t, 3> count{1, 1, 1};
  std::array<std::uint32_t, 3> source_stride{}, target_stride{};
  friend constexpr bool operator==(const Dma&, const Dma&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"source", &Dma::source, "First byte read."}, Field{"target", &Dma::target, "First byte written."},
                      Field{"row_bytes", &Dma::row_bytes, "Contiguous bytes per row."}, Field{"count", &Dma::count, "Rows, outermost dimension first."},
                      Field{"source_stride", &Dma::source_stride, "Bytes between rows, per dimension."},
                      Field{"target_stride", &Dma::target_stride, "Bytes between rows, per dimension."}};
  }
};

/// for i, j, k, e: target[i, j, k][e] = value      SRAM; on a DMA engine or the vector engine
struct Fill {
  static constexpr Opcode kOpcode = Opcode::kFill;
  static constexpr std::string_view kName = "fill";
  Operand target;
  std::int32_t value = 0;
  ElementType type = ElementType::kI8;
  Reserved<3> reserved;
  std::uint32_t row_bytes = 0;
  std::array<std::uint32_t, 3> count{1, 1, 1};
  std::array<std::uint32_t, 3> target_stride{};
  Reserved<4> reserved2;
  friend constexpr bool operator==(const Fill&, const Fill&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"target", &Fill::target, "First byte written."}, Field{"value", &Fill::value, "In the range of the type."},
                      Field{"type", &Fill::type, "i8, u8, i16 or i32."}, Field{"reserved", &Fill::reserved, ""},
                      Field{"row_bytes", &Fill::row_bytes, "Contiguous bytes per row, a multiple of the element size."},
                      Field{"count", &Fill::count, "Rows, outermost dimension first."}, Field{"target_stride", &Fill::target_stride, "Bytes between rows."},
                      Field{"reserved2", &Fill::reserved2, ""}};
  }
};

/// for i in extent: output[i] = input[i]      transpose, slice and pad as one strided copy; on the vector engine
struct Move {
  static constexpr Opcode kOpcode = Opcode::kMove;
  static constexpr std::string_view kName = "move";
  Operand input, output;
  ElementType type = ElementType::kI8;
  Reserved<7> reserved;
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1}, input_stride{}, output_stride{};
  friend constexpr bool operator==(const Move&, const Move&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Move::input, "First element."}, Field{"output", &Move::output, "First element."},
                      Field{"type", &Move::type, "Only its size matters."}, Field{"reserved", &Move::reserved, ""},
                      Field{"extent", &Move::extent, "Elements per dimension, outermost first."}, Field{"input_stride", &Move::input_stride, "Bytes."},
                      Field{"output_stride", &Move::output_stride, "Bytes."}};
  }
};

enum class Start : std::uint8_t { kRecords = 0, kPartial = 1 };

/// Convolution; with a 1x1 kernel and out_rows = 1, the matrix product [out_cols, in_channels] x [in_channels, out_channels].
/// for r, q, c:  a = start == kPartial ? partial[r, q, c] : weights.start[c]
///   for y < kernel_rows, x < kernel_cols, i < in_channels:
///     a += (input[r * stride_rows + y * dilation_rows, q * stride_cols + x * dilation_cols, i]) * (w[c, y, x, i] - weight_zero)
///   output[r, q, c] = output_type == i32 ? a : clamp(requant(a, multiplier[c], shift[c]) + output_zero)
/// The input already holds its padding (bytes equal to the input zero point). int16 inputs accumulate in 64 bits and follow numerics 5.
/// With start == kPartial the weights' start values are not used. i8 and u8 inputs accumulate in 32 bits, which wrap.
struct Conv {
  static constexpr Opcode kOpcode = Opcode::kConv;
  static constexpr std::string_view kName = "conv";
  Operand input, weights, output, partial;
  ElementType input_type = ElementType::kI8, output_type = ElementType::kI8;
  WeightFormat weight_format = WeightFormat::kDenseI8;
  Start start = Start::kRecords;
  std::uint32_t out_rows = 1, out_cols = 1, out_channels = 1, in_channels = 1;
  std::uint16_t kernel_rows = 1, kernel_cols = 1, stride_rows = 1, stride_cols = 1, dilation_rows = 1, dilation_cols = 1;
  std::uint32_t input_row_stride = 0, input_pixel_stride = 0, output_row_stride = 0, output_pixel_stride = 0, partial_row_stride = 0,
                partial_pixel_stride = 0;
  std::int32_t weight_zero = 0, output_zero = 0, activation_min = 0, activation_max = 0;
  friend constexpr bool operator==(const Conv&, const Conv&) = default;
  static constexpr auto fields() {
    return std::tuple{
        Field{"input", &Conv::input, "Pixel (0, 0), channel 0, of the padded input."}, Field{"weights", &Conv::weights, "dense_i8 (weights.h)."},
        Field{"output", &Conv::output, "Pixel (0, 0), channel 0."}, Field{"partial", &Conv::partial, "i32 start values when start is 1."},
        Field{"input_type", &Conv::input_type, "i8, u8 or i16."}, Field{"output_type", &Conv::output_type, "i8, u8, i16, or i32 for accumulators."},
        Field{"weight_format", &Conv::weight_format, "1: dense_i8."}, Field{"start", &Conv::start, "0: from the weights' start values, 1: from partial."},
        Field{"out_rows", &Conv::out_rows, ""}, Field{"out_cols", &Conv::out_cols, ""}, Field{"out_channels", &Conv::out_channels, ""},
        Field{"in_channels", &Conv::in_channels, ""}, Field{"kernel_rows", &Conv::kernel_rows, ""}, Field{"kernel_cols", &Conv::kernel_cols, ""},
        Field{"stride_rows", &Conv::stride_rows, ""}, Field{"stride_cols", &Conv::stride_cols, ""}, Field{"dilation_rows", &Conv::dilation_rows, ""},
        Field{"dilation_cols", &Conv::dilation_cols, ""}, Field{"input_row_stride", &Conv::input_row_stride, "Bytes."},
        Field{"input_pixel_stride", &Conv::input_pixel_stride, "Bytes."}, Field{"output_row_stride", &Conv::output_row_stride, "Bytes."},
        Field{"output_pixel_stride", &Conv::output_pixel_stride, "Bytes."}, Field{"partial_row_stride", &Conv::partial_row_stride, "Bytes."},
        Field{"partial_pixel_stride", &Conv::partial_pixel_stride, "Bytes."}, Field{"weight_zero", &Conv::weight_zero, "Zero point of the stored weights."},
        Field{"output_zero", &Conv::output_zero, ""}, Field{"activation_min", &Conv::activation_min, ""}, Field{"activation_max", &Conv::activation_max, ""}};
  }
};

/// for r, q, c:  a = weights.start[c];  i = c / channel_multiplier
///   for y, x: a += input[r * stride_rows + y * dilation_rows, q * stride_cols + x * dilation_cols, i] * (w[c, y, x] - weight_zero)
///   output[r, q, c] = output_type == i32 ? a : clamp(requant(a, multiplier[c], shift[c]) + output_zero)
/// With depthwise_i8, int16 inputs accumulate in 64 bits and follow numerics 5. With depthwise_i16 (input i8 or i16), every input accumulates in 32 bits,
/// which wrap, every output type follows requant, and i32 outputs are allowed for int16 inputs too.
struct Depthwise {
  static constexpr Opcode kOpcode = Opcode::kDepthwise;
  static constexpr std::string_view kName = "depthwise";
  Operand input, weights, output;
  ElementType input_type = ElementType::kI8, output_type = ElementType::kI8;
  WeightFormat weight_format = WeightFormat::kDepthwiseI8;
  Reserved<1> reserved;
  std::uint32_t out_rows = 1, out_cols = 1, channels = 1, channel_multiplier = 1;
  std::uint16_t kernel_rows = 1, kernel_cols = 1, stride_rows = 1, stride_cols = 1, dilation_rows = 1, dilation_cols = 1;
  std::uint32_t input_row_stride = 0, input_pixel_stride = 0, output_row_stride = 0, output_pixel_stride = 0;
  std::int32_t weight_zero = 0, output_zero = 0, activation_min = 0, activation_max = 0;
  friend constexpr bool operator==(const Depthwise&, const Depthwise&) = default;
  static constexpr auto fields() {
    return std::tuple{
        Field{"input", &Depthwise::input, "Pixel (0, 0), channel 0, of the padded input."}, Field{"weights", &Depthwise::weights, "depthwise_i8 or depthwise_i16 (weights.h)."},
        Field{"output", &Depthwise::output, "Pixel (0, 0), channel 0."}, Field{"input_type", &Depthwise::input_type, "i8, u8 or i16."},
        Field{"output_type", &Depthwise::output_type, "i8, u8, i16, or i32 for accumulators."}, Field{"weight_format", &Depthwise::weight_format, "2: depthwise_i8, 3: depthwise_i16."},
        Field{"reserved", &Depthwise::reserved, ""}, Field{"out_rows", &Depthwise::out_rows, ""}, Field{"out_cols", &Depthwise::out_cols, ""},
        Field{"channels", &Depthwise::channels, "Output channels."}, Field{"channel_multiplier", &Depthwise::channel_multiplier, "Output channels per input channel."},
        Field{"kernel_rows", &Depthwise::kernel_rows, ""}, Field{"kernel_cols", &Depthwise::kernel_cols, ""}, Field{"stride_rows", &Depthwise::stride_rows, ""},
        Field{"stride_cols", &Depthwise::stride_cols, ""}, Field{"dilation_rows", &Depthwise::dilation_rows, ""},
        Field{"dilation_cols", &Depthwise::dilation_cols, ""}, Field{"input_row_stride", &Depthwise::input_row_stride, "Bytes."},
        Field{"input_pixel_stride", &Depthwise::input_pixel_stride, "Bytes."}, Field{"output_row_stride", &Depthwise::output_row_stride, "Bytes."},
        Field{"output_pixel_stride", &Depthwise::output_pixel_stride, "Bytes."}, Field{"weight_zero", &Depthwise::weight_zero, "Zero point of the stored weights, in i8."},
        Field{"output_zero", &Depthwise::output_zero, ""}, Field{"activation_min", &Depthwise::activation_min, ""},
        Field{"activation_max", &Depthwise::activation_max, ""}};
  }
};

enum class ElementwiseOp : std::uint8_t { kAdd = 1, kSub = 2, kMul = 3, kMinimum = 4, kMaximum = 5, kSquaredDifference = 6 };

/// for i in extent:
///   x = a[i] - a_zero;  y = b[i] - b_zero
///   add, sub, squared difference:  x = requant(x << left_shift, a_multiplier, a_shift);  y likewise;  v = x + y | x - y | (x - y)^2
///   mul:  v = x * y
///   output[i] = clamp(requant(v, output_multiplier, output_shift) + output_zero)
///   minimum, maximum:  output[i] = min | max (a[i], b[i]), raw codes, clamped; multipliers unused
/// Broadcasting is a stride of 0.
struct Elementwise {
  static constexpr Opcode kOpcode = Opcode::kElementwise;
  static constexpr std::string_view kName = "elementwise";
  Operand a, b, output;
  ElementwiseOp op = ElementwiseOp::kAdd;
  ElementType type = ElementType::kI8;
  std::uint8_t left_shift = 0;
  std::int8_t a_shift = 0, b_shift = 0, output_shift = 0;
  Reserved<2> reserved;
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1}, a_stride{}, b_stride{}, output_stride{};
  std::int32_t a_zero = 0, b_zero = 0, output_zero = 0, a_multiplier = 0, b_multiplier = 0, output_multiplier = 0, activation_min = 0, activation_max = 0;
  friend constexpr bool operator==(const Elementwise&, const Elementwise&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"a", &Elementwise::a, "First element."}, Field{"b", &Elementwise::b, "First element."},
                      Field{"output", &Elementwise::output, "First element."}, Field{"op", &Elementwise::op, "1 add, 2 sub, 3 mul, 4 minimum, 5 maximum, 6 squared difference."},
                      Field{"type", &Elementwise::type, "Of all three: i8, u8 or i16."}, Field{"left_shift", &Elementwise::left_shift, "At most 20."},
                      Field{"a_shift", &Elementwise::a_shift, "-31 to 30."}, Field{"b_shift", &Elementwise::b_shift, "-31 to 30."},
                      Field{"output_shift", &Elementwise::output_shift, "-31 to 30."}, Field{"reserved", &Elementwise::reserved, ""},
                      Field{"extent", &Elementwise::extent, "Elements per dimension, outermost first."}, Field{"a_stride", &Elementwise::a_stride, "Bytes; 0 repeats."},
                      Field{"b_stride", &Elementwise::b_stride, "Bytes; 0 repeats."}, Field{"output_stride", &Elementwise::output_stride, "Bytes."},
                      Field{"a_zero", &Elementwise::a_zero, ""}, Field{"b_zero", &Elementwise::b_zero, ""}, Field{"output_zero", &Elementwise::output_zero, ""},
                      Field{"a_multiplier", &Elementwise::a_multiplier, "Q31."}, Field{"b_multiplier", &Elementwise::b_multiplier, "Q31."},
                      Field{"output_multiplier", &Elementwise::output_multiplier, "Q31."}, Field{"activation_min", &Elementwise::activation_min, ""},
                      Field{"activation_max", &Elementwise::activation_max, ""}};
  }
};

/// for i in extent: output[i] = clamp(requant(input[i] - input_zero, multiplier, shift) + output_zero)
struct Requantize {
  static constexpr Opcode kOpcode = Opcode::kRequantize;
  static constexpr std::string_view kName = "requantize";
  Operand input, output;
  ElementType input_type = ElementType::kI8, output_type = ElementType::kI8;
  std::int8_t shift = 0;
  Reserved<5> reserved;
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1}, input_stride{}, output_stride{};
  std::int32_t input_zero = 0, multiplier = 0, output_zero = 0, activation_min = 0, activation_max = 0;
  Reserved<4> reserved2;
  friend constexpr bool operator==(const Requantize&, const Requantize&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Requantize::input, "First element."}, Field{"output", &Requantize::output, "First element."},
                      Field{"input_type", &Requantize::input_type, "i8, u8, i16 or i32."}, Field{"output_type", &Requantize::output_type, "i8, u8 or i16."},
                      Field{"shift", &Requantize::shift, "-31 to 30."}, Field{"reserved", &Requantize::reserved, ""},
                      Field{"extent", &Requantize::extent, "Elements per dimension, outermost first."}, Field{"input_stride", &Requantize::input_stride, "Bytes."},
                      Field{"output_stride", &Requantize::output_stride, "Bytes."}, Field{"input_zero", &Requantize::input_zero, ""},
                      Field{"multiplier", &Requantize::multiplier, "Q31."}, Field{"output_zero", &Requantize::output_zero, ""},
                      Field{"activation_min", &Requantize::activation_min, ""}, Field{"activation_max", &Requantize::activation_max, ""},
                      Field{"reserved2", &Requantize::reserved2, ""}};
  }
};

/// for i in extent: output[i] = table[input[i] - lowest code of the type]      256 one-byte entries
struct Table {
  static constexpr Opcode kOpcode = Opcode::kTable;
  static constexpr std::string_view kName = "table";
  Operand input, table, output;
  ElementType type = ElementType::kI8;
  Reserved<7> reserved;
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1}, input_stride{}, output_stride{};
  friend constexpr bool operator==(const Table&, const Table&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Table::input, "First element."}, Field{"table", &Table::table, "256 entries, lowest code first."},
                      Field{"output", &Table::output, "First element."}, Field{"type", &Table::type, "i8 or u8."}, Field{"reserved", &Table::reserved, ""},
                      Field{"extent", &Table::extent, "Elements per dimension, outermost first."}, Field{"input_stride", &Table::input_stride, "Bytes."},
                      Field{"output_stride", &Table::output_stride, "Bytes."}};
  }
};

enum class CurveKind : std::uint8_t { kSigmoid = 1, kTanh = 2 };

/// Interpolation in a table: the 16-bit LOGISTIC and TANH (numerics 25; the table's entries are those of sigmoid.h).
/// for i in extent:
///   x = (input[i] * multiplier + (shift > 0 ? 2^(shift - 1) : 0)) >> shift;  a = |x|      64 bits, arithmetic shift
///   sigmoid: n = a >> 9;  f = a % 512;  r = n >= 255 ? 0x7FFF << 10 : table[n] * 512 + f * (table[n + 1] - table[n])
///            y = (x >= 0 ? r + 2^9 : 2^25 - r + 2^9 - 1) >> 10
///   tanh:    n = a >> 8;  f = a % 256;  r = n >= 255 ? 0xFFFF << 8 : table[n] * 256 + f * (table[n + 1] - table[n])
///            y = (x >= 0 ? r - 2^23 + 2^7 : -r + 2^23 + 2^7 - 1) >> 8
///   output[i] = clamp(y) to i16 (which only tables other than sigmoid.h's can need)
/// Where the scale is a power of two, TFLite's multiplier is 3 << its shift, and the shift 0.
struct Curve {
  static constexpr Opcode kOpcode = Opcode::kCurve;
  static constexpr std::string_view kName = "curve";
  Operand input, table, output;
  CurveKind kind = CurveKind::kSigmoid;
  std::uint8_t shift = 0;
  Reserved<2> reserved;
  std::int32_t multiplier = 0;
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1}, input_stride{}, output_stride{};
  friend constexpr bool operator==(const Curve&, const Curve&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Curve::input, "First element, i16."}, Field{"table", &Curve::table, "256 entries of unsigned 16 bits (sigmoid.h)."},
                      Field{"output", &Curve::output, "First element, i16."}, Field{"kind", &Curve::kind, "1 sigmoid, 2 tanh."},
                      Field{"shift", &Curve::shift, "To the right, 0 to 31."}, Field{"reserved", &Curve::reserved, ""},
                      Field{"multiplier", &Curve::multiplier, "At least 0."}, Field{"extent", &Curve::extent, "Elements per dimension, outermost first."},
                      Field{"input_stride", &Curve::input_stride, "Bytes."}, Field{"output_stride", &Curve::output_stride, "Bytes."}};
  }
};

/// The right side of a product of two activations, packed into a dense_i8 weight object (weights.h) of one tap. CONV then multiplies with it; its
/// weight_zero is that of this command. A u8 input is stored as x - 128, and weight_zero is meant in stored terms.
/// for c < channels, k < depth: w[c, k] = input[c * channel_stride + k * depth_stride]
/// for c < channels:
///   sum[c] = sum over k of w[c, k], 32 bits, which wrap;  multiplier[c] = multiplier;  shift[c] = shift
///   start[c] = -input_zero * ((sum over k of w[c, k]) - depth * weight_zero)      64 bits
/// Every other byte of the object, of weights and of records, is written as zero.
struct Pack {
  static constexpr Opcode kOpcode = Opcode::kPack;
  static constexpr std::string_view kName = "pack";
  Operand input, output;
  ElementType input_type = ElementType::kI8;
  std::int8_t shift = 0;
  Reserved<2> reserved;
  std::uint32_t channels = 1, depth = 1;
  std::uint32_t channel_stride = 0, depth_stride = 0;
  std::int32_t input_zero = 0, weight_zero = 0, multiplier = 0;
  friend constexpr bool operator==(const Pack&, const Pack&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Pack::input, "Element (0, 0)."}, Field{"output", &Pack::output, "The weight object; 64-byte aligned."},
                      Field{"input_type", &Pack::input_type, "i8 or u8."}, Field{"shift", &Pack::shift, "-31 to 30, for every channel."},
                      Field{"reserved", &Pack::reserved, ""}, Field{"channels", &Pack::channels, "Output channels of the product."},
                      Field{"depth", &Pack::depth, "Input channels of the product."}, Field{"channel_stride", &Pack::channel_stride, "Bytes."},
                      Field{"depth_stride", &Pack::depth_stride, "Bytes."},
                      Field{"input_zero", &Pack::input_zero, "Zero point of the product's left side, -32768 to 32767."},
                      Field{"weight_zero", &Pack::weight_zero, "Zero point of the stored weights, in i8."},
                      Field{"multiplier", &Pack::multiplier, "Q31, for every channel."}};
  }
};

enum class PoolKind : std::uint8_t { kAverage = 1, kMaximum = 2 };

/// for r, q, c:  over the taps (y, x) whose row r * stride_rows + y - pad_top is in [0, in_rows) and whose column likewise:
///   average: n = number of such taps, s = sum;  v = s > 0 ? (s + n / 2) / n : (s - n / 2) / n      (u8: (s + n / 2) / n)
///   maximum: v = max
///   output[r, q, c] = clamp(v).  Every window has at least one tap inside.
struct Pool {
  static constexpr Opcode kOpcode = Opcode::kPool;
  static constexpr std::string_view kName = "pool";
  Operand input, output;
  PoolKind kind = PoolKind::kAverage;
  ElementType type = ElementType::kI8;
  Reserved<2> reserved;
  std::uint32_t in_rows = 1, in_cols = 1, out_rows = 1, out_cols = 1, channels = 1;
  std::uint16_t kernel_rows = 1, kernel_cols = 1, stride_rows = 1, stride_cols = 1, pad_top = 0, pad_left = 0;
  std::uint32_t input_row_stride = 0, input_pixel_stride = 0, output_row_stride = 0, output_pixel_stride = 0;
  std::int32_t activation_min = 0, activation_max = 0;
  Reserved<4> reserved2;
  friend constexpr bool operator==(const Pool&, const Pool&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Pool::input, "Pixel (0, 0), channel 0; no padding in memory."}, Field{"output", &Pool::output, "Pixel (0, 0), channel 0."},
                      Field{"kind", &Pool::kind, "1 average, 2 maximum."}, Field{"type", &Pool::type, "Of both: i8, u8 or i16."},
                      Field{"reserved", &Pool::reserved, ""}, Field{"in_rows", &Pool::in_rows, "Rows inside the image."},
                      Field{"in_cols", &Pool::in_cols, "Columns inside the image."}, Field{"out_rows", &Pool::out_rows, ""}, Field{"out_cols", &Pool::out_cols, ""},
                      Field{"channels", &Pool::channels, ""}, Field{"kernel_rows", &Pool::kernel_rows, ""}, Field{"kernel_cols", &Pool::kernel_cols, ""},
                      Field{"stride_rows", &Pool::stride_rows, ""}, Field{"stride_cols", &Pool::stride_cols, ""},
                      Field{"pad_top", &Pool::pad_top, "Taps above the image in the first window."}, Field{"pad_left", &Pool::pad_left, "Taps left of it."},
                      Field{"input_row_stride", &Pool::input_row_stride, "Bytes."}, Field{"input_pixel_stride", &Pool::input_pixel_stride, "Bytes."},
                      Field{"output_row_stride", &Pool::output_row_stride, "Bytes."}, Field{"output_pixel_stride", &Pool::output_pixel_stride, "Bytes."},
                      Field{"activation_min", &Pool::activation_min, ""}, Field{"activation_max", &Pool::activation_max, ""},
                      Field{"reserved2", &Pool::reserved2, ""}};
  }
};

enum class ReduceKind : std::uint8_t { kSum = 1, kMaximum = 2, kMinimum = 3 };

/// Dimensions whose bit is set in reduced_dimensions (bit 0 is the outermost) are reduced; their output stride is 0.
/// for each kept index:
///   sum: s = sum over the reduced ones of (input - input_zero);  output = clamp(requant(s, multiplier, shift) + output_zero)
///        (the compiler folds a mean's division into the multiplier: numerics 15);  output_type i32 writes s itself
///   maximum, minimum: output = max | min, raw codes; other fields unused
struct Reduce {
  static constexpr Opcode kOpcode = Opcode::kReduce;
  static constexpr std::string_view kName = "reduce";
  Operand input, output;
  ReduceKind kind = ReduceKind::kSum;
  ElementType input_type = ElementType::kI8, output_type = ElementType::kI8;
  std::uint8_t reduced_dimensions = 0;
  std::int8_t shift = 0;
  Reserved<3> reserved;
  std::array<std::uint32_t, 4> extent{1, 1, 1, 1}, input_stride{}, output_stride{};
  std::int32_t input_zero = 0, multiplier = 0, output_zero = 0, activation_min = 0, activation_max = 0;
  Reserved<4> reserved2;
  friend constexpr bool operator==(const Reduce&, const Reduce&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Reduce::input, "First element."}, Field{"output", &Reduce::output, "First element."},
                      Field{"kind", &Reduce::kind, "1 sum, 2 maximum, 3 minimum."}, Field{"input_type", &Reduce::input_type, "i8, u8 or i16."},
                      Field{"output_type", &Reduce::output_type, "The input's, or i32 for a raw sum."},
                      Field{"reduced_dimensions", &Reduce::reduced_dimensions, "Bits 0 to 3; bit 0 is the outermost dimension."},
                      Field{"shift", &Reduce::shift, "-31 to 30."}, Field{"reserved", &Reduce::reserved, ""},
                      Field{"extent", &Reduce::extent, "Input elements per dimension, outermost first."}, Field{"input_stride", &Reduce::input_stride, "Bytes."},
                      Field{"output_stride", &Reduce::output_stride, "Bytes; 0 for reduced dimensions."}, Field{"input_zero", &Reduce::input_zero, ""},
                      Field{"multiplier", &Reduce::multiplier, "Q31."}, Field{"output_zero", &Reduce::output_zero, ""},
                      Field{"activation_min", &Reduce::activation_min, ""}, Field{"activation_max", &Reduce::activation_max, ""},
                      Field{"reserved2", &Reduce::reserved2, ""}};
  }
};

/// for each row: output = softmax(input) by numerics 11 (fixed point, output scale 1/256, zero point -128)
struct Softmax {
  static constexpr Opcode kOpcode = Opcode::kSoftmax;
  static constexpr std::string_view kName = "softmax";
  Operand input, output;
  ElementType type = ElementType::kI8;
  std::int8_t left_shift = 0;
  Reserved<2> reserved;
  std::int32_t multiplier = 0;
  std::int32_t difference_min = 0;
  std::uint32_t rows = 1, row_elements = 1;
  std::uint32_t input_row_stride = 0, output_row_stride = 0;
  Reserved<4> reserved2;
  friend constexpr bool operator==(const Softmax&, const Softmax&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Softmax::input, "First element."}, Field{"output", &Softmax::output, "First element."},
                      Field{"type", &Softmax::type, "Of both: i8 or u8 (output codes 0 to 255)."}, Field{"left_shift", &Softmax::left_shift, "0 to 30, of the differences."},
                      Field{"reserved", &Softmax::reserved, ""}, Field{"multiplier", &Softmax::multiplier, "Q31, of the differences."},
                      Field{"difference_min", &Softmax::difference_min, "Differences below it give the lowest code; at most 0."},
                      Field{"rows", &Softmax::rows, ""}, Field{"row_elements", &Softmax::row_elements, ""},
                      Field{"input_row_stride", &Softmax::input_row_stride, "Bytes."}, Field{"output_row_stride", &Softmax::output_row_stride, "Bytes."},
                      Field{"reserved2", &Softmax::reserved2, ""}};
  }
};

/// Bilinear resizing of raw codes (numerics 17). Positions and weights are in 1/1024 of an input element; divisions go towards zero.
/// for r, q, c:
///   y = r * row_scale + row_offset;  low = clamp(y / 1024, 0, in_rows - 1);  high = clamp((y + 1023) / 1024, 0, in_rows - 1)
///   weight of high: y - 1024 * low;  of low: 1024 - that.  Columns likewise, from col_scale and col_offset
///   v = sum over the four (row, column) of weight * weight * input[row, column, c]      64 bits
///   output[r, q, c] = clamp((v + (v > 0 ? 2^19 : -2^19)) / 2^20) to the type
/// Weights outside [0, 1024] occur only where both rows (or columns) are the same one, so that v is exact whatever the fields say (the
/// arithmetic may wrap on the way). Only elements inside in_rows and in_cols are read.
struct Resize {
  static constexpr Opcode kOpcode = Opcode::kResize;
  static constexpr std::string_view kName = "resize";
  Operand input, output;
  ElementType type = ElementType::kI8;
  Reserved<7> reserved;
  std::uint32_t in_rows = 1, in_cols = 1, out_rows = 1, out_cols = 1, channels = 1;
  std::uint32_t input_row_stride = 0, input_pixel_stride = 0, output_row_stride = 0, output_pixel_stride = 0;
  std::int32_t row_scale = 0, row_offset = 0, col_scale = 0, col_offset = 0;
  Reserved<4> reserved2;
  friend constexpr bool operator==(const Resize&, const Resize&) = default;
  static constexpr auto fields() {
    return std::tuple{Field{"input", &Resize::input, "Pixel (0, 0), channel 0."}, Field{"output", &Resize::output, "Pixel (0, 0), channel 0."},
                      Field{"type", &Resize::type, "Of both: i8 or i16."}, Field{"reserved", &Resize::reserved, ""},
                      Field{"in_rows", &Resize::in_rows, "Rows that may be read."}, Field{"in_cols", &Resize::in_cols, "Columns that may be read."},
                      Field{"out_rows", &Resize::out_rows, ""}, Field{"out_cols", &Resize::out_cols, ""}, Field{"channels", &Resize::channels, ""},
                      Field{"input_row_stride", &Resize::input_row_stride, "Bytes."}, Field{"input_pixel_stride", &Resize::input_pixel_stride, "Bytes."},
                      Field{"output_row_stride", &Resize::output_row_stride, "Bytes."}, Field{"output_pixel_stride", &Resize::output_pixel_stride, "Bytes."},
                      Field{"row_scale", &Resize::row_scale, "Input rows per output row, in 1/1024."},
                      Field{"row_offset", &Resize::row_offset, "Of output row 0, in 1/1024 of an input row."},
                      Field{"col_scale", &Resize::col_scale, "Input columns per output column, in 1/1024."},
                      Field{"col_offset", &Resize::col_offset, "Of output column 0, in 1/1024 of an input column."},
                      Field{"reserved2", &Resize::reserved2, ""}};
  }
};

/// The engines' table can grow: a new command is a record, a row here, a cycle formula, and its unit in the device.
using CommandBody = std::variant<End, Wait, Mark, Dma, Fill, Move, Conv, Depthwise, Elementwise, Requantize, Table, Pool, Reduce, Softmax, Curve, Pack, Resize>;

struct Command {
  Engine engine = Engine::kNone;
  std::uint32_t source = 0;
  CommandBody body;
  friend bool operator==(const Command&, const Command&) = default;
};

/// Which engines may execute a command (END: none).
template <typename T>
[[nodiscard]] constexpr bool runs_on(Engine engine) noexcept {
  if constexpr (std::is_same_v<T, End>) return engine == Engine::kNone;
  if constexpr (std::is_same_v<T, Wait> || std::is_same_v<T, Mark>) return index_of(engine) < kEnginesMax;
  if constexpr (std::is_same_v<T, Dma>) return is_dma(engine);
  if constexpr (std::is_same_v<T, Fill>) return is_dma(engine) || engine == Engine::kVector;
  if constexpr (std::is_same_v<T, Conv> || std::is_same_v<T, Depthwise>) return engine == Engine::kMac;
  return engine == Engine::kVector;
}

[[nodiscard]] NARU_API std::string_view name_of(const CommandBody& body) noexcept;
[[nodiscard]] NARU_API bool is_counted(const CommandBody& body) noexcept;  // false for END, WAIT and MARK

}  // namespace naru::abi
