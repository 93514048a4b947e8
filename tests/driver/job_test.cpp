// Goal: every job ends exactly once, with the right bytes or the reason why not, and small jobs cost one transfer each way.
// Method: the mock device in this process; completions are dropped on their way where a hanging device is needed.
#include "bench.h"

#include "naru/abi/wire.h"

namespace naru::driver::test {
namespace {

/// Takes messages of a type out of what comes in.
auto drop(abi::MessageType type) {
  return [=](Bytes& bytes) {
    Bytes kept;
    for (std::size_t at = 0; at < bytes.size();) {
      abi::MessageHeader header;
      ASSERT_EQ(abi::decode(std::span<const std::byte>(bytes).subspan(at), header), abi::Decoded::kOk);
      std::size_t size = 48 + header.body_bytes;
      if (abi::has(header.flags, abi::MessageFlag::kPayloadInline)) size += align_up<std::size_t>(header.payload_bytes, 8);
      if (header.type != type) kept.insert(kept.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
      at += size;
    }
    bytes = kept;
  };
}

TEST(Jobs, CopyTheirInputToTheirOutput) {
  Bench bench;
  auto device = bench.open();
  auto queue = device->queue(0);
  ASSERT_OK(queue);
  for (std::uint32_t size : {64u, 4096u, 100032u}) {
    auto setup = CopySetup::make(*device, size);
    ASSERT_OK(setup);
    const auto bindings = setup->bind();
    const Bytes input = random_bytes(size, size);
    Bytes output(size);
    const JobWrite write{.buffer = &setup->input, .offset = 0, .bytes = input};
    const JobRead read{.buffer = &setup->output, .offset = 0, .bytes = output};
    auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .writes = {&write, 1}, .reads = {&read, 1}});
    ASSERT_OK(job);
    EXPECT_EQ(job->state(), JobState::kUnfinished);
    EXPECT_FAILS(job->result(), ErrorId::kWrongThreadOrState);
    const auto result = job->wait();
    ASSERT_OK(result);
    EXPECT_EQ(job->state(), JobState::kDone);
    EXPECT_EQ(output, input) << size;
    EXPECT_GT(result->cycles, 0u);
    EXPECT_EQ(result->retired, 2u);
    EXPECT_LE(result->cycles, setup->stream.cycles_worst());
  }
}

TEST(Jobs, SmallOnesCostOneTransferEachWay) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 1024);
  ASSERT_OK(setup);
  auto queue = device->queue(1);
  const auto bindings = setup->bind();
  const Bytes input = random_bytes(1024, 3);
  Bytes output(1024);
  const JobWrite write{.buffer = &setup->input, .offset = 0, .bytes = input};
  const JobRead read{.buffer = &setup->output, .offset = 0, .bytes = output};
  const HostCounters before = device->host_counters();
  auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .writes = {&write, 1}, .reads = {&read, 1}, .cycle_budget = setup->stream.cycles_worst()});
  ASSERT_OK(job);
  ASSERT_OK(job->wait());
  const HostCounters& after = device->host_counters();
  EXPECT_EQ(after.out_transfers - before.out_transfers, 1u);
  EXPECT_EQ(after.messages_out - before.messages_out, 3u);
  EXPECT_EQ(after.in_transfers - before.in_transfers, 1u) << "the write's reply waits for a completion that comes soon";
}

