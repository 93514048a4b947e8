// Goal: the shipped known answers are what the stream reference gives today, and none is so plain that a dead engine would give it too.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include <fmt/format.h>

#include "reference/stream/stream_interpreter.h"
#include "runtime/diagnostics/battery.h"
#include "runtime/diagnostics/known_answers.h"

namespace naru::sdk::runtime::diagnostics {
namespace {

TEST(KnownAnswers, AreWhatTheReferenceGives) {
  const auto cases = known_answer_cases();
  const auto answers = known_answers();
  ASSERT_EQ(cases.size(), answers.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::vector<std::byte> sram(cases[i].stream.regions[0].bytes), input = cases[i].input, output(cases[i].output_bytes);
    const std::span<std::byte> regions[] = {sram, input, output};
    const Result<void> ran = reference::interpret_stream(cases[i].stream, regions);
    ASSERT_TRUE(ran) << cases[i].name << ": " << ran.error().to_string(true);
    ASSERT_EQ(answers[i].size(), output.size());
    std::set<unsigned> values;
    for (std::size_t k = 0; k < output.size(); ++k) {
      EXPECT_EQ(static_cast<unsigned>(output[k]), answers[i][k]) << cases[i].name << " byte " << k << ": run tools/known_answers";
      values.insert(answers[i][k]);
    }
    EXPECT_GT(values.size(), 8U) << cases[i].name;
  }
}

TEST(DiagnosticTests, StandInTheDocsWithTheirIds) {
  std::ifstream file(NARU_SOURCE_DIR "/docs/diagnostics.md");
  const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (const auto tests : {link_tests(), memory_tests(), operator_tests()})
    for (const auto& test : tests) {
      const std::string row = fmt::format("| NARU-{:04} | {} | {} |", test.id, test.name, test.level);
      EXPECT_NE(page.find(row), std::string::npos) << "docs/diagnostics.md lacks: " << row;
    }
}

}  // namespace
}  // namespace naru::sdk::runtime::diagnostics
