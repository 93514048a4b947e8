// How an inference goes from step to step, without blocking: upload, job, download; host steps in between.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "host/host.h"
#include "naru/base/log.h"
#include "runtime/session_state.h"

namespace naru::sdk::runtime {
namespace {

using detail::InferenceState;
using detail::Phase;
using detail::SessionState;
using detail::Slot;
using package::Binding;
using package::HostStep;
using package::NpuJob;
using package::Package;
using package::RegionSource;
using SteadyTime = std::chrono::steady_clock;

/// Transfers that one inference has in flight at once; the driver's requests are for all of them.
constexpr std::size_t kTransfersMax = 32;

/// Moves to `phase` and books the time of the one that ends, on the device's clock and on this host's.
void enter(InferenceState& inference, Phase phase) {
  const TimePoint now = inference.session->device->device->now();
  const auto wall = SteadyTime::now();
  const auto modelled_took = now - inference.phase_started;
  const auto wall_took = wall - inference.wall_phase_started;
  switch (inference.phase) {
    case Phase::kUploading:
      inference.timing.upload += modelled_took;
      inference.timing.wall_upload += wall_took;
      break;
    case Phase::kRunning: inference.timing.wall_device += wall_took; break;
    case Phase::kDownloading:
      inference.timing.download += modelled_took;
      inference.timing.wall_download += wall_took;
      break;
    case Phase::kQueued:
    case Phase::kEnded: break;
  }
  inference.phase = phase;
  inference.moved = 0;
  inference.phase_started = now;
  inference.wall_phase_started = wall;
}

void leave_place(InferenceState& inference) {
  if (inference.place && !std::exchange(inference.has_left_place, true)) inference.session->places[*inference.place].busy = false;
}

void end(InferenceState& inference, Result<Outputs> result) {
  if (waits_for_place(inference)) --inference.session->device->waiting_for_place;
  enter(inference, Phase::kEnded);
  inference.operations.clear();
  inference.job.reset();
  inference.session->slots[inference.slot].busy = false;
  leave_place(inference);
  inference.place.reset();
  inference.result = std::move(result);
}

Result<Outputs> collect(InferenceState& inference) {
  SessionState& session = *inference.session;
  Slot& slot = session.slots[inference.slot];
  auto data = std::make_unique<Outputs::Data>(session.spare);
  const Package& package = session.package();
  data->output_count = package.outputs.size();
  std::vector<std::uint32_t> given;
  for (const auto* list : {&package.outputs, &package.kept})
    for (std::uint32_t tensor : *list) {
      data->infos.push_back(to_info(package.tensors[tensor]));
      // The bytes go with the outputs, which own them; a tensor that is named again is copied from there.
      const auto earlier = std::ranges::find(given, tensor);
      if (earlier == given.end()) {
        data->bytes.push_back(std::move(slot.host[tensor]));
        slot.host[tensor].clear();
      } else {
        data->bytes.push_back(data->bytes[static_cast<std::size_t>(earlier - given.begin())]);
        session.device->session_copied_bytes += data->bytes.back().size();
      }
      given.push_back(tensor);
    }
  const std::uint64_t clock_hz = session.device->device->chip().clock_hz();
  if (clock_hz > 0)
    inference.timing.device = std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<unsigned __int128>(inference.timing.device_cycles) * 1'000'000'000 / clock_hz));
  inference.timing.wall = SteadyTime::now() - inference.wall_started;
  data->timing = inference.timing;
  return Outputs(std::move(data));
}

/// False: all are taken. Memory for what it gives comes now, when that of an earlier one may have been given back.
bool take_place(InferenceState& inference) {
  SessionState& session = *inference.session;
  detail::Place* place = session.free_place();
  if (place == nullptr) return false;
  Slot& slot = session.slots[inference.slot];
  const Package& package = session.package();
  for (const auto* list : {&package.outputs, &package.kept})
    for (std::uint32_t tensor : *list) session.spare->refill(slot.host[tensor], package.tensors[tensor].bytes);
  --session.device->waiting_for_place;
  place->busy = true;
  inference.place = static_cast<std::size_t>(place - session.places.data());
  return true;
}

Result<void> run_host_step(InferenceState& inference, const HostStep& step) {
  inference.session->device->device->send();  // the device need not wait for this host
  const auto start = SteadyTime::now();
  Slot& slot = inference.session->slots[inference.slot];
  std::vector<std::span<const std::byte>> inputs;
  std::vector<std::span<std::byte>> outputs;
  for (graph::TensorId operand : step.op.inputs) {
    if (operand < 0) {
      inputs.emplace_back();
      continue;
    }
    const std::int32_t tensor = step.tensors[static_cast<std::size_t>(operand)];
    inputs.push_back(tensor >= 0 ? std::span<const std::byte>(slot.host[static_cast<std::size_t>(tensor)]) : step.constants[static_cast<std::size_t>(operand)].constant);
  }
  for (graph::TensorId operand : step.op.outputs) outputs.emplace_back(slot.host[static_cast<std::size_t>(step.tensors[static_cast<std::size_t>(operand)])]);
  NARU_CHECK_OK_WHILE(host::execute(step.op, step.constants, inputs, outputs), fmt::format("running {} on the host", graph::describe(step.op)));
  inference.timing.wall_host += SteadyTime::now() - start;
  return {};
}

/// The job of this step; `load_weights` or not is a question where the package has a stream for each.
Result<void> submit_job(InferenceState& inference, bool load_weights) {
  SessionState& session = *inference.session;
  Slot& slot = session.slots[inference.slot];
  detail::Place& place = session.places[*inference.place];
  const NpuJob& step = std::get<NpuJob>(session.package().steps[inference.step]);
  const bool leases = session.resident.valid();
  inference.needs_lease = leases && !load_weights;
  const package::JobStream& job = inference.needs_lease ? step.resident : step;
  const detail::StepPlan& plan = session.plans[inference.step];
  std::vector<driver::Binding> bindings;
  bindings.reserve(job.bindings.size());
  for (const Binding& binding : job.bindings) {
    const driver::Buffer* buffer = nullptr;
    switch (binding.source) {
      case RegionSource::kSram: break;
      case RegionSource::kConstants: buffer = &session.constants; break;
      case RegionSource::kScratch: buffer = place.scratch.valid() ? &place.scratch : &session.places[0].scratch; break;
      case RegionSource::kStateRead: buffer = &session.states[0]; break;
      case RegionSource::kStateWrite: buffer = &session.states[1]; break;
      case RegionSource::kTensor: buffer = &place.tensors[binding.tensor]; break;
      case RegionSource::kArena: buffer = &place.arena; break;
    }
    bindings.push_back({.buffer = buffer, .offset = binding.offset, .bytes = binding.bytes, .rights = binding.rights});
  }
  std::vector<driver::JobWrite> writes;
  std::vector<driver::JobRead> reads;
  if (travel_with_job(session, plan)) {
    for (std::uint32_t tensor : plan.uploads) writes.push_back({.buffer = &session.buffer_of(place, tensor), .offset = session.offset_of(tensor), .bytes = slot.host[tensor]});
    for (std::uint32_t tensor : plan.downloads) reads.push_back({.buffer = &session.buffer_of(place, tensor), .offset = session.offset_of(tensor), .bytes = slot.host[tensor]});
  }
  const Duration left = inference.deadline == kForever ? Duration(0) : std::max<Duration>(Duration(1), inference.deadline - session.device->device->now());
  // Under a number of its own: what an earlier job left may be overwritten by now.
  const std::uint32_t lease = !leases ? 0 : load_weights ? session.device->next_lease() : session.lease;
  const auto lease_use = !leases ? abi::LeaseUse::kNone : load_weights ? abi::LeaseUse::kTake : abi::LeaseUse::kNeed;
  NARU_TRY(inference.job, session.queue.submit({.stream = inference.needs_lease ? &session.resident : &session.streams[inference.step], .bindings = bindings, .writes = writes,
                                                .reads = reads, .cycle_budget = job.worst_case_cycles, .deadline = left, .lease_use = lease_use,
                                                .lease = lease}));
  session.lease = lease;
  return {};
}

/// Ends of all operations of the phase: nothing while one is unfinished.
std::optional<Result<void>> operations_ended(InferenceState& inference) {
  for (const driver::Operation& operation : inference.operations)
    if (!operation.done()) return std::nullopt;
  Result<void> ended;
  for (const driver::Operation& operation : inference.operations)
    if (Result<void> result = operation.result(); !result && ended) ended = std::move(result);
  inference.operations.clear();
  return ended;
}

enum class Begun : std::uint8_t {
  kNone,  // all were begun before
  kSome,
  kBusy,  // the driver has no room: others must end first
};

/// Begins some more of the phase's transfers.
Result<Begun> begin_transfers(InferenceState& inference) {
  SessionState& session = *inference.session;
  Slot& slot = session.slots[inference.slot];
  const detail::Place& place = session.places[*inference.place];
  const detail::StepPlan& plan = session.plans[inference.step];
  const bool uploads = inference.phase == Phase::kUploading;
  const std::vector<std::uint32_t>& tensors = uploads ? plan.uploads : plan.downloads;
  if (travel_with_job(session, plan) || inference.moved == tensors.size()) return Begun::kNone;
  const std::size_t end = std::min(tensors.size(), inference.moved + kTransfersMax);
  for (; inference.moved < end; ++inference.moved) {
    const std::uint32_t tensor = tensors[inference.moved];
    driver::Device& device = *session.device->device;
    Result<driver::Operation> operation = uploads ? device.begin_write(session.buffer_of(place, tensor), session.offset_of(tensor), slot.host[tensor])
                                                  : device.begin_read(session.buffer_of(place, tensor), session.offset_of(tensor), slot.host[tensor]);
    if (!operation && operation.error().id() == ErrorId::kDeviceBusy) return inference.operations.empty() ? Begun::kBusy : Begun::kSome;
    if (!operation) return fail(std::move(operation).error());
    inference.operations.push_back(std::move(*operation));
  }
  return Begun::kSome;
}

/// One move of the state machine. True: look again; false: something must happen first.
Result<bool> advance(InferenceState& inference) {
  SessionState& session = *inference.session;
  switch (inference.phase) {
    case Phase::kQueued: {
      if (!inference.place && !take_place(inference)) return false;
      // Steps that are the host's are run here, up to the next job or the end.
      const auto& steps = session.package().steps;
      while (inference.step < steps.size()) {
        const auto* host = std::get_if<HostStep>(&steps[inference.step]);
        if (host == nullptr) break;
        NARU_CHECK_OK(run_host_step(inference, *host));
        ++inference.step;
      }
      if (inference.step == steps.size()) {
        if (!session.states.empty()) std::swap(session.states[0], session.states[1]);
        end(inference, collect(inference));
        return false;
      }
      enter(inference, Phase::kUploading);
      return true;
    }
    case Phase::kUploading: {
      std::optional<Result<void>> ended = operations_ended(inference);
      if (!ended) return false;
      if (!*ended) return fail(std::move(*ended).error().while_doing("uploading inputs"));
      NARU_TRY(const Begun begun, begin_transfers(inference));
      if (begun != Begun::kNone) return begun == Begun::kSome;
      enter(inference, Phase::kRunning);
      return true;
    }
    case Phase::kRunning: {
      if (!inference.job) {
        const Result<void> submitted = submit_job(inference, inference.lease_lost || session.lease == 0);
        if (!submitted && submitted.error().id() == ErrorId::kDeviceBusy) return false;  // as for transfers
        NARU_CHECK_OK(submitted);
        inference.lease_lost = false;
      }
      if (!inference.job->done()) {
        if (may_leave_place(inference)) leave_place(inference);
        return false;
      }
      const Result<driver::JobResult> result = inference.job->result();
      inference.job.reset();
      inference.lease_lost = !result && result.error().id() == ErrorId::kLeaseLost && inference.needs_lease;
      if (inference.lease_lost) return true;
      if (!result) return tl::unexpected(result.error());
      inference.timing.device_cycles += result->cycles;
      enter(inference, Phase::kDownloading);
      return true;
    }
    case Phase::kDownloading: {
      std::optional<Result<void>> ended = operations_ended(inference);
      if (!ended) return false;
      if (!*ended) return fail(std::move(*ended).error().while_doing("downloading outputs"));
      NARU_TRY(const Begun begun, begin_transfers(inference));
      if (begun != Begun::kNone) return begun == Begun::kSome;
      ++inference.step;
      enter(inference, Phase::kQueued);
      return true;
    }
    case Phase::kEnded: return false;
  }
  return false;
}

/// Whether anything moved.
bool advance_all(InferenceState& inference) {
  if (inference.phase == Phase::kEnded) return false;
  if (inference.cancel_requested && (inference.phase != Phase::kRunning || !inference.job)) {
    end(inference, fail(ErrorId::kJobCancelled, "The inference was cancelled"));
    return true;
  }
  if (inference.session->device->device->now() >= inference.deadline && !(inference.job && inference.phase == Phase::kRunning)) {
    // A running job keeps its own deadline in the driver, which knows whether the device still moves.
    end(inference, fail(ErrorId::kDeadline, fmt::format("The inference did not end within {:.3f} ms; {} of {} steps were done", static_cast<double>(inference.allowed.count()) / 1e6, inference.step,
                                                        inference.session->package().steps.size())));
    return true;
  }
  for (bool any = false;; any = true) {
    Result<bool> moved = guarded([&] { return advance(inference); });
    if (!moved) {
      end(inference, fail(std::move(moved).error().while_doing(fmt::format("running step {} of {}", inference.step, inference.session->compiled.name()))));
      return true;
    }
    if (!*moved) return any;
  }
}

}  // namespace

namespace {

void advance_session(SessionState& session) {
  // What several inferences begin now goes together.
  const driver::Device::Gathering gathering(*session.device->device);
  // What one gives back may be what an earlier one waits for.
  for (bool again = true; again;) {
    bool held_up = false;
    again = false;
    for (std::size_t i = 0; i < session.active.size(); ++i) {
      const std::shared_ptr<InferenceState> inference = session.active[i];
      const bool moved = advance_all(*inference);
      again = again || (moved && held_up);
      held_up = held_up || waits_for_room(*inference);
    }
  }
}

void drive_all(SessionState& session, bool look) {
  look ? session.device->device->poll() : session.device->device->take();
  advance_session(session);
  // Callbacks may submit again: they run when the walk over `active` is over.
  std::vector<std::shared_ptr<InferenceState>> ended;
  for (auto it = session.active.begin(); it != session.active.end();) {
    if ((*it)->phase != Phase::kEnded) {
      ++it;
      continue;
    }
    ended.push_back(*it);
    it = session.active.erase(it);
  }
  bool called = false;
  for (const auto& inference : ended)
    if (inference->callback && !inference->result_taken) {
      called = true;
      inference->result_taken = true;
      const auto callback = std::move(inference->callback);
      try {
        callback(std::move(*inference->result));
      } catch (const std::exception& error) {
        log(LogLevel::kError, "sdk", "a callback threw: {}", error.what());
      } catch (...) {
        log(LogLevel::kError, "sdk", "a callback threw");
      }
    }
  if (called) advance_session(session);  // they may have let go of what others wait for
}

}  // namespace

bool travel_with_job(const SessionState& session, const detail::StepPlan& plan) noexcept { return !session.options.split_timing && plan.uploads.size() + plan.downloads.size() <= kTransfersMax; }

bool may_leave_place(const InferenceState& inference) noexcept {
  const SessionState& session = *inference.session;
  return session.leaves_early && inference.phase == Phase::kRunning && inference.job && inference.place && !inference.has_left_place &&
         session.device->device->fence_reached(inference.job->fence()).value_or(false);
}

void drive(SessionState& session, bool look) {
  const Result<void> driven = guarded([&]() -> Result<void> {
    drive_all(session, look);
    return {};
  });
  if (!driven) log(LogLevel::kError, "sdk", "{}", driven.error().message());
  update_events(*session.device);
}

TimePoint before_waiting(SessionState& session) {
  bool held_up = false;
  TimePoint until = kForever;
  for (const auto& inference : session.active) {
    held_up = held_up || waits_for_room(*inference);
    if (!inference->job && inference->phase != Phase::kEnded) until = std::min(until, inference->deadline);
  }
  if (!held_up && session.device->waiting_for_place == 0) return until;
  const Result<void> driven = guarded([&]() -> Result<void> {
    const auto waits = [](const auto& inference) { return waits_for_place(*inference); };
    for (const auto& other : sessions_of(*session.device))
      if (other.get() != &session && (held_up || std::ranges::any_of(other->active, waits))) advance_session(*other);  // their callbacks are for their own calls
    return {};
  });
  if (!driven) log(LogLevel::kError, "sdk", "{}", driven.error().message());
  return held_up ? std::min(until, session.device->device->now() + kBusyTick) : until;
}

void abandon(InferenceState& inference) {
  inference.callback = nullptr;
  if (inference.phase != Phase::kEnded) end(inference, fail(ErrorId::kJobCancelled, "The inference was dropped"));
  auto& active = inference.session->active;
  std::erase_if(active, [&](const auto& other) { return other.get() == &inference; });
  update_events(*inference.session->device);
}

}  // namespace naru::sdk::runtime
