// naru run: a model on a device, with inputs from files; prints results, times and, when asked, comparisons and counters.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "image.h"
#include "interrupt.h"
#include "naru/base/file.h"
#include "text.h"

namespace naru::cli {
namespace {

using std::chrono::nanoseconds;

struct RunVerbOptions : ModelCommon {
  std::string device, output_dir, labels;
  std::vector<std::string> inputs;
  std::vector<std::int32_t> tensors;
  std::size_t steps = 1, repeat = 1;
  double deadline_ms = 0;  // 0: the session's own
  Normalization normalization;
  double mean = 0, std = 1;
  bool check = false, counters = false, draw = false, resident = false;
};

/// Input bytes per step and input.
using StepInputs = std::vector<std::vector<std::vector<std::byte>>>;

struct RunResult {
  std::vector<std::vector<std::byte>> outputs;                            // concatenated over steps
  std::vector<std::pair<std::int32_t, std::vector<std::byte>>> tensors;   // likewise
  std::vector<Timing> timings;
  std::vector<CheckReport> checks;
  std::vector<CounterReading> counters;  // after the runs and before the comparison's own jobs
  std::vector<Class> top_classes;
  std::string drawing;
};

Result<StepInputs> read_inputs(const RunVerbOptions& options, const Session& session) {
  const std::vector<TensorInfo>& infos = session.inputs();
  StepInputs steps(options.steps, std::vector<std::vector<std::byte>>(infos.size()));
  bool has_image = false;
  const auto check_normalization = [&]() -> Result<void> {
    if (has_image || (!options.normalization.mean && !options.normalization.std)) return {};
    return fail(Error(ErrorId::kInvalidArgument, "--mean and --std are for images, and no input is one").with_remedy("Leave them out, or give a PNG, BMP or PPM with --input."));
  };
  if (options.inputs.empty()) {
    NARU_CHECK_OK(check_normalization());
    for (auto& step : steps)
      for (std::size_t i = 0; i < infos.size(); ++i) {
        step[i].resize(infos[i].bytes);
        NARU_CHECK_OK(fill_with_zero({infos[i], step[i]}));
      }
    return steps;
  }
  if (options.inputs.size() != infos.size())
    return fail(ErrorId::kInvalidArgument, fmt::format("{} --input file{} for a model with {} input{}", options.inputs.size(), options.inputs.size() == 1 ? "" : "s", infos.size(), infos.size() == 1 ? "" : "s"));
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const std::string& path = options.inputs[i];
    NARU_TRY(std::vector<std::byte> bytes, read_file(path));
    if (is_image(bytes, infos[i].bytes * options.steps)) {
      has_image = true;
      NARU_TRY(bytes, image_to_tensor(bytes, infos[i], options.normalization, path));
      for (auto& step : steps) step[i] = bytes;
      continue;
    }
    if (bytes.size() != infos[i].bytes * options.steps)
      return fail(ErrorId::kInputSize, fmt::format("{} has {} bytes; input \"{}\" ({}) takes {}{}", path, bytes.size(), infos[i].name, shape_text(infos[i]), infos[i].bytes,
                                                   options.steps == 1 ? "" : fmt::format(" x {} steps", options.steps)));
    for (std::size_t s = 0; s < options.steps; ++s)
      steps[s][i].assign(bytes.begin() + static_cast<std::ptrdiff_t>(s * infos[i].bytes), bytes.begin() + static_cast<std::ptrdiff_t>((s + 1) * infos[i].bytes));
  }
  NARU_CHECK_OK(check_normalization());
  return steps;
}

void append(std::vector<std::byte>& target, std::span<const std::byte> bytes) { target.insert(target.end(), bytes.begin(), bytes.end()); }

/// One vector of scores. One as long as an input is what an autoencoder gives back; labels say that it is meant as classes all the same.
bool is_classifier(const Session& session, bool has_labels) {
  if (session.outputs().size() != 1) return false;
  const auto elements = [](const TensorInfo& info) { return info.bytes / std::max<std::size_t>(1, size_of(info.type)); };
  const TensorInfo& output = session.outputs()[0];
  const std::size_t classes = output.shape.empty() ? 0 : static_cast<std::size_t>(output.shape.back());
  if (classes < 2 || elements(output) != classes) return false;
  return has_labels || std::ranges::none_of(session.inputs(), [&](const TensorInfo& input) { return elements(input) == classes; });
}

Error interruption() { return Error(ErrorId::kJobCancelled, "A signal ended the run early").with_remedy("Repeat it when it is wanted; nothing was written."); }

/// session.run(), ended early by a signal. Waits in slices where time is real: a blocking wait would not see the signal.
Result<Outputs> run_once(Session& session, const RunOptions& options, bool virtual_time, const Interruption& asked) {
  if (asked.requested()) return fail(interruption());
  if (virtual_time) return session.run(options);
  NARU_TRY(Inference inference, session.submit(options));
  while (!inference.poll()) {
    if (asked.requested()) {
      inference.cancel();
      static_cast<void>(inference.wait());
      return fail(interruption());
    }
    session.wait(std::chrono::milliseconds(20));
  }
  return inference.wait();
}

Result<RunResult> run_steps(const RunVerbOptions& options, Device& device, const Model& model, Session& session, const StepInputs& inputs, const Interruption& asked) {
  const RunOptions run_options{.deadline = nanoseconds(static_cast<std::int64_t>(options.deadline_ms * 1e6))};
  RunResult result;
  result.outputs.resize(session.outputs().size());
  for (std::int32_t tensor : options.tensors) result.tensors.push_back({tensor, {}});
  std::vector<Outputs> to_check;
  for (std::size_t repetition = 0; repetition < options.repeat; ++repetition) {
    const bool last = repetition + 1 == options.repeat;
    NARU_CHECK_OK(session.reset_state());
    for (const auto& step : inputs) {
      for (std::size_t i = 0; i < step.size(); ++i) {
        MutableTensorView view = session.input(i);
        NARU_CHECK_OK(view.fill_from(std::span<const std::byte>(step[i])));
      }
      NARU_TRY(Outputs outputs, run_once(session, run_options, device.info().virtual_time, asked));
      result.timings.push_back(outputs.timing());
      if (!last) continue;
      for (std::size_t i = 0; i < outputs.size(); ++i) append(result.outputs[i], outputs.at(i).bytes());
      for (auto& [tensor, bytes] : result.tensors) {
        NARU_TRY(const TensorView view, outputs.tensor(tensor));
        append(bytes, view.bytes());
      }
      if (is_classifier(session, !options.labels.empty())) result.top_classes = top(outputs.at(0), 3);
      if (options.check) to_check.push_back(std::move(outputs));
    }
  }
  if (options.counters) {
    NARU_TRY(result.counters, device.counters());
  }
  if (options.check) {
    NARU_TRY(Checker checker, Checker::create(device, model));
    for (std::size_t i = 0; i < to_check.size(); ++i) {
      if (asked.requested()) return fail(interruption());
      NARU_TRY(CheckReport checked, checker.check(inputs[i], to_check[i]));
      result.checks.push_back(std::move(checked));
    }
  }
  if (options.draw && !inputs.empty() && !session.inputs().empty()) result.drawing = draw(TensorView(session.inputs()[0], inputs.back()[0]));
  return result;
}

Result<std::vector<std::string>> read_labels(const std::string& path) {
  std::vector<std::string> labels;
  if (path.empty()) return labels;
  NARU_TRY(const std::vector<std::byte> bytes, read_file(path));
  std::string line;
  for (std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    if (c == '\n') {
      labels.push_back(line);
      line.clear();
    } else if (c != '\r') {
      line += c;
    }
  }
  if (!line.empty()) labels.push_back(line);
  for (const std::string& label : labels)
    if (std::ranges::any_of(label, [](unsigned char c) { return c < ' ' && c != '\t'; }))
      return fail(Error(ErrorId::kInvalidArgument, fmt::format("{} is not a text with a name per line", path)).with_remedy("Give a text file: line n is the name of class n."));
  return labels;
}

/// One name per class, or nobody knows which class a name belongs to (lists of 1,000 ImageNet classes exist with and without a background class).
Result<void> check_labels(const std::vector<std::string>& labels, const RunVerbOptions& options, const Session& session) {
  if (options.labels.empty()) return {};
  if (!is_classifier(session, true))
    return fail(Error(ErrorId::kInvalidArgument, "--labels is for models with one output of one score per class").with_remedy("Leave it out."));
  const auto classes = static_cast<std::size_t>(session.outputs()[0].shape.back());
  if (labels.size() == classes) return {};
  return fail(Error(ErrorId::kInvalidArgument, fmt::format("{} has {} lines; the model has {} classes", options.labels, labels.size(), classes)).with_remedy("Give a file with the name of class n in line n."));
}

Result<void> write_outputs(const RunVerbOptions& options, const RunResult& result) {
  const std::string folder = options.output_dir.empty() ? "." : options.output_dir;
  std::error_code made;
  if (!options.output_dir.empty() && !std::filesystem::is_directory(options.output_dir, made) && !std::filesystem::create_directories(options.output_dir, made) && made)
    return fail(ErrorId::kFileUnwritable, fmt::format("The folder {} cannot be made: {}", options.output_dir, made.message()));
  if (!options.output_dir.empty())
    for (std::size_t i = 0; i < result.outputs.size(); ++i) NARU_CHECK_OK(write_file(fmt::format("{}/output{}.bin", folder, i), result.outputs[i]));
  for (const auto& [tensor, bytes] : result.tensors) NARU_CHECK_OK(write_file(fmt::format("{}/tensor{}.bin", folder, tensor), bytes));
  return {};
}

Timing median(std::vector<Timing> timings) {
  std::sort(timings.begin(), timings.end(), [](const Timing& a, const Timing& b) { return a.wall < b.wall; });
  return timings[timings.size() / 2];
}

std::string label_of(const std::vector<std::string>& labels, std::size_t index) {
  return index < labels.size() ? labels[index] : fmt::format("class {}", index);
}

const CheckRow* first_difference(const CheckReport& report) {
  for (const std::vector<CheckRow>* rows : {&report.operators, &report.outputs})
    for (const CheckRow& row : *rows)
      if (row.differing != 0) return &row;
  return nullptr;
}

/// Of all that were compared: floats that differ in bits and agree within the tolerance.
std::size_t rounded_elements(const std::vector<CheckReport>& reports) {
  std::size_t count = 0;
  for (const CheckReport& report : reports)
    for (const std::vector<CheckRow>* rows : {&report.operators, &report.outputs})
      for (const CheckRow& row : *rows) count += row.rounded;
  return count;
}

int checks_exit_code(const RunVerbOptions& options, const RunResult& result) {
  for (const CheckReport& checked : result.checks) {
    if (checked.equal) continue;
    const CheckRow* row = first_difference(checked);
    const Error error(ErrorId::kCheckDiffers,
                      row == nullptr ? "The device's outputs differ from the reference"
                      : row->operator_index >= 0
                          ? fmt::format("Device and reference differ first at operator {} {} \"{}\" (tensor {}): {} of {} elements, {}", row->operator_index, row->kind, row->name, row->tensor, row->differing,
                                        row->elements, row->first_difference)
                          : fmt::format("Device and reference differ at output \"{}\" (tensor {}): {} of {} elements, {}", row->name, row->tensor, row->differing, row->elements, row->first_difference));
    return report(error, Common{.json = false, .verbose = options.verbose}, "run");
  }
  return 0;
}

/// Upload and download are modelled only where the cable itself is: in this process.
Json to_json(const Timing& timing, nanoseconds compile, bool cable_is_modelled) {
  const auto ms = [](nanoseconds time) { return static_cast<double>(time.count()) / 1e6; };
  return {{"compile_wall_ms", ms(compile)}, {"device_cycles", timing.device_cycles}, {"modelled", {{"upload_ms", cable_is_modelled ? Json(ms(timing.upload)) : Json()}, {"device_ms", ms(timing.device)}, {"download_ms", cable_is_modelled ? Json(ms(timing.download)) : Json()}}},
          {"wall", {{"upload_ms", ms(timing.wall_upload)}, {"device_ms", ms(timing.wall_device)}, {"download_ms", ms(timing.wall_download)}, {"host_ms", ms(timing.wall_host)}, {"total_ms", ms(timing.wall)}}}};
}

int print_json(const RunVerbOptions& options, const Device& device, const Model& model, const Session& session, const RunResult& result, const std::vector<std::string>& labels) {
  Json json = document("run", device.info().simulated);
  json["device"] = device.info().selector;
  json["model"] = model.name();
  for (const TensorInfo& info : session.inputs()) json["inputs"].push_back(cli::to_json(info));
  for (const TensorInfo& info : session.outputs()) json["outputs"].push_back(cli::to_json(info));
  json["top"] = Json::array();
  for (const Class& c : result.top_classes) json["top"].push_back({{"class", c.index}, {"label", label_of(labels, c.index)}, {"score", c.score}});
  json["timing"] = to_json(median(result.timings), session.compile_time(), device.info().virtual_time);
  json["timing"]["first_device_cycles"] = result.timings.front().device_cycles;
  json["runs"] = result.timings.size();
  if (options.check) {
    json["check"] = {{"equal", std::all_of(result.checks.begin(), result.checks.end(), [](const CheckReport& c) { return c.equal; })}, {"operators_compared", result.checks.empty() ? 0 : result.checks.back().operators.size()}};
    if (!result.checks.empty() && !result.checks.back().operators_skipped.empty()) json["check"]["operators_skipped"] = result.checks.back().operators_skipped;
    json["check"]["floats_within_tolerance"] = rounded_elements(result.checks);
    const auto differs = std::ranges::find_if(result.checks, [](const CheckReport& checked) { return first_difference(checked) != nullptr; });
    if (differs != result.checks.end()) {
      const CheckRow* row = first_difference(*differs);
      json["check"]["first_difference"] = {{"inference", differs - result.checks.begin()}, {"operator", row->operator_index}, {"kind", row->kind}, {"tensor", row->tensor}, {"differing", row->differing}, {"elements", row->elements}, {"detail", row->first_difference}};
    }
  }
  if (options.counters) {
    for (const CounterReading& counter : result.counters) json["counters"][counter.name] = counter.value;
  }
  const int code = checks_exit_code(options, result);
  json["exit_code"] = code;
  print(json);
  return code;
}

int print_text(const RunVerbOptions& options, const Device& device, const Model& model, const Session& session, const RunResult& result, const std::vector<std::string>& labels) {
  const DeviceInfo& info = device.info();
  if (!result.drawing.empty()) fmt::print("{}", result.drawing);
  fmt::print("  device   {}{}\n", info.selector, info.simulated ? " (simulated)" : "");
  fmt::print("  model    {}", model.name());
  if (const Result<ModelSummary> summary = summarize(session.package())) {
    const auto on_host = std::count_if(summary->operators.begin(), summary->operators.end(), [](const OperatorSummary& op) { return op.placement == "host"; });
    if (summary->profile != info.profile) fmt::print("  (compiled for {})", summary->profile);
    fmt::print("  {} operators, {}, {} MAC", summary->operators.size(), on_host == 0 ? "all on the NPU" : fmt::format("{} on the host", on_host), with_commas(summary->macs));
  }
  fmt::print("\n");
  for (const TensorInfo& tensor : session.inputs()) fmt::print("  input    {}  {}{}\n", tensor.name, shape_text(tensor), options.inputs.empty() ? "  (no --input: zeros)" : "");
  for (const TensorInfo& tensor : session.outputs()) fmt::print("  output   {}  {}\n", tensor.name, shape_text(tensor));
  if (!result.top_classes.empty()) {
    std::string line;
    for (const Class& c : result.top_classes) line += fmt::format("{}{} {:.2f}", line.empty() ? "" : " · ", label_of(labels, c.index), c.score);
    fmt::print("  result   {}\n", line);
  }
  const Timing timing = median(result.timings);
  const char* modelled = info.simulated ? ", modelled" : "";
  const std::uint64_t first = result.timings.front().device_cycles;
  const std::string cycles = with_commas(timing.device_cycles) + (first == timing.device_cycles ? " cycles" : fmt::format(" cycles; {} the first time", with_commas(first)));
  if (info.virtual_time)
    fmt::print("  time     upload {} · device {} ({}) · download {}{}\n", milliseconds(timing.upload), milliseconds(timing.device), cycles, milliseconds(timing.download), modelled);
  else
    fmt::print("  time     device {} ({}){}\n", milliseconds(timing.device), cycles, modelled);
  fmt::print("  wall     compile {} · upload {} · device {} · download {} · host steps {} · run {}{}\n", milliseconds(session.compile_time()), milliseconds(timing.wall_upload),
             milliseconds(timing.wall_device), milliseconds(timing.wall_download), milliseconds(timing.wall_host), milliseconds(timing.wall),
             result.timings.size() > 1 ? fmt::format(" (median of {})", result.timings.size()) : "");
  if (!options.output_dir.empty())
    for (std::size_t i = 0; i < result.outputs.size(); ++i) fmt::print("  wrote    {}/output{}.bin ({} bytes)\n", options.output_dir, i, result.outputs[i].size());
  for (const auto& [tensor, bytes] : result.tensors) fmt::print("  wrote    {}/tensor{}.bin ({} bytes)\n", options.output_dir.empty() ? "." : options.output_dir, tensor, bytes.size());
  if (options.counters) {
    for (const CounterReading& counter : result.counters)
      if (counter.value != 0) fmt::print("  counter  {:<34} {:>18}\n", counter.name, with_commas(counter.value));
  }
  const int code = checks_exit_code(options, result);
  if (options.check && code == 0) {
    const CheckReport& last = result.checks.back();
    const std::size_t within = rounded_elements(result.checks);
    const std::string how = within == 0 ? "bit by bit" : fmt::format("codes bit by bit, {} float value{} within 1e-5", with_commas(within), within == 1 ? "" : "s");
    fmt::print("  check    outputs equal the reference's, {}, in {} inference{}; {}\n", how, result.checks.size(), result.checks.size() == 1 ? "" : "s",
               last.operators_skipped.empty() ? fmt::format("so do {} operators' results one by one", last.operators.size()) : "operators were not compared one by one: " + last.operators_skipped);
  }
  return code;
}

int run_model(RunVerbOptions& options, bool has_mean, bool has_std) {
  const Interruption asked;
  if (has_mean) options.normalization.mean = options.mean;
  if (has_std) options.normalization.std = options.std;
  const Result<Model> model = Model::load(options.model, options.signature);
  if (!model) return report(model.error(), options, "run");
  if (options.check && model->is_compiled())
    return report(Error(ErrorId::kInvalidArgument, "--check needs the model, not a package: the reference runs the model").with_remedy("Give the .tflite file."), options, "run");
  const Result<std::vector<std::string>> labels = read_labels(options.labels);
  if (!labels) return report(labels.error(), options, "run");
  Result<Device> device = choose_device(options.device, true);
  if (!device) return report(device.error(), options, "run");
  Result<Session> session = Session::create(*device, *model, {.keep_tensors = options.tensors, .split_timing = true, .resident_weights = options.resident});
  if (!session) return report(session.error(), options, "run", device->info().simulated);
  if (const Result<void> fits = check_labels(*labels, options, *session); !fits) return report(fits.error(), options, "run", device->info().simulated);
  const Result<StepInputs> inputs = read_inputs(options, *session);
  if (!inputs) return report(inputs.error(), options, "run", device->info().simulated);
  const Result<RunResult> result = run_steps(options, *device, *model, *session, *inputs, asked);
  if (!result) return report(result.error(), options, "run", device->info().simulated);
  const Result<void> written = write_outputs(options, *result);
  if (!written) return report(written.error(), options, "run", device->info().simulated);
  return options.json ? print_json(options, *device, *model, *session, *result, *labels) : print_text(options, *device, *model, *session, *result, *labels);
}

}  // namespace

