// Goal: temperature and power rise with work and fall in idle, as seen through the public API. Method: modelled time passes by working and by waiting.
#include <gtest/gtest.h>

#include "naru/mock.h"
#include "naru/naru.h"

namespace naru {
namespace {

TEST(Sensors, RiseWithWorkAndFallInIdle) {
  mock::Bench bench = mock::Bench::with_profile("edge").value();
  Device device = bench.open_device().value();
  Session session = Session::create(device, Model::load(NARU_SOURCE_DIR "/models/digits/digits.tflite").value()).value();
  const SensorReadings before = device.sensors().value();
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(session.run());
  const SensorReadings working = device.sensors().value();
  EXPECT_GT(working.power_watts, before.power_watts);
  EXPECT_GT(working.temperature_celsius, before.temperature_celsius);
  // Nothing to do: the virtual clock goes straight to the end of the wait.
  session.wait(std::chrono::minutes(5));
  const SensorReadings idle = device.sensors().value();
  EXPECT_LT(idle.power_watts, working.power_watts);
  EXPECT_LT(idle.temperature_celsius, working.temperature_celsius);
}

}  // namespace
}  // namespace naru
