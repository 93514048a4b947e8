// Goal: every transport keeps driver/transport.h's contract, in the same words. Method: one suite over every cable and device.
#include <dirent.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <thread>

#include "cables.h"
#include "wire.h"

namespace naru::test {
namespace {

using namespace std::chrono_literals;
using driver::TransportInfo;

std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.path().empty() ? 0 : 1;
  return count;
}

/// The fewest entries seen within a moment: a thread that was joined stays in /proc a little longer.
std::size_t settled(const char* folder) {
  const SteadyClock wall;
  std::size_t fewest = entries_of(folder);
  for (const TimePoint end = wall.after(50ms); wall.now() < end; std::this_thread::yield()) fewest = std::min(fewest, entries_of(folder));
  return fewest;
}

/// Whether the number of entries comes down to `expected` and no further.
::testing::AssertionResult settles_at(const char* folder, std::size_t expected) {
  const SteadyClock wall;
  std::size_t count = settled(folder);
  for (const TimePoint end = wall.after(5s); count > expected && wall.now() < end;) count = settled(folder);
  return count == expected ? ::testing::AssertionSuccess() : ::testing::AssertionFailure() << folder << " has " << count << " entries, not " << expected;
}

class Transports : public ::testing::TestWithParam<CableKind> {
 protected:
  void SetUp() override {
    auto cable = make_cable(GetParam());
    ASSERT_TRUE(cable) << cable.error().to_string(true);
    cable_ = std::move(*cable);
  }
  Wire open() {
    auto transport = cable_->open();
    if (!transport) throw std::runtime_error(transport.error().to_string(true));
    Wire wire(std::move(*transport));
    EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(abi::PipeMode::kLoopback))), TransferStatus::kOk);
    return wire;
  }
  /// Bulk OUT and IN of `bytes`, compared.
  void echo(Wire& wire, std::size_t bytes) {
    std::vector<std::byte> sent = pattern(bytes, static_cast<unsigned>(bytes)), received((bytes / wire.packet() + 1) * wire.packet());
    const Ticket in = wire.in(received);
    const Ticket out = wire.out(sent);
    const TransferCompletion sent_completion = wire.completion(out), received_completion = wire.completion(in);
    ASSERT_EQ(sent_completion.status, TransferStatus::kOk) << bytes;
    ASSERT_EQ(sent_completion.bytes, bytes);
    ASSERT_EQ(received_completion.status, TransferStatus::kOk) << bytes;
    ASSERT_EQ(received_completion.bytes, bytes);
    received.resize(bytes);
    ASSERT_TRUE(sent == received) << bytes;
  }
  std::uint16_t address_of(Wire& wire, TransferKind kind) {
    // The configuration says where the endpoints are; devices number them as they like.
    std::vector<std::byte> bytes(256);
    const std::size_t count = wire.completion(wire.control(0x80, 6, 0x0200, 0, bytes)).bytes;
    for (std::size_t at = 0; at + 2 < count && bytes[at] != std::byte{0}; at += static_cast<std::size_t>(bytes[at])) {
      const bool in = (bytes[at + 2] & std::byte{0x80}) != std::byte{0};
      if (bytes[at + 1] == std::byte{5} && (bytes[at + 3] & std::byte{3}) == std::byte{2} && in == (kind == TransferKind::kBulkIn)) return static_cast<std::uint16_t>(bytes[at + 2]);
    }
    ADD_FAILURE() << "no such endpoint";
    return 0;
  }

  std::unique_ptr<Cable> cable_;
};

std::vector<CableKind> cables_but(std::initializer_list<std::string> left_out) {
  std::vector<CableKind> kinds = cable_kinds();
  std::erase_if(kinds, [&](const CableKind& kind) { return std::find(left_out.begin(), left_out.end(), kind.cable) != left_out.end(); });
  return kinds;
}

INSTANTIATE_TEST_SUITE_P(Every, Transports, ::testing::ValuesIn(cable_kinds()), [](const auto& info) { return info.param.name; });

/// Over cables whose device stays when a client goes; in-process the device is the transport's own.
class TransportsToADeviceThatStays : public Transports {};
INSTANTIATE_TEST_SUITE_P(Every, TransportsToADeviceThatStays, ::testing::ValuesIn(cables_but({"inproc"})), [](const auto& info) { return info.param.name; });

