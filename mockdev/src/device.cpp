// The device as a usb::Function: owns the parts, routes endpoints to them, and moves time. What the parts do is theirs.
#include "naru/mockdev/device.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

#include "core/request_processor.h"
#include "threads/compute_threads.h"
#include "usb/control.h"
#include "usb/event_pipe.h"
#include "usb/stream_pipe.h"

namespace naru::mockdev {
namespace {

constexpr std::uint8_t kBulkOut = 0x01, kBulkIn = 0x81, kInterruptIn = 0x82;

usb::DeviceDescription describe(const profile::Profile& profile, const DeviceOptions& options) {
  const bool super = profile.link.super_speed;
  const std::uint16_t packet = super ? 1024 : 512;
  const std::uint8_t burst = super ? 15 : 0;
  return {.speed = super ? usb::Speed::kSuper : usb::Speed::kHigh,
          .vendor_id = abi::kVendorId,
          .product_id = abi::kProductRun,
          .release = 0x0100,
          .manufacturer = "Naru",
          .product = fmt::format("Naru NPU ({}, simulated)", profile.name),
          .serial = options.serial,
          .power_milliamperes = static_cast<std::uint16_t>(super ? 896 : 500),
          .endpoints = {{.address = kBulkOut, .type = usb::EndpointType::kBulk, .packet_bytes = packet, .interval = 0, .burst = burst},
                        {.address = kBulkIn, .type = usb::EndpointType::kBulk, .packet_bytes = packet, .interval = 0, .burst = burst},
                        {.address = kInterruptIn, .type = usb::EndpointType::kInterrupt, .packet_bytes = 64, .interval = 4, .burst = 0}}};
}

class DeviceImpl final : public Device, private ControlTarget {
 public:
  DeviceImpl(const profile::Profile& profile, DeviceOptions options, Memory memory, KernelPath path, std::unique_ptr<Parallel> parallel)
      : state_(profile, std::move(options)),
        description_(describe(state_.profile, state_.options)),
        memory_(std::move(memory)),
        objects_(memory_),
        sensors_(state_),
        executor_(state_, memory_, path, std::move(parallel)),
        in_(state_, memory_),
        scheduler_(state_, memory_, contexts_, in_, sensors_, executor_),
        processor_(state_, memory_, objects_, contexts_, in_, scheduler_),
        out_(state_, in_, processor_),
        stream_pipe_(state_, memory_),
        events_(state_),
        control_(state_, *this) {
    state_.log.add(now(), "power-on: profile {}, kernels {}", state_.profile.name, name_of(path));
  }

  // ---- usb::Function ----
  [[nodiscard]] const usb::DeviceDescription& description() const noexcept override { return description_; }

  std::optional<std::size_t> setup(const usb::SetupPacket& packet, std::span<const std::byte> out, std::span<std::byte> in) override {
    return guarded<std::optional<std::size_t>>([&] { return control_.setup(packet, out, in); });
  }

  std::span<std::byte> out_begin(std::uint8_t endpoint) override {
    if (endpoint != kBulkOut || configuration_ == 0) return {};
    return guarded<std::span<std::byte>>([&] { return messages() ? out_.begin(now()) : stream_pipe_.out_begin(now()); });
  }
  void out_end(std::uint8_t endpoint, std::size_t bytes, bool ends_transfer) override {
    if (endpoint != kBulkOut || configuration_ == 0) return;
    guarded<int>([&] {
      messages() ? out_.end(now(), bytes, ends_transfer) : stream_pipe_.out_end(now(), bytes, ends_transfer);
      return 0;
    });
  }
  std::optional<usb::InOffer> in_peek(std::uint8_t endpoint) override {
    if (configuration_ == 0 || halted(endpoint)) return std::nullopt;
    if (endpoint == kInterruptIn) return events_.peek(now());
    if (endpoint != kBulkIn) return std::nullopt;
    return guarded<std::optional<usb::InOffer>>([&]() -> std::optional<usb::InOffer> {
      if (!messages()) return stream_pipe_.in_peek(now());
      if (!keeps_replies_back()) return in_.peek(now());
      in_.hold();
      return std::nullopt;
    });
  }
  void in_done(std::uint8_t endpoint, std::size_t bytes, bool completed) override {
    if (endpoint == kInterruptIn) return events_.done(bytes, completed);
    if (endpoint != kBulkIn) return;
    guarded<int>([&] {
      messages() ? in_.done(bytes, completed) : stream_pipe_.in_done(now(), bytes, completed);
      return 0;
    });
  }

