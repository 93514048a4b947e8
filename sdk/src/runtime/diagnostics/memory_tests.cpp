// Tests of SRAM (March C-, addresses) and of DMA at odd sizes and alignments.
#include <fmt/format.h>

#include <algorithm>

#include "naru/base/random.h"
#include "runtime/diagnostics/battery.h"

namespace naru::sdk::runtime::diagnostics {
namespace {

using abi::Command;
using abi::Engine;
using abi::MemoryKind;
using abi::Operand;
using abi::RegionDeclaration;
using abi::Rights;

constexpr unsigned kSram = 0, kDram = 1, kDramOut = 2;
constexpr std::uint64_t kBlock = 64 * 1024;

RegionDeclaration declare(MemoryKind memory, Rights rights, std::uint64_t bytes) { return {.memory = memory, .rights = rights, .reserved = {}, .bytes = bytes}; }

Command copy(unsigned engine, Operand source, Operand target, std::uint64_t bytes) {
  abi::Dma dma;
  dma.source = source;
  dma.target = target;
  dma.row_bytes = static_cast<std::uint32_t>(bytes);
  return {abi::dma_engine(engine), 0, dma};
}

Command fill(Operand target, std::uint8_t value, std::uint64_t bytes) {
  abi::Fill command;
  command.target = target;
  command.type = abi::ElementType::kU8;
  command.value = value;
  command.row_bytes = static_cast<std::uint32_t>(bytes);
  return {abi::dma_engine(0), 0, command};
}

/// One element of the march over [begin, end): for each block in order, read what should be there into DRAM, then write.
struct Element {
  bool descending = false, reads = false;
  std::uint8_t expected = 0;
  bool writes = false;
  std::uint8_t value = 0;
};
// March C-: {any(w0); up(r0,w1); up(r1,w0); down(r0,w1); down(r1,w0); any(r0)}, on whole bytes.
constexpr Element kMarch[] = {{false, false, 0, true, 0x00}, {false, true, 0x00, true, 0xFF}, {false, true, 0xFF, true, 0x00},
                              {true, true, 0x00, true, 0xFF}, {true, true, 0xFF, true, 0x00}, {false, true, 0x00, false, 0}};
constexpr std::size_t kReadingElements = 5;

Result<Outcome> march_part(driver::Device& device, std::uint64_t begin, std::uint64_t bytes) {
  NARU_TRY(const driver::Buffer staging, device.create_buffer(bytes * kReadingElements));
  abi::Stream stream;
  stream.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, begin + bytes), declare(MemoryKind::kDram, Rights::kWrite, bytes * kReadingElements)};
  const std::uint64_t blocks = ceil_div(bytes, kBlock);
  std::uint64_t read = 0;
  // Everything runs on one engine, in order: no waits.
  for (const Element& element : kMarch) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const std::uint64_t at = (element.descending ? blocks - 1 - i : i) * kBlock;
      const std::uint64_t size = std::min(kBlock, bytes - at);
      if (element.reads) stream.commands.push_back(copy(0, Operand::at(kSram, begin + at), Operand::at(kDram, read * bytes + at), size));
      if (element.writes) stream.commands.push_back(fill(Operand::at(kSram, begin + at), element.value, size));
    }
    if (element.reads) ++read;
  }
  stream.commands.push_back({Engine::kNone, 0, abi::End{}});
  const driver::Buffer* const buffers[] = {&staging};
  NARU_TRY([[maybe_unused]] const driver::JobResult job, run_job(device, stream, buffers));
  std::vector<std::byte> seen(bytes);
  read = 0;
  for (const Element& element : kMarch) {
    if (!element.reads) continue;
    NARU_CHECK_OK(device.read(staging, read++ * bytes, seen));
    const auto wrong = std::find_if(seen.begin(), seen.end(), [&](std::byte byte) { return byte != static_cast<std::byte>(element.expected); });
    if (wrong != seen.end())
      return failed(fmt::format("SRAM byte {:#x}: {:#04x} read where {:#04x} was written (element {} of March C-)", begin + static_cast<std::uint64_t>(wrong - seen.begin()), static_cast<unsigned>(*wrong),
                                element.expected, read + 1));
  }
  return pass({});
}

Result<Outcome> sram_march(driver::Device& device) {
  const std::uint64_t bytes = device.chip().sram_bytes;
  NARU_TRY(const abi::DeviceState state, device.device_state());
  // Parts only where DRAM cannot hold what all elements read.
  const std::uint64_t part = std::min<std::uint64_t>(bytes, state.dram_free_bytes / (kReadingElements + 1) / kBlock * kBlock);
  if (part == 0) return skip(fmt::format("{} bytes of DRAM are free; the test needs {}", state.dram_free_bytes, kBlock * (kReadingElements + 1)));
  for (std::uint64_t at = 0; at < bytes; at += part) {
    NARU_TRY(Outcome outcome, march_part(device, at, std::min(part, bytes - at)));
    if (outcome.verdict != Verdict::kPass) return outcome;
  }
  return pass(fmt::format("{} KiB, March C-{}", bytes / 1024, part < bytes ? fmt::format(" in {} parts", ceil_div(bytes, part)) : ""));
}

