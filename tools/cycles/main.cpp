// The table of cycles: every model's schedule beside what no schedule can beat. `naru_cycles [--profile P] [--json] MODEL...`
// Columns stand in docs/performance.md. Models that do not import or compile are listed with the reason.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "compiler/compiler.h"
#include "compiler/schedule/bound.h"
#include "import/tflite/import.h"
#include "naru/base/file.h"
#include "naru/profile/profile.h"

namespace {

using namespace naru;
using namespace naru::sdk;

struct Row {
  std::string name;
  std::string refusal;  // why there are no numbers
  compiler::Bound bound;
  std::uint64_t cycles = 0;
  std::optional<std::uint64_t> warm_cycles;  // with weights that stay in the SRAM, where they fit
  std::uint64_t file_bytes = 0;              // weights as the model has them
  std::uint64_t exchanged_bytes = 0;         // compulsory bytes that are not weights
  compiler::Bound file_bound;                // as `bound`, with weights as the model has them
  package::MemoryReport memory;
  double milliseconds = 0, compile_milliseconds = 0;

  /// Most multiply-accumulates belong to convolutions of images.
  [[nodiscard]] bool is_convolutional() const { return refusal.empty() && bound.window_macs * 2 > bound.macs; }
};

double ratio(std::uint64_t a, std::uint64_t b) { return b == 0 ? 1.0 : static_cast<double>(a) / static_cast<double>(b); }

std::uint64_t cycles_of(const package::Package& package) {
  std::uint64_t cycles = 0;
  for (const auto& step : package.steps)
    if (const auto* job = std::get_if<package::NpuJob>(&step)) cycles += job->predicted_cycles;
  return cycles;
}

/// Of an inference that finds its weights in the SRAM.
std::optional<std::uint64_t> resident_cycles_of(const package::Package& package) {
  for (const auto& step : package.steps)
    if (const auto* job = std::get_if<package::NpuJob>(&step); job != nullptr && job->has_resident()) return job->resident.predicted_cycles;
  return std::nullopt;
}

Row measure(const std::filesystem::path& file, const profile::Profile& chip) {
  Row row;
  row.name = file.stem().string();
  const auto refuse = [&](const Error& error) {
    row.refusal = error.message();
    return row;
  };
  auto bytes = read_file(file.string());
  if (!bytes) return refuse(bytes.error());
  auto graph = import_tflite(std::make_shared<const std::vector<std::byte>>(std::move(*bytes)));
  if (!graph) return refuse(graph.error());
  compiler::CompileOptions options;
  options.profile = chip.name;
  const auto start = std::chrono::steady_clock::now();
  const auto package = compiler::compile(*graph, chip.chip, options);
  row.compile_milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  if (!package) return refuse(package.error());
  const auto bound = compiler::bound_of(*graph, chip.chip, package->memory.compulsory_bytes);
  if (!bound) return refuse(bound.error());
  row.bound = *bound;
  row.memory = package->memory;
  row.cycles = cycles_of(*package);
  for (const auto& tensor : graph->tensors) row.file_bytes += tensor.constant.size();
  row.exchanged_bytes = package->memory.compulsory_bytes - package->memory.constants_bytes;
  const auto file_bound = compiler::bound_of(*graph, chip.chip, row.file_bytes + row.exchanged_bytes);
  if (!file_bound) return refuse(file_bound.error());
  row.file_bound = *file_bound;
  options.resident_weights = true;
  if (const auto warm = compiler::compile(*graph, chip.chip, options)) row.warm_cycles = resident_cycles_of(*warm);
  row.milliseconds = static_cast<double>(row.cycles) * 1e3 / static_cast<double>(chip.chip.clock_hz());
  return row;
}

double geometric_mean(const std::vector<Row>& rows, const std::function<double(const Row&)>& value) {
  double sum = 0;
  std::size_t count = 0;
  for (const Row& row : rows) {
    if (!row.is_convolutional()) continue;
    sum += std::log(value(row));
    ++count;
  }
  return count == 0 ? 1.0 : std::exp(sum / static_cast<double>(count));
}

double cycles_ratio(const Row& row) { return ratio(row.cycles, row.bound.cycles()); }
double sram_ratio(const Row& row) { return ratio(row.memory.sram_peak_bytes, row.memory.sram_live_peak_bytes); }
double traffic_ratio(const Row& row) { return ratio(row.memory.dram_traffic_bytes, row.memory.compulsory_bytes); }
double file_cycles_ratio(const Row& row) { return ratio(row.cycles, row.file_bound.cycles()); }
double file_traffic_ratio(const Row& row) { return ratio(row.memory.dram_traffic_bytes, row.file_bytes + row.exchanged_bytes); }

void print_table(const std::vector<Row>& rows, const profile::Profile& chip) {
  fmt::print("Profile {}, {} MHz. Bound and its parts, cycles, warm: thousands of cycles; SRAM, DRAM, file: KiB. * convolutional\n\n", chip.name, chip.chip.clock_hz_thousands / 1000);
  fmt::print("| model | MMAC | MAC | vector | DMA | bound | cycles | ratio | ms | warm | SRAM peak | live | ratio | DRAM | compulsory | ratio | file | compile ms |\n");
  fmt::print("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  const auto thousands = [](std::uint64_t cycles) { return fmt::format("{:.1f}", static_cast<double>(cycles) / 1e3); };
  const auto kibibytes = [](std::uint64_t bytes) { return fmt::format("{:.1f}", static_cast<double>(bytes) / 1024); };
  for (const Row& row : rows) {
    if (!row.refusal.empty()) continue;
    fmt::print("| {}{} | {:.2f} | {} | {} | {} | {} | {} | {:.2f} | {:.3f} | {} | {} | {} | {:.2f} | {} | {} | {:.2f} | {} | {:.1f} |\n", row.name, row.is_convolutional() ? " *" : "",
               static_cast<double>(row.bound.macs) / 1e6, thousands(row.bound.mac), thousands(row.bound.vector), thousands(row.bound.dma), thousands(row.bound.cycles()),
               thousands(row.cycles), cycles_ratio(row), row.milliseconds, row.warm_cycles ? thousands(*row.warm_cycles) : "-", kibibytes(row.memory.sram_peak_bytes), kibibytes(row.memory.sram_live_peak_bytes), sram_ratio(row),
               kibibytes(row.memory.dram_traffic_bytes), kibibytes(row.memory.compulsory_bytes), traffic_ratio(row), kibibytes(row.file_bytes), row.compile_milliseconds);
  }
  const auto count = std::ranges::count_if(rows, &Row::is_convolutional);
  fmt::print("| geometric mean of the {} convolutional | | | | | | | **{:.3f}** | | | | | **{:.3f}** | | | **{:.3f}** | | |\n", count, geometric_mean(rows, cycles_ratio),
             geometric_mean(rows, sram_ratio), geometric_mean(rows, traffic_ratio));
  fmt::print("| the same, with weights as the file has them | | | | | | | {:.3f} | | | | | | | | {:.3f} | | |\n", geometric_mean(rows, file_cycles_ratio), geometric_mean(rows, file_traffic_ratio));
  for (const Row& row : rows)
    if (!row.refusal.empty()) fmt::print("\n- {}: {}", row.name, row.refusal);
  fmt::print("\n");
}

void print_json(const std::vector<Row>& rows, const profile::Profile& chip) {
  nlohmann::json models = nlohmann::json::array();
  for (const Row& row : rows) {
    if (!row.refusal.empty()) {
      models.push_back({{"name", row.name}, {"refused", row.refusal}});
      continue;
    }
    models.push_back({{"name", row.name}, {"convolutional", row.is_convolutional()}, {"macs", row.bound.macs}, {"bound_mac", row.bound.mac}, {"bound_vector", row.bound.vector},
                      {"bound_dma", row.bound.dma}, {"bound", row.bound.cycles()}, {"cycles", row.cycles}, {"file_bound", row.file_bound.cycles()}, {"warm_cycles", row.warm_cycles ? nlohmann::json(*row.warm_cycles) : nlohmann::json()}, {"file", row.file_bytes}, {"milliseconds", row.milliseconds},
                      {"sram_peak", row.memory.sram_peak_bytes}, {"sram_live", row.memory.sram_live_peak_bytes}, {"dram_traffic", row.memory.dram_traffic_bytes},
                      {"compulsory", row.memory.compulsory_bytes}, {"compile_milliseconds", row.compile_milliseconds}});
  }
  const nlohmann::json all = {{"profile", chip.name}, {"models", models},
                              {"geometric_means", {{"cycles", geometric_mean(rows, cycles_ratio)}, {"sram", geometric_mean(rows, sram_ratio)}, {"traffic", geometric_mean(rows, traffic_ratio)},
                               {"file_cycles", geometric_mean(rows, file_cycles_ratio)}, {"file_traffic", geometric_mean(rows, file_traffic_ratio)}}}};
  fmt::print("{}\n", all.dump(2));
}

int usage() {
  fmt::print(stderr, "usage: naru_cycles [--profile P] [--json] MODEL...\n");
  return 2;
}

}  // namespace

int main(int count, char** values) {
  std::string profile_name = "edge";
  bool json = false;
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < count; ++i) {
    const std::string argument = values[i];
    if (argument == "--json") json = true;
    else if (argument == "--profile" && i + 1 < count) profile_name = values[++i];
    else if (argument.starts_with("--")) return usage();
    else files.emplace_back(argument);
  }
  if (files.empty()) return usage();
  const auto chip = profile::load(profile_name);
  if (!chip) {
    fmt::print(stderr, "{}\n", chip.error().to_string(false));
    return 2;
  }
  std::vector<Row> rows;
  for (const auto& file : files) rows.push_back(measure(file, *chip));
  json ? print_json(rows, *chip) : print_table(rows, *chip);
  return 0;
}
