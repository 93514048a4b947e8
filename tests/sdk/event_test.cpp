// Goal: a program may wait for results by poll, callback, future or a descriptor in its own loop. Method: the mock bench, whose clock is virtual, so that nothing
// here sleeps: a descriptor that should be readable is so at once.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <future>
#include <thread>
#include <vector>

#include "digits.h"
#include "naru/mock.h"
#include "naru/naru.h"

namespace naru {
namespace {

using namespace std::chrono_literals;

struct OnBench {
  mock::Bench bench = mock::Bench::with_profile("edge").value();
  Device device = bench.open_device().value();
};

bool readable(int descriptor) {
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) == 1;
}

/// The loop of a program of its own; false when the descriptor is silent while something is unfinished.
template <typename Done>
bool run_loop(Device& device, int descriptor, Done done) {
  for (int turns = 0; turns < 10'000 && !done(); ++turns) {
    if (!readable(descriptor)) return false;
    device.poll();
  }
  return done();
}

TEST(Events, ALoopOverTheDescriptorGetsEveryResult) {
  OnBench opened;
  const int descriptor = opened.device.event_descriptor().value();
  EXPECT_EQ(opened.device.event_descriptor().value(), descriptor);
  Session first = Session::create(opened.device, digits_model()).value();
  Session second = Session::create(opened.device, digits_model()).value();
  EXPECT_FALSE(readable(descriptor)) << "nothing is unfinished";
  std::vector<Inference> inferences;
  std::vector<std::size_t> answers;
  for (int number = 0; number < 6; ++number) {
    Session& session = number % 2 == 0 ? first : second;
    fill(session, number);
    inferences.push_back(session.submit().value());
    inferences.back().then([&](Result<Outputs> outputs) { answers.push_back(best(outputs.value())); });
  }
  EXPECT_TRUE(run_loop(opened.device, descriptor, [&] { return answers.size() == 6; }));
  std::sort(answers.begin(), answers.end());
  EXPECT_EQ(answers, (std::vector<std::size_t>{0, 1, 2, 3, 4, 5}));
  EXPECT_FALSE(readable(descriptor)) << "all is done";
}

TEST(Events, ACallbackForWhatHasEndedAlreadyMakesTheDescriptorReadable) {
  OnBench opened;
  const int descriptor = opened.device.event_descriptor().value();
  Session session = Session::create(opened.device, digits_model()).value();
  Inference inference = session.submit().value();
  while (!inference.poll()) session.wait(1s);
  EXPECT_FALSE(readable(descriptor)) << "who polls for himself needs no event";
  bool called = false;
  inference.then([&](Result<Outputs>) { called = true; });
  EXPECT_TRUE(readable(descriptor));
  opened.device.poll();
  EXPECT_TRUE(called);
  EXPECT_FALSE(readable(descriptor));
}

TEST(Events, ALostDeviceEndsTheLoopToo) {
  OnBench opened;
  const int descriptor = opened.device.event_descriptor().value();
  Session session = Session::create(opened.device, digits_model()).value();
  Inference inference = session.submit().value();
  std::future<Result<Outputs>> future = inference.future();
  opened.bench.unplug();
  EXPECT_TRUE(run_loop(opened.device, descriptor, [&] { return future.wait_for(0s) == std::future_status::ready; }));
  EXPECT_EQ(future.get().error().kind(), ErrorKind::kDeviceLost);
  EXPECT_FALSE(readable(descriptor));
}

TEST(Events, CancellingAndDroppingLeaveNothingToWaitFor) {
  OnBench opened;
  const int descriptor = opened.device.event_descriptor().value();
  Session session = Session::create(opened.device, digits_model()).value();
  {
    Inference cancelled = session.submit().value();
    bool ended = false;
    cancelled.then([&](Result<Outputs>) { ended = true; });
    cancelled.cancel();
    EXPECT_TRUE(run_loop(opened.device, descriptor, [&] { return ended; }));
    const Inference dropped = session.submit().value();
    EXPECT_TRUE(readable(descriptor));
  }
  EXPECT_FALSE(readable(descriptor));
}

TEST(Future, IsMadeReadyByWhoeverPumps) {
  OnBench opened;
  Session session = Session::create(opened.device, digits_model()).value();
  fill(session, 7);
  Inference inference = session.submit().value();
  std::future<Result<Outputs>> future = inference.future();
  EXPECT_EQ(future.wait_for(0s), std::future_status::timeout);
  std::size_t answer = 99;
  std::thread waiter([&] { answer = best(future.get().value()); });
  for (int i = 0; i < 1000 && !inference.poll(); ++i) session.wait(1s);
  waiter.join();
  EXPECT_EQ(answer, 7U);
}

TEST(Future, OfADroppedInferenceSaysThatItWasCancelled) {
  OnBench opened;
  Session session = Session::create(opened.device, digits_model()).value();
  std::future<Result<Outputs>> future = session.submit()->future();
  ASSERT_EQ(future.wait_for(0s), std::future_status::ready);
  EXPECT_EQ(future.get().error().id(), ErrorId::kJobCancelled);
  // Another callback takes the place of the first.
  Inference inference = session.submit().value();
  std::future<Result<Outputs>> first = inference.future(), second = inference.future();
  EXPECT_EQ(first.get().error().id(), ErrorId::kJobCancelled);
  for (int i = 0; i < 1000 && second.wait_for(0s) != std::future_status::ready; ++i) session.wait(1s);
  EXPECT_TRUE(second.get());
  EXPECT_EQ(inference.future().get().error().id(), ErrorId::kWrongThreadOrState) << "the result is gone";
}

}  // namespace
}  // namespace naru
