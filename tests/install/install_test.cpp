// `cmake --install`, then a stranger's project with find_package(naru): the README's example and a bench of its own, built and run.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "../support/program.h"

using namespace naru::testing;

namespace {

const std::string kSource = NARU_SOURCE_DIR;

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The README's first C++ block, so that what is printed there is what compiles.
std::string readme_example() {
  const std::string readme = read_text(kSource + "/README.md"), opening = "```cpp\n";
  const std::size_t begin = readme.find(opening), end = readme.find("\n```", begin);
  return begin == std::string::npos || end == std::string::npos ? "" : readme.substr(begin + opening.size(), end + 1 - begin - opening.size());
}

class Installed : public ::testing::Test {
 public:
  static void SetUpTestSuite() {
    std::string pattern = (std::filesystem::temp_directory_path() / "naru-install-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    installing = run_program({"cmake", "--install", NARU_BINARY_DIR, "--prefix", folder + "/prefix"});
  }
  static void TearDownTestSuite() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

 protected:
  void SetUp() override { ASSERT_EQ(installing.exit, 0) << installing.out << installing.err; }
  static inline std::string folder;
  static inline Outcome installing;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Where a library was put: lib or lib/<architecture>.
std::string library(const std::string& prefix, const std::string& name) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(prefix))
    if (entry.path().filename() == name) return entry.path().string();
  return {};
}

}  // namespace

TEST_F(Installed, PackageBuildsAndRunsTheReadmesExampleAndAUsersOwnBench) {
  const std::string project = folder + "/project", build = folder + "/build";
  std::filesystem::copy(kSource + "/tests/install/project", project);
  const std::string example = readme_example();
  ASSERT_NE(example.find("int main()"), std::string::npos);
  std::ofstream(project + "/readme.cpp") << example;
  const Outcome configured = run_program({"cmake", "-S", project, "-B", build, "-DCMAKE_PREFIX_PATH=" + folder + "/prefix"});
  ASSERT_EQ(configured.exit, 0) << configured.out << configured.err;
  const Outcome built = Program({"cmake", "--build", build}).wait(std::chrono::minutes(4));
  ASSERT_EQ(built.exit, 0) << built.out << built.err;
  const Outcome readme = run_program({build + "/readme"});  // in the repository's root, where its model is
  EXPECT_EQ(readme.exit, 0) << readme.out << readme.err;
  EXPECT_TRUE(std::regex_search(readme.out, std::regex("^[0-9] [01]\\.[0-9]{2}\n"))) << readme.out;
  const Outcome bench = run_program({build + "/bench", kSource + "/models/digits/digits.tflite"});
  EXPECT_EQ(bench.exit, 0) << bench.out << bench.err;
  EXPECT_NE(bench.out.find("lost: NARU-03"), std::string::npos) << bench.out;
}

TEST_F(Installed, ProgramRunsFromItsPrefix) {
  const Outcome outcome = run_program({folder + "/prefix/bin/naru", "run", "models/digits/digits.tflite", "--device", "mock"});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
}

TEST_F(Installed, LibrariesExportOnlyNarusOwnNames) {
  for (const std::string name : {"libnaru.so", "libnaru-mock.so"}) {
    const Outcome listed = run_program({"nm", "-D", "-C", "--defined-only", library(folder + "/prefix", name)});
    ASSERT_EQ(listed.exit, 0) << listed.err;
    std::size_t own = 0;
    for (const std::string& line : lines_of(listed.out)) {
      // Address, type, name. Weak ones (V, W, u) are templates of headers that any program instantiates; they bind to whoever comes first.
      std::smatch parts;
      if (!std::regex_match(line, parts, std::regex("[0-9a-f]* ([A-Za-z]) (.*)")) || std::string("VWu").find(parts[1].str()) != std::string::npos) continue;
      const std::string symbol = parts[2];
      EXPECT_NE(symbol.find("naru::"), std::string::npos) << name << " exports " << line;
      EXPECT_EQ(symbol.find("spdlog"), std::string::npos) << name << " exports " << line;
      EXPECT_EQ(symbol.find("flatbuffers"), std::string::npos) << name << " exports " << line;
      ++own;
    }
    EXPECT_GT(own, 3U) << name;
  }
}

/// naru:: symbols that `nm` of a static library of the build tree lists with these options.
std::set<std::string> symbols_of(const std::string& archive, const std::string& option) {
  const Outcome listed = run_program({"nm", "-C", option, NARU_BINARY_DIR "/lib/" + archive});
  EXPECT_EQ(listed.exit, 0) << listed.err;
  std::set<std::string> symbols;
  for (const std::string& line : lines_of(listed.out))
    if (const std::size_t at = line.find(" naru::"); at != std::string::npos) symbols.insert(line.substr(at + 1));
  return symbols;
}

TEST(Link, PredictionAndSimulationShareTheFormulasOfCommandsAndNoMore) {
  const std::set<std::string> compiler_needs = symbols_of("libnaru_sdk_compiler.a", "--undefined-only"), compiler_has = symbols_of("libnaru_sdk_compiler.a", "--defined-only"),
                              device_needs = symbols_of("libnaru_mockdev.a", "--undefined-only"), device_has = symbols_of("libnaru_mockdev.a", "--defined-only");
  ASSERT_FALSE(compiler_needs.empty() || compiler_has.empty() || device_needs.empty() || device_has.empty());
  // What both take from elsewhere. Names end where arguments begin.
  std::set<std::string> shared;
  for (const std::string& symbol : compiler_needs)
    if (device_needs.contains(symbol)) shared.insert(symbol.substr(0, symbol.find('(')));
  EXPECT_TRUE(shared.contains("naru::abi::cost_of"));
  for (const std::string& symbol : shared)
    EXPECT_TRUE(symbol == "naru::abi::cost_of" || symbol == "naru::abi::macs_of" || symbol == "naru::abi::is_counted" || symbol.starts_with("naru::Error")) << symbol;
  // And neither takes anything from the other.
  for (const auto& [needs, has] : {std::pair{compiler_needs, device_has}, std::pair{device_needs, compiler_has}})
    for (const std::string& symbol : needs) EXPECT_FALSE(has.contains(symbol)) << symbol;
}

TEST_F(Installed, LibrariesCannotEndTheProcess) {
  // std::terminate is what the compiler calls when an exception leaves a noexcept function; it is listed, not called by any source of ours.
  for (const std::string name : {"libnaru.so", "libnaru-mock.so"}) {
    const Outcome listed = run_program({"nm", "-D", "--undefined-only", library(folder + "/prefix", name)});
    ASSERT_EQ(listed.exit, 0) << listed.err;
    for (const std::string& line : lines_of(listed.out)) {
      std::string symbol = line.substr(line.find_last_of(' ') + 1);
      symbol = symbol.substr(0, symbol.find('@'));
      for (const std::string banned : {"abort", "exit", "_exit", "_Exit", "quick_exit", "__assert_fail", "__assert_perror_fail", "__assert"})
        EXPECT_NE(symbol, banned) << name << " can end the process";
    }
  }
}
