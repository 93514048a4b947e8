// The second line of defence: the loader has checked all that is checked here, against what the stream declares; this is against what was bound.
#include "core/executor.h"

#include "core/access.h"
#include "core/field_rules.h"

namespace naru::mockdev {
namespace {

std::byte* address(const Job& job, abi::Operand operand) noexcept { return job.regions[operand.region()].base + operand.offset(); }

bool allowed(const Job& job, const Access& access, bool is_dma) noexcept {
  if (access.region >= job.region_count) return false;
  const BoundRegion& region = job.regions[access.region];
  if (region.memory == abi::MemoryKind::kDram && !is_dma) return false;
  const std::optional<std::uint64_t> end = access.box.end();
  return abi::includes(region.rights, access.rights) && end && *end <= region.bytes;
}

struct Runner {
  Units& units;
  const Job& job;

  std::byte* at(abi::Operand operand) const noexcept { return address(job, operand); }

  void operator()(const abi::End&) const noexcept {}
  void operator()(const abi::Wait&) const noexcept {}
  void operator()(const abi::Mark&) const noexcept {}
  void operator()(const abi::Dma& c) const noexcept { units.execute(c, DmaPointers{at(c.source), at(c.target)}); }
  void operator()(const abi::Fill& c) const noexcept { units.execute(c, FillPointers{at(c.target)}); }
  void operator()(const abi::Conv& c) const noexcept {
    units.execute(c, ConvPointers{at(c.input), at(c.weights), at(c.output), c.start == abi::Start::kPartial ? at(c.partial) : nullptr});
  }
  void operator()(const abi::Depthwise& c) const noexcept { units.execute(c, DepthwisePointers{at(c.input), at(c.weights), at(c.output)}); }
  void operator()(const abi::Elementwise& c) const noexcept { units.execute(c, ElementwisePointers{at(c.a), at(c.b), at(c.output)}); }
  void operator()(const abi::Table& c) const noexcept { units.execute(c, TablePointers{at(c.input), at(c.table), at(c.output)}); }
  void operator()(const abi::Curve& c) const noexcept { units.execute(c, TablePointers{at(c.input), at(c.table), at(c.output)}); }
  template <typename Unary>
  void operator()(const Unary& c) const noexcept {
    units.execute(c, UnaryPointers{at(c.input), at(c.output)});
  }
};

/// The lowest byte of a MAC command's first output.
std::byte* first_mac_output(const Job& job, const abi::CommandBody& body) noexcept {
  if (const auto* conv = std::get_if<abi::Conv>(&body)) return address(job, conv->output);
  if (const auto* depthwise = std::get_if<abi::Depthwise>(&body)) return address(job, depthwise->output);
  return nullptr;
}

}  // namespace

abi::Status Executor::execute(const Job& job, std::uint32_t index) noexcept {
  const abi::CommandBody& body = job.stream->stream.commands[index].body;
  const Accesses accesses = accesses_of(body);
  const auto* dma = std::get_if<abi::Dma>(&body);
  if (accesses.overflow) return abi::Status::kJobFault;
  bool writes_sram = false;
  for (const Access& access : accesses.all()) {
    if (!allowed(job, access, dma != nullptr)) return abi::Status::kJobFault;
    writes_sram = writes_sram || (access.rights == abi::Rights::kWrite && job.regions[access.region].memory == abi::MemoryKind::kSram);
  }
  std::visit(Runner{units_, job}, body);
  if (state_.faults.kernel_error)
    if (std::byte* byte = first_mac_output(job, body)) *byte = static_cast<std::byte>(static_cast<unsigned>(*byte) + 1);
  if (writes_sram && state_.faults.sram_stuck_bit >= 0) apply_stuck_bit();

  abi::Counters& counters = state_.counters;
  ++counters.kernel_commands[static_cast<std::size_t>(units_.path())];
  counters.macs += abi::macs_of(body);
  if (dma != nullptr) {
    const std::uint64_t bytes = steps_of(body);
    const bool from_dram = job.regions[dma->source.region()].memory == abi::MemoryKind::kDram;
    const bool to_dram = job.regions[dma->target.region()].memory == abi::MemoryKind::kDram;
    (from_dram ? counters.dram_read_bytes : counters.sram_read_bytes) += bytes;
    (to_dram ? counters.dram_write_bytes : counters.sram_write_bytes) += bytes;
  } else if (std::holds_alternative<abi::Fill>(body) && abi::is_dma(job.stream->stream.commands[index].engine)) {
    counters.sram_write_bytes += steps_of(body);
  }
  return abi::Status::kOk;
}

void Executor::apply_stuck_bit() noexcept {
  const std::span<std::byte> sram = memory_.sram();
  const std::int64_t bit = state_.faults.sram_stuck_bit;
  if (bit < 0 || static_cast<std::uint64_t>(bit) / 8 >= sram.size()) return;
  sram[static_cast<std::size_t>(bit) / 8] |= static_cast<std::byte>(1u << (bit % 8));
}

std::uint64_t Executor::host_nanoseconds(const abi::CommandBody& body) const noexcept {
  // Measured orders of magnitude: 100, 30, 3 and 400 products by the order of the paths, 8 bytes, 1 element per nanosecond. Precision does not matter, only that slices stay short.
  constexpr std::array<std::uint64_t, abi::kKernelPaths.size()> kProductsPerNanosecond{100, 30, 3, 400};
  const std::uint64_t steps = steps_of(body);
  if (abi::macs_of(body) != 0) return 200 + steps / kProductsPerNanosecond[static_cast<std::size_t>(units_.path())];
  const bool is_copy = std::holds_alternative<abi::Dma>(body) || std::holds_alternative<abi::Fill>(body);
  return 100 + (is_copy ? steps / 8 : steps);
}

}  // namespace naru::mockdev
