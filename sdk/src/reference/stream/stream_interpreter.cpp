// One function per command, each the loop nest that stands beside its record in abi/isa.h. Addresses are 128 bits wide, so that no field values
// can wrap them; every element passes through Memory, which checks it. A fault is thrown to interpret_stream(), its only door.

#include "reference/stream/stream_interpreter.h"

#include <new>
#include <vector>

#include <fmt/format.h>

#include "reference/stream/arithmetic.h"
#include "reference/stream/interpolation.h"
#include "reference/stream/softmax.h"

namespace naru::sdk::reference {
namespace {

using abi::ElementType;
using abi::Operand;
using Offset = unsigned __int128;

struct Place {
  unsigned region = 0;
  Offset offset = 0;

  Place(Operand operand) : region(operand.region()), offset(operand.offset()) {}
  [[nodiscard]] Place plus(Offset bytes) const {
    Place place = *this;
    place.offset += bytes;
    return place;
  }
};

Offset times(std::uint64_t count, std::uint64_t bytes) { return Offset{count} * bytes; }

struct Range {
  std::int64_t low = 0;
  std::int64_t high = 0;
};

Range codes_of(ElementType type) {
  switch (type) {
    case ElementType::kI8: return {-128, 127};
    case ElementType::kU8: return {0, 255};
    case ElementType::kI16: return {-32768, 32767};
    case ElementType::kI32: return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    default: throw Error(ErrorId::kStreamField, fmt::format("Element type {} has no integer codes", static_cast<unsigned>(type)));
  }
}

/// Bytes of one element, of a type that has any.
unsigned size_of(ElementType type) {
  if (const unsigned size = abi::element_bytes(type); size != 0) return size;
  throw Error(ErrorId::kStreamField, fmt::format("Element type {} is not known", static_cast<unsigned>(type)));
}

class Memory {
 public:
  Memory(const abi::Stream& stream, std::span<const std::span<std::byte>> regions, std::uint64_t steps_max)
      : declared_(stream.regions), regions_(regions), steps_(steps_max) {}

  [[nodiscard]] std::byte read_byte(const Place& place) { return *at(place, abi::Rights::kRead); }
  void write_byte(const Place& place, std::byte value) { *at(place, abi::Rights::kWrite) = value; }

  /// Little-endian, sign-extended unless the type is unsigned.
  [[nodiscard]] std::int64_t read(const Place& place, ElementType type) {
    const unsigned size = size_of(type);
    std::uint64_t bits = 0;
    for (unsigned i = 0; i < size; ++i) bits |= std::uint64_t{std::to_integer<std::uint8_t>(read_byte(place.plus(i)))} << (8 * i);
    if (type == ElementType::kU8) return static_cast<std::int64_t>(bits);
    const unsigned unused = 64 - 8 * size;
    return static_cast<std::int64_t>(bits << unused) >> unused;
  }
  void write(const Place& place, ElementType type, std::int64_t value) {
    for (unsigned i = 0; i < size_of(type); ++i) write_byte(place.plus(i), static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }

  /// Counts one step of the limit.
  void step() {
    if (steps_ == 0) throw Error(ErrorId::kStreamBudget, "The stream takes more steps than the interpreter was allowed");
    --steps_;
  }

 private:
  std::byte* at(const Place& place, abi::Rights rights) {
    step();
    if (place.region >= regions_.size()) throw Error(ErrorId::kStreamRegion, fmt::format("Region {} is not declared", place.region));
    if (!abi::includes(declared_[place.region].rights, rights))
      throw Error(ErrorId::kStreamRights, fmt::format("Region {} does not allow rights {}", place.region, static_cast<unsigned>(rights)));
    if (place.offset >= declared_[place.region].bytes || place.offset >= regions_[place.region].size())
      throw Error(ErrorId::kStreamBounds, fmt::format("An access lies past the {} bytes of region {}", declared_[place.region].bytes, place.region));
    return regions_[place.region].data() + static_cast<std::size_t>(place.offset);
  }

  std::span<const abi::RegionDeclaration> declared_;
  std::span<const std::span<std::byte>> regions_;
  std::uint64_t steps_;
};

/// Calls `step` for every index of a four-dimensional extent, outermost first.
template <typename Step>
void for_each_index(const std::array<std::uint32_t, 4>& extent, Step&& step) {
  std::array<std::uint32_t, 4> i{};
  for (i[0] = 0; i[0] < extent[0]; ++i[0])
    for (i[1] = 0; i[1] < extent[1]; ++i[1])
      for (i[2] = 0; i[2] < extent[2]; ++i[2])
        for (i[3] = 0; i[3] < extent[3]; ++i[3]) step(i);
}

Place element(Operand operand, const std::array<std::uint32_t, 4>& index, const std::array<std::uint32_t, 4>& stride) {
  Offset bytes = 0;
  for (std::size_t d = 0; d < 4; ++d) bytes += times(index[d], stride[d]);
  return Place(operand).plus(bytes);
}

Place pixel(Operand operand, std::uint64_t row, std::uint64_t row_stride, std::uint64_t col, std::uint64_t pixel_stride, std::uint64_t channel, ElementType type) {
  return Place(operand).plus(times(row, row_stride) + times(col, pixel_stride) + times(channel, element_bytes(type)));
}

std::int64_t clamp_code(std::int64_t value, std::int32_t low, std::int32_t high) { return value < low ? low : value > high ? high : value; }

class Interpreter {
 public:
  Interpreter(const abi::Stream& stream, std::span<const std::span<std::byte>> regions, std::uint64_t steps_max)
      : stream_(stream), memory_(stream, regions, steps_max) {}

