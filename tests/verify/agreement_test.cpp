// Goal: the device's units and the interpreter, written apart from each other, make the same bytes of every command that the verifier accepts.
// Method: random commands of every kind over random memory (weight records included: any bytes may be a multiplier or a shift), and mutated
// streams; every kernel path that this CPU has.

#include "mutate.h"
#include "random_commands.h"
#include "reference/stream/stream_interpreter.h"
#include "stream_support.h"
#include "units/units.h"

namespace naru::test {
namespace {

using mockdev::KernelPath;
using mockdev::Units;

/// Runs commands of a verified stream on the units, in an order that keeps programs and waits.
class UnitsRunner {
 public:
  UnitsRunner(Units& units, Memory& memory) : units_(units), memory_(memory) {}

  void run(const Stream& stream) {
    std::vector<bool> done(stream.commands.size());
    std::array<std::uint32_t, kEnginesMax> retired{};
    for (bool moved = true; moved;) {
      moved = false;
      std::array<bool, kEnginesMax> blocked{};
      for (std::size_t i = 0; i + 1 < stream.commands.size(); ++i) {
        const Command& command = stream.commands[i];
        bool& stalled = blocked[index_of(command.engine)];
        const auto* wait = std::get_if<Wait>(&command.body);
        if (!done[i] && wait != nullptr && retired[index_of(wait->on)] < wait->count) stalled = true;
        if (done[i] || stalled) continue;
        std::visit([this](const auto& body) { execute(body); }, command.body);
        if (is_counted(command.body)) ++retired[index_of(command.engine)];
        done[i] = moved = true;
      }
    }
  }

 private:
  std::byte* at(Operand operand) { return memory_[operand.region()].data() + operand.offset(); }

  void execute(const End&) {}
  void execute(const Wait&) {}
  void execute(const Mark&) {}
  void execute(const Conv& c) {
    units_.execute(c, mockdev::ConvPointers{at(c.input), at(c.weights), at(c.output), c.start == Start::kPartial ? at(c.partial) : nullptr});
  }
  void execute(const Depthwise& c) { units_.execute(c, mockdev::DepthwisePointers{at(c.input), at(c.weights), at(c.output)}); }
  void execute(const Elementwise& c) { units_.execute(c, mockdev::ElementwisePointers{at(c.a), at(c.b), at(c.output)}); }
  void execute(const Table& c) { units_.execute(c, mockdev::TablePointers{at(c.input), at(c.table), at(c.output)}); }
  void execute(const Curve& c) { units_.execute(c, mockdev::TablePointers{at(c.input), at(c.table), at(c.output)}); }
  void execute(const Dma& c) { units_.execute(c, mockdev::DmaPointers{at(c.source), at(c.target)}); }
  void execute(const Fill& c) { units_.execute(c, mockdev::FillPointers{at(c.target)}); }
  template <typename T>
  void execute(const T& c) {
    units_.execute(c, mockdev::UnaryPointers{at(c.input), at(c.output)});
  }

  Units& units_;
  Memory& memory_;
};

std::vector<KernelPath> paths() {
  std::vector<KernelPath> supported;
  for (KernelPath path : {KernelPath::kAmx, KernelPath::kVnni, KernelPath::kAvx2, KernelPath::kPortable})
    if (mockdev::is_supported(path)) supported.push_back(path);
  return supported;
}

/// Runs the stream on everything and compares all memory.
void expect_agreement(const Stream& stream, const Memory& memory) {
  Memory judged = memory;
  std::vector<std::span<std::byte>> spans(judged.begin(), judged.end());
  const auto result = sdk::reference::interpret_stream(stream, spans);
  ASSERT_TRUE(result.has_value()) << result.error().to_string(true) << "\n" << disassemble(stream);
  static std::vector<Units> units = [] {
    std::vector<Units> all;
    for (KernelPath path : paths()) all.emplace_back(path);
    return all;
  }();
  for (Units& each : units) {
    Memory executed = memory;
    UnitsRunner(each, executed).run(stream);
    for (std::size_t region = 0; region < memory.size(); ++region) {
      if (executed[region] == judged[region]) continue;
      const auto [a, b] = std::ranges::mismatch(executed[region], judged[region]);
      FAIL() << name_of(each.path()) << ": region " << region << " byte " << (a - executed[region].begin()) << " is "
                                               << std::to_integer<int>(*a) << ", judged " << std::to_integer<int>(*b) << "\n" << disassemble(stream);
    }
  }
}

template <typename Make>
void agree_on_random_commands(Make make, unsigned rounds) {
  Random random(77);
  unsigned accepted = 0;
  for (unsigned round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    const Stream stream = single(make(random));
    if (!verify::verify_stream(stream, tiny_chip())) continue;
    ++accepted;
    expect_agreement(stream, random_memory(stream, random));
  }
  EXPECT_GT(accepted, rounds / 2);
}

TEST(UnitsAndInterpreter, AgreeOnConvolutions) { agree_on_random_commands(random_conv, 250); }
TEST(UnitsAndInterpreter, AgreeOnDepthwiseConvolutions) { agree_on_random_commands(random_depthwise, 250); }
TEST(UnitsAndInterpreter, AgreeOnDepthwiseConvolutionsOfWideWeights) { agree_on_random_commands(random_depthwise_of_wide_weights, 250); }
TEST(UnitsAndInterpreter, AgreeOnElementwise) { agree_on_random_commands(random_elementwise, 400); }
TEST(UnitsAndInterpreter, AgreeOnRequantisation) { agree_on_random_commands(random_requantize, 400); }
TEST(UnitsAndInterpreter, AgreeOnTables) { agree_on_random_commands(random_table, 200); }
TEST(UnitsAndInterpreter, AgreeOnMoves) { agree_on_random_commands(random_move, 300); }
TEST(UnitsAndInterpreter, AgreeOnPooling) { agree_on_random_commands(random_pool, 400); }
TEST(UnitsAndInterpreter, AgreeOnReductions) { agree_on_random_commands(random_reduce, 400); }
TEST(UnitsAndInterpreter, AgreeOnSoftmax) { agree_on_random_commands(random_softmax, 300); }
TEST(UnitsAndInterpreter, AgreeOnCurves) { agree_on_random_commands(random_curve, 400); }
TEST(UnitsAndInterpreter, AgreeOnPacking) { agree_on_random_commands(random_pack, 300); }
TEST(UnitsAndInterpreter, AgreeOnResizing) { agree_on_random_commands(random_resize, 300); }
TEST(UnitsAndInterpreter, AgreeOnDma) { agree_on_random_commands(random_dma, 300); }
TEST(UnitsAndInterpreter, AgreeOnFills) { agree_on_random_commands(random_fill, 300); }

TEST(UnitsAndInterpreter, AgreeOnMutatedStreams) {
  const std::vector<std::byte> good = encode_stream(one_of_each());
  Chip chip = tiny_chip();
  chip.job_cycles_max = 10'000;
  Random random(31);
  unsigned executed = 0;
  for (unsigned round = 0; round < 3000 && !testing::Test::HasFailure(); ++round) {
    std::vector<std::byte> bytes = good;
    mutate(bytes, random);
    if (!verify::verify_stream(std::span<const std::byte>(bytes), chip)) continue;
    Stream stream;
    ASSERT_EQ(decode_stream(bytes, stream).fault, StreamFault::kNone);
    expect_agreement(stream, random_memory(stream, random));
    ++executed;
  }
  EXPECT_GT(executed, 100U);
}

}  // namespace
}  // namespace naru::test
