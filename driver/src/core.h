// The state that a Device shares with its buffers, streams, jobs and operations. One class, one source file per responsibility:
//   core.cpp        states, slots, the poll loop, loss
//   bring_up.cpp    from a transport to a ready device
//   control.cpp     EP0
//   outbox.cpp      requests to message transfers and payload transfers
//   completion.cpp  what comes in: messages, payloads, completions
//   memory.cpp      buffers, streams, reads and writes
//   job_queue.cpp   jobs and fences
//   watchdog.cpp    deadlines
//   recovery.cpp    back in step after the two sides have lost it
//   diagnostics.cpp raw pipes, registers, log
// Nothing here calls back into the user, blocks outside run_until(), or throws across a public entry.
#pragma once

#include <array>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <vector>

#include "fixed_ring.h"
#include "flights.h"
#include "naru/base/guard.h"
#include "naru/driver/device.h"
#include "slots.h"

namespace naru::driver {

inline constexpr std::uint64_t kChunkBytesInFlightMax = 8u << 20;  // a direction
/// Both directions, but for the one chunk that each may always have: usbfs has 16 MiB by default, for all devices.
inline constexpr std::uint64_t kBothInFlightMax = 12u << 20;
inline constexpr std::size_t kHeaderBytes = abi::wire_size<abi::MessageHeader>();
inline constexpr std::size_t kOutBuffers = 8;    // message transfers being sent
inline constexpr std::size_t kControlBytes = 4088;  // libusb trap T20: 4096 with the setup packet
inline constexpr std::size_t kPacketBytesMax = 1024;
inline constexpr std::uint32_t kChunkBytesMin = 16 * 1024;
inline constexpr unsigned kIdleWaitsMax = 1'000'000;  // waits in which neither time nor anything else moved
inline constexpr unsigned kPollRoundsMax = 64;
inline constexpr unsigned kFoundMax = 64;  // completions worked off within one wait: a device that is never at a loss for an answer must not keep its caller there
inline constexpr unsigned kRecoveriesInARowMax = 3;  // without a request that went well in between

/// A payload that follows a message that came in.
struct Follow {
  std::uint16_t slot = kNoSlot;  // kNoSlot: thrown away
  std::uint64_t posted = 0, bytes = 0;
};

/// A payload that was announced with its checksum behind it.
struct ChecksumDue {
  std::uint32_t sequence = 0;
  std::uint16_t slot = kNoSlot;  // kNoSlot: thrown away
};

/// A payload that was sent, or is being sent, with its checksum behind it.
struct SentPayload {
  std::uint32_t sequence = 0, crc = 0;
  std::span<const std::byte> unsummed;  // the whole payload, while crc is not known: see sum_up()
};

struct Timeline {
  std::uint64_t last_fence = 0, sent_fence = 0, completed_fence = 0;
  Ring<std::uint16_t> unfinished;  // slots of fences completed_fence + 1 .. last_fence
};

enum class ControlPurpose : std::uint8_t { kNone, kCaller, kHeartbeat, kEngineReset, kRecovery };
struct ControlFlight {
  Ticket ticket = Ticket::kNone;
  ControlPurpose purpose = ControlPurpose::kNone;
  TransferStatus status = TransferStatus::kOk;
  std::size_t bytes = 0;
};

enum class Rung : std::uint8_t { kResync, kReopen, kSoftReset };
enum class RecoveryStep : std::uint8_t { kDraining, kClearing, kResetting, kIdentifying, kReopening };
struct Recovery {
  Rung rung = Rung::kResync;
  RecoveryStep step = RecoveryStep::kDraining;
  std::optional<Error> cause;
  TimePoint deadline = kForever, rung_deadline = kForever;
  std::uint16_t waiting_for = kNoSlot;
  bool control_sent = false;
  bool failed = false;
};

class Core final : public std::enable_shared_from_this<Core>, private CompletionSink {
 public:
  Core(std::unique_ptr<Transport> transport, DeviceOptions options);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  // core.cpp
  [[nodiscard]] Result<void> move_to(State state);
  [[nodiscard]] TimePoint now() const noexcept;
  /// Without `look`: what the transport has found already.
  void poll(bool look = true);
  void wait(TimePoint until);
  /// Polls and waits until `done()`, or until `until` (false), or until the device is gone (then done() is asked once more).
  template <typename Done>
  bool run_until(Done done, TimePoint until) {
    if (done()) return true;
    IdleGuard guard(*this);
    for (bool look = false;; look = true) {
      poll(look);
      if (done()) return true;
      if (!transport_ || now() >= until || !guard.moving()) return false;
      transport_wait(until);
    }
  }
  /// Ready for requests; lets a recovery end first. kDeviceLost, kWrongThreadOrState.
  [[nodiscard]] Result<void> usable();
  [[nodiscard]] Error gone_error() const;  // lost or closed
  void lose(Error cause);
  void close() noexcept;

