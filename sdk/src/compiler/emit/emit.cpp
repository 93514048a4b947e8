// A region per storage that the job touches, with the rights that its commands use and no more.
#include "compiler/emit/emit.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "compiler/emit/dependences.h"
#include "naru/abi/cycles.h"

namespace naru::sdk::compiler {
namespace {

using abi::Rights;

package::Binding binding_of(unsigned storage, std::uint64_t bytes, Rights rights, bool arena) {
  package::Binding binding;
  binding.bytes = bytes;
  binding.rights = rights;
  switch (storage) {
    case kSramStorage: binding.source = package::RegionSource::kSram; break;
    case kConstantsStorage: binding.source = package::RegionSource::kConstants; break;
    case kScratchStorage: binding.source = package::RegionSource::kScratch; break;
    case kStateReadStorage: binding.source = package::RegionSource::kStateRead; break;
    case kStateWriteStorage: binding.source = package::RegionSource::kStateWrite; break;
    default:
      binding.source = arena ? package::RegionSource::kArena : package::RegionSource::kTensor;
      binding.tensor = storage - kTensorStorage;
  }
  return binding;
}

/// Every operand of a command that is in use: the same members that the footprint reads.
template <typename Visit>
void for_each_operand(abi::CommandBody& body, Visit visit) {
  std::visit(
      [&](auto& c) {
        using T = std::remove_cvref_t<decltype(c)>;
        if constexpr (requires { c.source; }) visit(c.source);
        if constexpr (requires { c.target; }) visit(c.target);
        if constexpr (requires { c.input; }) visit(c.input);
        if constexpr (requires { c.weights; }) visit(c.weights);
        if constexpr (requires { c.a; c.b; }) {
          visit(c.a);
          visit(c.b);
        }
        if constexpr (requires { c.table; }) visit(c.table);
        if constexpr (std::is_same_v<T, abi::Conv>)
          if (c.start == abi::Start::kPartial) visit(c.partial);
        if constexpr (requires { c.output; }) visit(c.output);
      },
      body);
}

}  // namespace

Result<EmittedJob> emit(const std::vector<abi::Command>& commands, std::span<const std::uint64_t> storage_bytes, bool arena, const abi::Chip& chip) {
  struct Use {
    Rights rights = Rights::kNone;
    std::uint64_t extent = 0;
  };
  std::map<unsigned, Use> uses;
  for (const abi::Command& command : commands) {
    const verify::Footprint footprint = verify::footprint_of(command.body);
    for (const auto& access : footprint.all()) {
      Use& use = uses[access.region];
      use.rights = use.rights | access.rights;
      use.extent = std::max(use.extent, access.box.end());
    }
  }
  if (uses.size() > abi::kRegionsMax)
    return fail(ErrorId::kCompileLimit, fmt::format("A job would need {} regions; a job has at most {}", uses.size(), abi::kRegionsMax));
  EmittedJob job;
  std::map<unsigned, unsigned> region_of;
  for (const auto& [storage, use] : uses) {
    region_of[storage] = static_cast<unsigned>(job.bindings.size());
    const std::uint64_t bytes = storage == kSramStorage ? use.extent : storage_bytes[storage];
    job.bindings.push_back(binding_of(storage, bytes, use.rights, arena));
    job.stream.regions.push_back({.memory = memory_of(storage), .rights = use.rights, .reserved = {}, .bytes = bytes});
  }
  Dependences dependences;
  job.stream.commands.reserve(commands.size() * 3 / 2 + 1);
  for (abi::Command command : commands) {
    for_each_operand(command.body, [&](abi::Operand& operand) { operand = abi::Operand::at(region_of[operand.region()], operand.offset()); });
    for (const abi::Wait& wait : dependences.add(command)) job.stream.commands.push_back({command.engine, command.source, wait});
    auto source = abi::MemoryKind::kSram, target = abi::MemoryKind::kSram;
    if (const auto* dma = std::get_if<abi::Dma>(&command.body)) {
      source = job.stream.regions[dma->source.region()].memory;
      target = job.stream.regions[dma->target.region()].memory;
    }
    job.worst_case_cycles += abi::cost_of(command, chip, source, target).alone(chip);
    job.stream.commands.push_back(std::move(command));
  }
  job.stream.commands.push_back({abi::Engine::kNone, 0, abi::End{}});
  return job;
}

}  // namespace naru::sdk::compiler
