// What the driver's cable costs over a real libusb: a mock served as a node by another process, beside a bare libusb loop on the same node.
// Driver and bare loop take turns, a few samples each, so that both see the same neighbours.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <stdexcept>

#include <fmt/format.h>

#include "bare_libusb.h"
#include "naru/driver/device.h"
#include "naru/driver/discovery.h"
#include "null_job.h"
#include "rows.h"
#include "support/served_mock.h"
#include "usb_stream_row.h"

namespace naru::bench {
namespace {

constexpr std::size_t kMebibyte = std::size_t{1} << 20;
constexpr std::size_t kDepth = 8;      // operations or transfers in flight, both sides; of transfers no more than usbfs, and so the node, has memory for
constexpr std::size_t kUsbfsBytes = 15 * kMebibyte;  // of 16 MiB, less its own records
constexpr std::size_t kPage = 4096;

/// What is measured: kDepth operations of `bytes` each at once. Their memory adjoins, as the slices of a ring do, unless they lie `apart`: the driver moves those by themselves.
struct Flow {
  bool in = false, checksums = false, apart = false;
  std::size_t bytes = 0, total = 0;

  [[nodiscard]] std::size_t step() const noexcept { return bytes + (apart ? kPage : 0); }
  [[nodiscard]] std::size_t bare_in_flight() const noexcept { return std::min(kDepth, kUsbfsBytes / bytes); }
  [[nodiscard]] std::string id() const { return in ? "usb-in" : "usb-out"; }
  [[nodiscard]] std::string variant() const { return fmt::format("{} MiB{}, checksums {}", bytes / kMebibyte, apart ? " apart" : "", checksums ? "on" : "off"); }
};

Result<std::unique_ptr<driver::Device>> open_node(const std::string& selector, bool checksums) {
  NARU_TRY(std::unique_ptr<driver::Transport> transport, driver::open_transport(selector));
  return driver::Device::open(std::move(transport), {.payload_checksums = checksums});
}

/// Page by page: what both sides send from and receive to.
class HostMemory {
 public:
  explicit HostMemory(std::size_t size) : bytes_(static_cast<std::byte*>(std::aligned_alloc(kPage, size))), size_(size) {
    if (!bytes_) throw std::runtime_error("no memory");
    std::memset(bytes_.get(), 1, size);
  }
  [[nodiscard]] std::span<std::byte> all() const noexcept { return {bytes_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  std::unique_ptr<std::byte, Free> bytes_;
  std::size_t size_;
};

/// Every operation has host memory of its own and the same device memory, as the bare loop's do.
class DriverFlow {
 public:
  static Result<DriverFlow> open(const std::string& selector, const Flow& flow, std::span<std::byte> memory) {
    DriverFlow made(flow);
    for (std::size_t i = 0; i < kDepth; ++i) made.memory_.push_back(memory.subspan(i * flow.step(), flow.bytes));
    NARU_TRY(made.device_, open_node(selector, flow.checksums));
    NARU_TRY(made.buffer_, made.device_->create_buffer(flow.bytes));
    return made;
  }
  Result<void> run() {
    std::deque<driver::Operation> operations;
    const std::size_t count = flow_.total / flow_.bytes;
    for (std::size_t i = 0; i < count; ++i) {
      if (operations.size() == memory_.size()) {
        NARU_CHECK_OK(operations.front().wait());
        operations.pop_front();
      }
      const std::span<std::byte> memory = memory_[i % memory_.size()];
      NARU_TRY(driver::Operation operation, flow_.in ? device_->begin_read(buffer_, 0, memory) : device_->begin_write(buffer_, 0, memory));
      operations.push_back(std::move(operation));
    }
    for (driver::Operation& operation : operations) NARU_CHECK_OK(operation.wait());
    return {};
  }

 private:
  explicit DriverFlow(const Flow& flow) : flow_(flow) {}

  Flow flow_;
  std::vector<std::span<std::byte>> memory_;
  std::unique_ptr<driver::Device> device_;
  driver::Buffer buffer_;
};

struct Turns {
  std::size_t turns, samples;  // of each side; samples per turn
};

Result<void> add_flow(const std::string& selector, const std::string& path, const Flow& flow, Turns turns, std::vector<Row>& rows) {
  const HostMemory memory(kDepth * flow.step());
  const std::span<std::byte> adjoining = memory.all().first(kDepth * flow.bytes);
  std::vector<double> ours, bare;
  const auto rate = [&](Seconds took) { return static_cast<double>(flow.total) / took.count() / 1e6; };
  for (std::size_t turn = 0; turn < turns.turns; ++turn) {
    {
      NARU_TRY(DriverFlow driver_flow, DriverFlow::open(selector, flow, memory.all()));
      Result<void> outcome = driver_flow.run();  // warms up
      for (std::size_t i = 0; i < turns.samples && outcome; ++i) ours.push_back(rate(time_of([&] { outcome = driver_flow.run(); })));
      NARU_CHECK_OK(outcome);
    }
    BareLibusb peer(path);
    peer.set_mode(flow.in ? BareMode::kSource : BareMode::kSink, static_cast<std::uint16_t>(flow.bytes / kMebibyte), flow.checksums);
    peer.stream(flow.in, flow.total, flow.bytes, adjoining, flow.bare_in_flight(), flow.checksums);
    for (std::size_t i = 0; i < turns.samples; ++i) bare.push_back(rate(time_of([&] { peer.stream(flow.in, flow.total, flow.bytes, adjoining, flow.bare_in_flight(), flow.checksums); })));
    peer.set_mode(BareMode::kMessages);
  }
  rows.push_back({.id = flow.id(), .variant = flow.variant(), .unit = "MB/s", .better = Better::kHigher, .value = spread_of(std::move(ours)),
                  .peer = fmt::format("bare libusb, {} x {} MiB", flow.bare_in_flight(), flow.bytes / kMebibyte), .peer_value = spread_of(std::move(bare)), .note = flow.checksums ? "the bare loop checksums both ends too" : "", .skipped = {},
                  .target = flow.apart ? std::optional<Target>() : Target{0.95}});
  return {};
}

Result<void> add_small_job(const std::string& selector, const std::string& path, Turns turns, std::size_t rounds, std::vector<Row>& rows) {
  std::vector<double> ours, bare;
  const auto each = [&](Seconds took) { return took.count() * 1e6 / static_cast<double>(rounds); };
  for (std::size_t turn = 0; turn < turns.turns; ++turn) {
    {
      NARU_TRY(const std::unique_ptr<driver::Device> device, open_node(selector, true));
      NARU_TRY(NullJob job, NullJob::make(*device));
      Result<void> outcome = job.run();
      for (std::size_t i = 0; i < turns.samples && outcome; ++i) {
        ours.push_back(each(time_of([&] {
          for (std::size_t j = 0; j < rounds && outcome; ++j) outcome = job.run();
        })));
      }
      NARU_CHECK_OK(outcome);
    }
    BareLibusb peer(path);
    peer.set_mode(BareMode::kLoopback);
    peer.ping();
    for (std::size_t i = 0; i < turns.samples; ++i) {
      bare.push_back(each(time_of([&] {
        for (std::size_t j = 0; j < rounds; ++j) peer.ping();
      })));
    }
    peer.set_mode(BareMode::kMessages);
  }
  rows.push_back({.id = "usb-small-job", .variant = "null job", .unit = "us", .value = spread_of(std::move(ours)), .peer = "bare libusb, 64 bytes OUT and IN", .peer_value = spread_of(std::move(bare)), .note = {}, .skipped = {}, .target = Target{1.3}});
  return {};
}

}  // namespace

Result<void> add_usb_rows(const Settings& settings, std::vector<Row>& rows) try {
  if (!settings.wants("usb-out") && !settings.wants("usb-in") && !settings.wants("usb-small-job") && !settings.wants("usb-stream")) return {};
  if (!testing::fuse_is_usable()) {
    for (const char* id : {"usb-out", "usb-in", "usb-small-job", "usb-stream"}) rows.push_back({.id = id, .variant = {}, .unit = {}, .value = {}, .peer = {}, .peer_value = {}, .note = {}, .skipped = "/dev/fuse cannot be used here"});
    return {};
  }
  const testing::ServedMock served("edge");
  if (!served.ready()) return fail(ErrorId::kNodeDead, fmt::format("`naru mock serve --fuse {}` did not come up", served.path()));
  const Turns turns{.turns = settings.count(24, 1), .samples = settings.count(2, 1)};
  std::vector<Flow> flows;
  for (const bool in : {false, true})
    for (const bool checksums : {false, true})
      for (const std::size_t bytes : {kMebibyte, 4 * kMebibyte}) flows.push_back({.in = in, .checksums = checksums, .bytes = bytes});
  for (const bool in : {false, true}) flows.push_back({.in = in, .apart = true, .bytes = kMebibyte});
  for (Flow& flow : flows) {
    flow.total = settings.count(8, 1) * kDepth * flow.bytes;
    if (settings.wants(flow.id())) NARU_CHECK_OK(add_flow(served.selector(), served.path(), flow, turns, rows));
  }
  if (settings.wants("usb-stream")) NARU_CHECK_OK(add_usb_stream(served.selector(), settings, rows));
  if (settings.wants("usb-small-job")) NARU_CHECK_OK(add_small_job(served.selector(), served.path(), turns, settings.count(100, 5), rows));
  return {};
} catch (const std::runtime_error& error) {
  return fail(ErrorId::kInternal, error.what());
}

}  // namespace naru::bench
