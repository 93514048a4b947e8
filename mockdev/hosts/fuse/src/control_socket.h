// PATH.ctl: text lines in, text lines out, without blocking the server's thread.
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "naru/base/result.h"
#include "naru/base/unique_fd.h"

namespace naru::mockdev::fuse {

class ControlSocket {
 public:
  /// Answers one command; the text goes back as one line.
  using Handler = std::function<std::string(std::string_view line)>;

  [[nodiscard]] static Result<std::unique_ptr<ControlSocket>> listen(const std::string& node);
  ~ControlSocket();

  /// Appends what poll() should watch.
  void watch(std::vector<pollfd>& descriptors) const;
  /// Takes what has arrived and answers whole lines.
  void serve(const Handler& handler);

 private:
  struct Connection {
    UniqueFd descriptor;
    std::string pending;
  };
  ControlSocket(std::string path, UniqueFd listener) : path_(std::move(path)), listener_(std::move(listener)) {}
  static bool serve(Connection& connection, const Handler& handler);

  std::string path_;
  UniqueFd listener_;
  std::vector<Connection> connections_;
};

/// Whether a live server answers for the node.
[[nodiscard]] bool is_served(const std::string& node);

}  // namespace naru::mockdev::fuse