  // bring_up.cpp
  [[nodiscard]] Result<void> bring_up();
  [[nodiscard]] Result<void> adopt_identity(std::span<const std::byte> bytes);

  // control.cpp
  /// What came is valid until the next EP0 request.
  [[nodiscard]] Result<std::span<const std::byte>> control_in(abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::size_t bytes);
  [[nodiscard]] Result<void> control_out(abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::span<const std::byte> bytes);
  /// Starts one without waiting; false when EP0 is busy or would not take it.
  bool start_control(ControlPurpose purpose, bool in, abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::size_t bytes);
  void on_control(const TransferCompletion& completion);
  /// A record that the device answers with. Length and reserved bytes are checked, ranges are the caller's.
  template <typename Record>
  [[nodiscard]] Result<Record> control_record(abi::ControlRequest request) {
    NARU_TRY(const auto bytes, control_in(request, 0, 0, abi::wire_size<Record>()));
    Record record;
    if (bytes.size() != abi::wire_size<Record>() || abi::decode(bytes, record) != abi::Decoded::kOk)
      return fail(ErrorId::kProtocolViolation, "The device answered an EP0 request with a record of another shape");
    return record;
  }

  // memory.cpp
  [[nodiscard]] Result<Buffer> create_buffer(std::uint64_t bytes);
  [[nodiscard]] Result<Stream> load_stream(std::span<const std::byte> bytes, const abi::Chip* verified_for);
  [[nodiscard]] Result<std::uint16_t> start_access(abi::MessageType type, const Buffer& buffer, std::uint64_t offset, const std::byte* source, std::byte* target,
                                                   std::uint64_t bytes, Fence after);
  [[nodiscard]] Result<void> check_range(const Buffer* buffer, std::uint64_t offset, std::uint64_t bytes, std::string_view what) const {
    if (!covers(buffer, offset, bytes)) return fail(range_error(buffer, offset, bytes, what));
    return {};
  }
  [[nodiscard]] bool covers(const Buffer* buffer, std::uint64_t offset, std::uint64_t bytes) const noexcept {
    return buffer != nullptr && buffer->valid() && buffer->core_.get() == this && buffer->era_ == era_ && bytes != 0 && offset <= buffer->bytes_ && bytes <= buffer->bytes_ - offset;
  }
  [[nodiscard]] Error range_error(const Buffer* buffer, std::uint64_t offset, std::uint64_t bytes, std::string_view what) const;
  [[nodiscard]] Result<abi::Handle> finish_waiting(std::uint16_t slot);
  /// For requests that are waited for anyway: waits for a slot, while there are requests under way whose slots come back by themselves.
  void make_room();
  void free_object(abi::MessageType type, abi::Handle handle, std::uint32_t era) noexcept;

  // job_queue.cpp
  [[nodiscard]] Result<void> submit(std::uint16_t queue, std::span<const JobDescription> descriptions, std::span<Job> jobs, const std::shared_ptr<Core>& self);
  [[nodiscard]] Result<bool> fence_reached(Fence fence) const;
  void cancel_job(std::uint16_t slot);
  void end_job(std::uint16_t slot, const abi::Completion& completion, bool last);
  void fail_job(std::uint16_t slot, Error error);
  void settle_job(std::uint16_t slot);
  void end_child(std::uint16_t child, std::optional<Error> error);
  /// Takes a child off its job; it goes on alone and without memory of the caller's.
  void drop_child(std::uint16_t child);
  void unlink_child(std::uint16_t child);

