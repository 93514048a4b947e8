// A session binds a model to a device: tensors in, tensors out; synchronous or asynchronous through the same object.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "naru/compile.h"
#include "naru/device.h"
#include "naru/model.h"
#include "naru/tensor.h"

namespace naru {

namespace detail {
struct SessionState;
struct InferenceState;
}  // namespace detail

/// Where an inference's time went. Device and link figures are modelled when the device is simulated; wall figures are measured on this host.
struct Timing {
  std::uint64_t device_cycles = 0;             // dispatch to END, summed over the NPU jobs
  std::chrono::nanoseconds device{0};          // those cycles at the chip's clock
  std::chrono::nanoseconds upload{0}, download{0};  // on the transport's clock: modelled when it is virtual
  std::chrono::nanoseconds wall{0};            // submit to done on this host's clock, host steps included
  std::chrono::nanoseconds wall_upload{0}, wall_device{0}, wall_download{0}, wall_host{0};
};

struct RunOptions {
  /// From submit to outputs on the host; expiry cancels the job and is kDeadline. 0: the session's default.
  std::chrono::nanoseconds deadline{0};
  /// The inputs become the inference's own instead of being copied for it. Session::input() then holds other bytes of the same size, of no meaning, to be filled in
  /// anew; views taken before must not be written to any more. If submit() fails, the inputs may or may not have been handed over.
  bool hand_over_inputs = false;
};

/// Results of one inference. Owns its bytes; move only.
class NARU_API Outputs {
 public:
  struct Data;
  explicit Outputs(std::unique_ptr<Data> data) noexcept;
  Outputs(Outputs&&) noexcept;
  Outputs& operator=(Outputs&&) noexcept;
  ~Outputs();

  [[nodiscard]] std::size_t size() const noexcept;
  /// index < size(); views live as long as this object.
  [[nodiscard]] TensorView at(std::size_t index) const;
  /// A tensor that SessionOptions kept, by its number in the model file; kInvalidArgument when it was not kept.
  [[nodiscard]] Result<TensorView> tensor(std::int32_t file_index) const;
  [[nodiscard]] const Timing& timing() const noexcept;

 private:
  std::unique_ptr<Data> data_;
};

/// One submitted inference. Dropping it cancels (a callback given to then() is not called any more). Thread: its session's.
class NARU_API Inference {
 public:
  explicit Inference(std::shared_ptr<detail::InferenceState> state) noexcept;
  Inference(Inference&&) noexcept;
  Inference& operator=(Inference&&) noexcept;
  ~Inference();

  /// Lets work go on and says whether this inference has ended. Never blocks.
  [[nodiscard]] bool poll();
  /// Blocks until it ended, bounded by its deadline. Gives the outputs once; a second call is kWrongThreadOrState.
  [[nodiscard]] Result<Outputs> wait();
  /// Asks for an early end; wait() then says kJobCancelled, or gives outputs when the race was lost.
  void cancel();
  /// Called once with the result, from a later poll() or wait() of this session, never from inside this call. Takes the place of wait().
  /// What the callback throws is logged and dropped.
  void then(std::function<void(Result<Outputs>)> callback);
  /// The result as a future, on top of then(), whose place it takes. It becomes ready in a later poll() or wait() of this session or of the device, on the thread
  /// that calls it: nobody else makes it ready, so get() belongs on another thread, or after wait_for(0s) said that it is there. A broken promise is not met: when
  /// this is dropped first (`session.submit()->future()` drops it at once) or another callback takes the place, the future holds kJobCancelled; when the result was
  /// taken already, kWrongThreadOrState.
  [[nodiscard]] std::future<Result<Outputs>> future();