  void run() {
    std::array<std::vector<std::size_t>, abi::kEnginesMax> programs;
    for (std::size_t i = 0; i < stream_.commands.size(); ++i) {
      const abi::Command& command = stream_.commands[i];
      const bool is_last = i + 1 == stream_.commands.size();
      if (std::holds_alternative<abi::End>(command.body) != is_last) throw Error(ErrorId::kStreamEnd, fmt::format("END is missing or early at command {}", i));
      if (is_last) break;
      if (abi::index_of(command.engine) >= abi::kEnginesMax) throw Error(ErrorId::kStreamEngine, fmt::format("Command {} is for no known engine", i));
      programs[abi::index_of(command.engine)].push_back(i);
    }
    if (stream_.commands.empty()) throw Error(ErrorId::kStreamEnd, "The stream has no END");
    std::array<std::size_t, abi::kEnginesMax> next{};
    std::array<std::uint64_t, abi::kEnginesMax> retired{};
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t engine = 0; engine < abi::kEnginesMax; ++engine) {
        while (next[engine] < programs[engine].size()) {
          const abi::Command& command = stream_.commands[programs[engine][next[engine]]];
          if (const auto* wait = std::get_if<abi::Wait>(&command.body)) {
            if (abi::index_of(wait->on) >= abi::kEnginesMax) throw Error(ErrorId::kStreamWait, "A wait names no known engine");
            if (retired[abi::index_of(wait->on)] < wait->count) break;
          }
          std::visit([this](const auto& body) { execute(body); }, command.body);
          if (abi::is_counted(command.body)) ++retired[engine];
          ++next[engine];
          moved = true;
        }
      }
    }
    for (std::size_t engine = 0; engine < abi::kEnginesMax; ++engine)
      if (next[engine] < programs[engine].size())
        throw Error(ErrorId::kStreamDeadlock, fmt::format("Command {} waits for what never happens", programs[engine][next[engine]]));
  }

 private:
  void execute(const abi::End&) {}
  void execute(const abi::Wait&) {}
  void execute(const abi::Mark&) {}

  void execute(const abi::Dma& c) {
    for (std::uint64_t i = 0; i < c.count[0]; ++i)
      for (std::uint64_t j = 0; j < c.count[1]; ++j)
        for (std::uint64_t k = 0; k < c.count[2]; ++k) {
          const Place source = Place(c.source).plus(times(i, c.source_stride[0]) + times(j, c.source_stride[1]) + times(k, c.source_stride[2]));
          const Place target = Place(c.target).plus(times(i, c.target_stride[0]) + times(j, c.target_stride[1]) + times(k, c.target_stride[2]));
          for (std::uint64_t e = 0; e < c.row_bytes; ++e) memory_.write_byte(target.plus(e), memory_.read_byte(source.plus(e)));
        }
  }

  void execute(const abi::Fill& c) {
    const unsigned size = size_of(c.type);
    for (std::uint64_t i = 0; i < c.count[0]; ++i)
      for (std::uint64_t j = 0; j < c.count[1]; ++j)
        for (std::uint64_t k = 0; k < c.count[2]; ++k) {
          const Place target = Place(c.target).plus(times(i, c.target_stride[0]) + times(j, c.target_stride[1]) + times(k, c.target_stride[2]));
          for (std::uint64_t e = 0; e < c.row_bytes / size; ++e) memory_.write(target.plus(times(e, size)), c.type, c.value);
        }
  }

