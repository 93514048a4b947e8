// A piece is long enough to hide a command's latency, and short enough that the first ones are there early.
#include "compiler/schedule/transfers.h"

#include <algorithm>

#include "compiler/tile/parts.h"
#include "naru/abi/weights.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::uint64_t kPieceBytes = 16384;
/// Inputs and outputs move in this many pieces, so that computation begins and ends beside them.
constexpr std::uint64_t kTensorPieces = 8;

/// Parts of an image, by whole rows where it has any.
struct Part {
  std::uint64_t home = 0, sram = 0;  // bytes from the image's first
  std::uint64_t row_bytes = 0, rows = 1, pitch = 0;
};

std::vector<Part> parts_of(const StagedTensor& tensor, std::uint64_t piece) {
  std::vector<Part> parts;
  if (tensor.frame.any()) {
    const std::uint64_t row = tensor.frame.row_bytes(), step = std::max<std::uint64_t>(1, piece / row);
    for (std::uint64_t at = 0; at < tensor.frame.rows; at += step)
      parts.push_back({at * row, at * tensor.frame.pitch(), row, std::min(step, tensor.frame.rows - at), tensor.frame.pitch()});
    return parts;
  }
  for (std::uint64_t at = 0; at < tensor.bytes; at += piece) parts.push_back({at, at, std::min(piece, tensor.bytes - at), 1, 0});
  return parts;
}

std::uint64_t piece_of(const StagedTensor& tensor, const abi::Chip& chip) {
  // Two commands' worth of latency is the least that a piece should move.
  const std::uint64_t least = 2 * std::uint64_t{chip.dram_latency_cycles + chip.start_cycles} * chip.dram_bytes_per_cycle;
  const std::uint64_t eighth = align_up<std::uint64_t>(ceil_div<std::uint64_t>(tensor.bytes, kTensorPieces), kSramAlignment);
  return std::min(kPieceBytes, std::max<std::uint64_t>(align_up<std::uint64_t>(least, kSramAlignment), eighth));
}

}  // namespace

Unit Transfers::next(std::uint64_t bytes) {
  if (shared_) return Unit::kLoad;
  const std::size_t unit = asked_[1] < asked_[0] ? 1 : 0;
  asked_[unit] += chip_.dram_latency_cycles + chip_.start_cycles + 2 * bytes / std::max(chip_.dram_bytes_per_cycle, 1U);
  return unit == 0 ? Unit::kLoad : Unit::kStore;
}

std::vector<Item> Transfers::load(const StagedWeights& weights) {
  std::vector<Item> items;
  const std::uint64_t whole = weights.compact ? weights.bytes - weights.block_bytes + abi::kWeightDataOffset : weights.bytes;
  const abi::Operand source = abi::Operand::at(kConstantsStorage, weights.begin), target = abi::Operand::at(kSramStorage, weights.offset);
  for (std::uint64_t at = 0; at < whole; at += kPieceBytes) {
    const std::uint64_t bytes = std::min(kPieceBytes, whole - at);
    append_dma(items, next(bytes), advance(source, at), advance(target, at), bytes, {});
  }
  if (!weights.compact) return items;
  const auto [rows, kept, row_bytes] = *weights.compact;
  const std::uint64_t step = kPieceBytes / kept;
  for (std::uint64_t row = 0; row < rows; row += step)
    append_dma(items, next(std::min(step, rows - row) * kept), advance(source, whole + row * kept), advance(target, whole + row * row_bytes), kept,
               {{std::min(step, rows - row), kept, row_bytes}});
  return items;
}

std::vector<Item> Transfers::load(const StagedTensor& tensor, abi::Operand home) {
  std::vector<Item> items;
  for (const Part& part : parts_of(tensor, piece_of(tensor, chip_)))
    append_dma(items, next(part.row_bytes * part.rows), advance(home, part.home), abi::Operand::at(kSramStorage, tensor.image() + part.sram), part.row_bytes,
               {{part.rows, part.row_bytes, part.pitch}});
  return items;
}

std::vector<Item> Transfers::store(const StagedTensor& tensor, abi::Operand home) {
  std::vector<Item> items;
  for (const Part& part : parts_of(tensor, piece_of(tensor, chip_)))
    append_dma(items, shared_ ? Unit::kStore : next(part.row_bytes * part.rows), abi::Operand::at(kSramStorage, tensor.image() + part.sram), advance(home, part.home),
               part.row_bytes, {{part.rows, part.pitch, part.row_bytes}});
  return items;
}

}  // namespace naru::sdk::compiler
