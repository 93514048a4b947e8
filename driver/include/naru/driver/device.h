// One NPU: opened over a transport, identified, negotiated with, watched and closed.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "naru/abi/chip.h"
#include "naru/abi/wire.h"
#include "naru/base/clock.h"
#include "naru/base/result.h"
#include "naru/driver/buffer.h"
#include "naru/driver/counters.h"
#include "naru/driver/operation.h"
#include "naru/driver/queue.h"
#include "naru/driver/stream.h"
#include "naru/driver/transport.h"

namespace naru::driver {

class Core;

/// Legal moves: closed -> identifying -> negotiating -> ready; ready <-> recovering; any of these -> lost or closed; lost -> closed.
enum class State : std::uint8_t { kClosed, kIdentifying, kNegotiating, kReady, kRecovering, kLost };
[[nodiscard]] NARU_API std::string_view to_string(State state) noexcept;

/// All durations are on the transport's clock.
struct Timeouts {
  Duration control = std::chrono::seconds(1);            // one EP0 request
  Duration request = std::chrono::seconds(5);            // without any progress of a read, write or other request
  Duration job = std::chrono::seconds(10);               // a job's deadline when it names none
  Duration cancel = std::chrono::milliseconds(500);      // for a cancelled job to end, before the engines are reset, and after that
  Duration recovery = std::chrono::seconds(5);           // all rungs together
  Duration release = std::chrono::milliseconds(250);     // for the cable to let go of a caller's memory
  Duration close = std::chrono::seconds(1);              // for the device to confirm that the context is closed
};

/// Each takes about 1 KiB of host memory, from open() on.
inline constexpr std::uint32_t kUnfinishedRequestsMax = 32'768;

struct DeviceOptions {
  Timeouts timeouts{};
  bool payload_checksums = true;   // when the device offers them
  bool streams_verified = false;   // the caller ran verify::verify_stream on all it loads
  bool control_only = false;       // EP0 only: works while another process runs jobs; no buffers, streams or jobs
  std::uint32_t payload_chunk_bytes = 4u << 20;  // of one bulk transfer; a multiple of 1024. Smaller ones that adjoin one another in memory may share one of up to 4 MiB, or two of 8
  std::uint32_t payload_chunks_in_flight = 8;    // 1 to 8; but no more than 8 MiB of them a direction and 12 in both at once, unless a single one is longer
  std::uint32_t unfinished_requests_max = 240;   // jobs, reads and writes whose tickets are held, waiting here for the device's credits or sent; 1 to kUnfinishedRequestsMax
};

struct DeviceInfo {
  TransportInfo transport;
  std::uint16_t protocol = 0;  // negotiated
  bool payload_checksums = false;
  bool simulated = false, real_time = false;
  bool leases = false;             // jobs may leave something in the SRAM for later ones (JobDescription::lease_use)
  std::string profile, serial, firmware;  // printable
};

/// An open device. Owner: the caller. Thread: one at a time for everything but wake(). Buffers, streams, jobs and operations may outlive it.
/// Once it is lost every call says so (kDeviceLost; kStaleEpoch when somebody else reset it).
class NARU_API Device {
 public:
  /// Takes the transport. Blocks for at most the EP0 and request timeouts of its few steps.
  /// kRomMode, kDeviceNotNaru, kProtocolVersion (says which side to upgrade), kDeviceLost, kTransferTimeout, kInvalidArgument (options).
  [[nodiscard]] static Result<std::unique_ptr<Device>> open(std::unique_ptr<Transport> transport, DeviceOptions options = {});
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  /// As close().
  ~Device();
  /// Cancels what is unfinished, frees what the device holds, lets go of the cable. Bounded by timeouts.close. Idempotent.
  void close() noexcept;

  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] const DeviceInfo& info() const noexcept;
  [[nodiscard]] const abi::Identity& identity() const noexcept;
  [[nodiscard]] const abi::Chip& chip() const noexcept;
  [[nodiscard]] const HostCounters& host_counters() const noexcept;
  /// On the transport's clock; its last reading once the device is lost or closed.
  [[nodiscard]] TimePoint now() const noexcept;

