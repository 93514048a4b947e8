// A session's inside: what it holds on the device, the slots that inferences run in, and how an inference goes from step to step.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "naru/session.h"
#include "runtime/handles.h"

namespace naru {

namespace detail {

/// Memory of results that nobody reads any more, for those of the next inferences: fresh memory is a page fault for each 4 KiB, and zeroed twice.
/// Keeps as many as `limit`, which are no more than were in flight at once. Any thread: outputs may be dropped anywhere.
class SpareResults {
 public:
  explicit SpareResults(std::size_t limit) { spares_.reserve(limit); }
  void give(std::vector<std::byte>&& bytes) noexcept {
    const std::lock_guard lock(mutex_);
    if (bytes.size() >= kWorthKeeping && spares_.size() < spares_.capacity()) spares_.push_back(std::move(bytes));
  }
  /// Of just that size; what it holds is anything.
  [[nodiscard]] std::vector<std::byte> take(std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      // The newest: it is in the CPU's caches, if any is.
      const auto found = std::find_if(spares_.rbegin(), spares_.rend(), [&](const std::vector<std::byte>& spare) { return spare.size() == bytes; });
      if (found != spares_.rend()) {
        std::vector<std::byte> spare = std::move(*found);
        spares_.erase(std::next(found).base());
        return spare;
      }
    }
    return std::vector<std::byte>(bytes);
  }
  /// Gives memory to what has gone with a result.
  void refill(std::vector<std::byte>& place, std::size_t bytes) {
    if (place.size() != bytes) place = take(bytes);
  }

 private:
  static constexpr std::size_t kWorthKeeping = 64 * 1024;
  std::mutex mutex_;
  std::vector<std::vector<std::byte>> spares_;
};

}  // namespace detail

struct Outputs::Data {
  explicit Data(std::shared_ptr<detail::SpareResults> home) noexcept : spare(std::move(home)) {}
  Data(const Data&) = delete;
  Data& operator=(const Data&) = delete;
  ~Data() {
    for (std::vector<std::byte>& result : bytes) spare->give(std::move(result));
  }

  std::shared_ptr<detail::SpareResults> spare;
  std::vector<TensorInfo> infos;                              // outputs first, kept tensors after them
  std::vector<std::vector<std::byte>> bytes;
  std::size_t output_count = 0;
  Timing timing;
};

namespace detail {

/// What one inference has on this host; reused by the next one.
struct Slot {
  std::vector<std::vector<std::byte>> host;          // by Package::tensors; empty for those that only the device sees
  bool busy = false;
};

/// What one inference needs of the device's memory, from its first step to its end, or to its job's (SessionState::leaves_early).
struct Place {
  std::vector<driver::Buffer> tensors;               // by Package::tensors; empty for those that only the host sees, and when they share an arena
  driver::Buffer arena;
  driver::Buffer scratch;
  bool busy = false;
};

/// What a step exchanges with the host.
struct StepPlan {
  std::vector<std::uint32_t> uploads;    // tensors that the host has newer
  std::vector<std::uint32_t> downloads;  // tensors that the host needs later
};

enum class Phase : std::uint8_t { kQueued, kUploading, kRunning, kDownloading, kEnded };

struct InferenceState {
  std::shared_ptr<SessionState> session;
  std::size_t slot = 0;
  std::optional<std::size_t> place;
  bool has_left_place = false;                             // it is another's; what is still to be downloaded from it, the device keeps until it has gone
  std::size_t step = 0;
  Phase phase = Phase::kQueued;
  std::vector<driver::Operation> operations;
  std::size_t moved = 0;                                   // uploads or downloads of the phase that were begun
  std::optional<driver::Job> job;
  bool lease_lost = false;                                 // the step's job must load the weights again
  bool needs_lease = false;                                // the job is the one that finds its weights in the SRAM
  TimePoint deadline = kForever;
  std::chrono::nanoseconds allowed{0};                     // what the deadline left it at submit
  bool cancel_requested = false;
  Timing timing;
  TimePoint phase_started{0};                              // device's clock
  std::chrono::steady_clock::time_point wall_started, wall_phase_started;
  std::optional<Result<Outputs>> result;
  bool result_taken = false;
  std::function<void(Result<Outputs>)> callback;
};

struct SessionState {
  std::shared_ptr<DeviceHandle> device;
  Model model;       // as given
  Model compiled;    // what runs
  SessionOptions options;
  std::chrono::nanoseconds compile_time{0};
  std::vector<TensorInfo> inputs, outputs;
  std::vector<std::vector<std::byte>> input_bytes;

