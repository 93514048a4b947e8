// Parsing, dispatch and reporting for all verbs.
#include "app.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <system_error>
#include <thread>

namespace naru::cli {
namespace {

constexpr std::chrono::seconds kNodeWait{2};

/// The exit code of what `action` did and printed. After a full disk, or a reader that left, what was printed is not all there, whatever was achieved.
int finished(const std::function<int()>& action) {
  int code = 0, reason = 0;
  try {
    code = action();
  } catch (const std::system_error& error) {  // fmt::print's
    if (std::ferror(stdout) == 0) throw;
    reason = error.code().value();
  }
  if (std::fflush(stdout) != 0 && reason == 0) reason = errno;
  if (reason == 0 && std::ferror(stdout) == 0) return code;
  return report(Error(ErrorId::kOutputUnwritable, fmt::format("Standard output cannot be written: {}", std::strerror(reason))), {}, {});
}

}  // namespace

App::App() {
  root_.require_subcommand(0, 1);
  root_.set_version_flag("--version", "naru " + std::string(version()));
  add_verb("help", "Print this help, or a verb's", "naru help run", help_, [this] { return print_help(); })->add_option("VERB", help_topic_, "run, mock serve, ...");
  root_.footer("Example: naru run models/digits/digits.tflite --input models/digits/samples/digit7.png\n"
               "Exit codes: 0 done, 1 check failed, 2 usage, 3 no device or lost, 4 permission, 5 busy, 6 degraded, 7 could not run, 8 replace (6 and 8: `diag --strict`),\n"
               "            9 version, 10 security, 11 bad input file, 12 timeout or cancelled, 13 protocol.  (docs/spec/errors.md)");
}

int App::print_help() {
  CLI::App* topic = &root_;
  std::string above;
  for (const std::string& word : help_topic_) {
    above += (above.empty() ? "" : " ") + topic->get_name();
    const std::vector<CLI::App*> named = topic->get_subcommands([&](CLI::App* verb) { return verb->get_name() == word; });
    if (named.empty()) return report(Error(ErrorId::kUsage, fmt::format("There is no verb \"{}\"", fmt::join(help_topic_, " "))), help_, "help");
    topic = named.front();
  }
  const std::string page = topic == &root_ ? root_.get_formatter()->make_help(&root_, root_.get_name(), CLI::AppFormatMode::Normal) : topic->help(above);
  if (help_.json) {
    Json json = document("help", false);
    json["text"] = page;
    print(json);
  } else {
    fmt::print("{}", page);
  }
  return 0;
}

CLI::App* App::add_verb(const std::string& name, const std::string& description, const std::string& example, Common& common, std::function<int()> action) {
  return add_verb(&root_, name, description, example, common, std::move(action));
}

CLI::App* App::add_verb(CLI::App* parent, const std::string& name, const std::string& description, const std::string& example, Common& common,
                        std::function<int()> action) {
  CLI::App* verb = parent->add_subcommand(name, description);
  verb->add_flag("--json", common.json, "Print JSON (with schema_version and simulated) on stdout");
  verb->add_flag("--verbose", common.verbose, "Add the chain of causes to errors");
  verb->footer("Example: " + example);
  verb->callback([this, action = std::move(action)] { action_ = action; });
  return verb;
}

int App::run(int argc, char** argv) {
  try {
    root_.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    std::ostringstream page;
    root_.exit(wanted, page);
    return finished([&] {
      fmt::print("{}", page.str());
      return 0;
    });
  } catch (const CLI::ParseError& error) {
    std::string what = error.what();
    while (!what.empty() && (what.back() == '.' || what.back() == '\n')) what.pop_back();
    if (const std::string word = unknown_verb(); !word.empty()) {
      const std::string verb = parsed_verb();
      what = verb == "naru" ? fmt::format("There is no verb \"{}\"", word) : fmt::format("\"{}\" has no verb \"{}\"", verb, word);
    }
    if (what == "A subcommand is required") {
      std::vector<std::string> verbs;
      for (const CLI::App* verb : root_.get_subcommand(parsed_verb())->get_subcommands([](const CLI::App*) { return true; })) verbs.push_back(verb->get_name());
      what = fmt::format("\"{}\" needs a verb: {}", parsed_verb(), fmt::join(verbs, ", "));
    }
    const bool json = std::any_of(argv + 1, argv + argc, [](const char* argument) { return std::string_view(argument) == "--json"; });
    return report(Error(ErrorId::kUsage, what), Common{.json = json, .verbose = false}, parsed_verb());
  }
  if (!action_)
    return finished([&] {
      fmt::print("{}", root_.help());
      return exit_code(ErrorKind::kInvalidArgument);
    });
  return finished(action_);
}

std::string App::unknown_verb() const {
  const CLI::App* at = &root_;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  if (at->get_subcommands([](const CLI::App*) { return true; }).empty()) return {};
  for (const std::string& word : root_.remaining(true))
    if (!word.starts_with('-')) return word;
  return {};
}

std::string App::parsed_verb() const {
  std::string name;
  for (const CLI::App* at = &root_; !at->get_subcommands().empty();) {
    at = at->get_subcommands().front();
    name += (name.empty() ? "" : " ") + at->get_name();
  }
  return name.empty() ? "naru" : name;
}

int report(const Error& error, const Common& common, std::string_view verb, bool simulated) { return report(error, common, verb, simulated, exit_code(error.kind())); }

int report(const Error& error, const Common& common, std::string_view verb, bool simulated, int code) {
  std::fflush(stdout);
  fmt::print(stderr, "naru: {}\n", error.to_string(common.verbose));
  if (common.json) {
    Json json = document(verb, simulated);
    Json details = {{"id", error.id_text()}, {"name", error_row(error.id()).name}, {"kind", to_string(error.kind())}, {"message", error.message()}, {"remedy", error.remedy()}};
    for (const std::string& line : error.context()) details["context"].push_back(line);
    for (const Error::Value& value : error.values()) details["values"][value.name] = value.value;
    json["error"] = details;
    json["exit_code"] = code;
    print(json);
  }
  return code;
}

Json document(std::string_view verb, bool simulated) { return {{"schema_version", kSchemaVersion}, {"verb", verb}, {"simulated", simulated}}; }

void print(const Json& json) { fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace)); }

