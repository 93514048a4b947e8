// Whole-file reading and atomic writing.
#include "naru/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "naru/base/unique_fd.h"

namespace naru {

Result<std::vector<std::byte>> read_file(const std::string& path, std::size_t bytes_max) {
  if (path.empty()) return fail(ErrorId::kFileNotFound, "The path of the file to read is empty");
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO is opened at once, and refused below
  if (!fd.valid()) {
    const ErrorId id = errno == ENOENT || errno == ENOTDIR ? ErrorId::kFileNotFound : ErrorId::kFileUnreadable;
    return fail(id, fmt::format("Cannot open {}: {}", path, std::strerror(errno)));
  }
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return fail(ErrorId::kFileUnreadable, fmt::format("{} is not a regular file", path));
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > bytes_max) return fail(ErrorId::kFileUnreadable, fmt::format("{} has {} bytes; the limit is {}", path, size, bytes_max));
  // Grown piece by piece: what is made zero here is still in the cache when the file's bytes take its place.
  constexpr std::size_t kPiece = std::size_t{128} << 10;
  std::vector<std::byte> bytes;
  bytes.reserve(size);
  std::size_t done = 0;
  while (done < size) {
    bytes.resize(std::min(size, done + kPiece));
    const ssize_t got = ::read(fd.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorId::kFileUnreadable, fmt::format("Cannot read {}: {}", path, std::strerror(errno)));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Result<void> write_file(const std::string& path, std::span<const std::byte> bytes) {
  if (path.empty()) return fail(ErrorId::kFileUnwritable, "The path of the file to write is empty");
  // A device, pipe or symbolic link is written to as it is; only a regular file is replaced by a new one.
  struct stat info {};
  const bool in_place = ::lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode);
  if (in_place && S_ISFIFO(info.st_mode)) return fail(ErrorId::kFileUnwritable, fmt::format("{} is a FIFO, where writing would wait for a reader", path));
  const std::string temporary = in_place ? path : fmt::format("{}.{}.tmp", path, ::getpid());
  const auto give_up = [&](const char* what) {
    const int code = errno;
    if (!in_place) ::unlink(temporary.c_str());
    return fail(ErrorId::kFileUnwritable, fmt::format("Cannot {} {}: {}", what, path, std::strerror(code)));
  };
  const int flags = in_place ? O_WRONLY | O_TRUNC | O_CLOEXEC : O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  if (!in_place) ::unlink(temporary.c_str());  // what a killed run of the same number left
  UniqueFd fd(::open(temporary.c_str(), flags, 0644));
  if (!fd.valid()) return give_up("create");
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return give_up("write");
    done += static_cast<std::size_t>(put);
  }
  fd.reset();
  if (!in_place && ::rename(temporary.c_str(), path.c_str()) != 0) return give_up("rename to");
  return {};
}

}  // namespace naru
