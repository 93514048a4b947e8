// Lets a served device's time pass: as fast as the host can, or as the wall clock does.
#pragma once

#include "naru/base/clock.h"
#include "naru/usb/host_controller.h"

namespace naru::mockdev {

/// kFree: work takes no longer than the host needs; the device's clock jumps to the next event, and follows the wall while it idles.
/// kReal: nothing is ready before its time on the wall clock.
enum class Pacing { kFree, kReal };

/// Thread: the controller's. Controller and clock outlive it.
class Pacer {
 public:
  Pacer(usb::HostController& controller, Pacing pacing, const Clock& wall);

  /// Moves data and lets the device work for about a slice. Returns how long the host may sleep before the next call, if nothing is
  /// submitted meanwhile: zero means at once, kForever until something is submitted.
  Duration run();
  /// Moves the data that the device takes or has at this moment, once idle time has passed, and lets it do nothing else: usbfs, too, takes an urb's data when it
  /// is submitted.
  void move();

 private:
  void end_idleness();
  Duration run_free();
  Duration run_real();

  /// Short, so that endpoint 0 is answered during a job; in StepResult's budget units (about microseconds).
  static constexpr std::uint64_t kSliceBudget = 200;

  usb::HostController& controller_;
  Pacing pacing_;
  const Clock& wall_;
  TimePoint wall_origin_, device_origin_;
  TimePoint idle_since_ = kForever;  // on the wall; kForever: not idle
};

}  // namespace naru::mockdev