/// Over cables whose device is a process that may be killed (umockdev's other process is this one's client: killing it would say nothing).
class TransportsToAnotherProcess : public Transports {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(TransportsToAnotherProcess);  // where /dev/fuse cannot be used
INSTANTIATE_TEST_SUITE_P(Every, TransportsToAnotherProcess, ::testing::ValuesIn(cables_but({"inproc", "umockdev", "umockdev-process"})), [](const auto& info) { return info.param.name; });

TEST_P(Transports, SayWhatIsAtTheirEnd) {
  Wire wire = open();
  const TransportInfo& info = wire->info();
  EXPECT_EQ(info.vendor_id, abi::kVendorId);
  EXPECT_EQ(info.product_id, abi::kProductRun);
  EXPECT_FALSE(info.serial.empty());
  EXPECT_FALSE(info.selector.empty());
  EXPECT_EQ(info.bulk_packet_bytes, info.speed == usb::Speed::kSuper ? 1024 : 512);
  EXPECT_EQ(info.virtual_time, wire->clock().is_virtual());
}

TEST_P(Transports, CarryControlRequestsBothWays) {
  Wire wire = open();
  std::array<std::byte, 4> value{}, read{};
  for (const std::uint32_t number : {0xA5A5A5A5u, 0u, 0x12345678u}) {
    store_le(value.data(), number);
    EXPECT_EQ(wire.completion(wire.vendor(abi::ControlRequest::kWriteRegister, 0, 17, value)).status, TransferStatus::kOk);
    const TransferCompletion completion = wire.completion(wire.vendor(abi::ControlRequest::kReadRegister, 0, 17, read, true));
    EXPECT_EQ(completion.status, TransferStatus::kOk);
    EXPECT_EQ(completion.bytes, 4u);
    EXPECT_EQ(load_le<std::uint32_t>(read.data()), number);
  }
}

TEST_P(Transports, EndARefusedControlRequestAsStalledAndGoOn) {
  Wire wire = open();
  std::array<std::byte, 4> bytes{};
  EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kReadRegister, 0, 999, bytes, true)), TransferStatus::kStalled);
  EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kReadRegister, 0, 16, bytes, true)), TransferStatus::kOk);
}

TEST_P(Transports, RefuseWhatNoCableCanCarry) {
  Wire wire = open();
  std::vector<std::byte> bytes(8192);
  EXPECT_EQ(wire.in(std::span(bytes).first(100)), Ticket::kNone);
  EXPECT_EQ(wire.last_error().id(), ErrorId::kInvalidArgument);
  EXPECT_EQ(wire.in({}), Ticket::kNone);
  EXPECT_EQ(wire.vendor(abi::ControlRequest::kReadRegister, 0, 16, std::span(bytes).first(4089), true), Ticket::kNone);
  EXPECT_EQ(wire.submit({.kind = TransferKind::kControl, .setup = {.length = 5}, .buffer = std::span(bytes).first(4)}), Ticket::kNone);
}

TEST_P(Transports, EchoEveryAwkwardSize) {
  Wire wire = open();
  for (const std::size_t bytes : {1u, 63u, 64u, 511u, 512u, 513u, 1023u, 1024u, 1025u, 16383u, 16384u, 16385u, 65536u, 1048575u, 1048576u, 1048577u}) echo(wire, bytes);
}

TEST_P(Transports, EndATransferOnAPacketBoundaryWithAZeroLengthPacketOnlyWhenAsked) {
  Wire wire = open();
  const std::size_t packet = wire.packet();
  std::vector<std::byte> sent = pattern(packet), received(2 * packet);
  // Asked: the packet fills the request, the zero-length one ends the next.
  EXPECT_EQ(wire.completion(wire.out(sent, true)).bytes, packet);
  EXPECT_EQ(wire.completion(wire.in(std::span(received).first(packet))).bytes, packet);
  const TransferCompletion end = wire.completion(wire.in(std::span(received).first(packet)));
  EXPECT_EQ(end.status, TransferStatus::kOk);
  EXPECT_EQ(end.bytes, 0u);
  // Not asked: two transfers run together in one larger request.
  const Ticket in = wire.in(received);
  EXPECT_EQ(wire.completion(wire.out(sent, false)).bytes, packet);
  EXPECT_EQ(wire.completion(wire.out(sent, false)).bytes, packet);
  const TransferCompletion both = wire.completion(in);
  EXPECT_EQ(both.status, TransferStatus::kOk);
  EXPECT_EQ(both.bytes, 2 * packet);
}

TEST_P(Transports, CarryAnEmptyTransfer) {
  Wire wire = open();
  std::vector<std::byte> received(wire.packet());
  EXPECT_EQ(wire.completion(wire.out({}, true)).status, TransferStatus::kOk);
  const TransferCompletion in = wire.completion(wire.in(received));
  EXPECT_EQ(in.status, TransferStatus::kOk);
  EXPECT_EQ(in.bytes, 0u);
}

