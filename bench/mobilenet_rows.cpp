// MobileNetV1 and V2 with random weights through the public API (session, driver, in-process cable, device), beside the same networks in ONNX Runtime and beside the sum of their
// layers in oneDNN. All take turns on one processor; Naru's and ONNX Runtime's results are compared before anything is timed.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <span>
#include <utility>

#include <dnnl.hpp>
#include <dnnl_debug.h>
#include <fmt/format.h>

#include "layer.h"
#include "naru/mock.h"
#include "naru/naru.h"
#include "networks.h"
#include "ort_peer.h"
#include "rows.h"

namespace naru::bench {
namespace {

constexpr std::size_t kTurns = 61, kRunsPerTurn = 2;  // timed ones; one before them warms up
constexpr double kOrtTarget = 1.2, kOneDnnTarget = 2.0;
constexpr double kBrokenDifference = 4;  // codes on average
constexpr OnnxForm kOnnxForms[] = {{}, {.pixels_first = true}, {.dense_as_gemm = true}, {.pixels_first = true, .dense_as_gemm = true}};

std::string text_of(OnnxForm form) { return fmt::format("{} input, dense layer as {}", form.pixels_first ? "NHWC" : "NCHW", form.dense_as_gemm ? "QGemm" : "QLinearConv"); }

/// The same for smaller variants, which --tiny takes.
std::string id_of(const Network& network) { return "net-" + network.name + "-224"; }

/// Naru's side: the session and what its runs say.
struct NaruNetwork {
  Session session;
  Timing timing{};
  std::vector<std::int32_t> output{};  // as unsigned codes

  static Result<NaruNetwork> make(const Network& network, std::span<const std::uint8_t> image) {
    NARU_TRY(const Model model, Model::from_bytes(to_tflite(network), network.name));
    NARU_TRY(const Device device, open_device("mock:edge"));
    NARU_TRY(Session session, Session::create(device, model));
    std::vector<std::byte> input(image.size());
    std::ranges::transform(image, input.begin(), [](std::uint8_t code) { return static_cast<std::byte>(code ^ 0x80U); });
    NARU_CHECK_OK(session.input(0).fill_from(std::span<const std::byte>(input)));
    return NaruNetwork{.session = std::move(session)};
  }
  /// Milliseconds.
  Result<double> run() {
    Result<Outputs> outputs = fail(ErrorId::kInternal, "not run");
    const Seconds took = time_of([&] { outputs = session.run(); });
    if (!outputs) return fail(std::move(outputs).error());
    timing = outputs->timing();
    output.clear();
    for (const std::byte code : outputs->at(0).bytes()) output.push_back(static_cast<std::int32_t>(static_cast<std::uint8_t>(code) ^ 0x80U));
    return took.count() * 1e3;
  }
};

/// Every layer of oneDNN by itself, hot in the caches as no whole network is: what the sum of its best can be.
class OneDnnSum {
 public:
  explicit OneDnnSum(const Network& network) {
    for (const LayerData& data : layers_of(network)) layers_.emplace_back(data, Form::kRequantized);
    samples_.resize(layers_.size());
  }
  void measure(std::size_t runs) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].run();
      for (std::size_t run = 0; run < runs; ++run) samples_[i].push_back(time_of([&] { layers_[i].run(); }).count() * 1e3);
    }
  }
  [[nodiscard]] Spread sum() const {
    Spread total;
    for (const std::vector<double>& samples : samples_) {
      const Spread layer = spread_of(samples);
      total = {.median = total.median + layer.median, .low = total.low + layer.low, .high = total.high + layer.high, .samples = layer.samples};
    }
    return total;
  }
  [[nodiscard]] std::size_t count() const noexcept { return layers_.size(); }

 private:
  std::vector<OneDnnLayer> layers_;
  std::vector<std::vector<double>> samples_;
};

/// ONNX Runtime scales with floats, so single codes differ by one and their successors by more; the network must still be the same. Says how much differs.
Result<std::string> compare_with_ort(std::span<const std::int32_t> ours, std::span<const std::int32_t> theirs) {
  if (ours.size() != theirs.size() || ours.empty()) return fail(ErrorId::kInternal, fmt::format("{} results, ONNX Runtime has {}", ours.size(), theirs.size()));
  std::int32_t largest = 0;
  double sum = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, std::abs(ours[i] - theirs[i]));
    sum += std::abs(ours[i] - theirs[i]);
  }
  const double mean = sum / static_cast<double>(ours.size());
  if (mean > kBrokenDifference) return fail(ErrorId::kInternal, fmt::format("results differ from ONNX Runtime's by {:.1f} codes on average, at most {}", mean, largest));
  return fmt::format("results differ by at most {} codes, {:.2f} on average", largest, mean);
}

