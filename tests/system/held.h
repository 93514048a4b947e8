// What this process holds, to compare before and after: descriptors, threads, memory.
#pragma once

#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <thread>

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

/// Fifty losses leave no thread, as many descriptors as the first, and as much memory as the tenth: give or take 200 bytes a round under ctest, which runs
/// this without the allocator's per-thread caches (GLIBC_TUNABLES), and 1,000 with them.
inline void expect_nothing_is_left_by(const std::function<void()>& lose_and_return) {
  constexpr int kRounds = 50, kWarm = 10;
  const std::size_t slack = (std::getenv("GLIBC_TUNABLES") != nullptr ? 200 : 1000) * (kRounds - kWarm);
  const Held before;
  std::optional<Held> first, warm;
  for (int round = 0; round < kRounds && !::testing::Test::HasFailure(); ++round) {
    lose_and_return();
    Held now;
    // A thread that was joined is in /proc for a moment longer.
    for (const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2); now.threads > before.threads && std::chrono::steady_clock::now() < until;) {
      std::this_thread::yield();
      now = Held();
    }
    if (!first) first = now;
    if (round == kWarm - 1) warm = now;
    ASSERT_EQ(now.descriptors, first->descriptors) << "after round " << round;
    ASSERT_EQ(now.threads, before.threads) << "after round " << round;
    if (warm) {
      ASSERT_LE(now.memory, warm->memory + slack) << "after round " << round;
    }
  }
}

}  // namespace naru::testing
