// Goal: 4,500 mutated command streams (of 10,000 mutated things, see histogram.h) end in an error or a right result each. Method: the known-answer jobs of diagnostics, mutated; sent to the device whether the
// verifier accepts them or not; what was accepted and executed is judged by the stream interpreter on the same memory.
#include "mockdev/support.h"

#include "mutation/histogram.h"
#include "mutation/mutate.h"
#include "mutation/orders.h"
#include "naru/verify/verify.h"
#include "reference/stream/stream_interpreter.h"
#include "runtime/diagnostics/known_answers.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::Operand;
using abi::Status;

constexpr unsigned kStreamRounds = 4500;
constexpr std::uint64_t kStreamBufferBytes = 64 * 1024;

/// Walks every order in which the engines may take the stream's commands, each engine its own as they stand, every wait obeyed; a command is one act. Up to kOrdersMax; true when these were all.
class Orders {
 public:
  static constexpr unsigned kOrdersMax = 2000;

  explicit Orders(const abi::Stream& stream) : stream_(stream) {
    for (std::size_t i = 0; i + 1 < stream.commands.size(); ++i) of_engine_[static_cast<unsigned>(stream.commands[i].engine) % kEngines].push_back(i);
  }
  /// `accepts` says whether an order explains what was seen; then no other is asked for.
  template <typename Accepts>
  bool any(const Accepts& accepts) {
    return step(accepts);
  }
  bool were_too_many() const { return orders_ >= kOrdersMax; }

 private:
  static constexpr unsigned kEngines = 256;

  /// Waits that are over are passed at once: they change nothing.
  void pass_waits() {
    for (bool passed = true; passed;) {
      passed = false;
      for (unsigned engine = 0; engine < kEngines; ++engine) {
        while (next_[engine] < of_engine_[engine].size()) {
          const abi::Command& command = stream_.commands[of_engine_[engine][next_[engine]]];
          const auto* wait = std::get_if<abi::Wait>(&command.body);
          if (!std::holds_alternative<abi::Mark>(command.body) && (wait == nullptr || retired_[static_cast<unsigned>(wait->on) % kEngines] < wait->count)) break;
          ++next_[engine];
          passed = true;
        }
      }
    }
  }

  template <typename Accepts>
  bool step(const Accepts& accepts) {
    const auto before = next_;
    pass_waits();
    bool found = false, is_leaf = true;
    for (unsigned engine = 0; engine < kEngines && !found && !were_too_many(); ++engine) {
      if (next_[engine] == of_engine_[engine].size()) continue;
      const abi::Command& command = stream_.commands[of_engine_[engine][next_[engine]]];
      is_leaf = false;
      if (std::holds_alternative<abi::Wait>(command.body)) continue;
      order_.push_back(command);
      ++next_[engine];
      ++retired_[engine];
      found = step(accepts);
      --retired_[engine];
      --next_[engine];
      order_.pop_back();
    }
    if (is_leaf) {
      ++orders_;
      abi::Stream ordered = stream_;
      ordered.commands = order_;
      ordered.commands.push_back(stream_.commands.back());
      found = accepts(ordered);
    }
    next_ = before;
    return found;
  }

  const abi::Stream& stream_;
  std::array<std::vector<std::size_t>, kEngines> of_engine_;
  std::array<std::size_t, kEngines> next_{};
  std::array<std::uint32_t, kEngines> retired_{};
  std::vector<abi::Command> order_;
  unsigned orders_ = 0;
};

/// A command that writes what it reads has no certain result: the order of its elements is the engine's own.
bool has_overlap(const abi::Stream& stream, const abi::Chip& chip) {
  for (const abi::Command& command : stream.commands) {
    const auto alone = verify::verify_stream(abi::Stream{.regions = stream.regions, .commands = {command, stream.commands.back()}}, chip);
    if (!alone && alone.error().id() == ErrorId::kStreamOverlap) return true;
  }
  return false;
}

class StreamMutations : public ::testing::Test {
 protected:
  void SetUp() override {
    bench_.open();
    sram_bytes_ = bench_.profile.chip.sram_bytes;
    const abi::Stream wipe{.regions = {declare(abi::MemoryKind::kSram, abi::Rights::kWrite, sram_bytes_)},
                           .commands = {on(Engine::kDma0, fill(Operand::at(0, 0), static_cast<std::uint32_t>(sram_bytes_), 0)), end()}};
    wipe_ = bench_.load(wipe).handle;
    for (abi::Handle& buffer : buffers_) buffer = bench_.create(kStreamBufferBytes);
    cases_ = sdk::runtime::diagnostics::known_answer_cases();
  }

  /// Binds what the stream declares, SRAM from its start, DRAM regions to one buffer each as far as they reach; false when they do not.
  bool bind_regions(const abi::Stream& stream, Bytes& body, abi::Handle handle) {
    std::vector<abi::RegionBinding> bindings;
    std::size_t next = 0;
    for (const abi::RegionDeclaration& region : stream.regions) {
      if (region.memory == abi::MemoryKind::kSram) {
        bindings.push_back(sram(region.bytes));
      } else {
        if (next == buffers_.size()) return false;
        bindings.push_back(bind(buffers_[next++], region.bytes, 0, region.rights));
      }
    }
    body = body_of(abi::Submit{.count = 1}, abi::JobRecord{.stream = handle, .fence = ++bench_.fence, .cycle_budget = 2'000'000, .queue = 0, .region_count = static_cast<std::uint8_t>(bindings.size())});
    for (const abi::RegionBinding& binding : bindings) append(body, abi::encode(binding));
    return true;
  }