TEST_P(Transports, CompleteTheTransfersOfAnEndpointInTheOrderSubmitted) {
  Wire wire = open();
  constexpr std::size_t kCount = 24;
  const std::size_t packet = wire.packet();
  std::vector<std::vector<std::byte>> sent, received;
  std::vector<Ticket> ins, outs;
  for (std::size_t i = 0; i < kCount; ++i) {
    sent.push_back(pattern(packet * (i % 3) + i + 1, static_cast<unsigned>(i)));
    received.emplace_back(packet * 4);
  }
  for (std::size_t i = 0; i < kCount; ++i) ins.push_back(wire.in(received[i]));
  for (std::size_t i = 0; i < kCount; ++i) outs.push_back(wire.out(sent[i]));
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(wire.status(outs[i]), TransferStatus::kOk);
    const TransferCompletion completion = wire.completion(ins[i]);
    EXPECT_EQ(completion.status, TransferStatus::kOk);
    ASSERT_EQ(completion.bytes, sent[i].size());
    EXPECT_TRUE(std::equal(sent[i].begin(), sent[i].end(), received[i].begin()));
  }
  std::vector<Ticket> seen_ins, seen_outs;
  for (const Ticket ticket : wire.order()) {
    if (std::find(ins.begin(), ins.end(), ticket) != ins.end()) seen_ins.push_back(ticket);
    if (std::find(outs.begin(), outs.end(), ticket) != outs.end()) seen_outs.push_back(ticket);
  }
  EXPECT_EQ(seen_ins, ins);
  EXPECT_EQ(seen_outs, outs);
}

constexpr std::size_t kSinkTransfers = 24;

/// Takes all but every `refuse_each`th (0: none is refused), and sends one more for each OUT it hears of, kSinkTransfers in all.
class Taking final : public driver::CompletionSink {
 public:
  Taking(Wire& wire, std::size_t refuse_each) : wire_(wire), refuse_each_(refuse_each) {}
  bool on_found(const TransferCompletion& completion) noexcept override {
    EXPECT_EQ(completion.status, TransferStatus::kOk);
    ++heard_;
    if (refuse_each_ != 0 && heard_ % refuse_each_ == 0) return false;
    wire_.keep(completion);
    if (std::find(outs_.begin(), outs_.end(), completion.ticket) != outs_.end()) send();
    return true;
  }
  void send() {
    if (outs_.size() == kSinkTransfers) return;
    sent_.push_back(std::make_unique<std::vector<std::byte>>(pattern(wire_.packet() + 3, static_cast<unsigned>(sent_.size()))));
    outs_.push_back(wire_.out(*sent_.back()));
  }
  [[nodiscard]] const std::vector<Ticket>& outs() const { return outs_; }
  [[nodiscard]] std::size_t heard() const { return heard_; }

 private:
  Wire& wire_;
  const std::size_t refuse_each_;
  std::size_t heard_ = 0;
  std::vector<std::unique_ptr<std::vector<std::byte>>> sent_;
  std::vector<Ticket> outs_;
};

TEST_P(Transports, CompleteOnceAndInOrderWhateverASinkOfTheWaitTakes) {
  for (const std::size_t refuse_each : {0u, 1u, 3u}) {
    Wire wire = open();
    const std::size_t before = wire.order().size();
    std::vector<std::vector<std::byte>> received(kSinkTransfers, std::vector<std::byte>(wire.packet() * 2));
    std::vector<Ticket> ins;
    for (auto& bytes : received) ins.push_back(wire.in(bytes));
    Taking sink(wire, refuse_each);
    for (std::size_t i = 0; i < 8; ++i) sink.send();
    const SteadyClock wall;
    for (const TimePoint end = wall.after(50s); wire.order().size() < before + kSinkTransfers * 2 && wall.now() < end;) {
      wire->wait_with(wire->clock().after(1s), sink);
      while (wire.poll_once() != 0) {
      }
      if (wire.order().size() == before + sink.outs().size() * 2) sink.send();  // one that hears of little would send no more
    }
    std::vector<Ticket> seen_ins, seen_outs;
    for (std::size_t i = before; i < wire.order().size(); ++i) {
      const Ticket ticket = wire.order()[i];
      (std::find(ins.begin(), ins.end(), ticket) != ins.end() ? seen_ins : seen_outs).push_back(ticket);
    }
    EXPECT_EQ(seen_ins, ins) << refuse_each;
    EXPECT_EQ(seen_outs, sink.outs()) << refuse_each;
    EXPECT_TRUE(sink.heard() > 0 || GetParam().cable == "inproc");
    for (std::size_t i = 0; i < kSinkTransfers; ++i) {
      received[i].resize(wire.packet() + 3);
      EXPECT_TRUE(received[i] == pattern(wire.packet() + 3, static_cast<unsigned>(i))) << i;
    }
  }
}