  // slots (core.cpp)
  [[nodiscard]] std::uint16_t acquire(abi::MessageType type, bool internal) { return acquire(type, internal, now(), options_.timeouts.request); }
  [[nodiscard]] std::uint16_t acquire(abi::MessageType type, bool internal, TimePoint time, Duration allowed);
  void end_operation(std::uint16_t slot, std::optional<Error> error);
  void release_ticket(std::uint16_t slot) noexcept;
  void free_if_over(std::uint16_t index) {
    const Slot& slot = slots_[index];
    if (slot.busy && slot.terminal && slot.answered && slot.detached && slot.transfers == 0) free_slot(index);
  }
  void free_slot(std::uint16_t slot);
  /// The caller's memory is no longer read or written by this request from now on.
  void let_go(std::uint16_t slot);
  [[nodiscard]] Slot& slot(std::uint16_t index) noexcept { return slots_[index]; }
  [[nodiscard]] bool is_alive(std::uint32_t era) const noexcept { return era == era_ && (state_ == State::kReady || state_ == State::kRecovering); }

  // outbox.cpp
  void enqueue(std::uint16_t slot);
  /// Without `may_build`: only what is staged or announced already.
  void pump_out(bool may_build = true);
  // Their parts: submit, and tell the transport that this is all for now.
  void fill_out(bool may_build);
  void fill_in();
  void flush();
  void sum_up() noexcept;
  /// Between them, what is begun waits for what will be, to travel with it.
  void gather() noexcept { ++gathering_; }
  void gather_end() {
    if (--gathering_ == 0) pump_out();
  }
  void send_gathered();
  /// For a read or write of its own: as enqueue() and pump_out(), but one whose turn would not come yet may wait for company.
  void enqueue_access(std::uint16_t slot);
  void on_out(const Flight& flight, const TransferCompletion& completion);

  // completion.cpp
  void pump_in();
  void on_in(const Flight& flight, const TransferCompletion& completion);
  void on_event(const TransferCompletion& completion);
  void post_event();

  // watchdog.cpp
  void arm(TimePoint time) noexcept {
    if (time < next_timer_) next_timer_ = time;
  }
  void on_timer(TimePoint time);
  [[nodiscard]] TimePoint next_timer() const noexcept { return next_timer_; }
  void on_heartbeat(std::span<const std::byte> bytes);
  [[nodiscard]] Error deadline_error(const Slot& job) const;

  // recovery.cpp
  void begin_recovery(Error cause);
  void advance_recovery();
  void recovery_control_ended();
  [[nodiscard]] Result<void> soft_reset();

  // diagnostics.cpp
  [[nodiscard]] Result<void> set_pipe_mode(abi::PipeMode mode);
  [[nodiscard]] Result<void> raw_write(std::span<const std::byte> bytes, bool end_with_short_packet);
  [[nodiscard]] Result<std::size_t> raw_read(std::span<std::byte> bytes);
  [[nodiscard]] Result<std::string> read_log();

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] const DeviceInfo& info() const noexcept { return info_; }
  [[nodiscard]] const DeviceOptions& options() const noexcept { return options_; }
  [[nodiscard]] const abi::Identity& identity() const noexcept { return identity_; }
  [[nodiscard]] const abi::Chip& chip() const noexcept { return chip_; }
  [[nodiscard]] const HostCounters& host_counters() const noexcept { return counters_; }
  [[nodiscard]] Transport* transport() noexcept { return transport_.get(); }
  [[nodiscard]] int pollable_descriptor() noexcept;

 private:
  /// Ends a waiting loop in which nothing moves any more, time included: a broken transport must not hang its user.
  class IdleGuard {
   public:
    explicit IdleGuard(Core& core) noexcept : core_(core), time_(core.now()), events_(core.events_) {}
    bool moving();

   private:
    Core& core_;
    TimePoint time_;
    std::uint64_t events_;
    unsigned idle_ = 0;
  };

  void transport_wait(TimePoint until);
  [[nodiscard]] bool on_found(const TransferCompletion& completion) noexcept override;
  void on_completion(const TransferCompletion& completion);
  void pump_after_completions();
  void finish_loss();
  void end_everything(const Error& error);
  [[nodiscard]] std::size_t unfinished_jobs() const noexcept;
  [[nodiscard]] std::string device_name() const;

  [[nodiscard]] Result<std::size_t> run_control(bool in, abi::ControlRequest request, std::uint16_t value, std::uint16_t index, std::span<const std::byte> out,
                                                std::size_t bytes);

