// Mount points: what a dead server left is cleaned, what somebody serves is left alone.
#include "mount.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "control_socket.h"
#include "naru/base/unique_fd.h"

namespace naru::mockdev::fuse {
namespace {

constexpr unsigned kStackedMountsMax = 16;

/// Lazily, so that a client which still has the dead node open does not keep it.
bool unmount(const std::string& path) {
  if (::umount2(path.c_str(), MNT_DETACH) == 0) return true;
  const char* arguments[] = {"fusermount3", "-u", "-z", "-q", path.c_str(), nullptr};
  const char* environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  pid_t child = 0;
  int status = 0;
  if (::posix_spawnp(&child, arguments[0], nullptr, nullptr, const_cast<char**>(arguments), const_cast<char**>(environment)) != 0) return false;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// By statfs() too: stat() answers from what the kernel remembers of a node for a while after its server died, and a mount on top of a dead one would
/// leave that behind.
bool is_stale(const std::string& path) {
  const auto died = [] { return errno == ENOTCONN || errno == ECONNABORTED; };
  struct stat status{};
  struct statfs system{};
  return (::stat(path.c_str(), &status) != 0 && died()) || (::statfs(path.c_str(), &system) != 0 && died());
}

}  // namespace

Result<MountPoint> MountPoint::prepare(const std::string& path) {
  if (const UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC)); !device.valid() && errno == EACCES)
    return fail(Error(ErrorId::kDevicePermission, "This user may not open /dev/fuse").with_remedy("Run as a user who may, or change its rights: chmod 0666 /dev/fuse."));
  else if (!device.valid())
    return fail(ErrorId::kFuseUnavailable, fmt::format("/dev/fuse cannot be opened: {}", std::strerror(errno)));

  // Before anything looks at the node: a server that is stopped would not answer, and who waits for it in the kernel cannot be interrupted.
  if (is_served(path)) return fail(Error(ErrorId::kDeviceBusy, fmt::format("{} is served already", path)).with_remedy("Choose another path, or end the other `naru mock serve`."));

  MountPoint point(path);
  struct stat status{};
  bool was_stale = false;
  for (unsigned i = 0; i < kStackedMountsMax && is_stale(path); ++i) {
    if (!unmount(path)) return fail(ErrorId::kDeviceBusy, fmt::format("The stale mount at {} cannot be removed: {}", path, std::strerror(errno)));
    was_stale = true;
  }
  if (::stat(path.c_str(), &status) == 0) {
    struct statfs system{};
    if (!S_ISREG(status.st_mode)) {
      return fail(Error(ErrorId::kFileUnwritable, fmt::format("{} is {}, so no node can be put there", path, S_ISDIR(status.st_mode) ? "a folder" : "not a regular file"))
                      .with_remedy("Give the path of a file that does not exist yet, in a folder that does."));
    }
    if (::statfs(path.c_str(), &system) == 0 && system.f_type == FUSE_SUPER_MAGIC && status.st_ino == 1)
      return fail(Error(ErrorId::kDeviceBusy, fmt::format("{} is served already, by something without a control socket", path)).with_remedy(fmt::format("Choose another path, or remove it with `fusermount3 -u {}`.", path)));
    point.remove_ = was_stale && status.st_size == 0;
    return point;
  }
  const UniqueFd created(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644));
  if (!created.valid()) return fail(ErrorId::kFileUnwritable, fmt::format("The node {} cannot be made: {}", path, std::strerror(errno)));
  point.remove_ = true;
  return point;
}

MountPoint::~MountPoint() {
  if (remove_) ::unlink(path_.c_str());
}

}  // namespace naru::mockdev::fuse
