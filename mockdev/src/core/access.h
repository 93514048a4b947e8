// What a command touches, from the loop nests of abi/isa.h, as strided boxes; and the arithmetic on them. Used when a stream is loaded,
// against what it declares, and again when a command executes, against what the job bound.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "naru/abi/isa.h"

namespace naru::mockdev {

/// `row` contiguous bytes at `offset`, repeated `count` times every `stride` bytes, in up to four dimensions.
struct Box {
  struct Dimension {
    std::uint64_t count = 1, stride = 0;
  };
  std::uint64_t offset = 0;
  std::uint64_t row = 0;
  std::array<Dimension, 4> dimensions{};

  /// One past the highest byte; nullopt beyond 64 bits.
  [[nodiscard]] std::optional<std::uint64_t> end() const noexcept;
  friend bool operator==(const Box&, const Box&) = default;
};
constexpr bool operator==(const Box::Dimension& a, const Box::Dimension& b) noexcept {
  return a.count == b.count && (a.count == 1 || a.stride == b.stride);
}

struct Access {
  unsigned region = 0;
  abi::Rights rights = abi::Rights::kRead;
  std::uint32_t alignment = 1;      // of offset and strides
  bool may_be_overwritten = false;  // by an output with exactly the same box
  Box box;
};

/// The output, if there is one, is the last.
struct Accesses {
  std::array<Access, 4> list;
  std::size_t count = 0;
  bool overflow = false;  // a size left 64 bits: refuse

  [[nodiscard]] std::span<const Access> all() const noexcept { return {list.data(), count}; }
};
[[nodiscard]] Accesses accesses_of(const abi::CommandBody& body) noexcept;

/// False only when no byte is in both: strided boxes whose gaps interleave are told apart where all strides have a common divisor.
[[nodiscard]] bool may_overlap(const Box& a, const Box& b) noexcept;
/// True only when no byte is visited twice.
[[nodiscard]] bool visits_once(const Box& box) noexcept;

}  // namespace naru::mockdev
