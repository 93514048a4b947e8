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
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "naru-spec-test";
  std::filesystem::create_directories(folder);
  ASSERT_EQ(std::system((std::string(NARU_BINARY_DIR "/bin/naru_spec ") + folder.string()).c_str()), 0);
  for (const char* name : {"isa.md", "wire.md", "errors.md"})
    EXPECT_EQ(text_of(folder / name), text_of(std::filesystem::path(NARU_SOURCE_DIR) / "docs/spec" / name)) << "run: build/release/bin/naru_spec docs/spec";
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

}  // namespace
