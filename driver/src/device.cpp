// The public face of a device: every entry point, each a few lines over Core, none of which lets an exception out.
#include "naru/driver/device.h"

#include <fmt/format.h>

#include "core.h"
#include "naru/base/bytes.h"
#include "status.h"

namespace naru::driver {
namespace {

/// For calls that block anyway.
Result<void> make_room(Core& core) {
  return guarded([&]() -> Result<void> {
    core.make_room();
    return {};
  });
}

}  // namespace

Result<std::unique_ptr<Device>> Device::open(std::unique_ptr<Transport> transport, DeviceOptions options) {
  return guarded([&]() -> Result<std::unique_ptr<Device>> {
    if (!transport) return fail(ErrorId::kInvalidArgument, "There is no transport to open a device on");
    const std::string selector = transport->info().selector;
    auto core = std::make_shared<Core>(std::move(transport), options);
    if (auto up = core->bring_up(); !up) {
      core->close();
      return fail(std::move(up).error().while_doing(fmt::format("opening {}", selector.empty() ? "a device" : selector)));
    }
    return std::unique_ptr<Device>(new Device(std::move(core)));
  });
}

Device::Device(std::shared_ptr<Core> core) noexcept : core_(std::move(core)) {}
Device::~Device() { close(); }
void Device::close() noexcept { core_->close(); }

State Device::state() const noexcept { return core_->state(); }
const DeviceInfo& Device::info() const noexcept { return core_->info(); }
const abi::Identity& Device::identity() const noexcept { return core_->identity(); }
const abi::Chip& Device::chip() const noexcept { return core_->chip(); }
const HostCounters& Device::host_counters() const noexcept { return core_->host_counters(); }
TimePoint Device::now() const noexcept { return core_->now(); }

Result<abi::Counters> Device::counters() {
  return guarded([&] { return core_->control_record<abi::Counters>(abi::ControlRequest::kCounters); });
}
Result<abi::Sensors> Device::sensors() {
  return guarded([&] { return core_->control_record<abi::Sensors>(abi::ControlRequest::kSensors); });
}
Result<abi::DeviceState> Device::device_state() {
  return guarded([&]() -> Result<abi::DeviceState> {
    NARU_TRY(const abi::DeviceState state, core_->control_record<abi::DeviceState>(abi::ControlRequest::kState));
    if (state.condition < abi::DeviceCondition::kReady || state.condition > abi::DeviceCondition::kFaulted)
      return fail(ErrorId::kProtocolViolation, fmt::format("The device is in the unknown condition {}", static_cast<unsigned>(state.condition)));
    return state;
  });
}

Result<std::uint32_t> Device::read_register(abi::Register name) {
  return guarded([&]() -> Result<std::uint32_t> {
    NARU_TRY(const auto bytes, core_->control_in(abi::ControlRequest::kReadRegister, 0, static_cast<std::uint16_t>(name), sizeof(std::uint32_t)));
    if (bytes.size() != sizeof(std::uint32_t)) return fail(ErrorId::kProtocolViolation, fmt::format("A register of {} bytes", bytes.size()));
    return load_le<std::uint32_t>(bytes.data());
  });
}
Result<void> Device::write_register(abi::Register name, std::uint32_t value) {
  return guarded([&] {
    std::array<std::byte, sizeof(value)> bytes;
    store_le(bytes.data(), value);
    return core_->control_out(abi::ControlRequest::kWriteRegister, 0, static_cast<std::uint16_t>(name), bytes);
  });
}
Result<std::string> Device::log() {
  return guarded([&] { return core_->read_log(); });
}
Result<void> Device::reset(abi::ResetLevel level) {
  return guarded([&]() -> Result<void> {
    if (level == abi::ResetLevel::kSoft && !core_->options().control_only) return core_->soft_reset();
    return core_->control_out(abi::ControlRequest::kReset, static_cast<std::uint16_t>(level), 0, {});
  });
}

Result<Buffer> Device::create_buffer(std::uint64_t bytes) {
  return guarded([&] { return core_->create_buffer(bytes); });
}
Result<Stream> Device::load_stream(std::span<const std::byte> bytes, const abi::Chip* verified_for) {
  return guarded([&] { return core_->load_stream(bytes, verified_for); });
}
Result<Queue> Device::queue(std::uint16_t index) {
  return guarded([&]() -> Result<Queue> {
    if (index >= abi::kQueues) return fail(ErrorId::kInvalidArgument, fmt::format("There is no queue {}; there are {}", index, abi::kQueues));
    return Queue(core_, index);
  });
}

Result<Operation> Device::begin_write(const Buffer& buffer, std::uint64_t offset, std::span<const std::byte> bytes) {
  return guarded([&]() -> Result<Operation> {
    NARU_TRY(const std::uint16_t slot, core_->start_access(abi::MessageType::kWrite, buffer, offset, bytes.data(), nullptr, bytes.size(), {}));
    return Operation(core_, slot);
  });
}
Result<Operation> Device::begin_read(const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes) { return begin_read_after({}, buffer, offset, bytes); }
Result<Operation> Device::begin_read_after(Fence fence, const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes) {
  return guarded([&]() -> Result<Operation> {
    NARU_TRY(const std::uint16_t slot, core_->start_access(abi::MessageType::kRead, buffer, offset, nullptr, bytes.data(), bytes.size(), fence));
    return Operation(core_, slot);
  });
}
Result<void> Device::write(const Buffer& buffer, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty() && buffer.valid() && offset <= buffer.bytes()) return {};
  NARU_CHECK_OK(make_room(*core_));
  auto operation = begin_write(buffer, offset, bytes);
  if (!operation) return fail(std::move(operation).error());
  return operation->wait();
}
Result<void> Device::read(const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes) {
  if (bytes.empty() && buffer.valid() && offset <= buffer.bytes()) return {};
  NARU_CHECK_OK(make_room(*core_));
  auto operation = begin_read(buffer, offset, bytes);
  if (!operation) return fail(std::move(operation).error());
  return operation->wait();
}