  void execute(const abi::Move& c) {
    const unsigned size = size_of(c.type);
    for_each_index(c.extent, [&](const auto& i) {
      for (unsigned byte = 0; byte < size; ++byte)
        memory_.write_byte(element(c.output, i, c.output_stride).plus(byte), memory_.read_byte(element(c.input, i, c.input_stride).plus(byte)));
    });
  }

  /// Where the sixteen channel records of channel c's block begin, and c's place among them.
  struct Records {
    Place block;
    unsigned lane;
  };
  static Records records_of(Operand weights, std::uint64_t channel, Offset block_bytes) {
    return {Place(weights).plus(channel / 16 * block_bytes), static_cast<unsigned>(channel % 16)};
  }

  std::int64_t start_of(const Records& records) { return memory_.read(records.block.plus(8 * records.lane), ElementType::kI64); }
  std::int32_t multiplier_of(const Records& records) { return static_cast<std::int32_t>(memory_.read(records.block.plus(128 + 4 * records.lane), ElementType::kI32)); }
  int shift_of(const Records& records) { return static_cast<int>(memory_.read(records.block.plus(256 + records.lane), ElementType::kI8)); }

  /// The end of both convolutions: `sum` is exact modulo 2^64.
  template <typename Window>
  void finish(const Window& c, const Records& records, std::uint64_t sum, const Place& target) {
    const bool is_wide = c.input_type == ElementType::kI16 && c.weight_format != abi::WeightFormat::kDepthwiseI16;
    const std::int32_t narrow = wrap32(static_cast<std::int64_t>(sum));
    if (c.output_type == ElementType::kI32) return memory_.write(target, c.output_type, narrow);
    const std::int32_t multiplier = multiplier_of(records);
    const int shift = shift_of(records);
    const std::int32_t value = is_wide ? requantize_wide(static_cast<std::int64_t>(sum), multiplier, shift) : requantize(narrow, multiplier, shift);
    memory_.write(target, c.output_type, clamp_code(std::int64_t{value} + c.output_zero, c.activation_min, c.activation_max));
  }

  template <typename Window>
  std::int64_t tap(const Window& c, std::uint64_t r, std::uint64_t q, std::uint64_t y, std::uint64_t x, std::uint64_t channel) {
    return memory_.read(pixel(c.input, r * c.stride_rows + y * c.dilation_rows, c.input_row_stride, q * c.stride_cols + x * c.dilation_cols,
                              c.input_pixel_stride, channel, c.input_type),
                        c.input_type);
  }

  void execute(const abi::Conv& c) {
    const std::uint64_t groups = (std::uint64_t{c.in_channels} + 3) / 4;
    const Offset block_bytes = 320 + times(std::uint64_t{c.kernel_rows} * c.kernel_cols, groups * 64);
    for (std::uint64_t r = 0; r < c.out_rows; ++r)
      for (std::uint64_t q = 0; q < c.out_cols; ++q)
        for (std::uint64_t channel = 0; channel < c.out_channels; ++channel) {
          const Records records = records_of(c.weights, channel, block_bytes);
          auto sum = static_cast<std::uint64_t>(
              c.start == abi::Start::kPartial
                  ? memory_.read(pixel(c.partial, r, c.partial_row_stride, q, c.partial_pixel_stride, channel, ElementType::kI32), ElementType::kI32)
                  : start_of(records));
          for (std::uint64_t y = 0; y < c.kernel_rows; ++y)
            for (std::uint64_t x = 0; x < c.kernel_cols; ++x)
              for (std::uint64_t i = 0; i < c.in_channels; ++i) {
                const Offset cell = ((times(y, c.kernel_cols) + x) * groups + i / 4) * 64 + records.lane * 4 + i % 4;
                const std::int64_t weight = memory_.read(records.block.plus(320 + cell), ElementType::kI8) - c.weight_zero;
                sum += static_cast<std::uint64_t>(tap(c, r, q, y, x, i) * weight);
              }
          finish(c, records, sum, pixel(c.output, r, c.output_row_stride, q, c.output_pixel_stride, channel, c.output_type));
        }
  }

