// A mock device served by another process (`naru mock serve --fuse`), for tests that need a real libusb between driver and device.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace naru::testing {

inline bool fuse_is_usable() { return ::access("/dev/fuse", R_OK | W_OK) == 0; }

/// Starts the server and waits until it says that the node is live; stops it when it dies. `ready()` is false when it did not come up.
class ServedMock {
 public:
  explicit ServedMock(const std::string& profile, const std::vector<std::string>& extra = {}, const std::vector<std::string>& environment = {}) {
    folder_ = std::filesystem::temp_directory_path() / ("naru-test-" + std::to_string(::getpid()) + "-" + std::to_string(counter()++));
    std::filesystem::create_directories(folder_);
    path_ = (folder_ / "npu").string();
    int output[2];
    if (::pipe2(output, O_CLOEXEC) != 0) return;
    std::vector<std::string> arguments = {NARU_BINARY_DIR "/bin/naru", "mock", "serve", "--profile", profile, "--fuse", path_};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(output[1], STDOUT_FILENO);
      for (const std::string& assignment : environment) ::putenv(const_cast<char*>(assignment.c_str()));
      ::execv(raw[0], raw.data());
      ::_exit(127);
    }
    ::close(output[1]);
    std::string line;
    char c = 0;
    pollfd waiter{output[0], POLLIN, 0};
    while (::poll(&waiter, 1, 20000) == 1 && ::read(output[0], &c, 1) == 1 && c != '\n') line += c;
    ::close(output[0]);
    ready_ = line == "ready " + path_;
  }
  ServedMock(const ServedMock&) = delete;
  ServedMock& operator=(const ServedMock&) = delete;
  ~ServedMock() {
    signal(SIGTERM);
    wait();
    // What a test killed left its node behind.
    if (::umount2(path_.c_str(), MNT_DETACH) != 0 && errno == EPERM) std::system(("fusermount3 -u -z -q '" + path_ + "'").c_str());
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  bool ready() const { return ready_; }
  const std::string& path() const { return path_; }
  std::string selector() const { return "node:" + path_; }
  pid_t pid() const { return pid_; }
  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  /// The server's wait status; -1 when it was waited for before.
  int wait() {
    if (pid_ <= 0) return -1;
    int status = -1;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  static int& counter() {
    static int value = 0;
    return value;
  }
  std::filesystem::path folder_;
  std::string path_;
  pid_t pid_ = -1;
  bool ready_ = false;
};

}  // namespace naru::testing
