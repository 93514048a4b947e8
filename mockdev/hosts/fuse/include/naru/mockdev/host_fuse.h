// Serves a usb::Function as a usbfs node at any path, to other processes' libusb, without kernel USB: a FUSE file system that is one file.
#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "naru/base/result.h"
#include "naru/mockdev/pacer.h"
#include "naru/mockdev/usbfs.h"
#include "naru/usb/function.h"

namespace naru::mockdev {

struct MockServerOptions {
  std::string path;  // the node; made (empty, and removed again) when there is no such file, hidden while it is served when there is
  /// Makes the device: once at start, and again at every plug.
  std::function<Result<std::unique_ptr<usb::Function>>()> make_function;
  Pacing pacing = Pacing::kFree;
  /// Of all urbs that clients have in flight, as usbfs' limit; more is refused with ENOMEM (trap T21). 0: no limit.
  std::uint64_t memory_bytes_max = usbfs::UrbMemory::kDefaultBytes;
  /// Carries out `plant ARGUMENTS` and `plant clear` of the control socket on the device that is plugged in; empty: refused. A device
  /// that is plugged in later starts without faults.
  std::function<Result<void>(usb::Function&, std::string_view arguments)> plant;
};

/// Keeps SIGINT, SIGTERM and SIGHUP from this thread, and from those that it starts, until it goes out of scope.
class BlockedSignals {
 public:
  BlockedSignals() noexcept;
  ~BlockedSignals();
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

/// One served node and its control socket PATH.ctl (unix stream; a line in, a line out, "ok ..." or "error ..."):
/// `status`, `unplug`, `plug`, `plant ...`. One thread runs everything: requests, the device's work and control, so that endpoint 0 answers
/// during a job. Any number of clients may open the node; the interface belongs to one at a time. When a client that held it closes or
/// dies, its urbs are dropped and the bus is reset. Needs /dev/fuse, and the right to read the clients' memory (same user, or root).
class MockServer {
 public:
  /// Mounts; the node can be opened when this returns (and answers once run() does). Cleans a stale mount of a dead server first.
  /// kFuseUnavailable; kDeviceBusy: the path is served already; kFileUnwritable; kInvalidArgument; what make_function says.
  [[nodiscard]] static Result<std::unique_ptr<MockServer>> start(MockServerOptions options);
  /// Unmounts; clients see the device gone.
  ~MockServer();
  MockServer(const MockServer&) = delete;
  MockServer& operator=(const MockServer&) = delete;

  /// Serves until stop(), or until somebody unmounts the node. On one thread, once.
  Result<void> run();
  /// run() until SIGINT, SIGTERM or SIGHUP as well, also when they were ignored before (a script's `&`); then puts the handlers back. `on_ready` is called
  /// when a signal would end it. Block the three signals (BlockedSignals) before start(), so that none that comes in between leaves a mount behind.
  Result<void> run_until_signal(const std::function<void()>& on_ready = {});
  /// Any thread, and signal handlers.
  void stop() noexcept;

 private:
  class Core;
  explicit MockServer(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

/// Sends one line to the control socket of the node at `path` and returns what follows "ok". kNodeDead: nobody serves it.
[[nodiscard]] Result<std::string> control_mock(const std::string& path, std::string_view command);

}  // namespace naru::mockdev
