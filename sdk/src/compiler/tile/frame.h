// Frames: room for padding around an image that stays in the SRAM. The producer writes the inside, the border is filled once, and every window reads
// image and padding where they lie.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "compiler/group/group.h"
#include "compiler/lower/lower.h"

namespace naru::sdk::compiler {

/// One image of rows x cols pixels with a border, contiguous. Without a border it lies as every tensor does.
struct Frame {
  std::uint64_t rows = 0, cols = 0, pixel_bytes = 0;
  std::uint64_t top = 0, bottom = 0, left = 0, right = 0;  // pixels

  [[nodiscard]] bool any() const noexcept { return (top | bottom | left | right) != 0; }
  [[nodiscard]] std::uint64_t row_bytes() const noexcept { return cols * pixel_bytes; }
  [[nodiscard]] std::uint64_t pitch() const noexcept { return (left + cols + right) * pixel_bytes; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return (top + rows + bottom) * pitch(); }
  /// From the frame's first byte to the image's.
  [[nodiscard]] std::uint64_t origin() const noexcept { return top * pitch() + left * pixel_bytes; }
};

/// The frame that this window wants around its input; nullopt when it needs none, or cannot use one (several images).
[[nodiscard]] std::optional<Frame> wanted_frame(const WindowNest& nest);
/// The least frame that holds both; nullopt when they are not of the same image.
[[nodiscard]] std::optional<Frame> joined(const Frame& a, const Frame& b);

/// Changes the nest so that what shares the place of `root` (`aliases`, group.h) is walked inside `frame`. False, and the nest unchanged, when it cannot be.
[[nodiscard]] bool walk_in_frame(Nest& nest, TensorId root, std::span<const Alias> aliases, const Frame& frame);

/// The border at `at` (the frame's first byte): fills on the vector engine.
void append_border(std::vector<Item>& items, const Frame& frame, std::uint64_t at, std::int32_t value, abi::ElementType type);

}  // namespace naru::sdk::compiler
