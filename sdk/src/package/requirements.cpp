// The needs of streams, and whether a chip meets a package's.
#include "package/requirements.h"

#include <algorithm>

#include <fmt/format.h>

#include "package/codec.h"

namespace naru::sdk::package {

namespace {

/// Weight formats, DMA engines and SRAM of one stream.
void raise(Requirements& requirements, const abi::Stream& stream) {
  std::uint64_t sram = 0;
  for (const auto& region : stream.regions)
    if (region.memory == abi::MemoryKind::kSram) sram += region.bytes;
  requirements.sram_bytes = std::max(requirements.sram_bytes, sram);
  for (const abi::Command& command : stream.commands) {
    if (abi::is_dma(command.engine)) requirements.dma_engines = std::max(requirements.dma_engines, abi::index_of(command.engine) - 1);
    const auto format = [&] {
      if (const auto* conv = std::get_if<abi::Conv>(&command.body)) return conv->weight_format;
      if (const auto* depthwise = std::get_if<abi::Depthwise>(&command.body)) return depthwise->weight_format;
      return abi::WeightFormat::kNone;
    }();
    if (format != abi::WeightFormat::kNone) requirements.weight_formats |= 1U << (static_cast<unsigned>(format) & 31U);
  }
}

}  // namespace

Requirements requirements_of(const Package& package) {
  Requirements requirements;
  requirements.dram_bytes = package.constants.size() + package.scratch_bytes + 2 * package.state.size();
  for (const Tensor& tensor : package.tensors) requirements.dram_bytes += tensor.bytes;
  for (const Step& step : package.steps) {
    const auto* job = std::get_if<NpuJob>(&step);
    if (job == nullptr) continue;
    for (const JobStream* either : {static_cast<const JobStream*>(job), &job->resident}) {
      abi::Stream stream;
      if (abi::decode_stream(either->stream, stream).fault == abi::StreamFault::kNone) raise(requirements, stream);
      requirements.job_cycles = std::max(requirements.job_cycles, either->worst_case_cycles);
    }
  }
  return requirements;
}

Result<void> check_requirements(const Package& package, const abi::Chip& chip) {
  const Requirements& need = package.requirements;
  const auto lacks = [](std::string what) { return fail(ErrorId::kPackageRequirement, std::move(what)); };
  constexpr std::uint32_t kKnownFormats = 1U << static_cast<unsigned>(abi::WeightFormat::kDenseI8) | 1U << static_cast<unsigned>(abi::WeightFormat::kDepthwiseI8) |
                                          1U << static_cast<unsigned>(abi::WeightFormat::kDepthwiseI16);
  if (need.isa_generation != chip.isa_generation)
    return lacks(fmt::format("The package needs instruction set {}; the chip has {}", need.isa_generation, chip.isa_generation));
  if ((need.weight_formats & ~kKnownFormats) != 0) return lacks(fmt::format("The package needs weight formats {:#x}; {:#x} are known", need.weight_formats, kKnownFormats));
  if (need.features != 0) return lacks(fmt::format("The package needs features {:#x}; the chip has none", need.features));
  if (need.dma_engines > chip.dma_engines) return lacks(fmt::format("The package needs {} DMA engines; the chip has {}", need.dma_engines, chip.dma_engines));
  if (need.sram_bytes > chip.sram_bytes) return lacks(fmt::format("The package needs {} bytes of SRAM; the chip has {}", need.sram_bytes, chip.sram_bytes));
  if (need.dram_bytes > chip.dram_bytes) return lacks(fmt::format("The package needs {} bytes of DRAM; the chip has {}", need.dram_bytes, chip.dram_bytes));
  if (need.job_cycles > chip.job_cycles_max)
    return lacks(fmt::format("The package has a job of {} cycles; the chip allows {}", need.job_cycles, chip.job_cycles_max));
  return {};
}

}  // namespace naru::sdk::package