/// Several jobs with so many bytes in and out, each with memory of its own.
struct LargeJobs {
  explicit LargeJobs(Device& device, std::uint32_t bytes = 40'000, std::size_t count = 3) : queue(device.queue(0).value()) {
    for (std::size_t i = 0; i < count; ++i) {
      setups.push_back(CopySetup::make(device, bytes).value());
      inputs.push_back(random_bytes(bytes, i + 1));
      outputs.emplace_back(bytes);
    }
  }
  void begin(std::size_t i) {
    const auto bindings = setups[i].bind();
    const JobWrite write{.buffer = &setups[i].input, .offset = 0, .bytes = inputs[i]};
    const JobRead read{.buffer = &setups[i].output, .offset = 0, .bytes = outputs[i]};
    auto job = queue.submit({.stream = &setups[i].stream, .bindings = bindings, .writes = {&write, 1}, .reads = {&read, 1}});
    ASSERT_OK(job);
    jobs.push_back(*std::move(job));
  }
  void begin_all() {
    for (std::size_t i = 0; i < setups.size(); ++i) begin(i);
  }
  void finish() {
    for (Job& job : jobs) EXPECT_OK(job.wait());
    jobs.clear();
  }
  /// All of them in one gathering: what goes out.
  std::uint64_t transfers_of_all(Device& device) {
    const std::uint64_t before = device.host_counters().out_transfers;
    {
      const Device::Gathering gathering(device);
      begin_all();
    }
    finish();
    EXPECT_TRUE(outputs == inputs);
    return device.host_counters().out_transfers - before;
  }

  Queue queue;
  std::vector<CopySetup> setups;
  std::vector<Bytes> inputs, outputs;
  std::vector<Job> jobs;
};

TEST(Jobs, OfAGatheringTravelTogetherWithWhatTheyNeed) {
  Bench bench;
  auto device = bench.open();
  LargeJobs jobs(*device);
  EXPECT_EQ(jobs.transfers_of_all(*device), 4u) << "one of messages, and the payloads";
  const std::uint64_t before = device->host_counters().messages_out;
  {
    const Device::Gathering outer(*device);
    {
      const Device::Gathering inner(*device);
      jobs.begin_all();
    }
    EXPECT_EQ(device->host_counters().messages_out, before);
  }
  EXPECT_EQ(device->host_counters().messages_out - before, 9u) << "at once, when the last one ends";
  jobs.finish();
}

TEST(Jobs, OfAGatheringHaveNoMoreChecksumsAheadThanTheCachesHold) {
  Bench bench;
  auto device = bench.open();
  LargeJobs jobs(*device, 3 << 19, 4);
  EXPECT_EQ(jobs.transfers_of_all(*device), 6u) << "the third's checksum is behind it, so its job and the fourth come with that";
}

TEST(Jobs, OfAGatheringGoWhenOnlyPollIsCalled) {
  Bench bench;
  auto device = bench.open();
  LargeJobs jobs(*device);
  const Device::Gathering gathering(*device);
  const std::uint64_t before = device->host_counters().messages_out;
  jobs.begin(0);
  device->poll();
  EXPECT_EQ(device->host_counters().messages_out - before, 3u);
}

TEST(Jobs, OfAGatheringAreNotKeptFromWhoWaitsForThem) {
  Bench bench;
  auto device = bench.open();
  LargeJobs jobs(*device);
  const Device::Gathering gathering(*device);
  jobs.begin(0);
  jobs.finish();
  jobs.begin(1);
  const std::uint64_t before = device->host_counters().messages_out;
  device->send();
  EXPECT_EQ(device->host_counters().messages_out - before, 3u);
  EXPECT_OK(device->create_buffer(64)) << "blocks, and is waited for by nobody else";
  jobs.begin(2);
  device->close();
  EXPECT_EQ(jobs.jobs.back().state(), JobState::kCancelled);
}

