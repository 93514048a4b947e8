// Filters into the one weight layout (abi/weights.h), with what the accumulators start from and how they are rescaled.
#pragma once

#include <cstddef>
#include <vector>

#include "compiler/ir.h"

namespace naru::sdk::compiler {

/// Where a window's packed weights lie in the constants arena. Objects are numbered [group][depth chunk]; blocks of one object follow each other.
struct PackedWeights {
  std::vector<std::uint64_t> objects;        // offset of each
  std::vector<std::uint64_t> block_bytes;    // of each depth chunk
  std::uint32_t depth_chunks = 1;
  std::uint64_t end = 0;                     // one past the last object's last byte

  [[nodiscard]] std::uint64_t block(std::uint32_t group, std::uint32_t depth_chunk, std::uint32_t channel) const {
    return objects[std::size_t{group} * depth_chunks + depth_chunk] + channel / 16 * block_bytes[depth_chunk];
  }
};

/// Bytes of one block of 16 output channels over `depth` input channels.
[[nodiscard]] std::uint64_t weight_block_bytes(const WindowNode& node, std::uint32_t depth);

/// Appends to `constants`, 64-byte aligned. `depth`: input channels per chunk; all of a group's when the reduction is not split.
[[nodiscard]] PackedWeights pack_weights(const graph::Graph& graph, const WindowNode& node, std::uint32_t depth, std::vector<std::byte>& constants);

}  // namespace naru::sdk::compiler
