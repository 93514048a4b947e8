// What --json prints is one document that its schema in cli/schemas accepts, on success and on failure, and nothing else is on stdout.
#include <nlohmann/json.hpp>
#include <vector>

#include "support.h"

using namespace naru::testing;
using Json = nlohmann::json;

namespace {

struct Case {
  std::string schema;
  std::vector<std::string> arguments;  // without --json
  int exit;
};

void expect_valid(const std::vector<Case>& cases, const std::vector<std::string>& environment = {}) {
  const Folder folder;
  std::vector<std::string> validation = {"/usr/bin/python3", "tests/cli/validate.py"};
  for (const Case& c : cases) {
    std::vector<std::string> arguments = c.arguments;
    arguments.push_back("--json");
    const Outcome outcome = run_naru(arguments, environment);
    std::string line;
    for (const std::string& argument : arguments) line += argument + " ";
    EXPECT_EQ(outcome.exit, c.exit) << line << outcome.err;
    const bool verdict = c.exit == 1 || c.exit == 8;  // a result, not an error
    if (!verdict) {
      EXPECT_EQ(outcome.err.empty(), c.exit == 0) << line << outcome.err;
    }
    const Json document = Json::parse(outcome.out, nullptr, false);
    ASSERT_FALSE(document.is_discarded()) << line << outcome.out;
    EXPECT_EQ(document.value("schema_version", 0), 1) << line;
    EXPECT_TRUE(document.contains("simulated")) << line;
    EXPECT_EQ(document.contains("error"), c.exit != 0 && !verdict) << line;
    EXPECT_EQ(document.value("exit_code", c.exit), c.exit) << line;
    const std::string file = folder / (std::to_string(validation.size()) + ".json");
    write_text(file, outcome.out);
    validation.insert(validation.end(), {"cli/schemas/" + c.schema + ".schema.json", file});
  }
  const Outcome validated = run_program(validation);
  EXPECT_EQ(validated.exit, 0) << validated.out << validated.err;
}

}  // namespace

TEST(Json, OfEveryVerbIsWhatItsSchemaSays) {
  const Folder folder;
  expect_valid({{"version", {"version"}, 0},
                {"help", {"help"}, 0},
                {"list", {"list"}, 0},
                {"info", {"info", "--device", "mock:tiny"}, 0},
                {"counters", {"counters", "--device", "mock"}, 0},
                {"reset", {"reset", "--device", "mock"}, 0},
                {"reset", {"reset", "--device", "mock", "--level", "engine"}, 0},
                {"diag", {"diag", "--device", "mock", "--level", "1"}, 0},
                {"diag", {"diag", "--device", "mock:tiny", "--level", "2"}, 0},
                {"compile", {"compile", kDigits, "-o", folder / "digits.naru"}, 0},
                {"inspect", {"inspect", kDigits}, 0},
                {"inspect", {"inspect", folder / "digits.naru"}, 0},
                {"disasm", {"disasm", kDigits, "--profile", "tiny"}, 0},
                {"verify", {"verify", folder / "digits.naru"}, 0},
                {"bench", {"bench", kDigits, "--device", "mock", "--seconds", "0.01", "--depth", "1", "--depth", "3"}, 0},
                {"run", {"run", kDigits, "--device", "mock"}, 0},
                {"run", {"run", folder / "digits.naru", "--device", "mock:edge", "--input", kSeven, "--repeat", "3"}, 0},
                {"run", {"run", kDigits, "--device", "mock:tiny", "--input", kSevenImage, "--check", "--counters", "--labels", "models/digits/labels.txt", "--output-dir", folder / "."}, 0}});
}

TEST(Json, OfAFailureNamesIdKindAndRemedyAndFitsTheSchema) {
  const Folder folder;
  write_text(folder / "bad.tflite", "not a model");
  const std::string bad = folder / "bad.tflite";
  expect_valid({{"naru", {"frobnicate"}, 2},
                {"naru", {"--bogus"}, 2},
                {"bench", {"bench", folder / "bad.tflite", "--device", "mock"}, 11},
                {"version", {"version", "extra"}, 2},
                {"list", {"list", "--bogus"}, 2},
                {"info", {"info"}, 3},
                {"counters", {"counters"}, 3},
                {"reset", {"reset", "--device", "frob:1"}, 2},
                {"diag", {"diag", "--level", "9"}, 2},
                {"diag", {"diag"}, 3},
                {"compile", {"compile", bad, "-o", folder / "x"}, 11},
                {"compile", {"compile", kDigits}, 2},
                {"inspect", {"inspect", bad}, 11},
                {"disasm", {"disasm", bad}, 11},
                {"verify", {"verify", bad}, 11},
                {"run", {"run"}, 2},
                {"run", {"run", bad}, 11},
                {"run", {"run", kDigits, "--device", "node:" + (folder / "nothing")}, 3},
                {"mock", {"mock"}, 2},
                {"mock", {"mock", "unplug", folder / "nothing"}, 3},
                {"mock-serve", {"mock", "serve", "--fuse", folder / "npu", "--profile", "nothing"}, 2}});
}

TEST(Json, OfAServedMockFitsTheSchema) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  const Folder folder;
  expect_valid({{"mock", {"mock", "status", mock.path()}, 0},
                {"info", {"info"}, 0},
                {"mock", {"mock", "plant", mock.path(), "kernel_error"}, 0},
                {"run", {"run", kDigits, "--input", make_noise(folder), "--steps", "10", "--check"}, 1},
                {"diag", {"diag", "--level", "2"}, 1},
                {"mock", {"mock", "plant", mock.path(), "nonsense"}, 2},
                {"mock", {"mock", "unplug", mock.path()}, 0},
                {"mock", {"mock", "unplug", mock.path()}, 2},
                {"run", {"run", kDigits}, 3},
                {"mock", {"mock", "plug", mock.path()}, 0},
                {"info", {"info"}, 0}},
               {"NARU_DEVICE=" + mock.selector()});
}

TEST(Json, IsPrintedWhereverTheFlagOfAMocksVerbStands) {
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  const ServedMock mock("tiny");
  ASSERT_TRUE(mock.ready());
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{"mock", "--json", "status", mock.path()}, {"mock", "status", "--json", mock.path()}}) {
    const Json document = Json::parse(run_naru(arguments).out, nullptr, false);
    ASSERT_FALSE(document.is_discarded()) << arguments[1];
    EXPECT_EQ(document.at("status").at("plugged"), true);
  }
}

TEST(Json, SaysWhatAMocksTimeIs) {
  const auto time_of = [](const std::string& selector) { return Json::parse(run_naru({"info", "--device", selector, "--json"}).out, nullptr, false)["device"].value("time", ""); };
  EXPECT_EQ(time_of("mock"), "virtual");
  if (!fuse_is_usable()) GTEST_SKIP() << "/dev/fuse cannot be opened here";
  for (const std::string time : {"free", "real"}) {
    const ServedMock served("tiny", {"--time", time});
    ASSERT_TRUE(served.ready());
    EXPECT_EQ(time_of(served.selector()), time);
  }
}

TEST(Json, SaysThatAMockIsSimulated) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{{"info", "--device", "mock", "--json"}, {"run", kDigits, "--json"}, {"diag", "--device", "mock", "--json"}})
    EXPECT_EQ(Json::parse(run_naru(arguments).out, nullptr, false).value("simulated", false), true) << arguments.front();
  EXPECT_NE(run_naru({"info", "--device", "mock"}).out.find("(simulated)"), std::string::npos);
  EXPECT_NE(run_naru({"run", kDigits}).out.find("mock:edge (simulated)"), std::string::npos);
}