TEST(Jobs, EndInOrderAndTheirFencesWithThem) {
  Bench bench;
  auto device = bench.open();
  auto stream = device->load_stream(empty_stream());
  ASSERT_OK(stream);
  auto queue = device->queue(2);
  std::vector<Job> jobs;
  for (int i = 0; i < 200; ++i) {
    auto job = queue->submit({.stream = &*stream});
    ASSERT_OK(job);
    EXPECT_EQ(job->fence().value, static_cast<std::uint64_t>(i + 1));
    jobs.push_back(*std::move(job));
  }
  const Fence middle = jobs[100].fence();
  const auto reached = device->wait_fence(middle, kForever);
  ASSERT_OK(reached);
  EXPECT_TRUE(*reached);
  for (int i = 0; i <= 100; ++i) EXPECT_EQ(jobs[static_cast<std::size_t>(i)].state(), JobState::kDone) << i;
  for (Job& job : jobs) EXPECT_OK(job.wait());
  EXPECT_EQ(device->host_counters().jobs_done, 200u);
  EXPECT_FAILS(device->fence_reached({.queue = 2, .era = middle.era, .value = 201}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(device->fence_reached({.queue = 9, .era = middle.era, .value = 1}), ErrorId::kInvalidArgument);
}

TEST(Jobs, BatchesTravelTogether) {
  Bench bench;
  auto device = bench.open();
  auto stream = device->load_stream(empty_stream());
  ASSERT_OK(stream);
  auto queue = device->queue(0);
  std::vector<JobDescription> descriptions(60, {.stream = &*stream});
  std::vector<Job> jobs(60);
  const std::uint64_t before = device->host_counters().out_transfers;
  ASSERT_OK(queue->submit_batch(descriptions, jobs));
  for (Job& job : jobs) EXPECT_OK(job.wait());
  EXPECT_EQ(device->host_counters().out_transfers - before, 1u);
  std::vector<JobDescription> too_many(300, {.stream = &*stream});
  std::vector<Job> places(300);
  EXPECT_FAILS(queue->submit_batch(too_many, places), ErrorId::kDeviceBusy);
  EXPECT_FAILS(queue->submit_batch(descriptions, std::span(jobs).first(3)), ErrorId::kInvalidArgument);
}

TEST(Jobs, MoreThanTheCreditsWaitTheirTurn) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 64);
  ASSERT_OK(setup);
  auto queue = device->queue(0);
  const auto bindings = setup->bind();
  std::vector<Bytes> outputs(70, Bytes(64));
  std::vector<Bytes> inputs;
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < 70; ++i) inputs.push_back(random_bytes(64, i));
  for (std::size_t i = 0; i < 70; ++i) {
    const JobWrite write{.buffer = &setup->input, .offset = 0, .bytes = inputs[i]};
    const JobRead read{.buffer = &setup->output, .offset = 0, .bytes = outputs[i]};
    auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .writes = {&write, 1}, .reads = {&read, 1}});
    ASSERT_OK(job);
    ASSERT_OK(job->wait());  // one input buffer: the next write must not pass this job
    jobs.push_back(*std::move(job));
  }
  EXPECT_EQ(outputs, inputs);
}

TEST(Jobs, AsManyAsTheOptionSaysMayBeUnfinished) {
  Bench bench;
  auto device = bench.open({.unfinished_requests_max = 3000});
  auto queue = device->queue(0);
  auto stream = device->load_stream(empty_stream());
  ASSERT_OK(stream);
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < 3000; ++i) {
    auto job = queue->submit({.stream = &*stream});
    ASSERT_OK(job);
    jobs.push_back(std::move(*job));
  }
  EXPECT_FAILS(queue->submit({.stream = &*stream}), ErrorId::kDeviceBusy);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    ASSERT_OK(jobs[i].wait());
    EXPECT_EQ(jobs[i].fence().value, i + 1);
  }
  jobs.clear();
  EXPECT_OK(queue->submit({.stream = &*stream})->wait());
}

TEST(Jobs, RefuseWhatDoesNotFitTheStream) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 256);
  ASSERT_OK(setup);
  auto queue = device->queue(0);
  const auto good = setup->bind();
  const auto submit = [&](std::vector<Binding> bindings) { return queue->submit({.stream = &setup->stream, .bindings = bindings}); };
  EXPECT_FAILS(queue->submit({}), ErrorId::kInvalidArgument);
  EXPECT_FAILS(submit({}), ErrorId::kInvalidArgument);
  auto bad = good;
  bad[0].bytes = 255;
  EXPECT_FAILS(submit(bad), ErrorId::kInvalidArgument);
  bad = good;
  bad[1].rights = abi::Rights::kRead;
  EXPECT_FAILS(submit(bad), ErrorId::kInvalidArgument);
  bad = good;
  bad[2].buffer = &setup->input;
  EXPECT_FAILS(submit(bad), ErrorId::kInvalidArgument);
  bad = good;
  bad[2].offset = device->chip().sram_bytes - 255;
  EXPECT_FAILS(submit(bad), ErrorId::kInvalidArgument);
  bad = good;
  bad[0].offset = ~std::uint64_t{0};
  EXPECT_FAILS(submit(bad), ErrorId::kInvalidArgument);
  EXPECT_FAILS(device->queue(4), ErrorId::kInvalidArgument);
  EXPECT_FAILS(Queue().submit({}), ErrorId::kWrongThreadOrState);
  auto job = submit(good);
  ASSERT_OK(job);
  EXPECT_OK(job->wait());
}

