// The verifier's order of work: framing, chip, regions, each command by itself, cost, then the order among commands. The first fault ends it.

#include "naru/verify/verify.h"

#include <algorithm>
#include <new>

#include "fields.h"
#include "hazards.h"
#include "naru/abi/cycles.h"
#include "naru/verify/footprint.h"
#include "order.h"
#include "saturating.h"

namespace naru::verify {
namespace {

using abi::MemoryKind;
using abi::Rights;

/// Steps of one command's loops that the cycle formulas can take without leaving 64 bits; far above what any job has time for.
constexpr std::uint64_t kStepsMax = std::uint64_t{1} << 46;
/// What an operand's offset can express.
constexpr std::uint64_t kRegionBytesMax = std::uint64_t{1} << 48;
constexpr std::uint32_t kBurstBytesMax = 1U << 16;
/// Comparisons spent on proving that one command's output and input do not meet.
constexpr std::uint64_t kOverlapStepsMax = 1U << 16;

std::string_view name_of(MemoryKind kind) { return kind == MemoryKind::kDram ? "DRAM" : "SRAM"; }

Error framing_error(const abi::StreamDecoded& decoded) {
  const auto id = [&] {
    switch (decoded.fault) {
      case abi::StreamFault::kMagic:
      case abi::StreamFault::kCount: return ErrorId::kStreamHeader;
      case abi::StreamFault::kVersion:
      case abi::StreamFault::kGeneration: return ErrorId::kStreamVersion;
      case abi::StreamFault::kRegionCount: return ErrorId::kStreamRegion;
      case abi::StreamFault::kReserved: return ErrorId::kStreamReserved;
      case abi::StreamFault::kOpcode: return ErrorId::kStreamOpcode;
      case abi::StreamFault::kSize: return ErrorId::kStreamSize;
      case abi::StreamFault::kEndMissing:
      case abi::StreamFault::kEndEarly: return ErrorId::kStreamEnd;
      case abi::StreamFault::kTruncated: return ErrorId::kStreamTruncated;
      case abi::StreamFault::kNone: break;
    }
    return ErrorId::kInternal;
  }();
  return Error(id, fmt::format("Stream is malformed at command {}, byte {}: {}", decoded.command, decoded.offset, abi::name_of(decoded.fault)))
      .with_value("command", fmt::format("{}", decoded.command))
      .with_value("offset", fmt::format("{}", decoded.offset));
}

Result<void> check_chip(const abi::Chip& chip) {
  if (chip.isa_generation != abi::kIsaGeneration)
    return fail(ErrorId::kStreamVersion, fmt::format("The chip has instruction set {}; the stream is written for {}", chip.isa_generation, abi::kIsaGeneration));
  const std::pair<std::string_view, std::uint64_t> divisors[] = {{"dma_engines", chip.dma_engines},
                                                                 {"oc_lanes", chip.oc_lanes},
                                                                 {"dot_depth", chip.dot_depth},
                                                                 {"dw_channels", chip.dw_channels},
                                                                 {"dw_taps", chip.dw_taps},
                                                                 {"vector_lanes", chip.vector_lanes},
                                                                 {"sram_bytes_per_cycle", chip.sram_bytes_per_cycle},
                                                                 {"dram_bytes_per_cycle", chip.dram_bytes_per_cycle},
                                                                 {"dram_burst_bytes", chip.dram_burst_bytes}};
  for (const auto& [name, value] : divisors)
    if (value == 0) return fail(ErrorId::kInvalidArgument, fmt::format("The chip's {} is 0", name));
  if (chip.dma_engines > abi::kDmaEnginesMax)
    return fail(ErrorId::kInvalidArgument, fmt::format("The chip has {} DMA engines; at most {} are known", chip.dma_engines, abi::kDmaEnginesMax));
  if (chip.dram_burst_bytes > kBurstBytesMax)
    return fail(ErrorId::kInvalidArgument, fmt::format("The chip's dram_burst_bytes is {}; at most {} makes sense", chip.dram_burst_bytes, kBurstBytesMax));
  return {};
}

class StreamCheck {
 public:
  StreamCheck(const abi::Stream& stream, const abi::Chip& chip, const Options& options) : stream_(stream), chip_(chip), options_(options) {}

  Result<Report> run() {
    NARU_CHECK_OK(check_chip(chip_));
    NARU_CHECK_OK(check_regions());
    NARU_CHECK_OK(check_end());
    for (std::uint32_t i = 0; i < stream_.commands.size(); ++i) NARU_CHECK_OK(check_command({i, &stream_.commands[i]}));
    NARU_CHECK_OK(check_budget());
    NARU_TRY(const std::vector<Ordered> order, order_commands(stream_.commands, engine_count()));
    NARU_CHECK_OK(check_hazards(stream_, order, options_.hazard_steps_max));
    return std::move(report_);
  }

