// See cables.h.
#include "cables.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "devices.h"
#include "naru/base/unique_fd.h"
#include "naru/driver/discovery.h"
#include "naru/driver/transport_inproc.h"
#include "naru/mockdev/host_fuse.h"
#include "naru/mockdev/host_umockdev.h"
#include "process.h"

namespace naru::test {
namespace {

class InprocCable final : public Cable {
 public:
  explicit InprocCable(std::unique_ptr<usb::Function> function) : function_(std::move(function)) {}
  Result<std::unique_ptr<driver::Transport>> open() override {
    auto transport = std::make_unique<driver::InprocTransport>(*function_);
    opened_ = transport.get();
    return transport;
  }
  void unplug() override { opened_->unplug(); }

 private:
  std::unique_ptr<usb::Function> function_;
  driver::InprocTransport* opened_ = nullptr;
};

class UmockdevCable final : public Cable {
 public:
  UmockdevCable(std::unique_ptr<mockdev::UmockdevHost> host, std::shared_ptr<usb::Function> function) : host_(std::move(host)), function_(std::move(function)) {}
  Result<std::unique_ptr<driver::Transport>> open() override { return driver::open_transport("usb"); }
  void unplug() override { static_cast<void>(host_->unplug()); }

 private:
  std::unique_ptr<mockdev::UmockdevHost> host_;
  std::shared_ptr<usb::Function> function_;
};

class UmockdevProcessCable final : public Cable {
 public:
  explicit UmockdevProcessCable(const std::string& device) : server_({"umockdev", device}) { ::setenv("UMOCKDEV_DIR", server_.ready().c_str(), 1); }
  ~UmockdevProcessCable() override { ::unsetenv("UMOCKDEV_DIR"); }
  Result<std::unique_ptr<driver::Transport>> open() override { return driver::open_transport("usb"); }
  void unplug() override { server_.command("unplug"); }
  [[nodiscard]] bool dead() const { return server_.dead(); }

 private:
  ServerProcess server_;
};

class FuseCable final : public Cable {
 public:
  FuseCable(std::string path, const std::string& device) : path_(std::move(path)), server_({"fuse", path_, device}) {}
  ~FuseCable() override {
    if (!killed_) return;
    ::umount2(path_.c_str(), MNT_DETACH);
    std::filesystem::remove(path_);
    std::filesystem::remove(path_ + ".ctl");
  }
  Result<std::unique_ptr<driver::Transport>> open() override { return driver::open_transport("node:" + path_); }
  void unplug() override { static_cast<void>(mockdev::control_mock(path_, "unplug")); }
  bool kill() override {
    server_.end(SIGKILL);
    killed_ = true;
    return true;
  }
  [[nodiscard]] bool dead() const { return server_.dead(); }

 private:
  std::string path_;
  ServerProcess server_;
  bool killed_ = false;
};

}  // namespace

std::vector<CableKind> cable_kinds() {
  std::vector<std::string> devices = {"loop", "loop-super"};
#ifdef NARU_TEST_MOCKDEV
  devices.emplace_back("mock");
#endif
  const bool fuse = UniqueFd(::open("/dev/fuse", O_RDWR | O_CLOEXEC)).valid();
  std::vector<CableKind> kinds;
  const auto add = [&](const std::string& cable, const std::string& device) {
    std::string name = cable + "_" + device;
    for (char& c : name)
      if (c == '-') c = '_';
    kinds.push_back({.name = name, .cable = cable, .device = device});
  };
  for (const std::string& device : devices) {
    add("inproc", device);
    add("umockdev", device);
    add(fuse ? "fuse" : "umockdev-process", device);
  }
  if (fuse) add("umockdev-process", "loop");
  return kinds;
}

Result<std::unique_ptr<Cable>> make_cable(const CableKind& kind) {
  if (kind.cable == "fuse") {
    static int serial = 0;
    const auto path = std::filesystem::temp_directory_path() / ("naru-conformance-" + std::to_string(::getpid()) + "-" + std::to_string(serial++));
    auto cable = std::make_unique<FuseCable>(path.string(), kind.device);
    if (cable->dead()) return fail(ErrorId::kInternal, "The server did not start");
    return cable;
  }
  if (kind.cable == "umockdev-process") {
    auto cable = std::make_unique<UmockdevProcessCable>(kind.device);
    if (cable->dead()) return fail(ErrorId::kInternal, "The server did not start");
    return cable;
  }
  NARU_TRY(auto function, make_device(kind.device));
  if (kind.cable == "inproc") return std::make_unique<InprocCable>(std::move(function));
  NARU_TRY(auto host, mockdev::UmockdevHost::create());
  const std::shared_ptr<usb::Function> shared = std::move(function);
  NARU_CHECK_OK(host->plug(shared));
  return std::make_unique<UmockdevCable>(std::move(host), shared);
}

}  // namespace naru::test