TEST(Jobs, OverTheirCycleBudgetFailAlone) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 1 << 20, 8);
  ASSERT_OK(setup);
  auto queue = device->queue(0);
  const auto bindings = setup->bind();
  Bytes output(100);
  const JobRead read{.buffer = &setup->output, .offset = 0, .bytes = output};
  auto slow = queue->submit({.stream = &setup->stream, .bindings = bindings, .reads = {&read, 1}, .cycle_budget = 1000});
  auto fine = queue->submit({.stream = &setup->stream, .bindings = bindings});
  ASSERT_OK(slow);
  ASSERT_OK(fine);
  EXPECT_FAILS(slow->wait(), ErrorId::kJobBudget);
  EXPECT_EQ(slow->state(), JobState::kFailed);
  EXPECT_OK(fine->wait());
  EXPECT_EQ(device->state(), State::kReady);
}

TEST(Jobs, CancelledOnesSaySo) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 1 << 20, 50);
  ASSERT_OK(setup);
  auto queue = device->queue(0);
  const auto bindings = setup->bind();
  std::vector<Job> jobs;
  for (int i = 0; i < 4; ++i) {
    auto job = queue->submit({.stream = &setup->stream, .bindings = bindings});
    ASSERT_OK(job);
    jobs.push_back(*std::move(job));
  }
  jobs[2].cancel();
  jobs[2].cancel();
  EXPECT_FAILS(jobs[2].wait(), ErrorId::kJobCancelled);
  EXPECT_EQ(jobs[2].state(), JobState::kCancelled);
  EXPECT_OK(jobs[0].wait());
  EXPECT_OK(jobs[1].wait());
  EXPECT_OK(jobs[3].wait());
}

TEST(Jobs, DestroyedOnesAreCancelledAndTheirMemoryIsFree) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 1 << 20, 50);
  ASSERT_OK(setup);
  auto queue = device->queue(0);
  const auto bindings = setup->bind();
  for (int waits : {0, 1, 2, 3, 4, 6, 10}) {
    auto input = std::make_unique<Bytes>(1 << 20);
    auto output = std::make_unique<Bytes>(1 << 20);
    const JobWrite write{.buffer = &setup->input, .offset = 0, .bytes = *input};
    const JobRead read{.buffer = &setup->output, .offset = 0, .bytes = *output};
    {
      auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .writes = {&write, 1}, .reads = {&read, 1}});
      ASSERT_OK(job);
      for (int i = 0; i < waits; ++i) device->wait(device->now() + 500us);
    }
    input.reset();
    output.reset();
  }
  auto job = queue->submit({.stream = &setup->stream, .bindings = bindings});
  ASSERT_OK(job);
  EXPECT_OK(job->wait());
  EXPECT_EQ(device->host_counters().recoveries, 0u);
}

TEST(Jobs, MayOutliveTheirDevice) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 1 << 20, 50);
  ASSERT_OK(setup);
  const auto bindings = setup->bind();
  auto queue = device->queue(0);
  auto job = queue->submit({.stream = &setup->stream, .bindings = bindings});
  ASSERT_OK(job);
  device.reset();
  EXPECT_TRUE(job->done());
  EXPECT_FALSE(job->result());
  EXPECT_FAILS(queue->submit({.stream = &setup->stream, .bindings = bindings}), ErrorId::kDeviceStateInvalid);
}