  void execute(const abi::Depthwise& c) {
    if (c.channel_multiplier == 0) throw Error(ErrorId::kStreamField, "channel_multiplier is 0");
    const ElementType weight_type = c.weight_format == abi::WeightFormat::kDepthwiseI16 ? ElementType::kI16 : ElementType::kI8;
    const Offset block_bytes = (320 + times(std::uint64_t{c.kernel_rows} * c.kernel_cols, 16) * size_of(weight_type) + 63) / 64 * 64;
    for (std::uint64_t r = 0; r < c.out_rows; ++r)
      for (std::uint64_t q = 0; q < c.out_cols; ++q)
        for (std::uint64_t channel = 0; channel < c.channels; ++channel) {
          const Records records = records_of(c.weights, channel, block_bytes);
          auto sum = static_cast<std::uint64_t>(start_of(records));
          for (std::uint64_t y = 0; y < c.kernel_rows; ++y)
            for (std::uint64_t x = 0; x < c.kernel_cols; ++x) {
              const Offset cell = ((times(y, c.kernel_cols) + x) * 16 + records.lane) * size_of(weight_type);
              const std::int64_t weight = memory_.read(records.block.plus(320 + cell), weight_type) - c.weight_zero;
              sum += static_cast<std::uint64_t>(tap(c, r, q, y, x, channel / c.channel_multiplier) * weight);
            }
          finish(c, records, sum, pixel(c.output, r, c.output_row_stride, q, c.output_pixel_stride, channel, c.output_type));
        }
  }

  void execute(const abi::Elementwise& c) {
    using Op = abi::ElementwiseOp;
    const auto rescaled = [&](std::int32_t value, std::int32_t multiplier, int shift) {
      return requantize(multiply_by_power(value, std::min<int>(c.left_shift, 31)), multiplier, shift);
    };
    for_each_index(c.extent, [&](const auto& i) {
      const std::int64_t a = memory_.read(element(c.a, i, c.a_stride), c.type);
      const std::int64_t b = memory_.read(element(c.b, i, c.b_stride), c.type);
      const Place target = element(c.output, i, c.output_stride);
      if (c.op == Op::kMinimum || c.op == Op::kMaximum)
        return memory_.write(target, c.type, clamp_code(c.op == Op::kMinimum ? std::min(a, b) : std::max(a, b), c.activation_min, c.activation_max));
      std::int32_t x = wrap32(a - c.a_zero);
      std::int32_t y = wrap32(b - c.b_zero);
      if (c.op != Op::kMul) {
        x = rescaled(x, c.a_multiplier, c.a_shift);
        y = rescaled(y, c.b_multiplier, c.b_shift);
      }
      const std::int32_t difference = wrap32(std::int64_t{x} - y);
      std::int32_t value = 0;
      switch (c.op) {
        case Op::kAdd: value = wrap32(std::int64_t{x} + y); break;
        case Op::kSub: value = difference; break;
        case Op::kMul: value = wrap32(std::int64_t{x} * y); break;
        case Op::kSquaredDifference: value = wrap32(std::int64_t{difference} * difference); break;
        default: throw Error(ErrorId::kStreamField, fmt::format("Elementwise operation {} is not known", static_cast<unsigned>(c.op)));
      }
      const std::int64_t code = std::int64_t{requantize(value, c.output_multiplier, c.output_shift)} + c.output_zero;
      memory_.write(target, c.type, clamp_code(code, c.activation_min, c.activation_max));
    });
  }

  void execute(const abi::Requantize& c) {
    for_each_index(c.extent, [&](const auto& i) {
      const std::int32_t value = wrap32(memory_.read(element(c.input, i, c.input_stride), c.input_type) - c.input_zero);
      const std::int64_t code = std::int64_t{requantize(value, c.multiplier, c.shift)} + c.output_zero;
      memory_.write(element(c.output, i, c.output_stride), c.output_type, clamp_code(code, c.activation_min, c.activation_max));
    });
  }

  void execute(const abi::Table& c) {
    for_each_index(c.extent, [&](const auto& i) {
      const std::int64_t code = memory_.read(element(c.input, i, c.input_stride), c.type);
      const auto entry = static_cast<std::uint64_t>(code - codes_of(c.type).low);
      memory_.write_byte(element(c.output, i, c.output_stride), memory_.read_byte(Place(c.table).plus(entry)));
    });
  }

