// Power from activity, temperature from power (first order), and the throttle that heat pulls. Read over EP0 at any time.
#pragma once

#include "core/state.h"
#include "naru/abi/cycles.h"

namespace naru::mockdev {

class SensorModel {
 public:
  explicit SensorModel(const State& state) noexcept;

  /// Energy of a command on top of idling, counted when it begins.
  void add_work(const abi::Command& command, const abi::Cost& cost) noexcept;
  /// Lets time pass to `now`, once it is enough to matter. Returns true when throttling began or ended.
  bool update(TimePoint now) noexcept;
  /// The values at `now`, without changing the model.
  [[nodiscard]] abi::Sensors read(TimePoint now) const noexcept;
  [[nodiscard]] std::uint32_t throttle_percent() const noexcept { return throttle_percent_; }

 private:
  void pass_to(TimePoint now) noexcept;
  void pass(double seconds) noexcept;

  const State& state_;
  TimePoint updated_{0};
  double work_joules_ = 0;     // since updated_
  double power_watts_ = 0;     // as the sensor shows it: smoothed
  double temperature_ = 0;     // degrees Celsius
  std::uint32_t throttle_percent_ = 0;
};

}  // namespace naru::mockdev
