// The ways to a device that the conformance suite runs over, each with a device at its end and a hand on the plug.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "naru/base/result.h"
#include "naru/driver/transport.h"

namespace naru::test {

class Cable {
 public:
  virtual ~Cable() = default;
  /// A new transport to the device.
  [[nodiscard]] virtual Result<std::unique_ptr<driver::Transport>> open() = 0;
  /// Pulls the cable. Transports that are open notice by themselves.
  virtual void unplug() = 0;
  /// Ends the device's process without warning; false where there is none, or where that would end this process too.
  virtual bool kill() { return false; }
};

struct CableKind {
  std::string name;    // of the test, letters and digits
  std::string cable;   // inproc, umockdev, umockdev-process, fuse
  std::string device;  // of make_device()
};

inline void PrintTo(const CableKind& kind, std::ostream* stream) { *stream << kind.name; }

/// What runs on this machine: FUSE where /dev/fuse can be used, else umockdev into another process in its stead.
[[nodiscard]] std::vector<CableKind> cable_kinds();
[[nodiscard]] Result<std::unique_ptr<Cable>> make_cable(const CableKind& kind);

}  // namespace naru::test
