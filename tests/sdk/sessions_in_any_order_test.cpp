// Goal: whatever a program does with several sessions of one device, in whatever order, every inference ends with its own values, or with an error that it asked for,
// and all room comes back. Method: seeded sequences of submit, wait, poll, cancel, drop, deadlines and callbacks over models of three sizes that compute on the
// device, on the host, and on the device again, or on the device only.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "../frontend/model_builder.h"
#include "naru/base/random.h"
#include "naru/mock.h"
#include "naru/naru.h"

namespace naru {
namespace {

namespace tflite = naru::sdk::tflite;

constexpr int kSeeds = 12, kSteps = 150;
constexpr int kDelta = 6;       // what the model takes off its input, by the zero points and scales below
constexpr int kDeltaOfSum = 2;  // and a sum alone

Model model_of(std::int32_t side) {
  testing_models::ModelBuilder builder;
  const std::vector<std::int32_t> shape = {1, side, side, 4};
  const int input = builder.add_tensor("input", shape, tflite::TensorType_INT8, {0.05F}, 3);
  const int sum = builder.add_tensor("sum", shape, tflite::TensorType_INT8, {0.1F}, 1);
  const int low = builder.add_tensor("low", shape, tflite::TensorType_INT8, {0.1F}, 5);  // MINIMUM with another zero point is the host's
  const int out = builder.add_tensor("out", shape, tflite::TensorType_INT8, {0.2F}, 1);
  builder.add_operator(tflite::BuiltinOperator_ADD, {input, input}, {sum}, tflite::AddOptionsT());
  builder.add_operator(tflite::BuiltinOperator_MINIMUM, {sum, sum}, {low}, tflite::MaximumMinimumOptionsT());
  builder.add_operator(tflite::BuiltinOperator_ADD, {low, low}, {out}, tflite::AddOptionsT());
  builder.graph().inputs = {input};
  builder.graph().outputs = {out};
  return Model::from_bytes(*builder.bytes(), "device, host, device").value();
}

struct InFlight {
  Inference inference;
  int number = 0;
  bool may_fail = false, is_told = false;  // by a callback
};

struct Used {
  Session session;
  std::size_t bytes = 0, depth = 0;
  int delta = 0;
  std::vector<InFlight> flying;
};

class Program {
 public:
  explicit Program(std::uint64_t seed) : random_(seed) {
    if (chance(50)) EXPECT_TRUE(device_.event_descriptor());
    for (int i = 0; i < 3; ++i) {
      const std::int32_t side = std::vector<std::int32_t>{16, 128, 512}[below(3)];
      const auto depth = static_cast<std::uint32_t>(1 + below(12));
      // One job only gives its place away before its end.
      const bool one_job = chance(50);
      const Model model = one_job ? Model::from_bytes(*testing_models::sum_with_itself(side, 4), "sum").value() : model_of(side);
      sessions_.push_back({.session = Session::create(device_, model, {.keep_tensors = {}, .depth = depth, .split_timing = chance(one_job ? 15 : 50)}).value(),
                           .bytes = static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * 4, .depth = depth, .delta = one_job ? kDeltaOfSum : kDelta, .flying = {}});
    }
  }

  void step() {
    Used& used = sessions_[below(3)];
    const std::size_t what = below(10);
    if (what < 4) return submit(used);
    if (what == 8) return device_.poll();
    if (what == 9) {
      used.session.wait(std::chrono::microseconds(below(3000)));
      if (chance(30)) held_.clear();
      return;
    }
    if (used.flying.empty()) return;
    const std::size_t at = below(used.flying.size());
    if (what == 7) {
      used.flying[at].inference.cancel();
      used.flying[at].may_fail = true;
      return;
    }
    if (what < 6) finish(used, used.flying[at]);
    used.flying.erase(used.flying.begin() + static_cast<std::ptrdiff_t>(at));  // drops it, where it was not waited for
  }

  void finish_all() {
    for (Used& used : sessions_) {
      for (InFlight& one : used.flying) finish(used, one);
      used.flying.clear();
    }
    // All places and slots are there again.
    for (Used& used : sessions_) {
      for (std::size_t i = 0; i < used.depth; ++i) submit(used, 20 + static_cast<int>(i), false);
      for (InFlight& one : used.flying) finish(used, one);
      used.flying.clear();
    }
  }

  [[nodiscard]] int right() const { return right_; }

 private:
  std::size_t below(std::size_t limit) { return static_cast<std::size_t>(random_.next() % limit); }
  bool chance(std::size_t percent) { return below(100) < percent; }

  void submit(Used& used) { submit(used, 10 + static_cast<int>(below(90)), chance(10)); }
  void submit(Used& used, int number, bool in_haste) {
    ASSERT_TRUE(used.session.input(0).fill_from(std::vector<std::byte>(used.bytes, static_cast<std::byte>(number))));
    Result<Inference> inference = used.session.submit({.deadline = in_haste ? std::chrono::nanoseconds(1 + below(5'000'000)) : std::chrono::nanoseconds(0)});
    if (!inference) {
      EXPECT_TRUE(in_haste) << inference.error().to_string(true);
      return;
    }
    used.flying.push_back({.inference = std::move(*inference), .number = number, .may_fail = in_haste, .is_told = number >= 20 && chance(20)});
    InFlight& one = used.flying.back();
    if (one.is_told) one.inference.then([this, value = number - used.delta, bytes = used.bytes](Result<Outputs> outputs) { judge(outputs, value, true, bytes); });
  }
  void finish(Used& used, InFlight& one) {
    if (one.is_told) {
      while (!one.inference.poll()) used.session.wait(std::chrono::milliseconds(1));
      return;
    }
    Result<Outputs> outputs = one.inference.wait();
    judge(outputs, one.number - used.delta, one.may_fail, used.bytes);
    if (outputs && chance(30)) held_.push_back(std::move(*outputs));
  }
  void judge(const Result<Outputs>& outputs, int expected, bool may_fail, std::size_t bytes) {
    if (!outputs) {
      EXPECT_TRUE(may_fail) << outputs.error().to_string(true);
      return;
    }
    const std::span<const std::byte> values = outputs->at(0).bytes();
    EXPECT_EQ(values.size(), bytes);
    EXPECT_TRUE(std::ranges::all_of(values, [&](std::byte value) { return value == static_cast<std::byte>(expected); })) << expected << ": " << static_cast<int>(values[0]);
    ++right_;
  }

  Random random_;
  mock::Bench bench_ = mock::Bench::with_profile("edge").value();
  Device device_ = bench_.open_device().value();
  std::vector<Outputs> held_;
  std::vector<Used> sessions_;
  int right_ = 0;
};

TEST(SessionsInAnyOrder, AreOfAModelThatComputesOnBothSides) {
  const Model package = compile(model_of(16), {.profile = "edge", .keep_tensors = {}}).value();
  const ModelSummary summary = summarize(package).value();
  ASSERT_EQ(summary.operators.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(summary.operators[i].placement == "host", i == 1) << summary.operators[i].placement;
}

TEST(SessionsInAnyOrder, EndEveryInferenceWithItsOwnValues) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    Program program(static_cast<std::uint64_t>(seed));
    for (int i = 0; i < kSteps; ++i) program.step();
    program.finish_all();
    EXPECT_GT(program.right(), 20);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace naru
