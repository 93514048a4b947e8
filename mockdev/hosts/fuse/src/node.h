// The node: usbfs as its clients see it. FUSE requests in, urbs to the host controller, data straight between the clients' memory and the device.
#pragma once

#define FUSE_USE_VERSION 35
#include <fuse3/fuse_lowlevel.h>
#include <linux/usbdevice_fs.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "naru/mockdev/pacer.h"
#include "naru/mockdev/usbfs.h"
#include "naru/usb/host_controller.h"

namespace naru::mockdev::fuse {

/// Thread: the server's. Callbacks are noexcept; they allocate only when a client has more urbs in flight than ever before.
class Node {
 public:
  /// `memory_bytes_max`: of all urbs that clients have in flight; 0: no limit.
  explicit Node(std::uint64_t memory_bytes_max);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// The requests of a session whose user data is a Node.
  [[nodiscard]] static fuse_lowlevel_ops operations() noexcept;

  /// A device is there from now on. Those who had the node open keep a device that is gone.
  void plug(usb::HostController& controller, Pacer& pacer);
  /// It is not, any more; the controller is unplugged, and both are forgotten.
  void unplug();
  /// Hands out what the controller has completed, and wakes who polls for it. After each pump.
  void deliver() noexcept;

  /// Whether a client has asked for anything since the last call that the device may have to work for.
  [[nodiscard]] bool take_work() noexcept { return std::exchange(has_work_, false); }

  [[nodiscard]] std::size_t clients() const noexcept { return clients_.size(); }
  [[nodiscard]] bool claimed() const noexcept { return owner_ != nullptr; }

 private:
  struct Client;
  struct ClientUrb;
  struct Requests;  // the FUSE callbacks

  bool take_interface(Client& client) noexcept;
  void release(Client& client) noexcept;
  void notify(Client& client) noexcept;
  ClientUrb* take_urb(Client& client) noexcept;
  int submit(Client& client, std::uint64_t address) noexcept;
  int discard(Client& client, std::uint64_t address) noexcept;
  int reap(Client& client, std::uint64_t result_address) noexcept;
  int control(Client& client, std::uint64_t address) noexcept;
  int claim(Client& client, unsigned interface) noexcept;
  int release_interface(Client& client, unsigned interface) noexcept;
  int driver_of(Client& client, std::uint64_t address) noexcept;
  /// Negative errno, or the ioctl's return value.
  int ioctl(Client& client, unsigned command, std::uint64_t argument) noexcept;

  usb::HostController* controller_ = nullptr;  // null: unplugged
  Pacer* pacer_ = nullptr;                     // the controller's
  std::vector<std::uint8_t> bytes_;
  std::vector<std::unique_ptr<Client>> clients_;
  Client* owner_ = nullptr;      // has the interface
  usbfs::UrbMemory memory_;
  bool has_work_ = false;
};

}  // namespace naru::mockdev::fuse
