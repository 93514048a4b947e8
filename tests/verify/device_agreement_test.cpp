// Goal: what the host's verifier accepts, the device's own checks, written apart from it, accept too; and what would be unsafe the device refuses
// by itself. Method: random commands and mutated streams through both.

#include <cstdio>

#include "core/stream_loader.h"
#include "mutate.h"
#include "random_commands.h"
#include "stream_support.h"

namespace naru::test {
namespace {

/// The device's own test of interleaved boxes is coarser than the verifier's: of the commands below, a few mutated ones fall between. No compiler
/// writes them: an input whose rows lie on both sides of the output, without a period in common.
constexpr std::string_view kCoarser = "the output overlaps an input";

/// Whether the device accepts it; the verifier's acceptance implies the device's.
bool judge(const std::vector<std::byte>& bytes, const Chip& chip, bool& verified, unsigned& coarser) {
  verified = verify::verify_stream(std::span<const std::byte>(bytes), chip).has_value();
  const mockdev::LoadResult loaded = mockdev::load_stream(bytes, chip);
  if (verified && loaded.stream == nullptr && loaded.reason == kCoarser) {
    ++coarser;
  } else if (verified && loaded.stream == nullptr) {
    Stream stream;
    EXPECT_EQ(decode_stream(bytes, stream).fault, StreamFault::kNone);
    ADD_FAILURE() << "the device refuses command " << loaded.command << ": " << loaded.reason << "\n" << disassemble(stream);
  }
  return loaded.stream != nullptr;
}

TEST(VerifierAndDevice, AgreeOnRandomCommands) {
  Random random(13);
  unsigned accepted = 0;
  unsigned coarser = 0;
  for_each_maker([&](auto make) {
    for (unsigned round = 0; round < 300 && !testing::Test::HasFailure(); ++round) {
      bool verified = false;
      judge(encode_stream(single(make(random))), tiny_chip(), verified, coarser);
      accepted += verified ? 1U : 0U;
    }
  });
  EXPECT_GT(accepted, 15U * 150);
  EXPECT_EQ(coarser, 0U);
}

TEST(VerifierAndDevice, AgreeOnMutatedStreams) {
  const std::vector<std::byte> good = encode_stream(one_of_each());
  Random random(17);
  unsigned both = 0;
  unsigned coarser = 0;
  unsigned device_only = 0;
  unsigned neither = 0;
  for (unsigned round = 0; round < 10'000 && !testing::Test::HasFailure(); ++round) {
    std::vector<std::byte> bytes = good;
    mutate(bytes, random);
    bool verified = false;
    const bool loaded = judge(bytes, tiny_chip(), verified, coarser);
    if (verified) {
      ++both;
    } else if (loaded) {
      ++device_only;  // order among commands is the verifier's alone
    } else {
      ++neither;
    }
  }
  std::printf("accepted by both %u, by the device alone %u, by neither %u, refused by the device for overlap alone %u\n", both, device_only, neither, coarser);
  EXPECT_GT(both, 300U);
  EXPECT_LT(coarser, both / 50);
  EXPECT_GT(neither, 5000U);
}

}  // namespace
}  // namespace naru::test