TEST_P(Transports, TellASinkOfNothingThatFailed) {
  Wire wire = open();
  Taking sink(wire, 0);  // expects kOk only
  const std::size_t before = wire.order().size();
  std::vector<std::byte> bytes(wire.packet());
  const Ticket late = wire.in(bytes, 20ms), cancelled = wire.in(bytes);
  wire->cancel(cancelled);
  const SteadyClock wall;
  for (const TimePoint end = wall.after(50s); wire.order().size() < before + 2 && wall.now() < end; wire.poll_once()) wire->wait_with(wire->clock().after(1s), sink);
  EXPECT_EQ(wire.status(late), TransferStatus::kTimeout);
  EXPECT_EQ(wire.status(cancelled), TransferStatus::kCancelled);
}

/// Transfers that adjoin one another in memory, of whole packets; they may move together where `may_join`.
struct Neighbours {
  Neighbours(Wire& wire, TransferKind kind, std::span<const std::size_t> sizes, bool may_join, Duration timeout = 40s) : packets(sizes.begin(), sizes.end()) {
    std::size_t total = 0;
    for (const std::size_t count : packets) total += count * wire.packet();
    bytes = pattern(total, 77);
    for (std::size_t at = 0, i = 0; i < packets.size(); at += packets[i++] * wire.packet())
      tickets.push_back(wire.submit({.kind = kind, .buffer = std::span(bytes).subspan(at, packets[i] * wire.packet()), .may_join = may_join, .timeout = timeout}));
  }
  std::vector<std::size_t> packets;  // of each
  std::vector<std::byte> bytes;
  std::vector<Ticket> tickets;
};

using Ends = std::vector<std::pair<TransferStatus, std::size_t>>;
Ends ends_of(Wire& wire, std::span<const Ticket> tickets) {
  Ends ends;
  for (const Ticket ticket : tickets) {
    const TransferCompletion completion = wire.completion(ticket);
    ends.emplace_back(completion.status, completion.bytes);
  }
  return ends;
}

/// What became of a program of neighbouring INs and neighbouring OUTs, all of whole packets, when the INs that got too little were cancelled.
struct Outcome {
  Ends ins, outs;
  std::vector<std::byte> received;
};
Outcome outcome_of(Wire& wire, unsigned seed, bool may_join) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random()) % limit; };
  const auto some = [&](std::size_t count_max, std::size_t packets_max) {
    std::vector<std::size_t> packets(1 + below(count_max));
    for (std::size_t& count : packets) count = 1 + below(packets_max);
    return packets;
  };
  std::vector<std::unique_ptr<Neighbours>> ins, outs;
  std::vector<Ticket> in_tickets, out_tickets;
  std::size_t room = 0, sent = 0;
  for (std::size_t left = 1 + below(4); left != 0; --left) {
    const std::vector<std::size_t> packets = some(20, 3);
    ins.push_back(std::make_unique<Neighbours>(wire, TransferKind::kBulkIn, packets, may_join));
    in_tickets.insert(in_tickets.end(), ins.back()->tickets.begin(), ins.back()->tickets.end());
    room += ins.back()->bytes.size();
    if (below(2) == 0) wire->flush();
  }
  while (sent + 10 * wire.packet() <= room && below(8) != 0) {
    const bool mostly = below(4) != 0;
    outs.push_back(std::make_unique<Neighbours>(wire, TransferKind::kBulkOut, some(5, 2), may_join && mostly));
    out_tickets.insert(out_tickets.end(), outs.back()->tickets.begin(), outs.back()->tickets.end());
    sent += outs.back()->bytes.size();
  }
  Outcome outcome;
  outcome.outs = ends_of(wire, out_tickets);
  // What the OUTs brought has landed when control requests that came behind them are answered, and a look has found it.
  std::array<std::byte, 4> value{};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kReadRegister, 0, 16, value, true)), TransferStatus::kOk);
  while (wire.poll_once() != 0) {
  }
  for (const Ticket ticket : in_tickets) wire->cancel(ticket);
  outcome.ins = ends_of(wire, in_tickets);
  std::size_t next = 0;
  for (const auto& run : ins) {
    std::size_t at = 0;
    for (const std::size_t count : run->packets) {
      const auto begin = run->bytes.begin() + static_cast<std::ptrdiff_t>(at);
      // Behind what an IN brought anything may be: umockdev writes its whole buffer.
      outcome.received.insert(outcome.received.end(), begin, begin + static_cast<std::ptrdiff_t>(outcome.ins[next++].second));
      at += count * wire.packet();
    }
  }
  EXPECT_EQ(wire.status(wire.submit({.kind = TransferKind::kReset})), TransferStatus::kOk);
  EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(abi::PipeMode::kLoopback))), TransferStatus::kOk);
  return outcome;
}

