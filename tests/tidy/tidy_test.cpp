// Goal: the rules of the house that a compiler does not see: who may include whom, which words end a process, who may sleep or read a clock.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Line {
  std::string file;  // from the root of the tree
  std::size_t number;
  std::string text;
};

/// Calls `use` with every line of every source under `rooms`.
void for_each_line(const std::vector<std::string>& rooms, const std::function<void(const Line&)>& use) {
  const fs::path root = NARU_SOURCE_DIR;
  for (const std::string& room : rooms) {
    if (!fs::exists(root / room)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream file(entry.path());
      Line line{fs::relative(entry.path(), root).string(), 0, {}};
      while (std::getline(file, line.text)) {
        ++line.number;
        use(line);
      }
    }
  }
}

void expect_no_match(const std::vector<std::string>& rooms, const std::string& pattern, const std::vector<std::string>& except = {}) {
  const std::regex regex(pattern);
  for_each_line(rooms, [&](const Line& line) {
    for (const std::string& allowed : except)
      if (line.file.starts_with(allowed)) return;
    EXPECT_FALSE(std::regex_search(line.text, regex)) << line.file << ":" << line.number << ": " << line.text;
  });
}

const std::vector<std::string> kLibraries = {"base", "abi", "usb", "verify", "profile", "driver", "sdk", "mockdev", "mock"};

TEST(Tidy, EachRoomIncludesOnlyWhatItMay) {
  expect_no_match({"base"}, R"(#include "naru/(?!base/))");
  expect_no_match({"abi", "usb"}, R"(#include "naru/(?!base/|abi/|usb/))");
  expect_no_match({"abi"}, R"(#include "naru/usb/)");
  expect_no_match({"usb"}, R"(#include "naru/abi/)");
  expect_no_match({"verify", "profile"}, R"(#include "naru/(driver|mockdev|usb|naru|session|model|device)[/.])");
  expect_no_match({"driver"}, R"(#include "naru/(mockdev|profile|session|model|compile|naru|mock))");
  expect_no_match({"mockdev"}, R"(#include "naru/(driver|verify|session|model|compile|naru))");
  for (const char* part : {"graph", "numerics", "import", "package", "compiler", "host", "reference"})
    expect_no_match({std::string("sdk/src/") + part}, R"(#include "(naru/(driver|mockdev|usb|session|model|device)|runtime/))");
  expect_no_match({"sdk"}, R"(#include "naru/mock)");
  expect_no_match({"cli", "examples"}, R"(#include "(naru/(driver|mockdev|usb|verify|abi|profile)/|graph/|compiler/|runtime/|import/|package/))");
}

TEST(Tidy, EachLibraryStaysInItsRoom) {
  expect_no_match(kLibraries, R"(#include <libusb)", {"driver/src/transport/libusb"});
  expect_no_match(kLibraries, R"(#include <fuse)", {"mockdev/hosts/fuse"});
  expect_no_match(kLibraries, R"(#include <umockdev)", {"mockdev/hosts/umockdev"});
  expect_no_match(kLibraries, R"(#include [<"](flatbuffers/|tflite_generated))", {"sdk/src/import/tflite"});
  expect_no_match(kLibraries, R"(#include [<"]hwy/)", {"mockdev/src/units"});
  expect_no_match(kLibraries, R"(#include <spdlog)", {"base/src/log.cpp"});
  expect_no_match(kLibraries, R"(#include <(CLI|nlohmann)/)");
}

TEST(Tidy, NothingInTheLibrariesEndsTheProcess) { expect_no_match(kLibraries, R"((^|[^_\w.:])(std::)?(abort|_?exit|_Exit|quick_exit|terminate|assert)\()"); }

TEST(Tidy, CoreCodeNeitherSleepsNorReadsTheClock) {
  expect_no_match(kLibraries, R"(sleep_for|sleep_until|\busleep\(|nanosleep)");
  expect_no_match({"abi", "usb", "verify", "driver", "mockdev/src", "sdk/src/compiler", "sdk/src/package", "sdk/src/graph"}, R"((steady|system|high_resolution)_clock::now)", {"driver/src/transport/libusb"});
}

TEST(Tidy, EveryFileSaysWhatItIsResponsibleFor) {
  for_each_line({"base", "abi", "usb", "verify", "profile", "driver", "sdk", "mockdev", "mock", "cli", "tools", "tests"}, [&](const Line& line) {
    if (line.number != 1) return;
    EXPECT_TRUE(line.text.starts_with("// ")) << line.file;
  });
}

TEST(Tidy, NothingIsLeftForLater) { expect_no_match(kLibraries, R"(\b(TODO|FIXME|XXX|HACK)\b)"); }

}  // namespace
