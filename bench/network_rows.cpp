// Whole trained networks through the public API: session, driver, in-process cable, device. Results are held against the golden outputs where there are any.
#include <algorithm>

#include <fmt/format.h>

#include "naru/mock.h"
#include "naru/naru.h"
#include "rows.h"
#include "support/golden_models.h"

namespace naru::bench {
namespace {

double milliseconds(std::chrono::nanoseconds duration) { return static_cast<double>(duration.count()) / 1e6; }

struct TrainedNetwork {
  std::string id, variant;                       // of its rows: net-ID, compile-ID
  std::filesystem::path model, input, expected;  // an empty `expected` is not compared
  std::size_t runs = 1;
};

Result<void> add_network(const TrainedNetwork& network, std::vector<Row>& rows) {
  NARU_TRY(const Model model, Model::load(network.model.string()));
  NARU_TRY(const Device device, open_device("mock:edge"));
  NARU_TRY(Session session, Session::create(device, model));
  const std::vector<std::byte> input = testing::read_all(network.input);
  NARU_CHECK_OK(session.input(0).fill_from(std::span<const std::byte>(input)));
  const std::vector<std::byte> expected = network.expected.empty() ? std::vector<std::byte>() : testing::read_all(network.expected);
  std::vector<double> samples;
  Timing timing;
  for (std::size_t i = 0; i <= network.runs; ++i) {
    Result<Outputs> outputs = fail(ErrorId::kInternal, "not run");
    const Seconds took = time_of([&] { outputs = session.run(); });
    if (!outputs) return fail(std::move(outputs).error());
    timing = outputs->timing();
    const std::span<const std::byte> bytes = outputs->at(0).bytes();
    if (!network.expected.empty() && !std::equal(bytes.begin(), bytes.end(), expected.begin(), expected.end()))
      return fail(ErrorId::kInternal, fmt::format("{} gave other bytes than {}", network.id, network.expected.string()));
    if (i != 0) samples.push_back(took.count() * 1e3);
  }
  const std::string note = fmt::format("compiled in {:.1f} ms; modelled device {:.3f} ms, {} cycles", milliseconds(session.compile_time()), milliseconds(timing.device), timing.device_cycles);
  rows.push_back({.id = "net-" + network.id, .variant = network.variant, .unit = "ms", .value = spread_of(std::move(samples)), .peer = {}, .peer_value = {}, .note = note, .skipped = {}});
  rows.push_back({.id = "compile-" + network.id, .variant = "edge", .unit = "ms", .value = spread_of({milliseconds(session.compile_time())}), .peer = {}, .peer_value = {}, .note = "once", .skipped = {}});
  return {};
}

}  // namespace

Result<void> add_network_rows(const Settings& settings, std::vector<Row>& rows) {
  mock::enable();
  if (settings.wants("net-digits")) {
    const std::filesystem::path digits = std::filesystem::path(NARU_SOURCE_DIR) / "models" / "digits";
    NARU_CHECK_OK(add_network({.id = "digits", .variant = "mock:edge, in-process", .model = digits / "digits.tflite", .input = digits / "samples" / "digit0.bin", .expected = {}, .runs = settings.count(101, 3)}, rows));
  }
  const std::string id = "mobilenetv2-224", variant = "trained model, output exact";
  if (!settings.wants("net-" + id)) return {};
  const auto skip = [&](const std::string& why) {
    rows.push_back({.id = "net-" + id, .variant = variant, .unit = "ms", .value = {}, .peer = {}, .peer_value = {}, .note = {}, .skipped = why});
  };
  if (settings.tiny) {
    skip("too large for --tiny");
    return {};
  }
  const auto folder = testing::models_folder();
  if (!folder) {
    skip("golden models not found: set NARU_MODELS or put them in ../shared/models");
    return {};
  }
  const testing::GoldenModel golden = testing::golden_model(*folder, "tflm_mobilenet_v2_1.0_224_pt_int8");
  if (golden.cases.empty()) return fail(ErrorId::kInvalidArgument, fmt::format("{} has no cases", golden.name));
  const std::filesystem::path& example = golden.cases.front().folder;
  return add_network({.id = id, .variant = variant, .model = golden.file, .input = example / "input0.bin", .expected = example / "output0.bin", .runs = 31}, rows);
}

}  // namespace naru::bench