 private:
  [[nodiscard]] unsigned engine_count() const { return abi::index_of(abi::dma_engine(chip_.dma_engines)); }

  Result<void> check_regions() {
    const auto refuse = [](ErrorId id, std::size_t index, std::string what) {
      return fail(Error(id, fmt::format("Region {}: {}", index, what)).with_value("region", fmt::format("{}", index)));
    };
    if (stream_.regions.size() > abi::kRegionsMax)
      return fail(ErrorId::kStreamRegion, fmt::format("{} regions are declared; at most {} are possible", stream_.regions.size(), abi::kRegionsMax));
    for (std::size_t i = 0; i < stream_.regions.size(); ++i) {
      const abi::RegionDeclaration& region = stream_.regions[i];
      if (region.memory != MemoryKind::kDram && region.memory != MemoryKind::kSram)
        return refuse(ErrorId::kStreamRegion, i, fmt::format("memory is {}; it must be 1 (DRAM) or 2 (SRAM)", static_cast<unsigned>(region.memory)));
      if (region.rights == Rights::kNone || !abi::includes(Rights::kReadWrite, region.rights))
        return refuse(ErrorId::kStreamRegion, i, fmt::format("rights are {}; they must be 1 (read), 2 (write) or 3", static_cast<unsigned>(region.rights)));
      if (region.bytes == 0 || region.bytes > kRegionBytesMax)
        return refuse(ErrorId::kStreamRegion, i, fmt::format("bytes is {}; it must be from 1 to {}", region.bytes, kRegionBytesMax));
      const bool in_sram = region.memory == MemoryKind::kSram;
      std::uint64_t& total = in_sram ? report_.sram_bytes : report_.dram_bytes;  // at most 16 * 2^48
      total += region.bytes;
      const std::uint64_t available = in_sram ? chip_.sram_bytes : chip_.dram_bytes;
      if (total > available)
        return refuse(ErrorId::kStreamRegion, i, fmt::format("regions up to this one need {} bytes of {}; the chip has {}", total, name_of(region.memory), available));
    }
    report_.regions.resize(stream_.regions.size());
    return {};
  }

  Result<void> check_end() const {
    const auto is_end = [](const abi::Command& command) { return std::holds_alternative<abi::End>(command.body); };
    const auto first = std::ranges::find_if(stream_.commands, is_end);
    if (first == stream_.commands.end()) return fail(ErrorId::kStreamEnd, fmt::format("None of the stream's {} commands is END", stream_.commands.size()));
    const auto index = first - stream_.commands.begin();
    if (first + 1 != stream_.commands.end())
      return fail(ErrorId::kStreamEnd, fmt::format("Command {} is END, but {} commands follow it", index, stream_.commands.end() - first - 1));
    return {};
  }

  Result<void> check_command(const Subject& subject) {
    NARU_CHECK_OK(check_engine(subject));
    NARU_CHECK_OK(check_fields(subject));
    const Footprint footprint = footprint_of(subject.command->body);
    for (const Access& access : footprint.all()) NARU_CHECK_OK(check_access(subject, access));
    NARU_CHECK_OK(check_output(subject, footprint));
    return account(subject, footprint);
  }

  Result<void> check_engine(const Subject& subject) const {
    const abi::Engine engine = subject.command->engine;
    const bool allowed = std::visit([&](const auto& body) { return abi::runs_on<std::remove_cvref_t<decltype(body)>>(engine); }, subject.command->body);
    const bool is_end = std::holds_alternative<abi::End>(subject.command->body);
    if (!allowed)
      return fail(refusal(ErrorId::kStreamEngine, subject, "engine", fmt::format("engine is {}, which does not execute this command", abi::index_of(engine))));
    if (!is_end && abi::index_of(engine) >= engine_count())
      return fail(refusal(ErrorId::kStreamEngine, subject, "engine", fmt::format("engine is {}; the chip has {} DMA engines", abi::index_of(engine), chip_.dma_engines)));
    return {};
  }

