// Goal: no bytes crash the verifier, and what it accepts is safe: the interpreter, which checks every byte by itself, finds nothing to refuse.
// Method: good streams of all commands with bytes and fields changed at random, lengths put right, seeds fixed.

#include <cstdio>
#include <map>

#include "mutate.h"
#include "naru/base/random.h"
#include "reference/stream/stream_interpreter.h"
#include "stream_support.h"

namespace naru::test {
namespace {

TEST(VerifierMutations, AcceptTheStreamTheyStartFrom) { expect_accepted(one_of_each()); }

TEST(VerifierMutations, NeverCrashAndNeverLetAnUnsafeStreamThrough) {
  const std::vector<std::byte> good = encode_stream(one_of_each());
  Chip chip = tiny_chip();
  chip.job_cycles_max = 10'000;
  std::vector<std::vector<std::byte>> memory(5, std::vector<std::byte>(kRegionBytes));
  std::map<std::string, unsigned> histogram;
  Random random(2026);
  constexpr unsigned kRounds = 6000;
  unsigned past_framing = 0;
  for (unsigned round = 0; round < kRounds; ++round) {
    std::vector<std::byte> bytes = good;
    mutate(bytes, random);
    Stream stream;
    if (decode_stream(bytes, stream).fault == StreamFault::kNone) ++past_framing;
    const auto report = verify::verify_stream(std::span<const std::byte>(bytes), chip);
    if (!report) {
      ++histogram[report.error().id_text()];
      EXPECT_NE(report.error().id(), ErrorId::kInternal);
      continue;
    }
    ++histogram["accepted"];
    for (std::size_t i = 0; i < stream.regions.size(); ++i) memory[i].assign(stream.regions[i].bytes, static_cast<std::byte>(round * 37 + i));
    std::vector<std::span<std::byte>> spans(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(stream.regions.size()));
    const auto result = sdk::reference::interpret_stream(stream, spans);
    EXPECT_TRUE(result.has_value()) << result.error().to_string(true) << "\n" << disassemble(stream);
  }
  for (const auto& [what, count] : histogram) std::printf("%-10s %u\n", what.c_str(), count);
  EXPECT_GT(past_framing, kRounds / 2);
  EXPECT_GT(histogram["accepted"], kRounds / 50);
  EXPECT_GE(histogram.size(), 12U);
}

TEST(VerifierMutations, NeverCrashOnNoise) {
  Random random(7);
  for (unsigned round = 0; round < 3000; ++round) {
    std::vector<std::byte> bytes(random.below(600));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
    if (bytes.size() >= 24) {
      const StreamHeader header{.command_count = static_cast<std::uint32_t>(random.below(20)), .region_count = static_cast<std::uint32_t>(random.below(3)),
                                .command_bytes = bytes.size() - 24};
      encode_to(bytes, header);
    }
    EXPECT_FALSE(verify::verify_stream(std::span<const std::byte>(bytes), tiny_chip()).has_value());
  }
}

}  // namespace
}  // namespace naru::test
