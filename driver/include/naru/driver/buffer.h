// Device memory that the host owns a handle of.
#pragma once

#include <cstdint>
#include <memory>

#include "naru/abi/wire.h"

namespace naru::driver {

class Core;

/// Device memory, zero when made, freed when this dies. Owner: the caller. Thread: the device's. Keep it until the jobs that name it have ended.
/// Safe to destroy after the device was lost, closed or destroyed.
class NARU_API Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] abi::Handle handle() const noexcept { return handle_; }
  [[nodiscard]] bool valid() const noexcept { return handle_ != 0; }
  /// False once a recovery had to give up the context that the buffer lived in: its contents are gone.
  [[nodiscard]] bool alive() const noexcept;

 private:
  friend class Core;
  Buffer(std::shared_ptr<Core> core, abi::Handle handle, std::uint64_t bytes, std::uint32_t era) noexcept;
  void release() noexcept;

  std::shared_ptr<Core> core_;
  abi::Handle handle_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint32_t era_ = 0;
};

}  // namespace naru::driver