TEST_P(Transports, MoveNeighboursTogetherAsTheyWouldMoveAlone) {
  Wire wire = open();
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Outcome alone = outcome_of(wire, seed, false), together = outcome_of(wire, seed, true);
    ASSERT_EQ(together.outs, alone.outs) << seed;
    ASSERT_EQ(together.ins, alone.ins) << seed;
    ASSERT_TRUE(together.received == alone.received) << seed;
  }
}

TEST_P(Transports, CompleteNeighboursOnceAndInOrder) {
  Wire wire = open();
  const std::vector<std::size_t> packets = {1, 2, 3, 1, 1, 2, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 2};
  const std::size_t before = wire.order().size();
  const Neighbours ins(wire, TransferKind::kBulkIn, packets, true), outs(wire, TransferKind::kBulkOut, packets, true);
  for (const Ends& ends : {ends_of(wire, outs.tickets), ends_of(wire, ins.tickets)})
    for (std::size_t i = 0; i < packets.size(); ++i) EXPECT_EQ(ends[i], (std::pair{TransferStatus::kOk, packets[i] * wire.packet()}));
  EXPECT_TRUE(ins.bytes == outs.bytes);
  std::vector<Ticket> seen_ins, seen_outs;
  for (std::size_t i = before; i < wire.order().size(); ++i)
    (std::find(ins.tickets.begin(), ins.tickets.end(), wire.order()[i]) != ins.tickets.end() ? seen_ins : seen_outs).push_back(wire.order()[i]);
  EXPECT_EQ(seen_ins, ins.tickets);
  EXPECT_EQ(seen_outs, outs.tickets);
}

TEST_P(Transports, EndNeighboursBehindOneThatEndsShortOrLeaveThemToBeCancelled) {
  Wire wire = open();
  const std::vector<std::size_t> packets = {1, 1, 2, 1, 2};
  for (std::size_t whole = 0; whole < packets.size(); ++whole)
    for (const std::size_t rest : {std::size_t{0}, std::size_t{100}}) {  // an empty packet, a short one
      Neighbours ins(wire, TransferKind::kBulkIn, packets, true);
      std::size_t before = 0;
      for (std::size_t i = 0; i < whole; ++i) before += packets[i] * wire.packet();
      std::vector<std::byte> sent = pattern(before + rest, 5);
      EXPECT_EQ(wire.status(wire.out(sent)), TransferStatus::kOk);
      for (std::size_t i = 0; i < packets.size(); ++i) {
        if (i > whole) wire->cancel(ins.tickets[i]);
        const TransferCompletion completion = wire.completion(ins.tickets[i]);
        EXPECT_EQ(completion.status, i <= whole ? TransferStatus::kOk : TransferStatus::kCancelled) << whole << " " << rest << " " << i;
        EXPECT_EQ(completion.bytes, i < whole ? packets[i] * wire.packet() : i == whole ? rest : 0) << whole << " " << rest << " " << i;
      }
      ins.bytes.resize(sent.size());
      EXPECT_TRUE(ins.bytes == sent);
      echo(wire, 700);
    }
}

TEST_P(Transports, CancelOneOfSeveralNeighbours) {
  const std::vector<std::size_t> packets = {1, 1, 2, 1};
  for (const bool flushed : {false, true})
    for (std::size_t unwanted = 0; unwanted < packets.size(); ++unwanted) {
      Wire wire = open();
      const Neighbours ins(wire, TransferKind::kBulkIn, packets, true);
      if (flushed) wire->flush();
      wire->cancel(ins.tickets[unwanted]);
      EXPECT_EQ(wire.status(ins.tickets[unwanted]), TransferStatus::kCancelled);
      for (const Ticket ticket : ins.tickets) wire->cancel(ticket);
      std::vector<Ticket> others = ins.tickets;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(unwanted));
      for (const auto& [status, bytes] : ends_of(wire, others)) EXPECT_EQ(status, TransferStatus::kCancelled) << unwanted;
      echo(wire, 700);
    }
}

TEST_P(Transports, TimeOutAndStallNeighboursAlike) {
  Wire wire = open();
  const std::vector<std::size_t> packets = {1, 2, 1};
  const Neighbours late(wire, TransferKind::kBulkIn, packets, true, 30ms);
  for (const auto& [status, bytes] : ends_of(wire, late.tickets)) EXPECT_EQ(status, TransferStatus::kTimeout);
  for (const TransferKind kind : {TransferKind::kBulkOut, TransferKind::kBulkIn}) {
    EXPECT_EQ(wire.status(wire.control(0x02, 3, 0, address_of(wire, kind), {})), TransferStatus::kOk);
    const Neighbours stalled(wire, kind, packets, true);
    for (const auto& [status, bytes] : ends_of(wire, stalled.tickets)) EXPECT_EQ(status, TransferStatus::kStalled);
    EXPECT_EQ(wire.status(wire.submit({.kind = kind == TransferKind::kBulkOut ? TransferKind::kClearHaltOut : TransferKind::kClearHaltIn})), TransferStatus::kOk);
  }
  echo(wire, 64);
}

