// Order of the checks: framing, declarations, then each command: engine, fields, accesses, cost; at last, whether the waits can all end.
#include "core/stream_loader.h"

#include "core/access.h"
#include "core/field_rules.h"

namespace naru::mockdev {
namespace {

/// Burst rounding multiplies a command's bytes by at most 2^16, so that cycle formulas stay inside 64 bits.
constexpr std::uint64_t kStepsMax = std::uint64_t{1} << 46;

std::string_view declaration_fault(const abi::Stream& stream, const abi::Chip& chip) {
  for (const abi::RegionDeclaration& region : stream.regions) {
    if (region.memory != abi::MemoryKind::kDram && region.memory != abi::MemoryKind::kSram) return "a region's memory kind";
    if (region.rights == abi::Rights::kNone || !abi::includes(abi::Rights::kReadWrite, region.rights)) return "a region's rights";
    if (region.bytes == 0 || region.bytes > (region.memory == abi::MemoryKind::kSram ? chip.sram_bytes : chip.dram_bytes)) return "a region's size";
  }
  return {};
}

bool runs_on(const abi::CommandBody& body, abi::Engine engine) {
  return std::visit([&](const auto& record) { return abi::runs_on<std::remove_cvref_t<decltype(record)>>(engine); }, body);
}

std::string_view access_fault(const Accesses& accesses, const abi::Stream& stream, bool is_dma) {
  if (accesses.overflow) return "a size does not fit 64 bits";
  for (const Access& access : accesses.all()) {
    if (access.region >= stream.regions.size()) return "an operand's region is not declared";
    const abi::RegionDeclaration& region = stream.regions[access.region];
    if (region.memory == abi::MemoryKind::kDram && !is_dma) return "only DMA reaches DRAM";
    if (!abi::includes(region.rights, access.rights)) return "an operand's region lacks the right";
    const std::optional<std::uint64_t> end = access.box.end();
    if (!end || *end > region.bytes) return "an operand leaves its region";
    if (access.box.offset % access.alignment != 0) return "an operand is not aligned";
    for (const Box::Dimension& dimension : access.box.dimensions)
      if (dimension.stride % access.alignment != 0) return "a stride is not aligned";
  }
  if (accesses.count == 0) return {};
  const Access& output = accesses.list[accesses.count - 1];
  if (!visits_once(output.box)) return "the output overlaps itself";
  for (const Access& input : accesses.all().first(accesses.count - 1)) {
    if (input.region != output.region || (input.may_be_overwritten && input.box == output.box)) continue;
    if (may_overlap(input.box, output.box)) return "the output overlaps an input";
  }
  return {};
}

std::string_view command_fault(const abi::Command& command, const abi::Stream& stream, const abi::Chip& chip, abi::Cost& cost) {
  if (!runs_on(command.body, command.engine)) return "engine cannot execute this";
  if (command.engine != abi::Engine::kNone && abi::index_of(command.engine) >= 2u + chip.dma_engines) return "engine is not present";
  if (const std::string_view fault = field_fault(command.body); !fault.empty()) return fault;
  if (const auto* wait = std::get_if<abi::Wait>(&command.body)) {
    if (abi::index_of(wait->on) >= 2u + chip.dma_engines || wait->on == command.engine || wait->count == 0) return "wait";
  }
  const Accesses accesses = accesses_of(command.body);
  const bool is_dma = std::holds_alternative<abi::Dma>(command.body);
  if (const std::string_view fault = access_fault(accesses, stream, is_dma); !fault.empty()) return fault;
  if (steps_of(command.body) > kStepsMax) return "too much work";
  std::array<abi::MemoryKind, 2> memory{abi::MemoryKind::kSram, abi::MemoryKind::kSram};
  if (is_dma) memory = {stream.regions[accesses.list[0].region].memory, stream.regions[accesses.list[1].region].memory};
  cost = abi::cost_of(command, chip, memory[0], memory[1]);
  if (cost.alone(chip) > chip.job_cycles_max) return "longer than the longest job";
  return {};
}

/// The first WAIT that can never end, or the command count. Retired counts only grow, so running every engine as far as it goes, again and
/// again until none moves, finds exactly the waits that some order of events could satisfy.
std::uint32_t first_stuck_wait(const LoadedStream& loaded) {
  std::array<std::size_t, abi::kEnginesMax> at{};
  std::array<std::uint32_t, abi::kEnginesMax> retired{};
  for (bool moved = true; moved;) {
    moved = false;
    for (unsigned engine = 0; engine < abi::kEnginesMax; ++engine) {
      const std::vector<std::uint32_t>& commands = loaded.engine_commands[engine];
      for (; at[engine] < commands.size(); ++at[engine]) {
        const abi::CommandBody& body = loaded.stream.commands[commands[at[engine]]].body;
        if (const auto* wait = std::get_if<abi::Wait>(&body); wait != nullptr && retired[abi::index_of(wait->on)] < wait->count) break;
        if (abi::is_counted(body)) ++retired[engine];
        moved = true;
      }
    }
  }
  auto stuck = static_cast<std::uint32_t>(loaded.stream.commands.size());
  for (unsigned engine = 0; engine < abi::kEnginesMax; ++engine)
    if (at[engine] < loaded.engine_commands[engine].size()) stuck = std::min(stuck, loaded.engine_commands[engine][at[engine]]);
  return stuck;
}

}  // namespace

LoadResult load_stream(std::span<const std::byte> bytes, const abi::Chip& chip) {
  auto loaded = std::make_shared<LoadedStream>();
  const abi::StreamDecoded decoded = abi::decode_stream(bytes, loaded->stream);
  if (decoded.fault != abi::StreamFault::kNone) return {nullptr, decoded.command, abi::name_of(decoded.fault)};
  if (const std::string_view fault = declaration_fault(loaded->stream, chip); !fault.empty()) return {nullptr, 0, fault};
  const std::vector<abi::Command>& commands = loaded->stream.commands;
  loaded->costs.resize(commands.size());
  for (std::uint32_t index = 0; index < commands.size(); ++index) {
    if (const std::string_view fault = command_fault(commands[index], loaded->stream, chip, loaded->costs[index]); !fault.empty()) return {nullptr, index, fault};
    if (commands[index].engine != abi::Engine::kNone) loaded->engine_commands[abi::index_of(commands[index].engine)].push_back(index);
  }
  for (std::uint8_t engine = 0; engine < abi::kEnginesMax; ++engine)
    if (!loaded->engine_commands[engine].empty()) loaded->engines[loaded->engine_count++] = engine;
  if (const std::uint32_t stuck = first_stuck_wait(*loaded); stuck < commands.size()) return {nullptr, stuck, "a wait can never end"};
  return {std::move(loaded), 0, {}};
}

}  // namespace naru::mockdev
