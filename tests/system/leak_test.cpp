// Opening, running, losing and letting go leaves no descriptor and no thread behind.
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "../support/served_mock.h"
#include "naru/mock.h"
#include "naru/mock_server.h"
#include "naru/naru.h"

using namespace naru;
using naru::testing::ServedMock;

namespace {

const std::string kDigitsFile = NARU_SOURCE_DIR "/models/digits/digits.tflite";

std::size_t entries(const char* folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
}
struct Held {
  std::size_t descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  bool operator==(const Held&) const = default;
};
void PrintTo(const Held& held, std::ostream* stream) { *stream << held.descriptors << " descriptors, " << held.threads << " threads"; }

/// Runs once, loses the device with a job in flight, and expects to be told so.
void run_and_lose(const std::function<Result<Device>()>& open, const std::function<void()>& unplug) {
  const Result<Model> model = Model::load(kDigitsFile);
  ASSERT_TRUE(model);
  Result<Device> device = open();
  ASSERT_TRUE(device) << device.error().to_string(true);
  Result<Session> session = Session::create(*device, *model);
  ASSERT_TRUE(session) << session.error().to_string(true);
  ASSERT_TRUE(session->run());
  unplug();
  const Result<Outputs> outputs = session->run();
  ASSERT_FALSE(outputs);
  EXPECT_EQ(exit_code(outputs.error().kind()), 3) << outputs.error().to_string(true);
}

}  // namespace

TEST(Leak, OfABenchIsNothing) {
  Result<mock::Bench> bench = mock::Bench::with_profile("edge");
  ASSERT_TRUE(bench);
  std::optional<Held> first;
  for (int round = 0; round < 50 && !::testing::Test::HasFailure(); ++round) {
    run_and_lose([&] { return bench->open_device(); }, [&] { bench->unplug(); });
    ASSERT_TRUE(bench->plug());
    const Held now;
    if (!first) first = now;
    ASSERT_EQ(now, *first) << "after round " << round;
  }
}

TEST(Leak, OfANodeIsNothing) {
  if (!naru::testing::fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  std::optional<Held> first;
  for (int round = 0; round < 50 && !::testing::Test::HasFailure(); ++round) {
    run_and_lose([&] { return open_device(mock.selector()); }, [&] { ASSERT_TRUE(mock::control(mock.path(), "unplug")); });
    ASSERT_TRUE(mock::control(mock.path(), "plug"));
    const Held now;
    if (!first) first = now;
    ASSERT_EQ(now, *first) << "after round " << round;
  }
}
