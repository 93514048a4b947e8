// What the records of naru/abi/isa.h mean, written from their comments and from reference/numerics alone: 64-bit and 128-bit arithmetic, one element
// at a time, nothing shared with mockdev/src/units. Also guarded memory, so that a kernel that reads past an operand's end dies.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "naru/abi/isa.h"
#include "naru/abi/weights.h"
#include "units/parts.h"
#include "units/units.h"

namespace naru::mockdev::test {

using abi::ElementType;
using Random = std::mt19937;

/// Uniform, ends included.
inline std::int32_t between(Random& random, std::int32_t low, std::int32_t high) { return std::uniform_int_distribution<std::int32_t>(low, high)(random); }

struct Range {
  std::int32_t lowest, highest;
};
inline Range range_of(ElementType type) {
  switch (type) {
    case ElementType::kI8: return {-128, 127};
    case ElementType::kU8: return {0, 255};
    default: return {-32768, 32767};
  }
}

/// `size` bytes that end exactly where unmapped memory begins (rounded up to `alignment` first, the rest being in front).
class Guarded {
 public:
  explicit Guarded(std::size_t size, std::size_t alignment = 1) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
    mapped_ = (rounded + page - 1) / page * page + page;
    base_ = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(static_cast<std::byte*>(base_) + mapped_ - page, page, PROT_NONE);
    data_ = static_cast<std::byte*>(base_) + mapped_ - page - rounded;
    size_ = size;
  }
  ~Guarded() { munmap(base_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::vector<std::byte> copy() const { return {data_, data_ + size_}; }
  void fill(std::byte value) const { std::memset(data_, static_cast<int>(value), size_); }
  template <typename Random>
  void randomize(Random& random) const {
    for (std::size_t i = 0; i < size_; ++i) data_[i] = static_cast<std::byte>(random());
  }

 private:
  void* base_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t mapped_ = 0, size_ = 0;
};

inline std::int64_t get(const std::byte* at, ElementType type) {
  const auto byte = [&](int i) { return static_cast<std::uint32_t>(at[i]); };
  switch (type) {
    case ElementType::kI8: return static_cast<std::int8_t>(byte(0));
    case ElementType::kU8: return byte(0);
    case ElementType::kI16: return static_cast<std::int16_t>(byte(0) | byte(1) << 8);
    default: return static_cast<std::int32_t>(byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24);
  }
}
inline void put(std::byte* at, ElementType type, std::int64_t value) {
  for (unsigned i = 0; i < abi::element_bytes(type); ++i) at[i] = static_cast<std::byte>(static_cast<std::uint64_t>(value) >> (8 * i));
}

inline std::int32_t wrap32(std::int64_t value) { return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint64_t>(value))); }

/// Numerics 1 by its definition: the exact product, truncated toward zero after the nudge, then rounded half away from zero.
inline std::int64_t requant(std::int64_t value, std::int32_t multiplier, int shift) {
  shift = shift < -31 ? -31 : shift > 30 ? 30 : shift;
  const std::int64_t a = shift > 0 ? wrap32(static_cast<std::int64_t>(static_cast<std::uint64_t>(value) << shift)) : wrap32(value);
  const __int128 product = static_cast<__int128>(a) * multiplier;
  const __int128 nudge = product >= 0 ? (__int128{1} << 30) : 1 - (__int128{1} << 30);
  __int128 high = (product + nudge) / (__int128{1} << 31);
  if (high > INT32_MAX) high = INT32_MAX;
  if (shift >= 0) return static_cast<std::int64_t>(high);
  const __int128 divisor = __int128{1} << -shift;
  const __int128 magnitude = ((high < 0 ? -high : high) * 2 + divisor) / (divisor * 2);
  return static_cast<std::int64_t>(high < 0 ? -magnitude : magnitude);
}
/// Numerics 5.
inline std::int64_t requant_wide(std::int64_t value, std::int32_t multiplier, int shift) {
  const std::int64_t reduced = multiplier < 0x7FFF0000 ? (std::int64_t{multiplier} + (1 << 15)) >> 16 : 0x7FFF;
  const int total = 15 - shift;
  return wrap32(static_cast<std::int64_t>((static_cast<__int128>(value) * reduced + (__int128{1} << (total - 1))) >> total));
}
inline std::int64_t clamp(std::int64_t value, std::int64_t low, std::int64_t high) { return value < low ? low : value > high ? high : value; }

/// Unpacked weights of a dense ([c][tap][i]) or depthwise ([c][tap], inputs = 1) command.
struct Weights {
  std::uint32_t channels = 1, taps = 1, inputs = 1;
  std::vector<std::int16_t> values;
  std::vector<std::int64_t> start;
  std::vector<std::int32_t> multiplier;
  std::vector<std::int8_t> shift;
  [[nodiscard]] std::int64_t at(std::uint64_t c, std::uint64_t tap, std::uint64_t i) const { return values[(c * taps + tap) * inputs + i]; }