  abi::Completion submit(const Bytes& body) {
    EXPECT_TRUE(bench_.send(bench_.message(abi::MessageType::kSubmit, body)));
    return bench_.expect().completion();
  }

  /// SRAM to zero, buffers to what the reference will start from too.
  void prepare(const Bytes& input) {
    ASSERT_EQ(bench_.run(wipe_, {sram(sram_bytes_)}).status, Status::kOk);
    Bytes start(kStreamBufferBytes);
    std::copy(input.begin(), input.end(), start.begin());
    ASSERT_EQ(bench_.write(buffers_[0], 0, start), Status::kOk);
    ASSERT_EQ(bench_.write(buffers_[1], 0, Bytes(kStreamBufferBytes)), Status::kOk);
  }

  /// Runs the reference on equal memory, in each order that the stream's waits allow, until both buffers are as the device left them. False when there are too many orders to tell.
  bool judge(const abi::Stream& stream, const Bytes& input) {
    const std::array<Bytes, 2> seen{bench_.read(buffers_[0], 0, kStreamBufferBytes).payload, bench_.read(buffers_[1], 0, kStreamBufferBytes).payload};
    testing::Orders orders(stream);
    const bool explained = orders.any([&](const abi::Stream& ordered) {
      std::array<Bytes, 2> memory{Bytes(kStreamBufferBytes), Bytes(kStreamBufferBytes)};
      std::copy(input.begin(), input.end(), memory[0].begin());
      Bytes scratchpad(sram_bytes_);
      std::vector<std::span<std::byte>> regions;
      std::size_t next = 0;
      for (const abi::RegionDeclaration& region : ordered.regions)
        regions.push_back(std::span(region.memory == abi::MemoryKind::kSram ? scratchpad : memory[next++]).first(region.bytes));
      const Result<void> ran = sdk::reference::interpret_stream(ordered, regions);
      EXPECT_TRUE(ran) << ran.error().to_string(true) << "\n" << abi::disassemble(ordered);
      return !ran || memory == seen;
    });
    if (!explained && orders.were_too_many()) return false;
    EXPECT_TRUE(explained) << "the buffers differ from the reference's\n" << abi::disassemble(stream);
    return true;
  }

  Bench bench_{"tiny"};
  std::uint64_t sram_bytes_ = 0;
  abi::Handle wipe_ = 0;
  std::array<abi::Handle, 2> buffers_{};
  std::vector<sdk::runtime::diagnostics::KnownAnswerCase> cases_;
};

TEST_F(StreamMutations, EndInAnErrorOrARightResult) {
  testing::Histogram histogram;
  Random random(20261123);
  for (unsigned round = 0; round < kStreamRounds; ++round) {
    const auto& original = cases_[random.below(cases_.size())];
    abi::Stream mutated = original.stream;
    testing::mutate(mutated, random);
    Bytes bytes = abi::encode_stream(mutated);
    if (random.chance(12)) bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1U << random.below(8));
    abi::Stream stream;
    const bool framed = abi::decode_stream(bytes, stream).fault == abi::StreamFault::kNone;
    if (framed) histogram.got_past_framing();
    const auto verified = verify::verify_stream(std::span<const std::byte>(bytes), bench_.profile.chip);

    // The device gets it whatever the host's verifier says: it must look after itself.
    const abi::Reply loaded = bench_.load_bytes(bytes);
    if (loaded.status != Status::kOk) {
      histogram.refused(verified ? fmt::format("the device alone: {}", abi::name_of(loaded.status)) : verified.error().id_text() + " " + std::string(error_row(verified.error().id()).name));
      continue;
    }
    prepare(original.input);
    Bytes body;
    if (bind_regions(stream, body, loaded.handle)) {
      const abi::Completion completion = submit(body);
      if (completion.status != Status::kOk) {
        histogram.refused(fmt::format("the device at submit: {}", abi::name_of(completion.status)));
      } else {
        histogram.executed(!has_overlap(stream, bench_.profile.chip) && judge(stream, original.input));
      }
    } else {
      histogram.refused("the test: more DRAM regions than it binds");
    }
    if (HasFailure()) FAIL() << "round " << round << " from " << original.name;
    ASSERT_EQ(bench_.status_of(abi::MessageType::kFreeStream, body_of(abi::HandleBody{loaded.handle})), Status::kOk);
  }
  histogram.record("command streams");
  EXPECT_EQ(histogram.total(), kStreamRounds);
  EXPECT_GT(histogram.past_framing(), kStreamRounds / 2);
  EXPECT_EQ(histogram.judged(), histogram.executed());
  EXPECT_GE(histogram.checks(), 10U);
}

}  // namespace
}  // namespace naru::mockdev::test
