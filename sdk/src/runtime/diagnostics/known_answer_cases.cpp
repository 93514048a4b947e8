// The inputs and streams of the known-answer jobs. Changing one means making known_answers.cpp again (tools/known_answers).
#include <cstring>

#include "naru/abi/weights.h"
#include "naru/base/random.h"
#include "runtime/diagnostics/known_answers.h"

namespace naru::sdk::runtime::diagnostics {
namespace {

using abi::ElementType;
using abi::Engine;
using abi::MemoryKind;
using abi::Operand;
using abi::Rights;

/// Lays a case's operands out in one input blob, which lies in SRAM as it lies in the blob.
class CaseBuilder {
 public:
  CaseBuilder(std::string_view name, std::uint64_t seed) : random_(seed) { case_.name = name; }

  Operand noise(std::size_t bytes) {
    const Operand place = reserve(bytes);
    for (std::size_t i = 0; i < bytes; ++i) case_.input[place.offset() + i] = static_cast<std::byte>(random_.next());
    return place;
  }

  /// Random dense_i8 weights whose results fill the range of int8.
  Operand dense_weights(std::uint64_t taps, std::uint64_t in_channels, std::uint64_t out_channels) {
    const std::uint64_t block_bytes = abi::dense_block_bytes(taps, in_channels);
    const Operand place = reserve(block_bytes * abi::weight_blocks(out_channels));
    for (std::uint64_t c = 0; c < out_channels; ++c) {
      std::byte* block = case_.input.data() + place.offset() + c / 16 * block_bytes;
      std::int32_t sum = 0;
      for (std::uint64_t tap = 0; tap < taps; ++tap)
        for (std::uint64_t i = 0; i < in_channels; ++i) sum += put_weight(block + abi::dense_weight_offset(tap, i, c % 16, in_channels));
      put_channel(block, c % 16, sum, taps * in_channels);
    }
    return place;
  }

  Operand depthwise_weights(std::uint64_t taps, std::uint64_t channels) {
    const std::uint64_t block_bytes = abi::depthwise_block_bytes(taps);
    const Operand place = reserve(block_bytes * abi::weight_blocks(channels));
    for (std::uint64_t c = 0; c < channels; ++c) {
      std::byte* block = case_.input.data() + place.offset() + c / 16 * block_bytes;
      std::int32_t sum = 0;
      for (std::uint64_t tap = 0; tap < taps; ++tap) sum += put_weight(block + abi::depthwise_weight_offset(tap, c % 16));
      put_channel(block, c % 16, sum, taps);
    }
    return place;
  }

  /// Where the output will lie in SRAM. Call once, after all inputs.
  Operand output(std::size_t bytes) {
    case_.output_bytes = bytes;
    output_ = Operand::at(0, align_up<std::uint64_t>(case_.input.size(), 64));
    return output_;
  }

  KnownAnswerCase finish(Engine engine, std::vector<abi::CommandBody> bodies) {
    const auto commands = static_cast<std::uint32_t>(bodies.size());
    const auto input_bytes = static_cast<std::uint32_t>(case_.input.size());
    const auto output_bytes = static_cast<std::uint32_t>(case_.output_bytes);
    const auto region = [](MemoryKind memory, Rights rights, std::uint64_t bytes) { return abi::RegionDeclaration{.memory = memory, .rights = rights, .reserved = {}, .bytes = bytes}; };
    case_.stream.regions = {region(MemoryKind::kSram, Rights::kReadWrite, output_.offset() + output_bytes), region(MemoryKind::kDram, Rights::kRead, input_bytes),
                            region(MemoryKind::kDram, Rights::kWrite, output_bytes)};
    case_.stream.commands = {{Engine::kDma0, 0, copy(Operand::at(1, 0), Operand::at(0, 0), input_bytes)},
                             {engine, 0, abi::Wait{.on = Engine::kDma0, .reserved = {}, .count = 1}}};
    for (abi::CommandBody& body : bodies) case_.stream.commands.push_back({engine, 0, std::move(body)});
    case_.stream.commands.push_back({Engine::kDma0, 0, abi::Wait{.on = engine, .reserved = {}, .count = commands}});
    case_.stream.commands.push_back({Engine::kDma0, 0, copy(output_, Operand::at(2, 0), output_bytes)});
    case_.stream.commands.push_back({Engine::kNone, 0, abi::End{}});
    return std::move(case_);
  }

