// One plugged-in device: usbfs' ioctls as umockdev delivers them, and the FIFO whose state says whether urbs can be reaped.
#pragma once

#include <umockdev.h>

#include <memory>
#include <string>
#include <vector>

#include "naru/base/unique_fd.h"
#include "naru/mockdev/host_umockdev.h"
#include "naru/mockdev/usbfs.h"

namespace naru::mockdev::umockdev {

/// The lock and the bell of the host's worker thread.
class Gate {
 public:
  virtual ~Gate() = default;
  virtual void lock() = 0;
  virtual void unlock() = 0;
  /// There is work for the worker thread. With the lock held.
  virtual void ring() = 0;
};

/// Threads: ioctls come on umockdev's; everything else is called with the gate locked.
class Device {
 public:
  Device(Gate& gate, std::shared_ptr<usb::Function> function, const UmockdevPlug& options, unsigned number, const Clock& wall);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// Appears in the testbed under `root`. No lock held: libusb may answer at once.
  Result<void> attach(UMockdevTestbed* testbed, const std::string& root);
  void end_urbs();
  /// Leaves the testbed. No lock held.
  void detach();

  /// A slice of work; returns when the next one is due.
  Duration run();
  [[nodiscard]] unsigned port() const noexcept { return options_.port; }

 private:
  struct DeviceUrb;

  static gboolean on_ioctl(UMockdevIoctlBase* base, UMockdevIoctlClient* client, gpointer self) noexcept;
  static void on_vanished(UMockdevIoctlBase* base, UMockdevIoctlClient* client, gpointer self) noexcept;
  void handle(UMockdevIoctlClient* client, unsigned request);
  int simple(UMockdevIoctlClient* client, unsigned request, UMockdevIoctlData* argument);
  int submit(UMockdevIoctlClient* client, UMockdevIoctlData* argument);
  int discard(std::uint64_t address);
  void reap(UMockdevIoctlClient* client, UMockdevIoctlData* argument);
  void deliver();
  void set_ready(bool ready);
  void start_clean(UMockdevIoctlClient* leaver);
  bool take_interface(UMockdevIoctlClient* client);
  [[nodiscard]] std::string description_text() const;

  Gate& gate_;
  std::shared_ptr<usb::Function> function_;
  UmockdevPlug options_;
  unsigned number_;
  usb::HostController controller_;
  Pacer pacer_;
  UMockdevTestbed* testbed_ = nullptr;
  UMockdevIoctlBase* base_ = nullptr;
  std::string node_, real_node_, system_path_;
  UniqueFd fifo_;
  bool ready_ = true;
  std::vector<std::unique_ptr<DeviceUrb>> urbs_;
  std::vector<DeviceUrb*> done_;
  usbfs::UrbMemory memory_;
  std::size_t bulk_in_count_ = 0;
  UMockdevIoctlClient* owner_ = nullptr;       // has the interface
};

}  // namespace naru::mockdev::umockdev
