// What the public handles point to: the runtime's own view of models and devices.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "naru/base/guard.h"
#include "naru/device.h"
#include "naru/driver/device.h"
#include "naru/model.h"
#include "package/package.h"
#include "runtime/events.h"

namespace naru::detail {

/// Exactly one of graph and package is set.
struct ModelHandle {
  std::string name;
  std::optional<sdk::graph::Graph> graph;
  std::optional<sdk::package::Package> package;
  std::array<std::byte, 32> content_sha256{};  // of the source, also in a package
  std::vector<TensorInfo> inputs, outputs;
};

struct SessionState;

struct DeviceHandle {
  std::unique_ptr<driver::Device> device;
  DeviceInfo info;
  std::unique_ptr<Events> events;                       // none was asked for: empty
  std::vector<std::weak_ptr<SessionState>> sessions;    // all that were made on it; those that are gone are forgotten by and by
  std::uint32_t last_lease = 0;
  std::size_t waiting_for_place = 0;                    // inferences of all of them
  std::uint64_t session_copied_bytes = 0;               // payload that sessions copied, besides what the driver counts

  /// A number that no other session of this device has for its lease.
  [[nodiscard]] std::uint32_t next_lease() noexcept { return last_lease = std::max(last_lease + 1, 1U); }
};

}  // namespace naru::detail

namespace naru::sdk::runtime {

[[nodiscard]] DataType to_data_type(abi::ElementType type) noexcept;
[[nodiscard]] TensorInfo to_info(const graph::Tensor& tensor);
[[nodiscard]] TensorInfo to_info(const package::Tensor& tensor);
[[nodiscard]] Model make_model(std::string name, package::Package package, const std::array<std::byte, 32>& content_sha256);

using naru::guarded;

}  // namespace naru::sdk::runtime
