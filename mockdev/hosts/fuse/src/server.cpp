// The server: session, event loop, control commands, signals. One thread; everything that waits is in one ppoll().
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "control_socket.h"
#include "mount.h"
#include "naru/base/log.h"
#include "naru/mockdev/host_fuse.h"
#include "node.h"

namespace naru::mockdev {
namespace {

/// Rounds with work in them after which the other descriptors are looked at too: a client waits for the answer to each request, so what counts is how
/// few system calls there are around it.
constexpr unsigned kBusyRounds = 16;

struct Session {
  Session() = default;
  ~Session() {
    if (mounted) fuse_session_unmount(raw);
    if (raw != nullptr) fuse_session_destroy(raw);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  fuse_session* raw = nullptr;
  bool mounted = false;
};

void log_fuse(fuse_log_level, const char* format, va_list arguments) {
  std::array<char, 256> text{};
  const int count = std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line(text.data(), count > 0 ? std::min<std::size_t>(static_cast<std::size_t>(count), text.size() - 1) : 0);
  while (line.ends_with('\n')) line.remove_suffix(1);
  log(LogLevel::kWarning, "fuse", "{}", line);
}

constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP};
std::atomic<int> signal_descriptor{-1};

void on_signal(int) {
  const int saved = errno;
  if (const int descriptor = signal_descriptor.load(); descriptor >= 0) ::eventfd_write(descriptor, 1);
  errno = saved;
}

}  // namespace

class MockServer::Core {
 public:
  Core(MockServerOptions options, fuse::MountPoint point) : options_(std::move(options)), point_(std::move(point)), node_(options_.memory_bytes_max) {}

  Result<void> mount() {
    stop_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_.valid()) return fail(ErrorId::kHostOutOfMemory, fmt::format("No event descriptor: {}", std::strerror(errno)));
    NARU_CHECK_OK(plug());
    fuse_set_log_func(&log_fuse);
    const bool root = ::geteuid() == 0;
    std::vector<std::string> texts = {"naru", root ? "-oallow_other,fsname=naru" : "-ofsname=naru"};
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    fuse_args arguments = FUSE_ARGS_INIT(static_cast<int>(pointers.size()), pointers.data());
    const fuse_lowlevel_ops operations = fuse::Node::operations();
    session_.raw = fuse_session_new(&arguments, &operations, sizeof operations, &node_);
    fuse_opt_free_args(&arguments);
    if (session_.raw == nullptr) return fail(ErrorId::kFuseUnavailable, "libfuse makes no session");
    if (fuse_session_mount(session_.raw, point_.path().c_str()) != 0)
      return fail(ErrorId::kFuseUnavailable, fmt::format("{} cannot be mounted: {}", point_.path(), std::strerror(errno)));
    session_.mounted = true;
    const int descriptor = fuse_session_fd(session_.raw);
    if (::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK) != 0) return fail(ErrorId::kFuseUnavailable, "/dev/fuse cannot be made non-blocking");
    NARU_TRY(control_, fuse::ControlSocket::listen(options_.path));
    return {};
  }

  Result<void> run() {
    std::vector<pollfd> descriptors;
    fuse_buf buffer{};
    Duration sleep = Duration::zero();
    for (unsigned round = 0;; ++round) {
      if (round % kBusyRounds != 0) {
        const Served served = serve_request(buffer);
        if (served == Served::kOver) break;
        if (sleep == Duration::zero() || (served == Served::kOne && node_.take_work())) work(sleep);
        if (sleep == Duration::zero() || served == Served::kOne) continue;
      }
      descriptors.clear();
      descriptors.push_back({.fd = fuse_session_fd(session_.raw), .events = POLLIN, .revents = 0});
      descriptors.push_back({.fd = stop_.get(), .events = POLLIN, .revents = 0});
      control_->watch(descriptors);
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(sleep);
      const timespec limit{.tv_sec = static_cast<time_t>(seconds.count()), .tv_nsec = static_cast<long>((sleep - seconds).count())};
      const int ready = ::ppoll(descriptors.data(), descriptors.size(), sleep == kForever ? nullptr : &limit, nullptr);
      if (ready > 0 && descriptors[1].revents != 0) break;
      if (ready > 0 && descriptors[0].revents != 0 && serve_request(buffer) == Served::kOver) break;
      const bool commanded = ready > 0 && serve_control(descriptors);
      // Clients reap and poll more often than they submit: an idle device stays so.
      if (node_.take_work() || commanded || sleep != kForever) work(sleep);
    }
    std::free(buffer.mem);
    return {};
  }

  void stop() noexcept { ::eventfd_write(stop_.get(), 1); }
  [[nodiscard]] int stop_descriptor() const noexcept { return stop_.get(); }

 private:
  enum class Served : std::uint8_t { kOne, kNone, kOver };  // kOver: somebody unmounted the node

  /// One, if there is one.
  Served serve_request(fuse_buf& buffer) {
    const int count = fuse_session_receive_buf(session_.raw, &buffer);
    if (count == -EAGAIN || count == -EINTR) return Served::kNone;
    if (count <= 0) return Served::kOver;
    fuse_session_process_buf(session_.raw, &buffer);
    return fuse_session_exited(session_.raw) == 0 ? Served::kOne : Served::kOver;
  }

  /// Until a client has something to reap, or the device has nothing to do; a few slices at most.
  void work(Duration& sleep) {
    constexpr unsigned kSlicesMax = 4;
    sleep = kForever;
    for (unsigned slice = 0; slice < kSlicesMax && pacer_; ++slice) {
      sleep = pacer_->run();
      if (sleep != Duration::zero() || controller_->has_completed()) break;
    }
    node_.deliver();
  }

  bool serve_control(const std::vector<pollfd>& descriptors) {
    for (std::size_t i = 2; i < descriptors.size(); ++i) {
      if (descriptors[i].revents == 0) continue;
      control_->serve([this](std::string_view line) { return answer(line); });
      return true;
    }
    return false;
  }

  Result<void> plug() {
    NARU_TRY(function_, options_.make_function());
    controller_ = std::make_unique<usb::HostController>(*function_);
    pacer_ = std::make_unique<Pacer>(*controller_, options_.pacing, wall_);
    node_.plug(*controller_, *pacer_);
    return {};
  }

  void unplug() {
    node_.unplug();
    pacer_.reset();
    controller_.reset();
    function_.reset();
  }

  /// "ok ...", or "error WHAT<tab>REMEDY".
  std::string answer(std::string_view line) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    const std::string_view verb = line.substr(0, line.find(' '));
    const std::string_view arguments = verb.size() < line.size() ? line.substr(verb.size() + 1) : std::string_view{};
    if (line == "status") {
      return fmt::format("ok {} clients {} claimed {} pid {} time {}", function_ ? "plugged" : "unplugged", node_.clients(), node_.claimed() ? 1 : 0, ::getpid(),
                         options_.pacing == Pacing::kFree ? "free" : "real");
    }
    if (line == "unplug") {
      if (!function_) return fmt::format("error it is unplugged already\tPut it in again with `naru mock plug {}`.", options_.path);
      unplug();
      return "ok";
    }
    if (line == "plug") {
      if (function_) return fmt::format("error it is plugged in already\tPull it first with `naru mock unplug {}`.", options_.path);
      const Result<void> plugged = plug();
      return plugged ? "ok" : fmt::format("error {}\t{}", plugged.error().message(), plugged.error().remedy());
    }
    if (verb == "plant") {
      if (!options_.plant) return "error this server plants no faults";
      if (!function_) return fmt::format("error it is unplugged\tPut it in again with `naru mock plug {}`.", options_.path);
      const Result<void> planted = options_.plant(*function_, arguments);
      return planted ? "ok" : fmt::format("error {}\t{}", planted.error().message(), planted.error().remedy());
    }
    return fmt::format("error unknown command \"{}\": status, unplug, plug, plant", verb);
  }

  MockServerOptions options_;
  SteadyClock wall_;
  fuse::MountPoint point_;  // after the session: the file goes when nothing is mounted on it
  UniqueFd stop_;
  std::unique_ptr<usb::Function> function_;
  std::unique_ptr<usb::HostController> controller_;
  std::unique_ptr<Pacer> pacer_;
  Session session_;
  fuse::Node node_;  // before the session: it holds the session's poll handles
  std::unique_ptr<fuse::ControlSocket> control_;
};

