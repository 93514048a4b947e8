// What must hold for any bytes as a command stream. Shared by fuzz_stream and by the test that replays the corpus.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "naru/verify/verify.h"
#include "reference/stream/stream_interpreter.h"
#include "verify/sample_streams.h"

namespace naru::fuzzing {

/// Decoding and verifying must end in an answer, encoding must give the bytes back, and a stream that the verifier accepts must run in the
/// interpreter, which checks every byte by itself, without an objection. Returns what is broken; empty when nothing is.
inline std::string check_stream(std::span<const std::byte> bytes) {
  abi::Stream stream;
  const bool decoded = abi::decode_stream(bytes, stream).fault == abi::StreamFault::kNone;
  if (decoded) {
    if (!std::ranges::equal(abi::encode_stream(stream), bytes)) return "encoding does not give the decoded bytes back";
    if (abi::disassemble(stream).empty()) return "a stream without a disassembly";
  }
  abi::Chip chip = test::tiny_chip();
  chip.job_cycles_max = 10'000;
  const auto report = verify::verify_stream(bytes, chip, {.hazard_steps_max = 1'000'000});
  if (!report) return report.error().id() == ErrorId::kInternal ? "an internal error" : "";
  if (!decoded) return "accepted what does not decode";
  std::uint64_t total = 0;
  for (const abi::RegionDeclaration& region : stream.regions) total += region.bytes;
  if (total > (1U << 20)) return {};  // keeps one input short
  std::vector<std::vector<std::byte>> memory;
  std::vector<std::span<std::byte>> regions;
  for (const abi::RegionDeclaration& region : stream.regions) memory.emplace_back(region.bytes, std::byte{0x5A});
  for (auto& region : memory) regions.emplace_back(region);
  const auto result = sdk::reference::interpret_stream(stream, regions, 20'000'000);
  if (!result && result.error().id() != ErrorId::kStreamBudget) return "accepted what the interpreter refuses";
  return {};
}

}  // namespace naru::fuzzing