TEST_P(Transports, EndNeighboursWithResetLossAndTheTransport) {
  const std::vector<std::size_t> packets = {1, 2, 1, 1};
  for (const bool flushed : {false, true}) {
    Wire wire = open();
    const Neighbours ins(wire, TransferKind::kBulkIn, packets, true);
    if (flushed) wire->flush();
    const Ticket reset = wire.submit({.kind = TransferKind::kReset});
    for (const auto& [status, bytes] : ends_of(wire, ins.tickets)) EXPECT_EQ(status, TransferStatus::kCancelled);
    EXPECT_EQ(wire.status(reset), TransferStatus::kOk);
    const Neighbours more(wire, TransferKind::kBulkIn, packets, true);
    if (flushed) wire->flush();
    wire.close();
  }
  Wire wire = open();
  const Neighbours ins(wire, TransferKind::kBulkIn, packets, true), held(wire, TransferKind::kBulkOut, packets, true);
  cable_->unplug();
  for (const auto& [status, bytes] : ends_of(wire, ins.tickets)) EXPECT_EQ(status, TransferStatus::kDeviceLost);
}

TEST_P(Transports, TimeOutAfterTheTimeoutAndGoOn) {
  Wire wire = open();
  std::vector<std::byte> received(wire.packet());
  const TimePoint start = wire->clock().now();
  EXPECT_EQ(wire.status(wire.in(received, 50ms)), TransferStatus::kTimeout);
  const Duration took = wire->clock().now() - start;
  EXPECT_GE(took, 50ms);
  EXPECT_LT(took, 5s);
  echo(wire, 100);
}

TEST_P(Transports, CancelWhatIsInFlightAndGoOn) {
  Wire wire = open();
  std::vector<std::byte> first(wire.packet()), second(wire.packet());
  const Ticket a = wire.in(first), b = wire.in(second);
  wire->cancel(b);
  wire->cancel(a);
  wire->cancel(Ticket::kNone);
  wire->cancel(static_cast<Ticket>(0xFFFFFFFFFFFF));
  EXPECT_EQ(wire.status(a), TransferStatus::kCancelled);
  EXPECT_EQ(wire.status(b), TransferStatus::kCancelled);
  wire->cancel(a);
  echo(wire, 600);
}

TEST_P(Transports, LoseOrWinTheRaceOfCancellingButCompleteOnce) {
  Wire wire = open();
  std::vector<std::byte> sent = pattern(700), received(1024);
  for (int i = 0; i < 30; ++i) {
    const Ticket out = wire.out(sent);
    const Ticket in = wire.in(received);
    wire->cancel(in);
    EXPECT_EQ(wire.status(out), TransferStatus::kOk);
    const TransferCompletion completion = wire.completion(in);
    ASSERT_TRUE(completion.status == TransferStatus::kOk || completion.status == TransferStatus::kCancelled) << to_string(completion.status);
    // What a cancelled request had taken stays taken (trap T16); the rest comes to the next ones.
    std::size_t got = completion.bytes;
    while (got < sent.size()) {
      const TransferCompletion rest = wire.completion(wire.in(received));
      ASSERT_EQ(rest.status, TransferStatus::kOk);
      ASSERT_GT(rest.bytes, 0u);
      got += rest.bytes;
    }
    EXPECT_EQ(got, sent.size());
  }
}

TEST_P(Transports, ReportAHaltUntilItIsCleared) {
  Wire wire = open();
  std::vector<std::byte> sent = pattern(64), received(wire.packet());
  for (const TransferKind kind : {TransferKind::kBulkOut, TransferKind::kBulkIn}) {
    EXPECT_EQ(wire.status(wire.control(0x02, 3, 0, address_of(wire, kind), {})), TransferStatus::kOk);
    for (int i = 0; i < 2; ++i) EXPECT_EQ(wire.status(kind == TransferKind::kBulkOut ? wire.out(sent) : wire.in(received)), TransferStatus::kStalled);
    EXPECT_EQ(wire.status(wire.submit({.kind = kind == TransferKind::kBulkOut ? TransferKind::kClearHaltOut : TransferKind::kClearHaltIn})), TransferStatus::kOk);
    echo(wire, 64);
  }
}