/// The fastest form by the medians of a few runs, or why there is none.
struct BestOrt {
  std::optional<OrtPeer> peer{};
  OnnxForm form{};
};
Result<BestOrt> choose_ort(const Network& network, std::span<const std::uint8_t> image, std::size_t runs) {
  BestOrt best;
  double best_median = 0;
  for (const OnnxForm form : kOnnxForms) {
    NARU_TRY(OrtPeer peer, OrtPeer::start(network, form, image));
    NARU_TRY(std::vector<double> times, peer.run(runs));
    const double median = spread_of(std::move(times)).median;
    if (best.peer && median >= best_median) continue;
    best = {.peer = std::move(peer), .form = form};
    best_median = median;
  }
  return best;
}

Result<void> add_network_with_peers(const Network& network, const Settings& settings, std::vector<Row>& rows) {
  const std::string id = id_of(network);
  const std::vector<std::uint8_t> image = random_image(network, 7);
  NARU_TRY(NaruNetwork ours, NaruNetwork::make(network, image));
  NARU_CHECK_OK(ours.run());
  OneDnnSum onednn(network);
  const Result<std::string> version = OrtPeer::version();
  std::string difference;
  BestOrt ort;
  if (version) {
    NARU_TRY(ort, choose_ort(network, image, settings.count(9, 1)));
    NARU_TRY(const std::vector<std::int32_t> theirs, ort.peer->output());
    NARU_TRY(difference, compare_with_ort(ours.output, theirs));
  }

  const std::size_t runs = settings.count(kRunsPerTurn, 1);
  std::vector<double> samples, ort_samples;
  for (std::size_t turn = 0; turn < settings.count(kTurns, 1); ++turn) {
    NARU_CHECK_OK(ours.run());
    for (std::size_t run = 0; run < runs; ++run) {
      NARU_TRY(const double took, ours.run());
      samples.push_back(took);
    }
    if (ort.peer) {
      NARU_TRY(const std::vector<double> times, ort.peer->run(runs + 1));
      ort_samples.insert(ort_samples.end(), times.begin() + 1, times.end());
    }
    onednn.measure(runs);
  }

  const Spread value = spread_of(std::move(samples)), sum = onednn.sum();
  const std::string ours_note = fmt::format("{:.0f} GMAC/s; modelled device {} cycles", static_cast<double>(network.macs()) / value.median / 1e6, ours.timing.device_cycles);
  const auto rate = [&](const Spread& peer) { return fmt::format("peer {:.0f} GMAC/s", static_cast<double>(network.macs()) / peer.median / 1e6); };
  const Row row{.id = id, .variant = {}, .unit = "ms", .value = value, .peer = {}, .peer_value = {}, .note = ours_note, .skipped = {}};
  Row beside_ort = row, beside_onednn = row;
  beside_ort.variant = "random weights, beside ONNX Runtime";
  beside_ort.target = Target{kOrtTarget};
  if (!version) beside_ort.skipped = version.error().message();
  if (ort.peer) {
    beside_ort.peer = fmt::format("ONNX Runtime {} u8, {}", *version, text_of(ort.form));
    beside_ort.peer_value = spread_of(std::move(ort_samples));
    beside_ort.note += "; " + rate(beside_ort.peer_value) + "; " + difference;
  }
  beside_onednn.variant = "random weights, beside oneDNN's layer sum";
  beside_onednn.target = Target{kOneDnnTarget};
  beside_onednn.peer = fmt::format("oneDNN u8 by {}, {} layers by themselves", dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa()), onednn.count());
  beside_onednn.peer_value = sum;
  beside_onednn.note += "; " + rate(sum);
  rows.push_back(std::move(beside_ort));
  rows.push_back(std::move(beside_onednn));
  return {};
}

}  // namespace

Result<void> add_mobilenet_rows(const Settings& settings, std::vector<Row>& rows) try {
  mock::enable();
  const NetworkSize size = settings.tiny ? NetworkSize{.pixels = 32, .eighths = 1} : NetworkSize{};
  if (settings.wants("net-mobilenetv1-224")) NARU_CHECK_OK(add_network_with_peers(mobilenet_v1(size), settings, rows));
  if (settings.wants("net-mobilenetv2-224")) NARU_CHECK_OK(add_network_with_peers(mobilenet_v2(size), settings, rows));
  return {};
} catch (const dnnl::error& error) {
  return fail(ErrorId::kInternal, fmt::format("oneDNN: {}", error.what()));
}

}  // namespace naru::bench
