// What the MAC engine's commands cost, as the device executes them for a job: the best kernel path of this CPU beside oneDNN, and every path beside what its own instruction can
// do at most. Device and oneDNN take turns; the results of both are compared before anything is timed.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>
#include <utility>

#include <dnnl.hpp>
#include <fmt/format.h>

#include "layer.h"
#include "rows.h"

namespace naru::bench {
namespace {

constexpr double kGiga = 1e9;
constexpr double kMacsPerRun = 60e6;        // about what a run of copies of a small layer has
constexpr std::size_t kCopiesMax = 200;
constexpr std::uint64_t kLongSum = 512;     // requantisation weighs less from here on

struct Measured {
  Spread device, peer;  // GMAC/s
};

/// Codes may differ by one, because oneDNN scales with floats; sums may not.
Result<void> compare(const Shape& shape, Form form, std::span<const std::int32_t> ours, std::span<const std::int32_t> theirs) {
  const std::int32_t allowed = form == Form::kRequantized ? 1 : 0;
  if (ours.size() != theirs.size()) return fail(ErrorId::kInternal, fmt::format("{}: {} results, oneDNN has {}", shape.name, ours.size(), theirs.size()));
  for (std::size_t i = 0; i < ours.size(); ++i)
    if (std::abs(std::int64_t{ours[i]} - theirs[i]) > allowed) return fail(ErrorId::kInternal, fmt::format("{}: result {} is {}, oneDNN has {}", shape.name, i, ours[i], theirs[i]));
  return {};
}

std::size_t copies_of(const Shape& shape, double macs_per_run) {
  return static_cast<std::size_t>(std::clamp(macs_per_run / static_cast<double>(shape.macs()), 1.0, static_cast<double>(kCopiesMax)));
}

/// With a peer: oneDNN as well, in turns.
Result<Measured> measure(const Shape& shape, Form form, const std::string& kernels, bool with_peer, std::size_t turns, double macs_per_run) {
  const LayerData data = LayerData::random(shape, 7);
  const std::size_t copies = copies_of(shape, macs_per_run);
  const auto rate = [&](Seconds took) { return static_cast<double>(shape.macs() * copies) / took.count() / kGiga; };
  NARU_TRY(DeviceLayer device, DeviceLayer::make(data, form, kernels, copies));
  NARU_CHECK_OK(device.run());
  std::optional<OneDnnLayer> peer;
  if (with_peer) {
    peer.emplace(data, form);
    peer->run();
    NARU_TRY(const std::vector<std::int32_t> ours, device.output());
    NARU_CHECK_OK(compare(shape, form, ours, peer->output()));
    NARU_CHECK_OK(device.run());
  }
  std::vector<double> ours, theirs;
  Result<void> outcome;
  for (std::size_t turn = 0; turn < turns && outcome; ++turn) {
    ours.push_back(rate(time_of([&] { outcome = device.run(); })));
    if (!peer) continue;
    theirs.push_back(rate(time_of([&] {
      for (std::size_t i = 0; i < copies; ++i) peer->run();
    })));
  }
  NARU_CHECK_OK(outcome);
  return Measured{spread_of(std::move(ours)), spread_of(std::move(theirs))};
}

/// Geometric means of several layers: of their medians, and of their percentiles.
class Mean {
 public:
  void add(const Measured& measured) {
    device_.add(measured.device);
    peer_.add(measured.peer);
    ++count_;
  }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] Spread device_spread() const { return device_.spread(count_); }
  [[nodiscard]] Spread peer_spread() const { return peer_.spread(count_); }

