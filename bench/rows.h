// What the bench measures and how it is told: one row per figure, with its peer from the same run beside it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "naru/base/result.h"

namespace naru::bench {

enum class Better { kLower, kHigher };

/// The middle of the samples and where most of them lie.
struct Spread {
  double median = 0, low = 0, high = 0;  // low, high: 10th and 90th percentile
  std::size_t samples = 0;
};
[[nodiscard]] Spread spread_of(std::vector<double> samples);

/// What a row is to reach: a limit on its ratio to the peer, or on its value.
struct Target {
  double limit = 0;
  bool of_ratio = true;
};

/// One figure. `id` and `variant` together never change their meaning, so that runs of different days can be compared.
struct Row {
  std::string id, variant;
  std::string unit;
  Better better = Better::kLower;
  Spread value;
  std::string peer;        // empty: none was measured beside it
  Spread peer_value;       // in `unit`
  std::string note;
  std::string skipped;     // the reason why there is no value; empty: there is one
  std::optional<Target> target = {};

  /// value / peer's value; 0 without a peer.
  [[nodiscard]] double ratio() const noexcept { return peer_value.median > 0 ? value.median / peer_value.median : 0; }
  /// Not without a target; a row that was skipped has not met its own.
  [[nodiscard]] bool met() const noexcept {
    if (!target || !skipped.empty() || (target->of_ratio && peer_value.median <= 0)) return false;
    const double reached = target->of_ratio ? ratio() : value.median;
    return better == Better::kLower ? reached <= target->limit : reached >= target->limit;
  }
};

struct Settings {
  bool tiny = false;       // a few small samples: to see that everything still runs, not how fast
  std::string only;        // rows whose id begins so
  std::string kernels;     // "vnni", "avx2", "portable": device and oneDNN use nothing newer, as on a CPU without it

  [[nodiscard]] bool wants(std::string_view id) const noexcept { return id.substr(0, only.size()) == only; }
  [[nodiscard]] std::size_t count(std::size_t full, std::size_t small) const noexcept { return tiny ? small : full; }
};

using Seconds = std::chrono::duration<double>;
/// Wall time of one call.
template <typename Action>
[[nodiscard]] Seconds time_of(Action&& action) {
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::steady_clock::now() - start;
}

// The groups. Each adds its rows, or fails with what went wrong; a row that cannot be had here is added as skipped.
[[nodiscard]] Result<void> add_job_rows(const Settings& settings, std::vector<Row>& rows);
[[nodiscard]] Result<void> add_compute_rows(const Settings& settings, std::vector<Row>& rows);
[[nodiscard]] Result<void> add_network_rows(const Settings& settings, std::vector<Row>& rows);
[[nodiscard]] Result<void> add_mobilenet_rows(const Settings& settings, std::vector<Row>& rows);
[[nodiscard]] Result<void> add_usb_rows(const Settings& settings, std::vector<Row>& rows);
[[nodiscard]] Result<void> add_start_rows(const Settings& settings, std::vector<Row>& rows);
[[nodiscard]] Result<void> add_scale_rows(const Settings& settings, std::vector<Row>& rows);

/// What `naru_bench --start-once PACKAGE INPUT` does, for the row of memory: one start in a process of its own, which prints the KiB that it took. An exit code.
[[nodiscard]] int start_once_and_tell(const std::string& package, const std::string& input);

[[nodiscard]] std::string to_table(const std::vector<Row>& rows);
/// {"schema_version", "simulated", "tiny", "only", "kernels", "date", "commit", "machine", "processors", "load", "results": [...]} with a newline at the end. Every row has every field; what there is none of is null.
[[nodiscard]] std::string to_json(const std::vector<Row>& rows, const Settings& settings);
/// "2 x AMD EPYC ..., load 0.5", for the table's head.
[[nodiscard]] std::string machine();

}  // namespace naru::bench
