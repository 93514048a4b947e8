// Goal: leases pass through the driver as they were given, a lost one is an error of its job alone, and what makes no sense is never sent.
// Method: the mock device in this process; what lies in the SRAM is copied out to see it.
#include "bench.h"

namespace naru::driver::test {
namespace {

using abi::LeaseUse;

constexpr std::uint32_t kBytes = 2048;

/// Region 0 (DRAM) to region 1 (SRAM): what stays.
Bytes load_stream() {
  using namespace abi;
  return encode_stream(
      {.regions = {{.memory = MemoryKind::kDram, .rights = Rights::kRead, .reserved = {}, .bytes = kBytes},
                   {.memory = MemoryKind::kSram, .rights = Rights::kWrite, .reserved = {}, .bytes = kBytes}},
       .commands = {{Engine::kDma0, 0, Dma{.source = Operand::at(0, 0), .target = Operand::at(1, 0), .row_bytes = kBytes}}, {Engine::kNone, 0, End{}}}});
}
/// Region 0 (SRAM) to region 1 (DRAM). That it reads what nothing in the stream has written is the point.
Bytes look_stream() {
  using namespace abi;
  return encode_stream(
      {.regions = {{.memory = MemoryKind::kSram, .rights = Rights::kRead, .reserved = {}, .bytes = kBytes},
                   {.memory = MemoryKind::kDram, .rights = Rights::kWrite, .reserved = {}, .bytes = kBytes}},
       .commands = {{Engine::kDma0, 0, Dma{.source = Operand::at(0, 0), .target = Operand::at(1, 0), .row_bytes = kBytes}}, {Engine::kNone, 0, End{}}}});
}

class Leases : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    device_.reset();
    device_ = bench_.open();
    ASSERT_NE(device_, nullptr);
    const auto set_up = [&]() -> Result<void> {
      NARU_TRY(queue_, device_->queue(0));
      NARU_TRY(weights_, device_->create_buffer(kBytes));
      NARU_TRY(seen_, device_->create_buffer(kBytes));
      NARU_TRY(load_, device_->load_stream(load_stream()));
      NARU_TRY(look_, device_->load_stream(look_stream()));
      return {};
    };
    ASSERT_OK(set_up());
    load_bindings_ = {{.buffer = &weights_, .offset = 0, .bytes = kBytes, .rights = abi::Rights::kRead},
                      {.buffer = nullptr, .offset = 4096, .bytes = kBytes, .rights = abi::Rights::kWrite}};
    look_bindings_ = {{.buffer = nullptr, .offset = 4096, .bytes = kBytes, .rights = abi::Rights::kRead},
                      {.buffer = &seen_, .offset = 0, .bytes = kBytes, .rights = abi::Rights::kWrite}};
    write_ = {.buffer = &weights_, .offset = 0, .bytes = bytes_};
    read_ = {.buffer = &seen_, .offset = 0, .bytes = back_};
  }
  [[nodiscard]] JobDescription load(LeaseUse use, std::uint32_t lease) const {
    return {.stream = &load_, .bindings = load_bindings_, .writes = {&write_, 1}, .lease_use = use, .lease = lease};
  }
  [[nodiscard]] JobDescription look(LeaseUse use, std::uint32_t lease) const {
    return {.stream = &look_, .bindings = look_bindings_, .reads = {&read_, 1}, .lease_use = use, .lease = lease};
  }
  Result<JobResult> run(const JobDescription& description) {
    NARU_TRY(Job job, queue_.submit(description));
    return job.wait();
  }

  Bench bench_;
  std::unique_ptr<Device> device_;
  Queue queue_;
  Buffer weights_, seen_;
  Stream load_, look_;
  std::vector<Binding> load_bindings_, look_bindings_;
  JobWrite write_;
  JobRead read_;
  const Bytes bytes_ = random_bytes(kBytes, 11);
  Bytes back_ = Bytes(kBytes);
};

TEST_F(Leases, GiveLaterJobsWhatTheTakerLeftInTheSram) {
  ASSERT_OK(run(load(LeaseUse::kTake, 7)));
  for (int i = 0; i < 3; ++i) {
    back_.assign(kBytes, std::byte{0});
    ASSERT_OK(run(look(LeaseUse::kNeed, 7)));
    EXPECT_EQ(back_, bytes_) << i;
  }
}

