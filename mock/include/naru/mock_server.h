// A mock device for other processes: served as a device node through FUSE, opened with `--device node:PATH`.
#pragma once

#include <functional>
#include <string>

#include "naru/base/result.h"

namespace naru::mock {

struct ServeOptions {
  std::string path;               // the node; made if it is not there
  std::string profile = "edge";
  bool real_time = false;         // false: as fast as this host can
  std::string serial = "MOCK0001";
  unsigned threads = 0;           // that compute large commands together, 1 to 64; 0 takes NARU_THREADS, else 1
  unsigned usb_memory_mib = 16;   // of all transfers that clients have in flight, as usbfs' usbfs_memory_mb; 0: no limit
  std::function<void()> on_ready; // called once when the node is live
};

/// Serves until SIGINT or SIGTERM (also when started with & from a script), then unmounts. Control socket at PATH.ctl. Blocks.
/// kFuseUnavailable, kProfileNotFound, kInvalidArgument (path), kBusy (somebody serves it already).
[[nodiscard]] NARU_API Result<void> serve(const ServeOptions& options);

/// One line to the server's control socket ("unplug", "plug", "status", "plant ..."), its one line of answer. kNodeDead when nobody serves PATH.
[[nodiscard]] NARU_API Result<std::string> control(const std::string& path, const std::string& command);

}  // namespace naru::mock
