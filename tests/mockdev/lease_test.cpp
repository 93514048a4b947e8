// Goal: a lease stands for what its taker left in the SRAM, for as long as nothing else may have touched it, and a job that needs one which is gone
// does nothing. Method: one client leaves a pattern in the SRAM and looks for it later; each case puts one thing in between.
#include "support.h"

namespace naru::mockdev::test {
namespace {

using abi::Engine;
using abi::LeaseUse;
using abi::MemoryKind;
using abi::MessageType;
using abi::Operand;
using abi::Rights;
using abi::Status;

constexpr std::uint32_t kResident = 4096;
constexpr std::uint64_t kWork = 1 << 20;  // bytes of SRAM for work that takes time, behind what stays
constexpr std::byte kPattern{0x5A}, kUntouched{0x77};

const abi::RegionDeclaration kStays = declare(MemoryKind::kSram, Rights::kReadWrite, kResident);

/// Leaves the pattern.
abi::Stream leaving() {
  return {.regions = {kStays}, .commands = {on(Engine::kVector, fill(Operand::at(0, 0), kResident, static_cast<int>(kPattern))), end()}};
}
/// Copies what lies there to region 1.
abi::Stream looking() {
  return {.regions = {declare(MemoryKind::kSram, Rights::kRead, kResident), declare(MemoryKind::kDram, Rights::kWrite, kResident)},
          .commands = {on(Engine::kDma0, dma(Operand::at(0, 0), Operand::at(1, 0), kResident)), end()}};
}
/// Keeps the vector engine busy for 10016 cycles: 2 ms.
abi::Stream busy() {
  return {.regions = {declare(MemoryKind::kSram, Rights::kReadWrite, kWork)},
          .commands = {on(Engine::kVector, doubled(Operand::at(0, 0), Operand::at(0, 0), 640'000)), end()}};
}

/// A context with its streams and its timelines.
struct Client {
  std::uint32_t context = 0;
  abi::Handle leave = 0, look = 0, busy = 0, seen = 0;
  std::array<std::uint64_t, abi::kQueues> fences{};
};

struct Use {
  LeaseUse use = LeaseUse::kNone;
  std::uint32_t lease = 0;
};
constexpr Use take(std::uint32_t lease) { return {LeaseUse::kTake, lease}; }
constexpr Use need(std::uint32_t lease) { return {LeaseUse::kNeed, lease}; }

/// So slow that what the host sends next arrives while a job runs.
profile::Profile slow() {
  profile::Profile profile = profile_named("edge");
  profile.chip.clock_hz_thousands = 5000;
  return profile;
}

class Leases : public ::testing::Test {
 protected:
  Leases() { mine_ = open(); }

  Client open() {
    Client client;
    client.context = bench_.open();
    client.leave = bench_.load(leaving()).handle;
    client.look = bench_.load(looking()).handle;
    client.busy = bench_.load(busy()).handle;
    client.seen = bench_.create(kResident);
    return client;
  }

  /// A record with its bindings, of the client's next fence.
  static Bytes record(Client& client, abi::Handle stream, Use use, std::uint16_t queue = 0, std::uint64_t budget = 0) {
    std::vector<abi::RegionBinding> bindings = {stream == client.busy ? sram(kWork, kWork) : sram(kResident)};
    if (stream == client.look) bindings.push_back(bind(client.seen, kResident));
    Bytes bytes = body_of(abi::JobRecord{.stream = stream,
                                         .fence = ++client.fences[queue],
                                         .cycle_budget = budget,
                                         .queue = queue,
                                         .region_count = static_cast<std::uint8_t>(bindings.size()),
                                         .lease_use = use.use,
                                         .lease = use.lease});
    for (const abi::RegionBinding& binding : bindings) append(bytes, abi::encode(binding));
    return bytes;
  }
  /// One message with these jobs: all are queued before the first is dispatched.
  void submit(const Client& client, const std::vector<Bytes>& records) {
    bench_.context = client.context;
    Bytes body = body_of(abi::Submit{.count = static_cast<std::uint32_t>(records.size())});
    for (const Bytes& bytes : records) append(body, bytes);
    ASSERT_TRUE(bench_.send(bench_.message(MessageType::kSubmit, body)));
  }
  /// How the next `count` jobs ended, in that order: {queue, fence, status}.
  using End = std::tuple<int, int, Status>;
  std::vector<End> ends(std::size_t count) {
    std::vector<End> ends;
    while (ends.size() < count && !HasFailure()) {
      const Message message = bench_.expect();
      if (message.header.type == MessageType::kReply) continue;  // of a cancel
      const abi::Completion completion = message.completion();
      for (std::uint64_t fence = completion.first_fence; fence <= completion.last_fence; ++fence)
        ends.emplace_back(completion.queue, static_cast<int>(fence), completion.status);
    }
    return ends;
  }

  abi::Completion run(Client& client, abi::Handle stream, Use use, std::uint64_t budget = 0) {
    submit(client, {record(client, stream, use, 0, budget)});
    return bench_.expect().completion();
  }
  /// Takes a lease for a pattern that it leaves.
  void take_lease(std::uint32_t lease = 1) { ASSERT_EQ(run(mine_, mine_.leave, take(lease)).status, Status::kOk); }
  /// A job that needs the lease ends with kOk and has seen the pattern, or with kLeaseLost and has done nothing at all.
  bool has_lease(Client& client, std::uint32_t lease = 1) {
    bench_.context = client.context;
    EXPECT_EQ(bench_.write(client.seen, 0, Bytes(kResident, kUntouched)), Status::kOk);
    const std::uint64_t heartbeat = bench_.state().heartbeat;
    const abi::Completion completion = run(client, client.look, need(lease));
    const Bytes seen = bench_.read(client.seen, 0, kResident).payload;
    if (completion.status == Status::kOk) {
      EXPECT_TRUE(seen == Bytes(kResident, kPattern));
      return true;
    }
    EXPECT_EQ(completion.status, Status::kLeaseLost);
    EXPECT_EQ(completion.cycles, 0u);
    EXPECT_EQ(completion.retired, 0u);
    EXPECT_EQ(bench_.state().heartbeat, heartbeat);
    EXPECT_TRUE(seen == Bytes(kResident, kUntouched));
    return false;
  }
  bool has_lease() { return has_lease(mine_); }
  /// Lets a busy job that was submitted begin, and not end.
  void begin() {
    bench_.pass(std::chrono::microseconds(500));  // half a round trip and some of the job
    ASSERT_EQ(bench_.state().condition, abi::DeviceCondition::kBusy);
  }
  void cancel(const Client& client, std::uint64_t fence) {
    bench_.context = client.context;
    ASSERT_TRUE(bench_.send(bench_.message(MessageType::kCancel, body_of(abi::Cancel{.fence = fence}))));
  }

  Bench bench_{slow()};
  Client mine_;
};

// ---- what keeps it ----

TEST_F(Leases, KeepWhatTheTakerLeftForEveryJobThatNeedsIt) {
  take_lease();
  for (unsigned i = 0; i < 3; ++i) EXPECT_TRUE(has_lease()) << i;
  EXPECT_EQ(bench_.counters().jobs_failed, 0u);
}

TEST_F(Leases, TakeNoCyclesAndNoCommands) {
  const abi::Completion plain = run(mine_, mine_.leave, {}), taking = run(mine_, mine_.leave, take(1)), needing = run(mine_, mine_.leave, need(1));
  EXPECT_EQ(taking.cycles, plain.cycles);
  EXPECT_EQ(needing.cycles, plain.cycles);
  EXPECT_EQ(needing.retired, plain.retired);
}

TEST_F(Leases, SurviveRequestsThatRunNoJob) {
  take_lease();
  Client other = open();
  EXPECT_EQ(bench_.write(other.seen, 0, Bytes(kResident)), Status::kOk);
  EXPECT_EQ(bench_.status_of(MessageType::kCloseContext), Status::kOk);
  EXPECT_TRUE(has_lease());
}

TEST_F(Leases, SurviveJobsThatAreNeverDispatched) {
  Client other = open();
  take_lease();
  EXPECT_FALSE(has_lease(other));     // their number, but not their lease
  EXPECT_FALSE(has_lease(mine_, 2));  // not this one
  EXPECT_EQ(run(mine_, other.leave, take(1)).status, Status::kBadHandle);
  EXPECT_EQ(run(mine_, other.leave, {}).status, Status::kBadHandle);
  submit(mine_, {record(mine_, mine_.busy, need(1)), record(mine_, mine_.busy, {})});
  cancel(mine_, mine_.fences[0]);  // while it waits for the one before it
  const int last = static_cast<int>(mine_.fences[0]);
  EXPECT_EQ(ends(2), (std::vector<End>{{0, last - 1, Status::kOk}, {0, last, Status::kCancelled}}));
  EXPECT_TRUE(has_lease());
}

// ---- what drops it: one thing a test ----

TEST_F(Leases, AreLostBeforeAnyoneTookThem) { EXPECT_FALSE(has_lease()); }

TEST_F(Leases, CanBeTakenAgainAfterTheyWereLost) {
  take_lease();
  ASSERT_EQ(run(mine_, mine_.look, {}).status, Status::kOk);
  EXPECT_FALSE(has_lease());
  EXPECT_FALSE(has_lease());
  take_lease();
  EXPECT_TRUE(has_lease());
}

TEST_F(Leases, AreDroppedByAJobOfAnotherContext) {
  Client other = open();
  take_lease();
  ASSERT_EQ(run(other, other.look, {}).status, Status::kOk);
  EXPECT_TRUE(bench_.read(other.seen, 0, kResident).payload == Bytes(kResident));  // and what they stood for is not shown
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByALeaseOfAnotherContext) {
  Client other = open();
  take_lease();
  ASSERT_EQ(run(other, other.leave, take(1)).status, Status::kOk);
  EXPECT_FALSE(has_lease());
  EXPECT_TRUE(has_lease(other));
}

TEST_F(Leases, AreDroppedByAJobWithoutALeaseOfTheirOwnContext) {
  take_lease();
  ASSERT_EQ(run(mine_, mine_.look, {}).status, Status::kOk);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedWhenAnotherIsTaken) {
  take_lease(1);
  take_lease(2);
  EXPECT_FALSE(has_lease(mine_, 1));
  EXPECT_TRUE(has_lease(mine_, 2));
}

TEST_F(Leases, AreNotTakenByAJobThatFails) {
  EXPECT_EQ(run(mine_, mine_.leave, take(1), 1).status, Status::kBudgetExceeded);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByAJobThatTakesThemAgainAndFails) {
  take_lease();
  EXPECT_EQ(run(mine_, mine_.leave, take(1), 1).status, Status::kBudgetExceeded);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByAJobThatNeedsThemAndFails) {
  take_lease();
  EXPECT_EQ(run(mine_, mine_.busy, need(1), 1).status, Status::kBudgetExceeded);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByAJobThatNeedsThemAndIsCancelledWhileItRuns) {
  take_lease();
  submit(mine_, {record(mine_, mine_.busy, need(1))});
  begin();
  cancel(mine_, mine_.fences[0]);
  EXPECT_EQ(std::get<Status>(ends(1).at(0)), Status::kCancelled);
  EXPECT_EQ(bench_.expect().reply().status, Status::kOk);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByAnEngineResetWhileAJobThatNeedsThemRuns) {
  take_lease();
  submit(mine_, {record(mine_, mine_.busy, need(1))});
  begin();
  ASSERT_TRUE(bench_.command(abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kEngine)));
  EXPECT_EQ(std::get<Status>(ends(1).at(0)), Status::kReset);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByAnEngineResetWhileNothingRuns) {
  take_lease();
  ASSERT_TRUE(bench_.command(abi::ControlRequest::kReset, static_cast<std::uint16_t>(abi::ResetLevel::kEngine)));
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByASoftReset) {
  take_lease();
  bench_.soft_reset();
  mine_ = open();
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedByABusReset) {
  take_lease();
  bench_.device->bus_reset();
  bench_.epoch = bench_.identity().epoch;
  mine_ = open();
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedWhenTheirContextCloses) {
  take_lease();
  bench_.context = mine_.context;
  ASSERT_EQ(bench_.status_of(MessageType::kCloseContext), Status::kOk);
  mine_ = open();
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, AreDroppedWhenAnSramBitBreaksAndWhenItIsMended) {
  take_lease();
  bench_.device->plant({.sram_stuck_bit = 0});  // 0x5A has it clear
  EXPECT_FALSE(has_lease());
  ASSERT_EQ(run(mine_, mine_.leave, take(1)).status, Status::kOk);
  bench_.device->plant({});
  EXPECT_FALSE(has_lease());
  take_lease();
  EXPECT_TRUE(has_lease());
}

TEST_F(Leases, AreNotTakenByAJobInWhichAnSramBitBreaks) {
  submit(mine_, {record(mine_, mine_.busy, take(1))});
  begin();
  bench_.device->plant({.sram_stuck_bit = 0});
  EXPECT_EQ(std::get<Status>(ends(1).at(0)), Status::kOk);
  EXPECT_FALSE(has_lease());
}

TEST_F(Leases, SurviveFaultsThatLeaveTheSramAlone) {
  take_lease();
  bench_.device->plant({.kernel_error = true});
  EXPECT_TRUE(has_lease());
  bench_.device->plant({});
  EXPECT_TRUE(has_lease());
}

// ---- several jobs in flight ----

TEST_F(Leases, AreLookedForWhenAJobsTurnComesAndNotWhenItIsSubmitted) {
  submit(mine_, {record(mine_, mine_.look, need(1)), record(mine_, mine_.leave, take(1)), record(mine_, mine_.look, need(1)),
                 record(mine_, mine_.look, need(2)), record(mine_, mine_.look, need(1)), record(mine_, mine_.look, {}), record(mine_, mine_.look, need(1)),
                 record(mine_, mine_.leave, take(2)), record(mine_, mine_.look, need(2))});
  const std::vector<End> expected{{0, 1, Status::kLeaseLost}, {0, 2, Status::kOk},        {0, 3, Status::kOk}, {0, 4, Status::kLeaseLost}, {0, 5, Status::kOk},
                                  {0, 6, Status::kOk},        {0, 7, Status::kLeaseLost}, {0, 8, Status::kOk}, {0, 9, Status::kOk}};
  EXPECT_EQ(ends(9), expected);
}

TEST_F(Leases, FollowTheOrderInWhichQueuesAreServed) {
  // The urgent queue runs first: it needs what the other has not taken yet, and its plain job comes before the taker, not after.
  submit(mine_, {record(mine_, mine_.leave, take(1), 0), record(mine_, mine_.look, need(1), 0), record(mine_, mine_.look, need(1), 3),
                 record(mine_, mine_.look, {}, 3)});
  const std::vector<End> expected{{3, 1, Status::kLeaseLost}, {3, 2, Status::kOk}, {0, 1, Status::kOk}, {0, 2, Status::kOk}};
  EXPECT_EQ(ends(4), expected);
}

TEST_F(Leases, AreLostToAnUrgentJobThatComesBetweenTakerAndNeeder) {
  Client other = open();
  submit(mine_, {record(mine_, mine_.busy, take(1)), record(mine_, mine_.look, need(1)), record(mine_, mine_.busy, take(1))});
  begin();
  submit(other, {record(other, other.busy, {}, 3)});
  const std::vector<End> expected{{0, 1, Status::kOk}, {3, 1, Status::kOk}, {0, 2, Status::kLeaseLost}, {0, 3, Status::kOk}};
  EXPECT_EQ(ends(4), expected);
}

TEST_F(Leases, ThatAreLostKeepTheOrderOfTheirQueue) {
  // The lost job waits behind one that runs; the cancel of a later one must not complete it before its turn.
  submit(mine_, {record(mine_, mine_.busy, {}), record(mine_, mine_.look, need(1)), record(mine_, mine_.look, {})});
  cancel(mine_, 3);
  const std::vector<End> expected{{0, 1, Status::kOk}, {0, 2, Status::kLeaseLost}, {0, 3, Status::kCancelled}};
  EXPECT_EQ(ends(3), expected);
  EXPECT_EQ(bench_.counters().jobs_failed, 1u);
}

TEST_F(Leases, ThatAreLostFailTheReadsBehindTheirFence) {
  const abi::Access access{.handle = mine_.seen, .bytes = 64, .after_fence = 1};
  bench_.context = mine_.context;
  EXPECT_EQ(run(mine_, mine_.look, need(1)).status, Status::kLeaseLost);
  EXPECT_EQ(bench_.status_of(MessageType::kRead, body_of(access)), Status::kFenceFailed);
}

// ---- the record ----

TEST_F(Leases, WithoutANumberOrNumbersWithoutAUseAreRefused) {
  const auto reply_to = [&](Use use) {
    Client next = mine_;  // a message that is refused uses no fence up
    const Message answer = bench_.request(MessageType::kSubmit, [&] {
      Bytes body = body_of(abi::Submit{.count = 2});
      append(body, record(next, next.leave, {}));
      append(body, record(next, next.leave, use));
      return body;
    }());
    EXPECT_EQ(answer.header.type, MessageType::kReply);
    EXPECT_EQ(answer.reply().detail, 1u);  // the job at fault
    return answer.reply().status;
  };
  EXPECT_EQ(reply_to({LeaseUse::kNone, 1}), Status::kBadField);
  EXPECT_EQ(reply_to({LeaseUse::kTake, 0}), Status::kBadField);
  EXPECT_EQ(reply_to({LeaseUse::kNeed, 0}), Status::kBadField);
  EXPECT_EQ(reply_to({static_cast<LeaseUse>(3), 1}), Status::kBadField);
  EXPECT_EQ(reply_to({static_cast<LeaseUse>(255), 0}), Status::kBadField);
  EXPECT_EQ(bench_.state().jobs_queued, 0u);
  take_lease(0xFFFFFFFF);
  EXPECT_TRUE(has_lease(mine_, 0xFFFFFFFF));
}

}  // namespace
}  // namespace naru::mockdev::test
