// Stage 4: nests into tiles that fit the SRAM. A cost model from the chip's numbers chooses the cut; unrolling writes the commands of every tile.
#pragma once

#include <optional>
#include <span>

#include "compiler/lower/lower.h"
#include "compiler/tile/compact.h"
#include "compiler/tile/frame.h"
#include "compiler/weights/weights.h"
#include "naru/abi/chip.h"

namespace naru::sdk::compiler {

struct WindowTiling {
  std::uint32_t rows = 1, cols = 1, channels = 1;  // of the output
  std::uint32_t depth = 1;                         // input channels per command; less than a group's when the reduction is split
  bool doubled = false;                            // two slots per stream, so that the next tile loads while this one computes
  bool weights_outer = true;                       // weights stay while images pass; otherwise the other way round
  std::uint32_t input_slots = 1, weight_slots = 1, output_slots = 1, partial_slots = 0;
};

struct MapTiling {
  std::array<std::uint32_t, 4> tile{1, 1, 1, 1};
  std::vector<std::uint32_t> slots;  // per input, then output
};

struct CopyTiling {
  std::uint64_t fill_bytes = 0;
};

struct ResizeTiling {
  std::uint32_t rows = 1, channels = 1;  // of the output
  std::uint32_t slots = 1;               // per stream
};

struct Tiling {
  std::variant<WindowTiling, MapTiling, CopyTiling, ResizeTiling> choice;
  std::vector<std::uint64_t> buffers;  // bytes of each SRAM buffer that the tiles use
  std::uint64_t cycles = 0;            // estimate
  [[nodiscard]] std::uint64_t sram_bytes() const;  // aligned sum
};

/// The cheapest tiling in `sram_bytes`; nullopt when none fits.
[[nodiscard]] std::optional<Tiling> choose_tiling(const Nest& nest, const abi::Chip& chip, std::uint64_t sram_bytes);
/// Of the smallest tiling there is, for messages.
[[nodiscard]] std::uint64_t smallest_tiling_bytes(const Nest& nest, const abi::Chip& chip);

/// The whole operator from SRAM to SRAM, on no buffers of its own, in up to `parts` parts so that its neighbours may begin and end beside it.
[[nodiscard]] Tiling whole_tiling(const Nest& nest, std::uint32_t parts);

/// Where everything lies when tiles are written.
struct Places {
  std::span<const abi::Operand> tensors;  // by TensorId: storage number and offset; of the image inside a frame
  std::span<const std::uint64_t> sram;    // of each of the tiling's buffers
  const PackedWeights* weights = nullptr; // of a window that has them
  std::optional<std::uint64_t> weights_at = std::nullopt;  // in the SRAM, when they stay there
  const CompactBlock* compact = nullptr;                   // of the weights' last block
  std::span<const Frame> frames = {};     // by TensorId; empty when no tensor has one
};
[[nodiscard]] std::vector<Step> unroll(const Nest& nest, const Tiling& tiling, const Places& places);

}  // namespace naru::sdk::compiler
