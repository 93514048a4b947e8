// Goal: weights that one job left in the SRAM are there for the next over every way to the device, and a job that comes too late for them says so.
// Method: the mock device behind each cable; two contexts as messages on one wire, and the driver for what one client does.
#include <stdexcept>

#include "cables.h"
#include "naru/abi/stream.h"
#include "naru/driver/device.h"
#include "wire.h"

namespace naru::test {
namespace {

using abi::LeaseUse;
using abi::MessageType;
using abi::Status;

using Bytes = std::vector<std::byte>;

constexpr std::uint32_t kWeights = 6000, kSramOffset = 64 * 1024;

/// From a buffer to the SRAM, or back: what stays there, and a look at it.
abi::Stream moving(bool to_sram) {
  using namespace abi;
  const RegionDeclaration dram{.memory = MemoryKind::kDram, .rights = to_sram ? Rights::kRead : Rights::kWrite, .reserved = {}, .bytes = kWeights};
  const RegionDeclaration sram{.memory = MemoryKind::kSram, .rights = to_sram ? Rights::kWrite : Rights::kRead, .reserved = {}, .bytes = kWeights};
  const Dma dma{.source = Operand::at(to_sram ? 0 : 1, 0), .target = Operand::at(to_sram ? 1 : 0, 0), .row_bytes = kWeights};
  return {.regions = {dram, sram}, .commands = {{Engine::kDma0, 0, dma}, {Engine::kNone, 0, End{}}}};
}

/// One request at a time, in messages, without a driver.
class Messages {
 public:
  explicit Messages(Wire wire) : wire_(std::move(wire)) {
    std::array<std::byte, abi::wire_size<abi::Identity>()> bytes{};
    EXPECT_EQ(wire_.status(wire_.vendor(abi::ControlRequest::kIdentity, 0, 0, bytes, true)), TransferStatus::kOk);
    abi::Identity identity;
    EXPECT_EQ(abi::decode(bytes, identity), abi::Decoded::kOk);
    epoch_ = identity.epoch;
  }
  struct Answer {
    abi::MessageHeader header;
    Bytes body, payload;
  };
  Answer request(std::uint32_t context, MessageType type, Bytes body = {}, const Bytes& payload = {}) {
    abi::MessageHeader header{.type = type,
                              .epoch = epoch_,
                              .sequence = ++sequence_,
                              .context = context,
                              .body_bytes = static_cast<std::uint32_t>(body.size()),
                              .payload_bytes = payload.size()};
    if (!payload.empty()) header.flags = static_cast<std::uint16_t>(abi::MessageFlag::kPayloadInline);
    header.crc = abi::message_crc(header, body);
    const auto encoded = abi::encode(header);
    body.insert(body.begin(), encoded.begin(), encoded.end());
    body.insert(body.end(), payload.begin(), payload.end());
    body.resize(align_up<std::size_t>(body.size(), 8));
    EXPECT_EQ(wire_.status(wire_.out(body)), TransferStatus::kOk);
    Bytes received(abi::kMessageTransferMax + wire_.packet());
    const TransferCompletion completion = wire_.completion(wire_.in(received));
    EXPECT_EQ(completion.status, TransferStatus::kOk);
    received.resize(completion.bytes);
    Answer answer;
    if (abi::decode(received, answer.header) != abi::Decoded::kOk) throw std::runtime_error("no message came");
    const auto at = received.begin() + abi::wire_size<abi::MessageHeader>();
    answer.body.assign(at, at + answer.header.body_bytes);
    answer.payload.assign(at + answer.header.body_bytes, at + static_cast<std::ptrdiff_t>(answer.header.body_bytes + answer.header.payload_bytes));
    return answer;
  }
  abi::Handle handle(std::uint32_t context, MessageType type, Bytes body = {}, const Bytes& payload = {}) {
    abi::Reply reply;
    EXPECT_EQ(abi::decode(request(context, type, std::move(body), payload).body, reply), abi::Decoded::kOk);
    EXPECT_EQ(reply.status, Status::kOk);
    return reply.handle;
  }