 private:
  static abi::Dma copy(Operand source, Operand target, std::uint32_t bytes) {
    abi::Dma dma;
    dma.source = source;
    dma.target = target;
    dma.row_bytes = bytes;
    return dma;
  }
  Operand reserve(std::uint64_t bytes) {
    const std::uint64_t at = align_up<std::uint64_t>(case_.input.size(), 64);
    case_.input.resize(at + bytes);
    return Operand::at(0, at);
  }
  std::int32_t put_weight(std::byte* at) {
    const auto weight = static_cast<std::int8_t>(random_.between(-127, 127));
    *at = static_cast<std::byte>(weight);
    return weight;
  }
  void put_channel(std::byte* block, std::uint64_t c, std::int32_t sum, std::uint64_t depth) {
    store_le<std::int64_t>(block + abi::kWeightStartOffset + 8 * c, random_.between(-2000, 2000) + 3 * sum);
    store_le<std::int32_t>(block + abi::kWeightMultiplierOffset + 4 * c, static_cast<std::int32_t>(random_.between(1 << 30, 0x7FFFFFFF)));
    store_le<std::int32_t>(block + abi::kWeightSumOffset + 4 * c, sum);
    // Products have about 5400 as standard deviation; the shift brings a sum of `depth` of them to the order of 64.
    std::int8_t shift = -6;
    for (std::uint64_t n = depth; n > 1; n /= 4) --shift;
    block[abi::kWeightShiftOffset + c] = static_cast<std::byte>(shift);
  }

  Random random_;
  KnownAnswerCase case_;
  Operand output_;
};

KnownAnswerCase conv(std::string_view name, std::uint64_t seed, std::uint16_t kernel, std::uint16_t stride, std::uint16_t dilation, std::uint32_t in_channels, std::uint32_t out_channels,
                     std::uint32_t out_size) {
  CaseBuilder builder(name, seed);
  abi::Conv c;
  const std::uint32_t in_size = (out_size - 1) * stride + (kernel - 1U) * dilation + 1;
  c.input = builder.noise(std::size_t{in_size} * in_size * in_channels);
  c.weights = builder.dense_weights(std::uint64_t{kernel} * kernel, in_channels, out_channels);
  c.output = builder.output(std::size_t{out_size} * out_size * out_channels);
  c.out_rows = c.out_cols = out_size;
  c.out_channels = out_channels;
  c.in_channels = in_channels;
  c.kernel_rows = c.kernel_cols = kernel;
  c.stride_rows = c.stride_cols = stride;
  c.dilation_rows = c.dilation_cols = dilation;
  c.input_pixel_stride = in_channels;
  c.input_row_stride = in_size * in_channels;
  c.output_pixel_stride = out_channels;
  c.output_row_stride = out_size * out_channels;
  c.output_zero = -3;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kMac, {c});
}

KnownAnswerCase fully_connected() {
  CaseBuilder builder("operator.fully_connected", 21);
  abi::Conv c;
  c.input = builder.noise(2 * 70);
  c.weights = builder.dense_weights(1, 70, 33);
  c.output = builder.output(2 * 33);
  c.out_cols = 2;
  c.out_channels = 33;
  c.in_channels = 70;
  c.input_pixel_stride = 70;
  c.input_row_stride = 140;
  c.output_pixel_stride = 33;
  c.output_row_stride = 66;
  c.output_zero = 5;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kMac, {c});
}