void add_run(App& app) {
  const auto options = std::make_shared<RunVerbOptions>();
  const auto mean_given = std::make_shared<CLI::Option*>(nullptr);
  const auto std_given = std::make_shared<CLI::Option*>(nullptr);
  CLI::App* verb = app.add_verb("run", "Run a model or package on a device (plugged in, else mock:edge)", "naru run models/digits/digits.tflite --input models/digits/samples/digit7.png --draw", *options,
                                [options, mean_given, std_given] { return run_model(*options, (*mean_given)->count() > 0, (*std_given)->count() > 0); });
  add_model_options(verb, *options);
  add_device_option(verb, options->device, true);
  add_threads_option(verb, options->device);
  verb->add_option("--input", options->inputs, "A raw little-endian tensor, or a PNG, BMP or PPM; once per model input, in order")->allow_extra_args(false);
  verb->add_option("--output-dir", options->output_dir, "Write output0.bin, ... here; made if it is not there");
  verb->add_option("--deadline", options->deadline_ms, "Milliseconds that one inference may take, of the device's time where that is modelled; exit code 12 after that (default: 10000)")->check(CLI::Range(0.001, 86400000.0));
  verb->add_option("--steps", options->steps, "Inferences, one after another, state kept between them; each input file is this many equal slices, each output file too")->check(CLI::Range(1, 1000000));
  verb->add_option("--repeat", options->repeat, "Do it all this many times; times are medians")->check(CLI::Range(1, 1000000));
  verb->add_option("--tensor", options->tensors, "Also write tensorINDEX.bin (into --output-dir, else here): a tensor of the model file, by the number that `naru inspect` prints; repeatable")->allow_extra_args(false);
  verb->add_flag("--resident", options->resident, "Leave the weights in the SRAM between inferences, where they fit: only the first loads them");
  verb->add_flag("--check", options->check, "Compare outputs, then operator by operator, with the reference; name the first that differs");
  verb->add_flag("--counters", options->counters, "Print the counters afterwards");
  verb->add_option("--labels", options->labels, "Class names, one a line");
  *mean_given = verb->add_option("--mean", options->mean, "For images: the real value is (pixel - M) / S; without both, uint8 takes the pixel and int8 the pixel - 128, whatever the tensor's scale");
  *std_given = verb->add_option("--std", options->std, "For images: see --mean; one of the two alone leaves M at 0 or S at 1");
  verb->add_flag("--draw", options->draw, "Draw an image-shaped input in the terminal");
}

}  // namespace naru::cli
