// The one descriptor that says when Device::poll() has something to do: the cable's own events, a timer for deadlines, and what only the runtime knows.
#pragma once

#include <memory>
#include <vector>

#include "naru/base/clock.h"
#include "naru/base/result.h"
#include "naru/base/unique_fd.h"

namespace naru::detail {

struct DeviceHandle;
struct SessionState;

/// Made when somebody asks for it; lives with its DeviceHandle. An epoll instance over the transport's descriptor (the transport closes that one, which takes it
/// out), a timer, and an eventfd that the runtime sets and takes back. Thread: the device's.
class Events {
 public:
  /// kHostOutOfMemory: the process or the machine has no more descriptors.
  [[nodiscard]] static Result<std::unique_ptr<Events>> open(int transport_descriptor);

  [[nodiscard]] int descriptor() const noexcept { return poller_.get(); }
  /// Readable at once, or not by the runtime's doing.
  void set_ready(bool ready) noexcept;
  /// Readable after `left`; kForever: the timer is off.
  void set_timer(Duration left) noexcept;

 private:
  UniqueFd poller_, ready_, timer_;
  bool is_ready_ = false, has_timer_ = false;
};

}  // namespace naru::detail

namespace naru::sdk::runtime {

/// The device's sessions that are still there; forgets the others.
[[nodiscard]] std::vector<std::shared_ptr<detail::SessionState>> sessions_of(detail::DeviceHandle& device);

/// Sets the descriptor, if there is one, to what the device's sessions wait for. After everything that may have changed it.
void update_events(detail::DeviceHandle& device) noexcept;

}  // namespace naru::sdk::runtime