  // job_queue.cpp
  [[nodiscard]] Result<void> check_job(const JobDescription& description) const;
  [[nodiscard]] Error binding_error(std::size_t index, const Binding& binding, const abi::RegionDeclaration& region) const;
  [[nodiscard]] std::uint16_t enqueue_job(std::uint16_t queue, const JobDescription& description, TimePoint time);
  [[nodiscard]] std::uint16_t add_child(std::uint16_t job, abi::MessageType type, const Buffer& buffer, std::uint64_t offset, std::uint64_t bytes, TimePoint time);

  // outbox.cpp
  [[nodiscard]] std::size_t message_bytes(const Slot& slot) const noexcept;
  /// Without `with_requests`: only the checksums of payloads that were sent.
  [[nodiscard]] std::size_t build_transfer(std::span<std::byte> buffer, bool with_requests);
  [[nodiscard]] std::size_t encode_checksums(std::span<std::byte> target);
  [[nodiscard]] std::size_t encode_jobs(std::span<std::byte> target, std::size_t room);
  [[nodiscard]] std::size_t encode_request(std::span<std::byte> target, std::uint16_t index);
  [[nodiscard]] std::size_t seal(std::span<std::byte> target, abi::MessageHeader header, std::size_t body_bytes);
  [[nodiscard]] bool send_staged();
  [[nodiscard]] bool send_payload_chunk();
  [[nodiscard]] bool waits_for_company() const noexcept;
  /// Sends what waited for company, unless it still does; what is announced goes on in any case.
  void send_company();
  /// Whether the checksum of the payload that this request announces is better sent behind it; its message is the newest of the transfer.
  [[nodiscard]] bool sends_crc_behind(const Slot& slot) noexcept;
  /// Whether a job waits behind no more payloads than may have their checksums ahead together, `bytes` of these being there already.
  [[nodiscard]] bool job_waits_behind(std::uint64_t bytes) noexcept;
  [[nodiscard]] static std::size_t direction_of(abi::MessageType type) noexcept { return type == abi::MessageType::kRead ? 1 : 0; }
  /// Large but not very, no fence, no job: what comes in streams of its like.
  [[nodiscard]] bool is_streaming(const Slot& slot) const noexcept;
  void moved_over_cable(Slot& slot, std::uint64_t bytes) noexcept;
  [[nodiscard]] bool is_sending_payload(std::uint16_t slot) noexcept;
  /// For one more chunk of a payload.
  [[nodiscard]] bool has_room(const Flights& flights, std::size_t bytes) const noexcept;
  bool submit_flight(Flights& flights, const Transfer& transfer, Flight flight);

  // completion.cpp
  [[nodiscard]] Result<void> on_message_transfer(std::span<const std::byte> bytes);
  [[nodiscard]] Result<void> on_message(const abi::MessageHeader& header, std::span<const std::byte> body, std::span<const std::byte> inline_payload);
  [[nodiscard]] Result<void> on_reply(const abi::MessageHeader& header, const abi::Reply& reply, std::span<const std::byte> inline_payload);
  [[nodiscard]] Result<void> on_completion_message(const abi::Completion& completion);
  [[nodiscard]] Result<void> on_checksums(std::span<const std::byte> body);
  [[nodiscard]] Result<void> discard_payload(const abi::MessageHeader& header);
  [[nodiscard]] Result<void> expect_payload(const abi::MessageHeader& header, std::uint16_t index);
  [[nodiscard]] Result<void> take_payload(std::uint16_t index, const abi::MessageHeader& header, std::span<const std::byte> inline_payload);
  void finish_payload(std::uint16_t index);
  [[nodiscard]] bool post_follow();

  // watchdog.cpp
  void watch_job(std::uint16_t index, TimePoint time);
  void send_cancel(Slot& job);

  // recovery.cpp
  void fail_all_for_recovery();
  void cancel_flights();
  void start_rung(Rung rung);
  void next_rung(Error error);
  void start_reopening();
  void clear_halts();

  std::unique_ptr<Transport> transport_;
  const Clock* clock_ = nullptr;
  mutable TimePoint last_now_{0};
  DeviceOptions options_;
  DeviceInfo info_;
  State state_ = State::kClosed;
  abi::Identity identity_;
  abi::Chip chip_;
  HostCounters counters_;
  std::optional<Error> gone_error_;
  std::optional<Error> pending_loss_;
  bool polling_ = false;
  unsigned gathering_ = 0;    // Device::Gathering, alive
  bool may_be_held_ = false;  // by the transport, since its last flush()
  unsigned found_ = 0;                  // by the last wait, and poll() has not run since
  std::exception_ptr found_failure_;    // of on_found(), which runs inside libusb
  std::uint64_t events_ = 0;  // completions seen: whether anything moves
  TimePoint next_timer_ = kForever;

