// A command stream that the device holds.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "naru/abi/stream.h"
#include "naru/abi/wire.h"

namespace naru::driver {

class Core;

/// A loaded, immutable command stream; unloaded when this dies. Owner, thread and lifetime: as Buffer.
class NARU_API Stream {
 public:
  Stream() = default;
  Stream(Stream&& other) noexcept;
  Stream& operator=(Stream&& other) noexcept;
  ~Stream();

  [[nodiscard]] abi::Handle handle() const noexcept { return handle_; }
  [[nodiscard]] bool valid() const noexcept { return handle_ != 0; }
  /// What a job must bind, by region number.
  [[nodiscard]] std::span<const abi::RegionDeclaration> regions() const noexcept { return regions_; }
  /// No run takes longer, device cycles; 0 when the stream was not verified here.
  [[nodiscard]] std::uint64_t cycles_worst() const noexcept { return cycles_worst_; }
  [[nodiscard]] bool alive() const noexcept;

 private:
  friend class Core;
  void release() noexcept;

  std::shared_ptr<Core> core_;
  abi::Handle handle_ = 0;
  std::uint32_t era_ = 0;
  std::uint64_t cycles_worst_ = 0;
  std::vector<abi::RegionDeclaration> regions_;
};

}  // namespace naru::driver