 private:
  Wire wire_;
  std::uint32_t epoch_ = 0, sequence_ = 0;
};

template <typename Record>
Bytes bytes_of(const Record& record) {
  const auto encoded = abi::encode(record);
  return Bytes(encoded.begin(), encoded.end());
}

/// A context that puts its weights into the SRAM and looks for them there.
class Client {
 public:
  Client(Messages& messages, unsigned seed) : messages_(messages), weights(pattern(kWeights, seed)) {
    context_ = static_cast<std::uint32_t>(messages_.handle(0, MessageType::kOpenContext));
    source_ = messages_.handle(context_, MessageType::kCreateBuffer, bytes_of(abi::CreateBuffer{kWeights}));
    seen_ = messages_.handle(context_, MessageType::kCreateBuffer, bytes_of(abi::CreateBuffer{kWeights}));
    load_ = messages_.handle(context_, MessageType::kLoadStream, {}, abi::encode_stream(moving(true)));
    look_ = messages_.handle(context_, MessageType::kLoadStream, {}, abi::encode_stream(moving(false)));
    put(source_, weights);
  }
  abi::Completion take() { return run(load_, source_, LeaseUse::kTake); }
  /// What the job saw; nothing when the lease was lost, and then it wrote nothing.
  std::optional<Bytes> need() {
    const Bytes before = pattern(kWeights, 99);
    put(seen_, before);
    const abi::Completion completion = run(look_, seen_, LeaseUse::kNeed);
    const Bytes seen = messages_
                           .request(context_, MessageType::kRead,
                                    bytes_of(abi::Access{.handle = seen_, .offset = 0, .bytes = kWeights, .after_fence = 0, .after_queue = 0, .reserved = {}}))
                           .payload;
    if (completion.status == Status::kOk) return seen;
    EXPECT_EQ(completion.status, Status::kLeaseLost);
    EXPECT_EQ(completion.retired, 0u);
    EXPECT_TRUE(seen == before);
    return std::nullopt;
  }

 private:
  void put(abi::Handle buffer, const Bytes& bytes) {
    messages_.handle(context_, MessageType::kWrite,
                     bytes_of(abi::Access{.handle = buffer, .offset = 0, .bytes = kWeights, .after_fence = 0, .after_queue = 0, .reserved = {}}), bytes);
  }
  abi::Completion run(abi::Handle stream, abi::Handle buffer, LeaseUse use) {
    Bytes body = bytes_of(abi::Submit{.count = 1, .reserved = {}});
    const auto append = [&](const Bytes& bytes) { body.insert(body.end(), bytes.begin(), bytes.end()); };
    append(bytes_of(abi::JobRecord{.stream = stream, .fence = ++fence_, .region_count = 2, .lease_use = use, .lease = 1}));
    append(bytes_of(abi::RegionBinding{.handle = buffer, .offset = 0, .bytes = kWeights, .rights = abi::Rights::kReadWrite, .reserved = {}}));
    append(
        bytes_of(abi::RegionBinding{.handle = abi::kSramHandle, .offset = kSramOffset, .bytes = kWeights, .rights = abi::Rights::kReadWrite, .reserved = {}}));
    const Messages::Answer answer = messages_.request(context_, MessageType::kSubmit, body);
    EXPECT_EQ(answer.header.type, MessageType::kCompletion);
    abi::Completion completion;
    EXPECT_EQ(abi::decode(answer.body, completion), abi::Decoded::kOk);
    return completion;
  }

  Messages& messages_;
  std::uint32_t context_ = 0;
  std::uint64_t fence_ = 0;
  abi::Handle source_ = 0, seen_ = 0, load_ = 0, look_ = 0;

