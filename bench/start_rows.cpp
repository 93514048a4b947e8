// From nothing to the first result: what opening a device, loading a package and making a session cost beside one inference, and what memory they take.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "naru/mock.h"
#include "naru/naru.h"
#include "rows.h"
#include "support/golden_models.h"

namespace naru::bench {
namespace {

constexpr double kBytesPerMiB = 1024.0 * 1024.0;

/// A model as a package file of its own, which goes when this goes, with an input for it.
struct PackageFile {
  std::string id;
  std::filesystem::path path, input;
  std::uint64_t bytes = 0, tensor_bytes = 0;

  PackageFile() = default;
  PackageFile(PackageFile&& other) noexcept : id(std::move(other.id)), path(std::exchange(other.path, {})), input(std::move(other.input)), bytes(other.bytes), tensor_bytes(other.tensor_bytes) {}
  PackageFile& operator=(PackageFile&&) = delete;
  ~PackageFile() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove(path, ignored);
  }
};

Result<PackageFile> make_package(std::string id, const std::filesystem::path& model, std::filesystem::path input) {
  PackageFile file;
  NARU_TRY(const Model source, Model::load(model.string()));
  NARU_TRY(const Model package, compile(source, {.profile = "edge", .keep_tensors = {}}));
  file.path = std::filesystem::temp_directory_path() / fmt::format("naru_bench_{}_{}.naru", ::getpid(), id);
  NARU_CHECK_OK(package.save(file.path.string()));
  file.id = std::move(id);
  file.input = std::move(input);
  file.bytes = std::filesystem::file_size(file.path);
  NARU_TRY(const ModelSummary summary, summarize(package));
  for (const TensorSummary& tensor : summary.tensors) file.tensor_bytes += tensor.info.bytes;
  return file;
}

/// When each part of a start ended, from its begin.
struct Start {
  Seconds opened{0}, loaded{0}, created{0}, done{0};
};

/// And then some more inferences of the same session, whose milliseconds go to `warm`.
Result<Start> start_once(const std::string& package, std::span<const std::byte> input, std::size_t more = 0, std::vector<double>* warm = nullptr) {
  Start start;
  const auto begun = std::chrono::steady_clock::now();
  const auto since = [&] { return Seconds(std::chrono::steady_clock::now() - begun); };
  NARU_TRY(const Device device, open_device("mock:edge"));
  start.opened = since();
  NARU_TRY(const Model model, Model::load(package));
  start.loaded = since();
  NARU_TRY(Session session, Session::create(device, model));
  start.created = since();
  NARU_CHECK_OK(session.input(0).fill_from(input));
  NARU_TRY(const Outputs outputs, session.run());
  start.done = since();
  for (std::size_t i = 0; i < more; ++i) {
    Result<Outputs> again = fail(ErrorId::kInternal, "not run");
    const Seconds took = time_of([&] { again = session.run(); });
    if (!again) return fail(std::move(again).error());
    warm->push_back(took.count() * 1e3);
  }
  return start;
}

Result<void> add_warm_start(const PackageFile& file, const Settings& settings, std::vector<Row>& rows) {
  const std::vector<std::byte> input = testing::read_all(file.input);
  // Starts and warm inferences take turns, so that both see the same neighbours.
  std::vector<double> total, opened, loaded, created, first, warm;
  for (std::size_t i = 0; i < settings.count(21, 2); ++i) {
    NARU_TRY(const Start start, start_once(file.path.string(), input, 5, &warm));
    total.push_back(start.done.count() * 1e3);
    opened.push_back(start.opened.count() * 1e3);
    loaded.push_back((start.loaded - start.opened).count() * 1e3);
    created.push_back((start.created - start.loaded).count() * 1e3);
    first.push_back((start.done - start.created).count() * 1e3);
  }
  const auto median = [](std::vector<double>& samples) { return spread_of(std::move(samples)).median; };
  const std::string note = fmt::format("open {:.2f}, load {} bytes {:.2f}, create {:.2f}, first result {:.2f}", median(opened), file.bytes, median(loaded), median(created), median(first));
  // A start that small is the fixed costs of a device in this process; the target is for models that compute something.
  const std::optional<Target> target = file.id == "digits" ? std::nullopt : std::optional(Target{.limit = 3.0, .of_ratio = true});
  rows.push_back({.id = "warm-start", .variant = file.id, .unit = "ms", .value = spread_of(std::move(total)), .peer = "one warm inference", .peer_value = spread_of(std::move(warm)), .note = note, .skipped = {}, .target = target});
  return {};
}

/// Kibibytes of a line such as "VmHWM:     1234 kB"; 0 where there is none.
std::uint64_t status_kib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":")) return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10);
  return 0;
}