KnownAnswerCase depthwise(std::uint64_t seed, std::uint16_t stride, std::uint32_t channels) {
  CaseBuilder builder("operator.depthwise_conv2d", seed);
  abi::Depthwise c;
  const std::uint32_t in_size = 2U * stride + 3;
  c.input = builder.noise(std::size_t{in_size} * in_size * channels);
  c.weights = builder.depthwise_weights(9, channels);
  c.output = builder.output(std::size_t{9} * channels);
  c.out_rows = c.out_cols = 3;
  c.channels = channels;
  c.kernel_rows = c.kernel_cols = 3;
  c.stride_rows = c.stride_cols = stride;
  c.input_pixel_stride = channels;
  c.input_row_stride = in_size * channels;
  c.output_pixel_stride = channels;
  c.output_row_stride = 3 * channels;
  c.output_zero = 1;
  c.activation_min = -100;
  c.activation_max = 110;
  return builder.finish(Engine::kMac, {c});
}

KnownAnswerCase pool(std::string_view name, std::uint64_t seed, abi::PoolKind kind) {
  CaseBuilder builder(name, seed);
  abi::Pool c;
  constexpr std::uint32_t kSize = 5, kChannels = 19;
  c.input = builder.noise(kSize * kSize * kChannels);
  c.output = builder.output(3 * 3 * kChannels);
  c.kind = kind;
  c.in_rows = c.in_cols = kSize;
  c.out_rows = c.out_cols = 3;
  c.channels = kChannels;
  c.kernel_rows = c.kernel_cols = 3;
  c.stride_rows = c.stride_cols = 2;
  c.pad_top = c.pad_left = 1;
  c.input_pixel_stride = kChannels;
  c.input_row_stride = kSize * kChannels;
  c.output_pixel_stride = kChannels;
  c.output_row_stride = 3 * kChannels;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase elementwise(std::string_view name, std::uint64_t seed, abi::ElementwiseOp op) {
  CaseBuilder builder(name, seed);
  abi::Elementwise c;
  c.a = builder.noise(6 * 21);
  c.b = builder.noise(21);  // one row, repeated
  c.output = builder.output(6 * 21);
  c.op = op;
  c.extent = {1, 1, 6, 21};
  c.a_stride = {126, 126, 21, 1};
  c.b_stride = {0, 0, 0, 1};
  c.output_stride = {126, 126, 21, 1};
  c.a_zero = -4;
  c.b_zero = 11;
  c.output_zero = -2;
  c.activation_min = -128;
  c.activation_max = 127;
  c.output_multiplier = 1409286144;
  if (op == abi::ElementwiseOp::kAdd) {
    c.left_shift = 20;
    c.a_multiplier = 1073741824;
    c.b_multiplier = 1610612736;
    c.b_shift = -1;
    c.output_shift = -18;
  } else {
    c.output_shift = -6;
  }
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase requantize() {
  CaseBuilder builder("operator.quantize", 61);
  abi::Requantize c;
  c.input = builder.noise(150);
  c.output = builder.output(150);
  c.input_type = ElementType::kU8;
  c.extent = {1, 1, 1, 150};
  c.input_stride = c.output_stride = {150, 150, 150, 1};
  c.input_zero = 120;
  c.multiplier = 1288490189;
  c.shift = 1;
  c.output_zero = -7;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase table() {
  CaseBuilder builder("operator.table", 62);
  abi::Table c;
  c.input = builder.noise(150);
  c.table = builder.noise(256);
  c.output = builder.output(150);
  c.extent = {1, 1, 1, 150};
  c.input_stride = c.output_stride = {150, 150, 150, 1};
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase reduce() {
  CaseBuilder builder("operator.mean", 71);
  abi::Reduce c;
  c.input = builder.noise(7 * 7 * 18);
  c.output = builder.output(18);
  c.reduced_dimensions = 0b0110;
  c.extent = {1, 7, 7, 18};
  c.input_stride = {882, 126, 18, 1};
  c.output_stride = {18, 0, 0, 1};
  c.input_zero = 3;
  c.multiplier = 1402438301;
  c.shift = -4;
  c.output_zero = -9;
  c.activation_min = -128;
  c.activation_max = 127;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase softmax() {
  CaseBuilder builder("operator.softmax", 81);
  abi::Softmax c;
  c.input = builder.noise(3 * 40);
  c.output = builder.output(3 * 40);
  c.multiplier = 1374389535;
  c.left_shift = 21;
  c.difference_min = -248;
  c.rows = 3;
  c.row_elements = 40;
  c.input_row_stride = c.output_row_stride = 40;
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase transpose() {
  CaseBuilder builder("operator.transpose", 91);
  abi::Move c;
  c.input = builder.noise(5 * 9 * 4);
  c.output = builder.output(5 * 9 * 4);
  c.extent = {1, 4, 5, 9};
  c.input_stride = {180, 1, 36, 4};
  c.output_stride = {180, 45, 9, 1};
  return builder.finish(Engine::kVector, {c});
}

KnownAnswerCase relu() {
  CaseBuilder builder("operator.relu", 63);
  abi::Requantize c;
  c.input = builder.noise(150);
  c.output = builder.output(150);
  c.extent = {1, 1, 1, 150};
  c.input_stride = c.output_stride = {150, 150, 150, 1};
  c.input_zero = -20;
  c.multiplier = 1932735283;
  c.output_zero = -40;
  c.activation_min = -40;
  c.activation_max = 79;
  return builder.finish(Engine::kVector, {c});
}

/// A frame of padding around a picture: filled all over, then the picture moved into the middle.
KnownAnswerCase pad() {
  CaseBuilder builder("operator.pad", 92);
  abi::Move picture;
  picture.input = builder.noise(4 * 5 * 3);
  abi::Fill frame;
  frame.target = builder.output(6 * 8 * 3);
  frame.value = -77;
  frame.row_bytes = 6 * 8 * 3;
  picture.output = Operand::at(0, frame.target.offset() + (1 * 8 + 2) * 3);
  picture.extent = {1, 4, 5, 3};
  picture.input_stride = {60, 15, 3, 1};
  picture.output_stride = {144, 24, 3, 1};
  return builder.finish(Engine::kVector, {frame, picture});
}

/// Two tensors side by side in the innermost dimension.
KnownAnswerCase concatenation() {
  CaseBuilder builder("operator.concatenation", 93);
  abi::Move left, right;
  left.input = builder.noise(12 * 5);
  right.input = builder.noise(12 * 9);
  left.output = builder.output(12 * 14);
  right.output = Operand::at(0, left.output.offset() + 5);
  left.extent = {1, 1, 12, 5};
  left.input_stride = {60, 60, 5, 1};
  right.extent = {1, 1, 12, 9};
  right.input_stride = {108, 108, 9, 1};
  left.output_stride = right.output_stride = {168, 168, 14, 1};
  return builder.finish(Engine::kVector, {left, right});
}

}  // namespace

std::vector<KnownAnswerCase> known_answer_cases() {
  std::vector<KnownAnswerCase> cases;
  cases.push_back(conv("operator.conv2d", 11, 3, 1, 1, 5, 20, 4));
  cases.push_back(conv("operator.conv2d", 12, 1, 1, 1, 64, 17, 3));
  cases.push_back(conv("operator.conv2d", 13, 3, 2, 2, 7, 16, 2));
  cases.push_back(fully_connected());
  cases.push_back(depthwise(31, 1, 18));
  cases.push_back(depthwise(32, 2, 35));
  cases.push_back(pool("operator.average_pool2d", 41, abi::PoolKind::kAverage));
  cases.push_back(pool("operator.max_pool2d", 42, abi::PoolKind::kMaximum));
  cases.push_back(elementwise("operator.add", 51, abi::ElementwiseOp::kAdd));
  cases.push_back(elementwise("operator.mul", 52, abi::ElementwiseOp::kMul));
  cases.push_back(requantize());
  cases.push_back(table());
  cases.push_back(reduce());
  cases.push_back(softmax());
  cases.push_back(transpose());
  cases.push_back(relu());
  cases.push_back(pad());
  cases.push_back(concatenation());
  return cases;
}

}  // namespace naru::sdk::runtime::diagnostics