  void execute(const abi::Pool& c) {
    if (c.kind != abi::PoolKind::kAverage && c.kind != abi::PoolKind::kMaximum) throw Error(ErrorId::kStreamField, "Pool of an unknown kind");
    for (std::uint64_t r = 0; r < c.out_rows; ++r)
      for (std::uint64_t q = 0; q < c.out_cols; ++q)
        for (std::uint64_t channel = 0; channel < c.channels; ++channel) {
          std::int64_t sum = 0;
          std::int64_t count = 0;
          std::int64_t highest = std::numeric_limits<std::int64_t>::min();
          for (std::uint64_t y = 0; y < c.kernel_rows; ++y)
            for (std::uint64_t x = 0; x < c.kernel_cols; ++x) {
              memory_.step();
              const std::int64_t row = static_cast<std::int64_t>(r * c.stride_rows + y) - c.pad_top;
              const std::int64_t col = static_cast<std::int64_t>(q * c.stride_cols + x) - c.pad_left;
              if (row < 0 || row >= std::int64_t{c.in_rows} || col < 0 || col >= std::int64_t{c.in_cols}) continue;
              const std::int64_t code = memory_.read(pixel(c.input, static_cast<std::uint64_t>(row), c.input_row_stride, static_cast<std::uint64_t>(col),
                                                           c.input_pixel_stride, channel, c.type),
                                                     c.type);
              sum += code;
              highest = std::max(highest, code);
              ++count;
            }
          if (count == 0) throw Error(ErrorId::kStreamField, "A pool window has no tap inside the image");
          const std::int64_t average = sum > 0 || c.type == ElementType::kU8 ? (sum + count / 2) / count : (sum - count / 2) / count;
          memory_.write(pixel(c.output, r, c.output_row_stride, q, c.output_pixel_stride, channel, c.type), c.type,
                        clamp_code(c.kind == abi::PoolKind::kAverage ? average : highest, c.activation_min, c.activation_max));
        }
  }

  void execute(const abi::Reduce& c) {
    std::array<std::uint32_t, 4> kept = c.extent;
    std::array<std::uint32_t, 4> reduced{1, 1, 1, 1};
    for (unsigned d = 0; d < 4; ++d)
      if ((c.reduced_dimensions >> d & 1) != 0) std::swap(kept[d], reduced[d]);
    for_each_index(kept, [&](const auto& outer) {
      std::int32_t sum = 0;
      std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
      std::int64_t highest = std::numeric_limits<std::int64_t>::min();
      for_each_index(reduced, [&](const auto& inner) {
        std::array<std::uint32_t, 4> i{};
        for (unsigned d = 0; d < 4; ++d) i[d] = outer[d] + inner[d];
        const std::int64_t code = memory_.read(element(c.input, i, c.input_stride), c.input_type);
        sum = wrap32(sum + code - c.input_zero);
        lowest = std::min(lowest, code);
        highest = std::max(highest, code);
      });
      std::int64_t result = 0;
      switch (c.kind) {
        case abi::ReduceKind::kMaximum: result = highest; break;
        case abi::ReduceKind::kMinimum: result = lowest; break;
        case abi::ReduceKind::kSum:
          result = c.output_type == ElementType::kI32
                       ? sum
                       : clamp_code(std::int64_t{requantize(sum, c.multiplier, c.shift)} + c.output_zero, c.activation_min, c.activation_max);
          break;
        default: throw Error(ErrorId::kStreamField, "Reduce of an unknown kind");
      }
      memory_.write(element(c.output, outer, c.output_stride), c.output_type, result);
    });
  }

  void execute(const abi::Softmax& c) {
    const std::int64_t lowest = codes_of(c.type).low;
    std::vector<std::int32_t> row;
    for (std::uint64_t r = 0; r < c.rows; ++r) {
      row.clear();
      for (std::uint64_t e = 0; e < c.row_elements; ++e)
        row.push_back(static_cast<std::int32_t>(memory_.read(Place(c.input).plus(times(r, c.input_row_stride) + times(e, element_bytes(c.type))), c.type)));
      if (row.empty()) continue;
      softmax_row(row, {c.multiplier, std::clamp<int>(c.left_shift, 0, 30), c.difference_min});
      for (std::uint64_t e = 0; e < c.row_elements; ++e)
        memory_.write(Place(c.output).plus(times(r, c.output_row_stride) + times(e, element_bytes(c.type))), c.type, row[e] + lowest);
    }
  }