Device::Gathering::Gathering(Device& device) noexcept : core_(*device.core_) { core_.gather(); }
Device::Gathering::~Gathering() {
  // What finds no memory now goes with the next request, or the next completion.
  static_cast<void>(guarded([&]() -> Result<void> {
    core_.gather_end();
    return {};
  }));
}
void Device::send() { core_->send_gathered(); }

Result<bool> Device::fence_reached(Fence fence) const {
  return guarded([&] { return core_->fence_reached(fence); });
}
Result<bool> Device::wait_fence(Fence fence, TimePoint until) {
  return guarded([&]() -> Result<bool> {
    core_->run_until(
        [&] {
          const auto reached = core_->fence_reached(fence);
          return !reached || *reached;
        },
        until);
    return core_->fence_reached(fence);
  });
}

void Device::poll() { core_->poll(); }
void Device::take() { core_->poll(false); }
void Device::wait(TimePoint until) { core_->wait(until); }
TimePoint Device::next_deadline() const noexcept { return core_->next_timer(); }
void Device::wake() noexcept {
  if (Transport* transport = core_->transport()) transport->wake();
}
int Device::pollable_descriptor() const noexcept { return core_->pollable_descriptor(); }

Result<void> Device::set_pipe_mode(abi::PipeMode mode) {
  return guarded([&] { return core_->set_pipe_mode(mode); });
}
Result<void> Device::raw_write(std::span<const std::byte> bytes, bool end_with_short_packet) {
  return guarded([&] { return core_->raw_write(bytes, end_with_short_packet); });
}
Result<std::size_t> Device::raw_read(std::span<std::byte> bytes) {
  return guarded([&] { return core_->raw_read(bytes); });
}

}  // namespace naru::driver
