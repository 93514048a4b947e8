// What this process holds, to compare before and after: descriptors, threads, memory.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <filesystem>
#include <functional>
#include <optional>

#include "naru/naru.h"

namespace naru::testing {

struct Held {
  static std::size_t entries(const char* folder) { return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator())); }

  std::size_t descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
  std::size_t memory = ::mallinfo2().uordblks + ::mallinfo2().hblkhd;  // 0 under a sanitizer, which has an eye on memory itself
};

/// Runs once, loses the device with a job to come, and expects to be told so.
inline void run_and_lose(const std::function<Result<Device>()>& open, const std::function<void()>& unplug) {
  const Result<Model> model = Model::load(NARU_SOURCE_DIR "/models/digits/digits.tflite");
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

/// Fifty losses leave as many descriptors and threads as the first, and as much memory as the tenth, give or take what an allocator's caches do: 200 bytes a round.
inline void expect_nothing_is_left_by(const std::function<void()>& lose_and_return) {
  constexpr int kRounds = 50, kWarm = 10;
  constexpr std::size_t kSlack = 200 * (kRounds - kWarm);
  std::optional<Held> first, warm;
  for (int round = 0; round < kRounds && !::testing::Test::HasFailure(); ++round) {
    lose_and_return();
    const Held now;
    if (!first) first = now;
    if (round == kWarm - 1) warm = now;
    ASSERT_EQ(now.descriptors, first->descriptors) << "after round " << round;
    ASSERT_EQ(now.threads, first->threads) << "after round " << round;
    if (warm) {
      ASSERT_LE(now.memory, warm->memory + kSlack) << "after round " << round;
    }
  }
}

}  // namespace naru::testing
