// The testbed, its devices, and the one worker thread that lets them work when no ioctl does.
#include <sys/prctl.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "device.h"
#include "naru/base/quiet_thread.h"
#include "naru/mockdev/host_umockdev.h"

namespace naru::mockdev {

class UmockdevHost::Core final : public umockdev::Gate {
 public:
  Core() {
    ::prctl(PR_SET_TIMERSLACK, 1);  // inherited by the threads that are started from here on
    testbed_ = umockdev_testbed_new();
    gchar* root = umockdev_testbed_get_root_dir(testbed_);
    root_ = root;
    g_free(root);
  }

  ~Core() override {
    while (!devices_.empty()) static_cast<void>(unplug(devices_.begin()->first));
    {
      const std::lock_guard lock(*this);
      stop_ = true;
      changed_.notify_all();
    }
    if (worker_.joinable()) worker_.join();
    g_object_unref(testbed_);
    retired_.clear();
  }

  Result<void> start() try {
    worker_ = start_quiet_thread([this] { work(); });
    return {};
  } catch (const std::system_error& error) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No thread for the testbed: {}", error.what()));
  }

  Result<void> plug(std::shared_ptr<usb::Function> function, const UmockdevPlug& options) {
    std::unique_ptr<umockdev::Device> device;
    umockdev::Device* raw = nullptr;
    {
      const std::lock_guard lock(*this);
      if (devices_.contains(options.port)) return fail(ErrorId::kInvalidArgument, fmt::format("Port {} is taken", options.port));
      // Device numbers are not used again soon, as in a kernel: libusb must see another device.
      device = std::make_unique<umockdev::Device>(*this, std::move(function), options, next_number_, wall_);
      next_number_ = next_number_ % 120 + 1;
      raw = device.get();
    }
    NARU_CHECK_OK(raw->attach(testbed_, root_));
    const std::lock_guard lock(*this);
    devices_.emplace(options.port, std::move(device));
    ring();
    return {};
  }

  Result<void> unplug(unsigned port) {
    std::unique_ptr<umockdev::Device> device;
    {
      const std::lock_guard lock(*this);
      const auto found = devices_.find(port);
      if (found == devices_.end()) return fail(ErrorId::kInvalidArgument, fmt::format("Nothing is plugged into port {}", port));
      device = std::move(found->second);
      devices_.erase(found);
      device->end_urbs();
    }
    device->detach();
    // Clients may hold its node for a while yet, and get answers that it is gone.
    retired_.push_back(std::move(device));
    return {};
  }

  void with(const std::function<void()>& action) {
    const std::lock_guard lock(*this);
    action();
  }

  void lock() override {
    ++waiting_;
    mutex_.lock();
    --waiting_;
  }
  void unlock() override { mutex_.unlock(); }
  void ring() override {
    rung_ = true;
    changed_.notify_all();
  }

  [[nodiscard]] const std::string& folder() const noexcept { return root_; }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (!stop_) {
      rung_ = false;
      Duration sleep = kForever;
      for (const auto& [port, device] : devices_) sleep = std::min(sleep, device->run());
      if (sleep == Duration::zero()) {
        // A mutex is not fair: whoever waits (an ioctl) goes first.
        lock.unlock();
        while (waiting_ != 0) std::this_thread::yield();
        lock.lock();
      } else if (sleep == kForever) {
        changed_.wait(lock, [this] { return stop_ || rung_; });
      } else {
        changed_.wait_for(lock, sleep, [this] { return stop_ || rung_; });
      }
    }
  }

  UMockdevTestbed* testbed_ = nullptr;
  std::string root_;
  SteadyClock wall_;
  std::mutex mutex_;
  std::atomic<int> waiting_{0};
  std::condition_variable changed_;
  bool rung_ = false, stop_ = false;
  unsigned next_number_ = 2;
  std::map<unsigned, std::unique_ptr<umockdev::Device>> devices_;
  std::vector<std::unique_ptr<umockdev::Device>> retired_;
  std::thread worker_;
};

UmockdevHost::UmockdevHost(std::unique_ptr<Core> core) : core_(std::move(core)) {}
UmockdevHost::~UmockdevHost() = default;

Result<std::unique_ptr<UmockdevHost>> UmockdevHost::create() {
  auto core = std::make_unique<Core>();
  NARU_CHECK_OK(core->start());
  return std::unique_ptr<UmockdevHost>(new UmockdevHost(std::move(core)));
}

Result<void> UmockdevHost::plug(std::shared_ptr<usb::Function> function, const UmockdevPlug& options) { return core_->plug(std::move(function), options); }
Result<void> UmockdevHost::unplug(unsigned port) { return core_->unplug(port); }
void UmockdevHost::with(const std::function<void()>& action) { core_->with(action); }
const std::string& UmockdevHost::folder() const noexcept { return core_->folder(); }

}  // namespace naru::mockdev