TEST_F(Leases, ThatAreLostFailTheirJobAloneAndCanBeTakenAgain) {
  ASSERT_OK(run(load(LeaseUse::kTake, 7)));
  ASSERT_OK(run(load(LeaseUse::kNone, 0)));
  back_.assign(kBytes, std::byte{9});
  const auto lost = run(look(LeaseUse::kNeed, 7));
  EXPECT_FAILS(lost, ErrorId::kLeaseLost);
  EXPECT_EQ(lost.error().kind(), ErrorKind::kBusy);
  EXPECT_NE(lost.error().message().find("lease lost"), std::string::npos) << lost.error().message();
  EXPECT_NE(lost.error().remedy().find("takes the lease again"), std::string::npos) << lost.error().remedy();
  EXPECT_EQ(back_, Bytes(kBytes, std::byte{9}));  // nothing was read
  // What the remedy says.
  ASSERT_OK(run(load(LeaseUse::kTake, 7)));
  ASSERT_OK(run(look(LeaseUse::kNeed, 7)));
  EXPECT_EQ(back_, bytes_);
  EXPECT_EQ(device_->host_counters().recoveries, 0u);
  EXPECT_EQ(device_->host_counters().protocol_errors, 0u);
  EXPECT_EQ(device_->host_counters().jobs_failed, 1u);
}

TEST_F(Leases, HoldWithinABatchThatTravelsInOneTransfer) {
  const std::vector<JobDescription> descriptions = {look(LeaseUse::kNeed, 1), load(LeaseUse::kTake, 1), look(LeaseUse::kNeed, 1), look(LeaseUse::kNeed, 2),
                                                    look(LeaseUse::kNeed, 1)};
  std::vector<Job> jobs(descriptions.size());
  const std::uint64_t before = device_->host_counters().out_transfers;
  ASSERT_OK(queue_.submit_batch(descriptions, jobs));
  EXPECT_FAILS(jobs[0].wait(), ErrorId::kLeaseLost);
  EXPECT_OK(jobs[1].wait());
  EXPECT_OK(jobs[2].wait());
  EXPECT_FAILS(jobs[3].wait(), ErrorId::kLeaseLost);
  EXPECT_OK(jobs[4].wait());
  EXPECT_EQ(back_, bytes_);
  EXPECT_EQ(device_->host_counters().out_transfers - before, 1u);
}

TEST_F(Leases, AreNotInheritedByAJobThatUsesTheSamePlace) {
  // A request's place in the driver is used again and again: the next job must not carry the lease of the last.
  ASSERT_OK(run(load(LeaseUse::kTake, 7)));
  for (int i = 0; i < 300; ++i) ASSERT_OK(run({.stream = &load_, .bindings = load_bindings_}));
  EXPECT_FAILS(run(look(LeaseUse::kNeed, 7)), ErrorId::kLeaseLost);
}

TEST_F(Leases, AreGoneAfterASoftReset) {
  ASSERT_OK(run(load(LeaseUse::kTake, 7)));
  ASSERT_OK(device_->reset(abi::ResetLevel::kSoft));
  auto seen = device_->create_buffer(kBytes);
  ASSERT_OK(seen);
  auto stream = device_->load_stream(look_stream());
  ASSERT_OK(stream);
  look_bindings_[1].buffer = &*seen;
  EXPECT_FAILS(run({.stream = &*stream, .bindings = look_bindings_, .lease_use = LeaseUse::kNeed, .lease = 7}), ErrorId::kLeaseLost);
}

TEST_F(Leases, WithoutANumberOrNumbersWithoutAUseAreNotSent) {
  const std::uint64_t before = device_->host_counters().messages_out;
  EXPECT_FAILS(run(load(LeaseUse::kNone, 7)), ErrorId::kInvalidArgument);
  EXPECT_FAILS(run(load(LeaseUse::kTake, 0)), ErrorId::kInvalidArgument);
  EXPECT_FAILS(run(load(LeaseUse::kNeed, 0)), ErrorId::kInvalidArgument);
  EXPECT_FAILS(run(load(static_cast<LeaseUse>(3), 7)), ErrorId::kInvalidArgument);
  EXPECT_EQ(device_->host_counters().messages_out, before);
  EXPECT_OK(run(load(LeaseUse::kTake, 7)));
}

TEST_F(Leases, AreNotAskedOfADeviceThatKnowsNone) {
  EXPECT_TRUE(device_->info().leases);
  bench_.tampering.on_control = change<abi::Identity>(abi::ControlRequest::kIdentity,
                                                      [](abi::Identity& identity) { identity.features &= ~static_cast<std::uint32_t>(abi::Feature::kLeases); });
  open();
  EXPECT_FALSE(device_->info().leases);
  EXPECT_FAILS(run(load(LeaseUse::kTake, 7)), ErrorId::kInvalidArgument);
  EXPECT_OK(run(load(LeaseUse::kNone, 0)));
}

}  // namespace
}  // namespace naru::driver::test
