// Files that the command line tests make and read.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "../support/program.h"
#include "../support/served_mock.h"

namespace naru::testing {

inline const std::string kSeven = "models/digits/samples/digit7.bin";
inline const std::string kSevenImage = "models/digits/samples/digit7.png";

/// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "naru-cli-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
inline void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }
inline std::string source_file(const std::string& name) { return read_text(std::string(NARU_SOURCE_DIR) + "/" + name); }

/// Ten pictures of noise, for --steps 10: where one code off by one is not clamped away.
inline std::string make_noise(const Folder& folder) {
  std::string pictures;
  std::uint32_t state = 1;
  for (int i = 0; i < 10 * 28 * 28; ++i) {
    state = state * 1664525U + 1013904223U;
    pictures += static_cast<char>(state >> 24U);
  }
  write_text(folder / "noise.bin", pictures);
  return folder / "noise.bin";
}

/// Compiles the digit model; fails the test when that does not work.
inline std::string make_package(const Folder& folder, const std::string& profile) {
  const std::string path = folder / (profile + ".naru");
  const Outcome outcome = run_naru({"compile", kDigits, "-o", path, "--profile", profile});
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  return path;
}

}  // namespace naru::testing
