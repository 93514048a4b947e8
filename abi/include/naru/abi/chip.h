// What a compiler may know about a chip. A profile file gives these numbers, a device reports the same over EP0.
#pragma once

#include "naru/abi/types.h"

namespace naru::abi {

struct Chip {
  std::uint16_t isa_generation = kIsaGeneration;
  std::uint16_t dma_engines = 0;
  std::uint32_t clock_hz_thousands = 0;
  std::uint32_t oc_lanes = 0;
  std::uint32_t dot_depth = 0;
  std::uint32_t dw_channels = 0;
  std::uint32_t dw_taps = 0;
  std::uint32_t vector_lanes = 0;
  std::uint32_t start_cycles = 0;
  std::uint32_t sram_bytes_per_cycle = 0;
  std::uint32_t dram_bytes_per_cycle = 0;
  std::uint32_t dram_latency_cycles = 0;
  std::uint32_t dram_burst_bytes = 0;
  std::uint64_t sram_bytes = 0;
  std::uint64_t dram_bytes = 0;
  std::uint64_t job_cycles_max = 0;

  [[nodiscard]] constexpr std::uint64_t clock_hz() const noexcept { return std::uint64_t{clock_hz_thousands} * 1000; }
  friend constexpr bool operator==(const Chip&, const Chip&) = default;

  static constexpr auto fields() {
    return std::tuple{
        Field{"isa_generation", &Chip::isa_generation, "Which commands and cycle formulas apply."},
        Field{"dma_engines", &Chip::dma_engines, "DMA engines, 1 to 4."},
        Field{"clock_khz", &Chip::clock_hz_thousands, "Clock, kHz."},
        Field{"oc_lanes", &Chip::oc_lanes, "MAC array: output channels per cycle."},
        Field{"dot_depth", &Chip::dot_depth, "MAC array: products summed per output channel and cycle."},
        Field{"dw_channels", &Chip::dw_channels, "Depthwise: channels per cycle."},
        Field{"dw_taps", &Chip::dw_taps, "Depthwise: taps per channel and cycle."},
        Field{"vector_lanes", &Chip::vector_lanes, "Vector engine: elements per cycle."},
        Field{"start_cycles", &Chip::start_cycles, "Start cost of every command, cycles."},
        Field{"sram_bytes_per_cycle", &Chip::sram_bytes_per_cycle, "SRAM bandwidth of one DMA engine, bytes per cycle."},
        Field{"dram_bytes_per_cycle", &Chip::dram_bytes_per_cycle, "DRAM bandwidth, shared by all DMA engines, bytes per cycle."},
        Field{"dram_latency_cycles", &Chip::dram_latency_cycles, "DRAM latency per DMA command, cycles."},
        Field{"dram_burst_bytes", &Chip::dram_burst_bytes, "DRAM burst: each contiguous row is rounded up to it, bytes."},
        Field{"sram_bytes", &Chip::sram_bytes, "SRAM, bytes."},
        Field{"dram_bytes", &Chip::dram_bytes, "DRAM, bytes."},
        Field{"job_cycles_max", &Chip::job_cycles_max, "Longest job, cycles."},
    };
  }
};

}  // namespace naru::abi