  Result<void> check_access(const Subject& subject, const Access& access) const {
    const auto refuse = [&](ErrorId id, std::string what) { return fail(refusal(id, subject, access.operand, what)); };
    if (access.region >= stream_.regions.size())
      return refuse(ErrorId::kStreamRegion, fmt::format("{} is in region {}; the stream declares {}", access.operand, access.region, stream_.regions.size()));
    const abi::RegionDeclaration& region = stream_.regions[access.region];
    if (region.memory == MemoryKind::kDram && !std::holds_alternative<abi::Dma>(subject.command->body))
      return refuse(ErrorId::kStreamMemoryKind, fmt::format("{} is in region {}, which is DRAM; only dma reaches DRAM", access.operand, access.region));
    if (!abi::includes(region.rights, access.rights))
      return refuse(ErrorId::kStreamRights, fmt::format("{} {} region {}, which allows rights {} only", access.operand,
                                                        access.rights == Rights::kWrite ? "writes" : "reads", access.region, static_cast<unsigned>(region.rights)));
    if (const std::uint64_t end = access.box.end(); end > region.bytes)
      return refuse(ErrorId::kStreamBounds, fmt::format("{} reaches from byte {} to {} of region {}, which has {}", access.operand, access.box.offset,
                                                        end == kUnbounded ? "beyond 64 bits" : fmt::format("{}", end), access.region, region.bytes));
    return {};
  }

  Result<void> check_output(const Subject& subject, const Footprint& footprint) const {
    if (footprint.count == 0) return {};
    const Access& output = footprint.accesses[footprint.count - 1];
    if (!visits_once(output.box))
      return fail(refusal(ErrorId::kStreamOverlap, subject, output.operand, fmt::format("strides of {} are too small: it would write some bytes more than once", output.operand)));
    for (const Access& input : footprint.all().first(footprint.count - 1)) {
      if (input.region != output.region || (input.in_place && input.box == output.box)) continue;
      std::uint64_t steps = kOverlapStepsMax;
      if (overlap(input.box, output.box, steps))
        return fail(refusal(ErrorId::kStreamOverlap, subject, output.operand,
                            fmt::format("{} (bytes {} to {}) overlaps {} (bytes {} to {}) in region {}", output.operand, output.box.offset, output.box.end(),
                                        input.operand, input.box.offset, input.box.end(), input.region)));
    }
    return {};
  }

  Result<void> account(const Subject& subject, const Footprint& footprint) {
    const abi::Command& command = *subject.command;
    if (steps_of(command.body) > kStepsMax)
      return fail(refusal(ErrorId::kStreamBudget, subject, "extent", fmt::format("extents multiply to more than {} steps", kStepsMax)));
    ++report_.commands_by_kind[command.body.index()];
    if (!abi::is_counted(command.body)) return {};
    ++report_.commands_by_engine[abi::index_of(command.engine)];
    std::array<MemoryKind, 2> memory{MemoryKind::kSram, MemoryKind::kSram};
    if (std::holds_alternative<abi::Dma>(command.body))
      memory = {stream_.regions[footprint.accesses[0].region].memory, stream_.regions[footprint.accesses[1].region].memory};
    // DMA engines that share the DRAM use all of its bandwidth together, so commands one after the other take at least as long as any overlap of them.
    report_.cycles_worst = saturating_add(report_.cycles_worst, abi::cost_of(command, chip_, memory[0], memory[1]).alone(chip_));
    report_.macs = saturating_add(report_.macs, abi::macs_of(command.body));
    for (const Access& access : footprint.all()) {
      Report::RegionUse& use = report_.regions[access.region];
      std::uint64_t& bytes = access.rights == Rights::kWrite ? use.bytes_written : use.bytes_read;
      bytes = saturating_add(bytes, access.box.bytes());
      use.extent = std::max(use.extent, access.box.end());
    }
    return {};
  }

  Result<void> check_budget() const {
    const std::uint64_t allowed = options_.cycles_max == 0 ? chip_.job_cycles_max : options_.cycles_max;
    if (report_.cycles_worst <= allowed) return {};
    return fail(Error(ErrorId::kStreamBudget, fmt::format("The stream may take {} cycles; a job may take {}", report_.cycles_worst, allowed))
                    .with_value("cycles", fmt::format("{}", report_.cycles_worst)));
  }

  const abi::Stream& stream_;
  const abi::Chip& chip_;
  const Options& options_;
  Report report_;
};

}  // namespace

Result<Report> verify_stream(const abi::Stream& stream, const abi::Chip& chip, const Options& options) {
  try {
    return StreamCheck(stream, chip, options).run();
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory to verify a stream of {} commands", stream.commands.size()));
  }
}

Result<Report> verify_stream(std::span<const std::byte> bytes, const abi::Chip& chip, const Options& options) {
  try {
    abi::Stream stream;
    const abi::StreamDecoded decoded = abi::decode_stream(bytes, stream);
    if (decoded.fault != abi::StreamFault::kNone) return fail(framing_error(decoded));
    return verify_stream(stream, chip, options);
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory to decode a stream of {} bytes", bytes.size()));
  }
}

}  // namespace naru::verify
