// Starts bench/ort_peer.mjs under node and talks to it in lines of JSON over a socket pair.
#include "ort_peer.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "naru/base/unique_fd.h"

namespace naru::bench {
namespace {

constexpr int kReplyMilliseconds = 60'000;
constexpr const char* kPackage = "node_modules/onnxruntime-node/package.json";

std::string find_node() {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = std::string(rest.substr(0, end)) + "/node";
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return {};
}

template <typename T>
Result<void> write_file(const std::filesystem::path& path, std::span<const T> values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  if (!file.flush()) return fail(ErrorId::kFileUnwritable, fmt::format("{} cannot be written", path.string()));
  return {};
}

}  // namespace

/// The child, its line and its files.
struct OrtPeer::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    line.reset();
    if (child > 0) {
      ::kill(child, SIGTERM);
      ::waitpid(child, nullptr, 0);
    }
    std::error_code ignored;
    if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
  }

  /// With the script's arguments after the folder of packages; the child's first answer.
  Result<nlohmann::json> start(const std::vector<std::string>& more) {
    const std::string node = find_node();
    if (node.empty()) return fail(ErrorId::kFileNotFound, "node is not in PATH, and ONNX Runtime comes from npm");
    const std::filesystem::path packages = std::filesystem::path(NARU_SOURCE_DIR) / "build" / "bench-peers";
    if (!std::filesystem::exists(packages / kPackage)) return fail(ErrorId::kFileNotFound, fmt::format("ONNX Runtime is not in {}; scripts/bench.sh installs it from npm", packages.string()));
    std::vector<std::string> arguments = {node, NARU_SOURCE_DIR "/bench/ort_peer.mjs", packages.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    std::vector<char*> raw;
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail(ErrorId::kInternal, fmt::format("socketpair: {}", std::strerror(errno)));
    line.reset(ends[0]);
    const UniqueFd other(ends[1]);
    child = ::fork();
    if (child == 0) {
      ::dup2(other.get(), STDIN_FILENO);
      ::dup2(other.get(), STDOUT_FILENO);
      ::execv(raw[0], raw.data());
      ::_exit(127);
    }
    return reply();
  }

  Result<nlohmann::json> ask(const std::string& question) {
    if (::send(line.get(), question.data(), question.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(question.size()))
      return fail(ErrorId::kInternal, fmt::format("ONNX Runtime's process does not listen: {}", std::strerror(errno)));
    return reply();
  }

  Result<nlohmann::json> reply() {
    std::size_t end = unread.find('\n');
    while (end == std::string::npos) {
      pollfd waiter{line.get(), POLLIN, 0};
      std::array<char, 4096> piece{};
      if (::poll(&waiter, 1, kReplyMilliseconds) != 1) return fail(ErrorId::kInternal, fmt::format("ONNX Runtime's process says nothing for {} ms", kReplyMilliseconds));
      const ssize_t count = ::read(line.get(), piece.data(), piece.size());
      if (count <= 0) return fail(ErrorId::kInternal, "ONNX Runtime's process ended");
      unread.append(piece.data(), static_cast<std::size_t>(count));
      end = unread.find('\n');
    }
    nlohmann::json reply = nlohmann::json::parse(unread.substr(0, end), nullptr, false);
    unread.erase(0, end + 1);
    if (!reply.is_object()) return fail(ErrorId::kInternal, "ONNX Runtime's process answers with something else than JSON");
    if (reply.contains("error")) return fail(ErrorId::kInternal, fmt::format("ONNX Runtime: {}", reply["error"].get<std::string>()));
    return reply;
  }

  UniqueFd line;  // its standard input and output
  std::string unread;
  pid_t child = -1;
  std::filesystem::path folder;
};

Result<std::string> OrtPeer::version() {
  State state;
  NARU_TRY(const nlohmann::json answer, state.start({}));
  return answer.at("version").get<std::string>();
}

Result<OrtPeer> OrtPeer::start(const Network& network, OnnxForm form, std::span<const std::uint8_t> image) {
  auto state = std::make_unique<State>();
  std::string pattern = (std::filesystem::temp_directory_path() / "naru-ort-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) return fail(ErrorId::kFileUnwritable, fmt::format("{} cannot be made: {}", pattern, std::strerror(errno)));
  state->folder = pattern;
  const std::size_t pixels = std::size_t{network.size} * network.size;
  std::vector<std::uint8_t> input(image.begin(), image.end());
  if (!form.pixels_first)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t pixel = 0; pixel < pixels; ++pixel) input[c * pixels + pixel] = image[pixel * 3 + c];
  const std::vector<std::byte> model = to_onnx(network, form);
  NARU_CHECK_OK(write_file(state->folder / "model.onnx", std::span(model)));
  NARU_CHECK_OK(write_file(state->folder / "input.bin", std::span<const std::uint8_t>(input)));

  NARU_CHECK_OK_WHILE(state->start({(state->folder / "model.onnx").string(), (state->folder / "input.bin").string(), form.pixels_first ? fmt::format("[1,{0},{0},3]", network.size) : fmt::format("[1,3,{0},{0}]", network.size)}),
                      fmt::format("starting ONNX Runtime for {}", network.name));
  return OrtPeer(std::move(state));
}

OrtPeer::OrtPeer(std::unique_ptr<State> state) : state_(std::move(state)) {}
OrtPeer::OrtPeer(OrtPeer&&) noexcept = default;
OrtPeer& OrtPeer::operator=(OrtPeer&&) noexcept = default;
OrtPeer::~OrtPeer() = default;

Result<std::vector<double>> OrtPeer::run(std::size_t count) {
  NARU_TRY(const nlohmann::json answer, state_->ask(fmt::format("{{\"runs\": {}}}\n", count)));
  return answer.at("times").get<std::vector<double>>();
}

Result<std::vector<std::int32_t>> OrtPeer::output() {
  NARU_TRY(const nlohmann::json answer, state_->ask("{\"output\": true}\n"));
  return answer.at("output").get<std::vector<std::int32_t>>();
}

}  // namespace naru::bench