TEST(Watchdog, EndsASlowJobAtItsDeadlineAndSaysItIsSlow) {
  Bench bench("tiny");
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 200000, 100);  // about 200 thousand cycles a round
  ASSERT_OK(setup);
  const auto bindings = setup->bind();
  auto queue = device->queue(0);
  const TimePoint start = device->now();
  auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .deadline = 20ms});
  ASSERT_OK(job);
  const auto result = job->wait();
  EXPECT_FAILS(result, ErrorId::kDeadline);
  EXPECT_NE(result.error().message().find("slow"), std::string::npos) << result.error().message();
  EXPECT_LT(device->now() - start, 2s);
  EXPECT_EQ(device->host_counters().recoveries, 0u);
  auto next = queue->submit({.stream = &setup->stream, .bindings = bindings});
  ASSERT_OK(next);
  EXPECT_OK(next->wait());
}

// Over high speed, where what is in flight and announced takes longest: the cancel of the one that is late reaches the device before its patience is over.
TEST(Watchdog, CancelsALateJobBehindAStreamOfWritesWithoutHarmToOthers) {
  for (const std::size_t bytes : {std::size_t{1} << 20, std::size_t{4} << 20}) {
    for (int milliseconds = 20; milliseconds < 1000; milliseconds += 140) {
      Bench bench("tiny");
      auto device = bench.open();
      const auto setup = CopySetup::make(*device, 200'000, 200);
      ASSERT_OK(setup);
      const auto target = device->create_buffer(bytes);
      ASSERT_OK(target);
      const auto bindings = setup->bind();
      auto low = device->queue(0), high = device->queue(3);
      ASSERT_OK(low);
      ASSERT_OK(high);
      std::vector<Job> others;
      for (int i = 0; i < 15; ++i) others.push_back(high->submit({.stream = &setup->stream, .bindings = bindings, .deadline = 60s}).value());
      auto late = low->submit({.stream = &setup->stream, .bindings = bindings, .deadline = std::chrono::milliseconds(milliseconds)});
      ASSERT_OK(late);
      const Bytes sent(bytes);
      std::vector<Operation> writes;
      for (int i = 0; i < 40; ++i) writes.push_back(device->begin_write(*target, 0, sent).value());
      (void)late->wait();
      for (Job& other : others) EXPECT_OK(other.wait());
    }
  }
}

TEST(Watchdog, EndsAHangingJobAndGetsTheDeviceBack) {
  Bench bench;
  auto device = bench.open();
  auto stream = device->load_stream(empty_stream());
  ASSERT_OK(stream);
  auto queue = device->queue(0);
  bench.tampering.on_message = drop(abi::MessageType::kCompletion);
  auto output = device->create_buffer(100);
  ASSERT_OK(output);
  auto job = queue->submit({.stream = &*stream});
  ASSERT_OK(job);
  const TimePoint start = device->now();
  const auto result = job->wait();
  EXPECT_FAILS(result, ErrorId::kDeadline);
  EXPECT_NE(result.error().message().find("hangs"), std::string::npos) << result.error().message();
  EXPECT_GE(device->now() - start, 10s);
  EXPECT_LT(device->now() - start, 12s);
  bench.tampering.on_message = nullptr;
  EXPECT_OK(device->create_buffer(100));  // lets the device be brought back first
  EXPECT_EQ(device->host_counters().recoveries, 1u);
  // What hung may have been in any state: its context is gone, and says so.
  EXPECT_FAILS(queue->submit({.stream = &*stream}), ErrorId::kHandleInvalid);
  auto again = device->load_stream(empty_stream());
  ASSERT_OK(again);
  auto next = queue->submit({.stream = &*again});
  ASSERT_OK(next);
  EXPECT_OK(next->wait());
}

TEST(Watchdog, RequestsWithoutAnAnswerEndToo) {
  Bench bench;
  auto device = bench.open();
  auto buffer = device->create_buffer(100);
  ASSERT_OK(buffer);
  bench.tampering.on_message = drop(abi::MessageType::kReply);
  Bytes bytes(100);
  EXPECT_FAILS(device->read(*buffer, 0, bytes), ErrorId::kTransferTimeout);
  bench.tampering.on_message = nullptr;
  auto next = device->create_buffer(100);  // waits for the recovery
  ASSERT_OK(next);
  EXPECT_OK(device->read(*next, 0, bytes));
}

}  // namespace
}  // namespace naru::driver::test
