// When a served device works, and on what time.
#include "naru/mockdev/pacer.h"

#include <algorithm>

namespace naru::mockdev {

Pacer::Pacer(usb::HostController& controller, Pacing pacing, const Clock& wall)
    : controller_(controller), pacing_(pacing), wall_(wall), wall_origin_(wall.now()), device_origin_(controller.function().clock().now()) {}

Duration Pacer::run() {
  if (!controller_.plugged()) return kForever;
  return pacing_ == Pacing::kReal ? run_real() : run_free();
}

void Pacer::move() {
  end_idleness();
  controller_.pump();
}

/// Idle time passes too (a device cools down), and it passes before what was just submitted is looked at.
void Pacer::end_idleness() {
  if (idle_since_ == kForever) return;
  const TimePoint now = wall_.now();
  usb::Function& device = controller_.function();
  device.step(pacing_ == Pacing::kReal ? device_origin_ + (now - wall_origin_) : device.clock().after(now - idle_since_), kSliceBudget);
  idle_since_ = kForever;
}

Duration Pacer::run_free() {
  move();
  const usb::StepResult result = controller_.step(kForever, kSliceBudget);
  if (result.progressed || result.next != kForever) return Duration::zero();
  idle_since_ = wall_.now();
  return kForever;
}

Duration Pacer::run_real() {
  move();
  const Clock& device = controller_.function().clock();
  const TimePoint now = wall_.now(), target = device_origin_ + (now - wall_origin_);
  const usb::StepResult result = controller_.step(target, kSliceBudget);
  if (result.progressed || (device.now() < target && result.next <= target)) return Duration::zero();
  idle_since_ = now;
  if (result.next == kForever) return kForever;
  return std::max<Duration>(result.next - target, Duration::zero());
}

}  // namespace naru::mockdev