 public:
  const Bytes weights;
};

std::vector<CableKind> cables_to_the_mock() {
  std::vector<CableKind> kinds = cable_kinds();
  std::erase_if(kinds, [](const CableKind& kind) { return kind.device != "mock"; });
  return kinds;
}

class Leases : public ::testing::TestWithParam<CableKind> {
 protected:
  void SetUp() override {
    auto cable = make_cable(GetParam());
    ASSERT_TRUE(cable) << cable.error().to_string(true);
    cable_ = std::move(*cable);
  }
  std::unique_ptr<driver::Transport> open() {
    auto transport = cable_->open();
    if (!transport) throw std::runtime_error(transport.error().to_string(true));
    return std::move(*transport);
  }

  std::unique_ptr<Cable> cable_;
};

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Leases);  // where the mock device is not built
INSTANTIATE_TEST_SUITE_P(Every, Leases, ::testing::ValuesIn(cables_to_the_mock()), [](const auto& info) { return info.param.name; });

TEST_P(Leases, AreKeptForTheirContextAndLostToAnother) {
  Messages messages{Wire(open())};
  Client first(messages, 1), second(messages, 2);
  EXPECT_EQ(first.need(), std::nullopt);
  EXPECT_EQ(first.take().status, Status::kOk);
  EXPECT_EQ(first.need(), first.weights);
  EXPECT_EQ(first.need(), first.weights);
  EXPECT_EQ(second.need(), std::nullopt);  // the same number, another context's
  EXPECT_EQ(first.need(), first.weights);  // and that job, which never ran, took nothing away
  EXPECT_EQ(second.take().status, Status::kOk);
  EXPECT_EQ(first.need(), std::nullopt);
  EXPECT_EQ(second.need(), second.weights);
  EXPECT_EQ(first.take().status, Status::kOk);
  EXPECT_EQ(first.need(), first.weights);
}

TEST_P(Leases, ServeTheDriverAndAreTakenAgainAfterTheyWereLost) {
  auto opened = driver::Device::open(open());
  ASSERT_TRUE(opened) << opened.error().to_string(true);
  driver::Device& device = **opened;
  auto queue = device.queue(0);
  auto source = device.create_buffer(kWeights), seen = device.create_buffer(kWeights);
  auto load = device.load_stream(abi::encode_stream(moving(true))), look = device.load_stream(abi::encode_stream(moving(false)));
  ASSERT_TRUE(queue && source && seen && load && look);
  const Bytes weights = pattern(kWeights, 3);
  Bytes back(kWeights);
  const driver::Binding sram{.buffer = nullptr, .offset = kSramOffset, .bytes = kWeights, .rights = abi::Rights::kReadWrite};
  const std::array load_bindings = {driver::Binding{.buffer = &*source, .offset = 0, .bytes = kWeights, .rights = abi::Rights::kRead}, sram};
  const std::array look_bindings = {driver::Binding{.buffer = &*seen, .offset = 0, .bytes = kWeights, .rights = abi::Rights::kWrite}, sram};
  const driver::JobWrite write{.buffer = &*source, .offset = 0, .bytes = weights};
  const driver::JobRead read{.buffer = &*seen, .offset = 0, .bytes = back};
  const driver::JobDescription take{.stream = &*load, .bindings = load_bindings, .writes = {&write, 1}, .lease_use = LeaseUse::kTake, .lease = 5};
  const driver::JobDescription need{.stream = &*look, .bindings = look_bindings, .reads = {&read, 1}, .lease_use = LeaseUse::kNeed, .lease = 5};
  const driver::JobDescription plain{.stream = &*load, .bindings = load_bindings};
  // Ok, or the id of how it ended; nothing is waited for before all are submitted.
  std::array<driver::Job, 6> jobs;
  const std::array descriptions = {take, need, plain, need, take, need};
  ASSERT_TRUE(queue->submit_batch(descriptions, jobs));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto result = jobs[i].wait();
    if (i == 3) {
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().id(), ErrorId::kLeaseLost) << result.error().to_string(true);
    } else {
      EXPECT_TRUE(result) << i << ": " << result.error().to_string(true);
    }
    if (i == 1 || i == 5) {
      EXPECT_EQ(back, weights) << i;
    }
  }
  EXPECT_EQ(device.host_counters().recoveries, 0u);
}

}  // namespace
}  // namespace naru::test