  driver::Buffer constants;
  std::vector<driver::Buffer> states;                // read, write; swapped after each inference
  std::vector<driver::Stream> streams;               // by step; empty for host steps
  driver::Stream resident;                           // of the one job, when the package has one for weights that lie in the SRAM still, and the device knows leases
  std::uint32_t lease = 0;                           // under which the last job that loads weights left them; 0: none was submitted
  std::vector<StepPlan> plans;                       // by step
  std::vector<std::uint64_t> arena;                  // offsets of the tensors in Place::arena; empty: each has a buffer
  std::vector<Slot> slots;                           // as many as may be in flight
  bool leaves_early = false;                         // an inference gives its place to the next when its job has ended, while its results are on their way
  std::vector<Place> places;                         // no more than that; inferences get them in the order they were submitted
  driver::Queue queue;
  std::deque<std::shared_ptr<InferenceState>> active;
  std::shared_ptr<SpareResults> spare;

  SessionState(Model source, Model package, std::uint32_t depth) : model(std::move(source)), compiled(std::move(package)), spare(std::make_shared<SpareResults>(depth)) {}

  [[nodiscard]] const sdk::package::Package& package() const { return *compiled.handle()->package; }
  [[nodiscard]] const driver::Buffer& buffer_of(const Place& place, std::uint32_t tensor) const noexcept { return arena.empty() ? place.tensors[tensor] : place.arena; }
  [[nodiscard]] Place* free_place() noexcept {
    const auto found = std::ranges::find(places, false, &Place::busy);
    return found == places.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::uint64_t offset_of(std::uint32_t tensor) const noexcept { return arena.empty() ? 0 : arena[tensor]; }
};

}  // namespace detail

namespace sdk::runtime {

/// Loads constants and streams, makes slots. Part of Session::create().
[[nodiscard]] Result<void> prepare(detail::SessionState& session);
/// Whether uploads and downloads of a step travel with its job, in its transfers.
[[nodiscard]] bool travel_with_job(const detail::SessionState& session, const detail::StepPlan& plan) noexcept;
/// Its job has ended, and what it has on its way needs no place.
[[nodiscard]] bool may_leave_place(const detail::InferenceState& inference) noexcept;
/// Lets every active inference go on as far as it can without blocking, then calls the callbacks of those that ended. By what the device's
/// last wait() found, or, for those who do not wait(), after a `look` for more.
void drive(detail::SessionState& session, bool look = false);
/// Ends it early, now: what it has in flight is cancelled and let go.
void abandon(detail::InferenceState& inference);

/// So often when the driver had no room: what makes some may be another session's doing.
inline constexpr Duration kBusyTick = std::chrono::milliseconds(1);
/// Counted in DeviceHandle::waiting_for_place.
[[nodiscard]] inline bool waits_for_place(const detail::InferenceState& inference) noexcept { return !inference.place && inference.phase != detail::Phase::kEnded; }
/// The inference would go on if the driver took more requests.
[[nodiscard]] inline bool waits_for_room(const detail::InferenceState& inference) noexcept {
  using detail::Phase;
  return (inference.phase == Phase::kRunning && !inference.job) || ((inference.phase == Phase::kUploading || inference.phase == Phase::kDownloading) && inference.operations.empty());
}
/// For who is about to wait() for the device on behalf of `session`: other sessions, which nobody may drive meanwhile, give back what they have finished with where one
/// of this session waits for room, and begin what waits for a place. Says when to look again: for the first deadline that is not the driver's, and for room.
[[nodiscard]] TimePoint before_waiting(detail::SessionState& session);

}  // namespace sdk::runtime

}  // namespace naru
