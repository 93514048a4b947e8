// Goal: more inferences may be in flight than the device holds; the others wait for a place there, in order, and leave the device's memory alone. Method: the
// mock bench with a model of a megabyte in and out, whose answers are its inputs less two.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "../frontend/model_builder.h"
#include "naru/mock.h"
#include "naru/naru.h"
#include "runtime/handles.h"

namespace naru {
namespace {

constexpr std::int32_t kSide = 512, kChannels = 4;
constexpr std::size_t kBytes = std::size_t{kSide} * kSide * kChannels;
constexpr std::uint32_t kDepth = 12;

class Places : public ::testing::Test {
 protected:
  Session create(bool split = false) { return Session::create(device_, model_, {.keep_tensors = {}, .depth = kDepth, .split_timing = split}).value(); }
  static void fill(Session& session, int number) { ASSERT_TRUE(session.input(0).fill_from(std::vector<std::byte>(kBytes, static_cast<std::byte>(number)))); }
  static Inference submit(Session& session, int number, std::chrono::nanoseconds deadline = {}) {
    fill(session, number);
    return session.submit({.deadline = deadline}).value();
  }
  static void expect(const Result<Outputs>& outputs, int number) {
    ASSERT_TRUE(outputs) << outputs.error().to_string(true);
    const std::span<const std::byte> bytes = outputs->at(0).bytes();
    ASSERT_EQ(bytes.size(), kBytes);
    EXPECT_TRUE(std::ranges::all_of(bytes, [&](std::byte byte) { return byte == static_cast<std::byte>(number - 2); })) << number << ": " << static_cast<int>(bytes[0]);
  }
  std::vector<Inference> submit_all(Session& session) {
    std::vector<Inference> flying;
    for (int i = 0; i < static_cast<int>(kDepth); ++i) flying.push_back(submit(session, i));
    return flying;
  }

