// Goal: every file of a bad model is refused with the error id that its defect has, by a message that names the place. Method: make_bad_models.py
// writes the files and a manifest, by the classes M1 to M24; each is read as a user's file would be.
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "import/tflite/import.h"
#include "naru/base/file.h"

namespace naru::sdk {
namespace {

constexpr std::size_t kClasses = 24;
constexpr std::size_t kFilesPerClass = 5;

struct BadFile {
  std::string name;
  std::string id;
  std::string says;
};
void PrintTo(const BadFile& bad, std::ostream* stream) { *stream << bad.name; }

std::vector<BadFile> bad_files() {
  std::vector<BadFile> files;
  std::ifstream manifest(NARU_BAD_MODELS "/manifest.txt");
  for (std::string line; std::getline(manifest, line);) {
    const std::size_t first = line.find('|');
    const std::size_t second = line.find('|', first + 1);
    files.push_back({line.substr(0, first), line.substr(first + 1, second - first - 1), line.substr(second + 1)});
  }
  return files;
}

Result<graph::Graph> import_file(const std::string& name) {
  auto bytes = read_file(NARU_BAD_MODELS "/" + name);
  if (!bytes) return tl::unexpected(bytes.error());
  return import_tflite(std::make_shared<const std::vector<std::byte>>(*std::move(bytes)));
}

class BadModelFiles : public testing::TestWithParam<BadFile> {};

TEST_P(BadModelFiles, AreRefusedNamingThePlace) {
  const auto graph = import_file(GetParam().name);
  ASSERT_FALSE(graph);
  const Error& error = graph.error();
  EXPECT_EQ(error.id_text(), GetParam().id) << error.message();
  EXPECT_THAT(error.message(), testing::HasSubstr(GetParam().says));
  EXPECT_FALSE(error.remedy().empty());
  // Damaged tables have no place that could be trusted; everything else names operator, tensor or field.
  const bool whole_file = GetParam().says.empty() || error.id() == ErrorId::kModelNotTflite;
  EXPECT_TRUE(whole_file || !error.values().empty()) << error.message();
}

INSTANTIATE_TEST_SUITE_P(Files, BadModelFiles, testing::ValuesIn(bad_files()),
                         [](const auto& info) { return info.param.name.substr(0, info.param.name.find('.')); });

TEST(BadModelFile, IsOneChangeAwayFromAValidModel) {
  for (const char* seed : {"valid.tflite", "valid_second.tflite"}) {
    const auto graph = import_file(seed);
    ASSERT_TRUE(graph) << seed << ": " << graph.error().to_string(true);
  }
}

TEST(BadModelFile, ExistsFiveTimesForEveryClass) {
  std::map<std::string, std::size_t> count;
  for (const BadFile& bad : bad_files()) ++count[bad.name.substr(0, 3)];
  EXPECT_EQ(count.size(), kClasses);
  for (const auto& [name, files] : count) EXPECT_GE(files, kFilesPerClass) << name;
}

}  // namespace
}  // namespace naru::sdk
