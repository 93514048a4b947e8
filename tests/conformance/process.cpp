// See process.h.
#include "process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

extern char** environ;

namespace naru::test {

ServerProcess::ServerProcess(const std::vector<std::string>& arguments) {
  int input[2], output[2];
  if (::pipe2(input, O_CLOEXEC) != 0) return;
  UniqueFd child_input(input[0]);
  input_.reset(input[1]);
  if (::pipe2(output, O_CLOEXEC) != 0) return;
  UniqueFd child_output(output[1]);
  output_.reset(output[0]);

  const std::string program = (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "conformance_server").string();
  std::vector<char*> pointers = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, child_input.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_output.get(), STDOUT_FILENO);
  if (::posix_spawn(&child_, program.c_str(), &actions, nullptr, pointers.data(), environ) != 0) child_ = -1;
  posix_spawn_file_actions_destroy(&actions);
  child_output.reset();
  if (child_ <= 0) return;
  const std::string line = read_line();
  if (line.starts_with("ready ")) {
    ready_ = line.substr(6);
  } else {
    end(SIGKILL);
  }
}

ServerProcess::~ServerProcess() {
  input_.reset();
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
}

std::string ServerProcess::read_line() {
  std::string line;
  for (char byte = 0; ::read(output_.get(), &byte, 1) == 1 && byte != '\n';) line += byte;
  return line;
}

std::string ServerProcess::command(const std::string& line) {
  const std::string text = line + "\n";
  if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return {};
  return read_line();
}

int ServerProcess::end(int signal) {
  int status = -1;
  if (child_ <= 0) return status;
  ::kill(child_, signal);
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

}  // namespace naru::test
