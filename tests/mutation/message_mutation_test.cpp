// Goal: 3,000 mutated messages (of 10,000 mutated things, see histogram.h), with checksums put right again, end in an error or a right result each. Method: requests of a life-cycle with fields changed; a
// shadow of the device's buffer is kept by the rules of the wire and, for jobs, by the stream interpreter; reads must equal it.
#include "mockdev/support.h"

#include "mutation/histogram.h"
#include "mutation/mutate.h"
#include "reference/stream/stream_interpreter.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::MemoryKind;
using abi::MessageType;
using abi::Operand;
using abi::Rights;
using abi::Status;

constexpr unsigned kMessageRounds = 3000;
constexpr std::uint64_t kBufferBytes = 8192, kPart = 1024;

/// part 1 of the buffer = part 0 doubled, through SRAM.
abi::Stream doubling() {
  return {.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, 2 * kPart), declare(MemoryKind::kDram, Rights::kRead, kPart), declare(MemoryKind::kDram, Rights::kWrite, kPart)},
          .commands = {on(Engine::kDma0, dma(Operand::at(1, 0), Operand::at(0, 0), kPart)), wait(Engine::kVector, Engine::kDma0, 1),
                       on(Engine::kVector, doubled(Operand::at(0, 0), Operand::at(0, kPart), kPart)), wait(Engine::kDma0, Engine::kVector, 1),
                       on(Engine::kDma0, dma(Operand::at(0, kPart), Operand::at(2, 0), kPart)), end()}};
}

struct Sent {
  abi::MessageHeader header;
  Bytes body, payload;
};

class MessageMutations : public ::testing::Test {
 protected:
  void begin() {
    bench_.soft_reset();
    // What was still to be answered is, with the news of the reset.
    while (bench_.device->in_peek(kIn) || bench_.step())
      if (!bench_.receive_messages()) break;
    bench_.inbox.clear();
    bench_.fence = 0;
    bench_.open();
    buffer_ = bench_.create(kBufferBytes);
    stream_ = bench_.load(doubling()).handle;
    shadow_.assign(kBufferBytes, std::byte{0});
  }

  abi::Access any_access(Random& random) {
    abi::Access access{.handle = buffer_, .offset = random.below(kBufferBytes - 600), .bytes = 1 + random.below(600)};
    return access;
  }

