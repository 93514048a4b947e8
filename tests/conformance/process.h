// The server as a child process, with pipes to and from it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "naru/base/unique_fd.h"

namespace naru::test {

/// Ends with its object: by the end of its input, at the latest.
class ServerProcess {
 public:
  /// Waits for its "ready" line; dead() when that did not come.
  explicit ServerProcess(const std::vector<std::string>& arguments);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] bool dead() const noexcept { return child_ <= 0; }
  [[nodiscard]] const std::string& ready() const noexcept { return ready_; }
  [[nodiscard]] pid_t pid() const noexcept { return child_; }
  /// Sends a line, returns the answer.
  std::string command(const std::string& line);
  /// Sends a signal and waits for the end; returns waitpid's status.
  int end(int signal);

 private:
  std::string read_line();

  pid_t child_ = -1;
  UniqueFd input_, output_;
  std::string ready_;
};

}  // namespace naru::test