  void execute(const abi::Curve& c) {
    if (c.kind != abi::CurveKind::kSigmoid && c.kind != abi::CurveKind::kTanh) throw Error(ErrorId::kStreamField, "Curve of an unknown kind");
    const int shift = std::min<int>(c.shift, 31);
    const auto entry = [&](std::int64_t n) {
      return memory_.read(Place(c.table).plus(times(static_cast<std::uint64_t>(n), 2)), ElementType::kI16) & 0xFFFF;
    };
    for_each_index(c.extent, [&](const auto& i) {
      const std::int64_t product = memory_.read(element(c.input, i, c.input_stride), ElementType::kI16) * c.multiplier;
      const std::int64_t x = (product + (shift > 0 ? std::int64_t{1} << (shift - 1) : 0)) >> shift;
      memory_.write(element(c.output, i, c.output_stride), ElementType::kI16, interpolated_curve(c.kind == abi::CurveKind::kTanh, x, entry));
    });
  }

  void execute(const abi::Pack& c) {
    const std::uint64_t groups = (std::uint64_t{c.depth} + 3) / 4;
    const Offset block_bytes = 320 + times(groups, 64);
    for (std::uint64_t channel = 0; channel < (std::uint64_t{c.channels} + 15) / 16 * 16; ++channel) {
      const Records records = records_of(c.output, channel, block_bytes);
      const bool is_real = channel < c.channels;
      std::int64_t sum = 0;
      for (std::uint64_t k = 0; k < groups * 4; ++k) {
        std::int64_t weight = 0;
        if (is_real && k < c.depth) weight = memory_.read(Place(c.input).plus(times(channel, c.channel_stride) + times(k, c.depth_stride)), c.input_type);
        if (is_real && k < c.depth && c.input_type == ElementType::kU8) weight -= 128;
        memory_.write(records.block.plus(320 + times(k / 4, 64) + records.lane * 4 + k % 4), ElementType::kI8, weight);
        sum += weight;
      }
      const std::int64_t start = -std::int64_t{c.input_zero} * (sum - std::int64_t{c.depth} * c.weight_zero);
      memory_.write(records.block.plus(8 * records.lane), ElementType::kI64, is_real ? start : 0);
      memory_.write(records.block.plus(128 + 4 * records.lane), ElementType::kI32, is_real ? c.multiplier : 0);
      memory_.write(records.block.plus(192 + 4 * records.lane), ElementType::kI32, sum);
      memory_.write(records.block.plus(256 + records.lane), ElementType::kI8, is_real ? c.shift : 0);
      for (unsigned byte = records.lane * 3; byte < records.lane * 3 + 3; ++byte) memory_.write(records.block.plus(272 + byte), ElementType::kI8, 0);
    }
  }

  void execute(const abi::Resize& c) {
    const Range codes = codes_of(c.type);
    if (c.in_rows == 0 || c.in_cols == 0) throw Error(ErrorId::kStreamField, "Resize of an empty image");
    for (std::uint64_t r = 0; r < c.out_rows; ++r)
      for (std::uint64_t q = 0; q < c.out_cols; ++q)
        for (std::uint64_t channel = 0; channel < c.channels; ++channel) {
          const Neighbours y = neighbours_of(r, c.row_scale, c.row_offset, c.in_rows);
          const Neighbours x = neighbours_of(q, c.col_scale, c.col_offset, c.in_cols);
          const auto tap = [&](std::uint64_t row, std::uint64_t col) {
            return static_cast<std::uint64_t>(memory_.read(pixel(c.input, row, c.input_row_stride, col, c.input_pixel_stride, channel, c.type), c.type));
          };
          const std::uint64_t sum = y.low_weight * (x.low_weight * tap(y.low, x.low) + x.high_weight * tap(y.low, x.high)) +
                                    y.high_weight * (x.low_weight * tap(y.high, x.low) + x.high_weight * tap(y.high, x.high));
          memory_.write(pixel(c.output, r, c.output_row_stride, q, c.output_pixel_stride, channel, c.type), c.type,
                        std::clamp(resized_code(static_cast<std::int64_t>(sum)), codes.low, codes.high));
        }
  }

  const abi::Stream& stream_;
  Memory memory_;
};

}  // namespace

Result<void> interpret_stream(const abi::Stream& stream, std::span<const std::span<std::byte>> regions, std::uint64_t steps_max) {
  if (regions.size() != stream.regions.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("{} memories are given; the stream declares {} regions", regions.size(), stream.regions.size()));
  try {
    Interpreter(stream, regions, steps_max).run();
    return {};
  } catch (const Error& error) {
    return fail(error);
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, "No memory to interpret the stream");
  }
}

}  // namespace naru::sdk::reference