  [[nodiscard]] bool halted(std::uint8_t endpoint) const noexcept override {
    if (endpoint == kBulkOut) return out_.halted();
    return endpoint == kBulkIn ? in_halted_ : endpoint == kInterruptIn && events_halted_;
  }
  void set_halt(std::uint8_t endpoint, bool halt) override {
    if (endpoint == kBulkOut) out_.set_halted(halt);
    if (endpoint == kInterruptIn) events_halted_ = halt;
    if (endpoint != kBulkIn) return;
    in_halted_ = halt;
    if (!halt) in_.restart();
  }
  void set_configuration(std::uint8_t value) override {
    configuration_ = value;
    for (const std::uint8_t endpoint : {kBulkOut, kBulkIn, kInterruptIn}) set_halt(endpoint, false);
  }
  void bus_reset() override {
    state_.log.add(now(), "bus reset");
    reset();
    state_.protocol = abi::kProtocolMin;
    in_.clear(now());
    events_.clear();
    in_halted_ = events_halted_ = false;
  }

  [[nodiscard]] const Clock& clock() const noexcept override { return state_.clock; }

  usb::StepResult step(TimePoint until, std::uint64_t budget) override {
    return guarded<usb::StepResult>([&] { return advance(until, budget); });
  }

  // ---- Device ----
  void plant(const PlantedFaults& faults) override {
    if (faults.sram_stuck_bit != state_.faults.sram_stuck_bit) scheduler_.drop_lease();  // or what was resident would keep the bit when it is mended
    state_.faults = faults;
    executor_.apply_stuck_bit();
  }
  [[nodiscard]] abi::Counters counters() const override { return state_.counters; }
  [[nodiscard]] abi::Sensors sensors() const override { return sensors_.read(now()); }
  [[nodiscard]] std::string_view kernel_path() const noexcept override { return name_of(executor_.path()); }

 private:
  [[nodiscard]] TimePoint now() const noexcept { return state_.clock.now(); }
  [[nodiscard]] bool messages() const noexcept { return stream_pipe_.mode() == abi::PipeMode::kMessages; }

  /// Host memory may run out anywhere; what the caller sees then is a device that does not answer, never an exception.
  template <typename T, typename Act>
  static T guarded(Act&& act) {
    try {
      return act();
    } catch (const std::bad_alloc&) {
      return T{};
    }
  }

  usb::StepResult advance(TimePoint until, std::uint64_t budget) {
    constexpr std::uint64_t kBudgetMax = std::uint64_t{1} << 32;
    auto nanoseconds = static_cast<std::int64_t>(std::min(budget, kBudgetMax) * 1000);
    const unsigned before = readiness();
    for (;;) {
      work(nanoseconds);
      if (readiness() != before) return {true, next_event()};
      const TimePoint next = next_event();
      if (next <= now()) return {false, now()};  // the budget is spent
      if (next > until || next == kForever) {
        if (until != kForever) state_.clock.advance_to(until);
        return {readiness() != before, next};
      }
      state_.clock.advance_to(next);
    }
  }

  [[nodiscard]] bool keeps_replies_back() {
    return in_.can_wait_for_company() && (out_.has_more() || scheduler_.completes_by(now() + InPipe::kReplyPatience));
  }

  /// Bits: OUT takes something, IN has something, an event is there.
  [[nodiscard]] unsigned readiness() {
    const bool out = !out_begin(kBulkOut).empty();
    const bool in = messages() ? in_.ready(now()) && !keeps_replies_back() : stream_pipe_.in_peek(now()).has_value();
    return (out ? 1U : 0U) | (in ? 2U : 0U) | (events_.next_ready() <= now() ? 4U : 0U);
  }

  /// All that is due now: requests in their order, then jobs.
  void work(std::int64_t& budget) {
    constexpr std::int64_t kRequestNanoseconds = 300;
    while (budget > 0) {
      Request* request = out_.front(now());
      if (request == nullptr || !processor_.can_process(*request)) break;
      // A payload that landed where it belongs costs nothing more; others are copied or parsed.
      const bool landed = request->landing == Landing::kDevice || request->landing == Landing::kDiscarded;
      budget -= kRequestNanoseconds + (landed ? 0 : static_cast<std::int64_t>(request->header.payload_bytes / 8));
      processor_.process(now(), *request);
      out_.pop_front();
    }
    const std::uint32_t throttle = sensors_.throttle_percent();
    // Reads that wait for a fence are answered before the next job begins, which may write over what they read.
    for (;;) {
      scheduler_.run(now(), budget, processor_.has_waiting_reads());
      if (!scheduler_.take_signalled()) break;
      processor_.answer_waiting_reads(now());
    }
    if (sensors_.throttle_percent() != throttle) events_.push(now(), abi::EventKind::kThrottled, sensors_.throttle_percent());
  }

