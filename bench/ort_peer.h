// ONNX Runtime as the bench's peer: Microsoft's build from npm, run by node in a child process that measures itself and waits between the turns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "naru/base/result.h"
#include "networks.h"

namespace naru::bench {

/// A network loaded and run once. Inherits the processors of this process, so that both stay on the same one.
class OrtPeer {
 public:
  /// "1.30.0"; an error that says why there is none here. scripts/bench.sh installs it.
  [[nodiscard]] static Result<std::string> version();
  [[nodiscard]] static Result<OrtPeer> start(const Network& network, OnnxForm form, std::span<const std::uint8_t> image);
  OrtPeer(OrtPeer&&) noexcept;
  OrtPeer& operator=(OrtPeer&&) noexcept;
  ~OrtPeer();

  /// Milliseconds of so many runs, one after the other.
  [[nodiscard]] Result<std::vector<double>> run(std::size_t count);
  /// Unsigned codes.
  [[nodiscard]] Result<std::vector<std::int32_t>> output();

 private:
  struct State;
  explicit OrtPeer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace naru::bench
