// naru bench: how long inferences of a model take on a device and how many it does a second, one at a time and several in flight.
#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "interrupt.h"
#include "text.h"

namespace naru::cli {
namespace {

using std::chrono::steady_clock;

constexpr std::uint32_t kDepthMax = 16;
constexpr std::size_t kRunsMin = 5;      // per depth, however long one takes
constexpr std::size_t kRunsMax = 100'000;

struct BenchOptions : ModelCommon {
  std::string device;
  double seconds = 1;
  std::vector<std::uint32_t> depths = {1, 2, 4, 8, 16};
  bool resident = false;
};

struct DepthRow {
  std::uint32_t depth = 1;
  std::size_t runs = 0;
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  // submit to outputs, on this host's clock
  double per_second = 0;
  std::uint64_t device_cycles = 0;  // of one inference, the median
  double device_ms = 0;
};

double milliseconds_of(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e6; }

/// `values` is put in order.
double percentile(std::vector<double>& values, double share) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1) + 0.5)];
}

Result<DepthRow> measure(Session& session, std::uint32_t depth, double seconds, const Interruption& asked) {
  NARU_TRY(const Outputs warm, session.run());  // and with it what is done once
  std::vector<double> wall, cycles, device;
  std::deque<Inference> flying;
  const auto take = [&]() -> Result<void> {
    NARU_TRY(const Outputs outputs, flying.front().wait());
    flying.pop_front();
    wall.push_back(milliseconds_of(outputs.timing().wall));
    cycles.push_back(static_cast<double>(outputs.timing().device_cycles));
    device.push_back(milliseconds_of(outputs.timing().device));
    return {};
  };
  const auto start = steady_clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(steady_clock::now() - start).count(); };
  while (wall.size() + flying.size() < kRunsMax && (passed() < seconds || wall.size() < kRunsMin)) {
    if (asked.requested()) return fail(Error(ErrorId::kJobCancelled, "A signal ended the bench early").with_remedy("Repeat it when it is wanted."));
    if (flying.size() == depth) NARU_CHECK_OK(take());
    NARU_TRY(Inference inference, session.submit());
    flying.push_back(std::move(inference));
  }
  while (!flying.empty()) NARU_CHECK_OK(take());
  DepthRow row{.depth = depth, .runs = wall.size()};
  row.per_second = static_cast<double>(row.runs) / passed();
  row.p50_ms = percentile(wall, 0.5), row.p90_ms = percentile(wall, 0.9), row.p99_ms = percentile(wall, 0.99);
  row.device_cycles = static_cast<std::uint64_t>(percentile(cycles, 0.5));
  row.device_ms = percentile(device, 0.5);
  return row;
}

int print_json(const Device& device, const Model& model, const std::vector<DepthRow>& rows) {
  Json json = document("bench", device.info().simulated);
  json["model"] = model.name();
  json["device"] = device.info().selector;
  json["modelled"] = {{"device_cycles", rows.front().device_cycles}, {"device_ms", rows.front().device_ms}, {"per_second", rows.front().device_ms > 0 ? Json(1e3 / rows.front().device_ms) : Json()}};
  json["depths"] = Json::array();
  for (const DepthRow& row : rows)
    json["depths"].push_back({{"depth", row.depth}, {"runs", row.runs}, {"wall_p50_ms", row.p50_ms}, {"wall_p90_ms", row.p90_ms}, {"wall_p99_ms", row.p99_ms}, {"wall_per_second", row.per_second}});
  print(json);
  return 0;
}

int bench(const BenchOptions& options) {
  const Interruption asked;
  const Result<Model> source = Model::load(options.model, options.signature);
  if (!source) return report(source.error(), options, "bench");
  Result<Device> device = choose_device(options.device, true);
  if (!device) return report(device.error(), options, "bench");
  const DeviceInfo& info = device->info();
  Result<Session> session = Session::create(*device, *source, {.keep_tensors = {}, .depth = std::ranges::max(options.depths), .resident_weights = options.resident});
  if (!session) return report(session.error(), options, "bench", info.simulated);
  for (std::size_t i = 0; i < session->inputs().size(); ++i)
    if (const Result<void> filled = fill_with_zero(session->input(i)); !filled) return report(filled.error(), options, "bench", info.simulated);
  std::vector<DepthRow> rows;
  for (const std::uint32_t depth : options.depths) {
    const Result<DepthRow> row = measure(*session, depth, options.seconds, asked);
    if (!row) return report(row.error(), options, "bench", info.simulated);
    rows.push_back(*row);
  }
  if (options.json) return print_json(*device, *source, rows);
  const DepthRow& first = rows.front();
  fmt::print("  model    {}\n  device   {}{}\n", source->name(), info.selector, info.simulated ? " (simulated)" : "");
  if (first.device_cycles == 0)
    fmt::print("  modelled nothing runs on the NPU\n");
  else
    fmt::print("  modelled {} cycles, {:.3f} ms on the device: at most {:.1f} inferences a second\n", with_commas(first.device_cycles), first.device_ms, 1e3 / first.device_ms);
  fmt::print("\n  wall time of this host{}, submit to outputs\n", info.simulated ? ", which computes what a chip would" : "");
  fmt::print("  {:>5} {:>8} {:>11} {:>11} {:>11} {:>12}\n", "DEPTH", "RUNS", "P50 ms", "P90 ms", "P99 ms", "PER SECOND");
  for (const DepthRow& row : rows) fmt::print("  {:>5} {:>8} {:>11.3f} {:>11.3f} {:>11.3f} {:>12.1f}\n", row.depth, row.runs, row.p50_ms, row.p90_ms, row.p99_ms, row.per_second);
  return 0;
}

}  // namespace

void add_bench(App& app) {
  const auto options = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_verb("bench", "Measure a model on a device: latency and throughput, several in flight", "naru bench models/digits/digits.tflite --device mock --seconds 0.2", *options, [options] { return bench(*options); });
  add_model_options(verb, *options);
  add_device_option(verb, options->device, true);
  add_threads_option(verb, options->device);
  verb->add_option("--seconds", options->seconds, "How long to measure each depth (default: 1; at least 5 inferences)")->check(CLI::Range(0.0, 3600.0));
  verb->add_option("--depth", options->depths, "Inferences in flight, 1 to 16; may be given several times (default: 1, 2, 4, 8 and 16)")->check(CLI::Range(1U, kDepthMax))->expected(1)->take_all();
  verb->add_flag("--resident", options->resident, "Leave the weights in the SRAM between inferences, where they fit");
}

}  // namespace naru::cli