TEST_P(Transports, ResetCancelsWhatIsInFlightAndTheDeviceGoesOn) {
  Wire wire = open();
  std::vector<std::byte> received(wire.packet());
  const Ticket in = wire.in(received);
  const Ticket reset = wire.submit({.kind = TransferKind::kReset});
  EXPECT_EQ(wire.status(in), TransferStatus::kCancelled);
  EXPECT_EQ(wire.status(reset), TransferStatus::kOk);
  EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kPipeMode, static_cast<std::uint16_t>(abi::PipeMode::kLoopback))), TransferStatus::kOk);
  echo(wire, 1000);
}

TEST_P(Transports, BringEventsOverTheInterruptEndpoint) {
  Wire wire = open();
  std::array<std::byte, 64> bytes{};  // a multiple of any packet size that the devices here use
  const auto listen = [&](Duration timeout) { return wire.submit({.kind = TransferKind::kInterruptIn, .buffer = bytes, .timeout = timeout}); };
  // Events that were there before do not count.
  while (wire.status(listen(50ms)) == TransferStatus::kOk) {
  }
  const Ticket waiting = listen(10s);
  EXPECT_EQ(wire.status(wire.vendor(abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kSoft))), TransferStatus::kOk);
  const TransferCompletion completion = wire.completion(waiting);
  EXPECT_EQ(completion.status, TransferStatus::kOk);
  EXPECT_EQ(completion.bytes, 16u);
  EXPECT_EQ(load_le<std::uint32_t>(bytes.data()), static_cast<std::uint32_t>(abi::EventKind::kReset));
}

TEST_P(Transports, EndEveryTransferAsLostWhenTheCableIsPulled) {
  Wire wire = open();
  std::vector<std::vector<std::byte>> buffers(8, std::vector<std::byte>(wire.packet() * 4));
  std::vector<Ticket> tickets;
  for (auto& buffer : buffers) tickets.push_back(wire.in(buffer, 0s));
  cable_->unplug();
  for (const Ticket ticket : tickets) EXPECT_EQ(wire.status(ticket), TransferStatus::kDeviceLost);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(wire.in(buffers[0]), Ticket::kNone);
    EXPECT_EQ(wire.last_error().id(), ErrorId::kDeviceLost);
  }
  EXPECT_EQ(wire.submit({.kind = TransferKind::kReset}), Ticket::kNone);
  EXPECT_EQ(wire.poll_once(), 0u);
}

TEST_P(Transports, SayLostWhenTheCableWasPulledWhileNothingWasInFlight) {
  Wire wire = open();
  cable_->unplug();
  std::array<std::byte, 4> bytes{};
  const Ticket ticket = wire.vendor(abi::ControlRequest::kReadRegister, 0, 16, bytes, true);
  if (ticket == Ticket::kNone) {
    EXPECT_EQ(wire.last_error().id(), ErrorId::kDeviceLost);
  } else {
    EXPECT_EQ(wire.status(ticket), TransferStatus::kDeviceLost);
  }
  EXPECT_EQ(wire.vendor(abi::ControlRequest::kReadRegister, 0, 16, bytes, true), Ticket::kNone);
  EXPECT_EQ(wire.last_error().id(), ErrorId::kDeviceLost);
}