  SlotTable slots_;
  Ring<std::uint16_t> waiting_;  // requests in the order made
  Ring<std::uint16_t> urgent_;   // cancels of jobs that are sent: they pass those
  std::array<Timeline, abi::kQueues> timelines_;
  struct Orphan {
    abi::MessageType type;
    abi::Handle handle;
    std::uint32_t era;
  };
  std::vector<Orphan> orphans_;  // to be freed once there is a slot
  std::uint16_t open_slot_ = kNoSlot;

  // protocol
  std::uint32_t epoch_ = 0, context_ = 0, era_ = 1;
  std::uint32_t sequence_ = 0, resync_floor_ = 0;
  std::uint32_t unanswered_ = 0;
  std::uint32_t transfer_max_ = abi::kMessageTransferMax;
  std::uint32_t packet_bytes_ = 512, chunk_bytes_ = kChunkBytesMin;
  FixedRing<std::uint32_t, 64> cancel_sequences_;
  unsigned recoveries_in_a_row_ = 0;
  unsigned abandoned_jobs_ = 0;  // failed at their deadline, and the device has not let go of them yet

  // bulk OUT
  bool sending_ = false;
  std::array<TransferCompletion, Flights::kPlaces> poll_batch_;  // poll()'s own
  Flights out_;
  std::array<std::array<std::byte, abi::kMessageTransferMax>, kOutBuffers> out_buffers_;
  std::uint16_t free_out_buffers_ = (1u << kOutBuffers) - 1;  // bits
  FixedRing<std::uint16_t, 256> payloads_;  // slots whose payloads are announced and not all sent, in that order
  FixedRing<SentPayload, 256> checksums_;   // of payloads that were sent: the next message transfer begins with them
  std::size_t unsummed_ = 0;                // of those, how many have no checksum yet
  std::uint64_t announced_bytes_ = 0;       // of the payloads announced in the transfer that is being built, or sent last
  bool announced_crc_behind_ = false;       // and whether one of them has its checksum behind it
  std::array<std::uint64_t, 2> due_{};      // bytes of payload that requests which are sent still move: writes', reads'
  abi::MessageType company_type_ = abi::MessageType::kWrite;
  std::size_t company_ = 0;                 // requests in waiting_, which holds no others then, that wait for company
  std::array<std::size_t, 2> ended_together_{};     // writes, reads of that kind that the last poll() which found anything ended
  std::array<std::uint64_t, 2> unanswered_bytes_{};  // of those that are sent
  bool has_outside_loop_ = false;           // somebody waits by the descriptor, and calls nothing before it is readable
  TimePoint last_out_progress_{0};
  std::optional<std::uint32_t> last_answered_;  // sequence of the newest request, other than a read or job, that has its reply
  std::uint16_t staged_buffer_ = 0;
  std::size_t staged_bytes_ = 0;

  // bulk IN
  bool receiving_ = false, message_posted_ = false;
  Flights in_;
  FixedRing<Follow, 1024> follows_;
  FixedRing<ChecksumDue, 1024> checksums_due_;  // the next message transfer begins with them
  std::array<std::byte, abi::kMessageTransferMax> in_buffer_;
  std::array<std::array<std::byte, kPacketBytesMax>, Flights::kPlaces> tail_buffers_;
  std::uint16_t free_tail_buffers_ = 0xFFFF;
  std::array<std::byte, kChunkBytesMin> discard_buffer_;
  std::size_t raw_bytes_ = 0;
  std::optional<Error> raw_error_;
  abi::PipeMode pipe_mode_ = abi::PipeMode::kMessages;

  // EP0, interrupt, halts
  std::array<std::byte, kControlBytes> control_buffer_;
  ControlFlight control_;
  std::array<std::byte, 16> event_buffer_;
  Ticket event_ticket_ = Ticket::kNone;
  Ticket halt_out_ticket_ = Ticket::kNone, halt_in_ticket_ = Ticket::kNone;
  Recovery recovery_;
};

}  // namespace naru::driver