  // Over EP0: each blocks for at most timeouts.control, and works while jobs run.
  [[nodiscard]] Result<abi::Counters> counters();
  [[nodiscard]] Result<abi::Sensors> sensors();
  [[nodiscard]] Result<abi::DeviceState> device_state();
  [[nodiscard]] Result<std::uint32_t> read_register(abi::Register name);
  [[nodiscard]] Result<void> write_register(abi::Register name, std::uint32_t value);
  /// The device's log, oldest first; bytes that are not printable are replaced.
  [[nodiscard]] Result<std::string> log();
  /// kEngine ends the job that runs; kSoft ends all jobs and all contexts (buffers and streams of before are no longer alive()).
  [[nodiscard]] Result<void> reset(abi::ResetLevel level);

  [[nodiscard]] Result<Buffer> create_buffer(std::uint64_t bytes);
  /// Runs verify::verify_stream first, unless DeviceOptions says that this was done, or `verified_for`, the chip that it was done for, is this one. `bytes` is borrowed for the call.
  [[nodiscard]] Result<Stream> load_stream(std::span<const std::byte> bytes, const abi::Chip* verified_for = nullptr);
  /// 0 to abi::kQueues - 1.
  [[nodiscard]] Result<Queue> queue(std::uint16_t index);

  // Up to 16 KiB ride with the message; more goes straight from and to `bytes`. kInvalidArgument: outside the buffer, or of a lost era.
  [[nodiscard]] Result<Operation> begin_write(const Buffer& buffer, std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] Result<Operation> begin_read(const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes);
  [[nodiscard]] Result<Operation> begin_read_after(Fence fence, const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes);
  [[nodiscard]] Result<void> write(const Buffer& buffer, std::uint64_t offset, std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> read(const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes);

  /// While one is alive, requests and jobs that are begun wait for those that will be, and go in as few transfers as they fit into when the last one ends: transfers are most of
  /// what small requests cost. Whatever blocks sends them first, and so do poll(), take() and send(). The device outlives it.
  class NARU_API Gathering {
   public:
    explicit Gathering(Device& device) noexcept;
    Gathering(const Gathering&) = delete;
    Gathering& operator=(const Gathering&) = delete;
    ~Gathering();

   private:
    Core& core_;
  };
  /// What a Gathering keeps back goes now. Without one there is nothing to send.
  void send();

  /// kInvalidArgument: a fence of an era that is over.
  [[nodiscard]] Result<bool> fence_reached(Fence fence) const;
  /// Drives the device until the fence is reached or `until`; tells whether it is.
  [[nodiscard]] Result<bool> wait_fence(Fence fence, TimePoint until);

  /// Lets everything move that can, without blocking.
  void poll();
  /// As poll(), but may leave out the look for more than wait() has found: for loops that wait() next anyway.
  void take();
  /// Waits until something happened, wake() was called or `until`, then polls. Comes back early for deadlines of its own.
  void wait(TimePoint until);
  /// When poll() has to be called at the latest for deadlines' sake, on the transport's clock; kForever: for none.
  [[nodiscard]] TimePoint next_deadline() const noexcept;
  /// Makes the current or next wait() return. Any thread, while the device is neither closed nor destroyed.
  void wake() noexcept;
  /// Readable when wait() would not block; -1 where there is none and once the device is lost.
  [[nodiscard]] int pollable_descriptor() const noexcept;

  // For diagnostics and the bench: bulk endpoints without messages. Entering needs that nothing is unfinished (kDeviceBusy).
  [[nodiscard]] Result<void> set_pipe_mode(abi::PipeMode mode);
  /// Blocks until all was taken. `end_with_short_packet` adds a zero-length packet when the size is a multiple of the packet size.
  [[nodiscard]] Result<void> raw_write(std::span<const std::byte> bytes, bool end_with_short_packet);
  /// Blocks until `bytes` is full or a short packet came; returns how many bytes came.
  [[nodiscard]] Result<std::size_t> raw_read(std::span<std::byte> bytes);

 private:
  explicit Device(std::shared_ptr<Core> core) noexcept;
  std::shared_ptr<Core> core_;
};

}  // namespace naru::driver
