// Runs programs as users do: arguments in; exit code, stdout and stderr out; nothing waits without a bound.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace naru::testing {

/// The project's own model, as seen from the folder that programs run in.
inline const std::string kDigits = "models/digits/digits.tflite";

struct Outcome {
  int exit = -1;           // exit code; 128 + number when a signal ended it; -1 when it was still running at the end of the patience
  std::string out, err;
};

/// A child process in the repository's root, with bin/ of the build first in PATH and without the caller's NARU_ variables. Killed when it goes out of scope.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    out_ = static_cast<int>(::memfd_create("stdout", MFD_CLOEXEC));
    err_ = static_cast<int>(::memfd_create("stderr", MFD_CLOEXEC));
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    const std::string path = std::string(NARU_BINARY_DIR "/bin:") + (std::getenv("PATH") != nullptr ? std::getenv("PATH") : "/usr/bin:/bin");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setenv("PATH", path.c_str(), 1);
      for (const char* name : {"NARU_DEVICE", "NARU_KERNELS", "NARU_LOG", "NARU_THREADS"}) ::unsetenv(name);
      for (const std::string& assignment : environment) ::putenv(const_cast<char*>(assignment.c_str()));
      const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      ::dup2(nothing, STDIN_FILENO);
      ::dup2(out_, STDOUT_FILENO);
      ::dup2(err_, STDERR_FILENO);
      if (::chdir(NARU_SOURCE_DIR) == 0) ::execvp(raw[0], raw.data());
      ::_exit(127);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    ::close(out_);
    ::close(err_);
  }

  pid_t pid() const { return pid_; }
  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  bool running() const {
    siginfo_t info{};
    return pid_ > 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
  }

  Outcome wait(std::chrono::milliseconds patience = std::chrono::seconds(120)) {
    Outcome outcome;
    if (pid_ <= 0) return outcome;
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd waiter{handle, POLLIN, 0};
    if (::poll(&waiter, 1, static_cast<int>(patience.count())) == 1) {
      int status = 0;
      ::waitpid(pid_, &status, 0);
      pid_ = -1;
      outcome.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    ::close(handle);
    outcome.out = contents(out_);
    outcome.err = contents(err_);
    return outcome;
  }

 private:
  static std::string contents(int file) {
    std::string text;
    char chunk[4096];
    for (off_t at = 0;;) {
      const ssize_t count = ::pread(file, chunk, sizeof chunk, at);
      if (count <= 0) return text;
      text.append(chunk, static_cast<std::size_t>(count));
      at += count;
    }
  }

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
};

inline Outcome run_program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) { return Program(arguments, environment).wait(); }

inline std::vector<std::string> naru_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {NARU_BINARY_DIR "/bin/naru"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}
inline Outcome run_naru(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {}) { return run_program(naru_command(arguments), environment); }

}  // namespace naru::testing
