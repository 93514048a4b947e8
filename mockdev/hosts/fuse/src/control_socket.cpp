// The control socket, both ends.
#include "control_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "naru/mockdev/host_fuse.h"

namespace naru::mockdev {
namespace fuse {
namespace {

constexpr std::size_t kConnectionsMax = 16;
constexpr std::size_t kLineMax = 512;

std::string socket_path(const std::string& node) { return node + ".ctl"; }

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

UniqueFd connect_to(const std::string& node) {
  UniqueFd descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = address_of(socket_path(node));
  errno = ENAMETOOLONG;
  if (address && ::connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) return descriptor;
  const int reason = errno;
  descriptor.reset();
  errno = reason;
  return descriptor;
}

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::listen(const std::string& node) {
  const std::string path = socket_path(node);
  const auto address = address_of(path);
  if (!address) return fail(ErrorId::kInvalidArgument, fmt::format("The control socket's path {} is longer than {} bytes", path, sizeof(sockaddr_un::sun_path) - 1));
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());  // of a server that died: the caller saw that nobody answers
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 || ::chmod(path.c_str(), 0600) != 0 || ::listen(listener.get(), kConnectionsMax) != 0)
    return fail(ErrorId::kFileUnwritable, fmt::format("The control socket {} cannot be made: {}", path, std::strerror(errno)));
  return std::unique_ptr<ControlSocket>(new ControlSocket(path, std::move(listener)));
}

ControlSocket::~ControlSocket() { ::unlink(path_.c_str()); }

void ControlSocket::watch(std::vector<pollfd>& descriptors) const {
  descriptors.push_back({.fd = listener_.get(), .events = POLLIN, .revents = 0});
  for (const Connection& connection : connections_) descriptors.push_back({.fd = connection.descriptor.get(), .events = POLLIN, .revents = 0});
}

void ControlSocket::serve(const Handler& handler) {
  for (;;) {
    UniqueFd accepted(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted.valid()) break;
    if (connections_.size() < kConnectionsMax) connections_.push_back({.descriptor = std::move(accepted), .pending = {}});
  }
  std::erase_if(connections_, [&](Connection& connection) { return !serve(connection, handler); });
}

/// False: the connection is over.
bool ControlSocket::serve(Connection& connection, const Handler& handler) {
  for (;;) {
    std::array<char, 256> bytes{};
    const ssize_t count = ::recv(connection.descriptor.get(), bytes.data(), bytes.size(), 0);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    connection.pending.append(bytes.data(), static_cast<std::size_t>(count));
    for (std::size_t end; (end = connection.pending.find('\n')) != std::string::npos;) {
      const std::string reply = handler(std::string_view(connection.pending).substr(0, end)) + "\n";
      // A client that does not take its answer loses it; the server never waits for one.
      if (::send(connection.descriptor.get(), reply.data(), reply.size(), MSG_NOSIGNAL | MSG_DONTWAIT) != static_cast<ssize_t>(reply.size())) return false;
      connection.pending.erase(0, end + 1);
    }
    if (connection.pending.size() > kLineMax) return false;
  }
}

bool is_served(const std::string& node) { return connect_to(node).valid(); }

}  // namespace fuse

Result<std::string> control_mock(const std::string& path, std::string_view command) {
  const UniqueFd descriptor = fuse::connect_to(path);
  if (!descriptor.valid() && (errno == EACCES || errno == EPERM))
    return fail(Error(ErrorId::kDevicePermission, fmt::format("This user may not control the mock that serves {}", path)).with_remedy("Run as the user who serves it."));
  if (!descriptor.valid()) return fail(ErrorId::kNodeDead, fmt::format("Nobody serves {}", path));
  const timeval limit{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::string line = std::string(command) + "\n";
  std::string reply;
  if (::send(descriptor.get(), line.data(), line.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(line.size())) {
    std::array<char, 256> bytes{};
    while (reply.find('\n') == std::string::npos) {
      const ssize_t count = ::recv(descriptor.get(), bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      reply.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }
  const std::size_t end = reply.find('\n');
  if (end == std::string::npos) return fail(ErrorId::kNodeDead, fmt::format("The server of {} does not answer", path));
  reply.resize(end);
  if (reply.starts_with("error ")) {
    const std::size_t tab = std::min(reply.find('\t'), reply.size());
    Error refusal(ErrorId::kInvalidArgument, fmt::format("The server of {} refuses \"{}\": {}", path, command, reply.substr(6, tab - 6)));
    return fail(tab == reply.size() ? std::move(refusal) : std::move(refusal).with_remedy(reply.substr(tab + 1)));
  }
  return reply.size() > 3 ? reply.substr(3) : std::string{};
}

}  // namespace naru::mockdev