  Sent any_message(Random& random) {
    Sent sent;
    static constexpr MessageType kTypes[] = {MessageType::kCreateBuffer, MessageType::kWrite, MessageType::kWrite, MessageType::kRead, MessageType::kRead, MessageType::kSubmit, MessageType::kSubmit,
                                             MessageType::kCancel, MessageType::kFreeStream, MessageType::kLoadStream};
    sent.header.type = kTypes[random.below(std::size(kTypes))];
    switch (sent.header.type) {
      case MessageType::kCreateBuffer: {
        abi::CreateBuffer body{random.below(5000)};
        if (random.chance(2)) testing::mutate_field(body, random);
        sent.body = body_of(body);
        break;
      }
      case MessageType::kWrite:
      case MessageType::kRead: {
        abi::Access access = any_access(random);
        const std::uint64_t bytes = access.bytes;
        if (random.chance(2)) testing::mutate_field(access, random);
        sent.body = body_of(access);
        // Mostly the length that the body says, as long as that is sensible.
        if (sent.header.type == MessageType::kWrite) sent.payload = random_bytes(access.bytes <= 4096 && !random.chance(8) ? std::max<std::uint64_t>(1, access.bytes) : bytes, random.next());
        break;
      }
      case MessageType::kSubmit: {
        abi::JobRecord job{.stream = stream_, .fence = bench_.fence + 1, .cycle_budget = 100'000, .queue = 0, .region_count = 3};
        std::array<abi::RegionBinding, 3> bindings = {sram(2 * kPart), bind(buffer_, kPart, random.below(4) * kPart), bind(buffer_, kPart, (4 + random.below(4)) * kPart)};
        job.lease_use = static_cast<abi::LeaseUse>(random.below(3));
        job.lease = job.lease_use == abi::LeaseUse::kNone ? 0 : 1;
        if (random.chance(3)) testing::mutate_field(job, random);
        if (random.chance(2)) testing::mutate_field(bindings[random.below(3)], random);
        sent.body = body_of(abi::Submit{.count = 1}, job, bindings[0], bindings[1], bindings[2]);
        break;
      }
      case MessageType::kCancel: sent.body = body_of(abi::Cancel{.fence = random.below(bench_.fence + 2), .queue = static_cast<std::uint16_t>(random.below(5))}); break;
      case MessageType::kFreeStream: sent.body = body_of(abi::HandleBody{random.next()}); break;
      default: sent.payload = random_bytes(24 + random.below(300), random.next()); break;
    }
    if (random.chance(10) && !sent.body.empty()) sent.body[random.below(sent.body.size())] ^= static_cast<std::byte>(1U << random.below(8));
    sent.header.epoch = bench_.epoch;
    sent.header.sequence = ++bench_.sequence;
    sent.header.context = bench_.context;
    sent.header.body_bytes = static_cast<std::uint32_t>(sent.body.size());
    sent.header.payload_bytes = sent.payload.size();
    if (!sent.payload.empty()) sent.header.flags |= static_cast<std::uint16_t>(abi::MessageFlag::kPayloadInline);
    if (random.chance(12)) testing::mutate_field(sent.header, random);
    return sent;
  }

  /// The next job's effect on the shadow; the binding was accepted, so it lies inside.
  void execute_on_shadow(const Bytes& body) {
    std::span<const std::byte> rest = body;
    abi::Submit submit;
    abi::JobRecord job;
    ASSERT_EQ(abi::decode(rest, submit), abi::Decoded::kOk);
    rest = rest.subspan(abi::wire_size<abi::Submit>());
    ASSERT_EQ(abi::decode(rest, job), abi::Decoded::kOk);
    rest = rest.subspan(abi::wire_size<abi::JobRecord>());
    Bytes scratchpad(2 * kPart);
    std::vector<std::span<std::byte>> regions;
    for (unsigned i = 0; i < job.region_count; ++i) {
      abi::RegionBinding binding;
      ASSERT_EQ(abi::decode(rest, binding), abi::Decoded::kOk);
      rest = rest.subspan(abi::wire_size<abi::RegionBinding>());
      if (binding.handle == abi::kSramHandle) {
        regions.push_back(scratchpad);
      } else {
        ASSERT_LE(binding.offset + kPart, kBufferBytes);
        regions.push_back(std::span(shadow_).subspan(binding.offset, kPart));
      }
    }
    const Result<void> ran = sdk::reference::interpret_stream(doubling(), regions);
    ASSERT_TRUE(ran) << ran.error().to_string(true);
  }

  /// What an answer with status OK must mean. True when there was something to compare: what was read, or the buffer after it was written.
  bool judge(const Sent& sent, const Message& answer) {
    const bool is_job = answer.header.type == MessageType::kCompletion;
    if (is_job) execute_on_shadow(sent.body);
    if (sent.header.type == MessageType::kRead || sent.header.type == MessageType::kWrite) {
      abi::Access access;
      EXPECT_EQ(abi::decode(sent.body, access), abi::Decoded::kOk);
      if (access.handle != buffer_) return false;
      EXPECT_LE(access.offset + access.bytes, kBufferBytes);
      if (access.offset + access.bytes > kBufferBytes) return true;
      const auto place = shadow_.begin() + static_cast<std::ptrdiff_t>(access.offset);
      if (sent.header.type == MessageType::kRead) {
        EXPECT_TRUE(std::equal(answer.payload.begin(), answer.payload.end(), place, place + static_cast<std::ptrdiff_t>(access.bytes)));
        return true;
      }
      EXPECT_EQ(access.bytes, sent.payload.size());
      std::copy_n(sent.payload.begin(), std::min<std::uint64_t>(access.bytes, sent.payload.size()), place);
    } else if (!is_job) {
      return false;
    }
    EXPECT_TRUE(bench_.read(buffer_, 0, kBufferBytes).payload == shadow_);
    return true;
  }

  Bench bench_{"tiny"};
  abi::Handle buffer_ = 0, stream_ = 0;
  Bytes shadow_;
};

TEST_F(MessageMutations, EndInAnErrorOrARightResult) {
  testing::Histogram histogram;
  Random random(77);
  begin();
  for (unsigned round = 0; round < kMessageRounds; ++round) {
    if (round % 50 == 49) begin();
    const Sent sent = any_message(random);
    bool accepted = bench_.send(Bench::seal(sent.header, sent.body, sent.payload));
    std::optional<Message> answer;
    // A message that says that a payload follows gets none: the device waits, and a reset must mend that.
    if (abi::has(sent.header.flags, abi::MessageFlag::kPayloadFollows) && accepted) {
      histogram.refused("nothing: its payload never came");
      begin();
      continue;
    }
    answer = bench_.receive();
    if (!answer) {
      histogram.refused(accepted ? "nothing: it asked for an answer after a fence that never comes" : "a stall");
      if (!accepted) bench_.device->set_halt(kOut, false);
      begin();
      continue;
    }
    if (answer->header.type == MessageType::kStatusReport) {
      histogram.refused(fmt::format("framing: {}", abi::name_of(answer->reply().status)));
      bench_.device->set_halt(kOut, false);
      bench_.device->set_halt(kIn, false);
      begin();
      continue;
    }
    histogram.got_past_framing();
    const bool is_job = answer->header.type == MessageType::kCompletion;
    const Status status = is_job ? answer->completion().status : answer->reply().status;
    if (status != Status::kOk) {
      histogram.refused(fmt::format("the device: {}", abi::name_of(status)));
      if (is_job) begin();  // a refused job may or may not have used its fence up
    } else {
      if (is_job) ++bench_.fence;
      histogram.executed(judge(sent, *answer));
    }
    if (HasFailure()) FAIL() << "round " << round << ", type " << static_cast<unsigned>(sent.header.type);
  }
  histogram.record("messages");
  // After all that, the device is as good as new.
  begin();
  const Bytes data = random_bytes(kPart, 5);
  ASSERT_EQ(bench_.write(buffer_, 0, data), Status::kOk);
  ASSERT_EQ(bench_.run(stream_, {sram(2 * kPart), bind(buffer_, kPart), bind(buffer_, kPart, kPart)}).status, Status::kOk);
  const Bytes twice = bench_.read(buffer_, kPart, kPart).payload;
  for (std::size_t i = 0; i < kPart; ++i) {
    const int value = std::clamp(2 * static_cast<int>(static_cast<std::int8_t>(data[i])), -128, 127);
    ASSERT_EQ(static_cast<int>(static_cast<std::int8_t>(twice[i])), value) << i;
  }
  EXPECT_EQ(histogram.total(), kMessageRounds);
  EXPECT_GT(histogram.past_framing(), kMessageRounds / 2);
  EXPECT_GT(histogram.judged(), kMessageRounds / 10);
  EXPECT_GE(histogram.checks(), 6U);
}

}  // namespace
}  // namespace naru::mockdev::test