  [[nodiscard]] TimePoint next_event() {
    TimePoint next = scheduler_.next_event(now());
    const auto consider = [&](TimePoint time) { next = std::min(next, time); };
    const TimePoint arrival = out_.next_arrival();
    if (arrival > now() || (arrival <= now() && processor_.can_process(*out_.front(now())))) consider(arrival);
    // What has been ready before waits for the host, not for time.
    const auto consider_later = [&](TimePoint time) {
      if (time > now()) consider(time);
    };
    if (messages()) {
      consider_later(in_.next_ready());
      consider_later(out_.next_free());
    } else {
      consider(stream_pipe_.next_event(now()));
    }
    consider_later(events_.next_ready());
    return next;
  }

  void reset() {
    ++state_.epoch;
    ++state_.counters.resets;
    in_.clear(now());
    scheduler_.end_all(now(), 0, abi::Status::kReset);
    for (std::size_t i = 0; i < out_.queue().size(); ++i) processor_.refuse(now(), out_.queue()[i], abi::Status::kReset);
    out_.clear(now());
    processor_.reset(now());
    static_cast<void>(stream_pipe_.set_mode(abi::PipeMode::kMessages, 0, now()));
  }

  // ---- ControlTarget ----
  [[nodiscard]] abi::DeviceState device_state() const override {
    return {.condition = scheduler_.jobs_queued() != 0 ? abi::DeviceCondition::kBusy : abi::DeviceCondition::kReady,
            .epoch = state_.epoch,
            .heartbeat = state_.heartbeat,
            .device_time_ns = static_cast<std::uint64_t>(now().count()),
            .jobs_queued = scheduler_.jobs_queued(),
            .contexts = contexts_.count(),
            .dram_free_bytes = memory_.free_bytes()};
  }
  [[nodiscard]] abi::Sensors sensor_values() const override { return sensors(); }
  void engine_reset() override {
    state_.log.add(now(), "engine reset");
    ++state_.counters.resets;
    scheduler_.reset_engines(now());
  }
  void soft_reset() override {
    state_.log.add(now(), "soft reset");
    reset();
    events_.push(now(), abi::EventKind::kReset, state_.epoch);
  }
  [[nodiscard]] bool set_pipe_mode(abi::PipeMode mode, std::uint16_t index) override {
    if (!stream_pipe_.set_mode(mode, index, now())) return false;
    out_.set_halted(false);
    return true;
  }
  [[nodiscard]] std::uint32_t pipe_crc() const override { return stream_pipe_.crc(); }

  State state_;
  usb::DeviceDescription description_;
  Memory memory_;
  ObjectTable objects_;  // before all that may hold pins
  ContextTable contexts_;
  SensorModel sensors_;
  Executor executor_;
  InPipe in_;
  JobScheduler scheduler_;
  RequestProcessor processor_;
  OutPipe out_;
  StreamPipe stream_pipe_;
  EventPipe events_;
  Control control_;
  std::uint8_t configuration_ = 1;
  bool in_halted_ = false, events_halted_ = false;
};

}  // namespace

namespace {

Result<unsigned> choose_threads(unsigned wanted) {
  const char* named = wanted == 0 ? std::getenv("NARU_THREADS") : nullptr;
  unsigned threads = wanted == 0 ? 1 : wanted;
  if (named != nullptr && *named != '\0') {
    const char* const end = named + std::strlen(named);
    const auto [stopped, error] = std::from_chars(named, end, threads);
    if (error != std::errc() || stopped != end) threads = 0;
  }
  if (threads >= 1 && threads <= ComputeThreads::kMax) return threads;
  return fail(Error(ErrorId::kInvalidArgument, fmt::format("A mock device cannot compute with {} threads", named != nullptr ? std::string("\"") + named + "\"" : fmt::format("{}", threads)))
                  .with_remedy(fmt::format("Use 1 to {} threads (NARU_THREADS, --threads).", ComputeThreads::kMax)));
}

}  // namespace

Result<std::unique_ptr<Device>> Device::create(const profile::Profile& profile, DeviceOptions options) {
  try {
    NARU_CHECK_OK(profile::check(profile));
    if (options.serial.empty() || options.serial.size() > 23)
      return fail(ErrorId::kInvalidArgument, fmt::format("Serial \"{}\" must have 1 to 23 characters", options.serial));
    const char* requested = options.kernels.empty() ? std::getenv("NARU_KERNELS") : options.kernels.c_str();
    NARU_TRY(const KernelPath path, choose_kernel_path(requested));
    NARU_TRY(const unsigned threads, choose_threads(options.threads));
    NARU_TRY(Memory memory, Memory::create(profile.chip));
    std::unique_ptr<Parallel> parallel;
    if (threads > 1) parallel = std::make_unique<ComputeThreads>(threads);
    return std::make_unique<DeviceImpl>(profile, std::move(options), std::move(memory), path, std::move(parallel));
  } catch (const std::system_error& error) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No threads for a mock device: {}", error.what()));
  } catch (const std::bad_alloc&) {
    return fail(ErrorId::kHostOutOfMemory, fmt::format("No memory for a mock device of profile \"{}\"", profile.name));
  }
}

}  // namespace naru::mockdev