 private:
  struct Logarithms {
    double median = 0, low = 0, high = 0;
    void add(const Spread& spread) {
      median += std::log(spread.median);
      low += std::log(spread.low);
      high += std::log(spread.high);
    }
    [[nodiscard]] Spread spread(std::size_t count) const {
      const auto mean = [&](double sum) { return std::exp(sum / static_cast<double>(count)); };
      return {.median = mean(median), .low = mean(low), .high = mean(high), .samples = count};
    }
  };
  Logarithms device_, peer_;
  std::size_t count_ = 0;
};

struct Group {
  std::string id;
  std::span<const Shape> shapes;
  double short_target, long_target;  // of requantised layers, by the length of their sums
  double accumulator_target;
};

Row row_of(const Group& group, std::string variant, const Spread& value, std::string peer, const Spread& peer_value, std::optional<Target> target) {
  return {.id = group.id, .variant = std::move(variant), .unit = "GMAC/s", .better = Better::kHigher, .value = value, .peer = std::move(peer), .peer_value = peer_value, .note = {}, .skipped = {}, .target = target};
}

Result<void> add_beside_onednn(const Group& group, const std::string& kernels, const Peak& peak, const Settings& settings, std::vector<Row>& rows) {
  const std::string accumulating = "oneDNN u8 to int32", requantizing = "oneDNN u8, float scale";
  const auto share = [&](const Spread& value) { return fmt::format("{:.0f} % of {} on registers ({:.0f})", 100 * value.median * kGiga / peak.macs_per_second, peak.instruction, peak.macs_per_second / kGiga); };
  Mean accumulators, short_sums, long_sums;
  for (const Form form : {Form::kAccumulators, Form::kRequantized}) {
    for (const Shape& shape : group.shapes) {
      NARU_TRY(const Measured measured, measure(shape, form, kernels, true, settings.count(41, 1), settings.tiny ? 1 : kMacsPerRun));
      const bool sums = form == Form::kAccumulators;
      (sums ? accumulators : shape.depth() >= kLongSum ? long_sums : short_sums).add(measured);
      rows.push_back(row_of(group, fmt::format("{} {} {}", kernels, sums ? "int32" : "8-bit", shape.name), measured.device, sums ? accumulating : requantizing, measured.peer, {}));
      rows.back().note = share(measured.device);
    }
  }
  const auto add_mean = [&](const Mean& mean, std::string variant, const std::string& peer, double target) {
    if (mean.empty()) return;
    rows.push_back(row_of(group, std::move(variant), mean.device_spread(), peer, mean.peer_spread(), Target{target}));
    rows.back().note = share(rows.back().value);
  };
  add_mean(accumulators, kernels + " int32 geomean", accumulating, group.accumulator_target);
  add_mean(long_sums, kernels + " 8-bit K >= 512 geomean", requantizing, group.long_target);
  add_mean(short_sums, kernels + (group.shapes.front().depthwise ? " 8-bit geomean" : " 8-bit K < 512 geomean"), requantizing, group.short_target);
  return {};
}

/// The other kernel paths, as a share of what their own instruction can do. oneDNN is not exact there.
Result<void> add_beside_peak(const Group& group, const std::string& kernels, const Peak& peak, const Settings& settings, std::vector<Row>& rows) {
  const double peak_rate = peak.macs_per_second / kGiga;
  const Spread peer{.median = peak_rate, .low = peak_rate, .high = peak_rate, .samples = 1};
  const double macs_per_run = kMacsPerRun / (kernels == "portable" ? 100 : 10);
  for (const Form form : {Form::kAccumulators, Form::kRequantized}) {
    const std::string name = kernels + (form == Form::kAccumulators ? " int32 " : " 8-bit ");
    Mean mean;
    for (const Shape& shape : group.shapes) {
      NARU_TRY(Measured measured, measure(shape, form, kernels, false, settings.count(11, 1), settings.tiny ? 1 : macs_per_run));
      measured.peer = peer;
      mean.add(measured);
      rows.push_back(row_of(group, name + std::string(shape.name), measured.device, peak.instruction + " on registers", peer, {}));
    }
    rows.push_back(row_of(group, name + "geomean", mean.device_spread(), peak.instruction + " on registers", peer, {}));
  }
  return {};
}

}  // namespace

Result<void> add_compute_rows(const Settings& settings, std::vector<Row>& rows) try {
  const Group groups[] = {
      {.id = "conv-dense", .shapes = kDenseShapes, .short_target = 0.60, .long_target = 0.85, .accumulator_target = 0.85},
      {.id = "conv-depthwise", .shapes = kDepthwiseShapes, .short_target = 0.8, .long_target = 0.8, .accumulator_target = 0.8},
      {.id = "gemm", .shapes = kGemmShapes, .short_target = 0.60, .long_target = 0.85, .accumulator_target = 0.85},
  };
  const bool any_group = std::any_of(std::begin(groups), std::end(groups), [&](const Group& group) { return settings.wants(group.id); });
  if (!any_group && !settings.wants("peak")) return {};
  std::vector<std::pair<std::string, Peak>> paths;  // best first
  for (const std::string kernels : {"amx", "vnni", "avx2", "portable"})
    if (settings.kernels.empty() || kernels == settings.kernels || !paths.empty()) paths.emplace_back(kernels, register_only_peak(kernels));
  const auto skip = [&](std::string id, const std::string& kernels) {
    rows.push_back({.id = std::move(id), .variant = kernels, .unit = {}, .value = {}, .peer = {}, .peer_value = {}, .note = {}, .skipped = "this CPU lacks its instructions"});
  };
  for (const auto& [kernels, peak] : paths) {
    if (!settings.wants("peak")) break;
    if (peak.macs_per_second == 0) {
      skip("peak", kernels);
      continue;
    }
    const double rate = peak.macs_per_second / kGiga;
    rows.push_back({.id = "peak", .variant = kernels, .unit = "GMAC/s", .better = Better::kHigher, .value = {.median = rate, .low = rate, .high = rate, .samples = 1}, .peer = {}, .peer_value = {}, .note = peak.instruction + " on registers alone, the best of nine", .skipped = {}});
  }
  for (Group group : groups) {
    if (!settings.wants(group.id)) continue;
    const std::vector<Shape> few = {group.shapes.front(), group.shapes.back()};  // one of either side of kLongSum, where there are two
    if (settings.tiny) group.shapes = few;
    bool best = true;
    for (const auto& [kernels, peak] : paths) {
      if (peak.macs_per_second == 0) {
        skip(group.id, kernels);
        continue;
      }
      NARU_CHECK_OK(std::exchange(best, false) ? add_beside_onednn(group, kernels, peak, settings, rows) : add_beside_peak(group, kernels, peak, settings, rows));
    }
  }
  return {};
} catch (const dnnl::error& error) {
  return fail(ErrorId::kInternal, fmt::format("oneDNN: {}", error.what()));
}

}  // namespace naru::bench
