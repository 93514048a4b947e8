// Goal: a command's footprint is what executing it touches; the compiler's waits and the verifier's checks both stand on it.
// Method: the interpreter runs random commands: bytes of the output box are all written and no others, bytes outside the input boxes do not
// matter, and a region one byte shorter than the footprint is too short.

#include <set>

#include "naru/verify/footprint.h"
#include "random_commands.h"
#include "reference/stream/stream_interpreter.h"
#include "stream_support.h"

namespace naru::test {
namespace {

using Marks = std::vector<std::vector<bool>>;  // by region and byte

Marks marks_of(const Stream& stream, const verify::Footprint& footprint, Rights rights) {
  Marks marks;
  for (const RegionDeclaration& region : stream.regions) marks.emplace_back(region.bytes, false);
  for (const verify::Access& access : footprint.all()) {
    if (access.rights != rights) continue;
    std::array<verify::Dimension, 4> loops{};
    std::ranges::copy(access.box.loops(), loops.begin());
    for (std::uint64_t i = 0; i < loops[0].count; ++i)
      for (std::uint64_t j = 0; j < loops[1].count; ++j)
        for (std::uint64_t k = 0; k < loops[2].count; ++k)
          for (std::uint64_t l = 0; l < loops[3].count; ++l)
            for (std::uint64_t e = 0; e < access.box.row_bytes; ++e)
              marks[access.region][access.box.offset + i * loops[0].stride + j * loops[1].stride + k * loops[2].stride + l * loops[3].stride + e] = true;
  }
  return marks;
}

Result<void> execute(const Stream& stream, Memory& memory) {
  std::vector<std::span<std::byte>> spans(memory.begin(), memory.end());
  return sdk::reference::interpret_stream(stream, spans);
}

void check_command(const Stream& stream, Random& random) {
  const verify::Footprint footprint = verify::footprint_of(stream.commands[0].body);
  const Marks read = marks_of(stream, footprint, Rights::kRead);
  const Marks written = marks_of(stream, footprint, Rights::kWrite);
  const Memory before = random_memory(stream, random);
  Memory other_before = before;  // other bytes wherever the footprint says that they do not matter
  for (std::size_t region = 0; region < before.size(); ++region)
    for (std::size_t byte = 0; byte < before[region].size(); ++byte)
      if (!read[region][byte]) other_before[region][byte] ^= static_cast<std::byte>(1 + random.below(255));
  Memory after = before;
  Memory other_after = other_before;
  ASSERT_TRUE(execute(stream, after).has_value());
  ASSERT_TRUE(execute(stream, other_after).has_value());
  for (std::size_t region = 0; region < before.size(); ++region)
    for (std::size_t byte = 0; byte < before[region].size(); ++byte) {
      const bool holds = written[region][byte] ? after[region][byte] == other_after[region][byte]
                                               : after[region][byte] == before[region][byte] && other_after[region][byte] == other_before[region][byte];
      if (!holds) FAIL() << "region " << region << " byte " << byte << "\n" << disassemble(stream);
    }
  for (const verify::Access& access : footprint.all()) {
    Stream shorter = stream;
    shorter.regions[access.region].bytes = access.box.end() - 1;
    // Nobody reads the zeros that fill up the last block of weights, and which entries of a table are read is the input's matter.
    if (access.operand == "weights" || access.operand == "table") continue;
    // Nor need a resize reach the last of the rows and columns that it may read.
    if (std::holds_alternative<Resize>(stream.commands[0].body) && access.operand == "input") continue;
    Memory memory = before;
    const auto result = execute(shorter, memory);
    ASSERT_FALSE(result.has_value()) << access.operand << "\n" << disassemble(stream);
    ASSERT_EQ(result.error().id(), ErrorId::kStreamBounds);
  }
}

TEST(Footprint, IsWhatExecutingTheCommandTouches) {
  Random random(5);
  unsigned checked = 0;
  for_each_maker([&](auto make) {
    for (unsigned round = 0; round < 40 && !testing::Test::HasFailure(); ++round) {
      const Stream stream = single(make(random));
      if (!verify::verify_stream(stream, tiny_chip())) continue;
      check_command(stream, random);
      ++checked;
    }
  });
  EXPECT_GT(checked, 15U * 20);
}

}  // namespace
}  // namespace naru::test