  Model model_ = Model::from_bytes(*testing_models::sum_with_itself(kSide, kChannels), "large").value();
  mock::Bench bench_ = mock::Bench::with_profile("edge").value();
  Device device_ = bench_.open_device().value();
};

TEST_F(Places, AreWaitedForInOrder) {
  for (const bool split : {false, true}) {
    Session session = create(split);
    std::vector<Inference> flying = submit_all(session);
    std::vector<int> ended;
    std::vector<bool> seen(kDepth, false);
    while (ended.size() < kDepth) {
      session.wait(std::chrono::seconds(1));
      for (int i = 0; i < static_cast<int>(kDepth); ++i)
        if (!seen[static_cast<std::size_t>(i)] && flying[static_cast<std::size_t>(i)].poll()) {
          seen[static_cast<std::size_t>(i)] = true;
          ended.push_back(i);
        }
    }
    EXPECT_TRUE(std::ranges::is_sorted(ended));
    for (int i = static_cast<int>(kDepth) - 1; i >= 0; --i) expect(flying[static_cast<std::size_t>(i)].wait(), i);
  }
}

TEST_F(Places, LeaveTheDevicesMemoryToOtherSessions) {
  // Twelve inferences of two megabytes each, in each of six sessions, would be more than twice what the device has.
  ASSERT_LT(device_.info().dram_bytes, std::uint64_t{6} * kDepth * 2 * kBytes / 2);
  std::vector<Session> sessions;
  for (int i = 0; i < 6; ++i) sessions.push_back(create());
  std::vector<std::vector<Inference>> flying;
  for (Session& session : sessions) flying.push_back(submit_all(session));
  for (std::vector<Inference>& of_session : flying)
    for (int i = 0; i < static_cast<int>(kDepth); ++i) expect(of_session[static_cast<std::size_t>(i)].wait(), i);
}

TEST_F(Places, AreFreedByWhatIsDroppedOrCancelled) {
  Session session = create();
  std::vector<Inference> flying = submit_all(session);
  for (Inference& inference : std::span(flying).last(2)) inference.cancel();  // these wait, and need nothing of the device to end
  for (Inference& inference : std::span(flying).last(2)) {
    const Result<Outputs> outputs = inference.wait();
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().id(), ErrorId::kJobCancelled) << outputs.error().to_string(true);
  }
  flying.erase(flying.begin(), flying.begin() + 4);  // those that have places, and one that has none
  for (int i = 4; i < static_cast<int>(kDepth) - 2; ++i) expect(flying[static_cast<std::size_t>(i) - 4].wait(), i);
  fill(session, 77);
  expect(session.run(), 77);
}

TEST_F(Places, AreWaitedForNoLongerThanTheDeadline) {
  Session session = create();
  std::vector<Inference> flying;
  for (int i = 0; i < 4; ++i) flying.push_back(submit(session, i));
  Inference late = submit(session, 50, std::chrono::microseconds(1));
  const Result<Outputs> outputs = late.wait();
  ASSERT_FALSE(outputs);
  EXPECT_EQ(outputs.error().id(), ErrorId::kDeadline) << outputs.error().to_string(true);
  for (int i = 0; i < 4; ++i) expect(flying[static_cast<std::size_t>(i)].wait(), i);
}

TEST_F(Places, AreGivenByWhoeverWaitsForTheDevice) {
  Session one = create(), two = create(true);
  std::vector<Inference> flying;
  for (int i = 0; i < static_cast<int>(kDepth); ++i) flying.push_back(submit(one, i, std::chrono::milliseconds(400)));
  // Nobody drives the first session while the second takes longer than the first one's deadlines.
  std::chrono::nanoseconds modelled{0};
  while (modelled < std::chrono::milliseconds(500)) {
    fill(two, 7);
    const Result<Outputs> outputs = two.run();
    expect(outputs, 7);
    modelled += outputs->timing().upload + outputs->timing().device + outputs->timing().download;
  }
  for (int i = 0; i < static_cast<int>(kDepth); ++i) expect(flying[static_cast<std::size_t>(i)].wait(), i);
}

TEST_F(Places, AreLeftToTheLastWhenACallbackDropsAllOthers) {
  Session session = create();
  std::vector<Inference> flying = submit_all(session);
  Inference last = std::move(flying.back());
  flying.pop_back();
  flying[0].then([&](Result<Outputs>) { flying.erase(flying.begin() + 1, flying.end()); });
  expect(last.wait(), static_cast<int>(kDepth) - 1);
}

TEST_F(Places, AreNotWaitedForOnADeviceThatIsGone) {
  Session session = create();
  std::vector<Inference> flying = submit_all(session);
  bench_.unplug();
  for (Inference& inference : flying) {
    const Result<Outputs> outputs = inference.wait();
    ASSERT_FALSE(outputs);
    EXPECT_EQ(outputs.error().id(), ErrorId::kDeviceLost) << outputs.error().to_string(true);
  }
}

TEST_F(Places, AreLeftWhileResultsAreOnTheirWay) {
  constexpr int kInferences = 48;
  Session one_by_one = create(true);
  fill(one_by_one, 7);
  const Timing alone = one_by_one.run().value().timing();
  // With a place until its end, each of two would take upload, computing and download, half of which is more than the cable's time.
  ASSERT_GT((alone.upload + alone.device + alone.download) / 2, alone.upload + alone.device / 4);
  Session session = create();
  driver::Device& device = *device_.handle()->device;
  const TimePoint start = device.now();
  std::vector<Inference> flying;
  for (int i = 0; i < kInferences; ++i) flying.push_back(submit(session, i));
  for (int i = 0; i < kInferences; ++i) expect(flying[static_cast<std::size_t>(i)].wait(), i);
  EXPECT_LT((device.now() - start) / kInferences, alone.upload + alone.device / 4);
}

TEST_F(Places, ThatAreFreeTogetherAreTakenTogether) {
  Session session = create();
  std::vector<Inference> flying;
  for (int i = 0; i < 4; ++i) flying.push_back(submit(session, i));
  flying.erase(flying.begin(), flying.begin() + 2);  // those that have the places
  driver::Device& device = *device_.handle()->device;
  const std::uint64_t before = device.host_counters().out_transfers;
  for (int i = 2; i < 4; ++i) expect(flying[static_cast<std::size_t>(i) - 2].wait(), i);
  EXPECT_EQ(device.host_counters().out_transfers - before, 5u) << "what is left of the two that were dropped, one of messages, and two inputs";
}

TEST_F(Places, KeepInputsThatAreKept) {
  // They go with the outputs, and the next inference of their slot needs others.
  Session session = Session::create(device_, model_, {.keep_tensors = {0}, .depth = 5}).value();
  std::vector<Outputs> held;
  for (int round = 0; round < 4; ++round) {
    std::vector<Inference> flying;
    for (int i = 0; i < 5; ++i) flying.push_back(submit(session, 10 + i + round));
    for (int i = 0; i < 5; ++i) {
      Result<Outputs> outputs = flying[static_cast<std::size_t>(i)].wait();
      expect(outputs, 10 + i + round);
      const std::span<const std::byte> input = outputs->tensor(0).value().bytes();
      EXPECT_TRUE(std::ranges::all_of(input, [&](std::byte byte) { return byte == static_cast<std::byte>(10 + i + round); }));
      held.push_back(std::move(*outputs));
    }
  }
}

TEST_F(Places, ComeToThoseWhoOnlyHaveCallbacksToo) {
  Session session = create();
  const int descriptor = device_.event_descriptor().value();
  EXPECT_GE(descriptor, 0);
  std::vector<Inference> flying = submit_all(session);
  int calls = 0;
  for (int i = 0; i < static_cast<int>(kDepth); ++i)
    flying[static_cast<std::size_t>(i)].then([&calls, i](Result<Outputs> outputs) {
      expect(outputs, i);
      ++calls;
    });
  for (int turns = 0; turns < 10'000 && calls < static_cast<int>(kDepth); ++turns) device_.poll();
  EXPECT_EQ(calls, static_cast<int>(kDepth));
}

}  // namespace
}  // namespace naru
