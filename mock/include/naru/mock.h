// naru::mock: driver and mock device in one process, for users' own tests and for `mock:` selectors. All of it is simulated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "naru/base/result.h"
#include "naru/device.h"

namespace naru::mock {

/// Makes `mock[:PROFILE]` a scheme that open_device() knows and list_devices() lists. Idempotent. Thread: any, before devices are opened.
NARU_API void enable();

/// Names that `mock:` takes without a file.
[[nodiscard]] NARU_API std::vector<std::string> profiles();

/// What can be planted into a mock; each stays until cleared.
struct Faults {
  bool kernel_error = false;         // wrong bytes with status OK: one output byte per MAC command is off by one
  std::int64_t sram_stuck_bit = -1;  // this bit of SRAM (byte * 8 + bit) always reads 1
  bool link_corruption = false;      // bulk data is damaged on its way
};

/// A mock device on the bench: plug in, open, break, measure. Virtual time: nothing is waited for.
/// Thread: one at a time, with the devices opened from it. Outlives nothing: devices keep what they need.
class NARU_API Bench {
 public:
  /// kProfileNotFound, kProfileInvalid.
  [[nodiscard]] static Result<Bench> with_profile(const std::string& profile = "edge");
  Bench(Bench&&) noexcept;
  Bench& operator=(Bench&&) noexcept;
  ~Bench();

  /// The same naru::Device as ever. One at a time: kDeviceBusy while an earlier one is open.
  [[nodiscard]] Result<Device> open_device(const OpenOptions& options = {});
  /// The cable is out: what is in flight ends as kDeviceLost.
  void unplug();
  /// In again: the next open_device() finds a freshly powered device. Devices opened before stay lost; let go of them first (kDeviceBusy).
  [[nodiscard]] Result<void> plug();
  void plant(const Faults& faults);

  struct State;

 private:
  explicit Bench(std::shared_ptr<State> state) noexcept;
  std::shared_ptr<State> state_;
};

}  // namespace naru::mock