std::vector<std::byte> noise(std::size_t size, std::uint64_t seed) {
  std::vector<std::byte> bytes(size);
  Random random(seed);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

Result<Outcome> sram_addresses(driver::Device& device) {
  const std::uint64_t bytes = device.chip().sram_bytes;
  const std::vector<std::byte> pattern = noise(bytes, 7);
  NARU_TRY(const driver::Buffer source, device.create_buffer(bytes));
  NARU_TRY(const driver::Buffer target, device.create_buffer(bytes));
  NARU_CHECK_OK(device.write(source, 0, pattern));
  abi::Stream stream;
  stream.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, bytes), declare(MemoryKind::kDram, Rights::kRead, bytes), declare(MemoryKind::kDram, Rights::kWrite, bytes)};
  stream.commands = {copy(0, Operand::at(kDram, 0), Operand::at(kSram, 0), bytes), copy(0, Operand::at(kSram, 0), Operand::at(kDramOut, 0), bytes), {Engine::kNone, 0, abi::End{}}};
  const driver::Buffer* const buffers[] = {&source, &target};
  NARU_TRY([[maybe_unused]] const driver::JobResult job, run_job(device, stream, buffers));
  std::vector<std::byte> seen(bytes);
  NARU_CHECK_OK(device.read(target, 0, seen));
  const auto difference = std::mismatch(pattern.begin(), pattern.end(), seen.begin());
  if (difference.first != pattern.end()) return failed(fmt::format("SRAM byte {:#x} holds another byte than was written there", difference.first - pattern.begin()));
  return pass(fmt::format("{} KiB, every byte where it was put", bytes / 1024));
}

Result<Outcome> dma_sizes(driver::Device& device) {
  constexpr std::uint32_t kSizes[] = {1, 2, 3, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 65537};
  constexpr std::uint64_t kOffsets[] = {0, 1, 7, 63};
  constexpr std::uint64_t kSlot = 66 * 1024;
  const std::uint64_t slots = std::size(kSizes) * std::size(kOffsets);
  const std::vector<std::byte> pattern = noise(kSlot, 11);
  NARU_TRY(const driver::Buffer source, device.create_buffer(kSlot));
  NARU_TRY(const driver::Buffer target, device.create_buffer(kSlot * slots));
  NARU_CHECK_OK(device.write(source, 0, pattern));
  std::vector<std::byte> seen(kSlot * slots);
  for (unsigned engine = 0; engine < device.chip().dma_engines; ++engine) {
    abi::Stream stream;
    stream.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, kSlot), declare(MemoryKind::kDram, Rights::kRead, kSlot), declare(MemoryKind::kDram, Rights::kWrite, kSlot * slots)};
    std::uint64_t slot = 0;
    for (std::uint32_t size : kSizes)
      for (std::uint64_t offset : kOffsets) {
        stream.commands.push_back(copy(engine, Operand::at(kDram, offset), Operand::at(kSram, 64 - offset), size));
        stream.commands.push_back(copy(engine, Operand::at(kSram, 64 - offset), Operand::at(kDramOut, kSlot * slot++ + offset), size));
      }
    stream.commands.push_back({Engine::kNone, 0, abi::End{}});
    const driver::Buffer* const buffers[] = {&source, &target};
    NARU_TRY([[maybe_unused]] const driver::JobResult job, run_job(device, stream, buffers));
    NARU_CHECK_OK(device.read(target, 0, seen));
    slot = 0;
    for (std::uint32_t size : kSizes)
      for (std::uint64_t offset : kOffsets) {
        const auto at = static_cast<std::ptrdiff_t>(kSlot * slot++ + offset);
        if (!std::equal(seen.begin() + at, seen.begin() + at + size, pattern.begin() + static_cast<std::ptrdiff_t>(offset)))
          return failed(fmt::format("DMA engine {}: {} bytes at offset {} arrived changed", engine, size, offset));
      }
  }
  return pass(fmt::format("{} engines, {} sizes x {} offsets", device.chip().dma_engines, std::size(kSizes), std::size(kOffsets)));
}

constexpr Test kMemoryTests[] = {
    {"memory.sram.march", 831, 2, "Replace the device: its SRAM is damaged.", sram_march, kCable, true},
    {"memory.sram.addresses", 832, 2, "Replace the device: its SRAM is damaged.", sram_addresses, kCable, true},
    {"memory.dma.sizes", 833, 2, "Replace the device: its DMA is damaged.", dma_sizes, kCable, true},
};

}  // namespace

std::span<const Test> memory_tests() { return kMemoryTests; }

}  // namespace naru::sdk::runtime::diagnostics
