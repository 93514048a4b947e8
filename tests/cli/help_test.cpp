// Every help page fits a screen and ends with an example; the examples work as pasted.
#include <algorithm>
#include <vector>

#include "support.h"

using namespace naru::testing;

namespace {

const std::vector<std::vector<std::string>> kPages = {{"help"}, {"list"}, {"info"}, {"run"}, {"bench"}, {"compile"}, {"inspect"}, {"disasm"}, {"verify"}, {"diag"}, {"counters"}, {"reset"}, {"version"},
                                                      {"mock"}, {"mock", "serve"}, {"mock", "unplug"}, {"mock", "plug"}, {"mock", "status"}, {"mock", "plant"}};

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string help(std::vector<std::string> verb) {
  verb.push_back("--help");
  const Outcome outcome = run_naru(verb);
  EXPECT_EQ(outcome.exit, 0) << verb.front();
  EXPECT_EQ(outcome.err, "");
  return outcome.out;
}

}  // namespace

TEST(Help, FitsAScreenAndEndsWithAnExample) {
  for (const auto& page : kPages) {
    const std::string text = help(page);
    EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40) << page.back();
    EXPECT_EQ(last_line(text).rfind("Example: naru " + page.front(), 0), 0U) << last_line(text);
  }
  const std::string text = help({});
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 40);
  EXPECT_NE(text.find("Example: naru run"), std::string::npos);
  for (const auto& page : kPages) EXPECT_NE(text.find("\n  " + page.front() + " "), std::string::npos) << page.front() << " is not in naru --help";
  EXPECT_EQ(run_naru({"help"}).out, text);
  EXPECT_EQ(run_naru({"help", "run"}).out, help({"run"}));
  EXPECT_EQ(run_naru({"help", "mock", "serve"}).out, help({"mock", "serve"}));
}

TEST(Help, ExamplesWorkAsPastedFromTheRepository) {
  for (const auto& page : kPages) {
    if (page.front() == "mock") continue;  // needs a second process: the system tests serve one
    const std::string example = last_line(help(page)).substr(std::string("Example: ").size());
    const Outcome outcome = run_program({"/bin/sh", "-c", example});
    EXPECT_EQ(outcome.exit, 0) << example << "\n" << outcome.err;
    EXPECT_NE(outcome.out, "") << example;
  }
  const std::string page = help({});
  const std::size_t at = page.find("Example: ") + std::string("Example: ").size();
  const std::string example = page.substr(at, page.find('\n', at) - at);
  EXPECT_EQ(run_program({"/bin/sh", "-c", example}).exit, 0) << example;
}
