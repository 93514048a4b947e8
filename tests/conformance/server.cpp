// The second process of the conformance suite: serves a device, or holds one open, until its input ends.
// Usage: server fuse PATH DEVICE | umockdev DEVICE | client PATH
// Prints "ready PATH" (the node, or the testbed's folder). Over umockdev, `unplug` on the input pulls the cable,
// and `plug another` adds a second device.
#include <cstdio>
#include <iostream>
#include <string>
#include <mutex>
#include <thread>
#include <vector>

#include <unistd.h>

#include "devices.h"
#include "naru/driver/discovery.h"
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
  // The parent's death ends the input, and with it this process. Static: the watching thread may outlive this function.
  static std::mutex live_mutex;
  static mockdev::MockServer* live = nullptr;
  live = server->get();
  std::thread watch([] {
    char byte = 0;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    const std::scoped_lock lock(live_mutex);
    if (live != nullptr) live->stop();
  });
  watch.detach();
  const auto ended = (*server)->run_until_signal();
  {
    const std::scoped_lock lock(live_mutex);
    live = nullptr;
  }
  server->reset();
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
    if (line == "plug another") {
      auto another = test::make_device(device);
      if (!another) return complain(another.error());
      if (auto plugged = (*host)->plug(std::shared_ptr<usb::Function>(std::move(*another)), {.port = 6}); !plugged) return complain(plugged.error());
      std::cout << "ok" << std::endl;
    }
  }
  return 0;
}

/// A client in the middle of its work: it sent data that nobody fetched, and waits for more than will come.
int hold(const std::string& path) {
  auto transport = driver::open_transport("node:" + path);
  if (!transport) return complain(transport.error());
  std::vector<std::byte> sent(5000), received(1 << 20), more(8 << 20);
  for (const driver::Transfer& transfer : {driver::Transfer{.kind = driver::TransferKind::kBulkOut, .buffer = sent},
                                           driver::Transfer{.kind = driver::TransferKind::kBulkOut, .buffer = more, .timeout = Duration::zero()}}) {
    if (const auto ticket = (*transport)->submit(transfer); !ticket) return complain(ticket.error());
  }
  (*transport)->wait((*transport)->clock().after(std::chrono::seconds(5)));
  std::cout << "ready " << path << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string kind = count > 1 ? arguments[1] : "";
  if (kind == "fuse" && count == 4) return serve_fuse(arguments[2], arguments[3]);
  if (kind == "umockdev" && count == 3) return serve_umockdev(arguments[2]);
  if (kind == "client" && count == 3) return hold(arguments[2]);
  std::cerr << "usage: server fuse PATH DEVICE | umockdev DEVICE | client PATH\n";
  return 2;
}