 private:
  std::shared_ptr<detail::InferenceState> state_;
};

struct SessionOptions {
  std::vector<std::int32_t> keep_tensors;    // see CompileSettings
  bool keep_all_tensors = false;
  bool fuse = true;
  /// Inferences in flight, 1 to 64 (one at a time for a model with state); one more waits in submit(). As many of them have a place on the device as its memory
  /// holds and keeps it and the cable busy; the others get theirs in the order in which they were submitted.
  std::uint32_t depth = 4;
  std::chrono::nanoseconds default_deadline = std::chrono::seconds(10);
  /// Upload, job and download one after the other, so that Timing can tell them apart. Without it a small inference is one transfer out and one in,
  /// and Timing knows the device's cycles and the whole only.
  bool split_timing = false;
  std::chrono::nanoseconds compile_time_limit = std::chrono::seconds(60);  // of a source: see CompileSettings::time_limit
  bool resident_weights = false;             // see CompileSettings; a package that was compiled so is run so in any case
};

/// Thread: one at a time, together with its device. Keeps device and model alive.
class NARU_API Session {
 public:
  /// Compiles a source for this very chip, checks a package's requirements, verifies its streams, uploads constants.
  /// Errors: 02xx, 04xx, 05xx, 06xx, and those of the device.
  [[nodiscard]] static Result<Session> create(const Device& device, const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  [[nodiscard]] const std::vector<TensorInfo>& inputs() const noexcept;
  [[nodiscard]] const std::vector<TensorInfo>& outputs() const noexcept;
  /// To fill before run() or submit(); index < inputs().size(). Its bytes are copied at submit and keep their values.
  [[nodiscard]] MutableTensorView input(std::size_t index);

  [[nodiscard]] Result<Outputs> run(const RunOptions& options = {});
  [[nodiscard]] Result<Inference> submit(const RunOptions& options = {});

  /// For programs with an event loop of their own, see Device::event_descriptor() and Device::poll().
  /// Blocks until something happened on the device, at most so long, then lets all inferences go on and calls callbacks: the loop of a program
  /// that uses then(). On a virtual clock this is what lets time pass.
  void wait(std::chrono::nanoseconds at_most);

  /// State (variables, recurrent cells) back to its first values.
  [[nodiscard]] Result<void> reset_state();

  /// The package that runs, for summarize() and disassemble().
  [[nodiscard]] const Model& package() const noexcept;
  /// How long compiling took in create(), measured; 0 for a package.
  [[nodiscard]] std::chrono::nanoseconds compile_time() const noexcept;

 private:
  explicit Session(std::shared_ptr<detail::SessionState> state) noexcept;
  std::shared_ptr<detail::SessionState> state_;
};

/// One operator's comparison of device and reference.
struct CheckRow {
  std::int32_t operator_index = -1;
  std::string kind, name;
  std::int32_t tensor = -1;
  std::size_t elements = 0, differing = 0;
  std::size_t rounded = 0;       // of those that agree: float values that do so within the tolerance only
  std::string first_difference;  // "element 17: device 3, reference 4"
};
struct CheckReport {
  bool equal = true;             // outputs, and operators as far as they were compared
  std::vector<CheckRow> outputs; // of the shipped package
  /// Every operator of the same model compiled without fusion, in order, up to the first that differs: an error that a later operator hides shows here.
  std::vector<CheckRow> operators;
  /// Why operators were not compared one by one (not even one result fits the device's memory beside the session, say); empty when they were.
  std::string operators_skipped;
};
/// Judges inference after inference of one session: it keeps the model's state as the reference computes it, so it must be given every inference since the
/// session began or its state was reset, in order. Thread: one at a time, together with its device.
class NARU_API Checker {
 public:
  /// Needs the source model: the reference runs the model. Also compiles it without fusion, to compare operator by operator.
  [[nodiscard]] static Result<Checker> create(const Device& device, const Model& source);
  Checker(Checker&&) noexcept;
  Checker& operator=(Checker&&) noexcept;
  ~Checker();

  /// Judges `outputs` for `inputs` against the reference, then the model's operators one by one on the device. Codes are compared bit by bit, float values
  /// within 1e-5 of the larger of 1 and the value. Where the device's memory cannot hold all operators' results at once, they are compared in groups, an
  /// inference each; a model with state then repeats what came before, so that the n-th call costs n inferences a group.
  [[nodiscard]] Result<CheckReport> check(std::span<const std::vector<std::byte>> inputs, const Outputs& outputs);
  /// State back to its first values, as Session::reset_state().
  [[nodiscard]] Result<void> reset_state();

 private:
  struct Data;
  explicit Checker(std::unique_ptr<Data> data) noexcept;
  std::unique_ptr<Data> data_;
};
/// The first inference of a session, judged by a Checker of its own.
[[nodiscard]] NARU_API Result<CheckReport> check(const Device& device, const Model& source, std::span<const std::vector<std::byte>> inputs, const Outputs& outputs);

}  // namespace naru
