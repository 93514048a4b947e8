// The second process of the conformance suite: serves a device until its input ends. Usage: server fuse PATH DEVICE | umockdev DEVICE
// Prints "ready PATH" (the node, or the testbed's folder). Over umockdev, `unplug` on the input pulls the cable.
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <unistd.h>

#include "devices.h"
#include "naru/mockdev/host_fuse.h"
#include "naru/mockdev/host_umockdev.h"

using namespace naru;

namespace {

int complain(const Error& error) {
  std::cerr << error.to_string() << "\n";
  return exit_code(error.kind());
}

int serve_fuse(const std::string& path, const std::string& device) {
  auto server = mockdev::MockServer::start({.path = path, .make_function = [&] { return test::make_device(device); }, .plant = {}});
  if (!server) return complain(server.error());
  std::cout << "ready " << path << std::endl;
  // The parent's death ends the input, and with it this process.
  std::thread watch([&] {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    (*server)->stop();
  });
  const auto ended = (*server)->run_until_signal();
  server->reset();
  watch.detach();
  return ended ? 0 : complain(ended.error());
}

int serve_umockdev(const std::string& device) {
  auto host = mockdev::UmockdevHost::create();
  if (!host) return complain(host.error());
  auto function = test::make_device(device);
  if (!function) return complain(function.error());
  const std::shared_ptr<usb::Function> shared = std::move(*function);
  if (auto plugged = (*host)->plug(shared); !plugged) return complain(plugged.error());
  std::cout << "ready " << (*host)->folder() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "unplug" && (*host)->unplug()) std::cout << "ok" << std::endl;
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string kind = count > 1 ? arguments[1] : "";
  if (kind == "fuse" && count == 4) return serve_fuse(arguments[2], arguments[3]);
  if (kind == "umockdev" && count == 3) return serve_umockdev(arguments[2]);
  std::cerr << "usage: server fuse PATH DEVICE | umockdev DEVICE\n";
  return 2;
}
