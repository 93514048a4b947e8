// Making a path ready to be a node: stale mounts off, the file there, FUSE usable.
#pragma once

#include <string>
#include <utility>

#include "naru/base/result.h"

namespace naru::mockdev::fuse {

/// A file to mount on. Removes it in the end if it was made here, or was left by a server that died.
class MountPoint {
 public:
  [[nodiscard]] static Result<MountPoint> prepare(const std::string& path);
  MountPoint(MountPoint&& other) noexcept : path_(std::move(other.path_)), remove_(std::exchange(other.remove_, false)) {}
  MountPoint& operator=(MountPoint&&) = delete;
  ~MountPoint();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  explicit MountPoint(std::string path) : path_(std::move(path)) {}
  std::string path_;
  bool remove_ = false;
};

}  // namespace naru::mockdev::fuse
