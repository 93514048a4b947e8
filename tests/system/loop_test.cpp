// A program with an event loop of its own, over a real libusb: the descriptor wakes it for every result and for the loss of the device, and lets it sleep in between.
#include <gtest/gtest.h>
#include <poll.h>

#include <chrono>
#include <future>
#include <vector>

#include "../support/served_mock.h"
#include "naru/base/file.h"
#include "naru/naru.h"

namespace naru {
namespace {

using namespace std::chrono_literals;

/// Waits on the descriptor and polls, until done() or until nothing came for long; how many times it was woken.
template <typename Done>
std::size_t turns_until(Device& device, Done done) {
  pollfd entry{.fd = device.event_descriptor().value(), .events = POLLIN, .revents = 0};
  std::size_t turns = 0;
  for (; !done() && ::poll(&entry, 1, 20'000) == 1; ++turns) device.poll();
  return turns;
}

TEST(Loop, IsWokenForEveryResultAndSleepsInBetween) {
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  testing::ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  Device device = open_device(mock.selector()).value();
  const Model model = Model::load(NARU_SOURCE_DIR "/models/digits/digits.tflite").value();
  std::vector<Session> sessions;
  for (int i = 0; i < 2; ++i) sessions.push_back(Session::create(device, model).value());
  std::size_t turns = 0;
  for (int number = 0; number < 10; ++number) {
    const std::vector<std::byte> input = read_file(NARU_SOURCE_DIR "/models/digits/samples/digit" + std::to_string(number) + ".bin").value();
    std::vector<Inference> inferences;
    std::vector<std::future<Result<Outputs>>> futures;
    for (Session& session : sessions) {
      ASSERT_TRUE(session.input(0).fill_from(std::span<const std::byte>(input)));
      inferences.push_back(session.submit().value());
      futures.push_back(inferences.back().future());
    }
    for (auto& future : futures) {
      turns += turns_until(device, [&] { return future.wait_for(0s) == std::future_status::ready; });
      ASSERT_EQ(future.wait_for(0s), std::future_status::ready) << "the descriptor stayed silent";
      EXPECT_EQ(top(future.get().value().at(0), 1).at(0).index, static_cast<std::size_t>(number));
    }
  }
  // Two transfers out and one or two in for each inference, and a tick of the timer now and then: a loop that spins takes thousands.
  EXPECT_LT(turns, 400U);
}

TEST(Loop, IsWokenWhenTheDeviceIsLost) {
  if (!testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  testing::ServedMock mock("edge");
  ASSERT_TRUE(mock.ready());
  Device device = open_device(mock.selector()).value();
  const Model model = Model::load(NARU_SOURCE_DIR "/models/digits/digits.tflite").value();
  Session session = Session::create(device, model).value();
  mock.signal(SIGKILL);
  // What is under way when the server goes may just have ended; what comes after it cannot.
  bool lost = false;
  for (int i = 0; i < 100 && !lost; ++i) {
    Result<Inference> inference = session.submit();
    std::future<Result<Outputs>> future;
    if (inference) {
      future = inference->future();
      turns_until(device, [&] { return future.wait_for(0s) == std::future_status::ready; });
      ASSERT_EQ(future.wait_for(0s), std::future_status::ready) << "the descriptor stayed silent";
    }
    const Result<Outputs> outputs = inference ? future.get() : fail(inference.error());
    lost = !outputs;
    if (lost) EXPECT_EQ(outputs.error().kind(), ErrorKind::kDeviceLost) << outputs.error().to_string(true);
  }
  EXPECT_TRUE(lost);
  mock.wait();
}

}  // namespace
}  // namespace naru
