// The libusb transport's inside: transfers in flight, their completions, and who lets libusb look for them.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "naru/base/unique_fd.h"
#include "transport/check.h"
#include "transport/libusb/context.h"
#include "transport/slots.h"

namespace naru::driver::libusb {

/// Transfers that move as one, at most: so many, and so many bytes; two may be as long as any libusb transfer. Each adjoins the one before it in memory: fewer calls into the kernel, and fewer turns of
/// a served node.
inline constexpr std::size_t kRunMax = 16;
inline constexpr std::size_t kRunBytesMax = 4 * 1024 * 1024;

struct FreeTransfer {
  void operator()(libusb_transfer* transfer) const noexcept { libusb_free_transfer(transfer); }
};

/// After so many failures in a row libusb's event loop is given up.
inline constexpr unsigned kEventFailuresMax = 1000;
/// How long a destructor or a reset waits for cancelled transfers. Closing the descriptor then ends them in the kernel, and nobody reaps them.
inline constexpr Duration kDrainMax = std::chrono::seconds(2);

class LibusbTransport;

/// One transfer. All of it belongs to the caller's thread, but for a blocking request's result, which the completion ring hands over.
struct Slot {
  enum class State : std::uint8_t { kQueued, kHeld, kFlying, kJoined, kBlocking };  // kHeld: leads a run that is not launched; kJoined: is part of another's

  Ticket ticket = Ticket::kNone;
  LibusbTransport* owner = nullptr;
  std::unique_ptr<libusb_transfer, FreeTransfer> raw;
  std::vector<unsigned char> control_bytes;  // setup packet and data, as libusb wants them
  Transfer transfer;
  State state = State::kQueued;
  std::size_t moved = 0;        // by pieces that are done
  std::size_t piece = 0;        // bytes asked of the piece in flight
  TimePoint deadline = kForever;
  bool cancel_requested = false;
  std::size_t piece_limit = 0;  // of it, as far as there was memory
  int blocking_code = 0;        // result of a clear-halt or reset
  Slot* leader = nullptr;       // kJoined: whose transfer moves it
  Slot* next = nullptr;         // in the run
  std::size_t run_bytes = 0;    // of a leader: what its transfer moves
  bool never_flew = false;      // of those that Lane::untold counts
  Slot* behind = nullptr;       // in a SlotList
  TransferStatus end_status = TransferStatus::kOk;  // of one that ended without a callback
};

/// Slots in order, each in one list at most. Linked through themselves: nothing is allocated, so no transfer is lost where there is no memory.
class SlotList {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  [[nodiscard]] Slot& front() const noexcept { return *first_; }
  void push_back(Slot& slot) noexcept {
    slot.behind = nullptr;
    (first_ == nullptr ? first_ : last_->behind) = &slot;
    last_ = &slot;
  }
  void push_front(Slot& slot) noexcept {
    slot.behind = first_;
    if (first_ == nullptr) last_ = &slot;
    first_ = &slot;
  }
  Slot& pop_front() noexcept { return *std::exchange(first_, first_->behind); }

 private:
  Slot* first_ = nullptr;
  Slot* last_ = nullptr;
};

/// What a transport is made from. Members go in reverse order: the handle before the descriptor that it wraps, the context last.
struct Opened {
  Context context;
  UniqueFd descriptor;  // wrapped by the handle; none for enumerated devices
  Handle handle;
  TransportInfo info;
  transport::Endpoints endpoints;
  int interface_number = -1;  // claimed; -1: control only
};

/// Threads: the caller's, which runs libusb's events inside wait() and poll() (a thread of its own for them cost two switches per transfer);
/// from the first blocking request on, one for those. The callbacks neither allocate nor call libusb, but for what a sink submits and
/// cancels. `mutex_` guards the completion ring, the counts and the blocking queue, nothing else, and is never held across a call into libusb.
class LibusbTransport final : public Transport {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Transport>> start(Opened opened);
  ~LibusbTransport() override;

  [[nodiscard]] const TransportInfo& info() const noexcept override { return opened_.info; }
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  [[nodiscard]] Result<Ticket> submit(const Transfer& transfer) override;
  void flush() noexcept override;
  void cancel(Ticket ticket) override;
  [[nodiscard]] std::size_t poll(std::span<TransferCompletion> completions) override;
  [[nodiscard]] std::size_t take(std::span<TransferCompletion> completions) override;
  void wait(TimePoint until) override;
  void wait_with(TimePoint until, CompletionSink& sink) override;
  void wake() noexcept override;
  [[nodiscard]] int pollable_descriptor() const noexcept override;

