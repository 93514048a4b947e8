// Goal: the compile cache of NARU_CACHE serves what it has, tells apart what differs, and never costs a user more than time. Method: a folder per test; an
// entry that is rewritten with a mark shows who used it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "naru/base/file.h"
#include "naru/base/log.h"
#include "naru/compile.h"
#include "package/codec.h"

namespace naru {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

const std::string kDigits = NARU_SOURCE_DIR "/models/digits/digits.tflite";

class CompileCache : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "naru-cache-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    use(root_ / "cache");
    set_log_callback([this](LogLevel, std::string_view, std::string_view message) { log_ += std::string(message) + "\n"; }, LogLevel::kInfo);
  }
  void TearDown() override {
    set_log_callback({});
    ::unsetenv("NARU_CACHE");
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  static void use(const fs::path& folder) { ::setenv("NARU_CACHE", folder.c_str(), 1); }
  [[nodiscard]] fs::path folder() const { return root_ / "cache"; }

  static Bytes compiled(const CompileSettings& settings = {}, const std::string& file = kDigits) {
    const Result<Model> source = Model::load(file);
    EXPECT_TRUE(source);
    const Result<Model> package = compile(source.value(), settings);
    EXPECT_TRUE(package) << (package ? "" : package.error().to_string(true));
    return package ? package->to_bytes().value() : Bytes();
  }

  [[nodiscard]] std::map<fs::path, Bytes> entries() const {
    std::map<fs::path, Bytes> found;
    if (!fs::exists(folder())) return found;
    for (const auto& entry : fs::directory_iterator(folder())) found[entry.path()] = read_file(entry.path().string()).value();
    return found;
  }

  /// The only entry, rewritten to say `description`: a valid package that no compiler makes.
  void mark(const std::string& description) const {
    const auto all = entries();
    ASSERT_EQ(all.size(), 1U);
    auto package = sdk::package::decode(all.begin()->second).value();
    package.description = description;
    ASSERT_TRUE(write_file(all.begin()->first.string(), sdk::package::encode(package)));
  }

  static std::string description_of(const Bytes& package) { return sdk::package::decode(package).value().description; }

  fs::path root_;
  std::string log_;
};

TEST_F(CompileCache, ServesTheSameContentFromItsEntry) {
  const Bytes first = compiled();
  ASSERT_EQ(entries().size(), 1U);
  EXPECT_EQ(entries().begin()->first.extension(), ".naru");
  EXPECT_EQ(compiled(), first);
  mark("from the cache");
  EXPECT_EQ(description_of(compiled()), "from the cache");
  EXPECT_EQ(entries().size(), 1U);
  EXPECT_EQ(log_, "");
}

TEST_F(CompileCache, KnowsContentAndNotNames) {
  compiled();
  mark("from the cache");
  const fs::path copy = root_ / "another_name.tflite";
  fs::copy_file(kDigits, copy);
  EXPECT_EQ(description_of(compiled({}, copy.string())), "from the cache");
  // A byte that follows the model changes nothing that is read, but it is other content.
  Bytes longer = read_file(kDigits).value();
  longer.push_back(std::byte{0});
  ASSERT_TRUE(write_file(copy.string(), longer));
  EXPECT_NE(description_of(compiled({}, copy.string())), "from the cache");
  EXPECT_EQ(entries().size(), 2U);
}

TEST_F(CompileCache, MissesForEveryOptionAndProfile) {
  compiled();
  mark("of edge, as it comes");
  std::vector<CompileSettings> others(5);
  others[0].profile = "tiny";
  others[1].fuse = false;
  others[2].keep_all_tensors = true;
  others[3].keep_tensors = {1};
  others[4].keep_tensors = {2};
  for (std::size_t i = 0; i < others.size(); ++i) {
    EXPECT_NE(description_of(compiled(others[i])), "of edge, as it comes") << i;
    EXPECT_EQ(entries().size(), i + 2) << i;
  }
  EXPECT_EQ(description_of(compiled()), "of edge, as it comes");
}

TEST_F(CompileCache, IgnoresADamagedEntryAndRewritesIt) {
  const Bytes package = compiled();
  const auto [path, good] = *entries().begin();
  Bytes flipped = good, cut = good;
  flipped[good.size() / 2] ^= std::byte{1};
  cut.resize(good.size() / 2);
  for (const Bytes& bad : {flipped, cut, Bytes(), Bytes(100, std::byte{0x5A})}) {
    ASSERT_TRUE(write_file(path.string(), bad));
    log_.clear();
    EXPECT_EQ(compiled(), package) << bad.size() << " bytes";
    EXPECT_NE(log_.find(path.string() + " is not used: "), std::string::npos) << log_;
    EXPECT_EQ(read_file(path.string()).value(), good) << bad.size() << " bytes";
  }
}

TEST_F(CompileCache, IgnoresAnEntryUnderAnotherOnesName) {
  const Bytes package = compiled();
  const auto [path, good] = *entries().begin();
  auto of_another_model = sdk::package::decode(good).value();
  of_another_model.model_sha256[0] ^= std::byte{1};
  compiled({.profile = "tiny", .keep_tensors = {}});
  Bytes of_another_chip;
  for (const auto& [other, bytes] : entries())
    if (other != path) of_another_chip = bytes;
  ASSERT_FALSE(of_another_chip.empty());
  for (const Bytes& wrong : {sdk::package::encode(of_another_model), of_another_chip}) {
    ASSERT_TRUE(write_file(path.string(), wrong));
    EXPECT_EQ(compiled(), package);
    EXPECT_EQ(read_file(path.string()).value(), good);
  }
}

TEST_F(CompileCache, ThatCannotBeWrittenIsNoError) {
  const Bytes package = compiled();
  // A file in the folder's place, which stops root as well.
  ASSERT_TRUE(write_file((root_ / "file").string(), Bytes(1)));
  for (const fs::path& place : {root_ / "file", root_ / "file" / "below"}) {
    use(place);
    log_.clear();
    EXPECT_EQ(compiled(), package);
    EXPECT_NE(log_.find("the compile cache is not written"), std::string::npos) << log_;
  }
  // A folder where the entry should be: it cannot be read, and not be replaced.
  use(folder());
  const fs::path path = entries().begin()->first;
  fs::remove(path);
  fs::create_directories(path / "taken");
  EXPECT_EQ(compiled(), package);
}

TEST_F(CompileCache, IsNotKeptUnlessAskedFor) {
  for (const bool named : {false, true}) {
    ::unsetenv("NARU_CACHE");
    if (named) ::setenv("NARU_CACHE", "", 1);
    EXPECT_FALSE(compiled().empty());
  }
  EXPECT_TRUE(fs::is_empty(root_));
}

}  // namespace
}  // namespace naru
