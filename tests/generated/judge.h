// What a model is judged by: importer, compiler, verifier and device accept it, and the device gives what the reference gives, in the cycles
// that the compiler predicted.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "frontend/model_builder.h"

namespace naru::generated {

enum class Outcome : std::uint8_t { kEqual, kRejected, kDiffers };

struct Verdict {
  Outcome outcome = Outcome::kEqual;
  std::string where;  // who refused, or the profile (and kernels) that differs
  std::string error;  // the error's number, when somebody refused
  std::string text;

  [[nodiscard]] bool ok() const { return outcome == Outcome::kEqual; }
  /// The same thing went wrong: what may be cut away as long as this holds.
  [[nodiscard]] bool same_failure(const Verdict& other) const { return outcome == other.outcome && where == other.where && error == other.error; }
};

/// Has a device of each profile and kernel path and keeps it; a model goes to those of one path, by its seed. Thread: one.
class Judge {
 public:
  Judge();
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  /// Runs the model once, or three times when it has a state, and at least `runs` times; `seed` and an input's name make its elements. One seed
  /// in eight also runs it four times in a session whose weights stay in the SRAM, the last time after another session had the SRAM.
  [[nodiscard]] Verdict judge(const testing_models::SharedBytes& model, std::uint64_t seed, std::size_t runs = 1);

  /// Every MAC result of both devices is off by one, or is right again.
  void plant_kernel_error(bool planted);

  /// Operators by the place that the compiler gave them to, over all models and profiles.
  std::uint64_t on_npu = 0, on_host = 0, models_with_state = 0;
  /// Sessions that were asked to keep weights, packages among them with a stream for that, and inferences that took fewer cycles for it.
  std::uint64_t asked_to_keep = 0, can_keep = 0, kept = 0;

 private:
  struct Bench;
  struct Trial;
  [[nodiscard]] Verdict judge_on(Bench& bench, const Trial& trial);
  std::vector<std::unique_ptr<Bench>> benches_;
};

}  // namespace naru::generated