struct Close {
  void operator()(std::FILE* pipe) const noexcept { ::pclose(pipe); }
};

Result<double> measure_resident(const PackageFile& file) {
  std::array<char, 4096> self{};
  if (::readlink("/proc/self/exe", self.data(), self.size() - 1) <= 0) return fail(ErrorId::kInternal, "The bench does not find its own program");
  const std::string command = fmt::format("'{}' --start-once '{}' '{}'", self.data(), file.path.string(), file.input.string());
  const std::unique_ptr<std::FILE, Close> pipe(::popen(command.c_str(), "r"));
  unsigned long long kib = 0;
  if (!pipe || std::fscanf(pipe.get(), "%llu", &kib) != 1) return fail(ErrorId::kInternal, fmt::format("{} did not tell its memory", command));
  return static_cast<double>(kib) / 1024.0;
}

Result<void> add_resident(const PackageFile& file, const Settings& settings, std::vector<Row>& rows) {
  NARU_TRY(const Device device, open_device("mock:edge"));
  std::vector<double> samples;
  for (std::size_t i = 0; i < settings.count(3, 1); ++i) {
    NARU_TRY(const double mebibytes, measure_resident(file));
    samples.push_back(mebibytes);
  }
  const double parts = static_cast<double>(file.bytes + file.tensor_bytes + device.info().sram_bytes) / kBytesPerMiB;
  std::optional<Target> target = Target{.limit = std::floor(2.5 * parts + 16.0), .of_ratio = false};
  std::string note = fmt::format("peak above the empty process; package {} bytes, tensors {}, SRAM {}", file.bytes, file.tensor_bytes, device.info().sram_bytes);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  target.reset();
  note += "; no target under a sanitizer";
#endif
  rows.push_back({.id = "resident", .variant = file.id, .unit = "MiB", .value = spread_of(std::move(samples)), .peer = {}, .peer_value = {}, .note = note, .skipped = {}, .target = target});
  return {};
}

}  // namespace

int start_once_and_tell(const std::string& package, const std::string& input) {
  mock::enable();
  const std::vector<std::byte> bytes = testing::read_all(input);
  const std::uint64_t before = status_kib("VmRSS");
  const Result<Start> start = start_once(package, bytes);
  if (!start) {
    fmt::print(stderr, "naru_bench: {}\n", start.error().to_string(true));
    return 1;
  }
  const std::uint64_t peak = status_kib("VmHWM");
  fmt::print("{}\n", peak > before ? peak - before : 0);
  return 0;
}

Result<void> add_start_rows(const Settings& settings, std::vector<Row>& rows) {
  if (!settings.wants("warm-start") && !settings.wants("resident")) return {};
  mock::enable();
  const auto add = [&](const PackageFile& file) -> Result<void> {
    if (settings.wants("warm-start")) NARU_CHECK_OK(add_warm_start(file, settings, rows));
    if (settings.wants("resident")) NARU_CHECK_OK(add_resident(file, settings, rows));
    return {};
  };
  {
    const std::filesystem::path digits = std::filesystem::path(NARU_SOURCE_DIR) / "models" / "digits";
    NARU_TRY(const PackageFile file, make_package("digits", digits / "digits.tflite", digits / "samples" / "digit0.bin"));
    NARU_CHECK_OK(add(file));
  }
  const std::string id = "mobilenetv2-224";
  const auto folder = testing::models_folder();
  if (settings.tiny || !folder) {
    for (const auto& [row, unit] : {std::pair("warm-start", "ms"), std::pair("resident", "MiB")})
      if (settings.wants(row))
        rows.push_back({.id = row, .variant = id, .unit = unit, .value = {}, .peer = {}, .peer_value = {}, .note = {},
                        .skipped = settings.tiny ? "too large for --tiny" : "golden models not found: set NARU_MODELS or put them in ../shared/models"});
    return {};
  }
  const testing::GoldenModel golden = testing::golden_model(*folder, "tflm_mobilenet_v2_1.0_224_pt_int8");
  if (golden.cases.empty()) return fail(ErrorId::kInvalidArgument, fmt::format("{} has no cases", golden.name));
  NARU_TRY(const PackageFile file, make_package(id, golden.file, golden.cases.front().folder / "input0.bin"));
  return add(file);
}

}  // namespace naru::bench
