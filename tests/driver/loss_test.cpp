// Goal: whatever happens to whichever transfer, every ticket ends, no call hangs, nothing is reported as done that is not, and unless the
// device is lost the next session works.
// Method: one reference life-cycle, run once per fault and number of a transfer, until a run is not hit any more.
#include "bench.h"
#include "naru/abi/wire.h"

namespace naru::driver::test {
namespace {

struct Outcome {
  bool all_well = true;
  bool lost = false;
};

/// Opens, writes, runs jobs, reads, cancels, streams, gathers, submits a batch, closes. Checks of every ticket that it ends, and of bytes reported as right that they are.
Outcome live(Bench& bench, const DeviceOptions& options) {
  Outcome outcome;
  const auto spoil = [&outcome] {
    outcome.all_well = false;
    return outcome;
  };
  auto opened = bench.try_open(options);
  if (!opened) return spoil();
  Device& device = **opened;
  auto setup = CopySetup::make(device, 150001);
  if (!setup) {
    outcome.lost = device.state() == State::kLost;
    return spoil();
  }
  const auto bindings = setup->bind();
  auto queue = device.queue(0);
  // On the heap, and freed as soon as the tickets say so: the address sanitizer sees who still uses it.
  auto input = std::make_unique<Bytes>(random_bytes(150001, 1));
  auto output = std::make_unique<Bytes>(150001);
  auto back = std::make_unique<Bytes>(150001);
  {
    auto written = device.begin_write(setup->input, 0, *input);
    std::vector<Job> jobs;
    const JobRead read{.buffer = &setup->output, .offset = 0, .bytes = *output};
    if (auto job = queue->submit({.stream = &setup->stream, .bindings = bindings, .reads = {&read, 1}})) jobs.push_back(*std::move(job));
    for (int i = 0; i < 3; ++i)
      if (auto job = queue->submit({.stream = &setup->stream, .bindings = bindings})) jobs.push_back(*std::move(job));
    if (!jobs.empty()) jobs.back().cancel();
    auto read_back = device.begin_read(setup->input, 0, *back);
    bool input_is_there = false;
    if (written) input_is_there = written->wait().has_value();
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const auto result = jobs[i].wait();
      EXPECT_TRUE(jobs[i].done());
      if (!result && result.error().id() != ErrorId::kJobCancelled) outcome.all_well = false;
      if (i == 0 && result && input_is_there) { EXPECT_EQ(*output, *input); }
    }
    if (!written || !read_back) {
      outcome.all_well = false;
    } else {
      const auto result = read_back->wait();
      if (!result) outcome.all_well = false;
      if (result && input_is_there) { EXPECT_EQ(*back, *input); }
    }
    outcome.all_well = outcome.all_well && input_is_there && jobs.size() == 4;
  }
  {
    // Streams, whose messages wait for each other.
    constexpr std::size_t kParts = 4, kPart = 30000;
    std::vector<std::unique_ptr<Bytes>> sent, received;
    for (const bool reading : {false, true}) {
      std::vector<Operation> operations;
      for (std::size_t i = 0; i < kParts; ++i) {
        (reading ? received : sent).push_back(std::make_unique<Bytes>(random_bytes(kPart, reading ? 99 : i)));
        auto operation = reading ? device.begin_read(setup->input, i * kPart, *received.back()) : device.begin_write(setup->input, i * kPart, *sent.back());
        if (operation) operations.push_back(*std::move(operation));
      }
      outcome.all_well = outcome.all_well && operations.size() == kParts;
      for (Operation& operation : operations) {
        outcome.all_well = operation.wait().has_value() && outcome.all_well;
        EXPECT_TRUE(operation.done());
      }
    }
    if (outcome.all_well)
      for (std::size_t i = 0; i < kParts; ++i) { EXPECT_EQ(*received[i], *sent[i]) << i; }
  }
  {
    // What is gathered leaves together; then a batch, whose completions are told together.
    const Bytes first = random_bytes(3000, 5), second = random_bytes(70000, 6);
    Bytes again(first.size() + second.size());
    std::vector<Operation> operations;
    constexpr std::size_t kBatch = 6;
    std::vector<Job> jobs(kBatch);
    const std::vector<JobDescription> descriptions(kBatch, {.stream = &setup->stream, .bindings = bindings});
    bool submitted = false;
    {
      const Device::Gathering gathering(device);
      const auto keep = [&](Result<Operation> operation) {
        if (operation) operations.push_back(*std::move(operation));
      };
      keep(device.begin_write(setup->input, 0, first));
      keep(device.begin_write(setup->input, first.size(), second));
      submitted = queue->submit_batch(descriptions, jobs).has_value();
      keep(device.begin_read(setup->input, 0, again));
    }
    bool well = submitted && operations.size() == 3;
    for (Operation& operation : operations) {
      well = operation.wait().has_value() && well;
      EXPECT_TRUE(operation.done());
    }
    for (std::size_t i = 0; submitted && i < kBatch; ++i) {
      well = jobs[i].wait().has_value() && well;
      EXPECT_TRUE(jobs[i].done());
    }
    if (well) {
      EXPECT_TRUE(std::ranges::equal(std::span(again).first(first.size()), first));
      EXPECT_TRUE(std::ranges::equal(std::span(again).subspan(first.size()), second));
      EXPECT_TRUE(device.fence_reached(jobs.back().fence()).value_or(false));
    }
    outcome.all_well = outcome.all_well && well;
  }
  input.reset();
  output.reset();
  back.reset();
  outcome.lost = device.state() == State::kLost;
  if (!outcome.lost) {
    // Unless the device is lost, the next request works; this one may be the one that is hit.
    auto buffer = device.create_buffer(10);
    if (!buffer) buffer = device.create_buffer(10);
    outcome.lost = device.state() == State::kLost;
    if (!outcome.lost) { EXPECT_OK(buffer); }
  }
  return outcome;
}

/// Many small transfers, and the few that users have.
constexpr DeviceOptions kSmallChunks{.payload_chunk_bytes = 64 * 1024, .payload_chunks_in_flight = 4}, kUsualChunks{};

class EveryTransfer : public testing::TestWithParam<std::tuple<Fault, bool>> {};

TEST_P(EveryTransfer, MayFailOnce) {
  const auto [fault, small] = GetParam();
  const DeviceOptions& options = small ? kSmallChunks : kUsualChunks;
  std::uint64_t at = 0;
  int lost = 0, recovered = 0, unharmed = 0;
  for (;; ++at) {
    SCOPED_TRACE(testing::Message() << name_of(fault) << " at transfer " << at);
    Bench bench("tiny");
    bench.tampering.fault = fault;
    bench.tampering.at = at;
    const Outcome outcome = live(bench, options);
    if (!bench.tampering.hit) {
      EXPECT_TRUE(outcome.all_well);
      break;
    }
    (outcome.lost ? lost : outcome.all_well ? unharmed : recovered)++;
    // A fresh session on the same device, which a lost cable does not concern.
    bench.tampering.fault = Fault::kNone;
    EXPECT_TRUE(live(bench, options).all_well);
    if (HasFailure()) break;
    ASSERT_LT(at, 1000u);
  }
  std::printf("%-22s %3llu transfers: %d lost, %d recovered with errors, %d unharmed\n", name_of(fault), static_cast<unsigned long long>(at), lost, recovered, unharmed);
  EXPECT_GT(at, 20u);
  if (fault == Fault::kStalled || fault == Fault::kShort) { EXPECT_GT(recovered, lost); }
}

std::string fault_name(const testing::TestParamInfo<std::tuple<Fault, bool>>& info) {
  std::string text = name_of(std::get<0>(info.param));
  std::erase(text, ' ');
  return text + (std::get<1>(info.param) ? "InSmallChunks" : "InUsualChunks");
}
INSTANTIATE_TEST_SUITE_P(Loss, EveryTransfer, testing::Combine(testing::ValuesIn(kAllFaults), testing::Bool()), fault_name);

// A cable goes on behind a transfer that failed: the next ones bring its bytes, and nothing but their place says whose they were.
TEST(Loss, OfATransferLeavesItsBytesToNoOther) {
  constexpr std::size_t kReads = 6, kRead = 20 * 1024;  // each in one transfer, all in flight at once
  const Bytes input = random_bytes(kReads * kRead, 7);
  for (const Fault fault : {Fault::kStalled, Fault::kFailed, Fault::kTimeout, Fault::kCancelled, Fault::kOverflow, Fault::kHostMemory}) {
    int went_wrong = 0;
    for (std::uint64_t at = 0;; ++at) {
      SCOPED_TRACE(testing::Message() << name_of(fault) << " at transfer " << at);
      Bench bench("tiny");
      auto device = bench.open({.payload_checksums = false});
      auto buffer = device->create_buffer(input.size());
      ASSERT_OK(buffer);
      ASSERT_OK(device->write(*buffer, 0, input));
      bench.tampering.cancels_late = true;
      bench.tampering.fault = fault;
      bench.tampering.at = at;
      bench.tampering.submits = 0;
      std::vector<Bytes> received(kReads, Bytes(kRead));
      std::vector<Result<Operation>> operations;
      for (std::size_t i = 0; i < kReads; ++i) operations.push_back(device->begin_read(*buffer, i * kRead, received[i]));
      for (std::size_t i = 0; i < kReads; ++i) {
        const bool well = operations[i] && operations[i]->wait();
        if (well) { EXPECT_TRUE(std::ranges::equal(received[i], std::span(input).subspan(i * kRead, kRead))) << "read " << i; }
        went_wrong += !well;
      }
      if (!bench.tampering.hit || HasFailure()) break;
      ASSERT_LT(at, 1000u);
    }
    EXPECT_GT(went_wrong, 4);
  }
}

TEST(Loss, SaysHowManyJobsWereNotFinished) {
  Bench bench;
  auto device = bench.open();
  auto setup = CopySetup::make(*device, 1 << 20, 50);
  ASSERT_OK(setup);
  const auto bindings = setup->bind();
  auto queue = device->queue(0);
  std::vector<Job> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(*queue->submit({.stream = &setup->stream, .bindings = bindings}));
  bench.tampering.fault = Fault::kLostInFlight;
  bench.tampering.at = 0;
  bench.tampering.submits = 0;
  EXPECT_FALSE(device->sensors());
  for (Job& job : jobs) {
    const auto result = job.wait();
    EXPECT_FAILS(result, ErrorId::kDeviceLost);
    EXPECT_NE(result.error().message().find("3 jobs were not finished, none was reported as done"), std::string::npos) << result.error().message();
  }
  EXPECT_EQ(device->state(), State::kLost);
  EXPECT_FAILS(queue->submit({.stream = &setup->stream, .bindings = bindings}), ErrorId::kDeviceLost);
  EXPECT_FAILS(device->create_buffer(1), ErrorId::kDeviceLost);
  EXPECT_FAILS(device->counters(), ErrorId::kDeviceLost);
  EXPECT_FAILS(device->reset(abi::ResetLevel::kEngine), ErrorId::kDeviceLost);
  EXPECT_FAILS(device->fence_reached(jobs[0].fence()), ErrorId::kDeviceLost);
  EXPECT_FAILS(device->set_pipe_mode(abi::PipeMode::kSink), ErrorId::kDeviceLost);
  EXPECT_EQ(device->pollable_descriptor(), -1);
  device->poll();
  device->wait(device->now() + 1s);
  device->wake();
  device->close();
  EXPECT_EQ(device->state(), State::kClosed);
}

}  // namespace
}  // namespace naru::driver::test
