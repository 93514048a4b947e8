// What all verbs share: global flags, output as text or JSON, errors to exit codes, choosing a device.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "naru/naru.h"

namespace naru::cli {

using Json = nlohmann::ordered_json;

inline constexpr int kSchemaVersion = 1;

/// Flags that every verb has.
struct Common {
  bool json = false;
  bool verbose = false;
};

/// For verbs that take a model.
struct ModelCommon : Common {
  std::string model, signature;
};

/// Collects the verbs; run() parses and calls the chosen one. A verb returns its exit code.
class App {
 public:
  App();
  /// `example` ends the help page and works as pasted.
  CLI::App* add_verb(const std::string& name, const std::string& description, const std::string& example, Common& common, std::function<int()> action);
  /// The same below another verb ("mock serve").
  CLI::App* add_verb(CLI::App* parent, const std::string& name, const std::string& description, const std::string& example, Common& common,
                     std::function<int()> action);
  CLI::App& root() { return root_; }
  int run(int argc, char** argv);

 private:
  /// "mock serve", as far as the arguments were understood; "naru" when there was no verb.
  /// The word that stands where a verb should, after a parse that failed; empty when that was not the reason.
  [[nodiscard]] std::string unknown_verb() const;
  std::string parsed_verb() const;

  int print_help();

  Common help_;
  std::vector<std::string> help_topic_;  // "mock serve", in words
  CLI::App root_{"Naru: run quantised models on an NPU, and find out what is wrong with it."};
  std::function<int()> action_;
};

/// Prints the error on stderr (and, with --json, as JSON on stdout) and returns its exit code. `simulated`: a simulated device had been opened.
int report(const Error& error, const Common& common, std::string_view verb, bool simulated = false);
/// With another exit code than that of the error's kind.
int report(const Error& error, const Common& common, std::string_view verb, bool simulated, int code);

/// Starts a verb's JSON document: schema_version, verb, simulated.
[[nodiscard]] Json document(std::string_view verb, bool simulated);
void print(const Json& json);

/// What an input holds that nothing is given for: the code that means zero.
[[nodiscard]] Result<void> fill_with_zero(MutableTensorView input);

/// MODEL and --signature.
void add_model_options(CLI::App* verb, ModelCommon& options, const std::string& what = "A .tflite model or a package");
void add_device_option(CLI::App* verb, std::string& selector, bool fall_back_to_mock = false);

inline constexpr unsigned kThreadsMax = 64;
/// --threads, for a mock device in this process; after --device, whose `selector` must not name another process's device.
void add_threads_option(CLI::App* verb, const std::string& selector);

/// The device of --device or NARU_DEVICE, else the one plugged in; `fall_back_to_mock`: else mock:edge.
[[nodiscard]] Result<Device> choose_device(const std::string& selector, bool fall_back_to_mock, const OpenOptions& options = {});

// One per verb file.
void add_compile(App& app);
void add_bench(App& app);
void add_counters(App& app);
void add_diag(App& app);
void add_disasm(App& app);
void add_info(App& app);
void add_inspect(App& app);
void add_list(App& app);
void add_mock(App& app);
void add_reset(App& app);
void add_run(App& app);
void add_verify(App& app);
void add_version(App& app);

}  // namespace naru::cli