TEST_P(Transports, WakeFromAnotherThread) {
  Wire wire = open();
  wire->wake();
  wire->wait(kForever);  // a wake before the wait counts
  std::atomic<bool> returned = false;
  std::thread waker([&] {
    while (!returned) {
      wire->wake();
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < 100; ++i) wire->wait(kForever);
  returned = true;
  waker.join();
}

TEST_P(Transports, TellByTheirDescriptorWhenThereIsSomethingToPollFor) {
  Wire wire = open();
  if (wire->pollable_descriptor() < 0) return;  // without one, waiting is the only way
  const auto readable = [&](Duration patience) {
    pollfd descriptor{.fd = wire->pollable_descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&descriptor, 1, static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(patience).count())) == 1;
  };
  for (int i = 0; i < 3; ++i) {
    std::vector<std::byte> in(wire.packet());
    const Ticket ticket = wire.in(in);
    EXPECT_EQ(wire.poll_once(), 0u);
    EXPECT_FALSE(readable(0ms)) << "nothing has come yet";
    std::vector<std::byte> out = pattern(100);
    const Ticket sent = wire.out(out);
    const SteadyClock wall;
    const TimePoint end = wall.after(30s);
    while (wire.order().size() < 2u * static_cast<unsigned>(i + 1) && wall.now() < end) {
      EXPECT_TRUE(readable(30s));
      wire.poll_once();
    }
    EXPECT_EQ(wire.status(sent), TransferStatus::kOk);
    EXPECT_EQ(wire.status(ticket), TransferStatus::kOk);
  }
  wire->wake();
  EXPECT_TRUE(readable(0ms));
  EXPECT_EQ(wire.poll_once(), 0u);
  EXPECT_TRUE(readable(0ms)) << "the wake is for wait(), which has not been called";
  wire->wait(kForever);
  EXPECT_EQ(wire.poll_once(), 0u);
  EXPECT_FALSE(readable(0ms));
}

TEST_P(Transports, ReturnFromWaitAtTheLimit) {
  Wire wire = open();
  const TimePoint limit = wire->clock().after(20ms);
  const SteadyClock wall;
  const TimePoint end = wall.after(10s);
  while (wire->clock().now() < limit && wall.now() < end) wire->wait(limit);
  EXPECT_GE(wire->clock().now(), limit);
  EXPECT_EQ(wire.poll_once(), 0u);
}

TEST_P(Transports, LetGoOfEveryBufferWhenDestroyed) {
  Wire wire = open();
  {
    std::vector<std::byte> out = pattern(1 << 20), in(1 << 20);
    for (int i = 0; i < 6; ++i) wire.out(out, true, 0s);
    for (int i = 0; i < 2; ++i) wire.in(in, 0s);
    wire.close();
  }
  Wire again = open();
  echo(again, 1000);
}

TEST_P(TransportsToADeviceThatStays, StartCleanAfterAClientThatLeftDataBehind) {
  {
    Wire wire = open();
    std::vector<std::byte> sent = pattern(5000);
    EXPECT_EQ(wire.status(wire.out(sent)), TransferStatus::kOk);
  }
  Wire again = open();
  echo(again, 300);
}

TEST_P(Transports, LeaveNoDescriptorAndNoThreadBehindAfterAHundredOpens) {
  { Wire first = open(); }
  const std::size_t descriptors = settled("/proc/self/fd"), threads = settled("/proc/self/task");
  for (int i = 0; i < 100; ++i) {
    Wire wire = open();
    if (i % 10 == 0) echo(wire, 600);
    if (i % 10 == 1) {
      EXPECT_EQ(wire.status(wire.submit({.kind = TransferKind::kClearHaltIn})), TransferStatus::kOk);
    }
  }
  // umockdev's worker thread closes its end of a connection a moment after the client's: one may still be open. A leak would be a hundred.
  EXPECT_LE(entries_of("/proc/self/fd"), descriptors + 3);
  EXPECT_TRUE(settles_at("/proc/self/task", threads));
}

TEST_P(Transports, LeaveNoDescriptorAndNoThreadBehindWhenTheDeviceDied) {
  { Wire first = open(); }
  const std::size_t descriptors = settled("/proc/self/fd"), threads = settled("/proc/self/task");
  std::vector<std::byte> received(1024);
  {
    Wire wire = open();
    const Ticket in = wire.in(received, 0s);
    cable_->unplug();
    EXPECT_EQ(wire.status(in), TransferStatus::kDeviceLost);
  }
  // umockdev itself closes what belonged to the device that left.
  EXPECT_LE(entries_of("/proc/self/fd"), descriptors);
  EXPECT_TRUE(settles_at("/proc/self/task", threads));
}

TEST_P(TransportsToAnotherProcess, EndEveryTransferAsLostWhenTheDevicesProcessIsKilled) {
  Wire wire = open();
  std::vector<std::vector<std::byte>> buffers(4, std::vector<std::byte>(1024));
  std::vector<Ticket> tickets;
  for (auto& buffer : buffers) tickets.push_back(wire.in(buffer, 0s));
  ASSERT_TRUE(cable_->kill());
  const SteadyClock wall;
  const TimePoint start = wall.now();
  for (const Ticket ticket : tickets) EXPECT_EQ(wire.status(ticket), TransferStatus::kDeviceLost);
  EXPECT_LT(wall.now() - start, 5s);  // milliseconds on an idle machine
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(wire.in(buffers[0]), Ticket::kNone);
    EXPECT_EQ(wire.last_error().id(), ErrorId::kDeviceLost);
  }
}

TEST_P(TransportsToAnotherProcess, SayLostWhenTheDevicesProcessWasKilledWhileNothingWasInFlight) {
  Wire wire = open();
  ASSERT_TRUE(cable_->kill());
  std::array<std::byte, 4> bytes{};
  EXPECT_EQ(wire.vendor(abi::ControlRequest::kReadRegister, 0, 16, bytes, true), Ticket::kNone);
  EXPECT_EQ(wire.last_error().id(), ErrorId::kDeviceLost);
}

}  // namespace
}  // namespace naru::test
