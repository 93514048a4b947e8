// Goal: generated documentation is what the sources say; links in the docs lead somewhere.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace {

std::string text_of(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Docs, SpecificationIsNotStale) {
  std::string pattern = (std::filesystem::temp_directory_path() / "naru-spec-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path folder = pattern;
  ASSERT_EQ(std::system((std::string(NARU_BINARY_DIR "/bin/naru_spec ") + folder.string()).c_str()), 0);
  for (const char* name : {"isa.md", "wire.md", "errors.md", "cycles.md", "weights.md"}) {
    ASSERT_GT(text_of(folder / name).size(), 500U) << name;
    EXPECT_EQ(text_of(folder / name), text_of(std::filesystem::path(NARU_SOURCE_DIR) / "docs/spec" / name)) << "run: build/release/bin/naru_spec docs/spec";
  }
  std::filesystem::remove_all(folder);
}

TEST(Docs, LinksLeadSomewhere) {
  const std::regex link(R"(\]\(([^)#:]+)\))");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(NARU_SOURCE_DIR)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() != ".md" || path.find("/build/") != std::string::npos) continue;
    const std::string text = text_of(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it)
      EXPECT_TRUE(std::filesystem::exists(entry.path().parent_path() / (*it)[1].str())) << path << " -> " << (*it)[1];
  }
}

TEST(Docs, PagesThatSourcesNameAreThere) {
  const std::regex page(R"(docs/[A-Za-z0-9_/-]+\.md)");
  std::size_t named = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(NARU_SOURCE_DIR)) {
    const std::string path = entry.path().string(), extension = entry.path().extension().string();
    const bool is_source = extension == ".h" || extension == ".cpp" || extension == ".py" || extension == ".sh" || extension == ".txt";
    if (!is_source || path.find("/build/") != std::string::npos) continue;
    const std::string text = text_of(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), page), end; it != end; ++it, ++named)
      EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(NARU_SOURCE_DIR) / it->str())) << path << " names " << it->str();
  }
  EXPECT_GT(named, 20U);
}

}  // namespace
