// Sessions, inferences and outputs: the public face of the runtime.
#include "naru/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/compiler.h"
#include "naru/base/log.h"
#include "runtime/cache.h"
#include "runtime/session_state.h"

namespace naru {

using detail::InferenceState;
using detail::Phase;
using detail::SessionState;

// ---- Outputs ----

Outputs::Outputs(std::unique_ptr<Data> data) noexcept : data_(std::move(data)) {}
Outputs::Outputs(Outputs&&) noexcept = default;
Outputs& Outputs::operator=(Outputs&&) noexcept = default;
Outputs::~Outputs() = default;
std::size_t Outputs::size() const noexcept { return data_->output_count; }
TensorView Outputs::at(std::size_t index) const { return {data_->infos[index], data_->bytes[index]}; }
const Timing& Outputs::timing() const noexcept { return data_->timing; }

Result<TensorView> Outputs::tensor(std::int32_t file_index) const {
  for (std::size_t i = 0; i < data_->infos.size(); ++i)
    if (data_->infos[i].file_index == file_index) return TensorView(data_->infos[i], data_->bytes[i]);
  return fail(Error(ErrorId::kInvalidArgument, fmt::format("Tensor {} was not kept", file_index)).with_remedy("Name it in SessionOptions::keep_tensors (naru run --tensor)."));
}

// ---- Inference ----

Inference::Inference(std::shared_ptr<InferenceState> state) noexcept : state_(std::move(state)) {}
Inference::Inference(Inference&&) noexcept = default;
Inference& Inference::operator=(Inference&& other) noexcept {
  if (this != &other) {
    if (state_) sdk::runtime::abandon(*state_);
    state_ = std::move(other.state_);
  }
  return *this;
}
Inference::~Inference() {
  if (state_) sdk::runtime::abandon(*state_);
}

bool Inference::poll() {
  sdk::runtime::drive(*state_->session, true);
  return state_->phase == Phase::kEnded;
}

Result<Outputs> Inference::wait() {
  return sdk::runtime::guarded([&]() -> Result<Outputs> {
    SessionState& session = *state_->session;
    while (state_->phase != Phase::kEnded) {
      sdk::runtime::drive(session);
      if (state_->phase == Phase::kEnded) break;
      // A deadline bounds this: the driver's for a job, the inference's for everything else.
      session.device->device->wait(sdk::runtime::before_waiting(session));
    }
    if (state_->result_taken) return fail(ErrorId::kWrongThreadOrState, "The inference's result was taken already");
    state_->result_taken = true;
    return std::move(*state_->result);
  });
}

void Inference::cancel() {
  state_->cancel_requested = true;
  if (state_->job) state_->job->cancel();
  sdk::runtime::update_events(*state_->session->device);
}

void Inference::then(std::function<void(Result<Outputs>)> callback) {
  state_->callback = std::move(callback);
  // Ended already: drive() has to meet it once more.
  auto& active = state_->session->active;
  if (state_->phase == Phase::kEnded && std::find(active.begin(), active.end(), state_) == active.end()) active.push_back(state_);
  sdk::runtime::update_events(*state_->session->device);
}

namespace {

/// A promise that tells of its own end: kJobCancelled when it goes without a result.
class Promise {
 public:
  Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() {
    if (!kept_) keep(fail(ErrorId::kJobCancelled, "The inference was dropped before it ended"));
  }
  [[nodiscard]] std::future<Result<Outputs>> future() { return promise_.get_future(); }
  void keep(Result<Outputs> result) {
    kept_ = true;
    promise_.set_value(std::move(result));
  }

