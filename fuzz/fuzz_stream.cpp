// Any bytes as a command stream: decoding and verifying must end in an answer, encoding must give the bytes back, and a stream that the verifier
// accepts must run in the interpreter, which checks every byte by itself, without an objection. A mutation keeps the header's lengths right, so
// that most inputs get past framing; an empty corpus starts from a stream of all commands.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "naru/base/bytes.h"
#include "naru/verify/verify.h"
#include "reference/stream/stream_interpreter.h"
#include "sample_streams.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t size_max);

namespace {

using namespace naru;  // NOLINT

/// A finding: libFuzzer keeps the input when the process ends.
void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz_stream: %s\n", what);
  std::abort();
}

constexpr std::size_t kHeaderBytes = abi::wire_size<abi::StreamHeader>();

std::size_t put_seed(std::uint8_t* data, std::size_t size_max) {
  const std::vector<std::byte> seed = abi::encode_stream(test::one_of_each());
  const std::size_t size = std::min(size_max, seed.size());
  std::memcpy(data, seed.data(), size);
  return size;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t size_max, unsigned seed) {
  if (size < kHeaderBytes || seed % 64 == 0) size = put_seed(data, size_max);
  // Seven times of eight only commands change, in place: the framing stays.
  const std::size_t from = seed % 8 == 0 || size <= test::kCommandsAt ? 0 : test::kCommandsAt;
  const std::size_t room = from == 0 ? size_max : size;
  size = from + LLVMFuzzerMutate(data + from, size - from, room - from);
  if (size < kHeaderBytes) return size;
  auto* bytes = reinterpret_cast<std::byte*>(data);
  const std::uint64_t tables = kHeaderBytes + std::uint64_t{load_le<std::uint32_t>(bytes + 12) % 32} * abi::wire_size<abi::RegionDeclaration>();
  store_le<std::uint64_t>(bytes + 16, size > tables ? size - tables : 0);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  abi::Stream stream;
  const bool decoded = abi::decode_stream(bytes, stream).fault == abi::StreamFault::kNone;
  if (decoded) {
    const std::vector<std::byte> again = abi::encode_stream(stream);
    expect(std::ranges::equal(again, bytes), "encoding does not give the decoded bytes back");
    expect(!abi::disassemble(stream).empty(), "a stream without a disassembly");
  }
  abi::Chip chip = test::tiny_chip();
  chip.job_cycles_max = 10'000;
  const auto report = verify::verify_stream(bytes, chip, {.hazard_steps_max = 1'000'000});
  if (!report) {
    expect(report.error().id() != ErrorId::kInternal, "an internal error");
    return 0;
  }
  expect(decoded, "accepted what does not decode");
  std::vector<std::vector<std::byte>> memory;
  std::vector<std::span<std::byte>> regions;
  std::uint64_t total = 0;
  for (const abi::RegionDeclaration& region : stream.regions) total += region.bytes;
  if (total > (1U << 20)) return 0;  // keeps one input short
  for (const abi::RegionDeclaration& region : stream.regions) memory.emplace_back(region.bytes, std::byte{0x5A});
  for (auto& region : memory) regions.emplace_back(region);
  const auto result = sdk::reference::interpret_stream(stream, regions, 20'000'000);
  expect(result.has_value() || result.error().id() == ErrorId::kStreamBudget, "accepted what the interpreter refuses");
  return 0;
}