MockServer::MockServer(std::unique_ptr<Core> core) : core_(std::move(core)) {}
MockServer::~MockServer() = default;

Result<std::unique_ptr<MockServer>> MockServer::start(MockServerOptions options) {
  if (!options.make_function) return fail(ErrorId::kInvalidArgument, "The server has nothing to make its device with");
  NARU_TRY(fuse::MountPoint point, fuse::MountPoint::prepare(options.path));
  auto core = std::make_unique<Core>(std::move(options), std::move(point));
  NARU_CHECK_OK(core->mount());
  return std::unique_ptr<MockServer>(new MockServer(std::move(core)));
}

Result<void> MockServer::run() { return core_->run(); }
void MockServer::stop() noexcept { core_->stop(); }

BlockedSignals::BlockedSignals() noexcept {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : kEndingSignals) sigaddset(&ours, signal);
  ::pthread_sigmask(SIG_BLOCK, &ours, &before_);
}
BlockedSignals::~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

Result<void> MockServer::run_until_signal(const std::function<void()>& on_ready) {
  // sigaction, not libfuse's handlers: those leave a signal ignored that was ignored at start, as a script's `&` does with SIGINT.
  std::array<struct sigaction, kEndingSignals.size()> before{};
  struct sigaction action{};
  action.sa_handler = &on_signal;
  signal_descriptor = core_->stop_descriptor();
  sigset_t ours, mask_before;
  sigemptyset(&ours);
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) {
    ::sigaction(kEndingSignals[i], nullptr, &before[i]);
    if (kEndingSignals[i] == SIGHUP && before[i].sa_handler == SIG_IGN) continue;  // nohup means it
    ::sigaction(kEndingSignals[i], &action, nullptr);
    sigaddset(&ours, kEndingSignals[i]);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &ours, &mask_before);
  if (on_ready) on_ready();
  Result<void> result = core_->run();
  ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  for (std::size_t i = 0; i < kEndingSignals.size(); ++i) ::sigaction(kEndingSignals[i], &before[i], nullptr);
  signal_descriptor = -1;
  return result;
}

}  // namespace naru::mockdev
