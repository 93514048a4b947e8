// Two neighbours that take m cycles together, the shorter of them, wait m / p for the first of p parts, and pay p starts: the best p is the root of
// m / start.
#include "compiler/schedule/overlap.h"

#include <algorithm>
#include <cmath>

#include "compiler/tile/parts.h"

namespace naru::sdk::compiler {
namespace {

constexpr std::uint32_t kPartsMax = 16;

struct Overlap {
  bool on_mac = false;
  std::uint64_t cycles = 0;
  std::uint64_t beside = 0;  // cycles that could run beside a neighbour
};

Overlap overlap_of(const Nest& nest, const abi::Chip& chip) {
  const abi::CommandBody body = whole_command(nest);
  return {abi::macs_of(body) > 0, abi::cost_of({abi::Engine::kVector, 0, body}, chip).busy * repeats_of(nest), 0};
}

}  // namespace

std::vector<std::uint32_t> parts_of_operators(const std::vector<StagedOperator>& operators, const Staging& staging, const abi::Chip& chip) {
  std::vector<Overlap> work;
  work.reserve(operators.size());
  for (const StagedOperator& op : operators) work.push_back(overlap_of(*op.nest, chip));
  const auto meet = [](Overlap& a, std::uint64_t other) { a.beside = std::max(a.beside, std::min(a.cycles, other)); };
  for (const StagedTensor& tensor : staging.tensors) {
    const std::uint64_t transfer = tensor.bytes / chip.dram_bytes_per_cycle;
    if (tensor.loads) meet(work[tensor.first], transfer);
    if (tensor.stores) meet(work[tensor.writer], transfer);
    if (tensor.loads) continue;
    Overlap& writer = work[tensor.writer];
    for (std::uint32_t i = tensor.writer + 1; i <= tensor.last; ++i) {
      Overlap& reader = work[i];
      if (reader.on_mac == writer.on_mac || !std::ranges::count(operators[i].reads, tensor.root)) continue;
      meet(writer, reader.cycles);
      meet(reader, writer.cycles);
    }
  }
  std::vector<std::uint32_t> parts(operators.size(), 1);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!staging.whole[i]) continue;
    const double best = std::sqrt(static_cast<double>(work[i].beside) / std::max(chip.start_cycles, 1U));
    parts[i] = std::clamp(static_cast<std::uint32_t>(best), 1U, kPartsMax);
  }
  return parts;
}

}  // namespace naru::sdk::compiler
