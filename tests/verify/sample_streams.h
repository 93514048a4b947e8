// Acceptable command streams put together by hand: one good command of every kind, a chip and regions to run them on. Shared by tests and fuzzing.
#pragma once

#include <type_traits>

#include "naru/abi/chip.h"
#include "naru/abi/stream.h"
#include "naru/abi/weights.h"

namespace naru::test {

using namespace naru::abi;  // NOLINT: the tests are about these records

inline Chip tiny_chip() {
  return {.isa_generation = kIsaGeneration, .dma_engines = 1, .clock_hz_thousands = 200'000, .oc_lanes = 16, .dot_depth = 8, .dw_channels = 16, .dw_taps = 1,
          .vector_lanes = 16, .start_cycles = 16, .sram_bytes_per_cycle = 16, .dram_bytes_per_cycle = 2, .dram_latency_cycles = 60, .dram_burst_bytes = 32,
          .sram_bytes = 256 << 10, .dram_bytes = 16 << 20, .job_cycles_max = 50'000'000};
}
inline Chip edge_chip() {
  return {.isa_generation = kIsaGeneration, .dma_engines = 2, .clock_hz_thousands = 500'000, .oc_lanes = 64, .dot_depth = 64, .dw_channels = 64, .dw_taps = 4,
          .vector_lanes = 64, .start_cycles = 16, .sram_bytes_per_cycle = 64, .dram_bytes_per_cycle = 8, .dram_latency_cycles = 100, .dram_burst_bytes = 64,
          .sram_bytes = 8 << 20, .dram_bytes = 64 << 20, .job_cycles_max = 50'000'000};
}

// The regions of the streams below.
inline constexpr unsigned kConstants = 0;  // DRAM, readable
inline constexpr unsigned kResult = 1;     // DRAM, writable
inline constexpr unsigned kSram = 2;       // SRAM, both
inline constexpr unsigned kTables = 3;     // SRAM, readable
inline constexpr unsigned kOutbox = 4;     // SRAM, writable
inline constexpr std::uint64_t kRegionBytes = 32 << 10;

inline RegionDeclaration declare(MemoryKind memory, Rights rights, std::uint64_t bytes) {
  RegionDeclaration region;
  region.memory = memory;
  region.rights = rights;
  region.bytes = bytes;
  return region;
}

inline Stream empty_stream() {
  return {.regions = {declare(MemoryKind::kDram, Rights::kRead, kRegionBytes), declare(MemoryKind::kDram, Rights::kWrite, kRegionBytes),
                      declare(MemoryKind::kSram, Rights::kReadWrite, kRegionBytes), declare(MemoryKind::kSram, Rights::kRead, kRegionBytes),
                      declare(MemoryKind::kSram, Rights::kWrite, kRegionBytes)},
          .commands = {}};
}

template <typename T>
Engine usual_engine() {
  if constexpr (std::is_same_v<T, Dma>) return Engine::kDma0;
  if constexpr (std::is_same_v<T, Conv> || std::is_same_v<T, Depthwise>) return Engine::kMac;
  if constexpr (std::is_same_v<T, End>) return Engine::kNone;
  return Engine::kVector;
}

inline Command wait_for(Engine executing, Engine on, std::uint32_t count) {
  Wait wait;
  wait.on = on;
  wait.count = count;
  return {executing, 0, wait};
}

inline Stream with_end(Stream stream) {
  stream.commands.push_back({Engine::kNone, 0, End{}});
  return stream;
}
/// The usual regions, these commands, END.
inline Stream stream_of(std::vector<Command> commands) {
  Stream stream = empty_stream();
  stream.commands = std::move(commands);
  return with_end(std::move(stream));
}
template <typename T>
Stream single(const T& command) {
  return stream_of({{usual_engine<T>(), 0, command}});
}

inline Dma good_dma() {
  Dma c;
  c.source = Operand::at(kConstants, 128);
  c.target = Operand::at(kSram, 256);
  c.row_bytes = 16;
  c.count = {2, 3, 4};
  c.source_stride = {1000, 100, 20};
  c.target_stride = {192, 64, 16};
  return c;
}
inline Fill good_fill() {
  Fill c;
  c.target = Operand::at(kSram, 64);
  c.value = -3;
  c.type = ElementType::kI16;
  c.row_bytes = 32;
  c.count = {1, 2, 4};
  c.target_stride = {0, 256, 32};
  return c;
}
inline Move good_move() {
  Move c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 4096);
  c.type = ElementType::kI32;
  c.extent = {1, 2, 3, 4};
  c.input_stride = {0, 48, 16, 4};
  c.output_stride = {0, 4, 8, 24};
  return c;
}
/// 3x3, 4x4 outputs, 5 channels to 20.
inline Conv good_conv() {
  Conv c;
  c.input = Operand::at(kSram, 0);
  c.weights = Operand::at(kTables, 64);
  c.output = Operand::at(kSram, 8192);
  c.out_rows = c.out_cols = 4;
  c.out_channels = 20;
  c.in_channels = 5;
  c.kernel_rows = c.kernel_cols = 3;
  c.input_pixel_stride = 5;
  c.input_row_stride = 6 * 5;
  c.output_pixel_stride = 20;
  c.output_row_stride = 80;
  c.output_zero = -1;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
inline Conv good_conv_with_partial() {
  Conv c = good_conv();
  c.start = Start::kPartial;
  c.output_type = ElementType::kI32;
  c.output_pixel_stride = 80;
  c.output_row_stride = 320;
  c.output_zero = c.activation_min = c.activation_max = 0;
  c.partial = Operand::at(kSram, 16384);
  c.partial_pixel_stride = 80;
  c.partial_row_stride = 320;
  return c;
}
inline Depthwise good_depthwise() {
  Depthwise c;
  c.input = Operand::at(kSram, 0);
  c.weights = Operand::at(kTables, 0);
  c.output = Operand::at(kSram, 8192);
  c.out_rows = c.out_cols = 2;
  c.channels = 24;
  c.kernel_rows = c.kernel_cols = 3;
  c.stride_rows = c.stride_cols = 2;
  c.input_pixel_stride = 24;
  c.input_row_stride = 5 * 24;
  c.output_pixel_stride = 24;
  c.output_row_stride = 48;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
inline Elementwise good_elementwise() {
  Elementwise c;
  c.a = Operand::at(kSram, 0);
  c.b = Operand::at(kSram, 1024);
  c.output = Operand::at(kSram, 2048);
  c.left_shift = 20;
  c.extent = {1, 2, 3, 8};
  c.a_stride = c.output_stride = {0, 24, 8, 1};
  c.b_stride = {0, 0, 0, 1};
  c.a_multiplier = c.b_multiplier = c.output_multiplier = 1 << 30;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
inline Requantize good_requantize() {
  Requantize c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 2048);
  c.input_type = ElementType::kI32;
  c.extent = {1, 1, 4, 8};
  c.input_stride = {0, 0, 32, 4};
  c.output_stride = {0, 0, 8, 1};
  c.multiplier = 1 << 30;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
inline Table good_table() {
  Table c;
  c.input = Operand::at(kSram, 0);
  c.table = Operand::at(kTables, 3);
  c.output = Operand::at(kSram, 2048);
  c.extent = {1, 1, 4, 8};
  c.input_stride = c.output_stride = {0, 0, 8, 1};
  return c;
}
inline Pool good_pool() {
  Pool c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 2048);
  c.in_rows = c.in_cols = 5;
  c.out_rows = c.out_cols = 3;
  c.channels = 8;
  c.kernel_rows = c.kernel_cols = 3;
  c.stride_rows = c.stride_cols = 2;
  c.pad_top = c.pad_left = 1;
  c.input_pixel_stride = c.output_pixel_stride = 8;
  c.input_row_stride = 40;
  c.output_row_stride = 24;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
/// Mean over rows and columns of [1, 4, 4, 8].
inline Reduce good_reduce() {
  Reduce c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 2048);
  c.reduced_dimensions = 0b0110;
  c.extent = {1, 4, 4, 8};
  c.input_stride = {0, 32, 8, 1};
  c.output_stride = {0, 0, 0, 1};
  c.multiplier = 1 << 30;
  c.shift = -4;
  c.activation_min = -128;
  c.activation_max = 127;
  return c;
}
inline Softmax good_softmax() {
  Softmax c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 2048);
  c.left_shift = 22;
  c.multiplier = 1 << 30;
  c.difference_min = -248;
  c.rows = 3;
  c.row_elements = 10;
  c.input_row_stride = c.output_row_stride = 10;
  return c;
}

inline Curve good_curve() {
  Curve c;
  c.input = Operand::at(kSram, 0);
  c.table = Operand::at(kTables, 6);
  c.output = Operand::at(kSram, 2048);
  c.kind = CurveKind::kTanh;
  c.shift = 12;
  c.multiplier = 12000;
  c.extent = {1, 1, 4, 8};
  c.input_stride = c.output_stride = {0, 0, 16, 2};
  return c;
}
/// 20 channels of 7, one channel after the other.
inline Pack good_pack() {
  Pack c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 2048);
  c.channels = 20;
  c.depth = 7;
  c.channel_stride = 7;
  c.depth_stride = 1;
  c.input_zero = 3;
  c.weight_zero = -5;
  c.multiplier = 1 << 30;
  c.shift = -7;
  return c;
}
/// 3x4 to 6x8, half pixel centers.
inline Resize good_resize() {
  Resize c;
  c.input = Operand::at(kSram, 0);
  c.output = Operand::at(kSram, 2048);
  c.in_rows = 3;
  c.in_cols = 4;
  c.out_rows = 6;
  c.out_cols = 8;
  c.channels = 5;
  c.input_pixel_stride = c.output_pixel_stride = 5;
  c.input_row_stride = 20;
  c.output_row_stride = 40;
  c.row_scale = c.col_scale = 512;
  c.row_offset = c.col_offset = -256;
  return c;
}
inline Depthwise good_depthwise_of_wide_weights() {
  Depthwise c = good_depthwise();
  c.weight_format = WeightFormat::kDepthwiseI16;
  c.input_type = ElementType::kI16;
  c.output_type = ElementType::kI32;
  c.input_pixel_stride = 48;
  c.input_row_stride = 5 * 48;
  c.output_pixel_stride = 96;
  c.output_row_stride = 192;
  c.activation_min = c.activation_max = 0;
  return c;
}

/// All kinds of commands, one after the other, each waiting for the last.
inline Stream one_of_each() {
  Stream stream = empty_stream();
  std::array<std::uint32_t, kEnginesMax> counted{};
  Engine last = Engine::kNone;
  const auto add = [&](const auto& body) {
    const Engine engine = usual_engine<std::remove_cvref_t<decltype(body)>>();
    if (last != Engine::kNone && last != engine) stream.commands.push_back(wait_for(engine, last, counted[index_of(last)]));
    stream.commands.push_back({engine, 0, body});
    ++counted[index_of(engine)];
    last = engine;
  };
  add(good_dma());
  add(good_fill());
  add(good_conv());
  add(good_move());
  add(good_dma());
  add(good_conv_with_partial());
  add(good_depthwise());
  add(good_elementwise());
  add(good_requantize());
  add(good_dma());
  add(good_table());
  add(good_pool());
  add(good_reduce());
  add(good_softmax());
  add(good_curve());
  add(good_pack());
  add(good_resize());
  add(good_depthwise_of_wide_weights());
  return with_end(std::move(stream));
}

/// Where the first command of an encoded stream with the usual regions begins.
inline constexpr std::size_t kCommandsAt = 24 + 5 * 16;

}  // namespace naru::test
