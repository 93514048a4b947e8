// The sensors' model. Figures are modelled: full power is the profile's at full MAC rate; vector and DMA engines take a small part of it.
#include "core/sensors.h"

#include <algorithm>
#include <cmath>

namespace naru::mockdev {
namespace {

constexpr double kPowerSmoothingSeconds = 0.05;  // of the power sensor
constexpr double kVectorShare = 0.15;            // of the MAC array's power, while the vector engine is busy
constexpr double kDmaShare = 0.05;               // likewise, per DMA engine
constexpr std::uint32_t kThrottlePercent = 50;
constexpr double kThrottleHysteresis = 5;        // degrees
constexpr Duration kResolution = std::chrono::microseconds(100);  // less time changes no sensor by its unit: work is added up that long

}  // namespace

SensorModel::SensorModel(const State& state) noexcept
    : state_(state), power_watts_(state.profile.power.idle_milliwatts / 1e3), temperature_(state.profile.power.ambient_millicelsius / 1e3) {
  temperature_ += power_watts_ * state.profile.power.thermal_resistance_millikelvin_per_watt / 1e3;
}

void SensorModel::add_work(const abi::Command& command, const abi::Cost& cost) noexcept {
  const abi::Chip& chip = state_.chip();
  const double active_watts = (state_.profile.power.full_mac_milliwatts - state_.profile.power.idle_milliwatts) / 1e3;
  double full_cycles = 0;
  if (command.engine == abi::Engine::kMac) {
    full_cycles = static_cast<double>(abi::macs_of(command.body)) / (static_cast<double>(chip.oc_lanes) * chip.dot_depth);
  } else {
    full_cycles = static_cast<double>(cost.alone(chip)) * (abi::is_dma(command.engine) ? kDmaShare : kVectorShare);
  }
  work_joules_ += active_watts * full_cycles / static_cast<double>(chip.clock_hz());
}

void SensorModel::pass(double seconds) noexcept {
  const profile::Power& power = state_.profile.power;
  const double idle_watts = power.idle_milliwatts / 1e3;
  const double watts = std::min(idle_watts + work_joules_ / seconds, power.full_mac_milliwatts / 1e3);
  work_joules_ = 0;
  const double target = power.ambient_millicelsius / 1e3 + watts * power.thermal_resistance_millikelvin_per_watt / 1e3;
  temperature_ += (target - temperature_) * -std::expm1(-seconds * 1e3 / power.thermal_time_constant_ms);
  power_watts_ += (watts - power_watts_) * -std::expm1(-seconds / kPowerSmoothingSeconds);
}

bool SensorModel::update(TimePoint now) noexcept {
  if (now < updated_ + kResolution) return false;
  const std::uint32_t before = throttle_percent_;
  pass_to(now);
  return throttle_percent_ != before;
}

void SensorModel::pass_to(TimePoint now) noexcept {
  if (now <= updated_) return;
  pass(static_cast<double>((now - updated_).count()) * 1e-9);
  updated_ = now;
  const double limit = state_.profile.power.throttle_millicelsius / 1e3;
  if (temperature_ >= limit) throttle_percent_ = kThrottlePercent;
  if (temperature_ < limit - kThrottleHysteresis) throttle_percent_ = 0;
}

abi::Sensors SensorModel::read(TimePoint now) const noexcept {
  SensorModel model = *this;
  model.pass_to(now);
  const auto clock_khz = static_cast<std::uint32_t>(std::uint64_t{state_.chip().clock_hz_thousands} * (100 - model.throttle_percent_) / 100);
  return {.temperature_millicelsius = static_cast<std::int32_t>(std::lround(model.temperature_ * 1e3)),
          .power_milliwatts = static_cast<std::uint32_t>(std::lround(model.power_watts_ * 1e3)),
          .clock_khz = std::max(clock_khz, 1u),
          .throttle_percent = model.throttle_percent_};
}

}  // namespace naru::mockdev