Result<void> fill_with_zero(MutableTensorView input) {
  const TensorInfo& info = input.info();
  return input.fill_from_float(std::vector<float>(info.bytes / std::max<std::size_t>(1, size_of(info.type)), 0.0F));
}

void add_model_options(CLI::App* verb, ModelCommon& options, const std::string& what) {
  verb->add_option("MODEL", options.model, what)->required();
  verb->add_option("--signature", options.signature, "Of a model with several subgraphs: the one that this signature names (default: the first; `naru inspect` lists them)");
}

void add_device_option(CLI::App* verb, std::string& selector, bool fall_back_to_mock) {
  verb->add_option("--device", selector, fmt::format("mock[:PROFILE], usb[:SERIAL|BUS-PORT] or node:PATH, which is waited for up to 2 s (default: $NARU_DEVICE, else {})", fall_back_to_mock ? "what is plugged in, else mock:edge" : "what is plugged in"));
}

void add_threads_option(CLI::App* verb, const std::string& selector) {
  const auto use = [&selector](unsigned threads) {
    if (selector.starts_with("node:") || selector.starts_with("usb")) throw CLI::ValidationError("--threads", "is for mock devices in this process; `naru mock serve --threads` has it for a node");
    ::setenv("NARU_THREADS", fmt::format("{}", threads).c_str(), 1);
  };
  verb->add_option_function<unsigned>("--threads", use, "For a mock device in this process: threads that compute large commands together; the bytes are the same (default: $NARU_THREADS, else 1)")
      ->check(CLI::Range(1U, kThreadsMax));
}

Result<Device> choose_device(const std::string& selector, bool fall_back_to_mock, const OpenOptions& options) {
  Result<Device> device = open_device(selector, options);
  // `naru mock serve --fuse P & naru run --device node:P`: the server may need a moment.
  const auto end = std::chrono::steady_clock::now() + kNodeWait;
  // What is mounted already (a server that died, a mock that was unplugged) does not mend itself.
  const auto may_come = [&] {
    if (device || device.error().id() != ErrorId::kNodeDead) return false;
    const std::string node = selector.starts_with("node:") ? selector.substr(5) : std::string();
    struct statfs status{};
    return node.empty() || (::statfs(node.c_str(), &status) == 0 ? status.f_type != FUSE_SUPER_MAGIC : errno == ENOENT);
  };
  while (may_come() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    device = open_device(selector, options);
  }
  const bool chosen = !selector.empty() || (std::getenv("NARU_DEVICE") != nullptr && *std::getenv("NARU_DEVICE") != '\0');
  if (!device && !chosen && fall_back_to_mock && device.error().id() == ErrorId::kDeviceNotFound) return open_device("mock:edge", options);
  return device;
}

}  // namespace naru::cli
