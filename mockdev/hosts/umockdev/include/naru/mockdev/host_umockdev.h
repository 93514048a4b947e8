// Serves usb::Functions as kernel USB devices to this process' libusb (or to child processes), with enumeration and hotplug, through umockdev.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "naru/base/result.h"
#include "naru/mockdev/pacer.h"
#include "naru/usb/function.h"

namespace naru::mockdev {

struct UmockdevPlug {
  unsigned port = 5;              // of bus 1: the device is "1-5"
  Pacing pacing = Pacing::kFree;
  bool scatter_gather = true;     // false: libusb splits transfers into 16 KiB urbs, as on old controllers
  std::uint64_t memory_bytes_max = 0;  // of all urbs in flight, as usbfs' limit; 0: none
  std::size_t refused_bulk_in = 0;   // this bulk IN urb, counted from 1, is refused with an I/O error; 0: none
};

/// A testbed with any number of devices. One at a time in a process, and its programs must link (or preload) libumockdev-preload: linking
/// this library does. The devices work on the testbed's threads; each Function is called by one thread at a time, and must not be touched
/// by others while it is plugged in, but inside with(). Sets this thread's timer slack to 1 ns, because the preload sleeps after each ioctl.
class UmockdevHost {
 public:
  [[nodiscard]] static Result<std::unique_ptr<UmockdevHost>> create();
  /// Unplugs everything.
  ~UmockdevHost();
  UmockdevHost(const UmockdevHost&) = delete;
  UmockdevHost& operator=(const UmockdevHost&) = delete;

  /// The function appears on the bus; libusb gets the arrival. `function` outlives its plug. kInvalidArgument: the port is taken.
  Result<void> plug(std::shared_ptr<usb::Function> function, const UmockdevPlug& options = {});
  /// Urbs in flight end as the cable's loss, libusb gets the leaving.
  Result<void> unplug(unsigned port = 5);
  /// Calls `action` while no thread is inside any device.
  void with(const std::function<void()>& action);

  /// What other processes need as UMOCKDEV_DIR (children inherit it).
  [[nodiscard]] const std::string& folder() const noexcept;

 private:
  class Core;
  explicit UmockdevHost(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace naru::mockdev