 private:
  std::promise<Result<Outputs>> promise_;
  bool kept_ = false;
};

}  // namespace

std::future<Result<Outputs>> Inference::future() {
  const auto promise = std::make_shared<Promise>();
  if (!state_ || state_->result_taken) {
    promise->keep(fail(ErrorId::kWrongThreadOrState, "The inference's result was taken already"));
    return promise->future();
  }
  std::future<Result<Outputs>> future = promise->future();
  then([promise](Result<Outputs> result) { promise->keep(std::move(result)); });
  return future;
}

// ---- Session ----

Session::Session(std::shared_ptr<SessionState> state) noexcept : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(const Device& device, const Model& model, const SessionOptions& options) {
  return sdk::runtime::guarded([&]() -> Result<Session> {
    if (options.depth < 1 || options.depth > 64) return fail(ErrorId::kInvalidArgument, fmt::format("SessionOptions::depth is {}; it must be 1 to 64", options.depth));
    Model compiled = model;
    std::chrono::nanoseconds compile_time{0};
    if (!model.is_compiled()) {
      const auto start = std::chrono::steady_clock::now();
      Result<sdk::package::Package> package =
          sdk::runtime::compile_cached(*model.handle(), device.handle()->device->chip(),
                                 {.profile = device.info().profile, .fuse = options.fuse, .keep_tensors = options.keep_tensors, .keep_all_tensors = options.keep_all_tensors,
                                  .resident_weights = options.resident_weights}, options.compile_time_limit);
      if (!package) return fail(std::move(package).error().while_doing(fmt::format("compiling {} for {}", model.name(), device.info().selector)));
      compiled = sdk::runtime::make_model(model.name(), std::move(*package), model.handle()->content_sha256);
      compile_time = std::chrono::steady_clock::now() - start;
    }
    const std::vector<sdk::package::Tensor>& tensors = compiled.handle()->package->tensors;
    for (std::int32_t wanted : options.keep_tensors)
      if (std::ranges::find(tensors, wanted, &sdk::package::Tensor::file_index) == tensors.end())
        return fail(Error(ErrorId::kInvalidArgument, fmt::format("Tensor {} is not in the package {}: it keeps what it was compiled to keep", wanted, model.name()))
                        .with_remedy("Give the .tflite model, or compile it with CompileSettings::keep_tensors (naru compile --tensor)."));
    auto state = std::make_shared<SessionState>(model, std::move(compiled), options.depth);
    state->device = device.handle();
    state->options = options;
    state->compile_time = compile_time;
    state->inputs = state->compiled.inputs();
    state->outputs = state->compiled.outputs();
    for (const TensorInfo& info : state->inputs) state->input_bytes.emplace_back(info.bytes);
    NARU_CHECK_OK_WHILE(sdk::runtime::prepare(*state), fmt::format("preparing {} on {}", model.name(), device.info().selector));
    std::erase_if(device.handle()->sessions, [](const auto& entry) { return entry.expired(); });
    device.handle()->sessions.push_back(state);
    log(LogLevel::kInfo, "sdk", "{} is ready on {}: steps: {}, compiled in {} us", model.name(), device.info().selector, state->package().steps.size(),
        std::chrono::duration_cast<std::chrono::microseconds>(compile_time).count());
    return Session(std::move(state));
  });
}

const std::vector<TensorInfo>& Session::inputs() const noexcept { return state_->inputs; }
const std::vector<TensorInfo>& Session::outputs() const noexcept { return state_->outputs; }
MutableTensorView Session::input(std::size_t index) { return {state_->inputs[index], state_->input_bytes[index]}; }
const Model& Session::package() const noexcept { return state_->compiled; }
std::chrono::nanoseconds Session::compile_time() const noexcept { return state_->compile_time; }

Result<Inference> Session::submit(const RunOptions& options) {
  return sdk::runtime::guarded([&]() -> Result<Inference> {
    driver::Device& device = *state_->device->device;
    const std::chrono::nanoseconds allowed = options.deadline.count() > 0 ? options.deadline : state_->options.default_deadline;
    const TimePoint now = device.now();
    const TimePoint deadline = later(now, allowed);
    const auto free_slot = [&] { return std::find_if(state_->slots.begin(), state_->slots.end(), [](const detail::Slot& slot) { return !slot.busy; }); };
    auto slot = free_slot();
    while (slot == state_->slots.end()) {
      sdk::runtime::drive(*state_);
      slot = free_slot();
      if (slot != state_->slots.end()) break;
      if (device.now() >= deadline) return fail(ErrorId::kDeadline, fmt::format("{} inferences of the session were in flight until the deadline, as many as may be", state_->slots.size()));
      device.wait(std::min(deadline, sdk::runtime::before_waiting(*state_)));
    }
    const sdk::package::Package& package = state_->package();
    for (std::size_t i = 0; i < state_->inputs.size(); ++i) {
      std::vector<std::byte>& given = state_->input_bytes[i];
      std::vector<std::byte>& host = slot->host[package.inputs[i]];
      state_->spare->refill(host, given.size());  // one that is kept went with the last inference's Outputs
      if (options.hand_over_inputs) {
        host.swap(given);
        continue;
      }
      std::copy(given.begin(), given.end(), host.begin());
      state_->device->session_copied_bytes += host.size();
    }
    auto inference = std::make_shared<InferenceState>();
    inference->session = state_;
    inference->slot = static_cast<std::size_t>(slot - state_->slots.begin());
    inference->deadline = deadline;
    inference->allowed = allowed;
    inference->phase_started = now;
    inference->wall_started = inference->wall_phase_started = std::chrono::steady_clock::now();
    state_->active.push_back(inference);
    slot->busy = true;
    ++state_->device->waiting_for_place;  // until it gets one, which may be at once
    sdk::runtime::drive(*state_);
    return Inference(std::move(inference));
  });
}

Result<Outputs> Session::run(const RunOptions& options) {
  NARU_TRY(Inference inference, submit(options));
  return inference.wait();
}

void Session::wait(std::chrono::nanoseconds at_most) {
  driver::Device& device = *state_->device->device;
  device.wait(std::min(later(device.now(), at_most), sdk::runtime::before_waiting(*state_)));
  sdk::runtime::drive(*state_);
}

Result<void> Session::reset_state() {
  if (state_->states.empty()) return {};
  return sdk::runtime::guarded([&]() -> Result<void> {
    return state_->device->device->write(state_->states[0], 0, state_->package().state);
  });
}

}  // namespace naru