  void put_record(std::byte* block, std::uint32_t c) const {
    const std::uint32_t lane = c % 16;
    std::int64_t sum = 0;
    for (std::uint32_t tap = 0; tap < taps; ++tap)
      for (std::uint32_t i = 0; i < inputs; ++i) sum += at(c, tap, i);
    for (int b = 0; b < 8; ++b) block[8 * lane + b] = static_cast<std::byte>(static_cast<std::uint64_t>(start[c]) >> (8 * b));
    put(block + 128 + 4 * lane, ElementType::kI32, multiplier[c]);
    put(block + 192 + 4 * lane, ElementType::kI32, wrap32(sum));
    block[256 + lane] = static_cast<std::byte>(shift[c]);
  }
  void pack_dense(std::byte* to) const {
    const std::size_t block_bytes = abi::dense_block_bytes(taps, inputs);
    std::memset(to, 0, block_bytes * ((channels + 15) / 16));
    for (std::uint32_t c = 0; c < channels; ++c) {
      std::byte* block = to + c / 16 * block_bytes;
      put_record(block, c);
      for (std::uint32_t tap = 0; tap < taps; ++tap)
        for (std::uint32_t i = 0; i < inputs; ++i) block[abi::dense_weight_offset(tap, i, c % 16, inputs)] = static_cast<std::byte>(at(c, tap, i));
    }
  }
  void pack_depthwise_i8(std::byte* to) const { pack_depthwise(to); }
  void pack_depthwise(std::byte* to, ElementType type = ElementType::kI8) const {
    const std::size_t weight_bytes = abi::element_bytes(type), block_bytes = (320 + taps * 16 * weight_bytes + 63) / 64 * 64;
    std::memset(to, 0, block_bytes * ((channels + 15) / 16));
    for (std::uint32_t c = 0; c < channels; ++c) {
      std::byte* block = to + c / 16 * block_bytes;
      put_record(block, c);
      for (std::uint32_t tap = 0; tap < taps; ++tap) put(block + 320 + (tap * 16 + c % 16) * weight_bytes, type, at(c, tap, 0));
    }
  }
};

/// The end of both MAC commands: `sum` is exact; 8-bit inputs accumulate modulo 2^32.
template <typename Record>
void write_result(const Record& record, std::byte* output, std::uint32_t c, __int128 sum, const Weights& weights) {
  const bool wide = record.input_type == ElementType::kI16 && record.weight_format != abi::WeightFormat::kDepthwiseI16;
  const std::int64_t total = static_cast<std::int64_t>(sum);
  const std::int64_t accumulator = wide ? total : wrap32(total);
  std::int64_t value = wrap32(accumulator);
  if (record.output_type != ElementType::kI32) {
    value = wide ? requant_wide(accumulator, weights.multiplier[c], weights.shift[c]) : requant(accumulator, weights.multiplier[c], weights.shift[c]);
    value = clamp(value + record.output_zero, record.activation_min, record.activation_max);
  }
  put(output + c * abi::element_bytes(record.output_type), record.output_type, value);
}

inline void naive(const abi::Conv& r, const std::byte* input, const Weights& weights, std::byte* output, const std::byte* partial) {
  for (std::uint64_t row = 0; row < r.out_rows; ++row)
    for (std::uint64_t col = 0; col < r.out_cols; ++col)
      for (std::uint32_t c = 0; c < r.out_channels; ++c) {
        __int128 a = r.start == abi::Start::kPartial ? get(partial + row * r.partial_row_stride + col * r.partial_pixel_stride + 4 * c, ElementType::kI32)
                                                     : weights.start[c];
        for (std::uint32_t y = 0; y < r.kernel_rows; ++y)
          for (std::uint32_t x = 0; x < r.kernel_cols; ++x)
            for (std::uint32_t i = 0; i < r.in_channels; ++i) {
              const std::byte* at = input + (row * r.stride_rows + y * r.dilation_rows) * r.input_row_stride +
                                    (col * r.stride_cols + x * r.dilation_cols) * r.input_pixel_stride + i * abi::element_bytes(r.input_type);
              a += get(at, r.input_type) * (weights.at(c, y * r.kernel_cols + x, i) - r.weight_zero);
            }
        write_result(r, output + row * r.output_row_stride + col * r.output_pixel_stride, c, a, weights);
      }
}

inline void naive(const abi::Depthwise& r, const std::byte* input, const Weights& weights, std::byte* output) {
  for (std::uint64_t row = 0; row < r.out_rows; ++row)
    for (std::uint64_t col = 0; col < r.out_cols; ++col)
      for (std::uint32_t c = 0; c < r.channels; ++c) {
        __int128 a = weights.start[c];
        for (std::uint32_t y = 0; y < r.kernel_rows; ++y)
          for (std::uint32_t x = 0; x < r.kernel_cols; ++x) {
            const std::byte* at = input + (row * r.stride_rows + y * r.dilation_rows) * r.input_row_stride +
                                  (col * r.stride_cols + x * r.dilation_cols) * r.input_pixel_stride +
                                  c / r.channel_multiplier * abi::element_bytes(r.input_type);
            a += get(at, r.input_type) * (weights.at(c, y * r.kernel_cols + x, 0) - r.weight_zero);
          }
        write_result(r, output + row * r.output_row_stride + col * r.output_pixel_stride, c, a, weights);
      }
}

/// The paths that this CPU can execute.
inline std::vector<KernelPath> supported_paths() {
  std::vector<KernelPath> paths;
  for (const KernelPath path : {KernelPath::kAmx, KernelPath::kVnni, KernelPath::kAvx2, KernelPath::kPortable})
    if (is_supported(path)) paths.push_back(path);
  return paths;
}

/// A command cut into parts, which are computed from the last to the first, gives the bytes of the whole.
template <typename Record, typename Pointers>
void expect_parts(Units& units, const Record& record, const Pointers& at, const Guarded& output, const std::vector<std::byte>& expected, const std::string& what) {
  for (const unsigned parts : {2U, 3U, 7U}) {
    output.fill(std::byte{0xA5});
    for (unsigned part = parts; part-- > 0;) {
      Record own = record;
      Pointers own_at = at;
      if (take_part(own, own_at, part, parts)) units.execute(own, own_at);
    }
    EXPECT_TRUE(output.copy() == expected) << name_of(units.path()) << " in " << parts << " parts: " << what;
  }
}

}  // namespace naru::mockdev::test
