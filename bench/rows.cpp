// Medians, the table and the JSON of the bench, and what the machine says of itself.
#include "rows.h"

#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace naru::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;

/// "AMD EPYC, family 26 model 2": the name alone is that of several.
std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string family, model, name = "unknown processor";
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const std::string value = line.substr(std::min(line.size(), line.find(':') + 2));
    if (line.rfind("cpu family", 0) == 0) family = value;
    if (line.rfind("model\t", 0) == 0) model = value;
    if (line.rfind("model name", 0) == 0) name = value;
  }
  return family.empty() ? name : fmt::format("{}, family {} model {}", name, family, model);
}

/// The commit that scripts/bench.sh built, if it was that.
std::string commit() {
  const char* const name = std::getenv("NARU_BENCH_COMMIT");
  return name == nullptr ? "" : name;
}

double load() {
  double minutes[1] = {0};
  return ::getloadavg(minutes, 1) == 1 ? minutes[0] : -1;
}

/// Processors that this run may use: 1 when it is pinned.
int usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

std::string now() {
  const std::time_t time = std::time(nullptr);
  char text[32] = {};
  std::tm parts{};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", ::gmtime_r(&time, &parts));
  return text;
}

Json to_json(const Spread& spread) { return {{"median", spread.median}, {"p10", spread.low}, {"p90", spread.high}, {"samples", spread.samples}}; }

std::string number(double value) {
  if (value >= 1000) return fmt::format("{:.0f}", value);
  return value >= 100 ? fmt::format("{:.1f}", value) : fmt::format("{:.3f}", value);
}

}  // namespace

Spread spread_of(std::vector<double> samples) {
  if (samples.empty()) return {};
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) { return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1) + 0.5)]; };
  return {.median = at(0.5), .low = at(0.1), .high = at(0.9), .samples = samples.size()};
}

std::string machine() {
  return fmt::format("{} x {}, this run on {}, load {:.1f}", std::thread::hardware_concurrency(), processor(), usable_processors(), load());
}

std::string to_table(const std::vector<Row>& rows) {
  constexpr std::string_view kLine = "{:<16} {:<42} {:>9} {:>9} {:>9} {:<6} {:>9} {:>6} {:>10} {:<4} {}\n";
  std::string text = fmt::format(kLine, "id", "variant", "median", "p10", "p90", "unit", "peer", "ratio", "target", "met", "which peer; note");
  for (const Row& row : rows) {
    const std::string target = row.target ? fmt::format("{} {}{}", row.better == Better::kLower ? "<=" : ">=", row.target->limit, row.target->of_ratio ? " x" : "") : "-";
    const std::string met = row.target ? (row.met() ? "yes" : "NO") : "-";
    if (!row.skipped.empty()) {
      text += fmt::format(kLine, row.id, row.variant, "-", "-", "-", "-", "-", "-", target, met, "skipped: " + row.skipped);
      continue;
    }
    const bool has_peer = !row.peer.empty();
    text += fmt::format(kLine, row.id, row.variant, number(row.value.median), number(row.value.low), number(row.value.high), row.unit, has_peer ? number(row.peer_value.median) : "-",
                        has_peer ? fmt::format("{:.2f}", row.ratio()) : "-", target, met, row.peer + (has_peer && !row.note.empty() ? "; " : "") + row.note);
  }
  return text;
}

std::string to_json(const std::vector<Row>& rows, const Settings& settings) {
  Json document = {{"schema_version", kSchemaVersion}, {"simulated", true}, {"tiny", settings.tiny}, {"only", settings.only}, {"kernels", settings.kernels}, {"date", now()}, {"commit", commit()}, {"machine", processor()}, {"processors", usable_processors()}, {"load", load()}};
  Json results = Json::array();
  for (const Row& row : rows) {
    Json entry = {{"id", row.id}, {"variant", row.variant}};
    const bool measured = row.skipped.empty(), has_peer = measured && !row.peer.empty();
    entry["unit"] = measured ? Json(row.unit) : Json();
    entry["better"] = row.better == Better::kLower ? "lower" : "higher";
    entry["value"] = measured ? Json(row.value.median) : Json();
    entry["value_spread"] = measured ? to_json(row.value) : Json();
    entry["peer"] = has_peer ? Json(row.peer) : Json();
    entry["peer_value"] = has_peer ? Json(row.peer_value.median) : Json();
    entry["peer_spread"] = has_peer ? to_json(row.peer_value) : Json();
    entry["ratio"] = has_peer ? Json(row.ratio()) : Json();
    if (!row.note.empty()) entry["note"] = row.note;
    if (!measured) entry["skipped"] = row.skipped;
    entry["target"] = row.target ? Json(row.target->limit) : Json();
    entry["target_of"] = row.target ? Json(row.target->of_ratio ? "ratio" : "value") : Json();
    entry["met"] = row.target ? Json(row.met()) : Json();
    results.push_back(std::move(entry));
  }
  document["results"] = std::move(results);
  return document.dump() + "\n";
}

}  // namespace naru::bench