 private:
  /// Transfers of one endpoint that wait for memory, or for the pieces of the one before them. Order is kept.
  struct Lane {
    SlotList queue;
    Slot* in_pieces = nullptr;  // its later pieces come before anything else
    Slot* held = nullptr;       // leads the run that is held
    Slot* held_last = nullptr;
    std::size_t held_count = 0;
    std::size_t untold = 0;     // transfers that could not be launched after submit() had taken them, and those behind them, until poll() tells of them
  };

  explicit LibusbTransport(Opened opened) : opened_(std::move(opened)) {}
  Result<void> prepare();
  Result<Slot*> take_slot();
  Lane& lane_of(TransferKind kind) noexcept { return lanes_[static_cast<std::size_t>(kind)]; }

  static void LIBUSB_CALL on_transfer(libusb_transfer* raw) noexcept;
  static int LIBUSB_CALL on_hotplug(libusb_context* context, libusb_device* device, libusb_hotplug_event event, void* transport) noexcept;
  /// Lets libusb run its callbacks, waiting for at most `limit` for one to be due.
  void handle_events(Duration limit) noexcept;
  void run_blocking() noexcept;
  void signal() noexcept;
  void unsignal() noexcept;
  void push_done(Slot& slot) noexcept;
  [[nodiscard]] bool hand_over(Slot& slot) noexcept;
  void deliver(Slot& slot) noexcept;
  void on_run(Slot& leader) noexcept;

  [[nodiscard]] bool may_be_held(const Lane& lane, const Transfer& transfer) const noexcept;
  [[nodiscard]] static bool adjoins(const Lane& lane, const Transfer& transfer) noexcept;
  void hold(Lane& lane, Slot& slot) noexcept;
  /// Launches what is held, as one, or else each of it by itself.
  void release(Lane& lane) noexcept;
  /// Ends it as a transfer that failed, without its ever having been launched.
  void fail_held(Lane& lane, Slot& slot, int code) noexcept;
  void queue(Lane& lane, Slot& slot) noexcept;

  /// LIBUSB_SUCCESS: flying. LIBUSB_ERROR_NO_MEM: even the smallest piece finds no memory now. Others: as libusb says.
  int launch(Slot& slot) noexcept;
  void fill(Slot& slot, std::size_t piece) noexcept;
  Result<Ticket> submit_blocking(Slot& slot);
  void run_queues() noexcept;
  bool finish_piece(Slot& slot, TransferCompletion& completion) noexcept;
  TransferCompletion complete(Slot& slot, TransferStatus status, std::size_t bytes) noexcept;
  bool out_of_time(const Slot& slot) const noexcept { return clock_.now() >= slot.deadline; }
  bool is_dead() const noexcept;
  void mark_lost() noexcept;
  void drain_lost();

  Opened opened_;
  SteadyClock clock_;
  transport::Slots<Slot> slots_;
  std::array<Lane, 4> lanes_;  // by kind: control, bulk OUT, bulk IN, interrupt IN
  SlotList ended_;  // whose completion no callback brings
  std::size_t queued_ = 0;
  TimePoint retry_at_ = kForever;
  bool lost_cancelled_ = false;
  bool reset_in_progress_ = false;

  UniqueFd event_;             // what there is to be told that libusb's own descriptors do not tell
  mutable UniqueFd pollable_;  // both together, for who asks
  CompletionSink* sink_ = nullptr;  // of the wait_with() that is under way
  bool telling_run_ = false;   // on_run() is at it: what it lets begin is flushed at its end
  bool looked_ = false;        // wait() has let libusb run its events since the last poll()
  unsigned event_failures_ = 0;
  std::atomic<bool> lost_{false};
  std::atomic<bool> stop_{false};  // of the blocking thread
  std::thread blocking_thread_;
  libusb_hotplug_callback_handle hotplug_ = 0;
  bool hotplug_registered_ = false;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot*> done_;  // ring: capacity for every slot
  std::size_t done_first_ = 0, done_count_ = 0;
  std::atomic<std::size_t> flying_{0};  // counted down with mutex_ held
  bool woken_ = false;
  bool signalled_ = false;
  std::vector<Slot*> blocking_;
};

}  // namespace naru::driver::libusb
